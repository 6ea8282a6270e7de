"""Where a scope's rows come from at some place, and which rules can be looked for there (pure)."""

import re
from dataclasses import dataclass

from rules.model import Rule, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSource:
    """A query that gives the rows of a scope: `record`, which names the row, and the columns that the place holds."""

    scope: Scope
    query: str
    columns: frozenset[str]

    def missing(self, rule: Rule) -> tuple[str, ...]:
        """Return the columns that a rule reads and the place does not hold: with any, it cannot be looked for."""
        return tuple(sorted(columns_read(rule) - self.columns))


def columns_read(rule: Rule) -> frozenset[str]:
    """Return the columns of its scope that a rule's condition names."""
    words = set(re.findall(r"[a-z_0-9]+", rule.condition))
    return frozenset(words & set(rule.scope.columns))
