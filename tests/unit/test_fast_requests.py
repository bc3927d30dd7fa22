"""The short way of a call: taken where nobody listens, and never told apart by what comes of it."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any
from unittest import mock

import attrs
import boto3
import botocore.client
import botocore.endpoint
import botocore.httpsession
import botocore.session
import pytest
from botocore import UNSIGNED
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from botocore.history import get_global_history_recorder
from botocore.stub import Stubber

import odd_http
from certificates import loopback_pem, server_side
from dynattrs import (
    AccessDenied,
    ConditionFailed,
    ConfigurationError,
    ConnectionFailed,
    CorruptReply,
    InvalidRequest,
    OutcomeUnknown,
    Session,
    Throttled,
    add,
    model,
    partition_key,
    set_,
)
from dynattrs.operations.flows import Call
from dynattrs.wire.client import Wire
from dynattrs.wire.observers import Observers
from odd_http import ITEM
from scripted_server import HANG_UP, SILENCE, Received, ScriptedServer, failure, reply, serving

ACCESS, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG"


@model("things")
class Thing:
    id: str = partition_key()
    data: bytes = b""
    count: int = 0
    tags: set[str] = attrs.field(factory=set)


FOUND = Thing("a", b"\x00\x01\x02", 7)


#: For tests of what TLS does in another way.
tls_too = pytest.mark.parametrize("server", [False, True], indirect=True, ids=["plain", "tls"])


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[ScriptedServer]:
    with serving(server_side() if getattr(request, "param", False) else None) as server:
        yield server


@pytest.fixture
def make_client(server: ScriptedServer) -> Iterator[Callable[..., Any]]:
    made = []

    def make(attempts: int = 1, endpoint_url: str | None = None, **options: Any) -> Any:
        given = {"retries": {"mode": "standard", "total_max_attempts": attempts}, **options}
        client = boto3.client(
            "dynamodb",
            region_name="us-east-1",
            endpoint_url=endpoint_url or server.url,
            aws_access_key_id=ACCESS,
            aws_secret_access_key=SECRET,
            verify=loopback_pem() if server.is_secured else None,
            config=Config(**given),
        )
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make_client: Callable[..., Any]) -> Any:
    return make_client()


def get(session: Session, times: int = 1) -> Thing | None:
    found = None
    for _ in range(times):
        found = session.get(Thing, "a")
    return found


def learned(client: Any, server: ScriptedServer, **options: Any) -> Session:
    """A session that has seen botocore make the requests that the tests make, and has forgotten
    to count them.
    """
    today = datetime(2026, 11, 25, tzinfo=timezone.utc)
    session = Session(client=client, clock=lambda: today, **options)
    session.get(Thing, "a")
    session.save(Thing("a"))
    session.update(Thing, "a", set_(Thing.count, 1), upsert=True, returns=None)
    server.received.clear()
    session.stats.direct = 0
    session.stats.requests.clear()
    return session


def idle_connection(session: Session, server: ScriptedServer) -> Any:
    """The one that is idle."""
    shortcut: Any = session._driver.wire._fast
    pool = shortcut._connections._manager.connection_from_url(server.url).pool
    (idle,) = [each for each in pool.queue if each is not None]
    return idle


# --- Taken --------------------------------------------------------------------------------------


def test_after_the_first_call_of_an_operation_botocores_machinery_is_left_out(
    server: ScriptedServer, client: Any
) -> None:
    server.answer = lambda _: reply(ITEM)
    session = Session(client=client)

    assert [get(session) for _ in range(3)] == [FOUND] * 3

    assert session.stats.requests == {"GetItem": 3}
    assert session.stats.direct == 2
    assert server.connections == 1


def test_what_is_sent_is_what_botocore_sends(server: ScriptedServer, client: Any) -> None:
    """Header by header; what is made for each request has the same form."""
    session = Session(client=client)
    # The body of the last one goes apart from its head.
    things = [Thing("a", b"\xff", tags={"x"}), Thing("é\U0001f600", b""), Thing("l", bytes(70_000))]
    for _ in range(2):
        for thing in things:
            session.save(thing)
        session.update(Thing, "a", set_(Thing.data, b"\x01"), add(Thing.tags, {"y"}), returns=None,
                       upsert=True)  # fmt: skip
        session.save_all(things)
        session.delete(Thing, "a")
        list(session.scan(Thing))
        list(session.get_many(Thing, ["a", "b"]))

    assert session.stats.direct == 10
    by_operation: dict[tuple[str, bytes], list[Received]] = {}
    for each in server.received:
        key = each.operation, json.dumps(each.parameters, sort_keys=True).encode()
        by_operation.setdefault(key, []).append(each)
    assert len(by_operation) == 8
    for same in by_operation.values():
        ordinary, direct = same  # of two puts both went the short way
        assert sorted(direct.order) == sorted(ordinary.order)
        differing = {"authorization", "amz-sdk-invocation-id", "x-amz-date", "content-length"}
        for name in set(direct.order) - differing:
            assert direct.headers[name] == ordinary.headers[name]
        assert len(direct.headers["amz-sdk-invocation-id"]) == 36
    for each in server.received:
        assert each.headers["authorization"] == each.signature(ACCESS, SECRET)
    ids = [each.headers["amz-sdk-invocation-id"] for each in server.received]
    assert len(set(ids)) == len(ids)


def test_the_response_has_the_metadata_that_botocore_gives(
    server: ScriptedServer, make_client: Any
) -> None:
    server.answer = lambda _: reply(ITEM)
    wire = Wire(make_client(attempts=3))
    call = Call("get_item", {"TableName": "things", "Key": {"id": {"S": "a"}}})

    ordinary, direct = wire.call(call), wire.call(call)

    assert wire.stats.direct == 1
    assert direct == ordinary
    assert direct["ResponseMetadata"]["RequestId"] == "REQUEST"
    assert direct["ResponseMetadata"]["RetryAttempts"] == 0


def test_without_fast_every_call_is_botocores(server: ScriptedServer, client: Any) -> None:
    server.answer = lambda _: reply(ITEM)
    session = Session(client=client, fast=False)

    assert get(session, 3) == FOUND
    assert session.stats.direct == 0


def test_the_client_is_not_changed(server: ScriptedServer, client: Any) -> None:
    before = (
        dict(vars(client)),
        dict(vars(client._endpoint)),
        dict(vars(client._endpoint.http_session)),
    )
    handlers = client.meta.events._emitter._lookup_cache

    session = learned(client, server)

    assert get(session) is None
    assert session.stats.direct == 1
    assert (vars(client), vars(client._endpoint), vars(client._endpoint.http_session)) == before
    assert client.meta.events._emitter._lookup_cache is handlers


@tls_too
def test_threads_get_their_own_replies_over_several_connections(
    server: ScriptedServer, client: Any
) -> None:
    server.answer = lambda request: reply({"Item": request.parameters["Key"]})
    session = Session(client=client)
    wrong: list[Any] = []

    def work(name: str) -> None:
        for number in range(50):
            key = f"{name}{number}"
            if session.get_one(Thing, key).id != key:
                wrong.append(key)

    threads = [threading.Thread(target=work, args=(f"t{n}-",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not wrong
    assert len({each.parameters["Key"]["id"]["S"] for each in server.received}) == 400
    assert session.stats.direct > 300
    assert all(each.headers["authorization"] == each.signature(ACCESS, SECRET)
               for each in server.received[:40])  # fmt: skip


@pytest.fixture
def in_parallel(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Callable[..., tuple[Session, list[str]]]:
    """Makes forty calls at once, three times, of a session; it, and what was logged meanwhile."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    all_there = threading.Barrier(40)

    def answer(_: Received) -> bytes:
        all_there.wait(30)
        return reply(ITEM)

    def calling(**options: Any) -> tuple[Session, list[str]]:
        server.answer = answer
        session = Session(region_name="us-east-1", endpoint_url=server.url, **options)
        for _ in range(3):
            threads = [threading.Thread(target=get, args=(session,)) for _ in range(40)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        session.close()
        return session, [each.getMessage() for each in caplog.records]

    return calling


@pytest.mark.parametrize("fast", [True, False])
def test_forty_threads_keep_forty_connections_and_the_log_is_quiet(
    server: ScriptedServer, in_parallel: Callable[..., tuple[Session, list[str]]], *, fast: bool
) -> None:
    """botocore keeps ten; of every other one it says that its pool is full, call after call."""
    session, logged = in_parallel(fast=fast)

    assert session.stats.requests == {"GetItem": 120}
    assert server.connections == 40
    assert session.stats.direct == (80 if fast else 0)
    assert not logged


def test_a_number_of_connections_that_is_stated_holds(
    server: ScriptedServer, in_parallel: Callable[..., tuple[Session, list[str]]]
) -> None:
    _, logged = in_parallel(config=Config(max_pool_connections=12))

    assert server.connections == 40 + 28 + 28
    assert all("pool is full" in each for each in logged)


# --- Not taken: somebody listens ----------------------------------------------------------------

EVENTS = [
    "provide-client-params",
    "before-parameter-build",
    "before-endpoint-resolution",
    "before-call",
    "request-created",
    "choose-signer",
    "before-sign",
    "before-send",
    "before-parse",
    "response-received",
    "needs-retry",
    "after-call",
]


@pytest.mark.parametrize("event", EVENTS)
def test_a_handler_of_somebodys_gets_every_call_while_it_is_there(
    server: ScriptedServer, client: Any, event: str
) -> None:
    session = learned(client, server)
    heard: list[str] = []

    def handler(event_name: str, **_: Any) -> None:
        heard.append(event_name)

    get(session, 2)
    for name in (event, f"{event}.dynamodb", f"{event}.dynamodb.GetItem", f"{event}.*.GetItem"):
        heard.clear()
        session.stats.direct = 0
        client.meta.events.register(name, handler)
        get(session, 2)
        during = len(heard)
        client.meta.events.unregister(name, handler)
        get(session, 3)

        # This one is told of no operation.
        nobody = event == "before-endpoint-resolution" and name.endswith("GetItem")
        assert during >= (0 if nobody else 2)
        assert len(heard) == during
        # The first one afterwards is a new pattern.
        assert session.stats.direct == 2


class _Callable:
    def __call__(self, **_: Any) -> None: ...


class _Retries(botocore.client.ClientCreator):
    def method(self, **_: Any) -> None: ...


def _partial() -> Any:
    import functools

    return functools.partial(lambda **_: None)


@pytest.mark.parametrize(
    "handler",
    [_Callable(), object.__new__(_Retries).method, _partial(), mock.MagicMock(__module__="x")],
    ids=["object", "method of a subclass of botocore's", "partial", "mock"],
)
def test_handlers_of_any_kind_are_somebodys(
    server: ScriptedServer, client: Any, handler: Any
) -> None:
    session = learned(client, server)

    client.meta.events.register_first("request-created.dynamodb", handler)
    get(session, 2)

    assert session.stats.direct == 0


def _replaced(owner: Any, name: str) -> Any:
    """As wrapt, unittest.mock and hand-written wrappers do it: the class has another function."""
    original = getattr(owner, name)
    calls: list[Any] = []

    def wrapper(*args: Any, **options: Any) -> Any:
        calls.append(args)
        return original(*args, **options)

    wrapper.__module__ = original.__module__
    wrapper.__wrapped__ = original  # type: ignore[attr-defined]
    return mock.patch.object(owner, name, wrapper), calls


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (botocore.client.BaseClient, "_make_api_call"),
        (botocore.endpoint.Endpoint, "prepare_request"),
        (botocore.endpoint.Endpoint, "make_request"),
        (botocore.httpsession.URLLib3Session, "send"),
        (botocore.signers.RequestSigner, "sign"),
        (botocore.auth.SigV4Auth, "add_auth"),
    ],
)
@pytest.mark.parametrize("early", [True, False], ids=["before the session", "after it"])
def test_functions_that_were_replaced_get_every_call(
    server: ScriptedServer, client: Any, owner: Any, name: str, early: bool
) -> None:
    """OpenTelemetry, X-Ray, Datadog and New Relic hook into botocore like this."""
    patch, calls = _replaced(owner, name)
    if early:
        with patch:
            session = learned(client, server)
            calls.clear()
            get(session, 2)
    else:
        session = learned(client, server)
        with patch:
            get(session, 2)

    assert len(calls) == 2
    assert session.stats.direct == 0
    get(session, 2)
    assert len(calls) == 2
    assert session.stats.direct == 1


