"""`migrate` in a table of several models: it rewrites the items of its own model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dynattrs import (
    AlreadyTaken,
    ConditionError,
    GlobalIndex,
    MappingError,
    Migrated,
    QueryError,
    Session,
    Table,
    begins_with,
    exists,
    field,
    in_,
    mapper,
    model,
    partition_key,
    sort_key,
)


def cents(item: dict[str, Any]) -> None:
    item["price"] = item.get("price", 0) * 100


#: Nothing tells these apart.
SHARED = Table("shared", partition_key="id", sort_key="part")


@model(SHARED, upgrades=[cents])
class Product:
    id: str = partition_key()
    part: str = sort_key()
    price: int = 0
    title: str = field(name="title", formerly=["name"], default="")


@model(SHARED)
class Voucher:
    id: str = partition_key()
    part: str = sort_key()
    price: int = 0


#: Keys tell.
KEYED = Table("keyed", partition_key="pk")


@model(KEYED, upgrades=[cents])
class Loose:
    pk: str = partition_key()
    price: int = 0


@model(KEYED, pk="ORDER#{number}", upgrades=[cents])
class Order:
    number: str
    price: int = 0


#: A discriminator tells, where items have one.
MARKED = Table("marked", partition_key="pk", discriminator="type")


@model(MARKED, pk="A#{name}", upgrades=[cents])
class Ant:
    name: str
    price: int = 0


@model(MARKED, pk="A#{name}", upgrades=[cents])
class Bee:
    name: str
    price: int = 0


@model(MARKED, pk="C#{name}", upgrades=[cents])
class Crab:
    name: str
    price: int = 0


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    session = Session(client=client, table_prefix=table_prefix)
    yield session
    session.close()


class Items:
    """The items of a table, past the library."""

    def __init__(self, session: Session, table: Table) -> None:
        session.tables.create(table)
        self.client: Any = session.client
        self.name = session._core.table_name(table)
        self.key = table.partition_key

    def put(self, *items: dict[str, Any]) -> None:
        for item in items:
            plain = {k: {"N": str(v)} if isinstance(v, int) else {"S": v} for k, v in item.items()}
            self.client.put_item(TableName=self.name, Item=plain)

    def prices(self) -> dict[str, str]:
        found = self.client.scan(TableName=self.name)["Items"]
        return {item[self.key]["S"]: item["price"]["N"] for item in found}


OLD = ({"id": "product-1", "part": "-", "price": 3}, {"id": "voucher-1", "part": "-", "price": 3})


def test_models_that_nothing_tells_apart_are_not_migrated_without_where(session: Session):
    items = Items(session, SHARED)
    items.put(*OLD)

    with pytest.raises(QueryError, match=r"Voucher.*where="):
        session.migrate(Product)
    assert items.prices() == {"product-1": "3", "voucher-1": "3"}

    done = session.migrate(Product, where=begins_with(Product.id, "product-"))

    assert done == Migrated(2, 1, 0, None)
    assert items.prices() == {"product-1": "300", "voucher-1": "3"}
    assert session.migrate(Product, where=begins_with(Product.id, "product-")).rewritten == 0


def test_where_goes_on_in_pages(session: Session):
    items = Items(session, SHARED)
    items.put(*({**each, "id": f"{each['id']}{n}"} for each in OLD for n in range(5)))

    own = begins_with(Product.id, "product-") & exists(Product.price)
    rewritten, cursor = 0, None
    while True:
        done = session.migrate(Product, where=own, after=cursor, max_pages=1, page_size=2)
        rewritten, cursor = rewritten + done.rewritten, done.cursor
        if cursor is None:
            break
    assert rewritten == 5
    assert sorted(items.prices().values()) == ["3"] * 5 + ["300"] * 5


def test_what_where_may_be(session: Session):
    items = Items(session, SHARED)
    items.put(*OLD)

    assert session.migrate(Product, where=in_(Product.id, [])) == Migrated(0, 0, 0, None)
    with pytest.raises(ConditionError, match="Voucher"):
        session.migrate(Product, where=Voucher.id == "1")
    with pytest.raises(ConditionError):
        session.migrate(Product, where=True)
    # Of an old item the service would not find it.
    with pytest.raises(QueryError, match=r"Product.title.*name"):
        session.migrate(Product, where=Product.title == "soap")
    assert items.prices() == {"product-1": "3", "voucher-1": "3"}


def test_keys_tell_whose_items_are_rewritten(session: Session):
    items = Items(session, KEYED)
    items.put({"pk": "ORDER#1", "number": "1", "price": 1}, {"pk": "x", "price": 1})

    assert session.migrate(Loose).rewritten == 1
    assert items.prices() == {"ORDER#1": "1", "x": "100"}
    assert session.migrate(Order).rewritten == 1
    assert items.prices() == {"ORDER#1": "100", "x": "100"}


def test_a_discriminator_tells_whose_items_are_rewritten(session: Session):
    items = Items(session, MARKED)
    items.put(
        {"pk": "A#1", "name": "1", "price": 1, "type": "Ant"},
        {"pk": "A#2", "name": "2", "price": 1, "type": "Bee"},
        {"pk": "C#1", "name": "1", "price": 1},
    )

    assert session.migrate(Ant).rewritten == 1
    assert session.migrate(Crab).rewritten == 1
    assert items.prices() == {"A#1": "100", "A#2": "1", "C#1": "100"}


def test_an_item_that_says_nothing_and_may_be_anothers_is_not_rewritten(session: Session):
    items = Items(session, MARKED)
    items.put({"pk": "A#1", "name": "1", "price": 1}, {"pk": "C#1", "name": "1", "price": 1})

    with pytest.raises(MappingError, match=r"Ant\['type'\].*Bee.*where="):
        session.migrate(Ant)
    errors: list[Any] = []
    assert session.migrate(Ant, on_error=errors.append) == Migrated(2, 0, 1, None)
    assert len(errors) == 1
    assert items.prices() == {"A#1": "1", "C#1": "1"}

    assert session.migrate(Bee, where=Bee.name == "1").rewritten == 1
    assert items.prices() == {"A#1": "100", "C#1": "1"}
    assert session.get(Bee, "1") == Bee("1", 100)
    assert session.migrate(Ant).rewritten == 0


def test_subclasses_are_migrated_with_their_base(session: Session):
    table = Table("family", partition_key="id")

    @model(table, upgrades=[cents])
    class Base:
        id: str = partition_key()
        price: int = 0

    @model(table)
    class Sub(Base):
        pass

    items = Items(session, table)
    items.put({"id": "1", "price": 1})
    # Its own subclass: no other model's items are there.
    assert session.migrate(Base).rewritten == 1
    with pytest.raises(QueryError, match="Base"):
        session.migrate(Sub)


# --- Old items without a kind ---------------------------------------------------------------------

#: Each model with what may need to be brought up to date besides.
OLDER = Table(
    "older",
    partition_key="pk",
    discriminator="type",
    indexes=[GlobalIndex("by-kind", partition_key="type"), GlobalIndex("by-n", partition_key="n_")],
)


@model(OLDER, pk="A#{name}")
class Cat:
    name: str
    n: str = ""


@model(OLDER, kind=("kitten", "old"))
class Kitten(Cat):
    weeks: int = 0


@model(OLDER, pk="A#{name}", n_="N#{n}")
class Dog:
    name: str
    n: str = ""


@model(OLDER, pk="A#{name}", n_="N#{n}", upgrades=[lambda item: item.setdefault("n", "1") and None])
class Eel:
    name: str
    n: str = "0"


@model(OLDER, pk="A#{name}")
class Fox:
    name: str
    n: str | None = field(unique=True, default=None)


@model(OLDER, pk="G#{name}")
class Gnu:
    name: str
    n: str = ""


KINDS = {Cat: "Cat", Kitten: "kitten", Dog: "Dog", Eel: "Eel", Fox: "Fox"}


@pytest.mark.parametrize("cls", KINDS, ids=KINDS.values())
def test_where_gives_old_items_their_kind(session: Session, cls: Any):
    items = Items(session, OLDER)
    items.put(
        {"pk": "A#1", "name": "1", "n": "x", "more": "kept"},
        {"pk": "A#2", "name": "2", "n": "y"},
        {"pk": "A#3", "name": "3", "n": "z", "type": "Gnu"},
    )

    done = session.migrate(cls, where=in_(cls.name, ["1", "3"]))

    assert (done.rewritten, done.failed) == (1, 0)
    found = session.client.scan(TableName=items.name)["Items"]
    kinds = {item["pk"]["S"]: item.get("type", {}).get("S") for item in found}
    made = {key: kind for key, kind in kinds.items() if not key.startswith("dynattrs.unique ")}
    assert made == {"A#1": KINDS[cls], "A#2": None, "A#3": "Gnu"}
    [own] = session.query(cls).using("by-kind")
    assert type(own) is cls
    assert (own.name, own.n) == ("1", "x")
    assert mapper.dump(own)["more"] == {"S": "kept"}
    assert session.migrate(cls, where=in_(cls.name, ["1", "3"])).rewritten == 0
    if cls is Fox:
        with pytest.raises(AlreadyTaken):
            session.insert(Fox("9", "x"))


def test_an_old_item_gets_its_kind_with_its_unique_value_or_not_at_all(session: Session):
    items = Items(session, OLDER)
    session.insert(Fox("0", "x"))
    items.put({"pk": "A#1", "name": "1", "n": "x"})

    with pytest.raises(AlreadyTaken):
        session.migrate(Fox, where=Fox.name == "1")

    item = session.client.get_item(TableName=items.name, Key={"pk": {"S": "A#1"}})["Item"]
    assert "type" not in item


def test_an_old_item_whose_key_only_one_model_has_gets_its_kind_without_where(session: Session):
    items = Items(session, OLDER)
    items.put({"pk": "G#1", "name": "1", "n": "x"}, {"pk": "A#1", "name": "1"})

    assert session.migrate(Gnu) == Migrated(2, 1, 0, None)
    assert session.migrate(Cat).rewritten == 0  # a Kitten, perhaps, or a Dog

    assert [gnu.name for gnu in session.query(Gnu).using("by-kind")] == ["1"]
    assert session.get(Kitten, "1") == Kitten("1")


def test_what_another_program_says_meanwhile_of_an_old_item_is_kept(session: Session):
    items = Items(session, OLDER)
    items.put({"pk": "G#1", "name": "1", "n": "x"})
    sent: list[str] = []

    def say(event: Any) -> None:
        sent.append(event.operation)
        if event.operation == "UpdateItem" and sent.count("UpdateItem") == 1:
            items.put({"pk": "G#1", "name": "1", "n": "x", "type": "Other"})

    session.on("before_send", say)
    session.migrate(Gnu)

    assert sent.count("UpdateItem") == 1
    item = session.client.get_item(TableName=items.name, Key={"pk": {"S": "G#1"}})["Item"]
    assert item["type"] == {"S": "Other"}
