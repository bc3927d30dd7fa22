"""Ranges of key values: conditions on one key attribute as the one that the service takes.

All that is said of one attribute is folded into the one condition that the service takes of a sort
key. Contradictions are found here, without a request. Key values are never empty and have a greatest
length, and the service refuses a key condition that names the empty value or a longer one. So
everything is above the empty value, and a longer bound becomes the nearest key beside it.
"""

from __future__ import annotations

import decimal
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

import attrs

from dynattrs import limits, utf8
from dynattrs.expressions.conditions import (
    Between,
    Comparison,
    Condition,
    Function,
    Joined,
    Operand,
    PathOperand,
    Value,
)
from dynattrs.mapper.scalars import binary
from dynattrs.schema.ordering import order_of
from dynattrs.schema.table import AttributeValue, StoredItem
from dynattrs.schema.templates import value_at

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
        value = stored_in(first.right)
        fits = (
            0 < size_of(value) <= most
            and all(order_of(stored_in(each.right)) == order_of(value) for each in others)
            and all(_contains(range_of_keys(each), value) for each in ranges)
        )
        return (first, None) if fits else None
    if len(ranges) == 1:
        only = range_of(ranges[0])
        if all(0 < size_of(end) <= most for end in (only.low, only.high) if end):
            return ranges[0], None
    return _one_condition(operand_of(ranges[0]), intersection(map(range_of_keys, ranges)))


def operand_of(part: object) -> PathOperand:
    """What a condition on one operand is on."""
    found: PathOperand = getattr(part, "left" if isinstance(part, Comparison) else "operand")
    return found


def stored_in(operand: Operand | None) -> AttributeValue:
    assert isinstance(operand, Value)
    return operand.stored


def size_of(value: AttributeValue) -> int:
    """How many bytes a key has; numbers are never too long."""
    ((tag, payload),) = value.items()
    return 1 if tag == "N" else len(utf8.as_bytes(payload) if tag == "S" else binary(payload))


def range_of_keys(part: Condition) -> Range:
    """The range of a condition, between ends that a key can have."""
    found = range_of(part)
    low, high = found.low, found.high
    if low is not None and not size_of(low):
        found = attrs.evolve(found, low=None)
    elif low is not None and size_of(low) > limits.SORT_KEY_BYTES:
        above = after_prefix(low)
        low = _greatest(low) if above is None else above
        found = attrs.evolve(found, low=low, low_included=above is not None)
    if high is not None and size_of(high) > limits.SORT_KEY_BYTES:
        found = attrs.evolve(found, high=after_prefix(high), high_included=False)
    return found


def _greatest(value: AttributeValue) -> AttributeValue:
    """The greatest key of a type."""
    last, size = ("\U0010ffff", 4) if "S" in value else (b"\xff", 1)
    return {next(iter(value)): last * (limits.SORT_KEY_BYTES // size)}


def range_of(part: Condition) -> Range:
    """The range of a condition, as it was stated."""
    if isinstance(part, Between):
        return Range(low=stored_in(part.low), high=stored_in(part.high))
    if isinstance(part, Comparison):
        value = stored_in(part.right)
        if part.operator in ("<", "<="):
            return Range(high=value, high_included=part.operator == "<=")
        return Range(low=value, low_included=part.operator == ">=")
    assert isinstance(part, Function)
    prefix = stored_in(part.argument)
    after = after_prefix(prefix)
    return Range(low=prefix, high=after, high_included=after is None)


def after_prefix(prefix: AttributeValue) -> AttributeValue | None:
    """The least key above everything that begins with *prefix*; None if nothing is above it."""
    ((tag, payload),) = prefix.items()
    if tag == "B":
        data = binary(payload)[: limits.SORT_KEY_BYTES].rstrip(b"\xff")
        return {"B": data[:-1] + bytes([data[-1] + 1])} if data else None
    text = payload[: limits.SORT_KEY_BYTES].rstrip("\U0010ffff")
    while text:
        code = ord(text[-1]) + 1
        # Surrogates are not characters of UTF-8.
        after = text[:-1] + chr(0xE000 if code == 0xD800 else code)
        if len(utf8.as_bytes(after)) <= limits.SORT_KEY_BYTES:
            return {"S": after}
        # A key is not that long, so the next one has another character further left.
        text = text[:-1].rstrip("\U0010ffff")
    return None


def intersection(ranges: Iterable[Range]) -> Range:
    result = Range()
    for each in ranges:
        if each.low is not None and (result.low is None or _begin(each) > _begin(result)):
            result = attrs.evolve(result, low=each.low, low_included=each.low_included)
        if each.high is not None and (result.high is None or _end(each) < _end(result)):
            result = attrs.evolve(result, high=each.high, high_included=each.high_included)
    return result


def _begin(span: Range) -> tuple[Any, bool]:
    assert span.low is not None
    return order_of(span.low), not span.low_included


def _end(span: Range) -> tuple[Any, bool]:
    assert span.high is not None
    return order_of(span.high), span.high_included


def _contains(span: Range, value: AttributeValue) -> bool:
    order = order_of(value)
    above = span.low is None or _begin(span) <= (order, False)
    return above and (span.high is None or _end(span) >= (order, True))


def satisfies(part: Condition, item: StoredItem) -> bool:
    """Whether an item has a value where a condition that a key can state is on one, and satisfies it; or
    satisfies several, or one of several.
    """
    if isinstance(part, Joined):
        decide = all if part.word == "AND" else any
        return decide(satisfies(each, item) for each in part.parts)
    first, *rest = operand_of(part).steps
    value = value_at({"first": item.get(str(first), {"NULL": True})}, ("first", *rest))
    if isinstance(part, Comparison) and part.operator == "=":
        span = Range(low=stored_in(part.right), high=stored_in(part.right))
    else:
        span = range_of(part)
    end = span.low or span.high
    if value is None or end is None or value.keys() != end.keys():
        return False
    return "B" in value or _contains(span, value)


def _one_condition(
    operand: PathOperand, span: Range
) -> tuple[Condition | None, AttributeValue | None] | None:
    """As `fold`, of a range."""
    low, high = span.low, span.high
    if high is not None and not size_of(high):
        return None
    if low is None or high is None:
        ends = comparisons(operand, span)
        return (ends[0] if ends else None), None
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
    return Between(operand, as_value(low), as_value(high)), None if span.high_included else high


def comparisons(operand: PathOperand, span: Range) -> list[Condition]:
    """The ends of a range as comparisons."""
    found: list[Condition] = []
    if span.low is not None:
        found.append(Comparison(">=" if span.low_included else ">", operand, as_value(span.low)))
    if span.high is not None:
        found.append(Comparison("<=" if span.high_included else "<", operand, as_value(span.high)))
    return found


def as_value(stored: AttributeValue) -> Value:
    ((tag, payload),) = stored.items()
    if tag != "N":
        return Value(stored, payload)
    number = Decimal(payload)  # `>= 7` is not `>= '7'`
    return Value(stored, int(number) if number == int(number) else number)


def _next(value: AttributeValue) -> AttributeValue | None:
    """The least key above *value*; None above the greatest."""
    ((tag, payload),) = value.items()
    if tag != "N":
        data = utf8.as_bytes(payload) if tag == "S" else binary(payload)
        if len(data) >= limits.SORT_KEY_BYTES:
            return after_prefix(value)
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