def test_methods_of_the_clients_class_that_were_replaced_get_every_call(
    server: ScriptedServer, client: Any
) -> None:
    session = learned(client, server)
    patch, calls = _replaced(type(client), "get_item")

    with patch:
        get(session, 2)

    assert len(calls) == 2
    assert session.stats.direct == 0


@pytest.mark.parametrize("name", ["_make_api_call", "get_item"])
def test_methods_that_were_put_on_the_client_itself_get_every_call(
    server: ScriptedServer, client: Any, name: str
) -> None:
    calls: list[Any] = []
    original = getattr(client, name)
    setattr(client, name, lambda *args, **options: calls.append(args) or original(*args, **options))

    session = learned(client, server)
    calls.clear()
    get(session, 2)

    assert len(calls) == 2
    assert session.stats.direct == 0


def test_a_stubber_gets_every_call_while_it_is_active(server: ScriptedServer, client: Any) -> None:
    session = learned(client, server)
    stubber = Stubber(client)
    stubber.add_response("get_item", {"Item": {"id": {"S": "stub"}}})

    with stubber:
        assert get(session) == Thing("stub")
    assert not server.received
    server.answer = lambda _: reply(ITEM)
    assert get(session) == FOUND


def test_a_handler_that_answers_by_itself_is_asked(server: ScriptedServer, client: Any) -> None:
    """moto answers before anything is sent."""
    session = learned(client, server)

    def answer(request: Any, **_: Any) -> AWSResponse:
        response = AWSResponse(request.url, 200, {}, None)
        response._content = json.dumps(ITEM).encode()
        return response

    client.meta.events.register("before-send", answer)

    assert get(session, 2) == FOUND
    assert not server.received


