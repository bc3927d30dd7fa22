"""Queries and scans on each engine, of a table and its indexes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any

import attrs
import pytest

from dynattrs import (
    CursorError,
    Epoch,
    GlobalIndex,
    ImpossibleKey,
    LocalIndex,
    MappingError,
    MultipleItems,
    NoSuchItem,
    Session,
    any_of,
    attribute_type,
    begins_with,
    between,
    contains,
    exists,
    field,
    in_,
    is_none,
    model,
    not_,
    not_exists,
    not_none,
    partition_key,
    path,
    size,
    sort_key,
)

pytestmark = pytest.mark.smoke

# Later than today: engines delete what has expired by their own clocks.
NOON = datetime(2046, 11, 23, 12, tzinfo=timezone.utc)


@attrs.define
class Label:
    name: str = field(name="n", default="")
    cities: list[str] = attrs.field(factory=list)


@model(
    "music",
    indexes=[
        LocalIndex("by-year", sort_key="year"),
        GlobalIndex("by-genre", partition_key="genre", sort_key="plays"),
        GlobalIndex("keys-of-mood", partition_key="mood", sort_key="plays", projection="keys"),
        GlobalIndex("some-of-tone", partition_key="tone", projection=["year"]),
    ],
)
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    genre: str = "jazz"
    mood: str = "calm"
    tone: str = "c"
    plays: int = field(name="play.count", default=0)
    year: int | None = None
    length: int | None = field(name="len", default=7)
    live: bool = False
    tags: set[str] = attrs.field(factory=set)
    label: Label | None = None
    scores: dict[str, int] = attrs.field(factory=dict)
    expires: Annotated[datetime, Epoch] | None = field(ttl=True, default=None)


@attrs.define
class Title:
    title: str
    plays: int


SONGS = [
    Song(
        artist, f"{letter}{number}", plays=number, year=1960 + number if number % 2 else None,
        genre="jazz" if number < 4 else "soul", live=number == 3,
        tags={"live", letter} if number % 3 else set(),
        label=Label("Verve", ["NY", "LA"]) if number == 2 else None,
        scores={"a.b": number, "größe": 1},
    )
    for artist in ("Ella", "Nina")
    for letter in "ab"
    for number in range(6)
]  # fmt: skip
NINAS = [song for song in SONGS if song.artist == "Nina"]


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Song)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    with_prefix = Session(client=client, table_prefix=table_prefix, clock=lambda: NOON)
    with_prefix.save_all(SONGS)
    yield with_prefix
    with_prefix.close()


def put_unreadable(session: Session, **more: Any) -> None:
    """An item that no Song can be made of, put behind the library's back."""
    item = {
        "artist": {"S": "Nina"}, "title": {"S": "a2x"}, "genre": {"S": "jazz"},
        "mood": {"S": "calm"}, "play.count": {"N": "2"}, "len": {"S": "long"}, **more,
    }  # fmt: skip
    session.client.put_item(TableName=f"{session._core.table_prefix}music", Item=item)


# --- Where it is read from ------------------------------------------------------------------------


def test_a_partition_is_read_in_the_order_of_its_sort_key(session: Session):
    query = session.query(Song).where(Song.artist == "Nina")

    assert list(query) == NINAS
    assert query.reverse().all() == NINAS[::-1]
    assert query.reverse().limit(2).all() == NINAS[:-3:-1]


@pytest.mark.parametrize(
    ("condition", "titles"),
    [
        (Song.title == "a3", ["a3"]),
        (Song.title < "a2", ["a0", "a1"]),
        (Song.title <= "a2", ["a0", "a1", "a2"]),
        (Song.title > "b3", ["b4", "b5"]),
        (Song.title >= "b3", ["b3", "b4", "b5"]),
        (between(Song.title, "a5", "b1"), ["a5", "b0", "b1"]),
        (begins_with(Song.title, "b"), [f"b{number}" for number in range(6)]),
        ((Song.title > "a3") & (Song.title < "b1"), ["a4", "a5", "b0"]),
        ((Song.title >= "a3") & begins_with(Song.title, "a"), ["a3", "a4", "a5"]),
        (between(Song.title, "b1", "a5"), []),
        (begins_with(Song.title, ""), [song.title for song in NINAS]),
        (Song.title > "", [song.title for song in NINAS]),
        (between(Song.title, "", "a1"), ["a0", "a1"]),
    ],
    ids=str,
)
def test_ranges_of_the_sort_key(session: Session, condition: Any, titles: list[str]):
    query = session.query(Song).where(Song.artist == "Nina", condition)

    assert [song.title for song in query] == titles
    assert query.count() == len(titles)
    assert [song.title for song in query.reverse()] == titles[::-1]


