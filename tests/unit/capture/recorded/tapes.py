"""Recorded streams as files: each payload behind its length, four octets."""

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

_LENGTH = struct.Struct(">I")


def path(name: str, version: str) -> Path:
    """Return where the stream of a scenario on a server lies."""
    return Path(__file__).with_name(f"{name}-{version}.stream")


def write(to: Path, payloads: Iterable[bytes]) -> None:
    """Write a stream."""
    to.write_bytes(b"".join(_LENGTH.pack(len(payload)) + payload for payload in payloads))


def read(of: Path) -> list[bytes]:
    """Read a stream."""
    return list(_payloads(of.read_bytes()))


def _payloads(octets: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(octets):
        (length,) = _LENGTH.unpack_from(octets, at)
        at += _LENGTH.size
        yield octets[at : at + length]
        at += length
