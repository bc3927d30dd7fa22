"""Laws of consumers that share a stream, over random schedules in virtual time.

Consumers start, stop in order, die, and stand still for longer than their leases; shards split and close;
requests are throttled, replies lost, iterators expire, pages are empty and descriptions old; the handler
is slow, and fails. Then calm comes, and:

- every record was handled;
- none of a key was handled for the first time before an earlier one of it;
- no consumer calls the handler with a record of a shard that another one has taken;
- no record of a child was handled before all of its parent were;
- what one holder has handled, it has handled in order;
- with `start="latest"`, nothing that was written after the first consumer began is missing.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from datetime import timedelta
from typing import Any

import attrs
import pytest
from hypothesis import settings

from dynattrs import Table, model
from dynattrs.errors import Throttled
from dynattrs.operations.flows import Call
from dynattrs.session.handles import Handle
from dynattrs.streams import Consumer, GapFound, StreamGap
from streamed_worlds import World, lost
from streams_service import RETENTION
from virtual_time import Nap, Process, where

LEASE = 6.0
#: How soon a record is handled where consumers come and go in order.
SOON = 2 * LEASE

things = Table("things", partition_key="pk", stream="new and old")


@model(things)
class Thing:
    pk: str
    n: int


@attrs.frozen
class Written:
    number: int
    key: str
    shard: str
    at: float


@attrs.frozen
class Begun:
    """The handler was called."""

    at: float
    machine: str
    number: int
    fence: int


@attrs.frozen
class Taken:
    at: float
    machine: str
    fence: int


class Fails(Exception):
    """What the handler raises."""


class Machine:
    """One consumer in a process of its own."""

    def __init__(self, schedule: Schedule, name: str) -> None:
        self.process = Process(name)
        self._schedule = schedule
        session = schedule.session()
        self.consumer = Consumer(
            session,
            things,
            name="copy",
            handler=self.handle,
            start=schedule.start,
            tries=1_000,
            on_gap="go on",
            lease=timedelta(seconds=LEASE),
            on_event=self.hear,
        )
        self.began = schedule.now
        self.task = schedule.world.time.start(self.consumer._flow(), self.process)

    @property
    def alive(self) -> bool:
        return not self.process.dead and not self.task.done()

    def hear(self, event: Any) -> None:
        if isinstance(event, GapFound):
            self._schedule.gaps.append(event.gap)

    def handle(self, change: Any) -> Any:
        schedule = self._schedule
        number = int(change.sequence_number)
        fence = schedule.fence_of(number)
        schedule.begun.append(Begun(schedule.now, self.process.name, number, fence))

        def over() -> None:
            if schedule.chance.random() < schedule.failing:
                raise Fails(number)
            schedule.done.append(Begun(schedule.now, self.process.name, number, fence))

        if schedule.chance.random() < schedule.slow:
            return Nap(schedule.chance.choice([0.1, 1.0, 2 * LEASE]), over)
        return over()


class Schedule:
    """What happens in one world, by chance; a seed says what.

    Args:
        seed: Says what.
        lease: The embedded engine's.
        orderly: Whether consumers only come and go, one of them stays, and nothing fails.
    """

    def __init__(self, seed: int, lease: Any, *, orderly: bool = False) -> None:
        chance = self.chance = random.Random(seed)
        self.world = World(
            lease, "things", shards=chance.choice([1, 1, 2, 3]), seed=seed,
            coarse=chance.choice([1.0, 60.0]), at_timestamp=chance.random() < 0.5,
            holes=chance.choice([0.0, 0.3]), stale=chance.choice([0.0, 4.0]),
            page=chance.choice([3, 20, 1000]), shards_a_page=chance.choice([1, 100]),
        )  # fmt: skip
        self.world.service.iterators_live = chance.choice([15.0, 900.0])
        self.world.before, self.world.after = self._before, self._after
        self.start: Any = chance.choice(["horizon", "latest"])
        self.slow = chance.choice([0.0, 0.05])
        self.failing = chance.choice([0.0, 0.05])
        self.losing = chance.choice([0.0, 0.03])
        self.orderly = orderly
        if orderly:
            self.slow = self.failing = self.losing = self.world.service.stale = 0.0
            self.world.service.page = 1000  # five pages a second is all that a shard gives
        self.machines: list[Machine] = []
        self.written: dict[int, Written] = {}
        self.begun: list[Begun] = []
        self.done: list[Begun] = []
        self.gaps: list[StreamGap] = []
        self.parents: dict[str, str | None] = {}
        #: By shard, who has taken it when.
        self.taken: defaultdict[str, list[Taken]] = defaultdict(list)
        #: When the first consumer had written down where it began.
        self.began: float | None = None

    @property
    def now(self) -> float:
        return self.world.time.seconds

    def session(self) -> VirtualSession:
        return VirtualSession(self.world.time.core(seed=self.chance.randrange(2**32)))

    def run_for_days(self) -> None:
        """A consumer runs for a minute now and then; in between are hours, or more than a day."""
        chance, time = self.chance, self.world.time
        self.slow = self.failing = self.losing = 0.0
        self.start = "horizon"
        for _ in range(chance.randrange(3, 8)):
            for _ in range(chance.randrange(1, 4)):
                self._write()
                if chance.random() < 0.5:
                    self._split()
                time.run_until(time.seconds + chance.uniform(0, 18) * 3_600)
            machine = Machine(self, f"m{len(self.machines)}")
            self.machines.append(machine)
            time.run_until(time.seconds + chance.choice([2.0, 40.0]))
            machine.consumer.stop()
            time.run_until(time.seconds + 60)

    # --- What can happen ----------------------------------------------------------------------

    def run(self) -> None:
        """Ninety seconds of disorder, and as many of calm as are needed."""
        chance, time = self.chance, self.world.time
        if chance.random() < 0.5:
            self._write()  # before anybody has begun
            time.run_until(time.seconds + chance.choice([0.5, 30.0, 300.0]))
        begin = time.seconds
        for _ in range(chance.randrange(1, 4)):
            self._machine()
        moments = sorted(begin + chance.uniform(0, 90) for _ in range(chance.randrange(60, 120)))
        for moment in moments:
            time.run_until(moment)
            acts = {self._write: 30, self._split: 2, self._machine: 2, self._stop: 2}
            if not self.orderly:
                acts |= {self._die: 2, self._stall: 3, self._refuse: 2}
            chance.choices(list(acts), list(acts.values()))[0]()
        self.slow = self.failing = self.losing = 0.0
        # Those that are there may have been told to stop, and stand still.
        self.machines.append(Machine(self, f"m{len(self.machines)}"))
        self._write()
        for _ in range(300):
            time.run_until(time.seconds + 5)
            if self.expected() <= self.handled():
                break
        for machine in self.machines:
            if machine.alive:
                machine.consumer.stop()
        time.run_until(time.seconds + 30)

    def _write(self) -> None:
        chance, stream = self.chance, self.world.stream
        self.parents.update((shard.id, shard.parent) for shard in stream.shards)
        for _ in range(chance.choice([1, 5, 30])):
            key = f"k{chance.randrange(12)}"
            shard = stream.shard_of({"pk": {"S": key}}).id
            number = stream.put(pk=key, n=len(self.written))
            self.written[number] = Written(number, key, shard, self.now)

    def _split(self) -> None:
        stream = self.world.stream
        if len(stream.shards) < 14:
            shard = self.chance.choice(stream.open)
            self.chance.choice([stream.split, stream.roll])(shard)

    def _machine(self) -> None:
        if sum(machine.alive for machine in self.machines) < 4:
            self.machines.append(Machine(self, f"m{len(self.machines)}"))

    def _die(self) -> None:
        if machine := self._one():
            machine.process.dead = True

    def _stall(self) -> None:
        if machine := self._one():
            machine.process.frozen_until = self.now + self.chance.choice([1.0, LEASE, 4 * LEASE])

    def _stop(self) -> None:
        if self.orderly and sum(machine.alive for machine in self.machines) < 2:
            return
        if machine := self._one():
            machine.consumer.stop()

    def _refuse(self) -> None:
        service, chance = self.world.service, self.chance
        operation = chance.choice(["get_records", "get_shard_iterator", "describe_stream"])
        code = chance.choice(
            ["ThrottlingException", "LimitExceededException", "InternalServerError"]
        )
        service.fail(operation, *[code] * chance.randrange(1, 4))

    def _one(self) -> Machine | None:
        alive = [machine for machine in self.machines if machine.alive]
        return self.chance.choice(alive) if alive else None

    def _before(self, call: Call) -> Any:
        if call.operation == "update_item" and self.chance.random() < self.losing:
            return self.chance.choice(
                [lost(call), Throttled(call.operation, "ThrottlingException", "", None)]
            )
        return None

    def _after(self, call: Call, outcome: Any) -> Any:
        process = where.get()
        if call.operation == "put_item" and self.began is None and isinstance(outcome, dict):
            self.began = self.now
        if call.operation == "update_item" and isinstance(outcome, dict) and process is not None:
            self._look(outcome.get("Attributes", {}), process)
            if self.chance.random() < self.losing:
                return lost(call)
        return outcome

    def _look(self, item: Any, process: Process) -> None:
        """Who has a shard by now."""
        if "shard" not in item or "owner" not in item:
            return
        shard, fence = item["shard"]["S"], int(item["fence"]["N"])
        taken = self.taken[shard]
        if not taken or taken[-1].fence != fence:
            taken.append(Taken(self.now, process.name, fence))

    # --- What has happened --------------------------------------------------------------------

    def fence_of(self, number: int) -> int:
        """Who has a record's shard just now: the number of its lease."""
        taken = self.taken[self.written[number].shard]
        return taken[-1].fence if taken else 0

    def expected(self) -> set[int]:
        since = 0.0 if self.start == "horizon" else self.began or 0.0
        return {each.number for each in self.written.values() if each.at >= since}

    def handled(self) -> set[int]:
        return {each.number for each in self.done}


