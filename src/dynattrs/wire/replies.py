"""Replies that hold items: their integrity, and attribute maps that stay as they came.

botocore's parser walks every attribute value through the service model, which costs several times
what reading the JSON does. Here such a reply is read in one go and left raw. Raw means: as the JSON
has it, so that B is base64 text.

The CRC32 that the service sends is checked on every reply, in every retry mode. botocore does so in
its `legacy` mode only: in `standard` mode a truncated GetItem reads as "no such item".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zlib import crc32

from dynattrs.errors import CorruptReply
from dynattrs.operations.flows import Decode


def check(operation: str, headers: Mapping[str, str], body: bytes) -> None:
    """Compare a reply with the CRC32 that the service sent with it.

    Raises:
        CorruptReply: They differ, or what was sent is no CRC32. What was asked for may have been done.
    """
    expected = headers.get("x-amz-crc32")
    if expected is None or (expected.isdecimal() and crc32(body) == int(expected)):
        return
    raise CorruptReply(operation, f"the reply of {len(body)} bytes does not match its CRC32")


# Measured (benchmarks/second_ways.py): 1826 -> 91 us a reply of 100 items.
# tests/unit/test_replies.py holds it to botocore's parser.
def read(
    operation: str, headers: Mapping[str, str], body: bytes, decode: Decode | None = None
) -> dict[str, Any]:
    """What a reply with the status 200 says, with the metadata that botocore adds.

    Args:
        operation: The service's name of the operation, for errors.
        headers: The reply's headers, their names in lower case.
        body: The reply; its CRC32 was checked.
        decode: Reads the bytes, where something else than plain JSON is wanted.

    Raises:
        CorruptReply: It is no JSON object.
    """
    # With the first reply: a program may import this library and ask nothing.
    import msgspec

    try:
        reply: Any = (decode or msgspec.json.decode)(body or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise no_json(operation, error) from error
    if not isinstance(reply, dict):
        raise no_json(operation, f"a {type(reply).__name__}")
    found: dict[str, Any] = reply
    found["ResponseMetadata"] = {
        "RequestId": headers.get("x-amzn-requestid", ""),
        "HTTPStatusCode": 200,
        "HTTPHeaders": headers if type(headers) is dict else dict(headers),
        "RetryAttempts": 0,
    }
    return found


def no_json(operation: str, why: object) -> CorruptReply:
    return CorruptReply(operation, f"the reply is no JSON: {why}")
