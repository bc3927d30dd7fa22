"""`session.tables.diff` and `update`: what is found, what is asked, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import datetime, timedelta, timezone
from typing import Any

import attrs
import pytest

from dynattrs import (
    ChangeRefused,
    GlobalIndex,
    InvalidRequest,
    LocalIndex,
    ModelError,
    NoSuchTable,
    OnDemand,
    Provisioned,
    ServiceError,
    Table,
    TableDiffers,
    TableNotReady,
    model,
    partition_key,
)
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Environment, Flow, Pause, Sync
from dynattrs.operations.tables.verbs import TableVerbs

GENRE = GlobalIndex("by-genre", partition_key="genre")
YEAR = GlobalIndex("by-year", partition_key="year")
PLAIN = Table("music", partition_key="artist", sort_key="title", types={})


def music(*indexes: Any, types: Any = None, **settings: Any) -> Table:
    return attrs.evolve(PLAIN, indexes=indexes, types=types or {}, **settings)


class Service(TableVerbs, Sync):
    """One account: it takes what DynamoDB takes, one thing at a time, and is slow at it."""

    def __init__(self, *declared: Table, slow: int = 2) -> None:
        self._clock = 0.0
        environment = Environment(
            lambda: self._clock, lambda: 0.5, lambda: datetime.now(timezone.utc)
        )
        self._core = Core(environment, timedelta(seconds=60), 4)
        #: How often a look finds the table still changing.
        self.slow = slow
        self.there: dict[str, dict[str, Any]] = {}
        self.ttl: dict[str, tuple[str, str]] = {}
        self.recovery: dict[str, int] = {}
        self.asked: list[Call] = []
        self.before: Callable[[Call], None] = lambda call: None
        self._looks: dict[str, int] = {}
        for table in declared:
            self._create(table.create_arguments())
            self._looks[table.name] = 0
            self._settle(table.name)
            if table.ttl is not None:
                self.ttl[table.name] = ("ENABLED", table.ttl)
            if table.point_in_time_recovery:
                days = table.point_in_time_recovery
                self.recovery[table.name] = 35 if days is True else days
        self.asked.clear()

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
            self._clock += effect.seconds
            return None
        assert isinstance(effect, Call)
        self.before(effect)
        self.asked.append(effect)
        name = effect.parameters["TableName"]
        if effect.operation == "create_table":
            return self._create(effect.parameters)
        if name not in self.there:
            raise NoSuchTable(effect.operation, "ResourceNotFoundException", "no", name)
        return getattr(self, f"_{effect.operation}")(name, **effect.parameters)

    def changes(self) -> list[dict[str, Any]]:
        """What was asked that changes something, without the table's name."""
        return [
            {key: value for key, value in call.parameters.items() if key != "TableName"}
            for call in self.asked
            if not call.operation.startswith("describe")
        ]

    def _create(self, arguments: dict[str, Any]) -> dict[str, Any]:
        name = arguments["TableName"]
        mode = {"BillingMode": arguments["BillingMode"]}
        self.there[name] = {
            **deepcopy(arguments),
            "BillingModeSummary": mode,
            "TableStatus": "CREATING",
        }
        if "TableClass" in arguments:
            self.there[name]["TableClassSummary"] = {"TableClass": arguments["TableClass"]}
        for index in self.there[name].get("GlobalSecondaryIndexes", ()):
            index["IndexStatus"] = "CREATING"
        self._looks[name] = self.slow
        return {}

    def _settle(self, name: str) -> None:
        """A look: what is changing becomes ready after some of them."""
        self._looks[name] -= 1
        if self._looks[name] > 0:
            return
        table = self.there[name]
        table["TableStatus"] = "ACTIVE"
        indexes = table.get("GlobalSecondaryIndexes", [])
        indexes[:] = [each for each in indexes if each["IndexStatus"] != "DELETING"]
        for index in indexes:
            index["IndexStatus"] = "ACTIVE"
        used = {
            each["AttributeName"]
            for part in (table, *indexes, *table.get("LocalSecondaryIndexes", ()))
            for each in part["KeySchema"]
        }
        table["AttributeDefinitions"] = [
            each for each in table["AttributeDefinitions"] if each["AttributeName"] in used
        ]

    def _describe_table(self, name: str, **_: Any) -> dict[str, Any]:
        found = deepcopy(self.there[name])
        self._settle(name)
        return {"Table": found}

    def _describe_time_to_live(self, name: str, **_: Any) -> dict[str, Any]:
        status, attribute = self.ttl.get(name, ("DISABLED", ""))
        if status == "DISABLING":
            del self.ttl[name]
        found = {"TimeToLiveStatus": status}
        if attribute:
            found["AttributeName"] = attribute
        return {"TimeToLiveDescription": found}

    def _describe_continuous_backups(self, name: str, **_: Any) -> dict[str, Any]:
        days = self.recovery.get(name)
        status = {"PointInTimeRecoveryStatus": "ENABLED" if days else "DISABLED"}
        found = status | ({"RecoveryPeriodInDays": days} if days else {})
        return {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": found}}

    def _update_continuous_backups(self, name: str, **parameters: Any) -> dict[str, Any]:
        specification = parameters["PointInTimeRecoverySpecification"]
        self.recovery[name] = (
            specification.get("RecoveryPeriodInDays", 35)
            if specification["PointInTimeRecoveryEnabled"]
            else 0
        )
        return {}

    def _update_time_to_live(self, name: str, **parameters: Any) -> dict[str, Any]:
        specification = parameters["TimeToLiveSpecification"]
        status, attribute = self.ttl.get(name, ("DISABLED", ""))
        wanted = specification["AttributeName"]
        if status == "DISABLING":
            raise self._invalid("UpdateTimeToLive", "TimeToLive is being changed", name)
        if specification["Enabled"]:
            if status != "DISABLED":
                raise self._invalid("UpdateTimeToLive", "TimeToLive is already enabled", name)
            self.ttl[name] = ("ENABLING", wanted)
        else:
            if attribute != wanted:
                raise self._invalid("UpdateTimeToLive", "another AttributeName", name)
            self.ttl[name] = ("DISABLING", wanted)
        return {}

    def _update_table(self, name: str, **parameters: Any) -> dict[str, Any]:
        table = self.there[name]
        del parameters["TableName"]
        if table["TableStatus"] != "ACTIVE":
            raise ServiceError("UpdateTable", "ResourceInUseException", "being updated", name)
        updates = parameters.get("GlobalSecondaryIndexUpdates", [])
        online = [each for each in updates if "Update" not in each]
        assert len(online) <= 1, "one index at a time"
        assert not online or set(parameters) <= {
            "GlobalSecondaryIndexUpdates",
            "AttributeDefinitions",
        }, "an index is created or dropped by itself"
        indexes = table.setdefault("GlobalSecondaryIndexes", [])
        for update in updates:
            ((what, index),) = update.items()
            stored = next((i for i in indexes if i["IndexName"] == index["IndexName"]), None)
            if what == "Create":
                if stored is not None:
                    raise self._invalid("UpdateTable", "the index already exists", name)
                provisioned = table["BillingModeSummary"]["BillingMode"] == "PROVISIONED"
                if provisioned != ("ProvisionedThroughput" in index):
                    raise self._invalid("UpdateTable", "ProvisionedThroughput of an index", name)
                known = {d["AttributeName"]: d for d in table["AttributeDefinitions"]}
                for each in parameters["AttributeDefinitions"]:
                    if known.setdefault(each["AttributeName"], each) != each:
                        raise self._invalid("UpdateTable", "attribute has another type", name)
                table["AttributeDefinitions"] = list(known.values())
                indexes.append({**index, "IndexStatus": "CREATING", "Backfilling": True})
            elif what == "Delete":
                assert stored is not None
                stored["IndexStatus"] = "DELETING"
            else:
                assert stored is not None
                stored.update(index)
        stream = parameters.get("StreamSpecification")
        if stream is not None:
            enabled = table.get("StreamSpecification", {}).get("StreamEnabled", False)
            if enabled and stream["StreamEnabled"]:
                raise self._invalid("UpdateTable", "Table already has an enabled stream", name)
            table["StreamSpecification"] = stream
        if "BillingMode" in parameters:
            table["BillingModeSummary"] = {"BillingMode": parameters["BillingMode"]}
            if parameters["BillingMode"] == "PROVISIONED":
                given = {each["Update"]["IndexName"] for each in updates}
                assert given == {index["IndexName"] for index in indexes}, "capacity of indexes"
        for setting in ("DeletionProtectionEnabled", "ProvisionedThroughput", "OnDemandThroughput"):
            if setting in parameters:
                table[setting] = parameters[setting]
        if "TableClass" in parameters:
            table["TableClassSummary"] = {"TableClass": parameters["TableClass"]}
        table["TableStatus"] = "UPDATING"
        self._looks[name] = self.slow
        return {}

    @staticmethod
    def _invalid(operation: str, message: str, name: str) -> InvalidRequest:
        return InvalidRequest(operation, "ValidationException", message, name)


# --- Nothing to do ------------------------------------------------------------------------------

EVERYTHING = music(
    GENRE,
    LocalIndex("by-plays", sort_key="plays"),
    types={"plays": "N"},
    ttl="expires",
    billing=Provisioned(read=5, write=2),
    stream="new and old",
    deletion_protection=True,
    point_in_time_recovery=7,
    table_class="infrequent access",
)


def test_a_table_as_declared_has_no_difference_and_no_change():
    service = Service(EVERYTHING)

    assert service.diff(EVERYTHING) == []
    assert service.update(EVERYTHING) == []
    assert service.changes() == []


def test_settings_that_are_not_declared_are_neither_compared_nor_changed():
    service = Service(EVERYTHING)
    silent = music(*EVERYTHING.indexes, types=EVERYTHING.types, ttl="expires")

    assert service.diff(silent) == []
    assert "describe_continuous_backups" not in {call.operation for call in service.asked}


def test_create_makes_a_table_with_all_its_settings():
    service = Service()

    service.create(EVERYTHING)

    assert service.diff(EVERYTHING) == []
    assert service.recovery == {"music": 7}


def test_diff_changes_nothing():
    service = Service(EVERYTHING)

    found = service.diff(music(YEAR, stream=False, deletion_protection=False))

    assert len(found) > 3
    assert service.changes() == []


def test_a_missing_table_is_a_difference_and_update_creates_it():
    service = Service()

    [change] = service.diff(PLAIN)
    made = service.update(PLAIN)

    assert str(change) == "it does not exist: create it"
    assert made == [change]
    assert service.diff(PLAIN) == []


# --- What is possible ---------------------------------------------------------------------------

CHANGES = [
    (music(), music(GENRE), "it has no global index 'by-genre', which is declared"),
    (music(GENRE), music(), "it has the global index 'by-genre', not declared"),
    (
        music(GENRE),
        music(attrs.evolve(GENRE, sort_key="year")),
        "the key of index 'by-genre' is (genre), declared is (genre, year)",
    ),
    (
        music(GENRE),
        music(attrs.evolve(GENRE, projection="keys")),
        "index 'by-genre' projects all, declared is keys",
    ),
    (
        music(YEAR),
        music(YEAR, types={"year": "N"}),
        "key attribute 'year' is of type S, declared is N",
    ),
    (music(), music(ttl="expires"), "its time to live is off, declared is on attribute 'expires'"),
    (music(ttl="expires"), music(), "its time to live is on attribute 'expires', declared is off"),
    (
        music(ttl="old"),
        music(ttl="new"),
        "its time to live is on attribute 'old', declared is on attribute 'new'",
    ),
    (
        music(GENRE),
        music(GENRE, billing=Provisioned(read=5, write=1)),
        "it is billed on demand, declared is provisioned, 5 read and 1 write units",
    ),
    (
        music(GENRE, billing=Provisioned(read=5, write=1)),
        music(GENRE, billing=OnDemand(max_read=100)),
        "it is billed provisioned, 5 read and 1 write units, "
        "declared is on demand, at most 100 read units",
    ),
    (
        music(billing=OnDemand(max_read=100, max_write=10)),
        music(billing=OnDemand(max_write=20)),
        "it is billed on demand, at most 100 read units, at most 10 write units, "
        "declared is on demand, at most 20 write units",
    ),
    (
        music(GENRE, billing=Provisioned(read=5, write=1)),
        music(
            attrs.evolve(GENRE, billing=Provisioned(read=9, write=9)),
            billing=Provisioned(read=5, write=1),
        ),
        "index 'by-genre' is billed provisioned, 5 read and 1 write units, "
        "declared is provisioned, 9 read and 9 write units",
    ),
    (
        music(GENRE),
        music(attrs.evolve(GENRE, billing=OnDemand(max_read=9))),
        "index 'by-genre' is billed on demand, declared is on demand, at most 9 read units",
    ),
    (music(), music(stream="new"), "its stream is off, declared is of 'new'"),
    (music(stream="new"), music(stream=False), "its stream is of 'new', declared is off"),
    (music(stream="new"), music(stream="keys"), "its stream is of 'new', declared is of 'keys'"),
    (
        music(),
        music(deletion_protection=True),
        "its deletion protection is off, declared is on",
    ),
    (
        music(deletion_protection=True),
        music(deletion_protection=False),
        "its deletion protection is on, declared is off",
    ),
    (
        music(),
        music(point_in_time_recovery=True),
        "its point-in-time recovery is off, declared is on",
    ),
    (
        music(),
        music(point_in_time_recovery=7),
        "its point-in-time recovery is off, declared is on for 7 days",
    ),
    (
        music(point_in_time_recovery=7),
        music(point_in_time_recovery=14),
        "its point-in-time recovery is on for 7 days, declared is on for 14 days",
    ),
    (
        music(point_in_time_recovery=True),
        music(point_in_time_recovery=False),
        "its point-in-time recovery is on for 35 days, declared is off",
    ),
    (
        music(),
        music(table_class="infrequent access"),
        "its class is STANDARD, declared is STANDARD_INFREQUENT_ACCESS",
    ),
]


@pytest.mark.parametrize(
    ("stored", "declared", "sentence"), CHANGES, ids=lambda each: str(each)[:60]
)
def test_each_difference_is_said_and_update_takes_it_away(
    stored: Table, declared: Table, sentence: str
):
    service = Service(stored)

    changes = service.diff(declared)
    made = service.update(declared, destructive=True)

    assert [change.difference for change in changes] == [sentence]
    assert made == changes
    assert service.diff(declared) == []


@pytest.mark.parametrize(
    ("stored", "declared", "sentence"), CHANGES, ids=lambda each: str(each)[:60]
)
def test_what_is_destructive_is_refused_before_anything_is_changed(
    stored: Table, declared: Table, sentence: str
):
    service = Service(stored)
    [change] = service.diff(declared)

    if not change.destructive:
        assert service.update(declared) == [change]
        return
    with pytest.raises(
        ChangeRefused, match="destructive=True allows what is destructive"
    ) as caught:
        service.update(declared)

    assert caught.value.changes == [change]
    assert service.changes() == []


def test_exactly_what_loses_something_is_destructive():
    destructive = {
        sentence
        for stored, declared, sentence in CHANGES
        for change in Service(stored).diff(declared)
        if change.destructive
    }

    assert {sentence.split(", declared")[0] for sentence in destructive} == {
        "it has the global index 'by-genre', not declared",
        "the key of index 'by-genre' is (genre)",
        "index 'by-genre' projects all",
        "key attribute 'year' is of type S",
        "its time to live is off",
        "its time to live is on attribute 'old'",
        "its stream is of 'new'",
        "its point-in-time recovery is on for 35 days",
    } | {"it has the global index 'by-genre', not declared"}


def test_true_is_satisfied_with_any_number_of_days():
    assert Service(music(point_in_time_recovery=7)).diff(music(point_in_time_recovery=True)) == []


# --- One step at a time -------------------------------------------------------------------------


def test_several_indexes_are_dropped_one_by_one_and_then_created_one_by_one():
    old = [GlobalIndex(f"old-{n}", partition_key=f"o{n}") for n in range(3)]
    new = [GlobalIndex(f"new-{n}", partition_key=f"n{n}") for n in range(3)]
    service = Service(music(*old))

    service.update(music(*new), destructive=True)

    kinds = [next(iter(each["GlobalSecondaryIndexUpdates"][0])) for each in service.changes()]
    assert kinds == ["Delete"] * 3 + ["Create"] * 3
    assert service.diff(music(*new)) == []


def test_each_step_waits_until_the_table_and_its_indexes_are_active():
    service = Service(music(), slow=5)
    declared = music(GENRE, YEAR, stream="new", deletion_protection=True)

    service.update(declared)

    assert "ResourceInUseException" not in str(service.asked)
    between = [call.operation for call in service.asked]
    first = between.index("update_table")
    assert between[first : first + 6] == ["update_table", *["describe_table"] * 5]


def test_an_index_key_of_another_type_is_dropped_everywhere_before_it_is_created():
    """Two indexes with one attribute: its type is free only when neither is there."""
    by_both = GlobalIndex("by-both", partition_key="genre", sort_key="year")
    service = Service(music(YEAR, by_both))
    declared = music(YEAR, by_both, types={"year": "N"})

    service.update(declared, destructive=True)

    assert service.diff(declared) == []


def test_backups_begin_before_anything_is_dropped_and_end_after():
    service = Service(music(GENRE, point_in_time_recovery=True))
    service.update(music(YEAR, point_in_time_recovery=False), destructive=True)
    assert "PointInTimeRecoverySpecification" in service.changes()[-1]

    service = Service(music(GENRE))
    service.update(music(YEAR, point_in_time_recovery=True), destructive=True)
    assert "PointInTimeRecoverySpecification" in service.changes()[0]


@pytest.mark.parametrize("on", [True, False])
def test_deletion_protection_comes_last(on: bool):
    """DynamoDB Local forgets it with every change that does not repeat it."""
    service = Service(music(GENRE, deletion_protection=not on))

    service.update(music(YEAR, deletion_protection=on, stream="new"), destructive=True)

    assert service.changes()[-1] == {"DeletionProtectionEnabled": on}


def test_another_time_to_live_waits_until_the_old_one_is_off():
    service = Service(music(ttl="old"))

    service.update(music(ttl="new"), destructive=True)

    assert service.ttl == {"music": ("ENABLING", "new")}
    asked = [call.operation for call in service.asked]
    off = asked.index("update_time_to_live")
    assert "describe_time_to_live" in asked[off + 1 : asked.index("update_time_to_live", off + 1)]


def test_a_time_to_live_that_was_just_changed_is_tried_until_the_service_takes_it():
    """After a change the service takes no other one for up to an hour, and has no code for that."""
    service = Service(music())
    answers = iter([True, True, False])

    def too_soon(call: Call) -> None:
        if call.operation == "update_time_to_live" and next(answers):
            raise Service._invalid(
                "UpdateTimeToLive",
                "Time to live has been modified multiple times within a fixed interval",
                "music",
            )

    service.before = too_soon

    service.update(music(ttl="expires"), destructive=True)

    assert service.ttl == {"music": ("ENABLING", "expires")}


def test_a_busy_service_is_asked_again():
    service = Service(music())
    answers = iter(["LimitExceededException", "ResourceInUseException", ""])

    def busy(call: Call) -> None:
        if call.operation == "update_table" and (code := next(answers)):
            raise ServiceError("UpdateTable", code, "later", "music")

    service.before = busy

    service.update(music(GENRE))

    assert service.diff(music(GENRE)) == []


def test_a_step_that_another_process_has_taken_meanwhile_is_not_taken_again():
    service = Service(music())

    def other_process(call: Call) -> None:
        if call.operation == "update_table" and not service.there["music"].get(
            "GlobalSecondaryIndexes"
        ):
            service._update_table(
                "music",
                TableName="music",
                **{k: v for k, v in call.parameters.items() if k != "TableName"},
            )

    service.before = other_process

    service.update(music(GENRE))

    assert service.diff(music(GENRE)) == []


def test_a_refusal_that_is_no_race_is_raised():
    service = Service(music())

    def refuse(call: Call) -> None:
        if call.operation == "update_table":
            raise Service._invalid("UpdateTable", "your account may not", "music")

    service.before = refuse

    with pytest.raises(InvalidRequest, match="your account may not"):
        service.update(music(GENRE))


def test_an_interrupted_update_is_finished_by_another_call():
    service = Service(music())
    declared = music(GENRE, YEAR, stream="new")
    calls = iter(range(99))

    def interrupt(call: Call) -> None:
        if call.operation == "update_table" and next(calls) == 1:
            raise KeyboardInterrupt

    service.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        service.update(declared)
    service.before = lambda call: None

    remaining = service.update(declared)

    assert 0 < len(remaining) < 3
    assert service.diff(declared) == []


def test_waiting_ends_when_the_time_is_up_and_says_what_the_table_is_at():
    service = Service(music(), slow=10_000)

    with pytest.raises(TableNotReady) as caught:
        service.update(music(GENRE), timeout=timedelta(minutes=3))

    assert str(caught.value) == (
        "table 'music' was not ready after 0:03:00: UPDATING, index 'by-genre' CREATING, being "
        "filled; the service goes on by itself, and session.tables.update(...) goes on from there"
    )
    assert 180 <= service._clock < 190


def test_without_a_time_an_index_may_take_hours():
    service = Service(music(), slow=5_000)

    service.update(music(GENRE))

    assert service._clock > 3600
    assert service.diff(music(GENRE)) == []


# --- What is not possible -----------------------------------------------------------------------

LOCAL = LocalIndex("by-plays", sort_key="plays")


@pytest.mark.parametrize(
    ("stored", "declared", "sentence"),
    [
        (
            music(),
            attrs.evolve(PLAIN, sort_key="year"),
            "its key is (artist, title), declared is (artist, year): "
            "the key of a table cannot be changed",
        ),
        (
            music(),
            music(types={"title": "N"}),
            "key attribute 'title' is of type S, declared is N: "
            "the key of a table cannot be changed",
        ),
        (music(), music(LOCAL), "it has no local index 'by-plays', which is declared: a local"),
        (music(LOCAL), music(), "it has the local index 'by-plays', not declared: a local"),
        (
            music(LOCAL),
            music(attrs.evolve(LOCAL, projection="keys")),
            "index 'by-plays' projects all, declared is keys: a local",
        ),
        (
            music(LOCAL),
            music(GlobalIndex("by-plays", partition_key="plays")),
            "index 'by-plays' is local, declared is global: a local",
        ),
    ],
    ids=lambda each: str(each)[:50],
)
def test_what_the_service_cannot_change_is_refused_even_if_destructive(
    stored: Table, declared: Table, sentence: str
):
    service = Service(stored)

    with pytest.raises(ChangeRefused) as caught:
        service.update(declared, destructive=True)

    assert str(caught.value).startswith(f"table 'music' was left as it is: {sentence}")
    assert "destructive=True" not in str(caught.value)
    assert [change.possible for change in caught.value.changes] == [False]
    assert service.changes() == []


def test_a_refusal_for_one_table_leaves_the_others_alone():
    other = Table("other", partition_key="id")
    service = Service(other, music(GENRE))

    with pytest.raises(ChangeRefused):
        service.update(attrs.evolve(other, stream="new"), music())

    assert service.changes() == []


def test_a_refused_change_is_caught_as_a_table_that_differs():
    with pytest.raises(TableDiffers):
        Service(music(GENRE)).update(music())


def test_an_index_of_a_provisioned_table_whose_billing_is_not_declared_gets_the_tables_capacity():
    service = Service(music(billing=Provisioned(read=5, write=2)))

    service.update(music(GENRE))

    [change] = service.changes()
    [update] = change["GlobalSecondaryIndexUpdates"]
    capacity = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 2}
    assert update["Create"]["ProvisionedThroughput"] == capacity
    assert service.diff(music(GENRE)) == []


