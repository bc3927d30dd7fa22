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
from dynattrs.errors import ConditionFailed, InvalidRequest, MappingError, NoSuchItem
from dynattrs.expressions.conditions import Condition
from dynattrs.keys.kinds import is_other, kinds_of, subclass_of
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Flow
from dynattrs.operations.item_keys import identity
from dynattrs.operations.refusals import (
    PASSING_REASONS,
    Outdated,
    TransactionCanceled,
    found_object,
    quietly,
)
from dynattrs.operations.transaction_errors import Reason, TransactionError, TransactionFailed
from dynattrs.operations.writing.transaction_sending import sent
from dynattrs.schema.model_info import GUARD_ATTRIBUTE, ModelInfo
from dynattrs.schema.table import AttributeMap

if TYPE_CHECKING:
    from dynattrs.operations.writing import index_keys, prepared, spellings, updates
else:
    index_keys = deferred("dynattrs.operations.writing.index_keys")
    prepared = deferred("dynattrs.operations.writing.prepared")
    spellings = deferred("dynattrs.operations.writing.spellings")
    updates = deferred("dynattrs.operations.writing.updates")


def nothing() -> None:
    return None


@attrs.frozen(eq=False, repr=False)
class TransactionAction:
    """One action of a transaction.

    Attributes:
        written: The action as Python, for messages: `save(Song {...})`.
        request: What TransactWriteItems takes: `{"Put": {...}}`.
        info: The model.
        key: The item's primary key.
        size: The bytes of it at most.
        settle: Called when the service has said yes.
        again: Makes the request in another form that is right for the item that its condition was false
            of, or for None where there is none; gives None where no form is.
        asked: What an update asks of the item, where that may lack index keys; else None.
        said: What the caller asks of the item; None if nothing.
        measure: Finds out its bytes; None where *size* is exact.
        unfit: Says, by an error, where it was refused for what is stored; None where it cannot be.
    """

    written: str
    request: dict[str, Any]
    info: ModelInfo
    key: AttributeMap
    size: int = 0
    settle: Callable[[], None] = nothing
    again: Callable[[AttributeMap | None], dict[str, Any] | None] | None = None
    asked: Condition | None = None
    said: Condition | None = None
    measure: Callable[[], int] | None = None
    unfit: Callable[[Exception], Flow[None]] | None = None

    @property
    def bytes(self) -> int:
        """The bytes of it."""
        return self.size if self.measure is None else self.measure()


