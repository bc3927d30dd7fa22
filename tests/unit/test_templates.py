"""Key templates: what a declaration may say, how values stand in keys, and how they are read back."""

from __future__ import annotations

import copy
import enum
import pickle
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal, Inexact, localcontext
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

import attrs
import pytest

from dynattrs import (
    ConditionError,
    Epoch,
    GlobalIndex,
    MappingError,
    ModelError,
    Table,
    evolve,
    field,
    map_class,
    mapper,
    model,
    partition_key,
)
from dynattrs.keys.computed import shard_of
from dynattrs.operations.conditions import as_condition
from dynattrs.schema.model_info import model_info, models_in

T = TypeVar("T")

NOON = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)


def table(**types: Any) -> Table:
    """A new table each time: models belong to the object."""
    indexes = [
        GlobalIndex("gsi1", partition_key="gsi1pk", sort_key="gsi1sk"),
        GlobalIndex("gsi2", partition_key="gsi2pk"),
    ]
    return Table("app", partition_key="pk", sort_key="sk", indexes=indexes, types=types)


class Status(enum.Enum):
    OPEN = "open"
    SHIPPED = "shipped"


@attrs.define
class Address:
    country: str
    city: str = field(name="town")


def made(app: Table, annotations: dict[str, Any], defaults: Any = None, **options: Any) -> Any:
    """A model with these fields."""
    namespace = {"__annotations__": annotations, "__module__": __name__, **(defaults or {})}
    return model(app, **options)(type("Thing", (), namespace))


def refused(annotations: dict[str, Any], app: Table | None = None, **options: Any) -> str:
    defaults = options.pop("defaults", None)
    with pytest.raises(ModelError) as caught:
        made(app or table(), annotations, defaults, **options)
    return str(caught.value)


# --- Values -----------------------------------------------------------------------------------------


def key_text(type_: Any, template: str, value: Any) -> str:
    cls = made(table(), {"x": type_}, pk="P", sk=template)
    text = mapper.dump(cls(value))["sk"]["S"]
    assert mapper.load(mapper.dump(cls(value)), cls) == cls(value)
    return text


@pytest.mark.parametrize(
    ("type_", "template", "value", "expected"),
    [
        (str, "A#{x}#Z", "b c", "A#b c#Z"),
        (str, "A#{x}#Z", "", "A##Z"),
        (int, "A#{x}", -5, "A#-5"),
        (int, "{x:06d}", 42, "000042"),
        (int, "{x:06}", 42, "000042"),
        (int, "{x:04x}", 255, "00ff"),
        (int, "{x:04X}", 255, "00FF"),
        (Decimal, "A#{x}", Decimal("1.50"), "A#1.5"),
        (Decimal, "A#{x}", Decimal("1E+3"), "A#1000"),
        (float, "A#{x}", 0.5, "A#0.5"),
        (bool, "A#{x}", True, "A#true"),
        (datetime, "{x}", NOON, "2026-11-23T12:00:00.000000Z"),
        (
            datetime,
            "{x}",
            NOON.astimezone(timezone(timedelta(hours=5))),
            "2026-11-23T12:00:00.000000Z",
        ),
        (date, "{x}#", date(2026, 1, 2), "2026-01-02#"),
        (UUID, "{x}", UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Status, "S#{x}", Status.OPEN, "S#open"),
        (Literal["a", "b"], "S#{x}", "b", "S#b"),
        (timedelta, "A#{x}", timedelta(seconds=90), "A#90"),
        (Annotated[datetime, Epoch], "A#{x}", datetime.fromtimestamp(7, timezone.utc), "A#7"),
        (str, "TITLE#{x:*}", "C# in #depth", "TITLE#C# in #depth"),
        (str, "{{x}}#{x}", "a", "{x}#a"),
    ],
)
def test_a_value_stands_in_a_key_as_it_is_stored(
    type_: Any, template: str, value: Any, expected: str
):
    assert key_text(type_, template, value) == expected


def test_equal_numbers_make_one_key():
    cls = made(table(), {"x": Decimal}, pk="P", sk="A#{x}")

    keys = [
        mapper.dump(cls(Decimal(text)))["sk"] for text in ("1", "1.0", "1E+0", "0.1E1", "1.000")
    ]

    assert keys == [{"S": "A#1"}] * 5
    assert mapper.dump(cls(Decimal("-0")))["sk"] == {"S": "A#0"}


