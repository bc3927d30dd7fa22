"""Exports and imports of whole tables: what is exported is imported, by every format and in every state."""

from __future__ import annotations

import datetime as dt
import json
import secrets
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import boto3
import pytest

import job_models
import shared_data
from dynattrs import jobs
from dynattrs.errors import ConditionError, ModelError
from dynattrs.jobs.files import manifests, s3_folder
from dynattrs.jobs.files.errors import FilesError
from dynattrs.jobs.files.named_places import place_of
from dynattrs.jobs.files.output import Output
from dynattrs.jobs.work import FileEntry
from dynattrs.mapper.anything import dynamodb_json, native_map
from dynattrs.schema.model_info import model_info
from file_models import Stamped, Thing, Timed
from job_models import Order, Person


@pytest.fixture
def spec(job_spec: jobs.SessionSpec) -> jobs.SessionSpec:
    return job_spec


@pytest.fixture
def session(spec: jobs.SessionSpec) -> Any:
    with spec.session() as session:
        session.tables.create(job_models.shop, Thing)
        yield session


@pytest.fixture
def job(spec: jobs.SessionSpec, tmp_path: Path) -> Any:
    def made(name: str, *models: Any, other: str = "", **options: Any) -> jobs.Job:
        own = attrs.evolve(spec, table_prefix=f"{spec.table_prefix}{other}") if other else spec
        checkpoints = jobs.in_folder(tmp_path / "checkpoints")
        return jobs.Job(
            name, models=models or (job_models.shop,), session=own, checkpoints=checkpoints,
            segments=options.pop("segments", 3), **options,
        )  # fmt: skip

    return made


@pytest.fixture
def copy(spec: jobs.SessionSpec) -> Any:
    """A session on empty tables of the same names."""
    with attrs.evolve(spec, table_prefix=f"{spec.table_prefix}copy-").session() as session:
        session.tables.create(job_models.shop, Thing)
        yield session


def stored(session: Any, table: Any = job_models.shop) -> Counter[str]:
    """All items of a table as text."""
    name = session._core.table_name(table)
    pages = session.client.get_paginator("scan").paginate(TableName=name)
    return Counter(
        json.dumps(json.loads(dynamodb_json(native_map(item))), sort_keys=True)
        for page in pages
        for item in page["Items"]
    )


def fill(session: Any) -> None:
    """Items of two models with guards, one with an attribute that no model knows, and one of none."""
    session.save_all(Order(str(n % 7), n) for n in range(120))
    session.save_all(Person(str(n), f"{n}@example.com", "SE" if n % 2 else "NO") for n in range(12))
    name = session._core.table_name(job_models.shop)
    first = next(iter(session.scan(Person).raw()))
    odd = {**first, "seen": {"NS": ["1", "2.50"]}, "blob": {"B": b"\xff"}, "none": {"NULL": True}}
    session.client.put_item(TableName=name, Item=native_map(odd))


@pytest.mark.parametrize("compression", [None, "gzip"])
@pytest.mark.parametrize("format_", ["jsonl", "json"])
def test_an_export_as_stored_is_imported_as_it_was(
    session: Any, copy: Any, job: Any, tmp_path: Path, format_: str, compression: Any
) -> None:
    fill(session)

    out = job("out").export(
        tmp_path / "shop", format=format_, compression=compression, executor="threads"
    )
    back = job("in", other="copy-").import_(tmp_path / "shop", executor="threads")

    assert stored(copy) == stored(session)
    assert out.counts == back.counts == {"written": 144}
    assert out.failures == back.failures == 0
    end = ".gz" if compression else ""
    assert all(each.name.endswith(f".{format_}{end}") for each in job("out").files())


