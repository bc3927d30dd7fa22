"""The actions of one transaction, and sending them.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterator
from typing import TYPE_CHECKING, Any

import attrs

from dynattrs import limits
from dynattrs.deferral import deferred
from dynattrs.errors import (
    MappingError,
    OutcomeUnknown,
    Reason,
    TransactionError,
    TransactionFailed,
)
from dynattrs.operations.conflicts import is_conflict
from dynattrs.operations.context import Core, quietly
from dynattrs.operations.flows import Call, Flow
from dynattrs.operations.item_keys import identity
from dynattrs.operations.requests import TransactionCanceled
from dynattrs.operations.writing.batch import PASSING
from dynattrs.schema.model_info import GUARD_ATTRIBUTE, ModelInfo
from dynattrs.schema.table import AttributeMap

if TYPE_CHECKING:
    from dynattrs.operations.reading import transact_get
    from dynattrs.operations.writing import migration, outcomes
else:
    transact_get = deferred("dynattrs.operations.reading.transact_get")
    migration = deferred("dynattrs.operations.writing.migration")
    outcomes = deferred("dynattrs.operations.writing.outcomes")


def nothing() -> None:
    return None


@attrs.frozen(eq=False, repr=False)
class Part:
    """One action of a transaction.

    Attributes:
        written: The action as Python, for messages: `save(Song {...})`.
        request: What TransactWriteItems takes: `{"Put": {...}}`.
        info: The model.
        key: The item's primary key.
        size: The bytes of it.
        settle: Called when the service has said yes.
    """

    written: str
    request: dict[str, Any]
    info: ModelInfo
    key: AttributeMap
    size: int = 0
    settle: Callable[[], None] = nothing


@attrs.define(eq=False, repr=False)
class Parts:
    """The actions of one transaction, in the caller's order."""

    core: Core
    _parts: list[Part] = attrs.field(factory=list, init=False)
    _by_item: dict[Hashable, Part] = attrs.field(factory=dict, init=False)
    _size: int = attrs.field(default=0, init=False)

    def __len__(self) -> int:
        return len(self._parts)

    def add(self, part: Part) -> None:
        """Take an action in.

        Raises:
            TransactionError: It is the 101st, makes the transaction larger than 4 MB, or acts on
                an item that another action acts on already.
        """
        table = self.core.table_name(part.info.table)
        which = identity(table, part.key)
        other = self._by_item.get(which)
        if other is not None:
            raise TransactionError(
                f"{part.written} and {other.written} act on the same item; DynamoDB takes one "
                f"action for each item of a transaction"
            )
        if len(self._parts) == limits.TRANSACTION_ACTIONS:
            raise TransactionError(
                f"{part.written} would be action {len(self._parts) + 1}; a transaction has at most "
                f"{limits.TRANSACTION_ACTIONS}, and is never split, which would not be atomic"
            )
        if self._size + part.size > limits.TRANSACTION_BYTES:
            raise TransactionError(
                f"{part.written} would make the transaction {self._size + part.size:,} bytes "
                f"large; at most {limits.TRANSACTION_BYTES:,} are possible"
            )
        self._by_item[which] = part
        self._parts.append(part)
        self._size += part.size

    def __iter__(self) -> Iterator[Part]:
        return iter(self._parts)

    def copy(self) -> Parts:
        """The same actions, to which others can be added."""
        made = Parts(self.core)
        for part in self._parts:
            made.add(part)
        return made

    @property
    def last(self) -> Part:
        """The action that was taken in last."""
        return self._parts[-1]

    def items(self) -> list[tuple[str, AttributeMap]]:
        """The table and key of each item that is acted on."""
        return [(self.core.table_name(part.info.table), part.key) for part in self._parts]

    def commit(self, token: str) -> Flow[None]:
        """Send the transaction. Conflicts with others, and failures that pass, are retried until the
        deadline: the token makes that safe, also where a reply was lost.

        Raises:
            TransactionFailed: It did not happen; it has a reason for each action at fault.
            OutcomeUnknown: A reply was lost, and no later one told what became of it.
        """
        if not self._parts:
            return
        environment = self.core.environment
        patience = min(self.core.deadline.total_seconds(), limits.TRANSACTION_TOKEN_SECONDS)
        until = environment.monotonic() + patience
        uncertain = False
        parameters = {
            "TransactItems": [part.request for part in self._parts],
            "ClientRequestToken": token,
        }
        attempt = 0
        while True:
            try:
                yield Call("transact_write_items", parameters)
            except TransactionCanceled as error:
                if len(error.reasons) != len(self._parts):
                    raise  # an engine that gives none: what it says instead is all there is
                if environment.monotonic() < until and (yield from self._renewed(error)):
                    continue
                reasons = [
                    self._reason(part, reason)
                    for part, reason in zip(self._parts, error.reasons, strict=True)
                ]
                at_fault = {reason.code for reason in reasons if reason is not None}
                if not at_fault <= transact_get.PASSING_REASONS or environment.monotonic() >= until:
                    raise TransactionFailed(reasons) from error
                why: BaseException | str = ", ".join(sorted(at_fault)) or error
            except outcomes.FAILURES as error:
                uncertain = uncertain or error.uncertain
                if getattr(error, "code", "") == "IdempotentParameterMismatchException":
                    raise TransactionError(
                        f"the token {token!r} was used within the last ten minutes for a transaction "
                        f"that does something else, and this one did not happen; versions and time "
                        f"stamps count too. Use another token"
                    ) from error
                passing = isinstance(error, PASSING) or is_conflict(error)
                if not passing or environment.monotonic() >= until:
                    if not uncertain:
                        raise
                    raise OutcomeUnknown("TransactWriteItems", "the transaction") from error
                why = error
            else:
                break
            attempt += 1
            tables = (table for table, _ in self.items())
            yield self.core.pause_before(
                attempt, "TransactWriteItems", tables, len(self._parts), why
            )
        for part in self._parts:
            part.settle()

    def _renewed(self, error: TransactionCanceled) -> Flow[bool]:
        """Bring items of older schemas up to date that conditions met; whether there were any."""
        found = False
        for part, reason in zip(self._parts, error.reasons, strict=True):
            item = reason.get("Item")
            if item and part.info.evolves and GUARD_ATTRIBUTE not in item:
                # What cannot be read is told as it is stored.
                with contextlib.suppress(MappingError):
                    found = (yield from migration.renew(self.core, part.info, item)) or found
        return found

    def _reason(self, part: Part, reason: dict[str, Any]) -> Reason | None:
        code = reason.get("Code") or "None"
        if code == "None":
            return None
        item: Any = reason.get("Item")
        if item:
            # What cannot be read as an object is given as it is stored.
            with contextlib.suppress(MappingError):
                item = part.info.mapper.load(item, part.info.cls)
                finish = self.core.after_load(part.info)
                item = item if finish is None else quietly(finish, item)
        return Reason(part.written, code, reason.get("Message") or "", item or None)
