"""Bringing declared sources and the hub together: which there are, where they are, and their ids in the hub."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from golden_records import reference
from golden_records.reference import SourceSystem
from mdm import db, embedded
from mdm.capture import capturing, catalog, checkpoint, compiled, crashes, prerequisites, sources
from mdm.capture.capturing import Captured
from mdm.capture.compiled import SchemaBroken
from mdm.capture.errors import CaptureError
from mdm.capture.sources import Source
from mdm.capture.status import Watched
from mdm.db import Connection
from mdm.errors import MdmError
from mdm.settings import Settings
from mdm.stewardship import terms


class SourceUnknown(MdmError):
    """No declaration has the name that was asked for."""

    exit_code = 2


def choose(settings: Settings, names: Iterable[str] = ()) -> list[Source]:
    """Return the declared sources of these names, or all; raises SourceUnknown or DeclarationFault."""
    declared = sources.load_all(settings.source_files())
    wanted = list(names) or sorted(declared)
    if unknown := [name for name in wanted if name not in declared]:
        raise SourceUnknown(
            f"No source is declared as {', '.join(unknown)}. Declared are {', '.join(sorted(declared)) or 'none'}; "
            "MDM_SOURCES says where declarations are looked for."
        )
    return [declared[name] for name in wanted]


def dsn(source: Source, settings: Settings, environment: Mapping[str, str] | None = None) -> str:
    """Return a source's address: of its own setting, else the database of its name in the simulated market."""
    known = os.environ if environment is None else environment
    if source.dsn_setting and known.get(source.dsn_setting):
        return known[source.dsn_setting]
    return embedded.start(settings.market_folder).dsn(source.source)


def find_dsn(source: Source, settings: Settings, environment: Mapping[str, str] | None = None) -> str | None:
    """Return a source's address without starting anything; None for the market's while that does not run."""
    known = os.environ if environment is None else environment
    if source.dsn_setting and known.get(source.dsn_setting):
        return known[source.dsn_setting]
    market = embedded.find(settings.market_folder)
    return None if market is None else market.dsn(source.source)


def watch(settings: Settings, names: Iterable[str] = ()) -> list[Watched]:
    """Return the declared sources with their addresses, as status looks at them."""
    return [Watched(source=source, dsn=find_dsn(source, settings)) for source in choose(settings, names)]


def list_problems(connection: Connection, source: Source) -> list[CaptureError]:
    """Return everything that keeps a source from being captured; `connection` is one of chunks.connect()."""
    found = prerequisites.list_problems(connection, capturing.request(source), sorted(source.tables))
    return found or list(_unfitting(connection, source))


def _unfitting(connection: Connection, source: Source) -> Iterator[SchemaBroken]:
    """Yield where the mapping names what a table has not."""
    for table in catalog.list_tables(connection, source.publication, source.tables):
        try:
            compiled.compile_table(source, source.tables[table.name], table.relation)
        except SchemaBroken as broken:
            yield broken


def register(hub: Connection, source: Source) -> int:
    """Write a source system into the hub, as new if it is; return its id."""
    with db.transaction(hub):
        source_id = reference.register(
            hub,
            SourceSystem(
                name=source.source,
                kind=source.kind,
                participant=source.participant,
                distributors=source.distributors or None,
            ),
        )
        checkpoint.register(hub, source_id=source_id, slot=source.slot)
    return source_id


def captured(hub_dsn: str, source: Source, source_dsn: str, settings: Settings) -> Captured:
    """Register a source and return all that a worker needs to capture it."""
    with db.connect(hub_dsn) as hub:
        source_id, hub_id = register(hub, source), capturing.hub_id(hub)
    return Captured(
        source=source,
        source_id=source_id,
        source_dsn=source_dsn,
        hub_dsn=hub_dsn,
        hub_id=hub_id,
        spool_folder=spool_folder(settings, source),
        batch_rows=settings.batch_rows,
        linger=settings.batch_milliseconds / 1000,
        feed_days=settings.feed_days,
        terms=terms.of(settings),
        at=crashes.armed(os.environ.get("MDM_CRASH_AT")),
    )


def spool_folder(settings: Settings, source: Source) -> Path:
    """Return where large transactions of a source wait while they are in progress."""
    return settings.data_folder / "spool" / source.source
