"""A single-table design on the engines: collections, hierarchies, keys that follow their fields."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import attrs
import pytest

from dynattrs import (
    ConditionError,
    ConditionFailed,
    GlobalIndex,
    ImpossibleKey,
    ItemExists,
    MappingError,
    ModelError,
    MultipleItems,
    NoIndex,
    NoSuchItem,
    QueryError,
    Session,
    SparseIndex,
    StaleKey,
    Table,
    TransactionFailed,
    add,
    begins_with,
    between,
    evolve,
    exists,
    field,
    if_not_exists,
    model,
    path,
    remove,
    set_,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)


class Status(enum.Enum):
    OPEN = "open"
    SHIPPED = "shipped"


SHOP = Table(
    "shop",
    partition_key="pk",
    sort_key="sk",
    indexes=[
        GlobalIndex("by-status", partition_key="gsi1pk", sort_key="gsi1sk"),
        GlobalIndex("by-country", partition_key="gsi2pk", projection=["total"]),
    ],
    ttl="expires",
)


@attrs.define
class Address:
    country: str
    city: str


@model(SHOP, pk="USER#{user_id}", sk="PROFILE")
class User:
    user_id: str
    name: str = ""


@model(
    SHOP,
    pk="USER#{user_id}",
    sk="ORDER#{placed}#{order_id:06d}",
    gsi1pk="STATUS#{status}",
    gsi1sk="{placed}#{order_id:06d}",
    gsi2pk="{ship_to.country}",
)
class Order:
    user_id: str
    placed: datetime
    order_id: int
    total: int = 0
    status: Status | None = None
    ship_to: Address | None = None
    note: str | None = None


@model(SHOP, pk="USER#{user_id}", sk="ORDER#{placed}#{order_id:06d}#LINE#{line:03d}")
class Line:
    user_id: str = field(key_only=True)
    placed: datetime = field(key_only=True)
    order_id: int = field(key_only=True)
    line: int = field(key_only=True)
    product: str = ""


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(SHOP)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    session = Session(client=client, table_prefix=table_prefix)
    yield session
    session.close()


def order(number: int, hours: int = 0, **more: Any) -> Order:
    return Order("42", NOON + timedelta(hours=hours), number, **more)


def stored(session: Session, thing: Any) -> dict[str, Any]:
    """The item behind the library's back."""
    found = session.query(type(thing)).where(type(thing).user_id == thing.user_id).raw().all()
    client: Any = session.client
    name = session._core.table_name(SHOP)
    return client.get_item(TableName=name, Key={k: found[0][k] for k in ("pk", "sk")})["Item"]  # type: ignore[no-any-return]


# --- Verbs by the fields that make the key --------------------------------------------------------------


def test_every_verb_takes_the_fields_of_the_key(session: Session):
    key = {"user_id": "42", "placed": NOON, "order_id": 7}
    made = session.insert(order(7, total=5))

    assert session.get(Order, key) == made
    assert session.get_one(Order, ("42", NOON, 7)) == made
    assert session.exists(Order, key)
    assert session.get(User, "42") is None
    assert session.update(Order, key, add(Order.total, 2)).total == 7
    assert [o.total for o in session.get_many(Order, [key, ("42", NOON, 8)])] == [7]
    assert session.transact_get((Order, key), (User, "42"))[0].total == 7  # type: ignore[union-attr]
    assert session.refresh(made).total == 7
    with pytest.raises(ItemExists) as caught:
        session.insert(order(7))
    assert caught.value.key == key
    session.delete(Order, key)
    with pytest.raises(NoSuchItem, match="'order_id': 7"):
        session.get_one(Order, key)


def test_batches_fold_and_flush_by_the_computed_key(session: Session):
    with session.batch() as batch:
        batch.save(order(1, total=1))
        batch.save(order(1, total=2))
        assert batch.get(Order, ("42", NOON, 1)) == order(1, total=2)
        batch.save(order(2))
        batch.delete(order(2))
    assert session.query(Order).where(Order.user_id == "42").all() == [order(1, total=2)]


def test_cursors_go_on_in_a_collection(session: Session):
    session.save_all([User("42"), *(order(n) for n in range(7)), Line("42", NOON, 0, 1)])
    query = session.query(User, Order).where(User.user_id == "42")
    seen: list[Any] = []
    cursor = None
    while True:
        page = query.after(cursor).page(3)
        seen += page
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == query.all() == [*(order(n) for n in range(7)), User("42")]


