"""A server that answers as DynamoDB does, quickly, from stored pieces, and checks what it was sent.

What clients are compared by is their own CPU, so the server is a process of its own whose CPU nobody
counts. It keeps nothing that is written. What it knows is in a table's name:

    SHAPE.PAGE.TOTAL[.LATENCY]        flat-11.1000.4000, or flat-11.100.10000.5

is a table of TOTAL items of SHAPE (`shapes.py`) whose pages hold PAGE of them; answers come after
LATENCY milliseconds. Every item has the partition key "Nina Simone".

Tables of another kind have a partition that takes only so much: see `partitions.py`.

It checks each request: the signature, the headers, the key, the expressions, and every item that is
written against the one that should be. To answer quickly it does so afterwards, when the target
`Canned.Report` is asked for; the report counts what was seen and says what was wrong.

    python -m benchmarks.canned       prints its address; ends with its standard input

Only the standard library is used.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import hmac
import json
import re
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from email.utils import formatdate
from pathlib import Path
from typing import Any
from zlib import crc32

from benchmarks import partitions, processors
from benchmarks.shapes import ARTIST, CHANGED, PERIOD, Shape, attribute, check_item, shape

REGION = "us-east-1"
ACCESS_KEY = "canned"
SECRET_KEY = "canned-secret"

#: What is held back for checking, at most; past that it is checked between two answers.
_PENDING_BYTES = 64_000_000
_PAGES_KEPT = 128


class Refused(Exception):
    """The request is not what it should be."""


# --- Tables ---------------------------------------------------------------------------------------


class Table:
    """A table, as its name describes it."""

    def __init__(self, name: str) -> None:
        try:
            kind, page, total, *latency = name.split(".")
            self.shape: Shape = shape(kind)
            self.page = int(page)
            self.total = int(total)
            self.latency = int(latency[0]) / 1000 if latency else 0.0
        except (ValueError, IndexError):
            raise Refused(f"no table is called {name!r}") from None
        self.name = name

    @functools.cache  # noqa: B019 - tables are kept for good
    def _piece(self, index: int) -> bytes:
        """An item of the first period as JSON; of later ones, what is written as title is replaced."""
        return _json(self.shape.item(index))

    def number(self, key: dict[str, Any]) -> int:
        """The number of the item that has *key*."""
        try:
            assert tuple(sorted(key)) == self.shape.key_names
            number = int(key[self.shape.key_names[1]]["S"].rpartition("Title ")[2])
            assert key == self.shape.key(number)
            assert 0 <= number < self.total
        except (AssertionError, KeyError, ValueError):
            raise Refused(f"{self.name} has no item with key {key}") from None
        return number

    def body(self, start: int, stop: int) -> bytes:
        """The items from *start* to before *stop*, as a JSON array without its brackets."""
        parts = []
        while start < stop:
            thousand, index = divmod(start, PERIOD)
            end = min(stop, (thousand + 1) * PERIOD)
            joined = b",".join(map(self._piece, range(index, index + end - start)))
            if thousand:
                joined = joined.replace(b"Title 0000", b"Title %04d" % thousand)
            parts.append(joined)
            start = end
        return b",".join(parts)

    @functools.lru_cache(maxsize=_PAGES_KEPT)  # noqa: B019 - tables are kept for good
    def page_from(self, start: int, stop: int, end: int, metered: bool) -> bytes:
        """A reply of a query or scan.

        Args:
            start: The first item in it.
            stop: The item after the last one in it.
            end: The item after the last one that is asked for: no key is given when it is reached.
            metered: Whether capacity was asked for.
        """
        found = stop - start
        reply = b'{"Count":%d,"Items":[%b],' % (found, self.body(start, stop))
        if stop < end:
            reply += b'"LastEvaluatedKey":%b,' % _json(self.shape.key(stop - 1))
        if metered:
            reply += b'"ConsumedCapacity":%b,' % _json(self.units(found / 20))
        return reply + b'"ScannedCount":%d}' % found

    def units(self, units: float) -> dict[str, Any]:
        return {"TableName": self.name, "CapacityUnits": units}


@functools.lru_cache
def table_called(name: str) -> Table:
    return Table(name)


# --- Answers --------------------------------------------------------------------------------------


def answer(operation: str, body: bytes) -> tuple[bytes, float]:
    """The reply to a request, and the seconds to wait before it.

    Raises:
        Refused: There is no answer to such a request here.
    """
    if operation == "BatchWriteItem":
        return _batch_answer(body)
    if operation == "BatchGetItem":
        return _found_answer(json.loads(body)["RequestItems"])
    if operation == "GetItem":
        return _got(body)
    if operation == "PutItem":
        return _put_answer(body)
    if operation == "DescribeTable":
        return _described(json.loads(body)["TableName"]), 0.0
    request = json.loads(body)
    table = table_called(request["TableName"])
    metered = request.get("ReturnConsumedCapacity", "NONE") != "NONE"
    if operation in ("Query", "Scan"):
        return _page_answer(table, request, metered), table.latency
    reply: dict[str, Any] = {}
    if operation == "UpdateItem":
        if request.get("ReturnValues") == "ALL_NEW":
            number = table.number(request["Key"])
            reply["Attributes"] = table.shape.item(number) | _changed(table.shape)
    else:
        raise Refused(f"{operation} is not answered here")
    if metered:
        reply["ConsumedCapacity"] = table.units(1.0)
    return _json(reply), table.latency


@functools.lru_cache(maxsize=8192)
def _got(body: bytes) -> tuple[bytes, float]:
    """The reply to a GetItem. Under load it must not be the server that takes the time."""
    request = json.loads(body)
    table = table_called(request["TableName"])
    reply: dict[str, Any] = {"Item": table.shape.item(table.number(request["Key"]))}
    if request.get("ReturnConsumedCapacity", "NONE") != "NONE":
        reply["ConsumedCapacity"] = table.units(1.0)
    return _json(reply), table.latency


_TABLE_OF_PUT = re.compile(rb'"TableName"\s*:\s*"([^"]+)"')


def _put_answer(body: bytes) -> tuple[bytes, float]:
    # The body is read when it is checked, not now.
    found = _TABLE_OF_PUT.search(body)
    if found is None:
        raise Refused("PutItem names no table")
    table = table_called(found[1].decode())
    metered = b'"ReturnConsumedCapacity"' in body
    return _json({"ConsumedCapacity": table.units(1.0)} if metered else {}), table.latency


def _page_answer(table: Table, request: dict[str, Any], metered: bool) -> bytes:
    pages = -(-table.total // table.page)
    start, end = 0, table.total
    if "TotalSegments" in request:
        segments, segment = request["TotalSegments"], request["Segment"]
        start = pages * segment // segments * table.page
        end = min(table.total, pages * (segment + 1) // segments * table.page)
    if "ExclusiveStartKey" in request:
        start = table.number(request["ExclusiveStartKey"]) + 1
    stop = min(start + request.get("Limit", table.page), start + table.page, end)
    return table.page_from(start, stop, end, metered)


_TABLE_IN_BATCH = re.compile(rb'"((?:flat|nested|mixed|keyed|text|vector)-[0-9.]+)"\s*:\s*\[')


def _batch_answer(body: bytes) -> tuple[bytes, float]:
    # The body is read when it is checked, not now.
    found = _TABLE_IN_BATCH.search(body)
    if found is None:
        raise Refused("BatchWriteItem names no table that is here")
    table = table_called(found[1].decode())
    reply: dict[str, Any] = {"UnprocessedItems": {}}
    if b'"ReturnConsumedCapacity"' in body:
        reply["ConsumedCapacity"] = [table.units(25.0)]
    return _json(reply), table.latency


def _found_answer(asked: dict[str, Any]) -> tuple[bytes, float]:
    found = {}
    for name, each in asked.items():
        table = table_called(name)
        found[name] = [table.shape.item(table.number(key)) for key in each["Keys"]]
    return _json({"Responses": found, "UnprocessedKeys": {}}), table.latency


def _described(name: str) -> bytes:
    partition, sort = table_called(name).shape.key_names
    schema = [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]
    return _json({"Table": {"TableName": name, "KeySchema": schema}})


def _changed(of: Shape) -> dict[str, Any]:
    changing = [field for field in of.fields if field.name in CHANGED]
    return {field.name: attribute(field, CHANGED[field.name]) for field in changing}


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


# --- Checks ---------------------------------------------------------------------------------------


class Ledger:
    """The requests that were answered, and what was found when they were checked."""

    def __init__(self) -> None:
        self._pending: list[tuple[dict[str, str] | bytes, bytes]] = []
        self._size = 0
        self._clear()

    def _clear(self) -> None:
        self.requests: Counter[str] = Counter()
        self.items = 0
        self.errors: list[str] = []

    def note(self, headers: dict[str, str] | bytes, body: bytes) -> None:
        """Keep a request until it is checked.

        Args:
            headers: By name, or as they came.
            body: What follows them.
        """
        self._pending.append((headers, body))
        self._size += len(body)
        if self._size > _PENDING_BYTES:
            self._check()

    def report(self, *, sets_as_lists: bool = False, ignored: Sequence[str] = ()) -> dict[str, Any]:
        """What was seen since the last report.

        Args:
            sets_as_lists: Let a set pass that is written as a list; pydynox's models write it so.
            ignored: Attributes that a library adds for itself.
        """
        self._check(sets_as_lists, ignored)
        report = {"requests": dict(self.requests), "items": self.items, "errors": self.errors[:5]}
        self._clear()
        return report

    def _check(self, sets_as_lists: bool = False, ignored: Sequence[str] = ()) -> None:
        pending, self._pending, self._size = self._pending, [], 0
        for head, body in pending:
            headers = _headers(head) if isinstance(head, bytes) else head
            operation = operation_of(headers)
            self.requests[operation] += 1
            try:
                check_signature(headers, body)
                request = json.loads(body)
                if sets_as_lists:
                    _sets_from_lists(request)
                self.items += check_request(operation, request, ignored)
            except Exception as error:  # whatever it is, the client is to blame
                self.errors.append(f"{operation}: {error}")


def _sets_from_lists(request: dict[str, Any]) -> None:
    writes = [write for each in request.get("RequestItems", {}).values() for write in each]
    items = [write["PutRequest"]["Item"] for write in writes] + [request.get("Item", {})]
    for item in items:
        if "L" in item.get("tags", {}):
            item["tags"] = {"SS": [each["S"] for each in item["tags"]["L"]]}


def operation_of(headers: dict[str, str]) -> str:
    return headers.get("x-amz-target", "").rpartition(".")[2]


def check_signature(headers: dict[str, str], body: bytes) -> None:
    """Compare the signature of a request with the one it should have.

    How it is made: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html

    Raises:
        Refused: They differ, or a header is not what DynamoDB asks for.
    """
    if headers.get("content-type") != "application/x-amz-json-1.0":
        raise Refused(f"content-type is {headers.get('content-type')!r}")
    given = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/dynamodb/aws4_request, ?"
        r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})",
        headers.get("authorization", ""),
    )
    if given is None:
        raise Refused("there is no AWS4-HMAC-SHA256 authorization")
    access_key, day, region, signed, signature = given.groups()
    stamp = headers.get("x-amz-date", "")
    made = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    if abs(datetime.now(timezone.utc) - made) > timedelta(minutes=15) or stamp[:8] != day:
        raise Refused(f"the signature is of {stamp}")
    if access_key != ACCESS_KEY or region != REGION:
        raise Refused(f"the credential is {access_key} in {region}")
    names = signed.split(";")
    if not {"host", "x-amz-date", "x-amz-target"} <= set(names) or names != sorted(names):
        raise Refused(f"signed are {signed}")
    # aiodynamo signs the host without its port. The service has none in its addresses.
    hosts = {headers["host"], headers["host"].partition(":")[0]}
    if signature not in {_signature({**headers, "host": host}, names, body) for host in hosts}:
        raise Refused("the signature does not match")


def _signature(headers: dict[str, str], names: list[str], body: bytes) -> str:
    lines = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in names)
    canonical = f"POST\n/\n\n{lines}\n{';'.join(names)}\n{hashlib.sha256(body).hexdigest()}"
    stamp = headers["x-amz-date"]
    day = stamp[:8]
    scope = f"{day}/{REGION}/dynamodb/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
    return hmac.digest(_signing_key(day), text.encode(), "sha256").hex()


@functools.lru_cache
def _signing_key(day: str) -> bytes:
    key = f"AWS4{SECRET_KEY}".encode()
    for part in (day, REGION, "dynamodb", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


_MEANINGLESS = frozenset({"FilterExpression", "IndexName", "AttributesToGet"})


def check_request(operation: str, request: dict[str, Any], ignored: Sequence[str] = ()) -> int:
    """Check a request's parameters.

    Args:
        operation: What is asked for.
        request: Its parameters.
        ignored: Attributes that a single write may have besides.

    Returns:
        How many items it writes.

    Raises:
        Refused: Something is not as it should be.
        ValueError: So is something in an item.
    """
    if operation == "BatchWriteItem":
        return _check_batch(request["RequestItems"])
    if operation in ("BatchGetItem", "DescribeTable"):
        return 0  # the keys were checked when they were answered
    table = table_called(request["TableName"])
    odd = _MEANINGLESS & request.keys()
    if odd:
        raise Refused(f"{', '.join(odd)} would be ignored")
    if "ProjectionExpression" in request:
        _check_projection(table, request)
    if operation == "Query":
        names, values = _condition(request)
        if (names, values) != (["artist"], [{"S": ARTIST}]):
            raise Refused(f"the key condition compares {names} with {values}")
    elif operation == "GetItem":
        table.number(request["Key"])
    elif operation == "PutItem":
        item = request["Item"]
        _check_written(table, {name: item[name] for name in item if name not in ignored})
        return 1
    elif operation == "UpdateItem":
        number = table.number(request["Key"])
        assigned = _assignments(request)
        found = {name: assigned[name] for name in assigned if name not in ignored}
        expected = _changed(table.shape)
        if len(found) > len(CHANGED):  # bloop sends every attribute, changed or not
            whole = table.shape.item(number)
            found |= request["Key"]
            expected = whole | expected if found.get("genre") == expected["genre"] else whole
        check_item(found, expected)
        return 1
    return 0


def _check_batch(batch: dict[str, Any]) -> int:
    count = 0
    for name, writes in batch.items():
        table = table_called(name)
        for write in writes:
            _check_written(table, write["PutRequest"]["Item"])
        count += len(writes)
    if not 1 <= count <= 25:
        raise Refused(f"{count} writes in one batch")
    return count


def _check_written(table: Table, item: dict[str, Any]) -> None:
    number = table.number({name: item[name] for name in table.shape.key_names})
    check_item(item, table.shape.item(number))


_EQUALITY = re.compile(r"\(?\s*([#\w]+)\s*=\s*(:\w+)\s*\)?")


def _condition(request: dict[str, Any]) -> tuple[list[str], list[Any]]:
    found = _EQUALITY.fullmatch(request["KeyConditionExpression"].strip())
    if found is None:
        raise Refused(f"the key condition is {request['KeyConditionExpression']!r}")
    names = request.get("ExpressionAttributeNames", {})
    return [names.get(found[1], found[1])], [request["ExpressionAttributeValues"][found[2]]]


def _assignments(request: dict[str, Any]) -> dict[str, Any]:
    """What a SET expression sets."""
    names = request.get("ExpressionAttributeNames", {})
    expression = request["UpdateExpression"].strip()
    if not expression.startswith("SET "):
        raise Refused(f"the update is {expression!r}")
    found = {}
    for part in expression.removeprefix("SET ").split(","):
        pair = _EQUALITY.fullmatch(part.strip())
        if pair is None:
            raise Refused(f"the update is {expression!r}")
        found[names.get(pair[1], pair[1])] = request["ExpressionAttributeValues"][pair[2]]
    return found


def _check_projection(table: Table, request: dict[str, Any]) -> None:
    names = request.get("ExpressionAttributeNames", {})
    asked = {name.strip() for name in request["ProjectionExpression"].split(",")}
    if {names.get(name, name) for name in asked} != {field.name for field in table.shape.fields}:
        raise Refused("a projection of only some attributes would be ignored")


# --- HTTP -----------------------------------------------------------------------------------------


class Connection(asyncio.Protocol):
    """One connection that is kept open: requests of HTTP/1.1 with a content-length, one at a time."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._buffer = bytearray()
        self._head: bytes | None = None
        self._length = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._take():
            pass

    def _take(self) -> bool:
        if self._head is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return False
            self._head = bytes(self._buffer[:end])
            del self._buffer[: end + 4]
            length = _LENGTH.search(self._head)
            self._length = int(length[1]) if length else 0
        if len(self._buffer) < self._length:
            return False
        head, body = self._head, bytes(self._buffer[: self._length])
        del self._buffer[: self._length]
        self._head = None
        self._request(head, body)
        return True

    def _request(self, head: bytes, body: bytes) -> None:
        target = _TARGET.search(head)
        operation = target[1].decode() if target else ""
        if operation == "Report":
            asked = json.loads(body)
            table = asked.pop("partitions", None)
            (processors.use_last if asked.pop("on_last", False) else processors.use_all)()
            found = (
                partitions.partitions_called(table).report()
                if table
                else self._ledger.report(**asked)
            )
            self._send(200, _json(found))
            return
        if partitions.named_in(body):
            check_signature(_headers(head), body)
            status, found, latency = partitions.answer(operation, body)
            asyncio.get_running_loop().call_later(latency, self._send, status, _json(found))
            return
        self._ledger.note(head, body)
        try:
            reply, latency = answer(operation, body)
        except Exception as error:  # whatever it is, the client is to blame
            message = {
                "__type": "com.amazon.coral.validate#ValidationException",
                "message": str(error),
            }
            self._send(400, _json(message))
            return
        if latency:
            asyncio.get_running_loop().call_later(latency, self._send, 200, reply)
        else:
            self._send(200, reply)

    def _send(self, status: int, body: bytes) -> None:
        if self._transport is None:
            return
        # The very headers of the service.
        self._transport.write(
            b"HTTP/1.1 %d %b\r\nServer: Server\r\nDate: %b\r\n"
            b"Content-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n"
            b"Connection: keep-alive\r\n"
            b"x-amzn-RequestId: CANNED0000000000000000000000000000000000000000000000\r\n"
            b"x-amz-crc32: %d\r\n\r\n%b"
            % (
                status, b"OK" if status == 200 else b"Bad Request", _date(int(time.time())),
                len(body), crc32(body), body,
            )
        )  # fmt: skip


