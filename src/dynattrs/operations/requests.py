"""Pieces of requests that several operations share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dynattrs.errors import ConditionError, ConditionFailed, ItemExists, MappingError, ServiceError
from dynattrs.expressions.conditions import (
    Comparison,
    Condition,
    Constant,
    Function,
    PathOperand,
    Placeholders,
    Silently,
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
from dynattrs.mapper.anything import native_map
from dynattrs.operations.item_keys import plain_key
from dynattrs.schema.model_info import ComputedKeys, ModelInfo
from dynattrs.schema.table import AttributeMap

#: The operations whose requests or replies carry items: the service's names by the client's methods.
#: All of them say what they cost when they are asked to.
ITEM_OPERATIONS: Final = {
    "batch_get_item": "BatchGetItem",
    "batch_write_item": "BatchWriteItem",
    "delete_item": "DeleteItem",
    "execute_statement": "ExecuteStatement",
    "get_item": "GetItem",
    "put_item": "PutItem",
    "query": "Query",
    "scan": "Scan",
    "transact_get_items": "TransactGetItems",
    "transact_write_items": "TransactWriteItems",
    "update_item": "UpdateItem",
}


class ConditionFalse(ServiceError):
    """The service found a condition false. Flows turn it into `ConditionFailed`."""

    item: AttributeMap | None = None


class TransactionCanceled(ServiceError):
    """The service did not do a transaction. Flows turn it into `TransactionFailed`."""

    reasons: Sequence[dict[str, Any]] = ()


class Outdated(Exception):
    """A condition met an item of an older schema. Flows bring it up to date and ask again.

    Attributes:
        item: What is stored.
    """

    def __init__(self, item: AttributeMap) -> None:
        super().__init__(item)
        self.item = item


def packed(item: AttributeMap) -> Any:
    """The request to put *item* in a BatchWriteItem, as the JSON that is sent, in a `msgspec.Raw`.

    A write that waits is one text so, and no tree of dicts: it takes a fraction of the memory, and
    the garbage collector does not walk through it. `unpacked` makes the dicts of it again, for
    clients. What has no JSON as it stands is left as it is.
    """
    import msgspec

    try:
        return msgspec.Raw(b'{"PutRequest":{"Item":%b}}' % msgspec.json.encode(item))
    except (TypeError, ValueError):
        return {"PutRequest": {"Item": item}}  # botocore says what is wrong with it


def unpacked(parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a request as clients take them: with attribute maps in place of JSON."""
    import msgspec

    def one(request: Any) -> Any:
        if not isinstance(request, msgspec.Raw):
            return request
        item = msgspec.json.decode(request)["PutRequest"]["Item"]
        return {"PutRequest": {"Item": native_map(item)}}

    items = {
        table: [one(request) for request in requests]
        for table, requests in parameters["RequestItems"].items()
    }
    return {**parameters, "RequestItems": items}


def field_path(info: ModelInfo, name: str) -> PathOperand:
    """A field as an operand, for conditions of the library's own."""
    codec = info.mapper.codec(info.cls)
    data = PathData(info.cls, (info.names[name],), f"{info.name}.{name}", lambda: (codec, name))
    return PathOperand(Path(data))


def absent(info: ModelInfo, name: str) -> Condition:
    return Function("attribute_not_exists", "not_exists", field_path(info, name))


def key_path(info: ModelInfo) -> PathOperand:
    """The partition key, which every item has, as an operand."""
    attribute = info.table.partition_key
    for name, stored in info.names.items():
        if stored == attribute:
            return field_path(info, name)
    return attribute_path(info, (attribute,), attribute)


def attribute_path(info: ModelInfo, steps: tuple[str | int, ...], label: str) -> PathOperand:
    """Any place in an item as an operand that is rendered, and of which no more is known."""
    return place_operand(info.cls, steps, label)


def no_item(info: ModelInfo) -> Condition:
    """The condition that there is no item."""
    return Function("attribute_not_exists", "not_exists", key_path(info))


def up_to_date(info: ModelInfo, *, or_missing: bool = False) -> Condition:
    """The condition that an item is stored as its model would store it today.

    Args:
        info: A model with upgrades or renamed attributes.
        or_missing: It also holds where there is no item.
    """
    found: list[Condition] = [
        Function("attribute_not_exists", "not_exists", attribute_path(info, (name,), name))
        for name in info.formerly
    ]
    if info.upgrades:
        version = Value({"N": str(info.schema_version)}, info.schema_version)
        name = info.schema_attribute
        found.append(Comparison("=", attribute_path(info, (name,), name), version))
    asked = all_conditions(found)
    return any_conditions([no_item(info), asked]) if or_missing else asked


