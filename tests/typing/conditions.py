"""Conditions: what checkers see in `Song.plays > 3`, and which operands they refuse."""

# Operands of `==` are checked under this setting, as under mypy's strict_equality.
# pyright: reportUnnecessaryComparison=true

from __future__ import annotations

from songs import Prize, Song
from typing_extensions import assert_type

from dynattrs import (
    Session,
    add,
    all_of,
    any_of,
    attribute_type,
    begins_with,
    between,
    contains,
    delete,
    exists,
    if_not_exists,
    in_,
    is_none,
    list_append,
    not_,
    not_exists,
    not_none,
    path,
    remove,
    set_,
    size,
)

session = Session()
songs = session.query(Song)

# --- Comparisons --------------------------------------------------------------------------------

assert_type(Song.plays, int)
assert_type(Song.plays > 3, bool)
assert_type(Song.artist == "Nina Simone", bool)
songs.where(Song.artist == "Nina Simone", Song.plays >= 3, Song.title < "T", Song.live)
songs.where(Song.plays > Song.scores["home"], Song.takes[0] == "first")

songs.where(Song.yaer == 1965)  # type: ignore[attr-defined]
songs.where(Song.plays > "many")  # type: ignore[operator]
songs.where(Song.title < 3)  # type: ignore[operator]
songs.where(Song.plays > Song.title)  # type: ignore[operator]
songs.where(Song.plays)  # type: ignore[arg-type]
songs.where("plays > 3")  # type: ignore[arg-type]
songs.where(None)  # type: ignore[arg-type]
songs.filter(Song.plays + 3)  # type: ignore[arg-type]
songs.where(Song.plays == "many")  # type: ignore[comparison-overlap]

# --- Optional fields and places inside ----------------------------------------------------------------

songs.where(Song.year > 1960)  # type: ignore[operator]
assert_type(path(Song.year), int)
songs.where(path(Song.year) > 1960, Song.year == 1965, Song.year == None)  # noqa: E711
songs.where(path(Song.year) > "1960")  # type: ignore[operator]

assert_type(path(Song.studio).city, str)
assert_type(path(path(Song.studio).floor) > 3, bool)
songs.where(path(Song.studio).city == "Berlin")
songs.where(Song.studio.city == "Berlin")  # type: ignore[union-attr]
songs.where(path(Song.studio).town == "Berlin")  # type: ignore[attr-defined]

# --- Joining ----------------------------------------------------------------------------------------

assert_type((Song.plays > 3) & (Song.genre == "jazz"), bool)
assert_type((Song.plays > 3) | (Song.genre == "jazz"), bool)
assert_type(not_(Song.plays > 3), bool)
assert_type(all_of(Song.plays > 3, Song.live), bool)
assert_type(any_of(Song.plays > 3, Song.live), bool)
songs.where(not_(Song.live) | is_none(Song.year))
not_(Song.plays)  # type: ignore[arg-type]
any_of(Song.title, Song.live)  # type: ignore[arg-type]

# --- Functions --------------------------------------------------------------------------------------

assert_type(begins_with(Song.title, "S"), bool)
begins_with(Song.title, 3)  # type: ignore[call-overload]
begins_with(Song.plays, "3")  # type: ignore[call-overload]

assert_type(contains(Song.tags, "live"), bool)
assert_type(contains(Song.title, "man"), bool)
contains(Song.plays, 3)  # type: ignore[arg-type]

assert_type(between(Song.plays, 3, 9), bool)
assert_type(between(Song.year, 1960, 1970), bool)
assert_type(in_(Song.genre, ["jazz", "soul"]), bool)
assert_type(in_(Song.year, (1960, None)), bool)
between(Song.plays, 3)  # type: ignore[call-overload]
in_(Song.genre, 3)  # type: ignore[call-overload]

assert_type(size(Song.tags) > 3, bool)
print(size(Song.tags) > "3")  # type: ignore[operator]
songs.where(between(size(Song.tags), 1, 3), size(Song.title) == size(Song.artist))
songs.where(size(Song.tags))  # type: ignore[arg-type]

assert_type(is_none(Song.year), bool)
assert_type(not_none(Song.year), bool)
assert_type(exists(Song.studio), bool)
assert_type(not_exists(Song.studio), bool)
assert_type(attribute_type(Song.year, "NULL"), bool)
attribute_type(Song.year, "STRING")  # type: ignore[arg-type]

# The operands of functions: operands_wrong.py and its neighbours.
between(Song.plays, "a", "z")  # type: ignore[arg-type]
set_(Song.plays, "many")  # type: ignore[arg-type]

# --- Update actions ---------------------------------------------------------------------------------

key = ("Nina Simone", "Sinnerman")
assert_type(session.update(Song, key, set_(Song.plays, Song.plays + 1), remove(Song.year)), Song)
session.update(Song, key, add(Song.tags, {"live"}), delete(Song.tags, {"demo"}))
session.update(Song, key, set_(Song.takes, list_append(Song.takes, ["second"])))
session.update(Song, key, set_(Song.plays, if_not_exists(Song.plays, 0)))
session.update(Song, key, set_(Song.year, None), when=Song.plays > 3)
session.update(Song, key, remove(Song.year, Song.takes))
session.update(Song, key, remove())  # type: ignore[call-arg]
session.update(Song, key, Song.plays == 3)  # type: ignore[call-overload]
session.update(Song, key, set_(Song.yaer, 3))  # type: ignore[attr-defined]
session.update(Song, key, set_(Song.plays))  # type: ignore[call-overload]
session.update(Song, key, remove(Song.year), when="plays > 3")  # type: ignore[call-overload]
session.update(Prize, "Polar", set_(Prize.worth, 2.0), upsert=1)  # type: ignore[call-overload]
