"""Tasks that start, time out, fail and are cancelled at random: in the end the data are as told.

Each worker keeps in plain Python what may be stored under each of its keys: one value where the
service has acknowledged it, several where a call was cancelled or an error names the object. A key
of which that is not sure is not written again, because a request that was cancelled may still arrive.

A few seconds here; for minutes:

    DYNATTRS_SOAK_SECONDS=300 uv run pytest tests/integration/test_aio_soak.py -s
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import secrets
import warnings
from typing import Any

import attrs
import pytest

from dynattrs import DynattrsError, UnsentWrites, model, partition_key, set_, sort_key

import engines

pytest.importorskip("aiobotocore", reason="pip install 'dynattrs[aio]'")

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from dynattrs.aio import AsyncSession

SECONDS = float(os.environ.get("DYNATTRS_SOAK_SECONDS", "4"))
WORKERS = 12

pytestmark = pytest.mark.full


@model("soaked")
class Entry:
    worker: str = partition_key()
    key: int = sort_key()
    value: int = 0


def unsent_in(error: BaseException | None) -> set[int]:
    """The keys of all `UnsentWrites` in a chain of errors."""
    found: set[int] = set()
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            if isinstance(each, UnsentWrites):
                found |= {write.object.key for write in each.unsent}
            waiting += [each.__cause__, each.__context__]
    return found


@attrs.define
class Worker:
    """One that writes keys of its own.

    Attributes:
        maybe: What may be stored under each key; None is nothing.
        unsure: Keys that are not written again.
    """

    session: AsyncSession
    name: str
    random: random.Random
    maybe: dict[int, set[int | None]] = attrs.field(factory=dict)
    unsure: set[int] = attrs.field(factory=set)
    values: int = 0

    def entry(self) -> Entry:
        """A new value for a key that is sure."""
        most = 2000 + 2 * len(self.unsure)
        while (key := self.random.randrange(most)) in self.unsure:
            pass
        self.values += 1
        return Entry(self.name, key, self.values)

    def now_maybe(self, key: int, value: int | None) -> None:
        self.maybe.setdefault(key, {None}).add(value)

    def surely(self, key: int, value: int | None) -> None:
        if key not in self.unsure:
            self.maybe[key] = {value}

    async def batch(self) -> None:
        """A batch of saves and deletes, which may be cut short."""
        last: dict[int, int | None] = {}
        try:
            async with self.session.batch() as batch:
                for _ in range(self.random.randrange(1, 120)):
                    entry = self.entry()
                    value = entry.value if self.random.random() < 0.8 else None
                    self.now_maybe(entry.key, value)
                    last[entry.key] = value
                    if value is None:
                        await batch.delete(entry)
                    else:
                        await batch.save(entry)
                    if self.random.random() < 0.02:
                        await batch.get(Entry, (self.name, entry.key))
                    if self.random.random() < 0.005:
                        1 // 0
        except BaseException as error:
            self.end(last, unsent_in(error))
            raise
        self.end(last, set())

    def end(self, last: dict[int, int | None], unsent: set[int]) -> None:
        """What no error names is stored, however the batch has ended."""
        self.unsure |= unsent
        for key, value in last.items():
            self.surely(key, value)

    async def writes(self) -> None:
        """Single writes, one after the other."""
        for _ in range(self.random.randrange(1, 6)):
            entry = self.entry()
            self.now_maybe(entry.key, entry.value)
            try:
                if self.random.random() < 0.5:
                    await self.session.save(entry)
                else:
                    key = (self.name, entry.key)
                    change = set_(Entry.value, entry.value)
                    await self.session.update(Entry, key, change, upsert=True)
            except BaseException:
                self.unsure.add(entry.key)
                raise
            self.surely(entry.key, entry.value)

    async def transacts(self) -> None:
        entries = {entry.key: entry for entry in (self.entry() for _ in range(5))}
        try:
            async with self.session.transaction() as t:
                for entry in entries.values():
                    self.now_maybe(entry.key, entry.value)
                    t.save(entry)
        except BaseException:
            self.unsure |= entries.keys()
            raise
        for entry in entries.values():
            self.surely(entry.key, entry.value)

    async def reads(self) -> None:
        """Reads in every way, loops that are left early among them."""
        mine = self.session.query(Entry).where(Entry.worker == self.name).page_size(40)
        left = self.random.randrange(200)
        async for _ in mine:
            left -= 1
            if left <= 0:
                break
        await mine.page(10)
        async for _ in self.session.get_many(Entry, [(self.name, key) for key in range(150)]):
            if self.random.random() < 0.01:
                break

    async def episode(self) -> None:
        does = self.random.choice([self.batch, self.batch, self.writes, self.reads, self.transacts])
        how = self.random.random()
        with contextlib.suppress(ZeroDivisionError, DynattrsError, asyncio.TimeoutError):
            if how < 0.5:
                await does()
            elif how < 0.8:
                await asyncio.wait_for(does(), self.random.random() * 0.1)
            else:
                task = asyncio.create_task(does())
                await asyncio.sleep(self.random.random() * 0.05)
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task


async def check(session: AsyncSession, workers: list[Worker]) -> int:
    """Compare all that is stored with what the workers say; how many keys."""
    count = 0
    for worker in workers:
        query = session.query(Entry).where(Entry.worker == worker.name).consistent()
        stored = {entry.key: entry.value async for entry in query}
        assert stored.keys() <= worker.maybe.keys()
        for key, values in worker.maybe.items():
            assert stored.get(key) in values, (worker.name, key, stored.get(key), values)
        count += len(worker.maybe)
    return count


def test_tasks_that_are_cut_short_at_random_leave_nothing_but_what_was_said(
    client_arguments: dict[str, Any],
    client: Any,
    table_prefix: str,
    faults: engines.Faults,
    caplog: pytest.LogCaptureFixture,
):
    seed = int(os.environ.get("DYNATTRS_SOAK_SEED", secrets.randbelow(10**6)))
    print(f"DYNATTRS_SOAK_SEED={seed}")
    caplog.set_level("CRITICAL", "dynattrs")
    arguments = {**client_arguments, "endpoint_url": faults.endpoint}
    made = get_session()
    made.set_credentials(arguments.pop("aws_access_key_id"), arguments.pop("aws_secret_access_key"))
    arguments["config"] = AioConfig(**arguments["config"]._user_provided_options)

    async def main() -> tuple[int, int, int]:
        session = AsyncSession(aiobotocore_session=made, table_prefix=table_prefix, **arguments)
        await session.tables.create(Entry)
        throttled = {"code": "ProvisionedThroughputExceededException", "status": 400}
        faults.set(
            {"operation": "BatchWriteItem", "probability": 0.05, "error": throttled},
            {"probability": 0.05, "latency": 60},
        )
        workers = [
            Worker(session, f"w{number}", random.Random(seed + number)) for number in range(WORKERS)
        ]
        loop = asyncio.get_running_loop()
        until, episodes = loop.time() + SECONDS, 0

        async def work(worker: Worker) -> None:
            nonlocal episodes
            while loop.time() < until:
                await worker.episode()
                episodes += 1

        await asyncio.gather(*map(work, workers))
        faults.clear()
        for _ in range(20):  # what nobody waits for any more is ending
            if len(asyncio.all_tasks()) == 1:
                break
            await asyncio.sleep(0.01)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left
        assert not session._batches
        await asyncio.sleep(0.5)  # requests that were cancelled on their way arrive, or do not
        keys = await check(session, workers)
        unsure = sum(len(worker.unsure) for worker in workers)
        assert session.stats.direct > session.stats.total / 2
        await session.close()
        return episodes, keys, unsure

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        episodes, keys, unsure = asyncio.run(main())
        gc.collect()

    print(f"{episodes} episodes, {keys} keys, {unsure} of them unsure, 0 lost, 0 tasks left")
    assert episodes > WORKERS
