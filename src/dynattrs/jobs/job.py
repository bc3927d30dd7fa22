"""`Job`: work on all items of some models or tables. You can stop it at any time and resume it."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from os import PathLike
from typing import TYPE_CHECKING, Any, Final, Literal

from dynattrs.errors import ModelError
from dynattrs.jobs.arguments import count_of, job_name, units_of
from dynattrs.jobs.begun import check_models, check_same, check_tables
from dynattrs.jobs.checkpoint_table import in_table
from dynattrs.jobs.checkpoints import Checkpoints
from dynattrs.jobs.errors import JobFailed, NoSuchJob
from dynattrs.jobs.executors import AnyExecutor, RealTime, check_guarded, workers_of
from dynattrs.jobs.ledger import Ledger, Segment
from dynattrs.jobs.progress import JobProgress, progress_of
from dynattrs.jobs.rates import Rates
from dynattrs.jobs.running import Options, Running
from dynattrs.jobs.session_specs import SessionSpec, anew, session_of, told_for_jobs
from dynattrs.jobs.slices import JobPlan
from dynattrs.jobs.verbs import WRITING, work_of
from dynattrs.jobs.which_items import models_of, names_of
from dynattrs.jobs.work import Failure, FileEntry, JobRecord, Models, Work
from dynattrs.operations.leases import owner_name, seconds_of

if TYPE_CHECKING:
    from dynattrs.jobs.conditional_writes import Overwrite
    from dynattrs.jobs.copying import Transform
    from dynattrs.jobs.differences import Verified
    from dynattrs.jobs.files.s3_options import S3Options

#: More segments than workers, so that all of them have something to do until the end.
_SEGMENTS_A_WORKER: Final = 8
_LEAST_SEGMENTS: Final = 16
#: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html
_MOST_SEGMENTS: Final = 1_000_000


class Job:
    """Work on all items of some models or tables, with processes on this machine or any other executor.

        Job("backfill", models=[Person], read_units=500, write_units=200).apply(backfill)

    Methods such as `apply` begin the job, and return when all of it is done. To continue a job that was
    stopped, killed or failed, call `resume()`, or the same method with the same arguments, in any process.
    Several processes may do so at once; they share the work and the rates.

    Args:
        name: The name of the job among its checkpoints.
        models: The models whose items the job works on, including their subclasses and the guards of their
            unique values; a `Table` stands for all of its items. Models, tables and functions must be
            importable: define them at the top of a module. Without *models* you can resume a job, or look
            at it.
        session: How each process makes its session.
        checkpoints: Where to store its progress: `in_table(...)` or `in_folder(...)`.
        segments: The number of parts in which each table is read; by default eight for each worker, and at
            least 16. It is fixed when the job begins.
        read_units: The most read units a second for all workers together; None for no limit.
        write_units: The most write units a second for all workers together. Neither limit includes
            checkpoints, which cost each worker a unit or two every ten seconds.
        workers: How many slices run at once; by default, as many as the machine has cores or the executor
            has workers.
        lease: How long a process of the job may be silent before the others treat it as dead and take over
            its segments.
        timeout: How long a slice, which should take ten seconds, may run before it is treated as lost and
            repeated. If your function is slow for each item, give more time.
        on_progress: Called with a `JobProgress` from time to time while a verb runs, in the thread that
            called the verb.

    Raises:
        ModelError: An argument is invalid.
    """

    def __init__(
        self,
        name: str,
        *,
        models: Models = (),
        session: SessionSpec = SessionSpec(),  # noqa: B008 - it is frozen
        checkpoints: Checkpoints = in_table(),  # noqa: B008 - as well
        segments: int | None = None,
        read_units: float | None = None,
        write_units: float | None = None,
        workers: int | None = None,
        lease: timedelta = timedelta(seconds=15),
        timeout: timedelta = timedelta(minutes=15),
        on_progress: Callable[[JobProgress], object] | None = None,
    ) -> None:
        self.name = job_name(name)
        if not isinstance(session, SessionSpec):
            raise ModelError("Job", f"session={session!r}: a SessionSpec(...) is expected")
        if not isinstance(checkpoints, Checkpoints):
            raise ModelError(
                "Job", f"checkpoints={checkpoints!r}: in_table(...) or in_folder(...) is expected"
            )
        if on_progress is not None and not callable(on_progress):
            raise ModelError("Job", f"on_progress={on_progress!r}: a function is expected")
        self._models = tuple(models)
        self._names = names_of(self._models, "Job")
        self._spec, self._checkpoints = session, checkpoints
        self._segments = count_of("segments", segments, _MOST_SEGMENTS)
        self._read_units = units_of("read_units", read_units)
        self._write_units = units_of("write_units", write_units)
        self._width = count_of("workers", workers, 10_000)
        self._lease = seconds_of("Job", "lease", lease, least=0.5)
        self._timeout = seconds_of("Job", "timeout", timeout, least=1.0)
        self._on_progress = on_progress

    def __repr__(self) -> str:
        return f"<Job {self.name!r} with checkpoints in {self._checkpoints}>"

    # --- Verbs ----------------------------------------------------------------------------------

    def count(self, *, where: object = None, executor: AnyExecutor | None = None) -> JobProgress:
        """Count the items of each model. `counts` of the result has the numbers by model name.

        Args:
            where: A condition on fields of the models; None counts all.
            executor: Where slices run: `"processes"` on this machine (the default), `"threads"`, an
                `Executor` such as Dask's `client.get_executor()`, or the address of a Dask scheduler.

        Raises:
            OtherJob: A job of that name exists and does something else.
            JobFailed: Some segments failed.
            CheckpointsFailed: The checkpoints cannot be written.
            ModelError: Other processes cannot import a model, a table or a function.
            DynattrsError: The service refused a request.
        """
        from dynattrs.jobs.counting import Counting

        return self._do(Counting.of(self._needed("count"), where), executor)

    def copy(
        self,
        to: SessionSpec,
        *,
        overwrite: Overwrite = "always",
        transform: Transform | None = None,
        executor: AnyExecutor | None = None,
    ) -> JobProgress:
        """Copy the items into the tables of another session exactly as they are stored, including unknown
        attributes, versions, time stamps and the guards of unique values.

        Nothing is deleted there. `counts` of the result says what became of the items: `written`; `unchanged`
        if an equal item was there; `skipped` if another one was there and stays; `left out` by *transform*.
        `failures()` has the items that could not be written, for example because another item there has
        their unique value, or an index there refuses a value. The tables must exist with the same keys; make
        them with `session.tables.create(...)`.

        Args:
            to: How each process makes the session that writes: another prefix, region, endpoint.
            overwrite: `"always"` replaces existing items, in batches. `"absent"` keeps them. `"newer"`
                replaces those with a lower version or, for models without versions, with an earlier time of
                update. `"absent"` and `"newer"` take one request for each item.
            transform: An importable function that gets each item (except guards) as an attribute map, with
                bytes as `bytes`, and returns the map to write, or None to leave the item out. It may be
                called several times for an item. Guards are made from what it returns.
            executor: As for `count`.

        Raises:
            ModelError: Both sessions lead to the same table, or their keys differ; *transform* cannot be
                imported; or items have neither a version nor a time of update for `"newer"`.
            NoSuchTable: One of the tables does not exist.
            OtherJob: As for `count`, as are `JobFailed`, `CheckpointsFailed` and others.
        """
        from dynattrs.jobs.copying import Copying

        work = Copying.of(self._needed("copy"), to, overwrite, transform)
        return self._do(work, executor)

    def verify(self, with_: SessionSpec, *, executor: AnyExecutor | None = None) -> Verified:
        """Compare the items with those in the tables of another session, in both directions: `.equal`, and
        `.differences` by key, each with what differs. Values are compared as the service compares them:
        numbers by value, sets without order, bytes by content.

        You may write to both tables meanwhile: items that seem to differ are read again, consistently, before
        they are reported. Each table is read once, and each of its items by key in the other table.

        Args:
            with_: How each process makes the session for the other tables.
            executor: As for `count`.

        Raises:
            ModelError: Both sessions lead to the same table, or their keys differ.
            NoSuchTable: One of the tables does not exist.
            OtherJob: As for `count`, as are `JobFailed`, `CheckpointsFailed` and others.
        """
        from dynattrs.jobs.differences import Verified
        from dynattrs.jobs.verifying import Verifying

        done = self._do(Verifying.of(self._needed("verify"), with_), executor)
        return Verified(done.counts, done.failures, self.failures)

    def export(
        self,
        to: str | PathLike[str],
        *,
        format: Literal["jsonl", "json", "csv", "parquet"] = "jsonl",
        compression: Literal["gzip"] | None = None,
        where: object = None,
        consistent: bool = False,
        s3: S3Options | None = None,
        executor: AnyExecutor | None = None,
    ) -> JobProgress:
        """Write the items to files in a folder, and at the end a manifest that lists the files.

        `"jsonl"` and `"json"` hold items exactly as they are stored, guards of unique values included;
        `"csv"` and `"parquet"` files hold items of one model each, by its fields. Existing files are not
        overwritten.

        Args:
            to: The folder: a path that all workers can reach, or `s3://bucket/prefix`.
            format: How items are written.
            compression: `"gzip"` or None; Parquet compresses by itself.
            where: A condition on fields of the models; None for all items. With a condition, guards are left
                out; an import makes them again.
            consistent: Whether reads are consistent, which costs twice.
            s3: How to reach S3, if it differs from the AWS configuration.
            executor: As for `count`.

        Raises:
            FilesError: The folder cannot be written to.
            ModelError: The models belong to several tables, or an argument is invalid.
            MissingExtra: pyarrow, for Parquet, is not installed.
            OtherJob, JobFailed, CheckpointsFailed, DynattrsError: As for `count`.
        """
        from dynattrs.jobs.exporting import Exporting

        models = self._needed("export")
        work = Exporting.of(
            models, self._spec, to, format=format, compression=compression, where=where,
            consistent=consistent, s3=s3,
        )  # fmt: skip
        return self._do(work, executor)

    def import_(
        self,
        what: str | PathLike[str] | Sequence[str | PathLike[str]],
        *,
        format: Literal["jsonl", "json", "csv", "parquet"] | None = None,
        overwrite: Overwrite = "always",
        s3: S3Options | None = None,
        executor: AnyExecutor | None = None,
    ) -> JobProgress:
        """Write the items of files into an existing table.

        It reads the files of `export`, the service's full and incremental exports in DynamoDB JSON, and
        files of other programs. An invalid line does not stop the job: `failures()` lists it, with its file
        and number.

        Args:
            what: A file, a pattern such as `"people/*.jsonl.gz"`, a folder, a manifest, or a sequence of
                these: paths, or `s3://` addresses. If a folder has a manifest, the files that it lists.
            format: The format of files whose names do not show it.
            overwrite: What happens to existing items: `"always"` replaces them, in batches; `"absent"` keeps
                them; `"newer"` replaces those with an older version or time of update.
            s3: How to reach S3, if it differs from the AWS configuration.
            executor: As for `count`.

        Raises:
            FilesError: No files were found, they differ from the manifest, or they have changed since the job
                began.
            ModelError: The table is missing, a file's model is unknown, or nothing says which of two items is
                newer.
            MissingExtra: pyarrow, for Parquet, is not installed.
            OtherJob, JobFailed, CheckpointsFailed, DynattrsError: As for `count`.
        """
        from dynattrs.jobs.importing import Importing

        models = self._needed("import_")
        work = Importing.of(
            models, self._spec, what, format=format, overwrite=overwrite, s3=s3
        )  # fmt: skip
        return self._do(work, executor)

    def migrate(self, *, where: object = None, executor: AnyExecutor | None = None) -> JobProgress:
        """Migrate all items to the current schema of their models, like `Session.migrate`: upgrades, renamed
        attributes, unique fields, index keys, kinds. `failures()` lists the items that cannot be migrated.

        Args:
            where: For a job on one model: a condition, on fields as they are stored, that only this model's
                items meet. You need it if nothing else tells them from items of other models of the table.
            executor: As for `count`.

        Raises:
            QueryError: The models have nothing to migrate, or nothing tells their items from others.
            JobFailed: As for `count`, as are all other errors.
        """
        from dynattrs.jobs.migrating import Migrating

        return self._do(Migrating.of(self._needed("migrate"), where), executor)

    def apply(
        self,
        function: Callable[[Any], object],
        *,
        where: object = None,
        tries: int = 10,
        on_error: Literal["raise", "skip"] = "raise",
        executor: AnyExecutor | None = None,
    ) -> JobProgress:
        """Change items with a function. It is called with each item as an object, and returns the changed
        object, None to leave the item alone, or `jobs.Delete`.

        Each change is one UpdateItem, on the condition that the version (or without one, every changed
        attribute) is still as it was read, and that *where* is true. So no update by another writer is lost:
        if the item has changed, it is read again and the function is called again.

        Args:
            function: An importable, idempotent function: applied to its own result, it changes nothing. It
                may be called twice with an item, in any process.
            where: A condition on fields of the models: the items to change. The service evaluates it.
            tries: How often to try an item that other writers keep changing, before it counts as a failure.
            on_error: What to do with an item for which the function raises an error or returns something that
                cannot be stored, such as a unique value that is already taken. `"raise"`: its segment
                fails there, and the job at the end, so that `resume()` can continue with a corrected
                function. `"skip"`: the item is added to `failures()`.
            executor: As for `count`.

        Raises:
            ModelError: The function cannot be imported by other processes.
            JobFailed: As for `count`, as are all other errors.
        """
        from dynattrs.jobs.applying import Applying

        models = self._needed("apply")
        return self._do(Applying.of(models, function, where, tries, on_error), executor)

    def delete(
        self,
        *,
        where: object = None,
        everything: bool = False,
        executor: AnyExecutor | None = None,
    ) -> JobProgress:
        """Delete items together with the guards of their unique values. With *where*, each item is deleted
        only if the condition is still true.

        Args:
            where: A condition on fields of the models: the items to delete.
            everything: Whether to delete all items. Give either *where* or *everything*.
            executor: As for `count`.

        Raises:
            ModelError: Neither or both are given.
            JobFailed: As for `count`, as are all other errors.
        """
        from dynattrs.jobs.deleting import Deleting

        return self._do(Deleting.of(self._needed("delete"), where, everything), executor)

    # --- Its life -------------------------------------------------------------------------------

    @told_for_jobs()
    def resume(self, *, executor: AnyExecutor | None = None) -> JobProgress:
        """Continue the job as it was begun, and return when it is done. Failed segments are tried again.
        Rates, workers and the executor are those of this object and call. Without `session=`, sessions are
        made as they were when the job began.

        Raises:
            NoSuchJob: The job was never begun.
            OtherJob: It was begun for other models, or with other names of tables.
            JobFailed: Some segments failed.
        """
        anew(self._spec)
        record = self._record()
        check_models(record, self._names)
        if self._spec == SessionSpec():
            self._spec = SessionSpec.described(record.session)
            anew(self._spec)
        check_tables(record, self._spec)
        models = models_of(record.models, "Job")
        work = work_of(record.verb, record.description, models)
        return self._run(work, record, executor)

    def progress(self) -> JobProgress:
        """Return the job's progress, also while other processes work on it.

        Raises:
            NoSuchJob: The job was never begun.
        """
        record, ledger = self._record(), self._ledger()
        return progress_of(record, ledger.segments(record), ledger.working(record.run))

    def status(self) -> JobRecord:
        """Return the record from the job's beginning: its verb, arguments and models.

        Raises:
            NoSuchJob: The job was never begun.
        """
        return self._record()

    def failures(self) -> Iterator[Failure]:
        """Return the items, lines or records that failed, by segment and step. At most 2,000 of a step are
        kept; `progress().failures` counts all.

        Raises:
            NoSuchJob: The job was never begun.
        """
        return self._ledger().failures(self._record())

    def files(self) -> Iterator[FileEntry]:
        """Return the valid files that the job has written, by segment and step.

        Raises:
            NoSuchJob: The job was never begun.
        """
        return self._ledger().files(self._record())

    def errors(self) -> dict[int, str]:
        """Return the errors of failed segments, by segment number.

        Raises:
            NoSuchJob: The job was never begun.
        """
        return _errors(self._ledger().segments(self._record()))

    @told_for_jobs()
    def forget(self) -> int:
        """Remove the job's records, so that its name is free, and return how many there were. Processes that
        work on it stop with `JobForgotten`. Items and files it has written stay, and so do the records of a
        job that begins under its name meanwhile.
        """
        return self._ledger().forget()

    @told_for_jobs()
    def _forget(self, run: str) -> int:
        """The same, of the job in that run only; 0 if it has another one by now."""
        return self._ledger().forget(run)

    # --- How it goes on -------------------------------------------------------------------------

    def _needed(self, verb: str) -> Models:
        """The models, which a verb cannot begin without."""
        if not self._models:
            raise ModelError("Job", f"{verb} needs models=[...]: at least one model, or a Table")
        return self._models

    @told_for_jobs()
    def _do(self, work: Work, executor: AnyExecutor | None) -> JobProgress:
        """Begin a job with this work, or go on with it."""
        anew(self._spec)
        found = self._ledger().job()
        if found is not None:
            check_same(found, self._names, self._spec, work)
        return self._run(work, found, executor)

    def _run(
        self, work: Work, record: JobRecord | None, executor: AnyExecutor | None
    ) -> JobProgress:
        if record is not None and record.state == "finished":
            return self.progress()
        check_guarded()
        session, ledger, time = session_of(self._spec), self._ledger(), RealTime()
        workers = workers_of(executor, self._width)
        with contextlib.closing(workers):
            work.check(session)
            if record is None:
                wanted = self._segments or max(_LEAST_SEGMENTS, _SEGMENTS_A_WORKER * workers.width)
                new = JobRecord(
                    name=self.name,
                    verb=work.verb,
                    description=work.describe(),
                    models=self._names,
                    segments=work.source().segments(session, wanted),
                    session=self._spec.describe(),
                    run=uuid.uuid4().hex[:12],
                    state="running",
                    began=time.stamp(),
                )
                workers.check(self._plan(new))
                record = ledger.begin(new)
                if (
                    record.run != new.run
                ):  # another process was faster, perhaps with other arguments
                    check_same(record, self._names, self._spec, work)
                    if record.state == "finished":
                        return self.progress()
            plan = self._plan(record)
            workers.check(plan)
            record = ledger.mark(record, "running", None)
            if record.state == "finished":
                return self.progress()
            name = owner_name(session._core.environment)
            options = Options(name, self._lease, self._timeout, self._on_progress)
            rates = Rates(
                self._read_units, self._write_units, workers.width, writes=work.verb in WRITING
            )
            return self._end(
                work, record, Running(plan, record, ledger, workers, rates, time, options)
            )

    def _end(self, work: Work, record: JobRecord, running: Running) -> JobProgress:
        ledger, time = self._ledger(), RealTime()
        segments = running.run()
        errors = _errors(segments)
        if errors:
            ledger.mark(record, "failed", time.stamp())
            raise JobFailed(self.name, record.segments, errors)
        work.finish(session_of(self._spec), record, ledger.files(record))
        record = ledger.mark(record, "finished", time.stamp())
        return progress_of(record, segments, 0)

    def _plan(self, record: JobRecord) -> JobPlan:
        return JobPlan(
            job=self.name,
            run=record.run,
            verb=record.verb,
            description=json.dumps(record.description, sort_keys=True),
            models=tuple(record.models),
            segments=record.segments,
            session=self._spec,
            checkpoints=self._checkpoints,
            lease=self._lease,
        )

    def _ledger(self) -> Ledger:
        return Ledger(self._checkpoints.store(self.name, self._spec), self.name)

    @told_for_jobs()
    def _record(self) -> JobRecord:
        found = self._ledger().job()
        if found is None:
            raise NoSuchJob(self.name, str(self._checkpoints))
        return found


def _errors(segments: Sequence[Segment]) -> dict[int, str]:
    return {each.number: each.error for each in segments if each.error is not None}


# At the end, because it is called as the builtin is.
def list(  # noqa: A001
    checkpoints: Checkpoints,
    *,
    session: SessionSpec = SessionSpec(),  # noqa: B008
) -> Sequence[str]:
    """Return the names of the jobs that have records in a place, sorted.

    Args:
        checkpoints: `in_table(...)` or `in_folder(...)`.
        session: How to make a session, if the checkpoints are in a table.
    """
    return sorted(checkpoints.jobs(session))
