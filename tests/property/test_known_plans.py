"""Plans that were made before: with other values they are what the planner makes anew."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from dynattrs import DynattrsError
from dynattrs.keys import known_plans, planner
from dynattrs.keys.plans import Wanted
from key_schemas import SCHEMAS, Bytes, Number, Place, Text

_MODELS = [*(schema.cls for schema in SCHEMAS), Place, Text, Number, Bytes]

_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "S": st.sampled_from(
        ["a", "b", "", "\U0010ffff" * 256, "a" * 257, "\U0010ffff" * 257, "a" * 2049]
    ),
    "N": st.sampled_from([0, 1, -7]),
    "B": st.sampled_from([b"a", b"", b"a" * 2049]),
}


@st.composite
def wanted(draw: st.DrawFn) -> tuple[Wanted, Wanted]:
    """Two queries that differ in nothing but values."""
    cls: Any = draw(st.sampled_from(_MODELS))
    info = cls.__dynattrs__
    keys = [name for name, stored in info.names.items() if stored in info.table.key_attributes]
    names = draw(st.lists(st.sampled_from(keys or [*info.names]), min_size=1, max_size=3))
    using = draw(st.sampled_from([None, None, *(index.name for index in info.table.indexes)]))
    consistent, hydrate = draw(st.booleans()), draw(st.booleans())
    needs = draw(st.sampled_from([None, frozenset(info.table.key)]))

    def one() -> Wanted:
        where = []
        for name in names:
            path = getattr(cls, name)
            value = draw(_VALUES.get(path.__dynattrs_path__.form.tag or "", st.none()))
            where.append(path == value)
        return Wanted(
            info, tuple(where), using=using, consistent=consistent, needs=needs, hydrate=hydrate
        )

    return one(), one()


def outcome(plan: Any, asked: Wanted) -> Any:
    try:
        found = plan(asked)
    except DynattrsError as error:
        return type(error), str(error)
    return (
        found.operation, found.index, [*map(id, found.key)] if found.key else (), str(found.filter),
        found.excluded, found.partial, found.why, found.shards,
    )  # fmt: skip


@given(wanted())
def test_a_plan_that_was_made_before_is_the_planners(both: tuple[Wanted, Wanted]) -> None:
    for asked in itertools.chain(both, both):
        event(f"known: {len(asked.info.plans) > 0}")
        assert outcome(known_plans.plan, asked) == outcome(planner.plan, asked)
