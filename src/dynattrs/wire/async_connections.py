"""Connections of an event loop that aiohttp has opened, and HTTP over them.

Connections are opened, secured, counted and closed by aiohttp, in the pool of aiobotocore's client. Here one
is taken from that pool, spoken to by a protocol of our own for one request, and given back. A client that
is set up otherwise (another HTTP session than aiobotocore's own, a proxy, an aiohttp that is traced or
recorded) sends its requests itself.

Replies are read by `http_replies`, as those are that threads wait for.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from typing import Any, Final

from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
    SSLError,
)

from dynattrs import foreign_names as foreign
from dynattrs.wire.attempts import Attempts
from dynattrs.wire.fast_requests import Request
from dynattrs.wire.http_connections import is_readable
from dynattrs.wire.http_replies import Malformed, Reply, replying
from dynattrs.wire.observers import are_plain, folders_of

#: What aiohttp's requests have besides what aiobotocore asks for.
USUAL_HEADERS: Final = ("Accept: */*",)
_PIECE: Final = 65536


class Places:
    """As many requests at once as a client may have connections, first come, first served.

    aiohttp gives a connection that has become free to the task that asks at that moment, and those that
    wait may wait for good.

    Args:
        count: How many.
    """

    __slots__ = ("_free", "_waiting")

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: deque[asyncio.Future[None]] = deque()

    def take(self) -> bool:
        """Take a place, if one is free and no task waits for it."""
        if self._free <= 0:
            return False
        self._free -= 1
        return True

    async def wait(self) -> None:
        """Take the next place that is left."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it had just been given one
                self.leave()
            raise

    def leave(self) -> None:
        """Leave a place to the one who has waited longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


# Measured (benchmarks/second_ways.py): 359 -> 202 us of CPU an awaited get.
# tests/unit/test_async_connections.py holds it to the replies, errors and connections of `http_connections`.
class AsyncConnections:
    """The connections of one client's HTTP session.

    Args:
        http: aiobotocore's HTTP session over aiohttp.

    Raises:
        AttributeError: aiobotocore, or aiohttp, is built differently.
    """

    def __init__(self, http: Any) -> None:
        # Here, because aiobotocore has loaded it by now.
        import aiohttp

        self._http = http
        self._sessions_of = foreign.AIO_SESSIONS.of
        self._sessions_of(http)
        self._proxy_for = foreign.AIO_PROXIES.of(http).proxy_url_for
        self._class = aiohttp.ClientSession
        self._sends = foreign.AIO_SENDS.of
        #: What sends a session's requests, while it is aiohttp's own and no recorder's of traffic.
        sends = self._sends(aiohttp.ClientSession)
        self._own = sends if are_plain([sends], folders_of([aiohttp])) else None
        self._patterns: dict[str, Any] = {}
        self._session: Any = None
        self._unanswered: set[_Exchange] = set()
        self._alarm: asyncio.TimerHandle | None = None
        self._room = memoryview(bytearray(_PIECE))

    def can_reach(self, url: str) -> bool:
        """Whether requests to *url* may go over them."""
        if self._sends(self._class) is not self._own:
            return False
        session = self._session
        if session is None or session.closed:
            # It is made with the first request that aiobotocore sends.
            self._patterns = {}
            session = self._session = (self._sessions_of(self._http) or {}).get(None)
            if session is None or session.closed:
                return False
        if url not in self._patterns:
            self._patterns[url] = self._pattern(url, session)
        return self._patterns[url] is not None

    def _pattern(self, url: str, session: Any) -> Any:
        """A request of aiohttp's by which connections are found, and opened; None if it shall send its
        requests itself.
        """
        from aiohttp import ClientRequest
        from yarl import URL

        if type(session) is not self._class or session.trace_configs or self._proxy_for(url):
            return None
        return foreign.ASYNC_CONNECTIONS.made(
            lambda: ClientRequest(
                "POST", URL(url, encoded=True), loop=asyncio.get_running_loop(), session=session
            )
        )

    async def send(self, request: Request, attempts: Attempts) -> Reply:
        """Send a request that they reach, and wait for the reply.

        However it ends, the connection is in the pool again, or closed.

        Args:
            request: What is sent.
            attempts: Where it is noted that it may have been.

        Raises:
            botocore.exceptions.HTTPClientError: No connection, or no reply.
        """
        connection = await self._connection(request.url)
        theirs = connection.protocol
        transport = theirs.transport
        timeout = self._session.timeout.sock_read
        exchange = _Exchange(theirs, self._room, timeout)
        reply = None
        transport.set_protocol(exchange)
        try:
            attempts.begin()
            transport.write(request.raw())
            if timeout is not None:
                self._unanswered.add(exchange)
                if self._alarm is None:
                    self._set_alarm(timeout)
            reply = await exchange.reply
        except (Malformed, OSError) as error:
            if isinstance(error, TimeoutError):
                raise ReadTimeoutError(endpoint_url=request.url, error=error) from error
            raise ConnectionClosedError(endpoint_url=request.url, error=error) from error
        else:
            return reply
        finally:
            self._unanswered.discard(exchange)
            transport.set_protocol(theirs)
            unsent = transport.get_write_buffer_size()
            if reply is None or unsent:
                transport.abort()  # `close` would wait until all is sent
            if reply is not None and reply.reusable and not exchange.more and not unsent:
                connection.release()
            else:
                connection.close()

    async def _connection(self, url: str) -> Any:
        """A connection, idle or new."""
        session = self._session
        while True:
            opening = _Opening()
            try:
                found = await session.connector.connect(
                    self._patterns[url], [opening], session.timeout
                )
            except Exception as error:
                raise _translated(url, error) from error
            protocol = found.protocol
            transport = protocol.transport
            # What has come in unasked for would be taken for the reply.
            usable = not (transport is None or transport.is_closing() or protocol.should_close)
            if usable and not (opening.idle and _has_ended(transport)):
                return found
            found.close()

    def _set_alarm(self, seconds: float) -> None:
        # Weakly: a session that is forgotten must not wait for it.
        known: weakref.ref[AsyncConnections] = weakref.ref(self)
        self._alarm = asyncio.get_running_loop().call_later(seconds, _look, known)

    def look(self) -> None:
        """End those that have waited too long: one timer is there for all of them."""
        self._alarm = None
        now = asyncio.get_running_loop().time()
        for exchange in list(self._unanswered):
            exchange.late(now)
        left = [exchange.until for exchange in self._unanswered if not exchange.reply.done()]
        if left:
            self._set_alarm(min(left) - now)


class _Opening:
    """Stands where aiohttp is traced, and learns whether a connection had been idle."""

    __slots__ = ("idle",)

    def __init__(self) -> None:
        self.idle = False

    async def send_connection_reuseconn(self) -> None:
        self.idle = True

    def __getattr__(self, name: str) -> Any:
        return _pass_by


async def _pass_by(*arguments: object, **named: object) -> None:
    pass


def _has_ended(transport: Any) -> bool:
    """Whether something has come in over an idle connection, which is its end.

    The event loop may not have seen it: it was busy, or the process was frozen.
    """
    sock = transport.get_extra_info("socket")
    return sock is not None and is_readable(sock, 0.0)


def _look(connections: weakref.ref[AsyncConnections]) -> None:
    known = connections()
    if known is not None:
        known.look()


class _Exchange(asyncio.BufferedProtocol, asyncio.Protocol):
    """A request that was sent, and its reply, as it comes in.

    It is both kinds of protocol. asyncio's own loops take it for the first one, and need not allocate room
    for each piece, which is dear. uvloop takes it for the second one; it does not change kinds midway.
    """

    __slots__ = ("_loop", "_reading", "_room", "_theirs", "_timeout", "more", "reply", "until")

    def __init__(
        self, theirs: asyncio.BaseProtocol, room: memoryview, timeout: float | None
    ) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self.reply: asyncio.Future[Reply] = loop.create_future()
        self.until = 0.0 if timeout is None else loop.time() + timeout
        self._timeout = timeout
        self._theirs = theirs
        self._room = room
        #: Whether anything has come in after the reply.
        self.more = False
        self._reading = replying()
        next(self._reading)

    def late(self, now: float) -> None:
        if self.until <= now and not self.reply.done():
            self.reply.set_exception(TimeoutError("no reply in time"))

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(self._room[:nbytes]))

    def data_received(self, data: bytes) -> None:
        if self.reply.done():
            self.more = True
            return
        try:
            self._reading.send(data)
        except StopIteration as end:
            self.reply.set_result(end.value)
        except Malformed as error:
            self.reply.set_exception(error)
        else:
            self._go_on()

    def pause_writing(self) -> None:
        self._theirs.pause_writing()

    def resume_writing(self) -> None:
        self._theirs.resume_writing()
        self._go_on()

    def _go_on(self) -> None:
        if self._timeout is not None:
            self.until = self._loop.time() + self._timeout

    def eof_received(self) -> None:
        self.data_received(b"")

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.reply.done():
            self.reply.set_exception(
                exc if isinstance(exc, OSError) else Malformed("the connection was closed")
            )
        self._theirs.connection_lost(exc)


def _translated(url: str, error: Exception) -> Exception:
    """What aiobotocore makes of an error of aiohttp's when there is no connection."""
    from aiohttp import ClientSSLError

    if isinstance(error, ClientSSLError):
        return SSLError(endpoint_url=url, error=error)
    if isinstance(error, asyncio.TimeoutError):
        return ConnectTimeoutError(endpoint_url=url, error=error)
    return EndpointConnectionError(endpoint_url=url, error=error)
