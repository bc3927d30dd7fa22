"""Python models that are made of sample items."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

import shared_data
from dynattrs import Facet, GlobalIndex, LocalIndex, ModelError, OnDemand, Provisioned, Table
from dynattrs.mapper import default
from dynattrs.schema.model_info import info_of
from dynattrs.tools import generation
from dynattrs.tools.generation.class_fields import type_of
from dynattrs.tools.generation.item_kinds import Shapes, kinds_of
from dynattrs.tools.generation.key_patterns import patterns_of
from dynattrs.tools.generation.python_source import (
    Bracketed,
    Names,
    lines_of,
    literal,
    pascal,
    snake,
)
from dynattrs.tools.generation.trial import same_item


def item(**values: Any) -> dict[str, dict[str, Any]]:
    """An attribute map of plain values."""
    tags = {str: "S", bool: "BOOL", bytes: "B", dict: "M", list: "L", type(None): "NULL"}
    return {
        name: {"N": str(value)}
        if type(value) in (int, float)
        else {tags[type(value)]: True if value is None else value}
        for name, value in values.items()
    }


def single(*items: dict[str, dict[str, Any]], **options: Any) -> Table:
    options = {"partition_key": "pk", "sort_key": "sk", **options}
    return Table("app", sample_items=items, **options)


SHOP = single(
    item(pk="USER#42", sk="PROFILE", name="Ada", email="ada@example.com"),
    item(pk="USER#43", sk="PROFILE", name="Bob"),
    item(pk="USER#42", sk="ORDER#2026-01-02#000007", placed="2026-01-02", number=7, total=9.5),
    item(pk="USER#43", sk="ORDER#2026-01-03#000012", placed="2026-01-03", number=12, total=3.25),
    item(pk="PRODUCT#apple", sk="META", price=3),
    indexes=[GlobalIndex("by-day", partition_key="day", sort_key="sk")],
)


def templates(table: Table) -> dict[str, dict[str, str]]:
    """What is found out of the keys, by kind."""
    shapes = Shapes(table, table.sample_items)
    found = {}
    for kind in kinds_of(table).kinds:
        made = patterns_of(table, kind, shapes)
        names = {name: snake(name) for each in kind.items for name in each}
        names |= {each.name: each.name for each in made.key_only}
        found[kind.name] = {name: each.written(names) for name, each in made.by_attribute.items()}
    return found


# --- Kinds --------------------------------------------------------------------------------------


def test_kinds_are_told_by_the_labels_in_their_keys():
    found = kinds_of(SHOP)

    assert found.discriminator is None
    assert [(kind.name, len(kind.items)) for kind in found.kinds] == [
        ("UserProfile", 2),
        ("UserOrder", 2),
        ("ProductMeta", 1),
    ]


def test_kinds_are_told_by_an_attribute_where_there_is_one():
    table = single(
        item(pk="a#1", sk="a#1", EntityType="customer"),
        item(pk="a#1", sk="b#1", EntityType="order line"),
        item(pk="a#2", sk="b#2", EntityType="order line"),
    )
    found = kinds_of(table)

    assert found.discriminator == "EntityType"
    assert [(kind.name, kind.value) for kind in found.kinds] == [
        ("Customer", "customer"),
        ("OrderLine", "order line"),
    ]


def test_kinds_are_told_by_facets_first():
    one, two = item(pk="x1", sk="a", type="A"), item(pk="x2", sk="b", type="B")
    table = single(
        one,
        two,
        item(pk="y#3", sk="c", type="C"),
        facets=[Facet("first", sample_items=[one]), Facet("second", sample_items=[two])],
    )
    found = kinds_of(table)

    assert [kind.name for kind in found.kinds] == ["First", "Second", "Y"]
    assert found.discriminator == "type"


@pytest.mark.parametrize("told", [True, False])
def test_two_facets_may_have_keys_of_one_shape(told):
    """An attribute of their samples tells them apart; without one, their keys are plain fields."""
    facets = [
        Facet(kind, sample_items=[
            item(pk=f"PET#{number}", sk="META", **{"type": kind} if told else {kind: number})
            for number in numbers
        ])
        for kind, numbers in (("dog", (1, 2)), ("cat", (3, 4)))
    ]  # fmt: skip
    table = single(facets=facets)
    source = generation.models([table])

    assert kinds_of(table).discriminator == ("type" if told else None)
    assert ('discriminator="type"' in source, "pk: str" in source) == (told, not told)


def test_an_attribute_that_is_missing_somewhere_tells_nothing():
    table = single(item(pk="a#1", sk="x", type="A"), item(pk="b#1", sk="x"))

    assert kinds_of(table).discriminator is None


def test_a_table_of_plain_keys_has_one_kind():
    table = single(item(pk="Nina Simone", sk="Sinnerman"), item(pk="Nina Simone", sk="Feelings"))

    assert [kind.name for kind in kinds_of(table).kinds] == ["App"]


# --- Keys ---------------------------------------------------------------------------------------


def test_keys_are_labels_and_attributes_and_what_is_stored_nowhere_else():
    assert templates(SHOP) == {
        "UserProfile": {"pk": "USER#{user_id}", "sk": "PROFILE"},
        "UserOrder": {"pk": "USER#{user_id}", "sk": "ORDER#{placed}#{number:06d}"},
        "ProductMeta": {"pk": "PRODUCT#{product_id}", "sk": "META"},
    }


def test_a_value_that_is_in_two_keys_is_one_field():
    table = single(item(pk="c#1", sk="c#1"), item(pk="c#2", sk="c#2"))

    assert templates(table) == {"App": {"pk": "c#{c_id}", "sk": "c#{c_id}"}}


def test_one_sample_does_not_show_that_two_labels_have_one_value():
    """o#12345 with c#12345 is a coincidence."""
    table = single(item(pk="o#12345", sk="c#12345"))

    assert templates(table) == {"App": {"pk": "o#{o_id}", "sk": "c#{c_id}"}}


