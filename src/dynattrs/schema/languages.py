"""The texts that a key template can make: as a regular expression, and whether two templates share one.

A language is a sequence of steps. Each step reads some characters, and a text is in the language if
the steps can read all of it, one after the other. Whether two languages have a text in common is
decided exactly: both are walked at once, over one character of each group that they treat alike.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

import attrs


@attrs.frozen
class Letters:
    """Some characters, one of them or as many as there are."""

    chars: frozenset[str]
    #: Whether *chars* are those that are meant, or all others are.
    others: bool = False
    many: bool = False

    @property
    def may_end(self) -> bool:
        """Whether the step may end wherever it is."""
        return self.many

    def after(self, seen: str, char: str) -> tuple[int, str] | None:
        """How many steps further *char* leads, and what the step there remembers; None if it leads
        nowhere.
        """
        if (char in self.chars) == self.others:
            return None
        return (0 if self.many else 1), ""

    def expression(self, count: int) -> str:
        if not self.chars:
            text = r"[\s\S]" if self.others else r"(?!)"
        else:
            text = _one_of(self.chars, others=self.others)
        return text + ("*" if self.many else "" if count == 1 else f"{{{count}}}")


@attrs.frozen
class Before:
    """Any text, and the *end* after it, which begins nowhere before."""

    end: str
    may_end: bool = attrs.field(default=False, init=False)

    def after(self, seen: str, char: str) -> tuple[int, str] | None:
        """As `Letters.after`: it remembers how much of *end* there is already."""
        text = seen + char
        return (1, "") if text == self.end else (0, _begun(text, (self.end,)))

    def expression(self, count: int) -> str:
        return (_without((self.end,)) + re.escape(self.end)) * count


@attrs.frozen
class Without:
    """Any text that holds none of *texts*."""

    texts: frozenset[str]
    may_end: bool = attrs.field(default=True, init=False)

    def after(self, seen: str, char: str) -> tuple[int, str] | None:
        """As `Letters.after`: it remembers how much of one of *texts* there is already."""
        text = seen + char
        return None if text.endswith(tuple(self.texts)) else (0, _begun(text, self.texts))

    def expression(self, count: int) -> str:
        return _without(sorted(self.texts)) * count


Step: TypeAlias = "Letters | Before | Without"


def _begun(text: str, whole: Iterable[str]) -> str:
    """The longest end of a text that one of some texts begins with."""
    return next(
        (text[n:] for n in range(len(text)) if any(each.startswith(text[n:]) for each in whole)), ""
    )


def _one_of(chars: Iterable[str], *, others: bool = False) -> str:
    return f"[{'^' if others else ''}{''.join(map(re.escape, sorted(chars)))}]"


def _without(texts: Sequence[str]) -> str:
    """Any text in which none of some texts begins, as a regular expression.

    No character is read in two ways, so nothing is tried twice.
    """
    if not texts:
        return r"[\s\S]*"
    plain = _one_of({text[0] for text in texts}, others=True) + "*"
    if all(len(text) == 1 for text in texts):
        return plain
    first = _one_of({text[0] for text in texts})
    return f"{plain}(?:(?!{'|'.join(map(re.escape, texts))}){first}{plain})*"


def pattern_of(language: Iterable[Step]) -> re.Pattern[str]:
    """A language as a regular expression."""
    runs = ((step, len(list(same))) for step, same in itertools.groupby(language))
    return re.compile("".join(step.expression(count) for step, count in runs))


# --- Whether two of them meet -------------------------------------------------------------------

#: The place of a step, and what it remembers of what it has read.
_State: TypeAlias = "tuple[int, str]"


def can_meet(one: Sequence[Step], other: Sequence[Step]) -> bool:
    """Whether some text is in both languages."""
    alphabet = _representatives((*one, *other))
    seen: set[tuple[_State, _State]] = set()
    open_: list[tuple[_State, _State]] = [((0, ""), (0, ""))]
    while open_:
        here = open_.pop()
        if here in seen:
            continue
        seen.add(here)
        mine, theirs = (
            list(_rests(language, at)) for language, at in zip((one, other), here, strict=True)
        )
        if mine[-1][0] == len(one) and theirs[-1][0] == len(other):
            return True
        for char in alphabet:
            firsts = _moves(one, mine, char)
            if firsts:
                seconds = _moves(other, theirs, char)
                open_ += itertools.product(firsts, seconds)
    return False


def _rests(language: Sequence[Step], state: _State) -> Iterator[_State]:
    """Where a language is at once: there, and after the steps that may end."""
    yield state
    at, _ = state
    while at < len(language) and language[at].may_end:
        at += 1
        yield at, ""


def _moves(language: Sequence[Step], states: Iterable[_State], char: str) -> list[_State]:
    found: list[_State] = []
    for at, seen in states:
        if at < len(language):
            after = language[at].after(seen, char)
            if after is not None:
                found.append((at + after[0], after[1]))
    return found


def _representatives(steps: Iterable[Step]) -> list[str]:
    """One character of each group that all of some steps treat alike."""
    sets: set[frozenset[str]] = set()
    for step in steps:
        if isinstance(step, Letters):
            sets.add(step.chars)
        else:
            texts = (step.end,) if isinstance(step, Before) else step.texts
            sets.update(frozenset(char) for text in texts for char in text)
    known = frozenset[str]().union(*sets)
    groups = {tuple(char in each for each in sets): char for char in sorted(known)}
    unknown = next(char for char in map(chr, range(0x110000)) if char not in known)
    return [*groups.values(), unknown]
