"""`session.changes(...)`: an iterator over what happens to the items of some tables."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Generic, TypeVar, cast

from dynattrs.errors import QueryError
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Async, Flow, Sync
from dynattrs.quoting import quoted
from dynattrs.streams.followed import Given
from dynattrs.streams.following import Follower
from dynattrs.streams.kinds import AnyChange, Unreadable
from dynattrs.streams.positions import HORIZON, Position
from dynattrs.streams.reading import Others, Source, check_others, models_of, read_record
from dynattrs.streams.records import Record
from dynattrs.streams.service import StreamService
from dynattrs.streams.tokens import Token
from dynattrs.tracebacks import hidden

__tracebackhide__ = hidden

M_co = TypeVar("M_co", covariant=True)
SelfChanges = TypeVar("SelfChanges", bound="Changes[Any]")
SelfAsyncChanges = TypeVar("SelfAsyncChanges", bound="AsyncChanges[Any]")


class AnyChanges(Generic[M_co]):
    """What both kinds of iterators are, whichever way they wait.

    Args:
        session: Drives the flows.
        core: The session's settings.
        models_or_tables: What was asked for.
        start: As `Session.changes` takes it, as are those that follow.
    """

    def __init__(
        self,
        session: Any,
        core: Core,
        models_or_tables: Sequence[Any],
        start: datetime | str,
        follow: bool,
        until: datetime | None,
        others: Others,
    ) -> None:
        check_others(others)
        infos = models_of(models_or_tables)
        for info in infos:
            core.table_name(info.table)
        self._source = Source(infos, None, core.table_names.__getitem__, core.hooks.after_load)
        self._others: Others = others
        tables = list(dict.fromkeys(core.table_names[info.table.name] for info in infos))
        _check_end(start, follow, until)
        self._follower = Follower(
            StreamService(core), tables, _beginning(start, tables), follow=follow, until=until
        )
        self._session = session
        self._tables = tables
        self._page: Iterator[Any] = iter(())
        self._given: Given | None = None
        self._waited_for = self._closed = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {', '.join(map(repr, self._tables))}>"

    def token(self) -> str:
        """Where it stands: behind the change that it gave last, whatever was read ahead.

        `session.changes(app, start=token)` goes on from there, in another process too, and for as long as
        records are kept, which is 24 hours; later that is a `StreamGap`. Store it when what the change is
        about was done: then none is lost, and after a crash some come again.
        """
        return self._follower.token().text()

    def _next_of_page(self) -> Any:
        for change in self._page:
            assert self._given is not None
            self._given.handed(change.sequence_number)
            return change
        return None

    def _turn(self) -> Flow[bool]:
        """Go on to the next page; whether there is one."""
        given = yield from self._follower.next()
        if given is None:
            return False
        records = [read_record(each, bare=False) for each in given.records]
        for record in records:
            if isinstance(record, Record):
                record.table = given.table
        self._given, self._page = given, self._source.changes(records, self._others)
        return True

    def _begin(self) -> bool:
        """Whether to go on; the session must be open."""
        if self._closed:
            return False
        self._session._check_open()
        return True

    def _close(self) -> None:
        self._closed = True
        self._page = iter(())
        self._follower.close()


class Changes(AnyChanges[M_co]):
    """The changes of some tables' items, one after the other: `for change in session.changes(app):`.

    An error ends the loop around it, and not the iterator: asked for the next change, it goes on where it
    was, and behind a `StreamGap`. `with session.changes(app) as changes:` and `close()` forget what was
    read ahead.
    """

    def __iter__(self: SelfChanges) -> SelfChanges:
        return self

    def __next__(self) -> AnyChange[M_co] | Unreadable:
        __tracebackhide__ = True
        while True:
            change = self._next_of_page()
            if change is not None:
                return cast("AnyChange[M_co] | Unreadable", change)
            if not self._begin():
                raise StopIteration
            if self._waited_for:
                raise ValueError("another thread waits for this iterator; give each one of its own")
            self._waited_for = True
            try:
                session: Sync = self._session
                if not session._drive(self._turn()):
                    raise StopIteration
            finally:
                self._waited_for = False

    def close(self) -> None:
        """End it. Its `token` stays where it is."""
        self._close()

    def __enter__(self: SelfChanges) -> SelfChanges:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError):  # it was never made
            self._close()


class AsyncChanges(AnyChanges[M_co]):
    """The same for an `AsyncSession`: `async for change in session.changes(app):`."""

    def __aiter__(self: SelfAsyncChanges) -> SelfAsyncChanges:
        return self

    async def __anext__(self) -> AnyChange[M_co] | Unreadable:
        __tracebackhide__ = True
        while True:
            change = self._next_of_page()
            if change is not None:
                return cast("AnyChange[M_co] | Unreadable", change)
            if not self._begin():
                raise StopAsyncIteration
            if self._waited_for:
                raise RuntimeError("another task waits for this iterator; give each one of its own")
            self._waited_for = True
            try:
                session: Async = self._session
                if not await session._drive(self._turn()):
                    raise StopAsyncIteration
            finally:
                self._waited_for = False

    async def aclose(self) -> None:
        """End it. Its `token` stays where it is."""
        self._close()

    async def __aenter__(self: SelfAsyncChanges) -> SelfAsyncChanges:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    def __del__(self) -> None:
        # It was never made, or the event loop is gone and all tasks with it.
        with contextlib.suppress(AttributeError, RuntimeError):
            self._close()


def _check_end(start: object, follow: object, until: object) -> None:
    if type(follow) is not bool:
        raise QueryError(f"changes(follow={quoted(follow)}): True or False is expected")
    if until is not None and not (isinstance(until, datetime) and until.utcoffset() is not None):
        raise QueryError(
            f"changes(until={quoted(until)}): an aware datetime is expected, or None for no end"
        )
    if start == "latest" and not follow:
        raise QueryError(
            'changes(start="latest", follow=False) could find nothing: it would end before anything '
            'happens; say where to begin: start="horizon", an aware datetime, or a token'
        )
    if isinstance(start, datetime) and isinstance(until, datetime) and start >= until:
        raise QueryError(f"changes(start={start}, until={until}): it ends before it begins")


def _beginning(start: object, tables: list[str]) -> Position | Token | None:
    """Where to begin; None for now."""
    if isinstance(start, datetime):
        if start.utcoffset() is None:
            raise QueryError(f"changes(start={start!r}) has no time zone; add one: tzinfo=...")
        return Position.at(start)
    if not isinstance(start, str):
        raise QueryError(
            f'changes(start={quoted(start)}): "latest", "horizon", an aware datetime, or what token() '
            f"gave is expected"
        )
    if start in ("latest", "horizon"):
        return None if start == "latest" else HORIZON
    token = Token.parse(start)
    if token.places.keys() != set(tables):
        raise QueryError(
            f"changes(start=...): this token is of {', '.join(map(repr, sorted(token.places)))}, and the "
            f"models are in {', '.join(map(repr, sorted(tables)))}; each needs its own token"
        )
    return token
