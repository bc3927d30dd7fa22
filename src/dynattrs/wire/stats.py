"""What a session has asked of the service so far."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any, Final

import attrs

from dynattrs.events import consumed_by, count_in, returned_in, unprocessed_in

# Operations that change items; what others name is read, if it is there.
_WRITES: Final = frozenset(
    {"BatchWriteItem", "DeleteItem", "PutItem", "TransactWriteItems", "UpdateItem"}
)


@attrs.define
class Stats:
    """What a session has asked of the service so far.

    Attributes:
        requests: Requests that were answered, by operation (`PutItem`).
        items: Items that were read or written, by operation.
        retries: Attempts beyond the first within requests, botocore's and our own.
        unprocessed: Writes and keys that answers left to be sent again.
        capacity: Capacity units consumed, by operation, as far as the engine says.
        scanned: Items that queries and scans read.
        returned: Items that queries and scans gave for them, after filters.
        direct: Requests that were sent without botocore's machinery, which is the fast way.
    """

    requests: Counter[str] = attrs.field(factory=Counter)
    items: Counter[str] = attrs.field(factory=Counter)
    retries: int = 0
    unprocessed: int = 0
    capacity: Counter[str] = attrs.field(factory=Counter)
    scanned: int = 0
    returned: int = 0
    direct: int = 0
    _lock: threading.Lock = attrs.field(factory=threading.Lock, repr=False, eq=False)

    @property
    def total(self) -> int:
        """All requests that were answered."""
        return sum(self.requests.values())

    def retry(self) -> None:
        """Count an attempt of our own beyond the first."""
        with self._lock:
            self.retries += 1

    def count(
        self,
        operation: str,
        parameters: dict[str, Any],
        response: dict[str, Any],
        *,
        direct: bool = False,
    ) -> None:
        metadata = response.get("ResponseMetadata")
        left = unprocessed_in(response)
        units: Any = consumed_by(response)
        items = count_in(parameters) - left if operation in _WRITES else returned_in(response)
        with self._lock:
            self.requests[operation] += 1
            if items:
                self.items[operation] += items
            self.direct += direct
            if metadata:
                self.retries += metadata.get("RetryAttempts", 0)
            self.unprocessed += left
            if units:
                self.capacity[operation] += units
            if "ScannedCount" in response:
                self.scanned += response["ScannedCount"]
                self.returned += response.get("Count", 0)
