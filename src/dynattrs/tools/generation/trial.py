"""What is generated, tried: imported, and given the sample items to read and to write back.

A design holds whatever its author typed. What was inferred from it is used only where it stands the
trial; `dynattrs.tools.generation` takes a plainer declaration otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from dynattrs.errors import ModelError
from dynattrs.schema.model_info import model_info
from dynattrs.schema.table import AttributeMap, AttributeValue

_SETS: Final = ("SS", "NS", "BS")


def faults(source: str, samples: Mapping[str, Sequence[AttributeMap]]) -> dict[str, str]:
    """What is wrong with which class of a module; nothing where all is well.

    Args:
        source: The module's source.
        samples: The items that each class has to read, by its name.
    """
    namespace: dict[str, Any] = {"__name__": __name__}
    try:
        # Without what this module imports from __future__.
        code = compile(source, "<generated models>", "exec", dont_inherit=True)
        exec(code, namespace)  # noqa: S102 - it is our own
    except ModelError as error:
        return {name: str(error) for name in samples if error.model in (name, repr(name))} or (
            dict.fromkeys(samples, str(error))
        )
    except Exception as error:
        return dict.fromkeys(samples, f"{type(error).__name__}: {error}")
    found = {}
    for name, items in samples.items():
        problem = next((said for each in items if (said := _problem(namespace[name], each))), None)
        if problem is not None:
            found[name] = problem
    return found


def _problem(cls: type[object], item: AttributeMap) -> str | None:
    mapper = model_info(cls).mapper
    try:
        written = mapper.dump(mapper.load(item, cls))
    except Exception as error:
        return str(error)
    return None if same_item(written, item) else f"it would be written back as {written!r}"


def same_item(one: AttributeMap, other: AttributeMap) -> bool:
    """Whether two items are the same to the service, which compares numbers by value."""
    return bool(_compared({"M": one}) == _compared({"M": other}))


def _compared(value: AttributeValue) -> Any:
    ((tag, payload),) = value.items()
    if tag == "N":
        return tag, Decimal(payload)
    if tag == "NS":
        return tag, frozenset(map(Decimal, payload))
    if tag in _SETS:
        return tag, frozenset(payload)
    if tag == "L":
        return tag, tuple(map(_compared, payload))
    if tag == "M":
        return tag, frozenset((name, _compared(each)) for name, each in payload.items())
    return tag, payload
