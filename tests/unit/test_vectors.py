"""Vector indexes as they are declared, and what a search asks, refuses and asks again."""

from __future__ import annotations

import subprocess
import sys
from array import array
from pathlib import Path
from typing import Annotated, Any

import attrs
import boto3
import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.stub import Stubber
from botocore.validate import validate_parameters

from dynattrs import (
    ChangeRefused,
    ConfigurationError,
    GlobalIndex,
    IndexNotReady,
    InvalidRequest,
    LocalIndex,
    ModelError,
    NoIndex,
    OnDemand,
    Provisioned,
    ServiceError,
    Session,
    Table,
    TableDiffers,
    VectorIndex,
    map_class,
    model,
    partition_key,
)
from dynattrs.operations.flows import Call, Pause
from dynattrs.tools import generation, workbench
from dynattrs.wire.fast_requests import RequestMaker
from stepped_session import ByHand
from table_service import Service

SERVICE = botocore.session.get_session().get_service_model("dynamodb")
needs_vectors = pytest.mark.skipif(
    "SearchVectors" not in SERVICE.operation_names,
    reason="this botocore is older than SearchVectors: 1.43.64 has it",
)

NEAR = VectorIndex("near", vector="vec", dimensions=3)
FULL = VectorIndex(
    "full", vector="vec", dimensions=3, distance="dot", partition_key="tenant", filters=["year"],
    projection=["title"],
)  # fmt: skip
APP = Table(
    "app",
    partition_key="pk",
    indexes=[NEAR, FULL, GlobalIndex("by-tenant", partition_key="tenant")],
    types={"year": "N"},
)


@model("docs", indexes=[VectorIndex("near", vector="vec", dimensions=3)])
class Doc:
    id: str = partition_key()
    vec: list[float]


# --- Declarations -------------------------------------------------------------------------------


def test_create_table_has_the_vector_indexes_and_what_searches_state():
    arguments = APP.create_arguments()

    assert arguments["VectorIndexes"] == [
        {
            "IndexName": "near",
            "VectorAttribute": {"AttributeName": "vec"},
            "Dimensions": 3,
            "DistanceFunction": "COSINE",
            "Projection": {"ProjectionType": "ALL"},
        },
        {
            "IndexName": "full",
            "VectorAttribute": {"AttributeName": "vec"},
            "Dimensions": 3,
            "DistanceFunction": "DOT_PRODUCT",
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["title"]},
            "SearchSchema": [
                {"AttributeName": "tenant", "SearchSchemaElementType": "HASH"},
                {"AttributeName": "year", "SearchSchemaElementType": "INLINE_FILTER"},
            ],
        },
    ]
    assert [each["AttributeName"] for each in arguments["AttributeDefinitions"]] == [
        "pk", "tenant", "year"
    ]  # fmt: skip
    assert len(arguments["GlobalSecondaryIndexes"]) == 1


@needs_vectors
def test_the_service_model_knows_every_argument():
    validate_parameters(APP.create_arguments(), SERVICE.operation_model("CreateTable").input_shape)


def test_a_description_becomes_the_declaration_again():
    described = {**APP.create_arguments(), "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"}}

    found = Table.from_description({"Table": described})

    assert set(found.indexes) == set(APP.indexes)
    assert found.types == APP.types
    described["VectorIndexes"][0]["IndexStatus"] = "DELETING"
    assert NEAR not in Table.from_description(described).indexes


def test_a_declaration_shows_what_was_said():
    assert repr(FULL) == (
        "VectorIndex('full', vector='vec', dimensions=3, distance='dot', partition_key='tenant', "
        "filters=['year'], projection=['title'])"
    )
    assert "vectors vec, 3 dimensions, dot" in APP._repr_html_()


def test_cloudformation_has_them_and_terraform_says_that_it_cannot(tmp_path: Path):
    template = APP.cloudformation()

    properties = template["Resources"]["AppTable"]["Properties"]
    assert properties["VectorIndexes"] == APP.create_arguments()["VectorIndexes"]
    with pytest.raises(ModelError, match=r"'near' is a vector index, which Terraform's provider"):
        APP.terraform()
    with pytest.raises(ModelError, match=r"'near' is of vectors"):
        workbench.dump([APP], tmp_path / "model.json")


