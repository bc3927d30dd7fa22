"""One call and its attempts, without the sending: what is counted, told to listeners
and logged of it.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal
from zlib import crc32

from botocore.exceptions import ClientError

from dynattrs.clock import monotonic
from dynattrs.errors import (
    ConnectionFailed,
    CorruptReply,
    DynattrsError,
    ServiceError,
    ServiceUnavailable,
    may_read,
)
from dynattrs.events import (
    AfterSend,
    BeforeSend,
    Events,
    Retry,
    error_name,
    next_number,
    tell,
)
from dynattrs.late_classes import define, field
from dynattrs.operations.flows import Call, Decode, MeteredCall
from dynattrs.operations.requests import ITEM_OPERATIONS, operation_name, table_of_stream, unpacked
from dynattrs.schema.hot_keys import HotKeys
from dynattrs.schema.messages import Message
from dynattrs.wire.attempts import Attempts, was_never_sent
from dynattrs.wire.replies import CHECKSUM, EMPTY, KIND, MEMBERS, OTHERS, no_reply
from dynattrs.wire.service_errors import translate
from dynattrs.wire.unencodable import refuse_unencodable

if TYPE_CHECKING:
    from dynattrs.wire.instruments import Instruments

_log = logging.getLogger("dynattrs")

#: How often a call is made whose reply comes damaged. botocore does not repeat these.
_ATTEMPTS: Final = 4
_NUMBER: Final = re.compile(r"[0-9]{1,10}")  # what a CRC32 is sent as


# Operations that change items; what others name is read, if it is there.
WRITES: Final = frozenset(
    {"BatchWriteItem", "DeleteItem", "PutItem", "TransactWriteItems", "UpdateItem"}
)


@define
class Stats:
    """What a session has asked of the service so far.

    Attributes:
        requests: Requests that were answered, by operation (`PutItem`); those that the service
            refused count as well, because it bills most of them.
        items: Items that were read or written, by operation.
        retries: Attempts beyond the first within requests, botocore's and our own.
        unprocessed: Writes and keys that answers left to be sent again.
        capacity: Capacity units consumed, by operation, as far as the engine says.
        scanned: Items that queries and scans read.
        returned: Items that queries and scans gave for them, after filters.
        direct: Requests that were sent without botocore's machinery, which is the fast way.
        uncertain: Attempts of writes that may have been applied, or may be still, without an answer
            that says so.
        hot_keys: The partition keys that were throttled most in batches and `get_many`, the first one
            most. Each shows a hash of its value, and has the value itself.
    """

    requests: Counter[str] = field(factory=Counter)
    items: Counter[str] = field(factory=Counter)
    retries: int = 0
    unprocessed: int = 0
    capacity: Counter[str] = field(factory=Counter)
    scanned: int = 0
    returned: int = 0
    direct: int = 0
    uncertain: int = 0
    hot_keys: HotKeys = field(factory=HotKeys, eq=False)
    _lock: threading.Lock = field(factory=threading.Lock, repr=False, eq=False)

    @property
    def total(self) -> int:
        """All requests that were answered, refused ones too."""
        return sum(self.requests.values())

    def retry(self) -> None:
        """Count an attempt of our own beyond the first."""
        with self._lock:
            self.retries += 1

    def refused(self, operation: str, response: Message) -> None:
        """Count a request that was answered with an error."""
        units: Any = sum(capacity_in(response).values(), 0.0)
        with self._lock:
            self.requests[operation] += 1
            self.retries += response.get("ResponseMetadata", {}).get("RetryAttempts", 0)
            if units:
                self.capacity[operation] += units

    def lost(self, attempts: int) -> None:
        """Count attempts of a write that may have been applied."""
        with self._lock:
            self.uncertain += attempts

    def count(
        self,
        operation: str,
        parameters: Message,
        response: Message,
        *,
        direct: bool = False,
    ) -> None:
        left = unprocessed_in(response)
        consumed = response.get("ConsumedCapacity")
        if type(consumed) is list and len(consumed) == 1:
            consumed = consumed[0]
        if type(consumed) is dict:  # of one table
            units: Any = float(consumed.get("CapacityUnits", 0.0))
        else:
            units = sum(capacity_in(response).values(), 0.0)
        items = count_in(parameters) - left if operation in WRITES else returned_in(response)
        metadata = None if direct else response.get("ResponseMetadata")
        with self._lock:
            self.requests[operation] += 1
            if items:
                self.items[operation] += items
            if direct:
                self.direct += 1
            if metadata:
                self.retries += metadata.get("RetryAttempts", 0)
            self.unprocessed += left
            if units:
                self.capacity[operation] += units
            if "ScannedCount" in response:
                self.scanned += response["ScannedCount"]
                self.returned += response.get("Count", 0)


class Exchange:
    """One call and its attempts, without the sending: what a sender tells, and asks.

    It begins when it is made, and its sender calls `closed` at the end, however that came.
    """

    # What most calls leave as it is.
    _left = _ATTEMPTS
    _retries = 0
    _over = False
    _number = 0
    _held_back: Message | None = None
    #: For who counts what the call costs.
    _answers = _again = 0

    def __init__(
        self,
        stats: Stats,
        call: Call,
        events: Events,
        limit: float | None = None,
        instruments: Instruments | None = None,
    ) -> None:
        self._stats = stats
        self._events = events
        #: For who sends JSON: some of it may be that already.
        self.packed = call.parameters
        operation = ITEM_OPERATIONS.get(call.operation)
        if operation is not None:
            said = "INDEXES" if call.meters else "TOTAL"
            self.packed = {**call.parameters, "ReturnConsumedCapacity": said}
        self.operation: str = operation or operation_name(call.operation)
        self.attempts = attempts = Attempts()
        attempts.repeat, attempts.decode = call.repeat, call.decode
        attempts.must_say = _must_say(call)
        attempts.deadline = call.deadline
        self._limit = limit
        self._parameters = call.parameters
        #: What was asked of the service; of `packed` a test may have held something back.
        self._asked = self.packed
        self._meters = call.meters
        self._instruments = instruments
        if instruments is not None:
            self._put_on(instruments)
        if events.of_requests:
            self._number = next_number()
            self._tables, self._count = tables_in(call.parameters), count_in(call.parameters)
            self.attempts.again = self._repeated
        if instruments is not None and instruments.before is not None:
            instruments.before(call.operation, call.parameters)
        if limit is not None:
            attempts.until = monotonic() + limit
        if events.before_send:
            tell(
                events.before_send,
                BeforeSend(self._number, self.operation, self._tables, self._count),
            )
        self._began = time.perf_counter()

    def _put_on(self, instruments: Instruments) -> None:
        attempts = self.attempts
        attempts.monotonic, attempts.skip = instruments.monotonic, instruments.skip
        if instruments.recorders:
            attempts.again = self._repeated
        if instruments.spoilers:
            attempts.line = instruments.line(self.operation, tables_in(self._asked))
            self.packed, left = attempts.line.hold_back(self._asked)
            if left is not None:
                name = "UnprocessedKeys" if self._reads() else "UnprocessedItems"
                whole = left if self._reads() else unpacked({"RequestItems": left})["RequestItems"]
                self._held_back = {name: whole}

    @property
    def parameters(self) -> Message:
        """What the client's method takes.

        Raises:
            MappingError: It holds text that no request can hold.
        """
        refuse_unencodable(self.operation, self.packed)
        packed = self.operation in ("BatchWriteItem", "PutItem", "TransactWriteItems")
        return unpacked(self.packed) if packed else self.packed

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
            lost = getattr(final, "uncertain", False) and not self.attempts.uncertain
            # botocore's errors of connections have one that is None.
            response = getattr(error, "response", None) or {}
            self._tell_end(response, error_name(final), in_doubt=lost)
            raise

    def _judge(self, error: Exception) -> None:
        if isinstance(error, CorruptReply):
            # The parser found it, past botocore's retries.
            error.operation, error.table = self.operation, table_in(self.packed)
            self.attempts.uncertain += 1
            self._left -= 1
            if not self._left or not self.attempts.repeat or self.attempts.is_late():
                error.uncertain = not self._reads()
                raise error
            self._stats.retry()
            self._again += 1
            self._repeated(_ATTEMPTS - self._left, error_name(error), by="dynattrs")
            return
        translated = translate(error, self.operation, table_in(self.packed))
        if translated is None:
            raise error
        if isinstance(error, ClientError):
            self._stats.refused(self.operation, {**error.response})
            self._answers = 1
        if isinstance(translated, (ServiceError, ConnectionFailed)):
            translated.uncertain = not self._reads() and self._uncertain(error, translated)
        raise translated from error

    def _reads(self) -> bool:
        """Whether it changes nothing, however often it is applied."""
        # Of PartiQL's statements only those that read may be sent again; in a transaction those that
        # write have a token, which makes that safe.
        repeats = self.attempts.repeat and "ClientRequestToken" not in self._parameters
        return may_read(self.operation) and repeats

    def _uncertain(self, error: Exception, translated: DynattrsError) -> bool:
        if self.attempts.watched:
            return bool(self.attempts.uncertain)
        # Attempts were not seen: any before the last one may have been lost.
        metadata = (getattr(error, "response", None) or {}).get("ResponseMetadata", {})
        return (
            bool(self.attempts.uncertain)
            or metadata.get("RetryAttempts", 0) > 0
            or isinstance(translated, ServiceUnavailable)
            or (isinstance(translated, ConnectionFailed) and not was_never_sent(error))
        )

    def answered(self, response: Message, *, direct: bool = False) -> Message:
        """The response to hand on; *direct* if it came without botocore's machinery.

        Raises:
            ServiceError: It is none, and there must be one.
        """
        if not isinstance(response, dict):
            response = self._instead_of(response)
        if self.attempts.line is not None:
            self.attempts.line.check_asked()
            response.update(self._held_back or {})
        self._stats.count(self.operation, self._asked, response, direct=direct)
        self._answers = 1
        if self.attempts.uncertain:
            response.setdefault("ResponseMetadata", {})["Uncertain"] = True
        if _log.isEnabledFor(logging.DEBUG):
            seconds = time.perf_counter() - self._began
            _log_request(self.operation, self.packed, response, seconds)
        self._tell_end(response, None)
        return response

    def late(self) -> ConnectionFailed:
        """The error for a call that was not over in time."""
        error = ConnectionFailed(
            self.operation,
            f"there was no answer within the {self._limit:g} s of the session's call_timeout",
            table_in(self.packed),
            uncertain=not self._reads()
            and bool(self.attempts.uncertain or self.attempts.in_flight),
        )
        self._tell_end({}, error_name(error), in_doubt=self.attempts.in_flight)
        return error

    def _instead_of(self, found: object) -> Message:
        """What a function that stands in the place of a client's method has not said."""
        if not self.attempts.must_say:
            return {}
        raise ServiceError(
            self.operation,
            type(found).__name__,
            "the client's method gave this where a response, a dict, is expected; a mock takes it as "
            "return_value={...}",
            table_in(self.packed),
        )

    def closed(self) -> None:
        """The call is over. If nothing else has ended it, it was an interruption that did."""
        if not self._over:
            self._tell_end({}, "Interrupted", in_doubt=self.attempts.in_flight)

    def withdrawn(self) -> None:
        """It is not made this way: another one is made instead."""
        if not self._over:
            self._over = True
            self._leave()

    def _leave(self) -> None:
        if self._instruments is not None and self._instruments.over is not None:
            self._instruments.over()

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

    def _tell_end(self, response: Message, error: str | None, *, in_doubt: bool = False) -> None:
        """The call is over, with its last attempt *in_doubt*, perhaps, besides those that were before."""
        if self._over:
            return
        self._over = True
        self._leave()
        lost = self.attempts.uncertain + in_doubt
        if lost and self._reads():
            lost = 0
        if lost:
            self._stats.lost(lost)
        if self._meters:
            self._meter(response, error)
        if self._instruments is not None and self._instruments.recorders:
            self._record(response, error)
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
            uncertain=lost,
        )  # fmt: skip
        tell(self._events.after_send, event)

    def _meter(self, response: Message, error: str | None) -> None:
        retries = self._again + response.get("ResponseMetadata", {}).get("RetryAttempts", 0)
        seconds = time.perf_counter() - self._began
        ended = MeteredCall(
            self.operation, self._asked, response, self._reads(), self._answers, retries, seconds, error
        )  # fmt: skip
        for each in self._meters:
            each.ended(ended)

    def _record(self, response: Message, error: str | None) -> None:
        asked = self._parameters
        if self.operation in ("BatchWriteItem", "PutItem"):
            asked = unpacked(asked)
        seconds = time.perf_counter() - self._began
        retries = response.get("ResponseMetadata", {}).get("RetryAttempts", 0)
        attempts = 1 + max(retries, self._retries)
        assert self._instruments is not None
        self._instruments.record(self.operation, asked, response, error, seconds, attempts)


