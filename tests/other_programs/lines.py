"""Values as lines of JSON, between a test and a program of another library. It needs nothing but Python."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import json
import sys
import traceback
import uuid
from collections.abc import Callable
from typing import Any

_TAG = "$is"


def encode(value: Any) -> str:
    return json.dumps(_plain(value))


def decode(line: str) -> Any:
    return _python(json.loads(line))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {_TAG: "dict", "of": [[name, _plain(each)] for name, each in value.items()]}
    if isinstance(value, tuple):
        return {_TAG: "tuple", "of": [_plain(each) for each in value]}
    if isinstance(value, (set, frozenset)):
        return {_TAG: "set", "of": [_plain(each) for each in value]}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, (bytes, bytearray)):
        return {_TAG: "bytes", "of": base64.b64encode(value).decode()}
    if isinstance(value, dt.datetime):
        return {_TAG: "datetime", "of": value.isoformat()}
    if isinstance(value, dt.date):
        return {_TAG: "date", "of": value.isoformat()}
    if isinstance(value, dt.timedelta):
        return {_TAG: "timedelta", "of": value // dt.timedelta(microseconds=1)}
    if isinstance(value, decimal.Decimal):
        return {_TAG: "decimal", "of": str(value)}
    if isinstance(value, uuid.UUID):
        return {_TAG: "uuid", "of": str(value)}
    return value


_KINDS: dict[str, Callable[[Any], Any]] = {
    "dict": lambda of: {name: _python(each) for name, each in of},
    "tuple": lambda of: tuple(map(_python, of)),
    "set": lambda of: set(map(_python, of)),
    "bytes": base64.b64decode,
    "datetime": dt.datetime.fromisoformat,
    "date": dt.date.fromisoformat,
    "timedelta": lambda of: dt.timedelta(microseconds=of),
    "decimal": decimal.Decimal,
    "uuid": uuid.UUID,
}


def _python(value: Any) -> Any:
    if isinstance(value, list):
        return [_python(each) for each in value]
    if isinstance(value, dict):
        return _KINDS[value[_TAG]](value["of"])
    return value


def serve(verbs: Any) -> None:
    """Answer each line, a verb with its arguments, by what the method of that name gives or raises."""
    # What a library prints is no answer.
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        verb, arguments = decode(line)
        try:
            answer = {"result": getattr(verbs, verb)(**arguments)}
        except Exception as error:
            name = type(error).__name__
            answer = {"error": name, "message": str(error), "trace": traceback.format_exc()}
        answers.write(encode(answer) + "\n")
        answers.flush()