def test_an_index_that_is_created_anew_keeps_its_capacity():
    own = attrs.evolve(GENRE, billing=Provisioned(read=7, write=3))
    service = Service(music(own, billing=Provisioned(read=5, write=2)))

    service.update(music(attrs.evolve(GENRE, projection="keys")), destructive=True)

    [index] = service.there["music"]["GlobalSecondaryIndexes"]
    assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    assert index["ProvisionedThroughput"] == {"ReadCapacityUnits": 7, "WriteCapacityUnits": 3}


# --- Models and engines -------------------------------------------------------------------------


def test_diff_and_update_take_models():
    @model("zoo", indexes=[GlobalIndex("by-name", partition_key="name")])
    class Lion:
        id: str = partition_key()
        name: str = ""

    service = Service(Table("zoo", partition_key="id"))

    assert [str(change) for change in service.diff(Lion)] == [
        "it has no global index 'by-name', which is declared: "
        "create it, and wait until it is filled"
    ]
    service.update(Lion)
    assert service.diff(Lion) == []


def test_two_declarations_of_one_table_put_their_settings_together():
    service = Service()

    service.create(music(stream="new"), music(deletion_protection=True))

    assert service.diff(music(stream="new", deletion_protection=True)) == []
    with pytest.raises(ModelError, match="keys, indexes, time to live or settings differently"):
        service.create(music(stream="new"), music(stream="old"))


