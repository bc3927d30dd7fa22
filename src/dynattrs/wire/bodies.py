"""The bodies of writes that botocore makes, written without asking its service model of each value.

botocore compares every attribute value with its model, and then copies it as the model says: some 5 µs
a value, where writing JSON takes a tenth of one. Here the items of PutItem and BatchWriteItem are looked
through by a function that knows nothing but attribute values; botocore's own serializer gets the
request without them, checks what is left and makes everything but the body of it.

Whatever is not plainly right (a set for a list, a text as bytes, a subclass, a wrong tag) is
botocore's from the beginning: it accepts it in its way, or says what is wrong in its words. So nothing
that it refuses is sent. Parameters and the request are those that listeners get from botocore; the
body is the same JSON, without white space and in UTF-8.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

import botocore

from dynattrs import foreign_names as foreign
from dynattrs.schema.messages import Message
from dynattrs.wire.observers import are_plain, folders_of

_WRITES: Final = {"PutRequest": "Item", "DeleteRequest": "Key"}
#: Stands for the writes to a table, whose name and number are botocore's to check.
_A_WRITE: Final[Message] = {"DeleteRequest": {"Key": {}}}


# Measured (benchmarks/test_bodies.py): 934 -> 60 us a BatchWriteItem, 40 -> 9 us a PutItem; other
# requests gain nothing. tests/property/test_bodies.py holds the two together.
def faster_serializer(serializer: Any) -> Any:
    """A serializer around a client's own, or that one where it is not botocore's for JSON.

    Args:
        serializer: A client's serializer, with its validation around it or without.

    Raises:
        AttributeError: This botocore is built differently.
    """
    from botocore.serialize import JSONSerializer
    from botocore.validate import ParamValidationDecorator, ParamValidator

    inner = serializer
    if type(serializer) is ParamValidationDecorator:
        inner = foreign.VALIDATED_SERIALIZER.of(serializer)
        if type(foreign.VALIDATOR.of(serializer)) is not ParamValidator:
            return serializer
    if type(inner) is not JSONSerializer:
        return serializer
    if any("serialize_to_request" in vars(each) for each in (serializer, inner)):
        return serializer  # it was replaced
    passed: list[tuple[Any, Callable[[Any], Any]]] = [
        (ParamValidationDecorator, attrgetter("serialize_to_request")),
        (JSONSerializer, attrgetter("serialize_to_request", foreign.SERIALIZE.name)),
        (ParamValidator, attrgetter("validate", foreign.VALIDATE.name)),
    ]
    return _Serializer(serializer, passed)


class _Serializer:
    """Stands where a client's serializer stood, on a copy of that client."""

    def __init__(self, ordinary: Any, passed: list[tuple[Any, Callable[[Any], Any]]]) -> None:
        import msgspec

        self._ordinary = ordinary
        self._encode = msgspec.json.encode
        self._decode = msgspec.json.decode
        self._folders = folders_of([botocore])
        self._passed = passed
        self._seen = self._functions()
        self._usual = are_plain(self._seen, self._folders)

    def serialize_to_request(self, parameters: Any, operation_model: Any) -> Any:
        """The request dictionary, as botocore makes it."""
        if operation_model.name in ("PutItem", "BatchWriteItem") and self._is_usual():
            try:
                rest, maps = _apart(operation_model.name, parameters)
                request = self._ordinary.serialize_to_request(rest, operation_model)
                request["body"] = self._encode({**self._decode(request["body"]), **maps})
            except Exception:  # noqa: S110 - botocore says below what is wrong
                pass
            else:
                return request
        return self._ordinary.serialize_to_request(parameters, operation_model)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ordinary, name)

    def _is_usual(self) -> bool:
        """Whether what is passed by is botocore's. Who puts functions in its place sees everything."""
        functions = self._functions()
        if functions != self._seen:
            self._seen, self._usual = functions, are_plain(functions, self._folders)
        return self._usual

    def _functions(self) -> list[Any]:
        return [get(owner) for owner, get in self._passed]


class _Unusual(Exception):
    """Something is not plainly right."""


def _apart(operation: str, parameters: Any) -> tuple[Message, Message]:
    """Parameters whose items are empty, and the member that holds the items.

    Raises:
        _Unusual: An item is not plainly right.
    """
    if operation == "PutItem":
        item = parameters["Item"]
        _check_map(item)
        return {**parameters, "Item": {}}, {"Item": item}
    tables = parameters["RequestItems"]
    rest = {name: _without_writes(requests) for name, requests in tables.items()}
    return {**parameters, "RequestItems": rest}, {"RequestItems": tables}


def _without_writes(requests: Any) -> list[Any]:
    if type(requests) is not list or not requests:
        raise _Unusual
    for request in requests:
        if type(request) is not dict or len(request) != 1:
            raise _Unusual
        for kind, held in request.items():
            member = _WRITES.get(kind)
            if member is None or type(held) is not dict or len(held) != 1 or member not in held:
                raise _Unusual
            _check_map(held[member])
    return [_A_WRITE]


def _check_map(item: Any) -> None:
    if type(item) is not dict:
        raise _Unusual
    for name, value in item.items():
        if type(name) is not str or type(value) is not dict or len(value) != 1:
            raise _Unusual
        for tag, payload in value.items():
            if type(payload) is not _SCALARS.get(tag):
                _check_payload(tag, payload)


def _check_list(values: Any) -> None:
    if type(values) is not list:
        raise _Unusual
    for value in values:
        if type(value) is not dict or len(value) != 1:
            raise _Unusual
        for tag, payload in value.items():
            if type(payload) is not _SCALARS.get(tag):
                _check_payload(tag, payload)


_SCALARS: Final = {"S": str, "N": str, "B": bytes, "BOOL": bool, "NULL": bool}
_SETS: Final = {"SS": str, "NS": str, "BS": bytes}


def _check_payload(tag: Any, payload: Any) -> None:
    """A payload that is none of one value."""
    if tag == "M":
        _check_map(payload)
    elif tag == "L":
        _check_list(payload)
    else:
        kind = _SETS.get(tag)
        if kind is None or type(payload) is not list:
            raise _Unusual
        for each in payload:
            if type(each) is not kind:
                raise _Unusual
