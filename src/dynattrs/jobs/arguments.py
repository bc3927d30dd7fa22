"""What `Job` accepts."""

from __future__ import annotations

import math
from typing import Final

from dynattrs.errors import ModelError

#: A partition key has room for more, and a file's name for less.
_LONGEST_NAME: Final = 200


def job_name(name: object) -> str:
    fits = isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME
    if not fits or not str(name).strip() or not _encodable(str(name)):
        raise ModelError("Job", f"name={name!r}: 1 to {_LONGEST_NAME} characters are expected")
    return str(name)


def _encodable(text: str) -> bool:
    from dynattrs import utf8

    return utf8.encodable(text)


def count_of(name: str, value: object, most: int) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not 1 <= value <= most:
        raise ModelError("Job", f"{name}={value!r}: an int from 1 to {most:,} is expected")
    return value


def units_of(name: str, value: object) -> float | None:
    if value is None:
        return None
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if isinstance(value, (int, float)) and number and 0 < float(value) < math.inf:
        return float(value)
    raise ModelError(
        "Job", f"{name}={value!r}: a positive number of capacity units a second is expected"
    )
