"""Scans of many segments at once: their pages as they arrive, and where each of them goes on.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html#Scan.ParallelScan
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from dynattrs.operations.flows import Flow, Start, Task, Wait, WaitAny
from dynattrs.operations.reading.pages import Limit, OrdinaryRequests, RawPage, Reading
from dynattrs.schema.table import AttributeMap, StoredItem

#: The least that a segment is asked for, where less than a page of each is wanted: a request costs half
#: a unit, however little it reads.
_LEAST: Final = 25


class Segments:
    """Several segments of a scan at once. Pages come in the order in which they arrive.

    Each segment has one page under way or waiting, so memory holds one page for each. Under a limit, where
    there is no filter, all together are asked for no more than is returned.

    Args:
        reading: How they are read.
        total: How many segments the table has.
        places: The segments that are not at their end, each with the key to go on after, or None.
        requests: The most that are sent; None for as many as it takes.
    """

    def __init__(
        self,
        reading: Reading,
        total: int,
        places: Mapping[int, AttributeMap | None],
        requests: int | None = None,
    ) -> None:
        self._reading = reading
        self._total = total
        self._requests = OrdinaryRequests(reading)
        self._limit = Limit(reading)
        self._left = requests
        #: Where each goes on that is not at its end, whether it is being read or not.
        self._places: dict[int, AttributeMap | None] = {**places}
        self._waiting: dict[int, None] = dict.fromkeys(places)
        #: The segments that are being read, and how many items each is asked for.
        self._tasks: dict[Task, tuple[int, int]] = {}
        #: How many times more is asked for than is left: segments may be empty.
        self._factor = 1

    def next(self) -> Flow[RawPage | None]:
        """The next page of any segment, or None at the end of all, and after the last request."""
        yield from self._begin()
        if not self._tasks:
            return None
        try:
            task = yield WaitAny(tuple(self._tasks))
            page = yield Wait(task)
        except BaseException:
            # Nothing runs on after an interruption. Asked again, all go on where they were.
            self._forget()
            raise
        segment, _ = self._tasks.pop(task)
        page = self._limit.take(page)
        if not page.count:
            self._factor *= 2
        if page.last_key is None:
            del self._places[segment]
        else:
            self._places[segment] = page.last_key
            self._waiting[segment] = None
        places: dict[int, StoredItem | None] = {**self._places}
        if page.cut:
            places[segment] = page.places[-1]
        page = attrs.evolve(page, segments=places)
        if self._limit.left == 0:
            self.close()
        else:
            yield from self._begin()
        return page

    def _begin(self) -> Flow[None]:
        while self._waiting and self._left != 0:
            size = self._share()
            if size == 0:
                break
            segment = next(iter(self._waiting))
            flow = self._requests.page(
                self._places[segment], size, Segment=segment, TotalSegments=self._total
            )
            task = yield Start(flow)
            self._tasks[task] = segment, self._reading.request_size(size) or 0
            del self._waiting[segment]
            if self._left is not None:
                self._left -= 1

    def _share(self) -> int | None:
        """How many items the next segment is asked for; None for as many as come, 0 for none."""
        left = self._limit.left
        if left is None or self._reading.plan.filter is not None:
            return None
        asked = sum(size for _, size in self._tasks.values())
        room = max(0, left * self._factor - asked)
        return min(left, room, max(_LEAST, -(-room // len(self._waiting))))

    def close(self) -> None:
        """Forget what is being fetched, without waiting for it."""
        self._places = {}
        self._forget()
        self._waiting = {}

    def _forget(self) -> None:
        for task, (segment, _) in self._tasks.items():
            task.cancel()
            self._waiting[segment] = None
        if self._left is not None:
            self._left += len(self._tasks)
        self._tasks = {}
