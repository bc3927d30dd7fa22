"""Names in maps and members of sets, beside a program that spells them otherwise: what a program of edits
and updates leaves behind is what plain Python says.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

import attrs
from hypothesis import event, given
from hypothesis import strategies as st

from dynattrs import (
    ConditionFailed,
    MappingError,
    add,
    delete,
    model,
    partition_key,
    remove,
    set_,
)
from engine_store import Store, stores_of

PREFIX = "spellings-"
T = TypeVar("T")


@attrs.define
class Slot:
    n: int = 0
    at: set[datetime] = attrs.field(factory=set)


@model("shelves")
class Shelf:
    id: str = partition_key()
    days: dict[date, int] = attrs.field(factory=dict)
    slots: dict[UUID, Slot] = attrs.field(factory=dict)
    deep: dict[int, dict[date, int]] = attrs.field(factory=dict)
    boxed: list[dict[date, int]] = attrs.field(factory=list)
    ids: set[UUID] = attrs.field(factory=set)
    rates: set[float] = attrs.field(factory=set)
    words: set[str] = attrs.field(factory=set)
    notes: set[str] | None = None
    times: set[datetime] | None = None
    pairs: set[tuple[str, int]] = attrs.field(factory=set)
    low: set[str] = attrs.field(
        factory=set, converter=lambda given: {each.lower() for each in given}
    )


store, embedded_store = stores_of(Shelf, prefix=PREFIX)


# --- How other programs spell values ------------------------------------------------------------

DAYS = {date(2026, 1, d): [f"2026-01-0{d}", f"2026010{d}"] for d in (1, 2, 3)}
IDS = {
    UUID(text): [text, text.upper(), "{" + text + "}"]
    for text in (f"abcdef00-0000-0000-0000-00000000000{d}" for d in "abc")
}
TIMES = {
    datetime(2026, 1, 1, h, tzinfo=timezone.utc): [
        f"2026-01-01T0{h}:00:00.000000Z",
        f"2026-01-01T0{h}:00:00Z",
        f"2026-01-01T0{h}:00:00+0000",
    ]
    for h in (1, 2)
}
RATES = {0.1: ["0.1", "0.1000000000000000055"], 2.0: ["2"]}
NUMBERS = {7: ["7", "07"], 8: ["8", "8.0"]}
WORDS = {each: [each] for each in ("a", "b", "c")}
LOW = {each: [each, each.upper()] for each in ("ab", "cd")}
PAIRS = [("a", 1), ("b", 1), ("b", 2)]

SETS: dict[str, tuple[dict[Any, list[str]], str]] = {
    "ids": (IDS, "SS"),
    "rates": (RATES, "NS"),
    "words": (WORDS, "SS"),
    "notes": (WORDS, "SS"),
    "times": (TIMES, "SS"),
    "low": (LOW, "SS"),
}
OPTIONAL = ("notes", "times")


def value_of(spellings: dict[Any, list[str]], text: str, tag: str) -> Any:
    """The value that a spelling means. The service writes numbers in one way of its own."""
    for value, texts in spellings.items():
        if text in texts or (tag == "NS" and Decimal(text) in map(Decimal, texts)):
            return value
    raise AssertionError(text)


def name_in(members: dict[str, Any], spellings: dict[Any, list[str]], value: Any) -> str | None:
    return next((each for each in members if each in spellings[value]), None)


def spelled(spellings: dict[Any, list[str]]) -> st.SearchStrategy[str]:
    return st.sampled_from([text for texts in spellings.values() for text in texts])


def maps_of(spellings: dict[Any, list[str]], values: st.SearchStrategy[Any]) -> Any:
    """A stored map: no value is a name of it in two forms, because it could not be read."""

    def once(names: dict[str, Any]) -> dict[str, Any]:
        found = {value_of(spellings, name, "S"): name for name in names}
        return {"M": {name: names[name] for name in found.values()}}

    return st.dictionaries(spelled(spellings), values, max_size=3).map(once)


def sets_of(name: str, optional: bool = False) -> Any:
    """A stored set, which may have a member in two forms; as a list, NULL, or nothing."""
    spellings, tag = SETS[name]
    texts = st.lists(spelled(spellings), min_size=1, max_size=3, unique=True)
    forms = [
        texts.map(lambda each: {tag: each}),
        texts.map(lambda each: {"L": [{tag[0]: one} for one in each]}),
        st.just({"L": []}),
        st.none(),
    ]
    if optional:
        forms.append(st.just({"NULL": True}))
    return st.one_of(*forms)


numbers = st.sampled_from([{"N": "1"}, {"N": "2"}])
day_maps = maps_of(DAYS, numbers)
slots = st.fixed_dictionaries(
    {"n": numbers, "unknown": st.just({"S": "kept"})}, optional={"at": sets_of("times")}
).map(lambda each: {"M": {name: value for name, value in each.items() if value}})
pairs = st.lists(st.sampled_from(PAIRS), max_size=3, unique=True).map(
    lambda each: {"L": [{"L": [{"S": name}, {"N": str(n)}]} for name, n in each]}
)
items = st.fixed_dictionaries(
    {
        "days": day_maps,
        "slots": maps_of(IDS, slots),
        "deep": maps_of(NUMBERS, day_maps),
        "boxed": st.lists(day_maps, max_size=2).map(lambda each: {"L": each}),
        "pairs": pairs,
        **{name: sets_of(name, name in OPTIONAL) for name in SETS},
    }
).map(lambda each: {"id": {"S": "s"}, **{name: value for name, value in each.items() if value}})


# --- What programs do ---------------------------------------------------------------------------

Change = Callable[[Shelf], Any]
Action = Callable[[Shelf], Any]

days, uuids = st.sampled_from(list(DAYS)), st.sampled_from(list(IDS))
ints, places = st.sampled_from(list(NUMBERS)), st.integers(0, 1)


def put(members: dict[Any, Any], key: Any, value: Any) -> None:
    if value is None:
        members.pop(key, None)
    else:
        members[key] = value


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """A change of an object, as an edit makes it."""
    kind = draw(
        st.sampled_from(
            ["days", "slot", "n", "at", "deep", "deeper", "boxed", "pairs", "set", "set", "clear"]
        )
    )
    day, uuid, number, place = draw(days), draw(uuids), draw(ints), draw(places)
    value = draw(st.sampled_from([None, 1, 2]))
    name = draw(st.sampled_from(list(SETS)))
    member = draw(st.sampled_from(list(SETS[name][0])))
    at = draw(st.sampled_from(list(TIMES)))
    pair = draw(st.sampled_from(PAIRS))

    def change(shelf: Shelf) -> None:
        if kind == "days":
            put(shelf.days, day, value)
        elif kind == "slot":
            if value is None or uuid not in shelf.slots:
                put(shelf.slots, uuid, value and Slot(value))
        elif kind == "n" and uuid in shelf.slots:
            shelf.slots[uuid].n = 5
        elif kind == "at" and uuid in shelf.slots:
            shelf.slots[uuid].at ^= {at}
        elif kind == "deep":
            if value is None or number not in shelf.deep:
                put(shelf.deep, number, value and {day: value})
        elif kind == "deeper" and number in shelf.deep:
            put(shelf.deep[number], day, value)
        elif kind == "boxed" and place < len(shelf.boxed):
            put(shelf.boxed[place], day, value)
        elif kind == "pairs":
            shelf.pairs ^= {pair}
        elif kind == "set":
            setattr(shelf, name, (getattr(shelf, name) or set()) ^ {member})
        elif kind == "clear":
            setattr(shelf, name, None if name in OPTIONAL and value else set())

    return change


@st.composite
def foreign_changes(draw: st.DrawFn) -> Callable[[dict[str, Any]], None]:
    """A change of an item by a program that spells in its own way."""
    kind = draw(st.sampled_from(["days", "slots", "deep", "boxed", *SETS]))
    day, uuid, number = draw(days), draw(uuids), draw(ints)
    form, place, goes = draw(st.integers(0, 2)), draw(places), draw(st.booleans())
    slot = draw(slots)
    spellings, tag = SETS.get(kind, (WORDS, "SS"))
    member = draw(st.sampled_from(list(spellings)))

    def rename(members: dict[str, Any], texts: dict[Any, list[str]], key: Any, value: Any) -> None:
        """Put it there under one name, or take it away."""
        old = name_in(members, texts, key)
        if old is not None:
            del members[old]
        if not goes:
            members[texts[key][form % len(texts[key])]] = value

    def change(item: dict[str, Any]) -> None:
        if kind == "days":
            rename(item["days"]["M"], DAYS, day, {"N": "3"})
        elif kind == "slots":
            rename(item["slots"]["M"], IDS, uuid, slot)
        elif kind == "deep":
            rename(item["deep"]["M"], NUMBERS, number, {"M": {DAYS[day][-1]: {"N": "3"}}})
        elif kind == "boxed":
            if place < len(item["boxed"]["L"]):
                rename(item["boxed"]["L"][place]["M"], DAYS, day, {"N": "3"})
        else:
            stored = item.pop(kind, {"L": []})
            texts = [each[tag[0]] for each in stored.get("L", [])] or [*stored.get(tag, [])]
            texts = [each for each in texts if value_of(spellings, each, tag) != member or not goes]
            if not goes:
                text = spellings[member][form % len(spellings[member])]
                texts = [
                    *{
                        Decimal(each) if tag == "NS" else each: each for each in (*texts, text)
                    }.values()
                ]
            if texts:
                item[kind] = {tag: texts}

    return change


@st.composite
def actions(draw: st.DrawFn) -> tuple[Any, Change, Callable[[Shelf], bool]]:
    """An action of an update, what it does, and whether what it is in is there."""
    kind = draw(
        st.sampled_from(["set", "remove", "raise", "n", "deep", "add", "delete", "add", "delete"])
    )
    day, uuid, number = draw(days), draw(uuids), draw(ints)
    name = draw(st.sampled_from(list(SETS)))
    member = draw(st.sampled_from(list(SETS[name][0])))
    target = getattr(Shelf, name)

    def members(shelf: Shelf) -> None:
        found = (getattr(shelf, name) or set()) | {member}
        setattr(shelf, name, found)

    def fewer(shelf: Shelf) -> None:
        if getattr(shelf, name):
            setattr(shelf, name, getattr(shelf, name) - {member})

    made: dict[str, tuple[Any, Change, Callable[[Shelf], bool]]] = {
        "set": (
            set_(Shelf.days[day], 7),
            lambda shelf: put(shelf.days, day, 7),
            lambda shelf: True,
        ),
        "remove": (
            remove(Shelf.days[day]),
            lambda shelf: put(shelf.days, day, None),
            lambda shelf: True,
        ),
        "raise": (
            set_(Shelf.days[day], Shelf.days[day] + 1),
            lambda shelf: put(shelf.days, day, shelf.days[day] + 1),
            lambda shelf: day in shelf.days,
        ),
        "n": (
            set_(Shelf.slots[uuid].n, 7),
            lambda shelf: setattr(shelf.slots[uuid], "n", 7),
            lambda shelf: uuid in shelf.slots,
        ),
        "deep": (
            set_(Shelf.deep[number][day], 7),
            lambda shelf: put(shelf.deep[number], day, 7),
            lambda shelf: number in shelf.deep,
        ),
        # What converters make of members they make of whole sets.
        "add": (add(target, {member}), members, lambda shelf: True),
        "delete": (delete(target, {member}), fewer, lambda shelf: name != "low"),
    }
    return made[kind]


# --- What is right ------------------------------------------------------------------------------


class Conflict(Exception):
    """What a change rests on is not as it was read."""


def merged(before: Shelf, theirs: Shelf, mine: Shelf, *, guard: bool) -> Shelf:
    """Theirs with what I have changed since before."""

    def leaf(was: Any, now: Any, wanted: Any) -> Any:
        if was == wanted:
            return now
        if guard and now != was:
            raise Conflict
        return wanted

    def members(was: Any, now: Any, wanted: Any) -> Any:
        if was == wanted or wanted is None:
            return leaf(was, now, wanted)
        if guard and now != was:
            raise Conflict
        return ((now or set()) - ((was or set()) - wanted)) | (wanted - (was or set()))

    def inside(one: Callable[[Any, Any, Any], Any]) -> Any:
        def mapping(was: Any, now: Any, wanted: Any) -> Any:
            found = dict(now)
            for name in was.keys() | wanted.keys():
                parts = was.get(name), now.get(name), wanted.get(name)
                if None in (parts[0], parts[2]):
                    value = leaf(*parts)
                elif parts[1] is None and parts[0] != parts[2]:
                    raise Conflict  # there is nothing to change it in
                else:
                    value = None if parts[1] is None else one(*parts)
                put(found, name, value)
            return found

        return mapping

    def slot(was: Slot, now: Slot, wanted: Slot) -> Slot:
        return Slot(leaf(was.n, now.n, wanted.n), members(was.at, now.at, wanted.at))

    def flat(was: Any, now: Any, wanted: Any) -> Any:
        found = dict(now)
        for name in was.keys() | wanted.keys():
            put(found, name, leaf(was.get(name), now.get(name), wanted.get(name)))
        return found

    def boxes(was: Any, now: Any, wanted: Any) -> Any:
        if was != wanted and guard and len(now) != len(was):
            raise Conflict
        found = list(now)
        for place, (one, other) in enumerate(zip(was, wanted, strict=True)):
            if one != other and (place >= len(now) or now[place] != one):
                raise Conflict
            if one != other:
                found[place] = other
        return found

    made = {
        "days": flat, "slots": inside(slot), "deep": inside(flat), "boxed": boxes,
        **dict.fromkeys((*SETS, "pairs"), members),
    }  # fmt: skip
    parts = {
        name: merge(getattr(before, name), getattr(theirs, name), getattr(mine, name))
        for name, merge in made.items()
    }
    return Shelf("s", **parts)


def doubled(item: dict[str, Any]) -> int:
    """How many members of sets are stored in one more form."""
    found = 0
    for name, (spellings, tag) in SETS.items():
        stored = item.get(name, {})
        texts = [*stored.get(tag, []), *(each[tag[0]] for each in stored.get("L", []))]
        found += len(texts) - len({value_of(spellings, text, tag) for text in texts})
    return found


def raw(store: Store) -> dict[str, Any]:
    found: dict[str, Any] = store.client.get_item(
        TableName=store.table, Key={"id": {"S": "s"}}, ConsistentRead=True
    )["Item"]
    return found


def read(store: Store) -> Shelf:
    return store.session.get_one(Shelf, "s", consistent=True)


def check_edit(
    store: Store, item: dict[str, Any], theirs: list[Any], mine: list[Change], guard: bool
) -> None:
    store.put(item)
    shelf = read(store)
    before = copy.deepcopy(shelf)
    for change in theirs:
        change(item)
    store.put(item)
    stored, twice = read(store), doubled(raw(store))

    failed = erasing = False
    try:
        with store.session.edit(shelf, guard=guard):
            for each in mine:
                each(shelf)
    except ConditionFailed:
        failed = True
    except MappingError:  # it would erase what no class knows
        erasing = True
    try:
        expected = merged(before, stored, shelf, guard=guard)
    except Conflict:
        event("conflict")
        assert failed or erasing
        expected = stored
    else:
        event("erasing" if erasing else "merged")
        assert not failed
        expected = stored if erasing else expected
    assert read(store) == expected
    assert doubled(raw(store)) <= twice
    found = raw(store)["slots"]["M"]
    # What others put in meanwhile, a slot of mine under the same key replaces as a whole.
    read_before = {name_in(found, IDS, uuid) for uuid in before.slots}
    for name in item["slots"]["M"].keys() & found.keys() & read_before:
        assert found[name]["M"]["unknown"] == {"S": "kept"}


def check_update(
    store: Store, item: dict[str, Any], program: list[Any], theirs: list[Any], how: str
) -> None:
    store.put(item)
    stale = read(store)
    for change in theirs:
        change(item)
    store.put(item)
    expected, session = read(store), store.session
    for action, does, possible in program:
        if not possible(expected):
            continue
        does(expected)
        subject: Any = (stale,) if how == "object" else (Shelf, "s")
        if how == "transaction":
            with session.transaction() as t:
                t.update(*subject, action)
        else:
            session.update(*subject, action)
        stored = read(store)
        for name in OPTIONAL:
            # A set that has lost its last member is absent, which reads as None.
            if getattr(stored, name) is None and not getattr(expected, name):
                setattr(expected, name, None)
        assert stored == expected


edited = given(
    items, st.lists(foreign_changes(), max_size=3), st.lists(changes(), min_size=1, max_size=3),
    st.booleans(),
)  # fmt: skip
updated = given(
    items, st.lists(actions(), min_size=1, max_size=4), st.lists(foreign_changes(), max_size=2),
    st.sampled_from(["key", "object", "transaction"]),
)  # fmt: skip


@edited
def test_an_edit_finds_what_is_spelled_otherwise(
    store: Store, item: dict[str, Any], theirs: list[Any], mine: list[Change], guard: bool
):
    check_edit(store, item, theirs, mine, guard)


@edited
def test_an_edit_on_the_embedded_engine_finds_what_is_spelled_otherwise(
    embedded_store: Store, item: dict[str, Any], theirs: list[Any], mine: list[Change], guard: bool
):
    check_edit(embedded_store, item, theirs, mine, guard)


@updated
def test_an_update_finds_what_is_spelled_otherwise(
    store: Store, item: dict[str, Any], program: list[Any], theirs: list[Any], how: str
):
    check_update(store, item, program, theirs, how)


@updated
def test_an_update_on_the_embedded_engine_finds_what_is_spelled_otherwise(
    embedded_store: Store, item: dict[str, Any], program: list[Any], theirs: list[Any], how: str
):
    check_update(embedded_store, item, program, theirs, how)
