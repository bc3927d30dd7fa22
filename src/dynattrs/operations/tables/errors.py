"""The errors of `session.tables`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from attrs import define

from dynattrs.errors import DynattrsError
from dynattrs.operations.tables.transfer_reports import TransferReport


@define(eq=False, slots=False, repr=False)
class TableDiffers(DynattrsError):
    """A table exists but differs from its declaration.

    Attributes:
        table: The table's name.
        differences: One sentence for each difference.
    """

    table: str
    differences: Sequence[str]

    def __str__(self) -> str:
        listing = "; ".join(self.differences)
        return f"table {self.table!r} exists and differs from its declaration: {listing}"


@define(eq=False, slots=False, repr=False)
class ChangeRefused(TableDiffers):
    """A change in `session.tables.update` is impossible, or is destructive and was not allowed. Nothing
    was changed.

    Attributes:
        changes: The refused changes, each a `TableChange`.
    """

    changes: Sequence[Any] = ()

    def __str__(self) -> str:
        listing = "; ".join(self.differences)
        allowed = any(change.possible for change in self.changes)
        remedy = "; destructive=True allows what is destructive" if allowed else ""
        return f"table {self.table!r} was left as it is: {listing}{remedy}"


@define(eq=False, slots=False, repr=False)
class TableNotReady(DynattrsError, TimeoutError):
    """A table was still being changed when the waiting time was over.

    Attributes:
        table: The table's name.
        state: The current state of the table.
        timeout: The waiting time.
    """

    table: str
    state: str
    timeout: timedelta

    def __str__(self) -> str:
        return (
            f"table {self.table!r} was not ready after {self.timeout}: {self.state}; the service "
            f"goes on by itself, and session.tables.update(...) goes on from there"
        )


class TransferUnfinished(TableNotReady):
    """An export, an import or a bulk put had not ended when the waiting time was over."""

    def __str__(self) -> str:
        return (
            f"table {self.table!r} was not ready after {self.timeout}: {self.state}; the service goes on by "
            f"itself, and wait() waits for it again, in another process by its ARN"
        )


@define(eq=False, slots=False, repr=False)
class TransferFailed(DynattrsError):
    """An export, an import or a bulk put failed or was cancelled, or left items out.

    Attributes:
        what: `"export"`, `"import"` or `"bulk put"`.
        report: The service's report: `.failure_code`, `.failure_message`, and how far it got.
    """

    what: str
    report: TransferReport

    def __str__(self) -> str:
        found = self.report
        why = ": ".join(filter(None, (found.failure_code, found.failure_message)))
        which = found.arn if found.table is None else f"of table {found.table!r}"
        text = f"the {self.what} {which} has ended as {found.status}"
        return "; ".join(filter(None, (f"{text}: {why}" if why else text, found.remedy)))
