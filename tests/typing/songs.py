"""The models that the other files speak of."""

from __future__ import annotations

import attrs

from dynattrs import GlobalIndex, field, model, partition_key, sort_key


@attrs.frozen
class Address:
    street: str
    city: str
    floor: int | None = None


@model("music", indexes=[GlobalIndex("by-genre", partition_key="genre", sort_key="year")])
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    genre: str
    year: int | None = None
    plays: int = 0
    live: bool = False
    tags: set[str] = attrs.field(factory=set)
    takes: list[str] = field(factory=list)
    scores: dict[str, int] = field(name="s", factory=dict)
    studio: Address | None = None


@model("prizes", frozen=True)
class Prize:
    name: str = partition_key()
    worth: float = 0.0
    version: int = field(version=True)
