"""Tables from their declarations: create, compare, change, describe, delete.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias, get_args

import attrs

from dynattrs.deferral import deferred
from dynattrs.errors import (
    InvalidRequest,
    ModelError,
    NoSuchTable,
    ServiceError,
)
from dynattrs.expressions.paths import did_you_mean
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Flow, verb
from dynattrs.operations.tables.errors import ChangeRefused, TableDiffers, TableNotReady
from dynattrs.operations.tables.looking import (
    compared,
    described,
    find,
    lacks_backups,
    pauses,
    ttl_description,
)
from dynattrs.schema.messages import Message
from dynattrs.schema.model_info import info_of, model_info
from dynattrs.schema.table import Table, TableSetting, says

if TYPE_CHECKING:
    from dynattrs.operations.tables import diff, reflecting
    from dynattrs.operations.tables.diff import TableChange
else:
    diff = deferred("dynattrs.operations.tables.diff")
    reflecting = deferred("dynattrs.operations.tables.reflecting")

#: A model class, or a `Table`.
Subject: TypeAlias = "type[object] | Table"

_CHANGING = frozenset(("CREATING", "UPDATING", "DELETING"))
_TTL_CHANGING = frozenset(("ENABLING", "DISABLING"))

#: The service is at the table, or at too many tables, and will take the request later.
_BUSY: Final = frozenset(
    (
        "ContinuousBackupsUnavailableException",
        "LimitExceededException",
        "ResourceInUseException",
    )
)
#: The time to live can be changed again when an hour has gone by. There is no code for it.
_TTL_TOO_SOON: Final = "fixed interval"
_SETTINGS: Final[tuple[TableSetting, ...]] = get_args(TableSetting)

_log = logging.getLogger("dynattrs")


def table_of(subject: Subject) -> Table:
    return subject if isinstance(subject, Table) else model_info(subject).table


class TableVerbs:
    """What can be done with whole tables."""

    _core: Core

    @verb
    def create(self, *subjects: Subject) -> Flow[None]:
        """Create the tables of models as declared, and wait until they are active.

        A table that is there as declared is left alone; settings that a declaration does not say
        are not compared. A time to live is enabled on new tables, and point-in-time recovery where
        that is declared.

        Raises:
            TableDiffers: A table is there and is not as declared; it says exactly what differs.
                `update` changes what can be changed.
            ModelError: Two models declare the same table differently.
        """
        tables = _merged(self._core, subjects)
        watch = _Watch(self._core, None)
        made = yield from _all_created(tables, watch)
        for name, table in tables.items():
            if name in made:
                continue
            description = yield from _until_active(watch, name)
            changes = yield from compared(table, name, description, patient=True)
            if changes:
                raise TableDiffers(name, [change.difference for change in changes])

    @verb
    def diff(
        self, *subjects: Subject, only: TableSetting | Iterable[TableSetting] | None = None
    ) -> Flow[list[TableChange]]:
        """What differs between the declarations of tables and what the service has.

        It reads only: DescribeTable, DescribeTimeToLive and DescribeContinuousBackups where a time to
        live and point-in-time recovery are declared. Settings that a declaration does not say are
        not compared.

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
        tables = _merged(self._core, subjects)
        chosen = _chosen(tables, only)
        found: list[TableChange] = []
        for name, table in tables.items():
            description = yield from find(name)
            if description is not None:
                found += yield from compared(table, name, description, only=chosen)
            elif chosen is None:
                found.append(diff.missing(name))
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
                point-in-time recovery; a time to live switched on, which deletes what has expired,
                or off.
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
        tables = _merged(self._core, subjects)
        chosen = _chosen(tables, only)
        watch = _Watch(self._core, timeout)
        planned: dict[str, list[TableChange]] = {}
        # Nothing is changed before all tables are known to be changeable.
        for name, table in tables.items():
            description = yield from find(name)
            if description is None or description["TableStatus"] == "DELETING":
                if chosen is not None:
                    raise _not_there(name)
                planned[name] = [diff.missing(name)]
                continue
            changing = _is_changing(description)
            if changing:
                description = yield from _until_active(watch, name)
            planned[name] = yield from compared(
                table, name, description, patient=changing, only=chosen
            )
            refused = [
                change
                for change in planned[name]
                if not change.possible or (change.destructive and not destructive)
            ]
            if refused:
                raise ChangeRefused(name, [str(each) for each in refused], refused)
        absent = {
            name: tables[name] for name, changes in planned.items() if diff.missing(name) in changes
        }
        yield from _all_created(absent, watch)
        for name, changes in planned.items():
            if name not in absent:
                yield from _changed(tables[name], name, changes, watch, chosen)
        return [change for changes in planned.values() for change in changes]

    @verb
    def exists(self, subject: Subject | str) -> Flow[bool]:
        """Whether a model's table exists, or the one of a name."""
        return (yield from find(self._real_name(subject))) is not None

    @verb
    def describe(self, subject: Subject | str) -> Flow[dict[str, Any]]:
        """The service's description of a model's table (`Table` of DescribeTable), or of the one of a
        name, which is as declared: without the session's prefix.

        Raises:
            NoSuchTable: It does not exist.
        """
        response = yield Call("describe_table", {"TableName": self._real_name(subject)})
        return described(response)

    def _real_name(self, subject: Subject | str) -> str:
        if isinstance(subject, str):
            return self._core.table_names[subject]
        return self._core.table_name(table_of(subject))

    @verb
    def reflect(self, name: str, *, samples: int = 0) -> Flow[Table]:
        """A table that is there as its declaration: keys, indexes, billing, time to live, stream and the
        other settings, as `diff` would find them equal.

        `workbench.models([table])` writes the source of models for it, better ones with samples. It asks
        DescribeTable, DescribeTimeToLive and DescribeContinuousBackups.

        Args:
            name: The table's name before the session's `table_prefix` and `tables`.
            samples: How many of its items to read as `sample_items`, at most: a Scan from several places
                of the table, which costs half a read unit for each 4 KB.

        Raises:
            NoSuchTable: It does not exist.
        """
        return (yield from reflecting.reflected(self._core, name, samples))

    @verb
    def delete(self, *subjects: Subject, missing_ok: bool = False) -> Flow[None]:
        """Delete the tables of models with everything in them, and wait until they are gone.

        Raises:
            NoSuchTable: One does not exist, unless *missing_ok*.
        """
        names = list(_merged(self._core, subjects))
        for name in names:
            yield from _deleted(name, missing_ok=missing_ok)
        for name in names:
            yield from _until_gone(name)


