"""Several models in one table: verbs given a class act on items of that class and its subclasses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from dynattrs import (
    ConditionFailed,
    GlobalIndex,
    ItemExists,
    NoSuchItem,
    OtherKind,
    Session,
    Table,
    TransactionFailed,
    field,
    model,
    not_exists,
    partition_key,
    set_,
)
from dynattrs.events import BeforeSend
from dynattrs.keys.kinds import kinds_of
from dynattrs.schema.model_info import model_info

# --- Tables in which models meet ------------------------------------------------------------------

ZOO = Table("zoo", partition_key="pk", sort_key="sk", discriminator="type")


@model(ZOO, pk="A#{name}", sk="A")
class Animal:
    name: str
    n: int = 0


@model(ZOO)
class Cat(Animal):
    lives: int = 9


@model(ZOO, kind="hound")
class Dog(Animal):
    bark: bool = True


@model(ZOO)
class Kitten(Cat):
    weeks: int = 1


#: Keys that are plain fields.
NOTES = Table("notes", partition_key="name", discriminator="what")


@model(NOTES)
class Note:
    name: str = partition_key()
    n: int = 0


@model(NOTES)
class Task:
    name: str = partition_key()
    note: str = ""


#: Templates of which some texts are in both.
MEETING = Table("meeting", partition_key="pk", discriminator="kind_of")


@model(MEETING, pk="X#{name}")
class Open:
    name: str
    n: int = 0


@model(MEETING, pk="X#{first}#{second}")
class Pair:
    first: str
    second: str


@model(MEETING, pk="{anything:*}")
class Anything:
    anything: str
    note: str = ""


#: With unique fields, versions and time stamps.
CLUB = Table("club", partition_key="name", discriminator="type")


@model(CLUB)
class Member:
    name: str = partition_key()
    email: str | None = field(unique=True, default=None)
    n: int = 0


@model(CLUB)
class Guest:
    name: str = partition_key()
    email: str | None = None
    n: int = 0


@model(CLUB)
class Versioned:
    name: str = partition_key()
    n: int = 0
    version: int = field(version=True, default=0)


@model(CLUB, upgrades=[lambda item: item.setdefault("n", 1) and None])
class Upgraded:
    name: str = partition_key()
    n: int = 0


@attrs.frozen
class Meeting:
    """A model, and an item of another one that lies under a key of it."""

    mine: type[Any]
    other: Any
    kind: str
    key: str = "rex"

    def __str__(self) -> str:
        return f"{self.mine.__name__}-{type(self.other).__name__}"

    @property
    def table(self) -> Table:
        return model_info(self.mine).table

    def own(self, key: str | None = None) -> Any:
        made = self.mine(key or self.key)
        if self.mine is Versioned:
            made.version = 3
        return made


MEETINGS = [
    Meeting(Cat, Dog("rex"), "hound"),
    Meeting(Cat, Animal("rex"), "Animal"),
    Meeting(Kitten, Cat("rex"), "Cat"),
    Meeting(Note, Task("rex", "x"), "Task"),
    Meeting(Open, Anything("X#rex"), "Anything"),
    Meeting(Member, Guest("rex", "a@x"), "Guest"),
    Meeting(Guest, Member("rex", "a@x"), "Member"),
    Meeting(Versioned, Guest("rex"), "Guest"),
    Meeting(Upgraded, Guest("rex"), "Guest"),
]
TABLES = (ZOO, NOTES, MEETING, CLUB)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    session = Session(client=client, table_prefix=table_prefix)
    yield session
    session.close()


def stored(session: Session, table: Table) -> list[Any]:
    """All items of a table, behind the library's back, guards of unique values as well."""
    client: Any = session.client
    name = session._core.table_name(table)
    items = client.scan(TableName=name, ConsistentRead=True)["Items"]
    return sorted(items, key=repr)


# --- Every verb -----------------------------------------------------------------------------------

Verb = Callable[[Session, Meeting], Any]


def transact(act: Callable[[Any, Meeting], Any]) -> Verb:
    def run(session: Session, meeting: Meeting) -> Any:
        with session.transaction() as t:
            act(t, meeting)

    return run


def batch_delete(session: Session, meeting: Meeting) -> None:
    with session.batch() as batch:
        batch.delete(meeting.mine, meeting.key)


def edit(session: Session, meeting: Meeting) -> None:
    obj = meeting.own()
    with session.edit(obj):
        obj.n = 5


def up(meeting: Meeting) -> Any:
    return set_(meeting.mine.n, 7)


