"""What all kinds of indexes are declared with: names, and what of an item they hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, TypeAlias

import attrs

from dynattrs.errors import ModelError
from dynattrs.schema.option_values import check_names, is_several, several

KeyType: TypeAlias = Literal["S", "N", "B"]
Projection: TypeAlias = "Literal['all', 'keys'] | Sequence[str]"
KEY_TYPES: Final = ("S", "N", "B")

_NAME = re.compile(r"[A-Za-z0-9_.-]{3,255}")


def names_of(value: str | Sequence[str] | None) -> tuple[str, ...]:
    return several(value)


def as_projection(value: Projection) -> Projection:
    given: object = value
    return tuple(value) if is_several(given) else value


def check_key_names(
    instance: Any, attribute: attrs.Attribute[tuple[str, ...]], value: Iterable[object]
) -> None:
    check_names(f"{type(instance).__name__}({instance.name!r})", attribute.name, value)


def check_resource_name(instance: object, _: attrs.Attribute[str] | None, value: str) -> None:
    if not _NAME.fullmatch(str(value)):
        what = "a table" if type(instance).__name__ == "Table" else "an index"
        raise ModelError(
            f"{type(instance).__name__}({value!r})",
            f"the name of {what} has 3 to 255 characters of a-z, A-Z, 0-9, '_', '-' and '.', and is not "
            f"{value!r}",
        )


def check_projection(instance: Any, attribute: attrs.Attribute[Projection], value: Any) -> None:
    if not isinstance(value, tuple) and value not in ("all", "keys"):
        raise ModelError(
            f"{type(instance).__name__}({instance.name!r})",
            f"projection={value!r}: write 'all', 'keys' or a list of names",
        )
    if isinstance(value, tuple):
        check_names(f"{type(instance).__name__}({instance.name!r})", "projection", value)
