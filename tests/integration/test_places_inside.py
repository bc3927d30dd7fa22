"""Places inside tuples and unions, on each engine: what is written there can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from dynattrs import Session, model, partition_key, path, remove, set_


@attrs.define
class Label:
    name: str
    city: str = ""


@model("placed")
class Placed:
    id: str = partition_key()
    pair: tuple[int, str] = (1, "a")
    maybe: tuple[int, str] | None = None
    single: tuple[int] = (1,)
    deep: tuple[tuple[int, str], str] = ((1, "a"), "")
    pairs: list[tuple[int, str]] = attrs.field(factory=list)
    by_name: dict[str, tuple[int, str]] = attrs.field(factory=dict)
    list_or_text: list[int] | str = ""
    dict_or_text: dict[str, int] | str = ""
    many_or_text: tuple[int, ...] | str = ""
    any_container: dict[str, Any] | list[Any] | None = None
    labels: list[Label] | Label | None = None


_P: Any = Placed

PLACES: list[tuple[Any, Any, Any]] = [
    (_P.pair[0], 1, 7),
    (path(_P.maybe)[1], "b", "q"),
    (_P.single[0], 1, 7),
    (_P.deep[0][1], "a", "q"),
    (_P.pairs[0][0], 1, 7),
    (_P.by_name["x"][1], "c", "q"),
    (_P.list_or_text[0], 1, 7),
    (_P.dict_or_text["x"], 1, 7),
    (_P.many_or_text[0], 1, 7),
    (_P.any_container["x"], 1, "any"),
    (_P.labels[0], Label("d"), Label("q")),
    (_P.labels[0].name, "d", "q"),
]


@pytest.fixture
def session(client: Any, kept_tables: Callable[..., str]) -> Iterator[Session]:
    with Session(client=client, table_prefix=kept_tables(Placed)) as made:
        made.save(
            Placed(
                "1",
                maybe=(1, "b"),
                pairs=[(1, "c")],
                by_name={"x": (1, "c")},
                list_or_text=[1],
                dict_or_text={"x": 1},
                many_or_text=(1,),
                any_container={"x": 1},
                labels=[Label("d")],
            )
        )
        yield made


@pytest.mark.parametrize(("place", "before", "after"), PLACES, ids=repr)
def test_a_place_has_the_type_that_is_declared_there(
    session: Session, place: Any, before: Any, after: Any
):
    found = session.query(Placed).where(Placed.id == "1", place == before).select(place).all()
    assert found == [(before,)]

    assert session.update(Placed, "1", set_(place, after), returns="changed") == {
        repr(place): after
    }
    assert session.get_one(Placed, "1", select=(place,)) == (after,)
    assert session.get_one(Placed, "1").id == "1"


def test_members_of_lists_around_tuples_are_removed(session: Session):
    removed = remove(Placed.pairs[0], Placed.by_name["x"], _P.list_or_text[0])
    changed = session.update(Placed, "1", removed)

    assert changed is not None
    assert (changed.pairs, changed.by_name, changed.list_or_text) == ([], {}, [])


def test_what_is_copied_can_be_read(session: Session):
    copied = session.update(
        Placed,
        "1",
        set_(_P.pair, _P.maybe),
        set_(_P.single[0], _P.dict_or_text["x"]),
        set_(_P.list_or_text, _P.many_or_text),
        set_(_P.any_container["x"], _P.pairs),
    )

    assert copied is not None
    assert copied == session.get(Placed, "1")
    assert (copied.pair, copied.single, copied.list_or_text) == ((1, "b"), (1,), [1])
    assert copied.any_container == {"x": [[1, "c"]]}
