"""`generate`: Python models for tables that another program has made. `guide`: how to write them."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from dynattrs.schema.table import Table
from dynattrs.tools import generation, workbench
from dynattrs.tools import guide as recipes
from dynattrs.tools.command.options import Connection, connected, debugged
from dynattrs.tools.command.outcomes import OK, note


@click.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--table",
    "tables",
    multiple=True,
    metavar="NAME",
    help="A table that is there. May be repeated.",
)
@click.option(
    "--samples",
    type=click.IntRange(min=0),
    default=1000,
    show_default=True,
    help="How many of a table's items to read, at most.",
)
@click.option("-o", "--output", metavar="FILE", help="Write into a file, and do not print.")
@connected
def generate(
    file: str | None,
    tables: tuple[str, ...],
    samples: int,
    output: str | None,
    connection: Connection,
) -> int:
    """Print Python models for a data model of NoSQL Workbench, or for tables that are there.

    What keys are made of, and which items are of one kind, is inferred from samples. What is printed has
    read all of them and written them back unchanged. Read it before you use it, and give better names.
    """
    if (file is None) == (not tables):
        raise click.UsageError("name a FILE of NoSQL Workbench, or tables with --table NAME")
    if file is not None:
        found, title = workbench.load(file), f"Models of {Path(file).name}."
    else:
        found, title = _reflected(tables, samples, connection), f"Models of {', '.join(tables)}."
    source = generation.models(found, title=title, on_left_out=note)
    if output is None:
        sys.stdout.write(source)
    else:
        Path(output).write_text(source, encoding="utf-8")
    return OK


def _reflected(names: tuple[str, ...], samples: int, connection: Connection) -> list[Table]:
    found = []
    with connection.session() as session:
        for name in names:
            table = session.tables.reflect(name, samples=samples)
            note(f"{name}: read {len(table.sample_items)} items")
            found.append(table)
    return found


@click.command()
@debugged
def guide() -> int:
    """Print recipes: how to do each thing with dynattrs in Python, as Markdown."""
    click.echo(recipes.text())
    return OK
