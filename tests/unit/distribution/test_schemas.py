"""The published schemas are themselves valid, and take what a view may hold but nothing else."""

import json
from datetime import UTC, datetime

import pytest
from jsonschema import Draft202012Validator, ValidationError
from lxml import etree

from mdm.distribution import contracts, digests, json_schemas, xml_documents
from mdm.distribution.contracts import Contract
from mdm.distribution.messages import Entry, Operation
from mdm.distribution.reading import Changes, Head

CONTRACTS = list(contracts.load().values())
APPOINTMENT = contracts.get_contract("mss-appointment")
AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
BODY = '{"mpan_core":"1012345678902","meter_id":"L 1","contract_reference":"C1","status":"active"}'


def changes(*bodies: str | None) -> Changes:
    head = Head(
        view_id=1,
        name=APPOINTMENT.name,
        recipient="BOLT",
        sequence=9,
        retained_after=0,
        count=1,
        digest=digests.NOTHING,
    )
    entries = [
        Entry(
            sequence=sequence,
            operation=Operation.UPSERT if body else Operation.DELETE,
            key=5,
            sender="EELC",
            created_at=AT,
            body=body,
        )
        for sequence, body in enumerate(bodies, start=1)
    ]
    return Changes(head=head, after=0, entries=entries)


def document(*bodies: str | None) -> etree._Element:
    return etree.fromstring(xml_documents.of_changes(APPOINTMENT, changes(*bodies)))


def xsd(contract: Contract) -> etree.XMLSchema:
    return etree.XMLSchema(etree.fromstring(xml_documents.schema(contract)))


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_published_schemas_are_valid_themselves(contract: Contract) -> None:
    for make in (json_schemas.of_message, json_schemas.of_entry, json_schemas.of_changes):
        Draft202012Validator.check_schema(make(contract))
    assert xsd(contract) is not None


def test_xml_of_upserts_and_deletes_keeps_to_the_xsd() -> None:
    xsd(APPOINTMENT).assertValid(document(BODY, None))


@pytest.mark.parametrize("member", ["mpan_core", "contract_reference", "status"])
def test_schemas_refuse_an_appointment_without_what_the_interface_demands(member: str) -> None:
    body = {name: value for name, value in json.loads(BODY).items() if name != member}
    head = {"data_sender_id": "EELC", "data_created_date": "2026-01-15T12:00:00Z"}
    assert not xsd(APPOINTMENT).validate(document(json.dumps(body)))
    assert not Draft202012Validator(json_schemas.of_message(APPOINTMENT)).is_valid(head | body)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_every_appointment_has_its_contract_reference(contract: Contract) -> None:
    references = [item for item in contract.walk() if item.name == "contract_reference"]
    assert [item.required for item in references] == [True]


def test_character_that_xml_cannot_carry_is_replaced() -> None:
    written = document(BODY.replace("L 1", "L\\u0001"))
    assert written.findtext(".//{*}meter_id") == "L\ufffd"


def test_json_schema_refuses_a_member_that_is_not_in_the_contract() -> None:
    said = {
        "data_sender_id": "EELC",
        "data_created_date": "2026-01-15T12:00:00Z",
        "mpan_core": "1" * 13,
        "contract_reference": "C1",
        "status": "active",
    }
    schema = json_schemas.of_message(APPOINTMENT)
    Draft202012Validator(schema).validate(said)
    with pytest.raises(ValidationError):
        Draft202012Validator(schema).validate(said | {"name": "somebody"})
