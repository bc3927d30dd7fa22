"""What waits for exports, imports and bulk puts. `session.transfers` has the same for threads."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

from dynattrs.operations.flows import Async, Flow
from dynattrs.operations.tables.transfer_reports import BulkPutReport
from dynattrs.operations.tables.transfers import AnyBulkPut, AnyTransfer, Report

R = TypeVar("R")


class AsyncTransfer(AnyTransfer[Report], Async):
    """An export or an import that the service does. Awaiting it is `wait()`."""

    async def _drive(self, flow: Flow[R]) -> R:
        driven: R = await self._tables._drive(flow)
        return driven

    def __await__(self) -> Generator[Any, Any, Report]:
        return self.wait().__await__()


class AsyncBulkPut(AnyBulkPut, Async):
    """A bulk put that the service does. Awaiting it is `wait()`."""

    async def _drive(self, flow: Flow[R]) -> R:
        driven: R = await self._tables._drive(flow)
        return driven

    def __await__(self) -> Generator[Any, Any, BulkPutReport]:
        return self.wait().__await__()