def test_an_empty_key_is_refused_by_a_query_as_by_get(session: Session):
    query = session.query(Song).where(Song.artist == "Nina", Song.title == "")
    for ask in (query.all, query.count, lambda: session.get(Song, ("Nina", ""))):
        with pytest.raises(ImpossibleKey, match=r"Song\.title"):
            ask()


@pytest.mark.parametrize(
    "condition",
    [
        Song.plays > 2,
        Song.plays != 2,
        between(Song.plays, 1, 3),
        in_(Song.plays, [1, 3, 99]),
        in_(Song.plays, range(1, 300)),
        in_(Song.year, [1961, None]),
        Song.live,
        not_(Song.live),
        is_none(Song.year),
        not_none(Song.year),
        exists(Song.year),
        not_exists(Song.year),
        attribute_type(Song.label, "M"),
        contains(Song.tags, "live"),
        Song.tags == set(),
        size(Song.tags) > 1,
        size(Song.genre) == Song.plays,
        path(Song.label).name == "Verve",
        path(Song.label).cities[1] == "LA",
        Song.scores["a.b"] >= 3,
        Song.scores["größe"] == Song.plays,
        any_of(Song.plays == 1, Song.genre == "soul") & not_(Song.live),
        path(Song.year) > 1961,
    ],
    ids=str,
)
def test_filters_find_what_they_say(session: Session, condition: Any):
    """The same as what each condition means in Python."""
    titles = [song.title for song in session.query(Song).where(Song.artist == "Nina", condition)]
    scanned = session.scan(Song).where(Song.artist == "Nina", condition).all()

    assert titles == [song.title for song in NINAS if MEANING[str(condition)](song)]
    assert sorted(song.title for song in scanned) == titles


MEANING: dict[str, Any] = {
    "Song.plays > 2": lambda song: song.plays > 2,
    "Song.plays != 2": lambda song: song.plays != 2,
    "between(Song.plays, 1, 3)": lambda song: 1 <= song.plays <= 3,
    "in_(Song.plays, [1, 3, 99])": lambda song: song.plays in (1, 3),
    str(in_(Song.plays, range(1, 300))): lambda song: song.plays >= 1,
    "(in_(Song.year, [1961])) | (is_none(Song.year))": lambda song: song.year in (1961, None),
    "Song.live": lambda song: song.live,
    "not_(Song.live == True)": lambda song: not song.live,
    "is_none(Song.year)": lambda song: song.year is None,
    "not_none(Song.year)": lambda song: song.year is not None,
    "exists(Song.year)": lambda song: song.year is not None,
    "not_exists(Song.year)": lambda song: song.year is None,
    "attribute_type(Song.label, 'M')": lambda song: song.label is not None,
    "contains(Song.tags, 'live')": lambda song: "live" in song.tags,
    "not_exists(Song.tags)": lambda song: not song.tags,
    "size(Song.tags) > 1": lambda song: len(song.tags) > 1,
    "size(Song.genre) == Song.plays": lambda song: len(song.genre) == song.plays,
    "Song.label.name == 'Verve'": lambda song: song.plays == 2,
    "Song.label.cities[1] == 'LA'": lambda song: song.plays == 2,
    "Song.scores['a.b'] >= 3": lambda song: song.plays >= 3,
    "Song.scores['größe'] == Song.plays": lambda song: song.plays == 1,
    "((Song.plays == 1) | (Song.genre == 'soul')) & (not_(Song.live == True))": lambda song: (
        song.plays in (1, 4, 5)
    ),
    "Song.year > 1961": lambda song: song.year is not None and song.year > 1961,
}


def test_a_global_index_is_found_by_its_key(session: Session):
    query = session.query(Song).where(Song.genre == "soul", Song.plays > 4)

    found = query.all()

    assert {(song.artist, song.title) for song in found} == {
        ("Ella", "a5"), ("Ella", "b5"), ("Nina", "a5"), ("Nina", "b5")
    }  # fmt: skip
    assert "index: by-genre" in query.explain()


