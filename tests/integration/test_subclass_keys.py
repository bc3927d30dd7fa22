"""Subclasses with key templates of their own: a query of an index for the base finds their items, or says
that it cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dynattrs import (
    GlobalIndex,
    LocalIndex,
    NoIndex,
    QueryError,
    Session,
    SparseIndex,
    Table,
    begins_with,
    in_,
    model,
)

ZOO = Table(
    "zoo",
    partition_key="pk",
    sort_key="sk",
    discriminator="type",
    indexes=[
        GlobalIndex("by-home", partition_key="hpk", sort_key="hsk"),
        GlobalIndex("by-keeper", partition_key="kpk", write_shards=2),
        GlobalIndex("by-food", partition_key="fpk"),
        LocalIndex("local", sort_key="lsk"),
    ],
)


@model(
    ZOO, pk="ZOO#{zoo}", sk="{name}", hpk="HOME#{home}", hsk="{name}", kpk="KEEPER#{keeper}",
    fpk="FOOD#{food}", lsk="{food}#{name}",
)  # fmt: skip
class Animal:
    zoo: str
    name: str
    home: str
    keeper: str = "ann"
    food: str = "hay"


@model(ZOO, hpk="CATS#{home}", kpk="CATS#{keeper}")
class Cat(Animal):
    lives: int = 9


@model(ZOO, hpk="CATS#{home}")  # as Cat's there, and not elsewhere
class Lion(Animal):
    pride: str = "none"


@model(ZOO, hsk="DOG#{name}", lsk="DOG#{name}")
class Dog(Animal):
    pass


@model(ZOO, fpk="FOOD#{food}#{colour}")
class Bird(Animal):
    colour: str = "blue"


@model(ZOO, pk="PARK#{zoo}", sk="{name}", hpk="PARK#{home}", hsk="{name}")
class Tree:
    zoo: str
    name: str
    home: str


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(ZOO)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    session = Session(client=client, table_prefix=table_prefix)
    yield session
    session.close()


def inhabitants() -> list[Any]:
    homes = ["cage", "den", "meadow"]
    return [
        cls("1", f"{cls.__name__[0].lower()}{n}", homes[n % 3])
        for n in range(9)
        for cls in (Animal, Cat, Lion, Dog, Bird)
    ]


def by_name(items: Any) -> list[Any]:
    return sorted(items, key=lambda each: each.name)


CONDITIONS: dict[str, Callable[[], tuple[Any, ...]]] = {
    "an equality": lambda: (Animal.home == "den",),
    "a range of the sort key": lambda: (Animal.home == "den", Animal.name >= "c2"),
    "a prefix of it": lambda: (Animal.home == "den", begins_with(Animal.name, "d")),
    "both": lambda: (Animal.home == "den", Animal.name == "l4"),
    "several partitions": lambda: (in_(Animal.home, ["den", "cage"]),),
    "alternatives": lambda: ((Animal.home == "den") | (Animal.home == "cage"), Animal.name < "d4"),
    "alternatives of the sort key": lambda: (Animal.home == "cage", in_(Animal.name, ["c0", "d3", "x"])),
    "an inequality": lambda: (Animal.home == "cage", Animal.name != "c0"),
    "a subclass's field": lambda: (Animal.home == "den", Cat.lives == 9),
    "shards": lambda: (Animal.keeper == "ann",),
    "nothing": lambda: (Animal.home == "nowhere",),
}  # fmt: skip


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_query_of_an_index_finds_what_a_scan_does(session: Session, name: str):
    session.save_all([*inhabitants(), Tree("1", "oak", "den")])
    conditions = CONDITIONS[name]()
    query = session.query(Animal).where(*conditions)
    expected = by_name(session.scan(Animal).where(*conditions))

    assert "index: by-" in query.explain()
    assert by_name(query) == expected
    assert query.count() == len(expected)
    assert by_name(query.reverse()) == expected
    assert len(query.limit(4).all()) == min(4, len(expected))

    cursor, found = None, []
    while True:
        page = query.page_size(2).after(cursor).page(3)
        found += page.items
        cursor = page.cursor
        if cursor is None:
            break
    assert by_name(found) == expected


def test_items_of_one_named_partition_come_in_the_order_of_the_sort_key(session: Session):
    session.save_all(inhabitants())
    query = session.query(Animal).where(Animal.home == "den")

    def names(query: Any) -> list[tuple[str, str]]:
        return [(type(each).__name__, each.name) for each in query]

    in_order = [("Dog", "d1"), ("Dog", "d4"), ("Dog", "d7")]  # DOG#d1, before all others
    in_order += [
        (cls, f"{cls[0].lower()}{n}") for cls in ("Animal", "Bird", "Cat", "Lion") for n in (1, 4, 7)
    ]  # fmt: skip
    assert names(query) == in_order
    assert names(query.reverse()) == in_order[::-1]
    assert names(query.limit(4)) == in_order[:4]
    several = session.query(Animal).where(in_(Animal.home, ["den", "cage"]))
    assert names(several.merged())[:6] == [("Dog", f"d{n}") for n in (0, 1, 3, 4, 6, 7)]


def test_a_subclass_may_be_named_beside_its_base(session: Session):
    session.save_all(inhabitants())
    of_all = session.query(Animal).where(Animal.home == "den")

    assert session.query(Animal, Cat).where(Animal.home == "den").all() == of_all.all()
    query = session.query(Dog, Animal, Lion).where(in_(Animal.home, ["den"]), Animal.name > "c")
    assert query.all() == of_all.where(Animal.name > "c").all()
    assert "the keys of subclasses are asked for as well" in query.explain()
    with pytest.raises(NoIndex, match="a query for Cat and Tree needs"):
        session.query(Cat, Tree).where(Cat.home == "den").all()
    with pytest.raises(NoIndex, match="a query for Animal and Cat needs"):
        session.query(Animal, Cat).where(Animal.name == "c1").all()


def test_explain_says_that_keys_of_subclasses_are_asked_for(session: Session):
    said = session.query(Animal).where(Animal.home == "den").explain()
    cat, lion = ("Cat (hpk='CATS#{home}', hsk='{name}')", "Lion (hpk='CATS#{home}', hsk='{name}')")
    assert "requests: 2, merged in the order of the sort key" in said
    assert f"the keys of subclasses are asked for as well: {cat}, {lion} and Dog (" in said

    said = (
        session.query(Animal).where(Animal.zoo == "1", Animal.food >= "h").using("local").explain()
    )
    assert "key condition: (pk == 'ZOO#1') & (lsk >= 'DOG#')" in said
    assert "the key condition takes in the keys of subclasses as well: Dog (" in said

    # Its own subclasses make the same keys, or there are none.
    assert "subclasses" not in session.query(Cat).where(Cat.home == "den").explain()


def test_a_local_index_is_read_for_subclasses_as_well(session: Session):
    session.save_all(inhabitants())
    conditions = (Animal.zoo == "1", Animal.food == "hay", Animal.name < "d")

    query = session.query(Animal).where(*conditions).using("local")

    assert by_name(query) == by_name(session.scan(Animal).where(*conditions))
    assert any(type(each) is Bird for each in query)


def test_an_index_under_whose_keys_items_cannot_be_found_is_refused(session: Session):
    session.save_all(inhabitants())

    with pytest.raises(SparseIndex) as caught:
        session.query(Animal).where(Animal.food == "hay").all()

    said = str(caught.value)
    assert (
        "index 'by-food' would serve, but it holds items of Bird (fpk='FOOD#{food}#{colour}')"
        in said
    )
    assert "state the fields of these keys as well" in said
    assert "using('by-food')" in said
    query = session.query(Animal).where(Animal.food == "hay", Bird.colour == "blue")
    assert {type(each) for each in query} == {Bird}
    pinned = session.query(Animal).where(Animal.food == "hay").using("by-food")
    assert {type(each) for each in pinned} == {Animal, Cat, Lion, Dog}
    assert "are not asked for: Bird (fpk='FOOD#{food}#{colour}')" in pinned.explain()


def test_more_subclasses_than_requests_are_allowed_is_an_error(session: Session):
    with pytest.raises(QueryError, match=r"the subclasses of Animal, .* take 2 requests"):
        session.query(Animal).where(Animal.home == "den", fan_out=1).all()


def test_a_deletion_reaches_items_of_subclasses(session: Session):
    session.save_all(inhabitants())
    assert session.query(Animal).where(Animal.home == "den").delete() == 15
    assert not session.query(Animal).where(Animal.home == "den").all()
    assert session.scan(Animal).count() == 30


PARK = Table(
    "park",
    partition_key="pk",
    indexes=[GlobalIndex("by-park", partition_key="ppk", sort_key="psk", projection="keys")],
)


@model(PARK, pk="PLANT#{name}", ppk="PARK#{park}", psk="{name}")
class Plant:
    name: str
    park: str
    height: int = 1


@model(PARK, pk="OAK#{name}", ppk="OAKS#{park}")
class Oak(Plant):
    pass


def test_keys_alone_tell_subclasses_as_well(client: Any, table_prefix: str):
    with Session(client=client, table_prefix=table_prefix) as session:
        session.tables.create(PARK)
        plants = [
            Plant("a", "x"),
            Oak("b", "x"),
            Plant("c", "x", 2),
            Oak("d", "y"),
            Oak("e", "x", 2),
        ]
        session.save_all(plants)
        query = session.query(Plant).where(Plant.park == "x")

        assert query.hydrate().all() == [each for each in plants if each.park == "x"]
        keys = query.keys().all()
        assert [each["name"] for each in keys] == ["a", "b", "c", "e"]

        # Of the table's own keys, a query looks under those of the class that it names, and says so.
        said = session.query(Plant).where(Plant.name == "b").explain()
        assert (
            "under the table's keys of the class that it names, not of Oak (pk='OAK#{name}')"
            in said
        )
        session.tables.delete(PARK)
