"""What checkers know of jobs."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from typing_extensions import assert_type

from dynattrs import Session, Table, jobs, model, partition_key

things = Table("things", partition_key="id")


@model(things)
class Thing:
    id: str = partition_key()
    n: int = 0


def doubled(thing: Thing) -> Thing | None:
    thing.n *= 2
    return thing


def gone(thing: Thing) -> type[jobs.Delete]:
    return jobs.Delete


def session() -> Session:
    return Session()


job = jobs.Job(
    "name",
    models=[Thing, things],
    session=jobs.SessionSpec(make=session),
    checkpoints=jobs.in_folder("folder"),
    read_units=5,
    write_units=2.5,
)
jobs.Job("other", checkpoints=jobs.in_table(session=jobs.SessionSpec(region_name="eu-west-1")))
jobs.Job("other", checkpoints="folder")  # type: ignore[arg-type]
jobs.Job("other", segments="8")  # type: ignore[arg-type]

assert_type(job.count(), jobs.JobProgress)
assert_type(job.count(where=Thing.n > 3, executor=ThreadPoolExecutor()), jobs.JobProgress)
assert_type(job.apply(doubled, where=Thing.n == 3, on_error="skip"), jobs.JobProgress)
assert_type(job.apply(gone), jobs.JobProgress)
assert_type(job.migrate(executor="threads"), jobs.JobProgress)
assert_type(job.delete(everything=True), jobs.JobProgress)
assert_type(job.progress().counts["Thing"], int)
assert_type(job.failures(), Iterator[jobs.Failure])
job.apply("doubled")  # type: ignore[arg-type]
job.apply(doubled, on_error="ignore")  # type: ignore[arg-type]
