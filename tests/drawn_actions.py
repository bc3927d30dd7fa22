"""Actions of updates for Hypothesis: as a user writes them, and as the oracle knows them."""

from __future__ import annotations

from typing import Any

import attrs
from hypothesis import strategies as st

import dynamodb_oracle as oracle
from dynattrs import add, delete, if_not_exists, list_append, remove, set_
from model_of_everything import PLACES, N, Place, S, Thing, value
from model_of_everything import path as read

COMPUTED = [place for place in PLACES if place.values is N]
LISTS = [place for place in PLACES if place.tag == "L"]
ADDABLE = [place for place in PLACES if place.tag in ("N", *oracle.SETS)]
SETS = [place for place in PLACES if place.tag in oracle.SETS]
SMALL = [pair for pair in N if abs(pair[0]) < 100]
# Elements that come and go, past the end as well.
ELEMENTS = [
    Place(Thing.words[position], ("words", position), S, "S") for position in (0, 1, 2, 5, 9)
]
TARGETS = [place for place in PLACES if place.steps[0] != "words" or len(place.steps) == 1]
TARGETS += ELEMENTS


@attrs.frozen
class DrawnAction:
    """An action as a user writes it, and as the oracle knows it."""

    written: Any
    known: tuple[Any, ...]

    @property
    def steps(self) -> tuple[str | int, ...]:
        return self.known[1]  # type: ignore[no-any-return]


def of_kind(place: Place) -> list[Place]:
    """Other places that hold the same values."""
    return [other for other in PLACES if other.values is place.values]


@st.composite
def plain(draw: st.DrawFn) -> DrawnAction:
    """SET to a value, to another path's value, or to that or a value where it is absent."""
    place = draw(st.sampled_from(TARGETS))
    pair = draw(st.sampled_from(place.values))
    kind = draw(st.sampled_from(["value", "value", "path", "if_not_exists"]))
    others = of_kind(place)
    if kind == "value" or not others:
        return DrawnAction(set_(place.path, pair[0]), ("SET", place.steps, value(pair)))
    other = draw(st.sampled_from(others))
    if kind == "path":
        return DrawnAction(set_(place.path, other.path), ("SET", place.steps, read(other)))
    written, known = pair[0], value(pair)
    defaults = [each for each in others if each.steps != other.steps]
    if defaults and draw(st.booleans()):
        default = draw(st.sampled_from(defaults))
        written, known = default.path, read(default)
    return DrawnAction(
        set_(place.path, if_not_exists(other.path, written)),
        ("SET", place.steps, ("if_not_exists", read(other), known)),
    )


@st.composite
def numbers(draw: st.DrawFn) -> tuple[Any, Any]:
    """A side of + or -."""
    place = draw(st.sampled_from(COMPUTED))
    pair = draw(st.sampled_from(SMALL))
    kind = draw(st.sampled_from(["path", "value", "if_not_exists"]))
    if kind == "path":
        return place.path, read(place)
    if kind == "value":
        return pair[0], value(pair)
    return if_not_exists(place.path, pair[0]), ("if_not_exists", read(place), value(pair))


@st.composite
def sums(draw: st.DrawFn) -> DrawnAction:
    place = draw(st.sampled_from(COMPUTED))
    plus = draw(st.booleans())
    sides = [draw(numbers()), draw(numbers())]
    if all(side[1][0] == "value" for side in sides):
        sides[draw(st.integers(0, 1))] = (place.path, read(place))
    (left, known_left), (right, known_right) = sides
    written = left + right if plus else left - right
    return DrawnAction(
        set_(place.path, written),
        ("SET", place.steps, ("+" if plus else "-", known_left, known_right)),
    )


@st.composite
def lists(draw: st.DrawFn) -> DrawnAction:
    place = draw(st.sampled_from(LISTS))
    sides = []
    for _ in range(2):
        pair = draw(st.sampled_from(place.values))
        other = draw(st.sampled_from(of_kind(place)))
        sides.append(
            draw(
                st.sampled_from([
                    (pair[0], value(pair)),
                    (other.path, read(other)),
                    (
                        if_not_exists(other.path, pair[0]),
                        ("if_not_exists", read(other), value(pair)),
                    ),
                ])
            )
        )  # fmt: skip
    (first, known_first), (second, known_second) = sides
    return DrawnAction(
        set_(place.path, list_append(first, second)),
        ("SET", place.steps, ("list_append", known_first, known_second)),
    )


@st.composite
def nones(draw: st.DrawFn) -> DrawnAction:
    """None and the empty set: what a save would leave out is removed."""
    place = draw(st.sampled_from([p for p in PLACES if p.optional or p.tag in oracle.SETS]))
    if place.optional and (place.tag not in oracle.SETS or draw(st.booleans())):
        return DrawnAction(set_(place.path, None), ("REMOVE", place.steps))
    if place.optional:
        return DrawnAction(set_(place.path, set()), ("SET", place.steps, ("value", {"L": []})))
    return DrawnAction(set_(place.path, set()), ("REMOVE", place.steps))


@st.composite
def removals(draw: st.DrawFn) -> DrawnAction:
    place = draw(st.sampled_from([*TARGETS, *ELEMENTS]))
    return DrawnAction(remove(place.path), ("REMOVE", place.steps))


@st.composite
def additions(draw: st.DrawFn) -> DrawnAction:
    place = draw(st.sampled_from(ADDABLE))
    pair = draw(st.sampled_from(place.values))
    return DrawnAction(add(place.path, pair[0]), ("ADD", place.steps, pair[1]))


@st.composite
def deletions(draw: st.DrawFn) -> DrawnAction:
    place = draw(st.sampled_from(SETS))
    pair = draw(st.sampled_from(place.values))
    return DrawnAction(delete(place.path, pair[0]), ("DELETE", place.steps, pair[1]))


def overlap(one: DrawnAction, other: DrawnAction) -> bool:
    shared = min(len(one.steps), len(other.steps))
    return one.steps[:shared] == other.steps[:shared]


def apart(actions: list[DrawnAction]) -> list[DrawnAction]:
    """Those that change no other's place."""
    kept: list[DrawnAction] = []
    for action in actions:
        if not any(overlap(action, other) for other in kept):
            kept.append(action)
    return kept


single = st.one_of(plain(), plain(), sums(), lists(), nones(), removals(), additions(), deletions())
actions = st.lists(single, min_size=1, max_size=5).map(apart)
