"""Annotations in pydantic's words: what of a model's fields pydantic does not know, or knows otherwise.

An annotation is rewritten: each part that needs more gets a `Form` in an `Annotated` around it, wherever it
stands, and all other parts stay as they are. In JSON, values have one form, whatever they are stored as:
bytes are base64, a Decimal is text, datetimes have a zone, an array is the list of its numbers.

Only pydantic imports this module, when it asks a model for its schema.
"""

from __future__ import annotations

import base64
import binascii
import collections.abc as abc
import dataclasses
import datetime as dt
import enum
import ipaddress
import math
import pathlib
import sys
import typing
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Protocol, get_args, get_origin
from uuid import UUID

import attrs
import pydantic
from pydantic.fields import FieldInfo
from pydantic_core import (
    CoreSchema,
    PydanticCustomError,
    PydanticSerializationUnexpectedValue,
    core_schema,
)

from dynattrs import limits
from dynattrs.foreign_values import is_numpy, plain
from dynattrs.mapper import pydantic_classes
from dynattrs.mapper.annotations import (
    DICTS,
    ENCRYPTION,
    LARGE_FIELDS,
    SUBCLASSABLE,
    UNIONS,
    WRAPPERS,
    CompressedMark,
    Epoch,
    Json,
    is_array,
    is_ndarray,
    is_typed_dict,
    show_type,
)
from dynattrs.mapper.hints import is_class, unaliased
from dynattrs.models.pydantic_limits import as_limits
from dynattrs.models.pydantic_refusals import said, wrong

_HOOK: Final = "__get_pydantic_core_schema__"
#: To checkers the arguments of these are types that they know.
_ANNOTATED: Final[Any] = Annotated
_UNION: Final[Any] = typing.Union
_LIST: Final[Any] = list
#: What pydantic has no own form for, or reads lazily.
_ABSTRACT: Final[dict[Any, Any]] = {
    abc.Collection: abc.Sequence,
    abc.Iterable: abc.Sequence,
    abc.MutableSequence: list,
    abc.MutableSet: set,
    abc.MutableMapping: dict,
}


class Classes(Protocol):
    """What makes the schemas of classes with fields, each once."""

    def of(self, source: Any) -> CoreSchema: ...
    def tagged(self, sources: tuple[Any, ...]) -> CoreSchema: ...
    def typed_dict(self, source: Any) -> CoreSchema: ...
    def alias(self, source: Any) -> CoreSchema: ...


class Form:
    """Inside `Annotated[...]`: makes the schema of a type."""

    def __init__(self, make: Callable[[Any], CoreSchema]) -> None:
        self._make = make

    def __get_pydantic_core_schema__(
        self, source: Any, handler: pydantic.GetCoreSchemaHandler
    ) -> CoreSchema:
        return self._make(handler)


def rewritten(type_: Any, classes: Classes) -> Any:
    """An annotation in pydantic's words."""
    if type_ in (Any, object):
        return _ANNOTATED[Any, _ANYTHING]
    if is_class(type_):
        return _class(type_, classes)
    if hasattr(type_, "__supertype__"):  # NewType
        return rewritten(type_.__supertype__, classes)
    if type(type_).__name__ == "TypeAliasType":
        return _ANNOTATED[Any, Form(lambda handler: classes.alias(type_))]
    origin, arguments = get_origin(type_), get_args(type_)
    if origin is Annotated:
        return _annotated(type_, classes)
    if origin in UNIONS:
        return _union(arguments, classes)
    if is_ndarray(type_):
        return _ANNOTATED[Any, _ndarray(type_)]
    if origin is Literal:
        return _literal(type_, arguments)
    if origin is None or not arguments:
        return type_
    if getattr(origin, "_name", getattr(origin, "__name__", "")) in WRAPPERS:
        return rewritten(arguments[0], classes)
    if (named := unaliased(type_)) is not None:
        return rewritten(named, classes)
    if _has_fields(origin):
        return _ANNOTATED[Any, Form(lambda handler: classes.of(type_))]
    if is_typed_dict(origin):
        return _ANNOTATED[Any, Form(lambda handler: classes.typed_dict(type_))]
    if origin is tuple and arguments == ((),):  # an empty tuple on Python 3.10
        return type_
    inner = tuple(each if each is ... else rewritten(each, classes) for each in arguments)
    if _ABSTRACT.get(origin, origin) in DICTS:
        inner = (_key(arguments[0], inner[0]), *inner[1:])
    return _ABSTRACT.get(origin, origin)[inner]


