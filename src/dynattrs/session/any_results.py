"""What a session's reads give, whichever way they wait: queries, items by their keys, rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from dynattrs.deferral import deferred
from dynattrs.operations.flows import Flow, verb
from dynattrs.operations.reading.batch_get import BatchGet
from dynattrs.operations.reading.partiql import Statement
from dynattrs.operations.reading.query import QueryVerbs, _positive
from dynattrs.session.any_handle import AnyHandle
from dynattrs.tracebacks import hidden

if TYPE_CHECKING:
    from dynattrs.operations.reading import tabular
    from dynattrs.operations.reading.tabular import Preview
    from dynattrs.session import shown
else:
    tabular = deferred("dynattrs.operations.reading.tabular")
    shown = deferred("dynattrs.session.shown")

__tracebackhide__ = hidden

M_co = TypeVar("M_co", covariant=True)
H = TypeVar("H", bound=AnyHandle)


class AnyQuery(QueryVerbs[M_co]):
    """A lazy query or scan. No request before it is iterated over, or one of its ends is called."""

    def __bool__(self) -> bool:
        raise TypeError(
            f"{self} has no truth value, it has not been asked yet; use first(), one(), all() or "
            f"count()"
        )

    def _repr_html_(self) -> str:
        return tabular.query_as_html(self)

    @verb
    def preview(self, count: int = 10) -> Flow[Preview[M_co]]:
        """The first *count* items, for people: what a shell or a notebook shows as a table. It reads
        one item more, to say whether there are more.
        """
        # (With a limit there are no more than that.)
        wanted = _positive("preview", count) + 1
        most = wanted if self._limit is None else min(self._limit, wanted)
        items = yield from self.limit(most)._all(eager=False)
        return tabular.preview_of(self, count, items)

    def pages(self) -> Any:
        """The pages as the service returns them. Under a filter a page may be empty."""
        raise NotImplementedError

    def as_(self, cls: type[object], /) -> Any:
        """Objects of another class, which has some of the model's fields; only these are read.

        Raises:
            QueryError: It has a field that the model has not.
        """
        raise NotImplementedError

    def select(self, *paths: object) -> Any:
        """Tuples of some fields, or of places inside them; only these are read.

        Raises:
            QueryError: One is no field of the model.
        """
        raise NotImplementedError

    def keys(self) -> Any:
        """The keys only, as dicts of fields: what `get` and `delete` take."""
        raise NotImplementedError

    def raw(self) -> Any:
        """Attribute maps, as they are stored."""
        raise NotImplementedError


class AnyItems(Generic[H, M_co]):
    """A lazy stream of the items of many keys. It can be iterated once."""

    def __init__(self, handle: H, found: BatchGet[M_co]) -> None:
        self._handle = handle
        self._found = found

    def __repr__(self) -> str:
        return shown.items(self._found)

    @property
    def missing(self) -> list[Any]:
        """The keys, as they were given, of which there was no item so far; all of them at the
        end.
        """
        return self._found.missing


class AnyRows(Generic[H, M_co]):
    """The rows of a PartiQL statement. It can be iterated once."""

    def __init__(self, handle: H, statement: Statement[M_co], first: list[M_co]) -> None:
        self._handle = handle
        self._statement = statement
        self._first: list[M_co] | None = first

    def __repr__(self) -> str:
        return shown.rows(self._statement)

    def _next(self) -> Flow[list[M_co] | None]:
        """The rows of the next page, or None at the end."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return (yield from self._statement.next())


def nothing() -> None:
    """What is to be done where nothing has begun."""