class NoBackups(Service):
    """An engine like DynamoDB Local."""

    def _describe_continuous_backups(self, name: str, **_: Any) -> dict[str, Any]:
        raise ServiceError("DescribeContinuousBackups", "UnknownOperationException", "?", name)

    _update_continuous_backups = _describe_continuous_backups  # type: ignore[assignment]


def test_an_engine_without_point_in_time_recovery_is_warned_of(
    caplog: pytest.LogCaptureFixture,
):
    """The same declaration serves production and DynamoDB Local."""
    service = NoBackups()
    declared = music(point_in_time_recovery=True)

    service.create(declared)

    assert "music: this engine has no point-in-time recovery, it is left out" in caplog.text
    assert service.diff(declared) == []
    assert service.update(declared) == []


def test_dynamodb_local_is_not_asked_for_what_it_does_not_keep():
    service = Service(music())
    service.there["music"]["TableArn"] = "arn:aws:dynamodb:ddblocal:000000000000:table/music"

    assert service.diff(music(table_class="infrequent access", billing=OnDemand(max_read=9))) == []


# --- Declarations -------------------------------------------------------------------------------


def refused() -> Iterator[tuple[Callable[[], Any], str]]:
    yield lambda: music(billing="on demand"), "write OnDemand"
    yield lambda: music(stream="all"), "write 'keys', 'new', 'old', 'new and old', or False"
    yield lambda: music(stream=True), "write 'keys', 'new', 'old', 'new and old', or False"
    yield lambda: music(deletion_protection="yes"), "write a bool"
    yield lambda: music(point_in_time_recovery=36), "for how many days, 1 to 35"
    yield lambda: music(point_in_time_recovery=0), "for how many days, 1 to 35"
    yield lambda: music(table_class="cold"), "write 'standard' or 'infrequent access'"
    yield lambda: Provisioned(read=0, write=1), "read=0: capacity is a whole number"
    yield lambda: Provisioned(read=1, write=None), "write=None: capacity is a whole number"  # type: ignore[arg-type]
    yield lambda: OnDemand(max_read=1.5), "max_read=1.5: capacity is a whole number"  # type: ignore[arg-type]
    yield lambda: attrs.evolve(GENRE, billing=5), r"GlobalIndex\('by-genre'\): billing=5"
    yield (
        lambda: music(attrs.evolve(GENRE, billing=Provisioned(read=1, write=1))),
        "index 'by-genre' is billed as provisioned, 1 read and 1 write units, the table as on demand",
    )


@pytest.mark.parametrize(("declare", "message"), list(refused()))
def test_settings_that_mean_nothing_are_refused_at_once(declare: Callable[[], Any], message: str):
    with pytest.raises(ModelError, match=message):
        declare()
