"""Tables that are there, as declarations; and models that are generated from their items."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

from dynattrs import (
    GlobalIndex,
    LocalIndex,
    ModelError,
    NoSuchTable,
    OnDemand,
    Provisioned,
    Session,
    Table,
)
from dynattrs.tools import generation
from dynattrs.tools.generation.trial import same_item
from shared_data import guide_items, read

EVERYTHING = Table(
    "everything",
    partition_key="pk",
    sort_key="sk",
    indexes=[
        GlobalIndex("by-day", partition_key="day", sort_key="at"),
        GlobalIndex("some", partition_key="day", projection=["a", "b"]),
        GlobalIndex("own", partition_key="sk", billing=Provisioned(read=7, write=3)),
        LocalIndex("local", sort_key="at", projection="keys"),
    ],
    types={"sk": "N", "at": "B"},
    ttl="expires",
    billing=Provisioned(read=5, write=2),
    stream="new and old",
)
SIMPLE = Table(
    "simple", partition_key="id", indexes=[], ttl=False, billing=OnDemand(), stream=False
)
#: The service has had such keys since 2025; older engines do not know them.
SEVERAL = Table(
    "several",
    partition_key="pk",
    indexes=[
        GlobalIndex("places", partition_key=("country", "city"), sort_key=("year", "rank")),
    ],
    types={"year": "N"},
)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Any:
    with Session(client=client, table_prefix=table_prefix) as session:
        yield session


@pytest.mark.smoke
@pytest.mark.parametrize("declared", [EVERYTHING, SIMPLE], ids=lambda table: table.name)
def test_a_table_that_is_there_is_reflected_as_it_was_declared(session: Any, declared: Table):
    session.tables.create(declared)

    found = session.tables.reflect(declared.name)

    assert found.name == declared.name  # before the prefix
    assert found.key == declared.key
    assert dict(found.types) == dict(declared.types)
    assert set(found.indexes) == set(declared.indexes)
    assert (found.ttl, found.billing) == (declared.ttl, declared.billing)
    assert found.stream == declared.stream
    assert session.tables.diff(found) == []


def test_a_table_is_made_again_from_what_was_reflected(session: Any):
    session.tables.create(EVERYTHING)
    found = session.tables.reflect("everything")
    session.tables.delete(EVERYTHING)

    session.tables.create(found)

    assert session.tables.diff(EVERYTHING) == []


@pytest.mark.threads_only(reason="it asks no session")
def test_index_keys_of_several_attributes_are_reflected():
    described = SEVERAL.create_arguments() | {
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"}
    }

    found = Table.from_description({"Table": described})

    assert found.indexes == SEVERAL.indexes
    assert dict(found.types) == {"year": "N"}


def test_a_table_that_is_not_there_is_said_so(session: Any):
    with pytest.raises(NoSuchTable):
        session.tables.reflect("missing")


@pytest.mark.parametrize("arguments", [(Table,), ("x" * 3, {"samples": -1}), (None,)], ids=str)
def test_what_is_no_name_is_refused(session: Any, arguments: Any):
    name, *options = arguments
    with pytest.raises(ModelError, match=r"tables\.reflect: "):
        session.tables.reflect(name, **(options[0] if options else {}))


@pytest.mark.parametrize("count", [1, 3, 40, 100])
def test_samples_are_items_of_the_table(session: Any, client: Any, table_prefix: str, count: int):
    session.tables.create(SIMPLE)
    items = [{"id": {"S": str(n)}, "data": {"B": bytes([n])}} for n in range(40)]
    put(client, f"{table_prefix}simple", items)

    found = session.tables.reflect("simple", samples=count)

    assert len(found.sample_items) == min(count, 40)
    assert all(each in items for each in found.sample_items)
    assert len({each["id"]["S"] for each in found.sample_items}) == min(count, 40)


# --- Generated models -----------------------------------------------------------------------------


def plain(value: Any) -> dict[str, Any]:
    """What the game's plain JSON is as an attribute value."""
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str):
        return {"S": value}
    return {"N": str(value)}


