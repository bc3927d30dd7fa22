"""Writes whose reply was lost: sent again, recognised, or reported as unknown.

The engine is scripted where botocore would send: it applies nothing, it only answers. That attempts
are lost after they were applied by a real engine is tested in tests/integration/test_faults.py.
"""

from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import attrs
import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, SSLError

from certificates import loopback_pem, old_server_side, server_side
from dynattrs import (
    ConditionError,
    ConditionFailed,
    ConnectionFailed,
    DynattrsError,
    InvalidRequest,
    ItemExists,
    NoSuchItem,
    OutcomeUnknown,
    ServiceUnavailable,
    Session,
    Throttled,
    TransactionFailed,
    add,
    delete,
    field,
    if_not_exists,
    list_append,
    model,
    partition_key,
    remove,
    set_,
)
from dynattrs.events import AfterSend
from dynattrs.operations.writing import outcomes
from dynattrs.operations.writing.outcomes import repeatable, same
from dynattrs.wire.attempts import was_never_sent
from scripted_server import HANG_UP, SILENCE, reply, serving

NOW = datetime(2026, 11, 25, tzinfo=timezone.utc)


@model("things")
class Thing:
    id: str = partition_key()
    count: int = 0
    tags: set[str] = attrs.field(factory=set)
    lines: list[str] = attrs.field(factory=list)


@model("counted")
class Counted:
    id: str = partition_key()
    counts: dict[str, int] = attrs.field(factory=dict)
    deep: dict[str, dict[str, int]] = attrs.field(factory=dict)


@model("copied")
class Copied:
    id: str = partition_key()
    count: int = 0
    old: int = 0
    lines: list[str] = attrs.field(factory=list)
    counts: dict[str, int] = attrs.field(factory=dict)
    old_counts: dict[str, int] = attrs.field(factory=dict)


@model("versioned")
class Versioned:
    id: str = partition_key()
    counts: dict[str, int] = attrs.field(factory=dict)
    version: int = field(version=True)


@attrs.define
class Line:
    qty: int


@model("carts")
class Cart:
    id: str = partition_key()
    lines: list[Line]


@model("papers")
class Paper:
    id: str = partition_key()
    text: str = ""
    version: int = field(version=True)


@model("tagged")
class Tagged:
    id: str = partition_key()
    text: str = ""
    tags: set[str] = attrs.field(factory=set)
    version: int = field(version=True)


@model("stamped")
class Stamped:
    id: str = partition_key()
    text: str = ""
    changed: datetime | None = field(updated=True)


LOST = ConnectionClosedError(endpoint_url="http://x")
REFUSED = EndpointConnectionError(endpoint_url="http://x")
BROKEN = (500, {"__type": "x#InternalServerError", "message": "oops"})
THROTTLED = (400, {"__type": "x#ProvisionedThroughputExceededException", "message": "slow"})
DONE = (200, {})


def condition_false(**item: Any) -> tuple[int, dict[str, Any]]:
    return 400, {"__type": "x#ConditionalCheckFailedException", "message": "no", "Item": item}


GONE = (400, {"__type": "x#ConditionalCheckFailedException", "message": "no"})


class Scripted:
    """A client whose attempts end one after the other as the script says."""

    def __init__(self, *script: Any) -> None:
        self.client: Any = boto3.client(
            "dynamodb",
            region_name="us-east-1",
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            config=Config(retries={"mode": "standard", "total_max_attempts": 3}),
        )
        self.client.meta.events.register("before-send.dynamodb", self._answer)
        self.client.meta.events.register_first("needs-retry.dynamodb", self._at_once)
        self.script = list(script)
        self.sent: list[dict[str, Any]] = []

    def _at_once(self, attempts: int, **_: Any) -> float | None:
        return 0.0001 if attempts < 3 and self._again else None

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        self.sent.append(json.loads(request.body))
        outcome = self.script.pop(0)
        self._again = isinstance(outcome, Exception) or outcome in (BROKEN, THROTTLED)
        if isinstance(outcome, BaseException):
            raise outcome
        status, body = outcome
        response = AWSResponse(request.url, status, {}, None)
        response._content = json.dumps(body).encode()
        return response


@pytest.fixture
def scripted() -> Iterator[Any]:
    made = []

    def script(*outcomes: Any, deadline: int = 0) -> tuple[Session, Scripted]:
        engine = Scripted(*outcomes)
        session = Session(
            client=engine.client, clock=lambda: NOW, deadline=timedelta(seconds=deadline)
        )
        made.append((session, engine))
        return session, engine

    yield script
    for session, engine in made:
        assert engine.script == [], "not everything of the script was asked for"
        session.close()
        engine.client.close()


# --- Plain puts and deletes ---------------------------------------------------------------------


@pytest.mark.parametrize("fault", [LOST, BROKEN])
def test_plain_puts_and_deletes_are_sent_again(scripted: Any, fault: Any) -> None:
    session, engine = scripted(fault, DONE, fault, DONE)

    session.save(Thing("a"))
    session.delete(Thing, "a")

    assert len(engine.sent) == 4


