"""Queries: what each request reads, when the next one is sent, and what is made of the items."""

from __future__ import annotations

import threading
from typing import Any

import attrs
import pytest

from dynattrs import (
    GlobalIndex,
    MappingError,
    MultipleItems,
    NoSuchItem,
    QueryError,
    SessionClosed,
    TransactionError,
    field,
    model,
    partition_key,
    path,
    sort_key,
)
from dynattrs.operations.flows import Call, Pause, Start, Wait, WaitAny
from dynattrs.operations.reading.query import Stream
from stepped_session import ByHand, Job, result


@attrs.define
class Label:
    name: str = field(name="n", default="")
    cities: list[str] = attrs.field(factory=list)


@model(
    "music",
    indexes=[
        GlobalIndex("by-genre", partition_key="genre", sort_key="plays"),
        GlobalIndex("keys", partition_key="mood", sort_key="plays", projection="keys"),
    ],
)
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    genre: str = ""
    mood: str = ""
    plays: int = 0
    length: int | None = field(name="len", default=7)
    tags: set[str] = attrs.field(factory=set)
    label: Label | None = None


@attrs.define
class Short:
    title: str
    length: int = field(name="seconds", default=0)


def item(number: int, **more: Any) -> dict[str, Any]:
    return {
        "artist": {"S": "Nina"}, "title": {"S": f"t{number}"}, "genre": {"S": "jazz"},
        "mood": {"S": "calm"}, "plays": {"N": str(number)}, **more,
    }  # fmt: skip


def song(number: int, **more: Any) -> Song:
    return Song("Nina", f"t{number}", "jazz", "calm", number, **more)


def key(number: int) -> dict[str, Any]:
    return {"artist": {"S": "Nina"}, "title": {"S": f"t{number}"}}


def page(*items: dict[str, Any], last: Any = None, **more: Any) -> dict[str, Any]:
    response = {"Items": list(items), "Count": len(items), "ScannedCount": len(items), **more}
    return response if last is None else {**response, "LastEvaluatedKey": last}


def query(session: Any = None) -> Any:
    return (session or ByHand()).query(Song).where(Song.artist == "Nina")


def filtered(session: Any = None) -> Any:
    return query(session).where(path(Song.length) > 3)


# --- Descriptions ---------------------------------------------------------------------------------


def test_every_method_returns_a_new_query_and_changes_nothing():
    base = ByHand().scan(Song)
    before = attrs.asdict(base, recurse=False)
    derived = [
        base.where(Song.plays > 1), base.filter(Song.plays > 1), base.using("by-genre"),
        base.limit(1), base.page_size(1), base.consistent(), base.after("x"), base.parallel(2),
        base.segment(1, of=2), base.rate_limit(1), base.hydrate(), base.on_error("skip"), base.as_(Short),
        base.select(Song.title), base.keys(), base.raw(), query().reverse(),
    ]  # fmt: skip

    for each in derived[:-1]:
        assert attrs.asdict(each, recurse=False) != before
    assert attrs.asdict(base, recurse=False) == before


