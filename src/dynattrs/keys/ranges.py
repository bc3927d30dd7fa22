"""Ranges: all that is said of one key attribute, as the one condition that the service takes.

Contradictions are found here, without a request. Key values are never empty and have a greatest
length, and the service refuses a key condition that names the empty value or a longer one. So
everything is above the empty value, and a longer bound becomes the nearest key beside it.
"""

from __future__ import annotations

import decimal
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, cast

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
)
from dynattrs.mapper.scalars import binary
from dynattrs.schema.table import AttributeValue

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
        first = equal[0]
        value = cast("Value", first.right).stored
        same = all(order_of(cast("Value", each.right).stored) == order_of(value) for each in equal)
        within = intersect([as_range(each) for each in ranges])
        fits = same and 0 < _size(value) <= most and _contains(within, value)
        return (first, None) if fits else None
    if len(ranges) == 1:
        only = stated_range(ranges[0])
        if all(0 < _size(end) <= most for end in (only.low, only.high) if end):
            return ranges[0], None
    operand = operand_of(ranges[0])
    return as_condition(operand, intersect([as_range(each) for each in ranges]))


def operand_of(part: Condition) -> PathOperand:
    operand = part.left if isinstance(part, Comparison) else cast("Any", part).operand
    return cast("PathOperand", operand)


def _stored(operand: Operand | None) -> AttributeValue:
    return cast("Value", operand).stored


def _empty(value: AttributeValue) -> bool:
    return next(iter(value.values())) in ("", b"")


def _size(value: AttributeValue) -> int:
    """How many bytes a key has; numbers are never too long."""
    ((tag, payload),) = value.items()
    return 1 if tag == "N" else len(payload.encode() if tag == "S" else binary(payload))


def as_range(part: Condition) -> Range:
    found = stated_range(part)
    low, high = found.low, found.high
    if low is not None and _empty(low):
        found = attrs.evolve(found, low=None)
    elif low is not None and _size(low) > limits.SORT_KEY_BYTES:
        above = after_prefix(low)
        if above is None:
            found = attrs.evolve(found, low=_greatest(low), low_included=False)
        else:
            found = attrs.evolve(found, low=above, low_included=True)
    if high is not None and _size(high) > limits.SORT_KEY_BYTES:
        found = attrs.evolve(found, high=after_prefix(high), high_included=False)
    return found


def _greatest(value: AttributeValue) -> AttributeValue:
    """The greatest key of a type."""
    last, size = ("\U0010ffff", 4) if "S" in value else (b"\xff", 1)
    return {next(iter(value)): last * (limits.SORT_KEY_BYTES // size)}


def stated_range(part: Condition) -> Range:
    if isinstance(part, Between):
        return Range(low=_stored(part.low), high=_stored(part.high))
    if isinstance(part, Comparison):
        value = _stored(part.right)
        if part.operator in ("<", "<="):
            return Range(high=value, high_included=part.operator == "<=")
        return Range(low=value, low_included=part.operator == ">=")
    prefix = _stored(cast("Function", part).argument)
    after = after_prefix(prefix)
    return Range(low=prefix, high=after, high_included=after is None)


def after_prefix(prefix: AttributeValue) -> AttributeValue | None:
    """The least key above everything that begins with *prefix*; None if there is no such."""
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


def intersect(ranges: list[Range]) -> Range:
    result = Range()
    for each in ranges:
        if each.low is not None and (
            result.low is None
            or (order_of(each.low), not each.low_included)
            > (order_of(result.low), not result.low_included)
        ):
            result = attrs.evolve(result, low=each.low, low_included=each.low_included)
        if each.high is not None and (
            result.high is None
            or (order_of(each.high), each.high_included)
            < (order_of(result.high), result.high_included)
        ):
            result = attrs.evolve(result, high=each.high, high_included=each.high_included)
    return result


def _contains(range_: Range, value: AttributeValue) -> bool:
    order = order_of(value)
    if range_.low is not None:
        low = order_of(range_.low)
        if order < low or (order == low and not range_.low_included):
            return False
    if range_.high is not None:
        high = order_of(range_.high)
        if order > high or (order == high and not range_.high_included):
            return False
    return True


def as_condition(
    operand: PathOperand, range_: Range
) -> tuple[Condition | None, AttributeValue | None] | None:
    low, high = range_.low, range_.high
    if low is None and high is None:
        return None, None
    if high is not None and _empty(high):
        return None
    if high is None:
        assert low is not None
        return Comparison(">=" if range_.low_included else ">", operand, value_of(low)), None
    if low is None:
        return Comparison("<=" if range_.high_included else "<", operand, value_of(high)), None
    if not range_.low_included:
        above = _next(low)
        if above is None:
            return None
        low = above
    if not range_.high_included:
        before = _previous(high)
        if before is not None:
            high, range_ = before, attrs.evolve(range_, high_included=True)
    if order_of(low) > order_of(high) or (
        order_of(low) == order_of(high) and not range_.high_included
    ):
        return None
    left_out = None if range_.high_included else high
    return Between(operand, value_of(low), value_of(high)), left_out


def value_of(stored: AttributeValue) -> Value:
    return Value(stored, next(iter(stored.values())))


def _next(value: AttributeValue) -> AttributeValue | None:
    """The least key above *value*; None above the greatest."""
    ((tag, payload),) = value.items()
    if tag != "N":
        data = payload.encode() if tag == "S" else binary(payload)
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
