"""The results of a session's reads, in threads and under asyncio: queries, items by key, rows."""

from __future__ import annotations

from collections.abc import Mapping
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
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from dynattrs.frames import batches, libraries
    from dynattrs.frames.batches import Batches
    from dynattrs.operations.reading import tabular
    from dynattrs.operations.reading.tabular import Preview
    from dynattrs.session import shown
else:
    libraries = deferred("dynattrs.frames.libraries")
    batches = deferred("dynattrs.frames.batches")
    tabular = deferred("dynattrs.operations.reading.tabular")
    shown = deferred("dynattrs.session.shown")

__tracebackhide__ = hidden

R = TypeVar("R")
M_co = TypeVar("M_co", covariant=True)
H = TypeVar("H", bound=AnyHandle)
Q = TypeVar("Q", bound="AnyQuery[Any]")
Self = TypeVar("Self", bound="AnyItems[Any, Any]")


class AnyQuery(QueryVerbs[M_co]):
    """A lazy query or scan. It sends no request before you iterate over it or call `all`, `first`,
    `count` or the like.
    """

    def __bool__(self) -> bool:
        raise TypeError(
            f"{self} has no truth value, because it has not run yet; use first(), one(), all() or "
            f"count()"
        )

    def _repr_html_(self) -> str:
        return tabular.query_as_html(self)

    @verb
    def preview(self, count: int = 10) -> Flow[Preview[M_co]]:
        """Return the first *count* items for display: a shell or a notebook shows them as a table. It
        reads one item more, to say whether there are others.
        """
        # (With a limit there are no more than that.)
        wanted = _positive("preview", count) + 1
        most = wanted if self._limit is None else min(self._limit, wanted)
        items = yield from self.limit(most)._all(eager=False)
        return tabular.preview_of(self, count, items)

    def arrow(self, *, types: Mapping[str, Any] | None = None) -> Any:
        """Return the results as Arrow record batches, lazily, one for each page with results.

        While you use a batch, the next page is fetched. Pages in the form that this program stores are
        converted without making objects.

        Needs `dynattrs[arrow]`. Columns have the names of the fields; the guide's page *Frames* lists
        their types. No value is changed by the conversion.

        Args:
            types: Arrow types to use instead of the model's, by column:
                `{"price": pyarrow.decimal128(12, 2)}`.

        Raises:
            MissingExtra: pyarrow is not installed.
            QueryError: The query returns objects of several models or attribute maps, which have no
                columns; or *types* names a column that does not exist.
            MappingError: While reading: an item cannot be read, or a value does not fit its column, an
                int of more than 64 bits for example. The message says what to do.
        """
        raise NotImplementedError

    @verb
    def pandas(self, *, types: Mapping[str, Any] | None = None) -> Flow[pd.DataFrame]:
        """Return all results as a pandas DataFrame.

        Its columns have Arrow types (`pandas.ArrowDtype`): ints stay ints in a column with missing
        values, and decimals and datetimes keep all their digits.

        Needs `dynattrs[arrow]` and pandas.

        Args:
            types: The same as in `arrow`.

        Raises:
            MissingExtra, QueryError, MappingError: The same as in `arrow`.
        """
        libraries.need("pandas")
        found: pd.DataFrame = libraries.as_pandas((yield from _table_of(self, types)))
        return found

    @verb
    def polars(self, *, types: Mapping[str, Any] | None = None) -> Flow[pl.DataFrame]:
        """Return all results as a Polars DataFrame. Maps become lists of structs with `key` and `value`.

        Needs `dynattrs[arrow]` and Polars.

        Args:
            types: The same as in `arrow`.

        Raises:
            MissingExtra, QueryError, MappingError: The same as in `arrow`.
        """
        libraries.need("polars")
        found: pl.DataFrame = libraries.as_polars((yield from _table_of(self, types)))
        return found

    def pages(self) -> Any:
        """Return the pages as the service returns them. With a filter, a page may be empty."""
        raise NotImplementedError

    def as_(self, cls: type[object], /) -> Any:
        """Return objects of another class, which has some of the model's fields. Only these are read.

        Raises:
            QueryError: The class has a field that the model does not have.
        """
        raise NotImplementedError

    def select(self, *paths: object) -> Any:
        """Return tuples of some fields, or of places inside them. Only these are read.

        Raises:
            QueryError: One of them is not a field of the model.
        """
        raise NotImplementedError

    def keys(self) -> Any:
        """Return only the keys, as dicts of fields, which `get` and `delete` accept."""
        raise NotImplementedError

    def raw(self) -> Any:
        """Return attribute maps, as they are stored."""
        raise NotImplementedError


