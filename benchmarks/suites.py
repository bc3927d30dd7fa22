"""What is measured, in groups that can be run one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks import cold, load
from benchmarks.contest import (
    BASELINE,
    RIVALS,
    Case,
    Contest,
    Figure,
    Process,
    Rounds,
    Wrong,
)  # fmt: skip
from benchmarks.environments import Environments

OPERATIONS = ("read", "write", "get", "put", "update")

#: Where the whole field would take too long: who says most in the least time.
FEW = ("dynattrs_sync", "resource", "with_pydynox", "by_hand")


#: Two hundred megabytes to install, which is too much to see that everything works.
HEAVY = ("with_awswrangler",)


@dataclass(frozen=True)
class Budget:
    """How much is done.

    Attributes:
        rounds: How often each rival is measured in each case.
        items: Items that are read in one measurement; other counts follow from it.
        calls: What one of many threads asks for.
        scanned: Items of the large table.
        shapes: What other items there are.
    """

    rounds: int = 15
    items: int = 2000
    calls: int = 30
    scanned: int = 1_000_000
    shapes: tuple[str, ...] = ("flat-5", "flat-40", "nested-5", "nested-11", "nested-40")

    def rounds_of(self, suite: str) -> int:
        """Suites that take long make fewer rounds."""
        share = {"shapes": 2, "growth": 2, "waiting": 3, "load": 2, "million": self.rounds}
        return max(1, self.rounds // share.get(suite, 1))

    @property
    def page(self) -> int:
        return min(1000, self.items)

    def case(self, operation: str, shape: str) -> Case:
        some = {"read": self.items, "write": self.items // 2, "made": self.items // 2}
        count = some.get(operation, self.items // 20)
        return Case(operation, f"{shape}.{self.page}.{self.items}", count)

    def cases(self, suite: str) -> list[Case]:
        """What a suite measures, if it is one of CPU by operation."""
        if suite == "table":
            return [self.case(operation, "flat-11") for operation in OPERATIONS]
        if suite == "models":
            return self._models()
        if suite == "shapes":
            return [
                self.case(operation, shape) for shape in self.shapes for operation in OPERATIONS
            ]
        if suite == "goals":
            calls = [self.case(operation, "flat-11") for operation in ("get", "put", "update")]
            return [*self._models(), *calls]
        assert suite == "growth"
        cases = [
            Case(
                "read", f"flat-11.{page}.{max(page, self.items // 10)}", max(page, self.items // 10)
            )
            for page in (1, 10, 100, 1000, 3000)
            if page <= 2 * self.items
        ]
        return cases + [
            Case("read", f"text-{length}.{page}.{4 * page}", 4 * page)
            for length, page in ((10, 1000), (100, 1000), (1000, 500), (10_000, 100), (100_000, 10))
            if page <= self.items
        ]

    def _models(self) -> list[Case]:
        vectors = min(25, self.items // 10)  # a page of them is 700 KB
        vector = f"vector-1024.{vectors}.{4 * vectors}"
        return [
            self.case("read", "mixed-11"), self.case("made", "mixed-11"), self.case("made", "keyed-11"),
            Case("read", vector, 4 * vectors), Case("write", vector, 4 * vectors),
        ]  # fmt: skip


#: Enough to see that everything works, and for no number.
SMOKE = Budget(rounds=1, items=50, calls=2, scanned=1000, shapes=("nested-11",))


class Suites:
    """The groups of measurements.

    Args:
        rivals: Who takes part, if they take part in that group.
    """

    def __init__(
        self, contest: Contest, environments: Environments, budget: Budget, rivals: Sequence[str]
    ) -> None:
        self._contest = contest
        self._environments = environments
        self._budget = budget
        self._rivals = rivals

    def run(self, name: str) -> Iterator[list[Figure]]:
        """The figures of a group, one table at a time."""
        method: Callable[[], Iterator[list[Figure]]] = getattr(self, name)
        return method()

    def table(self) -> Iterator[list[Figure]]:
        """All operations with flat items of eleven attributes, everybody."""
        return self._measured("table", self._rivals)

    def models(self) -> Iterator[list[Figure]]:
        """Items of a nested class; the same as objects that are made while they are written, without and
        with templates for keys; lists of 1,024 floats.
        """
        return self._measured("models", self._rivals)

    def shapes(self) -> Iterator[list[Figure]]:
        """Other sizes and shapes of items."""
        return self._measured("shapes", self._rivals)

    def growth(self) -> Iterator[list[Figure]]:
        """Reading, as pages grow, and as the text in an item does."""
        return self._measured("growth", [rival for rival in self._rivals if rival in FEW])

    def _measured(self, suite: str, rivals: Sequence[str]) -> Iterator[list[Figure]]:
        for case in self._budget.cases(suite):
            rounds = self._contest.run(case, rivals, self._budget.rounds_of(suite))
            yield rounds.figures(self._contest.labels(), BASELINE)

    def cold(self) -> Iterator[list[Figure]]:
        """Fresh processes: an import and the first request."""
        programs = [program for program in cold.PROGRAMS if program.rival in self._rivals]
        labels = {program.label: program.label for program in programs}
        for found in cold.measured(
            programs, self._environments, self._contest, self._budget.rounds
        ):
            yield found.figures(labels, baseline=cold.PROGRAMS[0].label)

    def waiting(self) -> Iterator[list[Figure]]:
        """With five milliseconds of latency: a scan of 100 pages in segments, and a save of 10,000
        items in batches, with 1 to 16 requests at once.

        What cannot be beaten is latency times requests, divided by how many are in flight.
        """
        pages = min(100, self._budget.items // 10)
        rivals = [rival for rival in self._rivals if rival in ("dynattrs_sync", "dynattrs_aio")]
        for process in self._contest.processes(rivals):
            for what in ("scan", "save"):
                yield [self._waited(process, what, pages, each) for each in (1, 2, 4, 8, 16)]

    def _waited(self, process: Process, what: str, pages: int, concurrency: int) -> Figure:
        items = 100 * pages
        table = f"flat-5.100.{items}.5"
        requests, written = (pages, 0) if what == "scan" else (items // 25, items)
        # A segment that has no page asks once, and is told so.
        asked = max(requests, concurrency) if what == "scan" else requests
        values: list[float | None] = []
        for number in range(-1, self._budget.rounds_of("waiting")):
            if what == "scan":
                answer = process.do("scan", table=table, segments=concurrency)
                if answer["count"] != items:
                    raise Wrong(f"a scan found {answer['count']} items of {items}")
            else:
                answer = process.do("save", table=table, count=items, concurrency=concurrency)
            self._contest.check(process, requests=asked, items=written)
            if number >= 0:
                values.append(answer["elapsed"] * 1000)
        name = f"{what} of {items:,} items in {requests} requests, {process.about['label']}"
        least = 5 * requests / concurrency
        label = f"{concurrency} at once (latency alone: {least:.0f})"
        rounds = Rounds(name, "ms elapsed", {label: values, "least": [least] * len(values)})
        return rounds.figures({label: label, "least": ""}, baseline="least")[0]

    def load(self) -> Iterator[list[Figure]]:
        """Single calls from 1 to 128 threads or tasks at a time, with five milliseconds of latency."""
        return load.measured(
            self._contest, self._rivals, self._budget.calls, self._budget.rounds_of("load")
        )

    def million(self) -> Iterator[list[Figure]]:
        """A scan of a table of a million items: how much memory it takes."""
        scanned = self._budget.scanned
        for rival in ("dynattrs_sync", "dynattrs_aio"):
            if rival not in self._rivals:
                continue
            process = self._contest.fresh(rival)
            process.do("scan", table=f"flat-11.{self._budget.page}.{10 * self._budget.page}")
            before = process.do("memory")["peak"]
            self._contest.check(process, requests=10)
            answer = process.do("scan", table=f"flat-11.{self._budget.page}.{scanned}")
            self._contest.check(process, requests=scanned // self._budget.page)
            if answer["count"] != scanned:
                raise Wrong(f"a scan found {answer['count']} items of {scanned}")
            name = f"scan of {scanned:,} items"
            label = process.about["label"]
            numbers = (
                ("µs of CPU an item", answer["cpu"] / scanned * 1e6),
                ("s elapsed", answer["elapsed"]),
                ("MB at the most after ten pages", before / 1e6),
                ("MB at the most in the end", answer["peak"] / 1e6),
            )
            yield [Figure(name, rival, label, unit, *[value] * 3) for unit, value in numbers]


NAMES = ("table", "models", "shapes", "growth", "cold", "waiting", "load", "million")

__all__ = ["NAMES", "RIVALS", "SMOKE", "Budget", "Suites"]
