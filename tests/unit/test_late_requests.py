"""Nothing that a batch sends is applied after an interruption has left it, wherever that strikes."""

from __future__ import annotations

import ctypes
import gc
import signal
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from dynattrs import Session, UnsentWrites, field, model, partition_key
from dynattrs.wire import http_connections
from interruptions import InterruptAt, dropped, reported
from scripted_server import Received, ScriptedServer, reply


@model("notes")
class Note:
    id: int = partition_key()


@model("papers")
class Paper:
    id: int = partition_key()
    version: int = field(version=True)


def a_batch(session: Session) -> None:
    with session.batch() as batch:
        for number in range(60):
            batch.save(Note(number))


def save_all(session: Session) -> None:
    session.save_all(map(Note, range(60)))


def save_all_by_single_requests(session: Session) -> None:
    session.save_all(map(Paper, range(12)))


def save_all_with_progress(session: Session) -> None:
    session.save_all(map(Note, range(60)), on_progress=lambda _: None)


def save_one_batch(session: Session) -> None:
    session.save_all(map(Note, range(20)))


class Slow(ScriptedServer):
    """Applies a request some time after it has come."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = self._applied
        self.applied: list[float] = []
        self.pause = 0.002

    def _applied(self, request: Received) -> bytes:
        time.sleep(self.pause)
        self.applied.append(time.monotonic())
        return reply()


@pytest.fixture
def server() -> Iterator[Slow]:
    server = Slow()
    yield server
    server.close()


@pytest.fixture
def session(server: Slow) -> Iterator[Session]:
    client: Any = boto3.client(
        "dynamodb", region_name="us-east-1", endpoint_url=server.url,
        aws_access_key_id="k", aws_secret_access_key="s", config=Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip
    with Session(client=client) as session:
        yield session
    client.close()


@pytest.mark.parametrize(
    "program",
    [a_batch, save_all, save_all_by_single_requests, save_all_with_progress, save_one_batch],
)
@pytest.mark.parametrize("threads", [False, True], ids=["direct", "in threads"])
def test_wherever_an_interruption_strikes_nothing_is_applied_later(
    program: Callable[[Session], None],
    threads: bool,
    session: Session,
    server: Slow,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if threads:
        monkeypatch.setattr(session._driver.wire, "begin", lambda *_: None)
    lost = dropped(monkeypatch)
    for _ in range(10):  # until classes are made, code is generated, and there are connections
        program(session)
    counter = InterruptAt(-1)
    with counter:
        program(session)
    steps = -1 - counter.left
    interrupted = 0
    for step in range(1, steps, max(1, steps // 300)):
        interruption = InterruptAt(step)
        lost.clear()
        error: BaseException | None = None
        try:
            with interruption:
                program(session)
        except (KeyboardInterrupt, UnsentWrites) as caught:
            error = caught
        except TypeError as caught:
            # CPython makes it of some interruptions where a `with` statement is being left.
            if "'traceback' object is not callable" not in str(caught):
                raise
            lost.append(KeyboardInterrupt)
        raised = time.monotonic()
        if session._batches or not isinstance(error, KeyboardInterrupt):
            # Its end had not begun; or CPython has made something else of the interruption.
            time.sleep(10 * server.pause)
        elif KeyboardInterrupt not in lost:
            interrupted += 1
            if len(server.applied) < len(server.received):
                time.sleep(2 * server.pause)
            time.sleep(server.pause / 4)
            late = [each - raised for each in server.applied if each > raised]
            assert not late, (step, late)
        error = None
        session._batches.clear()
        server.received.clear()
        server.applied.clear()
    assert interrupted > 30
    # Connections that were struck while they were made or used go here, unclosed.
    gc.collect()


class _Moment:
    """What can be referred to weakly."""


@pytest.mark.parametrize("program", [a_batch, save_all, save_one_batch])
def test_a_request_that_an_interruption_meets_while_it_is_sent_is_waited_for(
    program: Callable[[Session], None],
    session: Session,
    server: Slow,
) -> None:
    for _ in range(10):
        program(session)
    server.applied.clear()
    server.pause = 0.05
    interrupt = ctypes.PYFUNCTYPE(None, ctypes.py_object)(("PyErr_SetInterrupt", ctypes.pythonapi))
    references: list[Any] = []

    def profile(frame: Any, event: str, argument: Any) -> None:
        ours = frame.f_code.co_filename == http_connections.__file__
        if event == "c_call" and ours and argument.__name__ == "sendall":
            sys.setprofile(None)
            # When this function has returned: the system is given the request, and then Python looks.
            moment = _Moment()
            references.append(weakref.ref(moment, interrupt))

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        sys.setprofile(profile)
        with pytest.raises(KeyboardInterrupt) as caught:
            program(session)
    finally:
        raised = time.monotonic()
        sys.setprofile(None)
        signal.signal(signal.SIGINT, before)

    assert references
    time.sleep(0.1)
    assert len(server.applied) == 1
    assert server.applied[0] < raised
    # Its answer was read: what it has stored is not told of.
    assert len(reported(caught.value)) in ({0} if program is save_one_batch else {0, 35})
    program(session)  # over connections on which nothing is left
