"""Field specifiers: `field`, `partition_key` and `sort_key`, which extend `attrs.field` for DynamoDB.

The overloads say to checkers what a `dataclass_transform` wants to know: whether there is a default,
and which fields the constructor takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict, TypeVar, overload

import attrs

from dynattrs.errors import ModelError
from dynattrs.mapper.time_to_live import with_whole_seconds
from dynattrs.quoting import quoted
from dynattrs.schema.model_info import METADATA_KEY, FieldOptions
from dynattrs.schema.option_values import check_flag, several
from dynattrs.tracebacks import hidden

T = TypeVar("T")


if TYPE_CHECKING:
    from typing_extensions import Unpack

    class _Options(TypedDict, total=False):
        """What every specifier takes besides the default and the converter."""

        name: str | None
        validator: Any
        repr: bool | Callable[[Any], str]
        eq: bool | Callable[[Any], Any] | None
        order: bool | Callable[[Any], Any] | None
        hash: bool | None
        alias: str | None
        metadata: Mapping[Any, Any] | None
        on_setattr: Any

    class _KeyOptions(_Options, total=False):
        converter: Callable[[Any], Any] | None
        init: bool
        kw_only: bool | None

    class _FieldOptions(_Options, total=False):
        init: bool
        kw_only: bool | None
        ttl: bool
        version: bool
        created: bool
        updated: bool
        key_only: bool
        unique: bool
        formerly: str | Iterable[str]


__tracebackhide__ = hidden


@overload
def field(
    *,
    default: T,
    converter: Callable[[Any], T] | None = ...,
    **options: Unpack[_FieldOptions],
) -> T: ...
@overload
def field(
    *,
    factory: Callable[[], T],
    converter: Callable[[Any], T] | None = ...,
    **options: Unpack[_FieldOptions],
) -> T: ...
# The library sets these fields, and gives them a default that checkers cannot see. To them they are
# no parameters of `__init__`, unless the default is written out: `field(version=True, default=0)`.
@overload
def field(
    *,
    version: Literal[True],
    converter: Callable[[Any], object] | None = ...,
    init: Literal[False] = False,
    formerly: str | Iterable[str] = ...,
    **options: Unpack[_Options],
) -> Any: ...
@overload
def field(
    *,
    created: Literal[True],
    converter: Callable[[Any], object] | None = ...,
    init: Literal[False] = False,
    formerly: str | Iterable[str] = ...,
    **options: Unpack[_Options],
) -> Any: ...
@overload
def field(
    *,
    updated: Literal[True],
    converter: Callable[[Any], object] | None = ...,
    init: Literal[False] = False,
    formerly: str | Iterable[str] = ...,
    **options: Unpack[_Options],
) -> Any: ...
@overload
def field(
    *,
    converter: Callable[[Any], object] | None = ...,
    **options: Unpack[_FieldOptions],
) -> Any: ...
def field(
    *,
    name: str | None = None,
    ttl: bool = False,
    version: bool = False,
    created: bool = False,
    updated: bool = False,
    key_only: bool = False,
    unique: bool = False,
    formerly: str | Iterable[str] = (),
    metadata: Mapping[Any, object] | None = None,
    **options: object,
) -> Any:
    """Declare a field: `attrs.field` with options for DynamoDB.

    Args:
        name: The attribute's name in DynamoDB, if it is not the field's name.
        ttl: The field is the time to live: a datetime or a number, stored as epoch seconds. It is rounded up
            to whole seconds, after its converter, when the object is made or the field is assigned.
        version: Optimistic locking: an int that every save increments, on the condition that the stored
            version is still the one that was read. Its default is 0, "not stored yet".
        created: A datetime that the first save sets. Its default is None.
        updated: A datetime that every save sets. Its default is None.
        key_only: Store the field only in the key templates of the primary key, and read it back from there.
            A filter cannot use it.
        unique: No two items of the table may have the same value. None does not count as a value.
        formerly: Earlier names of the attribute. An item with one of them is read by that name, and written
            with *name*.
        options: `default`, `factory`, `validator`, … as in `attrs.field`.
    """
    flags = {
        "ttl": ttl, "version": version, "created": created, "updated": updated,
        "key_only": key_only, "unique": unique,
    }  # fmt: skip
    for option, value in flags.items():
        check_flag("field", option, value)
    if not ("default" in options or "factory" in options):
        if version:
            options["default"] = 0
        elif created or updated:
            options["default"] = None
    own_converter = options.get("converter") if ttl else None
    if ttl:
        options["converter"] = with_whole_seconds(own_converter)
    return _field(
        FieldOptions(
            name,
            None,
            ttl,
            version,
            created,
            updated,
            key_only,
            unique,
            several(formerly),
            own_converter,
        ),
        metadata,
        options,
    )


@overload
def partition_key(*, default: T, **options: Unpack[_KeyOptions]) -> T: ...
@overload
def partition_key(*, factory: Callable[[], T], **options: Unpack[_KeyOptions]) -> T: ...
@overload
def partition_key(**options: Unpack[_KeyOptions]) -> Any: ...
def partition_key(
    *, name: str | None = None, metadata: Mapping[Any, object] | None = None, **options: object
) -> Any:
    """Declare the table's partition key, which is stored as text, a number or bytes.

    Args:
        name: The attribute's name in DynamoDB, if it is not the field's name.
        options: `default`, `factory`, `validator`, … as in `attrs.field`.
    """
    _check_key_options("partition_key", options)
    return _field(FieldOptions(name, "partition"), metadata, options)


@overload
def sort_key(*, default: T, **options: Unpack[_KeyOptions]) -> T: ...
@overload
def sort_key(*, factory: Callable[[], T], **options: Unpack[_KeyOptions]) -> T: ...
@overload
def sort_key(**options: Unpack[_KeyOptions]) -> Any: ...
def sort_key(
    *, name: str | None = None, metadata: Mapping[Any, object] | None = None, **options: object
) -> Any:
    """Declare the table's sort key, which orders the items of a partition.

    Args:
        name: The attribute's name in DynamoDB, if it is not the field's name.
        options: `default`, `factory`, `validator`, … as in `attrs.field`.
    """
    _check_key_options("sort_key", options)
    return _field(FieldOptions(name, "sort"), metadata, options)


#: Why a field of the primary key has not what other fields may have.
_NOT_OF_KEYS: Final = {
    "ttl": "a key never changes, so an item would never get more time; write field(ttl=True) for "
    "another field",
    "version": "every save raises it, and a key never changes; write field(version=True) for another "
    "field",
    "created": "saving sets it, and a key never changes; write field(created=True) for another field",
    "updated": "every save sets it, and a key never changes; write field(updated=True) for another "
    "field",
    "key_only": "it is the attribute of the key itself; key_only=True is for fields that key templates "
    "of a Table are made of",
    "unique": "the primary key is unique as a whole; where this field is to be unique by itself, write "
    "@model(..., unique=[...]) with its name",
    "formerly": "the key of a table never had another name; read the items of the other table, and save "
    "them",
}


def _check_key_options(specifier: str, options: dict[str, Any]) -> None:
    """Refuse what a field of the primary key cannot be.

    Raises:
        ModelError: It says why, and what to do.
    """
    for option, why in _NOT_OF_KEYS.items():
        if value := options.pop(option, None):
            raise ModelError(f"{specifier}({option}={quoted(value)})", why)


def _field(
    options: FieldOptions, metadata: Mapping[Any, object] | None, rest: dict[str, Any]
) -> Any:
    return attrs.field(metadata={**(metadata or {}), METADATA_KEY: options}, **rest)
