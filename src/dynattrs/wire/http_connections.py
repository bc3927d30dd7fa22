"""Connections that botocore has opened and does not need at the moment, and HTTP over them.

Connections are opened, secured, led through proxies and closed by botocore and urllib3. Here one that
is idle is taken out of the client's pool, used for one request and put back. Where there is none, or
where a proxy has to be spoken to, the request goes botocore's way, which opens one.

Replies are HTTP/1.1, and 1.0, as servers of JSON speak it: a length, chunks, or all there is until the
connection ends. Anything else is `Malformed`, which counts as a connection that was lost while waiting.
What is valid: https://www.rfc-editor.org/rfc/rfc9112
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable
from typing import Any, Final, Protocol

import attrs
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from dynattrs import foreign_names as foreign
from dynattrs.clock import monotonic
from dynattrs.wire.fast_requests import Request
from dynattrs.wire.time_limits import GRACE, left_of

# More than any server sends; the standard library's limit for one line.
_LONGEST_HEAD: Final = 65536
_PIECE: Final = 262144
_SIZE: Final = re.compile(rb"[0-9A-Fa-f]+(?=\s*(?:;|$))")
_DIGITS: Final = 18  # no length has more, and `int` does not take them without end
_FOLD: Final = re.compile(rb"[ \t]*\r\n[ \t]+")
#: Replies with these have no body, whatever their headers say.
_WITHOUT_BODY: Final = frozenset({204, 304})
_SWITCHING_PROTOCOLS: Final = 101


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


class Receiving(Protocol):
    """What bytes are received from: a socket."""

    def recv(self, most: int, /) -> bytes: ...


def read_reply(sock: Receiving) -> Reply:
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
        if status == _SWITCHING_PROTOCOLS:
            raise Malformed("a reply in another protocol")
    coding = headers.get("transfer-encoding", "").lower()
    ends = False
    if status in _WITHOUT_BODY:
        body, rest = b"", data
    elif coding == "chunked":
        body, rest = _read_chunks(sock, data)
    elif coding:
        raise Malformed(f"a reply with the transfer coding {coding[:40]!r}")
    elif "content-length" in headers:
        body, rest = _read_exactly(sock, data, _length(headers["content-length"]))
    else:
        # Whether all of it came is for its checksum to say, or for the JSON, which has an end.
        body, rest, ends = _read_to_the_end(sock, data), b"", True
    kept = version != "1.0"
    if "connection" in headers:
        directives = headers["connection"].lower().replace(" ", "").split(",")
        kept = "close" not in directives and (kept or "keep-alive" in directives)
    # What comes unasked for is not of this reply, and the connection is good for nothing more.
    return Reply(status, headers, body, kept and not rest and not ends)


def _length(stated: str) -> int:
    """A length that may be stated several times, if it is always the same one."""
    found = stated
    if "," in stated:
        found, *others = [each.strip() for each in stated.split(",")]
        if any(each != found for each in others):
            raise Malformed(f"a reply with the lengths {stated[:40]!r}")
    if not _is_number(found) or len(found) > _DIGITS:
        raise Malformed(f"a reply with the length {stated[:40]!r}")
    return int(found)


def _is_number(text: str) -> bool:
    """Whether a text is digits that `int` takes, which `str.isdigit` alone does not say."""
    return text.isascii() and text.isdigit()


def _receive(sock: Receiving, most: int = _PIECE) -> bytes:
    piece = sock.recv(most)
    if not piece:
        raise Malformed("the connection was closed before the end of the reply")
    return piece


def _read_to_the_end(sock: Receiving, data: bytes) -> bytes:
    pieces = [data]
    while piece := sock.recv(_PIECE):
        pieces.append(piece)
    return b"".join(pieces)


def _read_head(sock: Receiving, data: bytes) -> tuple[bytes, bytes]:
    while (end := data.find(b"\r\n\r\n")) < 0:
        if len(data) > _LONGEST_HEAD:
            raise Malformed("a reply with endless headers")
        data += _receive(sock)
    return data[:end], data[end + 4 :]


def _parse_head(head: bytes) -> tuple[str, int, dict[str, str]]:
    if b"\r\n " in head or b"\r\n\t" in head:  # a line that goes on
        head = _FOLD.sub(b" ", head)
    first, *lines = head.decode("latin-1").split("\r\n")
    protocol, _, rest = first.partition(" ")
    name, _, version = protocol.partition("/")
    status = rest[:3]
    known = name == "HTTP" and version in ("1.0", "1.1")
    if not (known and _is_number(status) and status >= "100" and rest[3:4] in ("", " ")):
        raise Malformed(f"a reply that begins with {first[:40]!r}")
    headers: dict[str, str] = {}
    for line in lines:
        key, colon, value = line.partition(":")
        if not colon or not key or key != key.strip():
            raise Malformed("a header that is none")
        key, value = key.lower(), value.strip()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return version, int(status), headers


def _read_exactly(sock: Receiving, data: bytes, length: int) -> tuple[bytes, bytes]:
    missing = length - len(data)
    if missing <= 0:
        return data[:length], data[length:]
    pieces = [data]
    while missing:
        piece = _receive(sock, min(missing, _PIECE))
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces), b""


def _read_chunks(sock: Receiving, data: bytes) -> tuple[bytes, bytes]:
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


def _read_line(sock: Receiving, data: bytes) -> tuple[bytes, bytes]:
    while (end := data.find(b"\r\n")) < 0:
        if len(data) > _LONGEST_HEAD:
            raise Malformed("an endless line")
        data += _receive(sock)
    return data[:end], data[end + 2 :]
