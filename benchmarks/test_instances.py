"""Instances and classes of a model, beside the same class made by `attrs.define`.

`Song.plays` is a path, and `song.plays` still has to be the plain slot that attrs makes.
"""

from __future__ import annotations

import json
import time
import timeit
import tracemalloc
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from dynattrs import mapper, model, partition_key, sort_key


@attrs.define
class Plain:
    artist: str
    title: str
    genre: str = "jazz"
    year: int | None = None
    plays: int = 0


@model("music")
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    genre: str = "jazz"
    year: int | None = None
    plays: int = 0


both = pytest.mark.parametrize("cls", [Plain, Song], ids=["attrs", "model"])


def read(obj: Any) -> int:
    for _ in range(1000):
        obj.title  # noqa: B018 - the access is what is timed
        found = obj.plays
    return found


def write(obj: Any) -> int:
    for count in range(1000):
        obj.plays = count
    return obj.plays


@pytest.mark.benchmark(group="2,000 attribute reads")
@both
def test_read_attributes(benchmark: BenchmarkFixture, cls: Any) -> None:
    """Time to read two attributes of one object 1,000 times, the loop included."""
    assert benchmark(read, cls("Nina Simone", "Sinnerman", plays=3)) == 3


@pytest.mark.benchmark(group="1,000 attribute writes")
@both
def test_write_attribute(benchmark: BenchmarkFixture, cls: Any) -> None:
    """Time to set one attribute of one object 1,000 times, the loop included."""
    assert benchmark(write, cls("Nina Simone", "Sinnerman")) == 999


@pytest.mark.benchmark(group="one object made")
@both
def test_construct(benchmark: BenchmarkFixture, cls: Any) -> None:
    """Time to make one object of five fields, two of them given."""
    assert benchmark(cls, "Nina Simone", "Sinnerman").genre == "jazz"


@pytest.mark.parametrize("work", [read, write])
def test_access_costs_no_more_than_plain_attrs(
    work: Callable[[Any], int], figure: Callable[[str], None]
) -> None:
    """The least of 60 runs each, taken in turns, so that a busy machine slows both.

    A property or a descriptor in between would cost several times as much; 15 % are for noise.
    """
    plain, song = Plain("Nina Simone", "Sinnerman"), Song("Nina Simone", "Sinnerman")
    best = {"attrs": float("inf"), "model": float("inf")}
    for _ in range(60):
        for name, obj in (("attrs", plain), ("model", song)):
            best[name] = min(best[name], timeit.timeit(lambda obj=obj: work(obj), number=10))

    figure(f"{work.__name__}: model / attrs = {best['model'] / best['attrs']:.3f}")
    assert best["model"] < best["attrs"] * 1.15


# --- Classes --------------------------------------------------------------------------------------


def make_plain() -> Any:
    class Made:
        artist: str
        title: str
        genre: str = "jazz"
        year: int | None = None
        plays: int = 0

    return attrs.define(Made)


def make_model() -> Any:
    class Made:
        artist: str = partition_key()
        title: str = sort_key()
        genre: str = "jazz"
        year: int | None = None
        plays: int = 0

    return model("music")(Made)


@pytest.mark.benchmark(group="one class declared")
@pytest.mark.parametrize("make", [make_plain, make_model], ids=["attrs", "model"])
def test_declare(benchmark: BenchmarkFixture, make: Callable[[], Any]) -> None:
    """Time to declare a class of five fields, the `class` statement included.

    A model's time includes what attrs needs, its paths and the checks of the declaration. Left out:
    the code that maps it, which is generated at its first use (`test_mapping.py` times that).
    """
    assert benchmark(make)("Nina Simone", "Sinnerman").genre == "jazz"


@pytest.mark.parametrize("count", [1000])
def test_a_thousand_classes_cost_a_thousand_times_one(
    count: int, figure: Callable[[str], None]
) -> None:
    """Time and memory of a thousand models, beside a thousand attrs classes: nothing that is shared
    grows with their number. The last hundred are compared with the first.
    """
    for name, make in (("attrs", make_plain), ("model", make_model)):
        make()  # what is imported and cached only once
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        kept = [make() for _ in range(count // 10)]
        taken = (tracemalloc.get_traced_memory()[0] - before) / len(kept)
        tracemalloc.stop()

        seconds: list[float] = []
        for _ in range(count):
            began = time.process_time()
            kept.append(make())
            seconds.append(time.process_time() - began)

        figure(
            f"{count:,} classes, {name}: {sum(seconds) * 1000:,.0f} ms of CPU, "
            f"{taken / 1000:,.1f} kB each"
        )
        first, last = sorted(seconds[: count // 10]), sorted(seconds[-count // 10 :])
        assert last[len(last) // 2] < first[len(first) // 2] * 3, "it grows with their number"


# --- Memory ---------------------------------------------------------------------------------------


def bytes_per_object(cls: Any, count: int = 10_000) -> float:
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        kept = [cls("Nina Simone", "Sinnerman") for _ in range(count)]
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(kept) == count
    return (after - before) / count


def test_an_object_takes_one_slot_more_than_a_plain_one(figure: Callable[[str], None]) -> None:
    """Bytes of an object, its place in a list of 10,000 included, its values left out.

    The slot more is for attributes that the class does not know.
    """
    plain, song = bytes_per_object(Plain), bytes_per_object(Song)

    figure(f"memory of an object of five fields: model {song:.1f} bytes, attrs {plain:.1f} bytes")
    assert song - plain < 17, "one pointer, and what the allocator's alignment adds"


def loaded_bytes(load: Callable[[dict[str, Any]], Any], count: int = 10_000) -> float:
    """Bytes that one object of a page takes, all its values included, after its page is gone."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        kept = [load(json.loads(json.dumps(song_map(number)))) for number in range(count)]
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept[7].title == "Song 00007"
    return (after - before) / count


def song_map(number: int) -> dict[str, Any]:
    return {
        "artist": {"S": f"Artist {number:05}"},
        "title": {"S": f"Song {number:05}"},
        "genre": {"S": "jazz"},
        "year": {"N": "1965"},
        "plays": {"N": str(1000 + number)},
    }


def by_hand(item: dict[str, Any]) -> Plain:
    return Plain(
        item["artist"]["S"], item["title"]["S"], item["genre"]["S"], int(item["year"]["N"]),
        int(item["plays"]["N"]),
    )  # fmt: skip


def test_a_loaded_object_keeps_nothing_of_its_page(figure: Callable[[str], None]) -> None:
    """Beside plain attrs objects that are made of the same maps by hand: one slot more."""
    plain, song = loaded_bytes(by_hand), loaded_bytes(lambda item: mapper.load(item, Song))

    figure(f"memory of a loaded object and its values: model {song:.0f} bytes, attrs {plain:.0f}")
    assert song - plain < 17
