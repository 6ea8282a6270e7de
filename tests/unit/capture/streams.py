"""Arbitrary streams for property tests: tables, rows and transactions, with what must come out of them."""

from dataclasses import dataclass

from hypothesis import strategies as st

from mdm.capture.frames import Relation
from tests.unit.capture import encoder
from tests.unit.capture.encoder import UNCHANGED, Tape, Value
from tests.unit.capture.flat import Change

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
NEW_VALUES = st.one_of(st.none(), st.just(""), TEXTS, st.just(UNCHANGED))
OLD_VALUES = st.one_of(st.none(), TEXTS)


@st.composite
def tables(draw: st.DrawFn) -> list[Relation]:
    """Draw some tables of some columns, also of none."""
    counts = draw(st.lists(st.integers(0, 6), min_size=1, max_size=3))
    return [
        encoder.table(f"table_{place}", [f"column_{column}" for column in range(count)], oid=20_000 + place)
        for place, count in enumerate(counts)
    ]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A change and the message that makes it, without its position."""

    message: bytes
    table: Relation
    op: str
    after: tuple[Value, ...]
    before: tuple[Value, ...]
    before_kind: str | None

    def placed(self, xid: int, ordinal: int) -> Change:
        """Return the change as it must come out."""
        return Change(
            xid=xid,
            commit_lsn=xid * 0x100,
            ordinal=ordinal,
            table=f"public.{self.table.name}",
            op=self.op,
            columns=tuple(column.name for column in self.table.columns),
            after=self.after,
            before=self.before,
            before_kind=self.before_kind,
        )


@st.composite
def changes(draw: st.DrawFn, known: list[Relation], xid: int | None = None) -> Drawn:
    """Draw a change of one of the tables."""
    table, op = draw(st.sampled_from(known)), draw(st.sampled_from("cudt"))
    width = len(table.columns)
    new = tuple(draw(st.lists(NEW_VALUES, min_size=width, max_size=width)))
    old = tuple(draw(st.lists(OLD_VALUES, min_size=width, max_size=width)))
    nulls: tuple[Value, ...] = (None,) * width
    kind = draw(st.sampled_from("KO"))
    match op:
        case "c":
            return Drawn(encoder.insert(table.oid, new, xid=xid), table, "c", new, nulls, None)
        case "d":
            return Drawn(encoder.delete(table.oid, old, old_kind=kind, xid=xid), table, "d", nulls, old, kind)
        case "t":
            return Drawn(encoder.truncate([table.oid], xid=xid), table, "t", nulls, nulls, None)
        case _ if draw(st.booleans()):
            body = encoder.update(table.oid, new, old=old, old_kind=kind, xid=xid)
            return Drawn(body, table, "u", new, old, kind)
        case _:
            return Drawn(encoder.update(table.oid, new, xid=xid), table, "u", new, nulls, None)


@st.composite
def plain(draw: st.DrawFn) -> tuple[list[bytes], list[Change]]:
    """Draw a stream of whole transactions, and the changes in it."""
    known = draw(tables())
    tape, expected = Tape(), []
    for number in range(draw(st.integers(1, 5))):
        xid = 100 + number
        drawn = draw(st.lists(changes(known), max_size=6))
        expected += [change.placed(xid, ordinal) for ordinal, change in enumerate(drawn, 1)]
        announced = [encoder.relation(table) for table in known] if number == 0 or draw(st.booleans()) else []
        between = [encoder.message("prefix", b"word", transactional=True)] if draw(st.booleans()) else []
        tape.transaction(xid, *announced, *between, *(change.message for change in drawn))
    return tape.payloads, expected
