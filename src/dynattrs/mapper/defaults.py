"""Which values may be the defaults of fields.

A default is one object for all instances that do not state the field, also for those that are read.
So what can be changed in place is not a default: a factory makes a new one each time.
"""

from __future__ import annotations

import copy
from collections.abc import (
    Iterable,
    Mapping,
    MutableMapping,
    MutableSequence,
    MutableSet,
)
from collections.abc import (
    Set as AbstractSet,
)
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import attrs

from dynattrs.foreign_names import FROZEN_SETATTR
from dynattrs.mapper.codec import Codec, Refused, show

# `attrs.Factory` is a class that its stubs declare as a function.
_FACTORY: Final[Any] = attrs.Factory
_MUTABLE: Final = (MutableSequence, MutableSet, MutableMapping)
# Without a hash, and without a way to change them.
_VIEWS: Final = (Mapping, AbstractSet)


def refuse_shared(default: object) -> None:
    """Refuse a default that would be one changeable object of many instances.

    Raises:
        Refused: It says what to write.
    """
    if default is attrs.NOTHING or isinstance(default, _FACTORY):
        return
    found = _changeable(default)
    if found is None:
        return
    whose = "" if found is default else f", which holds {show(found)}"
    raise Refused(
        "a default that cannot be changed in place",
        f"{show(default)}{whose}",
        f"all objects without a value would share it; write field(factory={_factory(default)})",
    )


def refuse_uncalled(default: object, codec: Codec, *, converted: bool) -> None:
    """Refuse a function or a class as a default where its result was meant: `tags: list[str] = list`.
    Where the class has *converted* it, the converter may call it.

    Raises:
        Refused: It says what to write.
    """
    if converted or not callable(default) or isinstance(default, _FACTORY):
        return
    try:
        codec.dump(default)
    except Exception:
        name = getattr(default, "__qualname__", "")
        made = name if name.replace(".", "").isidentifier() else "..."
        instead = f"write field(factory={made})"
        if getattr(default, "__self__", None) is datetime:
            instead = (
                "write field(factory=lambda: datetime.now(timezone.utc)), or field(created=True) for the "
                "time of the first save"
            )
        raise Refused(
            f"{codec.expected} as the default",
            show(default),
            f"the class or function itself would be the value; {instead}",
        ) from None


def own_default(default: object) -> Any:
    """The default of a class whose constructor copies it, as a factory where it is changeable."""
    if type(default).__hash__ is not None:
        return default
    return attrs.Factory(partial(copy.deepcopy, default))


def refuse_full(default: Any) -> None:
    """Refuse a default of a set that is never None, unless it is empty.

    Raises:
        Refused: It says what to write.
    """
    if isinstance(default, _FACTORY):
        if default.takes_self:
            return
        default = default.factory()
    if default is not attrs.NOTHING and default is not None and default:
        raise Refused(
            "no default, or an empty one, for a set",
            show(default),
            "an empty set is not stored and reads back as empty; "
            "declare the field as `set[...] | None`, or fill it where the object is made",
        )


def is_frozen(cls: type[object]) -> bool:
    """Whether the instances of a class with fields refuse assignments."""
    parameters = getattr(cls, "__dataclass_params__", None)
    parameters = parameters or getattr(cls, "__struct_config__", None)
    if parameters is not None:
        return bool(parameters.frozen)
    if hasattr(cls, "model_fields") and hasattr(cls, "model_config"):
        config: Any = cls.model_config  # pyright: ignore[reportAttributeAccessIssue]
        return bool(config.get("frozen"))
    if attrs.has(cls) and hasattr(attrs, "inspect"):
        return bool(attrs.inspect(cls).is_frozen)
    return getattr(cls.__setattr__, "__name__", "") == FROZEN_SETATTR


def _changeable(value: object) -> Any | None:
    """What of a value can be changed in place: itself, or something inside; None if nothing can."""
    if isinstance(value, type):
        return None
    if isinstance(value, MappingProxyType):
        return _first_changeable(value.values())
    if isinstance(value, _MUTABLE):
        return value
    if isinstance(value, memoryview):
        return None if value.readonly else value
    if isinstance(value, (tuple, frozenset)):
        return _first_changeable(value)
    frozen, inside = _fields(value)
    if frozen is not None:
        return _first_changeable(inside) if frozen else value
    # Nothing is known of it, but that its own class takes it for something that changes.
    unhashable = type(value).__hash__ is None and not isinstance(value, _VIEWS)
    return value if unhashable else None


def _first_changeable(values: Iterable[object]) -> Any | None:
    return next((found for each in values if (found := _changeable(each)) is not None), None)


def _fields(value: object) -> tuple[bool | None, list[Any]]:
    """Whether an object with fields is frozen, and their values; None where it has no fields."""
    cls: Any = type(value)
    if attrs.has(cls) or hasattr(cls, "__dataclass_fields__"):
        fields = getattr(cls, "__dataclass_fields__", None)
        names = [each.name for each in attrs.fields(cls)] if fields is None else list(fields)
    elif hasattr(cls, "__struct_fields__"):
        names = list(cls.__struct_fields__)
    elif hasattr(cls, "model_fields") and hasattr(cls, "model_config"):
        names = list(cls.model_fields)
    else:
        return None, []
    return is_frozen(cls), [getattr(value, name) for name in names if hasattr(value, name)]


def _factory(default: object) -> str:
    """What makes such a default, as Python."""
    cls = type(default)
    try:
        empty = isinstance(default, _MUTABLE) and cls() == default
    except Exception:  # its class takes arguments
        empty = False
    return cls.__name__ if empty else f"lambda: {show(default).partition(' ')[2]}"
