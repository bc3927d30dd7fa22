"""Jobs from a shell: begun, looked at by another process, gone on with."""

from __future__ import annotations

import gzip
import importlib
import json
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import attrs
import boto3
import pytest

from dynattrs import Session, jobs
from dynattrs.jobs.checkpoints import Record
from dynattrs.jobs.ledger import Ledger, Parent

pytest.importorskip("click", reason="pip install 'dynattrs[cli]'")
pytest.importorskip("rich", reason="pip install 'dynattrs[cli]'")

from dynattrs.tools.command import main
from terminals import COMMAND, in_terminal

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


def weigh(part):
    from dynattrs import jobs

    if part.id == "3":
        return jobs.Delete
    if part.heavy is not None:
        return None
    part.heavy = part.weight > 30
    return part


def spoil(part):
    raise ValueError("it is spoilt")


def give_text(part):
    return "heavy"


def give_another(part):
    return Truck(1, "A 1")


def move(part):
    part.id += "0"
    return part


def misread(part):
    part.weight = "heavy"
    return part


def forget(part):
    part.weight += 1


def renamed(item):
    return {**item, "renamed": {"BOOL": True}} if item["id"]["S"] != "5" else None


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


def begun(warehouse: Any, table_prefix: str, name: str = "counted") -> jobs.JobProgress:
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
    assert (missing.code, "there is no job 'nothing'" in missing.err) == (2, True)
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
    assert failed.code == 3
    assert re.search(r"segment \d: NoSuchTable", failed.err)
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


