"""What a function would do with some objects, before it is let loose on all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

from dynattrs.errors import MappingError
from dynattrs.operations.item_keys import key_in, plain_key
from dynattrs.quoting import quoted, shortened
from dynattrs.schema.model_info import model_info
from dynattrs.session.session import Session
from dynattrs.tools.command.outcomes import note
from dynattrs.tools.command.output import Row, cell, plain, print_rows
from dynattrs.tools.command.subjects import Subjects

_COLUMNS: Final = ("model", "key", "attribute", "before", "after")
#: So many objects are tried of each table.
_SAMPLES: Final = 20
_MOST: Final = 40
_LONGEST_PROBLEM: Final = 200
#: So many items of a table that cannot be read are named, and the others counted.
_UNREAD: Final = 3
_ABSENT: Final = {"NULL": True}


def print_samples(
    session: Session, subjects: Subjects, function: Callable[[Any], Any], where: Any
) -> None:
    """Call a function with some objects, and print what it would change. Nothing is written."""
    counts: Counter[str] = Counter()
    rows: list[Row] = []
    for obj in _objects(session, subjects, where):
        rows += _tried(session, obj, function, counts)
    if rows:
        print_rows("table", _COLUMNS, rows)
    told = ", ".join(f"{count:,} {what}" for what, count in counts.items()) or "none were found"
    note(f"Of {counts.total():,} objects: {told}.")


def _objects(session: Session, subjects: Subjects, where: Any) -> Iterator[Any]:
    by_table: dict[str, list[type[Any]]] = {}
    for model in subjects.models:
        by_table.setdefault(model_info(model).table.name, []).append(model)
    for name, models in by_table.items():
        unread: list[MappingError] = []
        found = session.scan(*models).on_error(unread.append)
        yield from (found if where is None else found.where(where)).limit(_SAMPLES)
        for error in unread[:_UNREAD]:
            note(f"cannot be read: {error}")
        if len(unread) > _UNREAD:
            note(f"{len(unread) - _UNREAD:,} more items of table {name} cannot be read")


def _tried(
    session: Session, obj: Any, function: Callable[[Any], Any], counts: Counter[str]
) -> list[Row]:
    from dynattrs.jobs.applying import what_it_makes

    info = model_info(type(obj))
    before = info.mapper.dump(obj)
    key = quoted(plain_key(info, key_in(info, before)), 80)
    try:
        after = what_it_makes(session._core, function, obj)
    except Exception as error:
        counts["failed"] += 1
        problem = shortened(f"{type(error).__name__}: {error}", _LONGEST_PROBLEM)
        return [plain(model=info.name, key=key, attribute="(failed)", before=None, after=problem)]
    if isinstance(after, type):
        counts["deleted"] += 1
        return [plain(model=info.name, key=key, attribute="(deleted)", before=None, after=None)]
    if after is None:
        counts["unchanged"] += 1
        return []
    counts["changed"] += 1
    return [
        plain(
            model=info.name,
            key=key,
            attribute=name,
            before=shortened(cell(before.get(name)), _MOST),
            after=shortened(cell(after.get(name)), _MOST),
        )
        for name in {**before, **after}
        if before.get(name, _ABSENT) != after.get(name, _ABSENT)
    ]
