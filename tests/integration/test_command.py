"""The command `dynattrs`, as a shell runs it: in a pipe, in a terminal, and each part on each engine."""

from __future__ import annotations

import csv
import importlib
import io
import json
import signal
import subprocess
import sys
import textwrap
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import boto3
import pytest

from dynattrs import Replicas, Session, Table, __version__
from dynattrs.tools import guide, workbench

pytest.importorskip("click", reason="pip install 'dynattrs[cli]'")
pytest.importorskip("rich", reason="pip install 'dynattrs[cli]'")

from dynattrs.tools.command import main
from dynattrs.tools.command.options import is_local
from dynattrs.tools.command.policies import policy
from terminals import COMMAND, INTERRUPTION, in_terminal

pytestmark = pytest.mark.threads_only(reason="the command has a session of its own")

SHOP = """
from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import Enum

import attrs

from dynattrs import GlobalIndex, Table, field, model, partition_key, sort_key


class Genre(Enum):
    JAZZ = "jazz"
    SOUL = "soul"


@model("music", indexes=[GlobalIndex("by-genre", partition_key="genre", sort_key="year")])
class Song:
    artist: str = partition_key()
    title: str = sort_key(name="Title")
    genre: Genre
    year: int
    price: Decimal = Decimal(0)
    out: date | None = None
    tags: set[str] = attrs.field(factory=set)
    cover: bytes | None = None


app = Table("app", partition_key="pk", sort_key="sk", ttl="expires")


@model(app, pk="USER#{user_id}", sk="PROFILE")
class User:
    user_id: str = field(key_only=True)
    name: str


@model(app, pk="USER#{user_id}", sk="ORDER#{number:06d}")
class Order:
    user_id: str = field(key_only=True)
    number: int
"""


@attrs.frozen
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A program in the current directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "shop.py").write_text(SHOP)
    yield tmp_path
    for name in ("shop", "other", "broken", "newer"):
        sys.modules.pop(name, None)


@pytest.fixture
def environment(endpoint: Any, table_prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that the command finds by itself."""
    credentials = endpoint.credentials
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", endpoint.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", credentials.get("aws_access_key_id", "testing"))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", credentials.get("aws_secret_access_key", "testing"))
    monkeypatch.setenv("AWS_DEFAULT_REGION", credentials["region_name"])
    monkeypatch.setenv("DYNATTRS_TABLE_PREFIX", table_prefix)


@pytest.fixture
def run(
    folder: Path, environment: None, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Runs the command in this process."""

    def run(*arguments: str) -> Outcome:
        capsys.readouterr()
        code = main(arguments)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Any]:
    with Session(client=client, table_prefix=table_prefix) as session:
        yield session


@pytest.fixture
def songs(run: Callable[..., Outcome], session: Any) -> Any:
    """Some songs, and the module of their model."""
    assert run("create", "shop").code == 0
    shop = importlib.import_module("shop")
    session.save_all(
        [
            shop.Song("Nina Simone", "Sinnerman", shop.Genre.SOUL, 1965, tags={"live", "long"}),
            shop.Song("Nina Simone", "Feeling [red]Good", shop.Genre.SOUL, 1966, cover=b"\xff"),
            shop.Song("Miles Davis", "So\nWhat", shop.Genre.JAZZ, 1959),
            shop.User("42", "Ada"),
            shop.Order("42", 7),
        ]
    )
    return shop


# --- Tables ---------------------------------------------------------------------------------------


@pytest.mark.smoke
def test_tables_are_created_compared_and_changed(run: Callable[..., Outcome], folder: Path):
    assert run("diff", "shop").code == 1
    planned = run("create", "shop", "--dry-run", "-f", "json")
    assert planned.code == 1
    assert [each["difference"] for each in planned.json] == ["it does not exist"] * 2
    assert run("diff", "shop:app").code == 1

    created = run("create", "shop")
    assert (created.code, run("create", "shop").code, run("diff", "shop").code) == (0, 0, 0)
    assert run("diff", "shop", "-f", "json").out == "[]\n"

    changed = SHOP.replace('"by-genre", partition_key="genre"', '"by-year", partition_key="genre"')
    (folder / "newer.py").write_text(changed)
    differs = run("diff", "newer:Song", "-f", "csv")
    assert differs.code == 1
    assert [row["note"] for row in csv.DictReader(io.StringIO(differs.out))] == ["", "destructive"]
    refused = run("create", "newer")
    assert (refused.code, "See `update`" in refused.err) == (1, True)
    refused = run("update", "newer")
    assert (refused.code, "--destructive" in refused.err) == (1, True)
    unsaid = run("update", "newer", "--only", "ttl")
    assert (unsaid.code, "the Table does not declare it" in unsaid.err) == (2, True)
    assert run("diff", "newer:app", "--only", "ttl").code == 0
    assert run("diff", "newer:Song", "--only", "indexes").code == 1
    assert run("diff", "newer").code == 1
    assert run("update", "newer", "--destructive").code == 0
    assert run("diff", "newer").code == 0


