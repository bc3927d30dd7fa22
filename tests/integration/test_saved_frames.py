"""Rows of pandas', Polars' and Arrow's frames that are saved as objects."""

from __future__ import annotations

import datetime as dt
import enum
import pickle
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Annotated, Any

import attrs
import pytest

from dynattrs import (
    BadRow,
    Compressed,
    Json,
    MappingError,
    QueryError,
    Session,
    field,
    model,
    sort_key,
)
from dynattrs import partition_key as partition
from dynattrs.frames import tables

pa = pytest.importorskip("pyarrow")
pc = pytest.importorskip("pyarrow.compute")
pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")

NOON = dt.datetime(2026, 11, 28, 12, tzinfo=dt.timezone.utc)


class Mood(enum.Enum):
    LOUD = "loud"
    SOFT = "soft"


@attrs.define
class Label:
    name: str
    city: str | None = None


@model("songs")
class Song:
    artist: str = partition()
    number: int = sort_key()
    at: dt.datetime = NOON
    day: dt.date | None = None
    mood: Mood = Mood.LOUD
    price: Decimal | None = None
    plays: int = 0
    rating: float | None = None
    tags: set[str] = attrs.field(factory=set)
    labels: list[Label] = attrs.field(factory=list)
    prices: dict[str, Decimal] = attrs.field(factory=dict)
    uid: uuid.UUID | None = None
    pair: tuple[int, str] | None = None
    took: dt.timedelta | None = None
    anything: Any = None


@model("timed")
class Timed:
    id: str = partition()
    at: dt.datetime | None = None
    time: dt.time | None = None
    took: dt.timedelta | None = None
    day: dt.date | None = None
    text: str | None = None
    times: list[dt.time] | None = None
    instants: list[dt.datetime] | None = None
    durations: list[dt.timedelta] | None = None
    named: dict[str, dt.time] | None = None
    any: Any = None


@model("packed")
class Packed:
    id: str = partition()
    json: Annotated[Any, Json] = None
    named: Annotated[dict[str, Any] | None, Json] = None
    small: Annotated[list[Any] | None, Compressed] = None
    either: Annotated[list[dict[str, float] | int] | None, Json] = None


@model("tagged")
class Tagged:
    id: str = partition()
    tags: set[str] = attrs.field(factory=set)


@model("counted")
class Counted:
    id: str = partition()
    size: int = attrs.field(default=1, validator=attrs.validators.gt(0))
    revision: int = field(version=True, default=0)


def song(number: int) -> Song:
    return Song(
        "Nina Simone", number, NOON + dt.timedelta(microseconds=number), dt.date(2026, 1, 1 + number % 28),
        Mood.SOFT, Decimal(number) / 4, number, number / 3 if number % 2 else None, {"a", f"t{number}"},
        [Label("Philips"), Label("RCA", "Oslo")], {"NO": Decimal("1.5")}, uuid.UUID(int=number),
        (number, "x"), dt.timedelta(seconds=number), {"n": [number]},
    )  # fmt: skip


def songs(count: int) -> list[Song]:
    return [*map(song, range(count))]


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Song, Counted, Timed, Packed, Tagged)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    with Session(client=client, table_prefix=table_prefix) as session:
        yield session


def stored(session: Session, model: type[Any] = Song) -> list[Any]:
    return sorted(session.scan(model).all(), key=lambda each: getattr(each, "number", 0))


@pytest.mark.parametrize("kind", ["table", "pandas", "polars"])
def test_what_a_query_gave_is_saved_as_it_was(session: Session, kind: str):
    session.save_all(songs(30))
    found = session.scan(Song)
    frame = found.arrow().table() if kind == "table" else getattr(found, kind)()
    found.delete()

    assert session.save_frame(Song, frame) == 30
    assert stored(session) == songs(30)


