"""Rivals measured side by side: each in its own process, round after round, one at a time.

A round measures every rival once; each begins with another one, so that a machine that slows down in the
middle slows everybody. What counts is the ratio of two rivals in the same round. Nothing is kept of a
measurement whose result was wrong, or whose requests the server did not find right.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import canned
from benchmarks.environments import ROOT, Environments, NeedsPython, NotInstalled

#: In the order of the tables. The first is what others are compared with.
_ALL = (
    "dynattrs_sync",
    "resource",
    "client",
    "with_pynamodb",
    "with_dyntastic",
    "with_bloop",
    "with_awswrangler",
    "with_pydynox",
    "with_pydynox_dicts",
    "by_hand",
    "dynattrs_aio",
    "with_aiobotocore",
    "with_pydynox_async",
    "with_aiodynamo",
    "with_dynamoxy",
    "dynattrs_slow",
    "dynattrs_heard",
)
_AIO = (ROOT / "src/dynattrs/aio").exists()
RIVALS = tuple(rival for rival in _ALL if rival != "dynattrs_aio" or _AIO)
BASELINE = RIVALS[0]
WRITING = ("write", "made", "put", "update")

#: Nobody's profile, role or credentials take part.
ENVIRONMENT = {
    "PATH": os.environ.get("PATH", ""),
    "HOME": os.devnull,
    "AWS_ACCESS_KEY_ID": canned.ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": canned.SECRET_KEY,
    "AWS_DEFAULT_REGION": canned.REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


class Wrong(Exception):
    """A rival failed, or did something else than it should."""


@dataclass(frozen=True)
class Case:
    """What is measured.

    Attributes:
        operation: `read`, `write`, `made` (written, and made while it is), `get`, `put` or `update`.
        table: The table's name, which says what is in it.
        count: How many items take part.
    """

    operation: str
    table: str
    count: int

    @property
    def unit(self) -> str:
        return "an item" if self.operation in ("read", "write", "made") else "a call"


@dataclass
class Figure:
    """What was measured of one rival in one case.

    Attributes:
        median, low, high: The middle and the quartiles, in *unit*.
        ratio, ratio_low, ratio_high: The same of the ratios to dynattrs, round by round.
    """

    case: str
    rival: str
    label: str
    unit: str
    median: float
    low: float
    high: float
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None


@dataclass
class Rounds:
    """The values of each rival, round by round; None where there is none."""

    case: str
    unit: str
    values: dict[str, list[float | None]] = field(default_factory=dict)

    def figures(self, labels: dict[str, str], baseline: str = BASELINE) -> list[Figure]:
        base = self.values.get(baseline)
        found = []
        for rival, values in self.values.items():
            known = [value for value in values if value is not None]
            if not known:
                continue
            figure = Figure(self.case, rival, labels[rival], self.unit, *spread(known))
            if base is not None and rival != baseline:
                pairs = zip(values, base, strict=True)
                ratios = [value / other for value, other in pairs if value and other]
                if ratios:
                    figure.ratio, figure.ratio_low, figure.ratio_high = spread(ratios)
            found.append(figure)
        return found


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, first and third quartile."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return median, low, high


def of_checkout(rival: str, root: Path) -> str:
    """What *rival* is called as the checkout at *root* has it: its file there, over the library there."""
    return f"{rival}@{root}"


class Process:
    """A rival in its process."""

    def __init__(
        self, interpreter: str, rival: str, address: str, library: Path | None = None
    ) -> None:
        name, _, checkout = rival.partition("@")
        environment = ENVIRONMENT
        if checkout:
            library = Path(checkout) / "src"
        if library is not None:  # before what is installed
            environment = ENVIRONMENT | {"PYTHONPATH": str(library)}
        self._process = subprocess.Popen(
            [interpreter, "-m", "benchmarks.worker", name, address],
            cwd=checkout or ROOT, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self.rival = rival
        self.about: dict[str, Any] = {}

    def do(self, what: str, **arguments: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": what, **arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise Wrong(f"{self.rival} ended with status {self._process.wait(30)}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise Wrong(f"{self.rival}, {what} {arguments}: {answer['error']}")
        return answer

    def close(self) -> None:
        """End it: it stops when its standard input does."""
        with self._process:
            pass


class Contest:
    """A server and the rivals' processes, made when they are needed.

    Args:
        environments: Where rivals are installed.
        say: Takes a line about what is going on.
        strict: Whether a rival that fails ends the run; otherwise it is left out, with a word.
    """

    def __init__(
        self, environments: Environments, say: Callable[[str], None], *, strict: bool = False
    ) -> None:
        self._environments = environments
        self._say = say
        self._strict = strict
        self._stack = contextlib.ExitStack()
        self._processes: dict[str, Process] = {}
        self.address = ""
        #: Why a rival takes no part.
        self.left_out: dict[str, str] = {}

    def __enter__(self) -> Contest:
        self.address = self._stack.enter_context(canned.running())
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def fresh(self, rival: str, library: Path | None = None) -> Process:
        """A process in which nothing was done yet.

        Args:
            rival: Which.
            library: A folder whose dynattrs takes the place of the installed one.

        Raises:
            NotInstalled: The rival cannot be installed.
            Wrong: It does not start.
        """
        interpreter = self._environments.interpreter_of(rival.partition("@")[0])
        process = Process(str(interpreter), rival, self.address, library)
        # Also if it has not even started.
        self._stack.callback(process.close)
        process.about = process.do("about")
        return process

    def processes(self, rivals: Iterable[str]) -> Iterator[Process]:
        """Those of *rivals* that can be had."""
        for rival in rivals:
            if rival in self.left_out:
                continue
            if rival not in self._processes:
                try:
                    self._processes[rival] = self.fresh(rival)
                except NeedsPython as error:
                    self._leave_out(rival, error)
                    continue
                except (NotInstalled, Wrong) as error:
                    self.failed(rival, error)
                    continue
            yield self._processes[rival]

    def run(self, case: Case, rivals: Iterable[str], rounds: int, tries: int = 1) -> Rounds:
        """Measure *case* in so many rounds, after one that does not count.

        Args:
            case: What is measured.
            rivals: Who takes part.
            rounds: How many values each has in the end.
            tries: How often each is measured in a round, in turn; the least counts.
        """
        taking_part = [
            process
            for process in self.processes(rivals)
            if case.operation in process.about["operations"]
        ]
        name = f"{case.operation} {case.table}"
        found = Rounds(name, f"µs of CPU {case.unit}", {each.rival: [] for each in taking_part})
        out: set[str] = set()
        for number in range(-1, rounds):
            start = max(number, 0) % max(len(taking_part), 1)
            least: dict[str, float] = {}
            for process in (taking_part[start:] + taking_part[:start]) * tries:
                if process.rival in out:
                    continue
                try:
                    seconds = self._measured(process, case)
                except Wrong as error:
                    self.failed(f"{process.rival}, {name}", error)
                    out.add(process.rival)
                    continue
                least[process.rival] = min(seconds, least.get(process.rival, seconds))
            if number >= 0:
                for rival, seconds in least.items():
                    found.values[rival].append(seconds / case.count * 1e6)
        for rival in out:
            del found.values[rival]
        return found

    def labels(self) -> dict[str, str]:
        return {rival: process.about["label"] for rival, process in self._processes.items()}

    def versions(self, rivals: Iterable[str]) -> dict[str, str]:
        """What has taken part, in which version, with two versions where two have; all *rivals* where these
        were programs of their own.
        """
        found: dict[str, set[str]] = {}
        for process in [*self._processes.values()] or self.processes(rivals):
            for name, version in process.about["versions"].items():
                found.setdefault(name, set()).add(version)
        return {name: " and ".join(sorted(found[name])) for name in sorted(found)}

    def check(
        self, process: Process | None = None, *, requests: int | None = None, items: int = 0
    ) -> None:
        """What the server has seen since it was last asked.

        Raises:
            Wrong: It is not what it should be.
        """
        lenient = process.about["lenient"] if process is not None else {}
        seen = canned.report(self.address, **lenient)
        # awswrangler asks for the keys of a table before it writes.
        seen["requests"].pop("DescribeTable", None)
        total = sum(seen["requests"].values())
        if seen["errors"]:
            raise Wrong(f"the server found: {seen['errors'][0]}")
        if seen["items"] != items or (requests is not None and total != requests):
            raise Wrong(f"the server has seen {seen} where {requests} and {items} were expected")

    def forget(self, *, on_last: bool = False) -> None:
        """What the server has seen so far does not count.

        Args:
            on_last: Whether it is to serve on the last processor from now on; otherwise on any.
        """
        canned.report(self.address, on_last=on_last)

    def _measured(self, process: Process, case: Case) -> float:
        self.forget(on_last=True)
        answer = process.do(
            "measure", operation=case.operation, table=case.table, count=case.count
        )  # fmt: skip
        page = int(case.table.split(".")[1])
        batches = -(-case.count // 25)
        expected = {"read": -(-case.count // page), "write": batches, "made": batches}
        requests = expected.get(case.operation, case.count)
        items = case.count if case.operation in WRITING else 0
        # bloop reads what it updates; that is left out of the time, but not out of the requests.
        known = process.rival != "with_bloop" or case.operation != "update"
        self.check(process, requests=requests if known else None, items=items)
        seconds: float = answer["cpu"]
        return seconds

    def failed(self, what: str, error: Exception) -> None:
        """Leave out what failed, or end the run.

        Raises:
            Exception: *error*, if the run is strict or nothing can be compared without.
        """
        if self._strict or what == BASELINE:
            raise error
        self._leave_out(what, error)

    def _leave_out(self, what: str, error: Exception) -> None:
        self.left_out[what] = str(error)
        self._say(f"-- left out: {what}: {error}")
