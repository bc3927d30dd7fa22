"""Verbs given a base class do to the items of a subclass what the subclass declares.

For each verb and each way in which items of a subclass are written otherwise, what is stored in the end,
and what comes back, is the same whether the base or the subclass was given.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from dynattrs import (
    ConditionFailed,
    MappingError,
    NoSuchItem,
    PartialIndex,
    QueryError,
    Session,
    Table,
    TransactionError,
    TransactionFailed,
    add,
    exists,
    field,
    model,
    path,
    remove,
    set_,
)
from dynattrs.schema.model_info import model_info
from dynattrs.schema.table import GlobalIndex

# --- Ways to be written otherwise -----------------------------------------------------------------


def hundredfold(item: dict[str, Any]) -> None:
    item["n"] = item.get("n", 0) * 100


def shout(item: dict[str, Any]) -> None:
    item["note"] = item.get("note", "").upper()


UPGRADED = Table("upgraded", partition_key="pk", discriminator="type")


@model(UPGRADED, pk="A#{id}")
class Plain:
    id: str
    n: int = 0
    note: str = ""


@model(UPGRADED, upgrades=[hundredfold])
class Upgraded(Plain):
    lives: int = 9


@model(UPGRADED, upgrades=[hundredfold, shout], schema_attribute="v")
class Twice(Upgraded):
    weeks: int = 1


MORE = Table("more", partition_key="pk", discriminator="type")


@model(MORE, pk="A#{id}", upgrades=[shout])
class Once(Plain):
    pass


@model(MORE, upgrades=[shout, hundredfold])
class More(Once):
    lives: int = 9


STAMPED = Table("stamped", partition_key="pk", discriminator="type")


@model(STAMPED, pk="A#{id}")
class Bare(Plain):
    pass


@model(STAMPED)
class Stamped(Bare):
    version: int = field(version=True, default=0)
    made: dt.datetime | None = field(created=True, default=None)
    changed: dt.datetime | None = field(updated=True, default=None)


RENAMED = Table("renamed", partition_key="pk", discriminator="type")


@model(RENAMED, pk="A#{id}")
class Named(Plain):
    pass


@model(RENAMED)
class Renamed(Named):
    lives: int = field(default=9, formerly=["souls"])


UNIQUE = Table("unique", partition_key="pk", discriminator="type")


@model(UNIQUE, pk="A#{id}")
class Member(Plain):
    email: str | None = field(unique=True, default=None)


@model(UNIQUE, upgrades=[hundredfold])
class Paying(Member):
    lives: int = 9


LONG_AGO = "2020-01-01T00:00:00.000000Z"


@attrs.frozen
class Case:
    """A base class, a subclass, and an item of that as it is stored, whose `n` is 300 today."""

    name: str
    base: type[Any]
    cls: type[Any]
    item: dict[str, Any]

    def __str__(self) -> str:
        return self.name

    @property
    def table(self) -> Table:
        return model_info(self.base).table


def item(cls: type[Any], n: int, **others: Any) -> dict[str, Any]:
    return {
        "pk": {"S": "A#1"},
        "id": {"S": "1"},
        "type": {"S": cls.__name__},
        "n": {"N": str(n)},
    } | others


CASES = [
    Case("old", Plain, Upgraded, item(Upgraded, 3)),
    Case("current", Plain, Upgraded, item(Upgraded, 300, schema_version={"N": "2"})),
    Case("below", Plain, Twice, item(Twice, 300, v={"N": "2"})),
    Case("below a subclass", Upgraded, Twice, item(Twice, 3)),
    Case("more, old", Once, More, item(More, 3, schema_version={"N": "2"}, note={"S": "X"})),
    Case("more, current", Once, More, item(More, 300, schema_version={"N": "3"})),
    Case("stamped", Bare, Stamped, item(
        Stamped, 300, version={"N": "4"}, made={"S": LONG_AGO}, changed={"S": LONG_AGO}
    )),
    Case("renamed", Named, Renamed, item(Renamed, 300, souls={"N": "7"})),
    Case("unique", Member, Paying, item(Paying, 3)),
]  # fmt: skip
TABLES = (UPGRADED, MORE, STAMPED, RENAMED, UNIQUE)

# --- The verbs ------------------------------------------------------------------------------------

Verb = Callable[[Session, type[Any]], Any]


def transact(act: Callable[[Any, type[Any]], Any]) -> Verb:
    def run(session: Session, cls: type[Any]) -> Any:
        with session.transaction() as t:
            act(t, cls)

    return run


def batch_delete(session: Session, cls: type[Any]) -> None:
    with session.batch() as batch:
        batch.delete(cls, "1")


def batch_update(session: Session, cls: type[Any]) -> Any:
    with session.batch() as batch:
        return batch.update(cls, "1", add(path(cls).n, 1))


VERBS: dict[str, Verb] = {
    "get": lambda s, c: s.get(c, "1"),
    "exists": lambda s, c: s.exists(c, "1"),
    "update": lambda s, c: s.update(c, "1", set_(path(c).n, 777)),
    "update a note": lambda s, c: s.update(c, "1", set_(path(c).note, "x")),
    "update, add": lambda s, c: s.update(c, "1", add(path(c).n, 1)),
    "update, remove": lambda s, c: s.update(c, "1", remove(path(c).n)),
    "update, changed": lambda s, c: s.update(c, "1", add(path(c).n, 1), returns="changed"),
    "update, none": lambda s, c: s.update(c, "1", add(path(c).n, 1), returns=None),
    "update, old": lambda s, c: s.update(c, "1", add(path(c).n, 1), returns="old"),
    "upsert": lambda s, c: s.update(c, "1", add(path(c).n, 1), upsert=True),
    "update, when": lambda s, c: s.update(
        c, "1", set_(path(c).note, "x"), when=path(c).n == 300
    ),
    "update, when not": lambda s, c: s.update(
        c, "1", set_(path(c).note, "x"), when=path(c).n == 3
    ),
    "update, when exists": lambda s, c: s.update(
        c, "1", set_(path(c).note, "x"), when=exists(path(c).id)
    ),
    "batch update": batch_update,
    "delete": lambda s, c: s.delete(c, "1"),
    "delete, returning": lambda s, c: s.delete(c, "1", returning=True),
    "delete, when": lambda s, c: s.delete(c, "1", when=path(c).n == 300),
    "delete, when, returning": lambda s, c: s.delete(
        c, "1", when=path(c).n == 300, returning=True
    ),
    "delete, when not": lambda s, c: s.delete(c, "1", when=path(c).n == 3),
    "delete, when exists": lambda s, c: s.delete(c, "1", when=exists(path(c).id)),
    "batch delete": batch_delete,
    "scan, delete": lambda s, c: s.scan(c).delete(),
    "t.update": transact(lambda t, c: t.update(c, "1", add(path(c).n, 1))),
    "t.update, upsert": transact(lambda t, c: t.update(c, "1", add(path(c).n, 1), upsert=True)),
    "t.update, when": transact(
        lambda t, c: t.update(c, "1", set_(path(c).note, "x"), when=path(c).n == 300)
    ),
    "t.update, when not": transact(
        lambda t, c: t.update(c, "1", set_(path(c).note, "x"), when=path(c).n == 3)
    ),
    "t.delete": transact(lambda t, c: t.delete(c, "1")),
    "t.delete, when": transact(lambda t, c: t.delete(c, "1", when=path(c).n == 300)),
    "t.delete, when not": transact(lambda t, c: t.delete(c, "1", when=path(c).n == 3)),
    "t.check": transact(
        lambda t, c: (t.check(c, "1", path(c).n == 300), t.save(c("2")))
    ),
    "t.check, not": transact(lambda t, c: (t.check(c, "1", path(c).n == 3), t.save(c("2")))),
    "t.check, absent": transact(lambda t, c: (t.check(c, "1", path(c).n != 3), t.save(c("2")))),
}  # fmt: skip


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    session = Session(client=client, table_prefix=table_prefix)
    yield session
    session.close()


def stored(session: Session, table: Table) -> list[Any]:
    client: Any = session.client
    name = session._core.table_name(table)
    return sorted(client.scan(TableName=name, ConsistentRead=True)["Items"], key=repr)


def put(session: Session, table: Table, item: dict[str, Any]) -> None:
    client: Any = session.client
    client.put_item(TableName=session._core.table_name(table), Item=item)


def plain(value: Any) -> Any:
    """A result or an item, without the moment when it was written, and without what was saved beside."""
    if isinstance(value, list):
        return [plain(each) for each in value if each["pk"]["S"] == "A#1"]
    if isinstance(value, dict):
        changed = value.get("changed", {}).get("S", LONG_AGO) != LONG_AGO
        labels = {name.rpartition(".")[2]: each for name, each in value.items()}
        return {**labels, "changed": changed}
    if getattr(value, "changed", None) is not None:
        return attrs.evolve(value, changed=None), value.changed.year > 2020
    return value


def outcome(session: Session, case: Case, verb: Verb, cls: type[Any]) -> tuple[Any, Any]:
    for each in stored(session, case.table):
        session.client.delete_item(  # type: ignore[attr-defined]
            TableName=session._core.table_name(case.table), Key={"pk": each["pk"]}
        )
    put(session, case.table, case.item)
    try:
        result = verb(session, cls)
    except (ConditionFailed, QueryError, TransactionError) as error:
        result = type(error)
    except TransactionFailed as error:
        result = [type(error), *(each and each.code for each in error.reasons)]
        return result, plain(stored(session, case.table))
    return plain(result), plain(stored(session, case.table))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_base_class_does_what_the_subclass_does(session: Session, case: Case) -> None:
    session.tables.create(case.table)
    for name, verb in VERBS.items():
        right = outcome(session, case, verb, case.cls)
        if case.name == "unique" and name in REFUSED:
            with pytest.raises(TransactionError, match="give Paying, or the object"):
                verb(session, case.base)
            continue
        assert outcome(session, case, verb, case.base) == right, name


#: Guards are planned for the stored item before its class is known. An update that leaves unique fields
#: alone plans none.
REFUSED = [name for name in VERBS if name.startswith(("t.update, upsert", "t.delete, "))]


def test_a_transaction_that_updates_a_unique_field_needs_the_class_of_the_item(
    session: Session,
) -> None:
    with session.transaction() as t:
        with pytest.raises(TransactionError, match="give Paying, or the object that was read"):
            t.update(Member, "1", set_(Member.email, "ann@x"))


@pytest.mark.parametrize("case", CASES[:1], ids=str)
def test_filters_are_asked_of_items_as_they_are_stored(session: Session, case: Case) -> None:
    """So nothing is deleted by one, and `explain` says so."""
    session.tables.create(case.table)
    put(session, case.table, case.item)
    query = session.scan(Plain).where(Plain.n == 3)

    assert "until session.migrate(Upgraded), session.migrate(Twice) has" in query.explain()
    with pytest.raises(QueryError, match="older schemas of Upgraded"):
        query.delete()

    session.migrate(Plain)
    assert stored(session, case.table)[0]["n"] == {"N": "300"}


def test_an_upsert_makes_an_item_of_the_class_that_was_given(session: Session) -> None:
    session.tables.create(STAMPED)
    made = session.update(Bare, "1", set_(Bare.n, 1), upsert=True)

    assert type(made) is Bare
    with pytest.raises(NoSuchItem):
        session.update(Bare, "2", set_(Bare.n, 1))


def test_no_version_is_overtaken_through_the_base(session: Session) -> None:
    session.tables.create(STAMPED)
    cat = session.save(Stamped("1", note="mine"))
    before = cat.changed

    theirs = session.update(Bare, "1", set_(Bare.note, "theirs"))

    assert isinstance(theirs, Stamped)
    assert (theirs.version, theirs.made) == (2, cat.made)
    assert theirs.changed is not None
    assert before is not None
    assert theirs.changed > before
    with pytest.raises(ConditionFailed):
        session.save(cat)
    with session.transaction() as t:
        t.update(Bare, "1", add(Bare.n, 1))
    with pytest.raises(ConditionFailed):
        session.save(theirs)


# --- Objects whose item is of a subclass by now -----------------------------------------------------


def edit(session: Session, obj: Any) -> None:
    with session.edit(obj):
        obj.n = 777


OBJECT_VERBS: dict[str, Callable[[Session, Any], Any]] = {
    "update": lambda s, o: s.update(o, set_(Plain.n, 777)),
    "edit": edit,
    "delete, when": lambda s, o: s.delete(o, when=Plain.n == 3),
    "save, when": lambda s, o: s.save(o, when=Plain.n == 3),
}


@pytest.mark.parametrize("verb", OBJECT_VERBS)
def test_an_object_is_not_taken_for_one_of_a_subclass(session: Session, verb: str) -> None:
    session.tables.create(UPGRADED)
    obj = session.save(Plain("1", 3))
    put(session, UPGRADED, CASES[0].item)

    with pytest.raises(ConditionFailed, match="and not as its subclass Upgraded does") as caught:
        OBJECT_VERBS[verb](session, obj)

    assert caught.value.item == Upgraded("1", 300)
    assert stored(session, UPGRADED) == [CASES[0].item]


def test_a_token_needs_the_class_of_the_item(session: Session) -> None:
    with session.transaction(token="once") as t:
        with pytest.raises(TransactionError, match="give Upgraded, or the object that was read"):
            t.update(Plain, "1", set_(Plain.n, 1))
        with pytest.raises(TransactionError, match="give Upgraded"):
            t.check(Plain, "1", Plain.n == 1)


# --- Items of newer schemas -------------------------------------------------------------------------

NEWER = Table(
    "newer", partition_key="pk", sort_key="sk",
    indexes=[GlobalIndex("by-owner", partition_key="owner", projection="keys")],
)  # fmt: skip


@model(NEWER, pk="C#{c}", sk="O#{n}", upgrades=[shout])
class Older:
    c: str
    n: int
    owner: str = "a"


@model(Table("newer", partition_key="pk", sort_key="sk", indexes=NEWER.indexes), pk="C#{c}", sk="O#{n}",
       upgrades=[shout, hundredfold])  # fmt: skip
class Newer:
    c: str
    n: int
    owner: str = "a"


def test_items_of_a_newer_schema_are_not_deleted_by_a_query(session: Session) -> None:
    session.tables.create(NEWER)
    session.save_all(Newer("1", n) for n in range(4))
    query = session.query(Older).where(Older.c == "1")

    for read in (query.all, query.delete, session.scan(Older).delete):
        with pytest.raises(MappingError, match="a newer program has written it"):
            read()
    assert query.count() == 4, "only their number is read"
    with pytest.raises(PartialIndex, match="schema_version"):
        session.query(Older).using("by-owner").where(Older.owner == "a").delete()

    session.save(Older("1", 9))
    assert query.on_error("skip").delete() == 1
    assert session.query(Newer).where(Newer.c == "1").delete() == 4


# --- Classes that were declared again ---------------------------------------------------------------


@pytest.mark.parametrize("discriminator", ["type", None])
def test_a_former_definition_finds_what_the_newer_one_does(
    session: Session, discriminator: str | None
) -> None:
    """A cell of a notebook that is run twice."""
    table = Table("cells", partition_key="pk", discriminator=discriminator)

    def cell() -> Any:
        @model(table, pk="A#{id}")
        class Animal:
            id: str

        return Animal

    former = cell()
    animal: Any = cell()
    session.tables.create(table)
    session.save(animal("1"))

    assert session.get(former, "1") == former("1")
    assert session.exists(former, "1")
    assert session.scan(former).all() == [former("1")]
    query = session.query(former).where(former.id == "1")
    assert query.all() == [former("1")]
    assert query.count() == session.scan(former).count() == 1
    assert query.keys().all() == [{"id": "1"}]
    assert query.delete() == 1

    if discriminator is not None:

        @model(table)
        class Cat(animal):  # type: ignore[misc]
            pass

        session.save(Cat("2"))
        with pytest.raises(MappingError, match="an older definition was asked for"):
            session.scan(former).all()
        assert session.scan(animal).all() == [Cat("2")]
