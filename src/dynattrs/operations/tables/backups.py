"""Backups of tables, tables restored from them or from an instant, and what there is in the account.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Backup-and-Restore.html
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_RestoreTableToPointInTime.html
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import attrs

from dynattrs.deferral import deferred
from dynattrs.errors import InvalidRequest, ModelError, ServiceError
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Flow, verb, written_as
from dynattrs.operations.tables.declared import Subject, table_of
from dynattrs.operations.tables.looking import find, pauses
from dynattrs.operations.tables.waiting import Watch, until_active
from dynattrs.quoting import quoted
from dynattrs.schema.capacity import Billing, billing_mode, check_billing
from dynattrs.schema.features import check, encryption_specification
from dynattrs.schema.messages import Message
from dynattrs.schema.table import key_schema, says

if TYPE_CHECKING:
    from dynattrs.operations.tables import diff
else:
    diff = deferred("dynattrs.operations.tables.diff")

#: By whom a backup was made: a program, the service when a table was deleted, or AWS Backup.
BackupKind: TypeAlias = Literal["user", "system", "aws backup"]

_KINDS: Final[dict[str, BackupKind]] = {
    "USER": "user",
    "SYSTEM": "system",
    "AWS_BACKUP": "aws backup",
}
_NAME = re.compile(r"[A-Za-z0-9_.-]{3,255}")
_LONGEST: Final = 255
_ARN: Final = "arn:"

#: What to do about a refusal.
_WAYS_OUT: Final = {
    "BackupNotFoundException": "session.tables.backups() lists those that there are",
    "BackupInUseException": "it is being made or restored: try again when that has ended",
    "TableAlreadyExistsException": "what is restored becomes a new table: give another name, or delete "
    "the table of that name first",
    "PointInTimeRecoveryUnavailableException": "declare Table(..., point_in_time_recovery=True), and "
    "session.tables.update(...) turns it on: from then on the table can be restored to any instant",
}
#: The service is at the table, at too many tables, or has just made it.
_BUSY: Final = frozenset(
    (
        "BackupInUseException",
        "ContinuousBackupsUnavailableException",
        "LimitExceededException",
        "TableInUseException",
    )
)

#: The names of tables.
Names: TypeAlias = "list[str]"


@attrs.frozen
class Backup:
    """A backup of a table: all items as they were, and its settings.

    Attributes:
        arn: What the service knows it by.
        name: Its name, which others may have too.
        table: The real name of its table, which may be gone.
        created: When it was made, in UTC.
        status: `"CREATING"`, `"AVAILABLE"` or `"DELETED"`.
        kind: By whom it was made.
        bytes: Its size, as far as it is known yet.
        expires: When the service deletes it; None for a program's own.
    """

    arn: str
    name: str
    table: str
    created: datetime
    status: str = "AVAILABLE"
    kind: BackupKind = "user"
    bytes: int | None = None
    expires: datetime | None = None


@attrs.frozen
class Limits:
    """Read and write units a second that may be provisioned in a region: of all tables of the account,
    and of one. They say nothing of tables on demand.
    """

    account_read: int
    account_write: int
    table_read: int
    table_write: int


@written_as("session.tables")
class BackupVerbs:
    """Backups, and what is restored from them."""

    _core: Core

    @verb
    def list(self) -> Flow[Names]:
        """The names of the tables of the region as they are declared: with the session's `table_prefix`
        the tables that have it, without it. One ListTables for each hundred tables.
        """
        found: Names = []
        start: Message = {}
        while True:
            page = yield Call("list_tables", start)
            found += filter(None, (declared_name(self._core, each) for each in page["TableNames"]))
            if not page.get("LastEvaluatedTableName"):
                return found
            start = {"ExclusiveStartTableName": page["LastEvaluatedTableName"]}

    @verb
    def limits(self) -> Flow[Limits]:
        """What capacity may be provisioned in the region: one DescribeLimits."""
        found = yield Call("describe_limits", {})
        return Limits(
            account_read=found["AccountMaxReadCapacityUnits"],
            account_write=found["AccountMaxWriteCapacityUnits"],
            table_read=found["TableMaxReadCapacityUnits"],
            table_write=found["TableMaxWriteCapacityUnits"],
        )

    @verb
    def backup(
        self, subject: Subject | str, name: str | None = None, *, timeout: timedelta | None = None
    ) -> Flow[Backup]:
        """Make a backup of a table, and wait until it is there. It costs no capacity, and is kept until
        it is deleted.

        Args:
            subject: A model, a `Table`, or the declared name of a table.
            name: The backup's name, of 3 to 255 letters, digits, `_`, `-` and `.`; without it the
                table's and the time.
            timeout: How long to wait; None for as long as it takes.

        Raises:
            NoSuchTable: The table does not exist.
            TableNotReady: *timeout* has gone by. The service goes on by itself.
            OutcomeUnknown: The answer was lost; `backups` says whether there is one.
        """
        real = real_name(self._core, subject)
        if name is None:
            now = self._core.environment.now().astimezone(timezone.utc)
            name = f"{real[: _LONGEST - 17]}-{now:%Y%m%dT%H%M%SZ}"
        elif not _NAME.fullmatch(str(name)):
            raise ModelError(
                "session.tables.backup",
                f"name={quoted(name)}: 3 to 255 letters, digits, '_', '-' and '.' are expected",
            )
        watch = Watch(self._core, timeout)
        # A second one would be another backup.
        call = Call("create_backup", {"TableName": real, "BackupName": name}, repeat=False)
        response = yield from _patiently(call, real, watch)
        details = response["BackupDetails"]
        for pause in pauses():
            if details["BackupStatus"] != "CREATING":
                break
            watch.check(real, f"backup {name!r} {details['BackupStatus']}")
            yield pause
            description = yield Call("describe_backup", {"BackupArn": details["BackupArn"]})
            details = description["BackupDescription"]["BackupDetails"]
        return _backup(details, real)

    @verb
    def backups(
        self,
        subject: Subject | str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        kind: BackupKind | None = None,
    ) -> Flow[tuple[Backup, ...]]:
        """The backups that there are, of one table or of all that the session has; those of tables that
        were deleted as well. One ListBackups for each hundred.

        Args:
            subject: A model, a `Table`, or the declared name of a table.
            since: Those that were made then or later.
            until: Those that were made before.
            kind: Those that were made by this one.
        """
        parameters: Message = {"BackupType": _backup_type(kind)}
        if subject is not None:
            parameters["TableName"] = real_name(self._core, subject)
        if since is not None:
            parameters["TimeRangeLowerBound"] = aware("since", since)
        if until is not None:
            parameters["TimeRangeUpperBound"] = aware("until", until)
        found: tuple[Backup, ...] = ()
        while True:
            page = yield Call("list_backups", parameters)
            found += tuple(
                _backup(each, each["TableName"]) for each in page.get("BackupSummaries", ())
            )
            if not page.get("LastEvaluatedBackupArn"):
                break
            start = {"ExclusiveStartBackupArn": page["LastEvaluatedBackupArn"]}
            parameters = {**parameters, **start}
        return tuple(
            each
            for each in found
            # Of some engines all come whatever is asked.
            if _is_asked(each, since, until, kind)
            and (subject is not None or declared_name(self._core, each.table) is not None)
        )

    @verb
    def delete_backup(self, backup: Backup | str) -> Flow[None]:
        """Delete a backup, by itself or by its ARN. It cannot be had back.

        Raises:
            ServiceError: There is none, or it is being restored.
        """
        try:
            yield Call("delete_backup", {"BackupArn": _arn_of(backup)})
        except ServiceError as error:
            # Where an answer was lost, it was this that deleted it.
            if error.code != "BackupNotFoundException" or not error.uncertain:
                raise _with_way_out(error) from error.__cause__

    @verb
    def restore(
        self,
        backup: Backup | str,
        to: Subject | str,
        *,
        billing: Billing | None = None,
        encryption: str | None = None,
        indexes: bool = True,
        timeout: timedelta | None = None,
    ) -> Flow[None]:
        """Make a table of a backup, and wait until it is there with all its items.

        It has the key, indexes, billing and encryption of then. The time to live, stream, tags, policy,
        point-in-time recovery, deletion protection and all else do not come back: `update` brings it to
        its declaration, when you have looked at it. A time to live deletes what has expired.

        Args:
            backup: A backup, or its ARN.
            to: The new table: a declared name, or a model or `Table`, whose billing and encryption
                it then gets, as far as they are declared.
            billing: How it is billed, where not as then.
            encryption: Which key it is encrypted with, where not as then, as `Table` has it.
            indexes: Whether to restore the global indexes; without them it is faster, and costs less.
            timeout: How long to wait; None for as long as it takes, which may be hours.

        Raises:
            ModelError: *to* declares another key than the backup's table had. One DescribeBackup says so.
            ServiceError: The backup is unknown, or a table of that name is there already.
            TableNotReady: *timeout* has gone by. The service goes on by itself.
        """
        settings = _overrides(to, billing, encryption, indexes=indexes)
        arn = _arn_of(backup)
        yield from _check_key("restore", to, Call("describe_backup", {"BackupArn": arn}))
        yield from _restored(
            self._core, "restore_table_from_backup", {"BackupArn": arn} | settings, to, timeout
        )

    @verb
    def restore_to(
        self,
        instant: datetime | Literal["latest"],
        source: Subject | str,
        to: Subject | str,
        *,
        billing: Billing | None = None,
        encryption: str | None = None,
        indexes: bool = True,
        timeout: timedelta | None = None,
    ) -> Flow[None]:
        """Make a table as another one was at an instant, and wait until it is there with all its items.
        The other one stays as it is; it needs `point_in_time_recovery`.

        What comes back is as with `restore`.

        Args:
            instant: An aware time, to the second, or `"latest"`, which is about five minutes ago.
            source: The table: a model, a `Table`, a declared name, or an ARN, of another region too.
            to: The new table, as with `restore`.
            billing: How it is billed, where not as the source.
            encryption: Which key it is encrypted with, where not as the source.
            indexes: Whether to restore the global indexes.
            timeout: How long to wait; None for as long as it takes, which may be hours.

        Raises:
            NoSuchTable: The source does not exist.
            ModelError: *to* declares another key than the source has. One DescribeTable says so.
            InvalidRequest: The instant is none that it can be restored to; it says which are.
            ServiceError: It cannot be restored to any instant, or there is a table of that name already.
            TableNotReady: *timeout* has gone by. The service goes on by itself.
        """
        parameters = _overrides(to, billing, encryption, indexes=indexes)
        if isinstance(source, str) and source.startswith(_ARN):
            parameters["SourceTableArn"] = real = source
        else:
            parameters["SourceTableName"] = real = real_name(self._core, source)
        if instant == "latest":
            parameters["UseLatestRestorableTime"] = True
        else:
            parameters["RestoreDateTime"] = aware("instant", instant)
        yield from _check_key("restore_to", to, Call("describe_table", {"TableName": real}))
        try:
            yield from _restored(
                self._core, "restore_table_to_point_in_time", parameters, to, timeout
            )
        except ServiceError as error:
            if error.code != "InvalidRestoreTimeException" or real.startswith(_ARN):
                raise
            window = yield from restorable_window(real)
            said = "at no instant" if window is None else f"from {window[0]} to {window[1]}"
            raise InvalidRequest(
                error.operation, error.code, f"{error.message}; it can be restored {said}", real
            ) from error

    @verb
    def restorable(self, subject: Subject | str) -> Flow[tuple[datetime, datetime] | None]:
        """The first and the last instant that a table can be restored to, in UTC; None where it has no
        point-in-time recovery. One DescribeContinuousBackups.

        Raises:
            NoSuchTable: The table does not exist.
        """
        return (yield from restorable_window(real_name(self._core, subject)))


def real_name(core: Core, subject: Subject | str) -> str:
    """The real name of a table, by its declaration or its declared name."""
    if isinstance(subject, str):
        return core.table_names[subject]
    return core.table_name(table_of(subject))


def declared_name(core: Core, real: str) -> str | None:
    """The declared name of a table that is there; None for one that is not the session's."""
    for declared, name in core.tables.items():
        if core.table_names[declared] == real or name == real:
            return declared
    return real[len(core.table_prefix) :] if real.startswith(core.table_prefix) else None


