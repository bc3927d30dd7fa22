"""What conditions say of key attributes: of those that are fields, and of those made by templates.

Of a template as much is stated as the conditions allow, from the left: equalities fill its slots, the
prefix that they make narrows, and a range on the next slot becomes bounds. Bounds may take in more
than the condition does (an unpadded number has no order as text), never less; then the condition stays
a filter, so that the answer is always that of a scan.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import attrs

from dynattrs import limits
from dynattrs.expressions.conditions import (
    Between,
    Comparison,
    Condition,
    Function,
    Operand,
    Operator,
    PathOperand,
    Value,
    order_of,
)
from dynattrs.expressions.paths import Path, PathData
from dynattrs.keys.ranges import Range, after_prefix, as_range, intersect, stated_range
from dynattrs.schema.model_info import ComputedKeys, ModelInfo
from dynattrs.schema.table import AttributeValue
from dynattrs.schema.templates import Fixed, Period, Rest, Slot, Template, Unfit, Words


@attrs.frozen(eq=False)
class Bound:
    """What the conditions say of one key attribute, where that can go into a key condition.

    Attributes:
        equal: Equalities.
        ranges: Bounds and prefixes.
        covered: The conditions that these state exactly, so that no filter is needed for them.
        fields: How many fields are bound: a constant and a bare prefix bind none.
        never: Why no item can match, or None.
        decided: For covered equalities the beginning of a key that alone says that they hold.
    """

    equal: tuple[Comparison, ...] = ()
    ranges: tuple[Condition, ...] = ()
    covered: frozenset[int] = frozenset()
    fields: int = 0
    never: str | None = None
    decided: Mapping[int, str] = attrs.field(factory=dict)


def key_place(part: Condition) -> tuple[str | int, ...] | None:
    """The place in an item that *part* binds in a way that a key condition can state."""
    operand: Any
    values: tuple[Operand | None, ...]
    if isinstance(part, Comparison) and part.operator != "<>":
        operand, values = part.left, (part.right,)
    elif isinstance(part, Between):
        operand, values = part.operand, (part.low, part.high)
    elif isinstance(part, Function) and part.service_name == "begins_with":
        operand, values = part.operand, (part.argument,)
    else:
        return None
    if not isinstance(operand, PathOperand):
        return None
    return operand.steps if all(isinstance(value, Value) for value in values) else None


def key_attribute(part: Condition) -> str | None:
    """The top-level attribute that *part* binds in a way that a key condition can state."""
    place = key_place(part)
    return cast("str", place[0]) if place is not None and len(place) == 1 else None


def is_equality(part: Condition) -> bool:
    return isinstance(part, Comparison) and part.operator == "="


def bounds_of(infos: Sequence[ModelInfo], parts: Sequence[Condition]) -> dict[str, Bound]:
    """What is said of each key attribute of the items of some models, all of which must be found."""
    each = [_bounds_of(info, parts) for info in infos]
    if len(each) == 1:
        return each[0]
    keys = infos[0].table.key_attributes
    shared = [name for name in keys if all(name in bounds for bounds in each)]
    merged = ((name, _hull(infos[0], name, [bounds[name] for bounds in each])) for name in shared)
    return {name: bound for name, bound in merged if bound is not None}


def _bounds_of(info: ModelInfo, parts: Sequence[Condition]) -> dict[str, Bound]:
    found: dict[str, Bound] = {}
    for part in parts:
        name = key_attribute(part)
        if name is None:
            continue
        bound = found.get(name, Bound(fields=1))
        covered = bound.covered | {id(part)}
        if is_equality(part):
            equal = (*bound.equal, cast("Comparison", part))
            found[name] = attrs.evolve(bound, equal=equal, covered=covered)
        else:
            found[name] = attrs.evolve(bound, ranges=(*bound.ranges, part), covered=covered)
    keys = info.keys
    if keys is not None:
        for attribute, template in keys.templates.items():
            made = _Derivation(info, keys, template, parts).bound()
            if made is not None:
                found[attribute] = _both(found.get(attribute), made)
    return found


def _both(stated: Bound | None, made: Bound) -> Bound:
    """What a template gives, and what is said of the attribute itself: by another model's field."""
    if stated is None:
        return made
    return Bound(
        (*stated.equal, *made.equal),
        (*stated.ranges, *made.ranges),
        stated.covered | made.covered,
        max(stated.fields, made.fields),
        made.never,
    )


