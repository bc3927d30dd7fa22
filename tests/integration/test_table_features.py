"""Tags, encryption, policies, replicas, insights, Kinesis and warm throughput on each engine.

The embedded engine has them, but for the modes of insights, strong consistency, and what is warm of a
table. DynamoDB Local has none, and a declaration that has them works there without. What no engine
has is in tests/unit/test_table_features.py, where botocore checks what is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import boto3
import botocore
import pytest

from dynattrs import (
    ChangeRefused,
    ConfigurationError,
    GlobalIndex,
    KinesisStream,
    Replica,
    Replicas,
    Session,
    Table,
    TableDiffers,
    WarmThroughput,
    model,
    partition_key,
)
from dynattrs.operations.flows import Call
from dynattrs.operations.tables import looking
from dynattrs.testing import faults, lost_reply

KEY = "arn:aws:kms:us-east-1:000000000000:key/12345678-1234-1234-1234-123456789012"
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
            "Action": ["dynamodb:GetItem", "dynamodb:Query"],
            "Resource": "*",
        }
    ],
}
NEW = tuple(map(int, botocore.__version__.split(".")[:2])) >= (1, 36)
FULL = Table(
    "full",
    partition_key="id",
    indexes=[GlobalIndex("by-a", partition_key="a", contributor_insights=True)],
    ttl="expires",
    point_in_time_recovery=True,
    # An older botocore does not know it.
    warm_throughput=WarmThroughput(read=20_000) if NEW else None,
    tags={"team": "shop", "old": None},
    encryption=KEY,
    resource_policy=POLICY,
    replicas=["eu-central-1"],
    contributor_insights="throttled",
    kinesis=KinesisStream(STREAM + "a", precision="microsecond"),
)
OTHER = attrs.evolve(
    FULL,
    indexes=[GlobalIndex("by-a", partition_key="a", contributor_insights=False)],
    tags={"team": "house", "old": "x"},
    encryption="owned",
    resource_policy=False,
    replicas=[],
    contributor_insights=False,
    kinesis=STREAM + "b",
)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    with Session(client=client, table_prefix=table_prefix) as session:
        yield session
        if session.tables.exists(FULL):
            session.tables.update(Table("full", partition_key="id", replicas=[]), destructive=True)


@pytest.mark.smoke
def test_a_table_with_features_is_created_and_changed(session: Session, endpoint: Any):
    session.tables.create(FULL)

    session.tables.create(FULL)
    assert session.tables.diff(FULL) == []
    found = {change.setting for change in session.tables.diff(OTHER)}
    if endpoint.engine == "dynamodb-local":
        assert found == set()
        return
    assert found == {
        "tags", "encryption", "resource_policy", "replicas", "contributor_insights", "kinesis",
    }  # fmt: skip
    with pytest.raises(ChangeRefused):
        session.tables.update(OTHER)
    session.tables.update(OTHER, destructive=True)
    assert session.tables.update(OTHER) == []
    session.tables.update(FULL, destructive=True)
    assert session.tables.diff(FULL) == []


def test_features_are_reflected(session: Session, endpoint: Any):
    session.tables.create(FULL)

    found = session.tables.reflect("full")

    assert session.tables.diff(found) == []
    if endpoint.engine == "embedded":
        assert found.tags == {"team": "shop"}
        assert found.encryption == KEY
        assert found.resource_policy == POLICY
        assert found.replicas == Replicas(["eu-central-1"])
        assert found.contributor_insights is True  # it keeps no mode
        assert found.indexes[0].contributor_insights is True
        assert found.kinesis == FULL.kinesis


def test_a_declaration_that_an_engine_cannot_keep_works_there_without(session: Session):
    """A program that is strongly consistent in production is tried on an engine that is not."""
    replica = Replica("us-east-2", max_read=5, table_class="infrequent access", kms_key=KEY)
    strong = Table(
        "full",
        partition_key="id",
        replicas=Replicas([replica], consistency="strong", witness="us-west-2"),
        contributor_insights="throttled",
        warm_throughput=FULL.warm_throughput,
    )
    session.tables.create(strong)

    session.tables.create(strong)
    assert session.tables.diff(strong) == []
    assert session.tables.diff(session.tables.reflect("full")) == []


@pytest.mark.threads_only(reason="a lost answer is the same under asyncio")
def test_a_table_whose_creation_was_not_answered_gets_all_that_is_declared(
    session: Session, endpoint: Any, table_prefix: str, monkeypatch: pytest.MonkeyPatch
):
    """Its time to live and what else comes after CreateTable was left to another process, and there
    is none.
    """
    monkeypatch.setattr(looking, "_LOOKS_AT_WHAT_COMES_LAST", 1)
    client = boto3.client("dynamodb", endpoint_url=endpoint.url, **endpoint.credentials)
    with Session(client=client, table_prefix=table_prefix) as retrying:
        with faults(retrying, lost_reply("CreateTable", times=1)):
            retrying.tables.create(FULL)
    client.close()

    assert session.tables.diff(FULL) == []


@pytest.mark.parametrize("endpoint", ["embedded"], indirect=True)
def test_a_create_that_has_ended_early_is_finished_and_nothing_is_switched_off(
    session: Session, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(looking, "_LOOKS_AT_WHAT_COMES_LAST", 1)
    begun = attrs.evolve(
        FULL,
        ttl=None,
        point_in_time_recovery=None,
        replicas=None,
        kinesis=None,
        contributor_insights=None,
    )
    session.tables.create(begun)

    session.tables.create(FULL)
    assert session.tables.diff(FULL) == []

    with pytest.raises(TableDiffers, match="insights"):
        session.tables.create(attrs.evolve(FULL, contributor_insights=False))


def test_the_key_that_aws_manages_is_reflected(session: Session, endpoint: Any):
    managed = Table("full", partition_key="id", encryption="managed")
    session.tables.create(managed)

    found = session.tables.reflect("full")

    assert found.encryption == ("managed" if endpoint.engine == "embedded" else None)
    assert session.tables.diff(found) == session.tables.diff(managed) == []


@pytest.mark.parametrize("endpoint", ["embedded"], indirect=True)
def test_a_replica_has_the_items(session: Session, client: Any, endpoint: Any, table_prefix: str):
    @model(FULL)
    class Thing:
        id: str = partition_key()

    session.tables.create(Thing)
    session.save(Thing("x"))

    credentials = endpoint.credentials | {"region_name": "eu-central-1"}
    other = boto3.client("dynamodb", endpoint_url=endpoint.url, **credentials)
    with Session(client=other, table_prefix=table_prefix) as there:
        assert there.get(Thing, "x") == Thing("x")
        # One declaration serves both regions.
        both = attrs.evolve(FULL, replicas=["us-east-1", "eu-central-1"])
        assert there.tables.diff(both, only="replicas") == []
        assert session.tables.diff(both, only="replicas") == []


@pytest.mark.threads_only(reason="it is about what botocore says")
def test_a_parameter_that_botocore_does_not_know_says_what_to_do(client: Any):
    with Session(client=client) as session:
        with pytest.raises(ConfigurationError, match="does not know Mood of DescribeLimits"):
            session.tables._handle._drive(unknown_parameter())  # type: ignore[attr-defined]


def unknown_parameter() -> Any:
    yield Call("describe_limits", {"Mood": "calm"})
