"""What checkers are shown in tests/typing, run: operands that are right to them are right, and those
that are wrong are refused.

So a line there without an ignore is not a mistake that a checker overlooks, and an ignore no false alarm.
"""

import __future__

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dynattrs import ConditionError, set_
from dynattrs.expressions.computed import Computed, operands
from dynattrs.expressions.conditions import PathOperand

pytest.importorskip("pydantic")

TYPING = Path(__file__).parents[1] / "typing"


@pytest.fixture(autouse=True)
def neighbours(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The files there import each other."""
    monkeypatch.syspath_prepend(TYPING)
    yield
    for name in ("things", "songs"):
        sys.modules.pop(name, None)


def statements(name: str) -> Iterator[tuple[str, bool, Any]]:
    """The statements of a file: as text, whether it is a call, and compiled."""
    for node in ast.parse((TYPING / name).read_text()).body:
        is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
        code = compile(
            ast.Module([node], []),
            name,
            "exec",
            flags=__future__.annotations.compiler_flag,
            dont_inherit=True,
        )
        yield f"line {node.lineno}: {ast.unparse(node)}", is_call, code


def test_operands_that_are_right_to_checkers_are_taken():
    namespace: dict[str, Any] = {}
    taken = 0

    for text, is_call, code in statements("operands_fine.py"):
        try:
            exec(code, namespace)
        except ConditionError as error:
            pytest.fail(f"{text}: {error}")
        taken += is_call

    assert taken > 400


def test_operands_that_are_wrong_to_checkers_are_refused():
    namespace: dict[str, Any] = {}
    refused = 0

    for text, is_call, code in statements("operands_wrong.py"):
        if not is_call:
            exec(code, namespace)
            continue
        expression = text.split(": ", 1)[1]
        with pytest.raises((ConditionError, TypeError)):
            used(eval(expression, namespace))
            pytest.fail(f"{text} is taken")
        refused += 1

    assert refused > 200


def used(value: Any) -> None:
    """What the service computes is checked where it is stored."""
    if isinstance(value, Computed):
        path = operands(value)[0]
        set_(path.path if isinstance(path, PathOperand) else path, value)