def test_tables_are_described(run: Callable[..., Outcome], table_prefix: str):
    assert run("describe").code == 1
    run("create", "shop")

    described = run("describe", "-f", "json").json
    assert {each["TableName"] for each in described} == {
        f"{table_prefix}music", f"{table_prefix}app"
    }  # fmt: skip
    listed = [*csv.DictReader(io.StringIO(run("describe", "-f", "csv").out))]
    assert [row["indexes"] for row in listed] == ["", "by-genre"]
    named = run("describe", "music")
    assert "by-genre" in named.out
    assert "genre S, year N (sort)" in named.out
    [row] = csv.DictReader(io.StringIO(run("describe", "shop:app", "-f", "csv").out))
    assert row["ttl"] == "expires"
    missing = run("describe", "nothing")
    assert missing.code == 3
    assert missing.err.count("\n") == 1
    assert "does not exist" in missing.err


# --- Items ----------------------------------------------------------------------------------------


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("subject", "arguments", "found"),
    [
        ("shop:Song", ['artist == "Nina Simone"'], ["Feeling [red]Good", "Sinnerman"]),
        ("shop:Song", ['artist == "Nina Simone"', "--reverse"], ["Sinnerman", "Feeling [red]Good"]),
        ("shop:Song", ['artist == "Nina Simone" and title.startswith("S")'], ["Sinnerman"]),
        ("shop:Song", ['artist == "Nina Simone"', 'title > "G"'], ["Sinnerman"]),
        ("shop:Song", ['genre == "soul" and 1965 < year < 1970'], ["Feeling [red]Good"]),
        ("shop:Song", ['"live" in tags', "--scan"], ["Sinnerman"]),
        ("shop:Song", ["--scan", "--filter", 'artist == "Miles Davis"'], ["So\nWhat"]),
        ("shop:Song", ['artist == "Nina Simone" and year > 0', "--all", "--consistent"],
         ["Feeling [red]Good", "Sinnerman"]),
        ("shop:Song", ['artist == "Nina Simone"', "--limit", "1"], ["Feeling [red]Good"]),
        ("shop:Song", ['genre == "jazz"', "--index", "by-genre"], ["So\nWhat"]),
        ("shop:Song", ['artist == "Nemo"'], []),
        ("shop:Song", ['artist in ["Miles Davis", "Nina Simone"]', "--merged"],
         ["Feeling [red]Good", "Sinnerman", "So\nWhat"]),
        ("shop:Song", [f"artist in {[*'abcdefghijklmnopqrstuvwxyz', 'Miles Davis']}", "--fan-out", "27"],
         ["So\nWhat"]),
    ],
    ids=str,
)  # fmt: skip
def test_items_are_found_by_conditions(
    run: Callable[..., Outcome], songs: Any, subject: str, arguments: list[str], found: list[str]
):
    outcome = run("query", subject, *arguments, "-f", "json")

    assert [each["title"] for each in outcome.json] == found
    assert outcome.code == (0 if found else 1)


def test_formats_have_all_values(run: Callable[..., Outcome], songs: Any):
    asked = ["query", "shop:Song", 'artist == "Nina Simone"']

    first, second = run(*asked, "-f", "json").json
    assert first["cover"] == "/w=="
    assert second["tags"] == ["live", "long"]
    assert (second["year"], second["out"]) == (1965, None)
    [item, _] = run(*asked, "-f", "dynamodb-json").json
    assert (item["Title"], item["cover"]) == ({"S": "Feeling [red]Good"}, {"B": "/w=="})
    assert "out" not in item
    rows = [*csv.DictReader(io.StringIO(run(*asked, "-f", "csv").out))]
    assert [row["tags"] for row in rows] == ["[]", '["live", "long"]']
    table = run("query", "shop:Song", "--scan")
    assert "Feeling [red]Good" in table.out
    assert "So\\nWhat" in table.out


