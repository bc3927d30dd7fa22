"""Codecs of values that are packed into one attribute: JSON in text, and compressed bytes."""

from __future__ import annotations

import functools
import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any, Final

from dynattrs import utf8
from dynattrs.mapper import json_text, json_values, scalars
from dynattrs.mapper.anything import plain_json
from dynattrs.mapper.codec import Codec, Refused, Trail
from dynattrs.schema.model_info import COMPRESSED
from dynattrs.schema.table import AttributeValue

# To zlib: with the header and the check sum of gzip.
_GZIP: Final = 31


def json_codec(type_: object, inner: Codec) -> Codec:
    """`Annotated[T, Json]`: a string with the plain JSON of T, by the codec that T has in JSON."""
    text = _json_text(inner)

    def dump(value: object) -> AttributeValue:
        return {"S": text(value)}

    def dump_at(value: object, trail: Trail) -> AttributeValue:
        return {"S": plain_json(inner.dump_at(value, trail))}

    def load(value: AttributeValue) -> Any:
        return inner.load(json_values.parse(value["S"], inner))

    def load_at(value: AttributeValue, trail: Trail) -> Any:
        return inner.load_at(json_values.parse(value["S"], inner), trail)

    # Measured (benchmarks/second_ways.py): 78 -> 12 us an attribute of 1 KB.
    # tests/property/test_mapping.py holds both to what `json` says.
    def load_at_once(value: AttributeValue) -> Any:
        return json.loads(value["S"])

    # Measured (benchmarks/readings.py): 9.5 -> 7.3 us an item with a dict of one int.
    # tests/property/test_mapping.py holds it to the way by the attribute value.
    def load_if_plain(value: AttributeValue) -> Any:
        read = plain_reader()
        if read is not None:
            try:
                return read(value["S"])
            except Exception:  # noqa: S110 - the way below says what is wrong with it
                pass
        return load(value)

    @functools.cache
    def plain_reader() -> Callable[[str], Any] | None:
        return json_values.reader(inner)

    plain = inner.load is json_values.load_any
    return Codec(
        type_, frozenset({"S"}), dump, load_at_once if plain else load_if_plain,
        expected=f"{inner.expected} as JSON", dump_at=dump_at, load_at=load_at, packed="JSON text",
    )  # fmt: skip


def _json_text(inner: Codec) -> Callable[[Any], str]:
    """What gives the JSON of a codec's values."""

    @functools.cache  # its parts may not be known before
    def writer() -> Callable[[Any], str]:
        return json_text.writer(inner)

    def text(value: object) -> str:
        try:
            found = writer()(value)
        except Exception:  # the codec says what is wrong with it
            found = ""
        # A lone surrogate has no UTF-8 form, and is written as an escape.
        return found if found and utf8.encodable(found) else plain_json(inner.dump(value))

    return text


def compressed_codec(type_: object, inner: Codec, inside: Codec, most: int) -> Codec:
    """`Annotated[T, Compressed]`: B, the gzip of bytes, of UTF-8 text, or of the JSON of T.

    The service's guide stores large values so:
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-use-s3-too.html

    Args:
        type_: The type.
        inner: Its codec, for bytes and text.
        inside: The codec that it has in JSON.
        most: How many bytes it may have before it is compressed.
    """
    raw = inner.tag in ("S", "B") and not inner.optional
    inner = inner if raw else inside
    json_of = _json_text(inner)

    def pack(value: AttributeValue) -> AttributeValue:
        ((tag, payload),) = value.items()
        return packed(tag, payload if raw else plain_json(value))

    def packed(tag: str, text: Any) -> AttributeValue:
        if tag == "S" and not utf8.encodable(text):
            raise Refused(utf8.EXPECTED, utf8.found(text), utf8.HINT)
        data: bytes = text if tag == "B" and raw else text.encode()
        if len(data) > most:
            # It could be stored, and not be read.
            raise Refused(f"at most {most:,} bytes", f"{len(data):,}", _larger(len(data)))
        # Without the time, and the operating system, which versions of Python say differently. (What
        # is not short differs even so, by the zlib.)
        made = gzip.compress(data, mtime=0)
        return {"B": made[:9] + b"\xff" + made[10:]}

    def unpack(value: AttributeValue) -> AttributeValue:
        data = unpacked(scalars.binary(value["B"]), most)
        if not raw:
            return json_values.parse(data, inner)
        return {"B": data} if inner.tags == {"B"} else {"S": data.decode()}

    return Codec(
        type_, frozenset({"B"}),
        (lambda value: pack(inner.dump(value))) if raw else lambda value: packed("S", json_of(value)),
        lambda value: inner.load(unpack(value)),
        expected=inner.expected,
        dump_at=lambda value, trail: pack(inner.dump_at(value, trail)),
        load_at=lambda value, trail: inner.load_at(unpack(value), trail),
        packed=COMPRESSED,
    )  # fmt: skip


def unpacked(data: bytes, most: int) -> bytes:
    """The content of gzip data, of one member or several.

    Raises:
        Refused: It is not gzip data, or its content has more than *most* bytes. No more is unpacked.
    """
    size, pieces = 0, []
    while data:
        member = zlib.decompressobj(_GZIP)
        try:
            piece = member.decompress(data, most - size + 1)
        except zlib.error as error:
            raise Refused("gzip data (B)", "bytes that are not", str(error)) from error
        size += len(piece)
        if size > most:
            raise Refused(f"at most {most:,} bytes when it is unpacked (B)", "more", _larger(None))
        if not member.eof:
            raise Refused("gzip data (B)", "the beginning of some", "the rest is missing")
        pieces.append(piece)
        data = member.unused_data.lstrip(b"\0")
    return b"".join(pieces)


def _larger(size: int | None) -> str:
    wanted = "..." if size is None else f"{size}"
    return f"where that is meant, declare Annotated[..., Compressed(max_bytes={wanted})]"
