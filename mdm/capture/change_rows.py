"""The `before` and `after` members of Debezium's envelope for the changes of one table.

Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from mdm.capture.frames import TableChanges
from mdm.capture.rendering import ColumnPlan, objects


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePlan:
    """How a relation's rows become JSON: the columns that Debezium keeps, and those that it takes for the key."""

    columns: tuple[ColumnPlan, ...]
    key: tuple[ColumnPlan, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The members of each change, None where null for all; `moved` tells whose key changed, None where no one's did."""

    before: pl.Series | None
    after: pl.Series | None
    moved: pl.Series | None


def render(changes: TableChanges, plan: TablePlan) -> Rows:
    """Return the members of changes among which there is no truncate."""
    changes = _with_old_values(changes)
    ops = changes.meta["op"]
    has_before = changes.before_kind.is_not_null()
    return Rows(
        before=_members(changes.before, plan.columns, has_before),
        after=_members(changes.after, plan.columns, ops != "d", unchanged=changes.unchanged),
        moved=_moved(changes, plan.key, (ops == "u") & has_before),
    )


def without_truncates(changes: TableChanges) -> TableChanges:
    """Leave out truncates, which Debezium passes over unless told otherwise."""
    keep = changes.meta["op"] != "t"
    return changes if keep.all() else _filtered(changes, keep)


def _filtered(changes: TableChanges, keep: pl.Series) -> TableChanges:
    return TableChanges(
        relation=changes.relation,
        meta=changes.meta.filter(keep),
        after=changes.after.filter(keep),
        before=changes.before.filter(keep),
        before_kind=changes.before_kind.filter(keep),
        unchanged={name: mask.filter(keep) for name, mask in changes.unchanged.items()},
    )


def _with_old_values(changes: TableChanges) -> TableChanges:
    """Take from the old row, where there is one, the values that were left out because they did not change."""
    if not changes.unchanged or changes.before_kind.null_count() == changes.before_kind.len():
        return changes
    after, unchanged = changes.after, {}
    for name, mask in changes.unchanged.items():
        old = changes.before[name]
        after = after.with_columns(old.zip_with(mask, after[name]).alias(name))
        unchanged[name] = mask & old.is_null()
    return TableChanges(
        relation=changes.relation,
        meta=changes.meta,
        after=after,
        before=changes.before,
        before_kind=changes.before_kind,
        unchanged=unchanged,
    )


def _members(
    frame: pl.DataFrame,
    columns: Sequence[ColumnPlan],
    present: pl.Series,
    *,
    unchanged: dict[str, pl.Series] | None = None,
) -> pl.Series | None:
    if not present.any():
        return None
    rendered = objects(frame, columns, unchanged or {}, snapshot=False)
    if present.all():
        return rendered
    return rendered.zip_with(present, pl.repeat("null", rendered.len(), eager=True))


def _moved(changes: TableChanges, key: Sequence[ColumnPlan], candidates: pl.Series) -> pl.Series | None:
    if not key or not candidates.any():
        return None
    differs = [changes.before[plan.name].ne_missing(changes.after[plan.name]) for plan in key]
    suspects = (
        candidates
        & pl.DataFrame([one.alias(str(i)) for i, one in enumerate(differs)])
        .select(pl.any_horizontal(pl.all()))
        .to_series()
    )
    if not suspects.any():
        return None
    # What stands for a null may equal the other value, so the members decide, not the raw values.
    old = objects(changes.before, key, {}, snapshot=False)
    new = objects(changes.after, key, changes.unchanged, snapshot=False)
    return suspects & (old != new)
