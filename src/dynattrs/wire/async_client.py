"""From a `Call` to the aiobotocore client and back; the client is opened with the first of them."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

import attrs
from botocore.exceptions import HTTPClientError

from dynattrs import foreign_names as foreign
from dynattrs.deferral import deferred
from dynattrs.errors import ConfigurationError, SessionClosed
from dynattrs.events import Events
from dynattrs.mapper.annotations import LARGE_FIELDS
from dynattrs.operations.flows import Call
from dynattrs.operations.requests import STREAM_OPERATIONS
from dynattrs.schema.messages import Message
from dynattrs.wire.async_connections import USUAL_HEADERS, AsyncConnections, Places
from dynattrs.wire.attempts import Attempts, take_first, under_way
from dynattrs.wire.client_copy import as_aiobotocores, copied
from dynattrs.wire.exchange import Exchange, Stats, read_well
from dynattrs.wire.fast_requests import Request, RequestMaker
from dynattrs.wire.http_replies import Reply
from dynattrs.wire.patches import Patches, Unheard
from dynattrs.wire.service_errors import configured, lacks
from dynattrs.wire.time_limits import OutOfTime, within_awaited

if TYPE_CHECKING:
    from dynattrs.mapper.departures import Departure
    from dynattrs.wire import objects as s3_objects
    from dynattrs.wire import streams_client
    from dynattrs.wire.instruments import Instruments, Outcome
else:
    # Imported when the first stream is read.
    streams_client = deferred("dynattrs.wire.streams_client")
    # Imported when something goes to S3, or comes from there.
    s3_objects = deferred("dynattrs.wire.objects")

#: Gives an asynchronous context manager whose value is a client.
Opening = Callable[[], contextlib.AbstractAsyncContextManager[Any]]

#: The HTTP session whose connections are known here.
_OVER_AIOHTTP: Final = ("aiobotocore.httpsession", "AIOHTTPSession")

#: In as many turns a loop that was busy has closed what the other side has, over TLS too.
_TURNS: Final = 4

#: How many seconds closing waits for calls under way. A network that is silent must not hold up an end.
_PATIENCE: Final = 2.0

_of_parents: list[Opened | None] = []


@attrs.define
class HTTPRequest:
    """A request, as far as an HTTP session of aiobotocore reads it."""

    url: str
    headers: dict[str, str]
    body: bytes
    method: str = "POST"
    stream_output: bool = False
    context: dict[str, Any] | None = None


# Measured (benchmarks/second_ways.py): 584 -> 76 us of CPU an awaited get.
# tests/unit/test_async_fast_requests.py holds it to aiobotocore's way.
class AsyncFastCalls:
    """Calls over the client's connections, after patterns that aiobotocore has given.

    What is no more than sending a request and reading its reply is done here, over a connection of its
    HTTP session (`async_connections`). Where that is another one, or has a proxy to speak to, it sends
    these requests itself; connections, their limit, TLS and time-outs are its own either way.

    Args:
        client: The client as it was given.
        sender: Its copy, which tells what it sends from now on.

    Raises:
        AttributeError: aiobotocore is built differently.
    """

    def __init__(self, client: Any, sender: object) -> None:
        self._maker = RequestMaker(client, USUAL_HEADERS)
        # The copy's own, which also takes care of large bodies.
        endpoint = foreign.ENDPOINT.of(sender)
        self._send = foreign.SEND.of(endpoint)
        foreign.SEND.replace(endpoint, self._aiobotocore_sends)
        http = endpoint.http_session
        #: Whether the connections are closed, for good.
        self.over = False
        self._places: Places | None = None
        self._connections: AsyncConnections | None = None
        if (type(http).__module__, type(http).__name__) == _OVER_AIOHTTP:
            self._places = Places(client.meta.config.max_pool_connections)
            self._connections = foreign.ASYNC_CONNECTIONS.made(lambda: AsyncConnections(http))

    async def _aiobotocore_sends(self, request: Any) -> Any:
        """Stands where the endpoint's `_send` stood."""
        first = take_first()
        if first is not None:
            return first
        if self.over:  # aiobotocore would open new connections, or fail in a way of its own
            raise HTTPClientError(error=SessionClosed())
        body = request.body
        self.give_back()
        received = await self._in_turn(self._send, request)
        if received.status_code == 200 and self._maker.wants(request):
            request.body = body  # a large one is sent in pieces, and is not bytes any more
            credentials = self._maker.credentials()
            if credentials is not None:
                credentials = await credentials
            if self._maker.wants(request):  # others may have registered a handler meanwhile
                self._maker.learn(request, credentials)
        return received

    async def _in_turn(self, send: Callable[..., Any], *arguments: object) -> Any:
        """What *send* gives, when it has a connection that it may use."""
        places = self._places
        if places is None:
            return await send(*arguments)
        if not places.take():
            await places.wait()
        try:
            return await send(*arguments)
        finally:
            places.leave()

    def give_back(self) -> None:
        """Give aiohttp the connections that are idle."""
        if self._connections is not None:
            self._connections.give_back()

    def drop(self) -> None:
        if self._connections is not None:
            self._connections.drop()

    async def reply(self, method: str, parameters: Message, attempts: Attempts) -> Message | None:
        """The response to a call, or None if it is to go aiobotocore's way.

        If an attempt was made and has not given a response, it is noted in *attempts*; aiobotocore
        then takes its outcome for that of its own first one.
        """
        if not self._maker.has_pattern(method):
            return None
        try:
            # Awaited, because they may have to be renewed.
            credentials = self._maker.credentials()
            credentials = None if credentials is None else await credentials
        except Exception:
            return None  # aiobotocore meets the same, and it is translated there
        if not self._maker.knows(method):
            return None
        request = self._maker.request(method, parameters, credentials, time.time())
        if request is None:
            return None
        spoilt = None if attempts.line is None else attempts.line.outcome()
        if spoilt is not None:
            return await self._spoilt(spoilt, request, attempts)
        return await self._reply(request, attempts)

    async def _spoilt(
        self, outcome: Outcome, request: Request, attempts: Attempts
    ) -> Message | None:
        """The same of a request that a test does something to."""
        assert attempts.line is not None
        await attempts.line.wait_awaited(outcome.seconds)
        if outcome.is_late_only:
            return await self._reply(request, attempts)
        if outcome.sent:
            await self._reply(request, attempts)
        else:
            attempts.begin()
        if outcome.error is not None:
            attempts.first = outcome.error(request.url)
            return None
        attempts.first = None
        reply = Reply(outcome.status, outcome.headers, outcome.body, reusable=True)
        return self._read(reply, request, attempts)

    async def _reply(self, request: Request, attempts: Attempts) -> Message | None:
        connections, places = self._connections, self._places
        try:
            if (
                places is None
                or connections is None
                or not connections.can_reach(request.pattern.url)
            ):
                return await self._response_of_theirs(request, attempts)
            if not places.take():
                await places.wait()
            try:
                reply = await connections.send(request, attempts)
            finally:
                places.leave()
        except Exception as error:
            attempts.first = error
            return None
        return self._read(reply, request, attempts)

    def _read(self, reply: Reply, request: Request, attempts: Attempts) -> Message | None:
        found = read_well(
            reply.status, reply.headers, reply.body, attempts.decode, self._maker.after_call
        )
        if found is None:
            attempts.first = as_aiobotocores(request.url, reply)
        return found

    async def _response_of_theirs(self, request: Request, attempts: Attempts) -> Message | None:
        """The same where the HTTP session sends the request."""
        sent = HTTPRequest(request.url, request.headers, request.body)
        self.give_back()
        before = under_way.set(attempts)
        try:
            received = await self._in_turn(self._send, sent)
            body = await received.content
        finally:
            under_way.reset(before)
        found = read_well(
            received.status_code, received.headers, body, attempts.decode, self._maker.after_call
        )
        if found is None:
            attempts.first = received
        return found


