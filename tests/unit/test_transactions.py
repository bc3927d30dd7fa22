"""Transactions, stepped by hand: answers that local engines do not give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

import attrs
import pytest

from dynattrs import (
    ServiceError,
    TransactionError,
    add,
    field,
    model,
    partition_key,
    set_,
)
from dynattrs.operations.refusals import TransactionCanceled
from dynattrs.operations.requests import unpacked
from stepped_session import NOON, ByHand


@model("accounts")
class Account:
    owner: str = partition_key()


def committed(session: ByHand, token: str | None = None) -> Any:
    transaction = session.transaction(token=token)
    transaction._begin()
    transaction.save(Account("ann"))
    transaction._end()
    return transaction._commit()


def test_a_token_that_was_used_for_something_else_says_what_counts() -> None:
    flow = committed(ByHand(), "order-1")
    assert next(flow).parameters["ClientRequestToken"] == "order-1"

    with pytest.raises(TransactionError, match=r"'order-1' was used .* do not send it under a new"):
        flow.throw(
            ServiceError("TransactWriteItems", "IdempotentParameterMismatchException", "other")
        )


# --- The same transaction again ---------------------------------------------------------------


@model("plain")
class Plain:
    id: str = partition_key()
    count: int = 0
    tags: set[str] = attrs.field(factory=set)


@model("versions")
class Versioned:
    id: str = partition_key()
    count: int = 0
    version: int = field(version=True)


@model("made")
class Made:
    id: str = partition_key()
    count: int = 0
    made: datetime | None = field(created=True)


@model("changed")
class Changed:
    id: str = partition_key()
    count: int = 0
    changed: datetime | None = field(updated=True)


Acts = Callable[[Any, Any], object]
ACTIONS: dict[str, Acts] = {
    "save": lambda t, cls: t.save(cls("a")),
    "save under a condition": lambda t, cls: t.save(cls("a"), when=cls.count == 0),
    "save what was made": lambda t, cls: t.save(cls("a", made=NOON) if cls is Made else cls("a")),
    "insert": lambda t, cls: t.insert(cls("a")),
    "update": lambda t, cls: t.update(cls, "a", add(cls.count, 1)),
    "update an object": lambda t, cls: t.update(cls("a"), set_(cls.count, 2)),
    "delete": lambda t, cls: t.delete(cls, "a"),
    "delete an object": lambda t, cls: t.delete(cls("a")),
    "check": lambda t, cls: t.check(cls, "a", cls.count > 3),
}
#: These say when they were made.
STAMPED = {
    (name, cls)
    for cls, names in {
        Made: ["save", "save under a condition", "insert", "update", "update an object"],
        Changed: [name for name in ACTIONS if name.split()[0] in ("save", "insert", "update")],
    }.items()
    for name in names
}  # fmt: skip


def requests(act: Acts, cls: Any, at: datetime, **options: Any) -> Any:
    session = ByHand()
    core = session._core
    core.environment = attrs.evolve(core.environment, now=lambda: at)
    transaction = session.transaction(**options)
    transaction._begin()
    act(transaction, cls)
    transaction._end()
    return next(transaction._commit()).parameters


@pytest.mark.parametrize("cls", [Plain, Versioned, Made, Changed])
@pytest.mark.parametrize("name", ACTIONS)
def test_with_the_callers_token_it_is_the_same_at_any_time_or_refused(name: str, cls: Any) -> None:
    def twice(**options: Any) -> Iterator[Any]:
        for hour in (1, 2):
            at = datetime(2026, 11, 27, hour, tzinfo=timezone.utc)
            yield requests(ACTIONS[name], cls, at, token="order-1", **options)

    first, second = twice(now=NOON)
    assert first == second

    if (name, cls) in STAMPED:
        with pytest.raises(TransactionError, match=rf"{cls.__name__}\.\w+ is a time stamp.* now="):
            list(twice())
    else:
        first, second = twice()
        assert first == second


def test_both_time_stamps_of_a_model_are_named() -> None:
    @model("both")
    class Both:
        id: str = partition_key()
        made: datetime | None = field(created=True)
        changed: datetime | None = field(updated=True)

    with pytest.raises(TransactionError, match=r"Both\.made and Both\.changed are time stamps"):
        requests(lambda t, cls: t.save(cls("a")), Both, NOON, token="order-1")


def test_a_transaction_may_say_its_time_without_a_token() -> None:
    at = datetime(2026, 11, 27, tzinfo=timezone.utc)

    sent = requests(ACTIONS["save"], Changed, NOON, now=at)

    assert unpacked(sent)["TransactItems"][0]["Put"]["Item"]["changed"] == {
        "S": "2026-11-27T00:00:00.000000Z"
    }


@pytest.mark.parametrize("now", [datetime(2026, 11, 27), "now", 5])  # noqa: DTZ001
def test_its_time_is_an_aware_datetime(now: Any) -> None:
    with pytest.raises(TransactionError, match="a datetime with a time zone is expected"):
        ByHand().transaction(now=now)


def test_with_the_callers_token_sets_are_sent_in_one_order() -> None:
    """Python's order of a set of texts is another one in each process."""
    letters = set("qwertyuiopasdfgh")

    def act(t: Any, cls: Any) -> None:
        t.save(cls("a", tags=letters))
        t.update(cls, "b", set_(cls.tags, letters), when=cls.tags != {"z", "y", "x"})

    put, update = requests(act, Plain, NOON, token="order-1")["TransactItems"]

    assert put["Put"]["Item"]["tags"] == {"SS": sorted(letters)}
    values = update["Update"]["ExpressionAttributeValues"].values()
    assert {"SS": sorted(letters)} in values
    assert {"SS": ["x", "y", "z"]} in values


# --- What engines do not answer ---------------------------------------------------------------


def test_an_engine_that_gives_no_reasons_has_its_own_message_raised() -> None:
    flow = committed(ByHand())
    next(flow)

    with pytest.raises(ServiceError, match="it was cancelled, and that is all"):
        flow.throw(
            TransactionCanceled(
                "TransactWriteItems", "TransactionCanceledException",
                "it was cancelled, and that is all",
            )
        )  # fmt: skip


def test_callers_that_come_and_go_leave_nothing_behind() -> None:
    session = ByHand()

    committed(session)

    assert not session._core.transactions
