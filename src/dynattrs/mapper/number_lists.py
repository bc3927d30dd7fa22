"""Lists of numbers as text, hundreds of members in one go.

JSON writes the numbers of a list between commas, `[1,2]`; DynamoDB has a map around the text of each,
`[{"N":"1"},{"N":"2"}]`. One becomes the other by replacing what stands between two numbers, and the
numbers themselves are written and read in C.

What is not plain (NaN, the member of an enum, a spelling that JSON does not have, white space) is left to
the codec of the members, one after another.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from dynattrs import limits
from dynattrs.deferral import deferred
from dynattrs.mapper import scalars
from dynattrs.mapper.codec import Codec, Dump, Load
from dynattrs.schema.table import AttributeValue

if TYPE_CHECKING:
    import msgspec
else:
    msgspec = deferred("msgspec")

# To checkers the arguments of annotations are types that they know.
_LIST: Final[Any] = list

#: From how many members on an attribute map is made, and read, by way of the text.
_MANY: Final = 8

_BETWEEN: Final = b'"},{"N":"'
_BEGIN, _END = b'[{"N":"', b'"}]'
_BEFORE, _AFTER = b'{"N":"', b'"}'
_AROUND: Final = len(_BEFORE) + len(_AFTER)
#: The JSON of few numbers has fewer bytes.
_FEW: Final = 512

_MOST: Final = 10**limits.NUMBER_DIGITS


class NotPlain(Exception):
    """A list, or its text, that is left to the codec of its members."""


def _floats(values: Any) -> bytes:
    """The texts of floats, between commas: those of `repr`, and 0 for either zero.

    Raises:
        NotPlain: One of them is not a float that can be stored, nor an int.
    """
    floats = [*map(type, values)].count(float)
    if floats != len(values) and (
        {*map(type, values)} - {float, int} or not -1e38 < min(values) <= max(values) < 1e38
    ):
        raise NotPlain
    text: bytes = msgspec.json.encode(values)[1:-1]
    # NaN and the infinities are written as null.
    if b"n" in text:
        raise NotPlain
    for sign in (b"e", b"0.0000"):
        # From the end CPython finds it sooner: 1,024 floats take it 2.1 us and not 7.6.
        if text.rfind(sign) >= 0:
            text = _as_repr(text, sign)
    if floats and not all(values):
        # (As `replace` leaves out what overlaps, each comma is there twice.)
        twice = b",%b," % text.replace(b",", b",,")
        text = twice.replace(b",-0.0,", b",0,").replace(b",0.0,", b",0,")[1:-1]
        text = text.replace(b",,", b",")
    return text


def _as_repr(text: bytes, sign: bytes) -> bytes:
    """Numbers between commas, those with a *sign* inside written as `repr` writes them.

    (msgspec writes 1e-06 as 1e-6, and 1e-05 as 0.00001.)
    """
    done = 0
    pieces: list[bytes] = []
    at = text.find(sign)
    while at >= 0:
        begin, end = text.rfind(b",", 0, at) + 1, text.find(b",", at)
        end = len(text) if end < 0 else end
        value = float(text[begin:end])
        # Numbers beyond these have an exponent.
        if not 1e-130 <= abs(value) < 1e126:
            raise NotPlain
        pieces += text[done:begin], repr(value).encode()
        done, at = end, text.find(sign, end)
    return b"".join((*pieces, text[done:]))


def _ints(values: Any) -> bytes:
    """The texts of ints, between commas.

    Raises:
        NotPlain: One of them is not an int, or has more than 38 digits.
    """
    if [*map(type, values)].count(int) != len(values):
        raise NotPlain
    text: bytes = msgspec.json.encode(values)[1:-1]
    # None of them is longer than all of them.
    if len(text) > limits.NUMBER_DIGITS and not -_MOST < min(values) <= max(values) < _MOST:
        raise NotPlain
    return text


class NumberLists:
    """Lists whose members are of one type of numbers.

    Args:
        element: The codec of a member.
        joined: The texts of members, between commas; there is at least one.
    """

    def __init__(self, element: Codec, joined: Callable[[Any], bytes]) -> None:
        self.element = element
        self.joined = joined

    # Measured (benchmarks/test_number_lists.py): 503 -> 62 us for 1,024 floats, 157 -> 42 for ints,
    # with the object around them; level with two or three members.
    # tests/property/test_number_lists.py holds it to the codec of a member.
    def payload(self, values: Any) -> bytes:
        """The JSON of the payload of L for a list or a tuple of any length: `[{"N":"0.5"}]`.

        It is that of what the codec makes of it, byte for byte.

        Raises:
            Exception: The codec refuses a member.
        """
        if not values:
            return b"[]"
        try:
            text = self.joined(values)
        except Exception:
            payload = [self.element.dump(each) for each in values]
            return msgspec.json.encode(payload)
        return _BEGIN + text.replace(b",", _BETWEEN) + _END

    def texts(self, values: Any) -> list[str]:
        """The texts of the numbers of a list or a tuple.

        Raises:
            Exception: The codec refuses a member.
        """
        if not values:
            return []
        try:
            return self.joined(values).decode().split(",")
        except Exception:
            return [self.element.dump(each)["N"] for each in values]

    def dump(self, general: Dump) -> Dump:
        """`Codec.dump` of such lists, by way of the text where they are long."""

        def dump(value: Any) -> AttributeValue:
            if type(value) in (list, tuple) and len(value) >= _MANY:
                return {"L": [{"N": text} for text in self.texts(value)]}
            return general(value)

        return dump

    def load(self, general: Load, build: Callable[[Any], object]) -> Load:
        """`Codec.load` of such lists, by way of the text where they are long."""
        numbers = self._numbers

        def load(value: AttributeValue) -> Any:
            payload = value["L"]
            if len(payload) < _MANY:
                return general(value)
            try:
                text = ",".join([each["N"] for each in payload]).encode()
                found = numbers(text)
            except Exception:
                return general(value)
            # A text may hold a comma itself.
            if len(found) != len(payload):
                return general(value)
            return found if build is list else build(found)

        return load

    # Measured (benchmarks/test_number_lists.py): 291 -> 78 us for 1,024 floats, 162 -> 58 for ints,
    # with the reply around them; level with two or three members. Few of them are found by taking away
    # what stands around each (five ints: 1.1 -> 0.8 us).
    # tests/property/test_read_code.py holds it to `Mapper.load`.
    def reader(
        self, build: Callable[[list[Any]], Any], element: Any, load: Callable[[Any], Any]
    ) -> Callable[[msgspec.Raw], Any]:
        """What reads the payload of L from its JSON, a `msgspec.Raw`.

        Args:
            build: Makes the sequence.
            element: The struct of a member, as `row_code` has it.
            load: What a member is, of such a struct.
        """
        members = msgspec.json.Decoder(_LIST[element]).decode
        at_once, numbers = self._at_once, self._decoder.decode

        def read(raw: msgspec.Raw) -> Any:
            payload = bytes(raw)
            try:
                if len(payload) < _FEW:
                    text = payload.replace(_BEFORE, b"").replace(_AFTER, b"")
                    found = numbers(text)
                    # A text may hold a comma itself; and to JSON, -0 is an int, and has no sign.
                    signed = 0.0 in found and b"-0" in text
                    if signed or len(payload) - len(text) != _AROUND * len(found):
                        found = at_once(payload)
                else:
                    found = at_once(payload)
            except Exception:
                found = [load(each) for each in members(payload)]
            return found if build is list else build(found)

        return read

    def _at_once(self, payload: bytes) -> list[Any]:
        text = payload[len(_BEGIN) : -len(_END)].replace(_BETWEEN, b",")
        found = self._numbers(text)
        # A text may hold a comma itself. All that has gone is what stands around each number.
        gone = len(_BEGIN) + len(_END) + (len(_BETWEEN) - 1) * (len(found) - 1)
        if (
            len(payload) - len(text) != gone
            or not payload.startswith(_BEGIN)
            or not payload.endswith(_END)
        ):
            raise NotPlain
        return found

    def _numbers(self, text: bytes) -> list[Any]:
        """The numbers between commas.

        Raises:
            Exception: One of them is spelled as JSON spells none, or is none of the type's.
        """
        found: list[Any] = self._decoder.decode(b"[%b]" % text)
        # To JSON, -0 is an int, and has no sign.
        if 0.0 in found and b",-0," in b",%b," % text:
            raise NotPlain
        return found

    @cached_property
    def _decoder(self) -> msgspec.json.Decoder[list[Any]]:
        return msgspec.json.Decoder(_LIST[self.element.type])


_FLOATS: Final = NumberLists(scalars.PLAIN[float], _floats)
_INTS: Final = NumberLists(scalars.PLAIN[int], _ints)


def number_lists(element: Codec) -> NumberLists | None:
    """Those of lists with such members; None where these are not plain numbers."""
    for each in (_FLOATS, _INTS):
        if element is each.element:
            return each
    return None


def builtins_of(row: object) -> Any:
    """The attribute value, or the attribute map, that a struct was read from."""
    return msgspec.to_builtins(row, enc_hook=msgspec.json.decode)
