"""Tags, encryption, policies, replicas, insights, Kinesis, warm throughput: what differs, what is asked,
in which order. DynamoDB Local has none of them, and the embedded engine forgets some.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs
import pytest

from dynattrs import (
    AccessDenied,
    ChangeRefused,
    GlobalIndex,
    KinesisStream,
    ModelError,
    Replica,
    Replicas,
    ServiceError,
    Table,
    TableNotReady,
    WarmThroughput,
    model,
    partition_key,
)
from dynattrs.operations.flows import Call
from table_service import Service

PLAIN = Table("music", partition_key="artist")
GENRE = GlobalIndex("by-genre", partition_key="genre")
OWN = "eu-west-1"
STREAM = "arn:aws:kinesis:eu-west-1:111111111111:stream/"
KEY = "arn:aws:kms:eu-west-1:111111111111:key/12345678-1234-1234-1234-123456789012"
NEW_AND_OLD = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}


def music(**settings: Any) -> Table:
    return attrs.evolve(PLAIN, **settings)


def policy(*actions: str, **more: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": "*", "Action": [*actions], "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement | more]}


def updated(service: Service, table: Table, **options: Any) -> list[dict[str, Any]]:
    """What is asked to bring a table to its declaration, after which nothing is left to do."""
    service.asked.clear()
    service.update(table, **options)
    changes = service.changes()
    assert service.diff(table) == []
    return changes


# --- Replicas -----------------------------------------------------------------------------------


def test_replicas_are_made_one_at_a_time_after_the_stream_that_feeds_them():
    service = Service(PLAIN)

    asked = updated(service, music(replicas=["eu-central-1", "us-east-1"]))

    assert asked == [
        {"StreamSpecification": NEW_AND_OLD},
        {"ReplicaUpdates": [{"Create": {"RegionName": "eu-central-1"}}]},
        {"ReplicaUpdates": [{"Create": {"RegionName": "us-east-1"}}]},
    ]


def test_a_new_table_gets_its_replicas_when_it_is_there():
    service = Service()
    table = music(replicas=["eu-central-1"])

    service.create(table)
    service.create(table)

    assert service.diff(table) == []
    assert service.there["music"]["StreamSpecification"] == NEW_AND_OLD


def test_the_own_region_may_be_named_among_the_replicas():
    """One declaration serves the sessions of all regions."""
    service = Service(music(replicas=["eu-central-1"]))

    assert service.diff(music(replicas=[OWN, "eu-central-1"])) == []


def test_a_replica_that_is_not_declared_is_dropped_before_others_are_made():
    service = Service(music(replicas=["eu-central-1", "us-east-1"]))
    declared = music(replicas=["us-east-1", "us-west-2"])

    with pytest.raises(ChangeRefused, match="a replica in eu-central-1, not declared"):
        service.update(declared)
    asked = updated(service, declared, destructive=True)

    assert asked == [
        {"ReplicaUpdates": [{"Delete": {"RegionName": "eu-central-1"}}]},
        {"ReplicaUpdates": [{"Create": {"RegionName": "us-west-2"}}]},
    ]


@pytest.mark.parametrize("none", [[], False, Replicas()], ids=str)
def test_no_replicas_are_said_so(none: Any):
    service = Service(music(replicas=["eu-central-1"]))

    assert len(updated(service, music(replicas=none), destructive=True)) == 1


def test_what_a_replica_says_for_itself_is_changed():
    service = Service(music(indexes=[GENRE], replicas=["eu-central-1"]))
    replica = Replica(
        "eu-central-1",
        kms_key=KEY,
        max_read=10,
        table_class="infrequent access",
        index_max_read={"by-genre": 5},
    )

    [change] = service.diff(music(replicas=[replica]))
    assert change.difference == (
        "its replica in eu-central-1 differs in its key and its class and its capacity"
    )
    assert updated(service, music(replicas=[replica])) == [
        {
            "ReplicaUpdates": [
                {
                    "Update": {
                        "RegionName": "eu-central-1",
                        "KMSMasterKeyId": KEY,
                        "OnDemandThroughputOverride": {"MaxReadRequestUnits": 10},
                        "GlobalSecondaryIndexes": [
                            {
                                "IndexName": "by-genre",
                                "OnDemandThroughputOverride": {"MaxReadRequestUnits": 5},
                            }
                        ],
                        "TableClassOverride": "STANDARD_INFREQUENT_ACCESS",
                    }
                }
            ]
        }
    ]
    assert service.diff(music(replicas=["eu-central-1"])) == []


@pytest.mark.parametrize("witness", [None, "us-west-2"])
def test_strongly_consistent_replicas_are_made_together(witness: str | None):
    service = Service(PLAIN)
    regions = ["us-east-1"] if witness else ["us-east-1", "us-east-2"]
    declared = music(replicas=Replicas(regions, consistency="strong", witness=witness))

    [asked] = updated(service, declared)

    assert asked["MultiRegionConsistency"] == "STRONG"
    assert [each["Create"]["RegionName"] for each in asked["ReplicaUpdates"]] == regions
    wanted = [{"Create": {"RegionName": witness}}] if witness else None
    assert asked.get("GlobalTableWitnessUpdates") == wanted


def test_strongly_consistent_replicas_are_dropped_together():
    there = music(replicas=Replicas(["us-east-1"], consistency="strong", witness="us-west-2"))
    service = Service(there)

    [asked] = updated(service, music(replicas=[]), destructive=True)

    assert asked == {
        "ReplicaUpdates": [{"Delete": {"RegionName": "us-east-1"}}],
        "GlobalTableWitnessUpdates": [{"Delete": {"RegionName": "us-west-2"}}],
    }


@pytest.mark.parametrize(
    "stored",
    [
        Replicas(["us-east-1"]),
        Replicas(["us-east-1", "us-west-2"], consistency="strong"),
        Replicas(["us-east-1"], consistency="strong", witness="us-west-2"),
    ],
    ids=["eventual", "other regions", "with a witness"],
)
def test_what_is_fixed_of_replicas_is_impossible(stored: Replicas):
    service = Service(music(replicas=stored))
    declared = music(replicas=Replicas(["us-east-1", "us-east-2"], consistency="strong"))

    with pytest.raises(ChangeRefused) as caught:
        service.update(declared, destructive=True)

    [change] = caught.value.changes
    assert (change.possible, change.setting) == (False, "replicas")
    assert service.changes() == []


def test_a_strongly_consistent_table_has_three_regions_with_its_own():
    service = Service(PLAIN)
    declared = music(replicas=Replicas([OWN, "us-east-1"], consistency="strong"))

    with pytest.raises(ChangeRefused, match="two other regions are expected, 1 are declared"):
        service.update(declared)


def test_a_replica_that_could_not_be_created_is_an_error_and_made_anew():
    service = Service(PLAIN)
    declared = music(replicas=["us-east-1"])

    def fails(call: Call) -> None:
        for each in service.there["music"].get("Replicas", ()):
            each |= {"ReplicaStatus": "CREATION_FAILED", "ReplicaStatusDescription": "no key"}

    service.before = fails
    # The service settles it to be active otherwise.
    service._settle = lambda name: service.there[name].update(TableStatus="ACTIVE")  # type: ignore[method-assign]
    with pytest.raises(ServiceError, match="no key"):
        service.update(declared)

    [change] = service.diff(declared)
    assert change.difference == "its replica in us-east-1 could not be created: no key"
    del service._settle
    service.before = lambda call: None
    assert updated(service, declared) == [
        {"ReplicaUpdates": [{"Delete": {"RegionName": "us-east-1"}}]},
        {"ReplicaUpdates": [{"Create": {"RegionName": "us-east-1"}}]},
    ]


def test_a_wait_says_what_it_waits_for():
    service = Service(PLAIN, slow=10_000)

    with pytest.raises(TableNotReady, match="replica in us-east-1 CREATING"):
        service.there["music"]["Replicas"] = [
            {"RegionName": "us-east-1", "ReplicaStatus": "CREATING"}
        ]
        service._settle = lambda name: None  # type: ignore[method-assign]
        service.update(music(tags={"a": "b"}), timeout=timedelta(seconds=5))


@pytest.mark.parametrize(
    ("declare", "problem"),
    [
        (lambda: Replicas(["us-east-1", "us-east-1"]), "named twice"),
        (lambda: Replicas(["Virginia"]), "the name of an AWS region"),
        (lambda: Replicas([1]), "a region or a Replica is expected"),
        (lambda: Replicas(["us-east-1"], witness="us-east-2"), "a witness belongs to"),
        (lambda: Replicas(["us-east-1"], consistency="strong"), "takes 3 regions"),
        (lambda: Replicas(["us-east-1"], consistency="some"), "write 'eventual' or 'strong'"),
        (lambda: Replica("us-east-1", read=0), "capacity is a whole number"),
        (lambda: Replica("us-east-1", index_read={"a": "1"}), "capacity is a whole number"),
        (lambda: Replica("us-east-1", table_class="cheap"), "table_class='cheap'"),
        (lambda: Replica("us-east-1", kms_key="alias/shop"), "an alias says not which key"),
        (lambda: music(replicas=["us-east-1"], stream="keys"), "a stream of 'new and old'"),
        (lambda: music(replicas=["us-east-1"], stream=False), "a stream of 'new and old'"),
        (lambda: music(tags={"aws:x": "y"}), "AWS's own"),
        (lambda: music(tags={"": "y"}), "1 to 128 characters"),
        (lambda: music(tags={"a": 1}), "a text of up to 256 characters"),
        (lambda: music(tags={f"t{n}": "" for n in range(51)}), "51 tags"),
        (lambda: music(tags=["a"]), "a dict of texts is expected"),
        (lambda: music(encryption="alias/shop"), "an alias says not which key"),
        (lambda: music(encryption="ownd"), "write 'owned', 'managed', or the ARN"),
        (lambda: music(encryption=True), "write 'owned', 'managed', or the ARN"),
        (lambda: music(resource_policy="{"), "is not JSON"),
        (lambda: music(resource_policy={}), "with its Statement"),
        (lambda: music(resource_policy=True), "with its Statement"),
        (lambda: music(resource_policy=policy("x" * 21_000)), "20480 bytes"),
        (lambda: music(contributor_insights="all"), "'accessed and throttled', 'throttled'"),
        (lambda: music(kinesis="shop"), "the ARN of a stream is expected"),
        (lambda: music(kinesis=True), "a stream's ARN, a KinesisStream or False"),
        (lambda: KinesisStream(STREAM + "a", precision="second"), "'millisecond' or"),
        (lambda: music(warm_throughput=1000), "write WarmThroughput"),
        (WarmThroughput, "neither read nor write"),
        (lambda: WarmThroughput(read=0), "capacity is a whole number"),
        (lambda: GlobalIndex("by", partition_key="a", warm_throughput=1), "has 3 to 255"),
        (lambda: GlobalIndex("by-a", partition_key="a", warm_throughput=1), "write Warm"),
        (lambda: GlobalIndex("by-a", partition_key="a", contributor_insights="x"), "write"),
    ],
)
def test_what_no_table_has_is_refused_when_it_is_declared(declare: Any, problem: str):
    with pytest.raises(ModelError, match=problem):
        declare()


# --- The others ---------------------------------------------------------------------------------


def test_tags_that_are_not_named_are_left_alone():
    service = Service(music(tags={"team": "a", "stage": "x", "old": "y"}))

    asked = updated(service, music(tags={"team": "b", "new": "", "old": None, "gone": None}))

    assert asked == [
        {"Tags": [{"Key": "team", "Value": "b"}, {"Key": "new", "Value": ""}]},
        {"TagKeys": ["old"]},
    ]
    assert service.tags["music"] == {"team": "b", "stage": "x", "new": ""}


def test_models_of_one_table_may_each_name_tags():
    @model(music(tags={"team": "a", "old": None}))
    class One:
        artist: str = partition_key()

    @model(music(tags={"stage": "x"}))
    class Two:
        artist: str = partition_key()

    @model(music(tags={"team": "b"}))
    class Three:
        artist: str = partition_key()

    service = Service()
    service.create(One, Two)
    assert service.tags["music"] == {"team": "a", "stage": "x"}
    with pytest.raises(ModelError, match="declare its keys"):
        service.diff(One, Three)


@pytest.mark.parametrize(
    ("stored", "declared"),
    [
        ("owned", "managed"),
        ("owned", KEY),
        ("managed", KEY),
        (KEY, "owned"),
        (KEY, KEY.replace("1234", "4321")),
    ],
)
def test_another_key_is_changed(stored: str, declared: str):
    service = Service(music(encryption=stored))

    [asked] = updated(service, music(encryption=declared))

    assert asked["SSESpecification"]["Enabled"] == (declared != "owned")
    assert asked["SSESpecification"].get("KMSMasterKeyId", declared) == declared


def test_a_key_is_the_same_by_its_id_and_by_its_arn():
    service = Service(music(encryption=KEY))

    assert service.diff(music(encryption=KEY.rpartition("/")[2])) == []
    # The service does not tell which key AWS manages.
    assert service.diff(music(encryption="managed")) == []


def test_policies_that_say_the_same_are_the_same():
    service = Service(music(resource_policy=policy("dynamodb:GetItem", "dynamodb:Query")))
    same = policy("dynamodb:Query", "dynamodb:GetItem")
    same["Statement"] = same["Statement"][0]

    assert service.diff(music(resource_policy=same)) == []
    other = policy("dynamodb:Query")
    with pytest.raises(ChangeRefused, match="its resource policy is another one"):
        service.update(music(resource_policy=other))
    assert len(updated(service, music(resource_policy=other), destructive=True)) == 1
    assert updated(service, music(resource_policy=False), destructive=True) == [{}]
    assert "music" not in service.policies


def test_another_kinesis_stream_is_told_when_the_first_one_is_left():
    service = Service(music(kinesis=STREAM + "a"))
    declared = music(kinesis=KinesisStream(STREAM + "b", precision="microsecond"))

    assert updated(service, declared, destructive=True) == [
        {"StreamArn": STREAM + "a"},
        {
            "StreamArn": STREAM + "b",
            "EnableKinesisStreamingConfiguration": {
                "ApproximateCreationDateTimePrecision": "MICROSECOND"
            },
        },
    ]
    assert service.diff(music(kinesis=STREAM + "b")) == []
    [asked] = updated(service, music(kinesis=KinesisStream(STREAM + "b", precision="millisecond")))
    assert asked["UpdateKinesisStreamingConfiguration"]


def test_a_kinesis_stream_that_cannot_be_reached_is_an_error():
    service = Service(PLAIN)

    def fails(call: Call) -> None:
        for each in service.destinations.get("music", {}).values():
            each |= {"DestinationStatus": "ENABLE_FAILED", "DestinationStatusDescription": "gone"}

    service.before = fails
    with pytest.raises(ServiceError, match="gone"):
        service.update(music(kinesis=STREAM + "a"))


def test_insights_of_an_index_that_is_made_anew_are_switched_on_again():
    there = attrs.evolve(GENRE, contributor_insights="throttled")
    service = Service(music(indexes=[there]))
    declared = music(indexes=[attrs.evolve(there, sort_key="year")])

    asked = updated(service, declared, destructive=True)

    assert asked[-1] == {
        "IndexName": "by-genre",
        "ContributorInsightsAction": "ENABLE",
        "ContributorInsightsMode": "THROTTLED_KEYS",
    }
    assert len(asked) == 3


def test_warm_throughput_is_raised_and_never_lowered():
    service = Service(music(warm_throughput=WarmThroughput(read=20_000)))

    # It may have grown with the traffic.
    assert service.diff(music(warm_throughput=WarmThroughput(read=15_000, write=4_000))) == []
    assert updated(service, music(warm_throughput=WarmThroughput(read=15_000, write=9_000))) == [
        {"WarmThroughput": {"ReadUnitsPerSecond": 20_000, "WriteUnitsPerSecond": 9_000}}
    ]


def test_warm_throughput_of_an_index_is_created_and_raised():
    warm = attrs.evolve(GENRE, warm_throughput=WarmThroughput(read=13_000))
    service = Service(PLAIN)

    [created] = updated(service, music(indexes=[warm]))
    [update] = created["GlobalSecondaryIndexUpdates"]
    assert update["Create"]["WarmThroughput"] == {"ReadUnitsPerSecond": 13_000}

    warmer = attrs.evolve(GENRE, warm_throughput=WarmThroughput(write=6_000))
    [asked] = updated(service, music(indexes=[warmer]))
    assert asked["GlobalSecondaryIndexUpdates"] == [
        {"Update": {"IndexName": "by-genre", "WarmThroughput": {"WriteUnitsPerSecond": 6_000}}}
    ]


# --- What may not be asked ----------------------------------------------------------------------


def test_reflecting_leaves_out_what_may_not_be_asked(caplog: pytest.LogCaptureFixture):
    service = Service(music(tags={"a": "b"}, kinesis=STREAM + "a", contributor_insights=True))

    def refuses(call: Call) -> None:
        if call.operation in ("get_resource_policy", "list_tags_of_resource"):
            raise AccessDenied(call.operation, "AccessDeniedException", "not you", "music")

    service.before = refuses
    found = service.reflect("music")

    assert (found.tags, found.resource_policy) == (None, None)
    assert found.kinesis == KinesisStream(STREAM + "a")
    assert found.contributor_insights == "accessed and throttled"
    assert "tags is left out" in caplog.text
    with pytest.raises(AccessDenied):
        service.diff(music(tags={"a": "b"}))


@pytest.mark.parametrize(
    "settings",
    [
        {
            "indexes": [
                attrs.evolve(
                    GENRE,
                    contributor_insights="throttled",
                    warm_throughput=WarmThroughput(read=20_000, write=4_000),
                )
            ],
            "tags": {"team": "a"},
            "encryption": KEY,
            "resource_policy": policy("dynamodb:GetItem"),
            "contributor_insights": "throttled",
            "kinesis": KinesisStream(STREAM + "a", precision="microsecond"),
            "warm_throughput": WarmThroughput(read=20_000, write=5_000),
        },
        {
            "indexes": [GENRE],
            "replicas": Replicas(
                [
                    Replica("us-east-1", max_read=5, index_max_read={"by-genre": 3}),
                    Replica("us-east-2", table_class="infrequent access", kms_key=KEY),
                ]
            ),
        },
        {"replicas": Replicas(["us-east-1"], consistency="strong", witness="us-west-2")},
    ],
    ids=["everything", "replicas", "strong"],
)
def test_what_is_there_is_reflected(settings: dict[str, Any]):
    declared = music(**settings)
    found = Service(declared).reflect("music")

    for name, value in settings.items():
        reflected = getattr(found, name)
        assert (list(reflected) if name == "indexes" else reflected) == value
    service = Service(found)
    assert service.diff(declared) == service.diff(found) == []
