"""Item collections: pages of several models whose keys are templates, and objects of them to items.

Left out: botocore, network, signing. Read: a page of 100 items of three models, told apart by a
discriminator or by their keys, by the decoder that goes with a query's call, including the question
to which model each item belongs. Compared with the general way through attribute maps, which
`Session(fast=False)` and other clients take. Written: what a save does before it is sent.

    uv run --group bench pytest benchmarks/test_collections.py
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from dynattrs import Session, Table, field, mapper, model
from dynattrs.keys.discriminator import Sieve
from dynattrs.mapper.size import item_size
from dynattrs.operations.reading.objects import MixedObjects, Objects
from dynattrs.operations.writing.encoding import encode
from dynattrs.schema.model_info import model_info

PAGE = 100

NAMED = Table("named_shop", partition_key="pk", sort_key="sk", discriminator="type")
KEYED = Table("keyed_shop", partition_key="pk", sort_key="sk")


def _models(table: Table) -> tuple[Any, Any, Any]:
    """Three models of one table, told apart by what it offers."""

    @model(table, pk="CUSTOMER#{customer}", sk="PROFILE")
    class Customer:
        customer: str
        name: str
        street: str
        city: str
        credit: int
        ratio: float

    @model(table, pk="CUSTOMER#{customer}", sk="ORDER#{number:08d}")
    class Order:
        customer: str
        number: int
        product: str
        amount: int
        price: float
        paid: bool
        note: str | None = None

    @model(table, pk="CUSTOMER#{customer}", sk="VISIT#{place}#{number:08d}")
    class Visit:
        customer: str
        place: str
        number: int
        seconds: float
        pages: int
        referrer: str
        agent: str

    return Customer, Order, Visit


def _objects(models: tuple[Any, Any, Any]) -> list[Any]:
    customer, order, visit = models
    return [
        customer("ann", "Ann", "Long Street 1", "York", 100, 0.5),
        *(order("ann", n, "shoes", 2, 19.5, n % 2 == 0) for n in range(60)),
        *(visit("ann", "home", n, 1.5, n, "example.org", "browser") for n in range(PAGE - 61)),
    ]


@model(
    Table("events", partition_key="pk", sort_key="sk"), pk="C#{customer}", sk="E#{at}#{number:08d}"
)
class Event:
    """The fields of its keys are stored nowhere else."""

    customer: str = field(key_only=True)
    at: dt.datetime = field(key_only=True)
    number: int = field(key_only=True)
    product: str
    amount: int
    price: float
    paid: bool
    note: str | None = None


MODELS = {table.name: _models(table) for table in (NAMED, KEYED)}
OBJECTS = {name: _objects(models) for name, models in MODELS.items()}


def _page(objects: list[Any]) -> bytes:
    return json.dumps({"Items": [mapper.dump(each) for each in objects], "Count": PAGE}).encode()


def fast(reader: Any, sieve: Sieve, body: bytes) -> Callable[[], list[Any]]:
    decode = reader.decoder("Items")
    assert decode is not None
    belongs = getattr(reader, "model_of", sieve.model_of)
    return lambda: [
        *map(reader.reads(), [each for each in decode(body)["Items"] if belongs(each) is not None])
    ]


def general(reader: Any, sieve: Sieve, body: bytes) -> Callable[[], list[Any]]:
    return lambda: [
        *map(
            reader.reads(),
            [each for each in json.loads(body)["Items"] if sieve.model_of(each) is not None],
        )
    ]


@pytest.mark.benchmark(group="bytes to 100 objects of three models")
@pytest.mark.parametrize("way", [fast, general])
@pytest.mark.parametrize("table", MODELS)
def test_load_collection(benchmark: BenchmarkFixture, table: str, way: Any) -> None:
    sieve = Sieve([*map(model_info, MODELS[table])])

    found = benchmark(way(MixedObjects(sieve), sieve, _page(OBJECTS[table])))

    assert found == OBJECTS[table]


@pytest.mark.benchmark(group="bytes to 100 objects of one model with key templates")
@pytest.mark.parametrize("way", [fast, general])
@pytest.mark.parametrize("table", MODELS)
def test_load_templated_page(benchmark: BenchmarkFixture, table: str, way: Any) -> None:
    order = MODELS[table][1]
    orders = [order("ann", number, "shoes", 2, 19.5, paid=True) for number in range(PAGE)]
    info = model_info(order)

    found = benchmark(way(Objects(info, order), Sieve([info]), _page(orders)))

    assert found == orders


@pytest.mark.benchmark(group="bytes to 100 objects of one model with fields in keys only")
@pytest.mark.parametrize("way", [fast, general])
def test_load_page_with_fields_in_keys_only(benchmark: BenchmarkFixture, way: Any) -> None:
    at = dt.datetime(2026, 11, 25, 12, 30, tzinfo=dt.timezone.utc)
    events = [Event("ann", at, number, "shoes", 2, 19.5, paid=True) for number in range(PAGE)]
    info = model_info(Event)

    found = benchmark(way(Objects(info, Event), Sieve([info]), _page(events)))

    assert found == events


@pytest.mark.benchmark(group="bytes to 60 objects of one model of a page of 100 of three")
@pytest.mark.parametrize("way", [fast, general])
@pytest.mark.parametrize("table", MODELS)
def test_load_one_model_of_a_mixed_page(benchmark: BenchmarkFixture, table: str, way: Any) -> None:
    order = MODELS[table][1]
    info = model_info(order)

    found = benchmark(way(Objects(info, order), Sieve([info]), _page(OBJECTS[table])))

    assert found == [each for each in OBJECTS[table] if type(each) is order]


@pytest.mark.benchmark(group="100 objects with key templates to measured items")
@pytest.mark.parametrize("table", MODELS)
def test_prepare_templated_writes(benchmark: BenchmarkFixture, table: str) -> None:
    """All that a save does before it is sent or gathered."""
    core = Session(client=object())._core

    found = benchmark(lambda: [encode(core, each) for each in OBJECTS[table]])

    assert [each.size for each in found] == [
        item_size(mapper.dump(each)) for each in OBJECTS[table]
    ]
