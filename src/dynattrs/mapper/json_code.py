"""Code that makes JSON of values as requests have it, without attribute values in between.

Every codec has a form here: a template of bytes with a place for each expression, such as
`{"S":%b}` and `encode(each)`. The forms of parts are put into each other as text, so that a class
becomes one `%` over all of its fields. What is unusual goes to the codec inside of that expression, and
only what is wrong raises: `Mapper.dump` and what follows it then write the error.

Whole requests, with their keys, are `request_code`'s.
"""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

import attrs
import msgspec

from dynattrs import limits
from dynattrs.mapper import scalars, stored_json, time_to_live
from dynattrs.mapper.carried import NOTHING_CARRIED, quiet
from dynattrs.mapper.classes import ClassCodec, FieldCodec
from dynattrs.mapper.codec import (
    SCALARS,
    AnyShape,
    ChoicesShape,
    Codec,
    KeyedMapShape,
    ListShape,
    MapShape,
    OptionalShape,
    SetShape,
    TupleShape,
    TypedDictShape,
    UnionShape,
)
from dynattrs.mapper.containers import check_sequence
from dynattrs.mapper.number_lists import number_lists
from dynattrs.mapper.source import Source, bind
from dynattrs.schema.model_info import UNKNOWN_ATTRIBUTE

_PLAIN: Final = scalars.PLAIN
_STR: Final = _PLAIN[str]
_INT: Final = _PLAIN[int]

#: Sets of these tell their members apart as the service does.
_APART: Final = frozenset(_PLAIN[each] for each in (str, int, float, Decimal, bytes))
#: More levels than any item has.
_ENDLESS: Final = limits.NESTING_DEPTH + 1


@attrs.frozen
class Form:
    """How a value becomes JSON.

    Attributes:
        template: Bytes with a place for each argument, as `%` has them.
        arguments: Expressions.
        either: Where it is one of two: when it is the first, that one, and the other.
    """

    template: bytes
    arguments: tuple[str, ...] = ()
    either: tuple[str, Form, Form] | None = None

    @property
    def code(self) -> str:
        """One expression for it."""
        if not self.arguments:
            return repr(self.template.replace(b"%%", b"%"))
        if self.template == b"%b":
            return self.arguments[0]
        return f"{self.template!r} % ({', '.join(self.arguments)},)"

    def within(self, before: bytes, after: bytes) -> Form:
        if self.either is not None:
            condition, form, other = self.either
            return either(condition, form.within(before, after), other.within(before, after))
        return Form(before + self.template + after, self.arguments)


def either(condition: str, form: Form, other: Form) -> Form:
    """One of two. What is put around it is put around each, so that it is one `%` still."""
    code = f"({form.code} if {condition} else {other.code})"
    return Form(b"%b", (code,), (condition, form, other))


def literal(text: bytes) -> bytes:
    """Bytes as they stand in a template."""
    return text.replace(b"%", b"%%")


def name_json(name: str) -> bytes:
    """The name of an attribute in a template, with its colon."""
    return literal(msgspec.json.encode(name)) + b":"


#: Forms of plain types: `$v` is the value, `$c` what its codec makes of any other.
_FORMS: Final[dict[Codec, tuple[bytes, str, str]]] = {
    _STR: (b'{"S":%b}', "encode($v) if type($v) is str else $c($v)", "json"),
    _INT: (b'{"N":"%d"}', "$v if type($v) is int and LEAST < $v < MOST else $c($v)", "number"),
    time_to_live.CODECS[int]: (
        b'{"N":"%d"}', "$v if type($v) is int and LEAST < $v < MOST else $c($v)", "number"
    ),
    _PLAIN[float]: (
        # Those that JSON has as `repr` writes them.
        b'{"N":"%b"}',
        "encode($v) if type($v) is float and (1e-4 <= $v < 1e15 or 1e-4 <= -$v < 1e15) else $c($v)",
        "text",
    ),
    _PLAIN[bool]: (
        b'{"BOOL":%b}', "b'true' if $v is True else b'false' if $v is False else $c($v)", "json"
    ),
    _PLAIN[bytes]: (b'{"B":%b}', "encode($v) if type($v) is bytes else $c($v)", "json"),
    _PLAIN[uuid.UUID]: (b'{"S":%b}', "encode($v) if type($v) is UUID else $c($v)", "json"),
    _PLAIN[dt.date]: (b'{"S":%b}', "encode($v) if type($v) is date else $c($v)", "json"),
    _PLAIN[dt.datetime]: (b'{"S":%b}', "instant($v)", ""),
    _PLAIN[dt.time]: (b'{"S":%b}', "time_of_day($v)", ""),
    _PLAIN[dt.timedelta]: (b'{"N":%b}', "duration($v)", ""),
    _PLAIN[Decimal]: (b'{"N":%b}', "decimal($v)", ""),
}  # fmt: skip

