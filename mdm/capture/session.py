"""One run of a source's capture by the worker that holds its lock: batches in, mastered, checkpointed, confirmed.

Law 1 is kept here: a batch's changes and the checkpoint commit in one hub transaction, and only then is the slot
confirmed. Law 2: the parts of a large source transaction are mastered in one hub transaction. Law 3: a batch is cut at
the marks of a load, so that a chunk is mastered where it stands in the order of commits, in a transaction of its own.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import polars as pl
import structlog

from golden_records import statistics
from mdm import assembling, claiming, db, mastering
from mdm.batches import MappedBatch
from mdm.capture import checkpoint, isolating, loads, mapping, replication, rowwise, slots, starting, stream
from mdm.capture.backlog import Limits
from mdm.capture.capturing import Captured
from mdm.capture.checkpoint import Checkpoint, Move, Position, Progress, State
from mdm.capture.chunks import Place
from mdm.capture.crashes import Point
from mdm.capture.handing import LARGEST, Handed
from mdm.capture.isolating import Take
from mdm.capture.keeping import Keeping
from mdm.capture.lane import Lane
from mdm.capture.loading import Loading, Step
from mdm.capture.lsn import Lsn
from mdm.capture.pipeline import Pipeline, Prepared
from mdm.capture.reading import Reader, parse_mark
from mdm.capture.retrying import retried
from mdm.capture.stream import ChangeStream
from mdm.db import Connection

_log = structlog.get_logger(__name__)

_PATIENCE = 0.1
_BETWEEN_LOOKS = 0.02
_ENOUGH = 2_500  # changes to hand over at once: the smaller, the more of one time is mastered together
_ASSEMBLED_AT_ONCE = 1_000
_BETWEEN_CHORES = 1.0


class Interrupted(Exception):
    """The worker was asked to stop, or to begin anew: not an error. What was not committed comes again."""


@dataclass(slots=True)
class Rate:
    """Changes mastered a second, over about the last ten seconds."""

    value: float = 0.0
    _at: float = field(default_factory=time.monotonic)

    def add(self, changes: int) -> float:
        """Count changes that were mastered since the last call; return the rate."""
        now = time.monotonic()
        passed, self._at = max(now - self._at, 1e-6), now
        weight = min(passed / 10.0, 1.0)
        self.value += weight * (changes / passed - self.value)
        return self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class _Share:
    """What one hub transaction masters, where the hub stands behind it, and when the last of it was committed.

    `batch` is it, where it is no more than changes that may be mastered together with those of other sources.
    """

    steps: list[Step]
    reached: Position
    source_at: datetime | None = None
    batch: MappedBatch | None = None


@dataclass(slots=True, kw_only=True)
class Session:
    """The state of a run. `run` returns when `stop` is set; whatever goes wrong is raised, and nothing is confirmed.

    `position` is behind all that was taken off the stream, `mastered` behind what the hub has committed of it.
    """

    captured: Captured
    hub: Connection
    stop: threading.Event
    state: Checkpoint
    lane: Lane
    position: Position = field(init=False)
    mastered: Position = field(init=False)
    handed: Handed = field(init=False)
    keeping: Keeping = field(init=False)
    rate: Rate = field(default_factory=Rate)
    _began_at: int = 0  # where the source's log ended then
    _has_loads: bool = False
    _others_load: bool = False
    _chores_at: float = 0.0

    def run(self) -> None:
        """Capture until asked to stop. Raises CaptureError, or what psycopg raises when a server is gone."""
        starting.prepare(self.captured, self.hub, self.state, self.stop)
        self.state = checkpoint.get(self.hub, self.captured.source_id)
        if self.stop.is_set() or self.state.position is None:
            return
        self.position = self.mastered = self.state.position
        self.keeping = Keeping(captured=self.captured, hub=self.hub)
        self.handed = Handed(hub=self.hub, source_id=self.captured.source_id, worker=self.state.worker)
        self.handed.withdraw()  # what an earlier worker has left comes again from the checkpoint
        checkpoint.recover(self.hub, self.captured.source_id)
        with ExitStack() as stack:
            source = stack.enter_context(self._stream())
            pipeline = stack.enter_context(Pipeline(source, self.captured.mapper(self.state.offset)))
            run = uuid.uuid4().hex[:12]
            reader = stack.enter_context(Reader(self.captured.source_dsn, run=run, at=self.captured.at))
            with suppress(Interrupted):
                self._run(source, pipeline, self._loading(reader))
            self.handed.withdraw()

    def _run(self, source: ChangeStream, pipeline: Pipeline, loading: Loading) -> None:
        _log.info("stream.began", source=self.captured.name, lsn=str(self.position.end_lsn))
        confirmed = self.mastered
        while not self.stop.is_set():
            prepared = self._next(pipeline)
            if prepared is not None:
                self.captured.at(Point.BATCH_TAKEN)
                self._master(prepared, pipeline, loading)
            self._look_after_handed(pipeline)
            if self.mastered != confirmed:
                source.confirm(Lsn(self.mastered.end_lsn - self.state.offset))
                confirmed = self.mastered
                self.captured.at(Point.SLOT_CONFIRMED)
            self._work_besides(loading)

    def _next(self, pipeline: Pipeline) -> Prepared | None:
        self.lane.check()
        if self.handed.is_full:
            self.stop.wait(_BETWEEN_LOOKS)
            return None
        return pipeline.take(timeout=0 if self._may_assemble else _PATIENCE)

    def _stream(self) -> ChangeStream:
        connection = replication.connect(self.captured.stream_dsn)
        self._began_at = slots.identify(connection).wal_end
        return stream.start(
            connection,
            self.captured.request,
            at=Lsn(self.position.end_lsn - self.state.offset),
            spool_folder=self.captured.spool_folder,
            limits=Limits(rows=self.captured.batch_rows, enough=_ENOUGH, few=rowwise.MOST),
            linger=self.captured.linger,
        )

    def _loading(self, reader: Reader) -> Loading:
        return Loading(
            captured=self.captured,
            hub=self.hub,
            worker=self.state.worker,
            mapper=self.captured.mapper(self.state.offset),
            reader=reader,
        )

    def _master(self, prepared: Prepared, pipeline: Pipeline, loading: Loading) -> None:
        """Master a batch and move the checkpoint: all parts of a large transaction in one hub transaction."""
        shares = self._shares(prepared, loading)
        together = shares[0].batch if prepared.batch.complete and len(shares) == 1 else None
        if together is None:
            self._await_handed(pipeline)
        if not prepared.batch.complete:
            # The parts that were taken off the pipeline are gone: only a whole batch can be tried again at once.
            self._commit(self._of_all_parts(prepared, shares, pipeline, loading), pipeline)
            return
        if together is not None:
            self._hand_over(shares[0], together, pipeline)
            return
        if prepared.mapped is not None:
            self._retried(partial(self._claim, prepared.mapped))
        for share in shares:
            self._retried(partial(self._commit, [share], pipeline))

    def _of_all_parts(
        self, prepared: Prepared, shares: list[_Share], pipeline: Pipeline, loading: Loading
    ) -> Iterator[_Share]:
        yield from shares
        while not prepared.batch.complete:
            prepared = self._next_part(pipeline)
            yield from self._shares(prepared, loading, take=isolating.go_on)

    def _commit(self, shares: Iterable[_Share], pipeline: Pipeline) -> None:
        changes, reached, source_at = 0, self.position, datetime.now(UTC)
        with db.transaction(self.hub):
            checkpoint.fence(self.hub, self.captured.source_id, self.state.worker)
            for share in shares:
                for step in share.steps:
                    changes += step(self.hub)
                    self.captured.at(Point.PART_MASTERED)
                reached, source_at = _later(self.position, share.reached), share.source_at or source_at
            pipeline.expect()
            if changes:
                mastering.finish(self.hub)
            progress = Progress(changes=changes, rate=self.rate.add(changes), source_at=source_at)
            checkpoint.advance(self.hub, self._move(reached, progress))
            self.captured.at(Point.CHECKPOINT_WRITTEN)
        self.captured.at(Point.HUB_COMMITTED)
        self.position = self.mastered = reached

    def _hand_over(self, share: _Share, batch: MappedBatch, pipeline: Pipeline) -> None:
        """Have changes mastered together with those of other sources; here, if PostgreSQL refuses even to keep them."""
        reached, changes = _later(self.position, share.reached), batch.changes.height
        source_at = share.source_at or datetime.now(UTC)
        progress = Progress(changes=changes, rate=self.rate.add(changes), source_at=source_at)
        try:
            is_behind = reached.end_lsn - self.state.offset < self._began_at
            self.handed.put(self._move(reached, progress), batch, is_behind=is_behind)
        except isolating.REFUSED:
            self._await_handed(pipeline)
            self._retried(partial(self._commit, [share], pipeline))
        else:
            self.position = reached
            self.captured.at(Point.BATCH_HANDED)

    def _look_after_handed(self, pipeline: Pipeline) -> None:
        """See how far the hub has come with what was handed over, and master what it gives back."""
        if not self.handed:
            return
        self.mastered, given_back = self.handed.look()
        if given_back:
            self.position = self.mastered
        for move, batch in given_back:
            steps = self._changes(batch, mastering.apply)
            share = _Share(steps=steps, reached=move.reached, source_at=move.progress.source_at)
            self._retried(partial(self._commit, [share], pipeline))

    def _await_handed(self, pipeline: Pipeline) -> None:
        """Wait until all that was handed over is mastered: what comes now is mastered by this worker, behind it."""
        while self.handed:
            self.lane.check()
            self._look_after_handed(pipeline)
            if self.handed and self.stop.wait(_BETWEEN_LOOKS):
                raise Interrupted

    def _move(self, reached: Position, progress: Progress) -> Move:
        return Move(source_id=self.captured.source_id, known=self.position, reached=reached, progress=progress)

    def _claim(self, mapped: MappedBatch) -> None:
        """Claim new keys; one that PostgreSQL refuses is met again, and held back, when its record is mastered."""
        with suppress(*isolating.REFUSED), db.transaction(self.hub):
            claiming.claim(self.hub, mapped)

    def _next_part(self, pipeline: Pipeline) -> Prepared:
        while (prepared := pipeline.take(timeout=_PATIENCE)) is None:
            if self.stop.is_set():
                raise Interrupted
        return prepared

    def _shares(self, prepared: Prepared, loading: Loading, *, take: Take = mastering.apply) -> list[_Share]:
        """Cut a batch at the marks of the load at hand: changes and chunks, in order, each for a hub transaction.

        What is mastered in one round takes its locks in one order; two rounds in a transaction, and workers of several
        sources would stand in each other's way for ever.
        """
        batch, shares = prepared.batch, list[_Share]()
        if prepared.mapped is None:
            return [self._share([], batch.transactions, batch.end_lsn)]
        done = int((batch.transactions["commit_lsn"] + self.state.offset <= self.position.commit_lsn).sum())
        if done:
            _log.info("batch.known", source=self.captured.name, transactions=done)
        rest = unseen = mapping.after(prepared.mapped, done - 1) if done else prepared.mapped
        for message in batch.messages:
            parsed = parse_mark(message.prefix, message.content)
            if parsed is None or message.tx is None or message.tx < done or not loading.owns(parsed[1]):
                continue
            loading.note(mapping.until(unseen, message.tx))
            unseen = mapping.after(unseen, message.tx)
            place = _place(batch.transactions.row(message.tx, named=True))
            if steps := loading.at_mark(*parsed, place):
                if changes := self._changes(mapping.until(rest, message.tx), take):
                    shares.append(self._share(changes, batch.transactions.head(message.tx)))
                shares.append(self._share(steps, batch.transactions.head(message.tx + 1)))
                rest = mapping.after(rest, message.tx)
        loading.note(unseen)
        last = self._share(self._changes(rest, take), batch.transactions, batch.end_lsn)
        is_whole = rest.changes.height <= min(self.captured.batch_rows, LARGEST)
        if is_whole and not (rest.changes["op"] == "t").any():
            last = replace(last, batch=rest)
        if shares and not last.steps:
            return [*shares[:-1], replace(shares[-1], reached=last.reached)]
        return [*shares, last]

    def _share(self, steps: list[Step], transactions: pl.DataFrame, end_lsn: Lsn | None = None) -> _Share:
        """Return a share that takes the hub behind these transactions, or behind all up to an LSN."""
        offset = self.state.offset
        if transactions.is_empty():
            return _Share(steps=steps, reached=Position(commit_lsn=Lsn(0), end_lsn=Lsn((end_lsn or 0) + offset)))
        last = transactions.row(-1, named=True)
        return _Share(
            steps=steps,
            reached=Position(
                commit_lsn=Lsn(last["commit_lsn"] + offset), end_lsn=Lsn((end_lsn or last["end_lsn"]) + offset)
            ),
            source_at=last["committed_at"],
        )

    def _changes(self, mapped: MappedBatch, take: Take) -> list[Step]:
        parts = mapping.split(mapped, rows=self.captured.batch_rows)
        return [partial(_take, take, part) for part in parts if part.changes.height]

    def _work_besides(self, loading: Loading) -> None:
        """Go on with loading and assembling, and now and then look after what else is due."""
        if time.monotonic() >= self._chores_at + _BETWEEN_CHORES:
            self._do_chores()
            self._chores_at = time.monotonic()
        if self._has_loads:
            self._has_loads = loading.begin_next()
        elif self.state.assembled is None:
            self._enter(State.STREAMING)
        else:
            self._enter(State.ASSEMBLING)
            if self._may_assemble:
                self._retried(self._assemble)

    @property
    def _may_assemble(self) -> bool:
        return self.state.assembled is not None and not self._has_loads and not self._others_load

    def _do_chores(self) -> None:
        present = checkpoint.get(self.hub, self.captured.source_id)
        if present.reload_requested:
            raise Interrupted
        if not self._has_loads and loads.are_waiting(self.hub, self.captured.source_id):
            self._has_loads = True
            if self.state.state is State.STREAMING:
                self._enter(State.RELOADING)
        self._others_load = self.state.assembled is not None and checkpoint.are_others_loading(
            self.hub, self.captured.source_id
        )
        self.keeping.go_on()

    def _assemble(self) -> None:
        """Master the next golden records that the initial load took in."""
        with db.transaction(self.hub):
            checkpoint.fence(self.hub, self.captured.source_id, self.state.worker)
            after = assembling.assemble(
                self.hub,
                after=self.state.assembled or 0,
                limit=_ASSEMBLED_AT_ONCE,
                now=datetime.now(UTC),
            )
            mastering.finish(self.hub)
            checkpoint.note_assembled(self.hub, self.captured.source_id, after)
            self.captured.at(Point.RANGE_ASSEMBLED)
        self.captured.at(Point.RANGE_COMMITTED)
        self.state = replace(self.state, assembled=after)
        if after is None:
            _log.info("load.assembled", source=self.captured.name)

    def _retried(self, work: Callable[[], None]) -> None:
        retried(work, source=self.captured.name)

    def _enter(self, state: State) -> None:
        if self.state.state is not state:
            statistics.renew(self.hub, changed_share=0.1)
            with db.transaction(self.hub):
                checkpoint.fence(self.hub, self.captured.source_id, self.state.worker)
                checkpoint.enter(self.hub, self.captured.source_id, state)
            _log.info("capture.entered", source=self.captured.name, state=state)
            self.state = replace(self.state, state=state)


def _take(take: Take, part: MappedBatch, hub: Connection) -> int:
    return isolating.master(hub, part, take)


def _place(transaction: dict[str, Any]) -> Place:
    return Place(commit_lsn=Lsn(transaction["commit_lsn"]), first_ordinal=1, committed_at=transaction["committed_at"])


def _later(known: Position, reached: Position) -> Position:
    """Return where the hub stands when it has come so far; neither of the two positions ever moves back."""
    return Position(commit_lsn=max(known.commit_lsn, reached.commit_lsn), end_lsn=max(known.end_lsn, reached.end_lsn))
