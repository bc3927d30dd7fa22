"""Writing no faster than so many capacity units a second, in all threads or tasks of who was told so.

A write waits for its turn before it is sent. What it will consume is judged from its size, and put right
when the answer says it: indexes cost as well, and an item that is replaced counts by the larger of both.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from dynattrs import clock
from dynattrs.mapper.size import item_size
from dynattrs.operations.flows import Call
from dynattrs.schema.messages import Message
from dynattrs.wire.client import Beside, PendingReply
from dynattrs.wire.exchange import capacity_in, count_in

if TYPE_CHECKING:
    from dynattrs.wire.instruments import Instruments

#: A unit writes so many bytes of one item.
_UNIT: Final = 1024
#: How many seconds' units may be saved up while nothing is written.
_SAVED: Final = 1.0

_TRANSACTION: Final = "transact_write_items"
_STATEMENTS: Final = frozenset(
    {"batch_execute_statement", "execute_statement", "execute_transaction"}
)
_WRITES: Final = frozenset(
    {"batch_write_item", "delete_item", "put_item", "update_item", _TRANSACTION}
)


class WriteRate:
    """Turns for writes. Safe between threads.

    Args:
        units: Write capacity units a second.
    """

    def __init__(self, units: float) -> None:
        self.units = units
        self._lock = threading.Lock()
        #: When all that was let through would have been written at the rate.
        self._until = -math.inf

    def turn(self, units: float, now: float) -> float:
        """How many seconds a write of so many units waits, which then has its turn."""
        with self._lock:
            self._until = max(self._until, now - _SAVED)
            wait = max(0.0, self._until - now)
            self._until += units / self.units
            return wait

    def settle(self, judged: float, consumed: float) -> None:
        """A write has consumed more or less than was judged."""
        if judged != consumed:
            with self._lock:
                self._until += (consumed - judged) / self.units


def write_units(call: Call) -> float:
    """How many units a call will consume, as far as its request says; 0 where it writes nothing."""
    parameters = call.parameters
    if call.operation in _STATEMENTS:
        # What of PartiQL may be sent again reads; of transactions, what has no token.
        if call.operation == "execute_transaction":
            return 2.0 * count_in(parameters) * ("ClientRequestToken" in parameters)
        return 0.0 if call.repeat else float(count_in(parameters) or 1)
    if call.operation not in _WRITES:
        return 0.0
    if "RequestItems" in parameters:
        requests = parameters["RequestItems"].values()
        return float(sum(_units_of(each) for several in requests for each in several))
    if call.operation == _TRANSACTION:
        acts = (act for each in parameters["TransactItems"] for act in each.values())
        return 2.0 * sum(_units(act.get("Item")) for act in acts)
    return float(_units(parameters.get("Item")))


def _units_of(write: Any) -> int:
    """Those of a write of a batch, which may be JSON already."""
    if not isinstance(write, Mapping):
        return _units(write)
    put = write.get("PutRequest")
    return _units(None if put is None else put["Item"])


def _units(item: Any) -> int:
    """Those of an item that is put; of what is changed or deleted only the answer says how large it is."""
    if item is None:
        return 1
    # JSON is longer than what it says, by less than half in most items; the answer puts that right.
    size = item_size(item) if isinstance(item, dict) else len(item)
    return max(1, -(-size // _UNIT))


def consumed_in(response: Message) -> float | None:
    """What an answer says was consumed; None where the engine does not say it."""
    return sum(capacity_in(response).values()) if response.get("ConsumedCapacity") else None


def _turn(rate: WriteRate, call: Call, instruments: Instruments | None) -> tuple[float, float]:
    """How many units a call is judged to consume, and how many seconds it waits for its turn."""
    units = write_units(call)
    now = clock.monotonic() if instruments is None else instruments.monotonic()
    return units, rate.turn(units, now) if units else 0.0


class RatedLine:
    """A wire whose writes wait for their turns."""

    def __init__(
        self, line: Any, instruments: Callable[[], Instruments | None], rate: WriteRate
    ) -> None:
        self._line = line
        self._instruments = instruments
        self._rate = rate

    def call(self, call: Call) -> Any:
        """As the wire's."""
        judged, call = self._wait(call)
        response: Message = self._line.call(call)
        self._settle(judged, response)
        return response

    def begin(
        self, call: Call, announce: Callable[[PendingReply], object] | None = None
    ) -> PendingReply | None:
        """As the wire's."""
        judged, call = self._wait(call)
        begun: PendingReply | None = self._line.begin(call, announce)
        if begun is None:  # the call comes once more, by `call`
            self._rate.settle(judged, 0.0)
            return None
        finish = begun.finish

        def finished(beside: Beside | None = None) -> Message:
            response = finish(beside)
            self._settle(judged, response)
            return response

        return PendingReply(begun.ready, finished, begun.is_begun)

    def _wait(self, call: Call) -> tuple[float, Call]:
        instruments = self._instruments()
        units, seconds = _turn(self._rate, call, instruments)
        if not seconds:
            return units, call
        if instruments is None or not instruments.skip(seconds):
            try:
                time.sleep(seconds)
            except BaseException:  # interrupted: its turn is another one's
                self._rate.settle(units, 0.0)
                raise
        return units, call.later(seconds)

    def _settle(self, judged: float, response: Message) -> None:
        if judged and (consumed := consumed_in(response)) is not None:
            self._rate.settle(judged, consumed)


class AsyncRatedLine:
    """The same under asyncio."""

    def __init__(
        self, line: Any, instruments: Callable[[], Instruments | None], rate: WriteRate
    ) -> None:
        self._line = line
        self._instruments = instruments
        self._rate = rate

    async def call(self, call: Call) -> Any:
        """As the wire's."""
        instruments = self._instruments()
        units, seconds = _turn(self._rate, call, instruments)
        if seconds:
            if instruments is None or not instruments.skip(seconds):
                try:
                    await asyncio.sleep(seconds)
                except BaseException:  # cancelled: its turn is another one's
                    self._rate.settle(units, 0.0)
                    raise
            call = call.later(seconds)
        response: Message = await self._line.call(call)
        if units and (consumed := consumed_in(response)) is not None:
            self._rate.settle(units, consumed)
        return response
