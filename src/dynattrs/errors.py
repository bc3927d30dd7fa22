"""The exceptions of dynattrs, and what the caller can do about each. Those of whole tables are in
`operations.tables.errors`, those of transactions in `operations.transaction_errors`.

The root is `DynattrsError`. There is a separate class wherever a caller would write a different `except`.
The facts are attributes, botocore's error is the `__cause__`, and every error pickles (without its cause,
which Python does not pickle).

The service's error codes:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import attrs

from dynattrs.late_classes import define, field, frozen
from dynattrs.quoting import MOST_PROBLEM, quoted, shortened
from dynattrs.stored_bytes import item_with_bytes


class DynattrsError(Exception):
    """The root of all errors that dynattrs raises on purpose."""

    # One for all of them: attrs would compile one for each class, with every import.
    def __repr__(self) -> str:
        cls: type[object] = type(self)
        if not attrs.has(cls):
            return super().__repr__()
        shown = (f"{e.name}={quoted(getattr(self, e.name), 400)}" for e in attrs.fields(cls))
        return f"{cls.__qualname__}({', '.join(shown)})"


# --- Declarations -----------------------------------------------------------------------------


@define(eq=False, slots=False, repr=False)
class ModelError(DynattrsError, TypeError):
    """The declaration of a model is invalid. Raised when the class is decorated.

    Also raised if you use something that is not a model as one, and for arguments of a `Session` or a
    `Table` that contradict each other.
    """

    model: str
    problem: str
    field: str | None = None

    def __str__(self) -> str:
        subject = f"{self.model}.{self.field}" if self.field else self.model
        return f"{subject}: {self.problem}"


@define(eq=False, slots=False, repr=False)
class MissingExtra(DynattrsError, ImportError):
    """The optional dependency of a part of dynattrs is not installed.

    Attributes:
        extra: The extra that installs it; empty if there is none.
        module: The missing module.
    """

    extra: str
    module: str

    def __str__(self) -> str:
        what = f"'dynattrs[{self.extra}]'" if self.extra else self.module
        return (
            f"the module {self.module!r} is needed here and is not installed; "
            f"install it with: pip install {what}"
        )


# --- Mapping ----------------------------------------------------------------------------------


@define(eq=False, slots=False, repr=False)
class MappingError(DynattrsError, ValueError):
    """DynamoDB cannot store a value, or a stored value does not fit the model.

    Attributes:
        path: The place of the value, from the model inwards: `Order.lines[3].price`.
        expected: A description of the values allowed there.
        found: The value that was found, shortened.
        key: The key attributes of the item that was being read or written, as an attribute map; None if it
            has no valid key.
        hint: What to do, if it does not follow from the rest.
        item: When reading, the stored item as an attribute map, before upgrades, with bytes as `bytes`.
        obj: When writing, the object itself.
        written: Whether a write succeeded and only its reply cannot be read.
    """

    path: str
    expected: str
    found: str
    key: Mapping[str, Any] | None = field(default=None, converter=item_with_bytes)
    hint: str = ""
    item: Mapping[str, Any] | None = field(default=None, converter=item_with_bytes)
    obj: Any = None
    written: bool = False

    @property
    def model(self) -> str:
        """The name of the model, the first part of `path`."""
        return self.path.split(".", 1)[0].split("[", 1)[0]

    def __str__(self) -> str:
        # Some parts are made of others' messages.
        path, expected, found = map(shortened, (self.path, self.expected, self.found))
        text = f"{path}: expected {expected}, found {found}"
        if self.key is not None:
            text += f" (item with key {_plain_key(self.key)})"
        if self.hint:
            text += f"; {shortened(self.hint)}"
        return text + "; the write was done, and this is what it answered" * self.written


class ImpossibleKey(MappingError):
    """No key can have this value: it is empty, too long, or refused by a key template.

    All methods that take a key raise it, and so do queries that compare a key with such a value by `==` or
    `in_`. You may want to treat it as "not found": no item can have such a key.
    """


@define(eq=False, slots=False, repr=False)
class OtherKind(MappingError):
    """The item is of another model of the table than the requested one.

    Attributes:
        kind: The value of the item's discriminator, or the name of the model that its key belongs to. None
            if neither is known.
    """

    kind: str | None = None


def _plain_key(key: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={quoted(next(iter(value.values())))}" for name, value in key.items())


# --- Requests refused before they are sent --------------------------------------------------------


@define(eq=False, slots=False, repr=False)
class ConditionError(DynattrsError, TypeError):
    """A condition cannot be sent as written: it has a wrong operand, is a plain `bool`, or is too long."""

    problem: str

    def __str__(self) -> str:
        return shortened(self.problem, MOST_PROBLEM)


@define(eq=False, slots=False, repr=False)
class QueryError(DynattrsError, ValueError):
    """A query cannot be sent as written. The message says what to write instead."""

    problem: str

    def __str__(self) -> str:
        return shortened(self.problem, MOST_PROBLEM)


@define(eq=False, slots=False, repr=False)
class StaleKey(ConditionError):
    """An update changes a field of an index key, and not all of the key's fields are known.

    Attributes:
        fields: The fields that are not known.
    """

    fields: tuple[str, ...] = ()


class KeyChanged(ConditionError):
    """The primary key of an object has changed, so the call would be about another item.

    `edit` raises it if the code inside changes the key, and `Unsent.repeat` if the object's key is no longer
    that of the write. Some objects carry their stored key, because their fields would now be written
    differently; for these, `delete`, `update`, `refresh` and the `check` of a transaction raise it. For all
    other objects they use the key that the fields make now. Use `move(old, new)` to change the key of an
    item.
    """


class CursorError(QueryError):
    """A cursor is damaged, forged, or belongs to another query."""


class NoIndex(QueryError):
    """The conditions have no equality on the partition key of the table or of an index."""


class AmbiguousIndex(QueryError):
    """Several indexes fit equally well; choose one with `.using(...)`."""


class SparseIndex(QueryError):
    """The index that fits leaves out items that a scan would find."""


class PartialIndex(QueryError):
    """The index that fits does not hold all the attributes that the model needs."""


@define(eq=False, slots=False, repr=False)
class SessionClosed(DynattrsError, RuntimeError):
    """A closed session was used, or a session with an open batch was closed."""

    what: str = "session"

    def __str__(self) -> str:
        if self.what == "transaction":
            return "the block of this transaction has ended; open another one"
        if self.what == "session with open batches":
            return (
                "a batch of this session is still open, and closing now would lose what it has "
                "gathered; leave its `with session.batch() as batch:` first, then close the session"
            )
        return (
            "this session is closed, because close() was called or `with session:` was left. To "
            "gather writes, use `with session.batch() as batch:`, which leaves the session open; "
            "else make another Session"
        )


@define(eq=False, slots=False, repr=False)
class BatchClosed(SessionClosed):
    """A batch was used after its end or before its beginning, or was entered twice."""

    what: str = "ended"

    def __str__(self) -> str:
        if self.what == "not begun":
            return (
                "this batch has not begun, so nothing would send what it gathers: write `with "
                "session.batch() as batch:` (`async with` for an AsyncSession) and use it inside"
            )
        if self.what == "open":
            return "this batch was entered before; session.batch() makes another one"
        return (
            "this batch has ended, and what is written through it now would never be stored: use "
            "the session itself, or make another batch with session.batch()"
        )


@define(eq=False, slots=False, repr=False)
class ConfigurationError(DynattrsError):
    """boto3 lacks something that every request needs: credentials, a region, a profile."""

    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.problem}; {self.remedy}"


_READS = (
    "Get", "BatchGet", "TransactGet", "Query", "Scan", "SearchVectors", "Describe", "List",
    "ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction",
)  # fmt: skip


def may_read(operation: str) -> bool:
    """Whether an operation changes nothing, or, where it is PartiQL's, may change nothing."""
    return operation.startswith(_READS)