#: The JSON of a usual list of few numbers.
_FEW: Final = {_INT: stored_json.few_ints, _PLAIN[float]: stored_json.few_floats}

_BY_CODEC: Final[dict[str, Callable[..., Any]]] = {
    "json": stored_json.json_by_codec,
    "number": lambda codec, tag: stored_json.int_by_codec(codec),
    "text": lambda codec, tag: stored_json.float_by_codec(codec),
}

_NAMES: Final = (
    "LEAST", "MOST", "NO_MEMBERS", "NULL", "SETS", "SETS_OR_NONE", "TEXT", "Unusual", "also", "apart",
    "carried_json", "decimal", "duration", "encode", "fitting", "inside", "instant", "measured", "members",
    "numbers_apart", "pairs", "restored", "time_of_day",
)  # fmt: skip


def parts_of(codec: Codec) -> tuple[int, tuple[Codec, ...]]:
    """How many levels a value of a codec is itself, and the codecs of what is in it; nothing of those
    that count their levels when they are written.
    """
    shape = codec.shape
    if isinstance(codec, ClassCodec):
        return 1, tuple(each.codec for each in codec.members)
    if isinstance(shape, OptionalShape):
        return 0, (shape.inner,)
    if isinstance(shape, UnionShape):
        return 0, (*shape.members.values(),)
    if isinstance(shape, (ListShape, MapShape, KeyedMapShape)):
        return 1, (shape.element,)
    if isinstance(shape, TupleShape):
        return 1, shape.elements
    if isinstance(shape, TypedDictShape):
        return 1, (*shape.members.values(),)
    return int(isinstance(shape, SetShape)), ()  # where a set is empty


def height(codec: Codec, known: dict[Codec, int]) -> int:
    """How many levels of lists and maps the values of a codec have at most."""
    if codec not in known:
        known[codec] = _ENDLESS  # while it is found out: what holds itself has no end
        own, parts = parts_of(codec)
        levels = own + max((height(each, known) for each in parts), default=0)
        known[codec] = min(levels, _ENDLESS)
    return known[codec]


