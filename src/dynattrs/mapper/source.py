"""Functions that are generated as text: what reading and writing objects is made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Source:
    """Lines of a function and the objects they name.

    Args:
        name: The function's name.
        arguments: Its parameters.
        names: The objects, shared by functions that call each other.
    """

    def __init__(self, name: str, arguments: str, names: dict[str, Any] | None = None) -> None:
        self.name = name
        self.lines = [f"def {name}({arguments}):"]
        self.globals: dict[str, Any] = {} if names is None else names

    def add(self, *lines: str) -> None:
        self.lines.extend("    " + line for line in lines)

    def function(self, of: type[object] | str) -> Any:
        text = "\n".join(self.lines)
        what = of if isinstance(of, str) else f"{of.__module__}.{of.__qualname__}"
        filename = f"<dynattrs {self.name} {what}>"
        exec(compile(text, filename, "exec"), self.globals)  # noqa: S102 - names are ours, or repr
        return self.globals[self.name]


def bind(names: dict[str, Any], stem: str, value: object) -> str:
    """A name for an object in generated code, beginning with *stem*."""
    name = f"{stem}_{len(names)}"
    names[name] = value
    return name


def indented(lines: Iterable[str]) -> list[str]:
    return ["    " + line for line in lines]
