"""Consumers on real streams: who reads, how far, what becomes of what fails, and how they stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import dynattrs
from dynattrs import Table, model
from dynattrs.errors import ConnectionFailed, MappingError, ModelError, SessionClosed
from dynattrs.operations.flows import WaitFor
from dynattrs.operations.leases import LEASES
from dynattrs.session.driver import Driver
from dynattrs.streams import (
    Checkpointed,
    Consumer,
    ConsumerStopped,
    FailedChange,
    FailedChanges,
    Failure,
    GapFound,
    GaveUp,
    Handled,
    HandlerFailed,
    Inserted,
    Modified,
    NoStream,
    ShardLeft,
    ShardTaken,
    Unreadable,
    changes,
)
from dynattrs.streams.shard_leases import ConsumedStream, Member, ShardLease
from dynattrs.testing import faults, lost_reply, unreachable

app = Table("app", partition_key="pk", sort_key="sk", stream="new and old")
PATIENCE = 60.0
SHORT = timedelta(seconds=2)


@model(app, pk="USER#{name}", sk="NOTE#{number:06d}")
class Note:
    name: str
    number: int
    text: str = ""
    photo: bytes = b""


@model(app, pk="USER#{name}", sk="PROFILE")
class Profile:
    name: str


class Handler:
    """Remembers changes, and stops its consumer when there are enough."""

    def __init__(self, enough: int = 10**9) -> None:
        self.seen: list[Any] = []
        self.consumer: Any = None
        self._enough = enough

    def __call__(self, change: Any) -> None:
        self.seen.append(change)
        if len(self.seen) >= self._enough:
            self.consumer.stop()

    @property
    def numbers(self) -> list[int]:
        return [each.new.number for each in self.seen]


@pytest.fixture
def session(client: Any) -> Iterator[dynattrs.Session]:
    with dynattrs.Session(client=client, table_prefix="consumers-") as session:
        session.tables.create(app)
        yield session
        names = [name for name in client.list_tables()["TableNames"] if "consumers-" in name]
        for name in names:
            client.delete_table(TableName=name)


def consume(session: Any, handler: Any, **options: Any) -> Consumer[Any]:
    options = {"name": "copy", "start": "horizon", "lease": SHORT, **options}
    consumer = Consumer(session, options.pop("app", app), handler=handler, **options)
    if isinstance(handler, Handler):
        handler.consumer = consumer
    return consumer


@contextlib.contextmanager
def running(*consumers: Consumer[Any]) -> Iterator[None]:
    errors: list[BaseException] = []

    def run(consumer: Consumer[Any]) -> None:
        try:
            consumer.run()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=[each]) for each in consumers]
    for each in threads:
        each.start()
    try:
        yield
    finally:
        for consumer in consumers:
            consumer.stop()
        for each in threads:
            each.join(PATIENCE)
            assert not each.is_alive()
    if errors:
        raise errors[0]


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.01)


def write(session: Any, numbers: range) -> None:
    for number in numbers:
        session.save(Note("ann", number))


def lease_of(session: Any) -> ShardLease:
    [found] = session.scan(ShardLease)
    return found


def handled(session: Any) -> int:
    """How many records are written down as handled."""
    if not session.tables.exists(ShardLease):
        return 0
    return sum(each.handled for each in session.scan(ShardLease))


def test_a_consumer_handles_all_that_the_stream_has_and_goes_on_where_it_was(session: Any):
    write(session, range(30))
    first = Handler(20)
    consume(session, first).run()
    second = Handler(10)
    consume(session, second, start="latest").run()

    assert first.numbers == list(range(20))
    assert second.numbers == list(range(20, 30)), "start= says nothing once there is a checkpoint"
    lease = lease_of(session)
    assert (lease.owner, lease.fence, lease.handled, lease.ended) == (None, 2, 30, False)
    assert session.scan(Member).all() == []
    [stream] = session.scan(ConsumedStream)
    assert stream.start == "horizon"
    assert lease.checkpoint == f"after:{second.seen[-1].sequence_number}"


def test_kinds_of_changes_are_those_of_a_lambda_function(session: Any):
    session.save(Note("ann", 1, "a"))
    session.save(Profile("ann"))
    session.save(Note("ann", 1, "b"))
    session.delete(Note, {"name": "ann", "number": 1})
    handler = Handler(3)
    consume(session, handler, app=Note).run()

    inserted, modified, removed = handler.seen
    assert isinstance(inserted, Inserted)
    assert inserted.new == Note("ann", 1, "a")
    assert isinstance(modified, Modified)
    assert modified.changed(Note.text)
    assert removed.old == Note("ann", 1, "b")
    assert removed.table == "consumers-app"


def test_records_that_are_left_out_count_for_the_checkpoint(session: Any):
    session.save(Profile("ann"))
    consumer = consume(session, Handler(), app=Note, checkpoint_after=timedelta())
    with running(consumer):
        until(lambda: handled(session) == 1)


def test_latest_begins_with_what_changes_after_run_was_called(session: Any):
    handler = Handler()
    with running(consume(session, handler, start="latest")):
        until(lambda: session.client.list_tables()["TableNames"])
        until(lambda: handler.consumer.shards)
        write(session, range(5))
        until(lambda: len(handler.seen) >= 5)
    assert handler.numbers[-5:] == list(range(5))
    [stream] = session.scan(ConsumedStream)
    assert stream.start.startswith("at:2")


def test_an_instant_is_where_the_first_consumer_begins(session: Any):
    write(session, range(3))
    handler = Handler(3)
    consume(session, handler, start=datetime.now(timezone.utc) - timedelta(hours=1)).run()
    assert handler.numbers == [0, 1, 2]


def test_a_slow_handler_keeps_its_lease(session: Any):
    write(session, range(2))
    events: list[Any] = []

    def slow(change: Any) -> None:
        time.sleep(1.6)
        if change.new.number == 1:
            consumer.stop()

    options: Any = {"lease": timedelta(seconds=0.9), "on_event": events.append}
    consumer = consume(session, slow, **options)
    with running(consumer):
        until(lambda: consumer.shards)
        with running(consume(session, Handler(), **options)):
            until(lambda: consumer._shards.stopping)
    assert {each.why for each in events if isinstance(each, ShardLeft)} == {"stopped"}


def test_several_tables_are_read_by_one_consumer(session: Any):
    @model(Table("more", partition_key="id", stream="new and old"))
    class More:
        id: str

    session.tables.create(More)
    write(session, range(2))
    session.save(More("x"))
    handler = Handler(3)
    consume(session, handler, app=[app, More]).run()
    assert {type(each.new).__name__ for each in handler.seen} == {"Note", "More"}
    assert {each.table for each in handler.seen} == {"consumers-app", "consumers-more"}
    assert len(session.scan(ShardLease).all()) == 2


def test_consumers_of_two_names_get_everything_each(session: Any):
    write(session, range(4))
    one, two = Handler(4), Handler(4)
    consume(session, one, name="one").run()
    consume(session, two, name="two # of app").run()
    assert one.numbers == two.numbers == [0, 1, 2, 3]


def test_one_of_two_consumers_reads_and_the_other_follows_at_once_when_it_stops(session: Any):
    first, second = Handler(), Handler()
    lease = timedelta(seconds=5)
    one, two = consume(session, first, lease=lease), consume(session, second, lease=lease)
    with running(two):
        with running(one):
            until(lambda: one.shards or two.shards)
            [reading] = [each for each in (one, two) if each.shards]
            [waiting] = [each for each in (one, two) if each is not reading]
            write(session, range(10))
            until(lambda: len(first.seen + second.seen) == 10)
            began = time.monotonic()
            reading.stop()
            until(lambda: waiting.shards)
            assert time.monotonic() - began < 4, "it is free, not expired"
            write(session, range(10, 20))
            until(lambda: len(first.seen + second.seen) == 20)
    assert sorted(first.numbers + second.numbers) == list(range(20))
    assert lease_of(session).fence == 2


def test_a_lease_that_lacks_a_number_ends_the_consumer(session: Any):
    write(session, range(2))
    consume(session, Handler(1)).run()
    lease = lease_of(session)
    session.client.update_item(
        TableName="consumers-dynattrs-leases",
        Key={"pk": {"S": lease.scope}, "sk": {"S": f"SHARD#{lease.stream}#{lease.shard}"}},
        UpdateExpression="REMOVE #a",
        ExpressionAttributeNames={"#a": "counter"},
    )
    with pytest.raises(MappingError, match="counter"):
        consume(session, Handler(1)).run()


# --- What fails ----------------------------------------------------------------------------------


class Poison:
    """Raises for one number."""

    def __init__(self, number: int, times: int = 10**9) -> None:
        self.number, self.left = number, times
        self.calls: list[int] = []

    def __call__(self, change: Any) -> None:
        number = change.new.number
        self.calls.append(number)
        if number == self.number and self.left:
            self.left -= 1
            raise RuntimeError("poison")


def test_a_handler_that_fails_once_is_called_again_and_nothing_behind_it_before(session: Any):
    write(session, range(5))
    handler, events = Poison(2, times=1), []
    consumer = consume(session, handler, on_event=events.append)
    with running(consumer):
        until(lambda: 4 in handler.calls)
    assert handler.calls == [0, 1, 2, 2, 3, 4]
    [failed] = [each for each in events if isinstance(each, HandlerFailed)]
    assert (failed.tries, str(failed.error)) == (1, "poison")


def test_a_consumer_stops_at_a_change_that_fails_for_good(session: Any):
    write(session, range(5))
    handler = Poison(2)
    with pytest.raises(ConsumerStopped, match="failed 2 times with the record") as stopped:
        consume(session, handler, tries=2).run()
    assert isinstance(stopped.value.__cause__, RuntimeError)
    assert handler.calls == [0, 1, 2, 2]
    lease = lease_of(session)
    assert (lease.owner, lease.handled) == (None, 2)

    again = Handler(3)
    consume(session, again).run()
    assert again.numbers == [2, 3, 4]


def test_the_lag_counts_from_the_first_change_while_none_is_handled(session: Any):
    write(session, range(1))
    time.sleep(2.1)  # times are whole seconds
    lags: list[timedelta] = []

    def handler(change: Any) -> None:
        lags.append(consumer.lag())
        consumer.stop()

    consumer = consume(session, handler)
    consumer.run()
    assert lags[0] > timedelta(seconds=1)


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_what_is_no_exception_ends_the_consumer_and_is_raised(session: Any, kind: Any):
    write(session, range(3))
    seen: list[int] = []

    def handler(change: Any) -> None:
        seen.append(change.new.number)
        if change.new.number == 1:
            raise kind("bad configuration")

    with pytest.raises(kind, match="bad configuration"):
        consume(session, handler).run()
    assert seen == [0, 1]
    lease = lease_of(session)
    assert (lease.owner, lease.handled) == (None, 1)
    again = Handler(2)
    consume(session, again).run()
    assert again.numbers == [1, 2]


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_wherever_an_interruption_strikes_nothing_is_left_to_its_time(
    session: Any, monkeypatch: pytest.MonkeyPatch, kind: Any
):
    write(session, range(2))
    perform, at_once, runner = Driver._perform, Driver._at_once, threading.get_ident()
    struck: list[Any] = []
    begun: list[Future[Any]] = []
    left = 0

    def noted(driver: Any, *work: Any) -> Any:
        begun.append(at_once(driver, *work))
        return begun[-1]

    def performed(driver: Any, effect: Any, held: Any) -> Any:
        """Do it, and strike where the thread of `run` takes what has come of it."""
        nonlocal left
        found = perform(driver, effect, held)
        if threading.get_ident() == runner:
            left -= 1
            if left == 0:
                struck.append(effect)
                raise kind
        return found

    while not (struck and isinstance(struck[-1], WaitFor)):  # then all is begun
        left = 0
        consumer = consume(session, Handler(), lease=timedelta(minutes=5))
        with monkeypatch.context() as patch, pytest.raises(kind):
            patch.setattr(Driver, "_perform", performed)
            patch.setattr(Driver, "_at_once", noted)
            left = len(struck) + 1
            consumer.run()
        if session.tables.exists(LEASES):
            assert not [each for each in session.scan(ShardLease) if each.owner], struck[-1]
            assert not session.scan(Member).all(), struck[-1]
        until(lambda: all(each.done() for each in begun))  # no thread goes on
    assert len(struck) >= 5
    assert begun


@pytest.mark.parametrize("operation", ["put_item", "update_item"])  # that it is there, and a lease
def test_a_cancellation_leaves_nothing_to_its_time(
    session: Any,
    endpoint: Any,
    client_arguments: Any,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
):
    write(session, range(2))
    consume(session, Handler(1)).run()

    async def main() -> None:
        async with async_session(endpoint, client_arguments) as awaited:
            call, struck = awaited._driver.line.call, False

            async def answered(each: Any) -> Any:
                """Send it, and cancel before what has sent it hears of the answer."""
                nonlocal struck
                found = await call(each)
                if each.operation == operation and not struck:
                    struck = True
                    running.cancel()
                    await asyncio.sleep(0)
                return found

            monkeypatch.setattr(awaited._driver.line, "call", answered)
            consumer = consume(awaited, lambda change: None, lease=timedelta(minutes=5))
            running = asyncio.ensure_future(consumer.run())
            with pytest.raises(asyncio.CancelledError):
                await running

    asyncio.run(main())
    assert lease_of(session).owner is None
    assert not session.scan(Member).all()


@pytest.mark.parametrize(("kind", "handled"), [(ShardTaken, 0), (Checkpointed, 1), (ShardLeft, 1)])
def test_what_ends_the_program_in_a_listener_leaves_what_was_written_down(
    session: Any, kind: Any, handled: int
):
    write(session, range(2))

    def exits(event: Any) -> None:
        if isinstance(event, kind):
            sys.exit("bad configuration")

    options: Any = {"lease": timedelta(minutes=5), "checkpoint_every": 1, "on_event": exits}
    with pytest.raises(SystemExit, match="bad configuration"):
        consume(session, Handler(1), **options).run()

    lease = lease_of(session)
    assert (lease.owner, lease.handled) == (None, handled)


def test_a_cancellation_that_a_handler_raises_is_a_failed_try(session: Any):
    write(session, range(1))
    tried: list[Any] = []

    def handler(change: Any) -> None:
        raise asyncio.CancelledError

    def listener(event: Any) -> None:
        if isinstance(event, HandlerFailed):
            tried.append(event.error.__cause__)

    with pytest.raises(ConsumerStopped, match="failed 2 times"):
        consume(session, handler, tries=2, on_event=listener).run()
    assert [type(each) for each in tried] == [asyncio.CancelledError]


@pytest.mark.parametrize("keep", [None, timedelta(days=30)])
def test_a_change_that_fails_for_good_is_put_into_a_table(session: Any, keep: Any):
    photo = os.urandom(20)
    for number in range(3):
        session.save(Note("ann", number, "text", photo))
    handler, events = Poison(1), []
    on_error = FailedChanges(keep=keep)
    consumer = consume(session, handler, tries=2, on_error=on_error, on_event=events.append)
    with running(consumer):
        until(lambda: 2 in handler.calls)
    [failed] = session.query(FailedChange).where(FailedChange.consumer == "copy")
    assert (failed.tries, failed.error, failed.kind) == (2, "RuntimeError: poison", "INSERT")
    assert failed.table == "consumers-app"
    assert (failed.expires is None) == (keep is None)
    [change] = changes([failed.record], app, table_prefix="consumers-")
    assert isinstance(change, Inserted)
    assert change.new == Note("ann", 1, "text", photo)
    assert change.at == failed.at
    assert change.sequence_number == failed.sequence_number
    assert [each.then for each in events if isinstance(each, GaveUp)] == ["stored"]


@pytest.mark.full
def test_a_failed_change_whose_images_do_not_fit_keeps_its_key(session: Any):
    session.save(Note("ann", 1, photo=os.urandom(390_000)))
    handler = Poison(1)
    consumer = consume(session, handler, tries=1, on_error=FailedChanges("broken"))
    with running(consumer):
        until(lambda: handled(session) == 1)
    names = {"dynattrs-failed-changes": "consumers-broken"}
    with dynattrs.Session(client=session.client, tables=names) as other:
        [failed] = other.scan(FailedChange)
    assert not failed.whole
    [change] = changes([failed.record], Note, table=app)
    assert change.key == {"name": "ann", "number": 1}


def test_a_failing_change_is_skipped_or_handed_to_a_function(session: Any):
    write(session, range(4))
    handed: list[Failure] = []
    handler = Poison(1)
    with running(consume(session, handler, name="a", tries=1, on_error="skip")):
        until(lambda: 3 in handler.calls)
    handler = Poison(2)
    with running(consume(session, handler, name="b", tries=1, on_error=handed.append)):
        until(lambda: 3 in handler.calls)
    assert handler.calls == [0, 1, 2, 3]
    [failure] = handed
    assert failure.change.new.number == 2
    assert (failure.tries, failure.table, str(failure.error)) == (1, "consumers-app", "poison")

    def refuse(failure: Failure) -> None:
        raise LookupError("no place for it")

    with pytest.raises(ConsumerStopped) as stopped:
        consume(session, Poison(0), name="c", tries=1, on_error=refuse).run()
    assert isinstance(stopped.value.__cause__, LookupError)


def test_what_cannot_be_read_is_not_tried_and_does_what_on_error_says(session: Any):
    session.client.put_item(
        TableName="consumers-app",
        Item={"pk": {"S": "USER#x"}, "sk": {"S": "NOTE#000001"}, "number": {"S": "?"}},
    )
    write(session, range(1))
    handed: list[Failure] = []
    handler = Handler(1)
    consume(session, handler, on_error=handed.append).run()
    [failure] = handed
    assert failure.tries == 0
    assert isinstance(failure.change, Unreadable)
    with pytest.raises(ConsumerStopped, match="cannot read the record"):
        consume(session, Handler(), name="other").run()


def test_a_handler_that_is_a_generator_has_done_nothing(session: Any):
    write(session, range(1))

    def handler(change: Any) -> Any:
        yield change

    with pytest.raises(ConsumerStopped) as stopped:
        consume(session, handler, tries=1).run()
    assert "leave out its `yield`" in str(stopped.value.__cause__)


# --- Its life -------------------------------------------------------------------------------------


def test_events_and_lag_tell_how_it_goes(session: Any):
    events: list[Any] = []
    write(session, range(3))
    handler = Handler()
    consumer = consume(session, handler, on_event=events.append)
    assert consumer.lag() == timedelta()
    with running(consumer):
        until(lambda: len(handler.seen) == 3)
        until(lambda: consumer.lag() == timedelta())
        assert consumer.shards == (lease_of(session).shard,)
        assert repr(consumer) == "<Consumer 'copy' with 1 shards>"
    [taken] = [each for each in events if isinstance(each, ShardTaken)]
    assert (taken.table, taken.fence, taken.before) == ("consumers-app", 1, None)
    [left] = [each for each in events if isinstance(each, ShardLeft)]
    assert left.why == "stopped"
    assert sum(each.count for each in events if isinstance(each, Handled)) == 3
    assert consumer.shards == ()


def test_a_listener_that_raises_stops_nothing(session: Any, caplog: pytest.LogCaptureFixture):
    def listen(event: Any) -> None:
        raise RuntimeError("deaf")

    write(session, range(2))
    handler = Handler(2)
    consume(session, handler, on_event=listen).run()
    assert handler.numbers == [0, 1]
    assert "a listener of ShardTaken failed" in caplog.text


def test_replies_that_are_lost_lose_no_change(session: Any):
    write(session, range(1))
    consume(session, Handler(1)).run()  # the tables are made
    handler, events = Handler(), []
    options: Any = {"checkpoint_every": 1, "on_event": events.append}
    with running(consume(session, handler, **options)):
        until(lambda: handler.consumer.shards)
        with faults(session, lost_reply(["UpdateItem", "PutItem"], probability=0.4), seed=5):
            for number in range(1, 30):
                with contextlib.suppress(ConnectionFailed):
                    session.save(Note("ann", number))
            until(lambda: len(handler.seen) >= 29)
    assert handler.numbers == list(range(1, 30)), "nothing twice: it knows that it has the lease"
    assert handled(session) == 30
    assert {each.why for each in events if isinstance(each, ShardLeft)} == {"stopped"}


@pytest.mark.full
def test_a_network_that_is_gone_for_a_while_is_waited_for(session: Any):
    write(session, range(3))
    handler = Handler()
    with running(consume(session, handler, lease=timedelta(seconds=1))):
        until(lambda: len(handler.seen) == 3)
        with faults(session, unreachable()):
            time.sleep(2.5)
        write(session, range(3, 6))
        until(lambda: len(handler.seen) >= 6)
    assert sorted(set(handler.numbers)) == list(range(6))
    assert handled(session) >= 6


def test_a_session_that_is_closed_ends_its_consumer(session: Any, client: Any):
    write(session, range(1))
    other = dynattrs.Session(client=client, table_prefix="consumers-")
    handler = Handler()
    consumer = consume(other, handler)
    with pytest.raises(SessionClosed):
        with running(consumer):
            until(lambda: handler.seen)
            other.close()
    assert lease_of(session).owner is None


def test_a_consumer_runs_once_and_stopped_before_it_reads_nothing(session: Any):
    write(session, range(2))
    handler = Handler()
    consumer = consume(session, handler)
    consumer.stop()
    consumer.run()
    assert handler.seen == []
    with pytest.raises(ModelError, match="runs once"):
        consumer.run()


def test_a_table_without_a_stream_is_refused(session: Any, client: Any):
    @model("bare")
    class Bare:
        id: str = dynattrs.partition_key()

    session.tables.create(Bare)
    with pytest.raises(NoStream, match='stream="new and old"'):
        consume(session, Handler(), app=Bare).run()


def test_a_stream_that_was_switched_off_and_on_is_a_gap(session: Any, endpoint: Any):
    if endpoint.engine != "embedded":
        pytest.skip("DynamoDB Local forgets a stream that is switched off")
    write(session, range(2))
    handler = Handler(2)
    consume(session, handler).run()
    session.client.update_table(
        TableName="consumers-app", StreamSpecification={"StreamEnabled": False}
    )
    write(session, range(2, 3))
    session.client.update_table(
        TableName="consumers-app",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    write(session, range(3, 5))
    with pytest.raises(dynattrs.streams.StreamGap, match="switched off"):
        consume(session, Handler()).run()
    events: list[Any] = []
    handler = Handler(2)
    consume(session, handler, on_gap="go on", on_event=events.append).run()
    assert handler.numbers == [3, 4]
    [found] = [each for each in events if isinstance(each, GapFound)]
    assert found.gap.new_arn is not None
    third = Handler(1)
    write(session, range(5, 6))
    consume(session, third).run()
    assert third.numbers == [5], "it is told once"


# --- Asyncio --------------------------------------------------------------------------------------


def async_session(endpoint: Any, client_arguments: Any) -> Any:
    aio = pytest.importorskip("dynattrs.aio", reason="pip install 'dynattrs[aio]'")
    pytest.importorskip("aiobotocore")
    from aiobotocore.config import AioConfig

    options = {name: value for name, value in client_arguments.items() if name != "config"}
    from aiobotocore.session import get_session

    made = get_session()
    made.set_credentials(options.pop("aws_access_key_id"), options.pop("aws_secret_access_key"))
    return aio.AsyncSession(
        aiobotocore_session=made, table_prefix="consumers-",
        config=AioConfig(retries={"mode": "standard", "total_max_attempts": 1}), **options,
    )  # fmt: skip


def test_async_handlers_are_awaited(session: Any, endpoint: Any, client_arguments: Any):
    write(session, range(5))
    seen: list[int] = []

    async def main() -> None:
        async with async_session(endpoint, client_arguments) as awaited:

            async def handler(change: Any) -> None:
                await asyncio.sleep(0)
                found = await awaited.get(Note, change.key, consistent=True)
                seen.append(found.number)
                if len(seen) == 5:
                    consumer.stop()

            consumer = consume(awaited, handler)
            await consumer.run()

    asyncio.run(main())
    assert seen == list(range(5))
    assert lease_of(session).handled == 5


def test_a_cancelled_run_cancels_its_handler_and_frees_what_it_has(
    session: Any, endpoint: Any, client_arguments: Any
):
    write(session, range(3))
    seen: list[Any] = []

    async def main() -> None:
        async with async_session(endpoint, client_arguments) as awaited:
            begun = asyncio.Event()

            async def handler(change: Any) -> None:
                if change.new.number == 1:
                    begun.set()
                    try:
                        await asyncio.sleep(3600)
                    except asyncio.CancelledError:
                        seen.append("cancelled")
                        raise
                seen.append(change.new.number)

            task = asyncio.ensure_future(consume(awaited, handler).run())
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    assert seen == [0, "cancelled"]
    lease = lease_of(session)
    assert (lease.owner, lease.handled) == (None, 1)


def test_an_async_handler_that_awaits_what_was_cancelled_has_failed(
    session: Any, endpoint: Any, client_arguments: Any
):
    write(session, range(3))
    seen: list[int] = []

    async def main() -> None:
        async with async_session(endpoint, client_arguments) as awaited:

            async def handler(change: Any) -> None:
                seen.append(change.new.number)
                if change.new.number == 1:
                    task = asyncio.ensure_future(asyncio.sleep(3600))
                    task.cancel()
                    await task

            await consume(awaited, handler, tries=2).run()

    with pytest.raises(ConsumerStopped, match="failed 2 times"):
        asyncio.run(main())
    assert seen == [0, 1, 1]
    lease = lease_of(session)
    assert (lease.owner, lease.handled) == (None, 1)


def test_an_async_handler_that_ends_the_program_ends_the_consumer(
    session: Any, endpoint: Any, client_arguments: Any
):
    write(session, range(1))

    async def main() -> None:
        async with async_session(endpoint, client_arguments) as awaited:

            async def handler(change: Any) -> None:
                sys.exit("bad configuration")

            await consume(awaited, handler).run()

    with pytest.raises(SystemExit, match="bad configuration"):
        asyncio.run(main())
    assert lease_of(session).owner is None


@pytest.mark.full
def test_a_handler_that_keeps_the_event_loop_waiting_for_longer_than_the_lease_goes_on(
    session: Any, endpoint: Any, client_arguments: Any
):
    write(session, range(4))
    seen: list[int] = []
    left: list[Any] = []

    async def main() -> None:
        async with async_session(endpoint, client_arguments) as awaited:

            def handler(change: Any) -> None:
                time.sleep(0.7)
                seen.append(change.new.number)
                if change.new.number == 3:
                    consumer.stop()

            consumer = consume(awaited, handler, lease=timedelta(seconds=0.5), on_event=left.append)
            await consumer.run()

    asyncio.run(main())
    assert seen == [0, 1, 2, 3]
    assert [each.why for each in left if isinstance(each, ShardLeft)] == ["stopped"]


def test_an_async_handler_needs_an_async_session(session: Any):
    async def handler(change: Any) -> None: ...

    def plain(change: Any) -> object:
        return handler(change)

    with pytest.raises(ModelError, match="AsyncSession"):
        consume(session, handler)

    write(session, range(1))
    with pytest.raises(ConsumerStopped) as stopped:
        consume(session, plain, tries=1).run()
    assert "AsyncSession" in str(stopped.value.__cause__)
    with pytest.raises(ConsumerStopped, match="failed 1 times") as stopped:
        consume(session, plain, on_error="skip").run()
    assert isinstance(stopped.value.__cause__, TypeError)
    assert lease_of(session).handled == 0


# --- Signals --------------------------------------------------------------------------------------

PROGRAM = """
import json, sys, time
from datetime import timedelta
import boto3
sys.path.insert(0, {tests!r})
from dynattrs import Session
from dynattrs.streams import Consumer
from integration.test_consumers import app

