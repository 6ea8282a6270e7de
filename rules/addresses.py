"""Rules on addresses."""

from rules.model import Rule, Scope, Severity

_LINES = ", ".join(f"line_{number}" for number in range(1, 10))
_REST = ", ".join(f"line_{number}" for number in range(2, 10))

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
    Rule(
        code=35,
        title="An address says where",
        severity=Severity.WARNING,
        scope=Scope.ADDRESS,
        violated=(
            f"concat({_LINES}) !~ '[[:alnum:]]'"
            f" or concat({_REST}) !~ '[[:alnum:]]' and line_1 ~ ',.*[[:alnum:]]'"
            f" or concat_ws(' ', {_LINES}) ~* '\\m(unknown|tbc|tba|to be (confirmed|advised)|not known|xxx+)\\M'"
        ),
        items=("line_1",),
        owner="distributor",
        explanation=(
            "It is not empty, not written in line 1 alone, and has no placeholder such as UNKNOWN or TO BE "
            "CONFIRMED. (ours) A line 1 without a comma is short rather than crammed, and passes."
        ),
        mend="The distributor writes the address in its lines, from what is found on site.",
    ),
)
