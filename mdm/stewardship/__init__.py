"""Stewardship: what waits for a steward, who works on it, and what became of it."""
