"""What batches of PartiQL statements raise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dynattrs.errors import DynattrsError
from dynattrs.late_classes import define, field, frozen
from dynattrs.quoting import MOST_PROBLEM, quoted, shortened


@frozen
class FailedStatement:
    """One statement of `execute_many` that was not done, or may not be.

    Attributes:
        position: Its place among the statements, from 0.
        statement: The statement.
        parameters: Its parameters.
        cause: Why: `ConditionFailed`, `ItemExists`, `Throttled`, `InvalidRequest`, `OutcomeUnknown`, …
    """

    position: int
    statement: str
    parameters: tuple[object, ...] = field(repr=False)
    cause: DynattrsError

    def __str__(self) -> str:
        cause = f"{type(self.cause).__name__}: {self.cause}"
        text = f"statement {self.position}, {quoted(self.statement, 200)}"
        return f"{text}: {shortened(cause, MOST_PROBLEM)}"


@define(eq=False, slots=False, repr=False)
class StatementsFailed(DynattrsError):
    """Some statements of `execute_many` were not done, or may not be; all others were.

    Attributes:
        failed: One `FailedStatement` for each, in the order of the statements.
        results: What the statements gave, in their order; None for those that failed.
    """

    failed: Sequence[FailedStatement]
    results: Sequence[Any] = ()

    def __str__(self) -> str:
        count = len(self.failed)
        shown = "; ".join(map(str, self.failed[:3]))
        more = f"; and {count - 3} more" if count > 3 else ""
        return (
            f"{count} of {len(self.results)} statements failed: {shown}{more}; each is in .failed with "
            f"its cause, and .results has what the others gave"
        )
