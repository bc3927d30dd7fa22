"""JSON inside an attribute: numbers and names as JSON has them, without the limits of DynamoDB.

`Annotated[T, Json]` is text to the service, so a number in it may have any size and a name may be
empty. The codecs here stand for those of `scalars` and `anything` inside such text. `Any` is what
`json.loads` gives: `int`, `float`, and no `Decimal`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from dynattrs import foreign_values
from dynattrs.deferral import deferred
from dynattrs.mapper import anything, numbers, scalars
from dynattrs.mapper.anything import JsonNumber, JsonObject, from_plain, has_more_types
from dynattrs.mapper.codec import Codec, ListShape, MapShape, OptionalShape, Refused, show
from dynattrs.quoting import shortened
from dynattrs.schema.table import AttributeValue

if TYPE_CHECKING:
    import msgspec
else:
    msgspec = deferred("msgspec")

# To checkers the arguments of annotations are types that they know.
_LIST: Final[Any] = list
_TUPLE: Final[Any] = tuple
_DICT: Final[Any] = dict

_FINITE: Final = "JSON has no NaN and no infinity"
_UNTOLD: Final = "it would be read as another type: declare the type of what the JSON holds"
#: Python reads no longer int of text, because that takes very long.
_MOST_DIGITS: Final = 4300


def parse(text: str | bytes, codec: Codec, *, strict: bool = True) -> AttributeValue:
    """The text of a JSON attribute, read as *codec*'s type. Unless *strict*, text in it may hold control
    characters.

    Raises:
        Refused: It is not JSON, or not of that type.
    """
    try:
        found = json.loads(
            text, parse_int=JsonNumber, parse_float=JsonNumber, parse_constant=JsonNumber,
            object_pairs_hook=JsonObject, strict=strict,
        )  # fmt: skip
        return from_plain(found, codec)
    except ValueError as error:
        shown = text if isinstance(text, str) else text.decode(errors="replace")
        raise Refused("JSON", show(shown), str(error)) from error


def reader(codec: Codec) -> Callable[[str], Any] | None:
    """What reads the text of a JSON attribute at once, and raises where it is not plain; None where only
    the codec, *codec*, reads such values.
    """
    type_ = _read_by_msgspec(codec)
    if type_ is None:
        return None
    decode = msgspec.json.Decoder(type_).decode

    def read(text: str) -> Any:
        # To msgspec, -0 is an int, and has no sign.
        if "-0" in text:
            raise ValueError
        return decode(text)

    return read


def _read_by_msgspec(codec: Codec) -> Any:
    """The type that msgspec reads as a codec does, and nothing besides; or None."""
    for each in (str, bool, int, float):
        if codec is PLAIN[each]:
            return each
    shape = codec.shape
    if isinstance(shape, OptionalShape):
        inner = _read_by_msgspec(shape.inner)
        return None if inner is None or shape.inner.optional else inner | None
    if isinstance(shape, ListShape) and shape.build in (list, tuple):
        inner = _read_by_msgspec(shape.element)
        return (
            None if inner is None else _LIST[inner] if shape.build is list else _TUPLE[inner, ...]
        )
    if isinstance(shape, MapShape) and shape.build is dict:
        inner = _read_by_msgspec(shape.element)
        return None if inner is None else _DICT[str, inner]
    return None


# --- Numbers ------------------------------------------------------------------------------------


def _dump_int(value: object) -> AttributeValue:
    value = numbers.int_like(value)
    try:
        return {"N": str(value)}
    except ValueError as error:
        raise Refused("an int that Python can write", "a longer one", str(error)) from None


def _load_int(value: AttributeValue) -> int:
    text = value["N"]
    try:
        return int(text, 10)
    except ValueError:
        number = _load_decimal(value)
        if number.adjusted() > _MOST_DIGITS or number != number.to_integral_value():
            raise Refused("an integral number", f"the number {shortened(text, 60)}") from None
        return int(number)


def _dump_float(value: object) -> AttributeValue:
    if type(value) is not float:
        value = foreign_values.number(value)
        if isinstance(value, int):
            return _dump_int(value)
        if not isinstance(value, float):
            raise Refused("a finite float", show(value))
    if not math.isfinite(value):
        raise Refused("a finite float", show(value), _FINITE)
    return {"N": float.__repr__(value)}


def _load_float(value: AttributeValue) -> float:
    number = float(value["N"])
    if not math.isfinite(number):
        raise Refused("a finite float", shortened(value["N"], 60), _FINITE)
    return number


def _dump_decimal(value: object) -> AttributeValue:
    if not isinstance(value, Decimal):
        value = foreign_values.number(value)
        if isinstance(value, int):
            return _dump_int(value)
        if not isinstance(value, Decimal):
            raise Refused("a finite Decimal", show(value))
    if not value.is_finite():
        raise Refused("a finite Decimal", show(value), _FINITE)
    return {"N": str(value)}


def _load_decimal(value: AttributeValue) -> Decimal:
    number = Decimal(value["N"])
    if not number.is_finite():
        raise Refused("a finite number", f"the number {shortened(value['N'], 60)}", _FINITE)
    return number


def _number(type_: Any, dump: Any, load: Any, expected: str) -> Codec:
    return Codec(type_, frozenset({"N"}), dump, load, expected=expected)


#: The codecs of plain types in JSON, by type.
PLAIN: Final[dict[Any, Codec]] = {
    **scalars.PLAIN,
    int: _number(int, _dump_int, _load_int, "an int"),
    float: _number(float, _dump_float, _load_float, "a finite float"),
    Decimal: _number(Decimal, _dump_decimal, _load_decimal, "a finite Decimal"),
}


# --- Any ----------------------------------------------------------------------------------------


def check_name(name: object) -> str:
    """A name in JSON: any text."""
    if not isinstance(name, str):
        raise Refused("a str as the key of a map", show(name))
    return str.__str__(name)


def _dump_short_decimal(value: Decimal) -> AttributeValue:
    """A `Decimal` among what is read without a type, and so as a float: with the same digits."""
    found = _dump_decimal(value)
    if Decimal(repr(float(value))) != value and value != value.to_integral_value():
        raise Refused("a Decimal that a float has all digits of", show(value), _UNTOLD)
    return found


def load_any(value: AttributeValue) -> Any:
    ((tag, payload),) = value.items()
    if tag == "N":
        whole = payload.lstrip("-").isdecimal()
        return int(payload) if whole else float(payload)
    if tag == "L":
        return [load_any(member) for member in payload]
    if tag == "M":
        return {name: load_any(member) for name, member in payload.items()}
    return None if tag == "NULL" else payload


_SCALARS: Final[dict[type[object], Callable[[Any], AttributeValue]]] = {
    str: scalars.dump_str,
    int: _dump_int,
    bool: scalars.dump_bool,
    float: _dump_float,
    Decimal: _dump_short_decimal,
    type(None): scalars.dump_null,
}


def any_codec(
    codec_of: Callable[[Any], Codec],
    own: Mapping[type[object], Callable[[Any], AttributeValue]] = _SCALARS,
) -> Codec:
    """The codec of `Any` in JSON.

    Args:
        codec_of: Gives the codec of a class, for what is not plain.
        own: How some scalars are stored.
    """
    return anything.any_codec(
        codec_of, simple={**_SCALARS, **own}, name_of=check_name, load=load_any,
        expected="a value that JSON has", told=_told,
    )  # fmt: skip


def _told(value: object, stored: AttributeValue) -> AttributeValue:
    """How a set or an object of a class is stored, if JSON has that."""
    if isinstance(value, (set, frozenset)) or has_more_types(stored):
        raise Refused("a value that JSON has", show(value), _UNTOLD)
    return stored
