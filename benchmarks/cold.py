"""Programs that do one thing and end: what a fresh process pays for an import and its first request.

Measured is what the operating system counts for the whole process, interpreter and all: user and system
time, the time that went by, and the most memory that it had. Memory and the modules that were loaded are
asked for in runs of their own, since asking takes time.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import canned
from benchmarks.contest import ENVIRONMENT, Contest, Rounds
from benchmarks.environments import Environments

TABLE = "flat-11.1000.1000"

_FIELDS = """
    artist: str = {partition}
    title: str = {sort}
    genre: str{empty}
    plays: int{empty}
    seconds: float{empty}
    year: int{empty}
    live: bool{empty}
    album: str{empty}
    label: str{empty}
    tags: set[str]{empty}
    note: str | None = None
"""

_DYNATTRS = f"""
from dynattrs import Session, model, partition_key, sort_key

@model("{TABLE}")
class Song:{_FIELDS.format(partition="partition_key()", sort="sort_key()", empty="")}
song = Session(endpoint_url="ADDRESS").get(Song, ("Nina Simone", "Title 0000007"))
assert song.plays == 49 and song.tags == {{"live", "tag 2"}}
"""

_CLIENT = f"""
import boto3

client = boto3.client("dynamodb", endpoint_url="ADDRESS")
key = {{"artist": {{"S": "Nina Simone"}}, "title": {{"S": "Title 0000007"}}}}
item = client.get_item(TableName="{TABLE}", Key=key)["Item"]
assert item["plays"] == {{"N": "49"}}
"""

_RESOURCE = f"""
import boto3

table = boto3.resource("dynamodb", endpoint_url="ADDRESS").Table("{TABLE}")
item = table.get_item(Key={{"artist": "Nina Simone", "title": "Title 0000007"}})["Item"]
assert item["plays"] == 49
"""

_PYDYNOX = f"""
from pydynox import DynamoDBClient, Model, ModelConfig
from pydynox.attributes import (
    BooleanAttribute, NumberAttribute, StringAttribute, StringSetAttribute
)

class Song(Model):
    model_config = ModelConfig(table="{TABLE}", client=DynamoDBClient(endpoint_url="ADDRESS"))
    artist = StringAttribute(partition_key=True)
    title = StringAttribute(sort_key=True)
    genre = StringAttribute()
    plays = NumberAttribute()
    seconds = NumberAttribute()
    year = NumberAttribute()
    live = BooleanAttribute()
    album = StringAttribute()
    label = StringAttribute()
    tags = StringSetAttribute()
    note = StringAttribute()

song = Song.sync_get(artist="Nina Simone", title="Title 0000007")
assert song.plays == 49 and song.tags == {{"live", "tag 2"}}
"""

_PYNAMODB = f"""
from pynamodb.attributes import (
    BooleanAttribute, NumberAttribute, UnicodeAttribute, UnicodeSetAttribute
)
from pynamodb.models import Model

class Song(Model):
    class Meta:
        table_name = "{TABLE}"
        host = "ADDRESS"
        region = "{canned.REGION}"

    artist = UnicodeAttribute(hash_key=True)
    title = UnicodeAttribute(range_key=True)
    genre = UnicodeAttribute()
    plays = NumberAttribute()
    seconds = NumberAttribute()
    year = NumberAttribute()
    live = BooleanAttribute()
    album = UnicodeAttribute()
    label = UnicodeAttribute()
    tags = UnicodeSetAttribute()
    note = UnicodeAttribute(null=True)

song = Song.get("Nina Simone", "Title 0000007")
assert song.plays == 49 and song.tags == {{"live", "tag 2"}}
"""

# Not `ru_maxrss`, which begins with what the parent had before it became this program.
_WEIGH = """
import json, sys

try:
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) / 1000 for line in status if line.startswith("VmHWM"))
except OSError:
    peak = None
