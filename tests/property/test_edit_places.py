"""Edits beside another writer: a change is made on the very element that was read, or not at all."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any

import attrs
from hypothesis import event, given
from hypothesis import strategies as st

from dynattrs import (
    ConditionFailed,
    MappingError,
    Session,
    TransactionFailed,
    model,
    partition_key,
)
from engine_store import Store, stores_of

PREFIX = "places-"


@attrs.define
class Line:
    product: str = "pen"
    qty: int = 1
    options: dict[str, int] = attrs.field(factory=dict)


@attrs.define
class Box:
    label: str = ""
    lines: list[Line] = attrs.field(factory=list)


@model("carts")
class Cart:
    id: str = partition_key()
    lines: list[Line] = attrs.field(factory=list)
    box: Box = attrs.field(factory=Box)
    counts: dict[str, int] = attrs.field(factory=dict)
    pairs: set[tuple[str, int]] = attrs.field(factory=set)


store, embedded_store = stores_of(Cart, prefix=PREFIX)


# --- Items as other programs have stored them ---------------------------------------------------

# Few values, so that elements are often equal and positions alone tell them apart.
NUMBERS = st.sampled_from([1, 2])
NAMES = st.sampled_from(["a", "b"])
stored_numbers = st.sampled_from([{"N": "1"}, {"N": "1.0"}, {"N": "2"}, {"N": "20E-1"}])
stored_names = NAMES.map(lambda name: {"S": name})
stored_counts = st.dictionaries(NAMES, stored_numbers, max_size=2).map(lambda each: {"M": each})


def some_of(**members: Any) -> Any:
    """A map some of whose members are absent, beside one that no class knows."""
    optional = {**members, "unknown": st.just({"S": "kept"})}
    return st.fixed_dictionaries({}, optional=optional).map(lambda each: {"M": each})


stored_lines = st.lists(
    some_of(product=stored_names, qty=stored_numbers, options=stored_counts), max_size=4
).map(lambda each: {"L": each})
stored_pairs = st.lists(st.tuples(NAMES, NUMBERS), min_size=1, max_size=4, unique=True).map(
    lambda each: {"L": [{"L": [{"S": name}, {"N": str(n)}]} for name, n in each]}
)
items = some_of(
    lines=stored_lines,
    box=some_of(label=stored_names, lines=stored_lines),
    counts=stored_counts,
    pairs=stored_pairs,
).map(lambda each: {**each["M"], "id": {"S": "c"}})

# --- What programs do ---------------------------------------------------------------------------

Change = Callable[[Cart], Any]


@st.composite
def changes(draw: st.DrawFn) -> Change:
    kind = draw(
        st.sampled_from(
            [
                "qty",
                "qty",
                "option",
                "replace",
                "remove",
                "insert",
                "swap",
                "count",
                "label",
                "pair",
            ]
        )
    )
    place, number, name = draw(st.integers(0, 3)), draw(NUMBERS), draw(NAMES)
    boxed = draw(st.booleans())

    def change(cart: Cart) -> None:
        lines = cart.box.lines if boxed else cart.lines
        if kind == "count":
            cart.counts[name] = number
        elif kind == "label":
            cart.box.label = name
        elif kind == "pair":
            cart.pairs ^= {(name, number)}
        elif kind == "insert":
            lines.insert(place, Line(name, number))
        elif place >= len(lines):
            pass
        elif kind == "qty":
            lines[place].qty = number
        elif kind == "option":
            lines[place].options[name] = number
        elif kind == "replace":
            lines[place].product = name
        elif kind == "remove":
            del lines[place]
        else:
            lines[place], lines[-1] = lines[-1], lines[place]

    return change


programs = st.lists(changes(), min_size=1, max_size=3)


# --- What is right ------------------------------------------------------------------------------


class Conflict(Exception):
    """What a change rests on is not as it was read."""


def merged(before: Cart, theirs: Cart, mine: Cart, *, guard: bool) -> Cart:
    """Theirs with what I have changed since before."""

    def leaf(was: Any, now: Any, wanted: Any) -> Any:
        if was == wanted:
            return now
        if guard and now != was:
            raise Conflict
        return wanted

    def mapping(was: dict[str, int], now: dict[str, int], wanted: dict[str, int]) -> dict[str, int]:
        found = dict(now)
        for name in was.keys() | wanted.keys():
            value = leaf(was.get(name), now.get(name), wanted.get(name))
            if value is not None:
                found[name] = value
        return found

    def members(was: set[Any], now: set[Any], wanted: set[Any]) -> set[Any]:
        if was != wanted and guard and now != was:
            raise Conflict
        return (now - (was - wanted)) | (wanted - was)

    def lines(was: list[Line], now: list[Line], wanted: list[Line]) -> list[Line]:
        if len(was) != len(wanted):
            return leaf(was, now, wanted)  # type: ignore[no-any-return]
        found = list(now)
        for place, (one, other) in enumerate(zip(was, wanted, strict=True)):
            if one == other:
                continue
            if place >= len(now) or now[place] != one or (guard and len(now) != len(was)):
                raise Conflict
            found[place] = other
        return found

    return Cart(
        "c",
        lines(before.lines, theirs.lines, mine.lines),
        Box(
            leaf(before.box.label, theirs.box.label, mine.box.label),
            lines(before.box.lines, theirs.box.lines, mine.box.lines),
        ),
        mapping(before.counts, theirs.counts, mine.counts),
        members(before.pairs, theirs.pairs, mine.pairs),
    )


@contextlib.contextmanager
def editing(session: Session, obj: Cart, guard: bool, in_transaction: bool) -> Iterator[None]:
    """An edit by itself, or as an action of a transaction."""
    if not in_transaction:
        with session.edit(obj, guard=guard):
            yield
        return
    with session.transaction() as t, t.edit(obj, guard=guard):
        yield


def check(
    store: Store,
    item: dict[str, Any],
    theirs: list[Change],
    mine: list[Change],
    guard: bool,
    in_transaction: bool,
) -> None:
    session = store.session
    store.put(item)
    first, second = (session.get_one(Cart, "c", consistent=True) for _ in range(2))
    before = copy.deepcopy(first)
    try:
        with session.edit(first):
            for change in theirs:
                change(first)
    except MappingError:  # it would erase what no class knows
        session.refresh(first)
    assert session.get_one(Cart, "c", consistent=True) == first

    failed = erasing = False
    try:
        with editing(session, second, guard, in_transaction):
            for change in mine:
                change(second)
    except (ConditionFailed, TransactionFailed):
        failed = True
    except MappingError:
        erasing = True

    try:
        expected = merged(before, first, second, guard=guard)
    except Conflict:
        event("conflict")
        assert failed or erasing
        expected = first
    else:
        event("erasing" if erasing else "merged")
        assert not failed
        expected = first if erasing else expected
    assert session.get_one(Cart, "c", consistent=True) == expected

    session.refresh(second)
    with editing(session, second, guard, in_transaction):
        second.counts["last"] = 9
        for line in second.lines:
            line.qty = 9
    assert session.get_one(Cart, "c", consistent=True) == second


cases = given(items, programs, programs, st.booleans(), st.booleans())


@cases
def test_an_edit_changes_what_was_read_or_nothing(
    store: Store,
    item: dict[str, Any],
    theirs: list[Change],
    mine: list[Change],
    guard: bool,
    in_transaction: bool,
):
    check(store, item, theirs, mine, guard, in_transaction)


@cases
def test_an_edit_on_the_embedded_engine_changes_what_was_read_or_nothing(
    embedded_store: Store,
    item: dict[str, Any],
    theirs: list[Change],
    mine: list[Change],
    guard: bool,
    in_transaction: bool,
):
    check(embedded_store, item, theirs, mine, guard, in_transaction)
