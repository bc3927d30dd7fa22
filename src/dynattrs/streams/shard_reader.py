"""The records of one shard, page by page, from a position on.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetShardIterator.html
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from dynattrs.errors import InvalidRequest, NoSuchTable, ServiceError
from dynattrs.late_classes import frozen
from dynattrs.operations.flows import Flow
from dynattrs.streams.errors import StreamGap
from dynattrs.streams.lineage import table_of
from dynattrs.streams.positions import END, HORIZON, Position
from dynattrs.streams.service import StreamService

#: How long records are kept.
KEPT: Final = timedelta(hours=24)

#: Records in one page; the service gives no more.
_PAGE: Final = 1000

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
    """

    records: Sequence[Any]
    closed: bool = False


class ShardReader:
    """Reads one shard.

    Args:
        service: Whom it asks.
        arn: The stream's ARN.
        shard_id: The shard's ID.
        position: Where it begins.

    Attributes:
        position: Where it stands: behind the records that it has given.
    """

    def __init__(self, service: StreamService, arn: str, shard_id: str, position: Position) -> None:
        self._service = service
        self._arn = arn
        self._table = table_of(arn)
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
                # What is trimmed just now was not the first thing to be given from the horizon.
                if error.code == _TRIMMED and self.position != HORIZON:
                    raise (yield from self._trimmed()) from error
                continue
            break
        # A closed shard that was read to its end has no next one.
        self._iterator = reply.get("NextShardIterator")
        records: Sequence[Any] = reply.get("Records", ())
        instant = self.position.instant
        if instant is not None:
            records = _since(records, instant)
        if records:
            self.position = Position.after(number_of(records[-1]))
        if self._iterator is None:
            self.position = END
        return Page(records, closed=self._iterator is None)

    def _asked(self, iterator: str, limit: int = _PAGE) -> Flow[Any]:
        parameters = {"ShardIterator": iterator, "Limit": limit}
        return (yield from self._service.ask("get_records", parameters, self._table))

    def _opened(self) -> Flow[str]:
        """An iterator that begins at the position."""
        position, instant = self.position, self.position.instant
        if position.kind == "after":
            how = {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": position.number
            }  # fmt: skip
        elif instant is not None:
            if instant < self._service.now() - KEPT and not self._is_younger(instant):
                raise (yield from self._trimmed())
            # botocore before 1.44 does not know it, nor do all engines.
            if self._service.knows_instants is not False:
                at = instant - _MINUTE  # however coarse the times are that the service compares
                try:
                    found = yield from self._iterator_of(
                        {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": at}
                    )
                except InvalidRequest:
                    self._service.knows_instants = False
                else:
                    self._service.knows_instants = True
                    return found
            how = {"ShardIteratorType": "TRIM_HORIZON"}
        else:
            how = {"ShardIteratorType": "TRIM_HORIZON"}
        return (yield from self._iterator_of(how))

    def _iterator_of(self, how: dict[str, Any]) -> Flow[str]:
        parameters = {"StreamArn": self._arn, "ShardId": self.shard_id, **how}
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
        parameters = {
            "StreamArn": self._arn, "ShardId": self.shard_id, "ShardIteratorType": "TRIM_HORIZON"
        }  # fmt: skip
        try:
            reply = yield from self._service.ask("get_shard_iterator", parameters, self._table)
            left = (yield from self._asked(reply["ShardIterator"], 1)).get("Records", ())
        except ServiceError:
            left = ()
        return self._gap(number_of(left[0]) if left else None)

    def _gap(self, until: str | None = None) -> StreamGap:
        return StreamGap(self._table, self._arn, self.shard_id, self.position.last, until)

    def _is_younger(self, instant: datetime) -> bool:
        """Whether the stream was not there before an instant, as the label in its ARN says."""
        try:
            made = datetime.fromisoformat(self._arn.rpartition("/")[2])
        except ValueError:
            return False
        return made.replace(tzinfo=made.tzinfo or timezone.utc) >= instant


def number_of(record: Any) -> str:
    """The sequence number of a record."""
    return str(record["dynamodb"]["SequenceNumber"])


def time_of(record: Any) -> datetime | None:
    """When it was written, as far as the record says it."""
    at = record["dynamodb"].get("ApproximateCreationDateTime")
    return at if isinstance(at, datetime) and at.tzinfo is not None else None


def _since(records: Sequence[Any], instant: datetime) -> Sequence[Any]:
    """Those records that are not surely older than an instant, and all behind the first of them."""
    for index, record in enumerate(records):
        at = time_of(record)
        if at is None:
            return records[index:]
        rounded = _SECOND if at.second or at.microsecond else _MINUTE
        if at + rounded > instant:
            return records[index:]
    return ()
