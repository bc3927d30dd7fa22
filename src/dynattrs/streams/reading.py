"""From records of streams to changes with objects.

The images of one table are read together, as a query reads a page: items become rows and rows objects.
What is not a row, or no item of a model, is read alone, so that one bad record hides no other.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias, TypeVar, overload

from dynattrs.errors import MappingError, OtherKind, QueryError
from dynattrs.keys.discriminator import Sieve, ask_again, is_guard
from dynattrs.models.hooks import through
from dynattrs.operations.context import TableNames
from dynattrs.operations.item_keys import keeping_key
from dynattrs.operations.reading.objects import MixedObjects, Objects
from dynattrs.schema.item_models import has_plain_keys
from dynattrs.schema.model_info import ModelInfo, model_info, models_in
from dynattrs.schema.table import AttributeMap, Table
from dynattrs.streams.kinds import (
    KINDS,
    AnyChange,
    Change,
    Image,
    Unreadable,
)
from dynattrs.streams.records import Record, records_in

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")

_NONE: Final[Iterator[Any]] = iter(())

#: What becomes of items of models that were not asked for.
Others: TypeAlias = Literal["skip", "error"]


@overload
def changes(
    event_or_records: Any,
    model: type[A],
    /,
    *,
    table: str | Table | None = ...,
    table_prefix: str = ...,
    tables: Mapping[str, str] | None = ...,
    others: Others = ...,
) -> Iterator[AnyChange[A] | Unreadable]: ...
@overload
def changes(
    event_or_records: Any,
    a: type[A],
    b: type[B],
    /,
    *,
    table: str | Table | None = ...,
    table_prefix: str = ...,
    tables: Mapping[str, str] | None = ...,
    others: Others = ...,
) -> Iterator[AnyChange[A | B] | Unreadable]: ...
@overload
def changes(
    event_or_records: Any,
    a: type[A],
    b: type[B],
    c: type[C],
    /,
    *,
    table: str | Table | None = ...,
    table_prefix: str = ...,
    tables: Mapping[str, str] | None = ...,
    others: Others = ...,
) -> Iterator[AnyChange[A | B | C] | Unreadable]: ...
@overload
def changes(
    event_or_records: Any,
    a: type[A],
    b: type[B],
    c: type[C],
    d: type[D],
    /,
    *,
    table: str | Table | None = ...,
    table_prefix: str = ...,
    tables: Mapping[str, str] | None = ...,
    others: Others = ...,
) -> Iterator[AnyChange[A | B | C | D] | Unreadable]: ...
@overload
def changes(
    event_or_records: Any,
    /,
    *models_or_tables: type[Any] | Table,
    table: str | Table | None = ...,
    table_prefix: str = ...,
    tables: Mapping[str, str] | None = ...,
    others: Others = ...,
) -> Iterator[AnyChange[Any] | Unreadable]: ...
def changes(
    event_or_records: Any,
    /,
    *models_or_tables: Any,
    table: str | Table | None = None,
    table_prefix: str = "",
    tables: Mapping[str, str] | None = None,
    others: Others = "skip",
) -> Iterator[Any]:
    """Turn the records of a stream into changes with objects of the models.

    Items of models that you did not ask for are left out, and guards of unique values always are. If an item
    has become one of another model, only the requested models count: if you ask for orders alone, an item
    that became an `Order` is `Inserted`. Items of older schema versions are upgraded as in any other read,
    and the models' `after_load` hooks run.

    Args:
        event_or_records: An event of an AWS Lambda function, from DynamoDB Streams or Kinesis Data Streams
            for DynamoDB; a reply of GetRecords; or a list of such records, as from EventBridge Pipes.
        models_or_tables: The models to follow. A `Table` stands for all of its models.
        table: The table of all records, or its declared name, which overrides the records. Records of
            GetRecords do not name their table, so give it if the models are in several tables.
        table_prefix: As a `Session` has it: what stands before the declared names in this environment.
        tables: As a `Session` has it: names to use for declared ones.
        others: `"skip"`, or `"error"`: then items of other models of the table are `Unreadable`.

    Yields:
        An `Inserted`, `Modified` or `Removed` for each record, in their order; an `Unreadable` for one that
        cannot be read: it hides no other. Kinesis may repeat records and change their order.

    Raises:
        QueryError: No model is given, or `table` is needed or not among those of the models.
        ModelError: Something that was given is not a model.
        TypeError: The first argument holds no records.
    """
    check_others(others)
    records, bare = records_in(event_or_records)
    source = source_of(models_or_tables, table, table_prefix, tables or {})
    return source.changes([read_record(each, bare=bare) for each in records], others)


def check_others(others: object) -> None:
    if others not in ("skip", "error"):
        raise QueryError(f'changes(others={others!r}): write "skip" or "error"')


def read_record(given: Any, *, bare: bool) -> Record | Unreadable:
    """A record, or what is wrong with it."""
    record = Record(given)
    try:
        record.read(bare=bare)
    except Exception as error:
        return Unreadable(record, error)
    return record


# --- Where records become changes ---------------------------------------------------------------


class Source:
    """Makes changes of records, for certain models.

    Args:
        infos: The models, of one table or of several, with the classes that their items become.
        table: The table that all records are of; None where each says it.
        named: Gives the table's name at the service for its declared name.
        after_load: What is called with each object that was read, after the hooks of its model.
    """

    def __init__(
        self,
        infos: Mapping[ModelInfo, Any],
        table: Table | None,
        named: Callable[[str], str],
        after_load: Sequence[Callable[[Any], Any]] = (),
    ) -> None:
        by_table: dict[int, dict[ModelInfo, Any]] = {}
        for info, cls in infos.items():
            by_table.setdefault(id(info.table), {})[info] = cls
        readers = [_ItemsOfTable(those, after_load) for those in by_table.values()]
        self._by_name: dict[str, _ItemsOfTable] = {}
        for each in readers:
            name = named(each.table.name)
            if self._by_name.setdefault(name, each) is not each:
                raise QueryError(
                    f"changes(...): two of the models are each declared on a table of their own that is "
                    f"called {name!r}, so nothing tells their items apart; declare one Table for both"
                )
        self._only = next((each for each in readers if table is each.table), None)
        if table is None and len(readers) == 1:
            self._unnamed: _ItemsOfTable | None = readers[0]
        else:
            self._unnamed = self._only
        self._name = None if self._only is None else named(self._only.table.name)

    def changes(
        self, records: Sequence[Record | Unreadable], others: Others
    ) -> Iterator[Change[Any] | Unreadable]:
        """A change for each record that is of one of the models."""
        found: list[tuple[Any, Any]] = []
        given: dict[_ItemsOfTable, list[AttributeMap]] = {}
        for record in records:
            reader = None
            if isinstance(record, Record):
                reader = self._reader_of(record)
                if reader is not None:
                    images = given.get(reader)
                    if images is None:
                        images = given[reader] = []
                    if record.old is not None:
                        images.append(record.old)
                    if record.new is not None:
                        images.append(record.new)
            found.append((record, reader))
        read = {reader: iter(reader.images(images)) for reader, images in given.items()}
        for record, reader in found:
            if reader is None:
                if isinstance(record, Record):
                    yield Unreadable(record, self._of_no_table(record))
                else:
                    yield record
                continue
            of_table = read.get(reader, _NONE)
            old = None if record.old is None else next(of_table)
            new = None if record.new is None else next(of_table)
            try:
                change = reader.change(record, old, new, others)
            except Exception as error:
                change = Unreadable(record, error)
            if change is not None:
                yield change

    def _reader_of(self, record: Record) -> _ItemsOfTable | None:
        if self._only is not None:
            record.table = record.table or self._name
            return self._only
        if record.table is None:
            return self._unnamed
        return self._by_name.get(record.table)

    def _of_no_table(self, record: Record) -> QueryError:
        names = ", ".join(map(repr, self._by_name))
        if record.table is None:
            return QueryError(
                f"a record does not name its table, and the models are in {names}; name the table with "
                f"table="
            )
        return QueryError(
            f"a record is of table {record.table!r}, but the models are in {names}; give the tables' names "
            f"here with table_prefix= or tables=, or name the table with table="
        )


class _ItemsOfTable:
    """Reads the images of one table's items."""

    def __init__(
        self, infos: Mapping[ModelInfo, Any], after_load: Sequence[Callable[[Any], Any]]
    ) -> None:
        first, *_ = infos
        self.table = first.table
        self._hooks = after_load
        self._sieve = Sieve(tuple(infos), 'give on_error="skip" to handle(...) or Consumer(...)')
        only = first if len(models_in(self.table)) == 1 else None
        #: The model that all items are of, where nothing has to be told apart.
        self._only = only if only is not None and only.keys is None else None
        self._objects: Any = (
            MixedObjects[Any](self._sieve, classes=infos)
            if self._only is None
            else Objects[Any](self._only, infos[self._only])
        )
        self._decode = self._objects.decoder("Items")
        self._finish: dict[ModelInfo, Callable[[Any], Any] | None] = {}

    def images(self, images: Sequence[AttributeMap]) -> Iterator[Image | Exception | None]:
        """For each image its object; None for one of a model that was not asked for; or what is wrong."""
        only, read = self._only, self._objects.reads()
        finish = None if only is None else self._after_load(only)
        model_of = None if only is not None else self._objects.model_of
        for item in self._rows(images):
            try:
                info = only if model_of is None else model_of(item)
                if info is None:
                    yield None
                    continue
                obj = read(item)
                if model_of is not None:
                    finish = self._after_load(info)
                found = info, obj if finish is None else finish(obj)
            except Exception as error:
                yield error
                continue
            yield found

    # Measured (benchmarks/test_changes.py): 19 -> 8 us a change with two images of eleven attributes.
    # tests/property/test_changes.py holds it to the general way.
    def _rows(self, images: Sequence[AttributeMap]) -> Sequence[Any]:
        """The images as rows, as far as they can be; the others as they are."""
        if self._decode is None:
            return images
        import msgspec

        try:
            found: list[Any] = self._decode(msgspec.json.encode({"Items": images}))["Items"]
        except Exception:  # what is wrong is said of the record alone
            return images
        return found if len(found) == len(images) else images

    def _after_load(self, info: ModelInfo) -> Callable[[Any], Any] | None:
        if info not in self._finish:
            self._finish[info] = _after_load(info, self._hooks)
        return self._finish[info]

    def change(
        self,
        record: Record,
        old: Image | Exception | None,
        new: Image | Exception | None,
        others: Others,
    ) -> Change[Any] | Unreadable | None:
        """What has happened to an item of the models; None where nothing has.

        Args:
            record: The record.
            old: What its old image is, if it has one; see `images`.
            new: Its new one.
            others: What becomes of items of other models.

        Raises:
            MappingError: An image cannot be read, or nothing says which model it is of.
            ValueError: The record lacks an image that its view promises.
        """
        if is_guard(self.table, record.key):
            return None
        if isinstance(old, Exception):
            raise old
        if isinstance(new, Exception):
            raise new
        kind = record.kind
        if record.old is None or record.new is None:
            for image, lacks in (("old", record.lacks_old), ("new", record.lacks_new)):
                if lacks and record.promises(image):
                    raise ValueError(f"its view is {record.view}, and it has no {image} image")
            if record.old is record.new:  # both are None
                info = self._of_key(record)
                if info is None:
                    return self._other(record, others)
                change = KINDS[kind](record, info, (None, None))
                _ = change.key  # it is all that there is, so it has to be readable
                return change
        told = new or old
        if told is None:
            return self._other(record, others)
        if kind == "MODIFY" and record.old is not None and record.new is not None:
            # An item that has become one of another model begins or ends for who asks for one of them.
            if old is None:
                kind = "INSERT"
            elif new is None:
                kind = "REMOVE"
        return KINDS[kind](record, told[0], (old, new))

    def _of_key(self, record: Record) -> ModelInfo | None:
        """The model of an item whose key alone is known.

        Raises:
            MappingError: Keys do not tell it.
        """
        if self._only is not None:
            return self._only
        key = record.key
        fitting = [
            each
            for each in models_in(self.table)
            if has_plain_keys(each) or (each.keys is not None and each.keys.matches(key))
        ]
        if len(fitting) > 1:
            names = " or ".join(each.name for each in fitting)
            raise MappingError(
                names, "an image", f"a record of keys alone ({record.view or 'no view'})", key,
                f"keys do not tell these models apart: declare Table({self.table.name!r}, "
                f'stream="new and old")',
            )  # fmt: skip
        return self._sieve.model_of(key)

    def _other(self, record: Record, others: Others) -> Unreadable | None:
        if others == "skip":
            return None
        names = " or ".join(each.name for each in self._sieve.asked)
        return Unreadable(
            record,
            OtherKind(
                names, f"an item of {names}", "one of another model", record.key,
                'leave such items out with others="skip", or ask for their model as well',
            ),
        )  # fmt: skip


