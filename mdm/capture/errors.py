"""What can go wrong between a source's write-ahead log and the hub; each message says what happened and what mends it.

No message holds a value of a captured row.
"""

from mdm.capture.lsn import Lsn
from mdm.errors import MdmError


class CaptureError(MdmError):
    """Capture cannot go on; `passes` tells whether trying again later may help without anybody's doing."""

    passes = False


class DecodeError(CaptureError):
    """A message of the stream cannot be read: it is malformed, or of a kind that was not asked for."""

    def __init__(self, problem: str, *, lsn: Lsn | None = None, kind: str | None = None) -> None:
        where = "" if lsn is None else f" (message {kind!r} at {lsn})"
        super().__init__(
            f"The replication stream cannot be read: {problem}{where}. Nothing of it was applied; capture starts anew "
            "from the checkpoint. If it fails there again, check that nothing alters the stream on its way and that "
            "the source is PostgreSQL 14 or later."
        )
        self.problem = problem
        self.lsn = lsn
        self.kind = kind


class SpoolFailed(CaptureError):
    """A large transaction in progress cannot be kept on the disk beside the hub, most often because it is full."""


class SourceDisconnected(CaptureError):
    """The source ended the stream; a new connection goes on from the checkpoint."""

    passes = True


class SourceRefused(CaptureError):
    """The source refused a replication command, or ended the stream with an error of its own."""


class StreamClosed(CaptureError):
    """The stream was closed on this side."""


class WalLevelTooLow(CaptureError):
    """The source's server writes no WAL that can be decoded."""


class ReplicationForbidden(CaptureError):
    """The role may not replicate."""


class TableForbidden(CaptureError):
    """The role may not read a captured table."""


class TableMissing(CaptureError):
    """A table that is to be captured does not exist."""


class PublicationMissing(CaptureError):
    """The publication does not exist; from PostgreSQL 18 the source would skip its changes without an error."""


class PublicationIncomplete(CaptureError):
    """The publication leaves out a table, or a kind of change, that is to be captured."""


class ReplicaIdentityMissing(CaptureError):
    """A table's updates and deletes do not tell which row they mean, so the source itself would refuse them."""


class SlotMissing(CaptureError):
    """The slot does not exist, so the changes since the checkpoint are no longer kept."""


class SlotLost(CaptureError):
    """The source has invalidated the slot and removed WAL that the hub has not captured."""


class SlotActive(CaptureError):
    """Another session reads the slot; this one may stand by and try again."""

    passes = True


class SlotUnusable(CaptureError):
    """A slot of this name exists, but for another plugin, another database or another purpose."""


class SlotAhead(CaptureError):
    """The slot was confirmed beyond the checkpoint: the source would skip the changes between without a word."""


class SlotsExhausted(CaptureError):
    """The source's server has no slot or no sender left."""


class SourceReplaced(CaptureError):
    """The server at the source's address is another cluster than the one that was captured."""


class TimelineChanged(CaptureError):
    """The source was promoted or restored: positions of the old timeline need not mean the same in the new one."""


class SourceRewound(CaptureError):
    """The source's WAL ends before the checkpoint: it was set back to an older state."""
