"""What a consumer tells of its work: typed events, for metrics and logs.

They hold nothing of what items hold, but for the error of a handler. A listener is called in the thread
or task that does the work, and is to be quick. One that raises is logged, and the work goes on.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, TypeAlias

import attrs

from dynattrs.streams.errors import StreamGap


@attrs.frozen
class ShardTaken:
    """This consumer reads a shard from now on.

    Attributes:
        table: The table's name at the service.
        shard: The shard's id.
        fence: How often it was taken.
        before: The consumer that read it before and did not free it; None otherwise.
    """

    table: str
    shard: str
    fence: int
    before: str | None


@attrs.frozen
class ShardLeft:
    """This consumer does not read a shard any more.

    Attributes:
        table: The table's name at the service.
        shard: The shard's id.
        why: `"ended"`: it is read to its end. `"given"`: to another consumer that asked. `"stopped"`:
            this consumer stops. `"lost"`: its lease ended before it was renewed; what was handled
            since the last checkpoint is handled again.
    """

    table: str
    shard: str
    why: Literal["ended", "given", "stopped", "lost"]


@attrs.frozen
class Handled:
    """Changes of one shard were handled.

    Attributes:
        table: The table's name at the service.
        shard: The shard's id.
        count: The number of records, including those that were left out.
        seconds: How long it took.
        lag: How long ago the last of them happened.
    """

    table: str
    shard: str
    count: int
    seconds: float
    lag: timedelta


@attrs.frozen
class Checkpointed:
    """The position up to which a shard is handled was stored.

    Attributes:
        table: The table's name at the service.
        shard: The shard's id.
        count: The number of records handled since the last checkpoint.
    """

    table: str
    shard: str
    count: int


@attrs.frozen
class HandlerFailed:
    """The handler raised an error, and is called again with the same change.

    Attributes:
        table: The table's name at the service.
        shard: The shard's id.
        sequence_number: The record's.
        tries: How often it was called with it.
        seconds: The pause before it is called again.
        error: The error that it raised.
    """

    table: str
    shard: str
    sequence_number: str
    tries: int
    seconds: float
    error: Exception


@attrs.frozen
class GaveUp:
    """A change could not be handled, and `on_error` decided what to do with it.

    Attributes:
        table: The table's name at the service.
        shard: The shard's id.
        sequence_number: The record's.
        tries: How often the handler was called with it; 0 if it could not be read.
        error: The last error that the handler raised, or why the change could not be read.
        then: `"skipped"`, `"stored"` in the table of failed changes, `"handed"` to the function, or
            `"stopped"`.
    """

    table: str
    shard: str
    sequence_number: str
    tries: int
    error: Exception
    then: Literal["skipped", "stored", "handed", "stopped"]


@attrs.frozen
class GapFound:
    """Records were lost before they were read.

    Attributes:
        gap: The gap, with its beginning and end.
    """

    gap: StreamGap


ConsumerEvent: TypeAlias = (
    "ShardTaken | ShardLeft | Handled | Checkpointed | HandlerFailed | GaveUp | GapFound"
)
