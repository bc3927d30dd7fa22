"""`Session`: where connections are opened and settings are kept."""

from __future__ import annotations

import random
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from dynattrs.errors import ModelError, SessionClosed
from dynattrs.hooks import Flushed, SessionHooks, functions
from dynattrs.operations.core import Core
from dynattrs.operations.flows import Environment
from dynattrs.operations.pace import Progress
from dynattrs.session.blocks import Block, Enter, Exit
from dynattrs.session.clients import make_client, with_room
from dynattrs.session.driver import Driver
from dynattrs.session.handles import Handle
from dynattrs.wire import Wire, configured

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

R = TypeVar("R")
M_co = TypeVar("M_co", covariant=True)
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")


#: Requests in flight besides batches: queries fetch one page ahead.
_BESIDES: Final = 4


class Session(Handle):
    """The way to the service: saves, reads, queries, tables.

    One session serves a whole program, in all threads. Outside a block it writes each item at once;
    `with session as s:` opens a block whose handle `s` gathers writes.

    Args:
        client: A botocore client to use as it is. The five that follow are for making one.
        boto3_session: A boto3 session to make the client from.
        region_name: As boto3's, as are the next three.
        profile_name: A profile of the AWS configuration.
        endpoint_url: Another endpoint, such as DynamoDB Local's.
        config: A `botocore.config.Config`.
        table_prefix: Put before the declared name of every table: `"dev-"`.
        tables: Real names of tables by declared name; they take no prefix.
        concurrency: How many batches may be in flight at once. A client that the session makes keeps
            as many connections, unless *config* says how many.
        deadline: How long batches are retried without any acknowledgement.
        cursor_secret: Signs cursors; without it anybody can read and make one. The same secret in
            every process that resumes them.
        clock: Gives the aware time for `created=True` and `updated=True`.
        on_progress: Called with a `Progress` after every answer to a block's, or a `save_all`'s,
            writes, from whatever thread had it; each block counts for itself.
        before_save: Called with each object, of whatever model, before it is encoded and saved,
            after the model's own hooks. One function or several.
        after_load: Called with each object that was read, after the model's own hooks.
        after_flush: Called with a `Flushed` when gathered writes have been sent.
        fast: Make requests and read replies without botocore's machinery wherever nobody listens to
            it. False leaves all of that to botocore, which is several times slower.

    Raises:
        ConfigurationError: There is no region, or no such profile.
    """

    def __init__(
        self,
        *,
        client: DynamoDBClient | None = None,
        boto3_session: Any = None,
        region_name: str | None = None,
        profile_name: str | None = None,
        endpoint_url: str | None = None,
        config: Any = None,
        table_prefix: str = "",
        tables: Mapping[str, str] | None = None,
        concurrency: int = 4,
        deadline: timedelta = timedelta(seconds=60),
        cursor_secret: str | bytes | None = None,
        clock: Callable[[], datetime] | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        fast: bool = True,
        before_save: Callable[[Any], Any] | Sequence[Callable[[Any], Any]] = (),
        after_load: Callable[[Any], Any] | Sequence[Callable[[Any], Any]] = (),
        after_flush: Callable[[Flushed], object] | Sequence[Callable[[Flushed], object]] = (),
    ) -> None:
        options = {
            "boto3_session": boto3_session, "region_name": region_name,
            "profile_name": profile_name, "endpoint_url": endpoint_url, "config": config,
        }  # fmt: skip
        given = [name for name, value in options.items() if value is not None]
        if client is not None and given:
            raise ModelError("Session", f"client is given, so {', '.join(given)} would be ignored")
        if boto3_session is not None and profile_name is not None:
            raise ModelError("Session", "boto3_session is given, so profile_name would be ignored")
        if type(concurrency) is not int or concurrency < 1:
            raise ModelError("Session", f"concurrency={concurrency!r}: a positive int is expected")
        if not isinstance(cast("object", deadline), timedelta):
            raise ModelError("Session", f"deadline={deadline!r}: a timedelta is expected")
        hooks = SessionHooks(
            functions("Session", "before_save", before_save),
            functions("Session", "after_load", after_load),
            functions("Session", "after_flush", after_flush),
        )
        # A client that was handed in is its owner's to close.
        self._closing: list[Callable[[], object]] = []
        if client is None:
            client = configured(
                lambda: make_client(
                    boto3_session, profile_name, region_name=region_name,
                    endpoint_url=endpoint_url, config=with_room(config, concurrency + _BESIDES),
                )
            )  # fmt: skip
            self._closing.append(cast("Any", client).close)
        environment = Environment(time.monotonic, random.random, clock or _utc_now)
        secret = cursor_secret.encode() if isinstance(cursor_secret, str) else cursor_secret
        if secret is not None and not secret:
            raise ModelError("Session", "cursor_secret is empty; leave it out, or give a secret")
        self._core = Core(
            environment, deadline, concurrency, table_prefix, dict(tables or {}), secret,
            on_progress, hooks,
        )  # fmt: skip
        wire = Wire(client, fast=fast, events=self._core.events)
        self._driver = Driver(wire, workers=concurrency + _BESIDES)
        self._buffer = None
        self._closed = None
        self._blocks: list[Block] = []

    @classmethod
    def local(
        cls,
        *,
        table_prefix: str = "",
        tables: Mapping[str, str] | None = None,
        concurrency: int = 4,
        cursor_secret: str | bytes | None = None,
        clock: Callable[[], datetime] | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        before_save: Callable[[Any], Any] | Sequence[Callable[[Any], Any]] = (),
        after_load: Callable[[Any], Any] | Sequence[Callable[[Any], Any]] = (),
        after_flush: Callable[[Flushed], object] | Sequence[Callable[[Flushed], object]] = (),
    ) -> Session:
        """A session on an engine embedded in this process, empty and gone with the session.

        It needs `dynattrs[local]`, no Java, no account and no network. It listens on a free port of
        the loopback interface. It is for trying out and for tests; it is more lenient than the
        service, which the tests of what matters should know.

        Raises:
            MissingExtra: The extra is not installed.
        """
        import boto3

        from dynattrs.local import start

        lease = start()
        try:
            session = cls(
                client=boto3.client("dynamodb", **cast("Any", lease.client_arguments)),
                table_prefix=table_prefix,
                tables=tables,
                concurrency=concurrency,
                cursor_secret=cursor_secret,
                clock=clock,
                on_progress=on_progress,
                before_save=before_save,
                after_load=after_load,
                after_flush=after_flush,
            )
        except BaseException:
            lease.stop()
            raise
        # The engine also goes when everybody has forgotten the session without closing it.
        session._closing += (
            session.client.close,
            weakref.finalize(session._driver, lease.stop),
        )
        return session

    def close(self) -> None:
        """End the session: threads, connections, and after `Session.local()` the engine.

        A client that was handed in stays open. Closing twice is fine.

        Raises:
            SessionClosed: A block of it is still open.
        """
        if self._blocks:
            raise SessionClosed("session with open blocks")
        self._closed = "session"
        self._driver.close()
        closing, self._closing = self._closing, []
        for close in closing:
            close()

    if TYPE_CHECKING:

        def __enter__(self) -> Block:
            """Begin a block: what is written through its handle is gathered, and stored when the
            block has ended.
            """
            raise NotImplementedError

        def __exit__(
            self,
            kind: type[BaseException] | None,
            error: BaseException | None,
            traceback: TracebackType | None,
        ) -> None: ...

    else:
        __enter__ = Enter()
        __exit__ = Exit()


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)
