"""The JSON of requests: what botocore's serializer makes of the same parameters."""

from __future__ import annotations

import json
from typing import Any

import boto3
import msgspec
from hypothesis import given
from hypothesis import strategies as st

from dynattrs.operations.requests import unpacked

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
