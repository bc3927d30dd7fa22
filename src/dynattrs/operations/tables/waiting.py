"""Waiting for tables: until one is there, ready, or gone.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from dynattrs.deferral import deferred
from dynattrs.errors import NoSuchTable, ServiceError
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Flow
from dynattrs.operations.tables.errors import TableNotReady
from dynattrs.operations.tables.looking import described, find, pauses, ttl_description
from dynattrs.schema.messages import Message

if TYPE_CHECKING:
    from dynattrs.schema import vectors
else:
    vectors = deferred("dynattrs.schema.vectors")

_log = logging.getLogger("dynattrs")

_CHANGING: Final = frozenset(("CREATING", "UPDATING", "DELETING"))
_SWITCHING: Final = frozenset(("ENABLING", "DISABLING", "UPDATING"))


class Watch:
    """How long a step has been waited for."""

    def __init__(
        self,
        core: Core,
        timeout: timedelta | None,
        late: type[TableNotReady] = TableNotReady,
    ) -> None:
        self._core = core
        self._timeout = timeout
        self._late = late
        self._told = ""
        self.began = self.now()

    def now(self) -> float:
        return self._core.environment.monotonic()

    def restart(self) -> None:
        """Another step begins."""
        self.began = self.now()

    def appears(self) -> bool:
        """Whether a new table may still be on its way to the service's description of it."""
        return self.now() - self.began <= self._core.deadline.total_seconds()

    def check(self, name: str, what: str) -> None:
        """Go on waiting. The log says for what, whenever that changes.

        Raises:
            TableNotReady: The time for it has gone by.
        """
        told = f"{name}: {what}"
        if told != self._told:
            self._told = told
            _log.info("table %s", told)
        if self._timeout is not None and self.now() - self.began >= self._timeout.total_seconds():
            raise self._late(name, what, self._timeout)


def until_gone(name: str) -> Flow[None]:
    for pause in pauses():
        if (yield from find(name)) is None:
            return
        yield pause


def until_active(watch: Watch, name: str) -> Flow[Message]:
    watch.restart()
    for pause in pauses():
        try:
            response = yield Call("describe_table", {"TableName": name})
        except NoSuchTable:
            # The service may take a moment to know what it has just created.
            if not watch.appears():
                raise
            watch.check(name, "not there yet")
        else:
            description = described(response)
            if not is_changing(description):
                return description
            watch.check(name, shown_state(description))
        yield pause
    raise AssertionError("pauses never end")


def is_changing(description: Message) -> bool:
    return description["TableStatus"] in _CHANGING or any(_parts_changing(description))


def shown_state(description: Message) -> str:
    """What a table is at."""
    status = str(description["TableStatus"])
    # Engines say so of a table for ever; the service's is not active meanwhile.
    if description.get("RestoreSummary", {}).get("RestoreInProgress"):
        status += ", being restored"
    return ", ".join((status, *_parts_changing(description)))


def _parts_changing(description: Message) -> Iterator[str]:
    """What of a table is not ready, each with what it is at."""
    for index in description.get("GlobalSecondaryIndexes", ()):
        warming = _warming(index)
        if index.get("IndexStatus") in _CHANGING or warming:
            filling = ", being filled" if index.get("Backfilling") else ""
            yield f"index {index['IndexName']!r} {index.get('IndexStatus')}{filling}{warming}"
    for index in description.get("VectorIndexes", ()):
        if vectors.is_changing(index):
            filling = ", being filled" if index.get("Backfilling") else ""
            yield f"vector index {index['IndexName']!r} {index.get('IndexStatus')}{filling}"
    for replica in description.get("Replicas", ()):
        if replica.get("ReplicaStatus") in _CHANGING:
            done = replica.get("ReplicaStatusPercentProgress")
            share = f", {done}%" if done else ""
            yield f"replica in {replica['RegionName']} {replica['ReplicaStatus']}{share}"
    for witness in description.get("GlobalTableWitnesses", ()):
        if witness.get("WitnessStatus") in _CHANGING:
            yield f"witness in {witness['RegionName']} {witness['WitnessStatus']}"
    if description.get("SSEDescription", {}).get("Status") in _SWITCHING:
        yield f"encryption {description['SSEDescription']['Status']}"
    if _warming(description):
        yield "warm throughput UPDATING"


def _warming(description: Message) -> str:
    changing = description.get("WarmThroughput", {}).get("Status") in _CHANGING
    return ", warm throughput UPDATING" if changing else ""


def until_kinesis_settled(watch: Watch, name: str, arn: str) -> Flow[None]:
    """Wait until a Kinesis stream is told of changes, or is not any more.

    Raises:
        ServiceError: It could not be.
    """
    for pause in pauses():
        response = yield Call("describe_kinesis_streaming_destination", {"TableName": name})
        states = [
            each
            for each in response.get("KinesisDataStreamDestinations", ())
            if each.get("StreamArn") == arn
        ]
        status = states[0].get("DestinationStatus") if states else None
        if status == "ENABLE_FAILED":
            why = str(states[0].get("DestinationStatusDescription") or "it does not say why")
            raise ServiceError("EnableKinesisStreamingDestination", status, why, name)
        if status not in _SWITCHING:
            return
        watch.check(name, f"Kinesis stream {arn} {status}")
        yield pause


def until_insights_settled(watch: Watch, name: str, index: str | None) -> Flow[None]:
    """Wait until contributor insights are on, or off.

    Raises:
        ServiceError: They could not be switched on.
    """
    parameters = {"TableName": name} | ({} if index is None else {"IndexName": index})
    for pause in pauses():
        found = yield Call("describe_contributor_insights", parameters)
        status = found.get("ContributorInsightsStatus")
        if status == "FAILED":
            failure = found.get("FailureException", {})
            why = str(failure.get("ExceptionDescription") or "it does not say why")
            raise ServiceError("UpdateContributorInsights", status, why, name)
        if status not in _SWITCHING:
            return
        watch.check(name, f"contributor insights {status}")
        yield pause


def until_ttl_settled(watch: Watch, name: str) -> Flow[None]:
    for pause in pauses():
        description = yield from ttl_description(name)
        status = description.get("TimeToLiveStatus")
        if status not in _SWITCHING:
            return
        watch.check(name, f"time to live {status}")
        yield pause
