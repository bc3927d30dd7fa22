"""A client under asyncio that keeps items in memory, and counts where a caller may be cancelled.

It knows what the tests of cancellation send, and nothing of conditions. Every request waits before
it is applied and after, as a request on its way and a reply do.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any


class MemoryClient:
    """The tables of one region.

    Attributes:
        tables: Items by table and by key, a tuple of the key attributes' values.
        steps: How often somebody has waited.
        at_step: Called with the number of each step; what it raises is raised there.
        unprocessed: How many more batches are to be left half undone.
    """

    def __init__(self, **keys: tuple[str, ...]) -> None:
        self.keys = keys
        self.tables: dict[str, dict[tuple[str, ...], Any]] = {name: {} for name in keys}
        self.steps = 0
        self.at_step: Callable[[int], None] = lambda step: None
        self.unprocessed = 0
        self.requests: list[str] = []

    async def _step(self) -> None:
        for _ in range(3):
            self.steps += 1
            self.at_step(self.steps)
            await asyncio.sleep(0)

    async def _asked(self, operation: str) -> None:
        self.requests.append(operation)
        await self._step()

    def _key(self, table: str, item: dict[str, Any]) -> tuple[str, ...]:
        return tuple(next(iter(item[name].values())) for name in self.keys[table])

    def _store(self, table: str, request: dict[str, Any]) -> None:
        if "PutRequest" in request:
            item = request["PutRequest"]["Item"]
            self.tables[table][self._key(table, item)] = item
        else:
            self.tables[table].pop(self._key(table, request["DeleteRequest"]["Key"]), None)

    async def batch_write_item(self, RequestItems: dict[str, Any], **_: Any) -> dict[str, Any]:
        await self._asked("batch_write_item")
        left: dict[str, Any] = {}
        for table, requests in RequestItems.items():
            done = requests
            if self.unprocessed and len(requests) > 1:
                self.unprocessed -= 1
                done, left[table] = requests[: len(requests) // 2], requests[len(requests) // 2 :]
            for request in done:
                self._store(table, request)
        await self._step()
        return {"UnprocessedItems": left}

    async def put_item(self, TableName: str, Item: Any, **_: Any) -> dict[str, Any]:
        await self._asked("put_item")
        self._store(TableName, {"PutRequest": {"Item": Item}})
        await self._step()
        return {}

    async def delete_item(self, TableName: str, Key: Any, **_: Any) -> dict[str, Any]:
        await self._asked("delete_item")
        self._store(TableName, {"DeleteRequest": {"Key": Key}})
        await self._step()
        return {}

    async def update_item(self, TableName: str, Key: Any, **_: Any) -> dict[str, Any]:
        await self._asked("update_item")
        await self._step()
        return {}

    async def transact_write_items(self, TransactItems: Any, **_: Any) -> dict[str, Any]:
        await self._asked("transact_write_items")
        for each in TransactItems:
            self._store(each["Put"]["TableName"], {"PutRequest": {"Item": each["Put"]["Item"]}})
        await self._step()
        return {}

    async def get_item(self, TableName: str, Key: Any, **_: Any) -> dict[str, Any]:
        await self._asked("get_item")
        item = self.tables[TableName].get(self._key(TableName, Key))
        await self._step()
        return {} if item is None else {"Item": item}

    async def batch_get_item(self, RequestItems: dict[str, Any], **_: Any) -> dict[str, Any]:
        await self._asked("batch_get_item")
        found = {
            table: [
                self.tables[table][self._key(table, key)]
                for key in request["Keys"]
                if self._key(table, key) in self.tables[table]
            ]
            for table, request in RequestItems.items()
        }
        await self._step()
        return {"Responses": found, "UnprocessedKeys": {}}

    async def execute_statement(self, NextToken: str = "0", **_: Any) -> dict[str, Any]:
        """The rows of the first table, ten to a page."""
        await self._asked("execute_statement")
        table = next(iter(self.tables.values()))
        start = int(NextToken)
        rows = [table[key] for key in sorted(table)]
        await self._step()
        more = {"NextToken": str(start + 10)} if start + 10 < len(rows) else {}
        return {"Items": rows[start : start + 10], **more}

    async def query(self, TableName: str, **options: Any) -> dict[str, Any]:
        return await self._page(TableName, **options)

    async def scan(self, TableName: str, **options: Any) -> dict[str, Any]:
        return await self._page(TableName, **options)

    async def _page(
        self,
        table: str,
        Limit: int = 1000,
        ExclusiveStartKey: Any = None,
        Segment: int = 0,
        TotalSegments: int = 1,
        **_: Any,
    ) -> dict[str, Any]:
        await self._asked("page")
        keys = sorted(self.tables[table])[Segment::TotalSegments]
        if ExclusiveStartKey is not None:
            after = self._key(table, ExclusiveStartKey)
            keys = [key for key in keys if key > after]
        items = [self.tables[table][key] for key in keys[:Limit]]
        reply: dict[str, Any] = {"Items": items, "Count": len(items), "ScannedCount": len(items)}
        if len(keys) > Limit:
            reply["LastEvaluatedKey"] = {name: items[-1][name] for name in self.keys[table]}
        await self._step()
        return reply


class Waiting:
    """A `MemoryClient` for threads, or one of a subclass."""

    def __init__(self, memory: MemoryClient) -> None:
        self._memory = memory

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_") or not hasattr(self._memory, name):
            raise AttributeError(name)

        def call(**request: Any) -> Any:
            coroutine = getattr(self._memory, name)(**request)
            try:
                while True:
                    coroutine.send(None)
            except StopIteration as stop:
                return stop.value

        return call


async def value_of(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result


def begin(batch: Any) -> Any:
    return batch.__enter__() if hasattr(batch, "__enter__") else batch.__aenter__()


def end(batch: Any) -> Any:
    nothing = (None, None, None)
    return batch.__exit__(*nothing) if hasattr(batch, "__exit__") else batch.__aexit__(*nothing)
