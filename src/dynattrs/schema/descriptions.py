"""What the service's description of a table declares: the way back from CreateTable's arguments.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dynattrs.errors import ModelError
from dynattrs.quoting import quoted
from dynattrs.schema import capacity, features
from dynattrs.schema.capacity import Billing
from dynattrs.schema.indexes import AnyIndex, GlobalIndex, LocalIndex, Projection
from dynattrs.schema.messages import Message

_STREAMS = {stored: name for name, stored in capacity.STREAM_VIEWS.items()}
_CLASSES = {stored: name for name, stored in capacity.TABLE_CLASSES.items()}


def declared(description: Mapping[str, Any], name: str | None) -> dict[str, Any]:
    """The arguments of a `Table`.

    Raises:
        ModelError: It is not a description of a table.
    """
    found = _table_in(description)
    partition, sort = _key(found["KeySchema"])
    mode = capacity.described_mode(found)
    billing = capacity.described(mode, found)
    indexes: list[AnyIndex] = [
        _global_index(each, mode, billing)
        for each in found.get("GlobalSecondaryIndexes", ())
        if each.get("IndexStatus") != "DELETING"
    ]
    indexes += [
        LocalIndex(
            each["IndexName"],
            sort_key=_key(each["KeySchema"])[1],
            projection=_projection(each["Projection"]),
        )
        for each in found.get("LocalSecondaryIndexes", ())
    ]
    if "VectorIndexes" in found:
        from dynattrs.schema import vectors

        indexes += [
            vectors.described(each, _projection(each["Projection"]))
            for each in found["VectorIndexes"]
            if each.get("IndexStatus") != "DELETING"
        ]
    in_keys = {*partition, *sort}
    for index in indexes:
        if isinstance(index, (GlobalIndex, LocalIndex)):
            in_keys.update(index.sort_key)
        else:
            in_keys.update(index.search_attributes)
        if isinstance(index, GlobalIndex):
            in_keys.update(index.partition_key)
    types = {
        each["AttributeName"]: each["AttributeType"]
        for each in found["AttributeDefinitions"]
        if each["AttributeName"] in in_keys and each["AttributeType"] != "S"
    }
    stream = found.get("StreamSpecification", {})
    table_class = found.get("TableClassSummary", {}).get("TableClass")
    return {
        "name": name or found["TableName"],
        "partition_key": partition[0],
        "sort_key": sort[0] if sort else None,
        "indexes": indexes,
        "types": types,
        "billing": billing,
        "stream": stream.get("StreamEnabled", False) and _STREAMS.get(stream["StreamViewType"]),
        "deletion_protection": found.get("DeletionProtectionEnabled"),
        "table_class": _CLASSES.get(table_class or ""),
        "warm_throughput": capacity.declared_warmth(billing, found),
        # A table that is encrypted as all are has no word of it.
        "encryption": (features.described_encryption(found) if "SSEDescription" in found else None),
        "replicas": features.declared_replicas(found),
    }


def _table_in(description: object) -> Message:
    found = description
    for place in ("Table", "TableDescription"):
        if isinstance(found, Mapping):
            found = found.get(place, found)
    needed = ("TableName", "KeySchema", "AttributeDefinitions")
    if not isinstance(found, Mapping) or any(each not in found for each in needed):
        raise ModelError(
            "Table.from_description",
            f"{quoted(description, 100)} is not a description of a table; pass the reply of DescribeTable",
        )
    return dict(found)


def _global_index(index: Message, mode: str, billing: Billing) -> GlobalIndex:
    partition, sort = _key(index["KeySchema"])
    own = capacity.described(mode, index)
    return GlobalIndex(
        index["IndexName"],
        partition_key=partition,
        sort_key=sort,
        projection=_projection(index["Projection"]),
        billing=None if own == billing else own,
        warm_throughput=capacity.declared_warmth(own, index),
    )


def _key(schema: Iterable[Mapping[str, str]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    elements = list(schema)
    partition, sort = (
        tuple(each["AttributeName"] for each in elements if each["KeyType"] == kind)
        for kind in ("HASH", "RANGE")
    )
    return partition, sort


def _projection(projection: Message) -> Projection:
    kind = projection.get("ProjectionType")
    if kind == "INCLUDE":
        return tuple(projection.get("NonKeyAttributes", ()))
    return "keys" if kind == "KEYS_ONLY" else "all"
