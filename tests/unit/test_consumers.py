"""What consumers need no engine for."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from dynattrs import Table, model
from dynattrs.operations.leases import Lease, Watch
from dynattrs.streams import Inserted, changes
from dynattrs.streams.failed_changes import as_json

app = Table("app", partition_key="pk", stream="new and old")


@model(app)
class Thing:
    pk: str
    data: bytes
    parts: set[bytes]
    nested: dict[str, list[bytes]]


def test_a_function_that_handles_events_loads_no_consumer():
    program = (
        "import sys, dynattrs.streams; "
        "names = [m for m in sys.modules if m.startswith('dynattrs')]; "
        "print([m for m in names if 'consum' in m or 'leases' in m or 'locks' in m])"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert said.stdout == "[]\n"


@pytest.mark.parametrize("binary", [bytes, bytearray])
def test_a_record_that_is_kept_as_text_is_read_again(binary: Any):
    """As AWS Lambda would give it: bytes are base64, wherever they are, and times are seconds."""
    record = {
        "eventName": "INSERT",
        "dynamodb": {
            "ApproximateCreationDateTime": datetime(2026, 11, 27, 12, 0, 5, tzinfo=timezone.utc),
            "Keys": {"pk": {"S": "a"}},
            "SequenceNumber": "1",
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            "NewImage": {
                "pk": {"S": "a"},
                "data": {"B": binary(b"\x00\xff")},
                "parts": {"BS": [b"x", binary(b"y")]},
                "nested": {"M": {"k": {"L": [{"B": binary(b"deep")}]}}},
            },
        },
    }
    arn = "arn:aws:dynamodb:us-east-1:111122223333:table/dev-app/stream/2026"
    again = json.loads(as_json(record, arn))
    [change] = changes([again], Thing, table_prefix="dev-")
    assert isinstance(change, Inserted)
    assert change.new == Thing("a", b"\x00\xff", {b"x", b"y"}, {"k": [b"deep"]})
    assert change.at == record["dynamodb"]["ApproximateCreationDateTime"]
    assert change.table == "dev-app"


def test_what_is_no_record_is_kept_as_well():
    assert json.loads(as_json({"odd": object}, "arn")) == {
        "odd": "<class 'object'>", "eventSourceARN": "arn"
    }  # fmt: skip
    assert json.loads(as_json("text", "arn")) == "text"


def test_a_lease_is_taken_over_only_when_it_was_seen_to_stand_still_for_its_time():
    now = [1000.0]
    watch = Watch(lambda: now[0])
    lease = Lease(owner="a", counter=1, fence=1, seconds=10)

    def seen(after: timedelta, **changes: int) -> bool:
        now[0] += after.total_seconds()
        for name, value in changes.items():
            setattr(lease, name, value)
        return watch.is_still("it", lease)

    assert not seen(timedelta()), "it may have been written just now"
    assert not seen(timedelta(seconds=9))
    assert not seen(timedelta(seconds=2), counter=2)
    assert not seen(timedelta(seconds=9.9))
    assert not seen(timedelta(), fence=2)
    assert seen(timedelta(seconds=10))
    watch.forget_others(set())
    assert not seen(timedelta(seconds=100)), "it is looked at for the first time"
