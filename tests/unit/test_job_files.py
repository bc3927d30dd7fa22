"""Files of other programs, damaged ones, manifests, and where they are looked for."""

from __future__ import annotations

import datetime as dt
import errno
import gzip
import io
import ipaddress
import json
import os
import uuid
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import attrs
import pytest

import shared_data
from dynattrs import Json, ModelError, Table, field, model, partition_key, sort_key
from dynattrs.jobs.files import formats
from dynattrs.jobs.files.columns import REST, Columns
from dynattrs.jobs.files.dynamodb_json import BadRow, Row
from dynattrs.jobs.files.errors import FilesError, NoFile
from dynattrs.jobs.files.inputs import find_inputs, same_inputs, texts_of
from dynattrs.jobs.files.manifests import Manifest, read_manifest, write_manifest
from dynattrs.jobs.files.named_places import place_of
from dynattrs.jobs.files.places import LocalFolder
from dynattrs.jobs.files.reading import Files, _Kinds
from dynattrs.jobs.files.s3_options import S3Options
from dynattrs.jobs.work import FileEntry, Limits
from dynattrs.schema.model_info import model_info
from service_exports import service_export


@model("songs")
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    year: int | None = None
    price: Decimal = Decimal(0)
    live: bool = False
    cover: bytes = b""
    tags: set[str] = attrs.field(factory=set)
    at: dt.datetime | None = None
    notes: Annotated[dict[str, int], Json] = attrs.field(factory=dict)
    more: Any = None
    genre: str = field(name="g", default="jazz")


def rows_of(
    text: str | bytes, name: str = "x.csv", models: tuple[Any, ...] = (Song,)
) -> list[Row | BadRow]:
    content = text if isinstance(text, bytes) else text.encode()
    format_ = formats.format_of(name)
    assert format_ is not None
    file = io.BufferedReader(io.BytesIO(content))  # type: ignore[arg-type]
    from dynattrs.jobs.files.inputs import Input

    kinds = _Kinds(models, Input(LocalFolder("/nowhere"), name, format_, len(content)))
    return [*formats.Opened(name, format_, kinds.columns(), kinds.plain).rows(file)]


def songs_of(text: str | bytes, name: str = "x.csv") -> list[Any]:
    found = rows_of(text, name)
    return [
        model_info(Song).mapper.load(row.item, Song) if isinstance(row, Row) and row.item else row
        for row in found
    ]


def problem_of(text: str | bytes, name: str = "x.csv") -> str:
    [row] = rows_of(text, name)
    assert isinstance(row, BadRow), row
    return f"{row.number}: {row.problem}"


# --- Comma-separated values -------------------------------------------------------------------------


def test_a_foreign_csv_is_read_by_the_types_of_the_fields() -> None:
    text = (
        "\ufefftitle,artist,year,price,live,tags,at,g\r\n"
        'Sinnerman,"Simone, Nina",1965,1.50,TRUE,"[""a"", ""b""]",2024-01-01T10:00:00Z,\r\n'
        ",Bach,,,,,,\n"
    )

    [one, other] = songs_of(text)

    assert one == Song(
        "Simone, Nina", "Sinnerman", 1965, Decimal("1.5"), True, tags={"a", "b"},
        at=dt.datetime(2024, 1, 1, 10, tzinfo=dt.timezone.utc),
    )  # fmt: skip
    assert isinstance(other, BadRow)  # a sort key is never empty
    assert (other.number, "Song.title" in str(other.problem)) == (3, True)


def test_text_stands_in_a_csv_as_it_is_and_all_else_in_the_last_column() -> None:
    """None, an empty text, and what a cell cannot hold are three things."""
    info = model_info(Song)
    song = Song("a", '"quoted" =1+1,\r\n', genre="", more={"S": "x"})
    item = {**info.mapper.dump(song), "unknown": {"NS": ["1"]}, "year": {"NULL": True}}
    nothing = {**info.mapper.dump(Song("a", "\0")), "live": {"NULL": True}}
    found = io.BytesIO()
    writer = formats.writer(formats.FORMATS["csv"], found.write, Columns(Song))
    problems = writer.items([item, nothing])
    writer.end()

    text = found.getvalue().decode()
    [one] = rows_of(text)

    assert text.startswith(
        f"artist,title,year,price,live,cover,tags,at,notes,more,genre,{REST}\r\n"
    )
    assert '"""quoted"" =1+1,\r\n"' in text
    assert isinstance(one, Row)
    assert one.item is not None
    assert one.item["unknown"] == {"NS": ["1"]}
    assert info.mapper.load(one.item, Song) == song
    assert problems is not None
    assert problems[0] is None
    assert "Song.live" in str(problems[1])  # NULL is not a bool, and is said when it is written