def test_who_has_botocores_log_on_debug_finds_every_call_in_it(
    server: ScriptedServer, client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    session = learned(client, server)

    with caplog.at_level(logging.DEBUG, "botocore"):
        get(session, 2)

    assert sum("Making request for" in each.getMessage() for each in caplog.records) == 2
    assert session.stats.direct == 0
    get(session, 2)
    assert session.stats.direct == 1


def test_botocores_history_records_every_call(server: ScriptedServer, client: Any) -> None:
    session = learned(client, server)
    recorder = get_global_history_recorder()

    recorder.enable()
    try:
        get(session, 2)
    finally:
        recorder.disable()

    assert session.stats.direct == 0


# --- Not taken: another kind of client ----------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"signature_version": UNSIGNED},
        {"retries": {"mode": "adaptive", "total_max_attempts": 1}},
    ],
    ids=["unsigned", "adaptive retries"],
)
def test_clients_that_are_set_up_otherwise_stay_with_botocore(
    server: ScriptedServer, make_client: Any, options: dict[str, Any]
) -> None:
    server.answer = lambda _: reply(ITEM)
    session = Session(client=make_client(**options))

    assert get(session, 4) == FOUND
    assert session.stats.direct == 0


def test_discovery_of_endpoints_is_left_to_botocore() -> None:
    def is_unheard(*, discover: bool) -> bool:
        client = boto3.client(
            "dynamodb", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x",
            config=Config(endpoint_discovery_enabled=discover),
        )  # fmt: skip
        observers = Observers(client, ("get_item",))
        return observers.are_botocores(observers.look())

    assert not is_unheard(discover=True)
    assert is_unheard(discover=False)


