"""From a `Call` to the botocore client and back: requests sent, errors translated, replies counted.

The client is used as it is given and never changed; see `replies` for how replies come in.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from typing import Any, Final, Literal, TypeVar, cast

import attrs
import botocore.exceptions as botocore_errors

from dynattrs.errors import (
    AccessDenied,
    ConfigurationError,
    ConnectionFailed,
    CorruptReply,
    DynattrsError,
    InvalidRequest,
    NoSuchTable,
    ServiceError,
    ServiceUnavailable,
    Throttled,
)
from dynattrs.events import (
    AfterSend,
    BeforeSend,
    Events,
    Retry,
    capacity_in,
    count_in,
    error_name,
    next_number,
    returned_in,
    tables_in,
    tell,
    unprocessed_in,
)
from dynattrs.operations.flows import Call
from dynattrs.operations.refusals import ConditionFalse, TransactionCanceled
from dynattrs.operations.requests import consumed_by, unpacked
from dynattrs.wire.http_pool import Sent, shortcut
from dynattrs.wire.replies import Attempts, renew_connections, twin, under_way, was_never_sent

R = TypeVar("R")

_log = logging.getLogger("dynattrs")

_KINDS: dict[str, type[ServiceError]] = {
    "ResourceNotFoundException": NoSuchTable,
    "ConditionalCheckFailedException": ConditionFalse,
    "TransactionCanceledException": TransactionCanceled,
    "ValidationException": InvalidRequest,
    "SerializationException": InvalidRequest,
    "ItemCollectionSizeLimitExceededException": InvalidRequest,
    "ProvisionedThroughputExceededException": Throttled,
    "RequestLimitExceeded": Throttled,
    "ThrottlingException": Throttled,
    "Throttling": Throttled,
    "InternalServerError": ServiceUnavailable,
    "InternalServerException": ServiceUnavailable,
    "ServiceUnavailable": ServiceUnavailable,
    "ServiceUnavailableException": ServiceUnavailable,
    "AccessDeniedException": AccessDenied,
    "UnrecognizedClientException": AccessDenied,
    "InvalidSignatureException": AccessDenied,
    "MissingAuthenticationTokenException": AccessDenied,
    "IncompleteSignatureException": AccessDenied,
    "ExpiredTokenException": AccessDenied,
}


_LOGIN_ERRORS = (
    botocore_errors.CredentialRetrievalError,
    botocore_errors.SSOError,
    botocore_errors.TokenRetrievalError,
    botocore_errors.MetadataRetrievalError,
)

# Operations that say what they cost when they are asked to.
_METERED: Final = frozenset(
    {
        "batch_get_item",
        "batch_write_item",
        "delete_item",
        "execute_statement",
        "get_item",
        "put_item",
        "query",
        "scan",
        "transact_get_items",
        "transact_write_items",
        "update_item",
    }
)

# Operations that change items; what others name is read, if it is there.
_WRITES: Final = frozenset(
    {"BatchWriteItem", "DeleteItem", "PutItem", "TransactWriteItems", "UpdateItem"}
)

#: How often a call is made whose reply comes damaged. botocore does not repeat these.
_ATTEMPTS: Final = 4


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
        if call.operation in _METERED:
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


@attrs.frozen(eq=False, repr=False)
class Begun:
    """A call whose request was sent.

    Attributes:
        ready: Whether the reply begins to come in, or is late; it waits so many seconds to find out.
            An interruption meanwhile changes nothing.
        finish: Gives the response, or raises, as `Wire.call` does. It is called once.
    """

    ready: Callable[[float], bool]
    finish: Callable[[], dict[str, Any]]


class Wire:
    """Sends calls over one botocore client. Safe between threads, as the client is."""

    def __init__(self, client: Any, *, fast: bool = True, events: Events | None = None) -> None:
        self.client = client
        self._events = events or Events()
        self._sender = twin(client, raw=fast)
        self._shortcut = shortcut(client, self._sender) if fast else None
        self._renewed: Any = None
        self.stats = Stats()

    def renew(self) -> None:
        """Use connections of our own from now on: those there are belong to another process."""
        self._renewed = renew_connections(self._sender)
        if self._shortcut is not None:
            self._shortcut.renew()
        self.stats = Stats()

    def close(self) -> None:
        """Close the connections that are not the client's."""
        if self._renewed is not None:
            self._renewed.close()

    def call(self, call: Call) -> dict[str, Any]:
        """The response to *call*.

        Raises:
            DynattrsError: The translated error, botocore's as its cause.
        """
        send = getattr(self._sender, call.operation)
        exchange = Exchange(self.stats, call, self._events)
        sent = None
        if self._shortcut is not None:
            try:
                sent = self._shortcut.begin(call.operation, exchange.packed, exchange.attempts)
            except BaseException:
                exchange.closed()
                raise
        return self._finish(send, exchange, sent)

    def is_prompt(self, method: str) -> bool:
        """Whether a call could be sent at once, by `begin`: there is an idle connection, and nobody
        listens who is to be told in time.
        """
        return (
            self._shortcut is not None
            and not self._events.of_requests
            and self._shortcut.is_prompt(method)
        )

    def begin(self, call: Call) -> Begun | None:
        """Send the request of *call*, and read the reply later; None if that cannot be."""
        if self._shortcut is None or self._events.of_requests:
            return None
        send = getattr(self._sender, call.operation)
        exchange = Exchange(self.stats, call, self._events)
        sent = self._shortcut.begin(call.operation, exchange.packed, exchange.attempts)
        if sent is None:
            return None
        return Begun(sent.ready, functools.partial(self._finish, send, exchange, sent))

    def _finish(
        self, send: Callable[..., Any], exchange: Exchange, sent: Sent | None
    ) -> dict[str, Any]:
        before = under_way.set(exchange.attempts)
        try:
            if sent is not None:
                found = sent.response()
                if found is not None:
                    return exchange.answered(found, direct=True)
            while True:
                try:
                    response: dict[str, Any] = send(**exchange.parameters)
                except Exception as error:
                    exchange.failed(error)
                else:
                    return exchange.answered(response)
        finally:
            under_way.reset(before)
            exchange.closed()


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