class VirtualSession(Handle):
    """A session whose flows run in virtual time."""

    def __init__(self, core: Any) -> None:
        self._core = core
        self._buffer = None
        self._closed = None

    def _drive(self, flow: Any) -> Any:
        return flow


# --- The laws -----------------------------------------------------------------------------------


def first_of(done: list[Begun]) -> dict[int, float]:
    """When each record was handled for the first time."""
    found: dict[int, float] = {}
    for each in done:
        found.setdefault(each.number, each.at)
    return found


def every_record_was_handled(schedule: Schedule) -> None:
    assert schedule.expected() - schedule.handled() == set()
    assert schedule.gaps == []


def first_times_are_in_the_order_of_each_key(schedule: Schedule) -> None:
    last: dict[str, int] = {}
    for number in first_of(schedule.done):
        key = schedule.written[number].key
        assert number > last.get(key, 0)
        last[key] = number


def no_handler_is_called_for_a_shard_that_another_one_has(schedule: Schedule) -> None:
    for call in schedule.begun:
        taken = [
            each
            for each in schedule.taken[schedule.written[call.number].shard]
            if each.at < call.at
        ]
        assert taken[-1].machine == call.machine


def a_child_begins_when_its_parent_has_ended(schedule: Schedule) -> None:
    first = first_of(schedule.done)
    of_shard = defaultdict(list)
    for number, at in first.items():
        of_shard[schedule.written[number].shard].append(at)
    for shard, times in of_shard.items():
        parent = schedule.parents[shard]
        if parent is not None and of_shard.get(parent):
            assert max(of_shard[parent]) <= min(times)


