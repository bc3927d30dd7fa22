"""Queries: what they return, and that every end knows its type."""

from __future__ import annotations

from typing import Any

import attrs
from songs import Prize, Song
from typing_extensions import assert_type

from dynattrs import Page, Preview, Query, Session, begins_with, in_, path

session = Session()

# --- Saying what is wanted ------------------------------------------------------------------------

songs = session.query(Song).where(Song.artist == "Nina Simone")
assert_type(songs, Query[Song])
assert_type(songs.where(begins_with(Song.title, "S")).filter(path(Song.year) > 1960), Query[Song])
assert_type(
    songs.using("by-genre").reverse().limit(20).page_size(100).consistent().after(None),
    Query[Song],
)
assert_type(songs.where(in_(Song.title, ["a", "b"]), fan_out=40).merged(), Query[Song])
assert_type(session.scan(Song).parallel(4).rate_limit(10).on_error("skip"), Query[Song])
assert_type(session.scan(Song).segment(3, of=8), Query[Song])
session.scan(Song).segment(3)  # type: ignore[call-arg]
session.scan(Song).segment(3, 8)  # type: ignore[call-arg]
assert_type(session.query(Prize), Query[Prize])

session.query(int)  # type: ignore[type-var]
session.query("music")  # type: ignore[call-overload]
session.query(Song("Nina Simone", "Sinnerman", "jazz"))  # type: ignore[call-overload]
session.scan(dict)  # type: ignore[type-var]
session.query(Song).where(Song.yaer > 1960)  # type: ignore[attr-defined]
songs.wehre(Song.live)  # type: ignore[attr-defined]
songs.where(fan_out="many")  # type: ignore[arg-type]
songs.limit("many")  # type: ignore[arg-type]
songs.limit()  # type: ignore[call-arg]
songs.on_error("ignore")  # type: ignore[arg-type]
songs.after(7)  # type: ignore[arg-type]

# --- Ends -----------------------------------------------------------------------------------------

for song in songs:
    assert_type(song, Song)
    assert_type(song.title, str)

assert_type([song.plays for song in songs], list[int])
assert_type(songs.first(), Song | None)
assert_type(songs.one(), Song)
assert_type(songs.all(), list[Song])
assert_type(songs.count(), int)
songs.all(20)  # type: ignore[call-arg]
songs.first().title  # type: ignore[union-attr]

for page in songs.pages():
    assert_type(page, Page[Song])
    assert_type(page.items, tuple[Song, ...])
    assert_type(page[0], Song)
    assert_type(page.cursor, str | None)
    for song in page:
        assert_type(song, Song)

preview = songs.preview(3)
assert_type(preview, Preview[Song])
assert_type(preview[0].title, str)
assert_type(preview.more, bool)
assert_type(songs.select(Song.title).preview(), Preview[tuple[str]])
songs.preview("all")  # type: ignore[arg-type]

# A query only hands out: that of a subclass is one of its base.
anything: Query[object] = songs
prizes: Query[Prize] = songs  # type: ignore[assignment]

# --- Other results --------------------------------------------------------------------------------


@attrs.frozen
class SongTitle:
    title: str
    plays: int


assert_type(songs.as_(SongTitle), Query[SongTitle])
assert_type(songs.as_(SongTitle).all(), list[SongTitle])
assert_type(songs.select(Song.title, Song.year), Query[tuple[str, int | None]])
assert_type(songs.keys(), Query[dict[str, Any]])
