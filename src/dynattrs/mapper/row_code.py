"""Code for rows: the structs that items are read into, and the lines that make objects of them.

The way by rows may refuse whatever it likes, and must never accept what the general way refuses or
reads differently. Everything is strict for that reason: exactly one type tag, the expected one, with
a payload of its JSON type. (msgspec's lax mode would make ints of text while it reads. It also makes
them of JSON numbers and floats, and of other texts than `int` does, and the text would be gone.)

Payloads stay text in rows, numbers too. Fields without a fast form (unions, `Any`, types with hooks of
their own, …) stay attribute values inside the row and go through their codec, field by field.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Final

import attrs
import msgspec
from msgspec import UNSET, UnsetType

from dynattrs.mapper import scalars, time_to_live
from dynattrs.mapper.anything import native_map
from dynattrs.mapper.carried import Carried, carry
from dynattrs.mapper.classes import ClassCodec, FieldCodec
from dynattrs.mapper.codec import Codec, ListShape, MapShape, OptionalShape, SetShape, TextsShape
from dynattrs.mapper.key_spelling import NAMES
from dynattrs.mapper.noticed import checks, keep
from dynattrs.mapper.number_lists import NumberLists, builtins_of, number_lists
from dynattrs.mapper.read_code import MapReader, carries_unknown, is_required
from dynattrs.mapper.source import Source, indented
from dynattrs.schema.model_info import ComputedKeys
from dynattrs.schema.slot_styles import Fixed, Padded, Rest, Style, Words
from dynattrs.schema.templates import Slot, Template

# To checkers the arguments of annotations are types that they know.
_LIST: Final[Any] = list
_DICT: Final[Any] = dict


class Unreadable(Exception):
    """The fast way met what only the general one may judge."""


# Measured (benchmarks/test_rows.py): 4.6 -> 1.2 us an item of eleven attributes, from JSON to object;
# tests/property/test_read_code.py holds it to `Mapper.load`.
def generate_row(
    codec: ClassCodec,
    base: type[object],
    learned: tuple[str, ...],
    also: frozenset[str],
    attributes: Mapping[str, str] | None,
    other: Callable[[Any], Any],
) -> tuple[Any, Callable[[Any], Any]]:
    """The struct that items of a class are read into, and the function that makes an instance of it.

    Args:
        codec: The class's.
        base: What the struct derives from.
        learned: Attributes that the class does not know, and that have a place nevertheless.
        also: As for `RowReader`.
        attributes: As for `RowReader`.
        other: Makes an instance of what the function does not.

    Raises:
        ValueError: An attribute's name cannot be that of a struct's member.
    """
    # What a class drops has a place too: an error shows the item as it is stored.
    known = codec.known if carries_unknown(codec) else codec.known | also
    if attributes is not None:
        known = frozenset(attributes.values()) | also
    return _RowCode().function(codec, base, learned, known, attributes, other)


# --- How a payload becomes a value --------------------------------------------------------------


@attrs.frozen(eq=False, repr=False)
class _Tagged:
    """One type tag of an attribute value.

    Attributes:
        tag: `S`, `N`, …
        payload: The annotation of the payload.
        value: The expression of the value, with `$p` for the payload.
        refused: A condition on the value, `$t`, that only the general way may judge.
    """

    tag: str
    payload: Any
    value: str
    refused: str | None = None


_NULL: Final = _Tagged("NULL", Any, "None")

_SCALARS: Final[dict[Codec, _Tagged]] = {
    scalars.PLAIN[str]: _Tagged("S", str, "$p"),
    scalars.PLAIN[bool]: _Tagged("BOOL", bool, "$p"),
    scalars.PLAIN[int]: _Tagged("N", str, "int($p)"),
    scalars.PLAIN[float]: _Tagged("N", str, "float($p)", "$t - $t != 0.0"),
    scalars.PLAIN[Decimal]: _Tagged("N", str, "Decimal($p)", "not $t.is_finite()"),
    scalars.PLAIN[bytes]: _Tagged("B", str, "binary($p)"),
    time_to_live.CODECS[int]: _Tagged("N", str, "int($p)"),
}


class _RowCode(MapReader):
    """Generates the row of one class, and the structs inside it, with the lines that read them."""

    def __init__(self) -> None:
        super().__init__()
        self.names.update(Decimal=Decimal, binary=scalars.binary, Unreadable=Unreadable)
        self._structs: dict[Any, Any] = {}
        self._under_way: set[ClassCodec] = set()
        #: The type tags of the values of fields.
        self._tags: dict[FieldCodec, tuple[_Tagged, ...]] = {}

    # --- Attribute values ---

    def _parts(self, codec: Codec) -> tuple[_Tagged, ...]:
        """The type tags of a codec's values; none where the codec itself is to read them."""
        part = _SCALARS.get(codec)
        if part is not None:
            return (part,)
        if isinstance(codec, ClassCodec):
            return self._nested(codec)
        shape = codec.shape
        if isinstance(shape, OptionalShape):
            parts = self._parts(shape.inner)
            known = bool(parts) and not shape.inner.optional
            return (*parts, _NULL) if known else ()
        if isinstance(shape, TextsShape):
            texts = self.bind("texts", shape.values)
            return (_Tagged("S", str, f"{texts}[$p]"),)
        if isinstance(shape, ListShape):
            many = number_lists(shape.element)
            if many is not None:
                return (self._numbers(shape, many),)
            return (self._several(shape.element, shape.build),)
        if isinstance(shape, SetShape):
            return self._members(shape)
        if isinstance(shape, MapShape):
            annotation, value = self._element(shape.element)
            made = f"{{each: {value} for each, v in $p.items()}}"
            if shape.build is not dict:
                made = f"{self.bind('build', shape.build)}({made})"
            return (_Tagged("M", _DICT[str, annotation], made),)
        if codec.tag in ("S", "N", "B") and not codec.optional and not codec.is_set:
            load = self.bind("load", codec.load)
            return (_Tagged(codec.tag, str, f"{load}({{{codec.tag!r}: $p}})"),)
        return ()

    def _several(self, element: Codec, build: Callable[[Any], Any]) -> _Tagged:
        annotation, value = self._element(element)
        made = f"[{value} for v in $p]"
        if build is not list:
            made = f"{self.bind('build', build)}({made})"
        return _Tagged("L", _LIST[annotation], made)

    def _numbers(self, shape: ListShape, many: NumberLists) -> _Tagged:
        annotation, value = self._element(shape.element)
        source = Source("member", "v", self.names)
        source.add(f"return {value}")
        read = many.reader(shape.build, annotation, source.function("value"))
        return _Tagged("L", msgspec.Raw, f"{self.bind('numbers', read)}($p)")

    def _members(self, shape: SetShape) -> tuple[_Tagged, ...]:
        parts = self._parts(shape.element)
        if len(parts) != 1 or parts[0].tag != shape.member_tag:
            return ()
        build = self.bind("build", shape.build)
        value = self._inline(parts[0], "v")
        made = f"{build}($p)" if value == "v" else f"{build}([{value} for v in $p])"
        return (
            _Tagged(shape.tag, _LIST[parts[0].payload], made),
            self._several(shape.element, shape.build),
        )

    def _nested(self, codec: ClassCodec) -> tuple[_Tagged, ...]:
        if codec in self._under_way:
            return ()  # a class that holds itself
        try:
            struct, build = self.function(codec, msgspec.Struct, (), codec.known)
        except ValueError:
            return ()
        return (_Tagged("M", struct, f"{self.bind('nested', build)}($p)"),)

    def _element(self, codec: Codec) -> tuple[Any, str]:
        """The annotation of an attribute value, and the expression of its value, for `v`."""
        parts = self._parts(codec)
        if not parts:
            return Any, f"{self.bind('load', codec.load)}(v)"
        if len(parts) == 1:
            return self._struct(parts), self._inline(parts[0], f"v.{parts[0].tag}")
        source = Source("pick", "v", self.names)
        source.add(*self._choice(parts, "v", "found"), "return found")
        return self._struct(parts), f"{self.bind('pick', source.function('value'))}(v)"

    def _inline(self, part: _Tagged, payload: str) -> str:
        if part.refused is None:
            return part.value.replace("$p", payload)
        source = Source("get", "p", self.names)
        source.add(*_checked(part, "p", "found"), "return found")
        return f"{self.bind('get', source.function('value'))}({payload})"

    def _struct(self, parts: tuple[_Tagged, ...]) -> Any:
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

    def _choice(self, parts: tuple[_Tagged, ...], v: str, target: str) -> list[str]:
        """The lines that take a value out of the one member that is there."""
        part, *others = parts
        lines = [f"p = {v}.{part.tag}", "if p is not UNSET:"]
        if others:
            several = " or ".join(f"{v}.{each.tag} is not UNSET" for each in others)
            lines.append(f"    if {several}: raise Unreadable")
        lines += indented(_checked(part, "p", target))
        rest = self._choice(tuple(others), v, target) if others else ["raise Unreadable"]
        return [*lines, "else:", *indented(rest)]

    # --- Classes ---

    def function(
        self,
        codec: ClassCodec,
        base: Any,
        learned: tuple[str, ...],
        known: frozenset[str],
        attributes: Mapping[str, str] | None = None,
        other: Callable[[Any], Any] | None = None,
    ) -> tuple[Any, Callable[[Any], Any]]:
        """A class's struct and the function that makes an instance of it."""
        stored = [field.stored for field in codec.members]
        if attributes is not None:
            stored = [attributes[name] for name in stored]
        places = {name: f"f{position}" for position, name in enumerate(stored)}
        # Known and no field: what a table's keys are made of, for example.
        rest = [name for name in sorted(known) if name not in places]
        places.update({name: f"k{position}" for position, name in enumerate(rest)})
        places.update({name: f"x{position}" for position, name in enumerate(learned)})
        self._under_way.add(codec)
        try:
            self._tags.update({field: self._parts(field.codec) for field in codec.members})
        finally:
            self._under_way.discard(codec)
        body: list[str] = []
        taken: dict[str, list[str]] = {}
        if other is not None and attributes is None and codec.keys is not None:
            body, payloads = _from_keys(codec.keys, places, self.bind)
            taken = {
                field.stored: self._taken(field, payloads[field.stored], f"a{position}")
                for position, field in enumerate(codec.members)
                if field.stored in payloads
            }
        body += self.construction(codec, taken)
        members = [self._member(field, at, taken) for at, field in enumerate(codec.members)]
        members += [(places[name], Any, UNSET) for name in (*rest, *learned)]
        struct = _struct(
            codec.record.cls.__name__, members, base,
            rename={place: name for name, place in places.items()},
            namespace={} if other is None else {"places": places},
        )  # fmt: skip
        if learned and carries_unknown(codec):
            self.names.update(carry=carry, Carried=Carried, native_map=native_map)
            body += ["extra = {}"]
            for name in learned:
                body += [f"v = row.{places[name]}", f"if v is not UNSET: extra[{name!r}] = v"]
            body += ["if extra: carry(instance, Carried(native_map(extra)))"]
        if other is not None and attributes is None:
            body += self._odd(codec, places)
        body += ["return instance"]
        source = Source("build", "row", self.names)
        if other is None:
            source.add(*body)
        else:
            self.names.update(Row=struct, other=other)
            unlike = ""
            if attributes is None:
                conditions = (*_another_class(codec, places), *_not_current(codec, places))
                unlike = "".join(f" or {each}" for each in conditions)
            source.add(
                f"if type(row) is not Row{unlike}:", "    return other(row)", "try:",
                *indented(body), "except Exception:", "    return other(row)",
            )  # fmt: skip
        return struct, source.function(codec.record.cls)

    def _odd(self, codec: ClassCodec, places: Mapping[str, str]) -> list[str]:
        """The lines that let an instance carry what it does not tell of its item."""
        stored = {field.stored: field for field in codec.members}

        def payload(attribute: str, tag: str) -> str:
            field = stored.get(attribute)
            if field is None:
                return f"row.{places[attribute]}[{tag!r}]"
            parts = self._tags[field]
            if len(parts) == 1 and parts[0].tag == tag:
                return f"row.{places[attribute]}.{tag}"
            return f"row[{attribute!r}][{tag!r}]"

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
        self.names.update(NAMES, **names)
        return [f"if {' or '.join(conditions)}: keep(instance, builtins_of(row))"]

    def _member(self, field: FieldCodec, position: int, taken: Collection[str]) -> tuple[Any, ...]:
        """A field's member of the struct."""
        place, parts = f"f{position}", self._tags[field]
        # What stands in the item counts for nothing where the key says it.
        annotation = self._struct(parts) if parts and field.stored not in taken else Any
        if field.stored not in taken and is_required(field):
            return place, annotation
        return place, annotation if annotation is Any else annotation | UnsetType, UNSET

    def required(self, field: FieldCodec, position: int) -> tuple[list[str], str]:
        parts = self._tags[field]
        if len(parts) == 1 and parts[0].refused is None:
            return [], self._inline(parts[0], f"row.f{position}.{parts[0].tag}")
        return self._value(field, f"row.f{position}", f"a{position}"), f"a{position}"

    def optional(self, field: FieldCodec, position: int) -> tuple[list[str], str, list[str]]:
        read = self._value(field, "v", f"a{position}")
        return [f"v = row.f{position}"], "v is UNSET", read

    def _value(self, field: FieldCodec, v: str, target: str) -> list[str]:
        parts = self._tags[field]
        if not parts:
            return [f"{target} = {self.bind('load', field.codec.load)}({v})"]
        if len(parts) == 1:
            return _checked(parts[0], f"{v}.{parts[0].tag}", target)
        return self._choice(parts, v, target)

    def _taken(self, field: FieldCodec, taken: _Taken, target: str) -> list[str]:
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
        place = places[keys.table.discriminator]
        unlike = (f"row.{place} != { ({'S': kind})!r}" for kind in keys.kinds)
        yield f"{' and '.join(unlike)} and row.{place} is not UNSET"


