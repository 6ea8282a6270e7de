"""Orders: what a steward wants decided, about what, on which terms; and the matter that it turns out to be about."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from golden_records.match_states import Match
from golden_records.targets import Seen, Target
from mdm.errors import MdmError
from mdm.stewardship.decisions import Kind


class Refused(MdmError):
    """What is wanted cannot be decided as it is: the message says what is wrong, by the names of items."""

    exit_code = 2


class Outdated(MdmError):
    """What is decided on has changed since its maker saw it, or a later decision stands on it."""


class OverrideUnknown(MdmError):
    """There is no override of that id."""

    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On which terms; each kind of decision has its own. `values` are item -> value.

    `into` is the golden record that stands for both after a merge; metering points are merged only when it is forced.
    """

    source: str | None = None
    values: Mapping[str, Any] | None = None
    until: datetime | None = None
    expires_at: datetime | None = None
    review_at: datetime | None = None
    into: int | None = None
    is_forced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a decision is about, as its maker saw it: a task, an override, a match, a golden record or an item of it."""

    task_id: int | None = None
    version: int | None = None
    override_id: int | None = None
    match_id: int | None = None
    golden_id: int | None = None
    item: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One decision that is wanted."""

    kind: Kind
    about: About
    terms: Terms = field(default_factory=Terms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """What is decided on, locked: the tasks that it settles, the target, and what is said of that.

    `conflict_id` is that of the first task, where it is about a conflict. A decision on identity is about a match, or
    about a golden record and no item.
    """

    task_ids: Sequence[int] = ()
    target: Target | None = None
    seen: Seen | None = None
    conflict_id: int | None = None
    match: Match | None = None
    golden_id: int | None = None

    def whole(self) -> Seen:
        """Return what is said of the target; raises Refused where no value is decided on, or Outdated."""
        if self.target is None:
            raise Refused("This is about a record and not about a value: it can be dismissed.")
        if self.seen is None:
            raise Outdated("The golden record is not there any longer: no source has it. Look at the task again.")
        return self.seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A decision that is carried out: its id, what it is about, and what it comes to."""

    decision_id: int
    matter: Matter
    payload: Mapping[str, Any]


def payload(terms: Terms, matter: Matter, judged: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept of a decision, so that it can be carried out later, or seen to be outdated by then.

    It is as JSON has it, moments as text.
    """
    told = {name: getattr(terms, name) for name in ("source", "until", "expires_at", "review_at")}
    kept = {name: value for name, value in told.items() if value is not None}
    kept |= {"tasks": list(matter.task_ids)} if matter.task_ids else {}
    read: dict[str, Any] = orjson.loads(orjson.dumps({**kept, **judged, "seen": digest(matter)}))
    return read


def terms_of(kept: Mapping[str, Any]) -> Terms:
    """Return the terms of a decision from its payload."""
    dates = {name: kept.get(name) for name in ("until", "expires_at", "review_at")}
    read = {name: None if text is None else datetime.fromisoformat(text) for name, text in dates.items()}
    return Terms(
        source=kept.get("source"),
        values=kept.get("entered"),
        until=read["until"],
        expires_at=read["expires_at"],
        review_at=read["review_at"],
        into=kept.get("into"),
        is_forced=kept.get("is_forced", False),
    )


def digest(matter: Matter) -> str | None:
    """Return a digest of what was seen, by which it is known whether that still is so."""
    seen = matter.seen
    if matter.match is not None:
        return f"{matter.match.state}|{matter.match.facts}"
    if seen is None:
        return None
    told = [dict(seen.value), dict(seen.owner_value), seen.said and dict(seen.said), seen.override_id]
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()
