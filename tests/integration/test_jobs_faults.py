"""Jobs whose checkpoints cannot be written, are lost, or are another version's."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import attrs
import pytest

import job_models
from dynattrs import jobs, testing
from dynattrs.errors import ConfigurationError
from dynattrs.jobs.checkpoints import Record
from dynattrs.jobs.ledger import Ledger, Parent, Totals
from dynattrs.jobs.work import At, Outcome
from job_models import Thing


@pytest.fixture
def things(job_session):
    job_session.save_all(Thing(str(n), n) for n in range(60))
    return job_session


@pytest.fixture
def options(job_spec, checkpoints):
    return {
        "models": [Thing], "session": job_spec, "checkpoints": checkpoints, "segments": 4, "workers": 2
    }  # fmt: skip


def counts(things) -> list[int]:
    return sorted(each.n for each in things.scan(Thing))


DOUBLED = sorted(2 * n for n in range(60))


def test_a_checkpoint_is_written_once_and_by_the_owner_only(job_spec, checkpoints):
    ledger = Ledger(checkpoints.store("job", job_spec), "job")
    claimed = ledger.claim("run", ledger.segment("run", 0), "one")
    at = At("job", "run", 0, 1, 0, claimed.fence, "attempt")

    done = ledger.advance(at, claimed, "there", Totals(), Outcome({"n": 1}))
    again = attrs.evolve(at, attempt="again")
    assert ledger.advance(again, claimed, "elsewhere", Totals(), Outcome({"n": 1})) is None
    assert ledger.segment("run", 0) == done

    other = ledger.claim("run", done, "two")
    assert ledger.claim("run", done, "three") is None
    late = attrs.evolve(at, step=1)
    assert ledger.advance(late, done, None, Totals(), Outcome({"n": 1})) is None
    assert ledger.release("run", done) is None
    assert ledger.segment("run", 0) == other
    assert (other.owner, other.fence, other.step, other.counts) == ("two", 2, 1, {"n": 1})


def test_records_of_a_newer_version_are_refused(things, options, job_spec, checkpoints):
    store = checkpoints.store("job", job_spec)
    job = jobs.Job("job", **options)
    job.count(executor="threads")
    found = store.read("job")
    assert store.write(Record("job", found.revision + 1, {**found.body, "format": 2, "new": 1}))

    for ask in (job.progress, job.resume, lambda: job.count(executor="threads")):
        with pytest.raises(jobs.CheckpointsFailed, match="go on with the version that has begun"):
            ask()
    assert job.forget() == 5


def test_records_that_were_changed_by_hand_are_named(things, options, job_spec, checkpoints):
    store = checkpoints.store("job", job_spec)
    job = jobs.Job("job", **options)
    job.count(executor="threads")
    key = next(each.key for each in store.read_all("run/") if "/segment/" in each.key)
    found = store.read(key)
    assert store.write(Record(key, found.revision + 1, {**found.body, "extra": 1}))

    with pytest.raises(jobs.CheckpointsFailed, match="it was changed by hand"):
        job.progress()


@pytest.mark.full
@pytest.mark.parametrize("checkpoints", ["table"], indirect=True)
def test_replies_of_the_checkpoints_table_may_be_lost(things, options, job_spec, faults):
    """Whatever is applied and not answered, is answered and not applied, or is throttled."""
    spec = attrs.evolve(
        job_spec, endpoint_url=faults.endpoint, config={"retries": {"total_max_attempts": 1}}
    )
    place = jobs.in_table("records", session=spec)
    options = options | {"checkpoints": place}
    throttled = {"code": "ProvisionedThroughputExceededException", "status": 400}
    faults.set(
        {"operation": "PutItem", "probability": 0.25, "response": {"truncate_frac": 0.5}},
        {"operation": "PutItem", "probability": 0.2, "error": throttled},
        {"operation": "PutItem", "probability": 0.1, "reset": True},
        {"operation": "GetItem", "probability": 0.2, "error": throttled},
        {"operation": "Query", "probability": 0.2, "reset": True},
        seed=7,
    )

    done = jobs.Job("double", **options).apply(job_models.doubled, executor="threads")

    assert faults.fired
    # A step whose checkpoint was not written is done once more, and finds nothing to change.
    assert set(done.counts) <= {"changed", "unchanged"}
    assert sum(done.counts.values()) == done.scanned == 60
    assert counts(things) == DOUBLED


@pytest.mark.parametrize("checkpoints", ["folder"], indirect=True)
def test_a_folder_that_is_removed_ends_the_job(things, options, tmp_path):
    folder = tmp_path / "removed"
    options = options | {"checkpoints": jobs.in_folder(folder), "lease": timedelta(seconds=1)}
    job = jobs.Job(
        "job", on_progress=lambda _: shutil.rmtree(folder, ignore_errors=True), **options
    )

    with pytest.raises((jobs.CheckpointsFailed, jobs.JobForgotten), match=r"gone|removed"):
        job.apply(job_models.doubled, executor="threads")

    done = jobs.Job("job", **options).apply(job_models.doubled, executor="threads")
    assert done.scanned == 60
    assert counts(things) == DOUBLED


@pytest.mark.parametrize("checkpoints", ["folder"], indirect=True)
def test_a_full_disk_ends_the_job_and_it_is_resumed(things, options, tmp_path, monkeypatch):
    options = options | {"checkpoints": jobs.in_folder(tmp_path / "full")}
    job = jobs.Job("job", **options)
    writes, full, fsync = [], threading.Event(), os.fsync

    def flush(handle):
        writes.append(handle)
        if len(writes) > 12:
            full.set()
        if full.is_set():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(handle)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", flush)
        with pytest.raises(jobs.CheckpointsFailed, match="the disk is full; make room"):
            job.apply(job_models.doubled, executor="threads")
    assert full.is_set()
    # Threads of the pool may still be at it: who meets the fault does not wait for them.
    until = time.monotonic() + 10
    while (left := [each.name for each in Path(tmp_path).rglob(".*")]) and time.monotonic() < until:
        time.sleep(0.02)
    assert left == []

    done = jobs.Job("job", **options | {"lease": timedelta(seconds=0.5)}).resume(executor="threads")
    assert done.scanned == 60
    assert counts(things) == DOUBLED


def test_a_job_that_is_forgotten_while_it_runs_stops(things, options):
    job = jobs.Job("job", **options | {"lease": timedelta(seconds=0.5), "segments": 60})
    other = jobs.Job("job", **options)
    told = []

    def forget(progress):
        if not told:
            told.append(progress)
            assert other.forget() > 0

    job._on_progress = forget
    with pytest.raises(jobs.JobForgotten, match="'job' were removed while it ran; it has stopped"):
        job.apply(job_models.slowly, executor="threads")


@pytest.mark.parametrize("checkpoints", ["folder"], indirect=True)
def test_a_table_that_is_missing_fails_its_segments_and_is_gone_on_with(
    job_spec, options, job_session
):
    job_session.tables.delete(Thing)
    job = jobs.Job("job", **options)
    with pytest.raises(jobs.JobFailed, match="NoSuchTable") as failed:
        job.count(executor="threads")
    assert len(failed.value.errors) == 1  # the others would meet the same
    assert job.progress().state == "failed"

    job_session.tables.create(job_models.things)
    job_session.save(Thing("a"))

    assert job.resume(executor="threads").counts == {"Thing": 1}


@pytest.mark.parametrize(
    ("error", "kept"),
    [("AccessDeniedException", "AccessDenied"), ("ResourceNotFoundException", "NoSuchTable")],
)
def test_what_all_segments_would_meet_ends_the_job_at_once(
    things, options, tmp_path, monkeypatch, caplog, error, kept
):
    monkeypatch.setattr(job_models, "current", things, raising=False)
    options |= {
        "session": jobs.SessionSpec(make="job_models:current_session"),
        "checkpoints": jobs.in_folder(tmp_path / "jobs"),
        "segments": 64,
    }
    with testing.faults(things, testing.error(error, "Scan")) as injected:
        with pytest.raises(jobs.JobFailed, match=f"1 of 64 segments failed: {kept}"):
            jobs.Job("job", **options).count(executor="threads")

    assert injected.count <= 2 * options["workers"]
    assert caplog.text.count("Traceback (most recent call last)") == 1
    assert jobs.Job("job", **options).resume(executor="threads").counts == {"Thing": 60}


def test_a_cause_that_repeats_is_logged_with_one_traceback(things, options, caplog):
    with pytest.raises(jobs.JobFailed, match="4 of 4 segments failed"):
        jobs.Job("job", **options).apply(job_models.raising, executor="threads")

    assert caplog.text.count("has failed: FunctionFailed") == 4
    assert caplog.text.count('raise KeyError("nothing of it")') == 1


def test_the_programs_session_may_be_another_one_for_each_job(
    things, options, job_spec, monkeypatch
):
    options |= {"session": jobs.SessionSpec(make="job_models:current_session")}
    for name in ("first", "second"):
        with job_spec.session() as session:
            monkeypatch.setattr(job_models, "current", session, raising=False)
            done = jobs.Job(name, **options).count(executor="threads")
            assert done.counts == {"Thing": 60}
    with job_spec.session() as session:
        monkeypatch.setattr(job_models, "current", session)
        assert jobs.Job(name, **options).progress() == done


@pytest.mark.parametrize("checkpoints", ["folder"], indirect=True)
def test_a_folder_that_cannot_be_made_is_told_as_that(things, options, tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "jobs", tmp_path / "file"):
        options |= {"checkpoints": jobs.in_folder(place)}
        with pytest.raises(jobs.CheckpointsFailed, match=r"job cannot be made: .*another folder"):
            jobs.Job("job", **options).count(executor="threads")


@pytest.mark.parametrize("lacking", ["region", "credentials"])
def test_what_boto3_lacks_is_told_as_a_job_takes_it(
    things, options, tmp_path, monkeypatch, lacking
):
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "DEFAULT_REGION", "REGION", "PROFILE"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("CONFIG_FILE", "SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(f"AWS_{name}", str(tmp_path / "none"))
    spec = jobs.SessionSpec(
        region_name=None if lacking == "region" else "eu-west-1", endpoint_url="http://127.0.0.1:1"
    )
    options |= {"session": spec, "checkpoints": jobs.in_folder(tmp_path / "jobs")}
    wanted = {
        "region": r"session=SessionSpec\(region_name=\.\.\.\)",
        "credentials": r"SessionSpec\(make=\.\.\.\)",
    }
    with pytest.raises((ConfigurationError, jobs.JobFailed), match=wanted[lacking]):
        jobs.Job("job", **options).count(executor="threads")


@pytest.mark.skipif(os.name == "nt", reason="Windows sends signals to consoles")
@pytest.mark.parametrize("executor", ["threads", pytest.param("processes", marks=pytest.mark.full)])
def test_an_interrupted_job_does_not_finish_a_long_page(
    things, options, monkeypatch, tmp_path, executor
):
    calls = tmp_path / "calls"
    monkeypatch.setenv("CALLS", str(calls))
    monkeypatch.setenv("PARENT", str(os.getpid()))
    job = jobs.Job("job", **{**options, "segments": 1, "workers": 1})

    with pytest.raises(KeyboardInterrupt):
        job.apply(job_models.interrupting, executor=executor)
    assert len(calls.read_text().splitlines()) < 60
    assert job.progress().is_interrupted

    done = job.resume(executor=executor)
    assert sum(done.counts.values()) == 60
    assert counts(things) == list(range(1_000, 1_060))


def test_a_job_that_nothing_works_on_is_told_as_interrupted(things, options, job_spec, checkpoints):
    job = jobs.Job("job", **options)
    job.count(executor="threads")
    store = checkpoints.store("job", job_spec)
    found = store.read("job")
    assert store.write(
        Record("job", found.revision + 1, {**found.body, "state": "running", "ended": None})
    )
    assert job.progress().is_interrupted
    assert "count 'job': interrupted, 4 of 4" in str(job.progress())

    def said(seconds_ago):
        at = datetime.now(timezone.utc) - timedelta(seconds=seconds_ago)
        parent = Parent(owner="a", counter=1, fence=0, seconds=15.0, at=at.isoformat())
        ledger = Ledger(store, "job")
        assert ledger.beat(found.body["run"], parent)
        seen = job.progress()
        ledger.leave(found.body["run"], "a")
        return seen

    assert not said(5).is_interrupted
    assert said(5).parents == 1
    assert said(120).is_interrupted  # it was killed


@pytest.mark.parametrize("checkpoints", ["folder"], indirect=True)
def test_guards_do_not_pass_for_items_of_a_model(job_session, options):
    job_session.save_all(job_models.Person(str(n), f"{n}@example.com") for n in range(10))
    done = jobs.Job("job", **options | {"models": [job_models.Person]}).apply(
        job_models.visited, executor="threads"
    )

    told = "20 read (guards and items of other models included), 10 changed"
    assert told in str(done)


@pytest.mark.parametrize("checkpoints", ["folder"], indirect=True)
def test_records_in_a_folder_are_plain_files(things, options, job_spec, tmp_path):
    options = options | {"checkpoints": jobs.in_folder(tmp_path)}
    jobs.Job("job", **options).count(executor="threads")

    record = json.loads((tmp_path / "job" / "job.json").read_text())
    assert record["body"]["verb"] == "count"
    assert jobs.list(jobs.in_folder(tmp_path / "nothing")) == []


@attrs.frozen
class Overtaken:
    """A place where another process begins the job just before this one does."""

    place: jobs.Checkpoints
    other: Callable[[], object]

    def store(self, job, session):
        store = self.place.store(job, session)
        return OvertakenStore(store, self.other)

    def jobs(self, session):
        return self.place.jobs(session)


class OvertakenStore:
    def __init__(self, store, other):
        self._store, self._other = store, other

    def __getattr__(self, name):
        return getattr(self._store, name)

    def write(self, record):
        if (record.key, record.revision) == ("job", 1):
            self._other()
        return self._store.write(record)


def test_two_that_begin_a_job_at_once_have_to_say_the_same(things, options):
    """The slower one is told that its work is another's, and not that it is done."""
    place = options["checkpoints"]

    def other():
        jobs.Job("job", **options).apply(job_models.doubled, executor="threads")

    late = jobs.Job("job", **options | {"checkpoints": Overtaken(place, other)})
    for wrong in (
        lambda: late.apply(job_models.doubled, tries=3, executor="threads"),
        lambda: late.count(executor="threads"),
    ):
        with pytest.raises(jobs.OtherJob, match=r"with tries=10, and not with tries=3|does apply"):
            wrong()
        assert jobs.Job("job", **options).forget()

    done = late.apply(job_models.doubled, executor="threads")  # the same may begin twice

    assert done.counts == {"unchanged": 60}
    assert counts(things) == DOUBLED


