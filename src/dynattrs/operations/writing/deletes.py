"""Gathered deletes: in batches, or beside them where a delete has a condition.

The items of several models may lie under one key. Then a delete is sent under a guard, the condition
that the item is of the model that was meant. BatchWriteItem takes no conditions, so such a delete is a
DeleteItem of its own, several at once.
"""

from __future__ import annotations

import contextlib

from dynattrs.expressions.conditions import Condition
from dynattrs.operations.conditions import with_condition
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Flow
from dynattrs.operations.refusals import ConditionFalse
from dynattrs.operations.writing import batch, beside
from dynattrs.operations.writing.buffer import Buffer, write_by_key
from dynattrs.schema.table import AttributeMap


def gather(
    core: Core, buffer: Buffer, table: str, key: AttributeMap, obj: object, guard: Condition | None
) -> Flow[None]:
    """Gather the delete of an item.

    Args:
        core: Settings.
        buffer: Takes the delete.
        table: The table's real name.
        key: The item's primary key.
        obj: What was given to `delete`.
        guard: The condition that the item is of the model that was meant; None where it can be of no
            other.

    Raises:
        UnsentWrites: Earlier writes have failed for good.
        BatchClosed: The batch has ended, or is ending.
    """
    request = {"DeleteRequest": {"Key": key}}
    write = write_by_key(table, key, request, 100, obj, "delete")
    if guard is None:
        yield from batch.gather(core, buffer, write)
    else:
        yield from beside.gather_beside(
            core, buffer, write, lambda until: _delete(table, key, guard, until)
        )


def _delete(table: str, key: AttributeMap, guard: Condition, until: float) -> Flow[None]:
    parameters = with_condition({"TableName": table, "Key": key}, guard, returning=False)
    # False: an item of another model lies there, so there is nothing to delete.
    with contextlib.suppress(ConditionFalse):
        yield Call("delete_item", parameters, deadline=until)
