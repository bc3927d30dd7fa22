"""What the service demands of key attributes, checked where the field's name is still known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from dynattrs import limits, utf8
from dynattrs.deferral import deferred
from dynattrs.errors import ImpossibleKey, MappingError
from dynattrs.mapper.anything import native
from dynattrs.mapper.carried import carried_by
from dynattrs.mapper.codec import show_stored
from dynattrs.mapper.numbers import plain_number
from dynattrs.mapper.scalars import binary
from dynattrs.mapper.size import item_size
from dynattrs.schema.model_info import KeyRule, ModelInfo
from dynattrs.schema.table import AttributeMap, AttributeValue

if TYPE_CHECKING:
    from dynattrs.mapper import vector_rules
else:
    vector_rules = deferred("dynattrs.mapper.vector_rules")

_NAMES: Final = {"S": "a string (S)", "N": "a number (N)", "B": "bytes (B)"}


def check_keys(info: ModelInfo, item: AttributeMap) -> None:
    """Refuse an item whose key attributes the service would refuse, and write numbers by their one text.

    Raises:
        MappingError: A key attribute is missing, empty, too long, or of another type than the key.
    """
    if info.table.vector_indexes:
        vector_rules.check_vectors(info, item)
    for attribute, kind, most, optional in info.key_rules or rules_of(info):
        value = item.get(attribute)
        if value is None and optional:
            continue
        payload = None if value is None else value.get(kind)
        if payload is None or (kind != "N" and not 0 < len(payload) <= most):
            break
        if kind == "N" and (plain := plain_number(payload)) != payload:
            item[attribute] = {"N": plain}
    else:
        return
    check_key(info, item)
    plain_numbers(item, info.table.key_attributes)
    for each in info.table.vector_indexes:
        for attribute in each.search_attributes:
            if attribute in item:
                role = "partition key" if attribute == each.partition_key else "filter"
                most = limits.PARTITION_KEY_BYTES if role != "filter" else limits.ITEM_BYTES
                _check(info, item, attribute, f"{role} of index {each.name!r}", most)
    for index in info.table.secondary_indexes:
        roles = (
            (getattr(index, "partition_key", ()), "partition", limits.PARTITION_KEY_BYTES),
            (index.sort_key, "sort", limits.SORT_KEY_BYTES),
        )
        for attributes, role, most in roles:
            for attribute in attributes:
                if attribute in item:
                    what = f"{role} key of index {index.name!r}"
                    _check(info, item, attribute, what, most)


def plain_numbers(item: AttributeMap, names: Iterable[str]) -> None:
    """Write the numbers among some attributes by their one text."""
    for name in names:
        if name in item and "N" in item[name]:
            item[name] = {"N": plain_number(item[name]["N"])}


def restore_key(obj: object, item: AttributeMap) -> int:
    """Write an object's item under the key that was read, where that is written otherwise; by how many
    bytes the item has grown.
    """
    key = carried_by(obj).key
    if key is None:
        return 0
    plain_numbers(item, key.written)
    stored = key.of(item)
    if stored is None:
        return 0
    grown = item_size(stored) - item_size({name: item[name] for name in stored})
    item.update(stored)
    return grown


def rules_of(info: ModelInfo) -> tuple[KeyRule, ...]:
    """How the key attributes of a model are checked quickly: what breaks a rule is looked at again."""
    if info.key_rules is not None:
        return info.key_rules
    table = info.table
    # A character has four bytes at most, so a quarter of what is allowed needs no counting.
    rules: list[KeyRule] = [
        (
            attribute,
            table.type_of(attribute),
            limits.SORT_KEY_BYTES // 4,
            position >= len(table.key),
        )
        for position, attribute in enumerate(table.key_attributes)
    ]
    info.key_rules = tuple(rules)
    return info.key_rules


def check_key(info: ModelInfo, item: AttributeMap) -> None:
    """Refuse a primary key that the service would refuse; *item* may be the key alone."""
    for position, attribute in enumerate(info.table.key):
        most = limits.SORT_KEY_BYTES if position else limits.PARTITION_KEY_BYTES
        _check(info, item, attribute, "sort key" if position else "partition key", most)


def _check(info: ModelInfo, item: AttributeMap, attribute: str, role: str, most: int) -> None:
    kind = info.table.type_of(attribute)
    value = item.get(attribute)
    if value is None:
        raise MappingError(_path(info, attribute), f"a value, it is the {role}", "none")
    payload = value.get(kind)
    if payload is None:
        raise MappingError(
            _path(info, attribute), f"{_NAMES[kind]}, it is the {role}", show_stored(value)
        )
    if kind == "N":
        return
    if kind == "S" and not utf8.encodable(payload):
        raise ImpossibleKey(
            _path(info, attribute), f"{utf8.EXPECTED}, it is the {role}", utf8.found(payload),
            hint=utf8.HINT,
        )  # fmt: skip
    size = len(payload.encode()) if kind == "S" else len(binary(payload))
    if not size:
        raise ImpossibleKey(
            _path(info, attribute),
            f"a value that is not empty, it is the {role}",
            show_stored(value),
            hint="DynamoDB has no empty key attributes"
            + ("" if "index" not in role else "; use None to leave the item out of the index"),
        )
    if size > most:
        raise ImpossibleKey(
            _path(info, attribute), f"at most {most:,} bytes, it is the {role}", f"{size:,} bytes"
        )


def _path(info: ModelInfo, attribute: str) -> str:
    for name, stored in info.names.items():
        if stored == attribute:
            return f"{info.name}.{name}"
    return f"{info.name}[{attribute!r}]"


def key_of_item(info: ModelInfo, item: Mapping[str, AttributeValue]) -> AttributeMap:
    """The primary key of an item as it is stored; what is missing or malformed is left out."""
    found = {name: _native(item.get(name)) for name in info.table.key}
    return {name: value for name, value in found.items() if value is not None}


def _native(value: Any) -> AttributeValue | None:
    try:
        return native(value)
    except Exception:
        return None
