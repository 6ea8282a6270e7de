"""Rules on appointments of metering services."""

from rules.model import Rule, Scope, Severity

RULES = (
    Rule(
        code=11,
        title="An appointment has a contract reference",
        severity=Severity.ERROR,
        scope=Scope.APPOINTMENT,
        violated="coalesce(trim(contract_reference), '') = ''",
        items=("contract_reference",),
        owner="supplier",
        explanation="No appointment without an agreement between supplier and metering service.",
        mend="The supplier gives the contract reference and registration issues the appointment with it.",
    ),
    Rule(
        code=14,
        title="The role fits the market segment",
        severity=Severity.ERROR,
        scope=Scope.APPOINTMENT_AT_POINT,
        violated=(
            "status in ('proposed', 'accepted', 'active') and "
            "role <> case market_segment when 'S' then 'MSS' when 'A' then 'MSA' when 'U' then 'UMSO' end"
        ),
        items=("role", "market_segment"),
        owner="registration",
        response_codes=("REG1031",),
        explanation="MSS serves the smart, MSA the advanced, UMSO the unmetered segment.",
        mend="Correct the market segment of the point, or appoint a service of the role that fits it.",
    ),
)
