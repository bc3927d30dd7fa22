"""What conditions say of key attributes: of those that are fields, and of those made by templates.

Of a template as much is stated as the conditions allow, from the left: equalities fill its slots, the
prefix that they make narrows, and a range on the next slot becomes bounds. Bounds may take in more
than the condition does (an unpadded number has no order as text), never less; then the condition stays
a filter, so that the answer is always that of a scan.

Ranges of key values, and one condition of several, are `keys.ranges`'.
"""

from __future__ import annotations

import os.path
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeGuard, cast

import attrs

from dynattrs import limits, utf8
from dynattrs.errors import ImpossibleKey
from dynattrs.expressions.conditions import (
    Between,
    Comparison,
    Condition,
    Function,
    Operand,
    PathOperand,
    Value,
    place_operand,
)
from dynattrs.keys.ranges import (
    Range,
    after_prefix,
    as_value,
    comparisons,
    intersection,
    range_of,
    range_of_keys,
    size_of,
    stored_in,
)
from dynattrs.schema.model_info import ComputedKeys, ModelInfo
from dynattrs.schema.ordering import order_of
from dynattrs.schema.slot_styles import Fixed, Period, Rest, Unfit, Words
from dynattrs.schema.table import AttributeValue
from dynattrs.schema.templates import Slot, Template

# --- What is said of each attribute -------------------------------------------------------------


@attrs.frozen(eq=False)
class Bound:
    """What the conditions say of one key attribute, where that can go into a key condition.

    Attributes:
        equal: Equalities.
        ranges: Bounds and prefixes.
        covered: The conditions that these state exactly, so that no filter is needed for them.
        fields: How many fields are bound: a constant and a bare prefix bind none.
        never: Why no item can match, or None. The error where an equality states a value that no key
            can have.
        decided: For covered equalities the beginning of a key that alone says that they hold.
        kinds: Of a discriminator, the values that are to be asked, where there are several.
    """

    equal: tuple[Comparison, ...] = ()
    ranges: tuple[Condition, ...] = ()
    covered: frozenset[int] = frozenset()
    fields: int = 0
    never: str | ImpossibleKey | None = None
    decided: Mapping[int, str] = attrs.field(factory=dict)
    kinds: tuple[str, ...] = ()


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


def is_equality(part: Condition) -> TypeGuard[Comparison]:
    return isinstance(part, Comparison) and part.operator == "="


def bounds_of(infos: Sequence[ModelInfo], parts: Sequence[Condition]) -> dict[str, Bound]:
    """What is said of each key attribute of the items of some models, which must all be found."""
    each = [_bounds_of(info, parts, shared=len(infos) > 1) for info in infos]
    if len(each) == 1:
        return each[0]
    keys = infos[0].table.key_attributes
    shared = [name for name in keys if all(name in bounds for bounds in each)]
    merged = ((name, _hull(infos[0], name, [bounds[name] for bounds in each])) for name in shared)
    return {name: bound for name, bound in merged if bound is not None}


def _bounds_of(info: ModelInfo, parts: Sequence[Condition], *, shared: bool) -> dict[str, Bound]:
    stated: dict[str, list[Condition]] = {}
    for part in parts:
        place = key_place(part)
        if place is not None and len(place) == 1:
            stated.setdefault(cast("str", place[0]), []).append(part)
    found = {name: _bound_as_stated(each, each) for name, each in stated.items()}
    keys = info.keys
    if keys is not None:
        for attribute, template in keys.templates.items():
            made = _Derivation(info, keys, template, parts, shared=shared).bound()
            if made is not None:
                found[attribute] = _both(found.get(attribute), made)
    return found


def _bound_as_stated(parts: Sequence[Condition], said: Sequence[Condition]) -> Bound:
    """What *parts* say of an attribute, which is *said*, word for word."""
    equal = tuple(each for each in said if is_equality(each))
    ranges = tuple(each for each in said if not is_equality(each))
    return Bound(equal, ranges, frozenset(map(id, parts)), 1)


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
        values = {repr(order_of(stored_in(bound.equal[0].right))) for bound in possible}
        if len(values) == 1:
            return attrs.evolve(possible[0], covered=covered, fields=fields)
    elif len({_prefix(bound) for bound in possible} - {None}) == 1 and all(map(_prefix, possible)):
        alike = _prefix(possible[0]) or ""
        return Bound((), possible[0].ranges, _decided_by(alike, covered, bounds), fields)
    spans = [_span(bound) for bound in possible]
    if all(span == spans[0] for span in spans):
        ranges = comparisons(attribute_operand(info, attribute), spans[0])
        return Bound((), tuple(ranges), covered, fields) if ranges else None
    lows = [span.low for span in spans if span.low is not None]
    highs = [span.high for span in spans if span.high is not None]
    low = min(lows, key=order_of) if len(lows) == len(spans) else None
    high = max(highs, key=order_of) if len(highs) == len(spans) else None
    ranges = comparisons(attribute_operand(info, attribute), Range(low=low, high=high))
    if not ranges:
        return None
    # The hull takes in what lies between, which it states exactly only so far as all of it begins
    # alike.
    alike = ""
    if low is not None and high is not None and "S" in low:
        alike = os.path.commonprefix([low["S"], high["S"]])  # noqa: RUF071
    return Bound((), tuple(ranges), _decided_by(alike, covered, bounds), fields)


