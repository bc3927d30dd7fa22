"""Python source: names that are names, and calls that break where a formatter breaks them."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

import attrs

WIDTH: Final = 88

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def words_of(text: str) -> list[str]:
    """The words of a name, however it joins them: `GSI1-PK`, `playerLevel`, `sort_key`."""
    return _WORDS.findall(text)


def snake(text: str) -> str:
    """A name of a field or a variable. Digits stay with the word before them."""
    made = re.sub(r"_(\d)", r"\1", "_".join(words_of(text)).lower())
    if not made or made[0].isdigit():
        made = f"field_{made}".rstrip("_")
    return f"{made}_" if keyword.iskeyword(made) or made in _TAKEN else made


def pascal(text: str) -> str:
    """A name of a class. A short word in capitals keeps them only where it stands alone."""
    words = words_of(text)
    made = "".join(word[:1].upper() + word[1:].lower() for word in words)
    if not made or made[0].isdigit():
        made = f"Item{made}"
    return f"{made}Item" if keyword.iskeyword(made) or made in _CLASSES_TAKEN else made


#: What the generated module uses, which a field or a variable must not hide; what a constructor calls
#: its object; and what every class has, so that `Model.mro` is not a path.
_TAKEN: Final = frozenset(
    (
        "bool", "bytes", "date", "datetime", "dict", "field", "float", "int", "list", "model", "mro",
        "register", "self", "set", "str",
    )
)  # fmt: skip
_CLASSES_TAKEN: Final = frozenset(
    (
        "Any",
        "Decimal",
        "GlobalIndex",
        "LocalIndex",
        "OnDemand",
        "Provisioned",
        "Table",
        "UUID",
        "VectorIndex",
    )
)


class Names:
    """Gives each thing a name that nothing else has."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def take(self, wanted: str) -> str:
        name, number = wanted, 2
        while name in self._taken:
            name, number = (
                f"{wanted}_{number}" if wanted.islower() else f"{wanted}{number}",
                number + 1,
            )
        self._taken.add(name)
        return name


def literal(text: str) -> str:
    """Text as a literal, in double quotes where a formatter would have them."""
    written = repr(text)
    if written[0] == "'" and '"' not in text:
        return '"' + written[1:-1].replace("\\'", "'") + '"'
    return written


@attrs.frozen
class Bracketed:
    """Something with brackets: `head(args)`, `[args]`, `{args}`."""

    head: str
    args: Sequence[Code]
    brackets: str = "()"
    #: What follows the closing bracket.
    tail: str = ""

    def __str__(self) -> str:
        inside = ", ".join(map(str, self.args))
        return f"{self.head}{self.brackets[0]}{inside}{self.brackets[1]}{self.tail}"


Code: TypeAlias = "str | Bracketed"


def lines_of(source: Code, indent: int = 0, tail: str = "") -> list[str]:
    """The lines of a source, one argument to a line where it does not fit into one."""
    flat = f"{' ' * indent}{source}{tail}"
    if isinstance(source, str) or not source.args or len(flat) <= WIDTH:
        return [flat]
    found = [f"{' ' * indent}{source.head}{source.brackets[0]}"]
    for arg in source.args:
        found += lines_of(arg, indent + 4, ",")
    return [*found, f"{' ' * indent}{source.brackets[1]}{source.tail}{tail}"]
