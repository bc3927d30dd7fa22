"""Code that reads the attribute values inside rows, and the structs that these are.

Objects of classes inside others are made in place, so that none of them costs a call. Classes of a union
share one struct, which has the attributes of them all.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping
from functools import cache, partial
from typing import Any, Final

import attrs
import msgspec
from msgspec import UNSET, UnsetType

from dynattrs.mapper import scalars
from dynattrs.mapper.classes import ClassCodec, FieldCodec
from dynattrs.mapper.codec import (
    Codec,
    KeyedMapShape,
    ListShape,
    MapShape,
    OptionalShape,
    SetShape,
    TextsShape,
    TupleShape,
    TypedDictShape,
    UnionShape,
)
from dynattrs.mapper.number_lists import NumberLists, number_lists
from dynattrs.mapper.read_code import MapReader, is_required
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


class ValueReader(MapReader):
    """Generates the structs of attribute values, and the lines that read them."""

    def __init__(self) -> None:
        super().__init__()
        self.names.update(
            NAMES, Unreadable=Unreadable, ValidationError=msgspec.ValidationError,
            plain=msgspec.json.decode,
        )  # fmt: skip
        self._structs: dict[Any, Any] = {}
        self._under_way: set[Codec] = set()
        #: Of classes that hold themselves the names of what reads one, of its bytes, of what makes the rows
        #: of a list of them, and of what makes an object of such a row.
        self._again: dict[ClassCodec, tuple[str, str, str]] = {}
        #: The type tags of the values of fields, and of classes inside.
        self.tags: dict[FieldCodec, tuple[Tagged, ...]] = {}
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
        if part is None and codec.dump is scalars.dump_bool:  # which reads other forms, too
            part = SCALARS[scalars.PLAIN[bool]]
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
        if isinstance(shape, KeyedMapShape):
            return (self._keyed(shape),)
        if isinstance(shape, TypedDictShape):
            return self._typed_dict(codec, shape)
        if codec.tag in ("S", "N", "B") and not codec.optional and not codec.is_set:
            load = self.bind("load", codec.load)
            return (Tagged(codec.tag, str, f"{load}({{{codec.tag!r}: $p}})"),)
        return ()

    # Measured (benchmarks/readings.py): 1.15 -> 1.02 us an item of eleven attributes with a set, pages of
    # 1,000 with a list of classes a sixth less: what is read when its turn comes is gone right after, so
    # that the garbage collector has fewer lists to look at. tests/property/test_read_code.py holds both.
    def _several(self, element: Codec, build: Callable[[Any], Any]) -> Tagged:
        made = "$l" if build is list else f"{self.bind('build', build)}($l)"
        if isinstance(element, ClassCodec) and element in self._under_way:
            _, members, make = self._names_again(element)
            each = f"[{make}(v.M) for v in {members}($p)]"
            return Tagged("L", msgspec.Raw, made.replace("$l", each))
        annotation, value, lines = self._element(element)
        members = self.bind("members", msgspec.json.Decoder(_LIST[annotation]).decode)
        if value is not None:
            each = f"[{value} for v in {members}($p)]"
            return Tagged("L", msgspec.Raw, made.replace("$l", each))

        def loop(payload: str, target: str) -> list[str]:
            at = next(self._count)
            return [
                f"l{at} = []",
                f"for e{at} in {members}({payload}):",
                *indented([*lines(f"e{at}", f"i{at}"), f"l{at}.append(i{at})"]),
                f"{target} = {made.replace('$l', f'l{at}')}",
            ]

        return Tagged("L", msgspec.Raw, "", lines=loop)

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

    # Measured (benchmarks/readings.py): 22.9 -> 17.6 us an item with two such dicts of 15 members.
    # tests/property/test_read_maps.py holds it, and what follows, to the codecs.
    def _keyed(self, shape: KeyedMapShape) -> Tagged:
        annotation, value, lines = self._element(shape.element)
        (tag,) = shape.key.tags
        part = SCALARS.get(shape.key)
        key = f"{self.bind('load', shape.key.load)}({{{tag!r}: $p}})"
        if part is not None and part.refused is None and "$load" not in part.value:
            key = part.value
        build = self.bind("build", shape.build)

        def loop(payload: str, target: str) -> list[str]:
            at = next(self._count)
            name = key.replace("$p", f"n{at}")
            if value is not None:
                made = [f"d{at} = {{{name}: {value} for n{at}, v in s{at}.items()}}"]
            else:
                made = [
                    f"d{at} = {{}}",
                    f"for n{at}, e{at} in s{at}.items():",
                    *indented([*lines(f"e{at}", f"i{at}"), f"d{at}[{name}] = i{at}"]),
                ]
            return [
                f"s{at} = {payload}", *made,
                f"if len(d{at}) != len(s{at}): raise Unreadable",
                f"{target} = {build}(d{at})",
            ]  # fmt: skip

        return Tagged("M", _DICT[str, annotation], "", lines=loop)

    # Measured (benchmarks/readings.py): 4.2 -> 1.6 us an item with three typed dicts of three members.
    def _typed_dict(self, codec: Codec, shape: TypedDictShape) -> tuple[Tagged, ...]:
        if codec in self._under_way:
            return ()
        self._under_way.add(codec)
        try:
            each = {name: self._parts(member) for name, member in shape.members.items()}
        finally:
            self._under_way.discard(codec)
        places = {name: f"f{position}" for position, name in enumerate(each)}
        members: list[Any] = []
        for name, parts in each.items():
            annotation = self._struct(parts) if parts else Any
            if name in shape.required:
                members.append((places[name], annotation))
            else:
                either = annotation if annotation is Any else annotation | UnsetType
                members.append((places[name], either, UNSET))
        try:
            struct = struct_of("Members", members, rename=renamed(places))
        except ValueError:
            return ()
        decode = self.bind("members", msgspec.json.Decoder(struct).decode)
        load = self.bind("load", codec.load)

        def lines(payload: str, target: str) -> list[str]:
            at = next(self._count)
            body = []
            for name, parts in each.items():
                v = f"m{at}"
                own = shape.members[name]
                read = (
                    self._value(parts, v, f"i{at}")
                    if parts
                    else [f"i{at} = {self.bind('load', own.load)}({v})"]
                )
                read.append(f"d{at}[{name!r}] = i{at}")
                body.append(f"{v} = r{at}.{places[name]}")
                body += (
                    read if name in shape.required else [f"if {v} is not UNSET:", *indented(read)]
                )
            return [
                "try:",
                f"    r{at} = {decode}({payload})",
                "except ValidationError:",  # names that it does not know, perhaps
                f"    {target} = {load}({{'M': plain({payload})}})",
                "else:",
                f"    d{at} = {{}}",
                *indented(body),
                f"    {target} = d{at}",
            ]

        return (Tagged("M", msgspec.Raw, "", lines=lines),)

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
        value = self._inline(parts[0], "v")
        if value == "v" and shape.build in (set, frozenset):
            kind: Any = shape.build
            decode = self.bind("members", msgspec.json.Decoder(kind[str]).decode)
            made = f"{decode}($p)"
        else:
            build = self.bind("build", shape.build)
            decode = self.bind("members", msgspec.json.Decoder(_LIST[str]).decode)
            made = f"{build}([{value} for v in {decode}($p)])"
        return (
            Tagged(shape.tag, msgspec.Raw, made),
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
        source.add(*checked(part, "p", "found"), "return found")
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
            found = self._structs[key] = struct_of("Value", members)
        return found

    def _value(
        self, parts: tuple[Tagged, ...], v: str, target: str, together: tuple[Tagged, ...] = ()
    ) -> list[str]:
        """The lines that read an attribute value, which has one of the tags *together*, into a variable."""
        if len(parts) == 1 and len(together) < 2:
            return checked(parts[0], f"{v}.{parts[0].tag}", target)
        where, p = self.local("w"), self.local("p")
        lines, word = [f"{where} = {v}"], "if"
        others = [part.tag for part in together or parts]
        for part in parts:
            others.remove(part.tag)
            several = " or ".join(f"{where}.{tag} is not UNSET" for tag in others)
            lines += [
                f"{word} ({p} := {where}.{part.tag}) is not UNSET:",
                *([f"    if {several}: raise Unreadable"] if several else []),
                *indented(checked(part, p, target)),
            ]
            word = "elif"
        return [*lines, "else: raise Unreadable"]

    # --- Classes inside ---

    def _nested(self, codec: ClassCodec) -> tuple[Tagged, ...]:
        found = self._classes.get(codec)
        if found is not None:
            return found
        if codec in self._under_way:  # a class that holds itself
            return (Tagged("M", msgspec.Raw, f"{self._names_again(codec)[0]}($p)"),)
        try:
            members, places = self.fields(codec, codec.known, ())
            struct = struct_of(codec.record.cls.__name__, members, rename=renamed(places))
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
        return [f"{target} = {self._function(codec)}({payload})"]

    def _function(self, codec: ClassCodec) -> str:
        """The name of the function that makes an object inside another one of its row."""
        name = self._functions.get(codec)
        if name is None:
            outside, self.suffix = self.suffix, ""
            source = Source("nested", "p", self.names)
            source.add(*self._inside(codec, {}, "p", "found"), "return found")
            self.suffix = outside
            name = self._functions[codec] = self.bind("nested", source.function(codec.record.cls))
        return name

    # Measured (benchmarks/readings.py): 12.2 -> 8.7 us an item with a tree of 15 objects.
    def read_again(self) -> None:
        """Make what reads classes that hold themselves, once all of them are known."""
        done: set[ClassCodec] = set()
        while fresh := self._again.keys() - done:
            for codec in fresh:
                whole, members, make = self._again[codec]
                self.names[make] = found = self._maker(codec)
                parts = self._nested(codec) or (Tagged("M", Any, ""),)
                decode = msgspec.json.Decoder(parts[0].payload).decode
                self.names[whole] = lambda raw, found=found, decode=decode: found(decode(raw))
                self.names[members] = msgspec.json.Decoder(_LIST[self._struct(parts)]).decode
            done |= fresh

    def _maker(self, codec: ClassCodec) -> Callable[[Any], Any]:
        """What makes an object of a row inside others."""
        if self._nested(codec):
            made: Callable[[Any], Any] = self.names[self._function(codec)]
            return made
        load = codec.load
        return lambda stored: load({"M": stored})

    def _names_again(self, codec: ClassCodec) -> tuple[str, str, str]:
        found = self._again.get(codec)
        if found is None:
            found = self.bind("again", None), self.bind("members", None), self.bind("made", None)
            self._again[codec] = found
        return found

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
                parts = self.tags[field]
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
            struct = struct_of(
                "OneOf", [kind, *members], rename=renamed({**places, shape.tag: "t"})
            )
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
            self.tags.update({field: self._parts(field.codec) for field in codec.members})
        finally:
            self._under_way.discard(codec)

    # --- Classes ---

    def fields(
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
            annotation = text_of(types[name]) if name in types else Any
            members.append((places[name], annotation, UNSET))
        members += [(places[name], Any, UNSET) for name in learned]
        return members, places

    def _member(self, field: FieldCodec, position: int, taken: Collection[str]) -> tuple[Any, ...]:
        """A field's member of the struct."""
        place, parts = f"f{position}", self.tags[field]
        # What stands in the item counts for nothing where the key says it.
        annotation = self._struct(parts) if parts and field.stored not in taken else Any
        if field.stored not in taken and is_required(field):
            return place, annotation
        return place, annotation if annotation is Any else annotation | UnsetType, UNSET

    def _place(self, field: FieldCodec, position: int) -> str:
        """Where a field's attribute value is."""
        return f"{self.local('row')}.{self._places.get(field.stored, f'f{position}')}"

    def required(self, field: FieldCodec, position: int) -> tuple[list[str], str]:
        parts, place = self.tags[field], self._place(field, position)
        if len(parts) == 1 and parts[0].refused is None and parts[0].lines is None:
            return [], self._inline(parts[0], f"{place}.{parts[0].tag}")
        target = self.local("a", position)
        return self._read(field, place, target), target

    def optional(self, field: FieldCodec, position: int) -> tuple[list[str], str, list[str]]:
        v = self.local("v")
        read = self._read(field, v, self.local("a", position))
        return [f"{v} = {self._place(field, position)}"], f"{v} is UNSET", read

    def _read(self, field: FieldCodec, v: str, target: str) -> list[str]:
        parts = self.tags[field]
        if not parts:
            return [f"{target} = {self.bind('load', field.codec.load)}({v})"]
        return self._value(parts, v, target)


def struct_of(
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


@cache
def text_of(tag: str) -> Any:
    """An attribute value whose payload is text, of one type tag, if it is there."""
    return struct_of("Value", [(tag, str)]) | UnsetType


def renamed(places: Mapping[str, str]) -> dict[str, str]:
    return {place: name for name, place in places.items()}


def checked(part: Tagged, payload: str, target: str) -> list[str]:
    if part.lines is not None:
        return part.lines(payload, target)
    lines = [f"{target} = " + part.value.replace("$p", payload)]
    if part.refused is not None:
        lines.append(f"if {part.refused.replace('$t', target)}: raise Unreadable")
    return lines
