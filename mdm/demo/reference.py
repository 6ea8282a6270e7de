"""Standing data of the simulated market: who takes part, in which role, and where GSP groups lie."""

from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any

import psycopg
import yaml

from golden_records import reference


class Role(StrEnum):
    """What a participant does in the market."""

    DISTRIBUTOR = "DISTRIBUTOR"
    SUPPLIER = "SUPPLIER"
    MSS = "MSS"
    MSA = "MSA"
    UMSO = "UMSO"
    MAP = "MAP"
    MDS = "MDS"
    DCC = "DCC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """An organisation in one role; dates are inclusive. A UMSO is valid for its distributors alone."""

    mpid: str
    role: Role
    name: str
    valid_from: date
    valid_to: date | None = None
    distributors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DistributorArea:
    """A distributor and one GSP group that its metering points may lie in; dates are inclusive."""

    distributor: str
    gsp_group: str
    valid_from: date
    valid_to: date | None = None


@cache
def participants() -> tuple[Participant, ...]:
    """Return every participant of the simulated market."""
    return tuple(
        Participant(
            **entry | {"role": Role(entry["role"]), "distributors": tuple(entry.get("distributors", ()))},
        )
        for entry in _entries("mdm.demo", "participants.yaml")
    )


@cache
def distributor_areas() -> tuple[DistributorArea, ...]:
    """Return every pair of distributor and GSP group of the industry."""
    return tuple(
        DistributorArea(
            distributor=entry["distributor"],
            gsp_group=gsp_group,
            valid_from=entry["valid_from"],
            valid_to=entry.get("valid_to"),
        )
        for entry in _entries("golden_records", "reference/gsp_groups.yaml")
        for gsp_group in entry["gsp_groups"]
    )


def mpids(role: Role) -> tuple[str, ...]:
    """Return the MPIDs that hold a role, in the order of the standing data."""
    return tuple(participant.mpid for participant in participants() if participant.role is role)


def register_participants(connection: psycopg.Connection) -> None:
    """Tell a hub who takes part in the simulated market; a hub without the demo never hears of them."""
    reference.write_participants(connection, map(asdict, participants()))


def _entries(package: str, path: str) -> list[dict[str, Any]]:
    text = resources.files(package).joinpath(*path.split("/")).read_text(encoding="utf-8")
    entries: list[dict[str, Any]] = yaml.safe_load(text)
    return entries
