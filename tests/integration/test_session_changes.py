"""`session.changes` on the streams of real engines, over threads and under asyncio."""

from __future__ import annotations

import asyncio
import threading
from datetime import datetime, timedelta, timezone
from typing import Any

import boto3
import pytest

from dynattrs import Session, Table, field, model
from dynattrs.errors import SessionClosed
from dynattrs.streams import Inserted, Modified, NoStream, Removed, StreamGap, Unreadable
from dynattrs.testing import clock, faults, throttled
from streams_service import StreamsService

shop = Table("shop", partition_key="pk", sort_key="sk", stream="new and old")
mall = Table("mall", partition_key="id", stream="new")
still = Table("still", partition_key="id")


@model(shop, pk="CUSTOMER#{customer}", sk="ORDER#{number:04d}")
class Order:
    customer: str
    number: int
    status: str = "new"


@model(shop, pk="CUSTOMER#{customer}", sk="PROFILE")
class Customer:
    customer: str
    email: str = field(unique=True)


@model(mall)
class Visit:
    id: str
    n: int = 0


@model(still)
class Quiet:
    id: str


def all_of(iterator: Any, count: int) -> list[Any]:
    return [next(iterator) for _ in range(count)]


@pytest.fixture
def open_session(client: Any, table_prefix: str, request: pytest.FixtureRequest) -> Any:
    with request.module.Session(client=client, table_prefix=table_prefix) as session:
        session.tables.create(shop, mall, still)
        yield session


def test_what_happens_to_items_comes_as_changes(open_session: Any) -> None:
    session = open_session
    order = Order("ann", 7)
    session.save(order)
    order.status = "paid"
    session.save(order)
    session.delete(order)

    first, second, third = session.changes(Order, start="horizon", follow=False)

    assert isinstance(first, Inserted)
    assert first.new == Order("ann", 7)
    assert isinstance(second, Modified)
    assert (second.old.status, second.new.status) == ("new", "paid")
    assert second.changed(Order.status)
    assert isinstance(third, Removed)
    assert third.table == session.tables.describe(shop)["TableName"]
    assert third.key == {"customer": "ann", "number": 7}


def test_guards_and_models_that_were_not_asked_for_are_left_out(open_session: Any) -> None:
    session = open_session
    session.save(Customer("ann", "ann@example.com"))
    session.save(Order("ann", 1))

    assert [c.new for c in session.changes(Order, start="horizon", follow=False)] == [
        Order("ann", 1)
    ]
    both = [c.new for c in session.changes(shop, start="horizon", follow=False)]
    assert both == [Customer("ann", "ann@example.com"), Order("ann", 1)]
    kinds = [*session.changes(Order, start="horizon", follow=False, others="error")]
    assert [type(each) for each in kinds] == [Unreadable, Inserted]


def test_it_follows_what_is_written_after_the_call(open_session: Any) -> None:
    session = open_session
    iterator = session.changes(Order)
    session.save(Order("ann", 1))
    assert next(iterator).new.number == 1
    session.save(Order("ann", 2))
    assert next(iterator).new.number == 2

    token = iterator.token()
    session.save(Order("ann", 3))
    assert [c.new.number for c in session.changes(Order, start=token, follow=False)] == [3]
    assert next(iterator).new.number == 3
    (iterator.aclose if hasattr(iterator, "aclose") else iterator.close)()


def test_a_thousand_changes_come_in_order_and_once_over_tokens(open_session: Any) -> None:
    session = open_session
    with session.batch() as batch:
        for number in range(1200):
            batch.save(Visit(f"visit-{number}", number))
    found: list[int] = []
    iterator = session.changes(Visit, start="horizon", follow=False)
    found += [c.new.n for c in all_of(iterator, 500)]
    iterator = session.changes(Visit, start=iterator.token(), follow=False)
    found += [c.new.n for c in all_of(iterator, 600)]
    found += [c.new.n for c in session.changes(Visit, start=iterator.token(), follow=False)]

    assert sorted(found) == list(range(1200))