# --- What the service answered ----------------------------------------------------------------


@define(eq=False, slots=False, repr=False)
class ServiceError(DynattrsError):
    """The service refused a request. Subclasses are for the refusals that a caller can handle.

    Attributes:
        operation: The API operation, as the service calls it (`PutItem`).
        code: The service's error code (`ValidationException`).
        message: The service's message.
        table: The table's name, if the request was for one table.
        uncertain: Whether an attempt may have been applied: its reply was lost, or reported a failure of the
            service.
    """

    operation: str
    code: str
    message: str
    table: str | None = None
    uncertain: bool = False

    def __str__(self) -> str:
        where = f" on table {self.table!r}" if self.table else ""
        text = f"{self.operation}{where}: {self.code}: {self.message}"
        doubt = "a write may have been applied" if self.uncertain else ""
        advice = "; ".join(filter(None, (self._remedy(), doubt)))
        return f"{text.rstrip('.')}; {advice}" if advice else text

    def _remedy(self) -> str:
        return ""


class NoSuchTable(ServiceError):
    """The table or index in the request does not exist in this account and region."""

    def __str__(self) -> str:
        name = f"table {self.table!r}" if self.table else "the table"
        return (
            f"{self.operation}: {name} does not exist (or is still being created) in this "
            f"account and region; create it with session.tables.create(...), or check the "
            f"session's region, endpoint, table_prefix and tables"
        )


