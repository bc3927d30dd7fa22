"""What went wrong for users of other libraries, and must not here: one test for each trap.

The threads where they say so are in the docstrings. Some traps have tests of their own: the truncated
reply (`tests/unit/test_replies.py`), the exact pin of boto3 (the oldest and newest versions in
continuous integration), hits that are sorted the wrong way, and items that leave a vector index without
a word (`tests/integration/test_vectors.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import attrs
import pytest

from dynattrs import (
    ConditionFailed,
    GlobalIndex,
    MappingError,
    NoSuchItem,
    PartialIndex,
    Session,
    TransactionError,
    TransactionFailed,
    UnsentWrites,
    add,
    field,
    model,
    partition_key,
    set_,
    sort_key,
)


@model("things", indexes=[GlobalIndex("slim", partition_key="kind", projection="keys")])
class Thing:
    owner: str = partition_key()
    name: str = sort_key()
    kind: str = "plain"
    count: int = 0
    weight: float = 0.0
    price: Decimal = Decimal(0)
    tags: set[str] = attrs.field(factory=set)
    parts: list[str] = attrs.field(factory=list)
    seen: datetime | None = None
    note: str | None = None
    must: str | None = "default"


@model("papers")
class Paper:
    name: str = partition_key()
    text: str = ""
    version: int = field(version=True)


@model("missing")
class Homeless:
    name: str = partition_key()


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Thing, Paper)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    session = Session(client=client, table_prefix=table_prefix)
    yield session
    session.close()


def thing(session: Session, name: str = "a") -> Thing:
    return session.get_one(Thing, ("ann", name), consistent=True)


def raw(client: Any, session: Session, name: str = "a") -> dict[str, Any]:
    table = session._core.table_prefix + "things"
    key = {"owner": {"S": "ann"}, "name": {"S": name}}
    item: dict[str, Any] = client.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
    return item


# --- Batches --------------------------------------------------------------------------------------


def test_a_batch_whose_call_raises_keeps_its_items(session: Session) -> None:
    """boto/boto3#2088, #1424; aws/aws-sdk-net#665, guregu/dynamo#117: and says which ones."""
    lost = [Homeless("x"), Homeless("y")]

    with pytest.raises(UnsentWrites) as unsent, session.batch() as batch:
        batch.save(Thing("ann", "a"))
        for each in lost:
            batch.save(each)

    assert all(one is other for one, other in zip(unsent.value.objects, lost, strict=True))
    assert all(each.cause is not None for each in unsent.value.unsent)
    assert thing(session).name == "a"


def test_the_same_key_twice_in_one_batch_is_no_error(session: Session) -> None:
    """pynamodb/PynamoDB#1243"""
    with session.batch() as batch:
        for count in range(3):
            batch.save(Thing("ann", "a", count=count))

    assert thing(session).count == 2


def test_an_exception_inside_the_batch_flushes_what_was_saved(session: Session) -> None:
    with pytest.raises(ZeroDivisionError), session.batch() as batch:
        batch.save(Thing("ann", "a"))
        raise ZeroDivisionError

    assert thing(session).name == "a"


# --- Attributes -----------------------------------------------------------------------------------


def test_unknown_attributes_are_not_erased_by_a_save(session: Session, client: Any) -> None:
    """pynamodb/PynamoDB#284, #331, #442"""
    session.save(Thing("ann", "a"))
    item = {**raw(client, session), "colour": {"S": "red"}}
    client.put_item(TableName=session._core.table_prefix + "things", Item=item)

    found = thing(session)
    found.count = 5
    session.save(found)

    assert raw(client, session)["colour"] == {"S": "red"}


def test_a_misspelt_assignment_is_not_ignored() -> None:
    """pynamodb/PynamoDB#331"""
    with pytest.raises(AttributeError):
        Thing("ann", "a").cuont = 1  # type: ignore[attr-defined]


def test_an_in_place_change_is_not_lost_when_another_field_was_assigned(session: Session) -> None:
    found = session.save(Thing("ann", "a"))

    with session.edit(found):
        found.count = 1
        found.parts.append("wheel")

    assert thing(session).parts == ["wheel"]


# --- Versions -------------------------------------------------------------------------------------


