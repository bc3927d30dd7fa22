"""Changes from records of streams: whichever way they come, and whatever is wrong with them."""

from __future__ import annotations

import asyncio
import functools
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import attrs
import pytest

from dynattrs import (
    MappingError,
    ModelError,
    OtherKind,
    QueryError,
    Table,
    field,
    model,
    partition_key,
    sort_key,
)
from dynattrs.schema.model_info import GUARD_ATTRIBUTE, info_of
from dynattrs.streams import (
    Inserted,
    Modified,
    NoImage,
    Removed,
    Unreadable,
    changes,
    handle,
    handle_async,
)
from stream_records import AT, SHAPES, of_lambda, record

app = Table("app", partition_key="pk", sort_key="sk", stream="new and old")


@model(app, pk="CUSTOMER#{customer}", sk="PROFILE")
class Customer:
    customer: str
    name: str
    photo: bytes = b""


@model(app, pk="CUSTOMER#{customer}", sk="ORDER#{number:04d}")
class Order:
    customer: str
    number: int
    status: str = "new"
    tags: set[str] = attrs.field(factory=set)
    lines: list[dict[str, int]] = attrs.field(factory=list)


def item(obj: Any) -> Any:
    info = info_of(type(obj))
    assert info is not None
    return info.mapper.dump(obj)


ANN = Customer("ann", "Ann", b"\xff\x00")
NEW, PAID = Order("ann", 7), Order("ann", 7, "paid", {"b", "a"})


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_gives_the_same_changes(shape: str):
    event = SHAPES[shape]([
        record(new=item(ANN), number=1),
        record(item(NEW), item(PAID), number=22),
        record(old=item(PAID), number=333, expired=True),
    ])  # fmt: skip

    inserted, modified, removed = changes(event, app)

    assert isinstance(inserted, Inserted)
    assert inserted.new == ANN
    assert inserted.old is None
    assert isinstance(modified, Modified)
    assert (modified.old, modified.new) == (NEW, PAID)
    assert isinstance(removed, Removed)
    assert removed.old == PAID
    assert removed.new is None
    assert [each.expired for each in (inserted, modified, removed)] == [False, False, True]
    assert [each.sequence_number for each in (inserted, modified, removed)] == ["1", "22", "333"]
    assert inserted.key == {"customer": "ann"}
    assert modified.key == {"customer": "ann", "number": 7}
    assert modified.model is Order
    precise = timedelta(microseconds=7 if "kinesis" in shape else 0)
    assert {each.at for each in (inserted, modified, removed)} == {AT + precise}
    assert inserted.table == (None if shape == "get_records" else "app")


def test_match_tells_changes_apart():
    event = of_lambda([
        record(item(NEW), item(PAID)), record(new=item(NEW)), record(old=item(NEW), expired=True),
        record(new=item(ANN)),
    ])  # fmt: skip
    found = []
    for change in changes(event, app):
        match change:
            case Modified(old=Order() as before, new=Order() as order) if change.changed(
                Order.status
            ):
                found.append((before.status, order.status))
            case Inserted(new=Order() as order):
                found.append(order.number)
            case Removed(old=Order(), expired=True):
                found.append("expired")
            case Inserted(Customer(name=name)):
                found.append(name)
            case _:
                raise AssertionError(change)
    assert found == [("new", "paid"), 7, "expired", "Ann"]


# --- What has changed -----------------------------------------------------------------------------


def changed(old: Any, new: Any, path: Any) -> bool:
    [change] = changes([record(old, new)], app)
    assert not isinstance(change, Unreadable)
    return change.changed(path)


def test_what_has_changed_is_told_by_paths():
    before = item(Order("ann", 7, lines=[{"apples": 1}, {"pears": 2}]))
    after = item(Order("ann", 7, lines=[{"apples": 1}, {"pears": 3}]))

    assert changed(before, after, Order.lines)
    assert not changed(before, after, Order.lines[0]["apples"])
    assert changed(before, after, Order.lines[1]["pears"])
    assert not changed(before, after, Order.status)
    assert not changed(before, after, Order.number)  # it is in the key alone


