"""Markets and hubs for whole-hub tests, on two servers that survive a kill -9 and last for the session."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from mdm.embedded import EmbeddedServer
from tests.acceptance import installation
from tests.acceptance.installation import Installation
from tests.clusters import SMALL, Clusters


@pytest.fixture(scope="session")
def start_server(session_clusters: Clusters) -> Callable[[str], EmbeddedServer]:
    """Start the server of a name, or recover it after it was killed."""
    return lambda name: session_clusters.start(f"durable-{name}", settings=SMALL)


@pytest.fixture(scope="module")
def open_installation(
    start_server: Callable[[str], EmbeddedServer], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Installation]]:
    """Open a market of so many points with an empty hub, for the tests of one module."""
    with ExitStack() as stack:

        def opened(points: int, **options: object) -> Installation:
            folder = tmp_path_factory.mktemp("installation")
            context = installation.opened(start_server, folder, points=points, **options)  # type: ignore[arg-type]
            return stack.enter_context(context)

        yield opened
