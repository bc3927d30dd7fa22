"""Differences between tables and their declarations, and the requests that remove them, in order.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import IntEnum, auto
from typing import Final, Literal, TypeAlias

import attrs

from dynattrs.operations.flows import Call
from dynattrs.operations.tables.asking import NONE, Features
from dynattrs.schema.infrastructure import recovery_specification
from dynattrs.schema.messages import Message
from dynattrs.schema.table import Table, TableSetting


class Order(IntEnum):
    """The order of steps.

    Indexes are dropped before others are created, because a table has room for 20. Backups begin before
    anything is dropped, and end after. Replicas are made when the table is as they have to be. Deletion
    protection comes last: DynamoDB Local forgets it with every change that does not repeat it.
    """

    BACK_UP = auto()
    TAG = auto()
    NO_REPLICA = auto()
    BILL = auto()
    DROP = auto()
    CREATE = auto()
    SET = auto()
    WARM = auto()
    STREAM_OFF = auto()
    STREAM_ON = auto()
    REPLICA = auto()
    DESTINATION_OFF = auto()
    DESTINATION_ON = auto()
    INSIGHTS = auto()
    POLICY = auto()
    TTL_OFF = auto()
    TTL_ON = auto()
    NO_BACK_UP = auto()
    PROTECTION = auto()


#: What comes after a table was created, by whichever process that was.
_LAST: Final = frozenset(
    (
        Order.BACK_UP, Order.STREAM_ON, Order.REPLICA, Order.DESTINATION_ON, Order.INSIGHTS, Order.POLICY,
        Order.TTL_ON,
    )
)  # fmt: skip

#: A request, and when it is sent.
Step: TypeAlias = "tuple[Order, Call]"

#: What a change is about.
Changed: TypeAlias = "TableSetting | Literal['table', 'key']"


@attrs.frozen
class TableChange:
    """One difference between a table and its declaration.

    Attributes:
        table: The table's real name.
        difference: A sentence that says what the service has and what is declared.
        action: What `session.tables.update` does about it; if it is not `possible`, the reason.
        destructive: Whether the change loses something that is in use or cannot be restored: an index,
            the records of a stream, restorable days, expired items.
        possible: Whether the service can make the change.
        setting: The setting that differs: `"table"` if the table does not exist, `"key"`, or a name that
            `only=` of `session.tables.update` accepts.
    """

    table: str
    difference: str
    action: str
    destructive: bool = False
    possible: bool = True
    setting: Changed = "table"
    _steps: tuple[Step, ...] = attrs.field(default=(), repr=False, alias="steps")

    def __str__(self) -> str:
        mark = " (destructive)" if self.destructive else "" if self.possible else " (impossible)"
        return f"{self.difference}: {self.action}{mark}"


@attrs.frozen
class StoredTable:
    """What the service says of a table.

    Attributes:
        table: `Table` of DescribeTable.
        ttl: The attribute of the time to live; None if it is off, or was not asked.
        recovery: For how many days the table can be restored; 0 for not, None if that was not asked.
        features: What else DescribeTable does not say.
    """

    table: Message
    ttl: str | None = None
    recovery: int | None = None
    features: Features = NONE

    def is_dynamodb_local(self) -> bool:
        """Whether it keeps no table classes, maxima of on-demand tables, encryption or replicas."""
        return ":ddblocal:" in self.table.get("TableArn", "")

    def is_emulated(self) -> bool:
        """Whether it is of no real account, or not warm at all, as all tables of the service are: then its
        engine may forget what it does not do.
        """
        warm = self.table.get("WarmThroughput", {}).get("ReadUnitsPerSecond")
        return warm == 0 or ":000000000000:" in self.table.get("TableArn", "")


def missing(name: str) -> TableChange:
    return TableChange(name, "it does not exist", "create it")


def comes_last(change: TableChange) -> bool:
    """Whether another process that creates the table may still be about to make the change."""
    return bool(change._steps) and all(order in _LAST for order, _ in change._steps)


def only_begun(change: TableChange) -> bool:
    """Whether a change only switches something on that a `create` which has ended early had still before it.
    A time to live counts, though it deletes: that is for who asks to know that nothing is there.
    """
    allowed = change.setting == "ttl" or not change.destructive
    return allowed and comes_last(change) and not any(_alters(call) for _, call in change._steps)


def _alters(call: Call) -> bool:
    """Whether a step that comes last switches off, or over, what is there."""
    return (
        call.operation == "update_kinesis_streaming_destination"
        or call.parameters.get("ContributorInsightsAction") == "DISABLE"
        or any("Update" in each for each in call.parameters.get("ReplicaUpdates", ()))
    )


def created_by(changes: Iterable[TableChange]) -> set[str]:
    """The names of the indexes that changes create."""
    return {
        update["Create"]["IndexName"]
        for change in changes
        for order, call in change._steps
        if order is Order.CREATE
        for update in call.parameters.get("GlobalSecondaryIndexUpdates", ())
    }


def steps_of(changes: Iterable[TableChange]) -> list[Call]:
    """The requests that make all changes, each once, in the order the service takes them."""
    ordered: list[Step] = []
    for change in changes:
        ordered += [step for step in change._steps if step not in ordered]
    return [call for _, call in sorted(ordered, key=lambda step: step[0])]


class Comparing:
    """Makes the differences of one table.

    Args:
        table: Its declaration.
        name: Its real name.
        found: What the service has.
        only: The settings to compare besides the key; None for all.
    """

    def __init__(
        self, table: Table, name: str, found: StoredTable, only: Collection[TableSetting] | None
    ) -> None:
        self.table = table
        self.name = name
        self.found = found
        self.only = only
        self.description = found.table

    def concerns(self, setting: Changed) -> bool:
        """Whether a setting is asked for."""
        return self.only is None or setting in self.only

    def change(
        self,
        setting: Changed,
        difference: str,
        action: str,
        *steps: Step,
        destructive: bool = False,
    ) -> TableChange:
        return TableChange(self.name, difference, action, destructive, setting=setting, steps=steps)

    def impossible(self, setting: Changed, difference: str, reason: str) -> TableChange:
        return TableChange(self.name, difference, reason, possible=False, setting=setting)

    def update_table(self, order: Order, **parameters: object) -> Step:
        return order, Call("update_table", {"TableName": self.name, **parameters})


def ttl_call(name: str, attribute: str, *, enabled: bool) -> Call:
    specification = {"Enabled": enabled, "AttributeName": attribute}
    return Call(
        "update_time_to_live", {"TableName": name, "TimeToLiveSpecification": specification}
    )


def recovery_call(name: str, recovery: bool | int) -> Call:
    specification = recovery_specification(recovery)
    return Call(
        "update_continuous_backups",
        {"TableName": name, "PointInTimeRecoverySpecification": specification},
    )