def test_another_spelling_is_no_change():
    one, other = item(PAID), item(PAID)
    one["tags"], other["tags"] = {"SS": ["a", "b"]}, {"SS": ["b", "a"]}
    one["lines"] = {"L": [{"M": {"n": {"N": "1"}}}]}
    other["lines"] = {"L": [{"M": {"n": {"N": "1.0"}}}]}

    assert not changed(one, other, Order.tags)
    assert not changed(one, other, Order.lines)


def test_a_default_that_is_absent_is_no_change():
    old = item(NEW)
    del old["status"]

    assert not changed(old, item(NEW), Order.status)
    assert changed(old, item(PAID), Order.status)


def test_where_there_was_no_item_there_was_no_value():
    assert changed(None, item(NEW), Order.status)
    assert changed(item(NEW), None, Order.status)
    assert not changed(None, item(NEW), Order.lines[0])


def test_what_is_asked_of_another_model_is_an_error():
    [change] = changes([record(item(NEW), item(PAID))], app)
    assert isinstance(change, Modified)

    with pytest.raises(ValueError, match=r"a field of Customer, and the item is a Order"):
        change.changed(Customer.name)
    with pytest.raises(TypeError, match=r"changed\('status'\): a field such as Order\.… is"):
        change.changed("status")


# --- Views ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("view", "missing"),
    [("KEYS_ONLY", ("old", "new")), ("NEW_IMAGE", ("old",)), ("OLD_IMAGE", ("new",))],
)
def test_an_image_that_the_view_does_not_carry_is_an_error(view: str, missing: tuple[str, ...]):
    [change] = changes([record(item(NEW), item(PAID), view=view)], app)
    assert isinstance(change, Modified)

    for name, expected in (("old", NEW), ("new", PAID)):
        if name in missing:
            with pytest.raises(NoImage, match=rf"Modified Order: it has no {name} .* is {view}"):
                getattr(change, name)
        else:
            assert getattr(change, name) == expected
    with pytest.raises(NoImage, match="stream='new and old'"):
        change.changed(Order.status)
    assert change.key == {"customer": "ann", "number": 7}
    assert change.model is Order


def test_a_pattern_that_needs_a_missing_image_does_not_pass_by_in_silence():
    [change] = changes([record(new=item(NEW), view="KEYS_ONLY")], app)
    with pytest.raises(NoImage):
        match change:
            case Inserted(new=Order()):
                raise AssertionError


def test_without_images_models_whose_keys_are_alike_are_not_told_apart():
    table = Table("kinds", partition_key="id", discriminator="type")

    @model(table, kind="a")
    class A:
        id: str = partition_key()

    @model(table, kind="b")
    class B:
        id: str = partition_key()

    stored = item(B("1"))
    [whole] = changes([record(new=stored, key=["id"], table="kinds")], table)
    [key] = changes([record(new=stored, key=["id"], table="kinds", view="KEYS_ONLY")], table)

    assert isinstance(whole, Inserted)
    assert whole.new == B("1")
    assert isinstance(key, Unreadable)
    assert "keys do not tell these models apart" in str(key.cause)


def test_without_images_models_that_share_a_template_are_not_told_apart():
    table = Table("shared-keys", partition_key="pk", discriminator="type")

    @model(table, pk="X#{id}", kind="a")
    class A:
        id: str

    @model(table, pk="X#{id}", kind="b")
    class B:
        id: str

    @model(table, pk="C#{id}", kind="c")
    class C:
        id: str

    for old, view in [(None, "KEYS_ONLY"), (item(B("1")), "NEW_IMAGE")]:
        new = None if old else item(B("1"))
        event = [record(old, new, key=["pk"], table="shared-keys", view=view)]
        for asked in (table, A, B):
            [change] = changes(event, asked)
            assert isinstance(change, Unreadable)
            assert "keys do not tell these models apart" in str(change.cause)
    event = [record(new=item(C("1")), key=["pk"], table="shared-keys", view="KEYS_ONLY")]
    [change] = changes(event, table)
    assert isinstance(change, Inserted)
    assert change.model is C
    assert list(changes(event, A)) == []


