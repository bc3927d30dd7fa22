"""HTTP replies, from the bytes that a connection gives: read here, received where the connection is.

Replies are HTTP/1.1, and 1.0, as servers of JSON speak it: a length, chunks, or all there is until the
connection ends. Anything else is `Malformed`, which counts as a connection that was lost while waiting.
What is valid: https://www.rfc-editor.org/rfc/rfc9112

Nothing here does I/O. What reads is a generator: it yields how many bytes it can take at most, and is sent
those that came; none, where the connection has ended.
"""

from __future__ import annotations

import functools
from collections.abc import Generator
from typing import Final, Protocol

from dynattrs.deferral import pattern
from dynattrs.late_classes import define

_PIECE: Final = 262144
#: Replies to calls for one item are no longer, as a rule, and room for more takes longer to get.
_FIRST_PIECE: Final = 16384
# More than any server sends; the standard library's limit for one line.
_LONGEST_HEAD: Final = 65536
_SIZE: Final = pattern(rb"[0-9A-Fa-f]+(?=\s*(?:;|$))")
_DIGITS: Final = 18  # no length has more, and `int` does not take them without end
_FOLD: Final = pattern(rb"[ \t]*\r\n[ \t]+")
#: Replies with these have no body, whatever their headers say.
_WITHOUT_BODY: Final = frozenset({204, 304})
_SWITCHING_PROTOCOLS: Final = 101


@define(eq=False, repr=False)
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
    piece = sock.recv(_FIRST_PIECE)
    found = whole(piece)
    if found is not None:
        return found
    reading = replying()
    try:
        next(reading)
        while True:
            piece = sock.recv(reading.send(piece))
    except StopIteration as end:
        reply: Reply = end.value
        return reply


# Measured (benchmarks/second_ways.py, a request over an idle connection): 4.2 -> 3.5 us a reply.
# tests/property/test_requests.py holds it to the standard library's.
def whole(data: bytes) -> Reply | None:
    """A reply that came in one piece and says how long it is, as nearly all do; None for any other."""
    end = data.find(b"\r\n\r\n")
    if end < 0 or not data.startswith(b"HTTP/1.1 200 "):
        return None
    _, status, headers = _parse_head(data[:end])
    body = data[end + 4 :]
    usual = (
        headers.get("content-length") == str(len(body))
        and headers.get("connection", "keep-alive") == "keep-alive"
        and "transfer-encoding" not in headers
    )
    return Reply(status, headers, body, reusable=True) if usual else None


def replying() -> Generator[int, bytes, Reply]:
    """Read one reply.

    Raises:
        Malformed: It is not HTTP as it is read here, or ended too early.
    """
    data = b""
    while True:
        while (end := data.find(b"\r\n\r\n")) < 0:
            if len(data) > _LONGEST_HEAD:
                raise Malformed("a reply with endless headers")
            data += _some((yield _FIRST_PIECE))
        version, status, headers = _parse_head(data[:end])
        data = data[end + 4 :]
        if status >= 200:
            break  # else it says that the reply is still to come
        if status == _SWITCHING_PROTOCOLS:
            raise Malformed("a reply in another protocol")
    coding = headers.get("transfer-encoding", "").lower()
    ends = False
    if status in _WITHOUT_BODY:
        body, rest = b"", data
    elif coding == "chunked":
        body, rest = yield from _read_chunks(data)
    elif coding:
        raise Malformed(f"a reply with the transfer coding {coding[:40]!r}")
    elif "content-length" in headers:
        length = _length(headers["content-length"])
        if len(data) == length:
            body, rest = data, b""
        else:
            body, rest = yield from _read_exactly(data, length)
    else:
        # Whether all of it came is for its checksum to say, or for the JSON, which has an end.
        body, rest, ends = (yield from _read_to_the_end(data)), b"", True
    kept = version != "1.0"
    if "connection" in headers:
        directives = headers["connection"].lower().replace(" ", "").split(",")
        kept = "close" not in directives and (kept or "keep-alive" in directives)
    # What comes unasked for is not of this reply, and the connection is good for nothing more.
    return Reply(status, headers, body, kept and not rest and not ends)


def _some(piece: bytes) -> bytes:
    if not piece:
        raise Malformed("the connection was closed before the end of the reply")
    return piece


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


def _parse_head(head: bytes) -> tuple[str, int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    version, status = _parse_status(first)
    try:
        headers = {
            _lowered[name]: value.strip()
            for name, _, value in [line.partition(": ") for line in lines]
        }
    except KeyError:
        headers = {}
    # There is a name that is not known yet, or that comes twice, or a line that goes on.
    if len(headers) != len(lines):
        headers = _parse_lines(_FOLD.sub(b" ", head).decode("latin-1").split("\r\n")[1:])
    return version, status, headers


def _parse_lines(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise Malformed("a malformed header")
        key, value = _lower(name), value.strip()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


# First lines and names are nearly always the same.

#: Names of headers, which have no colon, and what they are in lower case.
_lowered: dict[str, str] = {}
_MOST_NAMES: Final = 256


@functools.lru_cache(64)
def _parse_status(first: str) -> tuple[str, int]:
    protocol, _, rest = first.partition(" ")
    name, _, version = protocol.partition("/")
    status = rest[:3]
    known = name == "HTTP" and version in ("1.0", "1.1")
    if not (known and _is_number(status) and status >= "100" and rest[3:4] in ("", " ")):
        raise Malformed(f"a reply that begins with {first[:40]!r}")
    return version, int(status)


def _lower(name: str) -> str:
    if not name or name != name.strip():
        raise Malformed("a malformed header")
    key = name.lower()
    if len(_lowered) < _MOST_NAMES:
        _lowered[name] = key
    return key


def _read_to_the_end(data: bytes) -> Generator[int, bytes, bytes]:
    pieces = [data]
    while piece := (yield _PIECE):
        pieces.append(piece)
    return b"".join(pieces)


def _read_exactly(data: bytes, length: int) -> Generator[int, bytes, tuple[bytes, bytes]]:
    missing = length - len(data)
    if missing <= 0:
        return data[:length], data[length:]
    pieces = [data]
    while missing > 0:
        # Who receives may have more at hand than was asked for.
        piece = _some((yield min(missing, _PIECE)))
        pieces.append(piece)
        missing -= len(piece)
    body = b"".join(pieces)
    return (body, b"") if not missing else (body[:length], body[length:])


def _read_chunks(data: bytes) -> Generator[int, bytes, tuple[bytes, bytes]]:
    body: list[bytes] = []
    while True:
        line, data = yield from _read_line(data)
        digits = _SIZE.match(line)
        if digits is None:
            raise Malformed("a chunk without a size")
        size = int(digits[0], 16)
        if size == 0:
            break
        chunk, data = yield from _read_exactly(data, size + 2)
        if chunk[size:] != b"\r\n":
            raise Malformed("a chunk of another size")
        body.append(chunk[:size])
    while line:  # trailers, up to an empty line
        line, data = yield from _read_line(data)
    return b"".join(body), data


def _read_line(data: bytes) -> Generator[int, bytes, tuple[bytes, bytes]]:
    while (end := data.find(b"\r\n")) < 0:
        if len(data) > _LONGEST_HEAD:
            raise Malformed("an endless line")
        data += _some((yield _PIECE))
    return data[:end], data[end + 2 :]
