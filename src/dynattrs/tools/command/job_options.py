"""What the parts of the command that run jobs share: their options, and how a job is shown while it works."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import re
import secrets
import shlex
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import attrs
import click

from dynattrs.errors import DynattrsError
from dynattrs.schema.model_info import model_info
from dynattrs.schema.table import Table
from dynattrs.session.session import Session
from dynattrs.tools.command.options import Connection, endpoint_of, is_local
from dynattrs.tools.command.outcomes import FAILED, NONE, OK, State, agreed, note
from dynattrs.tools.command.progress_bars import progress_bar
from dynattrs.tools.command.subjects import Subjects

if TYPE_CHECKING:
    from dynattrs.jobs import Checkpoints, Job, JobProgress

F = TypeVar("F", bound=Callable[..., Any])

#: Where jobs of this machine write down how far they are, in the current directory.
_FOLDER: Final = ".dynattrs-jobs"
#: What `verify` counts as failures besides.
_DIFFERENCES: Final = ("different", "only here", "only there")
#: What stands before the name of a table of checkpoints.
_TABLE: Final = "table:"

CHECKPOINTS = click.option(
    "--checkpoints",
    metavar="PLACE",
    default=_FOLDER,
    show_default=True,
    envvar="DYNATTRS_CHECKPOINTS",
    show_envvar=True,
    help="Where jobs write down how far they are: a folder, or table:NAME for several machines.",
)


def checkpoints_in(place: str) -> Checkpoints:
    """The place of checkpoints that is named: a folder, or `table:NAME`."""
    from dynattrs import jobs

    if not place.startswith(_TABLE):
        return jobs.in_folder(place)
    name = place[len(_TABLE) :]
    return jobs.in_table(name) if name else jobs.in_table()


@attrs.frozen
class JobOptions:
    """How a job is called, and works.

    Attributes:
        called: What it is called; None for a name made of what it does and when.
        checkpoints: Where it writes down how far it is, as it was said.
        segments: In how many parts tables are read.
        workers: How many of them are worked on at once.
        executor: What runs it.
        read_units: The most read units a second.
        write_units: The most write units a second.
    """

    called: str | None
    checkpoints: str
    segments: int | None
    workers: int | None
    executor: str
    read_units: float | None
    write_units: float | None

    def maker(
        self, name: str, connection: Connection, subjects: Subjects | None = None
    ) -> Callable[[Callable[[JobProgress], object] | None], Job]:
        """What makes the job, for what was named; without that it is one that was begun."""
        from dynattrs import jobs

        return functools.partial(
            _job,
            jobs.Job,
            name,
            models=() if subjects is None else whole(subjects),
            session=connection.spec(),
            checkpoints=checkpoints_in(self.checkpoints),
            segments=self.segments,
            workers=self.workers,
            read_units=self.read_units,
            write_units=self.write_units,
        )

    def named(self, verb: str, subjects: Subjects) -> str:
        """What the job is called; if that was not said, by a name that no other one has."""
        if self.called is not None:
            return self.called
        what = re.sub(r"[^a-z0-9]+", "-", subjects.spec.rpartition(":")[2].lower()).strip("-")
        return f"{verb}-{what}-{datetime.now(timezone.utc):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"

    def command(self, what: str, name: str) -> str:
        """What to type to do something with a job: `resume`, `failures`."""
        said = self.checkpoints != os.environ.get("DYNATTRS_CHECKPOINTS", _FOLDER)
        place = ["--checkpoints", self.checkpoints] if said else []
        return shlex.join(["dynattrs", "jobs", what, name, *place])


def _job(
    kind: type[Job], name: str, told: Callable[[JobProgress], object] | None, /, **options: Any
) -> Job:
    return kind(name, on_progress=told, **options)


def working(command: F) -> F:
    """Give a part of the command the options of a job's work, as its argument `options`."""
    decorators = (
        CHECKPOINTS,
        click.option(
            "--executor", default="processes", show_default=True, metavar="WHAT",
            help="processes or threads of this machine, or the address of a scheduler of Dask's.",
        ),
        click.option(
            "--workers", type=click.IntRange(min=1),
            help="How many slices are under way at once; as many as there are cores if not said.",
        ),
        click.option(
            "--read-units", type=click.FloatRange(min=0, min_open=True), metavar="N",
            help="Consume at most so many read units a second, all workers together.",
        ),
        click.option(
            "--write-units", type=click.FloatRange(min=0, min_open=True), metavar="N",
            help="Consume at most so many write units a second.",
        ),
    )  # fmt: skip
    return _with(_collecting(command), decorators)