def test_index_keys_are_made_of_fields_or_are_fields():
    index = GlobalIndex("gsi", partition_key="g", sort_key="h")
    table = single(
        item(pk="o#1", sk="p#8", g="p#8", h="other#5"),
        item(pk="o#2", sk="p#9", g="p#9", h="other#6"),
        indexes=[index],
    )

    assert templates(table) == {"App": {"pk": "o#{o_id}", "sk": "p#{p_id}", "g": "p#{p_id}"}}


def test_an_index_key_that_some_items_lack_is_a_template_only_if_a_field_is_lacking_too():
    index = GlobalIndex("gsi", partition_key="g")
    sparse = single(
        item(pk="o#1", sk="x#1", status="new", g="STATUS#new"),
        item(pk="o#2", sk="x#2"),
        indexes=[index],
    )
    other = single(
        item(pk="o#1", sk="x#1", status="new", g="STATUS#new"),
        item(pk="o#2", sk="x#2", status="old"),
        indexes=[index],
    )

    assert templates(sparse)["App"]["g"] == "STATUS#{status}"
    assert "g" not in templates(other)["App"]


def test_keys_of_several_lengths_have_one_value_that_takes_the_rest():
    items = [item(pk="u#1", sk="AT#2026#01"), item(pk="u#2", sk="AT#2026#02#03")]
    table = single(*items, facets=[Facet("visit", sample_items=items)])

    assert templates(table) == {"Visit": {"pk": "u#{u_id}", "sk": "AT#{at_id:*}"}}


def test_names_come_from_the_aliases_of_a_facet():
    items = [item(pk="p#1", sk="TASK#1"), item(pk="p#2", sk="TASK#7")]
    table = single(
        *items,
        facets=[
            Facet("Tasks", partition_key="p#playerID", sort_key="TASK#TaskID", sample_items=items)
        ],
    )

    assert templates(table) == {"Tasks": {"pk": "p#{player_id}", "sk": "TASK#{task_id}"}}


def test_other_separators_are_found():
    table = single(item(pk="User:ann", sk="meta"), item(pk="Room:art", sk="meta"))

    assert templates(table) == {
        "UserMeta": {"pk": "User:{user_id}", "sk": "meta"},
        "RoomMeta": {"pk": "Room:{room_id}", "sk": "meta"},
    }


def test_a_value_that_happens_to_be_in_a_key_of_one_sample_makes_no_template():
    table = single(item(pk="LINE#7", sk="AT#north", count=7, side="north"))

    assert templates(table) == {"App": {"pk": "LINE#{line_id}", "sk": "AT#{at_id}"}}


def test_one_sample_is_enough_where_an_attribute_is_called_what_stands_in_the_key():
    table = single(item(pk="LINE#7", sk="SIDE#north", lineId=7, side="north"))

    assert templates(table) == {"App": {"pk": "LINE#{line_id}", "sk": "SIDE#{side}"}}


def test_a_value_that_several_samples_have_in_common_is_one_coincidence():
    items = [item(pk="LINE#7", sk=f"AT#{side}", count=7, side=side) for side in ("north", "south")]

    assert templates(single(*items)) == {"App": {"pk": "LINE#{line_id}", "sk": "AT#{side}"}}


