"""What every session is told when it is made, checked in one place."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, TypeAlias, cast

from dynattrs.errors import ModelError
from dynattrs.models.hooks import Flushed, SessionHooks, functions
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Environment
from dynattrs.operations.writing.pace import Progress

Hook: TypeAlias = "Callable[[Any], Any] | Sequence[Callable[[Any], Any]]"
FlushHook: TypeAlias = "Callable[[Flushed], object] | Sequence[Callable[[Flushed], object]]"


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
    if not isinstance(cast("object", deadline), timedelta):
        raise ModelError(owner, f"deadline={deadline!r}: a timedelta is expected")
    hooks = SessionHooks(
        functions(owner, "before_save", before_save),
        functions(owner, "after_load", after_load),
        functions(owner, "after_flush", after_flush),
    )
    secret = cursor_secret.encode() if isinstance(cursor_secret, str) else cursor_secret
    if secret is not None and not secret:
        raise ModelError(owner, "cursor_secret is empty; leave it out, or give a secret")
    environment = Environment(
        time.monotonic, random.random, clock or _utc_now, caller=caller, cancellable=cancellable
    )
    return Core(
        environment, deadline, concurrency, table_prefix, dict(tables or {}), secret,
        on_progress, hooks,
    )  # fmt: skip


def check_client_options(owner: str, client: Any, options: Mapping[str, Any]) -> None:
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


def is_awaited(client: Any) -> bool:
    """Whether a client is aiobotocore's, whose methods are awaited."""
    return any(each.__module__.partition(".")[0] == "aiobotocore" for each in type(client).__mro__)


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)
