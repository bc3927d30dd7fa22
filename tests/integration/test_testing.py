"""`dynattrs.testing`: faults, records, a clock and seed data, on every way that a request may go."""

from __future__ import annotations

import functools
import json
import time
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import attrs
import pytest
from botocore.stub import Stubber

import dynattrs
import dynattrs.workbench
from dynattrs import (
    ConfigurationError,
    ConnectionFailed,
    GlobalIndex,
    ModelError,
    NoSuchTable,
    OutcomeUnknown,
    ServiceError,
    ServiceUnavailable,
    Table,
    Throttled,
    UnsentWrites,
    add,
    field,
    if_not_exists,
    model,
    partition_key,
    set_,
    sort_key,
)
from dynattrs.testing import (
    clock,
    error,
    faults,
    latency,
    lost_reply,
    recorded,
    reset,
    seed,
    throttled,
    unavailable,
    unprocessed,
    unreachable,
)
from dynattrs.testing.worlds import Access, AsyncClients, Clients

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from integration.conftest import Endpoint

WAYS = ("fast", "ordinary", "asyncio", "asyncio-ordinary")


@model("songs", indexes=[GlobalIndex("by-genre", partition_key="genre")])
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    genre: str = "jazz"
    plays: int = 0
    cover: bytes = b""
    tags: set[str] = attrs.field(factory=set)


@model("counts")
class Count:
    id: str = partition_key()
    number: int = 0
    before: int = 0
    by_day: dict[str, int] | None = None


@model("tickets")
class Ticket:
    id: str = partition_key()
    made: datetime = field(created=True)
    expires: datetime | None = field(ttl=True, default=None)


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Song, Ticket, Count)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@functools.cache
def maker(make: Callable[[Access], Any], endpoint: str, *keys: str) -> Any:
    """What makes clients: to make that takes longer than to make a client."""
    return make(Access(endpoint, *keys))