# --- Types --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "annotation"),
    [
        ([{"S": "x"}], "str"),
        ([{"S": "2026-01-02T03:04:05.000000Z"}, {"S": "2026-01-02T03:04:05.123456Z"}], "datetime"),
        ([{"S": "2026-01-02T03:04:05Z"}], "str"),
        ([{"S": "2026-01-02T03:04:05.123456+02:00"}], "str"),
        ([{"S": "2026-01-02T03:04:05"}], "str"),
        ([{"S": "2026-01-02T25:04:05.000000Z"}], "str"),
        ([{"S": "2026-01-02"}], "date"),
        ([{"S": "2026-02-30"}], "str"),
        ([{"S": "20260102"}], "str"),
        ([{"S": "7d444840-9dc0-11d1-b245-5ffdce74fad2"}], "UUID"),
        ([{"S": "7D444840-9DC0-11D1-B245-5FFDCE74FAD2"}], "str"),
        ([{"S": "7d4448409dc011d1b2455ffdce74fad2"}], "str"),
        ([{"S": "2026-01-02"}, {"S": "soon"}], "str"),
        ([{"N": "1"}, {"N": "-7"}], "int"),
        ([{"N": "1"}, {"N": "1.5"}], "Decimal"),
        ([{"BOOL": True}], "bool"),
        ([{"B": b""}], "bytes"),
        ([{"SS": ["a"]}], "set[str]"),
        ([{"NS": ["1", "2.5"]}], "set[Decimal]"),
        ([{"L": [{"N": "1"}]}, {"L": []}], "list[int]"),
        ([{"L": [{"N": "1"}, {"NULL": True}]}], "list[int | None]"),
        ([{"L": [{"N": "1"}, {"S": "a"}]}], "list[Any]"),
        ([{"L": []}], "list[Any]"),
        ([{"M": {"a": {"S": "x"}, "b": {"S": "y"}}}], "dict[str, str]"),
        ([{"M": {"a": {"M": {"b": {"N": "1"}}}}}], "dict[str, dict[str, int]]"),
        ([{"S": "x"}, {"N": "1"}], "Any"),
        ([], "Any"),
    ],
)
def test_annotations_read_all_samples(values: list[Any], annotation: str):
    assert type_of(values) == annotation


# --- Code -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "field", "class_"),
    [
        ("PlayerLevel", "player_level", "PlayerLevel"),
        ("GSI1-PK", "gsi1_pk", "Gsi1Pk"),
        ("imageUrl", "image_url", "ImageUrl"),
        ("follower#", "follower", "Follower"),
        ("class", "class_", "Class"),
        ("2nd", "field_2_nd", "Item2Nd"),
        ("###", "field_", "Item"),
        ("int", "int_", "Int"),
        ("Table", "table", "TableItem"),
        ("None", "none", "NoneItem"),
        ("Date", "date_", "Date"),
        ("self", "self_", "Self"),
        ("mro", "mro_", "Mro"),
        ("register", "register_", "Register"),
        ("", "field_", "Item"),
        ("__init__", "init", "Init"),
        ("UUID", "uuid", "Uuid"),
    ],
)
def test_names_are_names_of_python(name: str, field: str, class_: str):
    assert (snake(name), pascal(name)) == (field, class_)
    assert field.isidentifier()
    assert class_.isidentifier()


def test_two_things_never_have_one_name():
    names = Names()

    assert [names.take(each) for each in ("a_b", "a_b", "Ab", "Ab")] == [
        "a_b",
        "a_b_2",
        "Ab",
        "Ab2",
    ]


@pytest.mark.parametrize(
    "text", ["plain", 'a "quote"', "it's", "both ' and \"", "back\\slash", "ü\n"]
)
def test_literals_are_read_back(text: str):
    assert eval(literal(text)) == text


def test_a_call_that_is_too_long_has_an_argument_on_each_line():
    call = Bracketed(
        "x = f", ["a" * 50, Bracketed("g", ["b" * 50]), Bracketed("h", ["c" * 50, "d" * 50])]
    )

    assert lines_of(call) == [
        "x = f(",
        f"    {'a' * 50},",
        f"    g({'b' * 50}),",
        "    h(",
        f"        {'c' * 50},",
        f"        {'d' * 50},",
        "    ),",
        ")",
    ]


# --- Modules ------------------------------------------------------------------------------------

