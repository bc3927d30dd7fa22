"""Replies that are none, and valid ones of unusual form, on every way that a call may go.

What is damaged, or comes from something else than DynamoDB, must never read as an answer: of a read it
would be "no such item", of a write "done". A table of verbs meets a table of such replies.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any
from unittest import mock
from zlib import crc32

import attrs
import boto3
import pytest
from botocore.config import Config

from dynattrs import (
    AccessDenied,
    ConnectionFailed,
    CorruptReply,
    DynattrsError,
    InvalidRequest,
    ModelError,
    NoSuchTable,
    OutcomeUnknown,
    ServiceError,
    ServiceUnavailable,
    Session,
    StatementsFailed,
    Throttled,
    UnsentWrites,
    add,
    model,
    partition_key,
    set_,
)
from scripted_server import HANG_UP, SILENCE, Received, ScriptedServer, failure, reply, serving


@model("things")
class Thing:
    id: str = partition_key()
    count: int = 0


STORED = {"id": {"S": "a"}, "count": {"N": "7"}}
FOUND = Thing("a", 7)
ITEM: dict[str, Any] = {"Item": STORED}


def answer(received: Received) -> bytes:
    """What a service would answer that has the one item."""
    asked = received.parameters
    replies: dict[str, dict[str, Any]] = {
        "GetItem": ITEM,
        "Query": {"Items": [STORED], "Count": 1, "ScannedCount": 1},
        "Scan": {"Items": [STORED], "Count": 1, "ScannedCount": 1},
        "ExecuteStatement": {"Items": [STORED]},
        "BatchGetItem": {"Responses": {"things": [STORED]}, "UnprocessedKeys": {}},
        "BatchWriteItem": {"UnprocessedItems": {}},
        "TransactGetItems": {"Responses": [ITEM]},
        "BatchExecuteStatement": {"Responses": [ITEM]},
        "ExecuteTransaction": {"Responses": [ITEM]},
        "DescribeTable": {"Table": {"TableName": "things", "TableStatus": "ACTIVE"}},
    }
    found = replies.get(received.operation, {})
    if asked.get("ReturnValues", "NONE") != "NONE":
        found = {"Attributes": STORED}
    return reply(found)


@pytest.fixture(scope="module")
def serving_all() -> Iterator[ScriptedServer]:
    with serving() as server:
        yield server


@pytest.fixture
def server(serving_all: ScriptedServer) -> ScriptedServer:
    serving_all.script, serving_all.answer = [], answer
    serving_all.received.clear()
    return serving_all


@pytest.fixture(scope="module")
def clients(serving_all: ScriptedServer) -> Iterator[Callable[..., Any]]:
    """Gives clients of either kind: making one takes longer than most of what is done with it."""
    made: dict[Any, Any] = {}
    with ExitStack() as stack:

        def client(kind: str, attempts: int = 1, read_timeout: float = 20) -> Any:
            wanted = (kind, attempts, read_timeout)
            if wanted not in made:
                options: dict[str, Any] = {
                    "region_name": "us-east-1", "endpoint_url": serving_all.url,
                    "aws_access_key_id": "key", "aws_secret_access_key": "secret",
                }  # fmt: skip
                retries = {"mode": "standard", "total_max_attempts": attempts}
                if kind == "threads":
                    config = Config(retries=retries, read_timeout=read_timeout)
                    made[wanted] = boto3.client("dynamodb", config=config, **options)
                    stack.callback(made[wanted].close)
                else:
                    made[wanted] = _aio_client(stack, retries, read_timeout, options)
            return made[wanted]

        yield client


def _aio_client(
    stack: ExitStack, retries: dict[str, Any], read_timeout: float, options: dict[str, Any]
) -> Any:
    from aiobotocore.config import AioConfig
    from aiobotocore.session import get_session

    from awaited_session import run

    config = AioConfig(retries=retries, read_timeout=read_timeout)
    opening = get_session().create_client("dynamodb", config=config, **options)
    client = run(opening.__aenter__)
    stack.callback(run, opening.__aexit__, None, None, None)
    return client


@pytest.fixture(params=["threads", "asyncio"])
def make_session(
    request: pytest.FixtureRequest, clients: Callable[..., Any]
) -> Iterator[Callable[..., Any]]:
    """Makes sessions of either kind, each of which has still to learn what requests look like."""
    if request.param == "asyncio":
        pytest.importorskip("aiobotocore", reason="pip install 'dynattrs[aio]'")
    with ExitStack() as stack:

        def make(
            attempts: int = 1, read_timeout: float = 20, listens: bool = False, **options: Any
        ) -> Any:
            client = clients(request.param, attempts, read_timeout)
            if listens:
                client.meta.events.register("before-call.dynamodb", _listen)
                stack.callback(client.meta.events.unregister, "before-call.dynamodb", _listen)
            if request.param == "threads":
                session: Any = Session(client=client, **options)
            else:
                from awaited_session import Awaited
                from dynattrs.aio import AsyncSession

                session = Awaited(AsyncSession(client=client, **options))
            stack.callback(session.close)
            return session

        yield make


def _listen(**_: Any) -> None: ...


WAYS = ["direct", "first call", "fast=False", "with a listener"]


def on_way(
    make_session: Callable[..., Any], way: str, act: Callable[[Any], Any], **options: Any
) -> Any:
    """A session whose next calls, as *act* makes them, go on some way."""
    listens = way == "with a listener"
    session = make_session(fast=way != "fast=False", listens=listens, **options)
    if way == "direct":
        for _ in range(2):
            act(session)
    return session


# --- None ---------------------------------------------------------------------------------------

WHOLE = json.dumps(ITEM).encode()


def ok(body: bytes, **headers: str | None) -> bytes:
    return reply(body, **{"x_amz_crc32": None, **headers})


REFUSAL = {"__type": "com.amazonaws.dynamodb#ResourceNotFoundException", "message": "why"}


def cut(status: int) -> bytes:
    return reply(json.dumps(REFUSAL).encode()[:-9], status, x_amz_crc32=None)


NONE: dict[str, Any] = {
    "a page of a proxy": ok(b"<html><body>please log in</body></html>"),
    "JSON that was cut": ok(WHOLE[:-3]),
    "JSON that was cut at the beginning": ok(WHOLE[1:]),
    "nothing": ok(b""),
    "blanks": ok(b" \r\n"),
    "a list": ok(b"[]"),
    "a text": ok(b'"Item"'),
    "null": ok(b"null"),
    "another program's JSON": ok(b'{"status": "up"}'),
    "another program's failure": ok(b'{"__type": "x#InternalServerError", "message": "why"}'),
    "no text": ok(b'{"\xff\xfe": {}}'),
    "brackets without end": ok(b'{"Item":' + b"[" * 100_000),
    "a false checksum": reply(ITEM, x_amz_crc32="1"),
    "a checksum without end": reply(ITEM, x_amz_crc32="1" * 5000),
    "a redirect to a page": reply(b"<html>", 300, x_amz_crc32=None),
    "accepted": reply(b"<html>", 202, x_amz_crc32=None),
    "a refusal that was cut": cut(400),
    "a refusal that was cut, 403": cut(403),
    "a refusal with a false checksum": reply(REFUSAL, 400, x_amz_crc32="1"),
    "a page with the status 400": reply(b"<html>", 400, x_amz_crc32=None),
    "nothing with the status 400": reply(b"", 400, x_amz_crc32=None),
    "an answer with the status 400": reply(ITEM, 400),
    "another program's refusal": reply({"message": "no"}, 400),
    "only an announcement": [b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", HANG_UP],
    "a length of other digits": [
        b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n<html>", HANG_UP,
    ],
    "a length without end": [
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n<html>", HANG_UP,
    ],
    "two lengths": [
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nContent-Length: 5\r\n\r\n<html>", HANG_UP,
    ],
    "a status of other digits": [b"HTTP/1.1 \xb2\xb2\xb2 OK\r\nContent-Length: 2\r\n\r\n{}", HANG_UP],
    "a status of four digits": [b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\n{}", HANG_UP],
    "another protocol": [b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\nPRI * HTTP/2.0", HANG_UP],
    "too few bytes": [ok(WHOLE)[:-3], HANG_UP],
    "too few bytes of HTTP/1.0": [
        b"HTTP/1.0 200 OK\r\n\r\n" + WHOLE[:-3], HANG_UP,
    ],
    "hung up": HANG_UP,
}  # fmt: skip


@attrs.frozen
class Verb:
    act: Callable[[Any], Any]
    reads: bool = False
    #: Whether it is sent again where the reply is lost.
    again: bool = True


def in_transaction(session: Any) -> None:
    with session.transaction() as t:
        t.save(Thing("a", 1))


def edited(session: Any) -> None:
    with session.edit(Thing("a", 1)) as thing:
        thing.count = 2


def batched(session: Any) -> None:
    with session.batch() as batch:
        batch.save(Thing("a", 1))


SELECT, UPDATE = "SELECT * FROM things WHERE id = ?", "UPDATE things SET n = ? WHERE id = ?"


def selecting(session: Any) -> Any:
    with session.transaction() as t:
        found = t.execute(SELECT, "a", model=Thing)
    return found.row


def updating(session: Any) -> None:
    with session.transaction() as t:
        t.execute(UPDATE, 1, "a")


VERBS: dict[str, Verb] = {
    "get": Verb(lambda s: s.get(Thing, "a"), reads=True),
    "get_one": Verb(lambda s: s.get_one(Thing, "a"), reads=True),
    "exists": Verb(lambda s: s.exists(Thing, "a"), reads=True),
    "refresh": Verb(lambda s: s.refresh(Thing("a")), reads=True),
    "get_many": Verb(lambda s: list(s.get_many(Thing, ["a"])), reads=True),
    "query": Verb(lambda s: s.query(Thing).where(Thing.id == "a").all(), reads=True),
    "count": Verb(lambda s: s.query(Thing).where(Thing.id == "a").count(), reads=True),
    "scan": Verb(lambda s: s.scan(Thing).all(), reads=True),
    "first": Verb(lambda s: s.scan(Thing).first(), reads=True),
    "execute": Verb(lambda s: list(s.execute("SELECT * FROM things", model=Thing)), again=False),
    "transact_get": Verb(lambda s: s.transact_get((Thing, "a")), reads=True),
    "get, a part": Verb(lambda s: s.get(Thing, "a", select=(Thing.count,)), reads=True),
    "execute_many": Verb(lambda s: s.execute_many(SELECT, [("a",)], model=Thing), reads=True),
    "statements": Verb(selecting, reads=True),
    "execute_many, writing": Verb(lambda s: s.execute_many(UPDATE, [(1, "a")]), again=False),
    "statements, writing": Verb(updating),
    "tables.describe": Verb(lambda s: s.tables.describe(Thing), reads=True),
    "tables.exists": Verb(lambda s: s.tables.exists(Thing), reads=True),
    "save": Verb(lambda s: s.save(Thing("a", 1))),
    "delete": Verb(lambda s: s.delete(Thing, "a")),
    "delete, returning": Verb(lambda s: s.delete(Thing, "a", returning=True), again=False),
    "insert": Verb(lambda s: s.insert(Thing("a", 1))),
    "update": Verb(lambda s: s.update(Thing, "a", set_(Thing.count, 1))),
    "add": Verb(lambda s: s.update(Thing, "a", add(Thing.count, 1), returns=None), again=False),
    "edit": Verb(edited),
    "save_all": Verb(lambda s: s.save_all([Thing("a", 1)])),
    "batch": Verb(batched),
    "transaction": Verb(in_transaction),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_reply_that_is_none_is_never_an_answer(
    server: ScriptedServer, make_session: Callable[..., Any], way: str
) -> None:
    """Each verb meets each such reply on one way or the other, and each way all of them."""
    first = WAYS.index(way)
    for number, name in enumerate(VERBS):
        some = list(NONE)[(first + number) % len(WAYS) :: len(WAYS)]
        assert not wrong_answers(server, make_session, way, name, some), name


@pytest.mark.full
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", VERBS)
def test_a_reply_that_is_none_is_never_an_answer_of_any_verb_on_any_way(
    server: ScriptedServer, make_session: Callable[..., Any], name: str, way: str
) -> None:
    assert not wrong_answers(server, make_session, way, name, NONE)


def wrong_answers(
    server: ScriptedServer,
    make_session: Callable[..., Any],
    way: str,
    name: str,
    some: Iterable[str],
) -> list[tuple[str, Any]]:
    """What a verb makes of replies that are none, where it is not an error that says so."""
    verb = VERBS[name]
    server.script = []
    session = on_way(make_session, way, verb.act, deadline=timedelta())
    wrong: list[tuple[str, Any]] = []
    for what in some:
        server.script = [NONE[what]] * 12
        try:
            found = verb.act(session)
        except (ConnectionFailed, OutcomeUnknown, UnsentWrites, StatementsFailed) as error:
            parts = getattr(error, "unsent", ()) or getattr(error, "failed", ())
            causes = [each.cause for each in parts] or [error]
            wrong += [(what, each) for each in causes if not _says_so(each, verb)]
        except Exception as error:
            wrong.append((what, error))
        else:
            wrong.append((what, found))
        if way == "direct":  # what was hung up is opened again, and what is known stays known
            server.script = []
            verb.act(session)
    return wrong


def _says_so(error: BaseException, verb: Verb) -> bool:
    """Whether an error says that the reply is lost, and of writes only that they may have been done."""
    if isinstance(error, OutcomeUnknown):
        return not verb.reads
    reads = verb.reads or verb is VERBS["execute"]
    return (
        isinstance(error, ConnectionFailed)
        and bool(error.operation)
        and error.uncertain is not reads
        and ("a write may have been applied" in str(error)) is not reads
    )


@pytest.mark.parametrize("way", WAYS)
def test_what_may_be_sent_again_is_sent_again_after_such_a_reply(
    server: ScriptedServer, make_session: Callable[..., Any], way: str
) -> None:
    passing = ("a page of a proxy", "JSON that was cut", "nothing", "a refusal that was cut")
    for number, (name, verb) in enumerate(VERBS.items()):
        if not verb.again:
            continue
        server.script = []
        session = on_way(make_session, way, verb.act)
        expected = verb.act(session)
        what = passing[(number + WAYS.index(way)) % len(passing)]
        server.script = [NONE[what]]
        assert verb.act(session) == expected, (name, what)
        assert not server.script


@pytest.mark.parametrize("way", WAYS)
def test_the_message_says_what_came(
    server: ScriptedServer, make_session: Callable[..., Any], way: str
) -> None:
    session = on_way(make_session, way, VERBS["get"].act)
    server.script = [NONE["a page of a proxy"]] * 4 + [ok(WHOLE[:-3])] * 4

    with pytest.raises(CorruptReply, match=r"damaged or another program's.*b'<html><body>please"):
        session.get(Thing, "a")
    with pytest.raises(CorruptReply, match=r"damaged or another program's") as caught:
        session.get(Thing, "a")

    assert '"S"' not in str(caught.value)  # nothing of an item
    assert (caught.value.operation, caught.value.table) == ("GetItem", "things")


@pytest.mark.parametrize("way", WAYS)
def test_failures_that_make_no_sense_are_errors_of_ours(
    server: ScriptedServer, make_session: Callable[..., Any], way: str
) -> None:
    session = on_way(make_session, way, VERBS["get"].act)
    for body in (b"[]", b"null", b'"x"', b"7", b'{"__type": 7}', b"<html>", b"", b"\xff"):
        server.script = [reply(body, 400, x_amz_crc32=None)] * 4

        with pytest.raises((ServiceError, ConnectionFailed)):
            session.get(Thing, "a")


# --- Refusals of what is in between ---------------------------------------------------------------

LOGIN = b"<!DOCTYPE html><html><body>please log in</body></html>"
#: By status: the error, and whether a write may have been applied.
BETWEEN: dict[int, tuple[type[Exception], bool]] = {
    302: (ServiceError, True), 401: (AccessDenied, True), 403: (AccessDenied, True),
    404: (ServiceError, True), 407: (AccessDenied, False),
    413: (InvalidRequest, False), 429: (Throttled, False),
    500: (ServiceUnavailable, True), 503: (ServiceUnavailable, True), 511: (ServiceUnavailable, True),
}  # fmt: skip


@pytest.mark.parametrize("body", [LOGIN, b"", b'{"message": "Forbidden"}'], ids=["page", "", "{}"])
@pytest.mark.parametrize("way", WAYS)
def test_a_refusal_of_a_proxy_is_told_by_its_status(
    server: ScriptedServer, make_session: Callable[..., Any], way: str, body: bytes
) -> None:
    """It is not a refusal of DynamoDB's, so a write behind it may have been done."""
    get, add_one = VERBS["get"].act, VERBS["add"].act
    session = on_way(make_session, way, lambda s: (get(s), add_one(s), s.save(Thing("a"))))
    for status, (kind, doubt) in BETWEEN.items():
        server.answer = lambda _, status=status: reply(
            body, status, Content_Type="text/html", x_amz_crc32=None
        )
        with pytest.raises(kind) as caught:
            session.get(Thing, "a")
        error: Any = caught.value
        assert type(error) is kind
        assert (error.code, error.uncertain) == (str(status), False)
        assert ("please log in" in str(error)) is (body == LOGIN) or len(LOGIN) > 40
        assert len(str(error)) < 300
        with pytest.raises(kind) as caught:
            session.save(Thing("a"))
        assert caught.value.uncertain is doubt  # type: ignore[attr-defined]
        assert ("a write may have been applied" in str(caught.value)) is doubt or status >= 500
        with pytest.raises(OutcomeUnknown if doubt else kind):
            add_one(session)


