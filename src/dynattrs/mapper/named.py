"""Errors of writing name the object: which one it was, and its key as far as that can be written.

Of a thousand objects that are saved one may have a value that has no place in DynamoDB. The place inside
it alone does not say which one that is.
"""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Iterator

from dynattrs.errors import MappingError
from dynattrs.mapper.carried import carried_by
from dynattrs.schema.model_info import ModelInfo, StoredForm
from dynattrs.schema.table import AttributeMap


def name_object(
    error: MappingError, info: ModelInfo | None, obj: object, key: AttributeMap | None = None
) -> None:
    """Note in an error that *obj* was being written. One of an item that was read has that already.

    Args:
        error: The error; where a converter's hook has written something inside, that is replaced.
        info: The object's model, if it has one.
        obj: The object; None where an item is written that only its key tells of.
        key: The key of its item, where that is known.
    """
    if error.item is not None:
        return
    if obj is not None:
        error.obj = obj
    if key is None and info is not None and obj is not None:
        key = key_of_object(info, obj)
    error.key = key or error.key


class answering:  # noqa: N801 - it is called like a function
    """Note in an error that it is of the reply to a write, which was done."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, MappingError):
            error.written = True


def key_of_object(info: ModelInfo, obj: object) -> AttributeMap:
    """The primary key under which an object is saved; what of it cannot be written is left out."""
    item: AttributeMap = {}
    for steps, name, form in _parts(info):
        with contextlib.suppress(Exception):
            stored, place = form.dump(operator.attrgetter(name)(obj)), item
            for step in steps[:-1]:
                place = place.setdefault(step, {"M": {}})["M"]
            place[steps[-1]] = stored
    if info.keys is not None:
        try:
            item = info.keys.primary_of(item)
        except MappingError:  # that, perhaps, is what is wrong with the object
            return {}
    carried = carried_by(obj).key
    return item if carried is None else carried.of(item) or item


def _parts(info: ModelInfo) -> Iterator[tuple[tuple[str, ...], str, StoredForm]]:
    """The fields that make the primary key: where they are stored, their names, how they are stored."""
    if info.keys is not None:
        for part in info.keys.primary_fields:
            yield part.steps, part.name, part.codec
        return
    forms = info.mapper.model_codec(info.cls).fields or {}
    for name in info.key_fields:
        if name in forms:
            yield (info.names[name],), name, forms[name]
