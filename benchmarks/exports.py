"""CPU time of exporting a table into JSON lines: a job's export, boto3 in threads, and awswrangler.

    uv run python -m benchmarks.exports
    uv run python -m benchmarks.exports --items 20000 --rounds 1

Items of twelve attributes on DynamoDB Local, whose own time does not count. Each program is a process of
its own; what counts is its CPU time, with that of its workers, from the first request to the last file: no
imports, no clients. All of them in turn, the least of some rounds.

- job: `Job.export` with its checkpoints in a folder, in threads, and in two processes, whose starts count.
- boto3: a scan of eight segments in eight threads, each writing what the client gives as JSON lines. It keeps
  nothing, so that it cannot be resumed, has no rate and no manifest.
- awswrangler: `read_items` alone, as dicts. It writes no file.

Each is checked: all items, once.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
TABLE = "exported-songs"
SEGMENTS = 8


def fill(endpoint: str, count: int) -> None:
    from benchmarks.exported import Song
    from dynattrs import Session

    with Session(endpoint_url=endpoint) as session:
        session.tables.create(Song)
        session.save_all(
            Song(
                f"artist {number % 997}", f"title {number}", f"album {number % 50}", "jazz",
                1900 + number % 120, number, Decimal(number) / 4, number % 2 == 0,
                {"live", f"t{number % 7}"}, [number, 1, 2], {"n": number}, "x" * 60,
            )
            for number in range(count)
        )  # fmt: skip


# --- The programs -------------------------------------------------------------------------------


def spent() -> float:
    """CPU seconds of this process and of those that it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def job(endpoint: str, folder: Path, executor: str) -> int:
    from benchmarks.exported import Song
    from dynattrs import jobs

    spec = jobs.SessionSpec(endpoint_url=endpoint)
    made = jobs.Job(
        "export", models=[Song], session=spec, checkpoints=jobs.in_folder(folder / "jobs"),
        segments=SEGMENTS, workers=2,
    )  # fmt: skip
    return made.export(folder / "files", executor=executor).counts["written"]


def boto3_threads(endpoint: str, folder: Path) -> int:
    import boto3

    client = boto3.client("dynamodb", endpoint_url=endpoint)

    def default(value: Any) -> Any:
        return sorted(value) if isinstance(value, (set, frozenset)) else str(value)

    def segment(number: int) -> int:
        count = 0
        pages = client.get_paginator("scan").paginate(
            TableName=TABLE, Segment=number, TotalSegments=SEGMENTS
        )
        with (folder / f"{number}.jsonl").open("w") as file:
            for page in pages:
                for item in page["Items"]:
                    file.write(json.dumps({"Item": item}, default=default) + "\n")
                    count += 1
        return count

    with ThreadPoolExecutor(SEGMENTS) as pool:
        return sum(pool.map(segment, range(SEGMENTS)))


def awswrangler(endpoint: str) -> int:
    import awswrangler as wr

    wr.config.dynamodb_endpoint_url = endpoint
    return len(
        wr.dynamodb.read_items(
            TABLE, allow_full_scan=True, as_dataframe=False, use_threads=SEGMENTS
        )
    )


def program(name: str, endpoint: str) -> None:
    """One of them, in this process; says its CPU seconds and how many items there were."""
    import_module({"awswrangler": "awswrangler", "boto3": "boto3"}.get(name, "dynattrs.jobs"))
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        began = spent()
        if name == "awswrangler":
            count = awswrangler(endpoint)
        elif name == "boto3":
            count = boto3_threads(endpoint, folder)
        else:
            count = job(endpoint, folder, name.removeprefix("job, "))
        print(json.dumps([spent() - began, count]))


# --- The comparison -----------------------------------------------------------------------------


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--program", nargs=2)
    chosen = parser.parse_args()
    if chosen.program:
        program(*chosen.program)
        return 0
    sys.path.insert(0, str(ROOT / "tests"))
    from benchmarks.environments import Environments

    import engines

    environment = {
        **os.environ, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}", "PYTHONHASHSEED": "0",
    }  # fmt: skip
    os.environ.update(environment)
    pandas = str(Environments(sys.executable).interpreter_of("with_awswrangler"))
    programs = {
        "job, threads": sys.executable, "job, processes": sys.executable, "boto3": sys.executable,
        "awswrangler": pandas,
    }  # fmt: skip
    best: dict[str, float] = {}
    with engines.dynamodb_local() as endpoint:
        fill(endpoint, chosen.items)
        for _ in range(chosen.rounds):
            for name, python in programs.items():
                command = [python, "-m", "benchmarks.exports", "--program", name, endpoint]
                said = subprocess.run(
                    command, env=environment, cwd=ROOT, check=True, capture_output=True, text=True
                )
                seconds, count = json.loads(said.stdout.splitlines()[-1])
                assert count == chosen.items, (name, count)
                best[name] = min(seconds, best.get(name, seconds))
    least = best["job, threads"]
    for name, seconds in best.items():
        micros = seconds / chosen.items * 1e6
        print(f"{name:16} {seconds:7.2f} s  {micros:6.1f} µs an item  {seconds / least:5.1f} times")
    return 0


if __name__ == "__main__":
    sys.exit(main())
