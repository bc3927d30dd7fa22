"""Fields whose large values are kept in S3, without an engine."""

from __future__ import annotations

import asyncio
import copy
import io
import pickle
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import boto3
import pytest
from botocore.exceptions import IncompleteReadError, ReadTimeoutError
from botocore.stub import Stubber

from dynattrs import (
    Compressed,
    ConditionError,
    Json,
    Mapper,
    MappingError,
    ModelError,
    Table,
    contains,
    exists,
    field,
    mapper,
    model,
    partition_key,
    path,
    set_,
    size,
)
from dynattrs.mapper.departures import departures, map_of
from dynattrs.operations.flows import ObjectCall
from dynattrs.operations.large_values import fetched
from dynattrs.s3 import (
    InS3,
    Large,
    NotFetched,
    ObjectDamaged,
    ObjectMissing,
    ObjectRefused,
    ObjectsUnavailable,
    Place,
)


@model("docs")
class Doc:
    id: str = partition_key()
    body: Annotated[Large[bytes], InS3("bucket", above=10)]
    facts: Annotated[Large[dict[str, Any]] | None, InS3("bucket", above=10, prefix="f/")] = None


def sent(obj: object, table: str = "docs") -> dict[str, Any]:
    """The item of an object as it is sent, when its values are in S3."""
    item = mapper.dump(obj)
    for each in departures({"TableName": table, "Item": item}):
        each.leave()
    return item


def read(obj: object) -> Any:
    return mapper.load(sent(obj), type(obj))


# --- Declarations -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "message"),
    [
        pytest.param(
            Annotated[bytes, InS3("b")], r"Annotated\[Large\[bytes\], InS3", id="no Large"
        ),
        pytest.param(Annotated[Large, InS3("b")], r"Annotated\[Large\[bytes\], InS3", id="of what"),
        pytest.param(Large[bytes], r"say where large values are kept", id="no InS3"),
        pytest.param(Annotated[Large[bytes], InS3("b"), Json], "as the last mark", id="not last"),
        pytest.param(
            Annotated[Large[bytes], InS3("b"), InS3("c")], "one InS3, as the last", id="two"
        ),
        pytest.param(
            Annotated[Large[bytes | None], InS3("b")], r"Large\[T\] \| None", id="None inside"
        ),
        pytest.param(
            Annotated[Large[bytes], InS3("b")] | int, "no member of a union", id="in a union"
        ),
        pytest.param(
            list[Annotated[Large[bytes], InS3("b")]], "on the field itself", id="in a list"
        ),
    ],
)
def test_what_cannot_be_kept_in_s3_is_refused_when_it_is_declared(type_: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message) as refused:

        @model("wrong")
        class Wrong:
            id: str = partition_key()
            value: type_

    assert refused.value.field == "value"


def test_encrypted_and_in_s3_is_refused() -> None:
    pytest.importorskip("cryptography")
    from dynattrs.encryption import Encrypted, StaticKeys

    keys = StaticKeys({"one": b"1" * 32})
    with pytest.raises(ModelError, match="InS3 without Encrypted"):

        @model("wrong")
        class Wrong:
            id: str = partition_key()
            value: Annotated[Large[str], Encrypted(keys), InS3("b")]


def test_arguments_that_make_no_sense_are_refused() -> None:
    for wrong in ({"bucket": ""}, {"bucket": 3}, {"above": -1}, {"above": 10**6}, {"above": True}):
        with pytest.raises(ModelError, match="InS3"):
            InS3(**{"bucket": "b", **wrong})
    for prefix in ("/x", 3):
        with pytest.raises(ModelError, match="prefix"):
            InS3("b", prefix=prefix)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="bucket"):
        _ = InS3(lambda: "").bucket


def test_no_key_nor_unique_field_nor_version_is_kept_in_s3() -> None:
    with pytest.raises(ModelError, match="a unique field is not kept in S3"):

        @model("wrong")
        class Unique:
            id: str = partition_key()
            value: Annotated[Large[str], InS3("b")] = field(unique=True)

    with pytest.raises(ModelError, match=r"a version is an int; this is an int .* in a Large"):

        @model("wrong")
        class Versioned:
            id: str = partition_key()
            value: Annotated[Large[int], InS3("b")] = field(version=True)

    with pytest.raises(ModelError, match=r"a partition key is stored as text.*in a Large"):

        @model("wrong")
        class Keyed:
            id: Annotated[Large[str], InS3("b")] = partition_key()

    with pytest.raises(ModelError, match="expected a field that is not kept in S3"):

        @model(Table("wrong", partition_key="pk"), pk="X#{value}")
        class Computed:
            value: Annotated[Large[str], InS3("b")]

    with pytest.raises(ModelError, match="a default that cannot be changed in place"):

        @model("wrong")
        class Shared:
            id: str = partition_key()
            value: Annotated[Large[str], InS3("b")] = Large("")


