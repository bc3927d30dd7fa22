"""Connections that botocore has opened and does not need at the moment, and HTTP over them.

Connections are opened, secured, led through proxies and closed by botocore and urllib3. Here one that
is idle is taken out of the client's pool, used for one request and put back. Where there is none, or
where a proxy has to be spoken to, the request goes botocore's way, which opens one.

Replies are read by `http_replies`. What is no reply counts as a connection that was lost while waiting.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from dynattrs import foreign_names as foreign
from dynattrs.clock import monotonic
from dynattrs.wire.fast_requests import Request
from dynattrs.wire.http_replies import Malformed, Reply, read_reply
from dynattrs.wire.time_limits import GRACE, left_of


# Measured (benchmarks/second_ways.py): 154 -> 25 us of CPU to send a request and to read its reply.
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
        from urllib3.util.wait import wait_for_read

        self._wait_for_read: Callable[[Any, float], bool] = wait_for_read
        session = endpoint.http_session
        self._manager = foreign.POOLS.of(session)
        self._proxy_for = foreign.PROXIES.of(session).proxy_url_for
        self._timeout = foreign.TIMEOUT.of(session)
        # Needed with the first request, and looked for here.
        for name in (foreign.TAKE_CONNECTION, foreign.GIVE_CONNECTION):
            name.of(HTTPConnectionPool)
        # Weakly: what closes the session drops its pools, and by that closes their connections.
        self._pools: dict[str, weakref.ref[Any]] = {}

    def idle(self, url: str) -> Connection | None:
        """A connection that is open and idle, to be used for one request; None if there is none."""
        known = self._pools.get(url)
        pool = None if known is None else known()
        if pool is None or pool.pool is None:
            if self._proxy_for(url) is not None:
                return None
            pool = self._manager.connection_from_url(url)
            self._pools[url] = weakref.ref(pool)
        if pool.pool.empty():
            return None
        connection = foreign.TAKE_CONNECTION.of(pool)(0)
        # Not the class that a recorder of traffic puts in the place of botocore's.
        ours = type(connection).__module__ == "botocore.awsrequest"
        if connection.sock is None or not ours or type(connection) is not pool.ConnectionCls:
            foreign.GIVE_CONNECTION.of(pool)(connection)
            return None
        timeout = self._timeout
        timeout = getattr(timeout, "read_timeout", timeout)
        return Connection(pool, connection, timeout, url, self._wait_for_read)


class Connection:
    """An open connection, for one request."""

    __slots__ = (
        "_connection", "_late_at", "_pool", "_timeout", "_until", "_url", "_wait_for_read"
    )  # fmt: skip

    def __init__(
        self,
        pool: Any,
        connection: Any,
        timeout: float | None,
        url: str,
        wait_for_read: Callable[[Any, float], bool],
    ) -> None:
        self._pool = pool
        self._wait_for_read = wait_for_read
        self._connection = connection
        self._timeout = timeout
        self._url = url
        self._until: float | None = None
        self._late_at: float | None = None

    def send(self, request: Request, until: float | None = None) -> None:
        """Send a request. If that fails, the connection goes back to the pool.

        Args:
            request: What is sent.
            until: When the reply must have been read, as `clock.monotonic` counts.

        Raises:
            botocore.exceptions.ReadTimeoutError: It was not taken in time.
            botocore.exceptions.ConnectionClosedError: The connection was lost. As with the other one
                the request may have been done.
        """
        done = False
        try:
            sock = self._connection.sock
            sock.settimeout(self._timeout if until is None else _patience(self._timeout, until))
            sock.sendall(request.raw())
            self._until = self._late_at = until
            if self._timeout is not None:
                late_at = monotonic() + self._timeout
                self._late_at = late_at if until is None else min(late_at, until)
            done = True
        except OSError as error:
            raise self._translated(error) from error
        finally:
            if not done:
                self._give_back(reusable=False)

    def ready(self, seconds: float) -> bool:
        """Whether a reply has begun to come in, or is late; it may wait so long to find out."""
        sock = self._connection.sock
        if self._late_at is None:
            return self._wait_for_read(sock, seconds)
        left = self._late_at - monotonic()
        if self._wait_for_read(sock, max(0.0, min(seconds, left))):
            return True
        if left > seconds:
            return False
        # It has had its time: who reads it now finds that.
        if self._until is not None:
            self._until = self._late_at
        sock.settimeout(0.001)
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
                sock.settimeout(self._timeout)  # botocore's next request may be sent over it
            reusable = reply.reusable
        except (OSError, Malformed) as error:
            raise self._translated(error) from error
        finally:
            # Also after KeyboardInterrupt: half a reply must never be taken for the next one's.
            self._give_back(reusable=reusable)
        return reply

    def _give_back(self, *, reusable: bool) -> None:
        if not reusable:
            self._connection.close()
        foreign.GIVE_CONNECTION.of(self._pool)(self._connection)

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
        self._sock.settimeout(_patience(self._timeout, self._until))
        received: bytes = self._sock.recv(most)
        return received


def _patience(timeout: float | None, until: float) -> float:
    """How long to wait for the next bytes.

    Raises:
        OutOfTime: No longer.
    """
    left = left_of(until)
    return left if timeout is None else min(timeout, left)
