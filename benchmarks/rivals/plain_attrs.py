"""Attrs classes of a shape, for those who make objects themselves."""

from __future__ import annotations

from typing import Any

import attrs

from benchmarks.rivals import composing
from benchmarks.shapes import Field, Shape

_TYPES: dict[str, Any] = {
    "str": str, "int": int, "float": float, "bool": bool, "set": set[str], "optional": str | None,
    "ints": list[int], "floats": list[float],
}  # fmt: skip


def annotation(field: Field) -> Any:
    if field.kind not in ("map", "list"):
        return _TYPES[field.kind]
    part = plain(field.name.title(), field.parts)
    return part if field.kind == "map" else list[part]


def body(fields: tuple[Field, ...]) -> dict[str, Any]:
    """What stands in the class; fields with defaults come last."""
    ordered = sorted(fields, key=lambda field: field.kind == "optional")
    namespace: dict[str, Any] = {
        "__annotations__": {each.name: annotation(each) for each in ordered},
        "__module__": __name__,
    }
    namespace.update({each.name: None for each in ordered if each.kind == "optional"})
    return namespace


def plain(name: str, fields: tuple[Field, ...]) -> type[Any]:
    """An attrs class."""
    return attrs.define(type(name, (), body(fields)))


def made(cls: Any, fields: tuple[Field, ...], values: dict[str, Any]) -> Any:
    """An object of *cls* with *values*, those of maps as objects too."""
    found = dict(values)
    for field in fields:
        part = attrs.fields_dict(cls)[field.name].type
        if field.kind == "map":
            found[field.name] = part(**values[field.name])
        elif field.kind == "list":
            found[field.name] = [part.__args__[0](**each) for each in values[field.name]]
    return cls(**found)


def composer(cls: Any, shape: Shape) -> composing.Compose:
    """What `made` does, as straight-line code."""
    types = {name: each.type for name, each in attrs.fields_dict(cls).items()}
    parts = {
        each.name: types[each.name] if each.kind == "map" else types[each.name].__args__[0]
        for each in shape.fields
        if each.kind in ("map", "list")
    }
    return composing.objects(shape, cls, parts)
