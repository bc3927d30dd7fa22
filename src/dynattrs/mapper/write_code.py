"""Items that become JSON at once: what gathered writes wait as, and what is sent.

A generated function for each model fills msgspec structs with the fields of an instance, and msgspec
writes them: there is no attribute map in between. It checks the key attributes on the way and makes
the key's identity of the same values. It knows the usual types of values and raises at everything
else that it is given; then `Mapper.dump` and what follows it do the work, and write the error.

The bytes of the JSON are never fewer than those that the service counts for the item (`size`): each
name, text and binary is in it, and a number's text is longer than what it counts. So JSON that is
small enough is of an item that is, and only a large one has to be measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Final, NoReturn

import msgspec
from msgspec import UNSET

from dynattrs import limits
from dynattrs.mapper import scalars
from dynattrs.mapper.classes import (
    NOTHING_CARRIED,
    ClassCodec,
    FieldCodec,
    PackedDump,
    Source,
)
from dynattrs.mapper.codec import SCALARS, Codec, Maybe, Members, Several
from dynattrs.mapper.key_rules import rules_of
from dynattrs.mapper.scalars import binary
from dynattrs.mapper.size import value_size
from dynattrs.schema.model_info import UNKNOWN_ATTRIBUTE, KeyRule, ModelInfo

_REQUEST: Final = b'{"PutRequest":{"Item":%b}}'

_STR: Final = scalars.PLAIN[str]
_INT: Final = scalars.PLAIN[int]


class Unusual(Exception):
    """The fast way met what only the general one may judge."""


def _value(tag: str) -> Any:
    return msgspec.defstruct(tag, [(tag, Any)], gc=False)


_TAGS: Final = {tag: _value(tag) for tag in ("S", "N", "B", "BOOL", "NULL", "SS", "L", "M")}
_NULL: Final = _TAGS["NULL"](True)

# Lines for one value, `each`: when they hold, and how it is stored.
_SCALARS: Final[dict[Codec, tuple[str, str]]] = {
    _STR: ("type(each) is str", "S(each)"),
    _INT: ("type(each) is int and LEAST < each < MOST", "N(str(each))"),
    scalars.PLAIN[float]: (
        "type(each) is float and (1e-130 <= each < 1e126 or 1e-130 <= -each < 1e126)",
        "N(repr(each))",
    ),
    scalars.PLAIN[bool]: ("each is True or each is False", "BOOL(each)"),
    scalars.PLAIN[bytes]: ("type(each) is bytes", "B(each)"),
}


def generate_packed(codec: ClassCodec, info: ModelInfo | None) -> PackedDump:
    """The function that turns an instance into JSON and the identity of its key.

    It raises `Unusual`, or anything else, where it leaves the work to the general codecs.
    """
    stored = {field.stored for field in codec.members}
    # Computed keys are made of the attribute map.
    if info is None or codec.keys is not None or not stored.issuperset(info.table.key):
        return _never
    if info.upgrades:  # its items have their schema version, too
        return _never
    rules = rules_of(info)
    names: dict[str, Any] = {
        **_TAGS,
        "Decimal": Decimal,
        "LEAST": -(10**limits.NUMBER_DIGITS),
        "MOST": 10**limits.NUMBER_DIGITS,
        "MOST_BYTES": limits.ITEM_BYTES,
        "NOTHING_CARRIED": NOTHING_CARRIED,
        "NULL": _NULL,
        "Raw": msgspec.Raw,
        "SETS": (set, frozenset),
        "UNSET": UNSET,
        "Unusual": Unusual,
        "binary": binary,
        "encode": msgspec.json.Encoder().encode,
        "value_size": value_size,
    }
    try:
        function: PackedDump = _class(codec, 1, names, (), info, rules)
    except ValueError:  # a name that cannot be that of a struct's member
        return _never
    return function


def _never(value: Any, table: str) -> NoReturn:
    raise Unusual


def _class(
    codec: ClassCodec,
    depth: int,
    names: dict[str, Any],
    outer: tuple[ClassCodec, ...],
    info: ModelInfo | None = None,
    rules: tuple[KeyRule, ...] = (),
) -> Any:
    """The function for a model, which makes JSON, or for a class inside one, which makes a struct."""

    def bind(stem: str, value: Any) -> str:
        name = f"{stem}_{len(names)}"
        names[name] = value
        return name

    key_rules = {rule[0]: rule for rule in rules}
    source = Source("pack", "value" if info is None else "value, table", names)
    cls = bind("cls", codec.record.cls)
    source.add(f"if type(value) is not {cls}: raise Unusual")
    if codec.carries:
        # What is carried may have any name.
        source.add(
            f"if getattr(value, {UNKNOWN_ATTRIBUTE!r}, NOTHING_CARRIED) is not NOTHING_CARRIED: "
            "raise Unusual"
        )
    for position, field in enumerate(codec.members):
        source.add(f"each = value.{field.name}")
        rule = key_rules.get(field.stored)
        if rule is None:
            lines = _field(field, f"to_{position}", depth, bind, names, (*outer, codec))
        else:
            lines = _key(field, f"to_{position}", f"key_{position}", rule, bind)
        if field.always_set:
            # What is falsy and no set goes to its codec, which refuses it.
            source.add("if each or not isinstance(each, SETS):", *_indented(lines))
        elif field.member.defaults_to_none:
            source.add("if each is not None:", *_indented(lines))
        else:
            source.add(*lines)
            continue
        source.add(f"else: to_{position} = UNSET")
    places = {f"to_{position}": each.stored for position, each in enumerate(codec.members)}
    struct = bind("Item", msgspec.defstruct("Item", places, gc=False, rename=places))
    made = f"{struct}({', '.join(places)})"
    if info is None:
        source.add(f"return {made}")
        return source.function(codec.record.cls)
    source.add(
        f"found = {_REQUEST!r} % encode({made})",
        # Only then it may be too large, and has to be measured.
        "if len(found) > MOST_BYTES: raise Unusual",
    )
    identity = ["table"]
    for name in sorted(info.table.key):
        position = next(at for at, each in enumerate(codec.members) if each.stored == name)
        identity += repr(name), repr(key_rules[name][1]), f"key_{position}"
    source.add(f"return Raw(found), len(found), ({', '.join(identity)})")
    return source.function(codec.record.cls)


def _key(
    field: FieldCodec, target: str, key: str, rule: KeyRule, bind: Callable[[str, Any], str]
) -> list[str]:
    """The lines that store `each`, a key attribute, and keep what its identity is made of."""
    _, kind, most, _ = rule
    codec = field.codec.shape.inner if isinstance(field.codec.shape, Maybe) else field.codec
    usual = _SCALARS.get(codec)
    if kind in ("S", "B") and codec in (_STR, scalars.PLAIN[bytes]) and codec.kinds == {kind}:
        assert usual is not None
        return [
            f"if not ({usual[0]} and 0 < len(each) <= {most}): raise Unusual",
            f"{target} = {usual[1]}",
            f"{key} = each",
        ]
    if kind == "N" and codec is _INT:
        assert usual is not None
        return [
            f"if not ({usual[0]}): raise Unusual",
            f"{target} = {usual[1]}",
            # It equals the Decimal that others make of its text.
            f"{key} = each",
        ]
    payload = {"S": "payload", "N": "Decimal(payload)", "B": "binary(payload)"}[kind]
    check = "" if kind == "N" else f" or not 0 < len(payload) <= {most}"
    return [
        f"{target} = {bind('dump', field.codec.dump)}(each)",
        f"payload = {target}.get({kind!r})",
        f"if payload is None{check}: raise Unusual",
        f"{key} = {payload}",
    ]


def _field(
    field: FieldCodec,
    target: str,
    depth: int,
    bind: Callable[[str, Any], str],
    names: dict[str, Any],
    outer: tuple[ClassCodec, ...],
) -> list[str]:
    """The lines that store `each`."""
    general = [f"{target} = {bind('dump', field.codec.dump)}(each)"]
    if not field.codec.kinds <= SCALARS:
        # It finds what is nested too deep.
        general.append(f"value_size({target}, {depth})")
    codec = field.codec
    lines: list[str] = []
    if isinstance(codec.shape, Maybe):
        codec = codec.shape.inner
        if not field.member.defaults_to_none:
            lines = [f"if each is None: {target} = NULL"]
    usual = _usual(codec, depth, bind, names, outer)
    if usual is None:
        return general
    return [
        *lines,
        f"{'elif' if lines else 'if'} {usual[0]}:",
        *_indented([*usual[1:-1], f"{target} = {usual[-1]}"]),
        "else:",
        *_indented(general),
    ]


def _usual(
    codec: Codec,
    depth: int,
    bind: Callable[[str, Any], str],
    names: dict[str, Any],
    outer: tuple[ClassCodec, ...],
) -> tuple[str, ...] | None:
    """The condition that `each` is as usual, lines to be run then, and how it is stored."""
    shape = codec.shape
    if codec in _SCALARS:
        return _SCALARS[codec]
    if isinstance(shape, Members) and shape.element is _STR:
        return (
            "type(each) in SETS and each",
            "members = [*each]",
            "for each in members:",
            "    if type(each) is not str: raise Unusual",
            "SS(members)",
        )
    if isinstance(shape, Several) and shape.element is _STR:
        return (
            "type(each) is list",
            "members = []",
            "for each in each:",
            "    if type(each) is not str: raise Unusual",
            "    members.append(S(each))",
            "L(members)",
        )
    if isinstance(codec, ClassCodec) and codec not in outer and depth < limits.NESTING_DEPTH:
        nested = _class(codec, depth + 1, names, outer)
        condition = f"type(each) is {bind('cls', codec.record.cls)}"
        return condition, f"M({bind('nested', nested)}(each))"
    return None


def _indented(lines: Iterable[str]) -> list[str]:
    return ["    " + line for line in lines]
