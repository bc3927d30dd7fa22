"""Two checkouts beside each other: what is compared, and that each brings its own files."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from benchmarks.against import Cell, Comparison
from benchmarks.contest import Contest
from benchmarks.environments import ROOT
from benchmarks.suites import SMOKE


class Here:
    """The environment of the tests is the one of every rival."""

    def interpreter_of(self, rival: str) -> str:
        assert "@" not in rival
        return sys.executable


def cell(there: list[float], here: list[float]) -> Cell:
    return Cell("read", "ms", there, here)


def test_what_counts_is_the_ratio_of_the_medians():
    assert cell([1.0, 2.0, 9.0], [3.0, 1.0, 30.0]).ratio == 1.5


def test_a_cell_differs_that_is_more_than_a_tenth_away():
    assert not cell([10.0], [10.9]).differs
    assert not cell([10.0], [9.1]).differs
    assert cell([10.0], [11.2]).differs
    assert "!" in str(cell([10.0], [8.0]))


@pytest.mark.full
def test_a_checkout_beside_itself_gives_a_cell_for_each_operation():
    here: Any = Here()
    with Contest(here, print, strict=True) as contest:
        found = list(Comparison(contest, here, SMOKE, ROOT).cells("table", ["dynattrs_sync"]))

    operations = ["read", "write", "get", "put", "update"]
    assert [each.name.split()[1] for each in found] == operations
