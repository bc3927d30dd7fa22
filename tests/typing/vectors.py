"""Searches: what they return, and that every end knows its type."""

from __future__ import annotations

from array import array
from decimal import Decimal
from typing import Any

import attrs
from typing_extensions import assert_type

from dynattrs import Hit, Search, Session, Vector, VectorIndex, model, partition_key, path
from dynattrs.aio import AsyncSearch, AsyncSession


@model("docs", indexes=[VectorIndex("near", vector="embedding", dimensions=2, filters=["lang"])])
class Doc:
    id: str = partition_key()
    lang: str
    year: int | None = None
    embedding: list[float] = attrs.field(factory=list)


@attrs.define
class Title:
    id: str


session = Session()
question = [0.5, 1.0]

# --- Saying what is wanted ------------------------------------------------------------------------

found = session.search(Doc, question)
assert_type(found, Search[Doc])
assert_type(session.search(Doc.embedding, question, top_k=3, model=Doc), Search[Doc])
assert_type(session.search(Doc.embedding, question), Search[Any])
assert_type(found.where(Doc.lang == "en").using("near").hydrate().on_error("skip"), Search[Doc])
assert_type(found.as_(Title), Search[Title])
assert_type(found.select(Doc.id), Search[tuple[str]])
assert_type(found.select(Doc.id, path(Doc.year)), Search[tuple[str, int]])
assert_type(found.keys(), Search[dict[str, Any]])

# --- Ends -----------------------------------------------------------------------------------------

for hit in found:
    assert_type(hit, Hit[Doc])
    assert_type(hit.item, Doc)
    assert_type(hit.score, float)
    assert_type(hit.distance, float)
assert_type(found.all(), list[Hit[Doc]])
assert_type(found.first(), Hit[Doc] | None)
assert_type(found.explain(), str)
with session.batch() as batch:
    assert_type(batch.search(Doc, question), Search[Doc])

found.filter(Doc.lang == "en")  # type: ignore[attr-defined]
found.limit(3)  # type: ignore[attr-defined]
found.on_error("ignore")  # type: ignore[arg-type]

# --- Vectors ----------------------------------------------------------------------------------------

vectors: list[Vector] = [[1, 2], (0.5, 1.0), array("f", [1, 2]), [Decimal(1), Decimal(2)]]
session.search(Doc, 7)  # type: ignore[call-overload]
session.search(Doc, {1.0, 2.0})  # type: ignore[call-overload]
session.search(Doc, question, top_k="3")  # type: ignore[call-overload]
session.search(Doc)  # type: ignore[call-overload]

# --- Indexes ----------------------------------------------------------------------------------------

VectorIndex("near", vector="embedding", dimensions=2, distance="dot", partition_key="tenant")
VectorIndex("near", vector="embedding", dimensions=2, distance="taxi")  # type: ignore[arg-type]
VectorIndex("near", vector="embedding")  # type: ignore[call-arg]


async def awaited(session: AsyncSession) -> None:
    found = session.search(Doc, question)
    assert_type(found, AsyncSearch[Doc])
    assert_type(await found.all(), list[Hit[Doc]])
    assert_type(await found.as_(Title).first(), Hit[Title] | None)
    async for hit in found.where(Doc.lang == "en").hydrate():
        assert_type(hit, Hit[Doc])
