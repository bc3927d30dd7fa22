"""Key templates: key attributes that are made of an item's fields.

    @model(app, pk="USER#{user_id}", sk="ORDER#{placed}#{order_id:06d}")

A template is text with slots. What stands in a slot is made of the *stored* value of its field, so a
datetime is its ISO instant in UTC, an enum its value, and nested fields are reached with dots. The map
from fields to keys is injective: a value that holds one of the template's separators is refused, and
not escaped, because escaped text no longer sorts, begins and reads as the value does.

Nothing here knows classes or sessions: a template reads attribute maps and gives attribute values.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Context, Decimal
from typing import Any, Final, TypeAlias

import attrs

from dynattrs.schema.table import AttributeMap, AttributeValue, KeyType

#: Digits enough for every number that the service holds.
_DIGITS: Final = Context(prec=60)


class Unfit(Exception):
    """A value, or a template, that makes no key: what was expected, what was found, what to do."""

    def __init__(self, expected: str, found: str, hint: str = "") -> None:
        super().__init__(expected, found, hint)
        self.expected = expected
        self.found = found
        self.hint = hint
        #: The slot that did not take the value.
        self.slot: Slot | None = None


# --- How a value stands in a slot ---------------------------------------------------------------


@attrs.frozen
class Letters:
    """Some characters, one of them or as many as there are: a step of a template's language."""

    chars: frozenset[str]
    #: Whether *chars* are those that are meant, or all others are.
    others: bool = False
    many: bool = False

    def meets(self, other: Letters) -> bool:
        """Whether a character is in both."""
        if self.others and other.others:
            return True
        if self.others:
            return bool(other.chars - self.chars)
        return bool(self.chars - other.chars) if other.others else bool(self.chars & other.chars)


_DECIMALS: Final = frozenset(string.digits)


@attrs.frozen
class Style:
    """How the stored value of a field is written into a key, and read from it again.

    Attributes:
        tag: The type tag of the stored value.
        width: How many characters every text has, or None where that differs.
        ordered: Whether texts sort as the values do.
        exact: Whether the value can be read from its text.
    """

    tag: str = "S"
    width: int | None = None
    ordered: bool = True
    exact: bool = True

    def text(self, value: AttributeValue) -> str:
        """The text of a stored value.

        Raises:
            Unfit: It has none.
        """
        raise NotImplementedError

    def read(self, text: str) -> AttributeValue:
        """The stored value of a text.

        Raises:
            Unfit: It is the text of none.
        """
        raise NotImplementedError

    def language(self) -> tuple[Letters, ...]:
        """What its texts are made of; more than them at most."""
        raise NotImplementedError

    def clamped(self, value: AttributeValue, *, up: bool) -> AttributeValue | None:
        """The nearest value that has a text, at or above (*up*) or at or below *value*; None where
        there is none on that side.
        """
        return value


def _payload(style: Style, value: AttributeValue) -> Any:
    if style.tag not in value:
        raise Unfit(_TYPE_NAMES[style.tag], f"{next(iter(value), 'nothing')}")
    return value[style.tag]


_TYPE_NAMES: Final = {
    "S": "a string (S)",
    "N": "a number (N)",
    "B": "bytes (B)",
    "BOOL": "a boolean (BOOL)",
}


@attrs.frozen
class Words(Style):
    """Any text without the template's separators."""

    separators: frozenset[str] = frozenset()

    def text(self, value: AttributeValue) -> str:
        text: str = _payload(self, value)
        for character in self.separators:
            if character in text:
                raise Unfit(
                    f"text without {character!r}, which separates the parts of the key",
                    f"{text!r}",
                    "put other separators into the template, or write {field:*} in its last place, "
                    "which takes any text",
                )
        return text

    def read(self, text: str) -> AttributeValue:
        return {"S": text}

    def language(self) -> tuple[Letters, ...]:
        return (Letters(self.separators, others=True, many=True),)


@attrs.frozen
class Rest(Style):
    """Any text at all, at the end of a template: `{title:*}`."""

    def text(self, value: AttributeValue) -> str:
        text: str = _payload(self, value)
        return text

    def read(self, text: str) -> AttributeValue:
        return {"S": text}

    def language(self) -> tuple[Letters, ...]:
        return (Letters(frozenset(), others=True, many=True),)


