"""A table goes through files into another one while the processes that do it are killed: nothing is missing,
nothing is twice, and both tables are equal.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

import file_models
import job_process
from dynattrs import jobs
from dynattrs.jobs.raw_writes import RawWrites

#: How many items: a table of the size that jobs are for takes minutes, which CI does not have.
LARGE = 10_000 if os.environ.get("CI") else 200_000


def run(
    arguments: dict[str, Any], kills: int, chance: random.Random, within: float
) -> dict[str, int]:
    """Do a verb of a job, killed so often at any instant; what its last process says."""
    environment = {**os.environ, "PYTHONPATH": str(Path(job_process.__file__).parent)}
    command = [sys.executable, job_process.__file__, json.dumps(arguments)]
    while True:
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                said, _ = process.communicate(
                    timeout=chance.uniform(0.5, within) if kills else 1200
                )
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                kills -= 1
                continue
        assert process.returncode == 0, said
        found: dict[str, int] = json.loads(said)
        return found


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system kills otherwise")
@pytest.mark.parametrize(
    ("count", "kills", "within", "format_"),
    [
        (2_000, 2, 3.0, "jsonl"),
        pytest.param(LARGE, 10, 12.0, "jsonl", marks=pytest.mark.full),
        pytest.param(LARGE // 10, 10, 6.0, "parquet", marks=pytest.mark.full),
    ],
)
def test_a_table_that_went_through_files_is_equal_whatever_was_killed(
    job_spec: Any,
    tmp_path: Path,
    count: int,
    kills: int,
    within: float,
    format_: str,
    endpoint: Any,
) -> None:
    if endpoint.engine == "embedded":
        pytest.skip("it would share this process with what is killed")
    chance = random.Random(count)
    models = ["file_models:app"]
    there = attrs.evolve(job_spec, table_prefix=f"{job_spec.table_prefix}there-")
    with job_spec.session() as session, there.session() as other:
        session.tables.create(file_models.app)
        other.tables.create(file_models.app)
        writes = RawWrites(session, file_models.app, "always", guarded=False, owner="test")
        items = [*file_models.items(count)]
        for start in range(0, count, 5_000):
            assert writes.write(items[start : start + 5_000]).failures == {}

        def arguments(verb: str, given: Any, spec: Any, **options: Any) -> dict[str, Any]:
            # A rate stretches a small job over some seconds.
            rates = {"read_units": 40} if verb == "export" else {"write_units": 600}
            return {
                "name": f"{verb}-it", "models": models, "checkpoints": str(tmp_path / "jobs"),
                "session": spec.describe(), "segments": 7, "lease": 1.0, "verb": [verb, given, options],
                "options": {"workers": 2, **(rates if count < 10_000 else {})},
            }  # fmt: skip

        folder = str(tmp_path / "files")
        out = run(arguments("export", [folder], job_spec, format=format_), kills, chance, within)
        [manifest] = Path(folder).glob("*.manifest.json")
        said = json.loads(manifest.read_text())
        back = run(arguments("import_", [folder], there), kills, chance, within)

        checkpoints = jobs.in_folder(tmp_path / "jobs")
        compared = jobs.Job(
            "compare", models=[file_models.app], session=job_spec, checkpoints=checkpoints
        ).verify(there, executor="threads")
        if format_ == "jsonl":
            assert compared.equal, compared.differences[:3]
            assert compared.compared == count
        else:  # items of old schemas were brought up to date
            assert {(each.kind) for each in compared.differences} == {"different"}

    names = {each["name"] for each in said["files"]}
    assert {path.name for path in Path(folder).iterdir()} == {*names, manifest.name}
    assert sum(each["items"] for each in said["files"]) == out["written"]
    if format_ == "jsonl":
        assert out["written"] == count
        keys = [
            (item["pk"]["S"], item["sk"]["S"])
            for name in names
            for item in map(stored, (Path(folder) / name).read_text().splitlines())
        ]
        assert len(keys) == len(set(keys)) == count
        assert back == {"written": count}


def stored(line: str) -> Any:
    return json.loads(line)["Item"]
