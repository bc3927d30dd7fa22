"""Arrays of numbers as fields: what is stored, that it reads back exactly, and what is refused."""

from __future__ import annotations

import functools
import json
import struct
import sys
from array import array
from decimal import Decimal
from typing import Annotated, Any
from unittest import mock

import attrs
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dynattrs import Json, MappingError, ModelError, mapper, model, partition_key
from dynattrs.mapper.size import item_size
from dynattrs.operations.reading.objects import Objects, decoder
from dynattrs.operations.requests import unpacked
from dynattrs.schema.model_info import model_info

INTS = "bBhHiIlLqQ"


@functools.cache
def model_with(type_: Any) -> Any:
    @attrs.define
    class Part:
        numbers: type_

    @model("arrays")
    class Holder:
        id: str = partition_key()
        numbers: type_ | None = None
        part: Part | None = None

    return Holder, Part


def round_trip(type_: Any, value: Any) -> list[str]:
    """The texts of the numbers that a field stores, after it came back by all ways."""
    holder, part = model_with(type_)
    obj = holder("h", value, part(value))
    item = mapper.dump(obj)
    stored = item["numbers"]
    assert item["part"]["M"]["numbers"] == stored
    assert mapper.default.dump_with_size(obj) == (item, item_size(item))
    request = mapper.default.dump_as_request(obj, "arrays")
    assert request is not None
    (put,) = unpacked({"RequestItems": {"arrays": [request[0]]}})["RequestItems"]["arrays"]
    assert put == {"PutRequest": {"Item": item}}
    body = msgspec.json.encode({"Item": item})
    decode = decoder(model_info(holder), holder, "Item")
    assert decode is not None
    found = Objects(model_info(holder), holder).reads()(decode(body)["Item"])
    for read in (found.numbers, found.part.numbers, mapper.load(item, holder).numbers):
        assert repr(read) == repr(value)
    assert mapper.load(mapper.dump(holder("h")), holder).numbers is None
    return [each["N"] for each in stored["L"]]


def refused(type_: Any, value: Any) -> str:
    holder, _ = model_with(type_)
    obj = holder("h", value)
    assert mapper.default.dump_as_request(obj, "arrays") is None
    with pytest.raises(MappingError) as error:
        mapper.dump(obj)
    assert str(error.value.path).startswith("Holder.numbers")
    return str(error.value)


def refused_stored(type_: Any, *texts: str) -> str:
    holder, _ = model_with(type_)
    item = {"id": {"S": "h"}, "numbers": {"L": [{"N": each} for each in texts]}}
    decode = decoder(model_info(holder), holder, "Item")
    assert decode is not None
    row = decode(msgspec.json.encode({"Item": item}))["Item"]
    with pytest.raises(MappingError) as error:
        mapper.load(item, holder)
    with pytest.raises(MappingError) as again:
        Objects(model_info(holder), holder).reads()(row)
    assert str(again.value) == str(error.value)
    return str(error.value)


@pytest.mark.parametrize("code", INTS)
@given(data=st.data())
def test_ints_of_an_array_come_back(code: str, data: st.DataObject) -> None:
    bits = 8 * array(code).itemsize
    least, most = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if code.islower() else (0, 2**bits - 1)
    numbers = data.draw(st.lists(st.integers(least, most), max_size=10))

    assert round_trip(Annotated[array, code], array(code, numbers)) == [*map(str, numbers)]
    assert "Holder.numbers" in refused_stored(Annotated[array, code], str(most + 1))


storable = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(st.lists(storable, max_size=12))
@example([0.1, 1 / 3, 16777216.0, 3.4028234663852886e38, 1e-45, -0.0])
def test_floats_of_32_bits_are_stored_with_few_digits(numbers: list[float]) -> None:
    value = array("f", numbers)
    expected = array("f", [each or 0.0 for each in value])

    texts = round_trip(Annotated[array, "f"], expected)

    assert [Decimal(each) for each in texts] == [
        Decimal(f"{each:.{digits}g}")
        for each in expected
        for digits in (next(n for n in range(6, 10) if same(each, n)),)
    ]


def same(value: float, digits: int) -> bool:
    try:
        (found,) = struct.unpack("<f", struct.pack("<f", float(f"{value:.{digits}g}")))
    except OverflowError:
        return False
    return bool(found == value)


@pytest.mark.parametrize("name", ["float16", "float32", "float64"])
@given(data=st.data())
def test_floats_of_numpy_come_back_from_few_digits(name: str, data: st.DataObject) -> None:
    numpy = pytest.importorskip("numpy", reason="pip install numpy")
    from numpy.typing import NDArray

    scalar = getattr(numpy, name)
    width = int(name.removeprefix("float"))
    floats = st.floats(width=width, allow_nan=False, allow_infinity=False)  # type: ignore[arg-type]
    kept = floats.filter(lambda each: each == 0 or 1e-130 <= abs(each) < 1e126)
    numbers = data.draw(st.lists(kept | st.floats(-1, 1, width=width), max_size=12))  # type: ignore[arg-type]
    numbers = [each for each in numbers if each == 0 or abs(each) >= 1e-130]
    value = numpy.array([each or 0.0 for each in numbers], dtype=scalar)

    texts = round_trip(NDArray[scalar], value)

    least, most = {16: (3, 5), 32: (6, 9), 64: (1, 17)}[width]
    for text, each in zip(texts, value, strict=True):
        digits = len(Decimal(text).normalize().as_tuple().digits)
        assert scalar(text) == each
        assert digits <= most
        # numpy's own text is the shortest; one of a digit more may be nearer.
        shortest = len(Decimal(str(each)).normalize().as_tuple().digits)
        assert digits <= max(least, shortest + 1)


