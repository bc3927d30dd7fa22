"""What consumers of one name share: items that say who reads which shard, and how far they are.

All items of a consumer's name and a table have one partition key, so one query reads them: the
streams that were begun, their shards, and the consumers that are running.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Final

import attrs

from dynattrs.models.model import model
from dynattrs.models.specifiers import field
from dynattrs.operations.flows import Flow
from dynattrs.operations.leases import LEASES, FlowVerbs, Lease

#: For how long items stay that nothing needs any more: longer than a stream's records, whatever clocks say.
_KEPT: Final = timedelta(days=7)


@model(LEASES, pk="{scope}", sk="STREAM#{stream}")
class ConsumedStream:
    """A stream that consumers of a name read, or have read.

    Attributes:
        scope: The consumers' name, and the table.
        stream: The stream's ARN.
        start: Where reading of its first shards begins: the time at which the first consumer started, or
            as far back as the stream goes.
        ended: Whether it has been read to its end.
    """

    scope: str
    stream: str
    start: str
    ended: bool = False
    expires: datetime | None = field(ttl=True, default=None)


@model(LEASES, pk="{scope}", sk="SHARD#{stream}#{shard}")
class ShardLease(Lease):
    """Which consumer reads a shard, and how far it is.

    Attributes:
        scope: The consumers' name, and the table.
        stream: The stream's ARN.
        shard: The shard's id.
        parent: The shard that this one continues; None if it continues none.
        checkpoint: Where reading continues.
        at: When the last handled change happened.
        handled: How many records were handled or skipped.
        ended: Whether it has been read to its end.
        wanted: The consumer that asks its owner to hand it over.
    """

    scope: str
    stream: str
    shard: str
    checkpoint: str
    parent: str | None = None
    at: datetime | None = None
    handled: int = 0
    ended: bool = False
    wanted: str | None = None
    expires: datetime | None = field(ttl=True, default=None)


@model(LEASES, pk="{scope}", sk="CONSUMER#{consumer}")
class Member(Lease):
    """A running consumer. It holds a lease on itself.

    Attributes:
        scope: The consumers' name, and the table.
        consumer: The name under which it owns leases.
    """

    scope: str
    consumer: str
    expires: datetime | None = field(ttl=True, default=None)


@attrs.define
class Found:
    """The items of a scope, as one query read them."""

    streams: dict[str, ConsumedStream] = attrs.field(factory=dict)
    #: By stream and shard.
    leases: dict[tuple[str, str], ShardLease] = attrs.field(factory=dict)
    members: dict[str, Member] = attrs.field(factory=dict)


def scope_of(consumer: str, table: str) -> str:
    return f"{consumer}#{table}"


def read_all(verbs: FlowVerbs, scope: str) -> Flow[Found]:
    """Read all items of a scope, with every acknowledged write."""
    items = yield from (
        verbs.query(ConsumedStream, ShardLease, Member)
        .where(ShardLease.scope == scope)
        .consistent()
        .all()
    )
    found = Found()
    for item in items:
        if isinstance(item, ShardLease):
            found.leases[item.stream, item.shard] = item
        elif isinstance(item, Member):
            found.members[item.consumer] = item
        else:
            found.streams[item.stream] = item
    return found


def expiry(now: datetime) -> datetime:
    return now.astimezone(timezone.utc).replace(microsecond=0) + _KEPT