def _merged(core: Core, subjects: tuple[Subject, ...]) -> dict[str, Table]:
    """The tables by real name. Models that share a table may each declare some of its indexes."""
    if not subjects:
        raise ModelError("session.tables", "name at least one model or Table")
    found: dict[str, Table] = {}
    for subject in subjects:
        table = table_of(subject)
        name = core.table_name(table)
        known = found.get(name)
        found[name] = table if known is None else _together(known, table)
    for subject in subjects:
        _check_ttl_said(subject, found[core.table_name(table_of(subject))])
    return found


def _check_ttl_said(subject: Subject, table: Table) -> None:
    """Refuse a field that is stored where another model of the table has its time to live."""
    info, ttl = info_of(subject), table.ttl_attribute
    if info is None or ttl is None or info.table.ttl_attribute is not None:
        return
    for name, stored in info.names.items():
        if stored == ttl:
            raise ModelError(
                info.name,
                f"it is stored as {ttl!r}, by which DynamoDB deletes the items of table {table.name!r}, "
                f"as another model says; write field(ttl=True), or field(name=...)",
                name,
            )


def _chosen(
    tables: Mapping[str, Table], only: TableSetting | Iterable[TableSetting] | None
) -> Collection[TableSetting] | None:
    """The settings that `only=` names, all of them said by all tables."""
    if only is None:
        return None
    given = (only,) if isinstance(only, str) else tuple(only)
    if not given:
        raise ModelError("session.tables", "only=[]: name at least one setting, or leave it out")
    known_settings: dict[str, TableSetting] = {name: name for name in _SETTINGS}
    chosen: list[TableSetting] = []
    for each in given:
        setting = known_settings.get(str(each))
        if setting is None:
            known = did_you_mean(str(each), _SETTINGS)
            raise ModelError("session.tables", f"only={each!r} is no setting of a table{known}")
        for name, table in tables.items():
            if not says(table, setting):
                raise ModelError(
                    f"table {name!r}",
                    f"only={setting!r}: its declaration does not say it, so there is nothing to "
                    f"change; write Table(..., {setting}=...)",
                )
        chosen.append(setting)
    return chosen


