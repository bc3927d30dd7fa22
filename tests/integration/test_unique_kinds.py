"""Unique fields of several models in one table: a value is taken by the model that an item is of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from dynattrs import (
    AlreadyTaken,
    ConditionFailed,
    Session,
    Table,
    TransactionFailed,
    UnsentWrites,
    exists,
    field,
    model,
    partition_key,
    set_,
)
from dynattrs.schema.model_info import model_info
from unique_models import ALIKE, Loose, One, Two

# --- Two models, an item of one in the way of the other -------------------------------------------

TOLD = Table("told", partition_key="pk", discriminator="type")


@model(TOLD, pk="{id}")
class Customer:
    id: str
    email: str | None = field(unique=True, default=None)


@model(TOLD, pk="{id}")
class Supplier:
    id: str
    email: str | None = field(unique=True, default=None)
    version: int = field(version=True, default=0)


PLAIN = Table("plain", partition_key="id", discriminator="type")


@model(PLAIN)
class Person:
    id: str = partition_key()
    name: str | None = field(unique=True, default=None)
    email: str | None = None


@model(PLAIN)
class Staff(Person):
    email: str | None = field(unique=True, default=None)


@attrs.frozen
class Pair:
    """A model with a unique field, and the one that an item under its key is of."""

    mine: type[Any]
    other: type[Any]

    def __str__(self) -> str:
        return f"{self.mine.__name__}-{self.other.__name__}"

    @property
    def table(self) -> Table:
        return model_info(self.mine).table


PAIRS = [
    Pair(Supplier, Customer),
    Pair(Customer, Supplier),
    Pair(Staff, Person),
    Pair(Two, One),
    Pair(Two, Loose),
]


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(TOLD, PLAIN, ALIKE)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    session = Session(client=client, table_prefix=table_prefix)
    yield session
    session.close()


def stored(session: Session, table: Table) -> list[dict[str, Any]]:
    client: Any = session.client
    name = session._core.table_name(table)
    found: list[dict[str, Any]] = client.scan(TableName=name, ConsistentRead=True)["Items"]
    return found


def guards(session: Session, table: Table) -> dict[str, str]:
    """Whose each value is: the keys of the items by what their guards guard."""
    partition = table.partition_key
    return {
        item[partition]["S"].removeprefix("dynattrs.unique "): item["dynattrs.owner"]["M"][
            partition
        ]["S"]
        for item in stored(session, table)
        if "dynattrs.unique" in item
    }


def guard(cls: type[Any], value: str) -> str:
    return f'{cls.__name__}.email [["S","{value}"]]'


def in_transaction(session: Session, obj: Any) -> None:
    with session.transaction() as t:
        t.save(obj)


def in_batch(session: Session, obj: Any) -> None:
    with session.batch() as batch:
        batch.save(obj)


def all_in_batch(session: Session, obj: Any) -> None:
    with session.batch() as batch:
        batch.save_all([obj])


SAVES: dict[str, Callable[[Session, Any], Any]] = {
    "save": lambda s, obj: s.save(obj),
    "save when": lambda s, obj: s.save(obj, when=exists(type(obj).email)),
    "save_all": lambda s, obj: s.save_all([obj]),
    "t.save": in_transaction,
    "batch.save": in_batch,
    "batch.save_all": all_in_batch,
}


@pytest.fixture(params=PAIRS, ids=str)
def pair(request: pytest.FixtureRequest) -> Pair:
    found: Pair = request.param
    return found


@pytest.fixture(
    params=[
        pytest.param(each, marks=() if each in ("save", "t.save") else pytest.mark.full)
        for each in SAVES
    ]
)
def save(request: pytest.FixtureRequest) -> Callable[[Session, Any], Any]:
    return SAVES[request.param]


def causes(error: BaseException) -> list[BaseException]:
    if isinstance(error, UnsentWrites):
        return [each.cause for each in error.unsent]
    return [error]


def test_a_save_over_another_kind_does_not_take_a_value_that_another_item_has(
    session: Session, pair: Pair, save: Callable[[Session, Any], Any]
):
    session.insert(pair.other("1", email="e"))
    session.insert(pair.mine("2", email="e"))
    before = stored(session, pair.table)

    with pytest.raises((AlreadyTaken, UnsentWrites)) as caught:
        save(session, pair.mine("1", email="e"))

    [cause] = causes(caught.value)
    assert isinstance(cause, AlreadyTaken)
    assert cause.key == {"id": "2"}
    assert sorted(stored(session, pair.table), key=repr) == sorted(before, key=repr)


def test_a_save_over_another_kind_takes_its_own_values_and_frees_the_others(
    session: Session, pair: Pair, save: Callable[[Session, Any], Any]
):
    session.insert(pair.other("1", email="e"))

    save(session, pair.mine("1", email="e"))

    assert guards(session, pair.table) == {guard(pair.mine, "e"): "1"}
    with pytest.raises(AlreadyTaken):
        session.insert(pair.mine("2", email="e"))
    session.insert(pair.other("3", email="e"))
    # Of its own kind, it is as before.
    save(session, session.get_one(pair.mine, "1"))
    assert guards(session, pair.table)[guard(pair.mine, "e")] == "1"


def test_a_save_over_an_old_item_without_a_kind_takes_its_values(
    session: Session, save: Callable[[Session, Any], Any]
):
    client: Any = session.client
    name = session._core.table_name(TOLD)
    for key in ("1", "2"):
        item = {"pk": {"S": key}, "id": {"S": key}, "email": {"S": "e"}}
        client.put_item(TableName=name, Item=item)

    save(session, Customer("1", "e"))

    assert guards(session, TOLD) == {guard(Customer, "e"): "1"}
    with pytest.raises((AlreadyTaken, UnsentWrites)):
        save(session, Customer("2", "e"))


def test_an_update_of_an_old_item_without_a_kind_takes_a_value_that_it_has_already(
    session: Session,
):
    client: Any = session.client
    name = session._core.table_name(TOLD)
    item = {"pk": {"S": "1"}, "id": {"S": "1"}, "email": {"S": "e"}}
    client.put_item(TableName=name, Item=item)
    session.update(Customer, "1", set_(Customer.email, "e"))
    assert guards(session, TOLD) == {guard(Customer, "e"): "1"}

    session.insert(Customer("2", "f"))
    client.put_item(TableName=name, Item={**item, "email": {"S": "f"}})
    with pytest.raises(AlreadyTaken):
        session.update(Customer, "1", set_(Customer.email, "f"))


def test_a_save_of_a_base_over_a_subclass_frees_what_only_that_has(session: Session):
    session.insert(Staff("1", "ann", "e"))

    session.save(Person("1", "ann", "e"))

    assert guards(session, PLAIN) == {'Person.name [["S","ann"]]': "1"}
    session.insert(Staff("2", "bob", "e"))


@pytest.mark.parametrize("other", [One, Two])
def test_a_delete_frees_the_values_of_whatever_it_deletes(session: Session, other: type[Any]):
    session.insert(One("1", "e"))

    session.delete(other, "1")

    assert guards(session, ALIKE) == {}


def test_a_move_to_another_kind_takes_its_values_and_frees_the_old_ones(session: Session):
    session.insert(Customer("1", "e"))
    session.move(session.get_one(Customer, "1"), Supplier("2", "e"))
    assert guards(session, TOLD) == {guard(Supplier, "e"): "2"}

    session.insert(Customer("1", "e"))
    with pytest.raises(AlreadyTaken):
        session.move(session.get_one(Customer, "1"), Supplier("3", "e"))
    assert guards(session, TOLD) == {guard(Customer, "e"): "1", guard(Supplier, "e"): "2"}


def test_what_does_not_change_stays_one_request(session: Session):
    session.save_all(
        [Customer("1", "e"), Customer("2"), Person("1", "ann"), Staff("2", "bob", "e")]
    )
    sent: list[str] = []
    session.on("before_send", lambda event: sent.append(event.operation))

    session.save(Customer("1", "e"))
    session.save(Customer("2"))
    session.save(Customer("3"))
    session.save(Person("1", "ann"))
    session.save(Staff("2", "bob", "e"))
    session.save(Two("1"))

    assert sent == ["PutItem"] * 6


# --- What a refused save says ---------------------------------------------------------------------


@pytest.mark.parametrize("obj", [Supplier("1", "e"), Supplier("1", "f"), Supplier("1")], ids=repr)
def test_a_refused_save_says_what_it_found(session: Session, obj: Any):
    session.insert(Customer("1", "e"))
    obj = attrs.evolve(obj, version=3)

    with pytest.raises(ConditionFailed) as caught:
        session.save(obj)

    assert caught.value.item == Customer("1", "e")
    assert caught.value.kind == "Customer"
    assert "there is an item of another kind, 'Customer'; see .item" in str(caught.value)
    with pytest.raises(ConditionFailed) as caught:
        session.save(attrs.evolve(obj, version=0), when=Supplier.email == "q")
    assert (caught.value.item, caught.value.kind) == (Customer("1", "e"), "Customer")
    with pytest.raises(UnsentWrites) as unsent:
        session.save_all([obj])
    [cause] = causes(unsent.value)
    assert isinstance(cause, ConditionFailed)
    assert cause.kind == "Customer"
    with pytest.raises(TransactionFailed) as failed:
        in_transaction(session, obj)
    [reason] = failed.value.reasons
    assert reason is not None
    assert (reason.item, reason.kind) == (Customer("1", "e"), "Customer")
    assert guards(session, TOLD) == {guard(Customer, "e"): "1"}