@attrs.frozen
class Fixed(Style):
    """Text of one width: instants, dates, UUIDs."""

    width: int = 0
    letters: frozenset[str] = frozenset()
    what: str = ""

    def text(self, value: AttributeValue) -> str:
        text: str = _payload(self, value)
        if len(text) != self.width or not self.letters.issuperset(text):
            raise Unfit(self.what, f"{text!r}")
        return text

    def read(self, text: str) -> AttributeValue:
        return {"S": self.text({"S": text})}

    def language(self) -> tuple[Letters, ...]:
        return (Letters(self.letters),) * self.width


INSTANT: Final = Fixed(width=27, letters=_DECIMALS | set("-:T.Z"), what="an instant in UTC")
DATE: Final = Fixed(width=10, letters=_DECIMALS | {"-"}, what="a date")
TIME: Final = Fixed(width=15, letters=_DECIMALS | set(":."), what="a time")
ID: Final = Fixed(width=36, letters=frozenset("0123456789abcdef-"), what="a UUID")


@attrs.frozen
class Padded(Style):
    """An integer with leading zeros: `{number:06d}`. Texts sort as the numbers do."""

    tag: str = "N"
    width: int = 0
    base: str = "d"

    @property
    def most(self) -> int:
        return int((16 if self.base in "xX" else 10) ** self.width) - 1

    def text(self, value: AttributeValue) -> str:
        number = Decimal(_payload(self, value))
        if number != number.to_integral_value() or not 0 <= number <= self.most:
            raise Unfit(
                f"an integer from 0 to {self.most:,}, as {{...:0{self.width}{self.base}}} holds",
                f"{number}",
                "others would not sort as numbers; make the format wider",
            )
        return format(int(number), f"0{self.width}{self.base}")

    def read(self, text: str) -> AttributeValue:
        if len(text) != self.width or not next(iter(self.language())).chars.issuperset(text):
            raise Unfit(f"{self.width} digits", f"{text!r}")
        return {"N": str(int(text, 16 if self.base in "xX" else 10))}

    def language(self) -> tuple[Letters, ...]:
        letters = {"d": "", "x": "abcdef", "X": "ABCDEF"}[self.base]
        return (Letters(_DECIMALS | set(letters)),) * self.width

    def clamped(self, value: AttributeValue, *, up: bool) -> AttributeValue | None:
        number = Decimal(value["N"])
        if up:
            return None if number > self.most else {"N": str(max(number, Decimal(0)))}
        return None if number < 0 else {"N": str(min(number, Decimal(self.most)))}


@attrs.frozen
class Number(Style):
    """A number as it is written: one text for each value, which does not sort as numbers do."""

    tag: str = "N"
    ordered: bool = False

    def text(self, value: AttributeValue) -> str:
        number = Decimal(_payload(self, value))
        # 1, 1.0 and 1E0 are one number and one key.
        return format(number.normalize(_DIGITS), "f") if number else "0"

    def read(self, text: str) -> AttributeValue:
        if not re.fullmatch(r"-?\d+(\.\d+)?", text, re.ASCII):
            raise Unfit("a number", f"{text!r}")
        return {"N": text}

    def language(self) -> tuple[Letters, ...]:
        return (Letters(_DECIMALS | set("-.")), Letters(_DECIMALS | set("-."), many=True))


@attrs.frozen
class Truth(Style):
    """`false` and `true`."""

    tag: str = "BOOL"

    def text(self, value: AttributeValue) -> str:
        return "true" if _payload(self, value) else "false"

    def read(self, text: str) -> AttributeValue:
        if text not in ("true", "false"):
            raise Unfit("true or false", f"{text!r}")
        return {"BOOL": text == "true"}

    def language(self) -> tuple[Letters, ...]:
        return (Letters(frozenset("truefals"), many=True),)


_PLACES: Final = {
    "Y": (0, 4),
    "m": (5, 7),
    "d": (8, 10),
    "H": (11, 13),
    "M": (14, 16),
    "S": (17, 19),
}


