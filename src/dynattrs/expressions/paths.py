"""Document paths: what `Song.year` is where `Song` is a class, and how it is compared.

A checker sees the field's own type there. At run time it is a `Path`, whose operators make
conditions. Everything a path needs to know of the stored form comes through `StoredForm`, which the
mapper's codecs are.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.Attributes.html
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Final, TypeGuard, TypeVar

from dynattrs.deferral import deferred
from dynattrs.errors import ConditionError
from dynattrs.late_classes import define
from dynattrs.quoting import quoted, written
from dynattrs.schema.field_rules import FieldRules, raised, shown
from dynattrs.schema.model_info import OPAQUE, StoredForm
from dynattrs.schema.table import AttributeValue
from dynattrs.tracebacks import hidden

__tracebackhide__ = hidden

T = TypeVar("T")

#: It imports this module, and is imported when a program computes with a field.
computed: Any = deferred("dynattrs.expressions.computed")

ORDERED: Final = frozenset({"S", "N", "B"})

_NO_TRUTH = (
    "{what} has no truth value: Python's `and`, `or`, `not`, `if` and chained comparisons cannot "
    "be sent to DynamoDB; use `&`, `|` and `not_(...)`, with parentheses around comparisons"
)


@define(eq=False, repr=False, slots=False)
class PathData:
    """What a path is: whose, where, and how it is stored there.

    Attributes:
        model: The model class.
        steps: Attribute names and list positions, as stored, from the item inwards.
        label: The path as Python, `Song.lines[0].price`.
        find: Gives the form of what the last step is taken in, and the field's name or position
            there; asked for at the first use, so that forward references can wait.
        is_field: Whether it is a field of a class, not a member of a list or map.
        stray: A key in it, as Python, that its map cannot have: nothing is stored there that can be read.
        counted: Whether it is a member of a tuple, which has always as many.
        again: What makes an equal path in another process, a function with its arguments; None for those of
            the library's own.
    """

    model: type[object]
    steps: tuple[str | int, ...]
    label: str
    find: Callable[[], tuple[StoredForm, str]]
    is_field: bool = True
    stray: str = ""
    counted: bool = False
    again: tuple[Any, ...] | None = None

    @cached_property
    def form(self) -> StoredForm:
        holder, name = self.find()
        return (holder.fields or {})[name]

    @cached_property
    def rules(self) -> FieldRules | None:
        """What its class says of the values of a field; of a member of a list or map, nothing."""
        if not self.is_field:
            return None
        holder, name = self.find()
        return holder.rules.get(name)

    @cached_property
    def sparse(self) -> bool:
        """Whether None is left out here when it is saved."""
        holder, name = self.find()
        return name in holder.sparse

    @cached_property
    def required(self) -> bool:
        """Whether what it is in cannot be read without it. A set that is absent is empty."""
        holder, name = self.find()
        return name in holder.required and not (self.form.is_set and not self.form.optional)


#: More than the members of any item.
_NO_LIST_HAS: Final = 10**6


class Expression:
    """What stands in an expression and is not a value. Its `str` is how a program writes it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Path(Expression):
    """A place in the items of a model. Comparing it makes a condition.

    Its only own attribute is the dunder below, so that nested fields of any name can be reached.
    """

    __slots__ = ("__dynattrs_path__",)

    __dynattrs_path__: PathData

    def __init__(self, data: PathData) -> None:
        object.__setattr__(self, "__dynattrs_path__", data)

    # --- Going deeper ---

    def __getattr__(self, name: str) -> Path:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        data = self.__dynattrs_path__
        fields = data.form.fields
        if fields is None and data.form.packed:
            raise AttributeError(
                f"{data.label} is stored as {data.form.packed}, which DynamoDB cannot look into: read the "
                f"whole value, and set the whole value"
            )
        if fields is None:
            raise AttributeError(
                f"{data.label} is {data.form.expected} and has no field {name!r}; "
                f"{_instead(data.label, name, data.form)}"
            )
        if name not in fields:
            raise AttributeError(f"{data.label} has no field {name!r}{did_you_mean(name, fields)}")
        form = data.form
        stored = (form.names or {}).get(name, name)
        label = f"{data.label}.{name}"
        steps, stray, again = (*data.steps, stored), data.stray, (getattr, self, name)
        return Path(
            PathData(data.model, steps, label, lambda: (form, name), stray=stray, again=again)
        )

    def __getitem__(self, position: object) -> Path:
        data = self.__dynattrs_path__
        form, again = data.form, (operator.getitem, self, position)
        label, stray = f"{data.label}[{quoted(position)}]", data.stray
        if isinstance(position, str) or form.key is not None:
            if "M" not in form.tags:
                raise ConditionError(f"{label}: {data.label} is {form.expected}, not a map")
            stray = stray or _stray_key(label, position, form)
            position = _map_key(label, position, form)
        elif isinstance(position, bool) or not isinstance(position, int):
            raise ConditionError(
                f"{label}: a path goes on with a list position or a map key, "
                f"not {type(position).__name__}"
            )
        elif position < 0:
            raise ConditionError(f"{label}: list positions count from 0; DynamoDB has no others")
        elif "L" not in form.tags:
            raise ConditionError(f"{label}: {data.label} is {form.expected}, not a list")
        elif position >= _NO_LIST_HAS:
            raise ConditionError(f"{label}: no list is that long")
        inner = form.inside(position)
        if inner is None:
            known = f": {data.label} is {form.expected}"
            if isinstance(position, str):
                known = did_you_mean(position, form.fields or {})
            raise ConditionError(f"{label}: there is nothing at {quoted(position)}{known}")
        steps = (*data.steps, position)
        child = PathData(
            data.model, steps, label, data.find, is_field=False, stray=stray, again=again
        )
        child.form, child.sparse = inner, False
        child.required = position in form.required
        child.counted = isinstance(position, int) and form.length is not None
        return Path(child)

    def __dir__(self) -> list[str]:
        """The fields of a nested class, which an editor offers, and what every path has."""
        try:
            fields = self.__dynattrs_path__.form.fields or {}
        except Exception:  # a forward reference that does not lead anywhere yet
            fields = {}
        return [*fields, *super().__dir__()]

    # --- Assigning, which would change no item ---

    def __setattr__(self, name: str, value: object) -> None:
        raise not_assigned(f"{self!r}.{name}", value)

    def __setitem__(self, position: object, value: object) -> None:
        raise not_assigned(f"{self!r}[{quoted(position)}]", value)

    def __delattr__(self, name: str) -> None:
        raise not_assigned(f"{self!r}.{name}")

    def __delitem__(self, position: object) -> None:
        raise not_assigned(f"{self!r}[{quoted(position)}]")

    # --- Elsewhere ---

    def __reduce__(self) -> tuple[Any, ...]:
        data = self.__dynattrs_path__
        if data.again is None:
            raise ConditionError(
                f"{data.label} is a place of the library's own, and is not pickled"
            )
        # Said of the model, before pickle fails with its class.
        from dynattrs.importable import importable_name

        importable_name(data.model, f"pickling {data.label}")
        return data.again[0], data.again[1:]

    def __copy__(self) -> Path:
        return self

    def __deepcopy__(self, memo: object) -> Path:
        return self

    # A path is not a sequence: without these, `x in Song.tags` would run through __getitem__ for ever.
    __iter__: ClassVar[None] = None
    __contains__: ClassVar[None] = None

    # --- What the service computes ---

    def __add__(self, other: object) -> Any:
        return computed.arithmetic("+", self, other)

    def __radd__(self, other: object) -> Any:
        return computed.arithmetic("+", other, self)

    def __sub__(self, other: object) -> Any:
        return computed.arithmetic("-", self, other)

    def __rsub__(self, other: object) -> Any:
        return computed.arithmetic("-", other, self)

    # --- Conditions. `conditions` fills these in, to keep this module free of their shapes. ---

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        raise TypeError(_NO_TRUTH.format(what=f"the path {self.__dynattrs_path__.label}"))

    def __repr__(self) -> str:
        return self.__dynattrs_path__.label


