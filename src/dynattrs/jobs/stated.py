"""Conditions as JSON, for a job's record and for workers: what a program has stated as `where=`.

Only conditions come of it when it is read, whatever is written there.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from dynattrs.errors import ModelError
from dynattrs.expressions import conditions
from dynattrs.expressions.conditions import (
    Condition,
    PathOperand,
    Size,
    Value,
    condition,
    place_operand,
)
from dynattrs.expressions.paths import Path, data_of
from dynattrs.jobs.importable import importable_name, imported
from dynattrs.mapper.anything import native

#: The classes that a condition is made of, by their names.
_KINDS: Final[Mapping[str, type[Any]]] = {
    each.__name__: each
    for each in (
        conditions.Between,
        conditions.Comparison,
        conditions.Constant,
        conditions.Function,
        conditions.In,
        conditions.IsNone,
        conditions.Joined,
        conditions.Not,
        PathOperand,
        Size,
    )
}


def stated(where: object, owner: str) -> dict[str, Any] | None:
    """What was given as `where=` as JSON; None for nothing.

    Raises:
        ConditionError: It is no condition.
        ModelError: It names fields of a model that other processes cannot import.
    """
    if where is None:
        return None
    found = condition(where)
    return {"text": str(found), "condition": _plain(found, owner)}


def condition_of(description: Mapping[str, Any] | None) -> Condition | None:
    """The condition that `stated` has described. It can be rendered, and shown.

    Raises:
        ModelError: It describes none, or a model that cannot be imported.
    """
    if description is None:
        return None
    try:
        found = _made(description["condition"])
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ModelError("Job", f"{description!r} describes no condition: {error}") from error
    if not isinstance(found, Condition):
        raise ModelError("Job", f"{description!r} describes no condition")
    return found


def _plain(part: object, owner: str) -> Any:
    if isinstance(part, Path):
        data = data_of(part)
        model = importable_name(data.model, owner)
        return {"model": model, "steps": list(data.steps), "label": data.label}
    if isinstance(part, Value):
        return {"value": _text(part.stored), "written": str(part)}
    if isinstance(part, tuple):
        return [_plain(each, owner) for each in part]
    if type(part).__name__ in _KINDS:
        cls: Any = type(part)
        fields = [each.name for each in attrs.fields(cls) if each.init]
        return {"kind": cls.__name__, **{n: _plain(getattr(part, n), owner) for n in fields}}
    assert part is None or isinstance(part, (str, bool)), part
    return part


def _made(plain: Any) -> Any:
    if isinstance(plain, Mapping):
        if "value" in plain:
            return Value(native(plain["value"]), _Written(plain["written"]))
        if "steps" in plain:
            model = imported(plain["model"], "Job")
            return place_operand(model, tuple(plain["steps"]), plain["label"]).path
        fields = {name: _made(each) for name, each in plain.items() if name != "kind"}
        return _KINDS[plain["kind"]](**fields)
    if isinstance(plain, Sequence) and not isinstance(plain, str):
        return tuple(map(_made, plain))
    return plain


class _Written:
    """Stands in a condition for a value that a program has written."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _text(value: Any) -> Any:
    """A stored value with bytes in base64."""
    if isinstance(value, Mapping):
        return {name: _text(each) for name, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_text(each) for each in value]
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode()
    return value
