"""Tests of the hub: unit, integration, acceptance and benchmarks."""