_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_TARGET = re.compile(rb"\r\nx-amz-target: *\w+\.(\w+)", re.IGNORECASE)


@functools.lru_cache(maxsize=1)
def _date(second: int) -> bytes:
    # A client corrects its clock by it.
    return formatdate(second, usegmt=True).encode()


def _headers(head: bytes) -> dict[str, str]:
    _, *lines = head.decode("latin-1").split("\r\n")
    found = {}
    for line in lines:
        name, _, value = line.partition(":")
        found[name.lower()] = value.strip()
    return found


async def serve() -> None:
    """Serve on a free port of the loopback interface until standard input ends."""
    loop = asyncio.get_running_loop()
    ledger = Ledger()
    server = await loop.create_server(lambda: Connection(ledger), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    print(f"http://{host}:{port}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    # Not waited for: connections that clients keep open would hold it up, since Python 3.12.
    server.close()


# --- For whoever needs one ------------------------------------------------------------------------


@contextlib.contextmanager
def running() -> Iterator[str]:
    """A server in a process of its own; yields its address."""
    arguments = [sys.executable, "-m", "benchmarks.canned"]
    root = Path(__file__).parent.parent
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(arguments, text=True, cwd=root, **pipes) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(30)


def report(address: str, **options: Any) -> dict[str, Any]:
    """What a server has seen since it was last asked: requests by operation, items, errors.

    Options are those of `Ledger.report`, and *on_last*: whether to serve on the last processor from now on.
    """
    request = urllib.request.Request(address, _json(options), {"X-Amz-Target": "Canned.Report"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        found: dict[str, Any] = json.load(reply)
    return found


if __name__ == "__main__":
    asyncio.run(serve())
