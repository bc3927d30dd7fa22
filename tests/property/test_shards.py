"""An index over shards answers as one without: in order, whole, and from any cursor on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dynattrs import GlobalIndex, ModelError, Session, Table, between, model, set_
from dynattrs.keys.computed import shard_of
from key_schemas import connect

APP = Table(
    "sharded",
    partition_key="pk",
    indexes=[
        GlobalIndex("texts", partition_key="tpk", sort_key="tsk", write_shards=3),
        GlobalIndex("numbers", partition_key="npk", sort_key="nsk", write_shards=4),
        GlobalIndex("flat", partition_key="fpk", write_shards=2),
        GlobalIndex("keys", partition_key="kpk", sort_key="nsk", write_shards=3, projection="keys"),
    ],
    types={"nsk": "N"},
)


@model(
    APP, pk="P#{id}", tpk="S#{state}", tsk="{at:04d}#{id:03d}", npk="ALL", nsk="{at}",
    fpk="{state}", kpk="K#{state}",
)  # fmt: skip
class Event:
    id: int
    at: int
    state: str | None = "on"
    note: str = ""


@pytest.fixture(scope="module")
def session(dynamodb_local: str) -> Iterator[Session]:
    client = connect(dynamodb_local)
    session = Session(client=client)
    session.tables.create(APP)
    yield session
    session.tables.delete(APP)
    session.close()
    client.close()


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 4), st.sampled_from(["on", "on", "off", None]), st.sampled_from(["", "n"])
    ),
    max_size=30,
)
SETTINGS = settings(
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    max_examples=min(25, settings.default.max_examples),
)


def fill(session: Session, drawn: list[tuple[int, str | None, str]]) -> list[Event]:
    session.scan(Event).delete()
    events = [Event(n, at, state, note) for n, (at, state, note) in enumerate(drawn)]
    session.save_all(events)
    return events


@SETTINGS
@given(EVENTS, st.data())
def test_shards_are_merged_in_order(
    session: Session, drawn: list[tuple[int, str | None, str]], data: st.DataObject
) -> None:
    events = fill(session, drawn)
    low, high = sorted([data.draw(st.integers(0, 5)), data.draw(st.integers(0, 5))])
    reverse = data.draw(st.booleans())
    limit = data.draw(st.sampled_from([None, 1, 4, 7]))
    size = data.draw(st.sampled_from([None, 1, 3]))
    filtered = data.draw(st.booleans())

    def asked(query: Any) -> Any:
        query = query.reverse() if reverse else query
        query = query.filter(Event.note == "n") if filtered else query
        query = query.limit(limit) if limit else query
        return query.page_size(size) if size else query

    def wanted(chosen: list[Event]) -> list[Event]:
        chosen = [each for each in chosen if not filtered or each.note == "n"]
        return sorted(chosen, key=lambda each: each.at, reverse=reverse)

    on = wanted([each for each in events if each.state == "on" and low <= each.at <= high])
    by_text = (
        session.query(Event).where(Event.state == "on", between(Event.at, low, high)).using("texts")
    )
    found = asked(by_text).all()
    exact = sorted(on, key=lambda each: (each.at, each.id), reverse=reverse)
    assert found == exact[:limit]

    every = wanted([each for each in events if low <= each.at <= high])
    by_number = session.query(Event).where(between(Event.at, low, high)).using("numbers")
    found = asked(by_number).all()
    assert [each.at for each in found] == [each.at for each in every][:limit]
    assert len({each.id for each in found}) == len(found)

    flat = asked(session.query(Event).where(Event.state == "on").using("flat")).all()
    off = wanted([each for each in events if each.state == "on"])
    assert len(flat) == len(off[:limit])
    assert {each.id for each in flat} <= {each.id for each in off}

    hydrated = session.query(Event).where(Event.state == "off").using("keys").hydrate().all()
    assert sorted(each.id for each in hydrated) == [e.id for e in events if e.state == "off"]
    assert [each.at for each in hydrated] == sorted(each.at for each in hydrated)
    assert by_number.count() == sum(low <= each.at <= high for each in events)


@SETTINGS
@given(EVENTS, st.data())
def test_a_cursor_goes_on_in_every_shard(
    session: Session, drawn: list[tuple[int, str | None, str]], data: st.DataObject
) -> None:
    fill(session, drawn)
    query = session.query(Event).where(Event.at >= data.draw(st.integers(0, 2)))
    query = data.draw(
        st.sampled_from([
            query.using("numbers"),
            session.query(Event).where(Event.state == "on").using("texts"),
            session.query(Event).where(Event.state == "on", Event.at < 3).using("texts"),
            session.query(Event).where(Event.state == "on").using("flat"),
        ])
    )  # fmt: skip
    if data.draw(st.booleans()):
        query = query.reverse()
    whole = query.all()

    walked: list[Event] = []
    cursor = None
    while True:
        page = query.after(cursor).page(data.draw(st.integers(1, 4)))
        walked += page
        cursor = page.cursor
        if cursor is None:
            break

    assert walked == whole


def test_an_update_keeps_the_shard_of_its_item(session: Session) -> None:
    fill(session, [(3, "on", "")])
    shard = shard_of({"pk": {"S": "P#0"}}, 3)

    session.update(Event, 0, set_(Event.state, "off"), set_(Event.note, "moved"))

    raw = session.query(Event).where(Event.state == "off").using("texts").raw().one()
    assert raw["tpk"] == {"S": f"S#off#{shard}"}
    assert session.query(Event).where(Event.state == "on").using("texts").all() == []
    explained = session.query(Event).where(Event.state == "off").using("texts").explain()
    assert "shards: 3, '#0' to '#2' at the end of the partition key" in explained
    assert "key condition: (tpk == 'S#off')" in explained


@pytest.mark.parametrize("shards", [0, 1, 101, True, "3"])
def test_the_number_of_shards_is_checked(shards: Any) -> None:
    with pytest.raises(ModelError, match="an int from 2 to 100 is expected"):
        GlobalIndex("gsi", partition_key="a", write_shards=shards)


def test_shards_need_an_attribute_of_their_own() -> None:
    with pytest.raises(ModelError, match="must be text and part of no other key"):
        Table(
            "app", partition_key="pk", sort_key="sk",
            indexes=[GlobalIndex("gsi", partition_key="sk", write_shards=2)],
        )  # fmt: skip
    with pytest.raises(ModelError, match="make that key by a template"):
        app = Table(
            "app",
            partition_key="pk",
            indexes=[GlobalIndex("gsi", partition_key="g", write_shards=2)],
        )

        @model(app)
        class Plain:
            pk: str
            g: str
