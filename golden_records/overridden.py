"""Overrides as a person reads them: which stand, until when, and what lies under them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from golden_records.journal import SOURCE_OF
from golden_records.rows import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """An override; values are item -> value. `changed_at`: since when the owner says another value than was hidden."""

    override_id: int
    version: int
    golden_id: int
    entity: str
    item_group: str
    item: str
    value: Mapping[str, Any]
    hidden_value: Mapping[str, Any] | None
    hidden_change_id: int | None
    owner_value: Mapping[str, Any] | None
    owner_change_id: int | None
    owner_source: str | None
    changed_at: datetime | None
    author: str
    reason: str
    made_at: datetime
    expires_at: datetime | None
    review_at: datetime | None
    due_since: datetime | None
    decision_id: int
    retired_at: datetime | None
    retired_why: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which overrides: each that is set must hold. Only those that stand, unless `retired`."""

    hides_changed: bool | None = None
    is_due: bool | None = None
    golden_id: int | None = None
    item: str | None = None
    author: str | None = None
    before: int | None = None
    retired: bool = False


_COLUMNS = ", ".join("s.name as owner_source" if name == "owner_source" else f"o.{name}" for name in Override.__slots__)

_SELECT = f"""
select {_COLUMNS} from golden.override o
left join golden.source_system s on s.source_id = {SOURCE_OF.format(change_id="o.owner_change_id")}
"""

_CONDITIONS = {
    "hides_changed": "(o.changed_at is not null) = %(hides_changed)s",
    "is_due": "(o.due_since is not null) = %(is_due)s",
    "golden_id": "o.golden_id = %(golden_id)s",
    "item": "(o.item = %(item)s or o.item = '' and o.value ? %(item)s)",
    "author": "o.author = %(author)s",
    "before": "o.override_id < %(before)s",
}


def page(chosen: Chosen, *, limit: int) -> Question[Override]:
    """Ask for overrides, the newest first; `before` is the id where another page ended."""
    told = {name: getattr(chosen, name) for name in _CONDITIONS if getattr(chosen, name) is not None}
    conditions = [*(_CONDITIONS[name] for name in told), "true" if chosen.retired else "o.retired_at is null"]
    text = f"{_SELECT} where {' and '.join(conditions)} order by o.override_id desc limit %(limit)s"
    return Question(text=text, parameters=told | {"limit": limit}, row=Override)


def question(override_id: int) -> Question[Override]:
    """Ask for one override, whether it stands or not."""
    return Question(text=f"{_SELECT} where o.override_id = %(id)s", parameters={"id": override_id}, row=Override)
