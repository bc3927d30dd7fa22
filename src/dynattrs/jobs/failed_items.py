"""What becomes of an item that cannot be worked on: a line of a report, which says what and why."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

from dynattrs.errors import MappingError
from dynattrs.jobs.work import Failure
from dynattrs.quoting import shortened
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import Table

#: A report has many lines.
_MOST: Final = 500


class RepeatedKey(Exception):
    """A later item has the same key, and is stored."""


def failure_of(
    error: BaseException,
    table: Table,
    item: Mapping[str, Any],
    info: ModelInfo | None = None,
    where: str | None = None,
) -> Failure:
    """What a report says of an item.

    Args:
        error: What went wrong. Of errors of the library the message is shown, which leaves out what is
            secret; of others as well, which a program's own functions have made.
        table: The table that the item is of, or is to be.
        item: The item, or a part of it.
        info: Its model, where that is known.
        where: The file and line that it is from.
    """
    key = {name: item[name] for name in table.key if name in item}
    model = None if info is None else info.name
    if model is None and isinstance(error, MappingError):
        model = error.model
    said = f"{type(error).__name__}: {shortened(str(error), _MOST)}"
    return Failure(said, plain_key(key) or None, model, where)


def plain_key(key: Mapping[str, Any]) -> dict[str, Any]:
    """Key attributes as JSON, with bytes in base64."""
    found = {}
    for name, value in key.items():
        ((tag, payload),) = value.items()
        text = payload if isinstance(payload, str) else base64.b64encode(payload).decode()
        found[name] = {tag: text}
    return found
