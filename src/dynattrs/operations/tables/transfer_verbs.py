"""What the service does itself with tables and files in S3: exports, imports and bulk puts are begun and
listed here. `transfers` follows them.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3forDynamoDB.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/BulkPutItems.Requesting.md
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, Generic, Literal, TypeVar

from dynattrs.deferral import deferred
from dynattrs.errors import InvalidRequest, ModelError, NoSuchTable, ServiceError
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Flow, verb
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


class TransferVerbs(Generic[Exporting, Importing, Putting]):
    """What the service does itself with tables and files in S3."""

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
        """Let the service export a table to S3: as it was at one instant, or what has changed in between. It
        costs no capacity, and needs `point_in_time_recovery`.

        All items of the table are exported, of whatever model, unless *where* says otherwise. A job's
        `import_` reads the files. It is a DescribeTable for the ARN, and an ExportTableToPointInTime.

        Args:
            subject: A model, a `Table`, the declared name of a table, or an ARN.
            to: The bucket and prefix: `"s3://bucket/prefix"`. The service makes a folder of its own there.
            at: The instant that a full export is of, aware, to the second; None for now.
            since: From when on, which makes it incremental: the items that were changed or deleted since,
                each as it was last. From 15 minutes to 24 hours of changes.
            until: Before when; None for the latest instant there is.
            images: Of a changed item its `"new"` image or `"new and old"`, which it has without this.
            where: Conditions on fields of the model; of an incremental export they are asked of the last
                image. One partition key makes a key condition, which reads that partition alone; all else
                is a filter, and what is read for it is paid for. Items of other models that fit are
                exported too.
            fields: What is exported of each item besides its key: `[Person.name]`; everything without it.
            format: `"json"`, DynamoDB JSON with gzip, or `"ion"`, which other programs read.
            owner: The account of the bucket, where it is another one's.
            encryption: How the files are encrypted: `"s3"` with keys of S3's, `"managed"` with AWS's key of
                KMS for the account, or a key of KMS; None as the bucket says.
            token: An idempotency token of yours, with which the same call may be made again for 8 hours, in
                another process too; it begins one export. Without it, one of its own covers lost replies.

        Raises:
            ModelError: The arguments contradict each other.
            QueryError: The conditions can be true of no item, or are of another model.
            NoSuchTable: The table does not exist.
            InvalidRequest: The table has no point-in-time recovery, or none at that instant.
            ServiceError: The service refuses it: the bucket, say, or too many at a time.
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
        """An export that there is, by its ARN: one DescribeExport.

        Raises:
            ServiceError: There is none.
        """
        return self._exporting(
            (yield from described_transfer(ExportReport, _checked("export", arn)))
        )

    @verb
    def exports(self, subject: Subject | str | None = None) -> Flow[tuple[ExportReport, ...]]:
        """The exports of the last 90 days, of one table or of all that the session has: their ARNs, kinds and
        states. One ListExports for each page, and with a table a DescribeTable.

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
        """Let the service make a table of files in S3, as it is declared: its key, global and vector indexes,
        billing and encryption. It costs no write capacity.

        When it is completed, `session.tables.update(model, destructive=True)` brings the rest: the time to
        live, stream, tags, point-in-time recovery and so on. One ImportTable.

        Args:
            subject: A model or a `Table`, or several models of one table.
            source: The bucket, and what the keys of the files begin with: `"s3://bucket/prefix"`.
            format: `"json"`, DynamoDB JSON, `{"Item": {…}}` a line, as exports have it; `"csv"`, whose
                attributes become text, but for keys; or `"ion"`.
            compression: `"gzip"` or `"zstd"`, as an export's files are gzip; None for neither.
            delimiter: What stands between values in CSV: `,`, which it is without this, `;`, `:`, `|`, a tab
                or a space.
            header: The attributes that lines of CSV have, in their order; without it, the first line of
                each file names them.
            owner: The account of the bucket, where it is another one's.
            token: An idempotency token of yours, as with `export_to_s3`.

        Raises:
            ModelError: The arguments contradict each other, the models are of several tables, or the table
                has local indexes, of which the service makes none with an import.
            InvalidRequest: There is a table of that name already.
            ServiceError: The service refuses it: the bucket, say, or too many at a time.
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
                    f"{error.message}; an import makes its table, and there is {name!r} already: write into "
                    f"it with bulk_put or a job's import, or delete it first",
                    name,
                ) from error
            return self._importing(found)
        return self._importing(import_report(response["ImportTableDescription"]))

    @verb
    def describe_import(self, arn: str) -> Flow[Importing]:
        """An import that there is, by its ARN: one DescribeImport.

        Raises:
            ServiceError: There is none.
        """
        return self._importing(
            (yield from described_transfer(ImportReport, _checked("import", arn)))
        )

    @verb
    def imports(self, subject: Subject | str | None = None) -> Flow[tuple[ImportReport, ...]]:
        """The imports of the last 90 days, of one table or of all that the session has: their ARNs, states,
        sources and times. One ListImports for each page, and with a table a DescribeTable.

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
        """Let the service write items from files in S3 into a table that there is. It replaces items of the
        same key, and knows nothing of versions, guards and conditions of models. One StartBulkPutItems.

        It needs boto3 1.44.8.

        Args:
            subject: A model, a `Table`, the declared name of a table, or an ARN.
            source: The bucket, and what the keys of the files begin with: `"s3://bucket/prefix"`. The
                files must stay as they are until it has ended.
            reports_to: The bucket and prefix for reports of items that were not written.
            reports: What is reported: `"errors"`, items that cannot be read or written; `"conditions"`,
                those whose condition in the file was false.
            format: `"json"`, DynamoDB JSON, `{"Item": {…}}` a line, as exports have it; or `"ion"`.
            compression: `"gzip"` or `"zstd"`, as an export's files are gzip; None for neither.
            most_write_units: The most write units a second, from 1,024 on; None for no maximum.
            tier: `"standard"` or `"accelerated"`.
            owner: The account of the source's bucket, where it is another one's.
            reports_owner: The account of the reports' bucket, where it is another one's.
            encryption: How the reports are encrypted, as with `export_to_s3`.
            token: An idempotency token of yours, as with `export_to_s3`.

        Raises:
            ModelError: The arguments cannot be meant.
            ConfigurationError: botocore is too old.
            NoSuchTable: The table does not exist.
            ServiceError: The service refuses it: a table that is being changed, a global table, or too many
                at a time.
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
        """A bulk put that there is, by its ARN: one DescribeBulkOperation.

        Raises:
            ConfigurationError: botocore is too old.
            ServiceError: There is none.
        """
        found = yield from described_transfer(BulkPutReport, _checked("bulk put", arn))
        return self._putting(found)

    @verb
    def bulk_puts(self) -> Flow[tuple[BulkPutReport, ...]]:
        """The bulk puts of the last 90 days of the account and region, the latest first: their ARNs, states
        and times. The service does not list their tables. One ListBulkOperations for each page.

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
