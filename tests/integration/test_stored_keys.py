"""Keys that other programs have written otherwise than dynattrs does: each object stays its own item."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from decimal import Decimal
from ipaddress import IPv6Address
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import attrs
import pytest

from dynattrs import (
    ConditionError,
    ItemExists,
    KeyChanged,
    MappingError,
    Session,
    evolve,
    field,
    map_class,
    mapper,
    model,
    partition_key,
    set_,
    sort_key,
)


def spelled(table: str, type_: Any, **options: Any) -> Any:
    """A model whose sort key is of a type."""

    class Spelled:
        id: str = partition_key()
        key: Any = sort_key(**options)
        note: str = ""

    Spelled.__annotations__["key"] = type_
    Spelled.__qualname__ = Spelled.__name__ = f"Spelled_{len(MODELS)}"
    made = model(table)(Spelled)
    globals()[made.__name__] = made  # pickle looks there
    MODELS.append(made)
    return made


MODELS: list[Any] = []

#: A model, and the text of a key that it reads and would write otherwise.
SPELLINGS = [
    (spelled("spelled_text", datetime), "2015-09-15T19:58:22Z"),
    (MODELS[-1], "2015-09-15T19:58:22.947Z"),
    (MODELS[-1], "2015-09-15T19:58:22.947000+0000"),
    (MODELS[-1], "2015-09-15 21:58:22.947000+02:00"),
    (MODELS[-1], "2015-09-15 19:58:22.947000Z"),
    (spelled("spelled_text", UUID), "123E4567-E89B-12D3-A456-426614174000"),
    (MODELS[-1], "123e4567e89b12d3a456426614174000"),
    (spelled("spelled_text", date), "20261123"),
    (spelled("spelled_text", time), "12:30"),
    (spelled("spelled_text", PurePosixPath), "a//b/./c"),
    (spelled("spelled_text", IPv6Address), "2001:0db8:0000::0001"),
    (spelled("spelled_text", str, converter=str.lower), "Ann@X"),
    (spelled("spelled_numbers", float), "0.1000000000000000055511151231257827"),
]
#: Keys that engines give back as they would be written.
NUMBERS = [(spelled("spelled_numbers", Decimal), "1.50"), (spelled("spelled_numbers", int), "7.0")]


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    session = Session(client=client, table_prefix=table_prefix)
    session.tables.create(MODELS[0], MODELS[-1])
    yield session
    session.close()


def each_text(param: tuple[Any, str]) -> str:
    return param[1]


also_numbers = pytest.mark.parametrize(
    "foreign", [*SPELLINGS, *NUMBERS], ids=each_text, indirect=True
)


@attrs.frozen
class Foreign:
    """An item that another program has written, and what reads it."""

    session: Any
    client: Any
    model: Any
    text: str

    @property
    def table(self) -> str:
        name: str = self.session.tables.describe(self.model)["TableName"]
        return name

    @property
    def key(self) -> dict[str, Any]:
        kind = "N" if self.model.__dynattrs__.table.name == "spelled_numbers" else "S"
        return {"id": {"S": "a"}, "key": {kind: self.text}}

    def put(self) -> None:
        self.client.put_item(TableName=self.table, Item={**self.key, "note": {"S": "old"}})

    def items(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.scan(TableName=self.table)["Items"]
        return found

    def clear(self) -> None:
        for item in self.items():
            key = {name: item[name] for name in ("id", "key")}
            self.client.delete_item(TableName=self.table, Key=key)

    def read(self) -> Any:
        return self.session.query(self.model).where(self.model.id == "a").one()


@pytest.fixture(params=SPELLINGS, ids=each_text)
def foreign(request: pytest.FixtureRequest, session: Session, client: Any) -> Foreign:
    model, text = request.param
    return Foreign(session, client, model, text)


def changed(obj: Any) -> Any:
    obj.note = "new"
    return obj


def save_in_batch(session: Any, obj: Any) -> None:
    with session.batch() as batch:
        batch.save(obj)
        batch.save(changed(obj))


def save_and_delete_in_batch(session: Any, obj: Any) -> None:
    with session.batch() as batch:
        batch.save(changed(obj))
        batch.delete(obj)


def delete_in_batch(session: Any, obj: Any) -> None:
    with session.batch() as batch:
        batch.delete(obj)


def insert(session: Any, obj: Any) -> None:
    with pytest.raises(ItemExists):
        session.insert(changed(obj))
    session.save(obj)


def edit(session: Any, obj: Any) -> None:
    with session.edit(obj):
        changed(obj)


def guarded_edit(session: Any, obj: Any) -> None:
    with session.edit(obj, guard=True):
        changed(obj)


def transaction(act: Callable[[Any, Any], Any]) -> Callable[[Any, Any], None]:
    def acting(session: Any, obj: Any) -> None:
        with session.transaction() as t:
            act(t, obj)

    return acting


def move_within(session: Any, obj: Any) -> None:
    with pytest.raises(ConditionError, match="nothing moves"):
        session.move(obj, evolve(obj, note="new"))
    session.save(changed(obj))


def refresh(session: Any, obj: Any) -> None:
    session.update(obj, set_(type(obj).note, "new"))
    assert session.refresh(obj).note == "new"


def of_keys(act: Callable[[Any, Any, Any], Any]) -> Callable[[Any, Any], None]:
    """A verb with a key that a query gave."""

    def acting(session: Any, obj: Any) -> None:
        [key] = session.scan(type(obj)).keys()
        assert key.keys() == {"id", "key"}
        act(session, type(obj), pickle.loads(pickle.dumps(key)))

    return acting


def found_by_key(session: Any, cls: Any, key: Any) -> None:
    assert session.exists(cls, key)
    [same] = session.get_many(cls, [key])
    [again] = session.transact_get((cls, key))
    assert session.get(cls, key) == same == again
    session.save(changed(same))


def check(session: Any, obj: Any) -> None:
    with session.transaction() as t:
        t.check(obj, type(obj).note == "old")
        t.save(type(obj)("b", obj.key, "other"))
    session.delete(type(obj), ("b", obj.key))
    session.save(changed(obj))


#: Verbs that are given the object; each leaves its one item, with another note, or none.
WRITES: dict[str, Callable[[Any, Any], Any]] = {
    "save": lambda session, obj: session.save(changed(obj)),
    "save when": lambda session, obj: session.save(changed(obj), when=type(obj).note == "old"),
    "save_all": lambda session, obj: session.save_all([changed(obj)]),
    "save in a batch": save_in_batch,
    "insert": insert,
    "update": lambda session, obj: session.update(obj, set_(type(obj).note, "new")),
    "edit": edit,
    "guarded edit": guarded_edit,
    "refresh": refresh,
    "transaction save": transaction(lambda t, obj: t.save(changed(obj))),
    "transaction update": transaction(lambda t, obj: t.update(obj, set_(type(obj).note, "new"))),
    "check": check,
    "move": move_within,
    "evolve": lambda session, obj: session.save(evolve(obj, note="new")),
    "copy": lambda session, obj: session.save(changed(copy.copy(obj))),
    "deepcopy": lambda session, obj: session.save(changed(copy.deepcopy(obj))),
    "pickle": lambda session, obj: session.save(changed(pickle.loads(pickle.dumps(obj)))),
    "get, exists, get_many, transact_get": of_keys(found_by_key),
    "update by key": of_keys(
        lambda session, cls, key: session.update(cls, key, set_(cls.note, "new"))
    ),
    "save twice": lambda session, obj: session.save(changed(session.save(obj))),
}  # fmt: skip
DELETES: dict[str, Callable[[Any, Any], Any]] = {
    "delete": lambda session, obj: session.delete(obj),
    "delete when": lambda session, obj: session.delete(obj, when=type(obj).note == "old"),
    "delete in a batch": delete_in_batch,
    "save and delete in a batch": save_and_delete_in_batch,
    "transaction delete": transaction(lambda t, obj: t.delete(obj)),
    "delete by key": of_keys(lambda session, cls, key: session.delete(cls, key)),
    "delete what a query finds": lambda session, obj: session.scan(type(obj)).delete(),
}


@also_numbers
def test_verbs_act_on_the_item_that_was_read(foreign: Foreign) -> None:
    """Whatever is done with an object, there is one item, under the key that it had."""
    for name, act in {**WRITES, **DELETES}.items():
        foreign.clear()
        foreign.put()
        [before] = foreign.items()
        act(foreign.session, foreign.read())
        expected = [] if name in DELETES else [{**before, "note": {"S": "new"}}]
        assert foreign.items() == expected, name


@also_numbers
def test_every_way_to_read_keeps_the_key(foreign: Foreign) -> None:
    foreign.put()
    session, cls = foreign.session, foreign.model
    [key] = session.scan(cls).keys()
    [raw] = foreign.items()

    for obj in (
        *session.scan(cls), *session.query(cls).where(cls.id == "a"), session.get(cls, key),
        *session.get_many(cls, [key]), *session.transact_get((cls, key)), mapper.load(raw, cls),
        session.update(cls, key, set_(cls.note, "x")),
        *session.execute(f'SELECT * FROM "{foreign.table}"', model=cls),
        session.delete(cls, key, returning=True),
    ):  # fmt: skip
        assert {name: mapper.dump(obj)[name] for name in raw if name != "note"} == {
            name: raw[name] for name in raw if name != "note"
        }


def test_another_key_makes_another_item(foreign: Foreign) -> None:
    """Copying an item by changing its key is common; everything else says what to do."""
    foreign.put()
    [before] = foreign.items()
    session, cls, obj = foreign.session, foreign.model, foreign.read()
    obj.id = "b"

    for act in (session.delete, session.refresh):
        with pytest.raises(KeyChanged, match=r"\.id is part of the key.*session\.move\(old, new\)"):
            act(obj)
    for write in (
        edit, delete_in_batch, WRITES["update"], WRITES["transaction update"],
        DELETES["transaction delete"], transaction(lambda t, obj: t.check(obj, cls.note == "old")),
    ):  # fmt: skip
        with pytest.raises(KeyChanged):
            write(session, obj)
    assert foreign.items() == [before]

    session.save(changed(obj))
    assert len(foreign.items()) == 2
    session.update(obj, set_(cls.note, "again"))
    assert session.get(cls, (obj.id, obj.key)).note == "again"
    session.delete(obj)
    assert foreign.items() == [before]


def test_a_copy_in_a_batch_is_another_item_at_once(foreign: Foreign) -> None:
    foreign.put()
    [before] = foreign.items()
    obj = foreign.read()
    with foreign.session.batch() as batch:
        obj.id = "b"
        batch.save(obj)
        batch.delete(obj)

    assert foreign.items() == [before]


def test_move_takes_the_stored_key_away(foreign: Foreign) -> None:
    foreign.put()
    obj = foreign.read()
    moved = foreign.session.move(obj, evolve(obj, id="b"))
    [item] = foreign.items()

    assert item["id"] == {"S": "b"}
    foreign.session.delete(moved)
    assert foreign.items() == []


def test_a_key_changed_in_an_edit_names_move(foreign: Foreign) -> None:
    foreign.put()
    obj = foreign.read()
    with pytest.raises(KeyChanged, match=r"session\.move"), foreign.session.edit(obj):
        obj.id = "b"


@model("spelled_text")
class Versioned:
    id: str = partition_key()
    key: datetime = sort_key()
    note: str = ""
    version: int = field(version=True)


def test_versions_go_with_the_stored_key(session: Session, client: Any) -> None:
    foreign = Foreign(session, client, Versioned, "2015-09-15T19:58:22Z")
    foreign.put()
    obj = session.query(Versioned).where(Versioned.id == "a").one()
    session.save(changed(obj))
    session.save_all([obj])
    with session.edit(obj):
        obj.note = "newer"

    [item] = foreign.items()
    assert (item["key"], item["note"], item["version"]["N"]) == (
        {"S": foreign.text},
        {"S": "newer"},
        "3",
    )


@attrs.define
class Mapped:
    id: str
    key: datetime


map_class(Mapped, "spelled_text", partition_key="id", sort_key="key", unknown="drop")


def test_a_class_that_carries_nothing_refuses_such_an_item(session: Session, client: Any) -> None:
    foreign = Foreign(session, client, MODELS[0], "2015-09-15T19:58:22Z")
    foreign.put()

    with pytest.raises(MappingError, match=r"Mapped\.key: .*22Z.*@model") as caught:
        session.scan(Mapped).all()
    assert caught.value.key == foreign.key


@pytest.mark.parametrize("number", ["2", "2.0", "1.50", "1E+2", "0.00", "-3.10"])
def test_equal_numbers_are_one_key(session: Session, number: str) -> None:
    """Engines may compare keys as text: `2.0` that was saved was not found as 2 there."""
    cls = next(each for each in MODELS if each.__attrs_attrs__[1].type is Decimal)
    session.save(cls("a", Decimal(number), "first"))
    with session.batch() as batch:
        batch.save(cls("a", Decimal(number).normalize(), "second"))

    assert session.get(cls, ("a", Decimal(number))).note == "second"
    assert session.query(cls).where(cls.id == "a", cls.key == Decimal(number)).count() == 1
    assert session.scan(cls).count() == 1
    session.update(cls, ("a", Decimal(number)), set_(cls.note, "third"))
    with session.transaction() as t:
        t.delete(cls, ("a", Decimal(number)))
    assert session.scan(cls).all() == []