def test_a_plain_put_that_gets_no_answer_is_a_failed_connection(scripted: Any) -> None:
    session, _ = scripted(LOST, LOST, LOST)

    with pytest.raises(ConnectionFailed) as failed:
        session.save(Thing("a"))

    assert failed.value.uncertain
    assert "a write may have been applied" in str(failed.value)


@pytest.mark.parametrize("outcome", [LOST, BROKEN])
@pytest.mark.parametrize(
    "read",
    [
        lambda session: session.get(Thing, "a"),
        lambda session: session.query(Thing).where(Thing.id == "a").all(),
        lambda session: session.scan(Thing).count(),
        lambda session: list(session.get_many(Thing, ["a"])),
        lambda session: session.transact_get((Thing, "a")),
        lambda session: session.execute("SELECT * FROM things"),
        lambda session: session.tables.exists(Thing),
    ],
)
def test_a_read_without_an_answer_warns_of_no_write(
    scripted: Any, read: Callable[[Session], object], outcome: Any
) -> None:
    session, engine = scripted(*[outcome] * 3)

    with pytest.raises((ConnectionFailed, ServiceUnavailable)) as failed:
        read(session)
    engine.script.clear()  # what has a deadline was not sent again

    assert not failed.value.uncertain
    assert "write" not in str(failed.value)
    assert "nothing was sent" not in str(failed.value)


# --- Attempts that may come late ----------------------------------------------------------------


def put(session: Session) -> None:
    session.save(Thing("a"))


def put_in_a_batch(session: Session) -> None:
    with session.batch() as batch:
        batch.save(Thing("a"))


@pytest.mark.parametrize(
    ("act", "outcomes", "expected"),
    [
        (put, [DONE], 0),
        (put, [LOST, DONE], 1),
        (put, [LOST, BROKEN, DONE], 2),
        (put, [LOST, LOST, LOST], 3),
        (put, [REFUSED, REFUSED, DONE], 0),
        (put, [THROTTLED, DONE], 0),
        (put, [THROTTLED, LOST, DONE], 1),
        (put, [KeyboardInterrupt()], 0),  # before it was sent
        (put_in_a_batch, [LOST, DONE], 1),
        (lambda session: session.insert(Thing("a")), [LOST, DONE], 1),
        (lambda session: session.update(Thing, "a", add(Thing.count, 1)), [LOST], 1),
        (lambda session: session.execute("DELETE FROM things WHERE id = 'a'"), [LOST], 1),
        (lambda session: session.execute("SELECT * FROM things"), [LOST, DONE], 0),
        (lambda session: session.get(Thing, "a"), [LOST, DONE], 0),
        (lambda session: session.scan(Thing).count(), [BROKEN, LOST, DONE], 0),
        (lambda session: session.scan(Thing).count(), [KeyboardInterrupt()], 0),
    ],
)
@pytest.mark.parametrize("listening", [False, True])
def test_attempts_of_writes_that_may_come_late_are_counted_and_told(
    scripted: Any, act: Any, outcomes: list[Any], expected: int, listening: bool
) -> None:
    session, _ = scripted(*outcomes, deadline=60)
    told: list[AfterSend] = []
    if listening:
        session.on("after_send", told.append)

    with contextlib.suppress(DynattrsError, KeyboardInterrupt):
        act(session)

    assert session.stats.uncertain == expected
    if listening:
        assert sum(each.uncertain for each in told) == expected


# --- Inserts --------------------------------------------------------------------------------------


def test_an_insert_recognises_its_own_item(scripted: Any) -> None:
    """A trap: botocore's retry turns a success into "the item exists"."""
    stored = {"id": {"S": "a"}, "count": {"N": "1.0"}, "lines": {"L": []}}
    session, _ = scripted(LOST, condition_false(**stored))

    assert session.insert(Thing("a", 1)) == Thing("a", 1)


def test_an_insert_that_finds_another_item_after_a_lost_reply_cannot_tell(scripted: Any) -> None:
    """The other one may have been there before, or have taken the place of ours."""
    stored = {"id": {"S": "a"}, "count": {"N": "2"}, "lines": {"L": []}}
    session, _ = scripted(BROKEN, condition_false(**stored))

    with pytest.raises(OutcomeUnknown) as unknown:
        session.insert(Thing("a", 1))

    assert unknown.value.key == {"id": "a"}
    assert unknown.value.item == Thing("a", 2)
    assert "read it again" in str(unknown.value)


@pytest.mark.parametrize("before", [[], [THROTTLED], [REFUSED]])
def test_an_insert_whose_attempts_were_never_applied_is_sure(scripted: Any, before: Any) -> None:
    session, _ = scripted(*before, condition_false(id={"S": "a"}, count={"N": "2"}))

    with pytest.raises(ItemExists):
        session.insert(Thing("a", 1))