def _after_load(
    info: ModelInfo, of_session: Sequence[Callable[[Any], Any]]
) -> Callable[[Any], Any] | None:
    hooks = (*info.after_load, *of_session)
    if not hooks:
        return None
    run = functools.partial(through, hooks, "after_load", carries=info.carries)
    return keeping_key(info, run)


# --- What was asked for ---------------------------------------------------------------------------

#: Sources that were made before, by what they were made of; a Lambda function asks for the same one
#: with each event.
_MOST_KEPT: Final = 32
_kept: dict[Hashable, tuple[Source, object]] = {}


def source_of(
    models_or_tables: Sequence[Any],
    table: str | Table | None,
    prefix: str,
    tables: Mapping[str, str],
) -> Source:
    """What makes changes of records for these models.

    Raises:
        QueryError: No model is given; or `table` is none of theirs, or needed.
        ModelError: Something that was given is not a model.
    """
    infos = models_of(models_or_tables)
    given = {id(info.table): info.table for info in infos}
    declared = tuple(each.members.declared for each in given.values())
    asked = (
        tuple(map(id, infos)),
        tuple(infos.values()),
        declared,
        id(table) if isinstance(table, Table) else table,
    )
    known = (asked, prefix, tuple(tables.items()))
    found = _kept.get(known)
    if found is not None:
        return found[0]
    names = TableNames(prefix, tables)
    source = Source(infos, _said(table, list(given.values()), names), names.__getitem__)
    if len(_kept) >= _MOST_KEPT:
        _kept.clear()
    # With what was given, which the ids stay true for.
    _kept[known] = source, (infos, table)
    return source


