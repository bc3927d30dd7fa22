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
    ConditionFailed,
    ItemExists,
    KeyChanged,
    MappingError,
    Session,
    Table,
    UnsentWrites,
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
ITEMS = Table("spelled_items", partition_key="pk", sort_key="sk", discriminator="type")


def aged(item: dict[str, Any]) -> None:
    item["note"] = item.get("note", "none")


def respelled(item: dict[str, Any]) -> None:
    item["key"] = item["key"].lower()


def renamed(item: dict[str, Any]) -> None:
    item["key"] = item.pop("was")


def templated(type_: Any, sk: str, upgrades: Any = None, **options: Any) -> Any:
    """A model whose sort key is made of a field."""

    class Templated:
        id: str
        key: Any = field(**options)
        note: str = ""

    Templated.__annotations__["key"] = type_
    Templated.__qualname__ = Templated.__name__ = f"Templated_{len(MODELS)}"
    made = model(ITEMS, pk="X#{id}", sk=sk, upgrades=upgrades)(Templated)
    globals()[made.__name__] = made  # pickle looks there
    MODELS.append(made)
    return made


#: The same where the key is made by a template, with the field beside it.
TEMPLATED = [
    (templated(str, "K#{key:*}"), "K#ABC", {"S": "abc"}),
    (templated(str, "K#{key:*}", converter=str.lower), "K#ABC", {"S": "ABC"}),
    (templated(int, "N#{key}"), "N#7.0", {"N": "7"}),
    (templated(int, "N#{key}", key_only=True), "N#7.0", None),
    (templated(PurePosixPath, "P#{key:*}", key_only=True), "P#a//b", None),
    (templated(str, "L#{key:*}", key_only=True, converter=str.lower), "L#ABC", None),
]
UPPER = "ABCDEF00-0000-0000-0000-00000000000B"
LOWER = UPPER.lower()
SECONDS = "2015-09-15T19:58:22Z"
#: Items of an older schema, whose upgrades leave their keys, as text or as value.
OLD = [
    (templated(UUID, "A#{key}", [aged]), f"A#{LOWER}", {"S": UPPER}),
    (templated(datetime, "B#{key}", [aged]), "B#2015-09-15T19:58:22.000000Z", {"S": SECONDS}),
    *(pytest.param(each, marks=pytest.mark.full) for each in [
        (templated(UUID, "C#{key}", [respelled]), f"C#{LOWER}", {"S": UPPER}),
        (templated(UUID, "D#{key}", [renamed]), f"D#{LOWER}", {"S": UPPER}, "was"),
        (templated(UUID, "E#{key}", [aged], formerly=["was"]), f"E#{LOWER}", {"S": UPPER}, "was"),
        (templated(int, "F#{key}", [aged]), "F#7.0", {"N": "7.0"}),
        (templated(str, "G#{key:*}", [aged], converter=str.lower), "G#ABC", {"S": "ABC"}),
        (templated(str, "H#{key:*}", [aged], key_only=True, converter=str.lower), "H#ABC", None),
    ]),
]  # fmt: skip
#: The same where not even the key has the width that its template gives it.
OLD_WIDE = [
    (templated(UUID, "I#{key}", [aged]), f"I#{UPPER}", {"S": UPPER}),
    (templated(UUID, "J#{key}", [renamed]), f"J#{UPPER}", {"S": UPPER}, "was"),
    (templated(datetime, "K#{key}", [aged]), f"K#{SECONDS}", {"S": SECONDS}),
]
#: Keys that engines give back as they would be written.
NUMBERS = [(spelled("spelled_numbers", Decimal), "1.50"), (spelled("spelled_numbers", int), "7.0")]


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(MODELS[0], NUMBERS[0][0], ITEMS, Numbered)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    session = Session(client=client, table_prefix=table_prefix)
    yield session
    session.close()


def each_text(param: Any) -> str:
    text: str = param[1]
    return text


also_numbers = pytest.mark.parametrize(
    "foreign", [*SPELLINGS, *NUMBERS, *TEMPLATED, *OLD], ids=each_text, indirect=True
)


