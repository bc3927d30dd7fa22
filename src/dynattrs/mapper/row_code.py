"""Code for rows: the structs that items are read into, and the lines that make objects of them.

The way by rows may refuse whatever it likes, and must never accept what the general way refuses or
reads differently. Everything is strict for that reason: exactly one type tag, the expected one, with
a payload of its JSON type. (msgspec's lax mode would make ints of text while it reads. It also makes
them of JSON numbers and floats, and of other texts than `int` does, and the text would be gone.)

Payloads stay text in rows, numbers too. Fields without a fast form (unions, `Any`, types with hooks of
their own, …) stay attribute values inside the row and go through their codec, field by field.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Any, Final

import attrs
import msgspec
from msgspec import UNSET, UnsetType

from dynattrs.mapper import scalars
from dynattrs.mapper.anything import native_map
from dynattrs.mapper.carried import Carried, carry
from dynattrs.mapper.classes import ClassCodec, FieldCodec
from dynattrs.mapper.codec import (
    Codec,
    ListShape,
    MapShape,
    OptionalShape,
    SetShape,
    TextsShape,
    TupleShape,
    UnionShape,
)
from dynattrs.mapper.key_rows import Taken, from_keys
from dynattrs.mapper.key_spelling import NAMES as KEY_NAMES
from dynattrs.mapper.noticed import checks, keep
from dynattrs.mapper.number_lists import NumberLists, builtins_of, number_lists
from dynattrs.mapper.read_code import MapReader, carries_unknown, is_required
from dynattrs.mapper.scalar_rows import NAMES, NULL, SCALARS, Lines, Tagged
from dynattrs.mapper.source import Source, indented

# To checkers the arguments of annotations are types that they know.
_LIST: Final[Any] = list
_DICT: Final[Any] = dict

NO_TYPES: Final[Mapping[str, str]] = {}

#: Classes inside others are read in place if they have so many fields, and so deep inside, at the most.
MOST_INSIDE: Final = 16
MOST_DEEP: Final = 4


class Unreadable(Exception):
    """The fast way met what only the general one may judge."""


# Measured (benchmarks/test_rows.py): 4.6 -> 1.2 us an item of eleven attributes, from JSON to object;
# tests/property/test_read_code.py holds it to `Mapper.load`.
def generate_row(
    codec: ClassCodec,
    base: type[object],
    learned: tuple[str, ...],
    also: frozenset[str],
    types: Mapping[str, str],
    attributes: Mapping[str, str] | None,
    other: Callable[[Any], Any],
) -> tuple[Any, Callable[[Any], Any]]:
    """The struct that items of a class are read into, and the function that makes an instance of it.

    Args:
        codec: The class's.
        base: What the struct derives from.
        learned: Attributes that the class does not know, and that have a place nevertheless.
        also: As for `RowReader`.
        types: As for `RowReader`.
        attributes: As for `RowReader`.
        other: Makes an instance of what the function does not.

    Raises:
        ValueError: An attribute's name cannot be that of a struct's member.
    """
    # What a class drops has a place too: an error shows the item as it is stored.
    known = codec.known if carries_unknown(codec) else codec.known | also
    if attributes is not None:
        known = frozenset(attributes.values()) | also
    return _RowCode().function(codec, base, learned, known, types, attributes, other)


class _RowCode(MapReader):
    """Generates the row of one class, and the structs inside it, with the lines that read them."""

    def __init__(self) -> None:
        super().__init__()
        self.names.update(NAMES, Unreadable=Unreadable)
        self._structs: dict[Any, Any] = {}
        self._under_way: set[ClassCodec] = set()
        #: The type tags of the values of fields, and of classes inside.
        self._tags: dict[FieldCodec, tuple[Tagged, ...]] = {}
        self._classes: dict[ClassCodec, tuple[Tagged, ...]] = {}
        #: The names of the functions that make objects of classes inside.
        self._functions: dict[ClassCodec, str] = {}
        #: Where the fields of the object at hand are in its row, where that is one of several classes.
        self._places: Mapping[str, str] = {}
        self._count = itertools.count()

    # --- Attribute values ---

    def _parts(self, codec: Codec) -> tuple[Tagged, ...]:
        """The type tags of a codec's values; none where the codec itself is to read them."""
        part = SCALARS.get(codec)
        if part is not None:
            if "$load" not in part.value:
                return (part,)
            value = part.value.replace("$load", self.bind("load", codec.load))
            return (attrs.evolve(part, value=value),)
        if isinstance(codec, ClassCodec):
            return self._nested(codec)
        shape = codec.shape
        if isinstance(shape, OptionalShape):
            parts = self._parts(shape.inner)
            known = bool(parts) and not shape.inner.optional
            return (*parts, NULL) if known else ()
        if isinstance(shape, UnionShape):
            return self._union(shape)
        if isinstance(shape, TextsShape):
            texts = self.bind("texts", shape.values)
            return (Tagged("S", str, f"{texts}[$p]"),)
        if isinstance(shape, ListShape):
            many = number_lists(shape.element)
            if many is not None:
                return (self._numbers(shape, many),)
            return (self._several(shape.element, shape.build),)
        if isinstance(shape, TupleShape):
            return self._tuple(shape)
        if isinstance(shape, SetShape):
            return self._members(shape)
        if isinstance(shape, MapShape):
            return (self._named(shape),)
        if codec.tag in ("S", "N", "B") and not codec.optional and not codec.is_set:
            load = self.bind("load", codec.load)
            return (Tagged(codec.tag, str, f"{load}({{{codec.tag!r}: $p}})"),)
        return ()

    def _several(self, element: Codec, build: Callable[[Any], Any]) -> Tagged:
        annotation, value, lines = self._element(element)
        made = "$l" if build is list else f"{self.bind('build', build)}($l)"
        if value is not None:
            return Tagged("L", _LIST[annotation], made.replace("$l", f"[{value} for v in $p]"))

        def loop(payload: str, target: str) -> list[str]:
            at = next(self._count)
            return [
                f"l{at} = []",
                f"for e{at} in {payload}:",
                *indented([*lines(f"e{at}", f"i{at}"), f"l{at}.append(i{at})"]),
                f"{target} = {made.replace('$l', f'l{at}')}",
            ]

        return Tagged("L", _LIST[annotation], "", lines=loop)

    def _numbers(self, shape: ListShape, many: NumberLists) -> Tagged:
        annotation, value, _ = self._element(shape.element)
        source = Source("member", "v", self.names)
        source.add(f"return {value}")
        read = many.reader(shape.build, annotation, source.function("value"))
        return Tagged("L", msgspec.Raw, f"{self.bind('numbers', read)}($p)")

    def _named(self, shape: MapShape) -> Tagged:
        annotation, value, lines = self._element(shape.element)
        made = "$d" if shape.build is dict else f"{self.bind('build', shape.build)}($d)"
        if value is not None:
            pairs = f"{{each: {value} for each, v in $p.items()}}"
            return Tagged("M", _DICT[str, annotation], made.replace("$d", pairs))

        def loop(payload: str, target: str) -> list[str]:
            at = next(self._count)
            return [
                f"d{at} = {{}}",
                f"for n{at}, e{at} in {payload}.items():",
                *indented([*lines(f"e{at}", f"i{at}"), f"d{at}[n{at}] = i{at}"]),
                f"{target} = {made.replace('$d', f'd{at}')}",
            ]

        return Tagged("M", _DICT[str, annotation], "", lines=loop)

    def _tuple(self, shape: TupleShape) -> tuple[Tagged, ...]:
        each = [self._parts(element) for element in shape.elements]
        tags: dict[str, Tagged] = {}
        for part in itertools.chain(*each):
            if tags.setdefault(part.tag, part).payload != part.payload:
                return ()
        if not all(each):
            return ()
        together = tuple(tags.values())

        def lines(payload: str, target: str) -> list[str]:
            at = next(self._count)
            found = [f"t{at}_{place}" for place in range(len(each))]
            made = [f"if len({payload}) != {len(each)}: raise Unreadable"]
            for place, parts in enumerate(each):
                made += self._value(parts, f"{payload}[{place}]", found[place], together)
            return [*made, f"{target} = ({''.join(f'{name}, ' for name in found)})"]

        annotation = self._struct(together) if together else Any
        return (Tagged("L", _LIST[annotation], "", lines=lines),)

    def _members(self, shape: SetShape) -> tuple[Tagged, ...]:
        parts = self._parts(shape.element)
        if len(parts) != 1 or parts[0].tag != shape.member_tag:
            return ()
        build = self.bind("build", shape.build)
        value = self._inline(parts[0], "v")
        made = f"{build}($p)" if value == "v" else f"{build}([{value} for v in $p])"
        return (
            Tagged(shape.tag, _LIST[parts[0].payload], made),
            self._several(shape.element, shape.build),
        )

    def _element(self, codec: Codec) -> tuple[Any, str | None, Lines]:
        """The annotation of an attribute value, the expression of its value, for `v`, where that is
        simple, and the lines that read it into a variable.
        """
        parts = self._parts(codec)
        if not parts:
            value = f"{self.bind('load', codec.load)}($v)"
            return Any, value.replace("$v", "v"), lambda v, target: [
                f"{target} = {value.replace('$v', v)}"
            ]  # fmt: skip
        simple = len(parts) == 1 and parts[0].refused is None and parts[0].lines is None
        return (
            self._struct(parts),
            self._inline(parts[0], f"v.{parts[0].tag}") if simple else None,
            lambda v, target: self._value(parts, v, target),
        )

    def _inline(self, part: Tagged, payload: str) -> str:
        """The expression of a value."""
        if part.refused is None and part.lines is None:
            return part.value.replace("$p", payload)
        source = Source("get", "p", self.names)
        source.add(*_checked(part, "p", "found"), "return found")
        return f"{self.bind('get', source.function('value'))}({payload})"

    def _struct(self, parts: tuple[Tagged, ...]) -> Any:
        """The struct of an attribute value: one tag, or one out of several."""
        key = tuple((part.tag, part.payload) for part in parts)
        found = self._structs.get(key)
        if found is None:
            alone = len(parts) == 1
            members: list[Any] = [
                (tag, payload) if alone else (tag, payload | UnsetType if payload is not Any else Any,
                                              UNSET)
                for tag, payload in key
            ]  # fmt: skip
            found = self._structs[key] = _struct("Value", members)
        return found

    def _value(
        self, parts: tuple[Tagged, ...], v: str, target: str, together: tuple[Tagged, ...] = ()
    ) -> list[str]:
        """The lines that read an attribute value, which has one of the tags *together*, into a variable."""
        if len(parts) == 1 and len(together) < 2:
            return _checked(parts[0], f"{v}.{parts[0].tag}", target)
        where, p = self.local("w"), self.local("p")
        lines, word = [f"{where} = {v}"], "if"
        others = [part.tag for part in together or parts]
        for part in parts:
            others.remove(part.tag)
            several = " or ".join(f"{where}.{tag} is not UNSET" for tag in others)
            lines += [
                f"{word} ({p} := {where}.{part.tag}) is not UNSET:",
                *([f"    if {several}: raise Unreadable"] if several else []),
                *indented(_checked(part, p, target)),
            ]
            word = "elif"
        return [*lines, "else: raise Unreadable"]

    # --- Classes inside ---

    def _nested(self, codec: ClassCodec) -> tuple[Tagged, ...]:
        found = self._classes.get(codec)
        if found is not None:
            return found
        if codec in self._under_way:
            return ()  # a class that holds itself
        try:
            members, places = self._fields(codec, codec.known, ())
            struct = _struct(codec.record.cls.__name__, members, rename=_renamed(places))
        except ValueError:
            return ()
        lines = partial(self._inside_or_called, codec)
        found = self._classes[codec] = (Tagged("M", struct, "", lines=lines),)
        return found

    def _inside(
        self, codec: ClassCodec, places: Mapping[str, str], payload: str, target: str
    ) -> list[str]:
        """The lines that make an object inside another one."""
        outside = self.suffix, self._places
        self.suffix, self._places = f"{self.suffix}_{next(self._count)}", places
        try:
            row, instance = self.local("row"), self.local("instance")
            body = self.construction(codec)
        finally:
            self.suffix, self._places = outside
        return [f"{row} = {payload}", *body, f"{target} = {instance}"]

    def _inside_or_called(self, codec: ClassCodec, payload: str, target: str) -> list[str]:
        """The same; by a function where the lines would be many."""
        if len(codec.members) <= MOST_INSIDE and self.suffix.count("_") < MOST_DEEP:
            return self._inside(codec, {}, payload, target)
        name = self._functions.get(codec)
        if name is None:
            outside, self.suffix = self.suffix, ""
            source = Source("nested", "p", self.names)
            source.add(*self._inside(codec, {}, "p", "found"), "return found")
            self.suffix = outside
            name = self._functions[codec] = self.bind("nested", source.function(codec.record.cls))
        return [f"{target} = {name}({payload})"]

    def _union(self, shape: UnionShape) -> tuple[Tagged, ...]:
        """Values of several types, told apart by their type tags, or classes by an attribute."""
        if shape.tag is None:
            each = [self._parts(member) for member in shape.members.values()]
            known = all(each) and not any(member.optional for member in shape.members.values())
            return tuple(itertools.chain(*each)) if known else ()
        classes: list[ClassCodec] = [
            each for each in shape.members.values() if isinstance(each, ClassCodec)
        ]
        annotations: dict[str, Any] = {}
        for codec in classes:
            if codec in self._under_way:
                return ()
            self._read_fields(codec)
            for field in codec.members:
                parts = self._tags[field]
                own = self._struct(parts) if parts else Any
                if annotations.setdefault(field.stored, own) is not own:
                    return ()
        places = {name: f"m{position}" for position, name in enumerate(annotations)}
        members = [
            (places[name], Any if each is Any else each | UnsetType, UNSET)
            for name, each in annotations.items()
        ]
        kind = ("t", self._struct((SCALARS[scalars.PLAIN[str]],)))
        try:
            struct = _struct("OneOf", [kind, *members], rename=_renamed({**places, shape.tag: "t"}))
        except ValueError:
            return ()

        def lines(payload: str, target: str) -> list[str]:
            at = next(self._count)
            made, word = [f"u{at} = {payload}", f"k{at} = u{at}.t.S"], "if"
            for codec in classes:
                strange = places.keys() - {field.stored for field in codec.members}
                unlike = " or ".join(
                    f"u{at}.{places[name]} is not UNSET" for name in sorted(strange)
                )
                made += [
                    f"{word} k{at} == {codec.record.cls.__name__!r}:",
                    *([f"    if {unlike}: raise Unreadable"] if unlike else []),
                    *indented(self._inside(codec, places, f"u{at}", target)),
                ]
                word = "elif"
            return [*made, "else: raise Unreadable"]

        return (Tagged("M", struct, "", lines=lines),)

    def _read_fields(self, codec: ClassCodec) -> None:
        """Find out how the fields of a class are read."""
        self._under_way.add(codec)
        try:
            self._tags.update({field: self._parts(field.codec) for field in codec.members})
        finally:
            self._under_way.discard(codec)

    # --- Classes ---

    def _fields(
        self,
        codec: ClassCodec,
        known: frozenset[str],
        learned: tuple[str, ...] = (),
        attributes: Mapping[str, str] | None = None,
        taken: Collection[str] = (),
        types: Mapping[str, str] = NO_TYPES,
    ) -> tuple[list[Any], dict[str, str]]:
        """The members of a class's struct, and where attributes are in it."""
        stored = [field.stored for field in codec.members]
        if attributes is not None:
            stored = [attributes[name] for name in stored]
        places = {name: f"f{position}" for position, name in enumerate(stored)}
        # Known and no field: what a table's keys are made of, for example.
        rest = [name for name in sorted(known) if name not in places]
        places.update({name: f"k{position}" for position, name in enumerate(rest)})
        places.update({name: f"x{position}" for position, name in enumerate(learned)})
        self._read_fields(codec)
        members = [self._member(field, at, taken) for at, field in enumerate(codec.members)]
        for name in rest:
            part = Tagged(types[name], str, "") if name in types else None
            annotation = Any if part is None else self._struct((part,)) | UnsetType
            members.append((places[name], annotation, UNSET))
        members += [(places[name], Any, UNSET) for name in learned]
        return members, places

    def function(
        self,
        codec: ClassCodec,
        base: Any,
        learned: tuple[str, ...],
        known: frozenset[str],
        types: Mapping[str, str],
        attributes: Mapping[str, str] | None,
        other: Callable[[Any], Any],
    ) -> tuple[Any, Callable[[Any], Any]]:
        """As `generate_row`."""
        keys = codec.keys if attributes is None else None
        hidden = () if keys is None else keys.key_only
        taken_from_keys = [] if keys is None else [keys.names[name] for name in hidden]
        members, places = self._fields(codec, known, learned, attributes, taken_from_keys, types)
        body: list[str] = []
        taken: dict[str, list[str]] = {}
        payloads: dict[str, Taken] = {}
        if keys is not None:
            body, payloads = from_keys(keys, partial(self._payload, places, types), self.bind)
            taken = {
                field.stored: self._taken(field, payloads[field.stored], f"a{position}")
                for position, field in enumerate(codec.members)
                if field.stored in payloads
            }
        body += self.construction(codec, taken)
        if learned and carries_unknown(codec):
            self.names.update(carry=carry, Carried=Carried, native_map=native_map)
            body += ["extra = {}"]
            for name in learned:
                body += [f"v = row.{places[name]}", f"if v is not UNSET: extra[{name!r}] = v"]
            body += ["if extra: carry(instance, Carried(native_map(extra)))"]
        conditions: list[str] = []
        own = None
        if attributes is None:
            payload = partial(self._payload_of, codec, payloads, places, types)
            body += self._odd(codec, places, payload)
            conditions = [*_another_class(codec, places), *_not_current(codec, places, types)]
            own = self._own(codec, payload)
        namespace: dict[str, Any] = {"places": places}
        if own is not None:
            namespace["own"] = own
        struct = _struct(
            codec.record.cls.__name__, members, base, rename=_renamed(places), namespace=namespace
        )
        self.names.update(Row=struct, other=other)
        source = Source("build", "row", self.names)
        unlike = "".join(f" or {each}" for each in conditions)
        source.add(
            f"if type(row) is not Row{unlike}:", "    return other(row)", "try:",
            *indented([*body, "return instance"]), "except Exception:", "    return other(row)",
        )  # fmt: skip
        build = source.function(codec.record.cls)
        struct.made = build
        return struct, build

    def _payload(
        self, places: Mapping[str, str], types: Mapping[str, str], attribute: str, tag: str
    ) -> str:
        """The payload of an attribute of the row that is no field."""
        place = f"row.{places[attribute]}"
        return f"{place}.{tag}" if types.get(attribute) == tag else f"{place}[{tag!r}]"

    def _payload_of(
        self,
        codec: ClassCodec,
        taken: Mapping[str, Taken],
        places: Mapping[str, str],
        types: Mapping[str, str],
        attribute: str,
        tag: str,
    ) -> str:
        """The payload of any attribute that the class knows."""
        if attribute in taken and taken[attribute].tag == tag:
            return taken[attribute].payload
        field = next((each for each in codec.members if each.stored == attribute), None)
        if field is None:
            return self._payload(places, types, attribute, tag)
        parts = self._tags[field]
        if len(parts) == 1 and parts[0].tag == tag:
            return f"row.{places[attribute]}.{tag}"
        return f"row[{attribute!r}][{tag!r}]"

    def _own(
        self, codec: ClassCodec, payload: Callable[[str, str], str]
    ) -> Callable[[Any], bool] | None:
        """What says of a row that it is of the model, and of no subclass, for sure."""
        keys = codec.keys
        if keys is None:
            return None
        conditions = []
        if keys.kinds and keys.table.discriminator is not None:
            kinds = self.bind("kinds", frozenset(keys.kinds))
            conditions = [f"{payload(keys.table.discriminator, 'S')} in {kinds}"]
        elif keys.written and keys.table.discriminator is None:
            for attribute, pattern in keys.patterns:
                if not isinstance(pattern, re.Pattern):
                    return None
                text = payload(attribute, "S")
                conditions.append(f"{self.bind('like', pattern.fullmatch)}({text}) is not None")
        if not conditions:
            return None
        source = Source("own", "row", self.names)
        source.add(
            "try:",
            f"    return {' and '.join(conditions)}",
            "except Exception:",
            "    return False",
        )
        own: Callable[[Any], bool] = source.function(codec.record.cls)
        return own

    def _odd(
        self, codec: ClassCodec, places: Mapping[str, str], payload: Callable[[str, str], str]
    ) -> list[str]:
        """The lines that let an instance carry what it does not tell of its item."""
        conditions = []
        for check in checks(codec):
            value, there = (
                f"row[{check.attribute!r}]",
                f"row.{places[check.attribute]} is not UNSET",
            )
            conditions.append(check.written(self.bind, payload, value=value, there=there))
        if not conditions or codec.model is None:
            return []
        names = {"keep": partial(keep, codec, codec.model), "builtins_of": builtins_of}
        self.names.update(KEY_NAMES, **names)
        return [f"if {' or '.join(conditions)}: keep(instance, builtins_of(row))"]

    def _member(self, field: FieldCodec, position: int, taken: Collection[str]) -> tuple[Any, ...]:
        """A field's member of the struct."""
        place, parts = f"f{position}", self._tags[field]
        # What stands in the item counts for nothing where the key says it.
        annotation = self._struct(parts) if parts and field.stored not in taken else Any
        if field.stored not in taken and is_required(field):
            return place, annotation
        return place, annotation if annotation is Any else annotation | UnsetType, UNSET

    def _place(self, field: FieldCodec, position: int) -> str:
        """Where a field's attribute value is."""
        return f"{self.local('row')}.{self._places.get(field.stored, f'f{position}')}"

    def required(self, field: FieldCodec, position: int) -> tuple[list[str], str]:
        parts, place = self._tags[field], self._place(field, position)
        if len(parts) == 1 and parts[0].refused is None and parts[0].lines is None:
            return [], self._inline(parts[0], f"{place}.{parts[0].tag}")
        target = self.local("a", position)
        return self._read(field, place, target), target

    def optional(self, field: FieldCodec, position: int) -> tuple[list[str], str, list[str]]:
        v = self.local("v")
        read = self._read(field, v, self.local("a", position))
        return [f"{v} = {self._place(field, position)}"], f"{v} is UNSET", read

    def _read(self, field: FieldCodec, v: str, target: str) -> list[str]:
        parts = self._tags[field]
        if not parts:
            return [f"{target} = {self.bind('load', field.codec.load)}({v})"]
        return self._value(parts, v, target)

    def _taken(self, field: FieldCodec, taken: Taken, target: str) -> list[str]:
        """The lines for a value that was taken out of a key."""
        for part in self._tags[field]:
            if part.tag == taken.tag and part.payload is str:
                return _checked(part, taken.payload, target)
        load = self.bind("load", field.codec.load)
        return [f"{target} = {load}({{{taken.tag!r}: {taken.payload}}})"]


