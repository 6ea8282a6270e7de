"""The six systems of the market: what each holds of a metering point, and how each writes what happens to it."""
