"""Attribute maps that are measured while they are made.

A generated function for each class makes the item and counts its bytes in one go, where `size` would
walk over the finished item once more. It knows the usual types of values and raises at everything
else that it is given; then `Mapper.dump` and `item_size` do the work, and write the error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from dynattrs import limits
from dynattrs.mapper import scalars
from dynattrs.mapper.classes import NOTHING_CARRIED, ClassCodec, FieldCodec, Source, carried_by
from dynattrs.mapper.codec import Codec, Maybe, Members, Several
from dynattrs.mapper.size import item_size, value_size
from dynattrs.schema.table import AttributeMap, AttributeValue

#: Makes the attribute map of an instance, and counts its bytes.
SizedDump = Callable[[Any], tuple[AttributeMap, int]]

_STR: Final = scalars.PLAIN[str]


class Unusual(Exception):
    """The fast way met what only the general one may judge."""


# Lines for one value, `each`: when they hold, how it is stored, and how large that is.
_SCALARS: Final[dict[Codec, tuple[str, str, str]]] = {
    _STR: (
        "type(each) is str",
        "{'S': each}",
        "(len(each) if each.isascii() else len(each.encode()))",
    ),
    scalars.PLAIN[int]: (
        "type(each) is int and LEAST < each < MOST",
        "{'N': (text := str(each))}",
        "len(text.strip('-0.')) // 2 + 2",
    ),
    scalars.PLAIN[float]: (
        "type(each) is float and 1e-130 <= abs(each) < 1e126",
        "{'N': (text := repr(each))}",
        "len(text.strip('-0.')) // 2 + 2",
    ),
    scalars.PLAIN[bool]: ("each is True or each is False", "{'BOOL': each}", "1"),
    scalars.PLAIN[bytes]: ("type(each) is bytes", "{'B': each}", "len(each)"),
}


def generate_sized(codec: ClassCodec) -> SizedDump:
    """The function that turns an instance into its attribute map and counts the bytes of it.

    It raises `Unusual`, or anything else, where it leaves the work to the general codecs.
    """
    names: dict[str, Any] = {
        "LEAST": -(10**limits.NUMBER_DIGITS),
        "MOST": 10**limits.NUMBER_DIGITS,
        "NOTHING_CARRIED": NOTHING_CARRIED,
        "SETS": (set, frozenset),
        "Unusual": Unusual,
        "carried_by": carried_by,
        "item_size": item_size,
        "strings": _strings,
        "texts": _texts,
        "value_size": value_size,
    }
    return _class(codec, 1, names, ())


def _class(
    codec: ClassCodec, depth: int, names: dict[str, Any], outer: tuple[ClassCodec, ...]
) -> SizedDump:
    def bind(stem: str, value: Any) -> str:
        name = f"{stem}_{len(names)}"
        names[name] = value
        return name

    source = Source("dump", "value", names)
    cls = bind("cls", codec.record.cls)
    source.add(f"if type(value) is not {cls}: raise Unusual", "item = {}", "size = 0")
    for field in codec.members:
        source.add(f"each = value.{field.name}")
        lines = _field(field, depth, bind, names, (*outer, codec))
        if field.always_set:
            # What is falsy and no set goes to its codec, which refuses it.
            source.add("if each or not isinstance(each, SETS):", *_indented(lines))
        elif field.member.defaults_to_none:
            source.add("if each is not None:", *_indented(lines))
        else:
            source.add(*lines)
    if codec.carries:
        kept_by = bind("kept_by", codec.kept_by)
        source.add(
            "if carried_by(value) is not NOTHING_CARRIED:",
            f"    kept = {kept_by}(value)",
            "    item.update(kept)",
            "    size += item_size(kept)" if depth == 1
            else f"    size += value_size({{'M': kept}}, {depth - 1}) - 3",
        )  # fmt: skip
    source.add("return item, size")
    function: SizedDump = source.function(codec.record.cls)
    return function


def _field(
    field: FieldCodec,
    depth: int,
    bind: Callable[[str, Any], str],
    names: dict[str, Any],
    outer: tuple[ClassCodec, ...],
) -> list[str]:
    """The lines that store `each`, and count it with its name."""
    # A member of a map costs a byte more than an attribute of the item.
    name_size = len(field.stored.encode()) + (depth > 1)
    place = f"item[{field.stored!r}]"
    dump = bind("dump", field.codec.dump)
    general = [
        f"{place} = stored = {dump}(each)",
        f"size += {name_size} + value_size(stored, {depth})",
    ]
    codec = field.codec
    lines: list[str] = []
    if isinstance(codec.shape, Maybe):
        codec = codec.shape.inner
        if not field.member.defaults_to_none:
            lines = [
                "if each is None:",
                f"    {place} = {{'NULL': True}}",
                f"    size += {name_size} + 1",
            ]
    usual = _usual(codec, place, name_size, depth, bind, names, outer)
    if not usual:
        return general
    lines += [
        f"{'elif' if lines else 'if'} {usual[0]}:",
        *_indented(usual[1:]),
        "else:",
        *_indented(general),
    ]
    return lines


def _usual(
    codec: Codec,
    place: str,
    name_size: int,
    depth: int,
    bind: Callable[[str, Any], str],
    names: dict[str, Any],
    outer: tuple[ClassCodec, ...],
) -> list[str]:
    """The condition that `each` is as usual, and the lines for it; none where nothing is."""
    found = _SCALARS.get(codec)
    if found is not None:
        condition, stored, size = found
        return [condition, f"{place} = {stored}", f"size += {name_size} + {size}"]
    shape = codec.shape
    if isinstance(shape, Members) and shape.element is _STR:
        return [
            "type(each) in SETS and each",
            "members, bytes_ = strings(each)",
            f"{place} = {{'SS': members}}",
            f"size += {name_size} + bytes_",
        ]
    if isinstance(shape, Several) and shape.element is _STR:
        return [
            "type(each) is list",
            "members, bytes_ = texts(each)",
            f"{place} = {{'L': members}}",
            f"size += {name_size} + bytes_",
        ]
    if isinstance(codec, ClassCodec) and codec not in outer and depth < limits.NESTING_DEPTH:
        nested = bind("nested", _class(codec, depth + 1, names, outer))
        return [
            f"type(each) is {bind('cls', codec.record.cls)}",
            f"inner, bytes_ = {nested}(each)",
            f"{place} = {{'M': inner}}",
            f"size += {name_size} + 3 + bytes_",
        ]
    return []


def _strings(values: Iterable[Any]) -> tuple[list[str], int]:
    members = list(values)
    size = 0
    for each in members:
        if type(each) is not str:
            raise Unusual
        size += len(each) if each.isascii() else len(each.encode())
    return members, size


def _texts(values: Iterable[Any]) -> tuple[list[AttributeValue], int]:
    members: list[AttributeValue] = []
    size = 3
    for each in values:
        if type(each) is not str:
            raise Unusual
        members.append({"S": each})
        size += 1 + (len(each) if each.isascii() else len(each.encode()))
    return members, size


def _indented(lines: Iterable[str]) -> list[str]:
    return ["    " + line for line in lines]
