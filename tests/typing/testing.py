"""What checkers know of `dynattrs.testing`. Nothing here runs."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from typing_extensions import assert_type

from dynattrs import Session, model, partition_key
from dynattrs.aio import AsyncSession
from dynattrs.testing import (
    Clock,
    Fault,
    Injected,
    RecordedCall,
    RecordedCalls,
    clock,
    faults,
    recorded,
    seed,
    throttled,
    unprocessed,
)


@model("songs")
class Song:
    id: str = partition_key()


def of_threads(session: Session, awaited: AsyncSession) -> None:
    assert_type(throttled("PutItem", times=2, probability=0.5), Fault)
    with faults(session, throttled(), unprocessed(["BatchGetItem"]), seed=1) as injected:
        assert_type(injected, Injected)
        assert_type(injected.counts, list[int])
    with recorded(session) as calls:
        assert_type(calls, RecordedCalls)
        assert_type(calls[0], RecordedCall)
        assert_type(calls.operations, list[str])
        assert_type(calls[0].index, "str | None")
    with clock(session, awaited) as time:
        assert_type(time, Clock)
        assert_type(time.advance(hours=1), datetime)
        time.advance(timedelta(hours=1))
    assert_type(seed(session, Path("songs.json"), Song), int)


async def of_asyncio(session: AsyncSession) -> None:
    with faults(session, throttled()), recorded(session) as calls:
        assert_type(await seed(session, [{"id": "1"}], Song), int)
    assert_type(calls, RecordedCalls)


def mistakes(session: Session) -> None:
    faults(session, "throttled")  # type: ignore[arg-type]
    throttled(2)  # type: ignore[arg-type]
    throttled("PutItem", time=2)  # type: ignore[call-arg]
    recorded(Song("1"))  # type: ignore[arg-type]
    clock("session")  # type: ignore[arg-type]
    seed(session, 3, Song)  # type: ignore[call-overload]
