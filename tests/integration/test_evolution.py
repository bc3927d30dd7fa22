"""Items of older schema versions on each engine: read, changed and migrated as today's model."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from dynattrs import (
    AlreadyTaken,
    ConditionFailed,
    CursorError,
    GlobalIndex,
    MappingError,
    Migrated,
    NoSuchItem,
    QueryError,
    Session,
    Table,
    TransactionFailed,
    UnsentWrites,
    add,
    evolve,
    exists,
    field,
    model,
    not_exists,
    partition_key,
    set_,
)


def split_name(item: dict[str, Any]) -> None:
    """Version 2 has first and last names."""
    first, _, last = item.pop("name").partition(" ")
    item |= {"first": first, "last": last}


def list_phones(item: dict[str, Any]) -> dict[str, Any]:
    """Version 3 has several phones."""
    phone = item.pop("phone", None)
    return {**item, "phones": [phone] if phone else []}


@model("people", upgrades=[split_name, list_phones])
class Person:
    id: str = partition_key()
    first: str
    last: str
    phones: list[str] = attrs.field(factory=list)
    mail: str = field(name="email", formerly=["mail", "e"], default="")
    visits: int = 0
    version: int = field(version=True)


OLD: dict[str, Any] = {
    "id": {"S": "1"},
    "name": {"S": "Ada Lovelace"},
    "phone": {"S": "123"},
    "e": {"S": "ada@x"},
    "visits": {"N": "7"},
    "extra": {"S": "kept"},
}
MIDDLE: dict[str, Any] = {
    "id": {"S": "2"},
    "first": {"S": "Bob"},
    "last": {"S": ""},
    "schema_version": {"N": "2"},
}
NEW: dict[str, Any] = {
    "id": {"S": "1"},
    "first": {"S": "Ada"},
    "last": {"S": "Lovelace"},
    "phones": {"L": [{"S": "123"}]},
    "email": {"S": "ada@x"},
    "visits": {"N": "7"},
    "extra": {"S": "kept"},
    "schema_version": {"N": "3"},
}


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Person)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    session = Session(client=client, table_prefix=table_prefix)
    put(session, OLD, MIDDLE)
    yield session
    session.close()


def put(session: Session, *items: dict[str, Any]) -> None:
    name = session.tables.describe(Person)["TableName"]
    for item in items:
        session.client.put_item(TableName=name, Item=item)


def stored(session: Session, key: str) -> Any:
    name = session.tables.describe(Person)["TableName"]
    return session.client.get_item(TableName=name, Key={"id": {"S": key}}).get("Item")


ADA = Person("1", "Ada", "Lovelace", ["123"], "ada@x", 7)


def test_items_of_all_versions_are_read_as_todays_model(session: Session):
    assert session.get(Person, "1") == ADA
    assert session.get(Person, "2") == Person("2", "Bob", "")
    assert {person.first for person in session.scan(Person)} == {"Ada", "Bob"}
    assert list(session.get_many(Person, ["1"])) == [ADA]
    assert stored(session, "1") == OLD


def test_parts_of_old_items_are_read_as_todays_model(session: Session):
    @attrs.define
    class Name:
        first: str
        mail: str

    query = session.query(Person).where(Person.id == "1")

    assert query.as_(Name).one() == Name("Ada", "ada@x")
    assert query.select(Person.last, Person.mail).one() == ("Lovelace", "ada@x")


def test_a_stale_save_that_meets_an_older_item_is_refused_as_any_other(session: Session):
    put(session, {**OLD, "version": {"N": "5"}})

    with pytest.raises(ConditionFailed) as caught:
        session.save(Person("1", "Other", "Name"))
    with pytest.raises(UnsentWrites) as gathered:
        session.save_all([Person("1", "Other", "Name")])

    assert caught.value.item == evolve(ADA, version=5)
    assert isinstance(gathered.value.unsent[0].cause, ConditionFailed)
    assert stored(session, "1")["first"] == {"S": "Ada"}


def test_a_save_stores_the_new_form(session: Session):
    ada = session.get_one(Person, "1")

    session.save(ada)

    assert stored(session, "1") == {**NEW, "version": {"N": "1"}}
    session.save(Person("3", "C", "D"))
    assert stored(session, "3")["schema_version"] == {"N": "3"}


def test_an_edit_of_an_old_item_stores_the_new_form(session: Session):
    ada = session.get_one(Person, "1")

    with session.edit(ada):
        ada.first = "Augusta"

    assert stored(session, "1") == {**NEW, "first": {"S": "Augusta"}, "version": {"N": "1"}}
    with session.edit(ada):
        ada.visits = 8
    assert session.get_one(Person, "1").visits == 8


def test_an_edit_of_a_copy_stores_the_new_form_too(session: Session):
    ada = evolve(session.get_one(Person, "1"), visits=9)

    with session.edit(ada):
        ada.first = "Augusta"

    assert session.get_one(Person, "1").first == "Augusta"
    assert stored(session, "1").keys() == {**NEW, "version": 1}.keys()


def test_an_edit_of_what_was_not_read_never_mixes_forms(session: Session):
    ada = Person("1", "Ada", "Lovelace", ["123"])

    with session.edit(ada):
        ada.first = "Augusta"

    assert stored(session, "1") == {**NEW, "first": {"S": "Augusta"}, "version": {"N": "1"}}


def test_an_update_brings_the_item_up_to_date_first(session: Session):
    changed = session.update(Person, "1", set_(Person.first, "Augusta"), add(Person.visits, 1))

    assert changed == evolve(ADA, first="Augusta", visits=8, version=1)
    assert stored(session, "1") == {
        **NEW, "first": {"S": "Augusta"}, "visits": {"N": "8"}, "version": {"N": "1"}
    }  # fmt: skip
    requests = session.stats.requests.copy()
    session.update(Person, "1", add(Person.visits, 1), when=Person.first == "Augusta")
    assert session.stats.requests - requests == {"UpdateItem": 1}
    with pytest.raises(ConditionFailed):
        session.update(Person, "1", add(Person.visits, 1), when=Person.first == "Ada")
    with pytest.raises(NoSuchItem):
        session.update(Person, "9", add(Person.visits, 1))


def test_an_upsert_says_its_schema_version(session: Session):
    session.update(Person, "3", set_(Person.first, "C"), set_(Person.last, "D"), upsert=True)
    names = set_(Person.first, "Augusta"), set_(Person.last, "L")
    session.update(Person, "1", *names, upsert=True)

    assert stored(session, "3")["schema_version"] == {"N": "3"}
    assert session.get_one(Person, "1").first == "Augusta"


def test_migrate_rewrites_what_is_old_and_nothing_else(session: Session):
    session.save(Person("3", "C", "D"))
    new = stored(session, "3")

    done = session.migrate(Person)

    assert done == Migrated(scanned=3, rewritten=2, failed=0, cursor=None)
    assert stored(session, "1") == NEW
    assert stored(session, "2") == {
        **MIDDLE, "phones": {"L": []}, "email": {"S": ""}, "visits": {"N": "0"},
        "schema_version": {"N": "3"},
    }  # fmt: skip
    assert stored(session, "3") == new
    assert session.migrate(Person) == Migrated(3, 0, 0, None)


def test_a_migration_is_resumed_page_by_page(session: Session):
    put(session, *({**OLD, "id": {"S": f"x{n}"}} for n in range(10)))
    heard: list[Migrated] = []

    done = session.migrate(Person, page_size=3, max_pages=1, on_page=heard.append)
    total = done.rewritten
    rounds = 1
    while done.cursor is not None:
        done = session.migrate(Person, page_size=3, max_pages=1, after=done.cursor)
        total += done.rewritten
        rounds += 1

    assert total == 12
    assert rounds >= 4
    assert heard[0].scanned == heard[0].rewritten == 3
    assert session.migrate(Person).rewritten == 0
    with pytest.raises(CursorError):
        session.migrate(Person, after="x")


def test_what_cannot_be_read_stops_a_migration_or_is_told(session: Session):
    put(session, {"id": {"S": "bad"}})
    errors: list[MappingError] = []

    with pytest.raises(MappingError, match=r"the upgrade split_name from 1 to 2.*KeyError: 'name'"):
        session.migrate(Person)
    done = session.migrate(Person, on_error=errors.append)
    again = session.migrate(Person, on_error="skip")

    assert done.failed == again.failed == 1
    assert [error.key for error in errors] == [{"id": {"S": "bad"}}]
    assert session.migrate(Person, on_error="skip").rewritten == 0


def test_what_others_change_meanwhile_is_not_lost(session: Session, monkeypatch: Any):
    """Somebody writes a name between the migration's read and its write."""
    name = session.tables.describe(Person)["TableName"]
    from dynattrs.operations.writing import edits

    finish, turns = edits.finish, iter([True])

    def interfere(core: Any, edit: Any) -> Any:
        if edit.obj.id == "1" and next(turns, False):
            session.client.update_item(
                TableName=name, Key={"id": {"S": "1"}}, UpdateExpression="SET #n = :n",
                ExpressionAttributeNames={"#n": "name"},
                ExpressionAttributeValues={":n": {"S": "Augusta King"}},
            )  # fmt: skip
        return finish(core, edit)

    monkeypatch.setattr(edits, "finish", interfere)

    session.migrate(Person)

    assert session.get_one(Person, "1").last == "King"


