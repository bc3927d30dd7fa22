"""Exports, imports and bulk puts between tables and files in S3: begun and listed here. `transfers` follows
them.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3forDynamoDB.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/BulkPutItems.Requesting.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, Generic, Literal, TypeVar

from dynattrs.deferral import deferred
from dynattrs.errors import InvalidRequest, ModelError, NoSuchTable, ServiceError
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Flow, verb, written_as
from dynattrs.operations.refusals import PASSING
from dynattrs.operations.tables.backups import declared_name, real_name, restorable_window
from dynattrs.operations.tables.declared import Subject, merged
from dynattrs.operations.tables.looking import described, pauses
from dynattrs.operations.tables.transfer_reports import (
    BulkPutReport,
    Compression,
    ExportReport,
    FileFormat,
    Images,
    ImportReport,
    Reported,
    Tier,
    bulk_put_report,
    export_report,
    import_report,
)
from dynattrs.operations.tables.transfers import described_transfer
from dynattrs.quoting import quoted
from dynattrs.schema.messages import Message

if TYPE_CHECKING:
    from dynattrs.operations.tables import transfer_requests
else:
    transfer_requests = deferred("dynattrs.operations.tables.transfer_requests")

_ARN: Final = "arn:"

#: What follows exports, imports and bulk puts: for threads, or for asyncio.
Exporting = TypeVar("Exporting")
Importing = TypeVar("Importing")
Putting = TypeVar("Putting")


@written_as("session.tables")
class TransferVerbs(Generic[Exporting, Importing, Putting]):
    """Exports, imports and bulk puts, which the service runs between tables and files in S3."""

    _core: Core

    def _exporting(self, report: ExportReport) -> Exporting:
        raise NotImplementedError

    def _importing(self, report: ImportReport) -> Importing:
        raise NotImplementedError

    def _putting(self, report: BulkPutReport) -> Putting:
        raise NotImplementedError

    # --- Exports ---

    @verb
    def export_to_s3(
        self,
        subject: Subject | str,
        to: str,
        *,
        at: datetime | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        images: Images | None = None,
        where: bool | Sequence[bool] | None = None,
        fields: Sequence[object] = (),
        format: Literal["json", "ion"] = "json",
        owner: str | None = None,
        encryption: str | None = None,
        token: str | None = None,
    ) -> Flow[Exporting]:
        """Export a table to S3, as it was at one instant, or its changes between two instants. The service
        does it; it uses no capacity, and the table needs `point_in_time_recovery`.

        All items of the table are exported, of every model, unless you give *where*. A job's `import_` can
        read the files. It sends a DescribeTable, for the ARN, and an ExportTableToPointInTime.

        Args:
            subject: A model, a `Table`, the declared name of a table, or an ARN.
            to: The bucket and prefix: `"s3://bucket/prefix"`. The service creates its own folder there.
            at: The instant of a full export, an aware datetime, exact to the second; None for now.
            since: The start of an incremental export, which has the items changed or deleted since then,
                each in its latest state. An export covers 15 minutes to 24 hours of changes.
            until: The end of an incremental export, not included; None for the latest possible instant.
            images: For each changed item, its `"new"` image or `"new and old"`, the default.
            where: Conditions on fields of the model; in an incremental export they apply to the latest
                image. An equality on the partition key reads that partition alone; other conditions are a
                filter, and you pay for all that is read. Items of other models that match are exported too.
            fields: The fields to export besides the key: `[Person.name]`; by default all.
            format: `"json"`, which is gzipped DynamoDB JSON, or `"ion"`, for other programs.
            owner: The account that owns the bucket, if it is not yours.
            encryption: How the files are encrypted: `"s3"` for keys of S3, `"managed"` for the account's AWS
                managed KMS key, or a KMS key; None for the bucket's default.
            token: Your own idempotency token. For 8 hours, the same call with the same token, from any
                process, begins only one export. Without it, a generated token covers lost replies.

        Raises:
            ModelError: The arguments contradict each other.
            QueryError: The conditions cannot be true for any item, or are about another model.
            NoSuchTable: The table does not exist.
            InvalidRequest: The table has no point-in-time recovery, or cannot be restored to that instant.
            ServiceError: The service refuses the request, for example because of the bucket, or too many at
                a time.
        """
        asked = transfer_requests.export_parameters(
            "session.tables.export_to_s3", subject, to, at=at, since=since, until=until,
            images=images, where=where, fields=fields, format=format, owner=owner,
            encryption=encryption,
        )  # fmt: skip
        token = transfer_requests.token_of("session.tables.export_to_s3", token)
        arn, name = yield from _table_arn(self._core, subject)
        asked["TableArn"] = arn
        try:
            response = yield from _begun(self._core, "export_table_to_point_in_time", asked, token)
        except NoSuchTable as error:
            error.table = name
            raise
        except ServiceError as error:
            problem = yield from _export_problem(error, name)
            if problem is None:
                raise
            raise InvalidRequest(error.operation, error.code, problem, name) from error
        return self._exporting(export_report(response["ExportDescription"]))

    @verb
    def describe_export(self, arn: str) -> Flow[Exporting]:
        """Return an existing export by its ARN: one DescribeExport.

        Raises:
            ServiceError: The service knows none with this ARN.
        """
        return self._exporting(
            (yield from described_transfer(ExportReport, _checked("export", arn)))
        )

    @verb
    def exports(self, subject: Subject | str | None = None) -> Flow[tuple[ExportReport, ...]]:
        """Return the exports of the last 90 days, of one table or of all: their ARNs, kinds and states.

        It sends one ListExports for each page, and a DescribeTable if you name a table.

        Args:
            subject: A model, a `Table`, the declared name of a table, or an ARN.
        """
        pages = yield from self._listed(subject, "list_exports", "ExportSummaries", {})
        return tuple(map(export_report, pages))

    # --- Imports ---

    @verb
    def import_from_s3(
        self,
        subject: Subject | Iterable[Subject],
        source: str,
        *,
        format: FileFormat = "json",
        compression: Compression | None = None,
        delimiter: str | None = None,
        header: Iterable[str] | None = None,
        owner: str | None = None,
        token: str | None = None,
    ) -> Flow[Importing]:
        """Create a table from files in S3, as declared: its key, global and vector indexes, billing and
        encryption. The service does it, and it uses no write capacity.

        When it is completed, `session.tables.update(model, destructive=True)` sets up the rest: the time to
        live, stream, tags, point-in-time recovery and so on. It sends one ImportTable.

        Args:
            subject: A model or a `Table`, or several models of one table.
            source: The bucket, and the prefix of the files' keys: `"s3://bucket/prefix"`.
            format: `"json"`, DynamoDB JSON with one `{"Item": {…}}` a line, as in exports; `"csv"`, where
                all attributes except keys become text; or `"ion"`.
            compression: `"gzip"`, as in an export's files, `"zstd"`, or None.
            delimiter: The character between values in CSV: `,` (the default), `;`, `:`, `|`, a tab or a
                space.
            header: The attribute names of the CSV columns, in order; by default, the first line of each file
                has them.
            owner: The account that owns the bucket, if it is not yours.
            token: Your own idempotency token, as in `export_to_s3`.

        Raises:
            ModelError: The arguments contradict each other, the models are in several tables, or the table
                has local indexes, which an import cannot create.
            InvalidRequest: A table with that name already exists.
            ServiceError: The service refuses the request, for example because of the bucket, or too many at
                a time.
        """
        where = "session.tables.import_from_s3"
        several = tuple(subject) if isinstance(subject, Iterable) else (subject,)
        tables = merged(self._core, several)
        if len(tables) > 1:
            raise ModelError(
                where, f"an import makes one table, and these are {', '.join(map(repr, tables))}"
            )
        [(name, table)] = tables.items()
        asked = transfer_requests.import_parameters(
            where, table, name, source, format=format, compression=compression,
            delimiter=delimiter, header=header, owner=owner,
        )  # fmt: skip
        token = transfer_requests.token_of(where, token) or self._core.environment.token()
        try:
            response = yield from _begun(self._core, "import_table", asked, token)
        except ServiceError as error:
            if error.code != "ResourceInUseException":
                raise
            found = yield from _own_import(name, token)
            if found is None:
                raise InvalidRequest(
                    error.operation,
                    error.code,
                    f"{error.message}; an import makes its table, but {name!r} exists already: write into "
                    f"it with bulk_put or a job's import, or delete it first",
                    name,
                ) from error
            return self._importing(found)
        return self._importing(import_report(response["ImportTableDescription"]))

    @verb
    def describe_import(self, arn: str) -> Flow[Importing]:
        """Return an existing import by its ARN: one DescribeImport.

        Raises:
            ServiceError: The service knows none with this ARN.
        """
        return self._importing(
            (yield from described_transfer(ImportReport, _checked("import", arn)))
        )

    @verb
    def imports(self, subject: Subject | str | None = None) -> Flow[tuple[ImportReport, ...]]:
        """Return the imports of the last 90 days, of one table or of all: their ARNs, states, sources and
        times.

        It sends one ListImports for each page, and a DescribeTable if you name a table.

        Args:
            subject: A model, a `Table`, the declared name of a table, or an ARN.
        """
        pages = yield from self._listed(subject, "list_imports", "ImportSummaryList", {})
        return tuple(map(import_report, pages))

    # --- Bulk puts ---

    @verb
    def bulk_put(
        self,
        subject: Subject | str,
        source: str,
        *,
        reports_to: str,
        reports: Reported | Iterable[Reported] = ("errors", "conditions"),
        format: Literal["json", "ion"] = "json",
        compression: Compression | None = None,
        most_write_units: int | None = None,
        tier: Tier = "standard",
        owner: str | None = None,
        reports_owner: str | None = None,
        encryption: str | None = None,
        token: str | None = None,
    ) -> Flow[Putting]:
        """Write items from files in S3 into an existing table. The service does it: it replaces items with
        the same key, and ignores the versions, guards and conditions of models. It sends one
        StartBulkPutItems.

        It needs boto3 1.44.8.

        Args:
            subject: A model, a `Table`, the declared name of a table, or an ARN.
            source: The bucket, and the prefix of the files' keys: `"s3://bucket/prefix"`. Do not change the
                files until it has ended.
            reports_to: The bucket and prefix for the reports on items that were not written.
            reports: The items to report: `"errors"` for those that cannot be read or written, `"conditions"`
                for those whose condition in the file was false.
            format: `"json"`, DynamoDB JSON with one `{"Item": {…}}` a line, as in exports; or `"ion"`.
            compression: `"gzip"`, as in an export's files, `"zstd"`, or None.
            most_write_units: The most write units a second, at least 1,024; None for no maximum.
            tier: `"standard"` or `"accelerated"`.
            owner: The account that owns the source's bucket, if it is not yours.
            reports_owner: The account that owns the reports' bucket, if it is not yours.
            encryption: How the reports are encrypted, as in `export_to_s3`.
            token: Your own idempotency token, as in `export_to_s3`.

        Raises:
            ModelError: The arguments are invalid.
            ConfigurationError: botocore is too old.
            NoSuchTable: The table does not exist.
            ServiceError: The service refuses the request: the table is being changed or is a global table,
                or there are too many at a time.
        """
        asked = transfer_requests.bulk_put_parameters(
            "session.tables.bulk_put", source, reports_to, reports=reports, format=format,
            compression=compression, most_write_units=most_write_units, tier=tier, owner=owner,
            reports_owner=reports_owner, encryption=encryption,
        )  # fmt: skip
        token = transfer_requests.token_of("session.tables.bulk_put", token)
        arn = isinstance(subject, str) and subject.startswith(_ARN)
        asked["TableName"] = subject if arn else real_name(self._core, subject)
        response = yield from _begun(self._core, "start_bulk_put_items", asked, token)
        return self._putting(bulk_put_report(response["BulkOperationDescription"]))

    @verb
    def describe_bulk_put(self, arn: str) -> Flow[Putting]:
        """Return an existing bulk put by its ARN: one DescribeBulkOperation.

        Raises:
            ConfigurationError: botocore is too old.
            ServiceError: The service knows none with this ARN.
        """
        found = yield from described_transfer(BulkPutReport, _checked("bulk put", arn))
        return self._putting(found)

    @verb
    def bulk_puts(self) -> Flow[tuple[BulkPutReport, ...]]:
        """Return the bulk puts of the last 90 days in the account and region, the latest first: their ARNs,
        states and times.

        The service does not list their tables. It sends one ListBulkOperations for each page.

        Raises:
            ConfigurationError: botocore is too old.
        """
        pages = yield from _all_pages("list_bulk_operations", "BulkOperationsSummaryList", {})
        return tuple(map(bulk_put_report, pages))

    def _listed(
        self, subject: Subject | str | None, operation: str, member: str, asked: Message
    ) -> Flow[list[Message]]:
        if subject is not None:
            arn, _ = yield from _table_arn(self._core, subject)
            asked = {**asked, "TableArn": arn}
        found = yield from _all_pages(operation, member, asked)
        if subject is not None:
            return found
        return [each for each in found if _is_ours(self._core, each)]


def _checked(what: str, arn: object) -> str:
    if not isinstance(arn, str) or not arn.startswith(_ARN):
        raise ModelError("session.tables", f"{quoted(arn)}: the ARN of a {what} is expected")
    return arn


def _is_ours(core: Core, summary: Message) -> bool:
    report = export_report(summary) if "ExportArn" in summary else import_report(summary)
    return report.table is None or declared_name(core, report.table) is not None


def _all_pages(operation: str, member: str, asked: Message) -> Flow[list[Message]]:
    found: list[Message] = []
    start: Message = {}
    while True:
        page = yield Call(operation, {**asked, **start})
        found += page.get(member, ())
        if not page.get("NextToken"):
            return found
        start = {"NextToken": page["NextToken"]}


def _table_arn(core: Core, subject: Subject | str) -> Flow[tuple[str, str]]:
    """The ARN of a table, and its real name."""
    if isinstance(subject, str) and subject.startswith(_ARN):
        return subject, subject.rpartition("/")[2]
    name = real_name(core, subject)
    response = yield Call("describe_table", {"TableName": name})
    return str(described(response)["TableArn"]), name


def _begun(core: Core, operation: str, asked: Message, token: str | None) -> Flow[Message]:
    """Begin one. Where an answer is lost it is asked again, by the same token, which begins no second one."""
    call = Call(operation, {**asked, "ClientToken": token or core.environment.token()})
    began = core.environment.monotonic()
    for pause in pauses():
        try:
            response: Message = yield call
        except PASSING:
            if core.environment.monotonic() - began >= core.deadline.total_seconds():
                raise
        else:
            return response
        yield pause
    raise AssertionError("pauses never end")


def _export_problem(error: ServiceError, name: str) -> Flow[str | None]:
    """What to do about a table that cannot be exported, where there is something."""
    if error.code == "PointInTimeRecoveryUnavailableException":
        return (
            f"{error.message}; an export is made of it: declare the table with "
            f"point_in_time_recovery=True and call session.tables.update(...), which begins it now"
        )
    if error.code != "InvalidExportTimeException":
        return None
    window = yield from restorable_window(name)
    said = "at no instant" if window is None else f"from {window[0]} to {window[1]}"
    return f"{error.message}; it can be exported {said}"


def _own_import(name: str, token: str) -> Flow[ImportReport | None]:
    """The import that has made a table, if it was begun with this token: its answer was lost."""
    try:
        table = yield Call("describe_table", {"TableName": name})
        arn = described(table)["TableArn"]
        for each in (yield from _all_pages("list_imports", "ImportSummaryList", {"TableArn": arn})):
            report = yield from described_transfer(ImportReport, str(each["ImportArn"]))
            if report.token == token:
                return report
    except ServiceError:
        pass  # what was refused first says what is wrong
    return None
