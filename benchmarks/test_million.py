"""Memory while a million small items go through `save_all`: it must stay near where it was.

Nothing is timed. Measured is the peak resident size of a process of its own, over that process's
peak after a thousand items: Python, botocore, its buffers and connections included. The server, in the
process of the test, acknowledges everything and keeps nothing. A generator makes each object when it is
asked for.

    uv run --group bench pytest benchmarks/test_million.py

takes some minutes. `DYNATTRS_ITEMS` sets another number of items.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from zlib import crc32

COUNT = int(os.environ.get("DYNATTRS_ITEMS", "1000000"))
BOUND_MB = 64

PROGRAM = """
import resource, sys
import boto3
from dynattrs import Session, model, partition_key, sort_key

@model("readings")
class Reading:
    sensor: str = partition_key()
    number: int = sort_key()
    value: float = 0.0
    text: str = ""

def readings(count):
    for number in range(count):
        yield Reading("s1", number, number / 4, f"reading {number}")

def peak():
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

client = boto3.client("dynamodb", endpoint_url=sys.argv[1], region_name="us-east-1",
                      aws_access_key_id="canned", aws_secret_access_key="canned")
session = Session(client=client)
session.save_all(readings(1_000))
before = peak()
session.save_all(readings(int(sys.argv[2])))
print(before, peak())
"""


class Server:
    """Acknowledges each BatchWriteItem, and counts the requests in it."""

    def __init__(self) -> None:
        self.written = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reply = json.dumps({"UnprocessedItems": {}}).encode()
        head = (
            "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\n"
            f"x-amz-crc32: {crc32(reply)}\r\ncontent-length: {len(reply)}\r\n\r\n"
        )
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                headers = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(headers.partition(b"content-length:")[2].partition(b"\r\n")[0])
                body = await reader.readexactly(length)
                self.written += body.count(b'"PutRequest"')
                writer.write(head.encode() + reply)
        writer.close()


@contextlib.contextmanager
def served() -> Iterator[tuple[Server, str]]:
    """The server in a thread of this process; its address."""
    server, loop = Server(), asyncio.new_event_loop()
    listening = loop.run_until_complete(asyncio.start_server(server.serve, "127.0.0.1", 0))
    port = listening.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server, f"http://127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        listening.close()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def test_a_million_small_items_stay_within_64_mb(figure: Callable[[str], None]) -> None:
    with served() as (server, address):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", PROGRAM, address, str(COUNT)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip

    assert server.written == COUNT + 1_000
    before, after = map(int, done.stdout.split())
    figure(
        f"save_all of {COUNT:,} items: peak {after / 1e6:.1f} MB resident, "
        f"{(after - before) / 1e6:.1f} MB over the {before / 1e6:.1f} MB after a thousand"
    )
    assert after - before < BOUND_MB * 1_000_000
