"""Lists of hundreds of numbers, such as embeddings: objects to the JSON of a request, and back.

Left out: network, signing, and the reply's checksum. Compared with what each number took alone: an
attribute value for the codec of a member.

    uv run --group bench pytest benchmarks/test_number_lists.py
"""

from __future__ import annotations

import json
import random
from array import array
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from dynattrs import mapper, model, partition_key
from dynattrs.mapper.size import item_size
from dynattrs.operations.reading.objects import Objects, decoder
from dynattrs.schema.model_info import model_info

SIZES = (3, 16, 1024)


@model("documents")
class Document:
    id: str = partition_key()
    embedding: list[float]


@model("documents")
class Counts:
    id: str = partition_key()
    embedding: list[int]


def document(size: int) -> Document:
    numbers = random.Random(1)
    return Document("d", [numbers.gauss(0, 0.03) for _ in range(size)])


def counts(size: int) -> Counts:
    numbers = random.Random(1)
    return Counts("d", [numbers.randrange(100_000) for _ in range(size)])


MAKERS = (document, counts)


def one_by_one(obj: Any) -> list[Any]:
    """The list's attribute values, made by the codec of its members."""
    codec = mapper.default.codec(type(obj.embedding[0]))
    return [codec.dump(each) for each in obj.embedding]


@pytest.mark.benchmark(group="a list of numbers to JSON")
@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("size", SIZES)
def test_to_json(benchmark: BenchmarkFixture, make: Callable[[int], Any], size: int) -> None:
    obj = make(size)

    found = benchmark(mapper.default.dump_as_request, obj, "documents")

    assert json.loads(bytes(found[0])) == {"PutRequest": {"Item": mapper.dump(obj)}}


@pytest.mark.benchmark(group="a list of numbers to JSON")
@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("size", SIZES)
def test_to_json_one_by_one(
    benchmark: BenchmarkFixture, make: Callable[[int], Any], size: int
) -> None:
    obj = make(size)

    found = benchmark(lambda: msgspec.json.encode(one_by_one(obj)))

    assert json.loads(found) == mapper.dump(obj)["embedding"]["L"]


@pytest.mark.benchmark(group="a list of numbers to an attribute map that is measured")
@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("size", SIZES)
def test_to_a_measured_item(
    benchmark: BenchmarkFixture, make: Callable[[int], Any], size: int
) -> None:
    obj = make(size)

    assert benchmark(mapper.default.dump_with_size, obj)[1] == item_size(mapper.dump(obj))


@pytest.mark.benchmark(group="a list of numbers to an attribute map that is measured")
@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("size", SIZES)
def test_to_a_measured_item_one_by_one(
    benchmark: BenchmarkFixture, make: Callable[[int], Any], size: int
) -> None:
    obj = make(size)

    found = benchmark(lambda: item_size({"embedding": {"L": one_by_one(obj)}}))

    assert found == item_size(mapper.dump(obj)) - 3


@pytest.mark.benchmark(group="a list of numbers from a reply")
@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("size", SIZES)
def test_from_a_reply(benchmark: BenchmarkFixture, make: Callable[[int], Any], size: int) -> None:
    obj = make(size)
    body = msgspec.json.encode({"Item": mapper.dump(obj)})
    info = model_info(type(obj))
    decode = decoder(info, type(obj), "Item")
    assert decode is not None
    read = Objects(info, type(obj)).reads()

    assert benchmark(lambda: read(decode(body)["Item"])) == obj


@pytest.mark.benchmark(group="a list of numbers from a reply")
@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("size", SIZES)
def test_from_a_reply_one_by_one(
    benchmark: BenchmarkFixture, make: Callable[[int], Any], size: int
) -> None:
    obj = make(size)
    body = msgspec.json.encode({"Item": mapper.dump(obj)})
    load = mapper.default.codec(type(obj.embedding[0])).load

    def read() -> list[Any]:
        return [load(each) for each in json.loads(body)["Item"]["embedding"]["L"]]

    assert benchmark(read) == obj.embedding


@model("documents")
class Vector:
    id: str = partition_key()
    embedding: Annotated[array, "f"]  # type: ignore[type-arg]


@pytest.mark.benchmark(group="a numpy array of 1,024 floats of 32 bits to JSON")
@pytest.mark.parametrize("of", ["numpy", "array"])
def test_arrays_to_json(benchmark: BenchmarkFixture, of: str) -> None:
    numpy = pytest.importorskip("numpy")
    from numpy.typing import NDArray

    @model("documents")
    class Embedded:
        id: str = partition_key()
        embedding: NDArray[numpy.float32]

    plain = Vector("d", array("f", document(1024).embedding))
    obj = Embedded("d", numpy.array(plain.embedding)) if of == "numpy" else plain

    found = benchmark(mapper.default.dump_as_request, obj, "documents")

    assert json.loads(bytes(found[0])) == {"PutRequest": {"Item": mapper.dump(plain)}}
