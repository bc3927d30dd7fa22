"""Which model of a table an item is of, and the error where that is another one than was asked for.

A discriminator says it, where the item has one. Without it the key does, which the templates of one
model only can make. What neither tells is of the model that was asked for: models whose keys are plain
fields, in a table without a discriminator, have nothing that tells their items apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from dynattrs.errors import MappingError, OtherKind
from dynattrs.quoting import quoted, shortened
from dynattrs.schema.generic_classes import with_arguments
from dynattrs.schema.model_info import GUARD_ATTRIBUTE, ModelInfo, models_in
from dynattrs.schema.table import AttributeValue, StoredItem, Table


def declared_model_of(
    table: Table,
    item: StoredItem,
    asked: Sequence[ModelInfo] = (),
    members: Sequence[ModelInfo] | None = None,
) -> ModelInfo | None:
    """The model that an item is of; None if it is of none that is declared.

    Args:
        table: The table that the item is in.
        item: At least its primary key, and the discriminator.
        asked: Models to try first, and their subclasses then, where an item has no discriminator.
        members: The table's models, where the caller has them.
    """
    members = models_in(table) if members is None else members
    discriminator = {} if table.discriminator is None else item.get(table.discriminator, {})
    if discriminator:
        kind = discriminator.get("S")
        for info in members:
            keys = info.keys
            if keys is not None and kind in keys.kinds:
                return info
        return None
    bases = tuple(info.cls for info in asked)
    ours = [info for info in members if issubclass(info.cls, bases)] if bases else []
    for info in (*asked, *ours, *members):
        keys = info.keys
        if keys is not None and keys.written and keys.matches(item):
            return info
    return None


def has_plain_keys(info: ModelInfo) -> bool:
    """Whether the keys of a model are plain fields, and no template makes them."""
    return info.keys is None or not info.keys.written


def told_by_nothing(info: ModelInfo) -> bool:
    """Whether a model's items have neither a discriminator nor a key that a template makes."""
    keys = info.keys
    return keys is None or (not keys.written and not keys.kinds)


def class_of(info: ModelInfo, item: Mapping[str, AttributeValue], model: object) -> Any:
    """The class that reads an item: the model, or the subclass that the item is of.

    Args:
        info: What is known of the model.
        item: An item, or a part of one.
        model: The model; with its arguments where it is generic.

    Raises:
        OtherKind: The item is of another model, or the guard of a unique value, which is of none.
    """
    keys, table = info.keys, info.table
    try:
        # What most items are, first.
        if GUARD_ATTRIBUTE not in item:
            if keys is None:
                if table.members.declared < 2:
                    return model
            elif keys.kinds:
                said = item.get(table.discriminator or "")
                if said is not None and said.get("S") in keys.kinds:
                    return model
            elif keys.matches(item):
                return model
        return _class_of(info, item, model)
    except (AttributeError, TypeError):  # no attribute map, as is explained where it is read
        return model


def _class_of(info: ModelInfo, item: Mapping[str, AttributeValue], model: Any) -> Any:
    keys, table = info.keys, info.table
    said = None if keys is None or not keys.kinds else item.get(table.discriminator or "")
    if said is None:
        if GUARD_ATTRIBUTE in item:
            raise _guard(info, item)
        if any(name not in item for name in table.key):
            return model  # a part of an item
        if keys is not None and keys.written and keys.matches(item):
            return model
    found = declared_model_of(table, item, (info,))
    if found is not None and issubclass(found.cls, info.cls):
        return model if found is info else with_arguments(found.cls, model)
    if found is not None or said is not None or not has_plain_keys(info):
        raise _of_another(info, item, found)
    return model


def _of_another(
    info: ModelInfo, item: Mapping[str, AttributeValue], found: ModelInfo | None
) -> OtherKind:
    """The error where an item is of another model, *found*, or of none that is known."""
    keys, table = info.keys, info.table
    said = {} if keys is None or not keys.kinds else item.get(table.discriminator or "", {})
    if said and keys is not None:
        own = " or ".join(map(repr, keys.kinds))
        shown = quoted(next(iter(said.values())))
        kind = said.get("S", shown)
        where, expected = f"[{table.discriminator!r}]", f"{own}, or the kind of a subclass"
        return _other_kind(info.name + where, expected, shown, table, item, kind)
    kind = None if found is None else found.name
    if keys is not None and keys.written:
        try:
            keys.read_key(item)
        except MappingError as unlike:
            return _other_kind(unlike.path, unlike.expected, unlike.found, table, item, kind)
    expected, shown = f"an item of {info.name}, or of a subclass", "another key"
    if kind is not None:
        shown = f"the key of one of {kind}"
    return _other_kind(info.name, expected, shown, table, item, kind)


def class_in_union(
    infos: Sequence[ModelInfo], item: Mapping[str, AttributeValue], models: Sequence[object]
) -> Any:
    """The class that reads an item of any of several models of one table.

    Raises:
        OtherKind: The item is of none of them.
    """
    table = infos[0].table
    with suppress(AttributeError, TypeError):
        found = declared_model_of(table, item, infos)
        if found in infos:
            return models[infos.index(found)]
        for info, model in zip(infos, models, strict=True):
            if found is not None and issubclass(found.cls, info.cls):
                return with_arguments(found.cls, model)
        kind = None if found is None else found.name
        if table.discriminator is not None and table.discriminator in item:
            kind = str(next(iter(item[table.discriminator].values())))
        names = " or ".join(info.name for info in infos)
        shown = "another key" if kind is None else f"one of {shortened(kind)}"
        expected = f"an item of {names}, or of a subclass"
        raise _other_kind(names, expected, shown, table, item, kind)
    return models[0]


def _other_kind(
    where: str,
    expected: str,
    found: str,
    table: Table,
    item: Mapping[str, AttributeValue],
    kind: str | None,
) -> OtherKind:
    key = {name: item[name] for name in table.key if name in item}
    kind_shown = "" if kind is None else shortened(kind)
    hint = kind_shown and f"an item of {kind_shown} lies under this key; ask for that model"
    return OtherKind(where, expected, found, key, hint, item, kind=kind)


def _guard(info: ModelInfo, item: Mapping[str, AttributeValue]) -> OtherKind:
    key = {name: item[name] for name in info.table.key if name in item}
    return OtherKind(
        info.name, "an item of a model", "the guard of a unique value, which is of no model", key,
        f"leave out items with the attribute {GUARD_ATTRIBUTE!r}", item,
    )  # fmt: skip
