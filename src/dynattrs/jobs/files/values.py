"""Values of columns as attribute values, by the types of the fields that they are of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from dynattrs.frames.cells import inside_of
from dynattrs.jobs.files.columns import from_json_text
from dynattrs.jobs.files.errors import BadLine
from dynattrs.mapper import numbers
from dynattrs.mapper.codec import Codec, KeyedMapShape, OptionalShape, TupleShape, show
from dynattrs.mapper.placeholders import Placeholder
from dynattrs.schema.model_info import IN_S3
from dynattrs.schema.table import AttributeMap, AttributeValue


class Values:
    """Reads what Arrow gives as Python.

    Args:
        mapper: The mapper of the model.
    """

    def __init__(self, mapper: Any) -> None:
        self._mapper = mapper

    def stored(self, value: Any, codec: Any) -> AttributeValue:
        """What a value is stored as.

        Raises:
            Exception: It is no value of that type.
        """
        while isinstance(codec, Placeholder) and codec.target is not None:
            codec = codec.target
        if value is None:
            return {"NULL": True}
        shape = getattr(codec, "shape", None)
        if isinstance(shape, OptionalShape):
            return self.stored(value, shape.inner)
        made: AttributeValue
        if codec.packed == IN_S3:  # as frames have it
            if not isinstance(value, str):
                raise BadLine(f"expected {codec.expected} as JSON text, found {show(value)}")
            return from_json_text(value, codec)
        if codec.packed:
            inner = inside_of(self._mapper, codec)
            made = codec.dump(inner.load(self.stored(value, inner)))
            return made
        if codec.wrapped is not None:
            return self.stored(value, codec.wrapped)
        if isinstance(value, dict):
            return self._struct(value, codec, shape)
        if isinstance(value, list):
            return self._list(value, codec, shape)
        if isinstance(value, str):
            return _text(value, codec)
        if isinstance(value, bool):
            return {"BOOL": value}
        if isinstance(value, (bytes, bytearray)):
            return {"B": bytes(value)}
        if isinstance(value, (int, float, Decimal)) and "N" in codec.tags:
            return _number(value)
        made = codec.dump(value)
        return made

    def _struct(self, value: dict[str, Any], codec: Any, shape: Any) -> AttributeValue:
        if isinstance(shape, TupleShape):
            elements = enumerate(shape.elements)
            return {"L": [self.stored(value[str(place)], each) for place, each in elements]}
        names: Mapping[str, str] = codec.names or {}
        found: AttributeMap = {}
        for name, each in value.items():
            inner = codec.inside(name) if codec.fields is None else codec.fields[name]
            # What is not there is None, as far as it may be missing.
            needed = name in codec.required and name not in codec.sparse and inner.optional
            if each is not None or needed:
                found[names.get(name, name)] = self.stored(each, inner)
        return {"M": found}

    def _list(self, value: list[Any], codec: Any, shape: Any) -> AttributeValue:
        if "M" in codec.tags:
            element = codec.element
            name_of = self._names(codec, shape)
            return {"M": {name_of(key): self.stored(each, element) for key, each in value}}
        if isinstance(shape, TupleShape):
            both = zip(value, shape.elements, strict=True)
            return {"L": [self.stored(each, inner) for each, inner in both]}
        if codec.element is None:  # an array of numbers
            made: AttributeValue = codec.dump(codec.load({"L": [_number(each) for each in value]}))
            return made
        return {"L": [self.stored(each, codec.element) for each in value]}

    def _names(self, codec: Any, shape: Any) -> Callable[[Any], str]:
        if not isinstance(shape, KeyedMapShape):
            return str
        key = shape.key
        return lambda value: shape.name_of(key.load(self.stored(value, key)))


def _number(value: float | Decimal) -> AttributeValue:
    if isinstance(value, Decimal):
        return numbers.dump_decimal(value)
    return numbers.dump_int(value) if isinstance(value, int) else numbers.dump_float(value)


def _text(value: str, codec: Codec) -> AttributeValue:
    if codec.tags == {"S"}:
        return {"S": value}
    if codec.tags == {"N"}:
        return {"N": value}
    return from_json_text(value, codec)
