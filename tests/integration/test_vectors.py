"""Vector indexes on the engine that has them, and what is said where there are none.

The embedded engine searches exactly, so what it finds is what numpy finds by looking at everything.
"""

from __future__ import annotations

import array
import contextlib
import uuid
from collections.abc import Iterator
from typing import Any, Literal

import attrs
import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynattrs import (
    AmbiguousIndex,
    ConditionError,
    ConfigurationError,
    Hit,
    IndexNotReady,
    MappingError,
    NoIndex,
    OtherKind,
    PartialIndex,
    QueryError,
    Session,
    Table,
    TableDiffers,
    VectorIndex,
    begins_with,
    in_,
    list_append,
    model,
    partition_key,
    remove,
    set_,
    sort_key,
)

pytestmark = pytest.mark.skipif(
    not hasattr(boto3.client("dynamodb", region_name="us-east-1"), "search_vectors"),
    reason="this botocore is older than SearchVectors: 1.43.64 has it",
)

METRICS: list[Literal["cosine", "euclidean", "dot"]] = ["cosine", "euclidean", "dot"]
DIMENSIONS = 4


@model(
    "docs",
    indexes=[
        VectorIndex(
            "by-meaning",
            vector="embedding",
            dimensions=DIMENSIONS,
            partition_key="tenant",
            filters=["lang", "year"],
            projection=["title"],
        ),
    ],
)
class Doc:
    tenant: str = partition_key()
    id: str = sort_key()
    title: str = ""
    lang: str | None = None
    year: int | None = None
    body: str = ""
    embedding: list[float] | None = None


@attrs.define
class Title:
    id: str
    title: str


@model("whole", indexes=[VectorIndex("all", vector="v", dimensions=2)], unknown="drop")
class Whole:
    id: str = partition_key()
    v: list[float]
    words: bytes = b""


@pytest.fixture
def session(embedded: Any) -> Iterator[Session]:
    client = boto3.client("dynamodb", **embedded.client_arguments)
    with contextlib.closing(client):
        with Session(client=client, table_prefix=f"{uuid.uuid4()}-") as session:
            yield session


@pytest.fixture
def docs(session: Session) -> Session:
    session.tables.create(Doc)
    with session.batch() as batch:
        for number in range(9):
            tenant, lang = "ab"[number % 2], ["en", "de", None][number % 3]
            vector = [1.0, float(number), 0.0, -0.5]
            batch.save(Doc(tenant, str(number), f"t{number}", lang, number, "long", vector))
        batch.save(Doc("a", "no vector"))
    return session


def ids(hits: Any) -> list[str]:
    return [each.item.id for each in hits]


# --- Reading ------------------------------------------------------------------------------------


def test_hits_come_nearest_first_with_whole_items(docs: Session):
    hits = docs.search(Doc.embedding, [1, 4, 0, -0.5], top_k=3).where(Doc.tenant == "a").hydrate()

    found = list(hits)

    assert [hit.item for hit in found] == [docs.get(Doc, ("a", str(n))) for n in (4, 6, 8)]
    assert [hit.metric for hit in found] == ["cosine"] * 3
    assert found[0].score == pytest.approx(0.0, abs=1e-6)
    assert found == hits.all()
    assert hits.first() == found[0]


def test_a_filter_leaves_no_gap_among_the_nearest(docs: Session):
    search = docs.search(Doc.embedding, [1, 4, 0, -0.5], top_k=2).where(Doc.tenant == "a")

    assert ids(search.where(Doc.lang == "en").as_(Title)) == ["6", "0"]
    assert ids(search.where(Doc.lang == "en", Doc.year == 0).as_(Title)) == ["0"]
    assert ids(search.where(Doc.lang == "fr").as_(Title)) == []


def test_parts_of_items_need_one_request(docs: Session):
    search = docs.search(Doc, array.array("f", [1, 4, 0, -0.5]), top_k=2)
    search = search.where(Doc.tenant == "a")
    before = docs.stats.requests["BatchGetItem"]

    assert [each.item for each in search.as_(Title)] == [Title("4", "t4"), Title("6", "t6")]
    assert [each.item for each in search.select(Doc.title, Doc.year)] == [("t4", 4), ("t6", 6)]
    assert search.select(Doc.embedding).first().item == ([1.0, 4.0, 0.0, -0.5],)
    assert search.keys().first().item == {"tenant": "a", "id": "4"}
    raw = search.raw().all()[0].item
    assert set(raw) == {"tenant", "id", "title", "lang", "year"}
    assert docs.stats.requests["BatchGetItem"] == before
    assert docs.stats.requests["SearchVectors"] == 5
    assert docs.stats.items["SearchVectors"] == 8


