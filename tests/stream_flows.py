"""Flows that read streams, stepped by hand against the service of a test, in its time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, TypeVar

from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Environment, Flow, Pause
from dynattrs.streams.service import StreamService
from streams_service import Clock, StreamsService

R = TypeVar("R")


def asked(fake: StreamsService, *, deadline: float = 60) -> StreamService:
    """What flows ask, in the time of *fake*."""
    environment = Environment(fake.now, lambda: 0.5, lambda: fake.time)
    return StreamService(Core(environment, timedelta(seconds=deadline), 4))


def driven(flow: Flow[R], fake: StreamsService) -> R:
    """The result of a flow. Pauses move the clock of *fake*."""
    outcome: Any = None
    try:
        effect = next(flow)
        while True:
            if isinstance(effect, Pause):
                clock = fake.now
                assert isinstance(clock, Clock)
                clock.advance(effect.seconds)
                outcome = None
            else:
                assert isinstance(effect, Call)
                outcome = fake.call(effect)
            failed = isinstance(outcome, Exception)
            effect = flow.throw(outcome) if failed else flow.send(outcome)
    except StopIteration as stop:
        result: R = stop.value
        return result
