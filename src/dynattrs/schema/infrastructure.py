"""A table's declaration in the words of CloudFormation and of Terraform.

Both are made from the arguments of CreateTable, so they cannot say anything else than
`session.tables.create` does. What has calls of its own, the time to live and point-in-time recovery,
comes beside them.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/dynamodb_table
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from dynattrs.schema.messages import Message

#: What CloudFormation takes just as CreateTable does.
_SAME: Final = (
    "AttributeDefinitions",
    "BillingMode",
    "DeletionProtectionEnabled",
    "GlobalSecondaryIndexes",
    "KeySchema",
    "LocalSecondaryIndexes",
    "OnDemandThroughput",
    "ProvisionedThroughput",
    "TableClass",
    "TableName",
)


def cloudformation(
    arguments: Message, *, ttl: str | None, recovery: bool | int | None, logical_id: str
) -> Message:
    """A template with one table, which outlives its stack."""
    properties: Message = {name: arguments[name] for name in _SAME if name in arguments}
    stream = arguments.get("StreamSpecification")
    if stream is not None:
        properties["StreamSpecification"] = {"StreamViewType": stream["StreamViewType"]}
    if ttl is not None:
        properties["TimeToLiveSpecification"] = {"AttributeName": ttl, "Enabled": True}
    if recovery is not None:
        properties["PointInTimeRecoverySpecification"] = recovery_specification(recovery)
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {
            logical_id: {
                "Type": "AWS::DynamoDB::Table",
                # Deleting or replacing the stack's resource must not delete the data.
                "DeletionPolicy": "Retain",
                "UpdateReplacePolicy": "Retain",
                "Properties": properties,
            }
        },
    }


def recovery_specification(recovery: bool | int) -> Message:
    """What UpdateContinuousBackups and CloudFormation take: on or off, and for how many days."""
    found: Message = {"PointInTimeRecoveryEnabled": bool(recovery)}
    if not isinstance(recovery, bool):
        found["RecoveryPeriodInDays"] = recovery
    return found


def logical_id(name: str) -> str:
    """A name for the resource in a template, letters and digits only: `AppTable` for `app`."""
    return "".join(part[:1].upper() + part[1:] for part in re.findall(r"[A-Za-z0-9]+", name)) + (
        "Table"
    )


def resource_name(name: str) -> str:
    """A name for the resource in a configuration: letters, digits and underscores."""
    made = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower()
    return made if made and not made[0].isdigit() else f"table_{made}"


def terraform(
    arguments: Message, *, ttl: str | None, recovery: bool | int | None, resource: str
) -> Message:
    """A configuration with one table, in Terraform's JSON syntax. Terraform will not destroy it."""
    partition, sort = _keys(arguments["KeySchema"])
    table: Message = {
        "name": arguments["TableName"],
        "billing_mode": arguments["BillingMode"],
        "hash_key": partition[0],
    }
    if sort:
        table["range_key"] = sort[0]
    table |= _throughput(arguments)
    table["attribute"] = [
        {"name": each["AttributeName"], "type": each["AttributeType"]}
        for each in arguments["AttributeDefinitions"]
    ]
    locals_ = arguments.get("LocalSecondaryIndexes", ())
    if locals_:
        table["local_secondary_index"] = [
            {"name": each["IndexName"], "range_key": _keys(each["KeySchema"])[1][0]}
            | _projection(each["Projection"])
            for each in locals_
        ]
    globals_ = arguments.get("GlobalSecondaryIndexes", ())
    if globals_:
        table["global_secondary_index"] = [
            {"name": each["IndexName"]}
            | _index_keys(each["KeySchema"])
            | _projection(each["Projection"])
            | _throughput(each)
            for each in globals_
        ]
    stream = arguments.get("StreamSpecification")
    if stream is not None:
        table["stream_enabled"] = True
        table["stream_view_type"] = stream["StreamViewType"]
    if "DeletionProtectionEnabled" in arguments:
        table["deletion_protection_enabled"] = arguments["DeletionProtectionEnabled"]
    if "TableClass" in arguments:
        table["table_class"] = arguments["TableClass"]
    if ttl is not None:
        table["ttl"] = [{"attribute_name": ttl, "enabled": True}]
    if recovery is not None:
        period = {} if isinstance(recovery, bool) else {"recovery_period_in_days": recovery}
        table["point_in_time_recovery"] = [{"enabled": bool(recovery), **period}]
    table["lifecycle"] = [{"prevent_destroy": True}]
    return {"resource": {"aws_dynamodb_table": {resource: table}}}


def _keys(schema: Sequence[Mapping[str, str]]) -> tuple[list[str], list[str]]:
    partition, sort = (
        [each["AttributeName"] for each in schema if each["KeyType"] == kind]
        for kind in ("HASH", "RANGE")
    )
    return partition, sort


def _index_keys(schema: Sequence[Mapping[str, str]]) -> Message:
    partition, sort = _keys(schema)
    if len(partition) > 1 or len(sort) > 1:
        # Keys of several attributes have a block of their own, in newer versions of the provider.
        return {
            "key_schema": [
                {"attribute_name": each["AttributeName"], "key_type": each["KeyType"]}
                for each in schema
            ]
        }
    return {"hash_key": partition[0]} | ({"range_key": sort[0]} if sort else {})


def _projection(projection: Message) -> Message:
    found: Message = {"projection_type": projection["ProjectionType"]}
    if "NonKeyAttributes" in projection:
        found["non_key_attributes"] = projection["NonKeyAttributes"]
    return found


def _throughput(arguments: Message) -> Message:
    found: Message = {}
    units = arguments.get("ProvisionedThroughput")
    if units is not None:
        found["read_capacity"] = units["ReadCapacityUnits"]
        found["write_capacity"] = units["WriteCapacityUnits"]
    most = arguments.get("OnDemandThroughput")
    if most is not None:
        names = {
            "MaxReadRequestUnits": "max_read_request_units",
            "MaxWriteRequestUnits": "max_write_request_units",
        }
        found["on_demand_throughput"] = [{names[name]: value for name, value in most.items()}]
    return found
