"""Consumers and locks, as a checker sees them: what handlers get, and what running gives."""

from __future__ import annotations

from datetime import timedelta

from typing_extensions import assert_type

from dynattrs import Lock, Session, Table, model, partition_key
from dynattrs.aio import AsyncLock, AsyncSession
from dynattrs.streams import AnyChange, Consumer, FailedChanges, Failure, Inserted

app = Table("app", partition_key="pk")


@model("songs")
class Song:
    title: str = partition_key()


def index(change: AnyChange[Song]) -> None:
    if isinstance(change, Inserted):
        assert_type(change.new, Song)


async def index_later(change: AnyChange[Song]) -> None: ...


def wrong(change: str) -> None: ...


def report(failure: Failure) -> None: ...


def plain(session: Session) -> None:
    consumer = Consumer(session, Song, name="search", handler=index)
    assert_type(consumer, Consumer[Session])
    consumer.run()
    assert_type(consumer.lag(), timedelta)
    Consumer(session, app, name="search", handler=lambda change: change.sequence_number)
    Consumer(session, [Song, app], name="search", handler=index, on_error=FailedChanges())
    Consumer(session, Song, name="search", handler=index, on_error=report)
    Consumer(session, Song, name="search", handler=wrong)  # type: ignore[arg-type]
    Consumer(session, Song, name="search", handler=index, start="now")  # type: ignore[call-overload]


async def awaited(session: AsyncSession) -> None:
    consumer = Consumer(session, Song, name="search", handler=index_later)
    assert_type(consumer, Consumer[AsyncSession])
    await consumer.run()


def locked(session: Session) -> None:
    with session.lock("nightly", for_=timedelta(minutes=5)) as lock:
        assert_type(lock, Lock)
        assert_type(lock.fence, int)
        with session.transaction() as t:
            t.check_lock(lock)
            t.check_lock("nightly")  # type: ignore[arg-type]
    session.lock("nightly", for_=5)  # type: ignore[arg-type]


async def locked_later(session: AsyncSession) -> None:
    async with session.lock("nightly", for_=timedelta(minutes=5), wait=timedelta()) as lock:
        assert_type(lock, AsyncLock)
        async with session.transaction() as t:
            t.check_lock(lock)
