"""The keys by which golden records are known, as expressions over a row's typed parts (pure).

A key is null where a part is missing: the record is then quarantined, never guessed. A strong key has a weak one
beside it (`alternative`): the address without its UPRN, the meter's serial number without its manufacturer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

_NOTHING = pl.lit(None, dtype=pl.String)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The key of a golden record and its weaker alternative."""

    key: pl.Expr
    alternative: pl.Expr | None = None


def of(entity: str, parts: Mapping[str, pl.Expr]) -> Identity:
    """Return the identity of an entity other than address from its typed parts."""
    if entity == "meter":
        return of_meter(parts["meter_id"], parts.get("make", _NOTHING))
    if entity == "contract":
        return Identity(key=joined(parts["supplier_mpid"], parts["reference"]))
    if entity == "appointment":
        return Identity(key=joined(parts["mpan"], parts["role"], parts["appointed_from"].cast(pl.String)))
    return Identity(key=parts["mpan"])


def of_meter(meter_id: pl.Expr, make: pl.Expr) -> Identity:
    """Return SERIAL|MAKE with SERIAL|* beside it; SERIAL|* alone where the manufacturer is unknown."""
    serial = meter_id.str.to_uppercase().str.replace_all(r"\s+", "")
    known_make = make.str.to_uppercase().str.replace_all(r"\s+", " ")
    weak = pl.concat_str(serial, pl.lit("*"), separator="|")
    return Identity(
        key=pl.coalesce(joined(serial, known_make), weak),
        alternative=pl.when(known_make.is_not_null()).then(weak),
    )


def of_address(lines: Sequence[pl.Expr], *, postcode: pl.Expr, uprn: pl.Expr, source_key: pl.Expr) -> Identity:
    """Return UPRN:n where it is known, with AT:POSTCODE|BUILDING beside it.

    Without a postcode a building is none but its own source record's: towns share street names.
    """
    number = uprn.str.extract(r"^0*([1-9][0-9]*)$", 1)
    strong = pl.concat_str(pl.lit("UPRN:"), number)
    building = _building(lines)
    code = postcode.str.to_uppercase().str.replace_all(r"\s+", "")
    placed = pl.concat_str(pl.lit("AT:"), code, pl.lit("|"), building)
    unplaced = pl.concat_str(pl.lit("AT:|"), building, pl.lit("|"), source_key)
    return Identity(
        key=pl.coalesce(strong, placed, unplaced),
        alternative=pl.when(strong.is_not_null()).then(placed),
    )


def joined(*parts: pl.Expr) -> pl.Expr:
    """Join the parts of a key; null where one is."""
    return pl.concat_str(*parts, separator="|")


def source_key(relation: str, values: Sequence[pl.Expr]) -> pl.Expr:
    """Return table|value|..., stable for a row; `|` and backslash inside the values of a composite key are escaped."""
    if len(values) > 1:
        values = [value.str.replace_all(r"([\\|])", r"\$1") for value in values]
    return pl.concat_str(pl.lit(relation), *(value.fill_null(r"\N") for value in values), separator="|")


def _building(lines: Sequence[pl.Expr]) -> pl.Expr:
    written = pl.concat_str(*lines, separator=" ", ignore_nulls=True).str.to_uppercase()
    words = written.str.replace_all(r"['\x{2019}.]", "").str.replace_all(r"[^\p{L}\p{N}]+", " ").str.strip_chars()
    return pl.when(words.str.len_bytes() > 0).then(words)