def _patiently(call: Call, name: str, watch: Watch) -> Flow[Message]:
    for pause in pauses():
        try:
            response: Message = yield call
        except ServiceError as error:
            if error.code not in _BUSY:
                raise
            watch.check(name, error.message)
        else:
            return response
        yield pause
    raise AssertionError("pauses never end")


def _restored(
    core: Core,
    operation: str,
    parameters: Message,
    to: Subject | str,
    timeout: timedelta | None,
) -> Flow[None]:
    name = real_name(core, to)
    watch = Watch(core, timeout)
    call = Call(operation, {"TargetTableName": name, **parameters})
    try:
        yield from _patiently(call, name, watch)
    except ServiceError as error:
        # The answer to it was lost, or it was waited for before.
        if error.code != "TableAlreadyExistsException" or not (
            yield from _is_being_restored(name, parameters)
        ):
            raise _with_way_out(error) from error.__cause__
    yield from until_active(watch, name)


def _with_way_out(error: ServiceError) -> ServiceError:
    """A refusal that says what to do, where that is known."""
    way = _WAYS_OUT.get(error.code)
    if way is None:
        return error
    text = f"{error.message.rstrip('.')}; {way}"
    return InvalidRequest(error.operation, error.code, text, error.table, error.uncertain)


def _check_key(verb_name: str, to: Subject | str, asking: Call) -> Flow[None]:
    """Refuse a declaration that the new table would not have the key of, as far as the source may be seen."""
    if isinstance(to, str):
        return
    try:
        answer: Message = yield asking
    except ServiceError:
        # Of another account or region, or none; the request itself says what is wrong.
        return
    if "Table" in answer:
        stored = answer["Table"].get("KeySchema")
    else:
        stored = answer["BackupDescription"].get("SourceTableDetails", {}).get("KeySchema")
    declared = key_schema(table_of(to), None)
    if stored and diff.shown_key(stored) != diff.shown_key(declared):
        raise ModelError(
            f"session.tables.{verb_name}",
            f"the new table gets the key of the old one, {diff.shown_key(stored)}, and {table_of(to).name!r} "
            f"declares {diff.shown_key(declared)}; declare the same key, or give the new table's name alone",
        )