def test_projections_read_what_is_in_keys_only(session: Session):
    session.save_all([Line("42", NOON, 1, n, f"p{n}") for n in (1, 2)])

    @attrs.define
    class Part:
        line: int
        product: str

    lines = session.query(Line).where(Line.user_id == "42", Line.placed == NOON)
    assert lines.select(Line.line, Line.product).all() == [(1, "p1"), (2, "p2")]
    assert lines.select(Line.order_id).first() == (1,)
    assert lines.as_(Part).all() == [Part(1, "p1"), Part(2, "p2")]
    assert lines.keys().first() == {"user_id": "42", "placed": NOON, "order_id": 1, "line": 1}


# --- Collections ---------------------------------------------------------------------------------------


def test_a_collection_is_read_in_stored_order_with_one_request(session: Session):
    lines = [Line("42", NOON, 1, n) for n in (1, 2)]
    session.save_all([order(2, 1), User("42", "Ann"), *lines, order(1), User("43"), order(3, 2)])
    before = session.stats.total

    found = session.query(User, Order, Line).where(User.user_id == "42").all()

    assert found == [order(1), *lines, order(2, 1), order(3, 2), User("42", "Ann")]
    assert session.stats.total == before + 1


def test_models_that_were_not_asked_for_are_left_out_everywhere(session: Session):
    session.save_all([User("42"), order(1), Line("42", NOON, 1, 1), order(2, 1)])
    query = session.query(Order).where(Order.user_id == "42")

    assert query.all() == [order(1), order(2, 1)]
    assert query.count() == 2
    assert query.limit(1).reverse().all() == [order(2, 1)]
    assert len(query.keys().all()) == len(query.raw().all()) == 2
    assert session.scan(Order).count() == 2
    assert query.delete() == 2
    assert session.scan(User, Order, Line).all() == [Line("42", NOON, 1, 1), User("42")]


def test_groups_have_the_parent_and_its_children(session: Session):
    session.save_all([User("42", "Ann"), order(1), order(2, 1)])

    groups = session.query(User, Order).where(User.user_id == "42").group_by_type()

    assert groups.one(User).name == "Ann"
    assert groups[Order] == [order(1), order(2, 1)]
    assert set(groups) == {User, Order}
    assert len(groups) == 3
    with pytest.raises(MultipleItems):
        groups.one(Order)
    with pytest.raises(QueryError, match="Line was not asked for"):
        groups[Line]
    assert session.query(User, Line).where(User.user_id == "x").group_by_type()[Line] == []


def test_an_unknown_kind_is_an_error_or_is_left_out(session: Session):
    session.save_all([User("42"), order(1)])
    client: Any = session.client
    name = session._core.table_name(SHOP)
    client.put_item(TableName=name, Item={"pk": {"S": "USER#42"}, "sk": {"S": "PAST"}})
    query = session.query(User, Order).where(User.user_id == "42")

    for end in (query.all, query.count, query.delete):
        with pytest.raises(MappingError) as caught:
            end()
        assert "an item of a model of table 'shop' (User, Order, Line), found another key" in str(
            caught.value
        )
        assert caught.value.key == {"pk": {"S": "USER#42"}, "sk": {"S": "PAST"}}
    seen: list[MappingError] = []
    assert query.on_error("skip").all() == [order(1), User("42")]
    assert query.on_error(seen.append).count() == 2
    assert len(seen) == 1


def test_conditions_of_a_collection_hold_for_every_item(session: Session):
    session.save_all([User("42"), *(order(n, n) for n in range(4)), Line("42", NOON, 1, 1)])

    recent = session.query(User, Order).where(
        User.user_id == "42", Order.placed >= NOON + timedelta(hours=2)
    )

    assert recent.all() == [order(2, 2), order(3, 3)]
    bounds = "between(sk, 'ORDER#2026-11-23T14:00:00.000000Z', 'PROFILE')"
    assert bounds in recent.explain()
    assert "filter: Order.placed >= " in recent.explain()


