"""Requests that the service refused were answered, and are counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dynattrs import (
    ConditionFailed,
    DynattrsError,
    ItemExists,
    NoSuchItem,
    NoSuchTable,
    Session,
    TransactionFailed,
    model,
    partition_key,
    set_,
)


@model("songs")
class Song:
    id: str = partition_key()
    plays: int = 0


@model("missing")
class Missing:
    id: str = partition_key()


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Song)


@pytest.fixture(params=[True, False], ids=["fast", "botocore"])
def session(request: Any, client: Any, table_prefix: str) -> Iterator[Session]:
    with Session(client=client, table_prefix=table_prefix, fast=request.param) as session:
        session.save(Song("1"))
        yield session


def test_refused_requests_are_counted_by_operation(session: Session) -> None:
    def transaction() -> None:
        with session.transaction() as t:
            t.check(Song, "1", Song.plays == 5)
            t.save(Song("2"))

    attempts: list[tuple[str, type[DynattrsError], Callable[[], Any]]] = [
        ("PutItem", ConditionFailed, lambda: session.save(Song("1"), when=Song.plays == 5)),
        ("PutItem", ItemExists, lambda: session.insert(Song("1"))),
        ("DeleteItem", ConditionFailed, lambda: session.delete(Song("1"), when=Song.plays == 5)),
        ("UpdateItem", NoSuchItem, lambda: session.update(Song, "2", set_(Song.plays, 1))),
        ("TransactWriteItems", TransactionFailed, transaction),
        ("GetItem", NoSuchTable, lambda: session.get(Missing, "1")),
        ("Query", NoSuchTable, lambda: session.query(Missing).where(Missing.id == "1").all()),
    ]
    for operation, error, attempt in attempts:
        requests, items = session.stats.requests.copy(), session.stats.items.copy()
        with pytest.raises(error):
            attempt()
        assert session.stats.requests - requests == {operation: 1}
        assert session.stats.items == items
    assert session.stats.total == sum(session.stats.requests.values())


def test_what_is_never_sent_is_not_counted(session: Session) -> None:
    before = session.stats.total

    with pytest.raises(DynattrsError):
        session.save(Song(""))
    assert session.stats.total == before
