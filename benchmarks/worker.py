"""One rival in its own process: it is told what to do in lines of JSON, and answers with its CPU time.

    python -m benchmarks.worker RIVAL ADDRESS

Timed is `time.process_time`, the CPU of all threads of this process, from the call to the objects that
it returns. Importing and the first use of everything are left out, and making what is written too, except
for `made`, where each object is made of a row of plain values while it is written. What was returned is
checked afterwards, each item and each field.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import inspect
import json
import platform
import resource
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

from benchmarks import processors
from benchmarks.shapes import CHANGED, check_object, shape

#: What can be measured, and the method by which a rival says that it can.
METHODS = {
    "read": "read", "write": "write", "made": "composer", "get": "get", "put": "put", "update": "update"
}  # fmt: skip


class Worker:
    def __init__(self, rival: str, endpoint: str) -> None:
        # One of ours, or a module by its full name.
        name = rival if "." in rival else f"benchmarks.rivals.{rival}"
        self._module = importlib.import_module(name)
        self._endpoint = endpoint
        self._tables: dict[str, Any] = {}
        self._loop = asyncio.new_event_loop()

    # --- What it is told --------------------------------------------------------------------------

    def about(self) -> dict[str, Any]:
        return {
            "label": self._module.LABEL,
            "python": platform.python_version(),
            "versions": {name: version(name) for name in self._module.DISTRIBUTIONS},
            "lenient": getattr(self._module, "LENIENT", {}),
            "operations": [
                name for name, method in METHODS.items() if hasattr(self._module.Songs, method)
            ],
        }

    def measure(self, operation: str, table: str, count: int) -> dict[str, Any]:
        """Do *operation* with the first *count* items of a table.

        Returns:
            CPU and elapsed time in seconds, for all items.
        """
        processors.use_last()
        songs = self._songs(table)
        prepared = self._prepared(songs, operation, count)
        work = self._work(songs, operation, prepared)
        gc.collect()
        elapsed, cpu = time.perf_counter(), time.process_time()
        found = work()
        cpu, elapsed = time.process_time() - cpu, time.perf_counter() - elapsed
        self._check(songs, operation, count, found)
        return {"cpu": cpu, "elapsed": elapsed}

    def profile(self, operation: str, table: str, count: int) -> dict[str, Any]:
        """Where the CPU of *operation* goes."""
        from benchmarks import profiles

        processors.use_last()
        songs = self._songs(table, concurrency=1)
        prepared = self._prepared(songs, operation, count)
        work = self._work(songs, operation, prepared)
        work()
        return profiles.measured(work, count)

    def memory(self) -> dict[str, Any]:
        """The most memory that this process has had, in bytes."""
        return {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}

    def scan(self, table: str, segments: int = 1) -> dict[str, Any]:
        """Read a table to its end and keep nothing."""
        processors.use_all()
        songs = self._songs(table, concurrency=segments)
        gc.collect()
        elapsed, cpu = time.perf_counter(), time.process_time()
        count, plays = self._run(songs.scan, segments)
        cpu, elapsed = time.process_time() - cpu, time.perf_counter() - elapsed
        return {"cpu": cpu, "elapsed": elapsed, "count": count, "plays": plays, **self.memory()}

    def save(self, table: str, count: int, concurrency: int) -> dict[str, Any]:
        """Save *count* items with so many batches in flight."""
        processors.use_all()
        songs = self._songs(table, concurrency=concurrency)
        prepared = self._prepared(songs, "write", count)
        gc.collect()
        elapsed, cpu = time.perf_counter(), time.process_time()
        self._run(songs.write, prepared)
        return {
            "cpu": time.process_time() - cpu, "elapsed": time.perf_counter() - elapsed
        }  # fmt: skip

    def load(self, operation: str, table: str, count: int, workers: int) -> dict[str, Any]:
        """Do *operation* once with each of *count* items, with so many calls under way at a time.

        Returns:
            Seconds: of the whole, and of the calls that only half, one in a hundred, and one in a
            thousand took longer than.
        """
        processors.use_all()
        pooled = getattr(self._module, "POOLED", False)
        songs = self._songs(table, **({"connections": workers} if pooled else {}))
        prepared = self._prepared(songs, operation, count)
        method = getattr(songs, operation)
        shares = [range(each, count, workers) for each in range(workers)]
        found: list[Any] = [None] * count
        took = [0.0] * count
        gc.collect()
        began, cpu = time.perf_counter(), time.process_time()
        if inspect.iscoroutinefunction(method):
            self._loop.run_until_complete(_in_tasks(method, prepared, shares, found, took))
        else:
            _in_threads(method, prepared, shares, found, took)
        cpu, elapsed = time.process_time() - cpu, time.perf_counter() - began
        self._check(songs, operation, count, found)
        took.sort()
        return {
            "cpu": cpu,
            "elapsed": elapsed,
            **{
                name: took[min(count - 1, int(count * share))]
                for name, share in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999))
            },
        }

    # --- How it does it ---------------------------------------------------------------------------

    def _songs(self, table: str, **options: Any) -> Any:
        key = f"{table} {options}"
        if key not in self._tables:
            kind = shape(table.partition(".")[0])
            songs = self._tables[key] = self._module.Songs(self._endpoint, table, kind, **options)
            if hasattr(songs, "start"):
                self._loop.run_until_complete(songs.start())
        return self._tables[key]

    def _prepared(self, songs: Any, operation: str, count: int) -> list[Any]:
        if operation in ("read", "get"):
            return list(range(count))
        if operation == "made":
            return [songs.shape.values(number) for number in range(count)]
        special = {"write": "make_for_batch", "update": "make_for_update"}.get(operation, "make")
        make = getattr(songs, special, songs.make)
        return [make(number) for number in range(count)]

    def _work(self, songs: Any, operation: str, prepared: list[Any]) -> Callable[[], list[Any]]:
        if operation == "made":
            compose = songs.composer()
            return lambda: self._run(songs.write, map(compose, prepared))
        method = getattr(songs, operation)
        if operation == "read":
            return lambda: self._run(method)
        if operation == "write":
            return lambda: self._run(method, prepared)
        if not inspect.iscoroutinefunction(method):
            return lambda: [method(each) for each in prepared]

        async def one_after_the_other() -> list[Any]:
            return [await method(each) for each in prepared]

        return lambda: self._loop.run_until_complete(one_after_the_other())

    def _run(self, method: Any, *arguments: Any) -> Any:
        found = method(*arguments)
        return self._loop.run_until_complete(found) if isinstance(found, Coroutine) else found

    def _check(self, songs: Any, operation: str, count: int, found: Any) -> None:
        if operation in ("write", "made", "put"):
            return  # the server has checked these
        changed = CHANGED if operation == "update" else None
        if len(found) != count:
            raise ValueError(f"{len(found)} items were found, not {count}")
        plain = getattr(songs, "plain", lambda each: each)
        for number, each in enumerate(found):
            # What an update returns is checked where it returns anything.
            if each is not None or operation != "update":
                check_object(plain(each), songs.shape, number, changed)

    def close(self) -> None:
        for songs in self._tables.values():
            if hasattr(songs, "stop"):
                self._loop.run_until_complete(songs.stop())
        self._loop.close()


def _in_threads(
    method: Any,
    prepared: Sequence[Any],
    shares: Sequence[range],
    found: list[Any],
    took: list[float],
) -> None:
    def work(share: range) -> None:
        for number in share:
            began = time.perf_counter()
            found[number] = method(prepared[number])
            took[number] = time.perf_counter() - began

    with ThreadPoolExecutor(len(shares)) as executor:
        for future in [executor.submit(work, share) for share in shares]:
            future.result()


async def _in_tasks(
    method: Any,
    prepared: Sequence[Any],
    shares: Sequence[range],
    found: list[Any],
    took: list[float],
) -> None:
    async def work(share: range) -> None:
        for number in share:
            began = time.perf_counter()
            found[number] = await method(prepared[number])
            took[number] = time.perf_counter() - began

    await asyncio.gather(*map(work, shares))


def main() -> None:
    # What a rival prints must not get in between.
    answers = sys.stdout
    with (
        contextlib.redirect_stdout(sys.stderr),
        contextlib.closing(Worker(*sys.argv[1:3])) as worker,
    ):
        for line in sys.stdin:
            command = json.loads(line)
            try:
                answer = getattr(worker, command.pop("do"))(**command)
            except Exception as error:  # it is told, and the run goes on without
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
