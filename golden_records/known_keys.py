"""Known keys: whose each key is that a load has met, so that it is looked up once and not with each of its records."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import polars as pl

Owned = tuple[str, str, int]
"""An entity, a key of one of its golden records, and the golden id."""

REFERENCES = {"point_id": "metering_point", "address_id": "address", "contract_id": "contract"}
"""The golden ids that a marked record may refer to, besides its own, key_id; and of which entity they are."""

KEYS = {name: name.replace("_id", "_key") for name in REFERENCES}
"""The columns of the keys by which a record refers to them."""

_MOST = 1_000_000  # some 200 bytes each

_Ids = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class KnownKeys:
    """The golden ids of keys, by entity. The threads of a load share them.

    Of a source that has more than a million, the others are looked up with each record, so that memory stays bounded.
    They are true for as long as nothing was ever merged and no record linked by a decision (redirects.hold_none).
    """

    most: int = _MOST
    _ids: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def are_full(self) -> bool:
        """Tell whether no more keys are remembered, so that it is of no use to claim them first."""
        return sum(map(len, self._ids.values())) >= self.most

    def learn(self, owned: Iterable[Owned]) -> None:
        """Note whose keys are, once the transaction that claimed them has committed."""
        for entity, key, golden_id in owned:
            self._ids.setdefault(entity, {})[key] = golden_id

    def mark(self, records: pl.DataFrame) -> pl.DataFrame:
        """Give records the golden ids of their keys and references, null where one is not known."""
        own = self._find_own(records, "key").alias("key_id")
        found = [_find(self._of(entity), records[KEYS[name]]).alias(name) for name, entity in REFERENCES.items()]
        return records.hstack([own, *found])

    def present_unknown(self, marked: pl.DataFrame) -> pl.Series:
        """Tell of each marked record whether it presents, or refers to, a key that is not known.

        One that has no key itself is held back, and presents nothing.
        """
        alternative = self._find_own(marked, "alt_key")
        return marked["key"].is_not_null() & (
            (marked["alt_key"].is_not_null() & alternative.is_null())
            | marked["key_id"].is_null()
            | marked.select_seq(refer_to_unknown()).to_series()
        )

    def _find_own(self, records: pl.DataFrame, key: str) -> pl.Series:
        entities = records["entity"].unique().to_list()
        if len(entities) == 1:
            return _find(self._of(entities[0]), records[key])
        known = {entity: self._of(entity) for entity in entities}
        pairs = zip(records["entity"].to_list(), records[key].to_list(), strict=True)
        return pl.Series([known[entity].get(value) for entity, value in pairs], dtype=pl.Int64)

    def _of(self, entity: str) -> _Ids:
        return self._ids.get(entity, {})


def refer_to_unknown() -> pl.Expr:
    """Tell whether a marked record refers to a key that is not known."""
    return pl.any_horizontal(pl.col(key).is_not_null() & pl.col(name).is_null() for name, key in KEYS.items())


def with_unknown_references(marked: pl.DataFrame) -> pl.DataFrame:
    """Leave out the references of marked records that are known."""
    return marked.with_columns_seq(
        pl.when(pl.col(name).is_null()).then(pl.col(key)).alias(key) for name, key in KEYS.items()
    )


def _find(ids: _Ids, keys: pl.Series) -> pl.Series:
    if keys.null_count() == len(keys):
        return pl.Series([None], dtype=pl.Int64).new_from_index(0, len(keys))
    return pl.Series(map(ids.get, keys.to_list()), dtype=pl.Int64)
