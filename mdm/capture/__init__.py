"""Capture: the way from a source's write-ahead log to frames of changes, exactly once."""
