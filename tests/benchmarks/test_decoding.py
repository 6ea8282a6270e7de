"""How fast the decoder is on its own, from the stream's octets to frames, counted in time of one core."""

import time
from pathlib import Path

import pytest

from mdm.capture.assembly import Assembly
from mdm.capture.wire import Wire
from tests.unit.capture import encoder
from tests.unit.capture.encoder import Tape

COLUMNS = ("id", "mpan", "amount", "at", "flag", "note", "code", "number")
ROWS = 20_000


def row(number: int) -> list[str | None]:
    note = None if number % 3 else f"note {number} of some length"
    return [
        str(number),
        f"10{number:011}",
        f"{number / 7:.6f}",
        "2026-01-05 12:00:00+00",
        "t",
        note,
        "S2A",
        "900925047",
    ]


@pytest.mark.benchmark
@pytest.mark.parametrize("rows_of_one", [1, 60, ROWS])
def test_eight_columns_decode_at_more_than_200_000_rows_a_second(rows_of_one: int, tmp_path: Path) -> None:
    table, tape = encoder.table("point", COLUMNS), Tape()
    for number in range(0, ROWS, rows_of_one):
        announced = [encoder.relation(table)] if number == 0 else []
        rows = [encoder.insert(table.oid, row(number + further)) for further in range(rows_of_one)]
        tape.transaction(number + 1, *announced, *rows[: ROWS - number])
    rates = [ROWS / _seconds(tape.payloads, tmp_path) for _ in range(5)]
    print(f"{max(rates):,.0f} rows a second in transactions of {rows_of_one}")  # noqa: T201 - what a benchmark is for
    assert max(rates) > 200_000


def _seconds(payloads: list[bytes], folder: Path) -> float:
    assembly, start = Assembly(folder), time.process_time()
    assembly.feed(Wire.pack(payloads))
    while assembly.take(eager=True) is not None:
        pass
    return time.process_time() - start
