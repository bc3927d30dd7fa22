"""Laws of vector indexes: a declaration comes back whole, and numbers arrive as the nearest 32-bit floats."""

from __future__ import annotations

import math
import struct
from array import array
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dynattrs import QueryError, Table, VectorIndex
from dynattrs.operations.reading.search_vectors import numbers_of, stored
from table_service import Service

names = st.sampled_from(["a", "b", "c", "tenant", "lang"])


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Tables with vector indexes, over one vector or two."""
    dimensions = {"vec": draw(st.integers(1, 4096)), "other": draw(st.integers(1, 4096))}
    indexes = []
    for number in range(draw(st.integers(1, 5))):
        vector = draw(st.sampled_from(sorted(dimensions)))
        said = draw(st.lists(names, unique=True, max_size=4))
        divided = bool(said) and draw(st.booleans())
        projection: Any = draw(
            st.sampled_from(["all", "keys"]) | st.lists(st.just("title"), min_size=1, max_size=1)
        )
        indexes.append(
            VectorIndex(
                f"index-{number}",
                vector=vector,
                dimensions=dimensions[vector],
                distance=draw(st.sampled_from(["cosine", "euclidean", "dot"])),
                partition_key=said[0] if divided else None,
                filters=said[divided:],
                projection=projection,
            )
        )
    used = sorted({name for index in indexes for name in index.search_attributes})
    types = {name: draw(st.sampled_from(["N", "B"])) for name in used if draw(st.booleans())}
    return Table("app", partition_key="pk", indexes=indexes, types=types)


@given(tables())
def test_a_declaration_comes_back_from_what_the_service_describes(table: Table):
    described = {
        **table.create_arguments(),
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
    }

    found = Table.from_description(described)

    assert (found.indexes, found.types) == (table.indexes, table.types)
    assert eval(repr(table)) == table


@given(tables(), tables())
def test_a_table_becomes_as_it_is_declared(before: Table, after: Table):
    """One request for each index that comes or goes, and nothing is left to do."""
    service = Service(before)

    service.update(after, destructive=True)

    assert service.diff(after) == []
    assert service.update(after) == []


def rounded(number: float) -> float:
    """The nearest 32-bit float."""
    try:
        found: float = struct.unpack("<f", struct.pack("<f", number))[0]
    except OverflowError:
        return math.copysign(math.inf, number)
    return found


floats = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(floats | st.integers(-(2**70), 2**70), min_size=1, max_size=20))
@example([2.0**128 - 2.0**103])
@example([2.0**-150, 2.0**-149, -(2.0**-151), 5e-324, -0.0])
def test_a_number_arrives_as_the_nearest_float_or_is_refused(numbers: list[float]):
    if any(math.isinf(rounded(each)) for each in numbers):
        with pytest.raises(QueryError, match="a number that a 32-bit float holds"):
            numbers_of(numbers)
        return

    sent = stored(numbers_of(numbers))

    assert [set(each) for each in sent] == [{"N"}] * len(numbers)
    for number, each in zip(numbers, sent, strict=True):
        assert rounded(float(each["N"])) == rounded(number)
        assert len(Decimal(each["N"]).as_tuple().digits) <= 38


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=20))
def test_all_kinds_of_sequences_are_the_same_numbers(numbers: list[float]):
    found = numbers_of(numbers)

    assert found == numbers_of(tuple(numbers)) == numbers_of(array("d", numbers))
    assert found == numbers_of(array("f", numbers)) == numbers_of(iter(numbers))
    assert found == numbers_of([Decimal(each) for each in numbers])
