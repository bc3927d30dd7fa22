"""A parent: it claims segments of a job, hands their slices to workers, and sees to what gets lost.

Several parents may work on a job at once, on one machine or many. They tell each other through the job's
records: each has a lease of itself, and a segment whose owner has none any more may be claimed.
"""

from __future__ import annotations

import contextlib
import logging
import math
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from typing import Final

import attrs

from dynattrs.jobs.errors import CheckpointsFailed, JobForgotten, WorkersDied
from dynattrs.jobs.executors import Time, Workers
from dynattrs.jobs.ledger import Ledger, Parent, Segment
from dynattrs.jobs.progress import JobProgress, progress_of
from dynattrs.jobs.rates import SECONDS, Given, Rates
from dynattrs.jobs.slices import JobPlan, Slice, SliceResult
from dynattrs.jobs.work import JobRecord
from dynattrs.operations.leases import Watch

_log = logging.getLogger("dynattrs")

#: How often a slice is tried that ends with what passes; pauses grow.
_TRIES: Final = 8
_LONGEST_PAUSE: Final = 30.0
#: How often the worker of a slice may die, or be lost, until its segment has failed. From the second time on
#: the slice has a process of its own, so that it is known to be the one.
_MOST_LOSSES: Final = 4
#: So often may workers die before any slice has come back: their processes cannot even begin.
_MOST_STILLBORN: Final = 6
#: So many segments may fail one after the other before any step is done: then all would.
_MOST_IN_VAIN: Final = 20
#: How long an interrupted parent waits for its slices to end.
_ENDING: Final = 30.0


@attrs.define(eq=False)
class Held:
    """A segment that this parent has claimed.

    Attributes:
        segment: As its checkpoint said last.
        due: Not before then.
        failures: How often in a row a slice has ended with what passes.
        losses: How often in a row a slice was lost.
    """

    segment: Segment
    due: float = 0.0
    failures: int = 0
    losses: int = 0


@attrs.define(eq=False)
class Flight:
    """A slice that is under way.

    Attributes:
        held: The segment.
        given: What it may consume.
        fence: The fencing number that it was submitted with.
        alone: Whether it has a process of its own.
        until: When it is taken for lost.
    """

    held: Held
    given: Given
    fence: int
    alone: bool
    until: float


@attrs.frozen
class Options:
    """How a parent works.

    Attributes:
        name: What it calls itself.
        lease: For how long its lease holds, in seconds.
        timeout: After how many seconds a slice is taken for lost.
        listener: Told how far the job is, now and then.
    """

    name: str
    lease: float
    timeout: float
    listener: Callable[[JobProgress], object] | None = None


class InVain(Exception):
    """So many segments have failed, or one with such an error, that all would."""