def test_a_proxy_is_left_to_botocore(server: ScriptedServer, make_client: Any) -> None:
    server.answer = lambda _: reply(ITEM)
    client = make_client(endpoint_url="http://service.invalid", proxies={"http": server.url})
    session = Session(client=client)

    assert get(session, 3) == FOUND
    assert session.stats.direct == 0
    assert [each.url for each in server.received] == ["http://service.invalid/"] * 3


def test_a_signer_of_another_kind_is_no_pattern(server: ScriptedServer, client: Any) -> None:
    session = Session(client=client)

    class Other(botocore.auth.SigV4Auth):
        def signature(self, *args: Any) -> str:
            return "0" * 64

    with mock.patch.dict(botocore.auth.AUTH_TYPE_MAPS, v4=Other):
        get(session, 3)

    assert {each.headers["authorization"][-64:] for each in server.received} == {"0" * 64}
    assert session.stats.direct == 0


def test_after_three_requests_that_are_no_pattern_an_operation_stays_with_botocore(
    server: ScriptedServer, make_client: Any
) -> None:
    client = make_client(signature_version=UNSIGNED)
    session = Session(client=client)

    get(session, 5)

    lean: Any = session._driver.wire._fast._maker  # type: ignore[union-attr]
    assert lean._failures == {"get_item": 3}


@pytest.mark.parametrize(
    "call",
    [
        Call("get_item", {"TableName": "arn:aws:dynamodb:us-east-1:1:table/t", "Key": {}}),
        Call("batch_get_item", {"RequestItems": {"arn:aws:dynamodb:us-east-1:1:table/t": {}}}),
        Call("transact_write_items", {"TransactItems": [{"Put": {"TableName": "t", "Item": {}}}]}),
        Call("get_item", {"TableName": "t", "Key": {"id": {"S": object()}}}),
        Call("get_item", {"TableName": "t", "Key": {"id": {"S": "\ud800"}}}),
        Call("describe_table", {"TableName": "t"}),
    ],
    ids=["ARN", "ARN in a batch", "without a token", "no JSON", "half a character", "not of items"],
)
def test_calls_that_only_botocore_can_make_have_no_request(
    server: ScriptedServer, client: Any, call: Call
) -> None:
    wire = Wire(client)
    for operation, parameters in [
        ("get_item", {"TableName": "t", "Key": {"id": {"S": "a"}}}),
        ("batch_get_item", {"RequestItems": {"t": {"Keys": [{"id": {"S": "a"}}]}}}),
        ("transact_write_items", {"ClientRequestToken": "x", "TransactItems": [
            {"Put": {"TableName": "t", "Item": {"id": {"S": "a"}}}}]}),
    ]:  # fmt: skip
        wire.call(Call(operation, parameters))
    lean: Any = wire._fast._maker  # type: ignore[union-attr]
    assert lean.request("get_item", {"TableName": "t", "Key": {}}, lean.credentials(), 0.0)

    assert lean.request(call.operation, call.parameters, lean.credentials(), 0.0) is None


