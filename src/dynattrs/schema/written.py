"""What a declaration looks like to people: as a program would write it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from dynattrs.deferral import deferred

if TYPE_CHECKING:
    from dynattrs.schema import table_html
else:
    # Imported when a notebook shows a table.
    table_html = deferred("dynattrs.schema.table_html")


class Written:
    """A declaration whose `repr` says what was said, and nothing that is so anyway."""

    __slots__ = ()

    def __repr__(self) -> str:
        given: Any = self
        said = [
            _argument(each, getattr(given, each.name))
            for each in attrs.fields(type(given))
            if each.repr and each.init and not _is_default(each, getattr(given, each.name))
        ]
        return f"{type(self).__name__}({', '.join(said)})"


def _is_default(field: attrs.Attribute[Any], value: object) -> bool:
    default: Any = field.default
    if default is attrs.NOTHING:
        return False
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        default = default.factory()
    return value is default or (type(value) is type(default) and value == default)


def _argument(field: attrs.Attribute[Any], value: Any) -> str:
    if isinstance(value, tuple):
        one_name = len(value) == 1 and field.name in ("partition_key", "sort_key")
        value = value[0] if one_name else [*value]
    return f"{field.name}={value!r}" if field.kw_only else repr(value)


class WrittenTable(Written):
    """The same, and in a notebook its keys, indexes and models."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return table_html.of(self)
