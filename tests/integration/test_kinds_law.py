"""Whatever models share a table, each verb does to each item what is right: see `kind_worlds`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynattrs import (
    DynattrsError,
    ImpossibleKey,
    ItemExists,
    NoSuchItem,
    OtherKind,
    Session,
    TransactionFailed,
    mapper,
    set_,
)
from kind_worlds import KEYS, Model, World, worlds

#: What is under a key: what it says that it is, and a number.
Item = tuple[str | None, int]


@attrs.define
class Table:
    """A world with its items: those that are right, and those that are stored."""

    world: World
    session: Any
    name: str
    items: dict[str, Item] = attrs.field(factory=dict)

    def put(self, key: str, kind: str | None, n: int) -> None:
        """An item of another program."""
        item: dict[str, Any] = {"pk": {"S": key}, "name": {"S": "a"}, "n": {"N": str(n)}}
        if kind is not None:
            item["type"] = {"S": kind}
        self.session.client.put_item(TableName=self.name, Item=item)
        self.items[key] = kind, n

    def stored(self) -> dict[str, Item]:
        found = self.session.client.scan(TableName=self.name, ConsistentRead=True)["Items"]
        return {
            item["pk"]["S"]: (item.get("type", {}).get("S"), int(item.get("n", {"N": "0"})["N"]))
            for item in found
        }

    def clear(self) -> None:
        for key in self.stored():
            self.session.client.delete_item(TableName=self.name, Key={"pk": {"S": key}})
        self.items = {}


@attrs.define
class Step:
    """One verb, for a model, a name of it, and a number."""

    table: Table
    model: Model
    name: str
    n: int
    other: Model
    other_name: str

    @property
    def cls(self) -> Any:
        return self.model.cls

    @property
    def key(self) -> str:
        return self.model.shape.key(self.name)

    @property
    def found(self) -> Item | None:
        return self.table.items.get(self.key)

    @property
    def owner(self) -> Model | None:
        """The model that the item under the key is of; None if of another one, or there is none."""
        found = self.found
        if found is None:
            return None
        return self.table.world.owner(self.model, self.key, found[0])

    def obj(self) -> Any:
        return self.cls(self.name, self.n)

    def own_kind(self, model: Model) -> str | None:
        return model.kinds[0] if model.kinds else None

    def write(self, kind: str | None, n: int) -> None:
        self.table.items[self.key] = kind, n

    # --- What is right: a value, or the class of an error ---

    def read(self) -> Any:
        if self.found is None:
            return None
        return OtherKind if self.owner is None else (self.owner.cls, self.found[1])

    def changed(self) -> Any:
        """What an update does."""
        if self.owner is None or self.found is None:
            return NoSuchItem
        self.write(self.found[0], self.n)
        return self.n

    def put(self) -> Any:
        if self.table.world.foreign(self.model, self.key):
            return ImpossibleKey
        self.write(self.own_kind(self.model), self.n)
        return None

    def inserted(self) -> Any:
        if self.table.world.foreign(self.model, self.key):
            return ImpossibleKey
        return ItemExists if self.found is not None else self.put()

    def gone(self) -> None:
        if self.owner is not None:
            del self.table.items[self.key]


def outcome(act: Callable[[], Any]) -> Any:
    try:
        return act()
    except DynattrsError as error:
        return type(error)


def shown(obj: Any) -> Any:
    return obj if obj is None or isinstance(obj, type) else (type(obj), obj.n)


def transact(session: Any, act: Callable[[Any], Any]) -> Any:
    with session.transaction() as t:
        act(t)


def batched(session: Any, act: Callable[[Any], Any]) -> Any:
    with session.batch() as batch:
        act(batch)


Verb = Callable[[Any, Step], None]


def get(session: Any, step: Step) -> None:
    right = step.read()
    assert shown(outcome(lambda: session.get(step.cls, step.name))) == right
    found = outcome(lambda: list(session.get_many(step.cls, [step.name], missing="none")))
    assert (found if isinstance(found, type) else shown(found[0])) == right
    found = outcome(lambda: session.transact_get((step.cls, step.name)))
    assert (found if isinstance(found, type) else shown(found[0])) == right
    one = shown(outcome(lambda: session.get_one(step.cls, step.name)))
    assert one == (NoSuchItem if right is None else right)
    assert session.exists(step.cls, step.name) == (step.owner is not None)


def refresh(session: Any, step: Step) -> None:
    right = step.read()
    if right is None:
        right = NoSuchItem
    elif right is not OtherKind and step.owner is not step.model:
        right = OtherKind  # its object has no place for what a subclass has
    assert shown(outcome(lambda: session.refresh(step.obj()))) == right


def update(session: Any, step: Step) -> None:
    right = step.changed()
    found = outcome(lambda: session.update(step.cls, step.name, set_(step.cls.n, step.n)))
    assert (found if isinstance(found, type) else found.n) == right


def update_object(session: Any, step: Step) -> None:
    right = step.changed()
    found = outcome(lambda: session.update(step.obj(), set_(step.cls.n, step.n)))
    assert (found if isinstance(found, type) else found.n) == right


def edit(session: Any, step: Step) -> None:
    obj = step.cls(step.name, -1)
    right = step.changed()

    def act() -> Any:
        with session.edit(obj):
            obj.n = step.n
        return step.n

    assert outcome(act) == right


def save(session: Any, step: Step) -> None:
    right = step.put()
    way = (
        lambda: session.save(step.obj()),
        lambda: session.save_all([step.obj()]),
        lambda: batched(session, lambda batch: batch.save(step.obj())),
        lambda: transact(session, lambda t: t.save(step.obj())),
    )[step.n % 4]
    found = outcome(way)
    assert (found if isinstance(found, type) else None) == right


def insert(session: Any, step: Step) -> None:
    right = step.inserted()
    if step.n % 2:
        found = outcome(lambda: session.insert(step.obj()))
    else:
        found = outcome(lambda: transact(session, lambda t: t.insert(step.obj())))
        right = TransactionFailed if right is ItemExists else right
    assert (found if isinstance(found, type) else None) == right


def delete(session: Any, step: Step) -> None:
    right = step.read()
    step.gone()
    if step.n % 3 == 0:
        session.delete(step.cls, step.name)
    elif step.n % 3 == 1:
        batched(session, lambda batch: batch.delete(step.obj()))
    else:
        found = session.delete(step.cls, step.name, returning=True)
        assert shown(found) == (None if right is OtherKind else right)


def in_transaction(session: Any, step: Step) -> None:
    mine = step.owner is not None
    there = step.found is not None
    cls, name, n = step.cls, step.name, step.n
    verb = n % 3
    if verb == 0:
        found = outcome(lambda: transact(session, lambda t: t.delete(cls, name)))
        right = TransactionFailed if there and not mine else None
        step.gone()
    elif verb == 1:
        found = outcome(lambda: transact(session, lambda t: t.update(cls, name, set_(cls.n, n))))
        right = None if step.changed() == n else TransactionFailed
    else:
        asked = step.found[1] if step.found is not None else 0
        found = outcome(lambda: transact(session, lambda t: t.check(cls, name, cls.n == asked)))
        right = None if mine else TransactionFailed
    assert found == right


def move(session: Any, step: Step) -> None:
    target = attrs.evolve(step, model=step.other, name=step.other_name)
    if target.key == step.key:
        return
    right: Any = None
    if step.table.world.foreign(target.model, target.key):
        right = ImpossibleKey
    elif step.owner is None:
        right = NoSuchItem
    elif target.found is not None:
        right = ItemExists
    if step.n % 2:
        found = outcome(lambda: session.move(step.obj(), target.obj()))
    else:
        found = outcome(lambda: transact(session, lambda t: t.move(step.obj(), target.obj())))
    if right is None:
        step.gone()
        target.put()
    elif not step.n % 2 and right is not ImpossibleKey:
        right = TransactionFailed
    assert (found if isinstance(found, type) else None) == right


def of_model(step: Step) -> dict[str, tuple[Any, int]]:
    """The items of a model, however they were found."""
    found = {}
    for key, (kind, n) in step.table.items.items():
        owner = step.table.world.owner(step.model, key, kind, found=True)
        if owner is not None:
            found[key] = owner.cls, n
    return found


def scan(session: Any, step: Step) -> None:
    right = of_model(step)
    query = session.scan(step.cls).on_error("skip")
    assert sorted(map(repr, map(shown, query))) == sorted(map(repr, right.values()))
    assert query.count() == len(right)
    assert len(list(query.select(step.cls.n))) == len(right)
    if step.n == 0:
        assert query.delete() == len(right)
        for key in right:
            del step.table.items[key]


def query(session: Any, step: Step) -> None:
    right = step.read()
    found = session.query(step.cls).where(step.cls.name == step.name).on_error("skip")
    assert [shown(each) for each in found] == ([] if right in (None, OtherKind) else [right])
    assert found.count() == (step.owner is not None)
    if step.n % 2:
        assert found.delete() == (step.owner is not None)
        step.gone()


def load(session: Any, step: Step) -> None:
    """Of any item, also of another program's."""
    items = session.client.scan(TableName=step.table.name)["Items"]
    for item in items:
        key, kind = item["pk"]["S"], item.get("type", {}).get("S")
        owner = step.table.world.owner(step.model, key, kind, found=True)
        right = OtherKind if owner is None else (owner.cls, int(item.get("n", {"N": "0"})["N"]))
        assert shown(outcome(lambda item=item: mapper.load(item, step.cls))) == right
    statement = f'SELECT * FROM "{step.table.name}"'
    found = outcome(lambda: list(session.execute(statement, model=step.cls)))
    right_of = of_model(step)
    if len(right_of) < len(items):
        assert found is OtherKind
    else:
        assert sorted(map(repr, map(shown, found))) == sorted(map(repr, right_of.values()))


