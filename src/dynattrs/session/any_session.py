"""What sessions and batches are, whichever way they wait: their life, and what they are told.

How they wait, and where connections are opened, is in `session.session` and in `aio.session`.
"""

from __future__ import annotations

import random
import weakref
from collections.abc import Callable, Hashable, Mapping, MutableSet, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from dynattrs import utf8
from dynattrs.clock import monotonic
from dynattrs.deferral import deferred
from dynattrs.errors import BatchClosed, ModelError, SessionClosed, Unsent
from dynattrs.models.hooks import Flushed, SessionHooks, functions
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Environment, Flow, verb
from dynattrs.session.any_handle import AnyHandle

if TYPE_CHECKING:
    from dynattrs.operations.writing import batch as gathered
    from dynattrs.operations.writing import buffer as buffers
    from dynattrs.operations.writing import reports
    from dynattrs.operations.writing.buffer import Buffer
    from dynattrs.operations.writing.ledger import Progress
    from dynattrs.session import shown
    from dynattrs.wire.local_engine import Lease
else:
    # Imported when a batch is made, or something is written.
    gathered = deferred("dynattrs.operations.writing.batch")
    buffers = deferred("dynattrs.operations.writing.buffer")
    reports = deferred("dynattrs.operations.writing.reports")
    # Imported when one is looked at.
    shown = deferred("dynattrs.session.shown")

Self = TypeVar("Self", bound="AnySession")

Hook: TypeAlias = "Callable[[Any], Any] | Sequence[Callable[[Any], Any]]"
FlushHook: TypeAlias = "Callable[[Flushed], object] | Sequence[Callable[[Flushed], object]]"


class AnyBatch(AnyHandle):
    """All verbs over a buffer of its own: puts and deletes are gathered in it."""

    def __init__(
        self, session: AnySession, on_progress: Callable[[Progress], object] | None
    ) -> None:
        self._session = session
        self._core = session._core
        self._driver = session._driver
        self._buffer = buffers.Buffer(on_progress or self._core.on_progress)
        self._closed = "not begun"
        # A batch that is forgotten: `__enter__` called by hand, a generator when Python exits.
        # What reports it is imported now: then it may be too late.
        report = reports.report_left
        self._forgotten = weakref.finalize(self, _forgotten, self._core, self._buffer, report)

    def __repr__(self) -> str:
        return shown.batch(self)

    def _check_open(self) -> None:
        if self._closed is not None:
            raise BatchClosed(self._closed)
        self._session._check_open()

    def _begin(self) -> None:
        if self._closed != "not begun":
            raise BatchClosed(self._closed or "open")
        self._session._check_open()
        self._closed = None
        self._session._batches.add(self)
        assert self._buffer is not None
        self._core.gathering[self._buffer] = self._core.environment.caller()

    def _check_begun(self) -> None:
        if self._closed is not None:
            raise BatchClosed(self._closed)

    def _end(self, error: BaseException | None) -> Flow[None]:
        assert self._buffer is not None
        self._closed = "ended"
        if self._session._closed is not None and (error is None or isinstance(error, Exception)):
            return gathered.give_up(self._core, self._buffer, SessionClosed(self._session._closed))
        return gathered.end(self._core, self._buffer, error)

    def _report(self, failure: BaseException, error: BaseException | None) -> None:
        """*failure* leaves the batch, which *error* had ended: perhaps a second interruption, or one
        before its end had really begun.
        """
        assert self._buffer is not None
        began = self._core.environment.monotonic()
        reports.report_left(self._buffer, failure, error)
        reports.tell_so_far(self._core, self._buffer, began)

    def _over(self) -> None:
        """It has ended: nothing holds it, nor what led to its end, any longer."""
        assert self._buffer is not None
        self._session._batches.discard(self)
        self._core.gathering.pop(self._buffer, None)
        if not self._buffer.is_settled():  # an interruption came in between
            reports.report_left(self._buffer)
        self._forgotten.detach()
        self._buffer.forget()

    @verb
    def flush(self) -> Flow[None]:
        """Send what is gathered, and wait until the service has acknowledged all of it.

        Raises:
            UnsentWrites: Some writes were not stored; it carries the very objects.
        """
        self._check_open()
        assert self._buffer is not None
        yield from gathered.flush(self._core, self._buffer)

    def discard(self) -> list[Unsent]:
        """Drop what is gathered and not sent yet.

        Returns:
            The writes that were dropped, in the order of the calls.
        """
        self._check_open()
        assert self._buffer is not None
        return self._buffer.discard()


def _forgotten(core: Core, buffer: Buffer, report: Callable[[Buffer], object]) -> None:
    core.gathering.pop(buffer, None)
    report(buffer)


