"""Fields whose large values are kept in S3, in the files of imports: they are stored as by a save."""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import job_models
from dynattrs import Session, jobs
from dynattrs.s3 import Large
from file_models import Document, Owned
from memory_bucket import MemoryBucket

pytestmark = pytest.mark.threads_only(reason="jobs make sessions of their own")

LONG, SHORT, DATA = "a long text " * 20, "short", bytes(range(200))
FORMATS = ["jsonl", "json", "csv", "parquet"]


@pytest.fixture
def bucket() -> MemoryBucket:
    return MemoryBucket()


@pytest.fixture
def session(
    job_spec: Any, bucket: MemoryBucket, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Session]:
    with Session(
        region_name=job_spec.region_name, endpoint_url=job_spec.endpoint_url,
        table_prefix=job_spec.table_prefix, s3_client=bucket,
    ) as session:  # fmt: skip
        session.tables.create(Document, Owned)
        monkeypatch.setattr(job_models, "current", session, raising=False)
        yield session


def write_file(folder: Path, kind: str, rows: list[dict[str, Any]], name: str) -> Path:
    """A file of rows. In columns, a value that may be in S3 is JSON text."""
    file = folder / f"{name}.{kind}"
    in_s3 = ("body", "data")
    texts = [
        {k: json.dumps(v) if k in in_s3 and v is not None else v for k, v in row.items()}
        for row in rows
    ]
    if kind == "jsonl":
        file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    elif kind == "json":
        file.write_text(json.dumps(rows))
    elif kind == "csv":
        with file.open("w", newline="") as out:
            writer = csv.DictWriter(out, [*rows[0]])
            writer.writeheader()
            writer.writerows(texts)
    else:
        arrow = pytest.importorskip("pyarrow", reason="pip install 'dynattrs[arrow]'")
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(arrow.Table.from_pylist(texts), file)
    return file


def imported(tmp_path: Path, cls: type, file: Path, name: str = "in", **options: Any) -> Any:
    spec = jobs.SessionSpec(make="job_models:current_session")
    place = jobs.in_folder(tmp_path / "jobs")
    job = jobs.Job(name, models=[cls], session=spec, checkpoints=place)
    done = job.import_(file, executor="threads", **options)
    return done, [each.what for each in job.failures()]


@pytest.mark.parametrize("overwrite", ["always", "absent"])
@pytest.mark.parametrize("kind", FORMATS)
def test_large_values_of_a_file_are_stored_as_a_save_stores_them(
    session: Session, bucket: MemoryBucket, tmp_path: Path, kind: str, overwrite: Any
) -> None:
    rows = [
        {"id": "long", "body": LONG, "data": base64.b64encode(DATA).decode()},
        {"id": "short", "body": SHORT, "data": base64.b64encode(b"\0\1").decode()},
        {"id": "none", "body": None, "data": None},
    ]
    file = write_file(tmp_path, kind, rows, "Document")

    done, failures = imported(tmp_path, Document, file, overwrite=overwrite)

    assert (done.counts, failures) == ({"written": 3}, [])
    found = {item["id"]["S"]: item for item in session.scan(Document).raw()}
    objects = {**bucket.objects}
    assert len(objects) == 2
    session.save(Document("long", Large(LONG), Large(DATA)))
    session.save(Document("short", Large(SHORT), Large(b"\0\1")))
    session.save(Document("none"))
    assert found == {item["id"]["S"]: item for item in session.scan(Document).raw()}
    assert bucket.objects == objects
    document = session.get_one(Document, "long")
    assert session.fetch(document.body) == LONG
    assert session.fetch(document.data) == DATA


@pytest.mark.parametrize("kind", FORMATS)
def test_large_values_beside_guards_are_stored_and_unchanged_the_next_time(
    session: Session, bucket: MemoryBucket, tmp_path: Path, kind: str
) -> None:
    rows = [{"id": str(n), "owner": f"{n}@example.com", "body": f"{n}{LONG}"} for n in range(3)]
    file = write_file(tmp_path, kind, rows, "Owned")

    assert imported(tmp_path, Owned, file)[0].counts == {"written": 3}
    assert all(session.fetch(each.body) == f"{each.id}{LONG}" for each in session.scan(Owned))
    assert len(bucket.objects) == 3
    again, failures = imported(tmp_path, Owned, file, "again", overwrite="absent")
    assert (again.counts, failures) == ({"unchanged": 3}, [])


def test_equal_large_values_under_one_key_are_one(
    session: Session, bucket: MemoryBucket, tmp_path: Path
) -> None:
    rows = [{"id": "a", "body": LONG}, {"id": "a", "body": LONG}, {"id": "a", "body": LONG + "!"}]
    same, other = rows[:2], rows[1:]

    done, failures = imported(tmp_path, Document, write_file(tmp_path, "jsonl", same, "same"))
    assert (done.counts, failures) == ({"unchanged": 1, "written": 1}, [])
    file = write_file(tmp_path, "jsonl", other, "other")
    done, failures = imported(tmp_path, Document, file, "other")
    assert done.counts == {"replaced": 1, "written": 1}
    assert [each.partition(":")[0] for each in failures] == ["RepeatedKey"]


def test_a_column_of_something_else_than_text_is_the_rows_failure(
    session: Session, tmp_path: Path
) -> None:
    """It was a recursion without an end, which ended the segment."""
    arrow = pytest.importorskip("pyarrow", reason="pip install 'dynattrs[arrow]'")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table({"id": ["a"], "data": [b"bytes"]}), tmp_path / "a.parquet")

    done, failures = imported(tmp_path, Document, tmp_path / "a.parquet")

    assert (done.counts, done.state) == ({}, "finished")
    assert failures == [
        "Document.data: expected bytes in a Large as JSON text, found bytes b'bytes'"
    ]
