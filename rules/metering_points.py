"""Rules on metering points: their key, and what is said of one point."""

from rules import meter_types
from rules.model import Rule, Scope, Severity

_IS_MPAN = "length(mpan) = 13 and mpan !~ '[^0-9]'"  # a third of what one regular expression for both takes
_PRIMES = (3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43)
_ZERO = ord("0")
_WEIGHTED_SUM = " + ".join(f"{prime} * (get_byte(b, {place}) - {_ZERO})" for place, prime in enumerate(_PRIMES))

_KEYS = (
    Rule(
        code=1,
        title="MPAN has 13 digits and a right check digit",
        severity=Severity.ERROR,
        scope=Scope.POINT_KEY,
        violated=(
            f"case when {_IS_MPAN} "
            f"then (select ({_WEIGHTED_SUM}) % 11 % 10 <> get_byte(b, 12) - {_ZERO}"
            " from (select cast(mpan as bytea) as b offset 0) digits)"
            " else true end"
        ),
        items=("mpan",),
        owner="registration",
        explanation=(
            "The first 12 digits are weighted by 3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43; the sum modulo 11, "
            "then modulo 10, is the 13th digit."
        ),
        mend="Registration corrects the MPAN in its database; a mistyped key names no metering point.",
    ),
    Rule(
        code=2,
        title="MPAN's distributor is known and served by this registration database",
        severity=Severity.ERROR,
        scope=Scope.POINT_KEY,
        violated=(
            f"{_IS_MPAN} and (not known_distributor"
            " or (served_distributors is not null and substr(mpan, 1, 2) <> all (served_distributors)))"
        ),
        items=("mpan",),
        owner="registration",
        explanation=(
            "Digits 1 and 2 are the distributor's id. It must be one that is valid on the date, and a registration "
            "database may only speak of its own distributors' points."
        ),
        mend="Remove the point from the wrong registration database, or declare the distributor for this source.",
    ),
)

