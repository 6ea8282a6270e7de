"""What a source says becomes an error of ours by SQLSTATE and place, and never quotes a row."""

import pytest

from mdm.capture import refusals
from mdm.capture.errors import (
    CaptureError,
    PublicationMissing,
    ReplicationForbidden,
    SlotActive,
    SlotLost,
    SlotMissing,
    SlotsExhausted,
    SlotUnusable,
    SourceDisconnected,
    SourceRefused,
    WalLevelTooLow,
)
from mdm.capture.refusals import Refusal, Request

REQUEST = Request(source="smrs10", slot="mdm_smrs10", publications=("mdm",))
INVALIDATED = 'can no longer access replication slot "mdm_smrs10"'


@pytest.mark.parametrize(
    ("sqlstate", "message", "place", "error"),
    [
        ("42704", 'publication "mdm" does not exist', "get_publication_oid", PublicationMissing),
        ("42704", "Publikation »mdm« existiert nicht", "get_publication_oid", PublicationMissing),
        ("55000", 'skipped loading publication "mdm"', "LoadPublications", PublicationMissing),
        ("42704", 'replication slot "mdm_smrs10" does not exist', "ReplicationSlotAcquire", SlotMissing),
        ("55006", 'replication slot "mdm_smrs10" is active for PID 42', "ReplicationSlotAcquire", SlotActive),
        ("55000", INVALIDATED, "ReplicationSlotAcquire", SlotLost),
        ("55000", 'cannot read from logical replication slot "mdm_smrs10"', "CreateDecodingContext", SlotLost),
        ("58P01", "requested WAL segment 000000010000000000000001 has already been removed", "", SlotLost),
        ("55000", "logical decoding requires wal_level >= logical", "CheckLogicalDecodingRequirements", WalLevelTooLow),
        ("55000", 'replication slot "mdm_smrs10" was not created in this database', "", SlotUnusable),
        ("42710", 'replication slot "mdm_smrs10" already exists', "ReplicationSlotCreate", SlotUnusable),
        ("53400", "all replication slots are in use", "ReplicationSlotCreate", SlotsExhausted),
        ("42501", "permission denied to use replication slots", "", ReplicationForbidden),
        ("57P01", "terminating connection due to administrator command", "ProcessInterrupts", SourceDisconnected),
        ("", "", "", SourceDisconnected),
        ("53200", "out of memory", "", SourceRefused),
    ],
)
def test_each_refusal_has_its_own_error(sqlstate: str, message: str, place: str, error: type[CaptureError]) -> None:
    assert type(refusals.error(Refusal(sqlstate=sqlstate, message=message, place=place), REQUEST)) is error


def test_words_that_may_quote_a_row_are_left_out() -> None:
    refusal = Refusal(sqlstate="22P02", message='invalid input syntax for type integer: "secret"', place="")
    assert "secret" not in str(refusals.error(refusal, REQUEST))
    assert "22P02" in str(refusals.error(refusal, REQUEST))


def test_an_identifier_is_quoted_in_what_is_to_be_run() -> None:
    assert refusals.quoted('a"b') == '"a""b"'