def test_a_botocore_that_is_built_differently_gets_one_warning_and_the_ordinary_way(
    server: ScriptedServer, client: Any
) -> None:
    server.answer = lambda _: reply(ITEM)
    events = client.meta.events

    class Emitter:
        emit, emit_until_response = events.emit, events.emit_until_response
        register, unregister = events.register, events.unregister

    client.meta.events = Emitter()
    with pytest.warns(RuntimeWarning, match="built differently") as warned:
        session = Session(client=client)

    assert len(warned) == 1
    assert get(session, 3) == FOUND
    assert session.stats.direct == 0


# --- Credentials --------------------------------------------------------------------------------


def test_renewed_credentials_sign_from_then_on(server: ScriptedServer) -> None:
    now = datetime.now(timezone.utc)
    handed_out = 0

    def refresh() -> dict[str, str]:
        nonlocal handed_out
        handed_out += 1
        # Always about to expire: botocore renews them for every request.
        soon = (now + timedelta(seconds=5)).isoformat()
        return {
            "access_key": f"KEY{handed_out}", "secret_key": f"SECRET{handed_out}",
            "token": f"TOKEN{handed_out}", "expiry_time": soon,
        }  # fmt: skip

    base = botocore.session.get_session()
    base._credentials = RefreshableCredentials.create_from_metadata(  # type: ignore[attr-defined]
        refresh(), refresh_using=refresh, method="test"
    )
    client = boto3.Session(botocore_session=base, region_name="us-east-1").client(
        "dynamodb", endpoint_url=server.url
    )
    session = Session(client=client)

    get(session, 8)

    assert session.stats.direct == 0  # every pattern was signed by those before
    shortlived = handed_out
    now += timedelta(hours=2)
    get(session, 1)
    client._request_signer._credentials.get_frozen_credentials()
    session = Session(client=client)
    get(session, 3)
    assert session.stats.direct == 2
    assert handed_out <= shortlived + 3
    last = server.received[-1]
    number = last.headers["x-amz-security-token"].removeprefix("TOKEN")
    assert last.headers["authorization"] == last.signature(f"KEY{number}", f"SECRET{number}")
    now -= timedelta(hours=3)
    client._request_signer._credentials._expiry_time = now
    now += timedelta(hours=3)
    get(session)
    assert server.received[-1].headers["x-amz-security-token"] == f"TOKEN{handed_out}"
    assert session.stats.direct == 3
    client.close()


def test_credentials_that_cannot_be_had_are_one_sentence(
    server: ScriptedServer, client: Any
) -> None:
    session = learned(client, server)
    client._request_signer._credentials = mock.Mock()
    client._request_signer._credentials.get_frozen_credentials.side_effect = (
        botocore.exceptions.UnauthorizedSSOTokenError()
    )

    with pytest.raises(ConfigurationError, match="log in again"):
        get(session)


def test_credentials_of_another_account_have_a_pattern_of_their_own(
    server: ScriptedServer, client: Any
) -> None:
    """botocore may make the endpoint of the account."""
    if "account_id" not in botocore.credentials.ReadOnlyCredentials._fields:
        pytest.skip("this botocore knows no accounts")
    own = botocore.credentials.Credentials(ACCESS, SECRET, account_id="111122223333")
    other = botocore.credentials.Credentials(ACCESS, SECRET, account_id="444455556666")
    session = Session(client=client)
    client._request_signer._credentials = own
    get(session, 2)
    assert session.stats.direct == 1

    client._request_signer._credentials = other
    get(session)
    assert session.stats.direct == 1
    get(session)
    assert session.stats.direct == 2


