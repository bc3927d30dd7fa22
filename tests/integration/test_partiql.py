"""PartiQL through `session.execute` on each engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import attrs
import pytest

from dynattrs import (
    ConditionError,
    ConditionFailed,
    InvalidRequest,
    ItemExists,
    MappingError,
    NoSuchTable,
    QueryError,
    Session,
    SessionClosed,
    field,
    model,
    partition_key,
    sort_key,
)


@model("music")
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    plays: int = field(name="played", default=0)
    price: Decimal = Decimal(0)
    released: date | None = None
    tags: set[str] = attrs.field(factory=set)
    notes: str = ""


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Song)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    with_prefix = Session(client=client, table_prefix=table_prefix)
    yield with_prefix
    with_prefix.close()


@pytest.fixture
def table(session: Session) -> str:
    """The table's name in a statement, which takes the real one."""
    return f'"{session._core.table_prefix}music"'


def test_rows_are_objects_of_a_model(session: Session, table: str):
    song = session.save(
        Song("Nina", "Sinnerman", 3, Decimal("1.50"), date(1965, 1, 2), {"live", "long"})
    )
    session.save(Song("Ella", "Misty"))

    rows = session.execute(f"SELECT * FROM {table} WHERE artist = ?", "Nina", model=Song)

    assert list(rows) == [song]
    assert list(rows) == []


def test_rows_without_a_model_are_plain_dicts(session: Session, table: str):
    session.save(Song("Nina", "Sinnerman", 3, Decimal("1.5"), tags={"live"}))

    rows = session.execute(
        f"SELECT title, played, price, tags FROM {table} WHERE artist = ? AND title = ?",
        "Nina", "Sinnerman", consistent=True,
    )  # fmt: skip

    assert list(rows) == [
        {"title": "Sinnerman", "played": 3, "price": Decimal("1.5"), "tags": {"live"}}
    ]


def test_writes_are_done_when_execute_returns(session: Session, table: str):
    session.execute(
        f"INSERT INTO {table} VALUE {{'artist': ?, 'title': ?, 'played': ?}}", "N", "S", 7
    )
    assert session.get(Song, ("N", "S")) == Song("N", "S", 7)

    session.execute(f"UPDATE {table} SET played = ? WHERE artist = ? AND title = ?", 8, "N", "S")
    assert session.get_one(Song, ("N", "S")).plays == 8

    session.execute(f"DELETE FROM {table} WHERE artist = ? AND title = ?", "N", "S")
    assert session.get(Song, ("N", "S")) is None


def test_returned_values_of_a_write_are_rows(session: Session, table: str, endpoint: Any):
    session.save(Song("N", "S", 7))

    rows = session.execute(
        f"UPDATE {table} SET played = ? WHERE artist = ? AND title = ? RETURNING ALL NEW *",
        8, "N", "S", model=Song,
    )  # fmt: skip

    found = list(rows)
    if endpoint.engine == "embedded" and not found:
        pytest.skip("the embedded engine does not return the values of a PartiQL write")
    assert found == [Song("N", "S", 8)]


def test_pages_are_read_as_they_are_iterated(session: Session, table: str, endpoint: Any):
    """A page holds at most 1 MB; these are about 2.5."""
    session.save_all(Song("Nina", f"{number:02}", notes="x" * 100_000) for number in range(25))

    rows = iter(session.execute(f"SELECT * FROM {table} WHERE artist = ?", "Nina", model=Song))

    next(rows)
    first = session.stats.requests["ExecuteStatement"]
    assert first == 1
    assert 1 + sum(1 for _ in rows) == 25
    if endpoint.engine == "dynamodb-local":
        assert session.stats.requests["ExecuteStatement"] >= 3


def test_every_kind_of_parameter(session: Session, table: str):
    values = ["text", 5, Decimal("1.5"), True, None, b"\x00\xff", [1, "x"], {"a": {"b": 1}}]
    for number, value in enumerate(values):
        session.execute(
            f"INSERT INTO {table} VALUE {{'artist': ?, 'title': ?, 'other': ?}}",
            "N", f"{number}", value,
        )  # fmt: skip

    rows = session.execute(f"SELECT title, other FROM {table} WHERE artist = ?", "N")

    found = {row["title"]: row["other"] for row in rows}
    assert [found[f"{number}"] for number in range(len(values))] == values


def test_what_is_pending_is_sent_first(session: Session, table: str):
    with session.batch() as batch:
        batch.save(Song("Nina", "x"))
        rows = batch.execute(
            f"SELECT * FROM {table} WHERE artist = ?", "Nina", model=Song, consistent=True
        )
        assert list(rows) == [Song("Nina", "x")]


def test_a_parameter_that_nothing_holds_is_refused(session: Session, table: str):
    with pytest.raises(ConditionError, match="a statement's parameter is nan; expected"):
        session.execute(f"SELECT * FROM {table} WHERE artist = ?", float("nan"))


def test_objects_are_not_read_from_parts_of_items(session: Session, table: str):
    """A trap: what was not selected would be defaults, and a save would store those."""
    session.save(Song("Nina", "x"))
    statement = f"select artist, title FROM {table} WHERE artist = ?"

    with pytest.raises(QueryError, match=r"SELECT \*, or leave model out"):
        session.execute(statement, "Nina", model=Song)
    assert list(session.execute(statement, "Nina")) == [{"artist": "Nina", "title": "x"}]


def test_a_row_that_is_no_song_is_an_error(session: Session, client: Any, table: str):
    name = table.strip('"')
    client.put_item(
        TableName=name, Item={"artist": {"S": "Nina"}, "title": {"S": "x"}, "played": {"S": "many"}}
    )

    with pytest.raises(MappingError, match=r"Song\.plays: expected .*found S 'many'"):
        session.execute(f"SELECT * FROM {table} WHERE artist = ?", "Nina", model=Song)


def test_a_statement_with_a_mistake_is_the_services_to_refuse(session: Session, table: str):
    with pytest.raises(InvalidRequest):
        session.execute("SELEKT")


def test_a_closed_session_is_refused(session: Session, table: str):
    session.close()

    with pytest.raises(SessionClosed):
        session.execute(f"SELECT * FROM {table}")


def test_a_write_whose_condition_is_false_is_a_condition_failed(session: Session, table: str):
    session.save(Song("Nina Simone", "Sinnerman"))
    for artist, plays in (("Nina Simone", 77), ("Nobody", 0)):
        statement = (
            f"UPDATE {table} SET played = 1 WHERE artist = ? AND title = ? AND played = {plays}"
        )
        with pytest.raises(ConditionFailed, match=r"nothing was written by .*UPDATE"):
            session.execute(statement, artist, "Sinnerman")


def test_a_second_insert_is_an_item_exists(session: Session, table: str):
    session.save(Song("Nina Simone", "Sinnerman"))
    statement = f"INSERT INTO {table} VALUE {{'artist': ?, 'title': ?}}"
    with pytest.raises(ItemExists, match="there is an item with that key already"):
        session.execute(statement, "Nina Simone", "Sinnerman")


def test_a_table_that_does_not_exist_is_told_in_plain_words(session: Session, table: str):
    with pytest.raises(NoSuchTable, match="ExecuteStatement: the table does not exist"):
        session.execute("DELETE FROM \"nothing-here\" WHERE id = 'no'")
