"""`orphans`: objects of S3 that no item names any more, listed or deleted."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from dynattrs.operations.orphans import Orphan
from dynattrs.schema.model_info import info_of
from dynattrs.tools.command.options import Connection, changing, connected, endpoint_of, is_local
from dynattrs.tools.command.outcomes import NONE, OK, agreed, note
from dynattrs.tools.command.output import Format, formatted, plain, print_rows
from dynattrs.tools.command.subjects import Subjects, SubjectsType

if TYPE_CHECKING:
    _ParamType = click.ParamType[timedelta]
else:  # older releases of click do not say of what
    _ParamType = click.ParamType

_COLUMNS: Final = ("table", "object", "bytes", "put", "unnamed since", "deleted")
_UNITS: Final = {"": "seconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class _Time(_ParamType):
    """So many seconds, minutes, hours or days: `90s`, `36h`, `2d`."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"(\d{1,6})([smhd]?)", str(value))
        if found is None:
            self.fail(f"{value!r} is no time like 90s, 30m, 36h or 2d", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


@click.command()
@click.argument("subjects", metavar="MODULE:NAME", type=SubjectsType())
@click.option("--delete", is_flag=True, help="Delete those that no item has named for long enough.")
@click.option(
    "--unnamed-for",
    metavar="TIME",
    type=_Time(),
    default="1d",
    show_default=True,
    help="How long that is: 36h, 2d. 0 is for when nothing writes.",
)
@changing
@connected
@formatted("table", "json", "csv")
def orphans(
    subjects: Subjects,
    delete: bool,
    unnamed_for: timedelta,
    yes: bool,
    dry_run: bool,
    connection: Connection,
    output: Format,
) -> int:
    """List the objects of S3 that no item names, of fields with InS3: what a crash has left, and values that
    were replaced or deleted.

    It reads whole tables. With --delete it notes in S3 which objects no item names, and deletes those that
    an earlier run has noted long enough ago: run it every day.
    """
    models = [each for each in subjects.models if _has_large_fields(each)]
    if not models:
        raise click.UsageError(f"{subjects.spec} has no model with a field in S3")
    with connection.session() as session:
        if delete:
            endpoint = endpoint_of(session)
            what, local = "Delete objects that no item names", is_local(endpoint)
            if not agreed(what, where=endpoint, local=local, yes=yes, dry_run=dry_run):
                _print(output, session.tables.orphans(*models))
                return NONE
        found = session.tables.orphans(*models, unnamed_for=unnamed_for, delete=delete)
    _print(output, found)
    size = sum(each.size for each in found)
    deleted = sum(each.deleted for each in found)
    note(f"Objects that no item names: {len(found):,}, of {size:,} bytes. Deleted: {deleted:,}.")
    return OK


def _has_large_fields(model: type[object]) -> bool:
    info = info_of(model)
    return info is not None and bool(getattr(info.mapper.model_codec(model), "large", {}))


def _print(output: Format, found: list[Orphan]) -> None:
    rows = [
        (each.table, str(each), each.size, each.put, each.since, each.deleted) for each in found
    ]
    shown: list[dict[str, Any]] = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
    print_rows(output, _COLUMNS, (plain(**each) for each in shown))