def test_lambdas_trace_is_that_of_the_moment(
    server: ScriptedServer, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1;Parent=2")
    session = Session(client=client)
    get(session, 2)
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=3;Päront=4")
    get(session)
    monkeypatch.delenv("_X_AMZN_TRACE_ID")
    get(session)

    assert session.stats.direct == 3
    traces = [each.headers.get("x-amzn-trace-id") for each in server.received]
    assert traces == ["Root=1;Parent=2", "Root=1;Parent=2", "Root=3;P%C3%A4ront=4", None]
    for each in server.received:
        assert each.headers["authorization"] == each.signature(ACCESS, SECRET)


# --- What is not a 200 -----------------------------------------------------------------------------


def test_a_false_condition_is_one_request_and_brings_the_item(
    server: ScriptedServer, client: Any
) -> None:
    session = learned(client, server)
    server.script = [failure("ConditionalCheckFailedException", Item=ITEM["Item"])]

    with pytest.raises(ConditionFailed) as caught:
        session.save(Thing("a"), when=Thing.count > 9)

    assert caught.value.item == FOUND
    assert len(server.received) == 1
    assert caught.value.__cause__.operation_name == "PutItem"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ProvisionedThroughputExceededException", Throttled),
        ("ExpiredTokenException", AccessDenied),
        ("ValidationException", InvalidRequest),
    ],
)
def test_errors_are_botocores_and_no_attempt_is_added(
    server: ScriptedServer, client: Any, code: str, kind: type[Exception]
) -> None:
    session = learned(client, server)
    server.script = [failure(code)]

    with pytest.raises(kind) as caught:
        get(session)

    assert len(server.received) == 1
    assert isinstance(caught.value.__cause__, botocore.exceptions.ClientError)
    assert caught.value.__cause__.response["ResponseMetadata"]["RequestId"] == "REQUEST"


@pytest.mark.parametrize("entry", [failure("InternalServerError", 500), HANG_UP])
def test_botocore_repeats_what_passes(server: ScriptedServer, make_client: Any, entry: Any) -> None:
    session = learned(make_client(attempts=3), server)
    server.script = [entry, reply(ITEM)]

    assert get(session) == FOUND

    assert len(server.received) == 2
    assert (session.stats.retries, session.stats.direct) == (1, 0)
    assert [
        each.headers["amz-sdk-request"].rpartition("attempt=")[2][0] for each in server.received
    ] == ["1", "2"]


@pytest.mark.parametrize("entry", [failure("InternalServerError", 500), HANG_UP])
def test_an_update_that_must_not_be_repeated_is_not(
    server: ScriptedServer, make_client: Any, entry: Any
) -> None:
    session = learned(make_client(attempts=3), server)
    server.script = [entry]

    with pytest.raises(OutcomeUnknown):
        session.update(Thing, "a", add(Thing.count, 1), returns=None, upsert=True)

    assert len(server.received) == 1


def test_a_plain_put_whose_connection_was_lost_is_connection_failed_and_uncertain(
    server: ScriptedServer, client: Any
) -> None:
    session = learned(client, server)
    server.script = [HANG_UP]

    with pytest.raises(ConnectionFailed) as caught:
        session.save(Thing("a"))

    assert caught.value.uncertain
    assert len(server.received) == 1


@tls_too
def test_a_reply_that_does_not_come_in_time_is_a_timeout(
    server: ScriptedServer, make_client: Any
) -> None:
    session = learned(make_client(read_timeout=0.3), server)
    server.script = [SILENCE]

    with pytest.raises(ConnectionFailed) as caught:
        get(session)

    assert isinstance(caught.value.__cause__, botocore.exceptions.ReadTimeoutError)
    assert len(server.received) == 1
    assert get(session) is None  # over another connection


@tls_too
def test_a_large_request_may_take_longer_than_each_part_of_it(
    server: ScriptedServer, make_client: Callable[..., Any]
) -> None:
    session = learned(make_client(read_timeout=0.3), server)
    # Before much has gone over the connection, for which it would have made more room.
    server.slow_down(0.012, idle_connection(session, server).sock)
    for count in (1, 1, 6):
        with session.transaction() as t:
            for number in range(count):
                t.save(Thing(f"t{number}", bytes(290_000)))

    assert len(server.received) == 3
    assert session.stats.direct == 2


@tls_too
def test_a_large_request_takes_no_longer_than_the_call_may(
    server: ScriptedServer, make_client: Callable[..., Any]
) -> None:
    short = timedelta(seconds=0.3)
    session = learned(make_client(), server, call_timeout=short, deadline=short)
    things = [Thing(f"t{number}", bytes(290_000)) for number in range(10)]
    for _ in range(2):
        with session.transaction() as t:
            t.save(things[0])
    server.slow_down(0.03, idle_connection(session, server).sock)

    began = time.monotonic()
    with pytest.raises(OutcomeUnknown) as caught, session.transaction() as t:
        for thing in things:
            t.save(thing)

    assert time.monotonic() - began < 1
    assert "call_timeout" in str(caught.value.__cause__)


def test_a_damaged_reply_is_asked_for_again(server: ScriptedServer, client: Any) -> None:
    session = learned(client, server)
    server.script = [
        reply(ITEM, x_amz_crc32="1"),
        reply(b'{"Item":', x_amz_crc32=None),
        reply(b'{"Item":{"id":{"S":"\xff"}}}', x_amz_crc32=None),
        reply(ITEM),
    ]

    assert get(session) == FOUND

    assert len(server.received) == 4
    assert session.stats.retries == 3

    server.script = [reply(ITEM, x_amz_crc32="no number"), reply(ITEM)]
    assert get(session) == FOUND
    assert session.stats.retries == 4


