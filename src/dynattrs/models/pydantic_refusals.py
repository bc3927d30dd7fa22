"""What a body is refused for that pydantic itself would take, and where.

The `input` of such an error is what the client has sent there, as pydantic's own errors have it: never what
was made of it, which has fields that are not for clients, and values that no answer can hold.

Only pydantic imports this module, when it asks a model for its schema.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

from dynattrs import limits, utf8
from dynattrs.errors import MappingError
from dynattrs.mapper.codec import Codec, Trail
from dynattrs.mapper.size import TooDeep
from dynattrs.quoting import quoted
from dynattrs.schema.model_info import StoredForm

_MISSING = object()


def refusal(problem: str) -> PydanticCustomError:
    """What pydantic makes a validation error of."""
    # What a validator says may have a text that has no UTF-8 form.
    problem = problem.encode("utf-8", "backslashreplace").decode()
    return PydanticCustomError("value_error", "Value error, {error}", {"error": problem})


def said(error: BaseException) -> str:
    """What an error says: attrs' validators add the field and themselves to the message."""
    first = error.args[0] if error.args else ""
    return first if isinstance(first, str) and first else f"{type(error).__name__}: {error}"


def refused(
    problem: str | PydanticCustomError, loc: tuple[str | int, ...], body: object
) -> InitErrorDetails:
    """An error at a place of a body."""
    value = at(body, loc)
    if not _is_json(value, 0):
        value = quoted(value)
    error = refusal(problem) if isinstance(problem, str) else problem
    return InitErrorDetails(type=error, loc=loc, input=value)


def wrong(problem: str | PydanticCustomError, value: object) -> ValidationError:
    """What a validator of one value raises."""
    return ValidationError.from_exception_data("body", [refused(problem, (), value)])


def too_large(body: object) -> InitErrorDetails:
    problem = f"expected an item of at most {limits.ITEM_BYTES:,} bytes"
    return InitErrorDetails(type=refusal(problem), loc=(), input=quoted(body))


def at(body: object, loc: Sequence[str | int]) -> object:
    """What a body has at a place, or around it where it has other names there."""
    for each in loc:
        inner = _MISSING
        if isinstance(body, Mapping):
            inner = body.get(each, _MISSING)
        elif isinstance(body, (list, tuple)) and type(each) is int and each < len(body):
            inner = body[each]
        if inner is _MISSING:
            break
        body = inner
    return body


def _is_json(value: object, depth: int) -> bool:
    """Whether an answer can hold a value of a body: JSON has no NaN, and UTF-8 no half of a character."""
    if isinstance(value, str):
        return utf8.encodable(value)
    if isinstance(value, float):
        return math.isfinite(value)
    if depth > limits.NESTING_DEPTH:
        return False
    if isinstance(value, Mapping):
        members = (*value, *value.values())
        return all(_is_json(each, depth + 1) for each in members)
    if isinstance(value, (list, tuple)):
        return all(_is_json(each, depth + 1) for each in value)
    return True


def explained(
    form: StoredForm, value: object, sent: object, error: Exception
) -> tuple[list[str | int], str]:
    """Where a value that cannot be stored is at fault, and what was expected there; *sent* is what the
    client has sent for it.
    """
    if isinstance(error, TooDeep):
        return [], f"expected at most {limits.NESTING_DEPTH} levels of lists and maps"
    if isinstance(error, UnicodeEncodeError):
        return _half_at(sent) or [], f"expected {utf8.EXPECTED}"
    if not isinstance(form, Codec):
        return [], said(error)
    trail = Trail("")
    try:
        form.dump_at(value, trail)
    except Exception as precise:
        error = precise
    if isinstance(error, MappingError):
        return [], f"expected {error.expected}"
    # Members of sets have no places.
    parts = itertools.takewhile(lambda each: each[0] != "{", trail.parts)
    place = [
        int(each[1:-1]) if each[1:-1].isdigit() and each[0] == "[" else each.strip(".[]'\"")
        for each in parts
    ]
    return list(place), f"expected {trail.error(error).expected}"


def _half_at(value: object) -> list[str | int] | None:
    """The place of the first text that has no UTF-8 form, inside what a client has sent."""
    if isinstance(value, str):
        return None if utf8.encodable(value) else []
    members: list[tuple[str | int, object]] = []
    if isinstance(value, Mapping):
        if any(_half_at(name) is not None for name in value):
            return []
        members = list(value.items())
    elif isinstance(value, (list, tuple)):
        members = list(enumerate(value))
    for name, each in members:
        place = _half_at(each)
        if place is not None:
            return [name, *place]
    return None
