"""docs/permissions.md: what each call asks of the service is what its row says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from dynattrs import GlobalIndex, Session, field, model, partition_key, set_, sort_key
from dynattrs.testing import recorded
from dynattrs.wire.local_engine import Lease

PAGE = Path(__file__).parents[2] / "docs" / "permissions.md"
ROW = re.compile(r"^\| (.+?) \| (.+?) \|$", re.MULTILINE)


@model(
    "songs",
    indexes=[GlobalIndex("by-genre", partition_key="genre", sort_key="title", projection="keys")],
)
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    genre: str = "jazz"
    plays: int = 0


@model("people")
class Person:
    id: str = partition_key()
    mail: str = field(unique=True)


SONG = Song("Nina Simone", "Sinnerman")
KEY = ("Nina Simone", "Sinnerman")


def edited(session: Session) -> None:
    song = Song(*KEY)
    with session.edit(song):
        song.plays += 1


def gathered(session: Session) -> None:
    with session.batch() as batch:
        batch.save(SONG)
        batch.delete(Song, ("Nina Simone", "Take 9"))
    session.save_all([SONG])


def several(session: Session) -> None:
    with session.transaction() as t:
        t.save(Song("Nina Simone", "Feeling Good"))
        t.check(SONG, Song.plays >= 0)


def unique(session: Session) -> None:
    person = Person("1", "a@example.com")
    session.save(person)
    session.save(attrs.evolve(person, mail="b@example.com"))
    session.delete(person)


#: By the beginning of a row: what is called, and what it may ask for besides the row's own actions.
CALLS: dict[str, list[Callable[[Session], Any]]] = {
    "`get`, `get_one`": [
        lambda s: s.get(Song, KEY), lambda s: s.get_one(Song, KEY),
        lambda s: s.exists(Song, KEY), lambda s: s.refresh(SONG),
    ],
    "`get_many`": [lambda s: list(s.get_many(Song, [KEY]))],
    "`query`, and": [
        lambda s: s.query(Song).where(Song.artist == "Nina Simone").all(),
        lambda s: s.query(Song).where(Song.artist == "Nina Simone").count(),
    ],
    "`query(...).hydrate()`": [
        lambda s: s.query(Song).where(Song.genre == "jazz").hydrate().all()
    ],
    "`query(...).delete()`": [
        lambda s: s.query(Song).where(Song.artist == "Nina Simone").delete()
    ],
    "`scan`": [lambda s: s.scan(Song).all()],
    "`save`, `insert`": [lambda s: s.save(SONG), lambda s: s.insert(Song("Miles Davis", "So What"))],
    "`batch.save`": [gathered],
    "`update`, `edit`": [lambda s: s.update(Song, KEY, set_(Song.plays, 1)), edited],
    "`delete`": [lambda s: s.delete(SONG)],
    "`transaction()`": [several],
    "`transact_get`": [lambda s: s.transact_get((Song, KEY))],
    "`migrate`": [lambda s: s.migrate(Person)],
    "writes of models with unique": [unique],
}  # fmt: skip
#: A transaction needs the permissions of its parts.
PARTS = {
    "TransactWriteItems": {"PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem"},
    "TransactGetItems": {"GetItem"},
}


def rows() -> dict[str, set[str]]:
    text = PAGE.read_text(encoding="utf-8")
    return {call: set(re.findall(r"\b[A-Z]\w+", needs)) for call, needs in ROW.findall(text)}


@pytest.mark.parametrize("row", CALLS)
def test_a_call_asks_for_what_its_row_says(row: str, aws: Lease):
    [needs] = [needs for call, needs in rows().items() if call.startswith(row)]
    for call in CALLS[row]:
        with Session() as session:
            session.tables.create(Song, Person)
            session.save(SONG)
            with recorded(session) as calls:
                call(session)
            asked = {each.operation for each in calls}
            session.tables.delete(Song, Person)
        asked = {part for each in asked for part in PARTS.get(each, {each})}

        assert asked, row
        assert asked <= needs, row
