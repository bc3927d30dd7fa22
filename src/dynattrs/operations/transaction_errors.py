"""What transactions raise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dynattrs.errors import DynattrsError
from dynattrs.late_classes import define, frozen
from dynattrs.quoting import MOST_PROBLEM, quoted, shortened


@define(eq=False, slots=False, repr=False)
class TransactionError(DynattrsError, ValueError):
    """A transaction cannot be sent as it is written: too many actions, two on one item, too large."""

    problem: str

    def __str__(self) -> str:
        return shortened(self.problem, MOST_PROBLEM)


@frozen
class Reason:
    """Why one action made a transaction fail.

    Attributes:
        action: The action, as Python.
        code: The service's code: `ConditionalCheckFailed`, `TransactionConflict`, …
        message: The service's message.
        item: The item that was found, as an object of the model; None if there is none. An `insert`
            gets the one of another model, too.
        kind: What was found under the key, where that is an item of another model of the table: the
            value of its discriminator.
        hint: What the condition did not look for, if the item has that.
    """

    action: str
    code: str
    message: str
    item: Any = None
    kind: str | None = None
    hint: str = ""

    def __str__(self) -> str:
        why = f" ({self.message})" if self.message else ""
        kind = f"; there is an item of another kind, {quoted(self.kind)}"
        more = kind * (self.kind is not None) + f"; {self.hint}" * bool(self.hint)
        return f"{shortened(self.action)}: {self.code}{why}{more}"


@define(eq=False, slots=False, repr=False)
class TransactionFailed(DynattrsError):
    """A transaction did not happen: none of its actions was done.

    Attributes:
        reasons: One entry for each action, in the caller's order; None where that action was not
            at fault.
    """

    reasons: Sequence[Reason | None]

    def __str__(self) -> str:
        at_fault = [str(reason) for reason in self.reasons if reason is not None]
        return f"the transaction did not happen: {'; '.join(at_fault)}; nothing was written"
