"""A table that is there as a declaration, with some of its items as samples.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, Final, Literal

import attrs

from dynattrs import limits
from dynattrs.errors import ModelError
from dynattrs.mapper.anything import native_map
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Flow
from dynattrs.operations.tables.asking import features_of
from dynattrs.operations.tables.looking import described, recovery_of, ttl_of
from dynattrs.schema.features import INSIGHTS_MODES, PRECISIONS, Insights, KinesisStream
from dynattrs.schema.messages import Message
from dynattrs.schema.model_info import GUARD_ATTRIBUTE
from dynattrs.schema.table import AnyIndex, AttributeMap, GlobalIndex, Table, TableSetting

_ASKED: Final[tuple[TableSetting, ...]] = (
    "tags", "resource_policy", "contributor_insights", "kinesis",
)  # fmt: skip
#: How many places of a table samples are read from: a partition may fill many pages of a scan.
_PLACES: Final = 8


def reflected(core: Core, name: object, samples: object) -> Flow[Table]:
    """The declaration of a table, by its name before the session's prefix."""
    if not isinstance(name, str):
        raise ModelError("session.tables.reflect", f"the name of a table is expected, not {name!r}")
    if type(samples) is not int or samples < 0:
        raise ModelError("session.tables.reflect", f"samples={samples!r}: 0 or more are expected")
    real = core.table_names[name]
    description = described((yield Call("describe_table", {"TableName": real})))
    ttl = yield from ttl_of(real)
    days = yield from recovery_of(real, None)
    arn = description.get("TableArn", "")
    found = yield from features_of(real, arn, _ASKED if arn else (), declared=False)
    insights = found.contributor_insights
    table = Table.from_description(
        description,
        name=name,
        ttl=ttl or False,
        point_in_time_recovery=_declared_recovery(days),
        tags=found.tags or None,
        resource_policy=found.resource_policy,
        contributor_insights=None if insights is None else _declared_insights(insights.get(None)),
        kinesis=_declared_kinesis(found.kinesis),
    )
    table = attrs.evolve(
        table, indexes=[_with_insights(each, insights or {}) for each in table.indexes]
    )
    if not samples:
        return table
    items = yield from _sampled(real, samples)
    return attrs.evolve(table, sample_items=items)


def _declared_recovery(days: int | None) -> bool | int | None:
    """What a declaration says of so many days: all that the service keeps is simply "on"."""
    return bool(days) if days in (0, limits.RECOVERY_DAYS) else days


_MODES: Final[Mapping[str, Insights]] = {
    stored: "throttled" if name == "throttled" else "accessed and throttled"
    for name, stored in INSIGHTS_MODES.items()
}


def _declared_insights(mode: str | None) -> Insights:
    return False if mode is None else _MODES.get(mode, True)


def _with_insights(index: AnyIndex, insights: Mapping[str | None, str]) -> AnyIndex:
    if not isinstance(index, GlobalIndex) or index.name not in insights:
        return index
    return attrs.evolve(index, contributor_insights=_declared_insights(insights[index.name]))


def _declared_kinesis(
    destinations: Collection[Message] | None,
) -> KinesisStream | Literal[False] | None:
    if destinations is None:
        return None
    for each in destinations:
        fine = each.get("ApproximateCreationDateTimePrecision") == PRECISIONS["microsecond"]
        return KinesisStream(each["StreamArn"], precision="microsecond" if fine else None)
    return False


def _sampled(name: str, count: int) -> Flow[list[AttributeMap]]:
    """Some items of a table, from all over it."""
    places = min(_PLACES, count)
    starts: dict[int, dict[str, Any]] = {place: {} for place in range(places)}
    found: list[AttributeMap] = []
    while starts and len(found) < count:
        for place, start in list(starts.items()):
            wanted = math.ceil((count - len(found)) / len(starts))
            if not wanted:
                break
            parameters = {
                "TableName": name, "Segment": place, "TotalSegments": places, "Limit": wanted
            }  # fmt: skip
            page = yield Call("scan", {**parameters, **start})
            found += [
                native_map(each) for each in page.get("Items", ()) if GUARD_ATTRIBUTE not in each
            ]
            if "LastEvaluatedKey" in page:
                starts[place] = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
            else:
                del starts[place]
    return found[:count]