def _hull(info: ModelInfo, attribute: str, bounds: Sequence[Bound]) -> Bound | None:
    """One bound that takes in all that several models' bounds do."""
    possible = [bound for bound in bounds if bound.never is None]
    if not possible:
        return bounds[0]
    # Where one of the models cannot match, its items must not slip in through another's bounds.
    whole = len(possible) == len(bounds)
    covered = frozenset.intersection(*(b.covered for b in bounds)) if whole else frozenset[int]()
    fields = min(bound.fields for bound in possible)
    if all(bound.equal for bound in possible):
        values = {repr(order_of(_stored(bound.equal[0].right))) for bound in possible}
        if len(values) == 1:
            return attrs.evolve(possible[0], covered=covered, fields=fields)
    elif len({_prefix(bound) for bound in possible} - {None}) == 1 and all(map(_prefix, possible)):
        alike = _prefix(possible[0]) or ""
        return Bound((), possible[0].ranges, _decided_by(alike, covered, bounds), fields)
    spans = [_span(bound) for bound in possible]
    lows = [span.low for span in spans if span.low is not None]
    highs = [span.high for span in spans if span.high is not None]
    operand = attribute_operand(info, attribute)
    ranges: list[Condition] = []
    if len(lows) == len(spans):
        ranges.append(_compared(operand, ">=", min(lows, key=order_of)))
    if len(highs) == len(spans):
        ranges.append(_compared(operand, "<=", max(highs, key=order_of)))
    if not ranges:
        return None
    # The hull takes in what lies between, which it states exactly only so far as all of it begins
    # alike.
    alike = ""
    if len(ranges) == 2 and info.table.type_of(attribute) == "S":
        alike = _common(*(_stored(cast("Comparison", each).right)["S"] for each in ranges))
    return Bound((), tuple(ranges), _decided_by(alike, covered, bounds), fields)


def _common(one: str, other: str) -> str:
    """What two texts both begin with."""
    pairs = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return "".join(character for character, _ in pairs)


def _decided_by(alike: str, covered: frozenset[int], bounds: Sequence[Bound]) -> frozenset[int]:
    """The conditions that hold for every key that begins with *alike*, whichever model's it is."""
    return frozenset(
        each
        for each in covered
        if all(each in b.decided and alike.startswith(b.decided[each]) for b in bounds)
    )


def _span(bound: Bound) -> Range:
    points = [Range(low=value, high=value) for value in map(_value_of, bound.equal)]
    return intersect([*points, *(as_range(each) for each in bound.ranges)])


def _value_of(equality: Comparison) -> AttributeValue:
    return _stored(equality.right)


def _prefix(bound: Bound) -> str | None:
    """The prefix that is all that a bound states."""
    only = bound.ranges[0] if len(bound.ranges) == 1 and not bound.equal else None
    return _stored(only.argument).get("S") if isinstance(only, Function) else None


def attribute_operand(info: ModelInfo, attribute: str) -> PathOperand:
    """A computed attribute as an operand."""
    return PathOperand(Path(PathData(info.cls, (attribute,), attribute, _no_form)))


def _no_form() -> Any:
    raise LookupError("this path is rendered only")


def _stored(operand: Operand | None) -> AttributeValue:
    return cast("Value", operand).stored


def _compared(operand: PathOperand, operator: Operator, stored: AttributeValue) -> Comparison:
    return Comparison(operator, operand, Value(stored, next(iter(stored.values()))))