def test_several_models_need_a_shared_table_and_a_shared_partition(session: Session):
    @model(Table("other", partition_key="pk"), pk="{x}")
    class Other:
        x: str

    with pytest.raises(QueryError, match="they are not of one table"):
        session.query(User, Other)

    app = Table("app", partition_key="pk", sort_key="sk")

    @model(app, pk="A#{x}", sk="A")
    class A:
        x: str

    @model(app, pk="B#{x}", sk="B")
    class B:
        x: str

    @model(app)
    class Plain:
        pk: str
        sk: str

    with pytest.raises(NoIndex):
        session.query(A, B).where(A.x == "1").all()
    with pytest.raises(QueryError, match="nothing tells items of Plain from others"):
        session.query(A, Plain)
    with pytest.raises(QueryError, match="select\\(\\) is for queries of one model"):
        session.query(A, B).select(A.x)


# --- A discriminator, and subclasses ----------------------------------------------------------------------

ZOO = Table(
    "zoo",
    partition_key="pk",
    sort_key="sk",
    discriminator="type",
    indexes=[GlobalIndex("by-name", partition_key="npk")],
)


@model(ZOO, pk="ZOO#{zoo}", sk="{id}", npk="NAME#{name}")
class Animal:
    zoo: str
    id: str
    name: str = ""


@model(ZOO)
class Cat(Animal):
    lives: int = 9


@model(ZOO, kind="hound")
class Dog(Animal):
    tricks: set[str] = attrs.field(factory=set)


@model(ZOO)
class Keeper:
    pk: str
    sk: str


def zoo(session: Session) -> list[Any]:
    session.tables.create(ZOO)
    things = [Animal("z", "1"), Cat("z", "2"), Dog("z", "3", tricks={"sit"}), Keeper("ZOO#z", "4")]
    session.save_all(things)
    return things


def test_a_base_class_finds_its_subclasses(session: Session):
    animal, cat, dog, keeper = zoo(session)
    in_zoo = Animal.zoo == "z"

    assert session.query(Animal).where(in_zoo).all() == [animal, cat, dog]
    assert session.query(Cat).where(Cat.zoo == "z").all() == [cat]
    assert session.query(Animal).where(in_zoo, Cat.lives == 9).all() == [cat]
    assert session.query(Dog, Keeper).where(Keeper.pk == "ZOO#z").all() == [dog, keeper]
    assert session.query(Animal).where(in_zoo).group_by_type()[Dog] == [dog]
    assert session.get(Animal, ("z", "3")) == dog
    assert list(session.get_many(Animal, [("z", "2"), ("z", "1")], ordered=True)) == [cat, animal]
    assert session.update(Animal, ("z", "2"), set_(Animal.name, "Tom")) == Cat("z", "2", "Tom")
    assert session.query(Cat).where(Cat.name == "Tom").one().lives == 9


def test_an_item_of_another_class_is_not_read_as_this_one(session: Session):
    zoo(session)

    with pytest.raises(MappingError) as caught:
        session.get(Cat, ("z", "3"))

    assert "Cat['type']: expected 'Cat', or the kind of a subclass, found 'hound'" in str(
        caught.value
    )


def test_an_unknown_discriminator_is_named(session: Session):
    zoo(session)
    client: Any = session.client
    item = {"pk": {"S": "ZOO#z"}, "sk": {"S": "9"}, "type": {"S": "Bird"}}
    client.put_item(TableName=session._core.table_name(ZOO), Item=item)

    with pytest.raises(MappingError, match="found type='Bird'"):
        session.query(Animal).where(Animal.zoo == "z").all()


def test_two_models_of_one_kind_are_refused():
    app = Table("app", partition_key="pk", discriminator="type")

    @model(app, pk="A#{x}", kind="k")
    class A:
        x: str

    with pytest.raises(ModelError, match="kind='k' is A's already"):

        @model(app, pk="B#{x}", kind="k")
        class B:
            x: str

    with pytest.raises(ModelError, match="which is the discriminator"):

        @model(app, pk="C#{type}")
        class C:
            type: str


def test_subclasses_need_a_discriminator():
    app = Table("app", partition_key="pk")

    @model(app, pk="A#{x}")
    class A:
        x: str

    with pytest.raises(ModelError, match=r"could be one of A .*discriminator="):

        @model(app)
        class B(A):
            y: str = ""


