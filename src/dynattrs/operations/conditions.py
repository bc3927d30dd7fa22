"""Conditions of writes: those of callers, checked, and those that the library asks by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import attrs

from dynattrs.deferral import deferred
from dynattrs.errors import ConditionError
from dynattrs.expressions.conditions import (
    Comparison,
    Condition,
    Constant,
    Function,
    In,
    IsNone,
    Joined,
    Not,
    PathOperand,
    Value,
    all_conditions,
    any_conditions,
    condition,
    models_of,
    paths_in,
    place_operand,
    render,
)
from dynattrs.expressions.paths import Path, PathData, data_of
from dynattrs.expressions.placeholders import Placeholders
from dynattrs.keys.discriminator import subclasses
from dynattrs.keys.kinds import kinds_of, kinds_of_all, otherwise
from dynattrs.late_classes import frozen
from dynattrs.mapper.carried import carried_by
from dynattrs.schema.definitions import two_names
from dynattrs.schema.messages import Message
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import AttributeMap

if TYPE_CHECKING:
    from dynattrs.keys import plans
else:
    plans = deferred("dynattrs.keys.plans")

# --- Operands -----------------------------------------------------------------------------------


def field_path(info: ModelInfo, name: str) -> PathOperand:
    """A field as an operand, for conditions of the library's own."""
    codec = info.mapper.model_codec(info.cls)
    data = PathData(info.cls, (info.names[name],), f"{info.name}.{name}", lambda: (codec, name))
    return PathOperand(Path(data))


def key_path(info: ModelInfo) -> PathOperand:
    """The partition key, which every item has, as an operand."""
    attribute = info.table.partition_key
    for name, stored in info.names.items():
        if stored == attribute:
            return field_path(info, name)
    return attribute_path(info, (attribute,), attribute)


def attribute_path(info: ModelInfo, steps: tuple[str | int, ...], label: str) -> PathOperand:
    """Any place in an item as an operand that is rendered, without knowing more of it."""
    return place_operand(info.cls, steps, label)


# --- What the library asks ----------------------------------------------------------------------


@frozen(eq=False, repr=False)
class Silently(Condition):
    """A condition, and another one that the library adds and no message mentions."""

    added: Condition
    stated: Condition

    def render(self, placeholders: Placeholders) -> str:
        return all_conditions((self.added, self.stated)).render(placeholders)

    def __str__(self) -> str:
        return str(self.stated)


@frozen(eq=False, repr=False)
class Worded(Condition):
    """A condition on what is stored, which messages call by its meaning."""

    asked: Condition
    written: str

    def render(self, placeholders: Placeholders) -> str:
        text = self.asked.render(placeholders)
        either = isinstance(self.asked, Joined) and self.asked.word == "OR"
        return f"({text})" if either else text

    def __str__(self) -> str:
        return self.written


def no_item(info: ModelInfo) -> Condition:
    """The condition that there is no item."""
    known: Condition | None = info.asked.get("no_item")
    if known is None:
        known = Function("attribute_not_exists", "not_exists", key_path(info))
        info.asked["no_item"] = known
    return known


def exists(info: ModelInfo) -> Condition:
    """The condition that there is an item."""
    known: Condition | None = info.asked.get("exists")
    if known is None:
        known = info.asked["exists"] = Function("attribute_exists", "exists", key_path(info))
    return known


def stored_today(info: ModelInfo) -> Condition | None:
    """The condition that an item is stored as its model would store it today, and is of no subclass that
    is written otherwise; None where all are so.
    """
    current = up_to_date(info) if info.has_schema else None
    return joined(_of_no_other(info, otherwise(info)), current)


def _of_no_other(info: ModelInfo, others: Mapping[str, ModelInfo]) -> Condition | None:
    """The condition that an item is of none of some subclasses, by their kinds, or is not there."""
    kinds = kinds_of(info)
    if kinds is None or kinds.attribute is None or not others:
        return None
    operand = attribute_path(info, (kinds.attribute,), kinds.attribute)
    own = tuple(Value({"S": kind}, kind) for kind in kinds.own if kind not in others)
    absent = Function("attribute_not_exists", "not_exists", operand)
    return any_conditions((absent, In(operand, own)))


