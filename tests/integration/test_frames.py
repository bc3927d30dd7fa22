"""Queries as Arrow, Polars and pandas."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Annotated, Any

import attrs
import pytest

from dynattrs import (
    GlobalIndex,
    Json,
    MappingError,
    QueryError,
    Session,
    Table,
    evolve,
    field,
    model,
    path,
    sort_key,
)
from dynattrs import partition_key as partition
from dynattrs.mapper import default

pa = pytest.importorskip("pyarrow")
column_of: Any = pytest.importorskip("dynattrs.frames.columns").column_of

NOON = dt.datetime(2026, 11, 28, 12, tzinfo=dt.timezone.utc)


class Mood(enum.Enum):
    LOUD = "loud"
    SOFT = "soft"


@attrs.define
class Label:
    name: str
    city: str | None = None


@model("songs", indexes=[GlobalIndex("by-mood", partition_key="mood", projection="keys")])
class Song:
    artist: str = partition()
    number: int = sort_key()
    at: dt.datetime
    mood: Mood = Mood.LOUD
    price: Decimal | None = None
    plays: int | None = None
    tags: set[str] = attrs.field(factory=set)
    labels: list[Label] = attrs.field(factory=list)
    prices: dict[str, Decimal] = attrs.field(factory=dict)
    cover: bytes = b""
    uid: uuid.UUID | None = None
    took: dt.timedelta = dt.timedelta(minutes=3)
    either: str | int | None = None
    notes: Annotated[dict[str, int], Json] = attrs.field(factory=dict)


app = Table("app", partition_key="pk", sort_key="sk", discriminator="kind")


@model(app, pk="A#{name}", sk="{number:04d}")
class Animal:
    name: str
    number: int


@model(app, pk="A#{name}", sk="{number:04d}")
class Dog(Animal):
    barks: bool = False


@model(app, pk="A#{name}", sk="TREE")
class Tree:
    name: str


@model("checked")
class Checked:
    id: str = partition()
    size: int = attrs.field(default=1, validator=attrs.validators.gt(0), converter=abs)
    until: dt.datetime | None = field(ttl=True, default=None)


def song(number: int, **fields: Any) -> Song:
    given: dict[str, Any] = {
        "price": Decimal(number) / 4, "plays": number if number % 2 else None, "tags": {"b", "a"},
        "labels": [Label("Philips", None), Label("RCA", "Oslo")], "prices": {"NO": Decimal("1.5")},
        "cover": bytes([number % 256]), "uid": uuid.UUID(int=number), "either": number,
        "notes": {"x": number}, **fields,
    }  # fmt: skip
    return Song("Nina Simone", number, NOON + dt.timedelta(seconds=number), **given)


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Song, Animal, Checked)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    with Session(client=client, table_prefix=table_prefix) as session:
        yield session


@pytest.fixture
def songs(session: Session) -> Any:
    session.save_all(song(number) for number in range(60))
    return session.query(Song).where(Song.artist == "Nina Simone")


# --- Arrow ------------------------------------------------------------------------------------------


def test_the_model_gives_the_schema_before_anything_is_asked(session: Session):
    before = session.stats.total
    batches = session.scan(Song).arrow()

    number = pa.decimal128(38, 18)
    assert {each.name: each.type for each in batches.schema} == {
        "artist": pa.string(), "number": pa.int64(), "at": pa.timestamp("us", "UTC"),
        "mood": pa.string(), "price": number, "plays": pa.int64(), "tags": pa.list_(pa.string()),
        "labels": pa.list_(pa.struct([("name", pa.string()), ("city", pa.string())])),
        "prices": pa.map_(pa.string(), number), "cover": pa.binary(), "uid": pa.string(),
        "took": pa.duration("us"), "either": pa.string(), "notes": pa.map_(pa.string(), pa.int64()),
    }  # fmt: skip
    assert session.stats.total == before


def test_pages_come_as_record_batches_one_after_the_other(session: Session, songs: Any):
    batches = iter(songs.page_size(25).arrow())

    assert next(batches).num_rows == 25
    assert [each.num_rows for each in batches] == [25, 10]


def test_a_table_has_every_value(songs: Any):
    table = songs.arrow().table()

    assert table.slice(3, 1).to_pylist() == [
        {
            "artist": "Nina Simone", "number": 3, "at": NOON + dt.timedelta(seconds=3), "mood": "loud",
            "price": Decimal("0.75"), "plays": 3, "tags": ["a", "b"],
            "labels": [{"name": "Philips", "city": None}, {"name": "RCA", "city": "Oslo"}],
            "prices": [("NO", Decimal("1.5"))], "cover": b"\x03", "uid": str(uuid.UUID(int=3)),
            "took": dt.timedelta(minutes=3), "either": "3", "notes": [("x", 3)],
        }
    ]  # fmt: skip
    assert table.column("plays").to_pylist() == [
        number if number % 2 else None for number in range(60)
    ]


def test_what_a_query_says_holds_for_its_columns(session: Session, songs: Any):
    page = songs.page(10)
    found = songs.after(page.cursor).limit(30).arrow().table()

    assert found.column("number").to_pylist() == [*range(10, 40)]
    found = songs.filter(path(Song.plays) >= 10**9).arrow().table()
    assert (found.num_rows, found.num_columns) == (0, 14)
    scanned = session.scan(Song).parallel(4).arrow().table()
    assert sorted(scanned.column("number").to_pylist()) == [*range(60)]
    whole = session.query(Song).where(Song.mood == Mood.LOUD).hydrate().arrow().table()
    assert sorted(whole.column("plays").drop_null().to_pylist()) == [*range(1, 60, 2)]


def test_parts_of_items_have_columns_of_their_own(songs: Any):
    @attrs.define
    class Part:
        number: int
        uid: uuid.UUID | None

    assert songs.as_(Part).arrow().table().slice(1, 1).to_pylist() == [
        {"number": 1, "uid": str(uuid.UUID(int=1))}
    ]
    found = songs.select(Song.plays, Song.labels[1].city).arrow().table()
    assert found.slice(1, 1).to_pylist() == [{"plays": 1, "labels[1].city": "Oslo"}]
    assert songs.keys().arrow().table().slice(1, 1).to_pylist() == [
        {"artist": "Nina Simone", "number": 1}
    ]


def test_what_others_wrote_in_their_way_is_the_same_value(
    session: Session, songs: Any, client: Any, table_prefix: str
):
    item = {
        "artist": {"S": "Nina Simone"}, "number": {"N": "100"}, "at": {"S": "2026-11-28T13:00:00+01:00"},
        "uid": {"S": str(uuid.UUID(int=10)).upper()}, "tags": {"L": []}, "price": {"N": "2.50"},
        "unknown": {"S": "kept"}, "plays": {"NULL": True},
    }  # fmt: skip
    client.put_item(TableName=f"{table_prefix}songs", Item=item)

    *_, last = songs.arrow().table().to_pylist()
    assert (last["at"], last["uid"]) == (NOON, str(uuid.UUID(int=10)))
    assert (last["tags"], last["price"], last["plays"]) == ([], Decimal("2.5"), None)
    assert (last["mood"], last["cover"], last["took"]) == ("loud", b"", dt.timedelta(minutes=3))


def test_an_item_that_cannot_be_read_is_an_error_or_left_out(
    songs: Any, client: Any, table_prefix: str
):
    item = {"artist": {"S": "Nina Simone"}, "number": {"N": "100"}, "at": {"S": "yesterday"}}
    client.put_item(TableName=f"{table_prefix}songs", Item=item)
    found: list[MappingError] = []

    with pytest.raises(MappingError, match=r"Song\.at: expected an ISO 8601"):
        songs.arrow().table()
    assert songs.on_error("skip").arrow().table().num_rows == 60
    assert songs.on_error(found.append).arrow().table().num_rows == 60
    assert [each.path for each in found] == ["Song.at"]


def test_a_number_that_does_not_fit_is_named_and_a_table_has_it_all_the_same(
    session: Session, songs: Any
):
    third = (Decimal(10) ** 25 + 1) / 3
    session.save(song(100, plays=10**30, price=third))

    with pytest.raises(
        MappingError, match=r"Song\.price: expected a value that Arrow's decimal128"
    ):
        list(songs.arrow())
    with pytest.raises(MappingError, match=r"Song\.plays: .*, number='100'\); say what") as error:
        list(songs.arrow(types={"price": pa.string()}))
    assert error.value.key == {"artist": {"S": "Nina Simone"}, "number": {"N": "100"}}
    table = songs.arrow().table()
    assert table.schema.field("plays").type == pa.decimal128(38, 0)
    assert table.schema.field("price").type == pa.decimal256(76, 38)
    assert table.column("plays").to_pylist()[-2:] == [59, 10**30]
    assert table.column("price").to_pylist()[-2:] == [Decimal(59) / 4, third]


def test_pages_behind_a_number_that_does_not_fit_have_the_wide_type(session: Session, songs: Any):
    session.save(song(30, plays=10**30))

    table = songs.page_size(20).arrow().table()

    assert table.schema.field("plays").type == pa.decimal128(38, 0)
    plays = [10**30 if n == 30 else n if n % 2 else None for n in range(60)]
    assert table.column("plays").to_pylist() == plays


def test_types_that_are_asked_for_hold_the_same_values(songs: Any):
    types = {
        "price": pa.decimal128(12, 2), "plays": pa.string(), "number": pa.int16(),
        "prices": pa.map_(pa.string(), pa.string()), "artist": pa.large_string(),
        "at": pa.timestamp("ns", "Europe/Oslo"), "mood": pa.dictionary(pa.int8(), pa.string()),
    }  # fmt: skip
    table = songs.arrow(types=types).table()

    assert {name: table.schema.field(name).type for name in types} == types
    (row,) = table.select(["price", "plays", "number", "prices"]).slice(5, 1).to_pylist()
    assert row == {"price": Decimal("1.25"), "plays": "5", "number": 5, "prices": [("NO", "1.5")]}
    with pytest.raises(
        MappingError, match=r"Song\.price: expected a value that Arrow's decimal128\(12, 1\)"
    ):
        songs.arrow(types={"price": pa.decimal128(12, 1)}).table()
    with pytest.raises(MappingError, match=r"Song\.price: expected a value that Arrow's int64"):
        songs.arrow(types={"price": pa.int64()}).table()
    with pytest.raises(QueryError, match="'prize' is not a column; did you mean 'price'"):
        songs.arrow(types={"prize": pa.string()})
    with pytest.raises(QueryError, match="a type of pyarrow is expected, found 'str'"):
        songs.arrow(types={"price": "str"})
    with pytest.raises(QueryError, match=r"'labels' is list<.*> and cannot be int8"):
        songs.arrow(types={"labels": pa.int8()})
    with pytest.raises(QueryError, match="two columns have one name: plays, plays"):
        songs.select(Song.plays, Song.plays).arrow()


@pytest.mark.parametrize(
    ("type_", "value", "wanted", "held"),
    [
        (int, 2**53 + 1, pa.float64(), 2**53),
        (int, 300, pa.bool_(), 1),
        (float, 1e20, pa.bool_(), 1.0),
        (float, 1e20, pa.float16(), 0.5),
        (float, 0.1, pa.float32(), 0.5),
        (float, 0.1, pa.decimal128(38, 0), 3.0),
        (list[int], [16_777_217], pa.list_(pa.float32()), [16_777_216]),
        (Decimal, Decimal("0.1"), pa.float32(), Decimal("0.5")),
        (dt.datetime, NOON, pa.date32(), NOON.replace(hour=0)),
    ],
)
def test_a_value_that_another_type_would_change_is_an_error(
    type_: Any, value: Any, wanted: Any, held: Any
):
    column = column_of(default, default.codec(type_), wanted)
    with pytest.raises((pa.ArrowInvalid, ValueError)):
        column.array([held, value])
    found = column.array([held, None])
    assert found.type == wanted
    assert column_of(default, default.codec(type_)).array([held, None]) == found.cast(
        column_of(default, default.codec(type_)).type
    )


def test_types_that_would_change_values_are_named(session: Session, songs: Any):
    session.save(song(100, plays=300))
    with pytest.raises(
        MappingError, match=r"Song\.plays: expected a value that Arrow's bool holds"
    ):
        songs.arrow(types={"plays": pa.bool_()}).table()
    for name, wanted in (("at", pa.time64("us")), ("artist", pa.int64())):
        with pytest.raises(QueryError, match=rf"'{name}' is .* and cannot be"):
            songs.arrow(types={name: wanted})
    # A float is what it is stored as; a decimal is the nearest double.
    column = column_of(default, default.codec(float), pa.decimal128(38, 18))
    assert column.array([0.1]).to_pylist() == [Decimal("0.1")]
    prices = songs.arrow(types={"price": pa.float64()}).table().column("price")
    assert prices.to_pylist()[1] == 0.25


def test_objects_of_several_models_and_attribute_maps_have_no_columns(session: Session):
    with pytest.raises(QueryError, match=r"arrow\(\) is for queries of one model"):
        session.scan(Animal, Tree).arrow()
    with pytest.raises(QueryError, match=r"needs fields to make columns of; leave raw\(\) out"):
        session.scan(Song).raw().arrow()


def test_items_of_a_subclass_have_the_columns_of_the_model_that_is_asked_for(session: Session):
    session.save_all([Animal("Rex", 1), Dog("Rex", 2, barks=True), Tree("Rex"), Animal("Rex", 3)])

    found = session.query(Animal).where(Animal.name == "Rex").arrow().table()
    assert found.to_pylist() == [{"name": "Rex", "number": number} for number in (1, 2, 3)]
    found = session.query(Dog).where(Dog.name == "Rex").arrow().table()
    assert found.to_pylist() == [{"name": "Rex", "number": 2, "barks": True}]


def test_converters_validators_and_hooks_have_their_say(
    session: Session, client: Any, table_prefix: str
):
    client.put_item(
        TableName=f"{table_prefix}checked", Item={"id": {"S": "a"}, "size": {"N": "-2"}}
    )
    assert session.scan(Checked).arrow().table().column("size").to_pylist() == [2]
    client.put_item(TableName=f"{table_prefix}checked", Item={"id": {"S": "a"}, "size": {"N": "0"}})
    with pytest.raises(MappingError, match=r"Checked\.size"):
        session.scan(Checked).arrow().table()


def test_hooks_of_a_session_see_the_objects_first(client: Any, table_prefix: str, songs: Any):
    def louder(obj: Any) -> Any:
        return evolve(obj, plays=11)

    with Session(client=client, table_prefix=table_prefix, after_load=louder) as session:
        found = session.query(Song).where(Song.artist == "Nina Simone").arrow().table()
    assert {*found.column("plays").to_pylist()} == {11}


@pytest.mark.threads_only("a stream of Arrow is read by threads")
def test_others_read_it_as_a_stream(songs: Any):
    batches = songs.page_size(25).arrow()

    assert pa.table(batches).num_rows == 60
    assert [batch.num_rows for batch in batches.reader()] == [25, 25, 10]
    polars = pytest.importorskip("polars")
    assert polars.DataFrame(batches).height == 60


# --- DataFrames -------------------------------------------------------------------------------------


def test_pandas_gets_columns_of_arrow_in_which_ints_stay_ints(songs: Any):
    pandas = pytest.importorskip("pandas")
    frame = songs.pandas()

    assert frame["plays"].dtype == pandas.ArrowDtype(pa.int64())
    assert frame["plays"].sum() == sum(range(1, 60, 2))
    assert frame["plays"].isna().sum() == 30
    assert frame["price"].sum() == Decimal(sum(range(60))) / 4
    assert frame["at"].max() == NOON + dt.timedelta(seconds=59)


def test_polars_gets_every_value(songs: Any):
    polars = pytest.importorskip("polars")
    frame = songs.polars()

    assert frame["price"].sum() == Decimal(sum(range(60))) / 4
    assert frame.schema["at"] == polars.Datetime("us", "UTC")
    assert frame["plays"].null_count() == 30


def test_polars_is_not_given_decimals_that_it_has_no_place_for(session: Session, songs: Any):
    pytest.importorskip("polars")
    session.save(song(100, price=Decimal("1e-30")))

    with pytest.raises(QueryError, match=r"polars\(types=\{'price': \.\.\.\}\)"):
        songs.polars()
    assert songs.polars(types={"price": pa.string()})["price"][60] == f"0.{'0' * 29}1"
    session.save(song(100, prices={"NO": Decimal("1e-30")}))
    with pytest.raises(QueryError, match=r"polars\(types=\{'prices': \.\.\.\}\)"):
        songs.polars()
