"""Parents and workers of jobs in a time of their own, which may die or stand still at any step.

The code that runs is the library's: each actor is a thread, and one at a time goes on, the one whose moment
comes next. So minutes take milliseconds, and a seed says what happens.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import random
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Future
from typing import Any

import attrs

from dynattrs.jobs.checkpoints import Record
from dynattrs.jobs.ledger import Ledger
from dynattrs.jobs.rates import Rates
from dynattrs.jobs.running import Options, Running
from dynattrs.jobs.session_specs import SessionSpec
from dynattrs.jobs.slices import JobPlan, Slice, SliceResult, SliceRun
from dynattrs.jobs.work import At, FileEntry, JobRecord, Limits, Outcome, SourcePage

#: A client is made of it, and never used.
SPEC = SessionSpec(region_name="eu-west-1", endpoint_url="http://127.0.0.1:1")


class Killed(BaseException):
    """The process of an actor has died."""


class Process:
    """What dies, or stands still, at once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.frozen_until = 0.0


class Actor:
    """Something that goes on in a process."""

    def __init__(self, world: World, process: Process, act: Callable[[], object]) -> None:
        self._world, self.process, self._act = world, process, act
        self.turn = threading.Semaphore(0)
        self.ticket = 0
        self.over = False
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def begin(self) -> None:
        self._thread.start()
        self._world.wake(self)

    def _run(self) -> None:
        self.turn.acquire()
        self._world.current = self
        try:
            if not self.process.dead:
                self._act()
        except Killed:
            pass
        except BaseException as error:
            self.error = error
        finally:
            self.over = True
            self._world.back.release()


