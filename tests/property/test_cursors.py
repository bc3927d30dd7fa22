"""Cursors: pages of any size, on any query, are one uninterrupted read; no other text is a cursor."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from dynattrs import CursorError, ImpossibleKey, QueryError, Session
from dynattrs.expressions.conditions import Between
from key_schemas import SCHEMAS, SEVERAL, Place, Stored, asked_of, connect, questions

if TYPE_CHECKING:
    from dynattrs.wire.local_engine import Lease


@pytest.fixture(scope="module")
def client(dynamodb_local: str) -> Iterator[Any]:
    client = connect(dynamodb_local)
    yield client
    client.close()


@pytest.fixture(scope="module")
def stored(client: Any) -> Iterator[Stored]:
    stored = Stored(client, SCHEMAS)
    yield stored
    stored.session.tables.delete(*[schema.cls for schema in SCHEMAS])
    stored.session.close()


@pytest.fixture(scope="module")
def stored_embedded(embedded: Lease) -> Iterator[Stored]:
    client = connect(
        embedded.endpoint_url,
        aws_access_key_id=embedded.access_key,
        aws_secret_access_key=embedded.secret_key,
    )
    stored = Stored(client, SEVERAL)
    yield stored
    stored.session.tables.delete(Place)
    stored.session.close()
    client.close()


def drawn_query(stored: Stored, cls: Any, data: st.DataObject) -> Any:
    """A query that can be asked, or a scan: as raw maps, whole items, keys or tuples."""
    query = asked_of(stored.session, data.draw(questions(cls, stored.values[cls])))
    if data.draw(st.integers(0, 3)) == 0:
        query = stored.session.scan(cls).filter(*query._filters, *query._where)
    try:
        text = query.explain()
    except (QueryError, ImpossibleKey):
        assume(False)
    assume(not text.startswith("operation: nothing"))
    return query


def pages_of(query: Any, size: int, max_requests: int | None) -> Iterator[Any]:
    cursor = None
    while True:
        page = query.after(cursor).page(size, max_requests=max_requests)
        yield page
        cursor = page.cursor
        if cursor is None:
            return


def ends_closed(query: Any) -> bool:
    """Whether the key condition is a range on an index that includes the value it ends with.

    Where several items have that value, DynamoDB Local 1.25 ends at the first of them when it is
    asked for pages, and refuses to go on after one ("starting key does not match the range key
    predicate"). boto3 alone sees the same.
    """
    plan = query._plan()
    if plan.index is None or not plan.key:
        return False
    last = plan.key[-1]
    return isinstance(last, Between) or getattr(last, "operator", None) in ("<=", ">=")


def check(query: Any, data: st.DataObject) -> None:
    whole = query.all()
    size = data.draw(st.integers(1, len(whole) + 2))
    max_requests = data.draw(st.sampled_from([None, None, 1, 2]))
    requested = data.draw(st.sampled_from([None, None, 1, 2, 7]))
    if max_requests is not None and requested == 1:
        requested = 3
    if requested is not None:
        query = query.page_size(requested)

    # Without a budget of requests a page is full, unless it is the last one.
    pages = list(pages_of(query, size, max_requests))

    event(f"{min(len(pages), 3)} pages or more")
    assert [item for page in pages for item in page] == whole
    for page in pages[:-1]:
        assert len(page) <= size
        assert len(page) == size or max_requests is not None
    assert query.count() == len(whole)
    assert list(query) == whole
    if whole:
        limited = data.draw(st.integers(1, len(whole)))
        assert query.limit(limited).all() == whole[:limited]
        assert query.first() == whole[0]


@given(st.data())
def test_pages_of_any_size_are_one_uninterrupted_read(stored: Stored, data: st.DataObject) -> None:
    schema = data.draw(st.sampled_from(SCHEMAS))
    query = drawn_query(stored, schema.cls, data)
    assume(not ends_closed(query))
    check(query, data)


@given(st.data())
def test_pages_on_keys_of_several_attributes_are_one_uninterrupted_read(
    stored_embedded: Stored, data: st.DataObject
) -> None:
    check(drawn_query(stored_embedded, Place, data), data)


@given(st.data())
def test_no_other_text_is_a_cursor(stored: Stored, client: Any, data: st.DataObject) -> None:
    """Flipped bits, what is cut off or put behind, other queries' cursors, and any text at all."""
    secret = data.draw(st.sampled_from([None, "secret"]))
    session = Session(client=client, cursor_secret=secret)
    cls: Any = data.draw(st.sampled_from(SCHEMAS)).cls
    query = session.scan(cls)
    cursor = query.page(data.draw(st.integers(1, 3))).cursor
    assert cursor is not None
    position = data.draw(st.integers(0, len(cursor) - 1))
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=/+ é"
    other = data.draw(
        st.one_of(
            st.just(cursor[:position]),
            st.sampled_from(letters).map(lambda x: cursor[:position] + x + cursor[position + 1 :]),
            st.sampled_from(letters).map(lambda x: cursor[:position] + x + cursor[position:]),
            st.text(),
            st.binary().map(lambda raw: raw.decode("latin-1")),
        )
    )
    assume(other != cursor)

    with pytest.raises(CursorError):
        query.after(other).first()

    foreign = session.scan(data.draw(st.sampled_from([s.cls for s in SCHEMAS if s.cls is not cls])))
    with pytest.raises(CursorError):
        foreign.after(cursor).first()
    if secret is not None:
        with pytest.raises(CursorError):
            stored.session.scan(cls).after(cursor).first()
    # And in another session, with the same secret, it is one.
    with contextlib.closing(Session(client=client, cursor_secret=secret)) as again:
        assert again.scan(cls).after(cursor).raw().all() == query.after(cursor).raw().all()
    session.close()
