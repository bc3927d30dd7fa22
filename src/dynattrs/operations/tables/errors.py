"""What `session.tables` raises."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from attrs import define

from dynattrs.errors import DynattrsError


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
