"""`query` and `get`: items by conditions in Python's syntax, and by keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Protocol

import click

from dynattrs.errors import (
    AmbiguousIndex,
    MappingError,
    NoIndex,
    PartialIndex,
    QueryError,
    SparseIndex,
)
from dynattrs.expressions.paths import Path, data_of
from dynattrs.keys.discriminator import subclasses
from dynattrs.keys.kinds import is_other
from dynattrs.mapper.anything import native_map
from dynattrs.mapper.rows import attribute_map
from dynattrs.operations.item_keys import key_of, key_parts
from dynattrs.schema.model_info import ModelInfo, model_info
from dynattrs.schema.table import AttributeMap
from dynattrs.session.results import Query
from dynattrs.session.session import Session
from dynattrs.tools.command.options import Connection, connected
from dynattrs.tools.command.outcomes import FAILED, NONE, OK, note
from dynattrs.tools.command.output import Format, Printer, Row, formatted
from dynattrs.tools.command.python_conditions import condition_of, key_in, path_in, value_of
from dynattrs.tools.command.subjects import Subjects, SubjectsType

#: The column that names the model of a row, where there are several.
_MODEL = "@model"
#: What is said here where a program calls a method of queries.
_OPTIONS: Final = (
    (NoIndex, "--scan"),
    (SparseIndex, "--index"),
    (AmbiguousIndex, "--index"),
    (PartialIndex, "--select or --hydrate"),
)


@click.command()
@click.argument("subjects", metavar="MODULE:NAME", type=SubjectsType())
@click.argument("conditions", metavar="[CONDITION]...", nargs=-1)
@click.option(
    "--filter", "filters", multiple=True, metavar="CONDITION", help="Never used as a key."
)
@click.option("--index", help="Read this index and no other.")
@click.option("--scan", is_flag=True, help="Read the whole table, or index.")
@click.option("--hydrate", is_flag=True, help="Fetch whole items, which an index may not hold.")
@click.option("--unexpired", is_flag=True, help="Without items whose time to live is over.")
@click.option("--reverse", is_flag=True, help="In descending order of the sort key.")
@click.option("--merged", is_flag=True, help="Several partitions in the order of the sort key.")
@click.option(
    "--fan-out",
    type=click.IntRange(min=1),
    help="Begin so many requests at most where the conditions take several; 25 if not said.",
)
@click.option("--consistent", is_flag=True, help="Read consistently, at twice the price.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="At most so many items.",
)
@click.option("--all", "everything", is_flag=True, help="All items, without a limit.")
@click.option("--after", metavar="CURSOR", help="Go on where another query has ended.")
@click.option(
    "--select", metavar="FIELDS", help="Only these, such as title,address.city. May be repeated.",
    multiple=True,
)  # fmt: skip
@click.option("--count", is_flag=True, help="Print how many there are, unread.")
@click.option("--explain", is_flag=True, help="Show what would be asked, and ask nothing.")
@connected
@formatted()
def query(
    subjects: Subjects,
    conditions: tuple[str, ...],
    filters: tuple[str, ...],
    index: str | None,
    scan: bool,
    hydrate: bool,
    unexpired: bool,
    reverse: bool,
    merged: bool,
    fan_out: int | None,
    consistent: bool,
    limit: int,
    everything: bool,
    after: str | None,
    select: tuple[str, ...],
    count: bool,
    explain: bool,
    connection: Connection,
    output: Format,
) -> int:
    """Print the items for which all conditions are true.

    A condition is written as in Python: 'artist == "Nina Simone" and title.startswith("S")',
    '1960 <= year < 1970', '"live" in tags', 'exists(rating) or not sold'. Which of them are the key is
    decided as in a program: see --explain. The exit code is 1 if nothing was found.
    """
    infos = [model_info(model) for model in subjects.of_one_table()]
    with connection.session() as session:
        asked = asked_of(session, subjects, conditions, filters, scan=scan)
        if index is not None:
            asked = asked.using(index)
        if hydrate:
            asked = asked.hydrate()
        if unexpired:
            asked = asked.unexpired()
        if reverse:
            asked = asked.reverse()
        if merged:
            asked = asked.merged()
        if fan_out is not None:
            asked = asked.where(fan_out=fan_out)
        if consistent:
            asked = asked.consistent()
        asked = asked.after(after)
        rows: _Rows = _Objects(infos)
        if select:
            names = [name.strip() for each in select for name in each.split(",")]
            paths = [path_in(name, infos) for name in names]
            asked, rows = asked.select(*paths), _Selected(names, paths)
        elif output == "dynamodb-json":
            # Not read as objects: these would be written otherwise where they are of an older form.
            stored = _Stored()
            asked, rows = asked.raw().on_error(stored.leave_out), stored
        try:
            if explain:
                shown = asked if everything else asked.limit(limit)
                click.echo(shown.explain())
                return OK
            if count:
                number = asked.count()
                click.echo(number)
                return OK if number else NONE
            return _printed(asked, rows, output, None if everything else limit)
        except QueryError as error:
            raise with_option(error) from error


@click.command()
@click.argument("subjects", metavar="MODULE:MODEL", type=SubjectsType())
@click.argument("key", metavar="[KEY]...", nargs=-1)
@click.option(
    "--where",
    metavar="CONDITION",
    help='The key as a condition: \'artist == "…" and title == "…"\'.',
)
@click.option("--consistent", is_flag=True, help="Read consistently, at twice the price.")
@click.option("--explain", is_flag=True, help="Show what would be asked, and ask nothing.")
@connected
@formatted()
def get(
    subjects: Subjects,
    key: tuple[str, ...],
    where: str | None,
    consistent: bool,
    explain: bool,
    connection: Connection,
    output: Format,
) -> int:
    """Print the item with a key, its fields in their order: dynattrs get shop:Song "Nina Simone" Sinnerman

    The exit code is 1 if there is none.
    """
    model: Any = subjects.only_model()
    info = model_info(model)
    wanted = _key(info, key, where)
    with connection.session() as session:
        if explain:
            unit = "a unit" if consistent else "half a unit"
            click.echo(
                f"operation: get_item\ntable: {session._core.table_name(info.table)}\n"
                f"key: {key_of(info, wanted)}\ncost: {unit} for each 4 KB of the item"
            )
            return OK
        rows: _Rows = _Objects([info])
        found: Any
        if output == "dynamodb-json":
            rows, found = _Stored(), _stored(session, model, wanted, consistent=consistent)
        else:
            found = session.get(model, wanted, consistent=consistent)
    if found is None:
        note(f"There is no {info.name} with this key.")
        return NONE
    with Printer(output, rows.columns) as printer:
        printer.add(rows.of([found]))
    return OK


def _stored(session: Session, model: Any, key: Any, *, consistent: bool) -> AttributeMap | None:
    """The item with a key, as it is stored.

    Raises:
        OtherKind: It is of another model.
    """
    info = model_info(model)
    item = session._drive(session._get(info, key_of(info, key), consistent))
    if item is None:
        return None
    if is_other(info, item):
        session.get(model, key, consistent=consistent)  # whose error names the model
    return native_map(attribute_map(item))


def asked_of(
    session: Session,
    subjects: Subjects,
    conditions: Iterable[str],
    filters: Iterable[str] = (),
    *,
    scan: bool,
) -> Query[Any]:
    """A query by texts."""
    models = subjects.of_one_table()
    infos = [model_info(model) for model in models]
    begin: Any = session.scan if scan else session.query
    asked: Query[Any] = begin(*models)
    return asked.where(*(condition_of(each, infos) for each in conditions)).filter(
        *(condition_of(each, infos) for each in filters)
    )


def with_option(error: QueryError) -> Exception:
    """An error with the option that helps, where its message names a method."""
    for kind, option in _OPTIONS:
        if isinstance(error, kind):
            return click.UsageError(f"{error} (here: {option})")
    return error


def _key(info: ModelInfo, key: Sequence[str], where: str | None) -> Any:
    """A key by texts.

    Raises:
        UsageError: It is said not at all, twice, or in too few or too many parts.
    """
    if where is not None:
        if key:
            raise click.UsageError("give the key only once, as arguments or with --where")
        return key_in(where, info)
    parts = key_parts(info)
    if len(key) != len(parts):
        names = " ".join(part.name.upper() for part in parts)
        raise click.UsageError(
            f"the key of {info.name} is {names}; {len(key)} of {len(parts)} are given"
        )
    return {part.name: value_of(text, part.codec) for part, text in zip(parts, key, strict=True)}


def _printed(asked: Query[Any], rows: _Rows, output: Format, limit: int | None) -> int:
    count = 0
    with Printer(output, rows.columns) as printer:
        cursor = None
        if limit is not None:
            page = asked.page(limit)
            printer.add(rows.of(page))
            count, cursor = len(page), page.cursor
        else:
            for page in asked.pages():
                printer.add(rows.of(page))
                count += len(page)
    if not count:
        note("Nothing was found.")
    if cursor is not None:
        note(f"There may be more: --after {cursor}")
    if rows.left_out:
        return FAILED
    return OK if count else NONE


class _Rows(Protocol):
    """What makes rows of what is found."""

    #: How many items were found that are not among the rows.
    left_out: int
    columns: list[str]

    def of(self, found: Iterable[Any], /) -> Iterator[Row]: ...


class _Objects:
    """Objects of models as rows: their fields by name."""

    left_out = 0

    def __init__(self, infos: Sequence[ModelInfo]) -> None:
        every: list[ModelInfo] = []
        for info in infos:
            every += [each for each in (info, *subclasses(info)) if each not in every]
        self._several = len(every) > 1
        names = dict.fromkeys(name for info in every for name in info.names)
        self.columns = ([_MODEL] if self._several else []) + list(names)

    def of(self, objects: Iterable[Any]) -> Iterator[Row]:
        for obj in objects:
            info = model_info(type(obj))
            fields = info.mapper.model_codec(type(obj)).fields or {}
            values: dict[str, Any] = {_MODEL: {"S": info.name}} if self._several else {}
            for name in info.names:
                values[name] = fields[name].dump(getattr(obj, name))
            yield Row(values)


class _Stored:
    """Items as they are stored, those as well that no model can read."""

    def __init__(self) -> None:
        self.columns: list[str] = []
        self.left_out = 0

    def leave_out(self, error: MappingError) -> None:
        """Say of an item that nothing tells whose it is."""
        self.left_out += 1
        note(f"left out: {' '.join(str(error).split())}")

    def of(self, found: Iterable[AttributeMap]) -> Iterator[Row]:
        return map(Row, found)


class _Selected:
    """Values at some paths as rows."""

    left_out = 0

    def __init__(self, names: Sequence[str], paths: Sequence[Path]) -> None:
        self.columns = list(names)
        self._forms = [data_of(path).form for path in paths]

    def of(self, found: Iterable[tuple[Any, ...]]) -> Iterator[Row]:
        for values in found:
            stored = (
                {"NULL": True} if value is None else form.dump(value)
                for form, value in zip(self._forms, values, strict=True)
            )
            yield Row(dict(zip(self.columns, stored, strict=True)))