class Ways:
    """The ways that calls to a client may go.

    Args:
        client: The client.
        fast: Whether there may be a fast one.
    """

    def __init__(self, client: object, *, fast: bool) -> None:
        self.client = client
        self._sender = sender = copied(client, raw=fast)
        self._patches = None if sender is client else Patches(client)
        self._unheard = Unheard()
        self._fast: AsyncFastCalls | None = None
        if fast and sender is not client:
            self._fast = foreign.FAST.made(lambda: AsyncFastCalls(client, sender))

    def end(self) -> None:
        """The client is being closed: what is still to be sent fails at once."""
        if self._fast is not None:
            self._fast.over = True
            self._fast.give_back()

    def give_back(self) -> None:
        """No call is to be expected soon: others may use the connections."""
        if self._fast is not None:
            self._fast.give_back()

    def drop(self) -> None:
        """Close what is kept of connections, whose loop is closed."""
        if self._fast is not None:
            self._fast.drop()

    def of(self, method: str) -> tuple[Any, AsyncFastCalls | None]:
        """What calls of a client's method go to, and the fast way of them, if there is one.

        Raises:
            ConfigurationError: A test has replaced what would not be called.
        """
        self._unheard.check()
        if self._patches is not None and self._patches:
            return self._patches.sender(method, self._sender), None
        return self._sender, self._fast


