"""Guards: the items that make values unique.

DynamoDB makes only primary keys unique. So for each unique value there is an item whose primary key
holds that value: a guard. Its partition key is `dynattrs.unique User.email [["S","a@b.c"]]`: the model
that declared it, the attributes, the values, hashed where they have no room in a key. Its sort key, where
the table has one, is always the same. It carries the attributes `dynattrs.unique` (`User.email`),
`dynattrs.owner` (the primary key of the item that has the value) and the owner's time to live.

https://aws.amazon.com/blogs/database/simulating-amazon-dynamodb-unique-constraints-using-transactions/
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar, cast

import attrs

from dynattrs import utf8
from dynattrs.errors import AlreadyTaken, MappingError
from dynattrs.expressions.conditions import (
    Comparison,
    Condition,
    Function,
    PathOperand,
    Value,
    any_conditions,
)
from dynattrs.keys.kinds import is_other
from dynattrs.mapper.equality import same
from dynattrs.mapper.numbers import plain_number
from dynattrs.mapper.scalars import binary
from dynattrs.operations.conditions import attribute_path, joined, no_item, with_condition
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Flow
from dynattrs.operations.item_keys import identity, plain_key
from dynattrs.operations.writing.transaction_actions import TransactionAction
from dynattrs.schema.item_models import told_by_nothing
from dynattrs.schema.model_info import GUARD_ATTRIBUTE, ModelInfo, info_of, models_in
from dynattrs.schema.table import AttributeMap, AttributeValue

R = TypeVar("R")

#: The primary key of the item that a guard is of, in the guard.
OWNER_ATTRIBUTE: Final = "dynattrs.owner"
#: Bytes of the values in a partition key; the service allows 2,048.
_MOST_BYTES: Final = 1500
#: How many attributes are compared at most, where a whole item must be as it was.
_MOST_ASKED: Final = 130
#: The sort key of guards. A number that no item has or asks for: an index may have it as its
#: partition key.
_SORT_KEY: Final[dict[str, Any]] = {
    "S": GUARD_ATTRIBUTE,
    "N": "-99999999999999999999999999999999999999",
    "B": GUARD_ATTRIBUTE.encode(),
}

#: Types of values that are stored in one form only, but for numbers.
_PLAIN: Final = (str, bytes, int, bool)

#: What will be stored, of what is; None for nothing.
NewOf = Callable[["AttributeMap | None"], "AttributeMap | None"]


@attrs.frozen(eq=False)
class Guard:
    """The guard of one unique value.

    Attributes:
        info: The model that has the fields.
        fields: The unique fields.
        key: The guard's primary key.
        item: The whole guard.
        values: The values, by field, as they are stored.
        owner: The primary key of the item that has them.
    """

    info: ModelInfo
    fields: tuple[str, ...]
    key: AttributeMap
    item: AttributeMap
    values: Mapping[str, AttributeValue]
    owner: AttributeMap

    def __str__(self) -> str:
        return f"{self.info.name}.{'+'.join(self.fields)}"


def guards_of(
    infos: Iterable[ModelInfo], key: AttributeMap, item: Mapping[str, AttributeValue] | None
) -> dict[str, Guard]:
    """The guards that an item has, by what is in their keys. A value that is None has none.

    Args:
        infos: The models that it may be of.
        key: Its primary key.
        item: The item; None if there is none.
    """
    found: dict[str, Guard] = {}
    if item is None:
        return found
    for info in infos:
        for fields, declared_by in info.unique.items():
            names = _names_in(item, info, fields)
            stored: dict[str, AttributeValue] = {}
            for field, attribute in zip(fields, names, strict=True):
                value = item.get(attribute)
                if value is not None and "NULL" not in value:
                    stored[field] = _as_read(info, field, value)
            if len(stored) < len(fields):
                continue
            name = f"{declared_by}.{'+'.join(names)}"
            text = f"{GUARD_ATTRIBUTE} {name} {_written(info, stored)}"
            own = _key(info, text)
            guard: AttributeMap = {
                **own,
                GUARD_ATTRIBUTE: {"S": name},
                OWNER_ATTRIBUTE: {"M": dict(key)},
            }
            ttl = info.table.ttl_attribute
            if ttl is not None and ttl in item:
                # A guard expires with its owner.
                guard[ttl] = item[ttl]
            found.setdefault(text, Guard(info, fields, own, guard, stored, key))
    return found


def _names_in(
    item: Mapping[str, AttributeValue], info: ModelInfo, fields: Sequence[str]
) -> list[str]:
    """The attributes of some fields, by the names that they have in an item: it may be an older one, whose
    guards are made of former names.
    """
    names = [info.names[field] for field in fields]
    for former, name in info.formerly.items():
        if name in names and name not in item and former in item:
            names[names.index(name)] = former
    return names


def _name(info: ModelInfo, fields: tuple[str, ...], declared_by: str) -> str:
    return f"{declared_by}.{'+'.join(info.names[each] for each in fields)}"


def _as_read(info: ModelInfo, field: str, value: AttributeValue) -> AttributeValue:
    """A stored value as the mapper would write it: two spellings of one value are the same value."""
    form = info.mapper.model_codec(info.cls)
    codec, rules = (form.fields or {})[field], form.rules.get(field)
    if rules is None and codec.type in _PLAIN:
        return value
    try:
        found = codec.load(value)
        return codec.dump(found if rules is None else rules.stored(found))
    except Exception:  # what cannot be read is as it is
        return value


def _written(info: ModelInfo, values: Mapping[str, AttributeValue]) -> str:
    """Values as text, each pair of different ones differently."""
    plain = []
    for name, value in values.items():
        ((tag, payload),) = value.items()
        if tag not in ("S", "N", "B", "BOOL"):
            raise MappingError(
                f"{info.name}.{name}", "text, a number, bytes or a bool", tag,
                hint="the field is unique, and nothing else can be part of a guard's key",
            )  # fmt: skip
        if tag == "N":
            payload = plain_number(payload)  # 1 and 1.0 are one number to the service
        if tag == "S" and not utf8.encodable(payload):
            raise MappingError(
                f"{info.name}.{name}", utf8.EXPECTED, utf8.found(payload), hint=utf8.HINT
            )
        plain.append([tag, binary(payload).hex() if tag == "B" else payload])
    text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    if len(text.encode()) > _MOST_BYTES:
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    return text


def _key(info: ModelInfo, text: str) -> AttributeMap:
    partition, *sort = info.table.key
    kind = info.table.type_of(partition)
    key: AttributeMap = {partition: {kind: text.encode() if kind == "B" else text}}
    for name in sort:
        key[name] = {info.table.type_of(name): _SORT_KEY[info.table.type_of(name)]}
    return key


def watched(info: ModelInfo) -> frozenset[str]:
    """The attributes that guards are made of, and the one that says whose they are."""
    return _until_declared("watched", _watched, info)


def _watched(info: ModelInfo) -> frozenset[str]:
    names = {
        each.names[name] for each in info.guarding for fields in each.unique for name in fields
    }
    former = {old for each in info.guarding for old, name in each.formerly.items() if name in names}
    more = {info.table.ttl_attribute, info.table.discriminator}
    return frozenset(names | former | {name for name in more if name is not None})


def _until_declared(what: str, find: Callable[[ModelInfo], R], info: ModelInfo) -> R:
    """What *find* says of a model, which is remembered until another one is declared."""
    declared = info.table.members.declared, len(info.guarding)
    known: tuple[tuple[int, int], R] | None = info.asked.get(what)
    if known is None or known[0] != declared:
        known = info.asked[what] = declared, find(info)
    return known[1]


def concerns(info: ModelInfo, attributes: Iterable[Any]) -> bool:
    """Whether a change of these attributes changes guards."""
    return not watched(info).isdisjoint(attributes)


def wholly(info: ModelInfo, stored: Mapping[str, AttributeValue]) -> frozenset[str]:
    """The attributes that show whether anything was changed in an item: what it has, and what its model
    could have. Of an item of very many, which have no place in an expression, those of guards.
    """
    names = (watched(info) | stored.keys() | set(info.names.values())) - set(info.table.key)
    return watched(info) if len(names) > _MOST_ASKED else names


def unchanged(
    info: ModelInfo,
    stored: Mapping[str, AttributeValue] | None,
    names: frozenset[str] | None = None,
) -> Condition:
    """The condition that the attributes of guards, or *names*, are still as they are in *stored*."""
    if stored is None:
        return no_item(info)
    conditions: list[Condition] = []
    for attribute in sorted(watched(info) if names is None else names):
        operand = _attribute(info, attribute)
        if attribute in stored:
            value = Value(stored[attribute], stored[attribute])
            conditions.append(Comparison("=", operand, value))
        else:
            conditions.append(Function("attribute_not_exists", "not_exists", operand))
    return cast("Condition", joined(*conditions))


def _attribute(info: ModelInfo, attribute: str) -> PathOperand:
    known: PathOperand | None = info.asked.get(f"[{attribute}]")
    if known is None:
        known = attribute_path(info, (attribute,), f"{info.name}.{attribute}")
        info.asked[f"[{attribute}]"] = known
    return known


def is_unchanged(
    info: ModelInfo,
    one: Mapping[str, Any] | None,
    other: Mapping[str, Any] | None,
    names: frozenset[str] | None = None,
) -> bool:
    if not one or not other:
        return not one and not other
    names = watched(info) if names is None else names
    return same(
        {name: one[name] for name in names & one.keys()},
        {name: other[name] for name in names & other.keys()},
    )


def has_same_guards(info: ModelInfo, item: AttributeMap, key: AttributeMap) -> Condition | None:
    """The condition that guards stay as they are where an item takes the place of what is stored; None
    where nothing can tell: that may be of another model, whose values have other guards, or none.
    """
    found = unchanged(info, item)
    if info.table.discriminator is None and not may_lack_guards(info):
        return found
    if guards_of((info,), key, item):
        return None if info.table.discriminator is None else found
    return any_conditions((no_item(info), found))


def has_guards(info: ModelInfo, item: Mapping[str, AttributeValue]) -> bool:
    """Whether an item surely has the guards of its values: it is of the model, or of a subclass."""
    if info.table.discriminator is None:
        return not may_lack_guards(info)
    return info.table.discriminator in item and not is_other(info, item)


def may_lack_guards(info: ModelInfo) -> bool:
    """Whether nothing tells items of a model from those of one that has not the same unique fields."""
    return _until_declared("may lack guards", _may_lack_guards, info)


def _may_lack_guards(info: ModelInfo) -> bool:
    if not told_by_nothing(info):
        return False
    bases = (info_of(base) for base in info.cls.__mro__[1:])
    above = (each for each in bases if each is not None and each.table.name == info.table.name)
    own = names_of_guards(info)
    return any(
        told_by_nothing(other) and not own <= names_of_guards(other)
        for other in (*models_in(info.table), *above)
    )


def names_of_guards(info: ModelInfo) -> set[str]:
    """What the guards of a model's items have as their attribute `dynattrs.unique`."""
    return {_name(info, fields, declared_by) for fields, declared_by in info.unique.items()}