def test_a_write_that_is_redirected_to_where_nothing_is_may_have_been_applied(
    server: ScriptedServer, make_session: Callable[..., Any]
) -> None:
    """aiohttp follows redirects, and what it says then sounds as if nothing had been sent."""
    server.answer = lambda _: reply(b"", 302, Location="http://127.0.0.1:1/login")

    with pytest.raises(OutcomeUnknown):
        VERBS["add"].act(make_session())


@pytest.mark.parametrize("way", WAYS)
def test_nothing_of_an_item_is_in_a_message(
    server: ScriptedServer, make_session: Callable[..., Any], way: str
) -> None:
    """botocore takes the JSON of a refusal that was cut for the service's message."""
    false = {"__type": "x#ConditionalCheckFailedException", "Item": {"id": {"S": "secret"}}}
    whole = json.dumps(false).encode()
    session = on_way(make_session, way, VERBS["save"].act, deadline=timedelta())
    for status in (200, 400, 403, 404, 413, 429, 500, 503):
        for body in (whole[:-2], whole[60:], whole[:-2] + b"\x00}}", whole + b"}"):
            server.answer = lambda _, status=status, body=body: reply(
                body, status, x_amz_crc32=None
            )
            for act in (VERBS["insert"].act, VERBS["get"].act, batched):
                with pytest.raises(DynattrsError) as caught:
                    act(session)
                error: Any = caught.value
                while error is not None:
                    assert "secret" not in f"{error} {error!r}", (status, body)
                    error = error.__cause__ or error.__context__