def test_a_newer_item_is_refused_and_not_overwritten(session: Session):
    newer = {**NEW, "schema_version": {"N": "4"}}
    put(session, newer)

    with pytest.raises(MappingError, match="a newer program has written it"):
        session.get(Person, "1")
    with pytest.raises((MappingError, ConditionFailed)):
        session.update(Person, "1", add(Person.visits, 1))
    assert session.migrate(Person, on_error="skip").failed == 0
    assert stored(session, "1") == newer


def test_a_model_that_has_nothing_to_migrate_says_so(session: Session):
    @model("people")
    class Plain:
        id: str = partition_key()

    with pytest.raises(
        QueryError, match="no upgrades, no renamed attributes, no unique fields and no"
    ):
        session.migrate(Plain)
    with pytest.raises(QueryError, match=r"migrate\(max_pages=0\): a positive int"):
        session.migrate(Person, max_pages=0)


def test_conditions_speak_of_todays_fields(session: Session):
    put(session, {**OLD, "id": {"S": "4"}}, {**OLD, "id": {"S": "5"}}, {**OLD, "id": {"S": "6"}})

    with pytest.raises(ConditionFailed) as caught:
        session.save(Person("4", "A", "B"), when=Person.first == "Bob")
    assert caught.value.item == evolve(ADA, id="4")
    assert "schema_version" not in str(caught.value)
    assert stored(session, "4") == {**NEW, "id": {"S": "4"}}
    session.save(Person("5", "A", "B"), when=Person.first == "Ada")
    assert stored(session, "5")["first"] == {"S": "A"}
    # It has no attribute "first" yet, and yet it has the field.
    with pytest.raises(ConditionFailed):
        session.delete(Person, "6", when=~exists(Person.first))
    session.delete(Person, "6", when=Person.mail == "ada@x")
    assert stored(session, "6") is None
    session.save(Person("7", "A", "B"), when=~exists(Person.first))
    session.delete(Person, "8", when=~exists(Person.first))


