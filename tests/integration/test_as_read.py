"""What is compared is what is stored: an item that nothing has changed never fails its own guard."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any
from uuid import UUID, uuid4

import attrs
import pytest

from dynattrs import (
    Compressed,
    ConditionFailed,
    GlobalIndex,
    Json,
    Session,
    Table,
    TransactionFailed,
    UnsentWrites,
    evolve,
    field,
    map_class,
    model,
    partition_key,
    set_,
)

UTC = timezone.utc


class Colour(Enum):
    RED = "red"


@attrs.define
class Inner:
    at: datetime
    note: str = ""


@model("read")
class Doc:
    id: str = partition_key()
    at: datetime | None = None
    uuid: UUID | None = None
    day: date | None = None
    rate: float = 0.0
    exact: Decimal = Decimal(0)
    name: str | None = None
    plays: int = 3
    lower: str = attrs.field(default="", converter=str.lower)
    data: Annotated[Any, Json] = None
    packed: Annotated[str, Compressed] = ""
    inner: Inner | None = None
    days: list[date] = attrs.field(factory=list)
    when: dict[str, datetime] = attrs.field(factory=dict)
    token: UUID = attrs.field(factory=uuid4)
    colour: Colour = Colour.RED
    version: int = field(version=True)


LATER = datetime(2027, 1, 1, tzinfo=UTC)

#: What another program has stored, as attributes beside the key, and a change of what was read of it.
FOREIGN: dict[str, tuple[dict[str, Any], Callable[[Any], Any]]] = {
    "offset": ({"at": {"S": "2026-11-23T12:30:00.000000+0000"}}, lambda d: setattr(d, "at", LATER)),
    "seconds": ({"at": {"S": "2026-11-23T12:30:00Z"}}, lambda d: setattr(d, "at", LATER)),
    "upper UUID": (
        {"uuid": {"S": "123E4567-E89B-12D3-A456-426614174000"}},
        lambda d: setattr(d, "uuid", UUID(int=1)),
    ),
    "short date": ({"day": {"S": "20261123"}}, lambda d: setattr(d, "day", date(2027, 1, 1))),
    "digits": (
        {"rate": {"N": "0.1000000000000000055511151231257827"}},
        lambda d: setattr(d, "rate", 0.5),
    ),
    "decimal": ({"exact": {"N": "1.50"}}, lambda d: setattr(d, "exact", Decimal(2))),
    "NULL": ({"name": {"NULL": True}}, lambda d: setattr(d, "name", "x")),
    "absent": ({}, lambda d: setattr(d, "plays", 4)),
    "converter": ({"lower": {"S": "ABC"}}, lambda d: setattr(d, "lower", "x")),
    "JSON": ({"data": {"S": '{"a":1}'}}, lambda d: setattr(d, "data", {"a": 2})),
    "nested": (
        {"inner": {"M": {"at": {"S": "2026-11-23T12:30:00Z"}}}},
        lambda d: setattr(d.inner, "at", LATER),
    ),
    "nested, absent": (
        {"inner": {"M": {"at": {"S": "2026-11-23T12:30:00Z"}}}},
        lambda d: setattr(d.inner, "note", "x"),
    ),
    "nested, whole": (
        {"inner": {"M": {"at": {"S": "2026-11-23T12:30:00Z"}}}},
        lambda d: setattr(d, "inner", None),
    ),
    "list": (
        {"days": {"L": [{"S": "20261123"}, {"S": "2026-11-24"}]}},
        lambda d: d.days.append(date(2027, 1, 1)),
    ),
    "map": (
        {"when": {"M": {"a": {"S": "2026-11-23T12:30:00Z"}}}},
        lambda d: d.when.update(a=LATER),
    ),
    "absent, made anew": ({}, lambda d: setattr(d, "token", UUID(int=1))),
    "version 0": ({"version": {"N": "0"}}, lambda d: setattr(d, "plays", 4)),
    "version 1.0": ({"version": {"N": "1.0"}}, lambda d: setattr(d, "plays", 4)),
    "several": (
        {"at": {"S": "2026-11-23T12:30:00Z"}, "name": {"NULL": True}, "version": {"N": "0"}},
        lambda d: (setattr(d, "at", LATER), setattr(d, "name", "x")),
    ),
}  # fmt: skip


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Doc, Order)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    session = Session(client=client, table_prefix=table_prefix)
    yield session
    session.close()


def table(session: Any, cls: Any) -> str:
    name: str = session.tables.describe(cls)["TableName"]
    return name


def put(session: Any, client: Any, cls: Any, attributes: dict[str, Any]) -> None:
    client.put_item(TableName=table(session, cls), Item={"id": {"S": "a"}, **attributes})


def guarded(session: Any, doc: Any, change: Callable[[Any], Any]) -> None:
    with session.edit(doc, guard=True):
        change(doc)


def saved(session: Any, doc: Any, change: Callable[[Any], Any]) -> None:
    change(doc)
    session.save(doc)


def saved_in_transaction(session: Any, doc: Any, change: Callable[[Any], Any]) -> None:
    change(doc)
    with session.transaction() as t:
        t.save(doc)


def saved_together(session: Any, doc: Any, change: Callable[[Any], Any]) -> None:
    change(doc)
    session.save_all([doc])


def edited(session: Any, doc: Any, change: Callable[[Any], Any]) -> None:
    with session.edit(doc):
        change(doc)


def read_again(session: Any, doc: Any, change: Callable[[Any], Any]) -> None:
    guarded(session, session.refresh(doc), change)


def evolved(session: Any, doc: Any, change: Callable[[Any], Any]) -> None:
    guarded(session, evolve(doc), change)


def failed_before(session: Any, doc: Any, change: Callable[[Any], Any]) -> None:
    with pytest.raises(ZeroDivisionError), session.edit(doc, guard=True):
        raise ZeroDivisionError
    guarded(session, doc, change)


WRITES = [
    guarded, saved, saved_in_transaction, saved_together, edited, read_again, evolved, failed_before,
]  # fmt: skip


@pytest.mark.parametrize("write", WRITES)
def test_an_unchanged_item_never_fails_its_own_guard(
    session: Session, client: Any, write: Callable[..., Any]
) -> None:
    for name, (attributes, change) in FOREIGN.items():
        put(session, client, Doc, attributes)
        doc = session.get_one(Doc, "a", consistent=True)
        expected = copy.deepcopy(doc)
        try:
            write(session, doc, change)
        except ConditionFailed as error:
            raise AssertionError(name) from error
        found = session.get_one(Doc, "a", consistent=True)
        change(expected)
        same = [each for each in attrs.fields_dict(Doc) if each not in ("version", "token")]
        assert [getattr(found, each) for each in same] == [getattr(expected, each) for each in same]


def test_a_guarded_edit_goes_on_where_the_last_one_has_ended(session: Session, client: Any) -> None:
    put(
        session,
        client,
        Doc,
        {"at": {"S": "2026-11-23T12:30:00Z"}, "token": {"S": str(UUID(int=7))}},
    )
    doc = session.get_one(Doc, "a")
    for _ in range(3):
        with session.edit(doc, guard=True):
            assert doc.at is not None
            doc.at += timedelta(days=1)
    with session.edit(doc, guard=True):
        doc.token = UUID(int=8)

    assert session.get_one(Doc, "a").at == datetime(2026, 11, 26, 12, 30, tzinfo=UTC)


def test_what_an_edit_left_alone_is_still_as_it_was_read(session: Session, client: Any) -> None:
    put(session, client, Doc, {"at": {"S": "2026-11-23T12:30:00Z"}})
    doc = session.get_one(Doc, "a")
    with session.edit(doc, guard=True):
        doc.plays = 7
    with session.edit(doc, guard=True):
        doc.token = UUID(int=1)
    session.save(doc)
    with session.edit(doc, guard=True):
        doc.token = UUID(int=2)

    assert session.get_one(Doc, "a", consistent=True) == doc


def test_a_saved_object_may_be_copied_as_a_new_one(session: Session, client: Any) -> None:
    put(session, client, Doc, {"version": {"N": "0"}})
    doc = session.save(session.get_one(Doc, "a"))
    session.delete(doc)
    session.save(evolve(doc, version=0))
    assert session.get_one(Doc, "a", consistent=True).version == 1


#: What still another program writes after the object was read.
OTHERS: dict[str, tuple[str, Any, Any]] = {
    "offset": ("at", {"S": "2026-11-23T12:30:01+0000"}, {"S": "2026-11-23T12:30:01Z"}),
    "NULL": ("name", {"S": "theirs"}, {"S": "theirs"}),
    "absent": ("plays", {"N": "5"}, {"N": "6"}),
    "nested": ("inner", {"M": {"at": {"S": "2026-11-23T12:30:01Z"}}}, {"NULL": True}),
    "list": ("days", {"L": [{"S": "2026-11-23"}]}, {"L": []}),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_change_of_another_writer_is_still_noticed(
    session: Session, client: Any, name: str
) -> None:
    attributes, change = FOREIGN[name]
    attribute, *values = OTHERS[name]
    for value in values:
        put(session, client, Doc, attributes)
        doc = session.get_one(Doc, "a", consistent=True)
        put(session, client, Doc, {**attributes, attribute: value})
        with pytest.raises(ConditionFailed):
            guarded(session, doc, change)
        stored = client.get_item(TableName=table(session, Doc), Key={"id": {"S": "a"}})["Item"]
        assert stored[attribute] == value


def test_a_version_that_is_stored_as_0_is_checked(session: Session, client: Any) -> None:
    put(session, client, Doc, {"version": {"N": "0"}})
    doc = session.get_one(Doc, "a")
    with pytest.raises(ConditionFailed):
        session.save(Doc("a"))  # a new one

    put(session, client, Doc, {"version": {"N": "1"}})
    with pytest.raises(ConditionFailed):
        session.save(doc)
    with pytest.raises(ConditionFailed):
        session.delete(doc)
    put(session, client, Doc, {"version": {"N": "0"}})
    session.save(doc)
    session.save(doc)
    assert session.get_one(Doc, "a", consistent=True).version == 2


@model("read", frozen=True)
class FrozenDoc:
    id: str = partition_key()
    at: datetime | None = None
    token: UUID = attrs.field(factory=uuid4)
    version: int = field(version=True)


def saved(session: Session, doc: Any) -> Any:
    return session.save(doc)


def saved_in_a_batch(session: Session, doc: Any) -> Any:
    with session.batch() as batch:
        return batch.save(doc)


def saved_in_a_transaction(session: Session, doc: Any) -> Any:
    with session.transaction() as t:
        return t.save(doc)


def edited(session: Session, doc: Any) -> Any:
    with session.edit(doc):
        doc.at = LATER if doc.at is None else None
    return doc


def edited_in_a_transaction(session: Session, doc: Any) -> Any:
    with session.transaction() as t, t.edit(doc):
        doc.at = LATER if doc.at is None else None
    return doc


def updated(session: Session, doc: Any) -> Any:
    return session.update(doc, set_(type(doc).at, LATER))


WRITES = (saved, saved_in_a_batch, saved_in_a_transaction, edited, edited_in_a_transaction, updated)


@pytest.mark.parametrize("cls", [Doc, FrozenDoc])
@pytest.mark.parametrize("write", WRITES)
def test_a_version_that_is_raised_to_0_is_that_of_a_stored_item(
    session: Session, client: Any, write: Any, cls: Any
) -> None:
    if cls is FrozenDoc and write.__name__.startswith("edited"):
        pytest.skip("a frozen object has nothing to edit")
    put(session, client, Doc, {"version": {"N": "-2"}})
    doc = session.get_one(cls, "a", consistent=True)
    for version in (-1, 0, 1, 2):
        doc = write(session, doc)
        assert doc.version == version

    stored = session.get_one(cls, "a", consistent=True)
    assert (stored.at, stored.version) == (doc.at, 2)
    put(session, client, Doc, {"version": {"N": "-1"}})
    doc = write(session, session.get_one(cls, "a", consistent=True))
    put(session, client, Doc, {"version": {"N": "1"}})
    with pytest.raises((ConditionFailed, TransactionFailed, UnsentWrites)):
        write(session, doc)
    with pytest.raises(ConditionFailed):
        session.delete(doc)


@attrs.define
class Mapped:
    id: str
    at: datetime
    version: int = field(version=True)


map_class(Mapped, "read", partition_key="id", unknown="drop")


def test_a_class_that_carries_nothing_is_guarded_alike(session: Session, client: Any) -> None:
    for stored in ({}, {"version": {"N": "0"}}):
        put(session, client, Doc, {"at": {"S": "2026-11-23T12:30:00Z"}, **stored})
        mapped = session.get_one(Mapped, "a", consistent=True)
        with session.edit(mapped, guard=True):
            mapped.at = LATER
        assert session.get_one(Mapped, "a", consistent=True) == Mapped("a", LATER, 1)


# --- Index keys that follow -----------------------------------------------------------------------

orders = Table(
    "read_orders",
    partition_key="pk",
    indexes=[GlobalIndex("by-status", partition_key="gpk", sort_key="gsk")],
    discriminator="type",
)
KEYS = {"gpk": "STATUS#{status}", "gsk": "{status}#{placed}#{customer}"}


@model(orders, pk="ORDER#{id}", **KEYS)
class Order:
    id: str
    status: str
    placed: datetime
    customer: UUID | None = None


@model(orders, pk="UNIQUE#{id}", **KEYS)
class Unique:
    id: str
    status: str
    placed: datetime
    customer: UUID | None = None
    mail: str | None = field(default=None, unique=True)


def foreign(cls: Any) -> dict[str, Any]:
    return {
        "pk": {"S": f"{cls.__name__.upper()}#1"},
        "type": {"S": cls.__name__},
        "id": {"S": "1"},
        "status": {"S": "open"},
        "placed": {"S": "2026-11-23T12:30:00Z"},
        "customer": {"S": "123E4567-E89B-12D3-A456-426614174000"},
        **({"mail": {"S": "a@x"}} if cls is Unique else {}),
    }


FOLLOWED = "paid#2026-11-23T12:30:00.000000Z#123e4567-e89b-12d3-a456-426614174000"


def stored(session: Any, client: Any, cls: Any) -> dict[str, Any]:
    key = {"pk": {"S": f"{cls.__name__.upper()}#1"}}
    found: dict[str, Any] = client.get_item(TableName=table(session, cls), Key=key)["Item"]
    return found


def read(session: Any, client: Any, cls: Any) -> Any:
    client.put_item(TableName=table(session, cls), Item=foreign(cls))
    return session.get_one(cls, "1", consistent=True)


def updated(session: Any, order: Any) -> None:
    session.update(order, set_(type(order).status, "paid"))


def updated_with_a_guard(session: Any, order: Any) -> None:
    if isinstance(order, Unique):
        session.update(order, set_(Unique.status, "paid"), set_(Unique.mail, "b@x"))
    else:
        updated(session, order)


def updated_in_transaction(session: Any, order: Any) -> None:
    with session.transaction() as t:
        t.update(order, set_(type(order).status, "paid"))
        t.save(Order("2", "new", LATER))


def edited_status(session: Any, order: Any) -> None:
    with session.edit(order, guard=True):
        order.status = "paid"


def edited_mail(session: Any, order: Any) -> None:
    with session.edit(order, guard=True):
        order.status, order.placed = "paid", order.placed + timedelta(0)
        if isinstance(order, Unique):
            order.mail = "c@x"


FOLLOWS = [updated, updated_with_a_guard, updated_in_transaction, edited_status, edited_mail]


@pytest.mark.parametrize("write", FOLLOWS)
@pytest.mark.parametrize("cls", [Order, Unique])
def test_index_keys_follow_what_is_stored_otherwise(
    session: Session, client: Any, cls: Any, write: Callable[..., Any]
) -> None:
    write(session, read(session, client, cls))

    item = stored(session, client, cls)
    assert (item["gpk"], item["gsk"]) == ({"S": "STATUS#paid"}, {"S": FOLLOWED})
    assert item["customer"] == foreign(cls)["customer"]  # it is left alone


@pytest.mark.parametrize("cls", [Order, Unique])
def test_index_keys_do_not_follow_what_another_writer_has_changed(
    session: Session, client: Any, cls: Any
) -> None:
    order = read(session, client, cls)
    changed = {**foreign(cls), "placed": {"S": "2026-11-24T12:30:00Z"}}
    client.put_item(TableName=table(session, cls), Item=changed)

    for write in (updated, updated_with_a_guard):
        with pytest.raises(ConditionFailed):
            write(session, order)
    with pytest.raises(TransactionFailed) as caught:
        updated_in_transaction(session, order)
    assert [each and each.code for each in caught.value.reasons] == ["ConditionalCheckFailed", None]
    assert stored(session, client, cls) == changed


def test_an_item_does_not_leave_an_index_for_what_it_has_not_any_more(
    session: Session, client: Any
) -> None:
    """The object says that it has no customer, and so no place in the index; another has come since."""
    session.save(Order("1", "open", LATER))
    order = session.get_one(Order, "1", consistent=True)
    session.update(
        Order,
        "1",
        set_(Order.customer, UUID(int=1)),
        set_(Order.placed, LATER),
        set_(Order.status, "open"),
    )
    with pytest.raises(ConditionFailed):
        updated(session, order)
    assert stored(session, client, Order)["status"] == {"S": "open"}


def test_with_a_token_of_the_caller_a_transaction_stays_what_it_is(
    session: Session, client: Any
) -> None:
    """Tried again, it would be another one, which the token forbids."""
    order = read(session, client, Order)
    token = f"mine-{time.time()}"
    with pytest.raises(TransactionFailed), session.transaction(token=token) as t:
        t.update(order, set_(Order.status, "paid"))
    assert stored(session, client, Order) == foreign(Order)


def test_items_with_versions_are_copied_by_counting_anew(session: Session) -> None:
    for name in ("a", "b"):
        session.save(session.save(Doc(name)))
    docs = session.scan(Doc).all()
    for doc in docs:
        session.delete(doc)
    session.save_all(evolve(doc, version=0) for doc in docs)

    assert {doc.version for doc in session.scan(Doc).consistent()} == {1}