def test_a_local_index_is_sparse_and_may_be_read_consistently(session: Session):
    query = session.query(Song).where(Song.artist == "Nina").using("by-year").consistent()

    assert [song.year for song in query] == [1961, 1961, 1963, 1963, 1965, 1965]
    assert [song.year for song in query.where(path(Song.year) > 1961).reverse()] == [
        1965, 1965, 1963, 1963
    ]  # fmt: skip


def test_whole_items_are_fetched_behind_an_index_of_keys(session: Session):
    query = session.query(Song).where(Song.mood == "calm", Song.plays == 2).hydrate()

    found = query.all()

    assert sorted(found, key=lambda song: (song.artist, song.title)) == [
        song for song in SONGS if song.plays == 2
    ]
    assert query.count() == 4
    assert session.query(Song).where(Song.mood == "calm").count() == len(SONGS)


def test_a_scan_reads_everything_once_in_parallel_too(session: Session):
    everything = sorted((song.artist, song.title) for song in SONGS)

    for scan in (
        session.scan(Song),
        session.scan(Song).page_size(5),
        session.scan(Song).parallel(3),
        session.scan(Song).parallel(3).page_size(2),
        session.scan(Song).using("by-genre"),
    ):
        assert sorted((song.artist, song.title) for song in scan) == everything
    assert session.scan(Song).parallel(4).count() == len(SONGS)
    assert len(session.scan(Song).parallel(4).limit(7).all()) == 7


def test_a_scan_of_a_sparse_index_has_its_items_only(session: Session):
    odd = [song for song in SONGS if song.year is not None]

    assert session.scan(Song).using("by-year").count() == len(odd)


# --- What is made of it ---------------------------------------------------------------------------


def test_projections(session: Session):
    query = session.query(Song).where(Song.artist == "Nina", Song.title <= "a2")

    assert query.as_(Title).all() == [Title("a0", 0), Title("a1", 1), Title("a2", 2)]
    assert query.select(Song.title, Song.plays).all() == [("a0", 0), ("a1", 1), ("a2", 2)]
    nested = query.select(path(Song.label).name, path(Song.label).cities[1], Song.scores["a.b"])
    assert nested.all() == [(None, None, 0), (None, None, 1), ("Verve", "LA", 2)]
    assert query.keys().first() == {"artist": "Nina", "title": "a0"}
    raw = query.raw().first()
    assert raw is not None
    assert raw["play.count"] == {"N": "0"}
    assert session.get(Song, query.keys().all()[1]) == NINAS[1]


def test_a_projection_of_an_index_that_holds_it(session: Session):
    keys = session.query(Song).where(Song.mood == "calm", Song.plays == 5)
    some = session.query(Song).where(Song.tone == "c", Song.artist == "Nina")

    assert sorted(keys.as_(Title), key=lambda each: each.title) == [
        Title("a5", 5), Title("a5", 5), Title("b5", 5), Title("b5", 5)
    ]  # fmt: skip
    assert {year for (year,) in some.select(Song.year)} == {None, 1961, 1963, 1965}


def test_first_one_and_count(session: Session):
    query = session.query(Song).where(Song.artist == "Nina")

    assert query.first() == NINAS[0]
    assert query.where(Song.plays == 5).first() == NINAS[5]
    assert query.where(Song.plays == 99).first() is None
    assert query.where(Song.title == "b2").one().title == "b2"
    assert query.count() == 12
    assert query.where(Song.plays > 2).count() == 6
    assert query.where(Song.plays > 2).limit(4).count() == 4
    with pytest.raises(NoSuchItem):
        query.where(Song.plays == 99).one()
    with pytest.raises(MultipleItems):
        query.one()


def test_limit_counts_what_is_returned_over_many_small_pages(session: Session):
    """`limit=1` with a filter reads one item a request and may find none, elsewhere."""
    query = session.query(Song).where(Song.artist == "Nina", Song.plays == 5).page_size(1)

    assert [song.title for song in query.limit(2)] == ["a5", "b5"]
    assert [song.title for song in query.limit(1)] == ["a5"]


def test_expired_items_are_left_out_on_request(session: Session):
    for number, expires in enumerate((None, NOON - timedelta(days=1), NOON + timedelta(days=1))):
        session.save(Song("Etta", f"{number}", expires=expires))
    session.save(Song("Etta", "3", expires=NOON))
    put_unreadable(
        session, artist={"S": "Etta"}, title={"S": "4"}, len={"NULL": True}, expires={"NULL": True}
    )
    query = session.query(Song).where(Song.artist == "Etta")

    assert [title for (title,) in query.select(Song.title)] == ["0", "1", "2", "3", "4"]
    assert [title for (title,) in query.unexpired().select(Song.title)] == ["0", "2", "4"]
    assert query.unexpired().count() == 3


