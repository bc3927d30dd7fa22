"""Waiting for exports, imports and bulk puts. `session.transfers` is its twin for threads."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

from dynattrs.operations.flows import Async, Flow
from dynattrs.operations.tables.transfer_reports import BulkPutReport
from dynattrs.operations.tables.transfers import AnyBulkPut, AnyTransfer, Report

R = TypeVar("R")


class AsyncTransfer(AnyTransfer[Report], Async):
    """An export or an import that runs in the service. `await transfer` is the same as
    `await transfer.wait()`.
    """

    async def _drive(self, flow: Flow[R]) -> R:
        driven: R = await self._tables._drive(flow)
        return driven

    def __await__(self) -> Generator[Any, Any, Report]:
        return self.wait().__await__()


class AsyncBulkPut(AnyBulkPut, Async):
    """A bulk put that runs in the service. `await` it to wait for its end, as with `wait()`."""

    async def _drive(self, flow: Flow[R]) -> R:
        driven: R = await self._tables._drive(flow)
        return driven

    def __await__(self) -> Generator[Any, Any, BulkPutReport]:
        return self.wait().__await__()
