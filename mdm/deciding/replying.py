"""Replying: what an owner says to a correction request; where it refuses, its steward's task is open again."""

from datetime import datetime

import psycopg

from mdm.stewardship import corrections, decisions, tasks
from mdm.stewardship.corrections import Correction, Reply, State
from mdm.stewardship.tasks import Deed


def reply(connection: psycopg.Connection, asked: Correction, said: Reply, *, at: datetime) -> int:
    """Note an owner's reply; return the request's new version. Raises CorrectionClosed, or ReferenceUsed."""
    version = corrections.reply(connection, asked, said, at=at)
    if said.state is State.REJECTED:
        decision = decisions.get(connection, asked.decision_id)
        closed = (decision.effect or {}).get("closed", {}).get("tasks", [])
        deed = Deed(by=asked.recipient, at=at, note=f"the owner rejected {asked.reference}")
        tasks.reopen(connection, closed, deed=deed, decision_id=decision.decision_id)
    return version
