"""The lines that a demo says while it runs."""

from mdm import db
from mdm.demo.filling import Filled
from mdm.demo.ledger import Summary
from mdm.demo.logbook import KEEPER
from mdm.demo.looks import Look
from mdm.demo.market import Dsns
from mdm.demo.served import Api


def of_market(filled: Filled, seconds: float) -> str:
    """Say what the market is, and how fast it was filled."""
    what = f"{filled.metering_points:,} metering points of seed {filled.seed}"
    if filled.loaded is None:
        return f"The market goes on: it was filled with {what}"
    rate = filled.loaded.rows / max(seconds, 0.01)
    return f"The market is filled: {what}, {filled.loaded.rows:,} rows in 6 databases ({rate:,.0f} rows/s)"


def of_load(look: Look, filled: Filled, seconds: float) -> str:
    """Say what the initial load has brought into the hub."""
    rows = sum(source.rows_loaded for source in look.sources)
    rate = "" if filled.loaded is None else f" ({rows / max(seconds, 0.01):,.0f} rows/s, the workers' start included)"
    return f"The hub has the market: {rows:,} rows of its sources are mastered{rate}"


def of_changes(work: Summary, seconds: float) -> str:
    """Say that the hub has caught up with the changes; `seconds` from the first change on."""
    return f"The hub has caught up: {work.changes:,} changes are mastered ({work.changes / max(seconds, 0.01):,.0f}/s)"


def of_api(api: Api, dsns: Dsns) -> str:
    """Say how to use the API while the demo runs."""
    with db.connect(dsns[KEEPER]) as connection:
        row = connection.execute("select min(mpan) from metering_point where mpan_status = 'R'").fetchone()
    examples = "\n".join(f"  {example}" for example in api.examples(row[0] if row else "1000000000000"))
    return f"The market changes from now on; Ctrl-C ends the demo. Its API key, until then: {api.key}\nTry:\n{examples}"