def test_a_job_that_was_killed_while_it_wrote_its_manifest_goes_on(
    session: Any, copy: Any, job: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(session)
    end = Output.end

    def killed(output: Any) -> str:
        if manifests.is_manifest(output.name):
            sys.exit("killed")
        return end(output)

    with monkeypatch.context() as patch:
        patch.setattr(Output, "end", killed)
        patch.setattr(Output, "abandon", lambda output: output._file._file.close())
        with pytest.raises(SystemExit):
            job("out").export(tmp_path / "shop", executor="threads")
    out = job("out").resume(executor="threads")

    assert out.counts == {"written": 144}
    assert not [each for each in (tmp_path / "shop").iterdir() if each.name.startswith(".")]
    job("in", other="copy-").import_(tmp_path / "shop", executor="threads")
    assert stored(copy) == stored(session)


def test_two_processes_may_write_a_manifest_at_once(tmp_path: Path) -> None:
    place = place_of(tmp_path)
    entry = FileEntry("a.jsonl", 1, 2, "sha256:0")
    written: list[bool] = []

    def files() -> Iterator[FileEntry]:
        written.append(manifests.write_manifest(place, "x.manifest.json", {}, [entry]))
        yield entry

    assert not manifests.write_manifest(place, "x.manifest.json", {}, files())
    assert written == [True]
    assert manifests.manifests_in(place) == [each.name for each in tmp_path.iterdir()]


def test_what_botocore_has_parsed_is_written_as_well(
    session: Any, copy: Any, job: Any, tmp_path: Path, spec: jobs.SessionSpec
) -> None:
    """Replies that the session does not read itself are dicts already."""
    fill(session)
    slow = attrs.evolve(spec, fast=False)
    checkpoints = jobs.in_folder(tmp_path / "jobs")
    out = jobs.Job("slow", models=[job_models.shop], session=slow, checkpoints=checkpoints)

    out.export(tmp_path / "shop", executor="threads")
    job("in", other="copy-").import_(tmp_path / "shop", executor="threads")

    assert stored(copy) == stored(session)


@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_an_export_by_models_is_imported_as_equal_objects(
    session: Any, copy: Any, job: Any, tmp_path: Path, format_: str
) -> None:
    if format_ == "parquet":
        pytest.importorskip("pyarrow", reason="pip install 'dynattrs[arrow]'")
    fill(session)

    out = job("out").export(tmp_path / "shop", format=format_, executor="threads")
    back = job("in", other="copy-").import_(tmp_path / "shop", executor="threads")

    assert stored(copy) == stored(session)
    assert out.counts == {"written": 132, "guards left out": 12}
    assert back.counts == {"written": 132}
    assert {each.model for each in job("out").files()} == {"Person", "Order"}


@pytest.mark.parametrize("format_", ["csv", "parquet", "json"])
def test_an_item_without_a_version_and_time_stamps_stays_without(
    session: Any, copy: Any, job: Any, tmp_path: Path, format_: str
) -> None:
    """An import stores these as they are, so none where the item has none, though its object has some."""
    if format_ == "parquet":
        pytest.importorskip("pyarrow", reason="pip install 'dynattrs[arrow]'")
    for each in (session, copy):
        each.tables.create(Stamped)
    name = session._core.table_name(Stamped.__dynattrs__.table)
    for item in (
        {"id": {"S": "a"}, "number": {"N": "1"}},
        {"id": {"S": "b"}, "version": {"N": "7"}},
    ):
        session.client.put_item(TableName=name, Item={"number": {"N": "0"}, **item})
    session.save(Stamped("c"))
    before = stored(session, Stamped.__dynattrs__.table)

    if format_ == "json":  # plain, as other programs write it
        items = [
            {n: next(iter(v.values())) for n, v in json.loads(each).items()} for each in before
        ]
        for item in items:
            item.update({n: int(item[n]) for n in ("number", "version") if n in item})
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "x.json").write_text(json.dumps(items))
    else:
        job("out", Stamped).export(tmp_path / "out", format=format_, executor="threads")
    back = job("in", Stamped, other="copy-").import_(tmp_path / "out", executor="threads")

    assert (back.counts, back.failures) == ({"written": 3}, 0)
    assert stored(copy, Stamped.__dynattrs__.table) == before


@pytest.mark.parametrize("format_", ["jsonl", "parquet"])
def test_a_bucket_is_a_folder(
    session: Any, copy: Any, job: Any, aws: str, monkeypatch: pytest.MonkeyPatch, format_: str
) -> None:
    if format_ == "parquet":
        pytest.importorskip("pyarrow", reason="pip install 'dynattrs[arrow]'")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", aws)
    s3_folder.client_of.cache_clear()
    client = boto3.session.Session().client("s3", region_name="us-east-1")
    bucket = f"bucket-{secrets.token_hex(4)}"
    fill(session)
    with pytest.raises(jobs.NoFile, match="the bucket does not exist; make it first"):
        job("out").export(f"s3://{bucket}/shop", format=format_, executor="threads")
    client.create_bucket(Bucket=bucket)

    out = job("out").export(f"s3://{bucket}/shop", format=format_, executor="threads")
    back = job("in", other="copy-").import_(f"s3://{bucket}/shop/", executor="threads")

    assert stored(copy) == stored(session)
    assert back.counts["written"] == out.counts["written"]
    keys = [each["Key"] for each in client.list_objects_v2(Bucket=bucket)["Contents"]]
    assert len(keys) == out.files + 1
    client.close()
    s3_folder.client_of.cache_clear()