def test_transactions_bring_items_up_to_date_that_they_ask_or_change(session: Session):
    put(session, {**OLD, "id": {"S": "4"}})

    with session.transaction() as t:
        t.update(Person, "1", add(Person.visits, 1))
        t.check(Person, "4", Person.first == "Ada")
        t.save(Person("9", "A", "B"))

    assert session.get_one(Person, "1").visits == 8
    assert stored(session, "1")["schema_version"] == {"N": "3"}
    assert stored(session, "9")["schema_version"] == {"N": "3"}
    put(session, {**OLD, "id": {"S": "4"}})
    with pytest.raises(TransactionFailed, match="check"):
        with session.transaction() as t:
            t.check(Person, "4", Person.first == "Bob")
            t.delete(Person, "9")
    assert stored(session, "9") is not None


def test_bringing_an_item_up_to_date_changes_neither_version_nor_time_stamps(session: Session):
    put(session, {**OLD, "version": {"N": "5"}})
    ada = session.get_one(Person, "1")

    session.migrate(Person)

    assert stored(session, "1") == {**NEW, "version": {"N": "5"}}
    ada.visits = 8
    session.save(ada)
    assert session.get_one(Person, "1") == evolve(ADA, visits=8, version=6)


def test_a_batch_stores_the_new_form(session: Session):
    with session.batch() as batch:
        for person in batch.scan(Person):
            batch.save(evolve(person, visits=1))
    session.save_all([Person("8", "A", "B")])

    assert {key: stored(session, key)["schema_version"]["N"] for key in "128"} == {
        "1": "3", "2": "3", "8": "3",
    }  # fmt: skip


