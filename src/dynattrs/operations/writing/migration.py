"""Items of older schema versions: brought up to date one by one, or all of a model's.

An item is brought up to date as an edit does it: one UpdateItem with what differs, under the condition
that the item is still as it was read, since what is new may have been made of all of it. So other
writers lose nothing. Its version and time stamps stay as they are: what it says has not changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias, TypeVar

import attrs

from dynattrs.errors import AlreadyTaken, ConditionFailed, MappingError, NoSuchItem, QueryError
from dynattrs.keys.discriminator import subclasses
from dynattrs.keys.kinds import is_other
from dynattrs.mapper.anything import native_map
from dynattrs.mapper.upgrades import is_outdated
from dynattrs.operations.conditions import exists, joined, of_kind, stored_today
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Flow
from dynattrs.operations.item_keys import key_in, plain_key
from dynattrs.operations.reading import cursors
from dynattrs.operations.refusals import ConditionFalse, Outdated
from dynattrs.operations.writing import edits, index_keys, unique_items, unique_writes, updates
from dynattrs.operations.writing.migrated_items import MigratedItems, migrated_items
from dynattrs.operations.writing.prepared import Prepared
from dynattrs.schema.model_info import ModelInfo, model_info
from dynattrs.schema.table import AttributeMap, AttributeValue

R = TypeVar("R")

#: What to do with an item that cannot be brought up to date.
OnError: TypeAlias = (
    Literal["raise", "skip"] | Callable[["MappingError | AlreadyTaken | ConditionFailed"], object]
)

#: How often an item is tried that others change all the time.
_TRIES: Final = 30


@attrs.frozen
class Migrated:
    """How far a migration is.

    Attributes:
        scanned: How many items of the table were read.
        rewritten: How many of them were brought up to date, or got the guards of unique values.
        failed: How many could not be, or have a unique value that another item has, or were changed
            by others all the time.
        cursor: Where to go on, in this process or another; None at the end.
    """

    scanned: int
    rewritten: int
    failed: int
    cursor: str | None


def as_today(core: Core, act: Callable[[], Flow[R]]) -> Flow[R]:
    """Do what *act* does. Where it meets an item of an older schema, that is brought up to date, and it
    is done again.
    """
    while True:
        try:
            return (yield from act())
        except Outdated as outdated:
            info, stored = outdated.info, outdated.item
        yield from renew(core, info, stored)


def renew(
    core: Core,
    info: ModelInfo,
    item: AttributeMap,
    missing: Callable[[ModelInfo, AttributeMap], AttributeMap] | None = None,
) -> Flow[bool]:
    """Bring one item up to date, with what is *missing* besides; whether that was needed.

    Raises:
        MappingError: It cannot be read.
        ConditionFailed: Others change it all the time.
    """
    mapper = info.mapper
    for attempt in range(1, _TRIES + 1):
        if is_other(info, item):
            return False  # another one has taken its place
        item = native_map(item)
        obj = mapper.load(item, info.cls)
        own = model_info(type(obj))  # it may be of a subclass, with upgrades of its own
        try:
            if is_outdated(own, item):
                yield from edits.finish(
                    core, edits.Edit(own, obj, item, None, guard=True, renews=True)
                )
            elif keys := {
                **index_keys.rewritten(own, item), **({} if missing is None else missing(own, item))
            }:  # fmt: skip
                yield from _rewrite_keys(core, own, item, keys)
            else:
                return attempt > 1
        except NoSuchItem:
            return False
        except AlreadyTaken as taken:
            taken.hint = (
                f"it is what the stored item {plain_key(own, key_in(own, item))} has, which is of an "
                f"older schema and cannot be brought up to date so: save() it with another value, or "
                f"delete() one of the two"
            )
            raise
        except ConditionFailed as error:
            if attempt == _TRIES:
                raise
            cause = error.__cause__
        else:
            return True
        found = cause.item if isinstance(cause, ConditionFalse) else None  # as it is now
        if not found:
            table = core.table_name(info.table)
            reading = {"TableName": table, "Key": key_in(info, item), "ConsistentRead": True}
            found = (yield Call("get_item", reading)).get("Item")
        if found is None:
            return False
        item = found
    raise AssertionError("the last try returns or raises")


def _rewrite_keys(
    core: Core, info: ModelInfo, item: AttributeMap, keys: Mapping[str, AttributeValue | None]
) -> Flow[None]:
    """Give an item the index keys, and the kind, that it would be written with, and change nothing else."""
    actions, still = index_keys.rewriting(info, item, keys)
    asked = joined(*still, stored_today(info))
    prepared = Prepared(
        core.table_name(info.table), info, key_in(info, item), actions, actions, None, asked,
        joined(exists(info), of_kind(info, key=item), asked), renews=True,
    )  # fmt: skip
    if info.guarding and unique_items.concerns(info, keys):
        after = {**item, **{name: value for name, value in keys.items() if value is not None}}
        yield from unique_writes.edit(core, prepared, item, after)
    else:
        yield from updates.send(core, prepared)


def migrate(
    core: Core,
    info: ModelInfo,
    *,
    where: object,
    after: str | None,
    max_pages: int | None,
    page_size: int | None,
    on_page: Callable[[Migrated], object] | None,
    on_error: OnError,
) -> Flow[Migrated]:
    """Bring all items of a model up to date, page by page.

    Raises:
        QueryError: An argument is out of range, the model has nothing to migrate, or nothing tells its
            items from others.
    """
    _check_arguments(info, max_pages, page_size, on_error)
    items = migrated_items(info, where)
    table = core.table_name(info.table)
    context = [table, info.name, "migrate"]
    done = Migrated(0, 0, 0, after)
    parameters: dict[str, Any] = {"TableName": table, "ConsistentRead": True}
    if page_size is not None:
        parameters["Limit"] = page_size
    items.filter(parameters)
    start = None
    if after is not None:
        start = cursors.decode(after, info.table.key, context, core.cursor_secret)
    pages = 0
    if items.nothing:
        return attrs.evolve(done, cursor=None)
    while max_pages is None or pages < max_pages:
        further = {} if start is None else {"ExclusiveStartKey": start}
        page = yield Call("scan", {**parameters, **further})
        pages += 1
        rewritten = failed = 0
        for item in page.get("Items", ()):
            try:
                rewritten += yield from migrated(core, items, item)
            except (AlreadyTaken, ConditionFailed, MappingError) as error:
                if on_error == "raise":
                    raise
                failed += 1
                if callable(on_error):
                    on_error(error)
        start = page.get("LastEvaluatedKey")
        done = Migrated(
            done.scanned + page.get("ScannedCount", 0),
            done.rewritten + rewritten,
            done.failed + failed,
            None if start is None else cursors.encode(start, context, core.cursor_secret),
        )
        if on_page is not None:
            on_page(done)
        if start is None:
            break
    return done


def migrated(core: Core, items: MigratedItems, item: AttributeMap) -> Flow[bool]:
    """Bring one item up to date, guards included, if it is one of *items*; whether that was needed.

    Raises:
        MappingError: It cannot be read, or nothing tells which model it is of.
        AlreadyTaken: Another item has a value of it that is unique.
        ConditionFailed: Others change it all the time.
    """
    own = items.model_of(item)
    if own is None:
        return False
    changed = yield from renew(core, own, item, items.missing_kind)
    if not own.guarding:
        return changed
    key = key_in(own, item)
    return (yield from as_today(core, lambda: unique_writes.guard(core, own, key))) or changed


def _check_arguments(
    info: ModelInfo, max_pages: object, page_size: object, on_error: object
) -> None:
    for name, number in (("max_pages", max_pages), ("page_size", page_size)):
        if number is not None and (type(number) is not int or number < 1):
            raise QueryError(f"migrate({name}={number!r}): a positive int is expected")
    if on_error not in ("raise", "skip") and not callable(on_error):
        raise QueryError(
            f"migrate(on_error={on_error!r}): 'raise', 'skip' or a function is expected"
        )
    if not may_be_outdated(info):
        raise QueryError(
            f"migrate({info.name}): it has no upgrades, no renamed attributes, no unique fields and no "
            f"index keys made of fields, so all its items are stored in their current form already"
        )
    info.mapper.model_codec(info.cls)  # what is wrong with the model is said before any request


def may_be_outdated(info: ModelInfo) -> bool:
    """Whether there may be items of a model that are stored otherwise than it would write them."""
    may_differ = any(each.evolves or each.index_keys for each in (info, *subclasses(info)))
    return bool(info.guarding) or may_differ or info.table.discriminator is not None
