"""Reading what is declared in YAML, by libyaml where it is there: eight times as fast, and every worker reads it."""

from typing import Any

import yaml

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(text: str) -> Any:
    """Return what the one YAML document of a text says; raises yaml.YAMLError."""
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 - either of the two is a safe one
