"""What there is of a table: asked, and compared with its declaration.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, Final

from dynattrs import limits
from dynattrs.deferral import deferred
from dynattrs.errors import NoSuchTable, ServiceError
from dynattrs.operations.flows import Call, Flow, Pause
from dynattrs.schema.messages import Message
from dynattrs.schema.table import Table, TableSetting, says

if TYPE_CHECKING:
    from dynattrs.operations.tables import asking, changes, diff
    from dynattrs.operations.tables.changes import TableChange
else:
    asking = deferred("dynattrs.operations.tables.asking")
    changes = deferred("dynattrs.operations.tables.changes")
    diff = deferred("dynattrs.operations.tables.diff")

_BETWEEN_LOOKS: Final = 0.1
_MOST_BETWEEN_LOOKS: Final = 5.0
_LOOKS_AT_WHAT_COMES_LAST: Final = 8
#: What DescribeTable does not say.
_ASKED: Final[tuple[TableSetting, ...]] = (
    "ttl", "point_in_time_recovery", "tags", "resource_policy", "contributor_insights", "kinesis",
)  # fmt: skip


def pauses() -> Iterator[Pause]:
    """Between one look and the next: often at first, then every five seconds."""
    wait = _BETWEEN_LOOKS
    while True:
        yield Pause(wait)
        wait = min(wait * 1.5, _MOST_BETWEEN_LOOKS)


def find(name: str) -> Flow[Message | None]:
    try:
        response = yield Call("describe_table", {"TableName": name})
    except NoSuchTable:
        return None
    return described(response)


def compared(
    table: Table,
    name: str,
    description: Message,
    *,
    patient: bool = False,
    only: Collection[TableSetting] | None = None,
) -> Flow[list[TableChange]]:
    """The differences; *patient* where another process may just be switching on what comes last."""
    found = yield from _compared_now(table, name, description, only)
    for _, pause in zip(range(_LOOKS_AT_WHAT_COMES_LAST), pauses(), strict=False):
        if not patient or not found or not all(map(changes.comes_last, found)):
            break
        yield pause
        again = yield from find(name)
        if again is None:
            break
        found = yield from _compared_now(table, name, again, only)
    return found


def _compared_now(
    table: Table, name: str, description: Message, only: Collection[TableSetting] | None
) -> Flow[list[TableChange]]:
    asked: list[TableSetting] = [
        each for each in _ASKED if says(table, each) and (only is None or each in only)
    ]
    ttl, recovery = None, None
    if "ttl" in asked:
        ttl = yield from ttl_of(name)
    declared = table.point_in_time_recovery
    if "point_in_time_recovery" in asked:
        recovery = yield from recovery_of(name, declared)
    features = yield from asking.features_of(
        name, description.get("TableArn", ""), asked, declared=True
    )
    return diff.compare(
        table, name, changes.StoredTable(description, ttl, recovery, features), only
    )


def described(response: Any) -> Message:
    found: Message = response["Table"]
    return found


def ttl_description(name: str) -> Flow[Message]:
    response = yield Call("describe_time_to_live", {"TableName": name})
    description: Message = response.get("TimeToLiveDescription", {})
    return description


def ttl_of(name: str) -> Flow[str | None]:
    """The attribute of the time to live, or None if it is off, or is being switched off."""
    description = yield from ttl_description(name)
    if description.get("TimeToLiveStatus") not in ("ENABLED", "ENABLING"):
        return None
    return str(description["AttributeName"])


def recovery_of(name: str, declared: bool | int | None) -> Flow[int | None]:
    """For how many days a table can be restored; 0 for not, None where the engine cannot, which is worth
    a warning where something is *declared*.
    """
    try:
        response = yield Call("describe_continuous_backups", {"TableName": name})
    except ServiceError as error:
        if not lacks_backups(error, None if declared is None else name):
            raise
        return None
    backups = response["ContinuousBackupsDescription"]
    recovery = backups.get("PointInTimeRecoveryDescription", {})
    if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
        return 0
    # An engine that is on and does not say for how long is taken to be as declared.
    default = limits.RECOVERY_DAYS if declared is True else int(declared or 0)
    return int(recovery.get("RecoveryPeriodInDays") or default or limits.RECOVERY_DAYS)


def lacks_backups(error: ServiceError, name: str | None) -> bool:
    """Whether an engine, such as DynamoDB Local, has no such operation. With a table's *name* that is
    logged.
    """
    return asking.lacks(error, "point-in-time recovery", name)
