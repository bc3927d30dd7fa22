"""`create`, `diff`, `update`, `describe`: tables and their declarations."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final, get_args

import click

from dynattrs.operations.tables.changes import TableChange
from dynattrs.schema.capacity import described, described_mode
from dynattrs.schema.messages import Message
from dynattrs.schema.model_info import model_info
from dynattrs.schema.table import GlobalIndex, LocalIndex, Table, TableSetting, key_schema
from dynattrs.session.session import Session
from dynattrs.tools.command.options import (
    Connection,
    changing,
    connected,
    endpoint_of,
    is_local,
)
from dynattrs.tools.command.outcomes import NONE, OK, agreed, note
from dynattrs.tools.command.output import Format, Row, formatted, plain, print_json, print_rows
from dynattrs.tools.command.subjects import Subjects, SubjectsType

_CHANGE_COLUMNS: Final = ("table", "difference", "action", "note")
_INDEX_COLUMNS: Final = (
    "table", "index", "kind", "key", "projection", "billing", "status", "items"
)  # fmt: skip
_TABLE_COLUMNS: Final = (
    "table", "status", "key", "billing", "items", "bytes", "ttl", "stream", "indexes",
    "features",
)  # fmt: skip


@click.command()
@click.argument("subjects", metavar="MODULE:NAME", type=SubjectsType())
@changing
@connected
@formatted("table", "json", "csv")
def create(
    subjects: Subjects, yes: bool, dry_run: bool, connection: Connection, output: Format
) -> int:
    """Create the tables that are missing, and wait until they are active.

    A table that is there is left alone; where it is not as declared, nothing is created, and the exit
    code is 1: see `dynattrs update`.
    """
    with connection.session() as session:
        changes = session.tables.diff(*subjects.declarations)
        _print_changes(output, changes)
        others = [each for each in changes if each.setting != "table"]
        if others:
            note("Nothing was created: a table is there and is not as declared. See `update`.")
            return NONE
        if not changes:
            note("All tables are there, as declared.")
            return OK
        if not _agreed(session, "Create them", yes=yes, dry_run=dry_run):
            return NONE
        with working("Creating tables"):
            session.tables.create(*subjects.declarations)
    note(f"Created {', '.join(each.table for each in changes)}.")
    return OK


@click.command()
@click.argument("subjects", metavar="MODULE:NAME", type=SubjectsType())
@click.option(
    "--only", multiple=True, type=click.Choice(get_args(TableSetting)),
    help="Compare this setting, and no other. May be repeated.",
)  # fmt: skip
@connected
@formatted("table", "json", "csv")
def diff(
    subjects: Subjects, only: tuple[TableSetting, ...], connection: Connection, output: Format
) -> int:
    """Show in what tables differ from their declarations; the exit code is then 1.

    What a declaration does not say is not compared.
    """
    with connection.session() as session:
        changes = session.tables.diff(*subjects.declarations, only=only or None)
    _print_changes(output, changes)
    if not changes:
        note("No differences.")
    return NONE if changes else OK


@click.command()
@click.argument("subjects", metavar="MODULE:NAME", type=SubjectsType())
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(get_args(TableSetting)),
    help="Change this setting, and look at no other. May be repeated.",
)
@click.option(
    "--destructive",
    is_flag=True,
    help="Allow what loses something: dropping an index, ending a stream, a time to live.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="How long to wait for a step.",
)
@changing
@connected
@formatted("table", "json", "csv")
def update(
    subjects: Subjects,
    only: tuple[TableSetting, ...],
    destructive: bool,
    timeout: float | None,
    yes: bool,
    dry_run: bool,
    connection: Connection,
    output: Format,
) -> int:
    """Create what is missing, and change what differs, one thing at a time.

    A change that is impossible, or destructive and not allowed, is shown, and then nothing is changed.
    """
    with connection.session() as session:
        changes = session.tables.diff(*subjects.declarations, only=only or None)
        _print_changes(output, changes)
        if not changes:
            note("All tables are as declared.")
            return OK
        refused = [
            each for each in changes if not each.possible or (each.destructive and not destructive)
        ]
        if refused:
            allow = (
                "" if any(not each.possible for each in refused) else "; --destructive allows it"
            )
            note(f"Nothing was changed: {len(refused)} of the changes cannot be made{allow}.")
            return NONE
        if not _agreed(session, "Make these changes", yes=yes, dry_run=dry_run):
            return NONE
        with working("Changing tables"):
            made = session.tables.update(
                *subjects.declarations,
                destructive=destructive,
                only=only or None,
                timeout=None if timeout is None else timedelta(seconds=timeout),
            )
    note(f"Made {len(made)} {'change' if len(made) == 1 else 'changes'}.")
    return OK


@click.command()
@click.argument("names", metavar="TABLE|MODULE:NAME...", nargs=-1)
@connected
@formatted("table", "json", "csv")
def describe(names: tuple[str, ...], connection: Connection, output: Format) -> int:
    """Show tables as the service describes them: by their names, or those of models (with a colon).

    Without a name it lists all tables of the region, without their time to live. JSON is DescribeTable's.
    """
    with connection.session() as session:
        wanted = _named(session, names) if names else session.tables.list()
        descriptions = [session.tables.describe(name) for name in wanted]
        if output == "json":
            print_json(descriptions)
            return OK if descriptions else NONE
        both = [
            # A list of all tables does not ask each for its time to live as well.
            (
                description,
                session.tables.reflect(name) if names else Table.from_description(description),
            )
            for description, name in zip(descriptions, wanted, strict=True)
        ]
    print_rows(output, _TABLE_COLUMNS, [_table_row(*each) for each in both])
    indexes = [row for each in both for row in _index_rows(*each)]
    if indexes and output == "table":
        click.echo()
        print_rows(output, _INDEX_COLUMNS, indexes)
    return OK if descriptions else NONE


def _named(session: Session, names: Iterable[str]) -> list[str]:
    """The declared names of tables."""
    found: list[str] = []
    for name in names:
        if ":" not in name:
            found.append(name)
            continue
        subjects = SubjectsType().convert(name, None, None)
        tables = [*subjects.tables, *(model_info(model).table for model in subjects.models)]
        found += [table.name for table in tables]
    return list(dict.fromkeys(found))


def _table_row(description: Message, table: Table) -> Row:
    return plain(
        table=description["TableName"],
        status=description["TableStatus"],
        key=_typed_key(table),
        billing=table.billing,
        items=description.get("ItemCount"),
        bytes=description.get("TableSizeBytes"),
        ttl=table.ttl_attribute,
        stream=table.stream or None,
        indexes=", ".join(index.name for index in table.indexes) or None,
        features=", ".join(_features_on(table)) or None,
    )


def _features_on(table: Table) -> Iterator[str]:
    """What else is on, by the names of settings. A list of all tables knows what DescribeTable says."""
    for setting in get_args(TableSetting):
        if setting not in ("indexes", "ttl", "billing", "stream"):
            value = getattr(table, setting)
            if value and value not in ("standard", "owned"):
                yield setting


def _typed_key(table: Table, index: Any = None) -> str:
    return ", ".join(
        f"{each['AttributeName']} {table.type_of(each['AttributeName'])}"
        + (" (sort)" if each["KeyType"] == "RANGE" else "")
        for each in key_schema(table, index)
    )


def _index_rows(description: Message, table: Table) -> Iterator[Row]:
    found = {
        each["IndexName"]: each
        for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes", "VectorIndexes")
        for each in description.get(kind, ())
    }
    mode = described_mode(description)
    for index in table.indexes:
        there = found[index.name]
        is_global, is_local = isinstance(index, GlobalIndex), isinstance(index, LocalIndex)
        projection = index.projection
        yield plain(
            table=description["TableName"],
            index=index.name,
            kind="global" if is_global else "local" if is_local else "vector",
            key=_typed_key(table, index) if is_global or is_local else _shown_vector(table, index),
            projection=projection if isinstance(projection, str) else ", ".join(projection),
            billing=described(mode, there) if is_global else None,
            status=there.get("IndexStatus"),
            items=there.get("ItemCount"),
        )


def _shown_vector(table: Table, index: Any) -> str:
    stated = [f"{name} {table.type_of(name)}" for name in index.search_attributes]
    if index.partition_key is None:
        stated.insert(0, "")
    size = f"{index.vector} ({index.dimensions} dimensions, {index.distance})"
    return ", ".join(filter(None, (size, *stated)))


def _print_changes(output: Format, changes: Iterable[TableChange]) -> None:
    print_rows(
        output,
        _CHANGE_COLUMNS,
        [
            plain(
                table=each.table,
                difference=each.difference,
                action=each.action,
                note="destructive" if each.destructive else None if each.possible else "impossible",
            )
            for each in changes
        ],
    )


def _agreed(session: Session, what: str, *, yes: bool, dry_run: bool) -> bool:
    endpoint = endpoint_of(session)
    return agreed(what, where=endpoint, local=is_local(endpoint), yes=yes, dry_run=dry_run)


@contextmanager
def working(what: str) -> Generator[None, None, None]:
    """Show a person that something goes on."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(f"{what} …"):
        yield