def test_nested_fields_are_reached_with_dots_under_their_stored_names():
    cls = made(table(), {"home": Address}, pk="IN#{home.country}", sk="{home.city}")

    item = mapper.dump(cls(Address("DE", "Bonn")))

    assert (item["pk"], item["sk"]) == ({"S": "IN#DE"}, {"S": "Bonn"})
    assert item["home"] == {"M": {"country": {"S": "DE"}, "town": {"S": "Bonn"}}}


def test_keys_of_numbers_and_bytes_are_a_field_as_it_is_stored():
    cls = made(table(pk="B", sk="N"), {"digest": bytes, "n": int}, pk="{digest}", sk="{n}")

    item = mapper.dump(cls(b"\0#", -3))

    assert (item["pk"], item["sk"]) == ({"B": b"\0#"}, {"N": "-3"})


def test_keys_may_be_constant_whatever_their_type():
    cls = made(table(sk="N", gsi2pk="B"), {"x": str}, pk="CONFIG", sk=0, gsi2pk=b"all")

    item = mapper.dump(cls("a"))

    assert (item["pk"], item["sk"], item["gsi2pk"]) == ({"S": "CONFIG"}, {"N": "0"}, {"B": b"all"})


def test_names_that_are_no_python_names_are_given_as_keys():
    app = Table("app", partition_key="the-pk")
    cls = made(app, {"x": str}, keys={"the-pk": "X#{x}"}, frozen=True)

    assert mapper.dump(cls("a"))["the-pk"] == {"S": "X#a"}
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        cls("a").x = "b"


def test_periods_are_a_coarser_index_key():
    cls = made(
        table(), {"at": datetime, "x": str}, pk="P", sk="{x}", gsi1pk="{at:%Y-%m}",
        gsi1sk="{at:%d/%H}",
    )  # fmt: skip

    item = mapper.dump(cls(NOON.astimezone(timezone(timedelta(hours=-14))), "a"))

    assert (item["gsi1pk"], item["gsi1sk"]) == ({"S": "2026-11"}, {"S": "23/12"})


def test_an_item_is_left_out_of_an_index_whose_field_is_none():
    cls = made(
        table(), {"x": str, "status": Status | None}, {"status": None},
        pk="P", sk="{x}", gsi1pk="S#{status}", gsi1sk="{x}",
    )  # fmt: skip

    assert "gsi1pk" not in mapper.dump(cls("a"))
    assert mapper.dump(cls("a", Status.OPEN))["gsi1pk"] == {"S": "S#open"}


def test_a_field_that_is_none_inside_something_that_is_none_leaves_the_index_out():
    cls = made(
        table(), {"x": str, "home": Address | None}, {"home": None},
        pk="P", sk="{x}", gsi2pk="{home.city}",
    )  # fmt: skip

    assert "gsi2pk" not in mapper.dump(cls("a"))


# --- What is not seen on instances ----------------------------------------------------------------------


def test_key_attributes_are_not_carried_on_the_instance():
    cls = made(table(), {"x": str}, pk="P", sk="{x}", gsi2pk="ALL")

    read = mapper.load({**mapper.dump(cls("a")), "other": {"S": "kept"}}, cls)
    moved = evolve(read, x="b")

    assert mapper.dump(moved) == {
        "x": {"S": "b"}, "pk": {"S": "P"}, "sk": {"S": "b"}, "gsi2pk": {"S": "ALL"},
        "other": {"S": "kept"},
    }  # fmt: skip
    assert pickle.loads(pickle.dumps(app_of(cls))) == app_of(cls)


def app_of(cls: Any) -> Table:
    found: Table = cls.__dynattrs__.table
    return found


def test_a_copy_of_a_table_has_no_models():
    app = table()
    made(app, {"x": str}, pk="P", sk="{x}")

    for other in (copy.deepcopy(app), pickle.loads(pickle.dumps(app)), attrs.evolve(app)):
        assert other == app
        assert models_in(other) == []
        made(other, {"y": str}, pk="P", sk="{y}")


def test_unknown_forbid_knows_the_computed_attributes():
    cls = made(table(), {"x": str}, pk="P", sk="{x}", unknown="forbid")

    assert mapper.load(mapper.dump(cls("a")), cls) == cls("a")
    with pytest.raises(MappingError, match="gsi2pk"):
        mapper.load({**mapper.dump(cls("a")), "gsi2pk": {"S": "not declared"}}, cls)


