"""The digits that Debezium prints for a float4: those of the JVM before version 19, which are not always the shortest.

Pure. Both texts read as the same float4, but not as the same number in JSON, where every number is a double.
"""

from fractions import Fraction

import numpy as np

_FRACTION_BITS = 23
_BIAS = 127
_LONG_FROM, _LONG_BELOW = 25, 63
"""Binary exponents between which the JVM prints a float's integer value, less the digits that 24 bits cannot tell."""
_LOG10_OF_2 = 0.30102999566398114


def digits(text: str) -> str:
    """Return a finite float4 of PostgreSQL's text output as the JVM's Float.toString has it, as JSON."""
    bits = int(np.float32(text).view(np.uint32))
    sign = "-" if bits >> 31 else ""
    exponent = (bits >> _FRACTION_BITS) & 0xFF
    fraction = bits & ((1 << _FRACTION_BITS) - 1)
    if _LONG_FROM <= exponent - _BIAS < _LONG_BELOW:
        return f"{sign}{_long(fraction, exponent - _BIAS)}.0"
    if bits << 1 & 0xFFFFFFFF and (exponent == 0 or fraction == 0):
        return sign + _generated(fraction, exponent)
    return text


def _long(fraction: int, exponent: int) -> int:
    value = ((1 << _FRACTION_BITS) | fraction) << (exponent - _FRACTION_BITS)
    doubt = exponent - _LONG_FROM
    unit = int(10 ** (int(doubt * _LOG10_OF_2) if doubt > 1 else 0))
    whole, rest = value // unit, value % unit
    return (whole + int(unit > 1 and rest >= unit >> 1)) * unit


def _generated(fraction: int, exponent: int) -> str:
    """Generate digits until they are within half a unit of the last place, a quarter for a power of two."""
    is_normal = exponent > 0
    mantissa = fraction | (is_normal << _FRACTION_BITS)
    unit = Fraction(2) ** (max(exponent, 1) - _BIAS - _FRACTION_BITS)
    margin = unit / (4 if mantissa & (mantissa - 1) == 0 else 2)
    scale = _decimal_exponent(mantissa * unit)
    rest, margin = mantissa * unit / Fraction(10) ** scale, margin / Fraction(10) ** scale
    found, rest = divmod(rest, 1)
    # With an exponent the JVM always prints two digits, so that the first does not end it.
    is_low, is_high = rest < margin, rest + margin > 1
    if not -3 <= scale + 1 < 8:
        is_low = is_high = False
    places = 0
    while not is_low and not is_high:
        digit, rest = divmod(rest * 10, 1)
        margin, places, found = margin * 10, places + 1, found * 10 + digit
        is_low, is_high = rest < margin, rest + margin > 1
    found += is_high and (not is_low or (2 * rest, found % 2) >= (1, 1) or 2 * rest > 1)
    return f"{found}e{scale - places}"


def _decimal_exponent(value: Fraction) -> int:
    guess = len(str(value.numerator)) - len(str(value.denominator))
    return guess if Fraction(10) ** guess <= value else guess - 1