def handler(change):
    print(change.new.number, flush=True)
    time.sleep(0.5)

client = boto3.client("dynamodb", endpoint_url={url!r}, **{credentials!r})
with Session(client=client, table_prefix="consumers-") as session:
    Consumer(session, app, name="copy", handler=handler, start="horizon", lease=timedelta(seconds=30)).run()
print("stopped", flush=True)
"""


@pytest.mark.full
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to catch")
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_it_finish_and_write_down_how_far_it_is(
    session: Any, endpoint: Any, sent: signal.Signals
):
    write(session, range(50))
    text = PROGRAM.format(
        tests=str(Path(__file__).parents[1]), url=endpoint.url,
        credentials=endpoint.credentials,
    )  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-c", text], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "0\n"
        process.send_signal(sent)
        said, wrong = process.communicate(timeout=PATIENCE)
    if sent == signal.SIGTERM:
        assert (process.returncode, said, wrong) == (0, "stopped\n", "")
    else:
        assert "KeyboardInterrupt" in wrong
    lease = lease_of(session)
    assert (lease.owner, lease.handled) == (None, 1)


# --- Options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": ""}, "name=''"),
        ({"start": "now"}, "start='now'"),
        ({"start": datetime(2026, 1, 1)}, "aware datetime"),  # noqa: DTZ001 - just that
        ({"tries": 0}, "tries=0"),
        ({"workers": 1.5}, "workers=1.5"),
        ({"on_error": "ignore"}, "on_error='ignore'"),
        ({"on_error": FailedChanges}, "write FailedChanges()"),
        ({"on_gap": None}, "on_gap=None"),
        ({"others": "x"}, "others='x'"),
        ({"lease": 3}, "lease=3: a timedelta"),
        ({"lease": timedelta(milliseconds=1)}, "at least 0.5 seconds"),
        ({"poll": -SHORT}, "poll="),
        ({"checkpoint_every": True}, "checkpoint_every=True"),
        ({"leases": 3}, "leases=3"),
        ({"on_event": 5}, "on_event=5"),
    ],
)
def test_options_that_cannot_be_are_refused(session: Any, options: Any, said: str):
    with pytest.raises(ModelError, match="Consumer") as error:
        consume(session, Handler(), **options)
    assert said in str(error.value)


def test_signals_are_for_the_main_thread(session: Any):
    errors: list[Any] = []

    def run() -> None:
        try:
            consume(session, Handler()).run(signals=True)
        except ModelError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert "main thread" in str(errors[0])


def test_tables_of_leases_take_the_sessions_names(session: Any, client: Any):
    write(session, range(1))
    consume(session, Handler(1), leases="my-leases").run()
    assert "consumers-my-leases" in client.list_tables()["TableNames"]
