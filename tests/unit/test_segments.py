"""Segments of scans: their cursors, and how much all together are asked for."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dynattrs import CursorError, model, partition_key, sort_key
from dynattrs.operations.flows import Start
from dynattrs.operations.reading import cursors
from stepped_session import ByHand, Job, result

KEYS: Any = {
    0: {"artist": {"S": "Ünïcode"}, "n": {"N": "12.5"}, "b": {"B": b"\x00\xff"}},
    2: None,
    3: {"artist": {"S": "x" * 1000}, "n": {"N": "-1E+5"}, "b": {"B": b"a"}},
}
NAMES = ("artist", "n", "b")


@model("music")
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    plays: int = 0


def item(title: str) -> dict[str, Any]:
    return {"artist": {"S": "Nina"}, "title": {"S": title}, "plays": {"N": "0"}}


def key(title: str) -> dict[str, Any]:
    return {"artist": {"S": "Nina"}, "title": {"S": title}}


def reply(*titles: str, last: str | None = None) -> dict[str, Any]:
    items = [item(each) for each in titles]
    found = {"Items": items, "Count": len(items), "ScannedCount": len(items)}
    return found if last is None else {**found, "LastEvaluatedKey": key(last)}


def scan() -> Any:
    return ByHand().scan(Song)


class Steps:
    """A page of a parallel scan, whose requests a test answers one by one."""

    def __init__(self, query: Any, size: int, **options: Any) -> None:
        self._flow = query.page(size, **options)
        self.jobs: list[Job] = []
        self._go_on(next(self._flow))

    def _go_on(self, effect: Any) -> None:
        while isinstance(effect, Start):
            self.jobs.append(Job(effect.flow))
            self.jobs[-1].call = next(effect.flow)
            effect = self._flow.send(self.jobs[-1])
        self._waiting = effect

    @property
    def asked(self) -> list[tuple[int, Any, int | None]]:
        """Of each request so far its segment, where it begins, and how much it asks for."""
        calls = [job.call.parameters for job in self.jobs]
        return [
            (call["Segment"], call.get("ExclusiveStartKey"), call.get("Limit")) for call in calls
        ]

    def answer(self, number: int, response: dict[str, Any]) -> Any:
        """Answer a request; the page, if that was the last one."""
        job = self.jobs[number]
        self._flow.send(job)
        try:
            self._go_on(self._flow.send(result(job.flow, response)))
        except StopIteration as stop:
            return stop.value
        return None


# --- One of them ----------------------------------------------------------------------------------


def test_a_segment_is_in_the_request_and_in_what_is_shown():
    query = scan().segment(3, of=8)

    call = next(query.all())

    assert (call.parameters["Segment"], call.parameters["TotalSegments"]) == (3, 8)
    assert str(query) == "scan(Song).segment(3, of=8)"
    assert "'Segment': 3, 'TotalSegments': 8" in query.explain()


def test_a_cursor_of_a_segment_goes_on_there_and_nowhere_else():
    flow = scan().segment(3, of=8).page(1)
    next(flow)
    cursor = result(flow, reply("a", last="a")).cursor

    call = next(scan().segment(3, of=8).after(cursor).page(1))

    assert call.parameters["ExclusiveStartKey"] == key("a")
    for other in (scan(), scan().segment(4, of=8), scan().segment(3, of=9), scan().parallel(8)):
        with pytest.raises(CursorError, match="another table, index, segment"):
            next(other.after(cursor).page(1))


# --- All at once ----------------------------------------------------------------------------------


@pytest.mark.parametrize("secret", [None, b"secret"])
def test_a_cursor_of_all_segments_holds_the_place_of_each(secret: bytes | None):
    cursor = cursors.encode_segments(KEYS, 5, ["music"], secret)

    assert cursors.decode_segments(cursor, NAMES, ["music"], secret, 5) == KEYS
    assert re.fullmatch("[A-Za-z0-9_-]+", cursor)


def test_names_of_keys_stand_once_in_a_cursor():
    places: Any = {n: {"artist": {"S": f"artist {n:04}"}} for n in range(100)}

    size = len(cursors.encode_segments(places, 100, ["music"], None))

    assert size < 100 * 22 + 60


@pytest.mark.parametrize(
    "payload",
    [
        "null", "[]", "[{}]", "[{},[1,1]]", "[{},[0]]", "[{},[0,0,0]]", '[{},[0,"x"]]', "[{},0]",
        '[{"artist":"S"},[0,["x"]]]', '[{"artist":"S"},[0,[1]]]', '[{"artist":"BOOL"},[0,["x"]]]',
        '[{"artist":"S"},[0,["x","y"]]]', '[["artist"],[0,["x"]]]', "[" * 2000, '[{},[0,null]]',
    ],
)  # fmt: skip
def test_what_is_no_cursor_of_segments_is_refused(payload: str):
    """Without a secret anybody can make the checksum of anything."""
    raw = payload.encode()
    forged = cursors._text(b"\x01" + cursors._digest(raw, ["music"], None) + raw)

    with pytest.raises(CursorError):
        cursors.decode_segments(forged, NAMES, ["music"], None, 2)


def test_a_cursor_of_as_many_segments_goes_on_in_each():
    steps = Steps(scan().parallel(3), 60)
    steps.answer(1, reply("b", last="b"))
    steps.answer(0, reply("a"))
    assert steps.answer(2, reply(*["c"] * 10)) is None
    # The rest is asked of the only segment that goes on.
    assert steps.asked[3:] == [(1, key("b"), 24)]
    assert steps.answer(3, reply(*["b"] * 24, last="bb")) is None
    assert steps.asked[4:] == [(1, key("bb"), 24)]
    page = steps.answer(4, reply(*["b"] * 24, last="bbb"))

    assert len(page) == 60
    again = Steps(scan().parallel(3).after(page.cursor), 10)
    assert again.asked == [(1, key("bbb"), 10)]
    for other in (scan(), scan().parallel(4), scan().segment(1, of=3)):
        with pytest.raises(CursorError):
            next(other.after(page.cursor).page(1))
    with pytest.raises(CursorError):
        scan().parallel(2).after(page.cursor).explain()


def test_the_cursor_behind_a_page_that_was_cut_is_at_its_last_item():
    query = scan().filter(Song.plays == 0).parallel(2)
    steps = Steps(query, 2)
    assert [size for *_, size in steps.asked] == [None, None]
    page = steps.answer(1, reply("a", "b", "c", last="d"))

    assert [each.title for each in page] == ["a", "b"]
    assert steps.jobs[0].cancelled
    assert Steps(query.after(page.cursor), 2).asked == [(0, None, None), (1, key("b"), None)]


def test_no_more_is_asked_for_than_a_page_holds():
    for size, asked in ((5, [5]), (30, [25, 5]), (100, [25] * 4), (1001, [126] + [125] * 7)):
        assert [limit for *_, limit in Steps(scan().parallel(8), size).asked] == asked
    steps = Steps(scan().parallel(8).page_size(10), 100)
    assert [limit for *_, limit in steps.asked] == [10] * 8


def test_of_empty_segments_more_are_asked_each_time():
    steps = Steps(scan().parallel(100), 5)
    sizes = [len(steps.jobs)]
    for number in range(5):
        steps.answer(number, reply())
        sizes.append(len(steps.jobs))

    assert sizes == [1, 3, 6, 11, 20, 37]


def test_a_budget_of_requests_is_kept_by_all_segments_together():
    query = scan().parallel(4)
    steps = Steps(query, 100, max_requests=3)
    assert steps.answer(2, reply("c", last="c")) is None
    assert steps.answer(0, reply()) is None
    page = steps.answer(1, reply("b", last="b"))

    assert len(steps.jobs) == 3
    assert [each.title for each in page] == ["c", "b"]
    again = Steps(query.after(page.cursor), 100)
    assert [each[:2] for each in again.asked] == [(1, key("b")), (2, key("c")), (3, None)]


def test_the_end_of_all_segments_has_no_cursor():
    steps = Steps(scan().parallel(2), 100)
    steps.answer(1, reply("b"))

    assert steps.answer(0, reply("a")).cursor is None
