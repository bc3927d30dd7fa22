"""Paths, conditions and how they become expression strings."""

from __future__ import annotations

from dynattrs.expressions.conditions import Condition, Placeholders
from dynattrs.expressions.functions import (
    all_of,
    any_of,
    attribute_type,
    begins_with,
    between,
    contains,
    exists,
    in_,
    is_none,
    not_,
    not_exists,
    not_none,
    size,
)
from dynattrs.expressions.paths import Path

__all__ = [
    "Condition",
    "Path",
    "Placeholders",
    "all_of",
    "any_of",
    "attribute_type",
    "begins_with",
    "between",
    "contains",
    "exists",
    "in_",
    "is_none",
    "not_",
    "not_exists",
    "not_none",
    "size",
]