def double(item: dict[str, Any]) -> None:
    item["cents"] = item.pop("euros") * 100


ZOO = Table("zoo", partition_key="pk", sort_key="sk", discriminator="type")


@model(ZOO, pk="ZOO#{zoo}", sk="ANIMAL#{name}", upgrades=[double])
class Animal:
    zoo: str
    name: str
    cents: int


@model(ZOO, pk="ZOO#{zoo}", sk="ANIMAL#{name}")
class Cat(Animal):
    lives: int = field(name="lives", formerly=["l"], default=9)


@model(ZOO, pk="ZOO#{zoo}", sk="PLAN")
class Plan:
    zoo: str
    euros: int


def animal(kind: str, name: str, **more: Any) -> dict[str, Any]:
    key = {"pk": {"S": "ZOO#1"}, "sk": {"S": f"ANIMAL#{name}"}, "type": {"S": kind}}
    return {**key, "zoo": {"S": "1"}, "name": {"S": name}, "euros": {"N": "3"}, **more}


def test_a_table_of_several_models_is_migrated_model_by_model(
    client: Any, table_prefix: str
) -> None:
    with_prefix = Session(client=client, table_prefix=table_prefix)
    with_prefix.tables.create(ZOO)
    name = with_prefix.tables.describe(ZOO)["TableName"]
    items = [animal("Animal", "a"), animal("Cat", "c", l={"N": "7"})]
    for item in items:
        client.put_item(TableName=name, Item=item)
    with_prefix.save(Plan("1", 5))
    query = with_prefix.query(Animal, Plan).where(Animal.zoo == "1")
    found = [Animal("1", "a", 300), Cat("1", "c", 300, 7), Plan("1", 5)]

    assert query.all() == found
    done = with_prefix.migrate(Animal)

    assert (done.rewritten, done.failed) == (2, 0)
    assert query.all() == found
    raw = client.get_item(TableName=name, Key={each: items[1][each] for each in ("pk", "sk")})
    assert raw["Item"] == {
        **{name: value for name, value in items[1].items() if name not in ("euros", "l")},
        "cents": {"N": "300"}, "lives": {"N": "7"}, "schema_version": {"N": "2"},
    }  # fmt: skip
    with_prefix.close()


@model("people", upgrades=[split_name])
class Guarded:
    id: str = partition_key()
    first: str
    last: str
    mail: str | None = field(name="email", formerly=["e"], unique=True, default=None)


def test_migrate_makes_the_guards_of_items_that_were_there_before(session: Session):
    put(session, {**OLD, "id": {"S": "5"}, "e": {"S": "eve@x"}})

    done = session.migrate(Guarded, on_error="skip")

    assert done.rewritten >= 1
    assert session.migrate(Guarded, on_error="skip").rewritten == 0
    with pytest.raises(AlreadyTaken):
        session.insert(Guarded("9", "A", "B", "eve@x"))
    five = session.get_one(Guarded, "5")
    five.mail = "other@x"
    session.save(five)
    session.insert(Guarded("9", "A", "B", "eve@x"))
    with pytest.raises(AlreadyTaken):
        put(session, {**OLD, "id": {"S": "6"}, "e": {"S": "eve@x"}})
        session.migrate(Guarded)


def test_two_items_with_one_value_are_told_by_a_migration(session: Session):
    put(session, *({**OLD, "id": {"S": key}, "e": {"S": "eve@x"}} for key in "67"))
    errors: list[Exception] = []

    session.migrate(Guarded, on_error=errors.append)

    taken = [error for error in errors if isinstance(error, AlreadyTaken)]
    assert len(taken) == 1
    assert taken[0].values == {"mail": "eve@x"}


