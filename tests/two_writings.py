"""Two ways from an object to a request: at once, and by its attribute map. They never differ."""

from __future__ import annotations

from typing import Any

from dynattrs import MappingError, limits, mapper
from dynattrs.mapper.size import TooDeep
from dynattrs.operations.item_keys import identity
from dynattrs.operations.requests import packed_item, unpacked
from dynattrs.schema.model_info import model_info


def apart(obj: Any) -> tuple[Any, Any, int] | None:
    """Request, identity and size as the general way comes to them; None where it refuses."""
    try:
        item, size = mapper.default.dump_with_size(obj)
        if size > limits.ITEM_BYTES:
            return None
        key = {name: item[name] for name in model_info(type(obj)).table.key}
        return read({"PutRequest": {"Item": item}}), identity("real", key), size
    except (MappingError, TooDeep, UnicodeEncodeError):
        return None


def read(request: Any) -> Any:
    found = unpacked({"RequestItems": {"real": [request]}})["RequestItems"]["real"]
    return [with_sets(each["PutRequest"]["Item"]) for each in found]


def with_sets(value: Any) -> Any:
    """Sets have no order."""
    if isinstance(value, list):
        return [with_sets(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: frozenset(each) if name in ("SS", "NS", "BS") else with_sets(each)
        for name, each in value.items()
    }


def check(obj: Any, *, always: bool = False) -> None:
    """The fast way says what the general one says, and leaves to that what is wrong, and nothing else."""
    found = mapper.default.dump_as_request(obj, "real")
    expected = apart(obj)

    if found is None or expected is None:
        assert found is None
        assert expected is None
        assert not always
        return
    request, length, key = found
    assert read(request) == expected[0]
    # The same item in a put of its own.
    put = unpacked({"TableName": "real", "Item": packed_item(request)})
    assert [with_sets(put["Item"])] == expected[0]
    assert key == expected[1]
    assert hash(key) == hash(expected[1])
    assert length == len(bytes(request))
    # What makes measuring unnecessary.
    assert length >= expected[2]