def test_a_query_is_shared_between_threads():
    base = query()
    found: list[str] = []

    def extend(number: int) -> None:
        for _ in range(200):
            made = base.where(Song.plays == number).limit(number + 1)
            wanted = f"where(Song.artist == 'Nina', Song.plays == {number}).limit({number + 1})"
            if str(made) != f"query(Song).{wanted}":
                found.append(str(made))

    threads = [threading.Thread(target=extend, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == []
    assert str(base) == "query(Song).where(Song.artist == 'Nina')"


def test_a_query_shows_its_conditions():
    asked = query().where().filter(Song.plays > 3)

    assert str(asked) == "query(Song).where(Song.artist == 'Nina').filter(Song.plays > 3)"
    assert repr(asked) == f"<{asked}>"
    assert str(ByHand().scan(Song)) == "scan(Song)"


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: query().limit(0), "limit(0): a positive int is expected"),
        (lambda: query().limit(True), "limit(True): a positive int is expected"),
        (lambda: query().limit(2.0), "limit(2.0): a positive int is expected"),
        (lambda: query().page_size(-1), "page_size(-1): a positive int is expected"),
        (lambda: ByHand().scan(Song).parallel(0), "parallel(0): a positive int is expected"),
        (lambda: query().parallel(2), "parallel() is for scans"),
        (lambda: ByHand().scan(Song).reverse(), "a scan has no order to reverse"),
        (lambda: query().rate_limit(0), "rate_limit(0): a positive number is expected"),
        (lambda: query().rate_limit(-1), "rate_limit(-1): a positive number is expected"),
        (lambda: query().rate_limit(float("nan")), "rate_limit(nan): a positive number"),
        (lambda: query().rate_limit("5"), "rate_limit('5'): a positive number"),
        (lambda: query().unexpired(), "unexpired: Song has no time to live"),
        (lambda: query().on_error("ignore"), "write 'raise', 'skip' or a function"),
        (lambda: query().select(), "select() needs at least one field"),
        (lambda: query().select("title"), "select('title'): a field such as Song.… is expected"),
        (lambda: query().as_(int), "as_(<class 'int'>): a class with fields is expected"),
        (lambda: next(query().page(0)), "page(0): a positive int is expected"),
        (lambda: next(query().page(5, max_requests=0)), "max_requests(0): a positive int"),
        (lambda: next(query().limit(5).page(5)), "page(n) says how many; remove limit(...)"),
        (
            lambda: ByHand().scan(Song).parallel(1_000_001),
            "a positive int is expected, up to 1,000,000",
        ),
        (lambda: query().segment(0, of=2), "segment() is for scans"),
        (
            lambda: ByHand().scan(Song).segment(0, of=0),
            "segment(0, of=0): a positive int is expected",
        ),
        (
            lambda: ByHand().scan(Song).segment(2, of=2),
            "segment(2, of=2): segments count from 0 to 1",
        ),
        (lambda: ByHand().scan(Song).segment(-1, of=2), "segments count from 0 to 1"),
        (lambda: ByHand().scan(Song).segment(True, of=2), "segment(True, of=2)"),
        (lambda: ByHand().scan(Song).segment("0", of=2), "segment('0', of=2)"),
        (lambda: ByHand().scan(Song).segment(0, of=2).parallel(2), "segment() reads one segment"),
        (lambda: ByHand().scan(Song).parallel(2).segment(0, of=2), "segment() reads one segment"),
    ],
)
def test_what_makes_no_sense_is_refused(use: Any, message: str):
    with pytest.raises(QueryError) as caught:
        use()

    assert message in str(caught.value)


def test_a_projection_of_a_field_that_the_model_lacks_is_refused():
    @attrs.define
    class Wrong:
        titel: str

    with pytest.raises(
        QueryError, match=r"as_\(Wrong\): Wrong.titel is not a field of Song; did you mean 'title'"
    ):
        query().as_(Wrong)


# --- How much is read -----------------------------------------------------------------------------


def test_without_a_limit_the_service_decides_how_much_is_read():
    assert "Limit" not in next(query().all()).parameters


def test_a_limit_is_sent_where_nothing_is_filtered():
    assert next(query().limit(5).all()).parameters["Limit"] == 5
    assert next(query().limit(5).page_size(3).all()).parameters["Limit"] == 3
    assert next(query().limit(3).page_size(5).all()).parameters["Limit"] == 3


def test_limit_counts_what_is_returned_and_page_size_what_is_read():
    """`limit=1` with a filter reads one item a request, elsewhere."""
    flow = filtered().limit(3).all()

    assert "Limit" not in next(flow).parameters
    second = flow.send(page(item(1), item(2), last=key(9), ScannedCount=500))
    assert second.parameters["ExclusiveStartKey"] == key(9)
    assert result(flow, page(item(11), item(12), last=key(20))) == [song(1), song(2), song(11)]
    assert next(filtered().limit(3).page_size(50).all()).parameters["Limit"] == 50


def test_a_limit_shrinks_with_what_was_returned():
    flow = query().limit(5).all()
    next(flow)

    assert flow.send(page(item(1), item(2), last=key(2))).parameters["Limit"] == 3


def test_a_filled_limit_ends_without_another_request():
    flow = query().limit(2).all()
    next(flow)

    assert result(flow, page(item(1), item(2), last=key(2))) == [song(1), song(2)]


