"""Writes that the one thread which gathers has put into a buffer without its lock: all that looks at the
buffer finds them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dynattrs import Progress, Session, UnsentWrites, model, partition_key
from dynattrs.operations.writing.buffer import Buffer, Write, write_by_key
from dynattrs.operations.writing.lanes import BYTES
from dynattrs.operations.writing.packed import END, WHOLE, take_packed
from dynattrs.operations.writing.partitions import partition_of


def put(id_: str) -> Write:
    key = {"id": {"S": id_}}
    return write_by_key("notes", key, {"PutRequest": {"Item": key}}, 10, id_, "save")


def buffer_with_coming(*writes: Write) -> Buffer:
    buffer = Buffer()
    buffer.coming.extend(writes)
    return buffer


def objects(buffer: Buffer) -> list[Any]:
    return [each.obj for each in sorted(buffer._every(), key=lambda each: each.place)]


@pytest.mark.parametrize(
    "finds",
    [
        lambda buffer: len(buffer) == 2,
        lambda buffer: buffer.room() == 23,
        lambda buffer: buffer.holds(put("a").identity) and not buffer.holds(put("c").identity),
        lambda buffer: buffer.holds_table("notes"),
        lambda buffer: buffer.last_place() == 2 and buffer.outstanding(2),
        lambda buffer: buffer.seal() == 2,
        lambda buffer: [each.obj for each in buffer.take(whole=False)] == ["a", "b"],
        lambda buffer: [each.obj for each in buffer.next_of_all(4)] == ["a", "b"],
        lambda buffer: not buffer.is_settled(),
        lambda buffer: [each.object for each in buffer.discard()] == ["a", "b"],
        lambda buffer: [each.object for each in buffer.drain(KeyboardInterrupt())] == ["a", "b"],
    ],
    ids=[
        "len", "room", "holds", "holds_table", "outstanding", "seal", "take", "next_of_all",
        "is_settled", "discard", "drain",
    ],
)  # fmt: skip
def test_all_that_looks_at_a_buffer_finds_what_has_come(finds: Callable[[Buffer], bool]):
    assert finds(buffer_with_coming(put("a"), put("b")))


def test_progress_counts_what_has_come():
    heard: list[Progress] = []
    buffer = Buffer(heard.append)
    buffer.coming.extend([put("a"), put("b")])
    buffer.acknowledge(buffer.take(whole=False), 0.0)
    buffer.coming.append(put("c"))
    buffer.fail([], KeyboardInterrupt())
    assert [(each.taken, each.stored) for each in heard] == [(2, 2), (3, 2)]


def test_what_comes_while_a_partition_is_slow_has_places_of_its_own():
    buffer = buffer_with_coming(put("a"))
    buffer.lanes.open(partition_of(put("slow")), 0.0, KeyboardInterrupt())
    buffer.coming.extend([put("b"), put("slow")])

    assert buffer.last_place() == 3
    assert objects(buffer) == ["a", "b", "slow"]


def test_a_write_that_is_stored_leaves_a_later_one_to_its_key_in_flight():
    buffer = Buffer()
    earlier, later = put("a"), put("a")
    buffer.take_alone(earlier)
    buffer.drain(KeyboardInterrupt())
    buffer.take_alone(later)

    buffer.acknowledge([earlier], 0.0)

    assert buffer.held(later.identity) == [later]


def test_a_later_write_comes_after_what_has_come():
    buffer = buffer_with_coming(put("a"), put("b"))
    buffer.add(put("c"))
    buffer.coming.append(put("d"))
    buffer.take_alone(put("e"))
    assert objects(buffer) == ["a", "b", "c", "d", "e"]


def test_what_has_come_takes_the_place_of_an_earlier_write_to_its_key():
    older, newer, other = put("a"), put("a"), put("b")
    buffer = buffer_with_coming(older, other, newer)
    assert buffer.take(whole=False) == [newer, other]
    assert [newer.place, other.place] == [1, 2]


def test_what_has_come_takes_the_place_of_an_earlier_write_that_a_hot_partition_left():
    older, newer, other = put("a"), put("a"), put("b")
    older.size = newer.size = BYTES - 1
    buffer = Buffer()
    buffer.take_alone(older)
    buffer.coming.extend([other, newer])
    hot = {partition_of(older): [older]}
    assert buffer.hold_back(hot, 0.0, TimeoutError())
    assert objects(buffer) == ["a", "b"]
    assert len(buffer) == 2
    assert not buffer.lanes.is_full()  # one of the two waits there


def test_a_child_process_leaves_what_has_come_to_its_parent():
    buffer = buffer_with_coming(put("a"))
    buffer.forked()
    assert len(buffer) == 0
    assert not buffer.coming


def test_a_whole_batch_stays_where_nothing_may_be_sent_any_more():
    buffer = buffer_with_coming(*(put(str(number)) for number in range(25)))
    buffer.abandoned = KeyboardInterrupt()
    assert buffer.take(whole=True) == []
    assert len(buffer) == 25
    assert UnsentWrites(buffer.drain(buffer.abandoned)).objects == [str(each) for each in range(25)]


def test_each_object_is_told_of_where_a_batch_is_whole_and_waits():
    @model("notes")
    class Note:
        id: str = partition_key()

    buffer = buffer_with_coming(*(put(str(number)) for number in range(26)))
    core, notes = Session(client=object())._core, iter([Note("a"), Note("b")])
    assert take_packed(core, buffer, notes, at_once=True) is WHOLE
    assert len(buffer) == 27
    assert take_packed(core, buffer, notes, at_once=True) is WHOLE
    assert take_packed(core, buffer, notes, at_once=True) is END
