"""What the service does itself: tables exported to S3 and made of files there, over ministack's S3 with
objects in it; and by Stubber what no engine does: botocore checks what is asked.
"""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
import json
import logging
import secrets
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import attrs
import boto3
import pytest
from botocore.stub import ANY, Stubber

from dynattrs import (
    ConditionError,
    ConfigurationError,
    ExportReport,
    GlobalIndex,
    ImportReport,
    InvalidRequest,
    LocalIndex,
    ModelError,
    NoSuchTable,
    Provisioned,
    QueryError,
    ServiceError,
    Session,
    Table,
    TransferFailed,
    TransferUnfinished,
    begins_with,
    field,
    in_,
    jobs,
    model,
    partition_key,
    path,
    sort_key,
)
from dynattrs.jobs.files import s3_folder
from dynattrs.testing import faults, lost_reply
from service_exports import service_export

KEY = "arn:aws:kms:us-east-1:111111111111:key/12345678-1234-1234-1234-123456789012"
NOON = datetime(2026, 1, 2, 12, tzinfo=timezone.utc)
NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 - which is what is refused
ARN = "arn:aws:dynamodb:us-east-1:111111111111:table/dev-moved-people"


people = Table(
    # Other models of the table would be left out by filters.
    "moved-people",
    partition_key="id",
    indexes=[
        GlobalIndex("by-country", partition_key="country", billing=Provisioned(read=2, write=2))
    ],
    billing=Provisioned(read=5, write=2),
)


@model(people)
class Person:
    id: str
    country: str = "NO"
    age: int = 0
    photo: bytes = b""


@model("events")
class Event:
    source: str = partition_key()
    number: int = sort_key()
    text: str = field(name="t", default="")


zoo = Table("zoo", partition_key="pk", sort_key="sk", discriminator="kind")


@model(zoo, pk="OWNER#{name}", sk="OWNER")
class Owner:
    name: str


@model(zoo, pk="OWNER#{owner}", sk="PET#{name}")
class Pet:
    owner: str
    name: str
    legs: int = 4


def item(number: int) -> dict[str, Any]:
    return {"id": {"S": str(number)}, "country": {"S": "NO"}, "age": {"N": str(number)}}


def lines(*items: dict[str, Any]) -> bytes:
    """DynamoDB JSON, as an export has it."""
    return "".join(json.dumps({"Item": each}) + "\n" for each in items).encode()


# --- Over an engine with S3 -----------------------------------------------------------------------


@attrs.frozen
class Account:
    """An account with a bucket in it, and a session."""

    session: Any
    s3: Any
    bucket: str

    def put(self, key: str, content: bytes) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=content)

    def place(self, prefix: str) -> str:
        return f"s3://{self.bucket}/{prefix}"

    def keys(self) -> list[str]:
        found = self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", ())
        return [each["Key"] for each in found]


@pytest.fixture
def account(aws_arguments: dict[str, str]) -> Iterator[Account]:
    s3 = boto3.client("s3", **aws_arguments)
    bucket = f"files-{secrets.token_hex(8)}"  # the names of all accounts' buckets are one space
    s3.create_bucket(Bucket=bucket)
    client = boto3.client("dynamodb", **aws_arguments)
    with Session(client=client, table_prefix="dev-") as session:
        yield Account(session, s3, bucket)
    client.close()
    s3.close()


def test_a_table_is_made_of_files_as_it_is_declared(account: Account):
    account.put("in/1.json.gz", gzip.compress(lines(*map(item, range(30)))))
    account.put("in/2.json.gz", gzip.compress(lines(*map(item, range(30, 50)))))
    account.put("other.json.gz", b"of another import")
    tables, told = account.session.tables, []

    begun = tables.import_from_s3(Person, account.place("in/"), compression="gzip")
    report = begun.wait(progress=told.append)

    assert isinstance(report, ImportReport)
    assert (report.status, report.processed, report.imported, report.errors) == (
        "COMPLETED", 50, 50, 0,
    )  # fmt: skip
    assert (report.table, report.source) == ("dev-moved-people", account.place("in/"))
    assert (report.format, report.compression) == ("json", "gzip")
    assert report.started <= report.ended
    assert told[-1] == report == begun.report
    assert len({each.status for each in told}) == len(told)
    assert tables.diff(Person) == []
    assert sorted(each.age for each in account.session.scan(Person)) == [*range(50)]
    found = account.session.query(Person).where(Person.country == "NO").count()
    assert found == 50


