"""What is to be known of two tables before one is copied to the other, or compared with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from dynattrs.errors import ModelError
from dynattrs.operations.flows import Call, Flow
from dynattrs.schema.table import Table

if TYPE_CHECKING:
    from dynattrs.session.session import Session


def check_pairs(
    tables: Iterable[Table], session: Session, other: Session, owner: str, what: str
) -> None:
    """Refuse tables that have not the same keys in both places, or that are one and the same.

    Args:
        tables: The tables, as they are declared.
        session: Where they are read.
        other: The other place.
        owner: Who asks, for messages: `copy(to=...)`.
        what: What would be done with a table and itself, for messages.

    Raises:
        ModelError: They differ, or are the same.
        NoSuchTable: One of them does not exist.
    """
    for table in tables:
        one, two = _described(session, table), _described(other, table)
        if _is_same(one, two):
            raise ModelError(
                owner,
                f"table {one.name!r} would be {what} itself: both sessions lead to {one.arn or one.url}; "
                f"give the other one another region_name, endpoint_url, table_prefix, or tables={{...}}",
            )
        if one.keys != two.keys:
            raise ModelError(
                owner,
                f"table {one.name!r} has the key {_shown(one)}, and {two.name!r} there has {_shown(two)}; "
                f"nothing was written. Make it with the same key: session.tables.create(...)",
            )


@attrs.frozen
class _Described:
    """What identifies a table, and its key.

    Attributes:
        name: Its real name.
        url: Where it was asked for.
        arn: Its name among all tables of AWS; "" where the engine gives none.
        id: Which one of that name it is; "" where the engine does not say.
        keys: The attributes of its key with their types.
    """

    name: str
    url: str
    arn: str
    id: str
    keys: tuple[tuple[str, str], ...]


def _described(session: Session, table: Table) -> _Described:
    name = session._core.table_name(table)
    found: Mapping[str, Any] = session._drive(_describe(name))["Table"]
    types = {each["AttributeName"]: each["AttributeType"] for each in found["AttributeDefinitions"]}
    keys = sorted(found["KeySchema"], key=lambda each: str(each["KeyType"]))  # HASH, RANGE
    return _Described(
        name,
        session.client.meta.endpoint_url,
        found.get("TableArn", ""),
        found.get("TableId", ""),
        tuple((each["AttributeName"], types[each["AttributeName"]]) for each in keys),
    )


def _describe(name: str) -> Flow[Any]:
    return (yield Call("describe_table", {"TableName": name}))


def _is_same(one: _Described, two: _Described) -> bool:
    if one.id and two.id:
        # Replicas of a global table are tables of their own.
        return (one.id, one.arn) == (two.id, two.arn)
    return (one.url, one.arn, one.name) == (two.url, two.arn, two.name)


def _shown(table: _Described) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in table.keys)