@pytest.mark.parametrize(
    "more",
    [b"\0x", {1}, {"a": [b"x", {"b"}]}, {"$dynamodb": {"S": "x"}}, ["x", None], ""],
    ids=repr,
)
@pytest.mark.parametrize("name", ["csv", "parquet"])
def test_a_value_of_any_type_keeps_its_types_in_a_cell(name: str, more: Any) -> None:
    if name == "parquet":
        pytest.importorskip("pyarrow", reason="pip install 'dynattrs[arrow]'")
    item = model_info(Song).mapper.dump(Song("a", "b", more=more))
    found = io.BytesIO()
    writer = formats.writer(formats.FORMATS[name], found.write, Columns(Song))
    assert writer.items([item]) in (None, [None])
    writer.end()

    [row] = rows_of(found.getvalue(), f"x.{name}")

    assert isinstance(row, Row)
    assert row.item is not None
    assert row.item["more"] == item["more"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1: expected a line of column names, found an empty file"),
        ("artist,title,yaer\n", "found 'yaer'; remove or rename that column"),
        ("artist;title\n", "separate with commas"),
        ("artist,title,artist\n", "found 'artist' twice"),
        ("artist,title,g,genre\n", "one column for each field, found 'g' and 'genre' for genre"),
        ("artist,title\nx\n", "2: Song: expected 2 cells, found 1"),
        ("artist,title,year\na,b,12x\n", "2: Song.year: expected a number, found '12x'"),
        ("artist,title,year\na,b,1.5\n", "2: Song.year"),
        ("artist,title,live\na,b,yes\n", "2: Song.live: expected true or false, found 'yes'"),
        ("artist,title,cover\na,b,???\n", "2: Song.cover: expected bytes as base64 text"),
        ("artist,title,tags\na,b,x y\n", "2: Song.tags: expected"),
        ("artist,title,at\na,b,yesterday\n", "2: Song.at: expected"),
        ('artist,title\n"a\nb",c,d\n', "2: Song: expected 2 cells, found 3"),
        (b"artist,title\na,\xff\n", "2: Song: expected UTF-8 text"),
        ('artist,title\na,"b"c\n', "2: expected comma-separated values"),
        (
            f"artist,title,{REST}\na,b,xx\n",
            f"2: Song: {REST}: expected attributes as DynamoDB JSON",
        ),
        ("artist\na\n", "2: Song.title: expected"),
    ],
)
def test_what_does_not_fit_a_csv_is_named(text: str | bytes, said: str) -> None:
    assert said in problem_of(text)


def test_lines_behind_a_bad_one_are_read() -> None:
    text = 'artist,title,year\na,1,x\nb,2,3\n"c\n\n",4,y\nd,5,6\n'

    found = rows_of(text)

    assert [type(row).__name__ for row in found] == ["BadRow", "Row", "BadRow", "Row"]
    assert [row.number for row in found] == [2, 3, 4, 7]


def test_a_file_of_one_model_says_which_by_its_name() -> None:
    app = Table("app", partition_key="pk", sort_key="sk")

    @model(app, pk="U#{id}", sk="-")
    class User:
        id: str

    @model(app, pk="O#{id}", sk="-")
    class Order:
        id: str

    for name in ("Order.csv", "nightly-1-Order.csv.gz"):
        assert name.endswith(".gz") or rows_of("id\n1\n", name, (User, Order))
    with pytest.raises(
        ModelError,
        match=r"x\.csv: its name does not say which model its rows are \(the job's models: User, Order\); "
        r"name the file after the model of its rows, as in User\.csv, or import it with a job of that",
    ):
        rows_of("id\n1\n", "x.csv", (User, Order))


