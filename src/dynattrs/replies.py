"""Replies on their way in: their integrity, and attribute maps that stay as they came.

botocore's parser walks every attribute value through the service model, which costs several times
what reading the JSON does. Here replies that hold items are read in one go and left raw; all others,
and all errors, are botocore's to parse. Raw means: as the JSON has it, so that B is base64 text.

The CRC32 that the service sends is checked on every reply, in every retry mode. botocore does so in
its `legacy` mode only: in `standard` mode a truncated GetItem reads as "no such item".

A client is never changed. `twin` makes another one around the same parts, and returns the client
itself where anything about it is not as expected.
"""

from __future__ import annotations

import warnings
from typing import Any, Final, cast
from zlib import crc32

from dynattrs.errors import CorruptReply

#: Output shapes that hold items, and no time stamps or other values that JSON lacks.
_ITEM_BEARING: Final = frozenset(
    {
        "BatchGetItemOutput",
        "BatchWriteItemOutput",
        "DeleteItemOutput",
        "ExecuteStatementOutput",
        "GetItemOutput",
        "PutItemOutput",
        "QueryOutput",
        "ScanOutput",
        "TransactGetItemsOutput",
        "TransactWriteItemsOutput",
        "UpdateItemOutput",
    }
)


def twin(client: Any) -> Any:
    """A client like *client* whose replies are checked and left raw.

    It shares the event emitter, the connections and the credentials, and registers nothing. What is
    not botocore's own DynamoDB client over JSON is returned as it is.
    """
    from botocore.client import BaseClient
    from botocore.endpoint import Endpoint

    if not isinstance(client, BaseClient) or client.meta.service_model.service_name != "dynamodb":
        return client
    endpoint = getattr(client, "_endpoint", None)
    if type(endpoint) is not Endpoint or not hasattr(endpoint, "_response_parser_factory"):
        warnings.warn(
            "this version of botocore is built differently than dynattrs expects: replies go the "
            "slower way, and their CRC32 is checked as botocore does it",
            RuntimeWarning,
            stacklevel=2,
        )
        return client
    # Not `copy.copy`: botocore's `__getattr__` sends it into an endless recursion.
    made = _again(client)
    made._endpoint = _again(endpoint)
    ordinary = cast("Any", endpoint)._response_parser_factory
    made._endpoint._response_parser_factory = _ParserFactory(ordinary)
    return made


def _again(original: Any) -> Any:
    made = object.__new__(type(original))
    made.__dict__.update(original.__dict__)
    return made


class _ParserFactory:
    """Stands where botocore's factory stood."""

    def __init__(self, ordinary: Any) -> None:
        self._ordinary = ordinary
        self._parser: _Parser | None = None

    def create_parser(self, protocol: str) -> Any:
        if protocol != "json":
            return self._ordinary.create_parser(protocol)
        if self._parser is None:
            self._parser = _Parser(self._ordinary.create_parser(protocol))
        return self._parser


class _Parser:
    """Reads replies that hold items, and hands the others on."""

    def __init__(self, ordinary: Any) -> None:
        # Imported with the first reply: a program may import this library and ask nothing.
        import msgspec

        self._ordinary = ordinary
        self._decode = msgspec.json.decode
        self._damaged = msgspec.DecodeError

    def parse(self, response: dict[str, Any], shape: Any) -> dict[str, Any]:
        name = getattr(shape, "name", "")
        check(response, name.removesuffix("Output"))
        if response["status_code"] != 200 or name not in _ITEM_BEARING:
            parsed: dict[str, Any] = self._ordinary.parse(response, shape)
            return parsed
        try:
            reply = self._decode(response["body"] or b"{}")
        except self._damaged as error:
            raise CorruptReply(
                name.removesuffix("Output"), f"the reply is no JSON: {error}"
            ) from error
        headers = {key.lower(): value for key, value in response["headers"].items()}
        reply["ResponseMetadata"] = {
            "RequestId": headers.get("x-amzn-requestid", ""),
            "HTTPStatusCode": 200,
            "HTTPHeaders": headers,
        }
        found: dict[str, Any] = reply
        return found


def check(response: dict[str, Any], operation: str) -> None:
    """Compare a reply with the CRC32 that the service sent with it.

    Raises:
        CorruptReply: They differ. What was asked for may have been done.
    """
    expected = response["headers"].get("x-amz-crc32")
    if expected is not None and crc32(response["body"]) != int(expected):
        raise CorruptReply(
            operation, f"the reply of {len(response['body'])} bytes does not match its CRC32"
        )