def test_a_job_is_forgotten_as_it_was_shown(
    run: Callable[..., Outcome], warehouse: Any, table_prefix: str,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    """The command says how many work on it, and a job that has begun anew meanwhile is not removed."""
    begun(warehouse, table_prefix)
    ledger = Ledger(
        jobs.in_folder(".dynattrs-jobs").store("counted", jobs.SessionSpec()), "counted"
    )
    found = ledger.job()
    assert found is not None
    store = ledger._store
    record = store.read("job")
    assert record is not None
    running = {**record.body, "state": "running", "ended": None}
    assert store.write(Record("job", record.revision + 1, running))
    now = datetime.now(timezone.utc).isoformat()
    assert ledger.beat(found.run, Parent(owner="a", counter=1, fence=0, seconds=15.0, at=now))

    asked = run("jobs", "forget", "counted")
    assert asked.code == 1
    assert "Processes that work on it: 1. They would stop. It could not go on any more" in asked.err

    progress = jobs.Job.progress

    def shown_before_it_began_anew(job: jobs.Job) -> jobs.JobProgress:
        shown = progress(job)
        ledger.forget()
        ledger.begin(attrs.evolve(found, run="anew"))
        return shown

    monkeypatch.setattr(jobs.Job, "progress", shown_before_it_began_anew)
    late = run("jobs", "forget", "counted", "--yes")
    assert (late.code, "counted was forgotten meanwhile, and begun anew" in late.err) == (1, True)
    assert ledger.forget("anew") == 1


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
    assert "counted,count,finished,0,2/2,60" in listed.out


# --- The verbs ------------------------------------------------------------------------------------

QUICK = ("--executor", "threads", "--segments", "2")


def name_of(outcome: Outcome) -> str:
    """The name of the job that has ended."""
    *_, line = [each for each in outcome.err.splitlines() if "segments (" in each]
    return line.split("'")[1]


@pytest.fixture
def others(run: Callable[..., Outcome], warehouse: Any, table_prefix: str) -> str:
    """The prefix of other tables of the same models."""
    prefix = f"{table_prefix}other-"
    assert run("create", "warehouse", "--table-prefix", prefix).code == 0
    return prefix


def test_items_go_into_files_and_into_another_table(
    run: Callable[..., Outcome], others: str, folder: Path, client: Any
):
    exported = run("export", "warehouse:Part", "out", "--gzip", "--name", "nightly", *QUICK)
    assert (exported.code, "60 written" in exported.err) == (0, True)
    assert "about 60 items" in exported.err
    assert len([*folder.glob("out/*.jsonl.gz")]) == 2
    again = run("export", "warehouse:Part", "out", "--gzip", "--name", "nightly", *QUICK)
    assert (again.code, "finished" in again.err) == (0, True)
    other = run("export", "warehouse:Part", "else", "--name", "nightly", *QUICK)
    assert (other.code, "was begun as export" in other.err) == (2, True)

    planned = run("import", "warehouse:Part", "out", "--table-prefix", others, "--dry-run")
    assert (planned.code, "60 items" in planned.err, "are replaced" in planned.err) == (
        1, True, True,
    )  # fmt: skip
    assert client.scan(TableName=f"{others}parts")["Count"] == 0
    imported = run("import", "warehouse:Part", "out", "--table-prefix", others, *QUICK)
    assert (imported.code, "60 written" in imported.err) == (0, True)
    equal = run("verify", "warehouse:Part", "--with-table-prefix", others, *QUICK)
    assert (equal.code, "They are equal" in equal.err) == (0, True)

    client.delete_item(TableName=f"{others}parts", Key={"id": {"S": "7"}})
    differs = run("verify", "warehouse:Part", "--with-table-prefix", others, *QUICK)
    assert (differs.code, "1 only here" in differs.err) == (1, True)
    [found] = run("jobs", "failures", name_of(differs), "-f", "json").json
    assert (json.loads(found["key"]), found["what"]) == ({"id": {"S": "7"}}, "only here")
    again = run("jobs", "resume", name_of(differs))
    assert (again.code, "1 differ: dynattrs jobs failures" in again.err) == (1, True)


def test_what_differs_is_counted_beside_what_cannot_be_compared(
    run: Callable[..., Outcome], folder: Path, environment: None, client: Any, table_prefix: str
):
    others = f"{table_prefix}others-"
    for prefix in (table_prefix, others):
        assert run("create", "warehouse:yard", "--table-prefix", prefix).code == 0
    for pk, sk in (("GATE#1", "GATE"), ("stray", "stray")):
        item = {"pk": {"S": pk}, "sk": {"S": sk}, "number": {"N": "1"}}
        client.put_item(TableName=f"{table_prefix}yard", Item=item)

    found = run("verify", "warehouse:Gate", "--with-table-prefix", others, *QUICK)
    assert "1 differ: dynattrs jobs failures" in found.err, found.err
    assert "1 could not be worked on: dynattrs jobs failures" in found.err
    assert found.code == 3


def test_some_items_are_exported_in_other_formats(
    run: Callable[..., Outcome], warehouse: Any, folder: Path
):
    some = run(
        "export", "warehouse:Part", "out", "--format", "csv", "--where", "weight >= 50", *QUICK
    )

    assert (some.code, "10 written" in some.err) == (0, True)
    text = "".join(each.read_text() for each in folder.glob("out/*.csv"))
    assert ("\n59,59" in text.replace("\r", ""), "49" in text) == (True, False)


def test_items_are_copied(run: Callable[..., Outcome], others: str, client: Any):
    there = ("--to-table-prefix", others)
    planned = run("copy", "warehouse:Part", *there, "--dry-run")
    assert (planned.code, f"It writes into {others}parts" in planned.err) == (1, True)
    assert client.scan(TableName=f"{others}parts")["Count"] == 0

    changed = run("copy", "warehouse:Part", *there, "--transform", "warehouse:renamed", *QUICK)
    assert (changed.code, "1 left out, 59 written" in changed.err) == (0, True)
    absent = run("copy", "warehouse:Part", *there, "--overwrite", "absent", *QUICK)
    assert (absent.code, "59 skipped, 1 written" in absent.err) == (0, True)
    nowhere = run("copy", "warehouse:Part", *QUICK)
    assert (nowhere.code, "--to-table-prefix" in nowhere.err) == (2, True)
    itself = run("copy", "warehouse:Part", "--to-region", "us-east-1", *QUICK)
    assert (itself.code, "onto itself" in itself.err, "To go on" in itself.err) == (2, True, False)


def test_a_function_changes_items_after_a_look_at_some(
    run: Callable[..., Outcome], warehouse: Any, client: Any, table_prefix: str
):
    applied = ("apply", "warehouse:Part", "warehouse:weigh")
    planned = run(*applied, "--dry-run")
    assert (planned.code, "Of 20 objects:" in planned.err) == (1, True)
    assert "heavy" in planned.out
    stored = client.scan(TableName=f"{table_prefix}parts")["Items"]
    assert not any("heavy" in each for each in stored)

    done = run(*applied, *QUICK)
    assert (done.code, "59 changed, 1 deleted" in done.err) == (0, True)
    rest = run(*applied, "--where", "heavy is None", *QUICK)
    assert (rest.code, "changed" in rest.err) == (0, False), rest.err


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        ("give_text", "it returned str 'heavy'"),
        ("give_another", "it returned Truck"),
        ("move", "KeyChanged: Part.id is part of the key"),
        ("misread", "MappingError: Part.weight: expected"),
        ("forget", "it returned None"),
    ],
)
def test_a_dry_run_refuses_what_a_job_would_refuse(
    run: Callable[..., Outcome], warehouse: Any, function: str, problem: str
):
    planned = run("apply", "warehouse:Part", f"warehouse:{function}", "--dry-run")
    assert (planned.code, problem in planned.out) == (1, True), planned
    assert "Of 20 objects: 20 failed." in planned.err

    done = run("apply", "warehouse:Part", f"warehouse:{function}", "--skip-errors", *QUICK)
    assert (done.code, "could not be worked on" in done.err) == (3, True), done