VECTOR = {"L": [{"N": "1"}, {"N": "2"}, {"N": "0"}]}


@pytest.mark.parametrize(
    "items",
    [
        pytest.param([], id="no samples"),
        pytest.param([{"pk": {"S": "a"}, "tenant": {"S": "t"}, "vec": VECTOR}], id="in the index"),
        pytest.param([{"pk": {"S": "a"}, "vec": VECTOR}], id="not in the index"),
    ],
)
def test_the_generated_source_declares_the_same_table(items: list[Any]):
    table = attrs.evolve(APP, indexes=[NEAR, FULL], sample_items=items)
    source = generation.models([table])

    found: dict[str, Any] = {"__name__": __name__}
    exec(compile(source, "generated", "exec", dont_inherit=True), found)
    assert found["app"] == table
    assert "vec: list[float]" in source
    assert "tenant: str" in source


def test_a_search_has_a_statement_of_its_own_in_a_policy():
    pytest.importorskip("click", reason="pip install 'dynattrs[cli]'")
    from dynattrs.tools.command.policies import policy

    found = policy([APP], where="arn:aws:dynamodb:*:*:table/")

    by_name = {each["Sid"]: each for each in found["Statement"]}
    assert by_name["Searches"]["Action"] == ["dynamodb:SearchVectors"]
    assert by_name["Searches"]["Resource"] == [
        f"arn:aws:dynamodb:*:*:table/app/index/{name}" for name in ("near", "full")
    ]
    assert by_name["Indexes"]["Resource"] == ["arn:aws:dynamodb:*:*:table/app/index/by-tenant"]


REFUSED: list[Any] = [
    ({"dimensions": 0}, "1 to 4,096"),
    ({"dimensions": 4097}, "1 to 4,096"),
    ({"dimensions": 3.0}, "1 to 4,096"),
    ({"dimensions": True}, "1 to 4,096"),
    ({"distance": "manhattan"}, "'cosine', 'euclidean', 'dot'"),
    ({"vector": ""}, "vector=''"),
    ({"vector": None}, "vector=None"),
    ({"partition_key": ""}, "partition_key=''"),
    ({"filters": ["a", "a"]}, "'a' is named twice"),
    ({"filters": ["vec"]}, "'vec' is named twice"),
    ({"filters": [1]}, "filters=1"),
    ({"filters": [f"f{number}" for number in range(19)]}, "the service allows 18"),
    ({"partition_key": "a", "filters": "a"}, "'a' is named twice"),
    ({"projection": "some"}, "projection='some'"),
]


@pytest.mark.parametrize(("options", "problem"), REFUSED)
def test_an_index_that_cannot_be_is_refused(options: dict[str, Any], problem: str):
    with pytest.raises(ModelError, match=problem):
        VectorIndex("near", **{"vector": "vec", "dimensions": 3, **options})


def of(*indexes: Any, **options: Any) -> Table:
    return Table("app", partition_key="pk", indexes=indexes, **options)


def another(name: str, **options: Any) -> VectorIndex:
    return attrs.evolve(NEAR, name=name, **options)


TABLES: list[Any] = [
    (lambda: of(NEAR, billing=Provisioned(read=1, write=1)), "only tables on demand"),
    (lambda: of(NEAR, another("two", dimensions=4)), "3 and 4 dimensions, and one vector"),
    (lambda: of(another("two", vector="pk")), "'pk' as its vector, which is part of a key"),
    (lambda: of(*(another(f"n{n}xx") for n in range(6))), "the service allows 5"),
    (lambda: of(NEAR, NEAR), "two indexes are named 'near'"),
    (lambda: of("near"), "a GlobalIndex, LocalIndex or VectorIndex"),
    (
        lambda: of(another("two", partition_key="t"), types={"f": "N"}),
        "names 'f', which is not a key attribute",
    ),
    (
        lambda: of(
            GlobalIndex("g1x", partition_key="t", write_shards=3), another("two", filters="t")
        ),
        "part of no other key",
    ),
]


@pytest.mark.parametrize(("declare", "problem"), TABLES)
def test_a_table_that_cannot_be_is_refused(declare: Any, problem: str):
    with pytest.raises(ModelError, match=problem):
        declare()


