"""The rows of scopes out of a source's own tables: what the source alone can tell; the rest stays unknown.

Reference data (distributors' areas, participants) are the hub's, and go into the query as values.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from mdm.audit import said
from mdm.audit.said import Said, Types, literal
from mdm.capture.sources import Source
from rules.model import Scope
from rules.row_sources import RowSource

_TODAY = "(now() at time zone 'Europe/London')::date"

# What a point is now, by the groups whose item it is.
_OF_POINT = {
    "mpan_status": "registration",
    "created_date": "registration",
    "disconnection_date": "registration",
    "connection_type": "connection",
    "market_segment": "segment",
    "metered_indicator": "metered",
    "energy_direction": "direction",
    "link_kind": "link",
    "energisation_status": "energisation",
    "profile_class": "profile",
    "ssc": "profile",
    "consent_granularity": "consent",
    "dcc_service_flag": "dcc",
}

_PARTIES = (
    ("supplier", "supplier_mpid", "'SUPPLIER'", "supplier_from"),
    ("contract", "supplier_mpid", "'SUPPLIER'", "contract_from"),
    ("contract", "service_mpid", "role", "contract_from"),
    ("appointment", "supplier_mpid", "'SUPPLIER'", "appointed_from"),
    ("appointment", "service_mpid", "role", "appointed_from"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The hub's reference data: areas as (distributor, GSP group, from, to), participants as (MPID, role, from, to)."""

    areas: Sequence[tuple[object, ...]]
    participants: Sequence[tuple[object, ...]]


