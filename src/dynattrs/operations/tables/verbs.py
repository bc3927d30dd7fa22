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
from dynattrs.operations.flows import Call, Flow, verb, written_as
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


@written_as("session.tables")
class TableVerbs(BackupVerbs):
    """The methods that work on whole tables."""

    @verb
    def create(self, *subjects: Subject, timeout: timedelta | None = None) -> Flow[None]:
        """Create the tables of models as declared, and wait until they are active.

        A table that already exists as declared is left alone; settings that the declaration does not mention
        are not compared. Settings that CreateTable does not accept follow it: the time to live,
        point-in-time recovery, replicas, contributor insights, a Kinesis stream. If a `create` ended before
        these, another call sets them, as long as the table has no items.

        Args:
            subjects: Models and `Table` objects.
            timeout: The most time to wait for each step; None waits without limit.

        Raises:
            TableNotReady: *timeout* is over. The service continues the work.
            TableDiffers: A table exists but differs from its declaration; the error lists the differences.
                `update` makes the changes that are possible.
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
        """Compare the declarations of tables with the tables in the service.

        It changes nothing. It sends DescribeTable, and one request each for declared settings that
        DescribeTable does not return: the time to live, point-in-time recovery, tags, the policy,
        contributor insights, the Kinesis stream. Settings that a declaration does not mention are not
        compared.

        Args:
            subjects: Models and `Table` objects.
            only: The names of the settings to compare, as in `update`. None for all.

        Returns:
            One `TableChange` for each difference; an empty result means that all is as declared.

        Raises:
            NoSuchTable: *only* is given, and the table does not exist.
            ModelError: Two models declare the same table differently; or *only* has an unknown setting, or
                one that a declaration does not mention.
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
        """Change tables to match their declarations: create what is missing, and change what differs.
        Settings that a declaration does not mention stay as they are.

        Changes are made one at a time, as the service demands, and each is waited for: an index until it is
        filled, an old time to live until it is off (up to an hour) before a new one is switched on. If it
        was interrupted, call it again to continue; it does nothing when all is done. Other processes may do
        the same at the same time.

        Args:
            subjects: Models and `Table` objects.
            destructive: Allow changes that lose something: dropping an index, or changing its key or
                projection, which drops and creates it; ending a stream; fewer days of point-in-time
                recovery; switching a time to live on, which deletes expired items (always allowed in an
                empty table), or off; dropping a replica; replacing or deleting a resource policy; leaving a
                Kinesis stream.
            only: The names of the settings to change, of tables that exist, such as `"ttl"` or
                `["stream", "billing"]`; the others are not compared either. None for all.
            timeout: The most time to wait for each step; None waits without limit. An index of a large table
                takes hours.

        Returns:
            The changes that were made.

        Raises:
            ChangeRefused: A change is impossible, or is destructive and was not allowed. No table was
                changed.
            TableNotReady: *timeout* is over. The service continues the work.
            NoSuchTable: *only* is given, and the table does not exist.
            ModelError: Two models declare the same table differently; or *only* has an unknown setting, or
                one that a declaration does not mention.
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
        """Return whether a table exists, given a model or a name."""
        return (yield from find(real_name(self._core, subject))) is not None

    @verb
    def describe(self, subject: Subject | str) -> Flow[dict[str, Any]]:
        """Return the service's description of a table (`Table` of DescribeTable), given a model or a
        declared name, without the session's prefix.

        `LatestStreamArn` is the ARN of the table's stream, or of its last stream if that is switched off.

        Raises:
            NoSuchTable: The table does not exist.
        """
        response = yield Call("describe_table", {"TableName": real_name(self._core, subject)})
        return described(response)

    @verb
    def reflect(self, name: str, *, samples: int = 0) -> Flow[Table]:
        """Return the declaration of an existing table: keys, indexes, billing, time to live, stream and the
        other settings. `diff` finds no difference between the two.

        `workbench.models([table])` writes the source of models for it, and better ones with samples. It
        sends DescribeTable, DescribeTimeToLive, DescribeContinuousBackups, ListTagsOfResource,
        GetResourcePolicy, ListContributorInsights and DescribeKinesisStreamingDestination. Without
        permission for one of the last four, that setting is left out, and this is logged.

        Args:
            name: The table's name before the session's `table_prefix` and `tables`.
            samples: The most items to read as `sample_items`, with a Scan from several places of the table,
                which costs half a read unit for each 4 KB.

        Raises:
            NoSuchTable: The table does not exist.
        """
        return (yield from reflecting.reflected(self._core, name, samples))

    @verb
    def orphans(
        self,
        *subjects: Subject,
        unnamed_for: timedelta = timedelta(days=1),
        delete: bool = False,
    ) -> Flow[list[Orphan]]:
        """Find the objects in S3 that no item refers to: leftovers of a crash from fields with `InS3`, and
        values that were replaced or deleted.

        It lists the objects under the name of the table, then reads the whole table, consistently. With
        *delete*, it records in S3, in `{prefix}{table}/orphans.json`, since when each object has been an
        orphan, and deletes those that have been one for long enough; so the first run deletes nothing. Other
        programs may read and write in the meantime, as long as none saves a value that it read longer ago
        than *unnamed_for*.

        References from other tables and from backups do not count: a table that is restored to an earlier
        time, or copied, may refer to objects that have been deleted since.

        Args:
            subjects: Models with such fields, or their tables.
            unnamed_for: How long an object must have been an orphan before it is deleted. Use zero only
                while no program writes.
            delete: Whether to delete them.

        Returns:
            All orphans, including those that were deleted.

        Raises:
            ModelError: A model has no such field.
            NoSuchTable: A table does not exist.
            ObjectRefused: S3 refuses to list or delete. You need the permissions `s3:ListBucket` and
                `s3:GetObject`, and to delete, `s3:PutObject` and `s3:DeleteObject`.
        """
        return (yield from orphaned.found(self._core, subjects, unnamed_for, delete=delete))

    @verb
    def delete(self, *subjects: Subject, missing_ok: bool = False) -> Flow[None]:
        """Delete the tables of models with everything in them, and wait until they are gone.

        Raises:
            NoSuchTable: A table does not exist, and *missing_ok* is False.
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
