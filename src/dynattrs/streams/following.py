"""Read all shards of some tables' streams in one process: pages keep the order of each key's changes.

A shard's children begin when all of its records have been handed out. Records that were read ahead but not
handed out do not count: a token continues after the last one that was handed out.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from dynattrs.operations.flows import Flow, Pause, Start, Task, Wait, WaitAny, forget_at_fork
from dynattrs.streams.errors import NoStream, StreamGap
from dynattrs.streams.followed import Following, Given, Reading
from dynattrs.streams.lineage import Lineage, Shard
from dynattrs.streams.positions import END, HORIZON, Position
from dynattrs.streams.service import StreamService
from dynattrs.streams.shard_reader import (
    KEPT,
    Page,
    ShardReader,
    first_record,
    is_older,
    number_of,
    time_of,
)
from dynattrs.streams.tokens import Token

#: So many empty pages in a row are the end of what an open shard has by now. The service walks over stretches
#: of time that hold nothing page by page; all the four hours of a shard take about half as many.
_TIP: Final = 8

#: Seconds between two looks at a shard that has nothing new: at first, and at the most.
_QUIET, _MOST_QUIET = 0.2, 1.0

#: Seconds from one description of a stream to the next, while nothing asks for one.
_BETWEEN_LOOKS: Final = 15.0
#: So many times longer than it takes, at the least.
_LEISURE: Final = 20.0
#: The same where a shard was read to its end and its children are not described yet, doubled each time.
_FOR_CHILDREN, _MOST_FOR_CHILDREN = 0.25, 10.0
#: After so many of these it stops waiting for them if it does not follow, and if the stream is switched off,
#: whose last shards have none: what is described may be some seconds old.
_LOOKS, _LAST_LOOKS = 4, 6

#: How long records take into a stream, generously: an instant has come when it was so long ago.
_DELAY: Final = timedelta(seconds=5)


class Follower:
    """Reads the streams of some tables.

    Args:
        service: The client that it asks.
        tables: The tables' names at the service.
        start: Where it begins: a position or a token; None begins now.
        follow: Whether it waits for more changes at the end.
        until: The time at which it ends; None for no end.
    """

    def __init__(
        self,
        service: StreamService,
        tables: list[str],
        start: Position | Token | None,
        *,
        follow: bool,
        until: datetime | None,
    ) -> None:
        self._service = service
        self._follow, self._until = follow, until
        # By the clock here, which may be ahead of the service's; it is asked with the first request.
        self._called = service.environment.monotonic()
        self._latest = start is None
        begin = start if isinstance(start, Position) else HORIZON
        if start is None:
            begin = Position.at(service.environment.now() - timedelta(minutes=1))
        self._streams = [Following(table, begin) for table in tables]
        if isinstance(start, Token):
            for stream in self._streams:
                stream.begins(start.places[stream.table], start.at)
        #: Pages that were read, and are to be handed out.
        self._arrived: deque[tuple[Reading, Page]] = deque()
        self._given: Given | None = None
        #: Goes on behind the gap that was told last; and when it was.
        self._behind: Callable[[], None] | None = None
        self._told = service.now()
        forget_at_fork(self)

    def forked(self) -> None:
        """Begin anew in a child process, which has no threads of its parent's that read ahead."""
        for reading in self._readings():
            reading.task = None

    # --- Where it stands ------------------------------------------------------------------------

    def token(self) -> Token:
        places = {stream.table: stream.place() for stream in self._streams}
        # Since then records may have been trimmed that were not read.
        seen = [self._service.now()]
        seen += [each.seen for each in self._streams if each.seen is not None]
        seen += [each.seen for each in self._readings() if each.seen is not None]
        return Token(min(seen), places)

    def close(self) -> None:
        """Forget what is being read ahead."""
        for reading in self._readings():
            if reading.task is not None:
                reading.task.cancel()
                reading.task = None
        self._arrived.clear()

    def _readings(self) -> Iterator[Reading]:
        for stream in self._streams:
            yield from stream.readings.values()

    # --- What comes next ------------------------------------------------------------------------

    def next(self) -> Flow[Given | None]:
        """Return the next page with records, or None at the end. The page before counts as handed out.

        Raises:
            StreamGap: Records may be missing. The next call continues after the gap.
            NoStream: A table has no stream, or no longer has one.
            DynattrsError: The service refused a request. The next call continues where this one was.
        """
        self._settle()
        while True:
            for stream in self._streams:
                if not self._arrived:
                    yield from self._look(stream)
            while self._arrived:
                # Before it is handed out: what is handed out must not be lost to an error.
                yield from self._begin_due(self._arrived[0][0])
                given = self._hand_out(*self._arrived.popleft())
                if given is not None:
                    return given
            if self._is_over():
                return None
            yield from self._begin_due()
            tasks = tuple(each.task for each in self._readings() if each.task is not None)
            if tasks:
                task: Task = yield WaitAny(tasks)
                yield from self._arrive(task)
            else:
                yield Pause(self._seconds_to_wait())

    def _settle(self) -> None:
        behind, self._behind = self._behind, None
        if behind is not None:
            behind()
        given, self._given = self._given, None
        if given is not None:
            given.done()
            if given.closed:
                given.reading.stream.finish(given.reading.id)

    def _hand_out(self, reading: Reading, page: Page) -> Given | None:
        reading.waits = False
        if reading.over:  # it was read ahead, behind the end
            return None
        records, closed = list(page.records), page.closed
        if self._until is not None:
            wanted = _before(records, self._until)
            if len(wanted) < len(records):
                records, closed, reading.over = wanted, False, True
        if records:
            self._given = Given(reading, records, closed)
        elif closed:
            reading.stream.finish(reading.id)
        return self._given

    def _begin_due(self, ahead: Reading | None = None) -> Flow[None]:
        """Ask for the next pages of shards whose turn it is, some at a time; of one of them *ahead* of its
        page that waits.
        """
        now = self._service.environment.monotonic()
        room = self._service.core.concurrency - len(self._arrived)
        room -= sum(1 for each in self._readings() if each.task is not None)
        due = [
            each
            for each in self._readings()
            if each.task is None
            and not each.over
            and (each is ahead or not each.waits)
            and each.reader.position != END
            and each.due <= now
        ]
        due.sort(key=lambda each: each.due)
        for reading in due[: max(0, room)]:
            reading.task = yield Start(_outcome(reading.reader.read()))

    def _arrive(self, task: Task) -> Flow[None]:
        outcome: Page | Exception = yield Wait(task)
        reading = next((each for each in self._readings() if each.task is task), None)
        if reading is None:  # it was closed meanwhile
            return
        reading.task = None
        if isinstance(outcome, StreamGap):
            lineage = reading.stream.lineage
            assert lineage is not None
            yield from self._refreshed(reading.stream, lineage)
            raise self._gap(outcome, lambda: self._behind_shard(reading))
        if isinstance(outcome, Exception):
            raise outcome
        if self._may_lack(reading.seen):
            first = number_of(outcome.records[0]) if outcome.records else None
            gap = StreamGap(reading.stream.table, reading.reader.arn, reading.id, until=first)
            raise self._gap(gap, lambda: self._behind_shard(reading))
        if reading.seen is not None:
            reading.seen = None if outcome.records else self._service.now()
        now = self._service.environment.monotonic()
        if not outcome.is_empty:
            reading.empties, reading.due = 0, now
        elif not outcome.closed:
            reading.empties += 1
            beyond = min(reading.empties - _TIP, 8)
            reading.due = now
            if beyond >= 0:
                reading.due += min(_QUIET * 2.0**beyond, _MOST_QUIET)
                reading.over = self._is_tip_the_end()
        if outcome.records or outcome.closed:
            reading.waits = True
            self._arrived.append((reading, outcome))

    def _may_lack(self, seen: datetime | None) -> bool:
        """Whether records that were there may be gone, because it was so long ago."""
        return seen is not None and self._service.now() - seen > KEPT

    def _is_tip_the_end(self) -> bool:
        if not self._follow:
            return True
        return self._until is not None and self._service.now() >= self._until + _DELAY

    def _seconds_to_wait(self) -> float:
        now = self._service.environment.monotonic()
        dues = [each.due for each in self._readings() if not each.over]
        dues += [stream.look_at for stream in self._streams if not stream.over]
        return max(0.01, min(min(dues, default=now) - now, _MOST_QUIET))

    def _is_over(self) -> bool:
        """Whether there is nothing more to come."""
        if self._follow and self._until is None:
            return False
        now = self._service.environment.monotonic()
        for stream in self._streams:
            if stream.over:
                continue
            if any(not each.over for each in stream.readings.values()):
                return False
            if self._follow:
                waits = not self._is_tip_the_end()
            else:
                waits = stream.looks < _LOOKS or (
                    stream.lineage is not None and stream.lineage.is_off
                )
            if stream.look_at <= now or (not stream.readings and waits):
                return False
        return True

    # --- Shards ---------------------------------------------------------------------------------

    def _look(self, stream: Following) -> Flow[None]:
        """Look for new shards if it is time to."""
        began = self._service.environment.monotonic()
        if stream.over or began < stream.look_at:
            return
        if stream.arn is None:
            yield from self._open(stream)
        assert stream.arn is not None
        lineage = stream.lineage or Lineage(self._service, stream.arn)
        yield from self._refreshed(stream, lineage)
        stream.lineage = lineage
        if stream.fresh:
            if self._may_lack(stream.seen):
                arn = lineage.arn
                raise self._gap(StreamGap(stream.table, arn), lambda: self._anew(stream, arn))
            stream.fresh = False
            if stream.start.instant is not None:
                stream.known = dict.fromkeys(lineage.shards, stream.start)
                for shard in (yield from self._all_older(lineage, stream.start)):
                    del stream.known[shard]
                    stream.finished.add(shard)
        elif (gap_before := self._gap_before(stream, lineage)) is not None:
            raise gap_before
        self._begin(stream, lineage)
        stream.seen = self._service.now()
        stream.forget_trimmed()
        now = self._service.environment.monotonic()
        may_follow = stream.lacks_children()
        if may_follow and not (lineage.is_off and stream.looks >= _LAST_LOOKS):
            pause = min(_FOR_CHILDREN * 2.0 ** min(stream.looks, 10), _MOST_FOR_CHILDREN)
            stream.looks += 1
            stream.look_at = now + pause
            return
        if not may_follow:
            stream.looks = _LOOKS
        # Of a stream of very many shards that takes a while, in which nothing is handed out.
        stream.look_at = now + max(_BETWEEN_LOOKS, _LEISURE * (now - began))
        if lineage.is_off and not stream.readings:
            yield from self._end(stream)

    def _refreshed(self, stream: Following, lineage: Lineage) -> Flow[None]:
        try:
            yield from lineage.refreshed()
        except StreamGap as gap:
            raise (yield from self._gap_to_next(stream)) from gap.__cause__

    def _gap_to_next(self, stream: Following) -> Flow[StreamGap]:
        """The gap between a stream that is gone, or was read to its end, and the one that there is now.

        Raises:
            NoStream: The table has no stream now.
        """
        assert stream.arn is not None
        found = yield from self._service.stream_of(stream.table)
        if not found.enabled:
            raise NoStream(stream.table)
        gap = StreamGap(stream.table, stream.arn, new_arn=found.arn)
        return self._gap(gap, lambda: self._anew(stream, found.arn))

    def _open(self, stream: Following) -> Flow[None]:
        found = yield from self._service.stream_of(stream.table)
        if not found.enabled:
            raise NoStream(stream.table)
        if self._latest and stream.start.instant is not None:
            gone = self._service.environment.monotonic() - self._called
            # Its time is told in whole seconds.
            stream.start = Position.at(self._service.now() - timedelta(seconds=gone + 1))
        stream.arn = found.arn
        instant = stream.start.instant
        if instant is not None and found.made is not None and instant < found.made:
            # What was changed before is in no stream, or in another one; but if there was no table.
            stream.start = HORIZON
            if not found.is_first:
                made = found.made.isoformat()
                gap = StreamGap(stream.table, found.arn, until=made)
                raise self._gap(gap, lambda: self._anew(stream, found.arn))

    def _all_older(self, lineage: Lineage, start: Position) -> Flow[set[str]]:
        """Closed shards that hold nothing since an instant, as the first records of those that follow show.

        A service that begins at an instant says so itself. Else each of them would be read from its horizon.
        """
        found: set[str] = set()
        instant = start.instant
        parents = {shard.parent for shard in lineage.shards.values()}
        waiting = [shard for shard in lineage.shards.values() if shard.id not in parents]
        while waiting:
            shard = waiting.pop()
            parent = lineage.shards.get(shard.parent or "")
            if instant is None or parent is None or parent.id in found:
                continue
            reader = ShardReader(self._service, lineage.arn, shard.id, start)
            if (yield from reader.knows_instants(instant)):
                break
            first = yield from first_record(self._service, lineage.arn, shard.id)
            if first is None or not is_older(first, instant):
                waiting.append(parent)
                continue
            older: Shard | None = parent
            while older is not None:
                found.add(older.id)
                older = lineage.shards.get(older.parent or "")
        return found

    def _begin(self, stream: Following, lineage: Lineage) -> None:
        """Begin to read the shards whose turn it is."""
        ready = {shard.id for shard in lineage.ready(stream.finished)}
        # Those of a token that are gone are a gap, which their readers find.
        ready.update(shard for shard in stream.known if shard not in lineage.shards)
        for shard in sorted(ready - stream.readings.keys()):
            parent = lineage.shards[shard].parent if shard in lineage.shards else None
            # A parent that is gone, and was not read to its end, comes first, which is a gap.
            if parent not in stream.readings and parent not in stream.known:
                self._read(stream, shard, stream.known.pop(shard, HORIZON))

    def _read(
        self, stream: Following, shard: str, position: Position, seen: datetime | None = None
    ) -> None:
        assert stream.arn is not None
        reader = ShardReader(self._service, stream.arn, shard, position)
        reading = stream.readings[shard] = Reading(stream, reader, position)
        if position == HORIZON:
            reading.seen = seen or stream.seen or self._service.now()

    def _gap_before(self, stream: Following, lineage: Lineage) -> StreamGap | None:
        """A shard that was trimmed before it was read, as one shows that follows it; or the beginning of one
        that may have been.
        """
        for shard in lineage.shards.values():
            if (
                shard.id in stream.readings
                or shard.id in stream.known
                or shard.id in stream.finished
            ):
                continue
            parent = shard.parent
            if parent is not None and not self._is_known(stream, lineage, parent):
                lost = parent
            elif parent in stream.finished and self._may_lack(stream.seen):
                lost = shard.id
            else:
                continue
            behind = functools.partial(self._behind_lost, stream, shard, lost)
            return self._gap(StreamGap(stream.table, lineage.arn, lost), behind)
        return None

    def _is_known(self, stream: Following, lineage: Lineage, shard: str) -> bool:
        return (
            shard in lineage.shards
            or shard in stream.finished
            or shard in stream.readings
            or shard in stream.known
        )

    def _end(self, stream: Following) -> Flow[None]:
        """The stream is switched off, and has been read to its end."""
        try:
            gap = yield from self._gap_to_next(stream)
        except NoStream:
            if self._follow and self._until is None:
                raise
            stream.over = True
        else:
            raise gap

    # --- Gaps -----------------------------------------------------------------------------------

    def _gap(self, gap: StreamGap, behind: Callable[[], None]) -> StreamGap:
        """The gap to report. The next page continues after it."""
        self._behind, self._told = behind, self._service.now()
        return gap

    def _anew(self, stream: Following, arn: str) -> None:
        stream.anew(arn)
        stream.seen = self._told

    def _behind_shard(self, reading: Reading) -> None:
        stream = reading.stream
        if stream.lineage is not None and reading.id in stream.lineage.shards:
            self._read(stream, reading.id, HORIZON, self._told)
        else:
            stream.finish(reading.id)

    def _behind_lost(self, stream: Following, shard: Shard, lost: str) -> None:
        if lost == shard.id:
            self._read(stream, lost, HORIZON, self._told)
        else:
            stream.finished.add(lost)
        stream.look_at = 0.0


def _outcome(flow: Flow[Page]) -> Flow[Page | Exception]:
    # What is raised in a task that is not waited for would be told to the event loop.
    try:
        return (yield from flow)
    except Exception as error:
        return error


def _before(records: list[Any], until: datetime) -> list[Any]:
    """The records from before an instant; their times are rounded down, so some others are among them."""
    for index, record in enumerate(records):
        at = time_of(record)
        if at is not None and at >= until:
            return records[:index]
    return records
