"""Distribution: what the golden records say, as each service may see it, kept in step and provable."""
