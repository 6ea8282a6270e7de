"""Stewardship: tasks, decisions and approvals of the people who settle what disagrees."""