def test_only_items_of_the_jobs_models_are_exported(
    session: Any, copy: Any, job: Any, tmp_path: Path
) -> None:
    fill(session)

    job("out", Person).export(tmp_path / "all", executor="threads")
    some = job("some", Person).export(
        tmp_path / "some", where=Person.country == "SE", executor="threads"
    )
    job("in", Person, other="copy-").import_(tmp_path / "some", executor="threads")

    names = json.loads(next((tmp_path / "all").glob("*.manifest.json")).read_text())
    assert sum(each["items"] for each in names["files"]) == 24
    assert names["tables"] == [session._core.table_name(job_models.shop)]
    assert some.counts == {"written": 6}
    # What the condition left out is made again.
    assert copy.scan(Person).count() == 6
    assert sum("dynattrs.unique" in item for item in stored(copy)) == 6
    others = job("others", Person).export(
        tmp_path / "others", where=Person.country != "NO", executor="threads"
    )
    assert others.counts == {"written": 6}  # without guards, which have no country
    with pytest.raises(ConditionError, match="is about Order, but the job is for Person"):
        job("x", Person).export(tmp_path / "x", where=Order.number == 1)


def test_only_items_of_the_jobs_models_are_imported(
    session: Any, copy: Any, job: Any, tmp_path: Path
) -> None:
    fill(session)
    job("out").export(tmp_path / "all", executor="threads")
    (tmp_path / "all" / "x.jsonl").write_text("ignored")

    done = job("in", Person, other="copy-").import_(tmp_path / "all", executor="threads")

    assert done.counts == {"written": 24, "left out": 120}
    assert {json.loads(item)["sk"]["S"] for item in stored(copy)} == {"PERSON", "dynattrs.unique"}


def test_an_export_of_an_empty_table_is_imported_as_nothing(
    session: Any, copy: Any, job: Any, tmp_path: Path
) -> None:
    job("out").export(tmp_path / "shop", executor="threads")

    done = job("in", other="copy-").import_(tmp_path / "shop", executor="threads")

    assert done.state == "finished"
    assert [path.name.endswith(".manifest.json") for path in (tmp_path / "shop").iterdir()] == [
        True
    ]


def test_items_that_are_there_are_replaced_or_left(session: Any, job: Any, tmp_path: Path) -> None:
    fill(session)
    job("out").export(tmp_path / "shop", executor="threads")
    before = stored(session)
    person = session.get_one(Person, "3")
    person.country = "DK"
    person.email = "other@example.com"
    session.save(person)
    session.delete(Person, "5")
    changed = stored(session)

    absent = job("absent").import_(tmp_path / "shop", overwrite="absent", executor="threads")
    assert absent.counts == {"written": 1, "unchanged": 130, "skipped": 1, "guards": 12}
    assert stored(session) == changed | before - Counter(
        [each for each in before - changed if '"3' in each or "3@" in each]
    )

    again = job("always").import_(tmp_path / "shop", executor="threads")
    assert again.counts == {"written": 144}
    assert before <= stored(session)
    assert session.get_one(Person, "3").email == "3@example.com"


def test_a_newer_item_stays(session: Any, job: Any, tmp_path: Path) -> None:
    session.save_all(Thing(str(n), n) for n in range(3))
    job("out", Thing).export(tmp_path / "things", executor="threads")
    newer = session.get_one(Thing, "1")
    session.save(newer)
    session.delete(Thing, "2")

    done = job("newer", Thing).import_(tmp_path / "things", overwrite="newer", executor="threads")

    assert done.counts == {"unchanged": 1, "skipped": 1, "written": 1}
    assert session.get_one(Thing, "1").version == newer.version
    with pytest.raises(ModelError, match="Person has neither a version nor an update time"):
        job("x").import_(tmp_path / "things", overwrite="newer")


