"""Connections of an event loop that aiohttp has opened, and HTTP over them.

Connections are opened, secured, counted and closed by aiohttp, in the pool of aiobotocore's client. Here one
is taken from that pool, spoken to by a protocol of our own, and given back when no request has needed it for
a moment; at once where others wait for one. A client that is set up otherwise (another HTTP session than
aiobotocore's own, a proxy, an aiohttp that is traced or recorded) sends its requests itself.

Replies are read by `http_replies`, as those are that threads wait for.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterable
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
from dynattrs.wire.http_connections import watched
from dynattrs.wire.http_replies import Malformed, Reply, replying, whole
from dynattrs.wire.observers import are_plain, folders_of

#: What aiohttp's requests have besides what aiobotocore asks for.
USUAL_HEADERS: Final = ("Accept: */*",)
_PIECE: Final = 65536
#: A connection is kept so many seconds after its last request, or up to twice as many. Others who use the
#: client find it in aiohttp's pool afterwards.
_KEPT: Final = 0.1


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


# Measured (benchmarks/second_ways.py): 188 -> 76 us of CPU an awaited get.
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
        self._waiters_of = foreign.AIO_WAITERS.of
        self._patterns: dict[str, Any] = {}
        self._session: Any = None
        self._unanswered: set[_Held] = set()
        self._alarm: asyncio.TimerHandle | None = None
        self._room = memoryview(bytearray(_PIECE))
        #: Those that are idle and not given back yet, by URL, the one that was used last at the end.
        self._kept: dict[str, list[_Held]] = {}
        self._sweep: asyncio.TimerHandle | None = None
        #: Whether others have just been given a connection that they waited for.
        self._stands_back = False

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
        from aiohttp.connector import Connection
        from yarl import URL

        if type(session) is not self._class or session.trace_configs or self._proxy_for(url):
            return None
        loop = asyncio.get_running_loop()

        def made() -> Any:
            connector: Any = session.connector
            self._waiters_of(connector)
            nowhere: Any = None
            foreign.AIO_PROTOCOL.of(Connection(connector, nowhere, nowhere, loop))
            return ClientRequest("POST", URL(url, encoded=True), loop=loop, session=session)

        return foreign.ASYNC_CONNECTIONS.made(made)

    async def send(self, request: Request, attempts: Attempts) -> Reply:
        """Send a request that they reach, and wait for the reply.

        However it ends, the connection is kept for the next one, in the pool again, or closed.

        Args:
            request: What is sent.
            attempts: Where it is noted that it may have been.

        Raises:
            botocore.exceptions.HTTPClientError: No connection, or no reply.
        """
        url = request.pattern.url
        loop = asyncio.get_running_loop()
        held = self._idle(url, loop) or _Held(await self._connection(url), loop, self._room)
        timeout = self._session.timeout.sock_read
        reply: Reply | None = None
        try:
            attempts.begin()
            answer = held.ask(request.raw(), timeout)
            if timeout is not None:
                self._unanswered.add(held)
                if self._alarm is None:
                    self._set_alarm(timeout)
            reply = await answer
        except (Malformed, OSError) as error:
            if isinstance(error, TimeoutError):
                raise ReadTimeoutError(endpoint_url=url, error=error) from error
            raise ConnectionClosedError(endpoint_url=url, error=error) from error
        else:
            return reply
        finally:
            self._unanswered.discard(held)
            if reply is None or not reply.reusable or not held.is_clean():
                held.end(answered=reply is not None)
            else:
                self._keep(url, held, loop)

    def _idle(self, url: str, loop: asyncio.AbstractEventLoop) -> _Held | None:
        """One that was kept and is good for a request; None if a connection has to be found."""
        kept = self._kept.get(url)
        while kept:
            held = kept.pop()
            if held.loop is not loop:
                # Not closed from here: in a forked process, that would disturb the parent's event loop.
                with contextlib.suppress(RuntimeError):  # it may be over
                    held.give_back()
            elif held.is_usable():
                return held
            else:
                held.end(answered=True)
        return None

    def _keep(self, url: str, held: _Held, loop: asyncio.AbstractEventLoop) -> None:
        """Keep a connection for the next request, unless another task waits for one in aiohttp's pool."""
        connector = self._session.connector
        waits = bool(self._waiters_of(connector))
        if waits or connector.force_close:
            self._stands_back |= waits
            held.give_back()
            return
        self._kept.setdefault(url, []).append(held)
        held.rested = False
        if self._sweep is None:
            self._set_sweep(loop)

    def _set_sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        known: weakref.ref[AsyncConnections] = weakref.ref(self)
        self._sweep = loop.call_later(_KEPT, _sweep, known)

    def sweep(self) -> None:
        """Give back those that have not been used since this was last done."""
        self._sweep = None
        for url, kept in self._kept.items():
            rested = [held for held in kept if held.rested]
            if rested:
                self._kept[url] = [held for held in kept if not held.rested]
            for held in rested:
                held.give_back()
        left = [held for kept in self._kept.values() for held in kept]
        for held in left:
            held.rested = True
        if left:
            self._set_sweep(left[0].loop)

    def give_back(self) -> None:
        """Give back all that are kept, to be found by those who ask aiohttp for one."""
        for held in self._taken_out():
            held.give_back()

    def drop(self) -> None:
        """Close all that are kept, whose loop is closed."""
        for held in self._taken_out():
            with contextlib.suppress(Exception):  # uvloop has closed its own with the loop
                held.end(answered=False)

    def _taken_out(self) -> Iterable[_Held]:
        if not self._kept:
            return ()
        kept, self._kept = self._kept, {}
        return itertools.chain.from_iterable(kept.values())

    async def _connection(self, url: str) -> Any:
        """A connection of aiohttp's, idle or new."""
        session = self._session
        if self._stands_back:  # aiohttp gives one to who asks at this moment, before who waits
            self._stands_back = False
            await asyncio.sleep(0)
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
        for held in list(self._unanswered):
            held.late(now)
        left = [held.until for held in self._unanswered if held.is_waiting()]
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
    return sock is not None and bool(watched(sock)())


