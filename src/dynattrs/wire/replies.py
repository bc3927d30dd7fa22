"""Whether a reply is one.

A reply that is none must never read as "no such item", nor as a refusal. botocore's parser takes a page
of HTML, JSON that was cut off, and nothing at all for an empty answer, or, of a failure, for the
service's message. So each reply has to be a JSON object with members of such a reply, on every way that
a call may go. The CRC32 that the service sends is checked on every reply, in every retry mode; botocore
does so in its `legacy` mode only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

from dynattrs.errors import CorruptReply
from dynattrs.quoting import shortened
from dynattrs.schema.messages import Message
from dynattrs.wire.attempts import NOT_PASSED_ON

#: From here on a status tells of a failure, which botocore's parser reads.
FAILED: Final = 301
_OK: Final = 200
_NO_CONTENT: Final = 204
_REFUSED: Final = 400
_BROKEN: Final = 500

#: What replies that hold items, or acknowledge their writing, are made of. A reply has some of these,
#: or is an empty object; tests/property/test_requests.py holds them to the service model.
MEMBERS: Final = frozenset(
    {
        "Attributes",
        "ConsumedCapacity",
        "Count",
        "Item",
        "ItemCollectionMetrics",
        "Items",
        "LastEvaluatedKey",
        "NextToken",
        "Responses",
        "ScannedCount",
        "SearchResults",
        "UnprocessedItems",
        "UnprocessedKeys",
    }
)

#: The member that tells of a failure, of what kind it is.
KIND: Final = "__type"
CHECKSUM: Final = "x-amz-crc32"

EMPTY: Final = "the reply is empty, and so it is damaged or another program's"
OTHERS: Final = "none of its members is one of DynamoDB's"


def judge(
    operation: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    members: AbstractSet[str] | None,
    *,
    must_say: bool,
) -> None:
    """Refuse a reply that botocore's parser would read something into.

    Args:
        operation: The service's name of the operation, for errors.
        status: The HTTP status, which does not tell of a failure.
        headers: The reply's headers.
        body: The reply; its CRC32 was checked.
        members: Those that such a reply may have; None if the operation's reply is empty.
        must_say: Whether nothing, with a status that says so, is not an answer.

    Raises:
        CorruptReply: It is not a JSON object, another program's, or no reply at all yet.
    """
    import msgspec

    if status < _OK:
        # The standard library's client takes it for the reply that it announces.
        raise CorruptReply(operation, f"the status {status} only announces a reply")
    if not body:
        silent = members is None or (status == _NO_CONTENT and not must_say)
        if silent or (status == _OK and CHECKSUM in headers):
            return
        raise CorruptReply(operation, EMPTY)
    try:
        found = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise no_reply(operation, headers, body, error) from error
    if found and ((members is not None and members.isdisjoint(found)) or KIND in found):
        raise no_reply(operation, headers, body, OTHERS)


def refusal(operation: str, status: int, headers: Mapping[str, str], body: bytes) -> Message | None:
    """The error that a reply with the status of a failure tells of, in botocore's form; None if it is
    the service's own, which botocore's parser reads.

    DynamoDB refuses with the status 400 and a JSON object that has a `__type`. What stands in the way
    (a proxy, a VPC endpoint, a login page) has other statuses and any text. That is judged by its
    status, as botocore's retries are; whether a write was done behind it cannot be known.

    Raises:
        CorruptReply: It is DynamoDB's and damaged, or tells of no failure at all.
    """
    from http.client import responses as phrases  # which brings ssl, as any call does

    found: Any = None
    why: object = "it has no __type, as DynamoDB's have"
    try:
        found = json.loads(body.decode())  # as botocore's parser reads it
    except (ValueError, RecursionError):
        why = "it is not JSON" if body else "it is empty"
    known = found if isinstance(found, dict) else {}
    if known.get(KIND) and isinstance(known[KIND], str):
        return None
    ours = not known and body.lstrip().startswith(b"{")
    if status == _REFUSED or (ours and status < _BROKEN and status not in NOT_PASSED_ON):
        raise no_reply(operation, headers, body, f"with the status {status}, {why}")
    said = known.get("message", known.get("Message"))
    message = f"{phrases.get(status, '')}: {shortened(said)}" if isinstance(said, str) else ""
    message = message or f"{phrases.get(status, '')}, in a reply that is not DynamoDB's"
    return {
        "Error": {"Code": str(status), "Message": message + _beginning(headers, body)},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": dict(headers)},
    }


def keep_unknown(parsed: Message, body: bytes) -> None:
    """Put into a parsed reply what its body has beyond it. botocore's parser drops the members that its
    service model does not know; they stay as JSON has them, where a number may be a time.
    """
    if body:
        _add_unknown(parsed, json.loads(body))


def _add_unknown(parsed: Any, found: Any) -> None:
    if isinstance(parsed, dict) and isinstance(found, dict):
        for name, value in found.items():
            if name not in parsed and value is not None:
                parsed[name] = value
            else:
                _add_unknown(parsed.get(name), value)
    elif isinstance(parsed, list) and isinstance(found, list) and len(parsed) == len(found):
        for member, value in zip(parsed, found, strict=True):
            _add_unknown(member, value)


#: Of a reply that is another program's so much is shown.
_SHOWN: Final = 40


def no_reply(operation: str, headers: Mapping[str, str], body: bytes, why: object) -> CorruptReply:
    """The error for a reply that is damaged, or that something else than DynamoDB has sent."""
    problem = f"the reply is damaged or another program's: {why}"
    return CorruptReply(operation, problem + _beginning(headers, body))


def _beginning(headers: Mapping[str, str], body: bytes) -> str:
    """How another program's reply begins. One that says it is JSON may be the service's, or a piece of
    such, whose items are not for messages.
    """
    page = body.lstrip().startswith(b"<") or "json" not in headers.get("content-type", "json")
    return f"; it begins with {body[:_SHOWN]!r}" if page and body else ""
