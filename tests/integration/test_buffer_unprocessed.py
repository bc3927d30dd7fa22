"""Half of each batch is left unprocessed: nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dynattrs import Session, model, partition_key, sort_key
from unprocessed_batches import halving


@model("blobs")
class Blob:
    id: bytes = partition_key()
    number: int = 0


@model("notes")
class Note:
    id: int = partition_key()
    text: str = ""


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Note, Blob)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    session = Session(client=client, table_prefix=table_prefix)
    yield session
    session.close()


def test_nothing_is_lost_when_half_of_each_batch_is_left(session: Session):
    leaving = halving(session.client)

    with session.batch() as batch:
        for number in range(100):
            batch.save(Note(number, f"text {number}"))
            batch.save(Blob(bytes([number, 255]), number))

    assert leaving.left > 100
    assert session.stats.unprocessed == leaving.left
    assert {note.id for note in session.scan(Note)} == set(range(100))
    assert {blob.number for blob in session.scan(Blob)} == set(range(100))


def test_deletes_that_are_left_are_done_in_the_end(session: Session):
    session.save_all(Note(number) for number in range(50))
    leaving = halving(session.client)

    with session.batch() as batch:
        for number in range(50):
            batch.delete(Note, number)

    assert leaving.left
    assert session.scan(Note).count() == 0


def test_the_last_write_wins_although_an_earlier_one_is_left(session: Session):
    leaving = halving(session.client)

    with session.batch() as batch:
        for turn in range(5):
            for number in range(30):
                batch.save(Note(number, f"turn {turn}"))

    assert leaving.left
    assert {note.text for note in session.scan(Note)} == {"turn 4"}


@model("places")
class Place:
    part: str = partition_key()
    number: int = sort_key()
    text: str = ""


@pytest.mark.full
def test_what_is_left_of_one_partition_waits_for_it_and_is_stored_as_last_saved(session: Session):
    session.tables.create(Place)
    leaving = halving(session.client)

    with session.batch() as batch:
        for turn in range(2):
            for number in range(60):
                batch.save(Place("hot", number, f"turn {turn}"))
                batch.save(Place(f"cold {number}", number, f"turn {turn}"))

    assert leaving.left
    found = {(place.part, place.number): place.text for place in session.scan(Place)}
    assert len(found) == 120
    assert set(found.values()) == {"turn 1"}
    assert "hot" in {hot.value for hot in session.stats.hot_keys}
    assert "hot" not in repr(list(session.stats.hot_keys))
