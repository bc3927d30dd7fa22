"""Whatever models share a table and have unique fields, each value has one item at every moment, and a
guard that names it; what no item has any more is free.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynattrs import (
    AlreadyTaken,
    ConditionFailed,
    DynattrsError,
    ItemExists,
    NoSuchItem,
    OtherKind,
    Session,
    Table,
    TransactionFailed,
    UnsentWrites,
    field,
    model,
    partition_key,
    set_,
)
from unique_models import ALIKE, One, Two

# --- Tables in which models meet ------------------------------------------------------------------

TEMPLATES = Table("unique-templates", partition_key="pk", discriminator="type")


@model(TEMPLATES, pk="K#{id}")
class Person:
    id: str
    email: str | None = field(unique=True, default=None)


@model(TEMPLATES, kind=("staff", "Staff"))
class Staff(Person):
    badge: str | None = field(unique=True, default=None)


@model(TEMPLATES, pk="K#{id}")
class Supplier:
    id: str
    email: str | None = field(unique=True, default=None)


@model(TEMPLATES, pk="K#{id}")
class Guest:
    id: str
    email: str | None = None


PLAIN = Table("unique-plain", partition_key="id", discriminator="type")


@model(PLAIN)
class Buyer:
    id: str = partition_key()
    email: str | None = field(unique=True, default=None)


@model(PLAIN)
class Seller:
    id: str = partition_key()
    email: str | None = field(unique=True, default=None)


@attrs.frozen
class World:
    """A table, its models, and for each of them its kinds and the guards of its fields."""

    table: Table
    models: tuple[type[Any], ...]
    kinds: dict[str, type[Any]]
    guards: dict[type[Any], dict[str, str]]
    template: str = "{}"

    def key(self, id_: str) -> str:
        return self.template.format(id_)

    def __str__(self) -> str:
        return self.table.name


def own(cls: type[Any]) -> dict[str, str]:
    return {"email": f"{cls.__name__}.email"}


WORLDS = [
    World(
        TEMPLATES,
        (Person, Staff, Supplier, Guest),
        {"Person": Person, "staff": Staff, "Staff": Staff, "Supplier": Supplier, "Guest": Guest},
        {
            Person: own(Person),
            Staff: {**own(Person), "badge": "Staff.badge"},
            Supplier: own(Supplier),
            Guest: {},
        },
        "K#{}",
    ),
    World(
        PLAIN,
        (Buyer, Seller),
        {"Buyer": Buyer, "Seller": Seller},
        {Buyer: own(Buyer), Seller: own(Seller)},
    ),
    World(ALIKE, (One, Two), {}, {One: own(One), Two: own(Two)}),
]
IDS, VALUES = ("1", "2", "3"), (None, "a", "b")


# --- What is stored -------------------------------------------------------------------------------


@attrs.define
class Stored:
    """What is in a world's table, as another program sees it."""

    world: World
    session: Any
    #: By key, of worlds where nothing tells: the model that has written the unique value.
    writers: dict[str, type[Any]] = attrs.field(factory=dict)

    def scan(self) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
        """The items by key; the keys of the items that guards name, by guard."""
        name, partition = self.world.table.name, self.world.table.partition_key
        found = self.session.client.scan(TableName=name, ConsistentRead=True)["Items"]
        items = {each[partition]["S"]: each for each in found if "dynattrs.unique" not in each}
        guards = {
            each[partition]["S"].removeprefix("dynattrs.unique "): each["dynattrs.owner"]["M"][
                partition
            ]["S"]
            for each in found
            if "dynattrs.unique" in each
        }
        return items, guards

    def models_of(self, item: dict[str, Any]) -> list[type[Any]]:
        """The models that an item may be of."""
        kind = item.get("type", {}).get("S")
        return [self.world.kinds[kind]] if kind else [*self.world.models]

    def values(self, cls: type[Any], item: dict[str, Any]) -> set[str]:
        """The guards that an item of a model has."""
        return {
            f'{name} [["S","{item[attribute]["S"]}"]]'
            for attribute, name in self.world.guards[cls].items()
            if "S" in item.get(attribute, {})
        }

    def held(self, wanted: set[str], but: tuple[str, ...]) -> bool:
        """Whether another item holds one of some values."""
        items, guards = self.scan()
        for value in wanted & guards.keys():
            owner = guards[value]
            if owner in but or owner not in items:
                continue
            item = items[owner]
            if any(value in self.values(cls, item) for cls in self.models_of(item)):
                return True
        return False

    def check(self) -> None:
        """Each item that surely is of a model has the guards of its values. So no two have one value."""
        items, guards = self.scan()
        for key, item in items.items():
            kinds = self.models_of(item)
            cls = kinds[0] if len(kinds) == 1 else self.writers.get(key)
            for value in set() if cls is None else self.values(cls, item):
                assert guards.get(value) == key, f"{key} has {value} without a guard"

    def clear(self) -> None:
        items, guards = self.scan()
        for key in (*items, *(f"dynattrs.unique {each}" for each in guards)):
            self.session.client.delete_item(
                TableName=self.world.table.name, Key={self.world.table.partition_key: {"S": key}}
            )
        self.writers.clear()


