"""The numbers that a search asks for the nearest of.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_SearchVectors.html
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any, Final, Protocol, TypeAlias

from dynattrs import limits
from dynattrs.errors import QueryError
from dynattrs.mapper import default
from dynattrs.quoting import quoted
from dynattrs.schema.messages import Message


class _Array(Protocol):
    """An array of numbers, Python's or numpy's."""

    def __len__(self) -> int: ...
    def tolist(self) -> Any: ...


#: What a search takes as a vector.
Vector: TypeAlias = "Sequence[float] | Sequence[Decimal] | _Array"

# To checkers the arguments of annotations are types that they know.
_FLOATS: Final[Any] = list[float]

#: Up to this the nearest 32-bit float is zero.
_NOTHING: Final = 2.0**-150


def numbers_of(vector: object) -> tuple[float, ...]:
    """The numbers of a list, a tuple, an `array.array` or a one-dimensional array of numpy's.

    Raises:
        QueryError: It is none, or one of its members is not a number that a 32-bit float holds.
    """
    values: Any = vector
    if hasattr(values, "ndim") and values.ndim != 1:
        raise QueryError(
            f"search: the vector is an array of shape {values.shape}; one dimension is expected, such as "
            f"array.ravel() gives"
        )
    if hasattr(values, "tolist"):
        values = values.tolist()
    if isinstance(values, (str, bytes, dict, set, frozenset)) or not isinstance(values, Iterable):
        raise QueryError(
            f"search: the vector is {quoted(vector)}; a list or an array of numbers is expected"
        )
    return tuple(_number(each, at) for at, each in enumerate(values))


def _number(value: object, at: int) -> float:
    number = isinstance(value, (Real, Decimal)) and not isinstance(value, bool)
    try:
        found = float(value) if number else math.nan  # type: ignore[arg-type]
    except OverflowError:
        found = math.inf
    if not -limits.FLOAT32_BEYOND < found < limits.FLOAT32_BEYOND:
        raise QueryError(
            f"search: the vector has {quoted(value)} at [{at}]; a number that a 32-bit float holds is "
            f"expected"
        )
    return 0.0 if abs(found) <= _NOTHING else found


def stored(vector: tuple[float, ...]) -> list[Message]:
    """The numbers as the service takes them. It rounds each to the nearest 32-bit float."""
    found: list[Message] = default.codec(_FLOATS).dump(list(vector))["L"]
    return found
