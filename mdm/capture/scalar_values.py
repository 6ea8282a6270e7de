"""One value of a rarer type as Debezium's JSON: from PostgreSQL's text output (ISO dates, UTC, hex bytea) to JSON text.

Pure. None stands for a value that Debezium gives as null. Common types do not come here: whole columns of them are
converted at once in rendering.
"""

import base64
import json
import re
import struct

from mdm.capture import single_floats

PLACEHOLDER = "__debezium_unavailable_value"
"""What stands for a TOAST value that the source left out because it did not change."""
PLACEHOLDER_BYTES = json.dumps(base64.b64encode(PLACEHOLDER.encode()).decode())
PLACEHOLDER_UUID = "b68a35a7-17ad-35b3-af2a-ae46edb4545a"  # the name-based UUID of the placeholder

_SPECIAL_FLOATS = {"NaN": '"NaN"', "Infinity": '"Infinity"', "-Infinity": '"-Infinity"'}
_WHOLE = re.compile(r"-?\d+")
_NOT_MONEY = re.compile(r"[^0-9.]")
_INTERVAL_PART = re.compile(r"([+-]?\d+) (year|mon|day)")
_INTERVAL_TIME = re.compile(r"([+-]?)(\d+):(\d\d):(\d\d)(?:\.(\d+))?")
_TIME_ZONED = re.compile(r"(\d\d):(\d\d):(\d\d)(\.\d+)?([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?")
_HSTORE_PAIR = re.compile(r'"((?:[^"\\]|\\.)*)"=>(?:NULL|"((?:[^"\\]|\\.)*)")', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_DAY = 86_400


def string(text: str) -> str:
    """Return text as a JSON string."""
    return json.dumps(text, ensure_ascii=False)


def float8(text: str) -> str:
    """Return a double as a number; NaN and the infinities are strings."""
    if text in _SPECIAL_FLOATS:
        return _SPECIAL_FLOATS[text]
    return f"{text}.0" if _WHOLE.fullmatch(text) else text


def float4(text: str) -> str:
    """Return a single float as a number with the JVM's digits; NaN and the infinities are strings."""
    return single_floats.digits(text) if "e" in text else float8(text)


def money(text: str) -> str:
    """Return an amount as a string without currency sign and separators."""
    sign = "-" if text[0] in "-(" else ""
    return f'"{sign}{_NOT_MONEY.sub("", text)}"'


def time_zoned(text: str) -> str:
    """Return a time of day with its offset, moved to UTC, without needless fraction digits."""
    match = _TIME_ZONED.fullmatch(text)
    if match is None:
        return "null"
    seconds, fraction = _utc_seconds(match), (match[4] or "").rstrip("0").rstrip(".")
    return f'"{_clock(seconds)}{fraction}Z"'


def time_zoned_element(text: str) -> str:
    """Return a time of day with its offset as an element of an array: moved to UTC, in whole seconds."""
    match = _TIME_ZONED.fullmatch(text)
    return "null" if match is None else f'"{_clock(_utc_seconds(match))}Z"'


def _utc_seconds(match: re.Match[str]) -> int:
    hours, minutes, seconds = int(match[1]), int(match[2]), int(match[3])
    offset = int(match[6]) * 3600 + int(match[7] or 0) * 60 + int(match[8] or 0)
    return (hours * 3600 + minutes * 60 + seconds + (offset if match[5] == "-" else -offset)) % _DAY


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def interval(text: str) -> str:
    """Return an interval in ISO 8601 with every part, each with a sign of its own."""
    parts = {unit: int(count) for count, unit in _INTERVAL_PART.findall(text)}
    found = _INTERVAL_TIME.search(text)
    hours, minutes, seconds = ("0", "0", "0") if found is None else _interval_time(found)
    date = f"P{parts.get('year', 0)}Y{parts.get('mon', 0)}M{parts.get('day', 0)}D"
    return f'"{date}T{hours}H{minutes}M{seconds}S"'


def _interval_time(found: re.Match[str]) -> tuple[str, str, str]:
    fraction = (found[5] or "").rstrip("0")
    seconds = f"{int(found[4])}.{fraction}" if fraction else str(int(found[4]))
    sign = "-" if found[1] == "-" else ""
    numbers = (str(int(found[2])), str(int(found[3])), seconds)
    hours, minutes, seconds = (f"{sign}{number}" if number != "0" else "0" for number in numbers)
    return hours, minutes, seconds


def bits(text: str) -> str:
    """Return a bit string of more than one bit as the fewest bytes, least significant first."""
    value = int(text or "0", 2)
    return f'"{base64.b64encode(value.to_bytes((value.bit_length() + 7) // 8, "little")).decode()}"'


def bit(text: str) -> str | None:
    """Return a single bit as a boolean."""
    return {"0": "false", "1": "true"}.get(text)


def point(text: str) -> str:
    """Return a point with its coordinates and its well-known binary."""
    x, y = text.strip("()").split(",")
    binary = base64.b64encode(struct.pack("<BIdd", 1, 1, float(x), float(y))).decode()
    return f'{{"x":{float8(x)},"y":{float8(y)},"wkb":"{binary}","srid":null}}'


def geometry(text: str) -> str:
    """Return a PostGIS value, which is extended well-known binary in hexadecimal, with its reference system."""
    binary = bytes.fromhex(text)
    order = "<" if binary[0] else ">"
    (kind,) = struct.unpack_from(f"{order}I", binary, 1)
    srid = struct.unpack_from(f"{order}i", binary, 5)[0] if kind & 0x2000_0000 else "null"
    return f'{{"wkb":"{base64.b64encode(binary).decode()}","srid":{srid}}}'


def hstore(text: str) -> str:
    """Return an hstore as a string that holds a JSON object, its keys in the order of a Java HashMap."""
    pairs = {_unescaped(key): _unescaped(value) if value else _empty(whole) for whole, key, value in _pairs(text)}
    return string(json.dumps({key: pairs[key] for key in _hashed(pairs)}, ensure_ascii=False, separators=(",", ":")))


def _pairs(text: str) -> list[tuple[str, str, str]]:
    return [(match[0], match[1], match[2] or "") for match in _HSTORE_PAIR.finditer(text)]


def _empty(whole: str) -> str | None:
    return None if whole.endswith("=>NULL") else ""


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def _hashed(keys: dict[str, str | None]) -> list[str]:
    size = 16
    while len(keys) > size * 0.75:
        size *= 2
    return sorted(keys, key=lambda key: _spread(key) & (size - 1))


def _spread(key: str) -> int:
    units = key.encode("utf-16-le", "surrogatepass")
    code = 0
    for (unit,) in struct.iter_unpack("<H", units):
        code = (code * 31 + unit) & 0xFFFFFFFF
    return code ^ (code >> 16)


def vector(text: str) -> str:
    """Return a vector as an array of doubles."""
    return "[" + ",".join(float8(number) for number in _numbers(text)) + "]"


def half_vector(text: str) -> str:
    """Return a half-precision vector as an array of single floats."""
    return "[" + ",".join(float4(number) for number in _numbers(text)) + "]"


def _numbers(text: str) -> list[str]:
    return [number for number in text.strip("[]").split(",") if number]


def sparse_vector(text: str) -> str:
    """Return a sparse vector with its dimensions and its pairs of index and double."""
    entries, dimensions = text.strip("{").split("}/")
    pairs = (entry.split(":") for entry in entries.split(",") if entry)
    body = ",".join(f"[{index},{float8(number)}]" for index, number in pairs)
    return f'{{"dimensions":{dimensions},"vector":[{body}]}}'
