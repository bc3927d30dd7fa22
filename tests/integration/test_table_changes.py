"""`session.tables.diff` and `update` on each engine, with items in the table."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import attrs
import boto3
import pytest
from botocore.config import Config

from dynattrs import (
    ChangeRefused,
    GlobalIndex,
    InvalidRequest,
    LocalIndex,
    OnDemand,
    Provisioned,
    Session,
    Table,
    model,
)

MUSIC = Table(
    "music",
    partition_key="artist",
    sort_key="title",
    indexes=[
        GlobalIndex("by-genre", partition_key="genre"),
        LocalIndex("by-plays", sort_key="plays", projection="keys"),
    ],
    types={"plays": "N"},
)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    session = Session(client=client, table_prefix=table_prefix)
    yield session
    name = f"{table_prefix}music"
    if session.tables.exists(MUSIC) and session.tables.describe(MUSIC).get(
        "DeletionProtectionEnabled"
    ):
        client.update_table(TableName=name, DeletionProtectionEnabled=False)
    session.close()


def test_a_declaration_that_grows_step_by_step_is_followed(session: Session):
    session.tables.create(MUSIC)
    for n in range(30):
        session.client.put_item(
            TableName=session.tables.describe(MUSIC)["TableName"],
            Item={"artist": {"S": "a"}, "title": {"S": f"{n:02}"}, "year": {"N": str(n % 3)}},
        )
    grown = attrs.evolve(
        MUSIC,
        indexes=(
            MUSIC.indexes[1],
            GlobalIndex("by-year", partition_key="year", sort_key="title"),
            GlobalIndex("by-label", partition_key="label", projection=["genre"]),
        ),
        types={"plays": "N", "year": "N"},
        ttl="expires",
        stream="new",
        deletion_protection=True,
    )

    changes = session.tables.diff(grown)
    with pytest.raises(ChangeRefused):
        session.tables.update(grown)
    made = session.tables.update(grown, destructive=True)

    assert [change.difference for change in changes] == [
        "it has no global index 'by-year', which is declared",
        "it has no global index 'by-label', which is declared",
        "it has the global index 'by-genre', not declared",
        "its time to live is off, declared is on attribute 'expires'",
        "its stream is off, declared is of 'new'",
        "its deletion protection is off, declared is on",
    ]
    assert made == changes
    assert session.tables.diff(grown) == []
    assert session.tables.update(grown) == []
    # The new index is filled with what was there.
    found = session.client.query(
        TableName=session.tables.describe(MUSIC)["TableName"],
        IndexName="by-year",
        KeyConditionExpression="#y = :y",
        ExpressionAttributeNames={"#y": "year"},
        ExpressionAttributeValues={":y": {"N": "1"}},
    )
    assert found["Count"] == 10


def test_the_stream_and_the_time_to_live_are_exchanged(session: Session):
    before = attrs.evolve(MUSIC, stream="new", ttl="old")
    after = attrs.evolve(MUSIC, stream="new and old", ttl="new")
    session.tables.create(before)

    session.tables.update(after, destructive=True)

    assert session.tables.diff(after) == []
    session.tables.update(attrs.evolve(MUSIC, stream=False), destructive=True)
    assert session.tables.diff(attrs.evolve(MUSIC, stream=False)) == []


def test_a_time_to_live_that_is_not_declared_stays(session: Session, client: Any):
    session.tables.create(attrs.evolve(MUSIC, ttl="expires"))

    session.tables.create(MUSIC)
    assert session.tables.update(MUSIC, destructive=True) == []

    assert session.tables.diff(attrs.evolve(MUSIC, ttl="expires")) == []
    with pytest.raises(ChangeRefused, match="its time to live is on attribute 'expires'"):
        session.tables.update(attrs.evolve(MUSIC, ttl=False))
    session.tables.update(
        attrs.evolve(MUSIC, ttl=False, stream="new"), only="ttl", destructive=True
    )
    assert session.tables.diff(attrs.evolve(MUSIC, ttl=False, stream=False)) == []


def test_billing_is_changed_there_and_back(session: Session):
    paid = attrs.evolve(
        MUSIC,
        billing=Provisioned(read=3, write=2),
        indexes=(
            attrs.evolve(MUSIC.indexes[0], billing=Provisioned(read=1, write=1)),
            MUSIC.indexes[1],
        ),
    )
    session.tables.create(MUSIC)

    session.tables.update(paid)
    assert session.tables.diff(paid) == []
    more = attrs.evolve(paid, billing=Provisioned(read=4, write=2))
    session.tables.update(more)
    assert session.tables.diff(more) == []
    session.tables.update(attrs.evolve(MUSIC, billing=OnDemand()))

    assert session.tables.diff(attrs.evolve(MUSIC, billing=OnDemand())) == []


def test_an_index_with_another_key_is_made_anew(session: Session):
    session.tables.create(MUSIC)
    changed = attrs.evolve(
        MUSIC,
        indexes=(
            GlobalIndex("by-genre", partition_key="genre", sort_key="year", projection="keys"),
            MUSIC.indexes[1],
        ),
    )

    changes = session.tables.update(changed, destructive=True)

    assert len(changes) == 2
    assert session.tables.diff(changed) == []
    assert session.stats.requests["UpdateTable"] == 2


def test_a_protected_table_is_not_deleted_before_the_protection_is_off(session: Session):
    session.tables.create(attrs.evolve(MUSIC, deletion_protection=True))

    with pytest.raises(InvalidRequest, match="protected"):
        session.tables.delete(MUSIC)
    session.tables.update(attrs.evolve(MUSIC, deletion_protection=False))
    session.tables.delete(MUSIC)


def test_the_same_declaration_with_all_settings_can_be_created_at_every_start(session: Session):
    """Also where the engine does not keep all of them."""
    everything = attrs.evolve(
        MUSIC,
        billing=OnDemand(max_read=100),
        stream="keys",
        point_in_time_recovery=True,
        table_class="infrequent access",
        ttl="expires",
    )

    session.tables.create(everything)
    session.tables.create(everything)

    assert session.tables.update(everything) == []


def test_several_processes_may_update_one_table_at_the_same_time(
    session: Session, client_arguments: dict[str, Any], table_prefix: str
):
    session.tables.create(MUSIC)
    # DynamoDB Local sometimes answers DescribeTable with InternalFailure meanwhile.
    repeating = Config(retries={"mode": "standard", "total_max_attempts": 5})
    client = boto3.client("dynamodb", **{**client_arguments, "config": repeating})
    writers = Session(client=client, table_prefix=table_prefix)
    grown = attrs.evolve(
        MUSIC,
        indexes=(
            *MUSIC.indexes,
            GlobalIndex("by-year", partition_key="year"),
            GlobalIndex("by-label", partition_key="label"),
        ),
        stream="new",
    )
    failures = []

    def update() -> None:
        try:
            writers.tables.update(grown)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=update) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writers.close()
    client.close()

    assert failures == []
    assert session.tables.diff(grown) == []


def test_a_model_is_brought_up_to_date(session: Session):
    @model(attrs.evolve(MUSIC, stream="new"))
    class Song:
        artist: str
        title: str
        genre: str = "unknown"
        plays: int = 0

    session.tables.update(Song)
    session.save(Song("Nina", "x", "jazz"))

    assert session.tables.diff(Song) == []
    assert session.tables.update(Song) == []
    assert session.exists(Song, ("Nina", "x"))
