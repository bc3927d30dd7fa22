"""`session.edit`: only what changed is written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import attrs
import pytest

from dynattrs import (
    ConditionError,
    ConditionFailed,
    MappingError,
    NoSuchItem,
    Session,
    SessionClosed,
    add,
    field,
    model,
    partition_key,
    set_,
)


@attrs.define
class Address:
    city: str
    street: str = ""
    zip: str | None = None


@model("people")
class Person:
    name: str = partition_key()
    age: int | None = None
    tags: set[str] = attrs.field(factory=set)
    address: Address | None = None
    homes: list[Address] = attrs.field(factory=list)
    notes: dict[str, str] = attrs.field(factory=dict)


@model("papers")
class Paper:
    name: str = partition_key()
    text: str = ""
    version: int = field(version=True)
    changed: datetime | None = field(updated=True)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    session = Session(client=client, table_prefix=table_prefix)
    session.tables.create(Person, Paper)
    yield session
    session.close()


def stored(session: Session, name: str = "ann") -> Person:
    return session.get_one(Person, name, consistent=True)


def full() -> Person:
    return Person(
        "ann", 30, {"a", "b"}, Address("Oslo", "One", "1"), [Address("A"), Address("B")], {"x": "1"}
    )


def requests(session: Session) -> int:
    return session.stats.total


def test_in_place_changes_of_every_kind_are_written_with_one_request(session: Session) -> None:
    person = session.save(full())
    before = requests(session)

    with session.edit(person) as same:
        assert same is person
        person.tags.add("c")
        assert person.address is not None
        person.address.street = "Two"
        person.address.zip = None
        person.homes[1].city = "C"
        person.notes["y"] = "2"
        del person.notes["x"]
        person.age = None

    assert requests(session) == before + 1
    assert stored(session) == person


def test_what_another_writer_changed_elsewhere_stays(session: Session) -> None:
    person = session.save(full())
    session.update(Person, "ann", set_(Person.age, 31), add(Person.tags, {"theirs"}))

    with session.edit(person):
        assert person.address is not None
        person.address.city = "Bergen"
        person.tags.add("mine")

    found = stored(session)
    assert found.age == 31
    assert found.tags == {"a", "b", "theirs", "mine"}
    assert found.address == Address("Bergen", "One", "1")


def test_nothing_changed_means_no_request(session: Session) -> None:
    person = session.save(full())
    before = requests(session)

    with session.edit(person):
        person.tags = {"b", "a"}

    assert requests(session) == before


def test_a_set_that_gains_and_loses_members_and_one_that_is_emptied(session: Session) -> None:
    person = session.save(full())

    with session.edit(person):
        person.tags = {"b", "new"}
    assert stored(session).tags == {"b", "new"}

    with session.edit(person):
        person.tags.clear()
    assert stored(session).tags == set()


def test_a_list_that_grows_or_shrinks_is_written_whole(session: Session) -> None:
    person = session.save(full())

    with session.edit(person):
        person.homes.append(Address("C"))
    assert [home.city for home in stored(session).homes] == ["A", "B", "C"]

    with session.edit(person):
        del person.homes[0]
    assert [home.city for home in stored(session).homes] == ["B", "C"]


def test_an_exception_inside_sends_nothing_and_the_next_edit_writes_the_change(
    session: Session,
) -> None:
    person = session.save(full())
    with pytest.raises(ZeroDivisionError), session.edit(person):
        person.age = 40
        raise ZeroDivisionError
    assert stored(session).age == 30

    with session.edit(person):
        person.tags.add("later")

    assert stored(session).age == 40
    assert stored(session).tags == {"a", "b", "later"}


def test_a_changed_key_is_refused(session: Session) -> None:
    person = session.save(full())

    with (
        pytest.raises(ConditionError, match=r"Person\.name is part of the key"),
        session.edit(person),
    ):
        person.name = "bob"

    assert not session.exists(Person, "bob")


def test_an_item_that_is_gone_is_no_such_item_and_leaves_no_fragment(session: Session) -> None:
    person = session.save(full())
    session.delete(Person, "ann")

    with pytest.raises(NoSuchItem), session.edit(person):
        person.age = 1

    assert session.get(Person, "ann", consistent=True) is None


def test_a_guard_refuses_where_another_writer_changed_the_same_place(session: Session) -> None:
    person = session.save(full())
    session.update(Person, "ann", set_(Person.age, 31))

    with pytest.raises(ConditionFailed) as failed, session.edit(person, guard=True):
        person.age = 50
    assert failed.value.item.age == 31

    session.refresh(person)
    session.update(Person, "ann", add(Person.tags, {"theirs"}))
    with session.edit(person, guard=True):
        person.age = 50
    assert stored(session).age == 50


def test_a_version_is_checked_and_moves_only_when_the_service_says_yes(session: Session) -> None:
    session.save(Paper("plan", "one"))
    mine, theirs = session.get_one(Paper, "plan"), session.get_one(Paper, "plan")

    with session.edit(theirs):
        theirs.text = "two"
    assert theirs.version == 2
    assert theirs == session.get_one(Paper, "plan", consistent=True)

    for _ in range(2):
        with pytest.raises(ConditionFailed), session.edit(mine):
            mine.text = "three"
        assert mine.version == 1
    assert session.get_one(Paper, "plan").text == "two"


def test_the_time_stamp_comes_from_the_clock_of_the_session(client: Any, session: Session) -> None:
    moment = datetime.fromisoformat("2026-01-02T03:04:05+00:00")
    prefix = session._core.table_prefix
    with_clock = Session(client=client, table_prefix=prefix, clock=lambda: moment)
    paper = with_clock.save(Paper("plan"))
    assert paper.changed == moment

    moment += timedelta(days=1)
    with with_clock.edit(paper):
        paper.text = "new"
    assert session.get_one(Paper, "plan", consistent=True).changed == moment


def test_attributes_that_the_class_does_not_know_stay(session: Session, client: Any) -> None:
    table = session._core.table_prefix + "people"
    inner = {"M": {"city": {"S": "Oslo"}, "planet": {"S": "Earth"}}}
    item = {"name": {"S": "ann"}, "shoe": {"N": "39"}, "address": inner}
    client.put_item(TableName=table, Item=item)
    person = stored(session)

    with session.edit(person):
        person.age = 20
        assert person.address is not None
        person.address.street = "Three"

    found = client.get_item(TableName=table, Key={"name": {"S": "ann"}}, ConsistentRead=True)[
        "Item"
    ]
    assert found["shoe"] == {"N": "39"}
    assert found["address"]["M"] == {
        "city": {"S": "Oslo"}, "planet": {"S": "Earth"}, "street": {"S": "Three"}
    }  # fmt: skip


def test_replacing_a_value_with_unknown_attributes_inside_is_refused(
    session: Session, client: Any
) -> None:
    table = session._core.table_prefix + "people"
    inner = {"M": {"city": {"S": "Oslo"}, "planet": {"S": "Earth"}}}
    client.put_item(TableName=table, Item={"name": {"S": "ann"}, "address": inner})
    person = stored(session)

    with pytest.raises(MappingError, match="planet"), session.edit(person):
        person.address = None


def test_a_pending_save_of_the_same_key_is_stored_before_the_edit(session: Session) -> None:
    with session as block:
        person = block.save(full())
        with block.edit(person):
            person.age = 99
    assert stored(session).age == 99


def test_editing_through_a_block_that_has_ended_is_refused(session: Session) -> None:
    person = session.save(full())
    with session as block:
        pass

    with pytest.raises(SessionClosed):
        block.edit(person)


def test_frozen_objects_are_refused_with_what_to_do(session: Session) -> None:
    @model("people", frozen=True)
    class Frozen:
        name: str = partition_key()

    with pytest.raises(ConditionError, match="frozen"):
        session.edit(Frozen("ann"))
