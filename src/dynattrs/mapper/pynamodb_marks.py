"""The stored forms of PynamoDB's own attributes, as marks: `Annotated[datetime, pynamodb.UTCDateTime]`.

Each writes exactly what PynamoDB 5 and 6 write, so that a condition of either program finds the items of
both, and reads all that they have ever written. Those of pynamodb-attributes are in `pynamodb_extras`.

https://pynamodb.readthedocs.io/en/stable/attributes.html
https://pynamodb.readthedocs.io/en/stable/upgrading_binary.html
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, get_args, get_origin

from dynattrs.deferral import pattern
from dynattrs.errors import ModelError
from dynattrs.mapper import containers, json_values, scalars, temporal, unions
from dynattrs.mapper.annotations import SETS, CodecsOf, FormMark, arms, show_type
from dynattrs.mapper.anything import plain_json
from dynattrs.mapper.classes import ClassCodec
from dynattrs.mapper.codec import Codec, Refused, Trail, show, show_stored
from dynattrs.mapper.stored_forms import Forms
from dynattrs.schema.model_info import BASE64
from dynattrs.schema.table import AttributeValue

_NOT_ASCII = pattern(r"[^\x00-\x7f]")


def without_none(type_: Any) -> tuple[Any, bool]:
    """A type without None, and whether that was in it."""
    parts = [each for each in arms(type_) if each is not type(None)]
    if len(parts) != 1:
        return type_, False
    return parts[0], len(arms(type_)) > 1


class ScalarMark(FormMark):
    """A mark for one type, or None besides.

    Args:
        name: Its name.
        doc: What it stores.
        made: The codec of the type.
    """

    def __init__(self, name: str, doc: str, made: Codec) -> None:
        super().__init__(name, doc)
        self._made = made

    def codec(self, codecs: CodecsOf, type_: object, inner: Any) -> Codec:
        plain, optional = without_none(inner)
        if plain is not self._made.type:
            wanted = show_type(self._made.type)
            raise Refused(f"{self!r} on a {wanted}", f"{self!r} on {show_type(inner)}")
        return containers.optional_codec(type_, self._made) if optional else self._made


# --- Datetimes ----------------------------------------------------------------------------------

_LENGTH: Final = 31
_UTC: Final = dt.timezone.utc


def _dump_utc(value: object) -> AttributeValue:
    if type(value) is dt.datetime and value.tzinfo is _UTC:
        return {"S": f"{value.isoformat(timespec='microseconds')[:-6]}+0000"}
    instant = temporal.exact(value).replace(tzinfo=None)
    return {"S": f"{instant.isoformat(timespec='microseconds')}+0000"}


def _load_utc(value: AttributeValue) -> dt.datetime:
    text: str = value["S"]
    if text[26:] != "+0000":
        # Years before 1000 were once written with fewer digits.
        text = text.zfill(_LENGTH) if text.endswith("+0000") else text
        return temporal.load_datetime({"S": text})
    try:
        instant = dt.datetime.fromisoformat(text[:26])
    except ValueError:
        return temporal.load_datetime(value)
    return temporal.load_datetime(value) if instant.tzinfo else instant.replace(tzinfo=_UTC)


UTC_DATETIME: Final = Codec(
    dt.datetime, frozenset({"S"}), _dump_utc, _load_utc, expected=temporal.AWARE,
    form="PynamoDB's datetime",
)  # fmt: skip
UTCDateTime: Final = ScalarMark(
    "UTCDateTime",
    "`UTCDateTimeAttribute`: S, `2026-11-23T12:30:00.000000+0000`, which is all that PynamoDB reads.",
    UTC_DATETIME,
)


# --- Booleans -----------------------------------------------------------------------------------


class _Boolean(Codec):
    """BOOL; also N, as very old versions of PynamoDB wrote it."""

    besides = frozenset({"N"})


def _load_bool(value: AttributeValue) -> bool:
    return Decimal(value["N"]) != 0 if "N" in value else scalars.load_bool(value)


BOOL: Final = _Boolean(bool, frozenset({"BOOL"}), scalars.dump_bool, _load_bool, expected="a bool")
LegacyBoolean: Final = ScalarMark(
    "LegacyBoolean",
    "`BooleanAttribute`: BOOL. N is read, too, as `LegacyBooleanAttribute` wrote it.",
    BOOL,
)


# --- Binaries -----------------------------------------------------------------------------------


def _dump_legacy(value: object) -> AttributeValue:
    return {"B": base64.b64encode(scalars.dump_bytes(value)["B"])}


def _load_legacy(value: AttributeValue) -> bytes:
    stored = scalars.load_bytes(value)
    try:
        return base64.b64decode(stored, validate=True)
    except binascii.Error as error:
        raise Refused(
            "the base64 text of bytes (B)", show_stored(value),
            f"{error}: declare it with pynamodb.Binary where bytes are stored as they are",
        ) from None  # fmt: skip


LEGACY: Final = Codec(
    bytes, frozenset({"B"}), _dump_legacy, _load_legacy, expected="bytes", packed=BASE64
)


class _BinaryMark(FormMark):
    """A mark for `bytes`, for a set of them, and for None besides bytes."""

    def __init__(self, name: str, doc: str, member: Codec) -> None:
        super().__init__(name, doc)
        self._member = member

    def codec(self, codecs: CodecsOf, type_: object, inner: Any) -> Codec:
        plain, optional = without_none(inner)
        if plain is bytes:
            return containers.optional_codec(type_, self._member) if optional else self._member
        build = SETS.get(get_origin(plain))
        if build is None or get_args(plain) != (bytes,) or optional:
            raise Refused(
                f"{self!r} on bytes or a set of them", f"{self!r} on {show_type(inner)}",
                "an empty set is not stored, and would be read as None" if build else "",
            )  # fmt: skip
        return containers.set_codec(type_, self._member, build)


LegacyBinary: Final = _BinaryMark(
    "LegacyBinary",
    "`BinaryAttribute` and `BinarySetAttribute` of PynamoDB 5, and of 6 with `legacy_encoding=True`: B "
    "or BS, the base64 text of the bytes. For fields of a model itself.",
    LEGACY,
)
Binary: Final = _BinaryMark(
    "Binary",
    "`BinaryAttribute` and `BinarySetAttribute` of PynamoDB 6 with `legacy_encoding=False`: B or BS.",
    scalars.PLAIN[bytes],
)


# --- JSON ---------------------------------------------------------------------------------------


def _dump_float(value: object) -> AttributeValue:
    if isinstance(value, float) and value - value != 0:
        name = "NaN" if value != value else "Infinity"
        return {"N": f"-{name}" if value == -float("inf") else name}
    return json_values.PLAIN[float].dump(value)


def _load_float(value: AttributeValue) -> float:
    return float(value["N"])


JSON_SCALARS: Final[Mapping[Any, Codec]] = {
    float: Codec(float, frozenset({"N"}), _dump_float, _load_float, expected="a float"),
}


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 | code >> 10:04x}\\u{0xDC00 | code & 0x3FF:04x}"


class _JsonMark(FormMark):
    def codec(self, codecs: CodecsOf, type_: object, inner: Any) -> Codec:
        form = codecs if codecs.forms is not None else codecs.formed(Forms())
        inside = form.in_json.codec(inner)

        def text(stored: AttributeValue) -> AttributeValue:
            return {"S": _NOT_ASCII.sub(_escaped, plain_json(stored))}

        def parsed(value: AttributeValue) -> AttributeValue:
            return json_values.parse(value["S"], inside, strict=False)

        return Codec(
            type_, frozenset({"S"}),
            lambda value: text(inside.dump(value)), lambda value: inside.load(parsed(value)),
            expected=f"{inside.expected} as JSON",
            dump_at=lambda value, trail: text(inside.dump_at(value, trail)),
            load_at=lambda value, trail: inside.load_at(parsed(value), trail), packed="JSON text",
        )  # fmt: skip


Json: Final = _JsonMark(
    "Json",
    "`JSONAttribute`: S, the text of `json.dumps`, with its escapes, NaN and infinities.",
)


# --- What stands inside of others ---------------------------------------------------------------


class _NullWhereEmpty(Codec):
    """A set as a member of a list: NULL where it is empty."""

    besides = frozenset({"NULL"})


def null_where_empty(codec: Codec) -> Codec:
    """The codec of sets in a list. PynamoDB reads nothing but NULL as no set there."""

    def dump(value: Any) -> AttributeValue:
        return codec.dump(value) if value or not _is_set(value) else {"NULL": True}

    def dump_at(value: Any, trail: Trail) -> AttributeValue:
        return codec.dump_at(value, trail) if value or not _is_set(value) else {"NULL": True}

    def load(value: AttributeValue) -> Any:
        return codec.load({"L": []} if "NULL" in value else value)

    def load_at(value: AttributeValue, trail: Trail) -> Any:
        return codec.load_at({"L": []} if "NULL" in value else value, trail)

    return _NullWhereEmpty(
        codec.type, codec.tags, dump, load, expected=codec.expected, dump_at=dump_at,
        load_at=load_at, element=codec.element, is_set=True, plain=codec.plain,
    )  # fmt: skip


def _is_set(value: object) -> bool:
    return isinstance(value, (set, frozenset))


class Discriminator(FormMark):
    """`DiscriminatorAttribute` of map attributes: M with the attribute *name*, whose value tells the class.

        shape: Annotated[Circle | Square | None, Discriminator("cls", {"circle": Circle, "square": Square})]

    Args:
        name: The attribute's stored name.
        classes: The classes by their values. Of several values of one class the first one is written, and
            all are read. None stands for a map without the attribute, such as an update of its parts
            makes.

    Raises:
        ModelError: An argument is something else; or, where it is declared, a class of the union has no
            value.
    """

    def __init__(self, name: str, classes: Mapping[str | None, type[Any]]) -> None:
        super().__init__(f"Discriminator({name!r}, ...)", type(self).__doc__ or "")
        given: Any = (name, classes)
        if not isinstance(given[0], str) or not name:
            raise ModelError("Discriminator", f"{name!r}: the name of an attribute is expected")
        if not isinstance(given[1], Mapping) or not all(
            (value is None or isinstance(value, str)) and isinstance(cls, type)
            for value, cls in given[1].items()
        ):
            raise ModelError("Discriminator", "classes: a dict of classes by texts is expected")
        self._tag = name
        self._classes = dict(classes)

    def codec(self, codecs: CodecsOf, type_: object, inner: Any) -> Codec:
        types = [each for each in arms(inner) if each is not type(None)]
        missing = [show_type(each) for each in types if each not in self._classes.values()]
        if missing:
            raise Refused(
                f"a value of {self._tag!r} for each class", f"none for {' and '.join(missing)}"
            )
        strange = [each.__name__ for each in self._classes.values() if each not in types]
        if strange:
            raise Refused(
                f"the union of all classes with a value of {self._tag!r}",
                f"{show_type(inner)} without {' and '.join(strange)}",
            )
        members = [codecs.codec(each) for each in types]
        found = {each.record.cls: each for each in members if isinstance(each, ClassCodec)}
        if len(found) < len(members):
            raise Refused("classes, stored as maps", show_type(inner))
        by_name = {name: found[cls] for name, cls in self._classes.items()}
        made = unions.tagged_codec(type_, tuple(found.values()), unions.Tag(self._tag, by_name))
        return containers.optional_codec(type_, made) if type(None) in arms(inner) else made


def _refuse_bytes(value: object) -> AttributeValue:
    raise Refused(
        "text, numbers, booleans, None, lists and maps, where no annotation says more", show(value),
        "PynamoDB 5 adds a layer of base64 to bytes inside of lists and maps with each save",
    )  # fmt: skip


#: What `forms=` says of plain types.
SCALARS: Final[Mapping[Any, Codec]] = {dt.datetime: UTC_DATETIME, bool: BOOL}
IN_ANY: Final[Mapping[type[object], Callable[[Any], AttributeValue]]] = dict.fromkeys(
    (bytes, bytearray, memoryview), _refuse_bytes
)
