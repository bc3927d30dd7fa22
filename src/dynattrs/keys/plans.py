"""What a query asks for, and the plan that answers it: the planner's question and answer, as data."""

from __future__ import annotations

from typing import Literal

import attrs

from dynattrs import limits
from dynattrs.expressions.conditions import Condition
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import AttributeValue, Index, Table, key_attributes_of


@attrs.frozen
class Wanted:
    """What a query asks for, as the planner needs it."""

    info: ModelInfo
    where: tuple[Condition, ...]
    filters: tuple[Condition, ...] = ()
    using: str | None = None
    consistent: bool = False
    scan: bool = False
    #: Attributes that must be read; None is the whole model.
    needs: frozenset[str] | None = None
    #: Whether whole items are fetched after an index that lacks attributes.
    hydrate: bool = False
    #: Further models of the same table, whose items are wanted as well.
    others: tuple[ModelInfo, ...] = ()
    #: How many requests may be begun where the conditions take several.
    fan_out: int = limits.FAN_OUT
    #: Whether items of several partitions are wanted in one order.
    merged: bool = False

    @property
    def infos(self) -> tuple[ModelInfo, ...]:
        return (self.info, *self.others)


@attrs.frozen
class Plan:
    """The request that answers a query.

    Attributes:
        operation: `"query"`, `"scan"`, or `"nothing"` where no item can match.
        index: The index, or None for the table.
        key: The key condition's parts, partition first.
        filter: What the service filters after it has read, or None.
        excluded: Items that the key condition takes in and that are left out on receipt: of this
            attribute, this value. DynamoDB's BETWEEN has no open end.
        partial: Whether the index lacks attributes that are needed.
        why: The reasons, a sentence each.
        shards: Over how many partition keys the index spreads the one that is asked for; each is
            asked, as the key condition says, with the number of the shard at its end.
        kinds: The kinds that are asked instead, each by itself.
        again: What the index key says of the fields that it is made of, and is asked of these as well:
            another template, or a program that knows no keys, may have left an older key.
        partitions: Where it takes several requests, the plans of these: for each partition, in the order in
            which they were named, those of its parts that are asked for, ascending. No two of them
            find the same item. Of `"batch_get"` each is one whole key.
        merged: Whether the partitions' items are to come in one order, that of the sort key.
    """

    operation: Literal["query", "scan", "batch_get", "nothing"]
    index: Index | None = None
    key: tuple[Condition, ...] = ()
    filter: Condition | None = None
    excluded: tuple[str, AttributeValue] | None = None
    partial: bool = False
    why: tuple[str, ...] = ()
    shards: int | None = None
    kinds: tuple[str, ...] = ()
    again: tuple[Condition, ...] = ()
    partitions: tuple[tuple[Plan, ...], ...] = ()
    merged: bool = False

    @property
    def parts(self) -> int | None:
        """How many parts a cursor tells apart by number; None where a key says which one it is in."""
        numbered = bool(self.partitions) and not self.merged and self.operation != "batch_get"
        return len(self.requests) if numbered else None

    @property
    def requests(self) -> tuple[Plan, ...]:
        """The plans of its requests."""
        return tuple([each for parts in self.partitions for each in parts]) or (self,)


def held_by(table: Table, index: Index | None) -> set[str] | None:
    """The attributes that an index holds; None for all."""
    if index is None or index.projection == "all":
        return None
    named = () if isinstance(index.projection, str) else index.projection
    return {*table.key, *key_attributes_of(table, index), *named}
