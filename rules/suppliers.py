"""Rules on who supplies a metering point."""

from rules.model import Rule, Scope, Severity

RULES = (
    Rule(
        code=5,
        title="Exactly one supplier on any date",
        severity=Severity.ERROR,
        scope=Scope.SUPPLIER_PERIOD,
        violated="overlaps_earlier or leaves_gap",
        items=("supplier_from", "supplier_to", "supplier_mpid"),
        owner="registration",
        response_codes=("REG1019",),
        explanation=(
            "The periods of a point's suppliers, as its registration says them, neither overlap nor leave a day "
            "without one (REG1019). Of two that overlap the one that begins later is wrong. First and last day "
            "belong to a period."
        ),
        mend="Registration ends the earlier period on the day before the later one, or withdraws one of them.",
    ),
)
