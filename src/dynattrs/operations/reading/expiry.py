"""Items whose time to live is over, and that the service has not removed yet.

It removes them within a few days; until then they are read as any other.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html
"""

from __future__ import annotations

from decimal import Decimal

from dynattrs.errors import QueryError
from dynattrs.expressions.conditions import Comparison, Condition, Not, Value
from dynattrs.operations.conditions import attribute_path
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
    """Whether an item's time to live is over. What has none, or none that is a number, never ends."""
    attribute = time_to_live(info)
    former = (old for old, name in info.formerly.items() if name == attribute)
    stored = next((found for name in (attribute, *former) if (found := item.get(name, {}))), {})
    value = stored.get("N")
    return value is not None and Decimal(value) <= now(core)


def alive(core: Core, info: ModelInfo) -> Condition:
    """The condition that the time to live is not over. It holds the clock, so it is made when a query
    runs.
    """
    attribute, seconds = time_to_live(info), now(core)
    name = next((each for each in info.names if info.names[each] == attribute), attribute)
    path = attribute_path(info, (attribute,), f"{info.name}.{name}")
    # Not ">": what has no time to live, or none that is a number, never expires.
    return Not(Comparison("<=", path, Value({"N": str(seconds)}, seconds)))