#: What a program means by the methods of texts, sets and lists.
_METHODS: Final = {
    "add": "session.update(..., add({0}, {{...}}))",
    "discard": "session.update(..., delete({0}, {{...}}))",
    "append": "session.update(..., set_({0}, list_append({0}, {1})))",
    "extend": "session.update(..., set_({0}, list_append({0}, {1})))",
    "startswith": "begins_with({0}, ...)",
}


def _instead(label: str, method: str, form: StoredForm) -> str:
    meant = _METHODS.get(method)
    if meant is not None:
        more = "array(...)" if " array" in form.expected else "[...]"
        return f"write {meant.format(label, more)}"
    return (
        f"conditions are made with operators and with functions such as begins_with({label}, ...)"
    )


def _map_key(label: str, key: Any, form: StoredForm) -> str:
    """A key of a map as it is stored there. The text itself is one, too."""
    if type(key) is not str and form.key is not None:
        if isinstance(key, bool):
            raise ConditionError(f"{label}: a key of this map is {form.key.expected}")
        try:
            (stored,) = form.key.dump(key).values()
        except Exception as error:
            expected = getattr(error, "expected", form.key.expected)
            raise ConditionError(f"{label}: a key of this map is {expected}") from None
        key = stored
    if not key:
        raise ConditionError(f"{label}: a map key is not empty")
    return str.__str__(key)