MISSING: dict[str, Verb] = {
    "update": lambda s, m: s.update(m.mine, m.key, up(m)),
    "update returns old": lambda s, m: s.update(m.mine, m.key, up(m), returns="old"),
    "update returns changed": lambda s, m: s.update(m.mine, m.key, up(m), returns="changed"),
    "update returns None": lambda s, m: s.update(m.mine, m.key, up(m), returns=None),
    "update when": lambda s, m: s.update(m.mine, m.key, up(m), when=m.mine.n == 0),
    "update when not so": lambda s, m: s.update(m.mine, m.key, up(m), when=m.mine.n == 1),
    "update obj": lambda s, m: s.update(m.own(), up(m)),
    "edit": edit,
    "move": lambda s, m: s.move(m.own(), m.own("tom")),
}
EXISTS: dict[str, Verb] = {
    "insert": lambda s, m: s.insert(m.own()),
    "upsert": lambda s, m: s.update(m.mine, m.key, up(m), upsert=True),
    "upsert when": lambda s, m: s.update(m.mine, m.key, up(m), upsert=True, when=m.mine.n == 0),
}
READS: dict[str, Verb] = {
    "get": lambda s, m: s.get(m.mine, m.key),
    "get consistent": lambda s, m: s.get(m.mine, m.key, consistent=True),
    "get_one": lambda s, m: s.get_one(m.mine, m.key),
    "get_many": lambda s, m: list(s.get_many(m.mine, [m.key])),
    "get_many ordered": lambda s, m: list(s.get_many(m.mine, [m.key], missing="none")),
    "transact_get": lambda s, m: s.transact_get((m.mine, m.key)),
    "refresh": lambda s, m: s.refresh(m.own()),
}
NOTHING: dict[str, tuple[Verb, Any]] = {
    "exists": (lambda s, m: s.exists(m.mine, m.key), False),
    "delete": (lambda s, m: s.delete(m.mine, m.key), None),
    "delete returning": (lambda s, m: s.delete(m.mine, m.key, returning=True), None),
    "delete when there is none": (
        lambda s, m: s.delete(m.mine, m.key, when=not_exists(m.mine.n)), None
    ),
    "delete in a batch": (batch_delete, None),
    "query.delete": (
        lambda s, m: s.query(m.mine).where(next(iter_key(m)) == m.key).delete(), 0
    ),
    "scan.delete": (lambda s, m: s.scan(m.mine).delete(), 0),
    "query": (lambda s, m: s.query(m.mine).where(next(iter_key(m)) == m.key).all(), []),
    "check that there is none": (
        transact(lambda t, m: t.check(m.mine, m.key, not_exists(m.mine.name))), None
    ),
}  # fmt: skip
FAILING: dict[str, Verb] = {
    "t.check": transact(lambda t, m: t.check(m.mine, m.key, m.mine.n == 0)),
    "t.check anything": transact(lambda t, m: t.check(m.mine, m.key, m.mine.name == "rex")),
    "t.check what is absent": transact(lambda t, m: t.check(m.mine, m.key, m.mine.n != 9)),
    "t.update": transact(lambda t, m: t.update(m.mine, m.key, up(m))),
    "t.upsert": transact(lambda t, m: t.update(m.mine, m.key, up(m), upsert=True)),
    "t.delete": transact(lambda t, m: t.delete(m.mine, m.key)),
    "t.insert": transact(lambda t, m: t.insert(m.own())),
    "t.move": transact(lambda t, m: t.move(m.own(), m.own("tom"))),
}


def iter_key(meeting: Meeting) -> Iterator[Any]:
    yield meeting.mine.name


@pytest.fixture(params=MEETINGS, ids=str)
def meeting(request: pytest.FixtureRequest, session: Session) -> Meeting:
    found: Meeting = request.param
    session.tables.create(found.table)
    session.save(found.other)
    return found


