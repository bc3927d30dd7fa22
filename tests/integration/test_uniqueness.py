"""Unique fields on each engine: guards follow every kind of write, and writers at once agree."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import attrs
import boto3
import pytest

from dynattrs import (
    AlreadyTaken,
    ConditionError,
    ConditionFailed,
    GlobalIndex,
    ItemExists,
    NoSuchItem,
    Session,
    Table,
    TransactionError,
    TransactionFailed,
    add,
    evolve,
    field,
    model,
    partition_key,
    remove,
    set_,
    sort_key,
)
from dynattrs.events import AfterSend
from dynattrs.schema.model_info import guarded_tables, model_info


@model("users", unique=[("tenant", "nick")])
class User:
    id: str = partition_key()
    email: str | None = field(unique=True, default=None, name="e")
    tenant: str = "acme"
    nick: str | None = None
    age: int = 0
    expires: datetime | None = field(ttl=True, default=None)


@model("badges")
class Badge:
    owner: bytes = partition_key()
    number: int = sort_key()
    code: int = field(unique=True)
    version: int = field(version=True)


@model("spellings")
class Spelling:
    id: str = partition_key()
    number: UUID | None = field(unique=True, default=None)
    mail: str | None = field(
        unique=True, default=None, converter=attrs.converters.optional(str.lower)
    )


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(User, Badge, Spelling)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    session = Session(client=client, table_prefix=table_prefix)
    yield session
    session.close()


def guards(session: Session) -> set[str]:
    """The guards in the table of users, by what they guard."""
    name = session.tables.describe(User)["TableName"]
    items = session.client.scan(TableName=name, ConsistentRead=True)["Items"]
    return {
        item["id"]["S"].removeprefix("dynattrs.unique ")
        for item in items
        if "dynattrs.unique" in item
    }


def email(address: str) -> str:
    return f'User.e [["S","{address}"]]'


def nick(tenant: str, name: str) -> str:
    return f'User.tenant+nick [["S","{tenant}"],["S","{name}"]]'


def test_a_value_is_taken_once(session: Session):
    session.insert(User("1", "a@x", nick="ann"))

    with pytest.raises(AlreadyTaken) as caught:
        session.insert(User("2", "a@x"))

    assert caught.value.fields == ("email",)
    assert caught.value.values == {"email": "a@x"}
    assert caught.value.key == {"id": "1"}
    assert str(caught.value) == (
        "User.email is unique, and email='a@x' is taken by the one with the key {'id': '1'}; "
        "nothing was written"
    )
    assert session.get(User, "2") is None
    assert guards(session) == {email("a@x"), nick("acme", "ann")}


def test_fields_that_are_unique_together_may_be_alike_alone(session: Session):
    session.save(User("1", tenant="acme", nick="ann"))
    session.save(User("2", tenant="other", nick="ann"))
    session.save(User("3", tenant="acme", nick="bob"))

    with pytest.raises(AlreadyTaken, match=r"User\.tenant\+nick is unique"):
        session.save(User("4", tenant="acme", nick="ann"))


def test_none_is_no_value(session: Session):
    session.save(User("1"))
    session.save(User("2"))

    assert guards(session) == set()


def test_a_save_that_changes_a_value_frees_the_old_one(session: Session):
    user = User("1", "a@x")
    session.save(user)
    user.email = "b@x"
    session.save(user)

    assert guards(session) == {email("b@x")}
    session.insert(User("2", "a@x"))
    user.email = None
    session.save(user)
    assert guards(session) == {email("a@x")}


def test_a_save_that_changes_no_unique_value_is_one_put(session: Session):
    session.save(User("1", "a@x", age=1))
    before = session.stats.requests.copy()

    session.save(User("1", "a@x", age=2))

    assert session.stats.requests - before == {"PutItem": 1}
    assert session.get_one(User, "1").age == 2


def test_a_save_under_a_condition_says_what_was_wrong(session: Session):
    session.save(User("1", "a@x", age=1))

    with pytest.raises(ConditionFailed) as caught:
        session.save(User("1", "b@x"), when=User.age == 7)
    with pytest.raises(ConditionFailed):
        session.save(User("1", "a@x"), when=User.age == 7)
    session.save(User("1", "b@x", age=2), when=User.age == 1)

    assert caught.value.item == User("1", "a@x", age=1)
    assert guards(session) == {email("b@x")}


def test_an_insert_of_an_item_that_is_there_is_item_exists(session: Session):
    session.insert(User("1", "a@x"))

    with pytest.raises(ItemExists):
        session.insert(User("1", "b@x"))

    assert guards(session) == {email("a@x")}


def test_a_delete_frees_the_values(session: Session):
    user = User("1", "a@x", nick="ann")
    session.save(user)
    session.save(User("2", "b@x"))

    session.delete(user)
    assert session.delete(User, "2", returning=True) == User("2", "b@x")
    assert session.delete(User, "3", returning=True) is None

    assert guards(session) == set()
    with pytest.raises(ConditionFailed):
        session.delete(User, "1", when=User.age == 7)


def test_an_update_takes_and_frees_values(session: Session):
    session.save(User("1", "a@x", age=1))
    session.save(User("2", "c@x"))

    changed = session.update(User, "1", set_(User.email, "b@x"), add(User.age, 1))
    assert changed == User("1", "b@x", age=2)
    assert guards(session) == {email("b@x"), email("c@x")}

    with pytest.raises(AlreadyTaken):
        session.update(User, "1", set_(User.email, "c@x"))
    with pytest.raises(ConditionFailed):
        session.update(User, "1", set_(User.email, "d@x"), when=User.age == 7)
    with pytest.raises(NoSuchItem):
        session.update(User, "9", set_(User.email, "d@x"))
    session.update(User, "1", remove(User.email))
    session.update(User, "9", set_(User.email, "d@x"), upsert=True, returns=None)

    assert guards(session) == {email("c@x"), email("d@x")}


def test_a_unique_field_is_removed_along_with_others(session: Session):
    session.save(User("1", "a@x", age=1))

    assert session.update(User, "1", remove(User.age, User.email)) == User("1")

    assert guards(session) == set()


def test_an_update_of_other_fields_is_one_update(session: Session):
    session.save(User("1", "a@x", age=1))
    before = session.stats.requests.copy()

    session.update(User, "1", add(User.age, 1))

    assert session.stats.requests - before == {"UpdateItem": 1}


def test_an_update_to_what_only_the_service_knows_is_refused(session: Session):
    session.save(User("1", "a@x"))

    with pytest.raises(ConditionError, match="can only be set to a given value or removed"):
        session.update(User, "1", set_(User.nick, User.tenant))


def test_an_edit_takes_and_frees_values(session: Session):
    session.save(User("1", "a@x"))
    session.save(User("2", "b@x"))
    user = session.get_one(User, "1")

    with session.edit(user):
        user.email = "c@x"
        user.age = 5
    with pytest.raises(AlreadyTaken):
        with session.edit(user):
            user.email = "b@x"
    assert guards(session) == {email("b@x"), email("c@x")}
    assert session.get_one(User, "1") == User("1", "c@x", age=5)

    session.delete(User, "1")
    with pytest.raises(NoSuchItem):
        with session.edit(user):
            user.email = "d@x"


def test_an_edit_whose_value_somebody_has_changed_meanwhile_frees_theirs(session: Session):
    session.save(User("1", "a@x"))
    user = session.get_one(User, "1")
    session.update(User, "1", set_(User.email, "b@x"))

    with session.edit(user):
        user.email = "c@x"

    assert guards(session) == {email("c@x")}


def test_gathered_writes_of_such_models_go_at_once(session: Session):
    with session.batch() as batch:
        batch.save(User("1", "a@x"))
        assert guards(session) == {email("a@x")}
        batch.delete(User, "1")
        assert guards(session) == set()
        with pytest.raises(AlreadyTaken):
            batch.save(User("2", "a@x"))
            batch.save(User("3", "a@x"))


def test_a_model_that_is_declared_later_gives_guards_to_what_was_gathered_before(session: Session):
    @model("books")
    class Book:
        id: str = partition_key()

    session.tables.create(Book)
    with session.batch() as batch:
        batch.save(Book("1"))

        @model("books")
        class Signed(Book):
            number: str = field(unique=True, default="")

        session.save(Signed("2", "first"))
        batch.save(Book("2"))  # takes the place of the other, whose number is free then
    session.save(Signed("3", "first"))
    assert session.get(Signed, "3") == Signed("3", "first")


def test_save_all_keeps_guards(session: Session):
    session.save_all(User(str(n), f"{n}@x") for n in range(30))

    assert len(guards(session)) == 30


def test_transactions_keep_guards(session: Session):
    session.save(User("1", "a@x"))
    session.save(User("2", "b@x"))

    with session.transaction() as t:
        t.insert(User("3", "c@x"))
        t.update(User, "1", set_(User.email, "d@x"))
        t.delete(User, "2")
    assert guards(session) == {email("c@x"), email("d@x")}

    with pytest.raises(AlreadyTaken):
        with session.transaction() as t:
            t.save(User("4", "e@x"))
            t.save(User("5", "c@x"))
    assert guards(session) == {email("c@x"), email("d@x")}
    assert session.get(User, "4") is None
    with pytest.raises(TransactionFailed) as caught:
        with session.transaction() as t:
            t.save(User("6", "f@x"))
            t.update(User, "1", add(User.age, 1), when=User.age == 7)
    assert len(caught.value.reasons) == 2
    assert caught.value.reasons[0] is None


def test_scans_and_counts_leave_guards_out(session: Session):
    session.save_all(User(str(n), f"{n}@x") for n in range(5))

    assert session.scan(User).count() == 5
    assert {user.id for user in session.scan(User)} == set("01234")
    assert session.scan(User).where(User.age == 0).count() == 5
    assert len(session.scan(User).parallel(2).all()) == 5


def test_a_query_that_deletes_frees_the_values(session: Session):
    session.save_all(User(str(n), f"{n}@x") for n in range(5))

    assert session.scan(User).delete() == 5

    assert guards(session) == set()


def test_a_guard_expires_with_its_owner(session: Session):
    soon = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(days=1)
    session.save(User("1", "a@x", expires=soon))
    session.update(User, "1", set_(User.expires, soon + timedelta(days=1)))

    name = session.tables.describe(User)["TableName"]
    items = session.client.scan(TableName=name, ConsistentRead=True)["Items"]
    assert {item["expires"]["N"] for item in items} == {
        str(int((soon + timedelta(days=1)).timestamp()))
    }


def test_versions_bytes_and_numbers_go_with_it(session: Session):
    badge = Badge(b"\x00\xff", 1, code=100)
    session.save(badge)
    badge.code = 7
    session.save(badge)
    assert badge.version == 2

    with pytest.raises(AlreadyTaken):
        session.save(Badge(b"\x01", 1, code=7))
    stale = session.get_one(Badge, (b"\x00\xff", 1))
    session.save(badge)
    stale.code = 8
    with pytest.raises(ConditionFailed):
        session.save(stale)
    session.save(Badge(b"\x01", 1, code=8))


def test_values_longer_than_a_key_are_unique_too(session: Session):
    session.save(User("1", "x" * 5000 + "1"))
    session.save(User("2", "x" * 5000 + "2"))

    with pytest.raises(AlreadyTaken):
        session.save(User("3", "x" * 5000 + "1"))


def test_of_many_writers_at_once_one_gets_the_value(session: Session):
    outcomes: list[str] = []

    def write(number: int) -> None:
        try:
            session.insert(User(str(number), "a@x"))
        except AlreadyTaken:
            outcomes.append("taken")
        else:
            outcomes.append("stored")

    threads = [threading.Thread(target=write, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["stored", *["taken"] * 11]
    assert session.scan(User).count() == 1
    assert guards(session) == {email("a@x")}


@pytest.mark.full
def test_writers_that_move_one_item_about_leave_exactly_its_guard(session: Session):
    session.save(User("1", "start@x"))
    failures: list[Exception] = []

    def write(number: int) -> None:
        try:
            for turn in range(4):
                session.save(User("1", f"{number}-{turn}@x"))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    stored = session.get_one(User, "1", consistent=True)
    assert guards(session) == {email(stored.email or "")}


def test_a_value_passes_from_one_item_to_another_in_a_transaction(session: Session):
    one, two = User("1", "a@x", nick="ann"), User("2", "b@x")
    session.save_all([one, two])

    with session.transaction() as t:
        t.update(User, "1", set_(User.email, "b@x"))
        t.update(User, "2", set_(User.email, "a@x"))
    assert guards(session) == {email("a@x"), email("b@x"), nick("acme", "ann")}
    with pytest.raises(AlreadyTaken) as caught:
        session.insert(User("3", "a@x"))
    assert caught.value.key == {"id": "2"}

    with session.transaction() as t:
        t.delete(User, "1")
        t.insert(User("3", "b@x", nick="ann"))
    assert guards(session) == {email("a@x"), email("b@x"), nick("acme", "ann")}
    with pytest.raises(AlreadyTaken) as caught:
        session.insert(User("4", "b@x"))
    assert caught.value.key == {"id": "3"}


def test_two_items_of_one_transaction_cannot_have_one_value(session: Session):
    with pytest.raises(AlreadyTaken) as caught:
        with session.transaction() as t:
            t.save(User("1", "a@x"))
            t.save(User("2", "a@x"))

    assert caught.value.key == {"id": "1"}
    assert session.get(User, "1") is None
    assert guards(session) == set()


def test_a_move_takes_its_values_along(session: Session):
    old = User("1", "a@x", nick="ann")
    session.save(old)
    new = session.move(old, User("2", "a@x", nick="bob"))

    assert guards(session) == {email("a@x"), nick("acme", "bob")}
    with pytest.raises(AlreadyTaken) as caught:
        session.insert(User("3", "a@x"))
    assert caught.value.key == {"id": "2"}
    with pytest.raises(NoSuchItem):
        session.move(old, User("4", "d@x"))
    session.save(User("5", "e@x"))
    with pytest.raises(ItemExists):
        session.move(new, User("5", "a@x"))
    with pytest.raises(AlreadyTaken):
        session.move(new, User("6", "e@x"))
    assert guards(session) == {email("a@x"), email("e@x"), nick("acme", "bob")}
    assert session.get(User, "2") == new


@pytest.mark.threads_only
def test_a_transaction_begins_again_where_somebody_has_changed_a_value(
    session: Session, client: Any, client_arguments: dict[str, Any], table_prefix: str
):
    """Between its reading of what is stored and its being sent, another writer is made to come."""
    session.save(User("1", "a@x"))
    other = Session(client=boto3.client("dynamodb", **client_arguments), table_prefix=table_prefix)
    begun: list[bool] = []

    def meanwhile(**_: Any) -> None:
        if not begun:
            begun.append(True)
            other.save(User("1", "b@x"))

    client.meta.events.register("before-send.dynamodb.TransactWriteItems", meanwhile)
    session.update(User, "1", set_(User.email, "c@x"))
    begun.clear()
    with session.transaction() as t:
        t.update(User, "1", set_(User.email, "d@x"))
        t.insert(User("2", "c@x"))
    other.close()

    assert begun
    assert guards(session) == {email("c@x"), email("d@x")}


def test_a_token_does_not_go_with_unique_fields(session: Session):
    token = secrets.token_hex(8)
    session.save(User("1", "a@x"))

    with pytest.raises(TransactionError, match="depends on what is stored"):
        with session.transaction(token=token) as t:
            t.delete(User, "1")
    with session.transaction(token=token) as t:
        t.update(User, "1", add(User.age, 1))

    assert session.get_one(User, "1").age == 1


def test_a_transaction_with_its_guards_has_at_most_a_hundred_actions(session: Session):
    with pytest.raises(TransactionError, match="at most 100"):
        with session.transaction() as t:
            for number in range(60):
                t.insert(User(str(number), f"{number}@x"))

    assert session.scan(User).count() == 0


shop = Table(
    "shop",
    partition_key="pk",
    sort_key="sk",
    indexes=[GlobalIndex("inverted", partition_key="sk", sort_key="pk")],
)


@model(shop, pk="SHOP#{shop}", sk="CUSTOMER#{id}")
class Customer:
    shop: str
    id: str
    email: str = field(unique=True)


@model(shop, pk="SHOP#{shop}", sk="ORDER#{number}")
class Order:
    shop: str
    number: int


def shop_guards(session: Session) -> int:
    name = session.tables.describe(Customer)["TableName"]
    items = session.client.scan(TableName=name, ConsistentRead=True)["Items"]
    return sum("dynattrs.unique" in item for item in items)


def test_item_collections_never_meet_guards(session: Session):
    session.tables.create(shop)
    session.save_all([Customer("s", "1", "a@x"), Customer("s", "2", "b@x"), Order("s", 7)])

    assert shop_guards(session) == 2
    everything = session.scan(Customer, Order)
    assert len(everything.all()) == everything.count() == 3
    assert len(session.scan(Customer, Order).parallel(3).all()) == 3
    assert session.scan(Order).all() == [Order("s", 7)]
    assert session.scan(Customer).count() == 2
    found = session.query(Customer, Order).where(Customer.shop == "s").group_by_type()
    assert len(found[Customer]) == 2
    assert set(session.scan(Customer).select(Customer.email)) == {("a@x",), ("b@x",)}
    assert len(session.scan(Customer).keys().all()) == 2

    moved = session.move(found[Customer][0], Customer("t", "1", "a@x"))
    assert shop_guards(session) == 2
    session.query(Customer).where(Customer.shop == "s").delete()
    assert shop_guards(session) == 1
    session.delete(moved)
    assert shop_guards(session) == 0
    assert session.scan(Order).count() == 1


def test_a_program_that_knows_nothing_of_a_unique_field_reads_past_its_guards(session: Session):
    session.tables.create(shop)
    session.save_all([Customer("s", "1", "a@x"), Order("s", 7)])
    same = Table("shop", partition_key="pk", sort_key="sk")
    guarded_tables.discard("shop")
    try:

        @model(same, pk="SHOP#{shop}", sk="CUSTOMER#{id}")
        class Buyer:
            shop: str
            id: str

        @model(same, pk="SHOP#{shop}", sk="ORDER#{number}")
        class Purchase:
            shop: str
            number: int

        assert len(session.scan(Buyer, Purchase).all()) == 2
        assert session.scan(Buyer, Purchase).count() == 2
    finally:
        guarded_tables.add("shop")


members = Table("members", partition_key="pk", discriminator="type")


@model(members, pk="{id}")
class Member:
    id: str
    email: str = field(unique=True)


@model(members, pk="{id}")
class Admin(Member):
    badge: int | None = field(unique=True, default=None)


def member_guards(session: Session) -> set[str]:
    name = session.tables.describe(Member)["TableName"]
    items = session.client.scan(TableName=name, ConsistentRead=True)["Items"]
    return {each["dynattrs.unique"]["S"] for each in items if "dynattrs.unique" in each}


def test_a_subclass_shares_the_unique_fields_that_it_inherits(session: Session):
    session.tables.create(members)
    session.save(Admin("1", "a@x", badge=7))

    with pytest.raises(AlreadyTaken):
        session.save(Member("2", "a@x"))
    assert member_guards(session) == {"Member.email", "Admin.badge"}

    session.update(Member, "1", set_(Member.email, "b@x"))
    assert member_guards(session) == {"Member.email", "Admin.badge"}
    session.save(Member("1", "b@x"))
    assert member_guards(session) == {"Member.email"}
    session.save(Admin("1", "b@x", badge=7))
    session.delete(Member, "1")
    assert member_guards(session) == set()


def test_two_models_of_one_table_have_values_of_their_own(session: Session, client: Any):
    shared = Table("users", partition_key="id")

    @model(shared)
    class Robot:
        id: str
        email: str = field(unique=True)

    session.save(User("1", "a@x"))
    session.save(Robot("r1", "a@x"))

    assert len(guards(session)) == 2


def test_two_spellings_of_a_value_are_one_value(session: Session, client: Any) -> None:
    """Another program has written it in capital letters, before or after the field was unique."""
    table = session.tables.describe(Spelling)["TableName"]
    number = UUID("123e4567-e89b-12d3-a456-426614174000")
    foreign = {"id": {"S": "a"}, "number": {"S": str(number).upper()}, "mail": {"S": "Ann@X"}}
    client.put_item(TableName=table, Item=foreign)
    session.migrate(Spelling)

    for other in (Spelling("b", number), Spelling("b", None, "ANN@x")):
        with pytest.raises(AlreadyTaken):
            session.insert(other)
        with pytest.raises(AlreadyTaken):
            session.save(other)
    session.insert(Spelling("b"))
    for action in (set_(Spelling.number, number), set_(Spelling.mail, "ann@X")):
        with pytest.raises(AlreadyTaken):
            session.update(Spelling, "b", action)

    ann = session.get_one(Spelling, "a")
    session.save(ann)  # it has the values itself
    client.put_item(TableName=table, Item=foreign)
    with session.edit(ann, guard=True):
        ann.mail = None
    session.update(Spelling, "b", set_(Spelling.mail, "ann@x"))
    session.delete(Spelling, "a")
    session.update(Spelling, "b", set_(Spelling.number, number))
    session.delete(Spelling, "b")
    assert client.scan(TableName=table)["Items"] == []


shared = Table("shared_values", partition_key="pk", discriminator="type")


@model(shared, pk="{id}")
class Owner:
    id: str
    mail: str | None = field(unique=True, default=None)


@model(shared, pk="{id}")
class Other:
    id: str
    mail: str | None = None


def test_a_value_that_no_item_has_any_more_is_free(session: Session, client: Any) -> None:
    """What replaces or deletes an item without knowing of its unique fields leaves its guard."""
    session.tables.create(shared)
    table = session.tables.describe(Owner)["TableName"]

    def replace() -> None:
        session.save(Other("1", "a@x"))

    def gathered() -> None:
        with session.batch() as batch:
            batch.save(Other("1"))

    def gone() -> None:
        client.delete_item(TableName=table, Key={"pk": {"S": "1"}})

    def changed() -> None:
        client.update_item(
            TableName=table, Key={"pk": {"S": "1"}}, UpdateExpression="SET mail = :m",
            ExpressionAttributeValues={":m": {"S": "b@x"}},
        )  # fmt: skip

    def insert() -> None:
        session.insert(Owner("2", "a@x"))

    def save() -> None:
        session.save(Owner("2", "a@x"))

    def update() -> None:
        session.save(Owner("2"))
        session.update(Owner, "2", set_(Owner.mail, "a@x"))

    def together() -> None:
        with session.transaction() as t:
            t.insert(Owner("2", "a@x"))
            t.delete(Owner, "1")

    for leave in (replace, gathered, gone, changed):
        for take in (insert, save, update, together):
            if leave in (replace, gathered) and take is together:
                continue  # a delete of another model's item
            session.save(Owner("1", "a@x"))
            if take is not together:
                with pytest.raises(AlreadyTaken):
                    take()
            leave()
            take()
            assert session.get_one(Owner, "2").mail == "a@x", (leave, take)
            with pytest.raises(AlreadyTaken):
                session.insert(Owner("3", "a@x"))
            session.delete(Owner, "2")
            session.delete(Owner, "1")
            session.delete(Other, "1")
            for item in client.scan(TableName=table)["Items"]:
                client.delete_item(TableName=table, Key={"pk": item["pk"]})


# --- What rivals do meanwhile, and what is lost --------------------------------------------------


def meanwhile(session: Session, operation: str, act: Callable[[], object]) -> None:
    """Do *act* once, after the session's first call of an operation."""
    left = [act]

    def after(event: AfterSend) -> None:
        if event.operation == operation and left:
            left.pop()()

    session.on("after_send", after)