def test_the_upper_end_that_between_includes_is_left_out_and_read_past():
    from dynattrs import begins_with

    asked = query().where(begins_with(Song.title, "t"), Song.title >= "t0").limit(2)
    flow = asked.all()

    assert next(flow).parameters["Limit"] == 3
    beyond = {**item(3), "title": {"S": "u"}}
    assert result(flow, page(item(1), beyond)) == [song(1)]


def test_count_asks_for_the_number_and_adds_up():
    flow = filtered().count()
    first = next(flow)

    assert first.parameters["Select"] == "COUNT"
    assert "ProjectionExpression" not in first.parameters
    flow.send({"Count": 3, "ScannedCount": 9, "LastEvaluatedKey": key(1)})
    assert result(flow, {"Count": 4, "ScannedCount": 4}) == 7


def test_count_minds_the_limit():
    """Elsewhere count ignores it."""
    flow = filtered().limit(5).count()
    next(flow)
    flow.send({"Count": 3, "ScannedCount": 9, "LastEvaluatedKey": key(1)})

    assert result(flow, {"Count": 4, "ScannedCount": 4, "LastEvaluatedKey": key(2)}) == 5


def test_count_needs_nothing_that_an_index_lacks():
    asked = ByHand().query(Song).where(Song.mood == "calm")
    for each in (asked, asked.hydrate()):
        flow = each.count()
        assert next(flow).parameters["Select"] == "COUNT"
        assert result(flow, {"Count": 3, "ScannedCount": 3}) == 3


def test_count_under_a_folded_range_reads_keys_only():
    from dynattrs import begins_with

    flow = query().where(begins_with(Song.title, "t"), Song.title >= "t1").count()
    parameters = next(flow).parameters

    assert "Select" not in parameters
    assert parameters["ProjectionExpression"] == "#0, #1"
    assert result(flow, page(key(1), {**key(2), "title": {"S": "u"}})) == 1


def test_first_reads_one_and_stops():
    flow = query().first()

    assert next(flow).parameters["Limit"] == 1
    assert result(flow, page(item(1), last=key(1))) == song(1)


def test_first_goes_on_over_empty_pages():
    flow = filtered().first()
    next(flow)

    assert flow.send(page(last=key(1))).parameters["ExclusiveStartKey"] == key(1)
    assert result(flow, page(item(2), item(3), last=key(3))) == song(2)


def test_first_of_nothing_is_none():
    flow = query().first()
    next(flow)

    assert result(flow, page()) is None


def test_one_is_the_only_one():
    flow = query().one()
    assert next(flow).parameters["Limit"] == 2
    assert result(flow, page(item(1))) == song(1)

    none = query().one()
    next(none)
    with pytest.raises(NoSuchItem, match=r"query\(Song\).where"):
        none.send(page())

    more = query().one()
    next(more)
    with pytest.raises(MultipleItems, match=r"use first\(\) for any of them"):
        more.send(page(item(1), item(2), last=key(2)))


# --- One page ahead, never more -------------------------------------------------------------------


def test_the_next_page_is_fetched_ahead_from_the_second_page_on():
    """And never more than one: nothing else begins before the caller comes back."""
    stream = Stream(query())
    first = stream.next()
    assert isinstance(next(first), Call)
    assert result(first, page(item(1), last=key(1))).items == (song(1),)

    second = stream.next()
    assert next(second).parameters["ExclusiveStartKey"] == key(1)
    begun = second.send(page(item(2), last=key(2)))
    assert isinstance(begun, Start)
    job = Job(begun.flow)
    assert result(second, job).items == (song(2),)

    third = stream.next()
    assert next(third) == Wait(job)
    assert next(job.flow).parameters["ExclusiveStartKey"] == key(2)
    fetched = result(job.flow, page(item(3), last=key(3)))
    ahead = third.send(fetched)
    assert isinstance(ahead, Start)
    last_job = Job(ahead.flow)
    assert result(third, last_job).items == (song(3),)

    fourth = stream.next()
    assert next(fourth) == Wait(last_job)
    next(last_job.flow)
    assert result(fourth, result(last_job.flow, page(item(4)))).items == (song(4),)
    assert result(stream.next()) is None