@attrs.frozen
class Period(Style):
    """The period that an instant or a date falls in: `{placed:%Y-%m}`. In UTC.

    It sorts as time does where it goes from years downwards; what is finer is not in the key.
    """

    exact: bool = False
    format: str = ""

    def text(self, value: AttributeValue) -> str:
        text: str = _payload(self, value)
        if not re.match(r"\d{4}-\d\d-\d\d", text):
            raise Unfit("a date or an instant", f"{text!r}")
        return "".join(
            part if letter is None else text[slice(*_PLACES[letter])]
            for part, letter in _directives(self.format)
        )

    def read(self, text: str) -> AttributeValue:
        raise Unfit("a whole instant", f"the period {text!r}")

    def of_range(self, low: str, high: str, *, high_included: bool) -> str | None:
        """The one period that all values of a range fall in; None where there are several."""
        try:
            if not high_included:
                if len(high) == len("2026-11-01"):
                    high = (dt.date.fromisoformat(high) - dt.timedelta(days=1)).isoformat()
                else:
                    # Python 3.10 knows no "Z".
                    last = dt.datetime.fromisoformat(high[:26]) - dt.timedelta(microseconds=1)
                    high = last.isoformat(timespec="microseconds") + "Z"
            first = self.text({"S": low})
            return first if self.ordered and first == self.text({"S": high}) else None
        except (ValueError, OverflowError, Unfit):
            return None

    def language(self) -> tuple[Letters, ...]:
        found: list[Letters] = []
        for part, letter in _directives(self.format):
            if letter is None:
                found += [Letters(frozenset(each)) for each in part]
            else:
                start, end = _PLACES[letter]
                found += [Letters(_DECIMALS)] * (end - start)
        return tuple(found)


def _directives(format_: str) -> Iterator[tuple[str, str | None]]:
    """The pieces of a format of dates: plain text, or a directive's letter."""
    for piece in re.findall(r"%.|[^%]+", format_):
        yield (piece, piece[1]) if piece[0] == "%" else (piece, None)


def period(format_: str, *, date_only: bool) -> Period:
    """The style of a format of dates.

    Raises:
        Unfit: It has other directives than %Y, %m, %d, %H, %M and %S.
    """
    known = "Ymd" if date_only else "YmdHMS"
    letters = [letter for _, letter in _directives(format_) if letter is not None]
    if "%" in re.sub(r"%.", "", format_) or any(letter not in known for letter in letters):
        raise Unfit(f"a format of {', '.join('%' + letter for letter in known)}", f"{format_!r}")
    ordered = "YmdHMS".startswith("".join(letters))
    made = Period(ordered=ordered, format=format_)
    return attrs.evolve(made, width=len(made.language()))


# --- Templates ----------------------------------------------------------------------------------


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


def value_at(item: Mapping[str, Any], steps: Sequence[str | int]) -> AttributeValue | None:
    """The value at a path through maps; None where there is none, or NULL."""
    value: Any = {"M": item}
    for step in steps:
        inside = value.get("M")
        value = None if inside is None else inside.get(step)
        if value is None:
            return None
    return None if "NULL" in value else value


Part: TypeAlias = "str | Slot"
#: What fills a slot: its steps and its style, of the field's name and the format.
Resolve: TypeAlias = Callable[[str, str, frozenset[str]], "tuple[tuple[str, ...], Style]"]


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
            self._check_end(place, slot, text)
        except Unfit as unfit:
            unfit.slot = slot
            raise
        return text

    def _check_end(self, place: int, slot: Slot, text: str) -> None:
        """Refuse text that would not end where it ends when the key is read from the left."""
        after = self.after(place)
        if slot.style.width is None and after and (text + after).find(after) != len(text):
            raise Unfit(
                f"text that does not run into the {after!r} after it",
                f"{text!r}",
                "put another separator into the template",
            )

    def after(self, place: int) -> str:
        part = self.parts[place + 1] if place + 1 < len(self.parts) else ""
        return part if isinstance(part, str) else ""

    def read(self, value: AttributeValue) -> dict[tuple[str, ...], AttributeValue]:
        """The stored values of its fields, by steps, as far as they can be read from the key.

        Raises:
            Unfit: The key was not made by this template.
        """
        if self.tag not in value:
            raise Unfit(_TYPE_NAMES[self.tag], f"{next(iter(value), 'nothing')}")
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
            width, after = part.style.width, self.after(place)
            if width is not None:
                end = at + width
            elif not after:
                end = len(text)
            else:
                end = text.find(after, at)
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
    def language(self) -> tuple[Letters, ...]:
        """What its texts are made of."""
        found: list[Letters] = []
        for part in self.parts:
            if isinstance(part, str):
                found += [Letters(frozenset(each)) for each in part]
            else:
                found += part.style.language()
        return tuple(found)

    @property
    def pattern(self) -> re.Pattern[str]:
        """Its language as a regular expression."""
        runs = ((letters, len(list(same))) for letters, same in itertools.groupby(self.language))
        return re.compile("".join(_expression(letters, count) for letters, count in runs))


