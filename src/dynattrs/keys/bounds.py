"""What conditions say of key attributes: of those that are fields, and of those made by templates.

Of a template as much is stated as the conditions allow, from the left: equalities fill its slots, the
prefix that they make narrows, and a range on the next slot becomes bounds. Bounds may take in more
than the condition does (an unpadded number has no order as text), never less; then the condition stays
a filter, so that the answer is always that of a scan.

All that is said of one attribute is folded into the one condition that the service takes of a sort
key. Contradictions are found here, without a request. Key values are never empty and have a greatest
length, and the service refuses a key condition that names the empty value or a longer one. So
everything is above the empty value, and a longer bound becomes the nearest key beside it.
"""

from __future__ import annotations

import decimal
import os.path
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, TypeGuard, cast

import attrs

from dynattrs import limits
from dynattrs.expressions.conditions import (
    Between,
    Comparison,
    Condition,
    Function,
    Operand,
    PathOperand,
    Value,
    order_of,
    place_operand,
)
from dynattrs.mapper.scalars import binary
from dynattrs.schema.model_info import ComputedKeys, ModelInfo
from dynattrs.schema.slot_styles import Fixed, Period, Rest, Unfit, Words
from dynattrs.schema.table import AttributeValue
from dynattrs.schema.templates import Slot, Template

_CONTEXT: Final = decimal.Context(
    prec=38, Emin=-130, Emax=125, traps=[decimal.InvalidOperation], clamp=0
)

# Nearer to zero the service has no numbers, though its digits would allow them.
_LEAST: Final = Decimal("1E-130")


@attrs.frozen
class Range:
    """From *low* to *high*, each included or not; None is open."""

    low: AttributeValue | None = None
    low_included: bool = True
    high: AttributeValue | None = None
    high_included: bool = True


def fold(
    equal: Sequence[Comparison],
    ranges: Sequence[Condition],
    most: int = limits.SORT_KEY_BYTES,
) -> tuple[Condition | None, AttributeValue | None] | None:
    """One condition for all that is said of a key attribute, and a value to leave out on receipt.

    The condition is None where every value satisfies them all, the result where none does.

    Args:
        equal: Equalities.
        ranges: Bounds and prefixes, which only sort keys have.
        most: How many bytes the key attribute has at most.
    """
    if equal:
        first, *others = equal
        value = _stored(first.right)
        fits = (
            0 < _size(value) <= most
            and all(order_of(_stored(each.right)) == order_of(value) for each in others)
            and all(_contains(_of_keys(each), value) for each in ranges)
        )
        return (first, None) if fits else None
    if len(ranges) == 1:
        only = _stated(ranges[0])
        if all(0 < _size(end) <= most for end in (only.low, only.high) if end):
            return ranges[0], None
    return _one_condition(operand_of(ranges[0]), _intersection(map(_of_keys, ranges)))


def operand_of(part: Any) -> PathOperand:
    """What a condition on one operand is on."""
    found: PathOperand = getattr(part, "left" if isinstance(part, Comparison) else "operand")
    return found


def _stored(operand: Operand | None) -> AttributeValue:
    return cast("Value", operand).stored


def _size(value: AttributeValue) -> int:
    """How many bytes a key has; numbers are never too long."""
    ((tag, payload),) = value.items()
    return 1 if tag == "N" else len(payload.encode() if tag == "S" else binary(payload))


def _of_keys(part: Condition) -> Range:
    """The range of a condition, between ends that a key can have."""
    found = _stated(part)
    low, high = found.low, found.high
    if low is not None and not _size(low):
        found = attrs.evolve(found, low=None)
    elif low is not None and _size(low) > limits.SORT_KEY_BYTES:
        above = _after_prefix(low)
        low = _greatest(low) if above is None else above
        found = attrs.evolve(found, low=low, low_included=above is not None)
    if high is not None and _size(high) > limits.SORT_KEY_BYTES:
        found = attrs.evolve(found, high=_after_prefix(high), high_included=False)
    return found