def test_records_of_a_folder_are_written_while_others_are_removed(tmp_path):
    """Each thread comes and goes as the parents of a job do."""
    place, errors = jobs.in_folder(tmp_path), []
    assert place.store("job", jobs.SessionSpec()).write(Record("job", 1, {}))

    def come_and_go(name):
        store = place.store("job", jobs.SessionSpec())
        try:
            for turn in range(60):
                assert store.write(Record(f"run/1/parent/{name}", 1, {}))
                store.add(Record(f"run/1/step/{name}/{turn}", 1, {}))
                store.delete([f"run/1/parent/{name}", f"run/1/step/{name}/{turn}"])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=come_and_go, args=(f"p{n}",)) for n in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert not errors
    store = place.store("job", jobs.SessionSpec())
    assert [each.key for each in store.read_all()] == ["job"]
    store.delete(["job"])
    assert not [*tmp_path.iterdir()]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no flock")
def test_a_process_that_is_stopped_with_the_lock_of_a_folder_is_said(tmp_path, monkeypatch):
    """The operating system keeps the lock for it as long as it lives."""
    import fcntl

    store = jobs.in_folder(tmp_path).store("job", jobs.SessionSpec())
    assert store.write(Record("job", 1, {}))
    with (tmp_path / "job" / "lock").open() as stopped:
        fcntl.flock(stopped, fcntl.LOCK_EX)
        monkeypatch.setattr("dynattrs.jobs.checkpoint_folder._PATIENCE", 0.1)
        with pytest.raises(
            jobs.CheckpointsFailed, match=r"lock for .* it was stopped .*job\.resume"
        ):
            store.write(Record("job", 2, {}))
        monkeypatch.setattr("dynattrs.jobs.checkpoint_folder._PATIENCE", 30.0)
        goes_on = threading.Timer(0.2, fcntl.flock, (stopped, fcntl.LOCK_UN))
        goes_on.start()
        assert store.write(Record("job", 2, {}))
        goes_on.join()

    assert store.read("job") == Record("job", 2, {})
    assert sorted(each.name for each in (tmp_path / "job").iterdir()) == [
        "job.json",
        "lock",
        "name.json",
    ]