def game_items() -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in read("game_player_items.json").splitlines()]
    return [{name: plain(value) for name, value in row.items()} for row in rows]


#: Tables as their guides make them, and their items.
SHARED = {
    "Forum": (Table("Forum", partition_key="Name"), lambda: guide_items("Forum")),
    "ProductCatalog": (
        Table("ProductCatalog", partition_key="Id", types={"Id": "N"}),
        lambda: guide_items("ProductCatalog"),
    ),
    "Thread": (
        Table("Thread", partition_key="ForumName", sort_key="Subject"),
        lambda: guide_items("Thread"),
    ),
    "Reply": (
        Table(
            "Reply",
            partition_key="Id",
            sort_key="ReplyDateTime",
            indexes=[
                GlobalIndex("PostedBy-Message-Index", partition_key="PostedBy", sort_key="Message"),
                LocalIndex("PostedBy-Index", sort_key="PostedBy"),
            ],
        ),
        lambda: guide_items("Reply"),
    ),
    "persons": (Table("persons", partition_key="id"), lambda: json.loads(read("persons.ddb.json"))),
    "battle-royale": (
        Table(
            "battle-royale",
            partition_key="PK",
            sort_key="SK",
            indexes=[GlobalIndex("inverted", partition_key="SK", sort_key="PK")],
        ),
        game_items,
    ),
}  # fmt: skip


def put(client: Any, table: str, items: list[dict[str, Any]]) -> None:
    for start in range(0, len(items), 25):
        requests = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
        while requests:
            answer = client.batch_write_item(RequestItems={table: requests})
            requests = answer["UnprocessedItems"].get(table, [])


def scanned(client: Any, table: str) -> list[dict[str, Any]]:
    pages = client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return [item for page in pages for item in page["Items"]]


@pytest.mark.smoke
@pytest.mark.parametrize("name", SHARED)
def test_generated_models_read_and_write_every_item_of_a_table_unchanged(
    session: Any, client: Any, table_prefix: str, name: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    table, items = SHARED[name]
    session.tables.create(table)
    put(client, table_prefix + name, items())
    before = scanned(client, table_prefix + name)

    source = generation.models([session.tables.reflect(name, samples=1000)])
    path = tmp_path / f"models_of_{name.replace('-', '_')}.py"
    path.write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    module = __import__(path.stem)
    monkeypatch.delitem(sys.modules, path.stem)
    [generated] = [each for each in vars(module).values() if isinstance(each, Table)]
    assert generated == attrs.evolve(table, billing=OnDemand())

    models = list(generated.members)
    objects = session.scan(*models).all()
    assert len(objects) == len(before)
    for item in before:
        client.delete_item(TableName=table_prefix + name, Key={k: item[k] for k in table.key})
    session.save_all(objects)
    after = scanned(client, table_prefix + name)

    def key(item: dict[str, Any]) -> list[str]:
        return [json.dumps(item[each]) for each in table.key]

    pairs = zip(sorted(before, key=key), sorted(after, key=key), strict=True)
    assert all(same_item(one, other) for one, other in pairs)


@pytest.mark.full
@pytest.mark.threads_only(reason="it asks no session")
def test_generated_models_are_typed(tmp_path: Path):
    """All of them in one run of mypy, which takes its time."""
    pytest.importorskip("mypy")
    for name, (table, items) in SHARED.items():
        source = generation.models([attrs.evolve(table, sample_items=items())])
        (tmp_path / f"models_of_{name.replace('-', '_')}.py").write_text(source)

    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.threads_only(reason="it asks no session")
def test_the_game_has_a_model_for_each_shape_of_its_keys():
    table, items = SHARED["battle-royale"]

    source = generation.models([attrs.evolve(table, sample_items=items())])

    assert 'PK="USER#{username}", SK="#METADATA#{username}"' in source
    assert 'PK="GAME#{game_id}", SK="USER#{username}"' in source
