"""`session.edit`: only what changed is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
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
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Person, Paper)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    session = Session(client=client, table_prefix=table_prefix)
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


def test_what_others_put_into_a_set_stays_also_where_it_was_or_becomes_empty(session: Session):
    person = full()
    person.tags = set()
    session.save(person)
    one, other = stored(session), stored(session)
    for each, tag in ((one, "a"), (other, "b")):
        with session.edit(each):
            each.tags.add(tag)
    assert stored(session).tags == {"a", "b"}

    session.update(stored(session), set_(Person.tags, {"a"}))
    one, other = stored(session), stored(session)
    with session.edit(one):
        one.tags.add("c")
    with session.edit(other):
        other.tags.discard("a")
    assert stored(session).tags == {"c"}


def test_a_list_that_grows_or_shrinks_is_written_whole(session: Session) -> None:
    person = session.save(full())

    with session.edit(person):
        person.homes.append(Address("C"))
    assert [home.city for home in stored(session).homes] == ["A", "B", "C"]

    with session.edit(person):
        del person.homes[0]
    assert [home.city for home in stored(session).homes] == ["B", "C"]


@pytest.mark.parametrize("guard", [False, True])
def test_a_long_list_of_numbers_that_was_made_again_is_written_whole(session, guard: bool) -> None:
    """Each of 1,024 numbers by its place would be four times as long as an expression may be."""

    @model("people")
    class Embedded:
        name: str = partition_key()
        floats: list[float] = attrs.field(factory=list)

    obj = Embedded("ann", [number / 7 for number in range(1024)])
    session.save(obj)

    with session.edit(obj, guard=guard):
        obj.floats = [number / 9 for number in range(1024)]

    assert session.get_one(Embedded, "ann", consistent=True) == obj


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
    with session.batch() as batch:
        person = batch.save(full())
        with batch.edit(person):
            person.age = 99
    assert stored(session).age == 99


def test_editing_through_a_batch_that_has_ended_is_refused(session: Session) -> None:
    person = session.save(full())
    with session.batch() as batch:
        pass

    with pytest.raises(SessionClosed):
        batch.edit(person)


def test_frozen_objects_are_refused_with_what_to_do(session: Session) -> None:
    @model("people", frozen=True)
    class Frozen:
        name: str = partition_key()

    with pytest.raises(ConditionError, match="frozen"):
        session.edit(Frozen("ann"))


# --- Attributes inside nested classes that nobody knows ---------------------------------------------


@attrs.define
class Item:
    sku: str
    quantity: int = field(name="qty", default=1)


@attrs.define
class Basket:
    name: str = ""
    items: list[Item] = attrs.field(factory=list)


@model("orders")
class Order:
    id: str = partition_key()
    basket: Basket = field(name="the basket", factory=Basket)
    items: list[Item] = attrs.field(factory=list)
    by_name: dict[str, Item] = attrs.field(factory=dict)
    pair: tuple[Item, int] = attrs.field(factory=lambda: (Item("none"), 0))
    main: Item | None = None
    mainly: int = 0


def stored_item(sku: str, **unknown: str) -> dict[str, Any]:
    known = {"sku": {"S": sku}, "qty": {"N": "1"}}
    return {"M": {**known, **{name: {"S": value} for name, value in unknown.items()}}}


@pytest.fixture
def order(session: Session, client: Any, table_prefix: str) -> Order:
    """An order with a colour of which no class knows, wherever there is an item."""
    session.tables.create(Order)
    red, blue = stored_item("a", color="red"), stored_item("b", color="blue")
    item = {
        "id": {"S": "1"},
        "the basket": {"M": {"name": {"S": ""}, "items": {"L": [red]}}},
        "items": {"L": [red, blue]},
        "by_name": {"M": {"x": red, "y": blue}},
        "pair": {"L": [red, {"N": "7"}]},
        "main": red,
        "mainly": {"N": "0"},
    }
    client.put_item(TableName=table_prefix + "orders", Item=item)
    return session.get_one(Order, "1", consistent=True)


def add_to_nested_list(order: Order) -> None:
    order.basket.items.append(Item("z"))


def swap_in_list(order: Order) -> None:
    order.items.reverse()


def move_up_in_list(order: Order) -> None:
    order.items[0] = order.items[1]
    order.items[1] = Item("z")


def swap_in_dict(order: Order) -> None:
    order.by_name["x"], order.by_name["y"] = order.by_name["y"], order.by_name["x"]


def drop_from_dict(order: Order) -> None:
    del order.by_name["x"]


def replace_in_list(order: Order) -> None:
    order.items[0] = Item("new")


def replace_in_dict(order: Order) -> None:
    order.by_name["x"] = Item("new")


def replace_alone(order: Order) -> None:
    order.main = Item("new")


def replace_around(order: Order) -> None:
    order.basket = Basket("new", [Item("a")])


@pytest.mark.parametrize(
    "change",
    [
        add_to_nested_list, swap_in_list, move_up_in_list, swap_in_dict, drop_from_dict,
        replace_in_list, replace_in_dict, replace_alone, replace_around,
    ],
)  # fmt: skip
def test_what_would_erase_or_mix_up_unknown_attributes_anywhere_is_refused(
    session: Session, client: Any, table_prefix: str, order: Order, change: Any
) -> None:
    """One of them was erased in silence, others were found beside another item's fields."""
    before = client.scan(TableName=table_prefix + "orders", ConsistentRead=True)["Items"]

    with (
        pytest.raises(MappingError, match=r"color \(item with key id='1'\); replacing"),
        session.edit(order),
    ):
        change(order)

    after = client.scan(TableName=table_prefix + "orders", ConsistentRead=True)["Items"]
    assert after == before


