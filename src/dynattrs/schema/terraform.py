"""A table's declaration in the words of Terraform.

It is made from the arguments of CreateTable, as CloudFormation's is; what has calls of its own comes
beside them.

https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/dynamodb_table
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from dynattrs.errors import ModelError
from dynattrs.schema.features import INSIGHTS_MODES, PRECISIONS, Insights, Replicas
from dynattrs.schema.infrastructure import Beside
from dynattrs.schema.messages import Message


def resource_name(name: str) -> str:
    """A name for the resource in a configuration: letters, digits and underscores."""
    made = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower()
    return made if made and not made[0].isdigit() else f"table_{made}"


def terraform(arguments: Message, beside: Beside, *, resource: str, region: str | None) -> Message:
    """A configuration with one table, in Terraform's JSON syntax. Terraform will not destroy it.

    Raises:
        ModelError: Terraform has no word for something.
    """
    for each in arguments.get("VectorIndexes", ()):
        # https://github.com/hashicorp/terraform-provider-aws/issues/49350
        raise ModelError(
            f"Table({arguments['TableName']!r})",
            f"index {each['IndexName']!r} is a vector index, which Terraform's provider does not have; "
            f"write the configuration of a copy without it, attrs.evolve(table, indexes=...), and let "
            f"session.tables.update(..., only='indexes') create it",
        )
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
    if beside.ttl is not None:
        table["ttl"] = [{"attribute_name": beside.ttl, "enabled": True}]
    recovery = beside.recovery
    if recovery is not None:
        period = {} if isinstance(recovery, bool) else {"recovery_period_in_days": recovery}
        table["point_in_time_recovery"] = [{"enabled": bool(recovery), **period}]
    table |= _encryption(arguments)
    if "Tags" in arguments:
        table["tags"] = {each["Key"]: each["Value"] for each in arguments["Tags"]}
    if beside.replicas is not None:
        table |= _replicas(beside.replicas, region, arguments["TableName"])
    table["lifecycle"] = [{"prevent_destroy": True}]
    return {
        "resource": {"aws_dynamodb_table": {resource: table}, **_own(arguments, beside, resource)}
    }


def _own(arguments: Message, beside: Beside, resource: str) -> Message:
    """What has resources of its own."""
    address = f"aws_dynamodb_table.{resource}"
    table = {"table_name": f"${{{address}.name}}"}
    found: Message = {}
    if "ResourcePolicy" in arguments:
        # A dollar sign before a brace begins an expression.
        text = arguments["ResourcePolicy"].replace("${", "$${")
        policy = {"resource_arn": f"${{{address}.arn}}", "policy": text}
        found["aws_dynamodb_resource_policy"] = {resource: policy}
    insights = {resource: table | _mode(beside.insights)} if beside.insights else {}
    for name, said in beside.index_insights.items():
        if said:
            insights[f"{resource}_{resource_name(name)}"] = {
                **table,
                "index_name": name,
                **_mode(said),
            }
    if insights:
        found["aws_dynamodb_contributor_insights"] = insights
    if beside.kinesis is not None:
        destination = {**table, "stream_arn": beside.kinesis.arn}
        if beside.kinesis.precision is not None:
            precision = PRECISIONS[beside.kinesis.precision]
            destination["approximate_creation_date_time_precision"] = precision
        found["aws_dynamodb_kinesis_streaming_destination"] = {resource: destination}
    return found


def _mode(insights: Insights) -> Message:
    return {"mode": INSIGHTS_MODES[insights]} if isinstance(insights, str) else {}


def _encryption(arguments: Message) -> Message:
    given = arguments.get("SSESpecification")
    if given is None:
        return {}
    found: Message = {"enabled": given["Enabled"]}
    if "KMSMasterKeyId" in given:
        found["kms_key_arn"] = _key_arn(arguments["TableName"], given["KMSMasterKeyId"])
    return {"server_side_encryption": [found]}


def _key_arn(table: str, key: str) -> str:
    if not key.startswith("arn:"):
        raise ModelError(
            f"table {table!r}",
            f"Terraform takes a KMS key's ARN; the declaration has its id {key!r}",
        )
    return key


def _replicas(replicas: Replicas, region: str | None, table: str) -> Message:
    found: Message = {"replica": []}
    for name, each in replicas.others(region).items():
        said = each.arguments().keys() - {"RegionName", "KMSMasterKeyId"}
        if said:
            raise ModelError(
                f"table {table!r}",
                f"its replica in {name} has a capacity or class of its own, which Terraform's "
                f"aws_dynamodb_table cannot say; leave it out, and set it with session.tables.update",
            )
        replica: Message = {"region_name": name}
        if each.kms_key is not None:
            replica["kms_key_arn"] = _key_arn(table, each.kms_key)
        if replicas.consistency is not None:
            replica["consistency_mode"] = replicas.consistency.upper()
        found["replica"].append(replica)
    if replicas.witness is not None:
        found["global_table_witness"] = [{"region_name": replicas.witness}]
    return found


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
    warm = arguments.get("WarmThroughput")
    if warm is not None:
        names = {
            "ReadUnitsPerSecond": "read_units_per_second",
            "WriteUnitsPerSecond": "write_units_per_second",
        }
        found["warm_throughput"] = [{names[name]: value for name, value in warm.items()}]
    return found
