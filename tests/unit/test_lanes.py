"""Writes and reads that wait for a hot partition hold only themselves. In a time of its own."""

from __future__ import annotations

import contextlib
import itertools
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from dynattrs import Throttled, UnsentWrites
from dynattrs.events import HotPartition, Retry
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Flow
from dynattrs.operations.reading.batch_get import BatchGet, Subject, WantedKey
from dynattrs.operations.writing import batch, beside, lanes
from dynattrs.operations.writing.buffer import Buffer, Write, write_by_key
from virtual_time import VirtualTime


@attrs.define
class Partitions:
    """A table: some partitions take so many items a second, and save up so many seconds' worth.

    Attributes:
        rates: What those take; others take everything.
        whole: What the table takes, if that is limited.
        exceptions: Whether a request is refused that has achieved nothing.
    """

    rates: dict[str, float] = attrs.field(factory=dict)
    whole: float | None = None
    saved: float = 0.25
    exceptions: bool = True
    time: VirtualTime = attrs.field(init=False)
    requests: int = 0
    done: dict[tuple[str, str], Any] = attrs.field(factory=dict)
    last: dict[str, float] = attrs.field(factory=dict)
    order: list[tuple[tuple[str, str], Any]] = attrs.field(factory=list)
    _buckets: dict[str | None, tuple[float, float]] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.time = VirtualTime(self)

    def __call__(self, call: Call) -> Any:
        self.requests += 1
        ((name, asked),) = call.parameters["RequestItems"].items()
        if call.operation == "batch_get_item":
            found = [key for key in asked["Keys"] if self._takes(key["part"]["S"])]
            left = [key for key in asked["Keys"] if key not in found]
            reply: dict[str, Any] = {
                "Responses": {name: found},
                "UnprocessedKeys": {name: {"Keys": left}} if left else {},
            }
        else:
            left = [request for request in asked if not self._write(request)]
            reply = {"UnprocessedItems": {name: left} if left else {}}
            found = asked[len(left) :]
        if self.exceptions and not found:
            code = "ProvisionedThroughputExceededException"
            return Throttled("Batch", code, "slowly")
        return reply

    def _write(self, request: dict[str, Any]) -> bool:
        item = request["PutRequest"]["Item"]
        key = item["part"]["S"], item["number"]["N"]
        if not self._takes(key[0]):
            return False
        self.done[key] = item["value"]["N"]
        self.order.append((key, item["value"]["N"]))
        return True

    def _takes(self, part: str) -> bool:
        rate = self.rates.get(part)
        if not self._has(None, self.whole) or not self._has(part, rate):
            return False
        for name, each in ((None, self.whole), (part, rate)):
            if each is not None:
                room, at = self._buckets[name]
                self._buckets[name] = room - 1, at
        self.last[part] = self.time.seconds
        return True

    def _has(self, name: str | None, rate: float | None) -> bool:
        if rate is None:
            return True
        now = self.time.seconds
        room, at = self._buckets.get(name, (rate * self.saved, now))
        room = min(rate * self.saved, room + (now - at) * rate)
        self._buckets[name] = room, now
        return room >= 1


@attrs.frozen
class Object:
    part: str
    number: int

    @property
    def key(self) -> tuple[str, str]:
        return self.part, str(self.number)


def put(part: str, number: int, value: int = 0) -> Write:
    key = {"part": {"S": part}, "number": {"N": str(number)}}
    item = {**key, "value": {"N": str(value)}}
    return write_by_key("t", key, {"PutRequest": {"Item": item}}, 100, Object(part, number), "save")


def mixed(count: int, hot: int = 5) -> Iterator[tuple[str, int]]:
    """Keys, one of so many of the hot partition."""
    for number in range(count):
        yield ("hot" if number % hot == 0 else f"cold{number % 997}"), number


def saving(core: Core, buffer: Buffer, writes: Iterator[Write]) -> Flow[None]:
    for write in writes:
        yield from batch.gather(core, buffer, write)
    yield from batch.end(core, buffer, None)


def seconds(service: Partitions, *, hot: bool) -> float:
    return max(at for part, at in service.last.items() if (part == "hot") == hot) - 1000