@attrs.frozen(eq=False)
class GuardedWrite:
    """What a write does to one item, as far as guards are concerned.

    Attributes:
        info: The model.
        key: The item's primary key.
        stored: What is stored; None if nothing.
        old: The same as an item of today's schema.
        new: What will be; None if nothing.
        whole: Whether *new* is the whole item. What is only updated may be of a subclass, whose
            guards stay.
        afresh: Whether guards are made of values that do not change as well.
    """

    info: ModelInfo
    key: AttributeMap
    stored: AttributeMap | None
    old: AttributeMap | None
    new: AttributeMap | None
    whole: bool
    afresh: bool

    def before(self) -> dict[str, Guard]:
        # What is replaced may have been any model's.
        infos = _models_with(self.info) if self.whole else self.info.guarding
        found = guards_of(_models_of(self.old, infos), self.key, self.old)
        if self.stored is not self.old:
            # It has those that an older program has made.
            with suppress(MappingError):  # of what no guard can be made of, none was made
                older = guards_of(_models_of(self.stored, infos), self.key, self.stored)
                found = {**older, **found}
        return found

    def after(self) -> dict[str, Guard]:
        infos = [self.info] if self.whole else _models_of(self.new, self.info.guarding)
        return guards_of(infos, self.key, self.new)