# --- DynamoDB JSON and plain JSON ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "1: expected an item in JSON, found '{'"),
        ("[1]", "1: expected an item, a JSON object; found [1]"),
        ('{"Item": {"id": {"S": 1}}}', "1: id: S needs text, found 1"),
        ('{"Item": {"id": {"N": 1}}}', "1: id: N needs a number as text, found 1"),
        ('{"Item": {"id": {"X": "1"}}}', "1: id: 'X' is not a type of DynamoDB's"),
        ('{"Item": {"id": {"L": [{"S": "a"}, {"B": "?"}]}}}', "1: id[1]: B needs base64 text"),
        ('{"Item": {"id": {"M": {"a": {"SS": []}}}}}', "1: id.a: SS needs one text or more"),
        ('{"Item": {"id": {"NULL": false}}}', "1: id: NULL needs true"),
        ('{"artist": "a", "title": "b", "year": "x"}', "1: Song.year: expected"),
        ('{"title": "b"}', "1: Song.artist: expected"),
        ('\n\n{"Item": {"id": {}}}', "3: id: expected one type and a value"),
    ],
)
def test_what_does_not_fit_a_line_is_named(text: str, said: str) -> None:
    assert said in problem_of(text, "x.jsonl")


def test_all_ways_in_which_items_come_as_json_are_read() -> None:
    item = {"artist": {"S": "a"}, "title": {"S": "b"}, "cover": {"B": "eA=="}}
    plain = {"artist": "a", "title": "b", "cover": "eA=="}
    put = {"songs": [{"PutRequest": {"Item": item}}]}
    documents = [
        json.dumps([item]),
        json.dumps([{"Item": item}], indent=2),
        json.dumps({"Items": [item], "Count": 1, "ScannedCount": 1}),
        json.dumps(put, indent=1),
        json.dumps([plain]),
        json.dumps(plain),
        json.dumps({"Item": item}) + "\n" + json.dumps({"Item": item}),
    ]
    for document in documents:
        for row in rows_of(document, "x.json"):
            assert isinstance(row, Row), (document, row)
            assert row.item is not None
            assert model_info(Song).mapper.load(row.item, Song) == Song("a", "b", cover=b"x")


def test_a_change_of_an_incremental_export_is_a_put_or_a_delete() -> None:
    key = {"artist": {"S": "a"}, "title": {"S": "b"}}
    at = {"WriteTimestampMicros": {"N": "1700000000000000"}}
    lines = [
        {"Metadata": at, "Keys": key, "OldImage": key, "NewImage": {**key, "g": {"S": "x"}}},
        {"Metadata": at, "Keys": key, "OldImage": key},
        {"Metadata": at, "Keys": key},
    ]

    found = rows_of("\n".join(map(json.dumps, lines)), "x.jsonl")

    assert [row.item for row in found] == [{**key, "g": {"S": "x"}}, None, None]  # type: ignore[union-attr]
    assert [row.key for row in found] == [key, key, key]  # type: ignore[union-attr]