def _literal(type_: Any, choices: tuple[Any, ...]) -> Any:
    """A literal whose members of enums may be stated by their values, as JSON has them."""
    by_value = {
        each.value: each
        for each in choices
        if isinstance(each, enum.Enum)
        and isinstance(each.value, _PLAIN_JSON)
        and each.value not in choices
    }
    if not by_value:
        return type_

    def member(value: Any) -> Any:
        return by_value.get(value, value) if type(value) in _PLAIN_JSON else value

    return _ANNOTATED[type_, pydantic.BeforeValidator(member)]


def _key(type_: Any, made: Any) -> Any:
    """The key of a map, which is text in JSON whatever it is."""
    if get_origin(type_) is Literal:
        values: list[Any] = [getattr(each, "value", each) for each in get_args(type_)]
    elif is_class(type_) and issubclass(type_, enum.Enum) and not issubclass(type_, enum.Flag):
        values = [each.value for each in type_]
    else:
        return made
    texts = {"type": "string", "enum": [str(each) for each in values]}
    return _ANNOTATED[made, pydantic.WithJsonSchema(texts)]


def _class(cls: Any, classes: Classes) -> Any:
    plain_form = _PLAIN.get(cls)
    if plain_form is not None:
        return _ANNOTATED[cls, plain_form]
    if cls in _ABSTRACT:
        return _ABSTRACT[cls]
    if _has_fields(cls):
        return _ANNOTATED[Any, Form(lambda handler: classes.of(cls))]
    if is_typed_dict(cls):
        return _ANNOTATED[Any, Form(lambda handler: classes.typed_dict(cls))]
    if hasattr(cls, _HOOK):
        return cls
    if issubclass(cls, enum.Flag):
        return _ANNOTATED[Any, _flag(cls)]
    if issubclass(cls, enum.Enum):
        plain_values = all(type(each.value) in _PLAIN_JSON for each in cls)
        return cls if plain_values else _ANNOTATED[Any, _enum(cls)]
    if is_ndarray(cls):
        return _ANNOTATED[Any, _ndarray(cls)]
    if is_numpy(cls):
        return _ANNOTATED[Any, _made_of(type(plain(cls(0))), cls, lambda value: value.item())]
    base = next((each for each in SUBCLASSABLE if issubclass(cls, each) and cls is not each), None)
    if base is None or cls is bool:
        return cls
    return _ANNOTATED[Any, _made_of(rewritten(base, classes), cls, base)]


def _annotated(type_: Any, classes: Classes) -> Any:
    inner, *marks = get_args(type_)
    if is_array(inner):
        return _annotate(Any, _array(str(marks[0])), *_foreign(marks[1:]))
    marks = _foreign(marks)
    if any(hasattr(mark, _HOOK) for mark in marks):
        # It says itself what the form is.
        return _annotate(inner, *marks)
    if any(_discriminates(mark) for mark in marks):
        members = get_args(inner) if get_origin(inner) in UNIONS else (inner,)
        made = _UNION[tuple(rewritten(each, classes) for each in members)]
    else:
        made = rewritten(inner, classes)
    return _annotate(made, *marks)


def _annotate(type_: Any, *marks: Any) -> Any:
    marked = (type_, *map(as_limits, marks))
    return _ANNOTATED[marked] if marks else type_


def _foreign(marks: list[Any]) -> list[Any]:
    """Marks that are not dynattrs' own: these are about what is stored."""
    return [
        mark
        for mark in marks
        if mark not in (Epoch, Json)
        and not isinstance(mark, CompressedMark)
        and type(mark).__module__ not in (ENCRYPTION, LARGE_FIELDS)
    ]


def _discriminates(mark: object) -> bool:
    if isinstance(mark, FieldInfo):
        return mark.discriminator is not None
    return isinstance(mark, pydantic.Discriminator)


def _union(members: tuple[Any, ...], classes: Classes) -> Any:
    _check_apart(members)
    records = tuple(each for each in members if _has_fields(get_origin(each) or each))
    if len(records) < 2:
        return _UNION[tuple(_union_member(each, classes) for each in members)]
    together = _ANNOTATED[Any, Form(lambda handler: classes.tagged(records))]
    others = (_union_member(each, classes) for each in members if each not in records)
    made = (together, *others)
    return _UNION[made]


def _union_member(type_: Any, classes: Classes) -> Any:
    made = rewritten(type_, classes)
    if _text(type_) is None or _text(type_) == "number":
        return made
    # A number is another member's: pydantic would take it for a date, or an address, too.
    made = _ANNOTATED[made, pydantic.BeforeValidator(_no_number)]
    cls = _without_marks(type_)
    if is_class(cls) and issubclass(cls, _WRITTEN_AS_TEXT):
        # Older releases of pydantic write any value as the text of the first such member.
        text = pydantic.PlainSerializer(_text_of(cls), return_type=str, when_used="json")
        return _ANNOTATED[made, text]
    return made


