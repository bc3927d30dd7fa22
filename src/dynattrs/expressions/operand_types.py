"""What checkers know of the operands of `between`, `set_` and their kin. No program imports this.

To a checker `Song.plays` is an `int`, and one type variable for the field and its value
(`def set_(target: T, value: T)`) would become what `int` and `str` have in common: it finds nothing.
So the field alone decides what its type is, by being `FieldOf[T]`, and the value has to be a `T`.

That no overload takes `(T, T)` is on purpose. docs/conditions.md says what this cannot find.
"""

# mypy: disable-error-code="override"

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, ClassVar, Protocol, SupportsIndex, TypeAlias, TypeVar
from uuid import UUID

T = TypeVar("T")


class FieldOf(Protocol[T]):
    """A field of type *T*, and of no wider or narrower one.

    Every object has a `__class__`, which can be read and assigned. What can be both is invariant.
    """

    @property
    def __class__(self) -> type[T]: ...
    @__class__.setter
    def __class__(self, value: type[T], /) -> None: ...


# What goes with such a field. A second place for *T* keeps mypy from asking the value what *T* is, so
# that it says "expected int", and reads `[1]` as a list of what the field is a list of.
ValueOf: TypeAlias = T | FieldOf[T]
SequenceOf: TypeAlias = Sequence[T] | Sequence[FieldOf[T]]


class _Dataclass(Protocol):
    """What checkers see in a dataclass, and in a model, which `dataclass_transform` makes one."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


class _AttrsClass(Protocol):
    """What mypy's attrs plugin sees in an attrs class. `attrs.AttrsInstance` will not do: to other
    checkers it is empty, and so is everything's.
    """

    __attrs_attrs__: ClassVar[Any]


class _Struct(Protocol):
    """A class of msgspec."""

    __struct_fields__: ClassVar[tuple[str, ...]]


class _Pydantic(Protocol):
    """A class of pydantic."""

    __pydantic_fields_set__: set[str]


class _Address(Protocol):
    """An address, an interface or a network of `ipaddress`."""

    @property
    def exploded(self) -> str: ...


class _TypedDict(Protocol):
    __required_keys__: ClassVar[frozenset[str]]
    __optional_keys__: ClassVar[frozenset[str]]


D = TypeVar("D", bound=_TypedDict)

#: An instance of a model.
Instance: TypeAlias = _Dataclass | _AttrsClass
Nested: TypeAlias = _Dataclass | _AttrsClass | _Struct | _Pydantic | _TypedDict
#: Of a field whose type is a union of classes, the type is not exactly one class. This accepts them.
N = TypeVar("N", bound=Nested)

#: What is added to.
Num = TypeVar("Num", bound=float | Decimal | timedelta)
#: What is stored as text.
Textual: TypeAlias = str | date | time | UUID | Enum | PurePath | _Address
Sized_: TypeAlias = Sized | Textual | Nested
KeyValue: TypeAlias = Textual | bytes | float | SupportsIndex | Decimal | timedelta
#: A key: the value of the partition key, a tuple `(partition, sort)`, or a dict of fields. A value of a
#: type of your own stands in a dict.
Key: TypeAlias = KeyValue | tuple[KeyValue, ...] | Mapping[str, object]
