"""Changes, as a checker sees them: `match` tells kinds and models apart."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from typing_extensions import assert_never, assert_type

from dynattrs import Session, Table, model, partition_key
from dynattrs.aio import AsyncSession
from dynattrs.streams import (
    AnyChange,
    AsyncChanges,
    Changes,
    Inserted,
    Modified,
    Removed,
    Unreadable,
    changes,
    handle,
    handle_async,
)

app = Table("app", partition_key="id")


@model(app)
class User:
    id: str = partition_key()
    name: str = ""


@model(app)
class Order:
    id: str = partition_key()
    status: str = ""


def one(event: dict[str, Any]) -> None:
    found = changes(event, Order)
    assert_type(found, Iterator[Inserted[Order] | Modified[Order] | Removed[Order] | Unreadable])
    for change in found:
        match change:
            case Inserted(new=order):
                assert_type(order, Order)
            case Modified(old=before, new=order) if change.changed(Order.status):
                assert_type(before, Order)
                assert_type(order.status, str)
            case Modified():
                assert_type(change.old, Order)
            case Removed(old=order, expired=expired):
                assert_type(order, Order)
                assert_type(expired, bool)
                assert_type(change.new, None)
            case Unreadable(cause=cause):
                assert_type(cause, Exception)
            case _:
                assert_never(change)


def several(event: dict[str, Any]) -> None:
    for change in changes(event, User, Order, table_prefix="dev-"):
        match change:
            case Inserted(new=User() as user):
                assert_type(user, User)
            case Inserted(new=Order() as order) | Modified(new=Order() as order):
                assert_type(order, Order)
            case _:
                pass
    for each in changes(event, app, others="error"):
        if isinstance(each, Modified):
            assert_type(each.new, Any)


def index(change: AnyChange[Order]) -> None:
    if isinstance(change, Inserted):
        assert_type(change.new, Order)


async def later(change: AnyChange[Order]) -> None: ...


def other(change: AnyChange[User]) -> None: ...


def handler(event: dict[str, Any], context: object) -> dict[str, list[dict[str, str]]]:
    handle(event, Order, later, on_error="skip")
    handle(event, [Order, User], index)
    handle(event, Order, other)  # type: ignore[arg-type]
    return handle(event, Order, index)


async def awaited(event: dict[str, Any]) -> dict[str, list[dict[str, str]]]:
    await handle_async(event, Order, index)
    return await handle_async(event, Order, later)


changes({}, Order, others="both")  # type: ignore[call-overload]


def followed(session: Session, at: datetime) -> str:
    found = session.changes(Order)
    assert_type(found, Changes[Order])
    for change in found:
        assert_type(change, Inserted[Order] | Modified[Order] | Removed[Order] | Unreadable)
        if isinstance(change, Inserted):
            assert_type(change.new, Order)
    assert_type(session.changes(User, Order, start=at), Changes[User | Order])
    assert_type(session.changes(app, start="horizon", follow=False, until=at), Changes[Any])
    session.changes(Order, start=5)  # type: ignore[call-overload]
    with session.changes(Order, others="error") as changing:
        assert_type(changing, Changes[Order])
        assert_type(next(changing), Inserted[Order] | Modified[Order] | Removed[Order] | Unreadable)
    return found.token()


async def followed_awaited(session: AsyncSession) -> str:
    async with session.changes(User, Order) as found:
        assert_type(found, AsyncChanges[User | Order])
        async for change in found:
            if isinstance(change, Modified):
                assert_type(change.new, User | Order)
    return found.token()
