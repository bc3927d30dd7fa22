"""Which tables are spoken of, and what several models say of one.

Models that share a table may each declare some of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final, TypeAlias, get_args

import attrs

from dynattrs.errors import ModelError
from dynattrs.expressions.paths import did_you_mean
from dynattrs.operations.context import Core
from dynattrs.schema.messages import Message
from dynattrs.schema.model_info import info_of, model_info
from dynattrs.schema.table import Table, TableSetting, says

#: A model class, or a `Table`.
Subject: TypeAlias = "type[object] | Table"

_SETTINGS: Final[tuple[TableSetting, ...]] = get_args(TableSetting)


def table_of(subject: Subject) -> Table:
    return subject if isinstance(subject, Table) else model_info(subject).table


def merged(core: Core, subjects: tuple[Subject, ...]) -> dict[str, Table]:
    """The tables by real name. Models that share a table may each declare some of its indexes."""
    if not subjects:
        raise ModelError("session.tables", "name at least one model or Table")
    found: dict[str, Table] = {}
    for subject in subjects:
        if isinstance(subject, str):  # as `tables.list()` gives them
            raise ModelError(
                "session.tables",
                f"{subject!r} is a name, and a model or a Table is expected here; for a table that is there, "
                f"session.tables.reflect({subject!r}) gives the Table",
            )
        table = table_of(subject)
        name = core.table_name(table)
        known = found.get(name)
        found[name] = table if known is None else _together(known, table)
    for subject in subjects:
        _check_ttl_said(subject, found[core.table_name(table_of(subject))])
    return found


def _check_ttl_said(subject: Subject, table: Table) -> None:
    """Refuse a field that is stored where another model of the table has its time to live."""
    info, ttl = info_of(subject), table.ttl_attribute
    if info is None or ttl is None or info.table.ttl_attribute is not None:
        return
    for name, stored in info.names.items():
        if stored == ttl:
            raise ModelError(
                info.name,
                f"it is stored as {ttl!r}, by which DynamoDB deletes the items of table {table.name!r}, "
                f"as another model says; write field(ttl=True), or field(name=...)",
                name,
            )


def chosen_settings(
    tables: Mapping[str, Table], only: TableSetting | Iterable[TableSetting] | None
) -> Collection[TableSetting] | None:
    """The settings that `only=` names, all of them said by all tables."""
    if only is None:
        return None
    given = (only,) if isinstance(only, str) else tuple(only)
    if not given:
        raise ModelError("session.tables", "only=[]: name at least one setting, or leave it out")
    known_settings: dict[str, TableSetting] = {name: name for name in _SETTINGS}
    chosen: list[TableSetting] = []
    for each in given:
        setting = known_settings.get(str(each))
        if setting is None:
            known = did_you_mean(str(each), _SETTINGS)
            raise ModelError("session.tables", f"only={each!r} is not a setting of a table{known}")
        for name, table in tables.items():
            if not says(table, setting):
                raise ModelError(
                    f"table {name!r}",
                    f"only={setting!r}: the Table does not declare it, so nothing would change; write "
                    f"Table(..., {setting}=...)",
                )
        chosen.append(setting)
    return chosen


def _together(one: Table, other: Table) -> Table:
    said = says(one, "indexes") == says(other, "indexes")
    if said and one == other and dict(one.types) == dict(other.types):
        return one
    types = {**one.types, **other.types}
    indexes = {index.name: index for index in one.indexes}
    conflict = one.key != other.key
    settings: Message = {}
    for setting in _SETTINGS:
        if setting == "indexes":
            continue
        mine, theirs = getattr(one, setting), getattr(other, setting)
        if setting == "tags" and mine is not None and theirs is not None:
            mine, theirs = {**theirs, **mine}, {**mine, **theirs}
        conflict = conflict or (mine is not None and theirs is not None and mine != theirs)
        settings[setting] = theirs if mine is None else mine
    for index in other.indexes:
        conflict = conflict or indexes.setdefault(index.name, index) != index
    for table in (one, other):
        conflict = conflict or any(
            table.type_of(name) != types.get(name, "S") for name in table.key_attributes
        )
    if conflict:
        raise ModelError(
            f"table {one.name!r}",
            "two models declare its keys, indexes, time to live or settings differently; "
            "declare it once as a Table and give that to both",
        )
    if says(one, "indexes") or says(other, "indexes"):
        settings["indexes"] = tuple(indexes.values())
    return attrs.evolve(one, types=types, **settings)
