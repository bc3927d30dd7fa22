"""Time to make a cursor of a key and to read it again, as a page of a web application does.

Timed: from key attributes to the text that a client gets, and back, checks included. Left out: the query.
Compared with plain base64 of JSON, which nobody could check.

    uv run --group bench pytest benchmarks/test_cursors.py
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from dynattrs.operations.reading import cursors

KEY: Any = {
    "artist": {"S": "Nina Simone"},
    "title": {"S": "Sinnerman"},
    "genre": {"S": "jazz"},
    "year": {"N": "1965"},
}
#: What binds a cursor: table, index, key condition, direction.
CONTEXT = ["music", "by-genre", ["#0 = :0", {"#0": "genre"}, {":0": ["S", "jazz"]}], False]
both = pytest.mark.parametrize("secret", [None, b"secret"], ids=["open", "signed"])


@pytest.mark.benchmark(group="a cursor made")
@both
def test_make_a_cursor(benchmark: BenchmarkFixture, secret: bytes | None) -> None:
    made = benchmark(cursors.encode, KEY, CONTEXT, secret)

    assert cursors.decode(made, KEY, CONTEXT, secret) == KEY


@pytest.mark.benchmark(group="a cursor made")
def test_make_plain_base64(benchmark: BenchmarkFixture) -> None:
    made = benchmark(lambda: base64.urlsafe_b64encode(json.dumps(KEY).encode()).decode())

    assert json.loads(base64.urlsafe_b64decode(made)) == KEY


@pytest.mark.benchmark(group="a cursor read")
@both
def test_read_a_cursor(benchmark: BenchmarkFixture, secret: bytes | None) -> None:
    made = cursors.encode(KEY, CONTEXT, secret)

    assert benchmark(cursors.decode, made, KEY, CONTEXT, secret) == KEY


@pytest.mark.benchmark(group="a cursor read")
def test_read_plain_base64(benchmark: BenchmarkFixture) -> None:
    made = base64.urlsafe_b64encode(json.dumps(KEY).encode()).decode()

    assert benchmark(lambda: json.loads(base64.urlsafe_b64decode(made))) == KEY
