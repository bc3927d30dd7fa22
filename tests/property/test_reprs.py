"""What people see of conditions, actions and queries: how they were written, and nothing is sent for it."""

from __future__ import annotations

import datetime as dt
import decimal
import re
import uuid
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dynattrs
import model_of_everything
from drawn_actions import DrawnAction, actions
from dynattrs.errors import ConditionError
from dynattrs.expressions.conditions import Condition, Constant, condition
from dynattrs.expressions.placeholders import Placeholders
from dynattrs.expressions.updates import Action
from model_of_everything import PLACES, Drawn, Thing, conditions
from stepped_session import ByHand

#: What a program that writes these has imported.
NAMES = {
    **{name: getattr(dynattrs, name) for name in dynattrs.__all__},
    **{name: each for name, each in vars(model_of_everything).items() if isinstance(each, type)},
    "Decimal": decimal.Decimal,
    "UUID": uuid.UUID,
    "datetime": dt,
}


def sent(made: Any) -> tuple[Any, ...]:
    """All that a condition or an action says to the service."""
    if isinstance(made, Constant):
        return (made.value,)
    placeholders, parameters = Placeholders(), {}
    text = made.render(placeholders)
    placeholders.into(parameters)
    clause = made.clause if isinstance(made, Action) else None
    return clause, text, in_one_order(parameters)


def in_one_order(value: Any) -> Any:
    """The same with the members of its sets sorted, which say the same in any order."""
    if isinstance(value, list):
        return [in_one_order(each) for each in value]
    if not isinstance(value, dict):
        return value
    sets = {"SS", "NS", "BS"}
    return {
        name: sorted(each) if name in sets and isinstance(each, list) else in_one_order(each)
        for name, each in value.items()
    }


def in_any_order(shown: str) -> list[str]:
    """What is shown, word by word: a set that is made anew may have its members in another order."""
    return sorted(re.split(r"[{, }]+", shown))


@given(conditions)
def test_a_condition_is_shown_as_it_is_written(drawn: Drawn) -> None:
    shown = repr(drawn.written)
    again = eval(shown, dict(NAMES))

    assert sent(condition(again)) == sent(condition(drawn.written)), shown
    assert in_any_order(repr(again)) == in_any_order(shown)


@given(actions)
def test_an_action_is_shown_as_it_is_written(drawn: list[DrawnAction]) -> None:
    for each in drawn:
        shown = repr(each.written)
        again = eval(shown, dict(NAMES))

        assert sent(again) == sent(each.written), shown
        assert in_any_order(repr(again)) == in_any_order(shown)


class Sends(ByHand):
    """A handle that fails where something is asked of the service."""

    def _drive(self, flow: Any) -> Any:
        raise AssertionError("a request")


@attrs.define
class Part:
    text: str


#: Each with what it adds to a query, and to what is shown of one.
STEPS: list[tuple[str, Callable[[Any], Any]]] = [
    (".using('missing')", lambda query: query.using("missing")),
    (".limit(3)", lambda query: query.limit(3)),
    (".page_size(7)", lambda query: query.page_size(7)),
    (".consistent()", lambda query: query.consistent()),
    (".after('short')", lambda query: query.after("short")),
    (".hydrate()", lambda query: query.hydrate()),
    (".on_error('skip')", lambda query: query.on_error("skip")),
    (".on_error(print)", lambda query: query.on_error(print)),
    (".reverse()", lambda query: query.reverse() if query._operation == "query" else query),
    (".parallel(4)", lambda query: query.parallel(4) if query._operation == "scan" else query),
    (".rate_limit(2.0)", lambda query: query.rate_limit(2)),
    (".keys()", lambda query: query.keys()),
    (".raw()", lambda query: query.raw()),
    (".as_(Part)", lambda query: query.as_(Part)),
    (".select(Thing.text)", lambda query: query.select(Thing.text)),
]


@given(
    st.booleans(),
    st.lists(conditions, max_size=3),
    st.lists(conditions, max_size=3),
    st.lists(st.sampled_from(STEPS), max_size=6, unique_by=lambda step: step[0].split("(")[0]),
)
def test_a_query_shows_all_that_was_said_and_sends_nothing(
    scan: bool, wheres: list[Drawn], filters: list[Drawn], steps: list[tuple[str, Any]]
) -> None:
    session = Sends()
    query: Any = session.scan(Thing) if scan else session.query(Thing)
    query = query.where(*(each.written for each in wheres))
    query = query.filter(*(each.written for each in filters))
    results = [text for text, _ in steps if text[1:5] in ("keys", "raw(", "as_(", "sele")]
    for _, step in steps:
        query = step(query)

    shown, html = repr(query), query._repr_html_()

    assert shown.startswith("<scan(Thing)" if scan else "<query(Thing)")
    assert shown.count(".where(") >= bool(wheres)
    for text, _ in steps:
        if text in results[:-1] or text == (".reverse()" if scan else ".parallel(4)"):
            continue  # the last one decides what is given
        assert text in shown
    assert "<pre>" in html
    assert len(shown) < 10_000


@given(st.sampled_from([place for place in PLACES if place.tag == "S"]), st.text(min_size=500))
def test_a_long_value_is_cut_in_a_query_and_whole_in_a_condition(place: Any, text: str) -> None:
    try:
        made: Condition = place.path == text
    except ConditionError:  # text that cannot be stored, or an enum
        return
    shown = repr(Sends().scan(Thing).where(made, Thing.count == 3))

    assert repr(text) in repr(made)
    assert len(shown) < 300
    assert shown.endswith("Thing.count == 3)>")


@pytest.mark.parametrize("wanted", [(), (1,), (1, 2)])
def test_a_select_of_places_names_them(wanted: tuple[int, ...]) -> None:
    paths = (Thing.text, Thing.count, Thing.price)[: len(wanted) + 1]

    shown = repr(Sends().scan(Thing).select(*paths))

    assert shown == f"<scan(Thing).select({', '.join(map(repr, paths))})>"
