"""Changes in Debezium's envelope: for each change the JSON line that Debezium's PostgreSQL connector would give.

Pure. The same changes give the same values, operations and source fields as Debezium 3.6 does with schemas off,
`decimal.handling.mode` and `interval.handling.mode` string and everything else its default, its losses included: a
column's default stands for its nulls, an unchanged TOAST value for which it has no placeholder is null, an array has
one dimension, truncates are passed over. A changed key is a delete and a create. What differs is what names the
capturing program: `source.version`, `source.name` and the time of processing.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from mdm.capture import change_rows, change_source
from mdm.capture.change_rows import TablePlan
from mdm.capture.change_source import Place, Source, joined, sequence_entry
from mdm.capture.frames import Batch, LogicalMessage, Relation, TableChanges
from mdm.capture.lsn import Lsn
from mdm.capture.rendering import objects
from mdm.capture.scalar_values import string

_ROOM = 1 << 40
"""More changes than one transaction holds, so that one number orders changes by transaction and ordinal."""
_LINE = {"position": pl.Int64, "line": pl.String, "count": pl.UInt8}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Lines in order, each with its line feed; `counts` tells how many each text holds, two for a changed key.

    `transactions` says to which of the batch's transactions each belongs, or ahead of which one it stands.
    """

    texts: pl.Series
    counts: pl.Series
    transactions: pl.Series

    @property
    def count(self) -> int:
        """How many lines there are."""
        return int(self.counts.sum())

    def head(self, limit: int) -> tuple["Lines", int | None]:
        """Return the first so many lines, and the first transaction of which a line is left out, None if none is."""
        kept = int((self.counts.cum_sum() <= limit).sum())
        texts, counts = self.texts.head(kept), self.counts.head(kept)
        room = limit - int(counts.sum())
        if kept < self.texts.len() and room:
            texts = texts.append(pl.Series([self.texts[kept].split("\n", 1)[0] + "\n"]))
            counts = counts.append(pl.Series([room], dtype=counts.dtype))
        left_out = int(self.transactions[kept]) if kept < self.texts.len() else None
        return Lines(texts=texts, counts=counts, transactions=self.transactions.head(texts.len())), left_out

    def octets(self) -> memoryview:
        """Return all lines as one block of UTF-8."""
        array = self.texts.to_arrow(compat_level=pl.CompatLevel.oldest())
        if len(array) == 0:
            return memoryview(b"")
        _, offsets, content = array.buffers()
        ends = memoryview(offsets).cast("q")
        return memoryview(content)[ends[array.offset] : ends[array.offset + len(array)]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """When and where a snapshot was taken; `taken_at` is in microseconds since 1970."""

    lsn: Lsn
    xid: int
    taken_at: int


class Envelope:
    """Turns batches into lines; remembers the last commit, which Debezium names in each change's sequence."""

    __slots__ = ("_committed", "_moment", "_plan", "_source")

    def __init__(self, source: Source, plan: Callable[[Relation], TablePlan]) -> None:
        self._source = source
        self._plan = plan
        self._committed: int | None = None
        self._moment: int | None = None

    def lines(self, batch: Batch, *, now: int) -> Lines:
        """Return the lines of a batch in commit order; `now` is in nanoseconds since 1970."""
        places = _places_alone(batch)
        last = self._last(batch, places)
        parts = [self._table(changes, batch.transactions, last, now) for changes in batch.tables]
        said = [self._message(message, batch, places, last, now) for message in batch.messages]
        parts.append(pl.DataFrame(said, schema=_LINE, orient="row"))
        self._remember(batch, last)
        parts = [part for part in parts if part.height]
        frame = pl.concat(parts) if parts else pl.DataFrame(schema=_LINE)
        frame = frame.sort("position") if len(parts) > 1 else frame
        return Lines(texts=frame["line"], counts=frame["count"], transactions=frame["position"] // (2 * _ROOM))

    def snapshot_lines(self, changes: TableChanges, *, marks: pl.Series, snapshot: Snapshot, now: int) -> Lines:
        """Return the lines of existing rows; `marks` says of each where it stands in the snapshot."""
        relation, plan = changes.relation, self._plan(changes.relation)
        moment = change_source.moment(snapshot.taken_at)
        place = Place(
            moment=moment,
            last="null",
            xid=str(snapshot.xid),
            schema=relation.schema,
            table=relation.name,
            mark=pl.col("mark"),
        )
        head, middle, tail = change_source.around_lsn(self._source, place)
        lsn = str(int(snapshot.lsn))
        after = objects(changes.after, plan.columns, changes.unchanged, snapshot=True)
        line = ['{"before":null,"after":', pl.col("after"), ',"source":', *head, lsn, *middle, lsn, *tail]
        rows = pl.DataFrame({"after": after, "mark": marks})
        texts = rows.select(joined([*line, _ending("r", now)])).to_series()
        once = pl.repeat(1, texts.len(), dtype=pl.UInt8, eager=True)
        return Lines(texts=texts, counts=once, transactions=once.cast(pl.Int64))

    def _last(self, batch: Batch, places: Mapping[int, int]) -> list[int | None]:
        """Return for each of the batch's transactions, and behind the last, the last commit's LSN as Debezium has it.

        A message that belongs to no transaction counts as a commit.
        """
        last: list[int | None] = [self._committed, *batch.transactions["end_lsn"]]
        for lsn, place in sorted(places.items()):
            last[place] = lsn
        return last

    def _remember(self, batch: Batch, last: list[int | None]) -> None:
        self._committed = self._committed if last[-1] is None else last[-1]
        if batch.transactions.height:
            self._moment = batch.transactions["committed_at"].dt.timestamp("us")[-1]

    def _message(
        self, message: LogicalMessage, batch: Batch, places: Mapping[int, int], last: list[int | None], now: int
    ) -> tuple[int, str, int]:
        """Return a logical message's position among the batch's changes, its line and how many lines that is."""
        lsn, moments = int(message.lsn), batch.transactions["committed_at"].dt.timestamp("us")
        if message.tx is None:
            ahead = places[lsn]
            position = 2 * ahead * _ROOM + lsn % _ROOM
            moment = change_source.moment(moments[ahead - 1] if ahead else self._moment)
            place = Place(moment=moment, last=sequence_entry(lsn), xid="null")
        else:
            position = (2 * message.tx + 1) * _ROOM + (message.ordinal or 0)
            xid = str(batch.transactions["xid"][message.tx])
            moment = change_source.moment(moments[message.tx])
            place = Place(moment=moment, last=sequence_entry(last[message.tx]), xid=xid)
        source = change_source.text(self._source, place, lsn)
        content = base64.b64encode(message.content).decode()
        body = f'"message":{{"prefix":{string(message.prefix)},"content":"{content}"}}'
        return position, f'{{"op":"m","ts_ms":{now // 1_000_000},"source":{source},"transaction":null,{body}}}\n', 1

    def _table(
        self, changes: TableChanges, transactions: pl.DataFrame, last: list[int | None], now: int
    ) -> pl.DataFrame:
        """Return position and line of each change but a truncate, two lines where the key changed."""
        changes = change_rows.without_truncates(changes)
        if not changes.meta.height:
            return pl.DataFrame(schema=_LINE)
        rows = change_rows.render(changes, self._plan(changes.relation))
        known = self._sources(changes.relation, transactions, last).select(pl.all().gather(changes.meta["tx"]))
        members = [(name, getattr(rows, name)) for name in ("before", "after", "moved")]
        frame = pl.concat([changes.meta, known], how="horizontal").with_columns(
            series.alias(name) for name, series in members if series is not None
        )
        columns = [((2 * pl.col("tx").cast(pl.Int64) + 1) * _ROOM + pl.col("ordinal")).alias("position")]
        columns.append(_line(rows, now).alias("line"))
        count = pl.lit(1, pl.UInt8) if rows.moved is None else pl.col("moved").cast(pl.UInt8) + 1
        return frame.select(*columns, count=count.cast(pl.UInt8))

    def _sources(self, relation: Relation, transactions: pl.DataFrame, last: list[int | None]) -> pl.DataFrame:
        """Return for each transaction the source of its changes to a table, around the change's LSN."""
        ends = [sequence_entry(lsn) for lsn in last[: transactions.height]]
        origins = ["null" if origin is None else string(origin) for origin in transactions["origin"]]
        place = Place(
            moment=change_source.moments(pl.col("committed_at").dt.timestamp("us")),
            last=pl.col("last"),
            xid=pl.col("xid").cast(pl.String),
            schema=relation.schema,
            table=relation.name,
            origin=pl.col("origin"),
        )
        head, middle, tail = change_source.around_lsn(self._source, place)
        frame = transactions.with_columns(
            pl.Series("last", ends, dtype=pl.String), pl.Series("origin", origins, dtype=pl.String)
        )
        return frame.select(joined(head).alias("head"), joined(middle).alias("middle"), joined(tail).alias("tail"))


def _places_alone(batch: Batch) -> dict[int, int]:
    """Say how many transactions commit ahead of each message that belongs to none, by its LSN."""
    commits = batch.transactions["commit_lsn"]
    return {int(one.lsn): int((commits < int(one.lsn)).sum()) for one in batch.messages if one.tx is None}


def _line(rows: change_rows.Rows, now: int) -> pl.Expr:
    before = "null" if rows.before is None else pl.col("before")
    after = "null" if rows.after is None else pl.col("after")
    line = _change(before, after, pl.col("op"), now)
    if rows.moved is None:
        return line
    halves = pl.concat_str([_change(before, "null", "d", now), _change("null", after, "c", now)])
    return pl.when("moved").then(halves).otherwise(line)


def _change(before: str | pl.Expr, after: str | pl.Expr, op: str | pl.Expr, now: int) -> pl.Expr:
    lsn = pl.col("lsn").cast(pl.String)
    source = [pl.col("head"), lsn, pl.col("middle"), lsn, pl.col("tail")]
    return joined(['{"before":', before, ',"after":', after, ',"source":', *source, *_ending_parts(op, now)])


def _ending(op: str, now: int) -> str:
    return "".join(str(part) for part in _ending_parts(op, now))


def _ending_parts(op: str | pl.Expr, now: int) -> list[str | pl.Expr]:
    times = f'"ts_ms":{now // 1_000_000},"ts_us":{now // 1_000},"ts_ns":{now}'
    return [',"transaction":null,"op":"', op, f'",{times}}}\n']