class World:
    """A clock, and those whose moments come."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.seconds = 1000.0
        self.current: Actor | None = None
        self.back = threading.Semaphore(0)
        self._numbers = itertools.count()
        self._heap: list[tuple[float, int, Any, int]] = []
        self.actors: list[Actor] = []

    def start(self, process: Process, act: Callable[[], object]) -> Actor:
        actor = Actor(self, process, act)
        self.actors.append(actor)
        actor.begin()
        return actor

    def at(self, seconds: float, act: Callable[[], object]) -> None:
        """Do something then."""
        heapq.heappush(self._heap, (seconds, next(self._numbers), act, -1))

    def wake(self, actor: Actor, seconds: float = 0.0) -> None:
        entry = (self.seconds + seconds, next(self._numbers), actor, actor.ticket)
        heapq.heappush(self._heap, entry)

    def run(self, until: float) -> None:
        """Let time go by."""
        while self._heap and self._heap[0][0] <= until:
            at, _, what, ticket = heapq.heappop(self._heap)
            self.seconds = max(self.seconds, at)
            if ticket < 0:
                what()
                continue
            if what.over or what.ticket != ticket:
                continue  # it goes on already
            frozen = what.process.frozen_until
            if frozen > self.seconds and not what.process.dead:
                self.wake(what, frozen - self.seconds)
                continue
            what.ticket += 1
            what.turn.release()
            self.back.acquire()

    # --- What actors call -----------------------------------------------------------------------

    def now(self) -> float:
        return self.seconds

    def stamp(self) -> str:
        return "2026-11-27T12:00:00+00:00"

    def random(self) -> float:
        return self.chance.random()

    def sleep(self, seconds: float) -> None:
        self._rest(lambda me: self.wake(me, seconds))

    def step(self) -> None:
        """A request takes a while, and anything may happen meanwhile."""
        self.sleep(self.chance.choice([0.001, 0.005, 0.02]))

    def wait(self, futures: Collection[Future[Any]], seconds: float) -> Collection[Future[Any]]:
        def begin(me: Actor) -> None:
            self.wake(me, max(0.0, seconds))
            for each in futures:
                each.add_done_callback(lambda _: self.wake(me))

        if not any(each.done() for each in futures):
            self._rest(begin)
        return [each for each in futures if each.done()]

    def _rest(self, begin: Callable[[Actor], object]) -> None:
        me = self.current
        assert me is not None
        if me.process.dead:
            raise Killed
        begin(me)
        self.back.release()
        me.turn.acquire()
        self.current = me
        if me.process.dead:
            raise Killed


class MemoryStore:
    """Records in memory, held to the rules of a ledger. Requests take time; replies of writes may be lost
    with their sender.
    """

    def __init__(self, world: World, lease: float) -> None:
        self._world, self._lease = world, lease
        self.records: dict[str, Record] = {}
        #: The process of each parent that has not ended, by its name.
        self.processes: dict[str, Process] = {}
        self.robbed: list[str] = []

    def store(self, job: str, session: SessionSpec) -> MemoryStore:
        return self

    def jobs(self, session: SessionSpec) -> Iterator[str]:
        return iter(())

    def __str__(self) -> str:
        return "memory"

    def read(self, key: str) -> Record | None:
        self._world.step()
        found = self.records.get(key)
        self._world.step()
        return found

    def read_all(self, prefix: str = "") -> Iterator[Record]:
        self._world.step()
        found = [self.records[key] for key in sorted(self.records) if key.startswith(prefix)]
        self._world.step()
        return iter(found)

    def write(self, record: Record) -> bool:
        self._world.step()
        before = self.records.get(record.key)
        if record.revision != (1 if before is None else before.revision + 1):
            self._world.step()
            return False
        if "/segment/" in record.key and before is not None:
            self._check(before.body, record.body)
        self.records[record.key] = record
        self._world.step()
        return True

    def add(self, record: Record) -> None:
        self._world.step()
        assert record.key not in self.records
        self.records[record.key] = record
        self._world.step()

    def remove(self, record: Record) -> bool:
        self._world.step()
        found = self.records.get(record.key) == record
        if found:
            del self.records[record.key]
        self._world.step()
        return found

    def delete(self, keys: Iterable[str]) -> None:
        self._world.step()
        for key in keys:
            self.records.pop(key, None)

    def _check(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        assert not before["done"]
        claimed = after["fence"] - before["fence"]
        stepped = after["step"] - before["step"]
        assert (claimed, stepped) in ((1, 0), (0, 1), (0, 0))
        owner = before["owner"]
        if claimed and owner is not None and owner != after["owner"]:
            process = self.processes.get(owner)
            if process is not None and not process.dead and not process.frozen_until:
                self.robbed.append(owner)


@attrs.frozen
class Table:
    """What a job of a test reads: the sizes of its segments, in items.

    Attributes:
        page: The most items of a page.
        units: What an item costs to read.
        writes: What it costs to write.
        seconds: How long a page takes.
    """

    sizes: tuple[int, ...]
    page: int = 10
    units: float = 1.0
    writes: float = 0.0
    seconds: float = 0.05


#: The world and the table of the test that runs; work is made anew by its verb's name.
playing: list[tuple[World, Table, list[tuple[float, float, float]]]] = []


class Playing:
    """Work that reads such a table, and names files."""

    verb = "playing"

    @classmethod
    def described(cls, *_: object) -> Playing:
        return cls()

    def describe(self) -> Mapping[str, Any]:
        return {}

    def source(self) -> Playing:
        return self

    def segments(self, session: Any, wanted: int) -> int:
        return len(playing[-1][1].sizes)

    def pages(
        self, session: Any, segment: int, of: int, position: str | None, limits: Limits
    ) -> Iterator[SourcePage]:
        world, table, spent = playing[-1]
        at, left = int(position or 0), limits.items
        while left > 0:
            world.sleep(table.seconds * world.chance.uniform(0.5, 1.5))
            most = min(table.page, limits.page_size(left) or table.page)
            end = min(at + most, table.sizes[segment])
            count = end - at
            spent.append((world.now(), count * table.units, count * table.writes))
            items: Any = [{"n": {"N": str(n)}} for n in range(at, end)]
            at, left = end, left - count
            over = end == table.sizes[segment]
            yield SourcePage(items, None if over else str(end), count * table.units, count)
            if over:
                return

    def check(self, session: Any) -> None:
        pass

    def begin(self, session: Any, at: At) -> PlayingStep:
        return PlayingStep(at)

    def finish(self, session: Any, record: JobRecord, files: Iterable[FileEntry]) -> None:
        pass


class PlayingStep:
    def __init__(self, at: At) -> None:
        self._at = at
        self._items: list[str] = []

    def page(self, page: SourcePage) -> float:
        self._items += [item["n"]["N"] for item in page.items]
        return len(page.items) * playing[-1][1].writes

    def end(self) -> Outcome:
        at = self._at
        name = f"{at.segment}/{at.step}-{at.fence}-{at.attempt}:{','.join(self._items)}"
        entry = FileEntry(name, len(self._items), 0, "")
        return Outcome({"played": len(self._items)}, files=[entry])

    def abandon(self) -> None:
        pass


class Workers:
    """A pool of a process' workers, which are processes that may die.

    Args:
        twice: How likely it is that a task is run twice, as Dask does where a worker is lost.
    """

    def __init__(self, world: World, process: Process, width: int, twice: float = 0.0) -> None:
        self.width = width
        self._world, self._process, self._twice = world, process, twice
        self._flying: dict[Future[SliceResult], list[Process]] = {}

    def check(self, plan: JobPlan) -> None:
        pass

    def submit(self, task: Slice, *, alone: bool) -> Future[SliceResult]:
        future: Future[SliceResult] = Future()
        self._flying[future] = []
        for _ in range(1 + (self._world.random() < self._twice)):
            own = Process(f"worker of {self._process.name}")
            own.frozen_until = self._process.frozen_until
            self._flying[future].append(own)

            def act() -> None:
                world = self._world
                result = SliceRun(task, now=world.now, sleep=world.sleep).run()
                if not future.done():
                    self._flying.pop(future, None)
                    future.set_result(result)

            self._world.start(own, act)
        return future

    @property
    def processes(self) -> list[Process]:
        return [each for several in self._flying.values() for each in several]

    def lose(self) -> None:
        """One of its processes dies, and with it the pool."""
        flying, self._flying = self._flying, {}
        for future, several in flying.items():
            for each in several:
                each.dead = True
            if not future.done():
                future.set_exception(BrokenExecutor("a process in the pool has died"))

    def is_broken(self, error: BaseException) -> bool:
        return isinstance(error, BrokenExecutor)

    def is_final(self, error: BaseException) -> bool:
        return False

    def stop(self) -> None:
        pass

    def renew(self) -> None:
        self.lose()

    def close(self) -> None:
        pass


class Machine:
    """A parent with its workers."""

    def __init__(self, game: Game, name: str, width: int, twice: float = 0.0) -> None:
        self.process = Process(name)
        world = game.world
        self.workers = Workers(world, self.process, width, twice)
        game.place.processes[name] = self.process
        rates = Rates(game.read_units, game.write_units, width, writes=game.write_units is not None)
        running = Running(
            game.plan, game.job, Ledger(game.place, "game"), self.workers, rates, world,
            Options(name, game.lease, 600.0),
        )  # fmt: skip
        self.began = world.now()

        def work() -> None:
            try:
                running.run()
            finally:  # for one, as its workers died again and again: its segments are free
                del game.place.processes[name]

        self.actor = world.start(self.process, work)

    @property
    def is_over(self) -> bool:
        return self.actor.over

    def kill(self) -> None:
        self.process.dead = True
        for each in self.workers.processes:
            each.dead = True

    def freeze(self, until: float) -> None:
        for each in (self.process, *self.workers.processes):
            each.frozen_until = until


class Game:
    """A job in a world, and the parents that work on it."""

    def __init__(
        self,
        seed: int,
        table: Table,
        *,
        lease: float = 6.0,
        read_units: float | None = None,
        write_units: float | None = None,
    ) -> None:
        self.world = World(seed)
        self.table, self.lease = table, lease
        self.read_units, self.write_units = read_units, write_units
        #: When what was consumed.
        self.spent: list[tuple[float, float, float]] = []
        self.place = MemoryStore(self.world, lease)
        self.job = JobRecord(
            name="game", verb="playing", description={}, models=(), segments=len(table.sizes),
            run="run", state="running", began=self.world.stamp(), session={},
        )  # fmt: skip
        self.place.records["job"] = Record("job", 1, {"format": 1, **attrs.asdict(self.job)})
        self.plan = JobPlan(
            job="game", run="run", verb="playing", description="{}", models=(),
            segments=self.job.segments, session=SPEC, checkpoints=self.place, lease=lease,
        )  # fmt: skip
        self.machines: list[Machine] = []
        self._names = itertools.count()

    def machine(self, width: int, twice: float = 0.0) -> Machine:
        found = Machine(self, f"m{next(self._names)}", width, twice)
        self.machines.append(found)
        return found

    @contextlib.contextmanager
    def playing(self) -> Iterator[None]:
        playing.append((self.world, self.table, self.spent))
        try:
            yield
        finally:
            # Threads that wait are let go.
            for each in self.world.actors:
                each.process.dead = True
            for machine in self.machines:
                machine.kill()
            for each in self.world.actors:
                while not each.over:
                    each.turn.release()
                    self.world.back.acquire()
            playing.pop()

    def read(self) -> dict[int, list[int]]:
        """The items that count, by segment, as the files say that checkpoints name."""
        found: defaultdict[int, list[int]] = defaultdict(list)
        store = self.place
        quiet = _Quiet(store.records)
        for entry in Ledger(quiet, "game").files(self.job):
            where, _, items = entry.name.partition(":")
            found[int(where.split("/")[0])] += [int(each) for each in items.split(",") if each]
        return found

    def segments(self) -> list[Any]:
        return Ledger(_Quiet(self.place.records), "game").segments(self.job)


class _Quiet:
    """The same records, read when all is over."""

    def __init__(self, records: dict[str, Record]) -> None:
        self._records = records

    def read(self, key: str) -> Record | None:
        return self._records.get(key)

    def read_all(self, prefix: str = "") -> Iterator[Record]:
        return iter([r for k, r in sorted(self._records.items()) if k.startswith(prefix)])

    def write(self, record: Record) -> bool:
        raise AssertionError

    def add(self, record: Record) -> None:
        raise AssertionError

    def remove(self, record: Record) -> bool:
        raise AssertionError

    def delete(self, keys: Iterable[str]) -> None:
        raise AssertionError
