"""Observation of requests: counts and times by route, never by path, since a path may hold what somebody mistyped.

It is also the last net under a route that fails: the answer is a problem, and the log names the kind of error alone,
for its text may hold a record's values.
"""

import time
from functools import cache
from http import HTTPStatus

import structlog
from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mdm.api import problems
from mdm.telemetry import REGISTRY

_REQUESTS = Counter("mdm_http_requests", "Requests by route", ["method", "route", "status"], registry=REGISTRY)
_SECONDS = Histogram("mdm_http_request_seconds", "Seconds a request took", ["route"], registry=REGISTRY)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_log = structlog.get_logger(__name__)


class Observation:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and note its route, status and time."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = time.perf_counter()
        try:
            await self._app(scope, receive, note)
        except Exception as error:  # noqa: BLE001 - the outermost edge of a request
            _log.error("api.unexpected_error", error=f"{type(error).__module__}.{type(error).__qualname__}")
            if not status:
                await problems.surprise()(scope, receive, note)
        finally:
            _count(scope, status, time.perf_counter() - began)


def _count(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path_format", "unmatched")
    method = scope["method"] if scope["method"] in _METHODS else "other"
    requests, times = _meters(method, route, status or HTTPStatus.INTERNAL_SERVER_ERROR.value)
    requests.inc()
    times.observe(seconds)


@cache
def _meters(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    return _REQUESTS.labels(method, route, status), _SECONDS.labels(route)
