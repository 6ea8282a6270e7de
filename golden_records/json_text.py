"""Whole columns of text as JSON strings."""

import polars as pl

NEEDS_ESCAPE = r'["\\\x00-\x1f]'
"""What JSON has no string hold as it is."""


def escaped(column: pl.Expr) -> pl.Expr:
    """Write text as JSON strings, quotes included, with whatever needs it escaped; null becomes the word null."""
    return pl.struct(column.alias("")).struct.json_encode().str.strip_prefix('{"":').str.strip_suffix("}")