@pytest.mark.parametrize("kind", ["table", "pandas", "polars"])
def test_json_in_an_attribute_keeps_what_dynamodb_has_no_number_or_name_for(
    session: Session, kind: str
):
    values = [1e300, 5e-324, -0.0, 1.0, 10**50, "1e300", {"": -0.0, "a": [1e200, None]}, True]
    session.save_all(
        Packed(str(n), value, {"": value}, [value], [{"": 1e300, "a": -0.0}, n])
        for n, value in enumerate(values)
    )
    before = sorted(session.scan(Packed).raw(), key=lambda item: str(item["id"]))
    found = session.scan(Packed)
    frame = found.arrow().table() if kind == "table" else getattr(found, kind)()
    found.delete()

    assert session.save_frame(Packed, frame) == len(values)
    assert sorted(session.scan(Packed).raw(), key=lambda item: str(item["id"])) == before


def test_json_in_an_attribute_has_each_name_once_and_no_nan(session: Session):
    wrong: list[BadRow] = []
    frame = pl.DataFrame({"id": ["a", "b"], "json": ['{"n": 1, "n": 2}', "NaN"]})

    assert session.save_frame(Packed, frame, on_error=wrong.append) == 0
    assert [error.column for error in wrong] == ["json", "json"]


def test_a_batch_gathers_the_rows_with_what_else_is_written(session: Session):
    with session.batch() as batch:
        count = batch.save_frame(Song, pl.DataFrame({"artist": ["a", "b"], "number": [1, 2]}))
        batch.save(Song("c", 3))

    assert count == 2
    assert [each.artist for each in stored(session)] == ["a", "b", "c"]


def test_progress_is_told(session: Session):
    told: list[Any] = []
    frame = pa.table({"artist": ["a"] * 60, "number": [*range(60)]})

    assert session.save_frame(Song, frame, on_progress=told.append) == 60
    assert told[-1].stored == 60


# --- Cells ------------------------------------------------------------------------------------------


def test_what_pandas_has_for_missing_values_is_none_or_the_default(session: Session):
    frame = pd.DataFrame(
        {
            "artist": ["a", "b", "c", "d"], "number": [1, 2, 3, 4],
            "rating": [1.5, float("nan"), None, 2.5],  # NaN, twice
            "price": [Decimal(1), None, pd.NA, float("nan")],
            "plays": pd.array([1, None, 3, None], dtype="Int64"),
            "day": [dt.date(2026, 1, 1), pd.NaT, None, pd.Timestamp(2026, 1, 2)],
            "at": pd.to_datetime(["2026-11-28T13:00Z", None, None, None]),
        }
    )  # fmt: skip
    session.save_frame(Song, frame)

    found = stored(session)
    assert [each.rating for each in found] == [1.5, None, None, 2.5]
    assert [each.price for each in found] == [Decimal(1), None, None, None]
    assert [each.plays for each in found] == [1, 0, 3, 0]
    assert [each.day for each in found] == [dt.date(2026, 1, 1), None, None, dt.date(2026, 1, 2)]
    assert [each.at for each in found] == [NOON + dt.timedelta(hours=1), NOON, NOON, NOON]


def test_nan_of_polars_and_arrow_is_a_number_that_dynamodb_does_not_have(session: Session):
    columns = {"artist": ["a", "b"], "number": [1, 2], "rating": [None, float("nan")]}
    for frame in (pl.DataFrame(columns, strict=False), pa.table(columns)):
        with pytest.raises(
            BadRow, match=r"row 1, column 'rating': Song\.rating: expected a finite float"
        ):
            session.save_frame(Song, frame)


def test_ints_that_pandas_made_floats_are_ints_again_if_they_are_whole(session: Session):
    frame = pd.DataFrame({"artist": ["a", "b"], "number": [1.0, 2.0], "plays": [3.0, float("nan")]})
    session.save_frame(Song, frame)
    assert [(each.number, each.plays) for each in stored(session)] == [(1, 3), (2, 0)]

    with pytest.raises(BadRow, match=r"row 1, column 'plays': .*found float 2\.5"):
        session.save_frame(Song, frame.assign(plays=[1.0, 2.5]))
    with pytest.raises(BadRow, match=r"row 0, column 'plays': .*found float 1e\+17"):
        session.save_frame(Song, frame.assign(plays=[1e17, 2.0]))


