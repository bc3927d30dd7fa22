"""An upsert changes the item that is there, or makes a whole one: by every way to send it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import attrs
import pytest

from dynattrs import (
    AlreadyTaken,
    ConditionError,
    ConditionFailed,
    DynattrsError,
    GlobalIndex,
    ItemExists,
    MappingError,
    NoSuchItem,
    Session,
    Table,
    TransactionError,
    TransactionFailed,
    add,
    evolve,
    exists,
    field,
    if_not_exists,
    list_append,
    map_class,
    model,
    not_exists,
    partition_key,
    path,
    remove,
    set_,
)
from dynattrs.schema.model_info import model_info

STATUS = GlobalIndex("by-status", partition_key="g1pk", sort_key="g1sk")
TABLE = Table("app", partition_key="pk", sort_key="sk", indexes=[STATUS], discriminator="kind")


@attrs.define
class Sender:
    name: str
    town: str = ""


def positive(obj: Any, attribute: Any, value: int) -> None:
    if value < 0:
        raise ValueError("negative")


@attrs.define
class Address:
    town: str = ""
    zip_code: str | None = None


@model(TABLE, pk="O#{id}", sk="O", g1pk="STATUS#{status}", g1sk="{id}")
class Order:
    id: str = field(converter=str.lower)
    status: str = "new"
    total: int = field(default=5, validator=positive)
    lines: list[str] = field(factory=lambda: ["first"])
    tags: set[str] = field(factory=set)
    address: Address = field(factory=Address)
    other: Address | None = None
    sender: Sender | None = None
    version: int = field(version=True)
    created: datetime | None = field(created=True)
    updated: datetime | None = field(updated=True)


@model(TABLE, pk="O#{id}", sk="O", g1pk="STATUS#{status}", g1sk="{id}")
class Invoice:
    """It may lie under the key of an order."""

    id: str
    status: str = "open"
    n: int = 0


@model(TABLE, pk="R#{id}", sk="R#{number:04d}")
class Receipt:
    id: str = field(key_only=True)
    number: int = field(key_only=True)
    text: str
    copies: int
    slug: str = attrs.field(default=attrs.Factory(lambda self: self.text.lower(), takes_self=True))
    search: str = field(init=False, default="")

    def __attrs_post_init__(self) -> None:
        self.search = f"{self.id} {self.text}"


@model("users", indexes=[GlobalIndex("by-city", partition_key="city")])
class User:
    mail: str = partition_key()
    nick: str | None = field(unique=True, default=None)
    badge: int = field(unique=True, default=7)
    city: str | None = None
    visits: int = 0
    low: int = 0
    high: int = 10

    def __attrs_post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low is above high")


def tidy(page: Any) -> None:
    page.search = page.title.upper()


@model("pages", before_save=tidy)
class Page:
    id: str = partition_key()
    title: str = ""
    search: str = ""
    hits: int = 0


@model("plain")
class Plain:
    id: str = partition_key()
    n: int = 0


@attrs.define
class Foreign:
    id: str
    n: int = 0
    word: str = "w"


map_class(Foreign, "foreign", partition_key="id")


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(TABLE, User, Page, Plain, Foreign)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    with Session(client=client, table_prefix=table_prefix) as session:
        yield session


def by_update(session: Session, *arguments: Any, **options: Any) -> Any:
    return session.update(*arguments, upsert=True, **options)


def by_batch(session: Session, *arguments: Any, **options: Any) -> Any:
    with session.batch() as batch:
        return batch.update(*arguments, upsert=True, **options)


def by_transaction(session: Session, subject: Any, *arguments: Any, **options: Any) -> Any:
    """Beside another action, and with what a transaction says as what an update says."""
    try:
        with session.transaction() as t:
            t.update(Plain, "beside", add(Plain.n, 1), upsert=True)
            t.update(subject, *arguments, upsert=True, **options)
    except TransactionFailed as failed:
        [reason] = [each for each in failed.reasons if each is not None]
        if reason.kind is not None:
            raise ItemExists("", "", None, "", reason.item, reason.kind) from failed
        if reason.item is None:
            raise NoSuchItem("", "") from failed
        raise ConditionFailed("", "", None, "", reason.item) from failed
    key = arguments[0] if isinstance(subject, type) else subject
    if isinstance(subject, type):
        return session.get_one(subject, key, consistent=True)
    return session.refresh(evolve(subject))


UPSERTS: dict[str, Callable[..., Any]] = {
    "update": by_update,
    "batch": by_batch,
    "transaction": by_transaction,
}
every_way = pytest.mark.parametrize("upsert", UPSERTS.values(), ids=UPSERTS)


def raw(session: Session, cls: Any) -> list[dict[str, Any]]:
    return list(session.scan(cls).consistent().raw())


def forget_stamps(order: Order) -> Order:
    assert isinstance(order.created, datetime)
    assert order.updated is not None
    return evolve(order, created=None, updated=None)


# --- A whole item ---------------------------------------------------------------------------------


@every_way
def test_the_actions_are_done_to_the_defaults(session: Session, upsert: Callable[..., Any]):
    made = upsert(
        session, Order, "A1", add(Order.total, 1), set_(Order.lines, list_append(Order.lines, ["x"])),
        add(Order.tags, {"t"}), set_(path(Order.address).town, "Ulm"),
        set_(Order.other, Address("Bonn")),
    )  # fmt: skip

    expected = Order(
        "a1", "new", 6, ["first", "x"], {"t"}, Address("Ulm"), Address("Bonn"), version=1
    )
    assert forget_stamps(made) == expected
    assert made.created == made.updated
    [item] = raw(session, Order)
    session.delete(made)
    saved = session.save(evolve(expected, version=0, created=made.created))
    assert item == {**raw(session, Order)[0], "updated": item["updated"]}
    assert saved.version == 1


@every_way
def test_an_index_finds_what_was_made(session: Session, upsert: Callable[..., Any]):
    """With the default of a field that its key is made of."""
    upsert(session, Order, "1", add(Order.total, 1))
    upsert(session, Order, "2", set_(Order.status, "paid"))
    upsert(session, Order, "3", remove(Order.status))

    for status in ("new", "paid"):
        found = session.query(Order).where(Order.status == status).all()
        assert found == session.scan(Order).where(Order.status == status).all()
        assert len(found) == 1
    assert sorted(each.get("g1pk", {}).get("S", "") for each in raw(session, Order)) == [
        "", "STATUS#new", "STATUS#paid",
    ]  # fmt: skip


@every_way
def test_an_item_that_is_there_keeps_what_it_lacks(session: Session, upsert: Callable[..., Any]):
    """Neither defaults nor index keys are filled in: they were left out on purpose."""
    session.client.put_item(
        TableName=f"{session._core.table_prefix}app",
        Item={
            "pk": {"S": "O#1"}, "sk": {"S": "O"}, "id": {"S": "1"}, "kind": {"S": "Order"},
            "extra": {"S": "kept"}, "version": {"N": "4"},
        },
    )  # fmt: skip

    made = upsert(session, Order, "1", add(Order.total, 1))

    assert (made.total, made.version) == (1, 5)
    [item] = raw(session, Order)
    assert item.keys() == {
        "pk", "sk", "id", "kind", "extra", "version", "total", "updated", "created",
    }  # fmt: skip
    assert session.query(Order).where(Order.status == "new").all() == []


@every_way
def test_what_the_class_makes_of_its_fields_is_made(session: Session, upsert: Callable[..., Any]):
    made = upsert(session, Receipt, ("1", 2), set_(Receipt.text, "Hello"), add(Receipt.copies, 2))

    assert made == Receipt("1", 2, "Hello", 2)
    [item] = raw(session, Receipt)
    assert item == {
        "pk": {"S": "R#1"}, "sk": {"S": "R#0002"}, "kind": {"S": "Receipt"}, "text": {"S": "Hello"},
        "copies": {"N": "2"}, "slug": {"S": "hello"}, "search": {"S": "1 Hello"},
    }  # fmt: skip
    again = upsert(session, Receipt, ("1", 2), set_(Receipt.text, "Bye"), add(Receipt.copies, 2))
    assert (again.copies, again.slug, again.search) == (4, "hello", "1 Hello")


@every_way
def test_an_object_is_what_a_new_item_is_made_of(session: Session, upsert: Callable[..., Any]):
    order = Order("7", "draft", 40, address=Address("Ulm"))

    made = upsert(session, order, add(Order.total, 2))

    assert forget_stamps(made) == evolve(order, total=42, version=1)
    assert (order.total, order.version) == (40, 0)
    assert session.query(Order).where(Order.status == "draft").one() == made


@every_way
def test_an_object_with_a_version_was_stored(session: Session, upsert: Callable[..., Any]):
    order = session.save(Order("7"))
    session.delete(Order, "7")

    with pytest.raises(NoSuchItem):
        upsert(session, order, add(Order.total, 2))
    assert raw(session, Order) == []


@every_way
def test_hooks_see_what_is_made(session: Session, upsert: Callable[..., Any]):
    made = upsert(session, Page, "1", set_(Page.title, "t"), add(Page.hits, 1))
    assert made == Page("1", "t", "T", 1)

    again = upsert(session, Page, "1", set_(Page.title, "u"), add(Page.hits, 1))
    assert again == Page("1", "u", "T", 2)


@every_way
def test_a_mapped_class(session: Session, upsert: Callable[..., Any]):
    """There is nothing that it could not keep: the item is new."""
    assert upsert(session, Foreign, "1", add(path(Foreign).n, 2)) == Foreign("1", 2)
    [item] = raw(session, Foreign)
    assert item["word"] == {"S": "w"}


@every_way
def test_what_comes_back(session: Session, upsert: Callable[..., Any]):
    if upsert is by_transaction:
        return
    assert upsert(session, Plain, "1", add(Plain.n, 2), returns="changed") == {"Plain.n": 2}
    assert upsert(session, Plain, "2", add(Plain.n, 2), returns="old") is None
    assert upsert(session, Plain, "2", add(Plain.n, 2), returns="old") == Plain("2", 2)
    assert upsert(session, Plain, "3", add(Plain.n, 2), returns=None) is None


# --- Refused before sending -----------------------------------------------------------------------

REFUSED: dict[str, tuple[Callable[[], tuple[Any, ...]], type[DynattrsError], str]] = {
    "a required field": (
        lambda: (Receipt, ("1", 2), add(Receipt.copies, 1)), ConditionError,
        r"Receipt\.text would have no value then; add set_\(Receipt\.text",
    ),
    "two": (
        lambda: (Receipt, ("1", 2), set_(Receipt.search, "")), ConditionError,
        r"Receipt\.text and Receipt\.copies would",
    ),
    "removed": (
        lambda: (Receipt, ("1", 2), remove(Receipt.text), add(Receipt.copies, 1)), ConditionError,
        r"Receipt\.text has no default",
    ),
    "nothing to add to": (
        lambda: (Receipt, ("1", 2), set_(Receipt.text, "a"), set_(Receipt.copies, Receipt.copies + 1)),
        ConditionError, r"set_\(Receipt\.copies, Receipt\.copies \+ 1\): .*Receipt\.copies does not exist",
    ),
    "nothing that it is in": (
        lambda: (Order, "1", set_(path(Order.sender).town, "Ulm")), ConditionError,
        r"Order\.sender is missing, and cannot be made of this alone: Order\.sender\.name",
    ),
    "no number": (
        lambda: (Order, "1", add(Order.total, 10**38 - 1)), ConditionError, "not a number",
    ),
    "made of the object": (
        lambda: (
            Receipt, ("1", 2), set_(Receipt.text, Receipt.slug), set_(Receipt.copies, 1),
        ), ConditionError, r"Receipt\.slug is made of the object then \(takes_self=True\)",
    ),
    "a validator": (
        lambda: (Order, "1", add(Order.total, -6)), MappingError, "negative.*an upsert makes a whole item",
    ),
    "the constructor": (
        lambda: (User, "a", set_(User.low, 11)), MappingError, "low is above high",
    ),
    "too large": (
        lambda: (Order, "1", set_(Order.status, "x" * 1000), set_(Order.lines, ["y" * 410_000])),
        MappingError, "at most 409,600 bytes",
    ),
}  # fmt: skip


@every_way
@pytest.mark.parametrize("there", [False, True], ids=["missing", "there"])
@pytest.mark.parametrize(("arguments", "error", "text"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_become_a_whole_item_is_not_sent(
    session: Session, upsert: Callable[..., Any], arguments: Any, error: Any, text: str, there: bool
):
    """Whether or not there is an item: that is not known before."""
    if there:
        session.save_all([
            Order("1", total=10, other=Address()), Receipt("1", 2, "t", 1), User("a", high=90),
        ])  # fmt: skip
    stored = [raw(session, cls) for cls in (Order, Receipt, User, Plain)]
    requests = session.stats.requests.copy()

    with pytest.raises(error, match=text):
        upsert(session, *arguments())

    assert session.stats.requests == requests
    assert [raw(session, cls) for cls in (Order, Receipt, User, Plain)] == stored


# --- Conditions -----------------------------------------------------------------------------------


@every_way
def test_a_missing_item_and_a_false_condition_are_told_apart(
    session: Session, upsert: Callable[..., Any]
):
    for when in (Order.total > 3, exists(Order.status), Order.status == "new"):
        with pytest.raises(NoSuchItem):
            upsert(session, Order, "1", add(Order.total, 1), when=when)
    assert raw(session, Order) == []

    assert (
        upsert(session, Order, "1", add(Order.total, 1), when=not_exists(Order.status)).total == 6
    )
    with pytest.raises(ConditionFailed) as caught:
        upsert(session, Order, "1", add(Order.total, 1), when=not_exists(Order.status))
    assert caught.value.item.total == 6
    assert upsert(session, Order, "1", add(Order.total, 1), when=Order.total > 3).total == 7


@every_way
def test_an_item_of_another_kind_is_in_the_way(session: Session, upsert: Callable[..., Any]):
    invoice = session.save(Invoice("1", n=3))

    with pytest.raises(ItemExists) as caught:
        upsert(session, Order, "1", add(Order.total, 1))
    assert (caught.value.kind, session.get(Invoice, "1")) == ("Invoice", invoice)


# --- Unique fields --------------------------------------------------------------------------------


@every_way
def test_a_new_item_takes_the_unique_values_that_it_has_by_default(
    session: Session, upsert: Callable[..., Any]
):
    upsert(session, User, "a", add(User.visits, 1))

    with pytest.raises(AlreadyTaken, match="badge=7"):
        upsert(session, User, "b", add(User.visits, 1))
    with pytest.raises(AlreadyTaken, match="badge=7"):
        session.save(User("c"))
    assert upsert(session, User, "a", add(User.visits, 1)).visits == 2
    assert upsert(session, User, "b", set_(User.badge, 8), set_(User.nick, "bob")).nick == "bob"
    with pytest.raises(AlreadyTaken, match="nick='bob'"):
        upsert(session, User, "c", set_(User.badge, 9), set_(User.nick, "bob"))
    upsert(session, User, "b", set_(User.nick, "bo"))
    session.insert(User("c", "bob", 9))
    with pytest.raises(NoSuchItem):
        upsert(session, User, "d", set_(User.badge, 10), when=User.visits > 3)
    session.insert(User("e", badge=10))
    assert {each["mail"]["S"] for each in raw(session, User)} == {"a", "b", "c", "e"}


# --- Races ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [Plain, User])
def test_one_of_many_makes_it_and_the_others_change_it(session: Session, cls: Any):
    counted = cls.n if cls is Plain else cls.visits
    start = threading.Barrier(6)

    def count(number: int) -> None:
        start.wait()
        if number % 2:
            session.update(cls, "x", add(counted, 1), upsert=True)
        else:
            with session.transaction() as t:
                t.update(cls, "x", add(counted, 1), upsert=True)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(count, range(6)))

    found = session.get_one(cls, "x", consistent=True)
    assert (found.n if cls is Plain else found.visits) == 6


@pytest.mark.parametrize("cls", [Plain, User])
def test_a_race_that_was_lost_is_run_again(session: Session, client: Any, cls: Any):
    """Another program makes the item before we do, and then deletes it before we change it."""
    counted = cls.n if cls is Plain else cls.visits
    name = session._core.table_prefix + model_info(cls).table.name
    key = {model_info(cls).table.partition_key: {"S": "x"}}
    rivals = {
        "UpdateItem": [None, lambda: client.delete_item(TableName=name, Key=key)],
        "PutItem": [lambda: client.put_item(TableName=name, Item=key)],
        "TransactWriteItems": [lambda: client.put_item(TableName=name, Item=key)],
    }
    sent: list[str] = []

    def meddle(event: Any) -> None:
        waiting = rivals.get(event.operation)
        sent.append(event.operation)
        if waiting and (act := waiting.pop(0)) is not None:
            act()

    session.on("before_send", meddle)
    session.update(cls, "x", add(counted, 1), upsert=True)

    making = "PutItem" if cls is Plain else "TransactWriteItems"
    assert sent == ["UpdateItem", making, "UpdateItem", making]
    found = session.get_one(cls, "x", consistent=True)
    assert (found.n if cls is Plain else found.visits) == 1


# --- Transactions ---------------------------------------------------------------------------------


def test_a_transaction_of_upserts_is_sent_once_where_all_items_are_there(session: Session):
    session.save_all([Plain("1"), Plain("2")])
    sent: list[str] = []
    session.on("before_send", lambda event: sent.append(event.operation))

    with session.transaction() as t:
        for each in "12":
            t.update(Plain, each, add(Plain.n, 1), upsert=True)
    assert sent == ["TransactWriteItems"]
    with session.transaction() as t:
        for each in "1234":
            t.update(Plain, each, add(Plain.n, 1), upsert=True)
    assert sent == ["TransactWriteItems"] * 3
    assert sorted((each.id, each.n) for each in session.scan(Plain)) == [
        ("1", 2), ("2", 2), ("3", 1), ("4", 1),
    ]  # fmt: skip


def test_another_action_fails_a_transaction_with_upserts(session: Session):
    session.save(Plain("1"))

    with pytest.raises(TransactionFailed) as caught, session.transaction() as t:
        t.update(Plain, "2", add(Plain.n, 1), upsert=True)
        t.insert(Plain("1"))
    made, inserted = caught.value.reasons
    assert made is None
    assert inserted is not None
    assert inserted.item == Plain("1")
    assert [each["id"]["S"] for each in raw(session, Plain)] == ["1"]


def test_a_token_goes_with_no_upsert(session: Session):
    """Whether it is a Put or an Update depends on what is stored, so it would not be the same again."""
    with pytest.raises(TransactionError, match=r"token='t': .*upsert=True"):
        with session.transaction(token="t") as t:
            t.update(Plain, "1", add(Plain.n, 1), upsert=True)
    assert raw(session, Plain) == []


def test_if_not_exists_begins_at_its_default(session: Session):
    made = session.update(
        Receipt, ("1", 2), set_(Receipt.text, "t"),
        set_(Receipt.copies, if_not_exists(Receipt.copies, 0) + 1), upsert=True,
    )  # fmt: skip

    assert made.copies == 1
