"""The `source` member of Debezium's envelope: where in which source a change was made, and by which program captured.

Pure. The same text serves one line and, with expressions for its fields, a frame of lines.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from mdm.capture.scalar_values import string


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What names the capturing program and the source's database in every line."""

    version: str
    name: str
    database: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A time since 1970 in JSON, in the three units that the envelope has."""

    millis: str | pl.Expr
    micros: str | pl.Expr
    nanos: str | pl.Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What differs between changes: `last` is the last commit's LSN; all but `schema` and `table` are JSON already."""

    moment: Moment
    last: str | pl.Expr
    xid: str | pl.Expr
    schema: str = ""
    table: str = ""
    mark: str | pl.Expr = "false"
    origin: str | pl.Expr = "null"


def moment(micros: int | None) -> Moment:
    """Return a time in microseconds since 1970, or none."""
    if micros is None:
        return Moment(millis="null", micros="null", nanos="null")
    return Moment(millis=str(micros // 1_000), micros=str(micros), nanos=f"{micros}000")


def moments(micros: pl.Expr) -> Moment:
    """Return a column of times in microseconds since 1970."""
    text = micros.cast(pl.String)
    return Moment(millis=(micros // 1_000).cast(pl.String), micros=text, nanos=pl.concat_str([text, pl.lit("000")]))


def sequence_entry(lsn: int | None) -> str:
    """Return an LSN as an entry of the sequence, which is JSON inside a JSON string."""
    return "null" if lsn is None else f'\\"{lsn}\\"'


def around_lsn(source: Source, place: Place) -> tuple[list[str | pl.Expr], list[str | pl.Expr], list[str | pl.Expr]]:
    """Return the member's text ahead of the change's LSN, between its two mentions, and behind it."""
    opening = f'{{"version":{string(source.version)},"connector":"postgresql","name":{string(source.name)},"ts_ms":'
    database = f'","db":{string(source.database)},"sequence":"['
    relation = f',"schema":{string(place.schema)},"table":{string(place.table)},"txId":'
    head = [opening, place.moment.millis, ',"snapshot":"', place.mark, database, place.last, ',\\"']
    middle = ['\\"]","ts_us":', place.moment.micros, ',"ts_ns":', place.moment.nanos, relation, place.xid, ',"lsn":']
    return head, middle, [',"xmin":null,"origin":', place.origin, ',"origin_lsn":null}']


def text(source: Source, place: Place, lsn: int) -> str:
    """Return the member for one change, all of whose fields are known."""
    head, middle, tail = ("".join(str(part) for part in parts) for parts in around_lsn(source, place))
    return f"{head}{lsn}{middle}{lsn}{tail}"


def joined(parts: Sequence[str | pl.Expr]) -> pl.Expr:
    """Return the concatenation of texts and expressions, neighbouring texts as one."""
    merged: list[str | pl.Expr] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        else:
            merged.append(part)
    return pl.concat_str([pl.lit(part) if isinstance(part, str) else part for part in merged])