def test_a_table_on_demand_may_say_so():
    assert of(NEAR, billing=OnDemand(max_read=5)).vector_indexes == (NEAR,)
    assert of(NEAR).secondary_indexes == ()
    assert of(NEAR).key_attributes == ("pk",)


def declared(type_: Any, default: Any = attrs.NOTHING, **options: Any) -> Any:
    index = VectorIndex("near", **{"vector": "vec", "dimensions": 3, **options})
    cls = type("Declared", (), {
        "__annotations__": {"id": str, "vec": type_, "tenant": str, "maybe": str | None, "live": bool},
        "id": partition_key(),
        **({} if default is attrs.NOTHING else {"vec": attrs.field(default=default, kw_only=True)}),
    })  # fmt: skip
    return model("things", indexes=[index])(cls)


TYPES = [
    pytest.param(list[float], id="list of floats"),
    pytest.param(list[int], id="list of ints"),
    pytest.param(tuple[float, ...], id="tuple"),
    pytest.param(Annotated[array, "f"], id="array"),
]


@pytest.mark.parametrize("type_", TYPES)
def test_a_vector_is_a_list_or_an_array_of_numbers(type_: Any):
    assert declared(type_)


def test_a_vector_may_be_an_array_of_numpys():
    pytest.importorskip("numpy", reason="pip install numpy")
    from numpy import float32
    from numpy.typing import NDArray

    assert declared(NDArray[float32])


def test_a_vector_that_may_be_none_is_absent_then():
    assert declared(list[float] | None, None)
    assert declared(Any, None)
    with pytest.raises(ModelError, match=r"vec.*may be None only with None as its default"):
        declared(list[float] | None)


WRONG_TYPES: list[Any] = [
    pytest.param(str, id="text"),
    pytest.param(set[float], id="set"),
    pytest.param(list[str], id="list of texts"),
    pytest.param(list[float | None], id="list with None"),
    pytest.param(dict[str, float], id="dict"),
    pytest.param(bytes, id="bytes"),
]


@pytest.mark.parametrize("type_", WRONG_TYPES)
def test_other_types_are_no_vectors(type_: Any):
    with pytest.raises(ModelError, match=r"vec.*the vector of index 'near' is a list or an array"):
        declared(type_)


OPTIONS: list[Any] = [
    ({"vector": "vek"}, r"index 'near' names 'vek'.*did you mean 'vec'"),
    ({"partition_key": "tennant"}, r"names 'tennant'.*'tenant'"),
    ({"partition_key": "live"}, r"stored as text, a number or bytes"),
    ({"filters": ["maybe"]}, r"a filter of index 'near' may be None only with None as its default"),
    ({"projection": ["nothing"]}, r"its projection, names 'nothing'"),
]


@pytest.mark.parametrize(("options", "problem"), OPTIONS)
def test_fields_are_checked_when_the_class_is_declared(options: dict[str, Any], problem: str):
    with pytest.raises(ModelError, match=problem):
        declared(list[float], **options)


def test_a_model_of_a_table_has_the_partition_key_of_its_vector():
    table = Table(
        "shared",
        partition_key="pk",
        indexes=[VectorIndex("near", vector="vec", dimensions=3, partition_key="part")],
    )

    with pytest.raises(ModelError, match="the items would not be in the index"):

        @model(table, pk="A#{id}")
        class Without:
            id: str
            vec: list[float]

    @model(table, pk="B#{id}")
    class NoVector:
        id: str

    with pytest.raises(
        ModelError, match="no item would ever be in index 'near'; give that as well"
    ):

        @model(table, pk="C#{id}", part="{id}")
        class OnlyKey:
            id: str


@attrs.define
class Foreign:
    id: str
    vec: list[float]


def test_a_class_is_mapped_from_outside():
    map_class(
        Foreign, "foreign", partition_key="id", unknown="drop",
        indexes=[VectorIndex("near", vector="vec", dimensions=2)],
    )  # fmt: skip
    session = ByHand()

    assert next(session.search(Foreign, [1, 2]).all()).parameters["IndexName"] == "near"


# --- What is asked ------------------------------------------------------------------------------


