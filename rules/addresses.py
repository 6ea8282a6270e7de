"""Rules on addresses."""

from rules.model import Rule, Scope, Severity

RULES = (
    Rule(
        code=34,
        title="Postcode is present and well-formed",
        severity=Severity.WARNING,
        scope=Scope.ADDRESS,
        violated=(
            "coalesce(postcode, '') !~ '^(GIR ?0AA|[A-PR-UWYZ]([0-9]{1,2}|[A-HK-Y][0-9]"
            "([0-9]|[ABEHMNPRV-Y])?|[0-9][A-HJKPS-UW]) ?[0-9][ABD-HJLNP-UW-Z]{2})$'"
        ),
        items=("postcode",),
        owner="distributor",
        explanation="Outward and inward code in one of the six forms of the postal service.",
        mend="The distributor looks the premises up and corrects the postcode.",
    ),
)
