"""What stands against golden and held records: as mastering left it, and as the audit reads it from the store."""

from collections.abc import Iterator

from golden_records import scopes
from rules import registry
from tests.integration.golden_records.conftest import Hub

Standing = tuple[int, int, str]
"""A rule, the golden record that it speaks against, and the source record of it where it is one."""

AS_OF = "date '2026-01-15'"  # the day of tests.factories.NOW


def open_violations(hub: Hub) -> set[Standing]:
    """Return what mastering left open."""
    return {*hub.rows("select rule, golden_id, subject from golden.violation where closed_at is null")}  # type: ignore[arg-type]


def audited(hub: Hub) -> set[Standing]:
    """Return what the rules say of the whole store."""
    return {*_audited(hub)}


def _audited(hub: Hub) -> Iterator[Standing]:
    for rule in registry.configured():
        if rule.is_on and rule.scope in scopes.OF_STORE:
            subject = "coalesce(source_id || '|' || item_group || '|' || source_key, '')"
            broken = scopes.violating(rule.scope, rule.condition, day=AS_OF)
            for golden_id, told in hub.connection.execute(f"select golden_id, {subject} from ({broken}) b"):
                yield rule.code, golden_id, told


def held(hub: Hub, key: str) -> list[tuple[object, ...]]:
    """Return the rules, outcome and note of all that was ever held back of a point, as it came."""
    return hub.rows(
        "select rules, outcome, note from golden.quarantine where point_key = %s order by quarantine_id", key
    )


def rules_against(hub: Hub, *mpans: str) -> set[int]:
    """Return the rules that speak against what these points are or have: mastered, or held."""
    rows = hub.rows(
        """
        select unnest(rules) from golden.quarantine where closed_at is null and point_key = any (%(mpans)s)
        union
        select v.rule from golden.violation v join (
            select c.golden_id, c.key as mpan from golden.crosswalk c where c.entity = 'metering_point'
            union all select golden_id, mpan from golden.appointment
            union all select r.golden_id, c.key from golden.source_record r join golden.crosswalk c
                on c.golden_id = (r.item_values ->> 'metering_point_id')::bigint where r.item_group = 'asset'
        ) p using (golden_id)
        where v.closed_at is null and p.mpan = any (%(mpans)s)
        """.replace("%(mpans)s", "%s"),
        [*mpans],
        [*mpans],
    )
    return {code for (code,) in rows}  # type: ignore[misc]