def test_a_search_is_one_request():
    flow = ByHand().search(Doc.vec, [1, 2, 0.5], top_k=7).keys().all()

    assert next(flow) == Call(
        "search_vectors",
        {
            "TableName": "docs",
            "IndexName": "near",
            "SearchVector": [{"N": "1.0"}, {"N": "2.0"}, {"N": "0.5"}],
            "TopK": 7,
            "ProjectionExpression": "#0",
            "ExpressionAttributeNames": {"#0": "id"},
        },
    )
    with pytest.raises(StopIteration) as stop:
        flow.send({"SearchResults": [{"Item": {"id": {"S": "a"}}, "Score": 0.5}]})
    [hit] = stop.value.value
    assert (hit.item, hit.score, hit.metric, hit.distance) == ({"id": "a"}, 0.5, "cosine", 0.5)


def test_a_search_says_what_it_would_ask():
    said = ByHand().search(Doc, [1, 2, 3]).hydrate().explain()

    assert "metric: cosine, less is nearer; the nearest come first, 10 at most" in said
    assert "then: BatchGetItem for the whole items" in said
    assert "because it is the only vector index over the field" in said


def test_a_search_is_shown_as_it_was_written():
    search = ByHand().search(Doc, [1, 2, 3], top_k=2).where(Doc.id == "a").using("near")

    assert repr(search.hydrate().on_error("skip")) == (
        "<search(Doc, <3 numbers>, top_k=2).where(Doc.id == 'a').using('near').hydrate()"
        ".on_error('skip')>"
    )
    assert str(search.select(Doc.vec)).endswith(".using('near').select(Doc.vec)")


UNKNOWN = InvalidRequest(
    "SearchVectors",
    "ValidationException",
    "The table does not have the specified index: near",
    "docs",
)
BACKFILLING = InvalidRequest(
    "SearchVectors", "ValidationException", "Cannot search backfilling vector index: near", "docs"
)


def described(*indexes: dict[str, Any]) -> dict[str, Any]:
    return {"Table": {"TableStatus": "ACTIVE", "VectorIndexes": list(indexes)}}


ACTIVE = {"IndexName": "near", "IndexStatus": "ACTIVE"}


def test_an_index_that_the_search_endpoint_does_not_know_yet_is_asked_again():
    session = ByHand()
    flow = session.search(Doc, [1, 2, 3]).keys().all()
    asked = next(flow)

    for _ in range(2):
        assert flow.throw(UNKNOWN) == Call("describe_table", {"TableName": "docs"})
        assert isinstance(flow.send(described(ACTIVE)), Pause)
        assert next(flow) == asked
    with pytest.raises(StopIteration):
        flow.send({"SearchResults": []})


def test_it_is_asked_again_until_the_deadline():
    session = ByHand()
    flow = session.search(Doc, [1, 2, 3]).keys().all()
    next(flow)
    session.clock.seconds += 61

    flow.throw(UNKNOWN)
    with pytest.raises(InvalidRequest, match="does not have the specified index"):
        flow.send(described(ACTIVE))


@pytest.mark.parametrize("error", [UNKNOWN, BACKFILLING], ids=["unknown", "backfilling"])
@pytest.mark.parametrize(
    "state",
    [
        pytest.param({"IndexStatus": "CREATING", "Backfilling": False}, id="creating"),
        pytest.param({"IndexStatus": "CREATING", "Backfilling": True}, id="filling"),
        pytest.param({"IndexStatus": "ACTIVE", "Backfilling": True}, id="active and filling"),
    ],
)
def test_an_index_that_is_not_ready_says_so(error: InvalidRequest, state: dict[str, Any]):
    flow = ByHand().search(Doc, [1, 2, 3]).keys().all()
    next(flow)
    flow.throw(error)

    with pytest.raises(IndexNotReady, match="waits until it is filled"):
        flow.send(described({**ACTIVE, **state}))


def test_a_table_without_the_index_is_named():
    flow = ByHand().search(Doc, [1, 2, 3]).keys().all()
    next(flow)
    flow.throw(UNKNOWN)

    with pytest.raises(NoIndex, match=r"session\.tables\.update\(Doc\) creates it"):
        flow.send(described())


def test_other_refusals_are_raised_as_they_are():
    flow = ByHand().search(Doc, [1, 2, 3]).keys().all()
    next(flow)

    with pytest.raises(InvalidRequest, match="something else"):
        flow.throw(InvalidRequest("SearchVectors", "ValidationException", "something else", "docs"))


