"""The server of the benchmarks, which has to notice what is wrong: a fast wrong answer must fail there."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from benchmarks import canned
from benchmarks.shapes import attribute, check_item, check_object, shape

TABLE = "nested-11.10.35"
NAMES = [
    "flat-5", "flat-11", "flat-40", "nested-5", "nested-11", "nested-40",
    "mixed-11", "keyed-11", "text-100", "vector-100",
]  # fmt: skip


def asked(operation: str, **request: Any) -> dict[str, Any]:
    body, _ = canned.answer(operation, json.dumps({"TableName": TABLE, **request}).encode())
    found: dict[str, Any] = json.loads(body)
    return found


def signed(body: bytes = b"{}", **changes: str) -> dict[str, str]:
    """Headers of a request as botocore signs it."""
    headers = {
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": "DynamoDB_20120810.PutItem",
    }
    request = AWSRequest("POST", "http://127.0.0.1:8000/", headers, body)
    credentials = Credentials(canned.ACCESS_KEY, canned.SECRET_KEY)
    SigV4Auth(credentials, "dynamodb", canned.REGION).add_auth(request)
    found = {name.lower(): value for name, value in request.headers.items()}
    return {"host": "127.0.0.1:8000", **found, **changes}


# --- Items ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_shape_has_as_many_attributes_as_its_name_says(name: str):
    family, _, size = name.partition("-")

    assert len(shape(name).fields) == {"text": 6, "vector": 3}.get(family, int(size))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("number", [0, 7, 999, 1000, 12_345])
def test_an_item_passes_its_own_checks(name: str, number: int):
    check_item(shape(name).item(number), shape(name).item(number))
    check_object(shape(name).values(number), shape(name), number)


@pytest.mark.parametrize("field", [field.name for field in shape("nested-11").fields])
def test_any_attribute_that_is_wrong_is_noticed(field: str):
    kind = shape("nested-11")
    (right,) = (each for each in kind.fields if each.name == field)
    item, values = kind.item(3), kind.values(3)
    other = kind.fields[0].value(0) if field == "title" else right.value(4)
    if field == "artist":
        other = "Nobody"

    with pytest.raises(ValueError, match=field):
        check_item({**item, field: attribute(right, other)}, item)
    with pytest.raises(ValueError, match=field):
        check_object({**values, field: other}, kind, 3)


@pytest.mark.parametrize(
    "found", [{}, {"plays": {"S": "21"}}, {"plays": {"N": "21"}, "more": {"S": ""}}, {"plays": 21}]
)
def test_other_attributes_and_other_types_are_noticed(found: dict[str, Any]):
    with pytest.raises(ValueError, match="plays"):
        check_item(found, {"plays": {"N": "21"}})


def test_numbers_are_compared_by_value_and_sets_without_order():
    check_item({"n": {"N": "21.50"}}, {"n": {"N": "21.5"}})
    check_item({"s": {"SS": ["b", "a"]}}, {"s": {"SS": ["a", "b"]}})


# --- Answers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["Query", "Scan"])
def test_pages_follow_one_another_and_hold_every_item_once(operation: str):
    pages = [asked(operation)]
    while "LastEvaluatedKey" in pages[-1]:
        pages.append(asked(operation, ExclusiveStartKey=pages[-1]["LastEvaluatedKey"]))

    assert [page["Count"] for page in pages] == [10, 10, 10, 5]
    items = [item for page in pages for item in page["Items"]]
    assert items == [shape("nested-11").item(number) for number in range(35)]


@pytest.mark.parametrize("segments", [1, 2, 3, 7])
def test_segments_share_the_table(segments: int):
    found: list[Any] = []
    for segment in range(segments):
        page = asked("Scan", Segment=segment, TotalSegments=segments)
        found += page["Items"]
        while "LastEvaluatedKey" in page:
            start = page["LastEvaluatedKey"]
            page = asked("Scan", Segment=segment, TotalSegments=segments, ExclusiveStartKey=start)
            found += page["Items"]

    assert found == [shape("nested-11").item(number) for number in range(35)]


def test_items_past_the_first_thousand_are_made_of_the_same_pieces_with_their_own_titles():
    table = canned.Table("flat-11.400.100000")

    items = json.loads(b"[" + table.body(1800, 2200) + b"]")

    assert items == [shape("flat-11").item(number) for number in range(1800, 2200)]


def test_what_is_not_there_is_refused():
    with pytest.raises(canned.Refused, match="no item"):
        asked("GetItem", Key=shape("nested-11").key(35))
    with pytest.raises(canned.Refused, match="no table"):
        asked("GetItem", TableName="songs", Key={})


# --- Requests ---------------------------------------------------------------------------------------


def test_a_request_that_botocore_signed_is_right():
    canned.check_signature(signed(), b"{}")


@pytest.mark.parametrize(
    ("changes", "body"),
    [
        ({}, b"{ }"),
        ({"x-amz-target": "DynamoDB_20120810.GetItem"}, b"{}"),
        ({"host": "127.0.0.2"}, b"{}"),
        ({"content-type": "application/json"}, b"{}"),
        ({"authorization": ""}, b"{}"),
        (
            {"x-amz-date": datetime(2026, 1, 1, tzinfo=timezone.utc).strftime("%Y%m%dT%H%M%SZ")},
            b"{}",
        ),
    ],
    ids=["body", "target", "host", "content type", "none", "date"],
)
def test_a_request_that_was_changed_since_is_refused(changes: dict[str, str], body: bytes):
    with pytest.raises(canned.Refused):
        canned.check_signature(signed(**changes), body)


def test_a_batch_counts_its_items():
    kind = shape("nested-11")
    puts = [{"PutRequest": {"Item": kind.item(number)}} for number in range(25)]

    assert canned.check_request("BatchWriteItem", {"RequestItems": {TABLE: puts}}) == 25
    with pytest.raises(canned.Refused, match="26 writes"):
        canned.check_request("BatchWriteItem", {"RequestItems": {TABLE: [*puts, puts[0]]}})


def test_an_item_that_is_written_wrong_is_noticed():
    item = shape("nested-11").item(3) | {"plays": {"N": "22"}}
    batch = {"RequestItems": {TABLE: [{"PutRequest": {"Item": item}}]}}

    with pytest.raises(ValueError, match="plays"):
        canned.check_request("PutItem", {"TableName": TABLE, "Item": item})
    with pytest.raises(ValueError, match="plays"):
        canned.check_request("BatchWriteItem", batch)


def test_a_key_that_is_made_of_fields_is_checked_as_they_are():
    kind = shape("keyed-11")
    item = kind.item(3)
    put = {"TableName": "keyed-11.10.35", "Item": item}

    assert kind.key(3) == {"pk": {"S": "ARTIST#Nina Simone"}, "sk": {"S": "SONG#Title 0000003"}}
    assert canned.check_request("PutItem", put) == 1
    for name in kind.computed:
        with pytest.raises((canned.Refused, ValueError), match=name):
            canned.check_request("PutItem", put | {"Item": {**item, name: {"S": "SONG#Title 4"}}})


UPDATE = {
    "TableName": TABLE,
    "Key": shape("nested-11").key(3),
    "UpdateExpression": "SET #0 = :0, genre = :1",
    "ExpressionAttributeNames": {"#0": "plays"},
    "ExpressionAttributeValues": {":0": {"N": "123"}, ":1": {"S": "soul"}},
}


def test_an_update_sets_what_it_should():
    assert canned.check_request("UpdateItem", UPDATE) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"UpdateExpression": "SET #0 = :0"},
        {"UpdateExpression": "SET #0 = :1, genre = :0"},
        {"UpdateExpression": "ADD #0 :0"},
        {"Key": shape("nested-11").key(99)},
    ],
)
def test_an_update_that_sets_something_else_is_noticed(change: dict[str, Any]):
    with pytest.raises((canned.Refused, ValueError)):
        canned.check_request("UpdateItem", {**UPDATE, **change})


@pytest.mark.parametrize(
    "change",
    [
        {"KeyConditionExpression": "title = :a"},
        {"ExpressionAttributeValues": {":a": {"S": "Nobody"}}},
        {"FilterExpression": "plays > :a"},
        {"ProjectionExpression": "artist, title"},
    ],
)
def test_a_query_for_something_else_is_noticed(change: dict[str, Any]):
    query = {
        "TableName": TABLE,
        "KeyConditionExpression": "artist = :a",
        "ExpressionAttributeValues": {":a": {"S": "Nina Simone"}},
    }
    assert canned.check_request("Query", query) == 0

    with pytest.raises(canned.Refused):
        canned.check_request("Query", {**query, **change})


def test_a_report_counts_and_says_what_was_wrong():
    ledger = canned.Ledger()
    right = json.dumps({"TableName": TABLE, "Item": shape("nested-11").item(3)}).encode()
    wrong = json.dumps({"TableName": TABLE, "Item": shape("nested-11").key(3)}).encode()
    for body in (right, wrong, right):
        ledger.note(signed(body), body)
    ledger.note(signed(right), wrong)

    report = ledger.report()

    assert report["requests"] == {"PutItem": 4}
    assert report["items"] == 2
    assert len(report["errors"]) == 2
    assert "signature" in report["errors"][1]
    assert ledger.report() == {"requests": {}, "items": 0, "errors": []}