@pytest.mark.parametrize("way", WAYS)
def test_a_refusal_with_the_status_of_an_answer_is_no_answer(
    server: ScriptedServer, make_session: Callable[..., Any], way: str
) -> None:
    """It holds the item that a condition was false of, as answers hold items."""
    insert = VERBS["insert"].act
    session = on_way(make_session, way, insert)
    server.answer = lambda _: reply(REFUSAL | ITEM)

    with pytest.raises(OutcomeUnknown):
        insert(session)


@pytest.mark.parametrize("way", WAYS)
def test_a_damaged_refusal_of_a_batch_costs_the_others_nothing(
    server: ScriptedServer, make_session: Callable[..., Any], way: str
) -> None:
    """A batch with a table that does not exist is split by table, once its refusal could be read."""
    stored: list[str] = []

    def service(received: Received) -> bytes:
        tables = received.parameters["RequestItems"]
        if "lost" in tables:
            return reply(REFUSAL, 400)
        stored.extend(put["PutRequest"]["Item"]["id"]["S"] for put in tables["things"])
        return reply({})

    session = on_way(make_session, way, batched)
    for odd in (
        cut(400),
        reply(LOGIN, 400, x_amz_crc32=None),
        reply(REFUSAL, 400, x_amz_crc32="1"),
    ):
        stored.clear()
        server.script, server.answer = [odd], service
        with pytest.raises(UnsentWrites) as caught, session.batch() as batch:
            for number in range(5):
                batch.save(Thing(str(number)))
            batch.save(Lost("1"))
        assert caught.value.objects == [Lost("1")]
        assert isinstance(caught.value.unsent[0].cause, NoSuchTable)
        assert sorted(stored) == list("01234")


