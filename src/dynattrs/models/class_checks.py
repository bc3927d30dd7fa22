"""Which classes `@model` takes, and what it says about those that it cannot make a model of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dynattrs.deferral import pattern
from dynattrs.errors import ModelError

#: What attrs says of a field without a default behind one with a default.
_OUT_OF_ORDER = pattern(r"No mandatory attributes allowed after .*?name='(\w+)'")

#: What marks the fields that are the key of a table's only model.
_MARKERS: Final = ("partition_key", "sort_key")


def check_plain(cls: type[Any]) -> None:
    """Refuse classes that other libraries have made: attrs cannot make them again.

    Raises:
        ModelError: It names the way to map such a class.
    """
    if "__attrs_attrs__" in cls.__dict__:
        return
    mapped = f"map_class({cls.__name__}, ...) below the class"
    if "__dataclass_fields__" in cls.__dict__:
        raise ModelError(
            cls.__name__,
            f"it is a dataclass; remove @dataclass, or leave @model out and write {mapped}",
        )
    other = _other_kind(cls)
    if other:
        raise ModelError(
            cls.__name__,
            f"it is {other}, which @model cannot make a model of; leave @model, partition_key() and "
            f"sort_key() out, and write {mapped}",
        )


def _other_kind(cls: type[Any]) -> str:
    if hasattr(cls, "model_fields") and hasattr(cls, "model_config"):
        return "a pydantic model"
    return "a msgspec struct" if hasattr(cls, "__struct_fields__") else ""


def order_refused(cls: type[Any], error: ValueError) -> ModelError | None:
    """What attrs refused because of the order of the fields, with a way out; None for another error."""
    found = _OUT_OF_ORDER.search(str(error))
    if found is None:
        return None
    name = found[1]
    return ModelError(
        f"{cls.__name__}.{name}",
        "a field without a default stands behind a field with one; move it up, give it a default, or "
        "write @model(..., kw_only=True), with which the constructor takes names only",
    )


def refuse_fields_as_options(cls: type[object], options: Mapping[str, object]) -> None:
    """Refuse names of fields where templates of keys stand: `@model("songs", partition_key="artist")`."""
    named = [each for each in _MARKERS if options.get(each) and "{" not in str(options[each])]
    if named:
        said = ", ".join(f"{options[each]}: str = {each}()" for each in named)
        raise ModelError(
            cls.__name__,
            f"{', '.join(named)}: in a table of one model its fields say which of them are the key; "
            f"write {said} in the class",
        )