WIDE = Table(
    "wide-table",
    partition_key="id",
    sort_key="Year",
    indexes=[
        GlobalIndex("by-place", partition_key=("country", "city"), sort_key="Year"),
        LocalIndex("by-rank", sort_key="rank", projection=["a", "b"]),
    ],
    types={"Year": "N", "rank": "N"},
    billing=Provisioned(read=5, write=2),
    sample_items=[
        item(
            id="a",
            Year=1,
            rank=1,
            tags=[{"S": "x"}, {"N": "1"}],
            when="2026-01-02T03:04:05.000000Z",
            at="2026-01-02T03:04:05Z",
            ok=True,
            price=1.5,
        ),
        {"id": {"S": "b"}, "Year": {"N": "2"}, "labels": {"SS": ["x"]}, "day": {"S": "2026-01-02"}},
    ],
)
EMPTY = Table(
    "empty",
    partition_key="class",
    attributes={"Total": "N", "list": "L", "names": "SS"},
    billing=OnDemand(max_read=5),
)
TABLES = [SHOP, WIDE, EMPTY]


@pytest.fixture
def module() -> Iterator[types.ModuleType]:
    """What is generated for all tables, imported."""
    made = types.ModuleType("generated_models")
    sys.modules[made.__name__] = made
    exec(generation.models(TABLES), vars(made))
    yield made
    del sys.modules[made.__name__]


def test_a_generated_module_has_the_tables_as_they_are(module: types.ModuleType):
    assert module.wide_table == WIDE
    assert module.empty == EMPTY
    assert module.app.indexes == SHOP.indexes


def test_every_sample_item_is_read_and_written_back_by_a_model(module: types.ModuleType):
    models = [each for each in vars(module).values() if info_of(each)]

    for table in TABLES:
        for sample in table.sample_items:
            found = []
            for each in models:
                info = info_of(each)
                assert info is not None
                if info.table.name != table.name:
                    continue
                try:
                    written = info.mapper.dump(info.mapper.load(dict(sample), each))
                except ValueError:
                    continue
                if same_item(written, sample):
                    found.append(each.__name__)
            assert found, sample


def test_fields_are_typed_and_optional_where_samples_lack_them():
    source = generation.models([WIDE], title='The "wide" one.')

    assert (
        source
        == '''"""The 'wide' one."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from dynattrs import GlobalIndex, LocalIndex, Provisioned, Table, field, model

wide_table = Table(
    "wide-table",
    partition_key="id",
    sort_key="Year",
    indexes=[
        GlobalIndex("by-place", partition_key=("country", "city"), sort_key="Year"),
        LocalIndex("by-rank", sort_key="rank", projection=["a", "b"]),
    ],
    types={"Year": "N", "rank": "N"},
    billing=Provisioned(read=5, write=2),
)


@model(wide_table)
class WideTable:
    id: str
    year: int = field(name="Year")
    rank: int | None = None
    tags: list[Any] | None = None
    when: datetime | None = None
    at: str | None = None
    ok: bool | None = None
    price: Decimal | None = None
    labels: set[str] = field(factory=set)
    day: date | None = None
'''
    )


def test_a_kind_without_samples_has_the_attributes_of_the_design():
    source = generation.models([EMPTY])

    assert source.endswith(
        """
@model(empty)
class Empty:
    class_: str = field(name="class")
    total: int | None = field(name="Total", default=None)
    list_: list[Any] | None = field(name="list", default=None)
    names: set[str] = field(factory=set)
"""
    )


