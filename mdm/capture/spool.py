"""Where a streamed transaction waits for its end: a file without a name, gone with its process whatever ends it."""

import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mdm.capture.errors import SpoolFailed
from mdm.capture.wire import PADDING, Wire

_BLOCK = struct.Struct("=qq")  # messages, octets; then the size of each message, then the messages


class Spool:
    """The messages of one transaction in progress, in order, appended and read back in blocks.

    The file has no name in the folder, so a killed worker leaves nothing behind and two workers cannot meet.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.octets = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=folder, prefix="transaction-")  # noqa: SIM115 - closed by close()
        except OSError as error:
            raise self._failed(error) from error

    def append(self, wire: Wire) -> None:
        """Add messages; raises SpoolFailed when the disk does not take them."""
        sizes = wire.ends - wire.starts
        content = wire.contiguous()
        try:
            self._file.write(_BLOCK.pack(len(wire), len(content)))
            self._file.write(sizes.tobytes())
            self._file.write(content)
            self._file.flush()
        except OSError as error:
            raise self._failed(error) from error
        self.octets += len(content)

    def blocks(self) -> Iterator[Wire]:
        """Read the messages back as they were appended, a block at a time."""
        self._file.seek(0)
        while head := self._file.read(_BLOCK.size):
            count, octets = _BLOCK.unpack(head)
            sizes = np.frombuffer(self._file.read(8 * count), np.int64)
            yield Wire.cut(self._file.read(octets) + PADDING, sizes)

    def close(self) -> None:
        """Give the disk space back."""
        try:
            self._file.close()
        except OSError:  # what could not be written is not wanted any more
            self._file.raw.close()

    def _failed(self, error: OSError) -> SpoolFailed:
        return SpoolFailed(
            f"A large transaction in progress cannot be kept in {self._folder}: {error.strerror}. Make room there, or "
            "choose a folder on a larger disk; capture then goes on from the checkpoint. On the source, a higher "
            "logical_decoding_work_mem makes such transactions rarer."
        )