async def _ask(
    send: Callable[..., Any], fast: AsyncFastCalls | None, call: Call, exchange: Exchange
) -> Message:
    """The response to a call."""
    if fast is not None:
        found = await fast.reply(call.operation, exchange.packed, exchange.attempts)
        if found is not None:
            return exchange.answered(found, direct=True)
    return await _asked_by_aiobotocore(send, exchange)


async def _asked_by_aiobotocore(send: Callable[..., Any], exchange: Exchange) -> Message:
    before = under_way.set(exchange.attempts)
    try:
        if not exchange.attempts.in_flight:
            # After a while in which it was busy, the loop first finds which idle connections have ended.
            for _ in range(_TURNS):
                await asyncio.sleep(0)
        while True:
            try:
                given: Any = send(**exchange.parameters)
                # A mock in the place of a method may give the response itself.
                response: Message = await given if inspect.isawaitable(given) else given
            except Exception as error:
                exchange.failed(_refusal_of_moto(error) or error)
            else:
                return exchange.answered(response)
    finally:
        under_way.reset(before)


def _refusal_of_moto(error: Exception) -> ConfigurationError | None:
    """What to say where moto has answered, whose replies aiobotocore does not await."""
    if not isinstance(error, (AttributeError, TypeError)) or "moto" not in sys.modules:
        return None
    return ConfigurationError(
        f"moto's mock_aws answers before a connection is used, and aiobotocore cannot read what it answers "
        f"({error})",
        "run moto as a server, and name it: server = moto.server.ThreadedMotoServer(port=0), "
        "server.start(), AsyncSession(endpoint_url=...)",
    )


@attrs.define
class Opened:
    """A client of one event loop.

    Attributes:
        loop: The loop that its connections belong to.
        client: The client; None while it is being made.
        ways: The ways that calls to it may go.
        stack: Closes the connections.
        calls: How many calls are under way.
        last: Given when the last of them has ended, if `close` waits for that.
    """

    loop: asyncio.AbstractEventLoop
    client: Any = None
    ways: Ways | None = None
    calls: int = 0
    last: asyncio.Future[None] | None = None
    lock: asyncio.Lock = attrs.field(factory=asyncio.Lock)
    stack: contextlib.AsyncExitStack = attrs.field(factory=contextlib.AsyncExitStack)

    def leave(self) -> None:
        """A call has ended."""
        self.calls -= 1
        if not self.calls and self.last is not None and not self.last.done():
            self.last.set_result(None)

    async def close(self) -> None:
        """Close the connections when the calls under way have ended, or it waits for too long; at once
        if that is cancelled.
        """
        try:
            async with self.lock:  # a client that is being made is one to close
                pass
            if self.calls:
                self.last = self.loop.create_future()
                await asyncio.wait((self.last,), timeout=_PATIENCE)
        finally:
            if self.ways is not None:
                self.ways.end()
            await self.stack.aclose()


