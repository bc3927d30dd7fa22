"""Indexes of tables, as plain data, and the names and types that a key may have.

Names in an index are *attribute names* where it is in a `Table`, and *field names* in the `indexes=`
of `@model("name", ...)`.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/SecondaryIndexes.html
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import TYPE_CHECKING, Final, TypeAlias

from dynattrs import limits
from dynattrs.deferral import deferred
from dynattrs.errors import ModelError
from dynattrs.late_classes import field, frozen
from dynattrs.schema.index_options import (
    KEY_TYPES,
    KeyType,
    Projection,
    as_projection,
    check_key_names,
    check_projection,
    check_resource_name,
    names_of,
)
from dynattrs.schema.option_values import check_unlike, several
from dynattrs.schema.written import Written

if TYPE_CHECKING:
    from dynattrs.schema import capacity, features
    from dynattrs.schema.capacity import Billing, WarmThroughput
    from dynattrs.schema.features import Insights
    from dynattrs.schema.vectors import VectorIndex
else:
    capacity = deferred("dynattrs.schema.capacity")
    features = deferred("dynattrs.schema.features")

__all__ = [
    "KEY_TYPES", "AnyIndex", "GlobalIndex", "Index", "KeyType", "LocalIndex", "Projection",
    "check_resource_name", "names_of",
]  # fmt: skip


class Unsaid(tuple["AnyIndex", ...]):
    """No indexes, because a declaration does not speak of any: they are left as they are."""

    __slots__ = ()

    def __reduce__(self) -> str:
        return "UNSAID"


UNSAID: Final[tuple[AnyIndex, ...]] = Unsaid()


def declared_indexes(value: Iterable[AnyIndex]) -> tuple[AnyIndex, ...]:
    return value if isinstance(value, Unsaid) else several(value)


@frozen(repr=False)
class GlobalIndex(Written):
    """A global secondary index: another partition key, and optionally a sort key, for the table.

    Args:
        name: The index's name.
        partition_key: One name, or up to four. A query must have an equality on each of them.
        sort_key: None, one name, or up to four. A query uses them from the left.
        projection: The attributes in the index: `"all"`, `"keys"`, or the names of those besides the keys.
        billing: Its own capacity; by default the same as the table's.
        write_shards: The number of partition keys over which a key template spreads the items, so that a
            busy partition is not a hot spot. Queries read all of them and merge the items in order.
        warm_throughput: The traffic that it can handle immediately; see `WarmThroughput`.
        contributor_insights: The same as in `Table`, for the keys of the index.

    Example:
        >>> GlobalIndex("by-genre", partition_key="genre", sort_key="year").sort_key
        ('year',)
    """

    name: str = field(validator=check_resource_name)
    partition_key: tuple[str, ...] = field(
        kw_only=True, converter=names_of, validator=check_key_names
    )
    sort_key: tuple[str, ...] = field(
        kw_only=True, default=(), converter=names_of, validator=check_key_names
    )
    projection: Projection = field(
        kw_only=True, default="all", converter=as_projection, validator=check_projection
    )
    billing: Billing | None = field(kw_only=True, default=None)
    write_shards: int | None = field(kw_only=True, default=None)
    warm_throughput: WarmThroughput | None = field(kw_only=True, default=None)
    contributor_insights: Insights | None = field(kw_only=True, default=None)

    def __attrs_post_init__(self) -> None:
        if self.billing is not None:
            capacity.check_billing(f"GlobalIndex({self.name!r})", self.billing)
        if self.warm_throughput is not None:
            capacity.check_warmth(f"GlobalIndex({self.name!r})", self.warm_throughput)
        if self.contributor_insights is not None:
            features.check_insights(f"GlobalIndex({self.name!r})", self.contributor_insights)
        for role, names in (("partition", self.partition_key), ("sort", self.sort_key)):
            if len(names) > limits.INDEX_KEY_ATTRIBUTES:
                raise ModelError(
                    f"GlobalIndex({self.name!r})",
                    f"a {role} key has at most {limits.INDEX_KEY_ATTRIBUTES} attributes, "
                    f"found {len(names)}",
                )
        if not self.partition_key:
            raise ModelError(f"GlobalIndex({self.name!r})", "it needs a partition_key")
        check_unlike(f"GlobalIndex({self.name!r})", (*self.partition_key, *self.sort_key))
        if self.write_shards is not None:
            _check_shards(self)


def _check_shards(index: GlobalIndex) -> None:
    subject = f"GlobalIndex({index.name!r})"
    if type(index.write_shards) is not int or not 2 <= index.write_shards <= limits.WRITE_SHARDS:
        raise ModelError(
            subject,
            f"write_shards={index.write_shards!r}: an int from 2 to {limits.WRITE_SHARDS} is expected",
        )
    if len(index.partition_key) > 1 or len(index.sort_key) > 1:
        raise ModelError(
            subject, "write_shards spreads an index of one partition key and at most one sort key"
        )


@frozen(repr=False)
class LocalIndex(Written):
    """A local secondary index: another sort key within the table's partitions.

    It is created with the table and cannot be changed. It is the only kind of index with consistent reads.
    """

    name: str = field(validator=check_resource_name)
    sort_key: tuple[str, ...] = field(kw_only=True, converter=names_of, validator=check_key_names)
    projection: Projection = field(
        kw_only=True, default="all", converter=as_projection, validator=check_projection
    )

    def __attrs_post_init__(self) -> None:
        # The service gives multi-attribute keys to global indexes only.
        if len(self.sort_key) != 1:
            raise ModelError(
                f"LocalIndex({self.name!r})",
                f"a local index takes one attribute as its sort key, found {len(self.sort_key)}",
            )


#: A secondary index.
Index: TypeAlias = "GlobalIndex | LocalIndex"
AnyIndex: TypeAlias = "GlobalIndex | LocalIndex | VectorIndex"


@frozen(eq=False, repr=False)
class KeySchema:
    """The attributes that are the key of an index, or of the table if that is None."""

    index: Index | None
    partition: tuple[str, ...]
    sort: tuple[str, ...]

    def __str__(self) -> str:
        return "table" if self.index is None else f"index {self.index.name!r}"

    def before(self, names: Container[str], stated: Container[str]) -> tuple[str, ...]:
        """The attributes of the sort key to the left of some that are not *stated*, as all have to be."""
        last = max((at for at, name in enumerate(self.sort) if name in names), default=0)
        return tuple(name for name in self.sort[:last] if name not in stated)
