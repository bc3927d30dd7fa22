"""A program with aiodynamo, on the items of `tests/integration/test_beside_others.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import lines
from aiodynamo.client import Client
from aiodynamo.credentials import Key, StaticCredentials
from aiodynamo.errors import ItemNotFound
from aiodynamo.http.aiohttp import AIOHTTP
from aiohttp import ClientSession
from yarl import URL


class Verbs:
    def connect(self, endpoint: str, table: str, access: str, secret: str) -> None:
        self._endpoint, self._table = endpoint, table
        self._key = Key(access, secret)

    def _run(self, act: Callable[[Any], Awaitable[Any]]) -> Any:
        async def run() -> Any:
            async with ClientSession() as http:
                credentials = StaticCredentials(self._key)
                client = Client(
                    AIOHTTP(http), credentials, "us-east-1", endpoint=URL(self._endpoint),
                    numeric_type=Decimal,
                )  # fmt: skip
                return await act(client)

        return asyncio.run(run())

    def save(self, fields: dict[str, Any]) -> None:
        self._run(lambda client: client.put_item(self._table, fields))

    def get(self, id: str) -> Any:
        async def get(client: Any) -> Any:
            try:
                return await client.get_item(self._table, {"id": id}, consistent_read=True)
            except ItemNotFound:
                return None

        return self._run(get)

    def change(self, id: str, fields: dict[str, Any]) -> None:
        found = {**self.get(id), **fields}
        self.save({name: value for name, value in found.items() if value != set()})

    def delete(self, id: str) -> None:
        self._run(lambda client: client.delete_item(self._table, {"id": id}))


if __name__ == "__main__":
    lines.serve(Verbs())