def test_expired_items_are_missing_to_reads_by_key_on_request(session: Session):
    session.save(Song("Etta", "old", expires=NOON - timedelta(days=1)))
    session.save(Song("Etta", "new", expires=NOON + timedelta(days=1)))
    session.save(Song("Etta", "ever"))
    keys = [("Etta", title) for title in ("old", "new", "ever")]

    assert session.get_one(Song, keys[0]).title == "old"
    assert session.get(Song, keys[0], unexpired=True) is None
    assert session.get_one(Song, keys[1], unexpired=True).title == "new"
    with pytest.raises(NoSuchItem):
        session.get_one(Song, keys[0], unexpired=True)
    found = session.get_many(Song, keys, unexpired=True, missing="none")
    assert [song and song.title for song in found] == [None, "new", "ever"]
    assert found.missing == [keys[0]]


def test_an_unreadable_item_ends_no_scan_unless_wanted(session: Session):
    put_unreadable(session)
    query = session.query(Song).where(Song.artist == "Nina")

    with pytest.raises(MappingError) as caught:
        query.all()
    seen: list[MappingError] = []

    assert caught.value.key == {"artist": {"S": "Nina"}, "title": {"S": "a2x"}}
    assert caught.value.item is not None
    assert caught.value.item["len"] == {"S": "long"}
    assert query.on_error("skip").all() == NINAS
    assert query.on_error(seen.append).all() == NINAS
    assert [error.path for error in seen] == ["Song.length"]
    assert session.scan(Song).on_error("skip").parallel(2).count() == len(SONGS) + 1
    assert len(session.scan(Song).on_error("skip").all()) == len(SONGS)
    assert query.where(Song.title >= "a2x").on_error("skip").first() == NINAS[3]
    assert [song.title for song in query.on_error("skip").page(4)] == ["a0", "a1", "a2", "a3"]


def test_delete_removes_what_it_finds(session: Session):
    put_unreadable(session)

    assert session.query(Song).where(Song.artist == "Nina", Song.plays < 4).delete() == 9
    assert [song.title for song in session.query(Song).where(Song.artist == "Nina")] == [
        "a4", "a5", "b4", "b5"
    ]  # fmt: skip
    assert session.query(Song).where(Song.mood == "calm", Song.plays == 5).delete() == 4
    assert session.scan(Song).delete() == len(SONGS) - 8 - 4
    assert session.scan(Song).count() == 0


def test_a_query_in_a_batch_sees_what_was_saved_before(session: Session):
    with session.batch() as batch:
        batch.save(Song("Etta", "x"))
        assert batch.query(Song).where(Song.artist == "Etta").consistent().count() == 1
        batch.save(Song("Etta", "y"))
        assert batch.query(Song).where(Song.artist == "Etta").delete() == 2
    assert session.query(Song).where(Song.artist == "Etta").consistent().all() == []


# --- Pages and cursors ----------------------------------------------------------------------------

QUERIES: dict[str, Any] = {
    "the table": lambda session: session.query(Song).where(Song.artist == "Nina"),
    "backwards": lambda session: session.query(Song).where(Song.artist == "Nina").reverse(),
    "a range": lambda session: session.query(Song).where(
        Song.artist == "Nina", begins_with(Song.title, "a"), Song.title > "a0"
    ),
    "a filter": lambda session: session.query(Song).where(Song.artist == "Nina", Song.plays == 5),
    "small requests": lambda session: (
        session.query(Song).where(Song.artist == "Nina", Song.plays > 2).page_size(2)
    ),
    "a global index": lambda session: session.query(Song).where(Song.genre == "jazz"),
    "a local index": lambda session: (
        session.query(Song).where(Song.artist == "Nina").using("by-year")
    ),
    "whole items": lambda session: session.query(Song).where(Song.mood == "calm").hydrate(),
    "a projection": lambda session: session.query(Song).where(Song.genre == "soul").as_(Title),
    "tuples": lambda session: (
        session.query(Song).where(Song.genre == "soul").select(Song.label, Song.plays)
    ),
    "keys": lambda session: session.query(Song).where(Song.genre == "soul").keys(),
    "raw": lambda session: session.query(Song).where(Song.genre == "soul").raw(),
    "a scan": lambda session: session.scan(Song).where(Song.plays > 1),
    "a scan of an index": lambda session: session.scan(Song).using("some-of-tone").keys(),
    "no rows": lambda session: session.query(Song).where(Song.artist == "x", Song.artist == "y"),
}


