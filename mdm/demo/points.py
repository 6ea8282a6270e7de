"""Metering points of the simulated market, one row each, with all that every system holds of them.

The population is lawful: it satisfies every rule of the hub. A link's two points share premises, supplier and dates;
the subsidiary (export or secondary) has a meter of its own and no appointment.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from mdm.demo import contracts, devices, mpans, premises, reference
from mdm.demo.draws import Draws, Flags, Numbers
from mdm.demo.reference import Role

_EPOCH = date(1970, 1, 1)
_SUPPLIER_WEIGHTS = (22, 18, 14, 12, 10, 8, 6, 5, 3, 2)
_LINKED_SHARE = 0.066  # of pairs, so about 3.3 % of points are subsidiaries
_UNMETERED_SHARE = 0.016
_HOME_GSP_GROUP = {"10": "_A", "20": "_H"}

_ROLES = {segment: role.value for role, segment in contracts.SEGMENTS.items()}

SHARES_OF_SERVICES = {Role.MSS: (93, 7), Role.MSA: (93, 7), Role.UMSO: (1,)}


def days(day: date) -> int:
    """Return a day as days since 1970, as numpy counts them."""
    return (day - _EPOCH).days


MARKET_OPENS = days(date(1998, 4, 1))
SERVICES_START = days(date(2020, 1, 1))  # the first appointments of metering services
LAST_CREATED = days(date(2025, 4, 30))
LAST_DATED = days(date(2025, 5, 31))  # no date of the population is later, disconnections aside
DISCONNECTIONS = (days(date(2025, 6, 1)), 29)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """What kind of point each is. `shared` is the index whose draws a link's two points have in common."""

    index: Numbers
    shared: Numbers
    is_subsidiary: Flags
    is_principal: Flags
    is_secondary: Flags  # on both points of the link: primary/secondary rather than import/export
    unmetered: Flags


def generate(distributor: str, index: Numbers, draws: Draws, *, links: bool = True) -> pl.DataFrame:
    """Return the metering points of these ascending indexes; a link needs both of its indexes among them."""
    shape = _shape(index, draws, links=links)
    place = premises.addresses(shape.shared, distributor=distributor, unmetered=shape.unmetered, draws=draws)
    advanced = _is_advanced(shape, place.is_business, draws)
    meter = devices.meters(index, distributor=distributor, advanced=advanced, draws=draws)
    segment = pl.Series(np.select([shape.unmetered, advanced], ["U", "A"], "S"))
    frame = pl.DataFrame(
        {
            "index": index,
            "mpan": mpans.of_indexes(distributor, index),
            "linked_mpan": _linked_mpan(distributor, shape),
            "link_kind": _link_kind(shape),
            "is_subsidiary": shape.is_subsidiary,
            "market_segment": segment,
            "connection_type": _connection_type(shape, advanced, draws),
            "energy_direction": np.where(shape.is_subsidiary & ~shape.is_secondary, "E", "I"),
            "metered": ~shape.unmetered,
            "gsp_group": _gsp_group(distributor, shape.shared, draws),
            "tariff": _tariff(shape.shared, draws),
            "is_domestic": place.is_domestic & ~advanced & ~shape.unmetered,
        }
    )
    return _completed(frame.hstack(place.address).hstack(meter), distributor, shape, draws)


def _completed(frame: pl.DataFrame, distributor: str, shape: _Shape, draws: Draws) -> pl.DataFrame:
    """Add what follows from the kind of point: dates, meter, settlement items, supplier, appointment."""
    dated = frame.hstack(_dates(shape, draws)).with_columns(*_without_meter())
    settled = dated.with_columns(*_settlement(shape, draws))
    return settled.hstack(_parties(distributor, settled, shape, draws)).with_columns(*_appointments())


def _shape(index: Numbers, draws: Draws, *, links: bool) -> _Shape:
    pair, is_second = index // 2, index % 2 == 1
    unmetered = draws.chance(pair * 2, "unmetered", _UNMETERED_SHARE)
    has_partner = np.isin(index ^ 1, index, assume_unique=True) if links else np.zeros(len(index), dtype=np.bool_)
    linked = draws.chance(pair, "linked", _LINKED_SHARE) & ~unmetered & has_partner
    is_subsidiary = linked & is_second
    shared = index - is_subsidiary
    return _Shape(
        index=index,
        shared=shared,
        is_subsidiary=is_subsidiary,
        is_principal=linked & ~is_second,
        is_secondary=linked & draws.chance(pair, "secondary", 0.1),
        unmetered=draws.chance(shared, "unmetered", _UNMETERED_SHARE),
    )