def a_holder_handles_in_order(schedule: Schedule) -> None:
    last: dict[tuple[str, str, int], int] = {}
    for each in schedule.done:
        holder = each.machine, schedule.written[each.number].shard, each.fence
        assert each.number > last.get(holder, 0)
        last[holder] = each.number


def all_that_were_told_to_stop_have_stopped(schedule: Schedule) -> None:
    for machine in schedule.machines:
        if not machine.process.dead:
            assert machine.task.done()
            machine.task.result()


LAWS = [
    every_record_was_handled,
    first_times_are_in_the_order_of_each_key,
    no_handler_is_called_for_a_shard_that_another_one_has,
    a_child_begins_when_its_parent_has_ended,
    a_holder_handles_in_order,
    all_that_were_told_to_stop_have_stopped,
]


def what_was_trimmed_is_told(schedule: Schedule) -> None:
    """Nothing is lost in silence: its shard, or one that it follows, has a gap."""
    told = {gap.shard for gap in schedule.gaps}
    handled = schedule.handled()
    since, trimmed = schedule.machines[0].began, schedule.now - RETENTION
    for each in schedule.written.values():
        if since < each.at < trimmed and each.number not in handled:
            shard: str | None = each.shard
            while shard is not None and shard not in told:
                shard = schedule.parents.get(shard)
            assert shard is not None


