"""What a rule is: one SQL condition over the named columns of a row, with everything a person needs to know of it.

The same condition serves the inline check of a batch, the batch audit, the documentation and a view's contract:
each only provides rows that have the columns of the rule's scope. A condition that is null does not speak.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rules.scopes import Scope, Severity

__all__ = ["Rule", "Scope", "Severity"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A consistency rule. `condition` is SQL over the columns of `scope`: true speaks against the row.

    `violated` is that condition with its parameters by name, in braces; `parameters` are their values. `owner` is
    accountable for mending what it finds. `response_codes` are those by which the industry's own messages refuse the
    same faults. "(ours)" in an explanation marks what the industry leaves open and this hub decides.
    """

    code: int
    title: str
    severity: Severity
    scope: Scope
    violated: str
    items: tuple[str, ...]
    owner: str
    explanation: str
    mend: str
    response_codes: tuple[str, ...] = ()
    version: int = 1
    parameters: Mapping[str, int] = field(default_factory=dict)
    is_on: bool = True

    @property
    def entity(self) -> str:
        """The entity of the catalogue that the rule speaks of."""
        return self.scope.entity

    @property
    def condition(self) -> str:
        """The condition with the parameters' values in it."""
        written = self.violated
        for name, value in self.parameters.items():
            written = written.replace(f"{{{name}}}", str(value))
        return written