@attrs.frozen(eq=False)
class LeftGuard:
    """A guard whose item has not its value any more.

    Attributes:
        owner: The primary key of the item that it names.
        check: That this item still has not the value.
    """

    owner: AttributeMap
    check: TransactionAction


NO_GUARDS: Final[Mapping[str, LeftGuard]] = {}


def has_value(text: str, info: ModelInfo, key: AttributeMap, item: AttributeMap) -> bool:
    """Whether an item has the value of a guard."""
    return text in guards_of(_models_of(item, _models_with(info)), key, item)


def _models_with(info: ModelInfo) -> list[ModelInfo]:
    """The models of a table that have unique fields."""
    members = models_in(info.table)
    return [
        *info.guarding,
        *(each for each in members if each.unique and each not in info.guarding),
    ]


def _models_of(item: AttributeMap | None, infos: Sequence[ModelInfo]) -> list[ModelInfo]:
    """Which of some models an item may be of."""
    return [each for each in infos if item is not None and not is_other(each, item)]


def owner_of(reason: Mapping[str, Any]) -> AttributeMap | None:
    """The primary key of the item that a guard names, which was in the way."""
    owner: AttributeMap | None = (reason.get("Item") or {}).get(OWNER_ATTRIBUTE, {}).get("M")
    return owner


