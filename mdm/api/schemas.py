"""The published schemas: what a view's messages and documents keep to. They are public and hold no values."""

from collections.abc import Callable
from enum import StrEnum
from http import HTTPStatus

import orjson
from fastapi import APIRouter, Response

from mdm.api import problems
from mdm.api.negotiation import JSON, XML
from mdm.api.views import Name
from mdm.distribution import contracts, json_schemas, quality, xml_documents
from mdm.distribution.contracts import Contract

router = APIRouter(prefix="/v1/schemas", tags=["schemas"])


class File(StrEnum):
    """The files that are published of each view."""

    MESSAGE = "message.json"
    ENTRY = "entry.json"
    CHANGES = "changes.json"
    XSD = "changes.xsd"
    CONTRACT = "contract.yaml"


_WRITERS: dict[File, tuple[str, Callable[[Contract], bytes]]] = {
    File.MESSAGE: ("application/schema+json", lambda contract: orjson.dumps(json_schemas.of_message(contract))),
    File.ENTRY: ("application/schema+json", lambda contract: orjson.dumps(json_schemas.of_entry(contract))),
    File.CHANGES: ("application/schema+json", lambda contract: orjson.dumps(json_schemas.of_changes(contract))),
    File.XSD: (XML, xml_documents.schema),
    File.CONTRACT: ("application/yaml", lambda contract: quality.write_contract(contract.name)),
}


@router.get("", summary="List the published schemas")
async def list_schemas() -> Response:
    """List, for each view, where its contract, JSON Schemas and XSD are."""
    listed = [
        {
            "view": contract.name,
            "version": contract.version,
            "purpose": contract.purpose,
            **{file.name.lower(): f"/v1/schemas/{contract.name}/{file}" for file in File},
        }
        for contract in contracts.load().values()
    ]
    return Response(orjson.dumps({"schemas": listed}), media_type=JSON)


@router.get(
    "/{name}/{file}",
    summary="Read a published schema",
    response_class=Response,
    responses=problems.documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)
    | {200: {"description": "The schema", "content": {kind: {} for kind, _ in _WRITERS.values()}}},
)
async def read_schema(name: Name, file: File) -> Response:
    """Read the contract (Open Data Contract Standard), a JSON Schema (2020-12) or the XSD of a view."""
    kind, write = _WRITERS[file]
    return Response(write(contracts.get_contract(name)), media_type=kind)
