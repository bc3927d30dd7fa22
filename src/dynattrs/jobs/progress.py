"""How far a job is, as its checkpoints say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import attrs

from dynattrs.jobs.ledger import Segment
from dynattrs.jobs.work import JobRecord, State


@attrs.frozen(kw_only=True)
class JobProgress:
    """How far a job is, according to its checkpoints, across all processes that work on it.

    Attributes:
        job: The job's name.
        verb: What it does: `"export"`.
        state: `"running"` until it is `"finished"`, also while nothing works on it: see `is_interrupted`;
            `"failed"` if segments have failed.
        segments: How many segments it has.
        done: How many of them are done.
        failed: How many have failed.
        parents: How many processes reported lately that they work on it; one that was killed still counts
            for twice the job's `lease` plus 30 seconds.
        scanned: How many items, lines or records were read. For a table these are all its items, including
            guards of unique values and items of other models.
        counts: How many items were handled, by model or by outcome: `"Song"`, `"written"`.
        files: How many files were written.
        failures: How many items, lines or records could not be worked on: see `Job.failures`.
        read_units: The read units that the finished steps cost. Lost attempts and the checkpoints cost
            more on top of that.
        write_units: The write units, counted in the same way.
        began: When it was begun.
        ended: When it was finished, or had failed; None while it is neither.
    """

    job: str
    verb: str
    state: State
    segments: int
    done: int
    failed: int
    parents: int
    scanned: int
    counts: Mapping[str, int]
    files: int
    failures: int
    read_units: float
    write_units: float
    began: datetime
    ended: datetime | None

    @property
    def fraction(self) -> float:
        """The part of its segments that is done, from 0.0 to 1.0. Segments are of about equal size."""
        return self.done / self.segments if self.segments else 1.0

    @property
    def is_finished(self) -> bool:
        """Whether all is done."""
        return self.state == "finished"

    @property
    def is_interrupted(self) -> bool:
        """Whether it is neither finished nor failed, and nothing works on it: `Job.resume` goes on."""
        return self.state == "running" and not self.parents

    def __str__(self) -> str:
        state = "interrupted" if self.is_interrupted else self.state
        said = f"{state}, {self.done:,} of {self.segments:,} segments ({self.fraction:.0%})"
        parts = [f"{self.verb.rstrip('_')} {self.job!r}: {said}, {work_told(self)}"]
        if self.files:
            parts.append(f"{self.files:,} files")
        if self.failures:
            parts.append(f"{self.failures:,} failures")
        if self.failed:
            parts.append(f"{self.failed:,} segments failed")
        parts.append(f"{self.read_units:,.1f} read and {self.write_units:,.1f} write units")
        return ", ".join(parts)


def work_told(progress: JobProgress) -> str:
    """What was read and done, in a few words that do not let guards pass for items of a model."""
    counts = "".join(f", {count:,} {name}" for name, count in progress.counts.items())
    read = f"{progress.scanned:,} read"
    if progress.verb != "import_" and progress.scanned > sum(progress.counts.values()):
        read += " (guards and items of other models included)"
    return read + counts


def progress_of(job: JobRecord, segments: Iterable[Segment], parents: int) -> JobProgress:
    every = list(segments)
    counts: dict[str, int] = {}
    for segment in every:
        for name, count in segment.counts.items():
            counts[name] = counts.get(name, 0) + count
    return JobProgress(
        job=job.name,
        verb=job.verb,
        state=job.state,
        segments=job.segments,
        done=sum(each.done for each in every),
        failed=sum(each.error is not None for each in every),
        parents=parents,
        scanned=sum(each.scanned for each in every),
        counts=dict(sorted(counts.items())),
        files=sum(each.files for each in every),
        failures=sum(each.failures for each in every),
        read_units=sum(each.read_units for each in every),
        write_units=sum(each.write_units for each in every),
        began=datetime.fromisoformat(job.began),
        ended=None if job.ended is None else datetime.fromisoformat(job.ended),
    )
