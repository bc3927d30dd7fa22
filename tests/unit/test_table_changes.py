"""`session.tables.diff` and `update`: what is found, what is asked, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
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
from dynattrs.operations.flows import Call
from table_service import Service

GENRE = GlobalIndex("by-genre", partition_key="genre")
YEAR = GlobalIndex("by-year", partition_key="year")
PLAIN = Table("music", partition_key="artist", sort_key="title", types={})


def music(*indexes: Any, types: Any = None, **settings: Any) -> Table:
    return attrs.evolve(PLAIN, indexes=indexes, types=types or {}, **settings)


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
    (
        music(ttl="expires"),
        music(ttl=False),
        "its time to live is on attribute 'expires', declared is off",
    ),
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
        "its time to live is on attribute 'expires'",
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


def test_some_settings_are_compared_alone():
    service = Service(music(stream="new", deletion_protection=False))
    declared = music(stream="old", deletion_protection=True)

    assert [each.setting for each in service.diff(declared, only="stream")] == ["stream"]
    assert len(service.diff(declared, only=["stream", "deletion_protection"])) == 2
    with pytest.raises(ModelError, match="the Table does not declare it"):
        service.diff(declared, only="ttl")
    with pytest.raises(NoSuchTable):
        Service().diff(declared, only="stream")


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
    yield lambda: music(ttl=True), "ttl=True: the name of an attribute is expected, or False"
    yield lambda: music(ttl=""), "ttl='': the name of an attribute is expected, or False"
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
