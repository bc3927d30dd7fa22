"""The records of one shard, page by page, from a position on.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetShardIterator.html
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from dynattrs.errors import ConfigurationError, InvalidRequest, NoSuchTable, ServiceError
from dynattrs.late_classes import frozen
from dynattrs.operations.flows import Flow
from dynattrs.streams.errors import StreamGap
from dynattrs.streams.lineage import table_of
from dynattrs.streams.positions import END, HORIZON, Position
from dynattrs.streams.service import StreamService, made_at

#: How long records are kept.
KEPT: Final = timedelta(hours=24)

#: Records in one page; the service gives no more.
_PAGE: Final = 1000

#: Pages that are asked for a first record.
_LOOKS: Final = 4

_EXPIRED: Final = "ExpiredIteratorException"
_TRIMMED: Final = "TrimmedDataAccessException"

#: The service tells a record's time in whole seconds, DynamoDB Local rounds it down to the minute.
_SECOND: Final = timedelta(seconds=1)
_MINUTE: Final = timedelta(minutes=1)


@frozen
class Page:
    """Some records of a shard, or none: there may be more behind an empty page.

    Attributes:
        records: The records, as botocore gives them.
        closed: Whether the shard is closed and there are no more.
        older: How many records were left out, as older than the instant at which the reader begins.
    """

    records: Sequence[Any]
    closed: bool = False
    older: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether the service gave no record. Behind pages that were only left out there surely is more."""
        return not self.records and not self.older


class ShardReader:
    """Reads one shard.

    Args:
        service: Whom it asks.
        arn: The stream's ARN.
        shard_id: The shard's ID.
        position: Where it begins.
        page: At most how many records a page has.

    Attributes:
        arn: The stream's ARN.
        shard_id: The shard's ID.
        position: Where it stands: behind the records that it has given.
    """

    def __init__(
        self,
        service: StreamService,
        arn: str,
        shard_id: str,
        position: Position,
        *,
        page: int = _PAGE,
    ) -> None:
        self._service = service
        self.arn = arn
        self._table = table_of(arn)
        self._page = page
        self._iterator: str | None = None
        self.shard_id = shard_id
        self.position = position

    def read(self) -> Flow[Page]:
        """The next page.

        Where the position is an instant, some records from before it may be given, as far as their times,
        which are rounded, leave it open.

        Raises:
            StreamGap: What comes next is trimmed, or the shard is. With `position = HORIZON` it goes on
                with what is left.
            DynattrsError: As the service refused it. The same page can be asked for again.
        """
        if self.position == END:
            return Page((), closed=True)
        again = False
        while True:
            if self._iterator is None:
                self._iterator = yield from self._opened()
            try:
                reply = yield from self._asked(self._iterator)
            except NoSuchTable as error:
                self._iterator = None
                raise self._gap() from error
            except ServiceError as error:
                if error.code not in (_EXPIRED, _TRIMMED):
                    raise
                self._iterator = None
                # What is trimmed just now was not the first thing to be given from the horizon; nor from an
                # instant of today, because it was older. (DynamoDB Local says so of an iterator that is older
                # than the first record.)
                if error.code == _TRIMMED and self.position != HORIZON:
                    if self.position.kind != "at" or again:
                        raise (yield from self._trimmed()) from error
                    again = True
                continue
            break
        # A closed shard that was read to its end has no next one.
        self._iterator = reply.get("NextShardIterator")
        records: Sequence[Any] = reply.get("Records", ())
        found = len(records)
        instant = self.position.instant
        if instant is not None:
            records = _since(records, instant)
        if records:
            self.position = Position.after(number_of(records[-1]))
        if self._iterator is None:
            self.position = END
        return Page(records, closed=self._iterator is None, older=found - len(records))

    def _asked(self, iterator: str) -> Flow[Any]:
        parameters = {"ShardIterator": iterator, "Limit": self._page}
        return (yield from self._service.ask("get_records", parameters, self._table))

    def _opened(self) -> Flow[str]:
        """An iterator that begins at the position."""
        position, instant = self.position, self.position.instant
        if position.kind == "after":
            how = {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": position.number
            }  # fmt: skip
        elif instant is not None:
            made = made_at(self.arn)
            if instant < self._service.now() - KEPT and (made is None or made < instant):
                raise (yield from self._trimmed())
            found = yield from self._opened_at(instant)
            if found is not None:
                return found
            how = {"ShardIteratorType": "TRIM_HORIZON"}
        else:
            how = {"ShardIteratorType": "TRIM_HORIZON"}
        return (yield from self._iterator_of(how))

    def _opened_at(self, instant: datetime) -> Flow[str | None]:
        """An iterator that begins at an instant; None where botocore, before 1.44, or an engine has none."""
        if self._service.knows_instants is False:
            return None
        at = instant - _MINUTE  # however coarse the times are that the service compares
        try:
            found = yield from self._iterator_of(
                {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": at}
            )
        except (InvalidRequest, ConfigurationError):
            self._service.knows_instants = False
            return None
        self._service.knows_instants = True
        return found

    def knows_instants(self, instant: datetime) -> Flow[bool]:
        """Whether the service begins at an instant, which costs a request where it is not known yet."""
        if self._service.knows_instants is None:
            yield from self._opened_at(instant)
        return bool(self._service.knows_instants)

    def _iterator_of(self, how: dict[str, Any]) -> Flow[str]:
        parameters = {"StreamArn": self.arn, "ShardId": self.shard_id, **how}
        try:
            reply = yield from self._service.ask("get_shard_iterator", parameters, self._table)
        except NoSuchTable as error:
            raise self._gap() from error
        except ServiceError as error:
            if error.code != _TRIMMED:
                raise
            raise (yield from self._trimmed()) from error
        return str(reply["ShardIterator"])

    def _trimmed(self) -> Flow[StreamGap]:
        """The gap up to the first record that is left."""
        left = yield from first_record(self._service, self.arn, self.shard_id)
        return self._gap(None if left is None else number_of(left))

    def _gap(self, until: str | None = None) -> StreamGap:
        return StreamGap(self._table, self.arn, self.shard_id, self.position.last, until)


def first_record(service: StreamService, arn: str, shard_id: str) -> Flow[Any]:
    """The first record that a shard still has, as far as some pages tell; else None."""
    reader = ShardReader(service, arn, shard_id, HORIZON, page=1)
    for _ in range(_LOOKS):
        try:
            page = yield from reader.read()
        except (ServiceError, StreamGap):
            return None
        if page.records:
            return page.records[0]
        if page.closed:
            return None
    return None


def number_of(record: Any) -> str:
    """The sequence number of a record."""
    return str(record["dynamodb"]["SequenceNumber"])


def time_of(record: Any) -> datetime | None:
    """When it was written, as far as the record says it."""
    at = record["dynamodb"].get("ApproximateCreationDateTime")
    return at if isinstance(at, datetime) and at.tzinfo is not None else None


def is_older(record: Any, instant: datetime) -> bool:
    """Whether it was surely written before an instant: its time is rounded down."""
    at = time_of(record)
    if at is None:
        return False
    rounded = _SECOND if at.second or at.microsecond else _MINUTE
    return at + rounded <= instant


def _since(records: Sequence[Any], instant: datetime) -> Sequence[Any]:
    """Those records that are not surely older than an instant, and all behind the first of them."""
    for index, record in enumerate(records):
        if not is_older(record, instant):
            return records[index:]
    return ()
