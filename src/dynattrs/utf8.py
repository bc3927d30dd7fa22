r"""Text that has no UTF-8 form: half of a character, which `json.loads` makes of `"\ud800"`.

No request can hold it. It is refused in the same words wherever it is met.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

EXPECTED: Final = "text that has a UTF-8 form"
HINT: Final = "it is half of a character: decode the text with errors='replace'"


def encodable(text: str) -> bool:
    """Whether a text has a UTF-8 form."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def found(text: str) -> str:
    """What is wrong with a text that has none, for a message."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"a lone surrogate, {text[error.start]!r}"
    return "none"


def as_bytes(text: str) -> bytes:
    """The bytes by which texts are ordered and counted, also of one that is refused later."""
    return text.encode("utf-8", "surrogatepass")


def unencodable(value: object, place: str = "") -> Iterator[tuple[str, str]]:
    """The places inside a value, and the texts there that have no UTF-8 form."""
    if isinstance(value, str):
        if not encodable(value):
            yield place, value
    elif isinstance(value, Mapping):
        for name, member in value.items():
            yield from unencodable(name, place)
            yield from unencodable(member, f"{place}[{name!r}]")
    elif isinstance(value, (list, tuple)):
        for position, member in enumerate(value):
            yield from unencodable(member, f"{place}[{position}]")
