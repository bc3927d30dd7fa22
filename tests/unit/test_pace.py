"""How many batches are under way, and what an application hears of them."""

from __future__ import annotations

import itertools
from contextvars import copy_context
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from dynattrs import Progress, Throttled, UnsentWrites
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Environment, Flow, Pause, Signal, Start, Wait, WaitFor
from dynattrs.operations.writing import batch
from dynattrs.operations.writing.buffer import Buffer, Write, write_by_key
from dynattrs.operations.writing.pace import Pace

SLOW_DOWN = Throttled("BatchWriteItem", "ProvisionedThroughputExceededException", "slow down")


def core(*, concurrency: int = 4) -> Core:
    # Each look at the clock is a second later than the one before.
    seconds = itertools.count()
    environment = Environment(
        lambda: float(next(seconds)), lambda: 0.5, lambda: datetime.now(timezone.utc)
    )
    return Core(environment, timedelta(hours=1), concurrency)


def put(number: int) -> Write:
    item = {"id": {"N": f"{number}"}}
    return write_by_key("notes", item, {"PutRequest": {"Item": item}}, 10, number, "save")


def buffer_with(count: int, **options: Any) -> Buffer:
    buffer = Buffer(**options)
    for number in range(count):
        buffer.add(put(number))
    return buffer


class Step:
    """A flow that is stepped in a context of its own, as drivers do it."""

    def __init__(self, flow: Flow[Any]) -> None:
        self.flow = flow
        self.context = copy_context()

    def __next__(self) -> Any:
        return self.context.run(next, self.flow)

    def send(self, outcome: object) -> Any:
        return self.context.run(self.flow.send, outcome)

    def throw(self, error: BaseException) -> Any:
        return self.context.run(self.flow.throw, error)

    def close(self) -> None:
        self.context.run(self.flow.close)


class Running:
    def done(self) -> bool:
        return False

    def cancel(self) -> bool:
        return False


# --- Pace -----------------------------------------------------------------------------------------


def test_throttling_halves_the_pace_once_for_what_was_under_way_together() -> None:
    pace = Pace(8)

    for _ in range(8):
        pace.slow_down(began=1.0, now=2.0)

    assert pace.allowed == 4
    pace.slow_down(began=3.0, now=4.0)
    assert pace.allowed == 2


def test_the_pace_never_stops() -> None:
    pace = Pace(4)

    for second in range(10):
        pace.slow_down(second, second)

    assert pace.allowed == 1
    assert pace.begin(Signal())
    assert not pace.begin(Signal())


def test_the_pace_comes_back_by_about_one_a_round() -> None:
    pace = Pace(8)
    pace.slow_down(0, 0)
    pace.slow_down(1, 1)
    assert pace.allowed == 2

    rounds = []
    while pace.allowed < 8:
        for _ in range(pace.allowed):
            pace.go_on()
        rounds.append(pace.allowed)

    assert len(rounds) in range(6, 10)
    assert rounds == sorted(rounds)
    for _ in range(50):
        pace.go_on()
    assert pace.allowed == 8


def test_fewer_batches_are_started_after_unprocessed_writes() -> None:
    made = core()
    throttled = batch.send(made, buffer_with(0), [put(0), put(1)])
    next(throttled)
    throttled.send({"UnprocessedItems": {"notes": [put(1).request]}})
    buffer = buffer_with(124)

    flow = batch.gather(made, buffer, put(124))
    effects = [next(flow)]
    while isinstance(effects[-1], Start):
        effects.append(flow.send(Running()))

    assert len(effects) == 3  # two of the four that `concurrency` allows
    assert isinstance(effects[-1], Wait)


def test_a_throttled_batch_waits_for_its_turn_before_it_is_sent_again() -> None:
    made = core(concurrency=2)
    one, other = (Step(batch.send(made, buffer_with(0), [put(n)])) for n in (0, 1))
    assert isinstance(next(one), Call)
    assert isinstance(next(other), Call)

    assert isinstance(one.throw(SLOW_DOWN), Pause)
    assert made.pace.allowed == 1
    assert isinstance(next(one), WaitFor)  # the other one is under way
    with pytest.raises(StopIteration):
        other.send({})
    assert isinstance(next(one), Call)


def test_a_batch_that_is_dropped_gives_its_place_back() -> None:
    made = core(concurrency=1)
    dropped = batch.send(made, buffer_with(0), [put(0)])
    next(dropped)

    dropped.close()

    assert isinstance(next(batch.send(made, buffer_with(0), [put(1)])), Call)


# --- Progress -------------------------------------------------------------------------------------


def test_progress_is_told_after_every_answer() -> None:
    heard: list[Progress] = []
    buffer = buffer_with(3, on_progress=heard.append)
    buffer.add(put(2))  # takes the place of the one before
    flow = batch.flush(core(), buffer)

    next(flow)
    flow.send({"UnprocessedItems": {"notes": [put(1).request]}})
    next(flow)
    with pytest.raises(StopIteration):
        flow.send({})

    assert heard == [
        Progress(taken=4, stored=2, replaced=1, failed=0),
        Progress(taken=4, stored=3, replaced=1, failed=0),
    ]
    assert [(each.waiting, each.done) for each in heard] == [(1, 3), (0, 4)]


def test_progress_counts_what_was_given_up() -> None:
    heard: list[Progress] = []
    buffer = buffer_with(2, on_progress=heard.append)
    flow = batch.flush(core(), buffer)
    next(flow)

    with pytest.raises(UnsentWrites):
        flow.throw(RuntimeError("bug"))

    assert heard == [Progress(taken=2, stored=0, replaced=0, failed=2)]


def test_discarded_writes_were_never_taken() -> None:
    heard: list[Progress] = []
    buffer = buffer_with(3, on_progress=heard.append)
    buffer.discard()
    buffer.add(put(0))
    flow = batch.flush(core(), buffer)
    next(flow)
    with pytest.raises(StopIteration):
        flow.send({})

    assert heard == [Progress(taken=1, stored=1, replaced=0, failed=0)]


def test_a_callback_that_fails_loses_no_write() -> None:
    called = []

    def failing(progress: Progress) -> None:
        called.append(progress)
        raise ZeroDivisionError

    buffer = buffer_with(30, on_progress=failing)
    flow = batch.flush(core(), buffer)
    started = next(flow)
    assert isinstance(started, Start)
    for first in (started.flow, flow.send(Running()).flow):
        next(first)
        with pytest.raises(StopIteration):
            first.send({})

    with pytest.raises(ZeroDivisionError):
        next(flow)
    assert len(buffer) == 0
    assert len(called) == 1
