"""Rows of pandas', Polars' and Arrow's frames that are saved as objects."""

from __future__ import annotations

import datetime as dt
import enum
import pickle
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import attrs
import pytest

from dynattrs import BadRow, MappingError, QueryError, Session, field, model, sort_key
from dynattrs import partition_key as partition
from dynattrs.frames import tables

pa = pytest.importorskip("pyarrow")
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
    return kept_tables(Song, Counted)


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
