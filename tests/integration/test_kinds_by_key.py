"""Models of one table that their keys tell apart, without a discriminator."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Union

import pytest

from dynattrs import (
    ImpossibleKey,
    MappingError,
    ModelError,
    NoSuchItem,
    OtherKind,
    Session,
    Table,
    TransactionFailed,
    field,
    mapper,
    model,
    partition_key,
    set_,
    sort_key,
)

BLOG = Table("blog", partition_key="pk", sort_key="sk")


@model(BLOG, pk="USER#{id}", sk="USER")
class User:
    id: str
    name: str = ""
    email: str | None = field(unique=True, default=None)


@model(BLOG, pk="ORG#{id}", sk="ORG")
class Org:
    id: str
    name: str = ""


@model(BLOG, pk="ORG#{id}", sk="BRANCH#{town}")
class Branch(Org):
    """An organisation as well, whose keys are others."""

    town: str = "here"


PETS = Table("pets", partition_key="pk", discriminator="type")


@model(PETS, pk="PET#{name}")
class Pet:
    name: str


@model(PETS)
class Cat(Pet):
    lives: int = 9


@model(PETS)
class Dog(Pet):
    pass


@model(PETS, pk="OWNER#{name}")
class Owner:
    name: str


#: Models whose items nothing tells apart.
LOOSE = Table("loose", partition_key="id", sort_key="part")


@model(LOOSE)
class One:
    id: str = partition_key()
    part: str = sort_key(default="one")


@model(LOOSE)
class Two:
    id: str = partition_key()
    part: str = sort_key(default="two")


#: A model whose keys are plain fields beside models with templates, without and with a discriminator.
MIXED = Table("mixed", partition_key="pk")


@model(MIXED)
class Plain:
    pk: str = partition_key()
    n: int = 0


@model(MIXED, pk="TEAM#{name}")
class Team:
    name: str
    n: int = 0


MARKED = Table("marked", partition_key="pk", discriminator="type")


@model(MARKED)
class Bare:
    pk: str = partition_key()
    n: int = 0


@model(MARKED, pk="TEAM#{name}")
class Club:
    name: str
    n: int = 0


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    session = Session(client=client, table_prefix=table_prefix)
    yield session
    session.close()


def stored(session: Session, table: Table) -> list[dict[str, Any]]:
    """All items of a table, behind the library's back, guards of unique values as well."""
    client: Any = session.client
    found: list[dict[str, Any]] = client.scan(TableName=session._core.table_name(table))["Items"]
    return found


def loaded(item: dict[str, Any], cls: type[Any]) -> Any:
    try:
        return mapper.load(item, cls)
    except OtherKind as error:
        return error


OBJECTS = [User("1", "ann", "ann@x"), Org("9", "acme"), Branch("9", "acme", "Bern")]
PET_OBJECTS = [Pet("p"), Cat("c"), Dog("d"), Owner("o")]


# --- The mapper -----------------------------------------------------------------------------------


def test_the_mapper_reads_items_of_its_model_only(session: Session):
    session.tables.create(BLOG, PETS)
    session.save_all([*OBJECTS, *PET_OBJECTS])
    for table, objects in ((BLOG, OBJECTS), (PETS, PET_OBJECTS)):
        read = []
        for item in stored(session, table):
            for cls in {type(each) for each in objects}:
                found = loaded(item, cls)
                if not isinstance(found, OtherKind):
                    read.append((cls, found))
                    continue
                assert found.item == item
                assert found.key == {name: item[name] for name in table.key}
                assert cls.__name__ in str(found)
        expected = [
            (cls, each)
            for cls in {type(each) for each in objects}
            for each in objects
            if isinstance(each, cls)
        ]
        assert sorted(map(repr, read)) == sorted(map(repr, expected))