class AsyncWire:
    """Sends calls over one aiobotocore client, for any number of tasks of one event loop."""

    def __init__(
        self,
        client: object,
        opening: Opening | None,
        *,
        fast: bool = True,
        events: Events | None = None,
        limit: float | None = None,
        streams: object = None,
        s3: object = None,
    ) -> None:
        self._given = client
        self._events = events or Events()
        self._limit = limit
        self._opening = opening
        self._fast = fast
        self._ways: Ways | None = None if client is None else Ways(client, fast=fast)
        self.opened: Opened | None = None
        self.closed = False
        #: What tests have put on its line.
        self.instruments: Instruments | None = None
        self.stats = Stats()
        self._streams_given = streams
        self._streams: AsyncWire | None = None
        self._s3 = s3
        self._objects: s3_objects.AsyncObjects | None = None

    @property
    def objects(self) -> s3_objects.AsyncObjects:
        """What sends requests to S3, whose client is made with the first of them."""
        if self._objects is None:
            self._objects = s3_objects.AsyncObjects(self.connected, self._s3)
        return self._objects

    def streams(self) -> AsyncWire:
        """What sends requests about streams; with the first of them its client is made."""
        found = self._streams
        if found is None:
            given = self._streams_given
            opening = self._opening_streams if given is None else None
            found = self._streams = AsyncWire(
                given, opening, fast=False, events=self._events, limit=self._limit
            )
            found.closed = self.closed
        found.stats, found.instruments = self.stats, self.instruments
        return found

    @contextlib.asynccontextmanager
    async def _opening_streams(self) -> AsyncGenerator[Any, None]:
        like = await self.connected()
        async with streams_client.opening_streams_client(like) as made:
            yield streams_client.lent_connections(made, like)

    def call(self, call: Call) -> Awaitable[Message]:
        """The response to *call*.

        Raises:
            DynattrsError: The translated error, botocore's as its cause.
        """
        if call.operation in STREAM_OPERATIONS:
            return self.streams()._perform(call)
        if LARGE_FIELDS in sys.modules and (leaving := s3_objects.leaving(call)):
            return self._keep_and_perform(leaving, call)
        return self._perform(call)

    async def _keep_and_perform(self, leaving: list[Departure], call: Call) -> Message:
        await self.objects.keep(leaving)
        return await self._perform(call)

    async def _perform(self, call: Call) -> Message:
        ways, opened = self._ways, None
        if ways is None:
            opened = await self._open()
            ways = opened.ways
            assert ways is not None
        sender, fast = ways.of(call.operation)
        exchange = Exchange(self.stats, call, self._events, self._limit, self.instruments)
        exchange.attempts.in_flight = sender is ways.client
        if opened is not None:
            opened.calls += 1
        try:
            send = getattr(sender, call.operation, None)
            if send is None:
                raise lacks(call.operation)
            asking = _ask(send, fast, call, exchange)
            if self._limit is None:
                return await asking
            return await within_awaited(exchange.attempts, asking)
        except OutOfTime as error:
            raise exchange.late() from error
        finally:
            if opened is not None:
                opened.leave()
            exchange.closed()

    @property
    def client(self) -> Any:
        """The client; None if there is none yet, or none any more."""
        return self._given if self._given is not None else self.opened and self.opened.client

    async def connected(self) -> Any:
        """The client, which is made if there is none yet."""
        return self._given if self._given is not None else (await self._open()).client

    async def _open(self) -> Opened:
        loop = asyncio.get_running_loop()
        opened = self.opened
        if opened is None or opened.loop is not loop:
            if opened is not None and not opened.loop.is_closed():
                raise ConfigurationError(
                    "this AsyncSession belongs to another event loop, which is still open",
                    "make one session for each event loop",
                )
            if opened is not None:  # its loop is over
                release(self)
            opened = self.opened = Opened(loop)
        if opened.client is None:
            async with opened.lock:
                if self.closed:
                    raise SessionClosed
                if opened.client is None:
                    await self._make(opened)
        return opened

    async def _make(self, opened: Opened) -> None:
        assert self._opening is not None
        with configured():
            client = await opened.stack.enter_async_context(self._opening())
        opened.ways = Ways(client, fast=self._fast)
        opened.client = client

    def renew(self) -> None:
        """Connect anew: what is open belongs to another process."""
        # Kept for good: closing it here would disturb the parent's event loop.
        _of_parents.append(self.opened)
        self.opened = None
        self.stats = Stats()
        if self._objects is not None:
            self._objects.renew()
        if self._streams is not None:
            self._streams.renew()

    async def close(self) -> None:
        """Begin no more calls, give those under way some time to end, and close the connections. A
        client that was handed in stays open.
        """
        self.closed = True
        if self._objects is not None:
            await self._objects.close()
        if self._streams is not None:
            await self._streams.close()
        if self._ways is not None:
            self._ways.give_back()
        opened = self.opened
        if opened is not None and opened.loop is not asyncio.get_running_loop():
            if opened.loop.is_closed():
                release(self)
            opened = None
        self.opened = None
        if opened is not None:
            await opened.close()