def migrate(session: Any, step: Step) -> None:
    """Old items without a kind, which the caller says are the model's, get theirs."""
    if not step.table.world.marked:
        return
    session.migrate(step.cls, where=step.cls.n >= 0, on_error="skip")
    for key, (kind, n) in step.table.items.items():
        owner = step.table.world.owner(step.model, key, kind, found=True)
        if kind is None and owner is not None:
            step.table.items[key] = owner.kinds[0], n


VERBS: tuple[Verb, ...] = (
    get, refresh, update, update_object, edit, save, insert, delete, in_transaction, move, scan,
    query, load, migrate,
)  # fmt: skip


@pytest.fixture
def table(client: Any, table_prefix: str) -> Iterator[tuple[Any, str]]:
    session = Session(client=client)
    name = f"{table_prefix}law"
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield session, name
    session.close()


@pytest.mark.full
@settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_each_verb_is_right_about_each_item(table: tuple[Any, str], data: st.DataObject):
    session, name = table
    world = data.draw(worlds())
    handle = Session(client=session.client, tables={"law": name})
    here = Table(world, handle, name)
    here.clear()
    for key in data.draw(st.lists(st.sampled_from(KEYS), max_size=4, unique=True)):
        here.put(
            key, data.draw(st.sampled_from(world.kinds_under(key))), data.draw(st.integers(0, 9))
        )
    models = st.sampled_from(world.models)
    for _ in range(data.draw(st.integers(1, 6))):
        verb = data.draw(st.sampled_from(VERBS))
        mine, other = data.draw(models), data.draw(models)
        step = Step(
            here, mine, data.draw(st.sampled_from(mine.shape.names)), data.draw(st.integers(0, 9)),
            other, data.draw(st.sampled_from(other.shape.names)),
        )  # fmt: skip
        verb(handle, step)
        assert here.stored() == here.items, verb.__name__
    for mine in world.models:
        step = Step(here, mine, mine.shape.names[0], 1, mine, mine.shape.names[0])
        scan(handle, step)
        load(handle, step)
    handle.close()