def test_the_error_names_the_model_whose_key_it_is():
    item = mapper.dump(Org("9"))

    with pytest.raises(OtherKind, match="Org") as other:
        mapper.load(item, User)
    assert other.value.kind == "Org"
    with pytest.raises(OtherKind) as other:
        mapper.load({**item, "pk": {"S": "CLUB#9"}}, User)
    assert other.value.kind is None
    with pytest.raises(OtherKind) as other:
        mapper.load({**mapper.dump(Owner("o")), "type": {"S": "Plant"}}, Owner)
    assert other.value.kind == "Plant"
    old = mapper.dump(Owner("o"))
    del old["type"]
    assert mapper.load(old, Owner) == Owner("o")
    with pytest.raises(OtherKind) as other:
        mapper.load(old, Pet)
    assert other.value.kind == "Owner"


def test_without_its_key_an_item_is_what_it_is_said_to_be():
    assert mapper.load({"id": {"S": "1"}, "name": {"S": "ann"}}, User) == User("1", "ann")


def test_a_union_is_read_as_the_model_that_an_item_is_of(session: Session):
    session.tables.create(BLOG, PETS)
    session.save_all([*OBJECTS, *PET_OBJECTS])
    items = [item for item in stored(session, BLOG) if not item["pk"]["S"].startswith("dynattrs")]

    found = [mapper.load(item, User | Org) for item in items]
    assert sorted(map(repr, found)) == sorted(map(repr, OBJECTS))
    found = [mapper.load(item, Union[User, Branch, Org]) for item in items]  # noqa: UP007
    assert sorted(map(repr, found)) == sorted(map(repr, OBJECTS))
    assert mapper.from_dynamodb_json(json.dumps(items[0]), User | Org) in OBJECTS
    found = [mapper.load(item, Pet | Owner) for item in stored(session, PETS)]
    assert sorted(map(repr, found)) == sorted(map(repr, PET_OBJECTS))
    with pytest.raises(OtherKind) as other:
        mapper.load(mapper.dump(Org("9")), User | Branch)
    assert other.value.kind == "Org"
    assert "User or Branch" in str(other.value)
    with pytest.raises(OtherKind):
        mapper.load(mapper.dump(Owner("o")), Cat | Dog)


def test_a_union_that_nothing_tells_apart_is_refused():
    item = mapper.dump(One("1"))

    with pytest.raises(ModelError, match="nothing tells"):
        mapper.load(item, One | Two)
    with pytest.raises(ModelError, match="one table"):
        mapper.load(item, User | Owner)
    with pytest.raises(ModelError, match="None"):
        mapper.load(item, User | None)
    with pytest.raises(ModelError):
        mapper.load(item, User | int)
    with pytest.raises(ModelError, match="union"):
        mapper.from_json("{}", User | Org)


def test_a_guard_of_a_unique_value_is_of_no_model(session: Session):
    plain = Table("plain", partition_key="id")

    @model(plain)
    class Member:
        id: str = partition_key()
        email: str | None = field(unique=True, default=None)

    session.tables.create(plain)
    session.save(Member("1", "ann@x"))
    guards = [item for item in stored(session, plain) if item["id"]["S"] != "1"]
    assert len(guards) == 1
    with pytest.raises(OtherKind, match="guard"):
        mapper.load(guards[0], Member)
    name = session._core.table_name(plain)
    assert list(session.execute(f'SELECT * FROM "{name}"', model=Member)) == [Member("1", "ann@x")]


# --- PartiQL --------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [User, Org, Branch])
def test_rows_of_a_statement_are_of_its_model(session: Session, cls: type[Any]):
    session.tables.create(BLOG)
    session.save_all(OBJECTS)
    name = session._core.table_name(BLOG)

    with pytest.raises(OtherKind):
        list(session.execute(f'SELECT * FROM "{name}"', model=cls))
    own = next(each for each in OBJECTS if type(each) is cls)
    item = mapper.dump(own)
    keys = [item["pk"]["S"], item["sk"]["S"]]
    statement = f'SELECT * FROM "{name}" WHERE pk = ? AND sk = ?'
    assert list(session.execute(statement, *keys, model=cls)) == [own]
    other = next(each for each in OBJECTS if not isinstance(each, cls))
    item = mapper.dump(other)
    with pytest.raises(OtherKind) as caught:
        list(session.execute(statement, item["pk"]["S"], item["sk"]["S"], model=cls))
    assert caught.value.kind == type(other).__name__


