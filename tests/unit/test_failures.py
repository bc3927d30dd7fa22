"""What an error of a batch names, when it is raised again at the end."""

from __future__ import annotations

from typing import Any

import pytest

from dynattrs.errors import ServiceError, UnsentWrites
from dynattrs.operations.writing.buffer import Buffer, Write, write_by_key
from dynattrs.operations.writing.reports import raise_failures


def write_of(key: str) -> Write:
    item: dict[str, Any] = {"id": {"S": key}}
    return write_by_key("things", item, {"PutRequest": {"Item": item}}, 10, key, "save")


def refusing(buffer: Buffer, refused: Write) -> None:
    """A write of another key has failed, and *refused* is not taken for that reason."""
    failing = write_of("b")
    buffer.take_alone(failing)
    buffer.fail([failing], ServiceError("BatchWriteItem", "Odd", "no"))
    with pytest.raises(UnsentWrites):
        raise_failures(buffer, refused)


def test_an_older_write_that_is_stored_later_leaves_a_refused_one_unsent() -> None:
    buffer, older, refused = Buffer(), write_of("a"), write_of("a")
    buffer.take_alone(older)
    refusing(buffer, refused)

    buffer.acknowledge([older], 1.0)

    assert buffer.raised is not None
    assert [each.object for each in buffer.raised.unsent()] == ["b", "a"]


@pytest.mark.parametrize("pending", [False, True])
def test_a_newer_write_that_is_stored_replaces_a_refused_one(pending: bool) -> None:
    buffer, newer = Buffer(), write_of("a")
    if pending:  # the newer one takes its place
        buffer.add(write_of("a"))
    refusing(buffer, write_of("a"))

    buffer.add(newer)
    buffer.acknowledge([newer], 1.0)

    assert buffer.raised is not None
    assert [each.object for each in buffer.raised.unsent()] == ["b"]
