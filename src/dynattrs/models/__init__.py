"""Declaring models: `@model`, fields and their roles, paths by class access, unique fields, hooks."""
