"""Codecs of lists, tuples, sets, maps and optionals."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Any, Final

from dynattrs.mapper import scalars
from dynattrs.mapper.anything import (
    ANY_CODEC,
    check_name,
    distinct,
    dump_set,
    from_plain,
)
from dynattrs.mapper.codec import (
    ANY,
    SETS,
    Codec,
    KeyedMapShape,
    ListShape,
    MapShape,
    OptionalShape,
    Refused,
    SetShape,
    Trail,
    TupleShape,
    show,
    show_stored,
)
from dynattrs.mapper.equality import as_written
from dynattrs.mapper.number_lists import number_lists
from dynattrs.quoting import quoted
from dynattrs.schema.ordering import in_order
from dynattrs.schema.table import AttributeValue

_TEXT_KINDS: Final = (frozenset({"S"}), frozenset({"N"}))


def list_codec(type_: object, element: Codec, build: Callable[[Iterable[Any]], object]) -> Codec:
    """L of one kind of member. *build* makes the sequence: `list`, `tuple`, …"""

    def dump(value: Any) -> AttributeValue:
        member = element.dump
        if type(value) is not list:
            check_sequence(value)
        return {"L": [member(each) for each in value]}

    def load(value: AttributeValue) -> Any:
        member = element.load
        return build([member(each) for each in value["L"]])

    def dump_at(value: Any, trail: Trail) -> AttributeValue:
        check_sequence(value)
        return {"L": _each(value, element.dump_at, trail)}

    def load_at(value: AttributeValue, trail: Trail) -> Any:
        return build(_each(value["L"], element.load_at, trail))

    many = number_lists(element)
    return Codec(
        type_, frozenset({"L"}),
        dump if many is None else many.dump(dump),
        load if many is None else many.load(load, build),
        expected=f"a {getattr(build, '__name__', 'list')}",
        dump_at=dump_at, load_at=load_at, element=element, shape=ListShape(element, build),
    )  # fmt: skip


def check_sequence(value: object) -> None:
    # Text is a sequence of text to Python; to store it as a list is never meant. An iterator
    # is gone once it is read, and a list was promised.
    if isinstance(value, (str, bytes, Mapping, AbstractSet)) or not isinstance(value, Collection):
        raise Refused("a list or another sequence", show(value))


def _each(values: Iterable[object], one: Callable[[Any, Trail], object], trail: Trail) -> list[Any]:
    out = []
    for position, value in enumerate(values):
        trail.parts.append(f"[{position}]")
        out.append(one(value, trail))
        trail.parts.pop()
    return out


def tuple_codec(type_: Any, elements: tuple[Codec, ...]) -> Codec:
    """L of a fixed length, each place with its own type."""
    length = len(elements)
    expected = f"a tuple of {length}"

    def check(values: Any, found: str) -> None:
        if len(values) != length:
            raise Refused(expected, found)

    def dump_at(value: Any, trail: Trail) -> AttributeValue:
        check_sequence(value)
        check(value, f"a sequence of {len(value)}")
        return {"L": _zip(elements, value, lambda codec: codec.dump_at, trail)}

    def load_at(value: AttributeValue, trail: Trail) -> Any:
        check(value["L"], show_stored(value))
        return tuple(_zip(elements, value["L"], lambda codec: codec.load_at, trail))

    def dump(value: Any) -> AttributeValue:
        check_sequence(value)
        check(value, f"a sequence of {len(value)}")
        return {"L": [codec.dump(each) for codec, each in zip(elements, value, strict=True)]}

    def load(value: AttributeValue) -> Any:
        check(value["L"], show_stored(value))
        return tuple(codec.load(each) for codec, each in zip(elements, value["L"], strict=True))

    def plain(value: object) -> AttributeValue:
        if not isinstance(value, list) or len(value) != length:
            raise Refused(expected, show(value))
        return {"L": [from_plain(each, codec) for codec, each in zip(elements, value, strict=True)]}

    return Codec(
        type_, frozenset({"L"}), dump, load,
        expected=expected, dump_at=dump_at, load_at=load_at, plain=plain, shape=TupleShape(elements),
    )  # fmt: skip


def _zip(elements: tuple[Codec, ...], values: Any, way: Any, trail: Trail) -> list[Any]:
    out = []
    for position, (codec, value) in enumerate(zip(elements, values, strict=True)):
        trail.parts.append(f"[{position}]")
        out.append(way(codec)(value, trail))
        trail.parts.pop()
    return out


def set_codec(type_: object, element: Codec, build: Callable[[Iterable[Any]], object]) -> Codec:
    """SS, NS or BS by the member's type; L where members have another form, and for the empty set.

    The service has no empty sets. A field leaves an empty set out (see `classes`); everywhere else
    it is an empty list, and a list is read as a set wherever a set is declared. Members of a list are
    written in one order, whatever Python's is: the service compares lists, and JSON, with their order.
    """
    member_tag = element.tag if not element.optional else None
    tag = SETS.get(member_tag or "")
    # A type with hooks of its own is known only by what it dumps.
    open_ended = element.tags == ANY
    # Plain members that Python tells apart are stored differently.
    apart = any(element is scalars.PLAIN[each] for each in (str, int, float, Decimal, bytes))

    def pack(members: list[AttributeValue]) -> AttributeValue:
        if not members:
            return {"L": []}
        if tag is not None and member_tag is not None:
            payloads = [member[member_tag] for member in members]
            return {tag: payloads if apart else distinct(member_tag, payloads)}
        return dump_set(members) if open_ended else {"L": in_order(members)}

    def members_of(value: AttributeValue) -> list[AttributeValue]:
        ((stored, payload),) = value.items()
        if stored == "L":
            return list(payload)
        if stored not in SETS.values():
            raise Refused("a set", show_stored(value))
        return [{stored[0]: member} for member in payload]

    def check(value: object) -> None:
        if not isinstance(value, (set, frozenset)):
            raise Refused("a set", show(value))

    def dump(value: Any) -> AttributeValue:
        check(value)
        member = element.dump
        return pack([member(each) for each in value])

    def load(value: AttributeValue) -> Any:
        member = element.load
        return build([member(each) for each in members_of(value)])

    def dump_at(value: Any, trail: Trail) -> AttributeValue:
        check(value)
        members = []
        for each in value:
            # A set has no positions: the member itself says which one it is.
            trail.parts.append(f"{{{show(each)}}}")
            members.append(element.dump_at(each, trail))
            trail.parts.pop()
        return pack(members)

    def load_at(value: AttributeValue, trail: Trail) -> Any:
        return build(_each(members_of(value), element.load_at, trail))

    def plain(value: object) -> AttributeValue:
        if not isinstance(value, list):
            return from_plain(value, ANY_CODEC)
        members = [from_plain(each, element) for each in value]
        kinds = {one for member in members for one in member}
        if len(kinds) == 1 and (
            kinds <= SETS.keys() if open_ended else tag and kinds == {member_tag}
        ):
            with contextlib.suppress(Refused):  # the same member twice: read as one
                return pack(members)
        return {"L": members}

    tags = frozenset({tag}) if tag else frozenset({*SETS.values(), "L"} if open_ended else {"L"})
    shape = (
        SetShape(element, tag, member_tag, build)
        if tag is not None and member_tag is not None
        else None
    )
    return Codec(
        type_, tags, dump, load, expected="a set",
        dump_at=dump_at, load_at=load_at, element=element, is_set=True, plain=plain, shape=shape,
    )  # fmt: skip


def dict_codec(
    type_: Any,
    key: Codec,
    element: Codec,
    build: Callable[[dict[Any, Any]], Any],
    check_name: Callable[[Any], str] = check_name,
) -> Codec:
    """M with one kind of member. Keys are text, or what is stored as text or number."""
    if key.tags not in _TEXT_KINDS or key.optional:
        raise Refused(
            "a dict whose keys have a text form",
            f"keys of type {_name(key.type)}",
            "use str keys, or a list of pairs",
        )
    (key_tag,) = key.tags
    plain = key.type is str

    def name_of(each: object) -> str:
        return check_name(key.dump(each)[key_tag])

    def check(value: object) -> None:
        if not isinstance(value, Mapping):
            raise Refused("a dict", show(value))

    def whole(named: dict[str, AttributeValue], value: Any) -> AttributeValue:
        if len(named) != len(value):
            raise Refused(
                "keys that stay different as text",
                f"{len(value)} keys with {len(named)} text forms",
            )
        return {"M": named}

    def dump(value: Any) -> AttributeValue:
        check(value)
        member = element.dump
        return whole({name_of(each): member(value[each]) for each in value}, value)

    def all_of(loaded: dict[Any, Any], stored: Mapping[str, AttributeValue]) -> Any:
        if len(loaded) != len(stored):
            raise Refused(
                f"keys that stay different as {_name(key.type)}",
                f"{len(stored)} keys that are {len(loaded)}: {', '.join(map(quoted, stored))}",
            )
        return build(loaded)

    def load(value: AttributeValue) -> Any:
        member = element.load
        stored = value["M"]
        if plain:
            return build({name: member(each) for name, each in stored.items()})
        as_key = key.load
        return all_of(
            {as_key({key_tag: name}): member(each) for name, each in stored.items()}, stored
        )

    def dump_at(value: Any, trail: Trail) -> AttributeValue:
        check(value)
        named = {}
        for each in value:
            trail.parts.append(f"[{quoted(each)}]")
            name = check_name(key.dump_at(each, trail)[key_tag])
            named[name] = element.dump_at(value[each], trail)
            trail.parts.pop()
        return whole(named, value)

    def load_at(value: AttributeValue, trail: Trail) -> Any:
        loaded = {}
        for name, each in value["M"].items():
            trail.parts.append(f"[{quoted(name)}]")
            as_key = key.load_at({key_tag: name}, trail)
            if not plain:
                # As the model writes it: an edit looks there for attributes that would be lost.
                trail.parts[-1] = f"[{quoted(as_written({key_tag: name}, key)[key_tag])}]"
            loaded[as_key] = element.load_at(each, trail)
            trail.parts.pop()
        return all_of(loaded, value["M"])

    return Codec(
        type_, frozenset({"M"}), dump, load, expected="a dict",
        dump_at=dump_at, load_at=load_at, element=element, key=None if plain else key,
        shape=MapShape(element, build) if plain else KeyedMapShape(name_of, element, key, build),
    )  # fmt: skip


def _name(type_: object) -> str:
    return getattr(type_, "__name__", None) or str(type_)


def optional_codec(type_: object, inner: Codec) -> Codec:
    """`T | None`: NULL or what T is. The codecs below are reached through it.

    Raises:
        Refused: A value of T other than None is stored as NULL too.
    """
    if inner.optional and inner.load({"NULL": True}) is not None:
        raise Refused(
            "a type whose only value stored as NULL is None",
            f"{inner.expected}, and None",
            "they could not be told apart when read: give that member another value",
        )

    def dump(value: object) -> AttributeValue:
        return {"NULL": True} if value is None else inner.dump(value)

    def load(value: AttributeValue) -> Any:
        return None if "NULL" in value else inner.load(value)

    def dump_at(value: object, trail: Trail) -> AttributeValue:
        return {"NULL": True} if value is None else inner.dump_at(value, trail)

    def load_at(value: AttributeValue, trail: Trail) -> Any:
        return None if "NULL" in value else inner.load_at(value, trail)

    def plain(value: object) -> AttributeValue:
        return {"NULL": True} if value is None else from_plain(value, inner)

    made = Codec(
        type_, inner.tags, dump, load, expected=f"{inner.expected} or None",
        dump_at=dump_at, load_at=load_at, element=inner.element, key=inner.key, fields=inner.fields,
        names=inner.names, optional=True, is_set=inner.is_set, plain=plain,
        sparse=inner.sparse, required=inner.required, rules=inner.rules, shape=OptionalShape(inner),
        compared=None if inner.compared is inner else optional_codec(type_, inner.compared),
        packed=inner.packed, form=inner.form,
    )  # fmt: skip
    made.mark = inner.mark
    made.besides = inner.besides
    return made
