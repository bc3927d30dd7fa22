"""A service on FastAPI, asked over HTTP: models as bodies and answers, and errors as what they mean."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

import attrs
import pytest

pytest.importorskip("fastapi", reason="pip install 'dynattrs[fastapi]'")
uvicorn = pytest.importorskip("uvicorn", reason="pip install uvicorn")
httpx = pytest.importorskip("httpx", reason="pip install httpx")

import fastapi  # noqa: E402
from fastapi import FastAPI, Header  # noqa: E402
from pydantic import Field  # noqa: E402

from dynattrs import (  # noqa: E402
    Accepts,
    AlreadyTaken,
    ByKind,
    ConditionFailed,
    ConnectionFailed,
    KeyChanged,
    NoSuchItem,
    OtherKind,
    OutcomeUnknown,
    Partial,
    Reason,
    ServiceUnavailable,
    Session,
    Table,
    Throttled,
    TransactionFailed,
    Unsent,
    UnsentWrites,
    field,
    model,
    partition_key,
    sort_key,
)
from dynattrs.fastapi import Body, errors  # noqa: E402


@attrs.define
class Address:
    city: str
    code: str = attrs.field(default="", validator=attrs.validators.max_len(5))


@model("songs")
class Song:
    """A song as it is sung."""

    artist: Annotated[str, Field(description="Who sings")] = partition_key()
    title: str = sort_key()
    plays: int = field(default=0, validator=attrs.validators.ge(0))
    year: int | None = None
    blob: bytes = b""
    tags: set[str] = attrs.field(factory=set)
    addresses: list[Address] = attrs.field(factory=list)
    code: str | None = field(default=None, unique=True)
    rating: float | None = None
    extra: Any = None
    version: int = field(version=True)


app_table = Table("app", partition_key="pk", sort_key="sk", discriminator="type")


@model(app_table, pk="U#{user}", sk="PROFILE")
class User:
    user: str
    mail: str = ""


@model(app_table, pk="U#{user}", sk="O#{number:04d}")
class Order:
    user: str
    number: int


@model("pets")
class Cat:
    id: str = partition_key()
    kind: Literal["cat"] = "cat"


@model("pets")
class Dog:
    id: str = partition_key()
    kind: Literal["dog"] = "dog"


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]
Anyone = Annotated[User | Order, ByKind()]


class Current:
    """What the service, which takes long to be made, has for each test."""

    session: Session


def service(current: Current) -> FastAPI:
    app = FastAPI()
    errors(app)

    @app.post("/songs", status_code=201)
    def add(song: Body[Song]) -> Song:
        return current.session.insert(song)

    @app.post("/strict")
    def strict(song: Body[Annotated[Song, Accepts(read_only="ignore", unknown="forbid")]]) -> Song:
        return song

    @app.post("/songs/many")
    def add_many(songs: Body[list[Song]]) -> int:
        current.session.save_all(songs)
        return len(songs)

    @app.post("/songs/batch")
    def add_in_batches(songs: Body[list[Song]]) -> int:
        with current.session.batch() as batch:
            batch.save_all(songs)
        return len(songs)

    @app.get("/songs/{artist}")
    def page(artist: str, after: str | None = None) -> list[Song]:
        return current.session.query(Song).where(Song.artist == artist).after(after).page(10).items

    @app.get("/songs/{artist}/{title}")
    def one(artist: str, title: str) -> Song:
        return current.session.get_one(Song, (artist, title))

    @app.patch("/songs/{artist}/{title}")
    def change(artist: str, title: str, changes: Body[Partial[Song]]) -> Song:
        return current.session.update(Song, (artist, title), *changes.actions())

    @app.patch("/songs/{artist}/{title}/edit")
    def edit(artist: str, title: str, changes: Body[Partial[Song]]) -> Song:
        song = current.session.get_one(Song, (artist, title))
        with current.session.edit(song):
            return changes.apply(song)

    @app.put("/songs/{artist}/{title}")
    def replace(
        artist: str, title: str, new: Body[Song], if_match: Annotated[int | None, Header()] = None
    ) -> Song:
        song = current.session.get_one(Song, (artist, title))
        if if_match is not None and song.version != if_match:
            raise ConditionFailed("PutItem", "Song", (artist, title), "If-Match")
        with current.session.edit(song):
            for name in ("artist", "title", "plays", "year", "blob", "tags", "addresses", "code"):
                setattr(song, name, getattr(new, name))
        return song

    @app.post("/pets")
    def pet(pet: Annotated[Cat | Dog, fastapi.Body(discriminator="kind")]) -> Pet:
        return current.session.save(pet)

    @app.get("/users/{user}")
    def everything(user: str) -> list[Anyone]:
        return current.session.query(User, Order).where(User.user == user).all()

    @app.post("/users")
    def any_kind(new: Body[Anyone]) -> Anyone:
        return current.session.save(new)

    @app.get("/raise/{name}")
    def fail(name: str) -> None:
        raise RAISED[name][0]

    return app


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Song, User, Order, Cat, Dog)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    with Session(client=client, table_prefix=table_prefix) as session:
        yield session


@pytest.fixture(scope="module")
def app() -> tuple[FastAPI, Current]:
    current = Current()
    return service(current), current


@pytest.fixture
def http(app: tuple[FastAPI, Current], session: Session) -> Iterator[Any]:
    """A client of the service, which a server of its own serves on a socket."""
    made, current = app
    current.session = session
    config = uvicorn.Config(
        made, host="127.0.0.1", port=0, log_level="error", lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        # Nothing is verified, and to load the certificates takes as long as a test.
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=url, trust_env=False, verify=False) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


SONG = {"artist": "Nina", "title": "Sinnerman"}
SHOWN = {
    **SONG, "plays": 0, "year": None, "blob": "", "tags": [], "addresses": [], "code": None,
    "rating": None, "extra": None, "version": 1,
}  # fmt: skip


def refused(reply: Any) -> dict[tuple[Any, ...], str]:
    assert reply.status_code == 422, reply.text
    return {tuple(each["loc"]): each["type"] for each in reply.json()["detail"]}


@pytest.mark.smoke
def test_a_body_is_stored_and_answered(http: Any, session: Session):
    body = {**SONG, "blob": "//4=", "tags": ["a"], "addresses": [{"city": "Paris"}]}

    made = http.post("/songs", json=body)

    assert made.status_code == 201, made.text
    assert made.json() == {**SHOWN, **body, "addresses": [{"city": "Paris", "code": ""}]}
    stored = session.get_one(Song, ("Nina", "Sinnerman"))
    assert stored == Song(
        "Nina", "Sinnerman", blob=b"\xff\xfe", tags={"a"}, addresses=[Address("Paris")], version=1
    )
    assert http.get("/songs/Nina/Sinnerman").json() == made.json()
    assert http.get("/songs/Nina").json() == [made.json()]


def test_refusals_name_their_places(http: Any):
    assert refused(http.post("/songs", json={"title": "x"})) == {("body", "artist"): "missing"}
    assert refused(http.post("/songs", json={**SONG, "plays": "x"})) == {
        ("body", "plays"): "int_parsing"
    }
    assert refused(http.post("/songs", json={**SONG, "plays": -1})) == {
        ("body", "plays"): "value_error"
    }
    assert refused(http.post("/songs", json={**SONG, "version": 3})) == {
        ("body", "version"): "read_only"
    }
    number = {**SONG, "plays": 10**40 + 1}
    assert refused(http.post("/songs", json=number)) == {("body", "plays"): "value_error"}
    for address, name in (({"city": 3}, "city"), ({"city": "x", "code": "123456"}, "code")):
        found = refused(http.post("/songs", json={**SONG, "addresses": [address]}))
        assert [*found] == [("body", "addresses", 0, name)]
    found = refused(http.post("/songs/many", json=[SONG, {"artist": "x"}]))
    assert [*found] == [("body", 1, "title")]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ('{"rating": "NaN"}', ("rating",)),
        ('{"rating": NaN}', ("rating",)),
        ('{"extra": "\\ud800"}', ("extra",)),
        ('{"extra": [' + "[" * 40 + "]" * 40 + "]}", ("extra",)),
        ('{"addresses": [{"city": "\\ud800"}]}', ("addresses", 0, "city")),
        (f'{{"extra": "{"x" * 410_000}"}}', ()),
    ],
)
def test_what_no_item_can_hold_is_refused_before_it_is_sent(body: str, place: Any, http: Any):
    http.post("/songs", json=SONG)
    json = {"Content-Type": "application/json"}
    whole = f'{{"artist": "Nina", "title": "x", {body[1:]}'
    one = "/songs/Nina/Sinnerman"

    for reply in (
        http.post("/songs", content=whole, headers=json),
        http.patch(one, content=body, headers=json),
        http.patch(f"{one}/edit", content=body, headers=json),
    ):
        assert refused(reply) == {("body", *place): "value_error"}
        assert len(reply.content) < 1000


def test_numbers_of_any_kind_come_back_as_they_were_sent(http: Any):
    sent = {"a": [1.5, 2, 0.1], "b": 10**30}

    assert http.post("/songs", json={**SONG, "extra": sent}).json()["extra"] == sent
    assert http.get("/songs/Nina/Sinnerman").json()["extra"] == sent


def test_a_batch_of_songs_that_are_there_is_a_conflict(http: Any):
    songs = [{**SONG, "title": title} for title in "ab"]

    assert http.post("/songs/batch", json=songs).status_code == 200
    again = http.post("/songs/batch", json=[*songs, {**SONG, "title": "c"}])
    assert (again.status_code, again.json()["error"]) == (409, "UnsentWrites")
    assert again.json()["detail"].startswith("2 of the writes were not stored")
    assert "Nina" not in again.text
    assert http.get("/songs/Nina/c").status_code == 200
    twice = http.post("/songs/batch", json=[{**SONG, "title": "d"}] * 2)
    assert twice.status_code == 409


def test_unknown_keys_and_read_only_fields_are_as_the_body_says(http: Any):
    assert http.post("/songs", json={**SONG, "other": 1}).status_code == 201
    assert refused(http.post("/strict", json={**SONG, "other": 1})) == {
        ("body", "other"): "extra_forbidden"
    }
    assert http.post("/strict", json={**SONG, "version": 7}).json()["version"] == 0


def test_attributes_that_the_class_does_not_know_do_not_get_out(
    http: Any, session: Session, client: Any
):
    table = session.tables.describe(Song)["TableName"]
    item = {
        "artist": {"S": "Nina"},
        "title": {"S": "x"},
        "secret": {"S": "s"},
        "version": {"N": "1"},
    }
    client.put_item(TableName=table, Item=item)

    assert "secret" not in http.get("/songs/Nina/x").text
    assert "secret" not in http.get("/songs/Nina").text
    assert http.patch("/songs/Nina/x", json={"plays": 1}).status_code == 200
    assert http.put("/songs/Nina/x", json={"artist": "Nina", "title": "x"}).status_code == 200
    assert client.get_item(TableName=table, Key={k: item[k] for k in ("artist", "title")})["Item"][
        "secret"
    ]


def test_a_patch_changes_what_is_stated(http: Any):
    http.post("/songs", json={**SONG, "year": 1965, "tags": ["a"]})
    path = "/songs/Nina/Sinnerman"

    assert http.patch(path, json={"plays": 3}).json()["plays"] == 3
    changed = http.patch(path, json={"year": None, "tags": []}).json()
    assert (changed["year"], changed["tags"], changed["plays"], changed["version"]) == (
        None,
        [],
        3,
        3,
    )
    assert refused(http.patch(path, json={"plays": -3})) == {("body", "plays"): "value_error"}
    assert refused(http.patch(path, json={"plays": None})) == {("body", "plays"): "int_type"}
    assert refused(http.patch(path, json={"title": "y"})) == {("body", "title"): "read_only"}
    assert refused(http.patch(path, json={"version": 3})) == {("body", "version"): "read_only"}
    assert refused(http.patch(path, json={})) == {("body",): "no_fields"}
    assert http.patch("/songs/Nina/y", json={"plays": 1}).status_code == 404


def test_a_put_reads_changes_and_writes(http: Any):
    http.post("/songs", json={**SONG, "year": 1965})
    path = "/songs/Nina/Sinnerman"

    put = http.put(path, json={**SONG, "plays": 2}, headers={"If-Match": "1"})
    assert put.json() == {**SHOWN, "plays": 2, "version": 2}
    assert http.put(path, json=SONG, headers={"If-Match": "1"}).status_code == 409
    assert http.put(path, json={**SONG, "title": "y"}).status_code == 400
    assert http.put("/songs/Nina/z", json={**SONG, "title": "z"}).status_code == 404


def test_unions_are_told_apart(http: Any):
    assert http.post("/pets", json={"kind": "dog", "id": "1"}).json() == {"id": "1", "kind": "dog"}
    assert [*refused(http.post("/pets", json={"id": "1"}))] == [("body",)]
    user, order = (
        {"type": "User", "user": "1", "mail": "a"},
        {"type": "Order", "user": "1", "number": 2},
    )
    for each in (user, order):
        assert http.post("/users", json=each).json() == each
    assert sorted(http.get("/users/1").json(), key=str) == sorted([user, order], key=str)
    assert refused(http.post("/users", json={"user": "1"})) == {("body",): "union_tag_not_found"}


def test_the_schema_of_the_service_describes_the_models(http: Any):
    schemas = http.get("/openapi.json").json()["components"]["schemas"]

    assert schemas["Song"]["description"] == "A song as it is sung."
    assert schemas["Song"]["properties"]["artist"]["description"] == "Who sings"
    assert schemas["Song"]["properties"]["version"]["readOnly"] is True
    assert {"Song", "PartialSong", "Address", "Cat", "Dog", "TaggedUser"} <= set(schemas)


def test_errors_of_requests_are_answers(http: Any):
    http.post("/songs", json={**SONG, "code": "x"})

    again = http.post("/songs", json=SONG)
    assert (again.status_code, again.json()["error"]) == (409, "ItemExists")
    taken = http.post("/songs", json={**SONG, "title": "y", "code": "x"})
    assert (taken.status_code, taken.json()["fields"]) == (409, ["code"])
    assert "Sinnerman" not in taken.text
    missing = http.get("/songs/Nina/y")
    assert missing.status_code == 404
    assert missing.json()["detail"] == "There is no Song with the key ('Nina', 'y')"
    assert http.get("/songs/Nina?after=nonsense").status_code == 400
    empty = http.post("/songs", json={"artist": "", "title": "x"})
    assert (empty.status_code, empty.json()["error"]) == (400, "ImpossibleKey")


SECRET = "s3cret"
RAISED: dict[str, tuple[Exception, int]] = {
    "missing": (NoSuchItem("Song", (SECRET, "x")), 404),
    "condition": (ConditionFailed("PutItem", "Song", (SECRET, "x"), f"Song.a == '{SECRET}'"), 409),
    "taken": (AlreadyTaken("Song", ("code",), {"code": SECRET}, {"artist": SECRET}), 409),
    "kind": (OtherKind("Song", "a Song", SECRET), 404),
    "key": (KeyChanged(f"the key was {SECRET}"), 400),
    "throttled": (Throttled("GetItem", "Throttling", SECRET, "songs"), 503),
    "unavailable": (ServiceUnavailable("GetItem", "InternalServerError", SECRET), 503),
    "connection": (ConnectionFailed("PutItem", SECRET), 503),
    "unknown": (OutcomeUnknown("UpdateItem", "Song", {"artist": SECRET}), 503),
    "transaction": (
        TransactionFailed([None, Reason(f"save({SECRET})", "TransactionConflict", SECRET)]),
        409,
    ),
    "throttled transaction": (
        TransactionFailed([Reason(SECRET, "ThrottlingError", SECRET), None]),
        503,
    ),
    "own": (RuntimeError(SECRET), 500),
}


@pytest.mark.threads_only("the answers are the same")
@pytest.mark.parametrize("name", RAISED)
def test_answers_tell_what_to_do_and_no_values(name: str, http: Any):
    reply = http.get(f"/raise/{name}")

    assert reply.status_code == RAISED[name][1]
    assert SECRET not in reply.text
    if reply.status_code != 500:
        assert reply.json()["detail"]
    assert ("Retry-After" in reply.headers) == ("throttled" in name)


@pytest.mark.threads_only("the answers are the same")
@pytest.mark.parametrize(
    ("causes", "status"),
    [
        (["throttled"], 503),
        (["own"], 500),
        (["condition"], 409),
        (["taken", "throttled"], 409),
        (["condition", "own"], 500),
    ],
)
def test_writes_of_a_batch_are_answered_by_their_causes(
    http: Any, monkeypatch: pytest.MonkeyPatch, causes: list[str], status: int
):
    song = Song("Nina", SECRET)
    unsent = UnsentWrites([Unsent(song, "save", RAISED[each][0]) for each in causes])
    monkeypatch.setitem(RAISED, "unsent", (unsent, status))

    reply = http.get("/raise/unsent")

    assert reply.status_code == status
    assert SECRET not in reply.text
