"""Two hubs that are told the same: in one of them things are merged and split besides; and all that either holds."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from golden_records import catalogue, redirects
from mdm import mastering, merging
from mdm.merging import Decided, Merge
from tests.factories import NOW, Change, Transaction, address, appointment, batch, meter, mpan, point
from tests.integration.golden_records.conftest import Hub

_SOURCES = ("smrs10", "mss", "mds")
_OVERRIDDEN = {"meter": ("asset", "model"), "address": ("address", "line_2"), "metering_point": ("gsp", "gsp_group")}

_STATES = {
    "crosswalk": "select entity, key, golden_id, own_id, origin from golden.crosswalk where unlinked_at is null",
    "source_record": """
        select golden_id, own_id, item_group, s.name, source_key, effective_from, effective_to, item_values
        from golden.source_record join golden.source_system s using (source_id)""",
    "conflict": """
        select golden_id, item, s.name, value, owner_value
        from golden.conflict join golden.source_system s using (source_id) where closed_at is null""",
    "quarantine": """
        select s.name, source_key, item_group, rule from golden.quarantine join golden.source_system s using (source_id)
        where closed_at is null""",
    "view_row": "select name, recipient, golden_id from hub.view_row join hub.view using (view_id)",
}


def state(hub: Hub) -> dict[str, list[str]]:
    """Return all that a hub holds now, without the versions and times that tell how it came about."""
    queries = dict(_STATES)
    for entity in catalogue.load().entities.values():
        queries[entity.name] = f"select golden_id, {', '.join(i.name for i in entity.items)} from golden.{entity.name}"
    return {
        name: sorted(str(row) for (row,) in hub.rows(f"select to_jsonb(t)::text from ({query}) t"))
        for name, query in queries.items()
    }


def differences(left: Hub, right: Hub) -> dict[str, tuple[list[str], list[str]]]:
    """Return what only one of two hubs holds, by table."""
    here, there = state(left), state(right)
    return {
        name: (sorted({*here[name]} - {*there[name]}), sorted({*there[name]} - {*here[name]}))
        for name in here
        if here[name] != there[name]
    }


def settle(hub: Hub) -> None:
    """Look again at meters of which copies say different points.

    Whose copy survives follows from the appointments at each, but only those at the surviving one's are followed.
    """
    found = hub.rows("select golden_id from golden.conflict where item = 'metering_point_id' and closed_at is null")
    cause = Decided(now=NOW).cause("settle")
    with hub.connection.transaction():
        mastering.master_again(hub.connection, sorted({int(str(row[0])) for row in found}), now=NOW, cause=cause)
        mastering.finish(hub.connection)


def rank_overrides(hub: Hub) -> None:
    """Let what the hub says itself stand above all sources."""
    hub.connection.execute(
        "insert into golden.source_rank (source_id, item_group, place)"
        " select distinct 0, item_group, -1 from golden.catalogue_item on conflict do nothing"
    )


def override(hub: Hub, own_id: int, *, number: int, value: str) -> None:
    """Write an override as decisions do: a source record of the hub's own, then the golden record is mastered anew."""
    with hub.connection.transaction():
        redirects.hold(hub.connection)
        end = redirects.list_ends(hub.connection, [own_id]).get(own_id, own_id)
        entity = hub.value("select entity from golden.golden_record where golden_id = %s", own_id)
        group, item = _OVERRIDDEN[str(entity)]
        hub.connection.execute(
            "insert into golden.source_record (golden_id, own_id, item_group, source_id, source_key, item_values,"
            " change_id) values (%s, %s, %s, 0, %s, %s, %s) on conflict (source_id, source_key, item_group)"
            " do update set item_values = excluded.item_values, change_id = excluded.change_id",
            [
                end,
                None if end == own_id else own_id,
                group,
                f"override|{own_id}",
                json.dumps({item: value}),
                number << 10,
            ],
        )
        cause = merging.Decided(now=NOW).cause("override", golden_id=end)
        mastering.master_again(hub.connection, [end], now=NOW, cause=cause)
        mastering.finish(hub.connection)