# --- Verbs ----------------------------------------------------------------------------------------


@attrs.define
class Step:
    """One verb, and what it gets."""

    stored: Stored
    cls: type[Any]
    other: type[Any]
    id: str
    other_id: str
    email: str | None
    badge: str | None

    @property
    def session(self) -> Any:
        return self.stored.session

    @property
    def key(self) -> str:
        return self.stored.world.key(self.id)

    def found(self) -> dict[str, Any] | None:
        item: dict[str, Any] | None = self.stored.scan()[0].get(self.key)
        return item

    def is_ours(self, item: dict[str, Any] | None) -> bool:
        """Whether an item may be of the step's class."""
        return item is not None and any(
            issubclass(each, self.cls) for each in self.stored.models_of(item)
        )

    def make(self, cls: type[Any], id_: str) -> Any:
        badge = {"badge": self.badge} if cls is Staff else {}
        return cls(id_, self.email, **badge)

    def wanted(self, cls: type[Any]) -> set[str]:
        item = {"email": {"S": self.email}} if self.email is not None else {}
        if cls is Staff and self.badge is not None:
            item["badge"] = {"S": self.badge}
        return self.stored.values(cls, item)

    def wrote(self, id_: str, cls: type[Any]) -> None:
        self.stored.writers[self.stored.world.key(id_)] = cls


def transact(session: Any, act: Callable[[Any], Any]) -> None:
    with session.transaction() as t:
        act(t)


def batched(session: Any, act: Callable[[Any], Any]) -> None:
    with session.batch() as batch:
        act(batch)


def outcome(act: Callable[[], Any]) -> Any:
    """How a verb ends; the cause where it is one of several."""
    try:
        act()
    except UnsentWrites as error:
        [unsent] = error.unsent
        return type(unsent.cause)
    except DynattrsError as error:
        return type(error)
    return None


SAVES: tuple[Callable[[Any, Any], Any], ...] = (
    lambda s, obj: s.save(obj),
    lambda s, obj: s.save_all([obj]),
    lambda s, obj: transact(s, lambda t: t.save(obj)),
    lambda s, obj: batched(s, lambda batch: batch.save(obj)),
)


def save(step: Step, way: int) -> None:
    held = step.stored.held(step.wanted(step.cls), (step.key,))
    obj = step.make(step.cls, step.id)
    assert outcome(lambda: SAVES[way](step.session, obj)) is (AlreadyTaken if held else None)
    if not held:
        step.wrote(step.id, step.cls)


def insert(step: Step, way: int) -> None:
    held = step.stored.held(step.wanted(step.cls), (step.key,))
    there = step.found() is not None
    obj = step.make(step.cls, step.id)
    if way % 2:
        found = outcome(lambda: step.session.insert(obj))
        assert found is (ItemExists if there else AlreadyTaken if held else None)
    else:
        found = outcome(lambda: transact(step.session, lambda t: t.insert(obj)))
        assert found is (TransactionFailed if there else AlreadyTaken if held else None)
    if found is None:
        step.wrote(step.id, step.cls)


