"""Requests and replies on the wire: what botocore and the standard library make of the same."""

from __future__ import annotations

import http.client
import io
import json
from typing import Any
from zlib import crc32

import boto3
import msgspec
import pytest
from botocore.parsers import ResponseParserFactory
from hypothesis import given
from hypothesis import strategies as st

from dynattrs.errors import CorruptReply
from dynattrs.mapper.anything import native_map
from dynattrs.operations.requests import ITEM_OPERATIONS, unpacked
from dynattrs.wire.exchange import check, read
from dynattrs.wire.http_replies import read_reply
from dynattrs.wire.replies import MEMBERS, judge

from strategies import decimals, ints, texts

_CLIENT: Any = boto3.client(
    "dynamodb", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
)

_numbers = ints.map(str) | decimals().map(str)
_binaries = st.binary(max_size=12)
_scalars = st.one_of(
    st.fixed_dictionaries({"S": texts}),
    st.fixed_dictionaries({"N": _numbers}),
    st.fixed_dictionaries({"B": _binaries}),
    st.fixed_dictionaries({"BOOL": st.booleans()}),
    st.just({"NULL": True}),
    st.fixed_dictionaries({"SS": st.lists(texts, max_size=3)}),
    st.fixed_dictionaries({"NS": st.lists(_numbers, max_size=3)}),
    st.fixed_dictionaries({"BS": st.lists(_binaries, max_size=3)}),
)
# An attribute may be called as the tags, and the parts of requests, are.
_names = texts | st.sampled_from(["S", "B", "M", "Item", "PutRequest"])
_values = st.recursive(
    _scalars,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"L": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"M": st.dictionaries(_names, inner, max_size=3)}),
    ),
    max_leaves=12,
)
items = st.dictionaries(_names, _values, max_size=5)


def serialized(operation: str, parameters: dict[str, Any]) -> Any:
    """What botocore would send."""
    shape = _CLIENT.meta.service_model.operation_model(operation)
    return json.loads(
        _CLIENT._serializer._serializer.serialize_to_request(parameters, shape)["body"]
    )


def packed(item: dict[str, Any]) -> msgspec.Raw:
    """The request to put *item* as a mapper packs it."""
    return msgspec.Raw(b'{"PutRequest":{"Item":%b}}' % msgspec.json.encode(item))


def batch(*requests: Any) -> dict[str, Any]:
    return {"RequestItems": {"t": list(requests)}, "ReturnConsumedCapacity": "TOTAL"}


@given(items, items)
def test_a_request_is_the_json_that_botocore_makes(item: Any, key: Any) -> None:
    put = {"TableName": "t", "Item": item, "ExpressionAttributeValues": {":0": {"M": key}}}
    delete = {"DeleteRequest": {"Key": key}}
    plain = batch({"PutRequest": {"Item": item}}, delete)

    assert json.loads(msgspec.json.encode(put)) == serialized("PutItem", put)
    assert json.loads(msgspec.json.encode(plain)) == serialized("BatchWriteItem", plain)
    sent = msgspec.json.encode(batch(packed(item), delete))
    assert json.loads(sent) == serialized("BatchWriteItem", plain)


@given(items, items)
def test_clients_get_the_attribute_maps_of_what_was_packed(item: Any, key: Any) -> None:
    delete = {"DeleteRequest": {"Key": key}}
    given = batch(packed(item), delete)

    assert isinstance(given["RequestItems"]["t"][0], msgspec.Raw)
    assert unpacked(given) == batch({"PutRequest": {"Item": item}}, delete)
    assert isinstance(given["RequestItems"]["t"][0], msgspec.Raw)  # to be sent again


# --- Replies ------------------------------------------------------------------------------------

_PARSER = ResponseParserFactory().create_parser("json")