class AnySession(AnyHandle):
    """What makes batches, and knows which of them are open."""

    # Weak, so that a batch that is forgotten is reported, and does not keep its session open; but for
    # a session of the pytest plugin, which reports them itself.
    _batches: MutableSet[AnyBatch]
    #: The region and the endpoint that were asked for, where there may be no client yet.
    _place: tuple[str | None, str | None] = (None, None)

    def __repr__(self) -> str:
        return shown.session(self)

    def batch(self, *, on_progress: Callable[[Progress], object] | None = None) -> Any:
        """A batch: `with session.batch() as batch:`. What is saved and deleted through it is
        gathered, 25 to a BatchWriteItem, and stored when the `with` statement has ended.

        A batch has all verbs. Each has a buffer of its own, and any thread or task may use it until
        it ends, so batches nest and run side by side.

        Args:
            on_progress: Called with a `Progress` after every answer to the batch's writes, from the
                thread or task that had it; in place of the session's.

        Raises:
            SessionClosed: The session is closed.
        """
        raise NotImplementedError

    def _check_no_batches(self) -> None:
        if self._closed is None and self._batches:
            raise SessionClosed("session with open batches")

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in ("flush", "discard"):
                raise AttributeError(
                    f"a session has no {name}(), because it gathers nothing: write through "
                    f"`with session.batch() as batch:` and call batch.{name}()"
                )
            return self.__getattribute__(name)  # which says what is missing

    @classmethod
    def local(
        cls: type[Self],
        *,
        table_prefix: str = "",
        tables: Mapping[str, str] | None = None,
        concurrency: int = 4,
        cursor_secret: str | bytes | None = None,
        clock: Callable[[], datetime] | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        before_save: Callable[[Any], object] | Sequence[Callable[[Any], object]] = (),
        after_load: Callable[[Any], object] | Sequence[Callable[[Any], object]] = (),
        after_flush: Callable[[Flushed], object] | Sequence[Callable[[Flushed], object]] = (),
    ) -> Self:
        """A session on an engine embedded in this process, empty and gone with the session.

        It needs `dynattrs[local]`, no Java, no account and no network. It listens on a free port of
        the loopback interface. It is for trying out and for tests; it is more lenient than the
        service, which the tests of what matters should know.

        Raises:
            MissingExtra: The extra is not installed.
        """
        from dynattrs.wire.local_engine import start

        engine = start()
        try:
            return cls._on(
                engine, table_prefix=table_prefix, tables=tables, concurrency=concurrency,
                cursor_secret=cursor_secret, clock=clock, on_progress=on_progress,
                before_save=before_save, after_load=after_load, after_flush=after_flush,
            )  # fmt: skip
        except BaseException:
            engine.stop()
            raise

    @classmethod
    def _on(cls: type[Self], engine: Lease, **options: object) -> Self:
        """A session on a running engine, which it stops when it is closed or forgotten."""
        raise NotImplementedError

    def close(self) -> Any:
        """End the session: threads or tasks, connections, and after `local()` the engine.

        Leaving `with session:` does the same. A client that was handed in stays open. Closing twice
        is fine.

        Raises:
            SessionClosed: A batch of it is still open. Nothing is lost: the session stays open, and
                the batch can still be ended.
        """
        raise NotImplementedError


def core_of(
    owner: str,
    *,
    caller: Callable[[], Hashable],
    cancellable: bool,
    table_prefix: str,
    tables: Mapping[str, str] | None,
    concurrency: int,
    deadline: timedelta,
    cursor_secret: str | bytes | None,
    clock: Callable[[], datetime] | None,
    on_progress: Callable[[Progress], object] | None,
    before_save: Hook,
    after_load: Hook,
    after_flush: FlushHook,
) -> Core:
    """The settings of a session.

    Args:
        owner: The session's class, for messages.
        caller: Who is calling: a thread, or a task.
        cancellable: Whether who is calling may be cancelled while waiting.
        table_prefix: As the session's, as are all that follow.
    """
    if type(concurrency) is not int or concurrency < 1:
        raise ModelError(owner, f"concurrency={concurrency!r}: a positive int is expected")
    if not isinstance(deadline, timedelta):
        raise ModelError(owner, f"deadline={deadline!r}: a timedelta is expected")
    hooks = SessionHooks(
        functions(owner, "before_save", before_save),
        functions(owner, "after_load", after_load),
        functions(owner, "after_flush", after_flush),
    )
    if isinstance(cursor_secret, str) and not utf8.encodable(cursor_secret):
        raise ModelError(owner, f"cursor_secret: {utf8.EXPECTED} is expected")
    secret = cursor_secret.encode() if isinstance(cursor_secret, str) else cursor_secret
    if secret is not None and not secret:
        raise ModelError(owner, "cursor_secret is empty; leave it out, or give a secret")
    environment = Environment(
        monotonic, random.random, clock or _utc_now, caller=caller, cancellable=cancellable
    )
    return Core(
        environment, deadline, concurrency, table_prefix, dict(tables or {}), secret,
        on_progress, hooks,
    )  # fmt: skip


def limit_of(owner: str, call_timeout: object) -> float | None:
    """How many seconds a call may take in all; None for any time.

    Args:
        owner: The session's class, for messages.
        call_timeout: As the session's.
    """
    if call_timeout is None:
        return None
    if not isinstance(call_timeout, timedelta) or call_timeout <= timedelta():
        problem = f"call_timeout={call_timeout!r}: a timedelta longer than nothing is expected"
        raise ModelError(owner, problem)
    return call_timeout.total_seconds()


def check_client_options(owner: str, client: object, options: Mapping[str, object]) -> None:
    """Refuse what would be ignored beside a client, or beside a session to make one from.

    Args:
        owner: The session's class, for messages.
        client: The client that was handed in, or None.
        options: What is for making one, by name; the session to make it from comes first.
    """
    given = [name for name, value in options.items() if value is not None]
    if client is not None and given:
        raise ModelError(owner, f"client is given, so {', '.join(given)} would be ignored")
    maker = next(iter(options))
    if options[maker] is not None and options["profile_name"] is not None:
        raise ModelError(owner, f"{maker} is given, so profile_name would be ignored")


def is_awaited(client: object) -> bool:
    """Whether a client is aiobotocore's, whose methods are awaited."""
    return any(each.__module__.partition(".")[0] == "aiobotocore" for each in type(client).__mro__)


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)
