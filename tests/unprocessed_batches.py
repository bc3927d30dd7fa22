"""Part of each batch is left unprocessed, as the service does under load.

Hooks of botocore's take requests out of what is sent, so that the engine really does not apply them,
and put them into the reply as the service would.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any


class Leaving:
    """Leaves the end of every batch that a client sends unprocessed.

    Args:
        client: The client to hook into.
        kept: How many of so many requests to one table are done. One at least is.

    Attributes:
        left: How many requests were left so far.
    """

    def __init__(self, client: Any, kept: Callable[[int], int]) -> None:
        self._kept = kept
        self.left = 0
        client.meta.events.register("before-call.dynamodb.BatchWriteItem", self._before)
        client.meta.events.register("after-call.dynamodb.BatchWriteItem", self._after)

    def _before(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        body = json.loads(params["body"])
        kept: dict[str, list[Any]] = {}
        left: dict[str, list[Any]] = {}
        for table, requests in body["RequestItems"].items():
            place = max(1, self._kept(len(requests)))
            kept[table] = requests[:place]
            if requests[place:]:
                left[table] = requests[place:]
        body["RequestItems"] = kept
        params["body"] = json.dumps(body).encode()
        context["left"] = left
        self.left += sum(map(len, left.values()))

    def _after(
        self, http_response: Any, parsed: dict[str, Any], context: dict[str, Any], **_: Any
    ) -> None:
        if http_response.status_code == 200:
            parsed["UnprocessedItems"] = {
                table: [_as_parsed(request) for request in requests]
                for table, requests in context["left"].items()
            }


def halving(client: Any) -> Leaving:
    """Leaves half of every batch of two or more unprocessed."""
    return Leaving(client, lambda count: (count + 1) // 2)


def _as_parsed(value: Any) -> Any:
    """As botocore's parser gives it: bytes in place of base64."""
    if isinstance(value, dict):
        return {
            name: base64.b64decode(each)
            if name == "B" and isinstance(each, str)
            else _as_parsed(each)
            for name, each in value.items()
        }
    return [_as_parsed(each) for each in value] if isinstance(value, list) else value
