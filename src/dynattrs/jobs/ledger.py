"""What is written down of a job, and by which rules: who owns which segment, and what counts.

A parent claims a segment by raising its fencing number. The process with that number writes down,
once, that a step has ended: every write demands that the segment is still as it was read. Who owns segments
shows that it is alive by a counter of its own that moves; when that stands still for as long as it says,
by the clock of who looks, its segments may be claimed.

A step's files and failures are a record of their own under a name that no other attempt has. Each names
the one before it, and the segment names the last: what a lost attempt has left behind is in no such chain.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Final, TypeVar

import attrs

from dynattrs.jobs.checkpoints import Record, Store
from dynattrs.jobs.errors import CheckpointsFailed, JobForgotten
from dynattrs.jobs.work import (
    MOST_FAILURES,
    At,
    Failure,
    FileEntry,
    JobRecord,
    Outcome,
    SourcePage,
    State,
)
from dynattrs.operations.leases import Lease

R = TypeVar("R")

#: The form of records that this version writes, and the newest that it reads.
FORMAT: Final = 1
_JOB: Final = "job"
#: Files and failures in one record, which an item has room for.
_MOST_BYTES: Final = 200_000
#: So much clocks of two machines may differ, for what is only shown to people.
_SKEW: Final = timedelta(seconds=30)
#: An error of a segment is for people.
_MOST_ERROR: Final = 2_000


@attrs.frozen
class Segment:
    """A segment as its checkpoint says.

    Attributes:
        number: Which one.
        revision: How often its record was written; 0 where it was not.
        fence: How often it was claimed.
        owner: The parent that has claimed it; None where none has it.
        step: How many steps of it are done.
        position: Where the next one begins; None for its beginning, or when it is done.
        done: Whether all of it is.
        scanned: How many items were read.
        counts: What was done with them.
        read_units: What reading has cost.
        write_units: What writing has cost.
        files: How many files were written.
        failures: How much could not be worked on.
        last: The record of the last step that has files or failures.
        error: What it has failed with; None where it has not.
    """

    number: int
    revision: int = 0
    fence: int = 0
    owner: str | None = None
    step: int = 0
    position: str | None = None
    done: bool = False
    scanned: int = 0
    counts: Mapping[str, int] = attrs.field(factory=dict)
    read_units: float = 0.0
    write_units: float = 0.0
    files: int = 0
    failures: int = 0
    last: str | None = None
    error: str | None = None

    @property
    def is_over(self) -> bool:
        return self.done or self.error is not None


@attrs.define(kw_only=True, slots=False)
class Parent(Lease):
    """A parent that works on a job. As a lease, it holds for some seconds after each write.

    Attributes:
        knows: The parents among which it shares the job's rates, itself included.
        at: When it said so, by its own clock, in ISO 8601; for people only.
    """

    knows: tuple[str, ...] = ()
    at: str | None = None

    def is_silent(self, now: datetime) -> bool:
        """Whether it has said nothing for so long that it is dead, as far as two clocks can be compared."""
        return self.at is not None and (
            now - datetime.fromisoformat(self.at)
        ) > _SKEW + 2 * timedelta(seconds=self.seconds)


class Totals:
    """What the pages of a step add up to."""

    def __init__(self) -> None:
        self.scanned = 0
        self.read_units = self.write_units = 0.0
        self.failures: list[Failure] = []
        self.failed = 0

    def page(self, page: SourcePage, write_units: float) -> None:
        self.scanned += page.scanned
        self.read_units += page.units
        self.write_units += write_units
        self.failed += len(page.failures)
        self.failures += page.failures[: MOST_FAILURES - len(self.failures)]

    def end(self, outcome: Outcome) -> None:
        self.read_units += outcome.read_units
        self.write_units += outcome.write_units
        self.failed += len(outcome.failures)
        self.failures += outcome.failures[: MOST_FAILURES - len(self.failures)]


class Ledger:
    """The records of one job, read and written by the rules above.

    Args:
        store: Where they are.
        job: The job's name.
    """

    def __init__(self, store: Store, job: str) -> None:
        self._store = store
        self._name = job

    # --- The job --------------------------------------------------------------------------------

    def job(self) -> JobRecord | None:
        """What was written down of the job; None where it was not begun."""
        record = self._store.read(_JOB)
        return None if record is None else self._read_job(record)

    def begin(self, job: JobRecord) -> JobRecord:
        """Write a job down that was not begun; what was written down, also where another one was faster."""
        while not self._store.write(Record(_JOB, 1, _job_body(job))):
            found = self.job()
            if found is not None:
                return found
            # The one that was faster was forgotten meanwhile.
        return job

    def is_forgotten(self, run: str) -> bool:
        """Whether the records of a run were removed, also if another one has begun since."""
        return bool(_run(self._store.read(_JOB)) != run)

    def mark(self, job: JobRecord, state: State, at: str | None) -> JobRecord:
        """Write down that a job has ended, or goes on; what is written down then."""
        while True:
            record = self._store.read(_JOB)
            if record is None:
                raise self._forgotten()
            found = self._read_job(record)
            if found.run != job.run:
                raise self._forgotten()
            if found.state in ("finished", state):
                return found
            marked = attrs.evolve(found, state=state, ended=at)
            if self._store.write(Record(_JOB, record.revision + 1, _job_body(marked))):
                return marked

    def forget(self, run: str | None = None) -> int:
        """Remove the records of the job, its own first, so that nothing goes on; how many there were.

        Those of a job of the same name that begins meanwhile stay, and all if it is not in this *run*.
        """
        # Before the job's own: a run's others are written after it, so what is of another run than that,
        # a late worker's record, is of one that was forgotten.
        keys = {record.key for record in self._store.read_all()}
        record = self._store.read(_JOB)
        forgotten = _run(record)
        if run not in (None, forgotten):
            return 0
        while record is not None and _run(record) == forgotten and not self._store.remove(record):
            record = self._store.read(_JOB)  # marked, or removed and begun anew
        self._store.delete(key for key in keys if key != _JOB)
        return len(keys)

    def _read_job(self, record: Record) -> JobRecord:
        body = dict(record.body)
        written = body.pop("format", None)
        if written != FORMAT:
            raise CheckpointsFailed(
                f"job {self._name!r}",
                f"its records have the format {written!r}, and this version of dynattrs knows {FORMAT}; "
                f"go on with the version that has begun the job",
            )
        return _made(JobRecord, record, body)

    def _forgotten(self) -> JobForgotten:
        return JobForgotten(
            f"the records of job {self._name!r} were removed while it ran; it has stopped. What it has "
            f"written until then is as it is"
        )

    # --- Segments -------------------------------------------------------------------------------

    def segment(self, run: str, number: int) -> Segment:
        """A segment as it is now."""
        record = self._store.read(_segment_key(run, number))
        return Segment(number) if record is None else _segment(record)

    def segments(self, job: JobRecord) -> list[Segment]:
        """All segments as they are, by their numbers."""
        found = [Segment(number) for number in range(job.segments)]
        for record in self._store.read_all(f"run/{job.run}/segment/"):
            segment = _segment(record)
            if segment.number < job.segments:
                found[segment.number] = segment
        return found

    def claim(self, run: str, found: Segment, owner: str) -> Segment | None:
        """Claim a segment, unless anything has happened to it since it was *found*; None where it has.

        An error that it had is taken back: it is tried once more.
        """
        claimed = attrs.evolve(
            found, revision=found.revision + 1, fence=found.fence + 1, owner=owner, error=None
        )
        return self._write(run, claimed)

    def release(self, run: str, held: Segment, error: str | None = None) -> Segment | None:
        """Give a segment back that is held, with the *error* that it has failed with; None where it is not
        held any more.
        """
        if error is not None:
            error = error[:_MOST_ERROR]
        return self._write(
            run, attrs.evolve(held, revision=held.revision + 1, owner=None, error=error)
        )

    def advance(
        self, at: At, found: Segment, position: str | None, totals: Totals, outcome: Outcome
    ) -> Segment | None:
        """Write down that a step is done, of a segment as it was *found* before it; None where it is another
        one's by now, or another attempt has done the step: then nothing of this one counts.

        Args:
            at: The step.
            found: The segment when the step began.
            position: Where the next one begins; None for nowhere.
            totals: What its pages add up to.
            outcome: What it has done.
        """
        last = found.last
        for number, (files, failures) in enumerate(_pieces(outcome.files, totals.failures)):
            key = f"{at.segment:06}/{at.step:08}/{at.attempt}/{number}"
            body = {
                "before": last,
                "files": [attrs.asdict(each) for each in files],
                "failures": [_failure_body(each) for each in failures],
            }
            self._store.add(Record(f"run/{at.run}/step/{key}", 1, body))
            last = key
        counts = dict(found.counts)
        for name, count in outcome.counts.items():
            counts[name] = counts.get(name, 0) + count
        done = attrs.evolve(
            found,
            revision=found.revision + 1,
            step=found.step + 1,
            position=position,
            done=position is None,
            owner=found.owner if position is not None else None,
            scanned=found.scanned + totals.scanned,
            counts=counts,
            read_units=found.read_units + totals.read_units,
            write_units=found.write_units + totals.write_units,
            files=found.files + len(outcome.files),
            failures=found.failures + totals.failed,
            last=last,
        )
        return self._write(at.run, done)

    def _write(self, run: str, segment: Segment) -> Segment | None:
        key = _segment_key(run, segment.number)
        body = attrs.asdict(segment)
        del body["revision"]
        return segment if self._store.write(Record(key, segment.revision, body)) else None

    # --- What steps have written down -----------------------------------------------------------

    def files(self, job: JobRecord) -> Iterator[FileEntry]:
        """The files that count, by segment and step."""
        for record in self._steps(job):
            for each in record.body["files"]:
                yield _made(FileEntry, record, each)

    def failures(self, job: JobRecord) -> Iterator[Failure]:
        """What could not be worked on, by segment and step."""
        for record in self._steps(job):
            for each in record.body["failures"]:
                yield _made(Failure, record, each)

    def _steps(self, job: JobRecord) -> Iterator[Record]:
        for segment in self.segments(job):
            if segment.last is None:
                continue
            prefix = f"run/{job.run}/step/"
            found = {
                record.key[len(prefix) :]: record
                for record in self._store.read_all(f"{prefix}{segment.number:06}/")
            }
            chain: list[Record] = []
            last: Any = segment.last
            while last is not None:
                record = found.get(last)
                if record is None:
                    raise CheckpointsFailed(
                        f"job {self._name!r}",
                        f"the record {prefix}{last} is missing, so what segment {segment.number} has done "
                        f"is not known; was it removed by hand?",
                    )
                chain.append(record)
                last = record.body.get("before")
            yield from reversed(chain)

    # --- Parents --------------------------------------------------------------------------------

    def parents(self, run: str) -> dict[str, Parent]:
        """Those that have said that they work on the job, alive or not."""
        found: dict[str, Parent] = {}
        for record in self._store.read_all(f"run/{run}/parent/"):
            name = record.key.rpartition("/")[2]
            body = {**record.body, "knows": tuple(record.body.get("knows") or ())}
            found[name] = _made(Parent, record, body)
        return found

    def working(self, run: str) -> int:
        """How many work on the job, as far as one look can tell."""
        now = datetime.now(timezone.utc)
        return sum(not each.is_silent(now) for each in self.parents(run).values())

    def beat(self, run: str, parent: Parent) -> bool:
        """Write a parent's lease; False where it was removed meanwhile, because it had stood still."""
        body = attrs.asdict(parent)
        return self._store.write(Record(f"run/{run}/parent/{parent.owner}", parent.counter, body))

    def leave(self, run: str, name: str) -> None:
        """Remove a parent: it has ended, or another one has seen it stand still."""
        self._store.delete([f"run/{run}/parent/{name}"])


