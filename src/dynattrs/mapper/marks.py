"""The codecs of `Annotated[...]`: what the marks inside make of the codec of the type.

What `Json` and `Compressed` store is JSON, whose numbers and names have no limits of DynamoDB's: the
type inside gets the codecs of `json_values`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, get_args

from dynattrs.deferral import deferred
from dynattrs.mapper import containers, scalars, wrappers
from dynattrs.mapper.annotations import (
    DATETIME,
    ENCRYPTION,
    LARGE_FIELDS,
    CodecsOf,
    CompressedMark,
    Epoch,
    FormMark,
    Json,
    arms,
    is_array,
    show_type,
)
from dynattrs.mapper.codec import Codec, Refused

if TYPE_CHECKING:
    from dynattrs.mapper import arrays, encrypted, in_s3, packed, pydantic_classes
else:
    encrypted = deferred("dynattrs.mapper.encrypted")
    in_s3 = deferred("dynattrs.mapper.in_s3")
    arrays = deferred("dynattrs.mapper.arrays")
    packed = deferred("dynattrs.mapper.packed")
    pydantic_classes = deferred("dynattrs.mapper.pydantic_classes")


def marked_codec(codecs: CodecsOf, type_: object) -> Codec:
    """The codec of an annotated type.

    Raises:
        Refused: A mark is not meant for the type.
    """
    marks: list[Any]
    inner_type, *marks = get_args(type_)
    if LARGE_FIELDS in sys.modules:
        places = [n for n, mark in enumerate(marks) if type(mark).__module__ == LARGE_FIELDS]
        if places == [len(marks) - 1]:
            return in_s3.large_codec(codecs.usual, type_)
        if places:
            raise Refused("one InS3, as the last mark", f"{show_type(type_)}")
    if is_array(inner_type):
        code, *marks = marks
        if not marks:
            return arrays.array_codec(codecs, type_, code)
        inner_type = Annotated[inner_type, code]
    if any(
        type(mark).__module__ == ENCRYPTION or isinstance(mark, CompressedMark) for mark in marks
    ):
        # Only programs with such a mark look inside.
        codecs = codecs.usual
    elif codecs.forms is not None:
        marks = [codecs.forms.json if mark is Json else mark for mark in marks]
    own = [mark for mark in marks if isinstance(mark, FormMark)]
    if len(own) > 1:
        raise Refused("one stored form", f"{show_type(type_)} with {len(own)}")
    inner = own[0].codec(codecs, type_, inner_type) if own else codecs.codec(inner_type)
    # Inside of JSON, as long as no mark has made text or bytes of it.
    inside: Codec | None = None
    for position, mark in enumerate(marks):
        if type(mark).__module__ == ENCRYPTION:
            if position < len(marks) - 1:
                raise Refused("Encrypted as the last mark", f"{show_type(type_)}")
            inner = encrypted.encrypted_codec(type_, inner, mark)
        elif mark is Json or isinstance(mark, CompressedMark):
            if inside is None:
                inside = _marked(codecs.in_json.codec(inner_type), type_, marks[:position])
            else:
                inside = inner
            if isinstance(mark, CompressedMark):
                inner = packed.compressed_codec(type_, inner, inside, mark.max_bytes)
            else:
                inner = packed.json_codec(type_, inside)
        else:
            inner = _marked(inner, type_, [mark])
    return inner


def _marked(codec: Codec, type_: object, marks: list[Any]) -> Codec:
    for mark in marks:
        if mark is Epoch:
            codec = _epoch(type_, codec)
        elif mark is pydantic_classes.ByValue:
            codec = wrappers.by_value_codec(codec, pydantic_classes.by_value(get_args(type_)[0]))
    return codec


def _epoch(type_: object, inner: Codec) -> Codec:
    if inner.type is DATETIME and inner.tags == {"S"}:
        return scalars.EPOCH
    if inner.optional and inner.tags == {"S"} and DATETIME in arms(inner.type):
        return containers.optional_codec(type_, scalars.EPOCH)
    raise Refused("Epoch on a datetime", f"Epoch on {show_type(get_args(type_)[0])}")
