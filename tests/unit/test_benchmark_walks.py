"""What `benchmarks/walks.py` counts: modules that a walk enters, and returns to one of them."""

from __future__ import annotations

from benchmarks.walks import Step, counted, stretches


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
