"""Reads: queries, pages and cursors, items by their keys, and objects from replies."""