def _look(connections: weakref.ref[AsyncConnections]) -> None:
    known = connections()
    if known is not None:
        known.look()


def _sweep(connections: weakref.ref[AsyncConnections]) -> None:
    known = connections()
    if known is not None:
        known.sweep()


class _Held(asyncio.BufferedProtocol, asyncio.Protocol):
    """A connection of aiohttp's, and the reply that comes in over it.

    It is both kinds of protocol. asyncio's own loops take it for the first one, and need not allocate room
    for each piece, which is dear. uvloop takes it for the second one; it does not change kinds midway.

    Args:
        connection: What aiohttp has given.
        loop: The event loop that it belongs to.
        room: Where what comes in is put.

    Attributes:
        rested: Whether it has been idle since those that are kept were last looked through.
        until: When the next piece of the reply is late, as the loop counts.
    """

    __slots__ = (
        "_connection", "_has_more", "_is_full", "_more", "_reading", "_reply", "_room", "_theirs",
        "_timeout", "_transport", "_unsent", "loop", "rested", "until",
    )  # fmt: skip

    def __init__(self, connection: Any, loop: asyncio.AbstractEventLoop, room: memoryview) -> None:
        self.loop = loop
        self.rested = False
        self.until = 0.0
        self._connection = connection
        self._theirs = theirs = connection.protocol
        self._transport = transport = theirs.transport
        sock = transport.get_extra_info("socket")
        self._has_more: Callable[[], object] = bool if sock is None else watched(sock)
        self._room = room
        self._timeout: float | None = None
        self._reply: asyncio.Future[Reply] | None = None
        self._reading: Generator[int, bytes, Reply] | None = None
        #: Whether anything has come in that belongs to no request.
        self._more = False
        #: What of the request waits until the transport has sent more of the rest.
        self._unsent: deque[bytes | memoryview] = deque()
        self._is_full = False
        # What is still there when its loop is over must not be told of as forgotten.
        foreign.AIO_PROTOCOL.replace(connection, None)
        transport.set_protocol(self)

    def ask(
        self, request: Iterable[bytes | memoryview], timeout: float | None
    ) -> asyncio.Future[Reply]:
        """Send a request; what is given is done with the reply.

        Args:
            request: What is sent, in parts.
            timeout: How many seconds a part of the request, or a piece of the reply, may take.
        """
        self._timeout = timeout
        self._reading = None
        self._reply = reply = self.loop.create_future()
        self._unsent.extend(request)
        self._write()
        return reply

    def _write(self) -> None:
        unsent = self._unsent
        # Writing may fill the transport, or make room in it, before it returns.
        while unsent and not self._is_full:
            self._transport.write(unsent.popleft())
        self._go_on()

    def is_usable(self) -> bool:
        """Whether a request may be sent: what has come in unasked for would be taken for its reply."""
        return not (self._more or self._transport.is_closing() or self._has_more())

    def is_clean(self) -> bool:
        """Whether all of the request was taken, and nothing has come in after the reply."""
        return not (self._more or self._has_unsent())

    def _has_unsent(self) -> bool:
        """Whether something of a request has still to be sent, or never will be."""
        if self._unsent:
            return True
        try:
            return bool(self._transport.get_write_buffer_size())
        except AttributeError:  # as Python 3.10 says of what was lost over TLS
            return True

    def is_waiting(self) -> bool:
        return self._reply is not None and not self._reply.done()

    def give_back(self) -> None:
        """Put it into aiohttp's pool; close it where it is not good for another request."""
        if self._more or self._transport.is_closing():
            self.end(answered=True)
            return
        self._let_go().release()

    def end(self, *, answered: bool) -> None:
        """Close it.

        Args:
            answered: Whether a reply has come in, so that none is still to come.
        """
        transport = self._transport
        unsent = self._has_unsent()
        connection = self._let_go()
        if not answered or unsent:
            transport.abort()  # `close` would wait until all is sent
        connection.close()

    def _let_go(self) -> Any:
        self._transport.set_protocol(self._theirs)
        foreign.AIO_PROTOCOL.replace(self._connection, self._theirs)
        return self._connection

    def late(self, now: float) -> None:
        if self.until <= now and self._reply is not None and not self._reply.done():
            self._reply.set_exception(TimeoutError("no reply in time"))

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(self._room[:nbytes]))

    def data_received(self, data: bytes) -> None:
        reply = self._reply
        if reply is None or reply.done():
            self._more = True
            return
        reading = self._reading
        try:
            if reading is None:
                found = whole(data)
                if found is not None:
                    reply.set_result(found)
                    return
                self._reading = reading = replying()
                next(reading)
            reading.send(data)
        except StopIteration as end:
            reply.set_result(end.value)
        except Malformed as error:
            reply.set_exception(error)
        else:
            self._go_on()

    def pause_writing(self) -> None:
        self._is_full = True
        self._theirs.pause_writing()

    def resume_writing(self) -> None:
        self._is_full = False
        self._theirs.resume_writing()
        self._write()

    def _go_on(self) -> None:
        if self._timeout is not None:
            self.until = self.loop.time() + self._timeout

    def eof_received(self) -> None:
        self.data_received(b"")

    def connection_lost(self, exc: Exception | None) -> None:
        reply = self._reply
        if reply is not None and not reply.done():
            if exc is None:  # uvloop says nothing else of an end that TLS has not announced
                self.eof_received()
            else:
                lost = Malformed("the connection was closed")
                reply.set_exception(exc if isinstance(exc, OSError) else lost)
        self._more = True  # its end, which Python 3.10 does not always tell of otherwise
        self._theirs.connection_lost(exc)


def _translated(url: str, error: Exception) -> Exception:
    """What aiobotocore makes of an error of aiohttp's when there is no connection."""
    from aiohttp import ClientSSLError

    if isinstance(error, ClientSSLError):
        return SSLError(endpoint_url=url, error=error)
    if isinstance(error, asyncio.TimeoutError):
        return ConnectTimeoutError(endpoint_url=url, error=error)
    return EndpointConnectionError(endpoint_url=url, error=error)
