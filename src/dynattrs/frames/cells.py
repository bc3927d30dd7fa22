"""Cells: the values of a frame's columns, turned into values of fields.

The reverse of `columns`: lists become sets and tuples, structs become objects, text becomes UUIDs and enum
members, and plain JSON becomes the value of a union. A value that fits the field already stays as it is; one
that does not fit is left to the mapper, which refuses it.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Context, Decimal, Inexact
from typing import Annotated, Any, Final, TypeAlias, get_args

from dynattrs import foreign_values
from dynattrs.mapper.annotations import ENCRYPTION, CompressedMark, FormMark, Json
from dynattrs.mapper.anything import ANY_CODEC, from_plain, parse_json, parse_json_inside
from dynattrs.mapper.carried import set_attribute
from dynattrs.mapper.class_kinds import MISSING
from dynattrs.mapper.classes import ClassCodec, FieldCodec
from dynattrs.mapper.codec import (
    ANY,
    ChoicesShape,
    Codec,
    KeyedMapShape,
    ListShape,
    MapShape,
    OptionalShape,
    Refused,
    TextsShape,
    TupleShape,
    TypedDictShape,
    show,
)
from dynattrs.mapper.hints import is_class
from dynattrs.mapper.placeholders import Placeholder
from dynattrs.mapper.scalars import PLAIN, TEXTS
from dynattrs.quoting import quoted
from dynattrs.schema.model_info import BASE64, IN_S3

#: Makes a value of a cell.
Taking: TypeAlias = Callable[[Any], Any]
#: Reads the text of plain JSON for `from_plain`.
Parse: TypeAlias = Callable[[str], Any]

# To checkers an annotation is no value.
_ANNOTATED: Final[Any] = Annotated
#: Floats are as exact as ints up to here.
_WHOLE: Final = 2.0**53
#: Decimal's arithmetic rounds as the caller's context says. This one rounds nothing that a column holds.
_EXACT: Final = Context(prec=200, traps=[Inexact])
_ONE: Final = Decimal(1)
_JSON: Final = "text of plain JSON, as arrow() gives it"


class Unplaced:
    """A cell, or a part of one, that has no value in Python: a time with nanoseconds, a year after 9999. No
    field accepts it, not even a field of type `Any`, which would accept an ordinary object.
    """

    __slots__ = ("expected", "found", "hint")

    def __init__(self, expected: str, found: str, hint: str = "") -> None:
        self.expected = expected
        self.found = found
        self.hint = hint

    def __repr__(self) -> str:
        return self.found


def is_json_inside(codec: Codec) -> bool:
    """Whether what is packed into one attribute has numbers and names of JSON, which know no limits."""
    return codec.packed != BASE64 and bool(_packing(codec))


def _packing(codec: Codec) -> list[Any]:
    """The marks of a codec's type that pack values as JSON, or compressed."""
    _, *marks = get_args(codec.type)
    return [mark for mark in marks if mark is Json or isinstance(mark, (CompressedMark, FormMark))]


def inside_of(mapper: Any, codec: Codec) -> Any:
    """The codec of what is packed into one attribute."""
    if codec.packed == BASE64:
        return PLAIN[bytes]
    inner, *marks = get_args(codec.type)
    packed = _packing(codec)
    for mark in marks:
        if mark not in packed and type(mark).__module__ != ENCRYPTION:
            inner = _ANNOTATED[inner, mark]
    return (mapper.in_json if packed else mapper.usual).codec(inner)


