"""Unique fields, as a model declares them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from dynattrs.errors import ModelError
from dynattrs.expressions.paths import did_you_mean
from dynattrs.mapper.codec import ANY
from dynattrs.models.fields import models_above
from dynattrs.schema.definitions import have_one_name
from dynattrs.schema.model_info import (
    OPAQUE,
    ModelInfo,
    guarded_tables,
    never,
    why_not_compared,
)
from dynattrs.schema.option_values import several

#: What a guard's key can hold.
_SCALARS: Final = frozenset("SNB") | {"BOOL"}


def declare_unique(info: ModelInfo, given: Iterable[object]) -> None:
    """Note the unique fields of a model: those that say so, and those that the model names.

    Args:
        info: The model.
        given: Names of fields, or groups of names that are unique together.

    Raises:
        ModelError: One is not a field, cannot be in a key, or changes with every save.
    """
    own: list[tuple[str, ...]] = [
        (name,) for name, options in info.options.items() if options.unique
    ]
    own += _groups(info, given)
    found: dict[tuple[str, ...], str] = {}
    for base in reversed(models_above(info.cls)):
        # Items of both are one set of items where they are in one table.
        shared = base.table.name == info.table.name
        found |= {each: name if shared else info.name for each, name in base.unique.items()}
    for group in own:
        found.setdefault(group, info.name)
    info.unique = found
    if not info.unique:
        return
    partition = info.table.partition_key
    if info.table.type_of(partition) == "N":
        raise ModelError(
            info.name,
            f"unique fields need room for guards among the items, and the partition key "
            f"{partition!r} is a number; keep such values in a table whose partition key is text",
        )
    for group in info.unique:
        for name in group:
            _check(info, name)
    guarded_tables.add(info.table.name)
    for each in (info, *models_above(info.cls)):
        if each.table.name == info.table.name:
            # A subclass that is declared again, in a notebook, takes the former's place.
            each.guarding[:] = [
                other for other in each.guarding if not have_one_name(other.cls, info.cls)
            ]
            each.guarding.append(info)


def _groups(info: ModelInfo, given: Iterable[object]) -> Iterator[tuple[str, ...]]:
    for group in several(given):
        names = several(group)
        if not names:
            raise ModelError(info.name, "unique=[()]: a group names at least one field")
        for name in names:
            if not isinstance(name, str) or name not in info.names:
                raise ModelError(
                    info.name,
                    f"unique names {name!r}, which is not a field{did_you_mean(str(name), info.names)}",
                )
        yield names


def _check(info: ModelInfo, name: str) -> None:
    if info.keys is not None and name in info.keys.key_only:
        raise ModelError(
            info.name,
            "it is stored in keys only (key_only=True), which guards are not made of; store it as "
            "an attribute as well, or make the keys say it alone, which are unique",
            name,
        )
    if name in (info.version, info.created, info.updated):
        raise ModelError(info.name, "every save changes it, so it is not unique", name)
    if info.names[name] == info.table.ttl_attribute:
        raise ModelError(info.name, "a time to live is not unique", name)
    mapper = info.mapper
    try:
        codec = (mapper.model_codec(info.cls).fields or {})[name]
    except Exception:
        # A forward reference, or a class that is refused for what it is a moment later.
        return
    if codec.packed in OPAQUE:
        why = why_not_compared(codec.packed)
        raise ModelError(info.name, f"a unique field is not {never(codec.packed)}: {why}", name)
    if codec.tags != ANY and codec.tag not in _SCALARS:
        raise ModelError(
            info.name,
            f"a unique field is text, a number, bytes or a bool; this is {codec.expected}",
            name,
        )
