# ruff: noqa: B023, PT017 - what is tried is tried at once; an outcome is one of two
"""Messages quote at most a short piece of a value, whatever is wrong with it and wherever."""

from __future__ import annotations

import datetime as dt
import enum
import gzip
import json
import tracemalloc
import uuid
from collections.abc import Callable
from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, NamedTuple

import attrs
import pytest

from dynattrs import (
    Compressed,
    ConditionError,
    DynattrsError,
    Epoch,
    Json,
    Table,
    add,
    begins_with,
    between,
    contains,
    delete,
    field,
    in_,
    list_append,
    mapper,
    model,
    not_,
    partition_key,
    set_,
)
from dynattrs.errors import (
    AlreadyTaken,
    ConditionFailed,
    ItemExists,
    MappingError,
    NoSuchItem,
    OtherKind,
    OutcomeUnknown,
    Unsent,
    UnsentWrites,
)
from dynattrs.operations.reading.partiql import _encoded
from dynattrs.operations.transaction_errors import Reason, TransactionFailed
from dynattrs.quoting import quoted, shortened

LONG = "x" * 100_000
MOST = 2500


class Colour(enum.Enum):
    RED = "r"


@attrs.define
class Part:
    size: int = 0


class Pair(NamedTuple):
    left: int
    right: int


TYPES: list[Any] = [
    str, bool, bytes, int, float, Decimal, dt.datetime, dt.date, dt.time, dt.timedelta, uuid.UUID,
    PurePosixPath, IPv4Address, Colour, Literal["a", 1], Annotated[dt.datetime, Epoch], list[int],
    tuple[int, int], set[int], set[str], dict[str, int], dict[int, int], dict[dt.date, int], Part, Pair,
    int | None, int | str, Part | Pair, Annotated[Any, Json], Annotated[Part, Json],
    Annotated[str, Compressed], Annotated[Part, Compressed], Any, list[Part], dict[str, Part],
]  # fmt: skip
VALUES: dict[str, Any] = {
    "text": LONG, "bytes": LONG.encode(), "a long int": 10**4000, "a longer int": 10**6000,
    "a list": [LONG] * 3, "a long list": list(range(5_000)), "a map": {LONG: LONG},
    "a large map": {str(each): each for each in range(5_000)}, "a set": {LONG, "a"},
    "a tuple": (LONG,), "an object": Part(LONG), "a long Decimal": Decimal("1." + "1" * 20_000),  # type: ignore[arg-type]
    "nested": [[{"a": [LONG]}]], "a map of numbers": {10**4000: 1}, "an element": {"a": LONG},
}  # fmt: skip
STORED: dict[str, Any] = {
    "S": {"S": LONG}, "N": {"N": "1" * 20_000}, "B": {"B": LONG.encode()}, "SS": {"SS": [LONG]},
    "NS": {"NS": ["1" * 20_000]}, "L": {"L": [{"S": LONG}]}, "M": {"M": {LONG: {"S": LONG}}},
    "tag": {"M": {"_type": {"S": LONG}}}, "JSON": {"S": json.dumps([LONG])}, "no tag": {LONG: LONG},
    "numbers": {"M": {"1" * 5000: {"S": LONG}}}, "gzip": {"B": gzip.compress(LONG.encode())},
    "wrong JSON": {"S": "[" + LONG}, "a number of JSON": {"S": "1" * 20_000}, "none": LONG,
    "two names": {"M": {"1": {"N": "1"}, "1.0": {"N": "1"}, "1" * 3000: {"N": "1"}}},
}  # fmt: skip


def holder(type_: Any) -> Any:
    made: Any = type(
        "Holder", (), {"__annotations__": {"id": str, "value": type_}, "id": partition_key()}
    )
    return model("holders")(made)


def check(attempt: Callable[[], Any]) -> None:
    """An attempt succeeds, or fails with a short message."""
    try:
        attempt()
    except DynattrsError as error:
        assert len(str(error)) < MOST, str(error)[:300]
        assert len(repr(error)) < 2 * MOST


