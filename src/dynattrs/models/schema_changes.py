"""How the items of a model were stored before: its upgrades, and former names of its attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dynattrs.errors import ModelError
from dynattrs.mapper.classes import ClassCodec
from dynattrs.models.fields import models_above
from dynattrs.schema.model_info import FieldOptions, ModelInfo


def declare_changes(info: ModelInfo, upgrades: object, attribute: object) -> None:
    """Note the upgrades of a model, and the names that its attributes had before.

    Without *upgrades* they are those of the nearest model of the same table that it inherits from.

    Raises:
        ModelError: An upgrade is not a function; a name is taken, or can have had no other one.
    """
    above = (each for each in models_above(info.cls) if each.table.name == info.table.name)
    if upgrades is not None:
        info.upgrades, info.versioned = tuple(_functions(info, upgrades)), True
    elif base := next(above, None):
        info.upgrades, info.versioned = base.upgrades, base.versioned
        if base.versioned and attribute is None:
            attribute = base.schema_attribute
    fields = {stored: name for name, stored in info.names.items()}
    computed = () if info.keys is None else info.keys.attributes
    if attribute is not None:
        if not isinstance(attribute, str) or not attribute:
            raise ModelError(
                info.name, f"schema_attribute={attribute!r}: an attribute's name is expected"
            )
        if not info.versioned:
            raise ModelError(
                info.name,
                f"schema_attribute={attribute!r} is for items that have a schema version; for a first "
                f"release that refuses newer ones, write upgrades=[] as well",
            )
        info.schema_attribute = attribute
    attribute = info.schema_attribute
    if info.versioned and (
        attribute in fields or attribute in (*info.table.own_attributes, *computed)
    ):
        raise ModelError(
            info.name,
            f"its items have their schema version in {attribute!r}, where something else is; name "
            f"another attribute with schema_attribute=...",
            fields.get(attribute),
        )
    taken = dict.fromkeys((*info.table.key, *computed), "a key attribute")
    taken.update({stored: f"the attribute of {name}" for stored, name in fields.items()})
    if info.versioned:
        taken[attribute] = "the schema version"
    for name, options in info.options.items():
        _declare_former(info, name, options, taken)


def _functions(info: ModelInfo, upgrades: object) -> Iterator[Any]:
    for each in upgrades if isinstance(upgrades, (tuple, list)) else (upgrades,):
        if not callable(each):
            raise ModelError(
                info.name,
                f"upgrades holds {each!r}; a function is expected that takes an item as a dict, and "
                f"changes it or returns another one",
            )
        yield each


def _declare_former(
    info: ModelInfo, name: str, options: FieldOptions, taken: Mapping[str, str]
) -> None:
    stored = info.names[name]
    if options.formerly and (stored in info.table.key or options.key_only):
        what = "stored in keys only" if options.key_only else "the primary key"
        raise ModelError(
            info.name,
            f"it is {what}, which never changes; remove formerly={options.formerly!r}",
            name,
        )
    given: tuple[Any, ...] = options.formerly
    for former in given:
        if not isinstance(former, str) or not former:
            raise ModelError(
                info.name, f"formerly={former!r}: an attribute's name is text and not empty", name
            )
        if former in taken or former in info.formerly:
            other = taken.get(former) or f"formerly {info.formerly[former]!r}"
            raise ModelError(info.name, f"formerly names {former!r}, which is {other}", name)
        info.formerly[former] = stored


def check_former_names(info: ModelInfo) -> None:
    """Refuse former names inside nested values, where they would not be looked for.

    Raises:
        ModelError: It names the nested field.
        Undefined: An annotation is not defined yet.
    """
    seen: set[Any] = set()
    whole = info.mapper.model_codec(info.cls)
    waiting: list[Any] = list((whole.fields or {}).values())
    while waiting:
        codec = waiting.pop()
        if codec is None or id(codec) in seen:
            continue
        seen.add(id(codec))
        waiting += [codec.element, getattr(codec.shape, "inner", None)]
        if isinstance(codec, ClassCodec):
            for member in codec.members:
                if member.member.options.formerly:
                    raise ModelError(
                        info.name,
                        f"{codec.record.cls.__name__}.{member.name} has formerly=, and is inside an item: "
                        f"only attributes of the item itself can be renamed so; write an upgrade",
                    )
        waiting += (codec.fields or {}).values()
