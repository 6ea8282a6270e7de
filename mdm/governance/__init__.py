"""Governance: what can be told of the hub as a whole: ownership, lineage, access, consistency."""
