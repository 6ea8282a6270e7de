"""Where Alembic meets the hub's tables."""
