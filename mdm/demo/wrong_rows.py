"""Faults that are one wrong row, as faults.yaml lists them, and when each may be planted."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib import resources
from typing import Any

import yaml

from mdm.demo import contracts, devices
from mdm.demo.happenings import Scene
from mdm.demo.market import Source
from mdm.demo.reference import Role
from mdm.demo.writing import Parameters, Statement, Transaction

_FAR_AHEAD = timedelta(days=40)
_LONG_BEFORE = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongRow:
    """One wrong row. `source` is None for the point's registration."""

    kind: str
    rule: int
    item: str
    table: str
    key: str
    when: str
    sql: tuple[str, ...]
    source: Source | None = None
    copies: dict[str, list[str]]

    def may_be_planted(self, scene: Scene) -> bool:
        """Tell whether the point is one that this fault makes sense at."""
        return _CONDITIONS[self.when](scene)

    def transactions(self, scene: Scene, values: Parameters) -> list[Transaction]:
        """Write the wrong row, then the copies that are to agree with it."""
        places = {self.source or scene.source: self.sql} | {Source(name): sql for name, sql in self.copies.items()}
        return [
            Transaction(source=place, statements=tuple(Statement(sql=text, parameters=values) for text in sql))
            for place, sql in places.items()
        ]


@cache
def listed() -> tuple[WrongRow, ...]:
    """Return every fault of faults.yaml."""
    text = resources.files("mdm.demo").joinpath("faults.yaml").read_text(encoding="utf-8")
    return tuple(_wrong_row(entry) for entry in yaml.safe_load(text))


def _wrong_row(entry: dict[str, Any]) -> WrongRow:
    source = Source(entry["source"]) if "source" in entry else None
    return WrongRow(**entry | {"sql": tuple(entry["sql"]), "source": source, "copies": entry.get("copies", {})})


def parameters(scene: Scene) -> dict[str, Any]:
    """Return what is known of the point, and what faults make of it."""
    point, today = scene.point, scene.today
    supplier, service, meter_id = point.supplier or "", point.service or "", point.meter_id or ""
    other_supplier = scene.other_than(point.supplier, Role.SUPPLIER)
    references = (contracts.portfolio_reference(supplier, service, each) for each in range(contracts.PORTFOLIOS))
    return point.parameters() | {
        "today": today,
        "far_ahead": today + _FAR_AHEAD,
        "before_installed": point.installed - _LONG_BEFORE if point.installed else None,
        "other_supplier": other_supplier,
        "other_reference": next(each for each in references if each != point.reference),
        "foreign_reference": contracts.portfolio_reference(other_supplier, service, 0),
        "misread_meter_id": f"X{meter_id[1:]}",
        "stray_meter_id": f"Q{point.mpan[3:12]}",
        "respaced_meter_id": respaced(meter_id),
    }


def respaced(meter_id: str) -> str:
    """Write a meter id with its spaces left out, or with one put in where there is room; else as it is."""
    if " " in meter_id:
        return meter_id.replace(" ", "")
    return f"{meter_id[:2]} {meter_id[2:]}" if len(meter_id) < 10 else meter_id


def _began_before_today(scene: Scene) -> bool:
    point, today = scene.point, scene.today
    begun = max(point.supplied_from or today, point.appointed_from or today)
    return point.is_settled and begun < today and today not in point.appointment_days


def _at_mss(scene: Scene) -> bool:
    return _is_metered(scene) and scene.service_source is Source.MSS


def _is_metered(scene: Scene) -> bool:
    return scene.point.is_settled and scene.point.meter_id is not None


_CONDITIONS: dict[str, Callable[[Scene], bool]] = {
    "settled": lambda scene: scene.point.is_settled,
    "metered": _is_metered,
    "metered and energised": lambda scene: _is_metered(scene) and scene.point.energisation_status == "E",
    "began before today": _began_before_today,
    "disconnected before today": lambda scene: (
        scene.point.mpan_status == "X" and (scene.point.energised_from or scene.today) < scene.today
    ),
    "has street": lambda scene: scene.point.is_live and scene.point.line_4 is not None,
    "at MSS": _at_mss,
    "SMETS meter at MSS": lambda scene: _at_mss(scene) and scene.point.esme_id is not None,
    "SMETS meter of a service without database": lambda scene: (
        scene.point.is_settled and scene.point.service == "KITE" and scene.point.esme_id is not None
    ),
    "smart segment": lambda scene: scene.point.is_settled and scene.point.market_segment == "S",
    "unmetered segment": lambda scene: scene.point.is_settled and scene.point.market_segment == "U",
    "traditional meter": lambda scene: scene.point.is_settled and scene.point.meter_type in devices.TRADITIONAL_TYPES,
    "principal of an export": lambda scene: scene.point.is_settled and scene.point.link_kind == "EXPORT",
    "smart linked export": lambda scene: (
        scene.point.is_live and scene.point.link_kind == "IMPORT" and scene.point.market_segment == "S"
    ),
    "meter id has room for a space": lambda scene: (
        _is_metered(scene) and respaced(scene.point.meter_id or "") != scene.point.meter_id
    ),
}
