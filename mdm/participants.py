"""Participants as an operator's file tells of them, YAML or CSV; every mistake of a file is named, with its row."""

import csv
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from mdm.errors import MdmError

_MOST_TOLD = 10


class FileUnsound(MdmError):
    """The file cannot be read, or some of its rows are no participants."""

    exit_code = 2


class Participant(BaseModel):
    """An organisation in one role; dates are inclusive. An unmetered supplies operator works for `distributors`."""

    model_config = ConfigDict(extra="forbid")

    mpid: Annotated[str, Field(pattern="^[A-Z]{4}$")]
    role: Annotated[str, Field(pattern="^[A-Z]{2,12}$")]
    name: Annotated[str, Field(min_length=1, max_length=100)]
    valid_from: date
    valid_to: date | None = None
    distributors: tuple[Annotated[str, Field(pattern="^[0-9]{2}$")], ...] = ()

    @field_validator("distributors", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return value.split() if isinstance(value, str) else value or ()

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.valid_to is not None and self.valid_to < self.valid_from:
            raise ValueError("valid_to is before valid_from")
        return self


def read(file: Path) -> list[Participant]:
    """Read a file of participants; raises FileUnsound, which names the rows that are wrong and why."""
    parsed: list[Participant] = []
    mistakes: list[str] = []
    for number, row in enumerate(_rows(file), start=1):
        try:
            parsed.append(Participant.model_validate(row))
        except ValidationError as error:
            mistakes += [f"row {number}, {_place(fault['loc'])}: {fault['msg']}" for fault in error.errors()]
    if mistakes:
        more = f" and {len(mistakes) - _MOST_TOLD} more" if len(mistakes) > _MOST_TOLD else ""
        raise FileUnsound(
            f"{file} is not taken. {'; '.join(mistakes[:_MOST_TOLD])}{more}. Correct it and load it again."
        )
    return parsed


def _rows(file: Path) -> Iterable[Mapping[str, Any]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
        rows = _csv(text) if file.suffix.lower() == ".csv" else yaml.safe_load(text)
    except OSError as error:
        raise FileUnsound(f"{file} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise FileUnsound(f"{file} is neither YAML nor CSV in UTF-8. Name a CSV file with .csv at its end.") from error
    if not isinstance(rows, list):
        raise FileUnsound(f"{file} holds no list. Begin each participant with '- mpid: ...'.")
    return rows


def _csv(text: str) -> list[dict[str, str | None]]:
    return [{name: value or None for name, value in row.items() if name} for row in csv.DictReader(text.splitlines())]


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "dates"
