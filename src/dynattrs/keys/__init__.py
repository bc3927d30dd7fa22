"""From objects and conditions to keys: computed keys, the kinds of one table, bounds, and the planner."""
