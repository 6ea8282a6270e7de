"""What PostgreSQL says about its folder is told with what to do."""

from pathlib import Path

import pytest

from mdm import cluster


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('PANIC:  could not write to file "pg_wal/xlogtemp.7": No space left on device', "Free some space"),
        ("FATAL:  could not map anonymous shared memory: Cannot allocate memory", "not enough memory"),
        ("FATAL:  database files are incompatible with server", "another version"),
        ('initdb: error: could not change permissions: Permission denied"', "account that made it"),
        ("initdb: error: Read-only file system", "Choose another folder"),
        ("PANIC:  could not locate a valid checkpoint record", "is damaged"),
        ("2026-11-21 [7] FATAL:  the moon is full", "It said: the moon is full"),
        ("no words of the usual form", "It said: no words of the usual form"),
    ],
)
def test_a_fault_is_explained(said: str, told: str) -> None:
    explanation = cluster.explain(said, Path("/folder"))
    assert told in explanation
    assert "/folder" in explanation


def test_a_long_log_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_LARGEST_LOG", 10)
    cluster.log(tmp_path).write_text("more than ten letters")
    assert cluster.shorten_log(tmp_path) == 0
    cluster.log(tmp_path).write_text("fewer")
    assert cluster.shorten_log(tmp_path) == 5
    assert cluster.log_since(tmp_path, 2) == "wer"
