"""Where metering points lie: British addresses of streets, courts of flats, new developments, parades of shops.

Twenty-four premises make a street, which has a postcode of its own. Every premises has another address; most have a
UPRN, which no other premises has.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from mdm.demo.draws import Draws, Flags, Numbers, scatter

LINES = tuple(f"line_{number}" for number in range(1, 10))

_PREMISES_A_STREET = 24
_INWARD_LETTERS = "ABDEFGHJLNPQRSTUWXYZ"
_TOWNS = {
    "10": (
        *(("CB", "Cambridge", "Cambridgeshire"), ("CM", "Chelmsford", "Essex"), ("CO", "Colchester", "Essex")),
        *(("IP", "Ipswich", "Suffolk"), ("NR", "Norwich", "Norfolk"), ("PE", "Peterborough", "Cambridgeshire")),
        *(
            ("SG", "Stevenage", "Hertfordshire"),
            ("SS", "Southend-on-Sea", "Essex"),
            ("AL", "St Albans", "Hertfordshire"),
        ),
    ),
    "20": (
        *(("BH", "Bournemouth", "Dorset"), ("GU", "Guildford", "Surrey"), ("OX", "Oxford", "Oxfordshire")),
        *(("PO", "Portsmouth", "Hampshire"), ("RG", "Reading", "Berkshire"), ("SL", "Slough", "Berkshire")),
        *(("SN", "Swindon", "Wiltshire"), ("SO", "Southampton", "Hampshire"), ("SP", "Salisbury", "Wiltshire")),
    ),
}
_NAMES = (
    *("Abbey", "Acorn", "Ash", "Beech", "Bramble", "Brook", "Castle", "Cedar", "Chapel", "Church", "Clover", "Corn"),
    *("Elm", "Fairfield", "Falcon", "Foundry", "Garden", "Glebe", "Grange", "Hawthorn", "Heath", "Heron", "High"),
    *("Hill", "Holly", "Ivy", "Kings", "Kingfisher", "Lark", "Laurel", "Lime", "Manor", "Maple", "Market", "Meadow"),
    *("Mill", "New", "Oak", "Old Bakery", "Orchard", "Park", "Pound", "Priory", "Queens", "Rectory", "River", "Rowan"),
    *("School", "Silver", "Spring", "Station", "Stone", "Swan", "Tanners", "The Green", "Vicarage", "Walnut", "Water"),
    *("Weavers", "West", "Willow", "Windmill", "Wood"),
)
_WAYS = ("Street", "Road", "Lane", "Avenue", "Close", "Drive", "Way", "Gardens", "Crescent", "Place")
_DISTRICTS = ("Northgate", "Southfields", "East End", "Westbrook", "Upper Town", "Lower Green", "Mill End")
_HOUSES = ("Rose Cottage", "The Old Forge", "Ivy House", "The Lodge", "Orchard View", "Bridge House", "The Barn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Premises:
    """One row a premises: its address, and what the market makes of it."""

    address: pl.DataFrame  # line_1 to line_9, postcode, uprn (null where unknown)
    is_domestic: Flags
    is_business: Flags  # shops, workshops: the advanced segment's customers


def addresses(number: Numbers, *, distributor: str, unmetered: Flags, draws: Draws) -> Premises:
    """Return the premises of these numbers; an unmetered supply lies in its street and has no UPRN."""
    street = number // _PREMISES_A_STREET
    slot = number % _PREMISES_A_STREET
    kind = draws.choose(street, "street kind", (70, 18, 6, 6))
    court, development, parade = ((kind == each) & ~unmetered for each in (1, 2, 3))
    landlord = court & (slot == 0)
    house_name = draws.chance(number, "house name", 0.04)
    without_uprn = unmetered | landlord | draws.chance(number, "no uprn", 0.01)
    without_uprn |= development & draws.chance(number, "plot without uprn", 0.5)
    frame = pl.DataFrame(
        {
            "number": number,
            "slot": slot,
            "house": slot * 2 + 1,
            "street": _pick(_NAMES, draws.below(street, "street name", len(_NAMES))),
            "way": _pick(_WAYS, draws.below(street, "street way", len(_WAYS))),
            "building": _pick(_NAMES, draws.below(street, "building name", len(_NAMES))),
            "house_name": _pick(_HOUSES, draws.below(number, "which house name", len(_HOUSES))),
            "district": _pick(_DISTRICTS, draws.below(street, "district", len(_DISTRICTS))),
            "kind": np.select([unmetered, landlord, court, development, parade, house_name], [5, 4, 1, 2, 3, 6], 0),
            "uprn": scatter(number, multiplier=73_868_891, digits=8),
            "without_uprn": without_uprn,
        }
    ).with_columns(_postcodes(street, distributor))
    return Premises(
        address=frame.select(*_lines(), "postcode", _uprn(distributor)),
        is_domestic=~(unmetered | landlord | parade),
        is_business=parade,
    )


def _pick(names: tuple[str, ...], position: Numbers) -> pl.Series:
    return pl.Series(names, dtype=pl.String).gather(position)


def _lines() -> list[pl.Expr]:
    """Write the nine lines by kind of premises; a line that nothing is written on is null."""
    kind = pl.col("kind")
    street = pl.format("{} {}", "street", "way")
    first = (
        pl.when(kind == 1).then(pl.format("Flat {}", "slot"))
        .when(kind == 2).then(pl.format("Plot {}", pl.col("slot") + 1))
        .when(kind == 3).then(pl.format("Unit {}", pl.col("slot") + 1))
        .when(kind == 4).then(pl.lit("Landlord Supply"))
        .when(kind == 5).then(pl.format("Street Lighting {}", pl.col("number").cast(pl.String).str.zfill(8)))
        .when(kind == 6).then(pl.col("house_name"))
    )  # fmt: skip
    second = (
        pl.when(kind.is_in([1, 4])).then(pl.format("{} Court", "building"))
        .when(kind == 2).then(pl.format("{} Rise", "building"))
        .when(kind == 3).then(pl.format("{} Business Park", "building"))
    )  # fmt: skip
    fourth = pl.when(kind.is_in([0, 6])).then(pl.format("{} {}", "house", street)).otherwise(street)
    written = {1: first, 2: second, 4: fourth, 6: pl.col("district"), 7: pl.col("town"), 8: pl.col("county")}
    return [written.get(line, pl.lit(None, dtype=pl.String)).alias(f"line_{line}") for line in range(1, 10)]


def _uprn(distributor: str) -> pl.Expr:
    digits = pl.col("uprn").cast(pl.String).str.zfill(8)
    return pl.when(~pl.col("without_uprn")).then(pl.format("{}00{}", pl.lit(distributor), digits)).alias("uprn")


def _postcodes(street: Numbers, distributor: str) -> list[pl.Series]:
    """Give each street a postcode of its own: area, district, sector, two letters."""
    areas = _TOWNS[distributor]
    area, rest = street % len(areas), street // len(areas)
    letters, rest = rest % len(_INWARD_LETTERS) ** 2, rest // len(_INWARD_LETTERS) ** 2
    sector, district = rest % 9 + 1, rest // 9 + 1
    inward = tuple(_INWARD_LETTERS)
    parts = pl.DataFrame(
        {
            "area": _pick(tuple(code for code, _, _ in areas), area),
            "town": _pick(tuple(town for _, town, _ in areas), area),
            "county": _pick(tuple(county for _, _, county in areas), area),
            "district": district,
            "sector": sector,
            "first": _pick(inward, letters // len(inward)),
            "second": _pick(inward, letters % len(inward)),
        }
    )
    return parts.select(
        pl.format("{}{} {}{}{}", "area", "district", "sector", "first", "second").alias("postcode"), "town", "county"
    ).get_columns()
