"""How long writes wait for their turn, and what they are judged to consume."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dynattrs.operations.flows import Call
from dynattrs.wire.rates import WriteRate, write_units

LARGE = {"id": {"S": "a"}, "text": {"S": "x" * 3000}}
SMALL = {"id": {"S": "a"}}


def put(item: Any) -> Any:
    return {"PutRequest": {"Item": item}}


@pytest.mark.parametrize(
    ("operation", "parameters", "units"),
    [
        ("put_item", {"TableName": "t", "Item": SMALL}, 1),
        ("put_item", {"TableName": "t", "Item": LARGE}, 3),
        ("update_item", {"TableName": "t", "Key": SMALL}, 1),
        ("delete_item", {"TableName": "t", "Key": SMALL}, 1),
        (
            "batch_write_item",
            {"RequestItems": {"t": [put(LARGE), {"DeleteRequest": {"Key": SMALL}}], "u": [put(SMALL)]}},
            5,
        ),
        (
            "batch_write_item",
            {"RequestItems": {"t": [msgspec.Raw(msgspec.json.encode(put(LARGE)))]}},
            3,
        ),
        (
            "transact_write_items",
            {"TransactItems": [{"Put": {"TableName": "t", "Item": LARGE}}, {"Delete": {"Key": SMALL}}]},
            8,
        ),
        ("get_item", {"TableName": "t", "Key": SMALL}, 0),
        ("query", {"TableName": "t"}, 0),
        ("describe_table", {"TableName": "t"}, 0),
    ],
)  # fmt: skip
def test_what_a_request_is_judged_to_consume(operation: str, parameters: Any, units: int) -> None:
    assert write_units(Call(operation, parameters)) == units


def test_a_statement_of_partiql_that_writes_is_judged_as_one_unit() -> None:
    assert write_units(Call("execute_statement", {"Statement": "..."}, repeat=False)) == 1
    assert write_units(Call("execute_statement", {"Statement": "..."})) == 0
    some = {"Statements": [{"Statement": "..."}] * 3}
    assert write_units(Call("batch_execute_statement", some, repeat=False)) == 3
    assert write_units(Call("batch_execute_statement", some)) == 0
    some = {"TransactStatements": [{"Statement": "..."}] * 3}
    assert write_units(Call("execute_transaction", {**some, "ClientRequestToken": "t"})) == 6
    assert write_units(Call("execute_transaction", some)) == 0


def test_turns_follow_each_other_at_the_rate() -> None:
    rate = WriteRate(10)
    # What a second has saved up is there at once.
    assert [rate.turn(5, 200.0) for _ in range(4)] == pytest.approx([0, 0, 0, 0.5])
    assert rate.turn(5, 200.5) == pytest.approx(0.5)


def test_an_answer_puts_right_what_was_judged() -> None:
    rate = WriteRate(10)
    assert rate.turn(10, 200.0) == 0
    rate.settle(10, 30)  # indexes cost as well
    assert rate.turn(1, 200.0) == pytest.approx(2.0)
    rate.settle(1, 0)
    assert rate.turn(1, 200.0) == pytest.approx(2.0)


def test_no_more_than_a_second_is_saved_up() -> None:
    rate = WriteRate(10)
    waits = [rate.turn(10, 10_000.0) for _ in range(4)]
    assert waits == pytest.approx([0, 0, 1, 2])