def _log_request(operation: str, parameters: Message, response: Message, seconds: float) -> None:
    """One line for each request, without anything of what items hold."""
    count = response.get("Count")
    _log.debug(
        "%s table=%s count=%s capacity=%s retries=%s ms=%.1f",
        operation,
        table_in(parameters) or "several",
        "-" if count is None else count,
        sum(capacity_in(response).values()) or "-",
        response.get("ResponseMetadata", {}).get("RetryAttempts", 0),
        seconds * 1000,
    )


#: Writes whose reply may say nothing, unless it is to bring an item.
_QUIET: Final = frozenset(
    {"batch_write_item", "delete_item", "put_item", "transact_write_items", "update_item"}
)


def _must_say(call: Call) -> bool:
    """Whether a reply that says nothing would be no answer."""
    asked = call.parameters.get("ReturnValues", "NONE")
    return call.operation not in _QUIET or asked != "NONE"


def check(operation: str, headers: Mapping[str, str], body: bytes) -> None:
    """Compare a reply with the CRC32 that the service sent with it.

    Raises:
        CorruptReply: They differ, or what was sent is not a CRC32. What was asked for may have been done.
    """
    expected = headers.get(CHECKSUM)
    if expected is None or expected == str(crc32(body)):
        return
    if _NUMBER.fullmatch(expected) and crc32(body) == int(expected):  # it begins with zeros
        return
    raise CorruptReply(operation, f"the reply of {len(body)} bytes does not match its CRC32")


