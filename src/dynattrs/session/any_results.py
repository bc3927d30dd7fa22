"""What a session's reads give, whichever way they wait: queries, items by their keys, rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from dynattrs.deferral import deferred
from dynattrs.errors import QueryError
from dynattrs.operations.flows import Flow, verb
from dynattrs.operations.reading.batch_get import BatchGet
from dynattrs.operations.reading.pages import all_of
from dynattrs.operations.reading.partiql import Statement
from dynattrs.operations.reading.projections import OnError, check_on_error
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

R = TypeVar("R")
M_co = TypeVar("M_co", covariant=True)
H = TypeVar("H", bound=AnyHandle)
Self = TypeVar("Self", bound="AnyItems[Any, Any]")


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
            QueryError: One is not a field of the model.
        """
        raise NotImplementedError

    def keys(self) -> Any:
        """The keys only, as dicts of fields: what `get` and `delete` take."""
        raise NotImplementedError

    def raw(self) -> Any:
        """Attribute maps, as they are stored."""
        raise NotImplementedError


class Iteration(Protocol):
    """The one iterator of what is given once."""

    def left(self) -> list[Any]:
        """What has come and was not given; the iterator does not give it any more.

        Raises:
            QueryError: It was interrupted, and what had come may be lost.
        """
        ...


def _all_left(iteration: Iteration | None, source: BatchGet[R] | Statement[R]) -> Flow[list[R]]:
    """What has come and was not given, and all that comes."""
    left: list[R] = [] if iteration is None else iteration.left()
    return left + (yield from all_of(source))


class AnyItems(Generic[H, M_co]):
    """A lazy stream of the items of many keys. It gives each once: a loop goes on where another one was
    left.
    """

    #: Made by the first loop. It holds no reference to this, and ends what it fetches when both are gone.
    _iteration: Any = None

    def __init__(self, handle: H, found: BatchGet[M_co]) -> None:
        self._handle = handle
        self._found = found

    def __repr__(self) -> str:
        return shown.items(self._found)

    @property
    def missing(self) -> list[Any]:
        """The keys, as they were given, of which there was no item so far; all of them at the
        end. Of several models they are pairs of a model and a key.
        """
        return self._found.missing

    @verb
    def all(self) -> Flow[list[M_co]]:
        """All items that are still to come, in a list."""
        return (yield from _all_left(self._iteration, self._found))

    def on_error(self: Self, what: OnError, /) -> Self:
        """What to do with an item that cannot be read as wanted: `"raise"` its `MappingError`,
        `"skip"` it, or call a function with the error (which has `.key` and `.item`) and skip it. With
        `missing="none"` None stands in its place, and its key is not in `.missing`.

        Returns:
            This very stream.

        Raises:
            QueryError: Something else is said, or items have been read already.
        """
        if self._found.begun:
            raise QueryError("on_error(...) has to be said before the first item is read")
        self._found.on_error = check_on_error(what)
        return self


class AnyRows(Generic[H, M_co]):
    """The rows of a PartiQL statement. It gives each once: a loop goes on where another one was left."""

    _iteration: Any = None

    def __init__(self, handle: H, statement: Statement[M_co]) -> None:
        self._handle = handle
        self._statement = statement

    def __repr__(self) -> str:
        return shown.rows(self._statement)

    @verb
    def all(self) -> Flow[list[M_co]]:
        """All rows that are still to come, in a list."""
        return (yield from _all_left(self._iteration, self._statement))
