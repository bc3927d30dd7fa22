"""Updates of places that are in nothing yet, by every way that an update is sent."""

from __future__ import annotations

import secrets
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
    delete,
    field,
    model,
    partition_key,
    path,
    remove,
    set_,
)


@attrs.define
class Address:
    street: str
    city: str = ""
    tags: set[str] = attrs.field(factory=set)


def few(obj: Any, attribute: Any, value: dict[str, int]) -> None:
    if len(value) > 1:
        raise ValueError("too many")


@model("parents-people")
class Person:
    id: str = partition_key()
    meta: dict[str, dict[str, int]] = attrs.field(factory=dict)
    counts: dict[str, int] = attrs.field(factory=lambda: {"visits": 1})
    few: dict[str, int] = attrs.field(factory=dict, validator=few)
    address: Address | None = None
    notes: list[str] = attrs.field(factory=list)
    rows: list[dict[str, int]] = attrs.field(factory=list)
    version: int = field(version=True)


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Person)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    with Session(client=client, table_prefix=table_prefix) as session:
        yield session


def put(session: Session, **attributes: Any) -> None:
    table = session.tables.describe(Person)["TableName"]
    session.client.put_item(TableName=table, Item={"id": {"S": "a"}, **attributes})


def raw(session: Session) -> Any:
    table = session.tables.describe(Person)["TableName"]
    item = session.client.get_item(TableName=table, Key={"id": {"S": "a"}}, ConsistentRead=True)
    item["Item"].pop("version", None)
    return item["Item"]


def by_update(session: Session, *actions: Any, **options: Any) -> Any:
    return session.update(Person, "a", *actions, **options)


def by_object(session: Session, *actions: Any, **options: Any) -> Any:
    return session.update(session.get_one(Person, "a", consistent=True), *actions, **options)


def by_batch(session: Session, *actions: Any, **options: Any) -> Any:
    with session.batch() as batch:
        return batch.update(Person, "a", *actions, **options)


def by_transaction(session: Session, *actions: Any, **options: Any) -> None:
    with session.transaction() as t:
        t.update(Person, "a", *actions, **options)


WAYS = {"update": by_update, "object": by_object, "batch": by_batch, "transaction": by_transaction}
every_way = pytest.mark.parametrize("update", WAYS.values(), ids=WAYS)


@every_way
@pytest.mark.parametrize("meta", [{}, {"meta": {"NULL": True}}, {"meta": {"M": {}}}], ids=str)
def test_maps_are_made_where_they_are_missing(session: Session, update: Any, meta: Any):
    if "NULL" in meta.get("meta", {}) and update is by_object:
        pytest.skip("such an item cannot be read")
    put(session, **meta)

    update(session, set_(Person.meta["x"]["y"], 1), set_(Person.meta["x"]["z"], 2))

    assert raw(session)["meta"] == {"M": {"x": {"M": {"y": {"N": "1"}, "z": {"N": "2"}}}}}


@every_way
def test_what_is_made_begins_as_it_reads(session: Session, update: Any, endpoint: Any):
    if endpoint.engine == "embedded" and update is not by_transaction:
        pytest.skip("this engine makes the map by itself, and empty: docs/sessions.md")
    put(session)

    update(session, add(Person.counts["calls"], 2), add(Person.counts["visits"], 1))

    assert raw(session) == {
        "id": {"S": "a"},
        "counts": {"M": {"visits": {"N": "2"}, "calls": {"N": "2"}}},
    }


@every_way
def test_a_class_is_made_whole_or_not_at_all(session: Session, update: Any):
    put(session)

    with pytest.raises(
        ConditionError, match=r"Person\.address is missing, and .* Person\.address\.street"
    ):
        update(session, set_(path(Person.address).city, "Ulm"))
    assert raw(session) == {"id": {"S": "a"}}
    update(session, set_(path(Person.address).street, "x"), add(path(Person.address).tags, {"t"}))

    address = {"street": {"S": "x"}, "city": {"S": ""}, "tags": {"SS": ["t"]}}
    assert raw(session)["address"] == {"M": address}


