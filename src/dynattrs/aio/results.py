"""The results of a session's reads: lazy queries, items by key, rows of statements."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

from dynattrs.operations.flows import Async, Flow
from dynattrs.operations.reading.pages import Page
from dynattrs.operations.reading.projections import Raw, projected, selected
from dynattrs.operations.reading.query import Stream
from dynattrs.schema.table import AttributeMap
from dynattrs.session.any_results import (
    AnyArrowBatches,
    AnyItems,
    AnyQuery,
    AnyRows,
    batches_of,
)
from dynattrs.tracebacks import hidden

if TYPE_CHECKING:
    import pyarrow as pa

    from dynattrs.aio.reads import AsyncReadingHandle

__tracebackhide__ = hidden

R = TypeVar("R")
M_co = TypeVar("M_co", covariant=True)
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")


class AsyncQuery(AnyQuery[M_co], Async):
    """A lazy query or scan. It sends no request before you iterate over it with `async for`, or await
    `all`, `first`, `count` or the like.
    """

    _handle: AsyncReadingHandle

    async def _drive(self, flow: Flow[R]) -> R:
        __tracebackhide__ = True
        return await self._handle._drive(flow)

    def __aiter__(self) -> AsyncIterator[M_co]:
        pages = AsyncPages(self, Stream.items)
        return _Each(pages._following, pages._close)

    def pages(self) -> AsyncPages[M_co]:
        return AsyncPages(self)

    def arrow(self, *, types: Mapping[str, Any] | None = None) -> AsyncArrowBatches:
        return AsyncArrowBatches(self, types)

    # What changes the type of the results is declared here, and once more for threads.

    def as_(self, cls: type[A], /) -> AsyncQuery[A]:
        return self._giving(AsyncQuery[A], projected(self._only_model("as_()"), cls))

    @overload
    def select(self, one: A, /) -> AsyncQuery[tuple[A]]: ...
    @overload
    def select(self, one: A, two: B, /) -> AsyncQuery[tuple[A, B]]: ...
    @overload
    def select(self, one: A, two: B, three: C, /) -> AsyncQuery[tuple[A, B, C]]: ...
    @overload
    def select(self, one: A, two: B, three: C, four: D, /) -> AsyncQuery[tuple[A, B, C, D]]: ...
    @overload
    def select(self, *paths: object) -> AsyncQuery[tuple[Any, ...]]: ...
    def select(self, *paths: object) -> AsyncQuery[Any]:
        info = self._only_model("select()")
        return self._giving(AsyncQuery[Any], selected(info, paths))

    def keys(self) -> AsyncQuery[dict[str, Any]]:
        return self._giving(AsyncQuery[dict[str, Any]], self._keys)

    def raw(self) -> AsyncQuery[AttributeMap]:
        return self._giving(AsyncQuery[AttributeMap], Raw())


class AsyncArrowBatches(AnyArrowBatches["AsyncQuery[Any]"], Async):
    """The results of a query as Arrow record batches: iterate with `async for`, or await them all with
    `table()`.
    """

    async def _drive(self, flow: Flow[R]) -> R:
        __tracebackhide__ = True
        return await self._query._drive(flow)

    def __aiter__(self) -> AsyncIterator[pa.RecordBatch]:
        found, drive = batches_of(self._query, self._types), self._query._drive
        return _Batches(lambda: drive(found.next()), found.close)


class AsyncItems(AnyItems["AsyncReadingHandle", M_co], Async):
    """A lazy stream of the items with many keys. It returns each item once: a new `async for` continues
    where the last one stopped.
    """

    _iteration: _Each[Any] | None = None

    async def _drive(self, flow: Flow[R]) -> R:
        __tracebackhide__ = True
        return await self._handle._drive(flow)

    def __aiter__(self) -> AsyncIterator[M_co]:
        if self._iteration is None:
            drive, found = self._handle._drive, self._found
            self._iteration = _Each(lambda: drive(found.next()), found.close)
        return self._iteration


class AsyncRows(AnyRows["AsyncReadingHandle", M_co], Async):
    """The rows of a PartiQL statement, read lazily from the second page on. Each row is returned once: a
    new `async for` continues where the last one stopped.
    """

    _iteration: _Each[Any] | None = None

    async def _drive(self, flow: Flow[R]) -> R:
        __tracebackhide__ = True
        return await self._handle._drive(flow)

    def __aiter__(self) -> AsyncIterator[M_co]:
        if self._iteration is None:
            drive, statement = self._handle._drive, self._statement
            self._iteration = _Each(lambda: drive(statement.next()), _nothing)
        return self._iteration


def _nothing() -> None:
    """What is to be done where nothing has begun."""


# Not asynchronous generators: one that is left early lives on until the event loop closes it in a
# task of its own. These end what they have begun as soon as nothing holds them any more.


class _Iteration(Generic[M_co]):
    """What comes one after the other, and is fetched when it is asked for."""

    def __init__(
        self, following: Callable[[], Awaitable[object]], close: Callable[[], None]
    ) -> None:
        self._following = following
        self._close = close
        self._waited_for = False

    def __aiter__(self) -> AsyncIterator[M_co]:
        return cast("AsyncIterator[M_co]", self)

    async def aclose(self) -> None:
        """Abandon the page that is being fetched. Leaving the loop does the same."""
        self._close()

    def __del__(self) -> None:
        with contextlib.suppress(RuntimeError):  # the event loop is gone, and all tasks with it
            self._close()

    def _check(self) -> None:
        if self._waited_for:
            raise RuntimeError("another task waits for this iterator; give each one of its own")

    async def _more(self) -> Any:
        self._check()
        self._waited_for = True
        try:
            found = await self._following()
        finally:
            self._waited_for = False
        if found is None:
            raise StopAsyncIteration
        return found


class AsyncPages(_Iteration[Page[M_co]]):
    """The pages of a query: an asynchronous iterator."""

    def __init__(
        self,
        query: AsyncQuery[M_co],
        following_of: Callable[[Stream[M_co]], Flow[object]] = Stream.next,
    ) -> None:
        stream: list[Stream[M_co]] = []

        def following() -> Awaitable[Any]:
            if not stream:
                stream.append(query._stream())
            return query._drive(following_of(stream[0]))

        def close() -> None:
            for each in stream:
                each.close()

        super().__init__(following, close)

    async def __anext__(self) -> Page[M_co]:
        return cast("Page[M_co]", await self._more())


class _Batches(_Iteration[Any]):
    async def __anext__(self) -> Any:
        return await self._more()


class _Each(_Iteration[M_co]):
    """The members of sequences that come one after the other."""

    _items: Sequence[M_co] = ()
    _position = 0

    def left(self) -> list[M_co]:
        """What has come and was not given; it is not given any more."""
        self._check()
        left = [*self._items[self._position :]]
        self._items, self._position = (), 0
        return left

    async def __anext__(self) -> M_co:
        while self._position == len(self._items):
            self._items, self._position = await self._more(), 0
        self._position += 1
        return self._items[self._position - 1]
