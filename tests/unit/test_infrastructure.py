"""A table's declaration as CreateTable, CloudFormation and Terraform take it."""

from __future__ import annotations

import json
from typing import Any

import botocore.session
import pytest
from botocore.validate import validate_parameters

from dynattrs import (
    GlobalIndex,
    KinesisStream,
    LocalIndex,
    ModelError,
    OnDemand,
    Provisioned,
    Replica,
    Replicas,
    Table,
    VectorIndex,
    WarmThroughput,
)

APP = Table(
    "prod.app-1",
    partition_key="pk",
    sort_key="sk",
    indexes=[
        GlobalIndex("gsi1", partition_key="gsi1pk", sort_key="gsi1sk", projection=["name"]),
        GlobalIndex("by-place", partition_key=("country", "city"), sort_key=("year", "month")),
        LocalIndex("by-rank", sort_key="rank", projection="keys"),
    ],
    types={"rank": "N"},
    ttl="expires",
    billing=OnDemand(max_read=1000),
    stream="new and old",
    deletion_protection=True,
    point_in_time_recovery=7,
    table_class="infrequent access",
)
PAID = Table(
    "paid",
    partition_key="id",
    indexes=[
        GlobalIndex("own", partition_key="a", billing=Provisioned(read=9, write=3)),
        GlobalIndex("same", partition_key="b", sort_key="c"),
    ],
    billing=Provisioned(read=5, write=2),
    stream=False,
    point_in_time_recovery=True,
)
PLAIN = Table("plain", partition_key="id")
KEY = "arn:aws:kms:eu-west-1:111111111111:key/12345678-1234-1234-1234-123456789012"
OTHER_KEY = "arn:aws:kms:us-west-2:111111111111:key/87654321-1234-1234-1234-123456789012"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
            "Action": "dynamodb:GetItem",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:username": "${aws:PrincipalTag/user}"}},
        }
    ],
}
STREAM = "arn:aws:kinesis:eu-west-1:111111111111:stream/shop"
FULL = Table(
    "full",
    partition_key="id",
    indexes=[
        GlobalIndex(
            "by-a",
            partition_key="a",
            warm_throughput=WarmThroughput(read=13_000),
            contributor_insights="throttled",
        )
    ],
    warm_throughput=WarmThroughput(read=15_000, write=5_000),
    tags={"team": "shop", "old": None},
    encryption=KEY,
    resource_policy=POLICY,
    contributor_insights=True,
    kinesis=KinesisStream(STREAM, precision="microsecond"),
)
WORLD = Table(
    "world",
    partition_key="id",
    indexes=[
        GlobalIndex("by-a", partition_key="a", contributor_insights=True),
        GlobalIndex("by-b", partition_key="b"),
    ],
    ttl="expires",
    billing=OnDemand(max_read=1000, max_write=500),
    tags={"team": "shop"},
    encryption=KEY,
    deletion_protection=True,
    point_in_time_recovery=7,
    kinesis=STREAM,
    resource_policy=POLICY,
    replicas=[
        "eu-west-1",  # its own
        "eu-central-1",
        Replica(
            "us-west-2",
            kms_key=OTHER_KEY,
            max_read=50,
            table_class="infrequent access",
            index_max_read={"by-b": 20},
        ),
    ],
)
STRONG = Table(
    "strong",
    partition_key="id",
    replicas=Replicas(["us-east-2"], consistency="strong", witness="us-west-2"),
)
PAID_WORLD = Table(
    "paid-world",
    partition_key="id",
    indexes=[GlobalIndex("own", partition_key="a", billing=Provisioned(read=9, write=3))],
    billing=Provisioned(read=5, write=2),
    replicas=[Replica("eu-central-1", read=7, index_read={"own": 8})],
)
TABLES = [APP, PAID, PLAIN, FULL, WORLD, STRONG, PAID_WORLD]


def create_table_takes(parameters: dict[str, Any]) -> None:
    model = botocore.session.get_session().get_service_model("dynamodb")
    shape = model.operation_model("CreateTable").input_shape
    if "WarmThroughput" in parameters and "WarmThroughput" not in shape.members:
        pytest.skip(f"botocore {botocore.__version__} knows no warm throughput")
    validate_parameters(parameters, shape)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_service_model_knows_every_argument(table: Table):
    create_table_takes(table.create_arguments())