def _expression(letters: Letters, count: int) -> str:
    """*count* times the same letters, as a regular expression."""
    if not letters.chars:
        text = r"[\s\S]"
    else:
        listed = "".join(map(re.escape, sorted(letters.chars)))
        text = f"[{'^' if letters.others else ''}{listed}]"
    return text + ("*" if letters.many else "" if count == 1 else f"{{{count}}}")


def parse(attribute: str, tag: KeyType, written: Any, resolve: Resolve) -> Template:
    """A template as it was written in a declaration.

    Raises:
        Unfit: It is none, or its fields do not fit into a key.
    """
    if tag != "S":
        return _parse_plain(attribute, tag, written, resolve)
    if not isinstance(written, str):
        raise Unfit("a template, which is text", f"{written!r}")
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
                "without it nobody could tell where one ends; write '#' there",
            )  # fmt: skip
        steps, style = resolve(name, spec, separators)
        if isinstance(style, Rest) and place != len(pieces) - 1:
            raise Unfit(f"{{{name}:*}} at the end", "text after it", "it takes all that follows")
        parts.append(Slot(name, steps, style))
    if not parts:
        raise Unfit("a template that is not empty", "''", "DynamoDB has no empty keys")
    constant = {"S": written_text(parts)} if all(isinstance(p, str) for p in parts) else None
    return Template(attribute, tag, written, tuple(parts), constant)


def written_text(parts: Sequence[Part]) -> str:
    return "".join(part for part in parts if isinstance(part, str))


def _parse_plain(attribute: str, tag: KeyType, written: Any, resolve: Resolve) -> Template:
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
    steps, style = resolve(name, "", frozenset())
    if style.tag != tag:
        raise Unfit(f"a field that is stored as {_TYPE_NAMES[tag]}", f"{name!r}, which is not")
    return Template(attribute, tag, written, (Slot(name, steps, style),))


@attrs.frozen
class Bytes(Style):
    """Bytes as they are, in a key of type B."""

    tag: str = "B"


def pieces_of(written: str) -> Iterator[tuple[str, str | None, str]]:
    """Text, the field after it, and its format. At the end there may be text alone.

    Raises:
        Unfit: Braces that do not close, conversions, positions, indexing.
    """
    try:
        pieces = list(string.Formatter().parse(written))
    except ValueError as error:
        raise Unfit("a template such as 'ORDER#{order_id:06d}'", f"{written!r}: {error}") from None
    for text, name, spec, conversion in pieces:
        if conversion:
            raise Unfit("a field without conversion", f"{{{name}!{conversion}}}")
        if name is not None and not all(part.isidentifier() for part in name.split(".")):
            raise Unfit("a field's name, with dots where it is nested", f"{{{name}}}")
        if spec and "{" in spec:
            raise Unfit("a plain format", f"{{{name}:{spec}}}")
        yield text, name, spec or ""


def _separators(pieces: Sequence[tuple[str, str | None, str]]) -> frozenset[str]:
    """The characters at which text and slots meet, except letters and digits."""
    found: set[str] = set()
    for place, (text, name, _) in enumerate(pieces):
        if not text:
            continue
        if name is not None:
            found.add(text[-1])
        if place and pieces[place - 1][1] is not None:
            found.add(text[0])
    return frozenset(character for character in found if not character.isalnum())


def can_meet(one: Sequence[Letters], other: Sequence[Letters]) -> bool:
    """Whether some text is in both languages."""
    seen: set[tuple[int, int]] = set()
    open_: list[tuple[int, int]] = [(0, 0)]
    while open_:
        here = open_.pop()
        if here in seen:
            continue
        seen.add(here)
        i, j = here
        if i == len(one) and j == len(other):
            return True
        if i < len(one) and one[i].many:
            open_.append((i + 1, j))
        if j < len(other) and other[j].many:
            open_.append((i, j + 1))
        if i < len(one) and j < len(other) and one[i].meets(other[j]):
            open_.append((i + (not one[i].many), j + (not other[j].many)))
    return False