def test_dynamodb_json_is_what_is_stored(
    run: Callable[..., Outcome], songs: Any, client: Any, table_prefix: str
):
    """Older forms of values, and what no model can read, as they are."""
    old = {
        "artist": {"S": "Old"}, "Title": {"S": "a"}, "genre": {"S": "soul"}, "year": {"N": "1"},
        "out": {"NULL": True}, "other": {"L": [{"B": b"\xff"}]},
    }  # fmt: skip
    unreadable = {"artist": {"S": "Old"}, "Title": {"S": "b"}, "genre": {"S": "noise"}}
    for item in (old, unreadable):
        client.put_item(TableName=f"{table_prefix}music", Item=item)
    printed = [{**old, "other": {"L": [{"B": "/w=="}]}}, unreadable]
    order = {"pk": {"S": "USER#42"}, "sk": {"S": "ORDER#000009"}}
    client.put_item(TableName=f"{table_prefix}app", Item=order)
    foreign = {"pk": {"S": "USER#42"}, "sk": {"S": "NOTE"}}
    client.put_item(TableName=f"{table_prefix}app", Item=foreign)

    asked = ["query", "shop:Song", 'artist == "Old"']
    assert run(*asked).code == 3
    for more in ([], ["--all"]):
        found = run(*asked, "-f", "dynamodb-json", *more)
        assert (found.code, found.json) == (0, printed)
    for item in printed:
        found = run("get", "shop:Song", "Old", item["Title"]["S"], "-f", "dynamodb-json")
        assert (found.code, found.json) == (0, [item])
    found = run("get", "shop:Song", "Old", "c", "-f", "dynamodb-json")
    assert (found.code, found.out) == (1, "")
    of_orders = run("query", "shop:Order", 'user_id == "42"', "-f", "dynamodb-json").json
    assert [each["sk"]["S"] for each in of_orders] == ["ORDER#000007", "ORDER#000009"]
    several = run("query", "shop:app", "--scan", "-f", "dynamodb-json")
    assert sorted(each["sk"]["S"] for each in several.json) == [
        "ORDER#000007", "ORDER#000009", "PROFILE",
    ]  # fmt: skip
    assert (several.code, several.err.startswith("left out: ")) == (3, True)


def test_items_of_several_models_say_which_they_are(run: Callable[..., Outcome], songs: Any):
    found = run("query", "shop:app", 'user_id == "42"', "-f", "json").json

    assert found == [
        {"@model": "Order", "user_id": "42", "number": 7},
        {"@model": "User", "user_id": "42", "name": "Ada"},
    ]


def test_a_query_goes_on_where_another_has_ended(run: Callable[..., Outcome], songs: Any):
    asked = ["query", "shop:Song", 'artist == "Nina Simone"', "--limit", "1", "-f", "json"]
    first = run(*asked)
    cursor = first.err.split()[-1]
    second = run(*asked, "--after", cursor)

    assert [each["title"] for each in first.json + second.json] == [
        "Feeling [red]Good",
        "Sinnerman",
    ]
    damaged = run(*asked, "--after", "x")
    assert (damaged.code, damaged.out) == (2, "")


def test_values_at_paths_are_selected(run: Callable[..., Outcome], songs: Any):
    found = run(
        "query", "shop:Song", 'artist == "Nina Simone"', "--select", "title, tags", "--select", "out",
        "-f", "json",
    ).json  # fmt: skip

    assert found[1] == {"title": "Sinnerman", "tags": ["live", "long"], "out": None}


def test_whole_items_are_fetched_behind_an_index(
    run: Callable[..., Outcome], folder: Path, client: Any, table_prefix: str
):
    (folder / "newer.py").write_text(PART)
    run("create", "newer")
    item = {name: {"N": "1"} for name in ("id", "b", "c", "d")}
    client.put_item(TableName=f"{table_prefix}part", Item=item)

    [found] = run("query", "newer:Part", "c == 1", "--hydrate", "-f", "json").json
    [keys] = run("query", "newer:Part", "c == 1", "--select", "id", "-f", "json").json

    assert (found["d"], keys) == (1, {"id": 1})


def test_items_whose_time_is_over_are_left_out(run: Callable[..., Outcome], folder: Path):
    (folder / "newer.py").write_text(
        "from datetime import datetime\n"
        "from dynattrs import field, model, partition_key\n"
        '@model("notes")\n'
        "class Note:\n"
        "    id: int = partition_key()\n"
        "    expires: datetime | None = field(default=None, ttl=True)\n"
    )
    explained = run("query", "newer:Note", "--scan", "--unexpired", "--explain").out

    assert "filter: " in explained
    assert "filter: none" not in explained


def test_items_are_counted(run: Callable[..., Outcome], songs: Any):
    assert run("query", "shop:Song", "--scan", "--count").out == "3\n"
    nothing = run("query", "shop:Song", 'artist == "x"', "--count")
    assert (nothing.out, nothing.code) == ("0\n", 1)


def test_a_binary_key_is_given_as_it_is_printed(run: Callable[..., Outcome], folder: Path):
    (folder / "newer.py").write_text(
        "from dynattrs import model, partition_key\n"
        '@model("bin")\n'
        "class Bin:\n"
        "    id: bytes = partition_key()\n"
    )

    explained = run("get", "newer:Bin", "/wA=", "--explain")

    assert (explained.code, "{'B': b'\\xff\\x00'}" in explained.out) == (0, True)


def test_what_a_module_prints_is_no_output(run: Callable[..., Outcome], folder: Path):
    (folder / "newer.py").write_text(
        f"print('loaded'){SHOP.replace('from __future__ import annotations', '')}"
    )

    outcome = run("iam", "newer", "--read-only")

    assert (outcome.code, outcome.err) == (0, "loaded\n")
    assert outcome.json["Statement"]