def test_imports_are_listed_and_found_again_by_their_arns(account: Account):
    account.put("in/1.json", lines(item(1)))
    tables = account.session.tables

    begun = tables.import_from_s3(Person, account.place("in"), token="mine")
    begun.wait()

    assert [each.arn for each in tables.imports()] == [begun.arn]
    assert [each.arn for each in tables.imports("moved-people")] == [begun.arn]
    again = tables.describe_import(begun.arn)
    assert (again.report, again.refresh()) == (begun.report, begun.report)
    assert again.report.token == "mine"
    with pytest.raises(ServiceError, match="ImportNotFoundException"):
        tables.describe_import(begun.arn + "0")
    with pytest.raises(NoSuchTable):
        tables.imports("missing")


def test_an_items_error_fails_an_import_and_is_counted(account: Account):
    account.put("in/1.json", lines(item(1), {"country": {"S": "NO"}}) + b"no JSON\n")
    begun = account.session.tables.import_from_s3(Person, account.place("in/"))

    with pytest.raises(
        TransferFailed, match=r"ItemValidationError.*1 items of 3.*2 refused"
    ) as caught:
        begun.wait()

    report = caught.value.report
    assert (report.status, report.imported, report.errors) == ("FAILED", 1, 2)
    assert report.failure_code == "ItemValidationError"
    assert "aws-dynamodb/imports" in str(caught.value)
    assert account.session.get_one(Person, "1").age == 1


def test_a_bucket_that_is_not_there_fails_an_import(account: Account):
    begun = account.session.tables.import_from_s3(Event, "s3://missing/in/")

    with pytest.raises(TransferFailed, match=r"events.*FAILED.*NoSuchBucket"):
        begun.wait()


def test_csv_becomes_items_whose_keys_have_their_types(account: Account):
    text = io.StringIO()
    csv.writer(text, delimiter=";").writerows([["a", 1, "one"], ["a", 2, "two; and more"]])
    account.put("in.csv", text.getvalue().encode())

    account.session.tables.import_from_s3(
        Event,
        account.place("in.csv"),
        format="csv",
        delimiter=";",
        header=["source", "number", "t"],
    ).wait()

    found = account.session.query(Event).where(Event.source == "a").all()
    assert found == [Event("a", 1, "one"), Event("a", 2, "two; and more")]


def test_an_import_into_a_table_that_is_there_is_refused(account: Account):
    account.put("in.json", lines(item(1)))
    account.session.tables.create(Person)

    with pytest.raises(InvalidRequest, match=r"'dev-moved-people' exists already.*bulk_put"):
        account.session.tables.import_from_s3(Person, account.place("in.json"))

    assert account.session.tables.imports() == ()


def test_the_same_token_begins_one_import(account: Account):
    account.put("in.json", lines(item(1)))
    tables = account.session.tables

    one = tables.import_from_s3(Person, account.place("in.json"), token="nightly")
    one.wait()
    two = tables.import_from_s3(Person, account.place("in.json"), token="nightly")

    assert (two.arn, two.wait()) == (one.arn, one.report)


@pytest.mark.threads_only(reason="a lost answer is the same under asyncio")
@pytest.mark.parametrize("lost", [1, 4])
def test_a_lost_answer_begins_no_second_import(account: Account, lost: int):
    account.put("in.json", lines(item(1)))
    session = account.session

    with faults(session, lost_reply("ImportTable", times=lost)):
        begun = session.tables.import_from_s3(Person, account.place("in.json"))

    assert begun.wait().imported == 1
    assert len(session.tables.imports()) == 1


@pytest.mark.threads_only(reason="a lost answer is the same under asyncio")
def test_a_lost_answer_begins_no_second_export(account: Account):
    session = account.session
    session.tables.create(Event)

    with faults(session, lost_reply("ExportTableToPointInTime", times=4)):
        begun = session.tables.export_to_s3(Event, account.place("out"))

    assert [each.arn for each in session.tables.exports(Event)] == [begun.arn]


def test_an_export_is_begun_followed_and_listed(account: Account):
    """The engine writes no files, and says of every export that it is completed."""
    session = account.session
    session.tables.create(Event)
    session.save_all(Event(str(number), number) for number in range(20))
    told: list[ExportReport] = []

    begun = session.tables.export_to_s3(
        Event, account.place("out/"), at=NOON, owner="111111111111", encryption=KEY
    )
    assert begun.report.status == "IN_PROGRESS"
    report = begun.wait(progress=told.append)

    assert isinstance(report, ExportReport)
    assert (report.status, report.items, report.kind) == ("COMPLETED", 20, "full")
    assert (report.at, report.to, report.owner) == (NOON, account.place("out"), "111111111111")
    assert report.manifest.startswith(account.place("out/AWSDynamoDB/"))
    assert report.manifest.endswith("/manifest-summary.json")
    assert told[-1] == report
    assert account.keys() == []
    listed = session.tables.exports()
    assert [(each.arn, each.status, each.kind) for each in listed] == [
        (begun.arn, "COMPLETED", "full")
    ]
    assert session.tables.exports(report.arn.partition("/export/")[0]) == listed
    assert session.tables.describe_export(begun.arn).report == report
    with pytest.raises(NoSuchTable):
        session.tables.export_to_s3("missing", account.place("out"))
    with pytest.raises(ServiceError, match="ExportNotFoundException"):
        session.tables.describe_export(begun.arn + "0")