def test_an_engine_without_the_operation_is_told_apart():
    flow = ByHand().search(Doc, [1, 2, 3]).keys().all()
    next(flow)

    with pytest.raises(ConfigurationError, match=r"no vector search.*Session\.local\(\)"):
        flow.throw(ServiceError("SearchVectors", "UnknownOperationException", "", "docs"))


# --- The client -----------------------------------------------------------------------------------


def client_of() -> Any:
    return boto3.client(
        "dynamodb", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="y"
    )


class Older:
    """A client of a botocore that is older than the operation."""

    meta: Any = None


def test_a_botocore_that_is_too_old_is_named():
    with Session(client=Older()) as session:
        with pytest.raises(
            ConfigurationError, match=r"too old: it has no search_vectors; install boto3"
        ):
            session.search(Doc, [1, 2, 3]).keys().all()


@pytest.mark.skipif(
    "SearchVectors" in SERVICE.operation_names, reason="this botocore knows vector indexes"
)
def test_an_older_botocore_refuses_to_create_them_in_other_words():
    with Session(client=client_of()) as session:
        wire = session._driver.wire
        with pytest.raises(ConfigurationError, match="does not know VectorIndexes of CreateTable"):
            wire.call(Call("create_table", APP.create_arguments()))


@pytest.fixture
def sent() -> tuple[Any, list[Any]]:
    """A client of the service, and the requests that botocore would have sent with it."""
    client = client_of()
    requests: list[Any] = []

    def answer(request: Any, **_: Any) -> Any:
        requests.append(request)
        search = request.headers["X-Amz-Target"].endswith(b"SearchVectors")
        response = AWSResponse(request.url, 200, {}, None)  # type: ignore[arg-type]
        response._content = b'{"SearchResults":[]}' if search else b"{}"
        return response

    client.meta.events.register("before-send.dynamodb", answer)
    return client, requests


@needs_vectors
def test_searches_go_to_the_search_endpoint_and_nothing_else_does(sent: tuple[Any, list[Any]]):
    client, requests = sent
    with Session(client=client) as session:
        for _ in range(2):
            assert session.get(Doc, "a") is None
            assert session.search(Doc, [1, 2, 3]).keys().all() == []

    assert [each.url for each in requests] == [
        "https://dynamodb.eu-west-1.amazonaws.com/",
        "https://search-dynamodb.eu-west-1.amazonaws.com/",
    ] * 2


@needs_vectors
def test_requests_that_are_made_after_a_pattern_go_where_the_pattern_went(
    sent: tuple[Any, list[Any]],
):
    client, requests = sent
    search = {"TableName": "docs", "IndexName": "near", "TopK": 1, "SearchVector": [{"N": "1"}]}
    asked = {"get_item": {"TableName": "docs", "Key": {"id": {"S": "a"}}}, "search_vectors": search}
    for method, parameters in asked.items():
        getattr(client, method)(**parameters)

    maker = RequestMaker(client_of())
    credentials = maker.credentials()
    for each in requests:
        maker.learn(each, credentials)
    made = [maker.request(method, asked[method], credentials, 0.0) for method in asked]
    assert [each and each.url for each in made] == [each.url for each in requests]
    assert len({each.url for each in requests}) == 2


@needs_vectors
def test_what_is_asked_and_answered_fits_the_service_model():
    client = client_of()
    table = Table("app", partition_key="id", indexes=[FULL], types={"year": "N"})

    @model(table)
    class Thing:
        id: str
        vec: list[float]
        tenant: str
        year: int
        title: str = ""

    reply = {
        "SearchResults": [{"Item": {"title": {"S": "t"}, "id": {"S": "a"}}, "Score": 3.5}],
        "ConsumedCapacity": {"VectorSearchRequestBytes": 1024.0},
    }
    with Stubber(client) as stubber, Session(client=client) as session:
        stubber.add_response("search_vectors", reply)
        search = session.search(Thing.vec, [1, 2, 3]).where(Thing.tenant == "a", Thing.year == 7)
        [hit] = search.select(Thing.title)

    assert (hit.item, hit.score, hit.metric, hit.distance) == (("t",), 3.5, "dot", -3.5)


# --- Tables -----------------------------------------------------------------------------------------


