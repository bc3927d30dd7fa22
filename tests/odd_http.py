"""Replies as HTTP allows them, and as it does not: one table for both kinds of connection."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scripted_server import reply

#: What is answered. Both test files have a class for it.
ITEM: dict[str, Any] = {
    "Item": {"id": {"S": "a"}, "data": {"B": "AAEC"}, "count": {"N": "7"}}
}  # fmt: skip

_CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: a\r\nX: b\r\n\r\n" + b"".join(
    b"%x;ext=1\r\n%b\r\n" % (len(part), part)
    for part in (json.dumps(ITEM).encode()[:5], json.dumps(ITEM).encode()[5:])
) + b"0\r\nTrailer: x\r\n\r\n"  # fmt: skip

WHOLE = [
    pytest.param(reply(ITEM), id="length"),
    pytest.param(_CHUNKS, id="chunks"),
    pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + reply(ITEM), id="interim"),
    pytest.param(reply(ITEM, x_amz_crc32=None), id="no checksum"),
    pytest.param(reply(ITEM | {"Padding": "x" * 300000}), id="large"),
]
SIZES = [1, 7, 100000]


def in_pieces(whole: bytes, size: int) -> list[bytes]:
    """A reply in pieces of about *size* bytes, and no more of them than are sent in a while."""
    if size < 100 < len(whole) // size // 100:
        size *= 1000
    return [whole[start : start + size] for start in range(0, len(whole), size)]


#: After these a connection is not used again.
LAST_ONES = [
    pytest.param(reply(ITEM, Connection="close"), id="close"),
    pytest.param(reply(ITEM).replace(b"HTTP/1.1", b"HTTP/1.0"), id="1.0"),
    pytest.param(
        reply(ITEM) + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        id="more than was asked for",
    ),
    # Over TLS the second record has the rest of the reply and more, and the socket does not tell.
    pytest.param(
        reply(ITEM | {"Padding": "x" * 20_000}) + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        id="more than was asked for, beside its end",
    ),
]

NO_HTTP = [
    b"HTTP/2 200\r\n\r\n",
    b"garbage\r\n\r\n",
    b"HTTP/1.1 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70000,
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 70000,
]