@pytest.mark.smoke
def test_an_item_is_found_by_its_key(run: Callable[..., Outcome], songs: Any):
    by_parts = run("get", "shop:Song", "Nina Simone", "Sinnerman", "-f", "json")
    where = 'title == "Sinnerman" and artist == "Nina Simone"'
    by_condition = run("get", "shop:Song", "--where", where, "-f", "json", "--consistent")

    assert by_parts.json == by_condition.json
    assert by_parts.json[0]["year"] == 1965
    assert run("get", "shop:Order", "42", "7", "-f", "json").json == [
        {"user_id": "42", "number": 7}
    ]
    missing = run("get", "shop:Order", "42", "8")
    assert (missing.code, missing.out) == (1, "")
    for wrong in (["42"], ["42", "7", "8"], ["42", "seven"], ["42", "--where", "number == 7"]):
        assert run("get", "shop:Order", *wrong).code in (2, 3)


def test_what_would_be_asked_is_explained(run: Callable[..., Outcome]):
    """The table need not be there."""
    explained = run("query", "shop:Song", 'genre == "soul"', "--explain")
    assert explained.code == 0
    assert "index: by-genre" in explained.out
    got = run("get", "shop:Order", "42", "7", "--explain")
    assert "'sk': {'S': 'ORDER#000007'}" in got.out


