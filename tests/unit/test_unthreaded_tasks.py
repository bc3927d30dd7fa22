"""Batches that are sent by the thread that has gathered them, and replies that wait until it has time."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

import dynattrs
from dynattrs import Session, UnsentWrites, model, partition_key
from dynattrs.session.driver import LightTask
from interruptions import InterruptAt, dropped, reported
from scripted_server import HANG_UP, Received, ScriptedServer, failure, reply, serving


@model("notes")
class Note:
    id: int = partition_key()
    text: str = ""


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with serving() as server:
        yield server


def client_of(server: ScriptedServer) -> Any:
    return boto3.client(
        "dynamodb", region_name="us-east-1", endpoint_url=server.url,
        aws_access_key_id="k", aws_secret_access_key="s",
        config=Config(retries={"mode": "standard", "total_max_attempts": 2}),
    )  # fmt: skip


@pytest.fixture
def session(server: ScriptedServer) -> Iterator[Session]:
    """A session with idle connections that has learned how batches are written."""
    client = client_of(server)
    session = Session(client=client)
    server.answer = lambda _: time.sleep(0.05) or reply()  # type: ignore[func-returns-value]
    session.save_all(map(Note, range(200)))
    server.answer = lambda _: reply()
    server.received.clear()
    session.stats.direct = 0
    yield session
    session.close()
    client.close()


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> list[LightTask]:
    """The tasks that took no thread."""
    found: list[LightTask] = []
    original = LightTask.sent

    def sent(self: LightTask, *arguments: Any) -> None:
        found.append(self)
        original(self, *arguments)

    monkeypatch.setattr(LightTask, "sent", sent)
    return found


def ids(requests: list[Received]) -> list[int]:
    return [
        int(each["PutRequest"]["Item"]["id"]["N"])
        for request in requests
        for each in request.parameters["RequestItems"]["notes"]
    ]


def save(s: Any, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        s.save(Note(number))


def until(condition: Any) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_a_batch_is_on_its_way_when_save_returns_and_is_not_waited_for(
    server: ScriptedServer, session: Session, light: list[LightTask]
) -> None:
    answering = threading.Event()
    server.answer = lambda _: answering.wait(5) and reply()

    with session.batch() as batch:
        save(batch, 25)
        until(lambda: len(server.received) == 1)
        assert not light[0].done()
        answering.set()

    assert ids(server.received) == list(range(25))
    assert light[0].done()


def test_as_many_are_in_flight_as_may_be(
    server: ScriptedServer, session: Session, light: list[LightTask]
) -> None:
    at_once = threading.Barrier(4)
    server.answer = lambda _: reply() if at_once.wait(5) >= 0 else None

    with session.batch() as batch:
        save(batch, 200)  # it would stop here if fewer were
        in_time = len(light)

    assert in_time >= 4
    assert sorted(ids(server.received)) == list(range(200))
    assert session.stats.direct == 8


def test_a_reply_is_read_also_where_nobody_comes_for_it(
    session: Session, light: list[LightTask]
) -> None:
    with session.batch() as batch:
        save(batch, 25)

        until(light[0].done)
        assert not batch._buffer


def test_what_a_reply_leaves_is_sent_again_by_whoever_has_read_it(
    server: ScriptedServer, session: Session, light: list[LightTask]
) -> None:
    left: list[Received] = []

    def all_but_one(received: Received) -> bytes:
        left.append(received)
        items = received.parameters["RequestItems"]["notes"]
        return reply({"UnprocessedItems": {"notes": items[:1]}})

    server.script = [all_but_one]
    with session.batch() as batch:
        save(batch, 50)

    assert sorted(ids(server.received)) == sorted([*range(50), ids(left)[0]])
    assert light
    assert session.stats.unprocessed == 1


@pytest.mark.parametrize(
    "ending", [HANG_UP, failure("InternalServerError", 500), reply(x_amz_crc32="1")]
)
def test_a_lost_reply_is_botocores_first_attempt(
    server: ScriptedServer, session: Session, light: list[LightTask], ending: Any
) -> None:
    server.script = [ending]
    with session.batch() as batch:
        save(batch, 25)

    assert light
    assert ids(server.received) == [*range(25), *range(25)]
    # A damaged one is not a failure to botocore; there the library repeats the call.
    second = (
        "attempt=1" if b"200" in (ending if isinstance(ending, bytes) else b"") else "attempt=2"
    )
    assert server.received[1].headers["amz-sdk-request"].startswith(second)


def test_an_idle_connection_that_the_server_has_closed_loses_nothing(
    server: ScriptedServer, session: Session
) -> None:
    server.hang_up()
    with session.batch() as batch:
        save(batch, 100)

    assert sorted(set(ids(server.received))) == list(range(100))


def test_a_refusal_is_told_at_the_next_save(
    server: ScriptedServer, session: Session, light: list[LightTask]
) -> None:
    server.answer = lambda _: failure("ResourceNotFoundException")
    with session.batch() as batch:
        save(batch, 25)
        until(light[0].done)
        with pytest.raises(UnsentWrites) as caught:
            batch.save(Note(25))

    assert [note.id for note in caught.value.objects] == list(range(26))


def test_another_thread_may_wait_for_a_batch(
    server: ScriptedServer, session: Session, light: list[LightTask]
) -> None:
    answering = threading.Event()
    server.answer = lambda _: answering.wait(5) and reply()
    with session.batch() as batch:
        save(batch, 50)
        flushing = [threading.Thread(target=batch.flush) for _ in range(3)]
        for each in flushing:
            each.start()
        answering.set()
        for each in flushing:
            each.join(5)

        assert not any(each.is_alive() for each in flushing)
        assert all(task.done() for task in light)
        assert not batch._buffer


def test_replies_that_nobody_has_read_are_read_when_the_driver_ends(
    server: ScriptedServer, session: Session, light: list[LightTask]
) -> None:
    answering = threading.Event()
    server.answer = lambda _: answering.wait(5) and reply()
    with session.batch() as batch:
        save(batch, 100)
        threading.Timer(0.1, answering.set).start()
        session._driver.close()

        assert len(light) == 4
        assert all(task.done() for task in light)
        assert not batch._buffer


@pytest.mark.parametrize("about", ["before_send", "after_send", "retry"])
def test_whoever_listens_to_requests_is_told_by_a_thread(
    session: Session, light: list[LightTask], about: Any
) -> None:
    stop = session.on(about, lambda event: None)
    with session.batch() as batch:
        save(batch, 50)
    stop()
    assert not light

    with session.batch() as batch:
        save(batch, 50)
    assert light


def test_a_program_that_is_told_of_progress_is_told_by_a_thread(
    session: Session, light: list[LightTask]
) -> None:
    seen: list[int] = []
    session.save_all(
        map(Note, range(100)), on_progress=lambda progress: seen.append(progress.stored)
    )

    assert not light
    assert seen[-1] == 100


def test_a_large_batch_does_not_keep_the_caller_while_it_is_sent(
    session: Session, light: list[LightTask]
) -> None:
    with session.batch() as batch:
        for number in range(50):
            batch.save(Note(number, "x" * 3000))

    assert not light


def test_what_a_batch_in_flight_writes_through_another_batch_is_written_at_once(
    server: ScriptedServer, session: Session, light: list[LightTask]
) -> None:
    """A pace is of a session: a batch whose thread computes must not stop the others."""
    with session.batch() as idle:
        save(idle, 100)
        with session.batch() as busy:
            save(busy, 300, first=1000)
            busy.flush()
            assert not busy._buffer

    assert light
    assert sorted(ids(server.received)) == [*range(100), *range(1000, 1300)]


def test_what_waits_for_the_pace_does_not_take_the_threads_of_what_it_waits_for(
    server: ScriptedServer, light: list[LightTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one reply that is not read holds the one place, and all threads of the pool want it."""
    # Long enough for all other batches to begin.
    monkeypatch.setattr(dynattrs.session.driver, "PATIENCE", 0.5)
    client = client_of(server)
    session = Session(client=client, concurrency=1)
    server.answer = lambda _: reply()
    session.save_all(map(Note, range(50)))
    server.received.clear()
    light.clear()

    def write(number: int) -> None:
        with session.batch() as batch:
            save(batch, 50, first=number * 1000)

    threads = [threading.Thread(target=write, args=(each,), daemon=True) for each in range(1, 31)]
    with session.batch() as idle:
        save(idle, 25)
        assert len(light) == 1
        for thread in threads:
            thread.start()
        end = time.monotonic() + 20
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        # Before the batch ends, which would let them go on.
        assert not any(thread.is_alive() for thread in threads)

    assert len(set(ids(server.received))) == len(ids(server.received)) == 25 + 30 * 50
    session.close()
    client.close()


