"""Programs that do one thing and end: what a fresh process pays for an import and its first request.

Measured is what the operating system counts for the whole process, interpreter and all, in user and system
time; and the time that went by.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from benchmarks import canned
from benchmarks.contest import ENVIRONMENT

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

#: By what they are called in the table: whose environment they run in, and the program.
PROGRAMS = {
    "dynattrs: import and first get": ("dynattrs_sync", _DYNATTRS),
    "boto3 client: import and first get_item": ("client", _CLIENT),
    "boto3 resource: import and first get_item": ("resource", _RESOURCE),
    "PynamoDB: import and first get": ("with_pynamodb", _PYNAMODB),
    "pydynox: import and first sync_get": ("with_pydynox", _PYDYNOX),
    "dynattrs: import": ("dynattrs_sync", "import dynattrs"),
    "boto3: import": ("client", "import boto3"),
    "an empty program": ("client", ""),
}


def run(interpreter: Path, program: str, address: str) -> tuple[float, float]:
    """CPU and elapsed time of *program*, in seconds.

    Raises:
        RuntimeError: It failed.
    """
    # Isolated: neither the working folder nor an environment variable of Python's has a say.
    command = [str(interpreter), "-I", "-c", program.replace("ADDRESS", address)]
    began = time.perf_counter()
    process = subprocess.Popen(command, env=ENVIRONMENT)
    _, status, usage = os.wait4(process.pid, 0)
    elapsed = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"a program ended with status {process.returncode}:\n{program}")
    return usage.ru_utime + usage.ru_stime, elapsed