@model("lost")
class Lost:
    id: str = partition_key()


# --- Announcements --------------------------------------------------------------------------------

HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "later"])
@pytest.mark.parametrize("way", WAYS)
def test_the_reply_after_an_announcement_is_never_that_to_another_request(
    server: ScriptedServer, make_session: Callable[..., Any], way: str, at_once: bool
) -> None:
    """The standard library's client takes `103 Early Hints` for the reply. What follows came as the
    reply to the next request then: another item.
    """
    session = on_way(make_session, way, VERBS["get"].act)

    def announced(received: Received) -> Any:
        whole = reply({"Item": received.parameters["Key"]})
        if at_once:
            return HINTS + whole
        return _later([HINTS, whole])

    server.answer = announced
    for key in "abcd":
        try:
            found = session.get(Thing, key)
        except ConnectionFailed:
            assert way != "direct"
        else:
            assert found == Thing(key)


def _later(parts: list[bytes]) -> Iterator[bytes]:
    for part in parts:
        yield part
        time.sleep(0.05)


# --- Valid ones of unusual form -------------------------------------------------------------------


def whole(*lines: bytes, first: bytes = b"HTTP/1.1 200 OK", body: bytes = WHOLE) -> bytes:
    return b"\r\n".join([first, *lines, b"", body])


