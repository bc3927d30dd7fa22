"""Requests of gathered writes queue for the places of their session: fairly, and none waits in vain."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import copy_context
from typing import Any

import boto3
import pytest
from botocore.config import Config

from dynattrs import Session, model, partition_key
from dynattrs.aio import AsyncSession
from dynattrs.operations.flows import Signal
from dynattrs.operations.writing.pace import Pace, inside
from interruptions import reported
from scripted_server import Received, ScriptedServer, reply, serving

TOKEN = {"aws_access_key_id": "k", "aws_secret_access_key": "s"}


@model("notes")
class Note:
    id: int = partition_key()


def places(count: int) -> list[Signal]:
    return [Signal() for _ in range(count)]


def leave(pace: Pace, place: Signal) -> None:
    pace.queue.pop(place, None)
    pace.admit()


# --- The queue ------------------------------------------------------------------------------------


def test_places_are_given_in_the_order_in_which_they_were_asked_for():
    pace = Pace(2)
    asked = places(5)
    woken: list[Signal] = []

    begun = [pace.begin(place) for place in asked]
    for place in asked[2:]:
        place.wake = lambda place=place: woken.append(place)  # type: ignore[misc]
    assert begun == [True, True, False, False, False]
    leave(pace, asked[1])
    assert woken == asked[2:3]
    leave(pace, asked[0])
    leave(pace, asked[2])
    assert woken == asked[2:]
    assert all(pace.begin(place) for place in asked[3:])


def test_whoever_comes_later_does_not_overtake_those_who_wait():
    pace = Pace(1)
    first, second, third = places(3)
    pace.begin(first)
    pace.begin(second)

    leave(pace, first)

    assert not pace.begin(third)
    assert pace.begin(second)


def test_who_leaves_the_queue_lets_the_next_one_in():
    pace = Pace(1)
    first, second, third = places(3)
    for place in (first, second, third):
        pace.begin(place)

    leave(pace, second)  # it was cancelled while it waited
    assert not third.given
    leave(pace, first)
    assert third.given


def test_who_is_cancelled_when_its_turn_has_come_passes_it_on():
    pace = Pace(1)
    first, second, third = places(3)
    for place in (first, second, third):
        pace.begin(place)
    leave(pace, first)
    assert second.given

    leave(pace, second)

    assert third.given


def test_who_was_to_be_woken_by_one_that_was_interrupted_finds_out_by_itself():
    pace = Pace(1)
    first, second = places(2)
    pace.begin(first)
    pace.begin(second)
    pace.queue.pop(first)  # and here an interruption strikes

    assert pace.begin(second)


def test_a_slower_pace_takes_no_place_away_and_gives_none_until_it_fits():
    pace = Pace(4)
    asked = places(5)
    for place in asked:
        pace.begin(place)
    pace.slow_down(0, 0)
    assert pace.allowed == 2

    leave(pace, asked[0])
    leave(pace, asked[1])
    assert not asked[4].given
    leave(pace, asked[2])
    assert asked[4].given


def test_a_request_from_inside_another_one_does_not_wait_for_it():
    pace = Pace(1)
    outer, inner, other = places(3)
    pace.begin(outer)
    context = copy_context()
    context.run(inside.set, outer)

    assert context.run(pace.begin, inner)
    assert not pace.begin(other)
    leave(pace, outer)
    leave(pace, other)
    assert context.run(pace.begin, inner)  # it is over: this one stands in line as all others


def test_a_child_process_begins_with_no_one_in_the_queue():
    pace = Pace(1)
    for place in places(3):
        pace.begin(place)

    pace.forked()

    assert pace.begin(Signal())


# --- In threads -----------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with serving() as server:
        server.answer = lambda _: reply()
        yield server


@pytest.fixture
def opened(server: ScriptedServer) -> Iterator[Callable[..., Session]]:
    made: list[Any] = []

    def opened(**options: Any) -> Session:
        client = boto3.client(
            "dynamodb", region_name="us-east-1", endpoint_url=server.url, **TOKEN,
            config=Config(retries={"mode": "standard", "total_max_attempts": 1}),
        )  # fmt: skip
        session = Session(client=client, **options)
        made.extend((session, client))
        return session

    yield opened
    for each in made:
        each.close()


def ids(requests: list[Received]) -> list[int]:
    return [
        int(each["PutRequest"]["Item"]["id"]["N"])
        for request in requests
        for each in request.parameters["RequestItems"]["notes"]
    ]


def save(writer: Any, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        writer.save(Note(number))


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_sixteen_batches_with_one_place_share_it(
    server: ScriptedServer, opened: Callable[..., Session]
):
    session = opened(concurrency=1)
    server.answer = lambda _: time.sleep(0.002) or reply()  # type: ignore[func-returns-value]
    ended: list[int] = []
    all_there = threading.Barrier(16)

    def write(number: int) -> None:
        all_there.wait(20)
        with session.batch() as batch:
            save(batch, 60, number * 1000)
        ended.append(number)

    threads = [threading.Thread(target=write, args=(each,)) for each in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert sorted(ended) == list(range(16))
    assert sorted(ids(server.received)) == [n * 1000 + i for n in range(16) for i in range(60)]
    # Each has sent its first batch before any has sent its last one.
    order = [ids([request])[0] for request in server.received]
    last_first = max(order.index(number * 1000) for number in range(16))
    assert last_first < min(order.index(number * 1000 + 50) for number in range(16)) + 16
    assert not session._core.pace.queue


@pytest.mark.parametrize("event", ["before_send", "after_send"])
def test_what_a_listener_writes_does_not_wait_for_what_it_listens_to(
    server: ScriptedServer, opened: Callable[..., Session], event: Any
):
    session = opened(concurrency=1)
    written: list[int] = []

    def listen(_: object) -> None:
        if not written:
            written.append(1000)
            session.save_all(Note(number) for number in range(1000, 1060))

    session.on(event, listen)
    with session.batch() as batch:
        save(batch, 60)

    assert sorted(ids(server.received)) == [*range(60), *range(1000, 1060)]


def test_batches_inside_batches_and_generators_that_write_need_one_place(
    server: ScriptedServer, opened: Callable[..., Session]
):
    flushed: list[int] = []

    def after_flush(objects: Any) -> None:
        if not flushed:
            flushed.append(1)
            session.save_all(Note(number) for number in range(9000, 9060))

    session = opened(concurrency=1, after_flush=after_flush)

    def notes() -> Iterator[Note]:
        for number in range(60):
            yield Note(number)
            if number == 40:
                with session.batch() as inner, session.batch() as innermost:
                    save(inner, 60, 1000)
                    save(innermost, 60, 2000)

    session.save_all(notes())

    wanted = [*range(60), *range(1000, 1060), *range(2000, 2060), *range(9000, 9060)]
    assert sorted(ids(server.received)) == wanted


@pytest.mark.skipif(os.name == "nt", reason="signals of other systems")
def test_an_interruption_reaches_one_that_waits_at_once(
    server: ScriptedServer, opened: Callable[..., Session]
):
    session = opened(concurrency=1)
    answering = threading.Event()
    server.answer = lambda _: answering.wait(20) and reply()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def other() -> None:
        with session.batch() as batch:
            save(batch, 10, 1000)

    def interrupt() -> None:
        until(lambda: len(session._core.pace.queue) == 2)
        struck.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    struck: list[float] = []
    threads = [threading.Thread(target=other), threading.Thread(target=interrupt)]
    try:
        threads[0].start()
        until(lambda: len(server.received) == 1)
        threads[1].start()
        with pytest.raises(KeyboardInterrupt) as caught, session.batch() as batch:
            save(batch, 10)
        taken = time.monotonic() - struck[0]
    finally:
        signal.signal(signal.SIGINT, before)
        answering.set()
        for thread in threads:
            thread.join(10)

    assert taken < 0.2
    assert reported(caught.value) == set(range(10))
    assert ids(server.received) == list(range(1000, 1010))
    session.save_all(map(Note, range(30)))


# --- Under asyncio --------------------------------------------------------------------------------


def test_a_task_that_is_cancelled_while_it_waits_lets_the_others_in(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture
):
    pytest.importorskip("aiobotocore", reason="pip install 'dynattrs[aio]'")
    answering = threading.Event()
    server.answer = lambda _: answering.wait(20) and reply()

    async def write(session: AsyncSession, first: int) -> None:
        async with session.batch() as batch:
            for number in range(first, first + 10):
                await batch.save(Note(number))

    async def program() -> list[Any]:
        async with AsyncSession(
            endpoint_url=server.url, region_name="us-east-1", concurrency=1
        ) as session:
            queue = session._core.pace.queue

            async def length(wanted: int) -> None:
                while len(queue) != wanted:  # noqa: ASYNC110 - nothing tells of it
                    await asyncio.sleep(0.001)

            tasks = []
            for number in range(4):
                tasks.append(asyncio.create_task(write(session, number * 1000)))
                await length(number + 1)
            tasks[1].cancel()
            await length(3)
            answering.set()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert not queue
            return ended

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "k")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "s")
        ended = asyncio.run(program())

    assert isinstance(ended[1], asyncio.CancelledError)
    assert "10 writes were not stored" in caplog.text
    assert [each for each in ended if each is not ended[1]] == [None] * 3
    assert sorted(ids(server.received)) == [*range(10), *range(2000, 2010), *range(3000, 3010)]