def test_lines_that_do_not_fit_are_reported_and_end_nothing(
    session: Any, job: Any, tmp_path: Path
) -> None:
    good = {"Item": {"id": {"S": "a"}, "number": {"N": "1"}}}
    lines = [
        json.dumps(good),
        "{",
        json.dumps({"Item": {"id": {"N": "1"}}}),  # another key than the table's
        json.dumps({"Item": {"number": {"N": "1"}}}),
        json.dumps(
            {"Item": {"id": {"S": "b"}, "number": {"N": "not one"}}}
        ),  # the service refuses it
        json.dumps({"id": "c", "number": "x"}),
        json.dumps({"id": "d", "number": 4}),
    ]
    (tmp_path / "x.jsonl").write_text("\n".join(lines))

    done = job("in", Thing).import_(tmp_path / "x.jsonl", executor="threads")

    found = {each.where: each for each in job("in", Thing).failures()}
    assert done.failures == 5
    assert done.counts == {"written": 2}
    assert sorted(found) == [f"{tmp_path}/x.jsonl:{number}" for number in (2, 3, 4, 5, 6)]
    assert "expected an item in JSON" in found[f"{tmp_path}/x.jsonl:2"].what
    assert "an item with the key attribute 'id', of type S" in found[f"{tmp_path}/x.jsonl:3"].what
    assert found[f"{tmp_path}/x.jsonl:5"].key == {"id": {"S": "b"}}
    assert "Thing.number: expected" in found[f"{tmp_path}/x.jsonl:6"].what
    assert found[f"{tmp_path}/x.jsonl:6"].model == "Thing"
    assert sorted(each.id for each in session.scan(Thing)) == ["a", "d"]


def test_a_value_of_another_item_is_reported(session: Any, job: Any, tmp_path: Path) -> None:
    session.save(Person("1", "taken@example.com"))
    (tmp_path / "Person.csv").write_text("id,email\n2,taken@example.com\n3,free@example.com\n")

    done = job("in", Person).import_(tmp_path / "Person.csv", executor="threads")

    [failure] = job("in", Person).failures()
    assert failure.where == f"{tmp_path}/Person.csv:2"
    assert "AlreadyTaken: Person.email is unique" in failure.what
    assert done.counts == {"written": 1}
    assert sorted(each.id for each in session.scan(Person)) == ["1", "3"]


@pytest.mark.parametrize("kind", ["FULL_EXPORT", "INCREMENTAL_EXPORT"])
def test_exports_of_the_service_are_imported(
    session: Any, job: Any, tmp_path: Path, kind: str
) -> None:
    from service_exports import service_export

    session.save_all(Thing(str(n), n) for n in range(3))
    lines: list[Any] = [{"Item": {"id": {"S": str(n)}, "number": {"N": "7"}}} for n in range(5)]
    if kind == "INCREMENTAL_EXPORT":
        lines = [{"Keys": {"id": each["Item"]["id"]}, "NewImage": each["Item"]} for each in lines]
        lines[1].pop("NewImage")
        lines[4].pop("NewImage")
    own = service_export(tmp_path, kind, lines)

    done = job("in", Thing).import_(own, executor="threads")

    numbers = {each.id: each.number for each in session.scan(Thing)}
    if kind == "FULL_EXPORT":
        assert numbers == dict.fromkeys("01234", 7)
        assert done.counts == {"written": 5}
    else:
        assert numbers == {"0": 7, "2": 7, "3": 7}
        assert done.counts == {"written": 3, "deleted": 2}
        with pytest.raises(ModelError, match="an incremental export holds changes"):
            job("x", Thing).import_(own, overwrite="absent", executor="threads")


def test_sample_data_of_the_developer_guide_are_imported(
    session: Any, job: Any, tmp_path: Path
) -> None:
    for name in ("persons.ddb.json", "game_player_items.json"):
        (tmp_path / name).write_text(shared_data.read(name), encoding="utf-8")

    persons = job("persons", Thing).import_(tmp_path / "persons.ddb.json", executor="threads")

    assert persons.counts == {"written": 500}
    assert len(stored(session, model_info(Thing).table)) == 500


def test_a_job_is_for_one_table(session: Any, job: Any, tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r"the models are of 2 tables .*; make a job for each of them"
    ):
        job("x", Person, Thing).export(tmp_path)
    with pytest.raises(ModelError, match="the models are of 2 tables"):
        job("x", Person, Thing).import_(tmp_path)


def test_files_that_changed_are_refused(session: Any, job: Any, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"Item": {"id": {"N": "1"}}}\n')
    job("in", Thing).import_(tmp_path / "*.jsonl", executor="threads")
    (tmp_path / "b.jsonl").write_text("{}\n")

    with pytest.raises(jobs.OtherJob, match="was begun as import_ with files="):
        job("in", Thing).import_(tmp_path / "*.jsonl", executor="threads")


