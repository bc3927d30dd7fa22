"""Jobs whose processes are killed, stalled, or run twice: what they do is the same."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import job_models
from dynattrs import jobs
from job_models import Order, Thing

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals"),
]
SEEDS = [0, 1]

TESTS = Path(__file__).parent.parent
THINGS, ORDERS = 120, 60
#: How often one job is killed: CI has less time.
INSTANTS = 8 if os.environ.get("CI") else 20


@pytest.fixture
def filled(job_session):
    job_session.save_all(Thing(str(n), n) for n in range(THINGS))
    job_session.save_all(Order(str(n % 7), n) for n in range(ORDERS))
    return job_session


class Programs:
    """Programs that run a job; those that are left at the end are killed."""

    def __init__(self, options):
        self._options = options
        self._running = []

    def start(self, **options):
        given = json.dumps(self._options | options)
        path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
        process = subprocess.Popen(
            [sys.executable, str(TESTS / "job_parent.py"), given],
            env=os.environ | {"PYTHONPATH": path}, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self._running.append(process)
        return process

    def end(self):
        for process in self._running:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


@pytest.fixture
def programs(job_spec, checkpoints):
    options = {"name": "killed", "session": job_spec.describe()}
    if isinstance(checkpoints, type(jobs.in_folder("x"))):
        options["folder"] = checkpoints.path
    found = Programs(options)
    yield found
    found.end()


def children_of(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(each) for each in found.stdout.split()]


def finished(process) -> dict[str, int]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err[-3000:]
    return json.loads(out.splitlines()[-1])


def check_counted(session) -> None:
    """Every item was counted once, whatever was killed."""
    things = {each.id: each for each in session.scan(Thing).consistent()}
    assert {name: (each.n, each.note) for name, each in things.items()} == {
        str(n): (n + 1, "counted") for n in range(THINGS)
    }
    assert [each.total for each in session.scan(Order).consistent()] == [1] * ORDERS


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("checkpoints", ["folder", "table"], indirect=True)
def test_a_parent_that_is_killed_is_gone_on_with(programs, filled, job_spec, checkpoints, seed):
    chance = random.Random(seed)
    for _ in range(2):
        process = programs.start(verb="apply")
        time.sleep(chance.uniform(0.5, 1.5))
        process.kill()  # its workers find out, and end
        process.communicate()

    done = finished(programs.start(verb="apply"))

    check_counted(filled)
    assert sum(done.values()) == THINGS + ORDERS
    progress = jobs.Job("killed", session=job_spec, checkpoints=checkpoints).progress()
    assert progress.scanned == THINGS + ORDERS
    assert progress.state == "finished"


@pytest.mark.parametrize("seed", SEEDS)
def test_workers_that_are_killed_are_replaced(programs, filled, seed):
    chance = random.Random(seed)
    process = programs.start(verb="apply", segments=8)
    # A segment that is lost four times in a row has failed, and on a slow machine all kills may meet one.
    for _ in range(3):
        time.sleep(chance.uniform(0.3, 1.0))
        workers = children_of(process.pid)
        if workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(workers), signal.SIGKILL)

    done = finished(process)

    check_counted(filled)
    assert sum(done.values()) == THINGS + ORDERS


def test_workers_end_when_their_parent_is_killed(programs, filled):
    process = programs.start(verb="apply", segments=2)
    deadline = time.monotonic() + 30
    while len(workers := children_of(process.pid)) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1.0)
    process.kill()
    process.communicate()

    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{each}").exists() for each in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [each for each in workers if Path(f"/proc/{each}").exists()]


def test_two_resumes_at_once_share_the_work(programs, filled, job_spec, checkpoints):
    first = programs.start(verb="apply")
    second = programs.start(verb="apply")

    assert finished(first) == finished(second)

    check_counted(filled)
    progress = jobs.Job("killed", session=job_spec, checkpoints=checkpoints).progress()
    assert progress.scanned == THINGS + ORDERS


def test_a_parent_that_is_stalled_and_wakes_up_does_no_harm(
    programs, filled, job_spec, checkpoints
):
    """Its workers as well: another one has taken its segments over meanwhile."""
    stalled = programs.start(verb="apply")
    time.sleep(2.0)
    os.killpg(stalled.pid, signal.SIGSTOP)

    finished(programs.start(verb="apply"))
    check_counted(filled)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(stalled.pid, signal.SIGCONT)
    finished(stalled)

    check_counted(filled)
    progress = jobs.Job("killed", session=job_spec, checkpoints=checkpoints).progress()
    assert progress.scanned == THINGS + ORDERS


def test_killed_at_many_instants_it_counts_right(programs, filled, job_spec, checkpoints):
    chance = random.Random(20)
    for turn in range(INSTANTS):
        process = programs.start(name="count", verb="count", workers=2, segments=30)
        time.sleep(chance.uniform(0.4, 1.6))
        if turn % 2 and (workers := children_of(process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(workers), signal.SIGKILL)
            time.sleep(0.2)
        process.kill()
        process.communicate()

    done = finished(programs.start(name="count", verb="count"))

    assert done == {"Thing": THINGS, "Order": ORDERS}


def test_a_slice_that_kills_its_processes_is_one_segments_failure(filled, job_spec, checkpoints):
    filled.save(Thing("poison"))
    job = jobs.Job(
        "poison", models=[Thing], session=job_spec, checkpoints=checkpoints, segments=4, workers=2
    )

    with pytest.raises(jobs.JobFailed, match="a slice of it was lost again and again") as failed:
        job.apply(job_models.deadly)

    assert len(failed.value.errors) == 1
    assert job.progress().done == 3
    filled.delete(Thing, "poison")
    assert job.resume(executor="threads").done == 4
