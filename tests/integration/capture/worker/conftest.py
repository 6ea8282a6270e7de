"""A small source, a hub, and a worker between them that a test starts, stops and crashes."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.capture.worker.rig import Rig


@pytest.fixture
def make_rig(hub_dsn: str, make_source: Callable[[], str], tmp_path: Path) -> Iterator[Callable[[], Rig]]:
    """Make sources of the test schema, each with its own slot, all captured into one hub."""
    with ExitStack() as stack:

        def make() -> Rig:
            return stack.enter_context(Rig.create(hub_dsn, make_source(), tmp_path))

        yield make


@pytest.fixture
def rig(make_rig: Callable[[], Rig]) -> Rig:
    return make_rig()