# --- Sparse indexes, and the choice of one ----------------------------------------------------------------


def test_an_index_of_a_template_is_used_where_it_lacks_nothing(session: Session):
    shipped = order(1, status=Status.SHIPPED)
    session.save_all(
        [shipped, order(2), order(3, 5, status=Status.SHIPPED), order(4, status=Status.OPEN)]
    )

    query = session.query(Order).where(
        Order.status == Status.SHIPPED, Order.placed < NOON + timedelta(hours=1)
    )
    assert query.all() == [shipped]
    assert "index: by-status" in query.explain()
    assert (
        "key condition: (gsi1pk == 'STATUS#shipped') & (gsi1sk < '2026-11-23T13:00:00.000000Z')"
        in query.explain()
    )
    assert "filter: none" in query.explain()

    with pytest.raises(
        NoIndex, match=r"Order.user_id \(the table\) or Order.status \(index 'by-status'\)"
    ):
        session.query(Order).where(Order.total == 3).all()


def test_an_index_that_may_lack_items_has_to_be_pinned(session: Session):
    app = Table(
        "app", partition_key="pk",
        indexes=[GlobalIndex("all", partition_key="apk", sort_key="ask")],
    )  # fmt: skip

    @model(app, pk="T#{id}", apk="ALL", ask="{due}")
    class Task:
        id: str
        due: datetime | None = None

    session.tables.create(app)
    session.save_all([Task("1"), Task("2", NOON)])

    with pytest.raises(SparseIndex, match=r"Task.due may be absent"):
        session.query(Task).all()
    assert session.query(Task).where(exists(Task.due)).all() == [Task("2", NOON)]
    assert session.query(Task).using("all").all() == [Task("2", NOON)]


# --- Keys that follow ----------------------------------------------------------------------------------


def test_an_update_rewrites_the_index_key_in_the_same_request(session: Session):
    session.save(order(1, status=Status.OPEN))
    before = session.stats.total

    session.update(Order, ("42", NOON, 1), set_(Order.status, Status.SHIPPED))

    assert session.stats.total == before + 1
    assert stored(session, order(1))["gsi1pk"] == {"S": "STATUS#shipped"}
    assert session.query(Order).where(Order.status == Status.OPEN).all() == []
    assert session.query(Order).where(Order.status == Status.SHIPPED).count() == 1


@pytest.mark.parametrize(
    "action", [remove(Order.status), set_(Order.status, None), remove(Order.note, Order.status)]
)
def test_a_removed_field_takes_the_item_out_of_the_index(session: Session, action: Any):
    session.save(order(1, status=Status.OPEN))

    session.update(Order, ("42", NOON, 1), action)

    assert "gsi1pk" not in stored(session, order(1))
    assert session.query(Order).where(Order.status == Status.OPEN).all() == []


def test_nested_fields_of_keys_are_followed(session: Session):
    session.save(order(1, ship_to=Address("de", "Bonn")))
    key = ("42", NOON, 1)

    session.update(Order, key, set_(path(Order.ship_to).country, "dk"))
    assert stored(session, order(1))["gsi2pk"] == {"S": "dk"}
    session.update(Order, key, set_(Order.ship_to, Address("fr", "Lyon")))
    assert stored(session, order(1))["gsi2pk"] == {"S": "fr"}
    session.update(Order, key, set_(path(Order.ship_to).city, "Nice"))
    assert stored(session, order(1))["gsi2pk"] == {"S": "fr"}
    session.update(Order, key, remove(Order.ship_to))
    assert "gsi2pk" not in stored(session, order(1))


APP = Table(
    "moves",
    partition_key="pk",
    indexes=[GlobalIndex("by-owner", partition_key="opk", sort_key="osk")],
)


@model(APP, pk="T#{id}", opk="{owner}#{state}", osk="{rank:03d}#{touched}")
class Task:
    id: str
    owner: str
    state: str = "new"
    rank: int = 0
    version: int = field(version=True, default=0)
    touched: datetime | None = field(updated=True, default=None)


def raw(session: Session, id_: str) -> dict[str, Any]:
    client: Any = session.client
    name = session._core.table_name(APP)
    return client.get_item(TableName=name, Key={"pk": {"S": f"T#{id_}"}})["Item"]  # type: ignore[no-any-return]


