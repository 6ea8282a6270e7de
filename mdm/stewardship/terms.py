"""The terms of stewards' work: how long a claim lasts and when a task is due, by its severity."""

from dataclasses import dataclass
from datetime import timedelta

from mdm.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """A task is due so many days after it is seen: of severity E, of severity W."""

    claim: timedelta = timedelta(minutes=30)
    due_days_error: float = 1
    due_days_warning: float = 5


USUAL = Terms()
"""The terms where nothing else is said."""


def of(settings: Settings) -> Terms:
    """Return the terms that the settings name."""
    return Terms(
        claim=timedelta(minutes=settings.claim_minutes),
        due_days_error=settings.due_days_error,
        due_days_warning=settings.due_days_warning,
    )
