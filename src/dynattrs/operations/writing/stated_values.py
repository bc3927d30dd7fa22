"""Values that an update states for fields: what the converters and validators of these say of them.

A converter is called where the action is written; one that looks at the object is called here, where
the object is known. Validators see what is to be stored before anything is sent. Those that look at the
object get it as it will be, as far as that is known, and are skipped where only the key was given.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from dynattrs.expressions.paths import data_of
from dynattrs.expressions.updates import Action
from dynattrs.mapper.carried import assign
from dynattrs.schema.model_info import ModelInfo


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