def older(session: Session, client: Any, id_: str) -> None:
    """Another program makes a user five years older."""
    client.update_item(
        TableName=session._core.table_name(model_info(User).table), Key={"id": {"S": id_}},
        UpdateExpression="ADD age :n", ExpressionAttributeValues={":n": {"N": "5"}},
    )  # fmt: skip


def deleted(session: Session, client: Any, id_: str) -> None:
    table = session._core.table_name(model_info(User).table)
    client.delete_item(TableName=table, Key={"id": {"S": id_}})


def test_a_deleted_item_is_returned_as_it_was_when_it_was_deleted(session: Session, client: Any):
    session.save(User("1", "a@x"))
    meanwhile(session, "GetItem", lambda: older(session, client, "1"))

    gone = session.delete(User, "1", returning=True)

    assert gone is not None
    assert gone.age == 5
    assert not guards(session)


@pytest.mark.parametrize("meets", ["GetItem", "TransactWriteItems"])
def test_an_update_returns_what_it_has_made_itself(session: Session, client: Any, meets: str):
    session.save(User("1", "a@x"))
    meanwhile(session, meets, lambda: older(session, client, "1"))

    changed = session.update(
        User, "1", set_(User.email, "b@x"), add(User.age, 1), returns="changed"
    )

    assert changed == {"User.email": "b@x", "User.age": 6 if meets == "GetItem" else 1}
    assert session.get_one(User, "1", consistent=True).age == 6

    meanwhile(session, "TransactWriteItems", lambda: deleted(session, client, "1"))
    new = session.update(User, "1", set_(User.email, "c@x"))
    assert new == User("1", "c@x", age=6)

    meanwhile(session, "TransactWriteItems", lambda: deleted(session, client, "2"))
    made = session.update(User, "2", set_(User.email, "d@x"), upsert=True)
    assert made == User("2", "d@x")


