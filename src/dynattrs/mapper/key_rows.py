"""Code that takes the keys of rows apart: for fields that are stored nowhere else.

It does what `ModelKeys.restore` and `Template.read` do, step by step, for one model's templates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dynattrs.late_classes import frozen
from dynattrs.schema.model_info import ComputedKeys
from dynattrs.schema.slot_styles import Fixed, Padded, Rest, Style, Words
from dynattrs.schema.templates import Template


@frozen
class Taken:
    """What the generated code leaves of a field.

    Attributes:
        tag: The type tag of its stored value.
        payload: The code of that value's payload, as JSON has it.
        number: The code of an int, where it is one.
    """

    tag: str
    payload: str
    number: str | None = None


def from_keys(
    keys: ComputedKeys, payload: Callable[[str, str], str], bind: Callable[[str, Any], str]
) -> tuple[list[str], dict[str, Taken]]:
    """The lines that take the primary key of a row apart, and what they leave, by stored names.

    They do what `ModelKeys.restore` and `Template.read` do, step by step, for one model's templates.
    They raise where those do, and where the reply is not as expected.

    Args:
        keys: The model's.
        payload: Gives the code of a key attribute's payload, by its name and type tag.
        bind: Gives an object a name in the code, beginning with some text.

    Raises:
        ModelError: A template does not fit the fields.
    """
    hidden = [keys.names[name] for name in keys.key_only]
    lines: list[str] = []
    taken: dict[tuple[str, ...], Taken] = {}
    for attribute in keys.table.key if hidden else ():
        template: Template | None = keys.templates.get(attribute)
        if template is None:
            continue
        lines.append(f"key = {payload(attribute, template.tag)}")
        if template.constant is not None:
            continue
        if template.tag == "S":
            _read_text(template, lines, taken, bind)
            continue
        whole = f"key_{len(lines)}"
        lines.append(f"{whole} = key")
        taken[template.slots[0].steps] = Taken(template.tag, whole)
    return lines, {name: taken[(name,)] for name in hidden}


def _read_text(
    template: Template,
    lines: list[str],
    taken: dict[tuple[str, ...], Taken],
    bind: Callable[[str, Any], str],
) -> None:
    at, before = _At(), ""
    for place, part in enumerate(template.parts):
        if isinstance(part, str):
            lines.append(f"if key[{at}:{at + len(part)}] != {part!r}: raise Unreadable")
            at, before = at + len(part), part
            continue
        name, ending = f"key_{len(lines)}", template.end(place)
        if part.style.width is not None:
            # That the key is long enough is seen at its end.
            end = at + part.style.width
            lines.append(f"{name} = key[{at}:{end}]")
        elif ending:
            end = _At(f"end_{len(lines)}")
            lines += [
                f"{end} = key.find({ending!r}, {at})",
                f"if {end} < 0: raise Unreadable",
                f"{name} = key[{at}:{end}]",
            ]
        else:
            end = _At("len(key)")
            if not before:
                lines.append(f"if {at} > len(key): raise Unreadable")
            lines.append(f"{name} = key[{at}:]")
        if part.style.exact:
            more, found = _read(part.style, name, bind)
            lines += more
            # A field may be in the key twice: the later one counts, as everywhere.
            taken[part.steps] = found
        at, before = end, ""
    if at != _At("len(key)"):
        lines.append(f"if {at} != len(key): raise Unreadable")


@frozen
class _At:
    """A place in a key: behind some variable, so many characters."""

    base: str = ""
    offset: int = 0

    def __add__(self, more: int) -> _At:
        return _At(self.base, self.offset + more)

    def __str__(self) -> str:
        if not self.base:
            return str(self.offset)
        return f"{self.base} + {self.offset}" if self.offset else self.base


def _read(style: Style, name: str, bind: Callable[[str, Any], str]) -> tuple[list[str], Taken]:
    """The lines that check a slot's text, as `style.read` does, and what they leave."""
    if type(style) is Words and style.separators:
        held = " or ".join(f"{each!r} in {name}" for each in sorted(style.separators))
        return [f"if {held}: raise Unreadable"], Taken(style.tag, name)
    if type(style) in (Words, Rest):
        return [], Taken(style.tag, name)
    if isinstance(style, Padded) and style.base == "d":
        digits = f"if not ({name}.isdecimal() and {name}.isascii()): raise Unreadable"
        return [digits], Taken(style.tag, f"str(int({name}))", f"int({name})")
    if isinstance(style, (Fixed, Padded)):
        letters = "".join(sorted(style.letters)).encode()
        check = f"if {name}.encode().translate(None, {letters!r}): raise Unreadable"
        if isinstance(style, Fixed):
            return [check], Taken(style.tag, name)
        return [check], Taken(style.tag, f"str(int({name}, 16))", f"int({name}, 16)")
    return [f"{name} = {bind('read', style.read)}({name})[{style.tag!r}]"], Taken(style.tag, name)
