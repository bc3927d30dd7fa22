"""`export`, `import`, `copy`, `verify` and `apply`: jobs with a bar, interrupted and gone on with at will."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from dynattrs.importable import imported
from dynattrs.schema.model_info import model_info
from dynattrs.tools.command.applied_samples import print_samples
from dynattrs.tools.command.job_options import (
    JobOptions,
    agreed_at,
    begun,
    ended,
    run_job,
    tables_of,
    tell_reading,
)
from dynattrs.tools.command.options import (
    Connection,
    changing,
    connected,
    connected_elsewhere,
    endpoint_of,
    is_local,
)
from dynattrs.tools.command.outcomes import NONE, note
from dynattrs.tools.command.python_conditions import condition_of
from dynattrs.tools.command.subjects import Subjects, SubjectsType, look_here

if TYPE_CHECKING:
    from dynattrs.jobs import Job

_FORMATS: Final = ("jsonl", "json", "csv", "parquet")
#: What the service does itself, and its formats.
_SERVICE_FORMATS: Final = {"jsonl": "json", "csv": "csv", "ion": "ion"}
#: What becomes of items that are there.
_OVERWRITES: Final = {
    "always": "are replaced",
    "absent": "stay as they are",
    "newer": "are replaced by newer ones",
}
#: So many differences are printed.
_MOST: Final = 20

OVERWRITE: Final = click.option(
    "--overwrite",
    type=click.Choice([*_OVERWRITES]),
    default="always",
    show_default=True,
    help="What becomes of items that are there: replaced, kept, or replaced by newer ones.",
)


@click.command(name="export")
@click.argument("subjects", metavar="MODULE:NAME", type=SubjectsType())
@click.argument("to", metavar="FOLDER|s3://BUCKET/PREFIX")
@click.option("--format", "format_", type=click.Choice((*_FORMATS, "ion")), default="jsonl",
              show_default=True, help="What the files are; ion only with --service.")  # fmt: skip
@click.option("--gzip", is_flag=True, help="Compress jsonl, json and csv.")
@click.option("--where", metavar="CONDITION", help="Only items for which it is true.")
@click.option("--consistent", is_flag=True, help="Read consistently, at twice the price.")
@click.option("--service", is_flag=True,
              help="Let the service export whole tables, as they are at one instant, to S3.")  # fmt: skip
@click.option("--at", metavar="TIME", help="With --service: as they were then, in ISO 8601.")
@click.option("--since", metavar="TIME", help="With --service: what has changed since then.")
@click.option("--until", metavar="TIME", help="With --since: until then.")
@begun
@connected
def export(
    subjects: Subjects,
    to: str,
    format_: str,
    gzip: bool,
    where: str | None,
    consistent: bool,
    service: bool,
    at: str | None,
    since: str | None,
    until: str | None,
    options: JobOptions,
    connection: Connection,
) -> int:
    """Write all items of models, or of tables, into files.

    A scan is not a snapshot. With --service the files are of one instant, and cost no capacity; the table
    needs point-in-time recovery.
    """
    instants = {"at": at, "since": since, "until": until}
    condition = _condition(where, subjects)
    with connection.session() as session:
        if service:
            from dynattrs.tools.command.transferring import export_by_service

            if format_ not in ("jsonl", "ion"):
                raise click.UsageError(f"the service writes jsonl and ion, and not {format_}")
            said: dict[str, Any] = {
                name: _instant(name, text) for name, text in instants.items() if text is not None
            }
            said |= {"where": condition, "format": _SERVICE_FORMATS[format_]}
            return export_by_service(session, subjects, to, said)
        _only_with_service(**instants)
        if format_ == "ion":
            raise click.UsageError("only the service writes ion; add --service")
        tell_reading(session, subjects, consistent=consistent)

    def work(job: Job) -> object:
        return job.export(
            to, format=_any(format_), compression="gzip" if gzip else None, where=condition,
            consistent=consistent, executor=options.executor,
        )  # fmt: skip

    return _run("export", "Exporting", subjects, options, connection, work)


@click.command(name="import")
@click.argument("subjects", metavar="MODULE:NAME", type=SubjectsType())
@click.argument("files", metavar="FILE|FOLDER|s3://...", nargs=-1, required=True)
@click.option("--format", "format_", type=click.Choice((*_FORMATS, "ion")),
              help="What the files are, if their names do not say it; ion only with --service.")  # fmt: skip
@OVERWRITE
@click.option("--service", is_flag=True,
              help="Let the service make the table of files in S3, at no write capacity.")  # fmt: skip
@click.option("--compression", type=click.Choice(("gzip", "zstd")), help="With --service.")
@begun
@changing
@connected
def import_(
    subjects: Subjects,
    files: tuple[str, ...],
    format_: str | None,
    overwrite: str,
    service: bool,
    compression: str | None,
    yes: bool,
    dry_run: bool,
    options: JobOptions,
    connection: Connection,
) -> int:
    """Write what files hold into the table of models: of an export, the service's own as well.

    Types come from the models. A line that does not fit is named and counted, and ends nothing.
    """
    with connection.session() as session:
        if service:
            from dynattrs.tools.command.transferring import import_by_service

            source, *more = files
            if more or format_ not in (None, *_SERVICE_FORMATS):
                raise click.UsageError(
                    "the service imports jsonl, csv or ion of one s3://BUCKET/PREFIX"
                )
            said = {"format": _SERVICE_FORMATS[format_ or "jsonl"], "compression": compression}
            return import_by_service(session, subjects, source, said, yes=yes, dry_run=dry_run)
        _only_with_service(compression=compression)
        if format_ == "ion":
            raise click.UsageError("only the service reads ion; add --service")
        _tell_files(connection, files, format_)
        names = ", ".join(session._core.table_name(each) for each in tables_of(subjects))
        note(f"It writes them into {names}. Items of the same keys {_OVERWRITES[overwrite]}.")
        if not agreed_at(session, "Import them", yes=yes, dry_run=dry_run):
            return NONE

    def work(job: Job) -> object:
        return job.import_(
            [*files], format=_any(format_), overwrite=_any(overwrite), executor=options.executor
        )

    return _run("import", "Importing", subjects, options, connection, work)


def _tell_files(connection: Connection, files: tuple[str, ...], format_: str | None) -> None:
    """Say what will be read."""
    from dynattrs.jobs.files.inputs import find_inputs
    from dynattrs.jobs.files.s3_options import options_of

    found = find_inputs(files, format_, options_of(None, connection.spec()))
    named = {each.text: each for each in found.parts}
    size = sum(each.size for each in named.values())
    counts = [each.items for each in named.values() if each.items is not None]
    items = f", {sum(counts):,} items" if counts and len(counts) == len(named) else ""
    note(f"It reads {len(named):,} files: {size:,} bytes{items}.")


@click.command()
@click.argument("subjects", metavar="MODULE:NAME", type=SubjectsType())
@OVERWRITE
@click.option("--transform", metavar="MODULE:FUNCTION",
              help="Makes another attribute map of each item's, or None to leave it out.")  # fmt: skip
@begun
@changing
@connected
@connected_elsewhere("to")
def copy(
    subjects: Subjects,
    elsewhere: Connection,
    overwrite: str,
    transform: str | None,
    yes: bool,
    dry_run: bool,
    options: JobOptions,
    connection: Connection,
) -> int:
    """Copy items into tables of another region, account, endpoint or prefix, exactly as they are stored.

    The tables have to be there: dynattrs create makes them.
    """
    function = None if transform is None else _function(transform, "--transform")
    with connection.session() as session, elsewhere.session() as there:
        tell_reading(session, subjects)
        for table in tables_of(subjects):
            description = there.tables.describe(table)
            note(
                f"It writes into {description['TableName']} at {endpoint_of(there)}, which has about "
                f"{description.get('ItemCount', 0):,} items. Those of the same keys {_OVERWRITES[overwrite]}."
            )
        if not agreed_at(there, "Copy them", yes=yes, dry_run=dry_run):
            return NONE

    def work(job: Job) -> object:
        return job.copy(
            to=elsewhere.spec(), overwrite=_any(overwrite), transform=function,
            executor=options.executor,
        )  # fmt: skip

    return _run("copy", "Copying", subjects, options, connection, work)


@click.command()
@click.argument("subjects", metavar="MODULE:NAME", type=SubjectsType())
@begun
@connected
@connected_elsewhere("with")
def verify(
    subjects: Subjects, elsewhere: Connection, options: JobOptions, connection: Connection
) -> int:
    """Compare items with those of tables of another region, account, endpoint or prefix, in both directions.

    The exit code is 1 where they differ.
    """
    with connection.session() as session, elsewhere.session() as there:
        tell_reading(session, subjects)
        tell_reading(there, subjects)
    name, verified = options.named("verify", subjects), []

    def work(job: Job) -> None:
        verified.append(job.verify(with_=elsewhere.spec(), executor=options.executor))

    done = run_job(options, options.maker(name, connection, subjects), "Comparing", work)
    [found] = verified
    for each in found.differences[:_MOST]:
        note(f"  {each}")
    code = ended(options, done)
    if found.equal:
        note("They are equal.")
    return code


@click.command()
@click.argument("subjects", metavar="MODULE:NAME", type=SubjectsType())
@click.argument("function", metavar="MODULE:FUNCTION")
@click.option("--where", metavar="CONDITION", help="Only items for which it is true.")
@click.option("--skip-errors", is_flag=True,
              help="Leave out, and count, items for which the function fails.")  # fmt: skip
@begun
@changing
@connected
def apply(
    subjects: Subjects,
    function: str,
    where: str | None,
    skip_errors: bool,
    yes: bool,
    dry_run: bool,
    options: JobOptions,
    connection: Connection,
) -> int:
    """Call a function with every object, and write what it changes: one conditional update an item.

    The function gives the changed object, None to leave the item alone, or dynattrs.jobs.Delete. It may be
    called again for an item, so it must give the same then. A dry run calls it with some objects, and shows
    what it changes.
    """
    called = _function(function, "FUNCTION")
    condition = _condition(where, subjects)
    with connection.session() as session:
        tell_reading(session, subjects, consistent=True)
        if dry_run or not (yes or is_local(endpoint_of(session))):
            print_samples(session, subjects, called, condition)
        if not agreed_at(session, f"Apply {function}", yes=yes, dry_run=dry_run):
            return NONE

    def work(job: Job) -> object:
        return job.apply(
            called, where=condition, on_error="skip" if skip_errors else "raise",
            executor=options.executor,
        )  # fmt: skip

    return _run("apply", "Applying", subjects, options, connection, work)


# --- What they share ------------------------------------------------------------------------------


def _run(
    verb: str,
    what: str,
    subjects: Subjects,
    options: JobOptions,
    connection: Connection,
    work: Callable[[Job], object],
) -> int:
    """Begin a job, or go on with it, and say how it has ended."""
    name = options.named(verb, subjects)
    done = run_job(options, options.maker(name, connection, subjects), what, work)
    return ended(options, done)


def _any(chosen: str | None) -> Any:
    """What click has made sure of, and a checker does not know."""
    return chosen


def _function(name: str, option: str) -> Callable[[Any], Any]:
    look_here()
    found: object = imported(name, option)
    if not callable(found):
        raise click.UsageError(
            f"{option} {name}: it is a {type(found).__name__}, and not a function"
        )
    return found


def _condition(text: str | None, subjects: Subjects) -> Any:
    if text is None:
        return None
    return condition_of(text, [model_info(each) for each in subjects.of_one_table()])


def _only_with_service(**said: object) -> None:
    for name, given in said.items():
        if given is not None:
            raise click.UsageError(f"--{name} applies only to what the service does; add --service")


def _instant(name: str, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise click.UsageError(
            f"--{name} {text!r}: a time in ISO 8601 is expected, such as 2026-11-28T12:00:00Z"
        ) from error
    if found.tzinfo is None:
        raise click.UsageError(f"--{name} {text!r}: it has no time zone; write {text}Z for UTC")
    return found