def test_wherever_it_is_interrupted_every_save_that_returned_is_accounted_for(
    server: ScriptedServer,
    session: Session,
    light: list[LightTask],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logged: list[UnsentWrites] = []
    monkeypatch.setattr(
        dynattrs.operations.writing.reports._log,
        "error",
        lambda message, *each: logged.extend(each),
    )
    lost = dropped(monkeypatch)

    def program(taken: set[int]) -> None:
        with session.batch() as batch:
            for number in range(60):
                batch.save(Note(number))
                taken.add(number)

    counter = InterruptAt(-1)
    with counter:
        program(set())
    steps = -1 - counter.left
    assert steps > 300
    assert light
    interrupted = 0
    # A program after one that was interrupted may take fewer steps than the first, up to 200.
    for step in [*range(1, steps - 450, 17), *range(steps - 450, steps + 1)]:
        taken: set[int] = set()
        server.received.clear()
        logged.clear()
        lost.clear()
        error: BaseException | None = None
        interruption = InterruptAt(step)
        try:
            with interruption:
                program(taken)
        except (KeyboardInterrupt, UnsentWrites) as caught:
            error = caught
        # How often threads are waited for, and so the number of steps, is not always the same.
        if interruption.struck and KeyboardInterrupt not in lost:
            assert isinstance(error, KeyboardInterrupt), step
            interrupted += 1
        known = set(ids(server.received)) | reported(error)
        if not taken <= known:
            error = None
            session._batches.clear()
            gc.collect()
            known |= set(ids(server.received))
            known |= {note.id for each in logged for note in each.objects}
        assert taken <= known, (step, sorted(taken - known))
        session._batches.clear()
    assert interrupted > 150
    # Nothing of them holds a place: writes go on.
    gc.collect()
    server.received.clear()
    with contextlib.suppress(UnsentWrites):
        session.save_all(map(Note, range(200)))
    assert sorted(set(ids(server.received))) == list(range(200))
    # Connections that were struck while they were made or used go here, unclosed, with their tasks.
    error = None
    light.clear()
    gc.collect()


# --- Interruptions while a batch is answered ----------------------------------------------------


def interrupted_by(server: ScriptedServer, times: int) -> threading.Event:
    """Send SIGINT while the server has the first request, so often; it answers after the last one, or
    when the event is set.
    """
    answering, first = threading.Event(), [True]

    def answer(request: Received) -> Any:
        if first and first.pop():
            for _ in range(times):
                time.sleep(0.1)
                os.kill(os.getpid(), signal.SIGINT)
            if times == 1:
                time.sleep(0.2)
                answering.set()
        answering.wait(5)
        return reply()

    server.answer = answer
    return answering


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT raises KeyboardInterrupt, also in a process that was started to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(params=["direct", "slow", "first"])
def any_session(request: pytest.FixtureRequest, server: ScriptedServer) -> Iterator[Session]:
    """One with idle connections; one that sends through botocore; one that has not sent before."""
    if request.param == "direct":
        yield request.getfixturevalue("session")
        return
    client = client_of(server)
    session = Session(client=client, fast=request.param != "slow")
    yield session
    session.close()
    client.close()


@pytest.mark.skipif(os.name == "nt", reason="signals of other systems")
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("count", [1, 25, 30])
def test_an_interruption_waits_for_the_answer_to_a_batch(
    server: ScriptedServer, any_session: Session, count: int
) -> None:
    interrupted_by(server, 1)

    with pytest.raises(KeyboardInterrupt) as caught, any_session.batch() as batch:
        save(batch, count)

    stored = set(ids(server.received))
    assert len(stored) in {count, count - 5}
    assert reported(caught.value) == set(range(count)) - stored
    assert any_session.stats.uncertain == 0


@pytest.mark.skipif(os.name == "nt", reason="signals of other systems")
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("count", [1, 25, 30])
def test_a_second_interruption_waits_for_nothing_and_all_is_named(
    server: ScriptedServer, any_session: Session, count: int
) -> None:
    answering = interrupted_by(server, 2)

    with pytest.raises(KeyboardInterrupt) as caught, any_session.batch() as batch:
        save(batch, count)

    assert not answering.is_set()
    assert reported(caught.value) == set(range(count))
    answering.set()


@pytest.mark.skipif(os.name == "nt", reason="signals of other systems")
@pytest.mark.usefixtures("interruptible")
def test_an_interruption_that_waited_comes_before_another_attempt(
    server: ScriptedServer, session: Session
) -> None:
    interrupted_by(server, 1)
    answer = server.answer
    server.answer = lambda request: (answer(request), failure("ThrottlingException"))[1]  # type: ignore[misc]

    with pytest.raises(KeyboardInterrupt) as caught, session.batch() as batch:
        save(batch, 3)

    assert reported(caught.value) == {0, 1, 2}
