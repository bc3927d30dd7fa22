"""Jobs on the workers of a cluster of Dask's, one of which is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from pathlib import Path

import pytest

import job_models
from dynattrs import jobs
from dynattrs.errors import ModelError
from job_models import Order, Thing

pytestmark = [
    pytest.mark.full,
    # Dask's own, in its threads and loops.
    pytest.mark.filterwarnings("ignore"),
]


def distributed():
    """Dask's workers, imported when they are needed, and not by each process that collects tests."""
    return pytest.importorskip("distributed", reason="pip install 'dynattrs[dask]'")


@pytest.fixture
def cluster(job_session, monkeypatch):
    """Two processes, which import what the tests import."""
    monkeypatch.setenv("PYTHONPATH", str(Path(job_models.__file__).parent))
    with distributed().LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0",
        host="127.0.0.1", silence_logs=50,
    ) as found:  # fmt: skip
        yield found


def pids(client) -> list[int]:
    return sorted(client.run(os.getpid).values())


def test_a_worker_that_is_killed_changes_nothing(cluster, job_session, job_spec):
    job_session.save_all(Thing(str(n), n) for n in range(100))
    job_session.save_all(Order(str(n % 7), n) for n in range(40))
    job = jobs.Job(
        "dask", models=[Thing, Order], session=job_spec, checkpoints=jobs.in_table(), segments=8
    )
    with distributed().Client(cluster) as client:
        victim = pids(client)[0]

        def kill():
            time.sleep(1.0)
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        done = job.apply(job_models.counted, executor=client.get_executor())
        killer.join()

    assert done.scanned == sum(done.counts.values()) == 140
    assert {each.id: each.n for each in job_session.scan(Thing)} == {
        str(n): n + 1 for n in range(100)
    }
    assert [each.total for each in job_session.scan(Order)] == [1] * 40


def test_a_scheduler_is_found_by_its_address(cluster, job_session, job_spec):
    job_session.save_all(Thing(str(n), n) for n in range(30))
    job = jobs.Job(
        "dask", models=[Thing], session=job_spec, checkpoints=jobs.in_table(), segments=4
    )

    assert job.count(executor=cluster.scheduler_address).counts == {"Thing": 30}


def test_a_task_that_kills_its_workers_is_one_segments_failure(cluster, job_session, job_spec):
    job_session.save_all(Thing(str(n), n) for n in range(30))
    job_session.save(Thing("poison"))
    job = jobs.Job(
        "dask", models=[Thing], session=job_spec, checkpoints=jobs.in_table(), segments=4
    )
    with distributed().Client(cluster) as client:
        with pytest.raises(
            jobs.JobFailed, match="KilledWorker: a slice of it was lost again"
        ) as failed:
            job.apply(job_models.deadly, executor=client.get_executor())

    assert len(failed.value.errors) == 1
    assert job.progress().done == 3


def test_what_is_in_the_main_module_is_refused(cluster, job_session, job_spec, monkeypatch):
    import sys

    monkeypatch.setattr(Thing, "__module__", "__main__")
    monkeypatch.setattr(sys.modules["__main__"], "Thing", Thing, raising=False)
    job = jobs.Job(
        "dask", models=[Thing], session=job_spec, checkpoints=jobs.in_table(), segments=4
    )
    with distributed().Client(cluster) as client, pytest.raises(ModelError, match="main module"):
        job.count(executor=client.get_executor())
