"""A portfolio moves from one supplier to another in one transaction: what happens when a supplier fails."""

from dataclasses import dataclass
from datetime import date

from mdm import db
from mdm.demo.market import Dsns, Source
from mdm.demo.systems.system import Action
from mdm.demo.writing import Transaction, Writer, acting

_PORTFOLIO = """
select s.mpan
from supplier_period s join metering_point p using (mpan)
where s.mpan > %(after)s and s.effective_to is null and s.supplier_mpid = %(leaving)s and s.effective_from < %(day)s
  and p.mpan_status = 'R' and s.mpan <> all(%(without)s)
  and not exists (select from linked_metering_point l where l.mpan = s.mpan)
  and exists (select from appointment a where a.mpan = s.mpan and a.status = 'ACTIVE' and a.effective_from < %(day)s)
  and not exists (select from appointment a where a.mpan = s.mpan
                  and (a.effective_from >= %(day)s or a.status in ('PROPOSED', 'ACCEPTED')))
order by s.mpan limit %(points)s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Portfolio:
    """Some of a supplier's points in one registration; those above `after`, at most so many."""

    source: Source
    leaving: str
    points: int
    after: str = ""


def find(connection: db.Connection, portfolio: Portfolio, *, day: date, without: tuple[str, ...] = ()) -> list[str]:
    """Return the MPANs that may move on that day."""
    parameters = {
        "after": portfolio.after,
        "leaving": portfolio.leaving,
        "points": portfolio.points,
        "day": day,
        "without": list(without),
    }
    return [mpan for (mpan,) in connection.execute(_PORTFOLIO, parameters)]


def transactions(source: Source, mpans: list[str], *, supplier: str, day: date) -> list[Transaction]:
    """Return the transfer: one transaction in the registration, then one in each system that copies it."""
    parameters = {"mpans": mpans, "supplier": supplier, "day": day, "suffix": "-001"}
    steps = ((Action.SWITCH_SUPPLIER, parameters), (Action.FOLLOW_SUPPLIER, parameters))
    written = [acting(place, *steps) for place in (source, Source.MSS, Source.MSA, Source.UMSO, Source.MDS)]
    return [transaction for each in written for transaction in each]


def run(dsns: Dsns, portfolio: Portfolio, *, taking: str, day: date) -> dict[Source, int]:
    """Move a portfolio, one transaction in each system however large; return the rows changed by source."""
    with Writer(dsns) as writer:
        moving = find(writer.connection(portfolio.source), portfolio, day=day)
        return writer.write([transactions(portfolio.source, moving, supplier=taking, day=day)])
