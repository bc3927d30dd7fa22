"""Requests that come, leave, are cancelled and interrupted in any order, and a pace that changes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dynattrs.operations.flows import Signal
from dynattrs.operations.writing.pace import Pace

STEPS = st.one_of(
    st.just(("comes", 0)),
    st.tuples(st.sampled_from(["leaves", "is interrupted"]), st.integers(0, 9)),
    st.tuples(st.sampled_from(["throttled", "went well"]), st.just(0)),
)


@given(most=st.integers(1, 4), steps=st.lists(STEPS, max_size=60))
def test_places_go_round_in_order_and_none_is_lost(most: int, steps: list[tuple[str, int]]) -> None:
    pace = Pace(most)
    came: list[Signal] = []  # in this order
    woken: list[Signal] = []
    lost = False  # a wake-up that an interruption has taken
    for second, (what, which) in enumerate(steps):
        there = list(pace.queue)
        if what == "comes":
            place = Signal()
            place.wake = lambda place=place: woken.append(place)  # type: ignore[misc]
            came.append(place)
            pace.begin(place)
            lost = False
        elif what == "throttled":
            pace.slow_down(second, second)
        elif what == "went well":
            pace.go_on()
            pace.admit()
            lost = False
        elif there:
            pace.queue.pop(there[which % len(there)])
            lost = lost or what == "is interrupted"
            if what == "leaves":
                pace.admit()
                lost = False

        waiting = [place for place in pace.queue if not place.given]
        under_way = [place for place in pace.queue if place.given]
        assert len(under_way) <= most
        assert lost or not waiting or len(under_way) >= pace.allowed
        assert list(pace.queue) == under_way + waiting
        assert woken == [place for place in came if place.given]

    for _ in range(len(pace.queue)):  # a waiter looks at times, and so finds out
        first = next(iter(pace.queue))
        assert pace.begin(first)
        pace.queue.pop(first)
