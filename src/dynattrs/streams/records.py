"""Stream records from any source, read into one shape. Their items stay attribute maps.

- AWS Lambda's DynamoDB events: `{"Records": [...]}`, bytes as base64 text
  (https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html).
- Replies and records of GetRecords, with `datetime` and `bytes` as botocore makes them
  (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html).
- Kinesis Data Streams for DynamoDB: each record is JSON, which Lambda passes on as base64
  (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/kds.html).
- EventBridge Pipes: a bare list of either kind
  (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-dynamodb.html).
"""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Final, TypeGuard

from dynattrs.schema.table import AttributeMap

#: Who deletes expired items, as records of their deletes say.
_TIME_TO_LIVE: Final = "dynamodb.amazonaws.com"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
#: Parts of a second that the numbers of Kinesis' records count.
_PRECISIONS: Final = {"MILLISECOND": 1_000, "MICROSECOND": 1_000_000}
#: Seconds that are a time for sure: those of the year 5138, which would be milliseconds of 1973.
_MOST_SECONDS: Final = 1e11

_KINDS: Final = frozenset({"INSERT", "MODIFY", "REMOVE"})

#: The images that each view carries.
_NEW: Final = frozenset({"NEW_IMAGE", "NEW_AND_OLD_IMAGES"})
_OLD: Final = frozenset({"OLD_IMAGE", "NEW_AND_OLD_IMAGES"})


