"""Writes: batches, single writes, updates, edits, transactions, and what follows from a write."""
