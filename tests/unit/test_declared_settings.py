"""What a declaration of a table says, and what it does not: the latter is not compared or changed."""

from __future__ import annotations

import copy
import itertools
import pickle
from typing import Any, get_args

import attrs
import pytest

from dynattrs import (
    ChangeRefused,
    GlobalIndex,
    KinesisStream,
    ModelError,
    NoSuchTable,
    OnDemand,
    Provisioned,
    Replicas,
    Table,
    TableDiffers,
    WarmThroughput,
    field,
    model,
    partition_key,
)
from dynattrs.schema.table import UNSAID, TableSetting, says
from table_service import Service

GENRE = GlobalIndex("by-genre", partition_key="genre")

POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
            "Action": "dynamodb:GetItem",
            "Resource": "*",
        }
    ],
}

#: What each setting is on, or off.
ON: dict[TableSetting, Any] = {
    "indexes": (GENRE,),
    "ttl": "expires",
    "billing": Provisioned(read=5, write=2),
    "stream": "new",
    "deletion_protection": True,
    "point_in_time_recovery": 7,
    "table_class": "infrequent access",
    "warm_throughput": WarmThroughput(read=20_000, write=5_000),
    "tags": {"team": "shop"},
    "encryption": "12345678-1234-1234-1234-123456789012",
    "resource_policy": POLICY,
    "replicas": Replicas(["eu-central-1", "us-east-1"], consistency="strong"),
    "contributor_insights": "throttled",
    "kinesis": KinesisStream(
        "arn:aws:kinesis:eu-west-1:111111111111:stream/shop", precision="microsecond"
    ),
}
OFF: dict[TableSetting, Any] = {
    "indexes": (),
    "ttl": False,
    "billing": OnDemand(),
    "stream": False,
    "deletion_protection": False,
    "point_in_time_recovery": False,
    "table_class": "standard",
    "warm_throughput": WarmThroughput(read=12_000),
    "tags": {"team": None},
    "encryption": "owned",
    "resource_policy": False,
    "replicas": Replicas(),
    "contributor_insights": False,
    "kinesis": False,
}
SETTINGS: tuple[TableSetting, ...] = get_args(TableSetting)


def table(**settings: Any) -> Table:
    return Table("music", partition_key="artist", sort_key="title", **settings)


def test_each_setting_is_among_these():
    others = {
        "name", "partition_key", "sort_key", "types", "facets", "attributes", "sample_items",
        "discriminator", "members",
    }  # fmt: skip
    assert {each.name for each in attrs.fields(Table)} - others == set(SETTINGS)
    assert set(ON) == set(OFF) == set(SETTINGS)


