"""After any program of verbs an index answers as a scan does, or is not taken by itself."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import attrs
from hypothesis import event, given
from hypothesis import strategies as st

from dynattrs import (
    AmbiguousIndex,
    ConditionFailed,
    GlobalIndex,
    InvalidRequest,
    ItemExists,
    NoSuchItem,
    Session,
    SparseIndex,
    StaleKey,
    Table,
    TransactionFailed,
    begins_with,
    mapper,
    model,
    path,
    remove,
    set_,
)
from engine_store import Store, stores_of

APP = Table(
    "indexed",
    partition_key="pk",
    sort_key="sk",
    indexes=[
        GlobalIndex("by-g1", partition_key="g1pk", sort_key="g1sk"),
        GlobalIndex("by-g2", partition_key="g2pk", write_shards=2),
        GlobalIndex("by-g3", partition_key="g3pk", sort_key="rank"),
    ],
    types={"rank": "N"},
)


@attrs.define
class Place:
    city: str = "Oslo"
    street: str = ""


@model(
    APP, pk="O#{id}", sk="O", g1pk="S#{status}", g1sk="D#{day}#{place.city}",
    g2pk="W#{owner}#{status}", g3pk="R#{status}",
)  # fmt: skip
class Order:
    id: str
    status: str = "new"
    day: str | None = None
    owner: str | None = None
    place: Place = attrs.field(factory=Place)
    rank: int | None = None
    note: str = ""


store, embedded_store = stores_of(APP)


def clear(store: Store) -> None:
    for item in store.client.scan(TableName=store.table, ConsistentRead=True)["Items"]:
        key = {name: item[name] for name in ("pk", "sk")}
        store.client.delete_item(TableName=store.table, Key=key)


# --- Programs -----------------------------------------------------------------------------------

OFTEN = ("read", "edit", "edit", "guard", "update", "by_key")
KINDS = ("save", "insert", "delete", "move", "in_transaction", "read", "update", *OFTEN)
IDS = st.sampled_from(["1", "2"])
HANDS = st.integers(0, 1)
STATUS = st.sampled_from(["new", "open"])
DAYS = st.sampled_from([None, "d1", "d2"])
OWNERS = st.sampled_from([None, "ann", "bob"])
CITIES = st.sampled_from(["Oslo", "Rome"])
RANKS = st.sampled_from([None, 1, 2])
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "status": STATUS, "day": DAYS, "owner": OWNERS, "rank": RANKS,
    "note": st.sampled_from(["", "n"]), "city": CITIES,
}  # fmt: skip
orders = st.builds(Order, IDS, STATUS, DAYS, OWNERS, st.builds(Place, CITIES), RANKS)
changes = st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=3, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: VALUES[name] for name in names})
)

#: What a program holds of each item, in either hand.
Hands = dict[tuple[int, str], Order]
Step = Callable[[Session, Hands], Any]


def actions(values: dict[str, Any]) -> list[Any]:
    fields = {name: getattr(Order, name) for name in values if name != "city"}
    found: list[Any] = [
        set_(fields[name], value) if value is not None else remove(fields[name])
        for name, value in values.items()
        if name != "city"
    ]
    if "city" in values:
        found.append(set_(path(Order.place).city, values["city"]))
    return found


@st.composite
def steps(draw: st.DrawFn) -> Step:
    kind = draw(st.sampled_from(KINDS))
    order, hand, values = draw(orders), draw(HANDS), draw(changes)
    place = (hand, order.id)

    def edit(session: Session, held: Order) -> None:
        with session.edit(held, guard=kind == "guard"):
            for name, value in values.items():
                setattr(held.place if name == "city" else held, name, value)

    def step(session: Session, hands: Hands) -> None:
        held = hands.get(place)
        if kind == "save":
            session.save(order)
        elif kind == "insert":
            session.insert(order)
        elif kind == "read":
            found = session.get(Order, order.id, consistent=True)
            if found is not None:
                hands[place] = found
        elif kind == "delete":
            session.delete(Order, order.id)
        elif kind == "by_key":
            session.update(Order, order.id, *actions(values))
        elif held is None:
            pass
        elif kind in ("edit", "guard"):
            edit(session, held)
        elif kind == "update":
            session.update(held, *actions(values))
        elif kind == "in_transaction":
            with session.transaction() as t:
                t.update(held, *actions(values))
        elif kind == "move":
            session.move(held, attrs.evolve(order, id="3" if order.id == "1" else "1"))

    step.__name__ = f"{kind} {order} {hand} {values}"
    return step


def older(order: Order, half: bool) -> dict[str, Any]:
    """An order as it was stored before it had keys of indexes, or with others of some of them."""
    item: dict[str, Any] = {
        "pk": {"S": f"O#{order.id}"}, "sk": {"S": "O"}, "id": {"S": order.id},
        "status": {"S": order.status},
    }  # fmt: skip
    for name in ("day", "owner"):
        if getattr(order, name) is not None:
            item[name] = {"S": getattr(order, name)}
    if order.rank is not None:
        item["rank"] = {"N": str(order.rank)}
    if order.place.city == "Rome":
        item["place"] = {"M": {"city": {"S": "Rome"}}}
    if half:
        item["g1pk"] = {"S": f"STATUS {order.status}"}
        item["g1sk"] = item["g2pk"] = {"S": "other"}
    return item


# --- The law ------------------------------------------------------------------------------------

QUESTIONS = [
    *((Order.status == status,) for status in ("new", "open")),
    *((Order.status == status, Order.day >= "d1") for status in ("new", "open")),  # type: ignore[operator]
    *((Order.status == status, Order.rank >= 1) for status in ("new", "open")),  # type: ignore[operator]
    (Order.status == "open", Order.day == "d2", begins_with(path(Order.place).city, "R")),
    (Order.status == "open", Order.owner == "bob"),
    (Order.status == "new", Order.owner == "ann"),
]


def check(store: Store, old: list[tuple[Order, bool]], program: list[Step]) -> None:
    session, hands = store.session, {}
    clear(store)
    for order, half in old:
        store.put(older(order, half))
    for step in program:
        try:
            step(session, hands)
        except InvalidRequest as error:  # an update inside of a map that an old item lacks
            if "document path" not in str(error):
                raise
        except (ConditionFailed, NoSuchItem, StaleKey, ItemExists, TransactionFailed):
            pass
    if old:
        check_half(store)
        session.migrate(Order)

    for where in QUESTIONS:
        scanned = session.scan(Order).where(*where).consistent().all()
        try:
            found = session.query(Order).where(*where).all()
        except (AmbiguousIndex, SparseIndex):
            event("refused")
            continue
        event(f"{len(found)} found")
        assert sorted(found, key=str) == sorted(scanned, key=str), where


def check_half(store: Store) -> None:
    """The keys of an index are all as declared, or all as they were."""
    for item in store.client.scan(TableName=store.table, ConsistentRead=True)["Items"]:
        declared = {
            name: value for name, value in written(store, item).items() if name in ("g1pk", "g1sk")
        }
        as_declared = [item.get(name) == value for name, value in declared.items() if value]
        assert all(as_declared) or not any(as_declared), item


def written(store: Store, item: dict[str, Any]) -> dict[str, Any]:
    order = store.session.get_one(Order, item["id"]["S"], consistent=True)
    day = None if order.day is None else {"S": f"D#{order.day}#{order.place.city}"}
    return {"g1pk": {"S": f"S#{order.status}"}, "g1sk": day}


cases = given(
    st.just([]) | st.lists(st.tuples(orders, st.booleans()), max_size=2),
    st.lists(steps(), max_size=8),
)


@cases
def test_an_index_answers_as_a_scan(
    store: Store, old: list[tuple[Order, bool]], program: list[Step]
):
    check(store, old, program)


@cases
def test_an_index_of_the_embedded_engine_answers_as_a_scan(
    embedded_store: Store, old: list[tuple[Order, bool]], program: list[Step]
):
    check(embedded_store, old, program)


#: What another program writes into an item: a field alone, which leaves the keys as they were.
foreign = st.fixed_dictionaries({}, optional={
    name: VALUES[name].map(lambda text: text and {"S": text}) for name in ("status", "day", "owner")
})  # fmt: skip


def check_foreign(store: Store, items: list[tuple[Order, dict[str, Any]]], number: int) -> None:
    session = store.session
    clear(store)
    for order, changed in items:
        item = {**mapper.dump(order), **changed}
        stored = {name: value for name, value in item.items() if value is not None}
        store.put(stored)
    for where in QUESTIONS:
        scanned = session.scan(Order).where(*where).consistent().all()
        with contextlib.suppress(AmbiguousIndex, SparseIndex):
            query = session.query(Order).where(*where)
            found = query.all()
            event(f"{len(found)} of {len(scanned)} found")
            assert all(each in scanned for each in found), where
            assert query.count() == len(list(query.keys())) == len(found), where

    where = QUESTIONS[number % len(QUESTIONS)]
    before = session.scan(Order).consistent().all()
    scanned = session.scan(Order).where(*where).consistent().all()
    with contextlib.suppress(AmbiguousIndex, SparseIndex):
        session.query(Order).where(*where).delete()
        after = session.scan(Order).consistent().all()
        assert all(each in scanned for each in before if each not in after), where


foreign_cases = given(
    st.lists(st.tuples(orders, foreign), max_size=2, unique_by=lambda pair: pair[0].id),
    st.integers(0, 20),
)


@foreign_cases
def test_what_an_index_finds_and_deletes_satisfies_the_condition_whatever_its_keys_say(
    store: Store, items: list[tuple[Order, dict[str, Any]]], number: int
):
    """Another program has written fields, and no keys."""
    check_foreign(store, items, number)


@foreign_cases
def test_what_an_index_of_the_embedded_engine_finds_satisfies_the_condition(
    embedded_store: Store, items: list[tuple[Order, dict[str, Any]]], number: int
):
    check_foreign(embedded_store, items, number)