class JsonWriter:
    """Generates functions that make the JSON of the values of codecs.

    Args:
        codec: That of the outermost class.
    """

    def __init__(self, codec: ClassCodec) -> None:
        self.names: dict[str, Any] = {
            **{name: getattr(stored_json, name) for name in _NAMES},
            "NOTHING_CARRIED": NOTHING_CARRIED, "UUID": uuid.UUID, "check_sequence": check_sequence,
            "quiet": quiet,
            "date": dt.date,
        }  # fmt: skip
        # Whether values may have more levels than the service allows, though nothing in them is `Any`.
        self.deep = height(codec, {}) > limits.NESTING_DEPTH
        self._functions: dict[tuple[str, Codec], str] = {}
        self._fresh = 0

    def bind(self, stem: str, value: Any) -> str:
        return bind(self.names, stem, value)

    def fresh(self) -> str:
        """A name for a value."""
        self._fresh += 1
        return f"e{self._fresh}"

    # --- Values ---

    def form(self, codec: Codec, value: str, depth: str) -> Form:
        """How a value becomes JSON. *value* and *depth* are expressions that may be repeated."""
        if codec.dump is scalars.dump_bool:  # which reads other forms, too
            codec = _PLAIN[bool]
        if codec in _FORMS:
            template, argument, way = _FORMS[codec]
            if way:
                argument = argument.replace("$c", self._payload(codec, way))
            return Form(template, (argument.replace("$v", value),))
        if isinstance(codec, ClassCodec):
            return Form(b"%b", (f"{self.of_class(codec)}({value}, {depth})",))
        shape = codec.shape
        if isinstance(shape, OptionalShape):
            inner = self.form(shape.inner, value, depth)
            return either(f"{value} is None", Form(stored_json.NULL), inner)
        if isinstance(shape, ChoicesShape):
            return Form(b"%b", (self._choice(codec, shape, value, depth),))
        if isinstance(shape, ListShape):
            return self._list(codec, shape, value, depth)
        if isinstance(shape, SetShape):
            return self._set(codec, shape, value, depth)
        if isinstance(shape, (MapShape, KeyedMapShape)):
            return self._map(codec, shape, value, depth)
        if isinstance(shape, AnyShape):
            return Form(b"%b", (f"{self._any(codec)}({value}, {depth})",))
        if isinstance(shape, (TupleShape, TypedDictShape, UnionShape)):
            return Form(b"%b", (f"{self.function(codec)}({value}, {depth})",))
        tag = codec.tag
        if tag in SCALARS and not codec.optional and not codec.is_set:
            return Form(b'{"%b":%%b}' % tag.encode(), (f"{self._payload(codec, 'json')}({value})",))
        return Form(b"%b", (f"{self.general(codec)}({value}, {depth})",))

    def _payload(self, codec: Codec, way: str) -> str:
        return self._bound(way, codec, lambda: _BY_CODEC[way](codec, codec.tag))

    def general(self, codec: Codec) -> str:
        """The name of the function that goes by way of attribute values."""
        return self._bound("general", codec, lambda: stored_json.by_codec(codec))

    def _any(self, codec: Codec) -> str:
        return self._bound("any", codec, lambda: stored_json.any_by(codec))

    def _bound(self, stem: str, codec: Codec, make: Callable[[], Any]) -> str:
        name = self._functions.get((stem, codec))
        if name is None:
            name = self._functions[stem, codec] = self.bind(stem, make())
        return name

    def _choice(self, codec: Codec, shape: ChoicesShape, value: str, depth: str) -> str:
        texts = {choice: msgspec.json.encode(each) for choice, each in shape.written.items()}
        single = {id(choice): text for (_, choice), text in texts.items() if _is_single(choice)}
        if len(single) == len(texts):  # the members of an enum, which are kept by the codec
            texts_, key = self.bind("texts", single), f"id({value})"
        else:
            texts_, key = self.bind("texts", texts), f"(type({value}), {value})"
        return f"({texts_}.get({key}) or {self.general(codec)}({value}, {depth}))"

    def _list(self, codec: Codec, shape: ListShape, value: str, depth: str) -> Form:
        usual, other = ("tuple", "list") if shape.build is tuple else ("list", "tuple")
        is_list = f"type({value}) is {usual} or type({value}) is {other}"
        many = number_lists(shape.element)
        if many is not None:
            payload = self._bound("numbers", shape.element, lambda: many.payload)
            if shape.members is not None:
                members = self.bind("members", shape.members)
                return Form(b'{"L":%b}', (f"{payload}({members}({value}))",))
            numbers = Form(b'{"L":%b}', (f"{payload}({value})",)).code
            other = f"{self.general(codec)}({value}, {depth})"
            few = self._bound("few", shape.element, lambda: _FEW[shape.element])
            return Form(b"%b", (f"({few}({value}) or ({numbers} if {is_list} else {other}))",))
        each = self.fresh()
        form = self.form(shape.element, each, _deeper(depth))
        several = (
            f"b','.join([{form.code} for {each} in "
            f"({value} if {is_list} else {self._sequence(codec)}({value}))])"
        )
        if shape.element is _STR:
            texts = f"b'{{\"S\":%b}}' % b'}},{{\"S\":'.join(map(encode, {value}))"
            is_text = f"{value} and ({is_list}) and TEXT.issuperset(map(type, {value}))"
            several = f"{texts} if {is_text} else {several}"
        return Form(b'{"L":[%b]}', (f"({several})",))

    def _sequence(self, codec: Codec) -> str:
        def sequence(value: Any) -> Any:
            check_sequence(value)
            return value

        return self._bound("sequence", codec, lambda: sequence)

    def _set(self, codec: Codec, shape: SetShape, value: str, depth: str) -> Form:
        each = self.fresh()
        element = shape.element
        is_full = f"type({value}) in SETS and {value}"
        tag = literal(b'{"%b":[' % shape.tag.encode()) + b"%b]}"
        general = Form(b"%b", (f"{self.general(codec)}({value}, {depth})",))
        if element is _STR:
            is_text = f"{is_full} and TEXT.issuperset(map(type, {value}))"
            return either(is_text, Form(b'{"SS":%b}', (f"encode({value})",)), general)
        if element in _APART:
            form = self.form(element, each, depth)
            # What stands behind the tag is the payload.
            payload = Form(form.template[len(b'{"S":') : -1], form.arguments)
            made = Form(tag, (f"b','.join([{payload.code} for {each} in {value}])",))
        else:
            if shape.member_tag == "N":
                payload_of = self._bound(
                    "payload", element, lambda: stored_json.payload_by_codec(element, "N")
                )
                how, code = "numbers_apart", f"{payload_of}({each})"
            else:
                form = self.form(element, each, depth)
                if form.template == b"%b":
                    how, code = "apart", f"{self._payload(element, 'json')}({each})"
                else:
                    how = "apart"
                    code = Form(form.template[len(b'{"S":') : -1], form.arguments).code
            made = Form(tag, (f"{how}([{code} for {each} in {value}])",))
        return either(is_full, made, general)

    def _map(self, codec: Codec, shape: MapShape | KeyedMapShape, value: str, depth: str) -> Form:
        name, each = self.fresh(), self.fresh()
        form = self.form(shape.element, each, _deeper(depth))
        if isinstance(shape, KeyedMapShape):
            name_of = shape.name_of
            key = self._bound("name", codec, lambda: lambda key: stored_json.encode(name_of(key)))
            named = f"{{{key}({name}): {form.code} for {name}, {each} in pairs({value})}}"
            return Form(b'{"M":{%b}}', (f"members({value}, {named})",))
        one = Form(b"%b:" + form.template, (f"encode({name})", *form.arguments))
        usual = (
            f"type({value}) is dict and TEXT.issuperset(map(type, {value})) and '' not in {value}"
        )
        several = f"b','.join([{one.code} for {name}, {each} in {value}.items()])"
        other = f"inside({self.general(codec)}({value}, {depth}))"
        return Form(b'{"M":{%b}}', (f"({several} if {usual} else {other})",))

    # --- Functions ---

    def function(self, codec: Codec) -> str:
        """The name of the function that makes the JSON of a value at a depth."""
        known = self._functions.get(("function", codec))
        if known is not None:
            return known
        name = self._functions["function", codec] = f"write_{len(self._functions)}"
        source = Source(name, "each, depth", self.names)
        shape = codec.shape
        self._check_depth(source, codec, f"return {self.general(codec)}(each, depth)")
        if isinstance(shape, TupleShape):
            self._tuple(source, codec, shape)
        elif isinstance(shape, TypedDictShape):
            self._typed_dict(source, codec, shape)
        elif isinstance(shape, UnionShape):
            self._union(source, codec, shape)
        else:
            source.add(f"return {self.form(codec, 'each', 'depth').code}")
        source.function(name)
        return name

    def _tuple(self, source: Source, codec: Codec, shape: TupleShape) -> None:
        count = len(shape.elements)
        source.add(
            f"if type(each) is not tuple or len(each) != {count}:",
            f"    return {self.general(codec)}(each, depth)",
        )
        if not count:
            source.add("return NO_MEMBERS")
            return
        names = [self.fresh() for _ in shape.elements]
        forms = [
            self.form(each, name, "depth + 1")
            for name, each in zip(names, shape.elements, strict=True)
        ]
        whole = _joined(forms, b'{"L":[', b"]}")
        source.add(f"{', '.join(names)}, = each", f"return {whole.code}")

    def _typed_dict(self, source: Source, codec: Codec, shape: TypedDictShape) -> None:
        writers: dict[str, Any] = {}
        table, required = self.bind("writers", writers), self.bind("required", shape.required)
        other = self.function(shape.other)
        source.add(
            f"if type(each) is not dict or not {required} <= each.keys() or '' in each or not "
            f"TEXT.issuperset(map(type, each)):",
            f"    return {self.general(codec)}(each, depth)",
            "parts = [",
            f"    b'%b:%b' % (encode(name), {table}.get(name, {other})(member, depth + 1))",
            "    for name, member in each.items()",
            "]",
            "return b'{\"M\":{%b}}' % b','.join(parts)",
        )
        functions = {name: self.function(each) for name, each in shape.members.items()}
        # One of them may be that of this codec itself, which is not made yet.
        names = self.names
        writers.update({name: _late(names, each) for name, each in functions.items()})

    def _union(self, source: Source, codec: Codec, shape: UnionShape) -> None:
        source.add("kind = type(each)")
        for kind, member in shape.members.items():
            form = self.form(member, "each", "depth")
            if shape.tag is not None and isinstance(member, ClassCodec):
                tag = name_json(shape.tag) + literal(stored_json.encode({"S": kind.__name__}))
                inner = f"also(inside({form.code}))"
                form = Form(b'{"M":{' + tag + b"%b}}", (inner,))
            if isinstance(kind, type):
                source.add(f"if kind is {self.bind('kind', kind)}:", f"    return {form.code}")
        source.add(f"return {self.general(codec)}(each, depth)")

    def of_class(self, codec: ClassCodec) -> str:
        """The name of the function that makes the JSON of a nested class."""
        known = self._functions.get(("class", codec))
        if known is not None:
            return known
        name = self._functions["class", codec] = f"write_{len(self._functions)}"
        source = Source(name, "value, depth", self.names)
        cls, check = self.bind("cls", codec.record.cls), self.bind("check", codec.check_class)
        source.add(f"if type(value) is not {cls}: {check}(value)")
        general = f"return {self.general(codec)}(value, depth)"
        self._check_depth(source, codec, general)
        if codec.carries:
            carried = self.carried_by(codec)
            source.add(f"if {carried} is not NOTHING_CARRIED: {general}")
        fields = self.fields(source, codec.members, "depth + 1")
        whole = members_of(fields).within(b'{"M":{', b"}}")
        source.add(f"return {whole.code}")
        source.function(codec.record.cls)
        return name

    def carried_by(self, codec: ClassCodec) -> str:
        """The code of what an instance carries: as `carried_by`, of a class that is known."""
        cls = self.bind("class_id", id(codec.record.cls))
        stored = f"getattr(value, {UNKNOWN_ATTRIBUTE!r}, NOTHING_CARRIED)"
        return f"(NOTHING_CARRIED if {cls} in quiet else {stored})"

    def _check_depth(self, source: Source, codec: Codec, general: str) -> None:
        """Leave to the general way what may be too deep, where values may be."""
        if self.deep:
            own, parts = parts_of(codec)
            levels = own + max(map(_own_height, parts), default=0)
            source.add(f"if depth + {levels} > {limits.NESTING_DEPTH}: {general}")

    def fields(
        self, source: Source, members: Iterable[FieldCodec], depth: str
    ) -> list[tuple[Form, bool]]:
        """The fields of a class with whether each is always there. Lines that read them are added."""
        found = []
        for position, field in enumerate(members):
            value = f"v{position}"
            source.add(f"{value} = value.{field.name}")
            found.append(self.field(field, value, depth))
        return found

    def field(self, field: FieldCodec, value: str, depth: str) -> tuple[Form, bool]:
        """One field with its name, and whether it is always there."""
        name = name_json(field.stored)
        if field.always_set:
            form = self.form(field.codec, value, depth).within(b"," + name, b"")
            # What is falsy and no set goes to its codec, which refuses it.
            absent = "SETS_OR_NONE" if field.member.defaults_to_none else "SETS"
            there = f"{value} or not isinstance({value}, {absent})"
            return either(there, form, Form(b"")), False
        if field.member.defaults_to_none:
            shape = field.codec.shape
            codec = shape.inner if isinstance(shape, OptionalShape) else field.codec
            form = self.form(codec, value, depth).within(b"," + name, b"")
            return either(f"{value} is None", Form(b""), form), False
        return self.form(field.codec, value, depth).within(name, b""), True