def test_damaged_compression_is_the_last_failure_of_a_file() -> None:
    line = json.dumps({"Item": {"id": {"S": "1"}}}).encode() + b"\n"
    whole = gzip.compress(line * 1000)

    found = rows_of(whole[: len(whole) // 2], "x.jsonl.gz")
    nonsense = rows_of(b"not gzip", "x.jsonl.gz")

    assert isinstance(found[-1], BadRow)
    assert "compressed by gzip" in str(found[-1].problem)
    assert all(isinstance(row, Row) for row in found[:-1])
    assert [row.number for row in nonsense] == [1]


def test_sample_data_of_other_projects_are_read() -> None:
    persons = rows_of(
        shared_data.read("persons.ddb.json"),
        "persons.ddb.json",
        (Table("persons", partition_key="id"),),
    )
    assert len(persons) == 500
    assert all(isinstance(row, Row) for row in persons)
    replies = rows_of(
        shared_data.read("Reply.json"), "Reply.json", (Table("Reply", partition_key="Id"),)
    )
    assert [row.item for row in replies] == shared_data.guide_items("Reply")  # type: ignore[union-attr]


# --- Manifests ------------------------------------------------------------------------------------


def test_only_files_that_a_manifest_names_are_read(tmp_path: Path) -> None:
    place = LocalFolder(str(tmp_path))
    (tmp_path / "a.jsonl").write_text("{}\n")
    (tmp_path / "lost.jsonl").write_text("{}\n")
    entries = [FileEntry("a.jsonl", 1, 3, "sha256:x")]

    write_manifest(place, "job.manifest.json", {"format": "jsonl"}, entries)
    again = write_manifest(place, "job.manifest.json", {"format": "jsonl"}, [])

    assert not again
    assert [each.name for each in find_inputs([str(tmp_path)], None, None).parts] == ["a.jsonl"]
    found = read_manifest(place, "job.manifest.json")
    assert found == Manifest(
        "job.manifest.json", "full", "jsonl", {"format": "jsonl"}, tuple(entries)
    )


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "a.jsonl").unlink(), r"a\.jsonl: it is missing"),
        (
            lambda folder: (folder / "a.jsonl").write_text("{}\n{}\n"),
            "it has 6 bytes, and .* says 3",
        ),
        (lambda folder: (folder / "b.manifest.json").write_text("{}"), "there are 2 manifests"),
        (lambda folder: (folder / "job.manifest.json").write_text("[]"), "it is not a JSON object"),
        (
            lambda folder: (folder / "job.manifest.json").write_text("{}"),
            "it is not a manifest of a job",
        ),
        (
            lambda folder: (folder / "job.manifest.json").write_text('{"dynattrs": 2}'),
            "a newer dynattrs has written it",
        ),
    ],
)
def test_a_folder_that_is_not_as_its_manifest_says_is_refused(
    tmp_path: Path, spoil: Any, said: str
) -> None:
    (tmp_path / "a.jsonl").write_text("{}\n")
    place = LocalFolder(str(tmp_path))
    write_manifest(
        place, "job.manifest.json", {"format": "jsonl"}, [FileEntry("a.jsonl", 1, 3, "")]
    )
    spoil(tmp_path)

    with pytest.raises(FilesError, match=said):
        find_inputs([str(tmp_path)], None, None)


@pytest.mark.parametrize("kind", ["FULL_EXPORT", "INCREMENTAL_EXPORT"])
def test_an_export_of_the_service_is_found_by_its_manifest(tmp_path: Path, kind: str) -> None:
    own = service_export(tmp_path, kind, [{"Item": {"id": {"S": "1"}}}])

    for what in (own, own / "manifest-summary.json"):
        found = find_inputs([str(what)], None, None)

        assert found.kind == ("full" if kind == "FULL_EXPORT" else "incremental")
        assert [each.items for each in found.parts] == [1, 0]
        assert [each.size > 0 for each in found.parts] == [True, True]
        assert all(each.format.name == "jsonl" for each in found.parts)


def test_an_export_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    ion = service_export(tmp_path / "a", "FULL_EXPORT", [], outputFormat="ION")
    short = service_export(tmp_path / "b", "FULL_EXPORT", [], itemCount=7)

    with pytest.raises(
        FilesError, match="the export is in ION; export it with ExportFormat DYNAMODB_JSON"
    ):
        find_inputs([str(ion)], None, None)
    with pytest.raises(FilesError, match=r"it says 7 items, and manifest-files\.json says 0"):
        find_inputs([str(short)], None, None)
    (short / "manifest-files.json").unlink()
    with pytest.raises(FilesError, match="it is missing, and names the files of the export"):
        find_inputs([str(short)], None, None)


# --- Where files are ----------------------------------------------------------------------------------