@every_way
def test_removing_from_what_is_missing_makes_nothing(session: Session, update: Any):
    put(session)

    update(session, remove(Person.meta["x"]["y"]), delete(path(Person.address).tags, {"t"}))
    assert raw(session) == {"id": {"S": "a"}}
    with pytest.raises((NoSuchItem, TransactionFailed)):
        if update is by_object:
            raise NoSuchItem("Person", "b")
        session.delete(Person, "a")
        update(session, remove(Person.meta["x"]["y"]))


@every_way
def test_a_list_begins_and_no_element_is_made_up(session: Session, update: Any):
    put(session)

    update(session, set_(Person.notes[0], "x"))
    assert raw(session)["notes"] == {"L": [{"S": "x"}]}
    with pytest.raises(
        ConditionError, match=r"Person\.rows\[0\] does not exist; to append to a list"
    ):
        update(session, set_(Person.rows[0]["x"], 1))


@every_way
def test_a_validator_sees_what_is_made(session: Session, update: Any):
    put(session)

    with pytest.raises(MappingError, match="too many"):
        update(session, set_(Person.few["a"], 1), set_(Person.few["b"], 1))
    assert raw(session) == {"id": {"S": "a"}}


@every_way
def test_another_value_in_the_way_is_named(session: Session, update: Any):
    if update is by_object:
        pytest.skip("such an item cannot be read")
    put(session, meta={"M": {"x": {"S": "text"}}})

    with pytest.raises(
        ConditionError, match=r"Person\.meta\['x'\] is stored as .*text.*, which is not a map"
    ):
        update(session, set_(Person.meta["x"]["y"], 1))


def test_the_callers_condition_is_kept(session: Session):
    put(session, counts={"M": {"visits": {"N": "3"}}})

    with pytest.raises(ConditionFailed) as caught:
        session.update(
            Person, "a", set_(Person.meta["x"]["y"], 1), when=Person.counts["visits"] == 4
        )
    assert "Person.counts['visits'] == 4" in str(caught.value)
    assert caught.value.item.counts == {"visits": 3}
    new = session.update(
        Person,
        "a",
        set_(Person.meta["x"]["y"], 1),
        when=Person.counts["visits"] == 3,
        returns="changed",
    )
    assert new == {"Person.meta['x']['y']": 1}
    old = session.update(Person, "a", add(Person.meta["new"]["y"], 1), returns="changed_old")
    assert old == {"Person.meta['new']['y']": None}


def test_an_upsert_makes_them_in_a_new_item_as_well(session: Session):
    made = session.update(Person, "a", set_(path(Person.address).street, "x"), upsert=True)
    assert made == Person("a", address=Address("x"), version=1)
    again = session.update(Person, "a", set_(Person.meta["q"]["r"], 3), upsert=True)
    assert again.meta == {"q": {"r": 3}}


def test_it_gives_up_where_others_are_always_faster(session: Session, client: Any):
    """Another program makes and removes the map before each of our requests."""
    put(session)
    table = session.tables.describe(Person)["TableName"]
    there: list[bool] = []

    def meddle(**_: Any) -> None:
        if not events_on:
            return
        events_on.clear()
        there.append(True)
        item = {"id": {"S": "a"}, **({"meta": {"M": {"q": {"M": {}}}}} if len(there) % 2 else {})}
        client.put_item(TableName=table, Item=item)
        events_on.append(1)

    events_on = [1]
    client.meta.events.register("before-call.dynamodb.UpdateItem", meddle)
    try:
        with pytest.raises(
            ConditionFailed, match=r"do not make or remove what .* is in meanwhile, as in 3 tries"
        ):
            session.update(
                Person, "a", set_(Person.meta["x"]["y"], 1), add(Person.meta["q"]["z"], 1)
            )
    finally:
        client.meta.events.unregister("before-call.dynamodb.UpdateItem", meddle)


def test_a_token_of_the_callers_takes_what_is_there(session: Session):
    """The same transaction has to be the same request each time."""
    put(session, meta={"M": {}})
    with session.transaction(token=secrets.token_hex(8)) as t:
        t.update(Person, "a", set_(Person.meta["x"], {"y": 1}))
    assert raw(session)["meta"] == {"M": {"x": {"M": {"y": {"N": "1"}}}}}