class _Derivation:
    """From conditions on fields to one key attribute that a template makes of them."""

    def __init__(
        self, info: ModelInfo, keys: ComputedKeys, template: Template, parts: Iterable[Condition]
    ) -> None:
        self._info = info
        self._keys = keys
        self._template = template
        self._operand = attribute_operand(info, template.attribute)
        self._stated: dict[tuple[str | int, ...], list[Condition]] = {}
        for part in parts:
            place = key_place(part)
            if place is not None:
                self._stated.setdefault(place, []).append(part)
        self._covered: set[int] = set()
        self._decided: dict[int, str] = {}
        self._fields = 0

    def bound(self) -> Bound | None:
        template = self._template
        if template.constant is not None:
            return Bound((_compared(self._operand, "=", template.constant),))
        if template.kind != "S":
            return self._plain()
        prefix = ""
        for place, part in enumerate(template.parts):
            if isinstance(part, str):
                prefix += part
                continue
            stated = self._stated.get(part.steps, [])
            equal = next((each for each in stated if is_equality(each)), None)
            if equal is None:
                period = self._period(part, stated)
                if period is None:
                    return self._open(prefix, place, part, stated)
                prefix += period
                self._fields += 1
                continue
            try:
                prefix += template.text(place, _stored(cast("Comparison", equal).right))
            except Unfit as unfit:
                return Bound(never=f"no {self._info.name} is saved for which {equal}: it needs "
                             f"{unfit.expected}")  # fmt: skip
            self._fields += 1
            if part.style.exact:
                self._covered.add(id(equal))
                after = template.after(place)
                if part.style.width is not None or after:
                    self._decided[id(equal)] = prefix + ("" if part.style.width else after)
        key = {"S": prefix}
        if not 0 < len(prefix.encode()) <= self._keys.most(template.attribute):
            return Bound(never=f"no key {template.attribute!r} is that long, or empty")
        return self._done(equal=(_compared(self._operand, "=", key),))

    def _period(self, slot: Slot, stated: Sequence[Condition]) -> str | None:
        """The period that a range lies in, such as the month of its days; None if in several."""
        style = slot.style
        ranges = [each for each in stated if not isinstance(each, Function)]
        if not isinstance(style, Period) or not ranges:
            return None
        span = intersect([as_range(each) for each in ranges])
        if span.low is None or span.high is None:
            return None
        return style.of_range(span.low["S"], span.high["S"], high_included=span.high_included)

    def _done(
        self, *, equal: tuple[Comparison, ...] = (), ranges: tuple[Condition, ...] = ()
    ) -> Bound:
        covered = frozenset(self._covered)
        return Bound(equal, ranges, covered, self._fields, decided=self._decided)

    def _plain(self) -> Bound | None:
        """A key attribute of numbers or bytes: what is said of its field holds for it."""
        stated = self._stated.get(self._template.slots[0].steps)
        if not stated:
            return None
        said = [self._said_of_key(part) for part in stated]
        return Bound(
            tuple(cast("Comparison", each) for each in said if is_equality(each)),
            tuple(each for each in said if not is_equality(each)),
            frozenset(map(id, stated)),
            1,
        )

    def _said_of_key(self, part: Condition) -> Condition:
        name = "left" if isinstance(part, Comparison) else "operand"
        return cast("Condition", attrs.evolve(cast("Any", part), **{name: self._operand}))

    # --- An open slot ---

    def _open(
        self, prefix: str, place: int, slot: Slot, stated: Sequence[Condition]
    ) -> Bound | None:
        """What narrows where the template's slots are filled up to *slot*."""
        ranges: list[Condition] = []
        after = self._template.after(place)
        last = place == len(self._template.parts) - 1
        used = False
        for part in stated:
            if isinstance(part, Function):
                made = self._beginning(prefix, slot, after, part)
            else:
                span = stated_range(part)
                if not slot.style.ordered:
                    made = None
                elif slot.style.width is not None:
                    found = self._of_width(prefix, slot, after, last, span)
                    if found is None:
                        return Bound(never=f"no {self._info.name} is saved for which {part}")
                    made = self._as_conditions(found)
                    if slot.style.exact:
                        self._covered.add(id(part))
                else:
                    made = self._of_text(prefix, after, last, span)
                    if last:
                        self._covered.add(id(part))
            if made:
                used = True
                ranges += made
        if prefix and not any(isinstance(each, Function) for each in ranges):
            ranges.insert(0, self._begins(prefix))
        if not ranges:
            return None
        self._fields += used
        return self._done(ranges=tuple(ranges))

    def _begins(self, prefix: str) -> Function:
        value = Value({"S": prefix}, prefix)
        return Function("begins_with", "begins_with", self._operand, value)

    def _beginning(
        self, prefix: str, slot: Slot, after: str, part: Function
    ) -> list[Condition] | None:
        text = _stored(part.argument).get("S")
        style = slot.style
        if text is None or not isinstance(style, (Words, Rest, Fixed)):
            return None
        if style.width is not None and len(text) > style.width:
            return None
        inside = style.width is not None or not after
        if isinstance(style, Words) and after:
            # What runs into the separator begins no value.
            inside = after[0] in style.separators and style.separators.isdisjoint(text)
        if inside:
            self._covered.add(id(part))
        return [self._begins(prefix + text)] if text else None

    def _of_width(
        self, prefix: str, slot: Slot, after: str, last: bool, span: Range
    ) -> Range | None:
        """Bounds on a slot whose texts all have one width and sort as the values do; None where no
        text lies between them.
        """
        style, made = slot.style, Range()
        if span.low is not None:
            low = style.clamped(span.low, up=True)
            if low is None:
                return None
            included = span.low_included or low != span.low or not style.exact
            text = prefix + style.text(low)
            if included:
                made = attrs.evolve(made, low={"S": text})
            elif last:
                made = attrs.evolve(made, low={"S": text}, low_included=False)
            else:
                made = attrs.evolve(made, low=after_prefix({"S": text}))
        if span.high is not None:
            high = style.clamped(span.high, up=False)
            if high is None:
                return None
            included = span.high_included or high != span.high or not style.exact
            text = prefix + style.text(high)
            if not included:
                made = attrs.evolve(made, high={"S": text}, high_included=False)
            elif last and style.exact:
                made = attrs.evolve(made, high={"S": text})
            else:
                bound = after_prefix({"S": text + after})
                made = attrs.evolve(made, high=bound, high_included=bound is None)
        return made

    def _of_text(self, prefix: str, after: str, last: bool, span: Range) -> list[Condition] | None:
        """Bounds on a slot of any text: exact at the end of a template; wider where text follows,
        because what follows sorts against the rest of longer values.
        """
        made = Range()
        if span.low is not None:
            text = {"S": prefix + span.low["S"]}
            made = attrs.evolve(made, low=text, low_included=span.low_included or not last)
        if span.high is not None:
            high = span.high["S"]
            if last:
                included = span.high_included
                made = attrs.evolve(made, high={"S": prefix + high}, high_included=included)
            else:
                ends = [
                    after_prefix({"S": prefix + high[:n] + after})
                    for n in range(min(len(high), limits.SORT_KEY_BYTES) + 1)
                ]
                known = [end for end in ends if end is not None]
                if len(known) == len(ends):
                    bound = max((*known, {"S": prefix + high}), key=order_of)
                    made = attrs.evolve(made, high=bound)
        return self._as_conditions(made)

    def _as_conditions(self, span: Range) -> list[Condition]:
        found: list[Condition] = []
        for end, included, signs in (
            (span.low, span.low_included, (">=", ">")),
            (span.high, span.high_included, ("<=", "<")),
        ):
            if end is not None:
                sign = cast("Operator", signs[0] if included else signs[1])
                found.append(_compared(self._operand, sign, end))
        return found
