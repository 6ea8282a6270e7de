"""What views carry, as rows that rules can read: taken from the bodies that were sent, not from the golden records."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mdm.distribution.contracts import Contract, Item, Kind, Message
from rules.model import Scope
from rules.row_sources import RowSource

# A body is one line of JSON text in the feed; a view's present rows are those that view_row names.
_ROWS = """
select '{message} ' || golden_id as record, {columns}
from (select r.golden_id, f.body::jsonb as body
      from hub.view_row r join hub.feed f on f.view_id = r.view_id and f.seq = r.seq and f.golden_id = r.golden_id
      where r.view_id = {view_id}) v {element}
"""

_KNOWN = """(exists (select from golden.distributor_area d where d.distributor = left(v.body ->> 'mpan_core', 2)
    and d.valid_from <= current_date and coalesce(d.valid_to, 'infinity') >= current_date))"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where in a body items stand: the SQL of the object that holds them."""

    items: Sequence[Item]
    sql: str


def rows(contract: Contract, scope: Scope, view_id: int) -> RowSource | None:
    """Return the rows of a scope that a view carries, None where it carries no such thing."""
    places = _places(contract, scope.entity)
    if places is None:
        return None
    found = {name: sql for name, kind in scope.types.items() if (sql := _column(name, kind, places)) is not None}
    if "known_distributor" in scope.types:
        found |= {"known_distributor": _KNOWN, "served_distributors": "null::text[]"}
    if not found:
        return None
    query = _ROWS.format(
        message=contract.message,
        columns=", ".join(f"{sql} as {name}" for name, sql in found.items()),
        view_id=view_id,
        element=_element(contract, scope.entity),
    )
    return RowSource(scope=scope, query=query, columns=frozenset(found))


def _places(contract: Contract, entity: str) -> list[_Place] | None:
    """Return where a view keeps an entity's items and, behind them, those of what it belongs to; the nearest first."""
    top = _Place(items=contract.items, sql="v.body")
    if entity == "metering_point" or (entity == "appointment" and contract.message is Message.APPOINTMENT):
        return [top]
    holder = _holder(contract, entity)
    if holder is None:
        return None
    place = "e.element" if holder.kind is Kind.ARRAY else f"(v.body -> '{holder.name}')"
    inner = [
        _Place(items=item.items, sql=f"({place} -> '{item.name}')") for item in holder.items if item.kind is Kind.OBJECT
    ]
    return [_Place(items=holder.items, sql=place), *inner, top]


def _element(contract: Contract, entity: str) -> str:
    holder = _holder(contract, entity)
    if holder is None or (entity == "appointment" and contract.message is Message.APPOINTMENT):
        return ""
    if holder.kind is Kind.ARRAY:
        return f"cross join lateral jsonb_array_elements(v.body -> '{holder.name}') e (element)"
    return f"where v.body ? '{holder.name}'"


def _holder(contract: Contract, entity: str) -> Item | None:
    """Return the member that holds an entity's items: an object or an array of such."""
    return next((item for item in contract.items if item.items and _is_of(item.items, entity)), None)


def _is_of(items: Iterable[Item], entity: str) -> bool:
    return any(item.origin is not None and item.origin.entity == entity for item in items)


def _column(name: str, kind: str, places: Sequence[_Place]) -> str | None:
    for place in places:
        for item in place.items:
            if item.origin is not None and item.origin.item == name:
                return f"({place.sql} ->> '{item.name}')::{kind}"
    return None
