"""Plans that leave out the guards of unique values, which are items of no model."""

from __future__ import annotations

from typing import Any

import attrs

from dynattrs.expressions.conditions import Condition, Function, Not, Value, all_conditions
from dynattrs.keys.bounds import attribute_operand
from dynattrs.keys.plans import Plan
from dynattrs.schema.model_info import GUARD_ATTRIBUTE, ModelInfo
from dynattrs.schema.table import GlobalIndex


def without_guards(plan: Plan, info: ModelInfo) -> Plan:
    """A plan that leaves guards of unique values out, where it could meet any: they are of no model."""
    if plan.operation == "nothing":
        return plan
    table, index = info.table, plan.index
    kind = table.type_of(table.partition_key)
    begin: Any = f"{GUARD_ATTRIBUTE} ".encode() if kind == "B" else f"{GUARD_ATTRIBUTE} "
    partition = attribute_operand(info, table.partition_key)
    is_no_guard: Condition = Not(
        Function("begins_with", "begins_with", partition, Value({kind: begin}, begin))
    )
    if plan.operation == "query":
        # A partition of the table has none, and of an index only where its key is all of attributes
        # that guards have: their own keys are such that no query asks for them, times to live are not.
        if not isinstance(index, GlobalIndex) or table.ttl_attribute not in index.partition_key:
            return plan
        if table.partition_key in index.sort_key:
            # No filter can ask for a key of what is queried.
            mark = attribute_operand(info, GUARD_ATTRIBUTE)
            is_no_guard = Function("attribute_not_exists", "not_exists", mark)
    stated = () if plan.filter is None else (plan.filter,)
    return attrs.evolve(plan, filter=all_conditions((*stated, is_no_guard)))
