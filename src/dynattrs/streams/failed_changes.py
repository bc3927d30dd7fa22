"""Changes that a consumer could not handle, kept as items: to look at them, and to handle them later."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

import attrs

from dynattrs.errors import ModelError
from dynattrs.mapper.annotations import Compressed
from dynattrs.models.model import model
from dynattrs.models.specifiers import field, partition_key, sort_key
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Flow
from dynattrs.operations.leases import FlowVerbs
from dynattrs.schema.table import Table
from dynattrs.streams.shard_leases import ShardLease

#: Where failed changes are, unless the program gives another table's name.
FAILED_CHANGES = Table(
    "dynattrs-failed-changes", partition_key="consumer", sort_key="id", ttl="expires"
)

#: An item has room for 400 KB, and two images may have 800.
_MOST_BYTES = 350_000
_LONGEST_ERROR = 10_000


@model(FAILED_CHANGES)
class FailedChange:
    """A change that a consumer could not handle.

    `changes([failed.record], app)` makes the change of it again.

    Attributes:
        consumer: The consumers' name.
        id: When it had happened, and the record's sequence number: they sort by time.
        table: The table's name at the service.
        shard: The shard's id.
        sequence_number: The record's.
        at: When it had happened.
        failed: When it was given up.
        tries: How often the handler was called with it; 0 where it could not be read.
        error: What the handler raised at last: its class and message.
        kind: `INSERT`, `MODIFY` or `REMOVE`.
        text: The record as JSON, as AWS Lambda gives it.
        whole: Whether the record has its images. Without them it has the key: both together were too
            large for an item.
        expires: When the item is removed; None for never.
    """

    consumer: str = partition_key()
    id: str = sort_key()
    table: str
    shard: str
    sequence_number: str
    at: datetime | None
    failed: datetime
    tries: int
    error: str
    kind: str
    text: Annotated[str, Compressed]
    whole: bool = True
    expires: datetime | None = field(ttl=True, default=None)

    @property
    def record(self) -> dict[str, Any]:
        """The record, as AWS Lambda gives it."""
        found: dict[str, Any] = json.loads(self.text)
        return found


@attrs.frozen
class FailedChanges:
    """Tells a consumer to store the changes that it cannot handle in a table: `on_error=FailedChanges()`.

    The table is created when it is first needed; its items are `FailedChange`.

    Args:
        table: The table's name, before the session's `table_prefix` and `tables`.
        keep: How long to keep an item; None for always.
    """

    table: str = FAILED_CHANGES.name
    keep: timedelta | None = None

    def __attrs_post_init__(self) -> None:
        if self.keep is not None and not isinstance(self.keep, timedelta):
            raise ModelError("FailedChanges", f"keep={self.keep!r}: a timedelta is expected")

    def store(
        self,
        core: Core,
        consumer: str,
        lease: ShardLease,
        table: str,
        change: Any,
        error: Exception,
        tries: int,
    ) -> Flow[None]:
        """Write the item of a change."""
        verbs = FlowVerbs(core, FAILED_CHANGES, self.table)
        now = verbs.environment.now()
        number, at = change.sequence_number, change.at
        happened = "" if at is None else at.strftime("%Y-%m-%dT%H:%M:%S")
        text = as_json(change.record, lease.stream)
        whole = True
        if len(zlib.compress(text.encode())) > _MOST_BYTES:
            whole, text = False, as_json(_without_images(change.record), lease.stream)
        said = f"{type(error).__name__}: {error}"
        record = change.record if isinstance(change.record, Mapping) else {}
        item = FailedChange(
            consumer=consumer, id=f"{happened}#{number}", table=table, shard=lease.shard,
            sequence_number=number, at=at, failed=now, tries=tries, error=said[:_LONGEST_ERROR],
            kind=str(record.get("eventName", "")), text=text, whole=whole,
            expires=None if self.keep is None else now + self.keep,
        )  # fmt: skip
        yield from verbs.with_table(lambda: verbs._save(item))


def _without_images(record: Mapping[str, Any]) -> dict[str, Any]:
    body = record["dynamodb"]
    return {
        **record,
        "dynamodb": {
            **{name: body[name] for name in body if name not in ("OldImage", "NewImage")},
            "StreamViewType": "KEYS_ONLY",
        },
    }


def as_json(record: Any, arn: str) -> str:
    """A record of GetRecords as AWS Lambda gives it, with the stream's ARN, which names the table."""
    if isinstance(record, Mapping):
        record = {**record, "eventSourceARN": arn}
    return json.dumps(record, default=_plain, separators=(",", ":"))


def _plain(value: object) -> Any:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return repr(value)