# --- Writes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("saved", [0.25, 1.0, 10.0])
@pytest.mark.parametrize("rate", [50, 200, 1000])
def test_a_hot_partition_holds_only_itself(rate: float, saved: float):
    alone = Partitions()
    cold = (put(*key) for key in mixed(5000) if key[0] != "hot")
    alone.time.run(saving(alone.time.core(), Buffer(), cold))
    service = Partitions({"hot": rate}, saved=saved)

    service.time.run(saving(service.time.core(), Buffer(), itertools.starmap(put, mixed(5000))))

    assert service.done.keys() == {(part, str(number)) for part, number in mixed(5000)}
    assert seconds(service, hot=False) <= 1.5 * seconds(alone, hot=False)
    limit = max(seconds(alone, hot=False), (1000 - rate * saved) / rate)
    assert seconds(service, hot=True) <= 1.1 * limit + 0.1
    # What it saves up may be less than a request has room for.
    assert service.requests <= (1.3 if rate * saved >= 25 else 1.5) * 5000 / 25 + 3


def test_several_hot_partitions_are_each_at_their_own_pace():
    rates = {f"hot{number}": 50.0 * 2**number for number in range(4)}
    service = Partitions(dict(rates))
    keys = [(f"hot{n // 2 % 4}" if n % 2 else f"cold{n}", n) for n in range(4000)]

    service.time.run(saving(service.time.core(), Buffer(), itertools.starmap(put, keys)))

    assert len(service.done) == 4000
    for part, rate in rates.items():
        count = sum(each == part for each, _ in keys)
        assert service.last[part] - 1000 <= 1.2 * count / rate + 0.2


@pytest.mark.parametrize("exceptions", [True, False])
@pytest.mark.parametrize("rate", [5, 100, 2000])
def test_a_table_of_one_partition_takes_what_it_can(rate: float, exceptions: bool):
    service = Partitions({"only": rate}, exceptions=exceptions)
    writes = (put("only", number) for number in range(10 * rate))

    service.time.run(saving(service.time.core(), Buffer(), writes))

    assert len(service.done) == 10 * rate
    assert service.time.seconds - 1000 <= 14


def test_a_table_that_is_throttled_all_over_slows_the_session():
    service = Partitions(whole=200)
    core = service.time.core()
    slowest = []
    writes = (put(f"p{number}", number) for number in range(1500))

    def noting() -> Flow[None]:
        flow = saving(core, Buffer(), writes)
        effect = next(flow)
        with contextlib.suppress(StopIteration):
            while True:
                effect = flow.send((yield effect))
                slowest.append(core.pace.allowed)

    service.time.run(noting())

    assert len(service.done) == 1500
    assert min(slowest) <= 2
    assert len(core.hot.keys) == 10


def test_the_last_write_of_a_key_wins_in_a_lane():
    service = Partitions({"hot": 100})
    keys = [("hot" if n % 3 else f"cold{n % 50}", n % 200) for n in range(3000)]
    writes = (put(*key, value) for value, key in enumerate(keys))

    service.time.run(saving(service.time.core(), Buffer(), writes))

    newest = {(part, str(number)): str(value) for value, (part, number) in enumerate(keys)}
    assert service.done == newest
    seen: Counter[tuple[str, str]] = Counter()
    for key, value in service.order:
        assert int(value) >= seen[key]
        seen[key] = int(value)


def test_save_waits_when_the_lanes_are_full(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lanes, "WRITES", 200)
    service = Partitions({"hot": 100})
    buffer = Buffer()
    most = 0

    def writes() -> Iterator[Write]:
        nonlocal most
        for key in mixed(3000):
            yield put(*key)
            most = max(most, len(buffer))

    service.time.run(saving(service.time.core(), buffer, writes()))

    assert len(service.done) == 3000
    assert most <= 200 + 8 * 25 + 25


def test_after_the_deadline_all_that_waits_for_a_partition_is_named():
    service = Partitions({"hot": 0.0})
    core = service.time.core(deadline=20)
    buffer = Buffer()

    with pytest.raises(UnsentWrites) as caught:
        service.time.run(saving(core, buffer, itertools.starmap(put, mixed(2000))))

    assert len(service.done) == 1600
    hot = {(part, str(number)) for part, number in mixed(2000) if part == "hot"}
    assert {each.key for each in caught.value.objects} == hot
    assert all(isinstance(each.cause, Throttled) for each in caught.value.unsent)
    assert 20 <= service.time.seconds - 1000 <= 21
    assert len(buffer) == 0