@attrs.define(eq=False, repr=False)
class TransactionActions:
    """The actions of one transaction, in the caller's order."""

    core: Core
    #: Brings an item of an older schema up to date, and says whether that was needed. None where who
    #: sends them sees to that.
    renew: Callable[[Core, ModelInfo, AttributeMap], Flow[bool]] | None = None
    _actions: list[TransactionAction] = attrs.field(factory=list, init=False)
    _by_item: dict[Hashable, TransactionAction] = attrs.field(factory=dict, init=False)
    _size: int = attrs.field(default=0, init=False)
    #: How many of them the caller stated, where others stand for guards.
    _stated: int | None = attrs.field(default=None, init=False)

    def __len__(self) -> int:
        return len(self._actions)

    def add(self, action: TransactionAction) -> None:
        """Take an action in.

        Raises:
            TransactionError: It is the 101st, makes the transaction larger than 4 MB, or acts on
                an item that another action acts on already.
        """
        table = self.core.table_name(action.info.table)
        which = identity(table, action.key)
        other = self._by_item.get(which)
        if other is not None:
            raise TransactionError(
                f"{action.written} and {other.written} act on the same item; DynamoDB takes one "
                f"action for each item of a transaction"
            )
        if len(self._actions) == limits.TRANSACTION_ACTIONS:
            raise TransactionError(
                f"{action.written} would be action {len(self._actions) + 1}; a transaction has at most "
                f"{limits.TRANSACTION_ACTIONS}, and is never split, which would not be atomic"
            )
        if self._size + action.size > limits.TRANSACTION_BYTES:
            size = sum(each.bytes for each in (*self._actions, action))
            if size > limits.TRANSACTION_BYTES:
                raise TransactionError(
                    f"{action.written} would make the transaction {size:,} bytes large; at most "
                    f"{limits.TRANSACTION_BYTES:,} are possible"
                )
        self._by_item[which] = action
        self._actions.append(action)
        self._size += action.size

    def keep(self, count: int) -> None:
        """Take back all actions but the first *count*."""
        for action in self._actions[count:]:
            del self._by_item[identity(self.core.table_name(action.info.table), action.key)]
            self._size -= action.size
        del self._actions[count:]

    def __iter__(self) -> Iterator[TransactionAction]:
        return iter(self._actions)

    def acts_on(self, other: TransactionAction) -> bool:
        """Whether there is an action on the same item."""
        return identity(self.core.table_name(other.info.table), other.key) in self._by_item

    def copy(self) -> TransactionActions:
        """The same actions, to which those of guards can be added."""
        made = TransactionActions(self.core, self.renew)
        for action in self._actions:
            made.add(action)
        made._stated = len(self)
        return made

    def items(self) -> list[tuple[str, AttributeMap]]:
        """The table and key of each item that is acted on."""
        return [(self.core.table_name(action.info.table), action.key) for action in self._actions]

    def commit(self, token: str) -> Flow[None]:
        """Send the transaction. Conflicts with others, and failures that pass, are retried until the
        deadline: the token makes that safe, also where a reply was lost.

        Raises:
            TransactionFailed: It did not happen; it has a reason for each action at fault.
            OutcomeUnknown: A reply was lost, and no later one told what became of it.
        """
        if not self._actions:
            return
        parameters = {
            "TransactItems": [action.request for action in self._actions],
            "ClientRequestToken": token,
        }

        def canceled(error: TransactionCanceled, in_time: bool) -> Flow[BaseException | str | None]:
            if len(error.reasons) != len(self._actions):
                raise error  # an engine that gives none: what it says instead is all there is
            if in_time:
                if (yield from self._renewed(error)):
                    return None
                if (yield from self._otherwise(error)):  # and so it is another transaction
                    parameters["ClientRequestToken"] = self.core.environment.token()
                    return None
            reasons = [
                self._reason(action, reason)
                for action, reason in zip(self._actions, error.reasons, strict=True)
            ]
            at_fault = {reason.code for reason in reasons if reason is not None}
            if at_fault == {"ValidationError"}:
                yield from self._check_unfit(error)
            if not at_fault <= PASSING_REASONS or not in_time:
                raise TransactionFailed(reasons) from error
            return ", ".join(sorted(at_fault)) or error

        tables = [table for table, _ in self.items()]
        count = len(self._actions)
        try:
            yield from sent(self.core, "transact_write_items", parameters, tables, count, canceled)
        except (InvalidRequest, MappingError) as error:
            yield from self._check_unfit(error)
            raise
        for action in self._actions:
            action.settle()

    def _check_unfit(self, error: Exception) -> Flow[None]:
        """Say which action was refused, where the error names none.

        Raises:
            MappingError: One gives a value that no item can hold.
            ConditionError: One cannot be computed of what is stored.
        """
        for action in self._actions:
            if action.unfit is not None:
                yield from action.unfit(error)

    def _otherwise(self, error: TransactionCanceled) -> Flow[bool]:
        """Write actions in another form that were not right for what is stored; whether there were any.

        Raises:
            ConditionError: What is stored goes with no such action, and all conditions are true.
        """
        found = False
        false: list[TransactionAction] = []
        unfit: list[prepared.Unfit] = []
        for action, reason in zip(self._actions, error.reasons, strict=True):
            if reason.get("Code") != "ConditionalCheckFailed":
                continue
            item = reason.get("Item") or None
            request = None
            if action.again is not None and not (item and is_other(action.info, item)):
                try:
                    request = action.again(item)
                except prepared.Unfit as refused:
                    unfit.append(refused)
                    continue
            if request is None:
                false.append(action)
                continue
            action.request.clear()
            action.request.update(request)
            found = True
        # Those that are in another form now may be false all the same: the next answer says so.
        if unfit and not found and not any(each in false for each in self._actions[: self._stated]):
            with contextlib.suppress(ConditionFailed, NoSuchItem, Outdated):
                for each in unfit:
                    yield from updates.check_asked(self.core, each.prepared, each.item)
                raise unfit[0].error
        return found

    def _renewed(self, error: TransactionCanceled) -> Flow[bool]:
        """Bring items of older schemas up to date that conditions met; whether there were any."""
        found = False
        if self.renew is None:
            return found
        for action, reason in zip(self._actions, error.reasons, strict=True):
            item = reason.get("Item")
            if not item or is_other(action.info, item):
                continue
            info = subclass_of(action.info, item) or action.info
            if not info.has_schema and not index_keys.lacks(info, action.asked, item):
                continue
            if GUARD_ATTRIBUTE not in item:
                # What cannot be read is told as it is stored.
                with contextlib.suppress(MappingError):
                    found = (yield from self.renew(self.core, info, item)) or found
        return found

    def _reason(self, action: TransactionAction, reason: dict[str, Any]) -> Reason | None:
        code = reason.get("Code") or "None"
        if code == "None":
            return None
        item: Any = reason.get("Item")
        message = reason.get("Message") or ""
        kinds = kinds_of(action.info)
        kind = None if kinds is None or not item else kinds.other(item)
        if kind is not None:
            # As if there were no item, unless it is in the way of a new one.
            shown = found_object(action.info, item) if "Put" in action.request else None
            return Reason(action.written, code, message, shown, kind)
        hint = ""
        if item and action.said is not None and code == "ConditionalCheckFailed":
            hint = spellings.not_looked_for(action.info, action.said, item)
        if item:
            # What cannot be read as an object is given as it is stored.
            with contextlib.suppress(MappingError):
                item = action.info.mapper.load(item, action.info.cls)
                finish = self.core.after_load(action.info)
                item = item if finish is None else quietly(finish, item)
        return Reason(action.written, code, message, item or None, hint=hint)
