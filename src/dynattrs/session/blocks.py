"""Parts of a session that most programs never use: transactions, and its tables.

`session.handles` has the rest, and imports this module on first use. `aio.blocks` is its twin for
asyncio.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from dynattrs.operations.flows import Flow, Sync
from dynattrs.operations.tables.transfer_reports import BulkPutReport, ExportReport, ImportReport
from dynattrs.operations.tables.transfer_verbs import TransferVerbs
from dynattrs.operations.tables.verbs import TableVerbs
from dynattrs.operations.writing.transactions import TransactionVerbs
from dynattrs.session import shown
from dynattrs.session.transfers import BulkPut, Transfer
from dynattrs.tracebacks import hidden

if TYPE_CHECKING:
    from dynattrs.session.handles import Handle

__tracebackhide__ = hidden

R = TypeVar("R")


class Transaction(TransactionVerbs):
    """The context manager that `session.transaction()` returns: its writes happen all together, or none
    does.
    """

    _handle: Handle

    def __repr__(self) -> str:
        return shown.transaction(self)

    def __enter__(self) -> Transaction:
        self._handle._drive(self._handle._settle_taking())
        self._begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()
        if error is None:
            self._handle._drive(self._commit())


class Tables(
    TableVerbs,
    TransferVerbs["Transfer[ExportReport]", "Transfer[ImportReport]", BulkPut],
    Sync,
):
    """`session.tables`: creates, compares, changes and deletes tables."""

    def __init__(self, handle: Handle) -> None:
        self._core = handle._core
        self._handle = handle

    def __repr__(self) -> str:
        return f"<tables of {self._handle!r}>"

    def _drive(self, flow: Flow[R]) -> R:
        self._handle._check_open()
        return self._handle._drive(flow)

    def _exporting(self, report: ExportReport) -> Transfer[ExportReport]:
        return Transfer(self, report)

    def _importing(self, report: ImportReport) -> Transfer[ImportReport]:
        return Transfer(self, report)

    def _putting(self, report: BulkPutReport) -> BulkPut:
        return BulkPut(self, report)