def up_to_date(info: ModelInfo, *, or_missing: bool = False) -> Condition:
    """The condition that an item is stored as its model would store it today.

    Args:
        info: A model whose items have a schema, or former names of attributes.
        or_missing: It also holds where there is no item.
    """
    found: list[Condition] = [
        Function("attribute_not_exists", "not_exists", attribute_path(info, (name,), name))
        for name in info.formerly
    ]
    if info.versioned:
        version = Value({"N": str(info.schema_version)}, info.schema_version)
        stored = attribute_path(info, (info.schema_attribute,), info.schema_attribute)
        current: Condition = Comparison("=", stored, version)
        if not info.upgrades:  # the first version need not be stored
            absent = Function("attribute_not_exists", "not_exists", stored)
            current = any_conditions([absent, current])
        found.append(current)
    asked = all_conditions(found)
    return any_conditions([no_item(info), asked]) if or_missing else asked


def asked_again(infos: Iterable[ModelInfo], found: plans.Plan) -> tuple[Condition | None, bool]:
    """What an index key says of fields, asked of these: the condition, and whether the index has all
    that it takes to answer it. Of an item of an older schema, which may have its fields elsewhere, the
    key is believed.
    """
    if not found.again:
        return None, True
    models = [each for info in infos for each in (info, *subclasses(info))]
    older = [Not(up_to_date(each)) for each in models if each.evolves]
    asked = any_conditions([*older, all_conditions(found.again)])
    held = plans.held_by(models[0].table, found.index)
    touched = {data_of(path).steps[0] for path in paths_in(asked)}
    return asked, held is None or touched <= held


def of_kind(*infos: ModelInfo, key: AttributeMap | None = None) -> Condition | None:
    """The condition that an item is of one of some models, or of a subclass, or says nothing, or is not
    there; None where no other model's item can be under their keys.

    It stays true when a delete under it is repeated after a lost reply.

    Args:
        infos: The models.
        key: The item's, where it is not known to be a key of the models.
    """
    kinds = kinds_of_all(infos)
    if kinds is None:
        return None
    foreign = key is not None and kinds.owner_of(key) is not None
    none = no_item(infos[0])
    if kinds.attribute is None:
        return none if foreign else None
    if not kinds.guarded:
        return None
    operand = attribute_path(infos[0], (kinds.attribute,), kinds.attribute)
    # Of an item that is not there this is true as well.
    absent = Function("attribute_not_exists", "not_exists", operand)
    own = In(operand, tuple(Value({"S": kind}, kind) for kind in kinds.own))
    return any_conditions((none if foreign else absent, own))


def unversioned(info: ModelInfo) -> Condition:
    """The condition that an item has no version, as one has that is not there."""
    assert info.version is not None
    known: Condition | None = info.asked.get("unversioned")
    if known is None:
        path = _version_path(info, info.version)
        known = info.asked["unversioned"] = Function("attribute_not_exists", "not_exists", path)
    return known


def _version_path(info: ModelInfo, name: str) -> PathOperand:
    known: PathOperand | None = info.asked.get("version")
    if known is None:
        known = info.asked["version"] = field_path(info, name)
    return known


def version_is(info: ModelInfo, obj: object) -> Condition | None:
    """The condition that the stored version is the one that *obj* was read with."""
    if info.version is None:
        return None
    version, path = getattr(obj, info.version) or 0, _version_path(info, info.version)
    if version:
        codec = info.mapper.model_codec(info.cls)
        stored = (codec.fields or {})[info.version].dump(version)
        return Comparison("=", path, Value(stored, version))
    new = unversioned(info)
    known = carried_by(obj).as_stored.get(info.names[info.version])
    if known is not None:  # another program counts from 0
        return Comparison("=", path, Value(known, 0))
    if info.carries:
        return new
    return any_conditions((new, Comparison("=", path, Value({"N": "0"}, 0))))