def test_writes_of_old_items_keep_unique_values(session: Session):
    for key in "56789":
        put(session, {**OLD, "id": {"S": key}, "e": {"S": f"{key}@x"}})

    session.update(Guarded, "5", set_(Guarded.mail, "new@x"))
    session.save(Guarded("6", "A", "B", "6@x"))
    with session.transaction() as t:
        t.update(Guarded, "7", set_(Guarded.first, "Augusta"))
        t.save(Guarded("8", "A", "B", "other@x"))
    session.delete(Guarded, "9")

    for value, owner in {"new@x": "5", "6@x": "6", "other@x": "8"}.items():
        with pytest.raises(AlreadyTaken) as caught:
            session.insert(Guarded("10", "A", "B", value))
        assert caught.value.key == {"id": owner}
    assert stored(session, "7")["schema_version"] == {"N": "2"}
    for number, free in enumerate(("5@x", "8@x", "9@x")):
        session.insert(Guarded(f"1{number}", "A", "B", free))


def test_what_is_gathered_has_its_schema_version(session: Session):
    @model("notes", upgrades=[lambda item: None])
    class Note:
        id: str = partition_key()

    session.tables.create(Note)
    with session.batch() as batch:
        batch.save(Note("1"))
    session.save_all([Note("2")])

    for id_ in ("1", "2"):
        found = session.client.get_item(
            TableName=session.tables.describe(Note)["TableName"], Key={"id": {"S": id_}}
        )
        assert found["Item"]["schema_version"] == {"N": "2"}


def test_a_filter_that_old_items_answer_otherwise_deletes_nothing(session: Session):
    with pytest.raises(QueryError, match="delete\\(\\) with the filter"):
        session.scan(Person).filter(~exists(Person.first)).delete()

    assert stored(session, "1") == OLD
    assert session.query(Person).where(Person.id == "1").delete() == 1
    assert session.scan(Person).delete() == 1


def total(item: dict[str, Any]) -> None:
    """Version 2 stores what was computed. What it is made of stays."""
    item["total"] = item["price"] * item["count"]


@model("orders", upgrades=[total])
class Order:
    id: str = partition_key()
    price: int
    count: int
    total: int
    note: str = field(name="note", unique=True, default="")


ORDER: dict[str, Any] = {
    "id": {"S": "1"}, "price": {"N": "2"}, "count": {"N": "3"}, "note": {"S": "n"}
}  # fmt: skip


@attrs.define
class Orders:
    session: Any
    table: str

    def put(self, *items: dict[str, Any]) -> None:
        for item in items:
            self.session.client.put_item(TableName=self.table, Item=item)

    def set(self, name: str, value: dict[str, Any]) -> None:
        """What a program does that knows nothing of versions."""
        self.session.client.update_item(
            TableName=self.table, Key={"id": ORDER["id"]}, UpdateExpression="SET #n = :v",
            ExpressionAttributeNames={"#n": name}, ExpressionAttributeValues={":v": value},
        )  # fmt: skip


@pytest.fixture
def orders(session: Session) -> Orders:
    session.tables.create(Order)
    orders = Orders(session, session.tables.describe(Order)["TableName"])
    orders.put(ORDER)
    return orders


def test_what_an_upgrade_makes_of_others_attributes_is_never_of_old_ones(
    session: Session, orders: Orders, monkeypatch: Any
):
    """Somebody changes what the total is made of between the migration's read and its write."""
    from dynattrs.operations.writing import edits

    finish, turns = edits.finish, iter([True])

    def interfere(core: Any, edit: Any) -> Any:
        if next(turns, False):
            orders.set("count", {"N": "5"})
        return finish(core, edit)

    monkeypatch.setattr(edits, "finish", interfere)

    session.migrate(Order)

    assert session.get_one(Order, "1") == Order("1", 2, 5, 10, "n")


def test_an_item_that_others_bring_up_to_date_meanwhile_is_no_fault(
    session: Session, orders: Orders, monkeypatch: Any
):
    """The renamed unique attribute makes it a transaction, which is refused first."""
    session.tables.create(Guarded)
    name = session.tables.describe(Guarded)["TableName"]
    session.client.put_item(TableName=name, Item={**OLD, "id": {"S": "5"}, "e": {"S": "eve@x"}})
    from dynattrs.operations.writing import edits

    finish, turns = edits.finish, iter([True])

    def interfere(core: Any, edit: Any) -> Any:
        if edit.obj.id == "5" and next(turns, False):
            session.client.update_item(
                TableName=name, Key={"id": {"S": "5"}}, UpdateExpression="SET #n = :n",
                ExpressionAttributeNames={"#n": "name"},
                ExpressionAttributeValues={":n": {"S": "Eve Moore"}},
            )  # fmt: skip
        return finish(core, edit)

    monkeypatch.setattr(edits, "finish", interfere)

    session.migrate(Guarded, on_error="skip")

    assert session.get_one(Guarded, "5") == Guarded("5", "Eve", "Moore", "eve@x")
    assert stored(session, "5")["schema_version"] == {"N": "2"}


