"""Consistency rules: pure, without I/O or clock, each written once."""
