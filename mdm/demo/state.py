"""Where metering points stand now, read back from the registrations: what may lawfully happen to them next."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

import numpy as np
from psycopg.rows import class_row

from mdm import db
from mdm.demo.draws import Numbers
from mdm.demo.premises import LINES

_LATEST = (
    "left join lateral (select * from {table} where mpan = p.mpan order by effective_from desc limit 1) {alias} on true"
)

_HISTORIES = {
    "link": "linked_metering_point",
    "connection": "connection_type",
    "direction": "energy_direction",
    "segment": "market_segment",
    "energisation": "energisation_status",
    "supplier": "supplier_period",
    "dcc": "dcc_service_flag",
    "address": "site_address",
}

_POINTS = f"""
select p.mpan, p.mpan_status, p.created_date as created,
       link.linked_mpan, link.link_kind,
       connection.connection_type, direction.energy_direction,
       segment.market_segment, segment.effective_from as segment_from,
       energisation.energisation_status, energisation.effective_from as energised_from,
       supplier.supplier_mpid as supplier, supplier.effective_from as supplied_from,
       supplier.effective_to as supplied_to, dcc.service_flag as dcc,
       current.service_role as role, current.service_mpid as service, current.contract_reference as reference,
       current.effective_from as appointed_from, current.scenario,
       pending.effective_from as pending_from, lower(pending.status) as pending_status,
       (select coalesce(array_agg(a.effective_from), '{{}}')
        from appointment a where a.mpan = p.mpan) as appointment_days,
       meter.meter_id, meter.make, meter.model, meter.meter_type, meter.esme_id, meter.location,
       meter.displayed_digits, meter.installed_on as installed, provided.provider_mpid as provider,
       address.effective_from as addressed_from, {", ".join(f"address.{line}" for line in LINES)},
       address.postcode, address.uprn
from metering_point p
{chr(10).join(_LATEST.format(table=table, alias=alias) for alias, table in _HISTORIES.items())}
left join lateral (select * from appointment a where a.mpan = p.mpan and a.status = 'ACTIVE'
                   order by effective_from desc limit 1) current on true
left join lateral (select * from appointment a where a.mpan = p.mpan and a.status in ('PROPOSED', 'ACCEPTED')
                   order by effective_from desc limit 1) pending on true
left join lateral (select * from meter_detail m where m.mpan = p.mpan and m.removed_on is null
                   order by installed_on desc, meter_id limit 1) meter on true
left join lateral (select * from meter_asset_provider m where m.mpan = p.mpan and m.meter_id = meter.meter_id
                   order by effective_from desc limit 1) provided on true
where p.mpan = any(%s)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A metering point as its registration has it now; null where it has nothing."""

    mpan: str
    mpan_status: str
    created: date
    linked_mpan: str | None
    link_kind: str | None
    connection_type: str | None
    energy_direction: str | None
    market_segment: str | None
    segment_from: date | None
    energisation_status: str | None
    energised_from: date | None
    supplier: str | None
    supplied_from: date | None
    supplied_to: date | None
    dcc: str | None
    role: str | None
    service: str | None
    reference: str | None
    appointed_from: date | None
    scenario: str | None
    pending_from: date | None
    pending_status: str | None
    appointment_days: list[date]
    meter_id: str | None
    make: str | None
    model: str | None
    meter_type: str | None
    esme_id: str | None
    location: str | None
    displayed_digits: int | None
    installed: date | None
    provider: str | None
    addressed_from: date | None
    line_1: str | None
    line_2: str | None
    line_3: str | None
    line_4: str | None
    line_5: str | None
    line_6: str | None
    line_7: str | None
    line_8: str | None
    line_9: str | None
    postcode: str | None
    uprn: str | None

    @property
    def is_live(self) -> bool:
        """Whether it is registered, with a supplier."""
        return self.mpan_status == "R" and self.supplied_from is not None and self.supplied_to is None

    @property
    def is_settled(self) -> bool:
        """Whether it is live, with one service appointed and none about to be."""
        return self.is_live and self.appointed_from is not None and self.pending_from is None

    @property
    def at_address(self) -> list[str]:
        """The points that share its address: itself and the one linked to it."""
        return [self.mpan, self.linked_mpan] if self.linked_mpan else [self.mpan]

    def parameters(self) -> dict[str, Any]:
        """Return all that is known, by name, as parameters of a system's statements."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def read(connection: db.Connection, mpans: Sequence[str]) -> dict[str, Point]:
    """Return these metering points of a registration, by MPAN."""
    with connection.cursor(row_factory=class_row(Point)) as cursor:
        return {point.mpan: point for point in cursor.execute(_POINTS, [list(mpans)])}


def mpans(connection: db.Connection) -> Numbers:
    """Return the MPANs that a registration holds, as numbers in ascending order."""
    with connection.cursor() as cursor, cursor.copy("copy (select mpan from metering_point) to stdout") as copy:
        text = b"".join(bytes(block) for block in copy)
    return np.sort(np.array(text.split(), dtype=np.int64))