def _is_advanced(shape: _Shape, business: Flags, draws: Draws) -> Flags:
    share = np.where(business, 0.7, 0.04)
    return (draws.uniform(shape.shared, "advanced") < share) & ~shape.unmetered


def _linked_mpan(distributor: str, shape: _Shape) -> pl.Series:
    partner = mpans.of_indexes(distributor, shape.index ^ 1)
    return partner.set(pl.Series(~(shape.is_subsidiary | shape.is_principal)), None)


def _link_kind(shape: _Shape) -> pl.Series:
    """Say what the linked point is to this one."""
    subsidiary = np.where(shape.is_secondary, "PRIMARY", "IMPORT")
    principal = np.where(shape.is_secondary, "SECONDARY", "EXPORT")
    kind = pl.Series(np.where(shape.is_subsidiary, subsidiary, principal))
    return kind.set(pl.Series(~(shape.is_subsidiary | shape.is_principal)), None)


def _connection_type(shape: _Shape, advanced: Flags, draws: Draws) -> pl.Series:
    letters = pl.Series(("W", "L", "H", "E")).gather(draws.choose(shape.shared, "connection", (45, 42, 11, 2)))
    return pl.Series(np.select([shape.unmetered, advanced], ["U", letters.to_numpy()], "W"))


def _gsp_group(distributor: str, shared: Numbers, draws: Draws) -> pl.Series:
    """Place nearly all in the distributor's own area, a few in another where its networks also lie."""
    areas = tuple(area.gsp_group for area in reference.distributor_areas() if area.distributor == distributor)
    elsewhere = pl.Series(areas).gather(draws.below(shared, "gsp group", len(areas)))
    is_away = draws.chance(shared, "out of area", 0.02)
    return pl.Series(np.where(is_away, elsewhere.to_numpy(), _HOME_GSP_GROUP[distributor]))


def _tariff(shared: Numbers, draws: Draws) -> pl.Series:
    codes = tuple(f"{letter}{number:02d}" for letter in "DNHU" for number in range(1, 12))
    return pl.Series(codes).gather(draws.below(shared, "tariff", len(codes)))


def _dates(shape: _Shape, draws: Draws) -> pl.DataFrame:
    """Date the points: created, a switch of supplier for some, meter fitted, a few disconnected at the end."""
    shared = shape.shared
    created = MARKET_OPENS + draws.below(shared, "created", LAST_CREATED - MARKET_OPENS)
    appointed = np.maximum(created, SERVICES_START)
    fitted = appointed + draws.below(shape.index, "fitted", LAST_DATED - appointed)
    first_switch = np.maximum(created + 60, SERVICES_START + 60)
    switched = first_switch + draws.below(shared, "switched on", LAST_DATED - first_switch)
    has_switched = draws.chance(shared, "switched", 0.18) & (first_switch < LAST_DATED)
    alone = ~(shape.is_subsidiary | shape.is_principal)
    gone = alone & draws.chance(shape.index, "disconnected", 0.008)
    left = DISCONNECTIONS[0] + draws.below(shape.index, "disconnected on", DISCONNECTIONS[1])
    numbered = pl.DataFrame(
        {"created": created, "first_appointed": appointed, "installed": fitted, "switched": switched, "gone": left}
    ).select(pl.all().cast(pl.Int32).cast(pl.Date))
    return numbered.with_columns(
        switched=pl.when(pl.Series(has_switched)).then("switched"),
        gone=pl.when(pl.Series(gone)).then("gone"),
    )


def _without_meter() -> list[pl.Expr]:
    """Take the meter away from unmetered points."""
    columns = ("meter_id", "make", "model", "meter_type", "esme_id", "location", "displayed_digits", "installed")
    return [pl.when("metered").then(column).alias(column) for column in columns]


