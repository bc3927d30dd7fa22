"""Tables from their declarations: what is asked, and every difference that is found."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

import attrs
import pytest

from dynattrs import (
    GlobalIndex,
    LocalIndex,
    ModelError,
    NoSuchTable,
    ServiceError,
    Table,
    TableDiffers,
    model,
    partition_key,
    sort_key,
)
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Environment, Flow, Pause, Sync
from dynattrs.operations.tables.verbs import TableVerbs

TABLE = Table(
    "music",
    partition_key="artist",
    sort_key="year",
    indexes=[
        GlobalIndex("by-genre", partition_key="genre", sort_key="year"),
        GlobalIndex("by-label", partition_key=("label", "country"), projection="keys"),
        LocalIndex("by-plays", sort_key="plays", projection=["title"]),
    ],
    types={"year": "N", "plays": "N"},
    ttl="expires",
)


class Desk(TableVerbs, Sync):
    """Tables in memory: answers what `session.tables` asks."""

    def __init__(self, *, prefix: str = "") -> None:
        self._clock = 0.0
        environment = Environment(
            lambda: self._clock, lambda: 0.5, lambda: datetime.now(timezone.utc)
        )
        self._core = Core(environment, timedelta(seconds=60), 4, prefix, {})
        self.there: dict[str, dict[str, Any]] = {}
        self.ttl: dict[str, str] = {}
        self.asked: list[str] = []
        self.pauses: list[float] = []
        self.looks = 0
        self.on_look: Callable[[int], None] = lambda look: None

    def _drive(self, flow: Flow[Any]) -> Any:
        try:
            effect = next(flow)
            while True:
                try:
                    outcome = self._perform(effect)
                except Exception as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(outcome)
        except StopIteration as stop:
            return stop.value

    def _perform(self, effect: Any) -> Any:
        if isinstance(effect, Pause):
            self.pauses.append(effect.seconds)
            self._clock += effect.seconds
            return None
        assert isinstance(effect, Call)
        name = effect.parameters["TableName"]
        self.asked.append(effect.operation)
        if effect.operation == "create_table":
            if name in self.there:
                raise ServiceError("CreateTable", "ResourceInUseException", "exists", name)
            self.put(effect.parameters, status="CREATING")
            return {}
        if effect.operation == "describe_table":
            self.looks += 1
            self.on_look(self.looks)
        if name not in self.there:
            raise NoSuchTable(effect.operation, "ResourceNotFoundException", "no", name)
        if effect.operation == "describe_table":
            description = dict(self.there[name])
            if description["TableStatus"] == "CREATING":
                self.there[name]["TableStatus"] = "ACTIVE"
            elif description["TableStatus"] == "DELETING":
                del self.there[name]
            return {"Table": description}
        if effect.operation == "delete_table":
            if self.there[name]["TableStatus"] != "ACTIVE":
                raise ServiceError("DeleteTable", "ResourceInUseException", "busy", name)
            self.there[name]["TableStatus"] = "DELETING"
            return {}
        if effect.operation == "update_time_to_live":
            self.ttl[name] = effect.parameters["TimeToLiveSpecification"]["AttributeName"]
            return {}
        assert effect.operation == "describe_time_to_live"
        if name in self.ttl:
            enabled = {"TimeToLiveStatus": "ENABLED", "AttributeName": self.ttl[name]}
            return {"TimeToLiveDescription": enabled}
        return {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}

    def put(self, arguments: dict[str, Any], *, status: str = "ACTIVE") -> None:
        """A table as DescribeTable tells of it."""
        self.there[arguments["TableName"]] = {**arguments, "TableStatus": status}

    def put_as_declared(self, table: Table) -> None:
        self.put(table.create_arguments())
        if table.ttl is not None:
            self.ttl[table.name] = table.ttl


def test_create_arguments_say_keys_types_indexes_and_projections():
    assert TABLE.create_arguments("dev-music") == {
        "TableName": "dev-music",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": "artist", "AttributeType": "S"},
            {"AttributeName": "year", "AttributeType": "N"},
            {"AttributeName": "genre", "AttributeType": "S"},
            {"AttributeName": "label", "AttributeType": "S"},
            {"AttributeName": "country", "AttributeType": "S"},
            {"AttributeName": "plays", "AttributeType": "N"},
        ],
        "KeySchema": [
            {"AttributeName": "artist", "KeyType": "HASH"},
            {"AttributeName": "year", "KeyType": "RANGE"},
        ],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "by-genre",
                "KeySchema": [
                    {"AttributeName": "genre", "KeyType": "HASH"},
                    {"AttributeName": "year", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            },
            {
                "IndexName": "by-label",
                "KeySchema": [
                    {"AttributeName": "label", "KeyType": "HASH"},
                    {"AttributeName": "country", "KeyType": "HASH"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            },
        ],
        "LocalSecondaryIndexes": [
            {
                "IndexName": "by-plays",
                "KeySchema": [
                    {"AttributeName": "artist", "KeyType": "HASH"},
                    {"AttributeName": "plays", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["title"]},
            }
        ],
    }


def test_a_projection_of_key_attributes_only_is_sent_as_keys_only():
    """The service refuses an INCLUDE that includes nothing, and keys are always included."""
    index = GlobalIndex("by-b", partition_key="b", projection=["a", "b"])
    table = Table("things", partition_key="a", indexes=[index])

    [asked] = table.create_arguments("things")["GlobalSecondaryIndexes"]

    assert asked["Projection"] == {"ProjectionType": "KEYS_ONLY"}


def test_create_waits_until_the_table_is_active_and_sets_the_time_to_live():
    desk = Desk()

    desk.create(TABLE)

    assert desk.there["music"]["TableStatus"] == "ACTIVE"
    assert desk.ttl == {"music": "expires"}
    assert desk.pauses


def test_create_asks_for_all_tables_before_it_waits_for_any():
    desk = Desk()

    desk.create(*(Table(name, partition_key="id") for name in ("one", "two", "three")))

    assert desk.asked[:6] == ["describe_table", "create_table"] * 3


def test_create_does_nothing_where_the_table_is_there_as_declared():
    desk = Desk()
    desk.put_as_declared(TABLE)

    desk.create(TABLE)

    assert set(desk.asked) == {"describe_table", "describe_time_to_live"}


def test_create_waits_for_a_table_that_is_being_deleted_and_makes_it_anew():
    desk = Desk()
    desk.put(Table("music", partition_key="other").create_arguments("music"), status="DELETING")

    desk.create(TABLE)

    assert desk.there["music"]["KeySchema"][0]["AttributeName"] == "artist"


def test_create_yields_to_another_process_that_creates_the_same_table():
    """Both find it missing, one of them is first, and the time to live comes a moment later."""
    desk = Desk()

    def other_process(look: int) -> None:
        if look == 2:
            desk.ttl["music"] = "expires"

    desk.on_look = other_process
    perform = desk._perform

    def in_between(effect: Any) -> Any:
        if isinstance(effect, Call) and effect.operation == "create_table":
            desk.put(TABLE.create_arguments("music"), status="CREATING")
        return perform(effect)

    desk._perform = in_between  # type: ignore[method-assign]
    desk.create(TABLE)

    assert "update_time_to_live" not in desk.asked


def test_create_says_so_if_its_table_is_deleted_meanwhile():
    desk = Desk()
    desk.on_look = lambda look: desk.there.pop("music", None)

    with pytest.raises(NoSuchTable, match="'music' does not exist"):
        desk.create(TABLE)


def arguments(**changes: Any) -> dict[str, Any]:
    return {**TABLE.create_arguments("music"), **changes}


def index(name: str, partition: str, projection: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "IndexName": name,
        "KeySchema": [{"AttributeName": partition, "KeyType": "HASH"}],
        "Projection": projection or {"ProjectionType": "ALL"},
    }


GENRE, LABEL = TABLE.create_arguments("music")["GlobalSecondaryIndexes"]
[PLAYS] = TABLE.create_arguments("music")["LocalSecondaryIndexes"]


@pytest.mark.parametrize(
    ("stored", "sentence"),
    [
        (
            arguments(KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}]),
            "its key is (id), declared is (artist, year)",
        ),
        (
            arguments(
                AttributeDefinitions=[
                    {**each, "AttributeType": "S"} if each["AttributeName"] == "year" else each
                    for each in arguments()["AttributeDefinitions"]
                ]
            ),
            "key attribute 'year' is of type S, declared is N",
        ),
        (
            arguments(GlobalSecondaryIndexes=[LABEL]),
            "it has no global index 'by-genre', which is declared",
        ),
        (
            arguments(LocalSecondaryIndexes=[]),
            "it has no local index 'by-plays', which is declared",
        ),
        (
            arguments(GlobalSecondaryIndexes=[GENRE, LABEL, index("by-mood", "mood")]),
            "it has the global index 'by-mood', not declared",
        ),
        (
            arguments(GlobalSecondaryIndexes=[index("by-genre", "genre"), LABEL]),
            "the key of index 'by-genre' is (genre), declared is (genre, year)",
        ),
        (
            arguments(
                GlobalSecondaryIndexes=[GENRE, {**LABEL, "Projection": {"ProjectionType": "ALL"}}]
            ),
            "index 'by-label' projects all, declared is keys",
        ),
        (
            arguments(
                LocalSecondaryIndexes=[
                    {
                        **PLAYS,
                        "Projection": {
                            "ProjectionType": "INCLUDE",
                            "NonKeyAttributes": ["title", "mood"],
                        },
                    }
                ]
            ),
            "index 'by-plays' projects mood, title, declared is title",
        ),
        (
            arguments(GlobalSecondaryIndexes=[GENRE, LABEL, PLAYS], LocalSecondaryIndexes=[]),
            "index 'by-plays' is global, declared is local",
        ),
    ],
)
def test_each_difference_is_said_exactly(stored: dict[str, Any], sentence: str):
    desk = Desk()
    desk.put(stored)
    desk.ttl["music"] = "expires"

    with pytest.raises(TableDiffers) as caught:
        desk.create(TABLE)

    assert caught.value.differences == [sentence]
    assert str(caught.value) == (
        f"table 'music' exists and differs from its declaration: {sentence}"
    )


@pytest.mark.parametrize(
    ("stored", "declared", "sentence"),
    [
        (None, "expires", "its time to live is off, declared is on attribute 'expires'"),
        ("expires", False, "its time to live is on attribute 'expires', declared is off"),
        ("old", "new", "its time to live is on attribute 'old', declared is on attribute 'new'"),
    ],
)
def test_a_different_time_to_live_is_said_and_not_changed(
    stored: str | None, declared: str | Literal[False], sentence: str
):
    """Switching it on would begin to delete data."""
    desk = Desk()
    table = attrs.evolve(TABLE, ttl=declared)
    desk.put_as_declared(attrs.evolve(TABLE, ttl=stored))

    with pytest.raises(TableDiffers) as caught:
        desk.create(table)

    assert caught.value.differences == [sentence]
    assert "update_time_to_live" not in desk.asked


def test_several_differences_are_all_said():
    desk = Desk()
    desk.put(arguments(GlobalSecondaryIndexes=[], LocalSecondaryIndexes=[]))

    with pytest.raises(TableDiffers) as caught:
        desk.create(TABLE)

    assert len(caught.value.differences) == 4


def test_delete_waits_until_the_tables_are_gone():
    desk = Desk()
    desk.put_as_declared(TABLE)

    desk.delete(TABLE)

    assert desk.there == {}


def test_delete_of_a_missing_table_is_an_error_unless_that_is_fine():
    desk = Desk()

    with pytest.raises(NoSuchTable, match="'music' does not exist"):
        desk.delete(TABLE)
    desk.delete(TABLE, missing_ok=True)


def test_delete_of_a_table_that_is_being_created_waits_for_it():
    desk = Desk()
    desk.put(TABLE.create_arguments("music"), status="CREATING")

    desk.delete(TABLE)

    assert desk.there == {}


def test_delete_of_a_table_that_is_being_deleted_is_fine():
    desk = Desk()
    desk.put(TABLE.create_arguments("music"), status="DELETING")

    desk.delete(TABLE)

    assert desk.there == {}


def test_exists_and_describe_use_the_real_name():
    desk = Desk(prefix="dev-")
    desk.put(TABLE.create_arguments("dev-music"))

    assert desk.exists(TABLE) is True
    assert desk.describe(TABLE)["TableName"] == "dev-music"
    assert desk.exists(Table("other", partition_key="id")) is False
    with pytest.raises(NoSuchTable):
        desk.describe(Table("other", partition_key="id"))


def test_models_that_share_a_table_make_it_together():
    @model("zoo", indexes=[GlobalIndex("by-name", partition_key="name")])
    class Lion:
        id: str = partition_key()
        name: str

    @model("zoo", indexes=[GlobalIndex("by-weight", partition_key="weight")])
    class Whale:
        id: str = partition_key()
        weight: int

    desk = Desk()
    desk.create(Lion, Whale)

    made = desk.there["zoo"]
    assert {each["IndexName"] for each in made["GlobalSecondaryIndexes"]} == {
        "by-name",
        "by-weight",
    }
    types = {each["AttributeName"]: each["AttributeType"] for each in made["AttributeDefinitions"]}
    assert types == {"id": "S", "name": "S", "weight": "N"}


def test_models_that_declare_a_table_differently_are_refused():
    @model("zoo")
    class Lion:
        id: str = partition_key()

    @model("zoo")
    class Whale:
        id: str = partition_key()
        born: int = sort_key()

    with pytest.raises(ModelError, match="table 'zoo': two models declare its keys"):
        Desk().create(Lion, Whale)


def test_naming_no_table_is_refused():
    with pytest.raises(ModelError, match="name at least one model or Table"):
        Desk().create()


def test_what_is_no_model_is_refused():
    with pytest.raises(ModelError, match="int: it is not a model"):
        Desk().create(int)