def test_settings_are_arguments():
    arguments = APP.create_arguments("other")

    assert arguments["TableName"] == "other"
    assert arguments["BillingMode"] == "PAY_PER_REQUEST"
    assert arguments["OnDemandThroughput"] == {"MaxReadRequestUnits": 1000}
    assert arguments["StreamSpecification"] == {
        "StreamEnabled": True,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    assert arguments["DeletionProtectionEnabled"] is True
    assert arguments["TableClass"] == "STANDARD_INFREQUENT_ACCESS"


def test_an_index_has_its_own_capacity_or_the_tables():
    arguments = PAID.create_arguments()

    assert arguments["ProvisionedThroughput"] == {"ReadCapacityUnits": 5, "WriteCapacityUnits": 2}
    own, same = arguments["GlobalSecondaryIndexes"]
    assert own["ProvisionedThroughput"] == {"ReadCapacityUnits": 9, "WriteCapacityUnits": 3}
    assert same["ProvisionedThroughput"] == arguments["ProvisionedThroughput"]


def test_a_plain_table_says_no_more_than_it_must():
    assert set(PLAIN.create_arguments()) == {
        "TableName",
        "BillingMode",
        "AttributeDefinitions",
        "KeySchema",
    }


# --- CloudFormation -----------------------------------------------------------------------------


def test_a_template_has_the_arguments_of_create_table_and_what_has_its_own_calls():
    template = APP.cloudformation()

    assert template["AWSTemplateFormatVersion"] == "2010-09-09"
    [(name, resource)] = template["Resources"].items()
    assert name == "ProdApp1Table"
    assert resource["Type"] == "AWS::DynamoDB::Table"
    assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain"
    assert resource["Properties"] == {
        **APP.create_arguments(),
        "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
        "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": True},
        "PointInTimeRecoverySpecification": {
            "PointInTimeRecoveryEnabled": True,
            "RecoveryPeriodInDays": 7,
        },
    }


def test_a_template_leaves_out_what_is_off_or_not_declared():
    [paid] = PAID.cloudformation("paid-2", logical_id="Paid")["Resources"].values()

    assert paid["Properties"]["TableName"] == "paid-2"
    assert "StreamSpecification" not in paid["Properties"]
    assert paid["Properties"]["PointInTimeRecoverySpecification"] == {
        "PointInTimeRecoveryEnabled": True
    }
    [plain] = PLAIN.cloudformation()["Resources"].values()
    assert plain["Properties"] == PLAIN.create_arguments()


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_cloudformations_linter_finds_nothing(table: Table):
    cfnlint = pytest.importorskip("cfnlint.api", reason="cfn-lint: uv sync --group templates")

    found = cfnlint.lint_all(json.dumps(table.cloudformation()))

    # What begins with I is for information.
    assert [str(each) for each in found if not each.rule.id.startswith("I")] == []


@pytest.mark.parametrize("replicas", [None, [Replica("us-east-1")]], ids=["one", "global"])
def test_cloudformations_linter_knows_vector_indexes(replicas: Any):
    cfnlint = pytest.importorskip("cfnlint.api", reason="cfn-lint: uv sync --group templates")
    plain = VectorIndex("near", vector="vec", dimensions=3, distance="dot", projection=["title"])
    filtered = VectorIndex("other", vector="vec", dimensions=3, partition_key="a", filters=["b"])

    def problems(index: VectorIndex) -> list[str]:
        table = Table("vectors", partition_key="pk", indexes=[index], replicas=replicas)
        region = None if replicas is None else "eu-west-1"
        found = cfnlint.lint_all(json.dumps(table.cloudformation(region=region)))
        return [each.rule.id for each in found if not each.rule.id.startswith("I")]

    assert problems(plain) == []
    # It does not know yet that attributes are defined for searches as well.
    assert set(problems(filtered)) <= {"E3039"}


def test_features_are_properties():
    properties = FULL.cloudformation()["Resources"]["FullTable"]["Properties"]

    assert properties["WarmThroughput"] == {
        "ReadUnitsPerSecond": 15_000,
        "WriteUnitsPerSecond": 5_000,
    }
    assert properties["Tags"] == [{"Key": "team", "Value": "shop"}]
    assert properties["SSESpecification"] == {
        "SSEEnabled": True,
        "SSEType": "KMS",
        "KMSMasterKeyId": KEY,
    }
    assert properties["ResourcePolicy"] == {"PolicyDocument": POLICY}
    assert properties["ContributorInsightsSpecification"] == {"Enabled": True}
    assert properties["KinesisStreamSpecification"] == {
        "StreamArn": STREAM,
        "ApproximateCreationDateTimePrecision": "MICROSECOND",
    }
    [index] = properties["GlobalSecondaryIndexes"]
    assert index["WarmThroughput"] == {"ReadUnitsPerSecond": 13_000}
    assert index["ContributorInsightsSpecification"] == {"Enabled": True, "Mode": "THROTTLED_KEYS"}