class Throttled(ServiceError):
    """The service throttled the request, even after botocore's retries."""

    def _remedy(self) -> str:
        return "try again later, raise the table's capacity, or spread the partition keys"


class ServiceUnavailable(ServiceError):
    """The service failed (HTTP 5xx), even after botocore's retries. A write may have been applied."""

    def _remedy(self) -> str:
        unsaid = not self.uncertain and not may_read(self.operation)
        return "try again later" + ("; a write may have been applied" if unsaid else "")


class InvalidRequest(ServiceError):
    """The service refused the request as invalid; sending it again cannot help."""


class AccessDenied(ServiceError):
    """The credentials lack a permission, have expired or are unknown; or a proxy requires credentials."""

    def _remedy(self) -> str:
        return "check the credentials and their policy"


@define(eq=False, slots=False, repr=False)
class ConnectionFailed(DynattrsError, ConnectionError):
    """No reply came: the connection failed, was lost, or timed out.

    Attributes:
        operation: The API operation, as the service calls it (`PutItem`).
        problem: What went wrong.
        table: The table's name, if the request was for one table.
        uncertain: Whether a write may have been applied; False for reads, and if nothing was sent.
    """

    operation: str
    problem: str
    table: str | None = None
    uncertain: bool = True

    def __str__(self) -> str:
        where = f" on table {self.table!r}" if self.table else ""
        so = "nothing was changed" if may_read(self.operation) else "nothing was sent"
        so = "a write may have been applied" if self.uncertain else so
        text = f"{self.operation}{where}: {self.problem}".rstrip(".")
        return f"{text}; check the endpoint and the network ({so})"


class CorruptReply(ConnectionFailed):
    """A reply was damaged, or did not come from DynamoDB. A write may have been applied."""


# --- Items ------------------------------------------------------------------------------------


@define(eq=False, slots=False, repr=False)
class NoSuchItem(DynattrsError, KeyError):
    """There is no item with that key."""

    model: str
    key: Any

    def __str__(self) -> str:
        return f"there is no {self.model} with the key {quoted(self.key, 200)}"


@define(eq=False, slots=False, repr=False)
class MultipleItems(DynattrsError):
    """`one()` found more than one item."""

    model: str
    query: str

    def __str__(self) -> str:
        use = "use first() for any of them, or state more conditions"
        return f"{shortened(self.query)} found more than one {self.model}; {use}"


@define(eq=False, slots=False, repr=False)
class OutcomeUnknown(DynattrsError):
    """A write may or may not have been applied, and dynattrs cannot find out.

    A reply was lost, and the write cannot simply be sent again (an `add` would count twice), or the item
    found afterwards proves neither. Look at the item, and decide.

    Attributes:
        operation: The API operation (`UpdateItem`).
        model: The model's name; if there is none, what was sent.
        key: The key of the item, as a dict of fields; None if the write has no single key.
        item: The item found afterwards, as an object of the model; None if there was none.
    """

    operation: str
    model: str
    key: Any = None
    item: Any = None

    def __str__(self) -> str:
        which = self.model if self.key is None else f"{self.model} {quoted(self.key, 200)}"
        return (
            f"{self.operation}: a reply was lost, and nothing tells whether {which} was written; "
            f"read it again (get with consistent=True, or refresh) and decide whether to repeat"
        )


@define(eq=False, slots=False, repr=False)
class ConditionFailed(DynattrsError):
    """A condition was false, so nothing was written.

    Attributes:
        operation: The API operation (`PutItem`).
        model: The model's name.
        key: The key of the item to be written, as you gave it or as a dict of fields; None for a PartiQL
            statement.
        condition: The condition, as Python source; or the PartiQL statement.
        item: The stored item, as an object of the model; None if there is none. An item that would have been
            replaced is given even if it is of another model.
        kind: The discriminator of that item, if it is of another model of the table.
        hint: What the condition did not look for, if the item has that.
    """

    operation: str
    model: str
    key: Any
    condition: str
    item: Any = None
    kind: str | None = None
    hint: str = ""

    def __str__(self) -> str:
        if self.key is None:
            said = f"{self.operation}: nothing was written by {shortened(self.condition)}"
            return f"{said}; the item is missing, or what the statement asks is not so"
        found = "the item does not exist" if self.item is None else "see .item for what is stored"
        if self.kind is not None:
            found = f"there is an item of another kind, {quoted(self.kind)}; see .item"
        return (
            f"{self.operation}: the condition {shortened(self.condition)} was false for {self.model} "
            f"{quoted(self.key, 200)}, nothing was written; {'; '.join(filter(None, (found, self.hint)))}"
        )