@given(st.lists(storable, max_size=40))
def test_arrays_of_numpy_and_python_are_stored_alike(numbers: list[float]) -> None:
    numpy = pytest.importorskip("numpy", reason="pip install numpy")
    from numpy.typing import NDArray

    dump = mapper.default.codec(NDArray[numpy.float32]).dump
    plain = mapper.default.codec(Annotated[array, "f"]).dump
    stored = dump(numpy.array(numbers, dtype="float32"))

    assert stored == plain(array("f", numbers))
    with mock.patch.dict(sys.modules):
        del sys.modules["numpy"]
        assert stored == plain(array("f", numbers))


def test_ints_of_numpy_come_back() -> None:
    numpy = pytest.importorskip("numpy", reason="pip install numpy")
    from numpy.typing import NDArray

    for name in ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"):
        scalar = getattr(numpy, name)
        least, most = int(numpy.iinfo(scalar).min), int(numpy.iinfo(scalar).max)
        value = numpy.array([least, 0, most] * 4, dtype=scalar)
        assert round_trip(NDArray[scalar], value) == [str(least), "0", str(most)] * 4
        assert name in refused_stored(NDArray[scalar], str(most + 1))
        assert "integral" in refused_stored(NDArray[scalar], "1.5")
    empty = numpy.array([], dtype="float32")
    assert round_trip(NDArray[numpy.float32], empty) == []
    swapped = numpy.array([1.5], dtype=">f4")
    assert mapper.default.codec(NDArray[numpy.float32]).dump(swapped) == {"L": [{"N": "1.5"}]}


def test_what_is_no_such_array_is_refused() -> None:
    double = Annotated[array, "d"]
    found = refused(double, [1.0])
    assert "an array of typecode 'd', found list" in found
    assert found.endswith("write array('d', numbers)")
    found = refused(double, array("f", [1.0]))
    assert "found one of 'f'" in found
    assert found.endswith("write array('d', numbers)")
    assert refused(double, array("d", [1.0, float("nan")])).startswith(
        "Holder.numbers[1]: expected"
    )
    assert refused(Annotated[array, "f"], array("f", [float("inf")])).startswith(
        "Holder.numbers[0]"
    )
    assert "float of 32 bits" in refused_stored(Annotated[array, "f"], "1", "1e39")
    assert refused_stored(double, "1", "x").startswith("Holder.numbers[1]")


def test_what_is_no_such_array_of_numpy_is_refused() -> None:
    numpy = pytest.importorskip("numpy", reason="pip install numpy")
    from numpy.typing import NDArray

    single = NDArray[numpy.float32]
    expected = "a one-dimensional numpy array of float32"
    found = refused(single, [1.0])
    assert f"{expected}, found list" in found
    assert found.endswith('write numpy.array(numbers, dtype="float32")')
    assert refused(single, numpy.array([1.0])).endswith('write array.astype("float32")')
    matrix = numpy.array([[1.0]], dtype="float32")
    assert f"{expected}, found one of shape (1, 1)" in refused(single, matrix)
    lost = numpy.array([1.0, float("nan")], dtype="float32")
    assert refused(single, lost).startswith("Holder.numbers[1]: expected a finite float")
    assert f"{expected}, found a number that is too large" in refused_stored(single, "1", "1e39")
    rows = [numpy.array([1.0], dtype="float32"), numpy.array([], dtype="float32")]
    found = mapper.default.codec(list[single]).dump(rows)
    assert found == {"L": [{"L": [{"N": "1.0"}]}, {"L": []}]}


def declared(type_: Any) -> str:
    with pytest.raises(ModelError) as error:

        @model("arrays")
        class Holder:
            id: str = partition_key()
            numbers: type_

    return str(error.value)


def test_an_array_says_what_is_in_it() -> None:
    assert 'found array.array; write Annotated[array, "d"]' in declared(array)
    assert "the typecode 'u'" in declared(Annotated[array, "u"])
    assert "the typecode Json" in declared(Annotated[array, Json])


def test_an_array_of_numpy_says_what_is_in_it() -> None:
    numpy = pytest.importorskip("numpy", reason="pip install numpy")
    from numpy.typing import NDArray

    hint = "write numpy.typing.NDArray[numpy.float32]"
    assert f"found numpy.ndarray; {hint}" in declared(numpy.ndarray)
    for type_ in (Any, numpy.floating, numpy.bool_, numpy.complex64, numpy.longdouble, numpy.str_,
                  numpy.datetime64, numpy.generic, numpy.object_):  # fmt: skip
        assert hint in declared(NDArray[type_])


def test_an_array_is_json_as_a_list_is() -> None:
    type_ = Annotated[array, "f", Json]
    codec = mapper.default.codec(type_)
    value = array("f", [0.1, 1.5])

    stored = codec.dump(value)

    assert json.loads(stored["S"]) == [0.1, 1.5]
    assert codec.load(stored) == value
