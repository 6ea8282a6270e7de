"""A hub whose copies differ when a test says so, and stewards who settle it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mdm import db, mastering
from mdm.deciding import applying, approving, bulk, undoing
from mdm.deciding.bulk import Wanted
from mdm.deciding.orders import About, Order, Terms
from mdm.embedded import EmbeddedServer
from mdm.stewardship import approvals, tasks
from mdm.stewardship.approvals import Policy
from mdm.stewardship.decisions import Decision, Kind, Maker
from mdm.stewardship.queue import Filter
from mdm.stewardship.tasks import Task
from tests import databases
from tests.conftest import HUB_TEMPLATE
from tests.factories import mpan, point
from tests.integration.golden_records.conftest import Hub, open_hub_session

_GOLDEN = ("metering_point", "meter", "address", "contract", "appointment")


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A hub and what stewards decide in it."""

    dsn: str
    hub: Hub

    def differ(self, number: int, copy: str = "A", *, source: str = "mds") -> Task:
        """Let the market segment of a point, S, be copied wrongly; return the task that follows."""
        self.hub.change("smrs10", point(mpan(number), "segment", market_segment="S"))
        self.hub.change(source, point(mpan(number), "segment", market_segment=copy))
        return self.task(self.golden_id(number))

    def differ_many(self, numbers: range, *, source: str) -> None:
        """Let the market segment of many points be copied wrongly by a source: U."""
        for system, segment in (("smrs10", "S"), (source, "U")):
            self.hub.change(system, *(point(mpan(number), "segment", market_segment=segment) for number in numbers))

    def golden_id(self, number: int) -> int:
        """Return the golden id of a point."""
        found = self.hub.value("select golden_id from golden.crosswalk where key = %s", mpan(number))
        assert isinstance(found, int)
        return found

    def segment(self, number: int) -> object:
        """Return the golden market segment of a point."""
        query = "select market_segment from golden.metering_point where golden_id = %s"
        return self.hub.value(query, self.golden_id(number))

    def live(self, golden_id: int) -> list[Task]:
        """Return the tasks of a golden record that are not closed."""
        rows = self.hub.rows(
            "select task_id from hub.task where golden_id = %s and closed_at is null order by 1", golden_id
        )
        return [tasks.get(self.hub.connection, int(str(row[0])), now=now()) for row in rows]

    def task(self, golden_id: int) -> Task:
        """Return the one live task of a golden record."""
        (task,) = self.live(golden_id)
        return task

    def seen(self, task: Task) -> Task:
        """Return a task as it stands."""
        return tasks.get(self.hub.connection, task.task_id, now=now())

    def decide(
        self, kind: Kind, about: Task | About, *, by: str = "ann", policy: Policy = approvals.NONE, **terms: Any
    ) -> Decision:
        """Decide on a task as it was seen, or on something else."""
        if isinstance(about, Task):
            about = About(task_id=about.task_id, version=about.version)
        order = Order(kind=kind, about=about, terms=Terms(**terms))
        with db.transaction(self.hub.connection):
            return applying.decide(self.hub.connection, order, maker(by), policy)

    def decide_bulk(
        self, kind: Kind, chosen: Filter, *, by: str = "ann", policy: Policy = approvals.NONE, **terms: Any
    ) -> Decision:
        """Decide on all tasks of a filter."""
        wanted = Wanted(kind=kind, terms=Terms(**terms), chosen=chosen)
        with db.transaction(self.hub.connection):
            return bulk.decide(self.hub.connection, wanted, maker(by), policy)

    def undo(self, decision: Decision, *, by: str = "ann") -> Decision:
        """Undo a decision."""
        with db.transaction(self.hub.connection):
            return undoing.undo(self.hub.connection, decision.decision_id, maker(by, reason="it was wrong"))

    def approve(self, decision: Decision, *, by: str = "bob") -> Decision:
        """Approve a decision."""
        with db.transaction(self.hub.connection):
            return approving.approve(self.hub.connection, decision.decision_id, by=by, at=now())

    def open_graced(self, now: datetime) -> None:
        """Open the tasks of the conflicts whose grace is over by then."""
        with self.hub.connection.transaction():
            mastering.open_graced(self.hub.connection, after=now - timedelta(days=1), now=now)

    def come_due(self, at: datetime) -> None:
        """Do what is due by a moment."""
        with db.transaction(self.hub.connection):
            mastering.come_due(self.hub.connection, now=at)
            mastering.finish(self.hub.connection)

    def golden(self) -> dict[str, list[tuple[object, ...]]]:
        """Return all that the golden store says, but for versions, times of update, and what is over."""
        state = {
            entity: self.hub.rows(
                f"select to_jsonb(g) - 'version' - 'updated_at' from golden.{entity} g order by golden_id"
            )
            for entity in _GOLDEN
        }
        state["said"] = self.hub.rows("select to_jsonb(r) from golden.source_record r order by 1")
        state["crosswalk"] = self.hub.rows(
            "select entity, key, golden_id from golden.crosswalk where unlinked_at is null order by 1, 2"
        )
        state["conflicts"] = self.hub.rows(
            "select golden_id, item, source_id, change_id, value, owner_source_id, owner_change_id, owner_value"
            " from golden.conflict where closed_at is null order by 1, 2, 3"
        )
        return state


def now() -> datetime:
    return datetime.now(UTC)


def later(**lasts: float) -> datetime:
    return now() + timedelta(**lasts)


def maker(by: str, *, reason: str = "seen on site") -> Maker:
    return Maker(by=by, reason=reason, at=now())


@pytest.fixture(scope="module")
def desk(hub_server: EmbeddedServer) -> Iterator[Desk]:
    """One hub for the tests of a module; each works on points of its own."""
    with databases.fresh(hub_server, prefix="hub", template=HUB_TEMPLATE) as dsn, db.connect(dsn) as connection:
        yield Desk(dsn=dsn, hub=open_hub_session(connection))
