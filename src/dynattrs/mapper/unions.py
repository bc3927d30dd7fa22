"""Codecs of unions: told apart by what is stored, or by a tag where several classes are maps."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple, get_origin

from dynattrs.mapper.annotations import show_type
from dynattrs.mapper.anything import JsonNumber, JsonObject, from_plain, load_any
from dynattrs.mapper.classes import ClassCodec
from dynattrs.mapper.codec import (
    ANY,
    Codec,
    Refused,
    Trail,
    UnionShape,
    show,
    show_instead,
    show_stored,
)
from dynattrs.schema.table import AttributeMap, AttributeValue

#: The name of the tag, and its value the class's name: as cattrs' tagged unions have it.
TAG: Final = "_type"

# What a value of plain JSON may have been. Where both text and bytes may, it is read as text.
_FORMS: Final[dict[type[object], tuple[str, ...]]] = {
    str: ("S", "B"),
    bool: ("BOOL",),
    int: ("N",),
    Decimal: ("N",),
    type(None): ("NULL",),
    list: ("L", "SS", "NS", "BS"),
    dict: ("M",),
    JsonNumber: ("N",),
    JsonObject: ("M",),
}


def union_codec(type_: object, members: tuple[Codec, ...]) -> Codec:
    """The codec of a union of two or more types, None apart.

    Raises:
        Refused: Two members look the same when they are stored.
    """
    tagged = tuple(member for member in members if isinstance(member, ClassCodec))
    if len(tagged) > 1:
        together = tagged_codec(type_, tagged)
        if len(tagged) == len(members):
            return together
        members = (*(member for member in members if member not in tagged), together)
    return _by_form(type_, members)


def _by_form(type_: object, members: tuple[Codec, ...]) -> Codec:
    """Members with different stored forms: the type tag tells which one it is."""
    by_tag: dict[str, Codec] = {}
    for member in members:
        for tag in member.tags | ({"L"} if member.is_set else frozenset()):
            if tag in by_tag:
                raise Refused(
                    "a union whose members are stored differently",
                    f"{show_type(by_tag[tag].type)} | {show_type(member.type)}: both are stored as "
                    f"{tag}, so the type would be lost",
                    "use one of them, or register hooks for the union on the mapper",
                )
            by_tag[tag] = member
    tags = frozenset(by_tag)
    for member in members:
        for tag in member.besides - tags:
            by_tag[tag] = member
    exact = {get_origin(member.type) or member.type: member for member in members}
    expected = " or ".join(member.expected for member in members)

    def choose(value: object) -> Codec:
        found = exact.get(type(value))
        return _first_that_takes(value, members, expected) if found is None else found

    def chosen(value: AttributeValue) -> Codec:
        try:
            return by_tag[next(iter(value))]
        except (KeyError, StopIteration, TypeError):
            raise Refused(expected, show_stored(value)) from None

    def plain(value: object) -> AttributeValue:
        for tag in _FORMS.get(type(value), ()):
            if tag in by_tag:
                return from_plain(value, by_tag[tag])
        raise Refused(expected, show(value))

    made = Codec(
        type_, tags, lambda value: choose(value).dump(value),
        lambda value: chosen(value).load(value), expected=expected,
        dump_at=lambda value, trail: choose(value).dump_at(value, trail),
        load_at=lambda value, trail: chosen(value).load_at(value, trail),
        plain=plain, packed=max(each.packed for each in members), shape=UnionShape(exact),
        **_merged(members),
    )  # fmt: skip
    made.besides = frozenset(by_tag) - tags
    return made


class Tag(NamedTuple):
    """What tells the classes of a union: an attribute of that name, and the classes by its values. A map
    without it is of the class of None. Of several values of a class the first is written.
    """

    name: str
    members: Mapping[str | None, ClassCodec]


def tagged_codec(type_: object, members: tuple[ClassCodec, ...], own: Tag | None = None) -> Codec:
    """Several classes, each a map: M with the class's name in `_type`, or with a tag of their own."""
    by_class = {member.record.cls: member for member in members}
    named: dict[str | None, ClassCodec] = {cls.__name__: each for cls, each in by_class.items()}
    by_name: Mapping[str | None, ClassCodec] = named
    name_of: dict[type[object], str | None] = {cls: cls.__name__ for cls in by_class}
    tag_name = TAG
    if own is not None:
        tag_name, by_name = own
        name_of = {each.record.cls: name for name, each in reversed([*by_name.items()])}
    elif len(by_name) != len(members):
        raise Refused(
            "a union of classes with different names",
            " and ".join(member.record.cls.__name__ for member in members),
            "the name is the tag; rename one, or apply cattrs' configure_tagged_union to the mapper",
        )
    for member in members:
        if tag_name in member.known:
            raise Refused(
                f"classes without an attribute {tag_name!r}, which is the union's tag",
                f"{member.record.cls.__name__} with one",
                "store that field under another name, or apply cattrs' configure_tagged_union",
            )
    expected = " or ".join(member.expected for member in members)

    def choose(value: object) -> ClassCodec:
        try:
            return by_class[type(value)]
        except KeyError:
            raise Refused(expected, show_instead(value, *by_class)) from None

    def tag_of(cls: type[object]) -> AttributeMap:
        name = name_of[cls]
        return {} if name is None else {tag_name: {"S": name}}

    def dump(value: object) -> AttributeValue:
        member = choose(value)
        return {"M": {**tag_of(member.record.cls), **member.dump_map(value)}}

    def dump_at(value: object, trail: Trail) -> AttributeValue:
        member = choose(value)
        return {"M": {**tag_of(member.record.cls), **member.dump_map_at(value, trail)}}

    def open_(value: AttributeValue) -> tuple[ClassCodec, dict[str, AttributeValue]]:
        item = dict(value["M"])
        tag = item.pop(tag_name, None)
        name = tag.get("S") if tag else None
        if name not in by_name or (tag is not None and name is None):
            found = f"{tag_name} {name!r}" if tag else f"a map without {tag_name!r}"
            raise Refused(expected, found)
        return by_name[name], item

    def load(value: AttributeValue) -> Any:
        member, item = open_(value)
        return member.load_map(item)

    def load_at(value: AttributeValue, trail: Trail) -> Any:
        member, item = open_(value)
        return member.load_map_at(item, trail)

    def plain(value: Any) -> AttributeValue:
        name = value.get(tag_name) if isinstance(value, dict) else None
        if name not in by_name or not isinstance(value, dict):
            raise Refused(expected, show(value))
        inner = type(value)((each, part) for each, part in value.items() if each != tag_name)
        told: AttributeMap = {} if name is None else {tag_name: {"S": name}}
        return {"M": {**told, **from_plain(inner, by_name[name])["M"]}}

    return Codec(
        type_, frozenset({"M"}), dump, load, expected=expected, dump_at=dump_at, load_at=load_at,
        plain=plain, shape=UnionShape(by_class, TAG) if own is None else None, **_merged(members),
    )  # fmt: skip