def guard_actions(
    core: Core,
    changes: Sequence[GuardedWrite],
    foreign: frozenset[str] = frozenset(),
    left: Mapping[str, LeftGuard] = NO_GUARDS,
) -> list[tuple[str, Guard, TransactionAction]]:
    """What a transaction does to guards: it drops those of old values, and takes those of new ones.
    One that passes from an item to another is one action.

    Args:
        core: Names of tables.
        changes: What the transaction does to items.
        foreign: Guards of old values that turned out to be another item's.
        left: Guards of new values that nothing has any more.

    Raises:
        AlreadyTaken: Two items of the transaction would have the same value.
    """
    dropped: dict[Any, list[tuple[str, Guard]]] = {}
    taken_: dict[Any, tuple[str, Guard]] = {}
    kept: set[Any] = set()
    for change in changes:
        before, after = change.before(), change.after()
        table = core.table_name(change.info.table)
        for text, guard in before.items():
            if text not in after and text not in foreign:
                dropped.setdefault(identity(table, guard.key), []).append((text, guard))
        for text, guard in after.items():
            which = identity(table, guard.key)
            if text in before and not change.afresh and same(before[text].item, guard.item):
                kept.add(which)
                continue
            if which in taken_:
                other = taken_[which][1]
                raise taken(guard, other.owner)
            taken_[which] = (text, guard)
    found: list[tuple[str, Guard, TransactionAction]] = []
    for which, droppings in dropped.items():
        if which in taken_ or which in kept:
            continue
        text, guard = droppings[0]
        table = core.table_name(guard.info.table)
        request = {"Delete": {"TableName": table, "Key": guard.key, **_owned_by(droppings)}}
        found.append(
            (text, guard, TransactionAction(f"drop {guard}", request, guard.info, guard.key))
        )
    for which, (text, guard) in taken_.items():
        table = core.table_name(guard.info.table)
        owned = _owned_by([(text, guard), *dropped.get(which, ())], left.get(text))
        back = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        put = {"Put": {"TableName": table, "Item": guard.item, **owned, **back}}
        found.append((text, guard, TransactionAction(f"take {guard}", put, guard.info, guard.key)))
    return found


def _owned_by(guards: Sequence[tuple[str, Guard]], left: LeftGuard | None = None) -> dict[str, Any]:
    """The condition that a guard is not there, or is that of one of these items."""
    partition = guards[0][1].info.table.partition_key
    keys = [each.owner for _, each in guards] + ([] if left is None else [left.owner])
    owners = {f":o{number}": {"M": dict(key)} for number, key in enumerate(keys)}
    owned = [f"#o = {name}" for name in owners]
    return {
        "ConditionExpression": " OR ".join(["attribute_not_exists(#p)", *owned]),
        "ExpressionAttributeNames": {"#p": partition, "#o": OWNER_ATTRIBUTE},
        "ExpressionAttributeValues": owners,
    }


def taken(guard: Guard, owner: AttributeMap | None) -> AlreadyTaken:
    """The error for a value that another item has."""
    info = guard.info
    codec = info.mapper.model_codec(info.cls)
    values = {name: (codec.fields or {})[name].load(guard.values[name]) for name in guard.fields}
    return AlreadyTaken(info.name, guard.fields, values, plain_key(info, owner) if owner else None)


def taken_of(guard: Guard, reason: Mapping[str, Any]) -> AlreadyTaken:
    return taken(guard, owner_of(reason))


# --- What is stored ------------------------------------------------------------------------------


def stored_item(
    core: Core, info: ModelInfo, key: AttributeMap, deadline: float | None = None
) -> Flow[AttributeMap | None]:
    """What is stored now."""
    parameters = {"TableName": core.table_name(info.table), "Key": key, "ConsistentRead": True}
    response = yield Call("get_item", parameters, deadline=deadline)
    return cast("AttributeMap | None", response.get("Item"))


def left_guard(
    core: Core, text: str, guard: Guard, reason: Mapping[str, Any]
) -> Flow[LeftGuard | None]:
    """A guard that is there though the item that it names has another value, or is gone: what deletes or
    replaces items without knowing of unique fields leaves it behind. None where the item has the value.
    """
    owner = owner_of(reason)
    if owner is None:
        return None
    item = yield from stored_item(core, guard.info, owner)
    if item is not None and has_value(text, guard.info, owner, item):
        return None
    table = core.table_name(guard.info.table)
    request = with_condition({"TableName": table, "Key": owner}, unchanged(guard.info, item))
    check = TransactionAction(
        f"check {guard}", {"ConditionCheck": request}, guard.info, owner
    )  # fmt: skip
    return LeftGuard(owner, check)