@pytest.fixture
def s3_of_jobs(aws_arguments: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """S3 as the processes of a job find it. Its clients are kept for each process."""
    for name in ("aws_access_key_id", "aws_secret_access_key"):
        monkeypatch.setenv(name.upper(), aws_arguments[name])
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", aws_arguments["endpoint_url"])
    s3_folder.client_of.cache_clear()
    yield
    s3_folder.client_of.cache_clear()


@pytest.mark.threads_only(reason="a job has sessions of its own")
def test_what_an_export_says_is_what_jobs_and_imports_read(
    account: Account, aws_arguments: dict[str, str], s3_of_jobs: None, tmp_path: Path
):
    """The files, which the engine does not write, are put where the export says."""
    session = account.session
    session.tables.create(Person)
    spec = jobs.SessionSpec(
        endpoint_url=aws_arguments["endpoint_url"], region_name="us-east-1", table_prefix="dev-"
    )

    def exported(kind: str, lines: list[Any], since: datetime | None) -> str:
        begun = session.tables.export_to_s3(Person, account.place("out"), since=since)
        manifest: str = begun.wait().manifest
        written = service_export(tmp_path / kind, kind, lines)
        for file in filter(Path.is_file, (tmp_path / kind).rglob("*")):
            name = file.relative_to(tmp_path / kind).as_posix()
            key = name.replace(written.name, manifest.split("/")[-2])
            account.put(f"out/{key}", file.read_bytes())
        place = jobs.in_folder(tmp_path / "jobs")
        job = jobs.Job(kind, models=[Person], session=spec, checkpoints=place)
        job.import_(manifest, executor="threads")
        return manifest

    manifest = exported("FULL_EXPORT", [{"Item": item(number)} for number in range(9)], None)
    assert sorted(each.age for each in session.scan(Person)) == [*range(9)]
    data = manifest.replace("manifest-summary.json", "data/")
    copied = Table("copied", partition_key="id")
    session.tables.import_from_s3(copied, data, compression="gzip").wait()
    assert session.client.scan(TableName="dev-copied")["Count"] == 9

    changed = {"Keys": {"id": {"S": "1"}}, "NewImage": item(1) | {"age": {"N": "100"}}}
    deleted = {"Keys": {"id": {"S": "2"}}, "OldImage": item(2)}
    exported("INCREMENTAL_EXPORT", [changed, deleted], NOON)
    assert sorted(each.age for each in session.scan(Person)) == [0, *range(3, 9), 100]


def test_of_other_prefixes_nothing_is_listed(account: Account):
    account.session.tables.create(Event)
    account.session.tables.export_to_s3(Event, account.place("out"))

    with Session(client=account.session.client, table_prefix="others-") as others:
        assert others.tables.exports() == ()


@pytest.mark.threads_only(reason="it is of asyncio")
def test_awaiting_a_handle_waits_and_may_be_cancelled(aws_arguments: dict[str, str]):
    aio = pytest.importorskip("dynattrs.aio", reason="pip install 'dynattrs[aio]'")
    get_session = pytest.importorskip("aiobotocore.session").get_session
    told: list[ExportReport] = []

    async def go() -> None:
        async with get_session().create_client("dynamodb", **aws_arguments) as client:
            async with aio.AsyncSession(client=client) as session:
                await session.tables.create(Event)
                export = await session.tables.export_to_s3(Event, "s3://files")
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(export.wait(progress=told.append), 0.02)
                assert (await export).status == "COMPLETED"
                assert await export == export.report == await export.wait()
                again = await session.tables.describe_export(export.arn)
                assert await again == export.report

    asyncio.run(go())
    assert [each.status for each in told] == ["IN_PROGRESS"]


# --- What cannot be meant -------------------------------------------------------------------------


REFUSED: list[Callable[[Any], object]] = [
    lambda tables: tables.export_to_s3(Person, "bucket/prefix"),
    lambda tables: tables.export_to_s3(Person, "s3:///prefix"),
    lambda tables: tables.export_to_s3(Person, "s3://b"),
    lambda tables: tables.export_to_s3(Person, 7),
    lambda tables: tables.export_to_s3(Person, "s3://files/" + "x" * 1025),
    lambda tables: tables.export_to_s3(Person, "s3://files", at=NAIVE),
    lambda tables: tables.export_to_s3(Person, "s3://files", at="now"),
    lambda tables: tables.export_to_s3(Person, "s3://files", at=NOON, since=NOON),
    lambda tables: tables.export_to_s3(Person, "s3://files", until=NOON),
    lambda tables: tables.export_to_s3(Person, "s3://files", images="new"),
    lambda tables: tables.export_to_s3(Person, "s3://files", since=NOON, images="old"),
    lambda tables: tables.export_to_s3(Person, "s3://files", since=NOON, until=NOON),
    lambda tables: tables.export_to_s3(Person, "s3://files", format="csv"),
    lambda tables: tables.export_to_s3(Person, "s3://files", owner="me"),
    lambda tables: tables.export_to_s3(Person, "s3://files", owner=111111111111),
    lambda tables: tables.export_to_s3(Person, "s3://files", encryption=""),
    lambda tables: tables.export_to_s3(Person, "s3://files", token="$"),
    lambda tables: tables.export_to_s3("moved-people", "s3://files", where=Person.age > 3),
    lambda tables: tables.export_to_s3(zoo, "s3://files", fields=[Owner.name]),
    lambda tables: tables.export_to_s3(Person, "s3://files", where=True),
    lambda tables: tables.export_to_s3(Person, "s3://files", where=Event.text == "a"),
    lambda tables: tables.export_to_s3(Person, "s3://files", where=in_(Person.age, [])),
    lambda tables: tables.export_to_s3(Person, "s3://files", fields=["age"]),
    lambda tables: tables.export_to_s3(Person, "s3://files", fields=[Event.text]),
    lambda tables: tables.import_from_s3(Person, "files"),
    lambda tables: tables.import_from_s3((), "s3://files"),
    lambda tables: tables.import_from_s3((Person, Event), "s3://files"),
    lambda tables: tables.import_from_s3(Person, "s3://files", format="parquet"),
    lambda tables: tables.import_from_s3(Person, "s3://files", compression="bz2"),
    lambda tables: tables.import_from_s3(Person, "s3://files", delimiter=";"),
    lambda tables: tables.import_from_s3(Person, "s3://files", format="csv", delimiter="/"),
    lambda tables: tables.import_from_s3(Person, "s3://files", format="csv", delimiter=""),
    lambda tables: tables.import_from_s3(Person, "s3://files", format="csv", header=[]),
    lambda tables: tables.import_from_s3(Person, "s3://files", format="csv", header="id"),
    lambda tables: tables.import_from_s3(Person, "s3://files", format="csv", header=["a", "a"]),
    lambda tables: tables.bulk_put(Person, "s3://files", reports_to="reports"),
    lambda tables: tables.bulk_put(Person, "s3://files", reports_to="s3://reports", reports=[]),
    lambda tables: tables.bulk_put(Person, "s3://files", reports_to="s3://reports", reports="all"),
    lambda tables: tables.bulk_put(Person, "s3://files", reports_to="s3://reports", format="csv"),
    lambda tables: tables.bulk_put(Person, "s3://files", reports_to="s3://reports", tier="fast"),
    lambda tables: tables.bulk_put(
        Person, "s3://files", reports_to="s3://reports", most_write_units=10
    ),
    lambda tables: tables.describe_export("moved-people"),
    lambda tables: tables.describe_import(7),
    lambda tables: tables.describe_bulk_put(""),
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_what_cannot_be_meant_is_refused_before_anything_is_asked(stubbed: Any, number: int):
    session, _ = stubbed

    with pytest.raises((ModelError, QueryError, ConditionError)):
        REFUSED[number](session.tables)

    assert session.stats.total == 0


@pytest.mark.threads_only(reason="it is refused before anything is asked")
def test_a_table_with_local_indexes_is_not_imported(stubbed: Any):
    session, _ = stubbed
    table = Table(
        "logs", partition_key="a", sort_key="b", indexes=[LocalIndex("by-c", sort_key="c")]
    )

    with pytest.raises(
        ModelError, match=r"local indexes .'by-c'.*create the table first, then use bulk_put"
    ):
        session.tables.import_from_s3(table, "s3://files")


# --- By the service's model -----------------------------------------------------------------------


@pytest.fixture
def stubbed() -> Iterator[tuple[Any, Stubber]]:
    client = boto3.client(
        "dynamodb", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    with Stubber(client) as stubber, Session(client=client, table_prefix="dev-") as session:
        yield session, stubber
        stubber.assert_no_pending_responses()
    client.close()


def knows(operation: str, member: str = "") -> bool:
    """Whether botocore's model of the service has an operation, and a member of what is asked."""
    client = boto3.client("dynamodb", region_name="us-east-1")
    found = client.meta.service_model
    client.close()
    return operation in found.operation_names and (
        not member or member in found.operation_model(operation).input_shape.members
    )


def needs(operation: str, member: str = "") -> pytest.MarkDecorator:
    return pytest.mark.skipif(not knows(operation, member), reason="botocore is older")


def add_table(stubber: Stubber) -> None:
    table = {"TableName": "dev-moved-people", "TableArn": ARN}
    stubber.add_response("describe_table", {"Table": table}, {"TableName": ANY})


def export_reply(**said: Any) -> dict[str, Any]:
    return {
        "ExportDescription": {
            "ExportArn": f"{ARN}/export/01234-ab", "ExportStatus": "IN_PROGRESS", "TableArn": ARN, **said,
        }
    }  # fmt: skip


def asked_to_export(**said: Any) -> dict[str, Any]:
    return {
        "TableArn": ARN, "S3Bucket": "files", "ExportFormat": "DYNAMODB_JSON", "ClientToken": ANY,
        "ExportType": "FULL_EXPORT", **said,
    }  # fmt: skip


threads_only = pytest.mark.threads_only(reason="a stubber is of boto3's client")


@threads_only
def test_an_incremental_export_says_from_when_to_when(stubbed: Any):
    session, stubber = stubbed
    period = {
        "ExportFromTime": NOON,
        "ExportToTime": NOON + timedelta(hours=1),
        "ExportViewType": "NEW_IMAGE",
    }
    add_table(stubber)
    stubber.add_response(
        "export_table_to_point_in_time",
        export_reply(ExportType="INCREMENTAL_EXPORT", IncrementalExportSpecification=period),
        asked_to_export(
            ExportType="INCREMENTAL_EXPORT",
            IncrementalExportSpecification=period,
            S3SseAlgorithm="AES256",
            ExportFormat="ION",
            S3Prefix="a/b",
        ),
    )

    begun = session.tables.export_to_s3(
        Person, "s3://files/a/b/", since=NOON, until=NOON + timedelta(hours=1), images="new",
        encryption="s3", format="ion",
    )  # fmt: skip

    report = begun.report
    assert (report.kind, report.since, report.until, report.images) == (
        "incremental", NOON, NOON + timedelta(hours=1), "new",
    )  # fmt: skip


FILTERS: list[tuple[type, Any, Any, dict[str, Any]]] = [
    (
        Person,
        Person.age > 3,
        (),
        {
            "FilterExpression": "#0 > :0",
            "ExpressionAttributeNames": {"#0": "age"},
            "ExpressionAttributeValues": {":0": {"N": "3"}},
        },
    ),
    (
        Event,
        (Event.source == "a", Event.number >= 2, Event.text != "x"),
        (),
        {
            "KeyConditionExpression": "#0 = :0 AND #1 >= :1",
            "FilterExpression": "#2 <> :2",
            "ExpressionAttributeNames": {"#0": "source", "#1": "number", "#2": "t"},
            "ExpressionAttributeValues": {":0": {"S": "a"}, ":1": {"N": "2"}, ":2": {"S": "x"}},
        },
    ),
    # An index is not exported by: what binds its key is a filter.
    (
        Person,
        [Person.country == "NO", Person.photo == b"\xff"],
        (),
        {
            "FilterExpression": "#0 = :0 AND #1 = :1",
            "ExpressionAttributeNames": {"#0": "country", "#1": "photo"},
            "ExpressionAttributeValues": {":0": {"S": "NO"}, ":1": {"B": b"\xff"}},
        },
    ),
    # Several partitions are more than one key condition says.
    (
        Person,
        in_(Person.id, ["a", "b"]),
        (),
        {
            "FilterExpression": "#0 IN (:0, :1)",
            "ExpressionAttributeNames": {"#0": "id"},
            "ExpressionAttributeValues": {":0": {"S": "a"}, ":1": {"S": "b"}},
        },
    ),
    (
        Event,
        None,
        [Event.text],
        {
            "ProjectionExpression": "#0, #1, #2",
            "ExpressionAttributeNames": {"#0": "source", "#1": "number", "#2": "t"},
        },
    ),
    (
        Pet,
        (Pet.owner == "ann", begins_with(Pet.name, "R")),
        [path(Pet.legs)],
        {
            "KeyConditionExpression": "#0 = :0 AND begins_with(#1, :1)",
            "ProjectionExpression": "#0, #1, #2, #3",
            "ExpressionAttributeNames": {"#0": "pk", "#1": "sk", "#2": "kind", "#3": "legs"},
            "ExpressionAttributeValues": {":0": {"S": "OWNER#ann"}, ":1": {"S": "PET#R"}},
        },
    ),
]


@threads_only
@needs("ExportTableToPointInTime", "FilterSpecification")
@pytest.mark.parametrize(("subject", "where", "fields", "asked"), FILTERS)
def test_conditions_become_a_key_condition_or_a_filter(
    stubbed: Any, subject: Any, where: Any, fields: Any, asked: dict[str, Any]
):
    session, stubber = stubbed
    add_table(stubber)
    parameters = asked_to_export(FilterSpecification=asked)
    stubber.add_response(
        "export_table_to_point_in_time", export_reply(FilterSpecification=asked), parameters
    )

    begun = session.tables.export_to_s3(subject, "s3://files", where=where, fields=fields)

    assert begun.report.filter == asked


@threads_only
def test_a_condition_that_nothing_fulfils_exports_nothing(stubbed: Any):
    session, _ = stubbed

    with pytest.raises(QueryError, match="contradict each other; so there is nothing to export"):
        session.tables.export_to_s3(
            Event, "s3://files", where=(Event.source == "a", Event.number > 3, Event.number < 2)
        )


@threads_only
def test_an_export_without_recovery_says_how_to_get_it(stubbed: Any):
    session, stubber = stubbed
    add_table(stubber)
    code = "PointInTimeRecoveryUnavailableException"
    stubber.add_client_error("export_table_to_point_in_time", code, "it is off")

    with pytest.raises(
        InvalidRequest,
        match=r"dev-moved-people.*it is off; .* point_in_time_recovery=True and call session.tables.update",
    ):
        session.tables.export_to_s3(Person, "s3://files")


@threads_only
def test_an_instant_that_is_none_says_which_there_are(stubbed: Any):
    session, stubber = stubbed
    stubber.add_client_error(
        "export_table_to_point_in_time", "InvalidExportTimeException", "not then"
    )
    recovery = {
        "PointInTimeRecoveryStatus": "ENABLED",
        "EarliestRestorableDateTime": NOON - timedelta(days=1),
        "LatestRestorableDateTime": NOON,
    }
    description = {"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": recovery}
    stubber.add_response(
        "describe_continuous_backups", {"ContinuousBackupsDescription": description}
    )

    with pytest.raises(InvalidRequest, match=r"from 2026-01-01 12.* to 2026-01-02 12"):
        session.tables.export_to_s3(ARN, "s3://files", at=NOON + timedelta(days=1))


@threads_only
def test_waiting_tells_and_has_an_end(stubbed: Any, caplog: pytest.LogCaptureFixture):
    session, stubber = stubbed
    stubber.add_response("export_table_to_point_in_time", export_reply())
    begun = session.tables.export_to_s3(ARN, "s3://files")
    arn = {"ExportArn": begun.arn}
    for _ in range(2):
        stubber.add_response("describe_export", export_reply(), arn)

    told: list[Any] = []
    with caplog.at_level(logging.INFO, "dynattrs"):
        with pytest.raises(
            TransferUnfinished, match=r"export IN_PROGRESS.*wait.. waits for it again"
        ):
            begun.wait(progress=told.append, timeout=timedelta(milliseconds=50))

    assert [each.status for each in told] == ["IN_PROGRESS"]
    assert "table dev-moved-people: export IN_PROGRESS" in caplog.text
    ended = export_reply(ExportStatus="FAILED", FailureCode="S3AccessDenied", FailureMessage="no")
    stubber.add_response("describe_export", ended, arn)
    with pytest.raises(TransferFailed, match="has ended as FAILED: S3AccessDenied: no"):
        begun.wait()
    with pytest.raises(TransferFailed):  # and nothing is asked for what is known
        begun.wait()


@threads_only
def test_passing_faults_are_waited_out(stubbed: Any):
    session, stubber = stubbed
    stubber.add_response("export_table_to_point_in_time", export_reply())
    begun = session.tables.export_to_s3(ARN, "s3://files")
    for code in ("InternalServerError", "ThrottlingException"):
        stubber.add_client_error("describe_export", code, http_status_code=500)
    stubber.add_response("describe_export", export_reply(ExportStatus="COMPLETED", ItemCount=3))

    assert begun.wait().items == 3


@threads_only
def test_what_stops_passing_ends_the_waiting(aws_free_client: Any):
    with Session(client=aws_free_client, deadline=timedelta(0)) as session:
        with Stubber(aws_free_client) as stubber:
            stubber.add_response("export_table_to_point_in_time", export_reply())
            begun = session.tables.export_to_s3(ARN, "s3://files")
            stubber.add_client_error("describe_export", "ThrottlingException")

            with pytest.raises(ServiceError, match="ThrottlingException"):
                begun.wait()


@pytest.fixture
def aws_free_client() -> Iterator[Any]:
    client = boto3.client(
        "dynamodb", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    yield client
    client.close()


# --- Bulk puts, of which botocore has known since 1.44.8 ------------------------------------------

bulk = needs("StartBulkPutItems")
BULK = "arn:aws:dynamodb:us-east-1:111111111111:bulk-operation/01234-ab"


def bulk_reply(**said: Any) -> dict[str, Any]:
    found = {
        "BulkOperationArn": BULK, "BulkOperationStatus": "IN_PROGRESS",
        "TableDetails": [{"TableName": "dev-moved-people"}], **said,
    }  # fmt: skip
    return {"BulkOperationDescription": found}


def add_start(stubber: Stubber) -> None:
    stubber.add_response("start_bulk_put_items", bulk_reply())


@threads_only
@pytest.mark.skipif(knows("StartBulkPutItems"), reason="botocore has bulk puts")
def test_an_old_botocore_says_which_one_has_bulk_puts(stubbed: Any):
    session, _ = stubbed

    for ask in (
        lambda: session.tables.bulk_put(Person, "s3://files", reports_to="s3://reports"),
        lambda: session.tables.describe_bulk_put(BULK),
        session.tables.bulk_puts,
    ):
        with pytest.raises(ConfigurationError, match=r"too old.*install boto3 1.44.8 or newer"):
            ask()


@threads_only
@pytest.mark.skipif(
    knows("ExportTableToPointInTime", "FilterSpecification"), reason="botocore has filters"
)
def test_an_old_botocore_says_which_one_has_filters(stubbed: Any):
    session, stubber = stubbed
    add_table(stubber)
    stubber.add_response("export_table_to_point_in_time", export_reply())

    with pytest.raises(ConfigurationError, match=r"FilterSpecification.*boto3 1.43.106 or newer"):
        session.tables.export_to_s3(Person, "s3://files", where=Person.age > 3)
    stubber._queue.clear()


@threads_only
@bulk
def test_a_bulk_put_is_asked_for_with_all_that_it_takes(stubbed: Any):
    session, stubber = stubbed
    asked = {
        "ClientToken": "mine",
        "TableName": "dev-moved-people",
        "InputS3Configuration": {
            "S3Bucket": "files", "S3KeyPrefix": "in/", "S3BucketOwner": "111111111111",
            "InputFormat": "ION", "InputCompressionType": "ZSTD",
        },
        "OutputS3Configuration": {
            "S3Bucket": "reports", "S3KeyPrefix": "x", "S3BucketOwner": "222222222222",
            "S3SseAlgorithm": "KMS", "S3SseKmsKeyId": KEY, "OutputType": ["ERROR"],
        },
        "MaxWriteRequestUnits": 2048,
        "PerformanceTier": "ACCELERATED",
    }  # fmt: skip
    said = {name: asked[name] for name in asked if name != "TableName"}
    stubber.add_response("start_bulk_put_items", bulk_reply(**said), asked)

    begun = session.tables.bulk_put(
        Person, "s3://files/in/", reports_to="s3://reports/x", reports="errors", format="ion",
        compression="zstd", most_write_units=2048, tier="accelerated", owner="111111111111",
        reports_owner="222222222222", encryption=KEY, token="mine",
    )  # fmt: skip

    report = begun.report
    assert (report.table, report.source, report.reports_to) == (
        "dev-moved-people", "s3://files/in/", "s3://reports/x",
    )  # fmt: skip
    assert (report.format, report.compression, report.tier) == ("ion", "zstd", "accelerated")
    assert (report.reports, report.most_write_units, report.token) == (("errors",), 2048, "mine")
    assert (report.owner, report.fraction, report.done) == ("111111111111", None, False)


@threads_only
@bulk
def test_a_bulk_put_is_followed_to_its_end(stubbed: Any):
    session, stubber = stubbed
    plain = {
        "TableName": "dev-moved-people", "ClientToken": ANY, "PerformanceTier": "STANDARD",
        "InputS3Configuration": {
            "S3Bucket": "files", "InputFormat": "DYNAMODB_JSON", "InputCompressionType": "NONE",
        },
        "OutputS3Configuration": {
            "S3Bucket": "reports", "OutputType": ["ERROR", "CONDITION_CHECK_FAILURE"],
        },
    }  # fmt: skip
    stubber.add_response("start_bulk_put_items", bulk_reply(), plain)
    begun = session.tables.bulk_put(Person, "s3://files", reports_to="s3://reports")
    arn = {"BulkOperationArn": BULK}
    half = bulk_reply(ProcessedItemCount=500, ProcessedInputBytes=50, TotalInputBytes=200)
    stubber.add_response("describe_bulk_operation", half, arn)
    usage = {
        "TableName": "dev-moved-people", "Table": {"BulkPutBytes": 900},
        "GlobalSecondaryIndexes": {"by-country": {"BulkPutBytes": 90}},
        "LocalSecondaryIndexes": {"by-age": {"BulkPutBytes": 9}},
        "VectorIndexes": {"by-face": {"BulkPutVectorBytes": 1}},
    }  # fmt: skip
    whole = bulk_reply(
        BulkOperationStatus="COMPLETED", ProcessedItemCount=2000, ProcessedInputBytes=200,
        TotalInputBytes=200, FailedItemCount=0, BulkOperationUsage=[usage],
    )  # fmt: skip
    stubber.add_response("describe_bulk_operation", whole, arn)
    told: list[Any] = []

    report = begun.wait(progress=told.append)

    assert [each.fraction for each in told] == [0.25, 1.0]
    assert str(told[0]) == "dev-moved-people: 500 items read, 25%, IN_PROGRESS"
    assert (report.processed, report.failed) == (2000, 0)
    assert report.written == {None: 900, "by-country": 90, "by-age": 9, "by-face": 1}


@threads_only
@bulk
def test_items_that_a_bulk_put_leaves_out_are_an_error(stubbed: Any):
    session, stubber = stubbed
    output = {"S3Bucket": "reports", "S3KeyPrefix": "x", "OutputType": ["ERROR"]}
    ended = bulk_reply(
        BulkOperationStatus="COMPLETED_WITH_ERRORS", ProcessedItemCount=10, FailedItemCount=2,
        OutputS3Configuration=output,
    )  # fmt: skip
    add_start(stubber)
    stubber.add_response("describe_bulk_operation", ended)
    begun = session.tables.bulk_put(Person, "s3://files", reports_to="s3://reports/x")

    with pytest.raises(
        TransferFailed,
        match="COMPLETED_WITH_ERRORS; 2 items of 10 were not written; s3://reports/x has each",
    ):
        begun.wait()


@threads_only
@bulk
def test_a_bulk_put_is_cancelled(stubbed: Any):
    session, stubber = stubbed
    add_start(stubber)
    begun = session.tables.bulk_put(Person, "s3://files", reports_to="s3://reports")
    arn = {"BulkOperationArn": BULK}
    cancelling = {"BulkOperationArn": BULK, "BulkOperationStatus": "CANCELLING"}
    stubber.add_response("cancel_bulk_operation", cancelling, arn)
    for status in ("CANCELLING", "CANCELLED"):
        reply = bulk_reply(BulkOperationStatus=status, ProcessedItemCount=7)
        stubber.add_response("describe_bulk_operation", reply, arn)

    assert (begun.cancel().status, begun.report.processed) == ("CANCELLED", 7)

    assert begun.cancel().status == "CANCELLED"
    with pytest.raises(TransferFailed, match="has ended as CANCELLED"):
        begun.wait()


@threads_only
@bulk
@pytest.mark.parametrize("status", ["COMPLETED", "CANCELLED", "IN_PROGRESS"])
def test_cancelling_what_has_ended_meanwhile_is_no_error(stubbed: Any, status: str):
    session, stubber = stubbed
    add_start(stubber)
    begun = session.tables.bulk_put(Person, "s3://files", reports_to="s3://reports")
    stubber.add_client_error("cancel_bulk_operation", "ValidationException", "not now")
    stubber.add_response("describe_bulk_operation", bulk_reply(BulkOperationStatus=status))

    if status == "IN_PROGRESS":
        with pytest.raises(InvalidRequest, match="not now"):
            begun.cancel()
    else:
        assert begun.cancel().status == status


@threads_only
@bulk
def test_bulk_puts_are_listed_and_found_by_their_arns(stubbed: Any):
    session, stubber = stubbed
    summary = {"BulkOperationArn": BULK, "BulkOperationStatus": "COMPLETED", "StartTime": NOON}
    page = {"BulkOperationsSummaryList": [summary], "NextToken": "0123456789abcdef"}
    stubber.add_response("list_bulk_operations", page, {})
    more = {"NextToken": "0123456789abcdef"}
    stubber.add_response("list_bulk_operations", {"BulkOperationsSummaryList": [summary]}, more)

    one, two = session.tables.bulk_puts()

    assert one == two
    assert (one.arn, one.status, one.started, one.table) == (BULK, "COMPLETED", NOON, None)
    stubber.add_client_error("describe_bulk_operation", "ResourceNotFoundException", "none")
    with pytest.raises(ServiceError, match="there is no bulk put arn") as caught:
        session.tables.describe_bulk_put(BULK)
    assert not isinstance(caught.value, NoSuchTable)
    stubber.add_response("describe_bulk_operation", bulk_reply())
    assert session.tables.describe_bulk_put(BULK).report.table == "dev-moved-people"
