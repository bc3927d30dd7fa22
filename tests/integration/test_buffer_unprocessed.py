"""Half of each batch is left unprocessed: nothing is lost.

Hooks of botocore's take half of the requests out of what is sent, so that the engine really does
not apply them, and put them into the reply as the service would.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from dynattrs import Session, model, partition_key


@model("blobs")
class Blob:
    id: bytes = partition_key()
    number: int = 0


@model("notes")
class Note:
    id: int = partition_key()
    text: str = ""


class Halving:
    """Leaves half of every batch of two or more unprocessed."""

    def __init__(self, client: Any) -> None:
        self._of_this_thread = threading.local()
        self.left = 0
        client.meta.events.register("before-call.dynamodb.BatchWriteItem", self.before)
        client.meta.events.register("after-call.dynamodb.BatchWriteItem", self.after)

    def before(self, params: dict[str, Any], **_: Any) -> None:
        body = json.loads(params["body"])
        kept: dict[str, list[Any]] = {}
        left: dict[str, list[Any]] = {}
        for table, requests in body["RequestItems"].items():
            middle = (len(requests) + 1) // 2
            kept[table] = requests[:middle]
            if requests[middle:]:
                left[table] = requests[middle:]
        body["RequestItems"] = kept
        params["body"] = json.dumps(body).encode()
        self._of_this_thread.left = left
        self.left += sum(map(len, left.values()))

    def after(self, parsed: dict[str, Any], **_: Any) -> None:
        left = self._of_this_thread.left
        parsed["UnprocessedItems"] = {
            table: [_as_parsed(request) for request in requests] for table, requests in left.items()
        }


def _as_parsed(value: Any) -> Any:
    """As botocore's parser gives it: bytes in place of base64."""
    import base64

    if isinstance(value, dict):
        return {
            name: base64.b64decode(each)
            if name == "B" and isinstance(each, str)
            else _as_parsed(each)
            for name, each in value.items()
        }
    return [_as_parsed(each) for each in value] if isinstance(value, list) else value


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    session = Session(client=client, table_prefix=table_prefix)
    session.tables.create(Note, Blob)
    yield session
    session.close()


def test_nothing_is_lost_when_half_of_each_batch_is_left(session: Session):
    halving = Halving(session.client)

    with session as s:
        for number in range(100):
            s.save(Note(number, f"text {number}"))
            s.save(Blob(bytes([number, 255]), number))

    assert halving.left > 100
    assert session.stats.unprocessed == halving.left
    assert {note.id for note in session.scan(Note)} == set(range(100))
    assert {blob.number for blob in session.scan(Blob)} == set(range(100))


def test_deletes_that_are_left_are_done_in_the_end(session: Session):
    session.save_all(Note(number) for number in range(50))
    halving = Halving(session.client)

    with session as s:
        for number in range(50):
            s.delete(Note, number)

    assert halving.left
    assert session.scan(Note).count() == 0


def test_the_last_write_wins_although_an_earlier_one_is_left(session: Session):
    halving = Halving(session.client)

    with session as s:
        for turn in range(5):
            for number in range(30):
                s.save(Note(number, f"turn {turn}"))

    assert halving.left
    assert {note.text for note in session.scan(Note)} == {"turn 4"}
