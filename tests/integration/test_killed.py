"""A process is killed in the middle of a long `save_all`: what was acknowledged stays, and a second
run completes it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import attrs
import pytest

from dynattrs import Session, model, partition_key, sort_key

COUNT = 2_000

pytestmark = pytest.mark.full

PROGRAM = """
import attrs, json, sys
import boto3
from dynattrs import Session, model, partition_key, sort_key

@model("pages")
class Page:
    book: str = partition_key()
    number: int = sort_key()
    text: str = ""
    words: list[str] = attrs.field(factory=list)

arguments = json.loads(sys.argv[1])
client = boto3.client("dynamodb", endpoint_url=arguments["url"], **arguments["credentials"])
session = Session(client=client, table_prefix=arguments["prefix"], concurrency=4)

def say(progress):
    print(progress.stored, flush=True)

def pages():
    for n in range(arguments["count"]):
        if n == arguments["count"] - 1:
            sys.stdin.read()  # not done before somebody has killed its reader
        yield Page("b", n, f"page {n}" * 10, [str(n)] * (n % 5))

session.save_all(pages(), on_progress=say)
print("done", flush=True)
"""


@model("pages")
class Page:
    book: str = partition_key()
    number: int = sort_key()
    text: str = ""
    words: list[str] = attrs.field(factory=list)


def page(number: int) -> Page:
    return Page("b", number, f"page {number}" * 10, [str(number)] * (number % 5))


@pytest.mark.skipif(not hasattr(os, "kill"), reason="this system kills otherwise")
@pytest.mark.parametrize("endpoint", ["dynamodb-local"], indirect=True)
@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
def test_what_a_killed_process_had_acknowledged_stays_and_a_second_run_completes_it(
    endpoint: Any, client: Any, table_prefix: str, at: float
) -> None:
    session = Session(client=client, table_prefix=table_prefix)
    session.tables.create(Page)
    arguments = {
        "url": endpoint.url,
        "prefix": table_prefix,
        "credentials": endpoint.credentials,
        "count": COUNT,
    }
    command = [
        sys.executable, "-W", "ignore::DeprecationWarning", "-c", PROGRAM, json.dumps(arguments)
    ]  # fmt: skip

    acknowledged = 0
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            acknowledged = int(line)
            if acknowledged >= COUNT * at:
                process.kill()  # SIGKILL: nothing in it runs any more
                break
        acknowledged = max([acknowledged, *map(int, process.stdout)])
    whole = session.query(Page).where(Page.book == "b").consistent()
    half = whole.all()

    assert process.returncode != 0
    assert acknowledged <= len(half) < COUNT
    assert half == [page(each.number) for each in half]

    again = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=120
    )

    assert again.stdout.splitlines()[-1] == "done"
    assert whole.all() == [page(number) for number in range(COUNT)]
    session.close()
