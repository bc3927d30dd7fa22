"""What `session.tables` raises."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from attrs import define

from dynattrs.errors import DynattrsError
from dynattrs.operations.tables.transfer_reports import TransferReport


@define(eq=False, slots=False, repr=False)
class TableDiffers(DynattrsError):
    """A table exists and is not as it is declared.

    Attributes:
        table: The table's name.
        differences: One sentence each.
    """

    table: str
    differences: Sequence[str]

    def __str__(self) -> str:
        listing = "; ".join(self.differences)
        return f"table {self.table!r} exists and differs from its declaration: {listing}"


@define(eq=False, slots=False, repr=False)
class ChangeRefused(TableDiffers):
    """`session.tables.update` would have to do what the service cannot, or what loses something.
    Nothing was changed.

    Attributes:
        changes: What was refused, each a `TableChange`.
    """

    changes: Sequence[Any] = ()

    def __str__(self) -> str:
        listing = "; ".join(self.differences)
        allowed = any(change.possible for change in self.changes)
        remedy = "; destructive=True allows what is destructive" if allowed else ""
        return f"table {self.table!r} was left as it is: {listing}{remedy}"


@define(eq=False, slots=False, repr=False)
class TableNotReady(DynattrsError, TimeoutError):
    """A table was still being changed when the time to wait for it had gone by.

    Attributes:
        table: The table's name.
        state: What it is at.
        timeout: How long it was waited for.
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
    """An export, an import or a bulk put was not done when the time to wait for it had gone by."""

    def __str__(self) -> str:
        return (
            f"table {self.table!r} was not ready after {self.timeout}: {self.state}; the service goes on by "
            f"itself, and wait() waits for it again, in another process by its ARN"
        )


@define(eq=False, slots=False, repr=False)
class TransferFailed(DynattrsError):
    """An export, an import or a bulk put has failed or was cancelled, or has left items out.

    Attributes:
        what: `"export"`, `"import"` or `"bulk put"`.
        report: What the service says of it: `.failure_code`, `.failure_message`, and how far it came.
    """

    what: str
    report: TransferReport

    def __str__(self) -> str:
        found = self.report
        why = ": ".join(filter(None, (found.failure_code, found.failure_message)))
        which = found.arn if found.table is None else f"of table {found.table!r}"
        text = f"the {self.what} {which} has ended as {found.status}"
        return "; ".join(filter(None, (f"{text}: {why}" if why else text, found.remedy)))
