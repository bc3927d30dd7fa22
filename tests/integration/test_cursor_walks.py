"""Pages concatenated are one uninterrupted read, whatever their size, filter, index and form."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from dynattrs import (
    CursorError,
    GlobalIndex,
    LocalIndex,
    Session,
    field,
    model,
    partition_key,
    sort_key,
)

SIZE = 12


@model(
    "walked",
    indexes=[
        GlobalIndex("by-kind", partition_key="kind"),
        GlobalIndex("by-kind-rank", partition_key="kind", sort_key="rank"),
        GlobalIndex("slim", partition_key="mood", sort_key="rank", projection="keys"),
        LocalIndex("by-rank", sort_key="rank"),
    ],
)
class Walked:
    owner: str = partition_key()
    code: bytes = sort_key(name="the.code")
    kind: str = "k"
    mood: str = "m"
    rank: int = 0
    text: str = field(name="size", default="")


@attrs.define
class Part:
    text: str


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Walked)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    session = Session(client=client, table_prefix=table_prefix)
    # Equal ranks, so that the index's own key does not tell the items apart.
    session.save_all(
        Walked("ann", bytes([n * 7 % 256, 255]), rank=n // 3, text="x" * (n % 4))
        for n in range(SIZE)
    )
    yield session
    session.close()


def own(session: Session) -> Any:
    return session.query(Walked).where(Walked.owner == "ann")


WAYS: dict[str, Callable[[Session], Any]] = {
    "table": own,
    "reversed": lambda s: own(s).reverse(),
    "range": lambda s: own(s).where(Walked.code > b"\x07\xff", Walked.code < b"\x46\xff"),
    "local index": lambda s: own(s).using("by-rank"),
    "local index, reversed": lambda s: own(s).where(Walked.rank > 0).using("by-rank").reverse(),
    "index with equal keys": lambda s: s.query(Walked).where(Walked.kind == "k").using("by-kind"),
    "index with a range": lambda s: (
        s.query(Walked).where(Walked.kind == "k", Walked.rank >= 1).using("by-kind-rank")
    ),
    "hydrated": lambda s: s.query(Walked).where(Walked.mood == "m").hydrate(),
    "scan": lambda s: s.scan(Walked),
    "scan of an index": lambda s: s.scan(Walked).using("by-kind-rank"),
    "filter": lambda s: own(s).filter(Walked.text == "xx"),
    "filter that leaves pages empty": lambda s: own(s).filter(Walked.rank == 3).page_size(1),
    "filter that matches nothing": lambda s: own(s).filter(Walked.text == "no").page_size(2),
    "another class": lambda s: own(s).as_(Part),
    "tuples": lambda s: own(s).select(Walked.text, Walked.rank),
    "keys": lambda s: own(s).keys(),
    "attribute maps": lambda s: own(s).raw(),
}


def walk(query: Any, size: int, **options: Any) -> list[Any]:
    found: list[Any] = []
    cursor: str | None = None
    for _ in range(100):
        page = query.after(cursor).page(size, **options)
        assert len(page) <= size
        if not options:
            assert len(page) == size or page.cursor is None
        found += page
        cursor = page.cursor
        if cursor is None:
            return found
    raise AssertionError("the cursors lead in a circle")


@pytest.mark.parametrize("way", WAYS)
def test_pages_of_every_size_are_one_uninterrupted_read(session: Session, way: str) -> None:
    query = WAYS[way](session)
    whole = list(query)

    for size in range(1, SIZE + 2):
        assert walk(query, size) == whole


@pytest.mark.parametrize(
    "way", ["table", "filter that leaves pages empty", "index with equal keys"]
)
def test_pages_with_a_budget_of_requests_are_one_uninterrupted_read(
    session: Session, way: str
) -> None:
    query = WAYS[way](session)

    assert walk(query.page_size(2), 3, max_requests=1) == list(query)


def test_a_cursor_goes_on_in_another_session(session: Session, client: Any) -> None:
    prefix = session._core.table_prefix
    first = own(session).page(5)

    elsewhere = Session(client=client, table_prefix=prefix)

    assert [*first, *own(elsewhere).after(first.cursor)] == own(session).all()


@pytest.mark.parametrize("secret", [None, "secret"])
def test_what_is_not_this_querys_cursor_is_refused(
    session: Session, client: Any, secret: str | None
) -> None:
    prefix = session._core.table_prefix
    signed = Session(client=client, table_prefix=prefix, cursor_secret=secret)
    query = own(signed)
    cursor = query.page(3).cursor
    assert cursor is not None
    assert len(query.after(cursor).all()) == SIZE - 3

    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    damaged = [raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :] for at in range(len(raw))]
    wrong = [base64.urlsafe_b64encode(each).rstrip(b"=").decode() for each in damaged]
    wrong += ["", "x", "…", cursor[:-3], cursor + "AAAA", "AAAA" * 20]
    for each in wrong:
        with pytest.raises(CursorError):
            query.after(each).page(3)
    for other in (
        query.reverse(),
        query.using("by-rank"),
        query.where(Walked.code > b"\x01"),
        signed.query(Walked).where(Walked.owner == "bob"),
        signed.scan(Walked),
    ):
        with pytest.raises(CursorError):
            other.after(cursor).page(3)


def test_a_cursor_that_is_signed_with_another_secret_is_refused(
    session: Session, client: Any
) -> None:
    prefix = session._core.table_prefix
    one, other = (Session(client=client, table_prefix=prefix, cursor_secret=s) for s in "ab")
    cursor = own(one).page(3).cursor

    with pytest.raises(CursorError, match="signature"):
        own(other).after(cursor).page(3)
    with pytest.raises(CursorError):
        own(session).after(cursor).page(3)
