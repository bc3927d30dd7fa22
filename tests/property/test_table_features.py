"""Whatever features a table has, and whatever others are declared, `update` brings it there, in steps that
the service takes one at a time.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dynattrs import (
    ChangeRefused,
    GlobalIndex,
    KinesisStream,
    Replica,
    Replicas,
    Table,
    WarmThroughput,
)
from table_service import Service

KEYS = [
    f"arn:aws:kms:eu-west-1:111111111111:key/{digit * 8}-1234-1234-1234-123456789012"
    for digit in "12"
]
STREAMS = [f"arn:aws:kinesis:eu-west-1:111111111111:stream/{name}" for name in ("a", "b")]
POLICIES: Any = [
    {"Version": "2012-10-17", "Statement": [{"Effect": effect}]} for effect in ("Allow", "Deny")
]
INSIGHTS: Any = st.sampled_from([None, False, True, "throttled", "accessed and throttled"])
WARM = st.none() | st.builds(
    WarmThroughput, read=st.integers(1, 30_000), write=st.integers(1, 9_000)
)
EVENTUAL = st.lists(
    st.builds(
        Replica,
        st.sampled_from(["us-east-1", "us-east-2", "us-west-2", "eu-west-1"]),
        max_read=st.none() | st.integers(1, 5),
        table_class=st.sampled_from([None, "standard", "infrequent access"]),
    ),
    max_size=3,
    unique_by=lambda replica: replica.region,
).map(Replicas)
STRONG = st.sampled_from(
    [
        Replicas(["us-east-1", "us-east-2"], consistency="strong"),
        Replicas(["us-east-1"], consistency="strong", witness="us-west-2"),
    ]
)


@st.composite
def tables(draw: Any) -> Table:
    indexes = draw(
        st.none()
        | st.lists(
            st.builds(
                GlobalIndex,
                st.sampled_from(["one", "two"]),
                partition_key=st.sampled_from(["a", "b"]),
                warm_throughput=WARM,
                contributor_insights=INSIGHTS,
            ),
            max_size=2,
            unique_by=lambda index: index.name,
        )
    )
    said = {} if indexes is None else {"indexes": indexes}
    replicas = draw(st.none() | EVENTUAL | STRONG)
    # Those of eventual consistency have a stream.
    stream = draw(st.sampled_from([None, "keys", False]))
    if replicas is not None and replicas.regions and replicas.consistency is None:
        stream = draw(st.sampled_from([None, "new and old"]))
    return Table(
        "music",
        partition_key="artist",
        **said,
        stream=stream,
        replicas=replicas,
        warm_throughput=draw(WARM),
        tags=draw(
            st.none()
            | st.dictionaries(st.sampled_from("abc"), st.sampled_from([None, "", "x", "y"]))
        ),
        encryption=draw(st.sampled_from([None, "owned", "managed", *KEYS])),
        resource_policy=draw(st.sampled_from([None, False, *POLICIES])),
        contributor_insights=draw(INSIGHTS),
        kinesis=draw(
            st.sampled_from([None, False])
            | st.builds(
                KinesisStream,
                st.sampled_from(STREAMS),
                precision=st.sampled_from([None, "millisecond", "microsecond"]),
            )
        ),
    )


@given(tables(), tables())
def test_a_table_is_brought_to_any_declaration(stored: Table, declared: Table):
    service = Service()
    service.create(stored)
    assert service.diff(stored) == []

    found = service.diff(declared)
    try:
        made = service.update(declared, destructive=True)
    except ChangeRefused:
        assert any(not change.possible for change in found)
        return

    assert made == found
    assert service.diff(declared) == []
    service.asked.clear()
    service.create(declared)
    assert service.update(declared, destructive=True) == []
    assert service.changes() == []
