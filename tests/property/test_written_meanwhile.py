"""Generators that write while `save_all` takes objects from them: an item is what the program wrote last.

The programs are of one thread. A generator cannot await, so there are none for `AsyncSession`.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dynattrs import ItemExists, NoSuchItem, Session, field, model, partition_key, set_, sort_key
from dynattrs.wire.local_engine import Lease


@model("meanwhile-notes")
class Note:
    box: str = partition_key()
    name: str = sort_key()
    text: int = 0


@model("meanwhile-papers")
class Paper:
    """Sent by a request of its own, under its condition."""

    box: str = partition_key()
    name: str = sort_key()
    text: int = 0
    version: int = field(version=True)


@pytest.fixture(scope="module")
def embedded_session(embedded: Lease) -> Iterator[Session]:
    yield from session_of(
        embedded.endpoint_url,
        aws_access_key_id=embedded.access_key,
        aws_secret_access_key=embedded.secret_key,
    )


@pytest.fixture(scope="module")
def dynamodb_local_session(dynamodb_local: str) -> Iterator[Session]:
    yield from session_of(
        dynamodb_local, aws_access_key_id="testing", aws_secret_access_key="testing"
    )


def session_of(endpoint: str, **credentials: str) -> Iterator[Session]:
    client: Any = boto3.client(
        "dynamodb", endpoint_url=endpoint, region_name="us-east-1", **credentials
    )
    with Session(client=client) as session:
        session.tables.create(Note, Paper)
        yield session
        session.tables.delete(Note, Paper)
    client.close()


class Program:
    """What a generator writes and yields, and what is stored then: texts by name, None of no item."""

    def __init__(self, session: Session, batch: Any) -> None:
        self.session, self.batch = session, batch
        self.box = secrets.token_hex(8)
        self.notes: dict[str, int | None] = {}
        self.papers = {name: Paper(self.box, name) for name in "pq"}
        self.versions = dict.fromkeys("pq", 0)
        self.number = 0

    def steps(self, steps: list[Any]) -> Iterator[Any]:
        for through_batch, verb, name in steps:
            self.number += 1
            handle = self.batch if through_batch else self.session
            if isinstance(verb, list):
                handle.save_all(self.steps(verb))
            elif verb == "yield":
                yield self.given(name)
            elif verb == "yield many":
                yield from (Note(self.box, f"n{n}") for n in range(30))
            elif name in self.papers:
                there = self.versions[name] > 0
                writing = PAPERS.get(verb, saving_paper) if there else saving_paper
                writing(handle, self.given(name))
            else:
                NOTES[verb](self, handle, Note(self.box, name, self.number))

    def given(self, name: str) -> Any:
        """What is saved next."""
        if name in self.papers:
            self.versions[name] += 1
            self.papers[name].text = self.number
            return self.papers[name]
        self.notes[name] = self.number
        return Note(self.box, name, self.number)

    def check(self) -> None:
        where = self.session.query(Note).where(Note.box == self.box).consistent()
        found = {note.name: note.text for note in where if note.name[0] != "n"}
        assert found == {name: text for name, text in self.notes.items() if text is not None}
        papers = self.session.query(Paper).where(Paper.box == self.box).consistent()
        stored = {paper.name: paper for paper in papers}
        for name, version in self.versions.items():
            assert self.papers[name].version == version
            assert stored.get(name) == (self.papers[name] if version else None)


def saving(program: Program, handle: Any, note: Note) -> None:
    handle.save(note)
    program.notes[note.name] = note.text


def inserting(program: Program, handle: Any, note: Note) -> None:
    before = program.notes.get(note.name)
    with pytest.raises(ItemExists) if before is not None else contextlib.nullcontext():
        handle.insert(note)
        program.notes[note.name] = note.text


def updating(program: Program, handle: Any, note: Note) -> None:
    before = program.notes.get(note.name)
    with pytest.raises(NoSuchItem) if before is None else contextlib.nullcontext():
        handle.update(Note, (note.box, note.name), set_(Note.text, note.text))
        program.notes[note.name] = note.text


def editing(program: Program, handle: Any, note: Note) -> None:
    before = program.notes.get(note.name)
    edited = Note(note.box, note.name, before or 0)
    with pytest.raises(NoSuchItem) if before is None else contextlib.nullcontext():
        with handle.edit(edited):
            edited.text = note.text
        program.notes[note.name] = note.text


def in_a_transaction(program: Program, handle: Any, note: Note) -> None:
    with handle.transaction() as t:
        t.save(note)
    program.notes[note.name] = note.text


def deleting(program: Program, handle: Any, note: Note) -> None:
    handle.delete(note)
    program.notes[note.name] = None


def deleting_by_key(program: Program, handle: Any, note: Note) -> None:
    handle.delete(Note, (note.box, note.name), returning=True)
    program.notes[note.name] = None


def deleting_all(program: Program, handle: Any, note: Note) -> None:
    handle.query(Note).where(Note.box == note.box).delete()
    program.notes.clear()


def by_partiql(program: Program, handle: Any, note: Note) -> None:
    statement = 'DELETE FROM "meanwhile-notes" WHERE box = ? AND name = ?'
    handle.execute(statement, note.box, note.name)
    program.notes[note.name] = None


NOTES: dict[str, Callable[[Program, Any, Note], None]] = {
    "save": saving,
    "insert": inserting,
    "update": updating,
    "edit": editing,
    "transaction": in_a_transaction,
    "delete": deleting,
    "delete by key": deleting_by_key,
    "delete all": deleting_all,
    "partiql": by_partiql,
}


def saving_paper(handle: Any, paper: Paper) -> None:
    handle.save(paper)


def editing_paper(handle: Any, paper: Paper) -> None:
    text, paper.text = paper.text, -1
    with handle.edit(paper):
        paper.text = text


def paper_in_a_transaction(handle: Any, paper: Paper) -> None:
    with handle.transaction() as t:
        t.save(paper)


def updating_paper(handle: Any, paper: Paper) -> None:
    handle.update(paper, set_(Paper.text, paper.text))
    handle.refresh(paper)


PAPERS: dict[str, Callable[[Any, Paper], None]] = {
    "edit": editing_paper,
    "transaction": paper_in_a_transaction,
    "update": updating_paper,
}

VERBS = st.sampled_from(["yield", "yield", "yield", "yield many", *NOTES])
STEPS = st.recursive(
    st.lists(st.tuples(st.booleans(), VERBS, st.sampled_from("abpq")), max_size=12),
    lambda inner: st.lists(
        st.tuples(st.booleans(), VERBS | inner, st.sampled_from("abpq")), max_size=8
    ),
    max_leaves=4,
)


def run(session: Session, steps: list[Any], gathered: bool) -> None:
    with session.batch() as batch:
        program = Program(session, batch)
        (batch if gathered else session).save_all(program.steps(steps))
    program.check()


@given(STEPS, st.booleans())
@example([(False, "yield", "a"), (False, "delete", "a")], False)
@example([(True, "yield", "p"), (True, "transaction", "p")], True)
def test_an_item_is_what_the_program_wrote_last(
    embedded_session: Session, steps: list[Any], gathered: bool
) -> None:
    run(embedded_session, steps, gathered)


@pytest.mark.full
@given(STEPS, st.booleans())
def test_an_item_is_what_the_program_wrote_last_on_dynamodb_local(
    dynamodb_local_session: Session, steps: list[Any], gathered: bool
) -> None:
    run(dynamodb_local_session, steps, gathered)
