"""`t.check` holds of an item of the class that is named, and of none only where it speaks of that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from dynattrs import (
    Session,
    Table,
    TransactionFailed,
    begins_with,
    exists,
    field,
    in_,
    is_none,
    model,
    not_,
    not_exists,
    not_none,
    partition_key,
)
from dynattrs.schema.model_info import model_info

ZOO = Table("zoo", partition_key="pk", discriminator="type")


@model(ZOO, pk="{name}")
class Cat:
    name: str
    n: int = 0
    owner: str | None = None


@model(ZOO, pk="{name}")
class Dog:
    name: str
    n: int = 7


PLAIN = Table("plain", partition_key="name", discriminator="type")


@model(PLAIN, upgrades=[lambda item: item.setdefault("owner", None) and None])
class Note:
    name: str = partition_key()
    n: int = 0
    owner: str | None = None


@model(PLAIN)
class Task:
    name: str = partition_key()
    n: int = 7


@model("alone")
class Alone:
    name: str = partition_key()
    n: int = 0
    owner: str | None = None
    version: int = field(version=True, default=0)


@attrs.frozen
class Place:
    """A model, and another one of its table whose items may lie under its keys."""

    mine: type[Any]
    other: type[Any] | None

    def __str__(self) -> str:
        return self.mine.__name__


PLACES = [Place(Cat, Dog), Place(Note, Task), Place(Alone, None)]


def conditions(cls: type[Any]) -> list[tuple[Any, bool, bool]]:
    """Conditions, whether they hold of an item (n=0, no owner), and whether of none."""
    name, n, owner = cls.name, cls.n, cls.owner
    return [
        (n == 0, True, False),
        (n != 3, True, False),
        (n != 0, False, False),
        (not_exists(owner), True, False),
        (is_none(owner), True, False),
        (not_none(owner), False, False),
        (not_exists(n), False, False),
        (not_(n == 3), True, False),
        (not_(begins_with(owner, "a")), True, False),
        (not_(in_(n, [3, 4])), True, False),
        (not_exists(owner) & (n != 3), True, False),
        (not_exists(owner) | (n == 3), True, False),
        (exists(name), True, False),
        (not_exists(name), False, True),
        (is_none(name), False, True),
        (not_(exists(name)), False, True),
        (not_exists(name) | (n == 0), True, True),
        (not_exists(name) | (n == 3), False, True),
        (not_(exists(name) & (n == 3)), True, True),
        (not_exists(name) & (n == 0), False, False),
        (not_exists(name) & not_exists(owner), False, True),
    ]


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(ZOO, PLAIN, Alone)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    session = Session(client=client, table_prefix=table_prefix)
    yield session
    session.close()


def holds(session: Session, *check: Any) -> str | bool | None:
    """Whether a check holds; if not, the kind of item that its reason has found."""
    try:
        with session.transaction() as t:
            t.check(*check)
    except TransactionFailed as failed:
        [reason] = failed.reasons
        assert reason is not None
        assert reason.code == "ConditionalCheckFailed"
        return reason.kind
    return True


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_a_check_holds_of_an_item_of_the_class(session: Session, place: Place):
    mine = place.mine
    session.save(mine("rex"))
    if place.other is not None:
        session.save(place.other("dog"))
    for condition, of_item, of_none in conditions(mine):
        said = str(condition)
        assert holds(session, mine, "rex", condition) is (of_item or None), said
        assert holds(session, mine, "gone", condition) is (of_none or None), said
        assert holds(session, mine("gone"), condition) is (of_none or None), said
        if place.other is not None:
            found = of_none or place.other.__name__
            assert holds(session, mine, "dog", condition) == found, said
            assert holds(session, mine("dog"), condition) == found, said


def test_a_check_of_an_old_item_without_a_kind_is_as_of_any(session: Session):
    client: Any = session.client
    name = session._core.table_name(ZOO)
    client.put_item(TableName=name, Item={"pk": {"S": "old"}, "name": {"S": "old"}})

    assert holds(session, Cat, "old", not_exists(Cat.n)) is True
    assert holds(session, Dog, "old", Dog.n != 3) is True
    assert holds(session, Cat, "old", not_exists(Cat.name)) is None


@model(Table("lines", partition_key="pk", sort_key="sk"), pk="ORDER#{order}", sk="LINE#{line}")
class Line:
    order: str = field(key_only=True)
    line: str = field(key_only=True)
    n: int = 0


def test_a_field_that_is_stored_in_the_key_only_says_whether_there_is_an_item(session: Session):
    session.tables.create(model_info(Line).table)
    session.save(Line("1", "a"))

    assert holds(session, Line, ("1", "a"), exists(Line.line)) is True
    assert holds(session, Line, ("1", "b"), exists(Line.line)) is None
    assert holds(session, Line, ("1", "a"), not_exists(Line.order)) is None
    assert holds(session, Line, ("1", "b"), not_exists(Line.order)) is True
    assert holds(session, Line, ("1", "b"), Line.n != 3) is None
    session.save(Line("1", "b", 1), when=not_exists(Line.line))
    session.delete(Line, ("1", "b"), when=exists(Line.line))