def _not_there(name: str) -> NoSuchTable:
    return NoSuchTable(
        "DescribeTable", "ResourceNotFoundException", "only= is about what is there", name
    )


def _together(one: Table, other: Table) -> Table:
    said = says(one, "indexes") == says(other, "indexes")
    if said and one == other and dict(one.types) == dict(other.types):
        return one
    types = {**one.types, **other.types}
    indexes = {index.name: index for index in one.indexes}
    conflict = one.key != other.key
    settings: Message = {}
    for setting in _SETTINGS:
        if setting == "indexes":
            continue
        mine, theirs = getattr(one, setting), getattr(other, setting)
        conflict = conflict or (mine is not None and theirs is not None and mine != theirs)
        settings[setting] = theirs if mine is None else mine
    for index in other.indexes:
        conflict = conflict or indexes.setdefault(index.name, index) != index
    for table in (one, other):
        conflict = conflict or any(
            table.type_of(name) != types.get(name, "S") for name in table.key_attributes
        )
    if conflict:
        raise ModelError(
            f"table {one.name!r}",
            "two models declare its keys, indexes, time to live or settings differently; "
            "declare it once as a Table and give that to both",
        )
    if says(one, "indexes") or says(other, "indexes"):
        settings["indexes"] = tuple(indexes.values())
    return attrs.evolve(one, types=types, **settings)


# --- Waiting ------------------------------------------------------------------------------------


class _Watch:
    """How long a step has been waited for."""

    def __init__(self, core: Core, timeout: timedelta | None) -> None:
        self._core = core
        self._timeout = timeout
        self.began = self.now()

    def now(self) -> float:
        return self._core.environment.monotonic()

    def restart(self) -> None:
        """Another step begins."""
        self.began = self.now()

    def appears(self) -> bool:
        """Whether a new table may still be on its way to the service's description of it."""
        return self.now() - self.began <= self._core.deadline.total_seconds()

    def check(self, name: str, what: str) -> None:
        if self._timeout is not None and self.now() - self.began >= self._timeout.total_seconds():
            raise TableNotReady(name, what, self._timeout)


def _until_gone(name: str) -> Flow[None]:
    for pause in pauses():
        if (yield from find(name)) is None:
            return
        yield pause


def _until_active(watch: _Watch, name: str) -> Flow[Message]:
    watch.restart()
    for pause in pauses():
        try:
            response = yield Call("describe_table", {"TableName": name})
        except NoSuchTable:
            # The service may take a moment to know what it has just created.
            if not watch.appears():
                raise
            watch.check(name, "not there yet")
        else:
            description = described(response)
            if not _is_changing(description):
                return description
            watch.check(name, _shown_state(description))
        yield pause
    raise AssertionError("pauses never end")


def _is_changing(description: Message) -> bool:
    return description["TableStatus"] in _CHANGING or any(
        index.get("IndexStatus") in _CHANGING
        for index in description.get("GlobalSecondaryIndexes", ())
    )


