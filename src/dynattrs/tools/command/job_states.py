"""`jobs`: those that there are, how far each is, and going on with one, from any process."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import click

from dynattrs.tools.command import transferring
from dynattrs.tools.command.job_options import (
    CHECKPOINTS,
    JobOptions,
    checkpoints_in,
    ended,
    run_job,
    told,
    working,
)
from dynattrs.tools.command.options import (
    Connection,
    changing,
    connected,
    endpoint_of,
    is_local,
)
from dynattrs.tools.command.outcomes import FAILED, NONE, OK, agreed, note
from dynattrs.tools.command.output import (
    Format,
    Printer,
    Row,
    formatted,
    plain,
    print_json,
    print_rows,
)
from dynattrs.tools.command.progress_bars import progress_bar
from dynattrs.tools.command.subjects import look_here

if TYPE_CHECKING:
    from dynattrs.jobs import Job, JobProgress, JobRecord

_COLUMNS: Final = (
    "job", "verb", "state", "processes", "done", "read", "counts", "files", "failures", "read_units",
    "write_units", "began", "ended",
)  # fmt: skip
#: How often a job is looked at that is watched.
_LOOK: Final = 1.0


@click.group()
def jobs() -> None:
    """Jobs that were begun: how far they are, also while other processes work on them."""


@jobs.command(name="list")
@click.option("--service", is_flag=True, help="List what the service exports and imports itself.")
@CHECKPOINTS
@connected
@formatted("table", "json", "csv")
def list_(service: bool, checkpoints: str, connection: Connection, output: Format) -> int:
    """List the jobs that have checkpoints; the exit code is 1 if there are none."""
    if service:
        with connection.session() as session:
            return transferring.print_transfers(session, output)
    from dynattrs import jobs as begun

    place = checkpoints_in(checkpoints)
    names = begun.list(place, session=connection.spec())
    rows = [_row(_job(name, checkpoints, connection).progress()) for name in names]
    print_rows(output, _COLUMNS, rows)
    if not rows:
        note(f"There are no jobs in {place}.")
    return OK if rows else NONE


@jobs.command()
@click.argument("name")
@click.option("--watch", is_flag=True, help="Show a bar until the job has ended.")
@CHECKPOINTS
@connected
@formatted("table", "json")
def status(name: str, watch: bool, checkpoints: str, connection: Connection, output: Format) -> int:
    """Show how far a job is, or by its ARN an export or import of the service's own.

    The exit code is 1 while it is not finished, and 3 where it has failed.
    """
    if name.startswith("arn:"):
        with connection.session() as session:
            return transferring.print_transfer(session, name, output, watch=watch)
    job = _job(name, checkpoints, connection)
    progress = _watched(job) if watch else job.progress()
    if output == "json":
        record = job.status()
        print_json(
            {
                **_plain(progress),
                "models": list(record.models),
                "arguments": record.description,
                "errors": job.errors(),
            }
        )
    else:
        print_rows(output, _COLUMNS, [_row(progress)])
        for number, error in job.errors().items():
            note(f"segment {number}: {' '.join(error.split())}")
    if progress.state == "failed":
        return FAILED
    return OK if progress.is_finished else NONE


@jobs.command()
@click.argument("name")
@working
@changing
@connected
def resume(name: str, yes: bool, dry_run: bool, options: JobOptions, connection: Connection) -> int:
    """Go on with a job where its checkpoints are; segments that have failed are tried again.

    Another process may be working on it: then they share it.
    """
    from dynattrs.jobs.verbs import WRITING

    look_here()
    make = options.maker(name, connection)
    progress, record = make(None).progress(), make(None).status()
    if progress.is_finished:
        return ended(options, progress)
    models = ", ".join(record.models)
    note(f"It goes on to {record.verb.rstrip('_')} {models}; until now {told(progress)}.")
    if record.verb in WRITING or dry_run:
        where = list(_endpoints(record, connection))
        if not agreed(
            f"Go on with {name}", where=" and ".join(where), local=all(map(is_local, where)),
            yes=yes, dry_run=dry_run,
        ):  # fmt: skip
            return NONE

    def go_on(job: Job) -> None:
        job.resume(executor=options.executor)

    return ended(options, run_job(options, make, "Going on", go_on))


def _endpoints(record: JobRecord, connection: Connection) -> Iterator[str]:
    """Where a job's tables are: those that it reads, and those that it copies to."""
    from dynattrs.jobs import SessionSpec
    from dynattrs.jobs.session_specs import session_of

    specs = [connection.spec()]
    if specs == [SessionSpec()]:
        specs = [SessionSpec.described(record.session)]
    to: Any = record.description.get("to")
    if record.verb == "copy":
        specs.append(SessionSpec.described(to))
    for spec in specs:
        if spec.endpoint_url is not None:
            Connection(None, None, spec.endpoint_url, "").spec()  # it may need credentials
        yield endpoint_of(session_of(spec))  # it may be the program's own, which stays open