def test_anything_is_kept_in_s3_but_none() -> None:
    @model("things")
    class Thing:
        id: str = partition_key()
        value: Annotated[Large[Any] | None, InS3("b", above=10)] = None

    assert read(Thing("a", Large([1, {"b": b"x" * 20}]))).value == Large([1, {"b": b"x" * 20}])
    with pytest.raises(MappingError, match="a field without one is None itself"):
        mapper.dump(Thing("a", Large(None)))
    assert mapper.load({"id": {"S": "a"}, "value": {"NULL": True}}, Thing).value is None


# --- Stored forms -------------------------------------------------------------------------------


def test_a_value_up_to_the_limit_is_stored_as_ever() -> None:
    doc = Doc("a", Large(b"1234567890"), Large({"a": 1}))
    assert mapper.dump(doc)["body"] == {"B": b"1234567890"}
    assert mapper.dump(doc)["facts"] == {"M": {"a": {"N": "1"}}}
    assert mapper.load(mapper.dump(doc), Doc) == doc


def test_a_larger_one_is_a_map_that_says_where_it_is() -> None:
    item = sent(Doc("a", Large(b"12345678901"), Large({"a": "x" * 20})), "dev-docs")
    digest = "254a5a31d11dbdb6e2a9021bb5ee90b07c3d85ee48a8a1e4c9e0ba0eb0a64b9f"
    place = mapper.load(item, Doc).body.place
    assert place is not None
    assert (place.bucket, place.key, place.size, place.kind) == (
        "bucket", f"dev-docs/{place.sha256}", 11, "B",
    )  # fmt: skip
    assert len(place.sha256) == len(digest)
    assert item["body"] == {"M": map_of(place)}
    assert item["facts"]["M"]["key"]["S"].startswith("f/dev-docs/")
    assert item["facts"]["M"]["kind"] == {"S": "JSON"}


def test_equal_maps_are_one_object_in_whatever_order_they_were_made() -> None:
    one, other = {"a": {"b": 1, "c": 2}, "d": "x" * 20}, {"d": "x" * 20, "a": {"c": 2, "b": 1}}
    assert sent(Doc("a", Large(b""), Large(one))) == sent(Doc("a", Large(b""), Large(other)))
    assert read(Doc("a", Large(b""), Large(one))).facts == Large(other)


def test_equal_sets_are_one_object_in_whatever_order_python_has_them() -> None:
    """The order of a set of texts differs from process to process."""
    names = [f"member {number}" for number in range(40)]
    one, other = set(names), set(names)
    wide = {f"other {number}" for number in range(5000)}
    other |= wide
    other -= wide
    assert list(one) != list(other), "two orders of one set"
    made = [sent(Doc("a", Large(b""), Large({"deep": [{"s": each}]}))) for each in (one, other)]
    assert made[0] == made[1]


def test_what_looks_like_such_a_map_is_never_stored_as_a_value() -> None:
    """Else it would be read as another object's content."""
    place = Place("other", "secret", 1, "0" * 64, "B")
    doc = Doc("a", Large(b""), Large({"dynattrs": "s3", "bucket": "other", "key": "secret"}))
    item = mapper.dump(doc)
    assert set(item["facts"]) == {"B"}
    found = read(doc)
    assert found.facts.place.key.startswith("f/docs/")
    assert found == doc
    assert map_of(place)["dynattrs"] == {"S": "s3"}


def test_values_are_equal_wherever_they_are() -> None:
    doc = Doc("a", Large(b"1" * 100), Large({"set": {"a", "b"}, "bytes": b"x" * 20}))
    found = read(doc)
    for other in (found, pickle.loads(pickle.dumps(found)), copy.deepcopy(found), read(doc)):
        assert other == doc
        assert doc == other
        assert other == found
    assert found != Doc("a", Large(b"2" * 100), doc.facts)
    assert found.body != Large("1" * 100)
    assert Large(1) != 1
    assert Large(b"1") == pickle.loads(pickle.dumps(Large(b"1")))
    mine = Large([1])
    copied = copy.deepcopy(mine)
    copied.value.append(2)
    assert mine.value == [1]
    with pytest.raises(TypeError, match="unhashable"):
        hash(mine)


