"""What is wrong with files, and with where they are."""

from __future__ import annotations

from dynattrs.errors import DynattrsError
from dynattrs.late_classes import define


@define(eq=False, slots=False, repr=False)
class FilesError(DynattrsError, OSError):
    """A folder or a file cannot be used as it is.

    Attributes:
        place: The folder or file, as a path or an `s3://` address.
        problem: What is wrong.
        remedy: What to do.
    """

    place: str
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        return "; ".join(filter(None, (f"{self.place}: {self.problem}", self.remedy)))


class NoFile(FilesError, FileNotFoundError):
    """There is no file of that name."""


class BadLine(Exception):
    """A line, a row or a record does not fit. The reader knows where it is.

    Attributes:
        what: What is wrong: the model and field, what was expected and found, and what to do.
        model: The model's name, where it is known.
    """

    def __init__(self, what: str, model: str | None = None) -> None:
        super().__init__(what, model)
        self.what = what
        self.model = model

    def __str__(self) -> str:
        return self.what
