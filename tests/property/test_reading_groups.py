"""Pages of several models read as rows, and as attribute maps: objects and errors never differ."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynattrs import MappingError, Table, field, mapper, model
from dynattrs.keys.discriminator import Sieve
from dynattrs.mapper.carried import carried_by
from dynattrs.mapper.rows import Row, attribute_map
from dynattrs.operations.reading.objects import MixedObjects, Objects, is_own
from dynattrs.operations.reading.projections import projected
from dynattrs.schema.model_info import model_info


def _renamed(item: dict[str, Any]) -> None:
    """From the first schema to the second."""
    if "title" in item:
        item["heading"] = item.pop("title")


def _models(table: Table) -> dict[str, Any]:
    @model(table, pk="C#{owner}", sk="PROFILE")
    class Customer:
        owner: str
        name: str = field(formerly=["title"])
        age: int | None = None

    @model(table, pk="C#{owner}", sk="ORDER#{number:04d}")
    class Order:
        owner: str
        number: int
        price: float = 1.0
        tags: set[str] = attrs.field(factory=set)

    @model(table, pk="C#{owner}", sk="VISIT#{number:04d}")
    class Visit:
        owner: str = field(key_only=True)
        number: int = field(key_only=True)
        seconds: float

    @model(
        table,
        pk="C#{owner}",
        sk="OLD#{number:04d}",
        unknown="forbid",
        upgrades=[_renamed],
    )
    class Strict:
        owner: str
        number: int
        title: str = field(name="heading")

    return {"Customer": Customer, "Order": Order, "Visit": Visit, "Strict": Strict}


TABLES = {
    "named": Table("named_coll", partition_key="pk", sort_key="sk", discriminator="type"),
    "keyed": Table("keyed_coll", partition_key="pk", sort_key="sk"),
}
MODELS = {name: _models(table) for name, table in TABLES.items()}

_value = st.sampled_from(
    [{"S": "a"}, {"S": ""}, {"N": "1"}, {"N": "x"}, {"S": "Order"}, {"S": "Visit"}, {"S": "nobody"},
     {"S": "C#z"}, {"S": "ORDER#0001"}, {"S": "PROFILE"}, {"S": "a", "N": "1"}, {}, {"S": 5},
     {"S": ["a"]}, {"NULL": True}]
)  # fmt: skip
_change = st.dictionaries(
    st.sampled_from(["pk", "sk", "type", "owner", "number", "name", "price", "title", "heading", "x",
                     "y", "seconds"]),
    st.none() | _value, max_size=2,
)  # fmt: skip


@st.composite
def pages(draw: st.DrawFn, models: dict[str, Any]) -> list[dict[str, Any]]:
    objects = st.one_of(
        st.builds(models["Customer"], st.text("ab", min_size=1), st.text(max_size=2),
                  st.none() | st.integers(-(10**20), 10**20)),
        st.builds(models["Order"], st.just("a"), st.integers(0, 99), st.just(2.5),
                  st.sets(st.text("xy", min_size=1, max_size=2))),
        st.builds(models["Visit"], st.just("a"), st.integers(0, 99), st.just(0.5)),
        st.builds(models["Strict"], st.just("a"), st.integers(0, 99), st.just("t")),
    )  # fmt: skip
    found = []
    for each in draw(st.lists(objects, min_size=1, max_size=20)):
        item: dict[str, Any] = mapper.dump(each)
        for name, value in (draw(_change) if draw(st.booleans()) else {}).items():
            item.pop(name, None)
            if value is not None:
                item[name] = value
        found.append(item)
    return found


def outcome(read: Any) -> Any:
    try:
        found = read()
    except MappingError as error:
        # Of two damaged attributes either may be met first, and Python's words for them differ.
        found = error.found.partition(":")[0] if "to unpack" in error.found else error.found
        return ("error", error.path, error.expected, found, error.hint, error.key, error.item)
    except Exception as error:
        return type(error)
    return found, type(found), repr(found), carried_by(found) if attrs.has(type(found)) else None


def assert_same(fast: Any, tells: Any, general: Any, sieve: Sieve, items: list[Any]) -> int:
    """How many items were rows."""
    rows = 0
    for place, reply in {
        "Items": {"Items": items, "Count": len(items)},
        "Responses": {"Responses": {"table": items}, "UnprocessedKeys": {}},
    }.items():
        body = json.dumps(reply).encode()
        decode = fast.decoder(place)
        # Twice: the first time may have taught it attributes that a class does not know.
        for _ in range(2 if decode else 0):
            found = decode(body)[place]
            found = found if place == "Items" else found["table"]
            assert len(found) == len(items)
            for item, plain in zip(found, json.loads(json.dumps(items)), strict=True):
                rows += isinstance(item, Row)
                assert attribute_map(item) == plain
                kind = outcome(lambda: sieve.model_of(plain))  # noqa: B023
                assert outcome(lambda: tells.model_of(item)) == kind  # noqa: B023
                if isinstance(kind, tuple) and kind[0] not in ("error", None):
                    expected = outcome(lambda: general(plain))  # noqa: B023
                    assert outcome(lambda: fast.reads()(item)) == expected  # noqa: B023
    return rows


def asked_of(data: st.DataObject, models: dict[str, Any]) -> list[Any]:
    some = st.lists(st.sampled_from(sorted(models)), min_size=2, max_size=4, unique=True)
    return [model_info(models[name]) for name in data.draw(some)]


@pytest.mark.parametrize("name", TABLES)
@given(data=st.data())
def test_collections_read_alike_as_rows_and_as_maps(name: str, data: st.DataObject) -> None:
    infos = asked_of(data, MODELS[name])
    items = data.draw(pages(MODELS[name]))
    reader: MixedObjects[Any] = MixedObjects(Sieve(infos))
    plain: MixedObjects[Any] = MixedObjects(Sieve(infos))

    assert_same(reader, reader, plain.read, Sieve(infos), items)


@pytest.mark.parametrize("which", ["Customer", "Order", "Visit", "Strict"])
@pytest.mark.parametrize("name", TABLES)
@given(data=st.data())
def test_one_model_among_others_reads_alike(name: str, which: str, data: st.DataObject) -> None:
    cls = MODELS[name][which]
    info = model_info(cls)
    items = data.draw(pages(MODELS[name]))
    reader, sieve = Objects(info, cls), Sieve((info,))

    assert_same(reader, Sieve((info,)), lambda item: mapper.load(item, cls), sieve, items)


@attrs.define
class Part:
    number: int
    price: float | None = None


@attrs.define
class Seen:
    """Some fields of a visit: one that stands in a key only, by another name, and one that does not."""

    number: int = field(name="how many")
    seconds: float | None = None


@pytest.mark.parametrize(("which", "part"), [("Order", Part), ("Visit", Seen)])
@pytest.mark.parametrize("name", TABLES)
@given(data=st.data())
def test_projections_of_one_model_read_alike(
    name: str, which: str, part: Any, data: st.DataObject
) -> None:
    info = model_info(MODELS[name][which])
    items = data.draw(pages(MODELS[name]))
    reader = projected(info, part)
    plain = projected(info, part)

    assert_same(reader, Sieve((info,)), plain.read, Sieve((info,)), items)


@pytest.mark.parametrize("name", TABLES)
def test_collections_have_the_fast_way(name: str) -> None:
    models = MODELS[name]
    objects = [models["Customer"]("a", "n"), models["Order"]("a", 1), models["Order"]("a", 2)]
    items = [{**mapper.dump(each), "z": {"S": "kept"}} for each in objects]
    sieve = Sieve([model_info(models[each]) for each in ("Customer", "Order")])
    reader: MixedObjects[Any] = MixedObjects(sieve)
    general: MixedObjects[Any] = MixedObjects(sieve)

    assert_same(reader, reader, general.read, sieve, items)
    decode = reader.decoder("Items")
    assert decode is not None
    rows = decode(json.dumps({"Items": items}).encode())["Items"]

    assert [isinstance(each, Row) for each in rows] == [True] * 3
    assert [mapper.dump(reader.read(each)) for each in rows] == items


# --- Subclasses under a query of their base ---------------------------------------------------


def _family(table: Table) -> dict[str, Any]:
    own = table.discriminator is None  # then keys tell

    @model(table, pk="F#{farm}", sk="A#{number:03d}")
    class Animal:
        farm: str
        number: int = field(key_only=True)
        name: str = ""

    @model(table, pk="F#{farm}", sk="CAT#{number:03d}" if own else "A#{number:03d}")
    class Cat(Animal):
        lives: int | None = 9

    @model(table, pk="F#{farm}", sk="LION#{number:03d}" if own else "A#{number:03d}")
    class Lion(Cat):
        mane: float | None = None

    @model(table, pk="F#{farm}", sk="BARN")
    class Barn:
        farm: str
        name: str = ""

    return {"Animal": Animal, "Cat": Cat, "Lion": Lion, "Barn": Barn}


FARMS = {
    "named": Table("named_farm", partition_key="pk", sort_key="sk", discriminator="type"),
    "keyed": Table("keyed_farm", partition_key="pk", sort_key="sk"),
}
FAMILIES = {name: _family(table) for name, table in FARMS.items()}

_changed = st.dictionaries(
    st.sampled_from(["pk", "sk", "type", "farm", "number", "name", "lives", "mane", "x", "y"]),
    st.none() | _value | st.sampled_from([{"S": "Cat"}, {"S": "CAT#001"}, {"S": "A#001"}, {"S": "BARN"}]),
    max_size=2,
)  # fmt: skip


@st.composite
def herds(draw: st.DrawFn, family: dict[str, Any]) -> list[dict[str, Any]]:
    made: Any = st.one_of(
        *(st.builds(family[name], st.just("a"), st.integers(0, 999), st.text(max_size=2))
          for name in ("Animal", "Cat", "Lion")),
        st.builds(family["Barn"], st.just("a"), st.just("b")),
    )  # fmt: skip
    found = []
    for each in draw(st.lists(made, min_size=1, max_size=12)):
        item: dict[str, Any] = mapper.dump(each)
        for name, value in (draw(_changed) if draw(st.booleans()) else {}).items():
            item.pop(name, None)
            if value is not None:
                item[name] = value
        found.append(item)
    return found


@pytest.mark.parametrize("which", ["Animal", "Cat", "Lion"])
@pytest.mark.parametrize("name", FARMS)
@given(data=st.data())
def test_subclasses_read_alike_under_their_base(name: str, which: str, data: st.DataObject) -> None:
    cls = FAMILIES[name][which]
    info = model_info(cls)
    reader, sieve = Objects(info, cls), Sieve((info,))
    items = data.draw(herds(FAMILIES[name]))

    assert_same(reader, Sieve((info,)), lambda item: mapper.load(item, cls), sieve, items)
    decode = reader.decoder("Items")
    assert decode is not None
    for row, item in zip(
        decode(json.dumps({"Items": items}).encode())["Items"], items, strict=True
    ):
        if is_own(row):
            assert issubclass(getattr(sieve.model_of(item), "cls", object), cls)


@pytest.mark.parametrize("name", FARMS)
def test_subclasses_have_rows_of_their_own(name: str) -> None:
    family = FAMILIES[name]
    objects = [family[each]("a", 1) for each in ("Animal", "Cat", "Lion", "Cat")]
    items = [mapper.dump(each) for each in objects]
    reader = Objects(model_info(family["Animal"]), family["Animal"])
    decode = reader.decoder("Items")
    assert decode is not None

    rows = decode(json.dumps({"Items": items}).encode())["Items"]

    assert [type(each).__name__ for each in rows] == ["Animal", "Cat", "Lion", "Cat"]
    assert all(map(is_own, rows))
    assert [reader.reads()(each) for each in rows] == objects


def test_a_subclass_that_is_declared_later_gets_rows_of_its_own() -> None:
    table = Table("growing", partition_key="pk", sort_key="sk", discriminator="type")

    @model(table, pk="G#{id}", sk="-")
    class Base:
        id: str

    reader = Objects(model_info(Base), Base)
    assert reader.decoder("Items") is not None

    @model(table, pk="G#{id}", sk="-")
    class Later(Base):
        more: int = 1

    decode = reader.decoder("Items")
    assert decode is not None
    (row,) = decode(json.dumps({"Items": [mapper.dump(Later("a", 2))]}).encode())["Items"]

    assert isinstance(row, Row)
    assert reader.reads()(row) == Later("a", 2)
