"""`get_many` of several tables, stepped by hand: answers that local engines do not give."""

from __future__ import annotations

from typing import Any

import pytest

from dynattrs import CorruptReply, QueryError, Session, model, partition_key, sort_key
from dynattrs.operations.flows import Call, Pause
from stepped_session import ByHand, result


@model("things")
class Thing:
    id: str = partition_key()
    count: int = 0
    notes: str = ""


@model("pairs")
class Pair:
    one: str = partition_key()
    two: int = sort_key()
    count: int = 0


WANTED = [(Thing, "a"), (Pair, ("a", 1)), (Thing, "b"), (Pair, ("a", 2))]


def thing(key: str) -> dict[str, Any]:
    return {"id": {"S": key}, "count": {"N": "1"}}


def pair(number: int) -> dict[str, Any]:
    return {"one": {"S": "a"}, "two": {"N": str(number)}, "count": {"N": "2"}}


def asked(call: Any) -> dict[str, list[dict[str, Any]]]:
    assert isinstance(call, Call)
    return {table: each["Keys"] for table, each in call.parameters["RequestItems"].items()}


def test_what_one_table_leaves_is_asked_again_alone() -> None:
    items = ByHand().get_many(WANTED, as_=None, ordered=True)
    flow = items._found.next()
    assert asked(next(flow)) == {
        "things": [{"id": {"S": "a"}}, {"id": {"S": "b"}}],
        "pairs": [{"one": {"S": "a"}, "two": {"N": "1"}}, {"one": {"S": "a"}, "two": {"N": "2"}}],
    }
    left = {"pairs": {"Keys": [{"one": {"S": "a"}, "two": {"N": "2.0"}}]}}
    answer = {"Responses": {"things": [thing("b")], "pairs": [pair(1)]}, "UnprocessedKeys": left}
    assert isinstance(flow.send(answer), Pause)
    assert asked(flow.send(None)) == {"pairs": [{"one": {"S": "a"}, "two": {"N": "2"}}]}
    found = result(flow, {"Responses": {"pairs": [pair(2)]}})
    assert found == [Pair("a", 1, 2), Thing("b", 1), Pair("a", 2, 2)]
    assert items.missing == [(Thing, "a")]


def test_each_table_is_asked_for_what_is_needed_of_it() -> None:
    flow = ByHand().get_many(Thing, ["a"], select=(Thing.count,), consistent=True)._found.next()
    [(table, request)] = next(flow).parameters["RequestItems"].items()
    names = request["ExpressionAttributeNames"]
    said = {names.get(each, each) for each in request["ProjectionExpression"].split(", ")}
    assert (table, said) == ("things", {"id", "count"})
    assert request["ConsistentRead"] is True


def test_a_table_that_is_asked_by_its_arn_may_be_answered_by_its_name() -> None:
    session = ByHand()
    arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/things"
    session._core.table_names["things"] = arn
    flow = session.get_many(WANTED, ordered=True)._found.next()
    assert set(asked(next(flow))) == {arn, "pairs"}
    answer = {"Responses": {"things": [thing("a"), thing("b")], "pairs": [pair(1), pair(2)]}}
    assert result(flow, answer) == [
        Thing("a", 1), Pair("a", 1, 2), Thing("b", 1), Pair("a", 2, 2),
    ]  # fmt: skip


def test_an_answer_about_another_table_is_damaged() -> None:
    flow = ByHand().get_many(WANTED)._found.next()
    next(flow)
    with pytest.raises(CorruptReply, match="'others', which was not asked for"):
        flow.send({"Responses": {"others": [thing("a")]}})


def test_items_that_were_not_asked_for_are_left_out() -> None:
    flow = ByHand().get_many(Thing, ["a"])._found.next()
    next(flow)
    assert result(flow, {"Responses": {"things": [thing("z"), thing("a")]}}) == [Thing("a", 1)]


def test_an_interruption_of_all_is_told_to_who_goes_on() -> None:
    items = ByHand().get_many(Thing, ["a", "b"])
    flow = items.all()
    next(flow)
    with pytest.raises(KeyboardInterrupt):
        flow.throw(KeyboardInterrupt())
    with pytest.raises(
        QueryError, match="interrupted by KeyboardInterrupt, and the items read so far"
    ):
        next(items.all())


def test_several_models_ask_for_nothing_before_they_are_read() -> None:
    with Session(region_name="eu-west-1", endpoint_url="http://127.0.0.1:1") as session:
        session.get_many(WANTED)
        assert not session.stats.total