def _shown_state(description: Message) -> str:
    states = [str(description["TableStatus"])]
    for index in description.get("GlobalSecondaryIndexes", ()):
        if index.get("IndexStatus") in _CHANGING:
            filling = ", being filled" if index.get("Backfilling") else ""
            states.append(f"index {index['IndexName']!r} {index['IndexStatus']}{filling}")
    return ", ".join(states)


def _until_ttl_settled(watch: _Watch, name: str) -> Flow[None]:
    for pause in pauses():
        description = yield from ttl_description(name)
        status = description.get("TimeToLiveStatus")
        if status not in _TTL_CHANGING:
            return
        watch.check(name, f"time to live {status}")
        yield pause


# --- Doing --------------------------------------------------------------------------------------


def _all_created(tables: Mapping[str, Table], watch: _Watch) -> Flow[set[str]]:
    """Create those tables that are missing, and wait for them; which were made here."""
    made: set[str] = set()
    # All of them at once, then the waiting.
    for name, table in tables.items():
        description = yield from find(name)
        if description is not None and description["TableStatus"] == "DELETING":
            yield from _until_gone(name)
            description = None
        if description is None and (yield from _created(table, name)):
            made.add(name)
    for name in made:
        yield from _until_active(watch, name)
        yield from _finished(tables[name], name, watch)
    return made


def _created(table: Table, name: str) -> Flow[bool]:
    """Ask for a table; whether it was this that made it."""
    try:
        yield Call("create_table", table.create_arguments(name))
    except ServiceError as error:
        if error.code != "ResourceInUseException":
            raise
        # Another process was creating it at the same time.
        return False
    return True


def _finished(table: Table, name: str, watch: _Watch) -> Flow[None]:
    """What CreateTable cannot say."""
    recovery = table.point_in_time_recovery
    if recovery:
        try:
            yield from _patiently(diff.recovery_call(name, recovery), name, watch)
        except ServiceError as error:
            if not lacks_backups(error, name):
                raise
    if table.ttl_attribute is not None:
        yield diff.ttl_call(name, table.ttl_attribute, enabled=True)


def _patiently(call: Call, name: str, watch: _Watch) -> Flow[None]:
    watch.restart()
    for pause in pauses():
        try:
            yield call
        except ServiceError as error:
            if error.code not in _BUSY:
                raise
            watch.check(name, error.message)
        else:
            return
        yield pause


def _changed(
    table: Table,
    name: str,
    changes: list[TableChange],
    watch: _Watch,
    only: Collection[TableSetting] | None,
) -> Flow[None]:
    """Take all steps, each when the table is ready for it."""
    for change in changes:
        _log.info("table %s: %s", name, change)
    for call in diff.steps_of(changes):
        yield from _stepped(call, table, name, watch, only)


def _stepped(
    call: Call, table: Table, name: str, watch: _Watch, only: Collection[TableSetting] | None
) -> Flow[None]:
    """One step: again while the service is busy, unless another process has made it meanwhile."""
    watch.restart()
    began = watch.began
    for pause in pauses():
        if call.operation == "update_time_to_live":
            yield from _until_ttl_settled(watch, name)
        try:
            yield call
        except ServiceError as error:
            too_soon = _TTL_TOO_SOON in error.message
            description = yield from _until_active(watch, name)
            left = yield from compared(table, name, description, only=only)
            if call not in diff.steps_of(left):
                return
            if not (error.code in _BUSY or (isinstance(error, InvalidRequest) and too_soon)):
                raise
            watch.began = began
            watch.check(name, error.message)
        else:
            yield from _until_active(watch, name)
            return
        yield pause


def _deleted(name: str, *, missing_ok: bool) -> Flow[None]:
    for pause in pauses():
        try:
            yield Call("delete_table", {"TableName": name})
        except NoSuchTable:
            if not missing_ok:
                raise
        except ServiceError as error:
            if error.code != "ResourceInUseException":
                raise
            # It is being created, changed or deleted.
            description = yield from find(name)
            if description is None or description["TableStatus"] == "DELETING":
                return
            if description["TableStatus"] == "ACTIVE":
                raise
            yield pause
            continue
        return
