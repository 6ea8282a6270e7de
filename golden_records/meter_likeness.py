"""How alike two meters are: serial number, maker, ESME id, where and when they are fitted. Pure.

Serial numbers that differ by one character are the same meter only where both are said to be at one point or address at
one time: neighbours' meters often bear numbers that follow each other. A year before or behind a serial number is not
part of it for some, and tells meters apart for others; so both are proposed and left to a person.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from rapidfuzz import fuzz
from rapidfuzz.distance import OSA

from golden_records import likeness
from golden_records.likeness import Candidate, Part, Verdict
from golden_records.placeholders import is_placeholder

COLUMNS = (
    *("meter_id", "make", "model", "meter_type", "esme_id"),
    *("installation_date", "removal_date", "metering_point_id"),
)
PROPOSED_FROM = 70
_SHORTEST = 5  # characters of a serial number without its year
_OLDEST_YEAR, _LATEST_YEAR = 1970, 2069


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A meter as it is compared; None where nothing, or a placeholder, is said."""

    golden_id: int
    serial: str | None = None
    make: str | None = None
    kind: str | None = None
    esme_id: str | None = None
    installed: date | None = None
    removed: date | None = None
    point_id: int | None = None
    address_id: int | None = None

    @property
    def facts(self) -> str:
        """All that is compared, in one text."""
        told = (self.serial, self.make, self.kind, self.esme_id, self.installed, self.removed)
        return repr((*told, self.point_id, self.address_id))


def parse(golden_id: int, items: Mapping[str, Any]) -> Device:
    """Take a meter's items for what is compared; `address_id` is that of its point."""

    def said(name: str) -> str | None:
        value = items.get(name)
        return None if is_placeholder(value) else " ".join(str(value).upper().split())

    serial, model, kind = said("meter_id"), said("model"), said("meter_type")
    return Device(
        golden_id=golden_id,
        serial=serial.replace(" ", "") if serial else None,
        make=said("make"),
        kind=f"{kind or ''}|{model or ''}" if kind or model else None,
        esme_id=said("esme_id"),
        installed=items.get("installation_date"),
        removed=items.get("removal_date"),
        point_id=items.get("metering_point_id"),
        address_id=items.get("address_id"),
    )


def without_year(serial: str) -> Iterator[str]:
    """Yield what a serial number may be without the year before or behind it, of two or four digits."""
    for digits in (2, 4):
        if len(serial) - digits >= _SHORTEST:
            for year, core in ((serial[-digits:], serial[:-digits]), (serial[:digits], serial[digits:])):
                if _is_year(year):
                    yield core.strip("-/.")


def _is_year(text: str) -> bool:
    if not (text.isascii() and text.isdigit()):
        return False
    return len(text) == 2 or _OLDEST_YEAR <= int(text) <= _LATEST_YEAR


def keys(device: Device) -> Iterator[tuple[str, bool]]:
    """Yield the keys under which a meter is compared, and whether each is derived: of two, one must say it as it is."""
    if device.serial:
        yield f"M|{device.serial}", False
        for core in {*without_year(device.serial)} - {device.serial}:
            yield f"M|{core}", True
        if device.point_id:
            yield f"MP|{device.point_id}", False
        if device.address_id:
            yield f"MA|{device.address_id}", False
    if device.esme_id:
        yield f"E|{device.esme_id}", False


def compare(pairs: Sequence[tuple[Device, Device]]) -> list[Candidate]:
    """Score pairs of meters, the one with the smaller id first."""
    return [_candidate(left, right) for left, right in pairs]


def _candidate(left: Device, right: Device) -> Candidate:
    told = (
        _serial(left, right),
        _make(left, right),
        _esme(left, right),
        _place(left, right),
        _time(left, right),
        likeness.exact("type", left.kind, right.kind, weight=5),
    )
    parts = [part for part in told if part is not None]
    facts = hashlib.sha256(f"{left.facts}\n{right.facts}".encode()).hexdigest()[:32]
    return Candidate(
        left_id=left.golden_id,
        right_id=right.golden_id,
        score=likeness.score(parts),
        parts=parts,
        facts=facts,
        has_equal_key=_is_same(left, right),
    )


def _is_same(left: Device, right: Device) -> bool:
    by_esme = left.esme_id is not None and left.esme_id == right.esme_id
    return by_esme or (left.serial is not None and (left.serial, left.make) == (right.serial, right.make))


def _serial(left: Device, right: Device) -> Part | None:
    if left.serial is None or right.serial is None:
        return likeness.exact("serial number", left.serial, right.serial, weight=40, silent=0.3)
    if left.serial == right.serial:
        return Part(part="serial number", verdict=Verdict.EQUAL, likeness=1.0, weight=60)
    if left.serial in without_year(right.serial) or right.serial in without_year(left.serial):
        return Part(part="serial number but for a year", verdict=Verdict.ALIKE, likeness=0.9, weight=50)
    if _is_misread(left.serial, right.serial) and _are_together(left, right):
        return Part(part="serial number but for a character", verdict=Verdict.ALIKE, likeness=0.85, weight=40)
    if left.esme_id is not None and left.esme_id == right.esme_id:
        return Part(part="serial number", verdict=Verdict.DIFFERENT, likeness=0.0, weight=20)
    return likeness.against("serial number", weight=40)


def _is_misread(left: str, right: str) -> bool:
    """Tell whether one character is another, is missing, or has changed places with the next."""
    return min(len(left), len(right)) >= _SHORTEST and OSA.distance(left, right, score_cutoff=1) <= 1


def _are_together(left: Device, right: Device) -> bool:
    is_one_place = left.point_id == right.point_id or left.address_id == right.address_id
    return is_one_place and (left.point_id or left.address_id) is not None and _overlap(left, right)


def _overlap(left: Device, right: Device) -> bool:
    """Tell whether both can be fitted at one time: one that replaced the other was fitted when that was removed."""
    earliest, latest = date.min, date.max
    return (left.installed or earliest) < (right.removed or latest) and (right.installed or earliest) < (
        left.removed or latest
    )


def _make(left: Device, right: Device) -> Part | None:
    if left.make and right.make and left.make != right.make:
        return likeness.graded("maker", fuzz.token_set_ratio(left.make, right.make) / 100 * 0.9, weight=15)
    return likeness.exact("maker", left.make, right.make, weight=15, silent=0.7)


def _esme(left: Device, right: Device) -> Part | None:
    if left.esme_id and right.esme_id and left.esme_id != right.esme_id:
        return likeness.against("ESME id", weight=30)
    if left.esme_id and right.esme_id:
        return likeness.graded("ESME id", 1.0, weight=60)
    return None


def _place(left: Device, right: Device) -> Part | None:
    if left.point_id is None and right.point_id is None:
        return None
    if left.point_id is None or right.point_id is None:
        return Part(part="metering point", verdict=Verdict.ONE_SILENT, likeness=0.5, weight=15)
    if left.point_id != right.point_id and left.address_id is not None and left.address_id == right.address_id:
        return Part(part="metering point", verdict=Verdict.ALIKE, likeness=0.8, weight=15)
    return likeness.exact("metering point", left.point_id, right.point_id, weight=15)


def _time(left: Device, right: Device) -> Part | None:
    if left.point_id is not None and left.point_id == right.point_id and not _overlap(left, right):
        return Part(part="time", verdict=Verdict.DIFFERENT, likeness=0.0, weight=40)
    return likeness.exact("installation date", left.installed, right.installed, weight=10)
