"""Memory while many items are saved and read: it must not grow with their number.

Nothing is timed. Measured is tracemalloc's peak over what was there before: everything that Python
allocates in this process, botocore's and the mapper's share included. Left out is the engine: it is
canned, or in a process of its own. Not compared with anything but the size of the data, because
boto3's paginator and batch writer are lazy too.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from dynattrs import Session, model, partition_key, sort_key

COUNT = 10_000
TEXT = 1_000
PAGE_ITEMS = 250
MB = 1_000_000

#: Two pages of 250 KB, four batches of 25 KB: as attribute maps, as JSON and as objects.
BOUND = 4 * MB


@model("readings")
class Reading:
    sensor: str = partition_key()
    number: int = sort_key()
    text: str
    value: float = 0.0


def readings(count: int) -> Iterator[Reading]:
    """Objects of 1 KB, each made when it is asked for."""
    for number in range(count):
        yield Reading("s1", number, f"{number:05}".ljust(TEXT, "."), number / 4)


class Canned:
    """Answers the requests of a client, without a network and without keeping anything.

    Whatever it is asked for has `count` items, in pages that are made when they are asked for.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.written = 0
        self.pages = 0
        self._lock = threading.Lock()

    def client(self) -> Any:
        client = boto3.client(
            "dynamodb",
            region_name="us-east-1",
            aws_access_key_id="canned",
            aws_secret_access_key="canned",
            # botocore would look for such headers in vain.
            config=Config(retries={"mode": "standard", "total_max_attempts": 1}),
        )
        client.meta.events.register("before-send.dynamodb", self._answer)
        return client

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        operation = request.headers["X-Amz-Target"].decode().rpartition(".")[2]
        parameters = json.loads(request.body)
        reply = json.dumps(getattr(self, operation)(parameters)).encode()
        headers = {"content-type": "application/x-amz-json-1.0", "content-length": str(len(reply))}
        return AWSResponse(request.url, 200, headers, _Body(reply))

    def BatchWriteItem(self, parameters: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        with self._lock:
            self.written += sum(map(len, parameters["RequestItems"].values()))
        return {"UnprocessedItems": {}}

    def Query(self, parameters: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        last = parameters.get("ExclusiveStartKey", {"number": {"N": "-1"}})
        start = int(last["number"]["N"]) + 1
        numbers = range(start, min(start + PAGE_ITEMS, self.count))
        self.pages += 1
        items = [
            {
                "sensor": {"S": "s1"},
                "number": {"N": str(number)},
                "text": {"S": f"{number:05}".ljust(TEXT, ".")},
                "value": {"N": str(number / 4)},
            }
            for number in numbers
        ]
        reply = {"Items": items, "Count": len(items), "ScannedCount": len(items)}
        if numbers.stop < self.count:
            reply["LastEvaluatedKey"] = {name: items[-1][name] for name in ("sensor", "number")}
        return reply

    Scan = Query


class _Body:
    """What an HTTP reply's body is to botocore."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self._content


def peak_of(work: Callable[[], object]) -> int:
    """The most bytes that *work* has had at one time, over what there was before."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def save_in_a_block(session: Session, count: int) -> None:
    with session.batch() as batch:
        for reading in readings(count):
            batch.save(reading)


def save_all(session: Session, count: int) -> None:
    session.save_all(readings(count))


def iterate(found: Iterable[Reading], count: int) -> None:
    seen = 0
    total = 0.0
    for reading in found:
        assert reading.number == seen
        seen += 1
        total += reading.value
    assert seen == count
    assert total == sum(range(count)) / 4


def query(session: Session, count: int) -> None:
    iterate(session.query(Reading).where(Reading.sensor == "s1"), count)


def scan(session: Session, count: int) -> None:
    iterate(session.scan(Reading), count)


@pytest.mark.parametrize("save", [save_in_a_block, save_all])
def test_saving_10000_items_takes_constant_memory(
    save: Callable[[Session, int], None], figure: Callable[[str], None]
) -> None:
    """Items come from a generator and go to canned BatchWriteItem replies, four in flight."""
    peaks = {}
    save(Session(client=Canned(100).client()), 100)  # what is generated and cached only once
    for count in (COUNT // 4, COUNT):
        canned = Canned(count)
        session = Session(client=canned.client())
        save(session, 100)
        canned.written = 0

        peaks[count] = peak_of(lambda session=session, count=count: save(session, count))

        assert canned.written == count
        session.close()

    _check(f"{save.__name__}, canned", peaks, figure)


@pytest.mark.parametrize("read", [query, scan])
def test_iterating_10000_items_takes_constant_memory(
    read: Callable[[Session, int], None], figure: Callable[[str], None]
) -> None:
    """Pages of 250 items are generated when they are asked for; two are held at a time."""
    peaks = {}
    for count in (COUNT // 4, COUNT):
        canned = Canned(count)
        session = Session(client=canned.client())
        read(session, count)
        canned.pages = 0

        peaks[count] = peak_of(lambda session=session, count=count: read(session, count))

        assert canned.pages == count // PAGE_ITEMS
        session.close()

    _check(f"{read.__name__}, canned", peaks, figure)


def test_10000_items_pass_through_the_embedded_engine_in_constant_memory(
    figure: Callable[[str], None],
) -> None:
    """Saved in a block and queried back, over HTTP. The engine, which holds all items, runs in
    another process, so its memory is not counted. It caps its pages at 1 MB, as the service does;
    asked for are pages of 250 items.
    """
    peaks: dict[str, dict[int, int]] = {"save": {}, "query": {}}
    for count in (COUNT // 4, COUNT):
        with embedded_elsewhere() as arguments:
            session = Session(client=boto3.client("dynamodb", **arguments))
            session.tables.create(Reading)
            save_in_a_block(session, 100)
            found = session.query(Reading).where(Reading.sensor == "s1").page_size(PAGE_ITEMS)
            iterate(found, 100)

            peaks["save"][count] = peak_of(
                lambda session=session, count=count: save_in_a_block(session, count)
            )
            peaks["query"][count] = peak_of(lambda found=found, count=count: iterate(found, count))

            session.close()

    for name, measured in peaks.items():
        _check(f"{name}, embedded engine", measured, figure)


def _check(what: str, peaks: dict[int, int], figure: Callable[[str], None]) -> None:
    few, many = peaks[COUNT // 4], peaks[COUNT]
    figure(
        f"{what}: peak {many / MB:.2f} MB for {COUNT:,} items of {TEXT:,} characters "
        f"({COUNT * TEXT / MB:.0f} MB of text), {few / MB:.2f} MB for a quarter of them"
    )
    assert many < BOUND
    assert many < few * 1.5 + 0.2 * MB, "it grows with the number of items"


@contextlib.contextmanager
def embedded_elsewhere() -> Iterator[dict[str, str]]:
    """The embedded engine in another process; yields the arguments for a client."""
    pytest.importorskip("ministack", reason="needs dynattrs[local]")
    code = """
import json, sys
from dynattrs.wire.local_engine import start
with start() as lease:
    print(json.dumps(lease.client_arguments), flush=True)
    sys.stdin.read()
"""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], text=True, **pipes) as process:
        assert process.stdout is not None
        # It ends when its standard input does, also if this process is killed.
        try:
            yield json.loads(process.stdout.readline())
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(30)
