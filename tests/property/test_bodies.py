"""Bodies of requests beside botocore's: the same JSON, the same request, the same complaints."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.exceptions import ParamValidationError
from botocore.serialize import JSONSerializer
from botocore.validate import ParamValidator
from hypothesis import example, given
from hypothesis import strategies as st

from dynattrs import mapper
from dynattrs.wire import bodies
from dynattrs.wire.bodies import faster_serializer

import strategies

_CLIENT: Any = boto3.client(
    "dynamodb", region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret"
)
_ORDINARY = _CLIENT._serializer
_QUICKER = faster_serializer(_ORDINARY)

# --- Requests, and what is wrong with them ------------------------------------------------------

_TEXTS = st.text(max_size=6) | st.sampled_from(["", "é", "😀", "\u2028", '"\\/', "\x00\x7f"])
_NUMBERS = st.integers().map(str) | st.decimals(allow_nan=False, allow_infinity=False).map(str)
_SCALARS = st.one_of(
    st.fixed_dictionaries({"S": _TEXTS}),
    st.fixed_dictionaries({"N": _NUMBERS}),
    st.fixed_dictionaries({"B": st.binary(max_size=6)}),
    st.fixed_dictionaries({"BOOL": st.booleans()}),
    st.fixed_dictionaries({"NULL": st.booleans()}),
    st.fixed_dictionaries({"SS": st.lists(_TEXTS, max_size=3)}),
    st.fixed_dictionaries({"NS": st.lists(_NUMBERS, max_size=3)}),
    st.fixed_dictionaries({"BS": st.lists(st.binary(max_size=3), max_size=3)}),
)


def _in_containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {"M": st.dictionaries(_TEXTS, inner, max_size=3)}
    ) | st.fixed_dictionaries({"L": st.lists(inner, max_size=3)})


_VALUES = st.recursive(_SCALARS, _in_containers, max_leaves=6)


class Text(str):
    __slots__ = ()


class Reads:
    """A blob that is a file, of which botocore takes everything."""

    def read(self) -> bytes:
        return b"all"


# Some of these botocore takes, in a way of its own; most it refuses.
_STRANGE = st.sampled_from(
    [
        {"S": 1}, {"N": 1}, {"N": 1.5}, {"S": b"x"}, {"B": "x"}, {"B": bytearray(b"x")}, {"B": Reads()},
        {"BOOL": 1}, {"NULL": None}, {"SS": {"a"}}, {"SS": ("a",)}, {"SS": "ab"}, {"NS": [1]},
        {"BS": ["x"]}, {"L": ({"S": "x"},)}, {"L": {"S": "x"}}, {"M": []}, {"M": {1: {"S": "x"}}},
        {}, {"S": "x", "N": "1"}, {"X": "x"}, {"s": "x"}, {1: "x"}, {"S": "\ud800"}, {"S": Text("x")},
        {Text("S"): "x"}, None, "x", 1, [], {"S": None}, {"L": [None]}, {"M": {"a": {"S": 1}}},
        {"L": [{"M": {"a": {"X": 1}}}]},
    ]
)  # fmt: skip


def _maps(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(_TEXTS, values, max_size=4)


def _requests(values: st.SearchStrategy[Any], odd: st.SearchStrategy[Any]) -> Any:
    """Pairs of an operation and its parameters. *odd* may stand in the place of what is around items."""
    item = _maps(values) | odd
    names = st.sampled_from(["music", "app", "é"]) | odd.filter(_hashable)
    table = {"TableName": st.sampled_from(["music", "app", "é"]) | odd}
    expressions = {
        "ConditionExpression": _TEXTS | odd,
        "ExpressionAttributeNames": st.dictionaries(_TEXTS, _TEXTS, max_size=2) | odd,
        "ExpressionAttributeValues": item,
        "ReturnConsumedCapacity": st.just("TOTAL"),
    }
    paged = {
        "ExclusiveStartKey": item,
        "Limit": st.integers(-1, 5) | odd,
        "ConsistentRead": st.booleans() | odd,
    }
    write = st.one_of(
        st.fixed_dictionaries({"PutRequest": st.fixed_dictionaries({"Item": item}) | odd}),
        st.fixed_dictionaries({"DeleteRequest": st.fixed_dictionaries({"Key": item}) | odd}),
        st.fixed_dictionaries({"PutRequest": st.fixed_dictionaries({"Key": item})}),
        odd,
    )
    writes = st.lists(write, max_size=3) | odd
    keys = st.fixed_dictionaries(
        {"Keys": st.lists(item, max_size=3) | odd},
        optional={"ConsistentRead": st.booleans() | odd, "ProjectionExpression": _TEXTS | odd},
    )
    put = st.fixed_dictionaries({**table, "Item": item}, optional=expressions)
    keyed = st.fixed_dictionaries({**table, "Key": item}, optional=expressions)
    actions = st.one_of(
        st.fixed_dictionaries({"Put": put | odd}),
        st.fixed_dictionaries({"Update": keyed}),
        st.fixed_dictionaries({"Delete": keyed}),
        st.fixed_dictionaries({"ConditionCheck": keyed}),
        odd,
    )
    read = st.fixed_dictionaries({**table, "Key": item}, optional={"ProjectionExpression": _TEXTS})

    def of(name: str, parameters: Any) -> Any:
        return st.tuples(st.just(name), parameters)

    return st.one_of(
        of("PutItem", put),
        of("UpdateItem", st.fixed_dictionaries(
            {**table, "Key": item}, optional={**expressions, "UpdateExpression": _TEXTS})),
        of("DeleteItem", keyed),
        of("GetItem", st.fixed_dictionaries({**table, "Key": item, "Limit": st.just(1)}) | read),
        of("Query", st.fixed_dictionaries(table, optional={**expressions, **paged})),
        of("Scan", st.fixed_dictionaries(table, optional=paged)),
        of("BatchWriteItem", st.fixed_dictionaries(
            {"RequestItems": st.dictionaries(names, writes, max_size=2) | odd})),
        of("BatchGetItem", st.fixed_dictionaries(
            {"RequestItems": st.dictionaries(names, keys | odd, max_size=2) | odd})),
        of("TransactWriteItems", st.fixed_dictionaries(
            {"TransactItems": st.lists(actions, max_size=3) | odd},
            optional={"ClientRequestToken": _TEXTS})),
        of("TransactGetItems", st.fixed_dictionaries(
            {"TransactItems": st.lists(st.fixed_dictionaries({"Get": read}) | odd, max_size=3)})),
        of("ExecuteStatement", st.fixed_dictionaries(
            {"Statement": _TEXTS}, optional={"Parameters": st.lists(values, max_size=3) | odd})),
        of("ListTables", st.fixed_dictionaries({"Limit": st.integers(-1, 3)})),
    )  # fmt: skip


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


_RIGHT = _requests(_VALUES, st.nothing())
_WRONG = _requests(_VALUES | _STRANGE, st.sampled_from([None, 1, 1.5, "x", (), [], {}, {"X": {}}]))


def outcome(serializer: Any, operation: str, parameters: Any) -> Any:
    shape = _CLIENT.meta.service_model.operation_model(operation)
    try:
        request = serializer.serialize_to_request(parameters, shape)
    except Exception as error:
        return type(error), str(error)
    assert isinstance(request["body"], bytes)
    # Keys that are not text are compared as what is sent.
    return {**request, "body": json.loads(request["body"])}


# --- The laws -----------------------------------------------------------------------------------


@given(_RIGHT)
@example(("BatchWriteItem", {"RequestItems": {}}))
@example(("ExecuteStatement", {"Statement": "select", "Parameters": []}))
def test_a_request_is_the_one_that_botocore_makes(request: Any) -> None:
    operation, parameters = request

    assert outcome(_QUICKER, operation, parameters) == outcome(_ORDINARY, operation, parameters)


@given(_WRONG)
@example(("PutItem", {"TableName": "t", "Item": {"a": {"S": "x", "N": "1"}}}))
@example(("PutItem", {"Item": {}}))
@example(("PutItem", {"TableName": "t", "Item": {}, "Itm": {}}))
def test_a_wrong_request_is_refused_in_botocores_words(request: Any) -> None:
    operation, parameters = request

    assert outcome(_QUICKER, operation, parameters) == outcome(_ORDINARY, operation, parameters)


@given(_WRONG)
def test_parameters_are_left_as_they_were(request: Any) -> None:
    operation, parameters = request
    before = repr(parameters)

    outcome(_QUICKER, operation, parameters)

    assert repr(parameters) == before


@given(strategies.models())
def test_whatever_the_mapper_makes_goes_the_quick_way(thing: Any) -> None:
    item = mapper.dump(thing)

    rest, maps = bodies._apart("PutItem", {"TableName": "t", "Item": item})

    assert rest == {"TableName": "t", "Item": {}}
    assert maps == {"Item": item}


# --- Whose serializer it is ---------------------------------------------------------------------


@contextmanager
def replaced(owner: type[Any], name: str, make: Callable[[Any], Any]) -> Iterator[None]:
    original = getattr(owner, name)
    setattr(owner, name, make(original))
    try:
        yield
    finally:
        setattr(owner, name, original)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (JSONSerializer, "serialize_to_request"),
        (JSONSerializer, "_serialize"),
        (ParamValidator, "validate"),
    ],
)
def test_who_puts_a_function_in_botocores_place_sees_the_items(owner: type[Any], name: str) -> None:
    seen: list[Any] = []

    def listening(original: Any) -> Any:
        def function(self: Any, *arguments: Any, **more: Any) -> Any:
            seen.append(repr(arguments))
            return original(self, *arguments, **more)

        return function

    request = ("PutItem", {"TableName": "t", "Item": {"a": {"S": "of the item"}}})
    with replaced(owner, name, listening):
        outcome(_QUICKER, *request)
    during = len(seen)
    outcome(_QUICKER, *request)

    assert any("of the item" in each for each in seen)
    assert len(seen) == during


def test_serializers_that_are_not_botocores_for_json_are_left_alone() -> None:
    class Own:
        pass

    class Derived(JSONSerializer):
        pass

    altered = JSONSerializer()
    vars(altered)["serialize_to_request"] = print

    for each in (Own(), Derived(), altered, None):
        assert faster_serializer(each) is each


def test_a_client_that_does_not_validate_is_served_as_well() -> None:
    unvalidated = _ORDINARY._serializer
    request = ("PutItem", {"TableName": "t", "Item": {"a": {"B": b"\xff"}}, "Limit": "no member"})

    assert type(unvalidated) is JSONSerializer
    assert outcome(faster_serializer(unvalidated), *request) == outcome(unvalidated, *request)


def test_what_botocore_refuses_is_refused_here() -> None:
    """The other tests compare; this one says that there is a refusal at all."""
    shape = _CLIENT.meta.service_model.operation_model("ExecuteStatement")

    with pytest.raises(ParamValidationError, match=r"Parameters\[0\]\.S"):
        _QUICKER.serialize_to_request({"Statement": "select", "Parameters": [{"S": 1}]}, shape)
