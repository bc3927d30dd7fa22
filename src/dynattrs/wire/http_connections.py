"""Connections that botocore has opened and does not need at the moment, and HTTP over them.

Connections are opened, secured, led through proxies and closed by botocore and urllib3. Here one that
is idle is taken out of the client's pool, used for one request and put back. If none is idle, botocore
sends the request, over one that it opens; if a proxy has to be spoken to, the call goes botocore's way.

Replies are read by `http_replies`. What is not a reply counts as a connection that was lost while waiting.
"""

from __future__ import annotations

import select
import threading
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from dynattrs import foreign_names as foreign
from dynattrs.clock import monotonic
from dynattrs.wire.fast_requests import Request
from dynattrs.wire.http_replies import Malformed, Reply, read_reply
from dynattrs.wire.time_limits import GRACE, left_of


# Measured (benchmarks/second_ways.py): 147 -> 17 us of CPU to send a request and to read its reply.
# tests/property/test_requests.py holds the reading to the standard library's.
class Connections:
    """The connections of one client's HTTP session.

    Args:
        endpoint: botocore's endpoint.

    Raises:
        AttributeError: This botocore, or urllib3, is built differently.
    """

    def __init__(self, endpoint: Any) -> None:
        # Here, because the session's client has loaded it by now.
        from urllib3.connectionpool import HTTPConnectionPool

        session = endpoint.http_session
        self._manager = foreign.POOLS.of(session)
        self._proxy_for = foreign.PROXIES.of(session).proxy_url_for
        timeout = foreign.TIMEOUT.of(session)
        self._timeout: float | None = getattr(timeout, "read_timeout", timeout)
        # Needed with the first request, and looked for here.
        foreign.GIVE_CONNECTION.of(HTTPConnectionPool)
        for name in ("mutex", "queue", "maxsize"):
            getattr(HTTPConnectionPool.QueueCls(1), name)
        # Weakly: what closes the session drops its pools, and by that closes their connections.
        self._pools: dict[str, weakref.ref[Any]] = {}

    def has_proxy(self, url: str) -> bool:
        """Whether requests to *url* go through a proxy, which botocore speaks to."""
        return self._proxy_for(url) is not None

    def idle(self, url: str) -> Connection | None:
        """A connection that is open and idle, to be used for one request; None if there is none."""
        known = self._pools.get(url)
        pool = None if known is None else known()
        if pool is None or pool.pool is None:
            if self._proxy_for(url) is not None:
                return None
            pool = self._manager.connection_from_url(url)
            self._pools[url] = weakref.ref(pool)
        kept = pool.pool
        with kept.mutex:
            # What is None there stands for a connection that may be opened.
            connection = kept.queue.pop() if kept.queue and kept.queue[-1] is not None else None
        if connection is None:
            return None
        sock = connection.sock
        # Not the class that a recorder of traffic puts in the place of botocore's.
        ours = type(connection).__module__ == "botocore.awsrequest"
        if sock is None or not ours or type(connection) is not pool.ConnectionCls:
            _give_back(pool, connection)
            return None
        if is_readable(sock, 0.0) or _has_rest(sock):  # what comes unasked for is its end
            connection.close()
            _give_back(pool, connection)
            return None
        return Connection(pool, connection, self._timeout, url)


def _give_back(pool: Any, connection: Any) -> None:
    """Put a connection back as urllib3 does, without its queue's ways to wait, which are not used here."""
    kept = pool.pool
    if kept is not None and not pool.block:
        with kept.mutex:
            if not 0 < kept.maxsize <= len(kept.queue):
                kept.queue.append(connection)
                return
    foreign.GIVE_CONNECTION.of(pool)(connection)


class _Watching(threading.local):
    """What watches sockets, by their numbers, in a thread."""

    def __init__(self) -> None:
        self.by_number: dict[int, Any] = {}


_watching: Final = _Watching()


def is_readable(sock: Any, seconds: float) -> bool:
    """Whether something has come in; it may wait so long for it."""
    if not hasattr(select, "poll"):  # on Windows
        return bool(select.select([sock], [], [], seconds)[0])
    # What watches a number is good for any socket that has it later. Two may not ask it at once: each thread
    # has its own, and a signal's handler finds none while the thread that it interrupts is asking.
    number = sock.fileno()
    waiting = _watching.by_number.pop(number, None)
    if waiting is None:
        waiting = select.poll()
        waiting.register(number, select.POLLIN)
    found = bool(waiting.poll(seconds * 1000))
    _watching.by_number[number] = waiting
    return found


def _has_rest(sock: Any) -> bool:
    """Whether TLS has deciphered more than was asked for: the socket does not tell of that."""
    pending = getattr(sock, "pending", None)
    return pending is not None and pending() > 0


def watched(sock: Any) -> Callable[[], object]:
    """What says, asked at any time while the socket is open, whether something has come in."""
    if not hasattr(select, "poll"):
        return partial(is_readable, sock, 0.0)
    waiting = select.poll()
    waiting.register(sock, select.POLLIN)
    return partial(waiting.poll, 0)