ours = sum(name.partition(".")[0] == "dynattrs" for name in sys.modules)
print(json.dumps({"peak": peak, "modules": len(sys.modules), "ours": ours}))
"""

#: Memory and modules hardly differ between two runs.
_WEIGHED = 3


@dataclass(frozen=True)
class Program:
    """What a fresh process does.

    Attributes:
        label: What it is called in the table.
        rival: Whose environment it runs in.
        text: Python; ADDRESS stands for the server.
        checkout: The folder whose library it takes; None for the installed one.
    """

    label: str
    rival: str
    text: str
    checkout: Path | None = None

    def filled(self, address: str) -> str:
        text = self.text.replace("ADDRESS", address)
        if self.checkout is not None:
            text = f"import sys; sys.path.insert(0, {str(self.checkout / 'src')!r})\n{text}"
        return text

    @property
    def requests(self) -> int:
        return self.text.count("ADDRESS")


PROGRAMS = (
    Program("dynattrs: import and first get", "dynattrs_sync", _DYNATTRS),
    Program("boto3 client: import and first get_item", "client", _CLIENT),
    Program("boto3 resource: import and first get_item", "resource", _RESOURCE),
    Program("PynamoDB: import and first get", "with_pynamodb", _PYNAMODB),
    Program("pydynox: import and first sync_get", "with_pydynox", _PYDYNOX),
    Program("dynattrs: import", "dynattrs_sync", "import dynattrs"),
    Program("boto3: import", "client", "import boto3"),
    Program("an empty program", "client", ""),
)


def measured(
    programs: Sequence[Program], environments: Environments, contest: Contest, rounds: int
) -> tuple[Rounds, ...]:
    """CPU, elapsed time, memory and modules of each program, one after the other in each round."""

    def empty(case: str, unit: str) -> Rounds:
        return Rounds(f"cold start, {case}", unit, {each.label: [] for each in programs})

    cpu, elapsed = empty("CPU", "ms"), empty("elapsed", "ms")
    memory = empty("memory at the most", "MB")
    modules, ours = empty("modules", "loaded"), empty("modules of dynattrs", "loaded")
    for number in range(-1, rounds):
        # Each round begins with another one, as those of a contest do.
        start = max(number, 0) % len(programs)
        for program in (*programs[start:], *programs[:start]):
            interpreter = environments.interpreter_of(program.rival)
            text = program.filled(contest.address)
            used, passed = run(interpreter, text)
            contest.check(requests=program.requests)
            if number < 0:
                continue
            cpu.values[program.label].append(used * 1000)
            elapsed.values[program.label].append(passed * 1000)
            if number < _WEIGHED:
                peak, loaded, own = weighed(interpreter, text)
                contest.check(requests=program.requests)
                memory.values[program.label].append(peak)
                modules.values[program.label].append(loaded)
                ours.values[program.label].append(own or None)
    return cpu, elapsed, memory, modules, ours


def run(interpreter: Path, program: str) -> tuple[float, float]:
    """CPU and elapsed time of *program*, in seconds.

    Raises:
        RuntimeError: It failed.
    """
    began = time.perf_counter()
    process = subprocess.Popen(_command(interpreter, program), env=ENVIRONMENT)
    _, status, usage = os.wait4(process.pid, 0)
    elapsed = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"a program ended with status {process.returncode}:\n{program}")
    return usage.ru_utime + usage.ru_stime, elapsed


def weighed(interpreter: Path, program: str) -> tuple[float | None, int, int]:
    """The most memory of *program* in MB, where the system tells; modules loaded, and those of dynattrs.

    Raises:
        CalledProcessError: It failed.
    """
    command = _command(interpreter, program + _WEIGH)
    said = subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True, text=True)
    found = json.loads(said.stdout)
    return found["peak"], found["modules"], found["ours"]


def _command(interpreter: Path, program: str) -> list[str]:
    # Isolated: neither the working folder nor an environment variable of Python's has a say.
    return [str(interpreter), "-I", "-c", program]
