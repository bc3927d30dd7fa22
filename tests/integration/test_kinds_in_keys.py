"""A discriminator in the key of an index, and models of several kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dynattrs import (
    CursorError,
    GlobalIndex,
    LocalIndex,
    NoIndex,
    NoSuchItem,
    OtherKind,
    PartialIndex,
    Session,
    Table,
    TransactionFailed,
    mapper,
    model,
    set_,
)

FARM = Table(
    "farm",
    partition_key="pk",
    sort_key="sk",
    discriminator="type",
    indexes=[
        GlobalIndex("by-type", partition_key="type", sort_key="born"),
        GlobalIndex("by-owner", partition_key="owner", sort_key="type"),
        GlobalIndex("types", partition_key="type", projection="keys"),
        GlobalIndex("names", partition_key="name", projection="keys"),
        LocalIndex("local", sort_key="type"),
    ],
    types={"born": "N"},
)


@model(FARM, pk="F#{farm}", sk="A#{name}")
class Animal:
    farm: str
    name: str
    born: int = 2000
    owner: str = "ann"


@model(FARM)
class Cow(Animal):
    milk: int = 0


@model(FARM, kind=("pig", "hog"))
class Pig(Animal):
    pass


@model(FARM, pk="F#{farm}", sk="B#{name}")
class Barn:
    farm: str
    name: str
    born: int = 2000
    owner: str = "ann"


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(FARM)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    session = Session(client=client, table_prefix=table_prefix)
    yield session
    session.close()


COWS = [Cow("1", f"cow{n}", 2000 + n % 3, milk=n) for n in range(7)]
PIGS = [Pig("1", f"pig{n}", 2000 + n % 3) for n in range(7)]
OTHERS = [Animal("1", f"a{n}", 2000 + n % 3) for n in range(5)]
BARNS = [Barn("1", f"b{n}", 2000 + n % 3) for n in range(4)]
ALL = [*COWS, *PIGS, *OTHERS, *BARNS]


def fill(session: Session) -> None:
    session.save_all(ALL)
    table = session._core.table_name(FARM)
    client: Any = session.client
    for pig in PIGS[:3]:  # of the older kind
        item = {**mapper.dump(pig), "type": {"S": "hog"}}
        client.put_item(TableName=table, Item=item)


def shown(objects: Any) -> list[str]:
    return sorted(map(repr, objects))


def test_an_index_by_kind_lists_the_items_of_a_model(session: Session):
    fill(session)

    for index in ("by-type", None):
        for models, expected in (
            ((Cow,), COWS), ((Pig,), PIGS), ((Barn,), BARNS), ((Animal,), [*COWS, *PIGS, *OTHERS]),
            ((Cow, Barn), [*COWS, *BARNS]), ((Animal, Barn), ALL),
        ):  # fmt: skip
            query = session.query(*models)
            if index is not None:
                query = query.using(index)
                assert shown(query) == shown(expected), models
                assert query.count() == len(expected)
                born = [each.born for each in query]
                assert born == sorted(born)
                born = [each.born for each in query.reverse()]
                assert born == sorted(born, reverse=True)
    late = session.query(Cow).where(Cow.born >= 2001).using("by-type")
    assert shown(late) == shown(each for each in COWS if each.born >= 2001)
    assert "type == 'Cow'" in late.explain()
    assert "kinds: 'hog', 'pig'" in session.query(Pig).using("by-type").explain()


def test_kinds_are_asked_page_by_page(session: Session):
    fill(session)
    query = session.query(Animal).using("by-type")

    for size in (1, 3, 4):
        for one in (query, query.reverse()):
            whole, cursor = list(one), None
            found: list[Any] = []
            while True:
                page = one.after(cursor).page(size)
                found += page
                cursor = page.cursor
                if cursor is None:
                    break
            assert found == whole
    cursor = query.page(2).cursor
    with pytest.raises(CursorError):
        session.query(Pig).using("by-type").after(cursor).page(2)


def test_a_kind_in_a_sort_key_narrows(session: Session):
    fill(session)

    cows = session.query(Cow).where(Cow.owner == "ann")
    assert shown(cows) == shown(COWS)
    assert "(type == 'Cow')" in cows.explain()
    assert shown(session.query(Animal).where(Animal.owner == "ann")) == shown(ALL[:-4])
    assert shown(session.query(Pig).where(Pig.owner == "ann")) == shown(PIGS)
    local = session.query(Cow).where(Cow.farm == "1").using("local")
    assert shown(local) == shown(COWS)
    assert shown(session.query(Barn).where(Barn.farm == "1").using("local")) == shown(BARNS)


def test_deletes_through_an_index_by_kind(session: Session):
    fill(session)

    assert session.query(Pig).using("types").delete() == len(PIGS)
    assert shown(session.scan(Animal)) == shown([*COWS, *OTHERS])
    assert session.query(Animal).using("types").count() == len(COWS) + len(OTHERS)


def test_an_index_that_lacks_the_kind_counts_no_siblings(session: Session):
    fill(session)
    query = session.query(Cow).using("names").where(Cow.name == "pig1")

    # Whether an item is a cow cannot be seen there.
    for end in (query.count, query.delete, query.keys().all, lambda: query.select(Cow.name).all()):
        with pytest.raises(PartialIndex, match="type"):
            end()
    assert query.hydrate().count() == 0
    assert query.hydrate().delete() == 0
    assert query.hydrate().keys().all() == []
    cows = session.query(Cow).using("names").where(Cow.name == "cow1").hydrate()
    assert cows.count() == 1
    assert cows.delete() == 1
    # All that can have such a key is asked for.
    assert session.query(Animal).using("names").where(Animal.name == "pig1").count() == 1
    assert session.query(Barn).using("names").where(Barn.name == "pig1").count() == 0
    assert session.query(Barn).using("names").where(Barn.name == "b1").delete() == 1


def test_a_model_of_several_kinds_reads_all_and_writes_the_first(session: Session):
    session.save(Pig("1", "p"))
    client: Any = session.client
    table = session._core.table_name(FARM)
    key = {"pk": {"S": "F#1"}, "sk": {"S": "A#p"}}

    def kind() -> str:
        found: str = client.get_item(TableName=table, Key=key)["Item"]["type"]["S"]
        return found

    assert kind() == "pig"
    item = {**mapper.dump(Pig("1", "p")), "type": {"S": "hog"}}
    client.put_item(TableName=table, Item=item)
    pig = session.get_one(Pig, ("1", "p"))
    assert type(session.get(Animal, ("1", "p"))) is Pig
    assert mapper.load(item, Pig | Cow) == pig
    with pytest.raises(OtherKind) as other:
        session.get(Cow, ("1", "p"))
    assert other.value.kind == "hog"
    assert session.update(Pig, ("1", "p"), set_(Pig.born, 3)).born == 3
    assert kind() == "hog"  # what an update does not say stays
    pig = session.get_one(Pig, ("1", "p"))
    with session.edit(pig):
        pig.born = 4
    with session.transaction() as t:
        t.check(Pig, ("1", "p"), Pig.born == 4)
    with pytest.raises(NoSuchItem):
        session.update(Cow, ("1", "p"), set_(Cow.born, 3))
    with pytest.raises(TransactionFailed), session.transaction() as t:
        t.delete(Cow, ("1", "p"))
    session.save(pig)
    assert kind() == "pig"
    client.put_item(TableName=table, Item=item)
    with session.batch() as batch:
        batch.delete(Cow, ("1", "p"))
    assert session.exists(Pig, ("1", "p"))
    with session.batch() as batch:
        batch.delete(Pig, ("1", "p"))
    assert not session.exists(Animal, ("1", "p"))


def test_an_index_of_more_attributes_takes_one_kind(session: Session):
    table = Table(
        "wide", partition_key="pk", discriminator="type",
        indexes=[GlobalIndex("by-town", partition_key=["town", "type"], sort_key="pk")],
    )  # fmt: skip

    @model(table, pk="X#{id}")
    class Base:
        id: str
        town: str = "here"

    @model(table)
    class Sub(Base):
        pass

    one = session.query(Sub).where(Sub.town == "here")
    assert "(Sub.town == 'here') & (type == 'Sub')" in one.explain()
    with pytest.raises(NoIndex, match="'type' of one kind, 'Base' or 'Sub'"):
        session.query(Base).where(Base.town == "here").explain()
