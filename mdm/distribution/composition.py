"""Composes the query that projects golden records into views, from the contracts (pure).

A body is built as text, so that its bytes are fixed: members in the contract's order, without spaces, absent where
there is no value. Python's json.dumps(body, separators=(",", ":"), ensure_ascii=False) gives the same bytes again.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile

from mdm.distribution.contracts import Contract, Item, Kind, Message, Role

HUB_SENDER = "MDMH"
"""Sender of messages on a metering point of no known registration service."""

STANDS = """g.status in ('accepted', 'active')
    and (g.appointed_to is null or g.appointed_to >= (now() at time zone 'Europe/London')::date)"""
"""Whether an appointment `g` is in force or agreed: its last day is one of them, and the hub looks again after it."""

# What stands before an entity's column in each part of the query.
_AT_POINT = {"metering_point": "p.", "address": "a.", "meter": "m."}
_AT_APPOINTMENT = {"metering_point": "p_", "meter": "m_", "appointment": "ap.", "contract": "c."}
_AT_ROW = {"metering_point": "p_"}

# The first meter is the main one, which an appointment names: no check meter, the one installed last.
# Lateral subqueries with offset 0 are not pulled up: each table is entered by its index, once a point, whatever
# the planner believes of tables that have grown since they were last analysed.
_POINT = """
point as materialized (
    select p.golden_id as point_id, t.committed_at, coalesce(sender.participant, '{hub}') as sender, {columns},
           {shared} as shared, {address} as address, m.*
    from (select golden_id, min(committed_at) as committed_at from projection_point group by golden_id) t
    cross join lateral (select * from golden.metering_point g
                        where g.golden_id = t.golden_id and g.mpan is not null offset 0) p
    left join lateral (select * from golden.address g where g.golden_id = p.address_id offset 0) a on true
    cross join lateral (
        select {meters}
        from (select * from golden.meter g
              where g.metering_point_id = p.golden_id and g.removal_date is null and g.meter_id is not null
              order by coalesce(g.meter_type = 'CHECK', false), g.installation_date desc nulls last, g.meter_id) m) m
    left join (select unnest(distributors) as distributor, min(participant) as participant
               from golden.source_system where kind = 'SMRS' group by 1) sender on sender.distributor = left(p.mpan, 2)
)"""

_APPOINTED = """
appointed as materialized (
    select ap.golden_id, ap.appointed_from, ap.role, ap.service_mpid as recipient, point.point_id, point.sender,
           point.committed_at,
           {own_message} as own_message, {all_message} as all_message,
           {own_element} as own_element, {all_element} as all_element
    from point
    cross join lateral (select * from golden.appointment g
                        where g.metering_point_id = point.point_id and {stands}
                          and g.role is not null and g.service_mpid is not null
                          and g.contract_reference is not null offset 0) ap
    left join lateral (select * from golden.contract g where g.golden_id = ap.contract_id offset 0) c on true
)"""

# A recipient without a view gives rows without view_id, so that it is noticed.
_ROWS = """
select v.view_id, golden_id, point_id, sender, {own_message} as body, committed_at
from appointed a left join hub.view v on v.message = 'appointment' and v.role = a.role and v.recipient = a.recipient
where own_message is not null
union all
select v.view_id, golden_id, point_id, sender, {all_message}, committed_at
from appointed join hub.view v on v.message = 'appointment' and v.role = {covering}
union all
select v.view_id, point_id, point_id, sender, {own_point}, committed_at
from (select point_id, role, recipient,
             string_agg({own_element}, ',' order by appointed_from, golden_id) as appointments
      from appointed group by point_id, role, recipient) a
join hub.view v on v.message = 'metering-point' and v.role = a.role and v.recipient = a.recipient
join point using (point_id)
union all
select v.view_id, point_id, point_id, sender, {all_point}, committed_at
from point
left join (select point_id, string_agg({all_element}, ',' order by appointed_from, golden_id) as appointments
           from appointed group by point_id) a using (point_id)
