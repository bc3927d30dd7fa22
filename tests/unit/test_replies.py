"""Replies: integrity, raw attribute maps, and a client that is never changed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any
from zlib import crc32

import attrs
import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.client import BaseClient
from botocore.config import Config

from dynattrs import (
    ConnectionFailed,
    CorruptReply,
    InvalidRequest,
    OutcomeUnknown,
    Session,
    add,
    model,
    partition_key,
    set_,
)
from dynattrs.mapper.rows import Row
from dynattrs.operations.flows import Call
from dynattrs.wire.client import Wire
from dynattrs.wire.client_copy import copied


@model("things")
class Thing:
    id: str = partition_key()
    data: bytes = b""
    count: int = 0


@attrs.define
class Part:
    data: bytes


class Canned:
    """Answers requests before they are sent, as an engine would: JSON with its CRC32."""

    def __init__(self, *, attempts: int = 1, mode: str = "standard") -> None:
        self.client: Any = boto3.client(
            "dynamodb",
            region_name="us-east-1",
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            config=Config(retries={"mode": mode, "total_max_attempts": attempts}),
        )
        self.client.meta.events.register("before-send.dynamodb", self._answer)
        self.bodies: list[bytes] = []
        self.checksums: list[str | None] = []
        self.statuses: list[int] = []
        self.sent = 0

    def add(
        self,
        reply: dict[str, Any] | bytes,
        *,
        cut: int | None = None,
        checksum: bool | str = True,
        status: int = 200,
    ) -> None:
        body = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
        stated = checksum if isinstance(checksum, str) else str(crc32(body))
        self.checksums.append(stated if checksum else None)
        self.bodies.append(body if cut is None else body[:cut])
        self.statuses.append(status)

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        self.sent += 1
        body, checksum = self.bodies.pop(0), self.checksums.pop(0)
        headers = {"x-amzn-RequestId": "r1"}
        if checksum is not None:
            headers["x-amz-crc32"] = checksum
        response = AWSResponse(request.url, self.statuses.pop(0), headers, None)
        response._content = body
        return response


ITEM = {"Item": {"id": {"S": "a"}, "data": {"B": "AAEC"}}}


@pytest.fixture(params=["legacy", "standard", "adaptive"])
def canned(request: pytest.FixtureRequest) -> Iterator[Canned]:
    canned = Canned(mode=request.param)
    yield canned
    canned.client.close()


def test_a_truncated_reply_never_reads_as_no_such_item(canned: Canned) -> None:
    """A trap: in botocore's standard mode a cut GetItem reply says "no such item"."""
    for _ in range(4):
        canned.add(ITEM, cut=12)

    with pytest.raises(ConnectionFailed) as failed:
        Session(client=canned.client).get(Thing, "a")

    assert "things" in str(failed.value)


def test_a_read_whose_reply_came_damaged_is_sent_again() -> None:
    canned = Canned()
    canned.add(ITEM, cut=20)
    canned.add(ITEM)
    session = Session(client=canned.client)

    assert session.get(Thing, "a") == Thing("a", b"\x00\x01\x02")
    assert canned.sent == 2
    assert session.stats.retries == 1


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("checksum", ["", "crc32", "-1", "1.0", "\xb2"])
def test_a_checksum_that_is_none_is_a_damaged_reply(
    canned: Canned, checksum: str, fast: bool
) -> None:
    canned.add(ITEM, checksum=checksum or " ")
    canned.add(ITEM)
    session = Session(client=canned.client, fast=fast)

    assert session.get(Thing, "a") == Thing("a", b"\x00\x01\x02")
    assert (canned.sent, session.stats.retries) == (2, 1)


def test_a_put_whose_reply_came_damaged_is_sent_again() -> None:
    canned = Canned()
    canned.add({}, cut=1)
    canned.add({})

    Session(client=canned.client).save(Thing("a"))

    assert canned.sent == 2


def test_an_update_that_computes_is_not_sent_again_after_a_damaged_reply() -> None:
    canned = Canned()
    canned.add({}, cut=1)
    canned.add({})

    with pytest.raises(OutcomeUnknown) as failed:
        Session(client=canned.client).update(Thing, "a", add(Thing.count, 1))

    assert (failed.value.operation, failed.value.key) == ("UpdateItem", {"id": "a"})
    assert isinstance(failed.value.__cause__, CorruptReply)
    assert failed.value.__cause__.table == "things"
    assert canned.sent == 1


def test_a_reply_without_a_checksum_is_taken_as_it_is() -> None:
    canned = Canned()
    canned.add(ITEM, checksum=False)

    assert Session(client=canned.client).get(Thing, "a") == Thing("a", b"\x00\x01\x02")


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("status", [200, 400])
def test_a_damaged_reply_without_a_checksum_that_is_no_text_is_a_failed_attempt(
    status: int, fast: bool
) -> None:
    canned = Canned()
    canned.add(b'{"__type": "\xff", "Item": {"id": {"S": "\xff"}}}', checksum=False, status=status)
    canned.add(ITEM)
    session = Session(client=canned.client, fast=fast)

    assert session.get(Thing, "a") == Thing("a", bytes([0, 1, 2]))
    assert canned.sent == 2
    assert session.stats.retries == 1


