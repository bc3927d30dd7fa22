"""Conditions that one key condition cannot state, as several that can: `in_`, `|` and `!=`.

Each alternative is a conjunction, and an item satisfies the whole if it satisfies one of them; they may
overlap (see `dynattrs.keys.intervals`). Only what speaks of keys is taken apart, the rest stays as it
is. A negation is turned into ranges only of the queried key's own attributes, which every item there
has: of others `!=` is true where there is none.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, TypeAlias

import attrs

from dynattrs.expressions.conditions import (
    Between,
    Comparison,
    Condition,
    Function,
    In,
    Joined,
    Not,
    Operand,
    Operator,
    PathOperand,
    Value,
    paths_in,
)
from dynattrs.expressions.paths import data_of
from dynattrs.keys.bounds import is_equality, key_place
from dynattrs.keys.ranges import after_prefix, as_value, fold, operand_of, stored_in
from dynattrs.schema.ordering import order_of, place_of

Place: TypeAlias = "tuple[str | int, ...]"
#: Conditions that must all be true.
Alternative: TypeAlias = "tuple[Condition, ...]"

_OPPOSITE: Final[dict[Operator, tuple[Operator, ...]]] = {
    "=": ("<", ">"), "<>": ("=",), "<": (">=",), "<=": (">",), ">": ("<=",), ">=": ("<",)
}  # fmt: skip


class TooMany(Exception):
    """There are more alternatives than are wanted."""


def may_fork(part: Condition) -> bool:
    """Whether a condition may have several alternatives."""
    unequal = isinstance(part, Comparison) and part.operator == "<>"
    return unequal or isinstance(part, (In, Joined, Not))


def speaks_of(part: Condition, places: Collection[Place]) -> bool:
    """Whether a condition is on one of some places."""
    return any(data_of(path).steps in places for path in paths_in(part))


@attrs.frozen
class Alternatives:
    """Takes conditions apart.

    Attributes:
        places: What keys are made of: conditions on these are taken apart.
        own: The places among them that are key attributes, which every item has.
        most: How many alternatives there are at most, before `TooMany`.
        alike: Keep one of those that bind the same places in the same way.
    """

    places: Collection[Place]
    own: Collection[Place]
    most: int
    alike: bool = False

    def of_all(self, parts: Iterable[Condition]) -> list[Alternative]:
        """The alternatives of conditions that must all be true.

        Raises:
            TooMany: There are more than wanted.
        """
        found: list[Alternative] = [()]
        for part in self._gathered(parts):
            found = self._both(found, self._of(part))
        return found

    def _gathered(self, parts: Iterable[Condition]) -> Iterator[Condition]:
        """The conditions, with all that a key attribute differs from in one: that is one more range each."""
        differs: dict[Place, list[Comparison]] = {}
        for part in parts:
            if isinstance(part, Comparison) and part.operator == "<>" and self._is_own(part):
                differs.setdefault(operand_of(part).steps, []).append(part)
            else:
                yield part
        for some in differs.values():
            values = tuple([each.right for each in some])
            yield some[0] if len(some) == 1 else Not(In(operand_of(some[0]), values))

    def _of(self, part: Condition) -> list[Alternative]:
        if not speaks_of(part, self.places):
            return [(part,)]
        if isinstance(part, In):
            return self._of_choices(part)
        if isinstance(part, Joined):
            if part.word == "AND":
                return self.of_all(part.parts)
            return self._either([self._of(each) for each in part.parts])
        if isinstance(part, Not):
            return self._opposite(part.part)
        if isinstance(part, Comparison) and part.operator == "<>" and self._is_own(part):
            return self._ranges(attrs.evolve(part, operator="="))
        return [(part,)]

    def _of_choices(self, part: In) -> list[Alternative]:
        operand = part.operand
        if not isinstance(operand, PathOperand) or not _all_values(part.values):
            return [(part,)]
        some = part.values[:1] if self.alike else part.values
        first: dict[object, Operand] = {}
        for each in some:
            first.setdefault(place_of(stored_in(each)), each)
        return self._checked([(Comparison("=", operand, each),) for each in first.values()])

    def _opposite(self, part: Condition) -> list[Alternative]:
        """The alternatives of what a condition is not."""
        if isinstance(part, Joined):
            each = [self._of(~one) for one in part.parts]
            if part.word == "AND":
                return self._either(each)
            found: list[Alternative] = [()]
            for alternatives in each:
                found = self._both(found, alternatives)
            return found
        if isinstance(part, In):
            operand = part.operand
            if not (isinstance(operand, PathOperand) and operand.steps in self.own):
                return [(Not(part),)]
            if not _all_values(part.values):
                return [(Not(part),)]
            return self._checked(self._alike(_between(operand, part.values)))
        if not self._is_own(part):
            return [(Not(part),)]
        return self._ranges(part)

    def _is_own(self, part: Condition) -> bool:
        """Whether a condition compares a key attribute with values."""
        if isinstance(part, Comparison) and part.operator == "<>":
            part = attrs.evolve(part, operator="=")
        return key_place(part) in self.own

    def _ranges(self, part: Condition) -> list[Alternative]:
        """The values of a key attribute that a condition on it leaves out."""
        if isinstance(part, Comparison):
            signs = _OPPOSITE[part.operator]
            return self._alike([(attrs.evolve(part, operator=sign),) for sign in signs])
        if isinstance(part, Between):
            operand, low, high = part.operand, stored_in(part.low), stored_in(part.high)
        else:
            assert isinstance(part, Function)
            operand, low, high = part.operand, stored_in(part.argument), None
        below: Condition = Comparison("<", operand, as_value(low))
        above: Condition | None
        if high is not None:
            above = Comparison(">", operand, as_value(high))
        else:
            after = after_prefix(low)
            above = None if after is None else Comparison(">=", operand, as_value(after))
        return self._alike([(below,), *([(above,)] if above is not None else [])])

    # --- Joining ---

    def _either(self, several: Iterable[list[Alternative]]) -> list[Alternative]:
        return self._alike(self._checked([*itertools.chain.from_iterable(several)]))

    def _both(self, some: list[Alternative], others: list[Alternative]) -> list[Alternative]:
        if len(some) * len(others) > 100 * self.most:
            raise TooMany
        pairs = [(*one, *other) for one in some for other in others]
        if len(some) > 1 or len(others) > 1:
            pairs = [pair for pair in pairs if not self._contradicts(pair)]
        return self._alike(self._checked(pairs))

    def _checked(self, found: list[Alternative]) -> list[Alternative]:
        if len(found) > self.most and not self.alike:
            raise TooMany
        return found

    def _alike(self, found: list[Alternative]) -> list[Alternative]:
        if not self.alike:
            return found
        shapes = {
            frozenset(
                (key_place(part), is_equality(part))
                for part in alternative
                if key_place(part) in self.places
            ): alternative
            for alternative in reversed(found)
        }
        return [*reversed(shapes.values())]

    def _contradicts(self, parts: Alternative) -> bool:
        """Whether what an alternative says of one place cannot be true of any value."""
        if self.alike:
            return False
        said: dict[Place, list[Condition]] = {}
        for part in parts:
            place = key_place(part)
            if place in self.places:
                assert place is not None
                said.setdefault(place, []).append(part)
        return any(
            len(each) > 1 and _is_empty(each, own=place in self.own) for place, each in said.items()
        )


def _between(operand: PathOperand, values: Iterable[Operand]) -> list[Alternative]:
    """The ranges of an operand that some values leave."""
    by_order = {order_of(stored_in(each)): each for each in values}
    ends = [by_order[order] for order in sorted(by_order)]
    above: list[Alternative] = [(), *((Comparison(">", operand, each),) for each in ends)]
    below: list[Alternative] = [*((Comparison("<", operand, each),) for each in ends), ()]
    return [(*one, *other) for one, other in zip(above, below, strict=True)]


def _all_values(operands: Sequence[object]) -> bool:
    return all(isinstance(each, Value) and "NULL" not in each.stored for each in operands)


def _is_empty(parts: Sequence[Condition], *, own: bool) -> bool:
    equal = [part for part in parts if is_equality(part)]
    if any(
        place_of(stored_in(each.right)) != place_of(stored_in(equal[0].right)) for each in equal
    ):
        return True
    if not own:
        return False
    return fold(equal, [part for part in parts if not is_equality(part)]) is None
