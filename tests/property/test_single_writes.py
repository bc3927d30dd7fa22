"""Writes that take a request of their own: sent as JSON, the same as by way of attribute maps.

Each is done twice with copies of one object, once while its class is kept from becoming JSON at once.
Requests, results, errors, and what becomes of the object are the same.
"""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Annotated, Any, Protocol

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynattrs import (
    Compressed,
    DynattrsError,
    GlobalIndex,
    Json,
    Table,
    TransactionError,
    field,
    limits,
    mapper,
    model,
    not_exists,
    partition_key,
    sort_key,
)
from dynattrs.mapper.carried import carried_by
from dynattrs.mapper.size import item_size
from dynattrs.mapper.stored_json import leave_to_dump
from dynattrs.operations.flows import Call, Pause
from dynattrs.operations.refusals import ConditionFalse, TransactionCanceled
from dynattrs.operations.requests import unpacked
from dynattrs.operations.writing.buffer import Buffer
from dynattrs.operations.writing.encoding import encode
from dynattrs.schema.model_info import GUARD_ATTRIBUTE, model_info
from stepped_session import NOON, ByHand

import strategies

TOKEN = "the caller's"


class Act(Protocol):
    """A write of an object: its flow."""

    def __call__(self, session: ByHand, obj: Any, /) -> Any: ...


@contextlib.contextmanager
def by_attribute_maps(*classes: type[Any]) -> Iterator[None]:
    """Keep objects of these classes from becoming JSON at once."""
    dumps = mapper.default.request_dumps
    before = {cls: dumps.get(cls) for cls in classes}
    dumps.update(dict.fromkeys(classes, leave_to_dump))
    try:
        yield
    finally:
        for cls, dump in before.items():
            if dump is None:
                del dumps[cls]
            else:
                dumps[cls] = dump