def test_what_was_read_says_where_it_is_and_has_no_value() -> None:
    found = read(Doc("a", Large(b"1" * 100)))
    assert repr(found.body).startswith("Large(<100 bytes in s3://bucket/docs/")
    with pytest.raises(NotFetched, match="s3://bucket/docs/"):
        _ = found.body.value


def test_an_unsaved_value_is_named_where_it_has_no_stored_form_yet() -> None:
    doc = Doc("a", Large(b"1" * 100))
    for text in (mapper.to_json, mapper.to_dynamodb_json):
        with pytest.raises(MappingError, match="not in S3 yet"):
            text(doc)
    again = mapper.from_json(mapper.to_json(read(doc)), Doc)
    assert again == doc
    with pytest.raises(MappingError, match=r"Doc\.body: expected a Large.*write Large\(\.\.\.\)"):
        mapper.dump(Doc("a", b"bare"))  # type: ignore[arg-type]
    with pytest.raises(MappingError, match=r"Doc\.body: expected bytes"):
        mapper.dump(Doc("a", Large("text")))  # type: ignore[arg-type]


def test_marks_before_in_s3_are_of_the_value() -> None:
    @model("packed")
    class Packed:
        id: str = partition_key()
        text: Annotated[Large[str], Compressed, InS3("b", above=50)]
        json: Annotated[Large[list[int]], Json, InS3("b", above=50)]

    item = mapper.dump(Packed("a", Large("x" * 5000), Large([1])))
    assert (set(item["text"]), item["json"]) == ({"B"}, {"S": "[1]"})
    assert read(Packed("a", Large("x" * 5000), Large([*range(99)]))).json.place.kind == "S"


def test_hooks_of_another_mapper_hold_for_the_value() -> None:
    own = Mapper()
    own.register_unstructure_hook(complex, lambda value: [str(value.real), str(value.imag)])
    own.register_structure_hook(complex, lambda value, _: complex(*map(float, value)))

    @model("numbers", mapper=own)
    class Number:
        id: str = partition_key()
        value: Annotated[Large[complex], InS3("b", above=1)]

    item = own.dump(Number("a", Large(1 + 2j)))
    [leaving] = departures({"TableName": "numbers", "Item": item})
    leaving.leave()
    body = leaving.value.request(leaving.place)[1]["Body"]
    assert own.load(item, Number).value.decoded(body) == 1 + 2j


# --- Conditions and updates ---------------------------------------------------------------------


def test_no_condition_but_existence_is_asked_of_it() -> None:
    assert str(exists(Doc.body)) == "exists(Doc.body)"
    for ask in (
        lambda: Doc.body == Large(b"1"),
        lambda: path(Doc.body) < Large(b"1"),
        lambda: contains(Doc.body, b"1"),
        lambda: size(Doc.body),
    ):
        with pytest.raises(ConditionError, match=r"Doc\.body is stored as objects of S3"):
            ask()
    with pytest.raises((ConditionError, TypeError)):
        _ = path(Doc.facts)["a"] == 1  # type: ignore[index]


def test_one_action_serves_tables_of_two_prefixes() -> None:
    action = set_(Doc.body, Large(b"1" * 100))
    values: Any = {":a": action.value.stored}  # type: ignore[union-attr]
    for table in ("one-docs", "two-docs"):
        some = dict(values)
        [each] = departures({"TableName": table, "ExpressionAttributeValues": some})
        each.leave()
        assert some[":a"]["M"]["key"]["S"].startswith(f"{table}/")


# --- Fetching -----------------------------------------------------------------------------------


def answered(flow: Any, body: bytes) -> Any:
    call = next(flow)
    assert isinstance(call, ObjectCall)
    assert call.operation == "get_object"
    with pytest.raises(StopIteration) as ended:
        flow.send({"Body": body})
    return ended.value.value


def test_what_is_fetched_is_checked() -> None:
    body = read(Doc("a", Large(b"1" * 100))).body
    assert answered(fetched(body), b"1" * 100) == b"1" * 100
    for other in (b"1" * 99, b"2" * 100, b""):
        flow = fetched(body)
        next(flow)
        with pytest.raises(ObjectDamaged, match="100 bytes with the SHA-256"):
            flow.send({"Body": other})


def test_a_value_of_another_type_than_the_field_is_named() -> None:
    @model("docs")
    class Other:
        id: str = partition_key()
        body: Annotated[Large[int], InS3("bucket")]

    body = mapper.load(sent(Doc("a", Large(b"1" * 100))), Other).body
    flow = fetched(body)
    next(flow)
    with pytest.raises(MappingError, match=r"s3://bucket/docs/.*a number \(N\)"):
        flow.send({"Body": b"1" * 100})


