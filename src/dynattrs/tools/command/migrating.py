"""`migrate`: items of older schemas brought up to date, with a progress bar."""

from __future__ import annotations

import click

from dynattrs.errors import CursorError
from dynattrs.operations.writing.migration import Migrated
from dynattrs.schema.model_info import model_info
from dynattrs.tools.command.options import Connection, changing, connected, endpoint_of, is_local
from dynattrs.tools.command.outcomes import FAILED, NONE, OK, agreed, note
from dynattrs.tools.command.progress_bars import progress_bar
from dynattrs.tools.command.python_conditions import condition_of
from dynattrs.tools.command.subjects import Subjects, SubjectsType


@click.command()
@click.argument("subjects", metavar="MODULE:MODEL", type=SubjectsType())
@click.option("--after", metavar="CURSOR", help="Go on where another migration has ended.")
@click.option("--max-pages", type=click.IntRange(min=1), help="Read so many pages, and no more.")
@click.option("--page-size", type=click.IntRange(min=1), help="Read so many items at once.")
@click.option(
    "--where",
    metavar="CONDITION",
    help="What only the model's own items fulfil, where nothing else tells.",
)
@click.option("--skip-errors", is_flag=True, help="Leave out, and count, what cannot be migrated.")
@changing
@connected
def migrate(
    subjects: Subjects,
    after: str | None,
    max_pages: int | None,
    page_size: int | None,
    where: str | None,
    skip_errors: bool,
    yes: bool,
    dry_run: bool,
    connection: Connection,
) -> int:
    """Bring all items of a model to its schema: upgrades, renamed attributes, unique fields, index keys.

    It reads the whole table, and rewrites what is stored otherwise than the model would write it today.
    Others may read and write meanwhile. When it is interrupted it says how to go on.
    """
    model = subjects.only_model()
    info = model_info(model)
    with connection.session() as session:
        description = session.tables.describe(model)
        count, size = description.get("ItemCount", 0), description.get("TableSizeBytes", 0)
        name, endpoint = description["TableName"], endpoint_of(session)
        note(
            f"It reads all of table {name}: about {count:,} items, {size:,} bytes, "
            f"{size // 4096 + 1:,} read units; and rewrites those of {info.name} that are not of schema "
            f"version {info.schema_version}."
        )
        what = f"Migrate {info.name}"
        local = is_local(endpoint)
        if not agreed(what, where=endpoint, local=local, yes=yes, dry_run=dry_run):
            return NONE
        done = Migrated(0, 0, 0, after)
        # The service counts a table's items every six hours.
        with progress_bar("Migrating", count or None) as shown:

            def on_page(page: Migrated) -> None:
                nonlocal done
                done = page
                total = max(count, page.scanned) if page.cursor else page.scanned
                shown(page.scanned, total, f"{page.scanned:,}/{total:,}")

            try:
                done = session.migrate(
                    model,
                    after=after,
                    max_pages=max_pages,
                    page_size=page_size,
                    where=None if where is None else condition_of(where, [info]),
                    on_page=on_page,
                    on_error=(lambda error: note(f"left out: {error}")) if skip_errors else "raise",
                )
            except CursorError:  # there is nowhere to go on from
                raise
            except BaseException:
                _tell(done)
                raise
    _tell(done)
    return FAILED if done.failed else OK


def _tell(done: Migrated) -> None:
    note(f"Read {done.scanned:,} items, rewrote {done.rewritten:,}, left out {done.failed:,}.")
    if done.cursor is not None:
        note(f"To go on: --after {done.cursor}")