join hub.view v on v.message = 'metering-point' and v.role = {covering}"""


def rows(contracts: Sequence[Contract]) -> str:
    """Return the query of every row of the touched points: view_id, golden_id, point_id, sender, body, committed_at.

    It reads the temporary table projection_point and gives nothing for a point that is in no view. Each
    message has one contract for each role, and one of them covers all points.
    """
    messages = {contract.role: contract for contract in contracts if contract.message is Message.APPOINTMENT}
    points = {contract.role: contract for contract in contracts if contract.message is Message.METERING_POINT}
    covering = next(contract.role for contract in contracts if contract.covers_all)
    shared, lists = _shared(list(points.values())), _lists(points.values())
    bodies = {role: _point_body(contract, len(shared), lists) for role, contract in points.items()}
    rest = _ROWS.format(
        own_message=_braced("own_message"),
        all_message=_braced("all_message"),
        own_element=_braced("own_element"),
        all_element=_braced("all_element"),
        own_point=_by_role("v.role", {role: body for role, body in bodies.items() if role is not covering}),
        all_point=bodies[covering],
        covering=_quoted(covering),
    )
    return f"with {_point(contracts, shared, lists)},{_appointed(messages, points, covering)}{rest}"


def _point(contracts: Sequence[Contract], shared: Sequence[Item], lists: Sequence[tuple[Item, ...]]) -> str:
    address = next(item for contract in contracts for item in contract.items if item.name == "address")
    aggregates = [
        f"string_agg({_braced(_concat(items, _AT_POINT))}, ',') as meters_{number}"
        for number, items in enumerate(lists)
    ]
    return _POINT.format(
        hub=HUB_SENDER,
        columns=_point_columns(contracts),
        shared=_concat(shared, _AT_POINT),
        address=_member(address, _AT_POINT),
        meters=", ".join(["(array_agg(m.meter_id))[1] as m_meter_id", *aggregates]),
    )


def _appointed(messages: Mapping[Role, Contract], points: Mapping[Role, Contract], covering: Role) -> str:
    own = {role: _concat(contract.items, _AT_APPOINTMENT) for role, contract in messages.items()}
    element = {role: _concat(_list(contract, "appointments"), _AT_APPOINTMENT) for role, contract in points.items()}
    return _APPOINTED.format(
        stands=STANDS,
        all_message=own.pop(covering),
        all_element=element.pop(covering),
        own_message=_by_role("ap.role", own),
        own_element=_by_role("ap.role", element),
    )


def _point_columns(contracts: Sequence[Contract]) -> str:
    """List the columns of a metering point that any contract asks for."""
    origins = {item.origin for contract in contracts for item in contract.walk() if item.origin}
    names = sorted(origin.item for origin in origins if origin.entity == "metering_point")
    return ", ".join(f"p.{name} as p_{name}" for name in names)


def _shared(points: Sequence[Contract]) -> tuple[Item, ...]:
    """Return the items with which all these contracts begin: they are built once for all views of a point."""
    together = zip(*(contract.items for contract in points), strict=False)
    return tuple(items[0] for items in takewhile(lambda items: len(set(items)) == 1, together))


def _lists(points: Iterable[Contract]) -> list[tuple[Item, ...]]:
    """Return the different shapes in which these contracts list meters."""
    return list(dict.fromkeys(item.items for contract in points for item in contract.items if item.name == "meters"))


def _list(contract: Contract, name: str) -> tuple[Item, ...]:
    return next(item.items for item in contract.items if item.name == name)


def _point_body(contract: Contract, shared: int, lists: Sequence[tuple[Item, ...]]) -> str:
    members = [_point_member(item, lists) for item in contract.items[shared:]]
    return _braced(f"concat({', '.join(['shared', *members])})")


def _point_member(item: Item, lists: Sequence[tuple[Item, ...]]) -> str:
    match item.name:
        case "address":
            return "address"
        case "meters":
            return f"',\"meters\":[', meters_{lists.index(item.items)}, ']'"
        case "appointments":
            return "',\"appointments\":[', appointments, ']'"
        case _:
            return _member(item, _AT_ROW)


def _concat(items: Iterable[Item], prefixes: Mapping[str, str]) -> str:
    return f"concat({', '.join(_member(item, prefixes) for item in items)})"


def _member(item: Item, prefixes: Mapping[str, str]) -> str:
    """Return the expression of ',"name":value', which is null without a value."""
    if item.kind is Kind.OBJECT:
        present = f"{prefixes[_entity(item.items[0])]}golden_id is not null"
        return f"case when {present} then ',\"{item.name}\":' || {_braced(_concat(item.items, prefixes))} end"
    column = f"{prefixes[_entity(item)]}{item.origin.item if item.origin else item.name}"
    match item.kind:
        case Kind.STRING:
            return f"',\"{item.name}\":' || to_json({column})"
        case Kind.DATE:
            return f"',\"{item.name}\":\"' || {column} || '\"'"
        case _:
            return f"',\"{item.name}\":' || {column}"


def _entity(item: Item) -> str:
    if item.origin is None:
        raise ValueError(f"The item {item.name} comes from nowhere: give its contract a transformSourceObjects.")
    return item.origin.entity


def _by_role(role: str, expressions: Mapping[Role, str]) -> str:
    cases = " ".join(f"when {_quoted(name)} then {expression}" for name, expression in expressions.items())
    return f"case {role} {cases} end"


def _braced(members: str) -> str:
    return f"'{{' || substr({members}, 2) || '}}'"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
