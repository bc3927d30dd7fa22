"""Items as DynamoDB JSON: one a line, as the service's own exports have them, or an array of them.

    {"Item": {"id": {"S": "1"}, "tags": {"SS": ["a", "b"]}}}

An item is written as it is stored. What is read may also be a line of an incremental export, an item
without `Item` around it, the body of a BatchWriteItem, what `aws dynamodb scan` prints, or plain JSON,
which the models read.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
"""

from __future__ import annotations

import base64
import binascii
import codecs
import json
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import Any, BinaryIO, Final, TypeAlias

import attrs
import msgspec

from dynattrs.errors import MappingError
from dynattrs.jobs.files.errors import BadLine
from dynattrs.jobs.files.raw_items import RawItem
from dynattrs.mapper.codec import ANY
from dynattrs.quoting import quoted, shortened
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import AttributeMap, AttributeValue

#: Reads an item in plain JSON as one of some models.
ReadPlain: TypeAlias = "Callable[[str | bytes], tuple[AttributeMap, ModelInfo]]"

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode

#: A line of the service's has 400 KB and the types; what is longer is not an item.
MOST_LINE: Final = 16 * 1024 * 1024


@attrs.frozen
class Row:
    """What a line, a row or a record says.

    Attributes:
        number: Which it is, from 1 on.
        item: The item as it is to be stored; None where it is to be deleted.
        key: The primary key of an item that is to be deleted.
        model: The model that has read it; None where it is as it was stored.
        at: When it was written, in microseconds, where an incremental export says it.
        end: Where the next one begins, in bytes, where that is known.
    """

    number: int
    item: AttributeMap | None
    key: AttributeMap | None = None
    model: ModelInfo | None = None
    at: int | None = None
    end: int | None = None


@attrs.frozen
class BadRow:
    """A line, a row or a record that does not fit."""

    number: int
    problem: BadLine
    end: int | None = None


# --- Writing ------------------------------------------------------------------------------------


def text_of(item: AttributeMap) -> bytes:
    """An item in DynamoDB JSON."""
    return item.text if type(item) is RawItem else _encode(item)


