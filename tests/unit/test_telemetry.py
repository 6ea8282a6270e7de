"""Log lines are constant events without personal values."""

import io
import json
import logging

import pytest
import structlog

from mdm import telemetry
from mdm.settings import LogFormat, LogLevel

MPAN = "1012345678901"


@pytest.fixture
def lines() -> io.StringIO:
    """The JSON log lines of this process, while the test runs."""
    written = io.StringIO()
    telemetry.configure(LogFormat.JSON, LogLevel.INFO, stream=written)
    return written


def test_a_line_is_an_event_with_its_positions(lines: io.StringIO) -> None:
    structlog.get_logger("mdm.capture").info("batch.mastered", source="smrs10", lsn="16/B374D848", rows=20_000)
    line = json.loads(lines.getvalue())
    assert line["event"] == "batch.mastered"
    assert (line["source"], line["lsn"], line["rows"]) == ("smrs10", "16/B374D848", 20_000)
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    "value", [MPAN, f"key {MPAN} twice", int(MPAN), [MPAN], {"mpan": MPAN}, {MPAN: 1}, (int(MPAN),), "10 1234 5678 901"]
)
def test_what_looks_like_an_mpan_is_redacted(lines: io.StringIO, value: object) -> None:
    structlog.get_logger("mdm").info("event", value=value)
    line = json.loads(lines.getvalue())
    del line["timestamp"]  # whose digits may be any
    assert telemetry.REDACTED in json.dumps(line)
    assert "5678" not in json.dumps(line)


def test_an_exception_is_redacted_too(lines: io.StringIO) -> None:
    try:
        int(f"x{MPAN}")
    except ValueError:
        structlog.get_logger("mdm").exception("event")
    assert "ValueError" in lines.getvalue()
    assert MPAN not in lines.getvalue()


def test_another_librarys_lines_are_redacted_too(lines: io.StringIO) -> None:
    logging.getLogger("uvicorn.access").info("GET /points/%s", MPAN)
    assert json.loads(lines.getvalue())["event"] == f"GET /points/{telemetry.REDACTED}"


def test_a_librarys_lines_come_whatever_was_set_for_its_logger_before() -> None:
    own, written = io.StringIO(), io.StringIO()
    logger = logging.getLogger("uvicorn.access")
    logger.disabled, logger.propagate = True, False
    logger.setLevel(logging.WARNING)
    logger.addHandler(logging.StreamHandler(own))
    telemetry.configure(LogFormat.JSON, LogLevel.INFO, stream=written)
    logger.info("GET /points/%s", MPAN)
    assert json.loads(written.getvalue())["event"] == f"GET /points/{telemetry.REDACTED}"
    assert own.getvalue() == ""


@pytest.mark.parametrize("value", [123456789012, 12345678901234, 1.5, True, None, "16/B374D848", "2026-11-21"])
def test_other_values_stay(lines: io.StringIO, value: object) -> None:
    structlog.get_logger("mdm").info("event", value=value)
    assert json.loads(lines.getvalue())["value"] == value


def test_lines_below_the_level_are_not_written(lines: io.StringIO) -> None:
    structlog.get_logger("mdm").debug("event")
    assert lines.getvalue() == ""


def test_metrics_are_in_prometheus_text_format() -> None:
    assert b"# TYPE python_info gauge" in telemetry.metrics()