class Cells:
    """Makes what takes cells, once for each codec.

    Args:
        mapper: The mapper that the codecs are of.
        parse: Reads the text of plain JSON.
    """

    def __init__(self, mapper: Any, parse: Parse = parse_json) -> None:
        self._mapper = mapper
        self._parse = parse
        self._known: dict[Any, Taking] = {}
        self._in_json: Cells | None = None

    @property
    def in_json(self) -> Cells:
        """What takes cells of JSON inside an attribute, whose numbers and names have no limits."""
        if self._parse is parse_json_inside:
            return self
        if self._in_json is None:
            self._in_json = Cells(self._mapper, parse_json_inside)
        return self._in_json

    def of(self, codec: Any) -> Taking:
        """What makes values of cells that are not missing.

        What it makes raises `Refused`, or anything, where a cell cannot be such a value.
        """
        known = self._known
        if codec not in known:
            # What holds itself asks for it while it is made.
            known[codec] = lambda value: known[codec](value)  # noqa: PLW0108 - it is another one then
            known[codec] = _checked(self._made(codec))
        return known[codec]

    def member(self, field: FieldCodec, cell: Any) -> Any:
        """The value of a field; `MISSING` where its default is meant."""
        if cell is not None:
            return self.of(field.codec)(cell)
        if field.codec.optional or _takes_none(field.codec):
            return None
        if field.member.default is not MISSING or not field.member.init:
            return MISSING
        if field.always_set:
            return field.codec.load({"L": []})
        raise Refused(
            field.codec.expected, "a missing value", "the field is not optional and has no default"
        )

    def given(self, codec: ClassCodec, cells: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of a constructor, of the cells of fields by their names in Python."""
        given = {}
        for field in codec.members:
            if field.member.init and (field.name in cells or field.always_set):
                value = self.member(field, cells.get(field.name))
                if value is not MISSING:
                    given[field.member.argument] = value
            elif field.member.init and field.member.default is MISSING:
                raise Refused(f"{field.codec.expected} as {field.name!r}", "none")
        return given

    def object(self, codec: ClassCodec, cells: Mapping[str, Any]) -> Any:
        """An object of a class, of the cells of its fields."""
        made = codec.record.build(**self.given(codec, cells))
        for field in codec.members:
            if not field.member.init and field.name in cells:
                value = self.member(field, cells[field.name])
                if value is not MISSING:
                    set_attribute(made, field.name, value)
        return made

    def _made(self, codec: Any) -> Taking:
        while isinstance(codec, Placeholder) and codec.target is not None:
            codec = codec.target
        shape = codec.shape
        if isinstance(shape, OptionalShape):
            inner = self.of(shape.inner)
            return lambda value: None if value is None else inner(value)
        if codec.packed == IN_S3:
            return lambda value: _large(codec, value) if isinstance(value, str) else value
        if codec.packed:
            cells = self.in_json if is_json_inside(codec) else self
            return cells.of(inside_of(self._mapper, codec))
        if isinstance(codec, ClassCodec):
            return self._object(codec)
        if isinstance(shape, ListShape):
            return self._list(shape)
        if codec.is_set and codec.element is not None:
            return self._set(codec)
        if isinstance(shape, TupleShape) and shape.elements:
            return self._tuple(shape)
        if isinstance(shape, (MapShape, KeyedMapShape)):
            return self._map(shape)
        if isinstance(shape, TypedDictShape) and shape.members:
            return self._typed_dict(shape)
        if isinstance(shape, ChoicesShape):
            return _choice(codec, shape, self._parse)
        return _scalar(codec, self._parse)

    # --- What is made of several ---

    def _list(self, shape: ListShape) -> Taking:
        element = self.of(shape.element)
        array = type(shape.build([])) if shape.members is not None else None

        def take(value: Any) -> Any:
            if array is not None and type(value) is array:
                return value
            return shape.build(
                [None if each is None else element(each) for each in _sequence(value)]
            )

        return take

    def _set(self, codec: Codec) -> Taking:
        element = self.of(codec.element)
        build = type(codec.load({"L": []}))

        def take(value: Any) -> Any:
            if isinstance(value, AbstractSet):
                return build([None if each is None else element(each) for each in value])
            members = [None if each is None else element(each) for each in _sequence(value)]
            made = build(members)
            if len(made) != len(members):
                raise Refused("a list of different members, for a set", show(value))
            return made

        return take

    def _tuple(self, shape: TupleShape) -> Taking:
        elements = [self.of(element) for element in shape.elements]

        def take(value: Any) -> Any:
            members = _sequence([*value.values()] if isinstance(value, Mapping) else value)
            if len(members) != len(elements):
                raise Refused(f"a list of {len(elements)}", show(value))
            return tuple(
                None if each is None else element(each)
                for element, each in zip(elements, members, strict=True)
            )

        return take

    def _map(self, shape: MapShape | KeyedMapShape) -> Taking:
        element = self.of(shape.element)
        key = self.of(shape.key) if isinstance(shape, KeyedMapShape) else None

        def take(value: Any) -> Any:
            pairs = [*_pairs(value)]
            made = {
                name if key is None else key(name): None if each is None else element(each)
                for name, each in pairs
            }
            if len(made) != len(pairs):
                raise Refused("a map whose keys are different", show(value))
            return shape.build(made)

        return take

    def _typed_dict(self, shape: TypedDictShape) -> Taking:
        members = {name: self.of(member) for name, member in shape.members.items()}

        def take(value: Any) -> Any:
            found = {}
            for name, each in _struct(value).items():
                member = shape.members.get(name)
                if each is None and member is not None and name not in shape.required:
                    continue  # a struct has all names
                found[name] = members[name](each) if each is not None and name in members else each
            return found

        return take

    def _object(self, codec: ClassCodec) -> Taking:
        names, parse = {field.name for field in codec.members}, self._parse

        def take(value: Any) -> Any:
            if type(value) is codec.record.cls:
                return value
            if isinstance(value, str):
                return _of_json(codec, value, parse)
            cells = _struct(value)
            others = sorted(cells.keys() - names)
            if others:
                raise Refused(
                    f"a struct of the fields of {codec.record.cls.__name__}",
                    f"also {', '.join(map(quoted, others))}",
                )
            return self.object(codec, cells)

        return take


def _takes_none(codec: Codec) -> bool:
    try:
        codec.dump(None)
    except Exception:
        return False
    return True


def _checked(take: Taking) -> Taking:
    def checked(value: Any) -> Any:
        return take(_placed(value) if type(value) is Unplaced else value)

    return checked


def _placed(value: Any) -> Any:
    """A value without any part that Python has no value for."""
    if type(value) is Unplaced:
        raise Refused(value.expected, value.found, value.hint)
    if isinstance(value, (list, tuple)):
        for each in value:
            _placed(each)
    elif type(value) is dict:
        for each in value.values():
            _placed(each)
    return value


# --- Scalars ------------------------------------------------------------------------------------


def _scalar(codec: Codec, parse: Parse) -> Taking:
    cls: Any = codec.type
    if codec.tags == ANY or not is_class(cls) or codec.shape is not None or not codec.tag:
        return lambda value: (
            _of_json(codec, value, parse) if isinstance(value, str) else _placed(value)
        )
    if codec.wrapped is not None:
        return lambda value: value if type(value) is cls else codec.load(codec.wrapped.dump(value))  # type: ignore[union-attr]
    if issubclass(cls, enum.Enum):
        return lambda value: value if isinstance(value, cls) else _loaded(codec, _whole(value))
    if issubclass(cls, int) and codec.tag == "N":
        return _whole if cls is int else lambda value: cls(_whole(value))
    if cls is dt.date:
        return _date
    if cls is Decimal:
        return _decimal
    if cls in TEXTS or (codec.tag in ("S", "B") and cls not in _AS_THEY_ARE):
        return lambda value: value if isinstance(value, cls) else _loaded(codec, value)
    return lambda value: value


_AS_THEY_ARE: Final = (str, bytes, dt.datetime, dt.time)


def _loaded(codec: Codec, value: Any) -> Any:
    """The value of what it is stored as."""
    try:
        return codec.load(ANY_CODEC.dump(value))
    except Refused:
        raise
    except Exception as error:
        raise Refused(codec.expected, show(value)) from error


def _whole(value: Any) -> Any:
    """An int of a number that is whole, which a frame may have as a float or a decimal."""
    if type(value) is int:
        return value
    number = foreign_values.number(value)
    if isinstance(number, float) and number.is_integer() and abs(number) <= _WHOLE:
        return int(number)
    if isinstance(number, Decimal) and number.is_finite() and number == number.to_integral_value():
        return int(number)
    return number


def _decimal(value: Any) -> Any:
    """A decimal without the zeros at its end that the type of a column gives it."""
    if not isinstance(value, Decimal) or not value.is_finite():
        return value
    exponent: Any = value.as_tuple().exponent
    if exponent >= 0:
        return value
    short = value.normalize(_EXACT)
    shortest: Any = short.as_tuple().exponent
    return short.quantize(_ONE, context=_EXACT) if shortest > 0 else short


def _date(value: Any) -> Any:
    """A day, which pandas has as the naive midnight of it."""
    if isinstance(value, dt.datetime) and value.tzinfo is None:
        midnight = dt.datetime(value.year, value.month, value.day)  # noqa: DTZ001 - as it is
        if value == midnight:
            return midnight.date()
    return value


def _choice(codec: Codec, shape: ChoicesShape, parse: Parse) -> Taking:
    members = {choice for _, choice in shape.written}

    def take(value: Any) -> Any:
        try:
            if (type(value), value) in shape.written:
                return value
        except TypeError:
            raise Refused(codec.expected, show(value)) from None
        if isinstance(value, str) and not isinstance(shape, TextsShape) and value not in members:
            return _of_json(codec, value, parse)
        return _loaded(codec, _whole(value))

    return take


def _of_json(codec: Codec, text: str, parse: Parse) -> Any:
    try:
        plain = parse(text)
    except Refused as error:
        raise Refused(
            _JSON, quoted(text), f"{error.expected} is expected, found {error.found}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise Refused(_JSON, quoted(text), str(error)) from error
    return codec.load(from_plain(plain, codec))


def _large(codec: Codec, text: str) -> Any:
    """A new value, which is kept where the field says: it was not read from an item."""
    made = _of_json(codec, text, parse_json)
    return type(made)(made.value) if made is not None and made.place is None else made


# --- What frames have of several ----------------------------------------------------------------


def _sequence(value: Any) -> Sequence[Any]:
    if isinstance(value, (list, tuple)):
        return value
    listed = getattr(value, "tolist", None) or getattr(value, "to_list", None)
    if listed is not None and not isinstance(value, memoryview):
        found = listed()
        if isinstance(found, list):
            return found
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise Refused("a list", show(value))
    return [*value]


def _pairs(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return value.items()
    pairs = []
    for each in _sequence(value):
        if isinstance(each, Mapping):
            if each.keys() != {"key", "value"}:
                raise Refused("a map, or a list of its keys and values", show(value))
            pairs.append((each["key"], each["value"]))
        elif isinstance(each, (list, tuple)) and len(each) == 2:
            pairs.append((each[0], each[1]))
        else:
            raise Refused("a map, or a list of its keys and values", show(value))
    return pairs


def _struct(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Refused("a struct, or a dict", show(value))
    return value
