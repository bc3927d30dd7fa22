"""`Session.local()` and `AsyncSession.local()`: sessions with an engine of their own, in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from dynattrs.operations.flows import written_as

if TYPE_CHECKING:
    from dynattrs.models.hooks import Flushed
    from dynattrs.operations.writing.ledger import Progress
    from dynattrs.wire.local_engine import Lease

Self = TypeVar("Self", bound="OnAnEngine")


@written_as("Session")
class OnAnEngine:
    """What makes a session together with its engine."""

    @classmethod
    def local(
        cls: type[Self],
        *,
        table_prefix: str = "",
        tables: Mapping[str, str] | None = None,
        concurrency: int = 4,
        deadline: timedelta = timedelta(seconds=60),
        call_timeout: timedelta | None = None,
        cursor_secret: str | bytes | None = None,
        clock: Callable[[], datetime] | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        fast: bool = True,
        before_save: Callable[[Any], object] | Sequence[Callable[[Any], object]] = (),
        after_load: Callable[[Any], object] | Sequence[Callable[[Any], object]] = (),
        after_flush: Callable[[Flushed], object] | Sequence[Callable[[Flushed], object]] = (),
        slow: timedelta | None = None,
        costly: float | None = None,
        write_units: float | None = None,
        s3_client: object = None,
    ) -> Self:
        """Return a session on an in-process database, empty at first and gone when the session closes.

        It needs `dynattrs[local]`, but no Java, account or network. It listens on a free port of the
        loopback interface. It accepts some requests that the service would refuse, so test critical code
        against the service too. The arguments are those of the class, without what makes a client.

        Raises:
            MissingExtra: The extra is not installed.
        """
        from dynattrs.wire.local_engine import start

        engine = start()
        try:
            return cls._on(
                engine, table_prefix=table_prefix, tables=tables, concurrency=concurrency,
                deadline=deadline, call_timeout=call_timeout, cursor_secret=cursor_secret,
                clock=clock, on_progress=on_progress, fast=fast,
                before_save=before_save, after_load=after_load, after_flush=after_flush,
                slow=slow, costly=costly, write_units=write_units, s3_client=s3_client,
            )  # fmt: skip
        except BaseException:
            engine.stop()
            raise

    @classmethod
    def _on(cls: type[Self], engine: Lease, **options: object) -> Self:
        """A session on a running engine, which it stops when it is closed or forgotten."""
        raise NotImplementedError
