"""Meters of the simulated market: smart, traditional and advanced, each with a serial number that no other has.

Serial numbers take at most ten characters; some are written with a space, as on real nameplates.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from mdm.demo.draws import Draws, Flags, Numbers, scatter

SMETS_TYPES = ("S1", "S2A", "S2B")
TRADITIONAL_TYPES = ("N", "K", "T")
ADVANCED_TYPES = ("H", "RCAMR", "NCAMR")
_TYPES = (*SMETS_TYPES, *TRADITIONAL_TYPES, *ADVANCED_TYPES)
_SMART_WEIGHTS = (15, 55, 5, 21, 3, 1, 0, 0, 0)
_ADVANCED_WEIGHTS = (0, 0, 0, 0, 0, 0, 50, 38, 12)

MAKES = ("Landis+Gyr", "Elster", "Secure Meters", "Itron", "Aclara", "EDMI", "Honeywell", "Iskraemeco")
MODELS = ("E470", "AS300P", "Liberty 100", "ACE9000", "SGM1400", "Mk7C", "AS230", "ME382")
LOCATIONS = tuple("ABCDEFGHJKLM")
_SERIAL_STYLES = ("compact", "spaced", "short spaced")
_SERIAL_MULTIPLIER = 7_386_799  # coprime to ten


def meters(number: Numbers, *, distributor: str, advanced: Flags, draws: Draws) -> pl.DataFrame:
    """Return the meter of each number: meter_id, make, model, meter_type, esme_id, location, displayed_digits.

    Numbers below ten million of one distributor give different serial numbers, spaces left out.
    """
    smart = draws.choose(number, "smart meter type", _SMART_WEIGHTS)
    kind = np.where(advanced, draws.choose(number, "advanced meter type", _ADVANCED_WEIGHTS), smart)
    make = draws.below(number, "make", len(MAKES))
    frame = pl.DataFrame(
        {
            "serial": scatter(number, multiplier=_SERIAL_MULTIPLIER, digits=7),
            "style": draws.choose(number, "serial style", (86, 9, 5)),
            "make": _pick(MAKES, make),
            "model": _pick(MODELS, make),
            "meter_type": _pick(_TYPES, kind),
            "esme": _esme_ids(draws, number, distributor),
            "location": _pick(LOCATIONS, draws.below(number, "meter location", len(LOCATIONS))),
            "displayed_digits": 5 + draws.below(number, "displayed digits", 2),
        }
    )
    is_smets = pl.col("meter_type").is_in(SMETS_TYPES)
    esme = pl.when(is_smets).then("esme").alias("esme_id")
    return frame.select(
        _serial_number(distributor), "make", "model", "meter_type", esme, "location", "displayed_digits"
    )


def _pick(names: Sequence[str], position: Numbers) -> pl.Series:
    return pl.Series(names, dtype=pl.String).gather(position)


def _serial_number(distributor: str) -> pl.Expr:
    """Write the serial number; letters tell the distributor and the style, so that no two coincide."""
    letter = {"10": "E", "20": "S"}[distributor]
    digits = pl.col("serial").cast(pl.String).str.zfill(7)
    year = pl.col("make").str.slice(0, 1)
    return (
        pl.when(pl.col("style") == 0).then(pl.format("{}{}P{}", pl.lit(letter), year, digits))
        .when(pl.col("style") == 1).then(pl.format("{}K {}", pl.lit(letter), digits))
        .otherwise(pl.format("{} {}", pl.lit(letter), pl.format("Y{}", digits)))
        .alias("meter_id")
    )  # fmt: skip


def _esme_ids(draws: Draws, number: Numbers, distributor: str) -> pl.Series:
    """Write 64 random bits as EUI-64: eight pairs of hexadecimal digits with dashes between them."""
    pairs = draws.bits(number, f"esme {distributor}").byteswap().view(np.uint8).reshape(len(number), 8)
    hexadecimal = np.frombuffer(b"0123456789ABCDEF", dtype=np.uint8)
    written = np.full((len(number), 24), ord("-"), dtype=np.uint8)
    written[:, 0::3] = hexadecimal[pairs >> 4]
    written[:, 1::3] = hexadecimal[pairs & 15]
    text = np.ascontiguousarray(written[:, :23]).view("S23").reshape(len(number))
    return pl.Series("esme", text.astype("U23"))
