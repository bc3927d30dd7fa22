"""Jobs that are forgotten while others work on them, forget them as well, or begin one of the same name."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from dynattrs import jobs
from dynattrs.jobs.checkpoints import Record, Store
from dynattrs.jobs.ledger import Ledger, Parent
from dynattrs.jobs.work import JobRecord


def begun(run: str) -> JobRecord:
    return JobRecord("job", "count", {}, (), 2, {}, run, "running", "2026-11-01T00:00:00+00:00")


@attrs.define
class Interrupted:
    """A store that lets something else happen just before its n-th act."""

    store: Store
    at: int
    happens: Callable[[], object]
    acts: int = 0

    def __getattr__(self, name: str) -> Any:
        act = getattr(self.store, name)

        def counted(*arguments: Any) -> Any:
            if self.acts == self.at:
                self.happens()
            self.acts += 1
            return act(*arguments)

        return counted


@pytest.fixture
def store(job_spec, checkpoints) -> Store:
    return checkpoints.store("job", job_spec)


@pytest.fixture
def ledger(store) -> Ledger:
    return Ledger(store, "job")


def work(ledger: Ledger, run: str) -> None:
    """What a process does that has begun a run."""
    assert ledger.begin(begun(run)).run == run
    assert ledger.claim(run, ledger.segment(run, 0), "one") is not None
    assert ledger.beat(run, Parent(owner="one", counter=1, fence=0, seconds=1.0))


@pytest.mark.parametrize("at", range(5))
def test_a_job_that_begins_while_another_of_its_name_is_forgotten_keeps_its_records(
    store, ledger, at
):
    """Another process has forgotten the old one as well, and begins the new one at once."""
    work(ledger, "old")

    def anew():
        ledger.forget()
        work(ledger, "new")

    interrupted = Interrupted(store, at, anew)
    Ledger(interrupted, "job").forget("old")

    if interrupted.acts <= at:  # it was over by then
        assert list(store.read_all()) == []
        return
    left = [each.key for each in store.read_all()]
    assert left == ["job", "run/new/parent/one", "run/new/segment/000000"]
    assert ledger.job().run == "new"
    assert ledger.forget() == 3


@pytest.mark.parametrize("at", range(4))
def test_a_job_that_is_marked_while_it_is_forgotten_is_forgotten(store, ledger, at):
    work(ledger, "old")
    assert Ledger(Interrupted(store, at, lambda: mark(ledger)), "job").forget() == 3
    assert list(store.read_all()) == []


def mark(ledger: Ledger) -> None:
    with contextlib.suppress(jobs.JobForgotten):
        ledger.mark(begun("old"), "failed", "2026-11-01T00:00:01+00:00")


def test_a_job_is_forgotten_in_the_run_that_is_meant_only(ledger):
    work(ledger, "new")

    assert ledger.forget("old") == 0

    assert ledger.job().run == "new"
    assert ledger.forget("new") == 3


def test_what_a_late_worker_leaves_is_no_job_and_goes_with_the_next_one(
    job_spec, checkpoints, ledger
):
    work(ledger, "old")
    ledger.forget()
    # It has not looked yet: nothing was stored of this segment, so nothing contradicts.
    assert ledger.claim("old", ledger.segment("old", 1), "one") is not None

    assert list(checkpoints.jobs(job_spec)) == []
    work(ledger, "new")
    assert list(checkpoints.jobs(job_spec)) == ["job"]
    assert ledger.forget() == 4
    assert ledger.forget() == 0


def test_a_removed_record_is_as_it_was_read(store):
    read = Record("job", 1, {"run": "one"})
    assert not store.remove(read)
    assert store.write(read)

    for other in (Record("job", 1, {"run": "two"}), Record("job", 2, {"run": "one"})):
        assert not store.remove(other)
        assert store.read("job") == read

    assert store.remove(read)
    assert not store.remove(read)
    assert store.read("job") is None


def test_many_begin_and_forget_a_job_at_once(tmp_path):
    """In a folder, the last record of a job takes the folder and its lock with it. Of two processes that
    begin a job, one is told of the other's: no two are told that they have begun it.
    """
    place, errors, own = jobs.in_folder(tmp_path), [], threading.Lock()
    now: set[str] = set()

    def begin_and_forget(name: str) -> None:
        ledger = Ledger(place.store("job", jobs.SessionSpec()), "job")
        try:
            for turn in range(40):
                run = f"{name}-{turn}"
                if ledger.begin(begun(run)).run != run:
                    continue
                with own:  # from here to its end, it is the only one
                    now.add(run)
                    assert now == {run}
                assert ledger.claim(run, ledger.segment(run, 0), name) is not None
                with own:
                    now.discard(run)
                # Its own two, and at times what is still being removed of the run that was forgotten before.
                assert ledger.forget(run) >= 2
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=begin_and_forget, args=(f"p{n}",)) for n in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert not errors
    assert not [*tmp_path.iterdir()]
