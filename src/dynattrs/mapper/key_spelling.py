"""Keys that are read and would be written otherwise: `...22Z`, an upper-case UUID, a converted text.

An object of such an item carries its key as it is stored (`carried.StoredKey`); else a save would make
a second item, and a delete would find none. It is noticed by the shape of the stored text: what has
the shape that is written needs no second look, and everything else is compared with what is written.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from types import CodeType
from typing import Any, Final

import attrs

from dynattrs.late_classes import frozen
from dynattrs.mapper import scalars
from dynattrs.mapper.classes import ClassCodec, FieldCodec
from dynattrs.mapper.codec import Codec, TextsShape
from dynattrs.mapper.equality import comparable
from dynattrs.mapper.numbers import plain_number
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import AttributeValue

PLAIN: Final = scalars.PLAIN

#: What is true where a stored value may be written otherwise, of its payload, `$p`, and of the value
#: that was read, `$v`. Nothing is where there is but one text for each value.
_SHAPES: Final[dict[Codec, str]] = {
    PLAIN[str]: "",
    PLAIN[bytes]: "",
    PLAIN[int]: "str($v) != $p",
    PLAIN[float]: "plain_number(repr($v)) != $p",
    PLAIN[Decimal]: "plain_number($p) != $p",
    PLAIN[dt.timedelta]: "plain_number($p) != $p",
    scalars.EPOCH: "plain_number($p) != $p",
    PLAIN[dt.date]: "len($p) != 10",
    PLAIN[dt.time]: "not (len($p) == 15 and $p[2] == $p[5] == ':' and $p[8] == '.')",
    # Measured (timeit): 540 -> 320 ns, and 930 -> 350 ns a UUID; tests/property/test_key_spelling.py holds
    # all shapes to what is written.
    PLAIN[dt.datetime]: (
        "len($p) != 27 or $p[4:20:3] != '--T::.' or $p[26] != 'Z' or $p[11:13] > '23'"
    ),
    PLAIN[uuid.UUID]: (
        "$p[8:24:5] != '----' or $p.encode().translate(None, b'0123456789abcdef') != b'----'"
    ),
    **{PLAIN[cls]: "str($v) != $p" for cls in scalars.TEXTS if cls is not uuid.UUID},
}

#: What the conditions call.
NAMES: Final[dict[str, Any]] = {"plain_number": plain_number}


@frozen(eq=False)
class Check:
    """When an attribute may be stored so as its object does not tell.

    Attributes:
        attribute: The attribute.
        tag: Its type tag.
        condition: What is true then, of `$p`, the payload, `$a`, the attribute value, `$t`, whether there
            is one, and `$i`, the instance.
        functions: What is called `$0`, `$1`, … in the condition.
        texts: Attributes whose payloads, texts, are called `$s0`, `$s1`, … in it.
    """

    attribute: str
    tag: str
    condition: str
    functions: tuple[Callable[..., Any], ...] = ()
    texts: tuple[str, ...] = ()

    def written(
        self,
        bind: Callable[[str, Any], str],
        payload: Callable[[str, str], str],
        *,
        value: str,
        there: str,
    ) -> str:
        """The condition as code, in which *bind* names objects, and *payload* is the code of an
        attribute's payload with some type tag.
        """
        code = f"({self.condition})"
        for number, function in enumerate(self.functions):
            code = code.replace(f"${number}", bind("check", function))
        for number, attribute in enumerate(self.texts):
            code = code.replace(f"$s{number}", payload(attribute, "S"))
        code = code.replace("$p", payload(self.attribute, self.tag))
        for name, meant in (("$a", value), ("$t", there), ("$i", "instance")):
            code = code.replace(name, meant)
        return code


def key_checks(codec: ClassCodec, info: ModelInfo) -> Iterator[Check]:
    """What is to be checked of fields that are key attributes; nothing where they have but one text."""
    for field in codec.members:
        if field.stored not in info.table.key:
            continue
        condition = shape_of(field.codec)
        if not is_assigned(codec, field):
            condition = "$v != $p" if field.codec is PLAIN[str] else "unlike($a, $v)"
        if condition:
            condition = condition.replace("unlike", "$0").replace("$v", f"$i.{field.name}")
            tag = info.table.type_of(field.stored)
            yield Check(field.stored, tag, condition, (_unlike(field.codec),))


def shape_of(codec: Codec) -> str:
    """When a value of a codec may be written otherwise in a key than it is stored."""
    if isinstance(codec.shape, TextsShape):
        return ""
    return _SHAPES.get(codec, "unlike($a, $v)")


def _unlike(codec: Codec) -> Callable[[AttributeValue, Any], bool]:
    def unlike(stored: AttributeValue, value: object) -> bool:
        return differ(stored, written_in_key(codec.dump(value)))

    return unlike


def differ(stored: Mapping[str, object], written: AttributeValue) -> bool:
    # Numbers by their text: some engines take 2 and 2.0 for two keys.
    return stored != written and ("N" in written or comparable(stored) != comparable(written))


def written_in_key(value: AttributeValue) -> AttributeValue:
    """A key attribute as it is sent: a number by its one text."""
    return {"N": plain_number(value["N"])} if "N" in value else value


def is_assigned(codec: ClassCodec, field: FieldCodec) -> bool:
    """Whether the field of a new instance is what was given to the constructor, for sure."""
    cls = codec.record.cls
    if hasattr(cls, "__attrs_post_init__") or codec.record.build is not cls:
        return False
    if attrs.has(cls):
        code = getattr(cls.__init__, "__code__", None)
        generated = isinstance(code, CodeType) and code.co_filename.startswith("<attrs generated")
        return generated and attrs.fields_dict(cls)[field.name].converter is None
    return dataclasses.is_dataclass(cls) and not hasattr(cls, "__post_init__")
