"""What a session's deadline bounds: when the last attempt begins, botocore's own retries included."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config

from dynattrs import (
    ConnectionFailed,
    OutcomeUnknown,
    ServiceError,
    ServiceUnavailable,
    Session,
    StatementsFailed,
    Table,
    Throttled,
    UnsentWrites,
    add,
    field,
    model,
    partition_key,
)
from scripted_server import HANG_UP, SILENCE, Received, ScriptedServer, failure, reply, serving

#: A first attempt, and two more at least, fit into it.
DEADLINE = timedelta(seconds=0.7)
#: How much later the last attempt may have ended, on a machine that has other things to do.
SLACK = 1.5


@model("things")
class Thing:
    id: str = partition_key()
    count: int = 0


@model("docs")
class Doc:
    id: str = partition_key()
    version: int = field(version=True)


@model("names")
class Named:
    id: str = partition_key()
    name: str = field(unique=True)


PETS = Table("pets", partition_key="id", discriminator="type")


@model(PETS)
class Cat:
    id: str = partition_key()


@model(PETS)
class Dog:
    id: str = partition_key()


def deleting(session: Any) -> None:
    """Under the condition that it is not a dog, so beside the batch's request."""
    with session.batch() as batch:
        batch.delete(Cat, "rex")


def batched(session: Any) -> None:
    with session.batch() as batch:
        for number in range(30):
            batch.save(Thing(str(number)))


def in_transaction(session: Any) -> None:
    with session.transaction() as t:
        t.update(Thing, "a", add(Thing.count, 1))


def updating(session: Any) -> None:
    with session.transaction() as t:
        t.execute("UPDATE things SET n = ? WHERE id = ?", 1, "a")


VERBS: dict[str, Callable[[Any], Any]] = {
    "batch": batched,
    "save_all": lambda s: s.save_all([Doc("a"), Doc("b")]),  # each with a condition
    "save_all, unique": lambda s: s.save_all([Named("a", "x")]),
    "get_many": lambda s: list(s.get_many(Thing, ["a", "b"])),
    "transaction": in_transaction,
    "transact_get": lambda s: s.transact_get((Thing, "a"), (Thing, "b")),
    "guarded delete": deleting,
    "execute_many": lambda s: s.execute_many("SELECT * FROM things WHERE id = ?", [("a",)]),
    "statements": updating,
}
READS = {"get_many", "transact_get", "execute_many"}
FAILURES: dict[str, tuple[Any, type[Exception]]] = {
    "throttled": (failure("ThrottlingException"), Throttled),
    "failed": (failure("InternalServerError", 500), ServiceUnavailable),
    "hung up": (HANG_UP, ConnectionFailed),
    "damaged": (reply(b"{", x_amz_crc32=None), ConnectionFailed),
}


@pytest.fixture(scope="module")
def serving_all() -> Iterator[ScriptedServer]:
    with serving() as server:
        yield server


@pytest.fixture
def server(serving_all: ScriptedServer) -> ScriptedServer:
    serving_all.script, serving_all.answer = [], lambda _: reply({"Item": {"id": {"S": "a"}}})
    serving_all.received.clear()
    return serving_all


@pytest.fixture(params=["threads", "asyncio"])
def make_session(
    request: pytest.FixtureRequest, server: ScriptedServer
) -> Iterator[Callable[..., Any]]:
    with ExitStack() as stack:
        kind: Any = Session
        if request.param == "asyncio":
            pytest.importorskip("aiobotocore", reason="pip install 'dynattrs[aio]'")
            from awaited_session import AwaitedSession, close_twins

            kind = AwaitedSession
            stack.callback(close_twins)

        def make(retries: dict[str, Any] | None = None, **options: Any) -> Any:
            client = boto3.client(
                "dynamodb", region_name="us-east-1", endpoint_url=server.url,
                aws_access_key_id="key", aws_secret_access_key="secret",
                config=Config(retries=retries or {"mode": "legacy"}, read_timeout=20),
            )  # fmt: skip
            stack.enter_context(closing(client))
            session = kind(client=client, **options)
            stack.callback(session.close)
            return session

        yield make


def failing(act: Callable[[Any], Any], session: Any) -> tuple[list[Any], float]:
    """How a verb ends: with which errors, and after how long."""
    began = time.monotonic()
    kinds = (ServiceError, ConnectionFailed, OutcomeUnknown, UnsentWrites, StatementsFailed)
    with pytest.raises(kinds) as caught:
        act(session)
    lasted = time.monotonic() - began
    parts = getattr(caught.value, "unsent", ()) or getattr(caught.value, "failed", ())
    errors = [each.cause for each in parts] or [caught.value]
    return [each.__cause__ if isinstance(each, OutcomeUnknown) else each for each in errors], lasted