def test_what_is_generated_is_formatted(tmp_path: Path):
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent)) or shutil.which("ruff")
    if ruff is None:
        pytest.skip("ruff is not installed")
    file = tmp_path / "models.py"
    file.write_text(generation.models(TABLES), encoding="utf-8")

    for command in (["format", "--check"], ["check", "--select", "E,F,I,UP,N"]):
        done = subprocess.run(
            [ruff, *command, "--isolated", "--no-cache", "--target-version", "py310", str(file)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout


def tried(table: Table) -> str:
    """The source for a table, whose classes read its samples."""
    source = generation.models([table])
    namespace: dict[str, Any] = {"__name__": __name__}
    exec(compile(source, "generated", "exec", dont_inherit=True), namespace)
    models = [each for each in namespace.values() if info_of(each)]
    for sample in table.sample_items:
        assert any(keeps(each, sample) for each in models), sample
    return source


def keeps(model: type[Any], sample: dict[str, Any]) -> bool:
    """Whether reading and saving an item changes nothing."""
    info = info_of(model)
    assert info is not None
    try:
        return same_item(info.mapper.dump(info.mapper.load(sample, model)), sample)
    except ValueError:
        return False


@pytest.mark.parametrize(
    "names",
    [
        ("Date", "date", "DATE"),
        ("self", "cls"),
        ("class", "def", "None", "True", "async", "match", "type"),
        (
            "str",
            "int",
            "list",
            "dict",
            "set",
            "field",
            "model",
            "datetime",
            "Decimal",
            "Any",
            "UUID",
        ),
        ("userId", "user_id", "UserID", "user-id"),
        ("1st", "2nd", "_a", "__b", "__class__", "__init__"),
        ("mro", "register", "__name__"),
        ("#", "##", "日本", "ﬁn", " ", "\x00", "a\nb"),
        ("kind", "keys", "table", "indexes", "options", "frozen", "slots"),
    ],
)
@pytest.mark.parametrize("value", ["text", "2020-01-01", "2020-01-01T00:00:00.000000Z"])
@pytest.mark.parametrize("sparse", [False, True])
def test_attributes_of_any_name_have_fields(names: tuple[str, ...], value: str, sparse: bool):
    items = [item(pk="1", sk="a", **dict.fromkeys(names, value))]
    items += [item(pk="2", sk="a")] * sparse

    source = tried(single(*items))

    assert all(f"name={literal(each)}" in source or f"    {each}: " in source for each in names)


@pytest.mark.parametrize(
    "name", ["Date", "class", "mro", "#", "pk", "keys", "frozen", "ﬁn", "self"]
)
def test_keys_and_tables_of_any_name_are_declared(name: str):
    keys = {"partition_key": name, "sort_key": f"{name}2"}
    items = [item(**{name: f"USER#{each}", f"{name}2": "INFO", "x": each}) for each in range(2)]

    tried(Table("class", sample_items=items, **keys))
    tried(Table("date", sample_items=[{**each, "type": {"S": name}} for each in items], **keys))


def test_null_is_written_back_where_it_was():
    table = single(
        item(pk="1", sk="a", always=None, sometimes=None, mixed=None, nothing=None),
        item(pk="2", sk="a", always=None, sometimes=1, mixed=2),
        item(pk="3", sk="a", always=None, sometimes=3),
    )

    source = tried(table)

    assert "    always: Any\n" in source
    assert "    sometimes: int | None\n" in source
    # A field is stored in one way where it is None.
    assert "mixed" not in source
    assert "nothing" not in source


def test_a_kind_whose_keys_are_all_it_has_is_a_class():
    table = single(item(pk="CONFIG#", sk="CURRENT"), item(pk="USER#1", sk="CURRENT", name="Ada"))

    assert "    pass\n" in tried(table)


def test_a_sample_that_is_no_item_of_its_table_is_named():
    table = single(item(pk="a", sk="b", x=1), item(pk="a", x=1))

    with pytest.raises(ModelError, match=r"Table\('app'\): no model can have its sample items"):
        generation.models([table])


def test_a_time_to_live_is_declared():
    of_numbers = single(item(pk="a", sk="b", until=1900000000), item(pk="a", sk="c"), ttl="until")
    designed = attrs.evolve(EMPTY, ttl="until", attributes={"until": "N"})

    for table in (of_numbers, designed):
        assert "    until: int | None = field(ttl=True, default=None)\n" in tried(table)
    with pytest.raises(ModelError, match=r"as the time to live, found str"):
        generation.models([single(item(pk="a", sk="b", until="2030-01-01"), ttl="until")])


@pytest.mark.parametrize("title", ["a\x00b", 'x"""y', "back\\", "line\nline", "\ud800"])
def test_any_title_is_a_docstring(title: str):
    source = generation.models([EMPTY], title=title)

    exec(compile(source.encode(), "generated", "exec"), {"__name__": __name__})


# --- Items of other programs ---


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("ProductCatalog", ("Id",)),
        ("Forum", ("Name",)),
        ("Thread", ("ForumName", "Subject")),
        ("Reply", ("Id", "ReplyDateTime")),
    ],
)
def test_the_developer_guides_items_are_kept(name: str, keys: tuple[str, ...]):
    items = shared_data.guide_items(name)
    types = {each: next(iter(items[0][each])) for each in keys}

    source = tried(
        Table(
            name,
            partition_key=keys[0],
            sort_key=keys[1] if len(keys) > 1 else None,
            types={each: tag for each, tag in types.items() if tag != "S"},
            sample_items=items,
        )
    )

    # AWS writes three digits of milliseconds, and dynattrs six of microseconds.
    assert "datetime" not in source


def test_the_items_of_a_game_are_kept():
    lines = shared_data.read("game_player_items.json").splitlines()
    items = [default.codec(Any).dump(json.loads(line))["M"] for line in lines]

    tried(Table("game", partition_key="PK", sort_key="SK", sample_items=items[:60] + items[-60:]))


def test_persons_are_kept():
    items = json.loads(shared_data.read("persons.ddb.json"))

    tried(Table("persons", partition_key="id", sample_items=items))