@pytest.mark.parametrize(("count", "precision"), [
    (1795782605, None), (1795782605.0, None), (1795782605_000, None),
    (1795782605_000_000, None), (1795782605_000, "MILLISECOND"),
    (1795782605_000_000, "MICROSECOND"),
])  # fmt: skip
def test_times_are_seconds_or_parts_of_them(count: float, precision: str | None):
    given = record(new=item(NEW))
    given["dynamodb"]["ApproximateCreationDateTime"] = count
    if precision:
        given["dynamodb"]["ApproximateCreationDateTimePrecision"] = precision
    [change] = changes([given], app)
    assert change.at == AT


@pytest.mark.parametrize("count", [float("nan"), float("inf"), -1e300, 1e300, "soon", None])
def test_what_is_no_time_is_unreadable(count: Any):
    given = record(new=item(NEW))
    given["dynamodb"]["ApproximateCreationDateTime"] = count
    [change] = changes([given], app)
    assert isinstance(change, Unreadable)
    assert change.at is None
    assert "ApproximateCreationDateTime is" in str(change.cause)


def test_an_image_that_the_view_promises_and_the_record_lacks_is_unreadable():
    given = record(item(NEW), item(PAID))
    del given["dynamodb"]["OldImage"]

    [change] = changes([given], app)

    assert isinstance(change, Unreadable)
    assert "its view is NEW_AND_OLD_IMAGES, and it has no old image" in str(change.cause)


# --- Which items ----------------------------------------------------------------------------------


def test_other_models_are_left_out_or_an_error():
    event = of_lambda([record(new=item(ANN), number=1), record(new=item(NEW), number=2)])

    [change] = changes(event, Order)
    assert isinstance(change, Inserted)
    assert change.new == NEW
    other, _ = changes(event, Order, others="error")
    assert isinstance(other, Unreadable)
    assert isinstance(other.cause, OtherKind)


def test_an_item_that_becomes_one_of_another_model_begins_or_ends():
    table = Table("states", partition_key="id", discriminator="type")

    @model(table, kind="draft")
    class Draft:
        id: str = partition_key()

    @model(table, kind="letter")
    class Letter:
        id: str = partition_key()

    event = [record(item(Draft("1")), item(Letter("1")), key=["id"], table="states")]

    [both] = changes(event, table)
    assert isinstance(both, Modified)
    assert (both.old, both.new) == (Draft("1"), Letter("1"))
    [began] = changes(event, Letter)
    assert isinstance(began, Inserted)
    assert began.new == Letter("1")
    [ended] = changes(event, Draft)
    assert isinstance(ended, Removed)
    assert ended.old == Draft("1")


def test_guards_of_unique_values_never_appear():
    table = Table("users", partition_key="mail")

    @model(table)
    class User:
        mail: str = partition_key()
        nick: str = field(unique=True)

    guard = {"mail": {"S": f"{GUARD_ATTRIBUTE} nick=ann"}, GUARD_ATTRIBUTE: {"S": "User"}}
    event = [record(new=guard, key=["mail"], table="users"),
             record(new=item(User("a@x", "ann")), key=["mail"], table="users")]  # fmt: skip

    [change] = changes(event, User)
    assert isinstance(change, Inserted)
    assert change.new == User("a@x", "ann")
    assert [type(each) for each in changes(event, table, others="error")] == [Inserted]


def test_old_items_are_brought_up_to_date():
    table = Table("notes", partition_key="id")

    @model(table, upgrades=[lambda stored: {**stored, "text": stored["text"].upper()}])
    class Note:
        id: str = partition_key()
        text: str

    old = {"id": {"S": "1"}, "text": {"S": "hi"}}
    [change] = changes([record(old, item(Note("1", "HI")), key=["id"], table="notes")], Note)

    assert isinstance(change, Modified)
    assert change.old == change.new == Note("1", "HI")
    assert not change.changed(Note.text)