def test_fields_that_are_only_in_keys_are_read_back_from_there():
    cls = made(
        table(),
        {"user": str, "at": datetime, "n": int, "kind": Status, "note": str},
        {name: field(key_only=True) for name in ("user", "at", "n", "kind")},
        pk="USER#{user}", sk="{kind}#{at}#{n:04d}#X",
    )  # fmt: skip
    thing = cls("u1", NOON, 7, Status.SHIPPED, "hello")

    item = mapper.dump(thing)

    assert item == {
        "pk": {"S": "USER#u1"}, "sk": {"S": f"shipped#{NOON:%Y-%m-%dT%H:%M:%S}.000000Z#0007#X"},
        "note": {"S": "hello"},
    }  # fmt: skip
    assert mapper.load(item, cls) == thing


def test_a_key_that_another_program_made_otherwise_is_named():
    cls = made(table(), {"x": str}, {"x": field(key_only=True)}, pk="P", sk="X#{x}")

    with pytest.raises(MappingError) as caught:
        mapper.load({"pk": {"S": "P"}, "sk": {"S": "Y#1"}}, cls)

    assert str(caught.value) == (
        "Thing['sk']: expected a key like 'X#{x}', found 'Y#1' (item with key pk='P', sk='Y#1')"
    )


def test_a_field_may_be_stored_beside_a_template_that_fills_the_other_key():
    cls = made(table(), {"id": str, "n": int}, {"id": field(name="pk")}, sk="N#{n}")

    assert mapper.dump(cls("a", 1)) == {"pk": {"S": "a"}, "n": {"N": "1"}, "sk": {"S": "N#1"}}


def test_classes_of_somebody_else_have_templates_too():
    @attrs.define
    class Theirs:
        x: str

    map_class(Theirs, table(), keys={"pk": "T#{x}", "sk": "META"}, unknown="drop")

    assert mapper.load(mapper.dump(Theirs("a")), Theirs) == Theirs("a")
    assert mapper.dump(Theirs("a"))["pk"] == {"S": "T#a"}


# --- What is refused when it is saved ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "template", "value", "said"),
    [
        (str, "A#{x}", "a#b", "Thing.x: expected text without '#', which separates"),
        (str, "{x}::{x}", "a::b", "expected text without '::', which separates"),
        (str, "{x}::{x}", "a:", "expected text that does not run into the '::' after it"),
        (str, "{x}#-A#{x}", "a#-b", "expected text without '#-', which separates"),
        (str, "A#-{x}", "a#-b", "expected text without '#-', which separates"),
        (str, "{x}}}#{x}", "a}#b", "expected text without '}#', which separates"),
        (int, "{x:03d}", 1000, "expected an integer from 0 to 999, as {...:03d} holds"),
        (int, "{x:03d}", -1, "expected an integer from 0 to 999"),
        (int, "{x}-{x}", -1, "expected text that does not run into the '-' after it"),
        (str, "{x}and{x}", "sand", "does not run into the 'and' after it"),
    ],
)
def test_what_would_make_another_items_key_is_refused(
    type_: Any, template: str, value: Any, said: str
):
    cls = made(table(), {"x": type_}, pk="P", sk=template)

    with pytest.raises(MappingError) as caught:
        mapper.dump(cls(value))

    assert said in str(caught.value)
    assert caught.value.path == "Thing.x"
    assert f"(in the key sk={template!r})" in str(caught.value)


def test_a_key_that_is_too_long_or_empty_is_refused():
    cls = made(table(), {"x": str}, pk="{x}", sk="S")

    with pytest.raises(MappingError, match="not empty"):
        mapper.dump(cls(""))
    with pytest.raises(MappingError, match="at most 2,048 bytes"):
        mapper.dump(cls("a" * 2049))


