"""Making tables, taking the steps that change them, and deleting them.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final

from dynattrs.deferral import deferred
from dynattrs.errors import AccessDenied, InvalidRequest, NoSuchTable, ServiceError
from dynattrs.operations.flows import Call, Flow
from dynattrs.operations.tables.errors import ChangeRefused, TableDiffers
from dynattrs.operations.tables.looking import compared, find, lacks_backups, pauses, ttl_of
from dynattrs.operations.tables.waiting import (
    Watch,
    is_changing,
    until_active,
    until_gone,
    until_insights_settled,
    until_kinesis_settled,
    until_ttl_settled,
)
from dynattrs.schema.messages import Message
from dynattrs.schema.table import Table, TableSetting, says

if TYPE_CHECKING:
    from dynattrs.operations.tables import changes, vector_changes
    from dynattrs.operations.tables.changes import TableChange
else:
    changes = deferred("dynattrs.operations.tables.changes")
    vector_changes = deferred("dynattrs.operations.tables.vector_changes")

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

#: What an engine says of a change that it ignores as a whole.
_NOTHING: Final = "Nothing to update"

#: What a new table gets when it is there, besides its time to live and backups. CreateTable takes a
#: policy, and engines forget it.
_AFTERWARDS: Final[tuple[TableSetting, ...]] = (
    "resource_policy", "replicas", "contributor_insights", "kinesis",
)  # fmt: skip
_DONE_AT_ONCE: Final = frozenset(
    ("tag_resource", "untag_resource", "put_resource_policy", "delete_resource_policy")
)

_log = logging.getLogger("dynattrs")


def all_created(tables: Mapping[str, Table], watch: Watch) -> Flow[set[str]]:
    """Create those tables that are missing, and wait for them; which were made here."""
    made: set[str] = set()
    begun: set[str] = set()
    # All of them at once, then the waiting.
    for name, table in tables.items():
        description = yield from find(name)
        if description is not None and description["TableStatus"] == "DELETING":
            yield from until_gone(name)
            description = None
        if description is None:
            mine = yield from _created(table, name)
            (made if mine else begun).add(name)
    ignored: dict[str, list[str]] = {}
    for name in made:
        description = yield from until_active(watch, name)
        yield from _finished(tables[name], name, watch)
        if tables[name].vector_indexes:
            ignored[name] = vector_changes.ignored(tables[name], description)
    for name in begun:
        # By another process, which may have ended, or here: then the answer to it was lost.
        description = yield from until_active(watch, name)
        left = yield from compared(tables[name], name, description, patient=True)
        if all(map(changes.comes_last, left)):
            yield from changed(tables[name], name, left, watch, None)
    for name, differences in ignored.items():
        if differences:
            raise TableDiffers(name, differences)
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


def _finished(table: Table, name: str, watch: Watch) -> Flow[None]:
    """What CreateTable cannot say."""
    recovery = table.point_in_time_recovery
    if recovery:
        try:
            yield from _patiently(changes.recovery_call(name, recovery), name, watch)
        except ServiceError as error:
            if not lacks_backups(error, name):
                raise
    if table.ttl_attribute is not None:
        try:
            yield from _patiently(
                changes.ttl_call(name, table.ttl_attribute, enabled=True), name, watch
            )
        except InvalidRequest:
            # The answer to it was lost, or another process has made it.
            if (yield from ttl_of(name)) != table.ttl_attribute:
                raise
    said: list[TableSetting] = [each for each in _AFTERWARDS if says(table, each)]
    if said:
        description = yield from until_active(watch, name)
        left = yield from compared(table, name, description, only=said)
        refused = [each for each in left if not each.possible]
        if refused:
            raise ChangeRefused(name, [str(each) for each in refused], refused)
        yield from changed(table, name, left, watch, said)


def unfinished(name: str, description: Message, left: list[TableChange]) -> Flow[bool]:
    """Whether a table lacks only what comes after CreateTable, and holds nothing: then a `create` has ended
    in between, or might have, and nothing is lost when another one finishes it.
    """
    # The count is hours old, but one that is not 0 needs no further question.
    if not all(map(changes.only_begun, left)) or description.get("ItemCount") != 0:
        return False
    try:
        page = yield Call("scan", {"TableName": name, "Limit": 1, "ConsistentRead": True})
    except AccessDenied:
        return False
    return not page["Items"] and "LastEvaluatedKey" not in page


def _patiently(call: Call, name: str, watch: Watch) -> Flow[None]:
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


def changed(
    table: Table,
    name: str,
    made: list[TableChange],
    watch: Watch,
    only: Collection[TableSetting] | None,
) -> Flow[None]:
    """Take all steps, each when the table is ready for it."""
    for change in made:
        _log.info("table %s: %s", name, change)
    for call in changes.steps_of(made):
        yield from _stepped(call, table, name, watch, only)


def _stepped(
    call: Call, table: Table, name: str, watch: Watch, only: Collection[TableSetting] | None
) -> Flow[None]:
    """One step: again while the service is busy, unless another process has made it meanwhile."""
    watch.restart()
    began = watch.began
    for pause in pauses():
        if call.operation == "update_time_to_live":
            yield from until_ttl_settled(watch, name)
        try:
            yield call
        except ServiceError as error:
            too_soon = _TTL_TOO_SOON in error.message
            description = yield from until_active(watch, name)
            left = yield from compared(table, name, description, only=only)
            if call not in changes.steps_of(left):
                return
            if _NOTHING in error.message and vector_changes.created_by(call) is not None:
                raise TableDiffers(name, vector_changes.ignored(table, description)) from error
            if not (error.code in _BUSY or (isinstance(error, InvalidRequest) and too_soon)):
                raise
            watch.began = began
            watch.check(name, error.message)
        else:
            yield from _settled(call, name, watch)
            if "VectorIndexUpdates" in call.parameters:
                yield from _check_created(table, name, call)
            return
        yield pause


def _check_created(table: Table, name: str, call: Call) -> Flow[None]:
    """Refuse to go on where an engine has taken a vector index and has not made it."""
    created, description = vector_changes.created_by(call), (yield from find(name)) or {}
    found = [i for i in description.get("VectorIndexes", ()) if i["IndexName"] == created]
    if created is not None and not found:
        raise TableDiffers(name, vector_changes.ignored(table, description))


def _settled(call: Call, name: str, watch: Watch) -> Flow[None]:
    """Wait until what a step has begun is done.

    Raises:
        ServiceError: It has failed.
    """
    if call.operation.endswith("kinesis_streaming_destination"):
        yield from until_kinesis_settled(watch, name, call.parameters["StreamArn"])
    elif call.operation == "update_contributor_insights":
        yield from until_insights_settled(watch, name, call.parameters.get("IndexName"))
    elif call.operation not in _DONE_AT_ONCE:
        description = yield from until_active(watch, name)
        created = [
            each["Create"] for each in call.parameters.get("ReplicaUpdates", ()) if "Create" in each
        ]
        regions = {each["RegionName"] for each in created}
        for replica in description.get("Replicas", ()):
            failed = replica.get("ReplicaStatus") == "CREATION_FAILED"
            if failed and replica["RegionName"] in regions:
                why = str(replica.get("ReplicaStatusDescription") or "it does not say why")
                raise ServiceError("UpdateTable", "CREATION_FAILED", why, name)


def deleted(name: str, *, missing_ok: bool) -> Flow[None]:
    for pause in pauses():
        try:
            yield Call("delete_table", {"TableName": name})
        except NoSuchTable as error:
            # Where an answer was lost, it was this that deleted it.
            if not missing_ok and not error.uncertain:
                raise
        except ServiceError as error:
            if error.code != "ResourceInUseException":
                raise
            # It is being created, changed or deleted.
            description = yield from find(name)
            if description is None or description["TableStatus"] == "DELETING":
                return
            if not is_changing(description):
                raise
            yield pause
            continue
        return
