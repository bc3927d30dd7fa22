"""Columns: the Arrow type of a field's values, and how they are represented in it.

The type comes from the field's codec alone, so a query has its schema before its first page. A value
becomes the same value, or an error: nothing is rounded or cut.

https://arrow.apache.org/docs/python/api/datatypes.html
"""

from __future__ import annotations

import datetime as dt
import enum
from array import array
from collections.abc import Callable, Iterable
from decimal import Context, Decimal, Inexact
from typing import Any, Final

import pyarrow as pa

from dynattrs.frames.cells import inside_of
from dynattrs.late_classes import frozen
from dynattrs.mapper.anything import plain_json
from dynattrs.mapper.classes import ClassCodec
from dynattrs.mapper.codec import (
    ANY,
    ChoicesShape,
    Codec,
    KeyedMapShape,
    ListShape,
    MapShape,
    OptionalShape,
    TextsShape,
    TupleShape,
    TypedDictShape,
)
from dynattrs.mapper.hints import is_class
from dynattrs.mapper.numbers import plain_number
from dynattrs.mapper.placeholders import Placeholder
from dynattrs.mapper.scalars import TEXTS
from dynattrs.schema.model_info import IN_S3

INSTANT: Final = pa.timestamp("us", "UTC")
#: 20 digits before the point and 18 after it; as ints are up to 38 of them.
DECIMAL: Final = pa.decimal128(38, 18)
_WIDE_INT: Final = pa.decimal128(38, 0)
_WIDE_DECIMAL: Final = pa.decimal256(76, 38)

# Decimal's arithmetic rounds as the caller's context says. This one rounds nothing that N can hold.
_EXACT: Final = Context(prec=200, Emax=999, Emin=-999, traps=[Inexact])

#: What pyarrow makes arrays of as it is.
_PLAIN: Final[dict[Any, Any]] = {
    str: pa.string(),
    bool: pa.bool_(),
    bytes: pa.binary(),
    dt.datetime: INSTANT,
    dt.date: pa.date32(),
    dt.time: pa.time64("us"),
    dt.timedelta: pa.duration("us"),
}
_NUMBERS: Final[dict[Any, Any]] = {int: pa.int64(), float: pa.float64(), Decimal: DECIMAL}
_WIDE: Final[dict[Any, Any]] = {**_NUMBERS, int: _WIDE_INT, Decimal: _WIDE_DECIMAL}


@frozen(eq=False, repr=False)
class Column:
    """How Arrow represents the values of one codec.

    Attributes:
        type: The type.
        of: Returns what to give pyarrow for a value; None if that is the value itself. None stays None.
        cast: The type that the caller asked for, if the array is first made with another type.
    """

    type: Any
    of: Callable[[Any], Any] | None = None
    cast: Any = None

    @property
    def final(self) -> Any:
        """The type of its arrays."""
        return self.type if self.cast is None else self.cast

    @property
    def has_numbers(self) -> bool:
        return any(name in str(self.final) for name in ("int64", "decimal"))

    def array(self, values: Iterable[Any]) -> Any:
        """The values of objects as an Arrow array.

        Raises:
            Exception: One does not fit.
        """
        given = list(values) if self.of is None else each(self.of, values)
        return self.finished(pa.array(given, type=self.type))

    def finished(self, made: Any) -> Any:
        """An array of `type` as one of `final`.

        Raises:
            Exception: One of its values is another one there.
        """
        if self.cast is None:
            return made
        if _reads_text(self.type, self.cast):
            raise pa.ArrowNotImplementedError(f"{self.type} is read as {self.cast}")
        found = made.cast(self.cast)
        if _is_text(self.cast):
            return found
        # Arrow's casts refuse some values that they change, not all: 300 is true, midnight is any hour.
        back = found.cast(self.type)
        if not back.equals(made) and repr(back.to_pylist()) != repr(made.to_pylist()):  # NaN is NaN
            raise pa.ArrowInvalid(f"{self.cast} has another value for one of {self.type}")
        return found


def each(of: Callable[[Any], Any], values: Iterable[Any]) -> list[Any]:
    return [None if value is None else of(value) for value in values]


def column_of(mapper: Any, codec: Any, wanted: Any = None, *, wide: bool = False) -> Column:
    """The column of a codec's values.

    Args:
        mapper: The codec's mapper.
        codec: The codec.
        wanted: The Arrow type that the caller asked for.
        wide: Whether numbers get the widest types.
    """
    made = _Maker(mapper, wide).of(codec, wanted)
    return made if wanted is None or made.type == wanted else Column(made.type, made.of, wanted)