@dataclass(frozen=True, kw_only=True)
class SourceRows:
    """Writes the rows of scopes for one source, whose columns have these types."""

    source: Source
    types: Types
    reference: Reference

    def rows(self, scope: Scope) -> RowSource | None:
        """Return the rows of a scope; None where the source tells nothing of it."""
        write = self._writers.get(scope)
        return None if write is None else write()

    @cached_property
    def _writers(self) -> dict[Scope, Callable[[], RowSource | None]]:
        return {
            Scope.POINT_KEY: self._point_keys,
            Scope.PERIOD: self._periods,
            Scope.PARTY: self._parties,
            Scope.SUPPLIER_PERIOD: self._supplier_periods,
            Scope.ADDRESS: lambda: self._of_group(Scope.ADDRESS, "address"),
            Scope.APPOINTMENT: lambda: self._of_group(Scope.APPOINTMENT, "appointment"),
            Scope.APPOINTMENT_AT_POINT: self._appointments,
            Scope.METER: lambda: self._of_group(Scope.METER, "asset"),
            Scope.METER_AT_POINT: lambda: self._at_point(Scope.METER_AT_POINT, "asset", {}),
            Scope.PROVIDER: self._providers,
            Scope.POINT: self._points,
        }

    def _said(self, group: str) -> Said | None:
        return said.of_group(self.source, self.types, group)

    def _point_keys(self) -> RowSource | None:
        selects = [
            f"select mpan, min(record) as record from ({found.sql}) s where mpan is not null group by mpan"
            for group in said.groups(self.source)
            if (found := self._said(group)) is not None
        ]
        known = sorted({str(area[0]) for area in self.reference.areas})
        served = "null::text[]" if self.source.kind != "SMRS" else _array(self.source.distributors)
        query = (
            f"select min(record) as record, mpan, substr(mpan, 1, 2) = any ({_array(known)}) as known_distributor,"
            f" {served} as served_distributors from ({' union all '.join(selects)}) k group by mpan"
        )
        return RowSource(scope=Scope.POINT_KEY, query=query, columns=frozenset(Scope.POINT_KEY.columns))

    def _periods(self) -> RowSource | None:
        selects = [
            f"select record, effective_from, effective_to from ({found.sql}) s"
            for group in said.groups(self.source)
            if (found := self._said(group)) is not None
        ]
        return RowSource(scope=Scope.PERIOD, query=" union all ".join(selects), columns=frozenset(Scope.PERIOD.columns))

    def _parties(self) -> RowSource | None:
        selects = []
        for group, item, role, first_day in _PARTIES:
            found = self._said(group)
            if found is not None and item in found.items and role in {*found.items, "'SUPPLIER'"}:
                day = f"coalesce({first_day}, (effective_from at time zone 'Europe/London')::date, '-infinity')"
                selects.append(
                    f"select record, {item} as mpid, {role} as party_role, {day} as on_day from ({found.sql}) s"
                    f" where {item} is not null"
                )
        if not selects:
            return None
        query = f"select n.*, {self._is_participant('n.mpid', 'n.party_role', 'n.on_day')} as is_participant"
        query += f" from ({' union all '.join(selects)}) n"
        return RowSource(scope=Scope.PARTY, query=query, columns=frozenset(Scope.PARTY.columns))

    def _supplier_periods(self) -> RowSource | None:
        """Return the periods of suppliers, of the source that registers them: others hold copies."""
        found = self._said("supplier")
        if found is None or self.source.kind != "SMRS":
            return None
        query = f"""
        select record, (effective_from at time zone 'Europe/London')::date as first_day,
               coalesce(last_end > effective_from, false) as overlaps_earlier,
               coalesce(last_end < effective_from, false) as leaves_gap
        from (select s.*, max(coalesce(effective_to, 'infinity')) over (
                  partition by mpan order by effective_from groups between unbounded preceding and 1 preceding
              ) as last_end from ({found.sql}) s) p
        """
        return RowSource(scope=Scope.SUPPLIER_PERIOD, query=query, columns=frozenset(Scope.SUPPLIER_PERIOD.columns))

    def _of_group(self, scope: Scope, group: str) -> RowSource | None:
        """Return the records of one group: those columns that are items which the source holds."""
        found = self._said(group)
        columns = () if found is None else [name for name in scope.columns if name in found.items]
        if found is None or not columns:
            return None
        query = f"select record, {', '.join(columns)} from ({found.sql}) s"
        return RowSource(scope=scope, query=query, columns=frozenset(columns))

    def _at_point(self, scope: Scope, group: str, more: dict[str, str], joins: str = "") -> RowSource | None:
        """Return the records of a group beside what their points are now."""
        found = self._said(group)
        if found is None:
            return None
        columns = {name: f"s.{name}" for name in scope.columns if name in found.items} | more
        of_points, point_joins = self._state(scope, "s.mpan")
        columns |= of_points
        selected = ", ".join(f"{sql} as {name}" for name, sql in columns.items())
        query = f"select s.record, {selected} from ({found.sql}) s {point_joins} {joins}"
        return RowSource(scope=scope, query=query, columns=frozenset(columns))

    def _state(self, scope: Scope, mpan: str) -> tuple[dict[str, str], str]:
        """Return the columns that say what a point is now, and the joins that they need."""
        columns, groups = {}, dict[str, Said]()
        for name in scope.columns:
            group = _OF_POINT.get(name)
            found = None if group is None else self._said(group)
            if group is not None and found is not None and name in found.items:
                columns[name], groups[group] = f"p_{group}.{name}", found
        joins = [
            f"left join ({found.in_force}) p_{group} on p_{group}.mpan = {mpan}" for group, found in groups.items()
        ]
        return columns, " ".join(joins)

    def _providers(self) -> RowSource | None:
        found = self._said("provider")
        if found is None:
            return None
        columns = {
            "asset_provider_mpid": "s.asset_provider_mpid",
            "asset_provider_from": "s.asset_provider_from",
            "is_provider": self._is_participant("s.asset_provider_mpid", "'MAP'", "s.asset_provider_from"),
        }
        selected = ", ".join(f"{sql} as {name}" for name, sql in columns.items())
        query = f"select s.record, {selected} from ({found.sql}) s where s.asset_provider_mpid is not null"
        return RowSource(scope=Scope.PROVIDER, query=query, columns=frozenset(columns))

    def _appointments(self) -> RowSource | None:
        contract, appointment = self._said("contract"), self._said("appointment")
        if contract is None or appointment is None or "contract_reference" not in appointment.items:
            return self._at_point(Scope.APPOINTMENT_AT_POINT, "appointment", {})
        more = {
            "contract_is_known": "c.record is not null",
            "contract_supplier": "c.supplier_mpid",
            "contract_service": "c.service_mpid",
            "contract_from": "c.contract_from",
            "contract_to": "c.contract_to",
            "contract_connection_types": "c.connection_types",
            "contract_segments": "c.segments",
        }
        joins = (
            f"left join ({contract.sql}) c on c.supplier_mpid = s.supplier_mpid and c.reference = s.contract_reference"
        )
        return self._at_point(Scope.APPOINTMENT_AT_POINT, "appointment", more, joins)

    def _points(self) -> RowSource | None:
        """Return what each point is now, with its meters and whether a service is appointed."""
        registration = self._said("registration")
        if registration is None:
            return None
        columns, joins = self._state(Scope.POINT, "r.mpan")
        for name, sql in (("fitted_types", self._fitted_types()), ("is_served", self._is_served())):
            columns |= {name: sql} if sql else {}
        gsp = self._said("gsp")
        if gsp is not None:
            joins += f" left join ({gsp.in_force}) p_gsp on p_gsp.mpan = r.mpan"
            columns["gsp_is_of_distributor"] = self._is_of_distributor()
        selected = ", ".join(f"{sql} as {name}" for name, sql in columns.items())
        query = f"select r.record, {selected} from ({registration.in_force}) r {joins}"
        return RowSource(scope=Scope.POINT, query=query, columns=frozenset(columns))

    def _fitted_types(self) -> str | None:
        found = self._said("asset")
        if found is None or "meter_type" not in found.items:
            return None
        return (
            "coalesce((select f.types from (select mpan, array_agg(coalesce(meter_type, '?')) as types"
            f" from ({found.sql}) m where removal_date is null or removal_date > {_TODAY} group by mpan) f"
            " where f.mpan = r.mpan), '{}'::text[])"
        )

    def _is_served(self) -> str | None:
        found = self._said("appointment")
        if found is None or "status" not in found.items:
            return None
        return (
            f"r.mpan in (select mpan from ({found.sql}) a where status in ('active', 'accepted')"
            f" and coalesce(appointed_to, 'infinity') >= {_TODAY})"
        )

    def _is_of_distributor(self) -> str:
        day = "coalesce(p_gsp.gsp_from, d.valid_from)"
        until = "coalesce(d.valid_to, 'infinity') >= coalesce(p_gsp.gsp_from, '-infinity')"
        return (
            "case when p_gsp.gsp_group is not null then exists (select from"
            f" {_values(self.reference.areas, 'd (distributor, gsp_group, valid_from, valid_to)')}"
            f" where d.distributor = substr(r.mpan, 1, 2) and d.gsp_group = p_gsp.gsp_group and d.valid_from <= {day}"
            f" and {until}) end"
        )

    def _is_participant(self, mpid: str, role: str, day: str) -> str:
        known = _array(sorted({str(each[1]) for each in self.reference.participants}))
        listed = _values(self.reference.participants, "q (mpid, role, valid_from, valid_to)")
        return (
            f"case when {role} = any ({known}) then exists (select from {listed} where q.mpid = {mpid}"
            f" and q.role = {role} and q.valid_from <= {day} and coalesce(q.valid_to, 'infinity') >= {day}) end"
        )


def _array(texts: Sequence[str]) -> str:
    return f"array[{', '.join(literal(text) for text in texts)}]::text[]"


def _values(rows: Sequence[tuple[object, ...]], alias: str) -> str:
    """Write reference data as rows of two texts and two dates."""
    written = ", ".join(
        f"({literal(one)}, {literal(two)}, {_date(begin)}, {_date(end)})" for one, two, begin, end in rows
    )
    return f"(values {written or '(null::text, null::text, null::date, null::date)'}) {alias}"


def _date(day: object) -> str:
    return "null::date" if day is None else f"{literal(day)}::date"
