"""A slice of a segment: the task that an executor runs, in whatever process.

It may be run twice, at the same time or later, or be stopped at any instant: what counts is what it writes
into the segment's checkpoint, once.
"""

from __future__ import annotations

import contextlib
import functools
import json
import time
import traceback
import uuid
from collections.abc import Callable
from typing import Final, Literal

import attrs

from dynattrs.clock import monotonic
from dynattrs.errors import (
    AccessDenied,
    ConfigurationError,
    ConnectionFailed,
    NoSuchTable,
    OutcomeUnknown,
    ServiceUnavailable,
    Throttled,
)
from dynattrs.jobs.checkpoints import Checkpoints
from dynattrs.jobs.errors import CheckpointsFailed
from dynattrs.jobs.ledger import Ledger, Segment, Totals
from dynattrs.jobs.session_specs import SessionSpec, session_of, told_for_jobs
from dynattrs.jobs.stopping import Stopped, is_asked, signal
from dynattrs.jobs.verbs import work_of
from dynattrs.jobs.which_items import models_of
from dynattrs.jobs.work import At, Limits, Step, Work

#: What may be over in a moment.
_PASSING: Final = (ConnectionFailed, OutcomeUnknown, ServiceUnavailable, Throttled)
#: What all other segments would meet as well.
_COMMON: Final = (AccessDenied, ConfigurationError, NoSuchTable)


@attrs.frozen
class JobPlan:
    """What all slices of a job have in common; plain values, for other processes.

    Attributes:
        job: The job's name.
        run: Made by chance when it was begun.
        verb: What it does.
        description: Its arguments, as JSON text.
        models: The importable names of its models and tables.
        segments: How many segments there are.
        session: How its sessions are made.
        checkpoints: Where its records are.
        lease: After how many seconds without a look at the checkpoint a worker looks again before it goes
            on: it may have been stalled, and its segment be another one's.
    """

    job: str
    run: str
    verb: str
    description: str
    models: tuple[str, ...]
    segments: int
    session: SessionSpec
    checkpoints: Checkpoints
    lease: float


@attrs.frozen
class Slice:
    """A task.

    Attributes:
        plan: The job's.
        segment: Which segment.
        step: Which of its steps this is.
        fence: The fencing number under which it is done.
        limits: Where it ends. Units come evenly over its seconds: it pauses between pages for that.
        ticket: Made by chance for each submission: an executor that remembers results has none of it.
    """

    plan: JobPlan
    segment: int
    step: int
    fence: int
    limits: Limits
    ticket: str


@attrs.frozen
class Problem:
    """What has ended a slice.

    Attributes:
        what: The error's class and message.
        kind: `"passing"`, it may be over in a moment; `"checkpoints"`, nothing can be written down, which
            ends the job; `"common"`, all other segments would meet it as well; `"segment"`, all else, which
            ends the segment.
        traceback: Where it was raised, for the log.
    """

    what: str
    kind: Literal["passing", "checkpoints", "common", "segment"]
    traceback: str


@attrs.frozen
class SliceResult:
    """What has become of a slice.

    Attributes:
        segment: The segment as its checkpoint says; None where that could not be read.
        scanned: How many items it has read.
        read_units: What it has consumed, whether it counts or not.
        write_units: As well.
        seconds: How long it was busy, without its pauses.
        problem: What has ended it early; None where nothing has.
    """

    segment: Segment | None
    scanned: int = 0
    read_units: float = 0.0
    write_units: float = 0.0
    seconds: float = 0.0
    problem: Problem | None = None


def run_slice(task: Slice) -> SliceResult:
    """Do a slice. It raises nothing but what ends processes: what goes wrong is in the result."""
    return SliceRun(task).run()


class Lost(Exception):
    """The segment is another one's."""


def _rest(seconds: float) -> None:
    found = signal()
    if found is None:
        time.sleep(seconds)
    else:
        found.wait(seconds)


