"""One turn with a shard: a page of it is read, and its changes are handled one after the other.

The handler is called only while the lease holds, and how far it is is written down only under the
condition that it does. So what one holder acknowledges is in order, and a holder that was stalled
calls the handler at most once more: the call that it was in.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any, Final, Literal

from dynattrs.expressions.updates import Action, remove, set_
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Environment, Flow, pause_before
from dynattrs.operations.leases import PASSING, Leasing
from dynattrs.streams.consumer_events import (
    Checkpointed,
    GaveUp,
    Handled,
    HandlerFailed,
)
from dynattrs.streams.consumer_options import Failure, NothingDone, Options
from dynattrs.streams.errors import ConsumerStopped, StreamGap
from dynattrs.streams.failed_changes import FailedChanges
from dynattrs.streams.held_shards import HeldShard
from dynattrs.streams.kinds import Unreadable
from dynattrs.streams.positions import END, HORIZON, Position
from dynattrs.streams.reading import read_record
from dynattrs.streams.shard_leases import ShardLease, expiry
from dynattrs.streams.tracing import Batch, Span, batch_span

#: A shard may be asked for records five times a second.
_BETWEEN_READS: Final = 0.2
#: So many empty pages in a row are the end of what there is: the service walks over stretches of time that
#: hold nothing page by page. When that was reached, one is, until it is this far behind again.
_TIP: Final = 8
_BEHIND: Final = timedelta(minutes=1)
#: The longest pause before a change is tried again.
_LONGEST_PAUSE: Final = 30.0

_log = logging.getLogger("dynattrs")


class Turns:
    """Takes turns with the shards of one consumer.

    Args:
        options: What the consumer was told to do.
        core: The session's.
        leasing: Whose leases.
    """

    def __init__(
        self,
        options: Options,
        core: Core,
        leasing: Leasing,
    ) -> None:
        self._options = options
        self._core = core
        self._leasing = leasing
        self._environment = core.environment

    def _now(self) -> float:
        return self._environment.monotonic()

    def take(self, shard: HeldShard) -> Flow[float | None]:
        """One turn; when it is its turn again, or None where it is not read any more.

        Raises:
            Exception: The consumer has to stop.
        """
        try:
            due = yield from self._turn(shard)
        except StreamGap as gap:
            yield from self._passed(shard, gap)
            due = self._now()
        except PASSING as error:
            shard.failures += 1
            pause = pause_before(shard.failures, self._environment)
            _log.warning("shard %s is read again in a moment: %s", shard.shard, error)
            due = self._now() + pause.seconds
        return None if shard.held.lost else due

    def _turn(self, shard: HeldShard) -> Flow[float]:
        if not (yield from self._holds(shard)):
            return 0.0
        if shard.why is None and not shard.waiting and not shard.closed:
            yield from self._read(shard)
        if shard.waiting and shard.why is None:
            yield from self._handle(shard)
        if shard.held.lost:
            return 0.0
        if shard.closed and not shard.waiting:
            yield from self._leave(shard, "ended")
        elif shard.why is not None:
            yield from self._leave(shard, shard.why)
        elif shard.unsaved and self._now() - shard.saved_at >= self._options.after:
            yield from self._save(shard)
        if shard.waiting:
            return shard.due
        wait = self._options.poll if shard.caught_up else _BETWEEN_READS
        return shard.read_at + wait

    def _holds(self, shard: HeldShard) -> Flow[bool]:
        """Whether the lease is held. Where its time is over, and no other one has taken it, it is again."""
        if not shard.held.holds(self._now()):
            yield from self._save(shard)
        return not shard.held.lost

    # --- Reading ------------------------------------------------------------------------------

    def _read(self, shard: HeldShard) -> Flow[None]:
        shard.read_at = self._now()
        page = yield from shard.reader.read()
        shard.failures = 0
        shard.closed = page.closed
        shard.empties = shard.empties + 1 if page.is_empty else 0
        shard.caught_up = shard.empties >= (1 if shard.at_tip else _TIP)
        shard.at_tip = shard.at_tip or shard.caught_up
        if page.records:
            records = [read_record(each, bare=False) for each in page.records]
            shard.waiting.extend(shard.table.source.changes(records, self._options.others))
            shard.read = len(records)
        if shard.closed:
            shard.behind = END
        elif page.records:
            shard.behind = shard.reader.position
        if not shard.waiting:
            self._all_handled(shard)

    def _all_handled(self, shard: HeldShard) -> None:
        """None of a page waits any more: the position is behind those that were left out as well."""
        if shard.behind is not None:
            shard.position, shard.behind = shard.behind, None
            shard.unsaved += shard.read
            shard.read = 0

    def _passed(self, shard: HeldShard, gap: StreamGap) -> Flow[None]:
        """Records are lost: say so, and go on behind them.

        Raises:
            StreamGap: The consumer has to stop.
        """
        yield from self._options.passed(gap)
        if shard.reader.position == HORIZON:  # the shard is gone
            shard.reader.position = END
        else:
            shard.reader.position = HORIZON

    # --- Handling -----------------------------------------------------------------------------

    def _handle(self, shard: HeldShard) -> Flow[None]:
        options, began, count = self._options, self._now(), 0
        about = Batch([each._record for each in shard.waiting])
        with batch_span(about, options.tracers) as span:
            while shard.waiting and shard.why is None:
                if not (yield from self._holds(shard)):
                    break
                change = shard.waiting[0]
                if not (yield from self._try(shard, change, span)):
                    break
                count += 1
                self._done(shard, change)
                late = self._now() - shard.saved_at >= options.after
                if shard.unsaved >= options.every or (shard.waiting and late):
                    yield from self._save(shard)
        if count:
            seconds, lag = self._now() - began, lag_of(shard, self._environment)
            options.tell(Handled(shard.name, shard.shard, count, seconds, lag))

    def _done(self, shard: HeldShard, change: Any) -> None:
        """A change is handled, or given up."""
        shard.waiting.popleft()
        shard.tries = 0
        shard.at = change.at or shard.at
        if shard.at is not None and shard.at_tip:
            shard.at_tip = self._environment.now() - shard.at < _BEHIND
        if shard.waiting:
            shard.position = Position.after(change.sequence_number)
            shard.unsaved += 1
            shard.read -= 1
        else:
            self._all_handled(shard)

    def _try(self, shard: HeldShard, change: Any, span: Span) -> Flow[bool]:
        """Call the handler; False if it is to be called again later.

        Raises:
            ConsumerStopped: The change cannot be handled, and the consumer has to stop.
        """
        options = self._options
        if isinstance(change, Unreadable):
            span.failed(change.cause)
            yield from self._give_up(shard, change, change.cause, 0)
            return True
        try:
            yield from options.call(options.handler, change)
        except Exception as error:
            span.failed(error)
            tries = shard.tries + 1
            if isinstance(error, NothingDone):  # so it will be with each change
                number = change.sequence_number
                options.tell(GaveUp(shard.name, shard.shard, number, tries, error, "stopped"))
                raise ConsumerStopped(
                    options.name, shard.name, shard.shard, number, tries
                ) from error
            if tries >= options.tries:
                yield from self._give_up(shard, change, error, tries)
                return True
            shard.tries = tries
            pause = pause_before(tries + 3, self._environment, cap=_LONGEST_PAUSE).seconds
            shard.due = self._now() + pause
            _log.warning(
                "the handler of consumer %r failed, %d of %d times, with the record %s; again in %.1f s",
                options.name, tries, options.tries, change.sequence_number, pause, exc_info=error,
            )  # fmt: skip
            number = change.sequence_number
            options.tell(HandlerFailed(shard.name, shard.shard, number, tries, pause, error))
            return False
        return True

    def _give_up(self, shard: HeldShard, change: Any, error: Exception, tries: int) -> Flow[None]:
        """Do with a change what `on_error` says.

        Raises:
            ConsumerStopped: It says to stop, or is a function that has raised.
        """
        options, number = self._options, change.sequence_number
        on_error = options.on_error
        then: Literal["skipped", "stored", "handed", "stopped"] = "skipped"
        stopped = ConsumerStopped(options.name, shard.name, shard.shard, number, tries)
        if on_error == "stop":
            options.tell(GaveUp(shard.name, shard.shard, number, tries, error, "stopped"))
            raise stopped from error
        _log.error(
            "consumer %r gives up the record %s of shard %s",
            options.name, number, shard.shard, exc_info=error,
        )  # fmt: skip
        if isinstance(on_error, FailedChanges):
            then = "stored"
            yield from on_error.store(
                self._core, options.name, shard.held.item, shard.name, change, error, tries
            )
        elif callable(on_error):
            then = "handed"
            failure = Failure(change, error, tries, shard.name, shard.shard)
            try:
                yield from options.call(on_error, failure)
            except Exception as again:
                options.tell(GaveUp(shard.name, shard.shard, number, tries, again, "stopped"))
                raise stopped from again
        options.tell(GaveUp(shard.name, shard.shard, number, tries, error, then))

    # --- Writing down how far it is -----------------------------------------------------------

    def _standing(self, shard: HeldShard) -> list[Action]:
        found = [
            set_(ShardLease.checkpoint, str(shard.position)),
            set_(ShardLease.handled, shard.handled + shard.unsaved),
        ]
        if shard.at is not None:
            found.append(set_(ShardLease.at, shard.at))
        return found

    def _saved(self, shard: HeldShard) -> None:
        saved, shard.unsaved, shard.saved_at = shard.unsaved, 0, self._now()
        shard.handled += saved
        if saved:  # told last: `sys.exit` in a listener leaves what is written down as it is
            self._options.tell(Checkpointed(shard.name, shard.shard, saved))

    def _save(self, shard: HeldShard) -> Flow[None]:
        if (yield from self._leasing.write(shard.held, *self._standing(shard))):
            self._saved(shard)

    def _leave(self, shard: HeldShard, why: Literal["ended", "given", "stopped"]) -> Flow[None]:
        actions = self._standing(shard)
        if why == "ended":
            now = self._environment.now()
            actions += [
                set_(ShardLease.ended, True),
                set_(ShardLease.expires, expiry(now)),
                remove(ShardLease.wanted),
            ]
        if (yield from self._leasing.write(shard.held, *actions, free=True)):
            shard.left = why
            self._saved(shard)


def lag_of(shard: HeldShard, environment: Environment) -> timedelta:
    """How far a shard is behind: nothing where all was handled that there was to read."""
    try:
        at = shard.at or shard.waiting[0].at
    except IndexError:  # another thread has handled the last one
        at = None
    if at is None or (shard.caught_up and not shard.waiting):
        return timedelta()
    return max(timedelta(), environment.now() - at)
