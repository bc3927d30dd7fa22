"""What a session tells of its requests while it works: typed events, and who listens to them.

An event says which operation on which tables, how many items, how long, at what cost. It never holds
anything of what items hold, so it may be logged and exported anywhere.

A listener is called in the thread or task that does the work, and is to be quick. One that raises is
logged with its traceback under the `dynattrs` logger, and the work goes on: watching must not lose
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
        request: A number that this request's other events have too; one process uses it once.
        operation: The service's name of the operation: `PutItem`.
        tables: The real names of the tables it names, each once; none for PartiQL.
        count: How many items, keys or actions it names; 0 for queries, scans and statements.
    """

    request: int
    operation: str
    tables: tuple[str, ...]
    count: int


@frozen
class AfterSend:
    """A request has ended: with an answer, or with an error after all of its attempts.

    Attributes:
        request: The number of its `BeforeSend`.
        operation: The service's name of the operation.
        tables: The real names of the tables that the request names.
        count: How many items, keys or actions it names.
        seconds: How long it took, with all attempts and the pauses between them.
        returned: How many items the answer holds.
        matched: How many items a query or scan found, also where it only counts them; else None.
        scanned: How many items a query or scan read; else None.
        unprocessed: How many writes or keys the answer leaves to be sent again.
        by_table: Capacity units by table, as far as the engine says.
        retries: How many attempts there were beyond the first.
        request_id: The service's own number of the request; empty without an answer.
        error: The service's code, or the class of the error, where it failed; else None.
        uncertain: How many attempts of a write may have been applied, or may be still, without an
            answer that says so: replies that were lost or damaged, failures of the service's own, an
            interruption. One that is late takes the place of what was written meanwhile.
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
    """Something is about to be sent again.

    Attributes:
        request: The number of the request, where the same one is repeated; None where what is left
            over becomes a new request.
        operation: The service's name of the operation.
        tables: The real names of the tables.
        count: How many items, keys or actions are sent again.
        attempt: How many attempts in a row have achieved nothing; 0 after one that did a part.
        error: Why: the service's code (`ThrottlingException`), `UnprocessedItems`,
            `UnprocessedKeys`, or the class of an error.
        seconds: The pause before it; None where botocore decides, which says so afterwards.
        by: Who repeats it: botocore, or dynattrs past botocore's own attempts.
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
    """Gathered writes have been sent: a batch or a `save_all` has ended, or `flush()` was called, by
    the program or by a read that had to see them.

    Attributes:
        saved: How many saves the service has acknowledged since the last such event.
        deleted: How many deletes.
        failed: How many writes were given up; `UnsentWrites` names them.
        seconds: How long the flush waited. What was sent before it is not in it.
    """

    saved: int
    deleted: int
    failed: int
    seconds: float


@frozen
class HotPartition:
    """An answer has left items of one partition, which takes no more for now. They wait for it, and all
    others go on. `session.stats.hot_keys` has the keys that it happens to most, with their values.

    Attributes:
        operation: The service's name of the operation.
        table: The real name of the table.
        attribute: The name of its partition key.
        digest: Stands for the value of the key: the same value has the same one in all processes.
        count: How many items or keys wait now that did not before.
        seconds: How long until the next request with such items.
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
            ModelError: There is no such event, or *function* cannot be called.
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
