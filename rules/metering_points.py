"""Rules on the key of a metering point: the MPAN Core."""

from rules.model import Rule, Scope, Severity

_IS_MPAN = "length(mpan) = 13 and mpan !~ '[^0-9]'"  # a third of what one regular expression for both takes
_PRIMES = (3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43)
_ZERO = ord("0")
_WEIGHTED_SUM = " + ".join(f"{prime} * (get_byte(b, {place}) - {_ZERO})" for place, prime in enumerate(_PRIMES))

RULES = (
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
            "The first 12 digits are weighted by 3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43; "
            "the sum modulo 11, then modulo 10, is the 13th digit."
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
            "Digits 1 and 2 are the distributor's id. It must be one that is valid on the date, "
            "and a registration database may only speak of its own distributors' points."
        ),
        mend="Remove the point from the wrong registration database, or declare the distributor for this source.",
    ),
)
