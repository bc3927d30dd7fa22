"""Values that an update states for fields: what the converters and validators of these say of them.

A converter is called where the action is written; one that looks at the object is called here, where
the object is known. Validators see what is to be stored before anything is sent. Those that look at the
object get it as it will be, as far as that is known, and are skipped where only the key was given.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

from dynattrs.errors import MappingError
from dynattrs.expressions.computed import Arithmetic, IfNotExists, ListAppend
from dynattrs.expressions.conditions import Value
from dynattrs.expressions.paths import data_of
from dynattrs.expressions.updates import Action
from dynattrs.mapper.carried import assign
from dynattrs.mapper.named import name_object
from dynattrs.mapper.size import TooDeep, value_size
from dynattrs.operations.writing.encoding import check_size, unmeasured
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import AttributeMap, AttributeValue


def of_object(info: ModelInfo, action: Action, obj: object) -> Action:
    """An action after the converter of its field, if that looks at the object.

    Raises:
        ConditionError: It does, and there is none.
    """
    return action if action.again is None else action.of(_holder(info, obj, action.steps))


def check_stated(info: ModelInfo, actions: Sequence[Action], obj: object) -> None:
    """Let the validators see what actions store in fields.

    Raises:
        MappingError: One refuses a value.
    """
    checked = [
        (each, rules)
        for each in actions
        if each.stated and (rules := data_of(each.path).rules) is not None and rules.validates
    ]
    if not checked:
        return
    after = None if obj is None else _after(info, actions, obj)
    for action, rules in checked:
        holder = _holder(info, after, action.steps)
        for value in action.stated:
            rules.check(data_of(action.path).label, value, holder)


def check_values(info: ModelInfo, key: AttributeMap, actions: Sequence[Action]) -> None:
    """Say which action was refused for a value that no item can hold, or for a name of a map.

    Raises:
        MappingError: It is nested too deeply, or holds half of a character.
    """
    for action in actions:
        try:
            for step in action.steps:
                str(step).encode()
            for value in _values_of(action.value):
                value_size(value, len(action.steps))
        except (TooDeep, UnicodeEncodeError) as unfit:
            error = unmeasured(data_of(action.path).label, unfit)
            name_object(error, info, None, key)
            raise error from None


def least_size(info: ModelInfo, key: AttributeMap, actions: Sequence[Action]) -> int:
    """The bytes that an item has at least after an update: what else is stored is unknown.

    Raises:
        MappingError: A value has no place in an item. It names the item.
    """
    whole = {
        str(each.steps[0]): each.value.stored
        for each in actions
        if each.clause == "SET" and len(each.steps) == 1 and isinstance(each.value, Value)
    }
    try:
        return check_size(info, {**whole, **key})
    except MappingError as error:
        name_object(error, info, None, key)
        raise


def _values_of(value: object) -> Iterator[AttributeValue]:
    """The values that an action gives, also those that it computes with."""
    if isinstance(value, Value):
        yield value.stored
    elif isinstance(value, Arithmetic):
        yield from _values_of(value.left)
        yield from _values_of(value.right)
    elif isinstance(value, IfNotExists):
        yield from _values_of(value.default)
    elif isinstance(value, ListAppend):
        yield from _values_of(value.first)
        yield from _values_of(value.second)


def _after(info: ModelInfo, actions: Sequence[Action], obj: object) -> Any:
    """A copy of the object, with the values that actions state for its fields."""
    names = {stored: name for name, stored in info.names.items()}
    after = copy.copy(obj)
    for action in actions:
        name = names.get(str(action.steps[0]))
        if len(action.steps) == 1 and name is not None and action.stated and not action.computed:
            # Past converters and validators: those are asked here.
            assign(after, name, action.stated[-1])
    return after


def _holder(info: ModelInfo, obj: Any, steps: Sequence[str | int]) -> Any:
    """The object that has the field at a place, the model's own or one inside; None if there is none."""
    form: Any = info.mapper.model_codec(info.cls)
    for step in steps[:-1]:
        if obj is None:
            return None
        names = {stored: name for name, stored in (form.names or {}).items()}
        try:
            if step in names:
                obj, form = getattr(obj, names[step]), form.fields[names[step]]
            else:
                obj, form = obj[step], form.element or form
        except (AttributeError, LookupError, TypeError):
            return None
    return obj
