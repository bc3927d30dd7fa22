"""Tables: what a declaration takes, and what comes of backups and of the account."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from songs import Song
from typing_extensions import assert_type

from dynattrs import (
    Backup,
    BulkPut,
    BulkPutReport,
    ExportReport,
    GlobalIndex,
    ImportReport,
    KinesisStream,
    Limits,
    OnDemand,
    Replica,
    Replicas,
    Session,
    Table,
    Transfer,
    WarmThroughput,
)

Table(
    "music",
    partition_key="artist",
    indexes=[
        GlobalIndex(
            "by-year",
            partition_key="year",
            warm_throughput=WarmThroughput(read=1),
            contributor_insights="throttled",
        )
    ],
    warm_throughput=WarmThroughput(read=20_000, write=5_000),
    tags={"team": "shop", "old": None},
    encryption="managed",
    resource_policy={"Statement": []},
    replicas=["eu-west-1", Replica("us-east-1", max_read=5)],
    contributor_insights=True,
    kinesis="arn:aws:kinesis:eu-west-1:111111111111:stream/music",
)
Table("a", partition_key="b", resource_policy=False, replicas=False, kinesis=False)
Table("a", partition_key="b", kinesis=KinesisStream("arn:…", precision="microsecond"))
Table("a", partition_key="b", replicas=Replicas(["us-east-1"], consistency="strong", witness="…"))
Table("a", partition_key="b", contributor_insights="all")  # type: ignore[arg-type]
Table("a", partition_key="b", warm_throughput=7)  # type: ignore[arg-type]
Table("a", partition_key="b", tags=["team"])  # type: ignore[arg-type]
Table("a", partition_key="b", replicas=[7])  # type: ignore[list-item]
Table("a", partition_key="b", encryption=True)  # type: ignore[arg-type]
Replicas(["us-east-1"], consistency="some")  # type: ignore[arg-type]
KinesisStream("arn:…", precision="second")  # type: ignore[arg-type]
WarmThroughput(1, 2)  # type: ignore[call-arg]


def works(session: Session, music: Table, backup: Backup) -> None:
    assert_type(session.tables.list(), list[str])
    assert_type(session.tables.limits(), Limits)
    assert_type(session.tables.backup(Song, "before", timeout=timedelta(hours=1)), Backup)
    assert_type(session.tables.backups(Song, since=datetime.now(timezone.utc)), tuple[Backup, ...])
    assert_type(session.tables.restore(backup, "music-2", billing=OnDemand()), None)
    assert_type(session.tables.restore_to("latest", Song, music, indexes=False), None)
    assert_type(session.tables.restorable("music"), tuple[datetime, datetime] | None)
    session.tables.restore_to("now", Song, "music-2")  # type: ignore[arg-type]
    session.tables.backups(Song, kind="mine")  # type: ignore[arg-type]
    session.tables.restore(7, "music-2")  # type: ignore[arg-type]


def transfers(session: Session, music: Table) -> None:
    tables, noon = session.tables, datetime.now(timezone.utc)
    export = tables.export_to_s3(
        Song, "s3://b/p", at=noon, where=Song.plays > 3, fields=[Song.year]
    )
    assert_type(export, Transfer[ExportReport])
    assert_type(export.wait(progress=lambda report: report.items), ExportReport)
    assert_type(export.report.manifest, str | None)
    tables.export_to_s3(music, "s3://b", since=noon, images="new and old", owner="111111111111")
    assert_type(tables.exports(Song), tuple[ExportReport, ...])
    assert_type(tables.describe_export(export.arn), Transfer[ExportReport])
    made = tables.import_from_s3((Song, music), "s3://b", format="csv", header=["artist", "title"])
    assert_type(made, Transfer[ImportReport])
    assert_type(made.refresh().imported, int | None)
    assert_type(tables.imports(), tuple[ImportReport, ...])
    put = tables.bulk_put("music", "s3://b", reports_to="s3://r", reports="errors", tier="standard")
    assert_type(put, BulkPut)
    assert_type(put.cancel(timeout=timedelta(1)), BulkPutReport)
    assert_type(tables.bulk_puts(), tuple[BulkPutReport, ...])
    tables.export_to_s3(Song, "s3://b", format="csv")  # type: ignore[arg-type]
    tables.export_to_s3(Song, "s3://b", at="now")  # type: ignore[arg-type]
    tables.import_from_s3("music", "s3://b")  # type: ignore[arg-type]
    tables.bulk_put(Song, "s3://b")  # type: ignore[call-arg]
    export.cancel()  # type: ignore[attr-defined]
