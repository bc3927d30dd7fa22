"""Which item a verb is about: an object's own, or that of a model class and a key."""

from __future__ import annotations

from typing import Any, get_origin

from dynattrs.errors import ModelError
from dynattrs.expressions.conditions import Condition
from dynattrs.operations.item_keys import key_of, own_key
from dynattrs.operations.requests import version_is
from dynattrs.schema.model_info import ModelInfo, model_info
from dynattrs.schema.table import AttributeMap


class _NoKey:
    def __repr__(self) -> str:
        return "..."


#: Stands for "the key is the object's own".
NO_KEY: Any = _NoKey()


def is_class_of(subject: Any) -> bool:
    """Whether a subject is a model class, with arguments if it is generic, and not an object."""
    return isinstance(subject, type) or isinstance(get_origin(subject), type)


def target(subject: Any, key: Any) -> tuple[ModelInfo, AttributeMap, Condition | None]:
    """Which item is meant: an object's own, or that of a class and a key."""
    if is_class_of(subject):
        info = model_info(subject)
        if key is NO_KEY:
            raise ModelError(info.name, "a model class needs a key here: (Model, key)")
        return info, key_of(info, key), None
    info = model_info(type(subject))
    if key is not NO_KEY:
        raise ModelError(info.name, "an object has its key already; pass the object alone")
    return info, own_key(info, subject), version_is(info, subject)
