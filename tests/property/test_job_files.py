"""The laws of files: what is written is read again, wherever a file is cut, and nothing is silently lost."""

from __future__ import annotations

import io
import itertools
import json
from pathlib import Path
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from dynattrs import mapper
from dynattrs.errors import MappingError
from dynattrs.jobs.files import formats, inputs
from dynattrs.jobs.files.columns import Columns
from dynattrs.jobs.files.dynamodb_json import BadRow, Row, elements, read_lines
from dynattrs.jobs.files.errors import BadLine
from dynattrs.jobs.files.output import Output
from dynattrs.jobs.files.places import LocalFolder
from dynattrs.jobs.files.raw_items import raw_decoder
from dynattrs.mapper.anything import dynamodb_json
from dynattrs.mapper.codec import ANY
from dynattrs.mapper.equality import same
from dynattrs.schema.model_info import model_info

import strategies


def no_plain(text: str | bytes) -> Any:
    raise BadLine("plain JSON")


def written(name: str, cls: Any, items: list[Any]) -> bytes:
    found = io.BytesIO()
    format_ = formats.FORMATS[name]
    writer = formats.writer(format_, found.write, Columns(cls) if format_.by_model else None)
    for item in items:
        assert writer.items([item]) in (None, [None])
    writer.end()
    return found.getvalue()


def read(name: str, cls: Any, content: bytes) -> list[Row | BadRow]:
    format_ = formats.FORMATS[name]
    columns = Columns(cls) if format_.by_model else None
    opened = formats.Opened(f"x{format_.suffix}", format_, columns, no_plain)
    return [*opened.rows(io.BufferedReader(io.BytesIO(content)))]  # type: ignore[arg-type]


@given(
    st.lists(strategies.models() | strategies.keyed_models(), min_size=1, max_size=3),
    st.sampled_from(sorted(formats.FORMATS)),
)
def test_what_is_exported_is_imported_equal(things: list[Any], name: str) -> None:
    for thing in things:
        cls = type(thing)
        info = model_info(cls)
        try:
            item = info.mapper.dump(thing)
        except MappingError:  # its fields make no key
            assume(False)

        rows = read(name, cls, written(name, cls, [item, item]))

        assert len(rows) == 2
        for row in rows:
            assert isinstance(row, Row), row
            assert row.item is not None
            assert info.mapper.load(row.item, cls) == thing
            if name in ("json", "jsonl"):
                assert same(row.item, item)


@given(st.lists(strategies.models(), max_size=4), st.data())
def test_a_file_in_parts_has_every_line_once(things: list[Any], data: st.DataObject) -> None:
    items = [mapper.dump(thing) for thing in things]
    text = b"".join(
        written("jsonl", None, [item]) + b"\n" * data.draw(st.integers(0, 2)) for item in items
    )
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=5))
    bounds = sorted({0, *cuts, len(text)})

    found: list[Any] = []
    for start, until in itertools.pairwise(bounds):
        file = io.BytesIO(text)
        begin = start
        if start:
            file.seek(start - 1)
            begin += len(file.readline()) - 1
        found += [
            row.item
            for row in read_lines(file, no_plain, start=begin, until=until)  # type: ignore[union-attr]
        ]

    assert len(found) == len(items)
    assert all(same(one, other) for one, other in zip(found, items, strict=True))


@given(
    st.binary(max_size=60) | st.text(max_size=60).map(str.encode),
    st.sampled_from(sorted(formats.FORMATS)),
)
def test_what_is_no_file_of_that_format_is_reported(content: bytes, name: str) -> None:
    """Nothing but rows comes, good or bad, and a bad one says what was expected."""
    thing = strategies.model("things")(
        strategies._declared("Thing", {"id": str}, id=strategies.partition_key())
    )
    for row in read(name, thing, content):
        if isinstance(row, BadRow):
            assert "expected" in str(row.problem) or "plain JSON" in str(row.problem)
            assert row.number >= 1