def each_record_is_handled_once(schedule: Schedule) -> None:
    counted = Counter(each.number for each in schedule.done)
    assert set(counted.values()) == {1}


def each_record_is_handled_soon(schedule: Schedule) -> None:
    for number, at in first_of(schedule.done).items():
        written = schedule.written[number].at
        if schedule.began is not None and written > schedule.began:
            assert at - written < SOON


ORDERLY = [*LAWS, each_record_is_handled_once, each_record_is_handled_soon]


DAYS = [
    what_was_trimmed_is_told,
    first_times_are_in_the_order_of_each_key,
    a_holder_handles_in_order,
    all_that_were_told_to_stop_have_stopped,
]


def hold(
    seeds: range, lease: Any, laws: Any = LAWS, run: Any = Schedule.run, **options: bool
) -> None:
    for seed in seeds:
        lease.clear()
        schedule = Schedule(seed, lease, **options)
        run(schedule)
        for law in laws:
            try:
                law(schedule)
            except AssertionError as error:
                raise AssertionError(f"seed {seed}: {law.__name__}: {error}") from error


def test_laws_hold_over_random_schedules(embedded: Any):
    hold(range(3), embedded)


def test_consumers_that_come_and_go_in_order_handle_each_record_once_and_soon(embedded: Any):
    hold(range(2), embedded, ORDERLY, orderly=True)


def test_consumers_that_were_off_for_too_long_tell_of_what_was_trimmed(embedded: Any):
    hold(range(2), embedded, DAYS, Schedule.run_for_days)


@pytest.mark.full
def test_many_consumers_that_were_off_for_too_long_tell_of_what_was_trimmed(embedded: Any):
    hold(range(2, 20), embedded, DAYS, Schedule.run_for_days)


def test_a_consumer_passes_what_is_older_than_its_beginning_without_rests(embedded: Any):
    """A service that does not begin at an instant gives all of that first."""
    embedded.clear()
    schedule = Schedule(0, embedded, orderly=True)
    schedule.slow = schedule.failing = schedule.losing = 0.0
    schedule.start = "latest"
    world = schedule.world
    service = world.service
    service.at_timestamp, service.holes, service.page = False, 0.0, 1
    for number in range(300):
        world.stream.put(pk="a", n=number)
    world.time.run_until(world.time.seconds + 600)
    machine = Machine(schedule, "m")
    world.time.run_until(world.time.seconds + 10)
    new = world.stream.put(pk="a", n=300)
    shard = world.stream.shard_of({"pk": {"S": "a"}}).id
    schedule.written[new] = Written(new, "a", shard, schedule.now)
    world.time.run_until(world.time.seconds + 80)
    machine.consumer.stop()
    world.time.run_until(world.time.seconds + 60)

    assert schedule.handled() == {new}


@pytest.mark.full
def test_consumers_come_and_go_in_many_orders(embedded: Any):
    hold(range(2, max(4, settings.default.max_examples // 2)), embedded, ORDERLY, orderly=True)


@pytest.mark.full
def test_laws_hold_over_many_random_schedules(embedded: Any):
    hold(range(3, max(6, settings.default.max_examples)), embedded)
