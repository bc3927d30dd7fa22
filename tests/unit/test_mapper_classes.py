# ruff: noqa: UP045 - every spelling of a type is tested
"""Classes as items: unknown attributes, missing ones, wrong types, kinds of classes, recursion."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import threading
from collections.abc import Callable
from typing import Annotated, Any, Generic, NamedTuple, Optional, TypeVar

import attrs
import msgspec
import pydantic
import pytest
import typing_extensions

from dynattrs import evolve, field, map_class, mapper, model, partition_key, sort_key
from dynattrs.errors import MappingError, ModelError
from dynattrs.mapper import Json
from dynattrs.mapper.size import TooDeep, item_size

T = TypeVar("T")


@attrs.define
class Line:
    """A plain class: it has no place for what it does not know."""

    price: int
    label: str = ""


@model("lines")
class Carrier:
    """A nested model: it has."""

    id: str = partition_key()


@model("orders")
class Order:
    id: str = partition_key()
    number: int = sort_key()
    lines: list[Line] = attrs.field(factory=list)
    by_name: dict[str, Line] = attrs.field(factory=dict)
    carrier: Carrier | None = None
    json: Annotated[Line | None, Json] = None
    tagged: Line | Carrier | None = None


@model("dropping", unknown="drop")
class Dropping:
    id: str = partition_key()
    line: Line | None = None


@model("forbidding", unknown="forbid")
class Forbidding:
    id: str = partition_key()
    line: Line | None = None


KEY = {"id": {"S": "o"}, "number": {"N": "7"}}
LINE = {"M": {"price": {"N": "1"}, "label": {"S": ""}}}
STRANGE_LINE = {"M": {"price": {"N": "1"}, "vat": {"N": "2"}}}


def refused(action: Callable[[], Any]) -> str:
    with pytest.raises(MappingError) as caught:
        action()
    return str(caught.value)


# --- Attributes that the class does not know ------------------------------------------------------


def test_attributes_that_the_class_does_not_know_are_written_back() -> None:
    """Trap: attributes that the class does not know are erased by a save."""
    item = {**mapper.dump(Order("o", 7)), "extra": {"M": {"a": {"N": "1"}}}}

    assert mapper.dump(mapper.load(item, Order)) == item


def test_a_nested_model_carries_what_it_does_not_know() -> None:
    carrier = {"M": {"id": {"S": "c"}, "extra": {"BOOL": True}}}
    tagged = {"M": {"_type": {"S": "Carrier"}, "id": {"S": "c"}, "extra": {"BOOL": True}}}
    item = {**mapper.dump(Order("o", 7)), "carrier": carrier, "tagged": tagged}

    assert mapper.dump(mapper.load(item, Order)) == item


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        ("lines", {"L": [LINE, STRANGE_LINE]}, "Order.lines[1].vat"),
        ("by_name", {"M": {"x": STRANGE_LINE}}, "Order.by_name['x'].vat"),
        ("json", {"S": '{"price": 1, "vat": 2}'}, "Order.json.vat"),
        ("tagged", {"M": {"_type": {"S": "Line"}, **STRANGE_LINE["M"]}}, "Order.tagged.vat"),
    ],
)
def test_an_object_that_lost_nested_attributes_is_read_and_not_dumped(
    name: str, value: Any, place: str
) -> None:
    order = mapper.load({**KEY, name: value}, Order)

    assert order.id == "o"
    for each in (order, copy.copy(order), pickle.loads(pickle.dumps(order)), evolve(order)):
        assert refused(lambda each=each: mapper.dump(each)) == (  # type: ignore[misc]
            f"Order: expected an item whose attributes are all known where they are nested, found "
            f"unknown attributes at {place} (item with key id='o', number='7'); saving the whole "
            f"item would erase them: declare the model with unknown='drop' if that is meant, or "
            f"add the fields to the nested class"
        )


def test_dropped_attributes_are_gone() -> None:
    item = {"id": {"S": "x"}, "extra": {"N": "1"}, "line": STRANGE_LINE}

    assert mapper.dump(mapper.load(item, Dropping)) == {"id": {"S": "x"}, "line": LINE}


def test_forbidden_attributes_are_refused_wherever_they_are() -> None:
    assert refused(lambda: mapper.load({"id": {"S": "x"}, "a": {"N": "1"}}, Forbidding)) == (
        "Forbidding: expected only attributes that Forbidding knows, found also 'a' (item with key "
        "id='x'); the model is declared with unknown='forbid'"
    )
    assert refused(lambda: mapper.load({"id": {"S": "x"}, "line": STRANGE_LINE}, Forbidding)) == (
        "Forbidding.line: expected only attributes that Line knows, found also 'vat' (item with "
        "key id='x'); the model is declared with unknown='forbid'"
    )


def test_a_mapped_class_has_no_place_for_unknown_attributes() -> None:
    @attrs.define
    class Foreign:
        id: str

    map_class(Foreign, "foreign", partition_key="id")
    loaded = mapper.load({"id": {"S": "x"}, "extra": {"N": "1"}}, Foreign)

    assert loaded == Foreign("x")
    assert not hasattr(loaded, "__dynattrs_unknown__")


# --- Missing attributes and wrong types -----------------------------------------------------------


def test_missing_attributes_take_their_defaults() -> None:
    assert mapper.load(KEY, Order) == Order("o", 7)


def test_a_missing_attribute_without_a_default_is_an_error() -> None:
    with pytest.raises(MappingError) as caught:
        mapper.load({**KEY, "lines": {"L": [LINE, LINE, {"M": {}}]}}, Order)

    error = caught.value
    assert str(error) == (
        "Order.lines[2].price: expected a number (N) in the attribute 'price', found no such "
        "attribute (item with key id='o', number='7'); "
        "give the field a default if items may lack it"
    )
    assert (error.path, error.model, error.key) == ("Order.lines[2].price", "Order", KEY)
    assert error.found == "no such attribute"


def test_a_wrong_stored_type_is_an_error_that_names_the_place() -> None:
    line = {"M": {"price": {"S": "free"}}}
    with pytest.raises(MappingError) as caught:
        mapper.load({**KEY, "by_name": {"M": {"a b": line}}}, Order)

    error = caught.value
    assert error.path == "Order.by_name['a b'].price"
    assert error.expected == "a number (N)"
    assert error.found == "S 'free'"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_the_original_error_is_the_cause() -> None:
    with pytest.raises(MappingError) as caught:
        mapper.load({**KEY, "number": {"N": "x"}}, Order)
    assert caught.value.__cause__ is not None


def test_a_value_with_no_place_in_dynamodb_is_refused_with_its_place() -> None:
    order = Order("o", 7, [Line(1), Line(10**40 + 1)])

    assert refused(lambda: mapper.dump(order)).startswith(
        "Order.lines[1].price: expected an int of up to 38 digits, found int of about 41 digits"
    )
    order = Order("o", 7, by_name={"x": Line(1, label=3)})  # type: ignore[arg-type]
    assert refused(lambda: mapper.dump(order)) == (
        "Order.by_name['x'].label: expected a str, found int 3 (item with key id='o', number='7')"
    )


def test_members_of_sets_are_named_in_errors() -> None:
    @attrs.define
    class Tags:
        tags: set[int]

    assert refused(lambda: mapper.dump(Tags({"a"}))).startswith(  # type: ignore[arg-type]
        "Tags.tags{str 'a'}: expected an int"
    )


def test_long_values_are_cut_in_messages() -> None:
    message = refused(lambda: mapper.load({**KEY, "lines": {"S": "x" * 1000}}, Order))
    assert len(message) < 300


def test_what_is_no_attribute_map_is_refused() -> None:
    for junk in (None, 3, "x", [], [("id", {"S": "x"})]):
        assert refused(lambda junk=junk: mapper.load(junk, Order)).startswith(  # type: ignore[misc]
            "Order: expected an attribute map"
        )
    assert "which is not an attribute value" in refused(lambda: mapper.load({"id": "x"}, Order))  # type: ignore[dict-item]
    assert "which is not an attribute value" in refused(lambda: mapper.load({"id": {}}, Carrier))


# --- Keys -----------------------------------------------------------------------------------------


def test_an_empty_key_is_refused_before_sending() -> None:
    """Trap: an empty set or string fails at the service."""
    assert refused(lambda: mapper.dump(Order("", 7))) == (
        "Order.id: expected a value that is not empty, it is the partition key, found S '' "
        "(item with key id='', number='7'); DynamoDB has no empty key attributes"
    )


def test_a_key_that_is_too_long_is_refused() -> None:
    assert "at most 2,048 bytes, it is the partition key" in refused(
        lambda: mapper.dump(Order("é" * 1025, 7))
    )


def test_a_key_that_is_none_is_refused() -> None:
    assert refused(lambda: mapper.dump(Order(None, 7))) == (  # type: ignore[arg-type]
        "Order.id: expected a str, found NoneType None (item with key number='7')"
    )


# --- What is not an item --------------------------------------------------------------------------------


def test_what_has_no_fields_is_no_item() -> None:
    for value in (3, "text", None, [1], object()):
        with pytest.raises(ModelError):
            mapper.dump(value)
    for type_ in (int, str, list[int], object, complex, 3, "Order"):
        with pytest.raises(ModelError):
            mapper.load({}, type_)  # type: ignore[arg-type]


def test_another_class_in_place_of_a_nested_one_is_refused() -> None:
    class Free(Line):
        pass

    order = Order("o", 1, [Free(0)])
    assert refused(lambda: mapper.dump(order)) == (
        "Order.lines[0]: expected a Line, found Free Line(price=0, label=''); a subclass would "
        "lose its own fields; declare a union of the classes, or apply cattrs' include_subclasses "
        "to the mapper"
    ) or "Free" in refused(lambda: mapper.dump(order))


# --- Kinds of classes -------------------------------------------------------------------------------


@dataclasses.dataclass
class Data:
    size: int
    tags: set[str] = dataclasses.field(default_factory=set)
    total: int = dataclasses.field(init=False, default=0)
    note: Optional[str] = None


class Pair(NamedTuple):
    left: int
    right: Optional[str] = None


class Struct(msgspec.Struct, rename="camel"):
    long_name: int
    tags: list[str] = []
    note: Optional[str] = None


class Pydantic(pydantic.BaseModel):
    size: int
    alias: str = pydantic.Field(default="", alias="other-name")
    choice: str = pydantic.Field(
        default="", validation_alias=pydantic.AliasChoices("first", "second")
    )
    tags: set[str] = pydantic.Field(default_factory=set)
    json_: Annotated[dict[str, int], Json] = {}
    inner: Optional[Data] = None


class Base(typing_extensions.TypedDict):
    name: str


class Dict(Base, total=False):
    year: int
    parent: Dict
    score: typing_extensions.Required[Optional[int]]


@pytest.mark.parametrize(
    ("value", "item"),
    [
        (Data(1), {"size": {"N": "1"}, "total": {"N": "0"}}),
        (
            Data(1, {"a"}, "n"),
            {"size": {"N": "1"}, "tags": {"SS": ["a"]}, "total": {"N": "0"}, "note": {"S": "n"}},
        ),
        (Pair(1), {"left": {"N": "1"}}),
        (Pair(1, "x"), {"left": {"N": "1"}, "right": {"S": "x"}}),
        (Struct(1), {"longName": {"N": "1"}, "tags": {"L": []}}),
        (
            Pydantic(size=1),
            {"size": {"N": "1"}, "alias": {"S": ""}, "choice": {"S": ""}, "json_": {"S": "{}"}},
        ),
    ],
)
def test_classes_of_other_kinds_are_items(value: Any, item: Any) -> None:
    assert mapper.dump(value) == item
    assert mapper.load(item, type(value)) == value
    assert type(mapper.load(item, type(value))) is type(value)


def test_fields_without_init_of_dataclasses_are_stored() -> None:
    """cattrs drops them by default."""
    data = Data(1)
    data.total = 5
    assert mapper.load(mapper.dump(data), Data) == data


def test_pydantic_aliases_are_arguments_only() -> None:
    value = Pydantic(**{"size": 1, "other-name": "x", "second": "y", "inner": Data(2)})  # type: ignore[arg-type]
    item = mapper.dump(value)
    assert item["alias"] == {"S": "x"}
    assert item["choice"] == {"S": "y"}
    assert mapper.load(item, Pydantic) == value


def test_pydantic_validation_errors_are_mapping_errors() -> None:
    class Positive(pydantic.BaseModel):
        size: int = pydantic.Field(gt=0)

    assert "ValidationError" in refused(lambda: mapper.load({"size": {"N": "-1"}}, Positive))


def test_a_pydantic_model_that_takes_anything_is_refused() -> None:
    class Open(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(extra="allow")

    with pytest.raises(ModelError, match="its extra values would be lost"):
        mapper.dump(Open(a=1))  # type: ignore[call-arg]


def test_typed_dicts_are_maps_with_required_keys() -> None:
    @model("dicts")
    class Holder:
        id: str = partition_key()
        value: Dict | None = None

    value: Any = {"name": "x", "score": None, "parent": {"name": "y", "score": 1}}
    holder = Holder("x", value)
    assert mapper.load(mapper.dump(holder), Holder) == holder
    assert refused(lambda: mapper.dump(Holder("x", {"name": "x"}))) == (  # type: ignore[typeddict-item]
        "Holder.value: expected the keys 'name', 'score', found no 'score' (item with key id='x')"
    )
    assert "Holder.value['parent']: expected the keys" in refused(
        lambda: mapper.dump(Holder("x", {**value, "parent": {}}))
    )
    extra: Any = {"name": "x", "score": 1, "extra": [1]}
    assert mapper.load(mapper.dump(Holder("x", extra)), Holder).value == extra
    assert repr(Holder.value.parent.parent.name) == "Holder.value.parent.parent.name"  # type: ignore[union-attr]


def test_none_and_empty_sets_follow_one_rule_in_nested_classes() -> None:
    @model("nested")
    class Nested:
        id: str = partition_key()
        data: Data | None = None
        pair: Pair | None = None

    nested = Nested("x", Data(1), Pair(1))
    assert mapper.dump(nested)["data"] == {"M": {"size": {"N": "1"}, "total": {"N": "0"}}}
    assert mapper.dump(nested)["pair"] == {"M": {"left": {"N": "1"}}}
    assert mapper.load(mapper.dump(nested), Nested) == nested


def test_stored_names_of_nested_fields_are_used() -> None:
    @attrs.define
    class Part:
        size: int = field(name="s")

    assert mapper.dump(Part(1)) == {"s": {"N": "1"}}
    assert mapper.load({"s": {"N": "1"}}, Part) == Part(1)


# --- Generics and recursion -------------------------------------------------------------------------


@attrs.define
class Box(Generic[T]):
    value: T
    more: Optional[list[T]] = None


@attrs.define
class Wrapped(Generic[T]):
    box: Box[list[T]]
    by_name: dict[str, T]


class GenericPair(NamedTuple):
    left: Box[int]


@attrs.define
class Plain:
    wrapped: Wrapped[Pair]
    bare: Box[Any]


def test_arguments_of_generics_reach_nested_classes() -> None:
    plain = Plain(Wrapped(Box([Pair(1)]), {"a": Pair(2)}), Box("x", ["y"]))
    assert mapper.load(mapper.dump(plain), Plain) == plain


def test_a_generic_is_read_by_its_argument() -> None:
    item = {"value": {"S": "2020-01-01"}}
    import datetime as dt

    assert mapper.load(item, Box[dt.date]).value == dt.date(2020, 1, 1)
    assert mapper.load(item, Box[str]).value == "2020-01-01"
    assert "expected a number" in refused(lambda: mapper.load(item, Box[int]))


@attrs.define
class Tree:
    value: int
    children: list[Tree] = attrs.field(factory=list)
    by_name: dict[str, Tree] = attrs.field(factory=dict)
    next: Tree | None = None


def test_recursive_classes_are_stored_to_any_depth() -> None:
    tree = Tree(0)
    for value in range(1, 14):
        tree = Tree(value, [tree], {"a": Tree(0)}, Tree(-1))
    assert mapper.load(mapper.dump(tree), Tree) == tree
    item_size(mapper.dump(tree))


def test_what_is_deeper_than_the_service_allows_is_noticed() -> None:
    tree = Tree(0)
    for value in range(40):
        tree = Tree(value, next=tree)
    with pytest.raises(TooDeep):
        item_size(mapper.dump(tree))


def test_the_size_of_an_item_counts_names_and_values() -> None:
    assert item_size({"id": {"S": "é"}, "b": {"B": b"abc"}, "t": {"BOOL": True}}) == 4 + 4 + 2
    assert item_size({"l": {"L": [{"S": "a"}]}, "m": {"M": {"k": {"NULL": True}}}}) == 6 + 7


# --- Threads ----------------------------------------------------------------------------------------


def test_a_model_may_be_used_first_by_twenty_threads_at_once() -> None:
    """Codecs are made at first use; none may be seen before it is finished."""
    for _ in range(20):
        own = mapper.Mapper()
        barrier = threading.Barrier(20)
        failures: list[BaseException] = []
        plain = Plain(Wrapped(Box([Pair(1)]), {"a": Pair(2)}), Box("x", ["y"]))
        tree = Tree(1, [Tree(2)], {"a": Tree(3)}, Tree(4))

        def use() -> None:
            try:
                barrier.wait()  # noqa: B023
                for value in (tree, plain):  # noqa: B023
                    assert own.load(own.dump(value), type(value)) == value  # noqa: B023
            except BaseException as error:
                failures.append(error)  # noqa: B023

        threads = [threading.Thread(target=use) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []


# --- Values that a class refuses ------------------------------------------------------------------


def short(_: Any, attribute: Any, value: Any) -> None:
    if len(value) > 2:
        raise ValueError(f"{attribute.name} is long")


def below_end(obj: Any, _: Any, value: int) -> None:
    if value > obj.end:
        raise ValueError("begin is after end")


@attrs.define
class Span:
    end: int = 0
    begin: int = attrs.field(default=0, validator=below_end)
    name: str = attrs.field(default="", validator=short)


@model("strict")
class Strict:
    id: str = partition_key()
    name: str = attrs.field(default="", validator=short)
    number: Any = attrs.field(default=0, converter=int)
    spans: list[Span] = attrs.field(factory=list)


@pytest.mark.parametrize(
    ("stored", "path", "why"),
    [
        ({"name": {"S": "abc"}}, "Strict.name", "ValueError: name is long"),
        ({"number": {"S": "x"}}, "Strict.number", "ValueError: invalid literal"),
        (
            {"spans": {"L": [{"M": {}}, {"M": {"name": {"S": "abc"}}}]}},
            "Strict.spans[1].name",
            "long",
        ),
        # It reads the object, which there is none of: the whole is named.
        ({"spans": {"L": [{"M": {"begin": {"N": "1"}}}]}}, "Strict.spans[0]", "begin is after end"),
    ],
    ids=["validator", "converter", "inside", "of the object"],
)
def test_a_stored_value_that_the_class_refuses_is_named(stored: Any, path: str, why: str) -> None:
    item = {"id": {"S": "1"}, **stored}
    with pytest.raises(MappingError, match=why) as caught:
        mapper.load(item, Strict)
    assert (caught.value.path, caught.value.key) == (path, {"id": {"S": "1"}})
    assert caught.value.item == item
