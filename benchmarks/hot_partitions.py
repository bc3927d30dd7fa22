"""How a hot partition holds up the others: writes and reads of a table with one that takes little.

    uv run python -m benchmarks.hot_partitions              # this tree
    uv run python -m benchmarks.hot_partitions --check      # fail where a bound is passed
    PYTHONPATH=/other/src uv run python -m benchmarks.hot_partitions

10,000 items: one in five goes to a partition that takes 200 a second; the others take
everything. Answers come after 5 ms, and 8 requests are in flight. What is timed is what the server has
seen: from the first request to the last item that is not of the hot partition, and to the last of all.
The least is what the others take alone, the limit what the hot partition takes. The others are to be done
within 1.5 times the least, the whole within 1.1 times the limit, with 1.3 times the fewest requests.

Each run is checked: every item was stored once with what was saved, or read, and nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Iterator
from typing import Any

from benchmarks import canned
from benchmarks.canned import REGION
from benchmarks.partitions import HOT, SAVED
from dynattrs import Session, model, partition_key, sort_key
from dynattrs.aio import AsyncSession

ITEMS = 10_000
LATENCY = 5
RATE = 200
PLACES = 8
TABLE = f"partitions.{LATENCY}.{RATE}"


@model(TABLE)
class Reading:
    part: str = partition_key()
    number: int = sort_key()
    text: str


def keys(*, hot: bool) -> Iterator[tuple[str, int]]:
    for number in range(ITEMS):
        if number % 5:
            yield f"cold-{number % 997}", number
        elif hot:
            yield HOT, number


def made(*, hot: bool) -> Iterator[Reading]:
    return (Reading(part, number, f"text {number} ") for part, number in keys(hot=hot))


def written(session: Session, *, hot: bool) -> None:
    with session.batch() as batch:
        for reading in made(hot=hot):
            batch.save(reading)


def read(session: Session, *, hot: bool) -> None:
    found = {(each.part, each.number) for each in session.get_many(Reading, keys(hot=hot))}
    if found != set(keys(hot=hot)):
        raise SystemExit(f"{len(found)} items were read")


async def written_by_tasks(session: AsyncSession, *, hot: bool) -> None:
    async with session.batch() as batch:
        for reading in made(hot=hot):
            await batch.save(reading)


async def read_by_tasks(session: AsyncSession, *, hot: bool) -> None:
    found = {(each.part, each.number) async for each in session.get_many(Reading, keys(hot=hot))}
    if found != set(keys(hot=hot)):
        raise SystemExit(f"{len(found)} items were read")


def measure(address: str, name: str, run: Any, *, size: int, stored: bool) -> bool:
    hot = ITEMS // 5
    limit = (hot - RATE * SAVED) / RATE
    least = -(-ITEMS // size)
    found = {}
    canned.report(address, partitions=TABLE)
    for with_hot in (False, True):
        run(hot=with_hot)
        found[with_hot] = each = canned.report(address, partitions=TABLE)
        wanted = (ITEMS if with_hot else ITEMS - hot) if stored else 0
        if each["wrong"] or each["stored"] != wanted:
            raise SystemExit(f"{name}: {each}")
    alone, beside = found[False], found[True]
    ratios = (
        beside["cold"] / alone["cold"],
        max(beside["cold"], beside["hot"]) / limit,
        beside["requests"] / least,
    )
    kept = all(ratio <= bound for ratio, bound in zip(ratios, (1.5, 1.1, 1.3), strict=True))
    print(
        f"{name:16} {alone['cold']:7.2f} {beside['cold']:7.2f} {ratios[0]:6.2f}"
        f" {beside['hot']:7.2f} {ratios[1]:6.2f} {beside['requests']:9} {ratios[2]:6.2f}"
        f"  {'' if kept else 'passed'}",
        flush=True,
    )
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--only", default="", help="those whose names hold this")
    options = parser.parse_args()
    os.environ.update(AWS_ACCESS_KEY_ID=canned.ACCESS_KEY, AWS_SECRET_ACCESS_KEY=canned.SECRET_KEY)
    print("                   alone  beside  ratio     hot  ratio  requests  ratio  (seconds)")
    fine = True
    with canned.running() as address, asyncio.Runner() as runner:
        settings: dict[str, Any] = {
            "endpoint_url": address, "region_name": REGION, "concurrency": PLACES
        }  # fmt: skip

        async def opened() -> AsyncSession:
            return AsyncSession(**settings)

        session, other = Session(**settings), runner.run(opened())
        ways = {
            "writes, threads": (lambda hot: written(session, hot=hot), 25),
            "writes, tasks": (lambda hot: runner.run(written_by_tasks(other, hot=hot)), 25),
            "reads, threads": (lambda hot: read(session, hot=hot), 100),
            "reads, tasks": (lambda hot: runner.run(read_by_tasks(other, hot=hot)), 100),
        }
        for name, (run, size) in ways.items():
            if options.only in name:
                fine &= measure(address, name, run, size=size, stored=size == 25)
        session.close()
        runner.run(other.close())
    if options.check and not fine:
        sys.exit(1)


if __name__ == "__main__":
    main()
