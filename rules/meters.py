"""Rules on meters and where they are fitted."""

from rules import meter_types
from rules.model import Rule, Scope, Severity

_DETAILS = (
    Rule(
        code=28,
        title="A SMETS meter has a well-formed ESME id",
        severity=Severity.ERROR,
        scope=Scope.METER,
        violated=(
            f"meter_type = any ({meter_types.array(meter_types.SMETS)})"
            " and coalesce(esme_id, '') !~* '^([0-9A-F]{2}-){7}[0-9A-F]{2}$'"
        ),
        items=("esme_id", "meter_type"),
        owner="metering service",
        response_codes=("REG1046",),
        explanation="Eight pairs of hexadecimal digits with dashes between them: the device's EUI-64 (REG1046).",
        mend="The metering service sends the ESME id, or corrects the type of the meter.",
    ),
    Rule(
        code=29,
        title="Meter type and location are in their valid sets",
        severity=Severity.ERROR,
        scope=Scope.METER,
        violated=f"meter_type <> all ({meter_types.array(meter_types.VALID)}) or location !~ '^[A-PR-Z]$'",
        items=("meter_type", "location"),
        owner="metering service",
        response_codes=("REG1048", "REG1049"),
        explanation="One of the 36 meter types (REG1049); a location is one letter, A to Z but for Q (REG1048).",
        mend="The metering service corrects the code.",
    ),
)

_FITTED = (
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
        code=23,
        title="A meter id is unique at its metering point",
        severity=Severity.ERROR,
        scope=Scope.METER_AT_POINT,
        violated="is_twice_at_point",
        items=("meter_id",),
        owner="metering service",
        response_codes=("REG1006",),
        explanation=(
            "One system says the same meter at one point twice (REG1006), letters and digits compared without "
            "spaces and case. (ours) The one that it said later is wrong; a meter that is fitted again after its "
            "removal is not."
        ),
        mend="The system's keeper removes the second record of the meter.",
    ),
    Rule(
        code=24,
        title="A meter is at one metering point",
        severity=Severity.WARNING,
        scope=Scope.SERIAL,
        violated="unrelated_points > 1",
        items=("meter_id", "metering_point_id"),
        owner="metering service",
        explanation=(
            "The same meter id, without spaces and case, is fitted at two points that are not linked: a crossed or "
            "a duplicate meter. Placeholders such as UNKNOWN or 0000000000 are no meter ids."
        ),
        mend="The metering services look which meter is where; who has it wrong corrects the record.",
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
            "A meter is installed before it is removed (REG1005), before its point is disconnected (REG1007) and "
            "not before its point was created (REG1011). In an exchange the new meter is not installed before the "
            "old one is removed (REG1008): this the hub cannot look for, as a point may have several meters at "
            "once."
        ),
        mend="The metering service corrects the installation or removal date.",
    ),
    Rule(
        code=26,
        title="Only the appointed metering service writes meter items",
        severity=Severity.ERROR,
        scope=Scope.METER_AT_POINT,
        violated="unappointed_writer is not null",
        items=("meter_id", "service_mpid"),
        owner="metering service",
        response_codes=("REG1002", "REG1012"),
        explanation=(
            "A metering service whose own database says something of a meter is appointed to its point on that day, "
            "or nobody is (REG1002, REG1012). (ours) Registration and MDS hold copies, and an initial load says "
            "nothing of the day: neither is judged."
        ),
        mend="The service withdraws what it wrote, or its appointment is registered.",
    ),
    Rule(
        code=27,
        title="The meter asset provider is valid",
        severity=Severity.ERROR,
        scope=Scope.PROVIDER,
        violated="not is_provider or asset_provider_from < installation_date",
        items=("asset_provider_mpid", "asset_provider_from"),
        owner="metering service",
        response_codes=("REG1009", "REG1010"),
        explanation=(
            "It takes part in that role on its first day (REG1009), which is not before the meter was installed "
            "(REG1010). (ours) Where the hub knows no provider at all, only the day is judged."
        ),
        mend="The metering service corrects the provider or its first day.",
    ),
)

RULES = (*_DETAILS, *_FITTED)