def members_of(fields: Iterable[tuple[Form, bool]], after: Form | None = None) -> Form:
    """The members of a map. What may be missing comes last, with its comma.

    Args:
        fields: The fields, with whether each is always there.
        after: What follows, with its comma.
    """
    fields = [*fields]
    always = [form for form, there in fields if there]
    others = [form for form, there in fields if not there]
    others += [] if after is None else [after]
    first = _joined(always)
    rest = Form(
        b"".join(each.template for each in others),
        tuple(argument for each in others for argument in each.arguments),
    )
    if always:
        return Form(first.template + rest.template, first.arguments + rest.arguments)
    return Form(b"%b", (f"({rest.code})[1:]",))


def _joined(forms: Iterable[Form], before: bytes = b"", after: bytes = b"") -> Form:
    forms = [*forms]
    template = before + b",".join(each.template for each in forms) + after
    return Form(template, tuple(argument for each in forms for argument in each.arguments))


def _deeper(depth: str) -> str:
    return str(int(depth) + 1) if depth.isdecimal() else f"{depth} + 1"


def _own_height(codec: Codec) -> int:
    """The levels that values of a codec have outside of functions of their own, or a level more."""
    if isinstance(codec, ClassCodec) or isinstance(
        codec.shape, (TupleShape, TypedDictShape, UnionShape)
    ):
        return 1
    own, parts = parts_of(codec)
    return own + max(map(_own_height, parts), default=0)


def _is_single(choice: object) -> bool:
    return isinstance(choice, enum.Enum)


def _late(names: Mapping[str, Any], name: str) -> Callable[[Any, int], bytes]:
    return lambda each, depth: names[name](each, depth)  # noqa: PLW0108 - it may not be made yet