def test_hooks_of_the_model_run():
    seen = []

    @model("hooked", after_load=seen.append)
    class Hooked:
        id: str = partition_key()

    list(changes([record(new={"id": {"S": "1"}}, key=["id"], table="hooked")], Hooked))

    assert seen == [Hooked("1")]


def test_unknown_attributes_are_carried():
    stored = {**item(NEW), "extra": {"N": "1"}}
    [change] = changes([record(new=stored)], app)

    assert isinstance(change, Inserted)
    assert item(change.new) == stored


# --- What cannot be read --------------------------------------------------------------------------


def test_an_unreadable_record_hides_no_other():
    broken = {**item(NEW), "status": {"N": "1"}}
    event = of_lambda([
        record(new=item(ANN), number=1), record(new=broken, number=2), 3, {"dynamodb": None},
        record(new=item(NEW), number=4, kind="UPSERT"), {"kinesis": {"data": "?"}},
        record(item(NEW), broken, number=5), record(item(NEW), item(PAID), number=6),
    ])  # fmt: skip

    first, wrong, number, nothing, kind, kinesis, half, last = changes(event, app)

    assert isinstance(first, Inserted)
    assert isinstance(last, Modified)
    assert isinstance(wrong, Unreadable)
    assert isinstance(wrong.cause, MappingError)
    assert wrong.cause.path == "Order.status"
    assert wrong.sequence_number == "2"
    assert wrong.key == {name: broken[name] for name in ("pk", "sk")}
    assert wrong.at == AT
    assert wrong.record["eventID"] == "event-2"
    assert isinstance(half, Unreadable)
    assert isinstance(half.cause, MappingError)
    for each, text in [
        (number, "a record is a mapping, and this is a int"),
        (nothing, "no member 'dynamodb'"),
        (kind, "eventName is 'UPSERT'"),
        (kinesis, "not base64 of JSON"),
    ]:
        assert isinstance(each, Unreadable)
        assert text in str(each.cause)
        assert "Unreadable(ValueError" in repr(each)


def test_an_unknown_kind_of_item_is_unreadable():
    stored = {"pk": {"S": "X"}, "sk": {"S": "Y"}}
    [change] = changes([record(new=stored)], Order)
    assert isinstance(change, Unreadable)
    assert isinstance(change.cause, MappingError)


@pytest.mark.parametrize("given", [None, 1, "text", b"x", {"Records": "x"}, {"detail": {}}])
def test_what_holds_no_records_is_an_error(given: Any):
    with pytest.raises(TypeError, match=r"changes\("):
        changes(given, app)


def test_arguments_are_checked_at_once():
    with pytest.raises(QueryError, match="at least one model"):
        changes([])
    with pytest.raises(QueryError, match="no model is declared on the table 'empty'"):
        changes([], Table("empty", partition_key="id"))
    with pytest.raises(ModelError):
        changes([], int)
    with pytest.raises(QueryError, match='write "skip" or "error"'):
        changes([], app, others="both")  # type: ignore[call-overload]


# --- Tables ---------------------------------------------------------------------------------------


@model("songs-of-streams")
class Song:
    artist: str = partition_key()
    title: str = sort_key()


def test_tables_are_known_by_their_names_here():
    song = Song("Nina", "Sinnerman")
    dev = [record(new=item(song), key=["artist", "title"], table="dev-songs-of-streams"),
           record(new=item(NEW), table="orders-7")]  # fmt: skip

    found = list(changes(dev, Song, app, table_prefix="dev-", tables={"app": "orders-7"}))
    assert [each.new for each in found if isinstance(each, Inserted)] == [song, NEW]

    for each in changes(dev, Song, app):
        assert isinstance(each, Unreadable)
        assert "give the tables' names here with table_prefix=" in str(each.cause)


def test_records_that_name_no_table_need_one_where_there_are_several():
    event = [record(new=item(NEW), table=None)]

    [alone] = changes(event, app)
    assert isinstance(alone, Inserted)
    [unnamed] = changes(event, app, Song)
    assert isinstance(unnamed, Unreadable)
    assert "name the table with table=" in str(unnamed.cause)
    for table in (app, "app"):
        [named] = changes(event, app, Song, table=table)
        assert isinstance(named, Inserted)
        assert named.table == "app"
    with pytest.raises(QueryError, match=r"table='other'\): the models are in 'app'"):
        changes(event, app, table="other")