def test_what_a_search_costs_is_told_in_bytes(docs: Session):
    told: list[Any] = []
    stop = docs.on("after_send", told.append)
    with docs.measure() as cost:
        cost.search(Doc, [1, 4, 0, -0.5], top_k=2).where(Doc.tenant == "a").keys().all()
    stop()

    assert [(each.operation, each.returned, each.by_table) for each in told] == [
        ("SearchVectors", 2, {})
    ]
    # Five vectors of that tenant, and the one that was asked for.
    assert cost.vector_bytes == 6 * 4 * DIMENSIONS
    assert cost.read_units == 0


def test_whole_objects_need_one_request_where_a_class_drops_what_it_does_not_know(session: Session):
    session.tables.create(Whole)
    session.save(Whole("a", [1.0, 0.5], b"\x00\xff"))

    assert session.search(Whole.v, [1, 0.5]).first().item == Whole("a", [1.0, 0.5], b"\x00\xff")
    assert session.stats.requests["BatchGetItem"] == 0


def test_what_is_deleted_meanwhile_is_left_out(docs: Session):
    search = docs.search(Doc, [1, 4, 0, -0.5], top_k=3).where(Doc.tenant == "a").hydrate()
    hits = list(docs.search(Doc, [1, 4, 0, -0.5], top_k=3).where(Doc.tenant == "a").keys())
    name = docs.tables.describe(Doc)["TableName"]

    def delete_one(event: Any) -> None:
        if event.operation == "SearchVectors":
            client.delete_item(TableName=name, Key={"tenant": {"S": "a"}, "id": {"S": "6"}})

    client = docs.client
    stop = docs.on("after_send", delete_one)
    found = list(search)
    stop()

    assert ids(found) == ["4", "8"]
    assert [each.score for each in found] == [hits[0].score, hits[2].score]


def test_a_batch_sends_what_it_holds_before_it_searches(docs: Session):
    with docs.batch() as batch:
        batch.save(Doc("a", "new", "t", embedding=[9.0, 9.0, 9.0, 9.0]))

        assert (
            batch.search(Doc, [1, 1, 1, 1]).where(Doc.tenant == "a").as_(Title).first().item.id
            == "new"
        )


VECTORS = [
    pytest.param([1, 4, 0, -0.5], id="list"),
    pytest.param((1, 4, 0, -0.5), id="tuple"),
    pytest.param(array.array("d", [1, 4, 0, -0.5]), id="array"),
    pytest.param(array.array("f", [1, 4, 0, -0.5]), id="array of floats"),
]


@pytest.mark.parametrize("vector", VECTORS)
def test_a_vector_may_be_any_sequence_of_numbers(docs: Session, vector: Any):
    found = docs.search(Doc.embedding, vector, top_k=1).where(Doc.tenant == "a").as_(Title)

    assert ids(found) == ["4"]


def test_a_vector_may_be_an_array_of_numpys(docs: Session):
    numpy = pytest.importorskip("numpy", reason="pip install numpy")
    numbers = [1, 4, 0, -0.5]

    for vector in (
        numpy.array(numbers),
        numpy.array(numbers, ">f4"),
        numpy.array([numbers, numbers])[:, ::-1][0, ::-1],
        [numpy.float32(1), 4, numpy.int8(0), numpy.float64(-0.5)],
    ):
        assert ids(docs.search(Doc.embedding, vector).where(Doc.tenant == "a").as_(Title))[0] == "4"
    with pytest.raises(QueryError, match=r"shape \(2, 2\)"):
        docs.search(Doc.embedding, numpy.zeros((2, 2)))


def test_nothing_is_asked_where_conditions_contradict_each_other(docs: Session):
    search = docs.search(Doc, [1, 2, 3, 4]).where(Doc.tenant == "a", Doc.tenant == "b")

    assert search.hydrate().all() == []
    assert "nothing" in search.explain()
    assert docs.stats.requests["SearchVectors"] == 0


