"""Rules on appointments of metering services."""

from rules.model import Rule, Scope, Severity

_STANDS = "status in ('proposed', 'accepted', 'active')"

_ASKED = (
    Rule(
        code=8,
        title="An appointment starts at most 28 days ahead",
        severity=Severity.ERROR,
        scope=Scope.APPOINTMENT_AT_POINT,
        violated=f"{_STANDS} and appointed_from > asked_on + {{days_ahead}}",
        items=("appointed_from",),
        owner="supplier",
        response_codes=("REG1099",),
        explanation=(
            "Counted from the local day on which the first day was asked for. (ours) An update of what is held back "
            "asks for nothing unless it names another first day. History that an initial load brings is not judged."
        ),
        mend="The supplier asks again when the day is nearer.",
        parameters={"days_ahead": 28},
    ),
    Rule(
        code=9,
        title="A prospective appointment is not in the past",
        severity=Severity.ERROR,
        scope=Scope.APPOINTMENT_AT_POINT,
        violated="status = 'proposed' and appointed_from < said_on",
        items=("appointed_from", "status"),
        owner="supplier",
        response_codes=("REG1034",),
        explanation=(
            "What is proposed begins today or later, as of the local day on which it was proposed. (ours) A "
            "proposal that nobody decides does not become wrong by waiting."
        ),
        mend="The supplier proposes a day that is still to come.",
    ),
    Rule(
        code=10,
        title="An appointment is not asked for later than the retrospection limit",
        severity=Severity.ERROR,
        scope=Scope.APPOINTMENT_AT_POINT,
        violated=f"{_STANDS} and is_registered and appointed_from < asked_on - {{days_back}}",
        items=("appointed_from",),
        owner="supplier",
        response_codes=("REG1024",),
        explanation=(
            "So many days may lie between an appointment's first day and the local day on which it was asked for. "
            "(ours) An update of what is held back asks for nothing unless it names another first day. The limit of "
            "this hub is wide, as it also sees what is put right long after; a market sets its own."
        ),
        mend="The supplier appoints from a later day, or corrects the past through a dispute.",
        parameters={"days_back": 425},
    ),
)

_CONTRACTS = (
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
        code=12,
        title="The contract exists and is the supplier's",
        severity=Severity.ERROR,
        scope=Scope.APPOINTMENT_AT_POINT,
        violated=(
            f"{_STANDS} and trim(contract_reference) <> '' and supplier_mpid is not null"
            " and (not contract_is_known or contract_supplier <> supplier_mpid)"
        ),
        items=("contract_reference", "supplier_mpid"),
        owner="supplier",
        response_codes=("SP001", "SP002"),
        explanation=(
            "Some system knows a contract of that reference (SP001) between the appointing supplier and a metering "
            "service (SP002). An appointment that comes before its contract waits for it."
        ),
        mend="The supplier corrects the reference, or whoever keeps the contract sends it.",
    ),
    Rule(
        code=13,
        title="The contract covers what is appointed",
        severity=Severity.ERROR,
        scope=Scope.APPOINTMENT_AT_POINT,
        violated=(
            f"{_STANDS} and contract_is_known and (strpos(contract_connection_types, connection_type) = 0"
            " or strpos(contract_segments, market_segment) = 0 or contract_service <> service_mpid"
            " or appointed_from < contract_from or contract_to < coalesce(appointed_to, 'infinity'))"
        ),
        items=("contract_reference", "connection_type", "market_segment"),
        owner="supplier",
        response_codes=("SP003",),
        explanation=(
            "The contract is for the point's connection type and segment (SP003), for the service that is "
            "appointed, and holds from the first to the last day of the appointment, both included. (ours) Only "
            "while the appointment stands: proposed, accepted or active."
        ),
        mend="The supplier names a contract that covers the point, or extends this one.",
    ),
)

_PARTIES = (
    Rule(
        code=6,
        title="The appointing supplier is the registered supplier",
        severity=Severity.ERROR,
        scope=Scope.APPOINTMENT_AT_POINT,
        violated=f"{_STANDS} and is_registered and supplier_mpid <> registered_supplier",
        items=("supplier_mpid", "appointed_from"),
        owner="registration",
        response_codes=("REG1021",),
        explanation=(
            "On the first day of the appointment, the supplier that appoints is the one that is registered "
            "(REG1021). (ours) Asked of what registration itself says: a service's copy may come before "
            "registration's own word."
        ),
        mend="The registered supplier appoints, or registration corrects the supplier's period.",
    ),
    Rule(
        code=7,
        title="Appointments of one role are contiguous and do not overlap",
        severity=Severity.ERROR,
        scope=Scope.APPOINTMENT_AT_POINT,
        violated=(
            "status in ('accepted', 'active', 'de-appointed') and is_registered and (overlaps_earlier or leaves_gap)"
        ),
        items=("appointed_from", "appointed_to", "role"),
        owner="registration",
        response_codes=("REG1032",),
        explanation=(
            "An appointment begins on the day after the one of that role before it ends (REG1032). Of two that "
            "overlap the one that begins later is wrong. (ours) A proposal and what has lapsed do not count; a day "
            "that an appointment of another role covers is no gap."
        ),
        mend="Registration ends the earlier appointment on the day before the later one.",
    ),
    Rule(
        code=14,
        title="The role fits the market segment",
        severity=Severity.ERROR,
        scope=Scope.APPOINTMENT_AT_POINT,
        violated=(
            f"{_STANDS} and role <> case market_segment when 'S' then 'MSS' when 'A' then 'MSA' when 'U' then "
            f"'UMSO' end"
        ),
        items=("role", "market_segment"),
        owner="registration",
        response_codes=("REG1031",),
        explanation="MSS serves the smart, MSA the advanced, UMSO the unmetered segment.",
        mend="Correct the market segment of the point, or appoint a service of the role that fits it.",
    ),
    Rule(
        code=15,
        title="The UMSO is valid for the distributor",
        severity=Severity.ERROR,
        scope=Scope.APPOINTMENT_AT_POINT,
        violated=f"{_STANDS} and role = 'UMSO' and not serves_distributor",
        items=("service_mpid", "mpan"),
        owner="supplier",
        response_codes=("REG1030",),
        explanation=(
            "An unmetered supplies operator works for certain distributors, on the first day of the appointment for "
            "this point's: dated reference data. (ours) Where the hub knows no operator's distributors, the rule is "
            "silent."
        ),
        mend="The supplier appoints an operator of the point's distributor.",
    ),
    Rule(
        code=20,
        title="No appointment on a linked export or a related secondary point",
        severity=Severity.ERROR,
        scope=Scope.APPOINTMENT_AT_POINT,
        violated=f"{_STANDS} and (is_linked_export or is_related_secondary)",
        items=("link_kind", "mpan"),
        owner="registration",
        response_codes=("REG1038", "REG1039"),
        explanation=(
            "The service of the import point serves a linked export too (REG1038), that of the primary a related "
            "secondary (REG1039)."
        ),
        mend="Withdraw the appointment, or correct the link.",
    ),
)

RULES = (*_ASKED, *_CONTRACTS, *_PARTIES)
