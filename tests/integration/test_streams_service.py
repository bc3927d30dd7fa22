"""The service of streams that tests use answers as DynamoDB Local does, where that has a thing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from streams_service import StreamsService

WRITES = [("a", 1), ("a", 2), ("b", 1), ("a", None), ("c", 1), ("a", 3)]


class Reading:
    """Asks one of the two the same things; what differs by its nature is left out of the answers."""

    def __init__(self, streams: Any, arn: str) -> None:
        self._streams, self._arn = streams, arn
        said = streams.describe_stream(StreamArn=arn)["StreamDescription"]
        [shard] = said["Shards"]
        self._shard = shard["ShardId"]
        self.described = self._plain(said)
        where = self._iterator("TRIM_HORIZON")
        self.numbers = [
            each["dynamodb"]["SequenceNumber"]
            for each in streams.get_records(ShardIterator=where)["Records"]
        ]

    def _iterator(self, kind: str, **more: Any) -> str:
        given = {"StreamArn": self._arn, "ShardId": self._shard, "ShardIteratorType": kind, **more}
        return str(self._streams.get_shard_iterator(**given)["ShardIterator"])

    def records(self, kind: str, at: int | None = None, limit: int = 1000) -> Any:
        number = {} if at is None else {"SequenceNumber": self.numbers[at]}
        where = self._iterator(kind, **number)
        pages = []
        for _ in range(8):
            reply = self._streams.get_records(ShardIterator=where, Limit=limit)
            pages.append([self._record(each) for each in reply["Records"]])
            if "NextShardIterator" not in reply:
                return pages, "ended"
            where = reply["NextShardIterator"]
        return pages, "goes on"

    def _record(self, record: Any) -> Any:
        body = dict(record["dynamodb"])
        number = body.pop("SequenceNumber")
        at = self.numbers.index(number) if number in self.numbers else -1
        for name in ("ApproximateCreationDateTime", "SizeBytes"):
            del body[name]
        named = {name: record[name] for name in ("eventName", "eventVersion", "eventSource")}
        return {**named, "dynamodb": body, "at": at, "members": sorted(record)}

    def _plain(self, said: Any) -> Any:
        [shard] = said["Shards"]
        return {
            "status": said["StreamStatus"],
            "view": said["StreamViewType"],
            "key": said["KeySchema"],
            "table": said["TableName"],
            "members": sorted(said),
            "shard": sorted(shard),
            "range": sorted(shard["SequenceNumberRange"]),
        }

    def describe(self) -> Any:
        return self._plain(self._streams.describe_stream(StreamArn=self._arn)["StreamDescription"])

    def refusal(self, operation: str, **parameters: Any) -> Any:
        known = {"StreamArn": self._arn, "ShardId": self._shard}
        given = {
            name: known.get(value, value) if isinstance(value, str) else value
            for name, value in parameters.items()
        }
        with pytest.raises(ClientError) as caught:
            getattr(self._streams, operation)(**given)
        error = caught.value.response["Error"]
        return error["Code"], error["Message"], type(caught.value).__name__


SHARD = {"StreamArn": "StreamArn", "ShardId": "ShardId"}
NO_SHARD = "shardId-00000000000000000000-00000000"
NO_STREAM = "arn:aws:dynamodb:us-east-1:000000000000:table/things/stream/2020-01-01T00:00:00.000"
QUESTIONS: dict[str, Callable[[Reading], Any]] = {
    "what the stream is": lambda it: it.described,
    "from the beginning": lambda it: it.records("TRIM_HORIZON"),
    "in small pages": lambda it: it.records("TRIM_HORIZON", limit=2),
    "at a number": lambda it: it.records("AT_SEQUENCE_NUMBER", 2),
    "after a number": lambda it: it.records("AFTER_SEQUENCE_NUMBER", 2),
    "after the last number": lambda it: it.records("AFTER_SEQUENCE_NUMBER", -1),
    "from now on": lambda it: it.records("LATEST"),
    "no number": lambda it: it.refusal(
        "get_shard_iterator", **SHARD, ShardIteratorType="AFTER_SEQUENCE_NUMBER"
    ),
    "a number too many": lambda it: it.refusal(
        "get_shard_iterator", **SHARD, ShardIteratorType="TRIM_HORIZON", SequenceNumber=it.numbers[0]
    ),
    "an unknown kind": lambda it: it.refusal("get_shard_iterator", **SHARD, ShardIteratorType="NO"),
    "no such shard": lambda it: it.refusal(
        "get_shard_iterator", StreamArn="StreamArn", ShardId=NO_SHARD, ShardIteratorType="LATEST"
    ),
    "no such stream": lambda it: it.refusal(
        "get_shard_iterator", StreamArn=NO_STREAM, ShardId=NO_SHARD, ShardIteratorType="LATEST"
    ),
    "no such stream to describe": lambda it: it.refusal("describe_stream", StreamArn=NO_STREAM),
    "too many shards": lambda it: it.refusal("describe_stream", StreamArn="StreamArn", Limit=101),
    "too many records": lambda it: it.refusal(
        "get_records", ShardIterator=it._iterator("LATEST"), Limit=1001
    ),
    "no iterator": lambda it: it.refusal("get_records", ShardIterator="nonsense"),
}  # fmt: skip


@pytest.mark.smoke
def test_the_service_of_tests_answers_as_dynamodb_local(dynamodb_local: str):
    arguments = {
        "region_name": "us-east-1",
        "aws_access_key_id": "streams",
        "aws_secret_access_key": "t",
    }
    table = boto3.client("dynamodb", endpoint_url=dynamodb_local, **arguments)
    real = boto3.client("dynamodbstreams", endpoint_url=dynamodb_local, **arguments)
    made = boto3.client("dynamodbstreams", **arguments)
    service = StreamsService()
    stream = service.stream("streams-service-things", "pk")
    table.create_table(
        TableName=stream.table, BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": stream.view},
    )  # fmt: skip
    arn = table.describe_table(TableName=stream.table)["Table"]["LatestStreamArn"]
    for pk, n in WRITES:
        if n is None:
            stream.remove(pk=pk)
            table.delete_item(TableName=stream.table, Key={"pk": {"S": pk}})
        else:
            stream.put(pk=pk, n=n)
            item = {"pk": {"S": pk}, "n": {"N": str(n)}}
            table.put_item(TableName=stream.table, Item=item)

    with service.answers(made):
        both = Reading(real, arn), Reading(made, stream.arn)
        for what, ask in QUESTIONS.items():
            assert ask(both[0]) == ask(both[1]), what

        stream.disable()
        off = {"StreamEnabled": False}
        table.update_table(TableName=stream.table, StreamSpecification=off)
        for what in ("from the beginning", "after a number", "from now on"):
            assert QUESTIONS[what](both[0]) == QUESTIONS[what](both[1]), what
        assert both[0].describe() == both[1].describe()

    table.delete_table(TableName=stream.table)
    for client in (table, real, made):
        client.close()