def _stray_key(label: str, key: object, form: StoredForm) -> str:
    """What is wrong with a text that no key of a map is stored as; "" for nothing. It can be removed, and
    asked for, where another program has put it there.
    """
    if form.key is None or type(key) is not str or len(form.key.tags) != 1:
        return ""
    (tag,) = form.key.tags
    try:
        form.key.load({tag: key})
    except Exception:
        return f"{label}: a key of this map is {form.key.expected}, and with another one no item can be read"
    return ""


def is_path(value: object) -> TypeGuard[Path]:
    return type(value) is Path


def data_of(path: Path) -> PathData:
    """What a path is. (A path's own attributes are the model's fields.)"""
    return path.__dynattrs_path__


def path_of(value: object, function: str) -> Path:
    if not is_path(value):
        raise ConditionError(
            f"{function} expects a field, as in {function}(Song.title, ...), "
            f"found {type(value).__name__} {quoted(value)}"
        )
    return value


def check_unpacked(path: Path, asked: str, form: StoredForm | None = None) -> None:
    """Refuse what DynamoDB would ask of the text or the bytes that a value is packed into.

    Equality is asked of JSON text, which is written in one way, and never of compressed or encrypted bytes.
    """
    data = path.__dynattrs_path__
    packed = (form or data.form).packed
    if packed and (asked != "equality" or packed in OPAQUE):
        raise ConditionError(
            f"{data.label} is stored as {packed}: DynamoDB knows nothing of the {asked} of the value "
            f"inside; ask it of what you read, or store it in a field of its own"
        )


def check_ordered(path: Path) -> None:
    """Refuse a place whose values have no order."""
    data = path.__dynattrs_path__
    if not data.form.tags & ORDERED:
        raise ConditionError(
            f"{data.label} is {data.form.expected}; only text, numbers and bytes have an order"
        )
    check_unpacked(path, "order")


def stored_none(form: StoredForm) -> AttributeValue | None:
    """How None is stored by a form; None where it is not among its values."""
    try:
        return form.dump(None)
    except Exception:
        return None


def unconverted(data: PathData, value: object, error: Exception) -> ConditionError:
    """The error for a value that a converter refuses."""
    return ConditionError(
        f"{data.label} goes with {data.form.expected}; found {shown(value)}; its converter raised "
        f"{raised(error)}"
    )


def did_you_mean(name: str, known: Any) -> str:
    """`; did you mean 'x'?` or the list of what there is."""
    import difflib

    names = [str(each) for each in known]
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; there are {', '.join(map(repr, names))}" if names else ""


def not_assigned(label: str, *value: object) -> ConditionError:
    """The error for `Song.plays += 1`, `Song.plays = 3` and `del Song.plays`."""
    if not value:
        return ConditionError(
            f"{label} cannot be deleted: on the class it is a path, and no item changes; write "
            f"session.update(..., remove({label}))"
        )
    # (What an update computes is shown as it is written, `Song.plays + 1`.)
    shown = written(value[0], 200)
    return ConditionError(
        f"{label} cannot be assigned: on the class it is a path, and no item changes; write "
        f"session.update(..., set_({label}, {shown})), add(...) for counting, or assign to the field "
        f"of an object"
    )


def no_truth(what: str) -> TypeError:
    return TypeError(_NO_TRUTH.format(what=what))


def stored_at(
    item: Mapping[str, AttributeValue], steps: Sequence[str | int]
) -> AttributeValue | None:
    """The attribute value at a path, or None if there is nothing."""
    value: AttributeValue = {"M": item}
    for step in steps:
        inside = value.get("L" if isinstance(step, int) else "M")
        if inside is None:
            return None
        try:
            value = inside[step]
        except LookupError:
            return None
    return value
