"""Whatever happens to a reply on its way, no verb gives a wrong answer for it.

A server between sessions and an engine damages replies: it cuts them at any byte, changes their status,
length or checksum, or puts a page in their place. What a verb says then is what it says undamaged, and
so is what is stored; or it is an error that says that nothing is known.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from zlib import crc32

import attrs
import boto3
import pytest
from botocore.config import Config
from hypothesis import event, given
from hypothesis import strategies as st

from dynattrs import (
    ConnectionFailed,
    OutcomeUnknown,
    ServiceError,
    Session,
    StatementsFailed,
    UnsentWrites,
    add,
    field,
    model,
    partition_key,
    set_,
)
from scripted_server import HANG_UP, Received, ScriptedServer, serving


@model("damaged-things")
class Thing:
    id: str = partition_key()
    count: int = 0


@model("damaged-docs")
class Doc:
    id: str = partition_key()
    text: str = ""
    version: int = field(version=True)


MODELS = (Thing, Doc)
KEYS = ("a", "b")
#: What is stored before a verb: nothing, or an item of each model.
THERE: dict[bool, dict[str, Any]] = {
    False: {},
    True: {
        "damaged-things": {"id": {"S": "a"}, "count": {"N": "7"}},
        "damaged-docs": {"id": {"S": "a"}, "text": {"S": "old"}, "version": {"N": "1"}},
    },
}

# --- Verbs ------------------------------------------------------------------------------------------


def edited(session: Any) -> None:
    with session.edit(Thing("a", 7)) as thing:
        thing.count = 9


def batched(session: Any) -> None:
    with session.batch() as batch:
        batch.save(Thing("a", 1))
        batch.save(Thing("b", 2))
        batch.delete(Doc, "a")
        batch.save(Doc("b", "new"))


def in_transaction(session: Any) -> None:
    with session.transaction() as t:
        t.update(Thing, "a", add(Thing.count, 1))
        t.insert(Doc("b"))


SELECTS = [('SELECT * FROM "damaged-things" WHERE id = ?', key) for key in ("a", "none")]
UPDATES = [('UPDATE "damaged-things" SET "count" = "count" + ? WHERE id = ?', 1, "a")]


def selecting(session: Any) -> Any:
    with session.transaction() as t:
        rows = [t.execute(*each, model=Thing) for each in SELECTS]
    return [row.row for row in rows]


def updating(session: Any) -> None:
    with session.transaction() as t:
        t.execute(*UPDATES[0])


VERBS: dict[str, Callable[[Any], Any]] = {
    "get": lambda s: s.get(Thing, "a"),
    "get_one": lambda s: s.get_one(Thing, "a"),
    "exists": lambda s: s.exists(Thing, "a"),
    "get_many": lambda s: list(s.get_many(Thing, ["a", "b"])),
    "query": lambda s: s.query(Thing).where(Thing.id == "a").all(),
    "count": lambda s: s.query(Thing).where(Thing.id == "a").count(),
    "scan": lambda s: s.scan(Thing).first(),
    "transact_get": lambda s: s.transact_get((Thing, "a"), (Doc, "a")),
    "execute": lambda s: list(s.execute('SELECT * FROM "damaged-things"', model=Thing)),
    "get, a part": lambda s: s.get(Thing, "a", select=(Thing.count,)),
    "get_many, of several": lambda s: s.get_many([(Thing, "a"), (Doc, "a")], ordered=True).all(),
    "execute_many": lambda s: s.execute_many(SELECTS, model=Thing),
    "statements": selecting,
    "tables.exists": lambda s: s.tables.exists(Thing),
    "save": lambda s: s.save(Thing("a", 1)),
    "save, when": lambda s: s.save(Thing("a", 1), when=Thing.count == 7),
    "save, version": lambda s: s.save(Doc("a", "new", version=1)),
    "insert": lambda s: s.insert(Thing("a", 1)),
    "delete": lambda s: s.delete(Thing, "a"),
    "delete, returning": lambda s: s.delete(Thing, "a", returning=True),
    "update": lambda s: s.update(Thing, "a", set_(Thing.count, 1)),
    "add": lambda s: s.update(Thing, "a", add(Thing.count, 1)),
    "upsert": lambda s: s.update(Thing, "a", add(Thing.count, 1), upsert=True),
    "edit": edited,
    "save_all": lambda s: s.save_all([Thing("a", 1), Thing("b", 2)]),
    "batch": batched,
    "transaction": in_transaction,
    "execute_many, writing": lambda s: s.execute_many(UPDATES),
    "statements, writing": updating,
}
READS = frozenset(list(VERBS)[:14])

# --- Damage -----------------------------------------------------------------------------------------

PAGE = b"<!DOCTYPE html><html><body>please log in</body></html>"


@attrs.frozen
class Damage:
    """What is done to replies.

    Attributes:
        times: To how many, one after the other.
        cut: After which share of its bytes it ends; None if it is whole.
        instead: What takes its place.
        status: Its status; None for its own.
        checksum: Whether its checksum is kept, left out or false.
        length: How many bytes more the reply claims to have.
        passed_on: Whether the engine has got the request.
    """

    times: int
    cut: float | None = None
    instead: bytes | None = None
    status: int | None = None
    checksum: str = "none"
    length: int = 0
    passed_on: bool = True

    def of(self, status: int, headers: dict[str, str], body: bytes) -> Any:
        sent = body if self.instead is None else self.instead
        if self.cut is not None:
            sent = sent[: int(len(sent) * self.cut)]
        lines = [f"HTTP/1.1 {self.status or status} Reason"]
        lines.append(f"Content-Type: {headers.get('content-type', 'application/x-amz-json-1.0')}")
        lines.append(f"Content-Length: {max(0, len(sent) + self.length)}")
        if self.checksum != "none":
            lines.append(f"x-amz-crc32: {crc32(body) ^ (self.checksum == 'false')}")
        data = "\r\n".join([*lines, "", ""]).encode() + sent
        return [data, HANG_UP] if self.length else data


shares = st.floats(0, 1, exclude_max=True)
times = st.sampled_from([1, 2, 4, 12])
statuses = st.sampled_from([200, 302, 400, 403, 404, 500, 503])
checksums = st.sampled_from(["kept", "none", "false"])
damages = st.one_of(
    st.builds(Damage, times, shares, checksum=checksums),
    st.builds(Damage, times, shares, status=statuses, checksum=checksums),
    st.builds(Damage, times, status=statuses.filter(lambda each: each != 200), checksum=checksums),
    st.builds(Damage, times, checksum=st.just("false")),
    st.builds(Damage, times, length=st.sampled_from([-5, -1, 1, 100]), checksum=checksums),
    st.builds(Damage, times, instead=st.sampled_from([PAGE, b"", b"[]", b'{"status": "up"}']),
              status=statuses, passed_on=st.booleans()),
    # What a proxy has not passed on was not done.
    st.builds(Damage, times, instead=st.sampled_from([PAGE, b""]),
              status=st.sampled_from([407, 413, 429]), passed_on=st.just(False)),
)  # fmt: skip


class Relay:
    """Sends what comes in on to an engine, and damages as many of its replies as are left."""

    def __init__(self, endpoint: str, server: ScriptedServer) -> None:
        self._engine = urlsplit(endpoint)
        self._lock = threading.Lock()
        self.damage: Damage | None = None
        self.left = 0
        server.answer = self._answer

    def _answer(self, received: Received) -> Any:
        with self._lock:
            damage = self.damage if self.left else None
            self.left -= damage is not None
        if damage is not None and not damage.passed_on:
            return damage.of(200, {}, b"{}")
        connection = http.client.HTTPConnection(str(self._engine.netloc), timeout=30)
        with contextlib.closing(connection):
            connection.request("POST", "/", received.body, received.headers)
            response = connection.getresponse()
            body = response.read()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return (damage or Damage(0, checksum="kept")).of(response.status, headers, body)


# --- What is found ------------------------------------------------------------------------------------


@attrs.frozen
class World:
    """An engine, and sessions that reach it by way of a relay, by their kind and their way."""

    client: Any
    relay: Relay
    sessions: dict[str, Any]
    truths: dict[tuple[str, bool], Any] = attrs.field(factory=dict)

    def stored(self) -> dict[str, Any]:
        return {
            f"{each.__name__} {key}": self.client.get_item(
                TableName=f"damaged-{each.__name__.lower()}s", Key={"id": {"S": key}}
            ).get("Item")
            for each in MODELS
            for key in KEYS
        }

    def reset(self, there: bool) -> None:
        for each in MODELS:
            table = f"damaged-{each.__name__.lower()}s"
            for key in KEYS:
                self.client.delete_item(TableName=table, Key={"id": {"S": key}})
            if there:
                self.client.put_item(TableName=table, Item=THERE[there][table])

    def done(self, way: str, verb: str, damage: Damage | None) -> Any:
        """What a verb gives, or raises, and what is stored then."""
        session = self.sessions[way]
        session.get(Thing, "z")  # so that a connection is open
        self.relay.damage, self.relay.left = damage, damage.times if damage else 0
        try:
            found: Any = VERBS[verb](session)
        except StatementsFailed as error:
            found = error.failed[0].cause
        except Exception as error:
            found = error
        self.relay.left = 0
        return found, self.stored()

    def truth(self, verb: str, there: bool) -> Any:
        """The same with nothing damaged, and what was stored before."""
        if (verb, there) not in self.truths:
            self.reset(there)
            before = self.stored()
            self.truths[verb, there] = (*self.done("threads", verb, None), before)
        return self.truths[verb, there]


def check(world: World, way: str, verb: str, there: bool, damage: Damage) -> None:
    true, after, before = world.truth(verb, there)
    world.reset(there)
    found, stored = world.done(way, verb, damage)
    event(type(found).__name__ if isinstance(found, Exception) else "an answer")
    if not isinstance(found, Exception):
        assert not isinstance(true, Exception), found
        assert (found, stored) == (true, after)
        return
    if type(found) is type(true):
        assert (str(found), stored) == (str(true), after)
        return
    assert isinstance(found, (ConnectionFailed, ServiceError, OutcomeUnknown, UnsentWrites)), found
    for name, item in stored.items():
        assert item in (before[name], after[name])
    if verb in READS:
        assert not isinstance(found, (OutcomeUnknown, UnsentWrites))
        assert "a write may have been applied" not in str(found) or verb == "execute"
    elif stored != before and verb == "batch" and isinstance(found, ServiceError):
        pass  # it is of one write, and what was saved before that is stored when the batch is left
    elif stored != before and isinstance(found, (ConnectionFailed, ServiceError)):
        assert found.uncertain
        assert "a write may have been applied" in str(found)


def worlds(endpoint: str, access: str, secret: str) -> Iterator[World]:
    keys: dict[str, Any] = {
        "region_name": "us-east-1", "aws_access_key_id": access, "aws_secret_access_key": secret,
    }  # fmt: skip
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(serving())
        plain = stack.enter_context(contextlib.closing(
            boto3.client("dynamodb", endpoint_url=endpoint, **keys)
        ))  # fmt: skip
        once = Config(retries={"mode": "standard", "total_max_attempts": 1})
        through = boto3.client("dynamodb", endpoint_url=server.url, config=once, **keys)
        stack.enter_context(contextlib.closing(through))
        sessions: dict[str, Any] = {}
        patience = timedelta(seconds=0.3)
        for way, fast in (("", True), (", fast=False", False)):
            session = Session(client=through, fast=fast, deadline=patience)
            sessions[f"threads{way}"] = stack.enter_context(session)
            with contextlib.suppress(ImportError):  # an extra
                from awaited_session import AwaitedSession, close_twins

                sessions[f"asyncio{way}"] = AwaitedSession(
                    client=through, fast=fast, deadline=patience
                )
                stack.callback(sessions[f"asyncio{way}"].close)
                stack.callback(close_twins)
        world = World(plain, Relay(endpoint, server), sessions)
        with Session(client=plain) as session:
            session.tables.create(*MODELS)
            for each in sessions.values():
                world.reset(True)
                for act in VERBS.values():  # so that the fast ways are known
                    with contextlib.suppress(Exception):
                        act(each)
            yield world
            session.tables.delete(*MODELS)


@pytest.fixture(scope="module")
def world(dynamodb_local: str) -> Iterator[World]:
    yield from worlds(dynamodb_local, "testing", "testing")


@pytest.fixture(scope="module")
def embedded_world(embedded: Any) -> Iterator[World]:
    yield from worlds(embedded.endpoint_url, embedded.access_key, embedded.secret_key)


verbs = st.sampled_from(sorted(VERBS))
ways = st.sampled_from(["threads", "asyncio", "threads, fast=False", "asyncio, fast=False"])
cases = st.lists(st.tuples(ways, verbs, st.booleans(), damages), min_size=1, max_size=6)


@pytest.mark.full
@given(cases)
def test_a_damaged_reply_is_never_a_wrong_answer(world: World, drawn: Any) -> None:
    for way, verb, there, damage in drawn:
        if way in world.sessions:
            check(world, way, verb, there, damage)


@given(cases)
def test_a_damaged_reply_is_never_a_wrong_answer_embedded(
    embedded_world: World, drawn: Any
) -> None:
    for way, verb, there, damage in drawn:
        if way in embedded_world.sessions:
            check(embedded_world, way, verb, there, damage)
