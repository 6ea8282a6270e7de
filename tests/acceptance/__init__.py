"""Tests that run the whole hub as a stranger would."""
