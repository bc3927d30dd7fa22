"""Edits as actions of a transaction.

What has changed is known at the end of the edit's block, and becomes one update. Its form is right for what
was read; where the item has that in another form, the refusal brings it, and the transaction is sent again.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

import attrs

from dynattrs.errors import MappingError
from dynattrs.expressions.conditions import Condition
from dynattrs.mapper.carried import carried_by
from dynattrs.mapper.named import name_object
from dynattrs.operations.context import Core
from dynattrs.operations.item_keys import key_in
from dynattrs.operations.writing import edits
from dynattrs.operations.writing.as_read import MOST_TRIES, as_written
from dynattrs.operations.writing.entering import Entered
from dynattrs.operations.writing.places import Known, Unlike
from dynattrs.operations.writing.prepared import Prepared
from dynattrs.quoting import quoted
from dynattrs.schema.table import AttributeMap

A = TypeVar("A")


class TakesEdits(Protocol):
    """A transaction, as far as edits need it."""

    def _take_edit(self, edit: edits.Edit) -> None: ...


class TransactionEditing(Entered, Generic[A]):
    """The block of `t.edit(obj)`: at its end what has changed becomes an action of the transaction. It is a
    plain `with` block also under asyncio, because nothing is sent before the transaction ends.
    """

    _block = "with transaction.edit(obj)"

    def __init__(self, transaction: TakesEdits, obj: A, edit: edits.Edit) -> None:
        self._transaction = transaction
        self._obj = obj
        self._edit = edit

    def __repr__(self) -> str:
        return f"<TransactionEditing of {quoted(self._obj, 200)}>"

    def __enter__(self) -> A:
        self._entered = True
        return self._obj

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            edits.failed(self._edit)
            return
        self._transaction._take_edit(self._edit)


def ended(core: Core, edit: edits.Edit) -> edits.Edited | None:
    """What an edit does at the end of its block; None for nothing. Until it is stored, the next edit of the
    object still has to write it.

    Raises:
        DynattrsError: As `session.edit`, before anything is sent.
    """
    try:
        edited = edits.ended(core, edit)
    except BaseException as error:
        edits.failed(edit)
        if isinstance(error, MappingError):
            name_object(error, edit.info, edit.obj, key_in(edit.info, edit.before))
        raise
    if edited is not None:
        edits.failed(edit)
    return edited


@attrs.define(eq=False)
class EditAction:
    """An edit as an action of a transaction.

    Attributes:
        core: Settings.
        edited: What it does.
        prepared: The update that does it.
    """

    core: Core
    edited: edits.Edited
    prepared: Prepared
    _tries: int = 0
    _further: Condition | None = None

    def under(self, further: Condition | None) -> dict[str, Any]:
        """The action under a further condition."""
        self._further = further
        return self.prepared.action(further)

    def again(self, item: AttributeMap | None) -> dict[str, Any] | None:
        """The action in the form that is right for what is stored, where its condition was false of that;
        None where something else is stored than was read.
        """
        edit = self.edited.edit
        read = None if not item else as_written(self.core, edit.info, item)
        if item is None or read is None or self._tries == MOST_TRIES:
            return None
        try:
            known = Known(item, read, carried_by(edit.obj).as_stored)
            again = self.edited.prepared(self.core, known)
        except Unlike:
            return None
        if again.is_like(self.prepared):
            return None
        self.prepared = again
        self._tries += 1
        return self.under(self._further)
