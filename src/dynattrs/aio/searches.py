"""The searches that `session.search` returns, under asyncio."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, TypeVar, overload

from dynattrs.aio.results import _Each, _nothing
from dynattrs.operations.flows import Async, Flow
from dynattrs.operations.reading.hits import Hit
from dynattrs.operations.reading.projections import Raw, projected, selected
from dynattrs.operations.reading.search import OneReply, SearchVerbs
from dynattrs.schema.table import AttributeMap
from dynattrs.tracebacks import hidden

if TYPE_CHECKING:
    from dynattrs.aio.reads import AsyncReadingHandle

__tracebackhide__ = hidden

R = TypeVar("R")
T_co = TypeVar("T_co", covariant=True)
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")


class AsyncSearch(SearchVerbs[T_co], Async):
    """A lazy search: iterate over its hits with `async for`, the nearest first, or await `all` or
    `first`. It sends no request before that, and repeats the same single request each time.
    """

    _handle: AsyncReadingHandle

    async def _drive(self, flow: Flow[R]) -> R:
        __tracebackhide__ = True
        return await self._handle._drive(flow)

    def __aiter__(self) -> AsyncIterator[Hit[T_co]]:
        reply = OneReply(self)
        return _Each(lambda: self._handle._drive(reply.next()), _nothing)

    # What changes the type of the results is declared here, and once more for threads.

    def as_(self, cls: type[A], /) -> AsyncSearch[A]:
        """Return objects of another class, which has some of the model's fields. Only these are read, and
        all of them must be in the index. The vector is read only if the class has it.

        Raises:
            QueryError: The class has a field that the model does not have.
        """
        return self._giving(AsyncSearch[A], projected(self._info, cls))

    @overload
    def select(self, one: A, /) -> AsyncSearch[tuple[A]]: ...
    @overload
    def select(self, one: A, two: B, /) -> AsyncSearch[tuple[A, B]]: ...
    @overload
    def select(self, one: A, two: B, three: C, /) -> AsyncSearch[tuple[A, B, C]]: ...
    @overload
    def select(self, one: A, two: B, three: C, four: D, /) -> AsyncSearch[tuple[A, B, C, D]]: ...
    @overload
    def select(self, *paths: object) -> AsyncSearch[tuple[Any, ...]]: ...
    def select(self, *paths: object) -> AsyncSearch[Any]:
        """Return tuples of some fields, or of places inside them. Only these are read.

        Raises:
            QueryError: One of them is not a field of the model.
        """
        return self._giving(AsyncSearch[Any], selected(self._info, paths))

    def keys(self) -> AsyncSearch[dict[str, Any]]:
        """Return only the keys, as dicts of fields, which `get` and `delete` accept."""
        return self._giving(AsyncSearch[dict[str, Any]], self._keys)

    def raw(self) -> AsyncSearch[AttributeMap]:
        """Return attribute maps, as they are in the index, without the vector."""
        return self._giving(AsyncSearch[AttributeMap], Raw())
