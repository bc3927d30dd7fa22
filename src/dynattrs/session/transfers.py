"""Waiting for exports, imports and bulk puts. `aio.transfers` is its twin for asyncio."""

from __future__ import annotations

from typing import TypeVar

from dynattrs.operations.flows import Flow, Sync
from dynattrs.operations.tables.transfers import AnyBulkPut, AnyTransfer, Report

R = TypeVar("R")


class Transfer(AnyTransfer[Report], Sync):
    """An export or an import that runs in the service: `session.tables.export_to_s3(...).wait()`."""

    def _drive(self, flow: Flow[R]) -> R:
        driven: R = self._tables._drive(flow)
        return driven


class BulkPut(AnyBulkPut, Sync):
    """A bulk put that runs in the service: `session.tables.bulk_put(...).wait()`."""

    def _drive(self, flow: Flow[R]) -> R:
        driven: R = self._tables._drive(flow)
        return driven