def _without_marks(type_: Any) -> Any:
    """What a type is by another name, or with marks."""
    type_ = getattr(type_, "__supertype__", type_)
    return _without_marks(get_args(type_)[0]) if get_origin(type_) is Annotated else type_


_WRITTEN_AS_TEXT: Final = (pathlib.PurePath, ipaddress.IPv4Address, ipaddress.IPv6Address)


def _text_of(cls: type[object]) -> Callable[[Any], str]:
    def text(value: Any) -> str:
        if not isinstance(value, cls):
            raise PydanticSerializationUnexpectedValue(f"Expected `{cls.__name__}`")
        return str(value)

    return text


def _no_number(value: object) -> object:
    if isinstance(value, (bool, int, float)):
        raise wrong("expected text", value)
    return value


def _check_apart(members: tuple[Any, ...]) -> None:
    """Refuse members that are stored differently, and are the same text in JSON.

    Raises:
        Alike: It says which.
    """
    texts = [(each, found) for each in members if (found := _text(each)) is not None]
    if len(texts) > 1 and any(found == "any" for _, found in texts):
        names = " and ".join(show_type(each) for each, _ in texts)
        raise Alike(
            f"{names} are both text in JSON, and cannot be told apart there; keep one of them, or "
            f"say how with Annotated[..., pydantic.PlainSerializer(...), pydantic.PlainValidator(...)]"
        )


class Alike(TypeError):
    """Members of a union look the same in JSON."""


def _text(type_: Any) -> Literal["any", "some", "number"] | None:
    """Whether a type is text in JSON: any text, of some form, or what may as well be a number."""
    type_ = getattr(type_, "__supertype__", type_)
    if (named := unaliased(type_)) is not None:
        return _text(named)
    if get_origin(type_) is Annotated:
        inner, *marks = get_args(type_)
        return None if any(hasattr(mark, _HOOK) for mark in marks) else _text(inner)
    if not is_class(type_) or issubclass(type_, enum.Enum):
        return None
    if issubclass(type_, (str, bytes, pathlib.PurePath)):
        return "any"
    if type_ in (Decimal, dt.timedelta):
        return "number"
    # A date is the text of a datetime, too.
    return "any" if type_ is dt.date else "some" if issubclass(type_, _TEXTS) else None


_TEXTS: Final = (dt.datetime, dt.time, UUID, ipaddress.IPv4Address, ipaddress.IPv6Address)


def _has_fields(cls: Any) -> bool:
    """Whether a class is one whose schema is made here: of attrs, a dataclass, a named tuple, a struct."""
    if not isinstance(cls, type):
        return False
    if attrs.has(cls):
        # (A class that says itself what it is to pydantic.)
        return not any(_HOOK in vars(klass) for klass in cls.__mro__)
    if hasattr(cls, _HOOK) or pydantic_classes.is_model(cls):
        return False
    if dataclasses.is_dataclass(cls):
        return not pydantic_classes.is_dataclass(cls)
    return hasattr(cls, "__struct_fields__") or (issubclass(cls, tuple) and hasattr(cls, "_fields"))


# --- Forms ----------------------------------------------------------------------------------------


def _with(
    schema: CoreSchema, dump: Callable[[Any], Any], form: CoreSchema, *, only_json: bool = True
) -> CoreSchema:
    """A schema whose values have another form in JSON."""
    made: Any = dict(schema)
    made["serialization"] = core_schema.plain_serializer_function_ser_schema(
        dump, return_schema=form, when_used="json" if only_json else "always"
    )
    return typing.cast("CoreSchema", made)


class _Described(Form):
    """A form that says itself what it is in JSON schemas."""

    def __init__(self, make: Callable[[Any], CoreSchema], **schemas: Mapping[str, Any]) -> None:
        super().__init__(make)
        self._schemas = schemas

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return dict(self._schemas.get(handler.mode, self._schemas["validation"]))