def _not_current(codec: ClassCodec, places: Mapping[str, str]) -> Iterator[str]:
    """What is true of an item that is stored otherwise than its model would store it today."""
    info = codec.model
    if info is None:
        return
    place = places.get(info.schema_attribute)
    # Where it is no field, it is known, or was learned from an item that has it.
    if place is not None and info.schema_attribute not in info.names.values():
        absent = "" if info.upgrades else f"row.{place} is not UNSET and "
        yield f"{absent}row.{place} != { ({'N': str(info.schema_version)})!r}"
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


def _checked(part: _Tagged, payload: str, target: str) -> list[str]:
    lines = [f"{target} = " + part.value.replace("$p", payload)]
    if part.refused is not None:
        lines.append(f"if {part.refused.replace('$t', target)}: raise Unreadable")
    return lines


# --- Fields that are stored in keys only ---------------------------------------------------------


@attrs.frozen
class _Taken:
    """What the generated code leaves of a field.

    Attributes:
        tag: The type tag of its stored value.
        payload: The name of that value's payload, as JSON has it.
    """

    tag: str
    payload: str


def _from_keys(
    keys: ComputedKeys, places: Mapping[str, str], bind: Callable[[str, Any], str]
) -> tuple[list[str], dict[str, _Taken]]:
    """The lines that take the primary key of a row apart, and what they leave, by stored names.

    They do what `ModelKeys.restore` and `Template.read` do, step by step, for one model's templates.
    They raise where those do, and where the reply is not as expected.

    Args:
        keys: The model's.
        places: The row's members by the attributes' names.
        bind: Gives an object a name in the code, beginning with some text.

    Raises:
        ModelError: A template does not fit the fields.
    """
    hidden = [keys.names[name] for name in keys.key_only]
    lines: list[str] = []
    taken: dict[tuple[str, ...], _Taken] = {}
    for attribute in keys.table.key if hidden else ():
        template: Template | None = keys.templates.get(attribute)
        if template is None:
            continue
        key = f"row.{places[attribute]}"
        lines.append(f"key = {key}[{template.tag!r}]")
        if template.constant is not None:
            continue
        lines.append("if type(key) is not str: raise Unreadable")
        if template.tag == "S":
            _read_text(template, lines, taken, bind)
            continue
        payload = f"key_{len(lines)}"
        lines += [f"if len({key}) != 1: raise Unreadable", f"{payload} = key"]
        taken[template.slots[0].steps] = _Taken(template.tag, payload)
    return lines, {name: taken[(name,)] for name in hidden}


