"""Covers, filters, merging: what a search means, without the arithmetic libraries."""
