"""Encrypted fields of every type hold what they would hold without encryption, and only in their place."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dynattrs import MappingError, mapper, model, partition_key, sort_key
from dynattrs.encryption import Encrypted, StaticKeys

import strategies

pytest.importorskip("cryptography")

KEYS = StaticKeys({"one": b"1" * 32})
AT = st.integers(-(10**37), 10**37)


def declared(type_: Any) -> Any:
    types = {"id": str, "at": int, "value": type_}
    return model("things")(strategies._declared("Thing", types, id=partition_key(), at=sort_key()))


@given(strategies.samples, st.text(min_size=1, max_size=4), AT, st.data())
def test_values_are_read_as_they_were_saved(
    sample: Any, id_: str, at: int, data: st.DataObject
) -> None:
    value = data.draw(sample.values)
    plain, secret = declared(sample.type), declared(Annotated[sample.type, Encrypted(KEYS)])
    expected = mapper.load(mapper.dump(plain(id_, at, value)), plain)

    item = mapper.dump(secret(id_, at, value))

    found = mapper.load(item, secret)
    assert (found.id, found.at, found.value) == (id_, at, expected.value)
    assert mapper.dump(found)["value"].keys() == item["value"].keys()
    assume("NULL" not in item["value"])
    assert set(item["value"]) == {"B"}
    for moved in (item | {"at": {"N": str(at + 1)}}, item | {"id": {"S": f"{id_}x"}}):
        with pytest.raises(MappingError, match="encrypted for this item"):
            mapper.load(moved, secret)