# --- Subclasses with keys of their own ------------------------------------------------------------


def test_a_query_gives_objects_of_subclasses_that_keys_tell(session: Session):
    session.tables.create(BLOG)
    session.save_all(OBJECTS)

    assert sorted(map(repr, session.scan(Org))) == sorted(map(repr, OBJECTS[1:]))
    assert session.scan(Branch).all() == OBJECTS[2:]
    assert session.scan(User).all() == OBJECTS[:1]
    assert session.scan(Org).count() == 2
    assert session.scan(Org).delete() == 2
    assert session.scan(Org).count() == 0
    assert session.scan(User).count() == 1


# --- A model without templates beside models with some ----------------------------------------------


def in_transaction(act: Callable[[Any], Any]) -> Callable[[Session], None]:
    def run(session: Session) -> None:
        with session.transaction() as t:
            act(t)

    return run


def batched(act: Callable[[Any], Any]) -> Callable[[Session], None]:
    def run(session: Session) -> None:
        with session.batch() as batch:
            act(batch)

    return run


def edited(obj: Any) -> Callable[[Session], None]:
    def run(session: Session) -> None:
        with session.edit(obj):
            obj.n = 5

    return run


READS: list[Callable[[Session], Any]] = [
    lambda s: s.get(Plain, "TEAM#a"),
    lambda s: s.get_one(Plain, "TEAM#a"),
    lambda s: list(s.get_many(Plain, ["TEAM#a"])),
    lambda s: s.transact_get((Plain, "TEAM#a")),
    lambda s: s.refresh(Plain("TEAM#a")),
    lambda s: list(s.execute(f'SELECT * FROM "{s._core.table_name(MIXED)}"', model=Plain)),
]
#: What makes an item, or would.
MAKING: list[Callable[[Session], Any]] = [
    lambda s: s.save(Plain("TEAM#a")),
    lambda s: s.insert(Plain("TEAM#a")),
    lambda s: s.save_all([Plain("TEAM#a")]),
    lambda s: s.update(Plain, "TEAM#a", set_(Plain.n, 1), upsert=True),
    batched(lambda batch: batch.save(Plain("TEAM#a"))),
    in_transaction(lambda t: t.save(Plain("TEAM#a"))),
    in_transaction(lambda t: t.insert(Plain("TEAM#a"))),
]
MISSING: list[Callable[[Session], Any]] = [
    lambda s: s.update(Plain, "TEAM#a", set_(Plain.n, 1)),
    lambda s: s.update(Plain("TEAM#a"), set_(Plain.n, 1)),
    edited(Plain("TEAM#a")),
    lambda s: s.move(Plain("TEAM#a"), Plain("b")),
]
FAILING: list[Callable[[Session], Any]] = [
    in_transaction(lambda t: t.delete(Plain, "TEAM#a")),
    in_transaction(lambda t: t.update(Plain, "TEAM#a", set_(Plain.n, 1))),
    in_transaction(lambda t: t.check(Plain, "TEAM#a", Plain.n == 0)),
]
NOTHING: list[tuple[Callable[[Session], Any], Any]] = [
    (lambda s: s.exists(Plain, "TEAM#a"), False),
    (lambda s: s.delete(Plain, "TEAM#a"), None),
    (lambda s: s.delete(Plain("TEAM#a"), returning=True), None),
    (batched(lambda batch: batch.delete(Plain, "TEAM#a")), None),
    (lambda s: s.query(Plain).where(Plain.pk == "TEAM#a").all(), []),
    (lambda s: s.query(Plain).where(Plain.pk == "TEAM#a").count(), 0),
    (lambda s: s.query(Plain).where(Plain.pk == "TEAM#a").delete(), 0),
    (lambda s: s.scan(Plain).all(), []),
    (lambda s: s.scan(Plain).count(), 0),
    (lambda s: s.scan(Plain).keys().all(), []),
    (lambda s: s.scan(Plain).select(Plain.n).all(), []),
    (lambda s: s.scan(Plain).delete(), 0),
]