@given(st.lists(items, max_size=3), st.text("abc-123", max_size=8))
def test_a_reply_is_read_as_botocore_parses_it_but_for_binary_values(found: Any, number: str):
    body = msgspec.json.encode({"Items": found, "Count": len(found), "ScannedCount": 7})
    headers = {"x-amzn-requestid": number, "x-amz-crc32": str(crc32(body))}
    shape = _CLIENT.meta.service_model.operation_model("Query").output_shape
    expected = _PARSER.parse({"status_code": 200, "headers": headers, "body": body}, shape)

    check("Query", headers, body)
    reply = read("Query", headers, body)

    reply["Items"] = [native_map(item) for item in reply["Items"]]
    assert reply.pop("ResponseMetadata").pop("RetryAttempts") == 0
    expected.pop("ResponseMetadata")
    assert reply == expected == {"Items": found, "Count": len(found), "ScannedCount": 7}


def test_the_members_of_replies_are_those_of_the_service_model():
    service = _CLIENT.meta.service_model
    known = [name for name in ITEM_OPERATIONS.values() if name in service.operation_names]
    shapes = [service.operation_model(name).output_shape for name in known]

    # (Older versions of botocore lack the newest operation.)
    newest = {"SearchResults"} if "SearchVectors" not in known else set[str]()
    assert {name for shape in shapes for name in shape.members} | newest == MEMBERS


@given(st.lists(items, max_size=2), st.data())
def test_no_part_of_a_reply_is_a_reply(found: Any, data: st.DataObject):
    """Without a checksum the JSON alone has to tell, whichever way the reply goes."""
    body = msgspec.json.encode({"Items": found, "Count": len(found), "ScannedCount": 7})
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, len(body)))
    part = body[start:end] + data.draw(st.sampled_from([b"", b"", b"<html>", b"\0", b"}"]))
    if part in (body, b"{}"):  # which is a whole reply, of a GetItem that found nothing
        return

    with pytest.raises(CorruptReply):
        read("Query", {}, part)
    with pytest.raises(CorruptReply):
        judge("Query", 200, {}, part, MEMBERS, must_say=True)


class _Pieces:
    """A socket from which bytes come in pieces."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._data = io.BytesIO(data)
        self._sizes = sizes

    def recv(self, most: int) -> bytes:
        return self._data.read(min(most, self._sizes.pop(0) if self._sizes else most))

    def makefile(self, mode: str) -> Any:
        return self._data


_names = st.sampled_from(["X-One", "x-two", "Date", "Server"])
_texts = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=6)


@given(
    st.binary(max_size=300),
    st.dictionaries(_names, _texts, max_size=3),
    st.lists(st.integers(1, 60), max_size=4),
    st.lists(st.integers(1, 40), max_size=12),
    st.sampled_from([200, 204, 304]) | st.integers(200, 599),
    st.sampled_from(["length", "lengths", "chunks", "end"]),
    st.sampled_from(["1.1", "1.0"]),
)
def test_a_reply_is_read_as_the_standard_library_reads_it(
    body: bytes,
    headers: dict[str, str],
    chunks: list[int],
    sizes: list[int],
    status: int,
    framing: str,
    version: str,
):
    """With a length, perhaps stated twice, in chunks, or up to the end; and in whatever pieces."""
    lines = [f"{name}: {value}" for name, value in headers.items()]
    content = body
    if status in (204, 304):
        content = body = b""
    if framing == "chunks" and version == "1.1" and body:
        lines.append("Transfer-Encoding: chunked")
        content, rest = b"", body
        for size in [*chunks, len(body)]:
            piece, rest = rest[:size], rest[size:]
            content += b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
        content += b"0\r\n\r\n"
    elif framing != "end":
        lines += [f"Content-Length: {len(body)}"] * (2 if framing == "lengths" else 1)
    data = (
        f"HTTP/{version} {status} Reason\r\n".encode()
        + "\r\n".join([*lines, "", ""]).encode()
        + content
    )
    theirs = http.client.HTTPResponse(_Pieces(data, []))  # type: ignore[arg-type]
    theirs.begin()

    ours = read_reply(_Pieces(data, sizes))

    assert (ours.status, ours.body) == (theirs.status, theirs.read())
    assert ours.body == body
    grouped: dict[str, str] = {}
    for name, value in theirs.getheaders():
        known = grouped.get(name.lower())
        grouped[name.lower()] = value if known is None else f"{known}, {value}"
    assert ours.headers == grouped
    assert ours.reusable == (version == "1.1" and not theirs.will_close)