PART = """
from typing import Generic, TypeVar

from dynattrs import GlobalIndex, model, partition_key

B = GlobalIndex("by-b", partition_key="b", sort_key="s")
C = GlobalIndex("by-c", partition_key="c", projection="keys")


@model("part", indexes=[B, C])
class Part:
    id: int = partition_key()
    b: int
    c: int
    d: int
    s: int | None = None


V = TypeVar("V")


@model("box")
class Box(Generic[V]):
    id: str = partition_key()
    value: V


Ints = Box[int]
"""
WRONG: dict[str, tuple[list[str], int, str]] = {
    "no field": (["query", "shop:Song", "artis == 1"], 2, "did you mean 'artist'"),
    "constants": (["query", "shop:Song", "1 == 1"], 2, "both constants"),
    "no key": (["query", "shop:Song", "year == 1965"], 2, "--scan"),
    "no module": (["query", "nothing:Song", "x"], 2, "module 'nothing' was found neither"),
    "no name": (["diff", "shop:Sing"], 2, "shop has no 'Sing'; there are Song, app, User, Order"),
    "no model": (["diff", "shop:Genre"], 2, "neither a model nor a Table"),
    "a model with arguments": (["diff", "newer:Ints"], 2, "a Box with arguments; name the model itself"),
    "nothing declared": (["diff", "json"], 2, "declares no model and no Table"),
    "a broken module": (["diff", "broken"], 2, "broken cannot be imported: ZeroDivisionError"),
    "a module that ends": (["diff", "ending:app"], 2, "it calls sys.exit(0) when it is imported"),
    "a file that is not a module": (["diff", "my-music.py:Song"], 2, "call the file my_music.py"),
    "no amount": (["cost", "shop:app", "--read-price", "nan"], 2, "nan is not an amount"),
    "another amount": (["cost", "shop:app", "--scan", "--reads", "5"], 2, "with --times"),
    "no file": (["diff", "nothing.py:app"], 2, "file 'nothing.py' does not exist"),
    "several tables": (["query", "shop", "x == 1"], 2, "models of several tables"),
    "several models": (["migrate", "shop:app"], 2, "name one of them"),
    "nothing to migrate": (["migrate", "shop:Song"], 3, "does not exist"),
    "no table": (["get", "shop:Song", "a", "b"], 3, "tables (here: dynattrs create)"),
    "no command": (["quer"], 2, "No such command 'quer'"),
    "no option": (["query", "shop:Song", "--nothing"], 2, "No such option '--nothing'"),
    "no profile": (["diff", "shop", "--profile", "elsewhere"], 2, "elsewhere"),
    "no server": (
        ["diff", "shop", "--endpoint-url", "http://127.0.0.1:9"], 3, "Could not connect"
    ),
    "nothing to generate": (["generate"], 2, "name a FILE"),
    "no table to generate": (["generate", "--table", "nothing"], 3, "does not exist"),
    "a sparse index": (["query", "newer:Part", "b == 1"], 2, "(here: --index)"),
    "a partial index": (["query", "newer:Part", "c == 1"], 2, "(here: --select or --hydrate)"),
    "no index": (["query", "shop:Song", 'artist == "x"', "--index", "other"], 2, "other"),
    "several requests": (
        ["query", "shop:Song", "artist in ('a', 'b')", "--fan-out", "1"], 2,
        "allow more with where(..., fan_out=2) (here: --fan-out)",
    ),
    "a consistent index": (
        ["query", "shop:Song", "genre == 'jazz'", "--consistent"], 2, "(here: --consistent)"
    ),
    "a file of no format": (
        ["import", "shop:Song", "notes.txt"], 3, 'say format="jsonl", … (here: --format)'
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_an_error_is_one_line_and_an_exit_code(
    run: Callable[..., Outcome], folder: Path, monkeypatch: pytest.MonkeyPatch, case: str
):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    (folder / "broken.py").write_text("1 / 0")
    (folder / "my-music.py").write_text(SHOP)
    (folder / "ending.py").write_text("import sys\nsys.exit(0)")
    (folder / "newer.py").write_text(PART)
    (folder / "notes.txt").write_text("")
    arguments, code, message = WRONG[case]

    outcome = run(*arguments)

    assert (outcome.code, outcome.out) == (code, "")
    assert message in outcome.err
    assert outcome.err.startswith("dynattrs")
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("place", ["before", "after"])
def test_the_traceback_is_shown_on_demand(run: Callable[..., Outcome], place: str):
    command = ["query", "shop:Song", "1 == 1"]
    outcome = run(*(["--debug", *command] if place == "before" else [*command, "--debug"]))

    assert "Traceback (most recent call last)" in outcome.err
    assert outcome.err.splitlines()[-1].startswith("dynattrs: ")


# --- Models and migrations ------------------------------------------------------------------------


def test_models_are_generated_for_a_table_that_is_there(
    run: Callable[..., Outcome], songs: Any, folder: Path
):
    printed = run("generate", "--table", "app")
    assert 'app = Table(\n    "app"' in printed.out or 'app = Table("app"' in printed.out
    assert 'sk="ORDER#{order_id}"' in printed.out or 'sk="ORDER#{number:06d}"' in printed.out
    run("generate", "--table", "app", "--table", "music", "--samples", "10", "-o", "other.py")

    found = run("query", "other:music", 'artist == "Miles Davis"', "-f", "json")

    assert found.json[0]["title"] == "So\nWhat"


NEWER = """
from dynattrs import model, partition_key


def with_length(item):
    item["length"] = len(item["text"])
    return item


@model("notes", upgrades=[with_length])
class Note:
    id: int = partition_key()
    text: str
    length: int
"""


@pytest.mark.smoke
def test_items_are_migrated(
    run: Callable[..., Outcome], folder: Path, client: Any, table_prefix: str
):
    (folder / "newer.py").write_text(NEWER)
    run("create", "newer")
    for number in range(5):
        item = {"id": {"N": str(number)}, "text": {"S": "x" * number}}
        client.put_item(TableName=f"{table_prefix}notes", Item=item)

    planned = run("migrate", "newer:Note", "--dry-run")
    assert (planned.code, "schema version 2" in planned.err) == (1, True)
    some = run("migrate", "newer:Note", "--page-size", "2", "--max-pages", "1")
    assert (some.code, "rewrote 2" in some.err) == (0, True)
    cursor = some.err.split()[-1]
    rest = run("migrate", "newer:Note", "--after", cursor)
    assert (rest.code, "rewrote 3" in rest.err) == (0, True)
    assert "rewrote 0" in run("migrate", "newer:Note").err
    refused = run("migrate", "newer:Note", "--after", "xx")
    assert (refused.code, "To go on" in refused.err) == (2, False)
    lengths = [each["length"] for each in run("query", "newer:Note", "--scan", "-f", "json").json]
    assert sorted(lengths) == [0, 1, 2, 3, 4]


def test_a_migration_that_is_interrupted_says_how_to_go_on(
    run: Callable[..., Outcome], folder: Path, client: Any, table_prefix: str
):
    stop = (
        "    done.add(item['text'])\n"
        "    if len(done) == 3:\n"
        "        done.add(0)\n"
        "        raise KeyboardInterrupt\n"
    )
    interrupted = NEWER.replace("    item[", f"{stop}    item[")
    (folder / "newer.py").write_text(f"done = set()\n{interrupted}")
    run("create", "newer")
    for number in range(5):
        item = {"id": {"N": str(number)}, "text": {"S": "x" * number}}
        client.put_item(TableName=f"{table_prefix}notes", Item=item)

    outcome = run("migrate", "newer:Note", "--page-size", "1")
    assert (outcome.code, "rewrote 2" in outcome.err) == (130, True)
    *_, told, last = filter(None, outcome.err.splitlines())
    assert (told.startswith("To go on: --after "), last) == (True, "dynattrs: interrupted")

    rest = run("migrate", "newer:Note", "--after", told.split()[-1])
    assert (rest.code, "rewrote 3" in rest.err) == (0, True)


def test_what_cannot_be_migrated_is_counted(
    run: Callable[..., Outcome], folder: Path, client: Any, table_prefix: str
):
    (folder / "newer.py").write_text(NEWER)
    run("create", "newer")
    client.put_item(TableName=f"{table_prefix}notes", Item={"id": {"N": "1"}, "text": {"N": "5"}})

    assert run("migrate", "newer:Note").code == 3
    skipped = run("migrate", "newer:Note", "--skip-errors")
    assert (skipped.code, "left out 1" in skipped.err) == (3, True)


# --- Costs and policies ---------------------------------------------------------------------------


def test_the_cost_of_a_query_is_measured(run: Callable[..., Outcome], songs: Any):
    asked = ["cost", "shop:Song", 'artist == "Nina Simone"', "-f", "json"]
    [found] = run(*asked).json
    [paid] = run(*asked, "--consistent", "--times", "2000000", "--read-price", "0.25").json

    assert (found["requests"], found["read"], found["found"], found["read_units"]) == (1, 2, 2, 0.5)
    assert (paid["read_units"], paid["a_month"]) == (1, 0.5)
    assert run("cost", "shop:Song", "year == 3").code == 2
    [scanned] = run("cost", "shop:app", "--scan", "-f", "json").json
    assert scanned["read"] == 2


def test_tables_are_priced_by_prices_that_are_stated(run: Callable[..., Outcome], folder: Path):
    (folder / "other.py").write_text(
        'from dynattrs import Provisioned, Table\n'
        'paid = Table("paid", partition_key="pk", billing=Provisioned(read=10, write=2))\n'
        'free = Table("free", partition_key="pk")\n'
    )  # fmt: skip
    run("create", "other")
    unpriced = run("cost", "other:paid", "-f", "json").json
    assert "a_month" not in unpriced[0]

    [paid] = run("cost", "other:paid", "--read-hour-price", "0.01", "-f", "json").json
    [free] = run(
        "cost", "other:free", "--writes", "3000000", "--write-price", "1.25", "-f", "json"
    ).json

    assert (paid["provisioned_read"], paid["a_month"]) == (10, 73)
    assert (free["writes_a_month"], free["a_month"]) == (3.75, 3.75)


def test_a_policy_allows_what_the_models_need_and_no_more(
    run: Callable[..., Outcome], songs: Any, session: Any, table_prefix: str
):
    """What a session sends, for all of its verbs."""
    sent: list[tuple[str, str | None]] = []
    shop = songs
    with Session(client=session.client, table_prefix=table_prefix) as watched:
        watched.on("before_send", lambda event: sent.append((event.operation, None)))
        song = watched.get_one(shop.Song, ("Nina Simone", "Sinnerman"))
        watched.save(song)
        watched.save_all([song])
        watched.delete(song)
        watched.insert(song)
        watched.exists(shop.Song, ("Nina Simone", "Sinnerman"))
        with watched.edit(song):
            song.year = 1
        watched.query(shop.Song).where(shop.Song.genre == shop.Genre.SOUL).hydrate().all()
        list(watched.get_many(shop.Song, [("a", "b")]))
    needed = {operation for operation, _ in sent}

    everything = run("iam", "shop", "--region", "eu-west-1", "--account", "123456789012").json
    items, indexes = everything["Statement"]
    prefix = f"arn:aws:dynamodb:eu-west-1:123456789012:table/{table_prefix}"
    assert {f"dynamodb:{each}" for each in needed} <= set(items["Action"])
    assert set(items["Resource"]) == {f"{prefix}music", f"{prefix}app"}
    assert indexes["Action"] == ["dynamodb:Query"]
    assert indexes["Resource"] == [f"{prefix}music/index/by-genre"]

    reading = run("iam", "shop:Song", "--read-only", "--scan").json["Statement"]
    assert reading[0]["Action"] == [
        "dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan",
    ]  # fmt: skip
    assert reading[1]["Action"] == ["dynamodb:Query", "dynamodb:Scan"]
    [items, records] = run("iam", "shop:app", "--jobs").json["Statement"]
    assert {"dynamodb:Scan", "dynamodb:DescribeTable"} <= set(items["Action"])
    assert records["Resource"] == [f"arn:aws:dynamodb:*:*:table/{table_prefix}dynattrs-jobs"]
    [items, tables] = run("iam", "shop:app", "--tables", "--region", "cn-north-1").json["Statement"]
    assert items["Resource"] == [f"arn:aws-cn:dynamodb:cn-north-1:*:table/{table_prefix}app"]
    assert "dynamodb:CreateTable" in tables["Action"]
    assert "dynamodb:DeleteTable" not in tables["Action"]


def test_a_policy_has_what_declared_features_need():
    """What `session.tables` asks of AWS; DynamoDB Local has none of it."""
    stream = "arn:aws:kinesis:eu-west-1:111111111111:stream/shop"
    full = Table(
        "full",
        partition_key="id",
        tags={"a": "b"},
        resource_policy=False,
        kinesis=stream,
        contributor_insights=True,
        replicas=Replicas(["us-east-1"], consistency="strong", witness="us-east-2"),
    )
    arn = "arn:aws:dynamodb:eu-west-1:1:table/"
    looked = policy([full], where=arn, read_only=True, tables=True)["Statement"]
    managed = policy([full], where=arn, tables=True)["Statement"]

    assert [each["Sid"] for each in looked] == ["Items", "Tables", "ListInsights"]
    assert set(looked[1]["Action"]) == {
        f"dynamodb:{each}"
        for each in (
            "DescribeContinuousBackups", "DescribeKinesisStreamingDestination", "DescribeTable",
            "DescribeTimeToLive", "GetResourcePolicy", "ListTagsOfResource",
        )
    }  # fmt: skip
    by_sid = {each["Sid"]: each for each in managed}
    assert "dynamodb:UntagResource" in by_sid["Tables"]["Action"]
    assert by_sid["Insights"]["Resource"] == [f"{arn}full", f"{arn}full/index/*"]
    assert by_sid["Replicas"]["Resource"] == [
        f"arn:aws:dynamodb:{region}:1:table/full"
        for region in ("eu-west-1", "us-east-1", "us-east-2")
    ]
    assert "dynamodb:CreateGlobalTableWitness" in by_sid["Replicas"]["Action"]


# --- Safety ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint_url", "local"),
    [
        ("http://127.0.0.1:8000", True), ("http://localhost:8000", True), ("http://[::1]:8000", True),
        ("http://dynamodb.localhost", True), ("https://dynamodb.eu-west-1.amazonaws.com", False),
        ("http://10.0.0.7:8000", False), ("http://localhost.example.com", False),
    ],
)  # fmt: skip
def test_what_is_on_this_machine(endpoint_url: str, local: bool):
    assert is_local(endpoint_url) is local


def test_nothing_is_written_elsewhere_without_being_told_to(
    run: Callable[..., Outcome], endpoint: Any, client: Any, table_prefix: str,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    """The engine as a proxy on the way to a service elsewhere, which it answers for."""
    if endpoint.engine != "embedded":
        pytest.skip("it is not a proxy")
    elsewhere = "http://dynamodb.example.com"
    monkeypatch.setenv("HTTP_PROXY", endpoint.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", elsewhere)

    planned = run("create", "shop")
    assert planned.code == 1
    assert "it does not exist" in planned.out
    assert f"Nothing was changed at {elsewhere}. To create them, add --yes." in planned.err
    assert run("diff", "shop").code == 1

    assert run("create", "shop", "--yes").code == 0
    assert run("diff", "shop").code == 0


# --- Processes ------------------------------------------------------------------------------------


@pytest.mark.smoke
def test_in_a_pipe_nothing_is_for_the_eye_alone(songs: Any, folder: Path):
    """No colours, no boxes cut to a width, and the notes beside the output."""
    asked = [*COMMAND, "query", "shop:Song", 'artist == "Nina Simone"', "--limit", "1"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)

    assert done.returncode == 0
    assert "\x1b" not in done.stdout + done.stderr
    assert "Feeling [red]Good" in done.stdout
    assert done.stderr.startswith("There may be more: --after ")


@pytest.mark.parametrize(
    ("output", "first"),
    [
        ("json", b"["),
        pytest.param("table", b"a", marks=pytest.mark.full),
        pytest.param("csv", b"a", marks=pytest.mark.full),
    ],
)
def test_a_reader_that_ends_early_ends_the_command_quietly(
    songs: Any, folder: Path, session: Any, output: str, first: bytes
):
    session.save_all(
        songs.Song("many", f"{n:06}" + "x" * 900, songs.Genre.JAZZ, n) for n in range(600)
    )
    asked = [*COMMAND, "query", "shop:Song", 'artist == "many"', "--all", "-f", output]
    with subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(1) == first
        process.stdout.close()
        said = process.stderr.read()
        code = process.wait()

    assert (said, code) == (b"", 141)


@pytest.mark.full
@pytest.mark.smoke
def test_in_a_terminal_a_table_fits_and_has_bold_heads(songs: Any, folder: Path):
    code, seen = in_terminal([*COMMAND, "query", "shop:Song", "--scan"])

    assert code == 0
    assert "\x1b[1m" in seen
    assert "[red]" in seen.replace("\n", "")


@pytest.mark.full
def test_in_a_terminal_a_migration_has_a_progress_bar(
    run: Callable[..., Outcome], folder: Path, client: Any, table_prefix: str
):
    (folder / "newer.py").write_text(NEWER)
    run("create", "newer")
    item = {"id": {"N": "1"}, "text": {"S": "x"}}
    client.put_item(TableName=f"{table_prefix}notes", Item=item)

    code, seen = in_terminal([*COMMAND, "migrate", "newer:Note"])

    assert code == 0
    assert "Migrating" in seen
    assert "1/1" in seen
    assert "rewrote 1" in seen


@pytest.mark.full
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"y\n", 0),
        pytest.param(b"n\n", 1, marks=pytest.mark.full),
        (b"\n", 1),
        (INTERRUPTION, 130),
    ],
)
def test_in_a_terminal_the_user_is_asked(
    folder: Path, environment: None, endpoint: Any, client: Any, table_prefix: str, answer: bytes,
    code: int,
):  # fmt: skip
    if endpoint.engine != "embedded":
        pytest.skip("it is not a proxy")
    elsewhere = {"HTTP_PROXY": endpoint.url, "AWS_ENDPOINT_URL_DYNAMODB": "http://example.com"}

    found, seen = in_terminal([*COMMAND, "create", "shop:app"], answer, **elsewhere)

    assert "Create them at http://example.com? [y/N]" in seen
    assert found == code
    assert "Traceback" not in seen
    names = client.list_tables()["TableNames"]
    assert (f"{table_prefix}app" in names) == (code == 0)