# --- Brute force ----------------------------------------------------------------------------------

numbers = st.floats(-100, 100, width=32) | st.sampled_from([0.0, 1.0, -1.0])
vectors = st.lists(numbers, min_size=DIMENSIONS, max_size=DIMENSIONS)


@model(
    "points",
    indexes=[VectorIndex(m, vector="v", dimensions=DIMENSIONS, distance=m) for m in METRICS],
)
class Point:
    id: int = partition_key()
    v: list[float]


def brute_force(metric: str, query: list[float], rows: list[list[float]]) -> Any:
    np = pytest.importorskip("numpy", reason="pip install numpy")
    q, stored = np.array(query, np.float32).astype(float), np.array(rows, np.float32).astype(float)
    if metric == "dot":
        return stored @ q
    if metric == "euclidean":
        return np.linalg.norm(stored - q, axis=1)
    norms = np.linalg.norm(stored, axis=1) * np.linalg.norm(q)
    return 1.0 - np.divide(stored @ q, norms, out=np.zeros(len(rows)), where=norms != 0)


@pytest.mark.threads_only("the law is of the service's answer, whichever way it is waited for")
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(vectors, min_size=1, max_size=12), vectors, st.integers(1, 12))
def test_a_search_finds_what_brute_force_finds(
    session: Session, rows: list[list[float]], query: list[float], top_k: int
):
    if not session.tables.exists(Point):
        session.tables.create(Point)
    session.scan(Point).delete()
    session.save_all(Point(number, row) for number, row in enumerate(rows))
    # The engine adds in single precision, where large products may leave little of their sum.
    coarse = 1e-5 + 1e-6 * max(
        sum(abs(a * b) for a, b in zip(row, query, strict=True)) for row in rows
    )

    for metric in METRICS:
        scores = brute_force(metric, query, rows)
        best = sorted(-scores if metric == "dot" else scores)[:top_k]
        hits = session.search(Point.v, query, top_k=top_k).using(metric).hydrate().all()

        assert [hit.metric for hit in hits] == [metric] * min(top_k, len(rows))
        # Each has its own score, and they are the best ones, in their order.
        assert [hit.score for hit in hits] == pytest.approx(
            [scores[hit.item.id] for hit in hits], rel=1e-6, abs=coarse
        )
        assert [hit.distance for hit in hits] == pytest.approx(best, rel=1e-6, abs=coarse)
        assert [hit.distance for hit in hits] == sorted(hit.distance for hit in hits)
        assert [hit.item.v for hit in hits] == [rows[hit.item.id] for hit in hits]


# --- Refusals -------------------------------------------------------------------------------------


def test_whole_objects_are_not_read_from_an_index_that_lacks_attributes(docs: Session):
    search = docs.search(Doc.embedding, [1, 2, 3, 4]).where(Doc.tenant == "a")

    with pytest.raises(PartialIndex, match=r"Doc\.body.*hydrate"):
        search.all()
    with pytest.raises(PartialIndex, match=r"does not hold Doc\.body"):
        search.select(Doc.body).all()
    assert docs.stats.requests["SearchVectors"] == 0


def test_the_vector_is_left_out_unless_it_is_asked_for(session: Session):
    @model("kept", indexes=[VectorIndex("all", vector="v", dimensions=2)])
    class Kept:
        id: str = partition_key()
        v: list[float]

    session.tables.create(Kept)
    session.save(Kept("a", [1.0, 2.0]))

    with pytest.raises(
        PartialIndex, match=r"leaves out Kept\.v and whatever else a search does not name"
    ):
        session.search(Kept, [1, 2]).all()
    assert session.search(Kept, [1, 2]).hydrate().first().item == Kept("a", [1.0, 2.0])