def test_nanoseconds_are_refused_unless_there_are_none(session: Session):
    columns = {"artist": ["a", "b"], "number": [1, 2]}
    for last, refused in ((1_000, False), (1_001, True)):
        times = [1_000_000_000, 1_000_000_000 + last]
        at = pa.array(times, pa.timestamp("ns", "UTC"))
        took = pa.array(times, pa.duration("ns"))
        for name, values in (("at", at), ("took", took)):
            table = pa.table({**columns, name: values})
            for frame in (table, table.to_pandas(), pl.from_arrow(table)):
                if refused:
                    with pytest.raises(
                        BadRow, match=rf"row 1, column '{name}': .* at most six digits"
                    ):
                        session.save_frame(Song, frame)
                else:
                    assert session.save_frame(Song, frame) == 2


def finer_frames(count: int) -> Iterator[tuple[str, Any]]:
    time, instant, duration = pa.time64("ns"), pa.timestamp("ns", "UTC"), pa.duration("ns")
    some = pa.array([count], time)
    for name, array in (
        ("time", some.dictionary_encode()),
        ("time", pc.run_end_encode(some)),
        ("times", pa.array([[None, count]], pa.list_(time))),
        ("times", pa.array([[count]], pa.large_list(time))),
        ("times", pa.array([[count]], pa.list_(time, 1))),
        ("instants", pa.array([[count]], pa.list_(instant))),
        ("durations", pa.array([[count]], pa.list_(duration))),
        ("named", pa.array([[("a", count)]], pa.map_(pa.string(), time))),
        ("named", pa.array([{"a": count}], pa.struct([("a", time)]))),
        ("any", pa.array([[{"a": [count]}]], pa.list_(pa.struct([("a", pa.list_(time))])))),
    ):
        yield name, pa.table({"id": ["a"], name: array})
    for name, kind in (("time", time), ("times", pa.list_(time))):
        values = pa.array([count if name == "time" else [count]], kind)
        column = pd.array(values, dtype=pd.ArrowDtype(kind))
        yield name, pd.DataFrame({"id": ["a"], name: column})
    for name, value, kind in (
        ("instants", [count], pl.List(pl.Datetime("ns", "UTC"))),
        ("durations", [count], pl.List(pl.Duration("ns"))),
        ("times", [count], pl.List(pl.Time)),
        ("times", [count], pl.Array(pl.Time, 1)),
        ("named", {"a": count}, pl.Struct({"a": pl.Time})),
    ):
        yield name, pl.DataFrame({"id": ["a"], name: pl.Series([value], dtype=kind)})


def test_nanoseconds_are_refused_wherever_they_are(session: Session):
    for name, frame in finer_frames(1_000_000_001):
        with pytest.raises(BadRow, match=rf"row 0, column '{name}'") as error:
            session.save_frame(Timed, frame)
        assert "at most six digits of a second" in str(error.value)
    second = {
        "time": dt.time(0, 0, 1), "times": [dt.time(0, 0, 1)], "named": {"a": dt.time(0, 0, 1)},
        "instants": [dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.timezone.utc)],
        "durations": [dt.timedelta(seconds=1)],
    }  # fmt: skip
    for name, frame in finer_frames(1_000_000_000):
        if name == "any" or "None" in str(frame) or "null" in str(frame):
            continue
        assert session.save_frame(Timed, frame) == 1
        assert getattr(session.get_one(Timed, "a"), name) == second[name]


