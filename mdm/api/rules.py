"""Rules over HTTP: what is checked, as 'mdm rules list' and 'mdm rules show' tell it."""

from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request, Response

from mdm.api import problems, state
from mdm.api.authentication import SECURITY, authenticate
from mdm.api.keys import Scope
from mdm.api.negotiation import JSON
from mdm.api.problems import Problem
from rules import documentation, registry
from rules.model import Severity

router = APIRouter(prefix="/v1/rules", tags=["rules"])

_REFUSALS = problems.documented(
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_EXAMPLE: dict[str, Any] = documentation.describe(registry.get(14))


@router.get(
    "",
    summary="List the rules",
    responses=_REFUSALS
    | {200: {"description": "Rules by code", "content": {JSON: {"example": {"rules": [_EXAMPLE]}}}}},
    openapi_extra={"security": SECURITY},
)
async def list_rules(
    request: Request,
    entity: Annotated[str | None, Query(description="Only rules on this entity.", examples=["appointment"])] = None,
    severity: Annotated[Severity | None, Query(description="E is held back, W passes and is told.")] = None,
) -> Response:
    """List what the hub checks: each rule with its severity, owner, explanation and how to mend what it finds."""
    await authenticate(request, state.of(request).keyring, Scope.STEWARD_READ)
    chosen = documentation.choose(entity=entity, severity=severity)
    return Response(orjson.dumps({"rules": [documentation.describe(rule) for rule in chosen]}), media_type=JSON)


@router.get(
    "/{code}",
    summary="Explain a rule",
    responses=_REFUSALS
    | problems.documented(HTTPStatus.NOT_FOUND)
    | {200: {"description": "The rule", "content": {JSON: {"example": _EXAMPLE}}}},
    openapi_extra={"security": SECURITY},
)
async def show_rule(
    request: Request, code: Annotated[int, Path(ge=1, le=2**31 - 1, description="The rule's number.", examples=[14])]
) -> Response:
    """Explain a rule: what it says, who is accountable, how to mend what it finds."""
    await authenticate(request, state.of(request).keyring, Scope.STEWARD_READ)
    if code not in registry.RULES:
        raise Problem(HTTPStatus.NOT_FOUND, "There is no rule of that number. 'GET /v1/rules' lists them.")
    return Response(orjson.dumps(documentation.describe(registry.get(code))), media_type=JSON)