# --- The local engine -----------------------------------------------------------------------------


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))


def local_server(*arguments: str) -> tuple[subprocess.Popen[str], str]:
    pytest.importorskip("ministack", reason="pip install 'dynattrs[local]'")
    process = subprocess.Popen(
        [*COMMAND, "local", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        assert process.stderr is not None
        raise AssertionError(process.stderr.read())
    return process, line.split("=")[1].split()[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_the_local_engine_runs_until_it_is_ended(
    folder: Path, no_credentials: None, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
):  # fmt: skip
    process, url = local_server("shop", "--port", "0", "--table-prefix", "dev-")
    try:
        assert urllib.parse.urlsplit(url).hostname == "127.0.0.1"
        # Whatever the key and the region, the tables are the same.
        for key, region in (("x", "eu-west-1"), ("123456789012", "us-east-1")):
            client = boto3.client(
                "dynamodb", endpoint_url=url, region_name=region, aws_access_key_id=key,
                aws_secret_access_key="x",
            )  # fmt: skip
            assert client.list_tables()["TableNames"] == ["dev-app", "dev-music"]
            client.close()
        # And the command needs no key at all there.
        monkeypatch.setenv("DYNATTRS_TABLE_PREFIX", "dev-")
        assert main(["diff", "shop", "--endpoint-url", url]) == 0
        port = str(urllib.parse.urlsplit(url).port)
        again = [*COMMAND, "local", "--port", port]
        taken = subprocess.run(again, capture_output=True, text=True, check=False, timeout=60)
        assert taken.returncode == 3
        assert taken.stderr.startswith("dynattrs: [Errno")
    finally:
        process.send_signal(number)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 0
    assert said.splitlines()[-1] == "Ended; what was stored is gone."


@pytest.mark.full
def test_the_local_engine_begins_with_seed_data(
    folder: Path, no_credentials: None, capsys: pytest.CaptureFixture[str]
):
    song = {"artist": "x", "title": "y", "genre": "soul", "year": 1965}
    (folder / "songs.json").write_text(json.dumps([song]))
    design = Table("design", partition_key="pk", sample_items=[{"pk": {"S": "a"}}])
    workbench.dump([design], folder / "design.json")
    process, url = local_server(
        "shop:Song", "--port", "0", "--seed", "songs.json", "--seed", "design.json"
    )
    try:
        found = main(["query", "shop:Song", "--scan", "--endpoint-url", url, "-f", "json"])
        assert (found, json.loads(capsys.readouterr().out)[0]["title"]) == (0, "y")
        assert main(["describe", "design", "--endpoint-url", url, "-f", "json"]) == 0
    finally:
        process.terminate()
        _, said = process.communicate(timeout=20)
    assert "songs.json: stored 1 items" in said
    assert "design.json: stored 1 items" in said


# --- The command itself ---------------------------------------------------------------------------


def test_the_version_and_the_help_are_shown(capsys: pytest.CaptureFixture[str]):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"dynattrs {__version__}\n"
    for arguments in ([], ["--help"], ["query", "-h"]):
        assert main(arguments) == 0
        assert "Usage: dynattrs" in capsys.readouterr().out


def test_the_recipes_are_printed(capsys: pytest.CaptureFixture[str]):
    assert main(["guide"]) == 0
    assert capsys.readouterr().out == guide.text() + "\n"


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_the_extra_one_line_says_how_to_install_it(missing: str):
    code = textwrap.dedent(
        f"""
        import sys
        sys.modules[{missing!r}] = None
        from dynattrs.tools.command import main
        sys.exit(main(["--version"]))
        """
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stderr == (
        f"dynattrs: the command needs {missing}; install it with: pip install 'dynattrs[cli]'\n"
    )


def test_the_command_is_installed_under_its_name():
    entry = next(
        each
        for each in importlib.import_module("importlib.metadata").entry_points(
            group="console_scripts"
        )
        if each.name == "dynattrs"
    )

    assert entry.load() is main