class SliceRun:
    """One attempt at a slice.

    Args:
        task: The slice.
        now: Seconds that never go back.
        sleep: Waits.
    """

    def __init__(
        self,
        task: Slice,
        *,
        now: Callable[[], float] = monotonic,
        sleep: Callable[[float], object] = _rest,
    ) -> None:
        self._task = task
        self._now, self._sleep = now, sleep
        self._began = self._looked = now()
        self._paused = 0.0
        self._totals = Totals()
        self._found: Segment | None = None

    def run(self) -> SliceResult:
        problem = None
        try:
            with told_for_jobs():
                self._work()
        except (Lost, Stopped):
            pass
        except Exception as error:
            problem = _problem(error)
        totals = self._totals
        return SliceResult(
            self._found, totals.scanned, totals.read_units, totals.write_units,
            self._now() - self._began - self._paused, problem,
        )  # fmt: skip

    def _work(self) -> None:
        task, plan = self._task, self._task.plan
        session = session_of(plan.session)
        ledger = Ledger(plan.checkpoints.store(plan.job, plan.session), plan.job)
        found = self._look(ledger)
        work = _work_of(plan.verb, plan.description, plan.models)
        attempt = uuid.uuid4().hex[:12]
        at = At(
            plan.job, plan.run, task.segment, plan.segments, task.step, task.fence, attempt
        )  # fmt: skip
        step = work.begin(session, at)
        try:
            pages = work.source().pages(
                session, task.segment, plan.segments, found.position, task.limits
            )
            position = found.position
            for page in pages:
                if self._now() - self._looked > plan.lease / 2:
                    self._look(ledger)
                self._totals.page(page, step.page(page))
                position = page.position
                if position is None or self._is_full():
                    break
            close = getattr(pages, "close", None)
            if close is not None:
                close()
            outcome = step.end()
        except BaseException:
            _abandon(step)
            raise
        self._totals.end(outcome)
        done = ledger.advance(at, found, position, self._totals, outcome)
        if done is None:  # another attempt counts
            _abandon(step)
        self._found = ledger.segment(plan.run, task.segment) if done is None else done

    def _look(self, ledger: Ledger) -> Segment:
        """The segment as it is.

        Raises:
            Lost: It is another one's by now, or the step is done.
        """
        task = self._task
        self._looked = self._now()
        self._found = found = ledger.segment(task.plan.run, task.segment)
        if found.fence != task.fence or found.step != task.step or found.is_over:
            raise Lost
        return found

    def _is_full(self) -> bool:
        """Whether the slice ends here. Where units come at a rate, it waits until the next page may come. It
        ends as well where the job was interrupted.
        """
        limits, totals = self._task.limits, self._totals
        spent = 0.0
        for units, consumed in (
            (limits.read_units, totals.read_units),
            (limits.write_units, totals.write_units),
        ):
            if units is not None:
                spent = max(spent, consumed / units)
        elapsed = self._now() - self._began
        due = spent * limits.seconds
        if is_asked():
            return True
        if due >= limits.seconds or elapsed >= limits.seconds or totals.scanned >= limits.items:
            return True
        if due > elapsed:
            self._sleep(due - elapsed)
            self._paused += due - elapsed
        return is_asked()


@functools.lru_cache(maxsize=16)
def _work_of(verb: str, description: str, models: tuple[str, ...]) -> Work:
    return work_of(verb, json.loads(description), models_of(models, "Job"))


def _abandon(step: Step) -> None:
    # Another error is on its way.
    with contextlib.suppress(Exception):
        step.abandon()


def _problem(error: Exception) -> Problem:
    kind: Literal["passing", "checkpoints", "common", "segment"] = "segment"
    if isinstance(error, CheckpointsFailed):
        kind = "checkpoints"
    elif isinstance(error, _PASSING):
        kind = "passing"
    elif isinstance(error, _COMMON):
        kind = "common"
    where = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return Problem(f"{type(error).__name__}: {error}", kind, where)
