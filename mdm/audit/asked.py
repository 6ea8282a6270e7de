"""What an audit is asked for: which places, which rules, how much of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rules import registry
from rules.model import Rule, Scope

Note = Callable[[str], object]
"""Told the place that is being looked at, each time that something of it is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One place or, without any, all of them; rules on one entity or on all; a sample or everything."""

    source: str | None = None
    view: str | None = None
    entity: str | None = None
    sample: int | None = None
    threshold: float | None = None

    @property
    def is_of_golden_records(self) -> bool:
        """Whether the golden store is to be audited."""
        return self.source is None and self.view is None

    def as_json(self) -> dict[str, Any]:
        """Return what was asked for, without what was not."""
        names = ("source", "view", "entity", "sample", "threshold")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def rules(self, scope: Scope) -> Sequence[Rule]:
        """Return the rules of a scope that are on and asked for."""
        return [rule for rule in registry.list_of_scope(scope) if self.entity in {None, rule.entity}]
