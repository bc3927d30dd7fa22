"""What each faster way of the wire and of batches is worth: beside the ordinary way that it stands for.

    uv run python -m benchmarks.second_ways              # all of it, about a minute
    uv run python -m benchmarks.second_ways --rounds 31

Starts are fresh processes that take turns; what is counted is their own CPU while they make a session.
The others take turns in one process, whose CPU is counted: calls to the canned server of these
benchmarks, one request, one signature, one reply of 100 items. Both ways of a pair give the same, which
is checked.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import functools
import json
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any
from zlib import crc32

import attrs
import boto3
from aiobotocore.session import get_session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from botocore.parsers import ResponseParserFactory

from benchmarks import canned
from benchmarks.contest import ENVIRONMENT
from dynattrs import Session, field, mapper, model, partition_key, sort_key
from dynattrs.expressions.conditions import condition
from dynattrs.keys import known_plans, planner
from dynattrs.keys.plans import Wanted
from dynattrs.mapper import json_text, json_values, packed, scalars
from dynattrs.mapper.anything import plain_json
from dynattrs.mapper.carried import NOTHING_CARRIED, carried_by
from dynattrs.mapper.number_lists import number_lists
from dynattrs.mapper.stored_json import few_ints
from dynattrs.operations import item_keys
from dynattrs.operations.context import Core
from dynattrs.operations.writing import batch
from dynattrs.operations.writing.buffer import Buffer
from dynattrs.operations.writing.encoding import by_codecs, encode
from dynattrs.operations.writing.packed import packed_write, take_packed
from dynattrs.schema.model_info import UNKNOWN_ATTRIBUTE, model_info
from dynattrs.session.session import Batch
from dynattrs.wire.exchange import read
from dynattrs.wire.fast_requests import Pattern, Request, Signer
from dynattrs.wire.http_connections import Connections

TABLE = "flat-11.1000.1000"

_START = """
import time
import botocore.session, botocore.loaders
import dynattrs
from dynattrs.wire import boto_client
{}
began = time.process_time()
dynattrs.Session(region_name="us-east-1", endpoint_url="http://127.0.0.1:9")
print(time.process_time() - began)
"""

#: What is taken away, each alone.
_WITHOUT = {
    "as it is": "",
    "with all of botocore's handlers": "boto_client._concerns = lambda event: True",
    "with botocore's reader of JSON": """
from collections import OrderedDict
import json
boto_client.description = lambda path, text: json.loads(text, object_pairs_hook=OrderedDict)
""",
    "with a look into each service's folder": """
boto_client._folders_in = lambda paths: botocore.loaders.Loader().list_available_services("service-2")
""",
    "with a session of botocore's": "boto_client.own_session = lambda p: botocore.session.Session(profile=p)",
    "with boto3, which is imported": """
def imported(*_, **options):
    import boto3
    return boto3.client("dynamodb", **options)
import dynattrs.session.session as home
home.make_client = imported
""",
}

_IMPORT = """
import time
began = time.process_time()
{}
print(time.process_time() - began)
"""
_IMPORTS = {
    "import dynattrs": _IMPORT.format("import dynattrs"),
    "with every public name": _IMPORT.format("from dynattrs import *"),
    # What `late_classes` puts off: attrs is imported either way.
    "with classes that attrs finishes at once": _IMPORT.format("""