def _run(record: Record | None) -> Any:
    """The run of a job's own record, also of one in a newer format."""
    return None if record is None else record.body.get("run")


def _segment_key(run: str, number: int) -> str:
    return f"run/{run}/segment/{number:06}"


def _segment(record: Record) -> Segment:
    return _made(Segment, record, {**record.body, "revision": record.revision})


def _job_body(job: JobRecord) -> dict[str, Any]:
    return {"format": FORMAT, **attrs.asdict(job)}


def _made(cls: type[R], record: Record, body: Mapping[str, Any]) -> R:
    try:
        return cls(**body)
    except TypeError as error:
        raise CheckpointsFailed(
            f"record {record.key!r}",
            f"it is not as dynattrs writes it ({error}): it was changed by hand, or by another version",
        ) from error


def _failure_body(failure: Failure) -> dict[str, Any]:
    return attrs.asdict(failure, filter=lambda _, value: value is not None)


def _pieces(
    files: Sequence[FileEntry], failures: Iterable[Failure]
) -> Iterator[tuple[list[FileEntry], list[Failure]]]:
    """Files and failures in pieces that a record has room for."""
    piece: tuple[list[FileEntry], list[Failure]] = ([], [])
    size = 0
    every: list[FileEntry | Failure] = [*files, *failures]
    for each in every:
        size += len(json.dumps(attrs.asdict(each)))
        if isinstance(each, FileEntry):
            piece[0].append(each)
        else:
            piece[1].append(each)
        if size >= _MOST_BYTES:
            yield piece
            piece, size = ([], []), 0
    if piece[0] or piece[1]:
        yield piece
