"""What is set for the log lines of the process, kept as a test found it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog


@dataclass(frozen=True, slots=True)
class _Settings:
    """What can be set for a logger; by default as of one that was made a moment ago."""

    handlers: list[logging.Handler] = field(default_factory=list)
    level: int = logging.NOTSET
    propagate: bool = True
    disabled: bool = False


@contextmanager
def as_found() -> Iterator[None]:
    """Set every logger back at the end, those that were made in between included."""
    found = {logger: _settings(logger) for logger in _loggers()}
    yield
    for logger in _loggers():
        _set(logger, found.get(logger, _Settings()))
    structlog.reset_defaults()


def _loggers() -> list[logging.Logger]:
    root = logging.getLogger()
    return [root, *(each for each in root.manager.loggerDict.values() if isinstance(each, logging.Logger))]


def _settings(logger: logging.Logger) -> _Settings:
    return _Settings(logger.handlers[:], logger.level, logger.propagate, logger.disabled)


def _set(logger: logging.Logger, settings: _Settings) -> None:
    logger.handlers[:] = settings.handlers
    logger.propagate, logger.disabled = settings.propagate, settings.disabled
    if logger.level != settings.level:
        logger.setLevel(settings.level)  # it forgets what was worked out of the levels
