"""Rows: items read from a reply's bytes in one pass, and the objects that are made of them.

For each class that is read a msgspec struct is generated, a `Row`, whose members are the attributes
of its items in wire form, and a straight-line function that makes an object of a row. Between bytes
and object there is no dict. Payloads stay text here, numbers too: a row can so be turned into the
attribute map that it was read from, which the general codecs read whenever anything is not as
expected. They decide, and they write the error.

So this way may refuse whatever it likes, and must never accept what the general way refuses or
reads differently. Everything is strict for that reason: exactly one type tag, the expected one, with
a payload of its JSON type. (msgspec's lax mode would make ints of text while it reads. It also makes
them of JSON numbers and floats, and of other texts than `int` does, and the text would be gone.)

Fields without a fast form (unions, `Any`, types with hooks of their own, …) stay attribute values
inside the row and go through their codec, field by field.
"""

from __future__ import annotations

import keyword
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from decimal import Decimal
from functools import cache
from types import CodeType
from typing import Any, ClassVar, Final, TypeAlias, TypeVar, cast

import attrs
import msgspec
from msgspec import UNSET, UnsetType, to_builtins

from dynattrs.mapper import scalars
from dynattrs.mapper.anything import native_map
from dynattrs.mapper.class_kinds import MISSING
from dynattrs.mapper.classes import (
    Carried,
    ClassCodec,
    FieldCodec,
    Source,
    carry,
    default_expression,
    set_attribute,
)
from dynattrs.mapper.codec import Codec, Maybe, Members, Named, Several, Texts
from dynattrs.mapper.key_only import Taken, from_keys
from dynattrs.schema.table import AttributeMap, AttributeValue

T = TypeVar("T")

# For where `type` is a property.
RowType: TypeAlias = "type[Row]"

#: How many attributes that a class does not know get a place in its rows, and in how many steps.
#: What is beyond goes through the general codecs.
MOST_LEARNED: Final = 64
MOST_STEPS: Final = 8

# To checkers the arguments of annotations are types that they know.
_LIST: Final[Any] = list
_DICT: Final[Any] = dict


class Unreadable(Exception):
    """The fast way met what only the general one may judge."""


class Row(msgspec.Struct, gc=False):
    """An item in wire form. `row["title"]` is an attribute value, as in an attribute map."""

    #: The members by the names of the attributes.
    places: ClassVar[dict[str, str]] = {}

    def __getitem__(self, name: str) -> AttributeValue:
        value = getattr(self, self.places[name])
        if value is UNSET:
            raise KeyError(name)
        found: AttributeValue = value if type(value) is dict else to_builtins(value)
        return found

    def get(self, name: str, default: AttributeValue, /) -> AttributeValue:
        try:
            return self[name]
        except KeyError:
            return default


@cache
def peek(names: tuple[str, ...]) -> Callable[[Any], Row]:
    """What takes some attributes out of the bytes of an item, whatever else that has.

    Raises:
        ValueError: A name cannot be that of a struct's member.
    """
    places = {name: f"k{position}" for position, name in enumerate(names)}
    struct = msgspec.defstruct(
        "Peek", [(place, Any, UNSET) for place in places.values()], bases=(Row,), gc=False, eq=False,
        namespace={"places": places}, rename={place: name for name, place in places.items()},
        kw_only=True,
    )  # fmt: skip
    return cast("Callable[[Any], Row]", msgspec.json.Decoder(struct).decode)


def attribute_map(item: Any) -> AttributeMap:
    """The attribute map that a row was read from; what is none already stays."""
    if isinstance(item, Row):
        found: AttributeMap = to_builtins(item)
        return found
    return cast("AttributeMap", item)


@attrs.frozen(eq=False, repr=False)
class _Made:
    """What was generated for the rows of a class, with the attributes it has learned."""

    type: type[Row]
    build: Callable[[Any], Any]
    learned: tuple[str, ...] = ()


