"""botocore's descriptions of services, decoded member by member when somebody asks.

A client of DynamoDB needs one service out of four hundred in `endpoints.json` (1.3 MB), and of the
service's own description the shapes of those operations that are called. Decoding all of it takes
its time, and then so does the garbage collector, with tens of thousands of dicts that nobody reads.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, ValuesView
from typing import Any, Final

import msgspec

#: Smaller files are decoded at once.
_LARGE: Final = 50_000

_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_objects: Final = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


def description(text: bytes) -> Any:
    """What a JSON file of botocore's says; the members of large objects are decoded when read.

    Raises:
        msgspec.DecodeError: It is no JSON.
    """
    if len(text) < _LARGE:
        return msgspec.json.decode(text)
    try:
        found: Any = Later(_members.decode(text))
        for name in ("operations", "shapes"):
            if name in found:
                found[name] = Later(_members.decode(dict.__getitem__(found, name)))
        if "partitions" in found:
            found["partitions"] = [
                _partition(each) for each in _objects.decode(dict.__getitem__(found, "partitions"))
            ]
    except msgspec.ValidationError:
        # It is laid out in another way.
        return msgspec.json.decode(text)
    return found


def _partition(members: dict[str, msgspec.Raw]) -> Later:
    made = Later(members)
    if "services" in members:
        made["services"] = Later(_members.decode(members["services"]))
    return made


class Later(dict[str, Any]):
    """A JSON object whose members are decoded when they are read."""

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        if type(value) is msgspec.Raw:
            self[name] = value = msgspec.json.decode(value)
        return value

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self else default  # noqa: SIM401 - this is `get`

    def setdefault(self, name: str, default: Any = None) -> Any:
        super().setdefault(name, default)
        return self[name]

    def pop(self, name: str, *default: Any) -> Any:
        if name in self:
            default = (self[name],)
        super().pop(name, *default)
        return default[0]

    def popitem(self) -> tuple[str, Any]:
        name, _ = self._whole().popitem()
        return name, super().pop(name)

    # With an iterator of its own, dict(later) and {**later} ask for each member too.
    def __iter__(self) -> Iterator[str]:
        return super().__iter__()

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]
        return self._whole().items()

    def values(self) -> ValuesView[Any]:  # type: ignore[override]
        return self._whole().values()

    def copy(self) -> dict[str, Any]:
        return self._whole().copy()

    def _whole(self) -> dict[str, Any]:
        return {name: self[name] for name in list(self)}

    def __eq__(self, other: object) -> bool:
        return self._whole() == other

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None

    def __or__(self, other: Any) -> Any:
        return self._whole() | other

    def __ror__(self, other: Any) -> Any:
        return other | self._whole()

    def __repr__(self) -> str:
        return repr(self._whole())

    def __reduce__(self) -> Any:
        return dict, (self._whole(),)
