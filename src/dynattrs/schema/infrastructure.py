"""What the declarations of tables as code have in common: what comes beside CreateTable's arguments,
and how CloudFormation says it.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import attrs

from dynattrs.schema.features import (
    INSIGHTS_MODES,
    PRECISIONS,
    Insights,
    KinesisStream,
    Replicas,
)
from dynattrs.schema.messages import Message


@attrs.frozen
class Beside:
    """What a declaration says that CreateTable does not take.

    Attributes:
        ttl: The attribute of the time to live.
        recovery: Point-in-time recovery.
        insights: Contributor insights of the table.
        index_insights: Those of global indexes, by their names.
        kinesis: The stream that is told of changes; None for none, or where nothing is said.
        replicas: The other regions, where there are any.
    """

    ttl: str | None = None
    recovery: bool | int | None = None
    insights: Insights | None = None
    index_insights: Mapping[str, Insights] = attrs.field(factory=dict)
    kinesis: KinesisStream | None = None
    replicas: Replicas | None = None


def shared(arguments: Message, beside: Beside) -> Message:
    """What a table and a global table take alike, and otherwise than CreateTable."""
    found: Message = {}
    stream = arguments.get("StreamSpecification")
    if stream is not None:
        found["StreamSpecification"] = {"StreamViewType": stream["StreamViewType"]}
    if beside.ttl is not None:
        found["TimeToLiveSpecification"] = {"AttributeName": beside.ttl, "Enabled": True}
    return found


def of_one_region(arguments: Message, beside: Beside) -> Message:
    """What a table takes, and in a global table each region for itself."""
    found = insights_specification(beside.insights)
    if beside.recovery is not None:
        found["PointInTimeRecoverySpecification"] = recovery_specification(beside.recovery)
    if beside.kinesis is not None:
        found["KinesisStreamSpecification"] = {"StreamArn": beside.kinesis.arn}
        if beside.kinesis.precision is not None:
            found["KinesisStreamSpecification"]["ApproximateCreationDateTimePrecision"] = (
                PRECISIONS[beside.kinesis.precision]
            )
    if "ResourcePolicy" in arguments:
        document = json.loads(arguments["ResourcePolicy"])
        found["ResourcePolicy"] = {"PolicyDocument": document}
    if "Tags" in arguments:
        found["Tags"] = arguments["Tags"]
    return found


def insights_specification(insights: Insights | None) -> Message:
    if insights is None:
        return {}
    found: Message = {"Enabled": bool(insights)}
    if isinstance(insights, str):
        found["Mode"] = INSIGHTS_MODES[insights]
    return {"ContributorInsightsSpecification": found}


def recovery_specification(recovery: bool | int) -> Message:
    """What UpdateContinuousBackups and CloudFormation take: on or off, and for how many days."""
    found: Message = {"PointInTimeRecoveryEnabled": bool(recovery)}
    if not isinstance(recovery, bool):
        found["RecoveryPeriodInDays"] = recovery
    return found
