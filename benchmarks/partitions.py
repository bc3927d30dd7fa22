"""Tables with a partition that takes only so much, as the canned server answers for them.

    partitions.LATENCY.RATE        partitions.5.200

is a table whose partition "hot" takes RATE writes, or reads, a second; what is more is left unprocessed,
or, where nothing of a request could be done, refused as the service refuses it. It saves up what
it takes in one second. All other partitions take everything. Answers come after LATENCY milliseconds.

An item is {"part": S, "number": N, "text": S}; which have been stored, and when, is in the report.
"""

from __future__ import annotations

import functools
import json
import re
import time
from typing import Any

HOT = "hot"
NAME = re.compile(rb'"(partitions\.[0-9]+\.[0-9]+)"')
#: How many seconds' worth a partition saves up.
SAVED = 1.0


class Partitions:
    """One such table."""

    def __init__(self, name: str) -> None:
        _, latency, rate = name.split(".")
        self.latency = int(latency) / 1000
        self.rate = int(rate)
        self.clear()

    def clear(self) -> None:
        self.stored: dict[tuple[str, str], str] = {}
        self.requests = 0
        self.wrong: list[str] = []
        self.first = self.last_cold = self.last_hot = 0.0
        self._room, self._at = self.rate * SAVED, time.monotonic()

    def takes(self, part: str) -> bool:
        now = time.monotonic()
        if part != HOT:
            self.last_cold = now
            return True
        self._room = min(self.rate * SAVED, self._room + (now - self._at) * self.rate)
        self._at = now
        if self._room < 1:
            return False
        self._room -= 1
        self.last_hot = now
        return True

    def asked(self) -> None:
        self.requests += 1
        self.first = self.first or time.monotonic()

    def write(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What is left of some writes."""
        left = []
        keys = set()
        for request in requests:
            item = request["PutRequest"]["Item"]
            part, number, text = item["part"]["S"], item["number"]["N"], item["text"]["S"]
            keys.add((part, number))
            if set(item) != {"part", "number", "text"} or not text.startswith(f"text {number} "):
                self.wrong.append(f"{item} was written")
            if self.takes(part):
                self.stored[part, number] = text
            else:
                left.append(request)
        if len(keys) < len(requests) or len(requests) > 25:
            self.wrong.append(f"{len(requests)} writes to {len(keys)} keys")
        return left

    def read(self, keys: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Items of some keys, and the keys that are left."""
        found, left = [], []
        for key in keys:
            part, number = key["part"]["S"], key["number"]["N"]
            if self.takes(part):
                found.append({**key, "text": {"S": f"text {number} "}})
            else:
                left.append(key)
        return found, left

    def report(self) -> dict[str, Any]:
        found = {
            "stored": len(self.stored),
            "requests": self.requests,
            "wrong": self.wrong[:5],
            "cold": self.last_cold - self.first,
            "hot": self.last_hot - self.first,
        }
        self.clear()
        return found


@functools.lru_cache
def partitions_called(name: str) -> Partitions:
    return Partitions(name)


def named_in(body: bytes) -> bool:
    return NAME.search(body) is not None


def answer(operation: str, body: bytes) -> tuple[int, dict[str, Any], float]:
    """The status and the reply to a batch, and the seconds to wait before it."""
    request = json.loads(body)["RequestItems"]
    ((name, asked),) = request.items()
    table = partitions_called(name)
    table.asked()
    reply: dict[str, Any]
    if operation == "BatchWriteItem":
        left = table.write(asked)
        reply = {"UnprocessedItems": {name: left} if left else {}}
        nothing = len(left) == len(asked)
    else:
        found, left = table.read(asked["Keys"])
        again = {name: {**asked, "Keys": left}} if left else {}
        reply = {"Responses": {name: found}, "UnprocessedKeys": again}
        nothing = not found
    if nothing:
        kind = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"
        message = "The level of configured provisioned throughput for the table was exceeded."
        return 400, {"__type": kind, "message": message}, table.latency
    return 200, reply, table.latency
