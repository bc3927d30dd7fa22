"""The results of a query as Arrow record batches, one for each page that is not empty.

If possible, a page of rows becomes columns directly (`quick`). Otherwise its objects are made first, and the
columns hold their values.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Any, Final

import pyarrow as pa

from dynattrs.errors import MappingError, QueryError
from dynattrs.expressions.paths import data_of, did_you_mean
from dynattrs.frames.columns import Column, column_of
from dynattrs.frames.quick import quick_reader
from dynattrs.late_classes import define, field, frozen
from dynattrs.mapper.codec import show
from dynattrs.mapper.named import key_of_object
from dynattrs.mapper.rows import Row
from dynattrs.operations.flows import Flow
from dynattrs.operations.item_keys import key_parts
from dynattrs.operations.reading.objects import Objects
from dynattrs.operations.reading.pages import RawPage, Source, failing_again
from dynattrs.operations.reading.projections import Keys, Projected, Selected
from dynattrs.operations.reading.query import QueryVerbs, Stream
from dynattrs.quoting import quoted

_ERRORS: Final = (pa.ArrowException, ValueError, TypeError, OverflowError, AttributeError)


@frozen(eq=False, repr=False)
class Named:
    """A column of a frame.

    Attributes:
        name: Its name.
        label: Where its values are in a model, for messages.
        codec: How they are stored.
        get: Returns the value of one result.
    """

    name: str
    label: str
    codec: Any
    get: Callable[[Any], Any]


def columns_of(query: QueryVerbs[Any]) -> list[Named]:
    """The columns of a query's results.

    Raises:
        QueryError: Its results have no columns.
    """
    reader: Any = query._reader
    info = query._info
    if isinstance(reader, Keys):
        if query._others:
            query._only_model("arrow()")
        return [
            Named(part.name, f"{info.name}.{part.name}", part.codec, itemgetter(part.name))
            for part in key_parts(info)
        ]
    if isinstance(reader, Selected):
        return [
            Named(_path_name(path), data_of(path).label, data_of(path).form, itemgetter(place))
            for place, path in enumerate(reader.paths)
        ]
    if isinstance(reader, (Objects, Projected)):
        cls: Any = reader.cls if isinstance(reader, Projected) else reader.model
        return list(_of_class(info.mapper, cls))
    query._only_model("arrow()")
    raise QueryError("arrow() needs fields to make columns of; leave raw() out")


def _of_class(mapper: Any, cls: Any) -> Iterator[Named]:
    codec = mapper.model_codec(cls)
    for name, each in (codec.fields or {}).items():
        yield Named(name, f"{cls.__name__}.{name}", each, attrgetter(name))
    if not codec.fields:
        raise QueryError(f"{cls.__name__}: hooks of yours make its objects, so it has no columns")


def _path_name(path: Any) -> str:
    """A path as it is written, without the model."""
    return str(data_of(path).label.partition(".")[2])


@define(eq=False, repr=False)
class Frame:
    """How the results of a query become record batches.

    Args:
        query: The query.
        types: Arrow types by column, as the caller asked for them.

    Raises:
        QueryError: The query's results have no columns, or *types* names an unknown column.
    """

    query: QueryVerbs[Any]
    named: list[Named]
    types: Mapping[str, Any]
    columns: list[Column]
    _codec: Any
    _quick: dict[type[Any], Any] = field(factory=dict)

    @classmethod
    def of(cls, query: QueryVerbs[Any], types: Mapping[str, Any] | None) -> Frame:
        named, wanted = columns_of(query), dict(types or {})
        names = [each.name for each in named]
        for name, type_ in wanted.items():
            if name not in names:
                raise QueryError(
                    f"arrow(types=...): {name!r} is not a column{did_you_mean(str(name), names)}"
                )
            if not isinstance(type_, pa.DataType):
                raise QueryError(
                    f"arrow(types=...): {name!r}: a type of pyarrow is expected, found {quoted(type_)}"
                )
        if len({*names}) < len(names):
            raise QueryError(f"arrow(): two columns have one name: {', '.join(names)}")
        mapper = query._info.mapper
        columns = [column_of(mapper, each.codec, wanted.get(each.name)) for each in named]
        for each, column in zip(named, columns, strict=True):
            if each.name in wanted:
                _check_cast(each.name, column)
        reader: Any = query._reader
        made = isinstance(reader, (Objects, Projected))
        one = reader.cls if isinstance(reader, Projected) else query._info.cls
        codec = mapper.model_codec(reader.model if isinstance(reader, Objects) else one)
        return cls(query, named, wanted, columns, codec if made else None)

    @property
    def schema(self) -> Any:
        both = zip(self.named, self.columns, strict=True)
        return pa.schema([(each.name, column.final) for each, column in both])

    def arrays(self, page: RawPage, *, widening: bool = False) -> list[Any]:
        """The columns of a page.

        Args:
            page: The page.
            widening: Whether a column may get a wider type for a number that does not fit.

        Raises:
            MappingError: An item cannot be read, or a value does not fit its column.
        """
        items = page.items
        kinds = {*map(type, items)}
        if len(kinds) == 1 and issubclass(kind := kinds.pop(), Row):
            read = self._quick_reader(kind)
            if read is not None:
                try:
                    found: list[Any] = read(items)
                except Exception:  # noqa: S110 - objects decide
                    pass
                else:
                    return found
        results = self.query._read(items)
        return [self._array(place, results, widening) for place in range(len(self.columns))]

    def _array(self, place: int, results: Sequence[Any], widening: bool) -> Any:
        named = self.named[place]
        values = [named.get(each) for each in results]
        while True:
            column = self.columns[place]
            try:
                return column.array(values)
            except _ERRORS as error:
                if widening and self._widen(place):
                    continue
                position = _first_unfit(column, values)
                raise self._misfit(named, column, values[position], results[position]) from error

    def _misfit(self, named: Named, column: Column, value: Any, result: Any) -> MappingError:
        info = self.query._info
        key = None
        if isinstance(result, info.cls):
            with contextlib.suppress(Exception):
                key = key_of_object(info, result)
        hint = f"say what it is to be, types={{{named.name!r}: pyarrow....}}"
        if column.has_numbers:
            hint += "; pyarrow.string() is the text of any number"
        return MappingError(
            named.label, f"a value that Arrow's {column.final} holds", show(value), key, hint
        )

    def _widen(self, place: int) -> bool:
        """Give numbers of a column the widest type; whether that is another one."""
        named, column = self.named[place], self.columns[place]
        mapper, wanted = self.query._info.mapper, self.types.get(named.name)
        wide = column_of(mapper, named.codec, wanted, wide=True)
        if wide.final == column.final:
            return False
        self.columns[place] = wide
        self._quick.clear()
        return True

    def _quick_reader(self, kind: type[Row]) -> Any:
        if kind not in self._quick:
            mine = kind.codec is self._codec and self.query._finish() is None
            self._quick[kind] = quick_reader(kind, self.columns) if mine else None
        return self._quick[kind]

    def batch(self, arrays: list[Any]) -> Any:
        """A record batch, of columns as they are now."""
        made = [
            array if array.type == column.final else array.cast(column.final)
            for array, column in zip(arrays, self.columns, strict=True)
        ]
        return pa.RecordBatch.from_arrays(made, schema=self.schema)


def _check_cast(name: str, column: Column) -> None:
    try:
        column.array([])
    except _ERRORS as error:
        raise QueryError(
            f"arrow(types=...): {name!r} is {column.type} and cannot be {column.final}"
        ) from error


def _first_unfit(column: Column, values: Sequence[Any]) -> int:
    for position, value in enumerate(values):
        try:
            column.array([value])
        except _ERRORS:
            return position
    return 0


class Batches(Source):
    """The record batches of one reading of a query."""

    def __init__(self, frame: Frame, *, eager: bool = True) -> None:
        self._frame = frame
        self._stream: Stream[Any] = Stream(frame.query, eager=eager)

    @failing_again
    def next(self) -> Flow[Any]:
        """Return the next record batch, which is never empty; None at the end."""
        arrays = yield from self._arrays(widening=False)
        return None if arrays is None else self._frame.batch(arrays)

    def _arrays(self, *, widening: bool) -> Flow[list[Any] | None]:
        while (page := (yield from self._stream._next())) is not None:
            arrays = self._frame.arrays(page, widening=widening)
            if len(arrays[0]):
                return arrays
        return None

    def table(self) -> Flow[Any]:
        """Return the remaining results as one table. A column of numbers may be wider than its schema says,
        if a number does not fit.
        """
        found: list[list[Any]] = []
        while (arrays := (yield from self._arrays(widening=True))) is not None:
            found.append(arrays)
        frame = self._frame
        return pa.Table.from_batches(map(frame.batch, found), schema=frame.schema)

    def close(self) -> None:
        """Forget a page that is being fetched, without waiting for it."""
        self._stream.close()