def test_leaving_early_cancels_what_was_fetched_ahead():
    """The next page is requested although the loop stopped, elsewhere."""
    stream = Stream(query())
    first = stream.next()
    next(first)
    result(first, page(item(1), last=key(1)))
    second = stream.next()
    next(second)
    job = Job(second.send(page(item(2), last=key(2))).flow)
    result(second, job)

    stream.close()

    assert job.cancelled
    assert result(stream.next()) is None


def test_nothing_is_fetched_ahead_of_a_filled_limit():
    flow = query().limit(2).page_size(1).all()
    next(flow)
    flow.send(page(item(1), last=key(1)))

    assert result(flow, page(item(2), last=key(2))) == [song(1), song(2)]


@pytest.mark.parametrize("end", ["first", "one"])
def test_first_and_one_fetch_nothing_ahead(end: str):
    flow = getattr(filtered(), end)()
    next(flow)
    for number in range(4):
        assert isinstance(flow.send(page(last=key(number))), Call)


def test_no_request_before_the_first_next():
    session = ByHand()
    session._closed = "session"

    stream = Stream(query(session))

    with pytest.raises(SessionClosed):
        next(stream.next())


# --- Pages and cursors ----------------------------------------------------------------------------


def test_a_page_has_exactly_that_many_items():
    flow = filtered().page(3)
    next(flow)
    flow.send(page(item(1), last=key(5), ScannedCount=5, ConsumedCapacity={"CapacityUnits": 0.5}))
    more = page(item(6), item(7), item(8), ConsumedCapacity={"CapacityUnits": 1.5})
    found = result(flow, more)

    assert found.items == (song(1), song(6), song(7))
    assert (found.scanned, found.consumed) == (8, 2.0)
    assert next(filtered().after(found.cursor).page(1)).parameters["ExclusiveStartKey"] == key(7)


def test_a_page_is_a_sequence():
    flow = query().page(3)
    next(flow)
    found = result(flow, page(item(1), item(2), item(3)))

    assert len(found) == 3
    assert list(found) == [song(1), song(2), song(3)]
    assert found[-1] == song(3)
    assert list(found[:2]) == [song(1), song(2)]
    assert song(2) in found
    assert bool(found)


def test_a_page_at_the_exact_end_may_be_followed_by_an_empty_one():
    """The service says "there may be more" where it stopped because of the limit."""
    flow = query().page(2)
    next(flow)
    full = result(flow, page(item(1), item(2), last=key(2)))
    assert full.cursor is not None

    again = query().after(full.cursor).page(2)
    next(again)
    empty = result(again, page())

    assert (empty.items, empty.cursor) == ((), None)


def test_a_page_that_reached_the_end_has_no_cursor():
    flow = query().page(2)
    next(flow)

    assert result(flow, page(item(1), item(2))).cursor is None


def test_spent_requests_end_a_page_early_with_a_cursor_behind_what_was_read():
    flow = filtered().page(3, max_requests=2)
    next(flow)
    flow.send(page(item(1), last=key(4)))
    found = result(flow, page(last=key(9)))

    assert found.items == (song(1),)
    assert next(filtered().after(found.cursor).page(3)).parameters["ExclusiveStartKey"] == key(9)


def test_pages_have_cursors_too():
    stream = Stream(query())
    first = stream.next()
    next(first)
    found = result(first, page(item(1), item(2), last=key(2)))

    assert next(query().after(found.cursor).all()).parameters["ExclusiveStartKey"] == key(2)


# --- Whole items behind an index ------------------------------------------------------------------


def moody() -> Any:
    return ByHand().query(Song).where(Song.mood == "calm").hydrate()


def indexed(number: int) -> dict[str, Any]:
    found = item(number)
    del found["genre"]
    return found


def place(number: int) -> dict[str, Any]:
    """The key of the index and of the table: what the service takes as a start."""
    return indexed(number)


def whole(*items: dict[str, Any], units: float = 0.0) -> dict[str, Any]:
    return {
        "Responses": {"music": list(items)}, "UnprocessedKeys": {},
        "ConsumedCapacity": [{"TableName": "music", "CapacityUnits": units}],
    }  # fmt: skip


