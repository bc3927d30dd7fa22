"""Code that takes the keys of rows apart: for fields that are stored nowhere else.

It does what `ModelKeys.restore` and `Template.read` do, step by step, for one model's templates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from dynattrs.schema.model_info import ComputedKeys
from dynattrs.schema.slot_styles import Fixed, Padded, Rest, Style, Words
from dynattrs.schema.templates import Slot, Template


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
    lines.append("at = 0")
    for place, part in enumerate(template.parts):
        if isinstance(part, str):
            lines += [
                f"if not key.startswith({part!r}, at): raise Unreadable",
                f"at += {len(part)}",
            ]
            continue
        lines += [
            _end(part, template.end(place)),
            "if not at <= end <= len(key): raise Unreadable",
        ]
        if part.style.exact:
            payload = f"key_{len(lines)}"
            lines += _payload(part.style, payload, bind)
            # A field may be in the key twice: the later one counts, as everywhere.
            taken[part.steps] = Taken(part.style.tag, payload)
        lines.append("at = end")
    lines.append("if at != len(key): raise Unreadable")


def _end(slot: Slot, ending: str) -> str:
    if slot.style.width is not None:
        return f"end = at + {slot.style.width}"
    return f"end = key.find({ending!r}, at)" if ending else "end = len(key)"


def _payload(style: Style, name: str, bind: Callable[[str, Any], str]) -> list[str]:
    """The lines that read a slot's text, `key[at:end]`, as `style.read` does."""
    text = f"{name} = key[at:end]"
    if type(style) is Words and style.separators:
        held = " or ".join(f"{each!r} in {name}" for each in sorted(style.separators))
        return [text, f"if {held}: raise Unreadable"]
    if type(style) in (Words, Rest):
        return [text]
    if not isinstance(style, (Fixed, Padded)):
        return [f"{name} = {bind('read', style.read)}(key[at:end])[{style.tag!r}]"]
    lines = [text, f"if not {bind('letters', style.letters.issuperset)}({name}): raise Unreadable"]
    if isinstance(style, Padded):
        base = ", 16" if style.base in ("x", "X") else ""
        lines.append(f"{name} = str(int({name}{base}))")
    return lines
