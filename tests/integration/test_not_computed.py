"""An update that computes with what another program has stored otherwise: the error says what is there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from dynattrs import (
    ConditionError,
    ConditionFailed,
    MappingError,
    NoSuchItem,
    Session,
    TransactionFailed,
    add,
    field,
    if_not_exists,
    list_append,
    model,
    partition_key,
    path,
    set_,
)


@attrs.define
class Inner:
    count: int = 0


@model("computed")
class Doc:
    id: str = partition_key()
    plays: int = 0
    rank: int | None = None
    total: int = 0
    notes: list[str] = attrs.field(factory=list)
    counts: dict[str, int] = attrs.field(factory=dict)
    inner: Inner | None = None
    inners: list[Inner] = attrs.field(factory=list)
    anything: Any = None


@model("computed")
class Versioned:
    id: str = partition_key()
    text: str = ""
    version: int = field(version=True)


@model("computed")
class Named:
    id: str = partition_key()
    name: str = field(unique=True)
    plays: int = 0


@pytest.fixture
def session(client: Any, kept_tables: Callable[..., str]) -> Iterator[Session]:
    with Session(client=client, table_prefix=kept_tables(Doc)) as made:
        yield made


def updated(session: Session, cls: Any, *actions: Any) -> None:
    session.update(cls, "a", *actions)


def in_a_batch(session: Session, cls: Any, *actions: Any) -> None:
    with session.batch() as batch:
        batch.update(cls, "a", *actions)


def upserted(session: Session, cls: Any, *actions: Any) -> None:
    session.update(cls, "a", *actions, upsert=True)


def in_a_transaction(session: Session, cls: Any, *actions: Any) -> None:
    with session.transaction() as t:
        t.save(Doc("b"))
        t.update(cls, "a", *actions)


def with_a_token(session: Session, cls: Any, *actions: Any) -> None:
    with session.transaction(token="t1") as t:
        t.update(cls, "a", *actions)


WAYS = (updated, in_a_batch, upserted, in_a_transaction, with_a_token)

TEXT, NOTHING = {"S": "5"}, {"NULL": True}

#: A model, what is stored, actions, and what the error says.
CASES: dict[str, tuple[Any, dict[str, Any], Any, str]] = {
    "text for a number": (
        Doc, {"plays": TEXT}, add(Doc.plays, 1), "add(Doc.plays, 1): Doc.plays is S '5', not a number"
    ),
    "NULL for a number": (
        Doc, {"plays": NOTHING}, add(Doc.plays, 1), "add(Doc.plays, 1): Doc.plays is NULL, not a number"
    ),
    "a number inside": (
        Doc, {"inner": {"M": {"count": TEXT}}}, add(path(Doc.inner).count, 1),
        "add(Doc.inner.count, 1): Doc.inner.count is S '5', not a number",
    ),
    "a number in a list": (
        Doc, {"inners": {"L": [{"M": {"count": TEXT}}]}}, add(Doc.inners[0].count, 1),
        "add(Doc.inners[0].count, 1): Doc.inners[0].count is S '5', not a number",
    ),
    "a number in a map": (
        Doc, {"counts": {"M": {"x": TEXT}}}, add(Doc.counts["x"], 1),
        "add(Doc.counts['x'], 1): Doc.counts['x'] is S '5', not a number",
    ),
    "nothing to compute with": (
        Doc, {}, set_(Doc.plays, Doc.plays + 1),
        "set_(Doc.plays, Doc.plays + 1): Doc.plays does not exist",
    ),
    "nothing to append to": (
        Doc, {}, set_(Doc.notes, list_append(Doc.notes, ["x"])),
        "set_(Doc.notes, list_append(Doc.notes, ['x'])): Doc.notes does not exist",
    ),
}  # fmt: skip

#: What the embedded engine takes.
STRICT: dict[str, tuple[Any, dict[str, Any], Any, str]] = {
    "text that is computed with": (
        Doc, {"plays": TEXT}, set_(Doc.total, Doc.plays + 1),
        "set_(Doc.total, Doc.plays + 1): Doc.plays is S '5', not a number",
    ),
    "text beside a default": (
        Doc, {"rank": TEXT}, set_(Doc.rank, if_not_exists(path(Doc.rank), 0) + 1),
        "Doc.rank is S '5', not a number",
    ),
    "text for a list": (
        Doc, {"notes": TEXT}, set_(Doc.notes, list_append(Doc.notes, ["x"])),
        "set_(Doc.notes, list_append(Doc.notes, ['x'])): Doc.notes is S '5', not a list",
    ),
    "text for a version": (
        Versioned, {"version": TEXT}, set_(Versioned.text, "new"), "Versioned.version is S '5', not a number"
    ),
}  # fmt: skip


def check(
    session: Session, client: Any, way: Any, case: tuple[Any, dict[str, Any], Any, str]
) -> None:
    cls, attributes, action, message = case
    if way is upserted and ("does not exist" in message or "[0]" in message):
        pytest.skip("a new item cannot be computed either")
    table = session.tables.describe(Doc)["TableName"]
    item = {"id": {"S": "a"}, **attributes}
    client.put_item(TableName=table, Item=item)

    with pytest.raises(ConditionError, match=re.escape(message)) as caught:
        way(session, cls, action)

    assert f"Nothing was written to the item of {cls.__name__} with the key {{'id': 'a'}}" in str(
        caught.value
    )
    assert client.get_item(TableName=table, Key={"id": {"S": "a"}})["Item"] == item
    assert not session.exists(Doc, "b", consistent=True)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CASES)
def test_what_cannot_be_computed_is_named(
    session: Session, client: Any, name: str, way: Any
) -> None:
    check(session, client, way, CASES[name])


@pytest.mark.parametrize("endpoint", ["dynamodb-local"], indirect=True)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", STRICT)
def test_what_a_strict_engine_refuses_is_named(
    session: Session, client: Any, name: str, way: Any
) -> None:
    check(session, client, way, STRICT[name])


def test_it_is_named_where_guards_are_written_too(session: Session, client: Any) -> None:
    session.save(Named("a", "ann"))
    table = session.tables.describe(Doc)["TableName"]
    client.update_item(
        TableName=table, Key={"id": {"S": "a"}}, UpdateExpression="SET plays = :text",
        ExpressionAttributeValues={":text": TEXT},
    )  # fmt: skip

    with pytest.raises(ConditionError, match=re.escape("Named.plays is S '5', not a number")):
        session.update(Named, "a", set_(Named.name, "bob"), add(Named.plays, 1))
    with (
        pytest.raises(ConditionError, match=re.escape("Named.plays is S '5', not a number")),
        session.transaction() as t,
    ):
        t.update(Named, "a", set_(Named.name, "bob"), add(Named.plays, 1))

    assert session.exists(Named, "a")
    session.insert(Doc("other"))


def test_a_false_condition_is_told_first(session: Session, client: Any) -> None:
    table = session.tables.describe(Doc)["TableName"]
    client.put_item(TableName=table, Item={"id": {"S": "a"}, "plays": TEXT})
    false = Doc.total == 7

    with pytest.raises(ConditionFailed):
        session.update(Doc, "a", add(Doc.plays, 1), when=false)
    with pytest.raises(TransactionFailed), session.transaction() as t:
        t.update(Doc, "a", add(Doc.plays, 1), when=false)
    with pytest.raises(NoSuchItem):
        session.update(Doc, "none", add(Doc.plays, 1))


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("endpoint", ["dynamodb-local"], indirect=True)
@pytest.mark.parametrize("way", WAYS)
def test_what_is_nested_too_deeply_is_named(session: Session, client: Any, way: Any) -> None:
    if way is with_a_token:
        pytest.skip("a token is for one transaction")
    table = session.tables.describe(Doc)["TableName"]
    client.put_item(TableName=table, Item={"id": {"S": "a"}, "anything": {"M": {"x": {"N": "1"}}}})
    way(session, Doc, set_(Doc.anything, deep(31)))
    assert session.get_one(Doc, "a", consistent=True).anything == deep(31)

    client.put_item(TableName=table, Item={"id": {"S": "a"}, "anything": {"M": {"x": {"N": "1"}}}})
    for action, path_of in (
        (set_(Doc.anything, deep(33)), "Doc.anything"),
        (set_(path(Doc.anything)["x"], deep(32)), "Doc.anything['x']"),
    ):
        session.delete(Doc, "b")
        with pytest.raises(MappingError, match="at most 32 levels of lists and maps") as caught:
            way(session, Doc, action)
        # The new item of an upsert is judged as a whole.
        assert caught.value.path == (path_of if way is not upserted else "Doc.anything")
        assert caught.value.key == {"id": {"S": "a"}}
    assert session.get_one(Doc, "a", consistent=True).anything == {"x": 1}