def times_of(seconds: int) -> Iterator[tuple[str, Any]]:
    """Frames with times that count so many seconds, in each unit and in each kind of part."""
    for kind, unit in ((pa.time32, "s"), (pa.time32, "ms"), (pa.time64, "us"), (pa.time64, "ns")):
        count = seconds * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
        plain = pa.int32() if kind is pa.time32 else pa.int64()
        some = pa.array([0, count], plain).view(kind(unit))
        lists = pa.ListArray.from_arrays(pa.array([0, 1, 2]), some)
        structs = pa.StructArray.from_arrays([some], ["a"])
        for name, array in (
            ("time", some), ("time", some.dictionary_encode()), ("times", lists), ("named", structs)
        ):  # fmt: skip
            table = pa.table({"id": ["a", "b"], name: array})
            yield name, table
            yield name, table.to_pandas(types_mapper=pd.ArrowDtype)


@pytest.mark.parametrize("seconds", [25 * 3600, 86_400, -1])
def test_a_time_beyond_the_day_is_refused_wherever_it_is(session: Session, seconds: int):
    """Arrow holds it, and gives it to Python as another time of a day."""
    for name, frame in times_of(seconds):
        with pytest.raises(
            BadRow,
            match=rf"row \d, column '{name}': .* expected .*a time of a day.* found .*{seconds} seconds",
        ):
            session.save_frame(Timed, frame)


def test_times_of_a_day_are_saved_in_every_unit(session: Session):
    last = dt.time(23, 59, 59)
    for name, frame in times_of(86_399):
        if isinstance(frame, pa.Table) and name == "time":
            assert session.save_frame(Timed, frame) == 2
            assert session.get_one(Timed, "b").time == last
            assert session.get_one(Timed, "a").time == dt.time(0)
    long = dt.timedelta(days=3, microseconds=1)
    session.save_frame(Timed, pa.table({"id": ["a"], "took": pa.array([long])}))
    assert session.get_one(Timed, "a").took == long


def test_a_cell_that_python_has_no_value_for_is_its_rows_matter(session: Session):
    far = 2**50
    unreadable = pa.StringArray.from_buffers(
        2, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0"), pa.py_buffer(b"a\xff")
    )
    milliseconds = pl.Series([0, 2**55], dtype=pl.Int64).cast(pl.Datetime("ms", "UTC"))
    instants = pa.array([0, far], pa.timestamp("s", "UTC"))
    frames = [
        ("at", pa.table({"at": instants})),
        ("took", pa.table({"took": pa.array([0, far], pa.duration("s"))})),
        ("day", pa.table({"day": pa.array([0, 10**7], pa.date32())})),
        ("text", pa.table({"text": unreadable})),
        ("instants", pa.table({"instants": pa.array([[0], [far]], pa.list_(instants.type))})),
        ("at", pl.DataFrame({"at": milliseconds})),
        ("at", pd.DataFrame({"at": pd.array(instants, dtype=pd.ArrowDtype(instants.type))})),
        ("at", pd.DataFrame({"at": pd.Series([0, 2**40]).astype("datetime64[s]").dt.tz_localize("UTC")})),
    ]  # fmt: skip
    for name, alone in frames:
        wrong: list[BadRow] = []
        if isinstance(alone, pa.Table):
            frame: Any = alone.append_column("id", pa.array(["a", "b"]))
        elif isinstance(alone, pl.DataFrame):
            frame = alone.with_columns(id=pl.Series(["a", "b"]))
        else:
            frame = alone.assign(id=["a", "b"])
        assert session.save_frame(Timed, frame, on_error=wrong.append) == 1
        assert [(each.row, each.column) for each in wrong] == [(1, name)]
        with pytest.raises(BadRow, match=f"row 1, column '{name}'"):
            session.save_frame(Timed, frame)
    assert [each.id for each in session.scan(Timed)] == ["a"]


def test_a_wrong_member_of_a_set_is_in_its_column(session: Session):
    wrong: list[BadRow] = []
    frame = pd.DataFrame({"id": ["a", "b"], "tags": [["x"], ["x", 1]]})

    assert session.save_frame(Tagged, frame, on_error=wrong.append) == 1
    assert [(each.row, each.column) for each in wrong] == [(1, "tags")]
    assert str(wrong[0]).startswith("row 1, column 'tags': Tagged.tags{")


