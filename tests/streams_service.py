"""DynamoDB Streams as a test wants it: shards that split, iterators that expire, records that are trimmed.

It stands in front of a real client of botocore's or aiobotocore's (`answers`), or answers calls of flows
(`call`). Time is the test's: nothing waits, and minutes pass when a test says so. Where the service's
pages leave room, it takes the harder reading:

- Sequence numbers are neither of one length nor dense; those of the children of a shard are mixed.
- A record's time is rounded down, to the second or as `coarse` says, and AT_TIMESTAMP compares with that.
- What DescribeStream says may be some seconds old (`stale`): a shard has ended, and no child is there yet.
- A page may be empty though records follow (`holes`), and the last page of a closed shard may be.
- A position counts as trimmed when the record that it names is, even if none follows.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB_Streams.html
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import random
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import attrs
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError

from dynattrs.operations.flows import Call
from dynattrs.operations.requests import operation_name
from dynattrs.wire.service_errors import translate

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
NOON = datetime(2026, 11, 27, 12, tzinfo=timezone.utc)
HOURS = 3600.0
RETENTION = 24 * HOURS
#: From the moment when an iterator is given.
ITERATOR_LIVES = 15 * 60.0
MOST_SHARDS = 100  # of a reply of DescribeStream
MOST_RECORDS = 1000  # of a reply of GetRecords
DESCRIBED_A_SECOND = 10
HASHES = 2**32

NUMBERED = ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER")
THROTTLED = {
    "ThrottlingException": "Rate exceeded",
    "LimitExceededException": "Your request rate is too high",
    "ProvisionedThroughputExceededException": "The level of configured throughput was exceeded",
}
TRIMMED = "The operation attempted to read past the oldest stream record in a shard"


class Clock:
    """Seconds since 1970, moved by hand."""

    def __init__(self, start: datetime = NOON) -> None:
        self.seconds = (start - EPOCH).total_seconds()

    def __call__(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


class Refused(Exception):
    """What the service answers instead of a reply."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status

    def body(self) -> dict[str, Any]:
        return {
            "Error": {"Code": self.code, "Message": self.message},
            "message": self.message,
            "ResponseMetadata": metadata(self.status),
        }


@attrs.define(eq=False)
class Shard:
    """A shard: those keys whose hashes are in its range, from its opening to its end."""

    id: str
    parent: str | None
    hashes: tuple[int, int]
    first: int
    opened: float
    last: int | None = None
    closed: float = 0.0
    records: deque[tuple[int, float, dict[str, Any]]] = attrs.field(factory=deque)
    #: The number of the newest record that is gone.
    trimmed: int = 0


@attrs.frozen
class Asked:
    """A request: when, for what, and for which shard."""

    at: float
    operation: str
    shard: str | None
    refused: str | None = None