CONDITIONS = [
    pytest.param(lambda: Doc.lang > "a", id="a comparison"),
    pytest.param(lambda: Doc.lang != "a", id="unequal"),
    pytest.param(lambda: in_(Doc.lang, ["a", "b"]), id="one of several"),
    pytest.param(lambda: begins_with(Doc.lang, "e"), id="a beginning"),
    pytest.param(lambda: (Doc.lang == "a") | (Doc.lang == "b"), id="or"),
    pytest.param(lambda: Doc.title == "t1", id="a field that is not a filter"),
    pytest.param(lambda: Doc.id == "1", id="a key of the table"),
    pytest.param(lambda: Doc.lang == None, id="none"),  # noqa: E711
    pytest.param(lambda: Doc.lang == Doc.title, id="two fields"),
]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_only_equalities_of_what_the_index_declares_are_taken(docs: Session, condition: Any):
    search = docs.search(Doc, [1, 2, 3, 4]).where(Doc.tenant == "a", condition())

    with pytest.raises(
        QueryError, match=r"equalities of Doc\.tenant, Doc\.lang and Doc\.year"
    ) as caught:
        search.hydrate().all()
    declared = not {"Doc.id", "Doc.title"} & set(str(condition()).split())
    # A filter that the index has already is not to be declared once more.
    assert ("filters=[...]" in str(caught.value)) is not declared
    assert ("search once for each value" in str(caught.value)) is declared
    assert docs.stats.requests["SearchVectors"] == 0


def test_the_partition_key_is_stated(docs: Session):
    with pytest.raises(NoIndex, match=r"where\(Doc\.tenant == "):
        docs.search(Doc, [1, 2, 3, 4]).where(Doc.lang == "en").hydrate().all()


WRONG: list[Any] = [
    pytest.param([1, 2, 3], "3 numbers.*4 dimensions", id="too short"),
    pytest.param([], "0 numbers", id="empty"),
    pytest.param([1, 2, 3, float("nan")], r"nan at \[3\]", id="nan"),
    pytest.param([1, 2, 3, float("inf")], r"inf at \[3\]", id="inf"),
    pytest.param([1, 2, 3, 1e39], r"1e\+39 at \[3\]", id="too large"),
    pytest.param([1, 2, 3, 10**400], r"at \[3\]", id="much too large"),
    pytest.param([1, 2, 3, "4"], r"'4' at \[3\]", id="text"),
    pytest.param([1, 2, 3, True], r"True at \[3\]", id="bool"),
    pytest.param([1, 2, 3, None], r"None at \[3\]", id="None"),
    pytest.param("1234", "'1234'", id="a text"),
    pytest.param({1, 2, 3, 4}, "a list or an array", id="a set"),
    pytest.param(7, "a list or an array", id="a number"),
]


@pytest.mark.parametrize(("vector", "problem"), WRONG)
def test_what_is_no_vector_is_refused_before_anything_is_sent(
    session: Session, vector: Any, problem: str
):
    with pytest.raises(QueryError, match=problem):
        session.search(Doc.embedding, vector)


@pytest.mark.parametrize("top_k", [0, 101, -1, 1.0, True, "3", None])
def test_top_k_is_an_int_up_to_a_hundred(session: Session, top_k: Any):
    with pytest.raises(QueryError, match="1 to 100"):
        session.search(Doc.embedding, [1, 2, 3, 4], top_k=top_k)


def test_a_tiny_number_is_sent_as_zero(docs: Session):
    found = docs.search(Doc, [1e-300, 1, 0, 0], top_k=1).where(Doc.tenant == "a").as_(Title)

    assert ids(found) == ["8"]


def test_a_search_is_of_a_field_with_a_vector_index(session: Session):
    with pytest.raises(NoIndex, match=r"Doc\.title has no vector index"):
        session.search(Doc.title, [1])
    with pytest.raises(QueryError, match="a field with vectors is expected"):
        session.search("embedding", [1])  # type: ignore[arg-type]
    with pytest.raises(QueryError, match=r"no vector index 'by-meanin'.*by-meaning"):
        session.search(Doc, [1, 2, 3, 4]).using("by-meanin").all()
    with pytest.raises(QueryError, match=r"session\.search"):
        session.query(Doc).where(Doc.tenant == "a").using("by-meaning").all()
    with pytest.raises(TypeError, match="no truth value"):
        bool(session.search(Doc, [1, 2, 3, 4]))


def test_one_of_several_indexes_is_named(session: Session):
    with pytest.raises(AmbiguousIndex, match=r"using\(\.\.\.\)"):
        session.search(Point, [1, 2, 3, 4]).hydrate().all()


# --- Writing --------------------------------------------------------------------------------------

BAD_VECTORS = [
    pytest.param([1.0, 2.0], "found 2", id="too short"),
    pytest.param([], "found 0", id="empty"),
    pytest.param([1.0, 2.0, 3.0, 4.0, 5.0], "found 5", id="too long"),
]


