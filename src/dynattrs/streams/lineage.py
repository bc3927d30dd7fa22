"""The shards of a stream and which of them follow which. A key's records are in order along this line:
a shard is read to its end before those that it was split into.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html#Streams.Processing
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from dynattrs.errors import NoSuchTable
from dynattrs.late_classes import frozen
from dynattrs.operations.flows import Flow
from dynattrs.schema.messages import Message
from dynattrs.streams.errors import StreamGap
from dynattrs.streams.service import StreamService

_OVER: Final = frozenset({"DISABLING", "DISABLED"})


@frozen
class Shard:
    """A part of a stream.

    Attributes:
        id: Its ID.
        parent: The ID of the shard that it follows, which may be trimmed; None for none.
        first: The sequence number that it begins with, where that is known.
        last: The one that it ends with; None while it is open.
    """

    id: str
    parent: str | None = None
    first: str | None = None
    last: str | None = None


class Lineage:
    """The shards of one stream, as it was described last.

    Args:
        service: Whom it asks.
        arn: The stream's ARN.

    Attributes:
        shards: The shards by their IDs, in the order in which they are described.
        status: The stream's status; empty before `refreshed`.
    """

    def __init__(self, service: StreamService, arn: str) -> None:
        self._service = service
        self.arn = arn
        self.table = table_of(arn)
        self.shards: dict[str, Shard] = {}
        self.status = ""

    def refreshed(self) -> Flow[None]:
        """Ask for the shards, all pages of them.

        Raises:
            StreamGap: The stream is gone.
        """
        found: dict[str, Shard] = {}
        start: str | None = None
        while True:
            try:
                page = yield from self._service.described(self.arn, self.table, start)
            except NoSuchTable as error:
                raise StreamGap(self.table, self.arn) from error
            found.update((shard.id, shard) for shard in map(_shard, page.get("Shards", ())))
            start = page.get("LastEvaluatedShardId")
            if not start:
                break
        self.shards = found
        self.status = str(page.get("StreamStatus", ""))

    def children(self, shard_id: str) -> list[Shard]:
        """The shards that follow one."""
        return [shard for shard in self.shards.values() if shard.parent == shard_id]

    def ready(self, finished: Collection[str]) -> list[Shard]:
        """The shards that may be read: not *finished*, and their parent is, or is not known (any more)."""
        return [
            shard
            for shard in self.shards.values()
            if shard.id not in finished
            and (
                shard.parent is None or shard.parent in finished or shard.parent not in self.shards
            )
        ]

    @property
    def is_off(self) -> bool:
        """Whether the stream is switched off."""
        return self.status in _OVER

    @property
    def ended(self) -> bool:
        """Whether the stream is switched off, and all of its shards are closed: no record comes any more."""
        return self.is_off and all(shard.last is not None for shard in self.shards.values())


def table_of(arn: str) -> str:
    """The name of the table in the ARN of a stream."""
    return arn.partition(":table/")[2].partition("/")[0]


def _shard(described: Message) -> Shard:
    numbers = described.get("SequenceNumberRange", {})
    shard, parent = described["ShardId"], described.get("ParentShardId")
    # DynamoDB Local's only shard may name itself.
    return Shard(
        shard,
        parent if parent and parent != shard else None,
        numbers.get("StartingSequenceNumber"),
        numbers.get("EndingSequenceNumber"),
    )