def test_an_item_of_very_many_attributes_is_updated_all_the_same(session: Session, client: Any):
    table = session.tables.describe(User)["TableName"]
    many: dict[str, Any] = {f"other-{number}": {"N": "1"} for number in range(200)}
    client.put_item(TableName=table, Item={"id": {"S": "1"}, "age": {"N": "3"}, **many})

    new = session.update(User, "1", set_(User.email, "b@x"), add(User.age, 1))

    assert new == User("1", "b@x", age=4)
    assert session.delete(User, "1", returning=True) == new


# --- Items of older schemas ----------------------------------------------------------------------


@model("renamed")
class Renamed:
    id: str = partition_key()
    mail: str | None = field(unique=True, default=None, formerly=["e-mail"])
    number: int = 0
    version: int = field(version=True)


@pytest.fixture
def stuck(session: Session, client: Any) -> Session:
    """A session with an old item whose value another one has."""
    session.tables.create(Renamed)
    session.save(Renamed("1", "a@x"))
    table = session.tables.describe(Renamed)["TableName"]
    old = {"id": {"S": "2"}, "e-mail": {"S": "a@x"}, "version": {"N": "1"}}
    client.put_item(TableName=table, Item=old)
    return session


def in_transaction(session: Session, act: Callable[[Any], object]) -> None:
    with session.transaction() as t:
        act(t)