def _is_being_restored(name: str, parameters: Message) -> Flow[bool]:
    """Whether a table is on its way from the same backup, or the same instant of the same table."""
    description = yield from find(name)
    if description is None or description["TableStatus"] == "ACTIVE":
        return False
    summary = description.get("RestoreSummary", {})
    if "BackupArn" in parameters:
        return bool(summary.get("SourceBackupArn") == parameters["BackupArn"])
    arn = str(summary.get("SourceTableArn", ""))
    source = parameters.get("SourceTableArn", arn)
    named = parameters.get("SourceTableName", arn.rpartition("/")[2])
    instant = parameters.get("RestoreDateTime", summary.get("RestoreDateTime"))
    stored = (arn, arn.rpartition("/")[2], summary.get("RestoreDateTime"))
    return stored == (source, named, instant)


def _overrides(
    to: Subject | str, billing: Billing | None, encryption: str | None, *, indexes: bool
) -> Message:
    """What is to be otherwise than it was."""
    declared = None if isinstance(to, str) else table_of(to)
    if declared is not None and billing is None and says(declared, "billing"):
        billing = declared.billing
    if declared is not None and encryption is None:
        encryption = declared.encryption
    check_billing("session.tables.restore", billing)
    found: Message = {}
    if billing is not None:
        found["BillingModeOverride"] = billing_mode(billing)
        found |= {f"{name}Override": given for name, given in billing.arguments().items()}
    if encryption is not None:
        check("session.tables.restore", tags=None, encryption=encryption, insights=None)
        found["SSESpecificationOverride"] = encryption_specification(encryption)
    if not indexes:
        found["GlobalSecondaryIndexOverride"] = []
    return found


