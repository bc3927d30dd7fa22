"""Raw keys in the place of cursors: a walk that another program has begun is gone on with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import attrs
import pytest

from dynattrs import (
    CursorError,
    GlobalIndex,
    MappingError,
    Session,
    Table,
    in_,
    model,
    partition_key,
    pynamodb,
    sort_key,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
APP = Table("raw_app", partition_key="pk", sort_key="sk")


@model(
    "raw_keys",
    forms=pynamodb.forms,
    indexes=[GlobalIndex("by-day", partition_key="day", sort_key="size")],
)
class Photo:
    owner: str = partition_key()
    at: datetime = sort_key()
    day: str = "monday"
    size: int = attrs.field(kw_only=True)


@model(APP, pk="USER#{user}", sk="{number:03d}")
class Message:
    user: str
    number: int


PHOTOS = [Photo("ann", NOON + timedelta(minutes=each), size=each) for each in range(6)]


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Any]:
    with Session(client=client, table_prefix=table_prefix) as session:
        session.tables.create(Photo, Message)
        session.save_all(PHOTOS)
        session.save_all(Message("ann", each) for each in range(4))
        yield session


def test_a_walk_of_boto3_is_gone_on_with(session: Any, client: Any, table_prefix: str) -> None:
    reply = client.query(
        TableName=f"{table_prefix}raw_keys",
        KeyConditionExpression="#o = :o",
        ExpressionAttributeNames={"#o": "owner"},
        ExpressionAttributeValues={":o": {"S": "ann"}},
        Limit=2,
    )
    query = session.query(Photo).where(Photo.owner == "ann")
    assert query.after(reply["LastEvaluatedKey"]).all() == PHOTOS[2:]
    page = query.after(reply["LastEvaluatedKey"]).page(2)
    assert list(page.items) == PHOTOS[2:4]
    assert query.after(page.cursor).all() == PHOTOS[4:]


def test_a_walk_over_an_index_goes_on_from_the_keys_of_both(session: Any) -> None:
    key = {
        "owner": {"S": "ann"},
        "at": {"S": "2026-11-23T12:01:00.000000+0000"},
        "day": {"S": "monday"},
        "size": {"N": "1"},
    }
    query = session.query(Photo).where(Photo.day == "monday")
    assert query.after(key).all() == PHOTOS[2:]
    assert query.reverse().after(key).all() == PHOTOS[:1]
    assert query.after(attrs.asdict(PHOTOS[1])).all() == PHOTOS[2:]
    assert len(session.scan(Photo).using("by-day").after(key).all()) < len(PHOTOS)


def test_a_dict_of_fields_is_the_key_that_templates_make(session: Any) -> None:
    query = session.query(Message).where(Message.user == "ann")
    found = query.after({"user": "ann", "number": 1}).all()
    assert found == [Message("ann", 2), Message("ann", 3)]
    assert query.after({"pk": {"S": "USER#ann"}, "sk": {"S": "001"}}).all() == found


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ({}, "lacks owner, at"),
        ({"owner": {"S": "ann"}}, "lacks at"),
        ({"owner": "ann"}, "lacks at"),
        ({"ownr": "ann", "at": NOON}, "did you mean 'owner'"),
        ({"owner": {"S": "ann"}, "at": {"N": "1"}}, "'at' is N"),
        ({"owner": {"S": "ann"}, "at": {"S": "x"}, "day": {"S": "x"}}, "has day as well"),
    ],
    ids=str,
)
def test_what_is_no_key_of_the_query_is_refused(session: Any, key: Any, message: str) -> None:
    with pytest.raises(CursorError, match=message):
        session.query(Photo).where(Photo.owner == "ann").after(key).all()


def test_a_value_that_is_none_of_its_field_is_refused(session: Any) -> None:
    with pytest.raises(MappingError, match=r"Photo\.at"):
        session.query(Photo).where(Photo.owner == "ann").after({"owner": "a", "at": "noon"}).all()


def test_a_raw_key_does_not_say_which_of_several_partitions_it_is_of(session: Any) -> None:
    key = {"owner": "ann", "at": NOON}
    with pytest.raises(CursorError, match="several parts"):
        session.query(Photo).where(in_(Photo.owner, ["ann", "bob"])).after(key).all()


def test_a_session_that_signs_cursors_takes_no_raw_key(client: Any, table_prefix: str) -> None:
    secret = b"a secret of sixteen bytes"
    with (
        Session(client=client, table_prefix=table_prefix, cursor_secret=secret) as session,
        pytest.raises(CursorError, match="signature"),
    ):
        session.query(Photo).where(Photo.owner == "ann").after({"owner": "a", "at": NOON}).all()


def test_a_raw_key_does_not_say_which_of_several_segments_it_is_of(session: Any) -> None:
    with pytest.raises(CursorError, match="several segments"):
        session.scan(Photo).parallel(2).after({"owner": "ann", "at": NOON}).page(2)
