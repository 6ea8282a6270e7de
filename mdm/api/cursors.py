"""Cursors: where the next page of a list begins, opaque to whoever carries it back."""

import base64
import binascii
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import orjson

from mdm.api.problems import Problem

_UNKNOWN = "The cursor is none that this list gave. Begin again without one."


def encode(place: Sequence[Any]) -> str:
    """Write down the sort values of a page's last row."""
    return base64.urlsafe_b64encode(orjson.dumps(list(place))).decode().rstrip("=")


def decode(cursor: str | None, *, length: int) -> list[Any] | None:
    """Read a cursor of so many sort values; None without one. Raises Problem 422."""
    if cursor is None:
        return None
    try:
        place = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, _UNKNOWN) from None
    if not isinstance(place, list) or len(place) != length:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, _UNKNOWN)
    return place
