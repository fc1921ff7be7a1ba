"""Versions, aliases, retention: what the repository's state means."""
