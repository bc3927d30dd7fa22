"""`get_many` on each engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dynattrs import (
    MappingError,
    QueryError,
    Session,
    SessionClosed,
    model,
    partition_key,
    sort_key,
)


@model("music")
class Song:
    artist: str = partition_key()
    number: int = sort_key()
    plays: int = 0


@model("blobs")
class Blob:
    id: bytes = partition_key()


SONGS = [Song("Nina", number, number * 2) for number in range(250)]


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Song, Blob)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    with_prefix = Session(client=client, table_prefix=table_prefix)
    yield with_prefix
    with_prefix.close()


@pytest.fixture
def songs(session: Session) -> list[Song]:
    session.save_all(SONGS)
    return SONGS


def keys(*numbers: int) -> list[tuple[str, int]]:
    return [("Nina", number) for number in numbers]


def test_many_items_come_a_hundred_to_a_request(session: Session, songs: list[Song]):
    found = list(session.get_many(Song, keys(*range(250))))

    assert sorted(found, key=lambda song: song.number) == songs
    assert session.stats.requests["BatchGetItem"] == 3


def test_the_order_of_the_keys_is_kept_on_request(session: Session, songs: list[Song]):
    backwards = range(249, -1, -1)

    found = session.get_many(Song, keys(*backwards), ordered=True)

    assert [song.number for song in found] == list(backwards)


@pytest.mark.threads_only  # a generator cannot await
def test_what_a_batch_takes_while_keys_are_made_is_read(session: Session):
    with session.batch() as batch:

        def saved() -> Iterator[tuple[str, int]]:
            for song in SONGS:
                batch.save(song)
                yield song.artist, song.number

        assert batch.get_many(Song, saved(), ordered=True, consistent=True).all() == SONGS


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 200])
def test_any_number_of_keys(session: Session, songs: list[Song], count: int):
    found = list(session.get_many(Song, keys(*range(count)), ordered=True, consistent=True))

    assert found == songs[:count]
    assert session.stats.requests["BatchGetItem"] == (count + 99) // 100


def test_missing_items_are_skipped_and_told_afterwards(session: Session, songs: list[Song]):
    found = session.get_many(Song, keys(1, 999, 2, 998))

    assert sorted(song.number for song in found) == [1, 2]
    assert found.missing == keys(999, 998)


def test_missing_items_are_none_in_their_place_on_request(session: Session, songs: list[Song]):
    found = session.get_many(Song, keys(2, 999, 1), missing="none")

    assert list(found) == [songs[2], None, songs[1]]
    assert found.missing == keys(999)


def test_a_key_is_read_once_however_often_and_in_whatever_form_it_is_given(
    session: Session, songs: list[Song]
):
    asked = [*keys(1, 2, 1), {"artist": "Nina", "number": 1}, ("Nina", 2)]

    assert list(session.get_many(Song, asked, ordered=True)) == [songs[1], songs[2]]
    found = session.get_many(Song, [*keys(1, 999, 1, 2), *keys(999)], missing="none")
    assert list(found) == [songs[1], None, songs[2]]


def test_keys_may_be_a_generator_that_is_read_as_needed(session: Session, songs: list[Song]):
    taken: list[int] = []

    def asked() -> Iterator[tuple[str, int]]:
        for number in range(250):
            taken.append(number)
            yield "Nina", number

    found = session.get_many(Song, asked())

    assert taken == []
    assert session.stats.requests["BatchGetItem"] == 0
    next(iter(found))
    assert len(taken) == 250


def test_a_bad_key_is_refused_where_it_is_met(session: Session, songs: list[Song]):
    with pytest.raises(MappingError, match=r"Song.number: expected .*, found str 'x'"):
        list(session.get_many(Song, [("Nina", 1), ("Nina", "x")]))
    with pytest.raises(MappingError, match="the key of Song"):
        list(session.get_many(Song, ["Nina"]))
    with pytest.raises(QueryError, match=r"get_many\(missing='null'\): write 'skip' or 'none'"):
        session.get_many(Song, [], missing="null")  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "one", ["ab", b"ab", {"id": b"a"}, 5], ids=["text", "bytes", "dict", "number"]
)
def test_one_key_is_not_taken_for_several(session: Session, one: Any):
    """The letters of a text and the fields of a dict would each be read as a key."""
    with pytest.raises(QueryError, match=r"get_many\(Blob, .*several keys .* use get"):
        session.get_many(Blob, one)
    assert session.stats.total == 0


def test_the_keys_of_a_dict_are_keys(session: Session):
    session.save_all([Blob(b"a"), Blob(b"b")])

    assert list(session.get_many(Blob, {b"a": 1, b"b": 2}, ordered=True)) == [
        Blob(b"a"),
        Blob(b"b"),
    ]
    assert list(session.get_many(Blob, {})) == []


def test_a_list_of_pairs_is_not_one_of_them(session: Session):
    wrong: Any = [(Blob, b"a")]
    with pytest.raises(QueryError, match=r"transact_get: a pair of a model and a key .* found \["):
        session.transact_get(wrong)
    with pytest.raises(QueryError, match=r"get_many: a pair of a model and a key .* found b'a'"):
        list(session.get_many([b"a"]))  # type: ignore[list-item]


def test_binary_keys(session: Session):
    blobs = [Blob(bytes([number])) for number in range(150)]
    session.save_all(blobs)

    found = session.get_many(Blob, [blob.id for blob in blobs] + [b"\xff\xfe"], ordered=True)

    assert list(found) == blobs
    assert found.missing == [b"\xff\xfe"]


def test_what_is_pending_in_a_batch_is_sent_first(session: Session):
    with session.batch() as batch:
        batch.save(Song("Nina", 1))
        found = list(batch.get_many(Song, keys(1), consistent=True))

    assert found == [Song("Nina", 1)]


def test_a_stream_left_early_asks_for_no_more(session: Session, songs: list[Song]):
    for _ in session.get_many(Song, keys(*range(250))):
        break
    session.close()

    assert session.stats.requests["BatchGetItem"] <= 3


def test_a_closed_session_is_refused(session: Session):
    session.close()

    with pytest.raises(SessionClosed):
        session.get_many(Song, keys(1))


class Halving:
    """Leaves half of the keys of every BatchGetItem of two or more unprocessed."""

    def __init__(self, client: Any) -> None:
        self.left = 0
        client.meta.events.register("before-call.dynamodb.BatchGetItem", self.before)
        client.meta.events.register("after-call.dynamodb.BatchGetItem", self.after)

    def before(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        body = json.loads(params["body"])
        ((table, request),) = body["RequestItems"].items()
        middle = (len(request["Keys"]) + 1) // 2
        left = request["Keys"][middle:]
        request["Keys"] = request["Keys"][:middle]
        params["body"] = json.dumps(body).encode()
        context["left"] = {table: {**request, "Keys": left}} if left else {}
        self.left += len(left)

    def after(self, parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        parsed["UnprocessedKeys"] = context["left"]


@pytest.mark.parametrize("ordered", [True, False])
def test_unprocessed_keys_are_asked_for_again(
    session: Session, songs: list[Song], client: Any, ordered: bool
):
    halving = Halving(client)

    found = list(session.get_many(Song, keys(*range(250), 999), ordered=ordered))

    assert sorted(found, key=lambda song: song.number) == songs
    assert not ordered or found == songs
    assert halving.left > 200
    assert session.stats.unprocessed == halving.left