def test_a_damaged_reply_to_what_must_not_be_repeated_is_an_error(
    server: ScriptedServer, client: Any
) -> None:
    session = learned(client, server)
    server.script = [reply({}, x_amz_crc32="1")]

    with pytest.raises((CorruptReply, OutcomeUnknown)):
        session.update(Thing, "a", add(Thing.count, 1), returns=None, upsert=True)

    assert len(server.received) == 1


def test_a_redirect_is_for_botocore_to_judge(server: ScriptedServer, client: Any) -> None:
    session = learned(client, server)
    server.script = [reply(b"", 307, Location="http://elsewhere/")]

    with pytest.raises(Exception, match="GetItem"):
        get(session)
    assert len(server.received) == 1


def test_success_gives_the_retry_quota_back(server: ScriptedServer, make_client: Any) -> None:
    """As botocore does it, so that a bad minute does not end retries for the rest of the day."""
    client = make_client(attempts=3)
    session = learned(client, server)
    (handler,) = session._driver.wire._fast._maker._observers.after_call()  # type: ignore[union-attr]
    quota = handler.__self__._quota
    full = quota.available_capacity
    server.script = [failure("InternalServerError", 500), failure("InternalServerError", 500),
                     failure("InternalServerError", 500)]  # fmt: skip
    with pytest.raises(Exception, match="InternalServerError"):
        get(session)
    spent = quota.available_capacity
    assert spent < full

    session.stats.direct = 0
    get(session, 3)

    assert session.stats.direct == 3
    assert quota.available_capacity == spent + 3


# --- Connections --------------------------------------------------------------------------------


@tls_too
def test_a_connection_that_was_closed_while_idle_is_opened_again(
    server: ScriptedServer, client: Any
) -> None:
    session = learned(client, server)
    get(session)
    server.hang_up()

    assert get(session, 3) is None

    assert session.stats.requests == {"GetItem": 4}
    assert session.stats.direct == 4  # botocore sent one of them, over a connection that it opened


@tls_too
def test_a_closed_client_opens_connections_again_as_botocores_do(
    server: ScriptedServer, client: Any
) -> None:
    session = learned(client, server)
    get(session)
    client.close()

    get(session, 3)

    assert session.stats.direct == 4
    assert server.connections == 2


@tls_too
def test_a_session_that_was_forked_has_connections_of_its_own(
    server: ScriptedServer, client: Any
) -> None:
    session = learned(client, server)
    wire = session._driver.wire
    before = {each.connection for each in server.received}

    wire.renew()
    get(session, 3)

    assert wire.stats.direct == 3
    assert not before & {each.connection for each in server.received}
    wire.close()


@tls_too
def test_a_request_for_which_no_connection_is_idle_is_not_made_anew_by_botocore(
    server: ScriptedServer, client: Any
) -> None:
    """That takes ten times as long, in which another one becomes idle, so that no second one is opened."""
    session = learned(client, server)
    both = threading.Barrier(2)

    def answer(_: Received) -> bytes:
        both.wait(10)
        return reply(ITEM)

    server.answer = answer
    with ThreadPoolExecutor(2) as pool:
        found = [*pool.map(lambda _: session.get(Thing, "a"), range(2))]

    assert found == [FOUND, FOUND]
    assert session.stats.direct == 2
    assert len({each.connection for each in server.received}) == 2
    for each in server.received:
        assert each.headers["authorization"] == each.signature(ACCESS, SECRET)
    first, second = (dict(each.headers) for each in server.received)
    own = {"amz-sdk-invocation-id", "authorization", "x-amz-date"}
    assert {**first, **dict.fromkeys(own)} == {**second, **dict.fromkeys(own)}


@pytest.mark.parametrize("attempts", [1, 3])
def test_a_connection_that_cannot_be_opened_is_an_attempt(
    server: ScriptedServer, make_client: Callable[..., Any], attempts: int
) -> None:
    session = learned(make_client(attempts), server)
    server.close()
    server.hang_up()

    with mock.patch("time.sleep"), pytest.raises(ConnectionFailed) as caught:
        session.save(Thing("a"))

    assert caught.value.uncertain is False
    assert session.stats.uncertain == 0


