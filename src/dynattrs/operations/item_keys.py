"""Keys: from what callers write to attribute maps, and to what the service compares.

A key is one argument: a scalar, a tuple `(partition, sort)`, or a dict of fields.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, cast, get_origin

from dynattrs import limits
from dynattrs.errors import KeyChanged, MappingError, ModelError, QueryError
from dynattrs.expressions.conditions import Condition
from dynattrs.expressions.paths import did_you_mean
from dynattrs.keys.discriminator import ask_again, template_of
from dynattrs.mapper.carried import StoredKey, carried_by, carry_on
from dynattrs.mapper.codec import Refused, show
from dynattrs.mapper.key_rules import check_key, key_of_item, plain_numbers
from dynattrs.mapper.named import name_object
from dynattrs.mapper.scalars import PLAIN, binary
from dynattrs.operations.conditions import version_is
from dynattrs.quoting import quoted
from dynattrs.schema.field_rules import FieldRules, raised
from dynattrs.schema.model_info import KeyField, ModelInfo, SimplePart, model_info
from dynattrs.schema.table import AttributeMap, AttributeValue


def pair_of(wanted: Any, verb: str) -> tuple[Any, Any]:
    """The model and the key of an item that is asked for among others.

    Raises:
        QueryError: Something else was given.
    """
    if not isinstance(wanted, tuple) or len(wanted) != 2:
        raise QueryError(
            f"{verb}: a pair of a model and a key is expected for each item, (Song, key), found "
            f"{quoted(wanted)}"
        )
    return wanted


def key_of(info: ModelInfo, key: object) -> AttributeMap:
    """What a caller gave as the key, as the attribute map of the primary key. Its values go through
    the converters of their fields.

    Raises:
        MappingError: A part is missing, too many, unknown, or has another type than its field.
    """
    found = _simple_key(info, key)
    if found is not None:
        return found
    ask_again(info)
    parts = key_parts(info)
    values = _parts(info, tuple(part.name for part in parts), key)
    converted = (
        value if part.rules is None else _converted(info, part, part.rules, value)
        for part, value in zip(parts, values, strict=True)
    )
    item = _made_of(info, parts, converted)
    if isinstance(key, KeyFields):
        return key.carried.of(item) or item
    return item


# Measured (benchmarks/second_ways.py): 9.4 -> 0.9 us a key of two texts.
# tests/property/test_simple_keys.py holds it to the general way.
def _simple_key(info: ModelInfo, key: object) -> AttributeMap | None:
    """A key of ordinary texts and ints, of a model that has no more to say of it; None for any other."""
    form, known = info.mapper.model_codec(info.cls), info.simple_key
    if known is None or known[0] is not form:
        known = info.simple_key = (form, _simple_parts(info))
    parts = known[1]
    values: tuple[Any, ...] = key if type(key) is tuple else (key,)
    if not parts or len(values) != len(parts):
        return None
    item: AttributeMap = {}
    for (name, kind, most), value in zip(parts, values, strict=True):
        if kind == "S":
            if type(value) is not str or not 0 < len(value) <= most or not value.isascii():
                return None
            item[name] = {"S": value}
        elif type(value) is int and -most < value < most:
            item[name] = {"N": str(value)}
        else:
            return None
    return item


def _simple_parts(info: ModelInfo) -> tuple[SimplePart, ...]:
    """The parts of a primary key that is simple; none where it is not."""
    found: list[SimplePart] = []
    for position, part in enumerate(key_parts(info) if info.keys is None else ()):
        (name,), kind = part.steps, info.table.type_of(part.steps[0])
        most = limits.SORT_KEY_BYTES if position else limits.PARTITION_KEY_BYTES
        if part.rules is not None or part.codec not in (PLAIN[str], PLAIN[int]):
            return ()
        if kind == "S" and part.codec is PLAIN[str]:
            found.append((name, kind, most))
        elif kind == "N" and part.codec is PLAIN[int]:
            found.append((name, kind, _MOST))
        else:
            return ()
    return tuple(found)


#: What is below has an exact text without further ado.
_MOST: Final = 10**18


def _converted(info: ModelInfo, part: KeyField, rules: FieldRules, value: object) -> Any:
    try:
        return rules.compared(value)
    except Exception as error:
        raise MappingError(
            f"{info.name}.{part.name}", part.codec.expected, show(value),
            hint=f"its converter raised {raised(error)}",
        ) from error  # fmt: skip


def _made_of(info: ModelInfo, parts: Iterable[KeyField], values: Iterable[object]) -> AttributeMap:
    """The primary key of these values."""
    item: AttributeMap = {}
    for part, value in zip(parts, values, strict=True):
        try:
            stored = part.codec.dump(value)
        except MappingError:
            raise
        except Exception as error:
            expected = getattr(error, "expected", part.codec.expected)
            found = getattr(error, "found", show(value))
            hint = error.hint if isinstance(error, Refused) else ""
            raise MappingError(f"{info.name}.{part.name}", expected, found, hint=hint) from None
        place = item
        for step in part.steps[:-1]:
            place = place.setdefault(step, {"M": {}})["M"]
        place[part.steps[-1]] = stored
    if info.keys is not None:
        item = info.keys.primary_of(item)
    check_key(info, item)
    plain_numbers(item, info.table.key)
    return item


def key_parts(info: ModelInfo) -> tuple[KeyField, ...]:
    """The fields that make the primary key."""
    if info.keys is not None:
        return info.keys.primary_fields
    form = info.mapper.model_codec(info.cls)
    fields, rules = form.fields or {}, form.rules
    return tuple(
        KeyField(name, (info.names[name],), fields[name], rules.get(name))
        for name in info.key_fields
    )


class KeyFields(dict[str, Any]):
    """A key as a dict of fields, which carries how it is stored, where that is written otherwise."""

    def __init__(self, fields: Mapping[str, object], carried: StoredKey) -> None:
        super().__init__(fields)
        self.carried = carried

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self), self.carried)

    def copy(self) -> KeyFields:
        return type(self)(self, self.carried)


def fields_of_key(info: ModelInfo, item: AttributeMap, fields: dict[str, Any]) -> dict[str, Any]:
    """The *fields* of the key of an item, so that they say how it is stored."""
    try:
        written = key_of(info, fields)
    except MappingError:  # it could not be written at all
        return fields
    stored = key_in(info, item)
    return fields if stored == written else KeyFields(fields, StoredKey(stored, written))


def own_key(info: ModelInfo, obj: object) -> AttributeMap:
    """The primary key of an object: the one that it was read with, where it carries that.

    Raises:
        KeyChanged: A field of the key is another one than it was then.
    """
    key, carried = written_key(info, obj), carried_by(obj).key
    if carried is None:
        return key
    stored = carried.of(key)
    if stored is not None:
        return stored
    if carried.left:
        return key
    raise key_changed(info, carried.written, key)


def put_key(info: ModelInfo, obj: object) -> AttributeMap:
    """The key under which an object would be saved: where its key was changed, the new one."""
    key, carried = written_key(info, obj), carried_by(obj).key
    return key if carried is None else carried.of(key) or key


def written_key(info: ModelInfo, obj: object) -> AttributeMap:
    """The key that the fields of an object make, whatever it carries. They are converted already."""
    values = (operator.attrgetter(name)(obj) for name in info.key_fields)
    try:
        return _made_of(info, key_parts(info), values)
    except MappingError as error:
        name_object(error, info, obj)
        raise


def own_fields(info: ModelInfo, obj: object) -> dict[str, Any]:
    """The fields of an object that make its key, as they are."""
    return {name: operator.attrgetter(name)(obj) for name in info.key_fields}


def keeping_key(info: ModelInfo, finish: Callable[[Any], object]) -> Callable[[Any], Any]:
    """What `after_load` hooks make of an object of a model, so that it stays the item that was read where
    they change a field of its key.

    Raises:
        MappingError: (the function) The class has no place for the key that was read.
    """
    names = info.key_fields
    values = operator.attrgetter(*names)

    def finished(obj: object) -> Any:
        before, carried = values(obj), carried_by(obj).key
        made = finish(obj)
        if values(made) == before:
            return made
        parts = before if len(names) > 1 else (before,)
        try:
            was = _made_of(info, key_parts(info), parts)
            now = written_key(info, made)
        except MappingError:  # a save says what is wrong
            return made
        if not info.carries:
            changed = key_changed(info, was, now)
            raise MappingError(
                info.name, "the key that was read", str(changed), was, "its after_load hook has "
                "changed the key, and an object of a class mapped with map_class cannot carry another"
            )  # fmt: skip
        carry_on(made, key=StoredKey(was if carried is None else carried.stored, now))
        return made

    return finished


def key_changed(info: ModelInfo, before: AttributeMap, after: AttributeMap) -> KeyChanged:
    """The error for an object whose key was the one of *before*, an item or its key."""
    was, now = stored_parts(info, before), stored_parts(info, after)
    names = [part.name for part in key_parts(info) if was.get(part.steps) != now.get(part.steps)]
    return KeyChanged(
        f"{' and '.join(f'{info.name}.{name}' for name in names)} is part of the key, which never "
        f"changes, and is not what was read; write session.move(old, new), or t.move(old, new) in a "
        f"transaction, which saves the object under its new key and deletes the old item"
    )


def _parts(info: ModelInfo, names: tuple[str, ...], key: object) -> tuple[Any, ...]:
    if isinstance(key, Mapping):
        for name in key:
            if name not in names:
                raise _misshapen(info, names, f"{name!r}{did_you_mean(name, names)}")
        missing = [name for name in names if name not in key]
        if missing:
            raise _misshapen(info, names, f"no {' and no '.join(map(repr, missing))}")
        return tuple(key[name] for name in names)
    if len(names) == 1:
        if isinstance(key, tuple) and len(key) == 1:
            return key
        if not isinstance(key, tuple) or info.keys is None:
            return (key,)
    # A NamedTuple that is the key is as good as a tuple.
    if not isinstance(key, tuple) or len(key) != len(names):
        raise _misshapen(info, names, show(key))
    return tuple(key)


def _misshapen(info: ModelInfo, names: tuple[str, ...], found: str) -> MappingError:
    expected = f"the key of {info.name}: {_shape(names)}"
    return MappingError(info.name, expected, found, hint=_of_templates(info))


def _of_templates(info: ModelInfo) -> str:
    """What to say to those who give a key as templates have made it; empty without templates."""
    made = {name: template_of(info, name) for name in info.table.key}
    shown = " and ".join(f"{name}={each.written!r}" for name, each in made.items() if each)
    return f"keys are given by their fields, which make {shown}" if shown else ""


def _shape(names: tuple[str, ...]) -> str:
    if len(names) == 1:
        return f"a value for {names[0]!r}, or a dict {{{names[0]!r}: …}}"
    return f"a tuple ({', '.join(names)}) or a dict of these"


def plain_key(info: ModelInfo, item: AttributeMap) -> dict[str, Any]:
    """The key of an item as a dict of fields, for messages; what is not readable stays raw."""
    try:
        values = stored_parts(info, item)
    except MappingError:
        return {name: item.get(name) for name in info.table.key}
    plain: dict[str, Any] = {}
    for part in key_parts(info):
        value = values.get(part.steps)
        try:
            plain[part.name] = part.codec.load(value or {})
        except Exception:
            plain[part.name] = value
    return plain


def stored_parts(info: ModelInfo, item: AttributeMap) -> Mapping[tuple[str, ...], AttributeValue]:
    """The stored values that the primary key of an item holds, by their places in the item.

    Raises:
        MappingError: The key was not made by this model's templates.
    """
    if info.keys is not None:
        return info.keys.read_key(item)
    return {(name,): item[name] for name in info.table.key if name in item}


def readable_parts(info: ModelInfo, item: AttributeMap) -> Mapping[tuple[str, ...], AttributeValue]:
    """As `stored_parts`, and nothing where another program made the key and the fields stand beside it.

    Raises:
        MappingError: The key was not made by this model's templates, and a field is stored there only.
    """
    try:
        return stored_parts(info, item)
    except MappingError:
        if info.keys is None or info.keys.key_only:
            raise
        return {}


def identity(table: str, key: AttributeMap) -> Hashable:
    """What makes two keys the same to the service: 1 and 1.0 are one number."""
    # A name is in it once, so it decides the order.
    names = sorted(key) if len(key) > 1 else key
    flat: list[Any] = [table]
    for name in names:
        value = key[name]
        if "S" in value:
            flat += name, "S", value["S"]
            continue
        ((tag, payload),) = value.items()
        flat += name, tag, Decimal(payload) if tag == "N" else binary(payload)
    return tuple(flat)


def key_map(identity: Hashable) -> AttributeMap:
    """The key that an `identity` was made of."""
    flat = cast("tuple[Any, ...]", identity)
    parts = zip(flat[1::3], flat[2::3], flat[3::3], strict=True)
    return {name: {tag: str(value) if tag == "N" else value} for name, tag, value in parts}


def names_in(found: Hashable) -> set[str]:
    """The names of the key attributes that an `identity` was made of."""
    return set(cast("tuple[Any, ...]", found)[1::3])


def key_in(info: ModelInfo, item: AttributeMap) -> AttributeMap:
    """The primary key of an item."""
    return key_of_item(info, item)


# --- Which item a verb is about -----------------------------------------------------------------


class _NoKey:
    def __repr__(self) -> str:
        return "..."


#: Stands for "the key is the object's own".
NO_KEY: Any = _NoKey()


def is_class_of(subject: object) -> bool:
    """Whether a subject is a model class, with arguments if it is generic, and not an object."""
    return isinstance(subject, type) or isinstance(get_origin(subject), type)


def target(subject: object, key: object) -> tuple[ModelInfo, AttributeMap, Condition | None]:
    """Which item is meant: an object's own, or that of a class and a key."""
    if is_class_of(subject):
        info = model_info(subject)
        if key is NO_KEY:
            raise ModelError(
                info.name,
                f"a model class needs a key here: pass {info.name}, key, or an object of the class; check() "
                f"takes a condition behind it, such as exists(...) of a field of the key",
            )
        return info, key_of(info, key), None
    info = model_info(type(subject))
    if key is not NO_KEY:
        raise ModelError(info.name, "an object has its key already; pass the object alone")
    return info, own_key(info, subject), version_is(info, subject)
