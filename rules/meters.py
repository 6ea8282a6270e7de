"""Rules on meters and where they are fitted."""

from rules.model import Rule, Scope, Severity

RULES = (
    Rule(
        code=16,
        title="No meter on an unmetered point",
        severity=Severity.ERROR,
        scope=Scope.METER_AT_POINT,
        violated="connection_type = 'U' and removal_date is null",
        items=("meter_id", "connection_type"),
        owner="metering service",
        response_codes=("REG0003",),
        explanation="A point of connection type U has no meter; a fitted one is at another point or the type is wrong.",
        mend="The metering service removes the meter from the point, or the distributor corrects the connection type.",
    ),
    Rule(
        code=25,
        title="Removal, installation, creation and disconnection stand in order",
        severity=Severity.ERROR,
        scope=Scope.METER_AT_POINT,
        violated=(
            "removal_date < installation_date or installation_date > disconnection_date"
            " or installation_date < created_date"
        ),
        items=("installation_date", "removal_date", "created_date", "disconnection_date"),
        owner="metering service",
        response_codes=("REG1005", "REG1007", "REG1008", "REG1011"),
        explanation=(
            "A meter is installed before it is removed (REG1005), before its point is disconnected (REG1007) "
            "and not before its point was created (REG1011). In an exchange the new meter is not installed before the "
            "old one is removed (REG1008): this the hub cannot look for, as a point may have several meters at once."
        ),
        mend="The metering service corrects the installation or removal date.",
    ),
)
