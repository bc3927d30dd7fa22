"""Parts of a session that most programs never use: transactions, and its tables.

`aio.handles` has the rest, and imports this module on first use. `session.blocks` is its twin for
threads.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from dynattrs.aio.transfers import AsyncBulkPut, AsyncTransfer
from dynattrs.operations.flows import Async, Flow
from dynattrs.operations.tables.transfer_reports import BulkPutReport, ExportReport, ImportReport
from dynattrs.operations.tables.transfer_verbs import TransferVerbs
from dynattrs.operations.tables.verbs import TableVerbs
from dynattrs.operations.writing.transactions import TransactionVerbs
from dynattrs.session import shown
from dynattrs.tracebacks import hidden

if TYPE_CHECKING:
    from dynattrs.aio.handles import AsyncHandle

__tracebackhide__ = hidden

R = TypeVar("R")


class AsyncTransaction(TransactionVerbs):
    """The context manager that `session.transaction()` returns, for `async with`: its writes happen all
    together, or none does.

    Do not await its methods: nothing is sent before the `async with` statement ends.
    """

    _handle: AsyncHandle

    def __repr__(self) -> str:
        return shown.transaction(self)

    async def __aenter__(self) -> AsyncTransaction:
        self._begin()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()
        if error is None:
            await self._handle._drive(self._commit())


class AsyncTables(
    TableVerbs,
    TransferVerbs["AsyncTransfer[ExportReport]", "AsyncTransfer[ImportReport]", AsyncBulkPut],
    Async,
):
    """`session.tables`: creates, compares, changes and deletes tables."""

    def __init__(self, handle: AsyncHandle) -> None:
        self._core = handle._core
        self._handle = handle

    def __repr__(self) -> str:
        return f"<tables of {self._handle!r}>"

    async def _drive(self, flow: Flow[R]) -> R:
        self._handle._check_open()
        return await self._handle._drive(flow)

    def _exporting(self, report: ExportReport) -> AsyncTransfer[ExportReport]:
        return AsyncTransfer(self, report)

    def _importing(self, report: ImportReport) -> AsyncTransfer[ImportReport]:
        return AsyncTransfer(self, report)

    def _putting(self, report: BulkPutReport) -> AsyncBulkPut:
        return AsyncBulkPut(self, report)
