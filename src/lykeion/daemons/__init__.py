"""Loops: watch, decide, apply."""