def test_a_flush_waits_for_the_lanes_and_not_for_what_comes_later():
    service = Partitions({"hot": 100})
    core, buffer = service.time.core(), Buffer()
    flushed: list[tuple[float, int]] = []

    def other() -> Flow[None]:
        for number in range(5000, 9000):
            yield from batch.gather(core, buffer, put("hot", number))

    def program() -> Flow[None]:
        for key in mixed(1000):
            yield from batch.gather(core, buffer, put(*key))
        service.time.start(other())
        yield from batch.flush(core, buffer)
        flushed.append((service.time.seconds - 1000, sum(key[0] == "hot" for key in service.done)))
        assert service.done.keys() >= {(part, str(number)) for part, number in mixed(1000)}
        yield from batch.end(core, buffer, None)

    service.time.run(program())

    assert flushed[0][0] < 5
    assert len(service.done) == 5000


def test_an_interruption_sends_nothing_new_and_names_what_waits(caplog: pytest.LogCaptureFixture):
    service = Partitions({"hot": 10})
    core, buffer = service.time.core(), Buffer()

    def program() -> Flow[None]:
        for key in mixed(2000):
            yield from batch.gather(core, buffer, put(*key))
        before = service.time.seconds
        stop = KeyboardInterrupt()
        yield from batch.end(core, buffer, stop)
        assert service.time.seconds - before < 0.1
        assert isinstance(stop.__cause__, UnsentWrites)
        unsent = {each.key for each in stop.__cause__.objects}
        everything = {(part, str(number)) for part, number in mixed(2000)}
        assert unsent == everything - service.done.keys()

    service.time.run(program())


def test_discard_drops_what_waits():
    service = Partitions({"hot": 10})
    core, buffer = service.time.core(), Buffer()

    def program() -> Flow[None]:
        for key in mixed(1000):
            yield from batch.gather(core, buffer, put(*key))
        dropped = buffer.discard()
        yield from batch.end(core, buffer, None)
        everything = {(part, str(number)) for part, number in mixed(1000)}
        assert {each.object.key for each in dropped} == everything - service.done.keys()

    service.time.run(program())


def test_a_write_that_cannot_wait_goes_before_those_of_its_lane():
    service = Partitions({"hot": 50})
    core, buffer = service.time.core(), Buffer()

    def program() -> Flow[None]:
        for key in mixed(5000):
            yield from batch.gather(core, buffer, put(*key))
        before = service.time.seconds
        yield from beside.await_key(core, buffer, put("hot", 4995).identity)
        assert ("hot", "4995") in service.done
        assert service.time.seconds - before < 2
        yield from batch.end(core, buffer, None)

    service.time.run(program())
    assert len(service.done) == 5000


def test_listeners_and_stats_hear_of_the_partition_and_not_of_its_value():
    service = Partitions({"secret": 100})
    core = service.time.core()
    heard: list[HotPartition] = []
    retries: list[Retry] = []
    core.events.on("hot_partition", heard.append)
    core.events.on("retry", retries.append)
    keys = [("secret" if n % 3 else f"cold{n}", n) for n in range(1000)]

    service.time.run(saving(core, Buffer(), itertools.starmap(put, keys)))

    assert {(each.table, each.attribute) for each in heard} == {("t", "part")}
    assert "secret" not in repr(heard)
    (found,) = core.hot.keys
    assert found.value == "secret"
    assert "secret" not in repr(found)
    assert {each.digest for each in heard} == {found.digest}
    assert found.throttled == sum(each.count for each in retries) == sum(e.count for e in heard)


# --- Reads ----------------------------------------------------------------------------------------


def getting(core: Core, keys: Iterator[tuple[str, int]], **options: Any) -> Any:
    settings = {"consistent": False, "ordered": False, "none_for_missing": False, **options}
    subject = Subject(None, "t")
    wanted = (
        WantedKey((part, number), {"part": {"S": part}, "number": {"N": str(number)}}, subject)
        for part, number in keys
    )
    nothing: Any = lambda keys: iter(())  # noqa: E731
    return BatchGet(core, wanted, before=nothing, **settings)


def all_of(source: Any, found: list[Any]) -> Flow[None]:
    while (some := (yield from source.next())) is not None:
        found += some


@pytest.mark.parametrize("rate", [100, 500])
def test_keys_of_a_hot_partition_hold_only_themselves(rate: float):
    alone, service = Partitions(), Partitions({"hot": rate}, saved=1.0)
    cold = (key for key in mixed(5000) if key[0] != "hot")
    alone.time.run(all_of(getting(alone.time.core(), cold), []))
    found: list[Any] = []
    source = getting(service.time.core(), mixed(5000))

    service.time.run(all_of(source, found))

    assert sorted((key["part"]["S"], int(key["number"]["N"])) for key in found) == sorted(
        mixed(5000)
    )
    assert not source.missing
    assert seconds(service, hot=False) <= 1.5 * seconds(alone, hot=False)
    assert seconds(service, hot=True) <= 1.1 * (1000 - rate) / rate + 0.2
    assert service.requests <= 1.3 * 5000 / 100 + 5