class _SharedFields(Mapping[str, Codec]):
    """The fields that a path through a union can name. Asked for late, because a class in a union
    that it holds itself is not complete yet.
    """

    def __init__(self, members: tuple[Codec, ...]) -> None:
        self._members = members

    def __getitem__(self, name: str) -> Codec:
        found = [fields[name] for each in self._members if name in (fields := each.fields or {})]
        # One name for two places has no path.
        if not found or len({_stored(each, name) for each in self._members} - {None}) != 1:
            raise KeyError(name)
        if all(each.tags == found[0].tags for each in found):
            return found[0]
        expected = " or ".join(each.expected for each in found)

        def dump(value: object) -> AttributeValue:
            return _first_that_takes(value, found, expected).dump(value)

        return Codec(Any, ANY, dump, load_any, expected=expected)

    def __iter__(self) -> Iterator[str]:
        names = dict.fromkeys(name for each in self._members for name in each.fields or ())
        return (name for name in names if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _stored(member: Codec, name: str) -> str | None:
    return (member.names or {}).get(name, name) if name in (member.fields or {}) else None


def _first_that_takes(value: object, members: Collection[Codec], expected: str) -> Codec:
    for member in members:
        try:
            member.dump(value)
        except Exception:  # noqa: S112 - what it does not take, another member may
            continue
        return member
    classes = [each.type for each in members if isinstance(each.type, type)]
    raise Refused(expected, show_instead(value, *classes))


def _merged(members: tuple[Codec, ...]) -> dict[str, Any]:
    if all(member.fields is None for member in members):
        return {}
    names: dict[str, str] = {}
    for member in members:
        names.update(member.names or {})
    return {"fields": _SharedFields(members), "names": names}