def test_text_that_is_no_plain_json_is_explained(session: Session):
    frame = pd.DataFrame({"id": ["a"], "any": ['{"a": 1, "a": 2}']})
    with pytest.raises(BadRow) as error:
        session.save_frame(Timed, frame)
    assert "text of plain JSON" in str(error.value)
    assert "each name once in an object is expected, found 'a' twice" in str(error.value)
    assert "('" not in str(error.value)


def test_numpy_scalars_text_and_objects_of_the_fields_are_taken(session: Session):
    numpy = pytest.importorskip("numpy")
    label = Label("Philips")
    frame = pd.DataFrame(
        {
            "artist": ["a", "b"], "number": numpy.array([1, 2], dtype="uint8"),
            "rating": numpy.array([0.5, 0.25], dtype="float32"),
            "mood": pd.Categorical(["soft", "loud"]),
            "tags": [["x", "y"], {"z"}], "labels": [[label], [{"name": "RCA"}]],
            "prices": [{"NO": Decimal(1)}, []], "uid": [str(uuid.UUID(int=1)), uuid.UUID(int=2)],
            "pair": [(1, "x"), [2, "y"]], "anything": [{"a": 1}, '["text of JSON"]'],
        }
    )  # fmt: skip
    session.save_frame(Song, frame)

    one, two = stored(session)
    assert (one.mood, two.mood, one.rating, two.rating) == (Mood.SOFT, Mood.LOUD, 0.5, 0.25)
    assert (one.tags, two.tags) == ({"x", "y"}, {"z"})
    assert (one.labels, two.labels) == ([label], [Label("RCA")])
    assert (one.prices, two.prices) == ({"NO": Decimal(1)}, {})
    assert (one.uid, two.uid) == (uuid.UUID(int=1), uuid.UUID(int=2))
    assert (one.pair, two.pair) == ((1, "x"), (2, "y"))
    assert (one.anything, two.anything) == ({"a": 1}, ["text of JSON"])


# --- What is wrong ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "bad", "says"),
    [
        ("mood", "silent", "expected a Mood, found S 'silent'"),
        ("plays", "7", "expected an int of up to 38 digits, found str '7'"),
        ("plays", 2.0**53 + 2, "found float 9007199254740994.0"),
        ("day", pd.Timestamp(2026, 1, 2, 12), "expected a date"),
        ("uid", "7", "expected a UUID"),
        ("tags", ["x", "x"], "expected a list of different members, for a set"),
        ("tags", "x", "expected a list, found str 'x'"),
        ("labels", [{"name": "x", "town": "y"}], "a struct of the fields of Label, found also 'town'"),
        ("labels", [{"city": "x"}], "expected a str as 'name', found none"),
        ("prices", ["x"], "expected a map, or a list of its keys and values"),
        ("prices", [("NO", Decimal(1)), ("NO", Decimal(2))], "expected a map whose keys are different"),
        ("pair", [1], "expected a list of 2"),
        ("anything", "no JSON", "expected text of plain JSON, as arrow"),
        ("at", dt.datetime(2026, 1, 1), "expected a datetime with a time zone"),  # noqa: DTZ001
        ("price", 1.5, "expected a Decimal"),
        ("number", None, "a missing value; the field is not optional and has no default"),
    ],
)  # fmt: skip
def test_a_row_that_does_not_fit_is_named_and_those_before_it_are_stored(
    session: Session, column: str, bad: object, says: str
):
    good = {"artist": "a", "number": 1}
    rows = [{**good, "number": number} for number in range(40)]
    rows[33][column] = bad
    frame = pd.DataFrame(rows, dtype=object)

    with pytest.raises(BadRow) as error:
        session.save_frame(Song, frame)
    assert (error.value.row, error.value.column) == (33, column)
    assert str(error.value).startswith(f"row 33, column {column!r}: Song.{column}")
    assert says in str(error.value)
    assert isinstance(error.value, MappingError)
    assert len(stored(session)) == 33


