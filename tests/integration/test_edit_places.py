"""Where an edit writes: never on another element of a list, and also into a map that is not stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from dynattrs import ConditionFailed, MappingError, Session, field, model, partition_key, set_


@attrs.define
class Line:
    product: str
    qty: int = 1
    options: dict[str, int] = attrs.field(factory=dict)
    notes: list[str] = attrs.field(factory=list)


@attrs.define
class Parcel:
    label: str = ""
    lines: list[Line] = attrs.field(factory=list)


@model("carts")
class Cart:
    id: str = partition_key()
    lines: list[Line] = attrs.field(factory=list)
    parcels: list[Parcel] = attrs.field(factory=list)
    by_name: dict[str, list[Line]] = attrs.field(factory=dict)
    pairs: set[tuple[str, int]] = attrs.field(factory=set)
    count: int = 0


@attrs.define
class Address:
    city: str = ""
    rooms: list[str] = attrs.field(factory=list)
    geo: dict[str, int] = attrs.field(factory=dict)


@model("people")
class Person:
    id: str = partition_key()
    name: str = ""
    counts: dict[str, int] = attrs.field(factory=dict)
    address: Address = attrs.field(factory=Address)
    tags: list[str] = attrs.field(factory=list)
    labels: set[str] = attrs.field(factory=set)


@model("numbered")
class Numbered:
    id: str = partition_key()
    email: str | None = field(unique=True, default=None)
    counts: dict[str, int] = attrs.field(factory=dict)
    version: int = field(version=True)


MODELS = (Cart, Person)


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(*MODELS)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    with Session(client=client, table_prefix=table_prefix) as session:
        yield session


def cart() -> Cart:
    return Cart(
        "c",
        [Line("book"), Line("pen"), Line("lamp")],
        [Parcel("a", [Line("book"), Line("pen")]), Parcel("b", [Line("book"), Line("pen")])],
        {"x": [Line("book"), Line("pen"), Line("lamp")]},
    )


def read(session: Session) -> Cart:
    return session.get_one(Cart, "c", consistent=True)


# --- Places in lists ----------------------------------------------------------------------------


def shift(found: Cart) -> None:
    del found.lines[0]


def shift_parcels(found: Cart) -> None:
    del found.parcels[0]


def shift_nested(found: Cart) -> None:
    del found.parcels[1].lines[0]


def shift_by_name(found: Cart) -> None:
    del found.by_name["x"][0]


def swap(found: Cart) -> None:
    found.lines.reverse()


def change_field(found: Cart) -> None:
    found.lines[2].qty = 50


def change_same(found: Cart) -> None:
    found.lines[1].qty = 50


def replace_element(found: Cart) -> None:
    found.lines[1] = Line("ink")


def change_option(found: Cart) -> None:
    found.lines[1].options["blue"] = 1


def change_nested(found: Cart) -> None:
    found.parcels[1].lines[1].qty = 50


def change_by_name(found: Cart) -> None:
    found.by_name["x"][1].qty = 50


@pytest.mark.parametrize("guard", [False, True])
@pytest.mark.parametrize(
    ("theirs", "mine"),
    [
        (shift, change_field),
        (shift, change_same),
        (shift, replace_element),
        (shift, change_option),
        (swap, change_field),
        (shift_parcels, change_nested),
        (shift_nested, change_nested),
        (shift_by_name, change_by_name),
    ],
)
def test_a_change_never_lands_on_another_element(
    session: Session,
    theirs: Callable[[Cart], None],
    mine: Callable[[Cart], None],
    guard: bool,
):
    """Quantities are mostly 1, so a guard that compares the leaf alone did not notice."""
    session.save(cart())
    first, second = read(session), read(session)
    with session.edit(first):
        theirs(first)

    with (
        pytest.raises(ConditionFailed, match="is as it was read") as failed,
        session.edit(second, guard=guard),
    ):
        mine(second)

    assert read(session) == first
    assert failed.value.item == first


def test_an_element_whose_position_is_as_it_was_is_changed_beside_other_writers(session: Session):
    session.save(cart())
    first, second = read(session), read(session)
    with session.edit(first):
        first.lines.append(Line("ink"))
        first.lines[0].qty = 7
        first.count = 1

    with session.edit(second):
        second.lines[1].qty = 50

    assert [(line.product, line.qty) for line in read(session).lines] == [
        ("book", 7), ("pen", 50), ("lamp", 1), ("ink", 1)
    ]  # fmt: skip


def test_a_guard_demands_the_lists_length_as_well(session: Session):
    """An equal element may have come before it: the one at this position is then another."""
    session.save(Cart("c", [Line("pen"), Line("pen"), Line("pen")]))
    first, second = read(session), read(session)
    with session.edit(first):
        del first.lines[0]

    with pytest.raises(ConditionFailed, match="has 3 elements"):
        with session.edit(second, guard=True):
            second.lines[1].qty = 2
    session.refresh(second)
    with session.edit(second, guard=True):
        second.lines[1].qty = 2

    assert [line.qty for line in read(session).lines] == [1, 2]


def test_after_a_refusal_a_refreshed_object_is_edited(session: Session):
    session.save(cart())
    first, second = read(session), read(session)
    with session.edit(first):
        del first.lines[0]
    with pytest.raises(ConditionFailed), session.edit(second):
        second.lines[1].qty = 50

    session.refresh(second)
    with session.edit(second):
        second.lines[0].qty = 50

    assert read(session).lines == [Line("pen", 50), Line("lamp")]


def stored_line(product: str, **more: Any) -> dict[str, Any]:
    return {"M": {"product": {"S": product}, "qty": {"N": "1"}, **more}}


@pytest.mark.parametrize("guard", [False, True])
def test_elements_that_are_stored_in_another_form_are_the_same_elements(
    session: Session, client: Any, table_prefix: str, guard: bool
):
    """They lack newer fields, have attributes that no class knows, and numbers in other digits."""
    lines = [stored_line("book"), stored_line("pen", color={"S": "red"}, options={"NULL": True})]
    lines[1]["M"] |= {"qty": {"N": "1.0"}, "options": {"M": {"x": {"N": "10E-1"}}}}
    client.put_item(
        TableName=f"{table_prefix}carts", Item={"id": {"S": "c"}, "lines": {"L": lines}}
    )
    found = read(session)

    with session.edit(found, guard=guard):
        found.lines[1].qty = 50
        found.lines[0].options["new"] = 1
        found.lines[0].notes.append("n")

    assert read(session) == found
    (item,) = client.scan(TableName=f"{table_prefix}carts", ConsistentRead=True)["Items"]
    assert item["lines"]["L"][1]["M"]["color"] == {"S": "red"}


def test_a_set_that_is_stored_as_a_list_has_no_positions(
    session: Session, client: Any, table_prefix: str
):
    """Another program may have stored the members in another order: one of them was lost."""
    members = [{"L": [{"S": name}, {"N": "1"}]} for name in "abcdefgh"]
    for order in (members, members[::-1], members[3:] + members[:3]):
        item = {"id": {"S": "c"}, "pairs": {"L": order}}
        client.put_item(TableName=f"{table_prefix}carts", Item=item)
        found = read(session)

        with session.edit(found):
            found.pairs.remove(("c", 1))
            found.pairs.add(("z", 1))

        assert read(session).pairs == found.pairs


def test_very_many_elements_are_changed_under_the_condition_of_the_whole_list(session: Session):
    """As many conditions have no place in an expression."""
    session.save(Cart("c", [Line(f"product {n}") for n in range(190)]))
    first, second, third = (read(session) for _ in range(3))
    with session.edit(first):
        for line in first.lines:
            line.qty = 2
    assert read(session) == first

    with pytest.raises(ConditionFailed), session.edit(second):
        for line in second.lines[1:]:
            line.qty = 3
    with pytest.raises(ConditionFailed), session.edit(third):
        third.lines[5].qty = 3
    assert read(session) == first


# --- Maps that are not stored -------------------------------------------------------------------


def count(person: Any) -> None:
    person.counts["a"] = 1


def move(person: Person) -> None:
    person.address.city = "Paris"


def furnish(person: Person) -> None:
    person.address.rooms.append("kitchen")


def locate(person: Person) -> None:
    person.address.geo["x"] = 1


def tag(person: Person) -> None:
    person.tags.append("t")


def label(person: Person) -> None:
    person.labels.add("l")


def everything(person: Person) -> None:
    for change in (count, move, furnish, locate, tag, label):
        change(person)
    person.name = "ann"


CHANGES = (count, move, furnish, locate, tag, label, everything)
#: What older items have.
OLDER: list[dict[str, Any]] = [
    {},
    {"address": {"M": {}}},
    {"address": {"M": {"planet": {"S": "Earth"}}}, "shoe": {"N": "39"}},
    {"counts": {"M": {"b": {"N": "2"}}}},
]


@pytest.mark.parametrize("guard", [False, True])
@pytest.mark.parametrize("older", OLDER, ids=["nothing", "empty", "unknown", "counts"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_map_that_an_older_item_lacks_is_written_whole(
    session: Session,
    client: Any,
    table_prefix: str,
    change: Callable[[Person], None],
    older: dict[str, Any],
    guard: bool,
):
    table = f"{table_prefix}people"
    client.put_item(TableName=table, Item={"id": {"S": "old"}, **older})
    person = session.get_one(Person, "old", consistent=True)

    with session.edit(person, guard=guard):
        change(person)

    assert session.get_one(Person, "old", consistent=True) == person
    (item,) = client.scan(TableName=table, ConsistentRead=True)["Items"]
    assert item.get("shoe") == older.get("shoe")
    if "planet" in older.get("address", {}).get("M", {}):
        assert item["address"]["M"]["planet"] == {"S": "Earth"}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_stored_costs_no_second_request(session: Session, change: Callable[[Person], None]):
    person = session.save(Person("new"))
    before = session.stats.total

    with session.edit(person):
        change(person)

    assert session.stats.total == before + 1


def test_a_map_that_another_writer_has_removed_is_not_brought_back(
    session: Session, client: Any, table_prefix: str
):
    person = session.save(Person("p", address=Address("Oslo", ["kitchen"])))
    client.put_item(TableName=f"{table_prefix}people", Item={"id": {"S": "p"}})

    with pytest.raises(ConditionFailed), session.edit(person):
        person.address.city = "Paris"

    (item,) = client.scan(TableName=f"{table_prefix}people", ConsistentRead=True)["Items"]
    assert item == {"id": {"S": "p"}}


def test_a_map_is_also_written_whole_with_a_version_and_unique_fields(
    session: Session, client: Any, table_prefix: str
):
    session.tables.create(Numbered)
    for number, email in enumerate((None, "ann@x")):
        item = {"id": {"S": str(number)}, "version": {"N": "3"}}
        client.put_item(TableName=f"{table_prefix}numbered", Item=item)
        found = session.get_one(Numbered, str(number), consistent=True)

        with session.edit(found):
            found.counts["a"] = 1
            found.email = email

        assert found.version == 4
        assert session.get_one(Numbered, str(number), consistent=True) == found


# --- Edits that failed --------------------------------------------------------------------------


def test_an_object_whose_edit_has_failed_is_edited_again(session: Session):
    person = session.save(Person("p", counts={"a": 1}))
    unfit: Any = object()
    with pytest.raises(MappingError), session.edit(person):
        person.counts["b"] = unfit

    with session.edit(person):
        person.counts["b"] = 2
        person.name = "ann"

    assert session.get_one(Person, "p", consistent=True) == person


def test_an_object_is_edited_again_after_an_error_in_the_block(session: Session):
    person = session.save(Person("p", counts={"a": 1}))
    unfit: Any = object()
    with pytest.raises(ZeroDivisionError), session.edit(person):
        person.counts["b"] = unfit
        raise ZeroDivisionError

    with session.edit(person):
        del person.counts["b"]
        person.address.city = "Paris"

    assert session.get_one(Person, "p", consistent=True) == person


def test_a_failed_edit_is_written_by_the_next_also_beside_another_writer(session: Session):
    person = session.save(Person("p"))
    with pytest.raises(ZeroDivisionError), session.edit(person):
        person.counts["a"] = 1
        raise ZeroDivisionError
    session.update(Person, "p", set_(Person.name, "theirs"))

    with session.edit(person):
        person.counts["b"] = 1

    found = session.get_one(Person, "p", consistent=True)
    assert found.counts == {"a": 1, "b": 1}
    assert found.name == "theirs"