@given(st.recursive(strategies.attribute_values, lambda inner: st.lists(inner, max_size=3)))
def test_what_is_no_attribute_value_is_named(value: Any) -> None:
    try:
        text = json.dumps({"id": value})
    except (TypeError, ValueError):
        assume(False)
    [row] = read("jsonl", None, text.encode())

    if isinstance(row, BadRow):
        assert "id" in str(row.problem) or "plain JSON" in str(row.problem)
    else:
        assert row.item is not None
        assert row.item["id"].keys() <= ANY


class _Slowly(io.BytesIO):
    """Gives a few bytes at a time."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(3, size) if size and size > 0 else 3)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(json_values), st.sampled_from([None, 2]), st.sampled_from([None, "Items"]))
def test_elements_of_any_array_are_found_in_pieces(
    values: list[Any], indent: int | None, name: str | None
) -> None:
    document: Any = values if name is None else {"Count": 1, name: values, "Scanned": [1]}
    text = json.dumps(document, indent=indent).encode()

    found = [*elements(_Slowly(text))]

    assert [value for value, _ in found] == values
    assert [json.loads(text) for _, text in found] == values


@given(st.data())
def test_files_are_found_by_the_patterns_that_fit(data: st.DataObject) -> None:
    import tempfile

    names = data.draw(
        st.lists(st.sampled_from(["a.jsonl", "b.csv", "x/a.jsonl", "x/y/c.json.gz"]), unique=True)
    )
    pattern = data.draw(st.sampled_from(["*", "*.jsonl", "**/*.jsonl", "x/*", "**/*", "x/**/*"]))
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

        found = {each.name for each in LocalFolder(folder).files(pattern)}

        expected = {
            path.relative_to(folder).as_posix()
            for path in Path(folder).glob(pattern)
            if path.is_file()
        }
        assert found == expected


@given(st.lists(st.binary(max_size=100), max_size=5), st.booleans())
def test_a_file_appears_when_it_has_ended(chunks: list[bytes], packed: bool) -> None:
    import gzip
    import hashlib
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        place = LocalFolder(folder)
        output = Output(place, "x.jsonl", "gzip" if packed else None)
        for chunk in chunks:
            output.write(chunk)
        assert [*place.files()] == []

        checksum = output.end()

        [info] = place.files()
        content = Path(folder, "x.jsonl").read_bytes()
        assert (info.size, len(content)) == (output.bytes, output.bytes)
        assert checksum == f"sha256:{hashlib.sha256(content).hexdigest()}"
        assert (gzip.decompress(content) if packed else content) == b"".join(chunks)
        [found] = inputs.find_inputs([folder], None, None).parts
        assert found.size == output.bytes


@given(
    st.lists(strategies.models() | strategies.keyed_models(), max_size=3),
    st.sampled_from([None, 1]),
)
def test_text_that_is_passed_on_says_what_dicts_say(things: list[Any], indent: int | None) -> None:
    """The lines of an export that makes no dicts of its items, however a service lays its replies out."""
    items = []
    for thing in things:
        try:
            items.append(json.loads(dynamodb_json(model_info(type(thing)).mapper.dump(thing))))
        except MappingError:  # its fields make no key
            assume(False)
    reply = {
        "Items": items, "Count": len(items), "ScannedCount": 7, "LastEvaluatedKey": {"id": {"S": "x"}},
        "ConsumedCapacity": {"TableName": "t", "CapacityUnits": 1.5}, "Other": {"a": [1]},
    }  # fmt: skip

    found = raw_decoder(("pk", "id", "type"))(json.dumps(reply, indent=indent).encode())

    told = [{name: each[name] for name in ("pk", "id", "type") if name in each} for each in items]
    assert found["Items"] == told
    assert {**found, "Items": []} == {
        **{k: v for k, v in reply.items() if k != "Other"},
        "Items": [],
    }
    assert [*map(json.loads, written_at_once("jsonl", found["Items"]).splitlines())] == [
        {"Item": item} for item in items
    ]
    assert json.loads(written_at_once("json", found["Items"])) == items


def written_at_once(name: str, items: list[Any]) -> bytes:
    found = io.BytesIO()
    writer = formats.writer(formats.FORMATS[name], found.write, None)
    writer.items(items)
    writer.end()
    return found.getvalue()