def _settlement(shape: _Shape, draws: Draws) -> list[pl.Expr]:
    """Add the items that settlement turns on; consent and the DCC flag fit segment and meter."""
    index = shape.index
    de_energised = pl.Series(draws.chance(index, "de-energised", 0.02))
    smets = pl.col("meter_type").is_in(devices.SMETS_TYPES).fill_null(value=False)
    traditional = pl.col("meter_type").is_in(devices.TRADITIONAL_TYPES).fill_null(value=False)
    consent = pl.Series(("H", "D", "M")).gather(draws.choose(index, "consent", (62, 25, 13)))
    inactive = pl.Series(draws.chance(index, "dcc inactive", 0.05))
    rate = pl.Series(draws.below(index, "profile", 2)) + pl.when("is_domestic").then(1).otherwise(3)
    ssc = pl.Series(("0393", "0151", "0179", "0244")).gather(draws.below(index, "ssc", 4))
    gone = pl.col("gone").is_not_null()
    return [
        pl.when(gone | de_energised).then(pl.lit("D")).otherwise(pl.lit("E")).alias("energisation_status"),
        pl.coalesce("gone", "installed", "created").alias("energised_from"),
        pl.when(pl.col("market_segment") == "S").then(consent).otherwise(pl.lit("N")).alias("consent"),
        pl.when(smets & inactive).then(pl.lit("I")).when(smets).then(pl.lit("A")).otherwise(pl.lit("N")).alias("dcc"),
        pl.when(traditional).then(rate.cast(pl.String)).alias("profile_class"),
        pl.when(traditional).then(ssc).alias("ssc"),
        pl.when(gone).then(pl.lit("X")).otherwise(pl.lit("R")).alias("mpan_status"),
        pl.when(gone).then(pl.lit("T")).otherwise(pl.lit("C")).alias("registration_status"),
    ]


def _parties(distributor: str, frame: pl.DataFrame, shape: _Shape, draws: Draws) -> pl.DataFrame:
    """Choose who serves the point: suppliers now and before, metering service, meter asset provider."""
    suppliers = reference.mpids(Role.SUPPLIER)
    current = draws.choose(shape.shared, "supplier", _SUPPLIER_WEIGHTS)
    previous = (current + 1 + draws.below(shape.shared, "previous supplier", len(suppliers) - 1)) % len(suppliers)
    providers = reference.mpids(Role.MAP)
    bespoke = draws.chance(shape.index, "bespoke contract", 0.05)
    return frame.select(
        pl.Series("supplier", suppliers).gather(current),
        pl.when(pl.col("switched").is_not_null()).then(pl.Series(suppliers).gather(previous)).alias("former_supplier"),
        _service(shape, draws).alias("service"),
        pl.col("market_segment").replace_strict(_ROLES, return_dtype=pl.String).alias("role"),
        pl.when("metered").then(pl.Series(providers).gather(draws.below(shape.index, "provider", 4))).alias("provider"),
        pl.Series("portfolio", draws.choose(shape.shared, "portfolio", (60, 30, 10))),
        pl.when((pl.col("market_segment") == "A") & pl.Series(bespoke))
        .then(pl.format("B{}{}", pl.lit(distributor[0]), pl.col("index").cast(pl.String).str.zfill(8)))
        .alias("bespoke_reference"),
    )  # fmt: skip


def _service(shape: _Shape, draws: Draws) -> pl.Expr:
    """Choose the metering service of each segment."""
    chosen = pl.lit(None, dtype=pl.String)
    for role, segment in contracts.SEGMENTS.items():
        mpids = reference.mpids(role)[: len(SHARES_OF_SERVICES[role])]
        picks = pl.Series(mpids).gather(draws.choose(shape.shared, f"service {role}", SHARES_OF_SERVICES[role]))
        chosen = pl.when(pl.col("market_segment") == segment).then(picks).otherwise(chosen)
    return chosen


def _appointments() -> list[pl.Expr]:
    """Add the contract references: now, and under the former supplier where there was one."""
    service, portfolio = pl.col("service"), pl.col("portfolio")
    now = contracts.portfolio_references(pl.col("supplier"), service, portfolio)
    before = contracts.portfolio_references(pl.col("former_supplier"), service, portfolio)
    return [
        pl.coalesce("bespoke_reference", now).alias("reference"),
        before.alias("former_reference"),
        pl.coalesce("switched", "created").alias("supplied_from"),
        pl.coalesce("switched", "first_appointed").alias("appointed_from"),
        pl.when(pl.col("switched").is_not_null()).then(pl.lit("COS")).otherwise(pl.lit("ALG")).alias("scenario"),
    ]