@pytest.mark.parametrize("option", ["ordered", "none_for_missing"])
def test_keys_stay_in_order_where_that_is_asked_for(option: str):
    service = Partitions({"hot": 500})
    found: list[Any] = []

    service.time.run(all_of(getting(service.time.core(), mixed(2000), **{option: True}), found))

    assert [(key["part"]["S"], int(key["number"]["N"])) for key in found] == list(mixed(2000))


def test_reads_end_when_nothing_comes_for_as_long_as_the_deadline_is():
    service = Partitions({"hot": 0.0})
    found: list[Any] = []

    with pytest.raises(Throttled):
        service.time.run(all_of(getting(service.time.core(deadline=20), mixed(2000)), found))

    assert len(found) == 1600
    assert 20 <= service.time.seconds - 1000 <= 26


# --- Partitions that others use too ---------------------------------------------------------------


@attrs.define
class Shared(Partitions):
    """A table whose partition "hot" leaves a share of all that it is given, by chance, or has rivals.

    Attributes:
        left: The share.
        rivals: How many others ask every 5 ms for more than there is, so that each finds what has come
            since the one before.
        chance: Decides.
    """

    left: float = 0.0
    rivals: int = 0
    chance: random.Random = attrs.field(factory=random.Random)
    _asked: float = 1000.0

    def __call__(self, call: Call) -> Any:
        if self.rivals:
            now = self.time.seconds
            since = min(self.chance.expovariate(self.rivals / 0.005), now - self._asked)
            self._buckets["hot"], self._asked = (since * self.rates["hot"], now), now
        return super().__call__(call)

    def _takes(self, part: str) -> bool:
        return self.chance.random() >= self.left and super()._takes(part)


def key_in(request: dict[str, Any]) -> tuple[str, str]:
    item = request["PutRequest"]["Item"]
    return item["part"]["S"], item["number"]["N"]


def moved(service: Shared, count: int, *, reads: bool) -> float:
    """How long so many items of the partition take."""
    core = service.time.core(deadline=10)
    if reads:
        found: list[Any] = []
        keys = (("hot", number) for number in range(count))
        service.time.run(all_of(getting(core, keys), found))
        assert len(found) == count
    else:
        writes = (put("hot", number) for number in range(count))
        service.time.run(saving(core, Buffer(), writes))
        assert len(service.done) == count
    return service.time.seconds - 1000


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("reads", [False, True])
@pytest.mark.parametrize("left", [0.2, 0.5, 0.8, 0.9])
def test_a_share_that_is_left_at_any_pace_does_not_slow_a_lane(left: float, reads: bool, seed: int):
    for count in (30, 300, 2000):
        service = Shared(left=left, chance=random.Random(seed))
        requests = count / (1 - left) / (100 if reads else 25)

        took = moved(service, count, reads=reads)

        # One request after the other takes 5 ms each; the last items, and what is tried first, some time.
        assert took <= 3 * 0.005 * requests + 1.5


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("reads", [False, True])
@pytest.mark.parametrize("rivals", [1, 2, 4])
def test_a_partition_with_rivals_is_asked_for_its_part(rivals: int, reads: bool, seed: int):
    service = Shared({"hot": 1000.0}, rivals=rivals, chance=random.Random(seed))
    hammer = Shared({"hot": 1000.0}, rivals=rivals, chance=random.Random(seed))
    requests = [put("hot", number).request for number in range(300)]
    while requests:  # as fast as answers come, without a pause
        hammer.time.seconds += 0.005
        hammer(Call("batch_write_item", {"RequestItems": {"t": requests[:25]}}))
        requests = [each for each in requests if key_in(each) not in hammer.done]

    took = moved(service, 300, reads=reads)

    # What is tried first takes some time.
    assert took <= 3 * (hammer.time.seconds - 1000) + 3


@pytest.mark.parametrize("reads", [False, True])
def test_a_lane_is_fast_again_when_the_rivals_are_gone(reads: bool):
    service = Shared(left=0.8, chance=random.Random(1))
    service.time.after(4.0, lambda: setattr(service, "left", 0.0))

    took = moved(service, 20_000, reads=reads)

    assert took <= 7
