"""A task's life: whatever stewards do to it, and when, it stands where the rules of a task say, and all is told."""

from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from mdm.stewardship import tasks
from mdm.stewardship.tasks import Closed, Deed, Stale, State, Taken
from tests.integration.stewardship.conftest import LASTS, Desk, now

STEWARDS = st.sampled_from(["ann", "ben"])
REFUSED = (Closed, Stale, Taken)


def machine(desk: Desk) -> type[RuleBasedStateMachine]:  # noqa: C901 - one rule for each thing that can be done
    """Return the machine of one task of this desk."""

    class Life(RuleBasedStateMachine):
        @initialize()
        def open(self) -> None:
            self.task_id = desk.new().task_id
            self.time = now()
            self.version, self.closed = 1, False
            self.holder: str | None = None
            self.until = self.time
            self.is_claim = False

        @property
        def owner(self) -> str | None:
            return None if self.is_claim and self.until <= self.time else self.holder

        def does(self, act: str, by: str, *, allowed: bool, **told: object) -> bool:
            """Do it on the present version; it is refused unless it is allowed."""
            lapses = self.is_claim and self.until <= self.time and not self.closed
            deed = Deed(by=by, at=self.time, note="why")
            try:
                with desk.hub.connection.transaction():
                    getattr(tasks, act)(desk.hub.connection, self.task_id, version=self.version, deed=deed, **told)
            except REFUSED:
                assert not allowed
                return False
            assert allowed
            self.version += 1 + lapses
            if lapses:
                self.holder, self.is_claim = None, False
            return True

        def is_free_for(self, by: str) -> bool:
            return not self.closed and self.owner in {None, by}

        @rule(minutes=st.integers(1, 40))
        def time_passes(self, minutes: int) -> None:
            self.time += timedelta(minutes=minutes)

        @rule(by=STEWARDS)
        def claim(self, by: str) -> None:
            if self.does("claim", by, allowed=self.is_free_for(by), lasts=LASTS):
                self.holder, self.is_claim, self.until = by, True, self.time + LASTS

        @rule(by=STEWARDS)
        def release(self, by: str) -> None:
            if self.does("release", by, allowed=not self.closed and self.owner == by):
                self.holder, self.is_claim = None, False

        @rule(by=STEWARDS, to=STEWARDS)
        def assign(self, by: str, to: str) -> None:
            if self.does("assign", by, allowed=not self.closed, assignee=to):
                self.holder, self.is_claim = to, False

        @rule(by=STEWARDS)
        def comment(self, by: str) -> None:
            self.does("comment", by, allowed=True)

        @rule(by=STEWARDS, act=st.sampled_from(["resolve", "dismiss"]))
        def close(self, by: str, act: str) -> None:
            if self.does(act, by, allowed=self.is_free_for(by)):
                self.closed, self.is_claim = True, False

        @rule(by=STEWARDS)
        def undo(self, by: str) -> None:
            with desk.hub.connection.transaction():
                opened = tasks.reopen(desk.hub.connection, [self.task_id], deed=Deed(by=by, at=self.time))
            assert bool(opened) == self.closed
            if opened:
                self.version, self.closed, self.holder = self.version + 1, False, None

        @rule(by=STEWARDS, behind=st.integers(1, 3))
        def act_on_what_was(self, by: str, behind: int) -> None:
            self.version -= behind
            self.does("comment", by, allowed=False)
            self.version += behind

        @invariant()
        def stands_as_it_should(self) -> None:
            task = desk.task(self.task_id, at=self.time)
            assert (task.version, task.is_closed) == (self.version, self.closed)
            if not self.closed:
                is_claimed = self.is_claim and self.until > self.time
                assert (task.state is State.CLAIMED, task.assignee) == (is_claimed, self.owner)
            assert len(desk.history(self.task_id)) == self.version

    return Life


def test_a_task_stands_where_its_history_leads(desk: Desk) -> None:
    run_state_machine_as_test(
        machine(desk),
        settings=settings(
            max_examples=12,
            stateful_step_count=20,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
