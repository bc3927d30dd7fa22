"""Tables as DataFrames of Dask."""

from __future__ import annotations

import importlib
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dynattrs import MappingError, ModelError, QueryError, jobs, model, partition_key
from dynattrs.schema.model_info import model_info
from job_models import Thing

pytestmark = pytest.mark.full  # it takes a second to import Dask


@pytest.fixture(autouse=True)
def dask() -> Any:
    """Dask, imported when it is needed, and not by each process that collects tests."""
    pytest.importorskip("pyarrow")
    pytest.importorskip("dask.dataframe")
    return pytest.importorskip("dask")


@pytest.fixture
def session(job_session: Any) -> Any:
    job_session.save_all(Thing(str(number), number) for number in range(300))
    return job_session


def test_every_item_is_in_one_partition(session: Any, job_spec: Any, dask: Any):
    frame = jobs.dask_frame(Thing, session=job_spec, segments=5)

    assert frame.npartitions == 5
    assert {name: str(each) for name, each in frame.dtypes.items()} == {
        "id": "string[pyarrow]", "n": "int64[pyarrow]", "note": "string[pyarrow]",
    }  # fmt: skip
    with dask.config.set(scheduler="threads"):
        assert sorted(frame.compute()["n"]) == [*range(300)]
        assert frame["n"].sum().compute() == sum(range(300))


def test_the_service_leaves_out_what_is_not_wanted(session: Any, job_spec: Any, dask: Any):
    frame = jobs.dask_frame(Thing, session=job_spec, segments=3, where=Thing.n >= 290)

    with dask.config.set(scheduler="synchronous"):
        assert sorted(frame.compute()["n"]) == [*range(290, 300)]


def test_a_table_is_read_anew_each_time(session: Any, job_spec: Any, dask: Any):
    with dask.config.set(scheduler="synchronous"):
        assert len(jobs.dask_frame(Thing, session=job_spec, segments=1)) == 300
        session.save(Thing("x", 1))
        assert len(jobs.dask_frame(Thing, session=job_spec, segments=1)) == 301


def test_a_number_that_does_not_fit_is_an_error(session: Any, job_spec: Any, dask: Any):
    session.save(Thing("x", 10**20))

    with dask.config.set(scheduler="synchronous"):
        with pytest.raises(MappingError, match=r"Thing\.n: .*types=\{'n'"):
            jobs.dask_frame(Thing, session=job_spec, segments=1).compute()


def test_items_that_cannot_be_read_are_left_out_if_you_say_so(
    session: Any, job_spec: Any, dask: Any
):
    table = session._core.table_name(model_info(Thing).table)
    session.client.put_item(TableName=table, Item={"id": {"S": "x"}, "n": {"S": "not a number"}})

    with dask.config.set(scheduler="synchronous"):
        with pytest.raises(MappingError, match=r"Thing\.n: expected a number"):
            jobs.dask_frame(Thing, session=job_spec, segments=2).compute()
        frame = jobs.dask_frame(Thing, session=job_spec, segments=2, on_error="skip")
        assert sorted(frame.compute()["n"]) == [*range(300)]
        again = pickle.loads(pickle.dumps(frame))
        assert len(again.compute()) == 300
    with pytest.raises(QueryError, match="write 'raise' or 'skip'"):
        jobs.dask_frame(Thing, session=job_spec, on_error=print)  # type: ignore[arg-type]


def test_a_worker_imports_what_maps_a_class(
    job_session: Any, job_spec: Any, dask: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A worker has imported neither the class nor the module that maps it."""
    (tmp_path / "dask_plain.py").write_text(
        "from dataclasses import dataclass\n@dataclass\nclass Plain:\n    id: str\n    n: int\n"
    )
    (tmp_path / "dask_mapped.py").write_text(
        "from dask_plain import Plain\nfrom dynattrs import map_class\n"
        "map_class(Plain, 'plain', partition_key='id', unknown='drop')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    plain = importlib.import_module("dask_mapped").Plain
    job_session.tables.create(plain)
    job_session.save_all(plain(str(n), n) for n in range(10))
    frame = pickle.dumps(jobs.dask_frame(plain, session=job_spec, segments=2))

    program = (
        "import pickle, sys; frame = pickle.load(sys.stdin.buffer)\n"
        "print(sorted(frame.compute(scheduler='synchronous')['n']))"
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", program], input=frame, capture_output=True, check=False,
        env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip

    assert done.returncode == 0, done.stderr.decode()[-3000:]
    assert done.stdout.split() == str([*range(10)]).encode().split()


def test_arguments_that_make_no_sense_are_refused(job_spec: Any):
    @model("local")
    class Local:
        id: str = partition_key()

    with pytest.raises(QueryError, match=r"segments=0"):
        jobs.dask_frame(Thing, session=job_spec, segments=0)
    with pytest.raises(ModelError, match="other processes cannot import it"):
        pickle.dumps(jobs.dask_frame(Local, session=job_spec))


@pytest.mark.full
def test_a_worker_that_dies_costs_nothing_but_time(session: Any, job_spec: Any):
    distributed = pytest.importorskip("distributed")
    frame = jobs.dask_frame(Thing, session=job_spec, segments=40)

    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        found = client.compute(frame["n"].sum())
        (first, *_) = client.run(os.getpid).values()
        os.kill(first, signal.SIGKILL)
        assert found.result(timeout=60) == sum(range(300))
