"""Latency under load: how long one call takes while others are under way.

The server answers after five milliseconds. So many threads, or tasks, share one session, client or engine,
and each makes one call after the other. Measured is each call, by the clock: what the middle one took, and
what the slowest of a hundred and of a thousand; and how many were answered in a second, all threads
together. Each result is checked afterwards. Machines with few processors share them with the server.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.contest import BASELINE, Case, Contest, Figure, Process, Rounds, Wrong

#: Those that are made for it. boto3's resource must not be shared by threads.
RIVALS = (
    BASELINE,
    "client",
    "with_pydynox",
    "dynattrs_aio",
    "with_aiobotocore",
    "with_pydynox_async",
    "with_dynamoxy",
)
#: How many calls are under way at a time.
WORKERS = (1, 8, 32, 128)
OPERATIONS = ("get", "put")
LATENCY = 5
#: What is measured of each, in the order of a cell of the table.
UNITS = {"p50": "ms, half of them", "p99": "ms, 99 of 100", "p999": "ms, 999 of 1,000"}
RATE = "calls a second"
CPU = "µs of CPU a call"


def measured(
    contest: Contest, rivals: Sequence[str], calls: int, rounds: int
) -> Iterator[list[Figure]]:
    """The figures of each operation and number of workers.

    Args:
        contest: Where.
        rivals: Who takes part, of those that can.
        calls: How many each worker makes.
        rounds: How often.
    """
    taking_part = list(contest.processes([rival for rival in RIVALS if rival in rivals]))
    for operation in OPERATIONS:
        for workers in WORKERS:
            yield from _measured(contest, taking_part, operation, workers, calls, rounds)


def _measured(
    contest: Contest,
    taking_part: Sequence[Process],
    operation: str,
    workers: int,
    calls: int,
    rounds: int,
) -> Iterator[list[Figure]]:
    # One alone has a second, so that its slowest calls mean something.
    count = calls * max(workers, 6)
    case = Case(operation, f"flat-11.1000.{count}.{LATENCY}", count)
    name = f"{operation}, {workers} at once"
    found = {
        unit: Rounds(name, unit, {each.rival: [] for each in taking_part})
        for unit in (*UNITS.values(), RATE, CPU)
    }
    out: set[str] = set()
    for number in range(-1, rounds):
        start = max(number, 0) % max(len(taking_part), 1)
        for process in (*taking_part[start:], *taking_part[:start]):
            if process.rival in out:
                continue
            try:
                answer = once(contest, process, case, workers)
            except Wrong as error:
                contest.failed(f"{process.rival}, {name}", error)
                out.add(process.rival)
                continue
            if number < 0:
                continue  # connections are opened in it
            for key, unit in UNITS.items():
                found[unit].values[process.rival].append(answer[key] * 1000)
            found[RATE].values[process.rival].append(count / answer["elapsed"])
            found[CPU].values[process.rival].append(answer["cpu"] / count * 1e6)
    labels = contest.labels()
    yield [figure for each in found.values() for figure in each.figures(labels)]


def burst(contest: Contest, process: Process, rounds: int) -> list[float]:
    """Milliseconds until a hundred gets that begin at once have their answers, connections being open."""
    case = Case("get", f"flat-11.1000.100.{LATENCY}", 100)
    found = [once(contest, process, case, 100)["elapsed"] * 1000 for _ in range(rounds + 2)]
    return found[2:]


def once(contest: Contest, process: Process, case: Case, workers: int) -> dict[str, Any]:
    contest.forget()
    answer = process.do(
        "load", operation=case.operation, table=case.table, count=case.count, workers=workers
    )
    contest.check(process, requests=case.count, items=case.count if case.operation == "put" else 0)
    return answer
