"""Fields that are stored in keys only, in rows: straight-line code that takes the keys apart.

It does what `ModelKeys.restore` and `Template.read` do, step by step, for one model's templates. It
raises where they do, and where the reply is not as expected; the general way says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from dynattrs.schema.templates import Fixed, Padded, Rest, Slot, Style, Template, Words


@attrs.frozen
class Taken:
    """What the generated code leaves of a field.

    Attributes:
        tag: The type tag of its stored value.
        payload: The name of that value's payload, as JSON has it.
    """

    tag: str
    payload: str


def from_keys(
    keys: Any, places: Mapping[str, str], bind: Callable[[str, Any], str]
) -> tuple[list[str], dict[str, Taken]]:
    """The lines that take the primary key of a row apart, and what they leave, by stored names.

    Args:
        keys: The model's, a `ModelKeys`.
        places: The row's members by the attributes' names.
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
        key = f"row.{places[attribute]}"
        lines.append(f"key = {key}[{template.kind!r}]")
        if template.constant is not None:
            continue
        lines.append("if type(key) is not str: raise Unreadable")
        if template.kind == "S":
            _read_text(template, lines, taken, bind)
            continue
        payload = f"key_{len(lines)}"
        lines += [f"if len({key}) != 1: raise Unreadable", f"{payload} = key"]
        taken[template.slots[0].steps] = Taken(template.kind, payload)
    return lines, {name: taken[(name,)] for name in hidden}


def _read_text(
    template: Template,
    lines: list[str],
    taken: dict[tuple[str, ...], Taken],
    bind: Callable[[str, Any], str],
) -> None:
    lines.append("at = 0")
    for place, part in enumerate(template.parts):
        if isinstance(part, str):
            lines += [
                f"if not key.startswith({part!r}, at): raise Unreadable",
                f"at += {len(part)}",
            ]
            continue
        lines += [
            _end(part, template.after(place)),
            "if not at <= end <= len(key): raise Unreadable",
        ]
        if part.style.exact:
            payload = f"key_{len(lines)}"
            lines += _payload(part.style, payload, bind)
            # A field may be in the key twice: the later one counts, as everywhere.
            taken[part.steps] = Taken(part.style.kind, payload)
        lines.append("at = end")
    lines.append("if at != len(key): raise Unreadable")


def _end(slot: Slot, after: str) -> str:
    if slot.style.width is not None:
        return f"end = at + {slot.style.width}"
    return f"end = key.find({after!r}, at)" if after else "end = len(key)"


def _payload(style: Style, name: str, bind: Callable[[str, Any], str]) -> list[str]:
    """The lines that read a slot's text, `key[at:end]`, as `style.read` does."""
    text = f"{name} = key[at:end]"
    if type(style) in (Words, Rest):
        return [text]
    if type(style) not in (Fixed, Padded):
        return [f"{name} = {bind('read', style.read)}(key[at:end])[{style.kind!r}]"]
    # `read` makes the letters anew for each text, which takes longer than all of this.
    letters = frozenset[str]().union(*(each.chars for each in style.language()))
    lines = [text, f"if not {bind('letters', letters.issuperset)}({name}): raise Unreadable"]
    if isinstance(style, Padded):
        base = ", 16" if style.base in ("x", "X") else ""
        lines.append(f"{name} = str(int({name}{base}))")
    return lines
