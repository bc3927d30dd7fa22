"""The service's reports on exports, imports and bulk puts.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExportDescription.html
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ImportTableDescription.html
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BulkOperationDescription.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any, Final, Literal, TypeAlias

import attrs

from dynattrs.schema.messages import Message

#: What files hold: DynamoDB JSON, an item a line; CSV; or Amazon Ion.
FileFormat: TypeAlias = Literal["json", "csv", "ion"]
Compression: TypeAlias = Literal["gzip", "zstd"]
#: Which images of a changed item an incremental export has.
Images: TypeAlias = Literal["new", "new and old"]
#: What a bulk put reports: items that it could not read or write, and those whose condition was false.
Reported: TypeAlias = Literal["errors", "conditions"]
Tier: TypeAlias = Literal["standard", "accelerated"]

FORMATS: Final[Mapping[FileFormat, str]] = {"json": "DYNAMODB_JSON", "csv": "CSV", "ion": "ION"}
COMPRESSIONS: Final[Mapping[Compression, str]] = {"gzip": "GZIP", "zstd": "ZSTD"}
# The service's model has NEW_IMAGE, where its documentation has NEW_IMAGES.
IMAGES: Final[Mapping[Images, str]] = {"new": "NEW_IMAGE", "new and old": "NEW_AND_OLD_IMAGES"}
REPORTED: Final[Mapping[Reported, str]] = {
    "errors": "ERROR",
    "conditions": "CONDITION_CHECK_FAILURE",
}
TIERS: Final[Mapping[Tier, str]] = {"standard": "STANDARD", "accelerated": "ACCELERATED"}

_UNDER_WAY: Final = frozenset(("IN_PROGRESS", "CANCELLING"))
_SCHEME: Final = "s3://"


@attrs.frozen(kw_only=True)
class TransferReport:
    """The service's report on an export, an import or a bulk put.

    Reports in a list hold less: the rest is None, and `describe_export` and the like fetch it.

    Attributes:
        arn: Its ARN.
        status: `"IN_PROGRESS"`, `"COMPLETED"`, `"FAILED"`; of imports and bulk puts also `"CANCELLING"` and
            `"CANCELLED"`; of bulk puts `"COMPLETED_WITH_ERRORS"`.
        table: The real name of its table, if it is known.
        started: When it began, in UTC.
        ended: When it ended.
        failure_code: The service's code for the failure.
        failure_message: The service's message about the failure.
        token: The idempotency token of the request that began it.
    """

    arn: str
    status: str
    table: str | None = None
    started: datetime | None = None
    ended: datetime | None = None
    failure_code: str | None = None
    failure_message: str | None = None
    token: str | None = None

    @property
    def done(self) -> bool:
        """Whether it has ended, successfully or not."""
        return self.status not in _UNDER_WAY

    @property
    def fraction(self) -> float | None:
        """The part that is done, 0 to 1; None if the service does not report it."""
        return 1.0 if self.status == "COMPLETED" else None

    @property
    def remedy(self) -> str:
        """Where to look when it has failed."""
        return ""

    def _told(self) -> Iterator[str]:
        """How far it is, in some words each."""
        yield from ()

    def __str__(self) -> str:
        """How far it is: `people-dev: 1,200 items read, 12 refused, IN_PROGRESS`."""
        name = self.table or self.arn
        return f"{name}: {', '.join((*self._told(), self.status))}"


@attrs.frozen(kw_only=True)
class ExportReport(TransferReport):
    """The service's report on an export.

    Attributes:
        kind: `"full"` or `"incremental"`.
        at: The instant of a full export.
        since: The start of the changes in an incremental export.
        until: The end of these changes; changes at that instant are not included.
        images: The images it has of a changed item: `"new"` or `"new and old"`.
        to: The bucket and prefix: `"s3://bucket/prefix"`.
        owner: The account of the bucket, if it was given.
        format: `"json"` or `"ion"`.
        items: The number of items, when it is completed.
        bytes: The billed size, in bytes.
        manifest: The place of its summary, which names the files:
            `"s3://bucket/prefix/AWSDynamoDB/…/manifest-summary.json"`.
        filter: The conditions and fields of the export, in the service's form with names and values; None
            if it exports everything.
    """

    kind: Literal["full", "incremental"] = "full"
    at: datetime | None = None
    since: datetime | None = None
    until: datetime | None = None
    images: Images | None = None
    to: str | None = None
    owner: str | None = None
    format: FileFormat | None = None
    items: int | None = None
    bytes: int | None = None
    manifest: str | None = None
    filter: Mapping[str, Any] | None = attrs.field(default=None, repr=False, hash=False)

    def _told(self) -> Iterator[str]:
        if self.items is not None:
            yield f"{self.items:,} items"


@attrs.frozen(kw_only=True)
class ImportReport(TransferReport):
    """The service's report on an import.

    Attributes:
        source: The bucket and prefix of the files.
        owner: The account of the bucket, if it was given.
        format: `"json"`, `"csv"` or `"ion"`.
        compression: `"gzip"`, `"zstd"`, or None.
        processed: The number of items that were read.
        imported: The number of items that were written.
        errors: The number of items that could not be imported. CloudWatch lists each of them, in
            `log_group`.
        bytes: The number of bytes that were read, uncompressed.
        log_group: The ARN of the CloudWatch log group.
    """

    source: str | None = None
    owner: str | None = None
    format: FileFormat | None = None
    compression: Compression | None = None
    processed: int | None = None
    imported: int | None = None
    errors: int | None = None
    bytes: int | None = None
    log_group: str | None = None

    @property
    def remedy(self) -> str:
        """Where to look when it has failed."""
        if not self.errors:
            return ""
        counts = f"{self.imported or 0:,} items of {self.processed or 0:,} were written"
        return f"{counts}, {self.errors:,} refused; the log group {self.log_group} has each of them"

    def _told(self) -> Iterator[str]:
        if self.processed is not None:
            yield f"{self.processed:,} items read"
        if self.imported is not None:
            yield f"{self.imported:,} written"
        if self.errors:
            yield f"{self.errors:,} refused"


@attrs.frozen(kw_only=True)
class BulkPutReport(TransferReport):
    """The service's report on a bulk put.

    Attributes:
        source: The bucket and prefix of the files.
        owner: The account of that bucket, if it was given.
        format: `"json"` or `"ion"`.
        compression: `"gzip"`, `"zstd"`, or None.
        reports_to: The bucket and prefix of the reports.
        reports: The kinds of reports: `"errors"`, `"conditions"`.
        processed: The number of items that were read: written, failed, or with a false condition.
        failed: The number of items that could not be read or written, without those with a false
            condition.
        bytes: The number of bytes that were read.
        total_bytes: The number of bytes to read; None until it is known.
        written: The number of bytes written, by index name; None stands for the table itself.
        most_write_units: The most write units a second; None for no maximum.
        tier: `"standard"` or `"accelerated"`.
    """

    source: str | None = None
    owner: str | None = None
    format: FileFormat | None = None
    compression: Compression | None = None
    reports_to: str | None = None
    reports: tuple[Reported, ...] = ()
    processed: int | None = None
    failed: int | None = None
    bytes: int | None = None
    total_bytes: int | None = None
    written: Mapping[str | None, int] = attrs.field(factory=dict, hash=False)
    most_write_units: int | None = None
    tier: Tier | None = None

    @property
    def remedy(self) -> str:
        """Where to look when it has failed."""
        if not self.failed:
            return ""
        told = f"{self.failed:,} items of {self.processed or 0:,} were not written"
        reported = "errors" in self.reports and self.reports_to is not None
        return f"{told}; {self.reports_to} has each of them" if reported else told

    @property
    def fraction(self) -> float | None:
        """The part of the bytes that is read, 0 to 1; None until the service knows the total."""
        if self.total_bytes and self.bytes is not None:
            return min(1.0, self.bytes / self.total_bytes)
        return 1.0 if self.status.startswith("COMPLETED") else None

    def _told(self) -> Iterator[str]:
        if self.processed is not None:
            yield f"{self.processed:,} items read"
        if self.failed:
            yield f"{self.failed:,} failed"
        if not self.done and self.fraction is not None:
            yield f"{self.fraction:.0%}"


# --- As the service describes them ----------------------------------------------------------------


def export_report(found: Message) -> ExportReport:
    """The report of a description of an export, or of a summary of one."""
    period = found.get("IncrementalExportSpecification", {})
    bucket, prefix, manifest = (
        found.get(name) for name in ("S3Bucket", "S3Prefix", "ExportManifest")
    )
    if manifest and prefix and not manifest.startswith(prefix):
        manifest = f"{prefix}/{manifest}"  # some say it without
    incremental = found.get("ExportType") == "INCREMENTAL_EXPORT"
    return ExportReport(
        **_common(found, "Export"),
        kind="incremental" if incremental else "full",
        at=_utc(found.get("ExportTime")),
        since=_utc(period.get("ExportFromTime")),
        until=_utc(period.get("ExportToTime")),
        images=_named(IMAGES, period.get("ExportViewType")),
        to=_url(bucket, prefix),
        owner=found.get("S3BucketOwner"),
        format=_named(FORMATS, found.get("ExportFormat")),
        items=found.get("ItemCount"),
        bytes=found.get("BilledSizeBytes"),
        manifest=_url(bucket, manifest) if manifest else None,
        filter=found.get("FilterSpecification") or None,
    )


def import_report(found: Message) -> ImportReport:
    """The report of a description of an import, or of a summary of one."""
    source = found.get("S3BucketSource", {})
    return ImportReport(
        **_common(found, "Import"),
        source=_url(source.get("S3Bucket"), source.get("S3KeyPrefix")),
        owner=source.get("S3BucketOwner"),
        format=_named(FORMATS, found.get("InputFormat")),
        compression=_named(COMPRESSIONS, found.get("InputCompressionType")),
        processed=found.get("ProcessedItemCount"),
        imported=found.get("ImportedItemCount"),
        errors=found.get("ErrorCount"),
        bytes=found.get("ProcessedSizeBytes"),
        log_group=found.get("CloudWatchLogGroupArn"),
    )


def bulk_put_report(found: Message) -> BulkPutReport:
    """The report of a description of a bulk operation, or of a summary of one."""
    source = found.get("InputS3Configuration", {})
    output = found.get("OutputS3Configuration", {})
    tables = [each.get("TableName") for each in found.get("TableDetails", ())]
    common = _common(found, "BulkOperation")
    if tables:
        common["table"] = _name_of(tables[0])
    reports = (_named(REPORTED, each) for each in output.get("OutputType", ()))
    return BulkPutReport(
        **common,
        source=_url(source.get("S3Bucket"), source.get("S3KeyPrefix")),
        owner=source.get("S3BucketOwner"),
        format=_named(FORMATS, source.get("InputFormat")),
        compression=_named(COMPRESSIONS, source.get("InputCompressionType")),
        reports_to=_url(output.get("S3Bucket"), output.get("S3KeyPrefix")),
        reports=tuple(filter(None, reports)),
        processed=found.get("ProcessedItemCount"),
        failed=found.get("FailedItemCount"),
        bytes=found.get("ProcessedInputBytes"),
        total_bytes=found.get("TotalInputBytes"),
        written=dict(_written(found.get("BulkOperationUsage", ()))),
        most_write_units=found.get("MaxWriteRequestUnits"),
        tier=_named(TIERS, found.get("PerformanceTier")),
    )


def _written(usage: Any) -> Iterator[tuple[str | None, int]]:
    for each in usage:
        if "Table" in each:
            yield None, each["Table"].get("BulkPutBytes", 0)
        for kind in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
            for name, used in each.get(kind, {}).items():
                yield name, used.get("BulkPutBytes", 0)
        for name, used in each.get("VectorIndexes", {}).items():
            yield name, used.get("BulkPutVectorBytes", 0)


def _common(found: Message, what: str) -> dict[str, Any]:
    arn = str(found[f"{what}Arn"])
    return {
        "arn": arn,
        "status": str(found.get(f"{what}Status", "IN_PROGRESS")),
        "table": _name_of(found.get("TableArn") or arn),
        "started": _utc(found.get("StartTime")),
        "ended": _utc(found.get("EndTime")),
        "failure_code": found.get("FailureCode"),
        "failure_message": found.get("FailureMessage"),
        "token": found.get("ClientToken"),
    }


def _name_of(arn: object) -> str | None:
    """The name of a table, by its ARN, that of something of it, or the name itself."""
    text = str(arn)
    if not text.startswith("arn:"):
        return text
    _, found, rest = text.partition(":table/")
    return rest.partition("/")[0] if found else None


def _named(names: Mapping[Any, str], stored: object) -> Any:
    return next((name for name, written in names.items() if written == stored), None)


def _url(bucket: object, prefix: object) -> str | None:
    if not bucket:
        return None
    return f"{_SCHEME}{bucket}/{prefix}" if prefix else f"{_SCHEME}{bucket}"


def _utc(given: datetime | None) -> datetime | None:
    return None if given is None else given.astimezone(timezone.utc)
