"""Values that no key can have, where a query states them.

No item that matches can exist, so that an empty answer would be true; but `get` of the same value is
refused, and what an application asks for by a wrong value it should hear of from both. Only equalities
and `in_` name a value: for a comparison any text has its place in the order.
"""

from __future__ import annotations

from collections.abc import Sequence

from dynattrs.errors import ImpossibleKey
from dynattrs.expressions.conditions import Condition, In, PathOperand, Value
from dynattrs.keys.bounds import Bound, impossible_size
from dynattrs.keys.discriminator import template_of
from dynattrs.keys.ranges import stored_in
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.slot_styles import Unfit
from dynattrs.schema.table import AttributeValue
from dynattrs.schema.templates import Slot


def check_equalities(info: ModelInfo, attribute: str, bound: Bound) -> None:
    """Refuse a query that states a key attribute's value where no item can have it.

    Raises:
        ImpossibleKey: It names the field and what it may hold.
    """
    if isinstance(bound.never, ImpossibleKey):
        raise bound.never
    for each in bound.equal:
        error = impossible_size(info, attribute, stored_in(each.right))
        if error is not None:
            raise error


def check_choices(
    infos: Sequence[ModelInfo], attributes: Sequence[str], parts: Sequence[Condition]
) -> None:
    """Refuse a query for one of several values if no key of the models can have one of them.

    Raises:
        ImpossibleKey: It names the field and what it may hold.
    """
    for part in parts:
        if not isinstance(part, In) or not isinstance(part.operand, PathOperand):
            continue
        for value in part.values:
            if not isinstance(value, Value) or "NULL" in value.stored:
                continue
            errors = [_refused(info, attributes, part.operand, value.stored) for info in infos]
            for error in errors[:1] if all(errors) else ():
                assert error is not None
                raise error


def _refused(
    info: ModelInfo, attributes: Sequence[str], operand: PathOperand, value: AttributeValue
) -> ImpossibleKey | None:
    """Why no key of a model has this value in the operand's place."""
    for attribute in attributes:
        template = template_of(info, attribute)
        if info.keys is None or template is None or template.tag != "S":
            continue
        for place, slot in enumerate(template.parts):
            if isinstance(slot, Slot) and slot.steps == operand.steps:
                try:
                    template.text(place, value)
                except Unfit as unfit:
                    return info.keys.impossible(template, unfit)
    return None