def test_a_key_with_an_unknown_field_is_stale(session: Session):
    with pytest.raises(StaleKey) as caught:
        session.update(Task, "1", set_(Task.state, "done"))

    assert caught.value.fields == ("owner",)
    assert str(caught.value) == (
        "set_(Task.state, 'done') changes the key opk='{owner}#{state}' of an index, which also "
        "needs Task.owner; set that in the same update, or give the object: update(obj, ...)"
    )


def test_time_stamps_in_keys_are_followed_by_every_write(client: Any, table_prefix: str):
    now = [NOON]
    session = Session(client=client, table_prefix=table_prefix, clock=lambda: now[0])
    session.tables.create(APP)
    task = session.save(Task("1", "ann"))
    assert raw(session, "1")["osk"] == {"S": "000#2026-11-23T12:00:00.000000Z"}

    now[0] += timedelta(hours=1)
    session.update(task, set_(Task.state, "done"))
    assert raw(session, "1")["osk"] == {"S": "000#2026-11-23T13:00:00.000000Z"}
    assert raw(session, "1")["opk"] == {"S": "ann#done"}

    now[0] += timedelta(hours=1)
    task = session.get_one(Task, "1")
    with session.edit(task) as edited:
        edited.owner = "bob"
    assert raw(session, "1")["osk"] == {"S": "000#2026-11-23T14:00:00.000000Z"}
    assert raw(session, "1")["opk"] == {"S": "bob#done"}
    # Every update changes `touched`, so the rank must be known.
    with pytest.raises(StaleKey, match=r"needs Task.rank"):
        session.update(Task, "1", set_(Task.state, "x"), set_(Task.owner, "y"))
    session.close()


def test_what_is_taken_from_the_object_must_still_be_so(session: Session):
    @model(APP, pk="PLAIN#{id}", opk="{owner}#{state}", osk="{id}")
    class Plain:
        id: str
        owner: str
        state: str = "new"

    session.tables.create(APP)
    mine = session.save(Plain("1", "ann"))

    assert session.update(mine, set_(Plain.state, "done")).state == "done"
    assert session.query(Plain).where(Plain.owner == "ann", Plain.state == "done").count() == 1

    session.update(Plain, "1", set_(Plain.owner, "bob"), set_(Plain.state, "new"))
    with pytest.raises(ConditionFailed) as caught:
        session.update(mine, set_(Plain.state, "lost"))
    assert caught.value.item == Plain("1", "bob")


@pytest.mark.parametrize(
    "action",
    [
        add(Task.rank, 1),
        set_(Task.rank, Task.rank + 1),
        set_(Task.rank, if_not_exists(Task.rank, 3)),
    ],
)
def test_arithmetic_on_a_field_of_a_key_is_refused(session: Session, action: Any):
    with pytest.raises(ConditionError, match=r"Task.rank is part of the key osk=.*use edit"):
        session.update(Task("1", "ann"), action)


def test_an_upsert_makes_a_whole_item(session: Session):
    key = ("42", NOON, 1)

    made = session.update(Order, key, set_(Order.status, Status.OPEN), upsert=True)

    assert made == order(1, status=Status.OPEN)
    assert session.query(Order).where(Order.status == Status.OPEN).one() == session.get(Order, key)
    session.update(Line, ("42", NOON, 1, 3), set_(Line.product, "p"), upsert=True)
    assert session.get(Line, ("42", NOON, 1, 3)) == Line("42", NOON, 1, 3, "p")
    zoo(session)
    assert session.update(Cat, ("z", "7"), set_(Cat.name, "Tom"), upsert=True) == Cat(
        "z", "7", "Tom"
    )
    # An item that is there stays of its class.
    assert type(session.update(Animal, ("z", "7"), set_(Animal.name, "T"), upsert=True)) is Cat


def test_an_edit_moves_the_item_within_indexes(session: Session):
    mine = session.save(order(1, status=Status.OPEN, ship_to=Address("de", "Bonn")))

    with session.edit(mine, guard=True) as edited:
        edited.status = None
        edited.ship_to.country = "dk"

    item = stored(session, mine)
    assert "gsi1pk" not in item
    assert item["gsi2pk"] == {"S": "dk"}


