"""The desk of whoever decides at the command line: a session that masters, a transaction that is tried again."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from getpass import getuser
from typing import Any, TypeVar

import psycopg

from mdm import db, hub, mastering, settings
from mdm.deciding import applying, trying
from mdm.deciding.orders import About, Order, Refused
from mdm.stewardship import approvals, tasks, terms
from mdm.stewardship.approvals import Policy
from mdm.stewardship.decisions import Decision, Maker

_ATTEMPTS = 5

Done = TypeVar("Done")


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A session on the hub, and what wants approval there."""

    connection: db.Connection
    policy: Policy

    def do(self, act: Callable[[db.Connection], Done], *, is_trial: bool = False) -> Done:
        """Do something in one transaction, again where the workers, who master meanwhile, were in its way.

        Of a trial nothing stays.
        """
        opened = db.trial if is_trial else db.transaction
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with opened(self.connection):
                    return act(self.connection)
            except (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected):
                if attempt == _ATTEMPTS:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def decide(self, order: Order, maker: Maker) -> Decision:
        """Decide on one matter."""
        return self.do(lambda connection: applying.decide(connection, order, maker, self.policy))

    def attempt(self, order: Order, maker: Maker) -> trying.Attempt:
        """Say what a decision on identity would do, and leave everything as it is."""
        return self.do(lambda connection: trying.attempt(connection, order, maker, self.policy), is_trial=True)

    def task(self, task_id: int, version: int | None) -> About:
        """Return what a decision on a task is about: the task as it was seen, or as it is now."""
        seen = tasks.get(self.connection, task_id, now=datetime.now(UTC)).version if version is None else version
        return About(task_id=task_id, version=seen)


@contextmanager
def opened(name: str) -> Iterator[Desk]:
    """Open a session on the hub that the settings name, for a command of this name."""
    chosen = settings.load()
    policy = approvals.load(chosen.approvals)
    with db.connect(hub.initialise(chosen), application_name=f"mdm {name}") as connection:
        mastering.tune(connection, terms=terms.of(chosen))
        yield Desk(connection=connection, policy=policy)


def maker(by: str | None, reason: str) -> Maker:
    """Return who decides, by default the operating system's user; raises Refused without a reason."""
    if not reason.strip() or "\x00" in reason:
        raise Refused("A decision needs a reason. Say it in a few words: --reason.")
    return Maker(by=person(by), reason=reason.strip(), at=datetime.now(UTC))


def person(by: str | None) -> str:
    """Return a name, by default the operating system's user's; raises Refused where it is empty."""
    name = (getuser() if by is None else by).strip()
    if not name or "\x00" in name:
        raise Refused("Say who decides: --by NAME.")
    return name


def moment(text: str | None) -> datetime | None:
    """Read a day or a moment, UTC unless it says otherwise; raises Refused."""
    if text is None:
        return None
    try:
        said = datetime.fromisoformat(text)
    except ValueError:
        raise Refused("A date reads 2027-01-31, a moment 2027-01-31T12:00Z. Correct it.") from None
    return said if said.tzinfo else said.replace(tzinfo=UTC)


def values(given: Sequence[str] | None, item: str | None) -> dict[str, Any] | None:
    """Read values: ITEM=VALUE each, or one value alone of the item that is decided on; raises Refused."""
    if not given:
        return None
    if len(given) == 1 and "=" not in given[0] and item:
        return {item: given[0]}
    pairs = [text.partition("=") for text in given]
    if not all(name and sign for name, sign, _ in pairs):
        raise Refused("Give each value as ITEM=VALUE, as in --value postcode='BA1 1AA'.")
    return {name.strip(): value for name, _, value in pairs}