def models_of(models_or_tables: Sequence[Any]) -> dict[ModelInfo, Any]:
    """The models that were given, and those of the tables, with the class that their items become: with its
    arguments where it is generic.

    Raises:
        QueryError: None is given.
        ModelError: Something that was given is not a model.
    """
    if not models_or_tables:
        raise QueryError(
            "changes(...) needs at least one model, or a Table, whose items are wanted"
        )
    found: dict[ModelInfo, Any] = {}
    for each in models_or_tables:
        if isinstance(each, Table):
            members = models_in(each)
            if not members:
                raise QueryError(
                    f"changes(...): no model is declared on the table {each.name!r}; import the module that "
                    f"declares them first"
                )
            found.update((info, info.cls) for info in members if info not in found)
        else:
            found[model_info(each)] = each
    for info in found:
        ask_again(info)
    return found


def _said(
    table: str | Table | None, tables: Sequence[Table], names: Mapping[str, str]
) -> Table | None:
    """The table that all records are of, as the caller says."""
    if table is None:
        return None
    for each in tables:
        if table is each or table in (each.name, names[each.name]):
            return each
    shown = table.name if isinstance(table, Table) else table
    known = ", ".join(repr(each.name) for each in tables)
    raise QueryError(f"changes(table={shown!r}): the models are in {known}")
