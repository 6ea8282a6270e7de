"""A hub whose copies differ when a test says so, and the tasks that follow."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from golden_records import rows
from mdm import app, db, mastering
from mdm.embedded import EmbeddedServer
from mdm.stewardship import queue, tasks
from mdm.stewardship.queue import Filter, Page
from mdm.stewardship.tasks import Deed, Event, Task
from tests import databases
from tests.conftest import HUB_TEMPLATE
from tests.factories import mpan, point
from tests.integration.api.conftest import Api, running
from tests.integration.distribution.market import Market
from tests.integration.golden_records.conftest import Hub, open_hub_session

HOUR = timedelta(hours=1)
LASTS = timedelta(minutes=30)


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A hub and what stewards see of it, at a time that the test chooses."""

    dsn: str
    hub: Hub
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def differ(self, number: int, copy: str = "A") -> Task:
        """Let the market segment of a point, S, be copied wrongly; return the task that follows."""
        key = mpan(number)
        self.hub.change("smrs10", point(key, "segment", market_segment="S"))
        self.hub.change("mds", point(key, "segment", market_segment=copy))
        return self.of_point(number)

    def agree(self, number: int) -> Task:
        """Let the copy follow; return the task as it stands then."""
        self.hub.change("mds", point(mpan(number), "segment", market_segment="S"))
        return self.of_point(number)

    def new(self) -> Task:
        """Return an open task of a point of its own."""
        return self.differ(1_000 + next(self.numbers))

    def of_point(self, number: int) -> Task:
        """Return the last task about a point."""
        found = self.hub.value(
            "select max(task_id) from hub.task t join golden.crosswalk c using (golden_id) where c.key = %s",
            mpan(number),
        )
        assert isinstance(found, int)
        return self.task(found)

    def task(self, task_id: int, *, at: datetime | None = None) -> Task:
        """Return a task as it stands at a time, by default now."""
        return tasks.get(self.hub.connection, task_id, now=at or now())

    def history(self, task_id: int) -> list[Event]:
        """Return all that happened to a task; its versions are dense."""
        events = rows.ask(self.hub.connection, tasks.history(task_id))
        assert [event.version for event in events] == list(range(1, self.task(task_id).version + 1))
        return events

    def events(self, task_id: int) -> list[tuple[str, str]]:
        """Return what happened to a task, and by whom."""
        return [(event.event, event.by) for event in self.history(task_id)]

    def listed(
        self, chosen: Filter | None = None, page: Page | None = None, *, at: datetime | None = None
    ) -> list[Task]:
        """Return a page of the queue."""
        asked = queue.page(chosen or Filter(), page or Page(limit=1000), now=at or now())
        return rows.ask(self.hub.connection, asked)

    @contextmanager
    def session(self) -> Iterator[db.Connection]:
        """Open a steward's own session."""
        with db.connect(self.dsn) as connection:
            mastering.tune(connection)
            yield connection


def now() -> datetime:
    return datetime.now(UTC)


def deed(by: str = "ann", *, at: datetime | None = None, note: str | None = None) -> Deed:
    return Deed(by=by, at=at or now(), note=note)


@pytest.fixture(scope="module")
def desk(hub_server: EmbeddedServer) -> Iterator[Desk]:
    """One hub for the tests of a module; each works on points of its own."""
    with databases.fresh(hub_server, prefix="hub", template=HUB_TEMPLATE) as dsn, db.connect(dsn) as connection:
        yield Desk(dsn=dsn, hub=open_hub_session(connection))


@pytest.fixture(scope="module")
def api(desk: Desk) -> Iterator[Api]:
    """The desk's hub, served."""
    server = app.make_server(desk.dsn, host="127.0.0.1", port=0)
    with running(server):
        yield Api(url=server.url, market=Market(dsn=desk.dsn, connection=desk.hub.connection), server=server)