class Lines:
    """Writes `{"Item": {...}}`, one a line."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write

    def items(self, items: Iterable[AttributeMap]) -> None:
        lines = [b'{"Item":%b}\n' % text_of(item) for item in items]
        self._write(b"".join(lines))

    def end(self) -> None:
        pass


class Array:
    """Writes an array of items, one a line."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._before = b"[\n"

    def items(self, items: Iterable[AttributeMap]) -> None:
        for item in items:
            self._write(self._before + text_of(item))
            self._before = b",\n"

    def end(self) -> None:
        self._write(b"[]\n" if self._before == b"[\n" else b"\n]\n")


# --- Reading ------------------------------------------------------------------------------------


def read_lines(
    file: BinaryIO, plain: ReadPlain, *, first: int = 1, start: int = 0, until: int | None = None
) -> Generator[Row | BadRow]:
    """The lines of a file. Empty ones are passed over.

    Args:
        file: Its bytes, from *start* on.
        plain: Reads plain JSON.
        first: The number of the first line.
        start: Where the first line begins.
        until: Where the last one begins at the latest.
    """
    number, place = first - 1, start
    while until is None or place < until:
        line = file.readline(MOST_LINE)
        if not line:
            return
        number += 1
        place += len(line)
        if len(line) == MOST_LINE and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = file.readline(MOST_LINE)
                place += len(line)
            problem = BadLine(f"expected an item a line, found one of over {MOST_LINE:,} bytes")
            yield BadRow(number, problem, place)
            continue
        if number == 1 and start == 0:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if line.isspace():
            continue
        try:
            found = _decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            yield BadRow(number, not_json(line, error), place)
            continue
        yield _row(number, found, line, plain, place)


def not_json(line: bytes, error: Exception) -> BadLine:
    shown = quoted(line[:80].decode("utf-8", "replace"))
    return BadLine(f"expected an item in JSON, found {shown} ({error})")


def read_array(file: BinaryIO, plain: ReadPlain) -> Generator[Row | BadRow]:
    """The items of a file with one JSON document: an array, or an object that holds one."""
    for number, (value, text) in enumerate(elements(file), 1):
        if isinstance(value, BadLine):
            yield BadRow(number, value)
            return
        yield _row(number, value, text, plain, None)


def _row(
    number: int, found: Any, text: str | bytes, plain: ReadPlain, end: int | None
) -> Row | BadRow:
    if not isinstance(found, dict):
        problem = BadLine(f"expected an item, a JSON object; found {shortened(str(found), 80)}")
        return BadRow(number, problem, end)
    try:
        if "Keys" in found and found.keys() <= _CHANGE:
            return _change(number, found, end)
        if found.keys() == {"DeleteRequest"} and isinstance(found["DeleteRequest"], dict):
            return Row(number, None, checked(found["DeleteRequest"].get("Key")), end=end)
        if found.keys() == {"PutRequest"} and isinstance(found["PutRequest"], dict):
            found = found["PutRequest"]
        if found.keys() == {"Item"} and isinstance(found["Item"], dict):
            inner = found["Item"]
            if is_typed(inner) or not is_typed(found):
                return Row(number, checked(inner), end=end)
        if is_typed(found):
            return Row(number, checked(found), end=end)
        item, model = plain(text)
    except BadLine as problem:
        return BadRow(number, problem, end)
    except MappingError as error:
        return BadRow(number, BadLine(str(error), error.path.partition(".")[0]), end)
    return Row(number, item, None, model, None, end)


_CHANGE: Final = frozenset({"Keys", "Metadata", "NewImage", "OldImage"})


def _change(number: int, found: dict[str, Any], end: int | None) -> Row:
    """A line of an incremental export: what an item is at the end of the time that it is of."""
    key, new = checked(found["Keys"]), found.get("NewImage")
    at = found.get("Metadata", {}).get("WriteTimestampMicros", {}).get("N")
    return Row(
        number,
        None if new is None else checked(new),
        key,
        at=int(at) if isinstance(at, str) and at.isdecimal() else None,
        end=end,
    )


def is_typed(value: Mapping[str, Any]) -> bool:
    """Whether an object looks like an attribute map: each of its values has one type tag."""
    return bool(value) and all(
        isinstance(each, dict) and len(each) == 1 and next(iter(each)) in ANY
        for each in value.values()
    )


def checked(item: Any, path: str = "") -> AttributeMap:
    """An attribute map from JSON, with bytes instead of base64 text.

    Raises:
        BadLine: It is none; it says where.
    """
    if not isinstance(item, dict):
        raise BadLine(f"{path or 'item'}: expected an object of attributes, found {shown(item)}")
    for name, value in item.items():
        if not name:
            raise BadLine(
                f"{path or 'item'}: an attribute's name is empty, which the service refuses"
            )
        item[name] = _value(value, f"{path}.{name}" if path else name)
    return item


def _value(value: Any, path: str) -> AttributeValue:
    if not isinstance(value, dict) or len(value) != 1:
        raise BadLine(f'{path}: expected one type and a value, {{"S": "…"}}, found {shown(value)}')
    tag, payload = next(iter(value.items()))
    if tag not in _PAYLOADS:
        raise BadLine(f"{path}: {quoted(tag)} is not a type of DynamoDB's, such as S, N or M")
    if not _fits(tag, payload):
        raise BadLine(f"{path}: {tag} needs {_WORDS[tag]}, found {shown(payload)}")
    if tag == "M":
        checked(payload, path)
    elif tag == "L":
        for place, each in enumerate(payload):
            payload[place] = _value(each, f"{path}[{place}]")
    elif tag == "B":
        value[tag] = _bytes(payload, path)
    elif tag in ("SS", "NS", "BS"):
        if not payload or not all(isinstance(each, str) for each in payload):
            raise BadLine(f"{path}: {tag} needs one text or more, found {shown(payload)}")
        if tag == "BS":
            value[tag] = [_bytes(each, path) for each in payload]
    return value


def _fits(tag: str, payload: object) -> bool:
    return type(payload) is _PAYLOADS[tag] and (tag != "NULL" or payload is True)


_PAYLOADS: Final[dict[str, type]] = {
    "S": str, "N": str, "B": str, "BOOL": bool, "NULL": bool, "L": list, "M": dict,
    "SS": list, "NS": list, "BS": list,
}  # fmt: skip
_WORDS: Final = {
    "S": "text", "N": "a number as text", "B": "base64 text", "BOOL": "true or false",
    "NULL": "true", "L": "an array", "M": "an object", "SS": "an array", "NS": "an array",
    "BS": "an array",
}  # fmt: skip


def _bytes(text: str, path: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadLine(f"{path}: B needs base64 text, found {shown(text)} ({error})") from error


def shown(value: object) -> str:
    """What was found, for a message."""
    return shortened(quoted(value) if isinstance(value, str) else str(value), 80)


# --- One document of any size -------------------------------------------------------------------

_CHUNK: Final = 1 << 16
_decoder: Final = json.JSONDecoder()
_SPACE: Final = " \t\r\n"
#: How the requests of a BatchWriteItem to a table begin.
_REQUESTS: Final = re.compile(r'\[\s*\{\s*"(?:Put|Delete)Request"')
_AHEAD: Final = 1024


class _Text:
    """The text of a file. It holds as much as is looked at."""

    def __init__(self, file: BinaryIO) -> None:
        self._read = codecs.getreader("utf-8-sig")(file).read
        self.text, self.place, self.ended = "", 0, False

    def more(self) -> bool:
        """Read on; whether there was anything."""
        if self.ended:
            return False
        # Longer each time: what is not whole is looked at again from its beginning.
        found = self._read(max(_CHUNK, len(self.text) - self.place))
        self.ended = not found
        self.text = self.text[self.place :] + found
        self.place = 0
        return bool(found)

    def next(self) -> str:
        """The next character that is not a space, which stays; "" at the end."""
        while True:
            while self.place < len(self.text) and self.text[self.place] in _SPACE:
                self.place += 1
            if self.place < len(self.text):
                return self.text[self.place]
            if not self.more():
                return ""

    def ahead(self, count: int) -> tuple[str, int]:
        """What is held, with so many characters from the place on, if there are; and the place."""
        while len(self.text) - self.place < count and self.more():
            pass
        return self.text, self.place

    def take(self, expected: str) -> str:
        found = self.next()
        if not found or found not in expected:
            raise BadLine(
                f"expected {' or '.join(expected)}, found {quoted(found) if found else 'the end'}"
            )
        self.place += 1
        return found

    def value(self) -> tuple[Any, str]:
        """The next value, and its text."""
        self.next()
        while True:
            try:
                value, end = _decoder.raw_decode(self.text, self.place)
            except ValueError as error:
                if len(self.text) - self.place > MOST_LINE or not self.more():
                    shown = self.text[self.place : self.place + 80]
                    raise not_json(shown.encode("utf-8", "replace"), error) from error
                continue
            # A number may go on behind what is held.
            if end == len(self.text) and self.more():
                continue
            text = self.text[self.place : end]
            self.place = end
            return value, text


def elements(file: BinaryIO) -> Iterator[tuple[Any, str]]:
    """The elements of the arrays in a JSON document, which is one, or an object that holds some; or else the
    object itself. A `BadLine` instead of one ends it.
    """
    text = _Text(file)
    try:
        yield from _elements(text)
        if text.next():
            behind = quoted(text.text[text.place :][:40])
            yield BadLine(f"expected one JSON document, found {behind} behind it"), ""
    except UnicodeDecodeError as error:
        yield BadLine(f"expected UTF-8 text ({error})"), ""
    except BadLine as problem:
        yield problem, ""


def _elements(text: _Text) -> Iterator[tuple[Any, str]]:
    first = text.next()
    if first == "[":
        yield from _array(text)
        return
    if first != "{":
        raise BadLine(
            f"expected an array of items, found {quoted(first) if first else 'an empty file'}"
        )
    text.take("{")
    members: dict[str, Any] = {}
    parts: list[str] = []
    arrays = False
    while text.next() != "}":
        name, written = text.value()
        if not isinstance(name, str):
            raise BadLine(f"expected a name in an object, found {written[:80]}")
        text.take(":")
        if text.next() == "[" and (name == "Items" or _REQUESTS.match(*text.ahead(_AHEAD))):
            arrays = True
            yield from _array(text)
        else:
            members[name], value = text.value()
            parts.append(f"{written}: {value}")
        if text.next() == ",":
            text.take(",")
    text.take("}")
    if not arrays:
        yield members, f"{{{', '.join(parts)}}}"


def _array(text: _Text) -> Iterator[tuple[Any, str]]:
    text.take("[")
    if text.next() == "]":
        text.take("]")
        return
    while True:
        yield text.value()
        if text.take(",]") == "]":
            return
