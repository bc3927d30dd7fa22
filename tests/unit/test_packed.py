"""Compressed values: what a few bytes may become, and what is not gzip data."""

from __future__ import annotations

import base64
import gzip
import json
import tracemalloc
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import pytest

from dynattrs import (
    Compressed,
    GlobalIndex,
    Json,
    Table,
    mapper,
    model,
    partition_key,
    sort_key,
)
from dynattrs.errors import MappingError, ModelError
from dynattrs.mapper.mapper import mapper_of
from dynattrs.mapper.packed import unpacked

MILLION = 1_000_000


@model("pages")
class Page:
    id: str = partition_key()
    html: Annotated[str, Compressed(max_bytes=1000)] = ""
    raw: Annotated[bytes, Compressed(max_bytes=1000)] = b""
    data: Annotated[dict[str, Any], Compressed(max_bytes=1000)] | None = None
    several: list[Annotated[str, Compressed(max_bytes=1000)]] | None = None
    both: Annotated[dict[str, Any], Json, Compressed(max_bytes=1000)] | None = None


@model("default")
class Default:
    id: str = partition_key()
    html: Annotated[str, Compressed] = ""


def read_in_rows(item: Any, cls: Any) -> Any:
    """The object that the fast way makes of an item's bytes."""
    reader = mapper_of(cls).rows(cls)
    assert reader is not None
    row, build = reader.current
    text = json.dumps(item, default=lambda data: base64.b64encode(data).decode())
    return build(msgspec.json.decode(text, type=row))


READ = pytest.mark.parametrize("read", [mapper.load, read_in_rows])


@READ
@pytest.mark.parametrize("name", ["html", "raw", "data", "several", "both"])
def test_unpacking_stops_at_its_limit(read: Any, name: str) -> None:
    bomb = {"B": gzip.compress(b"[" * 50 * MILLION, 1)}
    item: Any = {"id": {"S": "1"}, name: {"L": [bomb]} if name == "several" else bomb}

    tracemalloc.start()
    try:
        with pytest.raises(MappingError) as caught:
            read(item, Page)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert f"Page.{name}" in str(caught.value)
    assert "expected at most 1,000 bytes when it is unpacked (B)" in str(caught.value)
    assert "Compressed(max_bytes=" in str(caught.value)
    assert peak < 5 * MILLION


@READ
def test_without_a_word_the_limit_is_sixteen_mebibytes(read: Any) -> None:
    most = b"a" * 2**24
    item: Any = {"id": {"S": "1"}, "html": {"B": gzip.compress(most, 1)}}
    assert len(read(item, Default).html) == 2**24

    item["html"] = {"B": gzip.compress(most + b"a", 1)}
    with pytest.raises(MappingError, match="expected at most 16,777,216 bytes"):
        read(item, Default)


@pytest.mark.parametrize("name", ["html", "raw", "data"])
def test_what_could_not_be_read_is_not_written(name: str) -> None:
    long: Any = {"html": "é" * 501, "raw": b"x" * 1001, "data": {"a": "x" * 1000}}[name]

    with pytest.raises(MappingError, match=rf"Page\.{name}: expected at most 1,000 bytes"):
        mapper.dump(Page("1", **{name: long}))
    fits: Any = {"html": "é" * 500, "raw": b"x" * 1000, "data": {"a": "x" * 991}}[name]
    page = Page("1", **{name: fits})
    assert mapper.load(mapper.dump(page), Page) == page


def test_gzip_data_of_several_members_is_read() -> None:
    two = gzip.compress(b"ab") + gzip.compress(b"cd") + b"\0\0"

    assert unpacked(two, 4) == b"abcd"
    assert unpacked(b"", 4) == b""


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        gzip.compress(b"abc")[:-1],
        gzip.compress(b"abc")[:12],
        gzip.compress(b"abc")[:-8] + bytes(8),
        gzip.compress(b"abc") + b"x",
    ],
    ids=["no gzip", "cut", "cut early", "another check sum", "more"],
)
def test_what_is_no_gzip_data_is_refused(data: bytes) -> None:
    with pytest.raises(MappingError, match=r"Page.html: expected gzip data \(B\)"):
        mapper.load({"id": {"S": "1"}, "html": {"B": data}}, Page)


@pytest.mark.parametrize("most", [0, -1, 1.5, True, "1"])
def test_a_limit_is_a_number_of_bytes(most: Any) -> None:
    with pytest.raises(ModelError, match="max_bytes: expected an int of 1 or more"):
        Compressed(max_bytes=most)


def test_marks_with_one_limit_are_one() -> None:
    assert Compressed(max_bytes=5) == Compressed(max_bytes=5) != Compressed
    assert len({Compressed(max_bytes=5), Compressed(max_bytes=5)}) == 1


Packed = Annotated[str, Compressed]


def as_partition_key() -> None:
    @model("packed_keys")
    class Page:
        html: Packed = partition_key()


def as_sort_key() -> None:
    @model("packed_keys")
    class Page:
        url: str = partition_key()
        html: Packed = sort_key()


def as_index_key() -> None:
    @model("packed_keys", indexes=[GlobalIndex("by-html", partition_key="html")])
    class Page:
        url: str = partition_key()
        html: Packed | None = None


def as_unique_field() -> None:
    @model("packed_keys", unique=[("url", "html")])
    class Page:
        url: str = partition_key()
        html: Packed | None = None


def in_a_template() -> None:
    @model(Table("packed_keys", partition_key="pk", types={"pk": "B"}), pk="{html}")
    class Page:
        html: Packed


@pytest.mark.parametrize(
    "declare", [as_partition_key, as_sort_key, as_index_key, as_unique_field, in_a_template]
)
def test_compressed_bytes_are_no_key(declare: Callable[[], None]):
    """Another version of Python would make another key, and another item, of the same value."""
    with pytest.raises(ModelError, match=r"not compressed.*another version of Python"):
        declare()


def test_the_header_does_not_say_which_python_has_compressed():
    header = mapper.dump(Page("1", html="x"))["html"]["B"][:10]
    assert (header[4:8], header[9]) == (bytes(4), 255)  # no time, no operating system