def test_a_dry_run_names_some_items_that_cannot_be_read_and_counts_the_others(
    run: Callable[..., Outcome], warehouse: Any, client: Any, table_prefix: str
):
    for n in range(10):
        spoilt = {"id": {"S": f"spoilt-{n}"}, "weight": {"S": "heavy"}}
        client.put_item(TableName=f"{table_prefix}parts", Item=spoilt)

    planned = run(
        "apply", "warehouse:Part", "warehouse:weigh", "--where", "weight > 1", "--dry-run"
    )
    assert "cannot be read" not in planned.err
    where = "begins_with(id, 'spoilt')"
    planned = run("apply", "warehouse:Part", "warehouse:weigh", "--where", where, "--dry-run")
    assert planned.err.count("cannot be read: Part.weight: expected a number") == 3
    assert "7 more items of table parts cannot be read" in planned.err


def test_a_function_that_fails_says_for_which_item(run: Callable[..., Outcome], warehouse: Any):
    spoilt = ("apply", "warehouse:Part", "warehouse:spoil")
    assert "ValueError: it is spoilt" in run(*spoilt, "--dry-run").out

    failed = run(*spoilt, "--executor", "threads", "--segments", "1", "--name", "spoilt")
    assert (failed.code, "it is spoilt" in failed.err) == (3, True)
    assert "Traceback" not in failed.err
    assert "To go on: dynattrs jobs resume spoilt\n" in failed.err
    assert run("jobs", "status", "spoilt", "-f", "json").json["state"] == "failed"
    skipped = run(*spoilt, "--skip-errors", *QUICK)
    assert (skipped.code, "60 could not be worked on" in skipped.err) == (3, True)


NONSENSE = [
    (["export", "warehouse:Part", "out", "--format", "ion"], "add --service"),
    (["export", "warehouse:Part", "out", "--at", "2026-01-01T00:00:00Z"], "add --service"),
    (["export", "warehouse:Part", "s3://bucket", "--service", "--at", "now"], "ISO 8601"),
    (["export", "warehouse:Part", "s3://bucket", "--service", "--since", "2026-01-01"], "time zone"),
    (["export", "warehouse:Part", "s3://bucket", "--service", "--format", "csv"], "not csv"),
    (["export", "warehouse:Part", "out", "--service"], "s3://bucket/prefix"),
    (["export", "warehouse", "out"], "models of several tables|2 tables"),
    (["export", "warehouse:Part", "out", "--where", "wait > 3"], "weight"),
    (["import", "warehouse:Part"], "Missing argument"),
    (["import", "warehouse:Part", "x", "--compression", "zstd"], "add --service"),
    (["import", "warehouse:Part", "a", "b", "--service"], "of one s3://"),
    (["import", "warehouse", "s3://bucket/x", "--service"], "an import makes one"),
    (["verify", "warehouse:Part"], "--with-table-prefix"),
    (["apply", "warehouse:Part", "weigh"], "package.module:function"),
    (["apply", "warehouse:Part", "warehouse:nothing"], "has no 'nothing'"),
    (["apply", "warehouse:Part", "warehouse:yard"], "not a function"),
    (["jobs", "resume", "nothing"], "there is no job"),
    (["jobs", "status", "arn:aws:nothing"], "bulk put|too old"),
]  # fmt: skip


def test_what_makes_no_sense_begins_nothing(
    run: Callable[..., Outcome], warehouse: Any, folder: Path
):
    for arguments, told in NONSENSE:
        outcome = run(*arguments)

        assert outcome.code == 2, arguments
        assert any(each in outcome.err for each in told.split("|")), outcome.err
        assert "To go on" not in outcome.err
    assert run("jobs", "list").code == 1


