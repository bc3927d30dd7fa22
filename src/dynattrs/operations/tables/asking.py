"""What DescribeTable does not say of a table: its tags, policy, insights and Kinesis stream.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListTagsOfResource.html
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetResourcePolicy.html
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListContributorInsights.html
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeKinesisStreamingDestination.html
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Literal

import attrs

from dynattrs.errors import AccessDenied, ServiceError
from dynattrs.operations.flows import Call, Flow
from dynattrs.schema.features import Policy, own_tags
from dynattrs.schema.messages import Message
from dynattrs.schema.table import TableSetting

_ON: Final = frozenset(("ACTIVE", "ENABLED", "ENABLING", "UPDATING"))

_log = logging.getLogger("dynattrs")


@attrs.frozen
class Features:
    """What a table has of these; None where it was not asked, or the engine has no such thing.

    Attributes:
        tags: All its tags without those of AWS.
        resource_policy: Its policy; False for none.
        contributor_insights: The modes that are on, by the index, None for the table itself; a mode is
            empty where the engine keeps none.
        kinesis: The destinations that are on.
    """

    tags: Mapping[str, str] | None = None
    resource_policy: Policy | Literal[False] | None = None
    contributor_insights: Mapping[str | None, str] | None = None
    kinesis: Collection[Message] | None = None


NONE: Final = Features()


def features_of(
    name: str, arn: str, wanted: Collection[TableSetting], *, declared: bool
) -> Flow[Features]:
    """Ask for the features that are *wanted*.

    Args:
        name: The table's real name.
        arn: Its ARN.
        wanted: Their settings.
        declared: Whether they are declared. Then an engine that lacks one is worth a warning, and a
            caller who may not ask is told so; otherwise what cannot be asked is left out.
    """
    found: dict[str, Any] = {}
    for setting in wanted:
        ask = _ASKING.get(setting)
        if ask is None:
            continue
        try:
            found[setting] = yield from ask(name, arn)
        except AccessDenied as error:
            if declared:
                raise
            _log.warning("%s: %s is left out: %s", name, setting, error)
        except ServiceError as error:
            if not lacks(error, setting, name if declared else None):
                raise
    return Features(**found) if found else NONE


def lacks(error: ServiceError, what: str, name: str | None) -> bool:
    """Whether an engine, such as DynamoDB Local, has no such operation. With a table's *name* that is
    logged.
    """
    lacking = error.code == "UnknownOperationException"
    if lacking and name is not None:
        _log.warning("%s: this engine has no %s, it is left out", name, what.replace("_", " "))
    return lacking


def _tags(name: str, arn: str) -> Flow[dict[str, str]]:
    found: dict[str, str] = {}
    start: Message = {}
    while True:
        page = yield Call("list_tags_of_resource", {"ResourceArn": arn, **start})
        found.update(own_tags(page.get("Tags", ())))
        if not page.get("NextToken"):
            return found
        start = {"NextToken": page["NextToken"]}


def _policy(name: str, arn: str) -> Flow[Policy | Literal[False]]:
    try:
        response = yield Call("get_resource_policy", {"ResourceArn": arn})
    except ServiceError as error:
        if error.code != "PolicyNotFoundException":
            raise
        return False
    found: Policy = json.loads(response["Policy"])
    return found


def _insights(name: str, arn: str) -> Flow[dict[str | None, str]]:
    found: dict[str | None, str] = {}
    start: Message = {}
    while True:
        page = yield Call("list_contributor_insights", {"TableName": name, **start})
        for each in page.get("ContributorInsightsSummaries", ()):
            if each.get("ContributorInsightsStatus") in _ON:
                found[each.get("IndexName")] = each.get("ContributorInsightsMode", "")
        if not page.get("NextToken"):
            return found
        start = {"NextToken": page["NextToken"]}


def _kinesis(name: str, arn: str) -> Flow[list[Message]]:
    response = yield Call("describe_kinesis_streaming_destination", {"TableName": name})
    destinations: list[Message] = response.get("KinesisDataStreamDestinations", [])
    return [each for each in destinations if each.get("DestinationStatus") in _ON]


_ASKING: Final[Mapping[TableSetting, Callable[[str, str], Flow[Any]]]] = {
    "tags": _tags,
    "resource_policy": _policy,
    "contributor_insights": _insights,
    "kinesis": _kinesis,
}
