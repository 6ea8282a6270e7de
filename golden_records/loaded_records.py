"""Source records of an initial load whose keys are known: copied as they are, without anything being looked up.

Their keys were claimed and have passed the rules on keys before. They are put to the rules on records here, those of
them that such a rule reads, and what a rule speaks against is held back and not copied.
"""

import polars as pl
import psycopg

from golden_records import journal, known_keys, loaded, staging
from golden_records.known_keys import REFERENCES

_HELD = "select source_key, item_group from golden.quarantine where closed_at is null and source_id = %s"
_REFUSED = "select distinct source_key, item_group from stage_violation where severity = 'E'"
_NAME = ["source_key", "item_group"]

_ITEMS = {"point_id": "metering_point_id", "address_id": "address_id", "contract_id": "contract_id"}

# No quote within a text stands bare, so that nothing else looks like a member that is null.
_NULL = r'"[a-z0-9_]+": ?null(, ?)?'

_COPIED = [
    "golden_id",
    "item_group",
    "source_id",
    "source_key",
    "effective_from",
    "effective_to",
    "item_values",
    "change_id",
]


def part(connection: psycopg.Connection, marked: pl.DataFrame, *, source_id: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Part marked records into those that can be copied and those that have to be looked at.

    Looked at is what has a key or reference that is not known, is too long, stands twice, or renews what is held back.
    """
    fitting, oversized = staging.parted(marked)
    is_alone = pl.struct(_NAME).is_unique()  # where a source has two rows under one key, the later one renews the other
    is_known = pl.col("key_id").is_not_null() & ~known_keys.refer_to_unknown() & is_alone
    held = _names(connection, _HELD, source_id)
    known = fitting.filter(is_known)
    careful = [fitting.filter(~is_known), known.join(held, on=_NAME, how="semi"), oversized.select(marked.columns)]
    return known.join(held, on=_NAME, how="anti") if held.height else known, pl.concat(careful)


def copy(connection: psycopg.Connection, plain: pl.DataFrame, *, source_id: int, block: int) -> None:
    """Copy records into golden.source_record but for those that a rule was just found to speak against, and list them.

    A row that stands already, or two under one key, raise UniqueViolation.
    """
    refused = _names(connection, _REFUSED)
    kept = plain.join(refused, on=_NAME, how="anti") if refused.height else plain
    copied = kept.sort("key_id", "item_group").with_columns_seq(
        pl.col("key_id").alias("golden_id"), pl.lit(source_id).alias("source_id"), _values(kept).alias("item_values")
    )
    changes = journal.change_ids(copied["change_no"], block=block, source_id=source_id)
    staging.copy_in(connection, "golden.source_record", copied.hstack([changes])[_COPIED])
    loaded.add_known(connection, kept)


def _names(connection: psycopg.Connection, query: str, *parameters: int) -> pl.DataFrame:
    """Return the source keys and groups of records that a query finds."""
    found = connection.execute(query, parameters or None).fetchall()
    return pl.DataFrame(found, schema=dict.fromkeys(_NAME, pl.String), orient="row")


def _values(records: pl.DataFrame) -> pl.Expr:
    """Write the items without those that are null, and the ids of what is referred to, as a JSON object."""
    said, told = pl.col("item_values"), [name for name in REFERENCES if records[name].null_count() < records.height]
    if records["item_values"].str.contains("null", literal=True).any():
        said = said.str.replace_all(_NULL, "")
    elif not told:
        return said
    members = [pl.format(f',"{_ITEMS[name]}":{{}}', _referred(name)).fill_null("") for name in told]
    begun = said.str.strip_suffix("}").str.strip_chars_end(", ")
    return pl.concat_str(begun, *members, pl.lit("}")).str.replace(r"^\{,", "{")


def _referred(name: str) -> pl.Expr:
    """Give the id that a record refers to: a point not to itself, and of the others only its site to an address."""
    match name:
        case "point_id":
            return pl.when(pl.col("entity") != "metering_point").then(name)
        case "address_id":
            return pl.when(pl.col("item_group") == "site").then(name)
        case _:
            return pl.col(name)
