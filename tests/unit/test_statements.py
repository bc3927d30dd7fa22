"""Batches and transactions of PartiQL statements, stepped by hand: answers that local engines do not give."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from dynattrs import (
    AccessDenied,
    ConditionFailed,
    ConnectionFailed,
    CorruptReply,
    GlobalIndex,
    InvalidRequest,
    OutcomeUnknown,
    PartialIndex,
    QueryError,
    ServiceError,
    ServiceUnavailable,
    StatementsFailed,
    Throttled,
    TransactionFailed,
    model,
    partition_key,
)
from dynattrs.operations.flows import Call, Pause, Start, Wait
from dynattrs.operations.refusals import TransactionCanceled
from stepped_session import ByHand, Job, result


@model("things")
class Thing:
    id: str = partition_key()
    count: int = 0


SELECT = 'SELECT * FROM "things" WHERE id = ?'
UPDATE = 'UPDATE "things" SET "count" = ? WHERE id = ?'
OK: dict[str, Any] = {"TableName": "things"}


def item(key: str) -> dict[str, Any]:
    return {**OK, "Item": {"id": {"S": key}, "count": {"N": "1"}}}


def error(code: str, **more: Any) -> dict[str, Any]:
    return {**OK, "Error": {"Code": code, "Message": "because", **more}}


def reading(session: ByHand, *keys: str, **options: Any) -> Any:
    return session.execute_many(SELECT, [(key,) for key in keys], model=Thing, **options)


def writing(session: ByHand, *keys: str) -> Any:
    return session.execute_many(UPDATE, [(1, key) for key in keys])


def asked(call: Any) -> list[str]:
    """The keys that a request is about."""
    assert isinstance(call, Call)
    assert call.operation == "batch_execute_statement"
    return [each["Parameters"][-1]["S"] for each in call.parameters["Statements"]]


def test_what_is_throttled_is_sent_again_alone() -> None:
    flow = writing(ByHand(), "a", "b", "c", "d")
    assert asked(next(flow)) == ["a", "b", "c", "d"]

    answers = [
        OK, error("ThrottlingError"), error("ProvisionedThroughputExceeded"), error("TransactionConflict"),
    ]  # fmt: skip
    assert isinstance(flow.send({"Responses": answers}), Pause)
    assert asked(flow.send(None)) == ["b", "c", "d"]
    assert isinstance(flow.send({"Responses": [OK, error("RequestLimitExceeded"), OK]}), Pause)
    assert asked(flow.send(None)) == ["c"]
    assert result(flow, {"Responses": [OK]}) == [None] * 4


def test_what_is_throttled_until_the_deadline_is_named() -> None:
    session = ByHand()
    flow = reading(session, "a", "b")
    next(flow)

    flow.send({"Responses": [item("a"), error("ThrottlingError")]})
    flow.send(None)
    session.clock.seconds += 61
    with pytest.raises(StatementsFailed) as caught:
        flow.send({"Responses": [error("ThrottlingError")]})

    assert caught.value.results == [Thing("a", 1), None]
    [failed] = caught.value.failed
    assert (failed.position, type(failed.cause)) == (1, Throttled)


def test_the_deadline_begins_anew_with_each_acknowledgement() -> None:
    session = ByHand()
    flow = writing(session, "a", "b", "c")
    next(flow)
    for left in (2, 1):
        session.clock.seconds += 50
        answers = [OK, *[error("ThrottlingError")] * left]
        assert isinstance(flow.send({"Responses": answers}), Pause)
        assert len(asked(flow.send(None))) == left
    assert result(flow, {"Responses": [OK]}) == [None] * 3


def test_a_failure_of_the_service_repeats_what_reads_and_not_what_writes() -> None:
    flow = reading(ByHand(), "a")
    assert next(flow).repeat
    assert isinstance(flow.send({"Responses": [error("InternalServerError")]}), Pause)
    assert asked(flow.send(None)) == ["a"]
    assert result(flow, {"Responses": [item("a")]}) == [Thing("a", 1)]

    flow = writing(ByHand(), "a", "b")
    assert not next(flow).repeat
    with pytest.raises(StatementsFailed) as caught:
        flow.send({"Responses": [OK, error("InternalServerError")]})
    [failed] = caught.value.failed
    assert failed.position == 1
    assert isinstance(failed.cause, OutcomeUnknown)


def test_a_lost_reply_leaves_the_outcome_of_its_statements_unknown() -> None:
    keys = [f"{n:02}" for n in range(60)]
    flow = writing(ByHand(), *keys)
    assert asked(next(flow)) == keys[:25]
    assert asked(flow.send({"Responses": [OK] * 25})) == keys[25:50]

    with pytest.raises(StatementsFailed, match="35 of 60 statements failed") as caught:
        flow.throw(ConnectionFailed("BatchExecuteStatement", "reset", uncertain=True))

    failed = caught.value.failed
    assert [each.position for each in failed] == list(range(25, 60))
    assert {type(each.cause) for each in failed[:25]} == {OutcomeUnknown}
    for each in failed[25:]:  # nothing was sent of these
        assert isinstance(each.cause, ConnectionFailed)
        assert not each.cause.uncertain


def test_what_was_surely_not_done_is_sent_again() -> None:
    flow = writing(ByHand(), "a", "b")
    next(flow)
    assert isinstance(flow.throw(Throttled("BatchExecuteStatement", "Throttling", "slow")), Pause)
    assert asked(flow.send(None)) == ["a", "b"]
    refused = ConnectionFailed("BatchExecuteStatement", "no connection", uncertain=False)
    assert isinstance(flow.throw(refused), Pause)
    assert asked(flow.send(None)) == ["a", "b"]
    assert result(flow, {"Responses": [OK, OK]}) == [None, None]


def test_what_no_repetition_helps_is_said_at_once() -> None:
    flow = writing(ByHand(), "a", "b")
    next(flow)
    with pytest.raises(StatementsFailed, match="AccessDenied") as caught:
        flow.throw(AccessDenied("BatchExecuteStatement", "AccessDeniedException", "no"))
    assert {type(each.cause) for each in caught.value.failed} == {AccessDenied}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("AccessDenied", AccessDenied),
        ("ItemCollectionSizeLimitExceeded", InvalidRequest),
        ("New", ServiceError),
    ],
)
def test_each_code_has_its_error(code: str, kind: type[ServiceError]) -> None:
    flow = writing(ByHand(), "a")
    next(flow)
    with pytest.raises(StatementsFailed, match="because") as caught:
        flow.send({"Responses": [error(code)]})
    [failed] = caught.value.failed
    assert type(failed.cause) is kind
    assert failed.cause.code == code
    assert failed.cause.table == "things"
    assert caught.value.__cause__ is failed.cause


def test_the_item_that_a_condition_met_is_an_object() -> None:
    session = ByHand()
    flow = session.execute_many([(UPDATE, 1, "a")], model=Thing)
    sent = next(flow).parameters["Statements"]
    assert sent[0]["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"
    with pytest.raises(StatementsFailed) as caught:
        flow.send({"Responses": [error("ConditionalCheckFailed", Item=item("a")["Item"])]})
    cause = caught.value.failed[0].cause
    assert isinstance(cause, ConditionFailed)
    assert cause.item == Thing("a", 1)


def test_requests_that_read_run_beside_each_other() -> None:
    keys = [f"{n:02}" for n in range(120)]
    flow = reading(ByHand(concurrency=2), *keys)

    effect, jobs = next(flow), []
    finished = 0
    while True:
        assert isinstance(effect, (Start, Wait))
        if isinstance(effect, Start):
            jobs.append(Job(effect.flow))
            assert len(jobs) - finished <= 2
            effect = flow.send(jobs[-1])
            continue
        assert effect.task is jobs[finished]
        chunk = asked(next(jobs[finished].flow))
        assert result(jobs[finished].flow, {"Responses": [item(key) for key in chunk]}) is None
        finished += 1
        if finished == 5:
            break
        effect = flow.send(None)
    assert result(flow) == [Thing(key, 1) for key in keys]


def test_a_request_to_read_that_is_refused_is_sent_in_halves() -> None:
    flow = reading(ByHand(), "a", "b", "bad", "c")
    refused = InvalidRequest("BatchExecuteStatement", "ValidationException", "something")
    assert asked(next(flow)) == ["a", "b", "bad", "c"]
    assert asked(flow.throw(refused)) == ["a", "b"]
    assert asked(flow.send({"Responses": [item("a"), item("b")]})) == ["bad", "c"]
    assert asked(flow.throw(refused)) == ["bad"]
    assert asked(flow.throw(refused)) == ["c"]
    with pytest.raises(StatementsFailed) as caught:
        flow.send({"Responses": [item("c")]})
    assert caught.value.results == [Thing("a", 1), Thing("b", 1), None, Thing("c", 1)]
    assert [each.position for each in caught.value.failed] == [2]


@pytest.mark.parametrize("answers", [[], [OK], [OK] * 3])
def test_a_reply_with_another_number_of_answers_is_damaged(answers: list[Any]) -> None:
    flow = writing(ByHand(), "a", "b")
    next(flow)
    with pytest.raises(StatementsFailed) as caught:
        flow.send({"Responses": answers})
    for each in caught.value.failed:
        assert isinstance(each.cause, OutcomeUnknown)
        assert isinstance(each.cause.__cause__, CorruptReply)


def test_the_error_pickles() -> None:
    flow = writing(ByHand(), "a", "b")
    next(flow)
    with pytest.raises(StatementsFailed) as caught:
        flow.send({"Responses": [OK, error("New")]})
    copied = pickle.loads(pickle.dumps(caught.value))
    assert str(copied) == str(caught.value)
    assert copied.failed == caught.value.failed or copied.failed[0].position == 1


# --- Transactions ---------------------------------------------------------------------------------


def transacted(session: ByHand, statement: str, *parameters: object, **options: Any) -> Any:
    t = session.transaction(**options)
    t._begin()
    row = t.execute(statement, *parameters, model=Thing)
    t._end()
    return row, t._commit()


def canceled(*codes: str) -> TransactionCanceled:
    found = TransactionCanceled("ExecuteTransaction", "TransactionCanceledException", "no")
    found.reasons = [{"Code": code, "Message": "because"} for code in codes]
    return found


def test_a_conflict_is_sent_again_with_the_same_token() -> None:
    row, flow = transacted(ByHand(), UPDATE, 1, "a")
    first = next(flow)
    assert first.operation == "execute_transaction"
    token = first.parameters["ClientRequestToken"]
    assert token
    assert isinstance(flow.throw(canceled("TransactionConflict")), Pause)
    assert flow.send(None).parameters["ClientRequestToken"] == token
    lost = ServiceUnavailable("ExecuteTransaction", "InternalServerError", "no", uncertain=True)
    assert isinstance(flow.throw(lost), Pause)
    assert flow.send(None).parameters["ClientRequestToken"] == token
    assert result(flow, {"Responses": []}) is None
    assert row.row is None


def test_a_reply_that_is_lost_until_the_deadline_leaves_the_outcome_unknown() -> None:
    session = ByHand()
    _, flow = transacted(session, UPDATE, 1, "a")
    next(flow)
    session.clock.seconds += 61
    with pytest.raises(OutcomeUnknown):
        flow.throw(ConnectionFailed("ExecuteTransaction", "reset", uncertain=True))


def test_a_transaction_that_reads_has_no_token_and_no_doubt() -> None:
    session = ByHand()
    row, flow = transacted(session, SELECT, "a")
    first = next(flow)
    assert "ClientRequestToken" not in first.parameters
    assert first.repeat
    assert isinstance(flow.throw(canceled("TransactionConflict")), Pause)
    flow.send(None)
    assert result(flow, {"Responses": [{"Item": item("a")["Item"]}]}) is None
    assert row.row == Thing("a", 1)


def test_the_item_that_a_condition_of_a_transaction_met_is_an_object() -> None:
    _, flow = transacted(ByHand(), UPDATE, 1, "a")
    assert (
        next(flow).parameters["TransactStatements"][0]["ReturnValuesOnConditionCheckFailure"]
        == "ALL_OLD"
    )
    # As the embedded engine calls it.
    refused = canceled("ConditionalCheckFailedException")
    refused.reasons[0]["Item"] = item("a")["Item"]
    with pytest.raises(TransactionFailed) as caught:
        flow.throw(refused)
    reason = caught.value.reasons[0]
    assert reason is not None
    assert (reason.code, reason.item) == ("ConditionalCheckFailed", Thing("a", 1))


def test_sets_have_an_order_with_a_token_of_the_callers() -> None:
    insert = "INSERT INTO things VALUE {'id': 'a', 'tags': ?}"
    tags = {f"t{n}" for n in range(20)}
    _, flow = transacted(ByHand(), insert, tags, token="order-1")
    [sent] = next(flow).parameters["TransactStatements"]
    assert sent["Parameters"] == [{"SS": sorted(tags)}]
    assert "ReturnValuesOnConditionCheckFailure" not in sent


# --- What a statement is ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "-- all of it\nSELECT title FROM things",
        "/* two\nlines */ select title FROM things",
        "(SELECT title FROM things)",
        "UPDATE things SET a = 1 WHERE id = 'x' RETURNING MODIFIED NEW * -- done",
        "UPDATE things SET a = 1 WHERE id = 'x' RETURNING MODIFIED OLD * /* done */ ;",
    ],
)
def test_a_comment_hides_nothing(text: str) -> None:
    """A half-read object must never be saved."""
    for read in (
        lambda: ByHand().execute_many([text], model=Thing),
        lambda: transacted(ByHand(), text),
    ):
        with pytest.raises(QueryError, match=r"SELECT \*|RETURNING ALL"):
            next(read())


@model(
    "plays",
    indexes=[
        GlobalIndex("by-label", partition_key="label", projection=["count"]),
        GlobalIndex("byKind", partition_key="kind", projection="keys"),
        GlobalIndex("whole", partition_key="kind"),
    ],
)
class Play:
    id: str = partition_key()
    label: str = ""
    kind: str = ""
    count: int = 0


@pytest.mark.parametrize(
    "source",
    [
        '"plays"."by-label"', 'plays."by-label"', 'plays.byKind', '"plays" . "byKind"',
        '"plays"\n.\n"byKind"', 'plays /* index */ . "by-label"', '( "plays"."by-label" )',
        '"old.plays"."by-label"', 'plays."unheard-of"', "plays['by-label']",
    ],
)  # fmt: skip
def test_objects_are_not_read_from_an_index_that_holds_less(source: str) -> None:
    text = f"SELECT * FROM {source} WHERE id = ?"
    with pytest.raises(PartialIndex, match="not known to hold whole items of Play"):
        next(ByHand().execute_many([(text, "x")], model=Play))
    plain = ByHand().execute_many([(text, "x")])
    assert next(plain).repeat


@pytest.mark.parametrize(
    "source",
    ['"plays"', "plays p", '"old.plays"', '"plays"."whole"', "plays.whole", "plays -- .byKind"],
)
def test_objects_are_read_from_what_holds_all(source: str) -> None:
    text = f"SELECT * FROM {source}\nWHERE id = ? AND label = 'plays.byKind'"
    assert next(ByHand().execute_many([(text, "x")], model=Play)).repeat


def test_what_looks_like_a_comment_is_text() -> None:
    flow = ByHand().execute_many([("SELECT * FROM \"a--b\" WHERE id = '/*'",)], model=Thing)
    assert next(flow).repeat
