"""Values of numpy's and boto3's classes that stand for Python's own.

A numpy scalar is a number or a truth, and no `int`, `float` or `bool` to Python; boto3's `Binary` is
bytes. They are taken for what they stand for where that loses nothing. Neither is imported here: a
value of a class exists only where its module is loaded.
"""

from __future__ import annotations

import sys
from typing import Any, Final

#: Classes of Python's own whose instances are bytes.
_BYTES: Final = (bytearray, memoryview)


def plain(value: object) -> Any:
    """The `bool`, `int`, `float` or `bytes` that a value stands for; else the value itself.

    A float of another size is taken only where a Python float is exactly the same number.
    """
    if isinstance(value, _BYTES):
        return bytes(value)
    return _plain_numpy(value) if is_numpy(type(value)) else _plain_binary(value)


def number(value: object) -> Any:
    """The `int` or `float` that a value stands for; else the value itself. A truth is none."""
    found = plain(value)
    return value if isinstance(found, bool) else found


def is_numpy(cls: type[object]) -> bool:
    """Whether a class is that of numbers or truths of numpy."""
    numpy = sys.modules.get("numpy")
    return (
        numpy is not None
        and issubclass(cls, (numpy.bool_, numpy.integer, numpy.floating))
        and not issubclass(cls, numpy.timedelta64)
    )


def is_bytes(cls: type[object]) -> bool:
    """Whether the instances of a class are bytes, and neither `bytes` nor made of it."""
    binary = _binary()
    return issubclass(cls, _BYTES) or (binary is not None and issubclass(cls, binary))


def _plain_numpy(value: Any) -> Any:
    numpy = sys.modules["numpy"]
    if isinstance(value, numpy.bool_):
        return bool(value)
    if isinstance(value, numpy.integer):
        return int(value)
    number = float(value)
    # (NaN is refused where it is stored.)
    return number if number == value or number != number else value


def _plain_binary(value: Any) -> Any:
    binary = _binary()
    return value.value if binary is not None and isinstance(value, binary) else value


def _binary() -> Any:
    types = sys.modules.get("boto3.dynamodb.types")
    return None if types is None else types.Binary