@pytest.mark.parametrize(
    ("act", "left"),
    [
        (lambda s: s.delete(Renamed, "2"), None),
        (lambda s: s.delete(s.get(Renamed, "2")), None),
        (lambda s: s.delete(Renamed, "2", returning=True), None),
        (lambda s: s.query(Renamed).where(Renamed.id == "2").delete(), None),
        (lambda s: in_transaction(s, lambda t: t.delete(Renamed, "2")), None),
        (lambda s: s.save(evolve(s.get(Renamed, "2"), mail="b@x")), "b@x"),
        (lambda s: in_transaction(s, lambda t: t.save(evolve(s.get(Renamed, "2"), mail="b@x"))), "b@x"),
        (lambda s: s.move(s.get(Renamed, "2"), Renamed("3", "b@x")), None),
    ],
)  # fmt: skip
def test_an_old_item_whose_value_is_taken_is_written_and_deleted_whole(
    stuck: Session, act: Callable[[Session], object], left: str | None
):
    act(stuck)

    found = stuck.get(Renamed, "2", consistent=True)
    assert (found and found.mail) == left
    with pytest.raises(AlreadyTaken):  # the other one's guard is there still
        stuck.insert(Renamed("9", "a@x"))


def test_an_old_item_that_is_replaced_frees_its_value(session: Session, client: Any):
    session.tables.create(Renamed)
    table = session.tables.describe(Renamed)["TableName"]
    session.save(Renamed("1", "a@x"))  # its guard is there; its item is stored by an older program
    old = {"id": {"S": "1"}, "e-mail": {"S": "a@x"}, "version": {"N": "1"}}
    client.put_item(TableName=table, Item=old)

    session.save(evolve(session.get_one(Renamed, "1"), mail="b@x"))

    session.insert(Renamed("2", "a@x"))
    items = client.scan(TableName=table, ConsistentRead=True)["Items"]
    assert sum("dynattrs.unique" in item for item in items) == 2


