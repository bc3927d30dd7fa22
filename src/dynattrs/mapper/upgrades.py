"""Old items as today's models: upgrades from one schema version to the next, and renamed attributes.

An item says its schema version in an attribute; without that it is of version 1. Upgrades work on
plain values, a dict as `Any` reads it, and what they leave alone stays exactly as it is stored.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dynattrs.errors import MappingError
from dynattrs.mapper.anything import check_name, load_any
from dynattrs.mapper.codec import Codec, show
from dynattrs.mapper.equality import alike, inside
from dynattrs.mapper.key_rules import key_of_item
from dynattrs.schema.model_info import KeyField, ModelInfo, StoredForm
from dynattrs.schema.table import AttributeMap, AttributeValue, key_attributes_of
from dynattrs.schema.templates import value_at

_NEWER: Final = "a newer program has written it; update this one first"
_OR_ANOTHERS: Final = "; if the attribute is another program's own, declare a field for it"
_UNREADABLE: Final = object()


def schema_version(info: ModelInfo, item: Mapping[str, AttributeValue]) -> int:
    """The schema version of an item.

    Raises:
        MappingError: It is not a number, or newer than the model.
    """
    stored: object = item.get(info.schema_attribute)
    if stored is None:
        return 1
    text = stored.get("N") if isinstance(stored, Mapping) and len(stored) == 1 else None
    text = text if isinstance(text, str) else ""
    if not text.isdecimal() or not 1 <= int(text) <= info.schema_version:
        newer = text.isdecimal() and int(text) > info.schema_version
        hint = _NEWER if info.versioned else _NEWER + _OR_ANOTHERS
        raise MappingError(
            f"{info.name}[{info.schema_attribute!r}]",
            f"a schema version from 1 to {info.schema_version}",
            text or show(stored),
            _key(info, item),
            hint if newer else "",
            dict(item),
        )
    return int(text)


def is_outdated(info: ModelInfo, item: Mapping[str, AttributeValue]) -> bool:
    """Whether an item is stored otherwise than its model would store it today.

    Raises:
        MappingError: A newer program has written it.
    """
    if info.versioned and schema_version(info, item) < info.schema_version:
        return True
    return any(name in item for name in info.formerly)


def upgraded(info: ModelInfo, item: Mapping[str, AttributeValue], any_codec: Codec) -> AttributeMap:
    """An item as its model reads it, without its schema version. *item* itself is left alone.

    Raises:
        MappingError: An upgrade failed, or made what cannot be stored.
    """
    found = dict(item)
    if info.versioned:
        found = _through_upgrades(info, found, any_codec)
        found.pop(info.schema_attribute, None)
    return _renamed(info, found)


def _renamed(info: ModelInfo, item: AttributeMap) -> AttributeMap:
    for old, attribute in info.formerly.items():
        if old in item:
            value = item.pop(old)
            item.setdefault(attribute, value)
    return item


def _through_upgrades(info: ModelInfo, item: AttributeMap, any_codec: Codec) -> AttributeMap:
    version = schema_version(info, item)
    if version == info.schema_version:
        return item
    codec: Any = info.mapper.model_codec(info.cls)
    if codec.sealed:
        from dynattrs.mapper.encrypted import opened, opened_again
    else:
        opened = opened_again = _as_it_is
    # Twice, because an upgrade may change what is inside.
    before, plain = (
        {name: _plain(info, name, opened(value), item) for name, value in item.items()}
        for _ in range(2)
    )
    for number, upgrade in enumerate(info.upgrades[version - 1 :], version):
        label = (
            f"the upgrade {getattr(upgrade, '__name__', upgrade)!s} from {number} to {number + 1}"
        )
        try:
            made = upgrade(plain)
        except Exception as error:
            raise MappingError(
                info.name, f"an item that {label} takes", f"{type(error).__name__}: {error}",
                _key(info, item), item=dict(item),
            ) from error  # fmt: skip
        plain = plain if made is None else made
        if not isinstance(plain, dict):
            raise MappingError(
                info.name,
                f"{label} to return a dict or None",
                show(plain),
                _key(info, item),
                item=dict(item),
            )
    found: AttributeMap = {}
    for name in info.table.key:
        if name in item and (name not in plain or not _same(plain[name], before[name])):
            raise MappingError(
                f"{info.name}[{name!r}]", "upgrades that leave the primary key as it is",
                show(plain.get(name)), _key(info, item), "an item's key never changes", dict(item),
            )  # fmt: skip
    for name, value in plain.items():
        if name in before and _same(value, before[name]):
            found[name] = item[name]
            continue
        made = _stored(info, name, value, any_codec, item)
        found[name] = opened_again(made) if name in codec.sealed else made
    return found


def _as_it_is(value: AttributeValue) -> AttributeValue:
    return value


def renewed(
    info: ModelInfo, item: AttributeMap, made: AttributeMap, written: AttributeMap
) -> AttributeMap:
    """An old item as it is stored when it is brought up to date. Only what its upgrades have made anew is
    as its model writes it, and what the item lacks; all the rest is as it is stored.

    Args:
        info: Its model.
        item: The item.
        made: What its upgrades have made of it.
        written: Its object, as the model writes it.
    """
    codec: StoredForm = info.mapper.model_codec(info.cls)
    moved = [value for name, value in item.items() if name not in made]
    table = info.table
    indexed = {name for each in table.secondary_indexes for name in key_attributes_of(table, each)}
    for index in table.vector_indexes:
        indexed.update((index.vector, *index.search_attributes))
    found: AttributeMap = {}
    for name, value in made.items():
        if value is item.get(name) and name not in info.index_keys:
            found[name] = value
        elif name not in info.index_keys:
            form, new = inside(codec, name), written.get(name)
            was = [*moved, item[name]] if name in item else moved
            # NULL is not a key of an index.
            if form is None or new is not None or (name not in indexed and _is_among(value, was)):
                found[name] = _renewed(value, new, was, form)
    stamps = {info.names.get(name or "") for name in (info.version, info.created, info.updated)}
    return {**{name: value for name, value in written.items() if name not in stamps}, **found}


def _is_among(value: AttributeValue, others: Sequence[AttributeValue]) -> bool:
    return any(each is value or alike(each, value, None) for each in others)


def _renewed(
    made: AttributeValue,
    written: AttributeValue | None,
    was: Sequence[AttributeValue],
    codec: StoredForm | None,
) -> AttributeValue:
    """A value that upgrades have made, as its codec has *written* it: but as it is stored where it *was* the
    same before, and with all that its codec does not know.
    """
    for each in was:
        if each is made or alike(each, made, None):
            return each
    if codec is None or written is None:
        return made
    ((tag, members),) = made.items()
    new = written.get(tag)
    if new is None or tag not in ("M", "L") or codec.is_set:
        return written
    before = [each[tag] for each in was if tag in each]
    if tag == "M":
        known = set((codec.names or {}).values()) if codec.fields else set()
        named: AttributeMap = {}
        for name, value in members.items():
            if name in new or name not in known:  # None may be left out
                was = [each[name] for each in before if name in each]
                named[name] = _renewed(value, new.get(name), was, inside(codec, name))
        return {"M": named}
    if len(new) != len(members):
        return made
    listed: list[AttributeValue] = []
    for place, value in enumerate(members):
        # From both ends: upgrades may put others before it or behind it.
        places = place, place - len(members)
        was = [each[at] for each in before for at in places if -len(each) <= at < len(each)]
        listed.append(_renewed(value, new[place], was, inside(codec, place)))
    return {"L": listed}


def check_key_kept(info: ModelInfo, item: Mapping[str, AttributeValue], made: AttributeMap) -> None:
    """Refuse upgrades of fields that the primary key is made of: the key would say something else.

    Values are compared, and no texts: an item keeps its key as another program may have written it.

    Raises:
        MappingError: What they *made* has another value there than *item* has, beside its key and in it.
    """
    if info.keys is None:
        return
    before = _renamed(info, dict(item))
    for part in info.keys.primary_fields:
        found, after = value_at(before, part.steps), value_at(made, part.steps)
        if after == found:
            continue
        stated = [_value(part, found)]
        with contextlib.suppress(MappingError):  # its key is of another form
            stated.append(_value(part, info.keys.read_key(item).get(part.steps)))
        known = [each for each in stated if each is not _UNREADABLE]
        if known and _value(part, after) not in known:
            raise MappingError(
                f"{info.name}.{part.name}",
                "upgrades that leave the fields of the primary key as they are",
                "none" if after is None else show(load_any(after)),
                _key(info, item),
                "an item's key never changes",
                dict(item),
            )


def _value(part: KeyField, stored: AttributeValue | None) -> Any:
    try:
        return _UNREADABLE if stored is None else part.codec.load(stored)
    except Exception:
        return _UNREADABLE


def _same(one: Any, other: Any) -> bool:
    """Whether a plain value is still what it was: 1 and True are equal, and stored differently."""
    if type(one) is not type(other) or one != other:
        return False
    if isinstance(one, dict):
        return all(map(_same, one.values(), (other[name] for name in one)))
    return not isinstance(one, list) or all(map(_same, one, other))


def _plain(info: ModelInfo, name: str, value: AttributeValue, item: AttributeMap) -> Any:
    try:
        return load_any(value)
    except Exception as error:
        raise MappingError(
            f"{info.name}[{name!r}]", "an attribute value, such as {'S': 'text'}", show(value),
            _key(info, item), item=item,
        ) from error  # fmt: skip


def _stored(
    info: ModelInfo, name: str, value: object, any_codec: Codec, item: AttributeMap
) -> AttributeValue:
    try:
        check_name(name)
        return any_codec.dump(value)
    except Exception as error:
        expected = getattr(error, "expected", "a value that can be stored")
        raise MappingError(
            f"{info.name}[{name!r}], after its upgrades", expected, show(value),
            _key(info, item), item=item,
        ) from error  # fmt: skip


def _key(info: ModelInfo, item: Mapping[str, AttributeValue]) -> AttributeMap | None:
    try:
        return key_of_item(info, dict(item)) or None
    except Exception:
        return None
