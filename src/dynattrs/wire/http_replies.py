"""One HTTP reply, read from a socket.

HTTP/1.1 as servers of JSON speak it: a length or chunks. Anything else is `Malformed`, which counts as
a connection that was lost while waiting.
"""

from __future__ import annotations

import re
from typing import Any, Final

import attrs

# More than any server sends; the standard library's limit for one line.
_LONGEST_HEAD: Final = 65536
_PIECE: Final = 262144
_SIZE: Final = re.compile(rb"[0-9A-Fa-f]+(?=\s*(?:;|$))")


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
