"""The line of a program that makes what is written: from a row of plain values to an object or a dict.

Where objects are made inside the timed part, each rival makes its own with such a function. It is
straight-line code for one class, as one would write it by hand:

    lambda row: Song(artist=row["artist"], company=Company(name=row["company"]["name"], …), …)

A library that has no templates for its keys is given them as a program would make them: by f-strings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from benchmarks.shapes import Field, Shape

#: A row, as `Shape.values` makes it, to what a rival writes.
Compose = Callable[[Mapping[str, Any]], Any]


def objects(
    shape: Shape, song: Any, parts: Mapping[str, Any], *, computed: bool = False
) -> Compose:
    """Objects of *song*, whose maps are objects too.

    Args:
        shape: What there is to make.
        song: The class of the item.
        parts: The class of each field that is a map or a list of maps; where it has none, it stays a dict.
        computed: Whether the program makes the attributes that are made of others.
    """
    names = {"Song": song, **{f"Part_{name}": part for name, part in parts.items()}}

    def value(field: Field) -> str:
        code = f"row[{field.name!r}]"
        if field.name not in parts:
            return code
        if field.kind == "map":
            return _call(f"Part_{field.name}", field.parts, code)
        return f"[{_call(f'Part_{field.name}', field.parts, 'each')} for each in {code}]"

    pairs = {each.name: value(each) for each in shape.fields} | (
        _templates(shape) if computed else {}
    )
    return _made(f"Song({', '.join(f'{name}={code}' for name, code in pairs.items())})", names)


def dicts(shape: Shape, *, decimals: bool = False) -> Compose:
    """Dicts, whose maps are dicts too; floats become decimals where they must."""

    def value(field: Field, code: str) -> str:
        if field.kind == "float" and decimals:
            return f"Decimal(str({code}))"
        if field.kind == "floats" and decimals:
            return f"[Decimal(str(each)) for each in {code}]"
        if field.kind == "map":
            return _dict({part.name: value(part, f"{code}[{part.name!r}]") for part in field.parts})
        if field.kind == "list":
            parts = {part.name: value(part, f"each[{part.name!r}]") for part in field.parts}
            return f"[{_dict(parts)} for each in {code}]"
        return code

    pairs = {each.name: value(each, f"row[{each.name!r}]") for each in shape.fields}
    return _made(_dict(pairs | _templates(shape)), {"Decimal": Decimal})


def attribute_maps(shape: Shape) -> Compose:
    """Attribute maps, as the client takes them."""
    pairs = {
        each.name: attribute_map(each, f"row[{each.name!r}]", "[{!r}]") for each in shape.fields
    } | {name: f"{{'S': {code}}}" for name, code in _templates(shape).items()}
    return _made(_dict(pairs), {})


def attribute_map(field: Field, code: str, access: str) -> str:
    """The expression of an attribute value.

    Args:
        field: What it is.
        code: Where the value is.
        access: How a part of it is reached, as `str.format` takes it: `.{}` or `[{!r}]`.
    """
    if field.kind == "int":
        return f"{{'N': str({code})}}"
    if field.kind == "float":
        return f"{{'N': repr({code})}}"
    if field.kind == "bool":
        return f"{{'BOOL': {code}}}"
    if field.kind == "set":
        return f"{{'SS': list({code})}}"
    if field.kind in ("ints", "floats"):
        return f"{{'L': [{{'N': repr(each)}} for each in {code}]}}"
    if field.kind not in ("map", "list"):
        return f"{{'S': {code}}}"
    inner = "each" if field.kind == "list" else code
    parts = {
        part.name: attribute_map(part, inner + access.format(part.name), access)
        for part in field.parts
    }
    made_of = f"{{'M': {_dict(parts)}}}"
    return f"{{'L': [{made_of} for each in {code}]}}" if field.kind == "list" else made_of


def templates(shape: Shape, code: str) -> dict[str, str]:
    """The expressions of what is made of fields; *code* is how a field is reached."""
    names = {field.name: "{" + code.format(field.name) + "}" for field in shape.fields}
    return {name: f'f"{text.format(**names)}"' for name, text in shape.computed.items()}


def _templates(shape: Shape) -> dict[str, str]:
    return templates(shape, "row['{}']")


def _call(name: str, parts: tuple[Field, ...], code: str) -> str:
    return f"{name}({', '.join(f'{part.name}={code}[{part.name!r}]' for part in parts)})"


def _dict(pairs: Mapping[str, str]) -> str:
    return f"{{{', '.join(f'{name!r}: {code}' for name, code in pairs.items())}}}"


def _made(expression: str, names: dict[str, Any]) -> Compose:
    # Of names that are known; as a `def` in a file would be compiled.
    compose: Compose = eval(f"lambda row: {expression}", names)
    return compose