class Record:
    """One record of a stream.

    Attributes:
        source: The record as it was given.
        kind: `INSERT`, `MODIFY` or `REMOVE`.
        table: The table's name at the service; None if the record does not say.
        key: The item's primary key, as an attribute map.
        old: The item before the change; None if it did not exist, or the view does not include it.
        new: The item after the change; None likewise.
        view: The stream's view type, as the service calls it; None if the record does not say.
        sequence_number: Where the record stands in its shard.
        identifier: What identifies it in a report of partial failures.
        expired: Whether the item was deleted because its time to live was over.
    """

    __slots__ = (
        "_at", "_precision", "expired", "identifier", "key", "kind", "new", "old",
        "sequence_number", "source", "table", "view",
    )  # fmt: skip

    source: Any
    kind: str
    table: str | None
    key: AttributeMap
    old: AttributeMap | None
    new: AttributeMap | None
    view: str | None
    sequence_number: str
    identifier: str
    _at: Any
    _precision: str | None
    expired: bool

    def __init__(self, source: Any) -> None:
        self.source = source
        self.table = self.old = self.new = self.view = None
        self.kind = self.sequence_number = self.identifier = ""
        self.key = {}
        self._at = self._precision = None
        self.expired = False

    def read(self, *, bare: bool) -> None:
        """Read what the record says.

        Args:
            bare: Whether it came in a bare list, as from EventBridge Pipes, where reports of partial failures
                name the event.

        Raises:
            ValueError: It is not a record. What was read of it until then stays.
        """
        source = self.source
        if not _is_map(source):
            raise ValueError(f"a record is a mapping, and this is a {type(source).__name__}")
        body = source.get("dynamodb")
        if bare:
            self.identifier = str(source.get("eventID", ""))
        if body is None:
            source = self._unwrapped(source)
            body = source.get("dynamodb")
        if not _is_map(body):
            raise ValueError("it has no member 'dynamodb', as records of DynamoDB's streams have")
        self._read(source, body)

    def _unwrapped(self, source: Mapping[str, Any]) -> Mapping[str, Any]:
        """The record itself: Kinesis wraps it, as JSON, in a record of its own."""
        kinesis = source.get("kinesis", source)
        if not _is_map(kinesis):
            return source
        data = kinesis.get("data", kinesis.get("Data"))
        if data is None:
            return source
        number = kinesis.get("sequenceNumber", kinesis.get("SequenceNumber", ""))
        self.sequence_number = str(number)
        self.identifier = self.identifier or self.sequence_number
        try:
            # GetRecords of Kinesis gives bytes as they are.
            text = data if isinstance(data, bytes) else base64.b64decode(data, validate=True)
            change = json.loads(text)
        except (ValueError, TypeError) as error:
            raise ValueError(f"its Kinesis data are not base64 of JSON: {error}") from error
        if not _is_map(change):
            raise ValueError("its Kinesis data are not a JSON object")
        return change

    def _read(self, change: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        if not self.sequence_number:
            self.sequence_number = str(body.get("SequenceNumber", ""))
        self.identifier = self.identifier or self.sequence_number
        self.table = _table_of(change)
        self.view = body.get("StreamViewType")
        identity = change.get("userIdentity")
        self.expired = identity is not None and _by_time_to_live(identity)
        kind = self.kind = change.get("eventName", "")
        if kind not in _KINDS:
            raise ValueError(f"its eventName is {kind!r}, not INSERT, MODIFY or REMOVE")
        key, old, new = body.get("Keys"), body.get("OldImage"), body.get("NewImage")
        if not key or not _is_map(key):
            raise ValueError("it has no Keys")
        self.key = key
        self._at = body.get("ApproximateCreationDateTime")
        self._precision = body.get("ApproximateCreationDateTimePrecision")
        if not (type(self._at) is float and 0 <= self._at < _MOST_SECONDS and not self._precision):
            self._check_time()
        if old is not None and not _is_map(old):
            raise ValueError("its OldImage is not an attribute map")
        if new is not None and not _is_map(new):
            raise ValueError("its NewImage is not an attribute map")
        self.old, self.new = old, new

    def _check_time(self) -> None:
        try:
            if self.at is not None:
                return
        except (ValueError, OverflowError):
            pass
        wrong, self._at = self._at, None
        raise ValueError(f"its ApproximateCreationDateTime is {wrong!r}")

    @property
    def lacks_new(self) -> bool:
        """Whether there is an item after the change that the view does not include."""
        return self.new is None and self.kind != "REMOVE"

    @property
    def lacks_old(self) -> bool:
        """Whether there was an item before the change that the view does not include."""
        return self.old is None and self.kind != "INSERT"

    @property
    def at(self) -> datetime | None:
        """When the item changed, in UTC; None if the record does not say."""
        found = self._at
        if isinstance(found, datetime):
            return found.astimezone(timezone.utc)
        if not isinstance(found, (int, float)):
            return None
        # Not `datetime.fromtimestamp`: a float of microseconds is not exact.
        parts = _PRECISIONS.get(self._precision or "") or _parts_of_a_second(found)
        return _EPOCH + timedelta(microseconds=round(found * (1_000_000 // parts)))

    def promises(self, image: str) -> bool:
        """Whether the view includes an image that is missing."""
        return self.view in (_NEW if image == "new" else _OLD)


def records_in(event_or_records: Any) -> tuple[Iterable[Any], bool]:
    """Return the records of an event, a reply or a list, and whether it is a bare list.

    Raises:
        TypeError: It is none of these.
    """
    if isinstance(event_or_records, Mapping):
        records = event_or_records.get("Records")
        if not isinstance(records, Iterable) or isinstance(records, (str, bytes, Mapping)):
            raise TypeError(
                "changes(event): an event of AWS Lambda or a reply of GetRecords has a list of Records, "
                f"and this mapping has {', '.join(map(str, event_or_records)) or 'nothing'}"
            )
        return records, False
    if isinstance(event_or_records, Iterable) and not isinstance(event_or_records, (str, bytes)):
        return event_or_records, True
    raise TypeError(
        f"changes({type(event_or_records).__name__}): give it the event of a Lambda function, a reply of "
        f"GetRecords, or a list of records"
    )


def _table_of(change: Mapping[str, Any]) -> str | None:
    """The table's name in the ARN of the stream, or beside it (Kinesis)."""
    arn = change.get("eventSourceARN")
    if isinstance(arn, str) and (found := _table_in(arn)):
        return found
    name = change.get("tableName")
    return name if isinstance(name, str) else None


@functools.lru_cache(maxsize=64)
def _table_in(arn: str) -> str:
    return arn.partition(":table/")[2].partition("/")[0]


def _by_time_to_live(identity: object) -> bool:
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
    if not isinstance(identity, Mapping):
        return False
    said = {str(name).lower(): value for name, value in identity.items()}
    return said.get("type") == "Service" and said.get("principalid") == _TIME_TO_LIVE


def _parts_of_a_second(value: float) -> int:
    """How many of what a number counts make a second, where the record does not say it."""
    if value < _MOST_SECONDS:
        return 1
    return 1_000 if value < 1_000 * _MOST_SECONDS else 1_000_000


def _is_map(value: object) -> TypeGuard[dict[str, Any]]:
    # Asking the abstract class takes ten times as long.
    return type(value) is dict or isinstance(value, Mapping)