@pytest.mark.parametrize("guard", [False, True])
def test_an_edit_writes_nothing_that_others_have_changed_since_the_upgrade(
    session: Session, orders: Orders, guard: bool
):
    read = session.get_one(Order, "1")
    session.migrate(Order)
    session.update(Order, "1", set_(Order.total, 77))

    with session.edit(read, guard=guard):
        read.price = 9

    assert session.get_one(Order, "1") == Order("1", 9, 3, 77, "n")


def test_an_item_of_very_many_attributes_is_brought_up_to_date(session: Session, orders: Orders):
    many = {f"a{number}": {"N": str(number)} for number in range(400)}
    orders.put({**ORDER, **many})

    assert session.migrate(Order).rewritten == 1
    found = session.client.get_item(TableName=orders.table, Key={"id": ORDER["id"]})["Item"]
    assert found == {**ORDER, **many, "total": {"N": "6"}, "schema_version": {"N": "2"}}


def louder(item: dict[str, Any]) -> None:
    item["name"] = item["name"].upper()


SHOW = Table(
    "show", partition_key="pk", sort_key="sk",
    indexes=[GlobalIndex("named", partition_key="named")],
)  # fmt: skip


@model(SHOW, pk="ACT#{act}", sk="ACT", named="NAME#{name}", upgrades=[louder])
class Act:
    act: str
    name: str


@model(SHOW, pk="ARTIST#{name}", sk="ARTIST", upgrades=[louder])
class Artist:
    name: str


def test_an_upgrade_moves_index_keys_and_never_primary_keys(client: Any, table_prefix: str) -> None:
    session = Session(client=client, table_prefix=table_prefix)
    session.tables.create(SHOW)
    name = session.tables.describe(SHOW)["TableName"]
    act = {"pk": "ACT#1", "sk": "ACT", "act": "1", "name": "ann", "named": "NAME#ann"}
    artist = {"pk": "ARTIST#ann", "sk": "ARTIST", "name": "ann"}
    for item in (act, artist):
        client.put_item(TableName=name, Item={key: {"S": text} for key, text in item.items()})

    session.migrate(Act)

    assert session.query(Act).where(Act.name == "ANN").all() == [Act("1", "ANN")]
    with pytest.raises(MappingError, match=r"Artist\.name: .*leave the fields of the primary key"):
        session.get(Artist, {"name": "ann"})
    assert session.migrate(Artist, on_error="skip").failed == 1
    session.close()


@model("tickets")
class Ticket:
    id: str = partition_key()
    ends: dt.datetime | None = field(name="ends", formerly=["expires"], ttl=True, default=None)


def test_an_item_that_ended_by_a_former_name_has_ended(session: Session):
    session.tables.create(Ticket)
    name = session.tables.describe(Ticket)["TableName"]
    session.client.put_item(TableName=name, Item={"id": {"S": "1"}, "expires": {"N": "1000"}})

    assert session.get(Ticket, "1") is not None
    assert session.get(Ticket, "1", unexpired=True) is None
    assert list(session.get_many(Ticket, ["1"], unexpired=True)) == []


# --- A first release beside a later one ------------------------------------------------------------


@model("releases", upgrades=[])
class FirstRelease:
    id: str = partition_key()
    name: str = ""
    tags: set[str] = attrs.field(factory=set)


@model("releases", upgrades=[split_name])
class SecondRelease:
    id: str = partition_key()
    first: str = ""
    last: str = ""


@attrs.define
class OnlyName:
    name: str = ""


def edited(session: Session) -> None:
    with session.edit(FirstRelease("1", "Ada")) as ada:
        ada.name = "Zed"


def in_transaction(act: Callable[[Any], object]) -> Callable[[Session], object]:
    def acting(session: Session) -> None:
        with session.transaction() as transaction:
            act(transaction)

    return acting