@pytest.mark.parametrize("kind", ["table", "pandas", "polars"])
def test_long_frames_are_taken_in_parts(
    session: Session, kind: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tables, "_ROWS", 7)
    mood = ["loud"] * 17 + ["odd", "soft", "soft"]
    table = pa.table({"artist": ["a"] * 20, "number": [*range(20)], "mood": mood})
    frame = {"table": table, "pandas": table.to_pandas(), "polars": pl.from_arrow(table)}[kind]
    told: list[Any] = []

    assert session.save_frame(Song, frame, on_error=told.append) == 19
    assert [each.row for each in told] == [17]
    assert [each.number for each in stored(session)] == [n for n in range(20) if n != 17]


def test_rows_that_do_not_fit_are_left_out_where_that_is_said(session: Session):
    frame = pl.DataFrame(
        {
            "artist": ["a", "", "c", "d"],
            "number": [1, 2, 3, 4],
            "mood": ["loud", "loud", "odd", "soft"],
        }
    )
    told: list[MappingError] = []

    assert session.save_frame(Song, frame, on_error=told.append) == 2
    assert [(each.row, each.column) for each in told] == [(1, "artist"), (2, "mood")]
    assert session.save_frame(Song, frame, on_error="skip") == 2
    assert [each.artist for each in stored(session)] == ["a", "d"]


def test_validators_name_the_row_and_versions_are_checked(session: Session):
    with pytest.raises(BadRow, match=r"row 1, column 'size': Counted\.size"):
        session.save_frame(Counted, pl.DataFrame({"id": ["a", "b"], "size": [1, 0]}))
    session.save_frame(Counted, session.scan(Counted).arrow().table())
    assert [each.revision for each in stored(session, Counted)] == [2]


def test_columns_are_looked_at_before_anything_is_written(session: Session):
    frame = pl.DataFrame({"artist": ["a"], "number": [1], "play": [3]})

    with pytest.raises(QueryError, match="the column 'play' is not a field; did you mean 'plays'"):
        session.save_frame(Song, frame)
    with pytest.raises(QueryError, match="no column 'number', and the field has no default"):
        session.save_frame(Song, frame.drop("number", "play"))
    doubled = pd.DataFrame([["a", 1, 2]], columns=["artist", "number", "number"])
    with pytest.raises(QueryError, match="two columns of the frame are called 'number'"):
        session.save_frame(Song, doubled)
    for other in (
        [],
        {"artist": ["a"]},
        Song("a", 1),
        pl.DataFrame,
        pd.Series(["a"]),
        pl.Series([1]),
    ):
        with pytest.raises(QueryError, match=r"DataFrame of pandas or Polars, or a table of Arrow"):
            session.save_frame(Song, other)
    with pytest.raises(QueryError, match="on_error\\('no'\\): write 'raise', 'skip' or a function"):
        session.save_frame(Song, frame, on_error="no")  # type: ignore[arg-type]
    with pytest.raises(QueryError, match="unknown='no'"):
        session.save_frame(Song, frame, unknown="no")  # type: ignore[arg-type]
    with pytest.raises(QueryError, match=r"collect\(\) it"):
        session.save_frame(Song, frame.lazy())
    assert stored(session) == []
    assert session.save_frame(Song, frame, unknown="drop") == 1


def test_frames_of_no_rows_and_readers_are_saved(session: Session):
    table = pa.table({"artist": ["a", "b"], "number": [1, 2]})

    assert session.save_frame(Song, table.slice(0, 0)) == 0
    assert session.save_frame(Song, table.to_pandas().iloc[:0]) == 0
    assert (
        session.save_frame(
            Song, pa.RecordBatchReader.from_batches(table.schema, table.to_batches())
        )
        == 2
    )


def test_errors_of_rows_go_from_one_process_to_another(session: Session):
    with pytest.raises(BadRow) as error:
        session.save_frame(Song, pl.DataFrame({"artist": ["a"], "number": ["x"]}))

    again = pickle.loads(pickle.dumps(error.value))
    assert (again.row, again.column, str(again)) == (0, "number", str(error.value))