@pytest.fixture
def stubbed() -> Iterator[tuple[Any, Stubber]]:
    client = boto3.client(
        "s3", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    with Stubber(client) as stubber:
        yield client, stubber
    client.close()


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("NoSuchKey", 404, ObjectMissing),
        ("NoSuchBucket", 404, ObjectRefused),
        ("AccessDenied", 403, ObjectRefused),
    ],
)
def test_refusals_of_s3_say_what_to_do(
    stubbed: tuple[Any, Stubber], code: str, status: int, kind: type[Exception]
) -> None:
    from dynattrs.wire.objects import Objects

    client, stubber = stubbed
    stubber.add_client_error("get_object", code, "words of S3", status)
    with pytest.raises(ObjectRefused, match="s3://b/k") as refused:
        Objects(None, client).call(ObjectCall("get_object", {"Bucket": "b", "Key": "k"}))
    assert type(refused.value) is kind
    assert code in str(refused.value)
    assert pickle.loads(pickle.dumps(refused.value)).place == "s3://b/k"


class Breaking:
    """A client whose first bodies break off, and whose first puts are done without a reply."""

    def __init__(self, breaks: int) -> None:
        self.breaks = breaks
        self.puts: list[str] = []

    def get_object(self, **_: Any) -> dict[str, Any]:
        self.breaks -= 1
        return {"Body": BrokenBody() if self.breaks >= 0 else io.BytesIO(b"whole")}

    def put_object(self, **given: Any) -> dict[str, Any]:
        self.puts.append(given["Key"])
        self.breaks -= 1
        if self.breaks >= 0:
            raise ReadTimeoutError(endpoint_url="https://s3")
        return {}


class BrokenBody:
    def read(self) -> bytes:
        raise IncompleteReadError(actual_bytes=1, expected_bytes=5)

    async def __aenter__(self) -> Any:
        raise IncompleteReadError(actual_bytes=1, expected_bytes=5)

    async def __aexit__(self, *_: object) -> None: ...


def test_a_body_that_breaks_off_is_read_again() -> None:
    from dynattrs.wire.objects import AsyncObjects, Objects

    call = ObjectCall("get_object", {"Bucket": "b", "Key": "k"})
    assert Objects(None, Breaking(3)).call(call)["Body"] == b"whole"
    with pytest.raises(ObjectsUnavailable, match=r"IncompleteReadError.*s3://b/k"):
        Objects(None, Breaking(4)).call(call)
    with pytest.raises(ObjectsUnavailable):
        asyncio.run(AsyncObjects(None, Breaking(9)).call(call))  # type: ignore[arg-type]


def test_a_value_whose_put_has_no_reply_is_put_again_under_the_same_name() -> None:
    from dynattrs.wire.objects import Objects

    client = Breaking(1)
    objects = Objects(None, client)
    item = mapper.dump(Doc("a", Large(b"1" * 100)))
    request = {"TableName": "docs", "Item": item}
    with pytest.raises(ObjectsUnavailable, match="try again later") as failed:
        objects.keep(departures(request))
    assert failed.value.uncertain is False
    assert set(item["body"]) == {"B"}, "nothing can send it yet"
    objects.keep(departures(request))
    assert set(item["body"]) == {"M"}
    assert len(client.puts) == 2
    assert len(set(client.puts)) == 1
    assert departures(request) == []


def three_values(number: int) -> dict[str, Any]:
    """A request with several values that are put into S3."""
    requests = [
        {
            "PutRequest": {
                "Item": mapper.dump(Doc(f"{number}-{each}", Large(f"{each}".encode() * 100)))
            }
        }
        for each in range(3)
    ]
    return {"RequestItems": {"docs": requests}}


def threads_of_s3() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith("dynattrs-s3")]


def test_the_requests_of_a_session_share_the_threads_that_put_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from dynattrs.wire import objects as module

    monkeypatch.setattr(module, "_AT_ONCE", 4)
    before = len(threads_of_s3())
    busy, most = 0, 0
    lock = threading.Lock()

    class Client:
        def put_object(self, **parameters: Any) -> dict[str, Any]:
            nonlocal busy, most
            with lock:
                busy += 1
                most = max(most, busy)
            time.sleep(0.005)
            with lock:
                busy -= 1
            return {}

    objects = module.Objects(None, Client())
    with ThreadPoolExecutor(10) as batches:
        for each in [batches.submit(objects.keep, departures(three_values(n))) for n in range(20)]:
            each.result()
    assert most == 4
    assert len(threads_of_s3()) == before + 4
    objects.close()
    assert len(threads_of_s3()) == before


