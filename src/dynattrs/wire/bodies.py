"""The bodies of requests that botocore makes, written without asking its service model of each value.

botocore compares every attribute value with its model, and then copies it as the model says: some 5 µs
a value, where writing JSON takes a tenth of one. Here the attribute maps of a request are looked
through by a function that knows nothing but attribute values; botocore's own serializer gets the
request without them, checks what is left and makes everything but the body of it.

Whatever is not plainly right (a set in place of a list, a text as bytes, a subclass, a wrong tag) is
botocore's from the beginning: it accepts it in its way, or says what is wrong in its words. So nothing
that it refuses is sent. Parameters and the request are those that listeners get from botocore; the
body is the same JSON, without white space and in UTF-8.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from types import FunctionType
from typing import Any, Final

#: Members that hold one attribute map.
_MAPS: Final = ("Item", "Key", "ExpressionAttributeValues", "ExclusiveStartKey")

#: The operations whose bodies are written here.
_OPERATIONS: Final = frozenset(
    {
        "BatchGetItem",
        "BatchWriteItem",
        "DeleteItem",
        "ExecuteStatement",
        "GetItem",
        "PutItem",
        "Query",
        "Scan",
        "TransactGetItems",
        "TransactWriteItems",
        "UpdateItem",
    }
)

_WRITES: Final = {"PutRequest": "Item", "DeleteRequest": "Key"}
#: Stands for the writes to a table, whose name and number are botocore's to check.
_A_WRITE: Final[dict[str, Any]] = {"DeleteRequest": {"Key": {}}}
_A_VALUE: Final[dict[str, Any]] = {"NULL": True}


def quicker(serializer: Any) -> Any:
    """A serializer around a client's own, or that one where it is not botocore's for JSON.

    Args:
        serializer: A client's `_serializer`, with its validation around it or without.
    """
    from botocore.serialize import JSONSerializer
    from botocore.validate import ParamValidationDecorator, ParamValidator

    inner = serializer
    if type(serializer) is ParamValidationDecorator:
        around: Any = serializer
        inner = around._serializer
        if type(around._param_validator) is not ParamValidator:
            return serializer
    if type(inner) is not JSONSerializer:
        return serializer
    if any("serialize_to_request" in vars(each) for each in (serializer, inner)):
        return serializer  # somebody has put something in its place
    passed: list[tuple[Any, Callable[[Any], Any]]] = [
        (ParamValidationDecorator, attrgetter("serialize_to_request")),
        (JSONSerializer, attrgetter("serialize_to_request", "_serialize")),
        (ParamValidator, attrgetter("validate", "_validate")),
    ]
    return _Serializer(serializer, passed)


class _Serializer:
    """Stands where a client's serializer stood, on a twin of that client."""

    def __init__(self, ordinary: Any, passed: list[tuple[Any, Callable[[Any], Any]]]) -> None:
        import msgspec

        self._ordinary = ordinary
        self._encode = msgspec.json.encode
        self._decode = msgspec.json.decode
        self._passed = passed
        self._seen = self._functions()
        self._usual = all(map(_is_botocores, self._seen))

    def serialize_to_request(self, parameters: Any, operation_model: Any) -> Any:
        """The request dictionary, as botocore makes it."""
        if operation_model.name in _OPERATIONS and self._is_usual():
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
            self._seen, self._usual = functions, all(map(_is_botocores, functions))
        return self._usual

    def _functions(self) -> list[Any]:
        found: list[Any] = []
        for owner, get in self._passed:
            each = get(owner)
            found.extend(each if isinstance(each, tuple) else (each,))
        return found


def _is_botocores(function: Any) -> bool:
    """Whether a function is a plain one, its code in botocore's files, that wraps no other but such."""
    import botocore

    home = botocore.__file__.removesuffix("__init__.py")
    while type(function) is FunctionType and function.__code__.co_filename.startswith(home):
        wrapped = vars(function).get("__wrapped__")
        if wrapped is None:
            return True
        function = wrapped
    return False


class _Unusual(Exception):
    """Something is not plainly right."""


def _apart(operation: str, parameters: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters whose attribute maps are empty, and the members that hold attribute maps.

    Raises:
        _Unusual: An attribute map is not plainly right.
    """
    rest = dict(parameters)
    whole: dict[str, Any] = {}
    for name in _MAPS:
        if name in rest:
            whole[name] = rest[name]
            _check_map(rest[name])
            rest[name] = {}
    if operation == "BatchWriteItem":
        tables = whole["RequestItems"] = rest["RequestItems"]
        rest["RequestItems"] = {name: _without_writes(of) for name, of in tables.items()}
    elif operation == "BatchGetItem":
        tables = whole["RequestItems"] = rest["RequestItems"]
        rest["RequestItems"] = {name: _without_keys(of) for name, of in tables.items()}
        _keep_plain(rest["RequestItems"])
    elif operation in ("TransactWriteItems", "TransactGetItems"):
        parts = whole["TransactItems"] = rest["TransactItems"]
        rest["TransactItems"] = [_without_maps(part) for part in parts]
        _keep_plain(rest["TransactItems"])
    elif rest.get("Parameters"):
        values = whole["Parameters"] = rest["Parameters"]
        _check_list(values)
        rest["Parameters"] = [_A_VALUE]
    return rest, whole


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


def _without_keys(wanted: Any) -> dict[str, Any]:
    keys = wanted["Keys"]
    if type(keys) is not list or not keys:
        raise _Unusual
    for key in keys:
        _check_map(key)
    return {**wanted, "Keys": [{}]}


def _without_maps(part: Any) -> dict[str, Any]:
    """One action of a transaction."""
    found: dict[str, Any] = {}
    for kind, action in part.items():
        rest = found[kind] = dict(action)
        for name in _MAPS:
            if name in rest:
                _check_map(rest[name])
                rest[name] = {}
    return found


def _keep_plain(value: Any) -> None:
    """Pass what JSON has: what is beside attribute maps in a nested member is written as it is."""
    kind = type(value)
    if kind is dict:
        for name, each in value.items():
            if type(name) is not str:
                raise _Unusual
            _keep_plain(each)
    elif kind is list:
        for each in value:
            _keep_plain(each)
    elif kind is not str and kind is not bool and kind is not int:
        raise _Unusual


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