def test_what_names_no_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoFile, match="the file or folder does not exist"):
        find_inputs([str(tmp_path / "missing")], None, None)
    with pytest.raises(FilesError, match="no files to read were found"):
        find_inputs([str(tmp_path / "*.jsonl")], None, None)
    (tmp_path / "data.txt").touch()
    with pytest.raises(FilesError, match="its name does not say its format"):
        find_inputs([str(tmp_path / "data.txt")], None, None)
    assert len(find_inputs([str(tmp_path / "data.txt")], "jsonl", None).parts) == 1
    with pytest.raises(ModelError, match="format='xml': expected one of 'jsonl', 'json', 'csv'"):
        find_inputs([str(tmp_path)], "xml", None)
    for wrong in (5, "", [], [b"x"], b"x", None, "http://x/y"):
        with pytest.raises(FilesError):
            texts_of(wrong)


def test_files_that_have_changed_since_a_job_began_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("{}\n")
    digest = find_inputs([str(tmp_path)], None, None).digest

    (tmp_path / "b.jsonl").write_text("{}\n")

    with pytest.raises(
        FilesError, match="files were added, removed or changed since the job began"
    ):
        same_inputs((str(tmp_path),), None, None, digest)


def test_a_file_is_never_written_over(tmp_path: Path) -> None:
    place = place_of(tmp_path)
    (tmp_path / "x").write_text("mine")
    with pytest.raises(
        FilesError, match="the file already exists; write to another folder, or delete it first"
    ):
        place.new_file("x")
    file = place.new_file("y")
    (tmp_path / "y").write_text("mine")
    with pytest.raises(
        FilesError, match="the file already exists; write to another folder, or delete it first"
    ):
        file.end()
    file.abandon()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x", "y"]
    assert (tmp_path / "y").read_text() == "mine"


def test_a_bucket_has_to_be_named() -> None:
    for text in ("s3://", "s3:///x", "s3://b*/x"):
        with pytest.raises(FilesError, match="it does not name a bucket"):
            place_of(text)
    assert place_of("s3://bucket/a/b/").text == "s3://bucket/a/b/"
    assert place_of("s3://bucket").text == "s3://bucket/"


# --- Slices ---------------------------------------------------------------------------------------------