def test_the_client_that_is_handed_in_is_not_changed() -> None:
    canned = Canned()
    before = dict(canned.client.__dict__), dict(canned.client._endpoint.__dict__)

    made = copied(canned.client)

    assert made is not canned.client
    assert (canned.client.__dict__, canned.client._endpoint.__dict__) == before
    assert made.meta.events is canned.client.meta.events
    canned.add(ITEM)
    assert canned.client.get_item(TableName="things", Key={"id": {"S": "a"}})["Item"]["data"] == {
        "B": b"\x00\x01\x02"
    }


def test_who_listens_gets_parameters_and_requests_as_botocore_gives_them() -> None:
    """The items are written past botocore's serializer, which nobody may notice."""
    heard: dict[bool, dict[str, Any]] = {True: {}, False: {}}
    for fast, events in heard.items():
        canned = Canned()
        canned.add({})

        def tell(event: str, of: dict[str, Any] = events) -> Callable[..., None]:
            return lambda params, **_: of.update({event: copy.deepcopy(params)})

        for event in ("provide-client-params", "before-parameter-build", "before-call"):
            canned.client.meta.events.register(f"{event}.dynamodb", tell(event))
        Session(client=canned.client, fast=fast).save(Thing("é", b"\x00\x01", 7))
        call = events["before-call"]
        call["body"] = json.loads(call["body"])
        call.pop("context", None)

    assert heard[True] == heard[False]
    assert heard[True]["before-call"]["body"]["Item"]["data"] == {"B": "AAE="}
    assert heard[True]["provide-client-params"]["Item"]["data"] == {"B": b"\x00\x01"}