def translate(error: Exception, operation: str, table: str | None) -> DynattrsError | None:
    """A botocore error as one of ours, or None if it is none of botocore's."""
    if isinstance(error, botocore_errors.ClientError):
        return _service_error(error, operation, table)
    configuration = configuration_error(error)
    if configuration is not None:
        return configuration
    if isinstance(error, botocore_errors.ParamValidationError):
        return InvalidRequest(operation, "ParamValidation", str(error), table)
    if isinstance(error, (botocore_errors.HTTPClientError, botocore_errors.ConnectionError)):
        return ConnectionFailed(operation, str(error), table)
    if isinstance(error, botocore_errors.BotoCoreError):
        return ServiceError(operation, type(error).__name__, str(error), table)
    return None


def _service_error(
    error: botocore_errors.ClientError, operation: str, table: str | None
) -> ServiceError:
    response: Mapping[str, Any] = error.response
    details = response.get("Error", {})
    code, message = str(details.get("Code", "")), str(details.get("Message", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
    kind = _KINDS.get(code)
    if kind is None:
        # 413: a request too large. It is answered before DynamoDB itself sees it, without a code.
        kind = InvalidRequest if status == 413 else ServiceError
        kind = ServiceUnavailable if status >= 500 else kind
    translated = kind(operation, code, message, table)
    if isinstance(translated, ConditionFalse):
        translated.item = response.get("Item")
    if isinstance(translated, TransactionCanceled):
        translated.reasons = cast("Any", response.get("CancellationReasons")) or ()
    return translated


def configuration_error(error: Exception) -> ConfigurationError | None:
    """What boto3 lacks, in one sentence, or None if *error* is something else."""
    if isinstance(error, botocore_errors.NoRegionError):
        return ConfigurationError(
            "no AWS region is configured",
            "pass Session(region_name=...), set AWS_DEFAULT_REGION, or add a region to the profile",
        )
    if isinstance(
        error, (botocore_errors.NoCredentialsError, botocore_errors.PartialCredentialsError)
    ):
        return ConfigurationError(
            "no AWS credentials were found, or only part of them",
            "set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, give the machine a "
            "role, or use Session.local() for an embedded engine",
        )
    if isinstance(error, botocore_errors.ProfileNotFound):
        return ConfigurationError(
            str(error).rstrip("."), "check profile_name and AWS_PROFILE, or run aws configure"
        )
    if isinstance(error, _LOGIN_ERRORS):
        return ConfigurationError(
            str(error).rstrip("."), "log in again (aws sso login), or check the profile"
        )
    if isinstance(error, (botocore_errors.ConfigNotFound, botocore_errors.ConfigParseError)):
        return ConfigurationError(str(error).rstrip("."), "repair the AWS configuration file")
    if isinstance(error, botocore_errors.InvalidRegionError):
        return ConfigurationError(
            str(error).rstrip("."), "check region_name and AWS_DEFAULT_REGION"
        )
    if isinstance(error, ValueError) and str(error).startswith("Invalid endpoint"):
        return ConfigurationError(
            str(error).rstrip("."),
            "write endpoint_url with its scheme, as in http://localhost:8000",
        )
    return None


def configured(make: Callable[[], R]) -> R:
    """The result of *make*, with boto3's complaints about configuration translated."""
    with configured_later():
        return make()


@contextlib.contextmanager
def configured_later() -> Generator[None]:
    """The same for a block."""
    try:
        yield
    except Exception as error:
        translated = configuration_error(error)
        if translated is None:
            raise
        raise translated from error