@pytest.fixture
def session(
    way: str,
    endpoint: Endpoint,
    table_prefix: str,
    client: Any,
    stack: ExitStack,
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    """A session that sends its requests one of the ways, once it has sent one of each kind."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "10")  # newer releases of botocore try less often
    names = ("access_key_id", "secret_access_key")
    access = endpoint.url, *(endpoint.credentials[f"aws_{name}"] for name in names)
    options: dict[str, Any] = {"table_prefix": table_prefix, "fast": not way.endswith("ordinary")}
    if way.startswith("asyncio"):
        awaited = pytest.importorskip("awaited_session", reason="pip install 'dynattrs[aio]'")
        made = awaited.Awaited(
            dynattrs.aio.AsyncSession(aiobotocore_session=maker(AsyncClients, *access), **options)
        )
    else:
        made = dynattrs.Session(boto3_session=maker(Clients, *access), **options)
    stack.callback(made.close)
    made.save(Song("warm", "up"))
    made.save_all([Song("warm", "up")])
    made.get(Song, ("warm", "up"))
    made.update(Song, ("warm", "up"), add(Song.plays, 1))
    list(made.get_many(Song, [("warm", "up")]))
    made.delete(Song, ("warm", "up"))
    return made


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def inner(session: Any) -> Any:
    """The session itself, of one that is awaited behind a surface."""
    return getattr(session, "_inner", session)


SONG = Song("Nina Simone", "Sinnerman")
KEY = ("Nina Simone", "Sinnerman")


# --- Faults ---------------------------------------------------------------------------------------


def test_a_throttled_request_is_sent_again(session: Any):
    with faults(inner(session), throttled("PutItem", times=2)) as injected:
        with recorded(inner(session)) as calls:
            session.save(SONG)

    assert injected.counts == [2]
    assert [(call.operation, call.attempts, call.error) for call in calls] == [("PutItem", 3, None)]
    assert session.get(Song, KEY) == SONG


def test_fast_ways_stay_fast_under_faults(session: Any, way: str):
    before = session.stats.direct

    with faults(inner(session), throttled("PutItem", times=1, skip=1)):
        session.save(SONG)

    assert session.stats.direct - before == (0 if way.endswith("ordinary") else 1)


def test_what_fails_for_good_is_the_error_that_the_service_would_raise(session: Any):
    with clock(inner(session)), faults(inner(session), throttled()) as injected:
        with pytest.raises(Throttled, match="ProvisionedThroughputExceededException"):
            session.get(Song, KEY)

    assert injected.count == 10
    assert injected.by_operation == {"GetItem": 10}


@pytest.mark.parametrize(
    ("fault", "expected", "uncertain"),
    [
        (unavailable("update_item"), ServiceUnavailable, True),
        (error("AccessDeniedException", "UpdateItem"), dynattrs.AccessDenied, False),
        (error("ImaginaryException", "UpdateItem"), ServiceError, False),
        (unreachable("UpdateItem"), ConnectionFailed, False),
        (reset("UpdateItem"), ConnectionFailed, True),
    ],
    ids=["unavailable", "denied", "unknown", "unreachable", "reset"],
)
def test_an_update_that_must_not_be_repeated_says_whether_it_may_have_been_applied(
    session: Any, fault: Any, expected: type[Exception], uncertain: bool
):
    session.save(SONG)

    with clock(inner(session)), faults(inner(session), fault):
        with pytest.raises(OutcomeUnknown if uncertain else expected) as caught:
            session.update(Song, KEY, add(Song.plays, 1))

    assert bool(getattr(caught.value, "uncertain", True)) is uncertain
    assert session.get(Song, KEY).plays == 0


def test_a_lost_reply_is_of_a_write_that_was_applied(session: Any):
    session.save(SONG)

    with faults(inner(session), lost_reply("UpdateItem", times=1)):
        with pytest.raises(OutcomeUnknown):
            session.update(Song, KEY, add(Song.plays, 1))

    assert session.get(Song, KEY).plays == 1


def test_a_refusal_whose_reply_is_lost_is_followed_by_what_it_asks(session: Any):
    """The map is missing, and no attempt has done anything."""
    session.save(Count("a"))

    with faults(inner(session), lost_reply("UpdateItem", times=1)):
        assert session.update(Count, "a", set_(Count.by_day["mon"], 1)).by_day == {"mon": 1}


def test_what_another_action_has_changed_is_not_copied_a_second_time(session: Any):
    session.save(Count("a", 6))

    with faults(inner(session), lost_reply("UpdateItem", times=1)):
        with pytest.raises(OutcomeUnknown):
            copied = set_(Count.before, if_not_exists(Count.number, 0))
            session.update(Count, "a", copied, set_(Count.number, 9))

    assert session.get(Count, "a") == Count("a", 9, 6)


def test_a_read_whose_reply_is_lost_is_asked_again(session: Any):
    session.save(SONG)

    with faults(inner(session), lost_reply("GetItem", times=1), reset("GetItem", times=1)) as seen:
        assert session.get(Song, KEY) == SONG

    assert seen.counts == [1, 1]


@pytest.mark.parametrize("fraction", [0.01, 0.5, 1.0])
def test_a_batch_whose_writes_are_left_unprocessed_is_sent_again(session: Any, fraction: float):
    songs = [Song("Bessie Smith", f"{n:02}", cover=b"\xff\x00", tags={"blues"}) for n in range(10)]

    with faults(inner(session), unprocessed(times=2, fraction=fraction)) as seen:
        with recorded(inner(session)) as calls:
            with session.batch() as batch:
                for song in songs:
                    batch.save(song)

    left = [10, -(-10 * fraction // 1) or 1]
    assert seen.counts == [2]
    assert len(calls) == 3
    assert len(calls[1].parameters["RequestItems"][calls[1].table]) == left[1]
    assert session.query(Song).where(Song.artist == "Bessie Smith").all() == songs


def test_keys_that_are_left_unprocessed_are_asked_again(session: Any):
    songs = [Song("Bessie Smith", f"{n:02}", cover=b"\xff") for n in range(10)]
    session.save_all(songs)

    with faults(inner(session), unprocessed("BatchGetItem", times=2, fraction=0.5)) as seen:
        found = list(session.get_many(Song, [(s.artist, s.title) for s in songs], ordered=True))

    assert seen.counts == [2]
    assert found == songs


def test_writes_that_are_never_done_are_unsent_when_the_deadline_has_passed(session: Any):
    with clock(inner(session)) as time_, faults(inner(session), unprocessed("BatchWriteItem")):
        with pytest.raises(UnsentWrites) as caught:
            session.save_all([SONG])

    assert caught.value.objects == [SONG] or list(caught.value.objects) == [SONG]
    assert 30 < sum(time_.pauses) < 120
    assert session.get(Song, KEY) is None


def test_chances_are_the_same_with_the_same_seed(session: Any):
    def happened(seed: int) -> list[int]:
        with recorded(inner(session)) as calls:
            with faults(inner(session), throttled("GetItem", probability=0.4), seed=seed):
                for _ in range(12):
                    session.get(Song, KEY)
        return [call.attempts for call in calls]

    with clock(inner(session)):
        first, again, other = happened(1), happened(1), happened(2)

    assert first == again
    assert first != other
    assert sum(first) > 12


def test_late_replies_take_their_time(session: Any):
    began = time.monotonic()

    with (
        faults(inner(session), latency(0.2, "GetItem", times=1)),
        recorded(inner(session)) as calls,
    ):
        session.get(Song, KEY)

    assert time.monotonic() - began >= 0.2
    assert calls[0].seconds >= 0.2


def test_faults_are_over_with_their_block_and_nest(session: Any):
    with faults(inner(session), throttled("PutItem", times=1)) as outer:
        with faults(inner(session), throttled("PutItem", times=1)) as nested:
            session.save(SONG)
    with faults(inner(session), throttled("PutItem")):
        pass

    session.save(SONG)
    assert (outer.count, nested.count) == (1, 1)


def test_faults_concern_the_table_that_is_named(session: Any, table_prefix: str):
    with faults(inner(session), throttled(table=f"{table_prefix}tickets", times=1)) as seen:
        session.save(SONG)
        assert seen.count == 0
        session.save(Ticket("1", datetime.now(timezone.utc)))

    assert seen.count == 1


def test_faults_that_make_no_sense_are_refused(session: Any):
    with pytest.raises(ModelError, match=r"a session has no operation 'PutItems'.*PutItem"):
        throttled("PutItems")
    with pytest.raises(ModelError, match="probability=2"):
        throttled(probability=2)
    with pytest.raises(ModelError, match="PutItem leaves nothing"):
        unprocessed("PutItem")
    with pytest.raises(
        ModelError, match=r"operation=0\.5: .*'BatchWriteItem'.*write fraction=0\.5"
    ):
        unprocessed(0.5)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"operation=2: .*'PutItem'.*write times=2"):
        throttled(2)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"operation=\[\]: the name of an operation is expected"):
        throttled([])
    with pytest.raises(
        ModelError, match=r"a session has no operation 'PutItm'.*did you mean 'PutItem'"
    ):
        lost_reply(["GetItem", "PutItm"])
    with pytest.raises(ModelError, match=r"table=<class .*Song'>: the real name of a table"):
        lost_reply(table=Song)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="probability='1': a number"):
        throttled(probability="1")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="fraction='1': a number"):
        unprocessed(fraction="1")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="seconds=nan: a number of seconds"):
        latency(float("nan"))
    with pytest.raises(ModelError, match=r"seconds=datetime.timedelta.*: a number of seconds"):
        latency(timedelta(seconds=1))  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="code=400: a code of the service"):
        error(400)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="status='500': 500 to 599"):
        unavailable(status="500")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"seed=\[1\]: an int is expected"):
        with faults(inner(session), throttled(), seed=[1]):  # type: ignore[arg-type]
            pass
    with pytest.raises(ModelError, match="a fault is expected, such as throttled"):
        with faults(inner(session), "throttled"):  # type: ignore[arg-type]
            pass
    with pytest.raises(ModelError, match="a Session or an AsyncSession is expected"):
        with faults(object(), throttled()):
            pass


@pytest.mark.parametrize("way", ["fast"], indirect=True)
def test_faults_that_reach_nothing_are_refused(session: Any):
    """A mock answers before anything is sent."""
    client = session.client
    response = {"Item": {"artist": {"S": "x"}, "title": {"S": "y"}}}
    with faults(session, throttled()):
        with patch.object(client, "get_item", return_value=response):
            with pytest.raises(ConfigurationError, match="faults reach what a session sends"):
                session.get(Song, KEY)
        with Stubber(client) as stub:
            stub.add_response("get_item", response)
            with pytest.raises(ConfigurationError, match="faults reach what a session sends"):
                session.get(Song, KEY)


@pytest.mark.parametrize("way", ["fast", "asyncio"], indirect=True)
def test_a_call_that_is_late_beyond_its_limit_fails(
    way: str, session: Any, endpoint: Endpoint, table_prefix: str, stack: ExitStack
):
    wire = inner(session)._driver.wire
    wire._limit = 0.3

    with faults(inner(session), latency(30, "GetItem")):
        began = time.monotonic()
        with pytest.raises(ConnectionFailed, match="call_timeout"):
            session.get(Song, KEY)

    assert time.monotonic() - began < 5


# --- Records --------------------------------------------------------------------------------------


def test_calls_are_recorded_with_what_they_ask_and_cost(session: Any, table_prefix: str):
    with recorded(inner(session)) as calls:
        session.save(Song(*KEY, cover=b"\x01", tags={"live"}))
        session.query(Song).where(Song.genre == "jazz").using("by-genre").all()
        session.get(Song, KEY, consistent=True)
    session.get(Song, KEY)

    assert calls.operations == ["PutItem", "Query", "GetItem"]
    put, query, get = calls
    assert put.table == f"{table_prefix}songs"
    assert put.parameters["Item"]["cover"] == {"B": b"\x01"}
    assert put.parameters["Item"]["tags"] == {"SS": ["live"]}
    assert query.index == "by-genre"
    assert query.returned == 1
    assert get.parameters["Key"] == {"artist": {"S": KEY[0]}, "title": {"S": KEY[1]}}
    assert get.consumed > 0
    assert calls.consumed == sum(call.consumed for call in calls)
    assert "Query by-genre" in repr(calls)


def test_a_batch_is_recorded_as_its_requests(session: Any):
    songs = [Song("Bessie Smith", f"{n:02}", cover=b"\xff") for n in range(30)]

    with recorded(inner(session)) as calls:
        session.save_all(songs)

    assert calls.operations == ["BatchWriteItem", "BatchWriteItem"]
    sizes = [len(call.parameters["RequestItems"][call.table]) for call in calls]
    assert sorted(sizes) == [5, 25]
    first = calls[0].parameters["RequestItems"][calls[0].table][0]["PutRequest"]["Item"]
    assert first["cover"] == {"B": b"\xff"}


def test_what_fails_is_recorded_with_its_error(session: Any):
    with recorded(inner(session)) as calls, faults(inner(session), error("AccessDeniedException")):
        with pytest.raises(dynattrs.AccessDenied):
            session.get(Song, KEY)

    assert [(call.operation, call.error) for call in calls] == [
        ("GetItem", "AccessDeniedException")
    ]


# --- The clock ------------------------------------------------------------------------------------


NOON = datetime(2026, 6, 1, 12, tzinfo=timezone.utc)


def test_time_stamps_and_expiry_go_by_the_clock(session: Any):
    now = datetime.now(timezone.utc).replace(microsecond=0)
    with clock(inner(session), at=now) as time_:
        saved = session.save(Ticket("1", expires=time_.now() + timedelta(hours=1)))
        assert saved.made == now
        assert session.get(Ticket, "1", unexpired=True) is not None
        assert session.scan(Ticket).unexpired().count() == 1

        assert time_.advance(hours=2) == now + timedelta(hours=2)

        assert session.get(Ticket, "1", unexpired=True) is None
        assert session.scan(Ticket).unexpired().count() == 0

    assert session.get(Ticket, "1", unexpired=True) is not None


def test_pauses_take_no_time_and_move_the_clock(session: Any):
    began = time.monotonic()

    with clock(inner(session), at=NOON) as time_:
        with faults(inner(session), throttled("GetItem", times=7), latency(100, "PutItem")):
            session.get(Song, KEY)
            session.save(SONG)

    assert len(time_.pauses) == 8
    assert time_.pauses[-1] == 100
    moved = (time_.now() - NOON).total_seconds()  # each pause is rounded to microseconds
    assert moved == pytest.approx(sum(time_.pauses), abs=1e-4)
    assert time.monotonic() - began < 5


def test_a_deadline_passes_with_the_clock(session: Any):
    with clock(inner(session)) as time_, faults(inner(session), throttled("BatchGetItem")):
        with pytest.raises(Throttled):
            list(session.get_many(Song, [KEY]))

    assert 30 < sum(time_.pauses) < 120


def test_a_session_goes_on_after_its_clock(session: Any):
    """What was learned of times that were skipped does not hold it up."""
    with clock(inner(session)) as time_:
        with faults(inner(session), unprocessed(times=3, fraction=0.2)):
            session.save_all([Song("Bessie Smith", f"{n:02}") for n in range(10)])
        time_.advance(days=1)

    began = time.monotonic()
    session.save_all([Song("Bessie Smith", f"{n:02}") for n in range(10)])
    assert time.monotonic() - began < 5


def test_a_clock_goes_on_only(session: Any):
    with clock(inner(session)) as time_:
        with pytest.raises(ModelError, match="can only go forward"):
            time_.advance(seconds=-1)
        with pytest.raises(ModelError, match=r"a timedelta is expected.*found 5; write advance"):
            time_.advance(5)  # type: ignore[arg-type]
        with pytest.raises(ModelError, match="hour is not a unit of time; did you mean 'hours'"):
            time_.advance(hour=1)
        with pytest.raises(ModelError, match="hours='1' is not a length of time"):
            time_.advance(hours="1")  # type: ignore[arg-type]
        before = time_.now(), inner(session)._driver.wire.instruments.skew
        with pytest.raises(ModelError, match="days=9999999 is not a length of time"):
            time_.advance(days=9_999_999)
        assert (time_.now(), inner(session)._driver.wire.instruments.skew) == before
    with pytest.raises(ModelError, match="at='2026': a datetime is expected"):
        with clock(inner(session), at="2026"):  # type: ignore[arg-type]
            pass
    with pytest.raises(ModelError, match="has no time zone"):
        with clock(inner(session), at=datetime(2026, 1, 1)):  # noqa: DTZ001 - that is the point
            pass


# --- Seed data ------------------------------------------------------------------------------------


PLAIN = [
    {"artist": "Nina Simone", "title": "Sinnerman", "plays": 3, "cover": "/w==", "tags": ["live"]},
    {"artist": "Nina Simone", "title": "Feeling Good"},
]
TYPED = {"artist": {"S": "Bessie Smith"}, "title": {"S": "Backwater Blues"}, "cover": {"B": "/w=="}}


def test_plain_items_are_read_as_a_models(session: Any, tmp_path: Path):
    path = tmp_path / "songs.json"
    path.write_text(json.dumps(PLAIN))

    assert waited(session, path, Song) == 2

    found = session.get(Song, KEY)
    assert found == Song(*KEY, plays=3, cover=b"\xff", tags={"live"})


@pytest.mark.parametrize(
    "source",
    [
        {"songs": [TYPED]},
        {"Song": [TYPED]},
        {"songs": [{"PutRequest": {"Item": TYPED}}]},
        {"Items": [TYPED], "Count": 1},
        [{"Item": TYPED}],
    ],
    ids=["by-table", "by-class", "requests", "scanned", "exported"],
)
def test_dynamodb_json_is_stored_as_it_is(session: Any, source: Any):
    assert waited(session, source, Song) == 1

    found = session.get(Song, ("Bessie Smith", "Backwater Blues"))
    assert found == Song("Bessie Smith", "Backwater Blues", cover=b"\xff")
    assert session.query(Song).using("by-genre").where(Song.genre == "jazz").count() == 0


def test_items_of_several_models_of_one_table_stand_by_class(session: Any, table_prefix: str):
    app = Table("app", partition_key="pk", sort_key="sk")

    @model(app, pk="USER#{id}", sk="PROFILE")
    class User:
        id: str
        name: str = field(name="n")

    @model(app, pk="USER#{id}", sk="ORDER#{number:04d}")
    class Order:
        id: str
        number: int

    session.tables.create(app)
    both = {"User": [{"id": "1", "name": "Ada"}], "Order": [{"id": "1", "number": 7}]}
    assert waited(session, both, User, Order) == 2

    assert session.query(User, Order).where(User.id == "1").all() == [
        Order("1", 7),
        User("1", "Ada"),
    ]
    with pytest.raises(ModelError, match="table 'app' holds User, Order: write a list for each"):
        waited(session, {"app": [{"id": "1", "name": "Ada"}]}, User, Order)
    with pytest.raises(ModelError, match="does not name their model"):
        waited(session, [{"id": "1", "name": "Ada"}], User, Order)


def test_a_data_model_of_workbench_brings_its_tables(session: Any, tmp_path: Path):
    table = Table(
        "songs",
        partition_key="artist",
        sort_key="title",
        sample_items=(TYPED | {"cover": {"B": b"\xff"}},),
    )
    path = tmp_path / "model.json"
    dynattrs.workbench.dump([table], path)

    assert waited(session, path) == 1
    assert session.get(Song, ("Bessie Smith", "Backwater Blues")).cover == b"\xff"


def test_many_items_are_sent_until_all_are_stored(session: Any):
    items = [{**TYPED, "title": {"S": f"{n:03}"}} for n in range(60)]

    with faults(inner(session), unprocessed(times=2, fraction=0.5)) as seen:
        assert waited(session, {"songs": items}, Song) == 60

    assert seen.counts == [2]
    assert session.query(Song).where(Song.artist == "Bessie Smith").count() == 60


def test_items_of_one_key_are_one(session: Any):
    plain = [*PLAIN, {**PLAIN[0], "plays": 4}]
    assert waited(session, plain, Song) == 2
    assert session.get(Song, KEY).plays == 4

    typed = [{**TYPED, "plays": {"N": str(n)}} for n in range(3)]
    assert waited(session, {"songs": typed}, Song) == 1
    assert session.get(Song, ("Bessie Smith", "Backwater Blues")).plays == 2


def test_seed_data_that_is_none_is_refused(session: Any, tmp_path: Path):
    path = tmp_path / "songs.json"
    path.write_text("[1, 2")
    with pytest.raises(ModelError, match=r"songs\.json'.*a list of items"):
        waited(session, path, Song)
    with pytest.raises(ModelError, match=r"no model of that name was given.*did you mean 'songs'"):
        waited(session, {"song": PLAIN}, Song)
    with pytest.raises(NoSuchTable):
        waited(session, {"elsewhere": [TYPED]})
    with pytest.raises(ModelError, match="the path of a file, a list or a dict is expected"):
        waited(session, 5, Song)
    with pytest.raises(ServiceError, match="ValidationException"):
        waited(session, {"songs": [{**TYPED, "title": {"N": "none"}}]}, Song)


def waited(session: Any, source: Any, *models: type[object]) -> Any:
    if inner(session) is session:
        return seed(session, source, *models)
    import awaited_session

    return awaited_session.run(lambda: seed(inner(session), source, *models))