def _bytes(handler: Any) -> CoreSchema:
    def decoded(value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            # Both alphabets, with or without the padding.
            text = value.translate({ord("-"): "+", ord("_"): "/"}).rstrip("=")
            return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except (binascii.Error, ValueError):
            problem = PydanticCustomError("base64_decode", "Bytes are written as base64")
            raise wrong(problem, value) from None

    def encoded(value: Any) -> str:
        return base64.b64encode(value).decode("ascii")

    schema = core_schema.no_info_before_validator_function(decoded, core_schema.bytes_schema())
    return _with(schema, encoded, core_schema.str_schema())


def _decimal(handler: Any) -> CoreSchema:
    return _with(core_schema.decimal_schema(), str, core_schema.str_schema())


_NUMBER: Final = {"type": "string", "pattern": r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"}


def _aware(handler: Any) -> CoreSchema:
    return core_schema.datetime_schema(tz_constraint="aware")


def _naive(handler: Any) -> CoreSchema:
    return core_schema.time_schema(tz_constraint="naive")


_DURATION: Final = {"type": "string", "format": "duration"}
_BYTES: Final = _Described(_bytes, validation={"type": "string", "contentEncoding": "base64"})


def _any(handler: Any) -> CoreSchema:
    return core_schema.any_schema(
        serialization=core_schema.plain_serializer_function_ser_schema(
            _json_value, when_used="json"
        )
    )


def _json_value(value: Any) -> Any:
    """What pydantic would write otherwise of any value that an item may hold: bytes that are not text, and
    numbers, which it makes text of.
    """
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, Mapping):
        return {name: _json_value(each) for name, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_json_value(each) for each in value]
    return _json_number(value) if isinstance(value, Decimal) else value


def _json_number(value: Decimal) -> int | float | Decimal:
    """A number as a client may have sent it, where JSON has it with all its digits; others are text."""
    if not value.is_finite():
        return value
    if value.adjusted() < limits.NUMBER_DIGITS and value == int(value):
        return int(value)
    number = float(value)
    return number if math.isfinite(number) and Decimal(repr(number)) == value else value


_ANYTHING: Final = Form(_any)
_PLAIN: Final[dict[Any, Form]] = {
    bytes: _BYTES,
    Decimal: _Described(_decimal, validation={"anyOf": [{"type": "number"}, _NUMBER]},
                        serialization=_NUMBER),
    dt.datetime: Form(_aware),
    dt.time: Form(_naive),
}  # fmt: skip


def _calling(make: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """*make*, whose errors are validation errors; it is also given what the value was made of."""

    def call(value: Any, sent: Any) -> Any:
        try:
            return make(value)
        except (TypeError, ValueError, ArithmeticError) as error:
            raise wrong(said(error), sent) from error

    return call


def _made_of(base: Any, cls: Any, back: Callable[[Any], Any]) -> Form:
    """A class that is made of one value of another type: validated as that, and written as that."""

    def make(handler: Any) -> CoreSchema:
        inner = handler.generate_schema(base)
        call = _calling(cls)

        def made(value: Any, validate: Callable[[Any], Any]) -> Any:
            return value if type(value) is cls else call(validate(value), value)

        schema = core_schema.no_info_wrap_validator_function(made, inner)
        return _with(schema, back, inner, only_json=False)

    return Form(make)


def _flag(cls: Any) -> Form:
    # Members combine, so the values are more than the members.
    return _made_of(int, cls, lambda value: value.value)


#: What JSON and pydantic's own enums have as it is.
_PLAIN_JSON: Final = (str, int, float, bool)


def _enum(cls: Any) -> Form:
    """An enum whose values have another form in JSON: bytes, a Decimal."""

    def shown(member: Any) -> Any:
        value = member.value
        return str(value) if isinstance(value, Decimal) else _json_value(value)

    members = {(type(shown(each)), shown(each)): each for each in cls}

    def made(value: Any) -> Any:
        if isinstance(value, cls):
            return value
        try:
            return members[type(value), value]
        except (KeyError, TypeError):
            expected = ", ".join(repr(value) for _, value in members)
            problem = PydanticCustomError(
                "enum", "Input should be one of {expected}", {"expected": expected}
            )
            raise wrong(problem, value) from None

    def make(handler: Any) -> CoreSchema:
        schema = core_schema.no_info_plain_validator_function(made)
        return _with(schema, shown, core_schema.any_schema())

    return _Described(make, validation={"enum": [value for _, value in members]})


def _array(code: str) -> Form:
    cls = sys.modules["array"].array
    numbers: Any = list[float] if code in "fd" else list[int]
    return _listed(numbers, cls, lambda values: cls(code, values))


def _ndarray(type_: Any) -> Form:
    numpy: Any = sys.modules["numpy"]
    scalar = next((each for each in _inside(type_) if is_class(each) and is_numpy(each)), None)
    number = float if scalar is None else type(plain(scalar(0)))
    return _listed(_LIST[number], numpy.ndarray, lambda values: numpy.array(values, dtype=scalar))


def _inside(type_: Any) -> typing.Iterator[Any]:
    for each in get_args(type_):
        yield each
        yield from _inside(each)


def _listed(numbers: Any, cls: Any, build: Callable[[Any], Any]) -> Form:
    def make(handler: Any) -> CoreSchema:
        inner = handler.generate_schema(numbers)
        call = _calling(build)

        def made(value: Any, validate: Callable[[Any], Any]) -> Any:
            return value if isinstance(value, cls) else call(validate(value), value)

        schema = core_schema.no_info_wrap_validator_function(made, inner)
        return _with(schema, lambda value: value.tolist(), inner, only_json=False)

    return Form(make)