def test_keys_that_templates_make_are_not_those_of_a_model_without(session: Session):
    session.tables.create(MIXED)
    session.save(Team("a"))
    before = stored(session, MIXED)

    for read in READS:
        with pytest.raises(OtherKind) as other:
            read(session)
        assert other.value.kind == "Team"
    for act in MISSING:
        with pytest.raises(NoSuchItem):
            act(session)
    for act in FAILING:
        with pytest.raises(TransactionFailed) as failed:
            act(session)
        [reason] = failed.value.reasons
        assert reason is not None
        assert reason.kind == "Team"
    for act, result in NOTHING:
        assert act(session) == result
    assert stored(session, MIXED) == before
    session.delete(Team("a"))
    for act in MAKING:
        with pytest.raises(ImpossibleKey, match="Team"):
            act(session)
    assert session.get(Plain, "TEAM#a") is None
    assert stored(session, MIXED) == []


def test_all_other_keys_are(session: Session):
    session.tables.create(MIXED)
    session.save_all([Team("a"), Plain("a"), Plain("TEAM#a#b", 1)])

    assert sorted(map(repr, session.scan(Plain))) == sorted(
        map(repr, [Plain("a"), Plain("TEAM#a#b", 1)])
    )
    assert session.scan(Plain).count() == 2
    assert session.scan(Team).all() == [Team("a")]
    with pytest.raises(OtherKind):
        mapper.load(mapper.dump(Team("a")), Plain)
    assert session.scan(Plain).delete() == 2
    assert session.scan(Team).delete() == 1


def test_items_without_a_kind_are_of_the_model_that_has_their_key(session: Session):
    session.tables.create(MARKED)
    client: Any = session.client
    name = session._core.table_name(MARKED)
    for key in ("TEAM#a", "b"):
        client.put_item(TableName=name, Item={"pk": {"S": key}, "name": {"S": "a"}})

    assert session.get(Bare, "b") == Bare("b")
    assert session.scan(Bare).all() == [Bare("b")]
    assert session.exists(Bare, "b")
    assert not session.exists(Bare, "TEAM#a")
    with pytest.raises(OtherKind):
        session.get(Bare, "TEAM#a")
    with pytest.raises(NoSuchItem):
        session.update(Bare, "TEAM#a", set_(Bare.n, 1))
    session.delete(Bare, "TEAM#a")
    assert session.get(Club, "a") == Club("a")
    assert session.scan(Club).all() == [Club("a")]
    session.save(Bare("TEAM#a", 1))  # which says what it is
    assert session.update(Bare, "TEAM#a", set_(Bare.n, 2)).n == 2
    with pytest.raises(OtherKind):
        session.get(Club, "a")
    session.delete(Bare, "TEAM#a")
    session.delete(Bare, "b")
    assert stored(session, MARKED) == []


def test_models_that_are_declared_later_count_as_well(session: Session):
    table = Table("latecomers", partition_key="pk")

    @model(table)
    class Early:
        pk: str = partition_key()

    session.tables.create(table)
    session.save_all([Early("TEAM#a")])
    assert session.get(Early, "TEAM#a") == Early("TEAM#a")

    @model(table, pk="TEAM#{name}")
    class Late:
        name: str

    with pytest.raises(ImpossibleKey):
        session.save_all([Early("TEAM#a")])
    with pytest.raises(OtherKind):
        session.get(Early, "TEAM#a")
    session.save_all([Early("a")])
    assert session.scan(Early).all() == [Early("a")]


