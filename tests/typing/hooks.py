"""Hooks, events and instrumentation as checkers see them."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from songs import Song
from typing_extensions import assert_type

from dynattrs import Flushed, Session, Unsent, map_class, otel
from dynattrs.events import AfterSend, BeforeSend, Flush, Retry


def count(flushed: Flushed) -> None:
    assert_type(flushed.failed, tuple[Unsent, ...])


def trim(song: Song) -> None: ...


session = Session(before_save=trim, after_load=[trim, trim], after_flush=count)
Session.local(after_flush=[count])
Session(after_flush=trim)  # type: ignore[arg-type]
Session(before_save="trim")  # type: ignore[arg-type]


@attrs.define
class Plain:
    id: str


def check(plain: Plain) -> None: ...


def replace(plain: Plain) -> Plain:
    return plain


map_class(Plain, "plain", partition_key="id", after_load=replace)
map_class(Plain, "plain", partition_key="id", before_save=trim)  # type: ignore[arg-type]

# --- Events -------------------------------------------------------------------------------------

assert_type(session.on("before_send", lambda event: event.count), Callable[[], None])


def on_sent(event: AfterSend) -> None:
    assert_type(event.by_table["music"], float)
    print(event.secnds)  # type: ignore[attr-defined]


def on_send(event: BeforeSend) -> str:
    return event.operation


def on_flush(event: Flush) -> None: ...


session.on("before_send", on_send)
session.on("after_send", on_sent)
session.on("flush", on_flush)
session.on("after_send", on_send)  # type: ignore[call-overload]
session.on("sent", print)  # type: ignore[call-overload]


def on_retry(event: Retry) -> None: ...


session.on("retry", on_retry)
session.on("flush", on_retry)  # type: ignore[call-overload]

assert_type(otel.instrument(session), Callable[[], None])
otel.instrument("session")  # type: ignore[arg-type]
