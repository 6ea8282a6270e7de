"""Measurements against the budgets."""
