"""Annotations: the marks that dynattrs adds, and what it knows of types without looking inside."""

from __future__ import annotations

import collections
import collections.abc as abc
import enum
import sys
import types
import typing
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol, TypeVar, get_args, get_origin

import attrs

from dynattrs import limits
from dynattrs.errors import ModelError
from dynattrs.mapper import scalars
from dynattrs.mapper.hints import is_class, unaliased

if TYPE_CHECKING:
    from dynattrs.mapper.codec import Codec


class _Marker:
    """A mark inside `Annotated[...]`."""

    def __init__(self, name: str, doc: str) -> None:
        self._name = name
        self.__doc__ = doc

    def __repr__(self) -> str:
        return self._name


Epoch: Final = _Marker(
    "Epoch",
    "`Annotated[datetime, Epoch]` is stored as N: seconds since 1970, exact to the microsecond.",
)
Json: Final = _Marker("Json", "`Annotated[T, Json]` is stored as S: the plain JSON of T.")


class CompressedMark(_Marker):
    """`Annotated[T, Compressed]` is stored as B: gzip of bytes, of UTF-8 text, or of the JSON of T.

    A few bytes can stand for very many, so reading stops at a limit, with a `MappingError`:
    `Compressed(max_bytes=...)`, or 16 MiB, forty times what an item holds.
    """

    def __init__(self, max_bytes: int = limits.UNPACKED_BYTES) -> None:
        super().__init__("Compressed", type(self).__doc__ or "")
        if type(max_bytes) is not int or max_bytes < 1:
            raise ModelError(
                "Compressed", f"max_bytes: expected an int of 1 or more, found {max_bytes!r}"
            )
        self.max_bytes = max_bytes

    def __call__(self, *, max_bytes: int) -> CompressedMark:
        """The mark with a limit of its own."""
        return CompressedMark(max_bytes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CompressedMark) and other.max_bytes == self.max_bytes

    def __hash__(self) -> int:
        return hash((CompressedMark, self.max_bytes))


Compressed: Final = CompressedMark()


class FormMark(_Marker):
    """A mark that says itself how the values of a type are stored, as another library stores them."""

    def codec(self, codecs: CodecsOf, type_: object, inner: Any) -> Codec:
        """The codec of an annotated type, whose type inside is *inner*.

        Raises:
            Refused: The mark is not meant for the type.
        """
        raise NotImplementedError


class CodecsOf(Protocol):
    """What gives the codec of a type, outside of JSON and inside."""

    @property
    def forms(self) -> OtherForms | None: ...
    def codec(self, type_: object) -> Codec: ...
    @property
    def in_json(self) -> CodecsOf: ...
    @property
    def usual(self) -> CodecsOf: ...
    def formed(self, forms: Any) -> CodecsOf: ...


class OtherForms(Protocol):
    """The stored forms of a model that is declared with `forms=` (see `stored_forms`)."""

    @property
    def json(self) -> FormMark: ...


LISTS: Final[dict[Any, Callable[[Any], Any]]] = {
    list: list,
    abc.Sequence: list,
    abc.MutableSequence: list,
    abc.Collection: list,
    abc.Iterable: list,
    collections.deque: collections.deque,
}
SETS: Final[dict[Any, Callable[[Any], Any]]] = {
    set: set,
    frozenset: frozenset,
    abc.Set: frozenset,
    abc.MutableSet: set,
}
DICTS: Final[dict[Any, Callable[[Any], Any]]] = {
    dict: dict,
    abc.Mapping: dict,
    abc.MutableMapping: dict,
    collections.OrderedDict: collections.OrderedDict,
}
SUBCLASSABLE: Final = (str, int, float, bytes, Decimal)
UNIONS: Final = (typing.Union, types.UnionType)
WRAPPERS: Final = frozenset({"Final", "Required", "NotRequired", "ReadOnly", "ClassVar"})

DECORATED: Final = {"__attrs_attrs__", "__dataclass_fields__"}
DATETIME: Final = scalars.EPOCH.type


def arms(type_: object) -> tuple[Any, ...]:
    """The alternatives of a union, through `Annotated`; of anything else itself."""
    if get_origin(type_) is Annotated:
        type_ = get_args(type_)[0]
    return get_args(type_) if get_origin(type_) in UNIONS else (type_,)


#: Where `Encrypted` is, which programs without it do not load; and `InS3`.
ENCRYPTION: Final = "dynattrs.mapper.encrypted"
LARGE_FIELDS: Final = "dynattrs.mapper.in_s3"


def is_encrypted(type_: object) -> bool:
    """Whether an annotation says `Encrypted`, with or without None, also by a name of its own."""
    if ENCRYPTION not in sys.modules:
        return False
    if (named := unaliased(type_)) is not None:
        return is_encrypted(named)
    if get_origin(type_) is Annotated:
        inner, *marks = get_args(type_)
        return any(type(mark).__module__ == ENCRYPTION for mark in marks) or is_encrypted(inner)
    return get_origin(type_) in UNIONS and any(map(is_encrypted, get_args(type_)))


def is_ours(type_: Any) -> bool:
    """Whether dynattrs itself knows how values of *type_* are stored."""
    if type_ in (Any, object, None) or isinstance(type_, TypeVar):
        return True
    if is_class(type_) and (type_ in scalars.PLAIN or issubclass(type_, enum.Enum)):
        return True
    if hasattr(type_, "__supertype__") or unaliased(type_) is not None:
        return True
    origin = get_origin(type_)
    if origin in (Annotated, typing.Literal, *UNIONS):
        return True
    base = origin or type_
    if getattr(base, "_name", getattr(base, "__name__", "")) in WRAPPERS:
        return True
    if base is tuple or base in LISTS or base in SETS or base in DICTS:
        return True
    if is_typed_dict(base):
        return True
    if not isinstance(base, type):
        return False
    if issubclass(base, SUBCLASSABLE):
        return True
    return attrs.has(base) or hasattr(base, "__dataclass_fields__") or has_record(base)


def is_typed_dict(type_: Any) -> bool:
    # `typing.is_typeddict` does not know those of typing_extensions.
    return is_class(type_) and issubclass(type_, dict) and hasattr(type_, "__required_keys__")


def is_array(type_: object) -> bool:
    """Whether a type is `array.array`, or `array.array[float]`."""
    module = sys.modules.get("array")
    return module is not None and (get_origin(type_) or type_) is module.array


def is_ndarray(type_: object) -> bool:
    """Whether a type is numpy's array, with or without what is in it."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and (get_origin(type_) or type_) is numpy.ndarray


def has_record(cls: type[object]) -> bool:
    return (
        hasattr(cls, "_fields") or hasattr(cls, "__struct_fields__") or hasattr(cls, "model_fields")
    )


def marked(hint: object, name: str) -> bool:
    origin = get_origin(hint)
    if origin is Annotated:
        return marked(get_args(hint)[0], name)
    return getattr(origin, "_name", getattr(origin, "__name__", "")) == name


def show_type(type_: Any) -> str:
    if is_class(type_):
        return str(type_.__name__)
    return str(type_).replace("typing.", "")
