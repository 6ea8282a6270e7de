"""Trying a rule on a million golden records: the slowest of some that read points, periods, meters and addresses."""

from collections.abc import Sequence

from golden_records import rule_trials
from mdm import db
from rules import registry
from tests.benchmarks.budgets import Measured

TRIED = (1, 5, 16, 17, 33, 34)
"""A rule on keys, on periods, on meters at their points, two on points, one on addresses."""


def measure(dsn: str, codes: Sequence[int] = TRIED) -> Measured:
    """Return the seconds of the slowest trial; the notes say each."""
    trials = {code: _tried(dsn, code) for code in codes}
    slowest = max(trials.values(), key=lambda trial: trial.seconds)
    told = tuple(f"rule {code}: {_words(trial)}" for code, trial in trials.items())
    return Measured(value=slowest.seconds, notes=told)


def _words(trial: rule_trials.Trial) -> str:
    return f"{trial.failed:,} of {trial.looked_at:,} in {trial.seconds:.1f} s"


def _tried(dsn: str, code: int) -> rule_trials.Trial:
    with db.connect(dsn) as connection, db.reading(connection):
        rule_trials.tune(connection)
        return rule_trials.run(connection, registry.get(code), sample=None, advance=lambda _share: None)
