"""Tables from their declarations: create, compare, describe, delete.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias, cast

import attrs

from dynattrs.errors import ModelError, NoSuchTable, ServiceError, TableDiffers
from dynattrs.operations.core import Core
from dynattrs.operations.flows import Call, Flow, Pause, verb
from dynattrs.schema import (
    GlobalIndex,
    Index,
    LocalIndex,
    Table,
    key_of,
    model_info,
    partition_of,
    sort_of,
)

#: A model class, or a `Table`.
Subject: TypeAlias = "type[Any] | Table"

_BETWEEN_LOOKS = 0.1
_MOST_BETWEEN_LOOKS = 5.0
_LOOKS_AT_A_MISSING_TTL = 8
_CHANGING = frozenset(("CREATING", "UPDATING", "DELETING"))


def table_of(subject: Subject) -> Table:
    return subject if isinstance(subject, Table) else model_info(subject).table


class TableVerbs:
    """What can be done with whole tables."""

    _core: Core

    @verb
    def create(self, *subjects: Subject) -> Flow[None]:
        """Create the tables of models, on-demand, and wait until they are active.

        A table that is there as declared is left alone. A time to live is enabled on new tables.

        Raises:
            TableDiffers: A table is there and is not as declared; it says exactly what differs.
            ModelError: Two models declare the same table differently.
        """
        tables = _merged(self._core, subjects)
        made: set[str] = set()
        # All of them at once, then the waiting.
        for name, table in tables.items():
            description = yield from _describe(name)
            if description is not None and description["TableStatus"] == "DELETING":
                yield from _until_gone(name)
                description = None
            if description is None and (yield from _created(table, name)):
                made.add(name)
        for name, table in tables.items():
            description = yield from _until_active(self._core, name)
            if name in made:
                if table.ttl is not None:
                    specification = {"Enabled": True, "AttributeName": table.ttl}
                    yield Call(
                        "update_time_to_live",
                        {"TableName": name, "TimeToLiveSpecification": specification},
                    )
                continue
            differences = list(_differences(table, description))
            differences += yield from _ttl_difference(table, name)
            if differences:
                raise TableDiffers(name, differences)

    @verb
    def exists(self, subject: Subject) -> Flow[bool]:
        """Whether a model's table exists."""
        return (yield from _describe(self._core.table_name(table_of(subject)))) is not None

    @verb
    def describe(self, subject: Subject) -> Flow[dict[str, Any]]:
        """The service's description of a model's table (`Table` of DescribeTable).

        Raises:
            NoSuchTable: It does not exist.
        """
        name = self._core.table_name(table_of(subject))
        response = yield Call("describe_table", {"TableName": name})
        return cast("dict[str, Any]", response["Table"])

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
    return found


def _together(one: Table, other: Table) -> Table:
    if one == other and dict(one.types) == dict(other.types):
        return one
    types = {**one.types, **other.types}
    indexes = {index.name: index for index in one.indexes}
    conflict = one.key != other.key or (one.ttl and other.ttl and one.ttl != other.ttl)
    for index in other.indexes:
        conflict = conflict or indexes.setdefault(index.name, index) != index
    for table in (one, other):
        conflict = conflict or any(
            table.type_of(name) != types.get(name, "S") for name in table.key_attributes
        )
    if conflict:
        raise ModelError(
            f"table {one.name!r}",
            "two models declare its keys, indexes or time to live differently; "
            "declare it once as a Table and give that to both",
        )
    return attrs.evolve(one, indexes=tuple(indexes.values()), types=types, ttl=one.ttl or other.ttl)


def create_arguments(table: Table, name: str) -> dict[str, Any]:
    """The parameters of CreateTable, without the time to live, which is set by another call."""
    arguments: dict[str, Any] = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": attribute, "AttributeType": table.type_of(attribute)}
            for attribute in table.key_attributes
        ],
        "KeySchema": _key_schema(table, None),
    }
    for kind, parameter in (
        (GlobalIndex, "GlobalSecondaryIndexes"), (LocalIndex, "LocalSecondaryIndexes")
    ):  # fmt: skip
        indexes = [
            _index_arguments(table, each) for each in table.indexes if isinstance(each, kind)
        ]
        if indexes:
            arguments[parameter] = indexes
    return arguments


def _key_schema(table: Table, index: Index | None) -> list[dict[str, str]]:
    return [
        *({"AttributeName": name, "KeyType": "HASH"} for name in partition_of(table, index)),
        *({"AttributeName": name, "KeyType": "RANGE"} for name in sort_of(table, index)),
    ]


def _index_arguments(table: Table, index: Index) -> dict[str, Any]:
    return {
        "IndexName": index.name,
        "KeySchema": _key_schema(table, index),
        "Projection": _projection_arguments(table, index),
    }


def _projection_arguments(table: Table, index: Index) -> dict[str, Any]:
    if index.projection == "all":
        return {"ProjectionType": "ALL"}
    held = {*table.key, *key_of(table, index)}
    others = [] if index.projection == "keys" else [n for n in index.projection if n not in held]
    # An INCLUDE of nothing besides the keys is refused by the service.
    if not others:
        return {"ProjectionType": "KEYS_ONLY"}
    return {"ProjectionType": "INCLUDE", "NonKeyAttributes": others}


def _describe(name: str) -> Flow[dict[str, Any] | None]:
    try:
        response = yield Call("describe_table", {"TableName": name})
    except NoSuchTable:
        return None
    return cast("dict[str, Any]", response["Table"])


def _created(table: Table, name: str) -> Flow[bool]:
    """Ask for a table; whether it was this that made it."""
    try:
        yield Call("create_table", create_arguments(table, name))
    except ServiceError as error:
        if error.code != "ResourceInUseException":
            raise
        # Somebody else was creating it at the same time.
        return False
    return True


