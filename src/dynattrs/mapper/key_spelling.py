"""Keys that are read and would be written otherwise: `...22Z`, an upper-case UUID, a converted text.

An object of such an item carries its key as it is stored (`carried.StoredKey`); else a save would make
a second item, and a delete would find none. It is noticed by the shape of the stored text: what has
the shape that is written needs no second look, and everything else is compared with what is written.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import ipaddress
import pathlib
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import CodeType
from typing import Any, Final

import attrs

from dynattrs.errors import MappingError
from dynattrs.mapper import scalars
from dynattrs.mapper.anything import native
from dynattrs.mapper.carried import StoredKey, carry_on
from dynattrs.mapper.classes import ClassCodec, FieldCodec
from dynattrs.mapper.codec import Codec, TextsShape, show_stored
from dynattrs.mapper.equality import comparable
from dynattrs.mapper.key_rules import key_of_item
from dynattrs.mapper.numbers import plain_number
from dynattrs.mapper.source import Source
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import AttributeMap, AttributeValue

# `attrs.Factory` is a class that its stubs declare as a function.
_FACTORY: Final[Any] = attrs.Factory
_PLAIN: Final = scalars.PLAIN
_AS_TEXT: Final = (
    uuid.UUID,
    pathlib.PurePosixPath,
    pathlib.PureWindowsPath,
    pathlib.PurePath,
    pathlib.Path,
    ipaddress.IPv4Address,
    ipaddress.IPv6Address,
    ipaddress.IPv4Network,
    ipaddress.IPv6Network,
    ipaddress.IPv4Interface,
    ipaddress.IPv6Interface,
)

#: What is true where a stored value may be written otherwise, of its payload, `$p`, and of the value
#: that was read, `$v`. Nothing is where there is but one text for each value.
_SHAPES: Final[dict[Codec, str]] = {
    _PLAIN[str]: "",
    _PLAIN[bytes]: "",
    _PLAIN[int]: "str($v) != $p",
    _PLAIN[float]: "plain_number(repr($v)) != $p",
    _PLAIN[Decimal]: "plain_number($p) != $p",
    _PLAIN[dt.timedelta]: "plain_number($p) != $p",
    scalars.EPOCH: "plain_number($p) != $p",
    _PLAIN[dt.date]: "len($p) != 10",
    _PLAIN[dt.time]: "not (len($p) == 15 and $p[2] == $p[5] == ':' and $p[8] == '.')",
    _PLAIN[dt.datetime]: (
        "not (len($p) == 27 and $p[26] == 'Z' and $p[19] == '.' and $p[10] == 'T'"
        " and $p[4] == $p[7] == '-' and $p[13] == $p[16] == ':' and $p[11:13] < '24')"
    ),
    **{_PLAIN[cls]: "str($v) != $p" for cls in _AS_TEXT},
}

#: What the conditions call.
NAMES: Final[dict[str, Any]] = {"plain_number": plain_number}


def _never(stored: AttributeValue, value: Any) -> bool:
    return False


@attrs.frozen(eq=False)
class Check:
    """When an attribute may be stored so as its object does not tell.

    Attributes:
        field: The field.
        tag: The type tag of the attribute.
        condition: What is true then, of `$p`, the payload, `$v`, the field's value, `$a`, the
            attribute value, and `$t`, whether there is one.
        unlike: What is called so in the condition.
    """

    field: FieldCodec
    tag: str
    condition: str
    unlike: Callable[[AttributeValue, Any], bool] = _never

    def written(self, unlike: str, *, payload: str, value: str, there: str) -> str:
        """The condition as code."""
        return (
            self.condition.replace("unlike", unlike)
            .replace("$p", payload)
            .replace("$a", value)
            .replace("$v", f"instance.{self.field.name}")
            .replace("$t", there)
        )


def checks(codec: ClassCodec) -> list[Check]:
    """What is to be checked of the items of a model; nothing where its keys have but one text, it has no
    version, and no defaults that are made anew each time.
    """
    info = codec.model
    if info is None:
        return []
    found: list[Check] = []
    for field in codec.members if info.carries else ():
        if field.name == info.version:
            found.append(Check(field, "N", "not $v and $t"))
        elif _is_made_up(field):
            found.append(Check(field, "", "not $t"))
    for field in codec.members:
        if field.stored not in info.table.key:
            continue
        condition = shape_of(field.codec)
        if not _is_assigned(codec, field):
            condition = "$v != $p" if field.codec is _PLAIN[str] else "unlike($a, $v)"
        if condition:
            tag = info.table.type_of(field.stored)
            found.append(Check(field, tag, condition, _unlike(field.codec)))
    return found


def shape_of(codec: Codec) -> str:
    """When a value of a codec may be written otherwise in a key than it is stored."""
    if isinstance(codec.shape, TextsShape):
        return ""
    return _SHAPES.get(codec, "unlike($a, $v)")


def _unlike(codec: Codec) -> Callable[[AttributeValue, Any], bool]:
    def unlike(stored: AttributeValue, value: Any) -> bool:
        return _differ(stored, written_in_key(codec.dump(value)))

    return unlike


def _differ(stored: Mapping[str, Any], written: AttributeValue) -> bool:
    # Numbers by their text: some engines take 2 and 2.0 for two keys.
    return stored != written and ("N" in written or comparable(stored) != comparable(written))


def written_in_key(value: AttributeValue) -> AttributeValue:
    """A key attribute as it is sent: a number by its one text."""
    return {"N": plain_number(value["N"])} if "N" in value else value


def _is_assigned(codec: ClassCodec, field: FieldCodec) -> bool:
    """Whether the field of a new instance is what was given to the constructor, for sure."""
    cls = codec.record.cls
    if hasattr(cls, "__attrs_post_init__") or codec.record.build is not cls:
        return False
    if attrs.has(cls):
        code = getattr(cls.__init__, "__code__", None)
        generated = isinstance(code, CodeType) and code.co_filename.startswith("<attrs generated")
        return generated and attrs.fields_dict(cls)[field.name].converter is None
    return dataclasses.is_dataclass(cls) and not hasattr(cls, "__post_init__")


def _is_made_up(field: FieldCodec) -> bool:
    """Whether the default of a field may be another one for each object."""
    default = field.member.default
    return isinstance(default, _FACTORY) and not isinstance(default.factory, type)


def generate_check(codec: ClassCodec) -> Callable[[Any, Mapping[str, AttributeValue]], bool]:
    """What says of an instance, and the attribute map that it was made of, whether it may have to carry
    something (`keep`).
    """
    names = dict(NAMES)
    conditions = []
    for number, check in enumerate(checks(codec)):
        names[f"unlike{number}"] = check.unlike
        value = f"item[{check.field.stored!r}]"
        there = f"{check.field.stored!r} in item"
        payload = f"{value}[{check.tag!r}]"
        conditions.append(
            check.written(f"unlike{number}", payload=payload, value=value, there=there)
        )
    source = Source("odd", "instance, item", names)
    source.add(f"return {' or '.join(conditions) or 'False'}")
    function: Callable[[Any, Mapping[str, AttributeValue]], bool] = source.function(
        codec.record.cls
    )
    return function


def keep(
    codec: ClassCodec, info: ModelInfo, instance: Any, item: Mapping[str, AttributeValue]
) -> None:
    """Let an instance carry what it does not tell of its item: the key, where that is written otherwise,
    a version of 0, which an object that is new has too, and which of the defaults it was given are not
    stored.

    Raises:
        MappingError: Its class has no place for the key.
    """
    known: dict[str, AttributeValue | None] = {}
    for field in codec.members if info.carries else ():
        if field.name == info.version and field.stored in item:
            if not getattr(instance, field.name):
                known[field.stored] = native(item[field.stored])
        elif _is_made_up(field) and field.stored not in item:
            known[field.stored] = None
    if known:
        carry_on(instance, as_stored=known)
    stored = key_of_item(info, item)
    written = {**stored}
    for field in codec.members:
        if field.stored in stored:
            dumped = field.codec.dump(getattr(instance, field.name))
            written[field.stored] = native(written_in_key(dumped))
    keep_keys(info, instance, stored, written, item)


def keep_keys(
    info: ModelInfo,
    instance: Any,
    stored: AttributeMap,
    written: AttributeMap,
    item: Mapping[str, AttributeValue],
) -> None:
    """Let an instance carry its *stored* key, where that is not the *written* one.

    Raises:
        MappingError: Its class has no place for it.
    """
    for name, value in stored.items():
        if not _differ(value, written[name]):
            continue
        if not info.carries:
            raise refused(info, name, value, written[name], item)
        carry_on(instance, key=StoredKey(stored, written))
        return


def refused(
    info: ModelInfo,
    attribute: str,
    stored: AttributeValue,
    written: AttributeValue,
    item: Mapping[str, AttributeValue],
) -> MappingError:
    """The error for a key that an instance would have to carry and cannot."""
    names = {each: name for name, each in info.names.items()}
    return MappingError(
        f"{info.name}.{names.get(attribute, attribute)}",
        f"the key as it would be written, {show_stored(written)}",
        show_stored(stored),
        key_of_item(info, item),
        "an object of a class mapped with map_class cannot carry another form of its key, so a save "
        "would make a second item; declare the class with @model, or the field as str",
        dict(item),
    )


def keep_custom_key(
    codec: Codec, info: ModelInfo, instance: Any, item: Mapping[str, AttributeValue]
) -> None:
    """As `keep_key`, for a class with hooks of its own, of whose fields no more is known."""
    stored = key_of_item(info, item)
    made = codec.dump(instance).get("M", {})
    written = {name: native(written_in_key(made.get(name, stored[name]))) for name in stored}
    keep_keys(info, instance, stored, written, item)
