"""Queries over parts that may hold a piece of their separator: what is asked finds what Python finds.

By brute force, and without an engine: the key condition and the filter of a plan are decided here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, cast

import attrs
import pytest

from dynattrs import MappingError, QueryError, Table, begins_with, between, field, mapper, model
from dynattrs.expressions.conditions import (
    Between,
    Comparison,
    Condition,
    Function,
    Joined,
    PathOperand,
    Value,
)
from dynattrs.keys.planner import plan
from dynattrs.keys.plans import Plan, Wanted
from dynattrs.schema.model_info import model_info

SEPARATORS = ["#", "::", ":::", "||", "ab", "aba", "#a", "#-"]
SHAPES = ["{a}L{b}", "{a}L{b}L", "T#{a}L{b}", "{a}LL{b}", "{a}LQ{b}"]


def texts(separator: str, most: int) -> list[str]:
    letters = sorted({*separator, "x"})
    return ["".join(each) for n in range(most + 1) for each in itertools.product(letters, repeat=n)]


# --- What a plan finds ----------------------------------------------------------------------------------


def holds(condition: Condition | None, item: dict[str, Any]) -> bool:
    """As the service decides: text compares by its bytes."""
    if condition is None:
        return True
    if isinstance(condition, Joined):
        return all(holds(each, item) for each in condition.parts)
    assert isinstance(condition, (Comparison, Between, Function))
    operand = condition.left if isinstance(condition, Comparison) else condition.operand
    [name] = cast("PathOperand", operand).steps
    found = item.get(cast("str", name))
    if found is None:
        return False
    text = found["S"]
    if isinstance(condition, Between):
        return bool(said(condition.low) <= text <= said(condition.high))
    if isinstance(condition, Function):
        assert condition.service_name == "begins_with"
        return bool(text.startswith(said(condition.argument)))
    value = said(condition.right)
    return {
        "=": text == value, "<": text < value, "<=": text <= value, ">": text > value,
        ">=": text >= value,
    }[condition.operator]  # fmt: skip


def said(operand: Any) -> str:
    text: str = cast("Value", operand).stored["S"]
    return text


def found_by(made: Plan, items: list[tuple[Any, dict[str, Any]]]) -> list[Any]:
    if made.operation == "nothing":
        return []
    left_out = made.excluded
    return [
        thing
        for thing, item in items
        if all(holds(each, item) for each in made.key)
        and holds(made.filter, item)
        and (left_out is None or item[left_out[0]] != left_out[1])
    ]


# --- What is asked ----------------------------------------------------------------------------------------


@attrs.frozen
class Asked:
    condition: Any
    holds: Callable[[str], bool]


def asked_of(path: Any, values: list[str]) -> list[Asked]:
    found = []
    for value in values:
        found += [
            Asked(path == value, lambda t, v=value: t == v),
            Asked(path < value, lambda t, v=value: t < v),
            Asked(path <= value, lambda t, v=value: t <= v),
            Asked(path > value, lambda t, v=value: t > v),
            Asked(path >= value, lambda t, v=value: t >= v),
            Asked(begins_with(path, value), lambda t, v=value: t.startswith(v)),
        ]
    for low, high in itertools.product(values[:: max(1, len(values) // 6)], repeat=2):
        found.append(Asked(between(path, low, high), lambda t, a=low, b=high: a <= t <= b))
    return found


@pytest.mark.parametrize("key_only", [False, True], ids=["stored", "key_only"])
@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_query_of_a_part_finds_what_python_finds(
    shape: str, separator: str, key_only: bool
) -> None:
    app = Table("asked", partition_key="pk", sort_key="sk")

    @model(app, pk="P", sk=shape.replace("L", separator))
    class Part:
        a: str = field(key_only=key_only)
        b: str = field(key_only=key_only)

    info = model_info(Part)
    items = []
    most = 3 if len(texts(separator, 1)) < 4 else 2
    for values in itertools.product(texts(separator, most), repeat=2):
        try:
            items.append((Part(*values), mapper.dump(Part(*values))))
        except MappingError:
            continue
    assert items

    def check(conditions: tuple[Any, ...], expected: Callable[[Any], bool]) -> bool:
        try:
            made = plan(Wanted(info, conditions))
        except MappingError:
            # A value that no item has: an equality, and nothing to find.
            assert not any(expected(thing) for thing, _ in items)
            return True
        except QueryError as error:
            assert key_only
            assert "stored in keys only" in str(error)  # noqa: PT017
            return False
        assert found_by(made, items) == [thing for thing, _ in items if expected(thing)], (
            [str(each) for each in conditions], made
        )  # fmt: skip
        return True

    cls: Any = Part
    first, last = asked_of(cls.a, texts(separator, 2)), asked_of(cls.b, texts(separator, 2))
    done = [check((each.condition,), lambda t, e=each: e.holds(t.a)) for each in first]
    assert any(done)
    for one in asked_of(cls.a, ["", "x", separator[0], f"x{separator[0]}", f"{separator[-1]}x"]):
        if not isinstance(one.condition, Comparison) or one.condition.operator != "=":
            continue
        for other in last:
            decided = check(
                (one.condition, other.condition),
                lambda t, e=one, o=other: e.holds(t.a) and o.holds(t.b),
            )
            # What is in the last place is bounded exactly.
            assert decided or not shape.endswith("{b}")


def test_stored_order_is_not_the_order_of_values_that_hold_a_piece_of_the_separator() -> None:
    """`t:1` sorts before `t` in the key, so that a range needs its filter."""
    app = Table("asked", partition_key="pk", sort_key="sk")

    @model(app, pk="P", sk="{a}:::{b}")
    class Part:
        a: str
        b: str

    keys = {each: mapper.dump(Part(each, ""))["sk"]["S"] for each in ("t", "t:1")}
    made = plan(Wanted(model_info(Part), (cast("Any", Part.a > "t"),)))

    assert keys["t:1"] < keys["t"]
    assert str(made.filter) == "Part.a > 't'"


def test_a_beginning_that_cannot_reach_into_the_separator_needs_no_filter() -> None:
    app = Table("asked", partition_key="pk", sort_key="sk")

    @model(app, pk="P", sk="{a}::{b}")
    class Part:
        a: str
        b: str

    def filter_of(text: str) -> str:
        made = plan(Wanted(model_info(Part), (cast("Any", begins_with(Part.a, text)),)))
        return made.operation if made.operation == "nothing" else str(made.filter)

    assert filter_of("user:7") == "None"
    assert filter_of("user:") == "begins_with(Part.a, 'user:')"
    assert filter_of("user::") == "nothing"