@pytest.mark.parametrize("last", [LOST, THROTTLED, BROKEN])
def test_an_insert_that_never_gets_an_answer_is_unknown(scripted: Any, last: Any) -> None:
    session, _ = scripted(LOST, LOST, last)

    with pytest.raises(OutcomeUnknown) as unknown:
        session.insert(Thing("a"))

    assert unknown.value.__cause__ is not None


def test_a_refused_certificate_leaves_no_doubt_about_a_write() -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(loopback_pem())
    with serving(tls) as server:
        client = boto3.client(
            "dynamodb",
            region_name="us-east-1",
            endpoint_url=server.url,
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            config=Config(retries={"total_max_attempts": 1}),
        )
        session = Session(client=client)
        writes: list[Callable[[], object]] = [
            lambda: session.save(Thing("a")),
            lambda: session.insert(Thing("a")),
            lambda: session.update(Thing, "a", add(Thing.count, 1)),
        ]
        for write in writes:
            with pytest.raises(ConnectionFailed, match="CERTIFICATE_VERIFY_FAILED") as caught:
                write()
            assert not caught.value.uncertain
        assert session.stats.uncertain == 0


@pytest.mark.parametrize(
    "case", ["another host", "silence", "hanging up", "old", "no file", "no file of ours", "proxy"]
)
def test_what_fails_before_there_is_a_connection_leaves_no_doubt(case: str) -> None:
    another = loopback_pem("example.com")
    tls = {"old": old_server_side, "proxy": lambda: None}.get(case, server_side)()
    if case == "another host" and tls is not None:
        tls.load_cert_chain(another)
    with serving(tls) as server:
        server.handshake = {"silence": SILENCE, "hanging up": HANG_UP}.get(case)
        own: Any = {"client_cert": "/none/such.pem"} if case == "no file of ours" else {}
        if case == "proxy":  # it refuses to connect to the service
            server.answer = lambda _: reply(b"", 403)
            own = {"proxies": {"https": server.url}}
        url = server.url.replace("http:", "https:")
        verify = {"no file": "/none/such.pem", "another host": another}.get(case, loopback_pem())
        client: Any = boto3.client(
            "dynamodb", region_name="us-east-1", endpoint_url=url, verify=verify,
            aws_access_key_id="key", aws_secret_access_key="secret",
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=0.2, **own),
        )  # fmt: skip
        session = Session(client=client)
        with pytest.raises(ConnectionFailed, match="nothing was sent"):
            session.update(Thing, "a", add(Thing.count, 1))
        assert session.stats.uncertain == 0
        client.close()


@pytest.mark.parametrize(
    "error",
    [ssl.SSLError("bad record mac"), ssl.SSLEOFError("unexpected end"), ValueError("odd")],
)
def test_another_error_of_tls_may_have_come_after_the_request(error: Exception) -> None:
    assert not was_never_sent(SSLError(endpoint_url="https://x", error=error))


def test_an_insert_that_reached_nobody_is_a_failed_connection(scripted: Any) -> None:
    session, _ = scripted(REFUSED, REFUSED, REFUSED)

    with pytest.raises(ConnectionFailed) as failed:
        session.insert(Thing("a"))

    assert not failed.value.uncertain
    assert "nothing was sent" in str(failed.value)


def test_what_a_save_has_replaced_is_unknown_after_a_lost_reply(scripted: Any) -> None:
    session, engine = scripted(LOST)

    with pytest.raises(OutcomeUnknown):
        session.save(Thing("a"), returning=True)

    assert len(engine.sent) == 1, "a second time it would replace its own item"


def test_what_a_versioned_save_has_replaced_is_unknown_where_the_first_one_was_done(
    scripted: Any,
) -> None:
    old = (200, {"Attributes": paper(3, "old")})
    session, _ = scripted(LOST, old, LOST, condition_false(**paper(4, "mine")))

    assert session.save(Paper("a", "mine", version=3), returning=True).text == "old"
    with pytest.raises(OutcomeUnknown):
        session.save(Paper("a", "mine", version=3), returning=True)


NO_PATH = (
    400,
    {
        "__type": "com.amazon.coral.validate#ValidationException",
        "message": "The document path provided in the update expression is invalid for update",
    },
)


def bare(**item: Any) -> tuple[int, dict[str, Any]]:
    return 200, {"Item": {"id": {"S": "a"}, **item}}


def test_a_missing_map_is_made_once_also_where_the_reply_is_lost(scripted: Any) -> None:
    """What was lost has made the map: the second time only the key in it is set."""
    there = {"id": {"S": "a"}, "counts": {"M": {"x": {"N": "1"}}}}
    session, engine = scripted(
        NO_PATH, bare(), LOST, condition_false(**there), (200, {"Attributes": there})
    )

    assert session.update(Counted, "a", set_(Counted.counts["x"], 1)).counts == {"x": 1}

    _, read, whole, again, inside = engine.sent
    assert read["ConsistentRead"] is True
    assert whole == again
    assert "attribute_not_exists" in whole["ConditionExpression"]
    assert "attribute_not_exists" not in inside["ConditionExpression"]


