"""Waiting for tables: until one is there, ready, or gone.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from dynattrs.errors import NoSuchTable
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Flow
from dynattrs.operations.tables.errors import TableNotReady
from dynattrs.operations.tables.looking import described, find, pauses, ttl_description
from dynattrs.schema.messages import Message

_CHANGING: Final = frozenset(("CREATING", "UPDATING", "DELETING"))
_TTL_CHANGING: Final = frozenset(("ENABLING", "DISABLING"))


class Watch:
    """How long a step has been waited for."""

    def __init__(self, core: Core, timeout: timedelta | None) -> None:
        self._core = core
        self._timeout = timeout
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
        if self._timeout is not None and self.now() - self.began >= self._timeout.total_seconds():
            raise TableNotReady(name, what, self._timeout)


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
            watch.check(name, _shown_state(description))
        yield pause
    raise AssertionError("pauses never end")


def is_changing(description: Message) -> bool:
    return description["TableStatus"] in _CHANGING or any(
        index.get("IndexStatus") in _CHANGING
        for index in description.get("GlobalSecondaryIndexes", ())
    )


def _shown_state(description: Message) -> str:
    states = [str(description["TableStatus"])]
    for index in description.get("GlobalSecondaryIndexes", ()):
        if index.get("IndexStatus") in _CHANGING:
            filling = ", being filled" if index.get("Backfilling") else ""
            states.append(f"index {index['IndexName']!r} {index['IndexStatus']}{filling}")
    return ", ".join(states)


def until_ttl_settled(watch: Watch, name: str) -> Flow[None]:
    for pause in pauses():
        description = yield from ttl_description(name)
        status = description.get("TimeToLiveStatus")
        if status not in _TTL_CHANGING:
            return
        watch.check(name, f"time to live {status}")
        yield pause