def test_a_table_has_to_be_there(session: Any, job: Any, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("{}\n")
    with pytest.raises(
        ModelError, match=r"table .*missing-files-things. does not exist yet; create it"
    ):
        job("in", Thing, other="missing-").import_(tmp_path, executor="threads")
    with pytest.raises(FilesError, match="it is a file; name a folder"):
        job("out", Thing).export(tmp_path / "a.jsonl", executor="threads")


def test_files_of_lost_steps_are_removed_and_others_stay(
    session: Any, job: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step that was lost behind its file, and one before it, leave nothing that counts."""
    fill(session)
    from dynattrs.jobs import exporting, ledger

    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.jsonl").write_text("{}")
    ends = exporting.ExportStep.end
    lost: list[str] = []

    def end(step: exporting.ExportStep) -> Any:
        outcome = ends(step)
        if len(lost) < 3 and outcome.files:
            lost.extend(each.name for each in outcome.files)
            # As if its process was killed here: nothing of it is checkpointed, and its file stays.
            monkeypatch.setattr(step, "abandon", lambda: None)
            raise ledger.CheckpointsFailed("here", "gone")
        return outcome

    monkeypatch.setattr(exporting.ExportStep, "end", end)
    for _ in range(4):
        try:
            job("out").export(tmp_path / "out", executor="threads")
            break
        except jobs.CheckpointsFailed:
            assert not [*(tmp_path / "out").glob("*.manifest.json")]

    names = {path.name for path in (tmp_path / "out").iterdir()}
    counted = {each.name for each in job("out").files()}
    assert len(lost) >= 3
    assert names == {*counted, "mine.jsonl", next(n for n in names if n.endswith(".manifest.json"))}
    assert not counted.intersection(lost)
    lines = [(tmp_path / "out" / name).read_text().splitlines() for name in counted]
    assert sum(map(len, lines)) == 144


def test_files_are_never_written_over(session: Any, job: Any, tmp_path: Path) -> None:
    fill(session)
    first = job("out").export(tmp_path / "out", executor="threads")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    job("out").forget()

    again = job("out").export(tmp_path / "out", executor="threads")

    after = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert again.counts == first.counts
    assert before.items() <= after.items()
    assert len(after) == 2 * len(before)
    with pytest.raises(FilesError, match=r"there are 2 manifests: .*; name one of them"):
        job("in").import_(tmp_path / "out")
    done = job("in").import_(next((tmp_path / "out").glob("*.manifest.json")), executor="threads")
    assert done.counts == {"written": 144}


def test_a_damaged_file_is_reported(session: Any, job: Any, copy: Any, tmp_path: Path) -> None:
    session.save_all(Thing(str(n), n) for n in range(50))
    job("out", Thing, segments=1).export(tmp_path / "out", compression="gzip", executor="threads")
    [path] = (tmp_path / "out").glob("*.jsonl.gz")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)

    done = job("in", Thing, other="copy-").import_(tmp_path / "out", executor="threads")

    [failure] = job("in", Thing, other="copy-").failures()
    assert done.failures == 1
    assert "the checksum that its manifest says" in failure.what
    assert copy.scan(Thing).count() == 0


def test_times_beyond_the_day_in_parquet_are_told(spec: jobs.SessionSpec, tmp_path: Path) -> None:
    """Arrow holds them, and gives them to Python as other times of a day."""
    pa = pytest.importorskip("pyarrow", reason="pip install 'dynattrs[arrow]'")
    parquet = pytest.importorskip("pyarrow.parquet")
    hour = 3_600_000_000
    times = pa.array([hour, 25 * hour, None], pa.int64()).view(pa.time64("us"))
    nested = pa.ListArray.from_arrays(pa.array([0, 1, 2]), times.slice(0, 2))
    parquet.write_table(pa.table({"id": ["a", "b", "c"], "at": times}), tmp_path / "Timed.parquet")
    parquet.write_table(pa.table({"id": ["d", "e"], "some": nested}), tmp_path / "1-Timed.parquet")
    with spec.session() as session:
        session.tables.create(Timed)
        made = jobs.Job(
            "in", models=[Timed], session=spec, checkpoints=jobs.in_folder(tmp_path / "jobs")
        )

        done = made.import_([*tmp_path.glob("*.parquet")], executor="threads")

        assert (done.counts, done.failures) == ({"written": 3}, 2)
        assert session.get_one(Timed, "a").at == dt.time(1)
        assert session.get_one(Timed, "c").at is None
        assert session.get_one(Timed, "d").some == [dt.time(1)]
        first, second = sorted(each.what for each in made.failures())
        assert first.startswith(
            "Timed.at: expected a time of a day, 00:00:00 to 23:59:59.999999, found 90000 seconds;"
        )
        assert second == "Timed.some: expected a list or None, found '[90000 seconds]'"
