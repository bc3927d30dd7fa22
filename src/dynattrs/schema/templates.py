"""Key templates: key attributes that are made of an item's fields.

    @model(app, pk="USER#{user_id}", sk="ORDER#{placed}#{order_id:06d}")

A template is text with slots. What stands in a slot is made of the *stored* value of its field, so a
datetime is its ISO instant in UTC, an enum its value, and nested fields are reached with dots. The map
from fields to keys is injective: a key is read from the left, and a value that would not end where it
ends, at the separator after it, is refused. It is not escaped, because escaped text no longer sorts,
begins and reads as the value does. A separator is its whole text, the characters that are neither
letters nor digits at which text and slots meet (or the whole text, where it begins with one).

Nothing here knows classes or sessions: a template reads attribute maps and gives attribute values.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, TypeAlias

import attrs

from dynattrs.schema.languages import Letters, Step, pattern_of
from dynattrs.schema.slot_styles import TYPE_NAMES, Rest, Style, Unfit, Words, runs_into
from dynattrs.schema.table import AttributeMap, AttributeValue, KeyType

#: What an f-string makes of `{id}` where no such variable is meant: `<built-in function id>`.
_OF_AN_OBJECT: Final = re.compile(r"<(class|function|module|bound method|built-in) |<\S.* at 0x")


@attrs.frozen
class Slot:
    """A place in a template that a field fills.

    Attributes:
        name: The field, with dots where it is nested: `address.country`.
        steps: Where its stored value is in the item.
        style: How that is written.
    """

    name: str
    steps: tuple[str, ...]
    style: Style

    def stored(self, item: AttributeMap) -> AttributeValue | None:
        """Its stored value; None where the field is None."""
        return value_at(item, self.steps)


def value_at(item: Mapping[str, object], steps: Sequence[str | int]) -> AttributeValue | None:
    """The value at a path through maps; None where there is none, or NULL."""
    value: Any = {"M": item}
    for step in steps:
        inside = value.get("M")
        value = None if inside is None else inside.get(step)
        if value is None:
            return None
    return None if "NULL" in value else value


Part: TypeAlias = "str | Slot"
#: What fills a slot: its steps and its style, of the field's name, the format, and how any text would
#: be written there.
Resolve: TypeAlias = Callable[[str, str, Words], "tuple[tuple[str, ...], Style]"]


@attrs.frozen
class Template:
    """One key attribute as text with slots, or as the number or bytes of one field, or a constant.

    Attributes:
        attribute: The key attribute.
        tag: Its type.
        written: The template as it was written.
        parts: Text and slots in their order; for numbers and bytes the one slot.
        constant: The value, where there is no slot.
    """

    attribute: str
    tag: KeyType
    written: Any
    parts: tuple[Part, ...]
    constant: AttributeValue | None = None

    @property
    def slots(self) -> tuple[Slot, ...]:
        return tuple(part for part in self.parts if isinstance(part, Slot))

    def uses(self, attribute: str) -> bool:
        """Whether it is made of a top-level attribute, or of something inside it."""
        return any(slot.steps[0] == attribute for slot in self.slots)

    def of(self, item: AttributeMap) -> AttributeValue | None:
        """The key attribute's value for an item; None where one of its fields is None.

        Raises:
            Unfit: A value has no text here; it has the slot.
        """
        if self.constant is not None:
            return self.constant
        texts = []
        for place, part in enumerate(self.parts):
            if isinstance(part, str):
                texts.append(part)
                continue
            value = part.stored(item)
            if value is None:
                return None
            if self.tag != "S":
                return value
            texts.append(self.text(place, value))
        return {"S": "".join(texts)}

    def text(self, place: int, value: AttributeValue) -> str:
        """The text of a stored value in the slot at *place*.

        Raises:
            Unfit: It has none.
        """
        slot = self.parts[place]
        assert isinstance(slot, Slot)
        try:
            text = slot.style.text(value)
            end = "" if isinstance(slot.style, Words) else self.end(place)
            if end and (text + end).find(end) != len(text):
                raise runs_into(end, text)
        except Unfit as unfit:
            unfit.field = slot.name
            raise
        return text

    def after(self, place: int) -> str:
        """The text of the template after a slot."""
        part = self.parts[place + 1] if place + 1 < len(self.parts) else ""
        return part if isinstance(part, str) else ""

    def end(self, place: int) -> str:
        """The text that ends a slot's where it begins first; "" where its width does, or the key."""
        slot = self.parts[place]
        assert isinstance(slot, Slot)
        if slot.style.width is not None:
            return ""
        return slot.style.end if isinstance(slot.style, Words) else self.after(place)

    def may_end_inside(self, place: int, beginning: str) -> bool:
        """Whether a slot's text may be shorter than *beginning* in a key that goes on with it, because
        the rest of it is what follows the slot.
        """
        after = self.after(place)
        for length in range(len(beginning) if after else 0):
            rest = beginning[length:]
            if after.startswith(rest) or rest.startswith(after):
                with contextlib.suppress(Unfit):
                    self.text(place, {"S": beginning[:length]})
                    return True
        return False

    def read(self, value: AttributeValue) -> dict[tuple[str, ...], AttributeValue]:
        """The stored values of its fields, by steps, as far as they can be read from the key.

        Raises:
            Unfit: The key was not made by this template.
        """
        if self.tag not in value:
            raise Unfit(TYPE_NAMES[self.tag], f"{next(iter(value), 'nothing')}")
        if self.constant is not None:
            return {}
        if self.tag != "S":
            return {self.slots[0].steps: value}
        found: dict[tuple[str, ...], AttributeValue] = {}
        text, at = value["S"], 0
        for place, part in enumerate(self.parts):
            if isinstance(part, str):
                if not text.startswith(part, at):
                    raise self._unlike(text)
                at += len(part)
                continue
            width, ending = part.style.width, self.end(place)
            if width is not None:
                end = at + width
            elif not ending:
                end = len(text)
            else:
                end = text.find(ending, at)
            if end < at or end > len(text):
                raise self._unlike(text)
            if part.style.exact:
                found[part.steps] = part.style.read(text[at:end])
            at = end
        if at != len(text):
            raise self._unlike(text)
        return found

    def _unlike(self, text: str) -> Unfit:
        return Unfit(f"a key like {self.written!r}", f"{text!r}")

    @property
    def language(self) -> tuple[Step, ...]:
        """What its texts are made of."""
        found: list[Step] = []
        taken = ""
        for place, part in enumerate(self.parts):
            if isinstance(part, str):
                found += [Letters(frozenset(each)) for each in part[len(taken) :]]
                taken = ""
            else:
                found += part.style.language()
                # What ends a text is a part of its language.
                taken = self.end(place) if isinstance(part.style, Words) else ""
        return tuple(found)

    @property
    def pattern(self) -> re.Pattern[str]:
        """Its language as a regular expression."""
        return pattern_of(self.language)


