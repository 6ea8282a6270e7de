"""Trying: what a decision on identity would do, by carrying it out in a transaction that its caller takes back.

So a trial is refused whatever the decision itself would be refused, in the same words.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import psycopg

from golden_records import merging as stored
from golden_records.merging import Known
from mdm.deciding import applying, kinds, looking
from mdm.deciding.orders import Order
from mdm.stewardship import approvals
from mdm.stewardship.approvals import Policy
from mdm.stewardship.decisions import Decision, Maker


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The decision as it would be, why another would have to approve it, and by entity what would change besides."""

    decision: Decision
    wants_approval: str | None
    changed: Mapping[str, int]


def attempt(connection: psycopg.Connection, order: Order, maker: Maker, policy: Policy) -> Attempt:
    """Decide, whoever has to approve it, and say what that changed: the golden records and those that refer to them."""
    matter = looking.at_identity(connection, order.about, deed=applying.deed_of(maker))
    pair = kinds.judge(connection, order.kind, matter, order.terms, maker.at).get("pair", [])
    concerned = sorted({*pair, *stored.list_referring(connection, pair)})
    before = stored.list_known(connection, concerned)
    decision = applying.decide(connection, order, maker, approvals.NONE)
    return Attempt(
        decision=decision,
        wants_approval=policy.wanted(order.kind, classified=(), tasks=1),
        changed=_changed(before, stored.list_known(connection, concerned)),
    )


def _changed(before: Mapping[int, Known], after: Mapping[int, Known]) -> dict[str, int]:
    entities = [known.entity for golden_id, known in before.items() if known != after.get(golden_id)]
    return {entity: entities.count(entity) for entity in sorted(set(entities))}