class ImpossibleCondition(ConditionFailed):
    """A condition is false for every item: `in_` without values, or `between` with its bounds swapped.
    Nothing was sent, so nothing is known about the item.
    """

    def __str__(self) -> str:
        return (
            f"{self.operation}: the condition {shortened(self.condition)} is false of every item, so "
            f"{self.model} {quoted(self.key, 200)} was not asked for, and nothing was written"
        )


class ItemExists(ConditionFailed):
    """`insert` found an item with the key. If it is of another model, `kind` is its discriminator."""

    def __str__(self) -> str:
        if self.key is None:
            said = f"{self.operation}: nothing was written by {shortened(self.condition)}"
            return f"{said}; there is an item with that key already"
        if self.kind is not None:
            return (
                f"{self.operation}: the key {quoted(self.key, 200)} of {self.model} is taken by an "
                f"item of another kind, {quoted(self.kind)}; see .item, and give the new one another "
                f"key: save() would replace that item"
            )
        return (
            f"insert: there is an item of {self.model} with the key {quoted(self.key, 200)} already; "
            f"see .item, or use save() to replace it"
        )


@define(eq=False, slots=False, repr=False)
class AlreadyTaken(DynattrsError, ValueError):
    """Another item already has this value of a unique field. Nothing was written.

    Attributes:
        model: The model's name.
        fields: The unique fields: one, or those that are unique together.
        values: Their values, by field.
        key: The key of the item that has them, as a dict of fields, if it is known.
        hint: What to do, if it is not obvious.
    """

    model: str
    fields: Sequence[str]
    values: Mapping[str, Any]
    key: Any = None
    hint: str = ""

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={quoted(value)}" for name, value in self.values.items())
        owner = "" if self.key is None else f" by the one with the key {quoted(self.key, 200)}"
        return (
            f"{self.model}.{'+'.join(self.fields)} is unique, and {shown} is taken{owner}; nothing "
            f"was written{'; ' * bool(self.hint)}{self.hint}"
        )


class _WrittenKey(Protocol):
    """The key of a write, as `operations.writing.failures` has it."""

    def fields(self, subject: object) -> dict[str, Any] | None: ...

    def check(self, subject: object, action: str) -> None: ...


@frozen
class Unsent:
    """A write that was not stored: its object, or `(Model, key)` for a delete by key, and the cause.

    The object is your own, in its present state. The state to be stored is not kept, except for its `key`.
    """

    object: Any
    action: str
    cause: BaseException
    _written: _WrittenKey | None = field(default=None, eq=False, repr=False)

    @property
    def key(self) -> dict[str, Any] | None:
        """The primary key of the write, as a dict of fields that `get(Model, key)` accepts, even if the
        object has changed since; None if the model is not known.
        """
        return None if self._written is None else self._written.fields(self.object)

    def repeat(self, handle: Any) -> Any:
        """Save the object as it is now, or repeat the delete, through a session or a batch. Await it with an
        `AsyncSession`.

        Raises:
            KeyChanged: The object no longer has the key of the write. Raised at once.
        """
        if type(self.object) is tuple:
            model, given = self.object
            return handle.delete(model, self.key or given)
        if self._written is not None:
            self._written.check(self.object, self.action)
        if self.action == "save":
            return handle.save(self.object)
        if type(self.object) is dict:
            raise DynattrsError(
                "a key alone does not name its model; call delete() on the query again"
            )
        return handle.delete(self.object)

    def __str__(self) -> str:
        cause = f"{type(self.cause).__name__}: {self.cause}"
        kind = self.object[0] if type(self.object) is tuple else type(self.object)
        return f"{self.action} of a {kind.__name__}: {shortened(cause, MOST_PROBLEM)}"


@define(eq=False, slots=False, repr=False)
class UnsentWrites(DynattrsError):
    """Some writes were not stored, or may not be. Everything else in the batch is stored.

    Attributes:
        unsent: One `Unsent` for each write, in the order of the calls: `write.repeat(session)`.
        superseded: Other failed writes. Do not repeat them: that would undo newer writes of their keys.
    """

    unsent: Sequence[Unsent]
    superseded: Sequence[Unsent] = ()

    @property
    def objects(self) -> list[Any]:
        """The objects that you gave to `save` and that are not stored, in their present state. Deletes, and
        the keys of the writes, are in `unsent`.
        """
        return [entry.object for entry in self.unsent if entry.action == "save"]

    def __str__(self) -> str:
        count = len(self.unsent)
        shown = "; ".join(str(entry) for entry in self.unsent[:3])
        more = f"; and {count - 3} more" if count > 3 else ""
        if self.superseded:
            more += f"; {len(self.superseded)} besides, which newer writes have replaced"
        return (
            f"{count} write{'s were' if count != 1 else ' was'} not stored: {shown}{more}; "
            f"each is in .unsent with its cause, and write.repeat(session) does it again"
        )
