"""Jobs from a shell: begun, looked at by another process, gone on with."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from dynattrs import Session, jobs

pytest.importorskip("click", reason="pip install 'dynattrs[cli]'")
pytest.importorskip("rich", reason="pip install 'dynattrs[cli]'")

from dynattrs.tools.command import main

pytestmark = pytest.mark.threads_only(reason="the command has a session of its own")

WAREHOUSE = """
from __future__ import annotations

from dynattrs import Table, model, partition_key

parts = Table("parts", partition_key="id")


@model(parts)
class Part:
    id: str = partition_key()
    weight: int = 0
    heavy: bool | None = None


yard = Table("yard", partition_key="pk", sort_key="sk")


@model(yard, pk="GATE#{number}", sk="GATE")
class Gate:
    number: int


@model(yard, pk="GATE#{gate}", sk="TRUCK#{plate}")
class Truck:
    gate: int
    plate: str
"""


@attrs.frozen
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A program in the current directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "warehouse.py").write_text(WAREHOUSE)
    yield tmp_path
    sys.modules.pop("warehouse", None)


@pytest.fixture
def environment(
    endpoint: Any, table_prefix: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that the command finds by itself."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", endpoint.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", endpoint.credentials["aws_access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", endpoint.credentials["aws_secret_access_key"])
    monkeypatch.setenv("AWS_DEFAULT_REGION", endpoint.credentials["region_name"])
    monkeypatch.setenv("DYNATTRS_TABLE_PREFIX", table_prefix)


@pytest.fixture
def run(environment: None, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Runs the command in this process."""

    def run(*arguments: str) -> Outcome:
        capsys.readouterr()
        code = main(arguments)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture
def warehouse(run: Callable[..., Outcome], client: Any, table_prefix: str) -> Any:
    """The module, with its tables and some items in them."""
    assert run("create", "warehouse").code == 0
    module = importlib.import_module("warehouse")
    with Session(client=client, table_prefix=table_prefix) as session:
        session.save_all(module.Part(str(number), number) for number in range(60))
    return module


def begun(warehouse: Any, table_prefix: str, name: str = "counted") -> jobs.Progress:
    """A job that a program has begun, and done."""
    spec = jobs.SessionSpec(table_prefix=table_prefix)
    place = jobs.in_folder(".dynattrs-jobs")
    job = jobs.Job(name, models=[warehouse.Part], session=spec, checkpoints=place, segments=3)
    return job.count(executor="threads")


def test_jobs_are_listed_shown_and_forgotten(
    run: Callable[..., Outcome], warehouse: Any, table_prefix: str
):
    assert (run("jobs", "list").code, run("jobs", "list", "-f", "json").json) == (1, [])
    begun(warehouse, table_prefix)
    begun(warehouse, table_prefix, "again")

    listed = run("jobs", "list", "-f", "json")
    assert [each["job"] for each in listed.json] == ["again", "counted"]
    shown = run("jobs", "status", "counted")
    assert (shown.code, "3/3" in shown.out, "60 Part" in shown.out) == (0, True, True)
    found = run("jobs", "status", "counted", "--format", "json").json
    assert (found["state"], found["done"], found["segments"], found["read"]) == (
        "finished", 3, 3, 60,
    )  # fmt: skip
    assert (found["models"], found["counts"]) == (["warehouse:Part"], {"Part": 60})
    assert run("jobs", "status", "counted", "--watch").code == 0
    assert run("jobs", "failures", "counted").code == 1
    again = run("jobs", "resume", "counted")
    assert (again.code, "finished" in again.err) == (0, True)

    missing = run("jobs", "status", "nothing")
    assert (missing.code, "there is no job 'nothing'" in missing.err) == (3, True)
    assert run("jobs", "forget", "counted").code == 0
    assert [each["job"] for each in run("jobs", "list", "-f", "json").json] == ["again"]


def test_a_job_that_has_failed_is_resumed_without_saying_where_it_was(
    run: Callable[..., Outcome], warehouse: Any, table_prefix: str, client: Any,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    client.delete_table(TableName=f"{table_prefix}parts")
    with pytest.raises(jobs.JobFailed):
        begun(warehouse, table_prefix)
    monkeypatch.delenv("DYNATTRS_TABLE_PREFIX")

    failed = run("jobs", "status", "counted")
    assert (failed.code, "segment 0: NoSuchTable" in failed.err) == (3, True)
    assert run("jobs", "status", "counted", "-f", "json").json["state"] == "failed"
    still = run("jobs", "forget", "counted")
    assert (still.code, "add --yes" in still.err) == (1, True)
    with Session(client=client, table_prefix=table_prefix) as session:
        session.tables.create(warehouse.Part)
        session.save(warehouse.Part("1"))

    planned = run("jobs", "resume", "counted", "--dry-run")
    assert (planned.code, "nothing was changed" in planned.err) == (1, True)
    resumed = run("jobs", "resume", "counted", "--executor", "threads")
    assert (resumed.code, "1 Part" in resumed.err) == (0, True)


def test_what_a_job_could_not_work_on_is_printed(
    run: Callable[..., Outcome], warehouse: Any, table_prefix: str, client: Any
):
    spec = jobs.SessionSpec(table_prefix=table_prefix)
    place = jobs.in_folder(".dynattrs-jobs")
    client.put_item(TableName=f"{table_prefix}yard", Item={"pk": {"S": "x"}, "sk": {"S": "y"}})
    job = jobs.Job("gates", models=[warehouse.Gate], session=spec, checkpoints=place, segments=1)
    job.count(executor="threads")

    found = run("jobs", "failures", "gates", "-f", "json")

    assert (found.code, len(found.json)) == (0, 1)
    assert json.loads(found.json[0]["key"]) == {"pk": {"S": "x"}, "sk": {"S": "y"}}
    assert found.json[0]["what"].startswith("MappingError")
    table = run("jobs", "failures", "gates")
    assert ("MappingError" in table.out, table.code) == (True, 0)


def test_checkpoints_may_be_in_a_table(
    run: Callable[..., Outcome], warehouse: Any, table_prefix: str, monkeypatch: pytest.MonkeyPatch
):
    spec = jobs.SessionSpec(table_prefix=table_prefix)
    job = jobs.Job(
        "counted", models=[warehouse.Part], session=spec, checkpoints=jobs.in_table(), segments=2
    )
    job.count(executor="threads")

    monkeypatch.setenv("DYNATTRS_CHECKPOINTS", "table:")
    assert run("jobs", "status", "counted").code == 0
    listed = run("jobs", "list", "--checkpoints", "table:dynattrs-jobs", "-f", "csv")
    assert "counted,count,finished,2/2,60" in listed.out
