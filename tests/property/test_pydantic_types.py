"""Models as pydantic types: what is written as JSON is read again, and is what the JSON schema says."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
from hypothesis import assume, given
from pydantic import TypeAdapter

from dynattrs import ModelError

import strategies

MODES: list[Any] = ["validation", "serialization"]


@given(strategies.models() | strategies.keyed_models())
def test_what_is_written_as_json_is_read_again(thing: Any):
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(type(thing))
    except ModelError as error:  # text and what is text in JSON, too
        assume("told apart" not in str(error))
        raise

    text = adapter.dump_json(thing)

    assert adapter.validate_json(text) == thing
    # As a web framework has it: parsed before pydantic sees it.
    assert adapter.validate_python(json.loads(text)) == thing
    for mode in MODES:
        schema = adapter.json_schema(mode=mode)
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.validate(json.loads(text), schema)
