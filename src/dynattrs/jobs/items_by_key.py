"""Items of a job's table by their keys: what another table has under them, and whose a guard is."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING

from dynattrs.errors import MappingError
from dynattrs.jobs.which_items import OfTable
from dynattrs.mapper.anything import native_map
from dynattrs.operations.flows import Flow
from dynattrs.operations.item_keys import identity
from dynattrs.operations.reading.batch_get import BatchGet, Subject, WantedKey
from dynattrs.operations.reading.pages import all_of
from dynattrs.operations.writing.unique_items import OWNER_ATTRIBUTE
from dynattrs.schema.table import AttributeMap

if TYPE_CHECKING:
    from dynattrs.session.session import Session


def items_by_key(
    session: Session,
    table: OfTable,
    keys: Sequence[AttributeMap],
    attributes: frozenset[str] | None = None,
    *,
    consistent: bool = False,
    what: str,
) -> tuple[list[AttributeMap | None], float]:
    """The items of some keys, in their order, and the read units that they cost.

    Args:
        session: Reads.
        table: The items' table.
        keys: Primary keys.
        attributes: What of the items is needed; None for all.
        consistent: Whether reads are consistent.
        what: Who asks, for messages.
    """
    subject = Subject(table.table.name, session._core.table_name(table.table), needs=attributes)
    with session.measure() as cost:
        getting: BatchGet[AttributeMap | None] = BatchGet(
            cost._core,
            [WantedKey(None, key, subject) for key in keys],
            consistent=consistent,
            ordered=True,
            none_for_missing=True,
            before=_nothing,
            what=what,
        )
        found: list[AttributeMap | None] = cost._drive(all_of(getting))
    return found, cost.read_units


def without_guards_of_others(
    session: Session, table: OfTable, items: Sequence[AttributeMap], *, consistent: bool
) -> tuple[list[AttributeMap], float]:
    """Items without the guards that are of items which the job is not for, and the read units of finding out.

    A guard tells which field it is of, and its owner's key. Where a subclass is in the job and its base is
    not, neither tells whose it is: the owner does.
    """
    owners: dict[int, Hashable] = {}
    keys: dict[Hashable, AttributeMap] = {}
    for place, item in enumerate(items):
        if table.shares(item):
            key = native_map(item.get(OWNER_ATTRIBUTE, {}).get("M", {}))
            if key.keys() == {*table.table.key}:
                owners[place] = identity("", key)
                keys[owners[place]] = key
            else:
                owners[place] = None
    if not owners:
        return [*items], 0.0
    found, units = items_by_key(
        session,
        table,
        [*keys.values()],
        frozenset(table.tells),
        consistent=consistent,
        what="a job",
    )
    ours = {
        owner for owner, item in zip(keys, found, strict=True) if item and _is_meant(table, item)
    }
    kept = [
        item for place, item in enumerate(items) if place not in owners or owners[place] in ours
    ]
    return kept, units


def _is_meant(table: OfTable, item: AttributeMap) -> bool:
    try:
        return table.kind_of(item) is not None
    except MappingError:
        return False


def _nothing(keys: Iterable[Hashable]) -> Flow[None]:
    """Nothing is pending in a session of a job's."""
    return
    yield
