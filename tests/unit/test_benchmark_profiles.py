"""The profile of the benchmarks: what a tick of the clock counts for."""

from __future__ import annotations

import sys

import pytest

from benchmarks import profiles
from benchmarks.contest import Figure
from benchmarks.results import _profile
from dynattrs.wire import sigv4


def test_shares_are_of_all_ticks():
    pytest.importorskip("resource")  # no such clock on Windows

    found = profiles.measured(lambda: sum(range(10_000)), 10, seconds=0.05)

    assert found["microseconds"] > 0
    assert sum(found["parts"].values()) == pytest.approx(1)


def test_what_belongs_to_no_part_counts_for_its_caller():
    """A regular expression, say, that the signature is made with."""
    file = sigv4.__file__
    names: dict[str, object] = {"sys": sys}
    exec(compile("def signing(callee): return callee()", file, "exec"), names)
    signing = names["signing"]
    assert callable(signing)

    found = signing(lambda: [profiles._part(each) for each in profiles._outwards(sys._getframe())])

    assert next(filter(None, found)) == "signature and time"


def test_the_table_has_a_column_for_each_call_and_library():
    figures = [
        Figure("get", part, part, f"µs a call, {when}", value, value, value)
        for when, value in (("before", 30.0), ("now", 10.0))
        for part in ("signature and time", "the rest")
    ]

    table = _profile(figures).splitlines()

    assert table[0] == "| µs of CPU, and share | GetItem: before | GetItem: now |"
    assert "30.0 · 50% | 10.0 · 50%" in table[2]
    assert "**60.0** | **20.0**" in table[-1]