# Measured (benchmarks/second_ways.py): 1826 -> 91 us a reply of 100 items.
# tests/unit/test_replies.py holds it to botocore's parser.
def read(
    operation: str, headers: Mapping[str, str], body: bytes, decode: Decode | None = None
) -> Message:
    """What a reply with the status 200 says, with the metadata that botocore adds.

    botocore's parser walks every attribute value through the service model. A reply that holds items
    is read in one go here and left raw, as the JSON has it, so that B is base64 text.

    Args:
        operation: The service's name of the operation, for errors.
        headers: The reply's headers, their names in lower case.
        body: The reply; its CRC32 was checked.
        decode: Reads the bytes, where something else than plain JSON is wanted.

    Raises:
        CorruptReply: It is not a JSON object, or another program's.
    """
    # With the first reply: a program may import this library and ask nothing.
    import msgspec

    if not body and CHECKSUM not in headers:
        raise CorruptReply(operation, EMPTY)
    try:
        reply: Any = (decode or msgspec.json.decode)(body or b"{}")
        if decode is not None and not reply:  # what it does not know it has left out
            reply = msgspec.json.decode(body or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise no_reply(operation, headers, body, error) from error
    if not isinstance(reply, dict):
        raise no_reply(operation, headers, body, f"a {type(reply).__name__}")
    found: Message = reply
    if found and (MEMBERS.isdisjoint(found) or KIND in found):
        raise no_reply(operation, headers, body, OTHERS)
    found["ResponseMetadata"] = {
        "RequestId": headers.get("x-amzn-requestid", ""),
        "HTTPStatusCode": 200,
        "HTTPHeaders": headers if type(headers) is dict else dict(headers),
        "RetryAttempts": 0,
    }
    return found


class _Done:
    status_code = 200


def read_well(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    decode: Decode | None,
    after_call: Iterable[Callable[..., object]],
) -> Message | None:
    """What a reply says that came without botocore's machinery, or None if it is for botocore to judge.

    Args:
        status: The HTTP status.
        headers: The reply's headers, their names in lower case.
        body: The reply.
        decode: Reads the bytes, where something else than plain JSON is wanted.
        after_call: What of botocore's is told of calls that went well: its retry quota.
    """
    if status != 200:
        return None
    try:
        check("", headers, body)
        found = read("", headers, body, decode)
    except CorruptReply:
        return None  # botocore gets the same reply, and finds the same
    for handler in after_call:
        handler(context={}, http_response=_Done)
    return found


def table_in(parameters: Message) -> str | None:
    """The table that a request is for; None if it is for several."""
    name = parameters.get("TableName")
    if name is not None:
        return str(name)
    tables = list(parameters.get("RequestItems", ()))
    return str(tables[0]) if len(tables) == 1 else table_of_stream(parameters)


# --- What requests and replies say, without anything of what items hold ---------------------------


def tables_in(parameters: Message) -> tuple[str, ...]:
    """The tables that a request names, each once."""
    name = parameters.get("TableName")
    if name is not None:
        return (str(name),)
    if "RequestItems" in parameters:
        return tuple(map(str, parameters["RequestItems"]))
    actions = parameters.get("TransactItems", ())
    if not actions:
        table = table_of_stream(parameters)
        return () if table is None else (table,)
    return tuple(dict.fromkeys(str(each["TableName"]) for act in actions for each in act.values()))


def count_in(parameters: Message) -> int:
    """How many items, keys or actions a request names."""
    if "RequestItems" in parameters:
        return sum(
            len(each["Keys"]) if type(each) is not list and isinstance(each, Mapping) else len(each)
            for each in parameters["RequestItems"].values()
        )
    for name in ("TransactItems", "Statements", "TransactStatements"):
        if name in parameters:
            return len(parameters[name])
    return int("Item" in parameters or "Key" in parameters)


def returned_in(response: Message) -> int:
    """How many items, or records of a stream, an answer to a read holds."""
    if response.get("Item") is not None:
        return 1
    for place in ("Items", "Records", "SearchResults"):
        if place in response:
            return len(response[place])
    found = response.get("Responses")
    if isinstance(found, Mapping):
        return sum(map(len, found.values()))
    return 0 if found is None else sum(1 for each in found if each.get("Item"))


def unprocessed_in(response: Message) -> int:
    """How many writes or keys an answer leaves to be sent again."""
    writes, reads = response.get("UnprocessedItems"), response.get("UnprocessedKeys")
    left = sum(map(len, writes.values())) if writes else 0
    return left + sum(len(each["Keys"]) for each in reads.values()) if reads else left


def capacity_in(response: Message) -> dict[str, float]:
    """Capacity units by table, as far as the answer says."""
    consumed = response.get("ConsumedCapacity") or ()
    found: dict[str, float] = {}
    for each in (consumed,) if isinstance(consumed, Mapping) else consumed:
        if "CapacityUnits" not in each:  # a search counts bytes
            continue
        name = str(each.get("TableName", ""))
        found[name] = found.get(name, 0.0) + float(each.get("CapacityUnits", 0.0))
    return found
