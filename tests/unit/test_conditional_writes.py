"""Raw puts under a condition, stepped by hand: what another writer does between two of them is not lost."""

from __future__ import annotations

from typing import Any

import pytest

from copied_models import Order, Person
from dynattrs import MappingError
from dynattrs.errors import DynattrsError
from dynattrs.jobs.conditional_writes import RawItem, age_of, put
from dynattrs.operations.flows import Call
from dynattrs.operations.refusals import ConditionFalse
from dynattrs.schema.model_info import model_info
from stepped_session import ByHand, result


def person(version: str | None, name: str = "mine") -> dict[str, Any]:
    own = {} if version is None else {"version": {"N": version}}
    return {"pk": {"S": "PERSON#1"}, "sk": {"S": "PERSON"}, "name": {"S": name}, **own}


def raw(overwrite: Any = "newer", version: str | None = "3") -> RawItem:
    info = model_info(Person)
    return RawItem(info.table, person(version), info, overwrite, "copy()")


def false(stored: dict[str, Any] | None, *, uncertain: bool = False) -> ConditionFalse:
    error = ConditionFalse("PutItem", "ConditionalCheckFailedException", "", uncertain=uncertain)
    error.item = stored
    return error


def flow_of(item: RawItem) -> tuple[Any, Call]:
    flow = put(ByHand()._core, item)
    call = next(flow)
    assert call.parameters["ConditionExpression"] == "attribute_not_exists(#p)"
    return flow, call


def refused(flow: Any, error: ConditionFalse) -> Any:
    """What follows a refused put: a call, or what the flow returns."""
    try:
        return flow.throw(error)
    except StopIteration as stop:
        return stop.value


@pytest.mark.parametrize(
    ("overwrite", "stored", "done"),
    [
        ("absent", person("1", "theirs"), "skipped"),
        ("absent", person("3.0"), "unchanged"),
        ("newer", person("3", "theirs"), "skipped"),
        ("newer", person("10", "theirs"), "skipped"),
        ("newer", person("3"), "unchanged"),
    ],
)
def test_what_is_there_decides(overwrite: Any, stored: dict[str, Any], done: str):
    flow, _ = flow_of(raw(overwrite))

    assert refused(flow, false(stored)) == done


@pytest.mark.parametrize("theirs", ["1", "2.0", None])
def test_what_is_older_is_replaced_if_it_is_still_there(theirs: str | None):
    flow, _ = flow_of(raw())

    call = refused(flow, false(person(theirs, "theirs")))

    asked = "attribute_exists(#p) AND " + (
        "#0 = :0" if theirs is not None else "attribute_not_exists(#0)"
    )
    assert call.parameters["ConditionExpression"] == asked
    assert call.parameters["ExpressionAttributeNames"] == {"#p": "pk", "#0": "version"}
    assert result(flow, {}) == "written"


def test_another_writer_between_two_puts_wins_where_it_is_newer():
    flow, _ = flow_of(raw())
    refused(flow, false(person("1", "theirs")))

    assert refused(flow, false(person("4", "theirs again"))) == "skipped"


def test_an_item_that_was_deleted_meanwhile_is_written():
    flow, _ = flow_of(raw())
    refused(flow, false(person("1", "theirs")))

    # It is gone: the engine has no item to give.
    reading = refused(flow, false(None))
    assert (reading.operation, reading.parameters["ConsistentRead"]) == ("get_item", True)
    call = flow.send({})
    assert call.parameters["ConditionExpression"] == "attribute_not_exists(#p)"
    assert result(flow, {}) == "written"


def test_an_attempt_of_our_own_whose_reply_was_lost_has_written_it():
    flow, _ = flow_of(raw())

    assert refused(flow, false(person("3"), uncertain=True)) == "written"


def test_an_item_that_others_change_all_the_time_is_given_up():
    flow, _ = flow_of(raw())
    for _ in range(29):
        assert isinstance(refused(flow, false(person("1", "theirs"))), Call)

    with pytest.raises(DynattrsError, match="other programs changed the item"):
        flow.throw(false(person("2", "theirs")))


def test_what_no_model_tells_the_age_of_is_no_newer():
    info = model_info(Person)
    flow, _ = flow_of(RawItem(info.table, person("3"), None, "newer", "copy()"))

    with pytest.raises(MappingError, match="an item of no declared model"):
        flow.throw(false(person("1", "theirs")))


def test_an_age_is_a_version_or_else_a_time():
    age = age_of(model_info(Order))
    assert age is not None

    assert age.attributes == ("changed",)
    assert age.of({"changed": {"S": "2026-01-01T02:00:00+02:00"}}) == age.of(
        {"changed": {"S": "2026-01-01T00:00:00Z"}}
    )
    assert age.of({"changed": {"NULL": True}}) is None
