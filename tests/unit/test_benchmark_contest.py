"""The contest of the benchmarks: what counts, and what is thrown out."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks import load
from benchmarks.contest import Case, Contest, Figure, Rounds, Wrong, spread
from benchmarks.environments import NeedsPython
from benchmarks.results import replaced, text
from benchmarks.worker import Worker

TABLE = "flat-11.10.20"


class Here:
    """The environment of the tests is the one of every rival."""

    def interpreter_of(self, rival: str) -> str:
        return sys.executable


@pytest.fixture(scope="module")
def contest() -> Iterator[Contest]:
    here: Any = Here()
    with Contest(here, print, strict=True) as contest:
        yield contest


# --- Right and wrong ------------------------------------------------------------------------------

OPERATIONS = ["read", "write", "made", "get", "put", "update"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_rival_that_does_what_it_should_is_measured_in_every_round(
    contest: Contest, operation: str
):
    rounds = contest.run(Case(operation, TABLE, 20), ["client", "resource"], rounds=2)

    assert {rival: len(values) for rival, values in rounds.values.items()} == {
        "client": 2, "resource": 2,
    }  # fmt: skip
    assert all(value and value > 0 for values in rounds.values.values() for value in values)


@pytest.mark.parametrize(
    ("operation", "complaint"),
    [
        ("read", "10 items were found, not 20"),
        ("get", r"item 1\.genre"),
        ("put", r"item\.plays"),
        ("write", "'items': 19"),
        ("made", "'items': 19"),
        ("update", r"item 1\.title"),
    ],
)
def test_a_quick_wrong_answer_fails(contest: Contest, operation: str, complaint: str):
    with pytest.raises(Wrong, match=complaint):
        contest.run(Case(operation, TABLE, 20), ["tests.wrong_rival"], rounds=1)


@pytest.mark.full
def test_who_fails_is_left_out_and_the_others_go_on():
    said: list[str] = []
    here: Any = Here()
    with Contest(here, said.append) as contest:
        rounds = contest.run(Case("get", TABLE, 20), ["client", "tests.wrong_rival"], rounds=1)

    assert list(rounds.values) == ["client"]
    (line,) = said
    assert "tests.wrong_rival" in line


def test_a_worker_names_what_it_is_and_what_it_can():
    with contextlib.closing(Worker("client", "http://127.0.0.1:1")) as worker:
        about = worker.about()

    assert about["label"] == "boto3 client (attribute maps)"
    assert about["operations"] == OPERATIONS
    assert set(about["versions"]) == {"boto3", "botocore"}


# --- Figures --------------------------------------------------------------------------------------


def test_spread_is_median_and_quartiles():
    assert spread([5, 1, 2, 4, 3]) == (3, 2, 4)
    assert spread([7]) == (7, 7, 7)


def test_a_ratio_is_that_of_two_measurements_of_one_round():
    """The machine was three times slower in the second round: it is not the rival's fault."""
    rounds = Rounds("read", "µs", {"dynattrs_sync": [1, 3, 1], "client": [2, 6, 2]})

    ours, theirs = rounds.figures({"dynattrs_sync": "dynattrs", "client": "client"})

    assert (ours.ratio, ours.median) == (None, 1)
    assert (theirs.ratio, theirs.ratio_low, theirs.ratio_high) == (2, 2, 2)


def test_figures_as_text_show_the_spread():
    figure = Figure("read", "client", "client", "µs", 39.5, 38.6, 140.4, 3.934, 3.29, 12.0)

    line = text([figure]).splitlines()[-1]

    assert line.split() == [
        "client",
        "39.5",
        "µs",
        "(38.6",
        "to",
        "140)",
        "x3.93",
        "(3.29",
        "to",
        "12.0)",
    ]


def test_a_table_takes_the_place_of_the_one_before():
    page = "a\n<!-- begin cold -->\nold\n<!-- end cold -->\nb\n"

    once = replaced(page, "cold", "new")

    assert once == "a\n<!-- begin cold -->\nnew\n<!-- end cold -->\nb\n"
    assert replaced(once, "cold", "new") == once
    with pytest.raises(ValueError, match="warm"):
        replaced(page, "warm", "new")


# --- Under load -----------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["get", "put"])
def test_calls_of_several_threads_are_measured_one_by_one(contest: Contest, operation: str):
    (client,) = contest.processes(["client"])
    case = Case(operation, "flat-11.10.20.5", 20)

    found = load.once(contest, client, case, 4)

    assert 0.005 <= found["p50"] <= found["p99"] <= found["p999"]
    # Five calls after each other, in each of four threads.
    assert 5 * 0.005 <= found["elapsed"] < 20 * found["p999"]


def test_a_wrong_answer_under_load_fails(contest: Contest):
    (wrong,) = contest.processes(["tests.wrong_rival"])

    with pytest.raises(Wrong, match=r"item 1\.genre"):
        load.once(contest, wrong, Case("get", "flat-11.10.20.5", 20), 4)


@pytest.mark.full
def test_who_needs_another_python_is_left_out_with_the_reason():
    """Also of a run that no failure may leave anything out of."""

    class Old(Here):
        def interpreter_of(self, rival: str) -> str:
            raise NeedsPython("it needs Python 9.9 or newer")

    old: Any = Old()
    with Contest(old, lambda _: None, strict=True) as contest:
        assert list(contest.processes(["client"])) == []
        assert contest.left_out == {"client": "it needs Python 9.9 or newer"}