def test_whole_items_come_in_the_indexs_order():
    flow = moody().all()
    call = next(flow)
    assert call.parameters["ProjectionExpression"] == "#1, #2, #0, #3"
    fetch = flow.send(page(indexed(1), indexed(2), indexed(3)))

    assert fetch == Call(
        "batch_get_item", {"RequestItems": {"music": {"Keys": [key(1), key(2), key(3)]}}}
    )
    assert result(flow, whole(item(3), item(1), item(2))) == [song(1), song(2), song(3)]


def test_an_empty_page_of_an_index_fetches_nothing():
    flow = moody().all()
    next(flow)

    assert result(flow, page()) == []


def test_what_was_deleted_since_is_left_out_and_the_page_filled_up():
    flow = moody().page(2)
    assert next(flow).parameters["Limit"] == 2
    flow.send(page(indexed(1), indexed(2), last=place(2)))
    more = flow.send(whole(item(1)))
    assert more.parameters["ExclusiveStartKey"] == place(2)
    assert more.parameters["Limit"] == 1
    flow.send(page(indexed(3), last=place(3)))
    found = result(flow, whole(item(3)))

    assert found.items == (song(1), song(3))
    assert next(moody().after(found.cursor).page(1)).parameters["ExclusiveStartKey"] == place(3)


def test_the_cursor_of_whole_items_is_made_of_what_the_index_had():
    """The whole item may have changed since the index was read, or have lost its index key."""
    changed = {**item(2), "plays": {"N": "99"}}
    gone = {name: value for name, value in item(2).items() if name != "mood"}
    for now in (changed, gone):
        flow = moody().page(2)
        next(flow)
        # More than was asked for, as behind an index that lags.
        flow.send(page(indexed(1), indexed(2), indexed(3), last=place(3)))
        found = result(flow, whole(item(1), now, item(3)))

        assert len(found) == 2
        start = next(moody().after(found.cursor).page(1)).parameters["ExclusiveStartKey"]
        assert start == place(2)


def test_what_whole_items_cost_is_counted():
    flow = moody().page(5)
    next(flow)
    flow.send(page(indexed(1), ConsumedCapacity={"CapacityUnits": 0.5}))

    assert result(flow, whole(item(1), units=2.0)).consumed == 2.5


def test_more_than_a_hundred_whole_items_are_fetched_in_turn():
    flow = moody().all()
    next(flow)
    first = flow.send(page(*map(indexed, range(150))))
    assert len(first.parameters["RequestItems"]["music"]["Keys"]) == 100
    second = flow.send(whole(*map(item, range(100))))
    assert len(second.parameters["RequestItems"]["music"]["Keys"]) == 50

    assert result(flow, whole(*map(item, range(100, 150)))) == [song(n) for n in range(150)]


# --- Items that cannot be read --------------------------------------------------------------------

BAD = item(2, len={"S": "long"})


def test_an_unreadable_item_is_an_error_with_its_key():
    flow = query().all()
    next(flow)

    with pytest.raises(MappingError) as caught:
        flow.send(page(item(1), BAD))

    assert caught.value.path == "Song.length"
    assert caught.value.key == key(2)
    assert caught.value.item == BAD


def test_an_unreadable_item_may_be_skipped():
    """One unreadable item ends a scan of millions, elsewhere."""
    flow = query().on_error("skip").all()
    next(flow)

    assert result(flow, page(item(1), BAD, item(3))) == [song(1), song(3)]


@pytest.mark.parametrize("limit", [None, 5])
def test_an_unreadable_item_may_be_handed_to_a_function_once(limit: int | None):
    seen: list[MappingError] = []
    asked = query().on_error(seen.append)
    flow = (asked if limit is None else asked.limit(limit)).all()
    next(flow)

    assert result(flow, page(item(1), BAD, item(3))) == [song(1), song(3)]
    assert [(error.key, error.item) for error in seen] == [(key(2), BAD)]


def test_a_function_may_raise_to_stop():
    def stop(error: MappingError) -> None:
        raise RuntimeError("enough")

    flow = query().on_error(stop).all()
    next(flow)

    with pytest.raises(RuntimeError, match="enough"):
        flow.send(page(BAD))


