"""Reads by key, of whole items and of parts, of several models and tables: whichever verb reads, it gives
what plain Python says of the objects that were saved.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs
import boto3
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from dynattrs import MappingError, Session, Table, field, model, partition_key, sort_key

if TYPE_CHECKING:
    from dynattrs.wire.local_engine import Lease

NOW = datetime(2026, 11, 27, 12, tzinfo=timezone.utc)


@attrs.define
class Place:
    city: str = ""
    floors: list[int] = attrs.field(factory=list)


@model("parts-rooms")
class Room:
    house: Decimal = partition_key()
    day: date = sort_key()
    n: int = field(name="number", default=0)
    text: str | None = None
    tags: set[str] = attrs.field(factory=set)
    place: Place | None = None
    expires: datetime | None = field(ttl=True, default=None)


APP = Table("parts-app", partition_key="pk", sort_key="sk", discriminator="type", ttl="expires")


@model(APP, pk="ROOM#{house}", sk="KEY#{n:04d}")
class Key:
    house: int
    n: int
    text: str | None = None
    tags: set[str] = attrs.field(factory=set)
    expires: datetime | None = field(ttl=True, default=None)


@model(APP, pk="ROOM#{house}", sk="LOCK")
class Lock:
    house: int
    n: int = 5
    text: str | None = "no text"
    expires: datetime | None = field(ttl=True, default=None)


def renumbered(item: dict[str, Any]) -> None:
    item["n"] = int(item.pop("old"))


@model("parts-boxes", upgrades=[renumbered])
class Box:
    id: bytes = partition_key()
    n: int
    text: str | None = None
    expires: datetime | None = field(ttl=True, default=None)


@attrs.define
class Part:
    n: int
    text: str | None = None


MODELS = (Room, Key, Lock, Box)

texts = st.none() | st.text(max_size=3)
ends = st.sampled_from([None, None, NOW - timedelta(days=1), NOW + timedelta(days=1)])
tags = st.sets(st.sampled_from("abc"))
numbers = st.integers(0, 3)
places = st.none() | st.builds(Place, st.text(max_size=2), st.lists(numbers, max_size=2))
days = st.sampled_from([date(2026, 1, 1), date(2026, 1, 2)])


@pytest.fixture(scope="module")
def local_session(dynamodb_local: str) -> Iterator[Session]:
    yield from connected(
        endpoint_url=dynamodb_local, aws_access_key_id="parts", aws_secret_access_key="x"
    )


@pytest.fixture(scope="module")
def embedded_session(embedded: Lease) -> Iterator[Session]:
    yield from connected(
        endpoint_url=embedded.endpoint_url, aws_access_key_id=embedded.access_key,
        aws_secret_access_key=embedded.secret_key,
    )  # fmt: skip


def connected(**arguments: Any) -> Iterator[Session]:
    client = boto3.client("dynamodb", region_name="us-east-1", **arguments)
    with Session(client=client, clock=lambda: NOW) as session:
        session.tables.create(*MODELS)
        yield session
        session.tables.delete(*MODELS)
    client.close()


#: Each example has a house of its own, so that no table has to be emptied.
houses = itertools.count(1)


@st.composite
def programs(draw: st.DrawFn) -> dict[str, Any]:
    house = next(houses)

    ids = st.sampled_from([f"{house}-{end}".encode() for end in "abc"])

    def some(of: st.SearchStrategy[Any], most: int = 4) -> list[Any]:
        return draw(st.lists(of, max_size=most))

    objects = [
        *some(st.builds(Room, st.just(Decimal(house)), days, numbers, texts, tags, places, ends)),
        *some(st.builds(Key, st.just(house), numbers, texts, tags, ends)),
        *some(st.builds(Lock, st.just(house), numbers, texts, ends), 1),
        *some(st.builds(Box, ids, numbers, texts, ends)),
    ]  # fmt: skip
    # The same key in other spellings.
    room_key = st.tuples(st.sampled_from([Decimal(house), Decimal(f"{house}.0")]), days)
    key_key = st.tuples(st.just(house), numbers)
    keys = st.one_of(
        st.tuples(st.just(Room), room_key | room_key.map(lambda k: {"day": k[1], "house": k[0]})),
        st.tuples(st.just(Key), key_key | key_key.map(lambda k: {"n": k[1], "house": k[0]})),
        st.tuples(st.just(Lock), st.just(house) | st.just((house,))),
        st.tuples(st.just(Box), ids),
    )
    return {
        "objects": objects,
        "old": some(st.tuples(ids, numbers), 1),
        "odd": draw(st.booleans()),
        "house": house,
        "wanted": draw(st.lists(keys, max_size=12)),
        "unexpired": draw(st.booleans()),
        "part": draw(st.sampled_from(["whole", "as_", "select"])),
    }


def identity(cls: Any, key: Any) -> Any:
    if isinstance(key, dict):
        key = (key["house"], key.get("n", key.get("day")))
    return (cls, *(key if isinstance(key, tuple) else (key,)))


def stored(session: Session, program: dict[str, Any]) -> dict[Any, Any]:
    """What is in the tables after the saves of a program, by key."""
    world: dict[Any, Any] = {}
    for obj in program["objects"]:
        session.save(obj)
        key = obj.id if isinstance(obj, Box) else obj.house
        if not isinstance(obj, (Box, Lock)):
            key = (key, obj.day if isinstance(obj, Room) else obj.n)
        world[identity(type(obj), key)] = obj
    for id_, number in program["old"]:
        item = {"id": {"B": id_}, "old": {"S": str(number)}}
        session.client.put_item(TableName="parts-boxes", Item=item)
        world[Box, id_] = Box(id_, number)
    if program["odd"]:
        item = {
            "house": {"N": f"{program['house']}.00"}, "day": {"S": "2026-01-01"},
            "number": {"S": "x"}, "text": {"N": "1"},
        }  # fmt: skip
        session.client.put_item(TableName="parts-rooms", Item=item)
        world[Room, program["house"], date(2026, 1, 1)] = None  # cannot be read
    return world


def check(session: Session, program: dict[str, Any]) -> None:
    world = stored(session, program)
    unexpired, part = program["unexpired"], program["part"]
    options: dict[str, Any] = {"as_": Part} if part == "as_" else {}
    options["consistent"] = True
    first: dict[Any, Any] = {}
    for each in program["wanted"]:
        first.setdefault(identity(*each), each)
    unique = list(first.values())

    def expected(cls: Any, key: Any) -> tuple[Any, ...]:
        """The result of one key: nothing where there is none."""
        if identity(cls, key) not in world:
            return ()
        obj = world[identity(cls, key)]
        if obj is None:
            return ("unreadable",)
        if unexpired and obj.expires is not None and obj.expires <= NOW:
            return ()
        if part == "as_":
            return (Part(obj.n, obj.text),)
        if part == "select":
            return ((obj.text, obj.n),)
        return (obj,)

    def asked(cls: Any) -> dict[str, Any]:
        return {**options, **({"select": (cls.text, cls.n)} if part == "select" else {})}

    event(part)
    results = [expected(*each) for each in unique]
    for (cls, key), result in zip(unique, results, strict=True):
        if result == ("unreadable",):
            with pytest.raises(MappingError):
                session.get(cls, key, unexpired=unexpired, **asked(cls))
        else:
            found = session.get(cls, key, unexpired=unexpired, **asked(cls))
            assert found == (result[0] if result else None)

    # Of the fields of several models there are no tuples.
    groups = [unique] if part != "select" else [[e for e in unique if e[0] is m] for m in MODELS]
    for group in filter(None, groups):
        wanted = [each for each in program["wanted"] if first[identity(*each)] in group]
        more = asked(group[0][0]) if part == "select" else options
        found_each = [expected(*each) for each in group]
        readable = [one for one in found_each if one != ("unreadable",)]
        told: list[MappingError] = []
        many = session.get_many(iter(wanted), missing="none", unexpired=unexpired, **more)
        assert many.on_error(told.append).all() == [
            one[0] if one and one != ("unreadable",) else None for one in found_each
        ]
        assert len(told) == len(found_each) - len(readable)
        assert many.missing == [
            each for each, one in zip(group, found_each, strict=True) if not one
        ]
        ordered = session.get_many(wanted, ordered=True, unexpired=unexpired, **more).on_error(
            "skip"
        )
        assert list(ordered) == [one[0] for one in readable if one]
        any_order = session.get_many(wanted, unexpired=unexpired, **more).on_error("skip")
        left = [one[0] for one in readable if one]
        for each in any_order:
            left.remove(each)
        assert not left
        if unexpired or len(readable) < len(found_each):
            continue
        at_once = {name: value for name, value in more.items() if name != "consistent"}
        assert session.transact_get(*group, **at_once) == tuple(
            one[0] if one else None for one in found_each
        )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(program=programs())
def test_reads_give_what_was_saved_on_dynamodb_local(
    local_session: Session, program: dict[str, Any]
):
    check(local_session, program)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(program=programs())
def test_reads_give_what_was_saved(embedded_session: Session, program: dict[str, Any]):
    check(embedded_session, program)