def test_several_tables_and_an_instant(open_session: Any) -> None:
    session = open_session
    before = datetime.now(timezone.utc) - timedelta(minutes=2)
    session.save(Order("ann", 1))
    session.save(Visit("a", 1))

    found = list(session.changes(Order, Visit, start=before, follow=False))

    assert {c.model for c in found} == {Order, Visit}
    assert len(found) == 2


def test_hooks_of_the_session_see_objects_that_changes_hold(
    client: Any, table_prefix: str, request: pytest.FixtureRequest
) -> None:
    seen: list[object] = []
    options = {"client": client, "table_prefix": table_prefix}
    with request.module.Session(**options, after_load=seen.append) as session:
        session.tables.create(shop)
        session.save(Order("ann", 1))
        [change] = session.changes(Order, start="horizon", follow=False)

    assert seen == [change.new]


def test_the_description_of_a_table_has_the_arn_of_its_stream(open_session: Any) -> None:
    described = open_session.tables.describe(shop)
    assert f"table/{described['TableName']}/stream/" in described["LatestStreamArn"]
    assert "LatestStreamArn" not in open_session.tables.describe(still)


def test_a_table_without_a_stream_says_what_to_declare(open_session: Any) -> None:
    iterator = open_session.changes(Quiet)

    with pytest.raises(NoStream, match=r'declare Table\(\.\.\., stream="new and old"\)'):
        next(iterator)


def test_a_stream_that_is_switched_off_and_on_is_a_gap(open_session: Any, client: Any) -> None:
    session = open_session
    name = session.tables.describe(mall)["TableName"]
    session.save(Visit("a", 1))
    iterator = session.changes(Visit, start="horizon")
    assert next(iterator).new.n == 1
    client.update_table(TableName=name, StreamSpecification={"StreamEnabled": False})
    session.save(Visit("b", 2))
    on = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    client.update_table(TableName=name, StreamSpecification=on)
    session.save(Visit("c", 3))

    with clock(inner(session)), pytest.raises(StreamGap) as caught:
        next(iterator)

    assert caught.value.new_arn == session.tables.describe(mall)["LatestStreamArn"]
    assert next(iterator).new.n == 3


def test_a_table_that_was_made_anew_is_a_gap(open_session: Any) -> None:
    session = open_session
    session.save(Visit("a", 1))
    iterator = session.changes(Visit, start="horizon")
    next(iterator)
    session.tables.delete(Visit)
    session.tables.create(Visit)
    session.save(Visit("b", 2))

    with clock(inner(session)), pytest.raises(StreamGap):
        next(iterator)
    assert next(iterator).new.n == 2


def test_throttling_is_waited_for(open_session: Any) -> None:
    session = open_session
    session.save(Visit("a", 1))
    told: list[Any] = []
    session.on("retry", told.append)

    with clock(inner(session)), faults(inner(session), throttled("GetRecords", times=6)):
        [change] = session.changes(Visit, start="horizon", follow=False)

    assert change.new.n == 1
    assert told


def inner(session: Any) -> Any:
    """The session itself, which `clock` and `faults` take."""
    return getattr(session, "_inner", session)


def test_a_session_that_is_closed_ends_it(open_session: Any) -> None:
    session = open_session
    session.save(Visit("a", 1))
    iterator = session.changes(Visit, start="horizon")
    next(iterator)
    token = iterator.token()
    session.close()

    for _ in range(2):
        with pytest.raises(SessionClosed):
            next(iterator)
    assert iterator.token() == token or len(iterator.token())
    with pytest.raises(SessionClosed):
        session.changes(Visit)


# --- In threads, and under asyncio ----------------------------------------------------------------


@pytest.mark.threads_only
def test_a_session_that_is_closed_while_it_waits_ends_it(client: Any, table_prefix: str) -> None:
    session = Session(client=client, table_prefix=table_prefix)
    session.tables.create(mall)
    raised: list[BaseException] = []
    waiting = threading.Event()

    def follow() -> None:
        iterator = session.changes(Visit, start="horizon")
        session.save(Visit("a"))
        next(iterator)
        waiting.set()
        try:
            next(iterator)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=follow)
    thread.start()
    waiting.wait(10)
    session.close()
    thread.join(10)

    assert [type(each) for each in raised] == [SessionClosed]


