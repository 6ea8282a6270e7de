"""What the hub tells of itself: log lines of constant events, and metrics.

A log line is an event with ids and positions, never a record's values. As a safety net, whatever looks like an MPAN is
taken out of every line, other libraries' lines included.
"""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, TextIO

import structlog
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from structlog.typing import EventDict, Processor, WrappedLogger

from mdm.settings import LogFormat, LogLevel

REDACTED = "[redacted]"
_MPAN = re.compile(r"(?<![\d.])\d(?: ?\d){12}(?!\d)")
_SELF_WILLED = ("uvicorn", "uvicorn.access", "uvicorn.asgi", "uvicorn.error")
"""Loggers of libraries that give themselves handlers and levels, or keep their lines from the root."""

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)


def metrics() -> bytes:
    """Return all metrics in Prometheus's text format."""
    return generate_latest(REGISTRY)


def configure(log_format: LogFormat, level: LogLevel, *, stream: TextIO | None = None) -> None:
    """Write the log lines of this process, and of the libraries in it, to stream (standard error by default)."""
    target = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                redact,
                _renderer(log_format, colours=target.isatty()),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _SELF_WILLED:
        _send_to_root(logging.getLogger(name))
    if level is not LogLevel.DEBUG:
        logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells each of its plugins and steps


def _send_to_root(logger: logging.Logger) -> None:
    """Let all that a logger writes go through the root alone, whatever was set for it before."""
    logger.disabled, logger.propagate = False, True
    logger.handlers = []
    logger.setLevel(logging.NOTSET)


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Take out of a log line whatever looks like an MPAN: thirteen digits, as text or as a number."""
    return {key: _without_mpan(value) for key, value in event.items()}


def _without_mpan(value: Any) -> Any:
    match value:
        case bool() | float() | None:
            return value
        case int():
            return REDACTED if _MPAN.fullmatch(str(abs(value))) else value
        case Mapping():
            return {_without_mpan(key): _without_mpan(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_without_mpan(item) for item in value]
        case _:
            return _MPAN.sub(REDACTED, str(value))


def _renderer(log_format: LogFormat, *, colours: bool) -> Processor:
    if log_format is LogFormat.JSON:
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=colours)
