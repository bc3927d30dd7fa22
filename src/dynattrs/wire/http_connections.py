"""Connections that botocore has opened and does not need at the moment, and HTTP over them.

Connections are opened, secured, led through proxies and closed by botocore and urllib3. Here one that
is idle is taken out of the client's pool, used for one request and put back. Where there is none, or
where a proxy has to be spoken to, the request goes botocore's way, which opens one.

Replies are HTTP/1.1 as servers of JSON speak it: a length or chunks. Anything else is `Malformed`, which
counts as a connection that was lost while waiting.
"""

from __future__ import annotations

import re
import time
import weakref
from collections.abc import Callable
from typing import Any, Final

import attrs
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from dynattrs import foreign_names as foreign
from dynattrs.wire.fast_requests import Request

# More than any server sends; the standard library's limit for one line.
_LONGEST_HEAD: Final = 65536
_PIECE: Final = 262144
_SIZE: Final = re.compile(rb"[0-9A-Fa-f]+(?=\s*(?:;|$))")


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

    __slots__ = ("_connection", "_pool", "_sent_at", "_timeout", "_url", "_wait_for_read")

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
        self._sent_at = 0.0

    def send(self, request: Request) -> None:
        """Send a request. If that fails, the connection goes back to the pool.

        Raises:
            botocore.exceptions.ReadTimeoutError: It was not taken in time.
            botocore.exceptions.ConnectionClosedError: The connection was lost. As with the other one
                the request may have been done.
        """
        done = False
        try:
            sock = self._connection.sock
            sock.settimeout(self._timeout)
            sock.sendall(request.raw())
            self._sent_at = time.monotonic()
            done = True
        except OSError as error:
            raise self._translated(error) from error
        finally:
            if not done:
                self._give_back(reusable=False)

    def ready(self, seconds: float) -> bool:
        """Whether a reply has begun to come in, or is late; it may wait so long to find out."""
        sock = self._connection.sock
        if self._timeout is None:
            return self._wait_for_read(sock, seconds)
        left = self._sent_at + self._timeout - time.monotonic()
        if self._wait_for_read(sock, max(0.0, min(seconds, left))):
            return True
        if left > seconds:
            return False
        # It has had its time: who reads it now finds that.
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
            reply = read_reply(self._connection.sock)
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


# --- Replies --------------------------------------------------------------------------------------


@attrs.frozen(eq=False, repr=False)
class Reply:
    """What came back.

    Attributes:
        status: The HTTP status.
        headers: The headers, their names in lower case.
        body: All of it.
        reusable: Whether the connection may be used again.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    reusable: bool


class Malformed(ValueError):
    """A reply is not HTTP as it is read here, or ended too early."""


def read_reply(sock: Any) -> Reply:
    """Read one reply from a socket.

    Raises:
        Malformed: It is not HTTP as it is read here, or ended too early.
        OSError: As the socket raises it.
    """
    data = b""
    while True:
        head, data = _read_head(sock, data)
        version, status, headers = _parse_head(head)
        if status >= 200:
            break  # else it says that the reply is still to come
    coding = headers.get("transfer-encoding", "").lower()
    length = headers.get("content-length")
    if coding == "chunked":
        body, rest = _read_chunks(sock, data)
    elif coding or length is None or not length.isdigit():
        raise Malformed("a reply without a length")
    else:
        body, rest = _read_exactly(sock, data, int(length))
    directive = headers.get("connection", "").lower()
    # What comes unasked for is not of this reply, and the connection is good for nothing more.
    reusable = not rest and directive != "close" and (version != "1.0" or directive == "keep-alive")
    return Reply(status, headers, body, reusable)


def _receive(sock: Any, most: int = _PIECE) -> bytes:
    piece: bytes = sock.recv(most)
    if not piece:
        raise Malformed("the connection was closed before the end of the reply")
    return piece


def _read_head(sock: Any, data: bytes) -> tuple[bytes, bytes]:
    while (end := data.find(b"\r\n\r\n")) < 0:
        if len(data) > _LONGEST_HEAD:
            raise Malformed("a reply with endless headers")
        data += _receive(sock)
    return data[:end], data[end + 4 :]


def _parse_head(head: bytes) -> tuple[str, int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    protocol, _, rest = first.partition(" ")
    name, _, version = protocol.partition("/")
    if name != "HTTP" or version not in ("1.0", "1.1") or not rest[:3].isdigit():
        raise Malformed(f"a reply that begins with {first[:40]!r}")
    headers: dict[str, str] = {}
    for line in lines:
        key, colon, value = line.partition(":")
        if not colon or key != key.strip():
            raise Malformed("a header that is none")
        key, value = key.lower(), value.strip()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return version, int(rest[:3]), headers


def _read_exactly(sock: Any, data: bytes, length: int) -> tuple[bytes, bytes]:
    missing = length - len(data)
    if missing <= 0:
        return data[:length], data[length:]
    pieces = [data]
    while missing:
        piece = _receive(sock, min(missing, _PIECE))
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces), b""


def _read_chunks(sock: Any, data: bytes) -> tuple[bytes, bytes]:
    body: list[bytes] = []
    while True:
        line, data = _read_line(sock, data)
        digits = _SIZE.match(line)
        if digits is None:
            raise Malformed("a chunk without a size")
        size = int(digits[0], 16)
        if size == 0:
            break
        chunk, data = _read_exactly(sock, data, size + 2)
        if chunk[size:] != b"\r\n":
            raise Malformed("a chunk of another size")
        body.append(chunk[:size])
    while line:  # trailers, up to an empty line
        line, data = _read_line(sock, data)
    return b"".join(body), data


def _read_line(sock: Any, data: bytes) -> tuple[bytes, bytes]:
    while (end := data.find(b"\r\n")) < 0:
        if len(data) > _LONGEST_HEAD:
            raise Malformed("an endless line")
        data += _receive(sock)
    return data[:end], data[end + 2 :]