LENGTH = b"Content-Length: %d" % len(WHOLE)
CRC = b"%d" % crc32(WHOLE)
VALID: dict[str, Any] = {
    "HTTP/1.0, until the end": [whole(first=b"HTTP/1.0 200 OK"), HANG_UP],
    "until the end, in pieces": [whole()[:30], whole()[30:50], whole()[50:], HANG_UP],
    "until the end, with a checksum": [whole(b"x-amz-crc32: " + CRC), HANG_UP],
    "the same length twice": whole(LENGTH, LENGTH),
    "the same length twice in a line": whole(LENGTH + b", %d" % len(WHOLE)),
    "a folded header": whole(b"X-Long: one,\r\n\ttwo", LENGTH),
    "a folded length": whole(b"Content-Length:\r\n %d" % len(WHOLE)),
    "a folded checksum": whole(b"x-amz-crc32:\r\n  " + CRC, LENGTH),
    "no reason": whole(LENGTH, first=b"HTTP/1.1 200"),
    "an empty reason": whole(LENGTH, first=b"HTTP/1.1 200 "),
    "several directives": whole(LENGTH, b"Connection: Keep-Alive, Foo"),
    "announced": HINTS + whole(LENGTH),
}


#: What the HTTP client of asyncio refuses by itself.
AIOHTTP_REFUSES = ("the same length twice", "the same length twice in a line", "a folded length")


