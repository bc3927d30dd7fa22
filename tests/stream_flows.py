"""Flows that read streams, stepped by hand against the service of a test, in its time."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any, TypeVar

from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Environment, Flow, Pause, Start, Wait, WaitAny
from dynattrs.streams.service import StreamService
from streams_service import NOON, Clock, StreamsService

R = TypeVar("R")

#: More than a day of looking at quiet shards takes none.
_MOST_EFFECTS = 5_000


def core_of(fake: StreamsService, *, deadline: float = 60, concurrency: int = 4) -> Core:
    """The settings of a session in the time of *fake*."""
    environment = Environment(fake.now, lambda: 0.5, lambda: fake.time)
    return Core(environment, timedelta(seconds=deadline), concurrency)


def asked(fake: StreamsService, *, deadline: float = 60) -> StreamService:
    """What flows ask, in the time of *fake*."""
    return StreamService(core_of(fake, deadline=deadline))


class Job:
    """A task that runs when it is waited for."""

    def __init__(self, flow: Flow[Any], driver: Driven) -> None:
        self._flow, self._driver = flow, driver
        self._outcome: list[Any] = []
        self.cancelled = False

    def cancel(self) -> bool:
        self.cancelled = True
        return True

    def done(self) -> bool:
        return bool(self._outcome)

    def result(self) -> Any:
        if not self._outcome:
            self._outcome.append(self._driver.run(self._flow))
        return self._outcome[0]


class Driven:
    """Drives flows against a service; tasks end in an order by chance.

    Args:
        fake: Who answers.
        seed: Of what is by chance.
    """

    def __init__(self, fake: StreamsService, seed: int = 0) -> None:
        self._fake = fake
        self._random = random.Random(seed)

    def run(self, flow: Flow[R]) -> R:
        """The result of a flow. Pauses move the clock of the service."""
        try:
            effect = next(flow)
            for _ in range(_MOST_EFFECTS):
                outcome = self._perform(effect)
                failed = isinstance(outcome, Exception) and isinstance(effect, Call)
                effect = flow.throw(outcome) if failed else flow.send(outcome)
        except StopIteration as stop:
            result: R = stop.value
            return result
        raise AssertionError("it goes on for ever")

    def _perform(self, effect: Any) -> Any:
        if isinstance(effect, Pause):
            clock = self._fake.now
            assert isinstance(clock, Clock)
            clock.advance(effect.seconds)
            return None
        if isinstance(effect, Start):
            return Job(effect.flow, self)
        if isinstance(effect, WaitAny):
            chosen: Any = self._random.choice(effect.tasks)
            chosen.result()
            return chosen
        if isinstance(effect, Wait):
            return effect.task.result()
        assert isinstance(effect, Call)
        if effect.operation == "describe_table":
            return self._table(str(effect.parameters["TableName"]))
        return self._fake.call(effect)

    def _table(self, name: str) -> Any:
        streams = [each for each in self._fake.streams.values() if each.table == name]
        latest = max(streams, key=lambda each: each.label, default=None)
        described: dict[str, Any] = {"TableName": name, "CreationDateTime": NOON}
        if latest is not None:
            described["LatestStreamArn"] = latest.arn
            if latest.status == "ENABLED":
                described["StreamSpecification"] = {"StreamEnabled": True}
        return {"Table": described}


def driven(flow: Flow[R], fake: StreamsService) -> R:
    """The result of a flow. Pauses move the clock of *fake*."""
    return Driven(fake).run(flow)


class DrivenSession:
    """What an iterator of changes needs of a session.

    Args:
        fake: Who answers.
        seed: Of what is by chance.
    """

    def __init__(self, fake: StreamsService, seed: int = 0) -> None:
        self._core = core_of(fake)
        self._driver = Driven(fake, seed)

    def _drive(self, flow: Flow[R]) -> R:
        return self._driver.run(flow)

    def _check_open(self) -> None:
        return None