class Rows:
    """The rows of one class. Safe between threads: what is generated changes in one step.

    Attributes that the class does not know have no place in its rows at first; an item that has one
    is refused as a row. `learn` gives them a place.

    Args:
        codec: The class's.
        load: The general way to read it.
        also: Attributes to have a place although the class does not know them and will not carry
            them: those of the table's keys, which cursors are made of.
        attributes: For a projection: what the items call the attributes of the class, by their
            stored names.

    Raises:
        ValueError: The class has no rows: an attribute's name cannot be that of a struct's member.
    """

    def __init__(
        self,
        codec: ClassCodec,
        load: Callable[[AttributeMap], Any],
        also: Iterable[str] = (),
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        self._codec = codec
        self._load = load
        self._also = frozenset(also)
        self._attributes = attributes
        self._lock = threading.Lock()
        self._steps = 0
        self._made = self._make(())
        #: What decodes whole replies, by the kind of reply; made and kept by who needs it.
        self.decoders: dict[str, Any] = {}

    @property
    def type(self) -> type[Row]:
        return self._made.type

    @property
    def build(self) -> Callable[[Any], Any]:
        """Makes an object of a row, or of an attribute map.

        Raises:
            MappingError: As `Mapper.load`.
        """
        return self._made.build

    @property
    def current(self) -> tuple[RowType, Callable[[Any], Any]]:
        """`type` and `build` that belong together, whatever another thread learns meanwhile."""
        made = self._made
        return made.type, made.build

    @property
    def learns(self) -> bool:
        """Whether `learn` may still change something."""
        return (
            self._codec.unknown != "forbid"
            and self._attributes is None
            and self._steps < MOST_STEPS
            and len(self._made.learned) < MOST_LEARNED
        )

    def _fresh(self, learned: Collection[str], names: Iterable[str]) -> list[str]:
        return [
            name
            for name in dict.fromkeys(names)
            if name not in learned and name not in self._codec.known
        ]

    def learn(self, names: Iterable[str]) -> bool:
        """Give attributes that the class does not know a place in its rows; the most important
        ones first.

        Returns:
            Whether rows have changed. They do not where such attributes are forbidden, and not
            without end.
        """
        if not self.learns:
            return False
        with self._lock:
            made = self._made
            fresh = self._fresh(made.learned, names)
            if not fresh or not self.learns:
                return False
            self._steps += 1
            learned = (*made.learned, *fresh)[:MOST_LEARNED]
            try:
                self._made = self._make(learned)
            except ValueError:  # a name that cannot be that of a struct's member
                return False
            return True

    def _make(self, learned: tuple[str, ...]) -> _Made:
        made = _Generator().row(self._codec, learned, self._also, self._attributes, self.other)
        return _Made(*made, learned)

    def other(self, item: Any) -> Any:
        """The object of what is no row of the current kind, or of a row that cannot be read."""
        return self._load(attribute_map(item))


def _carries_unknown(codec: ClassCodec) -> bool:
    return codec.carries and codec.unknown == "keep"


# --- How a payload becomes a value --------------------------------------------------------------


@attrs.frozen(eq=False, repr=False)
class _Part:
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


_NULL: Final = _Part("NULL", Any, "None")

_SCALARS: Final[dict[Codec, _Part]] = {
    scalars.PLAIN[str]: _Part("S", str, "$p"),
    scalars.PLAIN[bool]: _Part("BOOL", bool, "$p"),
    scalars.PLAIN[int]: _Part("N", str, "int($p)"),
    scalars.PLAIN[float]: _Part("N", str, "float($p)", "$t - $t != 0.0"),
    scalars.PLAIN[Decimal]: _Part("N", str, "Decimal($p)", "not $t.is_finite()"),
    scalars.PLAIN[bytes]: _Part("B", str, "binary($p)"),
}


class _Generator:
    """Generates the row of one class, and the structs inside it."""

    def __init__(self) -> None:
        self._names: dict[str, Any] = {
            "UNSET": UNSET,
            "Decimal": Decimal,
            "binary": scalars.binary,
            "Unreadable": Unreadable,
        }
        self._structs: dict[Any, Any] = {}
        self._under_way: set[ClassCodec] = set()

    def _bind(self, stem: str, value: Any) -> str:
        name = f"{stem}_{len(self._names)}"
        self._names[name] = value
        return name

    # --- Attribute values ---

    def _parts(self, codec: Codec) -> tuple[_Part, ...]:
        """The type tags of a codec's values; none where the codec itself is to read them."""
        part = _SCALARS.get(codec)
        if part is not None:
            return (part,)
        if isinstance(codec, ClassCodec):
            return self._nested(codec)
        shape = codec.shape
        if isinstance(shape, Maybe):
            parts = self._parts(shape.inner)
            known = bool(parts) and not shape.inner.optional
            return (*parts, _NULL) if known else ()
        if isinstance(shape, Texts):
            texts = self._bind("texts", shape.values)
            return (_Part("S", str, f"{texts}[$p]"),)
        if isinstance(shape, Several):
            return (self._several(shape.element, shape.build),)
        if isinstance(shape, Members):
            return self._members(shape)
        if isinstance(shape, Named):
            annotation, value = self._element(shape.element)
            made = f"{{each: {value} for each, v in $p.items()}}"
            if shape.build is not dict:
                made = f"{self._bind('build', shape.build)}({made})"
            return (_Part("M", _DICT[str, annotation], made),)
        if codec.kind in ("S", "N", "B") and not codec.optional and not codec.is_set:
            load = self._bind("load", codec.load)
            return (_Part(codec.kind, str, f"{load}({{{codec.kind!r}: $p}})"),)
        return ()

    def _several(self, element: Codec, build: Callable[[Any], Any]) -> _Part:
        annotation, value = self._element(element)
        made = f"[{value} for v in $p]"
        if build is not list:
            made = f"{self._bind('build', build)}({made})"
        return _Part("L", _LIST[annotation], made)

    def _members(self, shape: Members) -> tuple[_Part, ...]:
        parts = self._parts(shape.element)
        if len(parts) != 1 or parts[0].tag != shape.kind:
            return ()
        build = self._bind("build", shape.build)
        value = self._inline(parts[0], "v")
        made = f"{build}($p)" if value == "v" else f"{build}([{value} for v in $p])"
        return (
            _Part(shape.tag, _LIST[parts[0].payload], made),
            self._several(shape.element, shape.build),
        )

    def _nested(self, codec: ClassCodec) -> tuple[_Part, ...]:
        if codec in self._under_way:
            return ()  # a class that holds itself
        try:
            struct, build = self._class(codec, msgspec.Struct, (), codec.known)
        except ValueError:
            return ()
        return (_Part("M", struct, f"{self._bind('nested', build)}($p)"),)

    def _element(self, codec: Codec) -> tuple[Any, str]:
        """The annotation of an attribute value, and the expression of its value, for `v`."""
        parts = self._parts(codec)
        if not parts:
            return Any, f"{self._bind('load', codec.load)}(v)"
        if len(parts) == 1:
            return self._struct(parts), self._inline(parts[0], f"v.{parts[0].tag}")
        source = Source("pick", "v", self._names)
        source.add(*self._choice(parts, "v", "found"), "return found")
        return self._struct(parts), f"{self._bind('pick', source.function('value'))}(v)"

    def _inline(self, part: _Part, payload: str) -> str:
        if part.refused is None:
            return part.value.replace("$p", payload)
        source = Source("get", "p", self._names)
        source.add(*_checked(part, "p", "found"), "return found")
        return f"{self._bind('get', source.function('value'))}({payload})"

    def _struct(self, parts: tuple[_Part, ...]) -> Any:
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

    def _choice(self, parts: tuple[_Part, ...], v: str, target: str) -> list[str]:
        """The lines that take a value out of the one member that is there."""
        part, *others = parts
        lines = [f"p = {v}.{part.tag}", "if p is not UNSET:"]
        if others:
            several = " or ".join(f"{v}.{each.tag} is not UNSET" for each in others)
            lines.append(f"    if {several}: raise Unreadable")
        lines += _indented(_checked(part, "p", target))
        rest = self._choice(tuple(others), v, target) if others else ["raise Unreadable"]
        return [*lines, "else:", *_indented(rest)]

    # --- Classes ---

    def row(
        self,
        codec: ClassCodec,
        learned: tuple[str, ...],
        also: frozenset[str],
        attributes: Mapping[str, str] | None,
        other: Callable[[Any], Any],
    ) -> tuple[type[Row], Callable[[Any], Any]]:
        # What a class drops has a place too: an error shows the item as it is stored.
        known = codec.known if _carries_unknown(codec) else codec.known | also
        if attributes is not None:
            known = frozenset(attributes.values()) | also
        return self._class(codec, Row, learned, known, attributes, other)

    def _class(
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
        before: list[str] = []
        taken: dict[str, Taken] = {}
        if base is Row and attributes is None and codec.keys is not None:
            before, taken = from_keys(codec.keys, places, self._bind)
        self._under_way.add(codec)
        try:
            members, body = self._members_of(codec, taken)
        finally:
            self._under_way.discard(codec)
        body[:0] = before
        members += [(places[name], Any, UNSET) for name in (*rest, *learned)]
        struct = _struct(
            codec.record.cls.__name__, members, base,
            rename={place: name for name, place in places.items()},
            namespace={"places": places} if base is Row else {},
        )  # fmt: skip
        if learned and _carries_unknown(codec):
            self._names.update(carry=carry, Carried=Carried, native_map=native_map)
            body += ["extra = {}"]
            for name in learned:
                body += [f"v = row.{places[name]}", f"if v is not UNSET: extra[{name!r}] = v"]
            body += ["if extra: carry(instance, Carried(native_map(extra)))"]
        body += ["return instance"]
        source = Source("build", "row", self._names)
        if other is None:
            source.add(*body)
        else:
            self._names.update(Row=struct, other=other)
            unlike = ""
            if attributes is None:
                conditions = (*_another_class(codec, places), *_not_current(codec, places))
                unlike = "".join(f" or {each}" for each in conditions)
            source.add(
                f"if type(row) is not Row{unlike}:", "    return other(row)", "try:",
                *("    " + line for line in body), "except Exception:", "    return other(row)",
            )  # fmt: skip
        return struct, cast("Callable[[Any], Any]", source.function(codec.record.cls))

    def _members_of(
        self, codec: ClassCodec, taken: Mapping[str, Taken]
    ) -> tuple[list[Any], list[str]]:
        members: list[Any] = []
        lines: list[str] = []
        values: dict[str, str] = {}
        later: list[str] = []
        rest: list[str] = []
        for position, field in enumerate(codec.members):
            place, target = f"f{position}", f"a{position}"
            parts = self._parts(field.codec)
            annotation = self._struct(parts) if parts else Any
            member = field.member
            if field.stored in taken:
                # What stands in the item counts for nothing where the key says it.
                members.append((place, Any, UNSET))
                lines += self._taken(field, parts, taken[field.stored], target)
                if member.init:
                    values[member.argument] = target
                else:
                    later.append(f"set_attribute(instance, {field.name!r}, {target})")
                continue
            if member.default is MISSING and member.init and not field.always_set:
                members.append((place, annotation))
                if len(parts) == 1 and parts[0].refused is None:
                    values[member.argument] = self._inline(parts[0], f"row.{place}.{parts[0].tag}")
                    continue
                lines += self._value(field, parts, f"row.{place}", target)
                values[member.argument] = target
                continue
            members.append((place, annotation | UnsetType if parts else Any, UNSET))
            read = self._value(field, parts, "v", target)
            absent = self._absent(codec, field, position)
            lines += [f"v = row.{place}"]
            if absent is not None:
                lines += [f"if v is UNSET: {target} = {absent}", "else:", *_indented(read)]
                if member.init:
                    values[member.argument] = target
                else:
                    later.append(f"set_attribute(instance, {field.name!r}, {target})")
            else:
                # The constructor makes this default, perhaps out of the other fields.
                store = (
                    f"rest[{member.argument!r}] = {target}"
                    if member.init
                    else f"later[{field.name!r}] = {target}"
                )
                rest.append("rest" if member.init else "later")
                lines += ["if v is not UNSET:", *_indented([*read, store])]
        lines[:0] = [f"{name} = {{}}" for name in sorted(set(rest))]
        self._names["set_attribute"] = set_attribute
        if "later" in rest:
            later.append("for name in later: set_attribute(instance, name, later[name])")
        lines += self._construction(codec, values, rest="rest" in rest, later=bool(later))
        return members, [*lines, *later]

    def _absent(self, codec: ClassCodec, field: FieldCodec, position: int) -> str | None:
        """What stands for an absent attribute, or None where only the constructor knows."""
        if field.always_set:
            return f"{self._bind('load', field.codec.load)}({{'L': []}})"
        if not field.member.init:
            return None
        found = default_expression(codec, field.member)
        if found is None:
            return None
        value, called = found
        if value is None:
            return "None"
        return self._bind("default", value) + ("()" if called else "")

    def _value(self, field: FieldCodec, parts: tuple[_Part, ...], v: str, target: str) -> list[str]:
        if not parts:
            return [f"{target} = {self._bind('load', field.codec.load)}({v})"]
        if len(parts) == 1:
            return _checked(parts[0], f"{v}.{parts[0].tag}", target)
        return self._choice(parts, v, target)

    def _taken(
        self, field: FieldCodec, parts: tuple[_Part, ...], taken: Taken, target: str
    ) -> list[str]:
        """The lines for a value that was taken out of a key."""
        for part in parts:
            if part.tag == taken.tag and part.payload is str:
                return _checked(part, taken.payload, target)
        load = self._bind("load", field.codec.load)
        return [f"{target} = {load}({{{taken.tag!r}: {taken.payload}}})"]

    def _construction(
        self, codec: ClassCodec, values: dict[str, str], *, rest: bool, later: bool
    ) -> list[str]:
        """The lines that make the instance."""
        record = codec.record
        if not rest and not later and _only_assigns(codec):
            cls = self._bind("cls", record.cls)
            self._names["new"] = object.__new__
            stores = [
                f"instance.{field.name} = {values[field.member.argument]}"
                for field in codec.members
            ]
            return [f"instance = new({cls})", *stores]
        build = self._bind("build", record.build)
        arguments: list[str] = []
        # By position where that is known to be the same: it saves the call a dict.
        given = dict(values)
        for name in _positional(codec):
            if name not in given:
                break
            arguments.append(given.pop(name))
        arguments += [f"{name}={value}" for name, value in given.items() if _is_name(name)]
        odd = [f"{name!r}: {value}" for name, value in given.items() if not _is_name(name)]
        if odd:
            arguments.append(f"**{{{', '.join(odd)}}}")
        if rest:
            arguments.append("**rest")
        return [f"instance = {build}({', '.join(arguments)})"]


def _another_class(codec: ClassCodec, places: Mapping[str, str]) -> Iterator[str]:
    """What is true of an item that another class may have to read, or none."""
    keys = codec.keys
    if keys is not None and keys.kind is not None and keys.table.discriminator is not None:
        place, own = places[keys.table.discriminator], {"S": keys.kind}
        yield f"row.{place} != {own!r} and row.{place} is not UNSET"


def _not_current(codec: ClassCodec, places: Mapping[str, str]) -> Iterator[str]:
    """What is true of an item that is stored otherwise than its model would store it today."""
    info = codec.evolves
    if info is None:
        return
    if info.upgrades:
        current = {"N": str(info.schema_version)}
        yield f"row.{places[info.schema_attribute]} != {current!r}"
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


def _checked(part: _Part, payload: str, target: str) -> list[str]:
    lines = [f"{target} = " + part.value.replace("$p", payload)]
    if part.refused is not None:
        lines.append(f"if {part.refused.replace('$t', target)}: raise Unreadable")
    return lines


def _indented(lines: Iterable[str]) -> list[str]:
    return ["    " + line for line in lines]


def _is_name(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text)


def _positional(codec: ClassCodec) -> tuple[str, ...]:
    """The constructor's arguments that may be given by position, in their order."""
    cls = codec.record.cls
    code = getattr(cls.__init__, "__code__", None)
    if codec.record.build is not cls or not attrs.has(cls) or not isinstance(code, CodeType):
        return ()
    return code.co_varnames[1 : code.co_argcount]


def _only_assigns(codec: ClassCodec) -> bool:
    """Whether the constructor does nothing but assign its arguments to the fields.

    Judged by the names in the code that attrs has generated: validators, converters, hooks, cached
    hashes and frozen classes all bring names of their own.
    """
    cls, record = codec.record.cls, codec.record
    code = getattr(cls.__init__, "__code__", None)
    names = {member.name for member in record.members}
    return (
        attrs.has(cls)
        and record.build is cls
        and isinstance(code, CodeType)
        and code.co_filename.startswith("<attrs generated")
        and set(code.co_names) <= {*names, "NOTHING", *(f"__attr_factory_{name}" for name in names)}
        and names <= set(code.co_names)
        and all(member.init and _is_name(member.name) for member in record.members)
        and cls.__setattr__ is object.__setattr__
        and cls.__new__ is object.__new__
        and type(cls).__call__ is type.__call__
    )
