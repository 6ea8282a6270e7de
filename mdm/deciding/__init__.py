"""Deciding: where a steward's decision takes effect, and is taken back; through mastering, as everything does."""
