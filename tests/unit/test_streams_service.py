"""The service of streams that tests use does what the pages of the real one say."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from dynattrs import InvalidRequest, NoSuchTable, Throttled
from dynattrs.operations.flows import Call
from streams_service import HOURS, Clock, Stream, StreamsService

CREDENTIALS = {
    "region_name": "us-east-1", "aws_access_key_id": "testing", "aws_secret_access_key": "testing"
}  # fmt: skip


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service(clock: Clock) -> StreamsService:
    return StreamsService(clock)


@pytest.fixture
def client(service: StreamsService) -> Iterator[Any]:
    client = boto3.client("dynamodbstreams", **CREDENTIALS)
    with service.answers(client):
        yield client
    client.close()


def shards(client: Any, stream: Stream, **more: Any) -> list[Any]:
    found = []
    while True:
        said = client.describe_stream(StreamArn=stream.arn, **more)["StreamDescription"]
        found += said["Shards"]
        if "LastEvaluatedShardId" not in said:
            return found
        more["ExclusiveStartShardId"] = said["LastEvaluatedShardId"]


def iterator(
    client: Any, stream: Stream, shard: str, kind: str = "TRIM_HORIZON", **more: Any
) -> str:
    reply = client.get_shard_iterator(
        StreamArn=stream.arn, ShardId=shard, ShardIteratorType=kind, **more
    )
    return str(reply["ShardIterator"])


def numbers(reply: Any) -> list[int]:
    return [int(each["dynamodb"]["SequenceNumber"]) for each in reply["Records"]]


def read(client: Any, where: str | None, **more: Any) -> tuple[list[int], bool]:
    """The numbers of what follows, and whether the shard has ended; stops at an empty page."""
    found: list[int] = []
    while where is not None:
        reply = client.get_records(ShardIterator=where, **more)
        found += numbers(reply)
        where = reply.get("NextShardIterator")
        if not reply["Records"]:
            break
    return found, where is None


def refused(act: Any) -> str:
    with pytest.raises(ClientError) as caught:
        act()
    return str(caught.value.response["Error"]["Code"])


def test_the_children_of_a_shard_share_its_keys(service: StreamsService, client: Any):
    stream = service.stream("things")
    written = [stream.put(pk=f"k{number % 20}", n=number) for number in range(100)]
    [parent] = stream.open
    left, right = stream.split()
    after = {
        stream.put(pk=f"k{number}"): stream.shard_of({"pk": {"S": f"k{number}"}})
        for number in range(20)
    }
    grandchild = stream.roll(left)

    found = {each["ShardId"]: each for each in shards(client, stream)}

    assert found.keys() == {parent.id, left.id, right.id, grandchild.id}
    assert "ParentShardId" not in found[parent.id]
    assert found[left.id]["ParentShardId"] == found[right.id]["ParentShardId"] == parent.id
    assert found[grandchild.id]["ParentShardId"] == left.id
    assert {
        name
        for name, each in found.items()
        if "EndingSequenceNumber" not in each["SequenceNumberRange"]
    } == {right.id, grandchild.id}
    assert read(client, iterator(client, stream, parent.id)) == (written, True)
    assert read(client, iterator(client, stream, left.id))[1]
    for shard in (left, right):
        expected = [number for number, its in after.items() if its is shard]
        assert read(client, iterator(client, stream, shard.id))[0] == expected
        assert expected
    assert read(client, iterator(client, stream, right.id))[1] is False


def test_numbers_grow_as_numbers_and_not_as_text(service: StreamsService):
    stream = service.stream("things")

    found = [str(stream.put(pk="a", n=number)) for number in range(1000)]

    assert len({*map(len, found)}) == 2
    assert found == sorted(found, key=int) != sorted(found)


def test_records_say_what_became_of_an_item(service: StreamsService, client: Any):
    stream = service.stream("things", "pk", "sk")
    stream.put(pk="a", sk=1, v="old")
    stream.put(pk="a", sk=1, v="new")
    stream.remove(pk="a", sk=1)
    stream.put(pk="b", sk=1)
    stream.remove(pk="b", sk=1, expired=True)

    where = iterator(client, stream, stream.open[0].id)
    made, changed, gone, _, expired = client.get_records(ShardIterator=where)["Records"]

    assert [each["eventName"] for each in (made, changed, gone)] == ["INSERT", "MODIFY", "REMOVE"]
    assert made["dynamodb"]["ApproximateCreationDateTime"] == service.time
    assert changed["dynamodb"]["Keys"] == {"pk": {"S": "a"}, "sk": {"N": "1"}}
    assert changed["dynamodb"]["OldImage"]["v"] == {"S": "old"}
    assert changed["dynamodb"]["NewImage"]["v"] == {"S": "new"}
    assert "NewImage" not in gone["dynamodb"]
    assert expired["userIdentity"]["PrincipalId"] == "dynamodb.amazonaws.com"


@pytest.mark.parametrize("view", ["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE"])
def test_a_view_leaves_images_out(service: StreamsService, client: Any, view: str):
    stream = service.stream("things", view=view)
    stream.put(pk="a", v=1)
    stream.put(pk="a", v=2)

    where = iterator(client, stream, stream.open[0].id)
    body = client.get_records(ShardIterator=where)["Records"][1]["dynamodb"]

    assert ("NewImage" in body) == (view == "NEW_IMAGE")
    assert ("OldImage" in body) == (view == "OLD_IMAGE")


def test_an_iterator_stands_where_it_was_asked_for(service: StreamsService, client: Any):
    stream = service.stream("things")
    [shard] = stream.open
    written = [stream.put(pk="a", n=number) for number in range(5)]
    third = {"SequenceNumber": str(written[2])}

    latest = iterator(client, stream, shard.id, "LATEST")
    at = iterator(client, stream, shard.id, "AT_SEQUENCE_NUMBER", **third)
    after = iterator(client, stream, shard.id, "AFTER_SEQUENCE_NUMBER", **third)
    more = stream.put(pk="a")

    assert read(client, latest) == ([more], False)
    assert read(client, at) == ([*written[2:], more], False)
    assert read(client, after, Limit=1) == ([*written[3:], more], False)


def test_an_instant_is_compared_with_whole_seconds(service: StreamsService, clock: Clock):
    """Harder than the pages are: a change of the same second, rounded down, is before the instant."""
    stream = service.stream("things")
    stream.put(pk="a", n=0)
    clock.advance(10.2)
    asked = service.time
    clock.advance(0.5)
    same_second = stream.put(pk="a", n=1)
    clock.advance(1)
    later = stream.put(pk="a", n=2)

    def after(at: Any) -> list[int]:
        parameters = {"StreamArn": stream.arn, "ShardId": stream.open[0].id, "Timestamp": at}
        given = service.ask(
            "get_shard_iterator", {**parameters, "ShardIteratorType": "AT_TIMESTAMP"}
        )
        return numbers(service.ask("get_records", {"ShardIterator": given["ShardIterator"]}))

    assert after(asked) == [later]
    assert after(asked.replace(microsecond=0)) == [same_second, later]
    assert after(asked.replace(microsecond=0).timestamp()) == [same_second, later]


def test_an_iterator_lives_for_15_minutes(service: StreamsService, client: Any, clock: Clock):
    stream = service.stream("things")
    where = iterator(client, stream, stream.open[0].id)
    clock.advance(15 * 60)
    following = client.get_records(ShardIterator=where)["NextShardIterator"]

    clock.advance(1)
    assert refused(lambda: client.get_records(ShardIterator=where)) == "ExpiredIteratorException"
    clock.advance(14 * 60)
    client.get_records(ShardIterator=following)


def test_records_and_closed_shards_are_trimmed_after_a_day(
    service: StreamsService, client: Any, clock: Clock
):
    stream = service.stream("things")
    [parent] = stream.open
    old = [stream.put(pk="a", n=number) for number in range(3)]
    clock.advance(20 * HOURS)
    young = stream.put(pk="a")
    child = stream.roll()
    last = stream.put(pk="a", n=7)
    clock.advance(3 * HOURS + 55 * 60)
    where = iterator(client, stream, parent.id)
    clock.advance(6 * 60)

    late = {"SequenceNumber": str(old[-1])}
    after = lambda: iterator(client, stream, parent.id, "AFTER_SEQUENCE_NUMBER", **late)  # noqa: E731
    assert refused(after) == "TrimmedDataAccessException"
    assert refused(lambda: client.get_records(ShardIterator=where)) == "TrimmedDataAccessException"
    assert read(client, iterator(client, stream, parent.id)) == ([young], True)

    clock.advance(20 * HOURS)
    assert refused(after) == "ResourceNotFoundException"
    [left] = shards(client, stream)
    assert (left["ShardId"], left["ParentShardId"]) == (child.id, parent.id)
    assert read(client, iterator(client, stream, child.id)) == ([], False)
    assert last == child.trimmed


def test_an_open_shard_that_is_read_is_not_trimmed_away(
    service: StreamsService, client: Any, clock: Clock
):
    """Who reads empty pages goes on with the stream, however old the last record is."""
    stream = service.stream("things")
    stream.put(pk="a")
    where: Any = iterator(client, stream, stream.open[0].id)
    for _ in range(30 * 6):
        where = client.get_records(ShardIterator=where)["NextShardIterator"]
        clock.advance(10 * 60)
    written = stream.put(pk="a")

    assert read(client, where) == ([written], False)


def test_a_stream_that_is_off_can_be_read_for_a_day(
    service: StreamsService, client: Any, clock: Clock
):
    stream = service.stream("things")
    written = [stream.put(pk="a", n=number) for number in range(3)]
    [shard] = stream.open
    stream.disable()
    clock.advance(60)
    again = service.stream("things")
    said = client.describe_stream(StreamArn=stream.arn)["StreamDescription"]

    assert said["StreamStatus"] == "DISABLED"
    assert read(client, iterator(client, stream, shard.id)) == (written, True)
    assert read(client, iterator(client, stream, shard.id, "LATEST")) == ([], True)
    listed = client.list_streams(TableName="things")["Streams"]
    assert {each["StreamArn"] for each in listed} == {stream.arn, again.arn}

    clock.advance(25 * HOURS)
    assert refused(lambda: shards(client, stream)) == "ResourceNotFoundException"


def test_pages_may_be_empty_and_nothing_is_missing(clock: Clock):
    service = StreamsService(clock, holes=0.7, page=3, seed=7)
    stream = service.stream("things")
    [shard] = stream.open
    written = [stream.put(pk="a", n=number) for number in range(50)]
    stream.roll()
    found, empty = [], 0
    reply = service.ask(
        "get_shard_iterator",
        {"StreamArn": stream.arn, "ShardId": shard.id, "ShardIteratorType": "TRIM_HORIZON"},
    )
    where = reply["ShardIterator"]
    while where is not None:
        reply = service.ask("get_records", {"ShardIterator": where})
        found += numbers(reply)
        empty += not reply["Records"]
        where = reply.get("NextShardIterator")

    assert found == written
    assert empty > 20


def test_what_is_described_may_be_old(client: Any, service: StreamsService, clock: Clock):
    service.stale = 5
    stream = service.stream("things")
    clock.advance(60)
    [parent] = stream.open
    stream.split()

    [said] = shards(client, stream)
    assert said["SequenceNumberRange"].keys() == {"StartingSequenceNumber"}
    assert read(client, iterator(client, stream, parent.id)) == ([], True)
    clock.advance(6)
    assert len(shards(client, stream)) == 3


def test_shards_come_in_pages_and_by_their_parent(service: StreamsService, client: Any):
    service.shards_a_page = 2
    stream = service.stream("things", shards=5)
    parent = stream.open[2]
    children = stream.split(parent)

    found = [each["ShardId"] for each in shards(client, stream)]

    assert sorted(found) == sorted({each.id for each in stream.shards})
    assert service.counted["describe_stream"] == 4
    asks: Any = client.meta.service_model.operation_model("DescribeStream").input_shape.members
    if "ShardFilter" not in asks:
        pytest.skip("this botocore asks for all shards only")
    of_parent = {"Type": "CHILD_SHARDS", "ShardId": parent.id}
    said = shards(client, stream, ShardFilter=of_parent)
    assert {each["ShardId"] for each in said} == {each.id for each in children}


def test_describe_stream_is_refused_beyond_ten_a_second(
    service: StreamsService, client: Any, clock: Clock
):
    stream = service.stream("things")
    for _ in range(10):
        shards(client, stream)

    assert refused(lambda: shards(client, stream)) == "ThrottlingException"
    clock.advance(1)
    shards(client, stream)
    assert [each.refused for each in service.asked].count("ThrottlingException") == 1


def test_a_script_refuses_and_acts(service: StreamsService, client: Any, clock: Clock):
    stream = service.stream("things")
    service.fail("get_records", "LimitExceededException", "InternalServerError")
    service.at(30, stream.split)
    where = iterator(client, stream, stream.open[0].id)

    assert refused(lambda: client.get_records(ShardIterator=where)) == "LimitExceededException"
    assert refused(lambda: client.get_records(ShardIterator=where)) == "InternalServerError"
    assert read(client, where) == ([], False)
    clock.advance(30)
    assert read(client, where) == ([], True)
    assert len(stream.shards) == 3


def test_a_flow_gets_the_errors_of_the_library(service: StreamsService):
    stream = service.stream("things")
    described = Call("describe_stream", {"StreamArn": stream.arn})
    service.fail("describe_stream", "ThrottlingException")

    assert isinstance(service.call(described), Throttled)
    assert service.call(described)["StreamDescription"]["StreamArn"] == stream.arn
    assert isinstance(service.call(Call("describe_stream", {"StreamArn": "arn"})), NoSuchTable)
    assert isinstance(service.call(Call("get_records", {"ShardIterator": "no"})), InvalidRequest)


def test_a_client_under_asyncio_is_answered_as_well(service: StreamsService):
    aio = pytest.importorskip("aiobotocore.session", reason="pip install 'dynattrs[aio]'")
    stream = service.stream("things")
    written = stream.put(pk="a")

    async def read() -> list[int]:
        async with aio.get_session().create_client("dynamodbstreams", **CREDENTIALS) as client:
            with service.answers(client):
                [shard] = (await client.describe_stream(StreamArn=stream.arn))["StreamDescription"][
                    "Shards"
                ]
                given = await client.get_shard_iterator(
                    StreamArn=stream.arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
                )
                found = numbers(await client.get_records(ShardIterator=given["ShardIterator"]))
                with pytest.raises(ClientError):
                    await client.get_records(ShardIterator="no")
                return found

    assert asyncio.run(read()) == [written]
