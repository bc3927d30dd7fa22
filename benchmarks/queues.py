"""How long batches wait for each other: several at once through one session, in threads and in tasks.

    uv run python -m benchmarks.queues                      # this tree
    uv run python -m benchmarks.queues --check              # fail where a bound is passed
    PYTHONPATH=/other/src uv run python -m benchmarks.queues

Each batch saves 60 songs, which are three requests; the server of `canned.py` answers each after 5 ms. A
session has four places, so the least that k batches take is k * 3 / 4 * 5 ms, and 15 ms or so for one
alone. What is timed is each batch, from `session.batch()` to its end; all of a round begin together.
The median is to stay within 1.6 times the least and 8 ms, the longest within three times that. The
bounds are of wall time, so they need a machine that does nothing else.

Each round is checked: the server has been sent every song once, and nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from benchmarks import canned
from benchmarks.canned import REGION
from benchmarks.rivals.dynattrs_sync import declared
from benchmarks.rivals.plain_attrs import made
from benchmarks.shapes import shape
from dynattrs import Session
from dynattrs.aio import AsyncSession

LATENCY = 5
TABLE = f"flat-11.10.1000.{LATENCY}"
BATCHES = (1, 2, 4, 16)
SONGS = 60
PLACES = 4

SHAPE = shape("flat-11")


def in_threads(session: Session, songs: list[list[Any]]) -> list[float]:
    """The seconds that each batch took, one in each thread."""
    together = threading.Barrier(len(songs))
    seconds: list[float] = []

    def one(mine: list[Any]) -> None:
        together.wait()
        began = time.perf_counter()
        with session.batch() as batch:
            for song in mine:
                batch.save(song)
        seconds.append(time.perf_counter() - began)

    threads = [threading.Thread(target=one, args=(each,)) for each in songs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seconds


async def in_tasks(session: AsyncSession, songs: list[list[Any]]) -> list[float]:
    """The seconds that each batch took, one in each task."""

    async def one(mine: list[Any]) -> float:
        began = time.perf_counter()
        async with session.batch() as batch:
            for song in mine:
                await batch.save(song)
        return time.perf_counter() - began

    return await asyncio.gather(*map(one, songs))


def bound(batches: int) -> float:
    """The milliseconds within which the median is to stay."""
    requests = -(-SONGS // 25)
    rounds = max(batches * requests / PLACES, 1.0)
    return 1.6 * rounds * LATENCY + 8


def measure(
    address: str, cls: Any, way: str, once: Callable[[list[list[Any]]], list[float]], rounds: int
) -> bool:
    """Print what *once* takes; whether it stays within the bounds."""
    fine = True
    for count in BATCHES:
        seconds: list[float] = []
        cpu = 0.0
        for turn in range(rounds + 2):
            songs = [
                [made(cls, SHAPE.fields, SHAPE.values(number)) for number in range(SONGS)]
                for _ in range(count)
            ]
            before = time.process_time()
            taken = once(songs)
            if turn >= 2:  # the first ones make threads and connections
                seconds += taken
                cpu += time.process_time() - before
        found = canned.report(address)
        wanted = (rounds + 2) * count * SONGS
        if found["errors"] or found["items"] != wanted:
            raise SystemExit(f"{found}, not {wanted} items")
        middle, longest = statistics.median(seconds) * 1000, max(seconds) * 1000
        kept = middle <= bound(count) and longest <= 3 * bound(count)
        fine = fine and kept
        print(
            f"{way:8} {count:3} {middle:8.1f} {longest:8.1f} {bound(count):8.1f} "
            f"{found['requests']['BatchWriteItem'] / (rounds + 2):9.1f} {cpu / rounds * 1000:6.1f}"
            f"  {'' if kept else 'passed'}"
        )
    return fine


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    os.environ.update(AWS_ACCESS_KEY_ID=canned.ACCESS_KEY, AWS_SECRET_ACCESS_KEY=canned.SECRET_KEY)
    cls = declared(TABLE, SHAPE)
    print(
        "in     at once   median  longest    bound  requests    cpu (milliseconds, and requests, a round)"
    )
    with canned.running() as address:
        settings: dict[str, Any] = {
            "endpoint_url": address,
            "region_name": REGION,
            "concurrency": PLACES,
        }
        with Session(**settings) as session:
            fine = measure(
                address, cls, "threads", lambda songs: in_threads(session, songs), options.rounds
            )

        with asyncio.Runner() if sys.version_info >= (3, 11) else _Loop() as runner:

            async def opened() -> AsyncSession:
                return AsyncSession(**settings)

            other: AsyncSession = runner.run(opened())
            fine &= measure(
                address, cls, "tasks",
                lambda songs: runner.run(in_tasks(other, songs)), options.rounds,
            )  # fmt: skip
            runner.run(other.close())
    if options.check and not fine:
        sys.exit(1)


class _Loop:
    """What `asyncio.Runner` does, for Python 3.10."""

    def __enter__(self) -> _Loop:
        self._loop = asyncio.new_event_loop()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.close()

    def run(self, coroutine: Any) -> Any:
        return self._loop.run_until_complete(coroutine)


if __name__ == "__main__":
    main()