import attrs, sys, types
late = types.ModuleType("dynattrs.late_classes")
late.define, late.frozen, late.field = attrs.define, attrs.frozen, attrs.field
sys.modules[late.__name__] = late
import dynattrs
"""),
}


@model(TABLE)
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    genre: str
    plays: int
    seconds: float
    year: int
    live: bool
    album: str
    label: str
    tags: set[str]
    note: str | None = None


@attrs.define
class Part:
    name: str
    count: int
    ratio: float
    note: str | None = None


@model("counted")
class Counted(Song):
    version: int = field(version=True, default=0)


_KEY = ("Nina Simone", "Title 0000007")


def starts(title: str, programs: dict[str, str], rounds: int) -> None:
    """Run programs that print what they took, in fresh processes that take turns."""
    taken: dict[str, list[float]] = {name: [] for name in programs}
    for number in range(rounds):
        names = list(programs)
        for name in names if number % 2 else reversed(names):
            done = subprocess.run(
                [sys.executable, "-c", programs[name]],
                check=True, capture_output=True, env=ENVIRONMENT,
            )  # fmt: skip
            taken[name].append(float(done.stdout))
    _report(title, taken, 1e3)


def in_turns(
    title: str, ways: dict[str, Callable[[], object]], rounds: int, *, times: int = 200
) -> None:
    first, *others = [way() for way in ways.values()]
    assert all(other == first for other in others), title
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            began = time.process_time()
            for _ in range(times):
                way()
            taken[name].append((time.process_time() - began) / times)
    _report(f"{title}, µs", taken, 1e6)


def _report(title: str, taken: dict[str, list[float]], scale: float) -> None:
    print(title)
    for name, values in taken.items():
        ordered = sorted(value * scale for value in values)
        low, high = ordered[len(ordered) // 4], ordered[3 * len(ordered) // 4]
        print(f"    {name:40} {median(ordered):8.1f}   (half of them {low:.1f} to {high:.1f})")


def calls(rounds: int) -> None:
    with canned.running() as address:
        client = boto3.client(
            "dynamodb", endpoint_url=address, region_name=canned.REGION,
            aws_access_key_id=canned.ACCESS_KEY, aws_secret_access_key=canned.SECRET_KEY,
        )  # fmt: skip
        fast, ordinary = Session(client=client), Session(client=client, fast=False)
        for session in (fast, ordinary):
            session.get(Song, _KEY)
        assert fast.get(Song, _KEY) is not None
        in_turns(
            "a get",
            {
                "botocore's way (fast=False)": lambda: ordinary.get(Song, _KEY),
                "the fast way": lambda: fast.get(Song, _KEY),
            },
            rounds,
        )
        assert fast.stats.direct >= fast.stats.requests["GetItem"] - 2
        client.close()


def calls_awaited(rounds: int) -> None:
    from dynattrs.aio import AsyncSession

    loop = asyncio.new_event_loop()
    with canned.running() as address:
        session = get_session()
        session.set_credentials(canned.ACCESS_KEY, canned.SECRET_KEY)
        fast, by_aiohttp, ordinary = (
            AsyncSession(
                aiobotocore_session=session,
                endpoint_url=address,
                region_name=canned.REGION,
                fast=way,
            )
            for way in (True, True, False)
        )

        def get(of: AsyncSession) -> object:
            return loop.run_until_complete(of.get(Song, _KEY))

        for each in (fast, by_aiohttp, ordinary):
            get(each)
        by_aiohttp._driver.wire.opened.ways._fast._connections = None  # type: ignore[union-attr]
        in_turns(
            "an awaited get",
            {
                "aiobotocore's way (fast=False)": lambda: get(ordinary),
                "the fast way, sent by aiohttp": lambda: get(by_aiohttp),
                "the fast way": lambda: get(fast),
            },
            rounds,
        )
        for each in (fast, by_aiohttp, ordinary):
            loop.run_until_complete(each.close())
    loop.close()


def connections(rounds: int) -> None:
    """The sending of a request that is made, and the reading of its reply."""
    with canned.running() as address:
        client: Any = boto3.client(
            "dynamodb", endpoint_url=address, region_name=canned.REGION,
            aws_access_key_id=canned.ACCESS_KEY, aws_secret_access_key=canned.SECRET_KEY,
        )  # fmt: skip
        sent: list[Any] = []
        client.meta.events.register(
            "before-send.dynamodb", lambda request, **_: sent.append(request)
        )
        client.get_item(TableName=TABLE, Key={"artist": {"S": _KEY[0]}, "title": {"S": _KEY[1]}})
        (request,) = sent
        headers = {
            name: value if isinstance(value, str) else value.decode()
            for name, value in request.headers.items()
        }
        own = ("X-Amz-Date", "Authorization", "amz-sdk-invocation-id", "Content-Length")
        pattern: Any = Pattern(
            request.url,
            {name: value for name, value in headers.items() if name not in own},
            None,  # type: ignore[arg-type]
        )
        made = Request(pattern, *(headers[name] for name in own[:3]), request.body, {})
        pool = client._endpoint.http_session._manager.connection_from_url(request.url)
        idle = Connections(client._endpoint).idle

        def by_urllib3() -> bytes:
            answer = pool.urlopen("POST", "/", request.body, headers, retries=False)
            return bytes(answer.data)

        def by_dynattrs() -> bytes:
            connection = idle(request.url)
            assert connection is not None
            connection.send(made)
            return connection.receive().body

        in_turns(
            "a request over an idle connection",
            {"urllib3's": by_urllib3, "dynattrs'": by_dynattrs},
            rounds,
        )
        client.close()


def signatures(rounds: int) -> None:
    url, body = "https://dynamodb.us-east-1.amazonaws.com/", json.dumps({"Key": "x" * 200}).encode()
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": "DynamoDB_20120810.GetItem",
    }
    credentials = ReadOnlyCredentials("access", "secret", None)
    signer = Signer(url, headers, region="us-east-1", service="dynamodb", method="POST")
    stamp = dt.datetime.now(dt.timezone.utc).strftime("%Y%m%dT%H%M%SZ")

    def of_botocore() -> str:
        request = AWSRequest("POST", url, dict(headers), body)
        request.context["timestamp"] = stamp
        auth = SigV4Auth(credentials, "dynamodb", "us-east-1")
        request.headers["X-Amz-Date"] = stamp
        canonical = auth.canonical_request(request)
        text = auth.string_to_sign(request, canonical)
        scope, names = auth.scope(request), auth.signed_headers(auth.headers_to_sign(request))
        signature = auth.signature(text, request)
        return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={names}, Signature={signature}"

    in_turns(
        "a signature",
        {
            "botocore's": of_botocore,
            "dynattrs'": lambda: signer.authorization(body, credentials, stamp),
        },
        rounds,
    )


def keys(rounds: int) -> None:
    info, simple = model_info(Song), item_keys._simple_key

    def generally() -> Any:
        item_keys._simple_key = lambda info, key: None
        try:
            return item_keys.key_of(info, _KEY)
        finally:
            item_keys._simple_key = simple

    in_turns(
        "a key of two texts",
        {"the general way": generally, "as a simple key": lambda: item_keys.key_of(info, _KEY)},
        rounds,
    )


def replies(rounds: int) -> None:
    client = boto3.client("dynamodb", region_name="us-east-1")
    shape = client.meta.service_model.operation_model("Query").output_shape
    item = {f"a{n}": {"S": "a text of some length"} for n in range(10)}
    body = json.dumps({"Items": [item] * 100, "Count": 100}).encode()
    headers = {"x-amz-crc32": str(crc32(body)), "x-amzn-requestid": "id"}
    parser = ResponseParserFactory().create_parser("json")

    def of_botocore() -> Any:
        response = {"status_code": 200, "headers": headers, "body": body}
        return parser.parse(response, shape)["Items"]

    in_turns(
        "a reply of 100 items",
        {"botocore's": of_botocore, "dynattrs'": lambda: read("Query", headers, body)["Items"]},
        rounds,
        times=20,
    )


def writes(rounds: int) -> None:
    songs = [
        Song(
            "Nina Simone",
            f"Title {n:07}",
            "jazz",
            n,
            193.25,
            1965,
            True,
            "Pastel Blues",
            "Philips",
            {"a"},
        )
        for n in range(24)
    ]
    with canned.running() as address:
        session = Session(
            endpoint_url=address, region_name=canned.REGION,
            boto3_session=boto3.Session(canned.ACCESS_KEY, canned.SECRET_KEY),
        )  # fmt: skip
        core, info = session._core, model_info(Song)
        in_turns(
            "the writes of 24 objects of 11 attributes",
            {
                "by way of the attribute map": lambda: [
                    batch.put_write(core, by_codecs(core, info, song)).identity for song in songs
                ],
                "JSON at once": lambda: [
                    write.identity for song in songs if (write := packed_write(core, song))
                ],
            },
            rounds,
        )
        in_turns(
            "the same, put into a buffer",
            {
                "one by one": lambda: one_by_one(core, songs),
                "together": lambda: len(together(core, songs)),
            },
            rounds,
        )
        few, many = [*range(7, 12)], number_lists(scalars.PLAIN[int])
        assert many is not None
        in_turns(
            "the JSON of five ints",
            {
                "as of any list of numbers": lambda: b'{"L":%b}' % many.payload(few),
                "as of few": lambda: few_ints(few),
            },
            rounds,
        )
        counted = [Counted(**attrs.asdict(song, recurse=False)) for song in songs]
        info = model_info(Counted)
        in_turns(
            "24 objects with a version, encoded",
            {
                "by way of the attribute map": lambda: [
                    by_codecs(core, info, each).moves for each in counted
                ],
                "JSON at once": lambda: [encode(core, each).moves for each in counted],
            },
            rounds,
        )
        in_turns(
            "what 24 objects carry, which is nothing",
            {
                "by their slot": lambda: [
                    getattr(song, UNKNOWN_ATTRIBUTE, NOTHING_CARRIED) for song in songs
                ],
                "by their class": lambda: [carried_by(song) for song in songs],
            },
            rounds,
        )
        with session.batch() as gathering:
            in_turns(
                "24 saves in a batch, which send nothing yet",
                {
                    "by the verb's flow": lambda: [
                        super(Batch, gathering).save(song).title for song in songs
                    ],
                    "without a flow": lambda: [gathering.save(song).title for song in songs],
                },
                rounds,
            )
            gathering.discard()
        session.close()


def one_by_one(core: Core, songs: list[Song]) -> int:
    buffer = Buffer()
    for song in songs:
        write = packed_write(core, song)
        assert write is not None
        buffer.add(write)
    return len(buffer)


def together(core: Core, songs: list[Song]) -> Buffer:
    buffer = Buffer()
    take_packed(core, buffer, iter(songs), at_once=True)
    return buffer


def plans(rounds: int) -> None:
    asked = Wanted(model_info(Song), (condition(Song.artist == "Nina Simone"),))
    ways = {"by the planner": planner.plan, "as planned before": known_plans.plan}
    in_turns(
        "the plan of a query for a partition",
        {name: functools.partial(way, asked) for name, way in ways.items()},
        rounds,
    )


def json_attributes(rounds: int) -> None:
    rows = [{"x": n, "y": n / 7, "ok": True, "s": f"text {n}"} for n in range(20)]
    stored = {"S": json.dumps({"user": {"id": 17, "tags": ["a", "b"]}, "rows": rows})}
    inner = mapper.default.in_json.codec(Any)
    at_once = packed.json_codec(Any, inner).load
    in_turns(
        "the reading of a JSON attribute of 1 KB",
        {
            "by way of the attribute value": lambda: inner.load(
                json_values.parse(stored["S"], inner)
            ),
            "JSON at once": lambda: at_once(stored),
        },
        rounds,
        times=20,
    )
    several = mapper.default.in_json.codec(list[Part])
    parts = [Part(f"part {number}", number, number / 4) for number in range(20)]
    for what, codec, value in (
        ("a JSON attribute of 1 KB", inner, inner.load(json_values.parse(stored["S"], inner))),
        ("a JSON attribute of 20 objects", several, parts),
    ):
        write = json_text.writer(codec)
        in_turns(
            f"the writing of {what}",
            {
                "by way of the attribute value": functools.partial(by_value, codec, value),
                "text at once": functools.partial(write, value),
            },
            rounds,
            times=20,
        )


def by_value(codec: Any, value: Any) -> str:
    return plain_json(codec.dump(value))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=15)
    given = arguments.parse_args()
    starts("importing, ms", _IMPORTS, given.rounds)
    sessions = {name: _START.format(without) for name, without in _WITHOUT.items()}
    starts("making a session, ms", sessions, given.rounds)
    calls(given.rounds)
    calls_awaited(given.rounds)
    connections(given.rounds)
    signatures(given.rounds)
    keys(given.rounds)
    replies(given.rounds)
    writes(given.rounds)
    plans(given.rounds)
    json_attributes(given.rounds)
