"""The audit of a published view: the rules on what it carries, and that it equals the golden records."""

from collections.abc import Iterator, Sequence

from mdm.audit import putting
from mdm.audit.asked import Asked
from mdm.audit.findings import EQUALITY, SAMPLE, Finding, Outcome
from mdm.audit.putting import Place
from mdm.distribution import carried, contracts, equality
from mdm.distribution.equality import Equality, View
from mdm.errors import MdmError
from rules.model import Scope


class ViewUnknown(MdmError):
    """There is no view of that name."""

    exit_code = 2


def choose(views: Sequence[View], asked: Asked) -> list[View]:
    """Return the views that are asked for, by NAME or NAME/RECIPIENT; raises ViewUnknown."""
    name, _, recipient = (asked.view or "").partition("/")
    chosen = [view for view in views if name in {"", view.name} and recipient in {"", view.recipient}]
    if asked.view and not chosen:
        known = ", ".join(sorted({view.name for view in views})) or "none yet"
        raise ViewUnknown(f"There is no view {asked.view}. There are {known}; name one as NAME or NAME/RECIPIENT.")
    return chosen


def name_of(view: View | Equality) -> str:
    """Return what a view's place is called."""
    return f"view {view.name}/{view.recipient}"


def equalities(place: Place, views: Sequence[View]) -> Iterator[Finding]:
    """Compare views with a new projection of the golden records; yield what was found of each."""
    place.note("views")
    for found in equality.compare(place.session, [view.view_id for view in views], sample=SAMPLE):
        failed = found.differing or int(not found.is_proven)
        yield Finding(
            place=name_of(found),
            rule=EQUALITY,
            rule_version=1,
            outcome=Outcome.FAILED if failed else Outcome.PASSED,
            looked_at=found.rows,
            failed=failed,
            sample=tuple(f"golden {golden_id}" for golden_id in found.sample),
            reason=None if found.is_proven else "Count or digest of its head is not that of its rows.",
        )


def audit(place: Place, view: View, asked: Asked) -> Iterator[Finding]:
    """Put the rules that are asked for to the rows of a view; yield what each found."""
    contract = contracts.get_contract(view.name)
    for scope in Scope:
        rules = asked.rules(scope)
        rows = carried.rows(contract, scope, view.view_id) if rules else None
        if rows is None:
            yield from (place.absent(rule, f"The view carries no rows of the scope '{scope}'.") for rule in rules)
        else:
            yield from putting.put_all(place, rows, rules, sample=asked.sample)
