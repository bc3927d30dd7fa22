"""What `session.search` gives, awaited."""

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
    """A lazy search: iterate over its hits with `async for`, the nearest first, or await one of its
    ends. No request before that, and each time the same one request.
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
        """Objects of another class, which has some of the model's fields; only these are read, and all of
        them must be in the index. The vector is among them only if the class has it.

        Raises:
            QueryError: It has a field that the model has not.
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
        """Tuples of some fields, or of places inside them; only these are read.

        Raises:
            QueryError: One is not a field of the model.
        """
        return self._giving(AsyncSearch[Any], selected(self._info, paths))

    def keys(self) -> AsyncSearch[dict[str, Any]]:
        """The keys only, as dicts of fields: what `get` and `delete` take."""
        return self._giving(AsyncSearch[dict[str, Any]], self._keys)

    def raw(self) -> AsyncSearch[AttributeMap]:
        """Attribute maps, as the index has them, without the vector."""
        return self._giving(AsyncSearch[AttributeMap], Raw())
