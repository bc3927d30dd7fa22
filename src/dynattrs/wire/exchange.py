"""One call and its attempts, without the sending: what is counted, told to listeners and logged of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any, Final, Literal

from dynattrs.errors import (
    ConnectionFailed,
    CorruptReply,
    DynattrsError,
    ServiceError,
    ServiceUnavailable,
)
from dynattrs.events import (
    AfterSend,
    BeforeSend,
    Events,
    Retry,
    capacity_in,
    consumed_by,
    count_in,
    error_name,
    next_number,
    returned_in,
    tables_in,
    tell,
    unprocessed_in,
)
from dynattrs.operations.flows import Call
from dynattrs.operations.requests import ITEM_OPERATIONS, unpacked
from dynattrs.wire.attempts import Attempts, was_never_sent
from dynattrs.wire.service_errors import translate
from dynattrs.wire.stats import Stats

_log = logging.getLogger("dynattrs")

#: How often a call is made whose reply comes damaged. botocore does not repeat these.
_ATTEMPTS: Final = 4


class Exchange:
    """One call and its attempts, without the sending: what a sender tells, and asks.

    It begins when it is made, and whoever sends calls `closed` at the end, however that came.
    """

    def __init__(self, stats: Stats, call: Call, events: Events) -> None:
        self._stats = stats
        self._events = events
        self.operation = operation_name(call.operation)
        #: For who sends JSON: some of it may be that already.
        self.packed = call.parameters
        if call.operation in ITEM_OPERATIONS:
            self.packed = {**call.parameters, "ReturnConsumedCapacity": "TOTAL"}
        self.attempts = Attempts(call.repeat, call.decode)
        self._table = table_in(call.parameters)
        self._left = _ATTEMPTS
        self._retries = 0
        self._over = False
        self._number = 0
        if events.of_requests:
            self._number = next_number()
            self._tables, self._count = tables_in(call.parameters), count_in(call.parameters)
            self.attempts.again = self._repeated
        if events.before_send:
            tell(
                events.before_send,
                BeforeSend(self._number, self.operation, self._tables, self._count),
            )
        self._began = time.perf_counter()

    @property
    def parameters(self) -> dict[str, Any]:
        """What the client's method takes."""
        return unpacked(self.packed) if self.operation == "BatchWriteItem" else self.packed

    def failed(self, error: Exception) -> None:
        """An attempt failed with *error*, after botocore's own retries.

        Returns:
            If the call is to be made once more.

        Raises:
            DynattrsError: The translated error, botocore's as its cause.
        """
        try:
            self._judge(error)
        except Exception as final:
            self._tell_end(getattr(error, "response", {}), error_name(final))
            raise

    def _judge(self, error: Exception) -> None:
        if isinstance(error, CorruptReply):
            # The parser found it, past botocore's retries.
            error.table = self._table
            self.attempts.uncertain = True
            self._left -= 1
            if not self._left or not self.attempts.repeat:
                raise error
            self._stats.retry()
            self._repeated(_ATTEMPTS - self._left, error_name(error), by="dynattrs")
            return
        translated = translate(error, self.operation, self._table)
        if translated is None:
            raise error
        if isinstance(translated, (ServiceError, ConnectionFailed)):
            translated.uncertain = self._uncertain(error, translated)
        raise translated from error

    def _uncertain(self, error: Exception, translated: DynattrsError) -> bool:
        if self.attempts.watched:
            return self.attempts.uncertain
        # Nobody watched: any attempt before the last one may have been lost.
        metadata = getattr(error, "response", {}).get("ResponseMetadata", {})
        return (
            self.attempts.uncertain
            or metadata.get("RetryAttempts", 0) > 0
            or isinstance(translated, ServiceUnavailable)
            or (isinstance(translated, ConnectionFailed) and not was_never_sent(error))
        )

    def answered(self, response: dict[str, Any], *, direct: bool = False) -> dict[str, Any]:
        """The response to hand on; *direct* if it came without botocore's machinery."""
        self._stats.count(self.operation, self.packed, response, direct=direct)
        if self.attempts.uncertain:
            response.setdefault("ResponseMetadata", {})["Uncertain"] = True
        if _log.isEnabledFor(logging.DEBUG):
            seconds = time.perf_counter() - self._began
            _log_request(self.operation, self.packed, response, seconds)
        self._tell_end(response, None)
        return response

    def closed(self) -> None:
        """The call is over. If nothing else has ended it, it was an interruption that did."""
        self._tell_end({}, "Interrupted")

    def _repeated(
        self, attempts: int, why: str, *, by: Literal["botocore", "dynattrs"] = "botocore"
    ) -> None:
        self._retries += 1
        if self._number and self._events.retry:
            seconds = None if by == "botocore" else 0.0
            event = Retry(
                self._number, self.operation, self._tables, self._count, attempts, why, seconds, by
            )
            tell(self._events.retry, event)

    def _tell_end(self, response: Mapping[str, Any], error: str | None) -> None:
        if self._over:
            return
        self._over = True
        if not self._number or not self._events.after_send:
            return
        seconds = time.perf_counter() - self._began
        metadata = response.get("ResponseMetadata", {})
        scanned = response.get("ScannedCount")
        event = AfterSend(
            self._number, self.operation, self._tables, self._count, seconds,
            returned=returned_in(response),
            matched=None if scanned is None else response.get("Count"),
            scanned=scanned,
            unprocessed=unprocessed_in(response),
            by_table=capacity_in(response),
            retries=max(metadata.get("RetryAttempts", 0), self._retries),
            request_id=metadata.get("RequestId", ""),
            error=error,
        )  # fmt: skip
        tell(self._events.after_send, event)


def _log_request(
    operation: str, parameters: Mapping[str, Any], response: dict[str, Any], seconds: float
) -> None:
    """One line for each request, without anything of what items hold."""
    count = response.get("Count")
    _log.debug(
        "%s table=%s count=%s capacity=%s retries=%s ms=%.1f",
        operation,
        table_in(parameters) or "several",
        "-" if count is None else count,
        consumed_by(response) or "-",
        response.get("ResponseMetadata", {}).get("RetryAttempts", 0),
        seconds * 1000,
    )


def operation_name(method: str) -> str:
    """`PutItem` for `put_item`."""
    return "".join(word.capitalize() for word in method.split("_"))


def table_in(parameters: Mapping[str, Any]) -> str | None:
    """The table that a request is for; None if it is for several."""
    name = parameters.get("TableName")
    if name is not None:
        return str(name)
    tables = list(parameters.get("RequestItems", ()))
    return str(tables[0]) if len(tables) == 1 else None
