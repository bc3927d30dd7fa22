"""Keys that come twice in what an import or a copy writes: which item is stored, and what is told."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

import copied_models
import job_models
from dynattrs import jobs
from job_models import Person, Thing

pytestmark = pytest.mark.threads_only(reason="jobs make sessions of their own")

Row = Mapping[str, Any]

#: "b" comes twice as it is, "a" three times.
ROWS = [("a", 1), ("b", 5), ("a", 2), ("b", 5), ("c", 1), ("a", 3)]


def stored_form(rows: Sequence[tuple[str, int]]) -> list[Row]:
    return [{"Item": {"id": {"S": key}, "n": {"N": str(n)}}} for key, n in rows]


def write_file(folder: Path, kind: str) -> Path:
    """A file of `ROWS`; its name says the format and the model."""
    plain = [{"id": key, "n": n} for key, n in ROWS]
    suffix = {
        "plain lines": "jsonl",
        "plain json": "json",
        "stored lines": "jsonl",
        "stored json": "json",
    }
    file = folder / f"Thing.{suffix.get(kind, kind)}"
    if kind == "parquet":
        arrow = pytest.importorskip("pyarrow", reason="pip install 'dynattrs[arrow]'")
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(arrow.Table.from_pylist(plain), file)
    elif kind == "csv":
        with file.open("w", newline="") as out:
            writer = csv.DictWriter(out, ["id", "n"])
            writer.writeheader()
            writer.writerows(plain)
    else:
        rows = stored_form(ROWS) if kind.startswith("stored") else plain
        lines = kind.endswith("lines")
        file.write_text(
            "".join(f"{json.dumps(row)}\n" for row in rows) if lines else json.dumps(rows)
        )
    return file


def imported(spec: Any, tmp_path: Path, file: Path, **options: Any) -> tuple[Any, list[Any]]:
    models = options.pop("models", [Thing])
    place = jobs.in_folder(tmp_path / "jobs")
    job = jobs.Job("in", models=models, session=spec, checkpoints=place)
    return job.import_(file, executor="threads", **options), sorted(
        job.failures(), key=lambda each: str(each.where)
    )


FORMATS = ["plain lines", "plain json", "stored lines", "stored json", "csv", "parquet"]


@pytest.mark.parametrize("kind", FORMATS)
def test_of_lines_with_one_key_the_last_is_stored_and_the_others_are_told(
    job_session: Any, job_spec: Any, tmp_path: Path, kind: str
) -> None:
    file = write_file(tmp_path, kind)
    first = 2 if kind == "csv" else 1  # its header is a line

    done, failures = imported(job_spec, tmp_path, file)

    assert {each.id: each.n for each in job_session.scan(Thing)} == {"a": 3, "b": 5, "c": 1}
    assert done.counts == {"replaced": 2, "unchanged": 1, "written": 3}
    assert done.scanned == sum(done.counts.values())
    assert [each.where for each in failures] == [f"{file}:{first}", f"{file}:{first + 2}"]
    assert {(each.what, str(each.key)) for each in failures} == {
        (
            f"RepeatedKey: {file}:{first + 5} has the same key, comes later, and is stored",
            "{'id': {'S': 'a'}}",
        )
    }
    assert done.failures == 2


@pytest.mark.parametrize("kind", FORMATS)
def test_where_an_item_is_to_be_absent_the_first_line_stays(
    job_session: Any, job_spec: Any, tmp_path: Path, kind: str
) -> None:
    done, failures = imported(job_spec, tmp_path, write_file(tmp_path, kind), overwrite="absent")

    assert {each.id: each.n for each in job_session.scan(Thing)} == {"a": 1, "b": 5, "c": 1}
    assert done.counts == {"skipped": 2, "unchanged": 1, "written": 3}
    assert failures == []


def test_keys_are_one_as_the_service_compares_them(
    job_session: Any, job_spec: Any, tmp_path: Path
) -> None:
    """Also those of items with guards, which go by requests of their own."""
    file = tmp_path / "people.jsonl"
    people = [("1", "a@example.com"), ("2", "b@example.com"), ("1", "c@example.com")]
    file.write_text(
        "".join(f"{json.dumps({'id': key, 'email': email})}\n" for key, email in people)
    )

    done, failures = imported(job_spec, tmp_path, file, models=[Person])

    assert done.counts == {"replaced": 1, "written": 2}
    assert [each.where for each in failures] == [f"{file}:1"]
    assert {each.id: each.email for each in job_session.scan(Person)} == {
        "1": "c@example.com",
        "2": "b@example.com",
    }


def test_a_copy_whose_transform_makes_one_key_of_two_says_so(
    job_session: Any, job_spec: Any, tmp_path: Path
) -> None:
    job_session.save_all(Thing(key, n) for n, key in enumerate(("a", "A", "b")))
    there = attrs.evolve(job_spec, table_prefix=f"{job_spec.table_prefix}copy-")
    place = jobs.in_folder(tmp_path / "jobs")
    job = jobs.Job("copy", models=[Thing], session=job_spec, checkpoints=place, segments=1)
    with there.session() as other:
        other.tables.create(job_models.things)

        done = job.copy(there, transform=copied_models.lower_keys, executor="threads")

        assert done.counts == {"replaced": 1, "written": 2}
        [failure] = job.failures()
        assert failure.what == (
            "RepeatedKey: transform has made another item with the key {'id': {'S': 'a'}}, which is stored"
        )
        left = {"a": 0, "A": 1}.keys() - {failure.key["id"]["S"]}
        assert {each.id: each.n for each in other.scan(Thing)} == {
            "a": {"a": 0, "A": 1}[left.pop()],
            "b": 2,
        }
