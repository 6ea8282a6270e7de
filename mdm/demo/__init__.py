"""The simulated market: source schemas, population, workload. Real databases, since no real SMRS may be had."""
