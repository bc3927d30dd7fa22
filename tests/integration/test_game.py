"""The sample game, whose items another program made: modelled with key templates, and asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from dynattrs import (
    GlobalIndex,
    LocalIndex,
    Session,
    Table,
    add,
    begins_with,
    exists,
    field,
    mapper,
    model,
    path,
    remove,
    set_,
)
from shared_data import read

BATTLE = Table(
    "battle-royale",
    partition_key="PK",
    sort_key="SK",
    indexes=[
        GlobalIndex("inverted", partition_key="SK", sort_key="PK"),
        GlobalIndex("open-games", partition_key="map", sort_key="open_timestamp"),
        LocalIndex("by-place", sort_key="place"),
    ],
)


@model(BATTLE, PK="USER#{username}", SK="#METADATA#{username}")
class Player:
    username: str
    name: str
    email: str
    address: str
    birthdate: date


@model(BATTLE, PK="GAME#{game_id}", SK="#METADATA#{game_id}")
class Game:
    game_id: UUID
    map: str
    create_time: str
    people: int
    creator: str
    open_timestamp: str | None = None
    start_time: str | None = None
    end_time: str | None = None
    gold: str | None = None
    silver: str | None = None
    bronze: str | None = None


@model(BATTLE, PK="GAME#{game_id}", SK="USER#{username}")
class Seat:
    game_id: UUID
    username: str
    place: str | None = None


PODIUM = UUID("25cec5bf-e498-483e-9a00-a5f93b9ea7c7")
OPEN = UUID("0ab37cf1-fc60-4d93-b72b-89335f759581")


def rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in read("game_player_items.json").splitlines()]


def class_of(row: dict[str, Any]) -> type[Any]:
    if row["SK"].startswith("USER#"):
        return Seat
    return Player if row["PK"].startswith("USER#") else Game


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    """A session on the table as the other program has filled it."""
    session = Session(client=client, table_prefix=table_prefix)
    session.tables.create(BATTLE)
    requests = [
        {
            "PutRequest": {
                "Item": {
                    name: {"N": str(value)} if isinstance(value, int) else {"S": value}
                    for name, value in row.items()
                }
            }
        }
        for row in rows()
    ]
    for start in range(0, len(requests), 25):
        chunk = requests[start : start + 25]
        client.batch_write_item(RequestItems={f"{table_prefix}battle-royale": chunk})
    yield session
    session.close()


def test_the_templates_make_the_keys_that_the_other_program_made():
    for row in rows():
        made = mapper.from_json(json.dumps(row), class_of(row))
        stored = json.loads(mapper.to_dynamodb_json(made))

        assert {"PK": stored["PK"]["S"], "SK": stored["SK"]["S"]}.items() <= row.items()
        # Plain JSON has the fields, and no keys.
        assert json.loads(mapper.to_json(made)).items() == (
            row.items() - {("PK", row["PK"]), ("SK", row["SK"])}
        )


def test_every_item_is_told_by_its_key(session: Session):
    groups = session.scan(Player, Game, Seat).group_by_type()

    assert {cls: len(groups[cls]) for cls in groups} == {Player: 300, Game: 15, Seat: 520}
    assert session.scan(Game).count() == 15


def test_one_player_and_one_game(session: Session):
    assert session.get_one(Player, "lindsay56").name == "Daniel Price"
    assert session.get_one(Game, PODIUM).gold == "pboyd"
    assert session.get(Seat, {"game_id": PODIUM, "username": "pboyd"}) == Seat(
        PODIUM, "pboyd", "gold"
    )


def test_a_game_with_its_players_is_one_query(session: Session):
    before = session.stats.total

    found = session.query(Game, Seat).where(Game.game_id == PODIUM).group_by_type()

    assert session.stats.total == before + 1
    assert found.one(Game).people == len(found[Seat]) == 50
    assert sorted(s.username for s in found[Seat]) == [s.username for s in found[Seat]]


def test_the_players_of_a_game_are_narrowed_by_their_prefix(session: Session):
    seats = session.query(Seat).where(Seat.game_id == PODIUM)

    assert seats.count() == 50
    assert "(begins_with(SK, 'USER#'))" in seats.explain()
    some = seats.where(begins_with(Seat.username, "p"))
    assert {seat.username for seat in some} == {s.username for s in seats if s.username[0] == "p"}
    assert "(begins_with(SK, 'USER#p'))" in some.explain()


def test_the_games_of_a_player_are_in_the_inverted_index(session: Session):
    games = session.query(Seat).where(Seat.username == "pboyd")

    expected = {r["game_id"] for r in rows() if class_of(r) is Seat and r["username"] == "pboyd"}
    assert {str(seat.game_id) for seat in games} == expected
    assert "index: inverted" in games.explain()
    assert "key condition: (SK == 'USER#pboyd') & (begins_with(PK, 'GAME#'))" in games.explain()


def test_open_games_of_a_map_by_time(session: Session):
    games = session.query(Game).where(Game.map == "Green Grasslands", exists(Game.open_timestamp))

    expected = sorted(
        r["open_timestamp"]
        for r in rows()
        if r.get("map") == "Green Grasslands" and "open_timestamp" in r
    )
    assert [game.open_timestamp for game in games] == expected
    assert "index: open-games" in games.explain()
    early = session.query(Game).where(
        Game.map == "Green Grasslands", path(Game.open_timestamp) < "2019-04-15"
    )
    assert [game.open_timestamp for game in early] == [t for t in expected if t < "2019-04-15"]


def test_all_open_games_are_the_sparse_index(session: Session):
    games = session.scan(Game).using("open-games").all()

    assert len(games) == sum("open_timestamp" in row for row in rows())
    assert all(game.open_timestamp for game in games)


def test_the_podium_of_a_game_is_the_local_index(session: Session):
    podium = session.query(Seat).where(Seat.game_id == PODIUM).using("by-place").all()

    assert [seat.place for seat in podium] == ["bronze", "gold", "silver"]


def test_a_player_joins_a_game_and_the_game_starts(session: Session):
    with session.transaction() as t:
        t.insert(Seat(OPEN, "lindsay56"))
        t.update(Game, OPEN, add(Game.people, 1), when=Game.people < 50)
    assert session.query(Seat).where(Seat.game_id == OPEN).count() == 35

    session.update(
        Game, OPEN, remove(Game.open_timestamp), set_(Game.start_time, "2019-04-16T10:00:00")
    )

    assert OPEN not in {game.game_id for game in session.scan(Game).using("open-games")}
    assert session.get_one(Game, OPEN).people == 35


def test_fields_that_are_only_in_keys_are_read_from_what_is_stored(session: Session):
    table = Table("battle-royale", partition_key="PK", sort_key="SK")

    @model(table, PK="GAME#{game_id}", SK="USER#{username}", unknown="drop")
    class Sitting:
        game_id: UUID = field(key_only=True)
        username: str = field(key_only=True)

    found = session.query(Sitting).where(Sitting.game_id == PODIUM).all()

    assert len(found) == 50
    assert found[0].game_id == PODIUM