@pytest.mark.parametrize("stored", [ON, OFF], ids=["on", "off"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_what_is_not_said_is_not_compared_or_changed(setting: TableSetting, stored: Any):
    service = Service(table(**{name: stored[name] for name in SETTINGS}))
    silent = table(**{name: stored[name] for name in SETTINGS if name != setting})

    assert not says(silent, setting)
    service.create(silent)
    assert service.diff(silent) == []
    assert service.update(silent, destructive=True) == []
    service.create(table())
    assert service.update(table(), destructive=True) == []
    assert service.changes() == []
    assert service.diff(table(**{setting: stored[setting]})) == []


@pytest.mark.parametrize("said", [ON, OFF], ids=["said on", "said off"])
@pytest.mark.parametrize("stored", [ON, OFF], ids=["is on", "is off"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_what_is_said_is_compared_and_changed_alone(setting: TableSetting, stored: Any, said: Any):
    """Whether on or off, in a table that has all other settings."""
    service = Service(table(**{**ON, setting: stored[setting]}))
    declared = table(**{setting: said[setting]})
    # What is warm stays so: the least of it is declared.
    differs = stored is not said and not (setting == "warm_throughput" and said is OFF)

    found = service.diff(declared)
    assert [change.setting for change in found] == [setting] * differs
    if differs:
        with pytest.raises(TableDiffers):
            service.create(declared)
    else:
        service.create(declared)
    assert service.changes() == []

    assert service.update(declared, destructive=True) == found
    service.create(declared)
    assert service.diff(table(**{**ON, setting: said[setting]})) == []


@pytest.mark.parametrize("setting", SETTINGS)
def test_one_setting_is_changed_alone(setting: TableSetting):
    service = Service(table(**OFF))

    made = service.update(table(**ON), only=setting, destructive=True)

    assert {change.setting for change in made} == {setting}
    assert {change.setting for change in service.diff(table(**ON))} == set(SETTINGS) - {setting}


@pytest.mark.parametrize("there", [ON, OFF], ids=["provisioned", "on demand"])
def test_an_index_alone_is_billed_as_its_table_is(there: Any):
    """The service takes no other; the table's own billing is to stay."""
    service = Service(table(billing=there["billing"]))
    declared = table(indexes=[GENRE], billing=(OFF if there is ON else ON)["billing"])

    service.update(declared, only="indexes")

    assert [change.setting for change in service.diff(declared)] == ["billing"]


def test_several_settings_are_changed_together():
    service = Service(table(**OFF))

    made = service.update(table(**ON), only=["stream", "billing"])

    assert {change.setting for change in made} == {"stream", "billing"}


def test_what_is_destructive_elsewhere_does_not_stand_in_the_way():
    service = Service(table(indexes=[GENRE]))
    declared = table(indexes=[], stream="new")
    with pytest.raises(ChangeRefused):
        service.update(declared)

    service.update(declared, only="stream")

    assert [change.setting for change in service.diff(declared)] == ["indexes"]


def test_a_time_to_live_is_switched_off_only_where_that_is_allowed():
    service = Service(table(ttl="expires"))

    with pytest.raises(ChangeRefused, match="switch it off, which keeps"):
        service.update(table(ttl=False))
    assert service.changes() == []

    service.update(table(ttl=False), destructive=True)
    assert service.diff(table(ttl=False)) == []


def test_another_key_is_another_table():
    service = Service(table())
    other = Table("music", partition_key="id", stream="new")

    with pytest.raises(ChangeRefused, match="its key is"):
        service.update(other, only="stream")


def test_the_billing_of_an_index_says_nothing_of_the_table_and_of_other_indexes():
    year = GlobalIndex("by-year", partition_key="year")
    stored = [
        attrs.evolve(GENRE, billing=OnDemand(max_read=9)),
        attrs.evolve(year, billing=OnDemand(max_read=50)),
    ]
    service = Service(table(indexes=stored, billing=OnDemand(max_read=100)))
    declared = table(indexes=[attrs.evolve(GENRE, billing=OnDemand(max_read=9)), year])

    service.create(declared)

    assert service.update(declared, destructive=True) == []


def test_an_index_without_a_projection_is_of_whole_items():
    """Queries make whole objects of it, so it is compared."""
    service = Service(table(indexes=[attrs.evolve(GENRE, projection="keys")]))

    with pytest.raises(TableDiffers, match="projects keys, declared is all"):
        service.create(table(indexes=[GENRE]))


@pytest.mark.parametrize(
    ("only", "message"),
    [
        ("streams", "only='streams' is not a setting of a table; did you mean 'stream'"),
        (["stream", "name"], "only='name' is not a setting of a table"),
        ([3], "only=3 is not a setting of a table"),
        ([], r"only=\[\]: name at least one setting"),
        ("ttl", "table 'music': only='ttl': the Table does not declare it"),
    ],
)
def test_only_takes_settings_that_are_said(only: Any, message: str):
    service = Service(table(ttl="expires"))

    with pytest.raises(ModelError, match=message):
        service.update(table(stream="new"), only=only)
    assert service.changes() == []


def test_one_setting_of_a_missing_table_cannot_be_changed():
    service = Service()

    with pytest.raises(NoSuchTable):
        service.update(table(stream="new"), only="stream")
    assert service.changes() == []


# --- Models -------------------------------------------------------------------------------------


def test_a_model_says_its_indexes_and_its_time_to_live_or_does_not():
    @model("music")
    class Silent:
        artist: str = partition_key()

    @model("music", indexes=[])
    class Plain:
        artist: str = partition_key()

    @model("music", indexes=[GENRE])
    class Speaking:
        artist: str = partition_key()
        genre: str = ""
        expires: int = field(ttl=True, default=0)

    service = Service(Table("music", partition_key="artist", indexes=[GENRE], ttl="expires"))

    service.create(Silent)
    service.create(Speaking)
    service.create(Silent, Speaking)
    assert service.update(Silent, destructive=True) == []
    assert [change.difference for change in service.diff(Plain)] == [
        "it has the global index 'by-genre', not declared"
    ]
    assert service.diff(Silent, Plain) == service.diff(Plain, Silent) == service.diff(Plain)


@pytest.mark.parametrize("indexes", [UNSAID, (), (GENRE,)], ids=["unsaid", "none", "one"])
def test_what_is_said_of_indexes_is_kept_by_copies(indexes: Any):
    declared = table(indexes=indexes)
    copies = [
        copy.copy(declared), copy.deepcopy(declared), attrs.evolve(declared, stream="new"),
        pickle.loads(pickle.dumps(declared)),
    ]  # fmt: skip

    for one, other in itertools.pairwise([declared, *copies]):
        assert says(one, "indexes") == says(other, "indexes") == (indexes is not UNSAID)
        assert one.indexes == other.indexes
