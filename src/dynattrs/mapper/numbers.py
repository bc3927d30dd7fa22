"""Numbers: N to and from `int`, `float` and `Decimal`, without loss either way.

The service keeps up to 38 significant digits between 1E-130 and 9.99…E125, and refuses the rest
rather than rounding it, so the rest is refused here, where the field is known:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html#HowItWorks.DataTypes.Number
"""

from __future__ import annotations

import operator
from decimal import Context, Decimal
from typing import Any, Final

from dynattrs import foreign_values, limits
from dynattrs.mapper.codec import Refused, show
from dynattrs.schema.table import AttributeValue

INT: Final = "an int of up to 38 digits"
FLOAT: Final = "a finite float between 1E-130 and 1E126"
DECIMAL: Final = "a Decimal of up to 38 digits, between 1E-130 and 1E126"

_HINT: Final = (
    "DynamoDB keeps 38 digits between 1E-130 and 9.99E125, and has no NaN and no infinity; "
    "round it, or declare the field as str"
)

# Decimal's arithmetic rounds as the caller's context says. This one rounds nothing that fits.
_EXACT: Final = Context(prec=limits.NUMBER_DIGITS)
# Other engines than the service may hold more.
_ALL_DIGITS: Final = Context(prec=1000)

# 2 ** 419 is above 1E126. Asked before `str`, which is slow (and, past 4,300 digits, an error).
_MOST_BITS: Final = 419


def dump_int(value: object) -> AttributeValue:
    if type(value) is not int:
        value = int_like(value)
    text = str(value) if value.bit_length() <= _MOST_BITS else None
    if text is None or (len(text) > limits.NUMBER_DIGITS and not fits(Decimal(text))):
        raise Refused(INT, f"int of about {int(value.bit_length() * 0.30103) + 1} digits", _HINT)
    return {"N": text}


def int_like(value: Any) -> int:
    """What stands for an int, as an int.

    Raises:
        Refused: It stands for none.
    """
    # A bool is an int to Python and checkers, an IntEnum or a numpy integer is meant as one.
    # `str` of these is not a number, so only the plain int goes on.
    try:
        return int(operator.index(value))
    except TypeError:
        raise Refused(INT, show(value)) from None


def load_int(value: AttributeValue) -> int:
    text = value["N"]
    try:
        # With a base, `int` takes text only: a number in its place is never cut to an int.
        return int(text, 10)
    except ValueError:
        return _integral(decimal_of(text))


def _integral(number: Decimal) -> int:
    if number != number.to_integral_value():
        raise Refused("an integral number (N)", f"N {number}")
    return int(number)


def decimal_of(text: Any) -> Decimal:
    number = Decimal(text)
    # The service has no such numbers, and 1E999999999 as an int would fill the memory.
    if not number.is_finite() or number.adjusted() > limits.NUMBER_MOST_EXPONENT:
        raise Refused("a number that DynamoDB can hold (N)", f"N {text}")
    return number


def dump_float(value: object) -> AttributeValue:
    if type(value) is not float:
        value = foreign_values.number(value)
        if isinstance(value, float):
            value = float(value)
        elif isinstance(value, int):
            # Checkers take an int where a float is declared. It is stored as it is, and reads as
            # the nearest double.
            return dump_int(value)
        else:
            raise Refused(FLOAT, show(value))
    size = abs(value)
    # The shortest digits that read back as the same double; 17 at most, so only the range counts.
    if 1e-130 <= size < 1e126:
        return {"N": repr(value)}
    if size == 0.0:
        return {"N": "0"}
    raise Refused(FLOAT, show(value), _HINT)


def load_float(value: AttributeValue) -> float:
    number = float(value["N"])
    # "nan", "1e999": DynamoDB holds no such number.
    return number if number - number == 0.0 else float(decimal_of(value["N"]))


def dump_decimal(value: object) -> AttributeValue:
    if not isinstance(value, Decimal):
        value = foreign_values.number(value)
        if isinstance(value, int):
            return dump_int(value)
        raise Refused(
            DECIMAL,
            show(value),
            "write Decimal(str(value)) for a float" if isinstance(value, float) else "",
        )
    if not fits(value):
        raise Refused(DECIMAL, show(value), _HINT)
    if not value:
        # A zero has an exponent, and it may be out of range.
        return {"N": "0"}
    if len(value.as_tuple().digits) > limits.NUMBER_DIGITS:
        # The digits too many are zeros at the end, which the service drops.
        value = value.normalize(_EXACT)
    return {"N": str(value)}


def fits(value: Decimal) -> bool:
    if not value.is_finite():
        return False
    if not value:
        return True
    digits = value.as_tuple().digits
    significant = len(digits)
    while digits[significant - 1] == 0:
        significant -= 1
    return (
        significant <= limits.NUMBER_DIGITS
        and limits.NUMBER_LEAST_EXPONENT <= value.adjusted() <= limits.NUMBER_MOST_EXPONENT
    )


def load_decimal(value: AttributeValue) -> Decimal:
    number = Decimal(value["N"])
    return number if number.is_finite() else decimal_of(number)


def plain_number(text: str) -> str:
    """The text of a number in a key: one for each value, where 2, 2.0 and 2E+0 are one.

    The service takes them for one number; engines that compare keys as text do not.
    """
    if text.isdecimal() and text.isascii() and text[0] != "0":
        return text
    number = Decimal(text)
    return format(number.normalize(_ALL_DIGITS), "f") if number else "0"


def load_number(value: AttributeValue) -> int | Decimal:
    """Read N where no type says more: an `int` where integral, else a `Decimal`."""
    text = value["N"]
    try:
        return int(text, 10)
    except ValueError:
        number = decimal_of(text)
        return int(number) if number == number.to_integral_value() else number
