"""What a class says of the values of one of its fields: the converter and the validator.

attrs calls them where an object is made and where a field is assigned. The same values are stated
without an object, too: as a key, in a condition, in an update. They are called here then, so that what
is stated is what an object of the class would have.

Either may look at the object. Where there is none, that is noticed, and what it said does not count.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator
from typing import Any, Final

import attrs

from dynattrs.errors import MappingError
from dynattrs.foreign_names import AND_PARTS
from dynattrs.late_classes import frozen
from dynattrs.quoting import quoted, shortened

_AND: Final[Any] = type(attrs.validators.and_())
_OPTIONAL: Final[Any] = type(attrs.validators.optional(_AND))
_MISSING: Final = object()
_BOUND: Final = (types.FunctionType, classmethod, staticmethod, property)


class ReadsObject(BaseException):
    """A converter or a validator looks at the object, and there is none.

    No `Exception`: validators such as `attrs.validators.or_` would take it for a refusal.
    """


class _NoObject:
    """Stands for the object where there is none: what belongs to its class it has, and no field."""

    def __init__(self, cls: type[object]) -> None:
        object.__setattr__(self, "cls", cls)
        object.__setattr__(self, "was_read", False)

    def __getattribute__(self, name: str) -> Any:
        cls: type[object] = object.__getattribute__(self, "cls")
        if name == "__class__":
            return cls
        found = next((vars(each)[name] for each in cls.__mro__ if name in vars(each)), _MISSING)
        if isinstance(found, _BOUND):
            return found.__get__(self, cls)
        if found is _MISSING or hasattr(type(found), "__get__"):
            raise _read(self)
        return found

    def __setattr__(self, name: str, value: object) -> None:
        raise _read(self)

    def __repr__(self) -> str:
        raise _read(self)


def _was_read(absent: _NoObject) -> bool:
    return bool(object.__getattribute__(absent, "was_read"))


def _read(absent: _NoObject) -> ReadsObject:
    object.__setattr__(absent, "was_read", True)
    return ReadsObject()


@frozen(eq=False, repr=False)
class FieldRules:
    """The converter and the validator of one field.

    Attributes:
        cls: The class.
        field: The field, as attrs knows it.
        own: Its converter as it was declared: that of a time to live does not round. A sequence of
            several runs from the left.
        secret: Whether no message shows its values, because they are encrypted where they are stored.
    """

    cls: type[object]
    field: Any
    own: Any = None
    secret: bool = False

    @property
    def takes_self(self) -> bool:
        """Whether its converter is called with the object."""
        return getattr(self.field.converter, "takes_self", False) is True

    @property
    def validates(self) -> bool:
        return self.field.validator is not None

    def compared(self, value: object) -> Any:
        """A value that is compared, or a part of a key, after the converter.

        Raises:
            ReadsObject: The converter looks at the object.
        """
        several = self.own if isinstance(self.own, Iterable) else (self.own,)
        for converter in several:
            value = self._converted(converter, value, None)
        return value

    def stored(self, value: object, obj: object = None) -> Any:
        """A value that is stored, after the converter.

        Raises:
            ReadsObject: The converter looks at the object, and there is none.
        """
        return self._converted(self.field.converter, value, obj)

    def _converted(self, converter: Any, value: Any, obj: Any) -> Any:
        if converter is None:
            return value
        if not isinstance(converter, attrs.Converter):
            return converter(value)
        absent = _NoObject(self.cls)
        call: Any = converter
        made = call(value, absent if obj is None else obj, self.field)
        if _was_read(absent):
            raise ReadsObject
        return made

    def check(self, label: str, value: object, obj: object = None) -> None:
        """Let the validator see a value that is to be stored. One that looks at the object is skipped
        where there is none.

        Raises:
            MappingError: It refuses the value; *label* names the place.
        """
        if self.field.validator is None or attrs.validators.get_disabled():
            return
        for validator in _one_by_one(self.field.validator, value):
            absent = _NoObject(self.cls)
            try:
                validator(absent if obj is None else obj, self.field, value)
            except ReadsObject:
                continue
            except Exception as error:
                if not _was_read(absent):
                    if self.secret:
                        raise MappingError(
                            label, "a value that its validator accepts", type(value).__name__,
                            hint="its value is not shown: it is encrypted",
                        ) from None  # fmt: skip
                    raise MappingError(
                        label, "a value that its validator accepts", shown(value),
                        hint=f"it raised {raised(error)}",
                    ) from error  # fmt: skip


def refused_in_key(rules: FieldRules | None) -> str | None:
    """Why a field cannot be part of the primary key; None if it can."""
    if rules is None or not rules.takes_self:
        return None
    return (
        "its converter takes the object (takes_self=True), and keys are stated without one: get(...) "
        "would not find what was saved; write a converter that takes the value alone"
    )


def _one_by_one(validator: Any, value: object) -> Iterator[Any]:
    """The validators that a validator is made of, so that each can be skipped by itself."""
    if isinstance(validator, _OPTIONAL):
        if value is not None:
            yield from _one_by_one(validator.validator, value)
    elif isinstance(validator, _AND):
        parts = getattr(validator, AND_PARTS, None)
        if parts is None:
            yield validator
        for each in parts or ():
            yield from _one_by_one(each, value)
    else:
        yield validator


def shown(value: object) -> str:
    """A value for a message: its type and the beginning of it."""
    return f"{type(value).__name__} {quoted(value)}"


def raised(error: Exception) -> str:
    """What a converter or a validator has raised, for a message."""
    return f"{type(error).__name__}: {shortened(str(error))}"