def test_each_index_is_a_request_of_its_own():
    bare = Table("app", partition_key="pk", indexes=[])
    wanted = Table("app", partition_key="pk", indexes=[NEAR, FULL], types={"year": "N"})
    service = Service(bare)

    assert [change.destructive for change in service.update(wanted)] == [False, False]
    assert [
        [element["AttributeName"] for element in each["AttributeDefinitions"]]
        for each in service.changes()
    ] == [[], ["tenant", "year"]]
    assert service.diff(wanted) == []

    with pytest.raises(ChangeRefused, match="has the vector index 'near', not declared"):
        service.update(attrs.evolve(wanted, indexes=[FULL]))
    service.update(attrs.evolve(wanted, indexes=[FULL]), destructive=True)
    assert service.changes()[-1] == {"VectorIndexUpdates": [{"Delete": {"IndexName": "near"}}]}


def test_an_index_is_waited_for_until_it_is_filled():
    bare = Table("app", partition_key="pk", indexes=[])
    wanted = attrs.evolve(bare, indexes=[NEAR])
    service = Service(bare, slow=4)

    service.update(wanted)

    assert service.there["app"]["VectorIndexes"][0] == {
        **wanted.create_arguments()["VectorIndexes"][0], "IndexStatus": "ACTIVE",
        "Backfilling": False,
    }  # fmt: skip


DIFFERENCES: list[Any] = [
    ({"dimensions": 4}, "its dimensions is 3, declared is 4"),
    ({"distance": "dot"}, "its distance is COSINE, declared is DOT_PRODUCT"),
    ({"vector": "other"}, "its vector is 'vec', declared is 'other'"),
    ({"partition_key": "t"}, r"is nothing, declared is t \(partition key\)"),
    ({"filters": ["b", "a"]}, "is nothing, declared is a, b"),
    ({"projection": "keys"}, "what it projects is all, declared is keys"),
    ({"projection": ["b", "a"]}, "what it projects is all, declared is a, b"),
]


@pytest.mark.parametrize(("options", "difference"), DIFFERENCES)
def test_what_differs_is_dropped_and_made_anew(options: dict[str, Any], difference: str):
    service = Service(of(NEAR))
    wanted = of(attrs.evolve(NEAR, **options))

    with pytest.raises(ChangeRefused, match=difference):
        service.update(wanted)
    assert service.changes() == []
    service.update(wanted, destructive=True)
    assert [set(each["VectorIndexUpdates"][0]) for each in service.changes()] == [
        {"Delete"}, {"Create"}
    ]  # fmt: skip
    assert service.diff(wanted) == []


def test_the_order_of_filters_is_no_difference():
    service = Service(of(attrs.evolve(NEAR, filters=["a", "b"])))

    assert service.diff(of(attrs.evolve(NEAR, filters=["b", "a"]))) == []


def test_an_attribute_of_another_type_drops_the_indexes_that_have_it():
    index = attrs.evolve(NEAR, filters=["a"])
    service = Service(of(index))
    wanted = of(index, types={"a": "N"})

    service.update(wanted, destructive=True)

    assert service.diff(wanted) == []


def test_a_provisioned_table_is_changed_first_or_refused():
    provisioned = of(billing=Provisioned(read=1, write=1))
    service = Service(provisioned)

    with pytest.raises(ChangeRefused, match=r"billed on demand.*declare billing=OnDemand\(\)"):
        service.update(of(NEAR))
    service.update(of(NEAR, billing=OnDemand()))
    assert service.diff(of(NEAR, billing=OnDemand())) == []


def test_an_engine_that_ignores_an_index_is_found_out():
    service = Service()
    service.ignores_vectors = True

    with pytest.raises(TableDiffers, match="took the request and has ignored it"):
        service.create(of(NEAR))
    with pytest.raises(TableDiffers, match="took the request and has ignored it"):
        service.update(of(NEAR))


def test_local_and_vector_indexes_stand_beside_each_other():
    table = Table(
        "app", partition_key="pk", sort_key="sk", indexes=[LocalIndex("loc", sort_key="a"), NEAR]
    )

    assert Service(table).diff(table) == []
    assert [each.name for each in table.secondary_indexes] == ["loc"]


def test_programs_that_search_for_nothing_load_nothing_of_it():
    code = "import dynattrs, sys; print([m for m in sys.modules if 'vector' in m or 'search' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert [m for m in eval(done.stdout) if m.startswith("dynattrs")] == []