def pages_of(files: Files, of: int, most: int) -> list[Any]:
    """All pages, each slice begun anew where the last one has ended."""
    found = []
    for segment in range(of):
        position: str | None = None
        while True:
            for page in files.pages(None, segment, of, position, Limits(most)):  # type: ignore[arg-type]
                found.append(page)
                position = page.position
                break  # as a slice that is full
            if position is None:
                break
    return found


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz", "x.json"])
@pytest.mark.parametrize("forget", [False, True])
def test_a_file_is_read_on_where_the_last_slice_has_ended(
    tmp_path: Path, name: str, forget: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the process that has read it so far, or in another one."""
    from dynattrs.jobs.files import reading

    items = [{"id": {"S": str(number)}} for number in range(25)]
    text = (
        json.dumps(items)
        if name == "x.json"
        else "".join(f"{json.dumps({'Item': each})}\n" for each in items)
    )
    content = text.encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    table = Table("things", partition_key="id")
    what = (str(tmp_path),)
    digest = find_inputs(what, None, S3Options()).digest
    if forget:
        monkeypatch.setattr(reading, "_MOST_OPEN", 0)

    pages = pages_of(Files(what, None, S3Options(), digest, (table,)), 1, 4)

    assert [item for page in pages for item in page.items] == items
    assert [len(page.items) for page in pages] == [4] * 6 + [1]
    assert [place for page in pages for place in page.places] == [
        f"{tmp_path}/{name}:{number}" for number in range(1, 26)
    ]


def test_large_lines_are_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dynattrs.jobs.files import inputs

    monkeypatch.setattr(inputs, "PART", 1000)
    items = [{"id": {"S": str(number)}, "x": {"S": "é" * (number % 40)}} for number in range(200)]
    (tmp_path / "x.jsonl").write_text(
        "".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in items), encoding="utf-8"
    )
    what = (str(tmp_path / "x.jsonl"),)
    found = find_inputs(what, None, S3Options())

    pages = pages_of(
        Files(what, None, S3Options(), found.digest, (Table("things", partition_key="id"),)),
        len(found.parts),
        7,
    )

    assert len(found.parts) > 5
    assert [item for page in pages for item in page.items] == items


# --- Parquet --------------------------------------------------------------------------------------------


def test_columns_of_parquet_have_the_types_of_frames_and_the_rest_is_rare() -> None:
    pa = pytest.importorskip("pyarrow", reason="pip install 'dynattrs[arrow]'")
    from pyarrow import parquet

    info = model_info(Song)
    song = Song(
        "a", "b", 1965, Decimal("1.50"), True, b"x", {"c", "d"},
        dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc), {"n": 1}, more=["x"], genre="",
    )  # fmt: skip
    huge = attrs.evolve(song, title="c", year=10**30)
    odd = {**info.mapper.dump(attrs.evolve(song, title="d")), "unknown": {"SS": ["x"]}}
    found = io.BytesIO()
    writer = formats.writer(formats.FORMATS["parquet"], found.write, Columns(Song))
    for item in [info.mapper.dump(song), info.mapper.dump(huge), odd]:
        assert writer.items([item]) == [None]
    writer.end()

    table = parquet.read_table(io.BytesIO(found.getvalue()))
    assert table.schema.field("year").type == pa.int64()
    assert table.schema.field("at").type == pa.timestamp("us", "UTC")
    assert table.schema.field("tags").type == pa.list_(pa.string())
    assert table["year"].to_pylist() == [1965, None, 1965]
    assert table["tags"].to_pylist() == [["c", "d"]] * 3
    assert table[REST].to_pylist() == [
        None,
        '{"year":{"N":"1000000000000000000000000000000"}}',
        '{"unknown":{"SS":["x"]}}',
    ]
    rows = rows_of(found.getvalue(), "x.parquet")
    assert [info.mapper.load(row.item, Song) for row in rows[:2]] == [song, huge]  # type: ignore[union-attr,arg-type]
    assert rows[2].item is not None  # type: ignore[union-attr]
    assert rows[2].item["unknown"] == {"SS": ["x"]}  # type: ignore[union-attr]


def test_a_foreign_parquet_is_read_by_the_types_of_the_fields() -> None:
    pa = pytest.importorskip("pyarrow", reason="pip install 'dynattrs[arrow]'")
    from pyarrow import parquet

    naive = dt.datetime(2024, 1, 1)  # noqa: DTZ001
    table = pa.table(
        {
            "artist": pa.array(["a", "b", "c", "d", "e"]).dictionary_encode(),
            "title": ["x"] * 5,
            "year": pa.array([1.0, 2.0, float("nan"), None, 2.5]),
            "at": pa.array([None, naive, None, None, None], pa.timestamp("ns")),
            "price": pa.array([1, 2, 3, 4, 5], pa.uint8()),
        }
    )
    file = io.BytesIO()
    parquet.write_table(table, file)

    rows = rows_of(file.getvalue(), "x.parquet")

    assert [type(row).__name__ for row in rows] == ["Row", "BadRow", "BadRow", "Row", "BadRow"]
    assert model_info(Song).mapper.load(rows[0].item, Song) == Song("a", "x", 1, price=Decimal(1))  # type: ignore[union-attr,arg-type]
    assert [row.number for row in rows] == [1, 2, 3, 4, 5]
    for row, name in ((rows[1], "at"), (rows[2], "year"), (rows[4], "year")):
        assert f"Song.{name}: expected" in str(row.problem)  # type: ignore[union-attr]
    wrong = io.BytesIO()
    parquet.write_table(pa.table({"yaer": [1]}), wrong)
    assert "found 'yaer'; remove or rename that column" in problem_of(wrong.getvalue(), "x.parquet")
    assert "expected a parquet file" in problem_of(b"PAR1 no", "x.parquet")


# --- Values that are not for files ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["csv", "parquet"])
def test_encrypted_and_large_values_stay_as_they_are_stored(name: str) -> None:
    """A file shows no secret, and says where in S3 a value is."""
    pytest.importorskip("cryptography")
    if name == "parquet":
        pytest.importorskip("pyarrow", reason="pip install 'dynattrs[arrow]'")
    from dynattrs.encryption import Encrypted, StaticKeys
    from dynattrs.s3 import InS3, Large

    keys = StaticKeys({"k": b"x" * 32})

    @model("documents")
    class Document:
        id: str = partition_key()
        text: Annotated[Large[str], InS3("bucket", above=10)]
        secret: Annotated[str | None, Encrypted(keys)] = None

    info = model_info(Document)
    item = info.mapper.dump(Document("1", Large("short"), "psst"))
    found = io.BytesIO()
    writer = formats.writer(formats.FORMATS[name], found.write, Columns(Document))
    assert writer.items([item]) == [None]
    writer.end()

    [row] = rows_of(found.getvalue(), f"x.{name}", (Document,))

    assert b"psst" not in found.getvalue()
    assert isinstance(row, Row)
    assert row.item == item
    # Plain JSON is of no item: what is longer goes to S3, as in a save.
    [large] = rows_of('{"id": "1", "text": "longer than ten bytes"}', "x.jsonl", (Document,))
    assert isinstance(large, Row)
    saved = info.mapper.dump(Document("1", Large("longer than ten bytes")))
    waiting, expected = large.item["text"]["B"], saved["text"]["B"]
    assert (
        (waiting.kind, waiting.data)
        == (expected.kind, expected.data)
        == ("S", b"longer than ten bytes")
    )


# --- Foreign spellings ------------------------------------------------------------------------------------


def spelled(kind: Any) -> type[Any]:
    @model("spelled")
    class Spelled:
        id: kind = partition_key()
        number: float = 0.0
        again: kind | None = None

    return Spelled


@pytest.mark.parametrize("format_", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("kind", "ids"),
    [
        (
            dt.datetime,
            [
                "2026-01-01T00:00:00Z",
                "2026-01-01T00:00:00.000000Z",
                "2026-01-01T01:00:00+01:00",
                "2026-01-01T00:00:00+00:00",
            ],
        ),
        (dt.date, ["20260102", "2026-01-02"]),
        (dt.time, ["12:30", "12:30:00", "12:30:00.000000"]),
        (
            uuid.UUID,
            ["0AB3BC1C-9AFD-4B1C-8A07-4B4A3B1C9AFD", "0ab3bc1c-9afd-4b1c-8a07-4b4a3b1c9afd"],
        ),
        (ipaddress.IPv6Address, ["2001:DB8::1", "2001:db8:0:0:0:0:0:1", "2001:db8::1"]),
        (PurePosixPath, ["a//b", "a/./b", "a/b"]),
    ],
)
def test_keys_that_are_one_to_the_field_stay_several_items(
    kind: Any, ids: list[str], format_: str
) -> None:
    if format_ == "parquet":
        pytest.importorskip("pyarrow", reason="pip install 'dynattrs[arrow]'")
    cls = spelled(kind)
    found = io.BytesIO()
    writer = formats.writer(formats.FORMATS[format_], found.write, Columns(cls))
    items = [{"id": {"S": each}, "number": {"N": "1.50"}, "again": {"S": each}} for each in ids]
    assert writer.items(items) == [None] * len(ids)  # type: ignore[arg-type]
    writer.end()

    rows = rows_of(found.getvalue(), f"x.{format_}", (cls,))

    assert [row.item["id"]["S"] for row in rows] == ids  # type: ignore[union-attr,index]
    if format_ == "parquet":
        from pyarrow import parquet

        table = parquet.read_table(io.BytesIO(found.getvalue()))
        assert None not in table["id"].to_pylist()  # what other programs read is typed all the same
        assert table[REST].null_count == 1


# --- What classes do not know -----------------------------------------------------------------------------


@attrs.define
class Inner:
    note: str = ""


@model("outers")
class Outer:
    id: str = partition_key()
    n: int = 0
    inner: Inner | None = None
    more: list[Inner] = field(name="m", factory=list)


@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_unknown_attributes_in_nested_classes_are_kept_and_unreadable_items_reported(
    format_: str,
) -> None:
    if format_ == "parquet":
        pytest.importorskip("pyarrow", reason="pip install 'dynattrs[arrow]'")
    inner: Any = {"M": {"note": {"S": "x"}, "unknown": {"N": "1.50"}}}
    items: list[Any] = [
        {"id": {"S": "a"}, "n": {"N": "1"}, "inner": inner},
        {"id": {"S": "b"}, "n": {"S": "bad"}},
        {"id": {"S": "c"}, "n": {"N": "1"}, "m": {"L": [{"M": {"note": {"S": ""}}}, inner]}},
        {"id": {"S": "d"}, "n": {"N": "1"}, "inner": {"M": {"note": {"S": "x"}}}},
    ]
    found = io.BytesIO()
    writer = formats.writer(formats.FORMATS[format_], found.write, Columns(Outer))
    problems = writer.items(items)
    writer.end()

    rows = rows_of(found.getvalue(), f"x.{format_}", (Outer,))

    assert problems is not None
    assert [each is None for each in problems] == [True, False, True, True]
    assert "Outer.n: expected" in str(problems[1])
    read: list[Any] = [row.item for row in rows if isinstance(row, Row)]
    assert [each["id"]["S"] for each in read] == ["a", "c", "d"]
    assert read[0]["inner"] == inner
    assert read[1]["m"] == items[2]["m"]
    assert read[2]["inner"] == items[3]["inner"]


def test_what_another_program_would_have_erased_is_refused_still() -> None:
    cell = '"{""note"": ""x"", ""unknown"": 1}"'
    [row] = rows_of(f"id,inner\na,{cell}\n", "x.csv", (Outer,))

    assert isinstance(row, BadRow)
    assert "would erase them" in str(row.problem)


# --- Models and those that derive from them ---------------------------------------------------------------

zoo = Table("zoo", partition_key="id", discriminator="kind")


@model(zoo)
class Animal:
    id: str


@model(zoo)
class Cat(Animal):
    lives: int = 9


def test_a_model_stands_for_its_subclasses_in_files_as_well() -> None:
    text = "id,lives\na,7\n"
    from dynattrs.jobs.files.inputs import Input

    format_ = formats.FORMATS["csv"]
    for name, said in (("x-Cat.csv", None), ("whatever.csv", "Cat")):
        kinds = _Kinds((Animal,), Input(LocalFolder("/nowhere"), name, format_, 1, model=said))
        columns = kinds.columns()
        assert columns is not None
        assert columns.info.cls is Cat
    [row] = rows_of(text, "Cat.csv", (Animal,))
    assert isinstance(row, Row)
    assert row.item == {"id": {"S": "a"}, "lives": {"N": "7"}, "kind": {"S": "Cat"}}
    [row] = rows_of("id\na\n", "people.csv", (Animal,))  # a name that says nothing
    assert isinstance(row, Row)
    assert row.item == {"id": {"S": "a"}, "kind": {"S": "Animal"}}
    with pytest.raises(
        ModelError, match=r"the job's models: Animal, Cat\); name the file .* as in Animal\.csv"
    ):
        _Kinds((zoo,), Input(LocalFolder("/nowhere"), "x.csv", format_, 1)).columns()


def test_a_folder_that_cannot_be_made_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    inside = LocalFolder(str(tmp_path / "file" / "a" / "b"))
    for use in (
        lambda: inside.check(writing=True),
        lambda: inside.open("c"),
        lambda: inside.new_file("c"),
    ):
        with pytest.raises(
            FilesError, match=r"/file/a/b.*/file is not a folder; choose another path$"
        ):
            use()
    with pytest.raises(FilesError, match=r"File name too long; choose a shorter name$"):
        LocalFolder(str(tmp_path / ("x" * 300))).check(writing=True)

    def refused(code: int) -> Any:
        def mkdir(path: Path, **_: object) -> None:
            raise OSError(code, os.strerror(code), str(path))

        monkeypatch.setattr(Path, "mkdir", mkdir)
        with pytest.raises(FilesError) as caught:
            LocalFolder(str(tmp_path / "new" / "folder")).check(writing=True)
        return str(caught.value).removeprefix(f"{tmp_path}/new/folder: ")

    right = "give this user the right to it, or choose another path"
    assert refused(errno.EACCES) == f"Permission denied; {right}"
    assert refused(errno.ENOSPC) == (
        "No space left on device; free some space, or choose another disk"
    )
    assert refused(errno.ENOENT) == (
        f"the folder cannot be made: {tmp_path} takes none; choose another path"
    )