def restorable_window(name: str) -> Flow[tuple[datetime, datetime] | None]:
    """The first and the last instant that a table can be restored to, or exported of."""
    response = yield Call("describe_continuous_backups", {"TableName": name})
    found = response["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    first, last = found.get("EarliestRestorableDateTime"), found.get("LatestRestorableDateTime")
    if found.get("PointInTimeRecoveryStatus") != "ENABLED" or first is None or last is None:
        return None
    return _utc(first), _utc(last)


def _backup(details: Message, table: str) -> Backup:
    expires = details.get("BackupExpiryDateTime")
    return Backup(
        arn=details["BackupArn"],
        name=details["BackupName"],
        table=table,
        created=_utc(details["BackupCreationDateTime"]),
        status=details.get("BackupStatus", "AVAILABLE"),
        kind=_KINDS.get(details.get("BackupType", "USER"), "user"),
        bytes=details.get("BackupSizeBytes"),
        expires=None if expires is None else _utc(expires),
    )


def _utc(given: datetime) -> datetime:
    return given.astimezone(timezone.utc)


def _is_asked(
    backup: Backup, since: datetime | None, until: datetime | None, kind: BackupKind | None
) -> bool:
    return (
        (since is None or backup.created >= since)
        and (until is None or backup.created < until)
        and kind in (None, backup.kind)
    )


def _backup_type(kind: object) -> str:
    if kind is None:
        return "ALL"
    for stored, name in _KINDS.items():
        if name == kind:
            return stored
    written = ", ".join(map(repr, _KINDS.values()))
    raise ModelError("session.tables.backups", f"kind={quoted(kind)}: write {written}")


def aware(option: str, value: object, subject: str = "session.tables") -> datetime:
    """*value*, which has a time zone.

    Raises:
        ModelError: It has none, or is not a time.
    """
    if not isinstance(value, datetime) or value.tzinfo is None:
        latest = " or 'latest'" if option == "instant" else ""
        raise ModelError(
            subject, f"{option}={quoted(value)}: a datetime with a time zone{latest} is expected"
        )
    return value


def _arn_of(backup: object) -> str:
    if isinstance(backup, Backup):
        return backup.arn
    if isinstance(backup, str) and backup.startswith(_ARN):
        return backup
    raise ModelError("session.tables", f"{quoted(backup)}: a Backup or its ARN is expected")
