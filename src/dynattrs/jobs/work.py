"""What a job is made of: sources that are cut into segments, and work that is done with their pages.

A source is cut into many more segments than there are workers, and a segment is worked through in steps. One
step is one task for an executor: a few pages, one piece of work that may be done twice, at most one file,
and one checkpoint at its end. A checkpoint is written only if its segment is still at that step and has
still that fencing number. So a step that was lost, or done twice, counts once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias

import attrs

from dynattrs.schema.table import AttributeMap, Table

if TYPE_CHECKING:
    from dynattrs.session.session import Session

#: What JSON can say.
JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"

#: What a job is about: models, and tables with all that is in them.
Models: TypeAlias = "Sequence[type[Any] | Table]"

State: TypeAlias = Literal["running", "finished", "failed"]

#: A page of 1 MB has no more items than that: none is smaller than four bytes.
_MOST_OF_A_PAGE: Final = 262_144

#: Of the failures of one step so many are kept; the others are only counted.
MOST_FAILURES: Final = 2_000


class Delete:
    """What a function gives to `Job.apply` to say that the item is to be deleted: `return jobs.Delete`."""


@attrs.frozen
class At:
    """Where a step is, and which attempt at it this is. Files are named by it: no two attempts are equal.

    Attributes:
        job: The job's name.
        run: Made by chance when the job was begun: another job of the same name has another one.
        segment: Which segment, from 0 on.
        of: How many segments there are.
        step: Which of its steps, from 0 on.
        fence: The fencing number of the segment's owner.
        attempt: Made by chance for each attempt: an executor may run one task twice, at the same time.
    """

    job: str
    run: str
    segment: int
    of: int
    step: int
    fence: int
    attempt: str


@attrs.frozen
class Limits:
    """Where a slice ends: with the page that reaches one of them.

    Attributes:
        items: The most items that all of its pages read together, before a filter.
        page_items: The most items that one page reads; None for as many as the service gives.
        page_units: How many read units one page may consume, where it is not known yet what an item
            costs: a unit, until a page of the slice tells.
        read_units: How many read units it may consume; None for any.
        write_units: How many write units it may consume; None for any.
        seconds: How long it may go on.
    """

    items: int
    page_items: int | None = None
    page_units: float | None = None
    read_units: float | None = None
    write_units: float | None = None
    seconds: float = 10.0

    def page_size(self, left: int, item_units: float = 1.0) -> int | None:
        """How many items the next page may read, where the slice may still read so many, and an item
        costs so many read units.
        """
        most = self.page_items
        if self.page_units is not None and item_units > 0:
            affordable = max(1, int(self.page_units / item_units))
            most = affordable if most is None else min(most, affordable)
        if most is None:
            return left if left < _MOST_OF_A_PAGE else None
        return min(left, most)


@attrs.frozen
class Failure:
    """An item, or a line of a file, that the job could not process; for `verify`, an item that differs.
    The job goes on without it.

    Attributes:
        what: The error's class and message.
        key: The item's key as an attribute map, with bytes in base64; None if it is unknown.
        model: The model's name, where that is known.
        where: The file, and the number of the line or record, counted from 1: `people-3.jsonl:17`.
        places: For `verify`, what differs: attributes, and places inside them.
    """

    what: str
    key: Mapping[str, Any] | None = None
    model: str | None = None
    where: str | None = None
    places: Sequence[str] = ()


@attrs.frozen
class FileEntry:
    """A file that a step has written, and that counts.

    Attributes:
        name: Its name in the folder, with `/` between parts.
        items: How many items are in it.
        bytes: Its size.
        checksum: With its kind: `"sha256:…"`, `"md5:…"`.
        model: The name of the model of its items; None where there may be several.
    """

    name: str
    items: int
    bytes: int
    checksum: str
    model: str | None = None


@attrs.frozen
class SourcePage:
    """A page of a source.

    Attributes:
        items: The items as they are stored, attribute maps.
        position: JSON text that says where to go on behind the page; None at the segment's end.
        units: The read units that it has cost.
        scanned: How many items were read for it, before a filter.
        failures: What of it cannot be read.
    """

    items: Sequence[AttributeMap]
    position: str | None
    units: float
    scanned: int
    failures: Sequence[Failure] = ()


@attrs.frozen
class Outcome:
    """What a step has done.

    Attributes:
        counts: What it adds to the job's totals, by names that people read: `"written"`, `"unchanged"`.
        files: The file that it has written, or several.
        failures: What could not be worked on, besides what pages say.
        read_units: What it has read besides the pages.
        write_units: What it has written since its last page.
    """

    counts: Mapping[str, int] = attrs.field(factory=dict)
    files: Sequence[FileEntry] = ()
    failures: Sequence[Failure] = ()
    read_units: float = 0.0
    write_units: float = 0.0


@attrs.frozen
class JobRecord:
    """What is written down of a job when it begins, and when it ends.

    Attributes:
        name: The job's name.
        verb: What it does: `"export"`.
        description: What `Work.describe` gave.
        models: The importable names of its models and tables.
        segments: How many segments its source has.
        session: What `SessionSpec.describe` gave of its sessions.
        run: Made by chance when it was begun.
        state: Whether it is finished. A job that has failed can be resumed.
        began: When it was begun, in ISO 8601.
        ended: When it was finished, or had failed.
    """

    name: str
    verb: str
    description: Mapping[str, JSON]
    models: Sequence[str]
    segments: int
    session: Mapping[str, JSON]
    run: str
    state: State
    began: str
    ended: str | None = None


class Source(Protocol):
    """What a job reads: the segments of a scan, files, ranges of them."""

    def segments(self, session: Session, wanted: int) -> int:
        """How many segments there are, where the job's caller wants so many. It is asked once, when the
        job begins, and its answer is written down.
        """
        ...

    def pages(
        self, session: Session, segment: int, of: int, position: str | None, limits: Limits
    ) -> Iterator[SourcePage]:
        """The pages of a segment from a position on, lazily: no more are taken when the slice is full, and
        the iterator is closed then. It ends behind the page whose position is None, and gives at
        least one page.

        Args:
            session: A session of the job's.
            segment: Which one, from 0 on.
            of: How many there are.
            position: What an earlier page said; None for the segment's beginning.
            limits: How much the slice may read. The source keeps to `items` and `page_items`; who takes
                its pages keeps to all else.
        """
        ...


class Step(Protocol):
    """The work of one step, while it is done. Memory stays flat: it keeps no more than a page."""

    def page(self, page: SourcePage) -> float:
        """Work on a page; gives the write units that it has consumed."""
        ...

    def end(self) -> Outcome:
        """All pages have come. When it has returned, all is durable."""
        ...

    def abandon(self) -> None:
        """An error has ended the step, or another attempt at it counts, perhaps after `end`: remove what is
        half or not needed. It raises nothing.
        """
        ...


class Work(Protocol):
    """What a job does: a verb with its arguments. Each process makes it anew of what `describe` gives, by
    `jobs.verbs.work_of`, so it keeps nothing else.
    """

    @property
    def verb(self) -> str:
        """Its name among the methods of `Job`."""
        ...

    def describe(self) -> Mapping[str, JSON]:
        """Its arguments as JSON, from which `described` makes an equal one: importable names, texts.
        It is written into the job's record, and two calls with the same one are the same job.
        """
        ...

    def source(self) -> Source:
        """What it reads."""
        ...

    def check(self, session: Session) -> None:
        """Raise all errors that can be known before anything is read. It is called in the parent."""
        ...

    def begin(self, session: Session, at: At) -> Step:
        """Begin a step. Several threads of a process may call it, each for another segment."""
        ...

    def finish(self, session: Session, record: JobRecord, files: Iterable[FileEntry]) -> None:
        """All segments are done: write manifests, remove what does not count. It may be called twice, by two
        processes at the same time as well.

        Args:
            session: A session of the job's.
            record: The job's.
            files: The files that checkpoints name, by segment and step. It may be iterated once.
        """
        ...