def before_the_renaming() -> Any:
    """The model as an older release has it, with guards under the former name."""

    @model("renamed")
    class Renamed:
        id: str = partition_key()
        mail: str | None = field(name="e-mail", unique=True, default=None)
        number: int = 0
        version: int = field(version=True)

    return Renamed


RENAMED: dict[str, Callable[[Any], object]] = {
    "migrate": lambda s: s.migrate(Renamed),
    "save": lambda s: s.save(s.get(Renamed, "1")),
    "save another value": lambda s: s.save(evolve(s.get(Renamed, "1"), mail="b@x")),
    "save none": lambda s: s.save(evolve(s.get(Renamed, "1"), mail=None)),
    "update": lambda s: s.update(Renamed, "1", set_(Renamed.mail, "b@x")),
    "update another field": lambda s: s.update(Renamed, "1", add(Renamed.number, 1)),
    "delete": lambda s: s.delete(Renamed, "1"),
    "delete what a query finds": lambda s: s.query(Renamed).where(Renamed.id == "1").delete(),
    "move": lambda s: s.move(s.get(Renamed, "1"), Renamed("3", "a@x")),
    "transaction": lambda s: in_transaction(s, lambda t: t.save(s.get(Renamed, "1"))),
    "delete in a transaction": lambda s: in_transaction(s, lambda t: t.delete(Renamed, "1")),
}  # fmt: skip


