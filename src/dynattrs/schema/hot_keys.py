"""Which partition keys were throttled most, in a memory that does not grow.

The counting is "Space-Saving": the few that are kept are sure to hold every key that has more than its
share of what was counted; a key that comes for the least one takes its count over.

https://www.cs.ucsb.edu/sites/default/files/documents/2005-23.pdf
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from typing import Any, Final

from dynattrs.late_classes import field, frozen

#: So many are counted, and so many are shown.
_COUNTED: Final = 64
_SHOWN: Final = 10


@frozen
class HotKey:
    """A partition key whose writes or reads were throttled.

    Attributes:
        table: The real name of the table.
        attribute: The name of the partition key.
        digest: Stands for the value where that must not be shown: see `digest_of`.
        throttled: How many writes and keys were left; of keys that are seldom, at most.
        value: The value as it is stored. `repr` does not show it.
    """

    table: str
    attribute: str
    digest: str
    throttled: int
    value: Any = field(repr=False)


def digest_of(tag: str, value: object) -> str:
    """A short hash of a stored value, `("S", "USER#42")`, which is the same in all processes."""
    text = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
    return hashlib.sha256(tag.encode() + b":" + text).hexdigest()[:12]


class HotKeys:
    """The partition keys that were throttled most, the first one most. Safe between threads."""

    def __init__(self) -> None:
        self._counts: dict[tuple[Any, ...], int] = {}
        self._lock = threading.Lock()

    def forked(self) -> None:
        """This is a child process: it counts for itself."""
        self._lock, self._counts = threading.Lock(), {}

    def throttled_before(self, partition: tuple[Any, ...]) -> bool:
        return partition in self._counts

    def count(self, partition: tuple[Any, ...], times: int) -> None:
        """A partition, (table, name, tag, value), has left so many."""
        with self._lock:
            counts = self._counts
            if partition not in counts and len(counts) >= _COUNTED:
                least = min(counts, key=counts.__getitem__)
                times += counts.pop(least)
            counts[partition] = counts.get(partition, 0) + times

    def __iter__(self) -> Iterator[HotKey]:
        with self._lock:
            most = sorted(self._counts.items(), key=lambda each: -each[1])[:_SHOWN]
        for (table, name, tag, value), count in most:
            yield HotKey(table, name, digest_of(tag, value), count, value)

    def __len__(self) -> int:
        return min(len(self._counts), _SHOWN)

    def __repr__(self) -> str:
        return f"{list(self)}"
