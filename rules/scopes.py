"""The rows that rules read: each scope names the columns that whoever evaluates a rule must provide."""

from enum import StrEnum


class Severity(StrEnum):
    """E: the record is quarantined and the last good value stays. W: the value passes and stands as a violation."""

    ERROR = "E"
    WARNING = "W"


class Scope(StrEnum):
    """The row that a rule reads; `columns` of the scope are what whoever evaluates it must provide."""

    POINT_KEY = "point key"
    PERIOD = "period of a record"
    RECORD_AT_POINT = "dated record at point"
    PARTY = "party named by a record"
    ADDRESS = "address"
    SUPPLIER_PERIOD = "supplier period"
    APPOINTMENT = "appointment"
    APPOINTMENT_AT_POINT = "appointment at point"
    METER = "meter"
    METER_AT_POINT = "meter at point"
    SERIAL = "serial number"
    PROVIDER = "meter asset provider"
    POINT = "metering point"
    LINK = "link between points"
    MESSAGE = "message"
    COPY = "copy of an item"

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns; types() tells the types of those that are no items of the catalogue."""
        return tuple(_COLUMNS[self])

    @property
    def types(self) -> dict[str, str]:
        """The columns with their SQL types."""
        return _COLUMNS[self]

    @property
    def entity(self) -> str:
        """The entity of the catalogue that the row is about."""
        return _ENTITIES.get(self, "metering_point")

    @property
    def crosses_records(self) -> bool:
        """Whether the row joins what one record says with what others say, so that another may make it right."""
        return self in _CROSSING

    @property
    def is_of_records(self) -> bool:
        """Whether a row is one source record, so that a verdict is about that and not about a golden record."""
        return self in _OF_RECORDS


_CROSSING = {
    Scope.RECORD_AT_POINT,
    Scope.SUPPLIER_PERIOD,
    Scope.APPOINTMENT_AT_POINT,
    Scope.METER_AT_POINT,
    Scope.PROVIDER,
    Scope.POINT,
    Scope.LINK,
    Scope.SERIAL,
}

_OF_RECORDS = {
    Scope.POINT_KEY,
    Scope.PERIOD,
    Scope.RECORD_AT_POINT,
    Scope.PARTY,
    Scope.SUPPLIER_PERIOD,
    Scope.LINK,
}

_ENTITIES = {
    Scope.ADDRESS: "address",
    Scope.APPOINTMENT: "appointment",
    Scope.APPOINTMENT_AT_POINT: "appointment",
    Scope.METER: "meter",
    Scope.METER_AT_POINT: "meter",
    Scope.SERIAL: "meter",
    Scope.PROVIDER: "meter",
}

_COLUMNS: dict[Scope, dict[str, str]] = {
    Scope.POINT_KEY: {"mpan": "text", "known_distributor": "boolean", "served_distributors": "text[]"},
    # Half open: the moment of `effective_to` is the first that is no longer in the period.
    Scope.PERIOD: {"effective_from": "timestamptz", "effective_to": "timestamptz"},
    Scope.RECORD_AT_POINT: {
        "first_day": "date",
        "appointment_status": "text",
        "mpan_status": "text",
        "disconnection_date": "date",
    },
    # `is_participant` is null where the hub knows nobody in that role.
    Scope.PARTY: {"mpid": "text", "party_role": "text", "on_day": "date", "is_participant": "boolean"},
    Scope.ADDRESS: {**{f"line_{number}": "text" for number in range(1, 10)}, "postcode": "text"},
    Scope.SUPPLIER_PERIOD: {"first_day": "date", "overlaps_earlier": "boolean", "leaves_gap": "boolean"},
    Scope.APPOINTMENT: {"contract_reference": "text"},
    # `registered_supplier` is empty where registration names none on that day, null where it says nothing at all.
    # `asked_on` is the day on which the first day was said, `said_on` that of the status; null for an initial load.
    Scope.APPOINTMENT_AT_POINT: {
        "role": "text",
        "status": "text",
        "service_mpid": "text",
        "supplier_mpid": "text",
        "contract_reference": "text",
        "appointed_from": "date",
        "appointed_to": "date",
        "is_registered": "boolean",
        "market_segment": "text",
        "connection_type": "text",
        "registered_supplier": "text",
        "contract_is_known": "boolean",
        "contract_supplier": "text",
        "contract_service": "text",
        "contract_from": "date",
        "contract_to": "date",
        "contract_connection_types": "text",
        "contract_segments": "text",
        "serves_distributor": "boolean",
        "overlaps_earlier": "boolean",
        "leaves_gap": "boolean",
        "is_linked_export": "boolean",
        "is_related_secondary": "boolean",
        "asked_on": "date",
        "said_on": "date",
    },
    Scope.METER: {"meter_type": "text", "esme_id": "text", "location": "text"},
    Scope.METER_AT_POINT: {
        "meter_id": "text",
        "connection_type": "text",
        "installation_date": "date",
        "removal_date": "date",
        "created_date": "date",
        "disconnection_date": "date",
        "is_twice_at_point": "boolean",
        "unappointed_writer": "text",
    },
    Scope.SERIAL: {"meter_id": "text", "unrelated_points": "int"},
    Scope.PROVIDER: {
        "asset_provider_mpid": "text",
        "asset_provider_from": "date",
        "is_provider": "boolean",
        "installation_date": "date",
    },
    # `fitted_types` are the types of the meters that are fitted at the point, '?' for one whose type nobody says.
    Scope.POINT: {
        "mpan_status": "text",
        "gsp_is_of_distributor": "boolean",
        "connection_type": "text",
        "market_segment": "text",
        "metered_indicator": "boolean",
        "energy_direction": "text",
        "link_kind": "text",
        "energisation_status": "text",
        "profile_class": "text",
        "ssc": "text",
        "consent_granularity": "text",
        "dcc_service_flag": "text",
        "fitted_types": "text[]",
        "is_served": "boolean",
    },
    Scope.LINK: {
        "link_kind": "text",
        "linked_mpan": "text",
        "is_linked_to_other": "boolean",
        "connection_type": "text",
        "energy_direction": "text",
        "supplier_mpid": "text",
        "linked_connection_type": "text",
        "linked_direction": "text",
        "linked_supplier": "text",
    },
    Scope.MESSAGE: {"sender": "text", "reference": "text", "times_used": "int"},
    # As text, from to_jsonb; the owner's value is the one that survived.
    Scope.COPY: {"owner_value": "text", "copy_value": "text"},
}
