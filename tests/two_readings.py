"""What tests of reading share: two ways from a reply's bytes to objects that are compared, and damage."""

from __future__ import annotations

import base64
import json
from typing import Any

import attrs
from hypothesis import strategies as st

from dynattrs import MappingError, OtherKind, mapper
from dynattrs.mapper.anything import native
from dynattrs.mapper.carried import carried_by
from dynattrs.mapper.rows import Row, attribute_map
from dynattrs.operations.reading.objects import decoder, made_of
from dynattrs.schema.model_info import model_info

import strategies

# --- What is compared -------------------------------------------------------------------------


def outcome(read: Any) -> Any:
    """What reading gives, with everything that can be told apart."""
    try:
        found = read()
    except OtherKind:
        return "another's"
    except MappingError as error:
        cause = type(error.__cause__)
        return ("error", error.path, error.expected, error.found, error.hint, error.key,
                error.item, cause)  # fmt: skip
    return "object", type(found), described(found), carried_by(found)


def described(value: Any) -> Any:
    """A value with the types of all its parts: 1, 1.0 and True are not the same here."""
    if isinstance(value, dict):
        return type(value), {key: described(each) for key, each in value.items()}
    if isinstance(value, (set, frozenset)):
        return type(value), frozenset((type(each), repr(each)) for each in value)
    if isinstance(value, (list, tuple)):
        return type(value), [described(each) for each in value]
    if attrs.has(type(value)):
        return type(value), [
            described(getattr(value, each.name)) for each in attrs.fields(type(value))
        ]
    return type(value), repr(value)


def assert_same(cls: type[Any], items: list[Any]) -> None:
    info = model_info(cls)
    bodies = {
        "Items": {"Items": items, "Count": len(items), "LastEvaluatedKey": {"id": {"S": "x"}}},
        "Responses": {"Responses": {"table": items}, "UnprocessedKeys": {}},
        **{place: {place: items[0], "ConsumedCapacity": {"CapacityUnits": 0.5}}
           for place in ("Item", "Attributes") if items},
    }  # fmt: skip
    for place, reply in bodies.items():
        # The service writes no white space, other engines do.
        separators = (",", ":") if place == "Items" else None
        body = json.dumps(reply, separators=separators).encode()
        plain = json.loads(body)
        decode = decoder(info, cls, place)
        assert decode is not None
        # Twice: the first time may have taught it the attributes that the class does not know.
        for _ in range(2):
            read = decode(body)
            assert read.keys() == plain.keys()
            assert all(read[name] == plain[name] for name in plain if name != place)
            assert_same_items(cls, listed(read[place]), listed(plain[place]))


def assert_same_items(cls: type[Any], read: list[Any], plain: list[Any]) -> None:
    info = model_info(cls)
    assert len(read) == len(plain)
    for row, item in zip(read, plain, strict=True):
        assert attribute_map(row) == item
        if isinstance(row, Row):
            assert all(row[name] == item[name] for name in item)
        expected = outcome(lambda: mapper.load(item, cls))  # noqa: B023
        if expected == "another's":
            continue  # those who read rows tell such items apart before
        assert outcome(lambda: made_of(info, cls, row)) == expected  # noqa: B023


def listed(items: Any) -> list[Any]:
    if isinstance(items, list):
        return items
    if isinstance(items, dict) and "table" in items:
        return list(items["table"])
    return [items]


def wire(value: Any) -> Any:
    """An attribute value, or anything else, as its JSON has it."""
    if isinstance(value, dict):
        return {str(name): wire(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [wire(each) for each in value]
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


# --- Damage -----------------------------------------------------------------------------------

_text = st.sampled_from(
    ["", "NaN", "Infinity", "-0", "1e400", "1E-200", " 1", "1 ", "+1", "1_0", "0x1", "01", "1.0",
     "1.5", "1e2", "٣", "AAEC", "AAE", "AAE=", "AB==", "A===", "AA EC", "2020-01-01", "red", "true",
     "null", "9" * 40, "9" * 5000, "[1]", "{}", "\ud83d\ude00"]
)  # fmt: skip
_leaf = (
    _text
    | st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.5, 1.0, 1e300, 2**70])
)
_tag = st.sampled_from(["S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS", "X"])
_payload = _leaf | st.lists(_leaf, max_size=2) | st.dictionaries(_tag, _leaf, max_size=2)


@st.composite
def damaged(draw: st.DrawFn, value: Any) -> Any:
    """JSON with one thing changed somewhere inside it."""
    inside = (isinstance(value, (dict, list)) and value) and draw(st.integers(0, 5))
    if inside and isinstance(value, dict):
        name = draw(st.sampled_from(sorted(value)))
        return {**value, name: draw(damaged(value[name]))}
    if inside:
        position = draw(st.integers(0, len(value) - 1))
        return [*value[:position], draw(damaged(value[position])), *value[position + 1 :]]
    if isinstance(value, dict):
        how = draw(st.sampled_from(["more", "less", "renamed", "other"]))
        names = sorted(value)
        if how == "more":
            return {**value, draw(_tag | _text): draw(_payload)}
        if names and how == "less":
            return {name: value[name] for name in names[1:]}
        if names and how == "renamed":
            return {**{name: value[name] for name in names[1:]}, draw(_tag): value[names[0]]}
    if isinstance(value, list) and value and draw(st.booleans()):
        return [*value, value[0]]
    if isinstance(value, str) and draw(st.booleans()):
        return draw(st.sampled_from([value + " ", " " + value, value + "0", value[:-1], value * 2]))
    return draw(_payload)


def is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def is_stored(value: Any) -> bool:
    try:
        native(value)
    except Exception:
        return False
    return True


any_values = strategies.attribute_values.map(wire).filter(is_json)
stored_values = any_values.filter(is_stored)


def is_item_of(item: Any, other: Any) -> bool:
    """Whether the key is still one that a table of the model can have."""
    key = other.get("id") if isinstance(other, dict) else None
    return isinstance(key, dict) and key.keys() == {"S"} and type(key["S"]) is str