@pytest.mark.parametrize("which", QUERIES)
def test_pages_put_together_are_one_uninterrupted_read(session: Session, client: Any, which: str):
    """For every size, each page by a session of its own."""
    whole = QUERIES[which](session).all()
    prefix = session._core.table_prefix
    for size_ in (1, 2, 3, 5, max(len(whole), 1), len(whole) + 1):
        found: list[Any] = []
        cursor: str | None = None
        for _ in range(60):
            other = Session(client=client, table_prefix=prefix)
            page = QUERIES[which](other).after(cursor).page(size_)
            other.close()
            assert len(page) == size_ or page.cursor is None
            found += page
            cursor = page.cursor
            if cursor is None:
                break
        assert found == whole


def test_max_requests_bounds_what_a_page_costs(session: Session):
    query = session.query(Song).where(Song.artist == "Nina", Song.plays == 5).page_size(2)
    found: list[Song] = []
    cursor: str | None = None
    requests = 0
    while True:
        requests += 1
        page = query.after(cursor).page(10, max_requests=1)
        assert page.scanned <= 2
        found += page
        if (cursor := page.cursor) is None:
            break

    assert [song.title for song in found] == ["a5", "b5"]
    assert requests in (6, 7)


def test_a_signed_cursor_resumes_where_the_secret_is_known(session: Session, client: Any):
    prefix = session._core.table_prefix

    def query(secret: str | None) -> Any:
        signing = Session(client=client, table_prefix=prefix, cursor_secret=secret)
        return signing.query(Song).where(Song.artist == "Nina")

    cursor = query("secret").page(3).cursor

    assert query("secret").after(cursor).page(20).items == tuple(NINAS[3:])
    for other in ("another", None):
        with pytest.raises(CursorError):
            query(other).after(cursor).page(3)


def test_a_cursor_goes_on_after_its_item_was_deleted(session: Session):
    query = session.query(Song).where(Song.mood == "calm", Song.plays == 2).hydrate()
    everything = query.all()
    page = query.page(2)
    session.delete(page.items[-1])

    assert query.after(page.cursor).all() == everything[2:]


def test_items_inserted_meanwhile_neither_repeat_nor_hide_others(session: Session):
    query = session.query(Song).where(Song.artist == "Nina")
    page = query.page(3)
    session.save(Song("Nina", "a0x"))
    session.save(Song("Nina", "a2x"))

    assert [song.title for song in query.after(page.cursor).limit(2)] == ["a2x", "a3"]


def test_what_was_read_and_what_it_cost_is_counted(session: Session, endpoint: Any):
    query = session.query(Song).where(Song.artist == "Nina", Song.plays == 5)
    before = session.stats.capacity["Query"], session.stats.scanned

    page = query.page(10)

    assert (len(page), page.scanned) == (2, 12)
    assert session.stats.scanned - before[1] == 12
    assert session.stats.capacity["Query"] - before[0] == page.consumed
    if endpoint.engine == "dynamodb-local":
        assert page.consumed > 0
        hydrated = session.query(Song).where(Song.mood == "calm", Song.plays == 5).hydrate()
        alone = session.query(Song).where(Song.mood == "calm", Song.plays == 5).keys()
        assert hydrated.page(9).consumed > alone.page(9).consumed


def test_leaving_a_loop_early_stops_asking(session: Session):
    def asked() -> int:
        return session.stats.requests["Query"]

    before = asked()
    for _ in session.query(Song).where(Song.artist == "Nina").page_size(1):
        break
    assert asked() - before == 1

    before = asked()
    for song in session.query(Song).where(Song.artist == "Nina").page_size(1):
        if song.title == "a3":
            break
    # Four pages were used; the fifth was under way, and no other.
    session.close()
    assert asked() - before in (4, 5)


def test_a_long_scan_beside_live_traffic_keeps_to_its_rate(session: Session):
    """Rates are tested by hand in tests/unit/test_query.py; here: the items are all there."""
    scan = session.scan(Song).page_size(8).rate_limit(1000)

    assert len(scan.all()) == len(SONGS)
