"""What `benchmarks/walks.py` counts: modules that a walk enters, and returns to one of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.walks import BOUNDS, Step, counted, longer_than_bound, stretches


def walk(modules: str, thread: int = 1) -> list[Step]:
    return [Step(thread, module, "function", generated=False) for module in modules]


def test_a_step_within_a_module_is_neither_an_entry_nor_a_return():
    assert counted(walk("aaa")) == (1, 0)


def test_each_way_back_into_a_module_that_was_entered_is_a_return():
    assert counted(walk("abacbb")) == (3, 2)


def test_each_thread_walks_by_itself():
    mixed = [step for pair in zip(walk("aaa", 1), walk("bbb", 2), strict=True) for step in pair]

    assert counted(mixed) == (2, 0)
    assert [module for module, _ in stretches(mixed)] == ["a", "b"]


def test_a_walk_beyond_its_bound_is_named():
    name, (modules, _) = next(iter(BOUNDS.items()))
    walks = {each: walk("a") for each in BOUNDS}

    assert longer_than_bound(walks) == []
    walks[name] = walk("".join(map(chr, range(97, 98 + modules))))
    assert longer_than_bound(walks) == [name]


@pytest.mark.full
def test_no_walk_is_longer_than_it_may_be():
    """A call is short to read: few modules, and seldom back to one of them."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "benchmarks.walks", "--check"]

    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
