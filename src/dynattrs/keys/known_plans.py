"""Plans of queries that say the same as an earlier one, with other values.

Most queries state values of key attributes and nothing else. Which request answers them depends on which
attributes these are, not on the values, as long as they are such that keys can have. So it is planned
once for each model, and the conditions are put in their places.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Final

from dynattrs.deferral import deferred
from dynattrs.expressions.conditions import Comparison, Condition, Function, PathOperand, Value
from dynattrs.keys import planner
from dynattrs.keys.plans import Plan, Wanted
from dynattrs.keys.subclass_keys import has_others
from dynattrs.schema.model_info import guarded_tables
from dynattrs.tracebacks import hidden

if TYPE_CHECKING:
    from dynattrs.keys import fan_out
else:
    # Most queries take one request.
    fan_out = deferred("dynattrs.keys.fan_out")

__tracebackhide__ = hidden

#: A text of so many characters is no longer than any key may be.
_SHORT: Final = 256


# Measured (benchmarks/second_ways.py): 10.3 -> 1.3 us a plan.
# tests/property/test_known_plans.py holds it to the planner.
def plan(wanted: Wanted) -> Plan:
    """As `planner.plan`, or of several requests where the conditions take these."""
    info = wanted.info
    shape = _shape(wanted)
    if shape is None:
        plain = wanted.scan or (
            all(map(_is_plain, wanted.where)) and not any(map(has_others, wanted.infos))
        )
        return planner.plan(wanted) if plain else fan_out.plan(wanted)
    known = info.plans.get(shape)
    if known is None:
        found = planner.plan(wanted)
        places = {id(part): place for place, part in enumerate(wanted.where)}
        order = [places.get(id(part)) for part in found.key]
        # Only where all that was said is in the key condition, as it was said.
        if found.operation == "query" and None not in order and len(order) == len(places):
            info.plans[shape] = found, order
        return found
    found, order = known
    key = tuple([wanted.where[place] for place in order])
    return Plan("query", found.index, key, None, None, found.partial, found.why, found.shards)


def _is_plain(part: Condition) -> bool:
    """Whether a condition surely has no alternatives."""
    return isinstance(part, Function) or (isinstance(part, Comparison) and part.operator != "<>")


def _shape(wanted: Wanted) -> Hashable:
    """What a plan depends on, besides values; None where it may depend on these as well."""
    info = wanted.info
    if wanted.scan or wanted.filters or wanted.others:
        return None
    if info.keys is not None or info.table.name in guarded_tables:
        return None
    attributes: dict[object, None] = {}
    for part in wanted.where:
        if type(part) is not Comparison or part.operator != "=":
            return None
        operand, value = part.left, part.right
        if type(operand) is not PathOperand or type(value) is not Value or len(operand.steps) != 1:
            return None
        text = value.stored.get("S")
        if "N" not in value.stored if text is None else not 0 < len(text) <= _SHORT:
            return None
        attributes[operand.steps[0]] = None
    if len(attributes) < len(wanted.where):  # they may contradict each other
        return None
    return (tuple(attributes), wanted.using, wanted.consistent, wanted.needs, wanted.hydrate)
