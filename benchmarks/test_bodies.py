"""Requests as botocore's serializer makes them: by itself, and with the bodies written by dynattrs.

Timed: from a call's parameters, ready as attribute maps, to botocore's request dictionary, with the
checks of both. Left out: events, endpoint, signature, network. Both must give the same JSON.

    uv run --group bench pytest benchmarks/test_bodies.py
"""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from dynattrs.wire.bodies import faster_serializer

_CLIENT: Any = boto3.client(
    "dynamodb", region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret"
)
_SERIALIZERS = {"botocore": _CLIENT._serializer, "dynattrs": faster_serializer(_CLIENT._serializer)}

_KEY = {"artist": {"S": "Nina Simone"}, "title": {"S": "Sinnerman"}}
_ITEM = {
    **_KEY,
    **{name: {"S": "a text of some length"} for name in ("genre", "album", "label", "note")},
    "year": {"N": "1965"},
    "plays": {"N": "12"},
    "seconds": {"N": "622.5"},
    "live": {"BOOL": False},
    "tags": {"SS": ["jazz", "live"]},
}
_REQUESTS: dict[str, Any] = {
    "GetItem": {"TableName": "music", "Key": _KEY},
    "PutItem": {"TableName": "music", "Item": _ITEM},
    "BatchWriteItem": {"RequestItems": {"music": [{"PutRequest": {"Item": _ITEM}}] * 25}},
    "Query": {
        "TableName": "music",
        "KeyConditionExpression": "#0 = :0",
        "ExpressionAttributeNames": {"#0": "artist"},
        "ExpressionAttributeValues": {":0": {"S": "Nina Simone"}},
    },
}


@pytest.mark.parametrize("by", _SERIALIZERS)
@pytest.mark.parametrize("operation", _REQUESTS)
def test_make_a_request(benchmark: BenchmarkFixture, operation: str, by: str) -> None:
    model = _CLIENT.meta.service_model.operation_model(operation)

    request = benchmark(_SERIALIZERS[by].serialize_to_request, _REQUESTS[operation], model)

    assert json.loads(request["body"]) == _REQUESTS[operation]
