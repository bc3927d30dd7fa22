"""The forms of a key, and what is said of a wrong one."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID

import pytest

from dynattrs import MappingError, Table, field, limits, model, partition_key, sort_key
from dynattrs.mapper.size import item_size
from dynattrs.operations.flows import Call
from dynattrs.operations.item_keys import key_of
from dynattrs.schema.model_info import model_info
from stepped_session import ByHand


@model("things")
class Thing:
    id: int = partition_key()
    name: str = ""


@model("music")
class Song:
    artist: str = partition_key(name="a")
    year: int = sort_key()
    title: str = field(name="t", default="")


class Colour(Enum):
    RED = "red"


@model("odd")
class Odd:
    when: datetime = partition_key()
    colour: Colour = sort_key()


@model("ids")
class Identified:
    id: UUID = partition_key()


class Both(NamedTuple):
    artist: str
    year: int


@pytest.mark.parametrize("key", [7, (7,), {"id": 7}])
def test_a_key_of_one_field_is_a_value_a_tuple_or_a_dict(key: Any):
    assert key_of(model_info(Thing), key) == {"id": {"N": "7"}}


@pytest.mark.parametrize(
    "key",
    [
        ("Nina", 1965),
        Both("Nina", 1965),
        {"artist": "Nina", "year": 1965},
        {"year": 1965, "artist": "Nina"},
    ],
)
def test_a_key_of_two_fields_is_a_tuple_or_a_dict_of_fields(key: Any):
    assert key_of(model_info(Song), key) == {"a": {"S": "Nina"}, "year": {"N": "1965"}}


def test_the_parts_of_a_key_are_mapped_as_their_fields_are():
    when = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)

    assert key_of(model_info(Odd), (when, Colour.RED)) == {
        "when": {"S": "2026-11-23T12:00:00.000000Z"},
        "colour": {"S": "red"},
    }


SONG = "Song: expected the key of Song: a tuple (artist, year) or a dict of these, found "
THING = "Thing: expected the key of Thing: a value for 'id', or a dict {'id': …}, found "


@pytest.mark.parametrize(
    ("cls", "key", "message"),
    [
        (Song, "Nina", SONG + "str 'Nina'"),
        (Song, ("Nina",), SONG + "tuple ('Nina',)"),
        (Song, ("Nina", 1965, "x"), SONG + "tuple ('Nina', 1965, 'x')"),
        (Song, ["Nina", 1965], SONG + "list ['Nina', 1965]"),
        (Song, None, SONG + "NoneType None"),
        (Song, {"artist": "Nina"}, SONG + "no 'year'"),
        (Song, {}, SONG + "no 'artist' and no 'year'"),
        (Song, {"artist": "Nina", "yaer": 1965}, SONG + "'yaer'; did you mean 'year'?"),
        (Song, {"artist": "Nina", "year": 1, "title": "x"}, SONG + "'title'"),
        (Song, ("Nina", "1965"), "Song.year: expected an int of up to 38 digits, found str '1965'"),
        (Song, ("Nina", 1.5), "Song.year: expected an int of up to 38 digits, found float 1.5"),
        (Song, (1965, "Nina"), "Song.artist: expected a str, found int 1965"),
        (Thing, (7, 8), "Thing.id: expected an int of up to 38 digits, found tuple (7, 8)"),
        (Thing, {"name": "x"}, THING + "'name'"),
        (Thing, 7.5, "Thing.id: expected an int of up to 38 digits, found float 7.5"),
        (Identified, "nonsense", "Identified.id: expected a UUID, found str 'nonsense'"),
    ],
)
def test_a_wrong_key_is_told_what_it_should_be(cls: type[Any], key: Any, message: str):
    with pytest.raises(MappingError) as caught:
        key_of(model_info(cls), key)

    assert str(caught.value).startswith(message)


_APP = Table("app", partition_key="pk", sort_key="sk")


@model(_APP, pk="USER#{user_id}", sk="PROFILE")
class Person:
    user_id: str


@model(_APP, pk="USER#{user_id}", sk="ORDER#{day}#{number}")
class Ordered:
    user_id: str
    day: str
    number: int


@pytest.mark.parametrize(
    ("cls", "key", "message"),
    [
        (
            Person,
            ("USER#1", "PROFILE"),
            "Person: expected the key of Person: a value for 'user_id', or a dict {'user_id': …}, found "
            "tuple ('USER#1', 'PROFILE'); keys are given by their fields, which make "
            "pk='USER#{user_id}' and sk='PROFILE'",
        ),
        (
            Person,
            {"pk": "USER#1", "sk": "PROFILE"},
            "found 'pk'; there are 'user_id'; keys are given by their fields, which make pk='USER#{user_id}'",
        ),
        (
            Ordered,
            ("USER#1", "ORDER#1#2"),
            "keys are given by their fields, which make pk='USER#{user_id}'",
        ),
        (
            Ordered,
            {"user_id": "1", "day": "1"},
            "found no 'number'; keys are given by their fields",
        ),
    ],
)
def test_a_key_as_templates_make_it_is_told_of_the_fields(cls: type[Any], key: Any, message: str):
    with pytest.raises(MappingError, match=re.escape(message)):
        key_of(model_info(cls), key)


def test_an_empty_key_is_refused_before_it_is_sent():
    with pytest.raises(MappingError, match=r"Song\.artist: expected a value that is not empty"):
        key_of(model_info(Song), ("", 1965))


def test_a_whole_object_as_its_key_is_refused_without_printing_it():
    with pytest.raises(MappingError) as caught:
        key_of(model_info(Song), Song("Nina", 1965, "x" * 5000))

    assert len(str(caught.value)) < 200


# --- Items --------------------------------------------------------------------------------------------


def thing_of(size: int) -> Thing:
    """An object whose item has so many bytes."""
    mapper: Any = model_info(Thing).mapper
    return Thing(7, "x" * (size - item_size(mapper.dump(Thing(7)))))


def test_an_item_of_400_kb_is_sent_and_one_byte_more_is_refused_before():
    session = ByHand()

    assert isinstance(next(session.save(thing_of(limits.ITEM_BYTES))), Call)
    for write in (session.save, session.insert, lambda obj: session.save_all([obj])):
        with pytest.raises(MappingError, match=r"Thing: expected an item of at most 409,600 bytes"):
            next(write(thing_of(limits.ITEM_BYTES + 1)))