@pytest.mark.parametrize("what", VALID)
def test_a_valid_reply_of_unusual_form_is_an_answer(
    server: ScriptedServer, make_session: Callable[..., Any], what: str
) -> None:
    """Of `add` too, which is not sent again: a lost reply would be `OutcomeUnknown`."""
    for act in (VERBS["get"].act, adding):
        session = on_way(make_session, "direct", act)
        if not isinstance(session, Session) and what in AIOHTTP_REFUSES:
            pytest.skip("aiohttp refuses it")
        sent, direct = len(server.received), session.stats.direct
        server.script = [VALID[what] if act is not adding else _of_an_update(VALID[what])]

        assert act(session) == FOUND
        assert len(server.received) == sent + 1
        assert session.stats.direct == direct + 1
        assert act(session) == FOUND


def adding(session: Any) -> Any:
    return session.update(Thing, "a", add(Thing.count, 1))


def _of_an_update(entry: Any) -> Any:
    """The same reply, of as many bytes, to an update."""
    body = json.dumps({"Attributes": STORED}, separators=(",", ":")).encode().ljust(len(WHOLE))
    assert len(body) == len(WHOLE)

    def changed(data: bytes) -> bytes:
        return data.replace(WHOLE, body).replace(CRC, b"%d" % crc32(body))

    return changed(entry) if isinstance(entry, bytes) else [changed(b"".join(entry[:-1])), HANG_UP]


