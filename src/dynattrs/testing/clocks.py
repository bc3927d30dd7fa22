"""A clock that stands still until a test moves it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final

import attrs

from dynattrs.errors import ModelError
from dynattrs.expressions.paths import did_you_mean
from dynattrs.session.session import Session
from dynattrs.testing.lines import instruments_of
from dynattrs.wire.instruments import Instruments

if TYPE_CHECKING:
    from dynattrs.aio.session import AsyncSession

_PARTS: Final = (
    "weeks", "days", "hours", "minutes", "seconds", "milliseconds", "microseconds"
)  # fmt: skip


class Clock:
    """A clock that some sessions share.

    Attributes:
        pauses: How long each pause would have taken, in seconds: pauses between attempts, and those of
            `latency`.
    """

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._lines: list[Instruments] = []
        self.pauses: list[float] = []

    def now(self) -> datetime:
        """The clock's time, as an aware datetime."""
        return self._now

    def advance(self, by: timedelta | None = None, **parts: float) -> datetime:
        """Move the clock forward: `advance(timedelta(hours=1))` or `advance(hours=1)`.

        Args:
            by: How far to move it.
            parts: The arguments of `datetime.timedelta`.

        Returns:
            The new time.

        Raises:
            ModelError: The time would move back, or the arguments are not a length of time.
        """
        if by is not None and not isinstance(by, timedelta):
            problem = f"a timedelta is expected, or its parts by name, found {by!r}"
            raise ModelError("Clock.advance", f"{problem}; write advance(seconds=...)")
        for name in parts.keys() - _PARTS:
            raise ModelError(
                "Clock.advance", f"{name} is not a unit of time{did_you_mean(name, _PARTS)}"
            )
        try:
            step = (by or timedelta()) + timedelta(**parts)
            now = self._now + step
        except (TypeError, ValueError, OverflowError) as error:
            given = ", ".join(f"{name}={value!r}" for name, value in parts.items()) or repr(by)
            problem = f"{given} is not a length of time to go on by: {error}"
            raise ModelError("Clock.advance", problem) from error
        if step < timedelta():
            raise ModelError(
                "Clock.advance",
                f"{step} goes back, and a session's time can only go forward; give a positive time",
            )
        for each in self._lines:
            each.skew += step.total_seconds()
        self._now = now
        return self._now

    def _passed(self, seconds: float, line: Instruments) -> None:
        self.pauses.append(seconds)
        self._now += timedelta(seconds=seconds)
        for each in self._lines:
            if each is not line:
                each.skew += seconds


@contextlib.contextmanager
def clock(
    *sessions: Session | AsyncSession, at: datetime | None = None
) -> Generator[Clock, None, None]:
    """Give sessions a clock that stands still until the test moves it.

    Time stamps, `unexpired()`, deadlines and pauses use it. Pauses between attempts, botocore's
    among them, take no time, and the clock has moved on after them. What waits for the network does
    so in real time: botocore's time-outs and `call_timeout`. The engine's own clock is its own, too:
    it removes what has expired when it has expired for everybody.

    Args:
        sessions: A `Session`, an `AsyncSession`, or several. They share the clock.
        at: What time it is at first, aware; the real time by itself.

    Raises:
        ModelError: One is not a session, or *at* is not a datetime, or naive.

    Example:
        with clock(session) as time:
            session.save(Ticket("1", expires=time.now() + timedelta(hours=1)))
            time.advance(hours=2)
            assert session.get(Ticket, "1", unexpired=True) is None
    """
    if not sessions:
        raise ModelError("clock", "a Session or an AsyncSession is expected, found none")
    if at is not None and not isinstance(at, datetime):
        raise ModelError("clock", f"at={at!r}: a datetime is expected, with its zone")
    if at is not None and at.utcoffset() is None:
        raise ModelError("clock", f"at={at!r} has no time zone; add one: tzinfo=...")
    made = Clock(at or datetime.now(timezone.utc))
    before = []
    for each in sessions:
        line = instruments_of(each, "clock")
        core = each._core
        before.append((core, core.environment.now, line, line.waits, line.passed))
    try:
        for core, _, line, *_ in before:
            made._lines.append(line)
            line.waits = False
            line.passed = _passing(made, line)
            # What it has skipped stays skipped: times that were remembered are of it.
            core.environment = attrs.evolve(
                core.environment, now=made.now, monotonic=line.monotonic
            )
        yield made
    finally:
        for core, now, line, waits, passed in before:
            line.waits, line.passed = waits, passed
            core.environment = attrs.evolve(core.environment, now=now)


def _passing(made: Clock, line: Instruments) -> Callable[[float], object]:
    return lambda seconds: made._passed(seconds, line)