def test_a_transaction_follows_too(session: Session):
    session.save(order(1, status=Status.OPEN))

    with session.transaction() as t:
        t.update(Order, ("42", NOON, 1), set_(Order.status, Status.SHIPPED))
        t.insert(order(2))

    assert session.query(Order).where(Order.status == Status.SHIPPED).count() == 1
    with pytest.raises(TransactionFailed), session.transaction() as t:
        t.insert(order(2))


# --- Another primary key ------------------------------------------------------------------------------


def test_updates_of_the_primary_key_are_refused_with_what_to_do(session: Session):
    with pytest.raises(ConditionError, match=r"Order.placed is part of the key sk=.*session.move"):
        session.update(Order, ("42", NOON, 1), set_(Order.placed, NOON))
    mine = session.save(order(1))
    with pytest.raises(ConditionError, match=r"Order.order_id is part of the key.*session.move"):
        with session.edit(mine) as edited:
            edited.order_id = 2


def test_a_move_is_one_transaction(session: Session):
    old = session.save(order(1, status=Status.OPEN))
    new = evolve(old, placed=NOON + timedelta(days=1))

    assert session.move(old, new) == new

    assert session.scan(Order).all() == [new]
    with pytest.raises(NoSuchItem, match="'order_id': 1"):
        session.move(old, evolve(old, order_id=9))
    session.save(order(5))
    with pytest.raises(ItemExists) as caught:
        session.move(new, order(5))
    assert caught.value.item == order(5)
    assert session.scan(Order).count() == 2
    with pytest.raises(ConditionError, match="so nothing moves"):
        session.move(new, new)


def test_a_move_checks_and_raises_the_version(session: Session):
    session.tables.create(APP)
    old = session.save(Task("1", "ann"))
    theirs = session.get_one(Task, "1")
    session.save(theirs)

    with pytest.raises(ConditionFailed):
        session.move(old, evolve(old, id="2"))
    moved = session.move(theirs, evolve(theirs, id="2"))

    assert moved.version == 3
    assert session.scan(Task).all() == [session.get_one(Task, "2")]


# --- Bounds ---------------------------------------------------------------------------------------------


def test_ranges_are_exact_where_the_key_sorts_as_values_do(session: Session):
    session.save_all([order(n, n) for n in range(6)])
    asked = session.query(Order).where(
        Order.user_id == "42",
        between(Order.placed, NOON + timedelta(hours=1), NOON + timedelta(hours=3)),
    )

    assert [o.order_id for o in asked] == [1, 2, 3]
    explained = asked.explain()
    assert "filter: none" in explained
    assert (
        "key condition: (pk == 'USER#42') & (between(sk, 'ORDER#2026-11-23T13:00:00.000000Z', "
        "'ORDER#2026-11-23T15:00:00.000000Z$'))" in explained
    )


def test_an_equality_ends_with_its_delimiter(session: Session):
    session.save_all([order(4), order(42), Line("42", NOON, 4, 1)])
    query = session.query(Line).where(Line.user_id == "42", Line.placed == NOON, Line.order_id == 4)

    assert query.count() == 1
    assert "begins_with(sk, 'ORDER#2026-11-23T12:00:00.000000Z#000004#LINE#')" in query.explain()


def test_dates_are_asked_by_their_beginning(session: Session):
    session.save_all([order(1), order(2, 24 * 30)])
    november = session.query(Order).where(
        Order.user_id == "42", begins_with(Order.placed, "2026-11")
    )  # type: ignore[arg-type]

    assert november.all() == [order(1)]
    assert "(begins_with(sk, 'ORDER#2026-11'))" in november.explain()


def test_values_that_no_key_can_hold_are_refused_without_a_request(session: Session):
    requests = session.stats.total

    with pytest.raises(ImpossibleKey, match=r"User\.user_id: expected text without '#'"):
        session.query(User).where(User.user_id == "4#2").all()
    assert session.stats.total == requests


def test_a_filter_on_what_is_in_keys_only_is_refused(session: Session):
    with pytest.raises(QueryError, match=r"Line.line is stored in keys only"):
        session.query(Line).where(Line.user_id == "42", Line.line == 3).all()
    with pytest.raises(QueryError, match=r"Line.line is stored in keys only"):
        session.scan(Line).where(Line.line == 3).all()