Q = FirstRelease
REFUSED: dict[str, Callable[[Session], object]] = {
    "get": lambda s: s.get(Q, "1"),
    "get_many": lambda s: list(s.get_many(Q, ["1"])),
    "transact_get": lambda s: s.transact_get((Q, "1")),
    "refresh": lambda s: s.refresh(Q("1")),
    "query": lambda s: s.query(Q).where(Q.id == "1").all(),
    "scan": lambda s: s.scan(Q).all(),
    "select": lambda s: s.scan(Q).select(Q.name).all(),
    "as_": lambda s: s.scan(Q).as_(OnlyName).all(),
    "update": lambda s: s.update(Q, "1", set_(Q.name, "Zed")),
    "update of an object": lambda s: s.update(Q("1"), set_(Q.name, "Zed")),
    "update under a condition": lambda s: s.update(
        Q, "1", set_(Q.name, "Zed"), when=not_exists(Q.name)
    ),
    "upsert": lambda s: s.update(Q, "1", set_(Q.name, "Zed"), upsert=True),
    "edit": edited,
    "save under a condition": lambda s: s.save(Q("1"), when=not_exists(Q.name)),
    "delete under a condition": lambda s: s.delete(Q, "1", when=not_exists(Q.name)),
    "delete of what a filter finds": lambda s: s.scan(Q).where(not_exists(Q.name)).delete(),
    "transaction: update": in_transaction(lambda t: t.update(Q, "1", set_(Q.name, "Zed"))),
    "transaction: check": in_transaction(
        lambda t: (t.check(Q, "1", not_exists(Q.name)), t.save(Q("2")))
    ),
}


def test_a_first_release_that_says_so_leaves_newer_items_alone(session: Session):
    session.tables.create(SecondRelease)
    ada = SecondRelease("1", "Ada", "Lovelace")
    session.save(ada)

    for name, verb in REFUSED.items():
        try:
            found = verb(session)
        except (MappingError, ConditionFailed, TransactionFailed, QueryError):
            pass
        else:
            pytest.fail(f"{name} answered {found}")
        assert session.scan(SecondRelease).all() == [ada], name


def test_what_a_first_release_stores_goes_through_the_upgrades_of_the_second(session: Session):
    session.tables.create(SecondRelease)
    session.save(FirstRelease("1", "Ada Lovelace"))
    session.update(FirstRelease, "1", set_(FirstRelease.name, "Ada King"))

    assert session.get(SecondRelease, "1") == SecondRelease("1", "Ada", "King")
    assert session.migrate(SecondRelease).rewritten == 1


# --- A rename in two steps -------------------------------------------------------------------------


@model("renames")
class Before:
    id: str = partition_key()
    mail: str = field(formerly=["email"], default="")
    note: str = ""


@model("renames")
class After:
    id: str = partition_key()
    email: str = field(formerly=["mail"], default="")
    note: str = ""


def write(session: Session, cls: Any, name: str, how: str, value: str) -> None:
    stored = session.get_one(cls, "1")
    if how == "update":
        session.update(cls, "1", set_(getattr(cls, name), value))
    elif how == "update of an object":
        session.update(stored, set_(getattr(cls, name), value))
    elif how == "edit":
        with session.edit(stored):
            setattr(stored, name, value)
    elif how == "transaction":
        with session.transaction() as transaction:
            transaction.update(cls, "1", set_(getattr(cls, name), value))
    elif how == "batch":
        with session.batch() as batch:
            batch.save(evolve(stored, **{name: value}))
    else:
        session.save(evolve(stored, **{name: value}))


def test_two_releases_that_know_each_others_names_lose_no_write(session: Session):
    session.tables.create(After)
    session.save(Before("1", "first", "kept"))

    for how in ("update", "update of an object", "edit", "transaction", "batch", "save"):
        for cls, name in ((After, "email"), (Before, "mail"), (Before, "mail"), (After, "email")):
            value = f"{how} {cls.__name__}"
            write(session, cls, name, how, value)
            assert session.get_one(Before, "1") == Before("1", value, "kept"), how
            assert session.get_one(After, "1") == After("1", value, "kept"), how
        session.migrate(Before)
        assert session.get_one(After, "1").email == value
