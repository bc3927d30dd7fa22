"""The parts of a partition that several key conditions ask for, as parts that have no item in common.

The sort key of an index may be of several attributes. So a place between its keys is a *cut*: before, or
after, everything whose sort key begins with some values. A key condition asks for what lies between two
cuts; which cuts these may be is what one condition can state: equalities, then one range.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

import attrs

from dynattrs.expressions.conditions import (
    Comparison,
    Condition,
    PathOperand,
    all_conditions,
    any_conditions,
    conjunctions,
)
from dynattrs.keys.bounds import is_equality
from dynattrs.keys.plans import Plan
from dynattrs.keys.ranges import Range, as_value, comparisons, fold, range_of_keys, stored_in
from dynattrs.schema.ordering import order_of
from dynattrs.schema.table import AttributeValue

_BEFORE: Final = -1
_AFTER: Final = 1
#: What sorts as a cut does.
_Order: TypeAlias = "tuple[tuple[Any, ...], ...]"


@attrs.frozen
class Cut:
    """Before (-1) or after (1) all sort keys that begin with some values."""

    values: tuple[AttributeValue, ...]
    side: int

    @property
    def order(self) -> _Order:
        return (*((0, order_of(value)) for value in self.values), (self.side,))

    def around(self) -> Iterator[Cut]:
        """The cuts around everything that begins as this one does, so that what lies between two
        neighbours can be stated.
        """
        for length in range(len(self.values)):
            yield Cut(self.values[:length], _BEFORE)
            yield Cut(self.values[:length], _AFTER)


@attrs.frozen
class Span:
    """What lies between two cuts of one partition."""

    begin: Cut
    end: Cut

    @classmethod
    def of(cls, sort: Sequence[Condition], left_out: AttributeValue | None) -> Span:
        """What a key condition asks for: equalities, then one range at most.

        Args:
            sort: Its conditions on the sort key.
            left_out: The value at the upper end of the range that is left out on receipt.
        """
        values: list[AttributeValue] = []
        for part in sort:
            if is_equality(part):
                values.append(stored_in(part.right))
                continue
            whole, span = tuple(values), range_of_keys(part)
            if left_out is not None:
                span = attrs.evolve(span, high=left_out, high_included=False)
            begin, end = Cut(whole, _BEFORE), Cut(whole, _AFTER)
            if span.low is not None:
                begin = Cut((*whole, span.low), _BEFORE if span.low_included else _AFTER)
            if span.high is not None:
                end = Cut((*whole, span.high), _AFTER if span.high_included else _BEFORE)
            return cls(begin, end)
        return cls(Cut(tuple(values), _BEFORE), Cut(tuple(values), _AFTER))

    def said(self) -> tuple[tuple[AttributeValue, ...], Range] | None:
        """The same as equalities and one range; None where that cannot state it."""
        first, last = self.begin, self.end
        for length in range(len(first.values), max(len(first.values) - 2, -1), -1):
            alike = first.values[:length]
            low = _bound(first, alike, _BEFORE)
            high = _bound(last, alike, _AFTER)
            if low is not None and high is not None:
                return alike, Range(low[0], first.side == _BEFORE, high[0], last.side == _AFTER)
        return None


def _bound(
    cut: Cut, alike: tuple[AttributeValue, ...], outer: int
) -> tuple[AttributeValue | None] | None:
    """The value at which a cut ends a range, None for an open end; None if it ends no range of the
    attribute after the ones that are *alike*.
    """
    length = len(alike)
    if [*map(order_of, cut.values[:length])] != [*map(order_of, alike)]:
        return None
    if len(cut.values) == length and cut.side == outer:
        return (None,)
    return (cut.values[length],) if len(cut.values) == length + 1 else None


# --- Plans ------------------------------------------------------------------------------------------


@attrs.frozen
class Operands:
    """The attributes of an index key as operands, and whether a value may be one of them."""

    partition: int
    sort: tuple[PathOperand, ...]
    may_be: Callable[[str, AttributeValue], bool]


def span_of(plan: Plan, operands: Operands) -> Span:
    """What a plan asks for of its partition."""
    left_out = None if plan.excluded is None else plan.excluded[1]
    return Span.of(plan.key[operands.partition :], left_out)


def asking_for(plan: Plan, span: Span, operands: Operands) -> Plan | None:
    """A plan that asks for another part of the partition; None where no key is in that.

    The part must be one that a key condition can state.
    """
    said = span.said()
    assert said is not None
    values, within = said
    key: list[Condition] = [
        Comparison("=", operand, as_value(value))
        for operand, value in zip(operands.sort, values, strict=False)
    ]
    excluded = None
    if within.low is not None or within.high is not None:
        operand = operands.sort[len(values)]
        folded = fold((), comparisons(operand, within))
        if folded is None:
            return None
        condition, left_out = folded
        key += [condition] if condition is not None else []
        attribute = str(operand.steps[0])
        if left_out is not None and operands.may_be(attribute, left_out):
            excluded = attribute, left_out
    return attrs.evolve(plan, key=(*plan.key[: operands.partition], *key), excluded=excluded)


def disjoint(plans: Sequence[Plan], operands: Operands) -> list[Plan]:
    """Plans of one partition as plans that ask for the same items, each item once, in ascending order."""
    if len(plans) == 1:
        return [*plans]
    spans = [span_of(plan, operands) for plan in plans]
    cuts: dict[_Order, Cut] = {}
    begins: dict[_Order, list[int]] = {}
    ends: dict[_Order, list[int]] = {}
    for number, span in enumerate(spans):
        for cut in (span.begin, span.end):
            for each in (cut, *cut.around()):
                cuts.setdefault(each.order, each)
        begins.setdefault(span.begin.order, []).append(number)
        ends.setdefault(span.end.order, []).append(number)
    found: list[tuple[Span, tuple[int, ...], object]] = []
    asked: dict[int, None] = {}
    orders = sorted(cuts)
    for place, order in enumerate(orders[:-1]):
        for number in ends.get(order, ()):
            asked.pop(number, None)
        asked.update(dict.fromkeys(n for n in begins.get(order, ()) if spans[n].end.order > order))
        if not asked:
            continue
        span = Span(cuts[order], cuts[orders[place + 1]])
        some = tuple(asked)
        what = _meaning([plans[number] for number in some])
        if found and found[-1][0].end == span.begin and found[-1][2] == what:
            whole = Span(found[-1][0].begin, span.end)
            if whole.said() is not None:
                found[-1] = whole, (*dict.fromkeys((*found[-1][1], *some)),), what
                continue
        found.append((span, some, what))
    return [*_as_plans(found, plans, spans, operands)]


def _as_plans(
    found: Iterable[tuple[Span, tuple[int, ...], object]],
    plans: Sequence[Plan],
    spans: Sequence[Span],
    operands: Operands,
) -> Iterator[Plan]:
    for span, numbers, _ in found:
        whole = _either([plans[number] for number in numbers])
        for number in numbers:
            own = spans[number]
            if (own.begin.order, own.end.order) == (span.begin.order, span.end.order):
                # As it was stated.
                key, excluded = plans[number].key, plans[number].excluded
                yield attrs.evolve(whole, key=key, excluded=excluded)
                break
        else:
            made = asking_for(whole, span, operands)
            if made is not None:
                yield made


def _meaning(plans: Iterable[Plan]) -> object:
    """What some plans ask besides keys: equal for what is the same condition."""
    return frozenset(
        (frozenset(map(id, _filters(plan))), frozenset(map(id, plan.again))) for plan in plans
    )


def _filters(plan: Plan) -> list[Condition]:
    return [] if plan.filter is None else conjunctions([plan.filter])


def _either(plans: Sequence[Plan]) -> Plan:
    """A plan that finds what any of some plans finds, where their key conditions all hold."""
    filter_ = _one_of([_filters(plan) for plan in plans])
    again = _one_of([plan.again for plan in plans])
    return attrs.evolve(
        plans[0],
        filter=all_conditions(filter_) if filter_ else None,
        again=tuple(again),
    )


def _one_of(several: Sequence[Sequence[Condition]]) -> list[Condition]:
    """Conditions that all hold where all of one of several lists do."""
    in_all = [
        each
        for each in several[0]
        if all(any(each is one for one in other) for other in several[1:])
    ]
    rest = [[each for each in one if not any(each is kept for kept in in_all)] for one in several]
    if all(rest) and rest:
        distinct = {frozenset(map(id, each)): each for each in rest}
        in_all.append(any_conditions([all_conditions(each) for each in distinct.values()]))
    return in_all


def behind(
    plan: Plan, item: Sequence[AttributeValue], operands: Operands, *, reverse: bool, also: bool
) -> list[Plan]:
    """What a plan asks for behind a sort key, in the order of reading.

    Args:
        plan: A plan of one partition.
        item: The sort key, all of its attributes.
        operands: Those of the index.
        reverse: Whether items are read in descending order.
        also: Whether items of that very sort key are asked for as well.
    """
    span = span_of(plan, operands)
    at = Cut(tuple(item), _BEFORE if also != reverse else _AFTER)
    begin, end = span.begin.order, span.end.order
    if (at.order <= begin) if not reverse else (at.order >= end):
        return [plan]
    if (at.order >= end) if not reverse else (at.order <= begin):
        return []
    first, last = (at, span.end) if not reverse else (span.begin, at)
    inside = {each.order: each for each in at.around() if first.order < each.order < last.order}
    cuts = [first, *(inside[order] for order in sorted(inside)), last]
    made = [asking_for(plan, Span(*pair), operands) for pair in itertools.pairwise(cuts)]
    kept = [each for each in made if each is not None]
    return kept[::-1] if reverse else kept
