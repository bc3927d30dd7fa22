"""Tables from their declarations: create, compare, change, describe, delete.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from dynattrs.deferral import deferred
from dynattrs.errors import NoSuchTable
from dynattrs.operations.flows import Call, Flow, verb
from dynattrs.operations.tables.backups import BackupVerbs, real_name
from dynattrs.operations.tables.declared import Subject, chosen_settings, merged
from dynattrs.operations.tables.errors import ChangeRefused, TableDiffers
from dynattrs.operations.tables.looking import compared, described, find
from dynattrs.operations.tables.making import all_created, changed, deleted, unfinished
from dynattrs.operations.tables.waiting import Watch, is_changing, until_active, until_gone
from dynattrs.schema.table import Table, TableSetting

if TYPE_CHECKING:
    from dynattrs.operations import orphans as orphaned
    from dynattrs.operations.orphans import Orphan
    from dynattrs.operations.tables import changes as differences
    from dynattrs.operations.tables import reflecting
    from dynattrs.operations.tables.changes import TableChange
else:
    orphaned = deferred("dynattrs.operations.orphans")
    differences = deferred("dynattrs.operations.tables.changes")
    reflecting = deferred("dynattrs.operations.tables.reflecting")


class TableVerbs(BackupVerbs):
    """What can be done with whole tables."""

    @verb
    def create(self, *subjects: Subject, timeout: timedelta | None = None) -> Flow[None]:
        """Create the tables of models as declared, and wait until they are active.

        A table that is there as declared is left alone; settings that a declaration does not say
        are not compared. What CreateTable does not take comes after it: the time to live, point-in-time
        recovery, replicas, contributor insights, a Kinesis stream. If a `create` has ended before these,
        another one makes them, as long as the table holds no item.

        Args:
            subjects: Models and `Table` objects.
            timeout: How long to wait for each step; None for as long as it takes.

        Raises:
            TableNotReady: *timeout* has gone by. The service goes on by itself.
            TableDiffers: A table is there and is not as declared; it says exactly what differs.
                `update` changes what can be changed.
            ModelError: Two models declare the same table differently.
        """
        tables = merged(self._core, subjects)
        watch = Watch(self._core, timeout)
        made = yield from all_created(tables, watch)
        for name, table in tables.items():
            if name in made:
                continue
            description = yield from until_active(watch, name)
            changes = yield from compared(table, name, description, patient=True)
            if changes and (yield from unfinished(name, description, changes)):
                yield from changed(table, name, changes, watch, None)
            elif changes:
                raise TableDiffers(name, [change.difference for change in changes])

    @verb
    def diff(
        self, *subjects: Subject, only: TableSetting | Iterable[TableSetting] | None = None
    ) -> Flow[list[TableChange]]:
        """What differs between the declarations of tables and what the service has.

        It reads only: DescribeTable, and for what DescribeTable does not say, the time to live,
        point-in-time recovery, tags, the policy, contributor insights, the Kinesis stream, one request
        each, where they are declared. Settings that a declaration does not say are not compared.

        Args:
            subjects: Models and `Table` objects.
            only: The names of the settings to compare, as `update` takes them. None for all.

        Returns:
            One `TableChange` for each difference; none where all is as declared.

        Raises:
            NoSuchTable: *only* is given, and the table does not exist.
            ModelError: Two models declare the same table differently; *only* names no setting, or one
                that a declaration does not say.
        """
        tables = merged(self._core, subjects)
        chosen = chosen_settings(tables, only)
        found: list[TableChange] = []
        for name, table in tables.items():
            description = yield from find(name)
            if description is not None:
                found += yield from compared(table, name, description, only=chosen)
            elif chosen is None:
                found.append(differences.missing(name))
            else:
                raise _not_there(name)
        return found

    @verb
    def update(
        self,
        *subjects: Subject,
        destructive: bool = False,
        only: TableSetting | Iterable[TableSetting] | None = None,
        timeout: timedelta | None = None,
    ) -> Flow[list[TableChange]]:
        """Bring tables to their declarations: create what is missing, and change what differs. What a
        declaration does not say stays as it is.

        One thing at a time, as the service demands, waiting for each: an index until it is filled,
        a time to live until it is off (which takes up to an hour) before another one is switched
        on. Calling it again goes on where it was interrupted, and does nothing when all is done;
        other processes may do the same at the same time.

        Args:
            subjects: Models and `Table` objects.
            destructive: Allow what loses something: dropping an index, or its key or projection
                changed, which means to drop and create it; ending a stream; fewer days of
                point-in-time recovery; a time to live switched on, which deletes what has expired
                (in a table without items it needs no leave), or off; a replica dropped; a resource
                policy replaced or deleted; a Kinesis stream left.
            only: The names of the settings to change, of tables that exist, such as `"ttl"` or
                `["stream", "billing"]`; the others are not compared either. None for all.
            timeout: How long to wait for each step; None for as long as it takes. An index of a
                large table takes hours.

        Returns:
            The changes that were made.

        Raises:
            ChangeRefused: A change is impossible, or is destructive and was not allowed. Nothing
                was changed, of no table.
            TableNotReady: *timeout* has gone by. The service goes on by itself.
            NoSuchTable: *only* is given, and the table does not exist.
            ModelError: Two models declare the same table differently; *only* names no setting, or one
                that a declaration does not say.
        """
        tables = merged(self._core, subjects)
        chosen = chosen_settings(tables, only)
        watch = Watch(self._core, timeout)
        planned: dict[str, list[TableChange]] = {}
        # Nothing is changed before all tables are known to be changeable.
        for name, table in tables.items():
            description = yield from find(name)
            if description is None or description["TableStatus"] == "DELETING":
                if chosen is not None:
                    raise _not_there(name)
                planned[name] = [differences.missing(name)]
                continue
            changing = is_changing(description)
            if changing:
                description = yield from until_active(watch, name)
            planned[name] = yield from compared(
                table, name, description, patient=changing, only=chosen
            )
            refused = [
                change
                for change in planned[name]
                if not change.possible or (change.destructive and not destructive)
            ]
            if refused and not (yield from unfinished(name, description, refused)):
                raise ChangeRefused(name, [str(each) for each in refused], refused)
        absent = {
            name: tables[name]
            for name, changes in planned.items()
            if differences.missing(name) in changes
        }
        yield from all_created(absent, watch)
        for name, changes in planned.items():
            if name not in absent:
                yield from changed(tables[name], name, changes, watch, chosen)
        return [change for changes in planned.values() for change in changes]

    @verb
    def exists(self, subject: Subject | str) -> Flow[bool]:
        """Whether a model's table exists, or the one of a name."""
        return (yield from find(real_name(self._core, subject))) is not None

    @verb
    def describe(self, subject: Subject | str) -> Flow[dict[str, Any]]:
        """The service's description of a model's table (`Table` of DescribeTable), or of the one of a
        name, which is as declared: without the session's prefix.

        `LatestStreamArn` is the ARN of the table's stream, or of its last one where that is switched off.

        Raises:
            NoSuchTable: It does not exist.
        """
        response = yield Call("describe_table", {"TableName": real_name(self._core, subject)})
        return described(response)

    @verb
    def reflect(self, name: str, *, samples: int = 0) -> Flow[Table]:
        """A table that is there as its declaration: keys, indexes, billing, time to live, stream and the
        other settings, as `diff` would find them equal.

        `workbench.models([table])` writes the source of models for it, better ones with samples. It asks
        DescribeTable, DescribeTimeToLive, DescribeContinuousBackups, ListTagsOfResource,
        GetResourcePolicy, ListContributorInsights and DescribeKinesisStreamingDestination. What the
        last four may not be asked is left unsaid, and logged.

        Args:
            name: The table's name before the session's `table_prefix` and `tables`.
            samples: How many of its items to read as `sample_items`, at most: a Scan from several places
                of the table, which costs half a read unit for each 4 KB.

        Raises:
            NoSuchTable: It does not exist.
        """
        return (yield from reflecting.reflected(self._core, name, samples))

    @verb
    def orphans(
        self,
        *subjects: Subject,
        unnamed_for: timedelta = timedelta(days=1),
        delete: bool = False,
    ) -> Flow[list[Orphan]]:
        """The objects of S3 that no item names: what a crash has left of fields with `InS3`, and values that
        were replaced or deleted.

        It lists the objects under the name of the table, then reads the whole table, consistently. With
        *delete* it notes in S3, in `{prefix}{table}/orphans.json`, since when it has found which objects so,
        and deletes those that have been so for long enough: so the first run deletes nothing. Others may
        read and write meanwhile, if no program saves a value that it has read longer ago than *unnamed_for*.

        The items of other tables do not count, nor do backups: a table that is restored to a time before, or
        copied, names objects that may be deleted since.

        Args:
            subjects: Models with such fields, or their tables.
            unnamed_for: How long no item must have named an object that is deleted. Nothing at all is for
                when nothing writes.
            delete: Whether to delete them.

        Returns:
            All of them, those that were deleted among them.

        Raises:
            ModelError: A model has no such field.
            NoSuchTable: A table does not exist.
            ObjectRefused: S3 does not list, or delete: the permissions `s3:ListBucket`, `s3:GetObject` and,
                to delete, `s3:PutObject` and `s3:DeleteObject` are needed.
        """
        return (yield from orphaned.found(self._core, subjects, unnamed_for, delete=delete))

    @verb
    def delete(self, *subjects: Subject, missing_ok: bool = False) -> Flow[None]:
        """Delete the tables of models with everything in them, and wait until they are gone.

        Raises:
            NoSuchTable: One does not exist, unless *missing_ok*.
        """
        names = list(merged(self._core, subjects))
        for name in names:
            yield from deleted(name, missing_ok=missing_ok)
        for name in names:
            yield from until_gone(name)


def _not_there(name: str) -> NoSuchTable:
    return NoSuchTable(
        "DescribeTable", "ResourceNotFoundException", "only= is about what is there", name
    )