def test_no_verb_touches_an_item_of_another_kind(session: Session, meeting: Meeting):
    before = stored(session, meeting.table)
    own = meeting.mine.__name__

    for name, verb in READS.items():
        with pytest.raises(OtherKind) as read:
            verb(session, meeting)
        assert read.value.kind == meeting.kind, name
        assert read.value.item in before, name
        assert own in str(read.value), name
    for name, verb in MISSING.items():
        with pytest.raises(NoSuchItem):
            verb(session, meeting)
        assert stored(session, meeting.table) == before, name
    for name, verb in EXISTS.items():
        with pytest.raises(ItemExists) as there:
            verb(session, meeting)
        assert stored(session, meeting.table) == before, name
        assert there.value.kind == meeting.kind, name
        assert there.value.item == meeting.other, name
        assert repr(meeting.kind) in str(there.value), name
    for name, (does_nothing, result) in NOTHING.items():
        assert does_nothing(session, meeting) == result, name
        assert stored(session, meeting.table) == before, name
    for name, verb in FAILING.items():
        with pytest.raises(TransactionFailed) as failed:
            verb(session, meeting)
        assert stored(session, meeting.table) == before, name
        [reason] = filter(None, failed.value.reasons)
        assert reason.kind == meeting.kind, name
        assert reason.item == (meeting.other if name == "t.insert" else None), name
    with pytest.raises(ConditionFailed) as false:
        session.delete(meeting.mine, meeting.key, when=meeting.mine.n == 0)
    assert false.value.item is None
    assert stored(session, meeting.table) == before
    session.save(meeting.mine("tom"))
    with pytest.raises(ItemExists) as there:
        session.move(session.get_one(meeting.mine, "tom"), meeting.own())
    assert there.value.kind == meeting.kind
    tom = session.get_one(meeting.mine, "tom")
    with pytest.raises(TransactionFailed) as failed, session.transaction() as t:
        t.move(tom, meeting.own())
    [reason] = filter(None, failed.value.reasons)
    assert reason.kind == meeting.kind
    assert reason.item == meeting.other


def test_deletes_of_objects_leave_other_kinds_alone(session: Session, meeting: Meeting):
    before = stored(session, meeting.table)

    if meeting.mine is Versioned:  # as where there is no item of that version
        with pytest.raises(ConditionFailed) as caught:
            session.delete(meeting.own())
        assert caught.value.item is None
        session.delete(Versioned("rex"))
    else:
        session.delete(meeting.own())
        with session.batch() as batch:
            batch.delete(meeting.own())

    assert stored(session, meeting.table) == before


def _in_transaction(session: Any, obj: Any) -> None:
    with session.transaction() as t:
        t.save(obj)


def _in_batch(session: Any, obj: Any) -> None:
    with session.batch() as batch:
        batch.save(obj)


@pytest.mark.parametrize(
    "save",
    [
        lambda s, obj: s.save(obj),
        lambda s, obj: s.save_all([obj]),
        _in_transaction,
        _in_batch,
    ],
    ids=["save", "save_all", "t.save", "batch.save"],
)
def test_saves_replace_whatever_lies_under_the_key(
    session: Session, meeting: Meeting, save: Callable[[Any, Any], None]
):
    save(session, meeting.mine(meeting.key))

    assert type(session.get_one(meeting.mine, meeting.key)) is meeting.mine


def test_a_class_acts_on_its_subclasses(session: Session):
    session.tables.create(ZOO)
    for number, act in enumerate(
        (
            lambda name: session.update(Animal, name, set_(Animal.n, 1)),
            lambda name: session.delete(Animal, name),
            lambda name: session.delete(Animal(name), returning=True),
            lambda name: session.move(Animal(name), Animal(f"{name}-moved")),
            lambda name: session.query(Animal).where(Animal.name == name).delete(),
        )
    ):
        name = f"tom{number}"
        session.save(Kitten(name))
        assert session.exists(Animal, name)
        assert session.exists(Cat, name)
        assert isinstance(session.get(Cat, name), Kitten)

        act(name)

        found = session.get(Animal, name)
        assert found is None or found == Kitten(name, 1)
    # An object of the class itself has no place for what a subclass has.
    session.save(Kitten("tim"))
    with pytest.raises(OtherKind, match="Kitten"):
        session.refresh(Cat("tim"))


def test_old_items_without_a_kind_stay_reachable(session: Session):
    session.tables.create(ZOO)
    client: Any = session.client
    key = {"pk": {"S": "A#old"}, "sk": {"S": "A"}}

    def old() -> None:
        item = {**key, "name": {"S": "old"}}
        client.put_item(TableName=session._core.table_name(ZOO), Item=item)

    old()
    assert session.get(Cat, "old") == Cat("old")
    assert session.exists(Cat, "old")
    assert session.update(Cat, "old", set_(Cat.lives, 3)).lives == 3
    cat = Cat("old", lives=3)
    with session.edit(cat):
        cat.lives = 4
    with session.transaction() as t:
        t.check(Cat, "old", Cat.lives == 4)
    assert session.delete(Cat, "old", returning=True) == Cat("old", lives=4)
    for batch in (True, False):
        old()
        if batch:
            with session.batch() as gathering:
                gathering.delete(Dog, "old")
        else:
            session.query(Dog).where(Dog.name == "old").delete()
        assert stored(session, ZOO) == []