@pytest.mark.parametrize(("vector", "found"), BAD_VECTORS)
def test_a_vector_of_another_length_is_refused_when_it_is_saved(
    docs: Session, vector: list[float], found: str
):
    where = r"Doc\.embedding: expected 4 numbers, as index 'by-meaning' has them"
    bad = Doc("a", "bad", embedding=vector)

    with pytest.raises(MappingError, match=f"{where}, {found}"):
        docs.save(bad)
    with docs.batch() as batch, pytest.raises(MappingError, match=where):
        batch.save(bad)
    with docs.transaction() as transaction, pytest.raises(MappingError, match=where):
        transaction.save(bad)
    with pytest.raises(ConditionError, match="4 numbers"):
        docs.update(Doc, ("a", "0"), set_(Doc.embedding, vector))
    obj = docs.get(Doc, ("a", "0"))
    with pytest.raises(MappingError, match=where), docs.edit(obj) as same:
        same.embedding = vector
    assert docs.get(Doc, ("a", "bad")) is None
    assert docs.get(Doc, ("a", "0")).embedding == [1.0, 0.0, 0.0, -0.5]


def test_an_element_of_a_vector_is_not_removed(docs: Session):
    with pytest.raises(ConditionError, match="set the vector as a whole"):
        docs.update(Doc, ("a", "0"), remove(Doc.embedding[0]))

    for longer in (
        set_(Doc.embedding, list_append(Doc.embedding, [1.0])),
        set_(Doc.embedding, list_append([1.0], Doc.embedding)),
        set_(Doc.embedding[4], 1.0),
    ):
        with pytest.raises(
            ConditionError, match=r"Doc\.embedding.* has 4 numbers, .* and would have more"
        ):
            docs.update(Doc, ("a", "0"), longer)
        with pytest.raises(ConditionError, match="would have more"), docs.transaction() as t:
            t.update(Doc, ("a", "0"), longer)

    docs.update(Doc, ("a", "0"), set_(Doc.embedding[1], 7.0))
    assert docs.get(Doc, ("a", "0")).embedding == [1.0, 7.0, 0.0, -0.5]


@model("tenants", indexes=[VectorIndex("near", vector="v", dimensions=2, partition_key="tenant")])
class Tenanted:
    id: str = partition_key()
    tenant: str = "nobody"
    v: list[float] = attrs.field(factory=lambda: [1.0, 1.0])


def test_an_item_does_not_lose_the_partition_key_that_its_field_never_lacks(session: Session):
    session.tables.create(Tenanted)
    session.save(Tenanted("a"))

    with pytest.raises(ConditionError, match="would no longer be found"):
        session.update(Tenanted, "a", remove(Tenanted.tenant))
    session.update(Tenanted, "a", set_(Tenanted.tenant, "b"))

    assert ids(session.search(Tenanted, [1, 2]).where(Tenanted.tenant == "b").hydrate()) == ["a"]


@model("optional", indexes=[VectorIndex("near", vector="v", dimensions=2, partition_key="tenant")])
class Optional:
    id: str = partition_key()
    tenant: str | None = None
    v: list[float] | None = None


def test_an_item_without_its_optional_partition_key_is_not_in_the_index(session: Session):
    session.tables.create(Optional)
    session.save(Optional("a", None, [1.0, 2.0]))
    session.save(Optional("b", "x", [1.0, 2.0]))
    session.save(Optional("c", "x"))
    search = session.search(Optional, [1, 2]).where(Optional.tenant == "x").hydrate()

    assert ids(search) == ["b"]
    session.update(Optional, "b", remove(Optional.tenant))
    assert ids(search) == []


# --- Single tables --------------------------------------------------------------------------------

APP = Table(
    "app",
    partition_key="pk",
    sort_key="sk",
    indexes=[
        VectorIndex("near", vector="vec", dimensions=2, partition_key="part", filters=["kind"]),
        VectorIndex("mixed", vector="vec", dimensions=2),
    ],
    discriminator="kind",
)


@model(APP, pk="DOC#{id}", sk="DOC", part="TENANT#{tenant}")
class Page:
    id: str
    tenant: str
    vec: list[float]


@model(APP, pk="MEMO#{id}", sk="MEMO", part="TENANT#{tenant}")
class Memo:
    id: str
    tenant: str
    vec: list[float]