# --- What is refused when it is declared --------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{y}", "Thing: sk='{y}': expected a field of Thing, found {y}; there are 'x', 'n', 'home'"),
        ("{homee.city}", "did you mean 'home'?"),
        ("{home.town}", "expected a field of Thing.home, found {home.town}"),
        ("{x.y}", "expected a field of Thing.x, found {x.y}"),
        ("{home}", "expected a field that is stored as text, a number or a boolean, and as nothing else"),
        ("{x!r}", "expected a field without conversion, found {x!r}"),
        ("{0}", "expected a field's name"),
        ("{}", "expected a field's name"),
        ("{home[city]}", "expected a field's name"),
        ("{x", "expected a template such as"),
        ("", "expected a template that is not empty"),
        ("{x}{n}", "expected text between {x} and {n}, found none"),
        ("{x:06d}", "'*' for any text at the end"),
        ("{n:.2f}", "leading zeros for an int"),
        ("{n:6d}", "leading zeros for an int"),
        ("{x:*}#{n}", "expected {x:*} at the end"),
        ("{raw}", "expected text, numbers or booleans in a key of text"),
        ("{price:06d}", "leading zeros for an int"),
        ("{at:%B}", "expected a format of %Y, %m, %d, %H, %M, %S"),
        ("{mixed}", "found {mixed}, which is one of 'a', 1"),
        ("{words}", "found {words}, which is a list"),
        (7, "expected a template, which is text"),
        (f"ORDER#{id}", "without the f before its quotes"),
        (f"ORDER#{str}", "without the f before its quotes"),
        ("{n:00d}", "leading zeros for an int"),
        ("{n:02000d}", "sk='{n:02000d}': expected at most 1,024 bytes, found 2,000 or more"),
        ("x" * 1020 + "{n:05d}", "expected at most 1,024 bytes, found 1,025 or more"),
    ],
)  # fmt: skip
def test_a_template_that_does_not_fit_is_refused(template: Any, said: str):
    annotations: dict[str, Any] = {
        "x": str, "n": int, "home": Address, "raw": bytes, "price": Decimal, "at": datetime,
        "mixed": Literal["a", 1], "words": list[str],
    }  # fmt: skip

    assert said in refused(annotations, pk="P", sk=template)


@pytest.mark.parametrize(
    ("constant", "said"),
    [
        (Decimal("NaN"), "gsi1sk=Decimal('NaN'): expected a number that DynamoDB can hold (N)"),
        (10**200, "expected a number that DynamoDB can hold (N)"),
        (b"", "gsi1sk=b'': expected 1 to 1,024 bytes, found 0"),
        (b"x" * 1025, "expected 1 to 1,024 bytes, found 1,025"),
    ],
)
def test_a_constant_that_no_key_can_be_is_refused(constant: Any, said: str):
    kind = "B" if isinstance(constant, bytes) else "N"
    keys = {"pk": "{x}", "sk": "P", "gsi1pk": "G", "gsi1sk": constant}

    assert said in refused({"x": str}, table(gsi1sk=kind), **keys)


def test_an_enum_with_the_separator_in_it_is_refused():
    class Odd(enum.Enum):
        A = "a#1"

    assert "expected text without '#'" in refused({"x": Odd}, pk="P", sk="X#{x}")


def test_a_primary_key_without_its_template_is_refused():
    assert "the sort key of Table('app') is 'sk'" in refused({"x": str}, pk="P#{x}")


def test_half_an_index_key_is_refused():
    assert refused({"x": str}, pk="P", sk="{x}", gsi1pk="A") == (
        "Thing: gsi1pk='A' is given and gsi1sk is not, so no item would ever be in index 'gsi1'; "
        "give that as well"
    )


def test_a_field_of_the_primary_key_is_never_none():
    assert "Thing.x: it is part of the key sk='{x}', which every item has" in refused(
        {"x": str | None}, defaults={"x": None}, pk="P", sk="{x}"
    )


def test_a_period_alone_is_no_primary_key():
    assert "two items would meet in one key; put {at} into the primary key" in refused(
        {"at": datetime}, pk="P", sk="{at:%Y-%m}"
    )
    made(table(), {"at": datetime}, pk="{at:%Y-%m}", sk="{at}")


def test_a_version_cannot_be_part_of_a_key():
    assert "Thing.v: it is the version" in refused(
        {"x": str, "v": int}, defaults={"v": field(version=True)}, pk="P", sk="{x}", gsi2pk="V#{v}"
    )


def test_a_time_stamp_cannot_be_part_of_the_primary_key():
    for at in (field(updated=True, default=NOON), field(created=True, default=NOON)):
        assert "Thing.at: saving sets it, and it is part of the key sk='{at}'" in refused(
            {"x": str, "at": datetime}, defaults={"at": at}, pk="P", sk="{at}"
        )