def act(hub: Hub, action: Callable[[], int]) -> int:
    """Do one thing to identity in a transaction of its own."""
    with hub.connection.transaction():
        done = action()
        mastering.finish(hub.connection)
    return done


def merge(hub: Hub, survivor: int, retired: int, **options: Any) -> int:
    pair = [Merge(survivor=survivor, retired=retired)]
    return act(hub, lambda: merging.merge(hub.connection, pair, decided=Decided(now=NOW), **options))


def split(hub: Hub, *golden_ids: int) -> int:
    return act(hub, lambda: merging.split(hub.connection, golden_ids, decided=Decided(now=NOW)))


@dataclass(kw_only=True)
class Story:
    """A seeded story of changes and merges; `merged` lives through all of it, `plain` through the changes alone."""

    merged: Hub
    plain: Hub
    chance: random.Random
    entities: tuple[str, ...]
    number: int = 0
    standing: set[int] = field(default_factory=set)

    def change(self) -> None:
        """Tell both worlds the same transactions of one source."""
        source = self.chance.choice(_SOURCES)
        changes = [self._random_change(source) for _ in range(self.chance.randint(1, 5))]
        told = batch(self.merged.sources[source], *(Transaction(changes=[change]) for change in changes))
        for hub in (self.merged, self.plain):
            with hub.connection.transaction():
                mastering.apply(hub.connection, told)
                mastering.finish(hub.connection)

    def override(self) -> None:
        """Override the same golden record in both worlds."""
        found = self.plain.rows(
            "select golden_id from golden.golden_record where entity = any (%s) order by 1", [*_OVERRIDDEN]
        )
        if found:
            self.number += 1
            ((own_id,), value) = self.chance.choice(found), self.chance.choice(["_A", "_B"])
            for hub in (self.merged, self.plain):
                override(hub, int(str(own_id)), number=self.number, value=value)

    def merge(self) -> None:
        """Merge two golden records that stand alone, in one world."""
        roots = self.merged.rows(
            "select golden_id from golden.golden_record g where entity = %s and not exists ("
            "select from golden.redirect d where d.golden_id = g.golden_id and undone_at is null) order by 1",
            self.chance.choice(self.entities),
        )
        if len(roots) < 2:
            return
        (survivor,), (retired,) = self.chance.sample(roots, 2)
        merge(self.merged, int(str(survivor)), int(str(retired)), is_forced=True)
        self.standing.add(int(str(retired)))

    def split(self) -> None:
        """Split one of the merged off again."""
        if self.standing:
            golden_id = self.chance.choice(sorted(self.standing))
            split(self.merged, golden_id)
            self.standing.remove(golden_id)

    def _random_change(self, source: str) -> Change:
        key, chance = mpan(self.chance.randint(1, 4)), self.chance
        op = chance.choice("uuuud")
        match chance.randrange(5):
            case 0:
                text = f"{chance.randint(1, 3)} HIGH ST"
                uprn = chance.choice([None, "1", "2", "3"])
                return address(key, uprn=uprn, text=text, row=chance.choice("12"), line_2=chance.choice(["X", "Y"]))
            case 1:
                make = chance.choice([None, "LANDIS", "ELSTER"])
                return meter(key, f"S{chance.randint(1, 4)}", make=make, op=op, model=chance.choice(["M1", "M2"]))
            case 2:
                reference = chance.choice(["C1", "C2"])
                service = {"mss": "SMAR", "mds": "MDSX"}.get(source, "SMAR")
                return appointment(key, service=service, op=op, contract_reference=reference)
            case 3:
                return point(key, op=op, mpan_status=chance.choice("RN"))
            case _:
                group, values = chance.choice(
                    [("gsp", {"gsp_group": chance.choice(["_A", "_B"])}), ("segment", {"market_segment": "S"})]
                )
                return point(key, group, op=op, **values)
