"""Folders of S3, with objects really there."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from dynattrs import Table
from dynattrs.jobs.files import s3_folder
from dynattrs.jobs.files.errors import FilesError, NoFile
from dynattrs.jobs.files.inputs import find_inputs
from dynattrs.jobs.files.manifests import write_manifest
from dynattrs.jobs.files.named_places import place_of
from dynattrs.jobs.files.output import Output
from dynattrs.jobs.files.reading import Files
from dynattrs.jobs.files.s3_options import S3Options
from dynattrs.jobs.work import FileEntry, Limits
from service_exports import service_export


@pytest.fixture
def s3(aws: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client; its bucket is called bucket. Folders find the same service as a program would tell them."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": aws,
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    s3_folder.client_of.cache_clear()
    client = boto3.session.Session().client("s3")  # the default one keeps what keys it saw first
    client.create_bucket(Bucket="bucket")
    yield client
    for page in client.get_paginator("list_objects_v2").paginate(Bucket="bucket"):
        for each in page.get("Contents", ()):
            client.delete_object(Bucket="bucket", Key=each["Key"])
    client.close()
    s3_folder.client_of.cache_clear()


def test_an_object_appears_when_it_has_ended(s3: Any) -> None:
    folder = place_of("s3://bucket/people")
    folder.check(writing=True)
    small, large, gone = (folder.new_file(name) for name in ("small", "large", "gone"))
    content = bytes(range(256)) * (s3_folder.PART // 100)
    small.write(b"a")
    small.write(b"b")
    for start in range(0, len(content), 1_000_000):
        large.write(content[start : start + 1_000_000])
    gone.write(content)
    assert len(content) > 2 * s3_folder.PART

    assert [*folder.files()] == []
    small.end()
    large.end()
    gone.abandon()

    assert {each.name: each.size for each in folder.files()} == {"small": 2, "large": len(content)}
    assert s3.get_object(Bucket="bucket", Key="people/large")["Body"].read() == content
    with folder.open("large") as file:
        assert file.read() == content
    with folder.open("large", 5_000_000) as file:
        assert file.read(10) == content[5_000_000:5_000_010]
        assert next(iter(io.BytesIO(b"x"))) == b"x"
    with folder.open("small", 2) as file:
        assert file.read() == b""
    small.abandon()
    assert [each.name for each in folder.files()] == ["large"]


def test_an_object_is_never_written_over(s3: Any) -> None:
    folder = place_of("s3://bucket/people/")
    file = folder.new_file("x")
    file.write(b"mine")
    s3.put_object(Bucket="bucket", Key="people/x", Body=b"theirs")

    with pytest.raises(
        FilesError,
        match="s3://bucket/people/x: the object already exists; write to another folder, or delete it first",
    ):
        file.end()
    with pytest.raises(
        FilesError, match="the object already exists; write to another folder, or delete it first"
    ):
        folder.new_file("x")

    assert s3.get_object(Bucket="bucket", Key="people/x")["Body"].read() == b"theirs"


def test_an_upload_whose_reply_was_lost_has_ended(s3: Any) -> None:
    """botocore sends it again, and finds its own object."""
    folder = place_of("s3://bucket/people/")
    file = folder.new_file("x")
    file.write(b"mine")
    s3.put_object(Bucket="bucket", Key="people/x", Body=b"mine")

    file.end()

    assert [each.name for each in folder.files()] == ["x"]


def test_uploads_that_were_left_are_removed(s3: Any) -> None:
    folder = place_of("s3://bucket/people/")
    left = folder.new_file("job-1")
    left.write(b"x" * (s3_folder.PART + 1))
    other = folder.new_file("other")
    other.write(b"x" * (s3_folder.PART + 1))

    assert folder.delete_partial("job-") == 1

    [kept] = s3.list_multipart_uploads(Bucket="bucket")["Uploads"]
    assert kept["Key"] == "people/other"
    other.abandon()
    assert not s3.list_multipart_uploads(Bucket="bucket").get("Uploads")


@pytest.mark.parametrize("count", [15, pytest.param(1005, marks=pytest.mark.full)])
def test_objects_are_found_by_patterns(s3: Any, count: int) -> None:
    """Also where there are more than a page of the service's holds."""
    for number in range(count):
        s3.put_object(Bucket="bucket", Key=f"many/{number:04}.jsonl", Body=b"")
    s3.put_object(Bucket="bucket", Key="many/deep/a.jsonl", Body=b"")
    folder = place_of("s3://bucket/many")

    assert len([*folder.files("*.jsonl")]) == count
    assert len([*folder.files("**/*.jsonl")]) == count + 1
    assert [each.name for each in folder.files("000[0-2].*")] == [f"000{n}.jsonl" for n in range(3)]
    assert len(find_inputs(["s3://bucket/many/001[0-4].jsonl"], None, None).parts) == 5


