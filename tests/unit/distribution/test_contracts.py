"""The view contracts keep to their standard, to the catalogue and to the founding interface."""

import json
from importlib import resources
from typing import Any

import pytest
import yaml
from jsonschema import Draft201909Validator

from golden_records import catalogue
from mdm.distribution import contracts, quality
from mdm.distribution.contracts import Contract, ContractUnknown, Item, Kind, Message, Role

CONTRACTS = list(contracts.load().values())
FOUNDING = ("data_sender_id", "data_created_date", "mpan_core", "meter_id", "contract_reference")


def odcs() -> dict[str, Any]:
    text = resources.files("open_data_contract_standard").joinpath("schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_contract_keeps_to_the_open_data_contract_standard(contract: Contract) -> None:
    declared = yaml.safe_load(quality.write_contract(contract.name))
    assert [error.message for error in Draft201909Validator(odcs()).iter_errors(declared)] == []


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_contract_says_which_rules_guard_its_items(contract: Contract) -> None:
    declared = yaml.safe_load(quality.write_contract(contract.name))
    own = yaml.safe_load(contracts.read_file(contract.name))
    entries = declared["schema"][0].pop("quality")
    assert declared == own
    assert [entry["id"] for entry in entries] == [f"rule-{rule.code}" for rule in quality.guarding(contract)]
    assert {"rule-1", "rule-11"} <= {entry["id"] for entry in entries}
    assert all(entry["severity"] in {"error", "warning"} for entry in entries)


def test_only_views_with_meters_are_guarded_by_rules_on_meters() -> None:
    guarding = {contract.name: {rule.code for rule in quality.guarding(contract)} for contract in CONTRACTS}
    assert {name for name, codes in guarding.items() if 29 in codes} == {
        *("mss-metering-point", "msa-metering-point", "mds-metering-point")
    }


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_items_are_those_of_the_catalogue(contract: Contract) -> None:
    kinds = {"text": Kind.STRING, "bool": Kind.BOOLEAN, "int": Kind.INTEGER, "date": Kind.DATE}
    for item in contract.walk():
        assert item.origin is not None
        entity = catalogue.load().entity(item.origin.entity)
        known = next(each for each in entity.items if each.name == item.origin.item)
        said = (item.kind, item.classification, item.pattern, item.values, item.description)
        pattern = known.format if known.type == "text" else None  # a pattern is for text, in both standards
        assert said == (kinds[known.type], known.classification, pattern, known.values, known.definition)


def test_every_role_has_both_messages() -> None:
    receiving = {*Role} - {Role.SMRS}  # a registration is asked to correct; no view is made for it
    assert {(contract.role, contract.message) for contract in CONTRACTS} == {(r, m) for r in receiving for m in Message}


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_only_the_market_wide_service_covers_all_points(contract: Contract) -> None:
    assert contract.covers_all is (contract.role is Role.MDS)


@pytest.mark.parametrize("role", ["MSS", "MSA"])
def test_appointment_begins_with_the_founding_items(role: str) -> None:
    contract = contracts.get_contract(f"{role.lower()}-appointment")
    names = [item.name for item in (*contract.metadata, *contract.items)]
    assert tuple(names[:5]) == FOUNDING


def test_unmetered_operator_is_told_of_no_meters() -> None:
    for message in Message:
        contract = contracts.get_contract(f"umso-{message}")
        assert not [item for item in contract.walk() if item.origin and item.origin.entity == "meter"]


def longest(item: Item, character: str) -> str:
    """Return the longest value that an item's format allows, made of one character where any will do."""
    fixed = {
        "data_sender_id": "ABCDEFGHIJ",
        "data_created_date": "2026-12-31T23:59:59.999999Z",
        "mpan_core": "9" * 13,
        "role": "UMSO",
        "status": "accepted",  # of those that a view ever shows, none is longer
    }
    if item.name in fixed:
        return fixed[item.name]
    if item.kind is Kind.DATE:
        return "2026-12-31"
    return "ABCD" if item.pattern == "^[A-Z]{4}$" else character * 10


@pytest.mark.parametrize("character", ["A", '"', "\\", "\N{GRINNING FACE}", "\x01"], ids=ascii)
@pytest.mark.parametrize(
    ("name", "most"), [("mss-appointment", 350), ("msa-appointment", 340), ("umso-appointment", 300)]
)
def test_appointment_is_never_larger_than_the_interface_estimates(name: str, most: int, character: str) -> None:
    contract = contracts.get_contract(name)
    message = {item.name: longest(item, character) for item in (*contract.metadata, *contract.items)}
    size = len(json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode())
    assert contract.maximum_bytes == most
    assert size <= most


def test_unknown_view_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(ContractUnknown, match="mss-appointment"):
        contracts.get_contract("nothing")