def test_a_write_has_no_condition_on_a_field_that_is_stored_in_keys_only():
    """To the service the attribute is absent: the condition would be false, or true, for all items."""
    cls = made(table(), {"x": str}, {"x": field(key_only=True)}, pk="P", sk="X#{x}")

    with pytest.raises(ConditionError, match=r"\.x is stored in keys only \(key_only=True\)"):
        as_condition(cls.x == "a", model_info(cls))


def test_key_only_needs_a_key_that_holds_the_field():
    assert "Thing.x: it is stored in keys only" in refused(
        {"x": str, "y": str}, defaults={"x": field(key_only=True)}, pk="P", sk="{y}", gsi2pk="{x}"
    )
    with pytest.raises(ModelError, match="the model has no key templates"):

        @model("plain")
        class Plain:
            id: str = partition_key()
            x: str = field(key_only=True)


def test_a_field_cannot_be_stored_under_a_templates_name():
    assert "Thing.sk: it is stored as 'sk', which is the template" in refused(
        {"sk": str}, pk="P", sk="X"
    )


def test_templates_without_a_table_object_are_refused():
    with pytest.raises(ModelError, match="pk: key templates and kinds go with a Table"):

        @model("orders", pk="USER#{x}")
        class Order:
            x: str


def test_a_field_of_any_type_in_a_key_is_told_to_have_one():
    with pytest.raises(ModelError) as caught:

        @model(Table("boxes", partition_key="pk"), pk="BOX#{id}")
        class Box(Generic[T]):
            id: T

    assert str(caught.value) == (
        "Box.id: it is part of the key pk='BOX#{id}', which every item has; write a type that is no type "
        "variable and not Any, such as str"
    )


def test_fields_that_are_named_as_keys_are_told_how_to_be():
    with pytest.raises(ModelError) as caught:

        @model("orders", partition_key="customer", sort_key="number")
        class Order:
            customer: str
            number: int

    assert str(caught.value) == (
        "Order: partition_key, sort_key: in a table of one model its fields say which of them are the key; "
        "write customer: str = partition_key(), number: str = sort_key() in the class"
    )


def test_a_misspelt_key_attribute_is_named():
    assert "did you mean 'gsi1pk'?" in refused({"x": str}, pk="P", sk="{x}", gsi11pk="{x}")
    assert "did you mean 'gsi1sk'?" in refused({"x": str}, pk="P", sk="{x}", keys={"gsi1ks": "x"})


def test_text_in_a_key_of_numbers_is_refused():
    message = refused({"n": int}, table(sk="N"), pk="P", sk="N#{n}")
    assert "expected one field, '{field}', or a number: the key attribute is of type N" in message
    assert "a field that is stored as a number (N)" in refused(
        {"n": str}, table(sk="N"), pk="P", sk="{n}"
    )


def test_write_shards_over_a_plain_field_are_refused():
    """What is spread has the shard's number at its end, so queries would find none of the items."""
    hot = GlobalIndex("hot", partition_key="state", write_shards=3)

    with pytest.raises(
        ModelError, match=r"Plain: index 'hot' has write_shards.*Table\('jobs', ...\)"
    ):

        @model("jobs", indexes=[hot])
        class Plain:
            id: str = partition_key()
            state: str = "open"


def test_the_callers_decimal_context_moves_no_item_to_another_shard():
    """A cursor finds the shard that it stopped in by the item's key, in another program too."""
    number = 12345678901234567890123456789012345678
    key, close = {"pk": {"N": str(number)}}, {"pk": {"N": str(number + 1)}}
    here = [shard_of(each, 100) for each in (key, close)]

    with localcontext() as context:
        context.prec = 5
        rounding = [shard_of(each, 100) for each in (key, close)]
        context.traps[Inexact] = True
        strict = [shard_of(each, 100) for each in (key, close)]

    assert here == rounding == strict
    assert here[0] != here[1]
    assert shard_of({"pk": {"N": "1.0"}}, 100) == shard_of({"pk": {"N": "1"}}, 100)


def test_forward_references_are_resolved_at_the_first_use():
    @model(table(), pk="P", sk="{later.city}")
    class Thing:
        later: Later  # noqa: F821

    globals()["Later"] = Address
    try:
        assert mapper.dump(Thing(Address("DE", "Bonn")))["sk"] == {"S": "Bonn"}
    finally:
        del globals()["Later"]
