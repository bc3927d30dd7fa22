"""A session whose verbs give their flows, so that a test can step them by hand."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from dynattrs.operations.context import Core
from dynattrs.operations.flows import Environment
from dynattrs.session.handles import Handle

NOON = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class ByHand(Handle):
    """A handle that drives nothing: every verb and every end of a query returns its flow."""

    def __init__(self, *, cursor_secret: bytes | None = None, concurrency: int = 4) -> None:
        self.clock = Clock()
        environment = Environment(self.clock, lambda: 0.5, lambda: NOON)
        self._core = Core(
            environment, timedelta(seconds=60), concurrency, cursor_secret=cursor_secret
        )
        self._buffer = None
        self._closed = None

    def _drive(self, flow: Any) -> Any:
        return flow


class Job:
    """What stands for a task that a flow has started: the flow, and whether it was cancelled."""

    def __init__(self, flow: Any) -> None:
        self.flow = flow
        self.cancelled = False

    def cancel(self) -> bool:
        self.cancelled = True
        return True

    def done(self) -> bool:
        return False


def result(flow: Any, outcome: Any = None) -> Any:
    """What a flow returns that must end when it is sent *outcome*."""
    try:
        effect = flow.send(outcome)
    except StopIteration as stop:
        return stop.value
    raise AssertionError(f"the flow goes on with {effect}")
