"""Frames: the results of queries as columns, and columns as objects. Loaded when they are first used."""
