"""The rows that rules read, out of the golden store: for each scope one select, for all golden records or for some.

Each select gives golden_id, source_id, source_key, item_group and the scope's columns. The three in the middle name the
source record that the row is, and are null where the row is a golden record.
"""

import re
from functools import cache

from golden_records import scopes_of_appointments, scopes_of_meters, scopes_of_points
from rules.model import Scope

TODAY = "(now() at time zone 'Europe/London')::date"

_STORED: dict[Scope, str] = {
    **scopes_of_points.STORED,
    **scopes_of_appointments.STORED,
    **scopes_of_meters.STORED,
}

OF_STORE = tuple(_STORED)
"""The scopes whose rows stand in the golden store; messages and copies are read elsewhere."""


@cache
def stored(scope: Scope, *, chosen: str | None = None, day: str = TODAY) -> str:
    """Return the select over the golden store for the rows of a scope; KeyError when it has none (OF_STORE).

    `chosen` is a SQL subselect of golden ids of the scope's entity; without it all rows are read. `day` is the SQL
    expression of the local day as of which the store is judged. The text takes no parameters.
    """
    text = _FROM.sub(lambda named: _from(*named.groups(), chosen=chosen), _STORED[scope])
    among = "true" if chosen is None else f"r.golden_id in ({chosen})"
    return text.replace("{among r.golden_id}", among).replace("{day}", day)


_FROM = re.compile(r"\{from (\S+) (\w)(?: where ([^}]+))?\}")


def _from(table: str, alias: str, condition: str | None, *, chosen: str | None) -> str:
    """Write where the rows come from: chosen ones are looked up one by one, however few or many the planner expects."""
    if chosen is None:
        return f"(select * from {table} {alias} where {condition or 'true'}) {alias}"
    return (
        f"(select distinct golden_id from ({chosen}) chosen) chosen cross join lateral (select * from {table} {alias}"
        f" where {alias}.golden_id = chosen.golden_id and {condition or 'true'} offset 0) {alias}"
    )


def violating(scope: Scope, condition: str, *, chosen: str | None = None, day: str = TODAY) -> str:
    """Return the select of the rows of a scope that a condition speaks against."""
    return f"select * from ({stored(scope, chosen=chosen, day=day)}) row_of_scope where {condition}"
