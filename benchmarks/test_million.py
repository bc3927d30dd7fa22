"""Memory while a million small items are saved, and read: it must stay where it was.

Nothing is timed. Measured is the peak resident size of a process of its own, over that process's peak
after a tenth of them: Python, botocore, its buffers and connections included. The server is elsewhere,
acknowledges everything and keeps nothing. What is saved comes from a generator, which makes each object
when it is asked for; what is read is counted and let go.

    uv run --group bench pytest benchmarks/test_million.py

takes half a minute. `DYNATTRS_ITEMS` sets another number of items.
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

from benchmarks import canned

COUNT = int(os.environ.get("DYNATTRS_ITEMS", "1000000"))
BOUND_MB = 2

#: Of both programs: the model, the session, and what the process has had.
_COMMON = """
import resource, sys
import boto3
from dynattrs import Session, model, partition_key, sort_key

address, table, count = sys.argv[1], sys.argv[2], int(sys.argv[3])

@model(table)
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    genre: str
    plays: int
    seconds: float

def peak():
    try:  # ru_maxrss begins with what the parent had before it became this program
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

client = boto3.client("dynamodb", endpoint_url=address, region_name="us-east-1",
                      aws_access_key_id="canned", aws_secret_access_key="canned-secret")
session = Session(client=client)
"""

SAVE = f"""{_COMMON}
def songs(count):
    for number in range(count):
        yield Song("Nina Simone", f"Title {{number:07}}", "soul", number, number / 4)

session.save_all(songs(count // 10))
before = peak()
session.save_all(songs(count))
print(before, peak())
"""

READ = f"""{_COMMON}
def read(count):
    found = session.scan(Song).limit(count)
    assert sum(1 for song in found if song.artist == "Nina Simone") == count

read(count // 10)
before = peak()
read(count)
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


def run(program: str, address: str) -> tuple[int, int]:
    """The most bytes that *program* has had after a tenth of the items, and after all."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, address, f"flat-5.1000.{COUNT}", str(COUNT)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    before, after = map(int, done.stdout.split())
    return before, after


def said(what: str, before: int, after: int) -> str:
    return (
        f"{what} of {COUNT:,} items: peak {after / 1e6:.1f} MB resident, "
        f"{(after - before) / 1e6:.2f} MB over the {before / 1e6:.1f} MB after a tenth of them"
    )


def test_a_million_items_are_saved_in_the_memory_of_a_tenth(figure: Callable[[str], None]) -> None:
    with served() as (server, address):
        before, after = run(SAVE, address)

    assert server.written == COUNT + COUNT // 10
    figure(said("save_all", before, after))
    assert after - before < BOUND_MB * 1_000_000


def test_a_million_items_are_read_in_the_memory_of_a_tenth(figure: Callable[[str], None]) -> None:
    with canned.running() as address:
        before, after = run(READ, address)

    figure(said("scan", before, after))
    assert after - before < BOUND_MB * 1_000_000
