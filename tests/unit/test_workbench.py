"""NoSQL Workbench's data models: read as people's files are, written as Workbench's are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

from dynattrs import Facet, GlobalIndex, LocalIndex, ModelError, OnDemand, Provisioned, Table
from dynattrs.tools import workbench

LIBRARY: dict[str, Any] = {
    "ModelName": "Library",
    "ModelMetadata": {
        "Author": "A. Librarian",
        "DateCreated": "Jan 02, 2024, 10:11 AM",
        "DateLastModified": "Jan 02, 2024, 10:12 AM",
        "Description": "Books and their loans",
        "AWSService": "Amazon DynamoDB",
        "Version": "3.0",
    },
    "DataModel": [
        {
            "TableName": "Library",
            "KeyAttributes": {
                "PartitionKey": {"AttributeName": "PK", "AttributeType": "S"},
                "SortKey": {"AttributeName": "SK", "AttributeType": "N"},
            },
            "NonKeyAttributes": [
                {"AttributeName": "Title", "AttributeType": "S"},
                {"AttributeName": "GSI1", "AttributeType": "B"},
            ],
            "TableFacets": [
                {
                    "FacetName": "Book",
                    "KeyAttributeAlias": {
                        "PartitionKeyAlias": "BOOK#isbn",
                        "SortKeyAlias": "edition",
                    },
                    "TableData": [
                        {"PK": {"S": "BOOK#1"}, "SK": {"N": "1"}, "Title": {"S": "Emma"}},
                        {"PK": {"S": "BOOK#2"}, "SK": {"N": "1"}, "GSI1": {"B": "AQI="}},
                    ],
                    "NonKeyAttributes": ["Title"],
                    "DataAccess": {"MySql": {}},
                }
            ],
            "TableData": [{"PK": {"S": "LOAN#1"}, "SK": {"N": "7"}}],
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": "inverse",
                    "KeyAttributes": {
                        "PartitionKey": {"AttributeName": "GSI1", "AttributeType": "B"},
                        "SortKey": {"AttributeName": "PK", "AttributeType": "S"},
                    },
                    "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["Title"]},
                },
                {
                    "IndexName": "keys",
                    "KeyAttributes": {
                        "PartitionKey": {"AttributeName": "SK", "AttributeType": "N"}
                    },
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                },
            ],
            "DataAccess": {"MySql": {}},
            "BillingMode": "PROVISIONED",
            "ProvisionedCapacitySettings": {
                "ProvisionedThroughput": {"ReadCapacityUnits": 7, "WriteCapacityUnits": 3},
                "AutoScalingRead": {
                    "ScalableTargetRequest": {
                        "MinCapacity": 1,
                        "MaxCapacity": 10,
                        "ServiceRole": "a role",
                    },
                    "ScalingPolicyConfiguration": {"TargetValue": 70},
                },
            },
        },
        {
            "TableName": "plain",
            "KeyAttributes": {"PartitionKey": {"AttributeName": "id", "AttributeType": "S"}},
            "BillingMode": "PAY_PER_REQUEST",
        },
    ],
}


def written(path: Path, document: Any) -> Path:
    file = path / "model.json"
    file.write_text(
        document if isinstance(document, str) else json.dumps(document), encoding="utf-8"
    )
    return file


def test_a_data_model_is_read_as_tables(tmp_path: Path):
    library, plain = workbench.load(written(tmp_path, LIBRARY))

    assert library == Table(
        "Library",
        partition_key="PK",
        sort_key="SK",
        indexes=[
            GlobalIndex("inverse", partition_key="GSI1", sort_key="PK", projection=["Title"]),
            GlobalIndex("keys", partition_key="SK", projection="keys"),
        ],
        types={"SK": "N", "GSI1": "B"},
        billing=Provisioned(read=7, write=3),
    )
    assert library.attributes == {"Title": "S", "GSI1": "B"}
    assert plain == Table("plain", partition_key="id", billing=OnDemand())


def test_facets_and_sample_items_are_attribute_maps(tmp_path: Path):
    library, plain = workbench.load(str(written(tmp_path, LIBRARY)))

    books = (
        {"PK": {"S": "BOOK#1"}, "SK": {"N": "1"}, "Title": {"S": "Emma"}},
        {"PK": {"S": "BOOK#2"}, "SK": {"N": "1"}, "GSI1": {"B": b"\x01\x02"}},
    )
    assert library.facets == (
        Facet(
            "Book",
            partition_key="BOOK#isbn",
            sort_key="edition",
            attributes=["Title"],
            sample_items=books,
        ),
    )
    assert library.sample_items == ({"PK": {"S": "LOAN#1"}, "SK": {"N": "7"}}, *books)
    assert plain.sample_items == plain.facets == ()


@pytest.mark.parametrize(
    ("inside", "value"),
    [
        ({"S": "text"}, {"S": "text"}),
        ({"N": 7}, {"N": "7"}),
        ({"BOOL": "true"}, {"BOOL": True}),
        ({"NULL": True}, {"NULL": True}),
        ({"SS": ["a"]}, {"SS": ["a"]}),
        ({"NS": [1, "2"]}, {"NS": ["1", "2"]}),
        ({"BS": ["AQ=="]}, {"BS": [b"\x01"]}),
        ({"B": "no base64!"}, {"B": b"no base64!"}),
        ({"L": [{"S": "a"}, 3]}, {"L": [{"S": "a"}, {"N": "3"}]}),
        # Plain JSON inside a map, which Workbench lets people write.
        ({"M": {"on": True, "at": {"x": 1}}}, {"M": {"on": {"BOOL": True}, "at": {"M": {"x": {"N": "1"}}}}}),
        # A map whose only key is called like a type.
        ({"M": {"M": {"HP": {"N": "50"}}}}, {"M": {"M": {"M": {"HP": {"N": "50"}}}}}),
        ({"M": {"S": {"deep": None}}}, {"M": {"S": {"M": {"deep": {"NULL": True}}}}}),
        ("plain", {"S": "plain"}),
        ([1.5], {"L": [{"N": "1.5"}]}),
    ],
)  # fmt: skip
def test_values_are_read_as_people_write_them(tmp_path: Path, inside: Any, value: Any):
    document = json.loads(json.dumps(LIBRARY))
    document["DataModel"][1]["TableData"] = [{"id": {"S": "1"}, "value": inside}]

    _, plain = workbench.load(written(tmp_path, document))

    assert plain.sample_items == ({"id": {"S": "1"}, "value": value},)


def test_what_is_dumped_is_loaded_again(tmp_path: Path):
    tables = workbench.load(written(tmp_path, LIBRARY))

    workbench.dump(tables, tmp_path / "copy.json")
    again = workbench.load(tmp_path / "copy.json")

    assert again == tables
    for one, other in zip(again, tables, strict=True):
        assert one.facets == other.facets
        assert one.attributes == other.attributes
        assert sorted(map(str, one.sample_items)) == sorted(map(str, other.sample_items))


def test_what_is_dumped_has_the_shape_of_workbenchs_own_files(tmp_path: Path):
    tables = workbench.load(written(tmp_path, LIBRARY))

    workbench.dump(
        tables,
        tmp_path / "Library.json",
        author="A. Librarian",
        description="Books and their loans",
    )
    document = json.loads((tmp_path / "Library.json").read_text(encoding="utf-8"))

    def shape(value: Any, path: str = "") -> set[str]:
        if isinstance(value, dict):
            return {p for name, each in value.items() for p in shape(each, f"{path}.{name}")}
        if isinstance(value, list):
            return {p for each in value for p in shape(each, f"{path}[]")}
        return {path}

    assert shape(document) - shape(LIBRARY) == set()
    # What is missing is autoscaling, which a declaration does not have.
    assert {path for path in shape(LIBRARY) - shape(document) if "AutoScaling" not in path} == set()
    assert document["ModelName"] == "Library"
    assert document["ModelMetadata"]["AWSService"] == "Amazon DynamoDB"


def test_a_declaration_is_dumped_with_the_types_that_its_samples_show(tmp_path: Path):
    table = Table(
        "shop",
        partition_key="pk",
        indexes=[GlobalIndex("by-day", partition_key="day", projection=["total"])],
        types={"day": "N"},
        sample_items=[
            {"pk": {"S": "1"}, "day": {"N": "3"}, "open": {"NULL": True}},
            {"pk": {"S": "2"}, "open": {"BOOL": True}, "blob": {"B": b"\x00"}},
        ],
    )

    workbench.dump([table], tmp_path / "shop.json", name="The shop")
    document = json.loads((tmp_path / "shop.json").read_text(encoding="utf-8"))

    assert document["ModelName"] == "The shop"
    [shop] = document["DataModel"]
    assert {each["AttributeName"]: each["AttributeType"] for each in shop["NonKeyAttributes"]} == {
        "day": "N",
        "open": "BOOL",
        "blob": "B",
        "total": "S",
    }
    assert shop["TableData"][1]["blob"] == {"B": "AA=="}
    assert shop["BillingMode"] == "PAY_PER_REQUEST"
    assert "TableFacets" not in shop


@pytest.mark.parametrize(
    ("index", "what"),
    [
        (LocalIndex("local", sort_key="year"), "is local"),
        (GlobalIndex("wide", partition_key=("a", "b")), "is with a key of several attributes"),
        (GlobalIndex("deep", partition_key="a", sort_key=("b", "c")), "is with a key of several"),
    ],
)
def test_an_index_that_no_data_model_has_is_refused(tmp_path: Path, index: Any, what: str):
    table = Table("shop", partition_key="pk", sort_key="sk", indexes=[index])

    with pytest.raises(ModelError, match=rf"Table\('shop'\): index '{index.name}' {what}"):
        workbench.dump([table], tmp_path / "shop.json")
    assert not (tmp_path / "shop.json").exists()


def test_facets_and_samples_are_documentation_and_no_part_of_equality():
    table = Table("shop", partition_key="pk")
    documented = attrs.evolve(table, sample_items=[{"pk": {"S": "1"}}], facets=[Facet("all")])

    assert table == documented
    assert hash(table) == hash(documented)
    assert "sample" not in repr(documented)


def changed(**changes: Any) -> dict[str, Any]:
    document = json.loads(json.dumps(LIBRARY))
    document["DataModel"][1].update(changes)
    return document


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "it is not JSON"),
        ("[]", "it has no list 'DataModel'"),
        ({"DataModel": {}}, "it has no list 'DataModel'"),
        ({"DataModel": ["x"]}, "table 0: it is not an object, but str"),
        ({"DataModel": [{}]}, "table 0: 'TableName' is missing"),
        (
            changed(KeyAttributes=None),
            "table 'plain': 'KeyAttributes' is not an object, but NoneType",
        ),
        (changed(KeyAttributes={}), "table 'plain': a key is not an object"),
        (
            changed(KeyAttributes={"PartitionKey": {"AttributeName": "a", "AttributeType": "M"}}),
            "key attribute 'a' is of type 'M', not 'S', 'N' or 'B'",
        ),
        (changed(TableData=5), "'TableData' is not a list"),
        (changed(TableFacets=[5]), "an entry of 'TableFacets' is not an object, but int"),
        (changed(TableName="a b"), r"Table\('a b'\): the name of a table has 3 to 255"),
    ],
)
def test_what_is_no_data_model_is_refused_with_its_place(
    tmp_path: Path, document: Any, message: str
):
    with pytest.raises(ModelError, match=f"data model '.*model.json'.*{message}"):
        workbench.load(written(tmp_path, document))


def test_dumping_what_is_no_table_is_refused(tmp_path: Path):
    with pytest.raises(ModelError, match="a list of Tables is expected, found 'shop'"):
        workbench.dump(["shop"], tmp_path / "x.json")  # type: ignore[list-item]
