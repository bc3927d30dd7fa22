"""The model that `benchmarks.exports` works on, where worker processes find it."""

from __future__ import annotations

from decimal import Decimal

from dynattrs import model, partition_key, sort_key


@model("exported-songs")
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    album: str
    genre: str
    year: int
    plays: int
    price: Decimal
    live: bool
    tags: set[str]
    ratings: list[int]
    more: dict[str, int]
    text: str
