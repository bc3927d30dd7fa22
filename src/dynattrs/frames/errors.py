"""The error for a frame that cannot be saved."""

from __future__ import annotations

from dynattrs.errors import MappingError
from dynattrs.late_classes import define


@define(eq=False, slots=False, repr=False)
class BadRow(MappingError):
    """A row of a frame cannot become an object of the model. Neither that row nor any later one was written;
    the rows before it are stored, or are in the batch.

    Attributes:
        row: The row's number, from 0, independent of the frame's index.
        column: The column; None if the whole row is at fault.
    """

    row: int = -1
    column: str | None = None

    def __str__(self) -> str:
        where = f"row {self.row}" + (f", column {self.column!r}" if self.column else "")
        return f"{where}: {MappingError.__str__(self)}"