def parse(attribute: str, tag: KeyType, written: object, resolve: Resolve) -> Template:
    """A template as it was written in a declaration.

    Raises:
        Unfit: It is none, or its fields do not fit into a key.
    """
    if tag != "S":
        return _parse_plain(attribute, tag, written, resolve)
    if not isinstance(written, str):
        raise Unfit("a template, which is text", f"{written!r}")
    if _OF_AN_OBJECT.search(written):
        raise Unfit(
            "fields in braces, such as 'USER#{id}'", f"the name of an object of Python, {written!r}",
            "write it without the f before its quotes",
        )  # fmt: skip
    pieces = list(pieces_of(written))
    separators = _separators(pieces)
    parts: list[Part] = []
    for place, (text, name, spec) in enumerate(pieces):
        if text:
            parts.append(text)
        if name is None:
            continue
        if parts and isinstance(parts[-1], Slot) and parts[-1].style.width is None:
            raise Unfit(
                f"text between {{{parts[-1].name}}} and {{{name}}}", "none",
                "without it one could not be told from the next; write '#' there",
            )  # fmt: skip
        following = pieces[place + 1][0] if place + 1 < len(pieces) else ""
        end = _first_run(following) or following
        words = Words(end=end, separators=frozenset() if end else separators)
        steps, style = resolve(name, spec, words)
        if isinstance(style, Rest) and place != len(pieces) - 1:
            raise Unfit(f"{{{name}:*}} at the end", "text after it", "it takes all that follows")
        parts.append(Slot(name, steps, style))
    if not parts:
        raise Unfit("a template that is not empty", "''", "DynamoDB has no empty keys")
    constant = {"S": written_text(parts)} if all(isinstance(p, str) for p in parts) else None
    return Template(attribute, tag, written, tuple(parts), constant)


