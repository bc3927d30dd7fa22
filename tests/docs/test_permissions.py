"""docs/permissions.md: what each call asks of the service is what its row says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

import job_models
from dynattrs import GlobalIndex, Session, field, jobs, model, partition_key, set_, sort_key
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


def moved(session: Session) -> None:
    session.save(SONG)
    session.move(SONG, Song("Nina Simone", "Moved"))


def gathered_unique(session: Session) -> None:
    session.save_all([Person("1", "a@example.com")])
    with session.batch() as batch:
        batch.delete(Person, "1")


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
    "the same, and `query": [gathered_unique],
    "`move`": [moved],
    "`tables.delete`": [lambda s: s.tables.delete(Song)],
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
            session.tables.delete(*filter(session.tables.exists, (Song, Person)))
        asked = {part for each in asked for part in PARTS.get(each, {each})}

        assert asked, row
        assert asked <= needs, row


#: By the beginning of a row: verbs of jobs.
JOBS: dict[str, list[Callable[[jobs.Job, jobs.SessionSpec, str], Any]]] = {
    "jobs that `count`": [
        lambda job, _, to: job.count(executor="threads"),
        lambda job, _, to: job.export(f"{to}/files", executor="threads"),
    ],
    "jobs that `apply`": [
        lambda job, _, to: job.apply(job_models.renewed, executor="threads"),
        lambda job, _, to: job.migrate(executor="threads"),
    ],
    "jobs that `verify`": [lambda job, other, _: job.verify(other, executor="threads")],
    "jobs that `copy`": [
        lambda job, other, _: job.copy(other, executor="threads"),
        lambda job, other, _: job.copy(other, overwrite="absent", executor="threads"),
    ],
    "jobs that `delete`": [
        lambda job, *_: job.delete(where=job_models.Person.visits > 0, executor="threads"),
        lambda job, *_: job.delete(everything=True, executor="threads"),
    ],
    "jobs that `import_`": [
        lambda job, _, to: job.import_(f"{to}/files", executor="threads"),
        lambda job, _, to: job.import_(f"{to}/files", overwrite="absent", executor="threads"),
    ],
}


def test_jobs_ask_for_what_their_rows_say(aws: Lease, tmp_path: Path, monkeypatch):
    """One after the other, on a table of their own and a second one."""
    found = rows()
    [own] = [needs for call, needs in found.items() if call.startswith("jobs, in their table")]
    with Session() as session, Session(table_prefix="other-") as other:
        monkeypatch.setattr(job_models, "current", session)
        monkeypatch.setattr(job_models, "second", other)
        for each in (session, other):
            each.tables.create(job_models.shop)
        session.save_all(job_models.Person(str(n), f"{n}@example.com") for n in range(4))
        specs = [
            jobs.SessionSpec(make=f"job_models:{name}")
            for name in ("current_session", "second_session")
        ]
        for row, calls in JOBS.items():
            [needs] = [needs for call, needs in found.items() if call.startswith(row)]
            for number, call in enumerate(calls):
                job = jobs.Job(
                    f"{row}-{number}", models=[job_models.Person], session=specs[0], segments=2
                )
                with recorded(session) as here, recorded(other) as there:
                    call(job, specs[1], str(tmp_path))
                asked: dict[bool, set[str]] = {True: set(), False: set()}
                for each in (*here, *there):
                    of_jobs = "dynattrs-jobs" in (each.table, *each.tables)
                    asked[of_jobs] |= PARTS.get(each.operation, {each.operation})
                assert asked[False], row
                assert asked[False] <= needs, row
                assert asked[True] <= own, row