class Stream:
    """The stream of a table, and the items of that table.

    Args:
        service: Where it is.
        table: The table's name.
        key: The key attributes.
        arn: Its ARN, where a real table has one.
    """

    def __init__(
        self, service: StreamsService, table: str, key: tuple[str, ...], *, view: str,
        arn: str | None = None, shards: int = 1,
    ) -> None:  # fmt: skip
        self._service = service
        label = service.time.isoformat(timespec="milliseconds").removesuffix("+00:00")
        self.arn = arn or f"arn:aws:dynamodb:us-east-1:111122223333:table/{table}/stream/{label}"
        self.label = self.arn.rpartition("/stream/")[2]
        self.table, self.key, self.view = table, key, view
        self.created = service.time
        self.status = "ENABLED"
        self.items: dict[str, dict[str, Any]] = {}
        self.shards: list[Shard] = []
        self._number = 10**21 - 4_000  # soon a digit more
        for index in range(shards):
            self._open(None, (HASHES * index // shards, HASHES * (index + 1) // shards))

    # --- Writing ------------------------------------------------------------------------------

    def put(self, **values: Any) -> int:
        """Store an item of strings and numbers; gives the sequence number of its record."""
        return self.write({name: attribute(value) for name, value in values.items()})

    def remove(self, *, expired: bool = False, **key: Any) -> int:
        """Delete the item with a key; by time to live, if it has *expired*."""
        of_key = {name: attribute(value) for name, value in key.items()}
        old = self.items.pop(text(of_key))
        return self._record(of_key, old, None, expired)

    def write(self, item: dict[str, Any]) -> int:
        key = {name: item[name] for name in self.key}
        old = self.items.get(text(key))
        self.items[text(key)] = item
        return self._record(key, old, item, False)

    def _record(self, key: Any, old: Any, new: Any, expired: bool) -> int:
        assert self.status == "ENABLED", "a table whose stream is off writes no records"
        shard = self.shard_of(key)
        at = self._service.now()
        number = self._next()
        coarse = self._service.coarse
        body: dict[str, Any] = {
            "ApproximateCreationDateTime": moment(at - at % coarse),
            "Keys": key,
            "SequenceNumber": str(number),
            "SizeBytes": len(text([key, old, new])),
            "StreamViewType": self.view,
        }
        if new is not None and "NEW" in self.view:
            body["NewImage"] = new
        if old is not None and "OLD" in self.view:
            body["OldImage"] = old
        record = {
            "eventID": f"{hash_of(str(number)):032x}",
            "eventName": "REMOVE" if new is None else "INSERT" if old is None else "MODIFY",
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1",
            "dynamodb": body,
        }
        if expired:
            record["userIdentity"] = {
                "Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"
            }  # fmt: skip
        shard.records.append((number, at, record))
        return number

    def shard_of(self, key: dict[str, Any]) -> Shard:
        """The open shard of a key."""
        partition = hash_of(text(key[self.key[0]]))
        [found] = [s for s in self.open if s.hashes[0] <= partition < s.hashes[1]]
        return found

    def _next(self) -> int:
        self._number += self._service.random.randrange(1, 60)
        return self._number

    # --- Shards -------------------------------------------------------------------------------

    @property
    def open(self) -> list[Shard]:
        return [shard for shard in self.shards if shard.last is None]

    def split(self, shard: Shard | None = None) -> list[Shard]:
        """Close a shard, the first open one unless told; two children share its keys."""
        shard = shard or self.open[0]
        low, high = shard.hashes
        middle = (low + high) // 2
        return self._succeed(shard, [(low, middle), (middle, high)])

    def roll(self, shard: Shard | None = None) -> Shard:
        """Close a shard, as the service does after some hours; one child has its keys."""
        shard = shard or self.open[0]
        [child] = self._succeed(shard, [shard.hashes])
        return child

    def disable(self) -> None:
        """Switch the stream off: its shards are closed, what they hold can be read for 24 hours."""
        self.status = "DISABLED"
        for shard in self.open:
            self._close(shard)

    def _succeed(self, shard: Shard, ranges: list[tuple[int, int]]) -> list[Shard]:
        self._close(shard)
        return [self._open(shard.id, each) for each in ranges]

    def _close(self, shard: Shard) -> None:
        shard.last, shard.closed = self._next(), self._service.now()

    def _open(self, parent: str | None, hashes: tuple[int, int]) -> Shard:
        now = self._service.now()
        number = self._next()
        # Their order by name is not that of their opening.
        name = hash_of(f"{self.arn}{number}")
        identifier = f"shardId-{int(now * 1000):020d}-{name:08x}"
        shard = Shard(identifier, parent, hashes, number, now)
        self.shards.append(shard)
        return shard

    def trim(self) -> None:
        """Forget what is older than 24 hours, and closed shards that hold nothing younger."""
        before = self._service.now() - self._service.retention
        for shard in list(self.shards):
            while shard.records and shard.records[0][1] < before:
                shard.trimmed = shard.records.popleft()[0]
            if shard.last is not None and shard.closed < before:
                self.shards.remove(shard)


class StreamsService:
    """All streams of an account.

    Args:
        clock: Gives the seconds since 1970.
        coarse: To how many seconds a record's time is rounded down; DynamoDB Local takes 60.
        at_timestamp: Whether it knows AT_TIMESTAMP.
        holes: How often a page is empty though records follow, from 0 to 1.
        stale: How old in seconds an answer of DescribeStream is.
        page: At most how many records GetRecords gives, whatever it is asked for.
        shards_a_page: At most how many shards DescribeStream gives.
        seed: Of what is by chance.
    """

    def __init__(
        self, clock: Callable[[], float] | None = None, *, coarse: float = 1.0,
        at_timestamp: bool = True, holes: float = 0.0, stale: float = 0.0, page: int = MOST_RECORDS,
        shards_a_page: int = MOST_SHARDS, seed: int = 0,
    ) -> None:  # fmt: skip
        self.now = clock or Clock()
        self.coarse, self.at_timestamp, self.holes, self.stale = coarse, at_timestamp, holes, stale
        self.page, self.shards_a_page = page, shards_a_page
        self.retention, self.iterators_live = RETENTION, ITERATOR_LIVES
        self.random = random.Random(seed)
        self.streams: dict[str, Stream] = {}
        #: Every request, in order.
        self.asked: list[Asked] = []
        self._failures: defaultdict[str, deque[Refused]] = defaultdict(deque)
        self._described: deque[float] = deque()
        self._script: list[tuple[float, Callable[[], object]]] = []

    # --- What a test says ---------------------------------------------------------------------

    @property
    def time(self) -> datetime:
        return moment(self.now())

    def stream(
        self, table: str, *key: str, view: str = "NEW_AND_OLD_IMAGES", arn: str | None = None,
        shards: int = 1,
    ) -> Stream:  # fmt: skip
        """Switch on a stream of a table with some key attributes."""
        made = Stream(self, table, key or ("pk",), view=view, arn=arn, shards=shards)
        self.streams[made.arn] = made
        return made

    def fail(self, operation: str, *codes: str, status: int = 400) -> None:
        """Refuse the next requests of an operation (`get_records`), one for each code."""
        for code in codes:
            refused = Refused(code, THROTTLED.get(code, "as the test says"), status)
            self._failures[operation].append(refused)

    def at(self, seconds: float, act: Callable[[], object]) -> None:
        """Do something before the first request that comes when so many seconds from now have gone by."""
        self._script.append((self.now() + seconds, act))
        self._script.sort(key=lambda each: each[0])

    @property
    def counted(self) -> Counter[str]:
        """How often each operation was asked for."""
        return Counter(each.operation for each in self.asked)

    # --- Who asks -----------------------------------------------------------------------------

    @contextlib.contextmanager
    def answers(self, client: Any) -> Iterator[Any]:
        """Answer what a client of `dynamodbstreams` is asked, of botocore's or of aiobotocore's."""
        event = "before-call.dynamodb-streams"
        client.meta.events.register_first(event, self._before_call)
        try:
            yield client
        finally:
            client.meta.events.unregister(event, self._before_call)

    def _before_call(self, model: Any, params: Any, **_: Any) -> tuple[AWSResponse, Any]:
        from botocore import xform_name

        parameters = json.loads(params["body"])
        try:
            reply, status = self.ask(xform_name(model.name), parameters), 200
        except Refused as refused:
            reply, status = refused.body(), refused.status
        return AWSResponse(params["url"], status, {}, None), reply

    def call(self, call: Call) -> Any:
        """The outcome of a call of a flow, as a session's wire has it: the reply, or its error."""
        parameters: Any = call.parameters
        try:
            return self.ask(call.operation, parameters)
        except Refused as refused:
            body: Any = refused.body()
            operation = operation_name(call.operation)
            return translate(ClientError(body, operation), operation, None)

    def ask(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """The reply to a request, as botocore has parsed it.

        Raises:
            Refused: The service would refuse it.
        """
        while self._script and self._script[0][0] <= self.now():
            self._script.pop(0)[1]()
        for stream in list(self.streams.values()):
            stream.trim()
            if stream.status == "DISABLED" and not stream.shards:
                del self.streams[stream.arn]
        shard = parameters.get("ShardId")
        if operation == "get_records":
            with contextlib.suppress(Refused):
                shard = Position.read(parameters["ShardIterator"]).shard
        try:
            if self._failures[operation]:
                raise self._failures[operation].popleft()
            reply: dict[str, Any] = getattr(self, f"_{operation}")(**parameters)
        except Refused as refused:
            self.asked.append(Asked(self.now(), operation, shard, refused.code))
            raise
        self.asked.append(Asked(self.now(), operation, shard))
        return {**reply, "ResponseMetadata": metadata(200)}

    # --- Its operations -----------------------------------------------------------------------

    def _list_streams(
        self, TableName: str | None = None, Limit: int = 100, ExclusiveStartStreamArn: str = ""
    ) -> dict[str, Any]:
        found = sorted(
            (each for each in self.streams.values() if TableName in (None, each.table)),
            key=lambda each: each.arn,
        )
        rest = [each for each in found if each.arn > ExclusiveStartStreamArn]
        given = [
            {"StreamArn": each.arn, "TableName": each.table, "StreamLabel": each.label}
            for each in rest[:Limit]
        ]
        more = {"LastEvaluatedStreamArn": rest[Limit - 1].arn} if len(rest) > Limit else {}
        return {"Streams": given, **more}

    def _describe_stream(
        self, StreamArn: str, Limit: int = MOST_SHARDS, ExclusiveStartShardId: str = "",
        ShardFilter: dict[str, str] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        now = self.now()
        while self._described and self._described[0] <= now - 1:
            self._described.popleft()
        if len(self._described) >= DESCRIBED_A_SECOND:
            raise Refused("ThrottlingException", THROTTLED["ThrottlingException"])
        self._described.append(now)
        stream = self.streams.get(StreamArn)
        if stream is None:
            what = f"Requested resource not found: Stream: {StreamArn} not found"
            raise Refused("ResourceNotFoundException", what)
        if Limit > MOST_SHARDS:
            raise invalid(f"Limit cannot be greater than the maximum: {MOST_SHARDS}")
        as_of = now - self.stale
        seen = [each for each in stream.shards if each.opened <= as_of or each.parent is None]
        if ShardFilter:
            seen = [each for each in seen if each.parent == ShardFilter["ShardId"]]
        rest = sorted((s for s in seen if s.id > ExclusiveStartShardId), key=lambda s: s.id)
        count = min(Limit, self.shards_a_page)
        shards = []
        for each in rest[:count]:
            numbers = {"StartingSequenceNumber": str(each.first)}
            if each.last is not None and each.closed <= as_of:
                numbers["EndingSequenceNumber"] = str(each.last)
            shard: dict[str, Any] = {"ShardId": each.id, "SequenceNumberRange": numbers}
            if each.parent is not None:
                shard["ParentShardId"] = each.parent
            shards.append(shard)
        more = {"LastEvaluatedShardId": rest[count - 1].id} if len(rest) > count else {}
        return {
            "StreamDescription": {
                "StreamArn": stream.arn,
                "StreamLabel": stream.label,
                "StreamStatus": stream.status,
                "StreamViewType": stream.view,
                "CreationRequestDateTime": stream.created,
                "TableName": stream.table,
                "KeySchema": [
                    {"AttributeName": name, "KeyType": kind}
                    for name, kind in zip(stream.key, ("HASH", "RANGE"), strict=False)
                ],
                "Shards": shards,
                **more,
            }
        }

    def _get_shard_iterator(
        self, StreamArn: str, ShardId: str, ShardIteratorType: str,
        SequenceNumber: str | None = None, Timestamp: Any = None,
    ) -> dict[str, Any]:  # fmt: skip
        stream = self.streams.get(StreamArn)
        if stream is None:
            raise Refused("ResourceNotFoundException", "Stream does not exist")
        shard = next((each for each in stream.shards if each.id == ShardId), None)
        if shard is None:
            raise Refused("ResourceNotFoundException", "Shard does not exist")
        if (SequenceNumber is not None) != (ShardIteratorType in NUMBERED):
            if SequenceNumber is None:
                raise invalid("Invalid SequenceNumber")
            raise invalid("SequenceNumber should not be passed for this iterator type")
        if SequenceNumber is not None:
            number = int(SequenceNumber)
            if not shard.first <= number <= (shard.last or stream._number):
                raise invalid("Invalid SequenceNumber")
            if number <= shard.trimmed:
                raise Refused("TrimmedDataAccessException", TRIMMED)
            position = number + (ShardIteratorType == "AFTER_SEQUENCE_NUMBER")
        elif ShardIteratorType == "TRIM_HORIZON":
            position = max(shard.first, shard.trimmed + 1)
        elif ShardIteratorType == "LATEST":
            position = stream._number + 1
        elif ShardIteratorType == "AT_TIMESTAMP" and self.at_timestamp:
            if Timestamp is None:
                raise invalid("Timestamp is needed for this iterator type")
            at = Timestamp if isinstance(Timestamp, datetime) else moment(float(Timestamp))
            later = (
                number
                for number, _, record in shard.records
                if record["dynamodb"]["ApproximateCreationDateTime"] >= at
            )
            position = next(later, stream._number + 1)
        else:
            raise Refused("ValidationException", "Invalid ShardIteratorType.")
        return {"ShardIterator": Position(StreamArn, ShardId, position, self.now()).written()}

    def _get_records(self, ShardIterator: str, Limit: int = MOST_RECORDS) -> dict[str, Any]:
        if Limit > MOST_RECORDS:
            raise invalid(f"Limit should be less than or equal to {MOST_RECORDS}")
        place = Position.read(ShardIterator)
        if self.now() - place.given > self.iterators_live:
            raise Refused("ExpiredIteratorException", "Iterator expired")
        stream = self.streams.get(place.arn)
        shard = None
        if stream is not None:
            shard = next((each for each in stream.shards if each.id == place.shard), None)
        if stream is None or shard is None:
            raise Refused("ResourceNotFoundException", "Shard does not exist")
        if place.number <= shard.trimmed:
            raise Refused("TrimmedDataAccessException", TRIMMED)
        rest = [each for each in shard.records if each[0] >= place.number]
        given = [] if rest and self._by_chance() else rest[: min(Limit, self.page)]
        reply: dict[str, Any] = {"Records": [record for _, _, record in given]}
        if len(given) < len(rest):
            number = given[-1][0] + 1 if given else place.number
        elif shard.last is None:
            number = stream._number + 1  # as far as the stream has come
        elif given and self._by_chance():
            number = shard.last + 1  # that it ends, the next page says
        else:
            return reply
        following = Position(place.arn, place.shard, number, self.now())
        return {**reply, "NextShardIterator": following.written()}

    def _by_chance(self) -> bool:
        return self.random.random() < self.holes


@attrs.frozen
class Position:
    """What an iterator stands for: the lowest number that it gives."""

    arn: str
    shard: str
    number: int
    given: float

    def written(self) -> str:
        return base64.b64encode(json.dumps(attrs.astuple(self)).encode()).decode()

    @classmethod
    def read(cls, iterator: str) -> Position:
        try:
            return cls(*json.loads(base64.b64decode(iterator, validate=True)))
        except ValueError:
            raise Refused("ValidationException", "Invalid ShardIterator") from None


def hash_of(what: str) -> int:
    """A number below `HASHES`, the same in each process."""
    return int.from_bytes(hashlib.sha256(what.encode()).digest()[:4], "big")


def moment(seconds: float) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


def metadata(status: int) -> dict[str, Any]:
    return {"RequestId": "REQUEST", "HTTPStatusCode": status, "HTTPHeaders": {}, "RetryAttempts": 0}


def invalid(what: str) -> Refused:
    return Refused("ValidationException", f"One or more parameter values were invalid: {what}")


def attribute(value: Any) -> dict[str, Any]:
    return {"S": value} if isinstance(value, str) else {"N": str(value)}


def text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=repr)