def test_two_tables_of_one_name_are_refused():
    @model("twice-declared")
    class One:
        id: str = partition_key()

    @model("twice-declared")
    class Two:
        id: str = partition_key()

    with pytest.raises(QueryError, match="declare one Table for both"):
        changes([], One, Two)


def test_a_model_that_is_declared_later_counts():
    table = Table("later", partition_key="pk")

    @model(table, pk="A#{a}")
    class A:
        a: str

    event = [record(new={"pk": {"S": "B#1"}, "b": {"S": "1"}}, key=["pk"], table="later")]
    [unknown] = changes(event, table)
    assert isinstance(unknown, Unreadable)

    @model(table, pk="B#{b}")
    class B:
        b: str

    [known] = changes(event, table)
    assert isinstance(known, Inserted)
    assert known.new == B("1")


# --- A Lambda function ----------------------------------------------------------------------------

EVENT = of_lambda([
    record(new=item(ANN), number=1), record(item(NEW), item(PAID), number=2),
    record(old=item(PAID), number=3), record(new=item(NEW), number=4),
])  # fmt: skip


class Handler:
    """Notes what it gets, and raises at one of them."""

    def __init__(self, fails_at: int = 0) -> None:
        self.seen: list[int] = []
        self._fails_at = fails_at

    def __call__(self, change: Any) -> None:
        number = int(change.sequence_number)
        self.seen.append(number)
        if number == self._fails_at:
            raise RuntimeError("index is down")

    async def later(self, change: Any) -> None:
        await asyncio.sleep(0)
        self(change)


@pytest.mark.parametrize("kind", ["plain", "async", "awaited"])
@pytest.mark.parametrize(("fails_at", "seen"), [(0, [1, 2, 3, 4]), (3, [1, 2, 3])])
def test_a_batch_stops_at_the_first_failure(kind: str, fails_at: int, seen: list[int]):
    handler = Handler(fails_at)

    if kind == "plain":
        answer = handle(EVENT, app, handler)
    elif kind == "async":
        answer = handle(EVENT, app, handler.later)
    else:
        answer = asyncio.run(handle_async(EVENT, app, handler.later))

    assert handler.seen == seen
    failures = [{"itemIdentifier": "3"}] if fails_at else []
    assert answer == {"batchItemFailures": failures}


@pytest.mark.parametrize(("shape", "name"), [
    ("lambda", "3"), ("kinesis", "3"), ("pipes", "event-3"),
    ("kinesis pipes", "shardId-000000000006:3"),
])  # fmt: skip
def test_a_failure_is_named_as_the_sender_names_it(shape: str, name: str):
    event = SHAPES[shape](EVENT["Records"])
    assert handle(event, app, Handler(3)) == {"batchItemFailures": [{"itemIdentifier": name}]}


def test_without_a_report_a_failure_is_raised():
    handler = Handler(2)
    with pytest.raises(RuntimeError, match="index is down"):
        handle(EVENT, app, handler, report=False)
    assert handler.seen == [1, 2]


def test_an_unreadable_record_is_a_failure_unless_it_is_settled():
    broken = record(new={**item(NEW), "status": {"N": "1"}}, number=2)
    event = of_lambda([EVENT["Records"][0], broken, EVENT["Records"][2]])

    handler = Handler()
    assert handle(event, app, handler) == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    assert handler.seen == [1]

    handler = Handler()
    assert handle(event, app, handler, on_error="skip") == {"batchItemFailures": []}
    assert handler.seen == [1, 3]

    kept: list[Unreadable] = []
    assert handle(event, app, Handler(), on_error=kept.append) == {"batchItemFailures": []}
    assert [each.sequence_number for each in kept] == ["2"]

    def refuse(unreadable: Unreadable) -> None:
        raise unreadable.cause

    assert handle(event, app, Handler(), on_error=refuse)["batchItemFailures"]
    with pytest.raises(MappingError):
        handle(event, app, Handler(), report=False)
    with pytest.raises(QueryError, match="on_error='ignore'"):
        handle(event, app, Handler(), on_error="ignore")  # type: ignore[call-overload]


