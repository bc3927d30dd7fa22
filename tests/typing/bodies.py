"""Models as bodies and answers: what checkers see of `Body`, `Partial` and what it changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from songs import Song
from typing_extensions import assert_type

from dynattrs import Accepts, Action, Partial, Session
from dynattrs.fastapi import Body

session = Session.local()


def save(song: Body[Song], songs: Body[list[Song]]) -> Song:
    assert_type(song, Song)
    assert_type(songs, list[Song])
    session.save(song)
    return songs[0]


def strict(song: Body[Annotated[Song, Accepts(unknown="forbid")]]) -> Song:
    assert_type(song.plays, int)
    return song


def change(changes: Body[Partial[Song]]) -> Song:
    assert_type(changes, Partial[Song])
    assert_type(changes.actions(), tuple[Action, ...])
    assert_type(changes.values, Mapping[str, Any])
    changes.apply("text")  # type: ignore[arg-type]
    return session.update(Song, ("Nina Simone", "Sinnerman"), *changes.actions())


Accepts(unknown="keep")  # type: ignore[arg-type]
Accepts(read_only=True)  # type: ignore[arg-type]