def test_what_cannot_be_reached_says_why(s3: Any) -> None:
    with pytest.raises(NoFile, match="s3://missing/x/: the bucket does not exist; make it first"):
        place_of("s3://missing/x").check(writing=True)
    with pytest.raises(NoFile, match="s3://bucket/x: the object does not exist"):
        place_of("s3://bucket").open("x")
    assert place_of("s3://bucket").find("x") is None
    nowhere = S3Options(endpoint_url="http://127.0.0.1:9", region_name="us-east-1")
    with pytest.raises(FilesError, match="check the AWS configuration"):
        place_of("s3://bucket", nowhere).check(writing=False)
    with pytest.raises(FilesError, match="profile"):
        place_of("s3://bucket", S3Options(profile_name="none")).check(writing=False)


@pytest.mark.parametrize("what", ["s3://bucket/in", "s3://bucket/in/", "s3://bucket/in/*.jsonl"])
def test_files_of_a_prefix_are_read_in_slices(s3: Any, what: str) -> None:
    items = [{"id": {"S": str(number)}} for number in range(30)]
    text = "".join(f"{json.dumps({'Item': each})}\n" for each in items).encode()
    output = Output(place_of("s3://bucket/in"), "a.jsonl", None)
    output.write(text)
    checksum = output.end()
    if "*" not in what:
        s3.put_object(Bucket="bucket", Key="in/lost.jsonl", Body=text)
        entry = FileEntry("a.jsonl", 30, len(text), checksum)
        write_manifest(place_of("s3://bucket/in"), "j.manifest.json", {"format": "jsonl"}, [entry])
    digest = find_inputs([what], None, S3Options()).digest
    files = Files((what,), None, S3Options(), digest, (Table("things", partition_key="id"),))

    found: list[Any] = []
    position = None
    while True:
        for page in files.pages(None, 0, 1, position, Limits(7)):  # type: ignore[arg-type]
            found += page.items
            position = page.position
        if position is None:
            break

    assert found == items


@pytest.mark.parametrize("kind", ["FULL_EXPORT", "INCREMENTAL_EXPORT"])
@pytest.mark.parametrize("prefix", ["", "copies/of it/"])
def test_an_export_of_the_service_is_found_in_its_bucket(
    s3: Any, tmp_path: Path, kind: str, prefix: str
) -> None:
    """Also where it was copied to another prefix."""
    own = service_export(tmp_path, kind, [{"Item": {"id": {"S": "1"}}}])
    for path in tmp_path.rglob("*"):
        if path.is_file():
            key = f"{prefix}{path.relative_to(tmp_path).as_posix()}"
            s3.put_object(Bucket="bucket", Key=key, Body=path.read_bytes())

    found = find_inputs([f"s3://bucket/{prefix}{own.relative_to(tmp_path).as_posix()}"], None, None)

    assert [each.items for each in found.parts] == [1, 0]
    assert found.kind == ("full" if kind == "FULL_EXPORT" else "incremental")
    with found.parts[0].place.open(found.parts[0].name) as file:
        assert b"Item" in gzip.decompress(file.read())
