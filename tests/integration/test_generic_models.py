"""Verbs that are given a generic model with its arguments, `Box[UUID]`, give values of these types.

Objects do not know their arguments, so the class that the caller names is all that says how an item is
read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar
from uuid import UUID

import attrs
import pytest

from dynattrs import (
    AlreadyTaken,
    ConditionFailed,
    GlobalIndex,
    Session,
    Table,
    field,
    mapper,
    model,
    partition_key,
    path,
    set_,
)
from dynattrs.streams import Consumer, Unreadable, changes

V = TypeVar("V")
ONE, TWO = UUID(int=1), UUID(int=2)

BOXES = Table("boxes", partition_key="id", stream="new and old")
MIXED = Table(
    "mixed", partition_key="pk", sort_key="sk", stream="new and old",
    indexes=[GlobalIndex("by-kind", partition_key="kindpk", sort_key="sk")],
)  # fmt: skip


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    session = Session(client=client, table_prefix=table_prefix)
    yield session
    session.close()


@model(BOXES)
class Box(Generic[V]):
    id: str = partition_key()
    value: V
    others: dict[str, V] = attrs.field(factory=dict)
    size: int = 0


@model(MIXED, pk="P#{owner}", sk="CRATE#{id}", kindpk="K#{kind}")
class Crate(Generic[V]):
    owner: str
    id: str
    kind: str = "k"
    value: V | None = None
    code: str | None = field(unique=True, default=None)


@model(MIXED, pk="P#{owner}", sk="LABEL#{id}", kindpk="K#{kind}")
class Label:
    owner: str
    id: str
    kind: str = "k"


def test_what_verbs_give_is_of_the_arguments(session: Session) -> None:
    session.tables.create(BOXES)
    full = Box[UUID]
    value = path(full).value
    box = session.save(Box("a", ONE, {"x": ONE}))

    assert session.update(full, "a", set_(path(full).size, 1)) == attrs.evolve(box, size=1)
    old = session.update(full, "a", set_(value, TWO), returns="old")
    assert old == attrs.evolve(box, size=1)
    with pytest.raises(ConditionFailed) as caught:
        session.update(full, "a", set_(value, ONE), when=path(full).size == 99)
    found = Box("a", TWO, {"x": ONE}, 1)
    assert caught.value.item == found
    with pytest.raises(ConditionFailed) as caught:
        session.delete(full, "a", when=value == ONE)
    assert caught.value.item == found
    made = session.update(full, "b", set_(value, ONE), upsert=True)
    assert made == Box("b", ONE)
    assert session.delete(full, "b", returning=True) == made
    assert session.delete(full, "a", returning=True) == found


def test_selected_fields_are_of_the_arguments(session: Session) -> None:
    session.tables.create(BOXES)
    full = Box[UUID]
    session.save(Box("a", ONE, {"x": TWO}))
    wanted = (path(full).value, path(full).others, path(full).others["x"])
    values = (ONE, {"x": TWO}, TWO)

    assert session.get(full, "a", select=wanted) == values
    assert session.scan(full).select(*wanted).one() == values
    assert session.get_many(full, ["a"], select=wanted).all() == [values]
    assert session.transact_get((full, "a"), select=wanted) == (values,)


def test_several_models_are_read_each_with_its_arguments(session: Session) -> None:
    session.tables.create(MIXED)
    full: Any = Crate[UUID]
    crate, label = Crate("ann", "1", value=ONE, code="c"), Label("ann", "2")
    session.save_all([crate, label])

    by_key = session.query(full, Label).where(Label.owner == "ann")
    assert by_key.all() == [crate, label]
    assert session.query(full, Label).where(Label.kind == "k").hydrate().all() == [crate, label]
    assert session.scan(Label, full).parallel(2).filter(path(full).value == ONE).all() == [crate]
    assert by_key.group_by_type()[full] == [crate]
    assert by_key.group_by_type().one(full) == crate

    # With a unique field the request is a transaction.
    session.save(Crate("bob", "1", code="d"))
    moved = session.update(full, ("ann", "1"), set_(path(full).code, "e"))
    assert moved == attrs.evolve(crate, code="e")
    with pytest.raises(AlreadyTaken):
        session.update(full, ("ann", "1"), set_(path(full).code, "d"))
    assert session.delete(full, ("ann", "1"), returning=True) == moved


def test_changes_are_read_with_the_arguments(session: Session) -> None:
    session.tables.create(BOXES, MIXED)
    full: Any = Box[UUID]
    session.save(Box("a", ONE, {"x": ONE}))
    session.update(full, "a", set_(path(full).value, TWO))
    session.save(Box("a", "no UUID"))
    session.save(Crate("ann", "1", value=ONE))
    session.save(Label("ann", "2"))

    made, changed, wrong = session.changes(full, start="horizon", follow=False)
    assert made.new == Box("a", ONE, {"x": ONE})
    assert (changed.old, changed.new) == (made.new, Box("a", TWO, {"x": ONE}))
    assert changed.changed(path(full).value)
    assert not changed.changed(path(full).others)
    assert isinstance(wrong, Unreadable)
    # What was made for one argument is not what another asks for.
    records = [changed.record]
    assert next(changes(records, full, table=BOXES)).new == changed.new
    assert next(changes(records, Box[str], table=BOXES)).new.value == str(TWO)

    crates = session.changes(Crate[UUID], Label, start="horizon", follow=False)
    assert [each.new for each in crates] == [Crate("ann", "1", value=ONE), Label("ann", "2")]


@pytest.mark.threads_only
def test_a_consumer_reads_with_the_arguments(session: Session) -> None:
    session.tables.create(BOXES)
    session.save(Box("a", ONE))
    found: list[Any] = []

    def handle(change: Any) -> None:
        found.append(change.new)
        consumer.stop()

    consumer = Consumer(session, Box[UUID], name="boxes", handler=handle, start="horizon")
    consumer.run(signals=False)

    assert found == [Box("a", ONE)]


@pytest.mark.parametrize(("argument", "value"), [(str, "5"), (UUID, ONE), (int, 5)], ids=repr)
def test_frames_are_of_the_arguments(session: Session, argument: Any, value: Any) -> None:
    pytest.importorskip("pandas")
    session.tables.create(BOXES)
    full: Any = Box[argument]
    box = session.save(Box("a", value, {"x": value}))
    frame = session.scan(full).pandas()
    session.delete(box)

    assert session.save_frame(full, frame) == 1
    assert session.get(full, "a") == box
    narrow = session.scan(full).select(path(full).id, path(full).value).pandas()
    assert session.save_frame(full, narrow) == 1
    assert session.get(full, "a") == Box("a", value)


# --- Subclasses --------------------------------------------------------------------------------------

KINDS = Table("kinds", partition_key="pk", discriminator="type", stream="new and old")
KEYED = Table("keyed", partition_key="pk", stream="new and old")
W = TypeVar("W")


@model(KINDS, pk="K#{id}")
class Kept(Generic[V]):
    id: str
    value: V
    others: dict[str, V] = attrs.field(factory=dict)


@model(KINDS)
class Counted(Kept[V]):
    size: int = field(version=True, default=0)


@model(KINDS)
class Pairs(Kept[V], Generic[W, V]):  # its arguments are in another order
    second: W | None = None


@model(KINDS)
class Ids(Kept[UUID]):
    pass


@model(KEYED, pk="BASE#{id}")
class ByKey(Generic[V]):
    id: str
    value: V


@model(KEYED, pk="SUB#{id}")
class SubByKey(ByKey[list[V]]):
    extra: V | None = None


def test_items_of_subclasses_are_of_the_arguments_of_the_base(session: Session) -> None:
    session.tables.create(KINDS)
    full: Any = Kept[UUID]
    things: list[Any] = [
        Kept("a", ONE, {"x": TWO}), Counted("b", ONE, {"x": TWO}), Pairs("c", ONE, {"x": TWO}), Ids("d", ONE)
    ]  # fmt: skip
    session.save_all(things)
    counted = things[1] = session.get(Counted[UUID], "b")

    assert [session.get(full, each.id) for each in things] == things
    assert [session.get_one(full, each.id, consistent=True) for each in things] == things
    assert session.get_many(full, ["a", "b", "c", "d"], ordered=True).all() == things
    assert [*session.transact_get(*((full, each.id) for each in things))] == things
    assert [session.query(full).where(path(full).id == each.id).one() for each in things] == things
    assert sorted(session.scan(full), key=lambda each: str(each.id)) == things
    name = session._core.table_name(KINDS)
    rows = session.execute(f'SELECT * FROM "{name}"', model=full).all()
    assert sorted(rows, key=lambda each: each.id) == things
    assert all(type(each.value) is UUID for each in things)

    done = session.update(full, "c", set_(path(full).others["y"], ONE))
    assert done == attrs.evolve(things[2], others={"x": TWO, "y": ONE})
    done = session.update(full, "b", set_(path(full).others["y"], ONE))
    assert done == attrs.evolve(counted, others={"x": TWO, "y": ONE}, size=2)
    with pytest.raises(ConditionFailed) as caught:
        session.update(full, "b", set_(path(full).value, TWO), when=path(full).value == TWO)
    assert caught.value.item == done
    with pytest.raises(ConditionFailed) as caught:
        session.delete(full, "b", when=path(full).value == TWO)
    assert caught.value.item == done
    assert session.delete(full, "b", returning=True) == done
    # What nothing is said of stays open.
    assert type(session.get(Kept, "a").value) is str


def test_changes_of_subclasses_are_of_the_arguments_of_the_base(session: Session) -> None:
    session.tables.create(KINDS)
    things = [Kept("a", ONE), Counted("b", ONE), Pairs("c", ONE), Ids("d", ONE)]
    session.save_all(things)

    found = [each.new for each in session.changes(Kept[UUID], start="horizon", follow=False)]

    assert [each.value for each in found] == [ONE] * 4
    assert {type(each) for each in found} == {Kept, Counted, Pairs, Ids}


def test_arguments_go_into_those_of_a_subclass_that_keys_tell(session: Session) -> None:
    session.tables.create(KEYED)
    session.save_all([ByKey("a", [ONE]), SubByKey("b", [ONE], TWO)])
    full: Any = ByKey[list[UUID]]

    found = sorted(session.scan(full), key=lambda each: str(each.id))

    assert found == [ByKey("a", [ONE]), SubByKey("b", [ONE], TWO)]
    items = sorted(session.scan(full).raw(), key=lambda each: str(each["pk"]))
    assert [mapper.load(each, full) for each in items] == found
    assert [mapper.load(each, full | Other) for each in items] == found
    text = mapper.to_dynamodb_json(found[1])
    assert mapper.from_dynamodb_json(text, full) == found[1]
    changes_found = [
        each.new for each in session.changes(full, Other, start="horizon", follow=False)
    ]
    assert sorted(changes_found, key=lambda each: str(each.id)) == found


@model(KEYED, pk="OTHER#{id}")
class Other:
    id: str
