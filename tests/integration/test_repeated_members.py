"""Another program has stored a set as a list, and a member twice in it. DynamoDB takes no such set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from dynattrs import Session, add, delete, model, partition_key


@model("repeated")
class Tagged:
    id: str = partition_key()
    words: set[str] = attrs.field(factory=set)
    numbers: set[int] = attrs.field(factory=set)
    rates: set[float] = attrs.field(factory=set)
    blobs: set[bytes] = attrs.field(factory=set)
    maybe: set[int] | None = None
    inside: dict[str, set[int]] = attrs.field(factory=dict)


def listed(tag: str, *members: Any) -> dict[str, Any]:
    return {"L": [{tag: each} for each in members]}


STORED = {
    "words": listed("S", "a", "a", "b"),
    "numbers": listed("N", "2", "2.0", "3"),
    "rates": listed("N", "0.5", "5E-1", "0.1", "0.10000000000000000555"),
    "blobs": listed("B", b"x", b"x", b"y"),
    "maybe": listed("N", "2", "2", "3"),
}
#: A member that is put in, and one that is taken out.
MEMBERS: dict[str, tuple[Any, Any]] = {
    "words": ("c", "b"),
    "numbers": (5, 3),
    "rates": (0.25, 0.1),
    "blobs": (b"z", b"y"),
    "maybe": (5, 3),
}


@pytest.fixture
def session(client: Any, kept_tables: Callable[..., str]) -> Iterator[Session]:
    with Session(client=client, table_prefix=kept_tables(Tagged)) as made:
        yield made


@pytest.fixture
def stored(session: Session, client: Any) -> Tagged:
    item = {"id": {"S": "a"}, "inside": {"M": {"k": listed("N", "1", "1")}}, **STORED}
    client.put_item(TableName=session.tables.describe(Tagged)["TableName"], Item=item)
    return session.get_one(Tagged, "a", consistent=True)


def by_key(session: Session, _: Tagged, name: str, member: Any, put_in: bool) -> None:
    session.update(Tagged, "a", (add if put_in else delete)(getattr(Tagged, name), {member}))


def by_object(session: Session, obj: Tagged, name: str, member: Any, put_in: bool) -> None:
    session.update(obj, (add if put_in else delete)(getattr(Tagged, name), {member}))


def in_a_transaction(session: Session, _: Tagged, name: str, member: Any, put_in: bool) -> None:
    with session.transaction() as t:
        t.update(Tagged, "a", (add if put_in else delete)(getattr(Tagged, name), {member}))


def changed(obj: Tagged, name: str, member: Any, put_in: bool) -> None:
    members = getattr(obj, name)
    members.add(member) if put_in else members.remove(member)


def edited(session: Session, obj: Tagged, name: str, member: Any, put_in: bool) -> None:
    with session.edit(obj):
        changed(obj, name, member, put_in)


def edited_with_guard(session: Session, obj: Tagged, name: str, member: Any, put_in: bool) -> None:
    with session.edit(obj, guard=True):
        changed(obj, name, member, put_in)


def edited_in_a_transaction(
    session: Session, obj: Tagged, name: str, member: Any, put_in: bool
) -> None:
    with session.transaction() as t, t.edit(obj):
        changed(obj, name, member, put_in)


WAYS = (
    by_key, by_object, in_a_transaction, edited, edited_with_guard, edited_in_a_transaction,
)  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", MEMBERS)
def test_members_are_put_in_and_taken_out(
    session: Session, stored: Tagged, name: str, way: Any
) -> None:
    new, old = MEMBERS[name]
    expected = {*getattr(stored, name)}

    way(session, stored, name, new, True)
    expected.add(new)
    found = session.get_one(Tagged, "a", consistent=True)
    assert getattr(found, name) == expected

    way(session, found, name, old, False)
    expected.remove(old)
    assert getattr(session.get_one(Tagged, "a", consistent=True), name) == expected


def test_they_are_inside_a_map(session: Session, stored: Tagged) -> None:
    with session.edit(stored):
        stored.inside["k"].add(9)

    assert session.get_one(Tagged, "a", consistent=True).inside == {"k": {1, 9}}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", MEMBERS)
def test_what_is_left_of_a_list_is_a_set(
    session: Session, stored: Tagged, name: str, way: Any
) -> None:
    _, old = MEMBERS[name]
    way(session, stored, name, old, False)

    expected = getattr(stored, name) - {old}
    assert getattr(session.get_one(Tagged, "a", consistent=True), name) == expected