class _Maker:
    def __init__(self, mapper: Any, wide: bool) -> None:
        self._mapper = mapper
        self._numbers = _WIDE if wide else _NUMBERS
        self._under_way: set[Codec] = set()

    def of(self, codec: Any, wanted: Any = None) -> Column:
        while isinstance(codec, Placeholder) and codec.target is not None:
            codec = codec.target
        if not isinstance(codec, Codec):
            return Column(pa.string(), lambda value: plain_json(codec.dump(value)))
        if isinstance(codec.shape, OptionalShape):
            return self.of(codec.shape.inner, wanted)
        if codec.packed == IN_S3:  # it says where the value is
            return _text_of(codec)
        if codec.packed:
            return self.of(inside_of(self._mapper, codec), wanted)
        if codec.wrapped is not None:
            inner = self.of(codec.wrapped, wanted)
            of = inner.of
            return Column(
                inner.type,
                (lambda value: value.root) if of is None else _of_root(of),
            )
        return self._made(codec, wanted) or _text_of(codec)

    def _made(self, codec: Codec, wanted: Any) -> Column | None:
        if isinstance(codec, ClassCodec):
            return self._class(codec, wanted)
        shape = codec.shape
        if isinstance(shape, ListShape):
            return self._list(shape, wanted)
        if codec.is_set and codec.element is not None:
            element = self.of(codec.element, _value_type(wanted))
            return Column(pa.list_(element.type), _sorted(element))
        if isinstance(shape, TupleShape):
            return self._tuple(shape, wanted)
        if isinstance(shape, (MapShape, KeyedMapShape)):
            return self._map(shape, wanted)
        if isinstance(shape, TypedDictShape):
            return self._typed_dict(codec, shape, wanted)
        if isinstance(shape, ChoicesShape):
            return self._choice(codec, shape, wanted)
        return None if shape is not None or codec.tags == ANY else self._scalar(codec, wanted)

    # --- Scalars ---

    def _scalar(self, codec: Codec, wanted: Any) -> Column | None:
        cls: Any = codec.type
        if not is_class(cls):
            return None
        if cls in _PLAIN:
            return Column(_PLAIN[cls])
        if cls in TEXTS:
            return Column(pa.string(), str)
        if codec.tag == "BOOL":
            return Column(pa.bool_(), bool)
        if codec.tag == "B":
            return Column(pa.binary(), lambda value: codec.dump(value)["B"])
        if codec.tag == "S":
            return Column(pa.string(), lambda value: codec.dump(value)["S"])
        if codec.tag != "N":
            return None
        if issubclass(cls, enum.Enum):
            return self._number(int, wanted, lambda value: value.value)
        for kind in (int, float, Decimal):
            if issubclass(cls, kind):
                return self._number(kind, wanted, None if cls is kind else kind)
        item = getattr(cls, "item", None)  # a scalar of numpy's
        if item is None:
            return None
        kind = type(item(cls()))
        return self._number(kind, wanted, kind)

    def _number(self, kind: Any, wanted: Any, of: Callable[[Any], Any] | None) -> Column:
        if wanted is None:
            type_ = self._numbers[kind]
            return Column(type_, _fitting(type_, of) if pa.types.is_decimal(type_) else of)
        if pa.types.is_string(wanted) or pa.types.is_large_string(wanted):
            return Column(wanted, _as_text if of is None else lambda value: _as_text(of(value)))
        if pa.types.is_decimal(wanted):
            return Column(wanted, _fitting(wanted, _shortest if kind is float else of))
        if pa.types.is_integer(wanted):
            return Column(wanted, _integral(of))
        if pa.types.is_floating(wanted):
            # The nearest one of a decimal, which hardly ever is one of a double.
            return Column(pa.float64(), _as_float(of) if kind is int else float)
        return self._number(kind, None, of)

    def _choice(self, codec: Codec, shape: ChoicesShape, wanted: Any) -> Column | None:
        if isinstance(shape, TextsShape):
            return Column(pa.string(), lambda value: codec.dump(value)["S"])
        texts = [value.get("N") for value in shape.written.values() if "NULL" not in value]
        if not texts or not all(
            text is not None and text.lstrip("-").isdecimal() for text in texts
        ):
            return None
        return self._number(int, wanted, lambda value: int(codec.dump(value)["N"]))

    # --- What is made of several ---

    def _list(self, shape: ListShape, wanted: Any) -> Column:
        if shape.members is not None:
            return Column(pa.list_(_type_of_array(shape.build([]))), lambda value: value.tolist())
        element = self.of(shape.element, _value_type(wanted))
        of = element.of
        return Column(pa.list_(element.type), list if of is None else lambda value: each(of, value))

    def _tuple(self, shape: TupleShape, wanted: Any) -> Column | None:
        elements = [self.of(element, _value_type(wanted)) for element in shape.elements]
        if not elements:
            return None
        own = [_identity if element.of is None else element.of for element in elements]
        if all(element.type == elements[0].type for element in elements):
            return Column(
                pa.list_(elements[0].type),
                lambda value: [
                    None if one is None else of(one) for of, one in zip(own, value, strict=True)
                ],
            )
        names = [*map(str, range(len(elements)))]
        return _struct(
            [(name, element) for name, element in zip(names, elements, strict=True)],
            lambda value: zip(names, value, strict=True),
        )

    def _map(self, shape: MapShape | KeyedMapShape, wanted: Any) -> Column:
        wants: Any = wanted if wanted is not None and pa.types.is_map(wanted) else None
        element = self.of(shape.element, None if wants is None else wants.item_type)
        key = Column(pa.string())
        if isinstance(shape, KeyedMapShape):
            key = self.of(shape.key, None if wants is None else wants.key_type)
        key_of, of = key.of or _identity, element.of or _identity
        return Column(
            pa.map_(key.type, element.type),
            lambda value: [
                (key_of(name), None if one is None else of(one)) for name, one in value.items()
            ],
        )

    def _typed_dict(self, codec: Codec, shape: TypedDictShape, wanted: Any) -> Column | None:
        if codec in self._under_way or not shape.members:
            return None
        self._under_way.add(codec)
        try:
            members = [
                (name, self.of(member, _member_type(wanted, name)))
                for name, member in shape.members.items()
            ]
        finally:
            self._under_way.discard(codec)
        return _struct(members, lambda value: value.items())

    def _class(self, codec: ClassCodec, wanted: Any) -> Column | None:
        if codec in self._under_way or not codec.members:
            return None
        self._under_way.add(codec)
        try:
            members = [
                (field.name, self.of(field.codec, _member_type(wanted, field.name)))
                for field in codec.members
            ]
        finally:
            self._under_way.discard(codec)
        names = [name for name, _ in members]
        return _struct(members, lambda value: ((name, getattr(value, name)) for name in names))


