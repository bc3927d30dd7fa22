"""The searches that `session.search` returns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar, overload

from dynattrs.operations.flows import Flow, Sync
from dynattrs.operations.reading.hits import Hit
from dynattrs.operations.reading.projections import Raw, projected, selected
from dynattrs.operations.reading.search import OneReply, SearchVerbs
from dynattrs.schema.table import AttributeMap
from dynattrs.session.results import Each, _nothing
from dynattrs.tracebacks import hidden

if TYPE_CHECKING:
    from dynattrs.session.reads import ReadingHandle

__tracebackhide__ = hidden

R = TypeVar("R")
T_co = TypeVar("T_co", covariant=True)
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")


class Search(SearchVerbs[T_co], Sync):
    """A lazy search: iterate over its hits, the nearest first, or call `all` or `first`. It sends no
    request before that, and repeats the same single request each time.
    """

    _handle: ReadingHandle

    def _drive(self, flow: Flow[R]) -> R:
        __tracebackhide__ = True
        return self._handle._drive(flow)

    def __iter__(self) -> Iterator[Hit[T_co]]:
        reply = OneReply(self)
        return Each.of(lambda: self._handle._drive(reply.next()), _nothing)

    # What changes the type of the results is declared here, and once more for asyncio.

    def as_(self, cls: type[A], /) -> Search[A]:
        """Return objects of another class, which has some of the model's fields. Only these are read, and
        all of them must be in the index. The vector is read only if the class has it.

        Raises:
            QueryError: The class has a field that the model does not have.
        """
        return self._giving(Search[A], projected(self._info, cls))

    @overload
    def select(self, one: A, /) -> Search[tuple[A]]: ...
    @overload
    def select(self, one: A, two: B, /) -> Search[tuple[A, B]]: ...
    @overload
    def select(self, one: A, two: B, three: C, /) -> Search[tuple[A, B, C]]: ...
    @overload
    def select(self, one: A, two: B, three: C, four: D, /) -> Search[tuple[A, B, C, D]]: ...
    @overload
    def select(self, *paths: object) -> Search[tuple[Any, ...]]: ...
    def select(self, *paths: object) -> Search[Any]:
        """Return tuples of some fields, or of places inside them. Only these are read.

        Raises:
            QueryError: One of them is not a field of the model.
        """
        return self._giving(Search[Any], selected(self._info, paths))

    def keys(self) -> Search[dict[str, Any]]:
        """Return only the keys, as dicts of fields, which `get` and `delete` accept."""
        return self._giving(Search[dict[str, Any]], self._keys)

    def raw(self) -> Search[AttributeMap]:
        """Return attribute maps, as they are in the index, without the vector."""
        return self._giving(Search[AttributeMap], Raw())
