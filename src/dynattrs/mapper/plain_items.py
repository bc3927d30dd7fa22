"""Items as plain JSON: the fields of an object, by which it is made again.

Plain JSON has fewer types than an item. A field's type says what base64 text and a list have been;
where no type says it, an object is not written, or it would be read as another one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from dynattrs.mapper.anything import from_plain, has_more_types, parse_json, plain_json
from dynattrs.mapper.carried import carried_by
from dynattrs.mapper.codec import Codec, Refused, Trail, show_stored
from dynattrs.mapper.equality import comparable
from dynattrs.quoting import quoted
from dynattrs.schema.model_info import ComputedKeys, ModelInfo, models_in
from dynattrs.schema.table import AttributeMap, AttributeValue

_HINT: Final = (
    "plain JSON does not tell bytes from text, nor sets from lists, where no type says so: "
    "use to_dynamodb_json(), or {instead}"
)
#: For a field, whose type may be `Any`, and for an attribute that is none.
_TYPED: Final = "declare a type that tells them apart"
_UNKNOWN: Final = "declare a field for it, or the model with unknown='drop'"


def plain_text(item: AttributeMap, codec: Codec, trail: Trail) -> str:
    """An item as plain JSON.

    Raises:
        Refused: It would be read as another item. The trail names the place.
    """
    value: AttributeValue = {"M": item}
    text = plain_json(value)
    if has_more_types(value):
        read = from_plain(parse_json(text), codec)["M"]
        fields = {stored: name for name, stored in (codec.names or {}).items()}
        for name, each in item.items():
            known = name in fields
            trail.parts.append(f".{fields[name]}" if known else f"[{quoted(name)}]")
            _compare(each, read[name], trail, _TYPED if known else _UNKNOWN)
            trail.parts.pop()
    return text


def _compare(
    value: AttributeValue, read: Mapping[str, AttributeValue], trail: Trail, instead: str
) -> None:
    tag = next(iter(value))
    if tag in ("L", "M") and tag in read:
        both = zip(value[tag], read[tag], strict=True) if tag == "L" else None
        names = both or ((each, each) for each in value[tag])
        for position, (one, other) in enumerate(names):
            named = tag == "M"
            trail.parts.append(f"[{quoted(one)}]" if named else f"[{position}]")
            inner = (value[tag][one], read[tag][other]) if named else (one, other)
            _compare(*inner, trail, instead)
            trail.parts.pop()
    elif comparable(value) != comparable(read):
        raise Refused(
            "what plain JSON has a type for", show_stored(value), _HINT.format(instead=instead)
        )


# --- Models with computed keys ------------------------------------------------------------------


def fields_alone(
    obj: object, item: AttributeMap, keys: ComputedKeys, names: Collection[str]
) -> AttributeMap:
    """An item of a model with computed keys without these, and with the fields stored in them.

    Args:
        obj: The object.
        item: The object as it is stored.
        keys: The model's.
        names: The stored names of its fields, in their order.

    Raises:
        Refused: The object carries a key that its fields do not make.
    """
    carried = carried_by(obj).key
    if carried is not None:
        for name in keys.written:
            stored = carried.stored.get(name)
            if stored is not None and item[name] == stored != carried.written[name]:
                raise Refused(
                    f"the key as it would be written, {show_stored(carried.written[name])}",
                    show_stored(stored),
                    "plain JSON has fields and no keys; use to_dynamodb_json()",
                )
    whole = keys.restore(item)
    found = {name: whole[name] for name in names if name in whole}
    others = {*keys.attributes, *found}
    return {**found, **{name: value for name, value in whole.items() if name not in others}}


def item_of_fields(item: AttributeMap, info: ModelInfo, keys: ComputedKeys) -> AttributeMap:
    """What plain JSON says of an object, with its key and the fields that it has in keys only.

    Raises:
        Refused: It is of a subclass, whose fields this class does not know.
        MappingError: A key was not made by this model's template, or cannot be.
    """
    known = {*info.names.values(), *keys.attributes, *info.formerly, info.schema_attribute}
    others = item.keys() - known
    for each in models_in(info.table) if others else ():
        shared = others.intersection(each.names.values())
        if shared and each.cls is not info.cls and issubclass(each.cls, info.cls):
            raise Refused(
                f"the fields of {info.name}",
                f"also {', '.join(map(repr, sorted(shared)))}, of {each.name}",
                f"plain JSON does not say its class: give {each.name} to from_json",
            )
    if any(info.names[name] not in item for name in keys.key_only):
        item = keys.restore(item)
    # With its key, which an object carries where that is written otherwise.
    return {**item, **keys.primary_of(item)}
