"""A stream that is followed, as far as it was read: its shards, and where it stands in each of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from dynattrs.late_classes import define, field
from dynattrs.operations.flows import Task
from dynattrs.streams.lineage import Lineage
from dynattrs.streams.positions import END, HORIZON, Position
from dynattrs.streams.shard_reader import ShardReader, number_of
from dynattrs.streams.tokens import Place


@define(eq=False)
class Reading:
    """A shard that is being read.

    Attributes:
        stream: The stream that it is of.
        reader: Its reader, which may be ahead.
        given: Where it stands by what was handed out.
        task: What is reading a page.
        due: When the next page is asked for at the earliest.
        empties: How many pages in a row were empty.
        over: Whether no more of it is wanted: it has come to the instant that is the end.
        waits: Whether a page of it waits to be handed out.
        seen: When it was last known that nothing was lost before the first record that it gives; None once it
            has given one.
    """

    stream: Following
    reader: ShardReader
    given: Position
    task: Task | None = None
    due: float = 0.0
    empties: int = 0
    over: bool = False
    waits: bool = False
    seen: datetime | None = None

    @property
    def id(self) -> str:
        return self.reader.shard_id


@define(eq=False)
class Given:
    """A page that is handed out.

    Attributes:
        reading: The shard that it is of.
        records: Its records.
        closed: Whether the shard has no more.
    """

    reading: Reading
    records: list[Any]
    closed: bool

    @property
    def table(self) -> str:
        return self.reading.stream.table

    def handed(self, number: str) -> None:
        """The record with a sequence number was handed out."""
        if number:
            self.reading.given = Position.after(number)

    def done(self) -> None:
        """All of them were."""
        if self.records:
            self.handed(number_of(self.records[-1]))


@define(eq=False)
class Following:
    """The stream of one table, as far as it was read.

    Attributes:
        table: The table's name at the service.
        start: Where shards begin that were there when it was opened.
        arn: Its ARN; None before it was opened.
        known: Where shards begin that are not begun yet, as far as that is not their horizon.
        readings: The shards that are being read.
        finished: Those that were read to their end.
        lineage: Its shards; None before they were asked for.
        fresh: Whether that is still to be done.
        seen: When they were, or the token was given that it goes on from; the service's time.
        look_at: When they are asked for again.
        looks: How often they were asked for since one was finished.
        over: Whether nothing more is wanted of it.
    """

    table: str
    start: Position
    arn: str | None = None
    known: dict[str, Position] = field(factory=dict)
    readings: dict[str, Reading] = field(factory=dict)
    finished: set[str] = field(factory=set)
    lineage: Lineage | None = None
    fresh: bool = True
    seen: datetime | None = None
    look_at: float = 0.0
    looks: int = 0
    over: bool = False

    def begins(self, place: Place, at: datetime) -> None:
        """Go on from a token."""
        self.start, self.arn, self.fresh = place.start, place.arn, not place.shards
        self.seen = None if place.arn is None else at
        self.finished = {shard for shard, position in place.shards.items() if position == END}
        self.known = {
            shard: position for shard, position in place.shards.items() if position != END
        }

    def anew(self, arn: str) -> None:
        """Go on with another stream of the same table, from its beginning."""
        self.arn, self.start, self.lineage = arn, HORIZON, None
        self.known, self.readings, self.finished = {}, {}, set()
        self.fresh, self.seen, self.look_at, self.looks = True, None, 0.0, 0

    def place(self) -> Place:
        """Where it stands."""
        if self.fresh:
            return Place(self.arn, {}, self.start)
        shards = dict.fromkeys(self.finished, END)
        shards.update(self.known)
        shards.update((reading.id, reading.given) for reading in self.readings.values())
        return Place(self.arn, shards, self.start)

    def finish(self, shard: str) -> None:
        self.readings.pop(shard, None)
        self.finished.add(shard)
        self.look_at, self.looks = 0.0, 0

    def forget_trimmed(self) -> None:
        """Forget finished shards that are gone and that none follows any more."""
        assert self.lineage is not None
        shards = self.lineage.shards
        parents = {shard.parent for shard in shards.values()}
        self.finished = {each for each in self.finished if each in shards or each in parents}

    def lacks_children(self) -> bool:
        """Whether a shard was read to its end, and what follows it is not described yet."""
        assert self.lineage is not None
        shards = self.lineage.shards
        parents = {shard.parent for shard in shards.values()}
        return any(each in shards and each not in parents for each in self.finished)
