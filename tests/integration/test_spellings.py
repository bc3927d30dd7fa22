"""Names in maps, and members of sets, that another program spells otherwise: every verb finds them."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from datetime import date, datetime, timezone
from typing import Any
from uuid import UUID, uuid4

import attrs
import pytest

from dynattrs import (
    ConditionError,
    ConditionFailed,
    NoSuchItem,
    Session,
    TransactionError,
    TransactionFailed,
    add,
    attribute_type,
    delete,
    field,
    if_not_exists,
    list_append,
    model,
    partition_key,
    remove,
    set_,
)

DAY, NEW = date(2026, 1, 1), date(2026, 1, 5)
ID, OTHER = UUID("abcdef00-0000-0000-0000-00000000000b"), UUID(int=1)
NOON = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)


@attrs.define
class Slot:
    n: int = 0
    marks: list[int] = attrs.field(factory=list)
    seen: set[datetime] = attrs.field(factory=set)


def lower(given: dict[str, int]) -> dict[str, int]:
    return {name.lower(): value for name, value in given.items()}


@model("spelled")
class Shelf:
    id: str = partition_key()
    days: dict[date, int] = attrs.field(factory=dict)
    slots: dict[UUID, Slot] = attrs.field(factory=dict)
    ids: set[UUID] = attrs.field(factory=set)
    words: set[str] = attrs.field(factory=set)
    notes: set[str] | None = None
    count: int | None = attrs.field(default=None)
    lowered: dict[str, int] = attrs.field(factory=dict, converter=lower)
    code: str | None = field(unique=True, default=None)


ITEM: dict[str, Any] = {
    "id": {"S": "s"},
    "days": {"M": {"20260101": {"N": "1"}, "2026-01-02": {"N": "2"}}},
    "slots": {
        "M": {str(ID).upper(): {"M": {"n": {"N": "1"}, "marks": {"L": []}, "x": {"S": "u"}}}}
    },
    "ids": {"SS": [str(ID).upper(), str(OTHER)]},
    "lowered": {"M": {"AB": {"N": "1"}}},
}


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Shelf)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    with Session(client=client, table_prefix=table_prefix) as session:
        yield session


@pytest.fixture
def put(client: Any, table_prefix: str) -> Callable[..., None]:
    """Stores an item as another program does."""
    return lambda **more: client.put_item(
        TableName=f"{table_prefix}spelled",
        Item={name: value for name, value in {**ITEM, **more}.items() if value is not None},
    )


@pytest.fixture
def raw(client: Any, table_prefix: str) -> Callable[[], dict[str, Any]]:
    def read() -> dict[str, Any]:
        table = f"{table_prefix}spelled"
        found: dict[str, Any] = client.get_item(
            TableName=table, Key={"id": {"S": "s"}}, ConsistentRead=True
        )["Item"]
        return found

    return read


def read(session: Session) -> Shelf:
    return session.get_one(Shelf, "s", consistent=True)


# --- Edits --------------------------------------------------------------------------------------


def raise_day(shelf: Shelf) -> None:
    shelf.days[DAY] = 9


def drop_day(shelf: Shelf) -> None:
    del shelf.days[DAY]


def new_day(shelf: Shelf) -> None:
    shelf.days[NEW] = 9


def change_slot(shelf: Shelf) -> None:
    shelf.slots[ID].n = 9


def mark_slot(shelf: Shelf) -> None:
    shelf.slots[ID].marks.append(9)


def see(shelf: Shelf) -> None:
    shelf.slots[ID].seen.add(NOON)


def drop_id(shelf: Shelf) -> None:
    shelf.ids.remove(ID)


def swap_id(shelf: Shelf) -> None:
    shelf.ids ^= {ID, UUID(int=2)}


def drop_ids(shelf: Shelf) -> None:
    shelf.ids.clear()


def raise_lowered(shelf: Shelf) -> None:
    shelf.lowered["ab"] = 9


def new_lowered(shelf: Shelf) -> None:
    shelf.lowered["cd"] = 9


def take_code(shelf: Shelf) -> None:
    shelf.code = "c"
    drop_day(shelf)
    drop_id(shelf)


CHANGES = [
    raise_day, drop_day, new_day, change_slot, mark_slot, see, drop_id, swap_id, drop_ids,
    raise_lowered, new_lowered, take_code,
]  # fmt: skip


@pytest.mark.parametrize("guard", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(each, marks=[] if each in (raise_day, drop_id, see) else pytest.mark.full)
        for each in CHANGES
    ],
)
def test_an_edit_finds_what_another_program_has_spelled(
    session: Session,
    put: Callable[..., None],
    raw: Callable[[], dict[str, Any]],
    change: Callable[[Shelf], None],
    guard: bool,
):
    put()
    shelf = read(session)

    with session.edit(shelf, guard=guard):
        change(shelf)

    assert read(session) == shelf
    stored = raw()
    kept = {name for name in ("20260101",) if DAY in shelf.days}
    assert kept <= stored["days"]["M"].keys()
    assert stored["slots"]["M"][str(ID).upper()]["M"]["x"] == {"S": "u"}
    assert len(stored.get("ids", {"SS": []})["SS"]) == len(shelf.ids)


@pytest.mark.parametrize("guard", [False, True])
def test_a_member_that_others_have_put_in_meanwhile_stays(
    session: Session, put: Callable[..., None], raw: Callable[[], dict[str, Any]], guard: bool
):
    """Also one that is in a map, or in a list, of an optional set, and where members come and go."""
    put(notes={"SS": ["a"]}, words={"SS": ["a"]})
    shelf = read(session)
    slot = {**ITEM["slots"]["M"][str(ID).upper()]["M"], "seen": {"SS": ["2026-01-01T00:00:00Z"]}}
    put(
        notes={"SS": ["a", "z"]},
        words={"SS": ["a", "z"]},
        ids={"SS": [str(ID).upper(), str(OTHER), str(UUID(int=7))]},
        slots={"M": {str(ID).upper(): {"M": slot}}},
    )
    theirs = raw()

    def change() -> None:
        with session.edit(shelf, guard=guard):
            shelf.notes ^= {"a", "b"}
            shelf.words ^= {"a", "b"}
            swap_id(shelf)
            see(shelf)

    if guard:
        with pytest.raises(ConditionFailed):
            change()
        assert raw() == theirs
        return
    change()
    found = read(session)
    assert found.notes == found.words == {"b", "z"}
    assert found.ids == {OTHER, UUID(int=2), UUID(int=7)}
    assert found.slots[ID].seen == {NOON, datetime(2026, 1, 1, tzinfo=timezone.utc)}


def test_a_key_that_others_have_put_in_meanwhile_is_not_put_in_again(
    session: Session, put: Callable[..., None], raw: Callable[[], dict[str, Any]]
):
    """Also where another key is gone, so that there are as many as before."""
    put(days={"M": {"2026-01-02": {"N": "2"}}})
    shelf = read(session)
    put(days={"M": {"20260105": {"N": "3"}}})

    with session.edit(shelf):
        new_day(shelf)

    assert raw()["days"] == {"M": {"20260105": {"N": "9"}}}


@pytest.mark.parametrize("guard", [False, True])
def test_a_large_map_is_asked_for_as_a_whole(
    session: Session, put: Callable[..., None], raw: Callable[[], dict[str, Any]], guard: bool
):
    days = {f"2026{month:02}{day:02}": {"N": "1"} for month in range(1, 13) for day in range(1, 29)}
    put(days={"M": days})
    for some in (1, 120 if guard else 200):
        shelf = read(session)
        with session.edit(shelf, guard=guard):
            for each in list(shelf.days)[:some]:
                shelf.days[each] += 1
            shelf.days[date(2027, 1, some % 28 + 1)] = 0
        assert read(session) == shelf
    session.update(Shelf, "s", set_(Shelf.days[date(2028, 1, 1)], 4))
    assert read(session).days[date(2028, 1, 1)] == 4
    assert days.keys() <= raw()["days"]["M"].keys()


def test_what_is_spelled_as_usual_takes_one_request(session: Session):
    shelf = session.save(
        Shelf("s", days={DAY: 1}, slots={ID: Slot()}, ids={ID, OTHER}, notes={"a"})
    )
    before = session.stats.total
    for change in (raise_day, drop_day, new_day, change_slot, see, drop_id):
        with session.edit(shelf):
            change(shelf)
    with session.edit(shelf):
        shelf.notes = set()
    session.update(shelf, set_(Shelf.days[NEW], 2), delete(Shelf.ids, {OTHER}))
    session.update(Shelf, "s", set_(Shelf.days[NEW], 3), add(Shelf.ids, {OTHER}))
    assert session.stats.total - before == 9


# --- Updates ------------------------------------------------------------------------------------

MARKS = Shelf.slots[ID].marks
ACTIONS: dict[str, tuple[Any, Callable[[Shelf], object]]] = {
    "set": (set_(Shelf.days[DAY], 9), raise_day),
    "set-new": (set_(Shelf.days[NEW], 9), new_day),
    "remove": (remove(Shelf.days[DAY]), drop_day),
    "computed": (set_(Shelf.days[DAY], Shelf.days[DAY] + 8), raise_day),
    "default": (set_(Shelf.days[DAY], if_not_exists(Shelf.days[DAY], 0) + 8), raise_day),
    "default-new": (set_(Shelf.days[NEW], if_not_exists(Shelf.days[NEW], 5) + 4), new_day),
    "copied": (set_(Shelf.days[NEW], Shelf.days[DAY]), lambda s: s.days.update({NEW: 1})),
    "field": (set_(Shelf.slots[ID].n, 9), change_slot),
    "append": (set_(MARKS, list_append(MARKS, [9])), mark_slot),
    "delete": (delete(Shelf.ids, {ID}), drop_id),
    "delete-absent": (delete(Shelf.ids, {UUID(int=9)}), lambda s: None),
}


#: Of those that need something stored no item is made.
UPSERTS = {"set", "set-new", "remove", "default", "default-new", "delete", "delete-absent"}
CASES = [
    pytest.param(action, how, marks=[] if action in ("set", "delete") else pytest.mark.full)
    for action in ACTIONS
    for how in ("key", "object", "transaction", "unique", "upsert")
    if how != "upsert" or action in UPSERTS
]


@pytest.mark.parametrize(("action", "how"), CASES)
def test_an_update_finds_what_another_program_has_spelled(
    session: Session,
    put: Callable[..., None],
    raw: Callable[[], dict[str, Any]],
    action: str,
    how: str,
):
    put()
    expected = read(session)
    act, change = ACTIONS[action]
    change(expected)

    if how == "transaction":
        with session.transaction() as t:
            t.update(Shelf, "s", act)
    elif how == "unique":
        expected.code = "c"
        session.update(Shelf, "s", act, set_(Shelf.code, "c"))
    elif how == "upsert":
        session.update(Shelf, "s", act, upsert=True)
    else:
        subject: Any = (read(session),) if how == "object" else (Shelf, "s")
        assert session.update(*subject, act) == expected

    assert read(session) == expected
    assert ("20260101" in raw()["days"]["M"]) is (DAY in expected.days)


def test_what_changed_is_told_by_its_usual_name(session: Session, put: Callable[..., None]):
    put()
    changed = session.update(Shelf, "s", set_(Shelf.days[DAY], 9), returns="changed")
    assert list(changed.values()) == [9]
    old = session.update(Shelf, "s", delete(Shelf.ids, {ID}), returns="old")
    assert ID in old.ids


def test_an_update_under_a_false_condition_changes_nothing(
    session: Session, put: Callable[..., None], raw: Callable[[], dict[str, Any]]
):
    put()
    before = raw()
    for action in (set_(Shelf.days[DAY], 9), remove(Shelf.days[NEW]), delete(Shelf.ids, {ID})):
        with pytest.raises(ConditionFailed, match=r"Shelf\.id == 't'|Shelf.count"):
            session.update(Shelf, "s", action, when=Shelf.count == 7)
        with pytest.raises(NoSuchItem):
            session.update(Shelf, "none", action)
    assert raw() == before


@pytest.mark.parametrize("stored", [{"L": []}, {"NULL": True}, {"L": [{"S": "x"}]}, None])
@pytest.mark.parametrize(
    "how",
    ["key", *(pytest.param(each, marks=pytest.mark.full) for each in ("object", "transaction"))],
)
def test_members_are_put_into_a_set_that_is_stored_as_none(
    session: Session, put: Callable[..., None], stored: Any, how: str
):
    def update(*actions: Any) -> None:
        subject: Any = (read(session),) if how == "object" else (Shelf, "s")
        if how == "transaction":
            with session.transaction() as t:
                t.update(*subject, *actions)
        else:
            session.update(*subject, *actions)

    there = {"x"} if stored and stored.get("L") else set()
    words = None if stored == {"NULL": True} else stored
    put(notes=stored, words=words)
    update(add(Shelf.notes, {"a"}), add(Shelf.words, {"a"}))
    assert read(session).notes == read(session).words == {"a", *there}

    put(notes=stored, words=words)
    update(delete(Shelf.notes, {"x"}), delete(Shelf.words, {"x"}))
    none = stored is None or "NULL" in stored
    found = read(session)
    assert (found.words, found.notes) == (set(), None if none else set())

    put(notes=stored, words=words)
    shelf = read(session)
    with session.edit(shelf):
        shelf.notes = {"a"} | (shelf.notes or set())
        shelf.words.add("a")
    assert read(session) == shelf


def test_members_that_others_put_in_meanwhile_are_not_in_the_way(session: Session):
    shelf = session.save(Shelf("s", ids={ID}))
    before = session.stats.total
    for number in range(2, 22):
        session.update(shelf, add(Shelf.ids, {UUID(int=number)}))
    assert session.stats.total - before == 20
    assert len(read(session).ids) == 21


@pytest.mark.parametrize("notes", [None, set(), {"x"}], ids=["none", "empty", "some"])
def test_an_upsert_of_an_object_puts_members_into_its_set(session: Session, notes: set[str] | None):
    for _ in range(2):  # it makes the item, and changes it
        made = session.update(Shelf("s", notes=notes), add(Shelf.notes, {"a"}), upsert=True)
        assert made.notes == {"a", *(notes or ())}


ASKED: dict[str, Callable[[Session, Any], object]] = {
    "update": lambda s, when: s.update(Shelf, "s", set_(Shelf.count, 1), when=when),
    "update of an object": lambda s, when: s.update(read(s), set_(Shelf.count, 1), when=when),
    "update of guards": lambda s, when: s.update(Shelf, "s", set_(Shelf.code, "c"), when=when),
    "save": lambda s, when: s.save(read(s), when=when),
    "delete": lambda s, when: s.delete(Shelf, "s", when=when),
}


@pytest.mark.parametrize("name", ASKED)
def test_a_condition_that_is_false_says_of_a_key_in_another_spelling(
    session: Session, put: Callable[..., None], name: str
):
    slot = {"M": {"n": {"N": "1"}, "marks": {"L": []}}}
    put(slots={"M": {str(ID).upper(): slot}})
    for when, stored in (
        (Shelf.days[DAY] == 1, "20260101"),
        ((Shelf.id == "s") & (Shelf.slots[ID].n == 1), str(ID).upper()),
    ):
        with pytest.raises(ConditionFailed) as failed:
            ASKED[name](session, when)
        assert f"under the name {stored!r}, and conditions look for the usual" in failed.value.hint
        assert failed.value.hint in str(failed.value)
        again = pickle.loads(pickle.dumps(failed.value))
        assert str(again) == str(failed.value)
    with pytest.raises(ConditionFailed) as failed:
        ASKED[name](session, Shelf.days[date(2026, 1, 2)] == 7)
    assert failed.value.hint == ""
    # The ways out that it names.
    session.update(Shelf, "s", set_(Shelf.count, 2), when=Shelf.days["20260101"] == 1)
    session.save(read(session))
    ASKED[name](session, Shelf.days[DAY] == 1)


TAKEN: dict[str, Callable[[Any, Shelf, Any], object]] = {
    "check": lambda t, shelf, when: t.check(Shelf, "s", when),
    "update": lambda t, shelf, when: t.update(Shelf, "s", set_(Shelf.count, 1), when=when),
    "update of guards": lambda t, shelf, when: t.update(
        Shelf, "s", set_(Shelf.code, "c"), when=when
    ),
    "save": lambda t, shelf, when: t.save(shelf, when=when),
    "delete": lambda t, shelf, when: t.delete(Shelf, "s", when=when),
}


@pytest.mark.parametrize("name", TAKEN)
def test_a_transaction_says_of_a_key_in_another_spelling(
    session: Session, put: Callable[..., None], name: str
):
    put(slots=None)
    shelf = read(session)
    with pytest.raises(TransactionFailed) as failed, session.transaction() as t:
        TAKEN[name](t, shelf, Shelf.days[DAY] == 1)
    [reason] = failed.value.reasons
    assert reason is not None
    assert "under the name '20260101', and conditions look for the usual" in reason.hint
    assert reason.hint in str(failed.value)
    with pytest.raises(TransactionFailed) as failed, session.transaction() as t:
        TAKEN[name](t, shelf, Shelf.days[date(2026, 1, 2)] == 7)
    assert [each and each.hint for each in failed.value.reasons] == [""]


def test_a_value_of_another_type_is_named(session: Session, put: Callable[..., None]):
    put(count={"NULL": True}, notes={"S": "text"})
    with pytest.raises(ConditionError, match=r"Shelf\.count is stored as NULL; .*set_\("):
        session.update(Shelf, "s", add(Shelf.count, 1))
    with pytest.raises(ConditionError, match=r"Shelf\.notes is stored as S 'text'; a set"):
        session.update(Shelf, "s", add(Shelf.notes, {"a"}))
    where = r"there: give it one first, with set_\(Shelf\.notes, .*item of Shelf with the key \{'id': 's'\}"
    for action in (add(Shelf.notes, {"a"}), delete(Shelf.notes, {"a"})):
        for token in (None, f"one {action}"):
            with pytest.raises(ConditionError, match=where), session.transaction(token=token) as t:
                t.update(Shelf, "s", action)
        for token in (None, f"two {action}"):
            with pytest.raises(TransactionFailed) as failed, session.transaction(token=token) as t:
                t.check(Shelf, "other", Shelf.count == 7)
                t.update(Shelf, "s", action)
            assert all(each and each.code for each in failed.value.reasons)
    put(count={"N": "1"})
    assert session.update(Shelf, "s", add(Shelf.count, 1)).count == 2
    put()
    assert session.update(Shelf, "s", add(Shelf.count, 1)).count == 1


@pytest.mark.parametrize("unique", [False, True], ids=["one request", "transaction of guards"])
def test_a_condition_is_told_before_a_value_of_another_type(
    session: Session, put: Callable[..., None], raw: Callable[..., dict[str, Any]], unique: bool
):
    put(notes={"S": "text"}, lowered={"M": {"a": {"N": "1"}}})
    before = raw()
    actions = [add(Shelf.notes, {"a"}), *([set_(Shelf.code, "c")] if unique else [])]
    with pytest.raises(ConditionFailed, match=r"attribute_type.*was false for Shelf") as failed:
        session.update(Shelf, "s", *actions, when=attribute_type(Shelf.notes, "SS"))
    assert failed.value.item["notes"] == {"S": "text"}
    with pytest.raises(ConditionError, match=r"Shelf\.notes is stored as S 'text'; a set"):
        session.update(Shelf, "s", *actions, when=attribute_type(Shelf.notes, "S"))
    assert raw() == before


@pytest.mark.parametrize("unique", [False, True], ids=["plain", "with guards"])
def test_a_transaction_tells_a_false_condition_before_a_value_of_another_type(
    session: Session, put: Callable[..., None], raw: Callable[..., dict[str, Any]], unique: bool
):
    """Also one of another action, which is sent in another form; and also where a value is taken."""
    put(notes={"S": "text"})
    put(id={"S": "other"}, count={"N": "1"})
    session.save(Shelf("holder", code="c"))
    before = raw()

    def change(when: Any, count: int = 1) -> None:
        actions = [add(Shelf.notes, {"a"}), *([set_(Shelf.code, "c")] if unique else [])]
        with session.transaction() as t:
            t.update(Shelf, "other", delete(Shelf.ids, {ID}), when=Shelf.count == count)
            t.update(Shelf, "s", *actions, when=when)

    for when in (attribute_type(Shelf.notes, "S"), None):
        with pytest.raises(ConditionError, match=r"Shelf\.notes is stored as S 'text'; a set"):
            change(when)
    with pytest.raises(TransactionFailed) as failed:
        change(attribute_type(Shelf.notes, "SS"))
    first, second = failed.value.reasons
    assert first is None
    assert second is not None
    assert (second.code, second.item["notes"]) == ("ConditionalCheckFailed", {"S": "text"})
    with pytest.raises(TransactionFailed, match=r"update\(Shelf \{'id': 'other'\}"):
        change(attribute_type(Shelf.notes, "S"), count=7)
    assert raw() == before
    assert session.get_one(Shelf, "other").ids == {ID, OTHER}


def test_a_transaction_with_a_token_needs_the_object(session: Session, put: Callable[..., None]):
    @model("plain")
    class Plain:
        id: str = partition_key()
        days: dict[date, int] = attrs.field(factory=dict)
        ids: set[UUID] = attrs.field(factory=set)

    session.tables.create(Plain)
    plain = session.save(Plain("p", {DAY: 1}, {ID}))
    for action in (set_(Plain.days[DAY], 2), delete(Plain.ids, {ID})):
        with session.transaction(token=uuid4().hex) as t:
            with pytest.raises(TransactionError, match=r"give the object that was read"):
                t.update(Plain, "p", action)
    token = uuid4().hex
    for _ in range(2):
        with session.transaction(token=token) as t:
            t.update(plain, set_(Plain.days[NEW], 2), delete(Plain.ids, {ID}))
    assert session.get_one(Plain, "p") == Plain("p", {DAY: 1, NEW: 2})