def with_sets(value: Any) -> Any:
    """Sets have no order."""
    if isinstance(value, list):
        return [with_sets(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: frozenset(each) if name in ("SS", "NS", "BS") else with_sets(each)
        for name, each in value.items()
    }


def is_json(parameters: Any) -> bool:
    """Whether all items in a request are JSON."""
    puts = [parameters] if "Item" in parameters else []
    for action in parameters.get("TransactItems", ()):
        puts += [action["Put"]] if "Put" in action else []
    items = [put["Item"] for put in puts]
    return all(isinstance(item, msgspec.Raw) or GUARD_ATTRIBUTE in item for item in items)


@attrs.define
class Seen:
    """What there was to be seen of a write."""

    requests: list[Any] = attrs.field(factory=list)
    json: bool = True
    result: Any = None
    error: Any = None
    obj: Any = None
    carried: Any = None


def done(act: Act, obj: Any, answers: Callable[[Call, int], Any]) -> Seen:
    """Do a write; *answers* gives the response to each call, or an error."""
    seen, obj, session = Seen(), copy.deepcopy(obj), ByHand()
    try:
        flow = act(session, obj)
        effect = next(flow)
        while True:
            if isinstance(effect, Pause):
                session.clock.seconds += 30
                effect = next(flow)
                continue
            assert isinstance(effect, Call), effect
            seen.json = seen.json and is_json(effect.parameters)
            sent = with_sets(unpacked(effect.parameters))
            if sent.get("ClientRequestToken") != TOKEN:
                sent.pop("ClientRequestToken", None)
            seen.requests.append((effect.operation, sent))
            answer = answers(effect, len(seen.requests))
            effect = flow.throw(answer) if isinstance(answer, Exception) else flow.send(answer)
    except StopIteration as stop:
        seen.result = stop.value
    except DynattrsError as error:
        told = getattr(error, "obj", None)
        seen.error = (
            type(error), str(error), getattr(error, "key", None), getattr(error, "item", None),
            told is obj, getattr(error, "reasons", None),
        )  # fmt: skip
    seen.obj, seen.carried = obj, carried_by(obj)
    return seen


def succeeds(call: Call, number: int) -> Any:
    return {}


def check(act: Act, obj: Any, answers: Callable[[Call, int], Any] = succeeds) -> Seen:
    """Both ways come to the same; what was seen when it became JSON, if it did."""
    seen = done(act, obj, answers)
    with by_attribute_maps(type(obj)):
        expected = done(act, obj, answers)
    assert attrs.evolve(seen, json=False) == attrs.evolve(expected, json=False)
    return seen


def save_when(session: ByHand, obj: Any) -> Any:
    info = model_info(type(obj))
    key = info.key_fields[0].split(".")[0]
    return session.save(obj, when=not_exists(getattr(type(obj), key)))


def in_transaction(name: str, **options: Any) -> Act:
    def act(session: ByHand, obj: Any) -> Any:
        transaction = session.transaction(**options)
        transaction._begin()
        try:
            stored = getattr(transaction, name)(obj)
        finally:
            transaction._end()
        yield from transaction._commit()
        return stored

    return act


ACTS: dict[str, Act] = {
    "save": ByHand.save,
    "insert": ByHand.insert,
    "save(when=)": save_when,
    "save in a transaction": in_transaction("save"),
    "insert in a transaction": in_transaction("insert"),
    "save in a transaction with a token": in_transaction("save", token=TOKEN, now=NOON),
}
acts = st.sampled_from([*ACTS.values()])


@given(acts, strategies.models() | strategies.keyed_models())
def test_an_item_of_any_types_is_sent_as_json(act: Act, thing: Any) -> None:
    check(act, thing)


# --- What a save changes, what is unique, and hooks -----------------------------------------------


@attrs.define
class Inner:
    name: Any
    count: int | None = None


@model("single_plain")
class Plain:
    id: str = partition_key()
    number: int = sort_key()
    tags: set[str] = attrs.field(factory=set)
    inner: Inner | None = None
    value: Any = None
    packed: Annotated[Any, Json] = None
    zipped: Annotated[str, Compressed] = ""
    version: int | None = None
    created: dt.datetime | None = None
    updated: dt.datetime | None = None


@model("single_versioned")
class Versioned(Plain):
    version: int = field(version=True, default=0)
    created: dt.datetime | None = field(created=True, default=None)
    updated: dt.datetime | None = field(updated=True, default=None)


@model("single_frozen", frozen=True)
class Frozen:
    id: str = partition_key()
    number: Decimal = sort_key()
    value: Any = None
    version: int | None = field(version=True, default=None)
    updated: dt.datetime | None = field(updated=True, default=None)


@model("single_unique")
class Unique:
    id: str = partition_key()
    number: int = field(unique=True, default=0)
    value: str | None = field(unique=True, default=None)
    data: bytes | None = field(unique=True, default=None)
    tags: set[str] = attrs.field(factory=set)
    expires: int | None = field(ttl=True, default=None)


def tidy(obj: Any) -> None:
    if isinstance(obj.value, str):
        obj.value = obj.value.lower()


def replaced(obj: Any) -> Any:
    return attrs.evolve(obj, value=f"made of {obj.value!r}")


@model("single_hooked", before_save=tidy)
class Hooked:
    id: str = partition_key()
    value: Any = None
    version: int = field(version=True, default=0)


@model("single_replaced", frozen=True, before_save=replaced)
class Replaced:
    id: str = partition_key()
    value: Any = None
    updated: dt.datetime | None = field(updated=True, default=None)


SHELF = Table(
    "single_shelf", partition_key="pk", sort_key="sk", discriminator="type",
    indexes=[GlobalIndex("by-value", partition_key="g1", sort_key="g2")],
)  # fmt: skip


@model(SHELF, pk="K#{id}", sk="{number}", g1="{updated:%Y}", g2="{created}#{value}")
class Keyed:
    id: str = field(key_only=True)
    number: int
    value: str | None = None
    version: int = field(version=True, default=0)
    created: dt.datetime | None = field(created=True, default=None)
    updated: dt.datetime | None = field(updated=True, default=None)


OBJECTS: list[Any] = [
    Plain("a", 1), Versioned("a", 1), Frozen("a", Decimal("1.50")), Frozen("a", Decimal(7), version=3),
    Unique("a"), Unique("a", 1, "b", b"c", expires=5), Hooked("a", "B"), Replaced("a"),
    Keyed("a", 1), Keyed("a", 2, "x", 4),
]  # fmt: skip
values = st.one_of(
    st.none(), st.booleans(), st.text(max_size=4), st.integers(-3, 10**39), st.binary(max_size=4),
    st.floats(allow_nan=False), st.decimals(allow_nan=False), st.just([float("nan")]),
    st.sets(st.text(max_size=2)), st.lists(st.text(max_size=2), max_size=3), strategies.instants,
    st.sampled_from(["", "x" * 3000, "\ud800", "é" * 205_000, {"n": {1, 2}}, [[{"b": b"x"}]]]),
    st.builds(Inner, st.text(max_size=2), st.none() | st.integers()),
    st.just(dt.datetime(2026, 1, 1)), st.sampled_from([10**38 - 1, 10**38, 10**39 - 1, -(10**38)]),  # noqa: DTZ001
)  # fmt: skip


@st.composite
def changed(draw: st.DrawFn) -> Any:
    """An object whose fields may partly have no place."""
    obj = copy.deepcopy(draw(st.sampled_from(OBJECTS)))
    names = [each.name for each in attrs.fields(type(obj))]
    for name in draw(st.lists(st.sampled_from(names), max_size=3, unique=True)):
        object.__setattr__(obj, name, draw(values))
    return obj


@given(acts, changed())
def test_what_a_save_changes_and_what_is_refused_is_the_same(act: Act, obj: Any) -> None:
    check(act, obj)


@pytest.mark.parametrize("obj", OBJECTS, ids=repr)
@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_the_usual_object_becomes_json(act: Act, obj: Any) -> None:
    seen = check(act, obj)

    with_token = act is ACTS["save in a transaction with a token"]
    assert seen.json == (not with_token or (seen.error is not None and not seen.requests))
    if not with_token:
        assert seen.error is None


# --- What the service refuses -----------------------------------------------------------------


def refuses(item: Any, *, uncertain: bool) -> Callable[[Call, int], Any]:
    """Answers of a service that has another item; or the one that is put, which came from a first
    attempt.
    """

    def answers(call: Call, number: int) -> Any:
        if call.operation == "get_item":
            return {"Item": item} if isinstance(item, dict) else {}
        if call.operation == "put_item":
            put = unpacked(call.parameters)["Item"]
            if "ConditionExpression" not in call.parameters:
                return {}
            false = ConditionFalse("PutItem", "ConditionalCheckFailed", "no", None)
            false.item = put if item == "the same" else item
            false.uncertain = uncertain
            return false
        assert call.operation == "transact_write_items"
        canceled = TransactionCanceled("TransactWriteItems", "TransactionCanceled", "no", None)
        first: Any = {"Code": "ConditionalCheckFailed"}
        if isinstance(item, dict):
            first["Item"] = item
        canceled.reasons = [
            first,
            *[{"Code": "None"}] * (len(call.parameters["TransactItems"]) - 1),
        ]
        return canceled

    return answers


@given(
    acts, st.sampled_from(OBJECTS), st.booleans(), st.sampled_from([None, "the same", "another"])
)
def test_a_refusal_says_the_same_and_moves_nothing(
    act: Act, obj: Any, uncertain: bool, found: str | None
) -> None:
    item: Any = found
    if found == "another":
        item = encode(ByHand()._core, copy.deepcopy(obj)).item
        if "version" in item:
            item["version"] = {"N": "9"}

    seen = check(act, obj, refuses(item, uncertain=uncertain))

    if seen.error is not None:
        assert seen.obj == obj or isinstance(obj, Hooked)
        assert getattr(seen.obj, "version", None) == getattr(obj, "version", None)


# --- In batches -------------------------------------------------------------------------------------


def in_batch(session: ByHand, obj: Any) -> Any:
    """What a batch holds after a save, when all of it is stored."""
    session._buffer = buffer = Buffer()
    stored = yield from session.save(obj)
    writes = buffer.next_of_all(25)
    if not isinstance(writes, list):
        return stored, None
    for write in writes:
        if write.acknowledged is not None:
            write.acknowledged()
    held = [
        (write.identity, write.action, write.obj is obj,
         with_sets(unpacked({"RequestItems": {"t": [write.request]}})))
        for write in writes
    ]  # fmt: skip
    return stored, held


@given(changed())
def test_a_batch_holds_the_same(obj: Any) -> None:
    check(in_batch, obj)


# --- Sizes --------------------------------------------------------------------------------------


def test_a_transaction_may_have_all_the_bytes_that_there_are() -> None:
    """The JSON of an item has more bytes than the service counts for it: here six times as many."""
    transaction: Any = ByHand().transaction()
    transaction._begin()
    left = limits.TRANSACTION_BYTES
    for number in range(70):
        obj = Plain(f"{number:02}", 1, value="\x01" * 55_000)
        transaction.save(obj)
        left -= item_size(mapper.dump(obj))
    room = left - item_size(mapper.dump(Plain("last", 1, value="")))
    assert 0 < room < limits.ITEM_BYTES

    with pytest.raises(TransactionError, match=f"{limits.TRANSACTION_BYTES + 1:,} bytes large"):
        transaction.save(Plain("last", 1, value="x" * (room + 1)))
    transaction.save(Plain("last", 1, value="x" * room))