@pytest.mark.parametrize("what", FAILURES)
@pytest.mark.parametrize("name", VERBS)
def test_no_attempt_begins_after_the_deadline(
    server: ScriptedServer, make_session: Callable[..., Any], name: str, what: str
) -> None:
    """In its `legacy` mode botocore repeats a call ten times, which takes 25 seconds."""
    odd, kind = FAILURES[what]
    session = make_session(deadline=DEADLINE)
    session.exists(Thing, "a")  # a client's first call takes long
    arrived: list[float] = []

    def answer(_: Received) -> Any:
        arrived.append(time.monotonic())
        return odd

    server.answer = answer
    began = time.monotonic()
    errors, lasted = failing(VERBS[name], session)

    assert {type(each).__mro__[1] if what == "damaged" else type(each) for each in errors} == {kind}
    # A write under a condition is not sent again after an attempt that may have been applied.
    if not name.startswith("save_all") or what == "throttled":
        assert len(arrived) > 1
        # Of a transact_get only botocore makes them, and none whose pause would end too late.
        assert lasted >= DEADLINE.total_seconds() or name == "transact_get"
    assert arrived[-1] - began < DEADLINE.total_seconds() + SLACK
    assert lasted < DEADLINE.total_seconds() + SLACK


@pytest.mark.parametrize("mode", ["standard", "adaptive"])
def test_pauses_of_other_modes_are_no_longer(
    server: ScriptedServer, make_session: Callable[..., Any], mode: str
) -> None:
    session = make_session({"mode": mode, "total_max_attempts": 8}, deadline=DEADLINE)
    server.answer = lambda _: failure("InternalServerError", 500)

    _, lasted = failing(VERBS["get_many"], session)

    assert lasted < DEADLINE.total_seconds() + SLACK


def test_a_call_of_its_own_has_botocores_retries_and_no_deadline(
    server: ScriptedServer, make_session: Callable[..., Any]
) -> None:
    session = make_session({"mode": "legacy", "total_max_attempts": 4}, deadline=timedelta())
    server.script = [failure("ThrottlingException")] * 3
    server.answer = lambda _: reply({"Item": {"id": {"S": "a"}}})

    assert session.get(Thing, "a") == Thing("a")
    assert len(server.received) == 4


def test_an_answer_that_comes_after_the_deadline_is_one(
    server: ScriptedServer, make_session: Callable[..., Any]
) -> None:
    """What is under way when the deadline passes is waited for: it may be stored."""

    def late(received: Received) -> bytes:
        time.sleep(0.3)
        return reply({"UnprocessedItems": {}})

    server.answer = late
    session = make_session(deadline=timedelta(seconds=0.1))

    batched(session)
    assert len(server.received) == 2


@pytest.mark.parametrize("name", VERBS)
def test_a_slow_proxy_holds_no_one_longer_than_deadline_and_call_timeout(
    server: ScriptedServer, make_session: Callable[..., Any], name: str
) -> None:
    limit = timedelta(seconds=0.3)
    session = make_session(deadline=DEADLINE, call_timeout=limit)
    server.answer = lambda _: SILENCE

    errors, lasted = failing(VERBS[name], session)

    assert lasted < (DEADLINE + limit).total_seconds() + SLACK
    for error in errors:
        assert isinstance(error, ConnectionFailed)
        assert "call_timeout" in str(error)
        assert error.uncertain is (name not in READS)


@pytest.mark.full
def test_a_proxy_that_is_slow_for_a_while_costs_nothing_but_time(
    server: ScriptedServer, make_session: Callable[..., Any]
) -> None:
    """The replies that nobody waits for any more are never taken for those to later requests."""
    session = make_session(deadline=timedelta(seconds=20), call_timeout=timedelta(seconds=0.3))

    def service(received: Received) -> bytes:
        if received.operation == "GetItem":
            return reply({"Item": received.parameters["Key"]})
        return reply({"UnprocessedItems": {}})

    def late(received: Received) -> bytes:
        time.sleep(0.8)
        return service(received)

    server.script, server.answer = [late] * 3, service
    batched(session)
    for key in "abc":
        server.script = [late]
        with pytest.raises(ConnectionFailed, match="call_timeout"):
            session.get(Thing, "late")
        assert session.get(Thing, key) == Thing(key)
