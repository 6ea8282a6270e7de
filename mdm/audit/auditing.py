"""Runs an audit: opens each place that is asked for, puts the rules to it, and says what was found."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from mdm.audit import golden, view_audits
from mdm.audit.asked import Asked, Note
from mdm.audit.expectations import Auditor
from mdm.audit.findings import Finding, Run
from mdm.audit.putting import Place
from mdm.audit.snapshot import open_snapshot
from mdm.audit.source_audits import SourcePlace
from mdm.distribution import equality


def run(hub_dsn: str, sources: Sequence[SourcePlace], asked: Asked, *, by: str, note: Note) -> Run:
    """Audit what is asked for: the golden store, these sources, the views. Nothing is written anywhere.

    The run has no id before store.keep() gives it one.
    """
    began = datetime.now(UTC)
    findings = [*_of_hub(hub_dsn, asked, note)]
    for source in sources:
        with _placed(f"source {source.name}", source.dsn, note) as place:
            findings += source.audit(place, asked)
    return Run(
        run_id=None,
        started_at=began,
        finished_at=datetime.now(UTC),
        asked_for=asked.as_json(),
        by=by,
        findings=findings,
    )


def _of_hub(dsn: str, asked: Asked, note: Note) -> Iterator[Finding]:
    """Audit the golden store and the views as of one moment."""
    if asked.source is not None:
        return
    with _placed(golden.NAME, dsn, note) as place:
        if asked.is_of_golden_records:
            yield from golden.audit(place, asked)
        views = view_audits.choose(equality.list_views(place.session), asked)
        if views and asked.sample is None and asked.entity is None:
            yield from view_audits.equalities(place, views)
        for view in views:
            there = Place(name=view_audits.name_of(view), session=place.session, auditor=place.auditor, note=note)
            yield from view_audits.audit(there, view, asked)


@contextmanager
def _placed(name: str, dsn: str, note: Note) -> Iterator[Place]:
    with open_snapshot(dsn) as session:
        yield Place(name=name, session=session, auditor=Auditor(session), note=note)
