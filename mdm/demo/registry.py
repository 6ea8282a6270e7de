"""Which system each source of the market is."""

from mdm.demo.market import Source
from mdm.demo.systems import mds, msa, mss, smrs, umso
from mdm.demo.systems.system import System

SYSTEMS: dict[Source, System] = {
    Source.SMRS10: smrs.SYSTEM,
    Source.SMRS20: smrs.SYSTEM,
    Source.MSS: mss.SYSTEM,
    Source.MSA: msa.SYSTEM,
    Source.UMSO: umso.SYSTEM,
    Source.MDS: mds.SYSTEM,
}


def serving(mpid: str) -> Source | None:
    """Return the source of a metering service, or None where the market has no database of it."""
    return next((source for source, system in SYSTEMS.items() if system.service and system.service.mpid == mpid), None)
