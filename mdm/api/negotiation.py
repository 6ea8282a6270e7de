"""Negotiation: which of the offered media types an Accept header asks for, and whether the answer is compressed."""

import zlib
from collections.abc import Sequence
from http import HTTPStatus

from fastapi import Request

from mdm.api.problems import Problem

JSON = "application/json"
NDJSON = "application/x-ndjson"
XML = "application/xml"

_ALIASES = {"application/ndjson": NDJSON, "text/xml": XML}


def choose(request: Request, offered: Sequence[str]) -> str:
    """Return the offered media type that the request likes best, the first of equals; raises Problem 406."""
    ranges = [_range(part) for part in request.headers.get("accept", "*/*").split(",") if part.strip()]
    liked = max(offered, key=lambda kind: _liking(kind, ranges))
    if ranges and _liking(liked, ranges) <= 0:
        raise Problem(
            HTTPStatus.NOT_ACCEPTABLE, f"This is to be had as {', '.join(offered)}. Name one of them in Accept."
        )
    return liked


def takes_gzip(request: Request) -> bool:
    """Tell whether the answer may be compressed."""
    ranges = [_range(part) for part in request.headers.get("accept-encoding", "").split(",")]
    return any(kind == "gzip" and quality > 0 for kind, quality in ranges)


def compressor() -> "zlib._Compress":
    """Return a compressor that writes gzip, quickly."""
    return zlib.compressobj(level=1, wbits=31)


def _range(part: str) -> tuple[str, float]:
    kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
    quality = next((piece[2:] for piece in parameters if piece.startswith("q=")), "1")
    try:
        return _ALIASES.get(kind, kind), float(quality)
    except ValueError:
        return kind, 0.0


def _liking(kind: str, ranges: Sequence[tuple[str, float]]) -> float:
    """Return the quality of the most specific range that takes a media type in."""
    group = f"{kind.partition('/')[0]}/*"
    for wanted in (kind, group, "*/*"):
        for named, quality in ranges:
            if named == wanted:
                return quality
    return 0.0
