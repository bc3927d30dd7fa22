"""`export --service` and `import --service`: what the service does itself, followed with a bar."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any, Final

import attrs
import click

from dynattrs.errors import InvalidRequest
from dynattrs.operations.tables.errors import TransferFailed
from dynattrs.operations.tables.transfer_reports import (
    BulkPutReport,
    ExportReport,
    ImportReport,
    TransferReport,
)
from dynattrs.session.session import Session
from dynattrs.tools.command.job_options import agreed_at, tables_of
from dynattrs.tools.command.outcomes import FAILED, NONE, OK, note
from dynattrs.tools.command.output import Format, plain, print_json, print_rows
from dynattrs.tools.command.progress_bars import progress_bar
from dynattrs.tools.command.subjects import Subjects

_KINDS: Final[dict[type[TransferReport], str]] = {
    ExportReport: "export",
    ImportReport: "import",
    BulkPutReport: "bulk put",
}
_COLUMNS: Final = ("kind", "table", "status", "started", "ended", "arn")


def export_by_service(
    session: Session, subjects: Subjects, to: str, options: dict[str, Any]
) -> int:
    """Let the service export the tables of what was named, and wait for all of them.

    Args:
        session: A session.
        subjects: What was named.
        to: Where the files go.
        options: As `export_to_s3` has them.
    """
    conditioned = options.get("where") is not None
    wanted: list[Any] = [subjects.only_model()] if conditioned else tables_of(subjects)
    begun = [session.tables.export_to_s3(each, to, **options) for each in wanted]
    for each in begun:
        report = _followed(each, "Exporting")
        note(f"Exported {report}. Its files: {report.manifest}")
    return OK


def import_by_service(
    session: Session,
    subjects: Subjects,
    source: str,
    options: dict[str, Any],
    *,
    yes: bool,
    dry_run: bool,
) -> int:
    """Let the service make the table of what was named of files, and wait for it.

    Args:
        session: A session.
        subjects: What was named: all of one table.
        source: Where the files are.
        options: As `import_from_s3` has them.
        yes: As `agreed` has it.
        dry_run: The same.
    """
    declared = subjects.declarations
    names = [table.name for table in tables_of(subjects)]
    if len(names) > 1:
        raise click.UsageError(
            f"{subjects.spec} has {len(names)} tables ({', '.join(names)}), and an import makes one"
        )
    note(f"The service makes table {session._core.table_names[names[0]]} of {source}.")
    if not agreed_at(session, "Import it", yes=yes, dry_run=dry_run):
        return NONE
    report = _followed(session.tables.import_from_s3(declared, source, **options), "Importing")
    note(f"Imported {report}. `dynattrs update` brings what else the table declares.")
    return OK


def _followed(transfer: Any, what: str) -> Any:
    """Wait for one; its report."""
    name = transfer.report.table or transfer.arn
    try:
        with progress_bar(f"{what} {name}") as shown:

            def show(report: TransferReport) -> None:
                fraction = report.fraction
                total = None if fraction is None else 1.0
                shown(fraction or 0.0, total, str(report).partition(": ")[2])

            return transfer.wait(progress=show)
    except KeyboardInterrupt:
        note(f"The service goes on by itself: dynattrs jobs status {transfer.arn}")
        raise


# --- Looking at them ------------------------------------------------------------------------------


def print_transfers(session: Session, output: Format) -> int:
    """Print what the service has exported, imported and put lately."""
    every: list[TransferReport] = [*session.tables.exports(), *session.tables.imports()]
    if hasattr(session.client, "list_bulk_operations"):
        every += session.tables.bulk_puts()
    print_reports(output, every)
    return OK if every else NONE


def print_transfer(session: Session, arn: str, output: Format, *, watch: bool) -> int:
    """Print what the service says of one; the exit code."""
    transfer = _of(session, arn)
    if watch:
        with contextlib.suppress(TransferFailed):  # which the report says
            _followed(transfer, "Waiting for")
    report: TransferReport = transfer.report
    if output == "json":
        print_json(attrs.asdict(report))
    else:
        print_reports(output, [report])
        note(f"{report}.")
    if not report.done:
        return NONE
    if report.status == "COMPLETED":
        return OK
    note(str(TransferFailed(_KINDS[type(report)], report)))
    return FAILED


def _of(session: Session, arn: str) -> Any:
    """The export, import or bulk put of an ARN."""
    if "/export/" in arn:
        return session.tables.describe_export(arn)
    if "/import/" in arn:
        return session.tables.describe_import(arn)
    try:
        return session.tables.describe_bulk_put(arn)
    except InvalidRequest as error:
        raise click.UsageError(f"{arn} is not of an export, an import or a bulk put") from error


def print_reports(output: Format, reports: Iterable[TransferReport]) -> None:
    """Print what the service says of some."""
    rows = [
        plain(
            kind=_KINDS[type(each)], table=each.table, status=each.status,
            started=each.started, ended=each.ended, arn=each.arn,
        )
        for each in reports
    ]  # fmt: skip
    print_rows(output, _COLUMNS, rows)