@attrs.frozen
class Foreign:
    """An item that another program has written, and what reads it."""

    session: Any
    client: Any
    model: Any
    text: str
    beside: Any = None
    beside_as: str = "key"

    @property
    def templated(self) -> bool:
        return self.model.__dynattrs__.keys is not None

    @property
    def table(self) -> str:
        name: str = self.session.tables.describe(self.model)["TableName"]
        return name

    @property
    def key(self) -> dict[str, Any]:
        if self.templated:
            return {"pk": {"S": "X#a"}, "sk": {"S": self.text}}
        kind = "N" if self.model.__dynattrs__.table.name == "spelled_numbers" else "S"
        return {"id": {"S": "a"}, "key": {kind: self.text}}

    def put(self) -> None:
        item = {**self.key, "note": {"S": "old"}}
        if self.templated:
            item.update({"type": {"S": self.model.__name__}, "id": {"S": "a"}})
        if self.beside is not None:
            item[self.beside_as] = self.beside
        self.client.put_item(TableName=self.table, Item=item)

    def items(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.scan(TableName=self.table)["Items"]
        return found

    def clear(self) -> None:
        for item in self.items():
            key = {name: item[name] for name in self.key}
            self.client.delete_item(TableName=self.table, Key=key)

    def as_it_was(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Items without the field that stands beside the key, which is none of it, and their schema."""
        if not self.templated:
            return items
        no_part = {"key", "was", "schema_version"}
        return [{name: each[name] for name in each if name not in no_part} for each in items]

    def read(self) -> Any:
        return self.session.query(self.model).where(self.model.id == "a").one()


@pytest.fixture(params=[*SPELLINGS, *TEMPLATED], ids=each_text)
def foreign(request: pytest.FixtureRequest, session: Session, client: Any) -> Foreign:
    return Foreign(session, client, *request.param)


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
        assert foreign.as_it_was(foreign.items()) == foreign.as_it_was(expected), name


@pytest.mark.parametrize("foreign", OLD_WIDE, ids=each_text, indirect=True)
def test_verbs_act_on_an_old_item_that_was_read(foreign: Foreign) -> None:
    cls = foreign.model
    migrations = {"migrate": lambda session, obj: session.migrate(cls)}
    for name, act in {**WRITES, **DELETES, **migrations}.items():
        if " by key" in name or "get" in name:
            continue  # no key has such a text
        foreign.clear()
        foreign.put()
        [before] = foreign.items()
        act(foreign.session, foreign.read())
        note = "old" if name in migrations else "new"
        expected = [] if name in DELETES else [{**before, "note": {"S": note}}]
        assert foreign.as_it_was(foreign.items()) == foreign.as_it_was(expected), name


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
        assert {n: mapper.dump(obj)[n] for n in foreign.key} == {n: raw[n] for n in foreign.key}


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


# --- Hooks ----------------------------------------------------------------------------------------


def in_lower_case(obj: Any) -> None:
    obj.key = obj.key.lower()


def made_in_lower_case(obj: Any) -> Any:
    return attrs.evolve(obj, key=obj.key.lower())


@model("spelled_text", after_load=in_lower_case)
class Hooked:
    id: str = partition_key()
    key: str = sort_key()
    note: str = ""


@model(ITEMS, pk="X#{id}", sk="H#{key:*}", after_load=in_lower_case)
class HookedItem:
    id: str
    key: str
    note: str = ""


@pytest.mark.parametrize(("cls", "text"), [(Hooked, "ABC"), (HookedItem, "H#ABC")])
def test_a_hook_that_changes_a_key_changes_no_item(
    session: Session, client: Any, cls: Any, text: str
) -> None:
    foreign = Foreign(session, client, cls, text, {"S": "ABC"})
    for name, act in {**WRITES, **DELETES}.items():
        foreign.clear()
        foreign.put()
        [before] = foreign.items()
        obj = foreign.read()
        assert obj.key == "abc"
        act(session, obj)
        expected = [] if name in DELETES else [{**before, "note": {"S": "new"}}]
        assert foreign.as_it_was(foreign.items()) == foreign.as_it_was(expected), name


@model("spelled_text", after_load=made_in_lower_case, frozen=True)
class Frozen:
    id: str = partition_key()
    key: str = sort_key()
    note: str = ""


def test_a_hook_that_makes_another_object_changes_no_item(session: Session, client: Any) -> None:
    foreign = Foreign(session, client, Frozen, "ABC")
    for act in (session.get_one, lambda cls, key: session.refresh(foreign.read())):
        foreign.put()
        obj = act(Frozen, ("a", "ABC"))
        assert obj.key == "abc"
        session.save(evolve(obj, note="new"))
        assert foreign.items() == [{**foreign.key, "note": {"S": "new"}}]
        session.delete(obj)
        assert foreign.items() == []


# --- Writes that fail -----------------------------------------------------------------------------


def test_an_object_whose_copy_was_not_stored_is_still_its_item(
    session: Session, client: Any
) -> None:
    """A batch takes it under the new key, and then cannot send it."""
    foreign = Foreign(session, client, MODELS[0], "2015-09-15T19:58:22Z")
    foreign.put()
    obj = foreign.read()
    lost = Session(client=client, tables={"spelled_text": "no-such-table"})
    with pytest.raises(UnsentWrites), lost.batch() as batch:
        obj.id = "b"
        batch.save(obj)
        batch.delete(obj)
        batch.save(obj)
    lost.close()

    obj.id = "a"
    session.save(changed(obj))
    [item] = foreign.items()
    assert item == {**foreign.key, "note": {"S": "new"}}


def test_a_copy_and_the_item_itself_in_one_batch(session: Session, client: Any) -> None:
    foreign = Foreign(session, client, MODELS[0], "2015-09-15T19:58:22Z")
    foreign.put()
    obj = foreign.read()
    with session.batch() as batch:
        obj.id = "b"
        batch.save(obj)
        obj.id = "a"
        batch.save(changed(obj))
    session.delete(obj)

    [item] = foreign.items()
    assert item["id"] == {"S": "b"}


@model("spelled_numbered")
class Numbered:
    id: datetime = partition_key()
    note: str = ""
    version: int = field(version=True)


def test_a_copy_of_an_object_with_a_version_is_a_new_item(session: Session, client: Any) -> None:
    name = session.tables.describe(Numbered)["TableName"]
    text = "2015-09-15T19:58:22Z"
    old = {"id": {"S": text}, "version": {"N": "7"}}
    client.put_item(TableName=name, Item=old)
    [obj] = session.scan(Numbered)
    moved = obj.id.replace(year=2020)
    for write in (session.save, lambda each: session.save_all([each])):
        copied = evolve(obj, id=moved)
        write(copied)
        session.save(copied)  # whose version has moved
        with pytest.raises(ConditionFailed):
            session.save(evolve(obj, id=moved))
        session.delete(copied)
    session.save(obj)
    [item] = client.scan(TableName=name)["Items"]
    assert (item["id"], item["version"]) == ({"S": text}, {"N": "8"})


# --- Keys that nothing reads ----------------------------------------------------------------------


@model(ITEMS, pk="X#{id}", sk="{key}")
class Beside:
    id: str
    key: datetime
    note: str = ""


def test_a_key_that_its_template_cannot_read_is_kept_as_well(session: Session, client: Any) -> None:
    """The fields stand beside it, so nothing has to be read out of it."""
    text = "2015-09-15T19:58:22Z"
    foreign = Foreign(session, client, Beside, text, {"S": text})
    for name, act in {**WRITES, **DELETES}.items():
        if (act.__name__ == "acting" and "key" in name) or name.startswith("get,"):
            continue  # keys() reads keys
        foreign.clear()
        foreign.put()
        [obj] = session.scan(Beside)
        act(session, obj)
        assert [{n: item[n] for n in foreign.key} for item in foreign.items()] == (
            [] if name in DELETES else [foreign.key]
        ), name
    foreign.put()
    [obj] = session.scan(Beside)
    with pytest.raises(KeyChanged, match=r"Beside\.key"), session.edit(obj):
        obj.key = obj.key.replace(year=2020)
    with pytest.raises(MappingError, match=r"a key like '\{key\}'"):
        session.scan(Beside).keys().all()
