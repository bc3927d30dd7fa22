"""A table that is made as declared is reflected as declared, whatever was declared of it."""

from __future__ import annotations

import pickle
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st

from dynattrs import (
    GlobalIndex,
    KinesisStream,
    LocalIndex,
    OnDemand,
    Provisioned,
    Replica,
    Replicas,
    Table,
    WarmThroughput,
)
from dynattrs.tools import generation
from table_service import Service

NAMED = [
    GlobalIndex, KinesisStream, LocalIndex, OnDemand, Provisioned, Replica, Replicas, Table,
    WarmThroughput,
]  # fmt: skip
NAMES = [f"attribute-{letter}" for letter in "abcdefgh"]
UNITS = st.integers(1, 10)
PROJECTIONS: Any = st.sampled_from(["all", "keys", ["other"], ["other", "another"]])
#: More than every table has.
WARM = st.builds(WarmThroughput, read=st.integers(12_001, 50_000), write=st.integers(4_001, 9_000))
MODES: Any = ["accessed and throttled", "throttled"]
WORDS = st.text("abc'\"\\{}${", min_size=1, max_size=5)
KEY = "arn:aws:kms:eu-west-1:111111111111:key/12345678-1234-1234-1234-123456789012"
STREAM = "arn:aws:kinesis:eu-west-1:111111111111:stream/shop"
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Sid": 'It\'s "so"'}]}
REGIONS = ["us-east-1", "us-east-2", "us-west-2"]
REPLICAS = st.one_of(
    st.builds(
        Replicas,
        st.lists(
            st.builds(
                Replica,
                st.sampled_from(REGIONS),
                kms_key=st.none() | st.just(KEY),
                read=st.none() | UNITS,
                max_read=st.none() | UNITS,
                table_class=st.sampled_from([None, "infrequent access"]),
                index_read=st.dictionaries(st.just("global-0"), UNITS),
                index_max_read=st.dictionaries(st.just("global-1"), UNITS),
            ),
            min_size=1,
            max_size=3,
            unique_by=lambda replica: replica.region,
        ),
    ),
    st.sampled_from(
        [
            Replicas(REGIONS[:2], consistency="strong"),
            Replicas(REGIONS[:1], consistency="strong", witness="us-west-2"),
        ]
    ),
)


@st.composite
def tables(draw: Any) -> Table:
    """Tables that say everything."""
    names = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)
    key = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True))
    billings = draw(
        st.sampled_from(
            [
                st.builds(Provisioned, read=UNITS, write=UNITS),
                st.builds(OnDemand, max_read=st.none() | UNITS, max_write=st.none() | UNITS),
            ]
        )
    )
    billing = draw(billings)
    # A billing of an index that is the table's is the table's.
    others = st.none() | billings.filter(lambda own: own != billing)
    indexes: list[Any] = []
    for number in range(draw(st.integers(0, 3))):
        attributes = draw(names)
        split = draw(st.integers(1, len(attributes)))
        indexes.append(
            GlobalIndex(
                f"global-{number}", partition_key=attributes[:split], sort_key=attributes[split:],
                projection=draw(PROJECTIONS), billing=draw(others),
                warm_throughput=draw(st.none() | WARM),
                contributor_insights=draw(st.sampled_from([None, *MODES])),
            )
        )  # fmt: skip
    if len(key) == 2 and draw(st.booleans()):
        sort = draw(st.sampled_from([each for each in NAMES if each not in key]))
        indexes.append(LocalIndex("local", sort_key=sort, projection=draw(PROJECTIONS)))
    plain = Table(
        "plain",
        partition_key=key[0],
        sort_key=(key[1:] or [None])[0],
        indexes=indexes,
        billing=billing,
    )
    replicas = draw(st.none() | REPLICAS)
    streams = ["keys", "new", "old", "new and old", False]
    eventual = replicas is not None and replicas.consistency is None
    kinds = {name: draw(st.sampled_from("SNB")) for name in plain.key_attributes}
    return attrs.evolve(
        plain,
        types={name: kind for name, kind in kinds.items() if kind != "S"},
        ttl=draw(st.sampled_from(["expires", False])),
        stream="new and old" if eventual else draw(st.sampled_from(streams)),
        deletion_protection=draw(st.booleans()),
        point_in_time_recovery=draw(st.sampled_from([True, False, 7])),
        table_class=draw(st.sampled_from(["standard", "infrequent access"])),
        warm_throughput=draw(st.none() | WARM),
        tags=draw(st.none() | st.dictionaries(WORDS, WORDS, min_size=1, max_size=3)),
        encryption=draw(st.none() | st.just(KEY)),
        resource_policy=draw(st.sampled_from([False, POLICY])),
        replicas=replicas,
        contributor_insights=draw(st.sampled_from([False, *MODES])),
        kinesis=draw(
            st.just(False)
            | st.builds(
                KinesisStream, st.just(STREAM), precision=st.sampled_from([None, "microsecond"])
            )
        ),
    )


@given(tables())
def test_what_was_declared_is_reflected(table: Table):
    service = Service(table)

    found = service.reflect("plain")

    assert found == table
    assert dict(found.types) == dict(table.types)
    assert service.diff(found) == []


@given(tables())
def test_the_source_of_a_reflected_table_declares_it(table: Table):
    """What is off as on a new table is left out of it, and only that."""
    namespace: dict[str, Any] = {"__name__": "generated"}
    exec(generation.models([table]), namespace)

    [found] = [each for each in namespace.values() if isinstance(each, Table)]

    assert dict(found.types) == dict(table.types)
    assert found.key == table.key
    assert found.indexes == table.indexes
    assert (found.ttl or False, found.billing) == (table.ttl, table.billing)
    assert (found.stream or False) == table.stream
    assert bool(found.deletion_protection) == table.deletion_protection
    assert (found.point_in_time_recovery or False) == table.point_in_time_recovery
    assert (found.table_class or "standard") == table.table_class
    for setting in ("warm_throughput", "tags", "encryption", "replicas"):
        assert getattr(found, setting) == getattr(table, setting)
    for setting in ("resource_policy", "contributor_insights", "kinesis"):
        assert (getattr(found, setting) or False) == getattr(table, setting)


@given(tables())
def test_a_declaration_is_written_as_a_program_would_write_it(table: Table):
    """Its `repr` is the source of its like."""
    names = {each.__name__: each for each in NAMED}
    again = eval(repr(table), names)

    assert (again, dict(again.types)) == (table, dict(table.types))
    assert hash(again) == hash(table)
    assert pickle.loads(pickle.dumps(table)) == table


def test_an_index_that_is_being_deleted_is_none():
    table = Table("plain", partition_key="pk", indexes=[GlobalIndex("one", partition_key="other")])
    described = table.create_arguments() | {
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"}
    }
    described["GlobalSecondaryIndexes"][0]["IndexStatus"] = "DELETING"

    found = Table.from_description(described)

    assert found.indexes == ()
    assert found.key_attributes == ("pk",)