@pytest.mark.parametrize("upsert", [False, True])
@pytest.mark.parametrize("value", [1, if_not_exists(Counted.counts["x"], 1)], ids=str)
def test_a_missing_map_is_made_after_a_reply_that_was_lost(
    scripted: Any, upsert: bool, value: Any
) -> None:
    """What was lost may have been the refusal, and what it asked does no harm twice."""
    there = {"id": {"S": "a"}, "counts": {"M": {"x": {"N": "1"}}}}
    session, _ = scripted(LOST, NO_PATH, bare(), (200, {"Attributes": there}))

    made = session.update(Counted, "a", set_(Counted.counts["x"], value), upsert=upsert)

    assert made is not None
    assert made.counts == {"x": 1}


def test_what_counts_in_a_missing_map_is_not_sent_again(scripted: Any) -> None:
    session, engine = scripted(NO_PATH, bare(), LOST)

    with pytest.raises(OutcomeUnknown):
        session.update(Counted, "a", add(Counted.counts["x"], 1))

    assert len(engine.sent) == 3


def test_a_version_tells_that_the_missing_map_was_made(scripted: Any) -> None:
    mine = {"id": {"S": "a"}, "counts": {"M": {"x": {"N": "1"}}}, "version": {"N": "4"}}
    session, _ = scripted(NO_PATH, bare(version={"N": "3"}), LOST, condition_false(**mine))

    new = session.update(Versioned("a", version=3), set_(Versioned.counts["x"], 1))

    assert new == Versioned("a", {"x": 1}, 4)


def test_an_item_that_is_gone_before_its_map_is_made(scripted: Any) -> None:
    session, _ = scripted(NO_PATH, (200, {}))

    with pytest.raises(NoSuchItem):
        session.update(Counted, "a", set_(Counted.counts["x"], 1))


def test_other_mistakes_in_an_update_are_told_as_the_service_tells_them(scripted: Any) -> None:
    status, body = NO_PATH
    other = (status, {**body, "message": "An operand has an incorrect data type"})
    session, engine = scripted(other, bare(counts={"M": {}}), other, other, bare(counts={"M": {}}))

    with pytest.raises(InvalidRequest, match="incorrect data type"):
        session.update(Counted, "a", set_(Counted.counts["x"], 1))
    engine.script.clear()


def test_very_many_maps_have_room_in_an_update(scripted: Any) -> None:
    """A condition has at most 300 operators and 4 KB: then only what is missing is asked."""
    there = {str(n): {"M": {}} for n in range(1, 150)}
    session, engine = scripted(NO_PATH, bare(deep={"M": there}), (200, {}))

    session.update(
        Counted, "a", *(set_(Counted.deep[str(n)]["x"], 1) for n in range(150)), returns=None
    )

    assert engine.sent[-1]["ConditionExpression"].count("attribute_type") == 0
    assert engine.sent[-1]["ConditionExpression"].count("attribute_not_exists") == 1


def test_the_old_values_cannot_be_asked_for_twice(scripted: Any) -> None:
    session, engine = scripted(LOST)

    with pytest.raises(OutcomeUnknown):
        session.update(Thing, "a", set_(Thing.count, 1), returns="changed_old")

    assert len(engine.sent) == 1


# --- Versions -------------------------------------------------------------------------------------


def paper(version: int, text: str) -> dict[str, Any]:
    return {"id": {"S": "a"}, "text": {"S": text}, "version": {"N": str(version)}}


def test_a_versioned_save_recognises_its_own_write(scripted: Any) -> None:
    session, _ = scripted(LOST, condition_false(**paper(4, "mine")))
    mine = Paper("a", "mine", version=3)

    session.save(mine)

    assert mine.version == 4


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (paper(4, "theirs"), ConditionFailed),  # ours would read "mine"
        (paper(5, "theirs"), OutcomeUnknown),  # it may have been made of ours
        (paper(1, "theirs"), OutcomeUnknown),  # a new item, made after ours or before
        ({}, OutcomeUnknown),
    ],
)
def test_a_versioned_save_after_a_lost_reply_judges_by_the_version_found(
    scripted: Any, found: dict[str, Any], expected: type[Exception]
) -> None:
    session, _ = scripted(LOST, condition_false(**found))
    mine = Paper("a", "mine", version=3)

    with pytest.raises(expected):
        session.save(mine)

    assert mine.version == 3


def test_a_versioned_delete_that_finds_nothing_after_a_lost_reply_is_done(scripted: Any) -> None:
    session, _ = scripted(LOST, GONE)

    session.delete(Paper("a", "mine", version=3))


@pytest.mark.parametrize(
    ("found", "expected"),
    [(paper(4, "theirs"), ConditionFailed), (paper(1, "theirs"), OutcomeUnknown)],
)
def test_a_versioned_delete_after_a_lost_reply_judges_by_the_version_found(
    scripted: Any, found: dict[str, Any], expected: type[Exception]
) -> None:
    session, _ = scripted(LOST, condition_false(**found))

    with pytest.raises(expected):
        session.delete(Paper("a", "mine", version=3))


