"""Deadlines pass also where a test has stopped the clock, as freezegun does."""

from __future__ import annotations

import importlib
import json
import sys
import threading
import time
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config

import dynattrs
from dynattrs import (
    DynattrsError,
    Session,
    Throttled,
    UnsentWrites,
    add,
    model,
    partition_key,
)
from scripted_server import reply, serving


@model("things")
class Thing:
    id: str = partition_key()
    count: int = 0


FAKED = ("monotonic", "perf_counter", "time")


def stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """What freezegun does: the functions are replaced in all modules that have them."""
    for name in FAKED:
        real = getattr(time, name)

        def fake(now: float = real()) -> float:
            return now

        for module in list(sys.modules.values()):
            for each in [each for each, value in vars(module).items() if value is real]:
                monkeypatch.setattr(module, each, fake)


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    stop(monkeypatch)


def session_that_meets(code: str) -> Session:
    client: Any = boto3.client(
        "dynamodb", region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s",
        config=Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip

    def answer(request: Any, **_: Any) -> AWSResponse:
        response = AWSResponse(request.url, 400, {}, None)
        response._content = json.dumps({"__type": f"x#{code}", "message": code}).encode()
        return response

    client.meta.events.register("before-send.dynamodb", answer)
    return Session(client=client, deadline=timedelta(seconds=0.3))


def in_time(function: Any) -> BaseException:
    """What *function* raises; a test that hung would stop all others."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(20)
    assert raised, "it goes on for good"
    return raised[0]


def in_a_batch(session: Session) -> None:
    with session.batch() as batch:
        batch.save(Thing("a"))


def in_a_transaction(session: Session) -> None:
    with session.transaction() as t:
        t.save(Thing("a"))


@pytest.mark.parametrize(
    ("act", "code", "error"),
    [
        (in_a_batch, "ThrottlingException", UnsentWrites),
        (in_a_transaction, "ThrottlingException", Throttled),
        (lambda s: s.save_all([Thing("a")]), "ThrottlingException", UnsentWrites),
        (lambda s: list(s.get_many(Thing, ["a"])), "ThrottlingException", Throttled),
        (lambda s: s.update(Thing, "a", add(Thing.count, 1)), "TransactionConflictException", DynattrsError),
        (lambda s: s.transact_get((Thing, "a")), "ThrottlingException", Throttled),
    ],
    ids=["batch", "transaction", "save_all", "get_many", "update", "transact_get"],
)  # fmt: skip
def test_a_deadline_passes_where_the_clock_has_stopped(
    act: Any, code: str, error: type[BaseException], stopped: None
):
    session = session_that_meets(code)

    assert isinstance(in_time(lambda: act(session)), error)


def test_a_reply_is_read_where_nobody_comes_for_it_and_the_clock_has_stopped(
    monkeypatch: pytest.MonkeyPatch,
):
    with serving() as server:
        session = Session(
            client=boto3.client(
                "dynamodb", region_name="us-east-1", endpoint_url=server.url,
                aws_access_key_id="k", aws_secret_access_key="s",
            )
        )  # fmt: skip
        server.answer = lambda _: reply()
        session.save_all(Thing(str(number)) for number in range(200))
        stop(monkeypatch)
        with session.batch() as batch:
            for number in range(25):
                batch.save(Thing(str(number)))
            for _ in range(500):
                if not batch._buffer:
                    break
                threading.Event().wait(0.01)
            assert not batch._buffer
        session.close()


def test_systems_without_another_clock_keep_the_one_there_was(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(time, "clock_gettime", raising=False)
    clock = importlib.reload(dynattrs.clock)
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    try:
        assert clock.monotonic() > 0
    finally:
        monkeypatch.undo()
        importlib.reload(clock)