class Running:
    """A parent while it works.

    Args:
        plan: What its slices have in common.
        job: The job, as it is written down.
        ledger: Its records.
        workers: What runs slices.
        rates: What they may consume.
        time: Its clock.
        options: How it works.
    """

    def __init__(
        self,
        plan: JobPlan,
        job: JobRecord,
        ledger: Ledger,
        workers: Workers,
        rates: Rates,
        time: Time,
        options: Options,
    ) -> None:
        self._plan, self._job, self._ledger = plan, job, ledger
        self._workers, self._rates, self._time = workers, rates, time
        self._options = options
        self._me = Parent(owner=options.name, counter=0, fence=0, seconds=options.lease)
        self._generation = 0
        self._watch = Watch(time.now)
        #: When the records are looked at again.
        self._look_at = -math.inf
        #: All segments, as far as is known.
        self._segments: list[Segment] = []
        #: Those that may be claimed.
        self._free: list[Segment] = []
        #: Errors of earlier tries, which are taken back once.
        self._again: set[int] | None = None
        #: When it may begin to consume what is shared.
        self._may_begin = math.inf
        self._ready: list[Held] = []
        self._flights: dict[Future[SliceResult], Flight] = {}
        self._stillborn = 0
        self._in_vain = 0
        #: Errors whose tracebacks were logged, by class and lines.
        self._logged: set[tuple[str, str]] = set()

    # --- The loop -------------------------------------------------------------------------------

    def run(self) -> Sequence[Segment]:
        """Work until all segments are over, or it is known that all would fail; the segments then.

        Raises:
            CheckpointsFailed: Nothing can be written down any more.
            JobForgotten: The job's records were removed.
            BrokenExecutor: The program's own executor is broken.
        """
        try:
            while True:
                if self._time.now() >= self._look_at:
                    self._look()
                self._hand_out()
                if not self._flights and not self._ready and self._is_over():
                    return self._segments
                for future in self._time.wait(self._flights, self._pause()):
                    self._landed(future)
                self._miss()
        except InVain:
            self._stop(wait=True)
            return self._ledger.segments(self._job)
        except BaseException as error:
            self._stop(wait=not isinstance(error, CheckpointsFailed))
            if isinstance(error, CheckpointsFailed) and self._is_forgotten():
                raise self._forgotten() from error  # a folder is gone with its records
            raise
        finally:
            with contextlib.suppress(Exception):
                self._ledger.leave(self._job.run, self._name)

    @property
    def _name(self) -> str:
        return self._me.owner or ""

    def _pause(self) -> float:
        now = self._time.now()
        moments = [self._look_at]
        if self._slots:
            # Those whose time has come wait for units.
            moments += [each.due for each in self._ready if each.due > now]
            moments.append(self._rates.next())
            if self._may_begin > now:
                moments.append(self._may_begin)
        moments += [each.until for each in self._flights.values()]
        return max(0.0, min(moments) - now) + 0.001

    @property
    def _slots(self) -> int:
        return max(0, self._workers.width - len(self._flights))

    def _is_over(self) -> bool:
        if not all(each.is_over for each in self._segments):
            return False
        self._segments = self._ledger.segments(self._job)
        return all(each.is_over for each in self._segments)

    # --- Looking at the records -------------------------------------------------------------------

    def _look(self) -> None:
        """Say that this one is alive, see who else is, and what there is to do."""
        run = self._job.run
        self._look_at = self._time.now() + self._options.lease / 4
        if self._ledger.is_forgotten(run):
            raise self._forgotten()
        if not self._me.counter:
            # Of two that begin at once, one sees the other.
            self._beat({self._name})
        # Before the parents: who has a segment by then is among them, unless it is gone.
        wanted = not self._segments or len(self._free) < self._workers.width
        segments = self._ledger.segments(self._job) if wanted or self._options.listener else None
        asked = self._time.now()
        parents = self._ledger.parents(run)
        # Else it has stood still itself since it was answered, and the others have not.
        prompt = self._time.now() - asked < self._options.lease / 2
        alive = {self._name}
        for name, parent in parents.items():
            if name == self._name:
                continue
            if self._watch.is_still(name, parent) and prompt:
                self._ledger.leave(run, name)
            else:
                alive.add(name)
        self._watch.forget_others(tuple(parents))
        self._beat(alive)
        self._agree([parents[name] for name in alive if name in parents and name != self._name])
        if segments is not None:
            self._segments = segments
            self._find(alive - {self._name})

    def _is_forgotten(self) -> bool:
        with contextlib.suppress(Exception):
            return self._ledger.is_forgotten(self._job.run)
        return False

    def _forgotten(self) -> JobForgotten:
        return JobForgotten(
            f"the records of job {self._job.name!r} were removed while it ran; it has stopped, and what "
            f"it has done until then is done"
        )

    def _beat(self, alive: set[str]) -> None:
        at = self._time.stamp()
        me = attrs.evolve(self._me, counter=self._me.counter + 1, knows=tuple(sorted(alive)), at=at)
        if self._ledger.beat(self._job.run, me):
            self._me = me
            return
        # It had stood still for so long that it was taken for dead. What it held may be others' by now.
        self._ready.clear()
        self._generation += 1
        alive.discard(self._name)
        name = f"{self._options.name}-{self._generation}"
        alive.add(name)
        self._me = attrs.evolve(self._me, owner=name, counter=1, knows=tuple(sorted(alive)))
        self._ledger.beat(self._job.run, self._me)

    def _agree(self, others: Sequence[Parent]) -> None:
        """Divide the rates among all. One that has come begins when the others know of it, and when what they
        have given out before is consumed.
        """
        self._rates.share(1 + len(others))
        if not self._rates.are_any:
            self._may_begin = -math.inf
        elif not all(self._name in each.knows for each in others):
            self._may_begin = math.inf
        elif self._may_begin == math.inf:
            self._may_begin = self._time.now() + SECONDS * bool(others)

    def _find(self, others: set[str]) -> None:
        """Find the segments that may be claimed: those that none of the *others* has."""
        if self._again is None:
            self._again = {each.number for each in self._segments if each.error is not None}
        ours = {each.segment.number for each in self._ready}
        ours.update(each.held.segment.number for each in self._flights.values())
        self._free = [
            each
            for each in self._segments
            if not each.done
            and each.number not in ours
            and each.owner not in others
            and (each.error is None or each.number in self._again)
        ]
        # Two parents are not to want the same ones.
        self._free.sort(key=lambda _: self._time.random())
        if self._options.listener is not None:
            try:
                self._options.listener(progress_of(self._job, self._segments, 1 + len(others)))
            except Exception:
                _log.exception("job %r: on_progress has failed", self._job.name)

    # --- Handing out ------------------------------------------------------------------------------

    def _hand_out(self) -> None:
        """Submit slices, as far as there are workers, segments and units for them."""
        if self._may_begin > self._time.now():
            return
        while (slots := self._slots) > 0:
            held = self._next()
            if held is None:
                return
            waiting = len(self._ready) + len(self._free)
            ticket = uuid.uuid4().hex
            given = self._rates.give(ticket, self._time.now(), min(slots, waiting + 1))
            if given is None:
                self._ready.insert(0, held)
                return
            self._submit(held, ticket, given)

    def _next(self) -> Held | None:
        """A segment whose turn it is; a new one is claimed where none is ready."""
        now = self._time.now()
        for held in self._ready:
            if held.due <= now:
                self._ready.remove(held)
                return held
        while self._free:
            found = self._free.pop()
            claimed = self._ledger.claim(self._job.run, found, self._name)
            if claimed is not None:
                assert self._again is not None
                self._again.discard(found.number)
                self._segments[found.number] = claimed
                return Held(claimed)
        return None

    def _submit(self, held: Held, ticket: str, given: Given) -> None:
        segment = held.segment
        task = Slice(self._plan, segment.number, segment.step, segment.fence, given.limits, ticket)
        alone = held.losses >= 2
        try:
            future = self._workers.submit(task, alone=alone)
        except Exception as error:
            self._ready.append(held)
            self._rates.lose(given, self._time.now())
            if not self._workers.is_broken(error):
                raise
            self._broke(error)
            return
        until = self._time.now() + self._options.timeout
        self._flights[future] = Flight(held, given, segment.fence, alone, until)

    # --- What comes back --------------------------------------------------------------------------

    def _landed(self, future: Future[SliceResult]) -> None:
        flight = self._flights.pop(future, None)
        if flight is None:
            return
        try:
            result = future.result()
        except Exception as error:
            self._rates.lose(flight.given, self._time.now())
            if self._workers.is_broken(error) and not flight.alone:
                self._broke(error, flight)
            else:
                self._die(error)
                if self._workers.is_final(error):
                    flight.held.losses = max(flight.held.losses, _MOST_LOSSES - 1)
                self._lost(flight.held, error)
            return
        self._stillborn = 0
        if result.problem is None:
            self._rates.settle(
                flight.given, self._time.now(), result.scanned, result.read_units,
                result.write_units, result.seconds,
            )  # fmt: skip
        else:
            self._rates.lose(flight.given, self._time.now())
        self._settle(flight, result)

    def _settle(self, flight: Flight, result: SliceResult) -> None:
        held, found = flight.held, result.segment
        if found is not None and found.fence != flight.fence:
            self._segments[found.number] = found
            return  # it is another one's
        if found is not None:
            held.segment = found
            self._segments[found.number] = found
        problem = result.problem
        if problem is None:
            held.failures = held.losses = self._in_vain = 0
            if not held.segment.is_over:
                self._ready.append(held)
            return
        if problem.kind == "checkpoints":
            raise CheckpointsFailed(str(self._plan.checkpoints), problem.what)
        held.failures += 1
        if problem.kind == "passing" and held.failures < _TRIES:
            longest = min(_LONGEST_PAUSE, 0.5 * 2.0**held.failures)
            pause = longest * (0.5 + self._time.random() / 2)
            held.due = self._time.now() + pause
            self._ready.append(held)
            _log.warning(
                "job %r: segment %d is tried again in %.1f s: %s",
                self._job.name, held.segment.number, pause, problem.what,
            )  # fmt: skip
            return
        self._fail(held, problem.what, problem.traceback)
        if problem.kind == "common":
            raise InVain

    def _fail(self, held: Held, what: str, trace: str = "") -> None:
        segment = held.segment
        places = "".join(line for line in trace.splitlines() if line.startswith("  File "))
        known = (what.partition(":")[0], places) in self._logged
        self._logged.add((what.partition(":")[0], places))
        _log.error(
            "job %r: segment %d has failed: %s%s",
            self._job.name, segment.number, what, f"\n{trace}" * bool(trace and not known),
        )  # fmt: skip
        released = self._ledger.release(self._job.run, segment, error=what)
        self._segments[segment.number] = released or self._ledger.segment(
            self._job.run, segment.number
        )
        self._in_vain += 1
        if self._in_vain >= _MOST_IN_VAIN:
            raise InVain

    def _broke(self, error: BaseException, *flights: Flight) -> None:
        """All slices that were under way in common processes are lost."""
        lost = [*flights]
        for future, flight in list(self._flights.items()):
            if not flight.alone:
                del self._flights[future]
                future.cancel()
                lost.append(flight)
        self._die(error)
        self._workers.renew()
        for flight in lost:
            if flight not in flights:
                self._rates.lose(flight.given, self._time.now())
            self._lost(flight.held, error)

    def _die(self, error: BaseException) -> None:
        """A worker has died."""
        self._stillborn += 1
        if self._stillborn >= _MOST_STILLBORN:
            raise WorkersDied(
                f"job {self._job.name!r}: its workers die before any of them has done anything: "
                f"{type(error).__name__}: {error}; see what they have printed. Where the program begins the "
                f'job at the top of its main module, write `if __name__ == "__main__":` before that'
            ) from error

    def _lost(self, held: Held, error: BaseException) -> None:
        """The slice of a segment is lost. It is submitted again under another fencing number, so that what it
        may still be doing does not count.
        """
        held.losses += 1
        now_ = self._ledger.segment(self._job.run, held.segment.number)
        self._segments[now_.number] = now_
        if now_.fence != held.segment.fence or now_.is_over:
            return
        held.segment = now_
        name = type(error).__name__
        if held.losses >= _MOST_LOSSES:
            self._fail(
                held,
                f"{name}: a slice of it was lost again and again: its worker was killed, ran out of "
                f"memory, or took too long ({error})",
            )
            return
        claimed = self._ledger.claim(self._job.run, now_, self._name)
        if claimed is not None:
            held.segment = self._segments[claimed.number] = claimed
            self._ready.append(held)
            _log.warning(
                "job %r: a slice of segment %d was lost (%s), and is done again",
                self._job.name, claimed.number, name,
            )  # fmt: skip

    def _miss(self) -> None:
        """Take slices for lost that take too long."""
        now = self._time.now()
        late = {f: each for f, each in self._flights.items() if now >= each.until and not f.done()}
        if not late:
            return
        for future, flight in late.items():
            del self._flights[future]
            future.cancel()
            self._rates.lose(flight.given, now)
            flight.held.losses = max(1, flight.held.losses)  # next time in a process of its own
            self._lost(flight.held, TimeoutError(f"no answer after {self._options.timeout:g} s"))
        # Their workers are still at it. Beside them others are as well, which are lost now.
        stuck = CancelledError("its worker was stopped beside one that took too long")
        others = [f for f, each in self._flights.items() if not each.alone]
        with contextlib.suppress(Exception):
            self._workers.renew()
        for future in others:
            flight = self._flights.pop(future)
            self._rates.lose(flight.given, now)
            flight.held.losses -= 1  # it is not its fault
            self._lost(flight.held, stuck)

    # --- The end ----------------------------------------------------------------------------------

    def _stop(self, *, wait: bool) -> None:
        """Let the slices end that are under way, and give all segments back."""
        until = self._time.now() + _ENDING
        with contextlib.suppress(Exception):
            self._workers.stop()
            while wait and self._flights and self._time.now() < until:
                left = until - self._time.now()
                for future in self._time.wait(self._flights, left):
                    flight = self._flights.pop(future)
                    result = future.result()
                    if result.segment is not None and result.segment.fence == flight.fence:
                        flight.held.segment = result.segment
                        self._ready.append(flight.held)
        with contextlib.suppress(Exception):
            for held in self._ready:
                if not held.segment.is_over:
                    self._ledger.release(self._job.run, held.segment)