def _read_text(
    template: Template,
    lines: list[str],
    taken: dict[tuple[str, ...], _Taken],
    bind: Callable[[str, Any], str],
) -> None:
    lines.append("at = 0")
    for place, part in enumerate(template.parts):
        if isinstance(part, str):
            lines += [
                f"if not key.startswith({part!r}, at): raise Unreadable",
                f"at += {len(part)}",
            ]
            continue
        lines += [
            _end(part, template.end(place)),
            "if not at <= end <= len(key): raise Unreadable",
        ]
        if part.style.exact:
            payload = f"key_{len(lines)}"
            lines += _payload(part.style, payload, bind)
            # A field may be in the key twice: the later one counts, as everywhere.
            taken[part.steps] = _Taken(part.style.tag, payload)
        lines.append("at = end")
    lines.append("if at != len(key): raise Unreadable")


def _end(slot: Slot, ending: str) -> str:
    if slot.style.width is not None:
        return f"end = at + {slot.style.width}"
    return f"end = key.find({ending!r}, at)" if ending else "end = len(key)"


def _payload(style: Style, name: str, bind: Callable[[str, Any], str]) -> list[str]:
    """The lines that read a slot's text, `key[at:end]`, as `style.read` does."""
    text = f"{name} = key[at:end]"
    if type(style) is Words and style.separators:
        held = " or ".join(f"{each!r} in {name}" for each in sorted(style.separators))
        return [text, f"if {held}: raise Unreadable"]
    if type(style) in (Words, Rest):
        return [text]
    if not isinstance(style, (Fixed, Padded)):
        return [f"{name} = {bind('read', style.read)}(key[at:end])[{style.tag!r}]"]
    lines = [text, f"if not {bind('letters', style.letters.issuperset)}({name}): raise Unreadable"]
    if isinstance(style, Padded):
        base = ", 16" if style.base in ("x", "X") else ""
        lines.append(f"{name} = str(int({name}{base}))")
    return lines
