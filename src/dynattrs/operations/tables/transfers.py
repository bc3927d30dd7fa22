"""Exports, imports and bulk puts, which run in the service: begun, followed, listed, cancelled.

They take minutes to hours, and go on without your program. The method that begins one returns a handle,
which can wait for it. Another program gets the same handle by the ARN.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3forDynamoDB.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/BulkPutItems.html
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, Generic, NamedTuple, TypeVar

from dynattrs.errors import NoSuchTable, ServiceError
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Flow, verb
from dynattrs.operations.refusals import PASSING
from dynattrs.operations.tables.errors import TransferFailed, TransferUnfinished
from dynattrs.operations.tables.looking import pauses
from dynattrs.operations.tables.transfer_reports import (
    BulkPutReport,
    ExportReport,
    ImportReport,
    TransferReport,
    bulk_put_report,
    export_report,
    import_report,
)
from dynattrs.operations.tables.waiting import Watch
from dynattrs.schema.messages import Message

Report = TypeVar("Report", bound=TransferReport)


# --- Following one --------------------------------------------------------------------------------


class AnyTransfer(Generic[Report]):
    """An export, an import or a bulk put. It runs in the service, even if this program ends.

    Attributes:
        report: The latest report from the service.
    """

    report: Report
    _core: Core

    def __init__(self, tables: Any, report: Report) -> None:
        self._core = tables._core
        self._tables = tables
        self.report = report

    def __repr__(self) -> str:
        return f"<{self._kind} {self.report}>"

    @property
    def arn(self) -> str:
        """Its ARN, which `describe_export` and the like accept in any process."""
        return self.report.arn

    @verb
    def refresh(self) -> Flow[Report]:
        """Ask the service for a new report: one DescribeExport, DescribeImport or DescribeBulkOperation."""
        return (yield from self._look())

    @verb
    def wait(
        self,
        *,
        progress: Callable[[Report], object] | None = None,
        timeout: timedelta | None = None,
    ) -> Flow[Report]:
        """Wait until it is completed. It asks often at first, then every five seconds.

        Temporary failures are retried for as long as the session's `deadline`.

        Args:
            progress: Called with the report whenever it has changed, and with the last one. If it raises
                an error, the wait ends, but the work in the service continues.
            timeout: The most time to wait; None waits without limit, which may be hours.

        Raises:
            TransferFailed: It failed or was cancelled, or a bulk put left items out; the error holds the
                report.
            TransferUnfinished: *timeout* is over. The service continues the work.
        """
        watch = Watch(self._core, timeout, TransferUnfinished)
        yield from self._until_done(watch, progress)
        if self.report.status != "COMPLETED":
            raise failed(self.report)
        return self.report

    def _until_done(self, watch: Watch, progress: Callable[[Report], object] | None) -> Flow[None]:
        told: Report | None = None
        seen = watch.now()
        for pause in pauses():
            if not self.report.done:
                try:
                    yield from self._look()
                except PASSING:
                    if watch.now() - seen >= self._core.deadline.total_seconds():
                        raise
                else:
                    seen = watch.now()
            if progress is not None and self.report != told:
                told = self.report
                progress(self.report)
            if self.report.done:
                return
            watch.check(self.report.table or self.arn, f"{self._kind} {self.report.status}")
            yield pause

    @property
    def _kind(self) -> str:
        return _KINDS[type(self.report)].name

    def _look(self) -> Flow[Report]:
        found: Any = yield from described_transfer(type(self.report), self.arn)
        self.report = found
        return self.report


class AnyBulkPut(AnyTransfer[BulkPutReport]):
    """A bulk put, which runs in the service."""

    @verb
    def cancel(self, *, timeout: timedelta | None = None) -> Flow[BulkPutReport]:
        """Cancel it, and wait until it has stopped. Items already written stay. If it has already ended,
        nothing happens.

        Args:
            timeout: The most time to wait; None waits without limit.

        Returns:
            The report, with the number of items that were processed.

        Raises:
            TransferUnfinished: *timeout* is over. The service is still cancelling it.
        """
        if self.report.done:
            return self.report
        watch = Watch(self._core, timeout, TransferUnfinished)
        try:
            yield Call("cancel_bulk_operation", {"BulkOperationArn": self.arn})
        except ServiceError:
            # It may have ended meanwhile, or be cancelled already.
            report = yield from self._look()
            if report.status == "IN_PROGRESS":
                raise
        yield from self._until_done(watch, None)
        return self.report


class _Kind(NamedTuple):
    """What it is; the request for one, with the parameter that has its ARN; where the reply has it."""

    name: str
    operation: str
    parameter: str
    member: str
    read: Callable[[Message], Any]


_KINDS: Final[dict[type[TransferReport], _Kind]] = {
    ExportReport: _Kind(
        "export", "describe_export", "ExportArn", "ExportDescription", export_report
    ),
    ImportReport: _Kind(
        "import", "describe_import", "ImportArn", "ImportTableDescription", import_report
    ),
    BulkPutReport: _Kind(
        "bulk put", "describe_bulk_operation", "BulkOperationArn", "BulkOperationDescription",
        bulk_put_report,
    ),
}  # fmt: skip


def described_transfer(kind: type[Report], arn: str) -> Flow[Report]:
    """What the service says of one.

    Raises:
        ServiceError: It knows none of that ARN.
    """
    known = _KINDS[kind]
    try:
        response = yield Call(known.operation, {known.parameter: arn})
    except NoSuchTable as error:  # the service has one code for whatever is not found
        raise ServiceError(
            error.operation,
            error.code,
            f"there is no {known.name} {arn} in this account and region",
        ) from error
    found: Report = known.read(response[known.member])
    return found


def failed(report: TransferReport) -> TransferFailed:
    """The error for one that has ended, and not well."""
    return TransferFailed(_KINDS[type(report)].name, report)
