"""Requests and replies that carry items: which operations they are, and what all of them say."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, Final

from dynattrs.deferral import pattern
from dynattrs.expressions.conditions import expressions
from dynattrs.mapper.anything import native_map
from dynattrs.schema.messages import Message
from dynattrs.schema.table import AttributeMap

#: The operations whose requests or replies carry items: the service's names by the client's methods.
#: All of them say what they cost when they are asked to.
ITEM_OPERATIONS: Final = {
    "batch_execute_statement": "BatchExecuteStatement",
    "batch_get_item": "BatchGetItem",
    "batch_write_item": "BatchWriteItem",
    "delete_item": "DeleteItem",
    "execute_statement": "ExecuteStatement",
    "execute_transaction": "ExecuteTransaction",
    "get_item": "GetItem",
    "put_item": "PutItem",
    "query": "Query",
    "scan": "Scan",
    "search_vectors": "SearchVectors",
    "transact_get_items": "TransactGetItems",
    "transact_write_items": "TransactWriteItems",
    "update_item": "UpdateItem",
}

#: The operations of DynamoDB Streams, which are another client's.
STREAM_OPERATIONS: Final = {
    "describe_stream": "DescribeStream",
    "get_records": "GetRecords",
    "get_shard_iterator": "GetShardIterator",
    "list_streams": "ListStreams",
}

#: What `session.tables` asks for.
TABLE_OPERATIONS: Final = frozenset(
    (
        "CancelBulkOperation",
        "CreateBackup",
        "CreateTable",
        "DeleteBackup",
        "DeleteResourcePolicy",
        "DeleteTable",
        "DescribeBackup",
        "DescribeBulkOperation",
        "DescribeContinuousBackups",
        "DescribeContributorInsights",
        "DescribeExport",
        "DescribeImport",
        "DescribeKinesisStreamingDestination",
        "DescribeLimits",
        "DescribeTable",
        "DescribeTimeToLive",
        "DisableKinesisStreamingDestination",
        "EnableKinesisStreamingDestination",
        "ExportTableToPointInTime",
        "GetResourcePolicy",
        "ImportTable",
        "ListBackups",
        "ListBulkOperations",
        "ListContributorInsights",
        "ListExports",
        "ListImports",
        "ListTables",
        "ListTagsOfResource",
        "PutResourcePolicy",
        "RestoreTableFromBackup",
        "RestoreTableToPointInTime",
        "StartBulkPutItems",
        "TagResource",
        "UntagResource",
        "UpdateContinuousBackups",
        "UpdateContributorInsights",
        "UpdateKinesisStreamingDestination",
        "UpdateTable",
        "UpdateTimeToLive",
    )
)


def asking_for(attributes: frozenset[str] | None) -> Message:
    """What a request says of the attributes that are wanted: nothing where all are."""
    return {} if attributes is None else expressions((), projection=sorted(attributes))


def operation_name(method: str) -> str:
    """`PutItem` for `put_item`."""
    return "".join(word.capitalize() for word in method.split("_"))


#: As it stands in the ARN of a stream, which the iterator of a shard begins with.
_IN_ARN: Final = pattern(r":table/([^/|]+)/stream/")


def table_of_stream(parameters: Message) -> str | None:
    """The table of a request about a stream, as far as the request tells it."""
    said = parameters.get("StreamArn") or parameters.get("ShardIterator")
    found = None if said is None else _IN_ARN.search(str(said))
    return None if found is None else found[1]


#: What stands before an item in the JSON of a put, and after it.
_BEFORE, _AFTER = len(b'{"PutRequest":{"Item":'), len(b"}}")


def packed_item(request: Any) -> Any:
    """The item of a request that is JSON, as JSON; both are a `msgspec.Raw`."""
    return type(request)(bytes(request)[_BEFORE:-_AFTER])


def unpacked(parameters: Message) -> Message:
    """The parameters of a request as clients take them: with attribute maps instead of JSON."""
    import msgspec

    if "RequestItems" in parameters:
        items = {
            table: [
                {"PutRequest": {"Item": item_in(each)}} if isinstance(each, msgspec.Raw) else each
                for each in requests
            ]
            for table, requests in parameters["RequestItems"].items()
        }
        return {**parameters, "RequestItems": items}
    if "TransactItems" in parameters:
        actions = [
            {kind: unpacked(part) for kind, part in action.items()}
            for action in parameters["TransactItems"]
        ]
        return {**parameters, "TransactItems": actions}
    put = parameters.get("Item")
    if not isinstance(put, msgspec.Raw):
        return parameters
    return {**parameters, "Item": native_map(msgspec.json.decode(put))}


def item_in(request: Any) -> AttributeMap:
    """The item of a request that is JSON."""
    import msgspec

    return native_map(msgspec.json.decode(request)["PutRequest"]["Item"])


def some_of(request: Any, names: Iterable[str]) -> AttributeMap:
    """Those of some attributes that the item of a request that is JSON has."""
    import msgspec

    item = _members_of()(packed_item(request))
    return native_map({name: msgspec.json.decode(item[name]) for name in names if name in item})


@functools.cache
def _members_of() -> Callable[[Any], dict[str, Any]]:
    import msgspec

    return msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