def written_text(parts: Sequence[Part]) -> str:
    return "".join(part for part in parts if isinstance(part, str))


def _parse_plain(attribute: str, tag: KeyType, written: object, resolve: Resolve) -> Template:
    """A key attribute of numbers or bytes: a constant, or one field as it is stored."""
    if tag == "N" and isinstance(written, (int, Decimal)) and not isinstance(written, bool):
        return Template(attribute, tag, written, (), {"N": str(written)})
    if tag == "B" and isinstance(written, bytes):
        return Template(attribute, tag, written, (), {"B": written})
    pieces = list(pieces_of(written)) if isinstance(written, str) else []
    if len(pieces) != 1 or pieces[0][0] or pieces[0][1] is None or pieces[0][2]:
        constant = "a number" if tag == "N" else "bytes"
        raise Unfit(
            f"one field, '{{field}}', or {constant}: the key attribute is of type {tag}",
            f"{written!r}",
        )
    name = pieces[0][1]
    steps, style = resolve(name, "", Words())
    if style.tag != tag:
        raise Unfit(f"a field that is stored as {TYPE_NAMES[tag]}", f"{name!r}, which is not")
    return Template(attribute, tag, written, (Slot(name, steps, style),))


def pieces_of(written: str) -> Iterator[tuple[str, str | None, str]]:
    """Text, the field after it, and its format. At the end there may be text alone.

    Raises:
        Unfit: Braces that do not close, conversions, positions, indexing.
    """
    try:
        pieces = list(string.Formatter().parse(written))
    except ValueError as error:
        raise Unfit("a template such as 'ORDER#{order_id:06d}'", f"{written!r}: {error}") from None
    before = ""
    for text, name, spec, conversion in pieces:
        if conversion:
            raise Unfit("a field without conversion", f"{{{name}!{conversion}}}")
        if name is not None and not all(part.isidentifier() for part in name.split(".")):
            raise Unfit("a field's name, with dots where it is nested", f"{{{name}}}")
        if spec and "{" in spec:
            raise Unfit("a plain format", f"{{{name}:{spec}}}")
        # A brace that stands for itself ends a piece of the formatter, and no separator.
        before += text
        if name is not None:
            yield before, name, spec or ""
            before = ""
    if before:
        yield before, None, ""


def _separators(pieces: Sequence[tuple[str, str | None, str]]) -> frozenset[str]:
    """What separates the parts of a template: where its text meets a slot, the characters that are
    neither letters nor digits.
    """
    found: set[str] = set()
    for place, (text, name, _) in enumerate(pieces):
        if name is not None:
            found.add(_first_run(text[::-1])[::-1])
        if place:
            found.add(_first_run(text))
    return frozenset(found - {""})


def _first_run(text: str) -> str:
    """The characters that a text begins with and that are neither letters nor digits."""
    return "".join(itertools.takewhile(lambda character: not character.isalnum(), text))