# --- Values -------------------------------------------------------------------------------------


def _identity(value: Any) -> Any:
    return value


def _of_root(of: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value.root is None else of(value.root)


def _text_of(codec: Codec) -> Column:
    """Plain JSON, for what may be of many types."""

    def text(value: Any) -> str | None:
        stored = codec.dump(value)
        return None if "NULL" in stored else plain_json(stored)

    return Column(pa.string(), text)


def _as_text(value: Any) -> str:
    return repr(value) if isinstance(value, float) else plain_number(str(value))


def _fitting(type_: Any, of: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    """What refuses a number that has too many digits for a type of decimals: Arrow makes others of some,
    and zero of what is small.
    """
    most, scale = type_.precision - type_.scale, type_.scale

    def fitting(value: Any) -> Any:
        number = value if of is None else of(value)
        exact = Decimal(number)
        whole = exact.scaleb(scale, _EXACT)
        if exact and (exact.adjusted() >= most or whole != whole.to_integral_value(context=_EXACT)):
            raise ValueError(f"{number} has more digits than {type_}")
        return number

    return fitting


def _integral(of: Callable[[Any], Any] | None) -> Callable[[Any], int]:
    def integral(value: Any) -> int:
        number = value if of is None else of(value)
        found = int(number)
        if found != number:
            raise ValueError(f"{number} is not a whole number")
        return found

    return integral


def _shortest(value: Any) -> Decimal:
    """The decimal that a float is stored as."""
    return Decimal(repr(float(value)))


def _as_float(of: Callable[[Any], Any] | None) -> Callable[[Any], float]:
    def as_float(value: Any) -> float:
        number = value if of is None else of(value)
        found = float(number)
        if found != number:
            raise ValueError(f"{number} has more digits than a double")
        return found

    return as_float


def _sorted(element: Column) -> Callable[[Any], list[Any]]:
    """What gives the members of a set, which have no order, in one that is always the same."""

    def members(value: Any) -> list[Any]:
        found = list(value) if element.of is None else each(element.of, value)
        try:
            return sorted(found)
        except TypeError:  # of several types
            return sorted(found, key=repr)

    return members


def _struct(
    members: list[tuple[str, Column]], items: Callable[[Any], Iterable[tuple[str, Any]]]
) -> Column:
    own = {name: column.of or _identity for name, column in members}

    def of(value: Any) -> dict[str, Any]:
        return {
            name: None if one is None else own[name](one)
            for name, one in items(value)
            if name in own
        }

    return Column(pa.struct([(name, column.type) for name, column in members]), of)


def _type_of_array(empty: Any) -> Any:
    if isinstance(empty, array):
        kind = "float" if empty.typecode in "fd" else "int" if empty.typecode.islower() else "uint"
        return pa.type_for_alias(f"{kind}{8 * empty.itemsize}")
    if empty.dtype.itemsize == 2 and empty.dtype.kind == "f":
        return pa.float32()
    return pa.from_numpy_dtype(empty.dtype.newbyteorder("="))


# --- Types that were asked for ------------------------------------------------------------------


def _value_type(wanted: Any) -> Any:
    if wanted is None:
        return None
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return wanted.value_type if any(is_one(wanted) for is_one in lists) else None


def _member_type(wanted: Any, name: str) -> Any:
    if wanted is None or not pa.types.is_struct(wanted):
        return None
    place = wanted.get_field_index(name)
    return None if place < 0 else wanted.field(place).type


def _is_text(kind: Any) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return str(kind) in ("string", "large_string", "string_view")


def _reads_text(made: Any, wanted: Any) -> bool:
    """Whether what is text would be read as something else, in whatever part."""
    if pa.types.is_dictionary(wanted):
        wanted = wanted.value_type
    if made.num_fields and made.num_fields == wanted.num_fields:
        return any(
            _reads_text(made.field(place).type, wanted.field(place).type)
            for place in range(made.num_fields)
        )
    return _is_text(made) and not _is_text(wanted) and "binary" not in str(wanted)
