"""Whether stored values are one value to the service: numbers by value, sets without order."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from decimal import Decimal
from typing import Any, Final

from dynattrs.mapper.codec import Codec, TextsShape
from dynattrs.mapper.numbers import load_decimal, load_int
from dynattrs.mapper.scalars import binary, load_bytes, load_str
from dynattrs.schema.model_info import StoredForm
from dynattrs.schema.table import AttributeValue
from dynattrs.stored_bytes import KeptElsewhere


def same(one: Mapping[str, AttributeValue], other: Mapping[str, AttributeValue]) -> bool:
    """Whether two attribute maps are the same to the service."""
    return comparable({"M": one}) == comparable({"M": other})


def comparable(value: Mapping[str, object]) -> tuple[str, Hashable | Mapping[str, Any]]:
    """An attribute value in a form that is equal where the service's value is: 1 and 1.0 are one
    number, sets have no order, and B may be bytes or base64 text.
    """
    ((tag, payload),) = value.items()
    if isinstance(payload, KeptElsewhere):
        return (tag, payload) if payload.instead is None else comparable(payload.instead)
    form = _FORMS.get(tag)
    return tag, payload if form is None else form(payload)


_FORMS: Final[dict[str, Callable[[Any], Any]]] = {
    "N": Decimal,
    "B": binary,
    "SS": frozenset,
    "NS": lambda members: frozenset(map(Decimal, members)),
    "BS": lambda members: frozenset(map(binary, members)),
    "L": lambda members: [comparable(member) for member in members],
    "M": lambda members: {name: comparable(member) for name, member in members.items()},
}


def alike(one: Any, other: Any, codec: StoredForm | None) -> bool:
    """Whether two values as a model writes them say the same: a set has no order, also as a list."""
    if one is None or other is None:
        return one is other
    return bool(_ordered(one, codec) == _ordered(other, codec))


def _ordered(value: AttributeValue, codec: StoredForm | None) -> tuple[str, Any]:
    ((tag, payload),) = value.items()
    if isinstance(payload, KeptElsewhere):
        return tag, payload
    if tag == "L":
        members = [_ordered(each, inside(codec, place)) for place, each in enumerate(payload)]
        return tag, sorted(members) if codec is not None and codec.is_set else members
    if tag == "M":
        names = sorted(payload)
        return tag, [(name, _ordered(payload[name], inside(codec, name))) for name in names]
    plain: Any = comparable(value)[1]
    return tag, sorted(plain) if isinstance(plain, frozenset) else plain


def inside(codec: StoredForm | None, step: str | int) -> StoredForm | None:
    """How what is stored at a step inside a value is stored; None where nothing says so."""
    if codec is None or not codec.fields:
        return None if codec is None else codec.element
    for name, stored in (codec.names or {}).items():
        if stored == step:
            return codec.fields[name]
    return None


def is_spelled_once(codec: StoredForm, *, in_set: bool) -> bool:
    """Whether a value has but one stored form: as the key of a map, which is text, or as a member of a
    set, where numbers count by their value.
    """
    if codec.load in (load_str, load_bytes):
        return True
    if in_set and codec.load in (load_int, load_decimal):
        return True
    return isinstance(codec, Codec) and isinstance(codec.shape, TextsShape)


def as_written(value: AttributeValue, codec: StoredForm | None) -> AttributeValue:
    """A stored value as its codec would write it; as it is stored where that cannot be read."""
    if codec is None:
        return value
    try:
        return codec.dump(codec.load(value))
    except Exception:
        return value
