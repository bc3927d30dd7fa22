"""Records of one and the same change in each shape in which programs get them."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

AT = datetime(2026, 11, 27, 12, 30, 5, tzinfo=timezone.utc)
EXPIRED = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


def record(
    old: Any = None,
    new: Any = None,
    *,
    key: Sequence[str] = ("pk", "sk"),
    number: int | str = 1,
    view: str | None = "NEW_AND_OLD_IMAGES",
    table: str | None = "app",
    kind: str | None = None,
    expired: bool = False,
) -> dict[str, Any]:
    """A record as AWS Lambda has it: plain JSON."""
    kind = kind or ("MODIFY" if old and new else "INSERT" if new else "REMOVE")
    item = new or old
    carried = view or "NEW_AND_OLD_IMAGES"
    body = {
        "ApproximateCreationDateTime": AT.timestamp(),
        "Keys": {name: item[name] for name in key if name in item},
        "OldImage": old if "OLD" in carried else None,
        "NewImage": new if "NEW" in carried else None,
        "SequenceNumber": str(number),
        "SizeBytes": 1,
        "StreamViewType": view,
    }
    found = {
        "eventID": f"event-{number}",
        "eventName": kind,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {name: value for name, value in body.items() if value is not None},
    }
    if table is not None:
        arn = (
            f"arn:aws:dynamodb:us-east-1:111122223333:table/{table}/stream/2026-11-27T00:00:00.000"
        )
        found["eventSourceARN"] = arn
    if expired:
        found["userIdentity"] = EXPIRED
    return plain(found)


def plain(value: Any) -> Any:
    """As JSON has it: bytes are base64 text, sets and tuples lists."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(each) for each in value]
    return value


def parsed(value: Any) -> Any:
    """An attribute map as botocore has it: bytes are `bytes`. What is not base64 stays as it is."""
    if isinstance(value, dict):
        with contextlib.suppress(TypeError, ValueError):
            if set(value) == {"B"} and isinstance(value["B"], str):
                return {"B": base64.b64decode(value["B"], validate=True)}
            if set(value) == {"BS"}:
                return {"BS": [base64.b64decode(each, validate=True) for each in value["BS"]]}
        return {name: parsed(each) for name, each in value.items()}
    return [parsed(each) for each in value] if isinstance(value, list) else value


def as_lambda(records: Sequence[dict[str, Any]], arn: str) -> list[dict[str, Any]]:
    """What botocore has read of a stream, as Lambda's event source mapping hands it over: plain JSON."""
    found = []
    for each in records:
        body = dict(each["dynamodb"])
        body["ApproximateCreationDateTime"] = body["ApproximateCreationDateTime"].timestamp()
        found.append({**plain(each), "dynamodb": plain(body), "eventSourceARN": arn})
    return found


def of_lambda(records: Sequence[dict[str, Any]]) -> Any:
    return {"Records": list(records)}


def of_get_records(records: Sequence[dict[str, Any]]) -> Any:
    """What botocore's `get_records` returns. It names no table."""
    found = []
    for each in records:
        body = dict(each["dynamodb"])
        body["ApproximateCreationDateTime"] = AT
        for name in ("Keys", "OldImage", "NewImage"):
            if name in body:
                body[name] = {n: parsed(value) for n, value in body[name].items()}
        made = {**each, "dynamodb": body}
        made.pop("eventSourceARN", None)
        if "userIdentity" in made:
            made["userIdentity"] = {"Type": "Service", "PrincipalId": EXPIRED["principalId"]}
        found.append(made)
    return {"Records": found, "NextShardIterator": "next", "ResponseMetadata": {}}


def of_kinesis(records: Sequence[dict[str, Any]]) -> Any:
    """What Lambda hands over from a Kinesis data stream. Its records have no numbers of their own."""
    found = []
    for each in records:
        arn = each.get("eventSourceARN", ":table/app/")
        body = dict(each["dynamodb"])
        number = body.pop("SequenceNumber")
        body.pop("StreamViewType", None)
        body["ApproximateCreationDateTime"] = round(AT.timestamp() * 1_000_000) + 7
        body["ApproximateCreationDateTimePrecision"] = "MICROSECOND"
        change = {
            "awsRegion": "us-east-1",
            "eventID": "0e0e",
            "eventName": each["eventName"],
            "userIdentity": each.get("userIdentity"),
            "recordFormat": "application/json",
            "tableName": arn.partition(":table/")[2].partition("/")[0],
            "dynamodb": body,
            "eventSource": "aws:dynamodb",
        }
        data = base64.b64encode(json.dumps(change).encode()).decode()
        found.append({
            "kinesis": {
                "kinesisSchemaVersion": "1.0", "partitionKey": "x", "sequenceNumber": number,
                "data": data, "approximateArrivalTimestamp": AT.timestamp(),
            },
            "eventSource": "aws:kinesis",
            "eventID": f"shardId-000000000006:{number}",
            "eventSourceARN": "arn:aws:kinesis:us-east-1:111122223333:stream/changes",
        })  # fmt: skip
    return {"Records": found}


def of_kinesis_client(records: Sequence[dict[str, Any]]) -> Any:
    """What botocore's client of Kinesis returns: bytes that are JSON."""
    events = of_kinesis(records)["Records"]
    found = [
        {
            "SequenceNumber": each["kinesis"]["sequenceNumber"],
            "Data": base64.b64decode(each["kinesis"]["data"]),
            "PartitionKey": "x",
        }
        for each in events
    ]
    return {"Records": found}


def of_pipes(records: Sequence[dict[str, Any]]) -> Any:
    return list(records)


def of_kinesis_pipes(records: Sequence[dict[str, Any]]) -> Any:
    return [
        {**each["kinesis"], "eventSource": "aws:kinesis", "eventID": each["eventID"]}
        for each in of_kinesis(records)["Records"]
    ]


SHAPES = {
    "lambda": of_lambda,
    "get_records": of_get_records,
    "kinesis": of_kinesis,
    "kinesis client": of_kinesis_client,
    "pipes": of_pipes,
    "kinesis pipes": of_kinesis_pipes,
}
