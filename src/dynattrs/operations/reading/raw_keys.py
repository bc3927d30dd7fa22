"""Raw keys in the place of cursors: what other programs hand out as `LastEvaluatedKey`.

session.query(Song).where(...).after({"artist": {"S": "Nina Simone"}, "title": {"S": "Sinnerman"}})
session.query(Song).where(...).after({"artist": "Nina Simone", "title": "Sinnerman"})

Nothing binds them to a query, so the service alone says whether one belongs to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dynattrs.errors import CursorError, MappingError
from dynattrs.expressions.paths import did_you_mean
from dynattrs.mapper.anything import native_map
from dynattrs.mapper.codec import Trail, explain_dump, is_value
from dynattrs.mapper.key_rules import plain_numbers
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import KEY_TYPES, AttributeMap


def raw_key(
    info: ModelInfo,
    given: Mapping[Any, Any],
    names: Iterable[str],
    parts: int | None,
    secret: bytes | None,
) -> AttributeMap:
    """The key attributes in a raw key.

    Args:
        info: The model that is read.
        given: An attribute map, or a dict of fields.
        names: The key attributes of the table, and of the index that is read.
        parts: How many parts are read, one after the other, where there are several.
        secret: What the session signs its cursors with, if it does.

    Raises:
        CursorError: It has other attributes, cannot say which part it is of, or would have to be signed.
        MappingError: A value is none of its field.
    """
    if parts is not None:
        raise CursorError("this query reads several parts, and a raw key does not say which one")
    if secret is not None:
        raise CursorError(
            "a raw key has no signature, and this session has a cursor_secret: take a cursor of a "
            "page, or read the rest of an old walk with a session without one"
        )
    wanted = tuple(names)
    stored = bool(given) and all(map(is_value, given.values()))
    found = native_map(given) if stored else _of_fields(info, given)
    key = {name: found[name] for name in wanted if name in found}
    missing = [name for name in wanted if name not in key]
    strange = sorted(map(str, given.keys() - key.keys())) if stored else []
    if missing or strange:
        raise CursorError(
            f"a raw key of {info.name} here has the attributes {', '.join(wanted)}, those of the table's "
            f"key and of the index that is read; this one "
            + (f"lacks {', '.join(missing)}" if missing else f"has {', '.join(strange)} as well")
        )
    for name in wanted:
        ((tag, _),) = key[name].items()
        if tag not in KEY_TYPES or tag != info.table.type_of(name):
            raise CursorError(
                f"the raw key's {name!r} is {tag}, and in table {info.table.name!r} it is "
                f"{info.table.type_of(name)}"
            )
    plain_numbers(key, wanted)
    return key


def _of_fields(info: ModelInfo, given: Mapping[Any, Any]) -> AttributeMap:
    """Fields by their names, as they are stored, with the keys that templates make of them."""
    codec: Any = info.mapper.model_codec(info.cls)
    fields = codec.fields or {}
    found: AttributeMap = {}
    for name, value in given.items():
        if name not in fields:
            raise CursorError(
                f"a raw key is an attribute map, or a dict of fields: {info.name} has no field "
                f"{name!r}{did_you_mean(str(name), fields)}"
            )
        found[info.names[name]] = explain_dump(fields[name], value, Trail(f"{info.name}.{name}"))
    if info.keys is not None:
        try:
            info.keys.complete(found)
        except MappingError as error:
            raise CursorError(f"the fields of this raw key make no key: {error}") from error
    return found