_STATES = (
    Rule(
        code=3,
        title="Distributor and GSP group are a valid pair",
        severity=Severity.WARNING,
        scope=Scope.POINT,
        violated="not gsp_is_of_distributor",
        items=("gsp_group", "mpan"),
        owner="distributor",
        explanation=(
            "The MPAN's first two digits name the distributor, whose points may lie in certain GSP groups only. The "
            "pair is dated reference data; it is looked up on the first day of the GSP group."
        ),
        mend="The distributor corrects the GSP group, or the pair is added to the reference data.",
    ),
    Rule(
        code=4,
        title="No update or appointment on a terminated or disconnected point",
        severity=Severity.ERROR,
        scope=Scope.RECORD_AT_POINT,
        violated=(
            "mpan_status in ('T', 'X') and coalesce(appointment_status, '') not in ('lapsed', 'de-appointed')"
            " and (first_day > disconnection_date or disconnection_date is null and appointment_status is not null)"
        ),
        items=("mpan_status", "disconnection_date"),
        owner="registration",
        response_codes=("REG1001",),
        explanation=(
            "Nothing of a point begins after the day on which it was disconnected (REG1001). (ours) What is dated "
            "until that day may still be told later. Without that day, a point that is gone has no appointment."
        ),
        mend="Withdraw the record, or correct the point's status or its disconnection date.",
    ),
    Rule(
        code=17,
        title="Connection type U, segment U and unmetered go together",
        severity=Severity.ERROR,
        scope=Scope.POINT,
        violated=(
            "(connection_type = 'U') <> (market_segment = 'U') or (connection_type = 'U') = metered_indicator"
            " or (market_segment = 'U') = metered_indicator"
        ),
        items=("connection_type", "market_segment", "metered_indicator"),
        owner="registration",
        explanation=(
            "A point is unmetered in all three or in none. What a transaction says of the three is judged together, "
            "as the point is after it; what is held back waits until they agree."
        ),
        mend="Registration and the distributor change all three, in one transaction where the system can.",
    ),
    Rule(
        code=18,
        title="Connection type L, H or E implies the advanced segment",
        severity=Severity.WARNING,
        scope=Scope.POINT,
        violated="connection_type in ('L', 'H', 'E') and market_segment <> 'A'",
        items=("connection_type", "market_segment"),
        owner="registration",
        explanation="A connection by current transformer, or at high voltage, is measured by an advanced meter.",
        mend="Move the point to segment A, or the distributor corrects the connection type.",
    ),
    Rule(
        code=30,
        title="Profile class and SSC are valid, and present for a traditional meter",
        severity=Severity.ERROR,
        scope=Scope.POINT,
        violated=(
            "profile_class !~ '^0?[0-8]$' or ssc !~ '^[0-9]{4}$'"
            f" or market_segment = 'S' and (profile_class is null or ssc is null)"
            f" and fitted_types && {meter_types.array(meter_types.TRADITIONAL)}"
        ),
        items=("profile_class", "ssc"),
        owner="supplier",
        response_codes=("REG1042", "REG1043", "REG1044", "REG1045"),
        explanation=(
            "Profile classes are 0 to 8, a standard settlement configuration has four digits (REG1042, REG1044). A "
            "traditional meter is settled by them, so both must be there (REG1043, REG1045). (ours) 0 is a class, "
            "of what is settled half-hourly."
        ),
        mend="The supplier gives profile class and SSC, or the meter's type is corrected.",
    ),
    Rule(
        code=31,
        title="Consent granularity fits the segment",
        severity=Severity.ERROR,
        scope=Scope.POINT,
        violated=(
            "consent_granularity not in ('H', 'D', 'M', 'N') or (market_segment = 'S') = (consent_granularity = 'N')"
        ),
        items=("consent_granularity", "market_segment"),
        owner="supplier",
        response_codes=("REG1022", "REG1035"),
        explanation=(
            "Customers of the smart segment consent to half-hourly, daily or monthly data (REG1022, REG1035). "
            "(ours) In the other segments nobody is asked, so there it is none."
        ),
        mend="The supplier corrects the consent, or registration the segment.",
    ),
    Rule(
        code=32,
        title="An active DCC flag implies a smart meter",
        severity=Severity.WARNING,
        scope=Scope.POINT,
        violated=(
            f"mpan_status = 'R' and dcc_service_flag = 'A' and not fitted_types && "
            f"{meter_types.array((*meter_types.SMETS, '?'))}"
        ),
        items=("dcc_service_flag", "meter_type"),
        owner="DCC",
        explanation=(
            "The DCC serves smart meters alone. (ours) A fitted meter whose type nobody says may be one; only "
            "registered points are judged."
        ),
        mend="The DCC corrects its flag, or the metering service the type of the meter.",
    ),
    Rule(
        code=33,
        title="An energised metered point has a meter",
        severity=Severity.WARNING,
        scope=Scope.POINT,
        violated=(
            "mpan_status = 'R' and energisation_status = 'E' and metered_indicator and cardinality(fitted_types) = 0"
        ),
        items=("energisation_status", "metered_indicator", "meter_id"),
        owner="metering service",
        explanation="Electricity flows and is to be measured, so a meter is fitted. (ours) Only registered points.",
        mend="The metering service sends the meter's details, or corrects the energisation status.",
    ),
    Rule(
        code=36,
        title="A registered point has a metering service",
        severity=Severity.WARNING,
        scope=Scope.POINT,
        violated="mpan_status = 'R' and not is_served and link_kind is distinct from 'IMPORT'"
        " and link_kind is distinct from 'PRIMARY'",
        items=("service_mpid", "mpan_status"),
        owner="supplier",
        response_codes=("IF-045",),
        explanation=(
            "The supplier of a registered point appoints a metering service (IF-045). The subsidiary of a link has "
            "none: its principal's serves it. (ours) An appointment that is accepted counts."
        ),
        mend="The supplier appoints a metering service.",
    ),
)

RULES = (*_KEYS, *_STATES)