def _deleted(name: str, *, missing_ok: bool) -> Flow[None]:
    for pause in _pauses():
        try:
            yield Call("delete_table", {"TableName": name})
        except NoSuchTable:
            if not missing_ok:
                raise
        except ServiceError as error:
            if error.code != "ResourceInUseException":
                raise
            # It is being created, changed or deleted.
            description = yield from _describe(name)
            if description is None or description["TableStatus"] == "DELETING":
                return
            if description["TableStatus"] == "ACTIVE":
                raise
            yield pause
            continue
        return


def _pauses() -> Iterator[Pause]:
    """Between one look and the next: often at first, then every five seconds."""
    wait = _BETWEEN_LOOKS
    while True:
        yield Pause(wait)
        wait = min(wait * 1.5, _MOST_BETWEEN_LOOKS)


def _until_gone(name: str) -> Flow[None]:
    for pause in _pauses():
        if (yield from _describe(name)) is None:
            return
        yield pause


def _until_active(core: Core, name: str) -> Flow[dict[str, Any]]:
    monotonic = core.environment.monotonic
    missing_since = monotonic()
    for pause in _pauses():
        try:
            response = yield Call("describe_table", {"TableName": name})
        except NoSuchTable:
            # The service may take a moment to know what it has just created.
            if monotonic() - missing_since > core.deadline.total_seconds():
                raise
        else:
            missing_since = monotonic()
            description = cast("dict[str, Any]", response["Table"])
            if not _is_changing(description):
                return description
        yield pause
    raise AssertionError("pauses never end")


def _is_changing(description: Mapping[str, Any]) -> bool:
    return description["TableStatus"] in _CHANGING or any(
        index.get("IndexStatus") in _CHANGING
        for index in description.get("GlobalSecondaryIndexes", ())
    )


def _differences(table: Table, description: Mapping[str, Any]) -> list[str]:
    """What the service has that is not as declared, a sentence each."""
    found = []
    types = {
        each["AttributeName"]: each["AttributeType"] for each in description["AttributeDefinitions"]
    }
    if _shown_key(description["KeySchema"]) != _shown_key(_key_schema(table, None)):
        found.append(
            f"its key is {_shown_key(description['KeySchema'])}, declared is "
            f"{_shown_key(_key_schema(table, None))}"
        )
    for attribute in table.key_attributes:
        stored = types.get(attribute)
        if stored is not None and stored != table.type_of(attribute):
            found.append(
                f"key attribute {attribute!r} is of type {stored}, declared is "
                f"{table.type_of(attribute)}"
            )
    there = {
        each["IndexName"]: (kind, each)
        for kind, parameter in (
            ("global", "GlobalSecondaryIndexes"), ("local", "LocalSecondaryIndexes")
        )
        for each in description.get(parameter, ())
    }  # fmt: skip
    for index in table.indexes:
        kind = "global" if isinstance(index, GlobalIndex) else "local"
        if index.name not in there:
            found.append(f"it has no {kind} index {index.name!r}, which is declared")
            continue
        stored_kind, stored_index = there.pop(index.name)
        found += _index_differences(table, index, kind, stored_kind, stored_index)
    found += [
        f"it has the {kind} index {name!r}, not declared" for name, (kind, _) in there.items()
    ]
    return found


def _index_differences(
    table: Table, index: Index, kind: str, stored_kind: str, stored: Mapping[str, Any]
) -> list[str]:
    found = []
    if kind != stored_kind:
        found.append(f"index {index.name!r} is {stored_kind}, declared is {kind}")
    key, declared_key = _shown_key(stored["KeySchema"]), _shown_key(_key_schema(table, index))
    if key != declared_key:
        found.append(f"the key of index {index.name!r} is {key}, declared is {declared_key}")
    projection = _shown_projection(stored["Projection"])
    declared = _shown_projection(_projection_arguments(table, index))
    if projection != declared:
        found.append(f"index {index.name!r} projects {projection}, declared is {declared}")
    return found


def _shown_key(schema: list[dict[str, str]]) -> str:
    parts = [
        [each["AttributeName"] for each in schema if each["KeyType"] == kind]
        for kind in ("HASH", "RANGE")
    ]
    return f"({' + '.join(parts[0])}{', ' if parts[1] else ''}{' + '.join(parts[1])})"


def _shown_projection(projection: Mapping[str, Any]) -> str:
    kind = projection["ProjectionType"]
    if kind != "INCLUDE":
        return "all" if kind == "ALL" else "keys"
    return ", ".join(sorted(projection.get("NonKeyAttributes", ())))


def _ttl_difference(table: Table, name: str) -> Flow[list[str]]:
    stored = yield from _ttl(name)
    for _, pause in zip(range(_LOOKS_AT_A_MISSING_TTL), _pauses(), strict=False):
        if stored is not None or table.ttl is None:
            break
        # Somebody else may be creating the table just now: the time to live comes last.
        yield pause
        stored = yield from _ttl(name)
    if stored == table.ttl:
        return []
    return [f"its time to live is {_shown_ttl(stored)}, declared is {_shown_ttl(table.ttl)}"]


def _ttl(name: str) -> Flow[str | None]:
    """The attribute of the time to live, or None if it is off."""
    response = yield Call("describe_time_to_live", {"TableName": name})
    description = response.get("TimeToLiveDescription", {})
    if description.get("TimeToLiveStatus") not in ("ENABLED", "ENABLING"):
        return None
    return cast("str", description["AttributeName"])


def _shown_ttl(attribute: str | None) -> str:
    return "off" if attribute is None else f"on attribute {attribute!r}"
