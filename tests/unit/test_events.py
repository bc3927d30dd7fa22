"""What a session tells listeners: who hears what, and that nobody's error loses anything."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from typing import Any
from zlib import crc32

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.stub import Stubber

from dynattrs import ConnectionFailed, ModelError, ServiceUnavailable, Throttled
from dynattrs.events import (
    AfterSend,
    BeforeSend,
    Events,
    Flush,
    Retry,
    error_name,
    tell,
)
from dynattrs.operations.flows import Call, Pause
from dynattrs.operations.reading import batch_get, transact_get
from dynattrs.operations.reading.batch_get import Subject, WantedKey
from dynattrs.operations.refusals import ConditionFalse, TransactionCanceled
from dynattrs.operations.writing import batch
from dynattrs.operations.writing.buffer import Buffer, Write, write_by_key
from dynattrs.wire.client import Wire
from dynattrs.wire.exchange import Exchange, Stats, capacity_in, count_in, returned_in, tables_in
from stepped_session import ByHand, result

EVENT = Flush(1, 0, 0, 0.5)


# --- Listening ------------------------------------------------------------------------------------


def test_listeners_hear_in_the_order_in_which_they_came_until_they_end_it():
    events, heard = Events(), []
    end = events.on("flush", lambda event: heard.append("one"))
    events.on("flush", lambda event: heard.append("two"))

    tell(events.flush, EVENT)
    end()
    end()
    tell(events.flush, EVENT)

    assert heard == ["one", "two", "two"]


def test_the_same_function_twice_is_called_twice_and_ended_one_by_one():
    events, heard = Events(), []
    end = events.on("flush", heard.append)
    events.on("flush", heard.append)

    end()
    tell(events.flush, EVENT)

    assert heard == [EVENT]


def test_a_listener_that_raises_is_logged_and_the_others_hear_all_the_same(
    caplog: pytest.LogCaptureFixture,
):
    events, heard = Events(), []
    events.on("flush", lambda event: 1 / 0)
    events.on("flush", heard.append)

    with caplog.at_level(logging.ERROR, "dynattrs"):
        tell(events.flush, EVENT)

    assert heard == [EVENT]
    assert "a listener of Flush failed" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_a_listener_may_end_itself_while_it_is_called():
    events, heard = Events(), []

    def once(event: Flush) -> None:
        heard.append(event)
        end()

    end = events.on("flush", once)
    events.on("flush", lambda event: heard.append("other"))

    tell(events.flush, EVENT)
    tell(events.flush, EVENT)

    assert heard == [EVENT, "other", "other"]


def test_many_threads_may_come_and_go():
    events = Events()

    def come_and_go() -> None:
        for _ in range(200):
            events.on("retry", print)()

    threads = [threading.Thread(target=come_and_go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert events.retry == ()


def test_an_event_that_there_is_not_is_refused_naming_those_that_there_are():
    with pytest.raises(ModelError, match=r"no event 'sent'; write one of .*before_send.*flush"):
        ByHand().on("sent", print)  # type: ignore[call-overload]


def test_what_cannot_be_called_is_refused():
    with pytest.raises(ModelError, match=r"Session\.on: flush: a function is expected, not None"):
        ByHand().on("flush", None)  # type: ignore[call-overload]


def test_a_coroutine_function_is_refused():
    async def later(event: Flush) -> None: ...

    with pytest.raises(ModelError, match="not the coroutine function"):
        ByHand().on("flush", later)


# --- Requests and answers -------------------------------------------------------------------------

PUT = {"PutRequest": {"Item": {"id": {"S": "a"}}}}


@pytest.mark.parametrize(
    ("parameters", "tables", "count"),
    [
        ({"TableName": "a", "Item": {}}, ("a",), 1),
        ({"TableName": "a", "Key": {}}, ("a",), 1),
        ({"TableName": "a"}, ("a",), 0),
        ({"RequestItems": {"a": [PUT, PUT], "b": [PUT]}}, ("a", "b"), 3),
        ({"RequestItems": {"a": {"Keys": [{}, {}]}}}, ("a",), 2),
        (
            {"TransactItems": [{"Put": {"TableName": "a"}}, {"Delete": {"TableName": "a"}}]},
            ("a",),
            2,
        ),
        ({"Statement": "SELECT"}, (), 0),
    ],
)
def test_what_a_request_names(parameters: dict[str, Any], tables: tuple[str, ...], count: int):
    assert tables_in(parameters) == tables
    assert count_in(parameters) == count


@pytest.mark.parametrize(
    ("response", "returned"),
    [
        ({"Items": [{}, {}]}, 2),
        ({"Item": {"id": {"S": "a"}}}, 1),
        ({}, 0),
        ({"Responses": {"a": [{}], "b": [{}, {}]}}, 3),
        ({"Responses": [{"Item": {"id": {"S": "a"}}}, {}]}, 1),
        ({"Attributes": {}}, 0),
    ],
)
def test_how_many_items_an_answer_holds(response: dict[str, Any], returned: int):
    assert returned_in(response) == returned


def test_capacity_is_told_by_table():
    one, other = ({"TableName": name, "CapacityUnits": 1.5} for name in "ab")

    assert capacity_in({"ConsumedCapacity": one}) == {"a": 1.5}
    assert capacity_in({"ConsumedCapacity": [one, other, one]}) == {"a": 3.0, "b": 1.5}
    assert capacity_in({}) == {}


def test_an_error_is_named_without_anything_of_an_item():
    false = ConditionFalse("PutItem", "ConditionalCheckFailedException", "no", "a")

    assert error_name(false) == "ConditionalCheckFailedException"
    assert error_name(ConnectionFailed("PutItem", "lost", "a")) == "ConnectionFailed"


def stubbed() -> tuple[Wire, Stubber, list[Any]]:
    client = boto3.client(
        "dynamodb", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    stubber = Stubber(client)
    stubber.activate()
    events, heard = Events(), []
    for name in ("before_send", "after_send", "retry"):
        events.on(name, heard.append)
    return Wire(client, events=events), stubber, heard


def test_a_request_is_told_before_and_after_it_with_what_it_cost():
    wire, stubber, heard = stubbed()
    stubber.add_response(
        "query",
        {
            "Items": [{"id": {"S": "secret"}}],
            "Count": 1,
            "ScannedCount": 7,
            "ConsumedCapacity": {"TableName": "music", "CapacityUnits": 2.5},
            "ResponseMetadata": {"RetryAttempts": 1, "RequestId": "r1"},
        },
    )

    wire.call(Call("query", {"TableName": "music"}))

    before, after = heard
    assert before == BeforeSend(before.request, "Query", ("music",), 0)
    assert after == AfterSend(
        before.request, "Query", ("music",), 0, after.seconds, returned=1, matched=1, scanned=7,
        by_table={"music": 2.5}, retries=1, request_id="r1",
    )  # fmt: skip
    assert after.capacity == 2.5
    assert after.seconds > 0
    assert "secret" not in repr(heard)


def test_a_request_that_fails_is_told_with_the_services_code():
    wire, stubber, heard = stubbed()
    stubber.add_client_error("put_item", "ThrottlingException", "slow down, secret")

    with pytest.raises(Throttled):
        wire.call(Call("put_item", {"TableName": "music", "Item": {"id": {"S": "secret"}}}))

    _, after = heard
    assert (after.error, after.count, after.returned) == ("ThrottlingException", 1, 0)
    assert "secret" not in repr(heard)


def test_an_interrupted_request_has_an_end_too():
    """Else whatever waits for it, such as a span, would never end."""
    wire, _, heard = stubbed()
    wire._sender = Interrupted()

    with pytest.raises(KeyboardInterrupt):
        wire.call(Call("put_item", {"TableName": "music", "Item": {}}))

    assert [type(each) for each in heard] == [BeforeSend, AfterSend]
    assert heard[1].error == "Interrupted"


class Interrupted:
    def put_item(self, **_: Any) -> Any:
        raise KeyboardInterrupt


def test_two_requests_never_have_one_number():
    wire, stubber, heard = stubbed()
    for _ in range(2):
        stubber.add_response("get_item", {})
        wire.call(Call("get_item", {"TableName": "music", "Key": {"id": {"S": "a"}}}))

    assert len({each.request for each in heard}) == 2


class Service:
    """Answers requests before they are sent, one after the other."""

    def __init__(self, *replies: tuple[int, bytes], mode: str = "standard", attempts: int = 1):
        config = Config(retries={"mode": mode, "total_max_attempts": attempts})
        self.client: Any = boto3.client(
            "dynamodb", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x",
            config=config,
        )  # fmt: skip
        self.replies = list(replies)
        self.client.meta.events.register("before-send.dynamodb", self.answer)
        self.events, self.retries, self.ends = Events(), [], []
        self.events.on("retry", self.retries.append)
        self.events.on("after_send", self.ends.append)
        self.wire = Wire(self.client, events=self.events)

    def answer(self, request: Any, **_: Any) -> AWSResponse:
        status, body = self.replies.pop(0)
        headers = {"x-amz-crc32": str(crc32(b"{}") if body == CUT else crc32(body))}
        response = AWSResponse(request.url, status, headers, None)
        response._content = body
        return response

    def get(self) -> None:
        self.wire.call(Call("get_item", {"TableName": "music", "Key": {"id": {"S": "a"}}}))
        self.client.close()


CUT = b"{"
THROTTLED = (400, b'{"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException"}')


def test_a_damaged_reply_that_is_asked_for_again_is_told():
    service = Service((200, CUT), (200, b"{}"))

    service.get()

    [event], [after] = service.retries, service.ends
    assert event == Retry(
        after.request, "GetItem", ("music",), 1, 1, "CorruptReply", 0.0, "dynattrs"
    )
    assert service.wire.stats.retries == after.retries == 1


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
def test_what_botocore_repeats_is_told_with_the_services_code(
    mode: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    # In mode "adaptive" botocore waits for a token, at first for two seconds each.
    monkeypatch.setattr("botocore.retries.bucket.TokenBucket.acquire", lambda bucket: True)
    service = Service(THROTTLED, THROTTLED, (200, b"{}"), mode=mode, attempts=3)

    service.get()

    [after] = service.ends
    assert [(each.attempt, each.error, each.by, each.seconds) for each in service.retries] == [
        (1, "ThrottlingException", "botocore", None),
        (2, "ThrottlingException", "botocore", None),
    ]
    assert {each.request for each in service.retries} == {after.request}
    assert after.retries == 2


def test_the_retries_of_a_request_that_failed_in_the_end_are_told_too(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    service = Service(THROTTLED, THROTTLED, attempts=2)

    with pytest.raises(Throttled):
        service.get()

    [after] = service.ends
    assert (after.retries, after.error) == (1, "ThrottlingException")
    assert len(service.retries) == 1


def test_a_session_without_listeners_gives_its_requests_no_numbers():
    """The hot path: nothing is counted or collected for nobody."""
    exchange = Exchange(Stats(), Call("get_item", {"TableName": "a", "Key": {}}), Events())

    assert exchange._number == 0
    assert exchange.attempts.again is None


# --- What flows send again ------------------------------------------------------------------------


def listening() -> tuple[ByHand, list[Retry]]:
    handle, heard = ByHand(), []
    handle.on("retry", heard.append)
    return handle, heard


def put(id_: str) -> Write:
    item = {"id": {"S": id_}}
    return write_by_key("notes", item, {"PutRequest": {"Item": item}}, 10, id_, "save")


def batch_of(handle: ByHand, *ids: str) -> Any:
    buffer = Buffer()
    for id_ in ids:
        buffer.add(put(id_))
    return batch.send(handle._core, buffer, buffer.take(whole=False))


def test_unprocessed_writes_are_told_with_how_many_are_left_and_the_pause():
    handle, heard = listening()
    flow = batch_of(handle, "a", "b", "c")
    next(flow)

    pause = flow.send({"UnprocessedItems": {"notes": [put("b").request, put("c").request]}})

    assert isinstance(pause, Pause)
    assert heard == [
        Retry(
            None, "BatchWriteItem", ("notes",), 2, 0, "UnprocessedItems", pause.seconds, "dynattrs"
        )
    ]


def test_a_batch_that_failed_as_a_whole_is_told_with_its_attempts():
    handle, heard = listening()
    flow = batch_of(handle, "a")

    for _ in range(2):
        assert isinstance(next(flow), Call)
        error = ServiceUnavailable("BatchWriteItem", "InternalServerError", "oops", "notes")
        assert isinstance(flow.throw(error), Pause)

    assert [(each.attempt, each.error, each.count) for each in heard] == [
        (1, "InternalServerError", 1),
        (2, "InternalServerError", 1),
    ]


def test_unprocessed_keys_are_told():
    handle, heard = listening()
    notes = Subject(None, "notes")
    keys = [WantedKey(id_, {"id": {"S": id_}}, notes) for id_ in "ab"]
    flow = batch_get.fetch(handle._core, keys, False)
    next(flow)

    flow.send(
        {
            "Responses": {"notes": [{"id": {"S": "a"}}]},
            "UnprocessedKeys": {"notes": {"Keys": [{"id": {"S": "b"}}]}},
        }
    )

    [event] = heard
    assert (event.operation, event.tables, event.count) == ("BatchGetItem", ("notes",), 1)
    assert event.error == "UnprocessedKeys"


def test_a_conflict_of_transactions_is_told_by_its_reason():
    handle, heard = listening()
    wanted = [
        {"TableName": "notes", "Key": {"id": {"S": "a"}}},
        {"TableName": "tags", "Key": {"id": {"S": "b"}}},
    ]
    flow = transact_get.transact_get(handle._core, wanted)
    next(flow)
    canceled = TransactionCanceled("TransactGetItems", "TransactionCanceledException", "no", None)
    canceled.reasons = [{"Code": "None"}, {"Code": "TransactionConflict"}]

    flow.throw(canceled)

    [event] = heard
    assert event.operation == "TransactGetItems"
    assert (event.tables, event.count) == (("notes", "tags"), 2)
    assert event.error == "TransactionConflict"


def test_a_listener_that_raises_loses_no_writes():
    handle = ByHand()
    handle._core.deadline = timedelta(seconds=60)
    handle.on("retry", lambda event: 1 / 0)
    handle.on("flush", lambda event: 1 / 0)
    buffer = Buffer()
    buffer.add(put("a"))
    flow = batch.flush(handle._core, buffer)
    next(flow)
    assert isinstance(flow.throw(Throttled("BatchWriteItem", "Throttling", "x")), Pause)
    next(flow)

    result(flow, {})

    assert len(buffer) == 0
    assert buffer.failures() == []
