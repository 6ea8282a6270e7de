"""How far the loads of sources are, as bars on the terminal of whoever runs `mdm capture`."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from mdm import db
from mdm.db import Connection
from mdm.errors import MdmError

_log = structlog.get_logger(__name__)

_BETWEEN_LOOKS = 0.5


@contextmanager
def shown(hub_dsn: str, names: Sequence[str]) -> Iterator[None]:
    """Show a bar for each source that is being loaded on standard error while the block runs."""
    stop = threading.Event()
    thread = threading.Thread(target=_show, args=(hub_dsn, names, stop), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _show(hub_dsn: str, names: Sequence[str], stop: threading.Event) -> None:
    columns = (
        TextColumn("{task.description:10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("chunks  {task.fields[rows]:>12,} rows  {task.fields[state]}"),
        TimeElapsedColumn(),
    )
    try:
        with (
            db.connect(hub_dsn, application_name="mdm progress") as hub,
            Progress(*columns, console=Console(stderr=True), transient=True) as progress,
        ):
            tasks: dict[str, TaskID] = {}
            while not stop.wait(_BETWEEN_LOOKS):
                _look(hub, names, progress, tasks)
    except (MdmError, psycopg.Error):
        _log.warning("progress.ended")


def _look(hub: Connection, names: Sequence[str], progress: Progress, tasks: dict[str, TaskID]) -> None:
    for name, state, rows, done, chunks in hub.execute(_LOOK, [list(names)]).fetchall():
        if state == "streaming":
            if name in tasks:
                progress.remove_task(tasks.pop(name))
            continue
        if name not in tasks:
            tasks[name] = progress.add_task(name, rows=0, state=state, total=None)
        progress.update(tasks[name], total=chunks or None, completed=done, rows=rows, state=state)


_LOOK = """
select s.name, c.state, coalesce((select sum(l.rows) from hub.table_load l where l.source_id = c.source_id), 0)::bigint,
       count(k.done_at), count(k.chunk_no)
from golden.source_system s
join hub.checkpoint c using (source_id)
left join hub.snapshot_chunk k using (source_id)
where s.name = any (%s) group by s.name, c.source_id, c.state order by s.name
"""