def test_a_table_with_replicas_is_a_global_table_of_all_regions():
    resource = WORLD.cloudformation(region="eu-west-1")["Resources"]["WorldTable"]

    assert resource["Type"] == "AWS::DynamoDB::GlobalTable"
    properties = resource["Properties"]
    assert properties["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert properties["WriteOnDemandThroughputSettings"] == {"MaxWriteRequestUnits": 500}
    assert properties["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
    own, near, far = properties["Replicas"]
    everywhere = {
        "Tags": [{"Key": "team", "Value": "shop"}],
        "PointInTimeRecoverySpecification": {
            "PointInTimeRecoveryEnabled": True,
            "RecoveryPeriodInDays": 7,
        },
        "DeletionProtectionEnabled": True,
    }
    insights = {"ContributorInsightsSpecification": {"Enabled": True}}
    most = {"ReadOnDemandThroughputSettings": {"MaxReadRequestUnits": 1000}}
    indexes = [{"IndexName": "by-a", **most, **insights}, {"IndexName": "by-b", **most}]
    assert own == {
        "Region": "eu-west-1",
        **everywhere,
        **most,
        "SSESpecification": {"KMSMasterKeyId": KEY},
        "KinesisStreamSpecification": {"StreamArn": STREAM},
        "ResourcePolicy": {"PolicyDocument": POLICY},
        "GlobalSecondaryIndexes": indexes,
    }
    assert near == {
        "Region": "eu-central-1",
        **everywhere,
        **most,
        "GlobalSecondaryIndexes": indexes,
    }
    least = {"ReadOnDemandThroughputSettings": {"MaxReadRequestUnits": 20}}
    assert far == {
        "Region": "us-west-2",
        **everywhere,
        "ReadOnDemandThroughputSettings": {"MaxReadRequestUnits": 50},
        "SSESpecification": {"KMSMasterKeyId": OTHER_KEY},
        "TableClass": "STANDARD_INFREQUENT_ACCESS",
        "GlobalSecondaryIndexes": [indexes[0], {"IndexName": "by-b", **least}],
    }


def test_a_global_table_may_be_strongly_consistent_and_provisioned():
    strong = STRONG.cloudformation()["Resources"]["StrongTable"]["Properties"]
    assert strong["MultiRegionConsistency"] == "STRONG"
    assert strong["GlobalTableWitnesses"] == [{"Region": "us-west-2"}]
    assert [each["Region"] for each in strong["Replicas"]] == [{"Ref": "AWS::Region"}, "us-east-2"]
    assert "StreamSpecification" not in strong

    paid = PAID_WORLD.cloudformation()["Resources"]["PaidWorldTable"]["Properties"]
    scaling = paid["WriteProvisionedThroughputSettings"]["WriteCapacityAutoScalingSettings"]
    assert (scaling["MinCapacity"], scaling["MaxCapacity"]) == (2, 2)
    own, other = paid["Replicas"]
    assert own["ReadProvisionedThroughputSettings"] == {"ReadCapacityUnits": 5}
    assert other["ReadProvisionedThroughputSettings"] == {"ReadCapacityUnits": 7}
    [index] = other["GlobalSecondaryIndexes"]
    assert index["ReadProvisionedThroughputSettings"] == {"ReadCapacityUnits": 8}


# --- Terraform ----------------------------------------------------------------------------------


def test_a_configuration_says_what_the_declaration_says():
    assert APP.terraform() == {
        "resource": {
            "aws_dynamodb_table": {
                "prod_app_1": {
                    "name": "prod.app-1",
                    "billing_mode": "PAY_PER_REQUEST",
                    "hash_key": "pk",
                    "range_key": "sk",
                    "on_demand_throughput": [{"max_read_request_units": 1000}],
                    "attribute": [
                        {"name": "pk", "type": "S"},
                        {"name": "sk", "type": "S"},
                        {"name": "gsi1pk", "type": "S"},
                        {"name": "gsi1sk", "type": "S"},
                        {"name": "country", "type": "S"},
                        {"name": "city", "type": "S"},
                        {"name": "year", "type": "S"},
                        {"name": "month", "type": "S"},
                        {"name": "rank", "type": "N"},
                    ],
                    "local_secondary_index": [
                        {"name": "by-rank", "range_key": "rank", "projection_type": "KEYS_ONLY"}
                    ],
                    "global_secondary_index": [
                        {
                            "name": "gsi1",
                            "hash_key": "gsi1pk",
                            "range_key": "gsi1sk",
                            "projection_type": "INCLUDE",
                            "non_key_attributes": ["name"],
                            "on_demand_throughput": [{"max_read_request_units": 1000}],
                        },
                        {
                            "name": "by-place",
                            "key_schema": [
                                {"attribute_name": "country", "key_type": "HASH"},
                                {"attribute_name": "city", "key_type": "HASH"},
                                {"attribute_name": "year", "key_type": "RANGE"},
                                {"attribute_name": "month", "key_type": "RANGE"},
                            ],
                            "projection_type": "ALL",
                            "on_demand_throughput": [{"max_read_request_units": 1000}],
                        },
                    ],
                    "stream_enabled": True,
                    "stream_view_type": "NEW_AND_OLD_IMAGES",
                    "deletion_protection_enabled": True,
                    "table_class": "STANDARD_INFREQUENT_ACCESS",
                    "ttl": [{"attribute_name": "expires", "enabled": True}],
                    "point_in_time_recovery": [{"enabled": True, "recovery_period_in_days": 7}],
                    "lifecycle": [{"prevent_destroy": True}],
                }
            }
        }
    }


def test_a_provisioned_table_and_its_indexes_have_their_capacity():
    paid = PAID.terraform(resource="money")["resource"]["aws_dynamodb_table"]["money"]

    assert (paid["read_capacity"], paid["write_capacity"]) == (5, 2)
    assert [each["read_capacity"] for each in paid["global_secondary_index"]] == [9, 5]
    assert "stream_enabled" not in paid
    assert paid["point_in_time_recovery"] == [{"enabled": True}]


@pytest.mark.parametrize(
    ("name", "logical_id", "resource"),
    [
        ("app", "AppTable", "app"),
        ("2-many", "2ManyTable", "table_2_many"),
        ("---", "Table", "table_"),
    ],
)
def test_resources_have_names_that_both_tools_take(name: str, logical_id: str, resource: str):
    table = Table(name, partition_key="id")

    assert list(table.cloudformation()["Resources"]) == [logical_id]
    assert list(table.terraform()["resource"]["aws_dynamodb_table"]) == [resource]


def test_features_are_blocks_and_resources_beside_the_table():
    resources = FULL.terraform()["resource"]

    table = resources["aws_dynamodb_table"]["full"]
    assert table["tags"] == {"team": "shop"}
    assert table["server_side_encryption"] == [{"enabled": True, "kms_key_arn": KEY}]
    assert table["warm_throughput"] == [
        {"read_units_per_second": 15_000, "write_units_per_second": 5_000}
    ]
    [index] = table["global_secondary_index"]
    assert index["warm_throughput"] == [{"read_units_per_second": 13_000}]
    policy = resources["aws_dynamodb_resource_policy"]["full"]
    assert policy["resource_arn"] == "${aws_dynamodb_table.full.arn}"
    # What begins an expression of Terraform's is written twice.
    assert json.loads(policy["policy"].replace("$${", "${")) == POLICY
    name = {"table_name": "${aws_dynamodb_table.full.name}"}
    assert resources["aws_dynamodb_contributor_insights"] == {
        "full": name,
        "full_by_a": {**name, "index_name": "by-a", "mode": "THROTTLED_KEYS"},
    }
    assert resources["aws_dynamodb_kinesis_streaming_destination"]["full"] == {
        **name,
        "stream_arn": STREAM,
        "approximate_creation_date_time_precision": "MICROSECOND",
    }


def test_replicas_are_blocks_without_the_own_region():
    table = STRONG.terraform()["resource"]["aws_dynamodb_table"]["strong"]

    assert table["replica"] == [{"region_name": "us-east-2", "consistency_mode": "STRONG"}]
    assert table["global_table_witness"] == [{"region_name": "us-west-2"}]
    three = Table("three", partition_key="id", replicas=["us-east-1", "us-east-2"])
    table = three.terraform(region="us-east-1")["resource"]["aws_dynamodb_table"]["three"]
    assert table["replica"] == [{"region_name": "us-east-2"}]


def test_what_terraform_cannot_say_is_refused():
    with pytest.raises(ModelError, match="us-west-2 has a capacity or class of its own"):
        WORLD.terraform(region="eu-west-1")
    by_id = Table("by-id", partition_key="id", encryption=KEY.rpartition("/")[2])
    with pytest.raises(ModelError, match="takes a KMS key's ARN"):
        by_id.terraform()