def check_current(info: ModelInfo, error: ConditionFalse) -> None:
    """Say so where a condition was asked of an item of an older schema.

    Raises:
        Outdated: It was.
        MappingError: The item is of a newer schema than the model.
    """
    if not info.evolves or not error.item:
        return
    from dynattrs.mapper.upgrades import is_outdated

    if is_outdated(info, error.item):
        raise Outdated(error.item) from error


def version_is(info: ModelInfo, obj: Any) -> Condition | None:
    """The condition that the stored version is the one that *obj* was read with."""
    if info.version is None:
        return None
    version = getattr(obj, info.version) or 0
    if not version:
        return absent(info, info.version)
    codec = info.mapper.codec(info.cls)
    stored = (codec.fields or {})[info.version].dump(version)
    return Comparison("=", field_path(info, info.version), Value(stored, version))


def joined(*conditions: Condition | None) -> Condition | None:
    stated = [each for each in conditions if each is not None]
    return all_conditions(stated) if stated else None


def as_condition(when: object, info: ModelInfo) -> Condition | None:
    """What was given as `when=`. It speaks of fields as they are stored today, and so it is asked of
    items that are stored so.

    Raises:
        ConditionError: It is no condition, speaks of another model, or of a field that is stored
            in keys only.
    """
    if when is None:
        return None
    found = condition(when)
    check_models(found, info, found)
    if info.keys is not None and info.keys.key_only:
        _check_stored(found, info, info.keys)
    if info.evolves and not isinstance(found, Constant):
        return Silently(up_to_date(info, or_missing=True), found)
    return found


def _check_stored(found: Condition, info: ModelInfo, keys: ComputedKeys) -> None:
    """Refuse a condition on what the service does not see: to it, the attribute is absent."""
    hidden = {info.names[name]: name for name in keys.key_only}
    for path in paths_in(found):
        name = hidden.get(str(data_of(path).steps[0]))
        if name is not None:
            raise ConditionError(
                f"{found}: {info.name}.{name} is stored in keys only (key_only=True), where no "
                f"condition can see it; the key of the write states it already"
            )


def check_models(part: Any, info: ModelInfo, whole: object) -> None:
    """Refuse paths of another model inside *part* of *whole*.

    Raises:
        ConditionError: It names the model.
    """
    for model in models_of(part):
        if not issubclass(info.cls, model):
            raise ConditionError(f"{whole} speaks of {model.__name__}, not of {info.name}")


def with_condition(parameters: dict[str, Any], found: Condition | None) -> dict[str, Any]:
    """Add a ConditionExpression, and ask for the item if it is false."""
    placeholders = Placeholders()
    add_condition(parameters, found, placeholders)
    placeholders.into(parameters)
    return parameters


def add_condition(
    parameters: dict[str, Any], found: Condition | None, placeholders: Placeholders
) -> None:
    """Add a ConditionExpression, and ask for the item if it is false."""
    if found is not None and not isinstance(found, Constant):
        parameters["ConditionExpression"] = render(found, placeholders, "condition")
        parameters["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"


def exists(info: ModelInfo) -> Condition:
    """The condition that there is an item."""
    return Function("attribute_exists", "exists", key_path(info))


def condition_failed(
    error: ConditionFalse,
    info: ModelInfo,
    key: AttributeMap,
    found: Condition,
    kind: type[ConditionFailed] = ConditionFailed,
) -> ConditionFailed:
    """The error for callers: with the item found as an object, where it can be read."""
    item = None
    if error.item:
        try:
            item = info.mapper.load(error.item, info.cls)
        except MappingError:
            # It is there and not readable. The raw map tells more than nothing.
            item = error.item
    return kind(error.operation, info.name, plain_key(info, key), str(found), item)


def item_exists(
    error: ConditionFalse, info: ModelInfo, key: AttributeMap, found: Condition
) -> ConditionFailed:
    return condition_failed(error, info, key, found, ItemExists)


def check_constant(
    operation: str, info: ModelInfo, key: AttributeMap, found: Condition | None
) -> None:
    """A condition that is false without asking, such as `in_` of nothing, needs no request."""
    if isinstance(found, Constant) and not found.value:
        raise ConditionFailed(operation, info.name, plain_key(info, key), str(found))


def consumed_by(response: dict[str, Any]) -> float:
    """The capacity units of a response, over all its tables; 0 where it does not say."""
    consumed = response.get("ConsumedCapacity")
    if not consumed:
        return 0.0
    if isinstance(consumed, dict):
        return float(consumed.get("CapacityUnits", 0.0))
    return float(sum([entry.get("CapacityUnits", 0.0) for entry in consumed]))