def test_a_versioned_update_is_sent_again_also_where_it_computes(scripted: Any) -> None:
    session, engine = scripted(LOST, (200, {"Attributes": paper(4, "x")}))

    session.update(Paper("a", "y", version=3), set_(Paper.text, "x"))

    assert len(engine.sent) == 2


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (paper(4, "theirs"), ConditionFailed),
        (paper(5, "mine"), OutcomeUnknown),
    ],
)
def test_a_versioned_update_after_a_lost_reply_judges_by_what_is_found(
    scripted: Any, found: dict[str, Any], expected: type[Exception]
) -> None:
    session, _ = scripted(LOST, condition_false(**found))

    with pytest.raises(expected):
        session.update(Paper("a", "old", version=3), set_(Paper.text, "mine"))


def test_a_versioned_update_recognises_what_it_did(scripted: Any) -> None:
    session, _ = scripted(LOST, condition_false(**paper(4, "mine")))

    new = session.update(Paper("a", "old", version=3), set_(Paper.text, "mine"))

    assert new == Paper("a", "mine", version=4)


def test_an_edit_recognises_what_it_did(scripted: Any) -> None:
    session, _ = scripted(LOST, condition_false(**paper(4, "mine")))
    found = Paper("a", "old", version=3)

    with session.edit(found):
        found.text = "mine"

    assert found.version == 4


# --- Updates --------------------------------------------------------------------------------------


def test_an_update_that_is_the_same_twice_is_sent_again(scripted: Any) -> None:
    attributes = {"id": {"S": "a"}, "count": {"N": "3"}, "lines": {"L": []}}
    session, engine = scripted(LOST, (200, {"Attributes": attributes}))

    assert session.update(Thing, "a", set_(Thing.count, 3)).count == 3
    assert len(engine.sent) == 2


@pytest.mark.parametrize("fault", [LOST, BROKEN])
@pytest.mark.parametrize(
    "action",
    [
        add(Thing.count, 1),
        set_(Thing.count, Thing.count + 1),
        set_(Thing.lines, list_append(Thing.lines, ["x"])),
        remove(Thing.lines[0]),
    ],
    ids=str,
)
def test_an_update_that_would_count_twice_is_not_sent_again(
    scripted: Any, action: Any, fault: Any
) -> None:
    session, engine = scripted(fault)

    with pytest.raises(OutcomeUnknown) as unknown:
        session.update(Thing, "a", action)

    assert isinstance(unknown.value.__cause__, (ConnectionFailed, ServiceUnavailable))
    assert len(engine.sent) == 1


@pytest.mark.parametrize("fault", [THROTTLED, REFUSED])
def test_an_update_that_counts_is_sent_again_after_what_was_surely_not_applied(
    scripted: Any, fault: Any
) -> None:
    attributes = {"id": {"S": "a"}, "count": {"N": "3"}, "lines": {"L": []}}
    session, engine = scripted(fault, (200, {"Attributes": attributes}))

    session.update(Thing, "a", add(Thing.count, 1))

    assert len(engine.sent) == 2


def test_an_update_that_was_throttled_throughout_was_not_done(scripted: Any) -> None:
    session, _ = scripted(THROTTLED, THROTTLED, THROTTLED)

    with pytest.raises(Throttled):
        session.update(Thing, "a", add(Thing.count, 1))


def test_the_old_item_cannot_be_asked_for_twice(scripted: Any) -> None:
    session, engine = scripted(LOST)

    with pytest.raises(OutcomeUnknown):
        session.update(Thing, "a", set_(Thing.count, 1), returns="old")

    assert len(engine.sent) == 1


def test_a_conditional_update_is_recognised_by_its_time_stamp(scripted: Any) -> None:
    stored = {"id": {"S": "a"}, "text": {"S": "x"}, "changed": {"S": "2026-11-25T00:00:00.000000Z"}}
    session, _ = scripted(LOST, condition_false(**stored))

    new = session.update(Stamped, "a", set_(Stamped.text, "x"), when=Stamped.text == "w")

    assert new == Stamped("a", "x", NOW)


def test_a_conditional_update_without_a_time_stamp_cannot_tell_itself_from_another(
    scripted: Any,
) -> None:
    """Two workers that claim a job with the same words must not both believe they have it."""
    session, _ = scripted(LOST, condition_false(id={"S": "a"}, count={"N": "1"}))

    with pytest.raises(OutcomeUnknown):
        session.update(Thing, "a", set_(Thing.count, 1), when=Thing.count == 0)


TEXT = {"id": {"S": "a"}, "tags": {"S": "text"}}


@pytest.mark.parametrize("stored", [{"S": "text"}, {"NULL": True}, {"L": [{"M": {}}]}], ids=str)
@pytest.mark.parametrize("tags", [{"a", "b", "c"}, {"a"}], ids=["added", "deleted"])
def test_an_edit_of_a_set_that_became_something_else_cannot_tell_after_a_lost_reply(
    scripted: Any, stored: dict[str, Any], tags: set[str]
) -> None:
    session, _ = scripted(LOST, condition_false(id={"S": "a"}, tags=stored))
    thing = Thing("a", tags={"a", "b"})

    with pytest.raises(OutcomeUnknown), session.edit(thing):
        thing.tags = tags


