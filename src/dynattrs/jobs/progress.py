"""How far a job is, as its checkpoints say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import attrs

from dynattrs.jobs.ledger import Segment
from dynattrs.jobs.work import JobRecord, State


@attrs.frozen(kw_only=True)
class JobProgress:
    """How far a job is: what its checkpoints say, whoever works on it.

    Attributes:
        job: The job's name.
        verb: What it does: `"export"`.
        state: `"running"` until it is `"finished"`, also while nobody works on it; `"failed"` where segments
            have failed.
        segments: How many segments it has.
        done: How many of them are done.
        failed: How many have failed.
        parents: How many processes say that they work on it; one that has died is counted until another
            one has seen that it stands still.
        scanned: How many items, lines or records were read.
        counts: What was done with them, by what that is.
        files: How many files were written.
        failures: How many items, lines or records could not be worked on: see `Job.failures`.
        read_units: The read units that steps have cost which count. What attempts that were lost have
            cost comes on top, and so do the checkpoints.
        write_units: The same of write units.
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

    def __str__(self) -> str:
        counts = "".join(f", {count:,} {name}" for name, count in self.counts.items())
        said = f"{self.state}, {self.done:,} of {self.segments:,} segments ({self.fraction:.0%})"
        parts = [f"{self.verb.rstrip('_')} {self.job!r}: {said}, {self.scanned:,} read{counts}"]
        if self.files:
            parts.append(f"{self.files:,} files")
        if self.failures:
            parts.append(f"{self.failures:,} failures")
        if self.failed:
            parts.append(f"{self.failed:,} segments failed")
        parts.append(f"{self.read_units:,.1f} read and {self.write_units:,.1f} write units")
        return ", ".join(parts)


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