def test_a_record_of_an_unknown_table_is_a_failure_and_not_passed_over():
    assert handle(EVENT, app, Handler(), table_prefix="dev-") == {
        "batchItemFailures": [{"itemIdentifier": "1"}]
    }


def test_a_record_without_a_number_fails_the_whole_batch():
    with pytest.raises(ValueError, match="a record is a mapping"):
        handle({"Records": [7]}, app, Handler())


def test_models_and_tables_are_given_alone_or_in_a_sequence():
    for apps, seen in [(Order, [2, 3, 4]), ([Order], [2, 3, 4]), ((Customer, Order), [1, 2, 3, 4])]:
        handler = Handler()
        handle(EVENT, apps, handler)
        assert handler.seen == seen


def test_a_loop_that_runs_is_told_what_to_await():
    async def inside() -> None:
        handle(EVENT, app, Handler().later)

    with pytest.raises(TypeError, match=r"await dynattrs\.streams\.handle_async"):
        asyncio.run(inside())


def test_one_loop_serves_all_events():
    loops = []

    async def note(change: Any) -> None:
        loops.append(asyncio.get_running_loop())

    handle(EVENT, app, note)
    handle(EVENT, app, note)

    assert len(set(map(id, loops))) == 1
    loops[0].close()
    handle(EVENT, app, note)  # another one
    loops[-1].close()


class Storing:
    def __init__(self, seen: list[str]) -> None:
        self._seen = seen

    async def __call__(self, change: Any) -> None:
        await asyncio.sleep(0)
        self._seen.append(change.sequence_number)


@pytest.mark.parametrize("waits", [False, True])
def test_whatever_returns_an_awaitable_is_awaited(waits: bool):
    async def store(change: Any) -> None:
        await asyncio.sleep(0)
        seen.append(change.sequence_number)

    @functools.wraps(store)
    def own_loop(change: Any) -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(lambda: asyncio.run(store(change))).result()

    # A lambda: what it is does not say that what it returns is awaited.
    for function in (lambda change: store(change), Storing(seen := []), own_loop):  # noqa: PLW0108
        seen.clear()
        answer = (
            asyncio.run(handle_async(EVENT, app, function))
            if waits
            else handle(EVENT, app, function)
        )
        assert answer == {"batchItemFailures": []}
        assert seen == ["1", "2", "3", "4"]


def test_a_function_that_is_not_async_may_be_called_in_a_loop():
    handler = Handler(3)
    answer = asyncio.run(handle_async(EVENT, app, handler))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "3"}]}
    assert handler.seen == [1, 2, 3]


@pytest.mark.parametrize("waits", [False, True])
def test_what_gets_unreadable_records_may_be_async(waits: bool):
    kept: list[Any] = []

    async def keep(unreadable: Unreadable) -> None:
        await asyncio.sleep(0)
        kept.append(unreadable)

    event = of_lambda([7, EVENT["Records"][0]])
    handler = Handler()
    if waits:
        answer = asyncio.run(handle_async(event, app, handler.later, on_error=keep))
    else:
        answer = handle(event, app, handler, on_error=keep)
    assert answer == {"batchItemFailures": []}
    assert [type(each) for each in kept] == [Unreadable]
    assert handler.seen == [1]


@pytest.mark.parametrize("waits", [False, True])
def test_a_generator_is_refused_and_not_taken_for_done(waits: bool):
    def steps(change: Any) -> Any:
        yield change

    async def later_steps(change: Any) -> Any:
        yield change

    for function in (steps, later_steps, lambda change: steps(change)):  # noqa: PLW0108
        with pytest.raises(TypeError, match="the function is a generator"):
            if waits:
                asyncio.run(handle_async(EVENT, app, function))
            else:
                handle(EVENT, app, function)


def test_an_interruption_is_no_failure_of_a_record():
    def interrupt(change: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        handle(EVENT, app, interrupt)