@pytest.mark.parametrize(
    "read",
    [
        lambda query: query.select(Song.length),
        lambda query: query.select(Song.title, Song.length),
        lambda query: query.as_(Short),
    ],
)
def test_the_error_of_a_projection_has_the_items_key_too(read: Any):
    flow = read(query()).all()
    next(flow)

    with pytest.raises(MappingError) as caught:
        flow.send(page(BAD))

    assert caught.value.key == key(2)
    assert caught.value.item == BAD


def test_a_limit_counts_readable_items_only():
    flow = query().on_error("skip").limit(2).all()
    assert next(flow).parameters["Limit"] == 2
    more = flow.send(page(item(1), BAD, last=key(2)))

    assert more.parameters["Limit"] == 1
    assert result(flow, page(item(3), last=key(3))) == [song(1), song(3)]


def test_first_skips_to_the_first_readable_item():
    flow = query().on_error("skip").first()
    next(flow)
    flow.send(page(BAD, last=key(2)))

    assert result(flow, page(item(3), last=key(3))) == song(3)


def test_a_page_is_filled_with_readable_items():
    flow = filtered().on_error("skip").page(2)
    next(flow)
    found = result(flow, page(item(1), BAD, item(3), item(4)))

    assert found.items == (song(1), song(3))
    assert next(filtered().after(found.cursor).page(1)).parameters["ExclusiveStartKey"] == key(3)


def test_deleting_and_counting_read_no_fields():
    flow = query().count()
    next(flow)
    assert result(flow, page(BAD)) == 1
    assert next(query().delete()).parameters["ProjectionExpression"] == "#0, #1"


def test_inside_a_transaction_nothing_is_written_beside_it():
    session = ByHand()
    session._core.transactions[session._core.environment.caller()] += 1

    assert next(query(session).all()).operation == "query"
    with pytest.raises(TransactionError, match="a transaction is open here"):
        next(query(session).delete())
    assert next(session._statement("select 1", (), None, consistent=False)).parameters
    with pytest.raises(TransactionError, match="a transaction is open here"):
        next(session._statement("DELETE FROM x", (), None, consistent=False))


# --- What is made of items ------------------------------------------------------------------------


def read(asked: Any, *items: dict[str, Any]) -> Any:
    flow = asked.all()
    call = next(flow)
    names = call.parameters.get("ExpressionAttributeNames", {})
    projected = [names[each] for each in call.parameters["ProjectionExpression"].split(", ")]
    return projected, result(flow, page(*items))


def test_select_gives_tuples_with_defaults_as_the_model_has_them():
    fields, rows = read(
        query().select(Song.title, Song.length, Song.tags, Song.label),
        item(1), item(2, len={"N": "3"}, tags={"SS": ["x"]}), item(3, len={"NULL": True}),
    )  # fmt: skip

    assert fields == ["artist", "title", "label", "len", "tags"]
    assert rows == [("t1", 7, set(), None), ("t2", 3, {"x"}, None), ("t3", None, set(), None)]


def test_select_reaches_into_renamed_fields_lists_and_what_is_not_there():
    label = {"M": {"n": {"S": "Verve"}, "cities": {"L": [{"S": "NY"}, {"S": "LA"}]}}}
    asked = query().select(path(Song.label).name, path(Song.label).cities[1])
    fields, rows = read(asked, item(1, label=label), item(2), item(3, label={"NULL": True}))

    assert fields == ["artist", "title", "label"]
    assert rows == [("Verve", "LA"), (None, None), (None, None)]


def test_as_reads_another_class_by_field_names():
    """Stored names are the model's; the other class may rename on its own account."""
    fields, rows = read(query().as_(Short), item(1, len={"N": "3"}), item(2))

    assert fields == ["artist", "title", "len"]
    assert rows == [Short("t1", 3), Short("t2", 0)]


def test_keys_are_what_get_takes():
    assert read(query().keys(), key(1))[1] == [{"artist": "Nina", "title": "t1"}]


def test_raw_gives_attribute_maps():
    flow = query().raw().all()
    assert "ProjectionExpression" not in next(flow).parameters

    assert result(flow, page(BAD)) == [BAD]


