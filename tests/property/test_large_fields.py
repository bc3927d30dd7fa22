"""Values of every type are what they were, in the item and in S3."""

from __future__ import annotations

from typing import Annotated, Any

from hypothesis import given, reject
from hypothesis import strategies as st

from dynattrs import ModelError, mapper, model, partition_key
from dynattrs.mapper.departures import departures
from dynattrs.s3 import InS3, Large

import strategies


def declared(type_: Any) -> Any:
    types = {"id": str, "value": type_}
    return model("things")(strategies._declared("Thing", types, id=partition_key()))


@given(strategies.samples, st.integers(0, 40), st.data())
def test_values_are_read_as_they_were_saved(sample: Any, above: int, data: st.DataObject) -> None:
    value = data.draw(sample.values)
    plain = declared(sample.type)
    try:
        large = declared(Annotated[Large[sample.type], InS3("bucket", above=above)])
    except ModelError:  # None among the values
        reject()
    alone = mapper.dump(plain("a", value)).get("value")
    expected = mapper.load(mapper.dump(plain("a", value)), plain).value

    item = mapper.dump(large("a", Large(value)))

    leaving = departures({"TableName": "things", "Item": item})
    if not leaving:
        assert alone is None or item["value"] == alone
        found = mapper.load(item, large)
        assert found.value.value == expected
        assert mapper.dump(found) == item
        return
    [each] = leaving
    each.leave()
    body = each.value.request(each.place)[1]["Body"]
    found = mapper.load(item, large)
    assert found.value.decoded(body) == expected
    assert found.value == Large(value)
    assert mapper.dump(found) == item
    assert departures({"TableName": "things", "Item": mapper.dump(found)}) == []
