"""Deletes of all that a query finds, in batches."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from dynattrs.errors import ConditionFailed, MappingError, QueryError
from dynattrs.expressions.conditions import Condition, any_conditions, paths_in
from dynattrs.expressions.paths import data_of
from dynattrs.keys.discriminator import Sieve
from dynattrs.keys.kinds import evolving
from dynattrs.keys.plans import Plan
from dynattrs.operations.conditions import asked_again, joined, no_item, of_kind
from dynattrs.operations.flows import Flow
from dynattrs.operations.item_keys import key_in
from dynattrs.operations.owner import Owner
from dynattrs.operations.reading.pages import Pages
from dynattrs.operations.reading.projections import Keys
from dynattrs.operations.writing import batch, deletes, migration, unique_writes
from dynattrs.operations.writing.buffer import Buffer
from dynattrs.schema.model_info import GUARD_ATTRIBUTE, ModelInfo
from dynattrs.schema.table import AttributeMap

if TYPE_CHECKING:
    from dynattrs.operations.reading.query import QueryVerbs

#: Says of what was read of an item whether it is to be deleted.
Accepts: TypeAlias = Callable[[Any], object]


def delete_all(query: QueryVerbs[Any]) -> Flow[int]:
    """As `query.delete()`."""
    query._handle._check_writable()
    infos = query._infos
    reader = query._keys
    if old := evolving(infos):
        reader = Keys(query._info, Sieve(infos) if query._told_apart else None, old)
    keys = query._with(_reader=reader)
    found = keys._plan()
    accepts: Accepts | None = None
    if old:
        check_deletes([each.filter for each in found.requests], old)
        accepts = reader.check if query._on_error == "raise" else keys._tried
    pages = keys._pages(found)
    return (yield from delete_found(query._handle, infos, found, pages, accepts))


def check_deletes(filters: Sequence[Condition | None], infos: Sequence[ModelInfo]) -> None:
    """Refuse to delete by a filter that an item of an older schema would answer otherwise than today.

    Raises:
        QueryError: It names the filter and what to do.
    """
    info = next((each for each in infos if each.evolves), None)
    if info is None:
        return
    plain = {*info.table.key, info.table.ttl_attribute, GUARD_ATTRIBUTE}
    unsure = [
        each
        for each in filters
        if any(data_of(path).steps[0] not in plain for path in paths_in(each))
    ]
    if unsure:
        raise QueryError(
            f"delete() with the filter {unsure[0]}: DynamoDB tests items as they are stored, and items of "
            f"older schemas of {info.name} may have other attributes; read the items and delete the ones "
            f"you mean: session.delete(obj, when=...)"
        )


def delete_found(
    owner: Owner,
    infos: Sequence[ModelInfo],
    found: Plan,
    pages: Pages,
    accepts: Accepts | None = None,
) -> Flow[int]:
    """Delete the items of some pages, which are of some models, after what is gathered was sent. What
    another model's item has taken the place of meanwhile is left alone, and so is an item that does not
    satisfy what a partial index could not be asked.

    Args:
        owner: The session or batch.
        infos: The models.
        found: What is asked.
        pages: What was found.
        accepts: Says which of that is deleted; None for all.

    Returns:
        How many there were.

    Raises:
        MappingError: A newer program has written an item. Those found before it are deleted.
        UnsentWrites: Some deletes were not done.
    """
    if owner._buffer is not None:
        yield from batch.flush(owner._core, owner._buffer)
    yield from owner._settle_open()
    buffer = Buffer()
    again, held = asked_again(infos, found)
    gathering = gather_found(owner, infos, pages, buffer, None if held else again, accepts)
    return (yield from batch.gathered(owner._core, buffer, gathering))


def gather_found(
    owner: Owner,
    infos: Sequence[ModelInfo],
    pages: Pages,
    buffer: Buffer,
    unasked: Condition | None = None,
    accepts: Accepts | None = None,
) -> Flow[int]:
    """Gather the deletes of the items of some pages, as `delete_found`, into a buffer.

    Args:
        owner: The session or batch.
        infos: The models.
        pages: What was found.
        buffer: Takes the deletes.
        unasked: What must still be true of each item; then they go one by one.
        accepts: Says which are deleted; None for all.

    Returns:
        How many.
    """
    core, count = owner._core, 0
    info, guard = infos[0], of_kind(*infos)
    if unasked is not None:
        # True of what is gone as well: a delete is repeated after a lost reply.
        unasked = any_conditions([no_item(info), unasked])
        guard = joined(guard, unasked)
    read = Keys(info).read
    sieve = Sieve(infos) if len(infos) > 1 and any(each.guarding for each in infos) else None
    table = core.table_name(info.table)
    with contextlib.closing(pages):
        while (raw := (yield from pages.next())) is not None:
            for item in raw.items:
                if accepts is not None and not accepts(item):
                    continue
                key = key_in(info, cast("AttributeMap", item))  # no rows are made of keys
                own = info if sieve is None else sieve.model_of(item) or info
                if own.guarding:  # with its guards, which takes a transaction
                    deleting = functools.partial(unique_writes.delete, core, own, key, unasked)
                    with contextlib.suppress(ConditionFailed):
                        yield from migration.as_today(core, deleting)
                else:
                    # Made where it is to be told of. The keys of several models may not tell which.
                    what = functools.partial(_told, info, read, key) if len(infos) == 1 else key
                    yield from deletes.gather(core, buffer, table, key, what, guard)
                count += 1
    return count


def _told(
    info: ModelInfo, read: Callable[[AttributeMap], object], key: AttributeMap
) -> tuple[type[object], object] | AttributeMap:
    """What `delete` takes for the item with a key; the key itself where its fields cannot be read."""
    try:
        return info.cls, read(key)
    except MappingError:
        return key
