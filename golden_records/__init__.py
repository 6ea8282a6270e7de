"""How many source records become one golden record, and the only SQL on golden tables."""