def release(wire: AsyncWire) -> None:
    """Close the connections of a session that was forgotten and not closed, or those of an event loop
    that is over.

    It cannot wait. aiohttp closes without waiting, in a method that is not public, and would warn of
    what is left open; httpx leaves it to the sockets.
    """
    if wire._streams is not None:
        release(wire._streams)
    opened, wire.opened = wire.opened, None
    if opened is None or opened.client is None:
        return
    foreign.RELEASE.made(lambda: _close_connectors(opened))


def _close_connectors(opened: Opened) -> None:
    http = foreign.ENDPOINT.of(opened.client).http_session
    if type(http).__name__ != "AIOHTTPSession":
        return
    for session in list((foreign.HTTP_SESSIONS.of(http) or {}).values()):
        connector = session.connector
        if connector is None:
            continue
        idle = foreign.IDLE.of(connector)
        close = foreign.CLOSE_CONNECTOR.of(connector)
        if inspect.ismethod(close) and not inspect.iscoroutinefunction(close):
            session.detach()
            if opened.loop.is_closed():
                _abort(
                    opened.ways,
                    [protocol for kept in idle.values() for protocol, _ in kept],
                    opened.loop,
                )
                close()
            else:
                if opened.ways is not None:
                    opened.loop.call_soon_threadsafe(opened.ways.end)
                opened.loop.call_soon_threadsafe(close)


def _abort(ways: Ways | None, protocols: list[Any], loop: Any) -> None:
    """Close connections whose loop is closed: what they would have it do soon is done at once.

    Args:
        ways: What may have kept some of them.
        protocols: Those that are idle in aiohttp's pool.
        loop: The event loop.
    """

    def at_once(
        callback: Callable[..., object], *arguments: object, context: object = None
    ) -> None:
        callback(*arguments)

    with contextlib.suppress(AttributeError):
        loop.call_soon = at_once
    if ways is not None:
        ways.drop()
    for protocol in protocols:
        # uvloop has closed its own with the loop.
        with contextlib.suppress(Exception):
            protocol.transport.abort()
    with contextlib.suppress(AttributeError):
        del loop.call_soon
