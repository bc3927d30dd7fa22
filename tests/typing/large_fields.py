"""Fields with values in S3: what is saved and fetched has the type that the field says."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from typing_extensions import assert_type

from dynattrs import Session, exists, model, partition_key, set_
from dynattrs.aio import AsyncSession
from dynattrs.s3 import InS3, Large, Orphan


@model("documents")
class Document:
    id: str = partition_key()
    body: Annotated[Large[bytes], InS3("documents")]
    facts: Annotated[Large[dict[str, int]] | None, InS3("documents", above=1)] = None


def waits(session: Session) -> None:
    document = session.save(Document("a", Large(b"...")))
    assert_type(document.body, Large[bytes])
    assert_type(session.fetch(document.body), bytes)
    assert_type(session.fetch_all([document.body]), list[bytes])
    assert_type(document.body.value, bytes)
    if document.facts is not None:
        assert_type(session.fetch(document.facts), dict[str, int])
    session.update(document, set_(Document.body, Large(b"new")))
    session.scan(Document).where(exists(Document.facts))
    orphans = session.tables.orphans(Document, unnamed_for=timedelta(days=2), delete=True)
    assert_type(orphans, list[Orphan])
    with session.batch() as batch:
        assert_type(batch.fetch(document.body), bytes)

    Document("a", b"...")  # type: ignore[arg-type]
    Document("a", Large("..."))  # type: ignore[arg-type]
    session.fetch(document.id)  # type: ignore[arg-type]
    session.fetch(document.facts)  # type: ignore[arg-type]


async def awaits(session: AsyncSession) -> None:
    document = await session.get_one(Document, "a")
    assert_type(await session.fetch(document.body), bytes)
    assert_type(await session.fetch_all([document.body]), list[bytes])
    assert_type(await session.tables.orphans(Document), list[Orphan])
