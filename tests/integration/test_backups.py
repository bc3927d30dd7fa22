"""Backups, restored tables, and what there is in the account. The embedded engine has all of it;
DynamoDB Local has no backups.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber

from dynattrs import (
    GlobalIndex,
    InvalidRequest,
    Limits,
    ModelError,
    NoSuchTable,
    OnDemand,
    Provisioned,
    ServiceError,
    Session,
    Table,
    TableNotReady,
    model,
    partition_key,
)
from dynattrs.testing import faults, lost_reply

KEY = "arn:aws:kms:us-east-1:111111111111:key/12345678-1234-1234-1234-123456789012"
NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 - which is what is refused
embedded = pytest.mark.parametrize("endpoint", ["embedded"], indirect=True)
SHOP = Table(
    "shop",
    partition_key="id",
    indexes=[GlobalIndex("by-kind", partition_key="kind")],
    ttl="expires",
    point_in_time_recovery=True,
)


@model(SHOP)
class Thing:
    id: str = partition_key()
    kind: str = "a"


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    with Session(client=client, table_prefix=table_prefix) as session:
        session.tables.create(SHOP)
        session.save_all(Thing(str(n)) for n in range(30))
        yield session


@embedded
def test_a_table_is_restored_from_a_backup_with_its_items(session: Session, table_prefix: str):
    backup = session.tables.backup(Thing)
    session.delete(Thing, "1")

    assert session.tables.backups(Thing) == (backup,)
    assert (backup.table, backup.status, backup.kind) == (
        f"{table_prefix}shop", "AVAILABLE", "user",
    )  # fmt: skip
    assert backup.created.tzinfo is timezone.utc
    session.tables.restore(backup, "shop-restored")

    there = session.tables.reflect("shop-restored")
    assert [index.name for index in there.indexes] == ["by-kind"]
    assert there.ttl is False  # it does not come back
    items = session.client.scan(TableName=f"{table_prefix}shop-restored")["Items"]
    assert len(items) == 30
    with pytest.raises(
        InvalidRequest, match=r"already exists.*; .* give another name, or delete"
    ) as told:
        session.tables.restore(backup.arn, "shop-restored")
    assert isinstance(told.value.__cause__, ClientError)


@embedded
def test_what_is_restored_may_be_billed_otherwise_and_without_indexes(session: Session):
    backup = session.tables.backup("shop", "before-the-sale")
    cheap = Table("cheap", partition_key="id", billing=OnDemand())

    session.tables.restore(backup, cheap, indexes=False)

    there = session.tables.reflect("cheap")
    assert (there.billing, there.indexes) == (OnDemand(), ())
    assert session.tables.diff(cheap) == []


@embedded
def test_a_table_is_restored_to_an_instant(session: Session):
    session.tables.restore_to("latest", Thing, "shop-then")
    first, last = session.tables.restorable(Thing)

    assert first <= last <= datetime.now(timezone.utc) + timedelta(seconds=1)
    assert session.tables.exists("shop-then")
    assert session.tables.restorable("shop-then") is None
    arn = session.tables.describe(Thing)["TableArn"]
    session.tables.restore_to(last, arn, "shop-there")
    assert session.tables.exists("shop-there")
    with pytest.raises(NoSuchTable):
        session.tables.restore_to("latest", "missing", "shop-nowhere")


@embedded
def test_another_key_than_the_one_that_comes_back_is_refused(session: Session):
    session.tables.create(SHOP)
    backup = session.tables.backup(SHOP)
    other = Table("other", partition_key="zz")

    with pytest.raises(
        ModelError, match=r"key of the old one, \(id\), and 'other' declares \(zz\)"
    ):
        session.tables.restore(backup, other)
    with pytest.raises(
        ModelError, match=r"key of the old one, \(id\), and 'other' declares \(zz\)"
    ):
        session.tables.restore_to("latest", SHOP, other)

    assert not session.tables.exists(other)


@embedded
@pytest.mark.threads_only(reason="a lost answer is the same under asyncio")
def test_a_backup_is_deleted_though_the_answer_is_lost(
    session: Session, endpoint: Any, table_prefix: str
):
    session.tables.create(SHOP)
    backup = session.tables.backup(SHOP)

    client = boto3.client("dynamodb", endpoint_url=endpoint.url, **endpoint.credentials)
    with Session(client=client, table_prefix=table_prefix) as retrying:
        with faults(retrying, lost_reply("DeleteBackup", times=1)):
            retrying.tables.delete_backup(backup)
    client.close()

    assert session.tables.backups(SHOP) == ()


@embedded
def test_backups_are_listed_and_deleted(session: Session, client: Any, table_prefix: str):
    client.create_backup(TableName=f"{table_prefix}shop", BackupName="one")
    two = session.tables.backup(Thing, "two")
    began = datetime.now(timezone.utc)

    assert {each.name for each in session.tables.backups()} == {"one", "two"}
    assert session.tables.backups(Thing, since=began + timedelta(hours=1)) == ()
    assert len(session.tables.backups(Thing, until=began + timedelta(hours=1), kind="user")) == 2
    assert session.tables.backups(Thing, kind="system") == ()
    with Session(client=client, table_prefix="others-") as others:
        assert others.tables.backups() == ()
    session.tables.delete_backup(two)
    assert [each.name for each in session.tables.backups(Thing)] == ["one"]
    for ask in (
        lambda: session.tables.delete_backup(two.arn),
        lambda: session.tables.restore(two, "anything"),
    ):
        with pytest.raises(
            InvalidRequest, match=r"BackupNotFoundException: .*; session.tables.backups\(\)"
        ):
            ask()
    with pytest.raises(NoSuchTable):
        session.tables.backup("missing")


@embedded
@pytest.mark.parametrize(
    "refused",
    [
        lambda tables: tables.backup(Thing, "a b"),
        lambda tables: tables.backups(kind="mine"),
        lambda tables: tables.backups(since=NAIVE),
        lambda tables: tables.restore("before-the-sale", "x-y-z"),
        lambda tables: tables.restore("arn:x", "x-y-z", billing="free"),
        lambda tables: tables.restore("arn:x", "x-y-z", encryption="alias/shop"),
        lambda tables: tables.restore_to(NAIVE, Thing, "x-y-z"),
        lambda tables: tables.restore_to("yesterday", Thing, "x-y-z"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_asked(session: Session, refused: Any):
    asked = session.stats.total

    with pytest.raises(ModelError):
        refused(session.tables)

    assert session.stats.total == asked


@embedded
def test_a_word_for_an_instant_says_the_one_that_there_is(session: Session):
    with pytest.raises(ModelError, match="a datetime with a time zone or 'latest' is expected"):
        session.tables.restore_to("now", Thing, "x-y-z")


# --- The account ----------------------------------------------------------------------------------


@pytest.mark.smoke
def test_tables_are_listed_by_their_declared_names(client: Any, table_prefix: str):
    with Session(
        client=client, table_prefix=table_prefix, tables={"renamed": f"{table_prefix}real"}
    ) as session:
        plain = Table("plain", partition_key="id")
        session.tables.create(plain, Table("renamed", partition_key="id"))

        found = session.tables.list()

        assert sorted(found) == ["plain", "renamed"]
        assert all(session.tables.exists(each) for each in found)
    with Session(client=client, table_prefix="others-") as others:
        assert others.tables.list() == []


@pytest.mark.smoke
def test_the_limits_of_the_account_are_told(client: Any):
    with Session(client=client) as session:
        limits = session.tables.limits()

    assert limits == Limits(
        account_read=80_000, account_write=80_000, table_read=40_000, table_write=40_000
    )


# --- What no engine does: botocore checks what is asked -----------------------------------------


@pytest.fixture
def stubbed() -> Iterator[tuple[Any, Stubber]]:
    client = boto3.client(
        "dynamodb", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    with Stubber(client) as stubber, Session(client=client, table_prefix="dev-") as session:
        yield session, stubber
        stubber.assert_no_pending_responses()
    client.close()


def details(status: str) -> dict[str, Any]:
    return {
        "BackupArn": "arn:aws:dynamodb:us-east-1:111111111111:table/dev-shop/backup/01-a",
        "BackupName": "one-and-two",
        "BackupStatus": status,
        "BackupType": "USER",
        "BackupCreationDateTime": datetime(2026, 1, 2, tzinfo=timezone.utc),
    }


@pytest.mark.threads_only(reason="a stubber is of boto3's client")
def test_a_backup_is_waited_for(stubbed: Any, caplog: pytest.LogCaptureFixture):
    session, stubber = stubbed
    asked = {"TableName": "dev-shop", "BackupName": "one-and-two"}
    stubber.add_client_error(
        "create_backup", "BackupInUseException", "another one", 400, None, asked
    )
    stubber.add_response("create_backup", {"BackupDetails": details("CREATING")}, asked)
    arn = {"BackupArn": details("")["BackupArn"]}
    for status in ("CREATING", "AVAILABLE"):
        reply = {"BackupDescription": {"BackupDetails": details(status)}}
        stubber.add_response("describe_backup", reply, arn)

    with caplog.at_level(logging.INFO, "dynattrs"):
        backup = session.tables.backup(SHOP, "one-and-two")

    assert (backup.status, backup.bytes) == ("AVAILABLE", None)
    assert "table dev-shop: backup 'one-and-two' CREATING" in caplog.text


@pytest.mark.threads_only(reason="a stubber is of boto3's client")
def test_a_restored_table_is_waited_for_and_overrides_are_asked_for(stubbed: Any):
    session, stubber = stubbed
    instant = datetime(2026, 1, 2, 3, tzinfo=timezone.utc)
    shop = {"TableName": "dev-shop", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}
    stubber.add_response("describe_table", {"Table": shop}, {"TableName": "dev-shop"})
    stubber.add_response(
        "restore_table_to_point_in_time",
        {},
        {
            "TargetTableName": "dev-paid",
            "SourceTableName": "dev-shop",
            "RestoreDateTime": instant,
            "BillingModeOverride": "PROVISIONED",
            "ProvisionedThroughputOverride": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 2},
            "SSESpecificationOverride": {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY},
            "GlobalSecondaryIndexOverride": [],
        },
    )
    for status in ("CREATING", "ACTIVE"):
        summary = {"RestoreDateTime": instant, "RestoreInProgress": status == "CREATING"}
        table = {"TableName": "dev-paid", "TableStatus": status, "RestoreSummary": summary}
        stubber.add_response("describe_table", {"Table": table}, {"TableName": "dev-paid"})
    paid = Table("paid", partition_key="id", billing=Provisioned(read=5, write=2), encryption=KEY)

    session.tables.restore_to(instant, SHOP, paid, indexes=False)


@pytest.mark.threads_only(reason="a stubber is of boto3's client")
@pytest.mark.parametrize(
    ("status", "source", "goes_on"),
    [("CREATING", "01-a", True), ("ACTIVE", "01-a", False), ("CREATING", "02-b", False)],
)
def test_a_restored_table_is_waited_for_again(
    stubbed: Any, status: str, source: str, goes_on: bool
):
    """When the time to wait had gone by, or the answer was lost."""
    session, stubber = stubbed
    stubber.add_client_error("restore_table_from_backup", "TableAlreadyExistsException", "there")
    arn = details("")["BackupArn"]
    summary = {
        "SourceBackupArn": arn.replace("01-a", source),
        "RestoreDateTime": datetime(2026, 1, 2, tzinfo=timezone.utc),
        "RestoreInProgress": status == "CREATING",
    }
    table = {"TableName": "dev-x-y-z", "TableStatus": status, "RestoreSummary": summary}
    stubber.add_response("describe_table", {"Table": table})
    if goes_on:
        stubber.add_response("describe_table", {"Table": table | {"TableStatus": "ACTIVE"}})
        session.tables.restore(arn, "x-y-z")
        return

    with pytest.raises(ServiceError, match="TableAlreadyExistsException"):
        session.tables.restore(arn, "x-y-z")


@pytest.mark.threads_only(reason="a stubber is of boto3's client")
def test_a_wait_for_a_restored_table_has_an_end(stubbed: Any):
    session, stubber = stubbed
    stubber.add_response(
        "restore_table_from_backup", {}, {"TargetTableName": ANY, "BackupArn": ANY}
    )
    table = {
        "TableName": "dev-x-y-z",
        "TableStatus": "CREATING",
        "RestoreSummary": {
            "RestoreDateTime": datetime(2026, 1, 2, tzinfo=timezone.utc),
            "RestoreInProgress": True,
        },
    }
    stubber.add_response("describe_table", {"Table": table}, {"TableName": "dev-x-y-z"})

    with pytest.raises(TableNotReady, match="CREATING, being restored"):
        session.tables.restore(details("")["BackupArn"], "x-y-z", timeout=timedelta(0))


@pytest.mark.threads_only(reason="a stubber is of boto3's client")
def test_an_instant_that_is_none_says_which_there_are(stubbed: Any):
    session, stubber = stubbed
    stubber.add_client_error(
        "restore_table_to_point_in_time", "InvalidRestoreTimeException", "not then"
    )
    first, last = (datetime(2026, 1, day, tzinfo=timezone.utc) for day in (2, 3))
    recovery = {
        "PointInTimeRecoveryStatus": "ENABLED",
        "EarliestRestorableDateTime": first,
        "LatestRestorableDateTime": last,
    }
    description = {"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": recovery}
    stubber.add_response(
        "describe_continuous_backups", {"ContinuousBackupsDescription": description}
    )

    with pytest.raises(InvalidRequest, match=r"from 2026-01-02 .* to 2026-01-03"):
        session.tables.restore_to(last + timedelta(days=1), SHOP, "x-y-z")


@pytest.mark.threads_only(reason="a stubber is of boto3's client")
def test_a_table_without_point_in_time_recovery_says_how_to_have_it(stubbed: Any):
    session, stubber = stubbed
    code = "PointInTimeRecoveryUnavailableException"
    stubber.add_client_error("restore_table_to_point_in_time", code, "not enabled for dev-shop.")

    with pytest.raises(
        InvalidRequest, match=r"dev-shop; declare Table\(\.\.\., point_in_time_recovery=True\)"
    ):
        session.tables.restore_to("latest", SHOP, "x-y-z")
