"""Whether each view holds what its recipient should have, and whether its feed is whole.

What a row should say is made of the sources' own values (mdm.demo.expectations); from a view's contract come the names
of its items alone. A feed is read as a subscriber reads it: its entries one after the other make up the view.
"""

from collections.abc import Iterator, Sequence

import polars as pl

from mdm import db
from mdm.demo import checks, frames
from mdm.demo.checks import Check
from mdm.demo.expectations import Expected
from mdm.demo.premises import LINES
from mdm.distribution import contracts, digests
from mdm.distribution.contracts import Contract, Item, Kind, Message

_APPOINTED = pl.col("status").is_in(["accepted", "active"])
_ADDRESS = (*LINES, "postcode", "uprn")
_COUNTED = ("meters", "appointments")

_HEADS = """
select v.view_id, v.name, v.recipient, h.last_seq, h.retained_after, h.row_count, h.digest::text as digest,
       f.entries, f.first_seq, f.highest_seq
from hub.view v join hub.view_head h using (view_id)
left join (select view_id, count(*) as entries, min(seq) as first_seq, max(seq) as highest_seq
           from hub.feed group by view_id) f using (view_id)
order by v.name, v.recipient
"""

# The last entry of each row, as a subscriber ends with it that has read the whole feed.
_CONTENT = """
select golden_id, body
from (select distinct on (golden_id) golden_id, operation, body from hub.feed
      where view_id = {view_id} order by golden_id, seq desc) last
where operation = 'upsert'
"""


def compare(connection: db.Connection, expected: Expected, *, without: frozenset[str]) -> Iterator[Check]:
    """Check every view, its rows and its feed; `without` are metering points that are left out of the rows."""
    heads = frames.read_from(connection, _HEADS)
    contents = {view_id: frames.read_from(connection, _CONTENT.format(view_id=view_id)) for view_id in heads["view_id"]}
    wanted = _Wanted(expected)
    for recipient in heads["recipient"].unique().sort():
        views = heads.filter(pl.col("recipient") == recipient)
        compared = [
            _compare_rows(name, recipient, contents[view_id], wanted, without)
            for view_id, name in views.select("view_id", "name").iter_rows()
        ]
        if any(check.expected or check.found for check in compared):
            yield _joined(f"views of {recipient}", compared)
    yield _check_feeds(heads)
    yield _check_digests(heads, contents)


def _joined(name: str, compared: Sequence[Check]) -> Check:
    """Return the checks of a recipient's views as one."""
    return Check(
        name=name,
        expected=sum(check.expected for check in compared),
        found=sum(check.found for check in compared),
        values=sum(check.values for check in compared),
        differences={f"{check.name} {kind}": n for check in compared for kind, n in check.differences.items()},
        look=" ".join(check.look for check in compared if not check.agrees),
    )


def _compare_rows(
    name: str, recipient: str, content: pl.DataFrame, wanted: "_Wanted", without: frozenset[str]
) -> Check:
    contract = contracts.get_contract(name)
    kept = ~pl.col("mpan_core").is_in(list(without))
    found = _decoded(contract, content).filter(kept)
    key = ["mpan_core", "appointed_from"] if contract.message is Message.APPOINTMENT else ["mpan_core"]
    return checks.compare(
        name,
        wanted.rows(contract, recipient).select(c for c in found.columns if c != "golden_id").filter(kept),
        found,
        key=key,
        look="See hub.feed.",
    )


