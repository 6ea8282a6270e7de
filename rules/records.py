"""Rules on any record: its period, whom it names, its message, its copies."""

from rules import agreement
from rules.agreement import Comparison
from rules.model import Rule, Scope, Severity

RULES = (
    Rule(
        code=19,
        title="Every MPID is a participant in its role on the date",
        severity=Severity.ERROR,
        scope=Scope.PARTY,
        violated="not is_participant",
        items=("supplier_mpid", "service_mpid"),
        owner="registration",
        response_codes=("REG1090",),
        explanation=(
            "Suppliers and metering services that a supplier period, a contract or an appointment names take part "
            "in the market in that role on its first day (REG1090): dated reference data. (ours) Where the hub "
            "knows nobody in a role, the rule is silent; meter asset providers have a rule of their own."
        ),
        mend="Correct the MPID, or add the participant to the reference data.",
    ),
    Rule(
        code=37,
        title="Effective dates ascend",
        severity=Severity.ERROR,
        scope=Scope.PERIOD,
        violated="effective_to <= effective_from",
        items=("supplier_from", "supplier_to", "appointed_from", "appointed_to", "contract_from", "contract_to"),
        owner="registration",
        response_codes=("REG1014",),
        explanation="A period does not end before it begins (REG1014). It may last one day: both days belong to it.",
        mend="Correct the first or the last day of the period.",
    ),
    Rule(
        code=38,
        title="A sender's reference is used once",
        severity=Severity.ERROR,
        scope=Scope.MESSAGE,
        violated="trim(reference) <> '' and times_used > 1",
        items=(),
        owner="registration",
        response_codes=("MSG1006",),
        explanation=(
            "A message whose reference its sender has used before is refused (MSG1006). (ours) Messages here are "
            "replies to correction requests; changes that are captured have positions instead."
        ),
        mend="The sender sends its message again under a reference of its own.",
    ),
    Rule(
        code=agreement.CODE,
        title="The copies of an item agree with its owner's value",
        severity=Severity.WARNING,
        scope=Scope.COPY,
        violated=agreement.differ(Comparison.CODE, "owner_value", "copy_value"),
        items=(),
        owner="",
        explanation=(
            "Every system that holds an item says the same as the one that owns it, without regard to case and "
            "spaces. A copy that differs is a conflict, for which the item's owner is accountable."
        ),
        mend="The owner confirms its value, or corrects it; the others follow.",
    ),
)