def _greatest(value: AttributeValue) -> AttributeValue:
    """The greatest key of a type."""
    last, size = ("\U0010ffff", 4) if "S" in value else (b"\xff", 1)
    return {next(iter(value)): last * (limits.SORT_KEY_BYTES // size)}


def _stated(part: Condition) -> Range:
    """The range of a condition, as it was stated."""
    if isinstance(part, Between):
        return Range(low=_stored(part.low), high=_stored(part.high))
    if isinstance(part, Comparison):
        value = _stored(part.right)
        if part.operator in ("<", "<="):
            return Range(high=value, high_included=part.operator == "<=")
        return Range(low=value, low_included=part.operator == ">=")
    prefix = _stored(cast("Function", part).argument)
    after = _after_prefix(prefix)
    return Range(low=prefix, high=after, high_included=after is None)


def _after_prefix(prefix: AttributeValue) -> AttributeValue | None:
    """The least key above everything that begins with *prefix*; None if nothing is above it."""
    ((tag, payload),) = prefix.items()
    if tag == "B":
        data = binary(payload)[: limits.SORT_KEY_BYTES].rstrip(b"\xff")
        return {"B": data[:-1] + bytes([data[-1] + 1])} if data else None
    text = payload[: limits.SORT_KEY_BYTES].rstrip("\U0010ffff")
    while text:
        code = ord(text[-1]) + 1
        # Surrogates are no characters of UTF-8.
        after = text[:-1] + chr(0xE000 if code == 0xD800 else code)
        if len(after.encode()) <= limits.SORT_KEY_BYTES:
            return {"S": after}
        # A key is not that long, so the next one has another character further left.
        text = text[:-1].rstrip("\U0010ffff")
    return None


def _intersection(ranges: Iterable[Range]) -> Range:
    result = Range()
    for each in ranges:
        if each.low is not None and (result.low is None or _begin(each) > _begin(result)):
            result = attrs.evolve(result, low=each.low, low_included=each.low_included)
        if each.high is not None and (result.high is None or _end(each) < _end(result)):
            result = attrs.evolve(result, high=each.high, high_included=each.high_included)
    return result


def _begin(span: Range) -> tuple[Any, bool]:
    return order_of(cast("AttributeValue", span.low)), not span.low_included


def _end(span: Range) -> tuple[Any, bool]:
    return order_of(cast("AttributeValue", span.high)), span.high_included


def _contains(span: Range, value: AttributeValue) -> bool:
    order = order_of(value)
    above = span.low is None or _begin(span) <= (order, False)
    return above and (span.high is None or _end(span) >= (order, True))


def _one_condition(
    operand: PathOperand, span: Range
) -> tuple[Condition | None, AttributeValue | None] | None:
    """As `fold`, of a range."""
    low, high = span.low, span.high
    if high is not None and not _size(high):
        return None
    if low is None or high is None:
        comparisons = _comparisons(operand, span)
        return (comparisons[0] if comparisons else None), None
    if not span.low_included:
        above = _next(low)
        if above is None:
            return None
        low = above
    if not span.high_included:
        before = _previous(high)
        if before is not None:
            high, span = before, attrs.evolve(span, high_included=True)
    if not _contains(attrs.evolve(span, low=None, high=high), low):
        return None
    return Between(operand, _value(low), _value(high)), None if span.high_included else high


def _comparisons(operand: PathOperand, span: Range) -> list[Condition]:
    """The ends of a range as comparisons."""
    found: list[Condition] = []
    if span.low is not None:
        found.append(Comparison(">=" if span.low_included else ">", operand, _value(span.low)))
    if span.high is not None:
        found.append(Comparison("<=" if span.high_included else "<", operand, _value(span.high)))
    return found


def _value(stored: AttributeValue) -> Value:
    return Value(stored, next(iter(stored.values())))


def _next(value: AttributeValue) -> AttributeValue | None:
    """The least key above *value*; None above the greatest."""
    ((tag, payload),) = value.items()
    if tag != "N":
        data = payload.encode() if tag == "S" else binary(payload)
        if len(data) >= limits.SORT_KEY_BYTES:
            return _after_prefix(value)
        return {"S": payload + "\0"} if tag == "S" else {"B": data + b"\0"}
    number = Decimal(payload).next_plus(_CONTEXT)
    if not number.is_finite():
        return None
    if 0 < number.copy_abs() < _LEAST:
        number = _LEAST if number > 0 else Decimal(0)
    return {"N": str(number)}


def _previous(value: AttributeValue) -> AttributeValue | None:
    """The greatest value below *value*, where there is one: only numbers have it."""
    ((tag, payload),) = value.items()
    if tag != "N":
        return None
    # `-number` would round to the digits of the caller's context.
    negated = _next({"N": str(Decimal(payload).copy_negate())})
    if negated is None:
        return None
    number = Decimal(negated["N"]).copy_negate()
    return {"N": str(number) if number else "0"}


# --- What is said of each attribute -------------------------------------------------------------


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


def is_equality(part: Condition) -> TypeGuard[Comparison]:
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
    stated: dict[str, list[Condition]] = {}
    for part in parts:
        place = key_place(part)
        if place is not None and len(place) == 1:
            stated.setdefault(cast("str", place[0]), []).append(part)
    found = {name: _bound_as_stated(each, each) for name, each in stated.items()}
    keys = info.keys
    if keys is not None:
        for attribute, template in keys.templates.items():
            made = _Derivation(info, keys, template, parts).bound()
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
        values = {repr(order_of(_stored(bound.equal[0].right))) for bound in possible}
        if len(values) == 1:
            return attrs.evolve(possible[0], covered=covered, fields=fields)
    elif len({_prefix(bound) for bound in possible} - {None}) == 1 and all(map(_prefix, possible)):
        alike = _prefix(possible[0]) or ""
        return Bound((), possible[0].ranges, _decided_by(alike, covered, bounds), fields)
    spans = [_span(bound) for bound in possible]
    lows = [span.low for span in spans if span.low is not None]
    highs = [span.high for span in spans if span.high is not None]
    low = min(lows, key=order_of) if len(lows) == len(spans) else None
    high = max(highs, key=order_of) if len(highs) == len(spans) else None
    ranges = _comparisons(attribute_operand(info, attribute), Range(low=low, high=high))
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
    values = [_stored(each.right) for each in bound.equal]
    points = [Range(low=value, high=value) for value in values]
    return _intersection([*points, *map(_of_keys, bound.ranges)])


def _prefix(bound: Bound) -> str | None:
    """The prefix that is all that a bound states."""
    only = bound.ranges[0] if len(bound.ranges) == 1 and not bound.equal else None
    return _stored(only.argument).get("S") if isinstance(only, Function) else None


def attribute_operand(info: ModelInfo, attribute: str) -> PathOperand:
    """A key attribute as an operand, be it a field or computed."""
    return place_operand(info.cls, (attribute,), attribute)


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
                prefix += template.text(place, _stored(equal.right))
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
        return self._done(equal=(self._equals(key),))

    def _equals(self, key: AttributeValue) -> Comparison:
        return Comparison("=", self._operand, _value(key))

    def _period(self, slot: Slot, stated: Sequence[Condition]) -> str | None:
        """The period that a range lies in, such as the month of its days; None if in several."""
        style = slot.style
        ranges = [each for each in stated if not isinstance(each, Function)]
        if not isinstance(style, Period) or not ranges:
            return None
        span = _intersection(map(_of_keys, ranges))
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
                made = self._beginning(prefix, slot, after, part)
            else:
                span = _stated(part)
                if not slot.style.ordered:
                    made = None
                elif slot.style.width is not None:
                    found = self._of_width(prefix, slot, after, last, span)
                    if found is None:
                        return Bound(never=f"no {self._info.name} is saved for which {part}")
                    made = _comparisons(self._operand, found)
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
            key = {"S": prefix + style.text(low)}
            bound: AttributeValue | None = key
            if not included and not last:
                bound, included = _after_prefix(key), True
            made = attrs.evolve(made, low=bound, low_included=included)
        if span.high is not None:
            high = style.clamped(span.high, up=False)
            if high is None:
                return None
            included = span.high_included or high != span.high or not style.exact
            text = prefix + style.text(high)
            bound = {"S": text}
            if included and not (last and style.exact):
                bound = _after_prefix({"S": text + after})
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
                    _after_prefix({"S": prefix + high[:n] + after})
                    for n in range(min(len(high), limits.SORT_KEY_BYTES) + 1)
                ]
                known = [end for end in ends if end is not None]
                if len(known) == len(ends):
                    bound = max((*known, {"S": prefix + high}), key=order_of)
                    made = attrs.evolve(made, high=bound)
        return _comparisons(self._operand, made)
