"""Streams recorded from real servers; `python -m tests.unit.capture.recorded.record` records them anew."""