def batches_of(query: AnyQuery[Any], types: Mapping[str, Any] | None) -> Batches:
    """One reading of a query, as Arrow record batches.

    Raises:
        MissingExtra: pyarrow is not installed.
        QueryError: The query gives no columns, or *types* names what is none.
    """
    libraries.need("pyarrow", "arrow")
    return batches.Batches(batches.Frame.of(query, types))


def _table_of(query: AnyQuery[Any], types: Mapping[str, Any] | None) -> Flow[Any]:
    found = batches_of(query, types)
    try:
        return (yield from found.table())
    finally:
        found.close()


class AnyArrowBatches(Generic[Q]):
    """The results of a query as Arrow record batches. Each loop, and each call of a method, reads them
    again.

    Attributes:
        schema: The schema of the batches. It comes from the model, without a request.
    """

    def __init__(self, query: Q, types: Mapping[str, Any] | None) -> None:
        libraries.need("pyarrow", "arrow")
        self._query = query
        self._types = types
        self.schema: pa.Schema = batches.Frame.of(query, types).schema

    def __repr__(self) -> str:
        return f"<record batches of {self._query}: {', '.join(self.schema.names)}>"

    @verb
    def table(self) -> Flow[pa.Table]:
        """Return all batches as one table.

        A column of ints becomes `decimal128(38, 0)` if an int has more than 64 bits. A column of decimals
        becomes `decimal256(76, 38)` if a decimal has more than 20 digits before the point or 18 after it.
        Other columns have the type in the schema.

        Raises:
            MappingError: An item cannot be read, or a value does not fit its column.
        """
        return (yield from _table_of(self._query, self._types))


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
    """A lazy stream of the items with many keys. It returns each item once: a new loop continues where
    the last one stopped.
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
        """The keys found to have no item so far, as you gave them; complete at the end. With several
        models they are pairs of a model and a key.
        """
        return self._found.missing

    @verb
    def all(self) -> Flow[list[M_co]]:
        """Return all remaining items, in a list."""
        return (yield from _all_left(self._iteration, self._found))

    def on_error(self: Self, what: OnError, /) -> Self:
        """Say what to do with an item that cannot be read: `"raise"` its `MappingError`, `"skip"` the
        item, or call a function with the error (which has `.key` and `.item`) and skip it.

        With `missing="none"`, None takes the place of a skipped item; its key is not in `.missing`.

        Returns:
            The same stream.

        Raises:
            QueryError: The argument is invalid, or items have already been read.
        """
        if self._found.begun:
            raise QueryError("call on_error(...) before you read the first item")
        self._found.on_error = check_on_error(what)
        return self


class AnyRows(Generic[H, M_co]):
    """The rows of a PartiQL statement. Each row is returned once: a new loop continues where the last one
    stopped.
    """

    _iteration: Any = None

    def __init__(self, handle: H, statement: Statement[M_co]) -> None:
        self._handle = handle
        self._statement = statement

    def __repr__(self) -> str:
        return shown.rows(self._statement)

    @verb
    def all(self) -> Flow[list[M_co]]:
        """Return all remaining rows, in a list."""
        return (yield from _all_left(self._iteration, self._statement))