@pytest.mark.threads_only
def test_another_thread_is_told_that_one_waits(client: Any, table_prefix: str) -> None:
    with Session(client=client, table_prefix=table_prefix) as session:
        session.tables.create(mall)
        iterator = session.changes(Visit)
        iterator._waited_for = True
        with pytest.raises(ValueError, match="another thread waits"):
            next(iterator)


@pytest.mark.threads_only
def test_an_interruption_loses_no_change(client: Any, table_prefix: str) -> None:
    with Session(client=client, table_prefix=table_prefix) as session:
        session.tables.create(mall)
        for n in range(3):
            session.save(Visit(str(n), n))
        iterator = session.changes(Visit, start="horizon")
        session.on("after_send", lambda event: None)
        perform = session._driver._perform
        struck = []

        def interrupted(effect: Any, held: Any) -> Any:
            found = perform(effect, held)
            if len(struck) < 6:
                struck.append(effect)
                raise KeyboardInterrupt
            return found

        session._driver._perform = interrupted  # type: ignore[method-assign]
        found = []
        while len(found) < 3:
            try:
                found.append(next(iterator).new.n)  # type: ignore[union-attr]
            except KeyboardInterrupt:
                continue
        assert sorted(found) == [0, 1, 2]
        iterator.close()


@pytest.mark.threads_only
def test_under_asyncio_a_cancellation_loses_no_change(
    client_arguments: Any, table_prefix: str
) -> None:
    pytest.importorskip("aiobotocore", reason="pip install 'dynattrs[aio]'")
    from dynattrs.aio import AsyncSession

    arguments = {**client_arguments}
    keys = {each: arguments.pop(f"aws_{each}") for each in ("access_key_id", "secret_access_key")}

    async def main() -> None:
        from dynattrs.aio.session import _session_with

        made = _session_with(keys["access_key_id"], keys["secret_access_key"])
        options = {**arguments, "aiobotocore_session": made, "table_prefix": table_prefix}
        async with AsyncSession(**options) as session:
            await session.tables.create(mall)
            async with session.changes(Visit, start="horizon") as found:
                for _ in range(5):
                    with pytest.raises(asyncio.TimeoutError):
                        await asyncio.wait_for(found.__anext__(), 0.02)
                writing = asyncio.create_task(session.save(Visit("a", 1)))
                change = await found.__anext__()
                await writing
                assert change.new.n == 1  # type: ignore[union-attr]
                waiting = asyncio.create_task(found.__anext__())
                await asyncio.sleep(0.05)
                with pytest.raises(RuntimeError, match="another task waits"):
                    await found.__anext__()
                await session.close()
                with pytest.raises(SessionClosed):
                    await waiting
            assert [each async for each in found] == []

    asyncio.run(main())


@pytest.mark.threads_only
def test_shards_of_a_service_that_splits_them(
    client: Any, table_prefix: str, client_arguments: Any
) -> None:
    """A real session of threads, and shards as only the service has them."""
    from time import time

    fake = StreamsService(time, holes=0.3, page=5)
    streams = boto3.client("dynamodbstreams", **client_arguments)
    with (
        Session(client=client, streams_client=streams, table_prefix=table_prefix) as session,
        fake.answers(streams),
    ):
        session.tables.create(mall)
        described = session.tables.describe(mall)
        arn = described["LatestStreamArn"]
        stream = fake.stream(described["TableName"], "id", arn=arn, view="NEW_IMAGE", shards=3)
        for n in range(120):
            stream.put(id=f"key-{n % 10}", n=n)
            if n in (30, 60, 90):
                stream.split()
                stream.roll()

        found = list(session.changes(Visit, start="horizon", follow=False))

    numbers = [each.new.n for each in found if not isinstance(each, (Unreadable, Removed))]
    assert sorted(numbers) == list(range(120))
    for key in range(10):
        assert [n for n in numbers if n % 10 == key] == list(range(key, 120, 10))