def test_an_update_under_a_condition_cannot_tell_what_else_was_false_after_a_lost_reply(
    scripted: Any,
) -> None:
    """It may have been done, and others may have stored text since."""
    session, engine = scripted(LOST, condition_false(**TEXT))

    with pytest.raises(OutcomeUnknown):
        session.update(Thing, "a", add(Thing.tags, {"b"}), when=Thing.count == 0)
    assert len(engine.sent) == 2


def test_an_update_that_asks_nothing_is_refused_by_what_is_stored_after_a_lost_reply(
    scripted: Any,
) -> None:
    session, _ = scripted(LOST, condition_false(**TEXT))

    with pytest.raises(ConditionError, match=r"Thing\.tags is stored as S 'text'"):
        session.update(Thing, "a", add(Thing.tags, {"b"}))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((200, {"Attributes": {"id": {"S": "a"}}}), ConditionError),
        (condition_false(**TEXT, version={"N": "3"}), ConditionFailed),
    ],
)
def test_a_version_tells_that_an_update_was_not_done_before_a_value_of_another_type(
    scripted: Any, answer: Any, expected: type[Exception]
) -> None:
    """Its condition is asked alone then, and again where that reply is lost."""
    found = condition_false(**TEXT, version={"N": "3"})
    session, engine = scripted(LOST, found, LOST, answer)
    tagged = Tagged("a", version=3)

    with pytest.raises(expected):
        session.update(tagged, add(Tagged.tags, {"b"}), when=Tagged.text == "x")
    assert [("UpdateExpression" in each) for each in engine.sent] == [True, True, False, False]


def test_an_update_whose_item_is_gone_after_a_lost_reply_finds_no_such_item(scripted: Any) -> None:
    session, _ = scripted(LOST, GONE)

    with pytest.raises(NoSuchItem):
        session.update(Thing, "a", set_(Thing.count, 1))


# --- Upserts --------------------------------------------------------------------------------------

COUNTED = {"id": {"S": "a"}, "count": {"N": "1.0"}, "lines": {"L": []}}


def test_an_upsert_recognises_the_item_that_it_made(scripted: Any) -> None:
    """It would count twice, if what its lost attempt has made were changed then."""
    session, engine = scripted(GONE, LOST, condition_false(**COUNTED))

    assert session.update(Thing, "a", add(Thing.count, 1), upsert=True) == Thing("a", 1)
    assert len(engine.sent) == 3
    assert engine.sent[1] == engine.sent[2]


def test_an_upsert_that_counts_cannot_tell_after_a_lost_reply_to_its_put(scripted: Any) -> None:
    session, _ = scripted(GONE, LOST, condition_false(**{**COUNTED, "count": {"N": "2"}}))

    with pytest.raises(OutcomeUnknown) as unknown:
        session.update(Thing, "a", add(Thing.count, 1), upsert=True)

    assert unknown.value.item == Thing("a", 2)


def test_an_upsert_that_is_the_same_twice_goes_on_after_a_lost_reply_to_its_put(
    scripted: Any,
) -> None:
    changed = {**COUNTED, "count": {"N": "3"}}
    found = condition_false(**{**COUNTED, "count": {"N": "2"}})
    session, engine = scripted(GONE, LOST, found, (200, {"Attributes": changed}), deadline=9)

    assert session.update(Thing, "a", set_(Thing.count, 3), upsert=True) == Thing("a", 3)
    assert len(engine.sent) == 4


@pytest.mark.parametrize("action", [add(Thing.count, 1), set_(Thing.count, 1)], ids=str)
def test_an_upsert_whose_put_gets_no_answer_is_unknown(scripted: Any, action: Any) -> None:
    session, _ = scripted(GONE, LOST, LOST, LOST)

    with pytest.raises(OutcomeUnknown):
        session.update(Thing, "a", action, upsert=True)


def test_an_upsert_that_others_overtake_all_the_time_gives_up(scripted: Any) -> None:
    there = condition_false(**COUNTED)
    session, engine = scripted(GONE, there, (200, {"Item": COUNTED}))

    with pytest.raises(ConditionFailed, match="make and delete the item meanwhile") as failed:
        session.update(Thing, "a", add(Thing.count, 1), upsert=True)

    assert len(engine.sent) == 3
    assert isinstance(failed.value.item, Thing)  # as it is in the end


def test_what_a_lost_delete_removed_cannot_be_returned(scripted: Any) -> None:
    session, _ = scripted(LOST, DONE)

    with pytest.raises(OutcomeUnknown):
        session.delete(Thing, "a", returning=True)


@pytest.mark.parametrize("options", [{"returning": True}, {"when": Thing.count == 1}], ids=str)
def test_a_delete_that_never_gets_an_answer_is_unknown_unless_it_is_plain(
    scripted: Any, options: dict[str, Any]
) -> None:
    session, _ = scripted(LOST, LOST, LOST, LOST, LOST, LOST)

    with pytest.raises(OutcomeUnknown):
        session.delete(Thing, "a", **options)
    with pytest.raises(ConnectionFailed):
        session.delete(Thing, "a")


