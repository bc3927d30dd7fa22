"""Items of a file, put into tables: plain JSON, DynamoDB JSON, a data model of NoSQL Workbench."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Coroutine, Hashable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast, overload

import attrs
import msgspec

from dynattrs import limits
from dynattrs.errors import ModelError, Throttled
from dynattrs.expressions.paths import did_you_mean
from dynattrs.mapper.anything import native_map
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Flow
from dynattrs.operations.item_keys import identity, put_key
from dynattrs.schema.messages import Message
from dynattrs.schema.model_info import ModelInfo, model_info
from dynattrs.schema.table import AttributeMap, Table
from dynattrs.session.any_session import AnySession
from dynattrs.session.session import Session

if TYPE_CHECKING:
    from dynattrs.aio.session import AsyncSession

_TAGS: Final = frozenset(("S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"))
_Item: TypeAlias = dict[str, msgspec.Raw]


@attrs.define
class _Seeds:
    """What is to be stored: objects of models, and items by the names of tables."""

    objects: list[Any] = attrs.field(factory=list)
    items: dict[str, list[AttributeMap]] = attrs.field(factory=dict)
    tables: dict[str, Table] = attrs.field(factory=dict)


@overload
def seed(
    session: Session, source: str | os.PathLike[str] | Iterable[Any], *models: type[object]
) -> int: ...
@overload
def seed(
    session: AsyncSession, source: str | os.PathLike[str] | Iterable[Any], *models: type[object]
) -> Coroutine[Any, Any, int]: ...
def seed(
    session: object, source: str | os.PathLike[str] | Iterable[Any], *models: type[object]
) -> Any:
    """Put the items of a file into the tables of a session: `seed(session, "songs.json", Song)`.

    The file holds a list of items; or an object with a list for each table, by its declared name, or for
    each of *models*, by its class's name; or it is a data model of NoSQL Workbench, whose sample items
    are taken. An item is plain JSON, as `Mapper.to_json` writes it, by the names of fields or of
    attributes: it is read as a model's, with its defaults and validators, and saved as an object. Or it
    is DynamoDB JSON, `{"title": {"S": "Sinnerman"}}`, as the service's exports and its command line have
    it, with or without `PutRequest` and `Item` around it: it is stored as it is.

    Args:
        session: A `Session`, or an `AsyncSession`: then `await seed(...)`.
        source: The path of a file, or what such a file holds: a list, or a dict.
        models: The models of plain items. Their tables are the ones that are meant by name.

    Returns:
        How many items are stored. The last of several items of one key is.

    Raises:
        ModelError: The file is not JSON, or does not say whose items it has: which model's or table's.
        MappingError: An item is not one of its model's.
        UnsentWrites: Objects could not be stored.
        NoSuchTable: A table is missing. The fixtures of the pytest plugin make it, of a model or of what
            the data model says.
    """
    if not isinstance(session, AnySession):
        raise ModelError("seed", f"a Session or an AsyncSession is expected, found {session!r}")
    seeds = _read(source, models)
    if isinstance(session, Session):
        session.save_all(seeds.objects)
        return session._drive(_stored(session._core, seeds))
    return _awaited(cast("AsyncSession", session), seeds)


async def _awaited(session: AsyncSession, seeds: _Seeds) -> int:
    await session.save_all(seeds.objects)
    return await session._drive(_stored(session._core, seeds))


def _stored(core: Core, seeds: _Seeds) -> Flow[int]:
    stored = {_identity(core, each) for each in seeds.objects}
    for name, items in seeds.items.items():
        table = seeds.tables.get(name)
        real = core.table_names[name] if table is None else core.table_name(table)
        by_key = _by_key(real, table, items)
        stored.update(by_key)
        last = list(by_key.values())
        for start in range(0, len(last), limits.BATCH_WRITE_ITEMS):
            some = last[start : start + limits.BATCH_WRITE_ITEMS]
            yield from _put(core, real, some)
    return len(stored)


def _identity(core: Core, obj: object) -> Hashable:
    info = model_info(type(obj))
    return identity(core.table_name(info.table), put_key(info, obj))


def _by_key(
    real: str, table: Table | None, items: list[AttributeMap]
) -> dict[Hashable, AttributeMap]:
    """The last item of each key. The service takes no two of one in a request, and counts neither."""
    found: dict[Hashable, AttributeMap] = {}
    for place, item in enumerate(items):
        which: Hashable = real, place
        # What has no key, or one that is malformed, the service refuses, and says why.
        with contextlib.suppress(KeyError, TypeError, ValueError, ArithmeticError):
            if table is not None:
                which = identity(real, {name: item[name] for name in table.key})
        found[which] = item
    return found


def _put(core: Core, table: str, items: list[AttributeMap]) -> Flow[None]:
    until = core.environment.monotonic() + core.deadline.total_seconds()
    left: Message = {table: [{"PutRequest": {"Item": each}} for each in items]}
    attempt = 0
    while left:
        response = yield Call("batch_write_item", {"RequestItems": left}, deadline=until)
        found = response.get("UnprocessedItems") or {}
        left = {
            name: [
                {"PutRequest": {"Item": native_map(each["PutRequest"]["Item"])}} for each in some
            ]
            for name, some in found.items()
        }
        if left:
            cause = Throttled(
                "BatchWriteItem", "UnprocessedItems", "items were left unprocessed", table
            )
            if core.environment.monotonic() >= until:
                raise cause
            count = sum(map(len, left.values()))
            yield core.pause_before(attempt, "BatchWriteItem", (table,), count, cause, until)
            attempt += 1


# --- Reading ------------------------------------------------------------------------------------


def _read(
    source: str | os.PathLike[str] | Iterable[Any], models: tuple[type[object], ...]
) -> _Seeds:
    infos = [model_info(each) for each in models]
    seeds = _Seeds(tables={info.table.name: info.table for info in infos})
    where = "seed"
    if isinstance(source, (str, os.PathLike)):
        where = f"seed data {os.fspath(source)!r}"
        text = Path(source).read_bytes().removeprefix(b"\xef\xbb\xbf")
    else:
        try:
            text = msgspec.json.encode(source if isinstance(source, Mapping) else list(source))
        except TypeError as error:
            problem = f"the path of a file, a list or a dict is expected: {error}"
            raise ModelError(where, problem) from error
    try:
        whole: Any = msgspec.json.decode(text, type=dict[str, msgspec.Raw] | list[_Item])
        if isinstance(whole, list):
            _add(seeds, where, whole, None, infos)
            return seeds
        if "DataModel" in whole and isinstance(source, (str, os.PathLike)):
            _add_workbench(seeds, source)
            return seeds
        if "Items" in whole:  # what `aws dynamodb scan` prints
            items = msgspec.json.decode(whole["Items"], type=list[_Item])
            _add(seeds, where, items, None, infos)
            return seeds
        for name, raw in whole.items():
            items = msgspec.json.decode(raw, type=list[_Item])
            _add(seeds, where, items, name, infos)
    except msgspec.MsgspecError as error:
        raise ModelError(
            where, f"a list of items, or an object with such lists, is expected: {error}"
        ) from error
    return seeds


def _add_workbench(seeds: _Seeds, path: str | os.PathLike[str]) -> None:
    from dynattrs.tools import workbench

    for table in workbench.load(path):
        if table.sample_items:
            seeds.tables.setdefault(table.name, table)
            seeds.items.setdefault(table.name, []).extend(table.sample_items)


def _add(
    seeds: _Seeds, where: str, items: Iterable[_Item], name: str | None, infos: list[ModelInfo]
) -> None:
    """Add items of a list, which has a name or none."""
    for item in items:
        typed = _typed(item)
        if typed is None:
            info = _model(where, name, infos)
            seeds.objects.append(info.mapper.from_json(_renamed(info, item), info.cls))
            continue
        table = name
        if name is None or any(info.cls.__name__ == name for info in infos):
            table = _model(where, name, infos).table.name
        assert table is not None
        seeds.items.setdefault(table, []).append(typed)


def _typed(item: _Item) -> AttributeMap | None:
    """The attribute map that an item is in DynamoDB JSON; None if it is plain."""
    inner = item
    for name in ("PutRequest", "Item"):
        if inner.keys() == {name}:
            try:
                inner = msgspec.json.decode(inner[name], type=_Item)
            except msgspec.ValidationError:
                return None
    found: dict[str, Any] = {name: msgspec.json.decode(raw) for name, raw in inner.items()}
    if found and all(
        isinstance(each, dict) and len(each) == 1 and _TAGS.issuperset(each)
        for each in found.values()
    ):
        return native_map(found)
    return None


def _renamed(info: ModelInfo, item: _Item) -> bytes:
    return msgspec.json.encode({info.names.get(name, name): raw for name, raw in item.items()})


def _model(where: str, name: str | None, infos: list[ModelInfo]) -> ModelInfo:
    """The model of a list of items."""
    found = infos
    if name is not None:
        found = [info for info in infos if info.cls.__name__ == name]
        found = found or [info for info in infos if info.table.name == name]
    if len(found) == 1:
        return found[0]
    known = sorted({each for info in infos for each in (info.cls.__name__, info.table.name)})
    if name is None:
        problem = (
            f"its list of items does not name their model: name one model, or write an "
            f"object with a list for each: {known}"
        )
    elif found:
        names = ", ".join(info.cls.__name__ for info in found)
        problem = f"table {name!r} holds {names}: write a list for each, by the class's name"
    else:
        problem = f"the items of {name!r} are plain, and no model of that name was given"
        problem += did_you_mean(name, known)
    raise ModelError(where, problem)
