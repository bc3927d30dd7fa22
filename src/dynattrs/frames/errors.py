"""What can be wrong with a frame."""

from __future__ import annotations

from dynattrs.errors import MappingError
from dynattrs.late_classes import define


@define(eq=False, slots=False, repr=False)
class BadRow(MappingError):
    """A row of a frame is not an object of the model. Nothing of that row was written, and nothing of later
    ones; the rows before it are stored, or are in the batch.

    Attributes:
        row: Its number, from 0, whatever index the frame has.
        column: The column; None where it is the row as a whole.
    """

    row: int = -1
    column: str | None = None

    def __str__(self) -> str:
        where = f"row {self.row}" + (f", column {self.column!r}" if self.column else "")
        return f"{where}: {MappingError.__str__(self)}"
