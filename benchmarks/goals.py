"""What the library sets out to reach, each in one line: met or missed.

    uv run python -m benchmarks goals                       # with Python 3.12, where it is installed
    uv run python -m benchmarks goals --rounds 7

All of a line is measured in one run, one library after the other in each round (`contest.py`); what counts
is the median of the ratios of the rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks import cold, load
from benchmarks.contest import BASELINE, Contest, Figure, spread
from benchmarks.environments import Environments
from benchmarks.results import number
from benchmarks.suites import Budget

#: Who is measured; asyncio's session is compared with the other one.
RIVALS = (BASELINE, "resource", "with_pydynox", "dynattrs_aio")
_RESOURCE, _PYDYNOX = "boto3's resource", "pydynox"
_NAMES = {"resource": _RESOURCE, "with_pydynox": _PYDYNOX}


@dataclass(frozen=True)
class Goal:
    """One line.

    Attributes:
        what: What is measured.
        case: Its case, as `Rounds` calls it, without what follows the shape.
        least: How many times as much each rival should take, at least.
        most: How many microseconds dynattrs should take, at most.
        awaited: How many times as much asyncio's session should take, at most.
    """

    what: str
    case: str
    least: tuple[tuple[str, float], ...] = ()
    most: float | None = None
    awaited: float | None = None


def _beside(resource: float, pydynox: float) -> tuple[tuple[str, float], ...]:
    return (("resource", resource), ("with_pydynox", pydynox))


GOALS = (
    Goal("read, an item (nested class)", "read mixed-11", _beside(18, 7)),
    Goal("made and written in batches, an item", "made mixed-11", _beside(18, 3), awaited=1.15),
    Goal("the same, key templates and an index", "made keyed-11", _beside(12, 2)),
    Goal("GetItem, a call", "get flat-11", _beside(8, 1.6), awaited=1.4),
    Goal("PutItem, a call", "put flat-11", _beside(8, 1.5)),
    Goal("UpdateItem, a call (the new item)", "update flat-11", _beside(6, 1.1)),
    Goal("1,024 floats: write in batches, an item", "write vector-1024", most=110),
    Goal("1,024 floats: read, an item", "read vector-1024", most=150),
)
_COLD = "import and first get"
#: Of what boto3's client takes.
_COLD_SHARE = 0.9


@dataclass(frozen=True)
class Outcome:
    """How a line, or a part of it, came out."""

    what: str
    found: str
    goal: str
    met: bool

    def __str__(self) -> str:
        return f"{'met   ' if self.met else 'missed'}  {self.what:42} {self.found:68} {self.goal}"


def outcomes(figures: list[Figure]) -> Iterator[Outcome]:
    """Of the cases that *figures* are of."""
    by_place = {(each.case.partition(".")[0], each.rival): each for each in figures}
    for goal in GOALS:
        ours = by_place.get((goal.case, BASELINE))
        if ours is None:
            continue
        if goal.most is not None:
            found = f"{number(ours.median)} µs ({number(ours.low)} to {number(ours.high)})"
            yield Outcome(goal.what, found, f"at most {goal.most:g} µs", ours.median <= goal.most)
        for rival, least in goal.least:
            yield _ratio(goal.what, by_place.get((goal.case, rival)), rival, least)
        theirs = by_place.get((goal.case, "dynattrs_aio"))
        if goal.awaited is not None and theirs is not None and theirs.ratio is not None:
            yield Outcome(
                goal.what, f"asyncio {_spread(theirs)} of the other session",
                f"at most x{goal.awaited:g}", theirs.ratio <= goal.awaited,
            )  # fmt: skip


def _ratio(what: str, figure: Figure | None, rival: str, least: float) -> Outcome:
    name, goal = _NAMES[rival], f"at least x{least:g}"
    if figure is None or figure.ratio is None:
        return Outcome(what, f"{name} was not measured", goal, met=False)
    return Outcome(what, f"{name} {_spread(figure)}", goal, figure.ratio >= least)


def _spread(figure: Figure) -> str:
    return (
        f"x{number(figure.ratio)} ({number(figure.ratio_low)} to {number(figure.ratio_high)}),"
        f" {number(figure.median)} µs"
    )


def show(
    contest: Contest, environments: Environments, budget: Budget, say: Callable[[str], None]
) -> list[Outcome]:
    """Measure all, and say how each came out as soon as it is known."""
    found = []
    for case in budget.cases("goals"):
        rounds = contest.run(case, RIVALS, budget.rounds)
        for outcome in outcomes(rounds.figures(contest.labels())):
            say(str(outcome))
            found.append(outcome)
    for outcome in (_fresh(contest, environments, budget), *_loaded(contest, budget)):
        say(str(outcome))
        found.append(outcome)
    say(f"{sum(each.met for each in found)} of {len(found)} met")
    return found


#: Who is compared with whom: threads with threads, tasks with tasks.
_PAIRS = {BASELINE: "with_pydynox", "dynattrs_aio": "with_pydynox_async"}
_BURST = 15


def _loaded(contest: Contest, budget: Budget) -> Iterator[Outcome]:
    """Many calls at a time: ahead of pydynox in how many are answered, and in the slowest of a hundred."""
    rounds = budget.rounds_of("load")
    for figures in load.measured(contest, [*_PAIRS, *_PAIRS.values()], budget.calls, rounds):
        by_place = {(each.rival, each.unit): each for each in figures}
        case = figures[0].case
        if case.split()[1] == "1":
            continue  # calls do not wait for each other
        for ours, theirs in _PAIRS.items():
            what = f"{case} ({'threads' if ours == BASELINE else 'tasks'})"
            for unit in (load.RATE, load.UNITS["p99"]):
                pair = by_place.get((ours, unit)), by_place.get((theirs, unit))
                if pair[0] is None or pair[1] is None:
                    yield Outcome(what, "was not measured", f"ahead in {unit}", met=False)
                    continue
                mine, other = pair[0].median, pair[1].median
                met = mine >= other if unit == load.RATE else mine <= other
                found = f"{number(mine)} {unit}, pydynox {number(other)}"
                yield Outcome(what, found, "ahead", met)
    for process in contest.processes(["dynattrs_aio"]):
        middle, low, high = spread(load.burst(contest, process, max(3, rounds)))
        found = f"{number(middle)} ms ({number(low)} to {number(high)})"
        goal = f"at most {_BURST} ms"
        yield Outcome("100 gets at once, tasks", found, goal, middle <= _BURST)


def _fresh(contest: Contest, environments: Environments, budget: Budget) -> Outcome:
    """A fresh process beside one that uses boto3's client."""
    ours, theirs = cold.PROGRAMS[:2]
    # It takes a tenth of the time of a round, and differs more than others between two runs.
    cpu, *_ = cold.measured((theirs, ours), environments, contest, 2 * budget.rounds)
    labels = {each.label: each.label for each in (ours, theirs)}
    figure = next(
        each for each in cpu.figures(labels, baseline=theirs.label) if each.rival == ours.label
    )
    assert figure.ratio is not None
    found = (
        f"x{number(figure.ratio)} boto3's client ({number(figure.ratio_low)} to "
        f"{number(figure.ratio_high)}), {number(figure.median)} ms"
    )
    return Outcome(_COLD, found, f"at most x{_COLD_SHARE:g}", figure.ratio <= _COLD_SHARE)
