"""PostgreSQL clusters for tests: quick ones that forget at a crash, and durable ones for crash tests.

All stand in one temporary folder that bears this process's id, so that the next session clears away what a killed
one left running.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from mdm import embedded
from mdm.embedded import EmbeddedServer

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")

SMALL = {"shared_buffers": "128MB", "min_wal_size": "80MB", "wal_buffers": "4MB"}
QUICK = SMALL | {"fsync": "off", "full_page_writes": "off", "autovacuum_naptime": "10min"}

_PREFIX = "mdm-tests-"


@dataclass(slots=True, kw_only=True)
class Clusters:
    """The clusters of one test session, each started when it is first asked for and stopped with the session."""

    folder: Path
    _started: dict[Path, Path | None] = field(default_factory=dict)

    def start(
        self, name: str, *, settings: Mapping[str, str] | None = None, binaries: Path | None = None
    ) -> EmbeddedServer:
        """Start the cluster of a name, quick by default; pass SMALL as settings for one that survives a crash."""
        folder = self.folder / name
        self._started[folder] = binaries
        return embedded.start(folder, settings=QUICK if settings is None else settings, binaries=binaries, patience=120)

    def remove(self, name: str) -> None:
        """Stop the cluster of a name and remove what it held."""
        folder = self.folder / name
        embedded.stop(folder, binaries=self._started.pop(folder, None))
        shutil.rmtree(folder, ignore_errors=True)

    def remove_all(self) -> None:
        """Stop and remove all clusters."""
        for folder in list(self._started):
            self.remove(folder.name)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def session() -> Iterator[Clusters]:
    """Give a session its clusters and take them away again at its end."""
    _clear_abandoned()
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    clusters = Clusters(folder=folder)
    try:
        yield clusters
    finally:
        clusters.remove_all()


def _clear_abandoned() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        owner = int(folder.name.removeprefix(_PREFIX).split("-")[0])
        with suppress(FileNotFoundError):  # another session that begins now clears it away too
            if not psutil.pid_exists(owner) and folder.stat().st_uid == os.geteuid():
                _clear(folder)


def _clear(folder: Path) -> None:
    for cluster in folder.iterdir():
        if (cluster / "postmaster.pid").exists():
            embedded.stop(cluster)
    shutil.rmtree(folder, ignore_errors=True)
