"""A table with replicas in the words of CloudFormation, which has another resource for it.

One template makes the replicas of all regions. They have the tags, point-in-time recovery, deletion
protection, class and contributor insights of the table; its policy and its Kinesis stream are those of
its own region.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-globaltable.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dynattrs.schema.features import Replica, Replicas
from dynattrs.schema.infrastructure import (
    Beside,
    insights_specification,
    of_one_region,
    shared,
)
from dynattrs.schema.messages import Message

#: What it takes just as CreateTable does.
_SAME: Final = (
    "AttributeDefinitions",
    "BillingMode",
    "KeySchema",
    "LocalSecondaryIndexes",
    "TableName",
    "VectorIndexes",
    "WarmThroughput",
)
#: What belongs to the table's own region.
_OWN: Final = ("KinesisStreamSpecification", "ResourcePolicy")
#: A fixed capacity for writes cannot be said, so scaling has no room: how full it aims at means nothing.
_ANY_TARGET: Final = 70


def properties(
    arguments: Message, beside: Beside, replicas: Replicas, region: str | None
) -> Message:
    """The properties of the resource.

    Args:
        arguments: Those of CreateTable.
        beside: What else is declared.
        replicas: The other regions.
        region: The table's own region; None for that of the stack.
    """
    found: Message = {name: arguments[name] for name in _SAME if name in arguments}
    found |= shared(arguments, beside) | _writes(arguments)
    indexes = arguments.get("GlobalSecondaryIndexes", ())
    if indexes:
        same = ("IndexName", "KeySchema", "Projection", "WarmThroughput")
        found["GlobalSecondaryIndexes"] = [
            {name: each[name] for name in same if name in each} | _writes(each) for each in indexes
        ]
    encryption = arguments.get("SSESpecification")
    if encryption is not None:
        found["SSESpecification"] = {"SSEEnabled": encryption["Enabled"]}
        if "SSEType" in encryption:
            found["SSESpecification"]["SSEType"] = encryption["SSEType"]
    if replicas.consistency is not None:
        found["MultiRegionConsistency"] = replicas.consistency.upper()
    if replicas.witness is not None:
        found["GlobalTableWitnesses"] = [{"Region": replicas.witness}]
    own: Any = {"Ref": "AWS::Region"} if region is None else region
    key = (encryption or {}).get("KMSMasterKeyId")
    found["Replicas"] = [_replica(arguments, beside, own, key, None)]
    for name, replica in replicas.others(region).items():
        found["Replicas"].append(_replica(arguments, beside, name, replica.kms_key, replica))
    return found


def _replica(
    arguments: Message, beside: Beside, region: Any, key: str | None, replica: Replica | None
) -> Message:
    found: Message = {"Region": region} | of_one_region(arguments, beside)
    if replica is not None:
        for name in _OWN:
            found.pop(name, None)
    if key is not None:
        found["SSESpecification"] = {"KMSMasterKeyId": key}
    if "DeletionProtectionEnabled" in arguments:
        found["DeletionProtectionEnabled"] = arguments["DeletionProtectionEnabled"]
    said: Message = {} if replica is None else replica.arguments()
    table_class = said.get("TableClassOverride", arguments.get("TableClass"))
    if table_class is not None:
        found["TableClass"] = table_class
    found |= _reads(arguments, said)
    overrides = {each["IndexName"]: each for each in said.get("GlobalSecondaryIndexes", ())}
    indexes = []
    for index in arguments.get("GlobalSecondaryIndexes", ()):
        name = index["IndexName"]
        own = _reads(index, overrides.get(name, {}))
        own |= insights_specification(beside.index_insights.get(name))
        if own:
            indexes.append({"IndexName": name} | own)
    if indexes:
        found["GlobalSecondaryIndexes"] = indexes
    return found


def _writes(arguments: Message) -> Message:
    """What is written, which is the same in all regions."""
    units = arguments.get("ProvisionedThroughput", {}).get("WriteCapacityUnits")
    if units is not None:
        scaling = {
            "MinCapacity": units,
            "MaxCapacity": units,
            "TargetTrackingScalingPolicyConfiguration": {"TargetValue": _ANY_TARGET},
        }
        return {"WriteProvisionedThroughputSettings": {"WriteCapacityAutoScalingSettings": scaling}}
    most = arguments.get("OnDemandThroughput", {}).get("MaxWriteRequestUnits")
    if most is None:
        return {}
    return {"WriteOnDemandThroughputSettings": {"MaxWriteRequestUnits": most}}


def _reads(arguments: Message, override: Mapping[str, Message]) -> Message:
    """What is read, which each region may have for itself."""
    provisioned: Message = arguments.get("ProvisionedThroughput", {})
    own = override.get("ProvisionedThroughputOverride", provisioned)
    units = own.get("ReadCapacityUnits")
    if units is not None:
        return {"ReadProvisionedThroughputSettings": {"ReadCapacityUnits": units}}
    on_demand: Message = arguments.get("OnDemandThroughput", {})
    highest = override.get("OnDemandThroughputOverride", on_demand)
    most = highest.get("MaxReadRequestUnits")
    return {} if most is None else {"ReadOnDemandThroughputSettings": {"MaxReadRequestUnits": most}}
