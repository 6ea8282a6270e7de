"""Tests without a database; the folders mirror the source."""