def test_a_plain_retry_after_a_conflict_does_not_overwrite(session: Session) -> None:
    session.save(Paper("plan"))
    mine, theirs = (session.get_one(Paper, "plan", consistent=True) for _ in range(2))
    session.save(theirs)

    for _ in range(2):
        with pytest.raises(ConditionFailed):
            session.save(mine)
    assert mine.version == 1


def test_updating_an_unread_object_does_not_reset_its_version(session: Session) -> None:
    """pynamodb/PynamoDB#1247"""
    session.save(session.save(Paper("plan")))

    assert session.update(Paper, "plan", set_(Paper.text, "new")).version == 3
    with pytest.raises(ConditionFailed):
        session.update(Paper("plan"), set_(Paper.text, "unread"))


def test_every_verb_checks_the_version_also_in_a_batch(session: Session) -> None:
    """aws/aws-sdk-java-v2#2358, #3612, #2559"""
    stale = attrs.evolve(session.save(Paper("plan")))
    stale.version = 1
    session.save(session.get_one(Paper, "plan", consistent=True))

    with pytest.raises(ConditionFailed):
        session.delete(stale)
    with pytest.raises(ConditionFailed), session.batch() as batch:
        batch.save(stale)
    with pytest.raises(ConditionFailed), session.batch() as batch:
        batch.delete(stale)
    with pytest.raises(TransactionFailed), session.transaction() as t:
        t.delete(stale)


# --- Conditions and values ------------------------------------------------------------------------


def test_and_between_conditions_does_not_silently_keep_one_of_them() -> None:
    with pytest.raises(TypeError, match="`&`"):
        Thing.count > 1 and Thing.count < 3


@pytest.mark.parametrize("number", [10**37 + 1, -(10**37) - 1, 12345678901234567890])
def test_long_integers_come_back_exactly(session: Session, number: int) -> None:
    """boto/boto3#369, #665"""
    session.save(Thing("ann", "a", count=number))

    assert thing(session).count == number


@pytest.mark.parametrize("number", [0.1, 1 / 3, 1e-130, -2.5e125, 1e22])
def test_floats_are_taken_and_come_back_exactly(session: Session, number: float) -> None:
    """boto/boto3#369"""
    session.save(Thing("ann", "a", weight=number))

    assert thing(session).weight == number


def test_decimals_keep_all_their_digits(session: Session) -> None:
    price = Decimal("1234567890123456789.0123456789012345678")
    session.save(Thing("ann", "a", price=price))

    assert thing(session).price == price


def test_a_naive_datetime_is_refused_and_stored_instants_sort_as_time_does(
    session: Session, client: Any
) -> None:
    """pynamodb/PynamoDB#652, #1060; aws/aws-sdk-net#1450, #3351"""
    with pytest.raises(MappingError, match=r"Thing\.seen: .* naive"):
        session.save(Thing("ann", "a", seen=datetime(2026, 1, 1)))  # noqa: DTZ001

    start = datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=5)))
    texts = []
    for step in (0.0, 0.5, 1.0, 3600.0):
        session.save(Thing("ann", "a", seen=start + timedelta(seconds=step)))
        texts.append(raw(client, session)["seen"]["S"])
    assert texts == sorted(texts)
    assert texts[0] == "2025-12-31T19:00:00.000000Z"
    assert thing(session).seen == start + timedelta(hours=1)


def test_one_rule_for_none_whatever_the_verb(session: Session, client: Any) -> None:
    """dynamodb-toolbox#92, #423, #546, #605; aws-sdk-java-v2#3499, #4758; dynamoose#1679;
    pynamodb#963: left out where the default is None, NULL where it is not."""
    session.save(Thing("ann", "a", note=None, must=None))
    assert "note" not in raw(client, session)
    assert raw(client, session)["must"] == {"NULL": True}

    session.update(Thing, ("ann", "a"), set_(Thing.note, "x"), set_(Thing.must, "x"))
    session.update(Thing, ("ann", "a"), set_(Thing.note, None), set_(Thing.must, None))
    assert "note" not in raw(client, session)
    assert raw(client, session)["must"] == {"NULL": True}

    found = thing(session)
    found.note = found.must = "y"
    session.save(found)
    with session.edit(found):
        found.note = found.must = None
    assert "note" not in raw(client, session)
    assert raw(client, session)["must"] == {"NULL": True}
    assert thing(session) == found


