"""What is asked of DynamoDB Streams: how often, again after a pause where it was too often, and what
is known of the service by now.

Limits: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Final

from dynattrs.errors import ConnectionFailed, ServiceUnavailable, Throttled
from dynattrs.late_classes import frozen
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Environment, Flow, Pause
from dynattrs.operations.requests import STREAM_OPERATIONS
from dynattrs.schema.messages import Message
from dynattrs.streams.errors import NoStream

#: Seconds from one DescribeStream to the next: ten a second are allowed.
_BETWEEN_DESCRIPTIONS: Final = 0.11


#: A stream that was switched on within this time has its table's changes from the beginning.
_WITH_THE_TABLE: Final = timedelta(seconds=30)


@frozen
class Stream:
    """The latest stream of a table.

    Attributes:
        arn: Its ARN.
        enabled: Whether changes go into it.
        table_made: When the table was made, as far as that is known.
    """

    arn: str
    enabled: bool
    table_made: datetime | None = None

    @property
    def made(self) -> datetime | None:
        """When it was switched on, as far as its ARN says it."""
        return made_at(self.arn)

    @property
    def is_first(self) -> bool:
        """Whether it is as old as its table, as far as that is known."""
        if self.made is None or self.table_made is None:
            return True
        return self.made - self.table_made < _WITH_THE_TABLE


class StreamService:
    """DynamoDB Streams, as the flows of one reader ask it.

    Args:
        core: The session's settings.
    """

    def __init__(self, core: Core) -> None:
        self.core = core
        #: Whether a reader can begin at an instant; None while that is not known.
        self.knows_instants: bool | None = None
        self._described_next = 0.0
        #: The service's time, and when that was.
        self._date: tuple[datetime, float] | None = None

    @property
    def environment(self) -> Environment:
        return self.core.environment  # a test may replace it

    def ask(self, operation: str, parameters: Message, table: str) -> Flow[Message]:
        """The response to a request; where there were too many of them, or no answer came, after pauses, for
        as long as the session's deadline.

        Args:
            operation: The client's method.
            parameters: Its keyword arguments.
            table: The table's name, for listeners.

        Raises:
            DynattrsError: As the service refused it.
        """
        until = self.environment.monotonic() + self.core.deadline.total_seconds()
        attempt = 0
        while True:
            try:
                response: Message = yield Call(operation, parameters, deadline=until)
            except (Throttled, ServiceUnavailable, ConnectionFailed) as error:
                if self.environment.monotonic() >= until:
                    raise
                attempt += 1
                name = STREAM_OPERATIONS[operation]
                yield self.core.pause_before(attempt, name, (table,), 0, error, until)
                continue
            self._note_date(response)
            return response

    def described(self, arn: str, table: str, start: str | None) -> Flow[Message]:
        """One page of a stream's description, at most ten of them a second.

        Args:
            arn: The stream's ARN.
            table: The table's name, for listeners.
            start: The ID of the shard behind which it begins; None for the first page.
        """
        now = self.environment.monotonic()
        at = max(now, self._described_next)
        self._described_next = at + _BETWEEN_DESCRIPTIONS
        if at > now:
            yield Pause(at - now)
        parameters = {"StreamArn": arn}
        if start is not None:
            parameters["ExclusiveStartShardId"] = start
        response = yield from self.ask("describe_stream", parameters, table)
        found: Message = response["StreamDescription"]
        return found

    def stream_of(self, table: str) -> Flow[Stream]:
        """The latest stream of a table.

        Args:
            table: The table's name at the service.

        Raises:
            NoStream: It has never had one.
            NoSuchTable: The table is missing.
        """
        response: Any = yield Call("describe_table", {"TableName": table})
        self._note_date(response)
        described = response["Table"]
        arn = described.get("LatestStreamArn")
        if arn is None:
            raise NoStream(table)
        enabled = described.get("StreamSpecification", {}).get("StreamEnabled") is True
        made = described.get("CreationDateTime")
        return Stream(arn, enabled, made if isinstance(made, datetime) and made.tzinfo else None)

    def now(self) -> datetime:
        """The service's time, as far as its replies have told it, at the latest: they tell whole seconds."""
        if self._date is None:
            return self.environment.now()
        date, at = self._date
        return date + timedelta(seconds=self.environment.monotonic() - at)

    def _note_date(self, response: Message) -> None:
        said = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        try:
            date = parsedate_to_datetime(said)
        except (TypeError, ValueError):
            return
        if date.tzinfo is not None:
            self._date = date, self.environment.monotonic()


def made_at(arn: str) -> datetime | None:
    """When a stream was switched on, which its ARN ends with; None where it does not."""
    try:
        made = datetime.fromisoformat(arn.rpartition("/")[2])
    except ValueError:
        return None
    return made.replace(tzinfo=made.tzinfo or timezone.utc)