@pytest.mark.parametrize(
    "entry", [HANG_UP, failure("ThrottlingException"), failure("InternalServerError", 500)]
)
def test_what_fails_over_a_new_connection_is_repeated_as_botocore_does(
    server: ScriptedServer, make_client: Callable[..., Any], entry: Any
) -> None:
    session = learned(make_client(3), server)
    server.hang_up()
    server.script = [entry]

    with mock.patch("time.sleep"):
        session.save(Thing("a"))

    assert len(server.received) == 2
    assert session.stats.requests == {"PutItem": 1}


def test_a_write_that_is_interrupted_over_a_new_connection_is_in_doubt(
    server: ScriptedServer, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = learned(client, server)
    server.hang_up()
    shortcut: Any = session._driver.wire._fast
    send = shortcut._send

    def interrupted(request: object) -> None:
        send(request)
        raise KeyboardInterrupt

    monkeypatch.setattr(shortcut, "_send", interrupted)
    with pytest.raises(KeyboardInterrupt):
        session.save(Thing("a"))

    assert session.stats.uncertain == 1


def test_a_connection_goes_back_to_its_pool_once(server: ScriptedServer, client: Any) -> None:
    """Two requests over it would read each other's replies."""
    session = learned(client, server)
    connections: Any = session._driver.wire._fast._connections  # type: ignore[union-attr]
    connection = connections.idle(server.url)

    kept = connections._manager.connection_from_url(server.url).pool.queue
    before = len(kept)

    connection.release(reusable=True)
    connection.release(reusable=True)

    assert len(kept) == before + 1
    assert kept[-1].sock is not None


@tls_too
def test_an_interrupted_call_leaves_no_half_read_connection(
    server: ScriptedServer, client: Any
) -> None:
    session = learned(client, server)
    whole = reply(ITEM)
    idle = idle_connection(session, server)

    class Interrupted:
        """A socket whose reader is interrupted between two pieces."""

        def __init__(self, real: Any) -> None:
            self._real, self._left = real, 1

        def recv(self, size: int) -> bytes:
            if not self._left:
                raise KeyboardInterrupt
            self._left -= 1
            return bytes(self._real.recv(20))

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

    server.script = [whole]
    idle.sock = Interrupted(idle.sock)
    with pytest.raises(KeyboardInterrupt):
        get(session)

    server.script = [reply({})]
    assert get(session) is None
    assert server.received[-1].connection != server.received[-2].connection


@tls_too
def test_a_large_request_that_is_interrupted_after_its_head_is_not_made(
    server: ScriptedServer, client: Any
) -> None:
    session = learned(client, server)
    session.save(Thing("a"))
    idle = idle_connection(session, server)
    before = len(server.received)

    class Interrupted:
        """A socket whose sender is interrupted after the head."""

        def __init__(self, real: Any) -> None:
            self._real = real

        def sendall(self, part: bytes) -> None:
            if b"\r\n\r\n" not in part:
                raise KeyboardInterrupt
            self._real.sendall(part)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

    idle.sock = Interrupted(idle.sock)
    with pytest.raises(KeyboardInterrupt):
        session.save(Thing("l", bytes(70_000)))

    session.save(Thing("b"))
    (made,) = [each for each in server.received[before:] if each.body]
    assert made.parameters["Item"]["id"] == {"S": "b"}


@tls_too
@pytest.mark.parametrize("size", odd_http.SIZES)
@pytest.mark.parametrize("whole", odd_http.WHOLE)
def test_replies_are_read_in_whatever_pieces_they_come(
    server: ScriptedServer, client: Any, whole: bytes, size: int
) -> None:
    session = learned(client, server)
    pieces = odd_http.in_pieces(whole, size)
    server.script = [pieces, pieces]

    assert get(session) == FOUND
    assert get(session) == FOUND

    assert session.stats.direct == 2
    assert len({each.connection for each in server.received}) == 1


@tls_too
@pytest.mark.parametrize("whole", odd_http.LAST_ONES)
def test_a_connection_that_is_not_to_be_used_again_is_not(
    server: ScriptedServer, client: Any, whole: bytes
) -> None:
    session = learned(client, server)
    server.script = [whole]

    assert get(session) == FOUND
    assert session.stats.direct == 1
    assert get(session) is None
    assert len({each.connection for each in server.received}) == 2


@pytest.mark.parametrize("whole", odd_http.NO_HTTP)
def test_what_is_no_http_is_a_lost_connection(
    server: ScriptedServer, client: Any, whole: bytes
) -> None:
    session = learned(client, server)
    server.script = [whole]

    with pytest.raises(ConnectionFailed) as caught:
        session.save(Thing("a"))

    assert caught.value.uncertain
    assert len(server.received) == 1
    assert get(session) is None  # over a new connection
    server.script = [whole]
    with pytest.raises(ConnectionFailed) as caught:
        get(session)
    assert not caught.value.uncertain  # a read changes nothing
    assert get(session) is None