def test_a_delete_that_returns_the_item_was_not_done_before(scripted: Any) -> None:
    stored = {"id": {"S": "a"}, "count": {"N": "1"}, "lines": {"L": []}}
    session, _ = scripted(LOST, (200, {"Attributes": stored}))

    assert session.delete(Thing, "a", returning=True) == Thing("a", 1)


# --- Edits ------------------------------------------------------------------------------------------


def edit(session: Session, *, guard: bool = False, in_list: bool = False) -> Thing:
    thing = Thing("a", 1, lines=["x", "y"])
    with session.edit(thing, guard=guard):
        if in_list:
            thing.lines[1] = "z"
        else:
            thing.count = 2
    return thing


def test_an_edit_of_a_value_is_sent_again(scripted: Any) -> None:
    session, engine = scripted(LOST, BROKEN, DONE)

    assert edit(session).count == 2
    assert len(engine.sent) == 3


def test_an_edit_at_a_position_of_a_list_is_not_sent_again(scripted: Any) -> None:
    """Somebody may have removed an element before it in the meantime."""
    session, engine = scripted(LOST)

    with pytest.raises(OutcomeUnknown):
        edit(session, in_list=True)

    assert len(engine.sent) == 1


def stored_line(qty: int) -> dict[str, Any]:
    return {"id": {"S": "a"}, "lines": {"L": [{"M": {"qty": {"N": str(qty)}}}]}}


@pytest.mark.parametrize("guard", [False, True])
@pytest.mark.parametrize("found", [1, 2, 3])
def test_an_edit_inside_a_list_recognises_what_it_did(
    scripted: Any, found: int, guard: bool
) -> None:
    """Its own first attempt has changed the element that the second one asks for."""
    session, engine = scripted(LOST, condition_false(**stored_line(found)))
    cart = Cart("a", [Line(1)])

    if found == 2 and not guard:
        with session.edit(cart, guard=guard):
            cart.lines[0].qty = 2
    else:
        with pytest.raises(OutcomeUnknown), session.edit(cart, guard=guard):
            cart.lines[0].qty = 2

    assert len(engine.sent) == 2


def test_a_guarded_edit_without_an_answer_is_unknown_and_a_plain_one_has_failed(
    scripted: Any,
) -> None:
    session, _ = scripted(LOST, LOST, LOST, LOST, LOST, LOST)

    with pytest.raises(OutcomeUnknown):
        edit(session, guard=True)
    with pytest.raises(ConnectionFailed) as failed:
        edit(session)
    assert failed.value.uncertain


# --- Transactions and statements ------------------------------------------------------------------


def test_a_transaction_is_sent_again_with_the_same_token(scripted: Any) -> None:
    session, engine = scripted(LOST, BROKEN, DONE, deadline=60)

    with session.transaction() as t:
        t.update(Thing, "a", add(Thing.count, 1))

    tokens = {body["ClientRequestToken"] for body in engine.sent}
    assert len(engine.sent) == 3
    assert len(tokens) == 1


def test_a_transaction_keeps_its_token_when_botocore_has_given_up(scripted: Any) -> None:
    session, engine = scripted(LOST, LOST, LOST, THROTTLED, DONE, deadline=60)

    with session.transaction() as t:
        t.update(Thing, "a", add(Thing.count, 1))

    tokens = {body["ClientRequestToken"] for body in engine.sent}
    assert len(engine.sent) == 5
    assert len(tokens) == 1


def test_a_transaction_without_an_answer_is_unknown(scripted: Any) -> None:
    denied = (400, {"__type": "x#AccessDeniedException", "message": "no"})
    session, _ = scripted(LOST, THROTTLED, denied, deadline=60)

    with pytest.raises(OutcomeUnknown, match="the transaction"):
        with session.transaction() as t:
            t.save(Thing("a"))


def canceled(*codes: str) -> tuple[int, dict[str, Any]]:
    reasons = [{"Code": code} for code in codes]
    body = {"__type": "x#TransactionCanceledException", "message": "no"}
    return 400, {**body, "CancellationReasons": reasons}


CONFLICT = canceled("TransactionConflict", "None")


def two(session: Session) -> None:
    with session.transaction() as t:
        t.save(Thing("a"))
        t.insert(Thing("b"))


def test_conflicts_between_transactions_are_retried_with_one_token(scripted: Any) -> None:
    session, engine = scripted(CONFLICT, CONFLICT, DONE, deadline=60)

    two(session)

    assert len(engine.sent) == 3
    assert len({body["ClientRequestToken"] for body in engine.sent}) == 1


def test_conflicts_that_last_until_the_deadline_are_reported(scripted: Any) -> None:
    session, _ = scripted(CONFLICT)

    with pytest.raises(TransactionFailed) as failed:
        two(session)

    reason, nothing = failed.value.reasons
    assert reason is not None
    assert reason.code == "TransactionConflict"
    assert nothing is None


