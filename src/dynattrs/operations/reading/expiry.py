"""Items whose time to live is over, and that the service has not removed yet.

It removes them within a few days; until then they are read as any other.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html
"""

from __future__ import annotations

from decimal import Decimal

from dynattrs.errors import QueryError
from dynattrs.expressions.conditions import (
    Comparison,
    Condition,
    Function,
    Not,
    Value,
    any_conditions,
)
from dynattrs.operations.conditions import attribute_path, joined
from dynattrs.operations.context import Core
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import StoredItem


def time_to_live(info: ModelInfo) -> str:
    """The attribute that holds a model's time to live.

    Raises:
        QueryError: It has none, so nothing ever expires.
    """
    attribute = info.table.ttl_attribute
    if attribute is None:
        raise QueryError(f"unexpired: {info.name} has no time to live; declare field(ttl=True)")
    return attribute


def now(core: Core) -> int:
    """The time that expiry is judged by, in epoch seconds."""
    return int(core.environment.now().timestamp())


def is_expired(core: Core, info: ModelInfo, item: StoredItem) -> bool:
    """Whether an item's time to live is over. What has none, or none that is a number, never ends.

    Raises:
        MappingError: It is an old one, and its upgrades fail.
    """
    attribute = time_to_live(info)
    if info.evolves:
        if not isinstance(item, dict):
            # Rows are there only where a library that makes them is.
            from dynattrs.mapper.rows import attribute_map

            item = attribute_map(item)
        item = info.mapper.current(info, item)
    value = item.get(attribute, {}).get("N")
    return value is not None and Decimal(value) <= now(core)


def alive(core: Core, info: ModelInfo) -> Condition:
    """The condition that the time to live is not over, also in an item that has it under a former name. It
    holds the clock, so it is made when a query runs.
    """
    attribute, seconds = time_to_live(info), now(core)
    field = next((each for each in info.names if info.names[each] == attribute), attribute)
    found: Condition | None = None
    for name in reversed(
        (attribute, *(old for old, new in info.formerly.items() if new == attribute))
    ):
        path = attribute_path(info, (name,), f"{info.name}.{field}")
        # Not ">": what has no time to live, or none that is a number, never expires.
        own = Not(Comparison("<=", path, Value({"N": str(seconds)}, seconds)))
        there = Function("attribute_exists", "exists", path)
        found = own if found is None else joined(own, any_conditions((there, found)))
    assert found is not None
    return found
