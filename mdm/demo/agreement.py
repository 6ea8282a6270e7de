"""Do the market's systems agree? An independent comparison of every copy with the registration, straight from SQL.

Nothing of the hub is used here: no mapping, no rule. Values are compared after trimming, in capitals, with repeated
spaces as one; meter ids without any.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

import polars as pl
from psycopg import sql

from mdm import db
from mdm.demo import registry
from mdm.demo.copies import ASPECTS, IDENTITIES, Aspect
from mdm.demo.market import REGISTRATIONS, Dsns, Source

_KEY = "key"
_NOTHING = pl.DataFrame(
    schema={"source": pl.String, "aspect": pl.String, "key": pl.String, "item": pl.String,
            "registered": pl.String, "copied": pl.String}
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemAgreement:
    """How a system's copies of one item compare with the registration's values."""

    source: Source
    aspect: str
    item: str
    held: int
    agreeing: int

    @property
    def differing(self) -> int:
        """Copies that say something else."""
        return self.held - self.agreeing


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldingAgreement:
    """Whether a system holds what it should: missing it should hold, unknown the registration does not know."""

    source: Source
    aspect: str
    held: int
    missing: int
    unknown: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """The whole comparison. `registered` counts each aspect's keys at the registrations."""

    registered: dict[str, int]
    holdings: tuple[HoldingAgreement, ...]
    items: tuple[ItemAgreement, ...]

    @property
    def disagreements(self) -> int:
        """Values that differ, copies that are missing, copies that nobody registered."""
        return sum(item.differing for item in self.items) + sum(
            holding.missing + holding.unknown for holding in self.holdings
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Comparison:
    """One system's copies beside the registration's values; columns of the copies end in _copied."""

    source: Source
    aspect: Aspect
    registered: pl.DataFrame
    copied: pl.DataFrame

    @property
    def expected(self) -> pl.DataFrame:
        """What the system should hold: a metering service its own, MDS all that is settled."""
        service = registry.SYSTEMS[self.source].service
        if service:
            return self.registered.filter(pl.col("holder") == service.mpid)
        return (
            self.registered.filter(pl.col("settled") == "T")
            if "settled" in self.registered.columns
            else self.registered
        )

    @property
    def items(self) -> list[str]:
        return [name for name in self.copied.columns if name in self.registered.columns and name != _KEY]

    def holding(self) -> HoldingAgreement:
        return HoldingAgreement(
            source=self.source,
            aspect=self.aspect.name,
            held=self.copied.height,
            missing=self.expected.join(self.copied, on=_KEY, how="anti").height,
            unknown=self.copied.join(self.registered, on=_KEY, how="anti").height,
        )

    def compared(self) -> pl.DataFrame:
        return self.copied.join(self.registered, on=_KEY, suffix="_registered")

    def item_agreements(self) -> Iterator[ItemAgreement]:
        both = self.compared()
        for item in self.items:
            agreeing = both.filter(pl.col(item).eq_missing(pl.col(f"{item}_registered"))).height
            yield ItemAgreement(
                source=self.source, aspect=self.aspect.name, item=item, held=both.height, agreeing=agreeing
            )

    def differences(self) -> Iterator[pl.DataFrame]:
        both = self.compared()
        for item in self.items:
            differing = both.filter(pl.col(item).ne_missing(pl.col(f"{item}_registered")))
            yield self._named(differing, item, pl.col(f"{item}_registered"), pl.col(item))
        missing = self.expected.join(self.copied, on=_KEY, how="anti")
        yield self._named(missing, "*", pl.lit("held"), pl.lit(None, dtype=pl.String))
        unknown = self.copied.join(self.registered, on=_KEY, how="anti")
        yield self._named(unknown, "*", pl.lit(None, dtype=pl.String), pl.lit("held"))

    def _named(self, frame: pl.DataFrame, item: str, registered: pl.Expr, copied: pl.Expr) -> pl.DataFrame:
        return frame.select(
            source=pl.lit(self.source.value),
            aspect=pl.lit(self.aspect.name),
            key=pl.col(_KEY),
            item=pl.lit(item),
            registered=registered,
            copied=copied,
        )


def compare(dsns: Dsns) -> Agreement:
    """Compare every system's copies with the registrations; the market should stand still meanwhile."""
    registered: dict[str, int] = {}
    holdings: list[HoldingAgreement] = []
    items: list[ItemAgreement] = []
    for comparison in _comparisons(dsns):
        registered[comparison.aspect.name] = comparison.registered.height
        holdings.append(comparison.holding())
        items.extend(comparison.item_agreements())
    return Agreement(registered=registered, holdings=tuple(holdings), items=tuple(items))


def differences(dsns: Dsns) -> pl.DataFrame:
    """Return each disagreement: source, aspect, key, item ('*' for a whole copy), registered, copied.

    The rows hold MPANs and addresses of the simulated market: for tests, not for logs.
    """
    found = [frame for comparison in _comparisons(dsns) for frame in comparison.differences()]
    return pl.concat([_NOTHING, *found]).sort("source", "aspect", "key", "item")


def _comparisons(dsns: Dsns) -> Iterator[_Comparison]:
    for aspect in ASPECTS:
        registered = pl.concat([_read(dsns[source], aspect, aspect.registered) for source in REGISTRATIONS.values()])
        registered = registered.unique(_KEY, keep="first", maintain_order=True)
        for source, query in aspect.copied.items():
            yield _Comparison(
                source=source, aspect=aspect, registered=registered, copied=_read(dsns[source], aspect, query)
            )


def count_things(dsns: Dsns) -> dict[str, int]:
    """Count the things that the systems name, by entity: each once, however many systems and rows name it.

    Every one of them should have a golden record. An address is one UPRN, else one postcode with its lines; a meter
    is one serial number of a make, and a system that knows no make means whichever there is.
    """
    named: dict[str, list[pl.DataFrame]] = defaultdict(list)
    for source, queries in IDENTITIES.items():
        for entity, query in queries:
            named[entity].append(_texts(dsns[source], query))
    meters = pl.concat(named.pop("meter"), how="diagonal")
    counts = {entity: pl.concat(frames)["key"].n_unique() for entity, frames in named.items()}
    return counts | {"meter": _count_meters(meters)}


def _count_meters(named: pl.DataFrame) -> int:
    made = named.filter(pl.col("make").is_not_null()).unique(["meter_id", "make"])
    return made.height + named.join(made, on="meter_id", how="anti")["meter_id"].n_unique()


def _read(dsn: str, aspect: Aspect, query: str) -> pl.DataFrame:
    """Run a query and return its rows as normalised text, with the key as one column."""
    texts = _texts(dsn, query)
    return texts.with_columns(pl.concat_str(aspect.key, separator="|").alias(_KEY)).drop(aspect.key)


def _texts(dsn: str, query: str) -> pl.DataFrame:
    """Run a query and return its rows as normalised text: capitals, single spaces, meter ids without any."""
    with db.connect(dsn) as connection, connection.cursor() as cursor:
        statement = sql.SQL("copy ({}) to stdout (format csv, header)").format(sql.SQL(query))
        with cursor.copy(statement) as copy:
            text = b"".join(bytes(block) for block in copy)
    frame = pl.read_csv(BytesIO(text), infer_schema=False)
    normal = frame.select(pl.all().str.strip_chars().str.to_uppercase().str.replace_all(r"\s+", " "))
    if "meter_id" in normal.columns:
        normal = normal.with_columns(pl.col("meter_id").str.replace_all(" ", ""))
    return normal