def update(step: Step, way: int) -> None:
    item, upsert = step.found(), way >= 2
    ours = step.is_ours(item)
    right: Any = None
    if step.cls is Guest:
        right = None if ours or (upsert and item is None) else NoSuchItem
        right = ItemExists if right and upsert else right
    elif item is None and not upsert:
        right = NoSuchItem
    elif item is not None and not ours:
        right = ItemExists if upsert else NoSuchItem
    else:
        wanted = step.stored.values(
            step.cls if step.cls is not Staff else Person,
            {"email": {"S": step.email}} if step.email is not None else {},
        )
        right = AlreadyTaken if step.stored.held(wanted, (step.key,)) else None
    action = set_(step.cls.email, step.email)

    def in_transaction() -> None:
        transact(step.session, lambda t: t.update(step.cls, step.id, action, upsert=upsert))

    if way % 2:
        found = outcome(lambda: step.session.update(step.cls, step.id, action, upsert=upsert))
        assert found is right
    else:
        found = outcome(in_transaction)
        assert found is (TransactionFailed if right in (NoSuchItem, ItemExists) else right)
    if found is None:
        step.wrote(step.id, step.cls)


def edit(step: Step, way: int) -> None:
    try:
        obj = step.session.get(step.cls, step.id)
    except OtherKind:
        return
    if obj is None or obj.email == step.email:
        return
    cls = Person if type(obj) is Staff else type(obj)
    wanted = step.stored.values(cls, {"email": {"S": step.email}} if step.email is not None else {})
    held = step.stored.held(wanted, (step.key,))

    def act() -> None:
        with step.session.edit(obj, guard=bool(way % 2)):
            obj.email = step.email

    assert outcome(act) is (AlreadyTaken if held else None)
    if not held:
        step.wrote(step.id, step.cls)


def delete(step: Step, way: int) -> None:
    item = step.found()
    ours, cls, id_ = step.is_ours(item), step.cls, step.id
    if way == 0:
        step.session.delete(cls, id_)
    elif way == 1:
        step.session.query(cls).where(cls.id == id_).delete()
    elif way == 2:
        batched(step.session, lambda batch: batch.delete(cls(id_)))
    else:
        found = outcome(lambda: transact(step.session, lambda t: t.delete(cls, id_)))
        assert found is (None if ours or item is None else TransactionFailed)
    assert (step.found() is None) == (ours or item is None)


def move(step: Step, way: int) -> None:
    try:
        obj = step.session.get(step.cls, step.id)
    except OtherKind:
        return
    if obj is None or step.id == step.other_id:
        return
    there = step.stored.world.key(step.other_id)
    held = step.stored.held(step.wanted(step.other), (step.key, there))
    exists = there in step.stored.scan()[0]
    new = step.make(step.other, step.other_id)
    found = outcome(lambda: step.session.move(obj, new))
    assert found is (ItemExists if exists else AlreadyTaken if held else None)
    if found is None:
        step.wrote(step.other_id, step.other)


def migrate(step: Step, way: int) -> None:
    """The items that say nothing are the model's."""
    if step.stored.world.kinds:
        step.session.migrate(step.cls, where=step.cls.id == step.id, on_error="skip")


def another_program(step: Step, way: int) -> None:
    """An old item, that says nothing, of a program that knows no guards."""
    if not step.stored.world.kinds:
        return
    item = {step.stored.world.table.partition_key: {"S": step.key}, "id": {"S": step.id}}
    if step.email is not None:
        item["email"] = {"S": step.email}
    step.session.client.put_item(TableName=step.stored.world.table.name, Item=item)
    step.stored.writers.pop(step.key, None)


VERBS = (save, save, insert, update, edit, delete, move, migrate, another_program)


def client_of(endpoint: str, **credentials: str) -> Any:
    return boto3.client("dynamodb", endpoint_url=endpoint, region_name="us-east-1", **credentials)


