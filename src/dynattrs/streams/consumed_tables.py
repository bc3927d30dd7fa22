"""One table that consumers of a name follow: which of its streams is read, and which shards there are.

A table has one stream at a time. Where it was switched off and on, the old one is read to its end before
the new one begins, for the order of each key; what was written in between is in neither, which is a gap.
"""

from __future__ import annotations

import logging
from typing import Final

from dynattrs.expressions.updates import set_
from dynattrs.operations.flows import Flow
from dynattrs.operations.leases import UNTAKEN, FlowVerbs, Watch
from dynattrs.streams.consumer_options import Options
from dynattrs.streams.errors import NoStream, StreamGap
from dynattrs.streams.lineage import Lineage, Shard
from dynattrs.streams.positions import HORIZON, Position
from dynattrs.streams.reading import Source
from dynattrs.streams.service import StreamService
from dynattrs.streams.shard_leases import (
    ConsumedStream,
    Found,
    ShardLease,
    expiry,
    read_all,
)

#: How often shards are asked for, in seconds; more often when one has ended.
_BETWEEN_LOOKS: Final = 60.0

_log = logging.getLogger("dynattrs")


class ConsumedTable:
    """A table that is followed.

    Args:
        verbs: Those of the table of the leases.
        service: Whom it asks for shards.
        table: The table's name at the service.
        scope: The partition of the leases.
        source: What makes changes of its records.
        options: What the consumer was told to do.
        start: Where to begin where no consumer of the name has yet.

    Attributes:
        stream: The stream that is read.
        watch: Since when counters stand still.
    """

    def __init__(
        self,
        verbs: FlowVerbs,
        service: StreamService,
        table: str,
        scope: str,
        source: Source,
        options: Options,
        start: Position,
    ) -> None:
        self._verbs = verbs
        self._service = service
        self.table = table
        self.scope = scope
        self.source = source
        self._options = options
        self._start = start
        self.stream: ConsumedStream | None = None
        self.watch = Watch(service.environment.monotonic)
        self._lineage: Lineage | None = None
        self._looked_at = float("-inf")
        self._ended_at = float("-inf")

    def _now(self) -> float:
        return self._service.environment.monotonic()

    def shard_ended(self) -> None:
        """A shard was read to its end here: this consumer makes the leases of its children."""
        self._ended_at, self._looked_at = self._now(), float("-inf")

    def read(self) -> Flow[Found]:
        """What consumers share; with the stream that is to be read.

        Raises:
            NoStream: The table has none, or none any more.
            StreamGap: Records are lost, and the consumer has to stop.
        """
        found = yield from read_all(self._verbs, self.scope)
        stream = self.stream = yield from self._stream_of(found)
        if self._lineage is None or self._lineage.arn != stream.stream:
            self._lineage = Lineage(self._service, stream.stream)
            self._looked_at = float("-inf")
        return found

    def is_due(self, found: Found, consumers: int) -> bool:
        """Whether to look for new shards.

        Args:
            found: What was read.
            consumers: How many there are. They share that the children of a shard are waited for, should
                the one that has read it be gone: ten descriptions a second are allowed to all of them.
        """
        now = self._now()
        if now - self._looked_at >= _BETWEEN_LOOKS:
            return True
        if not self._is_waiting(found):
            return False
        mine = now - self._ended_at < _BETWEEN_LOOKS
        return mine or self._service.environment.random() < 1 / consumers

    def _is_waiting(self, found: Found) -> bool:
        """Whether a shard has ended whose children have no leases yet."""
        shards = {} if self._lineage is None else self._lineage.shards
        leases = self._leases(found)
        parents = {each.parent for each in leases}
        return any(
            each.ended and each.shard in shards and each.shard not in parents for each in leases
        )

    def look(self, found: Found) -> Flow[bool]:
        """Look for new shards, and make a lease for each that may be read; whether anything is new.

        Raises:
            StreamGap: Records are lost, and the consumer has to stop.
        """
        stream, lineage = self.stream, self._lineage
        assert stream is not None
        assert lineage is not None
        began = self._now()
        try:
            yield from lineage.refreshed()
        except StreamGap as gap:
            if any(not each.ended for each in self._leases(found)):
                yield from self._options.passed(gap)
            yield from self._end(stream)
            return True
        anything = yield from self._make_leases(found, stream, lineage)
        if self._ended_at < began:
            self._looked_at = began
        return anything

    def standing(self, found: Found) -> list[ShardLease]:
        """The leases of shards that are to be read."""
        return [each for each in self._leases(found) if not each.ended]

    def _leases(self, found: Found) -> list[ShardLease]:
        arn = None if self.stream is None else self.stream.stream
        return [each for each in found.leases.values() if each.stream == arn]

    # --- Streams ------------------------------------------------------------------------------

    def _stream_of(self, found: Found) -> Flow[ConsumedStream]:
        """The stream to read: the oldest that was begun and is not read to its end, or a new one."""
        # Their ARNs end with the time when each was switched on.
        begun = sorted(found.streams.values(), key=lambda each: each.stream)
        for each in begun:
            if not each.ended:
                return each
        latest = yield from self._service.stream_of(self.table)
        start = self._start
        if latest.arn in found.streams or not (begun or latest.enabled):
            raise NoStream(self.table)
        if begun:
            gap = StreamGap(self.table, begun[-1].stream, new_arn=latest.arn)
            yield from self._options.passed(gap)
            start = HORIZON
        made = ConsumedStream(self.scope, latest.arn, str(start))
        if not (yield from self._verbs.inserted(made)):
            made = (yield from read_all(self._verbs, self.scope)).streams[latest.arn]
        found.streams[made.stream] = made
        return made

    def _end(self, stream: ConsumedStream) -> Flow[None]:
        """A stream is read to its end, or gone."""
        expires = expiry(self._service.environment.now())
        yield from self._verbs.changed(
            stream,
            set_(ConsumedStream.ended, True),
            set_(ConsumedStream.expires, expires),
            when=ConsumedStream.ended == False,  # noqa: E712 - a condition
        )
        _log.info("the stream %s is read to its end", stream.stream)

    # --- Shards -------------------------------------------------------------------------------

    def _make_leases(self, found: Found, stream: ConsumedStream, lineage: Lineage) -> Flow[bool]:
        made_one = False
        leases = {each.shard: each for each in self._leases(found)}
        ended = {each.shard for each in leases.values() if each.ended}
        for shard in lineage.ready(ended):
            parent = leases.get(shard.parent or "")
            # A parent that the service does not describe any more may still be under way.
            if shard.id in leases or not (parent is None or parent.ended):
                continue
            made = ShardLease(
                scope=self.scope, stream=stream.stream, shard=shard.id, parent=shard.parent,
                checkpoint=str(_beginning(shard, parent, stream)), **UNTAKEN,
            )  # fmt: skip
            made_one |= yield from self._verbs.inserted(made)
        if lineage.ended and lineage.shards.keys() <= ended:
            yield from self._end(stream)
            return True
        return made_one


def _beginning(shard: Shard, parent: ShardLease | None, stream: ConsumedStream) -> Position:
    """Where a shard begins."""
    # Where its parent was read, all of it is new. Else it may be older than the instant.
    return HORIZON if parent is not None and parent.handled else Position.parse(stream.start)
