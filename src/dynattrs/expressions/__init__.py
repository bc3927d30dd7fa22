"""Paths, conditions and how they become expression strings."""
