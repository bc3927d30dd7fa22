"""Vector indexes of tables, as plain data: the parameters of CreateTable, and the service's descriptions.

Names in an index are *attribute names* where it is in a `Table`, and *field names* in the `indexes=`
of `@model("name", ...)`.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/VectorSearch.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

from dynattrs import limits
from dynattrs.errors import ModelError
from dynattrs.late_classes import field, frozen
from dynattrs.schema.index_options import (
    Projection,
    as_projection,
    check_key_names,
    check_projection,
    check_resource_name,
    names_of,
)
from dynattrs.schema.messages import Message
from dynattrs.schema.option_values import check_name, check_unlike
from dynattrs.schema.written import Written

__all__ = ["Distance", "VectorIndex"]

#: How far two vectors are apart.
Distance: TypeAlias = Literal["cosine", "euclidean", "dot"]

#: The service's names for them.
FUNCTIONS: Final[Mapping[Distance, str]] = {
    "cosine": "COSINE",
    "euclidean": "EUCLIDEAN",
    "dot": "DOT_PRODUCT",
}


@frozen(repr=False)
class VectorIndex(Written):
    """An index over vectors (lists of numbers), in which `session.search` finds the nearest ones.

    It holds the items that have the vector and, if the index has one, the partition key. Dimensions,
    distance, keys and projection cannot be changed later. Its table must be billed on demand.

    Args:
        name: The index's name.
        vector: The field with the vectors: a list or an array of numbers.
        dimensions: The number of members of each vector, 1 to 4,096. Other vectors are refused when they are
            saved.
        distance: The metric. `"cosine"`: 1 minus the cosine of the angle between two vectors, from 0 to 2,
            independent of their lengths. `"euclidean"`: the length of their difference. `"dot"`: their dot
            product, where more is nearer; for vectors of length 1 it ranks like `"cosine"`.
        partition_key: A field whose values divide the index: a search must give one value, and reads only
            that part. An item without a value is not in the index.
        filters: Other fields that a search may compare with a value.
        projection: The attributes in the index: `"all"`, `"keys"`, or the names of those besides the keys,
            the filters and the vector.

    Example:
        >>> VectorIndex("by-meaning", vector="embedding", dimensions=1024, filters=["lang"])
        VectorIndex('by-meaning', vector='embedding', dimensions=1024, filters=['lang'])
    """

    name: str = field(validator=check_resource_name)
    vector: str = field(kw_only=True)
    dimensions: int = field(kw_only=True)
    distance: Distance = field(kw_only=True, default="cosine")
    partition_key: str | None = field(kw_only=True, default=None)
    filters: tuple[str, ...] = field(
        kw_only=True, default=(), converter=names_of, validator=check_key_names
    )
    projection: Projection = field(
        kw_only=True, default="all", converter=as_projection, validator=check_projection
    )

    def __attrs_post_init__(self) -> None:
        subject = f"VectorIndex({self.name!r})"
        check_name(subject, "vector", self.vector)
        if self.partition_key is not None:
            check_name(subject, "partition_key", self.partition_key)
        most = limits.VECTOR_DIMENSIONS
        if type(self.dimensions) is not int or not 1 <= self.dimensions <= most:
            raise ModelError(
                subject, f"dimensions={self.dimensions!r}: an int from 1 to {most:,} is expected"
            )
        if self.distance not in FUNCTIONS:
            written = ", ".join(map(repr, FUNCTIONS))
            raise ModelError(subject, f"distance={self.distance!r}: write one of {written}")
        if len(self.filters) > limits.VECTOR_FILTERS:
            raise ModelError(
                subject,
                f"{len(self.filters)} filters; the service allows {limits.VECTOR_FILTERS}",
            )
        check_unlike(subject, (self.vector, *self.search_attributes))

    @property
    def search_attributes(self) -> tuple[str, ...]:
        """The attributes that a search may state values of, the partition key first."""
        partition = () if self.partition_key is None else (self.partition_key,)
        return (*partition, *self.filters)


def check_vector_indexes(
    subject: str, indexes: Iterable[VectorIndex], keys: Iterable[str], *, provisioned: bool
) -> None:
    """Refuse vector indexes that a table cannot have together.

    Args:
        subject: The table, for the message.
        indexes: All its vector indexes.
        keys: The attributes of all its keys.
        provisioned: Whether it is declared to be billed for a capacity.

    Raises:
        ModelError: It names the index.
    """
    found, held = list(indexes), set(keys)
    if len(found) > limits.VECTOR_INDEXES:
        raise ModelError(
            subject, f"{len(found)} vector indexes; the service allows {limits.VECTOR_INDEXES}"
        )
    dimensions: dict[str, VectorIndex] = {}
    for index in found:
        if index.vector in held:
            raise ModelError(
                subject,
                f"index {index.name!r} has {index.vector!r} as its vector, which is part of a key as well",
            )
        first = dimensions.setdefault(index.vector, index)
        if first.dimensions != index.dimensions:
            raise ModelError(
                subject,
                f"indexes {first.name!r} and {index.name!r} have {first.dimensions} and "
                f"{index.dimensions} dimensions, and one vector, {index.vector!r}",
            )
        if provisioned:
            raise ModelError(
                subject,
                f"index {index.name!r} is a vector index, which only tables on demand have; declare "
                f"billing=OnDemand()",
            )


def arguments(index: VectorIndex, key: Iterable[str]) -> Message:
    """What CreateTable and UpdateTable take for an index of a table with a *key*."""
    found: Message = {
        "IndexName": index.name,
        "VectorAttribute": {"AttributeName": index.vector},
        "Dimensions": index.dimensions,
        "DistanceFunction": FUNCTIONS[index.distance],
        "Projection": _projection(index, key),
    }
    if index.search_attributes:
        found["SearchSchema"] = [
            {
                "AttributeName": name,
                "SearchSchemaElementType": "HASH"
                if name == index.partition_key
                else "INLINE_FILTER",
            }
            for name in index.search_attributes
        ]
    return found


def _projection(index: VectorIndex, key: Iterable[str]) -> Message:
    if index.projection == "all":
        return {"ProjectionType": "ALL"}
    held = {*key, index.vector, *index.search_attributes}
    others = [] if index.projection == "keys" else [n for n in index.projection if n not in held]
    if not others:
        return {"ProjectionType": "KEYS_ONLY"}
    return {"ProjectionType": "INCLUDE", "NonKeyAttributes": others}


def held_by(index: VectorIndex, key: Iterable[str]) -> set[str] | None:
    """The attributes that an index holds of a table with a *key*; None for all."""
    if index.projection == "all":
        return None
    named = () if isinstance(index.projection, str) else index.projection
    return {*key, index.vector, *index.search_attributes, *named}


def described(description: Message, projection: Projection) -> VectorIndex:
    """The declaration of an index that the service describes."""
    schema = description.get("SearchSchema", ())
    roles: dict[str, list[str]] = {"HASH": [], "INLINE_FILTER": []}
    for each in schema:
        roles[each["SearchSchemaElementType"]].append(each["AttributeName"])
    distances: dict[str, Any] = {stored: name for name, stored in FUNCTIONS.items()}
    return VectorIndex(
        description["IndexName"],
        vector=description["VectorAttribute"]["AttributeName"],
        dimensions=int(description["Dimensions"]),
        distance=distances[description["DistanceFunction"]],
        partition_key=next(iter(roles["HASH"]), None),
        filters=tuple(roles["INLINE_FILTER"]),
        projection=projection,
    )


def is_changing(description: Message) -> bool:
    """Whether an index is not ready to be searched: it is ready when ACTIVE and not being filled, and one
    that is being filled may be called either.
    """
    status = description.get("IndexStatus", "ACTIVE")
    return status != "ACTIVE" or bool(description.get("Backfilling"))
