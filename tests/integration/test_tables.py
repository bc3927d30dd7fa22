"""`session.tables` on each engine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import boto3
import pytest

from dynattrs import (
    AccessDenied,
    ChangeRefused,
    GlobalIndex,
    LocalIndex,
    ModelError,
    NoSuchTable,
    Session,
    Table,
    TableDiffers,
    field,
    model,
    partition_key,
    sort_key,
)
from dynattrs.operations.tables import looking
from dynattrs.testing import error, faults, lost_reply

pytestmark = pytest.mark.smoke


@model(
    "music",
    indexes=[
        GlobalIndex("by-genre", partition_key="genre", sort_key="year"),
        GlobalIndex("by-label", partition_key="label", projection="keys"),
        LocalIndex("by-year", sort_key="year", projection=["genre", "plays"]),
    ],
)
class Song:
    artist: str = partition_key()
    title: str = sort_key(name="t")
    genre: str = "unknown"
    label: bytes = b"?"
    year: int = 0
    plays: int = 0
    expires: datetime | None = field(ttl=True, default=None)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    session = Session(client=client, table_prefix=table_prefix)
    yield session
    session.close()


def test_create_makes_the_table_as_declared(session: Session, client: Any, table_prefix: str):
    session.tables.create(Song)

    found = client.describe_table(TableName=f"{table_prefix}music")["Table"]
    assert found["TableStatus"] == "ACTIVE"
    assert {each["AttributeName"]: each["AttributeType"] for each in found["AttributeDefinitions"]} == {
        "artist": "S", "t": "S", "genre": "S", "label": "B", "year": "N"
    }  # fmt: skip
    assert {each["IndexName"] for each in found["GlobalSecondaryIndexes"]} == {
        "by-genre",
        "by-label",
    }
    [local] = found["LocalSecondaryIndexes"]
    assert sorted(local["Projection"]["NonKeyAttributes"]) == ["genre", "plays"]
    ttl = client.describe_time_to_live(TableName=f"{table_prefix}music")["TimeToLiveDescription"]
    assert ttl["AttributeName"] == "expires"
    assert ttl["TimeToLiveStatus"] in {"ENABLED", "ENABLING"}


def test_create_again_does_nothing(session: Session):
    session.tables.create(Song)
    session.save(Song("Nina", "x"))

    session.tables.create(Song)

    assert session.exists(Song, ("Nina", "x"))
    assert session.stats.requests["CreateTable"] == 1


def test_create_in_several_threads_at_once_makes_one_table(session: Session):
    failures = []

    def create() -> None:
        try:
            session.tables.create(Song)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    # Those that came second were refused, and are counted.
    assert 1 <= session.stats.requests["CreateTable"] <= 4


def test_a_table_that_differs_is_said_and_left(session: Session):
    session.tables.create(Song)
    declared = Table(
        "music",
        partition_key="artist",
        indexes=[
            GlobalIndex("by-genre", partition_key="genre"),
            GlobalIndex("new", partition_key="x"),
        ],
    )

    with pytest.raises(TableDiffers) as caught:
        session.tables.create(declared)

    assert set(caught.value.differences) == {
        "its key is (artist, t), declared is (artist)",
        "the key of index 'by-genre' is (genre, year), declared is (genre)",
        "it has no global index 'new', which is declared",
        "it has the global index 'by-label', not declared",
        "it has the local index 'by-year', not declared",
    }


def test_exists_describe_and_delete(session: Session, table_prefix: str):
    assert session.tables.exists(Song) is False
    with pytest.raises(NoSuchTable, match=f"{table_prefix}music"):
        session.tables.describe(Song)

    session.tables.create(Song)
    assert session.tables.exists(Song) is True
    assert session.tables.describe(Song)["TableName"] == f"{table_prefix}music"

    session.tables.delete(Song)
    assert session.tables.exists(Song) is False
    with pytest.raises(NoSuchTable):
        session.tables.delete(Song)
    session.tables.delete(Song, missing_ok=True)


@pytest.mark.parametrize("verb", ["create", "diff", "update", "delete"])
def test_a_name_says_how_to_come_to_its_table(session: Session, verb: str):
    """`session.tables.list()` gives names, and `reflect` takes them."""
    session.tables.create(Song)
    assert "music" in session.tables.list()

    with pytest.raises(ModelError, match=r"tables\.reflect\('music'\) gives the Table"):
        getattr(session.tables, verb)("music")
    session.tables.delete(session.tables.reflect("music"))
    assert session.tables.exists("music") is False


def test_a_table_may_be_made_again_after_delete(session: Session):
    session.tables.create(Song)
    session.save(Song("Nina", "x"))
    session.tables.delete(Song)

    session.tables.create(Song)

    assert session.scan(Song).count() == 0


# --- Lost answers, and a create that has ended early ----------------------------------------------


@pytest.fixture
def retrying(endpoint: Any, table_prefix: str) -> Iterator[Session]:
    """A session whose client sends again what was not answered."""
    client = boto3.client("dynamodb", endpoint_url=endpoint.url, **endpoint.credentials)
    with Session(client=client, table_prefix=table_prefix) as session:
        yield session
    client.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other process is waited for, which might just be making what comes last."""
    monkeypatch.setattr(looking, "_LOOKS_AT_WHAT_COMES_LAST", 1)


@pytest.mark.threads_only(reason="a lost answer is the same under asyncio")
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("operation", ["CreateTable", "UpdateTimeToLive"])
def test_create_ends_well_when_an_answer_is_lost(retrying: Session, operation: str):
    with faults(retrying, lost_reply(operation, times=1)):
        retrying.tables.create(Song)

    assert retrying.tables.diff(Song) == []


@pytest.mark.threads_only(reason="a lost answer is the same under asyncio")
def test_delete_goes_on_when_an_answer_is_lost(retrying: Session):
    other = Table("other", partition_key="id")
    retrying.tables.create(Song, other)

    with faults(retrying, lost_reply("DeleteTable", times=1)):
        retrying.tables.delete(Song, other)

    assert not retrying.tables.exists(Song)
    assert not retrying.tables.exists(other)


@pytest.mark.threads_only(reason="a refusal is the same under asyncio")
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("verb", ["create", "update"])
def test_what_a_create_has_not_come_to_is_made_by_the_next_one(session: Session, verb: str):
    refusal = error("AccessDeniedException", "UpdateTimeToLive", times=1)
    with faults(session, refusal), pytest.raises(AccessDenied):
        session.tables.create(Song)
    assert session.tables.diff(Song)

    getattr(session.tables, verb)(Song)

    assert session.tables.diff(Song) == []


@pytest.mark.usefixtures("impatient")
def test_a_time_to_live_is_not_switched_on_where_there_are_items(session: Session, client: Any):
    bare = Table("bare", partition_key="id")
    declared = Table("bare", partition_key="id", ttl="expires")
    session.tables.create(bare)
    name = session.tables.describe(bare)["TableName"]
    client.put_item(TableName=name, Item={"id": {"S": "a"}})

    with pytest.raises(TableDiffers, match="time to live is off"):
        session.tables.create(declared)
    with pytest.raises(ChangeRefused, match="time to live is off"):
        session.tables.update(declared)

    client.delete_item(TableName=name, Key={"id": {"S": "a"}})
    session.tables.create(declared)
    assert session.tables.diff(declared) == []