@pytest.mark.parametrize("name", RENAMED)
def test_the_guard_of_a_former_name_goes_with_the_name(session: Session, client: Any, name: str):
    session.tables.create(Renamed)
    table = session.tables.describe(Renamed)["TableName"]
    former = before_the_renaming()
    session.save(former("1", "a@x"))

    def guards() -> dict[str, str]:
        items = client.scan(TableName=table, ConsistentRead=True)["Items"]
        return {
            item["id"]["S"].partition(" ")[2]: item["dynattrs.owner"]["M"]["id"]["S"]
            for item in items
            if "dynattrs.owner" in item
        }

    assert guards() == {'Renamed.e-mail [["S","a@x"]]': "1"}

    RENAMED[name](session)

    found = [each for each in session.scan(Renamed).consistent() if each.mail is not None]
    assert guards() == {f'Renamed.mail [["S","{each.mail}"]]': each.id for each in found}


def test_the_guard_of_a_former_name_that_is_another_items_stays(session: Session, client: Any):
    session.tables.create(Renamed)
    table = session.tables.describe(Renamed)["TableName"]
    former = before_the_renaming()
    session.save(former("1", "a@x"))
    # An older program has stored it without a guard.
    old = {"id": {"S": "2"}, "e-mail": {"S": "a@x"}, "version": {"N": "1"}}
    client.put_item(TableName=table, Item=old)

    session.save(evolve(session.get_one(Renamed, "2"), mail="b@x"))

    with pytest.raises(AlreadyTaken):
        session.insert(former("3", "a@x"))


def test_an_update_of_such_an_item_says_what_to_do(stuck: Session):
    with pytest.raises(
        AlreadyTaken, match=r"\{'id': '2'\}.*older schema.*save\(\) it with another"
    ):
        stuck.update(Renamed, "2", set_(Renamed.mail, "b@x"))