def test_no_put_goes_on_behind_the_error_of_another() -> None:
    from dynattrs.wire.objects import Objects

    under_way: list[str] = []

    class Client:
        def put_object(self, **parameters: Any) -> dict[str, Any]:
            if not under_way:
                under_way.append("first")
                raise RuntimeError("the first one fails")
            under_way.append("begun")
            time.sleep(0.05)
            under_way.remove("begun")
            return {}

    objects = Objects(None, Client())
    with pytest.raises(RuntimeError, match="the first one fails"):
        objects.keep(departures(three_values(0)))
    assert under_way == ["first"]
    objects.close()


def test_no_put_begins_behind_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    from dynattrs.wire import objects as module

    begun: list[object] = []
    waited_for = threading.Event()

    class Client:
        def put_object(self, **parameters: Any) -> dict[str, Any]:
            begun.append(parameters["Key"])
            if len(begun) == 1:
                raise KeyboardInterrupt
            waited_for.wait(60)
            return {}

    def wait(tasks: Any) -> None:
        waited_for.set()
        futures.wait(tasks)

    monkeypatch.setattr(module, "_AT_ONCE", 1)
    monkeypatch.setattr(module, "wait", wait)
    objects = module.Objects(None, Client())
    with pytest.raises(KeyboardInterrupt):
        objects.keep(departures(three_values(0)))
    assert len(begun) <= 2  # the thread may have taken the second one already
    objects.close()


def test_the_tasks_of_an_event_loop_share_the_places_for_puts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from dynattrs.wire import objects as module

    monkeypatch.setattr(module, "_AT_ONCE", 4)
    busy, most = 0, 0

    class Client:
        async def put_object(self, **parameters: Any) -> dict[str, Any]:
            nonlocal busy, most
            busy += 1
            most = max(most, busy)
            await asyncio.sleep(0.001)
            busy -= 1
            return {}

    objects = module.AsyncObjects(None, Client())  # type: ignore[arg-type]

    async def main() -> None:
        await asyncio.gather(*(objects.keep(departures(three_values(n))) for n in range(20)))

    for _ in range(2):
        asyncio.run(main())
    assert most == 4


def test_the_client_of_s3_has_what_the_sessions_has(monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.config import Config

    from dynattrs.wire.objects import make_objects_client

    config = Config(connect_timeout=3, retries={"mode": "standard", "max_attempts": 7})
    keys = {"aws_access_key_id": "mine", "aws_secret_access_key": "b", "aws_session_token": "t"}
    like = boto3.client("dynamodb", region_name="eu-west-1", config=config, **keys)
    made = make_objects_client(like)
    assert made.meta.region_name == "eu-west-1"
    assert "s3" in made.meta.endpoint_url
    assert made.meta.config.connect_timeout == 3
    assert made.meta.config.retries == like.meta.config.retries
    assert made.meta.config.signature_version == "s3v4"
    assert made._request_signer._credentials.access_key == "mine"
    assert made._endpoint.http_session._max_pool_connections == 0, "as many as there are calls"
    local = boto3.client("dynamodb", region_name="x", endpoint_url="http://127.0.0.1:1", **keys)
    assert make_objects_client(local).meta.endpoint_url == "http://127.0.0.1:1"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:2")
    assert make_objects_client(local).meta.endpoint_url == "http://127.0.0.1:2"
    for each in (like, local):
        each.close()


def test_a_large_has_no_form_in_bodies_of_requests() -> None:
    pydantic = pytest.importorskip("pydantic")
    with pytest.raises(ModelError, match="fetch the value"):
        pydantic.TypeAdapter(Doc).json_schema()


def test_a_wait_that_is_cancelled_puts_nothing_more() -> None:
    from dynattrs.wire.objects import AsyncObjects

    started: list[str] = []

    class Client:
        async def put_object(self, **parameters: Any) -> dict[str, Any]:
            started.append(parameters["Key"])
            await asyncio.sleep(60)
            return {}

    async def main() -> None:
        item = mapper.dump(Doc("a", Large(b"1" * 100), Large({"a": "x" * 99})))
        objects = AsyncObjects(None, Client())  # type: ignore[arg-type]
        task = asyncio.ensure_future(objects.keep(departures({"TableName": "docs", "Item": item})))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(started) == 2
        assert set(item["body"]) == {"B"}, "the request is as before"

    asyncio.run(main())