def _another_class(codec: ClassCodec, places: Mapping[str, str]) -> Iterator[str]:
    """What is true of an item that another class may have to read, or none."""
    keys = codec.keys
    if keys is not None and keys.kinds and keys.table.discriminator is not None:
        place = f"row.{places[keys.table.discriminator]}"
        unlike = (f"{place}.S != {kind!r}" for kind in keys.kinds)
        yield f"{place} is not UNSET and {' and '.join(unlike)}"


def _not_current(
    codec: ClassCodec, places: Mapping[str, str], types: Mapping[str, str]
) -> Iterator[str]:
    """What is true of an item that is stored otherwise than its model would store it today."""
    info = codec.model
    if info is None:
        return
    place = places.get(info.schema_attribute)
    # Where it is no field, it is known, or was learned from an item that has it.
    if place is not None and info.schema_attribute not in info.names.values():
        current = str(info.schema_version)
        unlike = (
            f"row.{place}.N != {current!r}"
            if info.schema_attribute in types
            else f"row.{place} != { ({'N': current})!r}"
        )
        absent = f"row.{place} is UNSET or" if info.upgrades else f"row.{place} is not UNSET and"
        yield f"({absent} {unlike})"
    for name in info.formerly:
        yield f"row.{places[name]} is not UNSET"


def _struct(
    name: str,
    members: list[Any],
    base: Any = msgspec.Struct,
    *,
    rename: dict[str, str] | None = None,
    namespace: dict[str, Any] | None = None,
) -> Any:
    # Items hold no cycles, so the garbage collector need not look at them.
    return msgspec.defstruct(
        name, members, bases=(base,), namespace=namespace, rename=rename,
        forbid_unknown_fields=True, kw_only=True, gc=False, eq=False,
    )  # fmt: skip


def _renamed(places: Mapping[str, str]) -> dict[str, str]:
    return {place: name for name, place in places.items()}


def _checked(part: Tagged, payload: str, target: str) -> list[str]:
    if part.lines is not None:
        return part.lines(payload, target)
    lines = [f"{target} = " + part.value.replace("$p", payload)]
    if part.refused is not None:
        lines.append(f"if {part.refused.replace('$t', target)}: raise Unreadable")
    return lines