# --- Declarations that arrive late ------------------------------------------------------------------

AWAITED = Table("awaited", partition_key="pk")


@model(AWAITED, pk="L#{code}")
class First:
    code: Code
    n: int = 0


@model(AWAITED, pk="L#{name}")
class Second:
    name: str
    n: int = 0


Code = str


def test_models_that_meet_are_refused_at_the_first_use_of_a_late_annotation(session: Session):
    session.tables.create(AWAITED)
    verbs: list[Callable[[Session], Any]] = [
        lambda s: s.get(First, "a"),
        lambda s: s.exists(First, "a"),
        lambda s: list(s.get_many(First, ["a"])),
        lambda s: s.save(First("a")),
        lambda s: s.insert(First("a")),
        lambda s: s.save_all([First("a")]),
        lambda s: s.update(First, "a", set_(First.n, 1)),
        lambda s: s.delete(First, "a"),
        batched(lambda batch: batch.save(First("a"))),
        in_transaction(lambda t: t.delete(First, "a")),
        lambda s: s.scan(First).all(),
    ]
    for verb in verbs:
        with pytest.raises(ModelError, match="could be one of Second"):
            verb(session)


OVERLAP = Table("overlap", partition_key="pk", discriminator="type")


@model(OVERLAP, pk="B#{name}")
class Base:
    name: str


@model(OVERLAP, pk="X#{name}")
class Between:
    name: str


@model(OVERLAP, pk="{name:*}")
class Sub(Base):
    pass


def test_items_without_a_kind_are_of_subclasses_before_others(session: Session):
    session.tables.create(OVERLAP)
    client: Any = session.client
    name = session._core.table_name(OVERLAP)
    item = {"pk": {"S": "X#a"}, "name": {"S": "X#a"}}
    client.put_item(TableName=name, Item=item)

    assert session.scan(Base).all() == [Sub("X#a")]
    assert session.scan(Sub).all() == [Sub("X#a")]
    assert session.scan(Between).all() == [Between("X#a")]
    assert mapper.load(item, Base) == Sub("X#a")
    assert mapper.load(item, Base | Between) == Between("X#a")


@pytest.mark.parametrize(
    "key", [("USER#1", "US"), ("USER", "USER"), ("ORG#1", "BRANCH"), ("else", "what")], ids=str
)
@pytest.mark.parametrize(
    "cls", [User, *(pytest.param(each, marks=pytest.mark.full) for each in (Org, Branch))]
)
def test_items_whose_keys_cannot_be_read_are_refused_and_left_alone(
    session: Session, cls: type[Any], key: tuple[str, str]
):
    client: Any = session.client
    session.tables.create(BLOG)
    pk, sk = ({"S": part} for part in key)
    item = {"pk": pk, "sk": sk, "id": {"S": "1"}, "name": {"S": "x"}, "email": {"S": "e"}}
    client.put_item(TableName=session._core.table_name(BLOG), Item=item)
    scan = session.scan(cls)

    for verb in (
        scan.all,
        scan.count,
        scan.delete,
        lambda: scan.keys().all(),
        lambda: scan.raw().all(),
        lambda: scan.select(cls.name).all(),
        lambda: session.scan(User, Org).all(),
        lambda: session.migrate(User),
        lambda: mapper.load(item, cls),
    ):
        with pytest.raises(MappingError) as caught:
            verb()
        assert caught.value.key == {"pk": pk, "sk": sk}
        assert stored(session, BLOG) == [item]
    assert scan.on_error("skip").all() == []
    assert scan.on_error("skip").delete() == 0
    assert session.migrate(User, on_error="skip").failed == 1
    assert stored(session, BLOG) == [item]