class _Wanted:
    """What the rows of each view should say, made of the sources' values."""

    def __init__(self, expected: Expected) -> None:
        fitted = expected.meters.filter(pl.col("removal_date").is_null())
        main = fitted.sort(
            (pl.col("meter_type") == "CHECK").fill_null(value=False),
            "installation_date",
            "meter_id",
            descending=[False, True, False],
        ).unique("mpan", keep="first", maintain_order=True)
        appointed = expected.appointments.filter(_APPOINTED)
        self._appointments = appointed.join(main.select("mpan", "meter_id"), on="mpan", how="left")
        self._meters = fitted.group_by("mpan").agg(meters=pl.len().cast(pl.String))
        self._points = expected.points

    def rows(self, contract: Contract, recipient: str) -> pl.DataFrame:
        """Return a view's rows, with mpan_core as the interface calls it."""
        own = self._appointments.filter(contract.covers_all | (pl.col("service_mpid") == recipient))
        if not contract.covers_all:
            own = own.filter(pl.col("role") == contract.role.value)
        if contract.message is Message.APPOINTMENT:
            return own.rename({"mpan": "mpan_core"})
        points = self._points.join(self._meters, on="mpan", how="left").join(
            own.group_by("mpan").agg(appointments=pl.len().cast(pl.String)), on="mpan", how="left"
        )
        if not contract.covers_all:
            points = points.join(own, on="mpan", how="semi")
        return points.with_columns(pl.col(_COUNTED).fill_null("0")).rename({"mpan": "mpan_core"})


def _decoded(contract: Contract, content: pl.DataFrame) -> pl.DataFrame:
    """Return a view's rows with a column of text for each item, the address's among them; lists are counted."""
    message = pl.Struct([pl.Field(item.name, _type(item)) for item in contract.items])
    rows = content.with_columns(pl.col("body").str.json_decode(message)).unnest("body")
    if contract.message is Message.METERING_POINT:
        lists = [name for name in _COUNTED if name in rows.columns]
        rows = rows.with_columns(pl.col(name).list.len().cast(pl.String) for name in lists).unnest("address")
    texts = [
        pl.when(pl.col(name)).then(pl.lit("t")).when(~pl.col(name)).then(pl.lit("f")).alias(name)
        if kind == pl.Boolean
        else pl.col(name).cast(pl.String)
        for name, kind in rows.schema.items()
    ]
    return rows.select(texts)


def _type(item: Item) -> pl.DataType:
    match item.kind:
        case Kind.BOOLEAN:
            return pl.Boolean()
        case Kind.INTEGER:
            return pl.Int64()
        case Kind.OBJECT:
            return pl.Struct([pl.Field(name, pl.String) for name in _ADDRESS])
        case Kind.ARRAY:
            return pl.List(pl.Struct([pl.Field("role", pl.String)]))
        case _:
            return pl.String()


def _check_feeds(heads: pl.DataFrame) -> Check:
    """See whether every feed is numbered from 1 on without a gap up to where its view stands."""
    numbers = heads.select(pl.col("last_seq", "entries", "first_seq", "highest_seq").cast(pl.Int64).fill_null(0))
    is_dense = (pl.col("entries") == pl.col("last_seq")) & (pl.col("highest_seq") == pl.col("last_seq"))
    has_gaps = numbers.filter(~is_dense | (pl.col("first_seq") > 1)).height
    return Check(
        name="feeds numbered without a gap",
        expected=int(numbers["last_seq"].sum()),
        found=int(numbers["entries"].sum()),
        differences={"feeds with gaps": has_gaps} if has_gaps else {},
        look="See hub.feed and hub.view_head.",
    )


def _check_digests(heads: pl.DataFrame, contents: dict[str, pl.DataFrame]) -> Check:
    """Compare the count and digest of each view with those of the rows that its feed makes up."""
    wrong, rows = 0, 0
    for head in heads.iter_rows(named=True):
        content = contents[head["view_id"]]
        rows += content.height
        digest = digests.of_rows(zip(content["golden_id"].cast(pl.Int64), content["body"], strict=True))
        wrong += digest != digests.from_bits(head["digest"])
    return Check(
        name="digests of all views",
        expected=int(heads["row_count"].cast(pl.Int64).sum()),
        found=rows,
        differences={"views with another digest": wrong} if wrong else {},
        look="See hub.view_head.",
    )