# --- What it costs --------------------------------------------------------------------------------

APART = Table(
    "apart",
    partition_key="pk",
    discriminator="type",
    indexes=[GlobalIndex("by-town", partition_key="town")],
)


@model(APART, pk="USER#{name}")
class User:
    name: str
    town: str = "here"


@model(APART, pk="ORDER#{name}")
class Order:
    name: str
    town: str = "here"


def test_deletes_of_models_whose_keys_never_meet_stay_in_batches(session: Session):
    session.tables.create(APART, ZOO)
    session.save_all([*(User(str(n)) for n in range(30)), *(Order(str(n)) for n in range(30))])
    session.save_all([*(Cat(str(n)) for n in range(30)), *(Dog(f"d{n}") for n in range(10))])

    sent: list[str] = []
    session.on("before_send", lambda event: sent.append(event.operation))

    def requests() -> tuple[int, int]:
        return sent.count("BatchWriteItem"), sent.count("DeleteItem")

    batches, alone = requests()
    with session.batch() as batch:
        for number in range(30):
            batch.delete(User, str(number))
    assert session.query(Order).using("by-town").where(Order.town == "here").delete() == 30
    assert requests() == (batches + 4, alone)
    assert stored(session, APART) == []

    batches, alone = requests()
    with session.batch() as batch:
        for number in range(20):
            batch.delete(Cat, str(number))
            batch.delete(Cat, f"d{number}")
    assert requests() == (batches, alone + 40)
    assert len(stored(session, ZOO)) == 20
    assert session.scan(Animal).delete() == 20
    # Every model of the table was asked for, so nothing else can lie there.
    assert requests() == (batches + 1, alone + 40)


def test_in_a_batch_a_delete_keeps_its_place_among_writes_to_its_key(session: Session):
    session.tables.create(ZOO)
    with session.batch() as batch:
        for number in range(40):
            name = str(number)
            batch.save(Cat(name))
            batch.delete(Cat, name)
            if number % 2:
                batch.save(Dog(name))
            if number % 4 == 1:
                batch.delete(Cat, name)

    assert session.scan(Animal).count() == 20


def test_what_is_known_of_a_table_is_found_out_again_with_another_model():
    table = Table("late", partition_key="pk", discriminator="type")

    @model(table, pk="ONE#{name}")
    class One:
        name: str

    @model(table, pk="TWO#{name}")
    class Two:
        name: str

    first = kinds_of(model_info(One))
    assert first is not None
    assert not first.guarded
    assert first is kinds_of(model_info(One))

    @model(table, pk="{anything:*}")
    class Late:
        anything: str

    again = kinds_of(model_info(One))
    assert again is not None
    assert again.guarded

    @model(table, pk="TWO#{name}#SUB")
    class Sub(Two):
        pass

    found = kinds_of(model_info(Two))
    assert found is not None
    assert found.own == ("Two", "Sub")


def test_a_table_of_one_model_has_no_guard_if_templates_make_its_keys():
    table = Table("single", partition_key="pk", discriminator="type")

    @model(table, pk="ONE#{name}")
    class One:
        name: str

    found = kinds_of(model_info(One))
    assert found is not None
    assert not found.guarded

    plain = Table("single-plain", partition_key="name", discriminator="type")

    @model(plain)
    class Lonely:
        name: str = partition_key()

    found = kinds_of(model_info(Lonely))
    assert found is not None
    assert found.guarded  # other programs may have other models there


def test_guarded_deletes_are_sent_several_at_once(session: Session):
    session.tables.create(ZOO)
    cats = [Cat(str(number)) for number in range(30)]
    session.save_all(cats)
    under_way, most = 0, 0
    lock = threading.Lock()

    def count(event: Any) -> None:
        nonlocal under_way, most
        with lock:
            if event.operation == "DeleteItem":
                under_way += 1 if isinstance(event, BeforeSend) else -1
                most = max(most, under_way)

    session.on("before_send", count)
    session.on("after_send", count)
    with session.batch() as batch:
        for cat in cats:
            batch.delete(cat)
    assert stored(session, ZOO) == []
    assert most > 1
    most = 0
    session.save_all(cats)
    assert session.query(Cat).where(Cat.name == "1").delete() == 1
    assert session.scan(Cat).delete() == 29
    assert most > 1