def test_what_a_listener_changes_is_what_is_sent() -> None:
    canned = Canned()
    canned.add({})
    sent: list[dict[str, Any]] = []

    def change(params: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {**params, "Item": {**params["Item"], "more": {"B": "text"}}}

    canned.client.meta.events.register("provide-client-params.dynamodb", change)
    canned.client.meta.events.register(
        "before-call.dynamodb", lambda params, **_: sent.append(json.loads(params["body"]))
    )

    Session(client=canned.client).save(Thing("a"))

    # botocore takes text for bytes.
    assert sent[0]["Item"]["more"] == {"B": "dGV4dA=="}
    assert sent[0]["Item"]["id"] == {"S": "a"}


def test_what_a_listener_spoils_is_refused_by_botocore() -> None:
    canned = Canned()

    def change(params: dict[str, Any], **_: Any) -> None:
        params["Item"]["id"] = {"S": 1}

    canned.client.meta.events.register("provide-client-params.dynamodb", change)

    with pytest.raises(InvalidRequest, match=r"Invalid type for parameter Item\.id\.S"):
        Session(client=canned.client).save(Thing("a"))
    assert canned.sent == 0


def test_a_client_without_a_serializer_to_replace_gets_one_warning() -> None:
    canned = Canned()
    made: Any = object.__new__(type(canned.client))
    made.__dict__.update(canned.client.__dict__)
    del made._serializer

    with pytest.warns(RuntimeWarning, match="bodies"):
        assert copied(made) is not made


def test_what_is_no_botocore_client_is_used_as_it_is() -> None:
    class Other:
        def get_item(self, **_: Any) -> dict[str, Any]:
            return {"Item": {"id": {"S": "a"}, "data": {"B": b"\x07"}}}

    other: Any = Other()

    assert copied(other) is other
    assert Session(client=other).get(Thing, "a") == Thing("a", b"\x07")


def test_a_botocore_that_is_built_differently_gets_one_warning_and_the_ordinary_way() -> None:
    canned = Canned()
    made: Any = object.__new__(type(canned.client))
    made.__dict__.update(canned.client.__dict__)
    made._endpoint = object()
    assert isinstance(made, BaseClient)

    with pytest.warns(RuntimeWarning, match="botocore"):
        assert copied(made) is made


def test_without_the_fast_way_botocore_parses() -> None:
    canned = Canned()
    canned.add(ITEM)
    canned.add(ITEM)
    session = Session(client=canned.client, fast=False)

    assert session.get(Thing, "a") == Thing("a", b"\x00\x01\x02")
    reply = session._driver.wire.call(Call("get_item", {"TableName": "things", "Key": {}}))
    assert reply["Item"]["data"] == {"B": b"\x00\x01\x02"}


def test_the_checksum_is_checked_without_the_fast_way_too(canned: Canned) -> None:
    canned.add(ITEM, cut=12)
    canned.add(ITEM)

    assert Session(client=canned.client, fast=False).get(Thing, "a") == Thing("a", b"\x00\x01\x02")
    assert canned.sent == 2


@pytest.mark.parametrize("raw", [True, False])
def test_members_of_a_description_that_botocore_does_not_know_are_kept(raw: bool) -> None:
    """An older botocore has no word for what the service has learned since."""
    canned = Canned()
    index = {"IndexName": "by-genre", "IndexStatus": "ACTIVE", "IndexMood": {"Calm": True}}
    table = {
        "TableName": "music",
        "CreationDateTime": 1.5,
        "GlobalSecondaryIndexes": [index],
        "Moods": [{"Since": 2.5}],
        "Nothing": None,
    }
    canned.add({"Table": table, "Advice": "none"})
    wire = Wire(canned.client, fast=raw)

    response = wire.call(Call("describe_table", {"TableName": "music"}))

    assert response["Advice"] == "none"
    assert response["Table"]["GlobalSecondaryIndexes"] == [index]
    assert response["Table"]["Moods"] == [{"Since": 2.5}]
    assert response["Table"]["CreationDateTime"].timestamp() == 1.5
    assert "Nothing" not in response["Table"]
    canned.client.close()


def test_every_read_of_a_model_has_its_reply_decoded_into_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    canned = Canned()
    page = {"Items": [ITEM["Item"]], "Count": 1, "ScannedCount": 1}
    replies: list[dict[str, Any]] = [
        ITEM, ITEM, ITEM, {"Attributes": ITEM["Item"]}, {"Attributes": ITEM["Item"]}, page, page,
        page, page, {"Responses": {"things": [ITEM["Item"]]}},
    ]  # fmt: skip
    for reply in replies:
        canned.add(reply)
    session = Session(client=canned.client)
    wire = session._driver.wire
    rows: list[Any] = []

    def watched(call: Call) -> dict[str, Any]:
        response = Wire.call(wire, call)
        each = next(iter(response.values()))
        while not isinstance(each, Row):
            assert isinstance(each, (dict, list)), (
                f"{call.method} read {each!r}, which is not a row"
            )
            each = next(iter(each.values() if isinstance(each, dict) else each))
        rows.append(each)
        return response

    monkeypatch.setattr(wire, "call", watched)
    thing = Thing("a", b"\x00\x01\x02")

    assert session.get(Thing, "a") == thing
    assert session.get_one(Thing, "a") == thing
    assert session.refresh(Thing("a")) == thing
    assert session.delete(Thing, "a", returning=True) == thing
    assert session.update(Thing, "a", set_(Thing.data, b"")) == thing
    assert session.query(Thing).where(Thing.id == "a").all() == [thing]
    assert session.scan(Thing).on_error("skip").all() == [thing]
    assert session.scan(Thing).as_(Part).all() == [Part(b"\x00\x01\x02")]
    assert list(session.execute("SELECT * FROM things", model=Thing)) == [thing]
    assert list(session.get_many(Thing, ["a"])) == [thing]
    assert len(rows) == len(replies)


def test_items_of_transact_get_are_read_the_general_way() -> None:
    """Its replies are small, and rows for them were never measured to be worth a second way."""
    canned = Canned()
    canned.add({"Responses": [ITEM, {}]})
    session = Session(client=canned.client)

    assert session.transact_get((Thing, "a"), (Thing, "b")) == (Thing("a", b"\x00\x01\x02"), None)


def test_a_page_that_is_cut_short_and_has_no_checksum_is_asked_for_again() -> None:
    canned = Canned()
    page = {"Items": [ITEM["Item"]] * 3, "Count": 3, "ScannedCount": 3}
    canned.add(page, cut=90, checksum=False)
    canned.add(page)
    session = Session(client=canned.client)

    assert session.scan(Thing).all() == [Thing("a", b"\x00\x01\x02")] * 3
    assert session.stats.retries == 1


def test_cursors_are_made_of_rows_as_of_attribute_maps() -> None:
    page = {
        "Items": [ITEM["Item"], {"id": {"S": "b"}}], "Count": 2, "ScannedCount": 2,
        "LastEvaluatedKey": {"id": {"S": "b"}},
    }  # fmt: skip
    found = []
    for fast in (True, False):
        canned = Canned()
        for _ in range(2):
            canned.add(page)
        session = Session(client=canned.client, fast=fast)
        found.append(
            [session.scan(Thing).limit(1).page_size(5).pages(), session.scan(Thing).page(2)]
        )
    (fast_pages, fast_page), (slow_pages, slow_page) = found

    assert list(fast_pages) == list(slow_pages)
    assert fast_page == slow_page
    assert fast_page.cursor is not None


def test_binary_attributes_that_the_class_does_not_know_are_written_back_as_they_were() -> None:
    canned = Canned()
    unknown = {"B": "AAEC"}
    nested = {"L": [{"M": {"x": {"BS": ["AAEC"]}}}]}
    canned.add({"Item": {"id": {"S": "a"}, "extra": unknown, "deep": nested}})
    canned.add({})
    session = Session(client=canned.client)
    found = session.get_one(Thing, "a")
    sent: list[Any] = []
    canned.client.meta.events.register(
        "before-call.dynamodb.PutItem", lambda params, **_: sent.append(json.loads(params["body"]))
    )

    session.save(found)

    assert sent[0]["Item"]["extra"] == unknown
    assert sent[0]["Item"]["deep"] == nested