def _decided_by(alike: str, covered: frozenset[int], bounds: Sequence[Bound]) -> frozenset[int]:
    """The conditions that hold for every key that begins with *alike*, whichever model's it is."""
    return frozenset(
        each
        for each in covered
        if all(each in b.decided and alike.startswith(b.decided[each]) for b in bounds)
    )


def _span(bound: Bound) -> Range:
    values = [stored_in(each.right) for each in bound.equal]
    points = [Range(low=value, high=value) for value in values]
    return intersection([*points, *map(range_of_keys, bound.ranges)])


def _prefix(bound: Bound) -> str | None:
    """The prefix that is all that a bound states."""
    only = bound.ranges[0] if len(bound.ranges) == 1 and not bound.equal else None
    return stored_in(only.argument).get("S") if isinstance(only, Function) else None


def attribute_operand(info: ModelInfo, attribute: str) -> PathOperand:
    """A key attribute as an operand, be it a field or computed."""
    return place_operand(info.cls, (attribute,), attribute)


def impossible_size(info: ModelInfo, attribute: str, value: AttributeValue) -> ImpossibleKey | None:
    """The error for a value that is empty, or longer than the key attribute may be."""
    size, table = size_of(value), info.table
    text = value.get("S", "")
    name = next((name for name, stored in info.names.items() if stored == attribute), None)
    where = f"{info.name}[{attribute!r}]" if name is None else f"{info.name}.{name}"
    if not utf8.encodable(text):
        return ImpossibleKey(
            where, f"{utf8.EXPECTED}, it is a key", utf8.found(text), hint=utf8.HINT
        )
    sorts = {
        *table.key[1:],
        *(name for index in table.secondary_indexes for name in index.sort_key),
    }
    most = limits.SORT_KEY_BYTES if attribute in sorts else limits.PARTITION_KEY_BYTES
    if 0 < size <= most:
        return None
    return ImpossibleKey(where, f"1 to {most:,} bytes, it is a key", f"{size:,} bytes")


def _text_of(part: Function) -> str:
    text: str = stored_in(part.argument).get("S", "")
    return text


class _Derivation:
    """From conditions on fields to one key attribute that a template makes of them."""

    def __init__(
        self,
        info: ModelInfo,
        keys: ComputedKeys,
        template: Template,
        parts: Iterable[Condition],
        *,
        shared: bool,
    ) -> None:
        self._info = info
        #: Whether other models' keys are asked for as well, which may go on after this one's.
        self._shared = shared
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
            return Bound((self._equals(template.constant),))
        if template.tag != "S":
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
                prefix += template.text(place, stored_in(equal.right))
            except Unfit as unfit:
                return Bound(never=self._keys.impossible(template, unfit))
            self._fields += 1
            if part.style.exact:
                self._covered.add(id(equal))
                after = template.after(place)
                if part.style.width is not None or after:
                    self._decided[id(equal)] = prefix + ("" if part.style.width else after)
        key = {"S": prefix}
        if not 0 < len(utf8.as_bytes(prefix)) <= self._keys.most(template.attribute):
            return Bound(never=impossible_size(self._info, template.attribute, key))
        return self._done(equal=(self._equals(key),))

    def _equals(self, key: AttributeValue) -> Comparison:
        return Comparison("=", self._operand, as_value(key))

    def _period(self, slot: Slot, stated: Sequence[Condition]) -> str | None:
        """The period that a range lies in, such as the month of its days; None if in several."""
        style = slot.style
        ranges = [each for each in stated if not isinstance(each, Function)]
        if not isinstance(style, Period) or not ranges:
            return None
        span = intersection(map(range_of_keys, ranges))
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
        said: list[Condition] = []
        for part in stated:
            name = "left" if isinstance(part, Comparison) else "operand"
            said.append(attrs.evolve(cast("Any", part), **{name: self._operand}))
        return _bound_as_stated(stated, said)

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
                if isinstance(slot.style, Words) and not slot.style.may_begin(_text_of(part)):
                    return Bound(never=f"no {self._info.name} is saved for which {part}")
                made = self._beginning(prefix, place, slot, part)
            else:
                span = range_of(part)
                if not slot.style.ordered:
                    made = None
                elif slot.style.width is not None:
                    found = self._of_width(prefix, slot, after, last, span)
                    if found is None:
                        return Bound(never=f"no {self._info.name} is saved for which {part}")
                    made = comparisons(self._operand, found)
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
        self, prefix: str, place: int, slot: Slot, part: Function
    ) -> list[Condition] | None:
        text, style = _text_of(part), slot.style
        if not isinstance(style, (Words, Rest, Fixed)):
            return None
        if style.width is not None and len(text) > style.width:
            return None
        if style.width is not None or not self._template.may_end_inside(place, text):
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
            key = {"S": prefix + style.text(low)}
            bound: AttributeValue | None = key
            if not included and (self._shared or not last):
                bound, included = after_prefix(key), True
            made = attrs.evolve(made, low=bound, low_included=included)
        if span.high is not None:
            high = style.clamped(span.high, up=False)
            if high is None:
                return None
            included = span.high_included or high != span.high or not style.exact
            text = prefix + style.text(high)
            bound = {"S": text}
            if included and (self._shared or not (last and style.exact)):
                # For several models: whatever follows, so that their bounds are the same.
                bound = after_prefix({"S": text if self._shared else text + after})
                included = bound is None
            made = attrs.evolve(made, high=bound, high_included=included)
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
        return comparisons(self._operand, made)
