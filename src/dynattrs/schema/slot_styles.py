"""How the value of a field stands in a slot of a key template: as text, in a form and a width.

Templates themselves, and where their slots are, are `schema.templates`'.
"""

from __future__ import annotations

import datetime as dt
import re
import string
from collections.abc import Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Any, Final

import attrs

from dynattrs.schema.languages import Before, Letters, Step, Without
from dynattrs.schema.table import AttributeValue

#: Digits enough for every number that the service holds.
_DIGITS: Final = Context(prec=60)


class Unfit(Exception):
    """A value, or a template, that makes no key: what was expected, what was found, what to do."""

    def __init__(self, expected: str, found: str, hint: str = "") -> None:
        super().__init__(expected, found, hint)
        self.expected = expected
        self.found = found
        self.hint = hint
        #: The field that did not fit into its slot.
        self.field: str | None = None


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

    def language(self) -> tuple[Step, ...]:
        """What its texts are made of; more than them at most."""
        raise NotImplementedError

    def clamped(self, value: AttributeValue, *, up: bool) -> AttributeValue | None:
        """The nearest value that has a text, at or above (*up*) or at or below *value*; None where
        there is none on that side.
        """
        return value


def _payload(style: Style, value: AttributeValue) -> Any:
    if style.tag not in value:
        raise Unfit(TYPE_NAMES[style.tag], f"{next(iter(value), 'nothing')}")
    return value[style.tag]


TYPE_NAMES: Final = {
    "S": "a string (S)",
    "N": "a number (N)",
    "B": "bytes (B)",
    "BOOL": "a boolean (BOOL)",
}


@attrs.frozen
class Words(Style):
    """Text that ends where the template says.

    Attributes:
        end: The text that ends it, or "" in the last place. A separator is its whole text: where `::`
            follows, `a:b` is a text, and `a:` is not, because `a:::` would end after `a`.
        separators: What it does not hold in the last place, so that a template of more parts makes
            other keys.
    """

    end: str = ""
    separators: frozenset[str] = frozenset()

    def text(self, value: AttributeValue) -> str:
        text: str = _payload(self, value)
        end = self.end
        if end and (text + end).find(end) != len(text):
            raise (
                runs_into(end, text) if end[0].isalnum() or end not in text else _holds(end, text)
            )
        for separator in self.separators:
            if separator in text:
                raise _holds(separator, text)
        return text

    def may_begin(self, text: str) -> bool:
        """Whether some text that fits begins with *text*."""
        held = (self.end,) if self.end else self.separators
        return not any(each in text for each in held)

    def read(self, text: str) -> AttributeValue:
        return {"S": self.text({"S": text})}

    def language(self) -> tuple[Step, ...]:
        return (Before(self.end) if self.end else Without(self.separators),)


def _holds(separator: str, text: str) -> Unfit:
    return Unfit(
        f"text without {separator!r}, which separates the parts of the key",
        f"{text!r}",
        "put other separators into the template, or write {field:*} in its last place, which takes "
        "any text",
    )


def runs_into(end: str, text: str) -> Unfit:
    """For text that would not end where it ends when the key is read from the left."""
    return Unfit(
        f"text that does not run into the {end!r} after it",
        f"{text!r}",
        "put another separator into the template",
    )


@attrs.frozen
class Rest(Style):
    """Any text at all, at the end of a template: `{title:*}`."""

    def text(self, value: AttributeValue) -> str:
        text: str = _payload(self, value)
        return text

    def read(self, text: str) -> AttributeValue:
        return {"S": text}

    def language(self) -> tuple[Step, ...]:
        return (Without(frozenset()),)


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

    def language(self) -> tuple[Step, ...]:
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
        if len(text) != self.width or not self.letters.issuperset(text):
            raise Unfit(f"{self.width} digits", f"{text!r}")
        return {"N": str(int(text, 16 if self.base in "xX" else 10))}

    @property
    def letters(self) -> frozenset[str]:
        return _DECIMALS | set({"d": "", "x": "abcdef", "X": "ABCDEF"}[self.base])

    def language(self) -> tuple[Step, ...]:
        return (Letters(self.letters),) * self.width

    def clamped(self, value: AttributeValue, *, up: bool) -> AttributeValue | None:
        # (A time to live is an int, and compared with fractions.)
        rounding = ROUND_CEILING if up else ROUND_FLOOR
        number = Decimal(value["N"]).to_integral_value(rounding)
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

    def language(self) -> tuple[Step, ...]:
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

    def language(self) -> tuple[Step, ...]:
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
            part if where is None else text[slice(*where)]
            for part, where in directives(self.format)
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

    def language(self) -> tuple[Step, ...]:
        found: list[Letters] = []
        for part, where in directives(self.format):
            if where is None:
                found += [Letters(frozenset(each)) for each in part]
            else:
                found += [Letters(_DECIMALS)] * (where[1] - where[0])
        return tuple(found)


def directives(format_: str) -> Iterator[tuple[str, tuple[int, int] | None]]:
    """The pieces of a format of dates: plain text, or a directive, and where that is in an instant's."""
    for part, letter in _directives(format_):
        yield part, None if letter is None else _PLACES[letter]


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


@attrs.frozen
class Bytes(Style):
    """Bytes as they are, in a key of type B."""

    tag: str = "B"
