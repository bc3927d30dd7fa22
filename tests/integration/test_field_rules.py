"""A field's converter and validator hold in every verb that is told one of its values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import attrs
import pytest

from dynattrs import (
    AlreadyTaken,
    ConditionError,
    GlobalIndex,
    Json,
    MappingError,
    NoSuchItem,
    Session,
    Table,
    add,
    begins_with,
    between,
    contains,
    field,
    if_not_exists,
    in_,
    is_none,
    list_append,
    model,
    not_,
    not_none,
    partition_key,
    path,
    set_,
    sort_key,
)


def bounded(obj: Any, attribute: Any, value: int) -> None:
    if not 0 <= value <= 10:
        raise ValueError(f"{attribute.name} is from 0 to 10")


def above_low(obj: Any, attribute: Any, value: int) -> None:
    if value < obj.low:
        raise ValueError("high is below low")


@attrs.define
class Address:
    town: str = attrs.field(default="", converter=str.title)
    floor: int = attrs.field(default=0, validator=bounded)


@model("users", indexes=[GlobalIndex("by-city", partition_key="city", sort_key="score")])
class User:
    mail: str = partition_key(converter=str.lower)
    kind: str = sort_key(converter=str.upper)
    nick: str | None = field(
        unique=True, default=None, converter=attrs.converters.optional(str.lower)
    )
    city: str = field(default="nowhere", converter=str.lower)
    score: int = field(default=0, converter=int, validator=bounded)
    tags: list[str] = field(factory=list, converter=list)
    words: set[str] = field(factory=set, converter=set)
    low: int = 0
    high: int = field(default=10, validator=[bounded, above_low])
    address: Address = attrs.field(factory=Address)


@model("pages")
class Page:
    id: str = partition_key(converter=str.lower)
    title: str = ""
    slug: str = field(
        default="", converter=attrs.Converter(lambda v, page: v or page.title, takes_self=True)
    )


TABLE = Table("app", partition_key="pk", sort_key="sk")


@model(TABLE, pk="P#{owner}", sk="{address.town}#{name}")
class Parcel:
    owner: str = field(converter=str.lower)
    address: Address
    name: str = field(key_only=True, converter=str.strip)
    note: str = ""


KEY = ("ann@x", "A")
OTHERWISE = ("Ann@X", "a")


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(User, Page, Parcel)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    with Session(client=client, table_prefix=table_prefix) as session:
        yield session


@pytest.fixture
def ann(session: Session) -> User:
    return session.save(User(*KEY, nick="ann", city="ulm", score=3))


def stored(session: Session) -> dict[str, Any]:
    [item] = session.scan(User).where(User.mail == KEY[0]).raw()
    return item


# --- Keys and conditions ------------------------------------------------------------------------


def keys_of(query: Any) -> list[dict[str, Any]]:
    return list(query.keys())


def checked(session: Session, condition: Any) -> bool:
    with session.transaction() as t:
        t.check(User, OTHERWISE, condition)
        t.save(Page("x"))
    return session.exists(Page, "X")


def deleted(session: Session, **options: Any) -> bool:
    session.delete(User, OTHERWISE, **options)
    return session.get(User, KEY, consistent=True) is None


def in_batch(session: Session) -> bool:
    with session.batch() as batch:
        batch.delete(User, OTHERWISE)
    return session.get(User, KEY, consistent=True) is None


def in_transaction(session: Session) -> bool:
    with session.transaction() as t:
        t.delete(User, OTHERWISE)
    return session.get(User, KEY, consistent=True) is None


def updated(session: Session) -> bool:
    with session.transaction() as t:
        t.update(User, OTHERWISE, set_(User.score, 4))
    return session.get_one(User, KEY).score == 4


FINDS: dict[str, Callable[[Session], Any]] = {
    "get": lambda s: s.get(User, OTHERWISE),
    "get consistent": lambda s: s.get(User, OTHERWISE, consistent=True),
    "get dict": lambda s: s.get(User, {"mail": "ANN@x", "kind": "a"}),
    "get_one": lambda s: s.get_one(User, OTHERWISE),
    "get_many": lambda s: list(s.get_many(User, [OTHERWISE])),
    "get_many twice": lambda s: len(list(s.get_many(User, [OTHERWISE, KEY]))) == 1,
    "transact_get": lambda s: s.transact_get((User, OTHERWISE))[0],
    "exists": lambda s: s.exists(User, OTHERWISE),
    "update": lambda s: s.update(User, OTHERWISE, add(User.score, 1)),
    "update when": lambda s: s.update(User, OTHERWISE, add(User.score, 1), when=User.city == "ULM"),
    "t.update": updated,
    "delete": deleted,
    "delete when": lambda s: deleted(s, when=User.city == "Ulm"),
    "batch delete": in_batch,
    "t.delete": in_transaction,
    "t.check": lambda s: checked(s, User.city == "ULM"),
    "query ==": lambda s: s.query(User).where(User.mail == "Ann@X").all(),
    "scan in_": lambda s: s.scan(User).where(in_(User.mail, ["Ann@X", "z"])).all(),
    "query sort ==": lambda s: s.query(User).where(User.mail == "ann@x", User.kind == "a").all(),
    "query sort between": lambda s: s.query(User).where(
        User.mail == "ANN@X", between(User.kind, "a", "b")
    ).all(),
    "query sort <": lambda s: s.query(User).where(User.mail == "ANN@X", User.kind < "b").all(),
    "scan |": lambda s: s.scan(User).where((User.mail == "ANN@X") | (User.mail == "z")).all(),
    "index": lambda s: s.query(User).where(User.city == "ULM").all(),
    "index range": lambda s: s.query(User).where(User.city == "ULM", User.score >= 2.0).all(),  # type: ignore[operator,unused-ignore]
    "filter": lambda s: s.scan(User).where(User.nick == "ANN").all(),
    "filter >=": lambda s: s.scan(User).where(User.nick >= "ANN").all(),  # type: ignore[operator]
    "count": lambda s: s.query(User).where(User.mail == "Ann@X").count(),
    "keys": lambda s: [s.get(User, key) for key in keys_of(s.query(User).where(User.mail == "Ann@X"))],
    "save when": lambda s: s.save(User(*OTHERWISE), when=User.nick == "ANN"),
    "query delete": lambda s: s.query(User).where(User.mail == "Ann@X").delete(),
}  # fmt: skip


@pytest.mark.parametrize("find", FINDS.values(), ids=FINDS)
def test_what_was_saved_is_found_however_the_value_is_written(
    session: Session, ann: User, find: Callable[[Session], Any]
):
    assert find(session)


def test_none_is_what_is_absent(session: Session, ann: User):
    session.save(User("bob@x", "b"))

    assert [u.mail for u in session.scan(User).where(User.nick == None)] == ["bob@x"]  # noqa: E711
    assert len(session.scan(User).where(in_(User.nick, ["ANN", None])).all()) == 2
    assert [u.mail for u in session.scan(User).where(User.nick != "ANN")] == ["bob@x"]


def test_fragments_are_taken_as_they_are(session: Session, ann: User):
    """A set of the letters of "live" is not what is asked for, and half a text has no normal form."""
    session.update(ann, add(User.words, {"live"}), set_(User.tags, ["loud"]))

    assert session.scan(User).where(contains(User.words, "live")).all()
    assert session.scan(User).where(contains(User.tags, "loud")).all()
    assert session.scan(User).where(contains(User.nick, "n")).all()
    assert not session.scan(User).where(contains(User.nick, "N")).all()
    assert session.query(User).where(User.mail == "Ann@X", begins_with(User.kind, "A")).all()
    assert not session.query(User).where(User.mail == "Ann@X", begins_with(User.kind, "a")).all()


@pytest.mark.parametrize(
    "key",
    [
        ("Ann", Address("ulm"), " box "),
        {"owner": "ANN", "address.town": "uLM", "name": "box "},
    ],
)
def test_fields_in_templates_are_converted(session: Session, key: Any):
    parcel = session.save(Parcel("Ann", Address("ulm"), " box"))
    if isinstance(key, tuple):
        key = (key[0], key[1].town, key[2])

    assert session.get(Parcel, key) == parcel
    assert session.update(Parcel, key, set_(Parcel.note, "n")).note == "n"
    in_ulm = session.query(Parcel).where(Parcel.owner == "ANN", path(Parcel.address).town == "ulm")
    assert in_ulm.one() == in_ulm.where(Parcel.name == "box ").one()
    assert in_ulm.one().name == "box"
    session.delete(Parcel, key)
    assert not session.exists(Parcel, key)


def test_an_object_is_not_converted_once_more(session: Session):
    """A converter that is not idempotent, as a prefix: what an object has is what is stored."""

    @model("pages")
    class Marked:
        id: str = partition_key(converter=lambda text: f"+{text}")
        title: str = ""

    obj = session.save(Marked("a"))

    assert obj.id == "+a"
    assert session.exists(Marked, "a")
    session.update(obj, set_(Marked.title, "t"))
    assert session.scan(Marked).raw().one() == {"id": {"S": "+a"}, "title": {"S": "t"}}
    for key in keys_of(session.scan(Marked)):
        assert session.exists(Marked, key)
    read = session.get_one(Marked, "a")
    session.delete(read)
    assert session.scan(Marked).all() == []


# --- What is stored -----------------------------------------------------------------------------


def t_update(session: Session, *actions: Any) -> None:
    with session.transaction() as t:
        t.update(User, OTHERWISE, *actions)


def t_update_object(session: Session, *actions: Any) -> None:
    with session.transaction() as t:
        t.update(session.get_one(User, KEY), *actions)


def batch_update(session: Session, *actions: Any) -> None:
    with session.batch() as batch:
        batch.update(User, OTHERWISE, *actions)


UPDATES: dict[str, Callable[..., Any]] = {
    "update": lambda s, *actions: s.update(User, OTHERWISE, *actions),
    "update object": lambda s, *actions: s.update(s.get_one(User, KEY), *actions),
    "update when": lambda s, *actions: s.update(User, OTHERWISE, *actions, when=User.high == 10),
    "upsert": lambda s, *actions: s.update(User, OTHERWISE, *actions, upsert=True),
    "batch.update": batch_update,
    "t.update": t_update,
    "t.update object": t_update_object,
}


@pytest.mark.parametrize("update", UPDATES.values(), ids=UPDATES)
def test_what_is_set_is_converted(session: Session, ann: User, update: Callable[..., Any]):
    update(session, set_(User.nick, "ANNA"), set_(User.score, 7.0))  # type: ignore[arg-type]

    found = stored(session)
    assert (found["nick"], found["score"]) == ({"S": "anna"}, {"N": "7"})
    update(session, set_(path(User.address).town, "ulm"), set_(User.city, "BONN"))
    assert stored(session)["address"]["M"]["town"] == {"S": "Ulm"}
    assert session.query(User).where(User.city == "Bonn").one().address == Address("Ulm")


@pytest.mark.parametrize("update", UPDATES.values(), ids=UPDATES)
def test_what_is_set_where_nothing_is_is_converted(
    session: Session, ann: User, update: Callable[..., Any]
):
    session.client.update_item(
        TableName=f"{session._core.table_prefix}users",
        Key={"mail": {"S": KEY[0]}, "kind": {"S": KEY[1]}},
        UpdateExpression="REMOVE city",
    )

    update(session, set_(User.city, if_not_exists(User.city, "BONN")))

    assert stored(session)["city"] == {"S": "bonn"}


@pytest.mark.parametrize("update", UPDATES.values(), ids=UPDATES)
def test_unique_values_are_those_that_are_stored(
    session: Session, ann: User, update: Callable[..., Any]
):
    session.save(User("bob@x", "b", nick="bob"))

    with pytest.raises(Exception, match="unique, and nick='bob' is taken") as caught:
        update(session, set_(User.nick, "BOB"))
    assert isinstance(caught.value, AlreadyTaken)


REFUSED: dict[str, Callable[[], Any]] = {
    "set_": lambda: set_(User.score, 99),
    "set_ converted": lambda: set_(User.score, "99"),  # type: ignore[arg-type]
    "if_not_exists": lambda: set_(User.score, if_not_exists(User.score, 11)),
    "nested": lambda: set_(path(User.address).floor, -1),
    "one of several": lambda: set_(User.high, 11),
}


@pytest.mark.parametrize("action", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("update", UPDATES.values(), ids=UPDATES)
def test_what_a_validator_refuses_is_not_sent(
    session: Session, ann: User, update: Callable[..., Any], action: Callable[[], Any]
):
    before = stored(session)
    writes = dict(session.stats.requests)

    with pytest.raises(MappingError, match=r"validator accepts, found int .*is from 0 to 10") as e:
        update(session, action(), set_(User.low, 1))

    assert e.value.path in ("User.score", "User.address.floor", "User.high")
    assert isinstance(e.value.__cause__, ValueError)
    assert stored(session) == before
    sent = {n for n, count in session.stats.requests.items() if count != writes.get(n, 0)}
    assert sent <= {"GetItem", "Scan"}


def test_computed_values_and_conditions_are_not_validated(session: Session, ann: User):
    assert session.update(User, KEY, add(User.score, 4)).score == 7
    session.update(
        User, KEY, set_(User.score, User.score + 1), set_(User.tags, list_append(User.tags, ["x"]))
    )
    assert session.scan(User).where(User.score < 99).count() == 1
    assert session.scan(User).where(in_(User.score, [8, -5])).count() == 1


def test_a_validator_that_reads_its_object_gets_it_as_it_will_be(session: Session, ann: User):
    session.update(User, KEY, set_(User.low, 5))
    mine = session.get_one(User, KEY)

    with pytest.raises(MappingError, match="high is below low"):
        session.update(mine, set_(User.high, 4))
    assert session.update(mine, set_(User.high, 4), set_(User.low, 2)).high == 4
    assert (mine.low, mine.high) == (5, 10)
    with pytest.raises(MappingError, match="high is below low"):
        session.update(mine, set_(User.high, 6), set_(User.low, 7))


def test_a_validator_that_reads_its_object_is_skipped_without_one(session: Session, ann: User):
    session.update(User, KEY, set_(User.low, 3))

    # The list's other validator has seen it.
    assert session.update(User, KEY, set_(User.high, 3), returns="changed") == {"User.high": 3}
    with pytest.raises(MappingError, match="from 0 to 10"):
        session.update(User, KEY, set_(User.high, -1))


def test_a_converter_that_reads_its_object_needs_one(session: Session):
    page = session.save(Page("A", "Title"))
    assert page.slug == "Title"

    with pytest.raises(ConditionError, match=r"Page.slug takes the object .*give the object"):
        session.update(Page, "a", set_(Page.slug, ""))
    assert session.update(page, set_(Page.slug, "")).slug == "Title"
    # No object can be known of in a condition: the value is compared as it is written.
    assert session.scan(Page).where(Page.slug == "Title").all()


def test_a_value_that_a_converter_refuses_names_the_field(session: Session):
    with pytest.raises(
        MappingError, match=r"User\.mail: expected .*found int 5; its converter raised"
    ):
        session.get(User, (5, "A"))
    with pytest.raises(ConditionError, match=r"User.mail goes with .*found int 5; its converter"):
        _ = User.mail == 5
    with pytest.raises(
        ConditionError, match=r"User.score goes with .*found str 'x'; its converter"
    ):
        set_(User.score, "x")  # type: ignore[arg-type]
    with pytest.raises(NoSuchItem, match="'ann@x'"):
        session.update(User, OTHERWISE, set_(User.low, 1))


# --- None that is stored as text ------------------------------------------------------------------


@model("jsons")
class Jsons:
    id: str = partition_key()
    n: int
    data: Annotated[dict[str, int] | None, Json]


def test_none_as_json_is_none(session: Session):
    """A field without a default stores None as any other value, and finds it."""
    session.tables.create(Jsons)
    session.save_all([Jsons("none", 1, None), Jsons("some", 2, {"a": 1})])

    def ids(condition: Any) -> list[str]:
        return sorted(each.id for each in session.scan(Jsons).where(condition))

    nothing: Any = Jsons.data == None  # noqa: E711
    something: Any = Jsons.data != None  # noqa: E711
    for condition in (nothing, is_none(Jsons.data), in_(Jsons.data, [None]), not_(something)):
        assert ids(condition) == ["none"]
        assert ids((Jsons.n < 9) & condition) == ["none"]
    for condition in (something, not_none(Jsons.data), not_(nothing)):
        assert ids(condition) == ["some"]
    assert ids(in_(Jsons.data, [None, {"a": 1}])) == ["none", "some"]
    assert session.update(Jsons, "some", set_(Jsons.data, None)).data is None
    assert ids(nothing) == ["none", "some"]


# --- Values that became others without their validators -------------------------------------------


def without_bad(obj: Any, attribute: Any, value: Any) -> None:
    if "bad" in value:
        raise ValueError("it is bad")


@attrs.define
class Words:
    all: list[str]

    def __contains__(self, word: str) -> bool:
        return word in self.all


@attrs.define
class Room:
    tags: list[str] = attrs.field(factory=list, validator=without_bad)


@attrs.define
class House:
    rooms: dict[str, Room]
    inner: House | None = None


def in_place(name: str, *, version: bool = False, **options: Any) -> Any:
    class InPlace:
        id: str = partition_key()
        words: list[str] = field(factory=list, validator=without_bad)
        tags: set[str] = field(factory=set, validator=without_bad)
        counts: dict[str, int] = field(factory=dict, validator=without_bad)
        json: Annotated[list[str], Json] = field(factory=list, validator=without_bad)
        inner: Words = field(factory=lambda: Words([]), validator=without_bad)
        some: list[str] | None = field(
            default=None, validator=attrs.validators.optional(without_bad)
        )
        room: Room | None = None
        houses: list[House] = field(factory=list)
        note: str = field(default="", validator=without_bad)
        number: int = 0
        count: int = field(default=0, version=version)

    return model(f"in_place_{name}", **options)(InPlace)


PLACES: dict[str, Any] = {
    "plain": in_place("plain"),
    "versioned": in_place("versioned", version=True),
    "unique": in_place("unique", unique=["note"]),
    "unassigned": in_place("unassigned", on_setattr=attrs.setters.NO_OP),
}

#: How an object is made wrong, past the validators.
CHANGES: dict[str, Callable[[Any], Any]] = {
    "words": lambda obj: obj.words.append("bad"),
    "tags": lambda obj: obj.tags.add("bad"),
    "counts": lambda obj: obj.counts.update(bad=1),
    "json": lambda obj: obj.json.append("bad"),
    "inner": lambda obj: obj.inner.all.append("bad"),
    "some": lambda obj: obj.some.append("bad"),
    "room.tags": lambda obj: obj.room.tags.append("bad"),
    "houses[1].inner.rooms['a'].tags": lambda obj: (
        obj.houses[1].inner.rooms["a"].tags.append("bad")
    ),
}


def filled(cls: Any) -> Any:
    houses = [House({}), House({}, House({"a": Room()}))]
    return cls("1", some=[], room=Room(), houses=houses)


def in_a_batch(session: Any, obj: Any) -> None:
    with session.batch() as batch:
        batch.save(obj)


def in_a_transaction(session: Any, obj: Any) -> None:
    with session.transaction() as t:
        t.save(obj)


def moved(session: Any, obj: Any) -> None:
    session.move(type(obj)("other"), obj)


SAVES: dict[str, Callable[[Any, Any], Any]] = {
    "save": lambda session, obj: session.save(obj),
    "save when": lambda session, obj: session.save(obj, when=type(obj).number == 0),
    "save_all": lambda session, obj: session.save_all([obj]),
    "batch": in_a_batch,
    "transaction": in_a_transaction,
    "insert": lambda session, obj: session.insert(obj),
    "move": moved,
}


@pytest.fixture
def places(client: Any, table_prefix: str) -> Iterator[Any]:
    session = Session(client=client, table_prefix=table_prefix)
    session.tables.create(*PLACES.values())
    yield session
    session.close()


@pytest.mark.parametrize("cls", PLACES.values(), ids=PLACES)
def test_a_value_that_was_changed_in_place_is_validated_before_it_is_stored(
    places: Any, cls: Any
) -> None:
    for change, spoil in CHANGES.items():
        for save in SAVES.values():
            obj = filled(cls)
            spoil(obj)
            with pytest.raises(
                MappingError, match=rf"InPlace\.{re.escape(change)}: .*it is bad"
            ) as caught:
                save(places, obj)
            assert caught.value.obj is obj
        stored = places.save(filled(cls))
        for guard in (False, True):
            with pytest.raises(MappingError, match=rf"InPlace\.{re.escape(change)}: .*it is bad"):
                with places.edit(stored, guard=guard):
                    spoil(stored)
        assert places.get(cls, "1").words == []
        places.delete(stored if cls is not PLACES["versioned"] else places.get(cls, "1"))
    assert places.scan(cls).all() == []


def test_an_assignment_that_no_class_validates_is_validated_when_it_is_stored(places: Any) -> None:
    obj = PLACES["unassigned"]("1")
    obj.note = "bad"
    for save in SAVES.values():
        with pytest.raises(MappingError, match=r"InPlace\.note: .*it is bad"):
            save(places, obj)


def test_an_edit_validates_what_it_changes(places: Any) -> None:
    """Another field may be wrong: it is not this edit's, and is not written."""
    cls = PLACES["plain"]
    obj = places.save(cls("1"))
    obj.words.append("bad")
    with places.edit(obj):
        obj.number = 3
    with attrs.validators.disabled():
        places.save(obj)
    assert places.client.scan(TableName=places.tables.describe(cls)["TableName"])["Items"][0][
        "words"
    ] == {"L": [{"S": "bad"}]}
