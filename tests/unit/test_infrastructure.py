"""A table's declaration as CreateTable, CloudFormation and Terraform take it."""

from __future__ import annotations

import json
from typing import Any

import botocore.session
import pytest
from botocore.validate import validate_parameters

from dynattrs import GlobalIndex, LocalIndex, OnDemand, Provisioned, Table

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
TABLES = [APP, PAID, PLAIN]


def create_table_takes(parameters: dict[str, Any]) -> None:
    model = botocore.session.get_session().get_service_model("dynamodb")
    validate_parameters(parameters, model.operation_model("CreateTable").input_shape)


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
