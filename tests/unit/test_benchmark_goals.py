"""The goals of the benchmarks: met or missed, by the figures of one run."""

from __future__ import annotations

import pytest

from benchmarks.contest import Figure, Rounds
from benchmarks.goals import GOALS, RIVALS, Outcome, outcomes
from benchmarks.rivals.composing import attribute_maps, dicts
from benchmarks.shapes import check_item, shape
from benchmarks.suites import Budget


def measured(case: str, **values: float) -> list[Figure]:
    rounds = Rounds(f"{case}.1000.2000", "µs", {rival: [value] for rival, value in values.items()})
    return rounds.figures({rival: rival for rival in values})


def test_a_ratio_is_met_that_is_large_enough():
    found = list(
        outcomes(measured("get flat-11", dynattrs_sync=100, resource=801, with_pydynox=150))
    )

    assert [(each.goal, each.met) for each in found] == [
        ("at least x8", True), ("at least x1.6", False),
    ]  # fmt: skip


def test_a_time_is_met_that_is_short_enough():
    (found,) = outcomes(measured("write vector-1024", dynattrs_sync=109.0))

    assert found.met
    assert str(found).startswith("met ")


def test_who_was_not_measured_makes_a_goal_missed():
    """A rival that failed must not look like one that was beaten."""
    found: list[Outcome] = list(outcomes(measured("read mixed-11", dynattrs_sync=4, resource=90)))

    assert [each.met for each in found] == [True, False]


def test_the_session_of_asyncio_is_compared_with_the_other_one():
    found = list(outcomes(measured("get flat-11", dynattrs_sync=100, dynattrs_aio=139)))

    assert [each.met for each in found if "asyncio" in each.found] == [True]


def test_every_goal_has_a_case_that_is_measured():
    cases = {f"{each.operation} {each.table.partition('.')[0]}" for each in Budget().cases("goals")}

    assert {goal.case for goal in GOALS} == cases
    assert {rival for goal in GOALS for rival, _ in goal.least} < set(RIVALS)


@pytest.mark.parametrize("name", ["flat-11", "nested-11", "mixed-11", "keyed-11", "vector-10"])
def test_a_row_becomes_what_the_server_expects(name: str):
    """The lines that make attribute maps are written by a program, so they are checked by one."""
    kind = shape(name)

    check_item(attribute_maps(kind)(kind.values(7)), kind.item(7))


def test_dicts_have_the_keys_that_a_library_without_templates_must_be_given():
    kind = shape("keyed-11")

    made = dicts(kind)(kind.values(7))

    assert made["sk"] == "SONG#Title 0000007"
    assert {name: made[name] for name in kind.values(7)} == kind.values(7)