def test_fields_beside_unknown_attributes_may_change_anywhere(
    session: Session, client: Any, table_prefix: str, order: Order
) -> None:
    with session.edit(order):
        order.basket.name = "big"
        order.basket.items[0].quantity = 2
        order.items[1].quantity = 3
        order.by_name["x"].quantity = 4
        order.by_name["z"] = Item("new")
        order.pair[0].quantity = 5
        order.mainly = 6

    (found,) = client.scan(TableName=table_prefix + "orders", ConsistentRead=True)["Items"]
    assert found["the basket"]["M"]["items"]["L"][0]["M"]["color"] == {"S": "red"}
    assert [each["M"]["color"]["S"] for each in found["items"]["L"]] == ["red", "blue"]
    assert found["by_name"]["M"]["y"] == stored_item("b", color="blue")
    assert found["pair"]["L"][0]["M"]["color"] == {"S": "red"}
    again = session.get_one(Order, "1", consistent=True)
    assert again == order


def test_attributes_beside_the_fields_of_a_frozen_object_stay(
    session: Session, client: Any
) -> None:
    """It can only be replaced where a field of it is meant."""

    @attrs.frozen
    class Size:
        width: int = 1
        height: int = 1

    @model("frames")
    class Frame:
        id: str = partition_key()
        sizes: list[Size] = attrs.field(factory=list)

    session.tables.create(Frame)
    size = {"M": {"width": {"N": "1"}, "unit": {"S": "cm"}}}
    table = session._core.table_prefix + "frames"
    client.put_item(TableName=table, Item={"id": {"S": "f"}, "sizes": {"L": [size]}})
    frame = session.get_one(Frame, "f", consistent=True)

    with session.edit(frame):
        frame.sizes[0] = attrs.evolve(frame.sizes[0], width=2)

    (found,) = client.scan(TableName=table, ConsistentRead=True)["Items"]
    assert found["sizes"]["L"][0]["M"]["width"] == {"N": "2"}
    assert found["sizes"]["L"][0]["M"]["unit"] == {"S": "cm"}


def test_what_is_known_wholly_may_be_moved(session: Session) -> None:
    session.tables.create(Order)
    order = session.save(Order("2", items=[Item("a"), Item("b")], by_name={"x": Item("c")}))

    with session.edit(order):
        order.items.reverse()
        order.main = order.by_name.pop("x")

    assert session.get_one(Order, "2", consistent=True) == order


# --- What belongs to the library ---------------------------------------------------------------------


def test_the_version_is_not_changed_inside_an_edit(session: Session) -> None:
    paper = session.save(Paper("a"))

    with pytest.raises(ConditionError, match=r"Paper\.version is the version"), session.edit(paper):
        paper.version = 7


def test_a_save_inside_an_edit_of_the_same_object_is_refused_on_leaving(session: Session) -> None:
    paper = session.save(Paper("a"))

    with pytest.raises(ConditionError, match="was saved"), session.edit(paper):
        paper.text = "changed"
        session.save(paper)

    assert session.get_one(Paper, "a", consistent=True).text == "changed"
    with session.edit(paper):
        paper.text = "again"
    assert session.get_one(Paper, "a", consistent=True) == paper


def test_a_time_stamp_that_is_assigned_inside_an_edit_is_the_sessions_own(session: Session) -> None:
    paper = session.save(Paper("a"))
    old = datetime(2000, 1, 1, tzinfo=timezone.utc)

    with session.edit(paper):
        paper.text = "changed"
        paper.changed = old

    assert paper.changed is not None
    assert paper.changed > old
    assert session.get_one(Paper, "a", consistent=True) == paper
