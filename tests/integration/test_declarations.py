"""Declarations that say too little, or too early, and all verbs: one clear error, or nothing shared."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from dynattrs import (
    ModelError,
    Session,
    Table,
    add,
    exists,
    field,
    model,
    partition_key,
    path,
    remove,
    set_,
)

if TYPE_CHECKING:
    from decimal import Decimal

Verb = Callable[[Any, Any], Any]


def consumed(found: Any) -> list[Any]:
    return list(found)


def edited(session: Any, cls: Any) -> None:
    with session.edit(cls("1")) as obj:
        obj.name = "other"


def batched(session: Any, cls: Any) -> None:
    with session.batch() as batch:
        batch.save(cls("1"))


def in_transaction(act: Callable[[Any, Any], Any]) -> Verb:
    def verb(session: Any, cls: Any) -> None:
        with session.transaction() as t:
            act(t, cls)

    return verb


#: Every verb that is given a class, or an object of one.
VERBS: dict[str, Verb] = {
    "save": lambda s, cls: s.save(cls("1")),
    "save when": lambda s, cls: s.save(cls("1"), when=~exists(cls.id)),
    "insert": lambda s, cls: s.insert(cls("1")),
    "save_all": lambda s, cls: s.save_all([cls("1")]),
    "batch": batched,
    "delete": lambda s, cls: s.delete(cls, "1"),
    "delete object": lambda s, cls: s.delete(cls("1")),
    "update": lambda s, cls: s.update(cls, "1", set_(cls.name, "x")),
    "update object": lambda s, cls: s.update(cls("1"), set_(cls.name, "x")),
    "upsert": lambda s, cls: s.update(cls, "1", set_(cls.name, "x"), upsert=True),
    "edit": edited,
    "refresh": lambda s, cls: s.refresh(cls("1")),
    "exists": lambda s, cls: s.exists(cls, "1"),
    "get": lambda s, cls: s.get(cls, "1"),
    "get_one": lambda s, cls: s.get_one(cls, "1"),
    "get_many": lambda s, cls: consumed(s.get_many(cls, ["1"])),
    "transact_get": lambda s, cls: s.transact_get((cls, "1")),
    "query": lambda s, cls: s.query(cls).where(cls.id == "1").all(),
    "query first": lambda s, cls: s.query(cls).where(cls.id == "1").first(),
    "query count": lambda s, cls: s.query(cls).where(cls.id == "1").count(),
    "query delete": lambda s, cls: s.query(cls).where(cls.id == "1").delete(),
    "scan": lambda s, cls: s.scan(cls).all(),
    "scan filter": lambda s, cls: s.scan(cls).where(cls.name == "x").all(),
    "scan page": lambda s, cls: s.scan(cls).page(1),
    "select": lambda s, cls: s.scan(cls).select(cls.name).all(),
    "execute": lambda s, cls: consumed(s.execute('SELECT * FROM "things"', model=cls)),
    "move": lambda s, cls: s.move(cls("1"), cls("2")),
    "condition": lambda s, cls: cls.price > 1,
    "path": lambda s, cls: path(cls).price > 1,
    "action": lambda s, cls: s.update(cls, "1", add(cls.price, 1)),
    "transaction save": in_transaction(lambda t, cls: t.save(cls("1"))),
    "transaction insert": in_transaction(lambda t, cls: t.insert(cls("1"))),
    "transaction delete": in_transaction(lambda t, cls: t.delete(cls, "1")),
    "transaction update": in_transaction(lambda t, cls: t.update(cls, "1", remove(cls.name))),
    "transaction check": in_transaction(lambda t, cls: t.check(cls, "1", exists(cls.name))),
}  # fmt: skip


def plain() -> Any:
    @model("things")
    class Thing:
        id: str = partition_key()
        name: str | None = None
        price: Decimal | None = None

    return Thing


def of_a_table() -> Any:
    table = Table("things", partition_key="pk", discriminator="type")

    @model(table, pk="THING#{id}")
    class Thing:
        id: str
        name: str | None = None
        price: Decimal | None = None

    return Thing


def with_a_part() -> Any:
    @attrs.define
    class Part:
        price: Decimal | None = None

    @model("things", upgrades=[lambda item: None])
    class Thing:
        id: str = partition_key()
        name: str | None = None
        part: Part | None = None
        price: int | None = None

    return Thing


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Any]:
    session = Session(client=client, table_prefix=table_prefix)
    yield session
    session.close()


@pytest.mark.parametrize("declare", [plain, of_a_table, with_a_part])
def test_a_name_for_type_checkers_only_is_one_error_from_every_verb(
    session: Any, declare: Callable[[], Any]
):
    wrong = {}
    # Of the other models there is nothing to migrate.
    migrate: dict[str, Verb] = {"migrate": lambda s, cls: s.migrate(cls)}
    for name, verb in (VERBS | migrate if declare is with_a_part else VERBS).items():
        try:
            wrong[name] = verb(session, declare())
        except ModelError as error:
            said = f"{error.model}.{error.field}: {error.problem}"
            if not (
                said.startswith(("Thing.price: its annotation", "Part.price: its annotation"))
                and "'Decimal' is not defined" in said
                and "TYPE_CHECKING" in said
                and str(pickle.loads(pickle.dumps(error))) == str(error)
            ):
                wrong[name] = error
        except Exception as error:
            wrong[name] = error

    assert wrong == {}


# --- Defaults ------------------------------------------------------------------------------------


@attrs.define
class Part:
    notes: list[str] = attrs.field(factory=list)


@model("shared")
class Shared:
    id: str = partition_key()
    tags: list[str] = field(factory=list)
    scores: dict[str, int] = field(factory=dict)
    roles: set[str] = field(factory=set)
    part: Part = field(factory=Part)
    known: str = ""


@attrs.define
class Some:
    tags: list[str] = attrs.field(factory=list)
    part: Part = attrs.field(factory=Part)


READS: dict[str, Callable[[Any], Any]] = {
    "get": lambda s: [s.get(Shared, each) for each in "12"],
    "get_one": lambda s: [s.get_one(Shared, each) for each in "12"],
    "get_many": lambda s: s.get_many(Shared, ["1", "2"]),
    "transact_get": lambda s: s.transact_get((Shared, "1"), (Shared, "2")),
    "query": lambda s: [*s.query(Shared).where(Shared.id == "1"), s.get(Shared, "2")],
    "scan": lambda s: s.scan(Shared),
    "page": lambda s: s.scan(Shared).page(2).items,
    "as_": lambda s: s.scan(Shared).as_(Some),
    "select": lambda s: s.scan(Shared).select(Shared.tags, Shared.roles, Shared.part),
    "execute": lambda s: s.execute(
        f'SELECT * FROM "{s.tables.describe(Shared)["TableName"]}"', model=Shared
    ),
    "update": lambda s: [
        s.update(Shared, each, set_(Shared.known, "x"), returns="new") for each in "12"
    ],
    "upsert": lambda s: [
        s.update(Shared, each, set_(Shared.known, "x"), upsert=True, returns="new") for each in "34"
    ],
    "refresh": lambda s: [s.refresh(Shared(each)) for each in "12"],
    "delete": lambda s: [s.delete(Shared, each, returning=True) for each in "12"],
}


def changeable(value: Any) -> Iterator[int]:
    if isinstance(value, (list, dict, set)):
        yield id(value)
    elif isinstance(value, tuple):
        for each in value:
            yield from changeable(each)
    elif attrs.has(type(value)):
        yield id(value)
        for each in attrs.fields(type(value)):
            yield from changeable(getattr(value, each.name))


def test_no_read_makes_objects_that_share_a_default(session: Any):
    session.tables.create(Shared)
    table = session.tables.describe(Shared)["TableName"]
    for each in "12":  # by an older program, without the other attributes
        session.client.put_item(TableName=table, Item={"id": {"S": each}})
    objects = [(name, each) for name, read in READS.items() for each in read(session)]
    owners: dict[int, str] = {}

    assert len(objects) == 2 * len(READS)
    for name, each in objects:
        for part in changeable(each):
            assert part not in owners, (name, owners[part])
            owners[part] = name