@jobs.command()
@click.argument("name")
@CHECKPOINTS
@connected
@formatted("table", "json", "csv")
def failures(name: str, checkpoints: str, connection: Connection, output: Format) -> int:
    """Print what a job could not work on; the exit code is 1 if there is nothing."""
    job = _job(name, checkpoints, connection)
    count = 0
    with Printer(output, ("where", "model", "key", "what", "places")) as printer:
        for row in _failures(job):
            printer.add([row])
            count += 1
    return OK if count else NONE


@jobs.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Forget it although it is not finished.")
@CHECKPOINTS
@connected
def forget(name: str, yes: bool, checkpoints: str, connection: Connection) -> int:
    """Remove a job's records, so that another one may have its name. What it has written stays."""
    job = _job(name, checkpoints, connection)
    run, progress = job.status().run, job.progress()
    if not progress.is_finished and not yes:
        busy = ""
        if progress.parents:
            busy = f" Processes that work on it: {progress.parents}. They would stop."
        note(f"{progress}.{busy} It could not go on any more; to forget it, add --yes.")
        return NONE
    removed = job._forget(run)
    if not removed:
        note(f"Nothing was removed: {name} was forgotten meanwhile, and begun anew.")
        return NONE
    note(f"Removed {removed:,} records.")
    return OK


def _job(name: str, checkpoints: str, connection: Connection) -> Job:
    from dynattrs.jobs import Job

    return Job(name, session=connection.spec(), checkpoints=checkpoints_in(checkpoints))


def _watched(job: Job) -> JobProgress:
    """Look at a job until it has ended; how it is then."""
    with progress_bar(job.name) as bar:
        while True:
            progress = job.progress()
            bar(progress.done, progress.segments, told(progress))
            if progress.state != "running":
                return progress
            time.sleep(_LOOK)


def _plain(progress: JobProgress) -> dict[str, Any]:
    return {
        "job": progress.job,
        "verb": progress.verb.rstrip("_"),
        "state": "interrupted" if progress.is_interrupted else progress.state,
        "segments": progress.segments,
        "done": progress.done,
        "failed": progress.failed,
        "processes": progress.parents,
        "read": progress.scanned,
        "counts": dict(progress.counts),
        "files": progress.files,
        "failures": progress.failures,
        "read_units": round(progress.read_units, 1),
        "write_units": round(progress.write_units, 1),
        "began": progress.began,
        "ended": progress.ended,
    }


def _row(progress: JobProgress) -> Row:
    counts = ", ".join(f"{count:,} {name}" for name, count in progress.counts.items())
    done = f"{progress.done}/{progress.segments}"
    return plain(**{**_plain(progress), "counts": counts or None, "done": done})


def _failures(job: Job) -> Iterator[Row]:
    for each in job.failures():
        key = None if each.key is None else json.dumps(each.key)
        yield plain(
            where=each.where, model=each.model, key=key, what=each.what,
            places=", ".join(each.places) or None,
        )  # fmt: skip
