"""The names of a translated module: one for each class, function and table, none of them hidden."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from dynattrs.tools.generation.python_source import WIDTH, Bracketed, lines_of

#: Where the names come from that a source speaks of.
HOMES: Final = {
    "date": "datetime", "datetime": "datetime", "timedelta": "datetime", "timezone": "datetime",
    "Annotated": "typing", "Any": "typing", "UUID": "uuid",
}  # fmt: skip
OURS: Final = frozenset(
    (
        "GlobalIndex", "Json", "LocalIndex", "Table", "field", "model", "partition_key", "pynamodb",
        "sort_key",
    )
)  # fmt: skip
_BUILTINS: Final = frozenset(
    ("bool", "bytes", "dict", "float", "int", "list", "object", "set", "str", "tuple")
)
_RESERVED: Final = HOMES.keys() | OURS | _BUILTINS | {"attrs"}
#: What a constructor calls its object, what every class has, and what a class's body calls.
_OF_CLASSES: Final = frozenset(("field", "mro", "partition_key", "register", "self", "sort_key"))
#: Names that stand alone: `pynamodb.UUID` is not that of uuid.
WORDS: Final = re.compile(r"(?<![\w.\"])[A-Za-z_]\w*(?![\w\"=]|: )")


class Names:
    """Which name each object has.

    Attributes:
        imported: The names that come from other modules: the module, and the name there.
    """

    def __init__(self) -> None:
        self._names: dict[object, str] = {}
        self._taken: set[str] = set(_RESERVED)
        self.imported: dict[str, tuple[str, str]] = {}

    def of(self, key: object, *wanted: str) -> str:
        """The name of what *key* stands for: the first of those wanted that is free, or the last, with a
        number.
        """
        found = self._names.get(key)
        if found is None:
            numbered = (f"{wanted[-1]}{number}" for number in range(2, len(self._taken) + 3))
            found = next(each for each in (*wanted, *numbered) if each not in self._taken)
            self._names[key] = found
            self._taken.add(found)
        return found

    def of_class(self, cls: Any) -> str:
        """The name of a class of the module itself: that of one inside of another has both, if need be."""
        whole = "".join(part for part in cls.__qualname__.split(".") if part.isidentifier())
        return self.of(cls, cls.__name__, whole)

    def from_elsewhere(self, found: Any) -> str:
        """The name of a class or a function of another module, which is imported."""
        outer, _, inside = found.__qualname__.partition(".")
        own = self.of((found.__module__, outer), outer)
        self.imported[own] = (found.__module__, outer)
        return f"{own}.{inside}" if inside else own


def unhidden(names: list[str], words: set[str]) -> dict[str, str]:
    """The names of a class's fields: one that would hide a word that the class uses, or take the argument
    of another, has an underscore at its end.
    """
    hidden = _OF_CLASSES | words
    made: dict[str, str] = {}
    for name in names:
        own = name
        if own != own.lstrip("_") and own.lstrip("_") in names:
            own = own.lstrip("_") + "_"
        while own in hidden or own in made.values() or (own != name and own in names):
            own += "_"
        made[name] = own
    return made


def imports(homes: Mapping[str, str]) -> list[str]:
    """The lines that import names from their modules, and an empty one after each group."""
    found = []
    for home in sorted(set(homes.values())):
        names = sorted(name for name, own in homes.items() if own == home)
        flat = f"from {home} import {', '.join(names)}"
        found += (
            [flat] if len(flat) <= WIDTH else lines_of(Bracketed(f"from {home} import ", names))
        )
    return [*found, ""] if found else []


def variable_of(table: str) -> str:
    """The name of the variable of a table."""
    made = "".join(letter if letter.isalnum() else "_" for letter in table).strip("_").upper()
    return made if made[:1].isalpha() else f"TABLE_{made}"