NO_CONTENT = [
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("odd", NO_CONTENT, ids=["no length", "length 0"])
def test_no_content_answers_a_write_and_no_read(
    server: ScriptedServer, make_session: Callable[..., Any], way: str, odd: bytes
) -> None:
    quiet = ("save", "delete", "add", "save_all", "batch", "transaction", "insert")
    for name, verb in VERBS.items():
        session = on_way(make_session, way, verb.act, deadline=timedelta())
        server.script, before = [odd] * 12, len(server.received)
        if name == "edit":  # whether it asks for something back is its own business
            pass
        elif name in quiet:
            verb.act(session)
            assert len(server.received) == before + 1
        else:
            with pytest.raises((ConnectionFailed, OutcomeUnknown, StatementsFailed)):
                verb.act(session)
        server.script = []


# --- A limit for a call in all --------------------------------------------------------------------


def drops(data: bytes, seconds: float = 0.05) -> Iterator[bytes]:
    for each in data:
        yield bytes([each])
        time.sleep(seconds)


@pytest.mark.parametrize("way", WAYS[:3])
@pytest.mark.parametrize("name", ["get", "add", "batch"])
def test_a_reply_that_drips_is_waited_for_as_long_as_a_call_may_take(
    server: ScriptedServer, make_session: Callable[..., Any], way: str, name: str
) -> None:
    verb = VERBS[name]
    session = on_way(
        make_session, way, verb.act, call_timeout=timedelta(seconds=0.5), deadline=timedelta()
    )
    server.answer = lambda received: drops(answer(received))
    began = time.monotonic()

    with pytest.raises((ConnectionFailed, OutcomeUnknown, UnsentWrites)) as caught:
        verb.act(session)

    assert 0.4 < time.monotonic() - began < 8
    error: Any = caught.value
    if isinstance(error, UnsentWrites):
        error = error.unsent[0].cause
    if isinstance(error, OutcomeUnknown):
        error = error.__cause__
    assert "within the 0.5 s of the session's call_timeout" in str(error)
    assert error.uncertain is not verb.reads
    # And the next call is not disturbed by what is left of that reply.
    server.answer = answer
    assert make_session().get(Thing, "a") == FOUND


@pytest.mark.parametrize("way", WAYS)
def test_what_drips_in_time_is_an_answer(
    server: ScriptedServer, make_session: Callable[..., Any], way: str
) -> None:
    session = on_way(make_session, way, VERBS["get"].act, call_timeout=timedelta(seconds=20))
    server.answer = lambda received: drops(answer(received), 0.001)

    assert session.get(Thing, "a") == FOUND
    assert session.get(Thing, "a") == FOUND


@pytest.mark.parametrize(
    "entry", [SILENCE, failure("ThrottlingException")], ids=["none", "throttled"]
)
def test_no_attempt_is_made_after_the_time_is_over(
    server: ScriptedServer, make_session: Callable[..., Any], entry: Any
) -> None:
    session = make_session(attempts=50, fast=False, call_timeout=timedelta(seconds=0.3))
    server.answer = lambda _: entry

    with pytest.raises(ConnectionFailed, match="call_timeout"):
        session.save(Thing("a"))
    sent = len(server.received)
    time.sleep(0.8)

    assert len(server.received) == sent


def test_without_a_limit_a_call_takes_as_long_as_bytes_come_in(
    server: ScriptedServer, make_session: Callable[..., Any]
) -> None:
    """The client's read time-out begins anew with each of them."""
    session = make_session(read_timeout=0.5)
    server.answer = lambda received: drops(answer(received), 0.005)
    began = time.monotonic()

    assert session.get(Thing, "a") == FOUND
    assert time.monotonic() - began > 0.5


@pytest.mark.parametrize("limit", [timedelta(), timedelta(seconds=-1), 5])
def test_a_limit_that_is_none_is_refused(make_session: Callable[..., Any], limit: Any) -> None:
    with pytest.raises(ModelError, match="call_timeout="):
        make_session(call_timeout=limit)


# --- Clients that tests have changed ----------------------------------------------------------------


@pytest.mark.parametrize("way", ["direct", "first call", "fast=False"])
@pytest.mark.parametrize("early", [True, False], ids=["before the session", "after it"])
def test_a_patched_method_gets_every_call_while_it_is_patched(
    server: ScriptedServer, clients: Callable[..., Any], early: bool, way: str
) -> None:
    client = clients("threads")
    patches = [
        mock.patch.object(client, "put_item"),
        mock.patch.object(client, "batch_write_item"),
        mock.patch.object(client, "get_item", return_value={"Item": {"id": {"S": "mock"}}}),
    ]
    session = None if early else Session(client=client, fast=way != "fast=False")
    if session is not None and way == "direct":
        for name in ("save", "get", "batch", "scan"):
            VERBS[name].act(session)
    put, batch, get = (each.start() for each in patches)
    session = session or Session(client=client, fast=way != "fast=False")
    sent = len(server.received)

    session.save(Thing("1"))
    session.save_all([Thing("2"), Thing("3")])
    batched(session)
    assert session.get(Thing, "a") == Thing("mock")
    assert (put.call_count, batch.call_count, get.call_count) == (1, 2, 1)
    assert put.call_args.kwargs["Item"]["id"] == {"S": "1"}
    assert len(server.received) == sent
    assert session.scan(Thing).all() == [FOUND]  # which is not patched

    for each in patches:
        each.stop()
    session.save(Thing("1"))
    assert session.get(Thing, "a") == FOUND
    assert (put.call_count, get.call_count) == (1, 1)
    assert len(server.received) == sent + 3


@pytest.mark.parametrize(
    "name", ["_make_api_call", "_endpoint._send", "_endpoint.http_session.send"]
)
@pytest.mark.parametrize("fast", [True, False])
def test_what_is_put_deeper_into_a_client_gets_every_call(
    server: ScriptedServer, clients: Callable[..., Any], name: str, fast: bool
) -> None:
    client = clients("threads")
    session = Session(client=client, fast=fast)
    for _ in range(2):
        session.get(Thing, "a")
    owner = client
    *path, last = name.split(".")
    for each in path:
        owner = getattr(owner, each)
    with mock.patch.object(owner, last, wraps=getattr(owner, last)) as patched:
        for _ in range(2):
            assert session.get(Thing, "a") == FOUND
    assert patched.call_count == 2
    session.get(Thing, "a")
    assert patched.call_count == 2


def test_a_patched_method_that_gives_no_response_is_no_answer_to_a_read(
    server: ScriptedServer, clients: Callable[..., Any]
) -> None:
    client = clients("threads")
    with mock.patch.object(client, "get_item") as patched:
        with pytest.raises(
            ServiceError, match=r"GetItem on table 'things': MagicMock: .*return_value="
        ):
            Session(client=client).get(Thing, "a")
        assert patched.call_count == 1


def test_a_patched_method_is_awaited(server: ScriptedServer, clients: Callable[..., Any]) -> None:
    pytest.importorskip("aiobotocore", reason="pip install 'dynattrs[aio]'")
    from awaited_session import Awaited
    from dynattrs.aio import AsyncSession

    client = clients("asyncio")
    session = Awaited(AsyncSession(client=client))
    for _ in range(2):
        session.save(Thing("a"))
    sent = len(server.received)

    with mock.patch.object(client, "put_item", mock.AsyncMock(return_value={})) as put:
        session.save(Thing("a"))
    assert (put.call_count, len(server.received)) == (1, sent)
    session.save(Thing("a"))
    assert (put.call_count, len(server.received)) == (1, sent + 1)