def test_empty_sets_and_texts_do_not_fail_at_the_service(session: Session, client: Any) -> None:
    """pynamodb/PynamoDB#804"""
    session.save(Thing("ann", "a", tags=set(), note=""))
    assert "tags" not in raw(client, session)
    assert thing(session) == Thing("ann", "a", note="")

    with pytest.raises(MappingError, match=r"Thing\.name: expected a value that is not empty"):
        session.save(Thing("ann", ""))


# --- Updates, indexes, reading ---------------------------------------------------------------------


def test_an_update_of_an_item_that_is_gone_leaves_no_fragment(session: Session) -> None:
    with pytest.raises(NoSuchItem):
        session.update(Thing, ("ann", "gone"), add(Thing.count, 1))

    assert not session.exists(Thing, ("ann", "gone"), consistent=True)


def test_items_of_an_index_that_holds_keys_only_are_never_half_objects(session: Session) -> None:
    """nayaverdier/dyntastic#9"""
    session.save(Thing("ann", "a", kind="rare", count=7))
    rare = session.query(Thing).where(Thing.kind == "rare")

    with pytest.raises(PartialIndex):
        rare.all()
    assert [each.count for each in rare.hydrate()] == [7]


def test_one_unreadable_item_does_not_end_a_scan_unless_wanted(
    session: Session, client: Any
) -> None:
    session.save(Thing("ann", "a"))
    table = session._core.table_prefix + "things"
    key = {"owner": {"S": "ann"}, "name": {"S": "b"}}
    client.put_item(TableName=table, Item={**key, "count": {"S": "many"}})

    with pytest.raises(MappingError) as failed:
        session.scan(Thing).all()
    assert failed.value.key == key
    assert [each.name for each in session.scan(Thing).on_error("skip")] == ["a"]
    errors: list[MappingError] = []
    assert session.scan(Thing).on_error(errors.append).count() == 2
    assert len(session.scan(Thing).on_error(errors.append).all()) == 1
    assert errors[0].item == {**key, "count": {"S": "many"}}


def test_limit_counts_what_is_returned_and_reads_no_item_a_request(session: Session) -> None:
    """pynamodb/PynamoDB#137, #681, #1056, #243; tywalch/electrodb#577"""
    session.save_all(Thing("ann", f"{n:03}", count=n) for n in range(100))
    found = session.query(Thing).where(Thing.owner == "ann").filter(Thing.count >= 50)
    before = session.stats.requests["Query"]

    assert [each.count for each in found.limit(2)] == [50, 51]

    assert session.stats.requests["Query"] == before + 1
    assert found.limit(2).count() == 2


def test_a_loop_left_early_asks_for_no_further_page(session: Session) -> None:
    session.save_all(Thing("ann", f"{n:03}") for n in range(50))
    before = session.stats.requests["Query"]

    for _ in session.query(Thing).where(Thing.owner == "ann").page_size(10):
        break

    assert session.stats.requests["Query"] == before + 1


# --- Transactions and names ------------------------------------------------------------------------


def test_reasons_of_a_transaction_match_the_callers_order(session: Session) -> None:
    session.save(Thing("ann", "a"))

    with pytest.raises(TransactionFailed) as failed, session.transaction() as t:
        t.delete(Thing, ("ann", "x"))
        t.insert(Thing("ann", "a"))
        t.save(Thing("ann", "y"))

    assert [reason is None for reason in failed.value.reasons] == [True, False, True]


def test_a_transaction_over_the_limit_is_refused_and_not_split(session: Session) -> None:
    with pytest.raises(TransactionError), session.transaction() as t:
        for number in range(101):
            t.save(Thing("ann", str(number)))

    assert session.scan(Thing).count() == 0


def test_table_names_change_by_environment_without_the_class(
    session: Session, client: Any, table_prefix: str
) -> None:
    """pynamodb/PynamoDB#177, #198, #327, #487; aws-sdk-net#49"""
    session.save(Thing("ann", "a"))
    renamed = Session(client=client, tables={"things": f"{table_prefix}things"})

    assert renamed.exists(Thing, ("ann", "a"), consistent=True)


def test_nothing_is_asked_of_the_service_before_it_is_needed(client: Any) -> None:
    """aws/aws-sdk-net#3103, pynamodb/PynamoDB#270: no implicit DescribeTable."""
    session = Session(client=client)
    session.query(Thing).where(Thing.owner == "ann").explain()

    with session.batch():
        pass
    assert session.stats.total == 0
