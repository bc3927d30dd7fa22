"""What objects have to carry of their items, because their fields do not tell it: noticed when an item
is read, by conditions that are generated for each class.

That is the key, where it would be written otherwise (`key_spelling`, `template_spelling`), a version of 0,
which an object that is new has as well, and that an attribute is absent whose default is made anew each time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import attrs

from dynattrs.deferral import deferred
from dynattrs.errors import MappingError
from dynattrs.mapper.anything import native
from dynattrs.mapper.carried import StoredKey, carry_on
from dynattrs.mapper.classes import ClassCodec, FieldCodec
from dynattrs.mapper.codec import Codec, show_stored
from dynattrs.mapper.key_rules import key_of_item
from dynattrs.mapper.key_spelling import NAMES, Check, differ, key_checks, written_in_key
from dynattrs.mapper.source import Source, bind
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import AttributeMap, AttributeValue

if TYPE_CHECKING:
    from dynattrs.mapper import template_spelling
else:
    template_spelling = deferred("dynattrs.mapper.template_spelling")

# `attrs.Factory` is a class that its stubs declare as a function.
_FACTORY: Final[Any] = attrs.Factory


def checks(codec: ClassCodec) -> list[Check]:
    """What is to be checked of the items of a model; nothing where its keys have but one text, it has no
    version, and no defaults that are made anew each time.
    """
    info = codec.model
    if info is None:
        return []
    found: list[Check] = []
    for field in codec.members if info.carries else ():
        if field.name == info.version:
            found.append(Check(field.stored, "N", f"not $i.{field.name} and $t"))
        elif _is_made_up(field):
            found.append(Check(field.stored, "", "not ($t)"))
    found += key_checks(codec, info)
    if info.keys is not None:
        found += template_spelling.template_checks(codec, info, info.keys)
    return found


def _is_made_up(field: FieldCodec) -> bool:
    """Whether the default of a field may be another one for each object."""
    default = field.member.default
    return isinstance(default, _FACTORY) and not isinstance(default.factory, type)


def generate_check(codec: ClassCodec) -> Callable[[Any, Mapping[str, AttributeValue]], bool]:
    """What says of an instance, and the attribute map that it was made of, whether it may have to carry
    something (`keep`).
    """
    names = dict(NAMES)
    conditions = []
    for check in checks(codec):
        value, there = f"item[{check.attribute!r}]", f"{check.attribute!r} in item"
        conditions.append(
            check.written(
                partial(bind, names), lambda attribute, tag: f"item[{attribute!r}][{tag!r}]",
                value=value, there=there,
            )
        )  # fmt: skip
    source = Source("odd", "instance, item", names)
    source.add(f"return {' or '.join(conditions) or 'False'}")
    function: Callable[[Any, Mapping[str, AttributeValue]], bool] = source.function(
        codec.record.cls
    )
    return function


def keep(
    codec: ClassCodec, info: ModelInfo, instance: object, item: Mapping[str, AttributeValue]
) -> None:
    """Let an instance carry what it does not tell of its item: the key, where that is written otherwise,
    a version of 0, which an object that is new has too, and which of the defaults it was given are not
    stored.

    Raises:
        MappingError: Its class has no place for the key.
    """
    known: dict[str, AttributeValue | None] = {}
    for field in codec.members if info.carries else ():
        if field.name == info.version and field.stored in item:
            if not getattr(instance, field.name):
                known[field.stored] = native(item[field.stored])
        elif _is_made_up(field) and field.stored not in item:
            known[field.stored] = None
    if known:
        carry_on(instance, as_stored=known)
    stored = key_of_item(info, item)
    if stored.keys() == set(info.table.key):  # plain JSON may leave out what is computed
        keep_keys(info, instance, stored, _written_key(codec, info, instance), item)


def _written_key(codec: ClassCodec, info: ModelInfo, instance: object) -> AttributeMap | None:
    """The key that the fields of an instance make; None where they make none."""
    slots = () if info.keys is None else [
        slot for name in info.table.key if name in info.keys.templates
        for slot in info.keys.templates[name].slots
    ]  # fmt: skip
    names = {*info.table.key, *(slot.steps[0] for slot in slots)}
    try:
        made = {
            field.stored: field.codec.dump(getattr(instance, field.name))
            for field in codec.members
            if field.stored in names
        }
        key = made if info.keys is None else info.keys.primary_of(made)
        return {name: native(written_in_key(key[name])) for name in info.table.key}
    except Exception:  # a save says what is wrong
        return None


def keep_keys(
    info: ModelInfo,
    instance: object,
    stored: AttributeMap,
    written: AttributeMap | None,
    item: Mapping[str, AttributeValue],
) -> None:
    """Let an instance carry its *stored* key, where that is not the *written* one.

    Raises:
        MappingError: Its class has no place for it.
    """
    if written is None:
        return
    for name, value in stored.items():
        if value.keys() != written[name].keys():  # no item of the table, and perhaps no value
            raise MappingError(
                f"{info.name}[{name!r}]",
                f"the key as {' or '.join(written[name])}, such as {show_stored(written[name])}",
                show_stored(value),
                key_of_item(info, item),
                item=dict(item),
            )
        if not differ(value, written[name]):
            continue
        if not info.carries:
            raise refused(info, name, value, written[name], item)
        carry_on(instance, key=StoredKey(stored, written))
        return


def refused(
    info: ModelInfo,
    attribute: str,
    stored: AttributeValue,
    written: AttributeValue,
    item: Mapping[str, AttributeValue],
) -> MappingError:
    """The error for a key that an instance would have to carry and cannot."""
    names = {each: name for name, each in info.names.items()}
    return MappingError(
        f"{info.name}.{names.get(attribute, attribute)}",
        f"the key as it would be written, {show_stored(written)}",
        show_stored(stored),
        key_of_item(info, item),
        "an object of a class mapped with map_class cannot carry another form of its key, so a save "
        "would make a second item; declare the class with @model, or the field as str",
        dict(item),
    )


def keep_custom_key(
    codec: Codec, info: ModelInfo, instance: object, item: Mapping[str, AttributeValue]
) -> None:
    """As `keep`, for a class with hooks of its own, of whose fields no more is known."""
    stored = key_of_item(info, item)
    made = codec.dump(instance).get("M", {})
    if info.keys is not None:
        with contextlib.suppress(Exception):  # a save says what is wrong
            made = {**made, **info.keys.primary_of(made)}
    written = {name: native(written_in_key(made.get(name, stored[name]))) for name in stored}
    keep_keys(info, instance, stored, written, item)
