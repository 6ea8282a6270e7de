"""The command line's composition root."""


def main() -> None:
    """Run mdm."""
