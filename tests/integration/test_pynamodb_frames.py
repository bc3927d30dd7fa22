"""Frames of models with PynamoDB's forms hold the values, and not what they are stored as."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Annotated, Any

import attrs
import pytest

from dynattrs import Json, Session, model, partition_key, pynamodb

pytest.importorskip("pyarrow")

NOON = datetime(2026, 11, 23, 12, 30, tzinfo=timezone.utc)


@model("framed", forms=pynamodb.forms)
class Framed:
    id: str = partition_key()
    at: datetime
    data: bytes = b""
    datas: set[bytes] = attrs.field(factory=set)
    ok: bool = True
    seconds: Annotated[datetime, pynamodb.Timestamp] | None = None
    span: Annotated[timedelta, pynamodb.TimedeltaMs] | None = None
    day: Annotated[date, pynamodb.IntegerDate] | None = None
    doc: Annotated[dict[str, float], pynamodb.Json] = attrs.field(factory=dict)
    other: Annotated[list[int], Json] = attrs.field(factory=list)


def test_frames_have_the_values_and_are_saved_as_they_are_stored(
    client: Any, table_prefix: str
) -> None:
    polars = pytest.importorskip("polars")
    span, day = timedelta(seconds=1.5), date(2026, 11, 23)
    obj = Framed("a", NOON, b"\xca", {b"x"}, False, NOON, span, day, {"x": float("inf")}, [1])
    with Session(client=client, table_prefix=table_prefix) as session:
        session.tables.create(Framed)
        session.save(obj)
        before = session.scan(Framed).raw().one()
        table = session.scan(Framed).arrow().table()
        assert table.column("data").to_pylist() == [b"\xca"]
        assert table.column("datas").to_pylist() == [[b"x"]]
        assert table.column("at").to_pylist() == [NOON]
        assert table.column("ok").to_pylist() == [False]
        assert table.column("doc").to_pylist() == [[("x", float("inf"))]]
        frame = session.scan(Framed).polars()
        assert isinstance(frame, polars.DataFrame)
        session.save_frame(Framed, frame)
        assert session.scan(Framed).raw().one() == before
        assert session.scan(Framed).one() == obj
