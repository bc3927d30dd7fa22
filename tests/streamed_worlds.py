"""Readers of a stream in a time of their own: its service is made, all else is the embedded engine's.

What flows ask for is answered at once and in this thread, so a schedule of minutes takes a second and
comes out the same each time.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from dynattrs import Session
from dynattrs.errors import ConnectionFailed
from dynattrs.operations.flows import Call
from dynattrs.operations.requests import unpacked
from dynattrs.wire import local_engine
from dynattrs.wire.service_errors import translate
from streams_service import EPOCH, Stream, StreamsService, metadata
from virtual_time import NOON, VirtualTime

STREAMS = ("describe_stream", "get_records", "get_shard_iterator", "list_streams")


class EngineTables:
    """Tables of the embedded engine, without HTTP: a call takes an eighth of a millisecond."""

    def __init__(self, lease: Any) -> None:
        self._app: Any = local_engine._engine._app_of(lease.access_key)
        self._key = f"Credential={lease.access_key}/20261127/us-east-1/dynamodb"

    def call(self, call: Call) -> Any:
        """The outcome of a call, as a session's wire has it."""
        operation = "".join(word.title() for word in call.operation.split("_"))
        headers = {"authorization": self._key, "x-amz-target": f"DynamoDB_20120810.{operation}"}
        body = msgspec.json.encode(unpacked(call.parameters))
        answer = self._app._answer(headers, body)
        try:
            answer.send(None)
        except StopIteration as stop:
            status, _, content = stop.value
        reply: dict[str, Any] = json.loads(content)
        if status == 200:
            return {**reply, "ResponseMetadata": metadata(200)}
        code = reply.pop("__type").rpartition("#")[2]
        found: Any = {
            **reply,
            "Error": {"Code": code, "Message": reply.get("message", "")},
            "ResponseMetadata": metadata(status),
        }
        return translate(ClientError(found, operation), operation, call.parameters.get("TableName"))


class World:
    """A table's stream, other tables, and the time.

    Attributes:
        before: Called with each call; what it returns is its outcome, unless that is None.
        after: Called with each call and its outcome; gives what arrives.
    """

    def __init__(self, lease: Any, table: str, *key: str, shards: int = 1, **options: Any) -> None:
        self.time = VirtualTime(self._call)
        self.service = StreamsService(self.now, **options)
        self.tables = EngineTables(lease)
        self.key = key or ("pk",)
        self.stream: Stream = self.service.stream(table, *self.key, shards=shards)
        self.before: Callable[[Call], Any] = lambda call: None
        self.after: Callable[[Call, Any], Any] = lambda call, outcome: outcome

    def now(self) -> float:
        """Seconds since 1970."""
        return (NOON - EPOCH).total_seconds() + self.time.seconds

    def date(self) -> datetime:
        return self.time.now()

    def session(self, client: Any) -> Session:
        """A session whose flows run in this world; its client is asked for nothing."""
        session = Session(client=client)
        session._core.environment = self.time.core().environment
        vars(session)["_drive"] = self.time.drive
        return session

    def again(self) -> Stream:
        """Switch the stream off, and on again as another one."""
        self.stream.disable()
        self.stream = self.service.stream(self.stream.table, *self.key)
        return self.stream

    def _call(self, call: Call) -> Any:
        refused = self.before(call)
        return self.after(call, self._answer(call) if refused is None else refused)

    def _answer(self, call: Call) -> Any:
        parameters: Any = call.parameters
        if call.operation in STREAMS:
            return self.service.call(call)
        if call.operation == "describe_table" and parameters["TableName"] == self.stream.table:
            return {"Table": self._described()}
        return self.tables.call(call)

    def _described(self) -> dict[str, Any]:
        stream = self.stream
        return {
            "TableName": stream.table,
            "TableStatus": "ACTIVE",
            "TableArn": stream.arn.partition("/stream/")[0],
            "KeySchema": [
                {"AttributeName": name, "KeyType": kind}
                for name, kind in zip(self.key, ("HASH", "RANGE"), strict=False)
            ],
            "AttributeDefinitions": [{"AttributeName": n, "AttributeType": "S"} for n in self.key],
            "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
            "StreamSpecification": {"StreamEnabled": True, "StreamViewType": stream.view},
            "LatestStreamArn": stream.arn,
            "LatestStreamLabel": stream.label,
        }


def lost(call: Call) -> ConnectionFailed:
    """What is heard of a call whose request or reply was lost."""
    return ConnectionFailed(call.operation, "the connection was closed", None)
