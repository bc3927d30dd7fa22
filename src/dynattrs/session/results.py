"""What a session's reads give: lazy queries, items by their keys, rows of statements."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar, overload

from dynattrs.operations.flows import Flow, Sync
from dynattrs.operations.reading.pages import Page
from dynattrs.operations.reading.projections import Raw, projected, selected
from dynattrs.operations.reading.query import Stream
from dynattrs.schema.table import AttributeMap
from dynattrs.session.any_results import AnyItems, AnyQuery, AnyRows, nothing
from dynattrs.session.iterators import Each, Following

if TYPE_CHECKING:
    from dynattrs.session.handles import Handle

R = TypeVar("R")
M_co = TypeVar("M_co", covariant=True)
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")


class Query(AnyQuery[M_co], Sync):
    """A lazy query or scan: iterate over it, or call one of its ends. No request before that."""

    _handle: Handle

    def _drive(self, flow: Flow[R]) -> R:
        return self._handle._drive(flow)

    def __iter__(self) -> Iterator[M_co]:
        stream = Stream(self)
        return Each.of(lambda: self._handle._drive(stream.items()), stream.close)

    def pages(self) -> Iterator[Page[M_co]]:
        stream = Stream(self)
        return Following(lambda: self._drive(stream.next()), stream.close)

    # What changes the type of the results is declared here, and once more for asyncio.

    def as_(self, cls: type[A], /) -> Query[A]:
        return self._giving(Query[A], projected(self._only_model("as_()"), cls))

    @overload
    def select(self, one: A, /) -> Query[tuple[A]]: ...
    @overload
    def select(self, one: A, two: B, /) -> Query[tuple[A, B]]: ...
    @overload
    def select(self, one: A, two: B, three: C, /) -> Query[tuple[A, B, C]]: ...
    @overload
    def select(self, one: A, two: B, three: C, four: D, /) -> Query[tuple[A, B, C, D]]: ...
    @overload
    def select(self, *paths: object) -> Query[tuple[Any, ...]]: ...
    def select(self, *paths: object) -> Query[Any]:
        info = self._only_model("select()")
        return self._giving(Query[Any], selected(info, paths))

    def keys(self) -> Query[dict[str, Any]]:
        return self._giving(Query[dict[str, Any]], self._keys)

    def raw(self) -> Query[AttributeMap]:
        return self._giving(Query[AttributeMap], Raw())


class Items(AnyItems["Handle", M_co]):
    """A lazy stream of the items of many keys. It can be iterated once."""

    def __iter__(self) -> Iterator[M_co]:
        return Each.of(lambda: self._handle._drive(self._found.next()), self._found.close)


class Rows(AnyRows["Handle", M_co]):
    """The rows of a PartiQL statement, read lazily from the second page on. It can be iterated
    once.
    """

    def __iter__(self) -> Iterator[M_co]:
        return Each.of(lambda: self._handle._drive(self._next()), nothing)
