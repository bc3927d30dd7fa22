"""Typed events about a session's requests, and their listeners.

An event has the operation, the tables, the number of items, the duration and the cost. It never holds values
of items, so you may log and export it anywhere.

A listener is called in the thread or task that does the work, so it must be quick. If it raises, the error
is logged with its traceback under the `dynattrs` logger, and the work continues: watching must not lose
writes.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias

from dynattrs.errors import ModelError
from dynattrs.late_classes import field, frozen

__all__ = ["AfterSend", "BeforeSend", "Flush", "HotPartition", "Retry"]


def __dir__() -> list[str]:
    return __all__


_log = logging.getLogger("dynattrs")


@frozen
class BeforeSend:
    """A request is about to be sent.

    Attributes:
        request: A number that all events of this request share; unique in the process.
        operation: The service's name of the operation: `PutItem`.
        tables: The real names of its tables, each once; empty for PartiQL.
        count: The number of items, keys or actions in it; 0 for queries, scans and statements.
    """

    request: int
    operation: str
    tables: tuple[str, ...]
    count: int


@frozen
class AfterSend:
    """A request has ended, with a reply or, after all of its attempts, with an error.

    Attributes:
        request: The number of its `BeforeSend`.
        operation: The service's name of the operation.
        tables: The real names of its tables.
        count: The number of items, keys or actions in it.
        seconds: How long it took, with all attempts and the pauses between them.
        returned: The number of items in the reply.
        matched: The number of items that a query or scan found, even if it only counts them; otherwise None.
        scanned: The number of items that a query or scan read; otherwise None.
        unprocessed: The number of writes or keys that must be sent again.
        by_table: Capacity units by table, as far as the service reports them.
        retries: The number of attempts beyond the first.
        request_id: The service's id of the request; empty without a reply.
        error: If it failed, the service's code or the class of the error; otherwise None.
        uncertain: The number of attempts of a write that may have been applied, or may still be, without a
            reply that says so: after a lost or damaged reply, a failure of the service, or an interruption.
            A late attempt overwrites newer writes.
    """

    request: int
    operation: str
    tables: tuple[str, ...]
    count: int
    seconds: float
    returned: int = 0
    matched: int | None = None
    scanned: int | None = None
    unprocessed: int = 0
    by_table: Mapping[str, float] = field(factory=dict)
    retries: int = 0
    request_id: str = ""
    error: str | None = None
    uncertain: int = 0

    @property
    def capacity(self) -> float:
        """The capacity units of all tables together."""
        return sum(self.by_table.values())


@frozen
class Retry:
    """A request, or a part of one, is about to be sent again.

    Attributes:
        request: The number of the request, if the same one is repeated; None if the unprocessed part becomes
            a new request.
        operation: The service's name of the operation.
        tables: The real names of the tables.
        count: The number of items, keys or actions that are sent again.
        attempt: The number of attempts in a row that achieved nothing; 0 after a partly successful one.
        error: The reason: the service's code (`ThrottlingException`), `UnprocessedItems`, `UnprocessedKeys`,
            or the class of an error.
        seconds: The pause before it; None if botocore chooses the pause.
        by: `"botocore"`, or `"dynattrs"` after botocore's own attempts: the one that repeats it.
    """

    request: int | None
    operation: str
    tables: tuple[str, ...]
    count: int
    attempt: int
    error: str
    seconds: float | None
    by: Literal["botocore", "dynattrs"]


@frozen
class Flush:
    """Gathered writes were sent: a batch or a `save_all` ended, or `flush()` was called, by your program or
    by a read that had to see them.

    Attributes:
        saved: The number of saves acknowledged since the last such event.
        deleted: The number of deletes acknowledged since then.
        failed: The number of writes that were given up; `UnsentWrites` names them.
        seconds: How long the flush waited, without the time of writes sent before it.
    """

    saved: int
    deleted: int
    failed: int
    seconds: float


@frozen
class HotPartition:
    """The service left items of one partition unprocessed, because it accepts no more for now. These items
    wait, and all others continue. `session.stats.hot_keys` lists the partition keys with the most such
    events, with their values.

    Attributes:
        operation: The service's name of the operation.
        table: The real name of the table.
        attribute: The name of its partition key.
        digest: A digest of the key's value, the same in all processes.
        count: The number of items or keys that start to wait.
        seconds: The time until the next request with such items.
    """

    operation: str
    table: str
    attribute: str
    digest: str
    count: int
    seconds: float


Name: TypeAlias = Literal["before_send", "after_send", "retry", "flush", "hot_partition"]
Event: TypeAlias = "BeforeSend | AfterSend | Retry | Flush | HotPartition"
Listener: TypeAlias = Callable[[Any], object]

NAMES: Final = ("before_send", "after_send", "retry", "flush", "hot_partition")

_numbers = itertools.count(1)


def next_number() -> int:
    """A number for a request, which no other one in this process has."""
    return next(_numbers)


class _Entry:
    """One registration: the same function may be registered twice."""

    __slots__ = ("function",)

    def __init__(self, function: Listener) -> None:
        self.function = function


class Events:
    """The listeners of one session. Safe between threads: emitting takes no lock."""

    __slots__ = (
        "_lock", "after_send", "before_send", "flush", "hot_partition", "of_requests", "retry"
    )  # fmt: skip

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Tuples that are replaced and never changed, so that an emitter sees one or the other.
        self.before_send: tuple[_Entry, ...] = ()
        self.after_send: tuple[_Entry, ...] = ()
        self.retry: tuple[_Entry, ...] = ()
        self.flush: tuple[_Entry, ...] = ()
        self.hot_partition: tuple[_Entry, ...] = ()
        #: Whether any listener is told of requests.
        self.of_requests = False

    def on(self, name: str, function: Listener) -> Callable[[], None]:
        """Call *function* with each event of that name; what is returned stops that.

        Raises:
            ModelError: The event is unknown, or *function* cannot be called.
        """
        if name not in NAMES:
            raise ModelError("Session.on", f"there is no event {name!r}; write one of {NAMES}")
        check_plain("Session.on", name, function)
        entry = _Entry(function)

        def off() -> None:
            with self._lock:
                self._replace(name, tuple(e for e in getattr(self, name) if e is not entry))

        with self._lock:
            self._replace(name, (*getattr(self, name), entry))
        return off

    def _replace(self, name: str, entries: tuple[_Entry, ...]) -> None:
        setattr(self, name, entries)
        self.of_requests = bool(self.before_send or self.after_send or self.retry)


def tell(listeners: tuple[_Entry, ...], event: Event) -> None:
    """Call each listener. What one raises is logged; an interruption goes through."""
    for entry in listeners:
        try:
            entry.function(event)
        except Exception:
            _log.exception("a listener of %s failed", type(event).__name__)


def check_plain(subject: str, name: str, function: object) -> None:
    """Refuse what cannot be called here and now.

    Raises:
        ModelError: It is not a function, or a coroutine function, which would not be awaited.
    """
    import inspect

    if not callable(function):
        raise ModelError(subject, f"{name}: a function is expected, not {function!r}")
    called = getattr(type(function), "__call__", None)  # noqa: B004 - an object's own, if async
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called):
        raise ModelError(
            subject,
            f"{name}: a plain function is expected, not the coroutine function {function!r}",
        )


def error_name(error: BaseException) -> str:
    """The service's code of an error, or its class: nothing that could hold a value."""
    code = getattr(error, "code", None)
    return code if isinstance(code, str) and code else type(error).__name__
