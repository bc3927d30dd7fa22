"""What actions make of an item that is known, as the service does it.

All operands are read from the item as it was before. Positions in lists are those before, too; what is
set beyond the end is appended, in the order of the positions.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Context, Decimal
from typing import Any, Final, cast

from dynattrs.expressions.computed import Arithmetic, IfNotExists, ListAppend
from dynattrs.expressions.conditions import PathOperand, Value
from dynattrs.expressions.paths import data_of, stored_at
from dynattrs.expressions.updates import Action
from dynattrs.mapper.codec import show_stored
from dynattrs.mapper.numbers import fits
from dynattrs.operations.writing.spellings import MEMBERS, joined_set
from dynattrs.schema.table import AttributeMap, AttributeValue

_EXACT: Final = Context(prec=1000)
_GONE: Final[Any] = object()

_KINDS: Final = {
    "N": "a number", "L": "a list", "SS": "a set of text", "NS": "a set of numbers",
    "BS": "a set of bytes",
}  # fmt: skip


class NotComputed(Exception):
    """An action cannot be done to an item.

    Attributes:
        action: The action.
        why: What is missing, or of another type.
    """

    def __init__(self, action: Action, why: str) -> None:
        super().__init__(action, why)
        self.action = action
        self.why = why


def applied(actions: Sequence[Action], item: AttributeMap) -> AttributeMap:
    """The item after the actions, which is another one; *item* stays as it is.

    Raises:
        NotComputed: The service would refuse one.
    """
    values = [_Change(each, item).value() for each in actions]
    new: dict[str, Any] = _copy({"M": item})["M"]
    beyond: list[tuple[int, list[Any], Any]] = []
    for action, value in zip(actions, values, strict=True):
        *outer, last = action.steps
        holder: Any = stored_at(new, outer)
        container = (holder or {}).get("L" if isinstance(last, int) else "M")
        if container is None:
            raise NotComputed(
                action, f"the list or map that holds {data_of(action.path).label} does not exist"
            )
        if not isinstance(last, int) or last < len(container):
            container[last] = value
        elif value is not _GONE:
            beyond.append((last, container, value))
    for _, container, value in sorted(beyond, key=lambda each: each[0]):
        container.append(value)
    return cast("AttributeMap", _without_gaps({"M": new})["M"])


class _Change:
    """One action on an item."""

    def __init__(self, action: Action, item: AttributeMap) -> None:
        self._action = action
        self._item = item

    def _refused(self, why: str) -> NotComputed:
        return NotComputed(self._action, why)

    def _unfit(self, operand: object, value: AttributeValue, tag: str) -> NotComputed:
        where = operand.path if isinstance(operand, IfNotExists) else operand
        return self._refused(f"{where} is {show_stored(value)}, not {_KINDS[tag]}")

    def value(self) -> Any:
        """What is stored at the action's place afterwards; `_GONE` for nothing."""
        action = self._action
        if action.value is None:
            return _GONE
        if action.clause == "SET":
            return self._operand(action.value)
        there = stored_at(self._item, action.steps)
        value = cast("Value", action.value).stored
        ((tag, payload),) = value.items()
        if there is None:
            return value if action.clause == "ADD" else _GONE
        if tag in MEMBERS and not there.keys().isdisjoint(("L", "NULL")):
            return joined_set(action.clause == "ADD", there, value, None)
        if tag not in there:
            raise self._unfit(data_of(action.path).label, there, tag)
        if tag == "N":
            return self._sum(Decimal(there["N"]), Decimal(payload))
        same = MEMBERS[tag]
        members = {same(each): each for each in there[tag]}
        if action.clause == "ADD":
            members.update({same(each): each for each in payload})
        else:
            for each in payload:
                members.pop(same(each), None)
        return {tag: list(members.values())} if members else _GONE

    def _operand(self, operand: object) -> AttributeValue:
        if isinstance(operand, Value):
            return operand.stored
        if isinstance(operand, PathOperand):
            found = stored_at(self._item, operand.steps)
            if found is None:
                raise self._refused(f"{operand} does not exist")
            return found
        if isinstance(operand, IfNotExists):
            # The default is computed in any case, as the service does it.
            default = self._operand(operand.default)
            found = stored_at(self._item, data_of(operand.path).steps)
            return default if found is None else found
        if isinstance(operand, Arithmetic):
            left, right = self._number(operand.left), self._number(operand.right)
            return self._sum(left, right if operand.operator == "+" else right.copy_negate())
        assert isinstance(operand, ListAppend)
        first, second = self._list(operand.first), self._list(operand.second)
        return {"L": [*first, *second]}

    def _number(self, operand: object) -> Decimal:
        value = self._operand(operand)
        if "N" not in value:
            raise self._unfit(operand, value, "N")
        return Decimal(value["N"])

    def _list(self, operand: object) -> list[Any]:
        value = self._operand(operand)
        if "L" not in value:
            raise self._unfit(operand, value, "L")
        return cast("list[Any]", value["L"])

    def _sum(self, left: Decimal, right: Decimal) -> AttributeValue:
        total = _EXACT.add(left, right)
        if not fits(total):
            raise self._refused("the sum is not a number that DynamoDB can hold")
        return {"N": str(total.normalize(_EXACT)) if total else "0"}


def _copy(value: Any) -> Any:
    """A copy whose lists and maps are its own."""
    ((tag, payload),) = value.items()
    if tag == "L":
        return {tag: [_copy(each) for each in payload]}
    if tag == "M":
        return {tag: {name: _copy(each) for name, each in payload.items()}}
    return value


def _without_gaps(value: Any) -> Any:
    """A value without what was removed, and without what it shares with another one."""
    ((tag, payload),) = value.items()
    if tag == "L":
        return {tag: [_without_gaps(each) for each in payload if each is not _GONE]}
    if tag == "M":
        return {
            tag: {name: _without_gaps(each) for name, each in payload.items() if each is not _GONE}
        }
    return value