def test_templates_and_kinds_become_terms(session: Session):
    session.tables.create(APP)
    session.save(Page("1", "a", [1.0, 0.0]))
    session.save(Memo("2", "a", [1.0, 0.0]))
    session.save(Page("3", "b", [1.0, 0.0]))
    search = session.search(Page.vec, [1, 0]).where(Page.tenant == "a")

    assert [hit.item for hit in search.hydrate()] == [Page("1", "a", [1.0, 0.0])]
    said = search.hydrate().explain()
    assert "'TENANT#a'" in said
    assert "'Page'" in said
    assert ids(session.search(Memo.vec, [1, 0]).where(Memo.tenant == "a").hydrate()) == ["2"]


def test_other_models_do_not_take_places_among_the_nearest(session: Session):
    with pytest.raises(QueryError, match=r"has items of Memo as well.*'kind'"):
        session.search(Page.vec, [1, 0]).using("mixed").hydrate().all()


KINDS = Table(
    "kinds",
    partition_key="pk",
    indexes=[
        VectorIndex("near", vector="vec", dimensions=2, partition_key="tenant", filters=["kind"])
    ],
    discriminator="kind",
)


@model(KINDS, pk="PIC#{id}")
class Pic:
    id: str
    tenant: str
    vec: list[float]


@model(KINDS, pk="NOTE#{id}")
class Note:
    id: str
    tenant: str
    vec: list[float]


@model(KINDS)
class SubNote(Note):
    more: str = ""


def test_a_search_states_one_kind_only(session: Session):
    session.tables.create(KINDS)
    session.save_all([Pic("1", "a", [1.0, 0.0]), SubNote("2", "a", [1.0, 0.0], "x")])
    search = session.search(Note, [1, 0]).where(Note.tenant == "a").hydrate()

    with pytest.raises(QueryError) as caught:
        search.all()

    assert str(caught.value) == (
        "index 'near' has items of Pic as well, which would take places among the nearest of Note; a search "
        "states one kind only, and items of Note are of several, 'Note', 'SubNote': search one of the "
        "subclasses, tell the models apart by different templates of a filter or the partition key, or give "
        "one of the models another vector field"
    )
    assert ids(session.search(SubNote, [1, 0]).where(SubNote.tenant == "a").hydrate()) == ["2"]
    assert ids(session.search(Pic, [1, 0]).where(Pic.tenant == "a").hydrate()) == ["1"]


ONE = Table(
    "one", partition_key="pk", indexes=[VectorIndex("near", vector="vec", dimensions=1)],
    discriminator="kind",
)  # fmt: skip


@model(ONE, pk="A#{id}")
class Alone:
    id: str
    vec: list[float]


@model(ONE, pk="B#{id}")
class Other:
    id: str


def test_an_index_without_filters_says_so(session: Session):
    with pytest.raises(
        QueryError, match=r"index 'near' has no filters, so it takes no condition, and"
    ):
        session.search(Alone, [1]).where(Alone.id == "a").all()


def test_an_item_of_another_model_is_not_left_out_in_silence(session: Session):
    session.tables.create(ONE)
    session.save(Alone("1", [1.0]))
    foreign = session.tables.describe(ONE)["TableName"]
    item = {
        "pk": {"S": "B#1"},
        "kind": {"S": "Other"},
        "vec": {"L": [{"N": "2"}]},
        "id": {"S": "1"},
    }
    client = session.client
    client.put_item(TableName=foreign, Item=item)
    search = session.search(Alone, [1]).hydrate()

    with pytest.raises(OtherKind, match="vector index as well"):
        search.all()
    assert ids(search.on_error("skip")) == ["1"]


# --- Tables ---------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine fills an index in a moment."""
    engine = pytest.importorskip("ministack.services.dynamodb")
    monkeypatch.setattr(engine, "_VECTOR_ALLOCATION_SECONDS", 0.2)
    monkeypatch.setattr(engine, "_VECTOR_BACKFILL_SECONDS", 0.4)


BARE = Table("changing", partition_key="id", indexes=[])
ONE_INDEX = attrs.evolve(BARE, indexes=[VectorIndex("one", vector="v", dimensions=2)])
TWO_INDEXES = attrs.evolve(
    BARE,
    indexes=[
        VectorIndex("two", vector="v", dimensions=2, distance="dot", filters=["f"]),
        VectorIndex("three", vector="w", dimensions=3, partition_key="f", projection="keys"),
    ],
    types={"f": "N"},
)


