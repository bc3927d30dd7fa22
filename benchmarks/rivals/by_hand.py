"""What one would write by hand for one class: urllib3, orjson, a signature with its key of the day kept,
straight-line code from attribute maps to slotted attrs objects and back. It retries nothing, checks
nothing and knows nothing of other attributes.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import orjson
import urllib3

from benchmarks.canned import ACCESS_KEY, REGION, SECRET_KEY
from benchmarks.rivals.composing import Compose, attribute_map, templates
from benchmarks.rivals.plain_attrs import composer, made, plain
from benchmarks.shapes import ARTIST, CHANGED, Field, Shape

LABEL = "urllib3 + orjson by hand"
DISTRIBUTIONS = ("urllib3", "orjson", "attrs")


class Songs:
    def __init__(self, endpoint: str, table: str, shape: Shape) -> None:
        self.shape = shape
        self.name = table
        self.cls = plain("Song", shape.fields)
        self._load, self._dump = _written(self.cls, shape)
        self._send = _Sender(endpoint).send

    def make(self, number: int) -> Any:
        return made(self.cls, self.shape.fields, self.shape.values(number))

    def composer(self) -> Compose:
        return composer(self.cls, self.shape)

    def read(self) -> list[Any]:
        request = {
            "TableName": self.name,
            "KeyConditionExpression": "artist = :artist",
            "ExpressionAttributeValues": {":artist": {"S": ARTIST}},
        }
        load = self._load
        found: list[Any] = []
        while True:
            reply = self._send("Query", request)
            found += [load(item) for item in reply["Items"]]
            if "LastEvaluatedKey" not in reply:
                return found
            request["ExclusiveStartKey"] = reply["LastEvaluatedKey"]

    def write(self, songs: Iterable[Any]) -> None:
        dump = self._dump
        songs = list(songs)
        for start in range(0, len(songs), 25):
            puts = [{"PutRequest": {"Item": dump(song)}} for song in songs[start : start + 25]]
            left = {self.name: puts}
            while left:
                left = self._send("BatchWriteItem", {"RequestItems": left})["UnprocessedItems"]

    def get(self, number: int) -> Any:
        reply = self._send("GetItem", {"TableName": self.name, "Key": self.shape.key(number)})
        return self._load(reply["Item"])

    def put(self, song: Any) -> None:
        self._send("PutItem", {"TableName": self.name, "Item": self._dump(song)})

    def update(self, song: Any) -> Any:
        request = {
            "TableName": self.name,
            "Key": {"artist": {"S": song.artist}, "title": {"S": song.title}},
            "UpdateExpression": "SET plays = :plays, genre = :genre",
            "ExpressionAttributeValues": {
                ":plays": {"N": str(CHANGED["plays"])}, ":genre": {"S": CHANGED["genre"]}
            },
            "ReturnValues": "ALL_NEW",
        }  # fmt: skip
        return self._load(self._send("UpdateItem", request)["Attributes"])


class _Sender:
    def __init__(self, endpoint: str) -> None:
        self._url = endpoint + "/"
        self._host = urlsplit(endpoint).netloc
        self._pool = urllib3.PoolManager()
        self._day = ""
        self._key = b""

    def send(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        body = orjson.dumps(request)
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        target = f"DynamoDB_20120810.{operation}"
        if stamp[:8] != self._day:
            self._day = stamp[:8]
            self._key = f"AWS4{SECRET_KEY}".encode()
            for part in (self._day, REGION, "dynamodb", "aws4_request"):
                self._key = hmac.digest(self._key, part.encode(), "sha256")
        canonical = (
            f"POST\n/\n\ncontent-type:application/x-amz-json-1.0\nhost:{self._host}\n"
            f"x-amz-date:{stamp}\nx-amz-target:{target}\n\ncontent-type;host;x-amz-date;x-amz-target\n"
            f"{hashlib.sha256(body).hexdigest()}"
        )
        scope = f"{self._day}/{REGION}/dynamodb/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
        signature = hmac.digest(self._key, text.encode(), "sha256").hex()
        headers = {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-date": stamp,
            "x-amz-target": target,
            "authorization": (
                f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope}, "
                f"SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature={signature}"
            ),
        }
        reply = self._pool.request("POST", self._url, body=body, headers=headers)
        if reply.status != 200:
            raise RuntimeError(reply.data)
        found: dict[str, Any] = orjson.loads(reply.data)
        return found


# --- What would be written for the class ------------------------------------------------------------


def _written(cls: type[Any], shape: Shape) -> tuple[Any, Any]:
    """The functions from attribute map to object and back."""
    names: dict[str, Any] = {"Song": cls}
    arguments = ", ".join(
        f"{each.name}={_reading(each, f'item[{each.name!r}]', cls, names)}" for each in shape.fields
    )
    written = {each.name: attribute_map(each, f"song.{each.name}", ".{}") for each in shape.fields}
    written |= {name: f"{{'S': {code}}}" for name, code in templates(shape, "song.{}").items()}
    entries = ", ".join(f"{name!r}: {code}" for name, code in written.items())
    source = f"def load(item): return Song({arguments})\ndef dump(song): return {{{entries}}}"
    exec(source, names)  # the source is made here, of names that are known
    return names["load"], names["dump"]


def _reading(field: Field, code: str, owner: Any, names: dict[str, Any]) -> str:
    if field.kind == "int":
        return f"int({code}['N'])"
    if field.kind == "float":
        return f"float({code}['N'])"
    if field.kind == "bool":
        return f"{code}['BOOL']"
    if field.kind == "set":
        return f"set({code}['SS'])"
    if field.kind in ("ints", "floats"):
        return f"[{field.kind[:-1]}(each['N']) for each in {code}['L']]"
    if field.kind not in ("map", "list"):
        return f"{code}['S']"
    part = owner.__annotations__[field.name]
    part = part.__args__[0] if field.kind == "list" else part
    names[part.__name__] = part
    inner = "each" if field.kind == "list" else code
    arguments = ", ".join(
        f"{each.name}={_reading(each, f'{inner}[{chr(34)}M{chr(34)}][{each.name!r}]', part, names)}"
        for each in field.parts
    )
    made_of = f"{part.__name__}({arguments})"
    return f"[{made_of} for each in {code}['L']]" if field.kind == "list" else made_of
