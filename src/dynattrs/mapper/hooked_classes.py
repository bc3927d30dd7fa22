"""Classes that are stored as the program's own hooks say, which make a dict and take one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynattrs.mapper import anything
from dynattrs.mapper.carried import NOTHING_CARRIED, Carried, carried_by, carry
from dynattrs.mapper.codec import Codec, Refused, show
from dynattrs.schema.model_info import info_of
from dynattrs.schema.table import AttributeMap, AttributeValue


def dump_hooked(codec: Codec, obj: Any) -> AttributeMap:
    """A class with hooks of its own: what they make, and what the instance carries."""
    value = codec.dump(obj)
    if "M" not in value:
        raise Refused("hooks that make a dict", f"hooks that make {show(anything.load_any(value))}")
    item: AttributeMap = value["M"]
    carried = carried_by(obj)
    return item if carried is NOTHING_CARRIED else {**carried.attributes, **item}


def load_hooked(codec: Codec, item: Mapping[str, AttributeValue]) -> Any:
    instance = codec.load({"M": item})
    info = info_of(type(instance))
    if info is not None and info.carries and info.unknown == "keep":
        known = set((codec.names or info.names).values())
        if info.keys is not None:
            known.update(info.keys.attributes)
        known.update(info.formerly)
        extra = {name: value for name, value in item.items() if name not in known}
        if extra:
            carry(instance, Carried(anything.native_map(extra)))
    return instance