@pytest.mark.full
@pytest.mark.usefixtures("quick")
def test_indexes_come_and_go_one_after_the_other(session: Session):
    session.tables.create(BARE)

    added = session.tables.update(ONE_INDEX)
    assert [str(each) for each in added] == [
        "it has no vector index 'one', which is declared: create it, and wait until it is filled"
    ]
    index = session.tables.describe("changing")["VectorIndexes"][0]
    assert (index["IndexStatus"], index.get("Backfilling", False)) == ("ACTIVE", False)
    assert session.tables.diff(ONE_INDEX) == []

    assert [each.destructive for each in session.tables.diff(TWO_INDEXES)].count(True) == 1
    session.tables.update(TWO_INDEXES, destructive=True)
    assert session.tables.diff(TWO_INDEXES) == []
    assert session.tables.reflect("changing").indexes == TWO_INDEXES.indexes
    assert session.tables.reflect("changing").types == {"f": "N"}
    session.tables.delete(BARE)


@pytest.mark.usefixtures("quick")
def test_what_differs_is_made_anew(session: Session):
    session.tables.create(ONE_INDEX)
    other = attrs.evolve(
        BARE, indexes=[VectorIndex("one", vector="v", dimensions=3, distance="euclidean")]
    )

    [change] = session.tables.diff(other)
    assert "dimensions is 2, declared is 3" in change.difference.replace("its ", "")
    assert change.destructive
    session.tables.update(other, destructive=True)
    assert session.tables.diff(other) == []


def test_an_index_that_is_being_filled_says_so(session: Session, monkeypatch: pytest.MonkeyPatch):
    engine = pytest.importorskip("ministack.services.dynamodb")
    monkeypatch.setattr(engine, "_VECTOR_ALLOCATION_SECONDS", 0.0)
    monkeypatch.setattr(engine, "_VECTOR_BACKFILL_SECONDS", 600.0)
    bare = Table("whole", partition_key="id", indexes=[])
    session.tables.create(bare)
    client = session.client
    client.update_table(
        TableName=session.tables.describe(bare)["TableName"],
        AttributeDefinitions=[],
        VectorIndexUpdates=[
            {
                "Create": {
                    "IndexName": "all",
                    "VectorAttribute": {"AttributeName": "v"},
                    "Dimensions": 2,
                    "DistanceFunction": "COSINE",
                    "Projection": {"ProjectionType": "ALL"},
                }
            }
        ],
    )

    with pytest.raises(IndexNotReady, match="until it is filled"):
        session.search(Whole, [1, 2]).all()


def test_an_index_that_a_table_lacks_is_named(session: Session):
    session.tables.create(Table("whole", partition_key="id", indexes=[]))

    with pytest.raises(
        NoIndex, match=r"'all', which Whole declares.*session\.tables\.update\(Whole\)"
    ):
        session.search(Whole, [1, 2]).all()


def test_hits_are_values(docs: Session):
    [hit] = docs.search(Doc, [1, 4, 0, -0.5], top_k=1).where(Doc.tenant == "a").as_(Title)

    assert hit == Hit(Title("4", "t4"), hit.score, "cosine")
    assert repr(hit).startswith("Hit(item=Title(id='4', title='t4'), score=")


# --- Where there are none -------------------------------------------------------------------------


@pytest.mark.threads_only("it is of what an engine answers")
def test_an_engine_that_ignores_vector_indexes_is_found_out(dynamodb_local: str):
    credentials = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    client = boto3.client(
        "dynamodb", endpoint_url=dynamodb_local, region_name="us-east-1", **credentials
    )
    with contextlib.closing(client), Session(client=client, table_prefix="vectors-") as session:
        with pytest.raises(TableDiffers, match="took the request and has ignored it"):
            session.tables.create(Whole)
        with pytest.raises(TableDiffers, match="no vector index 'all'"):
            session.tables.create(Whole)
        with pytest.raises(TableDiffers, match="took the request and has ignored it"):
            session.tables.update(Whole)
        with pytest.raises(ConfigurationError, match="no vector search"):
            session.search(Whole, [1, 2]).all()
        session.tables.delete(Whole)
