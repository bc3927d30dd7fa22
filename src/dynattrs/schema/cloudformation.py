"""A table's declaration in the words of CloudFormation.

It is made from the arguments of CreateTable, so it cannot say anything else than
`session.tables.create` does. What has calls of its own, such as the time to live and point-in-time
recovery, comes beside them.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dynattrs.deferral import deferred
from dynattrs.schema.infrastructure import (
    Beside,
    insights_specification,
    of_one_region,
    shared,
)
from dynattrs.schema.messages import Message

if TYPE_CHECKING:
    from dynattrs.schema import global_tables
else:
    global_tables = deferred("dynattrs.schema.global_tables")

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
    "VectorIndexes",
    "WarmThroughput",
)


def template(arguments: Message, beside: Beside, *, logical_id: str, region: str | None) -> Message:
    """A template with one table, which outlives its stack."""
    if beside.replicas is None:
        kind, properties = "AWS::DynamoDB::Table", _table(arguments, beside)
    else:
        kind = "AWS::DynamoDB::GlobalTable"
        properties = global_tables.properties(arguments, beside, beside.replicas, region)
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {
            logical_id: {
                "Type": kind,
                # Deleting or replacing the stack's resource must not delete the data.
                "DeletionPolicy": "Retain",
                "UpdateReplacePolicy": "Retain",
                "Properties": properties,
            }
        },
    }


def _table(arguments: Message, beside: Beside) -> Message:
    properties: Message = {name: arguments[name] for name in _SAME if name in arguments}
    properties |= shared(arguments, beside)
    properties |= of_one_region(arguments, beside)
    encryption = arguments.get("SSESpecification")
    if encryption is not None:
        given = {name: value for name, value in encryption.items() if name != "Enabled"}
        properties["SSESpecification"] = {"SSEEnabled": encryption["Enabled"], **given}
    if "GlobalSecondaryIndexes" in arguments and beside.index_insights:
        properties["GlobalSecondaryIndexes"] = [
            each | insights_specification(beside.index_insights.get(each["IndexName"]))
            for each in arguments["GlobalSecondaryIndexes"]
        ]
    return properties


def logical_id(name: str) -> str:
    """A name for the resource in a template, letters and digits only: `AppTable` for `app`."""
    return "".join(part[:1].upper() + part[1:] for part in re.findall(r"[A-Za-z0-9]+", name)) + (
        "Table"
    )