@pytest.fixture(scope="module")
def session(embedded: Any) -> Iterator[Session]:
    session = Session(
        client=client_of(
            embedded.endpoint_url,
            aws_access_key_id=embedded.access_key,
            aws_secret_access_key=embedded.secret_key,
        )
    )
    session.tables.create(TEMPLATES, PLAIN, ALIKE)
    yield session
    session.tables.delete(TEMPLATES, PLAIN, ALIKE)
    session.close()


@pytest.mark.parametrize("world", WORLDS, ids=str)
@given(data=st.data())
@settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_each_value_has_one_item_whatever_models_write(
    session: Session, world: World, data: st.DataObject
):
    stored = Stored(world, session)
    stored.clear()
    models, ids, values = map(st.sampled_from, (world.models, IDS, VALUES))
    for _ in range(data.draw(st.integers(1, 8))):
        verb = data.draw(st.sampled_from(VERBS))
        step = Step(
            stored, data.draw(models), data.draw(models), data.draw(ids), data.draw(ids),
            data.draw(values), data.draw(values),
        )  # fmt: skip
        verb(step, data.draw(st.integers(0, 3)))
        stored.check()


# --- Several writers at once ----------------------------------------------------------------------

#: What a write may end with that met another writer, or another item's value.
REFUSED = (AlreadyTaken, ConditionFailed, NoSuchItem, OtherKind, TransactionFailed, UnsentWrites)


@attrs.frozen
class Act:
    """What one of several writers does at once: nothing is known of what is stored."""

    verb: str
    cls: type[Any]
    obj: Any
    id: str
    other: Any

    def do(self, session: Any) -> None:
        if self.verb == "edit":
            found = session.get(self.cls, self.id)
            if found is not None:
                with session.edit(found):
                    found.email = self.obj.email
        elif self.verb == "move":
            found = session.get(self.cls, self.id)
            if found is not None and found.id != self.obj.id:
                session.move(found, self.obj)
        elif self.verb == "swap":
            if self.obj.id != self.other.id:
                transact(session, lambda t: (t.save(self.obj), t.save(self.other)))
        elif self.verb == "update":
            session.update(
                self.cls, self.id, set_(self.cls.email, self.obj.email), returns=None, upsert=True
            )
        elif self.verb == "delete":
            session.delete(self.cls, self.id)
        elif self.verb == "migrate":
            session.migrate(self.cls, where=self.cls.id == self.id, on_error="skip")
        else:
            getattr(session, self.verb)(self.obj)


OBJECTS = st.one_of(
    *(
        st.builds(cls, st.sampled_from(IDS), st.sampled_from(VALUES))
        for cls in (Person, Staff, Supplier, Guest)
    )
)
ACTS = st.builds(
    Act,
    st.sampled_from(
        ("save", "save", "insert", "edit", "move", "swap", "update", "delete", "migrate")
    ),
    st.sampled_from((Person, Staff, Supplier)),
    OBJECTS,
    st.sampled_from(IDS),
    OBJECTS,
)


@pytest.fixture(scope="module")
def shared(dynamodb_local: str) -> Iterator[Session]:
    session = Session(
        client=client_of(
            dynamodb_local, aws_access_key_id="uniquekinds", aws_secret_access_key="testing"
        )
    )
    session.tables.create(TEMPLATES)
    yield session
    session.tables.delete(TEMPLATES)
    session.close()


@given(programs=st.lists(st.lists(ACTS, min_size=1, max_size=5), min_size=2, max_size=3))
@settings(
    max_examples=min(40, settings.default.max_examples),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_each_value_has_one_item_whatever_several_writers_do(shared: Session, programs: Any):
    stored = Stored(WORLDS[0], shared)
    stored.clear()
    failures: list[Exception] = []

    def run(program: list[Act]) -> None:
        for act in program:
            try:
                act.do(shared)
            except REFUSED:
                continue
            except DynattrsError as error:
                failures.append(error)

    threads = [threading.Thread(target=run, args=(program,)) for program in programs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    stored.check()