def test_elsewhere_nothing_is_written_before_it_is_agreed(
    run: Callable[..., Outcome], warehouse: Any, endpoint: Any, client: Any, table_prefix: str,
    monkeypatch: pytest.MonkeyPatch, folder: Path,
):  # fmt: skip
    if endpoint.engine != "embedded":
        pytest.skip("it is not a proxy")
    assert run("export", "warehouse:Part", "out", *QUICK).code == 0
    monkeypatch.setenv("HTTP_PROXY", endpoint.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://example.com")
    part = {"id": {"S": "1"}, "weight": {"N": "-1"}}
    client.put_item(TableName=f"{table_prefix}parts", Item=part)

    shown = run("import", "warehouse:Part", "out", *QUICK)
    assert (shown.code, "Nothing was changed at http://example.com" in shown.err) == (1, True)
    applied = run("apply", "warehouse:Part", "warehouse:weigh", *QUICK)
    assert (applied.code, "Of 20 objects" in applied.err, "add --yes" in applied.err) == (
        1, True, True,
    )  # fmt: skip
    key = {"id": {"S": "1"}}
    assert client.get_item(TableName=f"{table_prefix}parts", Key=key)["Item"] == part
    assert run("import", "warehouse:Part", "out", "--yes", *QUICK).code == 0
    assert client.get_item(TableName=f"{table_prefix}parts", Key=key)["Item"] != part


@pytest.mark.full
@pytest.mark.smoke
def test_an_interrupted_job_is_seen_and_resumed_by_others(
    run: Callable[..., Outcome], warehouse: Any, folder: Path
):
    """Its checkpoints say how far it is while it works, and it goes on where it was."""
    slow = ("--read-units", "1", "--segments", "20", "--workers", "1", "--executor", "threads")
    command = [*COMMAND, "export", "warehouse:Part", "out", "--name", "slow", *slow]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            seen = run("jobs", "status", "slow", "-f", "json")
            if seen.code == 1 and seen.json["done"] > 0:
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert (process.returncode, seen.json["state"]) == (130, "running")
    assert "To go on: dynattrs jobs resume slow" in told

    stopped = run("jobs", "status", "slow", "-f", "json").json
    assert 0 < stopped["done"] < 20
    resumed = run("jobs", "resume", "slow", "--executor", "threads")
    assert (resumed.code, "60 written" in resumed.err) == (0, True)
    found = [
        json.loads(line)["Item"]["id"]["S"]
        for each in folder.glob("out/*.jsonl")
        for line in each.read_text().splitlines()
    ]
    assert sorted(found, key=int) == [*map(str, range(60))]


@pytest.mark.full
def test_in_a_terminal_a_job_has_a_bar(run: Callable[..., Outcome], warehouse: Any):
    code, seen = in_terminal(
        [*COMMAND, "export", "warehouse:Part", "out", "--name", "shown", *QUICK], COLUMNS="160"
    )

    assert code == 0
    assert "Exporting (shown)" in seen
    assert "2/2 segments, 60 read, 60 written" in seen
    code, seen = in_terminal([*COMMAND, "jobs", "status", "shown", "--watch"], COLUMNS="160")
    assert (code, "2/2 segments" in seen) == (0, True)


# --- What the service does itself -----------------------------------------------------------------


def test_the_service_exports_and_imports(
    folder: Path, aws_arguments: dict[str, str], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):  # fmt: skip
    """Over an engine that writes no files for an export, and reads those that are there for an import."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_arguments["endpoint_url"])
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, aws_arguments[name.lower()])
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    bucket = f"files-{secrets.token_hex(8)}"
    s3 = boto3.client("s3", **aws_arguments)
    s3.create_bucket(Bucket=bucket)
    lines = "".join(json.dumps({"Item": {"id": {"S": str(n)}}}) + "\n" for n in range(9))
    s3.put_object(Bucket=bucket, Key="in/1.json.gz", Body=gzip.compress(lines.encode()))
    s3.close()

    def run(*arguments: str) -> Outcome:
        code = main(arguments)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    importing = ("import", "warehouse:Part", f"s3://{bucket}/in", "--service")
    assert run(*importing, "--compression", "gzip", "--dry-run").code == 1
    imported = run(*importing, "--compression", "gzip")
    assert (imported.code, "9 items read, 9 written" in imported.err) == (0, True)
    there = run(*importing, "--compression", "gzip")
    assert (there.code, "'parts' exists already" in there.err) == (3, True)
    assert run("query", "warehouse:Part", "--scan", "--count").out == "9\n"

    exported = run(
        "export",
        "warehouse:Part",
        f"s3://{bucket}/out",
        "--service",
        "--at",
        "2026-01-02T00:00:00Z",
    )
    assert (exported.code, "9 items" in exported.err) == (0, True)
    assert f"s3://{bucket}/out/AWSDynamoDB/" in exported.err
    listed = run("jobs", "list", "--service", "-f", "json").json
    assert [(each["kind"], each["status"]) for each in listed] == [
        ("export", "COMPLETED"), ("import", "COMPLETED"),
    ]  # fmt: skip
    for each in listed:
        shown = run("jobs", "status", each["arn"], "-f", "json")
        assert (shown.code, shown.json["status"]) == (0, "COMPLETED")
        assert run("jobs", "status", each["arn"], "--watch").code == 0