def test_keys_of_an_index_are_the_tables():
    flow = ByHand().query(Song).where(Song.genre == "jazz").keys().all()
    next(flow)

    assert result(flow, page(item(1))) == [{"artist": "Nina", "title": "t1"}]


# --- Slowly, and in parallel ----------------------------------------------------------------------


def test_a_rate_limit_pauses_for_what_the_last_page_has_cost():
    session = ByHand()
    flow = session.scan(Song).rate_limit(10).all()
    assert isinstance(next(flow), Call)
    pause = flow.send(page(item(1), last=key(1), ConsumedCapacity={"CapacityUnits": 5.0}))
    assert pause == Pause(0.5)
    session.clock.seconds += 0.5
    assert isinstance(next(flow), Call)
    session.clock.seconds += 60  # a slow reply: nothing is owed, and nothing is saved up
    ahead = flow.send(page(item(2), last=key(2), ConsumedCapacity={"CapacityUnits": 20.0}))
    assert isinstance(ahead, Start)
    assert next(ahead.flow) == Pause(2.0)


def test_a_rate_limit_without_word_from_the_engine_goes_by_size():
    session = ByHand()
    flow = session.scan(Song).rate_limit(1).all()
    next(flow)
    big = item(1, genre={"S": "x" * 16_384})

    pause = flow.send(page(big, last=key(1)))

    assert pause.seconds == pytest.approx(2, rel=0.01)


def test_a_parallel_scan_has_one_request_for_each_segment_under_way():
    flow = ByHand().scan(Song).parallel(3).page_size(9)
    stream = Stream(flow)
    first = stream.next()
    effect = next(first)
    jobs = []
    for _ in range(3):
        assert isinstance(effect, Start)
        jobs.append(Job(effect.flow))
        effect = first.send(jobs[-1])
    assert effect == WaitAny(tuple(jobs))
    calls = [next(job.flow) for job in jobs]
    assert [call.parameters["Segment"] for call in calls] == [0, 1, 2]
    assert {call.parameters["TotalSegments"] for call in calls} == {3}
    assert {call.parameters["Limit"] for call in calls} == {9}

    # Segment 1 is ready. Its next page begins when this one is taken, and no sooner.
    assert first.send(jobs[1]) == Wait(jobs[1])
    begun = first.send(result(jobs[1].flow, page(item(1), last=key(1))))
    assert isinstance(begun, Start)
    following = Job(begun.flow)
    assert result(first, following).items == (song(1),)
    call = next(following.flow)
    assert (call.parameters["Segment"], call.parameters["ExclusiveStartKey"]) == (1, key(1))

    # The others were not asked for more while nobody took what they have.
    second = stream.next()
    assert next(second) == WaitAny((jobs[0], jobs[2], following))


def test_a_parallel_scan_ends_when_all_segments_have():
    stream = Stream(ByHand().scan(Song).parallel(2))
    first = stream.next()
    jobs = [Job(next(first).flow)]
    jobs.append(Job(first.send(jobs[0]).flow))
    assert first.send(jobs[1]) == WaitAny(tuple(jobs))
    first.send(jobs[0])
    next(jobs[0].flow)
    assert result(first, result(jobs[0].flow, page())).items == ()
    second = stream.next()
    assert next(second) == WaitAny((jobs[1],))
    second.send(jobs[1])
    next(jobs[1].flow)
    assert result(second, result(jobs[1].flow, page(item(2)))).items == (song(2),)

    assert result(stream.next()) is None


def test_a_filled_limit_cancels_the_other_segments():
    # With a filter, nothing tells how much is to be read.
    stream = Stream(ByHand().scan(Song).filter(Song.plays >= 0).parallel(2).limit(1))
    first = stream.next()
    jobs = [Job(next(first).flow)]
    jobs.append(Job(first.send(jobs[0]).flow))
    first.send(jobs[1])
    first.send(jobs[0])
    next(jobs[0].flow)
    found = result(first, result(jobs[0].flow, page(item(1), item(2), last=key(2))))

    assert found.items == (song(1),)
    assert jobs[1].cancelled
    assert result(stream.next()) is None