def _limit(sock: Any, seconds: float | None) -> None:
    """Let nothing wait longer than so many seconds at a time. Setting it again asks the system for it."""
    if sock.gettimeout() != seconds:
        sock.settimeout(seconds)


#: So many seconds the reply is waited for to a request whose sending was interrupted.
STRUCK: Final = 1.0


class Connection:
    """An open connection, for one request."""

    __slots__ = ("_connection", "_late_at", "_pool", "_timeout", "_until", "_url", "is_begun")

    def __init__(self, pool: Any, connection: Any, timeout: float | None, url: str) -> None:
        self._pool = pool
        self._connection: Any = connection
        self._timeout = timeout
        self._url = url
        self._until: float | None = None
        self._late_at: float | None = None
        #: Whether the system may have been given something to send.
        self.is_begun = False

    def send(self, request: Request, until: float | None = None) -> None:
        """Send a request. If that fails, the connection goes back to the pool; not after an interruption,
        for then the request may have been sent, and `ready` waits a moment for its reply.

        Args:
            request: What is sent.
            until: When the reply must have been read, as `clock.monotonic` counts.

        Raises:
            botocore.exceptions.ReadTimeoutError: It was not taken in time.
            botocore.exceptions.ConnectionClosedError: The connection was lost. As with the other one
                the request may have been done.
        """
        try:
            sock, timeout = self._connection.sock, self._timeout
            _limit(sock, timeout if until is None else _patience(timeout, until))
            first, *others = request.raw()
            self.is_begun = True
            sock.sendall(first)
            for part in others:
                if until is not None:
                    _limit(sock, _patience(timeout, until))
                sock.sendall(part)
            self._until = self._late_at = until
            if timeout is not None:
                late_at = monotonic() + timeout
                self._late_at = late_at if until is None else min(late_at, until)
        except Exception as error:
            self._give_back(reusable=False)
            if not isinstance(error, OSError):
                raise
            raise self._translated(error) from error
        except BaseException:
            if self.is_begun:
                # The system does not say what it has taken. What it has not taken whole has no reply.
                self._late_at = self._until = monotonic() + STRUCK
            else:
                self._give_back(reusable=False)
            raise

    def release(self, *, reusable: bool) -> None:
        """Put it back into the pool without reading a reply; closed, if one may still come."""
        self._give_back(reusable=reusable)

    def ready(self, seconds: float) -> bool:
        """Whether a reply has begun to come in, or is late; it may wait so long to find out."""
        if self._late_at is None:
            return is_readable(self._connection.sock, seconds)
        left = self._late_at - monotonic()
        if is_readable(self._connection.sock, max(0.0, min(seconds, left))):
            return True
        if left > seconds:
            return False
        # It has had its time: who reads it now finds that.
        if self._until is not None:
            self._until = self._late_at
        _limit(self._connection.sock, 0.001)
        return True

    def receive(self) -> Reply:
        """Read the reply. The connection goes back to the pool.

        Raises:
            botocore.exceptions.ReadTimeoutError: No reply in time.
            botocore.exceptions.ConnectionClosedError: The connection was lost.
        """
        reusable = False
        try:
            sock = self._connection.sock
            if self._until is None:
                reply = read_reply(sock)
            else:
                reply = read_reply(_Limited(sock, self._timeout, self._until))
                _limit(sock, self._timeout)  # botocore's next request may be sent over it
            reusable = reply.reusable and not _has_rest(sock)
        except (OSError, Malformed) as error:
            raise self._translated(error) from error
        finally:
            # Also after KeyboardInterrupt: half a reply must never be taken for the next one's.
            self._give_back(reusable=reusable)
        return reply

    def _give_back(self, *, reusable: bool) -> None:
        connection, self._connection = self._connection, None
        if connection is None:  # once: two requests would read each other's replies
            return
        if not reusable:
            connection.close()
        _give_back(self._pool, connection)

    def _translated(self, error: Exception) -> Exception:
        if isinstance(error, TimeoutError):
            return ReadTimeoutError(endpoint_url=self._url, error=error)
        return ConnectionClosedError(endpoint_url=self._url, error=error)


class _Limited:
    """A socket that is received from until some time is over.

    What has come in by then may still be read: a batch's reply may wait for who reads it.
    """

    __slots__ = ("_sock", "_timeout", "_until")

    def __init__(self, sock: Any, timeout: float | None, until: float) -> None:
        self._sock = sock
        self._timeout = timeout
        self._until = max(until, monotonic() + GRACE)

    def recv(self, most: int, /) -> bytes:
        _limit(self._sock, _patience(self._timeout, self._until))
        received: bytes = self._sock.recv(most)
        return received


def _patience(timeout: float | None, until: float) -> float:
    """How long to wait for the next bytes.

    Raises:
        OutOfTime: No longer.
    """
    left = left_of(until)
    return left if timeout is None else min(timeout, left)