def begun(command: F) -> F:
    """Give a part of the command the options of a job that it begins, as its argument `options`."""
    decorators = (
        click.option(
            "--name", "called", help="What the job is called; if not said, by what it does, and when."
        ),
        click.option(
            "--segments", type=click.IntRange(min=1),
            help="In how many parts each table is read; eight for each worker if not said.",
        ),
    )  # fmt: skip
    return _with(working(command), decorators)


def _collecting(command: F) -> F:
    """Make one argument of the options."""

    @functools.wraps(command)
    def collect(*args: Any, **options: Any) -> Any:
        names = [each.name for each in attrs.fields(JobOptions)]
        said = {name: options.pop(name, None) for name in names}
        return command(*args, options=JobOptions(**said), **options)

    return cast("F", collect)


def _with(command: F, decorators: Sequence[Callable[[F], F]]) -> F:
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


def whole(subjects: Subjects) -> list[type[Any] | Table]:
    """What a job is for: tables with all that is in them, and models of other tables."""
    tables = {table.name for table in subjects.tables}
    models = [each for each in subjects.models if model_info(each).table.name not in tables]
    return [*subjects.tables, *models]


def tables_of(subjects: Subjects) -> list[Table]:
    """The tables of what was named, each once."""
    found = [*subjects.tables, *(model_info(each).table for each in subjects.models)]
    return list({table.name: table for table in found}.values())


def tell_reading(session: Session, subjects: Subjects, *, consistent: bool = False) -> None:
    """Say how much will be read."""
    for table in tables_of(subjects):
        description = session.tables.describe(table)
        count, size = description.get("ItemCount", 0), description.get("TableSizeBytes", 0)
        units = size // (4096 if consistent else 8192) + 1
        note(
            f"It reads all of table {description['TableName']}: about {count:,} items, {size:,} bytes, "
            f"{units:,} read units."
        )


def agreed_at(session: Session, what: str, *, yes: bool, dry_run: bool) -> bool:
    """Whether to do what was shown where a session's tables are."""
    endpoint = endpoint_of(session)
    return agreed(what, where=endpoint, local=is_local(endpoint), yes=yes, dry_run=dry_run)


# --- While it works -------------------------------------------------------------------------------


def run_job(
    options: JobOptions,
    job: Callable[[Callable[[JobProgress], object] | None], Job],
    what: str,
    work: Callable[[Job], object],
) -> JobProgress:
    """Run a job with a bar; where it is stopped, say how to go on.

    Args:
        options: How it works.
        job: Makes it, with what is to be told how far it is.
        what: What goes on: "Exporting".
        work: Begins it, or goes on with it.
    """
    name = job(None).name
    try:
        with _shown(f"{what} ({name})") as show, _log_as_notes():
            begun = job(show)
            work(begun)
            done = begun.progress()
            show(done)
    except BaseException:
        with contextlib.suppress(DynattrsError):
            job(None).status()  # there is nothing to go on with where nothing was begun
            note(f"To go on: {options.command('resume', name)}")
        raise
    return done


def ended(options: JobOptions, done: JobProgress) -> int:
    """Say what a job has done; the exit code."""
    note(f"{done}.")
    differences = sum(done.counts.get(kind, 0) for kind in _DIFFERENCES) * (done.verb == "verify")
    if not done.failures:
        return OK
    told = options.command("failures", done.job)
    if differences:
        note(f"{differences:,} differ: {told}")
    if done.failures == differences:
        return NONE
    note(f"{done.failures - differences:,} could not be worked on: {told}")
    return FAILED


class _Notes(logging.Handler):
    """Says what is logged beside a bar: its first line, or with --debug all of it."""

    def emit(self, record: logging.LogRecord) -> None:
        state = click.get_current_context().find_object(State)
        text = self.format(record)
        note(text if state is not None and state.debug else text.partition("\n")[0])


@contextmanager
def _log_as_notes() -> Generator[None, None, None]:
    """Without a handler, Python would print what a job logs, with its tracebacks."""
    log, notes = logging.getLogger("dynattrs"), _Notes(logging.WARNING)
    log.addHandler(notes)
    try:
        yield
    finally:
        log.removeHandler(notes)


@contextmanager
def _shown(what: str) -> Generator[Callable[[JobProgress], object], None, None]:
    with progress_bar(what) as bar:

        def show(progress: JobProgress) -> None:
            bar(progress.done, progress.segments, told(progress))

        yield show


def told(progress: JobProgress) -> str:
    """How far a job is, in a few words behind its bar."""
    counts = "".join(f", {count:,} {name}" for name, count in progress.counts.items())
    failures = f", {progress.failures:,} failures" if progress.failures else ""
    return (
        f"{progress.done}/{progress.segments} segments, {progress.scanned:,} read{counts}{failures}"
    )
