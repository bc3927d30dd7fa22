"""Two checkouts of dynattrs side by side: every cell of the table, interleaved in one run.

    uv run python -m benchmarks --against /path/to/other/checkout
    uv run python -m benchmarks --against /path/to/other/checkout --rounds 9 table cold shapes growth

Each checkout brings its own library and its own `benchmarks/`, so what a rival calls may have changed
between them; both run in the environment of this one. Both take part in each round, and begin it in
turn. In a round each is measured a few times, in turn as well, and the least CPU counts: what else a
machine does only adds to it. What is compared are the medians of the rounds; beside their ratio stand the
quartiles of the ratio in each round, which tell how far chance goes.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import cold
from benchmarks.contest import Contest, Rounds, of_checkout, spread
from benchmarks.environments import ROOT, Environments
from benchmarks.results import number
from benchmarks.suites import Budget

#: The suites that can be compared so.
SUITES = ("table", "cold", "goals", "models", "shapes", "growth")
#: Who takes part. boto3's client is the same in both: how far its ratio is from 1 is chance.
RIVALS = ("dynattrs_sync", "dynattrs_aio", "dynattrs_slow", "dynattrs_heard", "client")
#: Measurements of each in a round, where CPU is counted.
TRIES = 5
#: Further than this from 1 is said aloud.
TOLERANCE = 0.1


@dataclass(frozen=True)
class Cell:
    """One thing that both checkouts were measured at."""

    name: str
    unit: str
    there: list[float]
    here: list[float]

    @property
    def ratio(self) -> float:
        """How many times as much it takes here."""
        return statistics.median(self.here) / statistics.median(self.there)

    @property
    def differs(self) -> bool:
        return abs(self.ratio - 1) > TOLERANCE

    def __str__(self) -> str:
        ratios = [here / there for here, there in zip(self.here, self.there, strict=True)]
        _, low, high = spread(ratios)
        return (
            f"{self.name:58} {number(statistics.median(self.there)):>8}"
            f" {number(statistics.median(self.here)):>8} {self.unit:22} x{self.ratio:.3f}"
            f" ({low:.3f} to {high:.3f}){'  !' if self.differs else ''}"
        )


class Comparison:
    """Measures this checkout beside the one at *other*."""

    def __init__(
        self, contest: Contest, environments: Environments, budget: Budget, other: Path
    ) -> None:
        self._contest = contest
        self._environments = environments
        self._budget = budget
        self._roots = (other, ROOT)

    def cells(self, suite: str, rivals: Sequence[str]) -> Iterator[Cell]:
        if suite == "cold":
            yield from self._cold()
            return
        rounds = self._budget.rounds
        for case in self._budget.cases(suite):
            for rival in rivals:
                pair = [of_checkout(rival, root) for root in self._roots]
                found = self._contest.run(case, pair, rounds, TRIES)
                yield from _cell(found, pair, f"{rival}: {found.case}")

    def _cold(self) -> Iterator[Cell]:
        pairs = {
            program.label: [
                replace(program, label=of_checkout(program.label, root), checkout=root)
                for root in self._roots
            ]
            for program in cold.PROGRAMS
            if program.rival in RIVALS and program.text != ""
        }
        programs = [each for pair in pairs.values() for each in pair]
        rounds = self._budget.rounds
        for found in cold.measured(programs, self._environments, self._contest, rounds):
            for label, pair in pairs.items():
                yield from _cell(found, [each.label for each in pair], f"{found.case}, {label}")


def _cell(rounds: Rounds, pair: Sequence[str], name: str) -> Iterator[Cell]:
    """One if both were measured."""
    there, here = (
        [value for value in rounds.values.get(each, ()) if value is not None] for each in pair
    )
    if there and here:
        yield Cell(name, rounds.unit, there, here)


def show(
    comparison: Comparison, suites: Sequence[str], rivals: Sequence[str], say: Callable[[str], None]
) -> None:
    """Print a line for each cell, and in the end which of them differ."""
    say(f"{'':58} {'there':>8} {'here':>8} {'':22} ratio of medians (quartiles of the rounds')")
    cells = []
    for suite in suites:
        for cell in comparison.cells(suite, rivals):
            say(str(cell))
            cells.append(cell)
    differing = [cell.name for cell in cells if cell.differs]
    say(f"{len(differing)} of {len(cells)} differ by more than {TOLERANCE:.0%}")
