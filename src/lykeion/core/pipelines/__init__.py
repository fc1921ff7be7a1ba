"""Pipelines: the graph of steps, cache keys, and what a Training does next."""