def test_a_transaction_is_not_retried_where_one_action_cannot_succeed(scripted: Any) -> None:
    session, engine = scripted(
        canceled("TransactionConflict", "ConditionalCheckFailed"), deadline=60
    )

    with pytest.raises(TransactionFailed):
        two(session)

    assert len(engine.sent) == 1


def test_a_statement_that_writes_is_not_sent_again(scripted: Any) -> None:
    session, engine = scripted(LOST)

    with pytest.raises(OutcomeUnknown):
        session.execute('UPDATE "things" SET "count" = "count" + 1 WHERE "id" = ?', "a")

    assert len(engine.sent) == 1


def test_a_statement_that_reads_is_sent_again(scripted: Any) -> None:
    session, engine = scripted(LOST, (200, {"Items": []}))

    assert list(session.execute('SELECT * FROM "things"')) == []
    assert len(engine.sent) == 2


# --- The rules --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (set_(Thing.count, 1), True),
        (remove(Thing.count), True),
        (add(Thing.tags, {"a"}), True),
        (delete(Thing.tags, {"a"}), True),
        (set_(Thing.count, if_not_exists(Thing.count, 1)), True),
        (set_(Thing.count, if_not_exists(Thing.count, Thing.count + 1)), False),
        (add(Thing.count, 1), False),
        (set_(Thing.count, Thing.count + 1), False),
        (set_(Thing.lines[0], "x"), False),
        (remove(Thing.lines[0]), False),
    ],
    ids=str,
)
def test_what_may_be_done_twice(action: Any, expected: bool) -> None:
    assert repeatable([action]) is expected


@pytest.mark.parametrize(
    ("source", "changed", "expected"),
    [
        (Copied.count, set_(Copied.count, 9), False),
        (Copied.count, remove(Copied.count), False),
        (Copied.count, set_(Copied.lines, []), True),
        (Copied.counts["a"], set_(Copied.counts["a"], 9), False),
        (Copied.counts["a"], set_(Copied.counts, {}), False),
        (Copied.counts["a"], set_(Copied.counts["b"], 9), True),
        (Copied.counts, set_(Copied.counts["b"], 9), False),
    ],
    ids=str,
)
def test_a_default_is_the_same_twice_where_its_place_is_left_alone(
    source: Any, changed: Any, expected: bool
) -> None:
    default: Any = {} if source is Copied.counts else 0
    target: Any = Copied.old_counts if default == {} else Copied.old
    copied = set_(target, if_not_exists(source, default))

    assert repeatable([copied, changed]) is expected
    assert repeatable([copied], [copied, changed]) is expected


def test_a_default_that_was_copied_is_not_copied_again(scripted: Any) -> None:
    """The second time it would be what the first time has stored in the place of it."""
    session, engine = scripted(LOST)

    with pytest.raises(OutcomeUnknown):
        session.update(
            Copied, "a", set_(Copied.old, if_not_exists(Copied.count, 0)), set_(Copied.count, 9)
        )

    assert len(engine.sent) == 1


@pytest.mark.parametrize(
    ("stored", "expected"),
    [("mine", Paper("a", "mine", 4)), ("theirs", OutcomeUnknown)],
)
def test_a_default_is_seen_only_where_it_is_stored(
    scripted: Any, stored: str, expected: Any
) -> None:
    """Something else in its place may have been there before, and the version another writer's."""
    session, _ = scripted(LOST, condition_false(**paper(4, stored)))

    def change() -> Any:
        asked = set_(Paper.text, if_not_exists(Paper.text, "mine"))
        return session.update(Paper("a", version=3), asked)

    if isinstance(expected, Paper):
        assert change() == expected
    else:
        with pytest.raises(expected):
            change()


def test_attribute_maps_are_compared_as_the_service_does() -> None:
    one = {
        "n": {"N": "1.0"},
        "s": {"NS": ["1", "2e0"]},
        "b": {"B": b"\x00"},
        "m": {"M": {"x": {"L": [{"BS": [b"\x01", b"\x02"]}]}}},
    }
    other = {
        "m": {"M": {"x": {"L": [{"BS": ["Ag==", "AQ=="]}]}}},
        "b": {"B": "AA=="},
        "s": {"NS": ["2", "1.00"]},
        "n": {"N": "1"},
    }

    assert same(one, other)
    assert not same(one, {**other, "n": {"S": "1"}})
    assert not same(one, {**other, "m": {"M": {}}})


@pytest.mark.parametrize(
    "error",
    [
        ConnectionFailed("GetItem", "no answer", uncertain=False),
        Throttled("GetItem", "ThrottlingException", "slowly"),
    ],
)
def test_a_failed_read_of_what_a_write_has_made_says_that_it_was_written(
    error: ConnectionFailed | Throttled,
):
    said = str(outcomes.only_unread(error))

    assert "the write was done" in said
    assert "nothing was changed" not in said
    assert error.uncertain
