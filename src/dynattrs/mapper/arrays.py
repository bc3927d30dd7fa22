"""Arrays of numbers, Python's and numpy's: stored as the lists of their numbers are.

An annotation says which numbers an array holds: `Annotated[array, "f"]`, `NDArray[numpy.float32]`. Floats
of less than 64 bits are stored with the few digits that tell them from their neighbours, and not with all
those of the double that they equal.

Neither module is imported here: an annotation of theirs exists only where it is loaded.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from typing import Any, Final, Protocol, get_args

from dynattrs.mapper.codec import Codec, ListShape, Refused, Trail, show
from dynattrs.schema.table import AttributeValue

# To checkers the arguments of annotations are types that they know.
_LIST: Final[Any] = list

_TYPECODES: Final[dict[str, type[int | float]]] = {
    **dict.fromkeys("bBhHiIlLqQ", int),
    **dict.fromkeys("fd", float),
}
#: From how many digits on, and up to how many, a float may need to be told from its neighbours; by its bytes.
_DIGITS: Final = {2: (3, 4, 5), 4: (6, 7, 8, 9)}
_FORMATS: Final = {2: "<e", 4: "<f"}

#: The powers of ten that are doubles.
_TENS: Final = tuple(float(f"1e{power}") for power in range(23))


class CodecOf(Protocol):
    """What gives the codec of a type."""

    def codec(self, type_: object) -> Codec: ...


def array_codec(codecs: CodecOf, type_: object, code: object) -> Codec:
    """The codec of `array.array` with a typecode.

    Raises:
        Refused: It has none, or that of text.
    """
    if not isinstance(code, str) or code not in _TYPECODES:
        raise Refused(
            "an array with the typecode of its numbers",
            "array.array" if code is None else f"the typecode {code!r}",
            'write Annotated[array, "d"], with one of ' + ", ".join(_TYPECODES),
        )
    cls = sys.modules["array"].array
    number, size = _TYPECODES[code], cls(code).itemsize
    expected = f"an array of typecode {code!r}"

    def members(value: Any) -> list[Any]:
        if not isinstance(value, cls):
            raise Refused(expected, show(value), f"write array({code!r}, numbers)")
        if value.typecode != code:
            raise Refused(expected, f"one of {value.typecode!r}", f"write array({code!r}, numbers)")
        found: list[Any] = value.tolist()
        return _all_short(value, size) if code == "f" else found

    def build(values: list[Any]) -> Any:
        if code == "f":
            for each in values:
                _packed(each, size)
        try:
            return cls(code, values)
        except OverflowError as error:
            raise Refused(expected, "a number that is too large", str(error)) from None

    return _codec(type_, codecs.codec(_LIST[number]), members, build, expected)


def ndarray_codec(codecs: CodecOf, type_: object) -> Codec:
    """The codec of numpy's array of some numbers.

    Raises:
        Refused: It is not said which, or they are none that can be stored.
    """
    numpy = sys.modules["numpy"]
    arguments = get_args(type_)
    scalar = next(iter(get_args(arguments[1])), None) if len(arguments) == 2 else None
    known = {each.type: each for each in map(numpy.dtype, (*_TYPECODES, "e"))}
    dtype = known.get(scalar) if isinstance(scalar, type) else None
    if dtype is None:
        raise Refused(
            "a numpy array of ints or floats of up to 64 bits",
            "numpy.ndarray" if scalar is None else f"one of {getattr(scalar, '__name__', scalar)}",
            "write numpy.typing.NDArray[numpy.float32]",
        )
    is_float, size = dtype.kind == "f", dtype.itemsize
    expected = f"a one-dimensional numpy array of {dtype.name}"
    limits = None if is_float else numpy.iinfo(dtype)

    def members(value: Any) -> list[Any]:
        if not isinstance(value, numpy.ndarray):
            hint = f'write numpy.array(numbers, dtype="{dtype.name}")'
            raise Refused(expected, show(value), hint)
        # (With the bytes in another order, they are the same numbers.)
        if value.dtype.newbyteorder("=") != dtype:
            raise Refused(expected, f"one of {value.dtype}", f'write array.astype("{dtype.name}")')
        if value.ndim != 1:
            hint = "store its rows, as list[NDArray[...]], or array.ravel()"
            raise Refused(expected, f"one of shape {value.shape}", hint)
        if is_float and size < 8:
            return _all_short(value, size)
        found: list[Any] = value.tolist()
        return found

    def build(values: list[Any]) -> Any:
        if limits is not None and values:
            least, most = min(values), max(values)
            if least < limits.min or most > limits.max:
                found = f"the number {least if least < limits.min else most}"
                raise Refused(expected, found)
        with numpy.errstate(over="ignore"):
            made = numpy.array(values, dtype=dtype)
        if is_float and not numpy.isfinite(made).all():
            raise Refused(expected, "a number that is too large")
        return made

    number: type[int | float] = float if is_float else int
    return _codec(type_, codecs.codec(_LIST[number]), members, build, expected)


def _codec(
    type_: object,
    inner: Codec,
    members: Callable[[Any], list[Any]],
    build: Callable[[list[Any]], Any],
    expected: str,
) -> Codec:
    assert inner.element is not None

    def dump_at(value: object, trail: Trail) -> AttributeValue:
        return inner.dump_at(members(value), trail)

    def load_at(value: AttributeValue, trail: Trail) -> Any:
        return build(inner.load_at(value, trail))

    return Codec(
        type_, inner.tags, lambda value: inner.dump(members(value)),
        lambda value: build(inner.load(value)), expected=expected, dump_at=dump_at, load_at=load_at,
        element=inner.element, shape=ListShape(inner.element, build, members),
    )  # fmt: skip


# --- The fewest digits ----------------------------------------------------------------------------


def _packed(value: float, size: int) -> bytes:
    try:
        return struct.pack(_FORMATS[size], value)
    except OverflowError as error:
        raise Refused(f"a float of {8 * size} bits", f"float {value!r}", str(error)) from None


def _short(value: float, size: int) -> float:
    """The double with the fewest digits that is *value* to a float of *size* bytes."""
    if value - value != 0.0:
        return value  # refused later, where its place is known
    *digits, most = _DIGITS[size]
    wanted = _packed(value, size)
    for count in digits:
        near = float(f"{value:.{count}g}")
        try:
            if struct.pack(_FORMATS[size], near) == wanted:
                return near
        except OverflowError:  # the last one before infinity, rounded up
            continue
    return float(f"{value:.{most}g}")


def _all_short(values: Any, size: int) -> list[float]:
    """`_short` of all members of an array, of Python's or numpy's."""
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        array = numpy.asarray(values)
        if numpy.isfinite(array).all():
            found: list[float] = _shortest(numpy, array, size).tolist()
            return found
    return [_short(each, size) for each in values.tolist()]


# Measured (benchmarks/test_number_lists.py): 5,100 -> 73 us for 1,024 floats of 32 bits;
# tests/property/test_arrays.py holds the two together.
def _shortest(numpy: Any, values: Any, size: int) -> Any:
    """`_short` of all members of numpy's array of finite floats."""
    exact = values.astype(numpy.float64)
    sizes = numpy.abs(exact)
    sizes[sizes == 0.0] = 1.0
    *fewer, most = _DIGITS[size]
    # As ints of the most digits: how many of these come after the point.
    after = most - 1 - numpy.floor(numpy.log10(sizes)).astype(numpy.int64)
    usual = (after >= 0) & (after < len(_TENS))
    scale = numpy.array(_TENS)[numpy.where(usual, after, 0)]
    scaled = exact * scale
    # The quotient of two exact doubles is the one next to the number that is meant.
    found = numpy.rint(scaled) / scale
    with numpy.errstate(over="ignore"):
        for count in reversed(fewer):
            step = _TENS[most - count]
            near = numpy.rint(scaled / step) * step / scale
            found = numpy.where(near.astype(values.dtype) == values, near, found)
    for at in numpy.flatnonzero(~usual):
        found[at] = _short(float(exact[at]), size)
    return found
