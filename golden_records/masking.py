"""Masking: values as they may be shown to whoever may not see what identifies a person (law 11)."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from golden_records import catalogue
from golden_records.catalogue import Classification

MASK = "***"


@cache
def classifications(item_group: str) -> Mapping[str, Classification]:
    """Return how the items of a group are classified; empty for a group that the catalogue does not know."""
    found = (group for _, group in catalogue.load().groups() if group.name == item_group)
    return {item.name: item.classification for group in found for item in group.items}


def is_sensitive(item_group: str, item: str) -> bool:
    """Tell whether an item's values are shown only to those who may see them; an unknown one's are."""
    return classifications(item_group).get(item) is not Classification.PUBLIC


def shown(item_group: str, values: Mapping[str, Any] | None, *, reveal: bool) -> dict[str, Any] | None:
    """Return values, item by item, those that are not public masked unless they are to be revealed."""
    if values is None:
        return None
    return {
        name: value if reveal or value is None or not is_sensitive(item_group, name) else MASK
        for name, value in values.items()
    }
