"""Segments of scans on each engine: together they are the table, and every cursor goes on where it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dynattrs import (
    CursorError,
    GlobalIndex,
    Session,
    model,
    partition_key,
    sort_key,
)

SIZE = 150
SEGMENTS = 4


@model("cut", indexes=[GlobalIndex("by-kind", partition_key="kind", sort_key="rank")])
class Cut:
    owner: str = partition_key()
    rank: int = sort_key()
    kind: str = "even"
    text: str = ""


def cut(number: int) -> Cut:
    return Cut(
        f"owner {number % 40}", number, "odd" if number % 2 else "even", "x" * (number % 30 * 20)
    )


ALL = [cut(number) for number in range(SIZE)]


@pytest.fixture
def session(client: Any, kept_tables: Callable[..., str]) -> Iterator[Session]:
    session = Session(client=client, table_prefix=kept_tables(Cut))
    session.save_all(ALL)
    yield session
    session.close()


def ranks(items: Any) -> list[int]:
    return sorted(each.rank for each in items)


WAYS: dict[str, Callable[[Session], Any]] = {
    "table": lambda s: s.scan(Cut),
    "filter": lambda s: s.scan(Cut).where(Cut.rank >= 20).page_size(10),
    "index": lambda s: s.scan(Cut).using("by-kind"),
    "consistent, skipped": lambda s: s.scan(Cut).consistent().on_error("skip"),
}


def walk(query: Any, size: int, **options: Any) -> list[Any]:
    found: list[Any] = []
    cursor: str | None = None
    for _ in range(400):
        page = query.after(cursor).page(size, **options)
        assert len(page) == size or page.cursor is None or options
        found += page
        cursor = page.cursor
        if cursor is None:
            return found
    raise AssertionError("the cursors lead in a circle")


@pytest.mark.parametrize("way", WAYS)
def test_segments_have_each_item_once(session: Session, way: str) -> None:
    query = WAYS[way](session)
    segments = [query.segment(number, of=SEGMENTS) for number in range(SEGMENTS)]

    found = [each.all() for each in segments]

    assert ranks(each for items in found for each in items) == ranks(query)
    assert [each.count() for each in segments] == [*map(len, found)]
    assert [walk(each, 11) for each in segments] == found
    assert [walk(each.page_size(2), 5, max_requests=3) for each in segments] == found


@pytest.mark.parametrize("way", WAYS)
def test_pages_of_all_segments_have_each_item_once(session: Session, way: str) -> None:
    query = WAYS[way](session)
    everything = ranks(query)

    assert ranks(walk(query.parallel(SEGMENTS), 40)) == everything
    assert ranks(walk(query.parallel(SEGMENTS), SIZE + 1)) == everything
    assert ranks(walk(query.parallel(SEGMENTS), 30, max_requests=2)) == everything
    few = query.where(Cut.rank < 12)
    assert ranks(walk(few.parallel(SEGMENTS), 1)) == ranks(few)


def test_any_page_of_a_parallel_scan_can_be_gone_on_from(session: Session) -> None:
    query = session.scan(Cut).parallel(SEGMENTS).page_size(15)
    seen: list[Cut] = []

    for page in query.pages():
        seen += page
        rest = query.after(page.cursor) if page.cursor is not None else []
        assert ranks([*seen, *rest]) == ranks(ALL)
        if page.cursor is not None:
            assert query.after(page.cursor).count() == SIZE - len(seen)
    first = query.page(50)
    assert len(query.after(first.cursor).limit(70).all()) == 70
    assert query.after(first.cursor).first() not in list(first)


def test_threads_share_a_scan_and_go_on_in_other_sessions(session: Session, client: Any) -> None:
    prefix = session._core.table_prefix

    def read(number: int) -> list[Cut]:
        found: list[Cut] = []
        cursor = None
        while True:
            own = Session(client=client, table_prefix=prefix, cursor_secret="s")
            page = own.scan(Cut).segment(number, of=8).after(cursor).page(9)
            found += page
            cursor = page.cursor
            if cursor is None:
                return found

    with ThreadPoolExecutor(3) as pool:
        found = [*pool.map(read, range(8))]

    assert ranks(each for items in found for each in items) == ranks(ALL)


def test_a_segment_is_deleted_by_itself(session: Session) -> None:
    segment = session.scan(Cut).segment(1, of=SEGMENTS)
    odd = segment.where(Cut.kind == "odd")
    count = odd.count()

    assert odd.delete() == count > 0
    assert segment.count() == segment.where(Cut.kind == "even").count() > 0
    assert session.scan(Cut).count() == SIZE - count
    rest = session.scan(Cut).parallel(3)
    first = rest.page(40)
    assert rest.after(first.cursor).delete() == SIZE - count - 40
    assert ranks(session.scan(Cut)) == ranks(first)


def test_a_segment_keeps_below_its_rate(session: Session) -> None:
    query = session.scan(Cut).segment(0, of=2).page_size(10).rate_limit(1000)

    assert ranks(query) == ranks(session.scan(Cut).segment(0, of=2))


def test_the_service_refuses_a_key_of_another_segment(session: Session) -> None:
    """What the checksum of a cursor saves: which keys are in a segment, the engines know alone."""
    mine = session.scan(Cut).segment(0, of=SEGMENTS)
    cursor = mine.page(5).cursor

    for number in range(1, SEGMENTS):
        with pytest.raises(CursorError):
            session.scan(Cut).segment(number, of=SEGMENTS).after(cursor).page(5)
