"""Golden records over HTTP: by id with an ETag, a metering point by its MPAN too.

Values that identify a person or are restricted are masked, unless the key has the scope golden:read-identified; every
read with that scope is written down (law 11). The id of what was merged away leads to what stands for it. A service's
key sees what belongs to its own views; of anything else it is told, with 404, what it would be told if that did not
exist.
"""

from collections.abc import Callable, Coroutine
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Path, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field

from mdm.api import golden, problems, state
from mdm.api.authentication import SECURITY, authenticate
from mdm.api.golden import Read, Record
from mdm.api.keys import Caller, Scope
from mdm.api.negotiation import JSON
from mdm.api.problems import Problem

router = APIRouter(tags=["golden records"])

PATHS = {
    "metering_point": "metering-points",
    "meter": "meters",
    "address": "addresses",
    "contract": "contracts",
    "appointment": "appointments",
}

_LARGEST = 2**63 - 1

_REFUSALS = problems.documented(
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)

GoldenId = Annotated[int, Path(ge=1, le=_LARGEST, description="The golden id.", examples=[4711])]


_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "example": '"3-masked"',
}


_LOCATION = {"Location": {"schema": {"type": "string"}, "description": "Where the golden record is"}}


def _described(entity: str) -> dict[int | str, dict[str, Any]]:
    headers = {"ETag": {"schema": {"type": "string"}, "description": "The version"}}
    content = {JSON: {"schema": golden.schema(entity)}}
    return {200: {"description": "The golden record", "headers": headers, "content": content}}


class Search(BaseModel):
    """What a metering point is searched by. It stands in the body, so that no URL holds it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"mpan": "1012345678902"}})

    mpan: Annotated[str, Field(pattern="^[0-9]{13}$", description="MPAN Core: 13 digits")]


class _DirectRoute(APIRoute):
    """Calls its endpoint with nothing but the path's parameters, as the path types them: no time is to be lost here."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""

        async def handle(request: Request) -> Response:
            answer: Response = await self.endpoint(request, **request.path_params)
            return answer

        return handle


def add_routes(app: FastAPI) -> None:
    """Add the routes of all golden records."""
    for entity, path in PATHS.items():
        noun = entity.replace("_", " ")
        app.router.add_api_route(
            f"/v1/{path}/{{golden_id:int}}",
            _make_reader(entity),
            name=f"read_{entity}",
            tags=["golden records"],
            summary=f"Read a golden {noun}",
            description=f"Read the golden {noun} of an id; its ETag is its version.",
            responses=_REFUSALS
            | _described(entity)
            | {
                304: {"description": "The copy of that version is still right"},
                308: {"description": "It was merged into the golden record that Location names", "headers": _LOCATION},
            },
            openapi_extra={"security": SECURITY, "parameters": [_IF_NONE_MATCH]},
            route_class_override=_DirectRoute,
        )
    app.include_router(router)


def _make_reader(entity: str) -> Callable[[Request, GoldenId], Coroutine[Any, Any, Response]]:
    async def read(request: Request, golden_id: GoldenId) -> Response:
        caller = await _admit(request)
        return await _answer(request, entity, _read(caller, golden_id))

    return read


@router.post(
    "/v1/metering-points/search",
    summary="Find a golden metering point by its MPAN",
    responses=_REFUSALS | _described("metering_point"),
    openapi_extra={"security": SECURITY},
)
async def search_metering_point(request: Request, search: Search) -> Response:
    """Find the golden metering point of an MPAN. Content-Location is its address by id."""
    caller = await _admit(request)
    golden_id = await golden.find_point(state.of(request).pool, search.mpan)
    if golden_id is None:
        raise _missing("metering_point")
    answer = await _answer(request, "metering_point", _read(caller, golden_id, action="search"))
    answer.headers["Content-Location"] = f"/v1/metering-points/{golden_id}"
    return answer


async def _admit(request: Request) -> Caller:
    keyring = state.of(request).keyring
    return await authenticate(request, keyring, Scope.GOLDEN_READ, Scope.GOLDEN_READ_IDENTIFIED)


def _read(caller: Caller, golden_id: int, *, action: str = "read") -> Read:
    return Read(
        golden_id=golden_id,
        key_id=caller.key_id,
        recipient=caller.recipient,
        is_identified=Scope.GOLDEN_READ_IDENTIFIED in caller.scopes,
        action=action,
    )


async def _answer(request: Request, entity: str, read: Read) -> Response:
    record = await state.of(request).readers[entity].find(read) if read.golden_id <= _LARGEST else None
    if record is None:
        return await _redirect(request, entity, read)
    tag = _tag(record, read)
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization"}
    if request.method == "GET" and _has(request.headers.get("if-none-match"), tag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(record.document, media_type=JSON, headers=headers)


async def _redirect(request: Request, entity: str, read: Read) -> Response:
    """Lead from an id that was merged away to the golden record that stands for it, if the key may see that."""
    hub = state.of(request)
    end = await golden.find_end(hub.pool, entity, read.golden_id) if read.golden_id <= _LARGEST else None
    if end is None or (read.recipient and await hub.readers[entity].find(replace(read, golden_id=end)) is None):
        raise _missing(entity)
    headers = {"Location": f"/v1/{PATHS[entity]}/{end}", "Cache-Control": "private, no-cache", "Vary": "Authorization"}
    return Response(status_code=HTTPStatus.PERMANENT_REDIRECT, headers=headers)


def _tag(record: Record, read: Read) -> str:
    """Return the version; the masked representation is another one than the whole."""
    return f'"{record.version}"' if read.is_identified else f'"{record.version}-masked"'


def _has(known: str | None, tag: str) -> bool:
    if known is None:
        return False
    tags = [each.strip().removeprefix("W/") for each in known.split(",")]
    return tag in tags or "*" in tags


def _missing(entity: str) -> Problem:
    noun = entity.replace("_", " ")
    return Problem(HTTPStatus.NOT_FOUND, f"There is no such golden {noun} among those that the key may see.")
