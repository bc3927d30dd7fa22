"""Time to build a typical condition and render it to an expression with placeholders.

Timed: making `genre = "jazz" AND year BETWEEN 1960 AND 1970 AND (contains(tags, "live") OR
attribute_not_exists(tags))` from fields and turning it into the strings, names and values of a
request. Left out: the request. Compared with boto3's `ConditionExpressionBuilder`, whose values are
not even serialised there, and with PynamoDB (group `rivals`; left out where it is not installed).

    uv run --group bench --group rivals pytest benchmarks/test_conditions.py
"""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from boto3.dynamodb.conditions import Attr, ConditionExpressionBuilder
from pytest_benchmark.fixture import BenchmarkFixture

from dynattrs import between, contains, model, not_exists, partition_key
from dynattrs.expressions.conditions import Condition
from dynattrs.expressions.placeholders import Placeholders


@model("music")
class Song:
    title: str = partition_key()
    genre: str = ""
    year: int = 0
    tags: set[str] = attrs.field(factory=set)


def with_dynattrs() -> tuple[str, dict[str, Any]]:
    condition: Any = (
        (Song.genre == "jazz")
        & between(Song.year, 1960, 1970)
        & (contains(Song.tags, "live") | not_exists(Song.tags))
    )
    assert isinstance(condition, Condition)
    placeholders = Placeholders()
    request: dict[str, Any] = {}
    expression = condition.render(placeholders)
    placeholders.into(request)
    return expression, request


def with_boto3() -> tuple[str, dict[str, Any]]:
    condition = (
        Attr("genre").eq("jazz")
        & Attr("year").between(1960, 1970)
        & (Attr("tags").contains("live") | Attr("tags").not_exists())
    )
    built = ConditionExpressionBuilder().build_expression(condition)
    return built.condition_expression, {
        "ExpressionAttributeNames": built.attribute_name_placeholders,
        "ExpressionAttributeValues": built.attribute_value_placeholders,
    }


def check(result: tuple[str, dict[str, Any]], names: int) -> None:
    expression, request = result
    assert "BETWEEN" in expression
    assert "attribute_not_exists" in expression
    assert len(request["ExpressionAttributeNames"]) == names
    assert len(request["ExpressionAttributeValues"]) == 4


def test_condition_with_dynattrs(benchmark: BenchmarkFixture) -> None:
    check(benchmark(with_dynattrs), names=3)


def test_condition_with_boto3(benchmark: BenchmarkFixture) -> None:
    # boto3 has a placeholder for each mention of a name.
    check(benchmark(with_boto3), names=4)


def test_condition_with_pynamodb(benchmark: BenchmarkFixture) -> None:
    attributes = pytest.importorskip("pynamodb.attributes")
    genre = attributes.UnicodeAttribute(attr_name="genre")
    year = attributes.NumberAttribute(attr_name="year")
    tags = attributes.UnicodeSetAttribute(attr_name="tags")

    def with_pynamodb() -> tuple[str, dict[str, Any]]:
        condition = (
            (genre == "jazz")
            & year.between(1960, 1970)
            & (tags.contains("live") | tags.does_not_exist())
        )
        names: dict[str, str] = {}
        values: dict[str, Any] = {}
        expression = condition.serialize(names, values)
        return expression, {
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }

    check(benchmark(with_pynamodb), names=3)
