"""What `msgspec.Meta(...)` in an annotation says of values, for pydantic, which does not know it.

Only pydantic imports this module, when it asks a model for its schema.
"""

from __future__ import annotations

import math
import operator
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sized
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import pydantic
from pydantic_core import CoreSchema, core_schema

from dynattrs.models.pydantic_refusals import wrong

#: How a number is compared, what is said of it, and the word for it in JSON schemas.
_COMPARED: Final[dict[str, tuple[Callable[[Any, Any], bool], str, str]]] = {
    "ge": (operator.ge, "a number of at least", "minimum"),
    "gt": (operator.gt, "a number greater than", "exclusiveMinimum"),
    "le": (operator.le, "a number of at most", "maximum"),
    "lt": (operator.lt, "a number less than", "exclusiveMaximum"),
}
#: The words for a length, by the type in JSON.
_LENGTHS: Final = {"string": "Length", "array": "Items", "object": "Properties"}


def as_limits(mark: Any) -> Any:
    """A mark of an `Annotated`, in pydantic's words where it is msgspec's."""
    msgspec = sys.modules.get("msgspec")
    return Limits(mark) if msgspec is not None and isinstance(mark, msgspec.Meta) else mark


class Limits:
    """Inside `Annotated[...]`: what a `msgspec.Meta` says. Each limit is for values of its kind alone, so
    that one beside a union is for the members that it fits.
    """

    def __init__(self, meta: Any) -> None:
        self._meta = meta

    def __get_pydantic_core_schema__(
        self, source: Any, handler: pydantic.GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> dict[str, Any]:
        described = handler(schema)
        described.update(self._described(described))
        return described

    def _checked(self, value: Any) -> Any:
        for problem in self._problems(value):
            raise wrong(f"expected {problem}", value)
        return value

    def _problems(self, value: Any) -> Iterator[str]:
        meta = self._meta
        if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
            if not math.isfinite(value):
                # No item can hold it, which is found later.
                return
            for name, (compare, words, _) in _COMPARED.items():
                limit = getattr(meta, name)
                if limit is not None and not compare(value, limit):
                    yield f"{words} {limit}"
            each = meta.multiple_of
            if each is not None and Fraction(str(value)) % Fraction(str(each)):
                yield f"a multiple of {each}"
        pattern: str | None = meta.pattern
        if pattern is not None and isinstance(value, str) and re.search(pattern, value) is None:
            yield f"text that matches {pattern!r}"
        if isinstance(value, Sized):
            if meta.min_length is not None and len(value) < meta.min_length:
                yield f"a length of at least {meta.min_length}"
            if meta.max_length is not None and len(value) > meta.max_length:
                yield f"a length of at most {meta.max_length}"

    def _described(self, described: Mapping[str, Any]) -> dict[str, Any]:
        meta = self._meta
        made: dict[str, Any] = {
            word: getattr(meta, name) for name, (_, _, word) in _COMPARED.items()
        }
        made["multipleOf"] = meta.multiple_of
        made["pattern"] = meta.pattern
        parts = (described, *described.get("anyOf", ()))
        # (Of bytes the text is longer.)
        types = [each.get("type") for each in parts if "contentEncoding" not in each]
        for type_, word in _LENGTHS.items():
            if type_ in types:
                made[f"min{word}"], made[f"max{word}"] = meta.min_length, meta.max_length
        made.update(title=meta.title, description=meta.description, examples=meta.examples)
        made = {name: value for name, value in made.items() if value is not None}
        return {**made, **(meta.extra_json_schema or {})}
