"""Rules on linked and related metering points."""

from rules.model import Rule, Scope, Severity

_RELATED = "link_kind in ('PRIMARY', 'SECONDARY')"

RULES = (
    Rule(
        code=21,
        title="In a link the principal imports and the subsidiary exports",
        severity=Severity.ERROR,
        scope=Scope.POINT,
        violated="link_kind = 'EXPORT' and energy_direction = 'E' or link_kind = 'IMPORT' and energy_direction = 'I'",
        items=("link_kind", "energy_direction"),
        owner="registration",
        response_codes=("REG1053", "REG1054"),
        explanation=(
            "A link says what the other point is to this one: who has an export is the principal and imports "
            "(REG1053), who has an import is the subsidiary and exports (REG1054)."
        ),
        mend="The distributor corrects the energy direction, or registration the link.",
    ),
    Rule(
        code=22,
        title="A point has one relationship of each kind, and a related one fits",
        severity=Severity.ERROR,
        scope=Scope.LINK,
        violated=(
            f"is_linked_to_other or {_RELATED} and (connection_type = 'U' or linked_connection_type = 'U'"
            " or energy_direction = 'E' or linked_direction = 'E' or supplier_mpid <> linked_supplier)"
        ),
        items=("link_kind", "linked_mpan", "supplier_mpid", "energy_direction", "connection_type"),
        owner="registration",
        response_codes=("REG1051", "REG1052", "REG1060", "REG1061", "REG1067"),
        explanation=(
            "The linked point is not linked in the same way with a third one (REG1052, REG1061). Primary and "
            "secondary are metered (REG1051), both import (REG1067), and have one supplier (REG1060)."
        ),
        mend="Registration withdraws the link, or what is wrong of one of the points is corrected.",
    ),
)