@pytest.mark.parametrize("type_", TYPES, ids=str)
def test_what_cannot_be_written_or_compared_is_quoted_shortly(type_: Any) -> None:
    cls = holder(type_)
    for value in VALUES.values():
        check(lambda: mapper.dump(cls("1", value)))
        check(lambda: mapper.to_json(cls("1", value)))
        check(lambda: set_(cls.value, value))
        check(lambda: set_(cls.value, list_append(cls.value, value)))
        check(lambda: add(cls.value, value))
        check(lambda: delete(cls.value, value))
        check(lambda: cls.value == value)
        check(lambda: cls.value > value)
        check(lambda: in_(cls.value, value))
        check(lambda: in_(cls.value, [value]))
        check(lambda: between(cls.value, value, value))
        check(lambda: begins_with(cls.value, value))
        check(lambda: contains(cls.value, value))
        check(lambda: cls.value[value])
        check(lambda: not_(value))
        check(lambda: _encoded(value))


@pytest.mark.parametrize("type_", TYPES, ids=str)
def test_what_cannot_be_read_is_quoted_shortly(type_: Any) -> None:
    cls = holder(type_)
    for stored in STORED.values():
        item = {"id": {"S": "k" * 2000}, "value": stored}
        check(lambda: mapper.load(item, cls))
        check(lambda: mapper.from_dynamodb_json(json.dumps(item, default=str), cls))
    for value in VALUES.values():
        try:
            text = json.dumps({"id": "1", "value": value}, default=str, skipkeys=True)
        except ValueError:  # an int of too many digits
            continue
        check(lambda: mapper.from_json(text, cls))


APP = Table("app", partition_key="pk", discriminator="kind")


@model(APP, pk="A#{a}")
class A:
    a: str
    number: int = field(name="n", default=0)


def test_what_an_item_is_instead_is_quoted_shortly() -> None:
    for kind in ({"S": LONG}, {"L": [{"S": LONG}]}, {"M": {LONG: {"S": LONG}}}):
        with pytest.raises(OtherKind) as caught:
            mapper.load({"pk": {"S": "A#1"}, "a": {"S": "1"}, "kind": kind}, A)
        assert len(str(caught.value)) < MOST
    for stored in ({"pk": {"S": LONG}}, {"pk": {"S": "A#1"}, "a": {"N": "1"}, LONG: {"S": "x"}}):
        check(lambda: mapper.load(stored, A))
    with pytest.raises(MappingError) as failed:
        mapper.dump(A(LONG))
    assert len(str(failed.value)) < MOST


@pytest.mark.parametrize(
    "error",
    [
        NoSuchItem("A", LONG),
        NoSuchItem("A", {"a": LONG}),
        ItemExists("PutItem", "A", LONG, "", None, LONG),
        ItemExists("PutItem", "A", (LONG, 1), "", None),
        ConditionFailed("PutItem", "A", LONG, f"A.a == {LONG!r}"),
        OutcomeUnknown("UpdateItem", "A", LONG),
        AlreadyTaken("A", ["a"], {"a": LONG}, LONG),
        TransactionFailed(
            [Reason(f"set_(A.a, {LONG!r})", "ConditionalCheckFailed", "", None, LONG)]
        ),
        UnsentWrites([Unsent(A("1"), "save", ValueError(LONG))]),
        ConditionError(LONG),
        MappingError(LONG, LONG, LONG, {"pk": {"S": LONG}}, LONG, {"pk": {"S": LONG}}),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_quote_keys_and_conditions_shortly(error: Exception) -> None:
    assert len(str(error)) < MOST
    assert len(repr(error)) < 2 * MOST


def test_a_large_value_is_cut_before_it_is_written_out() -> None:
    values = ["x" * 50_000_000, b"x" * 50_000_000, ["x" * 50_000_000], {"a": ["x"] * 10_000_000}]
    for value in values:
        tracemalloc.start()
        try:
            text = quoted(value)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert len(text) <= 60
        assert peak < 1_000_000


@pytest.mark.parametrize(
    "value",
    ["a", b"a", 1, [1, "a"], {"a": (1, None)}, {1}, set(), {"a": {"b": [1.5]}}, None, Part(1)],
)
def test_a_short_value_is_quoted_as_python_writes_it(value: Any) -> None:
    assert quoted(value) == repr(value)
    assert eval(quoted(value)) == value


def test_what_has_no_text_is_quoted_too() -> None:
    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError

    assert quoted(Odd()) == "…"
    assert shortened("abcdef", 5) == "ab..."
