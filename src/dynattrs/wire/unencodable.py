"""Requests that hold half of a character, which is not text to the service.

The fast way leaves such a request to botocore's, because it has no JSON. That escapes it, and the service
answers something or other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dynattrs import utf8
from dynattrs.errors import MappingError

#: What was looked at before: items are measured, and their keys checked.
_CHECKED: Final = frozenset({"Item", "RequestItems"})


def refuse_unencodable(operation: str, parameters: Mapping[str, Any]) -> None:
    """Refuse a request with text that has no UTF-8 form.

    Raises:
        MappingError: It names the place in the request.
    """
    # With the first request: a program may import this library and ask nothing.
    import msgspec

    rest = {name: value for name, value in parameters.items() if name not in _CHECKED}
    rest["RequestItems"] = [*parameters.get("RequestItems", ())]
    try:
        msgspec.json.encode(rest)
    except UnicodeEncodeError:
        place, text = next(utf8.unencodable(rest))
        name = place.strip("[").partition("]")
        raise MappingError(
            f"{operation}.{name[0].strip(_QUOTES)}{name[2]}", utf8.EXPECTED, utf8.found(text),
            hint=utf8.HINT,
        ) from None  # fmt: skip
    except Exception:  # noqa: S110 - botocore says what is wrong with it
        pass


_QUOTES: Final = "'\""