def holds_of_nothing(found: Condition) -> bool:
    """Whether a condition is true where there is no item: what is absent differs from everything, and
    has no order.
    """
    if isinstance(found, Constant):
        return found.value
    if isinstance(found, Joined):
        return (all if found.word == "AND" else any)(map(holds_of_nothing, found.parts))
    if isinstance(found, Not):
        return not holds_of_nothing(found.part)
    if isinstance(found, Silently):
        return holds_of_nothing(found.stated)
    if isinstance(found, IsNone):
        return not found.negated
    if isinstance(found, Function):
        return found.service_name == "attribute_not_exists"
    return isinstance(found, Comparison) and found.operator == "<>"


def joined(*conditions: Condition | None) -> Condition | None:
    stated = [each for each in conditions if each is not None]
    if len(stated) == 1 and not isinstance(stated[0], Joined):
        return stated[0]
    return all_conditions(stated) if stated else None


# --- What callers ask ---------------------------------------------------------------------------


def as_condition(when: object, info: ModelInfo, *, alone: bool = True) -> Condition | None:
    """What was given as `when=`. It means fields as they are stored today, so it is asked of items
    that are stored so: by itself where it stands *alone*.

    Raises:
        ConditionError: It is not a condition, is about another model, or names a field that is
            stored in keys only.
    """
    if when is None:
        return None
    found = condition(when)
    check_models(found, info, found)
    found = _of_key_only(found, info)
    check_stored(found, info)
    if not alone or isinstance(found, Constant):
        return found
    others = otherwise(info, stored=True)
    if others and all(str(data_of(each).steps[0]) in info.table.key for each in paths_in(found)):
        return found  # it names keys, which all have alike
    current = up_to_date(info, or_missing=True) if info.has_schema else None
    added = joined(_of_no_other(info, others), current)
    return found if added is None else Silently(added, found)


def _of_key_only(found: Condition, info: ModelInfo) -> Condition:
    """A condition that there is an item, or none, said by a field that is stored in its key only."""
    if isinstance(found, Function) and found.argument is None and info.keys is not None:
        data = data_of(found.operand.path)
        if data.steps in [(info.names[name],) for name in info.keys.key_only]:
            key = (info.table.partition_key,)
            return attrs.evolve(found, operand=attribute_path(info, key, data.label))
    return found


def check_stored(found: Condition, info: ModelInfo) -> None:
    """Refuse a condition on what the service does not see: to it, the attribute is absent.

    Raises:
        ConditionError: It names the field.
    """
    if info.keys is None or not info.keys.key_only:
        return
    hidden = {info.names[name]: name for name in info.keys.key_only}
    for path in paths_in(found):
        name = hidden.get(str(data_of(path).steps[0]))
        if name is not None:
            raise ConditionError(
                f"{found}: {info.name}.{name} is stored in keys only (key_only=True), where no "
                f"condition can see it; the key of the write states it already"
            )


def check_models(part: object, info: ModelInfo, whole: object) -> None:
    """Refuse paths of another model inside *part* of *whole*.

    Raises:
        ConditionError: It names the model.
    """
    for model in models_of(part):
        _check_model(model, info, whole)


def check_model(path: Path, info: ModelInfo, whole: object) -> None:
    """The same for one path."""
    _check_model(data_of(path).model, info, whole)


def _check_model(model: type[object], info: ModelInfo, whole: object) -> None:
    if model is not info.cls and not issubclass(info.cls, model):
        spoken, asked = two_names(model, info.cls)
        raise ConditionError(f"{whole} is about {spoken}, not {asked}")


# --- In a request -------------------------------------------------------------------------------


def with_condition(
    parameters: Message, found: Condition | None, *, returning: bool = True
) -> Message:
    """Add a ConditionExpression, and with *returning* ask for the item if it is false."""
    if found is None:
        return parameters
    placeholders = Placeholders()
    add_condition(parameters, found, placeholders)
    placeholders.into(parameters)
    if not returning:
        parameters.pop("ReturnValuesOnConditionCheckFailure", None)
    return parameters


def add_condition(parameters: Message, found: Condition | None, placeholders: Placeholders) -> None:
    """Add a ConditionExpression, and ask for the item if it is false."""
    if found is not None and not isinstance(found, Constant):
        parameters["ConditionExpression"] = render(found, placeholders, "condition")
        parameters["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
